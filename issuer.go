package delegation

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// hasTenants tells whether the issuer is a template.
func (i *Issuer) hasTenants() bool { return idtoken.IsTemplate(i.URL) }

// tenantClaim is the claim that names a token's tenant.
func (i *Issuer) tenantClaim() string { return cmp.Or(i.TenantClaim, idtoken.EntraTenantClaim) }

// template returns the template of an issuer with tenants, and nil of any other or a wrong one.
func (i *Issuer) template() *idtoken.Template {
	if !i.hasTenants() {
		return nil
	}
	template, err := idtoken.ParseTemplate(i.URL, i.tenantClaim())
	if err != nil {
		return nil
	}
	return template
}

// accepts are the iss claims that the issuer accepts, as far as they can be listed.
func (i *Issuer) accepts() []string {
	if !i.hasTenants() {
		return append([]string{i.URL}, i.Aliases...)
	}
	return i.nameSpaces()
}

// nameSpaces are those within which the issuer's subjects are unique, by the URL that rules and
// events get. It is one, or one for each tenant. That of any tenant is the template's text.
func (i *Issuer) nameSpaces() []string {
	template := i.template()
	if template == nil || len(i.Tenants) == 0 {
		return []string{i.URL}
	}
	var urls []string
	for _, tenant := range i.Tenants {
		urls = append(urls, template.Fill(tenant))
	}
	return urls
}

// is tells whether a URL of Target.Issuers means the issuer, or one of its tenants.
func (i *Issuer) is(url string) bool {
	if i.URL == url || slices.Contains(i.nameSpaces(), url) {
		return true
	}
	template := i.template()
	if template == nil || !i.UnsafeAnyTenant {
		return false
	}
	_, ok := template.Tenant(url)
	return ok
}

// checkNames checks URL, and what else a token's iss may be.
func (i *Issuer) checkNames(problems *problems) {
	if i.hasTenants() {
		i.checkTenants(problems)
		return
	}
	i.checkURL(i.URL, problems)
	i.checkAliases(problems)
	for _, set := range []struct {
		field string
		is    bool
	}{
		{"Tenants", len(i.Tenants) > 0},
		{"UnsafeAnyTenant", i.UnsafeAnyTenant},
		{"TenantClaim", i.TenantClaim != ""},
	} {
		if set.is {
			problems.add("%s is for an Issuer.URL with a placeholder, such as "+
				"https://login.microsoftonline.com/{tenantid}/v2.0", set.field)
		}
	}
}

func (i *Issuer) checkURL(url string, problems *problems) {
	if err := i.allowed().Check(url); err != nil {
		problems.add("URL: %w", err)
		return
	}
	if strings.Contains(url, "?") { // OpenID Connect Discovery §2
		problems.add("URL: %.200q has a query", url)
	}
}

// checkAliases checks that an alias is as good as a URL. Without its scheme only URL itself may be
// one, as Google writes it.
func (i *Issuer) checkAliases(problems *problems) {
	for n, alias := range i.Aliases {
		bare, https := strings.CutPrefix(i.URL, "https://")
		if https && alias == bare {
			continue
		}
		if idtoken.IsTemplate(alias) {
			problems.add("Aliases[%d]: %.200q has a placeholder, which only Issuer.URL can have",
				n, alias)
			continue
		}
		if err := i.allowed().Check(alias); err != nil {
			problems.add("Aliases[%d]: %w, or Issuer.URL without https://", n, err)
		}
	}
}

// checkTenants checks an issuer whose URL is a template.
func (i *Issuer) checkTenants(problems *problems) {
	if len(i.Aliases) > 0 {
		problems.add("Aliases are for an issuer without tenants: give each alias its own issuer")
	}
	if len(i.Tenants) == 0 && !i.UnsafeAnyTenant {
		problems.add("Tenants is empty, and Issuer.URL has a placeholder: list the tenants whose " +
			"tokens are accepted")
	}
	if len(i.Tenants) > 0 && i.UnsafeAnyTenant {
		problems.add("set only one of Issuer.Tenants and Issuer.UnsafeAnyTenant")
	}
	i.checkTenantKeys(problems)
	template, err := idtoken.ParseTemplate(i.URL, i.tenantClaim())
	if err != nil {
		problems.add("URL: %w", err)
		return
	}
	i.checkURL(template.Fill("tenant"), problems)
	for n, tenant := range i.Tenants {
		if err := template.CheckTenant(tenant); err != nil {
			problems.add("Tenants[%d]: %w", n, err)
		}
		if slices.Contains(i.Tenants[:n], tenant) {
			problems.add("Tenants[%d]: %.80q is configured twice", n, tenant)
		}
	}
}

// checkTenantKeys checks that the keys of an issuer with tenants are found at addresses that no
// token has a part in.
func (i *Issuer) checkTenantKeys(problems *problems) {
	if i.SharedSecret.Reveal() != "" {
		problems.add("SharedSecret is for an issuer without tenants: it is one client's")
	}
	if i.UnsafeAnyTenant && i.DiscoveryURL == "" && i.JWKSURL == "" && len(i.JWKS) == 0 {
		problems.add("UnsafeAnyTenant needs one place for the keys of all tenants: " +
			"set one of Issuer.DiscoveryURL, Issuer.JWKSURL and Issuer.JWKS")
	}
}

// checkOverlaps checks that no iss is accepted by two issuers.
func (c *Config) checkOverlaps(problems *problems) {
	accepted := map[string]bool{}
	for n := range c.Issuers {
		issuer := &c.Issuers[n]
		for _, iss := range issuer.accepts() {
			if accepted[iss] {
				problems.add("Issuers[%d]: URL %q is configured twice", n, iss)
			}
			accepted[iss] = true
		}
	}
	for n := range c.Issuers {
		template := c.Issuers[n].template()
		if template == nil || !c.Issuers[n].UnsafeAnyTenant {
			continue
		}
		for m := range c.Issuers {
			if m != n && c.Issuers[m].isAmong(template) {
				problems.add("Issuers[%d]: UnsafeAnyTenant accepts tokens of Issuers[%d] too", n, m)
			}
		}
	}
}

// isAmong tells whether an iss that the issuer accepts is one of the template, too.
func (i *Issuer) isAmong(template *idtoken.Template) bool {
	if own := i.template(); own != nil && i.UnsafeAnyTenant {
		return template.Overlaps(own)
	}
	return slices.ContainsFunc(i.accepts(), func(iss string) bool {
		_, ok := template.Tenant(iss)
		return ok
	})
}

// issuerOf returns the issuer of verified claims.
func (c *Config) issuerOf(claims *idtoken.Claims) *Issuer {
	for i := range c.Issuers {
		if c.Issuers[i].URL == claims.Entry {
			return &c.Issuers[i]
		}
	}
	return nil
}

// shared returns what is known of the strangers who can get tokens of the issuer. For an issuer
// that accepts every tenant, those are the users and the administrator of any tenant. For one whose
// tenants are listed, those are the strangers of a tenant that anybody can join.
func (i *Issuer) shared() (sharedissuer.Issuer, bool) {
	if i.UnsafeAnyTenant {
		return sharedissuer.OfAnyTenant(i.URL, i.tenantClaim()), true
	}
	for _, url := range i.nameSpaces() {
		if found, ok := sharedissuer.Find(url); ok {
			return found, true
		}
	}
	return sharedissuer.Issuer{}, false
}

// sharedAt is shared for the one name space of a token's subject.
func (i *Issuer) sharedAt(nameSpace string) (sharedissuer.Issuer, bool) {
	if len(i.Tenants) > 0 {
		return sharedissuer.Find(nameSpace)
	}
	return i.shared()
}
