package idtoken

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Template is the issuer URL of a provider that has one for each of its tenants, such as Entra's
// https://login.microsoftonline.com/{tenantid}/v2.0. Its one placeholder is a whole segment of the
// path, or the first label of the host: a tenant can then change nothing else of the URL. Only
// [ParseTemplate] makes one.
type Template struct {
	text, before, after string
	placeholder         string // with its braces
	inHost              bool
	guid                bool // its tenants are GUIDs
}

// EntraTenantClaim is the claim that names the tenant in Microsoft Entra's tokens.
const EntraTenantClaim = "tid"

var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{[A-Za-z]{1,40}\}`)
})

// A tenant is compared as a text, and becomes a piece of a URL. So it has nothing that a URL could
// read in two ways: no dot, slash, percent sign or letter that has another spelling.
var (
	pathTenant = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9_-]{0,127}\z`)
	})
	hostTenant = sync.OnceValue(func() *regexp.Regexp { // RFC 1123 §2.1
		return regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)
	})
	guid = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`)
	})
)

// IsTemplate tells whether an issuer URL is meant as a template. No URL has a brace.
func IsTemplate(issuer string) bool { return strings.ContainsAny(issuer, "{}") }

// ParseTemplate checks a template. If tokens name their tenant in Entra's claim, tenants are GUIDs.
func ParseTemplate(issuer, claim string) (*Template, error) {
	found := placeholder().FindAllStringIndex(issuer, -1)
	if len(found) != 1 || strings.Count(issuer, "{") != 1 || strings.Count(issuer, "}") != 1 {
		return nil, fmt.Errorf("%.200q must have one placeholder, such as {tenantid}", issuer)
	}
	t := &Template{
		text:        issuer,
		before:      issuer[:found[0][0]],
		placeholder: issuer[found[0][0]:found[0][1]],
		after:       issuer[found[0][1]:],
		guid:        claim == EntraTenantClaim,
	}
	u, err := url.Parse(t.before + "tenant" + t.after)
	if err != nil {
		return nil, fmt.Errorf("%.200q is not a plain https URL", issuer)
	}
	t.inHost = strings.HasPrefix(t.text, u.Scheme+"://"+t.placeholder)
	inPath := strings.HasSuffix(t.before, "/") && u.Path != "" &&
		(t.after == "" || t.after[0] == '/') && len(t.before) > len(u.Scheme+"://"+u.Host)
	// The tenant must be a label below a domain. It must not choose the domain itself, as in
	// {tenant}.com.
	ownDomain := strings.HasPrefix(t.after, ".") &&
		strings.Count(strings.Trim(u.Hostname(), "."), ".") > 1
	if !inPath && !(t.inHost && ownDomain) {
		return nil, fmt.Errorf("%.200q: the placeholder must be a whole segment of the path, "+
			"or the first label of a host with a domain after it", issuer)
	}
	return t, nil
}

// CheckTenant tells whether a text can be a tenant of the template.
func (t *Template) CheckTenant(tenant string) error {
	switch {
	case t.guid && !guid().MatchString(tenant):
		return fmt.Errorf("%.80q is not a tenant's ID: a GUID in lower case, and no domain", tenant)
	case t.inHost && !hostTenant().MatchString(tenant):
		return fmt.Errorf("%.80q is not one label of a host in lower case", tenant)
	case !pathTenant().MatchString(tenant):
		return fmt.Errorf("%.80q is not one segment of letters, digits, - and _", tenant)
	}
	return nil
}

// Fill returns the issuer URL of a tenant.
func (t *Template) Fill(tenant string) string { return t.before + tenant + t.after }

// Tenant returns the tenant of which a text is the issuer URL.
func (t *Template) Tenant(iss string) (tenant string, ok bool) {
	if len(iss) < len(t.before)+len(t.after) ||
		!strings.HasPrefix(iss, t.before) || !strings.HasSuffix(iss, t.after) {
		return "", false
	}
	tenant = iss[len(t.before) : len(iss)-len(t.after)]
	return tenant, t.CheckTenant(tenant) == nil
}

// Overlaps tells whether a text is an issuer URL of both templates.
func (t *Template) Overlaps(other *Template) bool {
	// The tenant of one is at the same place as the other's, or is a piece of the other.
	pieces := strings.FieldsFunc(t.text, func(r rune) bool { return strings.ContainsRune("/.", r) })
	pieces = append(pieces, "a", "00000000-0000-0000-0000-000000000000")
	return slices.ContainsFunc(pieces, func(piece string) bool {
		if other.CheckTenant(piece) != nil {
			return false
		}
		_, both := t.Tenant(other.Fill(piece))
		return both
	})
}

// errNoTenant is the error for a token that does not name its tenant.
var errNoTenant = errors.New("the token does not name a tenant")

// fillPublished fills the placeholder of an issuer that a provider has published, with the tenant
// that a token names. An issuer without a placeholder stays as it is.
func fillPublished(issuer, tenant string) (string, error) {
	found := placeholder().FindString(issuer)
	switch {
	case found == "":
		return issuer, nil
	case !pathTenant().MatchString(tenant):
		return "", errNoTenant
	}
	return strings.ReplaceAll(issuer, found, tenant), nil
}
