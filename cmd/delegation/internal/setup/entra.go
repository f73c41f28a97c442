package setup

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// entra is the name of Microsoft's provider.
const entra = "entra"

// entraHosts are the hosts of the worldwide and the national clouds, for tokens of version 2.
var entraHosts = []string{
	"login.microsoftonline.com",
	"login.microsoftonline.us",
	"login.partner.microsoftonline.cn",
}

// entraV1Host is the host of issuers in tokens of version 1.
const entraV1Host = "sts.windows.net"

// severalTenants is the issuer of a configuration with a list of tenants. The discovery document of
// all tenants names it.
const severalTenants = "https://login.microsoftonline.com/{tenantid}/v2.0"

func isEntra(issuer *url.URL) bool {
	host := issuer.Hostname()
	return slices.Contains(entraHosts, host) || host == entraV1Host
}

// entraIssuer is the issuer of one tenant or of several.
func entraIssuer(tenants []string) string {
	if len(tenants) > 1 {
		return severalTenants
	}
	return "https://login.microsoftonline.com/" + tenants[0] + "/v2.0"
}

// entraDiscovery is the address of a discovery document that is not below the issuer.
func entraDiscovery(issuer *url.URL, _ string) string {
	switch {
	case issuer.Hostname() == entraV1Host:
		return "https://login.microsoftonline.com/" + tenantOf(issuer) + wellKnown
	case tenantOf(issuer) == "{tenantid}":
		return "https://login.microsoftonline.com/common/v2.0" + wellKnown
	}
	return ""
}

// tenantOf returns the tenant in an issuer of Entra.
func tenantOf(issuer *url.URL) string {
	tenant, _, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/")
	return tenant
}

// tenants returns the tenant IDs in the answer.
func (i *Answers) tenants() []string {
	tenants := strings.Split(strings.ToLower(i.Tenant), ",")
	for n := range tenants {
		tenants[n] = strings.TrimSpace(tenants[n])
	}
	return tenants
}

// CheckTenant accepts the ID of a tenant of Entra, or several IDs with commas between them.
func (i *Answers) CheckTenant(text string) error {
	named := Answers{Tenant: text}
	for _, tenant := range named.tenants() {
		if err := checkTenant(tenant); err != nil {
			return err
		}
	}
	if i.Provider == entra && (i.Issuer == "" || i.Issuer == entraIssuer(named.tenants())) {
		return nil
	}
	issuer, err := url.Parse(i.Issuer)
	if err != nil || !isEntra(issuer) {
		return errors.New("only --provider entra has tenants: leave out --tenant, or set that " +
			"provider and no issuer")
	}
	if found := tenantOf(issuer); found != strings.ToLower(text) {
		return fmt.Errorf("--issuer has the tenant %.80q: leave out one of the two flags", found)
	}
	return nil
}

var guid = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`)
})

// everybodysTenants are tenants of Entra in which anyone can have an account. The last is the
// tenant of all personal accounts.
var everybodysTenants = []string{
	"common", "organizations", "consumers", "{tenantid}", "9188040d-6c67-4c5b-b112-36a304b66dad",
}

// checkTenant accepts the ID of one tenant, in lower case.
func checkTenant(tenant string) error {
	switch {
	case slices.Contains(everybodysTenants, tenant):
		return fmt.Errorf("%s is not a tenant of yours: anyone with an account of any "+
			"organisation, or of Microsoft, gets tokens there. The iss of a token has the ID of "+
			"its user's tenant. Set the provider and your tenant: --provider entra --tenant "+
			"TENANT_ID, several with commas, without --issuer", tenant)
	case strings.Contains(tenant, "."):
		return fmt.Errorf("%.80q is a domain, and tokens have the tenant's ID in iss. It is in "+
			"the issuer of https://login.microsoftonline.com/%[1]s/v2.0%[2]s. Name the provider "+
			"and that ID: --provider entra --tenant TENANT_ID, without --issuer", tenant, wellKnown)
	case !guid().MatchString(tenant):
		return fmt.Errorf("%.80q is not the ID of a tenant, such as "+
			"11111111-2222-3333-4444-555555555555", tenant)
	}
	return nil
}

// checkEntraIssuer accepts the issuer of one tenant, as in its tokens.
func checkEntraIssuer(issuer *url.URL) error {
	tenant := strings.ToLower(tenantOf(issuer))
	if err := checkTenant(tenant); err != nil {
		return err
	}
	want := "https://" + issuer.Host + "/" + tenant
	if issuer.Hostname() == entraV1Host {
		want += "/"
	} else {
		want += "/v2.0"
	}
	if issuer.String() != want {
		return fmt.Errorf("the iss claim of this tenant is %s", want)
	}
	return nil
}
