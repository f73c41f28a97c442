package delegation_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/samlattr"
	"github.com/seed055b7978/delegation/ststest"
)

// unasked is a signer and a random source that nobody may ask.
type unasked struct{ t testing.TB }

func (u unasked) Public() crypto.PublicKey { return signingKey().Signer.Public() }

func (u unasked) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	u.t.Error("something was signed")
	return nil, errors.New("unasked")
}

func (u unasked) Read([]byte) (int, error) {
	u.t.Error("random numbers were taken")
	return 0, errors.New("unasked")
}

func chooseRole(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
	rc.AWS.Role, rc.AWS.Tags["team"] = role+"-2", "press" // the map is the target's
	user.Set("groups", []any{"staff"})
	user.Properties["app_metadata"].(map[string]any)["seen"] = true
	return nil
}

func changeNothing(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }

// TestExplain shows the whole decision, without a signature, a call or an event.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Tags = map[string]string{"cost-center": "42"}
		target.TransitiveTagKeys = []string{"team"}
		target.Mappings = delegation.Mappings{samlattr.EduPersonAffiliation: "groups"}
		target.Policy = `{"Version":"2012-10-17"}`
		target.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		target.SessionDuration = 2 * time.Hour
	})
	w.config.IdentityProvider.Keys = []delegation.SigningKey{{
		Signer:      unasked{t},
		Certificate: signingKey().Certificate,
	}}
	w.config.Rand, w.config.CapSessionToToken = unasked{t}, true
	w.config.Rules = []delegation.RuleFunc{
		chooseRole, delegation.SourceIdentityFromClaim("nickname"), changeNothing,
	}
	token := w.token(map[string]any{
		"nickname": "alice", "app_metadata": map[string]any{},
		"sub": "a/b", "email": "canary@example.com",
	})
	e, err := w.delegator(t).Explain(t.Context(), token, app)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.sent) != 0 || len(w.events) != 0 {
		t.Errorf("%d calls, %d events", len(w.sent), len(w.events))
	}
	step := func(i int, name string, changed ...string) {
		t.Helper()
		got := e.Rules[i]
		if got.Name != name || !slices.Equal(got.Changed, changed) || got.Err != nil {
			t.Errorf("step %d: %+v", i+1, got)
		}
	}
	step(0, "delegation_test.chooseRole", "Role", "Tags", "user.app_metadata", "user.groups")
	step(1, "delegation.SourceIdentityFromClaim", "SourceIdentity")
	step(2, "delegation_test.changeNothing")
	a, b := e.Rules[0].AWS, e.Rules[1].AWS
	if len(e.Rules) != 3 || a.SourceIdentity != "" || b.SourceIdentity != "alice" ||
		a.Role != role+"-2" || a.Tags["team"] != "press" {
		t.Errorf("rules %+v", e.Rules)
	}
	e.Rules = nil
	want := &delegation.Explanation{
		Issuer: w.url, Subject: "a/b", ClientID: app, TokenKind: delegation.TokenKindID,
		Target: app, Principal: principal,
		Role: role + "-2", Regions: []string{"eu-central-1"},
		EntityID: entityID, Recipient: "https://eu-central-1.signin.aws.amazon.com/saml",
		Audience: "urn:amazon:webservices", NameID: "a/b", SessionName: e.SessionName,
		SourceIdentity: "alice", Duration: 2 * time.Hour,
		SessionEnd: start.Add(time.Hour), Policy: `{"Version":"2012-10-17"}`,
		PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}, PackedPolicySize: 16,
		Attributes: map[string][]string{
			delegation.AttributeRole:                         {role + "-2," + principal},
			delegation.AttributeRoleSessionName:              {e.SessionName},
			delegation.AttributeSessionDuration:              {"7200"},
			samlattr.EduPersonAffiliation:                    {"staff"},
			delegation.AttributePrincipalTag + "team":        {"press"},
			delegation.AttributePrincipalTag + "cost-center": {"42"},
			delegation.AttributeTransitiveTagKeys:            {"team"},
			delegation.AttributeSourceIdentity:               {"alice"},
		},
		Actions: []string{"sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"},
		Warnings: []string{
			"the session ends with the ID token at 2026-11-23T10:00:00Z, before its duration is over",
			"the role's maximum session duration must have been raised to 2h0m0s",
			"the session name was changed: AWS does not accept the user's own",
			"the NameID has a slash: the folder ${saml:sub} may lie within another user's",
		},
	}
	e.SessionEnd = e.SessionEnd.UTC()
	if !reflect.DeepEqual(e, want) || !strings.HasPrefix(e.SessionName, "a_b-") {
		t.Errorf("got\n%+v\nwant\n%+v", e, want)
	}
	text := string(must(json.Marshal(e)))
	if strings.Contains(text, token) || strings.Contains(text, "canary") {
		t.Errorf("too much in\n%s", text)
	}
}

// TestExplain_IsACopy: whoever changes an Explanation changes no target and no rule.
func TestExplain_IsACopy(t *testing.T) {
	w := newWorld(t)
	keys, tags := []string{"team"}, map[string]string{"team": "press"}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Tags, rc.AWS.TransitiveTagKeys, rc.AWS.PolicyARNs = tags, keys, nil
		return nil
	}}
	e := w.explained(t)
	e.Rules[0].AWS.Tags["team"] = "canary"
	e.Rules[0].AWS.TransitiveTagKeys[0] = "canary"
	e.Attributes[delegation.AttributeTransitiveTagKeys][0] = "canary"
	if keys[0] != "team" || tags["team"] != "press" {
		t.Errorf("the rule's values are %q and %q", keys, tags)
	}
}

// TestExplain_StrictSessionName: a name that only looks as if it was made safe is the user's own
// where names are strict.
func TestExplain_StrictSessionName(t *testing.T) {
	w := newWorld(t)
	w.config.StrictSessionNames = true
	w.retarget(func(a *delegation.AWS) { a.SessionName = "alice-0123456789abcdef01234567" })
	e := w.explained(t)
	if e.SessionName != "alice-0123456789abcdef01234567" || len(e.Warnings) != 0 {
		t.Errorf("got %+v", e)
	}
	w.config.StrictSessionNames = false
	e = w.explained(t)
	if e.SessionName == "alice-0123456789abcdef01234567" || len(e.Warnings) != 1 {
		t.Errorf("got %+v", e)
	}
}

// TestExplain_UntilItFailed: an Explanation with an error has what was known until then.
func TestExplain_UntilItFailed(t *testing.T) {
	deny := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		rc.Rule, rc.AWS.Region = "20-deny.js", "eu-west-1"
		return delegation.Deny("no")
	}
	panics := func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
		user.Set("half", true)
		panic("canary")
	}
	for name, row := range map[string]struct {
		set    func(*world)
		claims map[string]any
		target string
		code   delegation.Code
		known  func(*delegation.Explanation) bool
	}{
		"token": {func(*world) {}, map[string]any{"exp": start.Add(-time.Hour).Unix()},
			app, delegation.CodeTokenExpired, func(e *delegation.Explanation) bool {
				return reflect.DeepEqual(e, &delegation.Explanation{Target: app})
			}},
		"target": {func(*world) {}, nil, strings.Repeat("x", 1000),
			delegation.CodeDelegationDisabled, func(e *delegation.Explanation) bool {
				return e.Subject == alice && e.ClientID == app && len(e.Target) == 256 &&
					e.Rules == nil && e.Role == ""
			}},
		"profile": {func(w *world) {
			w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return nil, errors.New("down")
			}
			w.config.Rules = []delegation.RuleFunc{changeNothing}
		}, nil, app, delegation.CodeProfileFailed,
			func(e *delegation.Explanation) bool { return e.Subject == alice && e.Rules == nil }},
		"denied": {
			func(w *world) {
				w.config.Rules = []delegation.RuleFunc{changeNothing, deny, changeNothing}
			}, nil, app, delegation.CodeDenied, func(e *delegation.Explanation) bool {
				return len(e.Rules) == 2 && e.Rules[0].Err == nil &&
					e.Rules[1].Name == "20-deny.js" &&
					slices.Equal(e.Rules[1].Changed, []string{"Region"}) &&
					errors.Is(e.Rules[1].Err, delegation.CodeDenied) && e.Role == "" &&
					e.Attributes == nil
			},
		},
		"panic": {func(w *world) { w.config.Rules = []delegation.RuleFunc{panics} },
			nil, app, delegation.CodeRulePanicked, func(e *delegation.Explanation) bool {
				return len(e.Rules) == 1 &&
					errors.Is(e.Rules[0].Err, delegation.CodeRulePanicked) &&
					slices.Equal(e.Rules[0].Changed, []string{"user.half"})
			}},
		"decision": {
			func(w *world) {
				w.retarget(func(a *delegation.AWS) { a.SessionDuration = time.Second })
			}, nil, app, delegation.CodeDurationInvalid,
			func(e *delegation.Explanation) bool {
				return len(e.Rules) == 0 && e.Role == "" && e.Warnings == nil
			},
		},
		"session after the token": {func(w *world) { w.config.CapSessionToToken = true },
			map[string]any{"exp": start.Unix()}, app, delegation.CodeTokenExpired,
			func(e *delegation.Explanation) bool {
				return e.Role == role && e.NameID == alice && e.Warnings == nil
			}},
		"text": {func(w *world) {
			w.target(func(target *delegation.Target) {
				target.Mappings = delegation.Mappings{"x": "odd"}
			})
		}, map[string]any{"odd": "\x00"}, app, delegation.CodeTextInvalid,
			func(e *delegation.Explanation) bool {
				return e.Role == role && e.Attributes["x"][0] == "\x00"
			}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row.set(w)
			e, err := w.delegator(t).Explain(t.Context(), w.token(row.claims), row.target)
			if !errors.Is(err, row.code) || e == nil || !row.known(e) {
				t.Errorf("got %v\n%+v", err, e)
			}
		})
	}
}

func TestExplain_NilZeroCanceled(t *testing.T) {
	w := newWorld(t)
	d, token := w.delegator(t), w.token(nil)
	var none *delegation.Delegator
	var null context.Context
	for name, call := range map[string]func() (*delegation.Explanation, error){
		"nil context": func() (*delegation.Explanation, error) {
			return d.Explain(null, token, app)
		},
		"nil Delegator": func() (*delegation.Explanation, error) {
			return none.Explain(t.Context(), token, app)
		},
		"zero Delegator": func() (*delegation.Explanation, error) {
			return new(delegation.Delegator).Explain(t.Context(), token, app)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := call()
			wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
			if !reflect.DeepEqual(e, &delegation.Explanation{Target: app}) {
				t.Errorf("got %+v", e)
			}
		})
	}
	if e, err := d.Explain(t.Context(), token, app, nil, delegation.WithRule(nil)); !errors.Is(err,
		delegation.CodeRulePanicked) || len(e.Rules) != 1 {
		t.Errorf("a nil rule: %v\n%+v", err, e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := d.Explain(ctx, token, app)
	// with keys at hand it gets as far as Exchange does
	wantError(t, err, delegation.StageTarget, delegation.CodeCanceled)
	if e.Subject != alice {
		t.Errorf("got %+v", e)
	}
	during, leave := context.WithCancel(t.Context())
	e, err = d.Explain(during, token, app,
		delegation.WithRule(func(context.Context, *delegation.User, *delegation.RuleContext) error {
			leave()
			return errors.New("interrupted")
		}))
	wantError(t, err, delegation.StageRules, delegation.CodeCanceled)
	if len(e.Rules) != 1 || e.Rules[0].Err == nil {
		t.Errorf("got %+v", e)
	}
	e, err = d.Explain(t.Context(), token, app, delegation.WithClientID("stranger"))
	wantError(t, err, delegation.StageTarget, delegation.CodeClientMismatch)
	if e.Subject != alice {
		t.Errorf("got %+v", e)
	}
}

// TestExplain_OddProperties: what a rule in Go can make of the user's properties, and JSON cannot,
// is explained as it is exchanged.
func TestExplain_OddProperties(t *testing.T) {
	w := newWorld(t)
	loop := map[string]any{}
	loop["self"] = loop
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
			user.Set("loop", loop)
			return nil
		},
		changeNothing,
		func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
			user.Properties = nil
			return nil
		},
		changeNothing,
	}
	e := w.explained(t)
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if len(e.Rules) != 4 || !slices.Equal(e.Rules[0].Changed, []string{"user.loop"}) ||
		len(e.Rules[1].Changed) != 0 || !slices.Contains(e.Rules[2].Changed, "user.sub") {
		t.Errorf("got %+v", e.Rules)
	}
}

// TestExplain_OneUseOfAToken: to explain an exchange is not to use its token.
func TestExplain_OneUseOfAToken(t *testing.T) {
	w := newWorld(t)
	w.config.Replay = delegation.ReplayMemory(10)
	d, token := w.delegator(t), w.token(nil)
	// and a token that was used is explained all the same
	for _, used := range []bool{false, true} {
		if _, err := d.Explain(t.Context(), token, app); err != nil {
			t.Fatal(err)
		}
		_, err := d.Exchange(t.Context(), token, app)
		if (err != nil) != used || used && !errors.Is(err, delegation.CodeTokenReplayed) {
			t.Fatalf("used %v: got %v", used, err)
		}
	}
}

// TestExplain_Encrypted: what is too large only when it is encrypted is refused by both.
func TestExplain_Encrypted(t *testing.T) {
	w, fake := encryptedWorld(t)
	setKeys(t, fake, false, readerKey())
	var size int
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		user.Set("big", strings.Repeat("x", size))
		rc.AWS.Mappings = delegation.Mappings{"big": "big"}
		return nil
	}}
	for _, row := range []struct {
		size                int
		encrypted, tooLarge bool
	}{{60_000, true, true}, {60_000, false, false}, {30_000, true, false}} {
		size = row.size
		w.target(func(target *delegation.Target) {
			if target.EncryptionKey, target.SAMLProviderUUID = "", ""; row.encrypted {
				target.EncryptionKey, target.SAMLProviderUUID = publicPEM(readerKey()), providerUUID
			}
		})
		d := w.delegator(t)
		_, explained := d.Explain(t.Context(), w.token(nil), app)
		_, exchanged := d.Exchange(t.Context(), w.token(nil), app)
		for _, err := range []error{explained, exchanged} {
			if (err != nil) != row.tooLarge ||
				row.tooLarge && !errors.Is(err, delegation.CodeResponseTooLarge) {
				t.Errorf("%+v: got %v", row, err)
			}
		}
	}
}

// generator makes settings, rules and claims of which some are good, some odd and some wrong,
// always the same from one seed.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// rare is the second value in one of n cases.
func rare[T any](g generator, n int, usual, odd T) T {
	if g.IntN(n) == 0 {
		return odd
	}
	return usual
}

func (g generator) text() string {
	return rare(g, 3,
		pick(g, "press", "alice@example.com", "a b", "x/y", "Zoë", strings.Repeat("a", 60)),
		pick(g, oddTexts[g.IntN(len(oddTexts))].text, "", "\x00", "\xff", "*", "a?b", " a",
			strings.Repeat("é", 64), strings.Repeat("w", 300), strings.Repeat("<", 20_000)))
}

func (g generator) value() any {
	switch g.IntN(8) {
	case 0:
		return []any{g.text(), g.text()}
	case 1:
		return pick[any](g, 1800, 42, true, nil, []any{}, map[string]any{"a": "b"}, []any{[]any{}})
	}
	return g.text()
}

// change sets some fields, as a target or a rule would.
func (g generator) change(a *delegation.AWS) {
	one := func(n int) bool { return g.IntN(n) == 0 }
	if one(12) {
		a.Role = pick(g, role, role+"-2", strings.Replace(role, ":aws:", ":aws-cn:", 1),
			"arn:aws:iam::999999999999:role/other", "role", "")
	}
	if one(12) {
		a.Principal = pick(g, principal, strings.Replace(principal, ":aws:", ":aws-cn:", 1),
			principal+"/x", "")
	}
	if one(12) {
		a.Region = pick(g, "us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1",
			"mars-north-1", "")
	}
	if one(6) {
		a.NameID = g.text()
	}
	if one(6) {
		a.SessionName = g.text()
	}
	if one(6) {
		a.SessionDuration = pick(g, 15*time.Minute, time.Hour, 12*time.Hour, time.Second,
			13*time.Hour, time.Hour+time.Millisecond)
	}
	if one(6) {
		a.SourceIdentity = pick(g, "alice", "bob@example.com", g.text())
	}
	if one(5) {
		a.Tags = map[string]string{
			pick(g, "team", "Team", "", "aws:x", g.text()): g.text(), "fixed": "x",
		}
		a.TransitiveTagKeys = pick(g, nil, []string{"fixed"}, []string{"absent"})
	}
	if one(12) {
		for i := range pick(g, 39, 47, 51) {
			a.Tags = pick(g, a.Tags, map[string]string{})
			if a.Tags == nil {
				a.Tags = map[string]string{}
			}
			a.Tags[fmt.Sprint("many", i)] = "x"
		}
	}
	if one(8) {
		a.Policy = pick(g, `{"Version":"2012-10-17","Statement":[]}`,
			`{"a":"`+strings.Repeat("x", 2000)+`"}`, `{"a":1,"a":2}`, "no JSON", g.text())
		a.PolicyARNs = pick(g, nil, []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			[]string{"arn:aws:iam::999999999999:policy/x"})
	}
	if one(6) {
		a.Mappings, a.NameIDFromMapping = delegation.Mappings{}, one(2)
		for range 1 + g.IntN(3) {
			a.Mappings[pick(g, delegation.AttributeRole, delegation.AttributeRoleSessionName,
				delegation.AttributeSessionDuration, delegation.AttributePrincipalTag+"mapped",
				delegation.AttributeTransitiveTagKeys, delegation.AttributeSourceIdentity,
				delegation.AttributeNameIdentifier, samlattr.Mail, samlattr.CN, "custom",
				"a\tb", "")] =
				pick(g, "sub", "claim0", "claim1", "claim2", "absent", "awsrole",
					"rolesessionname", "email")
		}
	}
}

func (g generator) rule() delegation.RuleFunc {
	seed := g.Uint64()
	return func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		g := generator{rand.New(rand.NewPCG(seed, 1))} // the same in both runs
		g.change(&rc.AWS)
		user.Set(pick(g, "claim0", "email", "user_id", "email_verified"), g.value())
		switch g.IntN(40) {
		case 0:
			return delegation.Deny("no")
		case 1:
			return errors.New("broken")
		case 2:
			panic("a bug")
		}
		return nil
	}
}

// TestExplain_AgreesWithExchange: whatever goes in, both refuse with the same code, or what was
// sent is what was explained.
func TestExplain_AgreesWithExchange(t *testing.T) {
	t.Parallel()
	const seed, cases = 20261123, 800
	outcomes := map[delegation.Code]int{}
	w := newWorld(t)
	w.config.Issuers[0].JWKS = w.provider.KeySet()
	config := w.config
	for i := range cases {
		g := generator{rand.New(rand.NewPCG(seed, uint64(i)))}
		// Of the texts of a case none is the token's: that has its own tests.
		claims := map[string]any{
			"sub": rare(g, 4, alice,
				strings.ToValidUTF8(rare(g, 20, g.text(), strings.Repeat("s", 257)), "?")),
			"email": "alice@example.com", "email_verified": g.IntN(2) == 0,
		}
		for n := range 3 {
			claims[fmt.Sprint("claim", n)] = g.value()
		}
		claims["exp"] = start.Add(pick(g, time.Hour, time.Minute,
			rare(g, 4, 10*time.Hour, -30*time.Second))).Unix()
		w.config, w.sent, w.events = config, nil, nil
		w.target(func(target *delegation.Target) {
			g.change(&target.AWS)
			if g.IntN(8) == 0 {
				target.AllowedRoles = []string{role}
			}
			if g.IntN(6) == 0 {
				target.FailoverRegions = []string{
					pick(g, "eu-west-1", "us-east-2", "cn-north-1", "mars-north-1"), "eu-central-1",
				}
			}
			if g.IntN(8) == 0 {
				target.SAMLRecipient = "https://example.com/saml?a=1&b=2"
				target.SAMLAudience = pick(g, "", "urn:audience", "a\x00b")
			}
		})
		w.config.CapSessionToToken, w.config.StrictSessionNames = g.IntN(3) == 0, g.IntN(4) == 0
		// which Explain does not ask
		w.config.MaxTokenSize, w.config.Replay = 1<<20, delegation.ReplayMemory(1)
		for range g.IntN(4) {
			w.config.Rules = append(w.config.Rules, g.rule())
		}
		target := w.config.Targets.(delegation.Targets)[app]
		// so that New does not refuse it
		w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
			return &target, nil
		})
		d, token := w.delegator(t), w.token(claims)
		e, explained := d.Explain(t.Context(), token, app)
		if len(w.sent) > 0 {
			t.Fatalf("case %d: Explain has called AWS", i)
		}
		_, exchanged := d.Exchange(t.Context(), token, app)
		var a, b *delegation.Error
		if errors.As(explained, &a); errors.As(exchanged, &b) && a == nil ||
			a != nil &&
				(b == nil || a.Code != b.Code || a.Stage != b.Stage || a.Error() != b.Error()) {
			t.Fatalf("case %d: explained %v, exchanged %v", i, explained, exchanged)
		}
		if a != nil {
			outcomes[a.Code]++
			if len(w.events) > 0 && w.events[0].Stage == delegation.StageRules &&
				!errors.Is(e.Rules[len(e.Rules)-1].Err, a.Code) {
				t.Fatalf("case %d: %v is not the last rule's: %+v", i, a, e)
			}
			continue
		}
		outcomes[""]++
		in := w.last()
		document := responseOf(in)
		find := func(path string) string { return document.FindElement(path).Text() }
		var end string
		if s := document.FindElement("//saml:AuthnStatement"); s != nil {
			end = s.SelectAttrValue("SessionNotOnOrAfter", "")
		}
		explainedEnd := ""
		if !e.SessionEnd.IsZero() {
			explainedEnd = e.SessionEnd.UTC().Format("2006-01-02T15:04:05Z")
		}
		var arns []string
		for _, p := range in.PolicyArns {
			arns = append(arns, *p.Arn)
		}
		policy := ""
		if in.Policy != nil {
			policy = *in.Policy
		}
		event := w.events[0]
		for _, fact := range []struct {
			name           string
			sent, explains any
		}{
			{"role", *in.RoleArn, e.Role}, {"principal", *in.PrincipalArn, e.Principal},
			{"duration", time.Duration(*in.DurationSeconds) * time.Second, e.Duration},
			{"policy", policy, e.Policy}, {"policies", fmt.Sprint(arns), fmt.Sprint(e.PolicyARNs)},
			{"NameID", find("//saml:NameID"), e.NameID},
			{"audience", find("//saml:Audience"), e.Audience},
			{"issuer", find("//saml:Assertion/saml:Issuer"), e.EntityID},
			{"recipient",
				document.FindElement("//saml:SubjectConfirmationData").
					SelectAttrValue("Recipient", ""), e.Recipient},
			{"session end", end, explainedEnd}, {"region", event.Region, e.Regions[0]},
			{"session name", event.SessionName, e.SessionName},
			{"source identity", event.SourceIdentity, e.SourceIdentity},
			{"subject", event.Subject, e.Subject}, {"client", event.ClientID, e.ClientID},
			{"attributes", attributesOf(in), e.Attributes},
			{"TagSession",
				strings.Contains(fmt.Sprint(attributesOf(in)), delegation.AttributePrincipalTag),
				slices.Contains(e.Actions, "sts:TagSession")},
			{"SetSourceIdentity", event.SourceIdentity != "",
				slices.Contains(e.Actions, "sts:SetSourceIdentity")},
		} {
			if !reflect.DeepEqual(fact.sent, fact.explains) {
				t.Fatalf("case %d: %s: sent %q, explained %q", i, fact.name,
					fact.sent, fact.explains)
			}
		}
	}
	t.Logf("outcomes: %v", outcomes)
	if outcomes[""] < cases/10 || outcomes[""] > cases*9/10 || len(outcomes) < 16 {
		t.Errorf("the generator is too simple: %v", outcomes)
	}
}

// explained explains one exchange of alice's token.
func (w *world) explained(t testing.TB) *delegation.Explanation {
	t.Helper()
	e, err := w.delegator(t).Explain(t.Context(), w.token(nil), app)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTrustPolicy puts the policy into a strict STS of every partition: what it is for goes
// through, and nothing else does.
func TestTrustPolicy(t *testing.T) {
	t.Parallel()
	for region, partition := range map[string]string{
		"us-east-1": "aws", "eu-central-1": "aws", "cn-north-1": "aws-cn",
		"us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	} {
		for name, set := range map[string]func(*delegation.Target){
			"plain": func(*delegation.Target) {},
			"tags": func(target *delegation.Target) {
				target.Tags = map[string]string{"team": "press"}
			},
			"mapped tags": func(target *delegation.Target) {
				target.Mappings = delegation.Mappings{
					delegation.AttributePrincipalTag + "team": "aud",
				}
			},
			"source identity": func(target *delegation.Target) { target.SourceIdentity = "alice" },
			"own recipient": func(target *delegation.Target) {
				target.SAMLRecipient = "https://example.com/saml?a=1&b=<2>"
			},
			"all": func(target *delegation.Target) {
				target.Tags = map[string]string{"team": "press"}
				target.TransitiveTagKeys = []string{"team"}
				target.SourceIdentity = "alice"
			},
		} {
			t.Run(region+" "+name, func(t *testing.T) {
				w := newWorld(t)
				own := func(s string) string {
					return strings.Replace(s, ":aws:", ":"+partition+":", 1)
				}
				w.target(func(target *delegation.Target) {
					set(target)
					target.Role, target.Principal, target.Region = own(role), own(principal), region
				})
				fake := ststest.New(ststest.Config{Region: region, Now: w.clock.Now})
				server := httptest.NewServer(fake.Region(region))
				t.Cleanup(server.Close)
				w.config.STS = stsClient(server.URL)
				err := fake.PutSAMLProvider(own(principal), must(identity().Metadata()))
				if err != nil {
					t.Fatal(err)
				}
				e := w.explained(t)
				policy := must(e.TrustPolicy())
				put := func(policy string) {
					t.Helper()
					err := fake.PutRole(ststest.Role{ARN: own(role), TrustPolicy: policy})
					if err != nil {
						t.Fatalf("%v\n%s", err, policy)
					}
				}
				put(policy)
				if _, err := w.exchange(t, nil); err != nil {
					t.Errorf("%v\n%s", err, policy)
				}
				// No more than is needed: each action and each condition counts.
				for i, action := range e.Actions {
					less := *e
					less.Actions = slices.Delete(slices.Clone(e.Actions), i, i+1)
					if len(less.Actions) == 0 {
						continue
					}
					put(must(less.TrustPolicy()))
					_, err := w.exchange(t, nil)
					if !errors.Is(err, delegation.CodeSTSAccessDenied) {
						t.Errorf("without %s: %v", action, err)
					}
				}
				put(strings.Replace(policy, `"persistent"`, `"transient"`, 1))
				if _, err := w.exchange(t, nil); !errors.Is(err, delegation.CodeSTSAccessDenied) {
					t.Errorf("another kind of NameID: %v", err)
				}
				other := *e
				other.Recipient += "/other"
				put(must(other.TrustPolicy()))
				if _, err := w.exchange(t, nil); !errors.Is(err, delegation.CodeSTSAccessDenied) {
					t.Errorf("another recipient: %v", err)
				}
				other = *e
				other.EntityID += "-other"
				put(must(other.TrustPolicy()))
				if _, err := w.exchange(t, nil); !errors.Is(err, delegation.CodeSTSAccessDenied) {
					t.Errorf("another issuer: %v", err)
				}
				other.EntityID = ""
				put(must(other.TrustPolicy()))
				if _, err := w.exchange(t, nil); err != nil {
					t.Errorf("no condition on the issuer: %v", err)
				}
			})
		}
	}
}

// TestTrustPolicy_WrittenDown: without a token, four fields are enough.
func TestTrustPolicy_WrittenDown(t *testing.T) {
	e := &delegation.Explanation{
		Principal: principal,
		Recipient: must(delegation.ParseRegion("eu-central-1")).SAMLRecipient(),
	}
	policy := must(e.TrustPolicy())
	want := documentedPolicy(t, "AssumeRoleWithSAML")
	if !sameJSON(t,
		strings.Replace(want,
			`["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]`,
			`"sts:AssumeRoleWithSAML"`, 1),
		policy) {
		t.Errorf("got %s, docs/aws-setup.md has %s", policy, want)
	}
	e.Actions = []string{"sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"}
	if got := must(e.TrustPolicy()); !sameJSON(t, documentedPolicy(t, "AssumeRoleWithSAML"), got) {
		t.Errorf("got %s", got)
	}
	for name, e := range map[string]*delegation.Explanation{
		"nil": nil, "zero": {}, "no recipient": {Principal: principal},
		"no principal": {Recipient: "https://signin.aws.amazon.com/saml"},
		"a role as principal": {
			Principal: role,
			Recipient: "https://signin.aws.amazon.com/saml",
		},
		"everybody": {
			Principal: "*",
			Recipient: "https://signin.aws.amazon.com/saml",
		},
		"a variable in the issuer": {
			Principal: principal,
			Recipient: "https://signin.aws.amazon.com/saml",
			EntityID:  "urn:${aws:username}",
		},
		"a variable as a recipient": {Principal: principal, Recipient: "${aws:username}"},
	} {
		policy, err := e.TrustPolicy()
		if wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid); policy != "" {
			t.Errorf("%s: got %s", name, policy)
		}
	}
}

// TestPermissionPolicy holds the policy of every partition against that of docs/aws-setup.md.
func TestPermissionPolicy(t *testing.T) {
	for region, partition := range map[string]string{
		"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov",
		"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	} {
		policy, err := delegation.PermissionPolicy(must(delegation.ParseRegion(region)),
			"my.photos-1")
		want := strings.NewReplacer("arn:aws:", "arn:"+partition+":", "BUCKET", "my.photos-1").
			Replace(documentedPolicy(t, "s3:GetObject"))
		if err != nil || !sameJSON(t, policy, want) {
			t.Errorf("%s: got %v\n%s", region, err, policy)
		}
	}
	for _, bucket := range []string{"", "*", "photos/*", "${saml:sub}", "Photos"} {
		region := must(delegation.ParseRegion("us-east-1"))
		policy, err := delegation.PermissionPolicy(region, bucket)
		if wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid); policy != "" {
			t.Errorf("%q gives %s", bucket, policy)
		}
	}
	policy, err := delegation.PermissionPolicy(delegation.Region{}, "photos")
	if wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid); policy != "" {
		t.Errorf("no region gives %s", policy)
	}
}

// documentedPolicy is the JSON block of docs/aws-setup.md that has the word.
func documentedPolicy(t testing.TB, word string) string {
	t.Helper()
	for _, block := range blocksOf(string(must(os.ReadFile("docs/aws-setup.md"))), "json") {
		if strings.Contains(block, word) {
			return block
		}
	}
	t.Fatalf("docs/aws-setup.md has no policy with %s", word)
	return ""
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y))
	if err != nil {
		t.Fatal(err)
	}
	return x != nil && reflect.DeepEqual(x, y)
}
