package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/profile"
)

// ProfileSettings are profile.Config: a URL, or Auth0.
type ProfileSettings struct {
	URL          string         `yaml:"url"`
	TokenFile    string         `yaml:"token_file"`
	SubjectField string         `yaml:"subject_field"`
	Auth0        *Auth0Settings `yaml:"auth0"`

	Issuers               []string `yaml:"issuers"`
	IssuersWithoutProfile []string `yaml:"issuers_without_profile"`
	AllowMissing          bool     `yaml:"allow_missing"`

	CacheFor   string `yaml:"cache_for"`
	StaleFor   string `yaml:"stale_for"`
	CacheSize  int    `yaml:"cache_size"`
	CacheBytes int    `yaml:"cache_bytes"`

	Timeout           string `yaml:"timeout"`
	MaxSize           int    `yaml:"max_size"`
	CAFile            string `yaml:"ca_file"`
	AllowLoopbackHTTP bool   `yaml:"allow_loopback_http"`
}

// Auth0Settings are profile.Auth0.
type Auth0Settings struct {
	Domain           string   `yaml:"domain"`
	ClientID         string   `yaml:"client_id"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Fields           []string `yaml:"fields"`
}

// profiles are the configuration's profiles. A configuration has only one such setting, although
// each folder of rules has the key: a profile is loaded once for each exchange, before the first
// rule.
type profiles struct {
	at       KeyPath
	settings ProfileSettings
	loader   *profile.Loader
	of       string // identifies settings and files
}

// profile makes the loader of profiles, or reuses that of the service before.
func (b *Builder) profile(at KeyPath, s *ProfileSettings) {
	if s == nil {
		return
	}
	if b.profiles != nil {
		if !reflect.DeepEqual(b.profiles.settings, *s) {
			b.Wrong(at, fmt.Errorf("differs from %s: a configuration can have only "+
				"one profile, which is loaded before the first rule", b.profiles.at))
		}
		return
	}
	b.profiles = &profiles{at: at, settings: *s}
	before := len(b.problems)
	c := b.profileConfig(at, s)
	if !b.haveNames() {
		return
	}
	b.checkProfileIssuers(at, c)
	b.checkProfileLists(at, s, c)
	if len(b.problems) > before {
		return
	}
	b.profiles.of = profilesOf(*s, c, b.read[at.Child("ca_file")])
	if b.before != nil && b.before.Parts.ProfilesOf == b.profiles.of {
		b.profiles.loader = b.before.Parts.Profiles
		return
	}
	loader, err := profile.New(c)
	b.addOfProfile(at, err)
	b.profiles.loader = loader
}

// addOfProfile notes the problems that profile.New found. Each begins with a field.
func (b *Builder) addOfProfile(at KeyPath, err error) {
	joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error })
	if !ok {
		b.Add(at, err)
		return
	}
	for _, problem := range joined.Unwrap() {
		text := problem.Error()
		for field, key := range profileKeys {
			if rest, found := strings.CutPrefix(text, field); found {
				b.Wrong(at.Child(key), errors.New(strings.TrimLeft(rest, ": ")))
				problem = nil
			}
		}
		b.Add(at, problem)
	}
}

// profileKeys are the fields whose keys differ from those of fields with the same names elsewhere.
var profileKeys = map[string]string{
	"BearerTokenFile":   "token_file",
	"SubjectField":      "subject_field",
	"AllowLoopbackHTTP": "allow_loopback_http",
}

// profilesOf identifies the settings, the issuers and the CA from which a loader is made. A loader
// without its own issuers has those of the configuration.
func profilesOf(s ProfileSettings, c profile.Config, ca freshness.Key) string {
	var auth0 Auth0Settings
	if s.Auth0 != nil {
		auth0 = *s.Auth0
		s.Auth0 = nil // a pointer does not identify its content
	}
	return fmt.Sprintf("%+v %+v %q %q %s", s, auth0, c.Issuers, c.IssuersWithoutProfile, ca)
}

// profileConfig is profile.Config as the settings say.
func (b *Builder) profileConfig(at KeyPath, s *ProfileSettings) profile.Config {
	c := profile.Config{
		URL:               s.URL,
		SubjectField:      s.SubjectField,
		Issuers:           b.allNames(s.Issuers),
		AllowMissing:      s.AllowMissing,
		CacheFor:          b.Duration(at.Child("cache_for"), s.CacheFor),
		StaleFor:          b.Duration(at.Child("stale_for"), s.StaleFor),
		CacheSize:         s.CacheSize,
		CacheBytes:        s.CacheBytes,
		Timeout:           b.Duration(at.Child("timeout"), s.Timeout),
		MaxSize:           s.MaxSize,
		AllowLoopbackHTTP: s.AllowLoopbackHTTP,
		Logger:            b.logger,
		Now:               b.now,
	}
	if s.CacheFor != "" && c.CacheFor == 0 {
		c.CacheFor = -1 // 0s: no cache, which the Go API writes as -1
	}
	if c.StaleFor > 0 && c.CacheFor < 0 {
		b.Wrong(at.Child("stale_for"),
			errors.New("has no effect with cache_for: 0s: remove one of them"))
	}
	b.number(at.Child("cache_size"), s.CacheSize)
	b.number(at.Child("cache_bytes"), s.CacheBytes)
	if s.TokenFile != "" {
		b.mayRead(at.Child("token_file"), s.TokenFile)
		b.noteSecret(at.Child("token_file"), s.TokenFile)
		c.BearerTokenFile = b.from.resolve(s.TokenFile)
	}
	if s.CAFile != "" {
		b.file(at.Child("ca_file"), s.CAFile)
		c.CAFile = b.from.resolve(s.CAFile)
	}
	if s.Auth0 != nil {
		c.Auth0 = b.auth0(at.Child("auth0"), s.Auth0)
	}
	if len(c.Issuers) == 0 {
		c.Issuers = b.defaultProfileIssuers(s)
	}
	c.IssuersWithoutProfile = b.allNames(s.IssuersWithoutProfile)
	return c
}

// defaultProfileIssuers are the issuers of a profile that lists none. For a URL without {issuer}
// there must be one, since a subject is unique within one issuer only. Each tenant is an issuer.
func (b *Builder) defaultProfileIssuers(s *ProfileSettings) []string {
	if s.Auth0 != nil && (s.Auth0.Domain == "" || strings.ContainsAny(s.Auth0.Domain, "{}/?#@")) {
		return nil // which profile.New reports
	}
	if s.Auth0 != nil {
		return b.allNames([]string{"https://" + s.Auth0.Domain + "/"})
	}
	if strings.Contains(s.URL, "{issuer}") || len(b.issuers) != 1 {
		return nil
	}
	issuer := b.issuers[0]
	if hasTenants(issuer) && len(issuer.Tenants) != 1 {
		return nil
	}
	return issuerNames(issuer)
}

// allNames adds to issuers the other names that the configuration gives them, since a token has
// any of them.
func (b *Builder) allNames(listed []string) []string {
	names := slices.Clone(listed)
	for _, issuer := range b.issuers {
		if hasTenants(issuer) {
			continue // each tenant is an issuer of its own
		}
		own := issuerNames(issuer)
		isListed := func(name string) bool { return slices.Contains(listed, name) }
		if !slices.ContainsFunc(own, isListed) {
			continue
		}
		for _, name := range own {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// issuerNames are what the iss of an issuer's tokens may be: its URL and its aliases, or the URL of
// each tenant. Those of any tenant cannot be listed.
func issuerNames(issuer IssuerSettings) []string {
	if !hasTenants(issuer) {
		return append([]string{issuer.URL}, issuer.Aliases...)
	}
	before, after := aroundTenant(issuer)
	var names []string
	for _, tenant := range issuer.Tenants {
		names = append(names, before+tenant+after)
	}
	return names
}

func (b *Builder) auth0(at KeyPath, s *Auth0Settings) *profile.Auth0 {
	a := &profile.Auth0{Domain: s.Domain, ClientID: s.ClientID, Fields: s.Fields}
	if s.ClientSecretFile == "" {
		b.Wrong(at.Child("client_secret_file"), errors.New("is missing"))
		return a
	}
	b.mayRead(at.Child("client_secret_file"), s.ClientSecretFile)
	b.noteSecret(at.Child("client_secret_file"), s.ClientSecretFile)
	a.ClientSecretFile = b.from.resolve(s.ClientSecretFile)
	return a
}

// hasTenants tells whether the URL of an issuer is a template.
func hasTenants(issuer IssuerSettings) bool { return strings.Contains(issuer.URL, "{") }

// haveNames tells whether the names of all issuers can be those of tokens. Otherwise profile.New
// would report entries that no list of the file has, and delegation.New reports the issuer itself.
func (b *Builder) haveNames() bool {
	for _, issuer := range b.issuers {
		isWrong := func(name string) bool { return name == "" || strings.ContainsAny(name, "{}") }
		names := issuerNames(issuer)
		switch {
		case slices.ContainsFunc(names, isWrong):
			return false
		case len(names) == 0 && !issuer.UnsafeAnyTenant:
			return false
		}
	}
	return true
}

// aroundTenant returns what is before and after the one placeholder of a template. delegation.New
// refuses any other URL with a brace.
func aroundTenant(issuer IssuerSettings) (before, after string) {
	before, rest, _ := strings.Cut(issuer.URL, "{")
	_, after, _ = strings.Cut(rest, "}")
	return before, after
}

// checkProfileIssuers reports each accepted issuer that the profile does not mention: all its users
// would be refused.
func (b *Builder) checkProfileIssuers(at KeyPath, c profile.Config) {
	if len(c.Issuers) == 0 {
		return // those of all issuers have profiles, or profile.New reports it
	}
	mentioned := slices.Concat(c.Issuers, c.IssuersWithoutProfile)
	for _, issuer := range b.issuers {
		if issuer.UnsafeAnyTenant {
			b.checkProfileTenants(at, issuer, mentioned)
			continue
		}
		names := issuerNames(issuer)
		if !hasTenants(issuer) {
			names = names[:1] // allNames has added the others, or none is mentioned
		}
		for _, name := range names {
			if !slices.Contains(mentioned, name) {
				b.noProfiles(at, name, "it")
			}
		}
	}
}

// checkProfileLists reports each issuer that is in both lists. profile.New would too, but its lists
// also have names that the configuration does not: other names of an issuer, and defaults.
func (b *Builder) checkProfileLists(at KeyPath, s *ProfileSettings, c profile.Config) {
	for i, without := range s.IssuersWithoutProfile {
		names := b.allNames([]string{without})
		isSame := func(name string) bool { return slices.Contains(names, name) }
		if !slices.ContainsFunc(c.Issuers, isSame) {
			continue
		}
		at := at.Child("issuers_without_profile").Index(i)
		listed := slices.IndexFunc(s.Issuers, isSame)
		switch {
		case slices.Contains(s.Issuers, without):
			b.Wrong(at, fmt.Errorf("%.200q is in issuers too: keep it in one of the two lists",
				without))
		case listed >= 0:
			b.Wrong(at, fmt.Errorf("%.200q is another name of %.200q, which is in issuers: keep "+
				"the issuer in one of the two lists", without, s.Issuers[listed]))
		default:
			b.Wrong(at, fmt.Errorf("%.200q has profiles by default: remove it here, or list in "+
				"issuers whose users have profiles", without))
		}
	}
}

// checkProfileTenants reports an issuer with any tenant if the profile mentions none of them.
func (b *Builder) checkProfileTenants(at KeyPath, issuer IssuerSettings, mentioned []string) {
	before, after := aroundTenant(issuer)
	isTenant := func(name string) bool {
		rest, ok := strings.CutPrefix(name, before)
		return ok && strings.HasSuffix(rest, after)
	}
	if !slices.ContainsFunc(mentioned, isTenant) {
		b.noProfiles(at, issuer.URL, "the iss of each of its tenants")
	}
}

// noProfiles reports an issuer that the profile does not mention.
func (b *Builder) noProfiles(at KeyPath, issuer, what string) {
	b.Wrong(at.Child("issuers"), fmt.Errorf("tokens of %.200q are accepted, but its users would "+
		"be refused: list %s here if they have profiles, or in issuers_without_profile if they "+
		"have none", issuer, what))
}

// useProfiles sets the loader in the library's configuration. A profile without a loader has
// problems, or an issuer has, so that there is no service. To be safe, nothing could be loaded.
func (b *Builder) useProfiles(c *delegation.Config) {
	if b.profiles == nil {
		return
	}
	if b.profiles.loader == nil {
		c.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
			return nil, errors.New("the profile is not configured correctly")
		}
		return
	}
	c.Profile = b.profiles.loader.Load
	c.CheckProfile = b.profiles.loader.Check
}

// forgetProfiles makes the loader forget users whose sessions are ended, so that changes take
// effect at once. An event has one name of the issuer, but the user's token may have another.
func (b *Builder) forgetProfiles(c *delegation.Config) {
	if b.profiles == nil || b.profiles.loader == nil {
		return
	}
	loader := b.profiles.loader
	issuers := b.issuers
	onRevocation := c.OnRevocation
	c.OnRevocation = func(ctx context.Context, e delegation.RevocationEvent) {
		if e.Issuer != "" && e.Subject != "" {
			for _, name := range namesOfIssuer(issuers, e.Issuer) {
				loader.Forget(name, e.Subject)
			}
		} else if e.Outcome == delegation.OutcomeAllowed {
			loader.Forget("", "")
		}
		if onRevocation != nil {
			onRevocation(ctx, e)
		}
	}
}

// namesOfIssuer returns the names of the issuer with this name: its URL and its aliases.
func namesOfIssuer(issuers []IssuerSettings, name string) []string {
	for _, issuer := range issuers {
		names := append([]string{issuer.URL}, issuer.Aliases...)
		if slices.Contains(names, name) {
			return names
		}
	}
	return []string{name} // the issuer of one tenant
}
