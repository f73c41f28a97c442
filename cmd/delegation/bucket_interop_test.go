//go:build interop

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/ststest"
)

// bucket is an S3 bucket in memory, as far as a page uses one. What it takes has passed the gate of
// ststest, which checks signatures and policies. Origins may call it as its CORS configuration
// says.
type bucket struct {
	name, region string

	mu      sync.Mutex
	rules   []corsRule
	objects map[string]string
	calls   []string // "METHOD key", of calls that were allowed
	refused []error
}

// corsRule is one of a bucket's CORS configuration (Amazon S3 API Reference, PutBucketCors).
type corsRule struct {
	AllowedOrigin, AllowedMethod, AllowedHeader, ExposeHeader []string
	MaxAgeSeconds                                             int
}

// behind returns the bucket with a gate. S3 answers preflights, which nobody signs, and adds the
// headers of CORS to what the gate refuses, too.
func (b *bucket) behind(sts *ststest.Server) http.Handler {
	gate := sts.Gate(b, ststest.Gate{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.allowOrigin(w.Header(), r)
		b.mu.Unlock()
		if r.Method != http.MethodOptions {
			gate.ServeHTTP(w, r)
			return
		}
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.refuse(w, http.StatusForbidden, errors.New("CORSResponse: this is not allowed"))
		}
	})
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.refuse(w, http.StatusBadRequest, err)
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/")
	if !strings.HasPrefix(r.Host, b.name+".") { // a path-style request
		key = strings.TrimPrefix(strings.TrimPrefix(key, b.name), "/")
	}
	b.calls = append(b.calls, r.Method+" "+key)
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

func newBucket(name, region string) *bucket {
	return &bucket{
		name:    name,
		region:  region,
		objects: map[string]string{},
	}
}
