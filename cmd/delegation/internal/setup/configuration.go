package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// configuration is delegation.yaml.
func (i *Answers) configuration() string {
	return fmt.Sprintf(`# Written by delegation init. docs/configuration.md describes every key,
# and docs/cli.md the commands that read this file.
listen: 127.0.0.1:8080

issuers:
  - url: %s%s

identity_provider:
  entity_id: %s
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}

targets:
  %s:
    audiences: [%s]
    principal: %s
    role: %s
    region: %s
%s%s`,
		inQuotes(i.Issuer), i.issuerSettings(), inQuotes(i.EntityID), inQuotes(i.Target),
		inQuotes(i.ClientID), inQuotes(i.PrincipalARN()), inQuotes(i.RoleARN()),
		inQuotes(i.Region), i.targetSettings(), i.rules())
}

// issuerSettings are the issuer's lines after its URL.
func (i *Answers) issuerSettings() string {
	p := cmp.Or(i.known(), &provider{})
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, "\n    "+format, args...) }
	if strings.HasPrefix(i.Issuer, "http:") {
		add("allow_loopback_http: true")
	}
	if at := i.discoveryURL(); at != "" {
		add("discovery_url: %s", inQuotes(at))
	}
	if i.JWKSURL != "" {
		add("jwks_url: %s", inQuotes(i.JWKSURL))
	}
	if i.JWKSFile != "" {
		add("jwks_file: %s", inQuotes(i.JWKSFile))
	}
	if i.Issuer == severalTenants {
		add("tenants: %s", list(i.tenants()))
	}
	if aliases := i.aliases(); len(aliases) > 0 {
		add("aliases: %s", list(aliases))
	}
	algorithms := i.algorithms
	if len(algorithms) == 0 {
		algorithms = p.algorithms
	}
	if len(algorithms) > 0 {
		add("algorithms: %s", list(algorithms))
	}
	if p.manyAudiences {
		add("client_audiences: %s", list([]string{i.ClientID}))
	}
	if p.verifiedText {
		add("email_verified_text: true")
	}
	return b.String() + i.requiredClaims(p)
}

// aliases are further iss claims of the issuer: those of the provider, and those from --alias.
func (i *Answers) aliases() []string {
	p := cmp.Or(i.known(), &provider{})
	return slices.Concat(p.aliases, i.Aliases)
}

// requiredClaims are the lines about claims that every token of the issuer must have. Several
// patterns of one claim are alternatives.
func (i *Answers) requiredClaims(p *provider) string {
	all := i.required()
	if len(all) == 0 && p.gate.flag == "" {
		return ""
	}
	if len(all) == 0 {
		return fmt.Sprintf("\n    # To let in only some, remove the # and name them."+
			"\n    #required_claims: {%s: [%s]}", inQuotes(p.gate.claim),
			strings.ToUpper(p.gate.flag))
	}
	var claims []string
	patterns := map[string][]string{}
	for _, r := range all {
		if patterns[r.claim] == nil {
			claims = append(claims, r.claim)
		}
		patterns[r.claim] = append(patterns[r.claim], r.pattern)
	}
	var b strings.Builder
	b.WriteString("\n    # Who gets access: each claim must match its pattern. Rules come after." +
		"\n    required_claims:")
	for _, claim := range claims {
		fmt.Fprintf(&b, "\n      %s: %s", inQuotes(claim), list(patterns[claim]))
	}
	return b.String()
}

// list writes texts as a list of YAML.
func list(texts []string) string {
	var quoted []string
	for _, text := range texts {
		quoted = append(quoted, inQuotes(text))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// targetSettings are the last lines of the target. Entra makes a sub for the application and the
// user, so it identifies one user in all tenants.
func (i *Answers) targetSettings() string {
	settings := "    # The role's policy names folders after the subject. " +
		"See docs/subjects-with-slashes.md.\n" +
		"    subject_as_folder: true\n"
	if p := i.known(); p != nil && p.slashes {
		settings += "    name_id_encoding: escaped\n"
	}
	if i.Issuer == severalTenants {
		settings += "    subjects_are_one: true\n"
	}
	return settings
}

// rules are the lines about rules.
func (i *Answers) rules() string {
	p := i.known()
	if p != nil && !p.verifiedEmail {
		return `
# There are no rules: every ID token that passes the checks above gets the role. Tokens of this
# provider do not say that an email address is verified, so require_verified_email would refuse
# everybody.
`
	}
	if p != nil {
		return `
# A user who passes all rules gets the role. Without this rule, every ID token of the client that
# passes the checks above is enough.
rules:
  - require_verified_email: true
`
	}
	return `
# A user who passes all rules gets the role. Without this rule, every ID token of the client is
# enough. It refuses everybody if the provider's tokens have no email_verified: delete it then, and
# say who gets access with required_claims of the issuer.
rules:
  - require_verified_email: true
`
}
