package delegationhttp

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	xmlType      = "text/xml" // as AWS's answers have it
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

	// headerAWSRequestID is the header in which AWS sends the ID of a request. SDKs show it.
	headerAWSRequestID = "X-Amzn-Requestid"
)

// webIdentity is what the verified token says of its user, for the answer.
type webIdentity struct {
	subject, issuer, client string
}

// rule returns the rule that fills in the identity. It never refuses. It waits for nothing, so it
// needs no time limit.
func (i *webIdentity) rule() delegation.RuleFunc {
	return delegation.WithOwnTimeout(func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		i.subject = user.Text("user_id")
		i.issuer = rc.Issuer
		i.client = rc.ClientID
		return nil
	})
}

// answer is that of AssumeRoleWithWebIdentity. It holds the secrets.
func (i *webIdentity) answer(c *delegation.Credentials, requestID string) ([]byte, error) {
	result := webIdentityResult{
		Audience:       i.client,
		Provider:       i.issuer,
		Subject:        i.subject,
		SourceIdentity: c.SourceIdentity,
		User:           assumedRoleUser{ID: c.AssumedRoleID, ARN: c.AssumedRoleARN},
		Credentials: stsCredentials{
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: c.SecretAccessKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
			Expiration:      c.Expiration.UTC().Format(time.RFC3339),
		},
	}
	if c.PackedPolicySize > 0 { // AWS leaves it out without policies and tags
		result.PackedPolicySize = &c.PackedPolicySize
	}
	return xml.Marshal(webIdentityResponse{
		Namespace: stsNamespace,
		Result:    result,
		Metadata:  stsMetadata{requestID},
	})
}

// The elements of AWS's answers (STS API Reference).
type (
	webIdentityResponse struct {
		XMLName   xml.Name          `xml:"AssumeRoleWithWebIdentityResponse"`
		Namespace string            `xml:"xmlns,attr"`
		Result    webIdentityResult `xml:"AssumeRoleWithWebIdentityResult"`
		Metadata  stsMetadata       `xml:"ResponseMetadata"`
	}
	webIdentityResult struct {
		Audience         string
		User             assumedRoleUser `xml:"AssumedRoleUser"`
		Provider         string
		Credentials      stsCredentials
		Subject          string `xml:"SubjectFromWebIdentityToken"`
		SourceIdentity   string `xml:",omitempty"`
		PackedPolicySize *int   `xml:",omitempty"`
	}
	assumedRoleUser struct {
		ID  string `xml:"AssumedRoleId"`
		ARN string `xml:"Arn"`
	}
	stsCredentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	stsMetadata struct {
		RequestID string `xml:"RequestId"`
	}
	callerResponse struct {
		XMLName   xml.Name     `xml:"GetCallerIdentityResponse"`
		Namespace string       `xml:"xmlns,attr"`
		Result    callerResult `xml:"GetCallerIdentityResult"`
		Metadata  stsMetadata  `xml:"ResponseMetadata"`
	}
	callerResult struct {
		ARN     string `xml:"Arn"`
		UserID  string `xml:"UserId"`
		Account string
	}
	stsErrorResponse struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Error     stsError
		RequestID string `xml:"RequestId"`
	}
	stsError struct {
		Type    string
		Code    string
		Message string
	}
)

// stsWords are AWS's codes for what is refused before an exchange.
var stsWords = map[string]string{
	"invalid_request":   "ValidationError",
	"access_denied":     "AccessDenied",
	"too_many_requests": "Throttling",
}

// stsShape is AWS's XML of a refusal.
func stsShape(r *refusal) any {
	code := r.code
	if word, known := stsWords[code]; known {
		code = word
	}
	side := "Sender"
	if r.status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	return stsErrorResponse{
		Namespace: stsNamespace,
		Error:     stsError{Type: side, Code: code, Message: r.description},
	}
}

// answerXML writes a refusal.
func answerXML(w http.ResponseWriter, status int, refused stsErrorResponse) {
	refused.RequestID = requestID(w)
	w.Header().Set(headerAWSRequestID, refused.RequestID)
	body, _ := xml.Marshal(refused) // structs of texts cannot fail
	writeBody(w, status, xmlType, body)
}

// writeBody writes an answer whose length is known.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// stsKinds are AWS's status and code for the errors of an exchange that have one of their own. All
// others go by whether a retry can help, see [asSTS].
var stsKinds = map[delegation.Code]kind{
	delegation.CodeTokenExpired:   {http.StatusBadRequest, "ExpiredTokenException"},
	delegation.CodeChainTokenEnds: {http.StatusBadRequest, "ExpiredTokenException"},
	// The SDK for Go retries InvalidIdentityToken (stscreds.WebIdentityRoleProvider). So it is only
	// for tokens that will be good in a moment.
	delegation.CodeTokenNotYetValid: {http.StatusBadRequest, "InvalidIdentityToken"},
	delegation.CodeTokenFromFuture:  {http.StatusBadRequest, "InvalidIdentityToken"},

	delegation.CodeRequestedPolicyInvalid:       {http.StatusBadRequest, "MalformedPolicyDocument"},
	delegation.CodeRequestedPolicyNotCombinable: {http.StatusBadRequest, "MalformedPolicyDocument"},

	delegation.CodeDurationTooLong:   {http.StatusBadRequest, "ValidationError"},
	delegation.CodeSTSDuration:       {http.StatusBadRequest, "ValidationError"},
	delegation.CodeSTSPolicy:         {http.StatusBadRequest, "MalformedPolicyDocument"},
	delegation.CodeSTSPackedSize:     {http.StatusBadRequest, "PackedPolicyTooLarge"},
	delegation.CodeSTSRegionDisabled: {http.StatusForbidden, "RegionDisabledException"},

	delegation.CodeSTSThrottled:     {http.StatusServiceUnavailable, "Throttling"},
	delegation.CodeProfileThrottled: {http.StatusServiceUnavailable, "Throttling"},
	delegation.CodeSignerThrottled:  {http.StatusServiceUnavailable, "Throttling"},
}

// asSTS gives the refusal of an exchange AWS's code, and a status after which SDKs retry only if
// that can help. AWS's own status is not always that: some modes of the SDKs retry
// IDPCommunicationError with 503 and not with AWS's 400, and all retry every 500, for which the
// operator has to change something first.
func asSTS(r *refusal) *refusal {
	e := exchangeError(r.cause)
	if e == nil || errors.As(r.cause, new(*rateLimited)) {
		if r.status == http.StatusInternalServerError {
			r.code = "InternalFailure"
		}
		return r
	}
	k, known := stsKinds[e.Code]
	switch {
	case known:
	case e.Retryable && e.Stage == delegation.StageToken:
		k = kind{http.StatusServiceUnavailable, "IDPCommunicationError"}
	case e.Retryable:
		k = kind{http.StatusServiceUnavailable, "ServiceUnavailable"}
	default:
		k = kind{http.StatusForbidden, "AccessDenied"}
	}
	r.status = k.status
	r.code = k.code
	if k.status != http.StatusServiceUnavailable {
		r.retryAfter = 0
	} else if r.retryAfter == 0 {
		r.retryAfter = retryPause
	}
	return r
}
