package session_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation/internal/session"
)

// success is an answer of STS, as far as the SDK reads it.
const success = `<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` +
	`<AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResult></AssumeRoleWithSAMLResponse>`

// pipes is a listener in memory, and the dialer that leads to it.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	dialed   atomic.Int64
}

func newPipes() *pipes {
	return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.dialed.Add(1)
	near, far := net.Pipe()
	select {
	case p.accepted <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// serveInMemory serves in a synctest bubble until the test ends, over TLS if there are
// certificates. It offers HTTP/1.1 only, as STS does.
func serveInMemory(
	t *testing.T, certificates []tls.Certificate, handler http.HandlerFunc,
) *pipes {
	network := newPipes()
	var listener net.Listener = network
	if certificates != nil {
		listener = tls.NewListener(network, &tls.Config{Certificates: certificates})
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		time.Sleep(time.Hour) // until what is idle has ended
	})
	return network
}

// TestNewClient_OneConnection: calls in turn use one connection. One is closed while nobody calls,
// and then the next resumes the TLS session. Time is synctest's, so net/http's patience with
// a busy machine, 50 ms, changes nothing. The assertion is as long as a real one: the body of a
// short one is sent with the header, and its connection survives anyway.
func TestNewClient_OneConnection(t *testing.T) {
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	certified.Close()
	client, err := session.NewClient(session.ClientOptions{
		Endpoint: "https://example.com", // the certificate's name
	})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var resumed []bool
		network := serveInMemory(t, certified.TLS.Certificates,
			func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				resumed = append(resumed, r.TLS.DidResume)
				_, _ = io.WriteString(w, success)
			})
		transport := session.Transport(nil).WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = network.dial
			tr.TLSClientConfig.RootCAs = x509.NewCertPool()
			tr.TLSClientConfig.RootCAs.AddCert(certified.Certificate())
		})
		own := session.BoundedClient(transport)
		call := func() {
			t.Helper()
			_, err := client.AssumeRoleWithSAML(t.Context(), &sts.AssumeRoleWithSAMLInput{
				RoleArn:       aws.String("arn:aws:iam::123456789012:role/photo-user"),
				PrincipalArn:  aws.String("arn:aws:iam::123456789012:saml-provider/delegation"),
				SAMLAssertion: aws.String(strings.Repeat("QUJD", 2000)),
			}, func(o *sts.Options) {
				o.Region = "eu-central-1"
				o.HTTPClient = own
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 200 {
			call()
			time.Sleep(5 * time.Millisecond)
		}
		if n := network.dialed.Load(); n != 1 || resumed[199] {
			t.Errorf("200 calls made %d connections", n)
		}
		time.Sleep(time.Hour)
		call()
		if n := network.dialed.Load(); n != 2 || !resumed[200] {
			t.Errorf("after a break: %d connections, session resumed: %t", n, resumed[200])
		}
	})
}

// TestNewClient_ResumesTLS: the client of New resumes the session when STS has closed the
// connection.
func TestNewClient_ResumesTLS(t *testing.T) {
	var resumed []bool
	server := httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			resumed = append(resumed, r.TLS.DidResume)
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, success)
		}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, certificatePEM(server), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := assume(t, client, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(resumed) != 3 || resumed[0] || !resumed[1] || !resumed[2] {
		t.Errorf("sessions resumed: %v", resumed)
	}
}

// closedBody is a body of the SDK that was closed after all of it was read: see
// safeWriteToReadCloser in smithy-go.
type closedBody struct{ io.Reader }

func (closedBody) WriteTo(io.Writer) (int64, error) { return 0, io.EOF }
func (closedBody) Close() error                     { return nil }

// TestBoundedClient_KeepsConnections: a body that was closed early costs no connection.
func TestBoundedClient_KeepsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := serveInMemory(t, nil, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		})
		client := session.BoundedClient(session.Transport(nil).WithTransportOptions(
			func(tr *http.Transport) { tr.DialContext = network.dial }))
		text := strings.Repeat("x", 8000)
		for range 20 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://example.com", closedBody{strings.NewReader(text)})
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = int64(len(text))
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		if n := network.dialed.Load(); n != 1 {
			t.Errorf("20 calls made %d connections", n)
		}
	})
}

// TestBoundedClient_HidesWriterTo: the request that is sent has no WriterTo, in GetBody either, and
// the caller's request is as it was. What has no body still has none.
func TestBoundedClient_HidesWriterTo(t *testing.T) {
	var sent *http.Request
	client := session.BoundedClient(doer(func(r *http.Request) (*http.Response, error) {
		sent = r
		return nil, nil
	}))
	do := func(r *http.Request) {
		if _, err := client.Do(r); err != nil {
			t.Fatal(err)
		}
	}
	plain := func(body io.ReadCloser) {
		t.Helper()
		text, err := io.ReadAll(body)
		if _, is := body.(io.WriterTo); is || err != nil || string(text) != "text" {
			t.Errorf("%T: %q, %v", body, text, err)
		}
	}
	broken := errors.New("broken")
	getBodyErr := error(nil)
	body := closedBody{strings.NewReader("text")}
	r := &http.Request{Body: body, GetBody: func() (io.ReadCloser, error) {
		return closedBody{strings.NewReader("text")}, getBodyErr
	}}
	do(r)
	plain(sent.Body)
	repeated, err := sent.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	plain(repeated)
	getBodyErr = broken
	if again, err := sent.GetBody(); again != nil || err != broken {
		t.Errorf("got %v, %v", again, err)
	}
	if r.Body != io.ReadCloser(body) {
		t.Error("the caller's request has changed")
	}

	for _, r := range []*http.Request{{}, {Body: http.NoBody}, nil} {
		do(r)
		if sent != r {
			t.Errorf("%v has become %v", r, sent)
		}
	}
}
