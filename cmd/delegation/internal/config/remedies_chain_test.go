package config_test

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	hubRole  = "arn:aws:iam::222222222222:role/hub"
	lastRole = "arn:aws:iam::333333333333:role/reader"
)

// chainRemedies are of targets that lead to a role in another account.
func chainRemedies() []remedy {
	rows := []remedy{
		{
			of:   "a chain of users",
			with: withChain("user"),
			do:   chainOf("", hubRole, lastRole),
		},
		{
			of:   "a chain in another partition",
			with: withChain(hubRole, "arn:aws-cn:iam::333333333333:role/reader"),
			do:   chainOf("", hubRole, lastRole),
		},
		{
			of:   "a long chain",
			with: withChain(hubRole, hubRole, hubRole, hubRole, hubRole, lastRole),
			do:   chainOf("", hubRole, lastRole),
		},
		{
			of:   "a short external ID",
			with: overlaid(chainOf("x", hubRole, lastRole), identified()),
			do:   chainOf("photos", hubRole, lastRole),
		},
		{
			of: "a long session at the end of a chain",
			with: overlaid(withChain(hubRole, lastRole), settings{
				"AWS.SessionDuration": 2 * time.Hour,
			}),
			do: settings{"AWS.SessionDuration": time.Hour},
		},
		{
			of:   "a chain without a source identity",
			with: chainOf("", hubRole, lastRole),
			do:   identified(),
		},
		{
			of: "an STS that cannot chain",
			with: overlaid(withChain(hubRole, lastRole), settings{
				"Config.STS": told(func(s *scene) any { return samlOnly{s.Config.STS} }),
			}),
			do:     settings{"Config.STS": told(func(s *scene) any { return s.Config.STS })},
			onlyGo: true,
		},
		{
			of:   "a chain of another partition than the role that a rule chooses",
			code: delegation.CodeChainInvalid,
			with: overlaid(chainOf("", "arn:aws-cn:iam::222222222222:role/hub"), settings{
				"AWS.Role":     nil,
				"Config.Rules": rulesOf(choosesRole(), identifies()),
			}),
			do: chainOf("", hubRole, lastRole),
		},
		{
			of:   "a mapping to a long session at the end of a chain",
			code: delegation.CodeChainDuration,
			with: overlaid(withChain(hubRole, lastRole), settings{
				"AWS.Mappings": both{
					delegation.Mappings{delegation.AttributeSessionDuration: "seconds"},
					map[string]any{delegation.AttributeSessionDuration: "seconds"},
				},
			}),
			scene: func(s *scene) {
				s.chains()
				s.sign(map[string]any{"seconds": 7200})
			},
			do: settings{"AWS.SessionDuration": time.Hour},
		},
		{
			of:   "a rule that sets no source identity",
			code: delegation.CodeChainSourceIdentity,
			with: overlaid(chainOf("", hubRole, lastRole), settings{
				"Config.Rules": rulesOf(choosesRole()),
			}),
			do: identified(),
		},
		{
			of:   "a token that ends soon",
			code: delegation.CodeChainTokenEnds,
			with: overlaid(withChain(hubRole, lastRole), settings{
				"Config.CapSessionToToken": true,
			}),
			scene: func(s *scene) {
				s.chains()
				s.sign(map[string]any{"exp": s.Clock.Now().Add(10 * time.Minute).Unix()})
			},
			do: settings{"Config.CapSessionToToken": nil},
		},
	}
	for i := range rows {
		if rows[i].code == "" {
			rows[i].code = delegation.CodeConfigInvalid
		}
		if rows[i].scene == nil {
			rows[i].scene = (*scene).chains
		}
	}
	return rows
}

// samlOnly is an STS without AssumeRole.
type samlOnly struct{ sts delegation.STS }

func (s samlOnly) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, options ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	return s.sts.AssumeRoleWithSAML(ctx, in, options...)
}

// withChain is a chain and the rule that it needs.
func withChain(roles ...string) settings { return overlaid(chainOf("", roles...), identified()) }

// chainOf is a chain of the roles, whose last has an external ID unless that is empty.
func chainOf(externalID string, roles ...string) settings {
	var inGo []delegation.ChainedRole
	var inYAML []any
	for i, role := range roles {
		id := ""
		if i == len(roles)-1 {
			id = externalID
		}
		inGo = append(inGo, delegation.ChainedRole{RoleARN: role, ExternalID: id})
		inYAML = append(inYAML, map[string]any{"role_arn": role, "external_id": id})
	}
	return settings{"Target.Chain": both{inGo, inYAML}}
}

// identified has the one rule of [identifies].
func identified() settings { return settings{"Config.Rules": rulesOf(identifies())} }

// identifies sets the source identity. The claim is one that each token of a scene has.
func identifies() both {
	return both{
		delegation.SourceIdentityFromClaim("aud"),
		map[string]any{"source_identity_from_claim": "aud"},
	}
}

// choosesRole chooses the role of a scene.
func choosesRole() both {
	row := delegation.RoleMatch{Pattern: ".*", Role: delegationtest.Role}
	return both{
		must(delegation.RoleByClaim("sub", row)),
		map[string]any{"role_by_claim": map[string]any{
			"claim": "sub",
			"roles": []any{map[string]any{"match": row.Pattern, "role": row.Role}},
		}},
	}
}

// rulesOf is a list of rules.
func rulesOf(rules ...both) both {
	var inGo []delegation.RuleFunc
	var inYAML []any
	for _, rule := range rules {
		inGo = append(inGo, rule.inGo.(delegation.RuleFunc))
		inYAML = append(inYAML, rule.inYAML)
	}
	return both{inGo, inYAML}
}

// chains lets the role assume the hub, and that the last role.
func (s *scene) chains() {
	may := func(next string) []string {
		return []string{`{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Action": "sts:*", "Resource": "` + next + `"}}`}
	}
	trusts := func(before string) string {
		return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Principal": {"AWS": "` + before + `"}, "Action": "sts:*"}}`
	}
	for _, r := range []ststest.Role{
		{
			ARN:         delegationtest.Role,
			TrustPolicy: delegationtest.TrustPolicy,
			Policies:    may(hubRole),
		},
		{ARN: hubRole, TrustPolicy: trusts(delegationtest.Role), Policies: may(lastRole)},
		{ARN: lastRole, TrustPolicy: trusts(hubRole)},
	} {
		if err := s.STS.PutRole(r); err != nil {
			s.t.Fatal(err)
		}
	}
}
