package azure_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/signer/internal/azure"
	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/loopback"
)

const (
	host    = "my-vault.vault.azure.net"
	version = "0123456789abcdef0123456789abcdef"
	uri     = "azurekms://" + host + "/saml/" + version
	tenant  = "11111111-2222-3333-4444-555555555555"
	login   = "login.microsoftonline.com"
	// Neither must ever be in an error.
	secret      = "very-secret-of-client"
	accessToken = "very-secret-token"
)

var private = sync.OnceValue(func() *rsa.PrivateKey {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return made
})

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// vault is a Key Vault and Entra ID. Each field replaces what is right.
type vault struct {
	t      *testing.T
	host   string
	login  string
	change func(answer map[string]any)
	calls  func(w http.ResponseWriter, r *http.Request) (done bool)
	tokens func(w http.ResponseWriter) (done bool)

	log   bytes.Buffer
	mu    sync.Mutex
	count map[string]int
}

func newVault(t *testing.T) *vault {
	return &vault{t: t, host: host, login: login, count: map[string]int{}}
}

// resource is what access tokens are for.
func (v *vault) resource() string {
	_, domain, _ := strings.Cut(v.host, ".")
	return "https://" + domain
}

func (v *vault) note(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count[what]++
}

func (v *vault) counted(what string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.count[what]
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		v.note("challenge")
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(
			`Bearer authorization="https://%s/%s", resource="%s"`, v.login, tenant, v.resource()))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+accessToken {
		v.t.Errorf("the request has the authorization %q", got)
	}
	v.note(r.Method)
	if v.calls != nil && v.calls(w, r) {
		return
	}
	kid := "https://" + v.host + "/keys/saml/" + version
	var answer map[string]any
	switch r.Method + " " + r.URL.Path {
	case "GET /keys/saml/", "GET /keys/saml", "GET /keys/saml/" + version:
		public := private().PublicKey
		answer = map[string]any{
			"key": map[string]any{
				"kid":     kid,
				"kty":     "RSA-HSM",
				"key_ops": []string{"verify", "sign"},
				"n":       encode(public.N.Bytes()),
				"e":       encode(big.NewInt(int64(public.E)).Bytes()),
			},
			"attributes": map[string]any{"enabled": true},
		}
	case "POST /keys/saml/" + version + "/sign":
		answer = map[string]any{"kid": kid, "value": v.sign(r)}
	default:
		v.t.Errorf("%s %s", r.Method, r.URL)
	}
	if v.change != nil {
		v.change(answer)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		v.t.Error(err)
	}
}

func (v *vault) sign(r *http.Request) string {
	var request struct{ Alg, Value string }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		v.t.Error(err)
	}
	hash := map[string]crypto.Hash{
		"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
	}[request.Alg]
	digest, err := base64.RawURLEncoding.DecodeString(request.Value)
	if err != nil {
		v.t.Error(err)
	}
	signature, err := private().Sign(rand.Reader, digest, hash)
	if err != nil {
		v.t.Error(err)
	}
	return encode(signature)
}

// serveLogin is what Microsoft's library asks Entra ID.
func (v *vault) serveLogin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	base := "https://" + v.login + "/" + tenant
	switch r.URL.Path {
	case "/common/discovery/instance":
		_, _ = fmt.Fprintf(w, `{
			"tenant_discovery_endpoint":"%s/v2.0/.well-known/openid-configuration",
			"api-version":"1.1","metadata":[{"preferred_network":%[2]q,"preferred_cache":%[2]q,
			"aliases":[%[2]q]}]}`, base, v.login)
	case "/" + tenant + "/v2.0/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"token_endpoint":"%[1]s/oauth2/v2.0/token","issuer":"%[1]s/v2.0",
			"authorization_endpoint":"%[1]s/oauth2/v2.0/authorize"}`, base)
	case "/" + tenant + "/oauth2/v2.0/token":
		v.note("token")
		if r.PostFormValue("client_secret") != secret ||
			!strings.HasPrefix(r.PostFormValue("scope"), v.resource()+"/.default ") {
			v.t.Errorf("%v", r.PostForm)
		}
		if v.tokens != nil && v.tokens(w) {
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`,
			accessToken)
	default:
		v.t.Errorf("%s %s", r.Method, r.URL)
	}
}

// setCredentials gives the environment those of an application.
func setCredentials(t *testing.T) {
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	t.Setenv("AZURE_TENANT_ID", tenant)
	t.Setenv("AZURE_CLIENT_ID", "66666666-7777-8888-9999-000000000000")
	t.Setenv("AZURE_CLIENT_SECRET", secret)
}

// open opens the key.
func (v *vault) open(uri string) (key.Key, error) {
	v.t.Helper()
	setCredentials(v.t)
	return azure.Open(v.t.Context(), uri, azure.Options{
		Transport: &http.Client{Transport: loopback.New(v.t, map[string]http.Handler{
			v.host:  v,
			v.login: http.HandlerFunc(v.serveLogin),
		})},
		RetryDelay: time.Nanosecond,
		Log:        slog.New(slog.NewTextHandler(&v.log, nil)),
	})
}

func (v *vault) mustOpen() key.Key {
	v.t.Helper()
	k, err := v.open(uri)
	if err != nil {
		v.t.Fatal(err)
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
	if strings.Contains(failure.Text+failure.Remedy, "very-secret") {
		t.Errorf("a secret is told: %+v", failure)
	}
}

func TestSign(t *testing.T) {
	for _, uri := range []string{
		uri,
		"azurekms://" + host + "/saml",
		"azurekeyvault://" + host + "/keys/saml",
		"azurekeyvault://" + host + "/keys/saml/" + version,
	} {
		v := newVault(t)
		k, err := v.open(uri)
		if err != nil {
			t.Fatal(err)
		}
		if !k.Public().Equal(&private().PublicKey) {
			t.Error("another public key")
		}
		signature, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		err = rsa.VerifyPKCS1v15(&private().PublicKey, crypto.SHA256, digest[:], signature)
		if err != nil {
			t.Error(err)
		}
		long := sha512.Sum512([]byte("document"))
		signature, err = k.Sign(t.Context(), crypto.SHA512, long[:])
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(k.Public(), crypto.SHA512, long[:], signature); err != nil {
			t.Error(err)
		}
		k.Close()
		if v.counted("token") != 1 || v.counted("POST") != 2 || v.counted("challenge") != 1 {
			t.Errorf("%s: calls: %v", uri, v.count)
		}
		told := strings.Contains(v.log.String(), version)
		if told == strings.HasSuffix(uri, version) {
			t.Errorf("%s: log: %s", uri, v.log.String())
		}
	}
}

func TestOpen_URI(t *testing.T) {
	v := newVault(t)
	for _, wrong := range []string{
		"azurekms://",
		"azurekms://" + host,
		"azurekms://" + host + "/",
		"azurekms://" + host + "/saml/",
		"azurekms://" + host + "/saml/latest",
		"azurekms://" + host + "/keys/saml",
		"azurekeyvault://" + host + "/saml",
		"azurekms://my-vault/saml",
		"azurekms://my-vault.vault.azure.net.example.com/saml",
		"azurekms://a.b.vault.azure.net/saml",
		"azurekms://user@my-vault.vault.azure.net/saml",
		"azurekms://my-vault.vault.azure.net:8443/saml",
		"azurekms://127.0.0.1/saml",
		"azurekms://" + host + "/sa%2Fml",
		"azurekms://" + host + "/saml?x",
	} {
		_, err := v.open(wrong)
		wantFailure(t, err, "names no key of a Key Vault", "azurekms://VAULT", false)
	}
	if len(v.count) != 0 {
		t.Errorf("calls: %v", v.count)
	}
}

// TestOpen_WrongKey: keys that cannot sign assertions are refused at the start.
func TestOpen_WrongKey(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		field        string
		value        any
		text, remedy string
		temporary    bool
	}{
		"curve":          {"kty", "EC", "the type EC", "2048", false},
		"symmetric":      {"kty", "oct-HSM", "the type oct-HSM", "2048", false},
		"weak":           {"n", encode(weak.N.Bytes()), "only 1024 bits", "2048", false},
		"even exponent":  {"e", encode([]byte{4}), "exponent 4", "2048", false},
		"large exponent": {"e", encode([]byte{1, 0, 0, 0, 0, 1}), "too large", "another", false},
		"not to sign":    {"key_ops", []string{"encrypt"}, "not for signing", "--ops sign", false},
		"no operations":  {"key_ops", nil, "not for signing", "--ops sign", false},
		"no type":        {"kty", nil, "without a key", "retry", true},
		"no name":        {"kid", nil, "without a key", "retry", true},
		"other key": {
			"kid", "https://" + host + "/keys/b/" + version, "another key", "retry", true,
		},
		"other version": {
			"kid", "https://" + host + "/keys/saml/ffffffffffffffffffffffffffffffff",
			"another key", "retry", true,
		},
		"no version": {"kid", "https://" + host + "/keys/saml", "another key", "retry", true},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.change = func(answer map[string]any) {
				answer["key"].(map[string]any)[test.field] = test.value
			}
			_, err := v.open(uri)
			wantFailure(t, err, test.text, test.remedy, test.temporary)
		})
	}
	v := newVault(t)
	v.change = func(answer map[string]any) {
		answer["attributes"] = map[string]any{"enabled": false}
	}
	_, err = v.open(uri)
	wantFailure(t, err, "disabled", "--enabled true", false)
	v.change = func(answer map[string]any) { delete(answer, "key") }
	_, err = v.open(uri)
	wantFailure(t, err, "without a key", "retry", true)
}

// TestSign_OtherKey: the signature of another key, or none, is never used.
func TestSign_OtherKey(t *testing.T) {
	for name, test := range map[string]struct {
		field string
		value any
		want  string
	}{
		"other version": {"kid", "https://" + host + "/keys/saml/f", "signed with another key"},
		"no name":       {"kid", nil, "signed with another key"},
		"short":         {"value", "AAAA", "a signature of 3 bytes"},
		"none":          {"value", nil, "a signature of 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			k := v.mustOpen()
			v.change = func(answer map[string]any) { answer[test.field] = test.value }
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, test.want, "retry", true)
		})
	}
}

func refuse(status int, code, inner string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":"what Key Vault\r\nsays",
			"innererror":{"code":%q}}}`, code, inner)
		return true
	}
}

// TestRefusals: each of Key Vault's errors says what to do. Only those that may pass are retried.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		calls        func(http.ResponseWriter, *http.Request) bool
		text, remedy string
		temporary    bool
	}{
		"throttled": {
			refuse(429, "Throttled", ""), "Too Many Requests Throttled: what Key Vault says",
			"service-limits", true,
		},
		"internal":    {refuse(500, "InternalError", ""), "Internal Server Error", "wait", true},
		"unavailable": {refuse(503, "ServiceUnavailable", ""), "Service Unavailable", "wait", true},
		"proxy": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusBadGateway)
				_, _ = io.WriteString(w, "<html>")
				return true
			}, "answered with Bad Gateway", "wait", true,
		},
		"denied by policy": {
			refuse(403, "Forbidden", "AccessDenied"), "Forbidden Forbidden AccessDenied",
			"the key permission sign", false,
		},
		"denied by role": {
			refuse(403, "Forbidden", "ForbiddenByRbac"), "ForbiddenByRbac",
			"Crypto User on the key, which has Microsoft.KeyVault/vaults/keys/sign/action", false,
		},
		"firewall": {
			refuse(403, "Forbidden", "ForbiddenByFirewall"), "Firewall", "network settings", false,
		},
		"disabled": {refuse(403, "Forbidden", "KeyDisabled"), "KeyDisabled", "enable", false},
		"expired":  {refuse(403, "Forbidden", "KeyExpired"), "KeyExpired", "dates", false},
		"early":    {refuse(403, "Forbidden", "KeyNotYetValid"), "KeyNotYetValid", "dates", false},
		"gone":     {refuse(404, "KeyNotFound", ""), "KeyNotFound", "list-versions", false},
		"bad":      {refuse(400, "BadParameter", ""), "BadParameter", "read what", false},
		"no JSON": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = io.WriteString(w, "<html>")
				return true
			}, "no answer from Key Vault", "DNS", true,
		},
		"hung up": {
			func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
			"no answer from Key Vault: EOF", "DNS", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			k := v.mustOpen()
			v.calls = test.calls
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, test.text, test.remedy, test.temporary)
			attempts := 1
			if test.temporary && name != "no JSON" {
				attempts = 3
			}
			// net/http itself may repeat a request whose connection ended before an answer.
			if got := v.counted("POST"); got != attempts && name != "hung up" {
				t.Errorf("%d attempts, want %d", got, attempts)
			}
		})
	}
}

// TestOpen_Denied: the permission is the one that the first call needs. A Managed HSM has roles of
// its own.
func TestOpen_Denied(t *testing.T) {
	v := newVault(t)
	v.calls = refuse(403, "Forbidden", "ForbiddenByRbac")
	_, err := v.open(uri)
	wantFailure(t, err, "Forbidden", "Microsoft.KeyVault/vaults/keys/read", false)
	wantFailure(t, err, "Forbidden", "the key permission get", false)

	v = newVault(t)
	v.host = "my-hsm.managedhsm.azure.net"
	v.calls = refuse(403, "Forbidden", "AccessDenied")
	_, err = v.open("azurekms://my-hsm.managedhsm.azure.net/saml")
	wantFailure(t, err, "Forbidden", "role Managed HSM Crypto User", false)
}

// TestSign_Again: an outage that passes costs no exchange.
func TestSign_Again(t *testing.T) {
	v := newVault(t)
	k := v.mustOpen()
	v.calls = func(w http.ResponseWriter, r *http.Request) bool {
		return v.counted("POST") < 3 && refuse(503, "x", "")(w, r)
	}
	if _, err := k.Sign(t.Context(), crypto.SHA256, digest[:]); err != nil {
		t.Error(err)
	}
}

// TestSign_LongPause: a pause that is longer than an exchange can wait is the caller's to make.
func TestSign_LongPause(t *testing.T) {
	v := newVault(t)
	k := v.mustOpen()
	v.calls = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "60")
		return refuse(429, "Throttled", "")(w, r)
	}
	_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
	wantFailure(t, err, "Throttled", "service-limits", true)
	if got := v.counted("POST"); got != 1 {
		t.Errorf("%d attempts", got)
	}
}

// TestSign_Context: a request that was given up is not retried.
func TestSign_Context(t *testing.T) {
	v := newVault(t)
	k := v.mustOpen()
	ctx, cancel := context.WithCancel(t.Context())
	v.calls = func(w http.ResponseWriter, r *http.Request) bool {
		cancel()
		return refuse(503, "x", "")(w, r)
	}
	_, err := k.Sign(ctx, crypto.SHA256, digest[:])
	wantFailure(t, err, "in time", "retry", true)
	if got := v.counted("POST"); got != 1 {
		t.Errorf("%d attempts", got)
	}
}

// TestTokens: errors of Entra ID are told apart from those of Key Vault.
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
		"wrong secret": {
			answer(401, `{"error":"invalid_client","error_description":`+
				`"AADSTS7000215: Invalid client secret. `+secret+`"}`),
			"Entra ID answered with 401 AADSTS7000215", "AZURE_CLIENT_SECRET", false,
		},
		"down":      {answer(503, ""), "Entra ID answered with 503", "wait", true},
		"throttled": {answer(429, ""), "Entra ID answered with 429", "wait", true},
		"no answer": {
			func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
			"no access token for Azure: EOF", "network", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.tokens = test.tokens
			_, err := v.open(uri)
			wantFailure(t, err, test.text, test.remedy, test.temporary)
			if v.counted("GET") != 0 {
				t.Error("Key Vault was called without a token")
			}
		})
	}
}

// TestOddAnswers: no error repeats anything of an answer that is not of the expected form, from
// any of the servers that are called.
func TestOddAnswers(t *testing.T) {
	for i, odd := range loopback.Odd(accessToken) {
		t.Run(fmt.Sprint("Key Vault ", i), func(t *testing.T) {
			v := newVault(t)
			v.calls = func(w http.ResponseWriter, _ *http.Request) bool {
				loopback.Raw(t, w, odd)
				return true
			}
			_, err := v.open(uri)
			wantNoSecret(t, err, "Key Vault")
		})
		t.Run(fmt.Sprint("Entra ID ", i), func(t *testing.T) {
			v := newVault(t)
			v.tokens = func(w http.ResponseWriter) bool {
				loopback.Raw(t, w, odd)
				return true
			}
			_, err := v.open(uri)
			wantNoSecret(t, err, "no access token for Azure: ")
		})
		t.Run(fmt.Sprint("metadata service ", i), func(t *testing.T) {
			v := newVault(t)
			setCredentials(t)
			t.Setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
			metadata := httptest.NewServer(http.HandlerFunc(
				func(w http.ResponseWriter, _ *http.Request) { loopback.Raw(t, w, odd) }))
			defer metadata.Close()
			t.Setenv("IDENTITY_ENDPOINT", metadata.URL)
			t.Setenv("IDENTITY_HEADER", "x")
			_, err := azure.Open(t.Context(), uri, azure.Options{
				Transport: &http.Client{Transport: bothSchemes{
					loopback.New(t, map[string]http.Handler{host: v}),
				}},
				RetryDelay: time.Nanosecond,
				Log:        slog.New(slog.DiscardHandler),
			})
			wantNoSecret(t, err, "for Azure: ")
		})
	}
}

// bothSchemes sends plain HTTP where the request says.
type bothSchemes struct{ secure http.RoundTripper }

func (b bothSchemes) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return http.DefaultTransport.RoundTrip(r)
	}
	return b.secure.RoundTrip(r)
}

func wantNoSecret(t *testing.T, err error, text string) {
	t.Helper()
	var failure *key.Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Text, text) {
		t.Errorf("got %v, want %q", err, text)
		return
	}
	if strings.Contains(failure.Text+failure.Remedy, accessToken[:5]) {
		t.Errorf("the answer is told: %+v", failure)
	}
}

// TestCredentials: an environment without credentials is an error of the start.
func TestCredentials(t *testing.T) {
	for name, value := range map[string]string{
		"AZURE_CLIENT_SECRET":     "",
		"AZURE_TOKEN_CREDENTIALS": "none",
	} {
		t.Run(name, func(t *testing.T) {
			setCredentials(t)
			t.Setenv(name, value)
			_, err := azure.Open(t.Context(), uri, azure.Options{
				Transport: &http.Client{Transport: loopback.New(t, map[string]http.Handler{
					host: newVault(t),
				})},
				Log: slog.New(slog.DiscardHandler),
			})
			wantFailure(t, err, "no credentials for Azure", "managed identity", false)
		})
	}
}

// TestClouds: a secret goes to the login of the vault's cloud, unless the environment names another
// one.
func TestClouds(t *testing.T) {
	const vaultChina = "my-vault.vault.azure.cn"
	for name, test := range map[string]struct{ host, environment, login string }{
		"public":        {host, "", "login.microsoftonline.com"},
		"China":         {vaultChina, "", "login.chinacloudapi.cn"},
		"US government": {"hsm.managedhsm.usgovcloudapi.net", "", "login.microsoftonline.us"},
		"configured": {
			vaultChina, "https://login.partner.microsoftonline.cn",
			"login.partner.microsoftonline.cn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AZURE_AUTHORITY_HOST", test.environment)
			v := newVault(t)
			v.host = test.host
			v.login = test.login
			if _, err := v.open("azurekms://" + test.host + "/saml/" + version); err != nil {
				t.Error(err)
			}
			if v.counted("token") != 1 {
				t.Errorf("%d tokens", v.counted("token"))
			}
		})
	}
}

// TestThrottled: what Key Vault limits is marked, so that the client is told.
func TestThrottled(t *testing.T) {
	v := newVault(t)
	k := v.mustOpen()
	for status, want := range map[int]bool{429: true, 503: false, 403: false} {
		v.calls = refuse(status, "", "")
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		var failure *key.Failure
		if !errors.As(err, &failure) || failure.Throttled != want {
			t.Errorf("%d: got %+v", status, err)
		}
	}
}

// TestChallenge: a vault that asks for the token of another service gets none.
func TestChallenge(t *testing.T) {
	v := newVault(t)
	setCredentials(t)
	_, err := azure.Open(t.Context(), uri, azure.Options{
		Transport: &http.Client{Transport: loopback.New(t, map[string]http.Handler{
			host: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization=`+
					`"https://%s/%s", resource="https://graph.microsoft.com"`, login, tenant))
				w.WriteHeader(http.StatusUnauthorized)
			}),
			login: http.HandlerFunc(v.serveLogin),
		})},
		RetryDelay: time.Nanosecond,
		Log:        slog.New(slog.DiscardHandler),
	})
	if err == nil || v.counted("token") != 0 {
		t.Errorf("%v, and %d tokens", err, v.counted("token"))
	}
}
