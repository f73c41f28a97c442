package delegationtest_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

func open(t *testing.T) *delegationtest.World {
	t.Helper()
	w, err := delegationtest.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// TestNew_IsReady: without any change an exchange gets credentials, of the constants' role, from
// a STS that has read the assertion.
func TestNew_IsReady(t *testing.T) {
	d := delegationtest.New(t)
	credentials, err := d.Exchange(t.Context(), d.Token(nil), delegationtest.Target)
	if err != nil {
		t.Fatal(err)
	}
	if credentials.Subject != delegationtest.Subject ||
		credentials.AccountID != delegationtest.Account ||
		credentials.Region != delegationtest.Region {
		t.Errorf("got %+v", credentials)
	}
	if want := d.Clock.Now().Add(time.Hour); !credentials.Expiration.Equal(want) {
		t.Errorf("the credentials end at %s, want %s", credentials.Expiration, want)
	}
	calls := d.STS.Calls()
	if len(calls) != 1 || calls[0].RoleARN != delegationtest.Role ||
		calls[0].PrincipalARN != delegationtest.Principal {
		t.Errorf("STS saw %+v", calls)
	}
}

// TestNew_TagsAndSourceIdentity: the role's trust policy allows what rules may add.
func TestNew_TagsAndSourceIdentity(t *testing.T) {
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{
			delegation.TagsFromClaims(map[string]string{"team": "team"}),
			delegation.SourceIdentityFromClaim("nickname"),
		}
	})
	idToken := d.Token(map[string]any{"team": "press", "nickname": "alice"})
	if _, err := d.Exchange(t.Context(), idToken, delegationtest.Target); err != nil {
		t.Fatal(err)
	}
	call := d.STS.Calls()[0]
	if call.PrincipalTags["team"] != "press" || call.SourceIdentity != "alice" {
		t.Errorf("STS saw %+v", call)
	}
}

// TestNew_ChangesInOrder: each function sees what the one before it has left; nil is none.
func TestNew_ChangesInOrder(t *testing.T) {
	d := delegationtest.New(t,
		func(c *delegation.Config) { c.MaxTokenSize = 10 },
		nil,
		func(c *delegation.Config) { c.MaxTokenSize++ },
	)
	if d.Config.MaxTokenSize != 11 {
		t.Errorf("MaxTokenSize is %d, want 11", d.Config.MaxTokenSize)
	}
	_, err := d.Exchange(t.Context(), d.Token(nil), delegationtest.Target)
	if !errors.Is(err, delegation.CodeTokenTooLarge) {
		t.Errorf("the Delegator was made before the changes: %v", err)
	}
}

// errStopped is what a recorder panics with, as FailNow ends the goroutine of a test.
var errStopped = errors.New("the test ends here")

// recorder is a test that notes what is done to it.
type recorder struct {
	failure  string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	panic(errStopped)
}

// TestNew_FailsTheTest: a configuration that delegation.New refuses fails the test, with its
// reason, and the servers still end with the test.
func TestNew_FailsTheTest(t *testing.T) {
	r := &recorder{}
	var url string
	func() {
		defer func() {
			if got := recover(); got != errStopped {
				t.Errorf("the test goes on: %v", got)
			}
		}()
		delegationtest.New(r, func(c *delegation.Config) {
			url = c.Issuers[0].URL
			c.Targets = nil
		})
	}()
	if !strings.Contains(r.failure, "Targets is nil") {
		t.Errorf("the test fails with %q", r.failure)
	}
	for _, f := range r.cleanups {
		f()
	}
	if answer, err := http.Get(url); err == nil {
		answer.Body.Close()
		t.Error("the issuer is served after the test")
	}
}

// TestNew_NilTest: there is nothing to fail and nothing to end with.
func TestNew_NilTest(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Open does not") {
			t.Errorf("got %q", text)
		}
	}()
	delegationtest.New(nil)
}

// TestWorld_Start: each Delegator has the configuration of its moment, and errors come back.
func TestWorld_Start(t *testing.T) {
	w := open(t)
	before, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.Config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
	after, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = before.Exchange(t.Context(), w.Token(nil), delegationtest.Target)
	if err != nil {
		t.Errorf("the first has the second's rules: %v", err)
	}
	_, err = after.Exchange(t.Context(), w.Token(nil), delegationtest.Target)
	if !errors.Is(err, delegation.CodeDenied) {
		t.Errorf("the second lacks its rules: %v", err)
	}
	w.Config.Issuers = nil
	if _, err := w.Start(t.Context()); !errors.Is(err, delegation.CodeConfigInvalid) {
		t.Errorf("got %v", err)
	}
	var none context.Context
	if _, err := w.Start(none); !errors.Is(err, delegation.CodeArgumentInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestWorld_Close: nobody answers afterwards, and to close twice is no mistake.
func TestWorld_Close(t *testing.T) {
	w := open(t)
	w.Close()
	w.Close()
	for _, url := range []string{w.IssuerURL, w.STSURL} {
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			t.Errorf("%s is still served", url)
		}
	}
}

// TestWorld_Separate: two Worlds share keys and nothing else.
func TestWorld_Separate(t *testing.T) {
	one, two := delegationtest.New(t), delegationtest.New(t)
	one.Clock.Advance(time.Minute)
	if !two.Clock.Now().Before(one.Clock.Now()) {
		t.Error("they share a clock")
	}
	_, err := two.Exchange(t.Context(), one.Token(nil), delegationtest.Target)
	if !errors.Is(err, delegation.CodeIssuerUnknown) {
		t.Errorf("they share an issuer: %v", err)
	}
	if n := len(one.STS.Calls()) + len(two.STS.Calls()); n != 0 {
		t.Errorf("STS was called %d times", n)
	}
}

// TestWorld_Token: claims replace, join and remove, and the map stays as it is.
func TestWorld_Token(t *testing.T) {
	d := delegationtest.New(t)
	ctx := t.Context()
	for name, row := range map[string]struct {
		claims map[string]any
		want   delegation.Code // empty: credentials
	}{
		"nil":     {nil, ""},
		"replace": {map[string]any{"sub": "auth0|bob"}, ""},
		"other":   {map[string]any{"aud": "print-app"}, delegation.CodeAudienceNotAllowed},
		"remove":  {map[string]any{"exp": nil}, delegation.CodeClaimMissing},
	} {
		t.Run(name, func(t *testing.T) {
			before := maps.Clone(row.claims)
			credentials, err := d.Exchange(ctx, d.Token(row.claims), delegationtest.Target)
			if row.want != "" && !errors.Is(err, row.want) || row.want == "" && err != nil {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if sub := row.claims["sub"]; sub != nil && credentials.Subject != sub {
				t.Errorf("got %s", credentials.Subject)
			}
			if !maps.Equal(before, row.claims) {
				t.Errorf("the map is now %v", row.claims)
			}
		})
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "json") {
			t.Errorf("got %q", text)
		}
	}()
	d.Token(map[string]any{"sub": func() {}})
}

// TestClock: it stands still, and both fakes and the Delegator follow it.
func TestClock(t *testing.T) {
	clock := delegationtest.NewClock(time.Unix(1_000, 0))
	clock.Advance(-time.Second)
	if got := clock.Now().Unix(); got != 999 {
		t.Errorf("got %d", got)
	}
	clock.Set(time.Unix(5, 0))
	if got := clock.Now().Unix(); got != 5 {
		t.Errorf("got %d", got)
	}

	d := delegationtest.New(t)
	idToken := d.Token(nil)
	d.Clock.Set(d.Clock.Now().Add(59 * time.Minute))
	if _, err := d.Exchange(t.Context(), idToken, delegationtest.Target); err != nil {
		t.Errorf("the token and STS have another clock: %v", err)
	}
	if got := d.STS.Calls()[0].Time; !got.Equal(d.Clock.Now()) {
		t.Errorf("STS has the time %s", got)
	}
	d.Clock.Advance(3 * time.Minute)
	_, err := d.Exchange(t.Context(), idToken, delegationtest.Target)
	if !errors.Is(err, delegation.CodeTokenExpired) {
		t.Errorf("got %v", err)
	}
}

// TestKeys: each is made once, no two are one, and the certificates hold at the real time, too.
func TestKeys(t *testing.T) {
	signing := delegationtest.SigningKey()
	next := delegationtest.NextSigningKey()
	fresh := delegationtest.NewSigningKey()
	issuer := delegationtest.IssuerKey()
	if signing.Signer != delegationtest.SigningKey().Signer ||
		next.Signer != delegationtest.NextSigningKey().Signer ||
		issuer != delegationtest.IssuerKey() {
		t.Error("a key is made twice")
	}
	moduli := []string{issuer.N.String()}
	for _, key := range []delegation.SigningKey{signing, next, fresh} {
		if now := time.Now(); now.Before(key.Certificate.NotBefore) ||
			now.After(key.Certificate.NotAfter) {
			t.Errorf("the certificate holds until %s", key.Certificate.NotAfter)
		}
		moduli = append(moduli, fmt.Sprint(key.Signer.Public()))
	}
	slices.Sort(moduli)
	if n := len(slices.Compact(moduli)); n != 4 {
		t.Errorf("%d keys, want 4", n)
	}
}

// TestSigningKeyPEM: what is read from the files is the same key.
func TestSigningKeyPEM(t *testing.T) {
	key, err := delegation.ParseSigningKey(delegationtest.SigningKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	want := delegationtest.SigningKey()
	if !want.Certificate.Equal(key.Certificate) ||
		!want.Certificate.PublicKey.(*rsa.PublicKey).Equal(key.Signer.Public()) {
		t.Error("it is another key")
	}
}

// TestNewSTSClient: throttling is retried at once, a refusal is not.
func TestNewSTSClient(t *testing.T) {
	d := delegationtest.New(t)
	d.STS.Script(ststest.Throttle(), ststest.Throttle())
	if _, err := d.Exchange(t.Context(), d.Token(nil), delegationtest.Target); err != nil {
		t.Error(err)
	}
	if n := len(d.STS.Calls()); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}
