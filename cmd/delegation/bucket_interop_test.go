//go:build interop

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// bucket is an S3 bucket in memory, as far as a page uses one. It checks Signature Version 4 by the
// code of AWS's SDK for Go, and takes only credentials that it knows. Origins may call it as its
// CORS configuration says.
type bucket struct {
	name, region string

	mu      sync.Mutex
	known   map[string]aws.Credentials // by access key ID
	rules   []corsRule
	objects map[string]string
	calls   []string // "METHOD key", of calls that were allowed
	keys    []string // the access key IDs of these calls
	refused []error
}

// corsRule is one of a bucket's CORS configuration (Amazon S3 API Reference, PutBucketCors).
type corsRule struct {
	AllowedOrigin, AllowedMethod, AllowedHeader, ExposeHeader []string
	MaxAgeSeconds                                             int
}

// learnFrom is a handler before a fake STS. The bucket knows the credentials that it issues.
func (b *bucket) learnFrom(sts http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		sts.ServeHTTP(recorder, r)
		var answer struct {
			Issued struct {
				AccessKeyId, SecretAccessKey, SessionToken string
			} `xml:"AssumeRoleWithSAMLResult>Credentials"`
		}
		if xml.Unmarshal(recorder.Body.Bytes(), &answer) == nil {
			b.know(aws.Credentials{
				AccessKeyID:     answer.Issued.AccessKeyId,
				SecretAccessKey: answer.Issued.SecretAccessKey,
				SessionToken:    answer.Issued.SessionToken,
			})
		}
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	})
}

func (b *bucket) know(c aws.Credentials) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[c.AccessKeyID] = c
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.refuse(w, http.StatusBadRequest, err)
		return
	}
	b.allowOrigin(w.Header(), r)
	if r.Method == http.MethodOptions {
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			b.refuse(w, http.StatusForbidden, errors.New("CORSResponse: this is not allowed"))
		}
		return
	}
	signer, err := b.signedBy(r, body)
	if err != nil {
		b.refuse(w, http.StatusForbidden, err)
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/")
	if !strings.HasPrefix(r.Host, b.name+".") { // a path-style request
		key = strings.TrimPrefix(strings.TrimPrefix(key, b.name), "/")
	}
	b.calls = append(b.calls, r.Method+" "+key)
	b.keys = append(b.keys, signer)
	switch query := r.URL.Query(); {
	case r.Method == http.MethodPut && query.Has("cors"):
		var configuration struct{ CORSRule []corsRule }
		if err := xml.Unmarshal(body, &configuration); err != nil {
			b.refuse(w, http.StatusBadRequest, err)
			return
		}
		b.rules = configuration.CORSRule
	case r.Method == http.MethodPut:
		b.objects[key] = string(body)
		w.Header().Set("ETag", `"1"`)
	case query.Get("list-type") == "2":
		b.list(w, query.Get("prefix"))
	default:
		b.refuse(w, http.StatusNotImplemented, fmt.Errorf("%s %s", r.Method, r.URL))
	}
}

func (b *bucket) refuse(w http.ResponseWriter, status int, err error) {
	b.refused = append(b.refused, err)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>Refused</Code><Message>%s</Message></Error>", err)
}

func (b *bucket) list(w http.ResponseWriter, prefix string) {
	type object struct{ Key string }
	var answer struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []object
	}
	for key := range b.objects {
		if strings.HasPrefix(key, prefix) {
			answer.Contents = append(answer.Contents, object{key})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(must(xml.Marshal(answer)))
}

// allowOrigin adds the headers of CORS if a rule allows what a page sends, or asks to send.
func (b *bucket) allowOrigin(header http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	method := r.Method
	if method == http.MethodOptions {
		method = r.Header.Get("Access-Control-Request-Method")
	}
	for _, rule := range b.rules {
		// Of wildcards it knows the one for all headers.
		if !slices.Contains(rule.AllowedOrigin, origin) ||
			!slices.Contains(rule.AllowedMethod, method) ||
			!slices.Contains(rule.AllowedHeader, "*") {
			continue
		}
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Methods", strings.Join(rule.AllowedMethod, ", "))
		header.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		header.Set("Access-Control-Expose-Headers", strings.Join(rule.ExposeHeader, ", "))
		header.Set("Access-Control-Max-Age", fmt.Sprint(rule.MaxAgeSeconds))
		return
	}
}

var authorizationForm = regexp.MustCompile(`\AAWS4-HMAC-SHA256 ` +
	`Credential=([A-Z0-9]+)/[0-9]{8}/([a-z0-9-]+)/s3/aws4_request, *` +
	`SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})\z`)

// signedBy checks the signature of a request, and returns the access key ID that it was made with.
func (b *bucket) signedBy(r *http.Request, body []byte) (string, error) {
	parts := authorizationForm.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return "", errors.New("there is no signature")
	}
	credentials, known := b.known[parts[1]]
	date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	skew := time.Since(date).Abs()
	hash := r.Header.Get("X-Amz-Content-Sha256")
	sum := sha256.Sum256(body)
	switch {
	case !known:
		return "", errors.New("the access key is not known")
	case r.Header.Get("X-Amz-Security-Token") != credentials.SessionToken:
		return "", errors.New("the session token is not the access key's")
	case err != nil || skew > 15*time.Minute: // as S3: RequestTimeTooSkewed
		return "", fmt.Errorf("the time differs by %s, %w", skew, err)
	case hash != "UNSIGNED-PAYLOAD" && hash != hex.EncodeToString(sum[:]):
		return "", errors.New("the hash is not that of the body")
	case parts[2] != b.region:
		return "", fmt.Errorf("it is signed for %s", parts[2])
	}
	again, err := http.NewRequest(r.Method, "https://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return "", err
	}
	for _, name := range strings.Split(parts[3], ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	err = v4.NewSigner().SignHTTP(
		r.Context(), credentials, again, hash, "s3", b.region, date,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true },
	)
	if err != nil {
		return "", err
	}
	want := authorizationForm.FindStringSubmatch(again.Header.Get("Authorization"))
	if want == nil || want[3] != parts[3] || want[4] != parts[4] {
		return "", fmt.Errorf("the signature is %q, want %q", parts[3:], want)
	}
	return credentials.AccessKeyID, nil
}

// TestInterop_Bucket: the fake refuses what S3 would, so that what it takes means something.
func TestInterop_Bucket(t *testing.T) {
	good := aws.Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token",
	}
	other := good
	other.SecretAccessKey = "another"
	stranger := good
	stranger.AccessKeyID = "ASIASTRANGER"
	empty := hex.EncodeToString(sha256.New().Sum(nil))
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, row := range map[string]struct {
		credentials aws.Credentials
		change      func(r *http.Request)
		refused     string
	}{
		"good":           {good, func(*http.Request) {}, ""},
		"another secret": {other, func(*http.Request) {}, "the signature is"},
		"another key":    {stranger, func(*http.Request) {}, "is not known"},
		"another token":  {good, set("X-Amz-Security-Token", "x"), "session token"},
		"another time":   {good, set("X-Amz-Date", "20200101T000000Z"), "differs"},
		"another hash":   {good, set("X-Amz-Content-Sha256", "00"), "the hash"},
		"no signature":   {good, set("Authorization", ""), "no signature"},
		"another path": {
			good, func(r *http.Request) { r.URL.Path = "/other" }, "the signature is",
		},
		"another query": {
			good, func(r *http.Request) { r.URL.RawQuery = "list-type=2" }, "the signature is",
		},
	} {
		b := newBucket("example-photos", "eu-central-1")
		b.know(good)
		const url = "https://example-photos.s3.amazonaws.com/?list-type=2&prefix=a"
		r := httptest.NewRequest(http.MethodGet, url, nil)
		r.Header.Set("X-Amz-Content-Sha256", empty)
		err := v4.NewSigner().SignHTTP(
			t.Context(), row.credentials, r, empty, "s3", "eu-central-1", time.Now(),
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true },
		)
		if err != nil {
			t.Fatal(err)
		}
		row.change(r)
		r.RequestURI = r.URL.RequestURI()
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		said := fmt.Sprint(b.refused)
		if refused := w.Code != http.StatusOK; refused != (row.refused != "") ||
			!strings.Contains(said, row.refused) {
			t.Errorf("%s: got %d %s, want %q", name, w.Code, said, row.refused)
		}
	}
}

func newBucket(name, region string) *bucket {
	return &bucket{
		name:    name,
		region:  region,
		known:   map[string]aws.Credentials{},
		objects: map[string]string{},
	}
}
