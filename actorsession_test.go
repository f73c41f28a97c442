package delegation_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// acting is what act says of the agent.
var acting = map[string]any{"act": map[string]any{"sub": agent}}

// anyActor lets those act that the user's token names, and shows them at the place.
func (w *actorWorld) anyActor(place delegation.ActorPlace) {
	w.actors(func(a *delegation.Actors) {
		a.Listed = nil
		a.Place = place
	})
}

// TestActor_Places: the session shows the actor where the target says, and the user too.
func TestActor_Places(t *testing.T) {
	const tag = delegation.AttributePrincipalTag + "Actor"
	for place, want := range map[delegation.ActorPlace]map[string]string{
		"": {
			delegation.AttributeRoleSessionName: "alice@example.com,by=photo-agent",
		},
		delegation.ActorInSessionName: {
			delegation.AttributeRoleSessionName: "alice@example.com,by=photo-agent",
		},
		delegation.ActorInTag: {
			delegation.AttributeRoleSessionName: "alice@example.com", tag: agent,
		},
		delegation.ActorInSourceIdentity: {
			delegation.AttributeRoleSessionName: "alice@example.com",
			delegation.AttributeSourceIdentity:  agent,
		},
	} {
		w := newActorWorld(t)
		w.anyActor(place)
		claims := map[string]any{
			"act": acting["act"], "email": "alice@example.com", "email_verified": true,
		}
		if _, err := w.act(t, claims); err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		got := attributesOf(w.last())
		for _, name := range []string{
			delegation.AttributeRoleSessionName, delegation.AttributeSourceIdentity, tag,
		} {
			if value := strings.Join(got[name], "|"); value != want[name] {
				t.Errorf("%s: %s is %q, want %q", place, name, value, want[name])
			}
		}
		claims["act"] = nil
		if _, err := w.act(t, claims); err != nil {
			t.Fatalf("%s, the user: %v", place, err)
		}
		alone := attributesOf(w.last())
		if alone[delegation.AttributeRoleSessionName][0] != "alice@example.com" ||
			alone[tag] != nil || alone[delegation.AttributeSourceIdentity] != nil ||
			*w.last().DurationSeconds != 3600 {
			t.Errorf("%s: the user's own session is %v", place, alone)
		}
	}
}

// TestActor_CannotBeHidden: neither target nor rules nor mappings replace what shows the actor.
func TestActor_CannotBeHidden(t *testing.T) {
	rule := func(change func(*delegation.AWS)) delegation.RuleFunc {
		return func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			change(&rc.AWS)
			if rc.Actor != nil { // a copy
				rc.Actor.Subject = "nobody"
				rc.Actor = nil
			}
			return nil
		}
	}
	sourceIdentity := func(text string) func(*delegation.AWS) {
		return func(a *delegation.AWS) { a.SourceIdentity = text }
	}
	tags := func(tags map[string]string, transitive, droppable []string) func(*delegation.AWS) {
		return func(a *delegation.AWS) {
			a.Tags = tags
			a.TransitiveTagKeys = transitive
			a.DroppableTags = droppable
		}
	}
	inTag := delegation.ActorInTag
	for name, c := range map[string]struct {
		place  delegation.ActorPlace
		change func(*delegation.AWS)
		code   delegation.Code // empty: the session shows the actor
	}{
		"a session name":        {"", func(a *delegation.AWS) { a.SessionName = "bob" }, ""},
		"a name with an actor":  {"", func(a *delegation.AWS) { a.SessionName = "a,by=b" }, ""},
		"another source":        {"source_identity", sourceIdentity("bob"), "actor_conflict"},
		"the same source":       {"source_identity", sourceIdentity(agent), ""},
		"a source, in the name": {"", sourceIdentity("bob"), ""},
		"another tag":           {inTag, tags(map[string]string{"x": "y"}, nil, nil), ""},
		"no tags":               {inTag, tags(nil, nil, nil), ""},
		"the tag": {
			inTag, tags(map[string]string{"Actor": "bob"}, nil, nil), "actor_conflict",
		},
		"the tag in lower case": {
			inTag, tags(map[string]string{"actor": agent}, nil, nil), "actor_conflict",
		},
		"the tag with its value": {inTag, tags(map[string]string{"Actor": agent}, nil, nil), ""},
		"the tag dropped": {
			inTag,
			tags(map[string]string{"Actor": agent}, nil, []string{"Actor"}),
			"actor_conflict",
		},
		"other transitive tags": {
			inTag, tags(map[string]string{"x": "y"}, []string{"x"}, nil), "",
		},
	} {
		for _, by := range []string{"rule", "target"} {
			w := newActorWorld(t)
			w.anyActor(c.place)
			if by == "rule" {
				w.config.Rules = append(w.config.Rules, rule(c.change))
			} else {
				w.target(func(target *delegation.Target) { c.change(&target.AWS) })
				if name == "the tag dropped" {
					wantOfNew(t, w.config, []string{"Actors: TagKey"})
					continue
				}
			}
			_, err := w.act(t, acting)
			if c.code != "" {
				wantError(t, err, delegation.StageDecision, c.code)
				continue
			}
			if err != nil {
				t.Errorf("%s of a %s: %v", name, by, err)
				continue
			}
			got := attributesOf(w.last())
			shown := got[delegation.AttributeRoleSessionName][0] +
				strings.Join(got[delegation.AttributeSourceIdentity], "") +
				strings.Join(got[delegation.AttributePrincipalTag+"Actor"], "")
			if !strings.Contains(shown, agent) || w.events[0].ActorSubject != agent {
				t.Errorf("%s of a %s: the session shows %s", name, by, shown)
			}
			if transitive := got[delegation.AttributeTransitiveTagKeys]; transitive != nil &&
				!reflect.DeepEqual(transitive, []string{"x", "Actor"}) {
				t.Errorf("%s of a %s: transitive are %v", name, by, transitive)
			}
		}
	}
}

// TestActor_SessionDuration: an actor's session is at most as long as Actors says. Target, rules
// and mappings can shorten it.
func TestActor_SessionDuration(t *testing.T) {
	for name, c := range map[string]struct {
		limit, target, rule time.Duration
		mapped              string
		want                time.Duration
	}{
		"default":                 {want: 15 * time.Minute},
		"a long target":           {target: 8 * time.Hour, want: 15 * time.Minute},
		"a long rule":             {rule: 8 * time.Hour, want: 15 * time.Minute},
		"a long mapping":          {mapped: "28800", want: 15 * time.Minute},
		"a limit":                 {limit: 2 * time.Hour, want: 2 * time.Hour},
		"a limit, and a target":   {limit: 2 * time.Hour, target: time.Hour, want: time.Hour},
		"a limit, and a rule":     {limit: 2 * time.Hour, rule: time.Hour, want: time.Hour},
		"a limit, and a mapping":  {limit: 2 * time.Hour, mapped: "3600", want: time.Hour},
		"a limit above a session": {limit: 12 * time.Hour, want: 12 * time.Hour},
	} {
		w := newActorWorld(t)
		w.anyActor("")
		w.actors(func(a *delegation.Actors) { a.SessionDuration = c.limit })
		w.target(func(target *delegation.Target) {
			target.SessionDuration = c.target
			if c.mapped != "" {
				target.Mappings = delegation.Mappings{
					delegation.AttributeSessionDuration: "seconds",
				}
			}
		})
		if c.rule != 0 {
			w.config.Rules = append(w.config.Rules, func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				rc.AWS.SessionDuration = c.rule
				return nil
			})
		}
		_, err := w.act(t, map[string]any{"act": acting["act"], "seconds": c.mapped})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := *w.last().DurationSeconds; time.Duration(got)*time.Second != c.want {
			t.Errorf("%s: %d seconds, want %s", name, got, c.want)
		}
	}
	w := newActorWorld(t)
	w.anyActor("")
	w.target(func(target *delegation.Target) { target.SessionDuration = time.Minute })
	_, err := w.act(t, acting)
	wantError(t, err, delegation.StageDecision, delegation.CodeDurationInvalid)
}

// TestActor_StrictSessionNames: nothing is shortened, and no user's name looks like one of a pair.
func TestActor_StrictSessionNames(t *testing.T) {
	email := func(address string, act any) map[string]any {
		return map[string]any{"email": address, "email_verified": true, "act": act}
	}
	act := acting["act"]
	for name, c := range map[string]struct {
		claims map[string]any
		want   string // empty: refused
	}{
		"both":            {email("alice@example.com", act), "alice@example.com,by=photo-agent"},
		"too long":        {email(strings.Repeat("a", 50)+"@example.com", act), ""},
		"the user alone":  {email("alice@example.com", nil), "alice@example.com"},
		"an odd user":     {map[string]any{"act": act}, ""}, // auth0|alice
		"looks like both": {email("alice,by=b@example.com", nil), ""},
	} {
		w := newActorWorld(t)
		w.anyActor("")
		w.config.StrictSessionNames = true
		_, err := w.act(t, c.claims)
		if c.want == "" {
			wantError(t, err, delegation.StageDecision, delegation.CodeSessionNameInvalid)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := attributesOf(w.last())[delegation.AttributeRoleSessionName][0]
		if got != c.want {
			t.Errorf("%s: the session is %s", name, got)
		}
	}
	w := newActorWorld(t)
	w.anyActor("")
	if _, err := w.act(t, email("alice,by=b@example.com", nil)); err != nil {
		t.Fatal(err)
	}
	got := attributesOf(w.last())[delegation.AttributeRoleSessionName][0]
	if strings.Contains(got, ",by=") || !strings.HasPrefix(got, "alice_by_b@example.com-") {
		t.Errorf("a user's name that looks like both is %s", got)
	}
}

// TestActor_CacheIsApart: the credentials of an actor, of another actor and of the user are never
// served to each other, also where the decision is the same: the last two differ in the client
// alone, which no session shows.
func TestActor_CacheIsApart(t *testing.T) {
	for _, place := range []delegation.ActorPlace{
		delegation.ActorInSessionName, delegation.ActorInTag, delegation.ActorInSourceIdentity,
	} {
		w := newActorWorld(t)
		w.anyActor(place)
		// All of them have sessions of the same name and duration, as far as rules can do that.
		w.target(func(target *delegation.Target) { target.SessionDuration = 15 * time.Minute })
		w.config.CacheSize = 100
		d := w.delegator(t)
		acts := func(sub, iss, client string) map[string]any {
			members := map[string]any{"sub": sub, "iss": iss}
			if client != "" {
				members["client_id"] = client
			}
			return map[string]any{"act": members}
		}
		who := []map[string]any{
			nil, acts(agent, agentIssuer, ""), acts("other", w.url, ""), acts(agent, w.url, ""),
			acts(agent, w.url, "client"),
		}
		for round := range 2 {
			for i, claims := range who {
				if _, err := d.Exchange(t.Context(), w.token(claims), app); err != nil {
					t.Fatalf("%s: %v", place, err)
				}
				want := delegation.CacheMiss
				if round > 0 {
					want = delegation.CacheHit
				}
				if got := w.events[len(w.events)-1].Cache; got != want {
					t.Errorf("%s: round %d, %d: %s", place, round, i, got)
				}
			}
		}
		if len(w.sent) != len(who) {
			t.Errorf("%s: AWS was asked %d times", place, len(w.sent))
		}
	}
}

// TestActor_Revoked: ended sessions of the actor refuse its tokens, and users' tokens with its act.
func TestActor_Revoked(t *testing.T) {
	for name, revocation := range map[string]delegation.Revocation{
		"subject": {Subject: agent},
		"issuer":  {Issuer: agentIssuer},
		"both":    {Issuer: agentIssuer, Subject: agent},
	} {
		w := newActorWorld(t)
		w.config.Revocations = delegation.NewRevocations(nil, 0)
		w.config.CacheSize = 100
		d := w.delegator(t)
		act := map[string]any{"act": map[string]any{"sub": agent, "iss": agentIssuer}}
		byToken := delegation.WithActorToken(w.agentToken(nil))
		user := w.token(nil)
		claimed := w.token(act)
		both := func(want delegation.Code) {
			t.Helper()
			_, tokenErr := d.Exchange(t.Context(), user, app, byToken)
			_, claimErr := d.Exchange(t.Context(), claimed, app)
			for _, err := range []error{tokenErr, claimErr} {
				if want == "" && err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if want != "" {
					wantError(t, err, delegation.StageToken, want)
				}
			}
		}
		both("")
		if err := d.Revoke(t.Context(), revocation); err != nil {
			t.Fatal(err)
		}
		both(delegation.CodeSessionEnded)
		if _, err := d.Exchange(t.Context(), user, app); err != nil {
			t.Errorf("%s: the user: %v", name, err)
		}
		w.clock.Advance(3 * time.Minute)
		byToken = delegation.WithActorToken(w.agentToken(nil))
		claimed = w.token(act)
		sent := len(w.sent)
		both("")
		if len(w.sent) != sent+2 {
			t.Errorf("%s: credentials of before were served", name)
		}
		w.clock.Advance(25 * time.Hour)
		old := delegation.WithActorToken(w.agentToken(map[string]any{
			"iat": w.clock.Now().Add(-25 * time.Hour).Unix(),
		}))
		_, err := d.Exchange(t.Context(), w.token(nil), app, old)
		wantError(t, err, delegation.StageToken, delegation.CodeTokenTooOld)
	}
}

// TestActor_RevokedByAct: users' tokens with act are refused if the sessions of all tenants of the
// actor's issuer have ended, or one session of the actor, which act does not name.
func TestActor_RevokedByAct(t *testing.T) {
	for name, c := range map[string]struct {
		issuer     string
		revocation delegation.Revocation
	}{
		"all tenants": {contosoURL, delegation.Revocation{Issuer: entraURL}},
		"a session": {
			agentIssuer,
			delegation.Revocation{Issuer: agentIssuer, Subject: agent, SessionID: "s1"},
		},
	} {
		w := newActorWorld(t)
		w.config.Revocations = delegation.NewRevocations(nil, 0)
		w.config.Issuers = append(w.config.Issuers, delegation.Issuer{
			URL:     entraURL,
			Tenants: []string{contoso},
			JWKS:    keySet(jwk(issuerKey().Public(), nil)),
		})
		d := w.delegator(t)
		claimed := w.token(map[string]any{"act": map[string]any{"sub": agent, "iss": c.issuer}})
		if _, err := d.Exchange(t.Context(), claimed, app); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := d.Revoke(t.Context(), c.revocation); err != nil {
			t.Fatal(err)
		}
		_, err := d.Exchange(t.Context(), claimed, app)
		wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Errorf("%s: the user: %v", name, err)
		}
	}
}

// TestActor_Replay: the user's token counts once, with or without an actor. The actor's can be used
// for other users.
func TestActor_Replay(t *testing.T) {
	w := newActorWorld(t)
	w.config.Replay = delegation.ReplayMemory(100)
	d := w.delegator(t)
	actor := delegation.WithActorToken(w.agentToken(map[string]any{"jti": "agent"}))
	first := w.token(map[string]any{"jti": "1"})
	if _, err := d.Exchange(t.Context(), first, app, actor); err != nil {
		t.Fatal(err)
	}
	for _, options := range [][]delegation.ExchangeOption{{actor}, nil} {
		_, err := d.Exchange(t.Context(), first, app, options...)
		wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
	}
	second := w.token(map[string]any{"jti": "2"})
	if _, err := d.Exchange(t.Context(), second, app, actor); err != nil {
		t.Error(err)
	}
	// A refused actor does not spend the user's token.
	third := w.token(map[string]any{"jti": "3"})
	stranger := delegation.WithActorToken(w.agentToken(map[string]any{"sub": "stranger"}))
	_, err := d.Exchange(t.Context(), third, app, stranger)
	wantError(t, err, delegation.StageTarget, delegation.CodeActorNotAllowed)
	if _, err := d.Exchange(t.Context(), third, app, actor); err != nil {
		t.Error(err)
	}
}

// TestActor_CapSessionToToken: the session ends with the token that ends first.
func TestActor_CapSessionToToken(t *testing.T) {
	for name, c := range map[string]struct{ user, actor, want time.Duration }{
		"the actor's first": {time.Hour, 10 * time.Minute, 10 * time.Minute},
		"the user's first":  {10 * time.Minute, time.Hour, 10 * time.Minute},
	} {
		w := newActorWorld(t)
		w.config.CapSessionToToken = true
		end := func(in time.Duration) map[string]any {
			return map[string]any{"exp": w.clock.Now().Add(in).Unix()}
		}
		e, err := w.delegator(t).Explain(t.Context(), w.token(end(c.user)), app,
			delegation.WithActorToken(w.agentToken(end(c.actor))))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := e.SessionEnd.Sub(w.clock.Now()); got != c.want {
			t.Errorf("%s: the session ends in %s", name, got)
		}
	}
}

// TestActor_New: New refuses settings that cannot work.
func TestActor_New(t *testing.T) {
	one := delegation.ListedActor{Issuer: agentIssuer, Subject: agent}
	listed := func(entries ...delegation.ListedActor) func(*delegation.Actors) {
		return func(a *delegation.Actors) { a.Listed = entries }
	}
	named := func(name string) delegation.ListedActor {
		return delegation.ListedActor{Issuer: agentIssuer, Subject: "x", Name: name}
	}
	lasting := func(d time.Duration) func(*delegation.Actors) {
		return func(a *delegation.Actors) { a.SessionDuration = d }
	}
	elsewhere := delegation.ListedActor{Issuer: "https://x.example", Subject: agent}
	for words, change := range map[string]func(*delegation.Actors){
		"OnlyListed is set": func(a *delegation.Actors) {
			a.Listed = nil
			a.OnlyListed = true
		},
		"Listed[0]: it needs an issuer":   listed(delegation.ListedActor{Subject: agent}),
		"Listed[0]: it needs an issuer a": listed(delegation.ListedActor{Issuer: agentIssuer}),
		"Listed[1]: it is listed twice":   listed(one, one),
		"Listed[1]: sessions would show":  listed(one, elsewhere),
		"Listed[1]: sessions would show ": listed(one, named(agent)),
		"Listed[0]: the name does not":    listed(named("a,b")),
		"Listed[0]: the name does not h":  listed(named(strings.Repeat("a", 33))),
		"Audiences has an empty": func(a *delegation.Actors) {
			a.Audiences = []string{""}
		},
		`Place "x" is none`:          func(a *delegation.Actors) { a.Place = "x" },
		"TagKey is only":             func(a *delegation.Actors) { a.TagKey = "x" },
		"SessionDuration is 1m0s":    lasting(time.Minute),
		"SessionDuration is 13h":     lasting(13 * time.Hour),
		"SessionDuration is -1s":     lasting(-time.Second),
		"SessionDuration is 15m0.5s": lasting(15*time.Minute + time.Second/2),
	} {
		w := newActorWorld(t)
		wantOfNew(t, w.config, nil)
		w.actors(change)
		wantOfNew(t, w.config, []string{"Actors: " + words})
	}
}

// TestActor_Copied: what is changed after New has no effect.
func TestActor_Copied(t *testing.T) {
	w := newActorWorld(t)
	d := w.delegator(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.Actors.Listed[0].Subject = "stranger"
	target.Actors.Audiences[0] = "elsewhere"
	target.Actors.Place = "nowhere"
	_, err := d.Exchange(t.Context(), w.token(nil), app,
		delegation.WithActorToken(w.agentToken(nil)))
	if err != nil {
		t.Error(err)
	}
}
