package delegation

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// checkVerifiedEmail checks what marks the issuer's addresses as verified.
func (i *Issuer) checkVerifiedEmail(problems *problems) {
	for n, domain := range i.VerifiedEmailDomains {
		if !plainDomain(domain) || strings.Contains(domain, "@") {
			problems.add("VerifiedEmailDomains[%d]: %.80q is not a domain such as example.com",
				n, domain)
		}
	}
	if len(i.VerifiedEmailDomains) == 0 {
		return
	}
	if i.UnsafeAnyTenant || len(i.Tenants) > 1 {
		problems.add("VerifiedEmailDomains is for one tenant: the administrator of another " +
			"can enter an address of these domains. Configure the tenant as a separate issuer")
		return
	}
	if shared, ok := i.shared(); ok {
		problems.add("VerifiedEmailDomains is not for this issuer: %s can get a token from it "+
			"with an address in these domains", shared.Who)
	}
}

// markEmail sets email_verified of a user as the issuer's settings read the token, so that rules
// and mappings see one boolean. It comes before the profile loader: an address of the profile is
// not the one that the issuer speaks of.
func (i *Issuer) markEmail(user *User) {
	mark := user.Properties["email_verified"]
	if mark != nil {
		if i.EmailVerifiedText && (mark == "true" || mark == "false") {
			user.Set("email_verified", mark == "true")
		}
		return
	}
	email := user.Text("email")
	if email == "" {
		return
	}
	owned := i.EntraVerifiedEmail && domainOwnerVerified(user.Properties["xms_edov"])
	if owned || emailIsOf(i.VerifiedEmailDomains, email) {
		user.Set("email_verified", true)
	}
}

// domainOwnerVerified reads Entra's xms_edov, which is a boolean, a number or a text.
func domainOwnerVerified(value any) bool {
	return value == true || value == json.Number("1") || value == "1"
}

// emailIsOf tells whether an address is in one of the domains.
func emailIsOf(domains []string, email string) bool {
	at := strings.LastIndexByte(email, '@')
	domain := email[at+1:]
	return at > 0 && plainDomain(domain) && containsDomain(domains, domain)
}

// plainDomain tells whether a domain is of printable ASCII: EqualFold folds the Kelvin sign into k.
func plainDomain(domain string) bool {
	odd := func(r rune) bool { return r > 0x7e || r < 0x21 }
	return domain != "" && !strings.ContainsFunc(domain, odd)
}

func containsDomain(domains []string, domain string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// verifiedEmail returns the email address that the issuer marks as verified, and otherwise "".
func verifiedEmail(user *User) string {
	if !user.Bool("email_verified") {
		return ""
	}
	return user.Text("email")
}

// denyUnverified refuses a user without a verified address. The user gets the reason, and the
// operator also what would let this issuer's users in.
func denyUnverified(reason string, user *User, rc *RuleContext) error {
	mark := user.Properties["email_verified"]
	entra := sharedissuer.IsEntra(rc.Issuer) || sharedissuer.IsEntra(user.Text("iss"))
	switch {
	case mark == "true":
		return &denial{reason, `email_verified is the text "true" and not the boolean: if this ` +
			"issuer writes it as a text for verified addresses, set Issuer.EmailVerifiedText"}
	case mark != nil || !entra:
		return &denial{reason: reason}
	case user.Text("email") == "":
		return &denial{reason, "Entra's tokens have no email_verified, and this one has no " +
			"email: remove the rule, and choose users by Issuer.Tenants, or by roles or groups " +
			"in Issuer.RequiredClaims; or configure the application to send the optional claims " +
			"email and xms_edov, and set Issuer.EntraVerifiedEmail"}
	case user.Properties["xms_edov"] == nil:
		return &denial{reason, "Entra's tokens have no email_verified: configure the application " +
			"to send the optional claim xms_edov, and set Issuer.EntraVerifiedEmail; or list " +
			"the domains of the issuer's only tenant in Issuer.VerifiedEmailDomains; or remove " +
			"the rule, and choose users by roles or groups in Issuer.RequiredClaims"}
	case domainOwnerVerified(user.Properties["xms_edov"]):
		return &denial{reason, "Entra's tokens have no email_verified, and xms_edov says that " +
			"the address is verified: set Issuer.EntraVerifiedEmail to count it"}
	}
	return &denial{reason, "Entra's tokens have no email_verified, and xms_edov does not say " +
		"that this address is verified: have the tenant's administrator verify its domain, or " +
		"list the domain in Issuer.VerifiedEmailDomains if it belongs to the issuer's only tenant"}
}
