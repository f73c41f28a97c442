package delegationhttp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	sigAlgorithm  = "AWS4-HMAC-SHA256"
	sigTimeFormat = "20060102T150405Z"
	sigDayFormat  = "20060102"

	// maxSkew is how far the time of a signature may be from ours (IAM User Guide, "Signature
	// Version 4 request signing": a request must reach AWS within five minutes).
	maxSkew = 5 * time.Minute
)

// signatureRefusal is the refusal of a request whose signature does not count, with AWS's code.
func signatureRefusal(code, description string) *refusal {
	return &refusal{status: http.StatusForbidden, code: code, description: description}
}

// getCallerIdentity says whose credentials signed the request.
func (h *Handlers) getCallerIdentity(
	w http.ResponseWriter, r *http.Request, call *stsCall, body []byte,
) ([]byte, *refusal) {
	if refused := call.requireAllRead(); refused != nil {
		return nil, refused
	}
	session, refused := h.signer(r, body)
	if refused != nil {
		return nil, refused
	}
	answer, err := xml.Marshal(callerResponse{
		Namespace: stsNamespace,
		Result:    callerResult{ARN: session.arn, UserID: session.id, Account: session.account},
		Metadata:  stsMetadata{requestID(w)},
	})
	if err != nil { // structs of texts cannot fail
		return nil, failed.refusal("the request could not be completed")
	}
	return answer, nil
}

// signer returns the session whose credentials signed the request.
func (h *Handlers) signer(r *http.Request, body []byte) (*issuedSession, *refusal) {
	signed, refused := readSignature(r.Header)
	if refused != nil {
		return nil, refused
	}
	session := h.issued.of(signed.accessKeyID)
	token := sha256.Sum256([]byte(signed.token))
	if session == nil || subtle.ConstantTimeCompare(token[:], session.token[:]) != 1 {
		return nil, signatureRefusal("InvalidClientTokenId",
			"this endpoint has not issued these credentials, or no longer knows them: "+
				"to ask AWS whose they are, unset AWS_ENDPOINT_URL_STS "+
				"(and AWS_ENDPOINT_URL, or endpoint_url in the profile)")
	}
	now := h.config.Now()
	if refused := signed.checkTime(now); refused != nil {
		return nil, refused
	}
	if !signed.isOf(r, body, session) {
		return nil, signatureRefusal("SignatureDoesNotMatch",
			"the signature does not match the request: proxies on the way must pass on the "+
				"header Host and the path as they are")
	}
	if !now.Before(session.expires) {
		return nil, signatureRefusal("ExpiredToken", "the credentials have expired")
	}
	return session, nil
}

// signature is what a request says of its Signature Version 4 (IAM User Guide, "Create a signed AWS
// API request").
type signature struct {
	accessKeyID, day, region, service string
	headers                           []string
	signature                         string
	token                             string
	at                                time.Time
}

// readSignature reads the signature of a request that has one in its headers. A presigned URL is
// made for AWS and is not taken.
func readSignature(header http.Header) (*signature, *refusal) {
	authorization, one := single(header, "Authorization")
	if authorization == "" && one {
		return nil, signatureRefusal("MissingAuthenticationToken",
			"the request is not signed: GetCallerIdentity needs credentials")
	}
	s := new(signature)
	token, oneToken := single(header, "X-Amz-Security-Token")
	date, oneDate := single(header, "X-Amz-Date")
	at, err := time.Parse(sigTimeFormat, date)
	if !one || !oneToken || !oneDate || err != nil || !s.parse(authorization) {
		return nil, signatureRefusal("IncompleteSignature", "the request must have one "+
			"Authorization header of Signature Version 4, one X-Amz-Date and one "+
			"X-Amz-Security-Token")
	}
	s.at = at
	s.token = token
	for _, name := range []string{"host", "x-amz-date", "x-amz-security-token"} {
		if !slices.Contains(s.headers, name) {
			return nil, signatureRefusal("SignatureDoesNotMatch",
				"the signature does not cover the header "+name)
		}
	}
	return s, nil
}

// single returns the value of a header, and whether it is there once at most.
func single(header http.Header, name string) (string, bool) {
	return header.Get(name), len(header.Values(name)) <= 1
}

// parse reads the Authorization header, and says whether it has the form.
func (s *signature) parse(authorization string) bool {
	rest, ok := strings.CutPrefix(authorization, sigAlgorithm+" ")
	if !ok {
		return false
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, again := parts[name]; !ok || again || value == "" {
			return false
		}
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(parts) != 3 || len(scope) != 5 || scope[4] != "aws4_request" {
		return false
	}
	s.accessKeyID = scope[0]
	s.day = scope[1]
	s.region = scope[2]
	s.service = scope[3]
	s.headers = strings.Split(parts["SignedHeaders"], ";")
	s.signature = parts["Signature"]
	return s.signature != "" && parts["SignedHeaders"] != ""
}

// checkTime refuses a signature of another time or for another day.
func (s *signature) checkTime(now time.Time) *refusal {
	if s.day != s.at.Format(sigDayFormat) || s.service != "sts" || s.region == "" {
		return signatureRefusal("SignatureDoesNotMatch",
			"the credential scope must have the day of X-Amz-Date, a region and the service sts")
	}
	if skew := now.Sub(s.at).Abs(); skew > maxSkew {
		return signatureRefusal("SignatureDoesNotMatch",
			"the signature is more than five minutes old, or in the future: "+
				"correct the caller's clock (NTP)")
	}
	return nil
}

// isOf tells whether the session's secret makes this signature of the request. The SDK signs a copy
// that has exactly the headers that are said to be signed, and the two are compared. Headers that
// the SDK never signs, such as User-Agent, must not be among them.
func (s *signature) isOf(r *http.Request, body []byte, session *issuedSession) bool {
	copied, err := s.unsigned(r)
	if err != nil {
		return false
	}
	hash := sha256.Sum256(body)
	credentials := aws.Credentials{
		AccessKeyID:     s.accessKeyID,
		SecretAccessKey: session.secret.Reveal(),
		SessionToken:    s.token,
	}
	// A signer of its own for each request: a signer keeps keys that it has derived of secrets.
	err = v4.NewSigner().SignHTTP(r.Context(), credentials, copied, hex.EncodeToString(hash[:]),
		s.service, s.region, s.at)
	if err != nil {
		return false
	}
	made := new(signature)
	return made.parse(copied.Header.Get("Authorization")) &&
		slices.Equal(made.headers, s.headers) &&
		subtle.ConstantTimeCompare([]byte(made.signature), []byte(s.signature)) == 1
}

// unsigned returns the request as its client had it before it was signed.
func (s *signature) unsigned(r *http.Request) (*http.Request, error) {
	target := r.URL
	if r.RequestURI != "" { // as it was sent, whatever a router has made of URL
		sent, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return nil, err
		}
		target = sent
	}
	// No scheme: the host is signed as it was sent, with its port.
	address := &url.URL{Host: r.Host, Path: target.Path, RawPath: target.RawPath}
	copied := &http.Request{
		Method: r.Method,
		URL:    address,
		Host:   r.Host,
		Header: http.Header{},
	}
	for _, name := range s.headers {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token": // the signer sets them
		case "content-length":
			copied.ContentLength = r.ContentLength
		default:
			key := http.CanonicalHeaderKey(name)
			copied.Header[key] = slices.Clone(r.Header[key])
		}
	}
	return copied, nil
}
