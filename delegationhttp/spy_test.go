package delegationhttp_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// spied is what reached the Exchanger last.
type spied struct {
	times int
	// client: empty if none was named, foreign if another than the expected one was
	token, target, client string
	parameters            map[string]any
}

const foreign = "foreign"

// newSpy returns an Exchanger that tells what it was asked for, and denies. What the options hold
// only a Delegator can see, so behind it is one that takes a token of the expected client, and
// rules that look.
func newSpy(t testing.TB, client string, seen *spied) delegationhttp.Exchanger {
	t.Helper()
	const issuer, nobody = "https://issuer.example.com/", "nobody"
	secret := bytes.Repeat([]byte("s"), 32)
	provider := must(oidctest.New(oidctest.Config{Algorithm: "HS256", Secret: secret}))
	provider.SetIssuer(issuer)
	d := must(delegation.New(t.Context(), delegation.Config{
		Issuers: []delegation.Issuer{{
			URL:          issuer,
			SharedSecret: delegation.NewSecret(string(secret)),
		}},
		IdentityProvider: delegationtest.Identity(),
		Targets: delegation.Targets{app: {
			Audiences: []string{client, nobody},
			AWS:       delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"},
		}},
		STS: noSTS{},
	}))
	tokenOf := func(client string) string {
		return must(provider.SignIDToken(map[string]any{"sub": alice, "aud": client}))
	}
	its, anothers := tokenOf(client), tokenOf(nobody)
	return exchanger(func(
		ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
	) (*delegation.Credentials, error) {
		*seen = spied{times: seen.times + 1, token: idToken, target: target, client: foreign}
		look := delegation.WithRule(func(
			_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
		) error {
			seen.parameters = rc.Request.Parameters
			return delegation.Deny("seen")
		})
		options = append(options, look)
		_, err := d.Exchange(ctx, its, app, options...)
		_, other := d.Exchange(ctx, anothers, app, options...)
		switch {
		case errors.Is(err, delegation.CodeDenied) && errors.Is(other, delegation.CodeDenied):
			seen.client = "" // it passes with both tokens, so the request named no client
		case errors.Is(err, delegation.CodeDenied) &&
			errors.Is(other, delegation.CodeClientMismatch):
			seen.client = client
		}
		if errors.Is(err, delegation.CodeClientMismatch) { // look again, past the client
			_, err = d.Exchange(ctx, its, app, append(options, delegation.WithClientID(""))...)
		}
		return nil, err
	})
}

// noSTS is not reached: the spy denies.
type noSTS struct{ delegation.STS }
