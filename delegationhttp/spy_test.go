package delegationhttp_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
)

// spied is what reached the Exchanger last.
type spied struct {
	times                 int
	token, target, client string // client: foreign, if it is not the one that was expected
	parameters            map[string]any
}

const foreign = "foreign"

// newSpy returns an Exchanger that tells what it was asked for, and denies. What the options hold only a Delegator can see, so behind it
// is one that takes a token of the expected client, and rules that look.
func newSpy(t testing.TB, client string, seen *spied) delegationhttp.Exchanger {
	t.Helper()
	const issuer, nobody = "https://issuer.example.com/", "nobody"
	secret := bytes.Repeat([]byte("s"), 32)
	provider := must(oidctest.New(oidctest.Config{Algorithm: "HS256", Secret: secret}))
	provider.SetIssuer(issuer)
	d := must(delegation.New(t.Context(), delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuer, SharedSecret: delegation.NewSecret(string(secret))}},
		IdentityProvider: identity(),
		Targets:          delegation.Targets{app: {Audiences: []string{nobody}, AWS: delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}}},
		STS:              noSTS{},
	}))
	// The token is nobody's in the first place: a request without a client would be theirs.
	token := must(provider.SignIDToken(map[string]any{"sub": alice, "aud": []string{client, nobody}, "azp": nobody}))
	return exchanger(func(ctx context.Context, idToken, target string, options ...delegation.ExchangeOption) (*delegation.Credentials, error) {
		*seen = spied{times: seen.times + 1, token: idToken, target: target, client: foreign}
		_, err := d.Exchange(ctx, token, app, append(options, delegation.WithRule(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			seen.client, seen.parameters = rc.ClientID, rc.Request.Parameters
			return delegation.Deny("seen")
		}))...)
		if errors.Is(err, delegation.CodeClientMismatch) { // look again, past the client
			_, err = d.Exchange(ctx, token, app, append(options, delegation.WithClientID(""), delegation.WithRule(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
				seen.parameters = rc.Request.Parameters
				return delegation.Deny("seen")
			}))...)
		}
		return nil, err
	})
}

// noSTS is not reached: the spy denies.
type noSTS struct{ delegation.STS }
