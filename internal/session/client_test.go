package session_test

import (
	"compress/gzip"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation/internal/session"
)

const limit = 1 << 20

// endless is a body without an end, which counts what is read of it.
type endless struct {
	begin  *strings.Reader
	read   int
	closed bool
}

func newEndless(begin string) *endless { return &endless{begin: strings.NewReader(begin)} }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 8*limit { // enough for a test to fail
		return 0, io.EOF
	}
	n, err := e.begin.Read(p)
	if err != nil {
		for n = range p {
			p[n] = 'x'
		}
		n = len(p)
	}
	e.read += n
	return n, nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// assume makes the call with a client, in one attempt.
func assume(t *testing.T, client *sts.Client, change func(*sts.Options)) error {
	t.Helper()
	_, err := client.AssumeRoleWithSAML(t.Context(), &sts.AssumeRoleWithSAMLInput{
		RoleArn:       aws.String("arn:aws:iam::123456789012:role/photo-user"),
		PrincipalArn:  aws.String("arn:aws:iam::123456789012:saml-provider/delegation"),
		SAMLAssertion: aws.String("QUJD"),
	}, func(o *sts.Options) {
		o.Region = "eu-central-1"
		o.RetryMaxAttempts = 1
		if change != nil {
			change(o)
		}
	})
	return err
}

// TestBoundedClient_ReadsNoMore: of an endless answer no more than 1 MiB is read, whatever its
// status is and wherever in it the SDK is, and the body is closed. The SDK drains every body before
// it closes it.
func TestBoundedClient_ReadsNoMore(t *testing.T) {
	const open = `<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`
	for name, answer := range map[string]struct {
		status int
		begin  string
	}{
		"text":        {200, ""},
		"one element": {200, open + "<AssumeRoleWithSAMLResult><Subject>"},
		"behind the end": {200,
			open +
				"<AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>"},
		"a refusal":       {403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"},
		"a server error":  {503, "<html>"},
		"a redirect":      {302, "<html>"},
		"an attribute":    {200, `<AssumeRoleWithSAMLResponse a="`},
		"a comment":       {200, open + "<!--"},
		"an element name": {200, "<A"},
	} {
		t.Run(name, func(t *testing.T) {
			body := newEndless(answer.begin)
			client, err := session.NewClient(session.ClientOptions{})
			if err != nil {
				t.Fatal(err)
			}
			err = assume(t, client, func(o *sts.Options) {
				o.HTTPClient = session.BoundedClient(
					doer(func(r *http.Request) (*http.Response, error) {
						return &http.Response{StatusCode: answer.status, Body: body, Request: r,
							Header: http.Header{}}, nil
					}))
			})
			var tooLarge *http.MaxBytesError
			if name != "behind the end" && (!errors.As(err, &tooLarge) || tooLarge.Limit != limit) {
				t.Errorf("got %v", err)
			}
			if body.read > limit+1 || !body.closed {
				t.Errorf("%d bytes were read, closed %t", body.read, body.closed)
			}
		})
	}
}

// TestBoundedClient_TakesOneMebibyte: the limit is exact.
func TestBoundedClient_TakesOneMebibyte(t *testing.T) {
	for size, want := range map[int]bool{limit: true, limit + 1: false} {
		client := session.BoundedClient(doer(func(*http.Request) (*http.Response, error) {
			return &http.Response{Body: io.NopCloser(strings.NewReader(strings.Repeat("x", size)))},
				nil
		}))
		response, err := client.Do(nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if (err == nil) != want || len(text) != limit {
			t.Errorf("%d bytes: read %d, %v", size, len(text), err)
		}
	}
	broken := errors.New("broken")
	_, err := session.BoundedClient(
		doer(func(*http.Request) (*http.Response, error) { return nil, broken })).Do(nil)
	if err != broken {
		t.Errorf("got %v", err)
	}
}

// TestNewClient_Bounded: the client that New makes counts what is left after decompression. The
// answer has a few kilobytes on the wire.
func TestNewClient_Bounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the client does not ask for gzip, so this test is about nothing")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = io.CopyN(z, newEndless(""), 2*limit)
	}))
	defer server.Close()
	client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var tooLarge *http.MaxBytesError
	if err := assume(t, client, nil); !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestNewClient_BoundedHeaders: nor are headers read without end.
func TestNewClient_BoundedHeaders(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 128<<10))
	}))
	defer server.Close()
	client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := assume(t, client, nil); err == nil ||
		!strings.Contains(err.Error(), "response headers exceeded") {
		t.Errorf("got %v", err)
	}
}

// TestNewClient_FollowsNoRedirect: an assertion goes to the endpoint and nowhere else.
func TestNewClient_FollowsNoRedirect(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		}))
		client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := assume(t, client, nil); err == nil || elsewhere != 0 {
			t.Errorf("%d: got %v, %d requests went elsewhere", status, err, elsewhere)
		}
		server.Close()
	}
}

// TestNewClient_Endpoint: plain http is for loopback, unless it is allowed by name, also where the
// environment has the endpoint.
func TestNewClient_Endpoint(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                       "",
		"https://sts.eu-central-1.amazonaws.com": "",
		"https://vpce-1.sts.vpce.amazonaws.com/x": "",
		"http://127.0.0.1:4566":                   "",
		"http://127.9.9.9":                        "",
		"http://[::1]:4566":                       "",
		"http://localhost:4566":                   "",
		"http://localstack:4566":                  "plain",
		"http://10.0.0.1":                         "plain",
		"http://0.0.0.0":                          "plain",
		"http://localhost.example.com":            "plain",
		"http://127.0.0.1.example.com":            "plain",
		"HTTP://sts.amazonaws.com":                "plain",
		"http://127.0.0.1@sts.example.com":        "plain",
		"sts.eu-central-1.amazonaws.com":          "not a URL",
		"ftp://sts.example.com":                   "not a URL",
		"https://":                                "not a URL",
		"http://:4566":                            "not a URL",
		"https://[":                               "not a URL",
	} {
		for place, set := range map[string]func(*testing.T, *session.ClientOptions){
			"option": func(_ *testing.T, o *session.ClientOptions) {
				o.Endpoint = endpoint
			},
			"AWS_ENDPOINT_URL": func(t *testing.T, _ *session.ClientOptions) {
				t.Setenv("AWS_ENDPOINT_URL", endpoint)
			},
			"AWS_ENDPOINT_URL_STS": func(t *testing.T, _ *session.ClientOptions) {
				t.Setenv("AWS_ENDPOINT_URL_STS", endpoint)
			},
		} {
			t.Run(place+" "+endpoint, func(t *testing.T) {
				var o session.ClientOptions
				set(t, &o)
				_, err := session.NewClient(o)
				if plain := errors.Is(err, session.ErrPlainHTTP); plain != (want == "plain") {
					t.Errorf("got %v", err)
				}
				if (err == nil) != (want == "") ||
					err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				o.AllowPlainHTTP = true
				_, err = session.NewClient(o)
				if (err == nil) != (want != "not a URL") {
					t.Errorf("with AllowPlainHTTP: got %v", err)
				}
			})
		}
	}
}

// TestNewClient_TakesACABundle: the SDK adds it to a client of its own kind only.
func TestNewClient_TakesACABundle(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, certificatePEM(server), 0o600); err != nil {
		t.Fatal(err)
	}
	for bundle, want := range map[string]string{"": "certificate", file: "404"} {
		t.Setenv("AWS_CA_BUNDLE", bundle)
		client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := assume(t, client, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", bundle, err)
		}
	}
}

func certificatePEM(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}
