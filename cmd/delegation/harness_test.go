package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// world is an OpenID provider and an STS on loopback, and a folder with the files of a
// configuration.
type world struct {
	provider  *oidctest.Provider
	issuerURL string
	aws       *ststest.Server
	awsURL    string
	folder    string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldIn(t, t.TempDir())
}

// newBareWorld has the fakes, which know of no user's set-up, and an empty folder. It is no
// delegationtest.World: there the clock stands still and the provider and role exist, but the
// program runs by the real time, also in processes of its own, and init is tested on an account
// that is empty.
func newBareWorld(t testing.TB, folder string) *world {
	t.Helper()
	w := &world{
		provider: must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()})),
		aws:      ststest.New(ststest.Config{Region: service.DemoRegion}),
		folder:   folder,
	}
	issuer := httptest.NewServer(w.provider)
	t.Cleanup(issuer.Close)
	w.issuerURL = issuer.URL
	w.provider.SetIssuer(issuer.URL)
	mux := http.NewServeMux()
	mux.Handle("/", w.aws)
	mux.Handle("/federation", w.aws.Federation())
	aws := httptest.NewServer(mux)
	t.Cleanup(aws.Close)
	w.awsURL = aws.URL
	return w
}

func newWorldIn(t testing.TB, folder string) *world {
	t.Helper()
	w := newBareWorld(t, folder)
	w.setUp(t)
	return w
}

// setUp has AWS trust the signing key, which it writes, and know the roles.
func (w *world) setUp(t testing.TB) {
	t.Helper()
	metadata := must(delegationtest.Identity().Metadata())
	if err := w.aws.PutSAMLProvider(service.DemoPrincipal, metadata); err != nil {
		t.Fatal(err)
	}
	w.putDemoRole(t)
	certificate, key := delegationtest.SigningKeyPEM()
	w.write(t, "signing.crt", string(certificate))
	w.write(t, "signing.key", string(key))
}

// putDemoRole makes the roles that users of the configuration get.
func (w *world) putDemoRole(t testing.TB) {
	t.Helper()
	for _, role := range []string{
		service.DemoRole, strings.ReplaceAll(service.DemoRole, "photo-editor", "photo-user"),
	} {
		err := w.aws.PutRole(ststest.Role{ARN: role, TrustPolicy: service.DemoTrust})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// write writes a file of the configuration's folder and returns its path.
func (w *world) write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(w.folder, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// folderOf writes a folder of files.
func (w *world) folderOf(t testing.TB, name string, files map[string]string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(w.folder, name), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range files {
		w.write(t, filepath.Join(name, file), text)
	}
}

// writeTLS makes a certificate for 127.0.0.1 and returns the pool that trusts it.
func (w *world) writeTLS(t testing.TB, serial int64) *x509.CertPool {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	w.write(t, "tls.crt", pemBlock("CERTIFICATE", der))
	w.write(t, "tls.key", pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))))
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return pool
}

// editorAlice is the session of alice, whose group gives her the role of a photo editor.
const editorAlice = "arn:aws:sts::123456789012:assumed-role/photo-editor/alice@example.com"

// configFile writes a configuration of this world, with more lines after it, and more settings in
// its target. It returns the file's path.
func (w *world) configFile(t testing.TB, more string, target ...string) (file string) {
	t.Helper()
	settings := []string{
		fmt.Sprintf("principal: %q", service.DemoPrincipal), "region: " + service.DemoRegion,
	}
	settings = append(settings, target...)
	return w.write(t, "delegation.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
issuers:
  - {url: %q, allow_loopback_http: true}
identity_provider:
  entity_id: urn:tenant.example.com
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}
targets:
  photo-app: {%s}
rules:
  - require_verified_email: true
  - role_by_claim: {claim: groups, roles: [{match: "photo-editors?", role: %q}]}
sts: {endpoint: %q}
%s`, w.issuerURL, strings.Join(settings, ", "), service.DemoRole, w.awsURL, more))
}

// token signs an ID token of a photo editor, with claims changed or (nil) removed.
func (w *world) token(claims map[string]any) string {
	all := map[string]any{
		"sub": "auth0|alice", "aud": service.DemoTarget, "email": "alice@example.com",
		"email_verified": true, "groups": []string{"photo-editors"},
	}
	for name, value := range claims {
		all[name] = value
	}
	return must(w.provider.SignIDToken(all))
}

// expired are the claims of a token of an hour ago.
func expired() map[string]any {
	return map[string]any{
		"iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(-time.Hour).Unix(),
	}
}

// delegationForm is the form of an Auth0 client.
func delegationForm(token string) url.Values {
	return url.Values{
		"client_id":  {service.DemoTarget},
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "id_token": {token},
		"api_type": {"aws"},
	}
}

// output is what a program says, a line at a time.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	rest  []byte      // of a line that is not complete
	lines chan string // complete ones; dropped when nobody reads
}

func newOutput() *output { return &output{lines: make(chan string, 1000)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, p...)
	for {
		line, rest, complete := bytes.Cut(o.rest, []byte("\n"))
		if !complete {
			break
		}
		select {
		case o.lines <- string(line):
		default:
		}
		o.rest = rest
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// served is a delegation serve that runs.
type served struct {
	url     string
	said    *output    // to standard output
	logs    *output    // to standard error
	stop    func() int // ends it as a signal does, and returns its exit code
	process int        // 0: this one
}

// serve runs delegation serve --config in this process until the test ends.
func serve(t testing.TB, file string, environment ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{said: newOutput(), logs: newOutput()}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--config", file},
			surroundings{environment: environment, stdout: s.said, stderr: s.logs})
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { s.stop() })
	s.url = s.address(t)
	return s
}

// patience is how long a test waits for what another goroutine or process does. Only a failure
// takes that long, so it has room for a machine that is busy with other things.
const patience = 3 * time.Minute

// start runs the program as a process of its own until the test ends. It has to end well.
func start(t testing.TB, environment []string, args ...string) *served {
	t.Helper()
	s := &served{said: newOutput(), logs: newOutput()}
	command := exec.Command(binary(t), args...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout = s.said
	command.Stderr = s.logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = command.Process.Pid
	s.stop = sync.OnceValue(func() int {
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = command.Wait() // the exit code says it
		return command.ProcessState.ExitCode()
	})
	t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			t.Errorf("delegation %q ended with exit code %d: %s", args, code, s.logs)
		}
	})
	if !slices.Contains(args, "--demo") { // which says so in words
		s.url = s.address(t)
	}
	return s
}

// binary is the path of the program: this test's own binary, which is the program under that name,
// as [TestMain] says. Nothing is compiled again, and what the tests run has their race detector.
func binary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("delegation")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// What is deployed, as files of this repository.
const (
	dockerfile = "../../deploy/docker/Dockerfile"
	unitFile   = "../../deploy/systemd/delegation.service"
)

// commandLine is the words of a line of the Dockerfile or the unit.
func commandLine(t testing.TB, file, prefix string) []string {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile(file)))) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			var list []string
			if json.Unmarshal([]byte(rest), &list) == nil {
				return list
			}
			return strings.Fields(rest)
		}
	}
	t.Fatalf("%s has no line %q", file, prefix)
	return nil
}

// address waits for the line that says where it listens.
func (s *served) address(t testing.TB) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-s.logs.lines:
			var entry struct {
				Message string `json:"msg"`
				Address string `json:"address"`
				TLS     bool   `json:"tls"`
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Message == "serving" {
				return map[bool]string{true: "https://", false: "http://"}[entry.TLS] +
					entry.Address
			}
		case <-deadline:
			t.Fatalf("it does not serve: %s", s.logs)
		}
	}
}

// metricsURL is where the metrics are, as the log says.
func (s *served) metricsURL() string {
	found := metricsLine.FindStringSubmatch(s.logs.String())
	if found == nil {
		return ""
	}
	return "http://" + found[1]
}

var metricsLine = regexp.MustCompile(`"msg":"serving metrics".*?"address":"([^"]+)"`)

// client trusts the pool, and keeps no connection.
func client(pool *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		DisableKeepAlives: true,
	}}
}
