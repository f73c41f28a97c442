package main

import (
	"strings"
	"testing"
)

// issuerConfig is a good configuration with an issuer's keys in it.
func issuerConfig(issuer string) string {
	return `issuers:
  - ` + strings.ReplaceAll(strings.TrimSpace(issuer), "\n", "\n    ") + `
identity_provider:
  entity_id: urn:tenant.example.com
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
    subjects_are_one: true
`
}

// TestSettings_IssuerNames: the keys for an issuer's names and tenants reach the library, whose
// complaints name them by line and key.
func TestSettings_IssuerNames(t *testing.T) {
	w := newWorld(t)
	w.write(t, "keys.json", string(w.provider.KeySet()))
	for name, test := range map[string]struct {
		issuer string
		want   []string // none: it is fine
	}{
		"tenants": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0
discovery_url: https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration
tenants: [11111111-2222-3333-4444-555555555555]`, nil},
		"aliases": {`
url: https://accounts.google.com
aliases: [accounts.google.com]`, nil},
		"any tenant": {`
url: https://{org}.idp.example.com
tenant_claim: org_id
unsafe_any_tenant: true
jwks_file: keys.json`, nil},

		"no tenants": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0`,
			[]string{`issuers[0].tenants: is empty, and url of the issuer has a placeholder`}},
		"a tenant by its domain": {`
url: https://login.microsoftonline.com/{tenantid}/v2.0
tenants: [contoso.onmicrosoft.com]`,
			[]string{`delegation.yaml:3: issuers[0].tenants[0]: "contoso.onmicrosoft.com" is not`}},
		"no placeholder": {`
url: https://login.microsoftonline.com/common/v2.0
tenants: [11111111-2222-3333-4444-555555555555]
aliases: [x]
unsafe_any_tenant: true
tenant_claim: org`,
			[]string{"issuers[0].tenants: is for", "issuers[0].aliases[0]: ",
				"issuers[0].unsafe_any_tenant: is for", "issuers[0].tenant_claim: is for"}},
		"discovery by http": {`
url: https://tenant.example.com
discovery_url: http://tenant.example.com`,
			[]string{"delegation.yaml:3: issuers[0].discovery_url: "}},
		"an unknown key": {`
url: https://tenant.example.com
tenant: x`, []string{"issuers[0].tenant: unknown key"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadAndBuild(t, w.write(t, "delegation.yaml", issuerConfig(test.issuer)))
			if err == nil && test.want == nil {
				return
			}
			if err == nil || test.want == nil {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			said := oneLine(err)
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in %s", want, said)
				}
			}
		})
	}
}
