package errortable_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/seed055b7978/delegation/internal/errortable"
)

// words are the error codes of RFC 6749 and of Auth0's delegation endpoint that an exchange's
// errors may have, each with its status.
var words = map[string]int{
	"invalid_grant":           http.StatusBadRequest,
	"invalid_client":          http.StatusUnauthorized,
	"unauthorized":            http.StatusUnauthorized,
	"access_denied":           http.StatusForbidden,
	"unauthorized_client":     http.StatusForbidden,
	"endpoint_disabled":       http.StatusNotFound,
	"temporarily_unavailable": http.StatusServiceUnavailable,
}

// wellFormed tells whether a status and a word go together.
func wellFormed(answer errortable.Answer) bool {
	if answer.Word == "server_error" {
		broken := []int{http.StatusInternalServerError, http.StatusBadGateway}
		return slices.Contains(broken, answer.Status)
	}
	return words[answer.Word] == answer.Status && answer.Status != 0
}

// TestOf reads each row whose first cell is a code: none is skipped as prose, and all cells are
// filled.
func TestOf(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(text), -1)
	if len(codes) < 100 {
		t.Fatalf("only %d codes", len(codes))
	}
	for _, match := range codes {
		code := match[1]
		row, known := errortable.Of(code)
		if !known || row.Stage == "" || row.Remedy == "" || row.Public == "" {
			t.Errorf("%s: %v, %+v", code, known, row)
		}
		if !wellFormed(row.Answer) {
			t.Errorf("%s: the answer is %+v", code, row.Answer)
		}
		if _, known := errortable.OfStage(row.Stage); !known {
			t.Errorf("%s: the stage %q has no row", code, row.Stage)
		}
		// 503 tells a client to retry: it must help.
		if row.Answer.Status == http.StatusServiceUnavailable && !row.Retryable {
			t.Errorf("%s is 503 and not retryable", code)
		}
	}
	for _, none := range []string{"", "Code", "`denied`", "token", "---", "no_such_code"} {
		if row, known := errortable.Of(none); known {
			t.Errorf("%q has the row %+v", none, row)
		}
	}
}

// TestOfStage: the answers to errors whose code has no row.
func TestOfStage(t *testing.T) {
	for stage, status := range map[string]int{
		"config": 500, "token": 400, "target": 500, "rules": 403,
		"decision": 500, "cache": 500, "saml": 500, "sts": 502,
	} {
		answer, known := errortable.OfStage(stage)
		if !known || answer.Status != status || !wellFormed(answer) {
			t.Errorf("%s: %v, %+v", stage, known, answer)
		}
	}
	for _, none := range []string{"", "Stage", "---", "denied"} {
		if answer, known := errortable.OfStage(none); known {
			t.Errorf("%q has %+v", none, answer)
		}
	}
}
