package delegation_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	otherAccount   = "210987654321"
	otherReader    = "arn:aws:iam::210987654321:role/team/reader"
	otherPrincipal = "arn:aws:iam::210987654321:saml-provider/delegation"
)

// rolesOf are the ARNs of a list.
func rolesOf(options []delegation.RoleOption) (list []string) {
	for _, o := range options {
		list = append(list, o.Role)
	}
	return list
}

// wantRoles checks the list that a token gets.
func wantRoles(t *testing.T, d *delegation.Delegator, token string, want ...string) {
	t.Helper()
	options, err := d.Roles(t.Context(), token, app)
	if err != nil || !slices.Equal(rolesOf(options), want) {
		t.Errorf("got %v, %v, want %v", rolesOf(options), err, want)
	}
}

// wantRole checks the role of an exchange. Empty: it is refused with the code.
func wantRole(
	t *testing.T, d *delegation.Delegator, token, ask, want string, code delegation.Code,
) {
	t.Helper()
	credentials, err := d.Exchange(t.Context(), token, app, delegation.WithRole(ask))
	if want == "" {
		wantError(t, err, delegation.ErrorOf(code, nil).Stage, code)
		return
	}
	name := want[strings.LastIndexByte(want, '/')+1:]
	if err != nil || !strings.Contains(credentials.AssumedRoleARN, ":assumed-role/"+name+"/") ||
		!strings.Contains(want, credentials.AccountID) {
		t.Errorf("asked for %q: got %v, %v, want %s", ask, credentials, err, want)
	}
}

func TestRoles_OfAList(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Role = reader
		target.Roles = []delegation.RoleChoice{
			{Role: admin, Label: "Administrator", Account: "Production"},
			{Role: reader},
			{Role: otherReader, Principal: otherPrincipal},
		}
	})
	d := w.delegator(t)
	token := w.token(nil)
	got, err := d.Roles(t.Context(), token, app)
	want := []delegation.RoleOption{
		{
			Role: admin, Principal: principal, Label: "Administrator", AccountID: account,
			Account: "Production", Why: "the target's list",
		},
		{
			Role: reader, Principal: principal, Label: "reader", AccountID: account,
			Why: "the target's list", Default: true,
		},
		{
			Role: otherReader, Principal: otherPrincipal, Label: "reader",
			AccountID: otherAccount, Why: "the target's list",
		},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, asked := range rolesOf(want) {
		wantRole(t, d, token, asked, asked, "")
	}
	if sent := w.last(); *sent.RoleArn != otherReader || *sent.PrincipalArn != otherPrincipal {
		t.Errorf("AWS was asked for %s of %s", *sent.RoleArn, *sent.PrincipalArn)
	}
	wantRole(t, d, token, "", reader, "")
	for _, asked := range []string{role, admin + "2", "admin", " " + admin, "*", "\x00",
		strings.ToUpper(admin), strings.Repeat("a", 1<<20)} {
		wantRole(t, d, token, asked, "", delegation.CodeRoleNotOffered)
	}
}

// TestRoles_Unchosen: without a role that is asked for, there is the default, the only one, or a
// refusal that names what can be asked for.
func TestRoles_Unchosen(t *testing.T) {
	w := newWorld(t)
	set := func(own string, roles ...string) *delegation.Delegator {
		w.target(func(target *delegation.Target) {
			target.Role = own
			target.Roles = nil
			for _, role := range roles {
				target.Roles = append(target.Roles, delegation.RoleChoice{Role: role})
			}
		})
		return w.delegator(t)
	}
	token := w.token(nil)
	wantRole(t, set("", admin), token, "", admin, "")
	wantRole(t, set(admin, admin), token, "", admin, "")
	wantRole(t, set(reader, admin, reader), token, "", reader, "")
	d := set("", admin, reader)
	_, err := d.Exchange(t.Context(), token, app)
	e := wantError(t, err, delegation.StageTarget, delegation.CodeRoleRequired)
	if !strings.Contains(e.Error(), admin) || !strings.Contains(e.Error(), reader) {
		t.Errorf("%v does not say what can be asked for", e)
	}
	wantRoles(t, d, token, admin, reader)
}

// TestRoles_TokenIsNotUsedUp: neither a list nor the refusal of a role counts as the use of a
// token.
func TestRoles_TokenIsNotUsedUp(t *testing.T) {
	w := newWorld(t)
	w.config.Replay = delegation.ReplayMemory(100)
	w.target(func(target *delegation.Target) {
		target.Role = ""
		target.Roles = []delegation.RoleChoice{{Role: admin}, {Role: reader}}
	})
	d := w.delegator(t)
	token := w.token(nil)
	wantRoles(t, d, token, admin, reader)
	wantRole(t, d, token, "", "", delegation.CodeRoleRequired)
	wantRole(t, d, token, role, "", delegation.CodeRoleNotOffered)
	wantRole(t, d, token, admin, admin, "")
	wantRole(t, d, token, admin, "", delegation.CodeTokenReplayed)
}

// TestRoles_RuleChoosesAnother: nobody gets another role than the one that was asked for.
func TestRoles_RuleChoosesAnother(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Role = reader
		target.Roles = []delegation.RoleChoice{{Role: admin}, {Role: reader}}
	})
	to := ""
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			if to != "" {
				rc.AWS.Role = to
			}
			return nil
		},
	}
	d := w.delegator(t)
	token := w.token(nil)
	for _, row := range []struct {
		to, ask, want string
		list          []string
	}{
		{to: reader, ask: admin, list: []string{reader}},
		{to: reader, ask: reader, want: reader, list: []string{reader}},
		{to: admin, ask: "", list: []string{admin}},
		{to: role, ask: ""},
		{to: role, ask: admin},
		{to: role, ask: role},
	} {
		to = row.to
		code := delegation.CodeRoleDiffers
		if row.ask == role {
			code = delegation.CodeRoleNotOffered
		}
		wantRole(t, d, token, row.ask, row.want, code)
		if row.list != nil {
			wantRoles(t, d, token, row.list...)
			continue
		}
		_, err := d.Roles(t.Context(), token, app)
		wantError(t, err, delegation.StageDecision, delegation.CodeRoleDiffers)
	}
}

// TestWithRole_TargetOffersNone: at any other target, the role that is asked for is the one that is
// decided, or there are no credentials.
func TestWithRole_TargetOffersNone(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	token := w.token(nil)
	wantRole(t, d, token, role, role, "")
	wantRole(t, d, token, "", role, "")
	wantRole(t, d, token, admin, "", delegation.CodeRoleDiffers)
	got, err := d.Roles(t.Context(), token, app)
	if err != nil || len(got) != 1 || got[0] != (delegation.RoleOption{
		Role: role, Principal: principal, Label: "photo-user", AccountID: account,
		Why: "the target's role", Default: true,
	}) {
		t.Errorf("got %+v, %v", got, err)
	}
	w.config.Rules = []delegation.RuleFunc{delegation.Must(delegation.RoleByClaim("sub",
		delegation.RoleMatch{Pattern: ".*", Role: admin}))}
	d = w.delegator(t)
	got, err = d.Roles(t.Context(), token, app)
	if err != nil || len(got) != 1 || got[0].Role != admin || got[0].Why !=
		"the rule delegation.RoleByClaim" {
		t.Errorf("got %+v, %v", got, err)
	}
	wantRole(t, d, token, role, "", delegation.CodeRoleDiffers)
	wantRole(t, d, token, admin, admin, "")
}

// TestWithRole_Chain: of a chain, the role that is asked for is the one whose credentials are
// handed out.
func TestWithRole_Chain(t *testing.T) {
	w, _ := chainWorld(t)
	d := w.delegator(t)
	token := w.token(aliceClaims)
	_, err := d.Exchange(t.Context(), token, app, delegation.WithRole(lastRole))
	if err != nil {
		t.Error(err)
	}
	_, err = d.Exchange(t.Context(), token, app, delegation.WithRole(role))
	wantError(t, err, delegation.StageDecision, delegation.CodeRoleDiffers)
	wantRoles(t, d, token, lastRole)
}

func TestRoles_FromClaim(t *testing.T) {
	pair := admin + "," + principal
	for _, row := range []struct {
		name  string
		claim any
		from  delegation.RolesFromClaim
		want  []string // each as role principal
		why   string   // of the first
	}{
		{
			name:  "ARNs, of which the target's principal fits one",
			claim: []any{admin, otherReader},
			want:  []string{admin + " " + principal},
			why:   `the claim roles: "` + admin + `"`,
		},
		{
			name:  "one text",
			claim: admin,
			want:  []string{admin + " " + principal},
		},
		{
			name: "pairs in both orders, with blanks",
			claim: []any{pair, principal + ", " + reader, " " + otherReader + " ,\t" +
				otherPrincipal + " "},
			want: []string{admin + " " + principal, reader + " " + principal,
				otherReader + " " + otherPrincipal},
		},
		{
			name:  "a template for principals",
			claim: []any{admin, otherReader},
			from:  delegation.RolesFromClaim{Principal: "arn:aws:iam::{account}:saml-provider/p"},
			want: []string{admin + " arn:aws:iam::123456789012:saml-provider/p",
				otherReader + " arn:aws:iam::210987654321:saml-provider/p"},
		},
		{
			name:  "a pair wins over the template",
			claim: []any{pair},
			from:  delegation.RolesFromClaim{Principal: "arn:aws:iam::{account}:saml-provider/p"},
			want:  []string{admin + " " + principal},
		},
		{
			name:  "the first of a role counts",
			claim: []any{admin, pair, admin + "," + principal + "2"},
			want:  []string{admin + " " + principal},
		},
		{
			name: "what is no role, and principals of other accounts",
			claim: []any{"", ",", "admin", principal, principal + "," + principal,
				admin + "," + reader, admin + "," + otherPrincipal, pair + "," + principal,
				admin + ",x/", "*", "arn:aws:iam::123456789012:role/*", 1, true, reader},
			want: []string{reader + " " + principal},
		},
		{
			name:  "a role's name with commas",
			claim: []any{"arn:aws:iam::123456789012:role/a,b," + principal},
			want:  []string{"arn:aws:iam::123456789012:role/a,b " + principal},
		},
		{
			name: "a role that is not allowed",
			claim: []any{"arn:aws:iam::999999999999:role/x," +
				"arn:aws:iam::999999999999:saml-provider/p"},
		},
		{name: "an object", claim: map[string]any{"0": admin}},
		{name: "an object among them", claim: []any{admin, map[string]any{}}},
		{name: "null", claim: nil},
		{name: "an empty list", claim: []any{}},
		{
			name:  "names",
			claim: []any{"devs", "nobody", admin},
			from: delegation.RolesFromClaim{Names: []delegation.NamedRole{
				{Name: "ops", RoleChoice: delegation.RoleChoice{Role: admin}},
				{Name: "devs", RoleChoice: delegation.RoleChoice{
					Role: otherReader, Principal: otherPrincipal,
				}},
				{Name: "devs", RoleChoice: delegation.RoleChoice{Role: reader}},
			}},
			want: []string{otherReader + " " + otherPrincipal, reader + " " + principal},
			why:  `the claim roles: "devs"`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.target(func(target *delegation.Target) {
				row.from.Claim = "roles"
				target.Role = ""
				target.RolesFromClaim = &row.from
				target.AllowedAccounts = []string{account, otherAccount}
			})
			d := w.delegator(t)
			token := w.token(map[string]any{"roles": row.claim})
			options, err := d.Roles(t.Context(), token, app)
			var got []string
			for _, o := range options {
				got = append(got, o.Role+" "+o.Principal)
			}
			if err != nil || !slices.Equal(got, row.want) {
				t.Fatalf("got %q, %v, want %q", got, err, row.want)
			}
			if row.why != "" && options[0].Why != row.why {
				t.Errorf("got the reason %s", options[0].Why)
			}
			if len(row.want) == 0 {
				if options == nil {
					t.Error("an empty list is not nil")
				}
				wantRole(t, d, token, "", "", delegation.CodeRoleNotOffered)
			}
			for _, o := range options {
				wantRole(t, d, token, o.Role, o.Role, "")
			}
		})
	}
}

// TestRoles_FromClaim_Texts: labels and names of accounts are the configuration's.
func TestRoles_FromClaim_Texts(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.RolesFromClaim = &delegation.RolesFromClaim{
			Claim:    "realm.roles",
			Labels:   map[string]string{admin: "Administrator"},
			Accounts: map[string]string{account: "Production"},
		}
		target.AllowedRoles = []string{"arn:aws:iam::123456789012:role/*"}
	})
	d := w.delegator(t)
	got, err := d.Roles(t.Context(), w.token(map[string]any{
		"realm": map[string]any{"roles": []any{admin, role}},
	}), app)
	if err != nil || len(got) != 2 || got[0].Label != "Administrator" ||
		got[0].Account != "Production" || got[1].Label != "photo-user" || !got[1].Default {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestRoles_FromClaim_NamesWithoutRows: a table that has lost its rows offers nothing. It does not
// let users choose by ARN, as no table does.
func TestRoles_FromClaim_NamesWithoutRows(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.RolesFromClaim = &delegation.RolesFromClaim{
			Claim: "groups",
			Names: []delegation.NamedRole{},
		}
		target.AllowedAccounts = []string{account}
	})
	d := w.delegator(t)
	token := w.token(map[string]any{"groups": []any{admin, role}})
	wantRoles(t, d, token)
	wantRole(t, d, token, admin, "", delegation.CodeRoleNotOffered)
	wantRole(t, d, token, "", "", delegation.CodeRoleNotOffered)
}

// TestRoles_FromClaim_OnlyTheTokens: a profile and a rule cannot add roles, and a claim that
// differs by case cannot either.
func TestRoles_FromClaim_OnlyTheTokens(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
		target.AllowedAccounts = []string{account}
	})
	calls := 0
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		calls++
		return map[string]any{"roles": []any{admin}}, nil
	}
	d := w.delegator(t)
	wantRoles(t, d, w.token(nil))
	wantRole(t, d, w.token(nil), admin, "", delegation.CodeRoleNotOffered)
	if calls != 0 {
		t.Errorf("the profile loader was asked %d times for nothing", calls)
	}
	wantRoles(t, d, w.token(map[string]any{"roles": []any{reader, role}}), reader, role)
	if calls != 1 {
		t.Errorf("the profile loader was asked %d times for one list", calls)
	}
	folded := w.token(map[string]any{"Roles": []any{admin}})
	_, err := d.Roles(t.Context(), folded, app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenFoldedName)
	wantRole(t, d, folded, admin, "", delegation.CodeTokenFoldedName)
}

// TestRoles_TooMany: a list is never cut.
func TestRoles_TooMany(t *testing.T) {
	w := newWorld(t)
	w.config.MaxTokenSize = 1 << 20
	w.target(func(target *delegation.Target) {
		target.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
		target.AllowedAccounts = []string{account}
	})
	d := w.delegator(t)
	of := func(n int) string {
		var roles []any
		for i := range n {
			roles = append(roles, fmt.Sprintf("arn:aws:iam::123456789012:role/r%03d", i))
		}
		return w.token(map[string]any{"roles": roles})
	}
	options, err := d.Roles(t.Context(), of(500), app)
	if err != nil || len(options) != 500 {
		t.Errorf("got %d, %v", len(options), err)
	}
	_, err = d.Roles(t.Context(), of(501), app)
	wantError(t, err, delegation.StageTarget, delegation.CodeRolesTooMany)
}

// TestRoles_Refusals: a role that a rule refuses is left out; if all are refused, the list has
// their error, and what may be over soon ends it.
func TestRoles_Refusals(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Role = reader
		target.Roles = []delegation.RoleChoice{{Role: admin}, {Role: reader}, {Role: role}}
	})
	w.config.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
	errs := map[string]error{}
	var asked []string
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
			if user.Properties["touched"] != nil || rc.Request.Role != "" &&
				rc.Request.Role != rc.AWS.Role {
				t.Errorf("a rule sees %v, and %s of %s", user, rc.AWS.Role, rc.Request.Role)
			}
			user.Set("touched", true)
			asked = append(asked, rc.Request.Role)
			return errs[rc.AWS.Role]
		},
	}
	d := w.delegator(t)
	token := w.token(nil)

	errs[admin] = delegation.Deny("admins sign in elsewhere")
	wantRoles(t, d, token, reader, role)
	if want := []string{admin, reader, role, ""}; !slices.Equal(asked, want) {
		t.Errorf("rules ran for %q", asked)
	}
	errs[reader] = fmt.Errorf("a rule that does not work")
	wantRoles(t, d, token, role)
	if !strings.Contains(w.logs.String(), "role left out of a list") {
		t.Errorf("the log does not say what was left out: %s", w.logs)
	}
	errs[role] = delegation.CodeRuleContextMissing
	_, err := d.Roles(t.Context(), token, app)
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if e.Public() != "admins sign in elsewhere" {
		t.Errorf("got %s", e.Public())
	}
	errs = map[string]error{role: delegation.CodeRuleContextMissing}
	ctx, cancel := context.WithCancel(t.Context())
	w.config.Rules = append(w.config.Rules,
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			if rc.AWS.Role == reader { // the list has admin already, and is not cut short
				cancel()
			}
			return nil
		})
	_, err = w.delegator(t).Roles(ctx, token, app)
	wantError(t, err, delegation.StageRules, delegation.CodeCanceled)

	// So does a time-out.
	w.config.RuleTimeout = time.Millisecond
	w.config.Rules = []delegation.RuleFunc{
		func(ctx context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			if rc.AWS.Role != reader {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}
	_, err = w.delegator(t).Roles(t.Context(), token, app)
	wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
}

// TestRoles_Event: a list has an event of its own kind, and an exchange says what was asked for.
func TestRoles_Event(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Roles = []delegation.RoleChoice{{Role: admin}, {Role: role}}
	})
	d := w.delegator(t)
	token := w.token(nil)
	wantRoles(t, d, token, admin, role)
	e := w.events[0]
	if len(w.events) != 1 || e.Outcome != delegation.OutcomeListed || e.Endpoint != "roles" ||
		!slices.Equal(e.ListedRoles, []string{admin, role}) || e.Subject != alice ||
		e.AccessKeyID != "" || e.Role != "" || e.Err != nil {
		t.Errorf("got %d events, %+v", len(w.events), e)
	}
	_, err := d.Exchange(t.Context(), token, app, delegation.WithRole(reader),
		delegation.WithRequest(delegation.Request{Endpoint: "an-endpoint", Role: "another"}))
	wantError(t, err, delegation.StageTarget, delegation.CodeRoleNotOffered)
	e = w.events[1]
	if e.RequestedRole != reader || e.Endpoint != "an-endpoint" ||
		e.Outcome != delegation.OutcomeDenied {
		t.Errorf("got %+v", e)
	}
	_, err = d.Roles(t.Context(), "x", app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenMalformed)
	e = w.events[2]
	if e.Outcome != delegation.OutcomeDenied || e.Endpoint != "roles" || e.ListedRoles != nil {
		t.Errorf("got %+v", e)
	}
}

func TestRoles_Arguments(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	var none *delegation.Delegator
	var noContext context.Context
	for _, err := range []error{
		second(none.Roles(t.Context(), "", app)),
		second(new(delegation.Delegator).Roles(t.Context(), "", app)),
		second(d.Roles(noContext, "", app)),
	} {
		wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	}
	_, err := d.Roles(t.Context(), w.token(nil), "elsewhere", nil)
	wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Roles(ctx, w.token(nil), app)
	wantError(t, err, delegation.StageTarget, delegation.CodeCanceled)
}

func second[T any](_ T, err error) error { return err }

// TestRoles_RefusedByNew: everything that New refuses in what a target offers, and in its limits.
func TestRoles_RefusedByNew(t *testing.T) {
	limited := []string{account, otherAccount}
	names := func(rows ...delegation.NamedRole) *delegation.RolesFromClaim {
		return &delegation.RolesFromClaim{Claim: "groups", Names: rows}
	}
	row := func(name, role, principal string) delegation.NamedRole {
		return delegation.NamedRole{
			Name:       name,
			RoleChoice: delegation.RoleChoice{Role: role, Principal: principal},
		}
	}
	for _, test := range []struct {
		name   string
		change func(*delegation.Target)
		want   string // empty: it is accepted
	}{
		{"a list with the default", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin}}
		}, ""},
		{"a default that is not listed", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: admin}}
		}, "must be one of Target.Roles"},
		{"no role", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {}}
		}, "Roles[1]: Role: the role is empty"},
		{"a pattern is no role", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin + "*"}}
		}, "Roles[1]: Role: "},
		{"a role twice", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: role}}
		}, "Roles[1]: " + role + " is listed twice"},
		{"a role of another account without a principal", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: otherReader}}
		}, "Roles[1]: Principal: it is not set, and the target's is not in the account " +
			"210987654321"},
		{"a role with another account's principal", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{
				{Role: role},
				{Role: admin, Principal: otherPrincipal},
			}
		}, "Roles[1]: the role " + admin + " and the SAML provider " + otherPrincipal},
		{"what is no principal", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin, Principal: admin}}
		}, "Roles[1]: Principal: "},
		{"a role that is not allowed", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin}}
			a.AllowedRoles = []string{role}
		}, "Roles[1]: Role: " + admin + " is not allowed"},
		{"a role of an account that is not allowed", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}}
			a.AllowedAccounts = []string{otherAccount}
		}, "Roles[0]: Role: " + role + " is not allowed"},
		{"500 roles", func(a *delegation.Target) { a.Roles = manyRoles(500) }, ""},
		{"501 roles", func(a *delegation.Target) { a.Roles = manyRoles(501) },
			"Roles has 501 roles, and at most 500"},
		{"a list and a claim", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}}
			a.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
			a.AllowedAccounts = limited
		}, "RolesFromClaim: it is set together with Target.Roles"},
		{"a chain", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}}
			a.SourceIdentity = "alice"
			a.Chain = []delegation.ChainedRole{{RoleARN: otherReader}}
		}, "Chain cannot be set where users choose the role"},
		{"a mapping of Role", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}}
			a.Mappings = delegation.Mappings{delegation.AttributeRole: "roles"}
		}, "AWS.Mappings has the attribute Role"},
		{"the mapping of Role that Auth0 writes", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}}
			a.Mappings = delegation.Mappings{delegation.AttributeRole: "awsrole"}
		}, ""},
		{"another principal than is encrypted for", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{
				{Role: role},
				{Role: admin, Principal: principal + "2"},
			}
			a.EncryptionKey = "x"
		}, "Roles[1]: Principal: the target encrypts for " + principal + " alone"},

		{"a claim without a limit", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
		}, "RolesFromClaim needs a limit"},
		{"names without a limit", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("devs", admin, ""))
		}, "RolesFromClaim needs a limit"},
		{"a claim with allowed roles", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
			a.AllowedRoles = []string{admin}
		}, ""},
		{"no claim", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{}
			a.AllowedAccounts = limited
		}, "RolesFromClaim: Claim is empty"},
		{"a principal for each account", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{
				Claim:     "roles",
				Principal: "arn:aws:iam::{account}:saml-provider/p",
			}
			a.AllowedAccounts = limited
		}, ""},
		{"a principal that is none", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{
				Claim:     "roles",
				Principal: "arn:aws:iam::{Account}:saml-provider/p",
			}
			a.AllowedAccounts = limited
		}, "RolesFromClaim: Principal: "},
		{"rows of one name", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("a", admin, ""), row("a", role, ""), row("b", role, ""))
			a.AllowedAccounts = limited
		}, ""},
		{"a row twice", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("a", admin, ""), row("a", admin, ""))
			a.AllowedAccounts = limited
		}, `RolesFromClaim: Names[1]: "a" has the role ` + admin + " twice"},
		{"a row without a name", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("", admin, ""))
			a.AllowedAccounts = limited
		}, "RolesFromClaim: Names[0]: Name is empty"},
		{"a row of another account", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("a", otherReader, ""))
			a.AllowedAccounts = limited
		}, "RolesFromClaim: Names[0]: Principal: it is not set"},
		{"a row that is not allowed", func(a *delegation.Target) {
			a.RolesFromClaim = names(row("a", admin, ""))
			a.AllowedRoles = []string{role}
		}, "RolesFromClaim: Names[0]: Role: " + admin + " is not allowed"},
		{"a label of no role", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{
				Claim:  "roles",
				Labels: map[string]string{"admin": "Administrator"},
			}
			a.AllowedAccounts = limited
		}, `RolesFromClaim: Labels: "admin" is not the ARN of a role`},
		{"a name of no account", func(a *delegation.Target) {
			a.RolesFromClaim = &delegation.RolesFromClaim{
				Claim:    "roles",
				Accounts: map[string]string{"12345": "Production"},
			}
			a.AllowedAccounts = limited
		}, `RolesFromClaim: Accounts: "12345" is not the ID of an account`},

		{"what is no account", func(a *delegation.Target) {
			a.AllowedAccounts = []string{account, "12345678901*"}
		}, `AllowedAccounts[1]: "12345678901*" is not the ID of an account`},
		{"an account too many digits", func(a *delegation.Target) {
			a.AllowedAccounts = []string{account + "0"}
		}, "AllowedAccounts[0]"},
		{"a pattern", func(a *delegation.Target) {
			a.AllowedRoles = []string{"arn:aws:iam::123456789012:role/*"}
		}, ""},
		{"a pattern of anything", func(a *delegation.Target) { a.AllowedRoles = []string{"*"} },
			`AllowedRoles[0]: "*" is not the ARN of a role with wildcards`},
		{"a pattern of any account", func(a *delegation.Target) {
			a.AllowedRoles = []string{role, "arn:aws:iam::*:role/photo-user"}
		}, "AllowedRoles[1]: \"arn:aws:iam::*:role/photo-user\" is for any account"},
		{"a pattern of listed accounts", func(a *delegation.Target) {
			a.AllowedRoles = []string{"arn:aws:iam::*:role/photo-user"}
			a.AllowedAccounts = limited
		}, ""},
		{"a pattern of every role in listed accounts", func(a *delegation.Target) {
			a.AllowedRoles = []string{"arn:aws:iam::*:role/*"}
			a.AllowedAccounts = limited
		}, `AllowedRoles[0]: "arn:aws:iam::*:role/*" allows every role`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.target(test.change)
			_, err := delegation.New(t.Context(), w.config)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(e.Error(), test.want) {
				t.Errorf("got %v, want %s", e, test.want)
			}
		})
	}
}

// manyRoles is a list of n roles, the first of which is the target's own.
func manyRoles(n int) []delegation.RoleChoice {
	list := []delegation.RoleChoice{{Role: role}}
	for i := range n - 1 {
		list = append(list, delegation.RoleChoice{
			Role: fmt.Sprintf("arn:aws:iam::123456789012:role/r%03d", i),
		})
	}
	return list
}

// TestAllowedAccounts: a rule and a mapping cannot choose a role of another account either.
func TestAllowedAccounts(t *testing.T) {
	for _, test := range []struct {
		accounts, roles []string
		code            delegation.Code
	}{
		{[]string{otherAccount}, nil, delegation.CodeRoleNotAllowed},
		{[]string{account}, nil, ""},
		{[]string{account}, []string{"arn:aws:iam::123456789012:role/ad*"}, ""},
		{[]string{account}, []string{"arn:aws:iam::*:role/adm*"}, ""},
		{[]string{account}, []string{"arn:aws:iam::123456789012:role/ad"},
			delegation.CodeRoleNotAllowed},
		{[]string{otherAccount}, []string{admin}, delegation.CodeRoleNotAllowed},
		{nil, []string{"arn:aws:iam::123456789012:role/team/*"}, delegation.CodeRoleNotAllowed},
	} {
		w := newWorld(t)
		w.target(func(target *delegation.Target) {
			target.AllowedAccounts = test.accounts
			target.AllowedRoles = test.roles
		})
		w.config.Rules = []delegation.RuleFunc{delegation.Must(delegation.RoleByClaim("sub",
			delegation.RoleMatch{Pattern: ".*", Role: admin}))}
		_, err := w.exchange(t, nil)
		if test.code == "" {
			if err != nil {
				t.Errorf("%v, %v: %v", test.accounts, test.roles, err)
			}
			continue
		}
		wantError(t, err, delegation.StageDecision, test.code)
	}
}

// TestRoles_AreCopied: later changes of the caller's lists have no effect.
func TestRoles_AreCopied(t *testing.T) {
	w := newWorld(t)
	list := []delegation.RoleChoice{{Role: role}, {Role: reader}}
	accounts := []string{account}
	w.target(func(target *delegation.Target) {
		target.Roles = list
		target.AllowedAccounts = accounts
	})
	d := w.delegator(t)
	list[1].Role = admin
	accounts[0] = otherAccount
	wantRoles(t, d, w.token(nil), role, reader)
	from := &delegation.RolesFromClaim{
		Claim:    "roles",
		Names:    []delegation.NamedRole{{Name: "a", RoleChoice: list[0]}},
		Labels:   map[string]string{},
		Accounts: map[string]string{},
	}
	w.target(func(target *delegation.Target) {
		target.Roles = nil
		target.RolesFromClaim = from
		target.AllowedAccounts = []string{account}
	})
	d = w.delegator(t)
	from.Claim = "x"
	from.Names[0].Role = admin
	from.Labels[role] = "changed"
	from.Accounts[account] = "changed"
	options, err := d.Roles(t.Context(), w.token(map[string]any{"roles": "a"}), app)
	if err != nil || len(options) != 1 || options[0].Role != role ||
		options[0].Label != "photo-user" || options[0].Account != "" {
		t.Errorf("got %+v, %v", options, err)
	}
}

// TestRoles_Check: roles of a target that no exchange can get are found before the first exchange.
func TestRoles_Check(t *testing.T) {
	const china = "arn:aws-cn:iam::123456789012:role/reader"
	chinese := delegation.RoleChoice{
		Role:      china,
		Principal: "arn:aws-cn:iam::123456789012:saml-provider/delegation",
	}
	for _, test := range []struct {
		name   string
		change func(*delegation.Target)
		field  string
		failed bool
		text   string
	}{
		{"one of two", func(a *delegation.Target) {
			a.Roles = []delegation.RoleChoice{{Role: role}, chinese}
		}, `Targets["photo-app"]: Roles[1]`, false, "the role " + china + " fails: the region "},
		{"all", func(a *delegation.Target) {
			a.Role = ""
			a.Roles = []delegation.RoleChoice{chinese}
		}, `Targets["photo-app"]: Roles[0]`, true, "the region "},
		{"one of two names", func(a *delegation.Target) {
			a.AllowedAccounts = []string{account}
			a.RolesFromClaim = &delegation.RolesFromClaim{
				Claim: "groups",
				Names: []delegation.NamedRole{
					{Name: "a", RoleChoice: delegation.RoleChoice{Role: role}},
					{Name: "b", RoleChoice: chinese},
				},
			}
		}, `Targets["photo-app"]: RolesFromClaim: Names[1]`, false, "the role " + china + " fails"},
		{"what tokens list is not known", func(a *delegation.Target) {
			a.Role = ""
			a.AllowedAccounts = []string{account}
			a.RolesFromClaim = &delegation.RolesFromClaim{Claim: "groups"}
		}, "", false, ""},
		{"all is well", func(a *delegation.Target) {
			a.Role = ""
			a.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin}}
		}, "", false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.target(test.change)
			d := w.delegator(t)
			var field, text string
			failed := false
			for _, result := range d.Check(t.Context()) {
				if result.Kind != delegation.CheckTarget {
					continue
				}
				if result.Err != nil {
					failed = true
					field = result.Field
					text = result.Err.Error()
				}
				for _, warning := range result.Warnings {
					field = warning.Field
					text = warning.Text
				}
			}
			if failed != test.failed || field != test.field || !strings.Contains(text, test.text) ||
				test.field == "" && text != "" {
				t.Errorf("got failed %t, %s: %s", failed, field, text)
			}
		})
	}
}

// TestRoles_SharedByIssuers: a role that two targets offer to users of two issuers is warned of, as
// one that they have is.
func TestRoles_SharedByIssuers(t *testing.T) {
	w := newWorld(t)
	const other = "https://other.example.com"
	w.config.Issuers = append(w.config.Issuers, delegation.Issuer{URL: other})
	first := w.config.Targets.(delegation.Targets)[app]
	first.Issuers = []string{w.config.Issuers[0].URL}
	first.Roles = []delegation.RoleChoice{{Role: role}, {Role: admin}}
	second := first
	second.Issuers = []string{other}
	second.Role = reader
	second.Roles = []delegation.RoleChoice{{Role: reader}, {Role: admin}}
	w.config.Targets = delegation.Targets{app: first, "second": second}
	var shared []string
	for _, result := range w.delegator(t).Check(t.Context()) {
		for _, warning := range result.Warnings {
			if warning.Code == delegation.WarningSubjectsShared {
				shared = append(shared, result.Name)
			}
		}
	}
	if !slices.Equal(shared, []string{"subjects in " + admin}) {
		t.Errorf("got %v", shared)
	}
}
