package ststest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

const allowAll = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*",
	"Resource": "*"}}`

const catURL = "https://example-photos.s3.eu-central-1.amazonaws.com/cat.jpg"

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestGate_Signatures: what is wrong with a signature is refused with S3's code, and never passes.
func TestGate_Signatures(t *testing.T) {
	set := func(name, value string) func(*gated, *http.Request) {
		return func(_ *gated, r *http.Request) { r.Header.Set(name, value) }
	}
	replace := func(old, new string) func(*gated, *http.Request) {
		return func(_ *gated, r *http.Request) {
			value := r.Header.Get("Authorization")
			if !strings.Contains(value, old) {
				t.Fatalf("%s is not in %s", old, value)
			}
			r.Header.Set("Authorization", strings.Replace(value, old, new, 1))
		}
	}
	later := func(by time.Duration) func(*gated, *http.Request) {
		return func(g *gated, _ *http.Request) { g.clock.now = g.clock.now.Add(by) }
	}
	for _, row := range []struct {
		name   string
		change func(*gated, *http.Request)
		want   string // status and code
	}{
		{"good", func(*gated, *http.Request) {}, "200"},
		{"almost late", later(15 * time.Minute), "200"},
		{"almost early", later(-15 * time.Minute), "200"},
		{"late", later(15*time.Minute + time.Second), "403 RequestTimeTooSkewed"},
		{"early", later(-15*time.Minute - time.Second), "403 RequestTimeTooSkewed"},
		{"no signature", func(_ *gated, r *http.Request) { r.Header.Del("Authorization") },
			"403 AccessDenied"},
		{"another scheme", set("Authorization", "Bearer x"), "400 AuthorizationHeaderMalformed"},
		{"another version", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
			"400 AuthorizationHeaderMalformed"},
		{"another key", replace("Credential=ASIA", "Credential=ASIB"), "403 InvalidAccessKeyId"},
		{"a region that is none", replace("/eu-central-1/", "/nowhere/"),
			"400 AuthorizationHeaderMalformed"},
		{"the host is not signed", replace("host;", ""), "403 AccessDenied"},
		{"another day", replace("/20261129/", "/20261128/"), "400 AuthorizationHeaderMalformed"},
		{"another region", replace("/eu-central-1/", "/us-east-1/"), "403 SignatureDoesNotMatch"},
		{"region of another partition", replace("/eu-central-1/", "/cn-north-1/"),
			"403 InvalidAccessKeyId"},
		{"another signature", replace("Signature=", "Signature=0"), "403 SignatureDoesNotMatch"},
		{"fewer headers", replace("x-amz-security-token", "x-amz-security-tokens"),
			"403 AccessDenied"},
		{"header after signing", set("X-Amz-Acl", "public-read"), "403 AccessDenied"},
		{"another token", set("X-Amz-Security-Token", "x"), "400 InvalidToken"},
		{"no token", func(_ *gated, r *http.Request) { r.Header.Del("X-Amz-Security-Token") },
			"400 InvalidToken"},
		{"another time", set("X-Amz-Date", "20261129T120001Z"), "403 SignatureDoesNotMatch"},
		{"no time", func(_ *gated, r *http.Request) { r.Header.Del("X-Amz-Date") },
			"400 AuthorizationHeaderMalformed"},
		{"no hash", func(_ *gated, r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") },
			"400 AuthorizationHeaderMalformed"},
		{"another hash", set("X-Amz-Content-Sha256", hashOf("x")), "403 SignatureDoesNotMatch"},
		{"another body", func(_ *gated, r *http.Request) {
			r.Body = http.NoBody
		}, "400 XAmzContentSHA256Mismatch"},
		{"another method", func(_ *gated, r *http.Request) { r.Method = http.MethodGet },
			"403 SignatureDoesNotMatch"},
		{"another path", func(_ *gated, r *http.Request) { r.URL.Path = "/dog.jpg" },
			"403 SignatureDoesNotMatch"},
		{"another query", func(_ *gated, r *http.Request) { r.URL.RawQuery = "acl" },
			"403 SignatureDoesNotMatch"},
		{"broken query", func(_ *gated, r *http.Request) { r.URL.RawQuery = "a;b" },
			"400 AuthorizationHeaderMalformed"},
		{"another host", func(_ *gated, r *http.Request) { r.Host = "x." + r.Host },
			"403 SignatureDoesNotMatch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
			r := g.request(t, http.MethodPut, catURL, "meow", "s3")
			row.change(g, r)
			if got := g.answer(r); got != row.want {
				t.Errorf("got %s, want %s: %s", got, row.want, g.lastCause())
			}
			if passed := len(g.passed) == 1; passed != (row.want == "200") {
				t.Errorf("passed: %q", g.passed)
			}
		})
	}
}

// answer is the status, and the code of a refusal in any protocol.
func (g *gated) answer(r *http.Request) string {
	status, _ := g.serve(r)
	if status == http.StatusOK {
		return "200"
	}
	calls := g.server.Calls()
	return fmt.Sprint(status, " ", calls[len(calls)-1].Code)
}

// TestGate_ExpiredSession: credentials end when they end, and not with their signature.
func TestGate_ExpiredSession(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	g.clock.now = g.clock.now.Add(time.Hour - time.Second)
	if got := g.answer(g.request(t, "GET", catURL, "", "s3")); got != "200" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
	g.clock.now = g.clock.now.Add(time.Second)
	if got := g.answer(g.request(t, "GET", catURL, "", "s3")); got != "400 ExpiredToken" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
}

// TestGate_UnsignedPayload: S3 takes a payload that is not signed, and other services do not.
func TestGate_UnsignedPayload(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	r := httptest.NewRequest("PUT", catURL, strings.NewReader("meow"))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	g.sign(t, r, "UNSIGNED-PAYLOAD", "s3")
	if got := g.answer(r); got != "200" || g.passed[0] != "PUT /cat.jpg meow" {
		t.Errorf("got %s %q: %s", got, g.passed, g.lastCause())
	}
	r = httptest.NewRequest("POST", "https://kms.eu-central-1.amazonaws.com/",
		strings.NewReader(`{"KeyId": "k"}`))
	r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	g.sign(t, r, "UNSIGNED-PAYLOAD", "kms")
	if got := g.answer(r); got != "400 InvalidSignatureException" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
	// They need no header with the hash either.
	r.Header.Del("X-Amz-Content-Sha256")
	r.Body = io.NopCloser(strings.NewReader(`{"KeyId": "k"}`))
	g.sign(t, r, hashOf(`{"KeyId": "k"}`), "kms")
	if got := g.answer(r); got != "200" {
		t.Errorf("without the header: got %s: %s", got, g.lastCause())
	}
}

// TestGate_Query: the query is signed with its names and values encoded and sorted, and the path of
// other services than S3 is encoded twice.
func TestGate_Query(t *testing.T) {
	ask := func(*ststest.SignedRequest) ([]ststest.Access, error) {
		return []ststest.Access{{Action: "bedrock:InvokeModel", Resource: "*"}}, nil
	}
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{Access: ask})
	for _, rest := range []string{
		"", "/", "/model/a%3A0", "/model/a:0", "/?x=2&x=1", "/?a%20b=1&a-b=2&a=3", "/?a%2Bb=%2F",
	} {
		r := g.request(t, "POST", "https://bedrock.eu-central-1.amazonaws.com"+rest, "x", "bedrock")
		_, r.URL.RawQuery, _ = strings.Cut(rest, "?") // the SDK sorts it
		if got := g.answer(r); got != "200" {
			t.Errorf("%q: got %s: %s", rest, got, g.lastCause())
		}
	}
}

// TestGate_TwoSignatures: a request has one signature, and one that has none is anonymous for S3
// alone.
func TestGate_TwoSignatures(t *testing.T) {
	public, err := iampolicy.Parse(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Principal": "*", "Action": "*", "Resource": "*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	open := ststest.Gate{ResourcePolicies: func(string) []*iampolicy.Policy {
		return []*iampolicy.Policy{public}
	}}
	g := newGated(t, ststest.Role{}, open)
	r := g.presigned(t, catURL, "900")
	r.Header.Set("Authorization", g.request(t, "GET", catURL, "", "s3").Header.Get("Authorization"))
	if got := g.answer(r); got != "400 AuthorizationHeaderMalformed" {
		t.Errorf("two signatures: got %s: %s", got, g.lastCause())
	}
	r = httptest.NewRequest("GET", catURL, nil)
	if got := g.answer(r); got != "200" {
		t.Errorf("anonymous: got %s: %s", got, g.lastCause())
	}
	r.Header.Set("X-Amz-Target", "Logs_20140328.PutLogEvents")
	if g.answer(r); g.lastCause() != "Missing Authentication Token" {
		t.Errorf("with a target: %s", g.lastCause())
	}
	open.Access = ststest.S3Access
	g = newGated(t, ststest.Role{}, open)
	got := g.answer(httptest.NewRequest("GET", catURL, nil))
	if got != "403 AccessDenied" || g.lastCause() != "Missing Authentication Token" {
		t.Errorf("with Gate.Access: got %s: %s", got, g.lastCause())
	}
}

// presigned returns a request by a URL of AWS's SDK.
func (g *gated) presigned(t *testing.T, url, expires string) *http.Request {
	t.Helper()
	return g.presignedAs(t, "GET", url, expires, nil)
}

// presignedAs is presigned with a method and headers. The SDK moves some of them into the query.
func (g *gated) presignedAs(
	t *testing.T, method, url, expires string, header map[string]string,
) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	query := r.URL.Query()
	query.Set("X-Amz-Expires", expires)
	r.URL.RawQuery = query.Encode()
	signed, headers, err := v4.NewSigner().PresignHTTP(t.Context(), g.credentials, r,
		"UNSIGNED-PAYLOAD", "s3", "eu-central-1", g.clock.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		t.Fatal(err)
	}
	sent := httptest.NewRequest(method, signed, nil)
	headers.Del("Host")
	maps.Copy(sent.Header, headers)
	return sent
}

// TestGate_Presigned: a presigned URL is good until it ends or the session does, for what it says.
func TestGate_Presigned(t *testing.T) {
	for _, row := range []struct {
		name, expires string
		later         time.Duration
		change        func(string) string
		want          string
	}{
		{"good", "900", 0, nil, "200"},
		{"older than a header may be", "1800", 20 * time.Minute, nil, "200"},
		{"almost at its end", "900", 900*time.Second - 1, nil, "200"},
		{"at its end", "900", 900 * time.Second, nil, "403 AccessDenied"},
		{"after the session", "7200", time.Hour, nil, "400 ExpiredToken"},
		{"early", "900", -16 * time.Minute, nil, "403 RequestTimeTooSkewed"},
		{"too long", "604801", 0, nil, "400 AuthorizationHeaderMalformed"},
		{"without time", "0", 0, nil, "400 AuthorizationHeaderMalformed"},
		{"longer by hand", "900", 0, func(u string) string {
			return strings.Replace(u, "X-Amz-Expires=900", "X-Amz-Expires=9000", 1)
		}, "403 SignatureDoesNotMatch"},
		{"another key", "900", 0, func(u string) string {
			return strings.Replace(u, "/cat.jpg", "/dog.jpg", 1)
		}, "403 SignatureDoesNotMatch"},
		{"one more parameter", "900", 0, func(u string) string { return u + "&versionId=1" },
			"403 SignatureDoesNotMatch"},
		{"a parameter twice", "900", 0, func(u string) string { return u + "&X-Amz-Expires=900" },
			"400 AuthorizationHeaderMalformed"},
		{"without a signature", "900", 0, func(u string) string {
			return u[:strings.Index(u, "&X-Amz-Signature=")]
		}, "400 AuthorizationHeaderMalformed"},
		{"without an algorithm", "900", 0, func(u string) string {
			return strings.Replace(u, "X-Amz-Algorithm=AWS4-HMAC-SHA256", "", 1)
		}, "400 AuthorizationHeaderMalformed"},
		{"another algorithm", "900", 0, func(u string) string {
			return strings.Replace(u, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", 1)
		}, "400 AuthorizationHeaderMalformed"},
		{"without a token", "900", 0, func(u string) string {
			return strings.Replace(u, "X-Amz-Security-Token=", "X-Amz-Security-Tokens=", 1)
		}, "400 InvalidToken"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
			r := g.presigned(t, catURL, row.expires)
			if row.change != nil {
				r = httptest.NewRequest("GET", row.change(r.URL.String()), nil)
			}
			g.clock.now = g.clock.now.Add(row.later)
			if got := g.answer(r); got != row.want {
				t.Errorf("got %s, want %s: %s", got, row.want, g.lastCause())
			}
		})
	}
}

// chunkedPayload is in two chunks. The first is as small as one may be that another one follows.
var chunkedPayload = strings.Repeat("m", 8192) + " and purr"

// chunked returns a request whose payload is in signed chunks of up to first bytes and an end, as
// S3's examples have it. It signs on its own.
func (g *gated) chunked(
	t *testing.T, trailer bool, first int, change func([]byte) []byte,
) *http.Request {
	t.Helper()
	const kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	if trailer {
		return g.chunkedAs(t, kind+"-TRAILER", "x-amz-checksum-crc32", first, change)
	}
	return g.chunkedAs(t, kind, "", first, change)
}

// chunkedAs is chunked with the kind of payload and the value of X-Amz-Trailer.
func (g *gated) chunkedAs(
	t *testing.T, kind, named string, first int, change func([]byte) []byte,
) *http.Request {
	t.Helper()
	payload := chunkedPayload
	r := httptest.NewRequest("PUT", catURL, nil)
	r.Header.Set("X-Amz-Content-Sha256", kind)
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(payload)))
	r.Header.Set("Content-Encoding", "aws-chunked")
	if named != "" {
		r.Header.Set("X-Amz-Trailer", named)
	}
	g.sign(t, r, kind, "s3")
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := []byte("AWS4" + g.credentials.SecretAccessKey)
	for _, part := range []string{"20261129", "eu-central-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	_, previous, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	sign := func(what string, more ...string) string {
		lines := append([]string{"AWS4-HMAC-SHA256-" + what, "20261129T120000Z",
			"20261129/eu-central-1/s3/aws4_request", previous}, more...)
		previous = hex.EncodeToString(mac(key, strings.Join(lines, "\n")))
		return previous
	}
	var body bytes.Buffer
	for _, chunk := range []string{payload[:first], payload[first:], ""} {
		fmt.Fprintf(&body, "%x;chunk-signature=%s\r\n%s", len(chunk),
			sign("PAYLOAD", hashOf(""), hashOf(chunk)), chunk)
		if chunk != "" {
			body.WriteString("\r\n")
		}
	}
	if strings.HasSuffix(kind, "-TRAILER") {
		const line = "x-amz-checksum-crc32:abcd"
		body.WriteString(line + "\r\nx-amz-trailer-signature:" +
			sign("TRAILER", hashOf(line+"\n")) + "\r\n")
	}
	body.WriteString("\r\n")
	sent := body.Bytes()
	if change != nil {
		sent = change(sent)
	}
	changed := httptest.NewRequest("PUT", catURL, bytes.NewReader(sent))
	changed.Header = r.Header
	return changed
}

// TestGate_Chunks: signed chunks are checked one by one, and next gets the payload alone.
func TestGate_Chunks(t *testing.T) {
	swap := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
	}
	const first = 8192
	for _, row := range []struct {
		name    string
		trailer bool
		first   int
		change  func([]byte) []byte
		want    string
	}{
		{"good", false, first, nil, "200"},
		{"good with a trailer", true, first, nil, "200"},
		{"a small chunk before another", false, first - 1, nil, "403 InvalidChunkSizeError"},
		{"another payload", false, first, swap("purr", "PURR"), "403 SignatureDoesNotMatch"},
		{"another signature", false, first, swap("chunk-signature=", "chunk-signature=0"),
			"403 SignatureDoesNotMatch"},
		{"no signature", false, first, swap(";chunk-signature=", ";x="), "400 IncompleteBody"},
		{"cut", false, first, func(b []byte) []byte { return b[:len(b)-100] },
			"400 IncompleteBody"},
		{"without the last line end", false, first, func(b []byte) []byte { return b[:len(b)-2] },
			"400 IncompleteBody"},
		{"a trailer without the last line end", true, first,
			func(b []byte) []byte { return b[:len(b)-2] }, "400 IncompleteBody"},
		{"more at the end", false, first, func(b []byte) []byte { return append(b, "x"...) },
			"400 IncompleteBody"},
		{"a trailer that is not named", false, first,
			func(b []byte) []byte { return append(b[:len(b)-2], "a:b\r\n\r\n"...) },
			"400 MalformedTrailerError"},
		{"a trailer twice", true, first,
			swap("x-amz-checksum-crc32:abcd\r\n", "x-amz-checksum-crc32:\r\n"+
				"x-amz-checksum-crc32:abcd\r\n"), "400 MalformedTrailerError"},
		{"a signature of the trailer twice", true, first,
			swap("x-amz-trailer-signature:", "x-amz-trailer-signature:0\r\n"+
				"x-amz-trailer-signature:"), "400 MalformedTrailerError"},
		{"another signature of the trailer", true, first,
			swap("x-amz-trailer-signature:", "x-amz-trailer-signature:0"),
			"403 SignatureDoesNotMatch"},
		{"no signature of the trailer", true, first,
			func(b []byte) []byte {
				at := bytes.Index(b, []byte("x-amz-trailer-signature"))
				return append(b[:at], "\r\n"...)
			}, "400 IncompleteBody"},
		{"a signature without a trailer", false, first, func(b []byte) []byte {
			return append(b[:len(b)-2], "x-amz-trailer-signature:"+hashOf("")+"\r\n\r\n"...)
		}, "400 MalformedTrailerError"},
		{"another trailer", true, first, swap("crc32:abcd", "crc32:abce"),
			"403 SignatureDoesNotMatch"},
		{"another name of the trailer", true, first, swap("crc32:abcd", "sha1:abcd"),
			"400 MalformedTrailerError"},
		{"a large size", false, first, swap("2000;", "ffffffff;"), "400 IncompleteBody"},
		{"no framing", false, first, func([]byte) []byte { return []byte("meow and purr") },
			"400 IncompleteBody"},
		{"nothing", false, first, func([]byte) []byte { return nil }, "400 IncompleteBody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
			got := g.answer(g.chunked(t, row.trailer, row.first, row.change))
			if got != row.want {
				t.Errorf("got %s, want %s: %s", got, row.want, g.lastCause())
			}
			if got == "200" && g.passed[0] != "PUT /cat.jpg "+chunkedPayload {
				t.Errorf("passed: %q", g.passed)
			}
		})
	}
}

// TestGate_UnsignedTrailer: a payload in signed chunks has no trailers that are not signed, also if
// X-Amz-Trailer names them.
func TestGate_UnsignedTrailer(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	r := g.chunkedAs(t, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", crc, 8192, func(b []byte) []byte {
		return append(b[:len(b)-2], crc+":abcd\r\n\r\n"...)
	})
	if got := g.answer(r); got != "400 MalformedTrailerError" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
}

// unsignedChunks returns a request with a body in chunks that are not signed.
func (g *gated) unsignedChunks(t *testing.T, body, size, trailer string) *http.Request {
	t.Helper()
	const kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	r := httptest.NewRequest("PUT", catURL, strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", kind)
	r.Header.Set("X-Amz-Decoded-Content-Length", size)
	if trailer != "" {
		r.Header.Set("X-Amz-Trailer", trailer)
	}
	r.Header.Set("Content-Encoding", "aws-chunked,gzip")
	g.sign(t, r, kind, "s3")
	return r
}

// TestGate_UnsignedFraming: S3 refuses framing that is not whole, and trailers other than those
// that X-Amz-Trailer names.
func TestGate_UnsignedFraming(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	large := "2000\r\n" + strings.Repeat("m", 8192) + "\r\n"
	for _, row := range []struct {
		name, body, size, trailer string
		want                      string
	}{
		{"good", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n\r\n", "4", crc, "200"},
		{"without trailers", "4\r\nmeow\r\n0\r\n\r\n", "4", "", "200"},
		{"empty", "0\r\n" + crc + ":AAAA\r\n\r\n", "0", crc, "200"},
		{"a small last chunk", large + "4\r\nmeow\r\n0\r\n\r\n", "8196", "", "200"},
		{"two trailers, and a list in another order", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n" +
			"x-amz-checksum-sha1:q83v\r\n\r\n", "4", "x-amz-checksum-sha1," + crc, "200"},
		{"a trailer that is named twice", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n\r\n", "4",
			crc + ", , " + crc, "200"},
		{"a trailer twice, in two spellings", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n" +
			strings.ToUpper(crc) + ":q83v\r\n\r\n", "4", crc, "400 MalformedTrailerError"},
		{"a size beyond the body", "fffff\r\nmeow\r\n0\r\n\r\n", "4", "", "400 IncompleteBody"},
		{"no line end at all", "0", "0", "", "400 IncompleteBody"},
		{"small chunks", "2\r\nme\r\n2\r\now\r\n0\r\n\r\n", "4", "",
			"403 InvalidChunkSizeError"},
		{"no trailer", "4\r\nmeow\r\n0\r\n\r\n", "4", crc, "400 MalformedTrailerError"},
		{"another trailer", "4\r\nmeow\r\n0\r\nx-amz-checksum-sha1:q83v\r\n\r\n", "4", crc,
			"400 MalformedTrailerError"},
		{"a trailer without a name", "4\r\nmeow\r\n0\r\n:q83v\r\n\r\n", "4", crc,
			"400 MalformedTrailerError"},
		{"a trailer that is not named", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n\r\n", "4", "",
			"400 MalformedTrailerError"},
		{"a trailer twice", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n" + crc + ":q83v\r\n\r\n",
			"4", crc, "400 MalformedTrailerError"},
		{"a trailer twice, the first one empty",
			"4\r\nmeow\r\n0\r\n" + crc + ":\r\n" + crc + ":q83v\r\n\r\n", "4", crc,
			"400 MalformedTrailerError"},
		{"a trailer without a colon", "4\r\nmeow\r\n0\r\n" + crc + "\r\n\r\n", "4", crc,
			"400 MalformedTrailerError"},
		{"a signature of the trailer", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n" +
			"x-amz-trailer-signature:" + hashOf("") + "\r\n\r\n", "4", crc,
			"400 MalformedTrailerError"},
		{"an empty signature of the trailer", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n" +
			"x-amz-trailer-signature:\r\n\r\n", "4", crc, "400 MalformedTrailerError"},
		{"a size that is not hexadecimal", "4x\r\nmeow\r\n0\r\n\r\n", "4", "",
			"400 IncompleteBody"},
		{"no line end after a chunk", "4\r\nmeow0\r\n\r\n", "4", "", "400 IncompleteBody"},
		{"no last chunk", "4\r\nmeow\r\n", "4", "", "400 IncompleteBody"},
		{"cut after the last chunk", "4\r\nmeow\r\n0\r\n", "4", "", "400 IncompleteBody"},
		{"cut after the trailer", "4\r\nmeow\r\n0\r\n" + crc + ":q83v\r\n", "4", crc,
			"400 IncompleteBody"},
		{"another length", "4\r\nmeow\r\n0\r\n\r\n", "5", "", "400 IncompleteBody"},
	} {
		g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
		got := g.answer(g.unsignedChunks(t, row.body, row.size, row.trailer))
		if got != row.want || (len(g.passed) > 0) != (row.want == "200") {
			t.Errorf("%s: got %s, want %s: %s", row.name, got, row.want, g.lastCause())
		}
	}
}

// TestS3Access_ContentHash: the condition key s3:x-amz-content-sha256 is what was sent, also of a
// payload in chunks. A presigned URL has no such header.
func TestS3Access_ContentHash(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	for want, r := range map[string]*http.Request{
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD":         g.chunked(t, false, 8192, nil),
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": g.chunked(t, true, 8192, nil),
		"STREAMING-UNSIGNED-PAYLOAD-TRAILER": g.unsignedChunks(t, "4\r\nmeow\r\n0\r\n\r\n",
			"4", ""),
		hashOf("meow"): g.request(t, "PUT", catURL, "meow", "s3"),
		"":             g.presigned(t, catURL, "900"),
	} {
		var got []string
		g.handler = g.server.Gate(http.NotFoundHandler(), ststest.Gate{
			Access: func(r *ststest.SignedRequest) ([]ststest.Access, error) {
				all, err := ststest.S3Access(r)
				if err == nil {
					got = all[0].Context["s3:x-amz-content-sha256"]
				}
				return all, err
			},
		})
		if g.serve(r); strings.Join(got, ",") != want {
			t.Errorf("got %q, want %q: %s", got, want, g.lastCause())
		}
	}
}

// TestGate_Spaces: only U+0020 is folded, as AWS's signers do it.
func TestGate_Spaces(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	for _, value := range []string{"a  b", " a   b ", "a\u3000b", "a\tb", "a\t\tb",
		"a\u00a0 b", "\u2003a"} {
		r := g.request(t, "PUT", catURL, "meow", "s3")
		r.Header.Set("X-Amz-Meta-Name", value)
		g.sign(t, r, hashOf("meow"), "s3")
		if got := g.answer(r); got != "200" {
			t.Errorf("%q: got %s", value, got)
		}
	}
}

// TestGate_UnsignedChunks: the SDKs' default for uploads over TLS, with a checksum as trailer. next
// gets a request without framing. Only a checksum in the trailer becomes a header: others were not
// signed, and not decided on.
func TestGate_UnsignedChunks(t *testing.T) {
	const body = "4\r\nmeow\r\n0\r\n X-Amz-Checksum-Crc32 : q83v \r\nx-amz-meta-who:bob\r\n\r\n"
	for encoding, want := range map[string]string{
		"aws-chunked,gzip": `["gzip"]`, "aws-chunked": "[]", "": "[]",
	} {
		var passed *http.Request
		g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
		g.handler = g.server.Gate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = r
		}), ststest.Gate{})
		r := g.unsignedChunks(t, body, "4", "x-amz-checksum-crc32,x-amz-meta-who")
		r.Header.Set("Content-Encoding", encoding)
		if encoding == "" {
			r.Header.Del("Content-Encoding")
		}
		r.TransferEncoding = []string{"chunked"}
		g.sign(t, r, r.Header.Get("X-Amz-Content-Sha256"), "s3")
		if got := g.answer(r); got != "200" {
			t.Fatalf("got %s: %s", got, g.lastCause())
		}
		for name, want := range map[string]string{
			"X-Amz-Checksum-Crc32":         `["q83v"]`,
			"X-Amz-Content-Sha256":         `["UNSIGNED-PAYLOAD"]`,
			"X-Amz-Meta-Who":               "[]",
			"Content-Encoding":             want,
			"Content-Length":               `["4"]`,
			"X-Amz-Trailer":                "[]",
			"X-Amz-Decoded-Content-Length": "[]",
		} {
			if got := fmt.Sprintf("%q", passed.Header.Values(name)); got != want {
				t.Errorf("%q: %s is %s, want %s", encoding, name, got, want)
			}
		}
		if passed.TransferEncoding != nil {
			t.Errorf("%q: the transfer encoding is %q", encoding, passed.TransferEncoding)
		}
	}
}

// TestGate_BodyFails: a request whose body cannot be read is refused, and does not pass.
func TestGate_BodyFails(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{allowAll}}, ststest.Gate{})
	r := g.request(t, "PUT", catURL, "meow", "s3")
	r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	if status, body := g.serve(r); status != 400 || len(g.passed) > 0 {
		t.Errorf("got %d %s, passed: %q", status, body, g.passed)
	}
}

// TestGate_Bounds: a body that is too large is refused before it is hashed, and an Access that
// fails or says nothing lets nobody in.
func TestGate_Bounds(t *testing.T) {
	for _, row := range []struct {
		name string
		gate ststest.Gate
		want string
	}{
		{"at the bound", ststest.Gate{MaxBody: 4}, "200"},
		{"above the bound", ststest.Gate{MaxBody: 3}, "413 EntityTooLarge"},
		{"an error", ststest.Gate{Access: func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return nil, errors.New("unknown")
		}}, "501 NotImplemented"},
		{"no access", ststest.Gate{Access: func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return nil, nil
		}}, "501 NotImplemented"},
		{"no action", ststest.Gate{Access: func(*ststest.SignedRequest) ([]ststest.Access, error) {
			return []ststest.Access{{Resource: "*"}}, nil
		}}, "403 AccessDenied"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGated(t, ststest.Role{Policies: []string{allowAll}}, row.gate)
			if got := g.answer(g.request(t, "PUT", catURL, "meow", "s3")); got != row.want {
				t.Errorf("got %s, want %s: %s", got, row.want, g.lastCause())
			}
		})
	}
}
