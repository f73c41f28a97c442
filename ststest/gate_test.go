package ststest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed055b7978/delegation/ststest"
)

// folderPolicy gives each user the folder of the subject, which is SamlExample here.
const folderPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Sid": "Objects", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
	 "Resource": "arn:aws:s3:::example-photos/${saml:sub}/*"},
	{"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket",
	 "Resource": "arn:aws:s3:::example-photos",
	 "Condition": {"StringLike": {"s3:prefix": "${saml:sub}/*"}}}]}`

// A gated is a server, credentials that it issued, and the requests that passed its gate.
type gated struct {
	server      *ststest.Server
	clock       *clock
	credentials aws.Credentials
	handler     http.Handler
	passed      []string
}

func newGated(t testing.TB, role ststest.Role, gate ststest.Gate) *gated {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	g := &gated{server: newServer(t, ststest.Config{Now: c.Now}), clock: c}
	role.ARN = roleARN
	role.TrustPolicy = trustAll
	mustRole(t, g.server, role)
	g.credentials = assume(t, g.server, c)
	g.handler = g.server.Gate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		g.passed = append(g.passed, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body))
	}), gate)
	return g
}

// request returns a request that is signed for a service at the time of the clock.
func (g *gated) request(t testing.TB, method, url, body, service string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	g.sign(t, r, hash, service)
	return r
}

func (g *gated) sign(t testing.TB, r *http.Request, hash, service string) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(t.Context(), g.credentials, r, hash, service, "eu-central-1",
		g.clock.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err != nil {
		t.Fatal(err)
	}
}

// serve returns the status and the body of the answer.
func (g *gated) serve(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (g *gated) lastCause() string {
	calls := g.server.Calls()
	return calls[len(calls)-1].Cause
}

// TestGate_Folder: a session reads and writes its own folder, and no other.
func TestGate_Folder(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{folderPolicy}}, ststest.Gate{})
	const pathStyle = "https://s3.eu-central-1.amazonaws.com/example-photos"
	const hostStyle = "https://example-photos.s3.eu-central-1.amazonaws.com"
	for _, row := range []struct {
		method, url string
		status      int
	}{
		{"GET", pathStyle + "/SamlExample/cat.jpg", 200},
		{"GET", hostStyle + "/SamlExample/cat.jpg", 200},
		{"PUT", hostStyle + "/SamlExample/a%20b%2Bc.jpg", 200},
		{"GET", hostStyle + "/Other/cat.jpg", 403},
		{"GET", pathStyle + "/Other/cat.jpg", 403},
		{"GET", hostStyle + "/SamlExample", 403},
		{"GET", hostStyle + "/SamlExampleX/cat.jpg", 403},
		{"DELETE", hostStyle + "/SamlExample/cat.jpg", 403},
		{"GET", hostStyle + "/?list-type=2&prefix=SamlExample%2F", 200},
		{"GET", hostStyle + "/?list-type=2&prefix=Other%2F", 403},
		{"GET", hostStyle + "/?list-type=2", 403},
		{"GET", "https://other.s3.amazonaws.com/SamlExample/cat.jpg", 403},
		{"GET", "https://example-photos.localhost:8080/SamlExample/cat.jpg", 200},
		{"GET", "http://127.0.0.1:8080/example-photos/SamlExample/cat.jpg", 200},
	} {
		g.passed = nil
		status, body := g.serve(g.request(t, row.method, row.url, "", "s3"))
		if status != row.status || (len(g.passed) == 1) != (row.status == 200) {
			t.Errorf("%s %s: got %d %s, want %d: %s", row.method, row.url, status, body,
				row.status, g.lastCause())
		}
	}
}

// TestGate_Message: a refusal is worded as AWS words it, and Cause names the statement.
func TestGate_Message(t *testing.T) {
	g := newGated(t, ststest.Role{Policies: []string{folderPolicy}}, ststest.Gate{})
	status, body := g.serve(g.request(t, "GET",
		"https://example-photos.s3.amazonaws.com/?prefix=x", "", "s3"))
	const want = "<Code>AccessDenied</Code><Message>User: arn:aws:sts::123456789012:assumed-role/" +
		"photo-user/jane@example.com is not authorized to perform: s3:ListBucket on resource: " +
		"&#34;arn:aws:s3:::example-photos&#34; because no identity-based policy allows the " +
		"s3:ListBucket action</Message>"
	if status != 403 || !strings.Contains(body, want) {
		t.Errorf("got %d %s, want %s", status, body, want)
	}
	if cause := g.lastCause(); cause != "denied: no identity policy allows it; statement 2 "+
		"(List) of identity policy 1 would, but for its Condition on s3:prefix" {
		t.Errorf("got the cause %q", cause)
	}
}
