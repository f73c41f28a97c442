package ststest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values of X-Amz-Content-Sha256 that are not a hash (Amazon S3 API Reference, Authenticating
// Requests: Using the Authorization Header).
const (
	unsignedPayload     = "UNSIGNED-PAYLOAD"
	unsignedTrailer     = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// maxPresigned is the longest life of a presigned URL (Amazon S3 API Reference, Authenticating
// Requests: Using Query Parameters).
const maxPresigned = 7 * 24 * time.Hour

// Names of parameters and headers of a signature.
const (
	algorithmParameter   = "X-Amz-Algorithm"
	signatureParameter   = "X-Amz-Signature"
	contentHashHeader    = "X-Amz-Content-Sha256"
	securityTokenOfQuery = "X-Amz-Security-Token"
)

// A signature is what a request says of its Signature Version 4.
type signature struct {
	authorization
	date      string
	signedAt  time.Time
	token     string
	hash      string // of the payload, as signed
	presigned bool
	lifetime  time.Duration // of a presigned URL
	age       time.Duration // when the request came
}

// authenticate checks the signature of a request, if it has one, and sets session and payload.
func (j *judgement) authenticate() *gateRefusal {
	r := j.request
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &gateRefusal{reason: incomplete, message: "The query is malformed."}
	}
	header := r.Header.Get("Authorization")
	presigned := query.Has(algorithmParameter) || query.Has(signatureParameter)
	var refusal *gateRefusal
	switch {
	case header == "" && !presigned:
		j.endpoint = j.otherEndpoint("s3")
		if j.endpoint != "" || j.gate.Access != nil || r.Header.Get("X-Amz-Target") != "" {
			return &gateRefusal{reason: unsigned, message: "Missing Authentication Token"}
		}
		r.Service = "s3"
		r.Region = j.server.config.Region
		return nil // a resource policy may be for everyone
	case header != "" && presigned:
		return &gateRefusal{reason: incomplete, message: "Only one auth mechanism allowed"}
	case presigned:
		r.signed, refusal = presignedSignature(query)
	default:
		r.signed, refusal = headerSignature(r.Header)
	}
	if refusal != nil {
		return refusal
	}
	r.Service = r.signed.service
	r.Region = r.signed.region
	r.signed.age = j.now.Sub(r.signed.signedAt)
	j.call.Region = r.Region
	j.call.AccessKeyID = r.signed.accessKeyID
	session, refusal := j.sessionOf()
	if refusal != nil {
		return refusal
	}
	if refusal := j.checkSignature(session, query); refusal != nil {
		return refusal
	}
	j.session = session
	return nil
}

// headerSignature reads a signature of the Authorization header.
func headerSignature(header http.Header) (signature, *gateRefusal) {
	auth, err := parseAuthorization(header.Get("Authorization"))
	if err != nil {
		return signature{}, &gateRefusal{reason: incomplete, message: err.Error()}
	}
	s := signature{authorization: auth, date: header.Get("X-Amz-Date")}
	if s.signedAt, err = time.Parse(sigTimeFormat, s.date); err != nil {
		return s, &gateRefusal{reason: incomplete, message: "AWS authentication requires a valid " +
			"X-Amz-Date header"}
	}
	s.token = header.Get("X-Amz-Security-Token")
	s.hash = header.Get(contentHashHeader)
	return s, nil
}

// presignedSignature reads a signature of the query.
func presignedSignature(query url.Values) (signature, *gateRefusal) {
	bad := func(message string) (signature, *gateRefusal) {
		return signature{}, &gateRefusal{reason: incomplete, message: message}
	}
	if query.Get(algorithmParameter) != sigAlgorithm {
		return bad("X-Amz-Algorithm only supports \"" + sigAlgorithm + "\"")
	}
	for _, name := range []string{
		"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
		signatureParameter,
	} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return bad("Query-string authentication version 4 requires one " + name)
		}
	}
	auth, ok := scopedAuthorization(
		query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"),
		query.Get(signatureParameter))
	if !ok {
		return bad("Error parsing the X-Amz-Credential parameter")
	}
	s := signature{authorization: auth, date: query.Get("X-Amz-Date"), presigned: true}
	var err error
	if s.signedAt, err = time.Parse(sigTimeFormat, s.date); err != nil {
		return bad("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	seconds, err := strconv.ParseUint(query.Get("X-Amz-Expires"), 10, 31)
	s.lifetime = time.Duration(seconds) * time.Second
	if err != nil || seconds == 0 || s.lifetime > maxPresigned {
		return bad("X-Amz-Expires must be between 1 and 604800 seconds")
	}
	s.token = query.Get(securityTokenOfQuery)
	s.hash = unsignedPayload
	return s, nil
}

// sessionOf returns the session whose credentials signed the request.
func (j *judgement) sessionOf() (*session, *gateRefusal) {
	signed := j.request.signed
	s := j.server
	s.mu.Lock()
	session := s.sessions.values[signed.accessKeyID]
	s.mu.Unlock()
	if session == nil || session.partition != partitionOf(signed.region).name {
		return nil, &gateRefusal{reason: unknownAccessKey, message: "The AWS Access Key Id you " +
			"provided does not exist in our records."}
	}
	if subtle.ConstantTimeCompare([]byte(signed.token), []byte(session.token)) != 1 {
		return nil, &gateRefusal{reason: badToken, message: "The security token included in the " +
			"request is invalid."}
	}
	return session, nil
}

// checkSignature checks scope, headers, signature, times and payload.
func (j *judgement) checkSignature(session *session, query url.Values) *gateRefusal {
	r := j.request
	signed := r.signed
	if day := signed.signedAt.Format("20060102"); signed.day != day || !isRegion(signed.region) {
		return &gateRefusal{reason: wrongScope, message: "The credential scope is not one of the " +
			"date, a region and a service: " + signed.day + "/" + signed.region}
	}
	if refusal := j.checkService(); refusal != nil {
		return refusal
	}
	if name := r.notSigned(); name != "" {
		return &gateRefusal{reason: notSigned, message: "There were headers present in the " +
			"request which were not signed: " + name}
	}
	hash, refusal := r.payloadHash()
	if refusal != nil {
		return refusal
	}
	query.Del(signatureParameter)
	canonical := canonicalRequest(r.Request, signed.headers, query, hash, r.Service == "s3")
	want := signed.sign(session.secret, signed.date, canonical)
	if subtle.ConstantTimeCompare([]byte(want), []byte(signed.signature)) != 1 {
		return &gateRefusal{reason: badSignature, message: "The request signature we calculated " +
			"does not match the signature you provided. Check your key and signing method."}
	}
	if refusal := j.checkTimes(session); refusal != nil {
		return refusal
	}
	return r.checkPayload(session.secret)
}

// notSigned returns a header that must be signed and is not.
func (r *SignedRequest) notSigned() string {
	names := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(r.signed.headers, name) {
			return name
		}
	}
	return ""
}

// payloadHash returns the hash of the payload for the canonical request.
func (r *SignedRequest) payloadHash() (string, *gateRefusal) {
	sum := sha256.Sum256(r.Payload)
	actual := hex.EncodeToString(sum[:])
	switch {
	case r.Service != "s3":
		return actual, nil
	case r.signed.hash == "":
		return "", &gateRefusal{reason: incomplete, message: "Missing required header for this " +
			"request: x-amz-content-sha256"}
	}
	return r.signed.hash, nil
}

// checkTimes checks when the request was signed, and until when it is good.
func (j *judgement) checkTimes(session *session) *gateRefusal {
	signed := j.request.signed
	switch early := signed.signedAt.Sub(j.now); {
	case early > maxSkew, !signed.presigned && -early > maxSkew:
		return &gateRefusal{reason: skewed, message: "The difference between the request time " +
			"and the current time is too large."}
	case signed.presigned && !j.now.Before(signed.signedAt.Add(signed.lifetime)):
		return &gateRefusal{reason: urlOver, message: "Request has expired"}
	case !j.now.Before(session.expires):
		return &gateRefusal{reason: sessionOver, message: "The provided token has expired."}
	}
	return nil
}

// checkPayload compares the payload with what was signed, and takes it out of its chunks.
func (r *SignedRequest) checkPayload(secret string) *gateRefusal {
	if r.Service != "s3" {
		return nil
	}
	switch r.signed.hash {
	case unsignedPayload:
		return nil
	case unsignedTrailer, signedChunks, signedChunksTrailer:
		return r.unwrapChunks(secret)
	}
	sum := sha256.Sum256(r.Payload)
	if r.signed.hash != hex.EncodeToString(sum[:]) {
		return &gateRefusal{reason: badPayload, message: "The provided 'x-amz-content-sha256' " +
			"header does not match what was computed."}
	}
	return nil
}

// canonicalRequest returns the canonical request over the signed headers (IAM User Guide, Create a
// signed AWS API request). Only S3 encodes the path once.
func canonicalRequest(
	r *http.Request, headers []string, query url.Values, hash string, once bool,
) string {
	path := escapePath(r.URL.EscapedPath(), once)
	if path == "" {
		path = "/"
	}
	lines := []string{r.Method, path, canonicalQuery(query)}
	for _, name := range headers {
		values := r.Header.Values(name)
		switch name { // net/http keeps these two outside the header
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = foldSpaces(v)
		}
		lines = append(lines, name+":"+strings.Join(trimmed, ","))
	}
	lines = append(lines, "", strings.Join(headers, ";"), hash)
	return strings.Join(lines, "\n")
}

// spaces are two or more U+0020.
var spaces = newPattern(` {2,}`)

// foldSpaces is Trimall: "remove excess white space before and after values, and convert sequential
// spaces to a single space" (IAM User Guide, Create a signed AWS API request). A space is U+0020:
// AWS's SDK for Go signs other white space within a value as it is.
func foldSpaces(value string) string {
	return strings.TrimSpace(spaces().ReplaceAllString(value, " "))
}

// canonicalQuery sorts the encoded parameters by name and then by value. The equals sign has no
// part in it: it would come after the hyphen of a longer name.
func canonicalQuery(query url.Values) string {
	encoded := url.Values{}
	for name, values := range query {
		for _, value := range values {
			name := awsEscape(name)
			encoded[name] = append(encoded[name], awsEscape(value))
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(encoded)) {
		for _, value := range slices.Sorted(slices.Values(encoded[name])) {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "&")
}

// escapePath encodes all of a path but its slashes. For S3 it is encoded once, whatever its client
// has encoded; for other services as it was sent, which encodes a percent sign a second time.
func escapePath(path string, once bool) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if decoded, err := url.PathUnescape(p); err == nil && once {
			p = decoded
		}
		parts[i] = awsEscape(p)
	}
	return strings.Join(parts, "/")
}
