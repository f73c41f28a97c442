package google_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/signer/internal/google"
	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/loopback"
)

const (
	name = "projects/p-1/locations/europe-west3/keyRings/r/cryptoKeys/saml/cryptoKeyVersions/3"
	uri  = "gcpkms://" + name
	// secret must never be in an error.
	secret = "ya29.very-secret"
)

var private = sync.OnceValue(func() *rsa.PrivateKey {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return made
})

func sum(data []byte) string {
	return fmt.Sprint(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

// cloud is Cloud KMS and Google's token endpoint. Each field replaces what is right.
type cloud struct {
	t         *testing.T
	algorithm string
	public    any
	damage    func(answer map[string]any)
	calls     func(w http.ResponseWriter, r *http.Request) (done bool)
	tokens    func(w http.ResponseWriter) (done bool)
	life      int // of access tokens, in seconds

	mu    sync.Mutex
	count map[string]int
	waits []time.Duration
	now   time.Time
}

func newCloud(t *testing.T) *cloud {
	return &cloud{
		t:         t,
		algorithm: "RSA_SIGN_PKCS1_2048_SHA256",
		public:    &private().PublicKey,
		count:     map[string]int{},
	}
}

func (c *cloud) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[what]++
}

func (c *cloud) counted(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[what]
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.note(r.Method)
	if got := r.Header.Get("Authorization"); got != "Bearer "+secret {
		c.t.Errorf("the request has the authorization %q", got)
	}
	if c.calls != nil && c.calls(w, r) {
		return
	}
	answer := map[string]any{"name": name, "protectionLevel": "HSM"}
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/" + name + "/publicKey":
		der, err := x509.MarshalPKIXPublicKey(c.public)
		if err != nil {
			c.t.Error(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		answer["pem"] = string(text)
		answer["pemCrc32c"] = sum(text)
		answer["algorithm"] = c.algorithm
	case "POST /v1/" + name + ":asymmetricSign":
		c.sign(r, answer)
	default:
		c.t.Errorf("%s %s", r.Method, r.URL)
	}
	if c.damage != nil {
		c.damage(answer)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		c.t.Error(err)
	}
}

func (c *cloud) sign(r *http.Request, answer map[string]any) {
	var request struct {
		Digest       map[string][]byte
		DigestCRC32C string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		c.t.Error(err)
	}
	hash := crypto.SHA256
	digest := request.Digest["sha256"]
	if digest == nil {
		hash = crypto.SHA512
		digest = request.Digest["sha512"]
	}
	signature, err := private().Sign(rand.Reader, digest, hash)
	if err != nil {
		c.t.Error(err)
	}
	answer["verifiedDigestCrc32c"] = request.DigestCRC32C == sum(digest)
	answer["signature"] = signature
	answer["signatureCrc32c"] = sum(signature)
}

func (c *cloud) serveToken(w http.ResponseWriter, r *http.Request) {
	c.note("token")
	if r.URL.Path != "/token" || r.PostFormValue("assertion") == "" {
		c.t.Errorf("%s %v", r.URL, r.PostForm)
	}
	if c.tokens != nil && c.tokens(w) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, secret,
		cmp.Or(c.life, 3600))
}

// open opens the key with the credentials of a service account.
func (c *cloud) open(uri string) (key.Key, error) {
	c.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private())
	if err != nil {
		c.t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type":         "service_account",
		"client_email": "delegation@p-1.iam.gserviceaccount.com",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":    "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		c.t.Fatal(err)
	}
	file := filepath.Join(c.t.TempDir(), "account.json")
	if err := os.WriteFile(file, account, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	return google.Open(c.t.Context(), uri, google.Options{
		Transport: loopback.New(c.t, map[string]http.Handler{
			"cloudkms.googleapis.com": c,
			"oauth2.googleapis.com":   http.HandlerFunc(c.serveToken),
		}),
		Wait: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.waits = append(c.waits, d)
			c.now = c.now.Add(d)
			return ctx.Err()
		},
		Now: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.now
		},
	})
}

func (c *cloud) mustOpen() key.Key {
	c.t.Helper()
	k, err := c.open(uri)
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

var digest = sha256.Sum256([]byte("document"))

// wantFailure checks an error, and that nothing secret is in it.
func wantFailure(t *testing.T, err error, text, remedy string, temporary bool) {
	t.Helper()
	var failure *key.Failure
	if !errors.As(err, &failure) {
		t.Errorf("got %v, want a failure with %q", err, text)
		return
	}
	if !strings.Contains(failure.Text, text) || !strings.Contains(failure.Remedy, remedy) ||
		failure.Temporary != temporary {
		t.Errorf("got %+v\nwant %q, %q, temporary %v", failure, text, remedy, temporary)
	}
	if said := failure.Text + failure.Remedy; strings.Contains(said, secret) ||
		strings.Contains(said, "PRIVATE KEY") {
		t.Errorf("a secret is told: %s", said)
	}
}

func TestSign(t *testing.T) {
	c := newCloud(t)
	k := c.mustOpen()
	defer k.Close()
	if !k.Public().Equal(&private().PublicKey) {
		t.Error("another public key")
	}
	for range 2 {
		signature, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		err = rsa.VerifyPKCS1v15(&private().PublicKey, crypto.SHA256, digest[:], signature)
		if err != nil {
			t.Error(err)
		}
	}
	if c.counted("token") != 1 || c.counted("POST") != 2 {
		t.Errorf("calls: %v", c.count)
	}
}

func TestSign_SHA512(t *testing.T) {
	c := newCloud(t)
	c.algorithm = "RSA_SIGN_PKCS1_4096_SHA512"
	k := c.mustOpen()
	long := sha512.Sum512([]byte("document"))
	signature, err := k.Sign(t.Context(), crypto.SHA512, long[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(k.Public(), crypto.SHA512, long[:], signature); err != nil {
		t.Error(err)
	}
	_, err = k.Sign(t.Context(), crypto.SHA256, digest[:])
	wantFailure(t, err, "signs digests of SHA-512 only", "rsa-sign-pkcs1-3072-sha256", false)
}

func TestOpen_URI(t *testing.T) {
	c := newCloud(t)
	for _, wrong := range []string{
		"gcpkms://",
		"gcpkms:" + name,
		"gcpkms:///" + name,
		uri + "/",
		uri + "?x",
		"gcpkms://projects/p-1/locations/l/keyRings/r/cryptoKeys/saml",
		strings.Replace(uri, "/3", "/latest", 1),
		strings.Replace(uri, "saml", "..", 1),
		strings.Replace(uri, "saml", "a%2Fb", 1),
		strings.Replace(uri, "p-1", "", 1),
	} {
		_, err := c.open(wrong)
		wantFailure(t, err, "names no key version", "gcpkms://projects/PROJECT", false)
	}
	if len(c.count) != 0 {
		t.Errorf("calls: %v", c.count)
	}
}

// TestOpen_WrongKey: keys that cannot sign assertions are refused at the start.
func TestOpen_WrongKey(t *testing.T) {
	for _, algorithm := range []string{
		"RSA_SIGN_PSS_2048_SHA256", "RSA_DECRYPT_OAEP_2048_SHA256", "EC_SIGN_P256_SHA256",
		"RSA_SIGN_RAW_PKCS1_2048", "",
	} {
		c := newCloud(t)
		c.algorithm = algorithm
		_, err := c.open(uri)
		wantFailure(t, err, fmt.Sprintf("the algorithm %q", algorithm), "asymmetric-signing", false)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	c.public = &weak.PublicKey
	_, err = c.open(uri)
	wantFailure(t, err, "only 1024 bits", "2048", false)

	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.public = &curve.PublicKey
	_, err = c.open(uri)
	wantFailure(t, err, "not an RSA key", "2048", false)
}

// TestDamage: what was damaged on its way, or is of another key, is never used.
func TestDamage(t *testing.T) {
	for name, test := range map[string]struct {
		field string
		value any
		want  string
	}{
		"public key of another version": {"name", name + "1", "answered with another key version"},
		"public key without a name":     {"name", nil, "answered with another key version"},
		"damaged public key":            {"pemCrc32c", "1", "its CRC32C differs"},
		"unchecked public key":          {"pemCrc32c", nil, "its CRC32C differs"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.damage = func(answer map[string]any) { answer[test.field] = test.value }
			_, err := c.open(uri)
			wantFailure(t, err, test.want, "retry", true)
		})
	}
	for name, test := range map[string]struct {
		field string
		value any
		want  string
	}{
		"signature of another version": {"name", "x", "signed with another key version"},
		"damaged digest":               {"verifiedDigestCrc32c", false, "digest was damaged"},
		"unchecked digest":             {"verifiedDigestCrc32c", nil, "digest was damaged"},
		"damaged signature":            {"signature", []byte("x"), "its CRC32C differs"},
		"unchecked signature":          {"signatureCrc32c", nil, "its CRC32C differs"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			k := c.mustOpen()
			c.damage = func(answer map[string]any) { answer[test.field] = test.value }
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, test.want, "retry", true)
		})
	}
}

func refuse(status int, word, message string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"status":%q}}`, status, message,
			word)
		return true
	}
}

// TestRefusals: each of Google's errors says what to do. Only those that may pass are retried.
func TestRefusals(t *testing.T) {
	raw := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, test := range map[string]struct {
		calls        func(http.ResponseWriter, *http.Request) bool
		text, remedy string
		temporary    bool
	}{
		"throttled": {
			refuse(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'HSM asymmetric'"),
			"429 RESOURCE_EXHAUSTED: Quota exceeded", "quota", true,
		},
		"internal":    {refuse(500, "INTERNAL", "x"), "500 INTERNAL: x", "status.cloud", true},
		"unavailable": {refuse(503, "UNAVAILABLE", "x"), "503 UNAVAILABLE", "wait", true},
		"late":        {refuse(504, "DEADLINE_EXCEEDED", "x"), "504", "wait", true},
		"proxy":       {raw(502, "<html>Bad Gateway</html>"), "answered with 502", "wait", true},
		"denied": {
			refuse(403, "PERMISSION_DENIED", "Permission denied on resource"),
			"403 PERMISSION_DENIED", "cloudkms.cryptoKeyVersions.useToSign on the key", false,
		},
		"no token": {refuse(401, "UNAUTHENTICATED", "x"), "401", "Application Default", false},
		"gone":     {refuse(404, "NOT_FOUND", "x"), "no key version projects/p-1", "URI", false},
		"disabled": {
			refuse(400, "FAILED_PRECONDITION", "is not enabled, current state is: DISABLED."),
			"state is: DISABLED", "versions enable", false,
		},
		"wrong purpose": {refuse(400, "INVALID_ARGUMENT", "x"), "400", "asymmetric-signing", false},
		"redirect": {
			func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusFound)
				return true
			}, "answered with 302", "read what", false,
		},
		"no JSON":  {raw(200, "<html>"), "no JSON of the expected form", "retry", true},
		"too long": {raw(200, strings.Repeat(" ", 64<<10+1)), "more than 65536", "retry", true},
		"cut off": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Length", "100")
				return true
			}, "no answer from Cloud KMS: unexpected EOF", "DNS", true,
		},
		"hung up": {
			func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
			"no answer from Cloud KMS: EOF", "DNS", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			k := c.mustOpen()
			c.calls = test.calls
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, test.text, test.remedy, test.temporary)
			attempts := 1
			if test.temporary {
				attempts = 3
			}
			// net/http itself may repeat a request whose connection ended before an answer.
			if got := c.counted("POST"); got != attempts && name != "hung up" {
				t.Errorf("%d attempts, want %d", got, attempts)
			}
		})
	}
}

// TestOpen_Denied: the permission is the one that the first call needs.
func TestOpen_Denied(t *testing.T) {
	c := newCloud(t)
	c.calls = refuse(403, "PERMISSION_DENIED", "x")
	_, err := c.open(uri)
	wantFailure(t, err, "403", "cloudkms.cryptoKeyVersions.viewPublicKey on the key", false)
	wantFailure(t, err, "403", "roles/cloudkms.signerVerifier", false)
}

// TestSign_Again: an outage that passes costs no exchange.
func TestSign_Again(t *testing.T) {
	c := newCloud(t)
	k := c.mustOpen()
	c.calls = func(w http.ResponseWriter, r *http.Request) bool {
		return c.counted("POST") < 3 && refuse(503, "UNAVAILABLE", "x")(w, r)
	}
	if _, err := k.Sign(t.Context(), crypto.SHA256, digest[:]); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(c.waits); got != "[200ms 400ms]" {
		t.Errorf("waits: %s", got)
	}
}

// TestSign_Context: a request that was given up is not retried.
func TestSign_Context(t *testing.T) {
	c := newCloud(t)
	k := c.mustOpen()
	ctx, cancel := context.WithCancel(t.Context())
	c.calls = func(w http.ResponseWriter, r *http.Request) bool {
		cancel()
		return refuse(503, "UNAVAILABLE", "x")(w, r)
	}
	_, err := k.Sign(ctx, crypto.SHA256, digest[:])
	if err == nil || c.counted("POST") != 1 || len(c.waits) > 1 {
		t.Errorf("%v after %d calls and %d pauses", err, c.counted("POST"), len(c.waits))
	}
}

// TestTokens: errors of the token endpoint are told apart from those of Cloud KMS.
func TestTokens(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, test := range map[string]struct {
		tokens       func(http.ResponseWriter) bool
		text, remedy string
		temporary    bool
	}{
		"revoked": {
			answer(400, `{"error":"invalid_grant","error_description":"account `+secret+`"}`),
			"token endpoint answered with 400", "not be revoked", false,
		},
		"down":      {answer(503, ""), "token endpoint answered with 503", "wait", true},
		"throttled": {answer(429, ""), "token endpoint answered with 429", "wait", true},
		"no JSON":   {answer(200, "<"), "answered with 200, and no token", "network", true},
		"no answer": {
			func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
			"no access token for Google Cloud: EOF", "network", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.tokens = test.tokens
			_, err := c.open(uri)
			wantFailure(t, err, test.text, test.remedy, test.temporary)
			if c.counted("GET") != 0 {
				t.Error("Cloud KMS was called without a token")
			}
		})
	}
}

// TestOddAnswers: no error repeats anything of an answer that is not of the expected form, from
// any of the servers that are called.
func TestOddAnswers(t *testing.T) {
	for i, odd := range loopback.Odd(secret) {
		t.Run(fmt.Sprint("Cloud KMS ", i), func(t *testing.T) {
			c := newCloud(t)
			c.calls = func(w http.ResponseWriter, _ *http.Request) bool {
				loopback.Raw(t, w, odd)
				return true
			}
			_, err := c.open(uri)
			wantNoSecret(t, err, "Cloud KMS")
		})
		t.Run(fmt.Sprint("token endpoint ", i), func(t *testing.T) {
			c := newCloud(t)
			c.tokens = func(w http.ResponseWriter) bool {
				loopback.Raw(t, w, odd)
				return true
			}
			_, err := c.open(uri)
			wantNoSecret(t, err, "no access token for Google Cloud: ")
		})
		t.Run(fmt.Sprint("metadata server ", i), func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
			t.Setenv("HOME", t.TempDir())
			server := httptest.NewServer(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/universe-domain") {
						http.NotFound(w, r)
						return
					}
					loopback.Raw(t, w, odd)
				}))
			defer server.Close()
			t.Setenv("GCE_METADATA_HOST", server.Listener.Addr().String())
			// The client for the metadata server makes several attempts itself.
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := google.Open(ctx, uri, google.Options{
				Wait: func(context.Context, time.Duration) error { return context.Canceled },
			})
			wantNoSecret(t, err, "no access token for Google Cloud: ")
		})
	}
}

func wantNoSecret(t *testing.T, err error, text string) {
	t.Helper()
	var failure *key.Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Text, text) {
		t.Errorf("got %v, want %q", err, text)
		return
	}
	if strings.Contains(failure.Text+failure.Remedy, secret[:8]) {
		t.Errorf("the answer is told: %+v", failure)
	}
}

// TestTokens_Slow: signatures wait for one request for a token, and none for longer than its
// context.
func TestTokens_Slow(t *testing.T) {
	c := newCloud(t)
	c.life = 1 // shorter than the SDK's reserve: each signature needs another
	k := c.mustOpen()
	entered, release := make(chan struct{}, 10), make(chan struct{})
	c.tokens = func(http.ResponseWriter) bool {
		entered <- struct{}{}
		<-release
		return false
	}
	before := c.counted("token")
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	const callers = 8
	for range callers {
		go func() {
			_, err := k.Sign(ctx, crypto.SHA256, digest[:])
			left <- err
		}()
	}
	<-entered
	leave()
	for range callers {
		wantFailure(t, <-left, "no access token for Google Cloud: context canceled", "network", true)
	}
	if got := c.counted("token") - before; got != 1 {
		t.Errorf("%d requests for a token", got)
	}
	close(release)
	if _, err := k.Sign(t.Context(), crypto.SHA256, digest[:]); err != nil {
		t.Error(err)
	}
}

// TestTokens_Rest: a failure is remembered for a second, and a retry waits for its end.
func TestTokens_Rest(t *testing.T) {
	c := newCloud(t)
	c.life = 1
	k := c.mustOpen()
	c.tokens = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	before := c.counted("token")
	for range 5 {
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		wantFailure(t, err, "token endpoint answered with 400", "not be revoked", false)
	}
	if got := c.counted("token") - before; got != 1 {
		t.Errorf("%d requests for a token within a second", got)
	}
	c.now = c.now.Add(time.Second)
	c.tokens = func(w http.ResponseWriter) bool {
		if c.counted("token")-before > 2 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if _, err := k.Sign(t.Context(), crypto.SHA256, digest[:]); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(c.waits); got != "[1s]" {
		t.Errorf("waits: %s", got)
	}
}

// TestThrottled: what Cloud KMS limits is marked, so that the client is told.
func TestThrottled(t *testing.T) {
	c := newCloud(t)
	k := c.mustOpen()
	for status, want := range map[int]bool{429: true, 503: false, 403: false} {
		c.calls = refuse(status, "", "x")
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		var failure *key.Failure
		if !errors.As(err, &failure) || failure.Throttled != want {
			t.Errorf("%d: got %+v", status, err)
		}
	}
}

// TestCredentials: a missing or unreadable file of credentials is an error of the start.
func TestCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "account.json")
	for _, content := range []string{"", "{", `{"type":"other"}`} {
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
		_, err := google.Open(t.Context(), uri, google.Options{Transport: http.DefaultTransport})
		var failure *key.Failure
		if !errors.As(err, &failure) || failure.Temporary ||
			!strings.Contains(failure.Text, "no credentials for Google Cloud") ||
			!strings.Contains(failure.Remedy, "GOOGLE_APPLICATION_CREDENTIALS") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// TestWrongCertificate: a server that is not Cloud KMS sees no access token.
func TestWrongCertificate(t *testing.T) {
	c := newCloud(t)
	c.mustOpen() // sets the credentials
	_, err := google.Open(t.Context(), uri, google.Options{
		Transport: loopback.New(t, map[string]http.Handler{
			"oauth2.googleapis.com": http.HandlerFunc(c.serveToken),
		}),
		Wait: func(context.Context, time.Duration) error { return nil },
	})
	wantFailure(t, err, "from Cloud KMS: tls: failed to verify certificate", "proxy", true)
}
