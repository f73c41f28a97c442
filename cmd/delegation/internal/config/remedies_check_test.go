package config_test

import (
	"slices"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// checkRemedies are of what Check finds in targets and keys, without a token.
func checkRemedies() []remedy {
	return []remedy{
		{
			of:    "no role, and no rule for one",
			code:  delegation.CodeRoleInvalid,
			with:  settings{"AWS.Role": nil},
			scene: isChecked,
			do:    settings{"AWS.Role": delegationtest.Role},
		},
		{
			of:    "no SAML provider, and no rule for one",
			code:  delegation.CodeRoleInvalid,
			with:  settings{"AWS.Principal": nil},
			scene: isChecked,
			do:    settings{"AWS.Principal": delegationtest.Principal},
		},
		{
			of:    "no region, and no rule for one",
			code:  delegation.CodeRegionInvalid,
			with:  settings{"AWS.Region": nil},
			scene: isChecked,
			do:    settings{"AWS.Region": delegationtest.Region},
		},
		{
			of:    "the recipient of another partition",
			code:  codeWarning,
			with:  settings{"Target.SAMLRecipient": "https://signin.amazonaws.cn/saml"},
			scene: warns,
			do:    settings{"Target.SAMLRecipient": nil},
		},
		{
			of:    "the audience of another partition",
			code:  codeWarning,
			with:  settings{"Target.SAMLAudience": "urn:amazon:webservices:cn-north-1"},
			scene: warns,
			do:    settings{"Target.SAMLAudience": nil},
		},
		{
			of:    "a key twice",
			code:  codeWarning,
			with:  settings{"IdentityProvider.Keys": told(signingKeyTwice)},
			scene: warns,
			do:    settings{"IdentityProvider.Keys": told(signingKeys)},
		},
	}
}

// isChecked comes to the refusal without a token.
func isChecked(s *scene) { s.check = true }

// warns comes to a warning.
func warns(s *scene) { s.warns = true }

// withNameID has the target's mapping set the NameID.
func withNameID(with settings) settings {
	targets := with["Config.Targets"].(both)
	mapped := targets.inGo.(delegation.Targets)[app]
	mapped.Mappings = mappings(nameIDMapping, "email")
	mapped.NameIDFromMapping = true
	targets.inGo.(delegation.Targets)[app] = mapped
	inYAML := targets.inYAML.(map[string]any)[app].(map[string]any)
	inYAML["mappings"] = mapped.Mappings
	inYAML["name_id_from_mapping"] = true
	return with
}

// signingKeyTwice are two keys that are one.
func signingKeyTwice(s *scene) any {
	once := signingKeys(s).(both)
	return both{
		slices.Repeat(once.inGo.([]delegation.SigningKey), 2),
		slices.Repeat(once.inYAML.([]any), 2),
	}
}
