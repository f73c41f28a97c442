package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	capjwt "github.com/hashicorp/cap/jwt"
	jwk2 "github.com/lestrrat-go/jwx/v2/jwk"
	jwt2 "github.com/lestrrat-go/jwx/v2/jwt"
	jwk3 "github.com/lestrrat-go/jwx/v3/jwk"
	jwt3 "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
)

// verifier checks the signature, the issuer, the audience and the dates of a token. It returns the
// claims in a form in which a program can look up any of them.
type verifier func(token string) error

var errClaims = errors.New("the token's claims are not there")

// bareVerifier checks the signature alone: no verifier can be faster.
func bareVerifier(w *world) verifier {
	key := &w.issuer.PublicKey
	return func(token string) error {
		i := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(token[:i]))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
	}
}

func golangJWT(w *world) verifier {
	keys := map[string]*rsa.PublicKey{keyID: &w.issuer.PublicKey}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithIssuer(issuerURL),
		jwt.WithAudience(clientID),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Minute),
	)
	find := func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		if key, ok := keys[kid]; ok {
			return key, nil
		}
		return nil, errors.New("unknown kid")
	}
	return func(token string) error {
		claims := jwt.MapClaims{}
		if _, err := parser.ParseWithClaims(token, claims, find); err != nil {
			return err
		}
		if claims["sub"] != subject {
			return errClaims
		}
		return nil
	}
}

// goOIDC verifies with given keys, or with fetched ones. A set of given keys parses the token a
// second time.
func goOIDC(keys oidc.KeySet) verifier {
	ctx := context.Background()
	verifier := oidc.NewVerifier(issuerURL, keys, &oidc.Config{ClientID: clientID})
	return func(token string) error {
		verified, err := verifier.Verify(ctx, token)
		if err != nil {
			return err
		}
		var claims map[string]any
		if err := verified.Claims(&claims); err != nil {
			return err
		}
		if claims["sub"] != subject {
			return errClaims
		}
		return nil
	}
}

func jwxV2(w *world) (verifier, error) {
	keys, err := jwk2.Parse(w.jwks)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		verified, err := jwt2.Parse([]byte(token),
			jwt2.WithKeySet(keys),
			jwt2.WithIssuer(issuerURL),
			jwt2.WithAudience(clientID),
			jwt2.WithAcceptableSkew(time.Minute),
		)
		if err != nil {
			return err
		}
		if verified.Subject() != subject {
			return errClaims
		}
		return nil
	}, nil
}

func jwxV3(w *world) (verifier, error) {
	keys, err := jwk3.Parse(w.jwks)
	if err != nil {
		return nil, err
	}
	return func(token string) error {
		verified, err := jwt3.Parse([]byte(token),
			jwt3.WithKeySet(keys),
			jwt3.WithIssuer(issuerURL),
			jwt3.WithAudience(clientID),
			jwt3.WithAcceptableSkew(time.Minute),
		)
		if err != nil {
			return err
		}
		if sub, ok := verified.Subject(); !ok || sub != subject {
			return errClaims
		}
		return nil
	}, nil
}

func goJOSE(w *world) (verifier, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(w.jwks, &keys); err != nil {
		return nil, err
	}
	return func(token string) error {
		parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			return err
		}
		var registered josejwt.Claims
		var all map[string]any
		if err := parsed.Claims(&keys, &registered, &all); err != nil {
			return err
		}
		if all["sub"] != subject {
			return errClaims
		}
		return registered.Validate(josejwt.Expected{
			Issuer:      issuerURL,
			AnyAudience: josejwt.Audience{clientID},
			Time:        time.Now(),
		})
	}, nil
}

func hashicorpCap(keysURL string) (verifier, error) {
	ctx := context.Background()
	keys, err := capjwt.NewJSONWebKeySet(ctx, keysURL, "")
	if err != nil {
		return nil, err
	}
	validator, err := capjwt.NewValidator(keys)
	if err != nil {
		return nil, err
	}
	expected := capjwt.Expected{
		Issuer:            issuerURL,
		Audiences:         []string{clientID},
		SigningAlgorithms: []capjwt.Alg{capjwt.RS256},
	}
	return func(token string) error {
		claims, err := validator.Validate(ctx, token, expected)
		if err != nil {
			return err
		}
		if claims["sub"] != subject {
			return errClaims
		}
		return nil
	}, nil
}

func zitadelOIDC(keysURL string) verifier {
	ctx := context.Background()
	keys := rp.NewRemoteKeySet(http.DefaultClient, keysURL)
	verifier := rp.NewIDTokenVerifier(issuerURL, clientID, keys,
		rp.WithNonce(nil)) // no other verifier here compares it
	return func(token string) error {
		claims, err := rp.VerifyIDToken[*zitadel.IDTokenClaims](ctx, token, verifier)
		if err != nil {
			return err
		}
		if claims.Claims["sub"] != subject {
			return errClaims
		}
		return nil
	}
}
