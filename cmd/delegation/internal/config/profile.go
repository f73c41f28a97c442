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

	Issuers      []string `yaml:"issuers"`
	AllowMissing bool     `yaml:"allow_missing"`

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
	b.checkProfileIssuers(at, s, c)
	if len(b.problems) > before {
		return
	}
	b.profiles.of = profilesOf(*s, c.Issuers, b.read[at.Child("ca_file")])
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
func profilesOf(s ProfileSettings, issuers []string, ca freshness.Key) string {
	var auth0 Auth0Settings
	if s.Auth0 != nil {
		auth0 = *s.Auth0
		s.Auth0 = nil // a pointer does not identify its content
	}
	return fmt.Sprintf("%+v %+v %q %s", s, auth0, issuers, ca)
}

// profileConfig is profile.Config as the settings say.
func (b *Builder) profileConfig(at KeyPath, s *ProfileSettings) profile.Config {
	c := profile.Config{
		URL:               s.URL,
		SubjectField:      s.SubjectField,
		Issuers:           slices.Clone(s.Issuers),
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
	if len(c.Issuers) == 0 && c.Auth0 == nil && !strings.Contains(c.URL, "{issuer}") &&
		len(b.issuers) == 1 {
		c.Issuers = append([]string{b.issuers[0].URL}, b.issuers[0].Aliases...)
	}
	return c
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

// checkProfileIssuers reports a configuration in which no user can have a profile, because no
// issuer of profiles is an accepted issuer. An issuer with many tenants may be any.
func (b *Builder) checkProfileIssuers(at KeyPath, s *ProfileSettings, c profile.Config) {
	names := c.Issuers
	if len(names) == 0 && c.Auth0 != nil {
		names = []string{"https://" + c.Auth0.Domain + "/"}
	}
	if len(names) == 0 || len(b.issuers) == 0 {
		return
	}
	for _, issuer := range b.issuers {
		if strings.Contains(issuer.URL, "{") {
			return
		}
		for _, name := range append([]string{issuer.URL}, issuer.Aliases...) {
			if slices.Contains(names, name) {
				return
			}
		}
	}
	b.Wrong(at.Child("issuers"), fmt.Errorf("no accepted token is of %.200q: list the iss "+
		"claims of the users who have profiles", strings.Join(names, " ")))
}

// useProfiles sets the loader in the library's configuration.
func (b *Builder) useProfiles(c *delegation.Config) {
	if b.profiles == nil || b.profiles.loader == nil {
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
