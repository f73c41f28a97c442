package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Error says why a call of AssumeRoleWithSAML failed: AWS's own refusal, or a failure on the way.
// It holds no assertion. The SDK's own error chain is dropped, because it leads to the request and
// so to the assertion.
type Error struct {
	Code      string // one of the codes in codes.go
	RequestID string // AWS's, if AWS answered
	Err       error  // what happened; a smithy.APIError with AWS's code and message, if AWS refused
}

func (e *Error) Error() string { return e.Err.Error() + " (" + e.Code + ")" }

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// ErrorOf reads the SDK's error. timedOut says that the call's own time limit has passed.
func ErrorOf(err error, timedOut bool) *Error { return errorOf(err, timedOut, nil) }

// errorOf reads the SDK's error. The rows in own take precedence over those of refusals.
func errorOf(err error, timedOut bool, own []refusal) *Error {
	failure := &Error{}
	status := 0
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		failure.RequestID = response.ServiceRequestID()
		status = response.HTTPStatusCode()
	}
	failure.Code, failure.Err = causeOf(err, status, timedOut, own)
	return failure
}

// DateOf returns the Date header of the answer that an error of the SDK is about, by the clock of
// the server that answered. Zero: there is none.
func DateOf(err error) time.Time {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return time.Time{}
	}
	date, err := http.ParseTime(response.Response.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// HostOf returns the host of the request that led to an error. Empty: nothing was sent, or the
// client is not the SDK's.
func HostOf(err error) string {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil &&
		response.Response.Response != nil && response.Response.Request != nil {
		return response.Response.Request.URL.Host
	}
	var transport *url.Error
	if !errors.As(err, &transport) {
		return ""
	}
	u, err := url.Parse(transport.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// causeOf returns the code of an error and what may be told of it. The status is that of AWS's
// answer, or zero.
func causeOf(
	err error, status int, timedOut bool, own []refusal,
) (code string, cause error) {
	var known smithy.APIError
	if errors.As(err, &known) {
		return refusalCode(known, status, own), withoutAssertion(known)
	}
	if timedOut {
		return timeout, context.DeadlineExceeded
	}
	if status >= 500 {
		return unavailable, errors.New("the answer was a server error")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return answerIncomplete, fmt.Errorf("the answer is larger than %d bytes", tooLarge.Limit)
	}
	var decoding *smithy.DeserializationError
	if errors.As(err, &decoding) || status == 200 {
		return answerIncomplete, errors.New("the answer cannot be read")
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		return unavailable, Unanswered(context.Background(), err)
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		return unavailable, errors.New("the request could not be sent")
	}
	if reason := configurationReason(err); reason != "" {
		return refused, fmt.Errorf("the STS client is not configured correctly: %s", reason)
	}
	return refused, errors.New("the STS client failed without an answer from AWS")
}

// configurationReason returns the SDK's reason why a configuration leads to no endpoint, such as
// FIPS together with a configured endpoint. Empty: the error is of another kind. The SDK has no
// type for these errors. Their texts come from the service's endpoint rules (service/sts,
// endpoints.go) and from parameters, and contain no part of the request.
func configurationReason(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		for _, begin := range []string{
			"failed to resolve service endpoint, ", "failed to bind endpoint params, ",
		} {
			if reason, ok := strings.CutPrefix(text, begin); ok {
				return longRun().ReplaceAllString(reason, "[redacted]")
			}
		}
	}
	return ""
}

// withoutAssertion copies AWS's refusal without what may be the assertion.
func withoutAssertion(refusal smithy.APIError) *smithy.GenericAPIError {
	clean := func(s string) string { return longRun().ReplaceAllString(s, "[redacted]") }
	return &smithy.GenericAPIError{
		Code:    clean(refusal.ErrorCode()),
		Message: clean(refusal.ErrorMessage()),
		Fault:   refusal.ErrorFault(),
	}
}

// longRun finds what may be the assertion, whole or in lines: AWS's validation errors repeat the
// value that they refuse.
var longRun = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\w+/=%-]{48,}`)
})

// isWireCode compares a code with that of a row. A proxy, an emulator or a later AWS may send
// the names of the SDK's types, such as PackedPolicyTooLargeException.
func isWireCode(code, wire string) bool {
	const suffix = "Exception"
	return code == wire ||
		strings.TrimSuffix(code, suffix) == wire && !strings.HasSuffix(wire, suffix)
}

// refusalCode returns the code of what AWS refused.
func refusalCode(err smithy.APIError, status int, own []refusal) string {
	for _, r := range slices.Concat(own, refusals) {
		if !isWireCode(err.ErrorCode(), r.wire) {
			continue
		}
		if strings.Contains(err.ErrorMessage(), r.words) {
			return r.code
		}
	}
	_, throttles := retry.DefaultThrottleErrorCodes[err.ErrorCode()]
	if throttles || status == http.StatusTooManyRequests {
		return throttled
	}
	if status >= 500 {
		return unavailable
	}
	return refused
}

// deniers are the policies that AWS names if one of them denies a call, in AWS's words (IAM User
// Guide, "Troubleshoot access denied error messages"). AWS names one kind, even if several deny.
var deniers = []string{
	"resource control policy",
	"service control policy",
	"VPC endpoint policy",
	"resource-based policy", // for a role, its trust policy
}

// DeniedBy returns the kind of policy that denies a call, in AWS's words, such as "resource control
// policy". Empty: AWS names none, or the error is no refusal of AWS. explicit says that a statement
// denies the call. Otherwise a statement that allows it is missing.
func DeniedBy(err error) (kind string, explicit bool) {
	var refusal smithy.APIError
	if !errors.As(err, &refusal) {
		return "", false
	}
	message := strings.ToLower(refusal.ErrorMessage())
	for _, kind := range deniers {
		if strings.Contains(message, strings.ToLower(kind)) {
			return kind, strings.Contains(message, "explicit deny")
		}
	}
	return "", false
}
