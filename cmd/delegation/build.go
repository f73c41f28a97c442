package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/session"
	"github.com/seed055b7978/delegation/jsrules"
)

// builder turns settings into the libraries' own configurations, and notes all that is wrong with
// them.
type builder struct {
	from     *source
	logger   *slog.Logger
	problems []error
}

func (b *builder) wrong(at key, err error) {
	b.problems = append(b.problems, fmt.Errorf("%s: %w", b.from.at(at), err))
}

// build returns the service that the settings describe. Every problem is named, in a usageError.
func build(ctx context.Context, s *settings, from *source, logger *slog.Logger) (*service.Service, error) {
	b := &builder{from: from, logger: logger}
	for _, part := range []struct {
		at      key
		missing bool
	}{{"issuers", len(s.Issuers) == 0}, {"identity_provider", s.Identity.EntityID == "" && len(s.Identity.Keys) == 0}, {"targets", len(s.Targets) == 0}} {
		if part.missing {
			b.wrong(part.at, errors.New("is missing"))
		}
	}
	c := delegation.Config{
		IdentityProvider:  b.identity("identity_provider", s.Identity),
		Rules:             b.rules(s.Rules, s.Targets),
		MaxTokenSize:      s.MaxTokenSize,
		Leeway:            b.duration("leeway", s.Leeway),
		CapSessionToToken: s.CapSessionToToken, StrictSessionNames: s.StrictSessionNames, DurationBackOff: s.DurationBackOff,
		STSTimeout: b.duration("sts.timeout", s.STS.Timeout), FIPS: s.STS.FIPS, DualStack: s.STS.DualStack,
		UnsafeSTSEmulator: s.STS.UnsafeEmulator,
		CacheSize:         s.Cache.Size, CacheWindow: b.duration("cache.window", s.Cache.Window), CacheAhead: b.duration("cache.ahead", s.Cache.Ahead),
		SigningTimeout: b.duration("signing_timeout", s.SigningTimeout),
		Logger:         logger,
	}
	for i, issuer := range s.Issuers {
		c.Issuers = append(c.Issuers, b.issuer(key("issuers").index(i), issuer))
	}
	targets := delegation.Targets{}
	// so that problems come in the same order every time
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		targets[name] = b.target(key("targets").child(name), s.Targets[name])
	}
	c.Targets = targets
	h := delegationhttp.Config{
		AllowedOrigins: s.HTTP.AllowedOrigins, TrustedProxies: s.HTTP.TrustedProxies, ContainerTarget: s.HTTP.ContainerTarget, Logger: logger,
		RateLimit: delegationhttp.RateLimit{Requests: s.HTTP.RateLimit.Requests, Per: b.duration("http.rate_limit.per", s.HTTP.RateLimit.Per), MaxUsers: s.HTTP.RateLimit.MaxUsers},
	}
	if s.HTTP.Console.Enabled {
		h.Console = &delegationhttp.Console{Issuer: s.HTTP.Console.Issuer, Endpoint: s.HTTP.Console.Endpoint}
	}
	built := &service.Service{
		Listen:        cmp.Or(s.Listen, service.DefaultListen),
		DebugListen:   s.DebugListen,
		ShutdownDelay: b.duration("shutdown_delay", s.ShutdownDelay),
		Logger:        logger,
	}
	if !isLoopback(s.DebugListen) {
		b.wrong("debug_listen", errors.New("is not an address of this machine alone, "+
			"such as 127.0.0.1:6060: it is for its operator"))
	}
	built.Certificate = b.certificate("tls", s.TLS)
	var err error
	c.STS, err = session.NewClient(ctx, session.ClientOptions{
		Endpoint:       s.STS.Endpoint,
		AllowPlainHTTP: s.STS.AllowPlainHTTP,
	})
	if errors.Is(err, session.ErrPlainHTTP) {
		err = fmt.Errorf("%w; use https, or set sts.allow_plain_http", err)
	}
	if err != nil {
		b.wrong("sts.endpoint", err)
	}
	built.Redis = b.stores(s, &c)
	if len(b.problems) == 0 { // otherwise the same would be said twice
		delegator, err := delegation.New(ctx, c)
		b.add("", err)
		if err == nil {
			h.Exchanger = delegator
			built.Delegator = delegator
			built.Console = h.Console
			built.Handler, err = service.NewHandler(delegator, c, h)
			b.add("http", err)
		}
	}
	if len(b.problems) > 0 {
		return nil, usageError{errors.Join(b.problems...)}
	}
	for _, name := range from.unknown {
		logger.Warn("environment variable sets nothing", slog.String("name", name))
	}
	return built, nil
}

// isLoopback tells whether an address is of this machine alone, as none is.
func isLoopback(address string) bool {
	if address == "" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// certificate reads the certificate of HTTPS; nil: plain http.
func (b *builder) certificate(at key, s tlsSettings) *service.Certificate {
	if s == (tlsSettings{}) {
		return nil
	}
	certificateFile := b.from.beside(s.CertificateFile)
	keyFile := b.from.beside(s.KeyFile)
	read, err := service.NewCertificate(certificateFile, keyFile, b.logger, time.Now)
	if err != nil {
		b.wrong(at, err)
	}
	return read
}

func (b *builder) duration(at key, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		b.wrong(at, fmt.Errorf("%.80q is not a duration such as 90s or 1h", text))
	}
	return d
}

// file reads a file that the configuration names.
func (b *builder) file(at key, name string) []byte {
	if name == "" {
		b.wrong(at, errors.New("is missing"))
		return nil
	}
	text, err := os.ReadFile(b.from.beside(name))
	if err != nil {
		b.wrong(at, err)
	}
	return text
}

func (b *builder) issuer(at key, s issuerSettings) delegation.Issuer {
	i := delegation.Issuer{
		URL: s.URL, Algorithms: s.Algorithms, JWKSURL: s.JWKSURL,
		AllowLoopbackHTTP: s.AllowLoopbackHTTP,
		ClientAudiences:   s.ClientAudiences, AllowTokenMarks: s.AllowTokenMarks,
		RequiredClaims: s.RequiredClaims, GatedByRules: s.GatedByRules,
	}
	if s.JWKSFile != "" {
		i.JWKS = b.file(at.child("jwks_file"), s.JWKSFile)
	}
	if s.SharedSecretFile != "" {
		i.SharedSecret = delegation.NewSecret(strings.TrimRight(string(b.file(at.child("shared_secret_file"), s.SharedSecretFile)), "\r\n"))
	}
	return i
}

func (b *builder) identity(at key, s identitySettings) delegation.IdentityProvider {
	p := delegation.IdentityProvider{EntityID: s.EntityID}
	for i, k := range s.Keys {
		at, before := at.child("keys").index(i), len(b.problems)
		certificate, private := b.file(at.child("certificate_file"), k.CertificateFile), b.file(at.child("key_file"), k.KeyFile)
		if len(b.problems) > before {
			continue
		}
		signing, err := delegation.ParseSigningKey(certificate, private)
		b.add(at, err)
		p.Keys = append(p.Keys, signing)
	}
	return p
}

func (b *builder) target(at key, s targetSettings) delegation.Target {
	t := delegation.Target{
		ID: s.ID, Audiences: s.Audiences, AuthorizedParties: s.AuthorizedParties,
		RequiredClaims: s.RequiredClaims,
		SubjectsAreOne: s.SubjectsAreOne, NameIDTellsIssuersApart: s.NameIDTellsIssuersApart,
		Issuers: s.Issuers, AllowedRoles: s.AllowedRoles, SAMLRecipient: s.SAMLRecipient, SAMLAudience: s.SAMLAudience, SAMLProviderUUID: s.SAMLProviderUUID,
		AWS: delegation.AWS{
			Principal: s.Principal, Role: s.Role, Region: s.Region, FailoverRegions: s.FailoverRegions, Mappings: s.Mappings, NameIDFromMapping: s.NameIDFromMapping,
			SessionDuration: b.duration(at.child("session_duration"), s.SessionDuration),
			Policy:          s.Policy, PolicyARNs: s.PolicyARNs, Tags: s.Tags, TransitiveTagKeys: s.TransitiveTagKeys, DroppableTags: s.DroppableTags,
		},
	}
	if s.EncryptionKeyFile != "" {
		t.EncryptionKey = string(b.file(at.child("encryption_key_file"), s.EncryptionKeyFile))
	}
	if s.Identity != nil {
		own := b.identity(at.child("identity"), *s.Identity)
		t.Identity = &own
	}
	return t
}

func (b *builder) rules(list []ruleSettings, targets map[string]targetSettings) (rules []delegation.RuleFunc) {
	for i, s := range list {
		at := key("rules").index(i)
		var ids []string
		for _, name := range s.Targets {
			target, ok := targets[name]
			if !ok {
				b.wrong(at.child("targets"), fmt.Errorf("%.80q is not a target", name))
			}
			ids = append(ids, target.id(name))
		}
		found := map[string][]delegation.RuleFunc{}
		set := func(name string, rule delegation.RuleFunc, err error) {
			b.add(at.child(name), err)
			found[name] = []delegation.RuleFunc{rule}
		}
		if s.RequireVerifiedEmail != nil {
			set("require_verified_email", delegation.RequireVerifiedEmail(), nil)
			if !*s.RequireVerifiedEmail {
				b.wrong(at.child("require_verified_email"), errors.New("can only be true: leave "+
					"the rule out instead"))
			}
		}
		if s.AllowConnections != nil {
			set("allow_connections", delegation.AllowConnections(s.AllowConnections...), nil)
		}
		if s.AllowEmailDomains != nil {
			set("allow_email_domains", delegation.AllowEmailDomains(s.AllowEmailDomains...), nil)
		}
		if s.RoleByClaim != nil {
			rule, err := b.roleByClaim(at.child("role_by_claim"), s.RoleByClaim)
			set("role_by_claim", rule, err)
		}
		if s.TagsFromClaims != nil {
			set("tags_from_claims", delegation.TagsFromClaims(s.TagsFromClaims), nil)
		}
		if s.SourceIdentityFromClaim != nil {
			set("source_identity_from_claim", delegation.SourceIdentityFromClaim(*s.SourceIdentityFromClaim), nil)
		}
		if s.SessionPolicy != nil {
			rule, err := delegation.SessionPolicyFromTemplate(*s.SessionPolicy)
			set("session_policy", rule, err)
		}
		if s.JavaScript != nil {
			found["javascript"] = b.javaScript(at.child("javascript"), s.JavaScript, targets)
		}
		if len(found) != 1 {
			b.wrong(at, fmt.Errorf("has %d rules instead of one: require_verified_email, "+
				"allow_connections, allow_email_domains, role_by_claim, tags_from_claims, "+
				"source_identity_from_claim, session_policy or javascript", len(found)))
		}
		for name, list := range found {
			for _, rule := range list {
				rules = append(rules, forTargets(ids, string(at.child(name)), rule))
			}
		}
	}
	return rules
}

// roleByClaim checks the ARNs as well, so that a typing mistake shows at the start and not at the
// first user.
func (b *builder) roleByClaim(at key, s *roleSettings) (delegation.RuleFunc, error) {
	if s.Claim == "" {
		b.wrong(at.child("claim"), errors.New("is missing"))
	}
	var table []delegation.RoleMatch
	for i, row := range s.Roles {
		at := at.child("roles").index(i)
		if _, err := iam.Role.Parse(row.Role); err != nil {
			b.wrong(at.child("role"), err)
		}
		if _, err := iam.Provider.Parse(row.Principal); err != nil && row.Principal != "" {
			b.wrong(at.child("principal"), err)
		}
		if _, err := delegation.ParseRegion(row.Region); err != nil && row.Region != "" {
			b.add(at.child("region"), err)
		}
		table = append(table, delegation.RoleMatch{Pattern: row.Match, Role: row.Role, Principal: row.Principal, Region: row.Region})
	}
	return delegation.RoleByClaim(s.Claim, table...)
}

// javaScript compiles a folder of Auth0 rules.
func (b *builder) javaScript(
	at key, s *javaScriptSettings, targets map[string]targetSettings,
) []delegation.RuleFunc {
	if s.Folder == "" {
		b.wrong(at.child("folder"), errors.New("is missing"))
		return nil
	}
	o := jsrules.Options{
		Configuration: maps.Collect(maps.All(s.Configuration)), Domain: s.Domain, Logger: b.logger,
		RuleTimeout: b.duration(at.child("timeout"), s.Timeout), ChainTimeout: b.duration(at.child("chain_timeout"), s.ChainTimeout),
		Context:           b.ruleContext(at.child("context"), s.Context, targets),
		Absent:            b.absent(at.child("absent"), s.Absent),
		IgnoreMissingUser: s.IgnoreMissingUser,
		IgnoreRedirect:    s.IgnoreRedirect,
		IgnoreMultifactor: s.IgnoreMultifactor,
	}
	if s.ConfigurationFile != "" {
		var more map[string]string
		if err := yaml.Unmarshal(b.file(at.child("configuration_file"), s.ConfigurationFile), &more); err != nil {
			// the library's error would show some of it
			b.wrong(at.child("configuration_file"), errors.New("is not YAML or JSON of names "+
				"and texts"))
		}
		maps.Copy(o.Configuration, more)
	}
	rules, err := jsrules.CompileFolder(os.DirFS(b.from.beside(s.Folder)), o)
	b.add(at.child("folder"), err)
	return rules
}

// absent checks the names of properties of context that may be missing. What is wrong with them is
// said at their own key and not at the folder's.
func (b *builder) absent(at key, names []string) []string {
	_, err := jsrules.Compile("absent", "function () {}", jsrules.Options{Absent: names})
	if err != nil {
		b.wrong(at, err)
		return nil
	}
	return names
}

// ruleContext makes a jsrules.Options.Context of fixed values for each target.
func (b *builder) ruleContext(
	at key, byTarget map[string]map[string]any, targets map[string]targetSettings,
) func(context.Context, *delegation.User, *delegation.RuleContext) (map[string]any, error) {
	byID := map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(byTarget)) {
		target, ok := targets[name]
		if !ok {
			b.wrong(at, fmt.Errorf("%.80q is not a target", name))
		}
		id := target.id(name)
		if _, taken := byID[id]; taken {
			b.wrong(at, fmt.Errorf("%.80q has the id of another target in this list", name))
		}
		byID[id] = byTarget[name]
		if _, has := byTarget[name]["addonConfiguration"]; has {
			b.wrong(at, errors.New("addonConfiguration comes from the target's own settings"))
		}
		if _, err := json.Marshal(byTarget[name]); err != nil {
			b.wrong(at, fmt.Errorf("%.80q has a value that JSON cannot carry", name))
		}
	}
	return func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error) {
		return byID[rc.Target], nil
	}
}

// forTargets limits a rule to the targets with some IDs, or none means all, and names it after its
// place in the configuration, also where it has nothing to say: an explanation lists it.
func forTargets(targets []string, name string, rule delegation.RuleFunc) delegation.RuleFunc {
	return delegation.Named(name, delegation.ForTargets(rule, targets...))
}

// add notes the problems that a library found in its configuration. Each names a field, as in
// Targets["photo-app"]: Role: …, which is the key targets.photo-app.role here.
func (b *builder) add(at key, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			b.add(at, one)
		}
		return
	}
	if e, ok := err.(*delegation.Error); ok {
		b.add(at, e.Err) // without stage, code and remedy
		return
	}
	inner := errors.Unwrap(err)
	if inner != nil && strings.HasSuffix(err.Error(), inner.Error()) {
		prefix := strings.TrimSuffix(err.Error(), inner.Error())
		if field, rest := fieldKey(at, prefix); rest == "" {
			b.add(field, inner)
			return
		}
	}
	text := err.Error()
	for rest := ""; rest != text; {
		rest = text
		at, text = fieldKey(at, text)
	}
	b.wrong(at, errors.New(text))
}

// fieldKey takes the field in front off a text.
func fieldKey(at key, text string) (key, string) {
	for _, library := range []string{"delegationhttp: ", "rediscache: "} {
		if rest, ok := strings.CutPrefix(text, library); ok || text == "" {
			return at, rest
		}
	}
	m := field.FindStringSubmatch(text)
	if m == nil {
		return at, text
	}
	name, ok := fieldKeys[m[1]]
	if !ok {
		return at, text
	}
	k := at.child(name)
	if index, err := strconv.Atoi(m[2]); err == nil {
		k = k.index(index)
	} else if name, err := strconv.Unquote(m[2]); err == nil {
		k = k.child(name)
	}
	return k, text[len(m[0]):]
}

var field = regexp.MustCompile(`\A([A-Z]\w*)(?:\[(\d+|"(?:[^"\\]|\\.)*")\])?:? `)

// fieldKeys are the keys of the libraries' fields, by the Go names in their errors.
var fieldKeys = map[string]string{
	"Issuers": "issuers", "URL": "url", "Algorithms": "algorithms", "JWKS": "jwks_file", "JWKSURL": "jwks_url", "SharedSecret": "shared_secret_file",
	"RequiredClaims":  "required_claims",
	"ClientAudiences": "client_audiences", "AllowTokenMarks": "allow_token_marks",
	"IdentityProvider": "identity_provider", "EntityID": "entity_id", "Keys": "keys", "Identity": "identity",
	"Targets": "targets", "Principal": "principal", "Role": "role", "AllowedRoles": "allowed_roles", "Region": "region", "FailoverRegions": "failover_regions",
	"SAMLProviderUUID": "saml_provider_uuid", "EncryptionKey": "encryption_key_file",
	"AllowedOrigins": "allowed_origins", "RateLimit": "rate_limit", "TrustedProxies": "trusted_proxies", "Console": "console", "Issuer": "issuer", "Endpoint": "endpoint",
	"Prefix": "prefix", "Timeout": "timeout", "LockTime": "lock_time",
}
