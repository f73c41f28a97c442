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

// An imitation of Entra ID, which a client reaches by Entra's own addresses.
func ExampleNetwork() {
	profile, err := oidctest.LoadProfile("entra", map[string]string{
		"tenant": "11111111-2222-3333-4444-555555555555",
	})
	if err != nil {
		log.Fatal(err)
	}
	entra, err := oidctest.New(oidctest.Config{Profile: profile})
	if err != nil {
		log.Fatal(err)
	}
	network, err := oidctest.NewNetwork(entra)
	if err != nil {
		log.Fatal(err)
	}
	client := network.Client()
	defer client.CloseIdleConnections()

	keys, err := jwk.Fetch(context.Background(),
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/discovery/v2.0/keys",
		jwk.WithHTTPClient(client))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(keys.Len())

	token, err := entra.SignAs(oidctest.AccessToken, map[string]any{"scp": "photos.read"})
	if err != nil {
		log.Fatal(err)
	}
	claims, err := jwt.ParseInsecure([]byte(token))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Issuer())
	// Output:
	// 1
	// https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0
}
