package oidctest_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/seed055b7978/delegation/oidctest"
)

// A provider behind a test server, and a verifier that trusts it.
func Example() {
	provider, err := oidctest.New(oidctest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(provider)
	defer server.Close()
	provider.SetIssuer(server.URL)

	token, err := provider.SignIDToken(map[string]any{"sub": "alice", "aud": "photo-app"})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.Fetch(context.Background(), server.URL+oidctest.KeySetPath)
	if err != nil {
		log.Fatal(err)
	}
	verified, err := jwt.ParseString(token, jwt.WithKeySet(keys),
		jwt.WithIssuer(provider.Issuer()), jwt.WithAudience("photo-app"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verified.Subject())
	// Output: alice
}

// Two forgeries that every verifier must refuse: a token without a signature,
// and one signed with the public key as if it were a shared secret.
func ExampleProvider_Sign() {
	provider, err := oidctest.New(oidctest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	forger, err := oidctest.New(oidctest.Config{
		Algorithm: "HS256",
		Secret:    provider.PublicKeyPEM(),
	})
	if err != nil {
		log.Fatal(err)
	}
	payload := []byte(`{"sub":"alice","aud":"photo-app"}`)
	unsigned, err := provider.Sign(map[string]any{"alg": "none"}, payload)
	if err != nil {
		log.Fatal(err)
	}
	confused, err := forger.Sign(map[string]any{"kid": provider.KeyID()}, payload)
	if err != nil {
		log.Fatal(err)
	}

	keys, err := jwk.Parse(provider.KeySet())
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{unsigned, confused} {
		_, err := jwt.ParseString(token, jwt.WithKeySet(keys))
		fmt.Println(err != nil)
	}
	// Output:
	// true
	// true
}
