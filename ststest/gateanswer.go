package ststest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// A gateReason is why a gate refuses a request. Each protocol has its own code for it.
type gateReason int

const (
	denied gateReason = iota
	unsigned
	incomplete
	unknownAccessKey
	badToken
	wrongScope
	skewed
	badSignature
	sessionOver
	urlOver
	notSigned
	badPayload
	cutBody // this and the next two are S3's alone
	smallChunk
	badTrailer
	tooLarge
	notUnderstood
)

// A gateRefusal is the answer of a gate.
type gateRefusal struct {
	reason  gateReason
	message string
}

// A gateCode is a refusal in one protocol.
type gateCode struct {
	status int
	code   string
}

// s3Codes are from the Amazon S3 API Reference, Error responses.
var s3Codes = map[gateReason]gateCode{
	denied:           {403, "AccessDenied"},
	unsigned:         {403, "AccessDenied"},
	incomplete:       {400, "AuthorizationHeaderMalformed"},
	unknownAccessKey: {403, "InvalidAccessKeyId"},
	badToken:         {400, "InvalidToken"},
	wrongScope:       {400, "AuthorizationHeaderMalformed"},
	skewed:           {403, "RequestTimeTooSkewed"},
	badSignature:     {403, "SignatureDoesNotMatch"},
	sessionOver:      {400, "ExpiredToken"},
	urlOver:          {403, "AccessDenied"},
	notSigned:        {403, "AccessDenied"},
	badPayload:       {400, "XAmzContentSHA256Mismatch"},
	cutBody:          {400, "IncompleteBody"},
	smallChunk:       {403, "InvalidChunkSizeError"},
	badTrailer:       {400, "MalformedTrailerError"},
	tooLarge:         {413, "EntityTooLarge"},
	notUnderstood:    {501, "NotImplemented"},
}

// jsonCodes are those of services with X-Amz-Target, such as DynamoDB (Amazon DynamoDB Developer
// Guide, Error handling with DynamoDB).
var jsonCodes = map[gateReason]gateCode{
	denied:           {400, "AccessDeniedException"},
	unsigned:         {400, "MissingAuthenticationTokenException"},
	incomplete:       {400, "IncompleteSignatureException"},
	unknownAccessKey: {400, "UnrecognizedClientException"},
	badToken:         {400, "UnrecognizedClientException"},
	wrongScope:       {400, "InvalidSignatureException"},
	skewed:           {400, "InvalidSignatureException"},
	badSignature:     {400, "InvalidSignatureException"},
	sessionOver:      {400, "ExpiredTokenException"},
	urlOver:          {400, "InvalidSignatureException"},
	notSigned:        {400, "InvalidSignatureException"},
	badPayload:       {400, "InvalidSignatureException"},
	tooLarge:         {413, "RequestEntityTooLargeException"},
	notUnderstood:    {501, "UnknownOperationException"},
}

// queryCodes are those of the query protocol and of REST services, which append Exception to some
// (IAM User Guide, and AWS STS API Reference, Common errors).
var queryCodes = map[gateReason]gateCode{
	denied:           {403, "AccessDenied"},
	unsigned:         {403, "MissingAuthenticationToken"},
	incomplete:       {403, "IncompleteSignature"},
	unknownAccessKey: {403, "InvalidClientTokenId"},
	badToken:         {403, "InvalidClientTokenId"},
	wrongScope:       {403, "SignatureDoesNotMatch"},
	skewed:           {403, "SignatureDoesNotMatch"},
	badSignature:     {403, "SignatureDoesNotMatch"},
	sessionOver:      {403, "ExpiredToken"},
	urlOver:          {403, "SignatureDoesNotMatch"},
	notSigned:        {403, "SignatureDoesNotMatch"},
	badPayload:       {403, "SignatureDoesNotMatch"},
	tooLarge:         {413, "RequestEntityTooLarge"},
	notUnderstood:    {501, "InvalidAction"},
}

// refuseAtGate records the call, and then answers in the protocol of the request.
func (s *Server) refuseAtGate(w http.ResponseWriter, j *judgement, refusal *gateRefusal) {
	codes := queryCodes
	contentType := "text/xml"
	write := queryError
	header := j.request.Header
	service := cmp.Or(j.endpoint, j.request.Service)
	_, byTarget := targetPrefixes[j.endpoint]
	switch {
	case service != "s3" && (header.Get("X-Amz-Target") != "" || byTarget):
		codes = jsonCodes
		contentType = "application/x-amz-json-1.0"
		if strings.HasPrefix(header.Get("Content-Type"), "application/x-amz-json-1.1") {
			contentType = "application/x-amz-json-1.1"
		}
		write = jsonError
	case service == "s3" || service == "":
		codes = s3Codes
		contentType = "application/xml"
		write = s3Error
	case !strings.HasPrefix(header.Get("Content-Type"), formType):
		contentType = "application/json"
		write = jsonError
	}
	code := codes[refusal.reason]
	if contentType == "application/json" && code.code == "AccessDenied" {
		code.code = "AccessDeniedException"
	}
	j.call.Status = code.status
	j.call.Code = code.code
	if j.call.Cause == "" {
		j.call.Cause = refusal.message
	}
	s.record(j.call)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-RequestId", j.call.RequestID)
	w.Header().Set("X-Amz-Request-Id", j.call.RequestID)
	if contentType == "application/json" {
		w.Header().Set("X-Amzn-ErrorType", code.code)
	}
	w.WriteHeader(code.status)
	if j.request.Method != http.MethodHead {
		_, _ = io.WriteString(w, write(code.code, refusal.message, j.call.RequestID))
	}
}

// s3Error is a document of S3 (Amazon S3 API Reference, Error responses).
func s3Error(code, message, id string) string {
	return xml.Header + "<Error><Code>" + code + "</Code><Message>" + escaped(message) +
		"</Message><RequestId>" + id + "</RequestId><HostId>" + id + "</HostId></Error>"
}

// queryError is a document of the query protocol.
func queryError(code, message, id string) string {
	return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" +
		escaped(message) + "</Message></Error><RequestId>" + id + "</RequestId></ErrorResponse>"
}

// jsonError is a document of the JSON protocols. Services write message with either initial, and
// the SDKs read both.
func jsonError(code, message, _ string) string {
	text, err := json.Marshal(map[string]string{
		"__type":  "com.amazon.coral.service#" + code,
		"message": message,
		"Message": message,
	})
	if err != nil {
		return "{}"
	}
	return string(text)
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer takes everything
	return b.String()
}
