package delegation_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// policyOf is a policy of these statements.
func policyWith(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allowing is an Allow of one action on one resource.
func allowing(action, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource)
}

// What the tests decide on and ask for.
var (
	ownFolder  = policyWith(allowing("s3:*", "arn:aws:s3:::photos/${saml:sub}/*"))
	readScope  = policyWith(allowing("s3:Get*", "*"))
	writeScope = policyWith(allowing("s3:Put*", "*"))
	tlsOnly    = policyWith(`{"Effect":"Allow","Action":"s3:*","Resource":"*",` +
		`"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`)
)

const (
	ownPolicyARN = "arn:aws:iam::123456789012:policy/own"
	readOnly     = "arn:aws:iam::aws:policy/ReadOnlyAccess"
)

// scopedWorld is a world whose target has the scopes read, write, tls and managed.
func scopedWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Scopes = map[string]delegation.Scope{
			"read":    {Policy: readScope},
			"write":   {Policy: writeScope},
			"tls":     {Policy: tlsOnly},
			"managed": {PolicyARNs: []string{ownPolicyARN}},
		}
	})
	return w
}

// narrowed runs one exchange with the options.
func (w *world) narrowed(
	t testing.TB, options ...delegation.ExchangeOption,
) (*delegation.Credentials, error) {
	t.Helper()
	return w.delegator(t).Exchange(t.Context(), w.token(nil), app, options...)
}

// may tells what a session with an inline policy may do, of which the role allows everything.
func may(t testing.TB, policy, action, resource string) bool {
	t.Helper()
	set := iampolicy.Set{
		Identity: []*iampolicy.Policy{must(iampolicy.Parse(policyWith(allowing("*", "*"))))},
		Session:  []*iampolicy.Policy{must(iampolicy.Parse(policy))},
	}
	decision, err := set.Decide(iampolicy.Request{
		Principal: iampolicy.Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/s"},
		Action:    action,
		Resource:  resource,
		Context: iampolicy.Context{
			"saml:sub":            {alice},
			"aws:SecureTransport": {"true"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return decision.Allowed()
}

// TestNarrowing_AloneBecomesThePolicy: where nothing was decided, what is asked for is sent as it
// is.
func TestNarrowing_AloneBecomesThePolicy(t *testing.T) {
	w := scopedWorld(t)
	for name, row := range map[string]struct {
		option delegation.ExchangeOption
		policy string
		arns   []string
	}{
		"a scope":          {delegation.WithScope("read"), readScope, nil},
		"a scope twice":    {delegation.WithScope("read", "read"), readScope, nil},
		"a managed scope":  {delegation.WithScope("managed"), "", []string{ownPolicyARN}},
		"a document":       {delegation.WithSessionPolicy(ownFolder), ownFolder, nil},
		"managed policies": {delegation.WithSessionPolicy("", readOnly), "", []string{readOnly}},
		"no name":          {delegation.WithScope(), "", nil},
		"a Request's scope": {
			delegation.WithRequest(delegation.Request{Scopes: []string{"tls"}}), tlsOnly, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := must(w.narrowed(t, row.option))
			in := w.last()
			var arns []string
			for _, p := range in.PolicyArns {
				arns = append(arns, *p.Arn)
			}
			if aws.ToString(in.Policy) != row.policy || !slices.Equal(arns, row.arns) {
				t.Errorf("sent %s and %s", aws.ToString(in.Policy), arns)
			}
			if want := row.policy+strings.Join(row.arns, "") != ""; got.Narrowed != want {
				t.Errorf("Narrowed is %v", got.Narrowed)
			}
		})
	}
}

// TestNarrowing_CombinesWithTheDecision: what target or rule decided on and what is asked for must
// both allow it, in whichever way they are combined.
func TestNarrowing_CombinesWithTheDecision(t *testing.T) {
	own := "arn:aws:s3:::photos/" + alice + "/x"
	const other = "arn:aws:s3:::photos/bob/x"
	read := delegation.WithScope("read")
	for name, row := range map[string]struct {
		policy  string
		options []delegation.ExchangeOption
		how     []delegation.Narrowing
		may     []string // of get and put, in the own folder and in another's
	}{
		"a scope": {ownFolder, []delegation.ExchangeOption{read},
			[]delegation.Narrowing{delegation.NarrowedDecision}, []string{"get own"}},
		"of two scopes any": {ownFolder,
			[]delegation.ExchangeOption{delegation.WithScope("read", "write")},
			[]delegation.Narrowing{delegation.NarrowedDecision}, []string{"get own", "put own"}},
		"of two options both": {ownFolder,
			[]delegation.ExchangeOption{read, delegation.WithScope("write")},
			[]delegation.Narrowing{delegation.NarrowedDecision, delegation.NarrowedDecision}, nil},
		"a scope and a document, alone": {"",
			[]delegation.ExchangeOption{read, delegation.WithSessionPolicy(ownFolder)},
			[]delegation.Narrowing{delegation.NarrowedAlone, delegation.NarrowedDecision},
			[]string{"get own"}},
		"a condition, the other way": {ownFolder,
			[]delegation.ExchangeOption{delegation.WithScope("tls")},
			[]delegation.Narrowing{delegation.NarrowedRequest}, []string{"get own", "put own"}},
		"the same": {readScope, []delegation.ExchangeOption{read},
			[]delegation.Narrowing{delegation.NarrowedSame}, []string{"get other", "get own"}},
		"a Request's scopes and the same option count once": {ownFolder,
			[]delegation.ExchangeOption{
				read,
				delegation.WithRequest(delegation.Request{Scopes: []string{"read"}}),
			},
			[]delegation.Narrowing{delegation.NarrowedDecision}, []string{"get own"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := scopedWorld(t)
			w.retarget(func(a *delegation.AWS) { a.Policy = row.policy })
			if _, err := w.narrowed(t, row.options...); err != nil {
				t.Fatal(err)
			}
			sent := aws.ToString(w.last().Policy)
			var got []string
			for action, name := range map[string]string{
				"get": "s3:GetObject",
				"put": "s3:PutObject",
			} {
				for whose, resource := range map[string]string{"own": own, "other": other} {
					if may(t, sent, name, resource) {
						got = append(got, action+" "+whose)
					}
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, row.may) {
				t.Errorf("%s lets them %q, want %q", sent, got, row.may)
			}
			if how := w.newest().Narrowing; !slices.Equal(how, row.how) {
				t.Errorf("it was narrowed by %q, want %q", how, row.how)
			}
		})
	}
}

// TestNarrowing_ManagedPoliciesGetDenials: what managed policies allow is not known, and is limited
// all the same.
func TestNarrowing_ManagedPoliciesGetDenials(t *testing.T) {
	w := scopedWorld(t)
	w.retarget(func(a *delegation.AWS) { a.PolicyARNs = []string{ownPolicyARN} })
	if _, err := w.narrowed(t, delegation.WithScope("read")); err != nil {
		t.Fatal(err)
	}
	in := w.last()
	const want = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Deny","NotAction":"s3:Get*","Resource":"*"}]}`
	if *in.Policy != want || len(in.PolicyArns) != 1 || *in.PolicyArns[0].Arn != ownPolicyARN {
		t.Errorf("sent %s and %v", *in.Policy, in.PolicyArns)
	}
}

// TestNarrowing_Refused: what cannot be narrowed exactly ends the exchange, and AWS is not called.
func TestNarrowing_Refused(t *testing.T) {
	long := policyWith(allowing("s3:GetObject", "arn:aws:s3:::"+strings.Repeat("a", 1200)))
	const elsewhere = "arn:aws:iam::222222222222:policy/x"
	const unknown = delegation.CodeScopeUnknown
	const scope = delegation.CodeScopeNotCombinable
	const invalid = delegation.CodeRequestedPolicyInvalid
	const requested = delegation.CodeRequestedPolicyNotCombinable
	given := delegation.WithSessionPolicy
	for name, row := range map[string]struct {
		own    delegation.AWS // with what is decided
		option delegation.ExchangeOption
		code   delegation.Code
	}{
		"an unknown scope":     {delegation.AWS{}, delegation.WithScope("read", "admin"), unknown},
		"a name in other case": {delegation.AWS{}, delegation.WithScope("Read"), unknown},
		"an empty name":        {delegation.AWS{}, delegation.WithScope(""), unknown},
		"a managed scope": {delegation.AWS{Policy: tlsOnly},
			delegation.WithScope("managed"), scope},
		"two conditions": {delegation.AWS{Policy: tlsOnly},
			delegation.WithScope("tls", "read"), scope},
		"nothing":   {delegation.AWS{}, given(""), invalid},
		"no JSON":   {delegation.AWS{}, given("x"), invalid},
		"no policy": {delegation.AWS{}, given("{}"), invalid},
		"a Principal": {delegation.AWS{},
			given(policyWith(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)),
			invalid},
		"too long": {delegation.AWS{},
			given(long + strings.Repeat(" ", 2048)), invalid},
		"no ARN":                {delegation.AWS{}, given("", "x"), invalid},
		"another account's ARN": {delegation.AWS{}, given("", elsewhere), invalid},
		"a variable that may be absent": {delegation.AWS{Policy: tlsOnly},
			given(policyWith(allowing("s3:*", "arn:aws:s3:::b/${aws:username}"))), requested},
		"a tag that may be dropped": {
			delegation.AWS{
				Policy:        tlsOnly,
				Tags:          map[string]string{"team": "red"},
				DroppableTags: []string{"team"},
			},
			given(policyWith(allowing("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team}"))),
			requested},
		"managed policies on both sides": {delegation.AWS{PolicyARNs: []string{ownPolicyARN}},
			given("", readOnly), requested},
		"too long together": {delegation.AWS{Policy: long},
			given(strings.Replace(long, "GetO", "PutO", 1)), requested},
	} {
		t.Run(name, func(t *testing.T) {
			w := scopedWorld(t)
			w.retarget(func(a *delegation.AWS) {
				a.Policy = row.own.Policy
				a.PolicyARNs = row.own.PolicyARNs
				a.Tags = row.own.Tags
				a.DroppableTags = row.own.DroppableTags
			})
			_, err := w.narrowed(t, row.option)
			e := wantError(t, err, delegation.StageDecision, row.code)
			w.wantNothingSent(t)
			for _, name := range []string{"managed", "arn:", "Condition"} {
				if strings.Contains(e.Public(), name) {
					t.Errorf("strangers see %s", e.Public())
				}
			}
			if len(w.newest().Narrowing) > 0 {
				t.Errorf("the event says that it was narrowed: %q", w.newest().Narrowing)
			}
		})
	}
}

// TestNarrowing_UnknownScopeNamesTheOthers: to the operator only.
func TestNarrowing_UnknownScopeNamesTheOthers(t *testing.T) {
	w := scopedWorld(t)
	_, err := w.narrowed(t, delegation.WithScope("a\"d\nmin"))
	e := wantError(t, err, delegation.StageDecision, delegation.CodeScopeUnknown)
	const want = `the target has no scope "a\"d\nmin": its scopes are ` +
		`"managed", "read", "tls", "write"`
	if e.Err.Error() != want || e.Public() != "the requested scope is unknown" {
		t.Errorf("%v, and to strangers %s", e.Err, e.Public())
	}
	if got := w.newest().Scopes; !slices.Equal(got, []string{`a"d\nmin`}) {
		t.Errorf("the event has %q", got)
	}
}

// TestNarrowing_EventSaysWhatWasAsked: of a refusal, too.
func TestNarrowing_EventSaysWhatWasAsked(t *testing.T) {
	w := scopedWorld(t)
	digest := sha256.Sum256([]byte(ownFolder))
	hash := hex.EncodeToString(digest[:])
	for _, document := range []string{ownFolder, "x"} {
		_, _ = w.narrowed(t, delegation.WithScope("read"), delegation.WithSessionPolicy(document))
		e := w.newest()
		if !slices.Equal(e.Scopes, []string{"read"}) || len(e.RequestedPolicySHA256) != 1 ||
			(e.RequestedPolicySHA256[0] == hash) != (document == ownFolder) {
			t.Errorf("%s: %q, %q", document, e.Scopes, e.RequestedPolicySHA256)
		}
	}
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprint(i, strings.Repeat("x", 200)))
	}
	_, _ = w.narrowed(t, delegation.WithScope(names...))
	if got := w.newest().Scopes; len(got) != 20 || len(got[0]) != 128 {
		t.Errorf("the event has %d scopes: %q", len(got), got[0])
	}
}

// TestNarrowing_RulesSeeAndRefuse: rules see all names, and cannot widen what they leave.
func TestNarrowing_RulesSeeAndRefuse(t *testing.T) {
	w := scopedWorld(t)
	var seen []string
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			seen = slices.Clone(rc.Request.Scopes)
			if slices.Contains(rc.Request.Scopes, "write") {
				return delegation.Deny("no writing")
			}
			for i := range rc.Request.Scopes {
				rc.Request.Scopes[i] = "tls"
			}
			rc.Request.Scopes = nil
			return nil
		},
		delegation.Must(delegation.SessionPolicyFromTemplate(
			policyWith(allowing("s3:*", "arn:aws:s3:::photos/{{team}}/*")))),
	}
	d := w.delegator(t)
	token := w.token(map[string]any{"team": "red"})
	options := []delegation.ExchangeOption{
		delegation.WithScope("read"),
		delegation.WithSessionPolicy(policyWith(allowing("s3:*", "*"))),
		delegation.WithRequest(delegation.Request{Scopes: []string{"tls"}}),
	}
	if _, err := d.Exchange(t.Context(), token, app, options...); err != nil {
		t.Fatal(err)
	}
	sent := *w.last().Policy
	if !slices.Equal(seen, []string{"read", "tls"}) ||
		may(t, sent, "s3:PutObject", "arn:aws:s3:::photos/red/x") ||
		may(t, sent, "s3:GetObject", "arn:aws:s3:::photos/blue/x") ||
		!may(t, sent, "s3:GetObject", "arn:aws:s3:::photos/red/x") {
		t.Errorf("rules saw %q, and %s was sent", seen, sent)
	}
	_, err := d.Exchange(t.Context(), token, app, delegation.WithScope("write"))
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if e.Public() != "no writing" {
		t.Errorf("got %v", e)
	}
}

// TestNarrowing_Combined: what the operator has combined counts next to the target's own policies
// only. Where a rule has set others, it is combined like any scope.
func TestNarrowing_Combined(t *testing.T) {
	w := newWorld(t)
	both := policyWith(`{"Effect":"Allow","Action":"s3:Get*","Resource":"*",` +
		`"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`)
	w.target(func(target *delegation.Target) {
		target.Policy = tlsOnly
		target.Scopes = map[string]delegation.Scope{
			"read":  {Policy: both, Combined: true},
			"plain": {Policy: readScope},
			"more":  {Policy: tlsOnly},
		}
	})
	if _, err := w.narrowed(t, delegation.WithScope("read")); err != nil {
		t.Fatal(err)
	}
	if got := *w.last().Policy; got != both ||
		!slices.Equal(w.newest().Narrowing, []delegation.Narrowing{delegation.NarrowedCombined}) {
		t.Errorf("sent %s, narrowed by %q", got, w.newest().Narrowing)
	}
	// Together with one that is not combined it is not.
	_, err := w.narrowed(t, delegation.WithScope("read", "more"))
	wantError(t, err, delegation.StageDecision, delegation.CodeScopeNotCombinable)
	// The second step does not find the target's own policy any more.
	_, err = w.narrowed(t, delegation.WithScope("plain"), delegation.WithScope("read"))
	wantError(t, err, delegation.StageDecision, delegation.CodeScopeNotCombinable)
	for name, change := range map[string]func(*delegation.AWS){
		"policy": func(a *delegation.AWS) { a.Policy += " " },
		"ARNs":   func(a *delegation.AWS) { a.PolicyARNs = []string{readOnly} },
	} {
		w.config.Rules = []delegation.RuleFunc{
			func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
				change(&rc.AWS)
				return nil
			},
		}
		_, err := w.narrowed(t, delegation.WithScope("read"))
		if !errors.Is(err, delegation.CodeScopeNotCombinable) {
			t.Errorf("a rule has changed the %s, and the combination is used: %v", name, err)
		}
	}
}

// TestNarrowing_CachesKeepThemApart: neither the cache of the process nor the shared one gives the
// credentials of a wider session to a narrowed exchange, or the other way round.
func TestNarrowing_CachesKeepThemApart(t *testing.T) {
	w := cachedWorld(t)
	w.target(func(target *delegation.Target) {
		target.Scopes = map[string]delegation.Scope{
			"read":  {Policy: readScope},
			"write": {Policy: writeScope},
		}
	})
	w.config.SharedCache = newSharedMemory()
	rows := []struct {
		name    string
		options []delegation.ExchangeOption
	}{
		{"wide", nil},
		{"read", []delegation.ExchangeOption{delegation.WithScope("read")}},
		{"write", []delegation.ExchangeOption{delegation.WithScope("write")}},
		{"policy", []delegation.ExchangeOption{delegation.WithSessionPolicy(ownFolder)}},
	}
	ids := map[string]string{}
	for range 2 { // the second one finds all in the shared cache
		d := w.delegator(t)
		for range 2 {
			for _, row := range rows {
				got, err := d.Exchange(t.Context(), w.token(nil), app, row.options...)
				if err != nil {
					t.Fatal(err)
				}
				if before, has := ids[row.name]; has && before != got.AccessKeyID {
					t.Errorf("%s: got %s, then %s", row.name, before, got.AccessKeyID)
				}
				ids[row.name] = got.AccessKeyID
				if got.Narrowed != (row.name != "wide") {
					t.Errorf("%s: Narrowed is %v", row.name, got.Narrowed)
				}
			}
		}
	}
	different := map[string]bool{}
	for _, id := range ids {
		different[id] = true
	}
	const each = "miss miss miss miss hit hit hit hit " +
		"shared shared shared shared hit hit hit hit"
	if got := strings.Trim(fmt.Sprint(w.outcomes()), "[]"); len(different) != 4 || got != each {
		t.Errorf("the credentials are %v, by %s", ids, got)
	}
}

// TestNarrowing_DroppedTagsKeepIt: a second response with fewer tags has the same policy.
func TestNarrowing_DroppedTagsKeepIt(t *testing.T) {
	w, fake := strictWorld(t)
	w.target(func(target *delegation.Target) {
		target.Tags = map[string]string{"team": "red"}
		target.DroppableTags = []string{"team"}
		target.Policy = ownFolder
		target.Scopes = map[string]delegation.Scope{"read": {Policy: readScope}}
	})
	sent := capture(w)
	fake.Script(ststest.Refuse(400, "PackedPolicyTooLarge", "Packed size of session tags consumes "+
		"101% of allotted space."))
	if _, err := w.narrowed(t, delegation.WithScope("read")); err != nil {
		t.Fatal(err)
	}
	if len(sent.sent) != 2 || *sent.sent[0].Policy != *sent.sent[1].Policy ||
		may(t, *sent.sent[1].Policy, "s3:PutObject", "arn:aws:s3:::photos/"+alice+"/x") {
		t.Errorf("%d calls", len(sent.sent))
	}
}

// TestNarrowing_InAChain: it is the last role that is narrowed. There is no ${saml:sub} any more.
func TestNarrowing_InAChain(t *testing.T) {
	w, fake := chainWorld(t)
	w.target(func(target *delegation.Target) {
		target.Policy = tlsOnly
		target.Scopes = map[string]delegation.Scope{
			"read": {Policy: readScope},
			"own":  {Policy: ownFolder},
			"team": {Policy: policyWith(allowing("*", "arn:aws:s3:::b/${aws:PrincipalTag/team}"))},
		}
	})
	d := w.delegator(t)
	for _, scope := range []string{"read", "team"} {
		_, err := d.Exchange(t.Context(), w.token(aliceClaims), app, delegation.WithScope(scope))
		if err != nil {
			t.Fatal(err)
		}
		hops := fake.asked()
		last := hops[len(hops)-1].in
		first := hops[len(hops)-2].in
		if *last.RoleArn != lastRole || first.Policy != nil || w.last().Policy != nil ||
			may(t, *last.Policy, "s3:PutObject", "arn:aws:s3:::b/x") {
			t.Errorf("%s: %v", scope, last)
		}
	}
	_, err := d.Exchange(t.Context(), w.token(aliceClaims), app, delegation.WithScope("own"))
	wantError(t, err, delegation.StageDecision, delegation.CodeScopeNotCombinable)
}

// TestNarrowing_NewRefusesScopes: each one that could never be used is named.
func TestNarrowing_NewRefusesScopes(t *testing.T) {
	long := strings.Repeat("a", 129)
	for name, row := range map[string]struct {
		scope string
		delegation.Scope
	}{
		"no name":          {"", delegation.Scope{Policy: readScope}},
		"a space":          {"a b", delegation.Scope{Policy: readScope}},
		"a quotation mark": {`a"b`, delegation.Scope{Policy: readScope}},
		"a backslash":      {`a\b`, delegation.Scope{Policy: readScope}},
		"another alphabet": {"ä", delegation.Scope{Policy: readScope}},
		"a long name":      {long, delegation.Scope{Policy: readScope}},
		"nothing":          {"read", delegation.Scope{}},
		"Combined alone":   {"read", delegation.Scope{Combined: true}},
		"no JSON":          {"read", delegation.Scope{Policy: "x"}},
		"no policy":        {"read", delegation.Scope{Policy: "{}"}},
		"a long policy": {"read",
			delegation.Scope{Policy: readScope + strings.Repeat(" ", 2048)}},
		"no ARN": {"read", delegation.Scope{PolicyARNs: []string{"x"}}},
		"an odd character": {"read",
			delegation.Scope{Policy: strings.Replace(readScope, "*", "€", 1)}},
		"eleven ARNs": {"read",
			delegation.Scope{PolicyARNs: slices.Repeat([]string{readOnly}, 11)}},
		"an unknown element": {"read",
			delegation.Scope{Policy: strings.Replace(readScope, "Action", "Actions", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.target(func(target *delegation.Target) {
				target.Scopes = map[string]delegation.Scope{row.scope: row.Scope}
			})
			_, err := delegation.New(t.Context(), w.config)
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if want := fmt.Sprintf("Scopes[%q]: ", row.scope); !strings.Contains(e.Error(), want) {
				t.Errorf("%v does not name %s", e, want)
			}
		})
	}
}

// TestNarrowing_ScopesAreCopied: a change after New has no effect.
func TestNarrowing_ScopesAreCopied(t *testing.T) {
	w := scopedWorld(t)
	d := w.delegator(t)
	scopes := w.config.Targets.(delegation.Targets)[app].Scopes
	scopes["managed"].PolicyARNs[0] = readOnly
	scopes["read"] = delegation.Scope{Policy: writeScope}
	names := []string{"read"}
	option := delegation.WithScope(names...)
	names[0] = "tls"
	for _, option := range []delegation.ExchangeOption{option, delegation.WithScope("managed")} {
		if _, err := d.Exchange(t.Context(), w.token(nil), app, option); err != nil {
			t.Fatal(err)
		}
	}
	first := w.sent[0]
	second := w.sent[1]
	if *first.Policy != readScope || *second.PolicyArns[0].Arn != ownPolicyARN {
		t.Errorf("sent %s and %s", *first.Policy, *second.PolicyArns[0].Arn)
	}
}

// TestNarrowing_Explained: Explain shows the policy that an exchange sends, and how it came about.
func TestNarrowing_Explained(t *testing.T) {
	w := scopedWorld(t)
	w.retarget(func(a *delegation.AWS) { a.Policy = ownFolder })
	d := w.delegator(t)
	scope := delegation.WithScope("read")
	e := must(d.Explain(t.Context(), w.token(nil), app, scope))
	must(d.Exchange(t.Context(), w.token(nil), app, scope))
	if e.Policy != *w.last().Policy || !slices.Equal(e.Scopes, []string{"read"}) ||
		!slices.Equal(e.Narrowing, []delegation.Narrowing{delegation.NarrowedDecision}) {
		t.Errorf("explained %+v", e)
	}
	e, err := d.Explain(t.Context(), w.token(nil), app, delegation.WithScope("admin"))
	wantError(t, err, delegation.StageDecision, delegation.CodeScopeUnknown)
	if !slices.Equal(e.Scopes, []string{"admin"}) || e.Policy != "" {
		t.Errorf("explained %+v", e)
	}
}
