package document_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/document"
)

// endless is a body without an end, which counts what is read of it.
type endless struct {
	read   int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 8*document.MaxSize { // enough for a test to fail
		return 0, io.EOF
	}
	e.read += len(p)
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestEndless: of an endless answer no more than MaxSize and a byte is read, and nothing of one
// that is refused for its status, except for the start of a 403, which may be of Kubernetes.
func TestEndless(t *testing.T) {
	for status, most := range map[int]int{
		200: document.MaxSize + 1, 302: 0, 403: 4 << 10, 404: 0, 503: 0,
	} {
		var body endless
		client := document.Client(&http.Client{Transport: transport(
			func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Header: http.Header{}, Body: &body,
					Request: r}, nil
			})})
		_, err := document.Get(t.Context(), client, "https://example.com/")
		if err == nil || errors.Is(err, document.ErrTooLarge) != (status == 200) {
			t.Errorf("%d: got %v", status, err)
		}
		if body.read > most || !body.closed {
			t.Errorf("%d: %d bytes were read, more than %d, or it was not closed", status,
				body.read, most)
		}
	}
}

// TestEndless_Compressed: what counts is the size after decompression. This answer has a few
// kilobytes on the wire.
func TestEndless_Compressed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the client does not ask for gzip, so this test is about nothing")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = io.CopyN(z, &endless{}, 2*document.MaxSize)
	}))
	defer server.Close()
	if _, err := document.Get(t.Context(), document.Client(nil), server.URL); !errors.Is(err,
		document.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	_, _, err := document.Post(t.Context(), document.Client(nil), server.URL, url.Values{})
	if !errors.Is(err, document.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}
