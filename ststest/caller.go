package ststest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	sigAlgorithm  = "AWS4-HMAC-SHA256"
	sigTimeFormat = "20060102T150405Z"

	// maxSkew is how far the time of a signature may be from the Server's.
	maxSkew = 15 * time.Minute
)

func forbidden(code, message string) *apiError {
	return &apiError{status: 403, code: code, message: message}
}

// getCallerIdentity answers a caller with credentials that the Server issued.
func (s *Server) getCallerIdentity(r *request) (element, *apiError) {
	session, refusal := s.authenticate(r)
	if refusal != nil {
		return element{}, refusal
	}
	return element{children: []element{
		{name: "Arn", text: session.arn},
		{name: "UserId", text: session.userID},
		{name: "Account", text: session.account},
	}}, nil
}

// authenticate checks a Signature Version 4 in the Authorization header
// (IAM User Guide, Create a signed AWS API request).
func (s *Server) authenticate(r *request) (*session, *apiError) {
	header := r.Header.Get("Authorization")
	if header == "" {
		const missing = "Request is missing Authentication Token"
		return nil, forbidden("MissingAuthenticationToken", missing)
	}
	auth, err := parseAuthorization(header)
	if err != nil {
		return nil, forbidden("IncompleteSignature", err.Error())
	}
	date := r.Header.Get("X-Amz-Date")
	signedAt, err := time.Parse(sigTimeFormat, date)
	if err != nil {
		return nil, forbidden("IncompleteSignature",
			"Authorization header requires existence of an 'X-Amz-Date' header "+
				"in the form YYYYMMDDThhmmssZ.")
	}
	r.call.AccessKeyID = auth.accessKeyID
	session := s.sessionWith(r, auth.accessKeyID)
	if session == nil {
		return nil, forbidden("InvalidClientTokenId",
			"The security token included in the request is invalid.")
	}
	if refusal := r.checkScope(auth, date, signedAt); refusal != nil {
		return nil, refusal
	}
	for _, name := range []string{"host", "x-amz-date", "x-amz-security-token"} {
		if !slices.Contains(auth.headers, name) {
			return nil, mismatch("'" + name +
				"' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	want := auth.sign(session.secret, date, r.canonical(auth.headers))
	if subtle.ConstantTimeCompare([]byte(want), []byte(auth.signature)) != 1 {
		return nil, mismatch("The request signature we calculated does not match the signature " +
			"you provided. Check your AWS Secret Access Key and signing method. " +
			"Consult the service documentation for details.")
	}
	if !r.now.Before(session.expires) {
		return nil, forbidden("ExpiredToken",
			"The security token included in the request is expired")
	}
	return session, nil
}

func mismatch(message string) *apiError { return forbidden("SignatureDoesNotMatch", message) }

// sessionWith returns the session of an access key ID, if it belongs to the
// region's partition and the request has its token. Otherwise it returns nil.
func (s *Server) sessionWith(r *request, accessKeyID string) *session {
	s.mu.Lock()
	session := s.sessions.values[accessKeyID]
	s.mu.Unlock()
	if session == nil || session.partition != partitionOf(r.region).name {
		return nil
	}
	token := r.Header.Get("X-Amz-Security-Token")
	if subtle.ConstantTimeCompare([]byte(token), []byte(session.token)) != 1 {
		return nil
	}
	return session
}

// checkScope checks the scope and the time of a signature.
func (r *request) checkScope(auth authorization, date string, signedAt time.Time) *apiError {
	day := signedAt.Format("20060102")
	switch {
	case auth.service != "sts":
		return mismatch("Credential should be scoped to correct service: 'sts'. ")
	case auth.region != r.region:
		return mismatch("Credential should be scoped to a valid region. ")
	case auth.day != day:
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version " +
			"of date from HTTP: '" + auth.day + "' != '" + day + "', from '" + date + "'.")
	}
	now := r.now.UTC()
	if earliest := now.Add(-maxSkew); signedAt.Before(earliest) {
		return mismatch("Signature expired: " + date + " is now earlier than " +
			earliest.Format(sigTimeFormat) + " (" + now.Format(sigTimeFormat) + " - 15 min.)")
	}
	if latest := now.Add(maxSkew); signedAt.After(latest) {
		return mismatch("Signature not yet current: " + date + " is still later than " +
			latest.Format(sigTimeFormat) + " (" + now.Format(sigTimeFormat) + " + 15 min.)")
	}
	return nil
}

// An authorization is the parts of an Authorization header.
type authorization struct {
	accessKeyID, day, region, service string
	headers                           []string
	signature                         string
}

func parseAuthorization(header string) (authorization, error) {
	var a authorization
	//lint:ignore ST1005 AWS's own words, which go out as they are
	bad := errors.New("Authorization header requires '" + sigAlgorithm +
		"' with 'Credential', 'SignedHeaders' and 'Signature' parameters.")
	rest, ok := strings.CutPrefix(header, sigAlgorithm+" ")
	if !ok {
		return a, bad
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, again := params[name]; !ok || again {
			return a, bad
		}
		params[name] = value
	}
	a, ok = scopedAuthorization(params["Credential"], params["SignedHeaders"], params["Signature"])
	if len(params) != 3 || !ok {
		return a, bad
	}
	return a, nil
}

// scopedAuthorization makes an authorization of its three parameters.
func scopedAuthorization(credential, headers, signature string) (authorization, bool) {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || headers == "" || signature == "" {
		return authorization{}, false
	}
	return authorization{
		accessKeyID: scope[0],
		day:         scope[1],
		region:      scope[2],
		service:     scope[3],
		headers:     strings.Split(headers, ";"),
		signature:   signature,
	}, true
}

// scope returns the credential scope.
func (a authorization) scope() string {
	return strings.Join([]string{a.day, a.region, a.service, "aws4_request"}, "/")
}

// key returns the signing key.
func (a authorization) key(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{a.day, a.region, a.service, "aws4_request"} {
		key = hmacOf(key, part)
	}
	return key
}

func hmacOf(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// sign computes the signature of a canonical request.
func (a authorization) sign(secret, date, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join(
		[]string{sigAlgorithm, date, a.scope(), hex.EncodeToString(sum[:])}, "\n")
	return hex.EncodeToString(hmacOf(a.key(secret), toSign))
}

// canonical returns the canonical request over the signed headers.
func (r *request) canonical(headers []string) string {
	sum := sha256.Sum256(r.body)
	hash := hex.EncodeToString(sum[:])
	return canonicalRequest(r.Request, headers, r.URL.Query(), hash, false)
}

// awsEscape percent-encodes all but the unreserved characters of RFC 3986.
func awsEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// accountOf returns the account a request is about, for RegionDisabled.
func (s *Server) accountOf(r *request) string {
	if a, ok := parseARN(roleARN, r.call.RoleARN); ok {
		return a.account
	}
	if auth, err := parseAuthorization(r.Header.Get("Authorization")); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if session := s.sessions.values[auth.accessKeyID]; session != nil {
			return session.account
		}
	}
	return "000000000000"
}
