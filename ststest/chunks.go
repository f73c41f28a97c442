package ststest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// unwrapChunks takes the payload out of the framing aws-chunked, checks the signatures of the
// chunks and of the trailer if the payload was signed, and makes trailers headers (Amazon S3 API
// Reference, Signature Calculations for the Authorization Header: Transferring Payload in Multiple
// Chunks). The header that says aws-chunked goes.
func (r *SignedRequest) unwrapChunks(secret string) *gateRefusal {
	bad := &gateRefusal{reason: badPayload, message: "The body is not aws-chunked " +
		"as it was signed."}
	previous := r.signed.signature
	signed := r.signed.hash != unsignedTrailer
	rest := r.Payload
	var payload []byte
	for {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		sizeText, extension, _ := strings.Cut(string(line), ";")
		size, err := strconv.ParseUint(sizeText, 16, 31)
		if !ok || err != nil || size > uint64(len(after)) {
			return bad
		}
		data := after[:size]
		rest = after[size:]
		if signed {
			given, ok := strings.CutPrefix(extension, "chunk-signature=")
			want := r.signed.chain(secret, previous, "PAYLOAD", emptyHash, data)
			if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
				return &gateRefusal{reason: badSignature, message: "The signature of a chunk " +
					"does not match."}
			}
			previous = want
		}
		if size == 0 {
			break
		}
		if rest, ok = bytes.CutPrefix(rest, []byte("\r\n")); !ok {
			return bad
		}
		payload = append(payload, data...)
	}
	trailers, ok := r.trailers(rest, secret, previous)
	if !ok || r.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(payload)) {
		return bad
	}
	r.Payload = payload
	r.replaceFraming(trailers)
	return nil
}

var emptyHash = func() string {
	sum := sha256.Sum256(nil)
	return hex.EncodeToString(sum[:])
}()

// chain signs a chunk, or the trailer. Each signature covers the one before.
func (s signature) chain(secret, previous, what, headers string, data []byte) string {
	sum := sha256.Sum256(data)
	lines := []string{
		sigAlgorithm + "-" + what, s.date, s.scope(), previous,
	}
	if headers != "" {
		lines = append(lines, headers)
	}
	lines = append(lines, hex.EncodeToString(sum[:]))
	return hex.EncodeToString(hmacOf(s.key(secret), strings.Join(lines, "\n")))
}

// trailers reads what follows the last chunk.
func (r *SignedRequest) trailers(text []byte, secret, previous string) (http.Header, bool) {
	if r.signed.hash == signedChunks {
		return nil, string(text) == "\r\n"
	}
	trailers := http.Header{}
	var signedLines strings.Builder
	given := ""
	for line := range strings.SplitSeq(string(text), "\r\n") {
		name, value, found := strings.Cut(line, ":")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case line == "":
			continue
		case !found:
			return nil, false
		case name == "x-amz-trailer-signature":
			given = strings.TrimSpace(value)
			continue
		}
		trailers.Set(name, strings.TrimSpace(value))
		signedLines.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	if r.signed.hash == unsignedTrailer {
		return trailers, true
	}
	want := r.signed.chain(secret, previous, "TRAILER", "", []byte(signedLines.String()))
	return trailers, subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

// replaceFraming makes the request one whose payload is not framed.
func (r *SignedRequest) replaceFraming(trailers http.Header) {
	var encodings []string
	for part := range strings.SplitSeq(r.Header.Get("Content-Encoding"), ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			encodings = append(encodings, part)
		}
	}
	r.Header.Del("Content-Encoding")
	if encodings != nil {
		r.Header.Set("Content-Encoding", strings.Join(encodings, ","))
	}
	r.Header.Del("X-Amz-Decoded-Content-Length")
	r.Header.Del("X-Amz-Trailer")
	r.Header.Set(contentHashHeader, unsignedPayload)
	for name, values := range trailers {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			r.Header[name] = values
		}
	}
	r.Header.Set("Content-Length", strconv.Itoa(len(r.Payload)))
	r.TransferEncoding = nil
}
