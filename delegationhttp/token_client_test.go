package delegationhttp_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed055b7978/delegation/delegationhttp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// TestToken_OAuth2 asks by the client of golang.org/x/oauth2: credentials come out of its token,
// and a refusal is one that it reads.
func TestToken_OAuth2(t *testing.T) {
	w := newTokenWorld(t)
	at := serve(t, w.handler(t)) + tokenPath
	ask := func(audience string) (*oauth2.Token, error) {
		c := clientcredentials.Config{
			ClientID:  app,
			TokenURL:  at,
			Scopes:    []string{"photos.read"},
			AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{
				"grant_type":         {tokenGrant},
				"subject_token":      {w.Token(nil)},
				"subject_token_type": {typePrefix + "id_token"},
				"audience":           {audience},
			},
		}
		return c.Token(t.Context())
	}
	token, err := ask(app)
	if err != nil {
		t.Fatal(err)
	}
	credentials := map[string]string{}
	decoded, err := base64.RawURLEncoding.DecodeString(token.AccessToken)
	if err != nil || json.Unmarshal(decoded, &credentials) != nil ||
		credentials["AccessKeyId"] == "" || credentials["Token"] == "" {
		t.Errorf("the token has %d members, %v", len(credentials), err)
	}
	if token.TokenType != "N_A" || token.Extra("expires_in") != 3600.0 ||
		token.Extra("issued_token_type") != delegationhttp.TokenTypeAWSCredentials ||
		token.Extra("scope") != "photos.read" {
		t.Errorf("the type is %s, it lasts %v s, and the rest is %v %v", token.TokenType,
			token.Extra("expires_in"), token.Extra("issued_token_type"), token.Extra("scope"))
	}
	_, err = ask("none")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_target" ||
		refused.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown target: %v", err)
	}
}
