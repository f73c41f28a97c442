package delegation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	elsewhereRole      = "arn:aws:iam::999999999999:role/elsewhere"
	elsewherePrincipal = "arn:aws:iam::999999999999:saml-provider/delegation"
	chineseRole        = "arn:aws-cn:iam::123456789012:role/photo-user"
)

// byGroup is a rule that chooses roles by the claim groups.
func byGroup(table ...delegation.RoleMatch) delegation.RuleFunc {
	return delegation.Must(delegation.RoleByClaim("groups", table...))
}

// mayDoAnything is a rule that New cannot see into.
func mayDoAnything(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }

// found is one line of what Check says of targets and rules: name, code and field.
func found(results []delegation.CheckResult) (list []string) {
	for _, r := range results {
		if r.Kind != delegation.CheckTarget && r.Kind != delegation.CheckRule {
			continue
		}
		if r.Err != nil {
			list = append(list, fmt.Sprintf("%s|%s|%s", r.Name, codeOf(r.Err), r.Field))
		}
		for _, w := range r.Warnings {
			list = append(list, fmt.Sprintf("%s|%s|%s", r.Name, w.Code, w.Field))
		}
	}
	return list
}

func codeOf(err error) delegation.Code {
	if e, ok := err.(*delegation.Error); ok {
		return e.Code
	}
	return "none"
}

// sessionRows are targets and rules, and what Check finds in them without a token.
var sessionRows = map[string]struct {
	set  func(*delegation.Target)
	rule []delegation.RuleFunc
	want []string
}{
	"all is well": {want: nil},
	"no role": {
		set:  func(a *delegation.Target) { a.Role = "" },
		want: []string{`target photo-app|role_invalid|Targets["photo-app"]: Role`},
	},
	"no role, and a rule that chooses one": {
		set:  func(a *delegation.Target) { a.Role = "" },
		rule: []delegation.RuleFunc{byGroup(delegation.RoleMatch{Pattern: "a", Role: role})},
	},
	"no role, and a rule for another target": {
		set: func(a *delegation.Target) { a.Role = "" },
		rule: []delegation.RuleFunc{delegation.ForTargets(
			byGroup(delegation.RoleMatch{Pattern: "a", Role: role}), "other")},
		want: []string{
			`target photo-app|role_invalid|Targets["photo-app"]: Role`,
			"rule delegation.RoleByClaim|rule_unused|Rules[0]: delegation.RoleByClaim",
		},
	},
	"no role, and a rule that may do anything": {
		set:  func(a *delegation.Target) { a.Role = "" },
		rule: []delegation.RuleFunc{mayDoAnything},
	},
	"no role, and a rule with a name that may do anything": {
		set:  func(a *delegation.Target) { a.Role = "" },
		rule: []delegation.RuleFunc{delegation.Named("ours", mayDoAnything)},
	},
	"no role, and a rule that may do anything at another target": {
		set:  func(a *delegation.Target) { a.Role = "" },
		rule: []delegation.RuleFunc{delegation.ForTargets(mayDoAnything, "other")},
		want: []string{
			`target photo-app|role_invalid|Targets["photo-app"]: Role`,
			"rule delegation_test.mayDoAnything|rule_unused|" +
				"Rules[0]: delegation_test.mayDoAnything",
		},
	},
	"no role, and a mapping that has one": {
		set: func(a *delegation.Target) {
			a.Role = ""
			a.Mappings = delegation.Mappings{delegation.AttributeRole: "role"}
		},
	},
	"no role, and the virtual mapping of it": {
		set: func(a *delegation.Target) {
			a.Role = ""
			a.Mappings = delegation.Mappings{delegation.AttributeRole: "awsrole"}
		},
		want: []string{`target photo-app|role_invalid|Targets["photo-app"]: Role`},
	},
	"no SAML provider": {
		set:  func(a *delegation.Target) { a.Principal = "" },
		want: []string{`target photo-app|role_invalid|Targets["photo-app"]: Principal`},
	},
	"no region": {
		set:  func(a *delegation.Target) { a.Region = "" },
		want: []string{`target photo-app|region_invalid|Targets["photo-app"]: Region`},
	},
	"accounts differ": {
		set:  func(a *delegation.Target) { a.Role = elsewhereRole },
		want: []string{`target photo-app|account_mismatch|Targets["photo-app"]: Role`},
	},
	"partitions differ": {
		set:  func(a *delegation.Target) { a.Role = chineseRole },
		want: []string{`target photo-app|account_mismatch|Targets["photo-app"]: Role`},
	},
	"the region of another partition": {
		set:  func(a *delegation.Target) { a.Region = "cn-north-1" },
		want: []string{`target photo-app|region_invalid|Targets["photo-app"]: Region`},
	},
	"accounts differ, and a rule may do anything": {
		set:  func(a *delegation.Target) { a.Role = elsewhereRole },
		rule: []delegation.RuleFunc{mayDoAnything},
		want: []string{`target photo-app|target_needs_rule|Targets["photo-app"]: Role`},
	},
	"accounts differ, and each row has both": {
		set: func(a *delegation.Target) { a.Role = elsewhereRole },
		rule: []delegation.RuleFunc{byGroup(delegation.RoleMatch{
			Pattern: "a", Role: elsewhereRole, Principal: elsewherePrincipal,
		})},
	},
	"a row of another account": {
		rule: []delegation.RuleFunc{byGroup(
			delegation.RoleMatch{Pattern: "a", Role: role},
			delegation.RoleMatch{Pattern: "b", Role: elsewhereRole},
		)},
		want: []string{
			"target photo-app|row_refused|Rules[0]: delegation.RoleByClaim: row 2",
		},
	},
	"a row of another account, with a name": {
		rule: []delegation.RuleFunc{mayPass(), delegation.Named("ours", byGroup(
			delegation.RoleMatch{Pattern: "a", Role: role},
			delegation.RoleMatch{Pattern: "b", Role: elsewhereRole},
		))},
		want: []string{"target photo-app|row_refused|Rules[1]: ours: row 2"},
	},
	"all rows of another account": {
		rule: []delegation.RuleFunc{byGroup(
			delegation.RoleMatch{Pattern: "a", Role: elsewhereRole},
			delegation.RoleMatch{Pattern: "b", Role: elsewhereRole},
		)},
		want: []string{
			"target photo-app|account_mismatch|Rules[0]: delegation.RoleByClaim: row 1",
		},
	},
	"a row's region of another partition": {
		rule: []delegation.RuleFunc{byGroup(
			delegation.RoleMatch{Pattern: "a", Role: role},
			delegation.RoleMatch{Pattern: "b", Role: role, Region: "cn-north-1"},
		)},
		want: []string{
			"target photo-app|row_refused|Rules[0]: delegation.RoleByClaim: row 2",
		},
	},
	"the last of two tables counts": {
		rule: []delegation.RuleFunc{
			byGroup(delegation.RoleMatch{Pattern: "a", Role: elsewhereRole}),
			byGroup(delegation.RoleMatch{Pattern: "a", Role: role}),
		},
	},
	"a row of the second of two tables with one name": {
		rule: []delegation.RuleFunc{
			byGroup(delegation.RoleMatch{Pattern: "a", Role: role}),
			byGroup(
				delegation.RoleMatch{Pattern: "a", Role: role},
				delegation.RoleMatch{Pattern: "b", Role: elsewhereRole},
			),
		},
		want: []string{
			"target photo-app|row_refused|Rules[1]: delegation.RoleByClaim: row 2",
		},
	},
	"a role that is not allowed": {
		set:  func(a *delegation.Target) { a.AllowedRoles = []string{role + "-other"} },
		want: []string{`target photo-app|role_not_allowed|Targets["photo-app"]: Role`},
	},
	"a duration that AWS does not have": {
		set:  func(a *delegation.Target) { a.SessionDuration = 13 * time.Hour },
		want: []string{`target photo-app|duration_invalid|Targets["photo-app"]: SessionDuration`},
	},
	"a policy that is none": {
		set:  func(a *delegation.Target) { a.Policy = "[]" },
		want: []string{`target photo-app|session_policy_invalid|Targets["photo-app"]: Policy`},
	},
	"a policy that is none, and a rule that sets another": {
		set: func(a *delegation.Target) { a.Policy = "[]" },
		rule: []delegation.RuleFunc{delegation.Must(
			delegation.SessionPolicyFromTemplate(`{"Version":"2012-10-17"}`))},
	},
	"a transitive tag without a value": {
		set:  func(a *delegation.Target) { a.TransitiveTagKeys = []string{"team"} },
		want: []string{`target photo-app|tags_invalid|Targets["photo-app"]: Tags`},
	},
	"a transitive tag that a rule sets": {
		set: func(a *delegation.Target) { a.TransitiveTagKeys = []string{"team"} },
		rule: []delegation.RuleFunc{
			delegation.TagsFromClaims(map[string]string{"team": "team"})},
	},
	"a transitive tag that a mapping sets": {
		set: func(a *delegation.Target) {
			a.TransitiveTagKeys = []string{"team"}
			a.Mappings = delegation.Mappings{delegation.AttributePrincipalTag + "team": "team"}
		},
	},
	"a rule that denies everybody": {
		rule: []delegation.RuleFunc{delegation.AllowConnections()},
		want: []string{"target photo-app|denied|Rules[0]: delegation.AllowConnections"},
	},
	"domains of nobody": {
		rule: []delegation.RuleFunc{delegation.AllowEmailDomains()},
		want: []string{"target photo-app|denied|Rules[0]: delegation.AllowEmailDomains"},
	},
	"a table without rows": {
		rule: []delegation.RuleFunc{byGroup()},
		want: []string{"target photo-app|denied|Rules[0]: delegation.RoleByClaim"},
	},
	"a row twice": {
		rule: []delegation.RuleFunc{byGroup(
			delegation.RoleMatch{Pattern: "a", Role: role},
			delegation.RoleMatch{Pattern: "b", Role: role},
			delegation.RoleMatch{Pattern: "a", Role: role},
		)},
		want: []string{"rule delegation.RoleByClaim|row_hidden|" +
			"Rules[0]: delegation.RoleByClaim: row 3"},
	},
	"a row after one for everybody": {
		rule: []delegation.RuleFunc{delegation.Named("ours", byGroup(
			delegation.RoleMatch{Pattern: ".*", Role: role},
			delegation.RoleMatch{Pattern: "b", Role: role},
		))},
		want: []string{"rule ours|row_hidden|Rules[0]: ours: row 2"},
	},
	"the recipient of another partition": {
		set: func(a *delegation.Target) {
			a.SAMLRecipient = "https://signin.amazonaws.cn/saml"
		},
		want: []string{
			`target photo-app|recipient_mismatch|Targets["photo-app"]: SAMLRecipient`,
		},
	},
	"the recipient of another region": {
		set: func(a *delegation.Target) {
			a.SAMLRecipient = "https://us-west-2.signin.aws.amazon.com/saml/acs/SAMLSP1"
		},
	},
	"a recipient of Ningxia": {
		set: func(a *delegation.Target) {
			inPartition(a, "aws-cn", "cn-northwest-1")
			a.SAMLRecipient = "https://cn-northwest-1.signin.amazonaws.cn/saml"
		},
	},
	"a recipient of GovCloud with FIPS": {
		set: func(a *delegation.Target) {
			inPartition(a, "aws-us-gov", "us-gov-east-1")
			a.SAMLRecipient = "https://us-gov-east-1.signin-fips.amazonaws-us-gov.com/saml"
		},
	},
	"a recipient with FIPS elsewhere": {
		set: func(a *delegation.Target) {
			a.SAMLRecipient = "https://signin-fips.amazonaws-us-gov.com/saml"
		},
		want: []string{
			`target photo-app|recipient_mismatch|Targets["photo-app"]: SAMLRecipient`,
		},
	},
	"the recipient of plain http": {
		set: func(a *delegation.Target) { a.SAMLRecipient = "http://signin.aws.amazon.com/saml" },
		want: []string{
			`target photo-app|recipient_mismatch|Targets["photo-app"]: SAMLRecipient`,
		},
	},
	"the audience of another partition": {
		set: func(a *delegation.Target) { a.SAMLAudience = "urn:amazon:webservices:govcloud" },
		want: []string{
			`target photo-app|audience_mismatch|Targets["photo-app"]: SAMLAudience`,
		},
	},
	"an audience of one's own": {
		set: func(a *delegation.Target) { a.SAMLAudience = "https://signin.aws.amazon.com/saml" },
	},
	"a NameID that nobody sets": {
		set:  func(a *delegation.Target) { a.NameIDTellsIssuersApart = true },
		want: []string{`target photo-app|name_id_invalid|Targets["photo-app"]`},
	},
	"a NameID that a rule may set": {
		set:  func(a *delegation.Target) { a.NameIDTellsIssuersApart = true },
		rule: []delegation.RuleFunc{mayDoAnything},
	},
}

// mayPass is a ready-made rule that leaves sessions as they are.
func mayPass() delegation.RuleFunc { return delegation.RequireVerifiedEmail() }

// TestCheck_Sessions: Check names a target at which no exchange can succeed, as an error with the
// code that each exchange would get, and a row or a rule that is of no use, as a warning. It says
// nothing where a rule may make it right. New logs the same.
func TestCheck_Sessions(t *testing.T) {
	for name, row := range sessionRows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if row.set != nil {
				w.target(row.set)
			}
			w.config.Rules = row.rule
			var log bytes.Buffer
			w.config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			d := w.delegator(t)
			results := d.Check(t.Context())
			if got := found(results); !slices.Equal(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
			for _, r := range results {
				if r.Kind == delegation.CheckTarget {
					wantLogged(t, log.String(), r)
				}
				if r.Kind == delegation.CheckTarget && (r.Target != app || !r.Degrades) {
					t.Errorf("got %+v", r)
				}
			}
			if len(row.want) == 0 && log.Len() > 0 {
				t.Errorf("logged %s", &log)
			}
		})
	}
}

// wantLogged checks that the log of New has what a result says.
func wantLogged(t *testing.T, log string, r delegation.CheckResult) {
	t.Helper()
	want := []string{r.Name}
	if r.Err != nil {
		want = append(want, r.Err.Error(), `"level":"ERROR"`)
	}
	for _, w := range r.Warnings {
		want = append(want, w.String(), string(w.Code), w.Field)
		if !w.Configured {
			t.Errorf("%s is not of the configuration", w.Code)
		}
	}
	for _, text := range want {
		quoted := string(must(json.Marshal(text)))
		if strings.HasPrefix(text, `"`) {
			quoted = text
		}
		if !strings.Contains(log, quoted) {
			t.Errorf("the log lacks %s: %s", quoted, log)
		}
	}
}

// TestCheck_SessionsAsExchanged: what Check calls an error of a target is what an exchange there
// ends with.
func TestCheck_SessionsAsExchanged(t *testing.T) {
	for name, row := range sessionRows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if row.set != nil {
				w.target(row.set)
			}
			w.config.Rules = row.rule
			d := w.delegator(t)
			for _, r := range d.Check(t.Context()) {
				if r.Kind != delegation.CheckTarget || r.Err == nil {
					continue
				}
				_, err := d.Exchange(t.Context(), w.token(map[string]any{
					"groups": []string{"a"},
				}), app)
				if codeOf(err) != codeOf(r.Err) {
					t.Errorf("got %v, Check said %v", err, r.Err)
				}
			}
		})
	}
}

// TestCheck_OddTarget: a name that could be taken for more is quoted.
func TestCheck_OddTarget(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.Role = ""
	w.config.Targets = delegation.Targets{"a\nb": target}
	r := result(t, w.delegator(t).Check(t.Context()), `target "a\nb"`)
	if r.Target != "a\nb" || r.Field != `Targets["a\nb"]: Role` {
		t.Errorf("got %+v", r)
	}
}

// TestCheck_ResultsAreTheCallers: a caller may change the warnings of a result. The next check has
// its own.
func TestCheck_ResultsAreTheCallers(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{byGroup(
		delegation.RoleMatch{Pattern: "a", Role: role},
		delegation.RoleMatch{Pattern: "b", Role: elsewhereRole},
	)}
	d := w.delegator(t)
	target := "target " + app
	r := result(t, d.Check(t.Context()), target)
	want := r.Warnings[0]
	r.Warnings[0] = delegation.CheckWarning{}
	if got := result(t, d.Check(t.Context()), target).Warnings[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// inPartition moves a target to a region of another partition.
func inPartition(target *delegation.Target, partition, region string) {
	target.Role = strings.Replace(target.Role, ":aws:", ":"+partition+":", 1)
	target.Principal = strings.Replace(target.Principal, ":aws:", ":"+partition+":", 1)
	target.Region = region
}
