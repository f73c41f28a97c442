package setup

import "strings"

// Descriptions of outputs, in both languages.
const (
	aboutPrincipal = "ARN of the SAML provider, the principal of the targets in the configuration"
	aboutUUID      = "UUID of the SAML provider, for saml_provider_uuid in the configuration"
	aboutRole      = "ARN of the role, the role of the target in the configuration"
)

// providerTags and roleTags say where a resource comes from. The tag has the target's short name,
// because the full name may have characters that tags cannot have (IAM API Reference, Tag).
func providerTags() object { return object{{"ManagedBy", "delegation"}} }

func (s *Resources) roleTags() object {
	return append(providerTags(), member{"DelegationTarget", shortName(s.Target)})
}

// referring is the trust policy with a reference to the SAML provider in place of its ARN. If a
// recipient ends with the configured UUID, the reference replaces the UUID too.
func (s *Resources) referring(
	trust object, provider any, recipient func(upToUUID string) any,
) object {
	return replaceTexts(trust, "", func(name, text string) any {
		if name == "Federated" && text == s.Principal.String() {
			return provider
		}
		address, hasUUID := strings.CutSuffix(text, "/acs/"+s.UUID)
		if name == "SAML:aud" && s.UUID != "" && hasUUID {
			return recipient(address + "/acs/")
		}
		return text
	}).(object)
}

// replaceTexts returns a copy of a value in which by replaces each text. by also gets the name of
// the member that has the text, alone or in a list.
func replaceTexts(value any, name string, by func(name, text string) any) any {
	switch v := value.(type) {
	case object:
		replaced := make(object, len(v))
		for i, m := range v {
			replaced[i] = member{m.name, replaceTexts(m.value, m.name, by)}
		}
		return replaced
	case []any:
		replaced := make([]any, len(v))
		for i, element := range v {
			replaced[i] = replaceTexts(element, name, by)
		}
		return replaced
	case string:
		return by(name, v)
	}
	return value
}
