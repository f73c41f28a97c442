package errortable_test

import (
	"log/slog"
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
	"invalid_grant":                    http.StatusBadRequest,
	"invalid_request":                  http.StatusBadRequest,
	"invalid_scope":                    http.StatusBadRequest,
	"invalid_client":                   http.StatusUnauthorized,
	"insufficient_user_authentication": http.StatusUnauthorized,
	"unauthorized":                     http.StatusUnauthorized,
	"access_denied":                    http.StatusForbidden,
	"unauthorized_client":              http.StatusForbidden,
	"endpoint_disabled":                http.StatusNotFound,
	"temporarily_unavailable":          http.StatusServiceUnavailable,
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
		"decision": 500, "cache": 500, "saml": 500, "sts": 502, "audit": 500,
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

// TestOf_Level: a code has a level of its own, or that of its stage where the same call cannot
// succeed later.
func TestOf_Level(t *testing.T) {
	for code, level := range map[string]slog.Level{
		"key_set_invalid":   slog.LevelError, // of its own, though retryable
		"rule_panicked":     slog.LevelError, // of its own
		"role_not_allowed":  slog.LevelWarn,  // of its own
		"sts_throttled":     slog.LevelWarn,  // retryable
		"sts_access_denied": slog.LevelError, // of its stage
		"role_invalid":      slog.LevelError,
		"text_invalid":      slog.LevelError,
		"denied":            slog.LevelWarn,
		"token_expired":     slog.LevelWarn,
	} {
		if row, known := errortable.Of(code); !known || row.Level != level {
			t.Errorf("%s has the level %s, want %s", code, row.Level, level)
		}
	}
}

// TestLevels_Documented: each row of the table of levels is read, names a code, and differs from
// what the code would have without it.
func TestLevels_Documented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z]+) \| .* \| (WARN|ERROR) \|$`).
		FindAllStringSubmatch(string(text), -1) {
		stages[row[1]] = row[2]
	}
	form := regexp.MustCompile("(?m)^\\| ([A-Z]+) \\| `([a-z_]+)` \\| ")
	levels := form.FindAllStringSubmatch(string(text), -1)
	if len(stages) != 9 || len(levels) < 10 {
		t.Fatalf("%d stages, %d codes", len(stages), len(levels))
	}
	for _, match := range levels {
		level, code := match[1], match[2]
		row, known := errortable.Of(code)
		if !known || row.Level.String() != level {
			t.Errorf("%s has the level %s, the document says %s", code, row.Level, level)
		}
		otherwise := stages[row.Stage]
		if row.Retryable {
			otherwise = "WARN"
		}
		if level == otherwise {
			t.Errorf("%s is %s by its stage", code, level)
		}
	}
}

// TestOutcomes_Documented: each row of the table of outcomes is read, names a code, and differs
// from what the code's answer says.
func TestOutcomes_Documented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile("(?m)^\\| (\\w+) \\| `([a-z_]+)` \\| [a-z ]+ \\|$")
	rows := 0
	for _, match := range form.FindAllStringSubmatch(string(text), -1) {
		outcome, code := match[1], match[2]
		if outcome != "denied" && outcome != "failed" {
			continue // of another table
		}
		rows++
		row, known := errortable.Of(code)
		if !known || row.Outcome != outcome || row.Answer.Outcome() == outcome {
			t.Errorf("%s: %v, %+v; the document says %s", code, known, row, outcome)
		}
	}
	if rows != 4 {
		t.Errorf("%d rows", rows)
	}
}
