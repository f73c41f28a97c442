//go:build interop

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
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

const (
	proxiedName   = "delegation.example.com"
	proxiedClient = "127.0.0.9" // one of loopback's many addresses
)

// TestInterop_Proxies: nginx and Caddy, with the snippets of docs/proxies.md, in front of the
// service. The log has the client's address, whatever the client writes into headers, and the
// request ID of the proxy. The largest ID token passes, and a body that is too large does not. No
// proxy logs or stores a token.
func TestInterop_Proxies(t *testing.T) {
	needs(t, "nginx", "nginx-light")
	needs(t, "caddy", "caddy")
	if _, inside := inNamespaces(t); !inside {
		return
	}
	for name, row := range map[string]struct {
		start func(t *testing.T, p *proxied)
		tls   bool // between the proxy and the service
	}{
		"nginx":          {startNginx, false},
		"nginx with TLS": {startNginx, true},
		"Caddy":          {startCaddy, false},
		"Caddy with TLS": {startCaddy, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t, row.tls)
			row.start(t, p)
			p.waitUntilReady(t)
			t.Run("a client that forges headers", p.forged)
			t.Run("the largest token", p.largestToken)
			t.Run("a body that is too large", p.tooLarge)
			t.Run("nothing is kept", p.nothingKept)
		})
	}
}

// proxied is a service on 127.0.0.1:8080, and how a client reaches it through a proxy.
type proxied struct {
	world        *world
	service      *served
	tls          bool
	certificate  string // files, for the proxied name
	key          string
	folder       string // of the proxy
	said         *output
	client       *http.Client
	trusts       *x509.CertPool
	tokens       []string // that were sent
	proxiesFiles []string // folders in which the proxy may write
}

func newProxied(t *testing.T, tlsToService bool) *proxied {
	t.Helper()
	p := &proxied{
		world:  newWorld(t),
		tls:    tlsToService,
		folder: t.TempDir(),
		said:   newOutput(),
		trusts: x509.NewCertPool(),
	}
	openToAll(t, p.folder)
	p.writeCertificate(t)
	p.proxiesFiles = []string{p.folder, "/var/log"}
	environment := []string{
		"DELEGATION_LISTEN=127.0.0.1:8080", "DELEGATION_HTTP_TRUSTED_PROXIES=1",
	}
	if p.tls {
		environment = append(environment, "DELEGATION_TLS_CERTIFICATE_FILE="+p.certificate,
			"DELEGATION_TLS_KEY_FILE="+p.key)
	}
	p.service = start(t, environment, "serve", "--config", p.world.configFile(t, ""))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(proxiedClient)}}
	p.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", "127.0.0.1:443")
		},
		TLSClientConfig:   &tls.Config{RootCAs: p.trusts},
		ForceAttemptHTTP2: true,
	}}
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// writeCertificate makes a certificate for the proxied name, which is its own CA.
func (p *proxied) writeCertificate(t *testing.T) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{proxiedName},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	p.certificate = filepath.Join(p.folder, "tls.crt")
	p.key = filepath.Join(p.folder, "tls.key")
	private := must(x509.MarshalPKCS8PrivateKey(key))
	for file, text := range map[string]string{
		p.certificate: pemBlock("CERTIFICATE", der), p.key: pemBlock("PRIVATE KEY", private),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// snippets are the blocks of a language of docs/proxies.md.
func snippets(t *testing.T, language string) (first, withTLS string) {
	t.Helper()
	page := string(must(os.ReadFile("../../docs/proxies.md")))
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(found) != 2 {
		t.Fatalf("%d blocks of %s", len(found), language)
	}
	return found[0][1], found[1][1]
}

// replaceOnce replaces a text that must be there once.
func replaceOnce(t *testing.T, text, old, by string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is there %d times:\n%s", old, strings.Count(text, old), text)
	}
	return strings.Replace(text, old, by, 1)
}

// startNginx installs the snippet where the page says, and starts nginx as Debian configures it.
func startNginx(t *testing.T, p *proxied) {
	snippet, withTLS := snippets(t, "nginx")
	if p.tls {
		snippet = replaceOnce(t, snippet, "        proxy_pass http://delegation;\n", withTLS)
	}
	const file = "/etc/nginx/conf.d/delegation.conf"
	if err := os.WriteFile(file, []byte(snippet), 0o644); err != nil {
		t.Fatal(err)
	}
	copyFile(t, p.certificate, "/etc/nginx/tls/delegation.crt", 0o644)
	copyFile(t, p.key, "/etc/nginx/tls/delegation.key", 0o600)
	copyFile(t, p.certificate, "/etc/nginx/tls/ca.crt", 0o644)
	p.trusts.AppendCertsFromPEM(must(os.ReadFile(p.certificate)))
	if err := os.MkdirAll("/var/log/nginx", 0o755); err != nil {
		t.Fatal(err)
	}
	// At this level it logs each body that it writes to a file.
	const log = "error_log /var/log/nginx/warnings.log warn;\n"
	if err := os.WriteFile("/etc/nginx/conf.d/log.conf", []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	p.proxiesFiles = append(p.proxiesFiles, "/var/lib/nginx")
	p.run(t, nil, "nginx", "-g", "daemon off;")
}

// startCaddy starts Caddy with the snippet, and with a CA of its own in place of one that it would
// have to ask for.
func startCaddy(t *testing.T, p *proxied) {
	snippet, withTLS := snippets(t, "caddyfile")
	if p.tls {
		snippet = replaceOnce(t, snippet, " 127.0.0.1:8080 {\n", " https://127.0.0.1:8080 {\n")
		const transport = "\t\ttransport http {\n"
		snippet = replaceOnce(t, snippet, transport, transport+withTLS)
		copyFile(t, p.certificate, "/etc/caddy/ca.crt", 0o644)
	}
	const here = "{\n\tlocal_certs\n\tskip_install_trust\n\tadmin off\n}\n"
	file := filepath.Join(p.folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(here+snippet), 0o644); err != nil {
		t.Fatal(err)
	}
	environment := []string{
		"HOME=" + p.folder, "XDG_DATA_HOME=" + p.folder, "XDG_CONFIG_HOME=" + p.folder,
	}
	p.run(t, environment, "caddy", "run", "--config", file, "--adapter", "caddyfile")
	root := filepath.Join(p.folder, "caddy", "pki", "authorities", "local", "root.crt")
	p.until(t, func() bool {
		text, err := os.ReadFile(root)
		return err == nil && p.trusts.AppendCertsFromPEM(text)
	})
}

// run runs the proxy until the test ends.
func (p *proxied) run(t *testing.T, environment []string, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout = p.said
	command.Stderr = p.said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
}

// until waits until something has happened.
func (p *proxied) until(t *testing.T, happened func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !happened() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("the proxy does not start: %s", p.said)
		}
	}
}

func (p *proxied) waitUntilReady(t *testing.T) {
	t.Helper()
	p.until(t, func() bool {
		answer, err := p.client.Get("https://" + proxiedName + "/ready")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// token returns a token, and remembers that it was sent.
func (p *proxied) token(claims map[string]any) string {
	token := p.world.token(claims)
	p.tokens = append(p.tokens, token)
	return token
}

// form is the request of an exchange.
func (p *proxied) form(t *testing.T, form url.Values) *http.Request {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://"+proxiedName+"/delegation", strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// forged: what a client says of itself counts for nothing.
func (p *proxied) forged(t *testing.T) {
	r := p.form(t, delegationForm(p.token(nil)))
	r.Header["X-Forwarded-For"] = []string{"6.6.6.6", "7.7.7.7, 8.8.8.8"}
	r.Header.Set("Forwarded", "for=6.6.6.6")
	r.Header.Set("X-Real-Ip", "6.6.6.6")
	r.Header.Set("X-Request-Id", "forged-request")
	answer, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	ids := answer.Header.Values("X-Request-Id")
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 || len(ids) != 1 ||
		ids[0] == "" || ids[0] == "forged-request" {
		t.Fatalf("%s %s, request ID %q: %s", answer.Proto, answer.Status, ids, p.service.logs)
	}
	line := waitFor(t, p.service, `"http_request_id":"`+ids[0]+`"`)
	var entry struct {
		Event struct {
			Outcome  string `json:"outcome"`
			ClientIP string `json:"client_ip"`
		} `json:"event"`
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatal(err)
	}
	if entry.Event.ClientIP != proxiedClient || entry.Event.Outcome != "allowed" {
		t.Errorf("the client is %q, want %s: %s", entry.Event.ClientIP, proxiedClient, line)
	}
}

// largestToken: one header with a token of nearly 16 KiB, which is all that the service takes.
func (p *proxied) largestToken(t *testing.T) {
	const limit = 16 << 10
	empty := len(p.world.token(map[string]any{"padding": ""}))
	padding := (limit - 8 - empty) / 4 * 3 // base64
	token := p.token(map[string]any{"padding": strings.Repeat("x", padding)})
	if len(token) > limit || len(token) < limit-64 {
		t.Fatalf("%d bytes", len(token))
	}
	status, body := get(t, p.client, "https://"+proxiedName+"/credentials?target="+
		service.DemoTarget, "Authorization", token)
	if status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	form := delegationForm(token)
	form.Set("padding", strings.Repeat("x", 40<<10)) // so that the body has nearly 64 KiB
	status, body = post(t, p.client, "https://"+proxiedName+"/delegation", form)
	if status != http.StatusOK {
		t.Errorf("in a body: %d %s", status, body)
	}
}

// tooLarge: above 64 KiB there is an answer, and not a broken connection. Caddy sends what it reads
// at once. So the service may refuse first, and closes the connection on which Caddy still writes.
func (p *proxied) tooLarge(t *testing.T) {
	form := delegationForm(p.token(nil))
	form.Set("padding", strings.Repeat("x", 70<<10))
	answer, err := p.client.Do(p.form(t, form))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	const tooLarge = http.StatusRequestEntityTooLarge
	caddy := answer.Header.Get("Server") == "Caddy"
	if answer.StatusCode != tooLarge && !(caddy && answer.StatusCode == http.StatusBadGateway) {
		t.Error(answer.Status)
	}
}

// nothingKept: neither what the proxy says nor a file of it has a token.
func (p *proxied) nothingKept(t *testing.T) {
	files := map[string][]byte{"what it says": []byte(p.said.String())}
	for _, folder := range p.proxiesFiles {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files[path], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if bytes.Contains(text, []byte("temporary file")) {
			t.Errorf("a body was in a file: %s", text)
		}
		for _, token := range p.tokens {
			signature := token[strings.LastIndex(token, ".")+1:]
			if bytes.Contains(text, []byte(signature)) {
				t.Errorf("a token is in %s", name)
			}
		}
	}
}
