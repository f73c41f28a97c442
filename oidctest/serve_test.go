package oidctest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/seed055b7978/delegation/oidctest"
)

var documents = []string{oidctest.DiscoveryPath, oidctest.KeySetPath}

func get(p *oidctest.Provider, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func discovery(t *testing.T, p *oidctest.Provider) map[string]any {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(get(p, oidctest.DiscoveryPath).Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// keys returns the members of the published keys, in their order.
func keys(t *testing.T, p *oidctest.Provider) []map[string]string {
	t.Helper()
	var document struct{ Keys []map[string]string }
	if err := json.Unmarshal(get(p, oidctest.KeySetPath).Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document.Keys
}

func TestDocuments(t *testing.T) {
	for _, url := range []string{"https://tenant.example.com", "https://tenant.example.com/"} {
		p := newProvider(t, oidctest.Config{CacheControl: "max-age=60"})
		p.SetIssuer(url)
		document := discovery(t, p)
		for name, want := range map[string]string{
			"issuer":                                url,
			"jwks_uri":                              "https://tenant.example.com/jwks.json",
			"authorization_endpoint":                "https://tenant.example.com/authorize",
			"response_types_supported":              "id_token",
			"subject_types_supported":               "public",
			"id_token_signing_alg_values_supported": "EdDSA",
		} {
			got := document[name]
			if list, ok := got.([]any); ok && len(list) == 1 {
				got = list[0]
			}
			if got != want {
				t.Errorf("%s: got %v, want %s", name, document[name], want)
			}
		}

		answer := get(p, oidctest.KeySetPath)
		if answer.Code != 200 || answer.Header().Get("Content-Type") != "application/json" ||
			answer.Header().Get("Cache-Control") != "max-age=60" {
			t.Errorf("key set: %d, %v", answer.Code, answer.Header())
		}
		if answer.Body.String() != string(p.KeySet()) {
			t.Error("KeySet is not what is served")
		}
		if got := get(p, oidctest.DiscoveryPath).Header().Get("Cache-Control"); got != "" {
			t.Errorf("discovery: Cache-Control %q", got)
		}
	}
	_, ok := get(newProvider(t, oidctest.Config{}), oidctest.KeySetPath).Header()["Cache-Control"]
	if ok {
		t.Error("there is a Cache-Control that nobody asked for")
	}
}

func TestRefusedRequests(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	for _, path := range []string{"/", "/authorize", "/jwks.json/", "/.well-known/jwks.json"} {
		if code := get(p, path).Code; code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	for _, path := range documents {
		for _, method := range []string{
			http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete,
		} {
			answer := httptest.NewRecorder()
			p.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
			if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET" {
				t.Errorf("%s %s: %d", method, path, answer.Code)
			}
		}
	}
	if discovery, keySet := p.Fetches(); discovery+keySet != 0 {
		t.Error("refused requests were counted")
	}

	p.SetIssuer("")
	answer := get(p, oidctest.DiscoveryPath)
	if answer.Code != 500 || !strings.Contains(answer.Body.String(), "SetIssuer") {
		t.Errorf("discovery without an issuer: %d %s", answer.Code, answer.Body)
	}
	if code := get(p, oidctest.KeySetPath).Code; code != 200 {
		t.Errorf("key set without an issuer: %d", code)
	}
}

func TestFaultsThatReplaceTheAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		faults oidctest.Faults
		check  func(t *testing.T, answer *httptest.ResponseRecorder)
	}{
		"status": {oidctest.Faults{Status: 503},
			func(t *testing.T, answer *httptest.ResponseRecorder) {
				if answer.Code != 503 || !strings.Contains(answer.Body.String(), oidctest.Garbage) {
					t.Errorf("%d %s", answer.Code, answer.Body)
				}
			}},
		"redirect": {oidctest.Faults{Redirect: "https://evil.example/x"},
			func(t *testing.T, answer *httptest.ResponseRecorder) {
				if answer.Code != 302 ||
					answer.Header().Get("Location") != "https://evil.example/x" {
					t.Errorf("%d %v", answer.Code, answer.Header())
				}
			}},
		"malformed": {oidctest.Faults{Malformed: true},
			func(t *testing.T, answer *httptest.ResponseRecorder) {
				body := answer.Body.Bytes()
				if answer.Code != 200 || json.Valid(body) || body[0] != '{' ||
					!strings.Contains(string(body), oidctest.Garbage) {
					t.Errorf("%d %s", answer.Code, body)
				}
			}},
		"oversize": {oidctest.Faults{Oversize: true},
			func(t *testing.T, answer *httptest.ResponseRecorder) {
				body := answer.Body.Bytes()
				if answer.Code != 200 || len(body) != 1<<20+1 || !json.Valid(body) ||
					!json.Valid(body[:1<<20]) {
					t.Errorf("%d, %d bytes", answer.Code, len(body))
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, oidctest.Config{})
			healthy := map[string]string{}
			for _, path := range documents {
				healthy[path] = get(p, path).Body.String()
			}
			for _, only := range []string{"", oidctest.DiscoveryPath, oidctest.KeySetPath} {
				test.faults.Only = only
				p.SetFaults(test.faults)
				for _, path := range documents {
					if only == "" || only == path {
						test.check(t, get(p, path))
					} else if got := get(p, path).Body.String(); got != healthy[path] {
						t.Errorf("only %s: %s is hit too", only, path)
					}
				}
			}
			if string(p.KeySet()) != healthy[oidctest.KeySetPath] {
				t.Error("KeySet shows a fault of the answer")
			}
			p.SetFaults(oidctest.Faults{})
			for _, path := range documents {
				if got := get(p, path).Body.String(); got != healthy[path] {
					t.Errorf("%s has not healed: %s", path, got)
				}
			}
			if discovery, keySet := p.Fetches(); discovery != 5 || keySet != 5 {
				t.Errorf("%d and %d fetches", discovery, keySet)
			}
		})
	}
}

func TestHangEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, oidctest.Config{})
		p.SetFaults(oidctest.Faults{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		returned := false
		answer := httptest.NewRecorder()
		go func() {
			p.ServeHTTP(answer,
				httptest.NewRequestWithContext(ctx, http.MethodGet, oidctest.KeySetPath, nil))
			returned = true
		}()
		synctest.Wait()
		if returned {
			t.Fatal("it does not hang")
		}
		if _, keySet := p.Fetches(); keySet != 1 {
			t.Error("the hanging request is not counted")
		}
		cancel()
		synctest.Wait()
		if !returned || answer.Body.Len() != 0 {
			t.Errorf("returned: %t, with %s", returned, answer.Body)
		}
	})
}

func TestHangEndsWithTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t, oidctest.Config{})
		p.SetFaults(oidctest.Faults{Hang: true, Only: oidctest.KeySetPath})
		if code := get(p, oidctest.DiscoveryPath).Code; code != 200 {
			t.Errorf("the other document: %d", code)
		}
		var answer *httptest.ResponseRecorder
		go func() { answer = get(p, oidctest.KeySetPath) }()
		synctest.Wait()
		p.SetFaults(oidctest.Faults{Hang: true})
		synctest.Wait()
		if answer != nil {
			t.Fatal("a change that keeps the fault let the request go")
		}
		p.SetFaults(oidctest.Faults{})
		synctest.Wait()
		if answer == nil || answer.Body.String() != string(p.KeySet()) {
			t.Error("the healed provider did not answer the waiting request")
		}
	})
}

func TestFaultsOfDiscovery(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	p.SetFaults(oidctest.Faults{Issuer: "https://evil.example", JWKSURL: "http://192.0.2.1/keys"})
	document := discovery(t, p)
	if document["issuer"] != "https://evil.example" ||
		document["jwks_uri"] != "http://192.0.2.1/keys" {
		t.Errorf("%v", document)
	}
	if claims := signClaims(t, p, nil); claims["iss"] != issuer || p.Issuer() != issuer {
		t.Errorf("the lie is in the token too: %v", claims)
	}
	p.SetFaults(oidctest.Faults{})
	if document := discovery(t, p); document["issuer"] != issuer {
		t.Errorf("not healed: %v", document)
	}
}

func TestFaultUnknownKeyType(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	p.SetFaults(oidctest.Faults{UnknownKeyType: true})
	if _, err := jwk.Parse(p.KeySet()); err == nil {
		t.Error("the key type is known after all")
	}
	set, err := jwk.Parse(p.KeySet(), jwk.WithIgnoreParseError(true))
	if err != nil || !verifies(set, sign(t, p, nil, "payload")) {
		t.Errorf("the other key is gone: %v", err)
	}
	got := keys(t, p)
	if len(got) != 2 || got[0]["kid"] != oidctest.UnknownKeyID || got[0]["kty"] == "" {
		t.Errorf("%v", got)
	}
}

func TestFaultOmitAlg(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	p.SetFaults(oidctest.Faults{
		OmitAlg:        true,
		UnknownKeyType: true,
		SymmetricKey:   true,
		DuplicateKeyID: true,
	})
	got := keys(t, p)
	if len(got) != 4 {
		t.Errorf("%d keys", len(got))
	}
	for _, key := range got {
		if _, ok := key["alg"]; ok {
			t.Errorf("alg is there: %v", key)
		}
	}
}

func TestFaultDuplicateKeyID(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	if _, err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	p.SetFaults(oidctest.Faults{DuplicateKeyID: true})
	got := keys(t, p)
	if len(got) != 3 || got[0]["kid"] != p.KeyID() || got[2]["kid"] != p.KeyID() ||
		got[0]["x"] == got[2]["x"] || got[0]["alg"] != got[2]["alg"] {
		t.Fatalf("%v", got)
	}
	set, token := parseSet(t, p.KeySet()), sign(t, p, nil, "payload")
	if verifies(set, token) {
		t.Error("the first key of that ID is the right one")
	}
	_, err := jws.Verify([]byte(token), jws.WithKeySet(set, jws.WithMultipleKeysPerKeyID(true)))
	if err != nil {
		t.Errorf("no key of that ID is the right one: %v", err)
	}

	hmac := newProvider(t, oidctest.Config{Algorithm: "HS256", Secret: secret})
	hmac.SetFaults(oidctest.Faults{DuplicateKeyID: true})
	if got := keys(t, hmac); len(got) != 0 {
		t.Errorf("HS256 publishes %v", got)
	}
}

func TestFaultSymmetricKey(t *testing.T) {
	p := newProvider(t, oidctest.Config{Secret: secret})
	if slices.ContainsFunc(keys(t, p),
		func(key map[string]string) bool { return key["kty"] == "oct" }) {
		t.Error("the secret is published without the fault")
	}
	p.SetFaults(oidctest.Faults{SymmetricKey: true})
	forger := newProvider(t, oidctest.Config{Algorithm: "HS256", Secret: secret})
	token := sign(t, forger, map[string]any{"kid": oidctest.SymmetricKeyID}, "forged")
	if !verifies(parseSet(t, p.KeySet()), token) {
		t.Error("a careless verifier refuses the forgery")
	}

	random := newProvider(t, oidctest.Config{})
	random.SetFaults(oidctest.Faults{SymmetricKey: true})
	if got := keys(t, random); got[0]["kty"] != "oct" || len(got[0]["k"]) != 43 {
		t.Errorf("%v", got)
	}
}

func TestAlgorithmConfusionForgery(t *testing.T) {
	p := newProvider(t, oidctest.Config{Algorithm: "RS256"})
	forger := newProvider(t, oidctest.Config{Algorithm: "HS256", Secret: p.PublicKeyPEM()})
	token := sign(t, forger, map[string]any{"kid": p.KeyID()}, "forged")
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.HS256, p.PublicKeyPEM())); err != nil {
		t.Errorf("a verifier that believes the header refuses the forgery: %v", err)
	}
	if verifies(parseSet(t, p.KeySet()), token) {
		t.Error("a good verifier accepts the forgery")
	}
}
