package main

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// workingYAML is a configuration of which check has nothing to say.
const workingYAML = `listen: 127.0.0.1:0
issuers:
  - url: https://tenant.example.com/
identity_provider:
  entity_id: urn:tenant.example.com
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
rules:
  - require_verified_email: true
`

// brokenScene is a machine with a configuration, and what it reaches: an issuer and AWS, both at
// their real names, behind a proxy.
type brokenScene struct {
	t      *testing.T
	folder string
	yaml   string
	// environment is that of the program.
	environment []string
	runner      *runner // nil: it has not been run

	issuer *oidctest.Provider
	aws    *ststest.Server
	// ahead is how far the clocks of both are ahead of this machine's, in nanoseconds.
	ahead atomic.Int64
	// issuerCertificate is when that of the issuer's server ends.
	issuerCertificate time.Time

	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	server    *httptest.Server // of all hosts
	// profiles is what the endpoint of profiles answers, an HTTP status. Zero: 404.
	profiles atomic.Int32
}

func newBrokenScene(t *testing.T) *brokenScene {
	s := &brokenScene{t: t, folder: t.TempDir(), yaml: workingYAML}
	s.issuerCertificate = time.Now().AddDate(1, 0, 0)
	now := func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	s.issuedBy(oidctest.Config{Key: delegationtest.IssuerKey(), Now: now})
	s.aws = ststest.New(ststest.Config{Region: "eu-central-1", Now: now})
	certificate, key := delegationtest.SigningKeyPEM()
	s.write("signing.crt", string(certificate))
	s.write("signing.key", string(key))
	s.connect()
	return s
}

// issuedBy replaces the issuer by another one.
func (s *brokenScene) issuedBy(c oidctest.Config) {
	s.issuer = must(oidctest.New(c))
	s.issuer.SetIssuer("https://tenant.example.com/")
}

// write writes a file for its owner alone.
func (s *brokenScene) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// mkdir makes a folder.
func (s *brokenScene) mkdir(name string) {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.folder, name), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// mode changes the mode of a file.
func (s *brokenScene) mode(name string, mode os.FileMode) {
	s.t.Helper()
	if err := os.Chmod(filepath.Join(s.folder, name), mode); err != nil {
		s.t.Fatal(err)
	}
}

// replace changes the configuration.
func (s *brokenScene) replace(old, text string) {
	s.t.Helper()
	if strings.Count(s.yaml, old) != 1 {
		s.t.Fatalf("%q is not there once: %s", old, s.yaml)
	}
	s.yaml = strings.Replace(s.yaml, old, text, 1)
}

// connect starts the server of all hosts and the proxy that leads to it.
func (s *brokenScene) connect() {
	s.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(2, 0, 0),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key))
	s.authority = must(x509.ParseCertificate(der))
	s.write("ca.pem", pemBlock("CERTIFICATE", der))
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that go away
	s.server.TLS = &tls.Config{GetCertificate: s.certificate}
	s.server.StartTLS()
	s.t.Cleanup(s.server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(s.tunnel))
	s.t.Cleanup(proxy.Close)
	s.environment = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "HTTPS_PROXY=" + proxy.URL,
		"HTTP_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + filepath.Join(s.folder, "ca.pem"),
		"SSL_CERT_DIR=" + filepath.Join(s.folder, "none"), // reading the machine's takes long
	}
}

// certificate is that of a host.
func (s *brokenScene) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	ends := time.Now().AddDate(1, 0, 0)
	if strings.HasPrefix(hello.ServerName, "tenant.") {
		ends = s.issuerCertificate
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{hello.ServerName},
		NotBefore: time.Now().AddDate(0, -6, 0), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.authority, s.key.Public(), s.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}, err
}

// tunnel is a proxy that leads every host to the server.
func (s *brokenScene) tunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		s.ServeHTTP(w, r)
		return
	}
	server, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close() // which ends the other direction, too
			_ = pair[1].Close()
		})
	}
	both.Wait()
}

// ServeHTTP implements http.Handler: STS and profiles have their hosts, and the issuer all others.
func (s *brokenScene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Host, "sts.") {
		s.aws.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.Host, "profiles.") {
		w.WriteHeader(cmp.Or(int(s.profiles.Load()), http.StatusNotFound))
		return
	}
	s.issuer.ServeHTTP(w, r)
}

// run runs the program on the configuration, in a process that this scene has for all its commands.
func (s *brokenScene) run(until string, args ...string) programAnswer {
	s.t.Helper()
	s.write("delegation.yaml", s.yaml)
	if s.runner == nil {
		s.runner = startRunner(s.t, s.environment)
	}
	return s.runner.run(s.t, programRun{
		Args:        append(args, "--config", "delegation.yaml"),
		Environment: s.environment,
		Folder:      s.folder,
		Until:       until,
	})
}

// check returns what check prints for programs, without what is all right and without notes.
func (s *brokenScene) check() (code int, wrong []checkEntry, stderr string) {
	s.t.Helper()
	a := s.run("", "check", "--json")
	if a.Code == exitUsage {
		return a.Code, nil, string(a.Stderr)
	}
	var all []checkEntry
	if err := json.Unmarshal(a.Stdout, &all); err != nil {
		s.t.Fatalf("%v: %s%s", err, a.Stdout, a.Stderr)
	}
	wrong = slices.DeleteFunc(all, func(e checkEntry) bool {
		return e.State == "ok" || e.State == "note"
	})
	return a.Code, wrong, string(a.Stderr)
}

// serveSays runs serve until a line of its log has the text, or until it ends. It returns whether
// its log said so, or else its exit code and all that it said.
func (s *brokenScene) serveSays(text string) (logged bool, code int, all string) {
	s.t.Helper()
	a := s.run(text, "serve")
	return a.Found, a.Code, string(a.Stderr)
}

// hasText tells whether a line of the log has a text in one of its values.
func hasText(line, text string) bool {
	var values map[string]any
	if json.Unmarshal([]byte(line), &values) != nil {
		return false
	}
	for _, value := range values {
		if said, ok := value.(string); ok && strings.Contains(said, text) {
			return true
		}
	}
	return false
}

// signingCertificate writes a key pair with a certificate that is changed.
func (s *brokenScene) signingCertificate(change func(*x509.Certificate)) {
	s.t.Helper()
	key := delegationtest.SigningKey().Signer.(*rsa.PrivateKey)
	s.write("signing.crt", certificateOf(key, change))
}

// certificateOf is a certificate of a key in PEM.
func certificateOf(key crypto.Signer, change func(*x509.Certificate)) string {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(5, 0, 0),
	}
	change(template)
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return pemBlock("CERTIFICATE", der)
}

// privatePEM is a private key in PEM.
func privatePEM(key any) string {
	return pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}
