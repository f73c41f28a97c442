// Package config reads the configuration of the program, and makes it into what the libraries take.
// It is the only reader of its YAML and of the environment variables over it. Every problem names
// file, line and key, or the variable, and none quotes what may be a secret.
package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/session"
)

// Builder turns settings into the libraries' configurations, and collects all problems in them.
// What a method returns for wrong settings must not be used; Err tells whether there are any.
type Builder struct {
	from     *Source
	logger   *slog.Logger
	problems []error
	// context is for opening signers; nil: none are opened.
	context context.Context
	signers map[string]service.Signer // the open ones, by what they were opened with
	// secrets are the files of all secrets, by the settings that name them.
	secrets map[KeyPath]string
	// before is the service that the next one continues; nil: it is the first.
	before *service.Service
	read   map[KeyPath]freshness.Key // the content of files, by the settings that name them
	now    func() time.Time
	hooks  service.Hooks
	// withoutValues accepts names of configuration_file that have no value.
	withoutValues bool

	issuers        []IssuerSettings // of the configuration
	signingTimeout string           // of the configuration

	profiles *profiles // nil: there are none
}

// Option changes how [Build] and [Rebuild] work.
type Option func(*Builder)

// WithClock sets the service's clock. Without it, the clock is time.Now. Tests use it.
func WithClock(now func() time.Time) Option { return func(b *Builder) { b.now = now } }

// WithHooks sets the hooks that measure the service. [Rebuild] keeps those of the service before.
func WithHooks(hooks service.Hooks) Option { return func(b *Builder) { b.hooks = hooks } }

// WithoutValues accepts names of a configuration_file whose values are still to be filled in, as
// empty texts. An import uses it to check what it has written. Such a service must not run.
func WithoutValues() Option { return func(b *Builder) { b.withoutValues = true } }

// NewBuilder returns a builder for settings from that source. What it builds logs to logger.
func NewBuilder(from *Source, logger *slog.Logger) *Builder {
	return &Builder{
		from:    from,
		logger:  logger,
		read:    map[KeyPath]freshness.Key{},
		secrets: map[KeyPath]string{},
		signers: map[string]service.Signer{},
		now:     time.Now,
	}
}

// Build returns the service that the settings describe. Nothing listens yet. Signing keys in key
// services are open, until Service.Run or Service.Close closes them. Every problem is named, in a
// UsageError. It logs a warning for each environment variable that sets nothing.
func Build(
	ctx context.Context, s *Settings, from *Source, logger *slog.Logger, options ...Option,
) (*service.Service, error) {
	built, err := NewBuilder(from, logger).with(options).build(ctx, s)
	if err != nil {
		return nil, err
	}
	built.UnknownVariables = from.Unknown
	for _, name := range from.Unknown {
		logger.Warn("environment variable sets nothing", slog.String("name", name))
	}
	for _, name := range session.IgnoredEndpoints() {
		logger.Warn("endpoint of the environment is ignored",
			slog.String("name", name),
			slog.String("remedy", "nothing, if it is for clients of this service; to have STS "+
				"called elsewhere than at AWS, set sts.endpoint"))
	}
	return built, nil
}

// Rebuild is Build for the next version of a running service. The new version takes over all that
// the old one remembers: credentials, issuers' keys, used tokens and the counts of the rate limit.
// It also keeps connections whose settings and secrets are unchanged. before is not modified.
func Rebuild(
	ctx context.Context, s *Settings, from *Source, logger *slog.Logger, before *service.Service,
	options ...Option,
) (*service.Service, error) {
	b := NewBuilder(from, logger).with(options)
	b.before = before
	b.hooks = before.Hooks
	built, err := b.build(ctx, s)
	if err != nil {
		return nil, err
	}
	built.UnknownVariables = from.Unknown
	return built, nil
}

func (b *Builder) with(options []Option) *Builder {
	for _, option := range options {
		option(b)
	}
	return b
}

func (b *Builder) build(ctx context.Context, s *Settings) (*service.Service, error) {
	b.context = ctx
	b.requireParts(s)
	c := b.delegation(s)
	h := b.endpoints(s.HTTP)
	b.limitRequests(s.Limits, &h)
	built := b.service(s)
	built.About = b.about(c)
	built.Proxies = s.HTTP.TrustedProxies
	built.LimitsAddresses = s.Limits.RequestsPerAddress > 0
	c.STS = b.sts(s.STS)
	built.Endpoint = b.endpoint(s.STS, c.STS)
	built.Redis = b.Stores(s, &c)
	b.revocations(s, &c, built.Redis)
	built.Admin = b.admin(s.Admin)
	built.Audit = b.Audit(s.Audit, &c)
	built.Secrets = b.secretFiles()
	built.Place = b.from.Place
	built.Parts = service.Parts{
		STS:      c.STS,
		STSOf:    stsOf(s.STS),
		Replay:   c.Replay,
		ReplayOf: replayOf(s),
		RedisOf:  b.redisOf(s.Redis),
		Signers:  b.signers,

		Revocations: c.Revocations,
	}
	if b.profiles != nil {
		built.Parts.Profiles = b.profiles.loader
		built.Parts.ProfilesOf = b.profiles.of
	}

	if len(b.problems) == 0 { // otherwise problems would be reported twice
		b.assemble(ctx, built, c, h)
	}
	if err := b.Err(); err != nil {
		b.closeRedis(built.Redis)
		b.closeSigners()
		return nil, err
	}
	return built, nil
}

// about counts what a configuration has.
func (b *Builder) about(c delegation.Config) service.About {
	targets, _ := c.Targets.(delegation.Targets) // delegation always returns this type
	keys := len(c.IdentityProvider.Keys)
	for _, target := range targets {
		if target.Identity != nil {
			keys += len(target.Identity.Keys)
		}
	}
	return service.About{
		Configuration: b.from.file,
		Targets:       len(targets),
		Issuers:       len(c.Issuers),
		Rules:         len(c.Rules),
		Keys:          keys,
	}
}

// assemble makes the Delegator and the endpoints. Their own checks find the remaining problems.
func (b *Builder) assemble(
	ctx context.Context, built *service.Service, c delegation.Config, h delegationhttp.Config,
) {
	b.measure(&c)
	b.forgetProfiles(&c)
	b.countLostRecords(built.Audit, &c)
	b.recordRevocations(built.Audit, &c)
	delegator, err := b.delegator(ctx, c)
	if err != nil {
		b.Add("", err)
		return
	}
	h.Exchanger = delegator
	built.Delegator = delegator
	built.Console = h.Console
	built.Handler, err = b.handler(delegator, c, h)
	b.Add("http", err)
	if err == nil && built.BackchannelLogout {
		built.Handler.AcceptLogouts()
	}
	if err == nil && built.STS {
		built.Handler.ServeSTS()
	}
	if err == nil && built.Token {
		built.Handler.ExchangeTokens()
	}
}

// measure sets the hooks of the library.
func (b *Builder) measure(c *delegation.Config) {
	c.OnSTSCall = b.hooks.OnSTSCall
	c.OnRevocation = b.hooks.OnRevocation
	if b.hooks.OnEvent == nil {
		return
	}
	targets, _ := c.Targets.(delegation.Targets)
	onEvent, err := b.hooks.OnEvent(targets)
	b.Add("", err)
	c.OnEvent = onEvent
}

func (b *Builder) delegator(
	ctx context.Context, c delegation.Config,
) (*delegation.Delegator, error) {
	if b.before == nil {
		return delegation.New(ctx, c)
	}
	return b.before.Delegator.WithConfig(ctx, c)
}

func (b *Builder) handler(
	d *delegation.Delegator, c delegation.Config, h delegationhttp.Config,
) (*service.Handler, error) {
	if b.before == nil {
		return service.NewHandler(d, c, h)
	}
	return b.before.Handler.Next(d, c, h)
}

// requireParts reports each missing part without which nothing works.
func (b *Builder) requireParts(s *Settings) {
	if len(s.Issuers) == 0 {
		b.Wrong("issuers",
			errors.New("is missing: list the OpenID providers whose tokens are accepted"))
	}
	if s.Identity.EntityID == "" && len(s.Identity.Keys) == 0 {
		b.Wrong("identity_provider",
			errors.New("is missing: set entity_id and keys, as delegation init does"))
	}
	if len(s.Targets) == 0 {
		b.Wrong("targets",
			errors.New("is missing: list what users may ask for, by name"))
	}
}

// delegation returns the library's configuration, except STS and the stores.
func (b *Builder) delegation(s *Settings) delegation.Config {
	b.issuers = s.Issuers
	b.signingTimeout = s.SigningTimeout
	c := delegation.Config{
		IdentityProvider:   b.Identity("identity_provider", s.Identity),
		Rules:              b.Rules(s.Rules, s.Targets),
		MaxTokenSize:       s.MaxTokenSize,
		Leeway:             b.Duration("leeway", s.Leeway),
		CapSessionToToken:  s.CapSessionToToken,
		StrictSessionNames: s.StrictSessionNames,
		DurationBackOff:    s.DurationBackOff,
		STSTimeout:         b.Duration("sts.timeout", s.STS.Timeout),
		FIPS:               s.STS.FIPS,
		DualStack:          s.STS.DualStack,
		UnsafeSTSEmulator:  s.STS.UnsafeEmulator,
		CacheSize:          s.Cache.Size,
		CacheWindow:        b.Duration("cache.window", s.Cache.Window),
		CacheAhead:         b.Duration("cache.ahead", s.Cache.Ahead),
		TokenMemory:        s.Cache.TokenMemory,
		SigningTimeout:     b.Duration("signing_timeout", s.SigningTimeout),
		RuleTimeout:        b.Duration("rule_timeout", s.RuleTimeout),
		Logger:             b.logger,
		Now:                b.now,
	}
	for i, issuer := range s.Issuers {
		c.Issuers = append(c.Issuers, b.Issuer(KeyPath("issuers").Index(i), issuer))
	}
	targets := delegation.Targets{}
	// Sorted, so that problems come in the same order every time.
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		targets[name] = b.Target(KeyPath("targets").Child(name), s.Targets[name])
	}
	c.Targets = targets
	b.useProfiles(&c)
	return c
}

// endpoints is the configuration of the HTTP endpoints without their Exchanger.
func (b *Builder) endpoints(s HTTPSettings) delegationhttp.Config {
	h := delegationhttp.Config{
		AllowedOrigins:  s.AllowedOrigins,
		TrustedProxies:  s.TrustedProxies,
		ContainerTarget: s.ContainerTarget,
		Roles:           s.Roles,

		ContainerParameters: s.CredentialsParameters,
		STSMemory:           s.STSMemory,

		Logger: b.logger,
		Now:    b.now,
		RateLimit: delegationhttp.RateLimit{
			Requests: s.RateLimit.Requests,
			Per:      b.Duration("http.rate_limit.per", s.RateLimit.Per),
			MaxUsers: s.RateLimit.MaxUsers,
		},
	}
	if s.Console.Enabled {
		h.Console = &delegationhttp.Console{
			Issuer:   s.Console.Issuer,
			Endpoint: s.Console.Endpoint,
			FIPS:     s.Console.FIPS,
		}
	}
	return h
}

// service returns the settings of serving, but not yet the handler.
func (b *Builder) service(s *Settings) *service.Service {
	b.checkListeners(s)
	built := &service.Service{
		Listen:        cmp.Or(s.Listen, service.DefaultListen),
		ListenAt:      b.from.writtenAt("listen"),
		DebugListen:   s.DebugListen,
		MetricsListen: s.MetricsListen,
		BehindProxy:   s.HTTP.TrustedProxies > 0,
		Hooks:         b.hooks,
		ShutdownDelay: b.Duration("shutdown_delay", s.ShutdownDelay),
		Limits:        b.limits(s.Limits),
		Logger:        b.logger,
	}
	built.Certificate = b.certificate("tls", s.TLS)
	built.Fixed = map[string]string{
		"listen":         built.Listen,
		"debug_listen":   s.DebugListen,
		"metrics_listen": s.MetricsListen,
		"log.format":     s.Log.Format,
		"log.level":      s.Log.Level,
		"tls":            onOrOff(built.Certificate != nil),
	}
	maps.Copy(built.Fixed, fixedLimits(s.Limits))
	built.Fixed["reload.watch"] = onOrOff(s.Reload.Watch)
	built.Fixed["revocations"] = revocationsOf(s.Revocations)
	built.Fixed["admin.listen"] = s.Admin.Listen
	built.BackchannelLogout = s.BackchannelLogout
	built.STS = s.HTTP.STS
	if s.HTTP.STSMemory != 0 && !s.HTTP.STS {
		b.Wrong("http.sts_memory", errors.New("has no effect without http.sts: set that too"))
	}
	built.Token = s.HTTP.Token
	return built
}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// stsOf identifies the settings from which the client of STS is made.
func stsOf(s STSSettings) string { return fmt.Sprintf("%q %t", s.Endpoint, s.AllowPlainHTTP) }

// sts returns the client of STS. It reuses that of the service before if the settings are the same.
func (b *Builder) sts(s STSSettings) delegation.STS {
	if b.before != nil && b.before.Parts.STSOf == stsOf(s) {
		if b.before.Endpoint.URL == "" || !s.FIPS && !s.DualStack {
			return b.before.Parts.STS
		}
	}
	client, err := session.NewClient(session.ClientOptions{
		Endpoint:       s.Endpoint,
		AllowPlainHTTP: s.AllowPlainHTTP,
		// Configured endpoints may lead to this service, which would then call itself.
		IgnoreEndpoints: true,
		FIPS:            s.FIPS,
		DualStack:       s.DualStack,
	})
	var variable *session.EnvironmentError
	ofEnvironment := errors.As(err, &variable)
	if errors.Is(err, session.ErrPlainHTTP) {
		err = fmt.Errorf("%w; use https, or set sts.allow_plain_http", err)
	}
	switch {
	case ofEnvironment:
		b.Problem(err) // it names its own place
	case err != nil:
		b.Wrong("sts.endpoint", errors.New(ByKeys(err.Error())))
	}
	return client
}

// endpoint returns the address that is called instead of AWS's STS, and where it is configured;
// empty if AWS is called.
func (b *Builder) endpoint(s STSSettings, client delegation.STS) service.Endpoint {
	made, ok := client.(interface{ Options() sts.Options })
	if !ok || len(b.problems) > 0 {
		return service.Endpoint{}
	}
	e := service.Endpoint{URL: aws.ToString(made.Options().BaseEndpoint)}
	if s.Endpoint != "" {
		e.From = b.from.At("sts.endpoint")
		return e
	}
	e.From = session.EndpointSource(e.URL)
	return e
}

// isLoopback tells whether an address can be reached from this machine only. The empty address can.
func isLoopback(address string) bool {
	if address == "" {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// certificate reads the certificate of HTTPS; nil: plain http.
func (b *Builder) certificate(at KeyPath, s TLSSettings) *service.Certificate {
	if s == (TLSSettings{}) {
		return nil
	}
	certificateFile := b.from.resolve(s.CertificateFile)
	keyFile := b.from.resolve(s.KeyFile)
	b.noteSecret(at.Child("key_file"), s.KeyFile)
	b.from.reads(certificateFile)
	b.from.reads(keyFile)
	read, err := service.NewCertificate(certificateFile, keyFile, b.logger, b.now)
	if err != nil {
		b.Wrong(at, explainMissing(err, s.CertificateFile, s.KeyFile))
	}
	return read
}
