package setup

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// Gates are the answers that say whose tokens are accepted. Each is for the providers whose tokens
// have such a claim. At most one of them is asked for.
type Gates struct {
	// Domain is that of a Google Workspace.
	Domain string

	// Owner is an organisation: its name or its ID.
	Owner string

	// Group is a group of the user, or of the projects of a job.
	Group string

	// Subject is a sub. A * at the end matches any rest.
	Subject string

	// Project is its ID.
	Project string

	// Policy is one of Azure AD B2C.
	Policy string
}

// Answer returns a pointer to the answer to a gate's question, by its flag; nil if there is no such
// flag.
func (g *Gates) Answer(flag string) *string {
	return map[string]*string{
		"domain":  &g.Domain,
		"owner":   &g.Owner,
		"group":   &g.Group,
		"subject": &g.Subject,
		"project": &g.Project,
		"policy":  &g.Policy,
	}[flag]
}

// gateAnswer is the answer to the question of the provider's gate; "" if there is none.
func (i *Answers) gateAnswer(p *provider) string {
	if answer := i.Answer(p.gate.flag); answer != nil {
		return *answer
	}
	return ""
}

// known returns the provider that was named, or else the one that the issuer belongs to. If several
// match, it is the one whose question has an answer. It is nil if this is still open, or if nothing
// is known about the issuer.
func (i *Answers) known() *provider {
	if p := providerNamed(i.Provider); p != nil {
		return p
	}
	found := recognised(i.Issuer)
	if shared, ok := sharedissuer.Find(i.Issuer); ok && len(found) == 0 {
		return &provider{issuer: i.Issuer, gate: sharedGate(shared)}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(p *provider) bool {
			return i.gateAnswer(p) == ""
		})
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// sharedGate is the gate of a shared issuer of which only the distinguishing claim is known.
func sharedGate(shared sharedissuer.Issuer) gate {
	if shared.Claim == "sub" {
		return subjectGate("Subject that gets access, the sub claim; a * at the end matches any " +
			"characters")
	}
	return ownerGate("Organisation that gets access, the claim "+shared.Claim, shared.Claim)
}

// Settle sets the issuer once the provider determines it, for Entra together with the tenant.
func (i *Answers) Settle() {
	p := providerNamed(i.Provider)
	if i.Issuer != "" || p == nil {
		return
	}
	i.Issuer = p.issuer
	if p.name == entra && i.CheckTenant(i.Tenant) == nil {
		i.Issuer = entraIssuer(i.tenants())
	}
}

// IssuerIsOpen tells whether to ask for the issuer, because the provider does not determine it.
func (i *Answers) IssuerIsOpen() bool {
	p := providerNamed(i.Provider)
	return p == nil || p.issuer == "" && p.name != entra
}

// TenantIsOpen tells whether to ask for the tenant of Entra.
func (i *Answers) TenantIsOpen() bool { return i.Provider == entra && i.Issuer == "" }

// Candidates returns the names of the providers that the issuer may belong to, if there are several
// and no other answer decides.
func (i *Answers) Candidates() (names []string) {
	if i.known() != nil {
		return nil
	}
	for _, p := range recognised(i.Issuer) {
		names = append(names, p.name)
	}
	return names
}

// GateQuestion returns the question that a flag answers for this provider; "" if it answers none.
func (i *Answers) GateQuestion(flag string) string {
	p := i.known()
	if p == nil || p.gate.flag != flag || i.Issuer == "" {
		return ""
	}
	return p.gate.asks
}

// WhyGate tells why the gate's question must be answered. It is "" if the answer may be left out,
// because the issuer or its list of tenants is the operator's own.
func (i *Answers) WhyGate() string {
	p := cmp.Or(i.known(), &provider{})
	if p.gate.flag == "policy" {
		return "each policy has a discovery document of its own"
	}
	if shared, ok := sharedissuer.Find(i.Issuer); ok && p.name != entra {
		return fmt.Sprintf("%s can get a token of %s", shared.Who, i.Issuer)
	}
	return ""
}

// CheckProvider accepts the name of a provider.
func (i *Answers) CheckProvider(name string) error {
	if providerNamed(name) == nil {
		names := strings.Join(ProviderNames(), ", ")
		return fmt.Errorf("%.80q is not an OpenID provider that init knows: these are %s. For "+
			"another, set --issuer only. --saml-provider is for the name of the SAML provider "+
			"in IAM",
			name, names)
	}
	return nil
}

// TakeProvider accepts the name of a provider in place of an issuer. Its error says what is still
// open.
func (i *Answers) TakeProvider(name string) (taken bool, err error) {
	p := providerNamed(name)
	if p == nil {
		return false, nil
	}
	i.Provider = name
	i.Issuer = ""
	i.Settle()
	if i.IssuerIsOpen() {
		return true, fmt.Errorf("each customer has another issuer, such as %s", p.form)
	}
	return true, nil
}

// CheckGate accepts the answer to the question of the provider's gate.
func (i *Answers) CheckGate(flag, answer string) error {
	if names := i.Candidates(); len(names) > 0 {
		return fmt.Errorf("these providers have the issuer %s: name yours with --provider %s",
			i.Issuer, strings.Join(names, " or --provider "))
	}
	p := i.known()
	switch {
	case i.Issuer == "": // it is missing, which is reported elsewhere
		return nil
	case p == nil:
		return fmt.Errorf("init does not know the claim of %s for this: name the provider with "+
			"--provider, or replace --%s by --require CLAIM=VALUE", i.Issuer, flag)
	case p.gate.flag == "":
		return fmt.Errorf("init knows no such claim of this provider: replace --%s by --require "+
			"CLAIM=VALUE", flag)
	case p.gate.flag != flag:
		return i.otherGate(p)
	}
	if err := CheckName(answer); err != nil {
		return err
	}
	if flag != "subject" && strings.Contains(answer, "*") {
		return fmt.Errorf("%.80q has a *, and --%s takes no pattern: write the whole value",
			answer, flag)
	}
	if err := checkRest(answer); err != nil {
		return err
	}
	if flag == "domain" && !domain().MatchString(answer) {
		return fmt.Errorf("%.80q is not a domain such as example.com, in lower case", answer)
	}
	return nil
}

// otherGate names the flag of the provider's own gate. It offers another claim as a replacement
// only if the gate's question may be left unanswered.
func (i *Answers) otherGate(p *provider) error {
	replacement := "--" + p.gate.flag
	if i.WhyGate() == "" {
		replacement += ", or by --require CLAIM=VALUE"
	}
	return fmt.Errorf("this flag is not for this provider: replace it by %s. --%s is: %s",
		replacement, p.gate.flag, p.gate.asks)
}

var domain = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\z`)
})

// checkRest accepts a value in which only a * at the end matches any rest.
func checkRest(value string) error {
	switch i := strings.IndexByte(value, '*'); {
	case i == 0:
		return errors.New("a * alone accepts every user: write what the value begins with")
	case i > 0 && i < len(value)-1:
		return fmt.Errorf("%.80q has a * that is not at the end: write what the value begins "+
			"with, and a * for the rest", value)
	}
	return nil
}

// orRest is the pattern of a value in which a * at the end matches any rest.
func orRest(value string) string {
	if start, rest := strings.CutSuffix(value, "*"); rest {
		return regexp.QuoteMeta(start) + ".*"
	}
	return regexp.QuoteMeta(value)
}

// CheckRequired accepts CLAIM=VALUE. A * at the end of the value matches any rest.
func CheckRequired(text string) error {
	claim, value, _ := strings.Cut(text, "=")
	if CheckName(claim) != nil || CheckName(value) != nil {
		return fmt.Errorf("%.80q is not CLAIM=VALUE, such as roles=photo-editor", text)
	}
	return checkRest(value)
}

// required returns the claims that every token must have. An answer about a claim replaces what the
// provider always requires of it, because the answer is narrower.
func (i *Answers) required() (all []requirement) {
	p := cmp.Or(i.known(), &provider{})
	if answer := i.gateAnswer(p); answer != "" {
		all = append(all, p.gate.requirement(answer))
	}
	for _, text := range i.Required {
		claim, value, _ := strings.Cut(text, "=")
		all = append(all, requirement{claim, orRest(value)})
	}
	for _, always := range p.requires {
		if !slices.ContainsFunc(all, func(r requirement) bool { return r.claim == always.claim }) {
			all = append(all, always)
		}
	}
	return all
}

// checkForm refuses issuers that the provider cannot have. With such an issuer, every token would
// be refused, or strangers would be accepted.
func (i *Answers) checkForm(u *url.URL) error {
	if isEntra(u) {
		return checkEntraIssuer(u)
	}
	if u.Hostname() == "openid-connect.onelogin.com" {
		return errors.New("all customers of OneLogin shared this issuer: yours is " +
			"https://SUBDOMAIN.onelogin.com/oidc/2")
	}
	text := u.String()
	for _, p := range providers {
		if p.issuer != "" && p.issuer+"/" == text {
			return fmt.Errorf("the iss claim is %s, without a slash at the end", p.issuer)
		}
	}
	p := cmp.Or(i.known(), &provider{})
	switch {
	case p.name == entra:
		return fmt.Errorf("an issuer of entra is such as %s: leave --issuer out, and name the "+
			"tenant with --tenant", p.form)
	case p.issuer != "" && p.form == "" && p.issuer != text:
		return fmt.Errorf("the issuer of %s is %s: leave --issuer out", p.name, p.issuer)
	case strings.HasSuffix(p.form, "/") && !strings.HasSuffix(text, "/"):
		return fmt.Errorf("the iss claim of this provider ends with a slash: %s/", text)
	}
	return nil
}

// wellKnown is the path of discovery documents, below their issuers (OpenID Connect Discovery §4).
const wellKnown = "/.well-known/openid-configuration"

// discoveryURL is where the discovery document is; "" if it is below the issuer.
func (i *Answers) discoveryURL() string {
	u, err := url.Parse(i.Issuer)
	p := i.known()
	if i.DiscoveryURL != "" || err != nil || p == nil || p.discovery == nil {
		return i.DiscoveryURL
	}
	return p.discovery(u, i.gateAnswer(p))
}
