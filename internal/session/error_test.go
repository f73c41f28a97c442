package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation/internal/session"
)

// TestErrorOf holds what the root's tests, which let a fake answer over the wire, do not reach:
// errors that clients of others make.
func TestErrorOf(t *testing.T) {
	assertion := strings.Repeat("QUJD", 30)
	answered := func(code, message string) error {
		return &smithy.GenericAPIError{Code: code, Message: message}
	}
	wrapped := fmt.Errorf("client: %w", answered("PackedPolicyTooLarge", "no"))
	suffixed := answered("PackedPolicyTooLargeException", "no")
	repeated := answered("ValidationError", "Value '"+assertion+"' at 'sAMLAssertion'")
	unconnected := &url.Error{
		Op:  "Post",
		URL: "https://x/?" + assertion,
		Err: errors.New("refused"),
	}
	unreadable := &url.Error{
		Op:  "Post",
		URL: "https://x/",
		Err: errors.New("malformed HTTP response \"" + assertion + "\""),
	}
	for name, row := range map[string]struct {
		err      error
		timedOut bool
		code     string
	}{
		"AWS's words":                {answered("AccessDenied", "no"), false, "sts_access_denied"},
		"wrapped":                    {wrapped, false, "sts_packed_policy_too_large"},
		"AWS answered at the last":   {answered("AccessDenied", "no"), true, "sts_access_denied"},
		"a suffix AWS does not send": {suffixed, false, "sts_packed_policy_too_large"},
		"throttled":                  {answered("ThrottlingException", ""), false, "sts_throttled"},

		"time over":     {errors.New("whatever " + assertion), true, "sts_timeout"},
		"no connection": {unconnected, false, "sts_unavailable"},
		"no HTTP":       {unreadable, false, "sts_unavailable"},
		"nobody knows":  {errors.New("cannot send " + assertion), false, "sts_refused"},

		"AWS repeats the assertion":    {repeated, false, "sts_validation"},
		"AWS repeats it in its code":   {answered(assertion, ""), false, "sts_refused"},
		"the caller's deadline, alone": {context.DeadlineExceeded, false, "sts_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got := session.ErrorOf(row.err, row.timedOut)
			if got.Code != row.code || !strings.HasSuffix(got.Error(), "("+row.code+")") ||
				errors.Unwrap(got) != got.Err || got.Err == nil {
				t.Errorf("got %v, want %s", got, row.code)
			}
			if strings.Contains(fmt.Sprintf("%v %#v", got, got.Err), assertion[:48]) {
				t.Errorf("it holds the assertion: %#v", got.Err)
			}
		})
	}
}
