package ststest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// minChunk is the least size of a chunk before the last one in bytes (Amazon S3 API Reference,
// Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks).
const minChunk = 8_192

// unwrapChunks takes the payload out of the framing aws-chunked, checks the signatures of the
// chunks and of the trailer if the payload was signed, and makes trailers headers (the same page).
// The header that says aws-chunked goes.
func (r *SignedRequest) unwrapChunks(secret string) *gateRefusal {
	// S3 answers this for whatever is wrong with the framing (versitygw, issues 1666 and 1685).
	bad := &gateRefusal{reason: cutBody, message: "The request body terminated unexpectedly"}
	previous := r.signed.signature
	signed := r.signed.hash != unsignedTrailer
	rest := r.Payload
	var payload []byte
	previousTooSmall := false // for another chunk to follow
	for {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		sizeText, extension, _ := strings.Cut(string(line), ";")
		size, err := strconv.ParseUint(sizeText, 16, 31)
		if err != nil || size > uint64(len(after)) {
			return bad
		}
		if previousTooSmall && size > 0 {
			return &gateRefusal{reason: smallChunk, message: fmt.Sprintf("Only the last chunk is "+
				"allowed to have a size less than %d bytes", minChunk)}
		}
		previousTooSmall = size < minChunk
		data := after[:size]
		rest = after[size:]
		if signed {
			given, ok := strings.CutPrefix(extension, "chunk-signature=")
			if !ok {
				return bad
			}
			want := r.signed.chain(secret, previous, "PAYLOAD", emptyHash, data)
			if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
				return &gateRefusal{reason: badSignature, message: "The signature of a chunk " +
					"does not match."}
			}
			previous = want
		}
		if size == 0 {
			break
		}
		var ended bool
		if rest, ended = bytes.CutPrefix(rest, []byte("\r\n")); !ended {
			return bad
		}
		payload = append(payload, data...)
	}
	if !bytes.HasSuffix(rest, []byte("\r\n")) ||
		r.Header.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(payload)) {
		return bad
	}
	trailers, refusal := r.trailers(rest, secret, previous)
	if refusal != nil {
		return refusal
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

// trailers reads what follows the last chunk: those that X-Amz-Trailer names, their signature if
// the payload was signed, and an empty line.
func (r *SignedRequest) trailers(text []byte, secret, previous string) (
	http.Header, *gateRefusal,
) {
	malformed := &gateRefusal{reason: badTrailer, message: "The request contained trailing data " +
		"that was not well-formed or did not conform to our published schema."}
	const signatureName = "x-amz-trailer-signature"
	trailers := http.Header{}
	var signedLines strings.Builder
	given := ""
	seen := map[string]bool{} // also trailers whose value is empty
	for line := range strings.SplitSeq(string(text), "\r\n") {
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		value = strings.TrimSpace(value)
		if !found || seen[name] {
			return nil, malformed
		}
		seen[name] = true
		if name == signatureName {
			given = value
			continue
		}
		trailers.Set(name, value)
		signedLines.WriteString(name + ":" + value + "\n")
	}
	end := "\r\n"
	if len(seen) > 0 {
		end = "\r\n\r\n"
	}
	isSigned := r.signed.hash == signedChunksTrailer
	switch {
	case !strings.HasSuffix(string(text), end), isSigned && given == "":
		return nil, &gateRefusal{reason: cutBody, message: "The request body terminated " +
			"unexpectedly"}
	case !slices.Equal(slices.Sorted(maps.Keys(trailers)), r.namedTrailers()),
		!isSigned && seen[signatureName]:
		return nil, malformed
	case !isSigned:
		return trailers, nil
	}
	want := r.signed.chain(secret, previous, "TRAILER", "", []byte(signedLines.String()))
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return nil, &gateRefusal{reason: badSignature, message: "The signature of the trailer " +
			"does not match."}
	}
	return trailers, nil
}

// namedTrailers returns the names in X-Amz-Trailer as headers have them, sorted. A payload without
// trailers has none.
func (r *SignedRequest) namedTrailers() []string {
	if r.signed.hash == signedChunks {
		return nil
	}
	var names []string
	for _, list := range r.Header.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
