package main_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	version = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
	cloud   = "gcpkms://" + version
)

// google is Cloud KMS behind a proxy. before runs in each signature.
type google struct {
	t       *testing.T
	private *rsa.PrivateKey
	before  func()
}

func sum(data []byte) string {
	return fmt.Sprint(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := map[string]any{"name": version}
	switch r.Host + r.URL.Path {
	case "oauth2.googleapis.com/token":
		w.Header().Set("Content-Type", "application/json")
		answer = map[string]any{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
	case "cloudkms.googleapis.com/v1/" + version + "/publicKey":
		der, err := x509.MarshalPKIXPublicKey(&g.private.PublicKey)
		if err != nil {
			g.t.Error(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		answer["pem"] = string(text)
		answer["pemCrc32c"] = sum(text)
		answer["algorithm"] = "RSA_SIGN_PKCS1_2048_SHA256"
	case "cloudkms.googleapis.com/v1/" + version + ":asymmetricSign":
		if g.before != nil {
			g.before()
		}
		var request struct{ Digest struct{ SHA256 []byte } }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			g.t.Error(err)
		}
		signature, err := g.private.Sign(rand.Reader, request.Digest.SHA256, crypto.SHA256)
		if err != nil {
			g.t.Error(err)
		}
		answer["signature"] = signature
		answer["signatureCrc32c"] = sum(signature)
		answer["verifiedDigestCrc32c"] = true
	default:
		g.t.Errorf("%s%s", r.Host, r.URL)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		g.t.Error(err)
	}
}

// environment starts the cloud and a proxy to it, and returns the variables that lead there.
func (g *google) environment() []string {
	folder := g.t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			g.t.Fatal(err)
		}
		return file
	}
	certificate := serverCertificate(g.t)
	server := httptest.NewUnstartedServer(g)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	g.t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnel(g.t, w, r, server.Listener.Addr().String())
	}))
	g.t.Cleanup(proxy.Close)

	der, err := x509.MarshalPKCS8PrivateKey(g.private)
	if err != nil {
		g.t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type":         "service_account",
		"client_email": "delegation@p.iam.gserviceaccount.com",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":    "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return []string{
		"GOOGLE_APPLICATION_CREDENTIALS=" + write("account.json", account),
		"HTTPS_PROXY=" + proxy.URL,
		"NO_PROXY=",
		"SSL_CERT_FILE=" + write("ca.pem", pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})),
	}
}

func serverCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		DNSNames:              []string{"cloudkms.googleapis.com", "oauth2.googleapis.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// tunnel is a proxy's CONNECT, which leads to one address whatever is asked for.
func tunnel(t *testing.T, w http.ResponseWriter, r *http.Request, address string) {
	if r.Method != http.MethodConnect {
		t.Errorf("%s %s", r.Method, r.URL)
		return
	}
	there, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = there.Close() }()
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = here.Close() }()
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

func newGoogle(t *testing.T) *google {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &google{t: t, private: private}
}

func (g *google) check(a answer, digest [32]byte) {
	g.t.Helper()
	if a.Error != nil {
		g.t.Errorf("%+v", *a.Error)
		return
	}
	err := rsa.VerifyPKCS1v15(&g.private.PublicKey, crypto.SHA256, digest[:], a.Signature)
	if err != nil {
		g.t.Error(err)
	}
}

// TestProgram: the program as the service starts it, behind a proxy and with a CA of its own.
func TestProgram(t *testing.T) {
	g := newGoogle(t)
	p := start(t, g.environment(), cloud)
	first := p.read()
	public, err := x509.MarshalPKIXPublicKey(&g.private.PublicKey)
	if err != nil || first.Protocol != 1 || !bytes.Equal(first.PublicKey, public) {
		t.Fatalf("%+v, %v", first, err)
	}
	digest := sha256.Sum256([]byte("document"))
	const requests = 100
	go func() {
		for id := range requests {
			_, _ = fmt.Fprintf(p.in, `{"id":%d,"digest":"%s","hash":"SHA-256"}`+"\n", id,
				base64.StdEncoding.EncodeToString(digest[:]))
		}
	}()
	seen := map[uint64]bool{}
	for range requests {
		a := p.read()
		g.check(a, digest)
		seen[a.ID] = true
	}
	rest, log, code := p.end()
	if rest != "" || log != "" || code != 0 || len(seen) != requests {
		t.Errorf("%d %q, %d answered\n%s", code, rest, len(seen), log)
	}
}

// TestProgram_Garbage: what is under way is answered before the program ends.
func TestProgram_Garbage(t *testing.T) {
	g := newGoogle(t)
	p := start(t, g.environment(), cloud)
	p.read()
	digest := sha256.Sum256([]byte("document"))
	p.request(1, digest[:])
	_, _ = io.WriteString(p.in, "GET / HTTP/1.1\r\n")
	g.check(p.read(), digest)
	rest, log, code := p.end()
	if rest != "" || code != 1 || !strings.Contains(log, "a line that is not a request") {
		t.Errorf("%d %q\n%s", code, rest, log)
	}
}

// TestProgram_SIGTERM: systemd stops the service and this program at the same time. The service
// still has exchanges to finish, so the program serves until standard input ends.
func TestProgram_SIGTERM(t *testing.T) {
	for _, sent := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		g := newGoogle(t)
		var p *program
		signals := make(chan os.Signal, 1)
		signals <- sent
		g.before = func() {
			select {
			case s := <-signals:
				if err := p.cmd.Process.Signal(s); err != nil {
					t.Error(err)
				}
			default:
			}
		}
		p = start(t, g.environment(), cloud)
		p.read()
		digest := sha256.Sum256([]byte("document"))
		for id := range 3 {
			p.request(id, digest[:])
			g.check(p.read(), digest)
		}
		rest, log, code := p.end()
		if rest != "" || code != 0 || !strings.Contains(log, "serving until standard input ends") {
			t.Errorf("%v: %d %q\n%s", sent, code, rest, log)
		}
	}
}

// TestProgram_SecondSignal: a person who wants the program to end sends two.
func TestProgram_SecondSignal(t *testing.T) {
	g := newGoogle(t)
	p := start(t, g.environment(), cloud)
	p.read()
	digest := sha256.Sum256([]byte("document"))
	stopped := make(chan struct{})
	defer close(stopped)
	g.before = func() {
		_ = p.cmd.Process.Signal(os.Interrupt)
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-stopped:
		case <-time.After(time.Minute):
			t.Error("the program did not end")
		}
	}
	p.request(1, digest[:])
	rest, err := io.ReadAll(p.out) // ends with the program; standard input is still open
	if err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	err = p.cmd.Wait()
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d: %v", code, err)
	}
	if !strings.Contains(p.log.String(), "second signal") {
		t.Errorf("log: %s", p.log)
	}
}
