package auth0export

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names of the files and folders that an import writes.
const (
	rulesFolder    = "rules"
	disabledFolder = "disabled"
	valuesFile     = "configuration.yaml"
	reportFile     = "report.txt"

	keyFile         = "signing.key"
	certificateFile = "signing.crt"
)

// configuration is delegation.yaml.
func (p *Plan) configuration() string {
	var b strings.Builder
	b.WriteString(`# Written by delegation import-auth0. docs/configuration.md describes every key,
# and docs/cli.md the commands that read this file.
listen: 127.0.0.1:8080

issuers:
`)
	fmt.Fprintf(&b, "  - url: %s\n", quoted("https://"+p.domain+"/"))
	if len(p.customDomains) > 0 {
		b.WriteString("    # Tokens that were issued through the tenant's custom domains.\n")
		fmt.Fprintf(&b, "    aliases: [%s]\n", strings.Join(p.aliases(), ", "))
	}
	fmt.Fprintf(&b, `
identity_provider:
  # Auth0's entity ID, which trust policies know as SAML:iss.
  entity_id: %s
  keys:
    - {certificate_file: %s, key_file: %s}

targets:
`, quoted(p.EntityID()), certificateFile, keyFile)
	for _, c := range p.targets {
		b.WriteString(p.target(c))
	}
	if p.running() > 0 {
		b.WriteString(p.javaScript())
	} else {
		b.WriteString("\n# There are no rules: every user of a target's client gets its role.\n")
	}
	return b.String()
}

// EntityID is the entity ID that Auth0 used.
func (p *Plan) EntityID() string { return "urn:" + p.domain }

// aliases are the issuers of the custom domains.
func (p *Plan) aliases() (list []string) {
	for _, domain := range p.customDomains {
		list = append(list, quoted("https://"+domain+"/"))
	}
	return list
}

// running returns the number of rules that run.
func (p *Plan) running() (count int) {
	for _, r := range p.rules {
		if r.state == StateReady || r.state == StateNeeds {
			count++
		}
	}
	return count
}

// target are the lines of one target.
func (p *Plan) target(c Client) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:", quoted(c.ID))
	if c.Name != "" {
		fmt.Fprintf(&b, " # %s", quoted(c.Name))
	}
	fmt.Fprintf(&b, "\n    audiences: [%s]\n", quoted(c.ID))
	addOn := AddOn{Region: p.region}
	if c.AWS != nil {
		addOn = *c.AWS
		if addOn.Region == "" {
			addOn.Region = p.region
		}
	}
	for _, setting := range []struct{ name, value string }{
		{"principal", addOn.Principal}, {"role", addOn.Role}, {"region", addOn.Region},
	} {
		if setting.value == "" {
			fmt.Fprintf(&b, "    # The rules set the %s.\n", setting.name)
			continue
		}
		fmt.Fprintf(&b, "    %s: %s\n", setting.name, quoted(setting.value))
	}
	if addOn.Lifetime > 0 {
		fmt.Fprintf(&b, "    session_duration: %ds\n", int(addOn.Lifetime.Seconds()))
	}
	return b.String()
}

// javaScript are the lines about the rules.
func (p *Plan) javaScript() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nrules:\n  - javascript:\n      folder: %s\n      domain: %s\n",
		rulesFolder, quoted(p.domain))
	if p.hasValues() {
		fmt.Fprintf(&b, "      configuration_file: %s\n", valuesFile)
	}
	context := p.context()
	if len(context) > 0 {
		b.WriteString("      # What a token does not tell about its client.\n      context:\n")
	}
	for _, line := range context {
		b.WriteString("        " + line + "\n")
	}
	return b.String()
}

// hasValues tells whether the import writes a file of values.
func (p *Plan) hasValues() bool { return len(p.values)+len(p.missing) > 0 && p.running() > 0 }

// context returns the lines about the properties that rules find in context, one for each target.
func (p *Plan) context() (lines []string) {
	for _, c := range p.targets {
		supplied := map[string]any{}
		if c.Name != "" {
			supplied["clientName"] = c.Name
		}
		if c.known {
			supplied["clientMetadata"] = c.Metadata
		}
		if len(supplied) > 0 {
			lines = append(lines, quoted(c.ID)+": "+flow(supplied))
		}
	}
	return lines
}

// flow writes a value of JSON as YAML on one line.
func flow(value any) string {
	switch v := value.(type) {
	case string:
		return quoted(v)
	case json.Number:
		return v.String()
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, flow(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, quoted(name)+": "+flow(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(value) // true or false
}
