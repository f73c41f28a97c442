package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// This file has every use of the library's internal packages: the two stages that cannot be
// measured separately from outside. Everything else is measured through exported functions.

const maxTokenSize = 64 << 10 // for the token of 400 claims

// ours is the token stage of an exchange: a Verifier that already has the issuer's keys.
func ours(keysURL string, seen string) (func(token string) error, error) {
	ctx := context.Background()
	verifier := idtoken.New(
		idtoken.Config{
			MaxSize:       maxTokenSize,
			Leeway:        time.Minute,
			Now:           time.Now,
			RefreshFailed: func(string, error) {},
		},
		[]idtoken.Issuer{{
			URL:        issuerURL,
			Algorithms: []string{"RS256"},
			KeySetURL:  keysURL,
			Allowed:    document.Allowed{LoopbackHTTP: true},
		}},
	)
	verify := func(token string) error {
		claims, err := verifier.Verify(ctx, token)
		if err != nil {
			return err
		}
		forUs := slices.Contains(claims.Audience, clientID) // the target's check during an exchange
		if claims.All["sub"] != subject || !forUs {
			return errClaims
		}
		return nil
	}
	return verify, verify(seen) // fetches the keys
}

// response is the response stage of an exchange: it builds, signs, checks the signature, serialises
// and encodes.
func response(signer crypto.Signer, certificate *x509.Certificate, tags int) func() error {
	attributes := []samldoc.Attribute{
		{Name: delegation.AttributeRole, Values: []string{role + "," + principal}},
		{Name: delegation.AttributeRoleSessionName, Values: []string{email}},
		{Name: delegation.AttributeSessionDuration, Values: []string{"3600"}},
	}
	for _, tag := range tagsOf(tags) {
		attributes = append(attributes, samldoc.Attribute{
			Name:   delegation.AttributePrincipalTag + tag.name,
			Values: []string{tag.value},
		})
	}
	callees := new(guard.Callees)
	return func() error {
		document := samldoc.Response{
			EntityID:    entityID,
			Recipient:   recipient,
			Audience:    audience,
			NameID:      subject,
			Attributes:  attributes,
			Signer:      signer,
			Certificate: certificate,
			Callees:     callees,
		}
		_, _, err := document.Write(context.Background(), time.Now(), rand.Reader)
		return err
	}
}

// blankSigner returns a signature of zeros immediately, so that only the rest of the work is
// measured.
func blankSigner(public crypto.PublicKey) crypto.Signer { return samldoc.BlankSigner{Key: public} }
