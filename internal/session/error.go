package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Error says why a call of AssumeRoleWithSAML failed: AWS's own refusal, or a failure on the way.
// It holds no assertion: the SDK's own error chain leads to the request, and so to the assertion,
// and is dropped.
type Error struct {
	Code      string // one of the codes in codes.go
	RequestID string // AWS's, if AWS answered
	Err       error  // what happened; a smithy.APIError with AWS's code and message, if AWS refused
}

func (e *Error) Error() string { return e.Err.Error() + " (" + e.Code + ")" }

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// ErrorOf reads the SDK's error. timedOut says that the call's own time was over.
func ErrorOf(err error, timedOut bool) *Error {
	var response *awshttp.ResponseError
	requestID, status := "", 0
	if errors.As(err, &response) {
		requestID, status = response.ServiceRequestID(), response.HTTPStatusCode()
	}
	var known smithy.APIError
	var decoding *smithy.DeserializationError
	var tooLarge *http.MaxBytesError
	var transport *url.Error
	var send *smithyhttp.RequestSendError
	code, cause := refused, error(nil)
	switch {
	case errors.As(err, &known):
		code = refusal(known, status)
		clean := func(s string) string { return longRun.ReplaceAllString(s, "[redacted]") }
		cause = &smithy.GenericAPIError{Code: clean(known.ErrorCode()), Message: clean(known.ErrorMessage()), Fault: known.ErrorFault()}
	case timedOut:
		code, cause = timeout, context.DeadlineExceeded
	case status >= 500:
		code, cause = unavailable, errors.New("the answer was a server error")
	case errors.As(err, &tooLarge):
		code, cause = answerIncomplete, fmt.Errorf("the answer is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &decoding) || status == 200:
		code, cause = answerIncomplete, errors.New("the answer cannot be read")
	case errors.As(err, &transport): // net/http's own errors, which hold no body
		code, cause = unavailable, transport.Err
	case errors.As(err, &send):
		code, cause = unavailable, errors.New("the request could not be sent")
	default:
		cause = errors.New("the STS client failed without an answer from AWS")
	}
	return &Error{Code: code, RequestID: requestID, Err: cause}
}

// longRun finds what may be the assertion, whole or in lines: AWS's validation errors repeat the
// value that they refuse.
var longRun = regexp.MustCompile(`[\w+/=%-]{48,}`)

func refusal(err smithy.APIError, status int) string {
	for _, r := range refusals {
		if err.ErrorCode() == r.wire && strings.Contains(err.ErrorMessage(), r.words) {
			return r.code
		}
	}
	if _, isThrottle := retry.DefaultThrottleErrorCodes[err.ErrorCode()]; isThrottle || status == 429 {
		return throttled
	}
	if status >= 500 {
		return unavailable
	}
	return refused
}
