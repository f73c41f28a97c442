package delegation_test

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

const (
	agentIssuer = "https://agents.example.com"
	agent       = "photo-agent"
)

// actorWorld is a world whose target lets a listed agent act, by tokens of a second issuer.
type actorWorld struct {
	*world
	agents *oidctest.Provider
}

func newActorWorld(t testing.TB) *actorWorld {
	w := newWorld(t)
	agents := must(oidctest.New(oidctest.Config{Algorithm: "ES256", Now: w.clock.Now}))
	agents.SetIssuer(agentIssuer)
	w.config.Issuers = append(w.config.Issuers, delegation.Issuer{
		URL:        agentIssuer,
		JWKS:       agents.KeySet(),
		Algorithms: []string{"ES256"},
	})
	w.target(func(target *delegation.Target) {
		target.Audiences = []string{app}
		target.Issuers = []string{w.url}
		target.Actors = &delegation.Actors{
			Listed:    []delegation.ListedActor{{Issuer: agentIssuer, Subject: agent}},
			Audiences: []string{"delegation"},
		}
	})
	return &actorWorld{w, agents}
}

// actors changes the target's Actors.
func (w *actorWorld) actors(change func(*delegation.Actors)) {
	w.target(func(target *delegation.Target) {
		actors := *target.Actors
		change(&actors)
		target.Actors = &actors
	})
}

// agentToken signs a token of the agent.
func (w *actorWorld) agentToken(changes map[string]any) string {
	claims := map[string]any{"sub": agent, "aud": "delegation"}
	maps.Copy(claims, changes)
	return must(w.agents.SignIDToken(claims))
}

// act exchanges a token of alice with the agent's.
func (w *actorWorld) act(
	t testing.TB, claims map[string]any, options ...delegation.ExchangeOption,
) (*delegation.Credentials, error) {
	t.Helper()
	return w.delegator(t).Exchange(t.Context(), w.token(claims), app, options...)
}

// TestActor_Token: a listed agent acts with its token: rules, session and event show both.
func TestActor_Token(t *testing.T) {
	w := newActorWorld(t)
	var seen delegation.RuleContext
	w.config.Rules = append(w.config.Rules, func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		seen = *rc
		return nil
	})
	raw := w.agentToken(nil)
	if _, err := w.act(t, nil, delegation.WithActorToken(raw)); err != nil {
		t.Fatal(err)
	}
	if a := seen.Actor; a == nil || a.Issuer != agentIssuer || a.Subject != agent ||
		a.ClientID != "delegation" || a.Claims["sub"] != agent {
		t.Errorf("the rule saw the actor %+v", a)
	}
	e := w.events[0]
	if e.ActorIssuer != agentIssuer || e.ActorSubject != agent ||
		e.ActorClientID != "delegation" || len(e.ActorTokenSHA256) != 64 ||
		e.Subject != alice || e.Duration != 15*time.Minute {
		t.Errorf("the event is %+v", e)
	}
	name := attributesOf(w.last())[delegation.AttributeRoleSessionName][0]
	if !strings.HasPrefix(name, "auth0_alice,by="+agent+"-") || e.SessionName != name {
		t.Errorf("the session is %s, the event has %s", name, e.SessionName)
	}
	if got := *w.last().DurationSeconds; got != 900 {
		t.Errorf("the session has %d seconds", got)
	}
}

// TestActor_Claim: act of the user's token is the actor. Only its outermost member counts, and
// those within it are shown.
func TestActor_Claim(t *testing.T) {
	w := newActorWorld(t)
	w.actors(func(a *delegation.Actors) { a.Listed = nil })
	var seen *delegation.Actor
	w.config.Rules = append(w.config.Rules, func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		seen = rc.Actor
		return nil
	})
	act := map[string]any{
		"sub": "outer", "client_id": "c1", "act": map[string]any{
			"iss": "https://x.example", "sub": "inner", "act": map[string]any{"sub": "innermost"},
		},
	}
	if _, err := w.act(t, map[string]any{"act": act}); err != nil {
		t.Fatal(err)
	}
	want := &delegation.Actor{
		Issuer: w.url, Subject: "outer", ClientID: "c1",
		Claims: map[string]any{"sub": "outer", "client_id": "c1"},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("the rule saw %+v", seen)
	}
	e := w.events[0]
	prior := []string{"https://x.example inner", "innermost"}
	if e.ActorIssuer != w.url || e.ActorSubject != "outer" || e.ActorTokenSHA256 != "" ||
		!reflect.DeepEqual(e.PriorActors, prior) ||
		!strings.HasPrefix(e.SessionName, "auth0_alice,by=outer-") {
		t.Errorf("the event is %+v", e)
	}
}

// TestActor_Refused: who may not act, does not.
func TestActor_Refused(t *testing.T) {
	act := func(members map[string]any) map[string]any { return map[string]any{"act": members} }
	mayAct := func(members map[string]any) map[string]any {
		return map[string]any{"may_act": members}
	}
	stranger := map[string]any{"sub": "stranger"}
	for name, c := range map[string]struct {
		actors func(*delegation.Target)
		claims map[string]any // of the user's token
		token  map[string]any // changes of the agent's; nil: none is sent
		code   delegation.Code
	}{
		"act without Actors": {
			actors: func(target *delegation.Target) { target.Actors = nil },
			claims: act(map[string]any{"sub": agent}), code: delegation.CodeActorNotAllowed,
		},
		"a token without Actors": {
			actors: func(target *delegation.Target) { target.Actors = nil },
			token:  map[string]any{}, code: delegation.CodeActorNotAllowed,
		},
		"a token that is not listed": {token: stranger, code: delegation.CodeActorNotAllowed},
		"the same sub of another issuer": {
			actors: func(target *delegation.Target) {
				target.Actors.Listed[0].Issuer = "https://elsewhere.example"
			},
			token: map[string]any{}, code: delegation.CodeActorNotAllowed,
		},
		"another client than is listed": {
			actors: func(target *delegation.Target) { target.Actors.Listed[0].ClientID = "c" },
			token:  map[string]any{}, code: delegation.CodeActorNotAllowed,
		},
		"a token for another audience": {
			token: map[string]any{"aud": "elsewhere"}, code: delegation.CodeActorNotAllowed,
		},
		"a token of another client": {
			token: map[string]any{"azp": "elsewhere"}, code: delegation.CodeActorNotAllowed,
		},
		"no audience of actors, and the agent may not call": {
			actors: func(target *delegation.Target) { target.Actors.Audiences = nil },
			token:  map[string]any{}, code: delegation.CodeIssuerNotAllowed,
		},
		"may_act of another sub": {
			claims: mayAct(map[string]any{"sub": "x", "iss": agentIssuer}),
			token:  stranger, code: delegation.CodeActorNotAllowed,
		},
		"may_act without iss, of another issuer": {
			claims: mayAct(stranger), token: stranger, code: delegation.CodeActorNotAllowed,
		},
		"may_act of another client": {
			claims: mayAct(map[string]any{
				"sub": "stranger", "iss": agentIssuer, "client_id": "x",
			}),
			token: stranger, code: delegation.CodeActorNotAllowed,
		},
		"may_act with a member that the actor lacks": {
			claims: mayAct(map[string]any{
				"sub": "stranger", "iss": agentIssuer, "email": "x@example.com",
			}),
			token: stranger, code: delegation.CodeActorNotAllowed,
		},
		"may_act, and OnlyListed": {
			actors: func(target *delegation.Target) { target.Actors.OnlyListed = true },
			claims: mayAct(map[string]any{"sub": "stranger", "iss": agentIssuer}),
			token:  stranger, code: delegation.CodeActorNotAllowed,
		},
		"act, and OnlyListed": {
			actors: func(target *delegation.Target) { target.Actors.OnlyListed = true },
			claims: act(stranger), code: delegation.CodeActorNotAllowed,
		},
		"may_act without a token is no actor, and one that is no object names nobody": {
			claims: map[string]any{"may_act": "stranger"},
			token:  stranger, code: delegation.CodeActorInvalid,
		},
		"act and another token": {
			claims: act(map[string]any{"sub": "x", "iss": agentIssuer}),
			token:  map[string]any{}, code: delegation.CodeActorMismatch,
		},
		"act of another issuer than the token": {
			claims: act(map[string]any{"sub": agent}),
			token:  map[string]any{}, code: delegation.CodeActorMismatch,
		},
		"act of another client than the token": {
			claims: act(map[string]any{"sub": agent, "iss": agentIssuer, "client_id": "x"}),
			token:  map[string]any{}, code: delegation.CodeActorMismatch,
		},
		"a name like a listed actor's": {
			claims: act(map[string]any{"sub": agent}), code: delegation.CodeActorNotAllowed,
		},
		"act that is a text": {
			claims: map[string]any{"act": "x"}, code: delegation.CodeActorInvalid,
		},
		"act that is empty": {
			claims: act(map[string]any{}), code: delegation.CodeActorInvalid,
		},
		"act whose iss is not text": {
			claims: act(map[string]any{"sub": "x", "iss": 1}), code: delegation.CodeActorInvalid,
		},
		"a token with act": {
			token: act(map[string]any{"sub": "x"}), code: delegation.CodeActorInvalid,
		},
		"a token without a claim that its issuer requires": {
			token: map[string]any{"team": nil, "strict": true}, code: delegation.CodeRequiredClaim,
		},
		"an expired token": {
			token: map[string]any{"exp": 2, "iat": 1}, code: delegation.CodeTokenExpired,
		},
		"a token of an unknown issuer": {
			token: map[string]any{"iss": "https://x.example"}, code: delegation.CodeIssuerUnknown,
		},
		"an access token without the setting": {
			token: map[string]any{"scp": "x"}, code: delegation.CodeTokenKindScoped,
		},
	} {
		w := newActorWorld(t)
		if c.actors != nil {
			w.target(c.actors)
		}
		if c.token["strict"] != nil {
			w.config.Issuers[1].RequiredClaims = map[string][]string{"team": {"agents"}}
		}
		var options []delegation.ExchangeOption
		if c.token != nil {
			options = append(options, delegation.WithActorToken(w.agentToken(c.token)))
		}
		credentials, err := w.act(t, c.claims, options...)
		if err == nil || credentials != nil || len(w.sent) > 0 {
			t.Errorf("%s: it was accepted", name)
			continue
		}
		if e := err.(*delegation.Error); e.Code != c.code || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
		if hash := w.newest().ActorTokenSHA256; (len(hash) == 64) != (c.token != nil) {
			t.Errorf("%s: the event has the hash %q", name, hash)
		}
	}
	w := newActorWorld(t)
	_, err := w.act(t, nil, delegation.WithActorToken(""))
	wantError(t, err, delegation.StageTarget, delegation.CodeActorInvalid)
}

// TestActor_MayAct: an actor that may_act of the user's token names may act.
func TestActor_MayAct(t *testing.T) {
	for name, mayAct := range map[string]map[string]any{
		"sub and iss": {"sub": "stranger", "iss": agentIssuer},
		"the client":  {"sub": "stranger", "iss": agentIssuer, "client_id": "delegation"},
		"an email":    {"sub": "stranger", "iss": agentIssuer, "email": "bot@example.com"},
	} {
		w := newActorWorld(t)
		token := w.agentToken(map[string]any{"sub": "stranger", "email": "bot@example.com"})
		_, err := w.act(t, map[string]any{"may_act": mayAct}, delegation.WithActorToken(token))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.act(t, map[string]any{"may_act": mayAct}); err != nil {
			t.Errorf("%s, and nobody acts: %v", name, err)
		}
		shown := w.events[0].SessionName
		if !strings.Contains(shown, ",by=https_/") && !strings.Contains(shown, ",by=https_") {
			t.Errorf("%s: an actor of another issuer is shown as %s", name, shown)
		}
	}
}

// TestActor_NotForTheUserOfAChain: the last role of a chain knows the user by the source identity
// alone, so no actor is shown there. New refuses such a target, and so does an exchange.
func TestActor_NotForTheUserOfAChain(t *testing.T) {
	for place, words := range map[delegation.ActorPlace][]string{
		"":                            nil,
		delegation.ActorInSessionName: nil,
		delegation.ActorInTag:         nil,
		delegation.ActorInSourceIdentity: {
			`Targets["photo-app"]: Actors: Place is source_identity, and the last role of a ` +
				"Chain knows users by their source identity alone: set it to tag or session_name",
		},
	} {
		w, _ := chainWorld(t)
		w.target(func(target *delegation.Target) {
			target.Actors = &delegation.Actors{Place: place}
		})
		wantOfNew(t, w.config, words)

		target := w.config.Targets.(delegation.Targets)[app]
		w.config.Targets = sourceOf(func() *delegation.Target { return &target })
		_, err := w.exchange(t, map[string]any{
			"act": map[string]any{"sub": agent}, "email": "alice@example.com", "team": "press",
		})
		if words != nil {
			wantError(t, err, delegation.StageTarget, delegation.CodeTargetInvalid)
		} else if err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// TestActor_IsNoUserOfAChain: the decision itself takes no actor for the user of a chain, whatever
// New lets through.
func TestActor_IsNoUserOfAChain(t *testing.T) {
	w, _ := chainWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.Actors = &delegation.Actors{Place: delegation.ActorInSourceIdentity}
	wantError(t, delegation.DecideForActor(target, agent),
		delegation.StageDecision, delegation.CodeChainSourceIdentity)
	target.SourceIdentity = agent
	if err := delegation.DecideForActor(target, agent); err != nil {
		t.Errorf("a source identity that the target sets: %v", err)
	}
}

// TestActor_ApplicationsOwn: an application acts with a token of its own, which is no user's.
func TestActor_ApplicationsOwn(t *testing.T) {
	w := newActorWorld(t)
	w.config.Issuers[1].AccessTokens = &delegation.AccessTokens{
		Profile:   delegation.AccessTokenRFC9068,
		Audiences: []string{api},
		Scopes:    []string{"users.only"},
	}
	w.actors(func(a *delegation.Actors) { a.Audiences = []string{api} })
	now := w.clock.Now()
	payload := must(json.Marshal(map[string]any{
		"iss": agentIssuer, "sub": agent, "aud": api, "client_id": agent, "jti": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}))
	raw := must(w.agents.Sign(map[string]any{"typ": "at+jwt"}, payload))
	if _, err := w.act(t, nil, delegation.WithActorToken(raw)); err != nil {
		t.Fatal(err)
	}
	// The same token is refused as a user's, also when it is remembered.
	w.target(func(target *delegation.Target) {
		target.Issuers = []string{w.url, agentIssuer}
		target.SubjectsAreOne = true
	})
	d := w.delegator(t)
	if _, err := d.Exchange(t.Context(), w.token(nil), app,
		delegation.WithActorToken(raw)); err != nil {
		t.Fatal(err)
	}
	_, err := d.Exchange(t.Context(), raw, app)
	wantError(t, err, delegation.StageToken, delegation.CodeAccessTokenUser)
}
