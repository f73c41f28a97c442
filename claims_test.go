package delegation_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

const lacksClaim = "target required_claim"

// TestRequiredClaims: a token that does not say what issuer or target require is refused, whatever
// else it says.
func TestRequiredClaims(t *testing.T) {
	type claims map[string]any
	type required map[string][]string
	null := json.RawMessage("null")
	for name, test := range map[string]struct {
		claims   claims
		required required
		want     string
	}{
		"met": {claims{"hd": "example.com"}, required{"hd": {"example.com"}}, accepted},
		"another value": {claims{"hd": "example.org"},
			required{"hd": {"example.com"}}, lacksClaim},
		"absent":                         {claims{}, required{"hd": {"example.com"}}, lacksClaim},
		"absent, and everything matches": {claims{}, required{"hd": {".*"}}, lacksClaim},
		"null":                           {claims{"hd": null}, required{"hd": {".*"}}, lacksClaim},
		"an object": {claims{"hd": claims{"example.com": "example.com"}},
			required{"hd": {".*"}}, lacksClaim},
		"an empty list": {claims{"groups": []string{}}, required{"groups": {".*"}}, lacksClaim},
		"a list with one that matches": {claims{"groups": []string{"a", "admins"}},
			required{"groups": {"admins"}}, accepted},
		"a list without one": {claims{"groups": []string{"a", "admins2"}},
			required{"groups": {"admins"}}, lacksClaim},
		"a list with something else": {claims{"groups": []any{"admins", claims{}}},
			required{"groups": {"admins"}}, lacksClaim},
		"a list with null": {claims{"groups": []any{"admins", nil}},
			required{"groups": {"admins"}}, lacksClaim},
		"the second pattern": {claims{"hd": "b.example"},
			required{"hd": {"a.example", "b.example"}}, accepted},
		"the whole value counts": {claims{"hd": "example.com.evil.example"},
			required{"hd": {"example.com"}}, lacksClaim},
		"the whole value, before": {claims{"hd": "evil.example.com"},
			required{"hd": {"example.com"}}, lacksClaim},
		"an alternative is no beginning": {claims{"hd": "a.evil"}, required{"hd": {"a|b"}},
			lacksClaim},
		"an alternative is no end": {claims{"hd": "evil.b"}, required{"hd": {"a|b"}}, lacksClaim},
		"a line end is no end": {claims{"hd": "example.com\nx"},
			required{"hd": {"example.com"}}, lacksClaim},
		"a line end behind it": {claims{"hd": "example.com\n"},
			required{"hd": {"example.com"}}, lacksClaim},
		"multi-line mode makes no line": {claims{"hd": "x\nexample.com"},
			required{"hd": {"(?m)^example.com$"}}, lacksClaim},
		"case counts": {claims{"hd": "Example.com"}, required{"hd": {"example.com"}}, lacksClaim},
		"all claims are needed": {claims{"a": "1"}, required{"a": {"1"}, "b": {"1"}},
			lacksClaim},
		"all claims": {claims{"a": "1", "b": "1"}, required{"a": {"1"}, "b": {"1"}}, accepted},
		"a boolean":  {claims{"ok": true}, required{"ok": {"true"}}, accepted},
		"a boolean that is not": {claims{"ok": false}, required{"ok": {"true"}},
			lacksClaim},
		"a number": {claims{"level": 3}, required{"level": {"[3-9]"}}, accepted},
		"a path": {claims{"kubernetes.io": claims{"namespace": "prod"}},
			required{"kubernetes.io.namespace": {"prod"}}, accepted},
		"a path to another value": {claims{"kubernetes.io": claims{"namespace": "dev"}},
			required{"kubernetes.io.namespace": {"prod"}}, lacksClaim},
		"a whole name goes before a path": {claims{"a.b": "x", "a": claims{"b": "y"}},
			required{"a.b": {"y"}}, lacksClaim},
		"an empty text matches nothing": {claims{"hd": ""}, required{"hd": {".+"}}, lacksClaim},
	} {
		t.Run(name, func(t *testing.T) {
			for _, of := range []string{"issuer", "target"} {
				w := offline(t)
				if of == "issuer" {
					w.config.Issuers[0].RequiredClaims = test.required
				} else {
					w.target(func(target *delegation.Target) {
						target.RequiredClaims = test.required
					})
				}
				err := w.wantOutcome(t, w.delegator(t), w.token(test.claims), test.want)
				if test.want == accepted {
					continue
				}
				e := wantError(t, err, delegation.StageTarget, delegation.CodeRequiredClaim)
				if e.Public() != "access denied" || !strings.Contains(e.Err.Error(), "the "+of) {
					t.Errorf("%v; strangers see %q", e, e.Public())
				}
				// The same from a database.
				target := w.config.Targets.(delegation.Targets)[app]
				w.config.Targets = source(func(context.Context, string) (*delegation.Target,
					error) {
					return &target, nil
				})
				w.wantOutcome(t, w.delegator(t), w.token(test.claims), test.want)
			}
		})
	}
}

// TestRequiredClaims_Lookalikes: a claim that differs from a required one by case alone condemns
// the token, next to the claim or in its place, at each name of a path. Where it is not required,
// it does no harm.
func TestRequiredClaims_Lookalikes(t *testing.T) {
	type claims = map[string]any
	type list = []any
	a := claims{"a": "x"}
	folded := refused(delegation.CodeTokenFoldedName)
	for name, test := range map[string]struct {
		claims claims
		claim  string
		want   string
	}{
		"next to it":            {claims{"hd": "x", "HD": "y"}, "hd", folded},
		"in its place":          {claims{"Hd": "x"}, "hd", folded},
		"with the Kelvin sign":  {claims{"kind": "x", "\u212aind": "x"}, "kind", folded},
		"first of a path":       {claims{"K8s": 1, "k8s": claims{"ns": "x"}}, "k8s.ns", folded},
		"last of a path":        {claims{"k8s": claims{"ns": "x", "NS": "x"}}, "k8s.ns", folded},
		"names with dots":       {claims{"k.io": claims{"a.b": "x", "A.b": 1}}, "k.io.a.b", folded},
		"a whole name":          {claims{"a.b": "x", "A.B": "x"}, "a.b", folded},
		"in a list":             {claims{"l": list{claims{"a": "x", "A": "x"}}}, "l.0.a", folded},
		"of another entry":      {claims{"l": list{a, claims{"A": "x"}}}, "l.0.a", accepted},
		"of another object":     {claims{"k": a, "o": claims{"A": "x"}}, "k.a", accepted},
		"of what is not needed": {claims{"hd": "x", "Email": "x", "email": "y"}, "hd", accepted},
		"no more than alike":    {claims{"hd": "x", "hd ": "y"}, "hd", accepted},
	} {
		t.Run(name, func(t *testing.T) {
			required := map[string][]string{test.claim: {"x"}}
			for _, ofTarget := range []bool{false, true} {
				w := offline(t)
				if ofTarget {
					w.target(func(target *delegation.Target) { target.RequiredClaims = required })
				} else {
					w.config.Issuers[0].RequiredClaims = required
				}
				w.wantOutcome(t, w.delegator(t), w.token(test.claims), test.want)
			}
			w := offline(t)
			w.wantOutcome(t, w.delegator(t), w.token(test.claims), accepted)
		})
	}
}

// TestRequiredClaims_AreTheTokens: what a profile loader or a rule knows does not count, and
// neither runs for a token that is refused.
func TestRequiredClaims_AreTheTokens(t *testing.T) {
	w := offline(t)
	ran := false
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		ran = true
		return map[string]any{"hd": "example.com"}, nil
	}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, _ *delegation.RuleContext,
	) error {
		ran = true
		user.Set("hd", "example.com")
		return nil
	}}
	w.config.Issuers[0].RequiredClaims = map[string][]string{"hd": {"example.com"}}
	w.wantOutcome(t, w.delegator(t), w.token(nil), lacksClaim)
	if ran {
		t.Error("profile loader or rule ran")
	}
}

// TestRequiredClaims_OfBoth: what the issuer requires and what the target requires are both needed.
func TestRequiredClaims_OfBoth(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].RequiredClaims = map[string][]string{"hd": {"example.com"}}
	w.target(func(target *delegation.Target) {
		target.RequiredClaims = map[string][]string{"team": {"photo"}}
	})
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(map[string]any{"hd": "example.com", "team": "photo"}), accepted)
	w.wantOutcome(t, d, w.token(map[string]any{"hd": "example.com"}), lacksClaim)
	w.wantOutcome(t, d, w.token(map[string]any{"team": "photo"}), lacksClaim)
}

// TestRequiredClaims_AreCopied: a configuration that changes after New changes nothing.
func TestRequiredClaims_AreCopied(t *testing.T) {
	w := offline(t)
	required := map[string][]string{"hd": {"example.com"}}
	w.config.Issuers[0].RequiredClaims = required
	w.target(func(target *delegation.Target) { target.RequiredClaims = required })
	d := w.delegator(t)
	required["hd"][0] = ".*"
	delete(required, "hd")
	w.wantOutcome(t, d, w.token(map[string]any{"hd": "example.org"}), lacksClaim)
}

func TestRequiredClaims_New(t *testing.T) {
	for name, required := range map[string]map[string][]string{
		"no pattern":         {"hd": {}},
		"nil":                {"hd": nil},
		"an empty pattern":   {"hd": {"example.com", ""}},
		"a bad pattern":      {"hd": {"("}},
		"a pattern of two":   {"hd": {"a)|(b"}},
		"a claim without it": {"": {"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Issuers[0].RequiredClaims = required
			w.target(func(target *delegation.Target) { target.RequiredClaims = required })
			_, err := delegation.New(t.Context(), w.config)
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			for _, field := range []string{
				`Issuers[0]: RequiredClaims[`, `Targets["photo-app"]: RequiredClaims[`,
			} {
				if !strings.Contains(e.Error(), field) {
					t.Errorf("%v does not name %s", e, field)
				}
			}
			target := w.config.Targets.(delegation.Targets)[app]
			w.config.Issuers[0].RequiredClaims = nil
			w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
				return &target, nil
			})
			w.wantOutcome(t, w.delegator(t), w.token(nil), "target target_invalid")
		})
	}
}

// TestRequiredClaims_Explained: an explanation has each claim, whose it is, and what the token
// says, also where a later one is not met.
func TestRequiredClaims_Explained(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].RequiredClaims = map[string][]string{"hd": {"example.com", "example.net"}}
	w.target(func(target *delegation.Target) {
		target.RequiredClaims = map[string][]string{"groups": {"photo"}, "absent": {".*"}}
	})
	token := w.token(map[string]any{"hd": "example.net", "groups": []string{"a", "photo"}})
	e, err := w.delegator(t).Explain(t.Context(), token, app)
	wantError(t, err, delegation.StageTarget, delegation.CodeRequiredClaim)
	want := []delegation.ClaimCheck{
		{
			Claim:    "hd",
			Of:       "issuer",
			Patterns: []string{"example.com", "example.net"},
			Values:   []string{"example.net"},
			Met:      true,
		},
		{Claim: "absent", Of: "target", Patterns: []string{".*"}},
		{
			Claim:    "groups",
			Of:       "target",
			Patterns: []string{"photo"},
			Values:   []string{"a", "photo"},
			Met:      true,
		},
	}
	if !reflect.DeepEqual(e.RequiredClaims, want) {
		t.Errorf("got %+v", e.RequiredClaims)
	}
}

// TestTargets_SubjectsOfSeveralIssuers: a target with several issuers must say what a sub of one
// means beside the same sub of another.
func TestTargets_SubjectsOfSeveralIssuers(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	one.config.Issuers = append(one.config.Issuers, two.config.Issuers...)
	both := []string{one.url, two.url}
	for name, test := range map[string]struct {
		issuers           []string
		areOne, nameID    bool
		identity, refused bool
	}{
		"nothing said":      {issuers: both, refused: true},
		"one of them":       {issuers: both[:1]},
		"one of them twice": {issuers: []string{both[0], both[0]}},
		"they are one":      {issuers: both, areOne: true},
		"by the NameID":     {issuers: both, nameID: true},
		"both":              {issuers: both, areOne: true, nameID: true, refused: true},
		// The identity is the same for both issuers, so it tells the target's users from those of
		// other targets, and not from each other.
		"an identity": {issuers: both, identity: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			target := *sharedTarget()
			target.Issuers = test.issuers
			target.SubjectsAreOne = test.areOne
			target.NameIDTellsIssuersApart = test.nameID
			if test.identity {
				own := identity()
				own.EntityID = "urn:own.example.com"
				target.Identity = &own
			}
			one.config.Targets = delegation.Targets{app: target}
			_, err := delegation.New(t.Context(), one.config)
			if test.refused {
				e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
				if !strings.Contains(e.Error(), `Targets["photo-app"]: Issuers has 2 issuers`) {
					t.Error(e)
				}
			} else if err != nil {
				t.Error(err)
			}
			one.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
				return &target, nil
			})
			one.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, user *delegation.User, rc *delegation.RuleContext,
			) error {
				rc.AWS.NameID = "one:" + user.Text("sub")
				return nil
			}}
			_, err = one.exchange(t, nil)
			if test.refused {
				wantError(t, err, delegation.StageTarget, delegation.CodeTargetInvalid)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNameIDTellsIssuersApart: an exchange in which nothing sets the NameID is refused, and so two
// users with one sub have two NameIDs.
func TestNameIDTellsIssuersApart(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	one.config.Issuers = append(one.config.Issuers, two.config.Issuers...)
	one.target(func(target *delegation.Target) {
		target.Issuers = []string{one.url, two.url}
		target.NameIDTellsIssuersApart = true
	})
	_, err := one.exchange(t, nil)
	wantError(t, err, delegation.StageDecision, delegation.CodeNameIDInvalid)

	names := map[string]string{one.url: "one:", two.url: "two:"}
	one.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.NameID = names[rc.Issuer] + user.Text("user_id")
		return nil
	}}
	d := one.delegator(t)
	var seen []string
	for _, w := range []*world{one, two} {
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, nameIDOf(one.last()))
	}
	if want := []string{"one:" + alice, "two:" + alice}; !slices.Equal(seen, want) {
		t.Errorf("got %q", seen)
	}

	one.config.Rules = nil
	one.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{delegation.AttributeNameIdentifier: "email"}
		target.NameIDFromMapping = true
	})
	if _, err := one.exchange(t, map[string]any{"email": "alice@one.example"}); err != nil {
		t.Error(err)
	}
}
