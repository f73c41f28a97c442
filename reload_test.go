package delegation_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// reloading is a world whose configuration changes while it runs.
type reloading struct {
	*delegationtest.World
	t       *testing.T
	current *delegation.Delegator
	events  []delegation.Event
}

func newReloading(t *testing.T, change ...func(*delegation.Config)) *reloading {
	t.Helper()
	r := &reloading{World: must(delegationtest.Open()), t: t}
	t.Cleanup(r.Close)
	r.Config.OnEvent = func(_ context.Context, e delegation.Event) {
		r.events = append(r.events, e)
	}
	for _, f := range change {
		f(&r.Config)
	}
	r.current = must(r.Start(t.Context()))
	return r
}

// reload changes the configuration, and goes on with the Delegator of it.
func (r *reloading) reload(change func(*delegation.Config)) {
	r.t.Helper()
	change(&r.Config)
	next, err := r.current.WithConfig(r.t.Context(), r.Config)
	if err != nil {
		r.t.Fatal(err)
	}
	r.current = next
}

// exchange returns how the exchange of alice's token came by its credentials.
func (r *reloading) exchange() delegation.CacheOutcome {
	r.t.Helper()
	if _, err := r.current.Exchange(r.t.Context(), r.Token(nil), app); err != nil {
		r.t.Fatal(err)
	}
	return r.events[len(r.events)-1].Cache
}

// wrappedSTS is another client of the same STS.
type wrappedSTS struct{ delegation.STS }

// TestWithConfig_KeepsCredentials: what the decision is kept by covers every change of a decision,
// and changes of what is not in it begin with an empty cache.
func TestWithConfig_KeepsCredentials(t *testing.T) {
	nothing := func(*delegation.Config) {}
	target := func(change func(*delegation.Target)) func(*delegation.Config) {
		return func(c *delegation.Config) {
			changed := c.Targets.(delegation.Targets)[app]
			change(&changed)
			c.Targets = delegation.Targets{app: changed}
		}
	}
	for name, row := range map[string]struct {
		change func(*delegation.Config)
		want   delegation.CacheOutcome
	}{
		"nothing": {nothing, delegation.CacheHit},
		"the size of the cache": {func(c *delegation.Config) { c.CacheSize = 7 },
			delegation.CacheHit},
		"a limit of tokens": {func(c *delegation.Config) { c.MaxTokenSize = 8 << 10 },
			delegation.CacheHit},
		"a rule without effect": {func(c *delegation.Config) {
			c.Rules = []delegation.RuleFunc{
				func(context.Context, *delegation.User, *delegation.RuleContext) error {
					return nil
				},
			}
		}, delegation.CacheHit},
		"another target": {func(c *delegation.Config) {
			c.Targets = delegation.Targets{
				app:     c.Targets.(delegation.Targets)[app],
				"other": c.Targets.(delegation.Targets)[app],
			}
		}, delegation.CacheHit},
		"a rule that sets a tag": {func(c *delegation.Config) {
			c.Rules = []delegation.RuleFunc{
				delegation.TagsFromClaims(map[string]string{"team": "aud"}),
			}
		}, delegation.CacheMiss},
		"a tag of the target": {target(func(t *delegation.Target) {
			t.Tags = map[string]string{"team": "press"}
		}), delegation.CacheMiss},
		"a policy of the target": {target(func(t *delegation.Target) {
			t.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*",` +
				`"Resource":"*"}]}`
		}), delegation.CacheMiss},
		"the key that signs": {func(c *delegation.Config) {
			c.IdentityProvider.Keys = []delegation.SigningKey{nextKey(), signingKey()}
		}, delegation.CacheMiss},
		"a key that does not sign": {func(c *delegation.Config) {
			c.IdentityProvider.Keys = []delegation.SigningKey{signingKey(), nextKey()}
		}, delegation.CacheHit},
		"another client of STS": {func(c *delegation.Config) {
			c.STS = wrappedSTS{c.STS}
		}, delegation.CacheMiss},
		"the emulator's answers": {func(c *delegation.Config) { c.UnsafeSTSEmulator = true },
			delegation.CacheMiss},
		"what is done about durations": {func(c *delegation.Config) { c.DurationBackOff = true },
			delegation.CacheMiss},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReloading(t)
			both := delegation.IdentityProvider{
				EntityID: entityID,
				Keys:     []delegation.SigningKey{signingKey(), nextKey()},
			}
			if err := r.STS.PutSAMLProvider(principal, must(both.Metadata())); err != nil {
				t.Fatal(err)
			}
			if got := r.exchange(); got != delegation.CacheMiss {
				t.Fatalf("the first exchange: %s", got)
			}
			r.reload(row.change)
			if got := r.exchange(); got != row.want {
				t.Errorf("after the change: %s, want %s", got, row.want)
			}
		})
	}
}

// TestWithConfig_KeepsIssuersKeys: an issuer that is down does not matter, unless its keys are
// found or fetched in another way now.
func TestWithConfig_KeepsIssuersKeys(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	for name, row := range map[string]struct {
		change func(*delegation.Issuer)
		kept   bool
	}{
		"nothing":    {func(*delegation.Issuer) {}, true},
		"algorithms": {func(i *delegation.Issuer) { i.Algorithms = []string{"RS256"} }, true},
		"the email":  {func(i *delegation.Issuer) { i.EmailVerifiedText = true }, true},
		"an alias": {func(i *delegation.Issuer) {
			i.Aliases = []string{"https://alias.example.com"}
		}, false},
		"the client": {func(i *delegation.Issuer) { i.HTTPClient = &http.Client{} }, false},
		"hosts": {func(i *delegation.Issuer) {
			i.InsecureHTTPHosts = []string{"keycloak:8080"}
		}, false},
		"origins": {func(i *delegation.Issuer) {
			i.DocumentOrigins = []string{"https://10.0.0.10:6443"}
		}, false},
		"loopback": {func(i *delegation.Issuer) {
			i.InsecureHTTPHosts = []string{strings.TrimPrefix(i.URL, "http://")}
			i.AllowLoopbackHTTP = false
		}, false},
		"key set":   {func(i *delegation.Issuer) { i.JWKSURL = i.URL + "/keys" }, false},
		"discovery": {func(i *delegation.Issuer) { i.DiscoveryURL = i.URL + "/odd" }, false},
		"CAs":       {func(i *delegation.Issuer) { i.CAFile = ca }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(ca, certificatePEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			r := newReloading(t)
			r.exchange()
			r.Issuer.SetFaults(oidctest.Faults{Status: http.StatusServiceUnavailable})
			r.reload(func(c *delegation.Config) {
				c.Issuers = slices.Clone(c.Issuers)
				row.change(&c.Issuers[0])
			})
			_, err := r.current.Exchange(t.Context(), r.Token(nil), app)
			if row.kept && err != nil {
				t.Errorf("got %v, want credentials", err)
			}
			if !row.kept && !errors.Is(err, delegation.StageToken) {
				t.Errorf("got %v, want a refusal of the token", err)
			}
		})
	}
}

// TestWithConfig_CAFile: the same file with other CAs is another way to fetch.
func TestWithConfig_CAFile(t *testing.T) {
	r := newReloading(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(ca, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certificatePEM())
	r.reload(func(c *delegation.Config) { c.Issuers[0].CAFile = ca })
	r.exchange()
	_, before := r.Issuer.Fetches()
	r.reload(func(*delegation.Config) {})
	r.exchange()
	if _, same := r.Issuer.Fetches(); same != before {
		t.Errorf("the same CAs: %d fetches more", same-before)
	}
	write(append(certificatePEM(), certificatePEM()...))
	r.reload(func(*delegation.Config) {})
	r.exchange()
	if _, after := r.Issuer.Fetches(); after != before+1 {
		t.Errorf("other CAs: %d fetches more, want 1", after-before)
	}
}

// TestWithConfig_IssuerLeaves: the tokens of an issuer that is not configured any more are refused,
// although its keys were known.
func TestWithConfig_IssuerLeaves(t *testing.T) {
	r := newReloading(t)
	r.exchange()
	r.reload(func(c *delegation.Config) {
		c.Issuers = []delegation.Issuer{{URL: "https://other.example.com/"}}
	})
	_, err := r.current.Exchange(t.Context(), r.Token(nil), app)
	wantError(t, err, delegation.StageToken, delegation.CodeIssuerUnknown)
}

// oneDown is an STS that answers in every region but one, and counts who asks there.
type oneDown struct {
	region string
	now    func() time.Time
	asked  int
}

func (s *oneDown) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, options ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	var o sts.Options
	for _, option := range options {
		option(&o)
	}
	if o.Region != s.region {
		return agreeable(s.now)(ctx, in)
	}
	s.asked++
	return nil, &smithyhttp.RequestSendError{Err: errors.New("connection refused")}
}

// TestWithConfig_KeepsRegionsAtRest: a region that did not answer is not asked in vain after a
// reload, unless it is asked in another way now.
func TestWithConfig_KeepsRegionsAtRest(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*delegation.Config)
		asked  int
	}{
		"nothing":      {func(*delegation.Config) {}, 0},
		"the time-out": {func(c *delegation.Config) { c.STSTimeout = time.Minute }, 1},
		"dual stack":   {func(c *delegation.Config) { c.DualStack = true }, 1},
		"FIPS":         {func(c *delegation.Config) { c.FIPS = true }, 1},
		"the client":   {func(c *delegation.Config) { c.STS = wrappedSTS{c.STS} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			down := &oneDown{region: "us-east-1"} // which has a FIPS endpoint
			r := newReloading(t, func(c *delegation.Config) {
				down.now = c.Now
				c.STS = down
				c.CacheSize = -1
				target := c.Targets.(delegation.Targets)[app]
				target.Region = down.region
				target.FailoverRegions = []string{"us-west-2"}
				c.Targets = delegation.Targets{app: target}
			})
			for range 4 {
				r.exchange()
			}
			if down.asked != 3 {
				t.Fatalf("the region was asked %d times, and should rest after 3", down.asked)
			}
			r.reload(row.change)
			r.exchange()
			if got := down.asked - 3; got != row.asked {
				t.Errorf("after the reload it was asked %d times, want %d", got, row.asked)
			}
		})
	}
}

// TestWithConfig_Refused: what New refuses is the same error, and the Delegator goes on.
func TestWithConfig_Refused(t *testing.T) {
	r := newReloading(t)
	r.exchange()
	broken := r.Config
	broken.Targets = delegation.Targets{app: {AWS: delegation.AWS{Role: "no role"}}}
	_, ofNew := delegation.New(t.Context(), broken)
	next, err := r.current.WithConfig(t.Context(), broken)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	if next != nil || err.Error() != ofNew.Error() {
		t.Errorf("got %v, want nothing and %v", err, ofNew)
	}
	if got := r.exchange(); got != delegation.CacheHit {
		t.Errorf("the Delegator before: %s", got)
	}
	var none *delegation.Delegator
	for _, d := range []*delegation.Delegator{none, new(delegation.Delegator)} {
		_, err := d.WithConfig(t.Context(), r.Config)
		wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	}
	//lint:ignore SA1012 a nil context is what is tested
	_, err = r.current.WithConfig(nil, r.Config)
	wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
}

// TestWithConfig_InvalidateReachesBoth: what is forgotten through one Delegator is forgotten for
// the other, too.
func TestWithConfig_InvalidateReachesBoth(t *testing.T) {
	r := newReloading(t)
	r.exchange()
	before := r.current
	r.reload(func(*delegation.Config) {})
	if err := before.Invalidate(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if got := r.exchange(); got != delegation.CacheMiss {
		t.Errorf("after Invalidate: %s", got)
	}
}

// certificatePEM is a certificate that nobody serves.
func certificatePEM() []byte {
	certificate, _ := delegationtest.SigningKeyPEM()
	return []byte(strings.TrimSpace(string(certificate)) + "\n")
}

// TestWithConfig_SignerHangs: a reload does not lift the limit of a signer that hangs, unless
// another one replaces it.
func TestWithConfig_SignerHangs(t *testing.T) {
	hungWorld(t, func(t *testing.T, w *bubbleWorld, s *hungSigner, d *delegation.Delegator) {
		for range 16 {
			_, err := d.Exchange(t.Context(), w.day, app)
			wantCode(t, err, delegation.CodeSigningFailed)
		}
		next := must(d.WithConfig(t.Context(), w.config))
		w.wantFast(t, next)
		w.config.IdentityProvider = identity()
		next = must(next.WithConfig(t.Context(), w.config))
		if _, err := next.Exchange(t.Context(), w.day, app); err != nil {
			t.Error(err)
		}
		close(s.release)
	})
}

// TestWithConfig_KeepsDurations: a role is not asked once more for a session that it does not
// allow, unless another STS is asked.
func TestWithConfig_KeepsDurations(t *testing.T) {
	r := newReloading(t, func(c *delegation.Config) {
		c.CacheSize = -1
		c.DurationBackOff = true
		target := c.Targets.(delegation.Targets)[app]
		target.SessionDuration = 2 * time.Hour
		c.Targets = delegation.Targets{app: target}
	})
	calls := func() int {
		before := len(r.STS.Calls())
		r.exchange()
		return len(r.STS.Calls()) - before
	}
	if got := calls(); got != 2 {
		t.Fatalf("%d calls, want one for two hours and one for an hour", got)
	}
	r.reload(func(c *delegation.Config) { c.MaxTokenSize = 8 << 10 })
	if got := calls(); got != 1 {
		t.Errorf("%d calls after a reload, want 1", got)
	}
	r.reload(func(c *delegation.Config) { c.STS = wrappedSTS{c.STS} })
	if got := calls(); got != 2 {
		t.Errorf("%d calls with another client, want 2", got)
	}
}

// TestWithConfig_ClientOfItsOwn: with a nil STS the client that New has made is used on, so what is
// cached is, too.
func TestWithConfig_ClientOfItsOwn(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
	} {
		t.Setenv(name, "")
	}
	r := &reloading{World: must(delegationtest.Open()), t: t}
	t.Cleanup(r.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", r.STSURL)
	r.Config.STS = nil
	r.Config.OnEvent = func(_ context.Context, e delegation.Event) {
		r.events = append(r.events, e)
	}
	r.current = must(r.Start(t.Context()))
	r.exchange()
	for range 2 {
		r.reload(func(*delegation.Config) {})
		if got := r.exchange(); got != delegation.CacheHit {
			t.Errorf("after a reload: %s", got)
		}
	}
}

// countedSTS counts the calls of a client.
type countedSTS struct {
	delegation.STS
	calls *int
}

func (s countedSTS) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, options ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	*s.calls++
	return s.STS.AssumeRoleWithSAML(ctx, in, options...)
}

// TestWithConfig_ClientOfTheProgram: a client that the program has set is not used on after it is
// gone from the configuration. The library makes one of its own then, and keeps that.
func TestWithConfig_ClientOfTheProgram(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
	} {
		t.Setenv(name, "")
	}
	calls := 0
	r := newReloading(t, func(c *delegation.Config) { c.STS = countedSTS{c.STS, &calls} })
	t.Setenv("AWS_ENDPOINT_URL_STS", r.STSURL)
	r.exchange()
	if calls != 1 {
		t.Fatalf("%d calls of the program's client, want 1", calls)
	}
	for i, want := range []delegation.CacheOutcome{delegation.CacheMiss, delegation.CacheHit} {
		r.reload(func(c *delegation.Config) { c.STS = nil })
		if got := r.exchange(); got != want {
			t.Errorf("reload %d: %s, want %s", i, got, want)
		}
	}
	if calls != 1 || len(r.STS.Calls()) != 2 {
		t.Errorf("%d calls of the program's client, want 1; %d in all, want 2",
			calls, len(r.STS.Calls()))
	}
}

// incomparableSTS is a client that cannot be compared with another: == would panic.
type incomparableSTS struct {
	delegation.STS
	_ []byte
}

// TestWithConfig_IncomparableClient: a client that cannot be compared counts as another one.
func TestWithConfig_IncomparableClient(t *testing.T) {
	r := newReloading(t, func(c *delegation.Config) { c.STS = incomparableSTS{STS: c.STS} })
	r.exchange()
	r.reload(func(*delegation.Config) {})
	if got := r.exchange(); got != delegation.CacheMiss {
		t.Errorf("after a reload: %s, want %s", got, delegation.CacheMiss)
	}
}

// TestWithConfig_WithoutCache: a cache can be turned off and on by a reload.
func TestWithConfig_WithoutCache(t *testing.T) {
	r := newReloading(t)
	r.exchange()
	for _, step := range []struct {
		size   int
		first  delegation.CacheOutcome
		second delegation.CacheOutcome
	}{
		{-1, delegation.CacheOff, delegation.CacheOff},
		{-1, delegation.CacheOff, delegation.CacheOff},
		{10, delegation.CacheMiss, delegation.CacheHit},
		{20, delegation.CacheHit, delegation.CacheHit},
	} {
		r.reload(func(c *delegation.Config) { c.CacheSize = step.size })
		if got := r.exchange(); got != step.first {
			t.Errorf("size %d: %s, want %s", step.size, got, step.first)
		}
		if got := r.exchange(); got != step.second {
			t.Errorf("size %d, once more: %s, want %s", step.size, got, step.second)
		}
	}
}

// TestWithConfig_BearerTokenFile: another file is another way to fetch, and another token in the
// same file is not: it is read for each fetch.
func TestWithConfig_BearerTokenFile(t *testing.T) {
	const own = "https://cluster.example.com"
	file := writeFile(t, "token", bearerSecret)
	issuer := delegation.Issuer{URL: own, BearerTokenFile: file}
	w, l := withLibrary(t, issuer, own+wellKnown, own+"/keys")
	d := w.delegator(t)
	exchange := func(what string, fetches int) {
		t.Helper()
		w.wantOutcome(t, d, w.tokenOf(own), accepted)
		if got := len(l.asked); got != fetches {
			t.Errorf("%s: %d documents were fetched, want %d", what, got, fetches)
		}
	}
	exchange("at first", 2)
	if err := os.WriteFile(file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	d = must(d.WithConfig(t.Context(), w.config))
	exchange("another token", 2)
	w.config.Issuers[0].BearerTokenFile = writeFile(t, "token", bearerSecret)
	d = must(d.WithConfig(t.Context(), w.config))
	exchange("another file", 4)
	w.config.Issuers[0].BearerTokenFile = ""
	d = must(d.WithConfig(t.Context(), w.config))
	exchange("no file", 6)
}
