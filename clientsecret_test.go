package delegation_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

var (
	secretA = strings.Repeat("a", 32)
	secretB = strings.Repeat("\xff\n", 16)
)

// halfMoved is an issuer with a static key set, and two clients with secrets.
func halfMoved(t *testing.T) *world {
	t.Helper()
	w := offline(t, "RS256")
	w.config.Issuers[0].ClientSecrets = map[string]delegation.ClientSecret{
		"a": {Secret: delegation.NewSecret(secretA)},
		"b": {Secret: delegation.NewSecret(encoded([]byte(secretB))), Base64URL: true},
	}
	w.target(func(target *delegation.Target) {
		target.Audiences = []string{"a", "b", "c"}
	})
	return w
}

// TestClientSecrets: each client of an issuer is bound to its own secret or to published keys, and
// a token that is signed with a client's secret is for that client alone.
func TestClientSecrets(t *testing.T) {
	const (
		noSecret = "token algorithm_shared_secret"
		noKey    = "token algorithm_published_key"
		notAlone = "token claim_secret_audience"
		bad      = "token signature_invalid"
	)
	type claims map[string]any
	list := func(texts ...string) []string { return texts }
	w := halfMoved(t)
	d := w.delegator(t)
	for name, test := range map[string]struct {
		key    string // empty: a published one
		claims claims
		want   string
	}{
		"a":                      {secretA, claims{"aud": "a"}, accepted},
		"b, which is decoded":    {secretB, claims{"aud": "b"}, accepted},
		"c, by a published key":  {"", claims{"aud": "c"}, accepted},
		"a in a list":            {secretA, claims{"aud": list("a")}, accepted},
		"a twice":                {secretA, claims{"aud": list("a", "a")}, accepted},
		"a with azp":             {secretA, claims{"aud": "a", "azp": "a"}, accepted},
		"a signs for b":          {secretA, claims{"aud": "b"}, bad},
		"a signs for c":          {secretA, claims{"aud": "c"}, noSecret},
		"a signs with azp b":     {secretA, claims{"aud": "a", "azp": "b"}, notAlone},
		"a signs with cid c":     {secretA, claims{"aud": "a", "cid": "c"}, notAlone},
		"a signs for a and c":    {secretA, claims{"aud": list("a", "c")}, notAlone},
		"and says that it is a":  {secretA, claims{"aud": list("a", "c"), "azp": "a"}, notAlone},
		"a signs for nobody":     {secretA, claims{"aud": nil}, notAlone},
		"a signs for a number":   {secretA, claims{"aud": 1}, notAlone},
		"a signs for the empty":  {secretA, claims{"aud": ""}, notAlone},
		"another case of a":      {secretA, claims{"aud": "A"}, noSecret},
		"no secret":              {strings.Repeat("c", 32), claims{"aud": "a"}, bad},
		"a by a published key":   {"", claims{"aud": "a"}, noKey},
		"azp a by a published":   {"", claims{"aud": "c", "azp": "a"}, noKey},
		"azp c by a published":   {"", claims{"aud": "a", "azp": "c"}, accepted},
		"several by a published": {"", claims{"aud": list("a", "c"), "azp": "c"}, accepted},
	} {
		t.Run(name, func(t *testing.T) {
			token := maced(map[string]any{"alg": "HS256"}, payload(test.claims), []byte(test.key))
			if test.key == "" {
				token = w.token(test.claims)
			}
			w.wantOutcome(t, d, token, test.want)
		})
	}
	t.Run("the named audience of several", func(t *testing.T) {
		w.config.Issuers[0].ClientAudiences = list("a")
		d := w.delegator(t)
		claims := claims{"aud": list("a", "c")}
		token := maced(map[string]any{"alg": "HS256"}, payload(claims), []byte(secretA))
		w.wantOutcome(t, d, token, notAlone)
		w.wantOutcome(t, d, w.token(claims), noKey)
	})
}

// TestClientSecrets_Only: an issuer that signs with secrets and nothing else is asked for nothing.
func TestClientSecrets_Only(t *testing.T) {
	w := halfMoved(t)
	w.config.Issuers[0].JWKS = nil
	w.config.Issuers[0].Algorithms = []string{"HS256"}
	d := w.delegator(t) // whose client fails the test
	for client, secret := range map[string]string{"a": secretA, "b": secretB} {
		claims := map[string]any{"aud": client}
		token := maced(map[string]any{"alg": "HS256"}, payload(claims), []byte(secret))
		w.wantOutcome(t, d, token, accepted)
		w.wantOutcome(t, d, w.token(claims), "token algorithm_published_key")
	}
	for _, result := range d.Check(t.Context()) {
		if result.Name == "issuer "+issuerURL && (result.Err != nil || result.Warning != "") {
			t.Errorf("got %+v", result)
		}
	}
}

// TestClientSecrets_Algorithms: the algorithms of published keys are those that are listed, and
// HS256 is for secrets whether it is listed or not.
func TestClientSecrets_Algorithms(t *testing.T) {
	for _, algorithms := range [][]string{nil, {"RS256"}, {"HS256", "RS256"}, {"ES256", "HS256"}} {
		w := halfMoved(t)
		w.config.Issuers[0].Algorithms = algorithms
		d := w.delegator(t)
		token := maced(map[string]any{"alg": "HS256"},
			payload(map[string]any{"aud": "a"}), []byte(secretA))
		w.wantOutcome(t, d, token, accepted)
		want := accepted
		if len(algorithms) > 0 && algorithms[0] == "ES256" {
			want = "token algorithm_not_allowed"
		}
		w.wantOutcome(t, d, w.token(map[string]any{"aud": "c"}), want)
	}
	// LINE signs for its web channels with HS256, and for its other channels with ES256.
	w := offline(t, "ES256")
	provider := providers()["ES256"]
	w.config.Issuers[0].JWKS = provider.KeySet()
	w.config.Issuers[0].ClientSecrets = map[string]delegation.ClientSecret{
		"web": {Secret: delegation.NewSecret(secretA)},
	}
	w.target(func(target *delegation.Target) { target.Audiences = []string{"web", app} })
	d := w.delegator(t)
	w.wantOutcome(t, d, must(provider.Sign(nil, []byte(payload(nil)))), accepted)
	w.wantOutcome(t, d, maced(map[string]any{"alg": "HS256"},
		payload(map[string]any{"aud": "web"}), []byte(secretA)), accepted)
}

// TestSharedSecretForms: a signature by the other form of a secret is refused, and the refusal says
// which setting to change. Doing so lets the token in.
func TestSharedSecretForms(t *testing.T) {
	raw := "hola mundo, this is a secret of an old client \x00\xfe\xff"
	for name, encoding := range map[string]*base64.Encoding{
		"without padding": base64.RawURLEncoding, "with padding": base64.URLEncoding,
	} {
		text := encoding.EncodeToString([]byte(raw))
		for _, decoded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				key, says := text, "without decoding: leave Issuer.SharedSecretBase64URL"
				if decoded {
					key, says = raw, "decoded from base64url: set Issuer.SharedSecretBase64URL"
				}
				token := maced(map[string]any{"alg": "HS256"}, payload(nil), []byte(key))
				w := offline(t)
				w.config.Issuers = []delegation.Issuer{{
					URL:                   issuerURL,
					SharedSecret:          delegation.NewSecret(text),
					SharedSecretBase64URL: !decoded,
				}}
				err := w.wantOutcome(t, w.delegator(t), token,
					refused(delegation.CodeSignatureInvalid))
				if err == nil || !strings.Contains(err.Error(), says) ||
					strings.Contains(err.Error(), text) {
					t.Errorf("got %v", err)
				}
				w.config.Issuers[0].SharedSecretBase64URL = decoded
				w.wantOutcome(t, w.delegator(t), token, accepted)
				_, err = w.delegator(t).Exchange(t.Context(), maced(map[string]any{"alg": "HS256"},
					payload(nil), []byte(secretA)), app)
				if !errors.Is(err, delegation.CodeSignatureInvalid) ||
					strings.Contains(err.Error(), "base64url") {
					t.Errorf("a stranger's token: %v", err)
				}
			})
		}
	}
}

// TestClientSecrets_Remedy: the refusal of HS256 at an issuer with published keys names a setting,
// and to set it as it says lets the token in.
func TestClientSecrets_Remedy(t *testing.T) {
	w := offline(t)
	token := maced(map[string]any{"alg": "HS256"}, payload(nil), []byte(secretA))
	err := w.wantOutcome(t, w.delegator(t), token, "token algorithm_shared_secret")
	e := wantError(t, err, delegation.StageToken, delegation.CodeAlgorithmSharedSecret)
	if !strings.Contains(e.Remedy, "add the client and the secret to Issuer.ClientSecrets") {
		t.Errorf("the remedy is %q", e.Remedy)
	}
	w.config.Issuers[0].ClientSecrets = map[string]delegation.ClientSecret{
		app: {Secret: delegation.NewSecret(secretA)},
	}
	w.wantOutcome(t, w.delegator(t), token, accepted)

	// And back: the client moves to a published key.
	err = w.wantOutcome(t, w.delegator(t), w.token(nil), "token algorithm_published_key")
	e = wantError(t, err, delegation.StageToken, delegation.CodeAlgorithmPublishedKey)
	if !strings.Contains(e.Remedy, "remove Issuer.SharedSecret, or the client from") {
		t.Errorf("the remedy is %q", e.Remedy)
	}
	delete(w.config.Issuers[0].ClientSecrets, app)
	w.wantOutcome(t, w.delegator(t), w.token(nil), accepted)
}

// TestClientSecrets_Config: New refuses secrets that cannot work, without showing them.
func TestClientSecrets_Config(t *testing.T) {
	type secrets = map[string]delegation.ClientSecret
	good := secrets{"a": {Secret: delegation.NewSecret(secretA)}}
	canary := delegation.NewSecret("canary-canary-canary-canary-canary!")
	for name, test := range map[string]struct {
		issuer delegation.Issuer
		want   []string // none: it is fine
	}{
		"next to discovery": {delegation.Issuer{URL: issuerURL, ClientSecrets: good}, nil},
		"next to keys": {
			delegation.Issuer{URL: issuerURL, ClientSecrets: good, JWKSURL: issuerURL}, nil,
		},
		"alone": {
			delegation.Issuer{
				URL: issuerURL, ClientSecrets: good, Algorithms: []string{"HS256"},
			}, nil,
		},
		"the zero value": {
			delegation.Issuer{URL: issuerURL, ClientSecrets: secrets{"a": {}}},
			[]string{`ClientSecrets["a"]: has 0 bytes, fewer than 32`},
		},
		"short after decoding": {
			delegation.Issuer{URL: issuerURL, ClientSecrets: secrets{
				"a": {Secret: delegation.NewSecret(secretA), Base64URL: true},
			}}, []string{`ClientSecrets["a"]: has 24 bytes, fewer than 32`},
		},
		"no base64url, and no client": {
			delegation.Issuer{URL: issuerURL, ClientSecrets: secrets{
				"": {Secret: canary, Base64URL: true},
			}}, []string{"ClientSecrets has an empty client ID", "is not base64url"},
		},
		"a line end in base64url": {
			delegation.Issuer{
				URL: issuerURL, SharedSecretBase64URL: true,
				SharedSecret: delegation.NewSecret(strings.Repeat("a", 64) + "\n"),
			}, []string{"SharedSecret is not base64url"},
		},
		"the flag alone": {
			delegation.Issuer{URL: issuerURL, SharedSecretBase64URL: true},
			[]string{"SharedSecretBase64URL has no effect"},
		},
		"two kinds of secrets": {
			delegation.Issuer{URL: issuerURL, ClientSecrets: good, SharedSecret: canary},
			[]string{"set only one of SharedSecret and ClientSecrets"},
		},
		"HS256 alone, and keys": {
			delegation.Issuer{
				URL: issuerURL, ClientSecrets: good, Algorithms: []string{"HS256"},
				JWKSURL: issuerURL,
			}, []string{"JWKSURL and DiscoveryURL have no effect"},
		},
		"HS512": {
			delegation.Issuer{
				URL: issuerURL, ClientSecrets: good, Algorithms: []string{"HS512"},
			}, []string{`"HS512" is none of`},
		},
		"tenants": {
			delegation.Issuer{
				URL: "https://x.example.com/{tenantid}", ClientSecrets: good,
				Tenants: []string{otherTenant},
			}, []string{"ClientSecrets are for an issuer without tenants"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.HTTPClient = &http.Client{Transport: noNetwork(t).Transport}
			w.config.Issuers = []delegation.Issuer{test.issuer}
			_, err := delegation.New(t.Context(), w.config)
			if len(test.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			for _, words := range test.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not in %v", words, err)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
}
