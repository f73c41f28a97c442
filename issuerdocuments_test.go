package delegation_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// bearerSecret is a bearer token that no error may hold.
const bearerSecret = "canary.bearer-token_~+/=="

// library serves documents by their URLs and notes what it was asked, and with which token.
type library struct {
	documents map[string]string // by URL; a redirect is "to URL", a status "status 401"
	mu        sync.Mutex
	asked     []string
	tokens    map[string]string // Authorization by URL
}

// RoundTrip implements http.RoundTripper.
func (l *library) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	address := r.URL.String()
	l.asked = append(l.asked, address)
	l.tokens[address] = r.Header.Get("Authorization")
	body, ok := l.documents[address]
	response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	if !ok {
		response.StatusCode = http.StatusNotFound
	}
	if to, redirect := strings.CutPrefix(body, "to "); redirect {
		response.StatusCode = http.StatusMovedPermanently
		response.Header.Set("Location", to)
	}
	if _, err := fmt.Sscanf(body, "status %d", &response.StatusCode); err == nil {
		_, body, _ = strings.Cut(body, "{") // a body is an object after the status
		if body != "" {
			body = "{" + body
		}
	}
	response.Body = io.NopCloser(strings.NewReader(body))
	return response, nil
}

// withLibrary is a world whose issuer publishes its discovery document at one address and the key
// set at another.
func withLibrary(t testing.TB, issuer delegation.Issuer, discovery, keys string) (*world, *library) {
	t.Helper()
	w := newWorld(t)
	w.config.Issuers = []delegation.Issuer{issuer}
	l := &library{
		documents: map[string]string{
			discovery: fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer.URL, keys),
			keys:      string(keySet(jwk(issuerKey().Public(), nil))),
		},
		tokens: map[string]string{},
	}
	w.config.HTTPClient = &http.Client{Transport: l}
	return w, l
}

func (w *world) tokenOf(iss string) string {
	return tokenBy(issuerKey(), map[string]any{"iss": iss})
}

const wellKnown = oidctest.DiscoveryPath

// TestInsecureHTTPHosts: plain http counts for the named hosts only, port included, wherever an
// address comes from.
func TestInsecureHTTPHosts(t *testing.T) {
	const public = "https://kc.example.com/realms/a"
	bad := refused(delegation.CodeKeySetURL)
	for _, test := range []struct {
		keys  string
		hosts []string
		want  string
	}{
		{"http://keycloak:8080/certs", nil, bad},
		{"http://keycloak:8080/certs", []string{"keycloak:8080"}, accepted},
		{"http://KEYCLOAK:8080/certs", []string{"keycloak:8080"}, accepted},
		{"http://keycloak:8081/certs", []string{"keycloak:8080"}, bad},
		{"http://keycloak/certs", []string{"keycloak:8080"}, bad},
		{"http://keycloak:8080/certs", []string{"keycloak"}, bad},
		{"http://keycloak/certs", []string{"keycloak"}, accepted},
		{"http://keycloak:80/certs", []string{"keycloak"}, accepted},
		{"http://keycloak/certs", []string{"keycloak:80"}, accepted},
		{"http://a.keycloak/certs", []string{"keycloak"}, bad},
		{"http://keycloak.example.com/certs", []string{"keycloak"}, bad},
		{"http://keycloak@evil.example.com/certs", []string{"keycloak"}, bad},
		{"http://10.0.0.5:8080/certs", []string{"10.0.0.5:8080"}, accepted},
		{"http://10.0.0.6:8080/certs", []string{"10.0.0.5:8080"}, bad},
		{"http://[fd00::a]:8080/certs", []string{"[fd00::a]:8080"}, accepted},
		{"http://127.0.0.1:8080/certs", []string{"127.0.0.1:8080"}, accepted},
		{"http://127.0.0.1:8080/certs", []string{"keycloak:8080"}, bad},
		{"ftp://keycloak:8080/certs", []string{"keycloak:8080"}, bad},
	} {
		t.Run(fmt.Sprint(test.keys, test.hosts), func(t *testing.T) {
			issuer := delegation.Issuer{URL: public, InsecureHTTPHosts: test.hosts}
			w, l := withLibrary(t, issuer, public+wellKnown, test.keys)
			w.wantOutcome(t, w.delegator(t), w.tokenOf(public), test.want)
			if test.want == bad && len(l.asked) != 1 {
				t.Errorf("asked %q", l.asked)
			}
		})
	}
	// Issuer, discovery document and key set may be configured there, too.
	const dex = "http://dex.dex.svc:5556/dex"
	hosts := []string{"dex.dex.svc:5556"}
	w, _ := withLibrary(t, delegation.Issuer{URL: dex, InsecureHTTPHosts: hosts},
		dex+wellKnown, dex+"/keys")
	w.wantOutcome(t, w.delegator(t), w.tokenOf(dex), accepted)
	for field, issuer := range map[string]delegation.Issuer{
		"URL: ":          {URL: dex},
		"DiscoveryURL: ": {URL: public, DiscoveryURL: dex},
		"JWKSURL: ":      {URL: public, JWKSURL: dex},
	} {
		w.config.Issuers[0] = issuer
		_, err := delegation.New(t.Context(), w.config)
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(err.Error(), field) ||
			!strings.Contains(err.Error(), "InsecureHTTPHosts") {
			t.Errorf("got %v", err)
		}
		issuer.InsecureHTTPHosts = hosts
		w.config.Issuers[0] = issuer
		w.delegator(t)
	}
}

// TestDocumentOrigins: a discovery document may lead to an IP address if its origin is named, over
// https and to that port.
func TestDocumentOrigins(t *testing.T) {
	const cluster = "https://kubernetes.default.svc.cluster.local"
	bad := refused(delegation.CodeKeySetURL)
	for _, test := range []struct {
		keys    string
		origins []string
		want    string
	}{
		{"https://10.0.0.10:6443/jwks", nil, bad},
		{"https://10.0.0.10:6443/jwks", []string{"https://10.0.0.10:6443"}, accepted},
		{"https://10.0.0.10:6444/jwks", []string{"https://10.0.0.10:6443"}, bad},
		{"https://10.0.0.10/jwks", []string{"https://10.0.0.10:6443"}, bad},
		{"https://10.0.0.11:6443/jwks", []string{"https://10.0.0.10:6443"}, bad},
		{"http://10.0.0.10:6443/jwks", []string{"https://10.0.0.10:6443"}, bad},
		{"https://10.0.0.10/jwks", []string{"https://10.0.0.10"}, accepted},
		{"https://10.0.0.10:443/jwks", []string{"https://10.0.0.10"}, accepted},
		{"https://10.0.0.10/jwks", []string{"https://10.0.0.10:443"}, accepted},
		{"https://[FD00::a]:6443/jwks", []string{"https://[fd00::a]:6443"}, accepted},
		{"https://169.254.169.254/jwks", []string{"https://10.0.0.10"}, bad},
		{"https://user@10.0.0.10/jwks", []string{"https://10.0.0.10"}, bad},
	} {
		t.Run(fmt.Sprint(test.keys, test.origins), func(t *testing.T) {
			issuer := delegation.Issuer{URL: cluster, DocumentOrigins: test.origins}
			w, l := withLibrary(t, issuer, cluster+wellKnown, test.keys)
			w.wantOutcome(t, w.delegator(t), w.tokenOf(cluster), test.want)
			if test.want == bad && len(l.asked) != 1 {
				t.Errorf("asked %q", l.asked)
			}
		})
	}
}

// writeFile writes a file of the test and returns its path.
func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBearerToken: the token goes over https to the configured origins alone, and never to where a
// document leads.
func TestBearerToken(t *testing.T) {
	const (
		own       = "https://cluster.example.com"
		elsewhere = "https://keys.example.net"
		plain     = "http://keys.internal"
	)
	file := writeFile(t, "token", bearerSecret+"\n")
	for _, test := range []struct {
		name            string
		change          func(*delegation.Issuer)
		discovery, keys string
		with            []string // addresses that get the token
	}{
		{"one origin", func(*delegation.Issuer) {}, own + wellKnown, own + "/keys",
			[]string{own + wellKnown, own + "/keys"}},
		{"keys elsewhere", func(*delegation.Issuer) {}, own + wellKnown, elsewhere + "/keys",
			[]string{own + wellKnown}},
		{"keys at another port", func(*delegation.Issuer) {}, own + wellKnown, own + ":8443/keys",
			[]string{own + wellKnown}},
		{"keys below a name that begins alike", func(*delegation.Issuer) {}, own + wellKnown,
			own + ".example.net/keys", []string{own + wellKnown}},
		{"keys elsewhere, named",
			func(i *delegation.Issuer) { i.DocumentOrigins = []string{elsewhere} },
			own + wellKnown, elsewhere + "/keys", []string{own + wellKnown, elsewhere + "/keys"}},
		{"keys at the same host by plain http", func(i *delegation.Issuer) {
			i.InsecureHTTPHosts = []string{"cluster.example.com"}
		}, own + wellKnown, "http://cluster.example.com/keys", []string{own + wellKnown}},
		{"keys by plain http, named as far as possible", func(i *delegation.Issuer) {
			i.InsecureHTTPHosts = []string{"keys.internal"}
			i.DocumentOrigins = []string{"https://keys.internal"}
		}, own + wellKnown, plain + "/keys", []string{own + wellKnown}},
		{"discovery elsewhere",
			func(i *delegation.Issuer) { i.DiscoveryURL = elsewhere + "/discovery" },
			elsewhere + "/discovery", own + "/keys",
			[]string{elsewhere + "/discovery", own + "/keys"}},
		{"discovery by plain http", func(i *delegation.Issuer) {
			i.DiscoveryURL = plain + "/discovery"
			i.InsecureHTTPHosts = []string{"keys.internal"}
		}, plain + "/discovery", own + "/keys", []string{own + "/keys"}},
		{"keys alone", func(i *delegation.Issuer) { i.JWKSURL = elsewhere + "/keys" }, "",
			elsewhere + "/keys", []string{elsewhere + "/keys"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer := delegation.Issuer{URL: own, BearerTokenFile: file}
			test.change(&issuer)
			w, l := withLibrary(t, issuer, test.discovery, test.keys)
			w.wantOutcome(t, w.delegator(t), w.tokenOf(own), accepted)
			for _, address := range l.asked {
				want := ""
				if slices.Contains(test.with, address) {
					want = "Bearer " + bearerSecret
				}
				if got := l.tokens[address]; got != want {
					t.Errorf("%s got %q, want %q", address, got, want)
				}
			}
		})
	}
	t.Run("a redirect gets nothing", func(t *testing.T) {
		issuer := delegation.Issuer{URL: own, BearerTokenFile: file}
		w, l := withLibrary(t, issuer, own+wellKnown, own+"/keys")
		l.documents[own+wellKnown] = "to " + own + "/other"
		w.wantOutcome(t, w.delegator(t), w.tokenOf(own), refused(delegation.CodeDiscoveryRedirect))
		if len(l.asked) != 1 {
			t.Errorf("asked %q", l.asked)
		}
	})
	t.Run("the file is read anew", func(t *testing.T) {
		changing := writeFile(t, "token", "first")
		issuer := delegation.Issuer{URL: own, BearerTokenFile: changing}
		w, l := withLibrary(t, issuer, own+wellKnown, own+"/keys")
		d := w.delegator(t)
		l.documents[own+"/keys"] = "status 500"
		w.wantOutcome(t, d, w.tokenOf(own), refused(delegation.CodeKeySetUnavailable))
		if err := os.WriteFile(changing, []byte(bearerSecret+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l.documents[own+"/keys"] = string(keySet(jwk(issuerKey().Public(), nil)))
		w.clock.Advance(time.Minute)
		w.wantOutcome(t, d, w.tokenOf(own), accepted)
		if got := l.tokens[own+"/keys"]; got != "Bearer "+bearerSecret {
			t.Errorf("got %q", got)
		}
	})
}

// TestBearerToken_Unauthorized: an issuer that wants a token, or another one, is told from one that
// is down, and the error says what became of the token without holding it.
func TestBearerToken_Unauthorized(t *testing.T) {
	const own, elsewhere = "https://cluster.example.com", "https://keys.example.net"
	file := writeFile(t, "token", bearerSecret)
	for _, test := range []struct {
		name, file, keys, refusing, answer, says string
	}{
		{"no token", "", own + "/keys", own + wellKnown, "status 401", "it answered 401 "},
		{"no token for the keys", "", own + "/keys", own + "/keys", "status 401",
			"it answered 401 "},
		{"another token", file, own + "/keys", own + wellKnown, "status 401",
			"it answered 401 to the bearer token"},
		{"not sent", file, elsewhere + "/keys", elsewhere + "/keys", "status 401",
			`was not sent the bearer token: "https://keys.example.net" is not`},
		{"no token at Kubernetes", "", own + "/keys", own + wellKnown,
			`status 403 {"kind": "Status", "apiVersion": "v1", "message": "canary"}`,
			"it answered 403 "},
		{"a token without the role", file, own + "/keys", own + wellKnown, "status 403",
			"it answered 403 to the bearer token"},
		{"forbidden, and not sent", file, elsewhere + "/keys", elsewhere + "/keys", "status 403",
			`was not sent the bearer token: "https://keys.example.net" is not`},
	} {
		t.Run(test.name, func(t *testing.T) {
			issuer := delegation.Issuer{URL: own, BearerTokenFile: test.file}
			w, l := withLibrary(t, issuer, own+wellKnown, test.keys)
			l.documents[test.refusing] = test.answer
			err := w.wantOutcome(t, w.delegator(t), w.tokenOf(own),
				refused(delegation.CodeKeySetUnauthorized))
			e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetUnauthorized)
			if !e.Retryable || !strings.Contains(e.Remedy, "Issuer.BearerTokenFile") ||
				!strings.Contains(e.Remedy, "system:service-account-issuer-discovery") {
				t.Errorf("retryable %v, remedy %q", e.Retryable, e.Remedy)
			}
			if !strings.Contains(e.Error(), test.says) || strings.Contains(e.Error(), "canary") {
				t.Errorf("got %v", e)
			}
		})
	}
	for name, spoil := range map[string]func(string) error{
		"gone":    os.Remove,
		"a list":  func(f string) error { return os.WriteFile(f, []byte("canary\ncanary"), 0o600) },
		"nothing": func(f string) error { return os.WriteFile(f, nil, 0o600) },
		"a header": func(f string) error {
			return os.WriteFile(f, []byte("Bearer canary"), 0o600)
		},
		"too large": func(f string) error {
			return os.WriteFile(f, []byte(strings.Repeat("canary", 4000)), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, "token", bearerSecret)
			issuer := delegation.Issuer{URL: own, BearerTokenFile: file}
			w, l := withLibrary(t, issuer, own+wellKnown, own+"/keys")
			d := w.delegator(t)
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			err := w.wantOutcome(t, d, w.tokenOf(own), refused(delegation.CodeKeySetUnauthorized))
			_, refusal := delegation.New(t.Context(), w.config)
			wantError(t, refusal, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(refusal.Error(), "Issuers[0]: BearerTokenFile: ") {
				t.Errorf("got %v", refusal)
			}
			if strings.Contains(fmt.Sprint(err, refusal), "canary") || len(l.asked) > 0 {
				t.Errorf("got %v, %v, asked %q", err, refusal, l.asked)
			}
		})
	}
}

// secure is an issuer on TLS whose certificate no system knows, and a file with it.
func secure(t testing.TB, w *world) (address, caFile string) {
	t.Helper()
	server := httptest.NewUnstartedServer(w.provider)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	w.config.HTTPClient = nil
	return server.URL, writeFile(t, "ca.pem", string(pem.EncodeToMemory(block)))
}

// TestCAFile: the issuer's servers are trusted by this CA and no other, and a certificate that does
// not verify is told as such.
func TestCAFile(t *testing.T) {
	w := newWorld(t)
	address, caFile := secure(t, w)
	w.provider.SetIssuer(address)
	w.config.Issuers = []delegation.Issuer{{URL: address}}
	err := w.wantOutcome(t, w.delegator(t), w.token(nil),
		refused(delegation.CodeKeySetCertificate))
	e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetCertificate)
	if !e.Retryable || !strings.Contains(e.Remedy, "Issuer.CAFile") ||
		!strings.Contains(e.Error(), "unknown authority") {
		t.Errorf("got %v, retryable %v", e, e.Retryable)
	}
	w.config.Issuers[0].CAFile = caFile
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)

	other := delegationCA(t)
	w.config.Issuers[0].CAFile = other
	w.wantOutcome(t, w.delegator(t), w.token(nil), refused(delegation.CodeKeySetCertificate))

	// A client for all issuers stays as it is, and lends its settings.
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		return nil, errors.New("canary-proxy")
	}}
	w.config.HTTPClient = &http.Client{Transport: transport}
	w.config.Issuers[0].CAFile = caFile
	err = w.wantOutcome(t, w.delegator(t), w.token(nil), refused(delegation.CodeKeySetProxy))
	if err == nil || !strings.Contains(err.Error(), "a proxy whose address is wrong") {
		t.Errorf("got %v", err)
	}
	if own := transport.TLSClientConfig; own != nil && own.RootCAs != nil {
		t.Error("the caller's transport was changed")
	}
}

// delegationCA is a file with the certificate of a CA that nothing here has.
func delegationCA(t testing.TB) string {
	certificate, _ := delegationtest.SigningKeyPEM()
	return writeFile(t, "other.pem", string(certificate))
}

// TestProxy: a proxy that is down or refuses is told from an issuer that is, without the password
// in its address.
func TestProxy(t *testing.T) {
	const issuer = "https://tenant.example.com"
	w := newWorld(t)
	w.provider.SetIssuer(issuer)
	network := must(oidctest.NewNetwork(w.provider))
	caFile := writeFile(t, "ca.pem", string(network.CertificatePEM()))
	proxy := func(handler http.Handler) *httptest.Server {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server
	}
	refusing := func(status int) *httptest.Server {
		return proxy(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, "canary", status)
		}))
	}
	down := refusing(http.StatusForbidden)
	down.Close()
	for name, test := range map[string]struct {
		proxy *httptest.Server
		want  string
	}{
		"works":   {proxy(network), accepted},
		"forbids": {refusing(http.StatusForbidden), refused(delegation.CodeKeySetProxy)},
		"wants a password": {refusing(http.StatusProxyAuthRequired),
			refused(delegation.CodeKeySetProxy)},
		"is down": {down, refused(delegation.CodeKeySetProxy)},
	} {
		t.Run(name, func(t *testing.T) {
			through := must(url.Parse(test.proxy.URL))
			through.User = url.UserPassword("user", "canary-password")
			w.config.HTTPClient = &http.Client{Transport: &http.Transport{
				Proxy: http.ProxyURL(through),
			}}
			w.config.Issuers = []delegation.Issuer{{URL: issuer, CAFile: caFile}}
			err := w.wantOutcome(t, w.delegator(t), w.token(nil), test.want)
			if err == nil {
				return
			}
			e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetProxy)
			said := fmt.Sprintf("through the proxy %q", through.Host)
			if !e.Retryable || !strings.Contains(e.Error(), said) ||
				!strings.Contains(e.Remedy, "HTTPS_PROXY") || strings.Contains(e.Error(), "canary") {
				t.Errorf("got %v", e)
			}
		})
	}
}

// TestIssuerHTTPClient: an issuer's own client fetches its documents, and no other issuer's.
func TestIssuerHTTPClient(t *testing.T) {
	const one, two = "https://one.example.com", "https://two.example.com"
	w, first := withLibrary(t, delegation.Issuer{URL: one}, one+wellKnown, one+"/keys")
	_, second := withLibrary(t, delegation.Issuer{URL: two}, two+wellKnown, two+"/keys")
	own := &http.Client{Transport: second}
	w.config.Issuers = append(w.config.Issuers, delegation.Issuer{URL: two, HTTPClient: own})
	w.target(func(target *delegation.Target) {
		target.Issuers = []string{one, two}
		target.SubjectsAreOne = true
	})
	d := w.delegator(t)
	for _, iss := range []string{one, two} {
		w.wantOutcome(t, d, w.tokenOf(iss), accepted)
	}
	for host, l := range map[string]*library{one: first, two: second} {
		if !slices.Equal(l.asked, []string{host + wellKnown, host + "/keys"}) {
			t.Errorf("the client of %s was asked %q", host, l.asked)
		}
	}
	if own.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
	second.documents[two+wellKnown] = "to " + two + "/other"
	w.wantOutcome(t, w.delegator(t), w.tokenOf(two), refused(delegation.CodeDiscoveryRedirect))
}

// TestIssuerDocumentsConfig: what makes no sense is refused by New, all of it at once.
func TestIssuerDocumentsConfig(t *testing.T) {
	token := writeFile(t, "token", bearerSecret)
	set := keySet(jwk(issuerKey().Public(), nil))
	for _, test := range []struct {
		name   string
		issuer delegation.Issuer
		client *http.Client
		want   []string
	}{
		{"everything", delegation.Issuer{URL: issuerURL, CAFile: delegationCA(t),
			BearerTokenFile: token, DocumentOrigins: []string{"https://10.0.0.1:6443"},
			InsecureHTTPHosts: []string{"keycloak:8080"}}, nil, nil},
		{"a client", delegation.Issuer{URL: issuerURL, HTTPClient: &http.Client{}}, nil, nil},
		{"plain http and keys that are known", delegation.Issuer{URL: "http://dex:5556", JWKS: set,
			InsecureHTTPHosts: []string{"dex:5556"}}, nil, nil},

		{"nothing is fetched", delegation.Issuer{URL: issuerURL, JWKS: set, CAFile: token,
			BearerTokenFile: token, DocumentOrigins: []string{"https://10.0.0.1"},
			HTTPClient: &http.Client{}}, nil,
			[]string{"CAFile has no effect", "BearerTokenFile has no effect",
				"DocumentOrigins has no effect", "HTTPClient has no effect"}},
		{"two clients", delegation.Issuer{URL: issuerURL, CAFile: delegationCA(t),
			HTTPClient: &http.Client{}}, nil,
			[]string{"CAFile has no effect with Issuer.HTTPClient"}},
		{"a transport of another kind", delegation.Issuer{URL: issuerURL, CAFile: delegationCA(t)},
			noNetwork(t), []string{"CAFile: Config.HTTPClient has a transport"}},
		{"a transport that makes TLS itself",
			delegation.Issuer{URL: issuerURL, CAFile: delegationCA(t)},
			//lint:ignore SA1019 the deprecated hook makes TLS itself too
			&http.Client{Transport: &http.Transport{DialTLS: net.Dial}},
			[]string{"CAFile: Config.HTTPClient has a transport"}},
		{"no CA", delegation.Issuer{URL: issuerURL, CAFile: token}, nil,
			[]string{"CAFile: ", "no certificate in PEM"}},
		{"a key", delegation.Issuer{URL: issuerURL, CAFile: writeFile(t, "key.pem",
			"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")}, nil,
			[]string{"CAFile: ", `"PRIVATE KEY"`}},
		{"a broken certificate", delegation.Issuer{URL: issuerURL, CAFile: writeFile(t, "ca.pem",
			"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}, nil,
			[]string{"CAFile: certificate 1 of "}},
		{"no files", delegation.Issuer{URL: issuerURL, CAFile: "/nowhere/ca",
			BearerTokenFile: "/nowhere/token"}, nil, []string{
			"CAFile: open /nowhere/ca: no such file or directory: " +
				"name a file with the CA's certificate in PEM",
			"BearerTokenFile: open /nowhere/token: no such file or directory: " +
				"name a file with the token",
		}},
		{"a token and plain http", delegation.Issuer{URL: "http://dex:5556",
			InsecureHTTPHosts: []string{"dex:5556"}, BearerTokenFile: token}, nil,
			[]string{"BearerTokenFile is sent over https only"}},
		{"hosts", delegation.Issuer{URL: issuerURL, InsecureHTTPHosts: []string{"", "http://a",
			"A", "a/b", "u@a", "a:b", "a?x", "*", "ä", ":80"}}, nil,
			[]string{"InsecureHTTPHosts[0]", "InsecureHTTPHosts[1]", "InsecureHTTPHosts[2]",
				"InsecureHTTPHosts[3]", "InsecureHTTPHosts[4]", "InsecureHTTPHosts[5]",
				"InsecureHTTPHosts[6]", "InsecureHTTPHosts[8]", "InsecureHTTPHosts[9]"}},
		{"origins", delegation.Issuer{URL: issuerURL, DocumentOrigins: []string{"", "a",
			"http://a", "https://a/", "https://A", "https://u@a", "https://a?x", "https://ä",
			"https://a#x", "https://:443"}}, nil,
			[]string{"DocumentOrigins[0]", "DocumentOrigins[1]", "DocumentOrigins[2]",
				"DocumentOrigins[3]", "DocumentOrigins[4]", "DocumentOrigins[5]",
				"DocumentOrigins[6]", "DocumentOrigins[7]", "DocumentOrigins[8]",
				"DocumentOrigins[9]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Issuers = []delegation.Issuer{test.issuer}
			w.config.HTTPClient = test.client
			err := wantOfNew(t, w.config, test.want)
			if err != nil && strings.Contains(err.Error(), bearerSecret) {
				t.Errorf("the token is in %v", err)
			}
		})
	}
}

// TestIssuerCases_Documents: what is said of documents at odd places leads on, to the letter.
func TestIssuerCases_Documents(t *testing.T) {
	t.Run("kubeadm", func(t *testing.T) {
		c := readPublishedCase(t, "07-kubernetes-kubeadm-jwks_uri-by-node-address")
		w := c.world(t)
		err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeySetURL))
		e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetURL)
		const listed = `list "https://10.0.0.10:6443" in Issuer.DocumentOrigins`
		if !strings.Contains(e.Error(), listed) || strings.Contains(e.Error(), "use https") {
			t.Errorf("got %v", e)
		}
		w.config.Issuers[0].DocumentOrigins = []string{"https://10.0.0.10:6443"}
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
		w.wantOutcome(t, w.delegator(t), c.forged(), refused(delegation.CodeSignatureInvalid))
	})
	t.Run("a cluster that wants a token", func(t *testing.T) {
		c := readPublishedCase(t, "07-kubernetes-discovery-401")
		w := c.world(t)
		err := w.wantOutcome(t, w.delegator(t), c.token,
			refused(delegation.CodeKeySetUnauthorized))
		e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetUnauthorized)
		if !strings.Contains(e.Remedy, "Issuer.BearerTokenFile") {
			t.Errorf("the remedy is %q", e.Remedy)
		}
		w.config.Issuers[0].BearerTokenFile = writeFile(t, "token", bearerSecret)
		err = w.wantOutcome(t, w.delegator(t), c.token,
			refused(delegation.CodeKeySetUnauthorized))
		if err == nil || !strings.Contains(err.Error(), "401 to the bearer token") {
			t.Errorf("got %v", err)
		}

		// With a token that the cluster takes, the documents are those of the same cluster above.
		documents := readPublishedCase(t, "07-kubernetes-kubeadm-jwks_uri-by-node-address")
		ask := func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer "+bearerSecret {
				return documents.RoundTrip(r)
			}
			return c.RoundTrip(r)
		}
		w.config.HTTPClient = &http.Client{Transport: transportFunc(ask)}
		w.config.Issuers[0].DocumentOrigins = []string{"https://10.0.0.10:6443"}
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
	})
	t.Run("Keycloak's backchannel", func(t *testing.T) {
		c := readPublishedCase(t, "21-keycloak-jwks_uri-internal-http")
		w := c.world(t)
		err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeySetURL))
		e := wantError(t, err, delegation.StageToken, delegation.CodeKeySetURL)
		if !strings.Contains(e.Remedy, "Issuer.InsecureHTTPHosts") {
			t.Errorf("the remedy is %q", e.Remedy)
		}
		const keys = "http://keycloak:8080/realms/a/protocol/openid-connect/certs"
		c.documents[keys] = publishedAnswer{
			status: http.StatusOK,
			body:   string(keySet(jwk(issuerKey().Public(), nil))),
		}
		w.config.Issuers[0].InsecureHTTPHosts = []string{"keycloak:8080"}
		token := tokenBy(issuerKey(), map[string]any{"iss": c.issuers[0].URL, "aud": c.audience})
		w.wantOutcome(t, w.delegator(t), token, accepted)
		w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeyUnknown))
	})
}
