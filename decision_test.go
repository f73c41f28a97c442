package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/session"
)

func safe(name string) string { return session.SafeName(name) }

// numbered returns n tags.
func numbered(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[fmt.Sprintf("key%02d", i)] = "v"
	}
	return tags
}

// policyARNs returns n managed policies of the role's account.
func policyARNs(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("arn:aws:iam::123456789012:policy/p%02d", i))
	}
	return list
}

// policyOf returns a session policy of n characters.
func policyOf(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }

// limits are the checks of the choke point, each just inside its boundary (code empty) and just
// outside.
var limits = []struct {
	name   string
	change func(*delegation.AWS)
	code   delegation.Code
}{
	{"nothing changed", func(*delegation.AWS) {}, ""},

	{"no role", func(a *delegation.AWS) { a.Role = "" }, delegation.CodeRoleInvalid},
	{"no principal", func(a *delegation.AWS) { a.Principal = "" }, delegation.CodeRoleInvalid},
	{"role and principal swapped", func(a *delegation.AWS) {
		a.Role, a.Principal = a.Principal, a.Role
	}, delegation.CodeRoleInvalid},
	{"a role's name alone", func(a *delegation.AWS) { a.Role = "photo-user" },
		delegation.CodeRoleInvalid},
	{"a role with a path", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::123456789012:role/team/x/photo-user"
	}, ""},
	{"a role's name of 64", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 64)
	}, ""},
	{"a role's name of 65", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 65)
	}, delegation.CodeRoleInvalid},
	{"a path of 512", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::123456789012:role/" + strings.Repeat("p", 510) + "/r"
	}, ""},
	{"a path of 513", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::123456789012:role/" + strings.Repeat("p", 511) + "/r"
	}, delegation.CodeRoleInvalid},
	{"a principal of more than 2048", func(a *delegation.AWS) {
		a.Principal = "arn:aws-" + strings.Repeat("a", 2048) +
			":iam::123456789012:saml-provider/delegation"
	}, delegation.CodeRoleInvalid},
	{"a blank in front", func(a *delegation.AWS) { a.Role = " " + a.Role },
		delegation.CodeRoleInvalid},
	{"a line end behind", func(a *delegation.AWS) { a.Role += "\n" }, delegation.CodeRoleInvalid},
	{"a wildcard role", func(a *delegation.AWS) { a.Role = "arn:aws:iam::123456789012:role/*" },
		delegation.CodeRoleInvalid},
	{"a session of a role", func(a *delegation.AWS) {
		a.Role = "arn:aws:sts::123456789012:assumed-role/photo-user/x"
	}, delegation.CodeRoleInvalid},
	{"a user", func(a *delegation.AWS) { a.Role = "arn:aws:iam::123456789012:user/alice" },
		delegation.CodeRoleInvalid},
	{"an account of 11 digits", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::12345678901:role/photo-user"
	}, delegation.CodeRoleInvalid},
	{"an account of 13 digits", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::1234567890123:role/photo-user"
	}, delegation.CodeRoleInvalid},
	{"no account", func(a *delegation.AWS) { a.Role = "arn:aws:iam:::role/photo-user" },
		delegation.CodeRoleInvalid},
	{"AWS's own account", func(a *delegation.AWS) { a.Role = "arn:aws:iam::aws:role/photo-user" },
		delegation.CodeRoleInvalid},
	{"a region in the role", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam:eu-central-1:123456789012:role/photo-user"
	}, delegation.CodeRoleInvalid},
	{"another service", func(a *delegation.AWS) {
		a.Role = "arn:aws:sts::123456789012:role/photo-user"
	}, delegation.CodeRoleInvalid},
	{"a foreign partition", func(a *delegation.AWS) {
		a.Role = "arn:azure:iam::123456789012:role/photo-user"
	}, delegation.CodeRoleInvalid},
	{"a provider's name of 128", func(a *delegation.AWS) {
		a.Principal = "arn:aws:iam::123456789012:saml-provider/" + strings.Repeat("p", 128)
	}, ""},
	{"a provider's name of 129", func(a *delegation.AWS) {
		a.Principal = "arn:aws:iam::123456789012:saml-provider/" + strings.Repeat("p", 129)
	}, delegation.CodeRoleInvalid},
	{"an OIDC provider", func(a *delegation.AWS) {
		a.Principal = "arn:aws:iam::123456789012:oidc-provider/example.com"
	}, delegation.CodeRoleInvalid},
	{"a comma in the principal", func(a *delegation.AWS) { a.Principal += "," + a.Principal },
		delegation.CodeRoleInvalid},

	{"role in another account", func(a *delegation.AWS) {
		a.Role = "arn:aws:iam::210987654321:role/photo-user"
	}, delegation.CodeAccountMismatch},
	{"principal in another account", func(a *delegation.AWS) {
		a.Principal = "arn:aws:iam::210987654321:saml-provider/delegation"
	}, delegation.CodeAccountMismatch},
	{"role in another partition", func(a *delegation.AWS) {
		a.Role = "arn:aws-cn:iam::123456789012:role/photo-user"
	}, delegation.CodeAccountMismatch},
	{"both in a partition that does not exist", func(a *delegation.AWS) {
		a.Role = "arn:aws-mars:iam::123456789012:role/photo-user"
		a.Principal = "arn:aws-mars:iam::123456789012:saml-provider/delegation"
	}, delegation.CodeRegionInvalid},

	{"no region", func(a *delegation.AWS) { a.Region = "" }, delegation.CodeRegionInvalid},
	{"an unknown region", func(a *delegation.AWS) { a.Region = "mars-north-1" },
		delegation.CodeRegionInvalid},
	{"a pseudo-region", func(a *delegation.AWS) { a.Region = "aws-global" },
		delegation.CodeRegionInvalid},
	{"a region of another partition", func(a *delegation.AWS) { a.Region = "cn-north-1" },
		delegation.CodeRegionInvalid},
	{"all of China", func(a *delegation.AWS) {
		a.Role = "arn:aws-cn:iam::123456789012:role/photo-user"
		a.Principal = "arn:aws-cn:iam::123456789012:saml-provider/delegation"
		a.Region = "cn-north-1"
	}, ""},

	{"a NameID of 256", func(a *delegation.AWS) { a.NameID = strings.Repeat("é", 256) }, ""},
	{"a NameID of 257", func(a *delegation.AWS) { a.NameID = strings.Repeat("n", 257) },
		delegation.CodeNameIDInvalid},
	{"a NameID of one", func(a *delegation.AWS) { a.NameID = "n" }, ""},
	{"a blank within the NameID", func(a *delegation.AWS) { a.NameID = "a b" }, ""},
	{"a blank in front of the NameID", func(a *delegation.AWS) { a.NameID = " a" },
		delegation.CodeNameIDInvalid},
	{"a line end behind the NameID", func(a *delegation.AWS) { a.NameID = "a\n" },
		delegation.CodeNameIDInvalid},
	{"a star in the NameID", func(a *delegation.AWS) { a.NameID = "a*" },
		delegation.CodeNameIDInvalid},
	{"a question mark in the NameID", func(a *delegation.AWS) { a.NameID = "?" },
		delegation.CodeNameIDInvalid},

	{"a session of 900 s", func(a *delegation.AWS) { a.SessionDuration = 900 * time.Second }, ""},
	{"a session of 899 s", func(a *delegation.AWS) { a.SessionDuration = 899 * time.Second },
		delegation.CodeDurationInvalid},
	{"a session of 43200 s", func(a *delegation.AWS) { a.SessionDuration = 43200 * time.Second },
		""},
	{"a session of 43201 s", func(a *delegation.AWS) { a.SessionDuration = 43201 * time.Second },
		delegation.CodeDurationInvalid},
	{"a session of 900.5 s", func(a *delegation.AWS) {
		a.SessionDuration = 900*time.Second + 500*time.Millisecond
	}, delegation.CodeDurationInvalid},
	{"a negative session", func(a *delegation.AWS) { a.SessionDuration = -time.Hour },
		delegation.CodeDurationInvalid},
	{"3600 without a unit", func(a *delegation.AWS) { a.SessionDuration = 3600 },
		delegation.CodeDurationInvalid},

	{"a source identity of 2", func(a *delegation.AWS) { a.SourceIdentity = "ab" }, ""},
	{"a source identity of 1", func(a *delegation.AWS) { a.SourceIdentity = "a" },
		delegation.CodeSourceIDInvalid},
	{"a source identity of 64",
		func(a *delegation.AWS) { a.SourceIdentity = strings.Repeat("s", 64) }, ""},
	{"a source identity of 65", func(a *delegation.AWS) {
		a.SourceIdentity = strings.Repeat("s", 65)
	}, delegation.CodeSourceIDInvalid},
	{"every character of a source identity",
		func(a *delegation.AWS) { a.SourceIdentity = "azAZ09_+=,.@-" }, ""},
	{"a bar in the source identity", func(a *delegation.AWS) { a.SourceIdentity = "auth0|alice" },
		delegation.CodeSourceIDInvalid},
	{"a source identity of AWS's own", func(a *delegation.AWS) { a.SourceIdentity = "aws:alice" },
		delegation.CodeSourceIDInvalid},
	{"a line end in the source identity", func(a *delegation.AWS) { a.SourceIdentity = "alice\n" },
		delegation.CodeSourceIDInvalid},

	{"50 tags", func(a *delegation.AWS) { a.Tags = numbered(50) }, ""},
	{"51 tags", func(a *delegation.AWS) { a.Tags = numbered(51) }, delegation.CodeTagsInvalid},
	{"a key of 128",
		func(a *delegation.AWS) { a.Tags = map[string]string{strings.Repeat("é", 128): "v"} }, ""},
	{"a key of 129", func(a *delegation.AWS) {
		a.Tags = map[string]string{strings.Repeat("k", 129): "v"}
	}, delegation.CodeTagsInvalid},
	{"a key of one", func(a *delegation.AWS) { a.Tags = map[string]string{"k": "v"} }, ""},
	{"an empty key", func(a *delegation.AWS) { a.Tags = map[string]string{"": "v"} },
		delegation.CodeTagsInvalid},
	{"an empty value", func(a *delegation.AWS) { a.Tags = map[string]string{"k": ""} }, ""},
	{"a value of 256",
		func(a *delegation.AWS) { a.Tags = map[string]string{"k": strings.Repeat("é", 256)} }, ""},
	{"a value of 257", func(a *delegation.AWS) {
		a.Tags = map[string]string{"k": strings.Repeat("v", 257)}
	}, delegation.CodeTagsInvalid},
	{"every kind of character", func(a *delegation.AWS) {
		a.Tags = map[string]string{"Zé9_.:/=+-@ ": "日本 \u00A0٣_.:/=+-@"}
	}, ""},
	{"a bar in a value", func(a *delegation.AWS) { a.Tags = map[string]string{"k": "auth0|alice"} },
		delegation.CodeTagsInvalid},
	{"a star in a value", func(a *delegation.AWS) { a.Tags = map[string]string{"k": "*"} },
		delegation.CodeTagsInvalid},
	{"a star in a key", func(a *delegation.AWS) { a.Tags = map[string]string{"*": "v"} },
		delegation.CodeTagsInvalid},
	{"a line end in a value", func(a *delegation.AWS) { a.Tags = map[string]string{"k": "v\n"} },
		delegation.CodeTagsInvalid},
	{"a line end in a key", func(a *delegation.AWS) { a.Tags = map[string]string{"k\n": "v"} },
		delegation.CodeTagsInvalid},
	{"an emoji in a value", func(a *delegation.AWS) {
		a.Tags = map[string]string{"k": "\U0001F600"}
	}, delegation.CodeTagsInvalid},
	{"invalid UTF-8 in a value", func(a *delegation.AWS) {
		a.Tags = map[string]string{"k": "a\xff"}
	}, delegation.CodeTagsInvalid},
	{"a key of AWS's own", func(a *delegation.AWS) { a.Tags = map[string]string{"aws:k": "v"} },
		delegation.CodeTagsInvalid},
	{"a key of AWS's own in capitals", func(a *delegation.AWS) {
		a.Tags = map[string]string{"AWS:k": "v"}
	}, delegation.CodeTagsInvalid},
	{"keys that differ by case", func(a *delegation.AWS) {
		a.Tags = map[string]string{"Team": "a", "team": "b"}
	}, delegation.CodeTagsInvalid},
	{"keys that differ by case beyond ASCII", func(a *delegation.AWS) {
		a.Tags = map[string]string{"É": "a", "é": "b"}
	}, delegation.CodeTagsInvalid},
	{"keys that differ by the Kelvin sign", func(a *delegation.AWS) {
		a.Tags = map[string]string{"\u212A": "a", "k": "b"}
	}, delegation.CodeTagsInvalid},
	{"keys that differ by the long s", func(a *delegation.AWS) {
		a.Tags = map[string]string{"\u017Ftage": "a", "stage": "b"}
	}, delegation.CodeTagsInvalid},

	{"a transitive key", func(a *delegation.AWS) {
		a.Tags, a.TransitiveTagKeys = numbered(1), []string{"key00"}
	}, ""},
	{"a transitive key without tag", func(a *delegation.AWS) {
		a.TransitiveTagKeys = []string{"key00"}
	}, delegation.CodeTagsInvalid},
	{"a transitive key in another case", func(a *delegation.AWS) {
		a.Tags, a.TransitiveTagKeys = numbered(1), []string{"Key00"}
	}, delegation.CodeTagsInvalid},

	{"a policy of 2048", func(a *delegation.AWS) { a.Policy = policyOf(2048) }, ""},
	{"a policy of 2049", func(a *delegation.AWS) { a.Policy = policyOf(2049) },
		delegation.CodePolicyInvalid},
	{"2048 characters, more bytes",
		func(a *delegation.AWS) { a.Policy = `{"a":"` + strings.Repeat("é", 2040) + `"}` }, ""},
	{"policy and ARN of 2048 together", func(a *delegation.AWS) {
		a.PolicyARNs, a.Policy = policyARNs(1), policyOf(2048-len(policyARNs(1)[0]))
	}, ""},
	{"policy and ARN of 2049 together", func(a *delegation.AWS) {
		a.PolicyARNs, a.Policy = policyARNs(1), policyOf(2049-len(policyARNs(1)[0]))
	}, delegation.CodePolicyInvalid},
	{"a policy cut short", func(a *delegation.AWS) { a.Policy = `{"a":` },
		delegation.CodePolicyInvalid},
	{"a policy that is a list", func(a *delegation.AWS) { a.Policy = `[]` },
		delegation.CodePolicyInvalid},
	{"two policies", func(a *delegation.AWS) { a.Policy = `{}{}` }, delegation.CodePolicyInvalid},
	{"a member twice", func(a *delegation.AWS) { a.Policy = `{"Effect":"Deny","Effect":"Allow"}` },
		delegation.CodePolicyInvalid},
	{"a blank", func(a *delegation.AWS) { a.Policy = " " }, delegation.CodePolicyInvalid},
	{"the last character allowed", func(a *delegation.AWS) { a.Policy = "{\"a\":\"\u00FF\"}" }, ""},
	{"the first character beyond", func(a *delegation.AWS) { a.Policy = "{\"a\":\"\u0100\"}" },
		delegation.CodePolicyInvalid},
	{"white space", func(a *delegation.AWS) { a.Policy = "{\r\n\t\"a\": 1 }" }, ""},
	{"10 policy ARNs", func(a *delegation.AWS) { a.PolicyARNs = policyARNs(10) }, ""},
	{"11 policy ARNs", func(a *delegation.AWS) { a.PolicyARNs = policyARNs(11) },
		delegation.CodePolicyInvalid},
	{"AWS's own policy", func(a *delegation.AWS) {
		a.PolicyARNs = []string{"arn:aws:iam::aws:policy/service-role/X"}
	}, ""},
	{"another account's policy", func(a *delegation.AWS) {
		a.PolicyARNs = []string{"arn:aws:iam::210987654321:policy/x"}
	}, delegation.CodePolicyInvalid},
	{"another partition's policy", func(a *delegation.AWS) {
		a.PolicyARNs = []string{"arn:aws-cn:iam::aws:policy/x"}
	}, delegation.CodePolicyInvalid},
	{"a role as policy", func(a *delegation.AWS) { a.PolicyARNs = []string{role} },
		delegation.CodePolicyInvalid},
	{"an empty policy ARN", func(a *delegation.AWS) { a.PolicyARNs = []string{""} },
		delegation.CodePolicyInvalid},
	{"a policy's name of 128", func(a *delegation.AWS) {
		a.PolicyARNs = []string{"arn:aws:iam::aws:policy/" + strings.Repeat("p", 128)}
	}, ""},
	{"a policy's name of 129", func(a *delegation.AWS) {
		a.PolicyARNs = []string{"arn:aws:iam::aws:policy/" + strings.Repeat("p", 129)}
	}, delegation.CodePolicyInvalid},
}

// TestChokePoint runs every limit on each path by which settings come in: from a target and from a
// rule.
func TestChokePoint(t *testing.T) {
	t.Parallel()
	paths := map[string]func(w *world, change func(*delegation.AWS)){
		"target": func(w *world, change func(*delegation.AWS)) {
			target := w.config.Targets.(delegation.Targets)[app]
			change(&target.AWS)
			w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
				return &target, nil
			})
		},
		"rule": func(w *world, change func(*delegation.AWS)) {
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				change(&rc.AWS)
				return nil
			}}
		},
	}
	for path, prepare := range paths {
		for _, limit := range limits {
			t.Run(path+"/"+limit.name, func(t *testing.T) {
				w := newWorld(t)
				prepare(w, limit.change)
				credentials, err := w.exchange(t, nil)
				if limit.code == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if errors.Is(err, delegation.CodeTargetInvalid) && path == "target" {
					err = nil // refused even earlier, as New would
				} else {
					wantError(t, err, delegation.StageDecision, limit.code)
				}
				if credentials != nil || len(w.sent) > 0 {
					t.Errorf("refused, and yet AWS was asked %d times", len(w.sent))
				}
			})
		}
	}
}

// TestIncident_OneChokePoint: in configure-aws-credentials #1847 the account guard was skipped on
// some paths. Here a mapping, which runs last, meets the same checks as a target and a rule.
func TestIncident_OneChokePoint(t *testing.T) {
	long := strings.Repeat("x", 65)
	tests := []struct {
		name      string
		attribute string
		value     any
		code      delegation.Code
	}{
		{"a role in another account", delegation.AttributeRole,
			"arn:aws:iam::210987654321:role/photo-user", delegation.CodeAccountMismatch},
		{"a pair in another account", delegation.AttributeRole,
			"arn:aws:iam::210987654321:role/x,arn:aws:iam::210987654321:saml-provider/x",
			delegation.CodeRoleNotAllowed},
		{"a pair of two accounts", delegation.AttributeRole,
			role + ",arn:aws:iam::210987654321:saml-provider/x", delegation.CodeAccountMismatch},
		{"a pair in another partition", delegation.AttributeRole,
			"arn:aws-cn:iam::123456789012:role/photo-user,arn:aws-cn:iam::123456789012:saml-provider/x", delegation.CodeRoleNotAllowed},
		{"a role that is not allowed", delegation.AttributeRole, admin,
			delegation.CodeRoleNotAllowed},
		{"no ARN", delegation.AttributeRole, "admin", delegation.CodeRoleInvalid},
		{"three parts", delegation.AttributeRole, role + "," + principal + "," + principal,
			delegation.CodeRoleInvalid},
		{"a blank behind the comma", delegation.AttributeRole, role + ", " + principal,
			delegation.CodeRoleInvalid},
		{"an empty principal", delegation.AttributeRole, role + ",", delegation.CodeRoleInvalid},
		{"a short session", delegation.AttributeSessionDuration, 899,
			delegation.CodeDurationInvalid},
		{"a long session", delegation.AttributeSessionDuration, 43201,
			delegation.CodeDurationInvalid},
		{"a bad tag", delegation.AttributePrincipalTag + "a", "auth0|alice",
			delegation.CodeTagsInvalid},
		{"a tag without key", delegation.AttributePrincipalTag, "x", delegation.CodeTagsInvalid},
		{"a tag that collides with the target's", delegation.AttributePrincipalTag + "TEAM", "x",
			delegation.CodeTagsInvalid},
		{"a transitive key without tag", delegation.AttributeTransitiveTagKeys, "absent",
			delegation.CodeTagsInvalid},
		{"a bad source identity", delegation.AttributeSourceIdentity, long,
			delegation.CodeSourceIDInvalid},
		{"a wildcard NameID", delegation.AttributeNameIdentifier, "*",
			delegation.CodeNameIDInvalid},
		{"a long NameID", delegation.AttributeNameIdentifier, strings.Repeat("n", 257),
			delegation.CodeNameIDInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := attempt(t, map[string]any{"x": test.value}, func(target *delegation.Target) {
				target.AllowedRoles = []string{role, "arn:aws:iam::210987654321:role/photo-user"}
				target.Tags = map[string]string{"team": "a"}
				target.NameIDFromMapping = true
				target.Mappings = delegation.Mappings{test.attribute: "x"}
			})
			wantError(t, err, delegation.StageDecision, test.code)
		})
	}
}

func TestAllowedRoles(t *testing.T) {
	tests := []struct {
		name    string
		allowed []string
		role    string
		code    delegation.Code
	}{
		{"none listed: every role of the account", nil, admin, ""},
		{"listed", []string{reader, admin}, admin, ""},
		{"not listed", []string{reader}, admin, delegation.CodeRoleNotAllowed},
		{"the target's own role is not listed either", []string{reader},
			role, delegation.CodeRoleNotAllowed},
		{"another case", []string{"arn:aws:iam::123456789012:role/Admin"},
			admin, delegation.CodeRoleNotAllowed},
		{"a longer name", []string{admin}, admin + "2", delegation.CodeRoleNotAllowed},
		{"another path", []string{admin}, "arn:aws:iam::123456789012:role/x/admin",
			delegation.CodeRoleNotAllowed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.target(func(target *delegation.Target) { target.AllowedRoles = test.allowed })
			w.config.Rules = []delegation.RuleFunc{delegation.Must(delegation.RoleByClaim("sub",
				delegation.RoleMatch{Pattern: ".*", Role: test.role}))}
			_, err := w.exchange(t, nil)
			if test.code != "" {
				wantError(t, err, delegation.StageDecision, test.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a rule cannot extend the list", func(t *testing.T) {
		allowed := []string{reader}
		w := newWorld(t)
		w.target(func(target *delegation.Target) { target.AllowedRoles = allowed })
		d := w.delegator(t)
		allowed[0] = role
		_, err := d.Exchange(t.Context(), w.token(nil), app)
		wantError(t, err, delegation.StageDecision, delegation.CodeRoleNotAllowed)
	})
}

func TestSessionDuration_IsAskedForAndAsserted(t *testing.T) {
	for seconds, d := range map[int32]time.Duration{
		3600: 0, 900: 15 * time.Minute, 43200: 12 * time.Hour,
	} {
		in, err := attempt(t, nil, func(target *delegation.Target) { target.SessionDuration = d })
		if err != nil {
			t.Fatal(err)
		}
		got := attributesOf(in)[delegation.AttributeSessionDuration]
		if *in.DurationSeconds != seconds || !slices.Equal(got, []string{fmt.Sprint(seconds)}) {
			t.Errorf("%s: asked for %d, asserted %s", d, *in.DurationSeconds, got)
		}
	}
}

func TestSessionPolicies_AreSent(t *testing.T) {
	in, err := attempt(t, nil, func(target *delegation.Target) {
		target.Policy, target.PolicyARNs = ` {"a": 1}`, policyARNs(2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if *in.Policy != ` {"a": 1}` || len(in.PolicyArns) != 2 ||
		*in.PolicyArns[0].Arn != policyARNs(2)[0] || *in.PolicyArns[1].Arn != policyARNs(2)[1] {
		t.Errorf("got %q, %v", *in.Policy, in.PolicyArns)
	}
	in, err = attempt(t, nil, func(*delegation.Target) {})
	if err != nil || in.Policy != nil || in.PolicyArns != nil {
		t.Errorf("without policies: got %v, %v, %v", in.Policy, in.PolicyArns, err)
	}
}

func TestTagsAndSourceIdentity_AreSent(t *testing.T) {
	in, err := attempt(t, nil, func(target *delegation.Target) {
		target.Tags = map[string]string{"Team": "a b", "x": ""}
		target.TransitiveTagKeys = []string{"x", "Team"}
		target.SourceIdentity = "alice@example.com"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := with(map[string][]string{
		delegation.AttributePrincipalTag + "Team": {"a b"},
		delegation.AttributePrincipalTag + "x":    {""},
		delegation.AttributeTransitiveTagKeys:     {"x", "Team"},
		delegation.AttributeSourceIdentity:        {"alice@example.com"},
	})
	if got := attributesOf(in); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestSessionName(t *testing.T) {
	long := strings.Repeat("a", 65)
	tests := []struct {
		name    string
		claims  map[string]any
		setting string
		from    string // what the session name is made of
		asIs    bool   // AWS takes it unchanged
	}{
		{"the verified email", map[string]any{"email": "alice@example.com", "email_verified": true},
			"", "alice@example.com", true},
		{"an email that is not verified is not used", map[string]any{"email": "root@example.com"},
			"", alice, false},
		{"an email that is verified in words only",
			map[string]any{"email": "root@example.com", "email_verified": "true"},
			"", alice, false},
		{"the user id", map[string]any{"sub": "alice"}, "", "alice", true},
		{"a user id with a bar", nil, "", alice, false},
		{"the setting wins", map[string]any{"email": "alice@example.com", "email_verified": true},
			"build-7", "build-7", true},
		{"2 characters", nil, "ab", "ab", true},
		{"1 character", nil, "a", "a", false},
		{"64 characters", nil, long[:64], long[:64], true},
		{"65 characters", nil, long, long, false},
		{"every character", nil, "azAZ09_+=,.@-", "azAZ09_+=,.@-", true},
		{"a blank", nil, "a b", "a b", false},
		{"a line end", nil, "ab\n", "ab\n", false},
		{"another alphabet", nil, "日本語", "日本語", false},
		{"invalid UTF-8", nil, "a\xffb", "a\xffb", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, strict := range []bool{false, true} {
				w := newWorld(t)
				w.config.StrictSessionNames = strict
				w.target(func(target *delegation.Target) { target.SessionName = test.setting })
				_, err := w.exchange(t, test.claims)
				if strict && !test.asIs {
					e := wantError(t, err, delegation.StageDecision,
						delegation.CodeSessionNameInvalid)
					if len(w.sent) > 0 || strings.Contains(e.Error(), "\n") {
						t.Errorf("asked AWS, or the error has a line end: %q", e)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got := attributesOf(w.last())[delegation.AttributeRoleSessionName]
				if !slices.Equal(got, []string{safe(test.from)}) ||
					test.asIs != (got[0] == test.from) {
					t.Errorf("strict %v: got %q", strict, got)
				}
				if w.events[0].SessionName != got[0] {
					t.Errorf("the event says %q", w.events[0].SessionName)
				}
			}
		})
	}
}

// TestSessionName_StrictTakesWhatAWSTakes: where nothing is made safe, a name that happens to end
// like a hash, such as an object ID of MongoDB, cannot collide with one that was.
func TestSessionName_StrictTakesWhatAWSTakes(t *testing.T) {
	w := newWorld(t)
	w.config.StrictSessionNames = true
	w.target(func(target *delegation.Target) {
		target.SessionName = "user-507f1f77bcf86cd799439011"
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	got := attributesOf(w.last())[delegation.AttributeRoleSessionName]
	if !slices.Equal(got, []string{"user-507f1f77bcf86cd799439011"}) {
		t.Errorf("got %q", got)
	}
}

var sessionNameForm = regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`)

// TestIncident_OddUserNames: odd or long user names broke session names in saml2aws #759, teleport
// #45658 and cdk-cli #1953. Here all of them work, stay recognisable, and never fall together.
func TestIncident_OddUserNames(t *testing.T) {
	long := strings.Repeat("very.long.name.", 6)
	names := []string{
		"alice", "Alice", "alice@example.com", "auth0|5f7c8ec7c33c6c004bbafe82",
		"auth0_5f7c8ec7c33c6c004bbafe82", "google-oauth2|113015401123457192604",
		"CORP\\alice", "CORP_alice", "alice smith", "alice  smith", "alice_smith", "alice/smith",
		"álice", "älice", "_lice", "李", "王", "a", "b", "*", "?", "!",
		long + "x", long + "y", long + "x@example.com", long + "z|1", long + "z|2", "alice\n",
		"alice\t", "alice\x00", "a\xff", "a\xfe", "\U0001F600", "\U0001F601",
		"CN=Alice,OU=People,O=Example", "CN=Alice, OU=People, O=Example", `"alice"`, "<alice>",
		"${aws:username}", "alice+tag@example.com", " alice", "alice ",
		"arn:aws:iam::123456789012:user/alice", "https://example.com/users/alice", "-", "--", "__",
	}
	for _, name := range slices.Clone(names) {
		names = append(names, safe(name)) // a user may be called like another's session
	}
	from := map[string]string{}
	for _, name := range names {
		got := safe(name)
		if !sessionNameForm.MatchString(got) {
			t.Errorf("%q became %q, which AWS refuses", name, got)
		}
		if other, taken := from[got]; taken && other != name {
			t.Errorf("%q and %q share the session name %q", other, name, got)
		}
		from[got] = name
		if again := safe(name); again != got {
			t.Errorf("%q became %q, then %q", name, got, again)
		}
	}
	for name, want := range map[string]string{
		"alice": "alice", "alice@example.com": "alice@example.com", "auth0|alice": "auth0_alice-",
		"alice smith": "alice_smith-", "CORP\\alice": "CORP_alice-",
		long: long[:39] + "-", "李": "_-",
	} {
		got := safe(name)
		if got != want &&
			!(strings.HasSuffix(want, "-") && strings.HasPrefix(got, want) &&
				len(got) == len(want)+24) {
			t.Errorf("%q became %q, which nobody recognises", name, got)
		}
	}
}

// FuzzSessionName holds that any two different names give different session names, both of which
// AWS takes, also if one is crafted to look like what the other becomes.
func FuzzSessionName(f *testing.F) {
	f.Add("auth0|alice", "auth0_alice")
	f.Add("a", "b")
	f.Add("", "x")
	f.Add(strings.Repeat("x", 64), strings.Repeat("x", 65))
	f.Add("a\xff", "a\xfe")
	f.Add("x-0123456789abcdef01234567", "x")
	f.Fuzz(func(t *testing.T, one, two string) {
		candidates := []string{
			one, two, safe(one), safe(two), safe(safe(one)), one + "-0123456789abcdef01234567",
			two + "-0123456789abcdef01234567",
		}
		for _, a := range candidates {
			if !sessionNameForm.MatchString(safe(a)) {
				t.Fatalf("%q became %q, which AWS refuses", a, safe(a))
			}
			for _, b := range candidates {
				if a != b && safe(a) == safe(b) {
					t.Fatalf("%q and %q share the session name %q", a, b, safe(a))
				}
			}
		}
		if sessionNameForm.MatchString(one) &&
			!regexp.MustCompile(`-[0-9a-f]{24}\z`).MatchString(one) && safe(one) != one {
			t.Fatalf("%q became %q for no reason", one, safe(one))
		}
	})
}

func TestTargets_Unknown(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	for _, name := range []string{"other", "", strings.ToUpper(app), app + " ", "__proto__"} {
		_, err := d.Exchange(t.Context(), w.token(nil), name)
		e := wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
		if e.Public() != "delegation is not enabled for this application" {
			t.Errorf("Public says %q", e.Public())
		}
	}
	w.config.Targets = delegation.Targets(nil)
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
}

func TestTargets_AreCopied(t *testing.T) {
	w := newWorld(t)
	target := *sharedTarget()
	target.Issuers = []string{w.url}
	targets := delegation.Targets{app: target}
	w.config.Targets = targets
	d := w.delegator(t)
	smashed := targets[app]
	smashed.Issuers[0] = "https://evil.example.com"
	smashed.AllowedRoles[0] = admin
	smashed.Audiences[0] = "evil"
	smashed.Tags["a"] = "|"
	smashed.Mappings["x"] = "awsrole"
	smashed.PolicyARNs[0] = "x"
	smashed.TransitiveTagKeys[0] = "x"
	smashed.DroppableTags[0] = "x"
	smashed.FailoverRegions[0] = "x"
	targets["other"] = smashed
	delete(targets, app)
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Error(err)
	}
	_, err := d.Exchange(t.Context(), w.token(nil), "other")
	wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
}

func TestTargetSource(t *testing.T) {
	own := errors.New("the database is down")
	good := func() (*delegation.Target, error) { return sharedTarget(), nil }
	changed := func(change func(*delegation.Target)) func() (*delegation.Target, error) {
		return func() (*delegation.Target, error) {
			target := sharedTarget()
			change(target)
			return target, nil
		}
	}
	tests := []struct {
		name   string
		find   func() (*delegation.Target, error)
		code   delegation.Code // empty: it works
		wraps  error
		saying string
	}{
		{"a target", good, "", nil, ""},
		{"nil", func() (*delegation.Target, error) { return nil, nil },
			delegation.CodeDelegationDisabled, nil, app},
		{"an error", func() (*delegation.Target, error) { return nil, own },
			delegation.CodeTargetFailed, own, app},
		{"an error beside a target", func() (*delegation.Target, error) {
			return sharedTarget(), own
		}, delegation.CodeTargetFailed, own, app},
		{"a panic", func() (*delegation.Target, error) { panic("a value") },
			delegation.CodeTargetFailed, nil, "a value"},
		{"a wrong role", changed(func(t *delegation.Target) { t.Role = "x" }),
			delegation.CodeTargetInvalid, nil, "Role"},
		{"a wrong principal", changed(func(t *delegation.Target) { t.Principal = role }),
			delegation.CodeTargetInvalid, nil, "Principal"},
		{"a wrong allowed role", changed(func(t *delegation.Target) {
			t.AllowedRoles = []string{role, "x"}
		}), delegation.CodeTargetInvalid, nil, "AllowedRoles[1]"},
		{"an unknown region", changed(func(t *delegation.Target) { t.Region = "mars-north-1" }),
			delegation.CodeTargetInvalid, nil, "mars-north-1"},
		{"an issuer that nobody configured", changed(func(t *delegation.Target) {
			t.Issuers = []string{"https://evil.example.com"}
		}), delegation.CodeIssuerNotAllowed, nil, app},
		{"an identity without keys", changed(func(t *delegation.Target) {
			t.Identity = &delegation.IdentityProvider{EntityID: "x"}
		}), delegation.CodeTargetInvalid, nil, "Keys"},
		{"another application's", changed(func(t *delegation.Target) {
			t.Audiences = []string{"other"}
		}), delegation.CodeAudienceNotAllowed, nil, app},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Targets = source(func(
				_ context.Context, name string,
			) (*delegation.Target, error) {
				if name != app {
					t.Errorf("asked for %q", name)
				}
				return test.find()
			})
			_, err := w.exchange(t, nil)
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := wantError(t, err, delegation.StageTarget, test.code)
			if test.wraps != nil && !errors.Is(err, test.wraps) ||
				!strings.Contains(err.Error(), test.saying) || len(w.sent) > 0 {
				t.Errorf("got %v", err)
			}
			if strings.Contains(e.Public(), "database") || strings.Contains(e.Public(), app) {
				t.Errorf("Public says too much: %s", e.Public())
			}
		})
	}
	t.Run("an issuer beside the true one that nobody configured", func(t *testing.T) {
		w := newWorld(t)
		target := sharedTarget()
		target.Issuers = []string{w.url, "https://evil.example.com"}
		w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
			return target, nil
		})
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageTarget, delegation.CodeTargetInvalid)
	})
	t.Run("cancelled", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.config.Targets = source(func(ctx context.Context, _ string) (*delegation.Target, error) {
			cancel()
			return nil, ctx.Err()
		})
		_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageTarget, delegation.CodeCanceled)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not wrap context.Canceled", err)
		}
	})
}

func TestTargets_Audiences(t *testing.T) {
	tests := []struct {
		name      string
		audiences []string
		aud       any
		azp       any
		code      delegation.Code
	}{
		{"itself by default", nil, app, nil, ""},
		{"another application by default", nil, "other", nil, delegation.CodeAudienceNotAllowed},
		{"a list of one", nil, []any{app}, nil, ""},
		{"listed", []string{"one", "two"}, "two", nil, ""},
		{"itself is not listed", []string{"one", "two"},
			app, nil, delegation.CodeAudienceNotAllowed},
		{"of several audiences azp decides", nil, []any{"other", app}, app, ""},
		{"of several audiences azp decides against", nil, []any{"other", app},
			"other", delegation.CodeAudienceNotAllowed},
		{"another case", nil, strings.ToUpper(app), nil, delegation.CodeAudienceNotAllowed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := attempt(t, map[string]any{"aud": test.aud, "azp": test.azp},
				func(target *delegation.Target) { target.Audiences = test.audiences })
			if test.code != "" {
				wantError(t, err, delegation.StageTarget, test.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTargets_SeveralIssuers(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	one.config.Issuers = append(one.config.Issuers, two.config.Issuers...)
	t.Run("New refuses a map without Issuers", func(t *testing.T) {
		_, err := delegation.New(t.Context(), one.config)
		e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(e.Error(), `Targets["photo-app"]`) ||
			!strings.Contains(e.Error(), "Issuers") {
			t.Errorf("the error does not name the field: %v", e)
		}
	})
	t.Run("a source without Issuers is refused at run time", func(t *testing.T) {
		one.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
			return sharedTarget(), nil
		})
		_, err := one.exchange(t, nil)
		wantError(t, err, delegation.StageTarget, delegation.CodeIssuerNotAllowed)
	})
	t.Run("each target takes its own issuer's tokens only", func(t *testing.T) {
		target := *sharedTarget()
		target.Issuers = []string{two.url}
		one.config.Targets = delegation.Targets{app: target}
		d := one.delegator(t)
		if _, err := d.Exchange(t.Context(), two.token(nil), app); err != nil {
			t.Error(err)
		}
		_, err := d.Exchange(t.Context(), one.token(nil), app)
		wantError(t, err, delegation.StageTarget, delegation.CodeIssuerNotAllowed)
	})
}

func TestWithClientID(t *testing.T) {
	tests := []struct {
		name   string
		id     string
		aud    any
		azp    any
		code   delegation.Code
		client string // what rules see
	}{
		{"none", "", app, nil, "", app},
		{"the audience", app, app, nil, "", app},
		{"another application", "other", app, nil, delegation.CodeClientMismatch, ""},
		{"another case", "Photo-App", app, nil, delegation.CodeClientMismatch, ""},
		{"one of several audiences", "api", []any{"api", app}, app, "", app},
		{"azp, among several audiences", app, []any{"api", app}, app, "", app},
		{"azp, which may not call the target", "spa", app, "spa",
			delegation.CodeAudienceNotAllowed, ""},
		{"none of several", "other", []any{"api", app}, app, delegation.CodeClientMismatch, ""},
		{"the target, which is another application", app, "other", nil,
			delegation.CodeClientMismatch, ""},
		{"the audience, which may not call the target", "other", "other", nil,
			delegation.CodeAudienceNotAllowed, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			client := ""
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				client = rc.ClientID
				return nil
			}}
			_, err := w.delegator(t).Exchange(t.Context(),
				w.token(map[string]any{"aud": test.aud, "azp": test.azp}), app,
				delegation.WithClientID(test.id))
			if test.code != "" {
				wantError(t, err, delegation.StageTarget, test.code)
			} else if err != nil {
				t.Error(err)
			}
			if client != test.client {
				t.Errorf("rules saw %q, want %q", client, test.client)
			}
		})
	}
}

// TestWithClientID_SaysWhose: the operator reads whose token it is, in the error and in the log;
// strangers do not.
func TestWithClientID_SaysWhose(t *testing.T) {
	long := strings.Repeat("x", 4096)
	for name, row := range map[string]struct {
		id       string
		aud, azp any
		want     string
	}{
		"the audience": {"other", app, nil,
			`that it is the application "other", but the token was issued to "photo-app", ` +
				`for the audience "photo-app"`},
		"azp": {"other", []any{"api", app}, "spa",
			`"other", but the token was issued to "spa", for the audience "api photo-app"`},
		"long names": {long + "y", []any{long, app}, long,
			`"` + long[:80] + `", but the token was issued to "` + long[:80] +
				`", for the audience "` + long[:200] + `" (client_mismatch)`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var log strings.Builder
			w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
			token := w.token(map[string]any{"aud": row.aud, "azp": row.azp})
			_, err := w.delegator(t).Exchange(t.Context(), token, app,
				delegation.WithClientID(row.id))
			e := wantError(t, err, delegation.StageTarget, delegation.CodeClientMismatch)
			if !strings.Contains(e.Error(), row.want) {
				t.Errorf("got %v, want %s", e, row.want)
			}
			if !strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), row.want) {
				t.Errorf("the log is %s", log.String())
			}
			if e.Public() != "this application may not use the target" {
				t.Errorf("strangers see %q", e.Public())
			}
		})
	}
}

// TestTargets_OwnIdentity holds that a target with a SAML identity of its own signs with that and
// with nothing else.
func TestTargets_OwnIdentity(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Identity = &delegation.IdentityProvider{
			EntityID: "urn:own.example.com",
			Keys:     []delegation.SigningKey{nextKey()},
		}
		target.SAMLRecipient = "https://recipient.example.com/saml"
		target.SAMLAudience = "urn:audience"
	})
	credentials, err := w.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	document := responseOf(w.last())
	if credentials.Issuer != "urn:own.example.com" {
		t.Errorf("issued by %q", credentials.Issuer)
	}
	got := document.FindElement("//saml:SubjectConfirmationData").SelectAttrValue("Recipient", "")
	if got != "https://recipient.example.com/saml" {
		t.Errorf("the recipient is %q", got)
	}
	if got := document.FindElement("//saml:Audience").Text(); got != "urn:audience" {
		t.Errorf("the audience is %q", got)
	}
}

// TestNew_NamesEveryWrongFieldAtOnce holds it for targets; other fields have their own tests.
func TestNew_NamesEveryWrongFieldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.config.Targets = delegation.Targets{
		"": {}, "good": *sharedTarget(),
		"bad": {
			AWS: delegation.AWS{
				Principal:       role,
				Role:            principal,
				Region:          "mars-north-1",
				FailoverRegions: []string{"eu-west-1", "venus-1"},
			},
			Issuers:      []string{w.url, "https://evil.example.com"},
			AllowedRoles: []string{role, "x", "y"}, Identity: &delegation.IdentityProvider{},
		},
	}
	w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail(), nil}
	_, err := delegation.New(t.Context(), w.config)
	e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	for _, field := range []string{
		`Targets[""]`, "the name is empty", `Targets["bad"]`, "Principal", "Role", `"mars-north-1"`,
		`FailoverRegions: "venus-1"`, `"https://evil.example.com"`, "AllowedRoles[1]",
		"AllowedRoles[2]",
		"Identity: EntityID", "Keys", "Rules[1]",
	} {
		if !strings.Contains(e.Error(), field) {
			t.Errorf("%s is not named in: %v", field, e)
		}
	}
	for _, field := range []string{`Targets["good"]`, "AllowedRoles[0]", "Rules[0]"} {
		if strings.Contains(e.Error(), field) {
			t.Errorf("%s is right, and named in: %v", field, e)
		}
	}
	if strings.Contains(e.Public(), "bad") {
		t.Errorf("Public says too much: %s", e.Public())
	}
}

// TestFIPS_OfARulesRegion holds that a region which a rule chose is checked for FIPS like a
// target's own.
func TestFIPS_OfARulesRegion(t *testing.T) {
	for region, code := range map[string]delegation.Code{
		"us-east-1": "", "us-west-2": "", "eu-central-1": delegation.CodeRegionInvalid,
		"ca-central-1": delegation.CodeRegionInvalid,
	} {
		w := newWorld(t)
		w.config.FIPS = true
		w.target(func(target *delegation.Target) { target.Region = "us-east-1" })
		w.config.Rules = []delegation.RuleFunc{func(
			_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
		) error {
			rc.AWS.Region = region
			return nil
		}}
		_, err := w.exchange(t, nil)
		if code == "" {
			if err != nil {
				t.Errorf("%s: %v", region, err)
			}
			continue
		}
		wantError(t, err, delegation.StageDecision, code)
		if len(w.sent) > 0 {
			t.Errorf("%s: AWS was asked", region)
		}
	}
	w := newWorld(t)
	w.config.FIPS = true
	_, err := delegation.New(t.Context(), w.config)
	e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	if !strings.Contains(e.Error(), "Region") || !strings.Contains(e.Error(), "eu-central-1") {
		t.Errorf("the error does not name the region: %v", e)
	}
}
