package signer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed055b7978/delegation/internal/session"
)

const wrongKeyRemedy = "name an asymmetric key of usage SIGN_VERIFY and spec RSA_2048, RSA_3072 " +
	"or RSA_4096, such as aws kms create-key --key-usage SIGN_VERIFY --key-spec RSA_3072 makes"

const throttledRemedy = "request a higher quota for Cryptographic operations (RSA) request rate " +
	"of AWS KMS in Service Quotas, or let more exchanges reuse cached credentials (cache.size, " +
	"cache.shared)"

const credentialsRemedy = "check the AWS credentials of the service, and this machine's clock (NTP)"

// awsRemedies are the errors of KMS that an operator has to resolve (KMS API Reference, Sign and
// GetPublicKey), with their remedies. ACTION, KEY and REGION stand for those of the call.
var awsRemedies = map[string]string{
	"AccessDeniedException": "allow ACTION on the key to the service's role, in the role's " +
		"policy or in the key's",
	"NotFoundException":        "correct signer: region REGION has no such key or alias",
	"DisabledException":        "enable the key: aws kms enable-key --region REGION --key-id KEY",
	"InvalidKeyUsageException": wrongKeyRemedy,
	"InvalidArnException":      awsForms,
	"ValidationException":      wrongKeyRemedy,
	"KMSInvalidStateException": "if the key is to be deleted, keep it with aws kms " +
		"cancel-key-deletion --region REGION --key-id KEY and then aws kms enable-key, or name " +
		"another key in signer",

	"UnsupportedOperationException": wrongKeyRemedy,

	"UnrecognizedClientException":         credentialsRemedy,
	"InvalidClientTokenId":                credentialsRemedy,
	"InvalidSignatureException":           credentialsRemedy,
	"SignatureDoesNotMatch":               credentialsRemedy,
	"IncompleteSignature":                 credentialsRemedy,
	"MissingAuthenticationTokenException": credentialsRemedy,
	"ExpiredTokenException":               credentialsRemedy,
	"OptInRequired":                       "activate the region in the AWS account, or use another",
}

// awsThrottled are the errors of KMS for too many calls.
var awsThrottled = map[string]bool{
	"ThrottlingException":      true,
	"Throttling":               true,
	"LimitExceededException":   true,
	"RequestLimitExceeded":     true,
	"TooManyRequestsException": true,
}

// awsTemporary are the errors of KMS that are temporary, whatever their status.
var awsTemporary = map[string]bool{
	"KMSInternalException":       true,
	"DependencyTimeoutException": true,
	"KeyUnavailableException":    true,
	"InternalFailure":            true,
	"ServiceUnavailable":         true,
}

// refusal makes an error of an answer that reports no success.
func (s *awsSigner) refusal(action string, response *http.Response, body []byte) error {
	var answer struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message: names match in any case
	}
	_ = json.Unmarshal(body, &answer) // without a type, the status decides
	kind := answer.Type[strings.LastIndex(answer.Type, "#")+1:]
	kind, _, _ = strings.Cut(kind, ":")
	// The rest of the status line is whatever the server sent.
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", action, response.StatusCode,
		http.StatusText(response.StatusCode)))
	if kind != "" {
		text = fmt.Sprintf("%s: %s: %s", action, printable(kind), printable(answer.Message))
	}
	if id := response.Header.Get("X-Amzn-Requestid"); id != "" {
		text += fmt.Sprintf(" [AWS request ID %s]", printable(id))
	}
	remedy, final := awsRemedies[kind]
	switch {
	case awsThrottled[kind] || response.StatusCode == http.StatusTooManyRequests:
		return &Error{Text: text, Remedy: throttledRemedy, Temporary: true, Throttled: true}
	case final:
		return refused(text, s.remedy(remedy, action))
	case awsTemporary[kind] || response.StatusCode >= http.StatusInternalServerError:
		return temporary(text, "try again; if this lasts, see the AWS Health Dashboard for KMS")
	case kind == "":
		return refused(text, "check what answers as KMS (proxy, endpoint override)")
	}
	return refused(text, "see AWS's code and message")
}

// remedy fills in a remedy with the action, key and region of the call.
func (s *awsSigner) remedy(text, action string) string {
	key := cmp.Or(s.keyARN, s.key.id)
	if isAlias(key) {
		key = "KEY" // the commands take no alias; AWS's message has the ARN
	}
	return strings.NewReplacer("ACTION", action, "KEY", key, "REGION", s.region).Replace(text)
}

// unreachable makes the error of a call that got no whole answer. It repeats nothing of an answer
// that cannot be read.
func unreachable(action string, err error) error {
	text := session.Unanswered(context.Background(), err).Error()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer after " + attemptTimeout.String()
	case errors.As(err, &tooLarge):
		text = fmt.Sprintf("the answer is larger than %d bytes", tooLarge.Limit)
	}
	return temporary(action+": "+printable(text), "try again; check the network path to KMS "+
		"(proxy, VPC endpoint, endpoint override)")
}

// sdkCause says why the SDK found no configuration or no credentials. The answers of STS, of the
// metadata endpoint and of a credential_process can have credentials, and the SDK's texts repeat
// what it cannot read of them. Of an answer, only an error of the expected form is repeated.
func sdkCause(err error) string {
	text := sdkCauseText(err)
	var operation *smithy.OperationError
	if errors.As(err, &operation) && text != err.Error() {
		text = operation.Service() + " " + operation.Operation() + ": " + text
	}
	return printable(text)
}

func sdkCauseText(err error) string {
	const unreadable = "an answer cannot be read"
	if errors.As(err, new(*processcreds.ProviderError)) &&
		strings.Contains(err.Error(), "parse failed of process output") {
		return "the output of credential_process is not the expected JSON"
	}
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		if errorCode().MatchString(refusal.ErrorCode()) {
			return refusal.ErrorCode() + ": " + refusal.ErrorMessage()
		}
		// The SDK takes any body for the message of an error without a code.
		return "an answer has no error code"
	}
	for _, kind := range []any{
		new(*smithy.DeserializationError), new(*json.SyntaxError), new(*json.UnmarshalTypeError),
		new(*time.ParseError), new(*strconv.NumError),
	} {
		if errors.As(err, kind) {
			return unreadable
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // of JSON that is cut off
		return unreadable
	}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) {
		return fmt.Sprintf("the answer was %d", answered.HTTPStatusCode())
	}
	if errors.As(err, new(*url.Error)) || errors.As(err, new(textproto.ProtocolError)) {
		return session.Unanswered(context.Background(), err).Error()
	}
	return err.Error()
}

// errorCode is the form of AWS's error codes.
var errorCode = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z][A-Za-z0-9._:-]{1,99}\z`)
})
