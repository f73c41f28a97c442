package delegationhttp_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

// metadata is a MetadataSource of one function.
type metadata func() ([]byte, error)

func (f metadata) Metadata() ([]byte, error) { return f() }

// fetch reads a public document, and checks what holds for every answer of its handler.
func fetch(t testing.TB, h http.Handler, method string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
	if w.Header().Get("Cache-Control") != "no-cache" ||
		w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d: %v", w.Code, w.Header())
	}
	return w
}

func TestMetadata(t *testing.T) {
	document := must(delegationtest.Identity().Metadata())
	w := fetch(t, delegationhttp.Metadata(delegationtest.Identity()), http.MethodGet)
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), document) ||
		w.Header().Get("Content-Type") != "application/samlmetadata+xml" ||
		w.Header().Get("Content-Length") != strconv.Itoa(len(document)) {
		t.Errorf("got %d %v\n%s", w.Code, w.Header(), w.Body)
	}
	for name, h := range map[string]http.Handler{
		"nil": delegationhttp.Metadata(nil),
		"failing": delegationhttp.Metadata(metadata(func() ([]byte, error) {
			return document, errors.New("canary")
		})),
		"empty": delegationhttp.Metadata(metadata(func() ([]byte, error) {
			return nil, nil
		})),
		"without a key": delegationhttp.Metadata(delegation.IdentityProvider{}),
	} {
		w := fetch(t, h, http.MethodGet)
		if w.Code != http.StatusInternalServerError ||
			w.Body.String() != "the metadata is not available\n" {
			t.Errorf("%s: got %d %q", name, w.Code, w.Body)
		}
	}
	t.Run("asked anew", func(t *testing.T) {
		asked := 0
		h := delegationhttp.Metadata(metadata(func() ([]byte, error) {
			asked++
			return []byte(strconv.Itoa(asked)), nil
		}))
		for _, want := range []string{"1", "2"} {
			if w := fetch(t, h, http.MethodGet); w.Body.String() != want {
				t.Errorf("got %q, want %q", w.Body, want)
			}
		}
	})
}

// TestReadOnly: HEAD is GET without the body, everything else 405, for all documents that hold no
// secret.
func TestReadOnly(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"metadata": delegationhttp.Metadata(delegationtest.Identity()),
		"live":     delegationhttp.Live(), "ready": delegationhttp.Ready(checker{{Name: "a"}}, nil),
	} {
		url := serve(t, h)
		whole := must(http.Get(url))
		_ = whole.Body.Close()
		head := must(http.Head(url))
		_ = head.Body.Close()
		if whole.StatusCode != 200 || head.StatusCode != 200 ||
			head.ContentLength != whole.ContentLength || whole.ContentLength <= 0 ||
			head.Header.Get("Content-Type") != whole.Header.Get("Content-Type") {
			t.Errorf("%s: GET %v, HEAD %v", name, whole, head)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
			w := fetch(t, h, method)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" ||
				w.Body.String() != "the method must be GET or HEAD\n" {
				t.Errorf("%s %s: got %d %v", method, name, w.Code, w.Header())
			}
		}
	}
}
