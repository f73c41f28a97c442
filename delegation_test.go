package delegation_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

func TestNilAndZeroRefuse(t *testing.T) {
	w := newWorld(t)
	good := w.delegator(t)
	token := w.token(nil)
	var none *delegation.Delegator
	var null context.Context
	for name, call := range map[string]func() error{
		"nil context": func() error { _, err := good.Exchange(null, token, app); return err },
		"nil Delegator": func() error {
			_, err := none.Exchange(t.Context(), token, app)
			return err
		},
		"zero Delegator": func() error {
			_, err := new(delegation.Delegator).Exchange(t.Context(), token, app)
			return err
		},
		"New nil context": func() error { _, err := delegation.New(null, w.config); return err },
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, call(), delegation.StageConfig, delegation.CodeArgumentInvalid)
		})
	}
	if _, err := good.Exchange(t.Context(), token, app, nil); err != nil {
		t.Errorf("a nil option must change nothing: %v", err)
	}
	_, err := good.Exchange(t.Context(), token, "")
	if !errors.Is(err, delegation.CodeDelegationDisabled) {
		t.Errorf("no target's name: %v", err)
	}
	_, err = good.Exchange(t.Context(), token, strings.Repeat("x", 1<<20))
	if !errors.Is(err, delegation.CodeDelegationDisabled) || len(err.Error()) > 500 {
		t.Errorf("a huge target's name must be refused in few words, got %d bytes",
			len(err.Error()))
	}
	if got := w.events[len(w.events)-1].Target; got != strings.Repeat("x", 256) {
		t.Errorf("a huge target's name has %d bytes in the event", len(got))
	}
}

func TestCanceledBeforehand(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	credentials, err := d.Exchange(ctx, w.token(nil), app)
	wantError(t, err, delegation.StageToken, delegation.CodeCanceled) // it had no keys yet
	if credentials != nil || !errors.Is(err, context.Canceled) || len(w.sent) != 0 {
		t.Errorf("got %v, %v, %d calls", credentials, err, len(w.sent))
	}
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatalf("others must not suffer: %v", err)
	}
	_, err = d.Exchange(ctx, w.token(nil), app)
	// with keys at hand it gets one step further
	wantError(t, err, delegation.StageTarget, delegation.CodeCanceled)
}

// TestConfigIsCopied changes everything that New was given: the Delegator must not notice.
func TestConfigIsCopied(t *testing.T) {
	w := newWorld(t)
	targets := w.config.Targets.(delegation.Targets)
	tags := map[string]string{"team": "press"}
	target := targets[app]
	target.Tags, target.Audiences = tags, []string{app}
	targets[app] = target
	algorithms := []string{"RS256"}
	w.config.Issuers[0].Algorithms = algorithms
	keys := []delegation.SigningKey{signingKey()}
	w.config.IdentityProvider.Keys = keys
	rules := []delegation.RuleFunc{
		func(context.Context, *delegation.User, *delegation.RuleContext) error { return nil },
	}
	w.config.Rules = rules
	d := w.delegator(t)

	tags["team"] = "mallory"
	target.Audiences[0] = "other"
	algorithms[0] = "ES256"
	keys[0] = nextKey()
	rules[0] = func(context.Context, *delegation.User, *delegation.RuleContext) error {
		return delegation.Deny("changed")
	}
	w.config.Issuers[0] = delegation.Issuer{}
	delete(targets, app)
	targets["other"] = delegation.Target{}

	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatal(err)
	}
	got := attributesOf(w.last())[delegation.AttributePrincipalTag+"team"]
	if len(got) != 1 || got[0] != "press" {
		t.Errorf("the tag is %q", got)
	}
}

// TestEventOnEveryPath: one event for each exchange, with what was known where it ended.
func TestEventOnEveryPath(t *testing.T) {
	deny := func(context.Context, *delegation.User, *delegation.RuleContext) error {
		return delegation.Deny("no")
	}
	for name, row := range map[string]struct {
		set    func(*world)
		claims map[string]any
		target string
		stage  delegation.Stage
		code   delegation.Code
		known  func(delegation.Event) bool
	}{
		"success": {func(*world) {}, nil, app, "", "", func(e delegation.Event) bool {
			return e.Subject == alice && e.Role == role && e.AccessKeyID != "" &&
				e.AssertionID != "" && !e.Expiration.IsZero() && len(e.Took) == 6
		}},
		"token": {func(*world) {}, map[string]any{"exp": start.Add(-time.Hour).Unix()},
			app, delegation.StageToken, delegation.CodeTokenExpired,
			func(e delegation.Event) bool {
				return e.Subject == "" && e.Issuer == "" && e.Target == app
			}},
		"target": {func(*world) {}, nil, "elsewhere", delegation.StageTarget,
			delegation.CodeDelegationDisabled,
			func(e delegation.Event) bool {
				return e.Subject == alice && e.ClientID == app && e.Target == "elsewhere"
			}},
		"rules": {func(w *world) { w.config.Rules = []delegation.RuleFunc{deny} },
			nil, app, delegation.StageRules, delegation.CodeDenied,
			func(e delegation.Event) bool { return e.Rule != "" && e.Role == "" }},
		"decision": {
			func(w *world) {
				w.retarget(func(a *delegation.AWS) { a.SessionDuration = time.Second })
			}, nil, app, delegation.StageDecision, delegation.CodeDurationInvalid,
			func(e delegation.Event) bool { return e.Role == "" },
		},
		"saml": {func(*world) {}, map[string]any{"sub": "a\u0001b"},
			app, delegation.StageSAML, delegation.CodeTextInvalid,
			func(e delegation.Event) bool { return e.Role == role && e.AssertionID == "" }},
		"sts": {func(w *world) {
			w.config.STS = stsFunc(func(
				context.Context, *sts.AssumeRoleWithSAMLInput,
			) (*sts.AssumeRoleWithSAMLOutput, error) {
				return nil, errors.New("no")
			})
		}, nil, app, delegation.StageSTS, delegation.CodeSTSRefused,
			func(e delegation.Event) bool { return e.AssertionID != "" && e.AccessKeyID == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row.set(w)
			var logged bytes.Buffer
			w.config.Logger = slog.New(slog.NewJSONHandler(&logged, nil))
			d := w.delegator(t)
			logged.Reset() // New has warned of a target that cannot work
			_, err := d.Exchange(t.Context(), w.token(row.claims), row.target)
			if len(w.events) != 1 || bytes.Count(logged.Bytes(), []byte("\n")) != 1 {
				t.Fatalf("%d events, log %s", len(w.events), &logged)
			}
			e := w.events[0]
			if e.Stage != row.stage || e.Code != row.code || !e.Time.Equal(start) || !row.known(e) {
				t.Errorf("event %+v", e)
			}
			if (e.Err == nil) != (err == nil) || err != nil && !errors.Is(e.Err, row.code) {
				t.Errorf("event's error %v, exchange's %v", e.Err, err)
			}
			level := `"level":"WARN"`
			switch row.stage {
			case "":
				level = `"level":"INFO"`
			case delegation.StageDecision, delegation.StageSAML, delegation.StageSTS:
				level = `"level":"ERROR"`
			}
			if !strings.Contains(logged.String(), level) {
				t.Errorf("log %s", &logged)
			}
		})
	}
}

// TestEventSinkPanics: an exchange that has succeeded stays a success, and the loss is logged.
// TestEventSinkSlow: whoever is slow to take an event holds up its exchange, and no other.
func TestEventSinkSlow(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	w.config.OnEvent = func(_ context.Context, e delegation.Event) {
		if e.Subject == "slow" {
			close(arrived)
			<-release
		}
	}
	d := w.delegator(t)
	slow := make(chan error)
	go func() {
		_, err := d.Exchange(t.Context(), w.token(map[string]any{"sub": "slow"}), app)
		slow <- err
	}()
	<-arrived
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Errorf("another exchange: %v", err)
	}
	select {
	case err := <-slow:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	close(release)
	if err := <-slow; err != nil {
		t.Error(err)
	}
}

func TestEventSinkPanics(t *testing.T) {
	w := newWorld(t)
	var logged bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	w.config.OnEvent = func(context.Context, delegation.Event) { panic("full") }
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "event lost") {
		t.Errorf("log %s", &logged)
	}
}

// TestConcurrentExchanges: users never get each other's session, and nothing stays behind.
func TestConcurrentExchanges(t *testing.T) {
	w, fake := strictWorld(t)
	d := w.delegator(t)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			subject := "auth0|user" + strings.Repeat("x", i)
			credentials, err := d.Exchange(t.Context(),
				w.token(map[string]any{"sub": subject}), app)
			if err != nil || credentials.Subject != subject {
				t.Errorf("%s: got %v, %v", subject, credentials, err)
			}
		})
	}
	group.Wait()
	if _, sets := w.provider.Fetches(); sets != 1 {
		t.Errorf("%d fetches of the key set, want 1", sets)
	}
	seen := map[string]bool{}
	for _, call := range fake.Calls() {
		seen[call.SessionName+call.AssertionID] = true
	}
	if len(seen) != 64 {
		t.Errorf("%d different sessions and assertions, want 64", len(seen))
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if strings.Contains(string(stacks), "delegation.(*") ||
		strings.Contains(string(stacks), "idtoken.(*") {
		t.Errorf("a goroutine of the library is left:\n%s", stacks)
	}
}

// TestWithRule: a rule of one call runs before the configured ones, for that call alone, and sees a
// verified user.
func TestWithRule(t *testing.T) {
	w := newWorld(t)
	var order []string
	w.config.Rules = []delegation.RuleFunc{func(
		context.Context, *delegation.User, *delegation.RuleContext,
	) error {
		order = append(order, "configured")
		return nil
	}}
	d := w.delegator(t)
	mine := delegation.WithRule(func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		order = append(order, user.Text("user_id")+" for "+rc.Target)
		return nil
	})
	for range 2 {
		if _, err := d.Exchange(t.Context(), w.token(nil), app, mine); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
	}
	call := []string{alice + " for " + app, "configured", "configured"}
	if want := slices.Concat(call, call); !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
	forged := w.token(nil)
	forged = forged[:len(forged)-8] + strings.Repeat("A", 8)
	order = nil
	if _, err := d.Exchange(t.Context(), forged, app, mine); err == nil || len(order) != 0 {
		t.Errorf("a rule saw a forged token: %v, %v", order, err)
	}
	_, err := d.Exchange(t.Context(), w.token(nil), app, delegation.WithRule(nil))
	wantError(t, err, delegation.StageRules, delegation.CodeRulePanicked)
	refuse := errors.New("too many calls")
	_, err = d.Exchange(t.Context(), w.token(nil), app,
		delegation.WithRule(func(context.Context, *delegation.User, *delegation.RuleContext) error {
			return refuse
		}))
	e := wantError(t, err, delegation.StageRules, delegation.CodeRuleFailed)
	if !errors.Is(e, refuse) || len(order) != 0 {
		t.Errorf("got %v after %q", e, order)
	}
}

// TestRuleNames: a rule that runs others says which one it was, for the event and the error.
func TestRuleNames(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			if !strings.Contains(rc.Rule, "TestRuleNames") {
				t.Errorf("the rule is called %q", rc.Rule)
			}
			rc.Rule, rc.AWS.Role = "10-role.js", role+"-2"
			return nil
		},
		func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
			if rc.Rule == "10-role.js" {
				t.Error("the next rule has the name of the one before")
			}
			rc.Rule = "20-deny.js"
			if user.Bool("denied") {
				return delegation.Deny("no")
			}
			return nil
		},
	}
	if _, err := w.exchange(t, nil); err != nil || w.events[0].Rule != "10-role.js" {
		t.Errorf("got %v by %q", err, w.events[0].Rule)
	}
	_, err := w.exchange(t, map[string]any{"denied": true})
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if w.events[1].Rule != "20-deny.js" || !strings.Contains(e.Error(), "rule 2 (20-deny.js)") {
		t.Errorf("got %v by %q", e, w.events[1].Rule)
	}
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	other.provider.SetFaults(oidctest.Faults{Status: 500})
	w.config.Issuers = append(w.config.Issuers,
		delegation.Issuer{URL: other.url, AllowLoopbackHTTP: true},
		delegation.Issuer{URL: "https://static.example.com", JWKS: w.provider.KeySet()},
		delegation.Issuer{
			URL:          "https://legacy.example.com",
			SharedSecret: delegation.NewSecret(strings.Repeat("s", 32)),
		})
	w.target(func(target *delegation.Target) { target.Issuers = []string{w.url} })
	d := w.delegator(t)
	for range 3 {
		results := d.Check(t.Context())
		if len(results) != 4+3 {
			t.Fatalf("got %v", results)
		}
		for i, result := range results[:4] {
			if result.Degrades || result.Warning != "" {
				t.Errorf("got %v", result)
			}
			if result.Name != "issuer "+w.config.Issuers[i].URL {
				t.Errorf("result %d is %q", i, result.Name)
			}
			if i == 1 {
				wantError(t, result.Err, delegation.StageToken, delegation.CodeKeySetUnavailable)
			} else if result.Err != nil {
				t.Errorf("%s: %v", result.Name, result.Err)
			}
		}
	}
	if discovery, _ := w.provider.Fetches(); discovery != 1 {
		t.Errorf("%d fetches of an issuer in order", discovery)
	}
	if discovery, _ := other.provider.Fetches(); discovery != 1 {
		t.Errorf("%d fetches of a broken issuer within its pause", discovery)
	}
	other.provider.SetFaults(oidctest.Faults{})
	w.clock.Advance(time.Minute)
	if results := d.Check(t.Context()); results[1].Err != nil {
		t.Errorf("healed: %v", results[1].Err)
	}

	// An outage does not matter while there are keys that may be used.
	w.provider.SetFaults(oidctest.Faults{Status: 500})
	// or the refresh that this check starts might save its keys from growing stale below
	other.provider.SetFaults(oidctest.Faults{Status: 500})
	w.clock.Advance(20 * time.Hour)
	if results := d.Check(t.Context()); results[0].Err != nil {
		t.Errorf("keys known so far: %v", results[0].Err)
	}
	other.provider.SetFaults(oidctest.Faults{Hang: true})
	w.clock.Advance(20 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results := d.Check(ctx)
	wantError(t, results[1].Err, delegation.StageToken, delegation.CodeCanceled)
	if results[2].Err != nil {
		t.Errorf("a static key set waits for nobody: %v", results[2].Err)
	}
	other.provider.SetFaults(oidctest.Faults{})

	var none *delegation.Delegator
	var null context.Context
	for _, results := range [][]delegation.CheckResult{
		none.Check(t.Context()), new(delegation.Delegator).Check(t.Context()), d.Check(null),
	} {
		if len(results) != 1 {
			t.Fatalf("got %v", results)
		}
		wantError(t, results[0].Err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	}
}

// packageProgram is the program of the package's documentation.
func packageProgram(
	ctx context.Context, keys []delegation.SigningKey, idToken string,
) (*delegation.Credentials, error) {
	d, err := delegation.New(ctx, delegation.Config{
		Issuers:          []delegation.Issuer{{URL: "https://tenant.example.com/"}},
		IdentityProvider: delegation.IdentityProvider{EntityID: "urn:example.com", Keys: keys},
		Targets: delegation.Targets{"photo-app": {AWS: delegation.AWS{
			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
			Role:      "arn:aws:iam::123456789012:role/photo-user",
			Region:    "eu-central-1",
		}}},
		Rules: []delegation.RuleFunc{delegation.RequireVerifiedEmail()},
	})
	if err != nil {
		return nil, err
	}
	return d.Exchange(ctx, idToken, "photo-app")
}

// TestPackageComment_Program: the program of the package's documentation compiles, and New takes
// its configuration.
func TestPackageComment_Program(t *testing.T) {
	keys := []delegation.SigningKey{signingKey()}
	_, err := packageProgram(t.Context(), keys, "")
	if !errors.Is(err, delegation.StageToken) {
		t.Errorf("%v, want a refusal of the empty token", err)
	}
	var program strings.Builder
	for line := range strings.Lines(string(must(os.ReadFile("delegation.go")))) {
		if code, isCode := strings.CutPrefix(line, "//\t"); isCode {
			program.WriteString("\t" + code)
		}
	}
	if program.Len() == 0 {
		t.Fatal("the package's documentation has no program")
	}
	if !strings.Contains(string(must(os.ReadFile("delegation_test.go"))), program.String()) {
		t.Errorf("packageProgram is another program than\n%s", &program)
	}
}
