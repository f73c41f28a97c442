package oidctest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/seed055b7978/delegation/oidctest"
)

// imitation returns a provider with a profile. All have the one key of their algorithm.
func imitation(t *testing.T, name string, parameters map[string]string) *oidctest.Provider {
	t.Helper()
	profile, err := oidctest.LoadProfile(name, parameters)
	if err != nil {
		t.Fatal(err)
	}
	config := oidctest.Config{Profile: profile, Now: func() time.Time { return profileTime }}
	if profile.Algorithm == "" || profile.Algorithm == "RS256" {
		config.Key = rsaKey()
	}
	p, err := oidctest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rsaKey is made once: it takes time.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var profileTime = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func network(t *testing.T, providers ...*oidctest.Provider) *oidctest.Network {
	t.Helper()
	n, err := oidctest.NewNetwork(providers...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fetch reads a JSON document and its status.
func fetch(t *testing.T, client *http.Client, address, bearer string) (map[string]any, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &document); err != nil {
			t.Fatal(err)
		}
	}
	return document, response.StatusCode
}

// TestProfiles: each profile serves its documents at the provider's own addresses, and its tokens
// verify with the keys that it publishes there.
func TestProfiles(t *testing.T) {
	names := oidctest.Profiles()
	if len(names) < 30 || !slices.IsSorted(names) {
		t.Fatalf("got %d profiles: %q", len(names), names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			profile, err := oidctest.LoadProfile(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(profile.Sources) == 0 {
				t.Error("no sources")
			}
			p := imitation(t, name, nil)
			client := network(t, p).Client()
			at := profile.DiscoveryURL
			if at == "" {
				at = strings.TrimSuffix(profile.Issuer, "/") + oidctest.DiscoveryPath
			}
			document, _ := fetch(t, client, at, profile.Bearer)
			if document["issuer"] == "" || document["jwks_uri"] != profile.Discovery["jwks_uri"] {
				t.Errorf("%s has %v", at, document)
			}
			jwksURI, _ := document["jwks_uri"].(string)
			set, err := jwk.Fetch(context.Background(), jwksURI, jwk.WithHTTPClient(client))
			if err != nil {
				t.Fatal(err)
			}
			if set.Len() == 0 {
				t.Error("the key set is empty")
			}
			for kind, described := range profile.Tokens {
				token, err := p.SignAs(kind, nil)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if described.Opaque != "" {
					if token != described.Opaque {
						t.Errorf("%s: got %s", kind, token)
					}
					continue
				}
				if claims := part(t, token, 1); claims["sub"] == nil || claims["exp"] == nil {
					t.Errorf("%s: got %v", kind, claims)
				}
				_, other := described.Header["alg"] // not of a key that is published
				if !other && !verifies(withAlgorithms(t, set, p), token) {
					t.Errorf("%s: the keys do not verify it", kind)
				}
			}
			_, hasID := profile.Tokens[oidctest.IDToken]
			_, hasCI := profile.Tokens[oidctest.CIToken]
			_, hasStranger := profile.Tokens[oidctest.StrangerToken]
			if !hasID && !hasCI || !hasStranger {
				t.Error("it lacks the right token or a stranger's")
			}
		})
	}
}

// withAlgorithms writes the algorithm into keys that have none, which the verifier of this test
// wants and providers such as Entra do not publish.
func withAlgorithms(t *testing.T, set jwk.Set, p *oidctest.Provider) jwk.Set {
	t.Helper()
	token, err := p.Sign(nil, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	changed := jwk.NewSet()
	for i := range set.Len() {
		k, _ := set.Key(i)
		if k.KeyUsage() == "enc" || k.KeyID() != p.KeyID() {
			continue
		}
		if k.Algorithm().String() == "" {
			if err := k.Set(jwk.AlgorithmKey, part(t, token, 0)["alg"]); err != nil {
				t.Fatal(err)
			}
		}
		if err := changed.AddKey(k); err != nil {
			t.Fatal(err)
		}
	}
	return changed
}

// TestLoadProfile_Parameters: parameters get everywhere where a profile has them, and those that
// it does not have are refused, as are profiles that nobody knows.
func TestLoadProfile_Parameters(t *testing.T) {
	const tenant = "12345678-2222-3333-4444-555555555555"
	profile, err := oidctest.LoadProfile("entra", map[string]string{"tenant": tenant})
	if err != nil {
		t.Fatal(err)
	}
	want := "https://login.microsoftonline.com/" + tenant + "/v2.0"
	if profile.Issuer != want || profile.Discovery["issuer"] != want {
		t.Errorf("got %q, %q", profile.Issuer, profile.Discovery["issuer"])
	}
	quoted, err := oidctest.LoadProfile("entra", map[string]string{"domain": `a"b\c`})
	if err != nil {
		t.Fatal(err)
	}
	if got := quoted.Tokens["id"].Claims["preferred_username"]; got != `alice@a"b\c` {
		t.Errorf("got %q", got)
	}
	for name, parameter := range map[string]string{"entra": "tennant", "entro": "tenant"} {
		_, err := oidctest.LoadProfile(name, map[string]string{parameter: "x"})
		if err == nil || !strings.Contains(err.Error(), "want one of") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestSignAs: a token is what the profile says, with the caller's claims over it.
func TestSignAs(t *testing.T) {
	p := imitation(t, "keycloak", map[string]string{"realm": "photos"})
	sign := func(kind string, claims map[string]any) map[string]any {
		t.Helper()
		token, err := p.SignAs(kind, claims)
		if err != nil {
			t.Fatal(err)
		}
		return part(t, token, 1)
	}
	first := sign(oidctest.IDToken, map[string]any{"groups": []string{"x"}, "name": nil})
	second := sign(oidctest.IDToken, nil)
	if first["jti"] == second["jti"] || first["name"] != nil || len(first["jti"].(string)) != 36 {
		t.Errorf("got %v and %v", first, second)
	}
	if second["exp"] != float64(profileTime.Unix()+300) || second["name"] != "Alice" {
		t.Errorf("got %v", second)
	}
	access := sign(oidctest.AccessToken, nil)
	if access["typ"] != "Bearer" || access["at_hash"] != nil || access["sub"] != second["sub"] {
		t.Errorf("got %v", access)
	}
	if _, err := p.SignAs("nothing", nil); err == nil {
		t.Error("a token of no kind")
	}
	plain := newProvider(t, oidctest.Config{})
	if _, err := plain.SignAs(oidctest.IDToken, nil); err == nil {
		t.Error("a token without a profile")
	}
	third := &oidctest.Profile{
		Issuer: issuer,
		Tokens: map[string]oidctest.Token{"a": {}, "b": {Like: "a"}, "c": {Like: "b"}},
	}
	p = newProvider(t, oidctest.Config{Profile: third})
	if _, err := p.SignAs("c", nil); err == nil {
		t.Error("a token that is like one that is like a third")
	}
}

// TestProvider_ServesProfile: without a network the documents are under the paths that they have
// at the provider, and behind its bearer token.
func TestProvider_ServesProfile(t *testing.T) {
	p := imitation(t, "kubernetes", map[string]string{"bearer": "s3cret"})
	server := httptest.NewServer(p)
	defer server.Close()
	keys := server.URL + "/openid/v1/jwks"
	if _, status := fetch(t, server.Client(), keys, ""); status != http.StatusForbidden {
		t.Errorf("without a bearer token: %d", status)
	}
	if _, status := fetch(t, server.Client(), keys, "other"); status != http.StatusUnauthorized {
		t.Errorf("with another bearer token: %d", status)
	}
	if set, _ := fetch(t, server.Client(), keys, "s3cret"); set["keys"] == nil {
		t.Errorf("got %v", set)
	}
	if _, status := fetch(t, server.Client(), server.URL+oidctest.KeySetPath, "s3cret"); status != 404 {
		t.Errorf("another provider's path: %d", status)
	}
	p.SetFaults(oidctest.Faults{Issuer: "https://other.example.com", JWKSURL: "https://x.example"})
	document, _ := fetch(t, server.Client(), server.URL+oidctest.DiscoveryPath, "s3cret")
	if document["issuer"] != "https://other.example.com" || document["jwks_uri"] != "https://x.example" {
		t.Errorf("got %v", document)
	}
	p.SetFaults(oidctest.Faults{})
	document, _ = fetch(t, server.Client(), server.URL+oidctest.DiscoveryPath, "s3cret")
	if document["issuer"] != p.Issuer() {
		t.Errorf("a fault changed the profile: %v", document)
	}
}

// TestProfiles_Okta: the organisation's server names its kind of access token in the header, and
// custom servers write no typ.
func TestProfiles_Okta(t *testing.T) {
	for name, want := range map[string]any{
		"okta": "application/okta-internal-at+jwt", "okta-custom": nil,
	} {
		token, err := imitation(t, name, nil).SignAs(oidctest.AccessToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(first)
		if err != nil {
			t.Fatal(err)
		}
		var header map[string]any
		if err := json.Unmarshal(text, &header); err != nil || header["typ"] != want {
			t.Errorf("%s: typ %v, %v, want %v", name, header["typ"], err, want)
		}
	}
}

// TestProvider_FormsFitTheKey: a key is published with no algorithm of another type of key.
func TestProvider_FormsFitTheKey(t *testing.T) {
	for _, name := range []string{"keycloak", "pingam"} {
		for algorithm, forms := range map[string]int{"ES256": 1, "EdDSA": 1, "RS256": 0} {
			profile, err := oidctest.LoadProfile(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if forms == 0 { // as many as the profile has
				forms = len(profile.Keys)
			}
			p := newProvider(t, oidctest.Config{Profile: profile, Algorithm: algorithm})
			set, _ := fetch(t, network(t, p).Client(), profile.Discovery["jwks_uri"].(string), "")
			keys, _ := set["keys"].([]any)
			if len(keys) != forms {
				t.Errorf("%s, %s: %d keys, want %d", name, algorithm, len(keys), forms)
			}
			for _, key := range keys {
				if alg := key.(map[string]any)["alg"]; algorithm != "RS256" && alg != algorithm {
					t.Errorf("%s: a key of %s has alg %v", name, algorithm, alg)
				}
			}
		}
	}
}

// TestProvider_PublishesForms: a key is published in each form of the profile, and as the profile
// says: without alg at Entra, three times at ForgeRock.
func TestProvider_PublishesForms(t *testing.T) {
	for name, want := range map[string]string{
		"entra":    ` `,
		"pingam":   `RS256 RS384 RS512`,
		"keycloak": `RS256 RSA-OAEP`,
	} {
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(imitation(t, name, nil).KeySet(), &set); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range set.Keys {
			algorithm, _ := k["alg"].(string)
			got = append(got, algorithm)
		}
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestNetwork_Proxy: as a proxy, a network leads the real addresses to the imitations, with
// certificates that only its own authority vouches for, and leads nowhere else.
func TestNetwork_Proxy(t *testing.T) {
	entra := imitation(t, "entra", nil)
	other := imitation(t, "entra", map[string]string{
		"tenant": "99999999-2222-3333-4444-555555555555",
	})
	plain := newProvider(t, oidctest.Config{})
	plain.SetIssuer("http://sso.internal:8080/realm")
	n := network(t, entra, other, imitation(t, "google", nil), imitation(t, "kubernetes", nil), plain)
	server := httptest.NewServer(n)
	defer server.Close()
	proxy, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(n.CertificatePEM()) {
		t.Fatal("no certificate")
	}
	client := &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(proxy),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	defer client.CloseIdleConnections()
	for _, p := range []*oidctest.Provider{entra, other} {
		document, _ := fetch(t, client, p.Issuer()+oidctest.DiscoveryPath, "")
		if document["issuer"] != p.Issuer() {
			t.Errorf("%s: got %v", p.Issuer(), document)
		}
	}
	for _, address := range []string{
		"https://www.googleapis.com/oauth2/v3/certs",
		"https://10.0.0.10:6443/openid/v1/jwks",
		"http://sso.internal:8080/realm/jwks.json",
	} {
		if set, _ := fetch(t, client, address, ""); set["keys"] == nil {
			t.Errorf("%s has no keys", address)
		}
	}
	for _, address := range []string{
		"https://www.googleapis.com/",
		entra.Issuer() + oidctest.DiscoveryPath + "?appid=x",
		"http://sso.internal:8080/jwks.json",
	} {
		if _, status := fetch(t, client, address, ""); status != http.StatusNotFound {
			t.Errorf("%s: got %d", address, status)
		}
	}
	if response, err := client.Get("https://www.example.com/"); err == nil {
		response.Body.Close()
		t.Error("it leads to a host that it does not have")
	}
	if _, status := fetch(t, server.Client(), server.URL, ""); status != http.StatusBadRequest {
		t.Errorf("not as a proxy: %d", status)
	}
	stranger := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	defer stranger.CloseIdleConnections()
	if response, err := stranger.Get(entra.Issuer() + oidctest.DiscoveryPath); err == nil {
		response.Body.Close()
		t.Error("a client that does not know the authority trusts it")
	}
}

// TestNetwork_Client: in Go a network needs no proxy, and its client gets nowhere else.
func TestNetwork_Client(t *testing.T) {
	plain := newProvider(t, oidctest.Config{})
	client := network(t, plain).Client()
	defer client.CloseIdleConnections()
	if set, _ := fetch(t, client, issuer+"jwks.json", ""); set["keys"] == nil {
		t.Errorf("got %v", set)
	}
	plain.SetFaults(oidctest.Faults{Status: http.StatusTeapot})
	if _, status := fetch(t, client, issuer+"jwks.json", ""); status != http.StatusTeapot {
		t.Errorf("a fault has no effect: %d", status)
	}
	if response, err := client.Get("https://www.example.com/"); err == nil {
		response.Body.Close()
		t.Error("it leads to a host that it does not have")
	}
}

// TestNewNetwork_NoIssuer: a network does not lead to a provider without an address.
func TestNewNetwork_NoIssuer(t *testing.T) {
	p, err := oidctest.New(oidctest.Config{Algorithm: "EdDSA"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "tenant.example.com", "ftp://tenant.example.com"} {
		p.SetIssuer(bad)
		if _, err := oidctest.NewNetwork(p); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
