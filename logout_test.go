package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// logoutEvent is the claim events of logout tokens.
var logoutEvent = map[string]any{
	"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
}

// logoutToken signs a logout token of alice for the app that lives for two minutes, with claims
// changed or (nil) removed.
func (w *world) logoutToken(changes map[string]any) string {
	return must(w.provider.Sign(map[string]any{"typ": "logout+jwt"}, []byte(w.logout(changes))))
}

// logout are the claims of a logout token.
func (w *world) logout(changes map[string]any) string {
	now := w.clock.Now()
	claims := map[string]any{
		"iss": w.url, "aud": app, "sub": alice, "jti": "logout-1", "events": logoutEvent,
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	return payload(claims)
}

// TestLogout: a logout token ends what it names, at each replica: with a sid that session, without
// one all of the user. Tokens that are issued later count.
func TestLogout(t *testing.T) {
	const ended = delegation.CodeSessionEnded
	for name, row := range map[string]struct {
		claims map[string]any
		// what becomes of alice's tokens of the sessions one and two and of none, and of bob's
		one, two, none, bob delegation.Code
	}{
		"a user":              {nil, ended, ended, ended, ""},
		"a session":           {map[string]any{"sub": nil, "sid": "one"}, ended, "", "", ""},
		"a session of a user": {map[string]any{"sid": "one"}, ended, "", ended, ""},
		"of another session":  {map[string]any{"sid": "three"}, "", "", ended, ""},
		"of another user":     {map[string]any{"sub": "carol"}, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplicas(t)
			r.clock.Set(start.Add(time.Minute))
			one := r.sessionToken(alice, "one", time.Minute) // of the same second
			two := r.sessionToken(alice, "two", 0)
			none := r.sessionToken(alice, "", 0)
			bob := r.sessionToken("bob", "other", 0)
			for _, token := range []string{one, two, none, bob} {
				r.wantAll(t, "before", token, "")
			}
			err := r.all[1].Logout(t.Context(), r.logoutToken(row.claims), delegation.Request{})
			if err != nil {
				t.Fatal(err)
			}
			r.settle()
			r.wantAll(t, "session one", one, row.one)
			r.wantAll(t, "session two", two, row.two)
			r.wantAll(t, "no session", none, row.none)
			r.wantAll(t, "bob", bob, row.bob)
			r.clock.Advance(time.Minute)
			r.wantAll(t, "later", r.sessionToken(alice, "one", time.Minute+time.Second), "")
		})
	}
}

// TestLogout_ForgetsCredentials: what is cached for the user is forgotten at each replica, and
// other sessions of the user get new credentials.
func TestLogout_ForgetsCredentials(t *testing.T) {
	r := newReplicas(t, func(c *delegation.Config) { c.SharedCache = newSharedMemory() })
	two := r.sessionToken(alice, "two", 0)
	r.wantAll(t, "before", two, "")
	token := r.logoutToken(map[string]any{"sid": "one"})
	if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	r.settle()
	r.wantAll(t, "after", two, "")
	if n := r.calls(); n != 2 {
		t.Errorf("%d calls, want one before and one after the logout", n)
	}
}

// TestLogout_Refused: what OpenID Connect Back-Channel Logout 1.0 §2.4 and §2.6 refuse, and what
// ID tokens are refused for. Nothing ends, and the record has nothing that nobody has signed.
func TestLogout_Refused(t *testing.T) {
	r := newReplicas(t)
	stranger := must(oidctest.New(oidctest.Config{Now: r.clock.Now}))
	now := r.clock.Now()
	const caepRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	sign := func(header map[string]any, changes map[string]any) string {
		return must(r.provider.Sign(header, []byte(r.logout(changes))))
	}
	for name, row := range map[string]struct {
		token string
		code  delegation.Code
	}{
		"no token": {"", delegation.CodeTokenMissing},
		"no JWT":   {"a.b", delegation.CodeTokenMalformed},
		"too long": {strings.Repeat("x", 20_000), delegation.CodeTokenTooLarge},
		"forged": {
			must(stranger.Sign(map[string]any{"kid": r.provider.KeyID()}, []byte(r.logout(nil)))),
			delegation.CodeSignatureInvalid,
		},
		"unsigned": {
			sign(map[string]any{"alg": "none"}, nil), delegation.CodeTokenUnsigned,
		},
		"another algorithm": {
			sign(map[string]any{"alg": "HS256"}, nil), delegation.CodeAlgorithmSharedSecret,
		},
		"another issuer": {
			sign(nil, map[string]any{"iss": "https://other.example.com/"}),
			delegation.CodeIssuerUnknown,
		},
		"no issuer": {sign(nil, map[string]any{"iss": nil}), delegation.CodeClaimMissing},
		"for another client": {
			sign(nil, map[string]any{"aud": "other-app"}), delegation.CodeLogoutAudience,
		},
		"for other clients": {
			sign(nil, map[string]any{"aud": []string{"other-app", "third-app"}}),
			delegation.CodeLogoutAudience,
		},
		"no audience": {sign(nil, map[string]any{"aud": nil}), delegation.CodeClaimMissing},
		"expired": {
			sign(nil, map[string]any{"exp": now.Add(-time.Minute).Unix()}),
			delegation.CodeTokenExpired,
		},
		"no expiry": {sign(nil, map[string]any{"exp": nil}), delegation.CodeClaimMissing},
		"of the future": {
			sign(nil, map[string]any{"iat": now.Add(61 * time.Second).Unix()}),
			delegation.CodeTokenFromFuture,
		},
		"issued after its expiry": {
			sign(nil, map[string]any{"iat": now.Unix() + 10, "exp": now.Unix() + 9}),
			delegation.CodeClaimDateOrder,
		},
		"not yet valid": {
			sign(nil, map[string]any{"nbf": now.Add(61 * time.Second).Unix()}),
			delegation.CodeTokenNotYetValid,
		},
		"no time of issue": {sign(nil, map[string]any{"iat": nil}), delegation.CodeClaimMissing},
		"a date as text": {
			sign(nil, map[string]any{"iat": "2026-11-23"}), delegation.CodeClaimDate,
		},
		"no jti":       {sign(nil, map[string]any{"jti": nil}), delegation.CodeClaimMissing},
		"a number jti": {sign(nil, map[string]any{"jti": 1}), delegation.CodeClaimType},
		"neither sub nor sid": {
			sign(nil, map[string]any{"sub": nil}), delegation.CodeLogoutSession,
		},
		"an empty sub": {sign(nil, map[string]any{"sub": ""}), delegation.CodeClaimMissing},
		"a number sid": {sign(nil, map[string]any{"sid": 1}), delegation.CodeClaimType},
		"a list as sub": {
			sign(nil, map[string]any{"sub": []string{alice}}), delegation.CodeClaimType,
		},
		"a nonce":     {sign(nil, map[string]any{"nonce": "n"}), delegation.CodeLogoutNonce},
		"an ID token": {r.token(nil), delegation.CodeLogoutEvent},
		"no event": {
			sign(nil, map[string]any{"events": map[string]any{}}), delegation.CodeLogoutEvent,
		},
		"another event": {
			sign(nil, map[string]any{"events": map[string]any{
				caepRevoked: map[string]any{},
			}}),
			delegation.CodeLogoutEvent,
		},
		"an event that is a text": {
			sign(nil, map[string]any{"events": map[string]any{
				"http://schemas.openid.net/event/backchannel-logout": "yes",
			}}),
			delegation.CodeLogoutEvent,
		},
		"events as a list": {
			sign(nil, map[string]any{"events": []any{logoutEvent}}), delegation.CodeLogoutEvent,
		},
		"the type of an access token": {
			sign(map[string]any{"typ": "at+jwt"}, nil), delegation.CodeTokenType,
		},
		"the payload of an ID token": {
			sign(nil, map[string]any{"typ": "ID"}), delegation.CodeTokenKindOther,
		},
		"a look-alike of nonce": {
			sign(nil, map[string]any{"Nonce": "n"}), delegation.CodeTokenFoldedName,
		},
	} {
		err := r.all[0].Logout(t.Context(), row.token, delegation.Request{})
		if !errors.Is(err, row.code) || !errors.Is(err, delegation.StageToken) {
			t.Errorf("%s: got %v, want %s", name, err, row.code)
		}
		last := r.seen[len(r.seen)-1]
		signed := row.code == delegation.CodeLogoutAudience
		if last.Outcome != delegation.OutcomeDenied || last.Code != row.code ||
			(last.Subject != "") != signed || !last.IssuedBefore.IsZero() ||
			last.Cause != delegation.RevocationLogout {
			t.Errorf("%s: event %+v", name, last)
		}
	}
	if len(r.log.marks) != 0 {
		t.Errorf("marks of refused tokens: %v", r.log.marks)
	}
	r.settle()
	r.wantAll(t, "after refusals", r.sessionToken(alice, "one", 0), "")
	for name, err := range map[string]error{
		//lint:ignore SA1012 a nil context is what is tested
		"no context": r.all[0].Logout(nil, r.logoutToken(nil), delegation.Request{}),
		"nil":        (*delegation.Delegator)(nil).Logout(t.Context(), "", delegation.Request{}),
	} {
		if !errors.Is(err, delegation.CodeArgumentInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogout_Types: providers write logout+jwt, JWT or nothing in the header, and Keycloak a typ in
// the payload. A header of logout tokens makes no ID token acceptable that is remembered by it.
func TestLogout_Types(t *testing.T) {
	for _, typ := range []any{"logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "JWT", nil} {
		r := newReplicas(t)
		header := map[string]any{"typ": typ}
		claims := r.logout(map[string]any{"typ": "Logout", "sub": "carol"})
		token := must(r.provider.Sign(header, []byte(claims)))
		if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
			t.Errorf("%v: %v", typ, err)
		}
		_, err := r.all[0].Exchange(t.Context(), token, app)
		if !errors.Is(err, delegation.CodeTokenKindLogout) &&
			!errors.Is(err, delegation.CodeTokenType) {
			t.Errorf("%v: the logout token as an ID token: %v", typ, err)
		}
		id := must(r.provider.Sign(header, []byte(payload(map[string]any{"iss": r.url}))))
		_, err = r.all[0].Exchange(t.Context(), id, app)
		logoutType := typ != nil && typ != "JWT"
		if logoutType != errors.Is(err, delegation.CodeTokenType) {
			t.Errorf("%v: an ID token with the header of a logout token: %v", typ, err)
		}
	}
}

// TestLogout_Once: a logout token counts once, at all replicas together. What it ended stays ended.
func TestLogout_Once(t *testing.T) {
	r := newReplicas(t)
	token := r.logoutToken(nil)
	if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	r.settle()
	for i, d := range r.all {
		err := d.Logout(t.Context(), token, delegation.Request{})
		if !errors.Is(err, delegation.CodeLogoutReplayed) {
			t.Errorf("replica %d: %v", i, err)
		}
	}
	again := r.logoutToken(map[string]any{"jti": "logout-2"})
	if err := r.all[0].Logout(t.Context(), again, delegation.Request{}); err != nil {
		t.Errorf("another logout token: %v", err)
	}
	r.clock.Advance(time.Minute)
	later := r.sessionToken(alice, "", r.clock.Now().Sub(start))
	_ = r.all[0].Logout(t.Context(), token, delegation.Request{})
	r.wantAll(t, "a later session", later, "")
}

// TestLogout_IssuedLongAgo: a logout token that comes late is remembered for as long as any other,
// and what was cached after an earlier revocation is forgotten.
func TestLogout_IssuedLongAgo(t *testing.T) {
	r := newReplicas(t)
	r.clock.Advance(20 * time.Minute)
	if err := r.all[0].InvalidateAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	two := r.sessionToken(alice, "two", 0)
	r.want(t, "before", r.all[0], two, "")
	r.clock.Advance(time.Minute)
	before := len(r.log.marks)
	token := r.logoutToken(map[string]any{"sid": "one", "iat": start.Unix()})
	if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	made := r.log.marks[before:]
	if len(made) != 3 {
		t.Errorf("%d marks, want 3", len(made))
	}
	for _, mark := range made {
		if kept := mark.Until.Sub(r.clock.Now()); kept < 24*time.Hour {
			t.Errorf("a mark is kept for %s", kept)
		}
	}
	r.want(t, "after", r.all[0], two, "")
	if n := r.calls(); n != 2 {
		t.Errorf("%d calls, want one before and one after the logout", n)
	}
}

// TestLogout_StoreFails: a logout that the store did not take is an error, counts where it arrived,
// and can be sent once more.
func TestLogout_StoreFails(t *testing.T) {
	r := newReplicas(t)
	idToken := r.sessionToken(alice, "", 0)
	r.wantAll(t, "before", idToken, "")
	r.log.fail(errors.New("down"))
	token := r.logoutToken(nil)
	err := r.all[0].Logout(t.Context(), token, delegation.Request{})
	wantError(t, err, delegation.StageToken, delegation.CodeRevocationsUnavailable)
	r.want(t, "where it arrived", r.all[0], idToken, delegation.CodeSessionEnded)
	r.want(t, "elsewhere", r.all[1], idToken, "")
	r.log.fail(nil)
	if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatalf("sent once more: %v", err)
	}
	r.settle()
	r.wantAll(t, "after", idToken, delegation.CodeSessionEnded)
}

// TestLogout_WithoutRevocations: cached credentials are forgotten, tokens count on, and a session
// that only a sid names is not known. Each logout token counts once here, too.
func TestLogout_WithoutRevocations(t *testing.T) {
	w := cachedWorld(t)
	d := w.delegator(t)
	exchange := func() {
		t.Helper()
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	exchange()
	token := w.logoutToken(nil)
	if err := d.Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	exchange()
	if n := len(w.sent); n != 2 {
		t.Errorf("%d calls, want one before and one after the logout", n)
	}
	next, err := d.WithConfig(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []*delegation.Delegator{d, next} {
		err := of.Logout(t.Context(), token, delegation.Request{})
		wantError(t, err, delegation.StageToken, delegation.CodeLogoutReplayed)
	}
	err = d.Logout(t.Context(), w.logoutToken(map[string]any{
		"jti": "logout-2", "sub": nil, "sid": "one",
	}), delegation.Request{})
	wantError(t, err, delegation.StageToken, delegation.CodeLogoutSessionUnknown)
}

// dynamicTargets is a TargetSource that cannot be listed.
type dynamicTargets struct{ delegation.Targets }

func (d dynamicTargets) Target(ctx context.Context, name string) (*delegation.Target, error) {
	return d.Targets.Target(ctx, name)
}

// TestLogout_Audiences: a logout token counts that is for a client of a target for its issuer, or
// for one of Config.LogoutAudiences.
func TestLogout_Audiences(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*delegation.Config)
		wrong  bool
	}{
		"the target's name": {func(c *delegation.Config) {}, false},
		"other audiences": {func(c *delegation.Config) {
			c.Targets = delegation.Targets{app: {Audiences: []string{"other-app"}}}
		}, true},
		"an authorized party": {func(c *delegation.Config) {
			c.Targets = delegation.Targets{"x": {AuthorizedParties: []string{app}}}
		}, false},
		"a target of another issuer": {func(c *delegation.Config) {
			other := "https://other.example.com/"
			c.Issuers = append(c.Issuers, delegation.Issuer{URL: other})
			c.Targets = delegation.Targets{app: {Issuers: []string{other}}}
		}, true},
		"targets that cannot be listed": {func(c *delegation.Config) {
			c.Targets = dynamicTargets{c.Targets.(delegation.Targets)}
		}, true},
		"such targets, and the client": {func(c *delegation.Config) {
			c.Targets = dynamicTargets{c.Targets.(delegation.Targets)}
			c.LogoutAudiences = []string{"other-app", app}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row.change(&w.config)
			err := w.delegator(t).Logout(t.Context(), w.logoutToken(nil), delegation.Request{})
			wrong := errors.Is(err, delegation.CodeLogoutAudience)
			if row.wrong != wrong || !row.wrong && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLogout_Tenants: the subject of one tenant is not that of another.
func TestLogout_Tenants(t *testing.T) {
	w := newWorld(t)
	const (
		one = "11111111-1111-1111-1111-111111111111"
		two = "22222222-2222-2222-2222-222222222222"
	)
	template := "https://login.example.com/{tenantid}/v2.0"
	issuer := delegation.Issuer{
		URL: template, Tenants: []string{one, two}, JWKS: w.provider.KeySet(),
	}
	w.config.Issuers = []delegation.Issuer{issuer}
	w.target(func(target *delegation.Target) { target.SubjectsAreOne = true })
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	of := func(tenant string) map[string]any {
		iss := strings.Replace(template, "{tenantid}", tenant, 1)
		return map[string]any{"iss": iss, "tid": tenant}
	}
	d := w.delegator(t)
	if err := d.Logout(t.Context(), w.logoutToken(of(one)), delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	_, err := d.Exchange(t.Context(), w.token(of(one)), app)
	wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
	if _, err := d.Exchange(t.Context(), w.token(of(two)), app); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	mixed := of(one)
	mixed["tid"] = two
	err = d.Logout(t.Context(), w.logoutToken(mixed), delegation.Request{})
	wantError(t, err, delegation.StageToken, delegation.CodeIssuerTenant)
	// The text of the template is that of all tenants.
	if err := d.Revoke(t.Context(), delegation.Revocation{Issuer: template}); err != nil {
		t.Fatal(err)
	}
	_, err = d.Exchange(t.Context(), w.token(of(two)), app)
	wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
}

// TestLogout_ClientSecrets: anyone who has a client's secret can sign for that client alone.
func TestLogout_ClientSecrets(t *testing.T) {
	secret := strings.Repeat("s", 32)
	w := newWorld(t)
	own := must(oidctest.New(oidctest.Config{
		Algorithm: "HS256", Secret: []byte(secret), Now: w.clock.Now,
	}))
	w.config.Issuers[0].ClientSecrets = map[string]delegation.ClientSecret{
		app: {Secret: delegation.NewSecret(secret)},
	}
	w.target(func(target *delegation.Target) { target.Audiences = []string{app, "second"} })
	d := w.delegator(t)
	for i, row := range []struct {
		token string
		code  delegation.Code
	}{
		{must(own.Sign(nil, []byte(w.logout(nil)))), ""},
		{must(own.Sign(nil, []byte(w.logout(map[string]any{"aud": "second"})))),
			delegation.CodeAlgorithmSharedSecret},
		{must(own.Sign(nil, []byte(w.logout(map[string]any{"aud": []string{app, "second"}})))),
			delegation.CodeClaimSecretAudience},
		{must(w.provider.Sign(nil, []byte(w.logout(map[string]any{"jti": "2"})))),
			delegation.CodeAlgorithmPublishedKey},
		{must(w.provider.Sign(nil, []byte(w.logout(map[string]any{
			"jti": "3", "aud": "second",
		})))), ""},
	} {
		err := d.Logout(t.Context(), row.token, delegation.Request{})
		if (row.code == "") != (err == nil) || err != nil && !errors.Is(err, row.code) {
			t.Errorf("%d: got %v, want %q", i, err, row.code)
		}
	}
}

// secretReplicas are replicas whose issuer signs tokens of the app and of second with their
// secrets, and those of third with its key. sign signs claims as the issuer does for a client.
func secretReplicas(
	t *testing.T, change ...func(issuer string, target *delegation.Target),
) (r *replicas, sign func(client, claims string) string) {
	t.Helper()
	signers := map[string]*oidctest.Provider{}
	r = newReplicas(t, func(c *delegation.Config) {
		secrets := map[string]delegation.ClientSecret{}
		for _, client := range []string{app, "second"} {
			secret := fmt.Sprintf("%-32s", client)
			secrets[client] = delegation.ClientSecret{Secret: delegation.NewSecret(secret)}
			signers[client] = must(oidctest.New(oidctest.Config{
				Algorithm: "HS256", Secret: []byte(secret), Now: c.Now,
			}))
		}
		c.Issuers[0].ClientSecrets = secrets
		target := c.Targets.(delegation.Targets)[app]
		target.Audiences = []string{app, "second", "third"}
		for _, f := range change {
			f(c.Issuers[0].URL, &target)
		}
		c.Targets = delegation.Targets{app: target}
	})
	signers["third"] = r.provider
	sign = func(client, claims string) string {
		return must(signers[client].Sign(nil, []byte(claims)))
	}
	return r, sign
}

// TestLogout_ClientSecretEndsItsClient: a token that is signed with one client's secret ends that
// client's sessions at each replica, and no others. The issuer's key ends those of all clients.
func TestLogout_ClientSecretEndsItsClient(t *testing.T) {
	const ended = delegation.CodeSessionEnded
	for name, row := range map[string]struct {
		claims map[string]any
		// what becomes of alice's tokens of the app with the session one and with none
		one, none delegation.Code
	}{
		"a user":              {nil, ended, ended},
		"a session":           {map[string]any{"sub": nil, "sid": "one"}, ended, ""},
		"a session of a user": {map[string]any{"sid": "one"}, ended, ended},
		"another session":     {map[string]any{"sid": "two"}, "", ended},
	} {
		t.Run(name, func(t *testing.T) {
			r, sign := secretReplicas(t)
			token := func(client, sid string) string {
				claims := map[string]any{"iss": r.url, "aud": client, "iat": start.Unix()}
				if sid != "" {
					claims["sid"] = sid
				}
				return sign(client, payload(claims))
			}
			want := func(of, client string, one, none delegation.Code) {
				t.Helper()
				r.wantAll(t, of+": session one of "+client, token(client, "one"), one)
				r.wantAll(t, of+": no session of "+client, token(client, ""), none)
			}
			logout := func(client string, changes map[string]any) {
				t.Helper()
				claims := map[string]any{"aud": client}
				maps.Copy(claims, changes)
				token := sign(client, r.logout(claims))
				if err := r.all[1].Logout(t.Context(), token, delegation.Request{}); err != nil {
					t.Fatal(err)
				}
				r.settle()
			}
			for _, client := range []string{app, "second", "third"} {
				want("before", client, "", "")
			}
			logout(app, row.claims)
			if event := r.seen[len(r.seen)-1]; event.ClientID != app {
				t.Errorf("the event's client is %q", event.ClientID)
			}
			want("by the app's secret", app, row.one, row.none)
			want("by the app's secret", "second", "", "")
			want("by the app's secret", "third", "", "")

			logout("third", map[string]any{"jti": "logout-2"})
			if event := r.seen[len(r.seen)-1]; event.ClientID != "" {
				t.Errorf("the event's client is %q", event.ClientID)
			}
			for _, client := range []string{app, "second", "third"} {
				want("by the issuer's key", client, ended, ended)
			}
		})
	}
}

// TestLogout_ClientSecretAndAct: users' tokens with act are refused if their client's secret ends
// the actor's session. Another client's secret has no effect on them.
func TestLogout_ClientSecretAndAct(t *testing.T) {
	r, sign := secretReplicas(t, func(issuer string, target *delegation.Target) {
		target.Actors = &delegation.Actors{
			Listed: []delegation.ListedActor{{Issuer: issuer, Subject: agent}},
		}
	})
	claimed := func(client string) string {
		return sign(client, payload(map[string]any{
			"iss": r.url, "aud": client, "act": map[string]any{"sub": agent},
		}))
	}
	for _, client := range []string{app, "second", "third"} {
		r.wantAll(t, "before: "+client, claimed(client), "")
	}
	token := sign(app, r.logout(map[string]any{"aud": app, "sub": agent, "sid": "one"}))
	if err := r.all[1].Logout(t.Context(), token, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	r.settle()
	r.wantAll(t, "after: "+app, claimed(app), delegation.CodeSessionEnded)
	r.wantAll(t, "after: second", claimed("second"), "")
	r.wantAll(t, "after: third", claimed("third"), "")
}

// TestLogout_ClientSecretSpendsNoID: a token that is signed with one client's secret does not make
// another client's logout token with the same jti a replay. Each counts once.
func TestLogout_ClientSecretSpendsNoID(t *testing.T) {
	r, sign := secretReplicas(t)
	for _, client := range []string{app, "second", "third"} {
		token := sign(client, r.logout(map[string]any{"aud": client}))
		if err := r.all[0].Logout(t.Context(), token, delegation.Request{}); err != nil {
			t.Errorf("%s: %v", client, err)
		}
		for i, d := range r.all {
			err := d.Logout(t.Context(), token, delegation.Request{})
			if !errors.Is(err, delegation.CodeLogoutReplayed) {
				t.Errorf("%s once more, replica %d: %v", client, i, err)
			}
		}
	}
}

// FuzzLogout: no text ends a session that its issuer has not signed.
func FuzzLogout(f *testing.F) {
	w := newWorld(f)
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	d := w.delegator(f)
	token := w.logoutToken(nil)
	f.Add(token)
	f.Add(w.token(nil))
	f.Add(fmt.Sprintf("%s.%s", token, token))
	f.Add(token[:len(token)-2])
	f.Fuzz(func(t *testing.T, text string) {
		err := d.Logout(context.Background(), text, delegation.Request{})
		if err == nil && text != token {
			t.Errorf("accepted: %q", text)
		}
	})
}
