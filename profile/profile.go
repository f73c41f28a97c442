// Package profile loads properties of a user that the ID token lacks, for
// delegation.Config.Profile. It gets them from an endpoint that answers JSON, or from Auth0's
// Management API.
//
//	loader, err := profile.New(profile.Config{
//		Auth0: &profile.Auth0{
//			Domain:           "tenant.eu.auth0.com",
//			ClientID:         "…",
//			ClientSecretFile: "client-secret",
//		},
//	})
//	…
//	delegation.Config{Profile: loader.Load, CheckProfile: loader.Check, …}
//
// Answers are kept for five minutes, by issuer and subject. Callers who ask for one user at the
// same time share one request. Without an answer the exchange fails: a rule that reads
// user.app_metadata.blocked must not run without it.
package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
)

// Config is what [New] takes. Most programs set Auth0, or URL with BearerTokenFile and Issuers.
type Config struct {
	// URL is where the profile of a user is. {subject} stands for the sub of the ID token, and
	// {issuer} for its iss; both are escaped. {subject} is required, in the path or in the query.
	// In the path, a subject that has a slash, or is "." or "..", is refused: put {subject} into
	// the query if your users have such subjects. The URL must be https. Redirects are refused.
	URL string
	// BearerTokenFile has the token that is sent as Authorization: Bearer. It is read for each
	// request, so it can be replaced at any time. Empty: none is sent.
	BearerTokenFile string
	// SubjectField is a member of the answer that has to be the sub of the ID token. Any other
	// value is refused: it is the profile of somebody else. Empty: the answer is not compared.
	SubjectField string

	// Auth0 takes profiles from Auth0's Management API. It excludes URL, BearerTokenFile and
	// SubjectField.
	Auth0 *Auth0

	// Issuers are the iss claims of the users who have profiles there. A URL without {issuer}
	// requires at least one, and subjects must be unique across all listed issuers. Empty: all
	// issuers for a URL with {issuer}, and https://DOMAIN/ for Auth0. They are compared with the
	// iss as it is in the token, so list every alias of an issuer, and every tenant. Users of other
	// issuers are refused with [delegation.CodeProfileMissing], also with AllowMissing, and no
	// request is made for them.
	Issuers []string
	// IssuersWithoutProfile are the iss claims of the users who have no profile there. They
	// continue with what their tokens say, and no request is made for them.
	IssuersWithoutProfile []string
	// AllowMissing lets users of Issuers who have no profile continue with what their tokens say.
	// By default they are refused with [delegation.CodeProfileMissing]. An endpoint says that there
	// is none with 404 or 410.
	AllowMissing bool

	// CacheFor is how long an answer is used. A missing profile is remembered for at most a minute.
	// Zero: 5m. Negative: answers are not cached, and only callers at the same time share one.
	CacheFor time.Duration
	// StaleFor is how much longer an answer is used while the endpoint cannot be reached, does not
	// answer within a second, answers 5xx, or refuses with 429. Zero: not at all, so that such an
	// exchange fails.
	StaleFor time.Duration
	// CacheSize is the maximum number of users whose answers are cached. The least recently used
	// are dropped first. Zero: 10,000.
	CacheSize int
	// CacheBytes is about how much memory the answers may take, in bytes. Zero: 64 MiB.
	CacheBytes int

	// Timeout limits one answer, including the request for Auth0's token. Zero: 5s. It is at most
	// 1m.
	Timeout time.Duration
	// MaxSize is the maximum size of an answer, in bytes. Zero: 256 KiB. It is at most 16 MiB.
	MaxSize int

	// CAFile has the CA certificates, in PEM, that verify the endpoint's certificate. Empty: those
	// of the system, or of HTTPClient.
	CAFile string
	// AllowLoopbackHTTP allows a URL of plain http to this machine, such as a sidecar's. No bearer
	// token is sent there.
	AllowLoopbackHTTP bool
	// HTTPClient asks the endpoint. Redirects are refused whatever it says. nil: a new one, which
	// uses the proxies of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
	HTTPClient *http.Client
	// Logger gets failed requests whose callers got an older answer. nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock of the cache. nil: time.Now.
	Now func() time.Time
}

// Limits of [Config].
const (
	maxTimeout = time.Minute
	maxSize    = 16 << 20
	// missingFor is how long it is remembered at most that there is no profile.
	missingFor = time.Minute
)

// Loader loads profiles. Only [New] makes one; the zero value refuses. It is safe for concurrent
// use, keeps no goroutine while it is idle, and needs no Close.
type Loader struct {
	config Config // checked, copied and with its defaults filled in
	source source

	mu      sync.Mutex
	cache   *cache
	flights map[key]*flight
	rest    rest
	// outage is a time in which users with an older answer do not wait for a request. The requests
	// are still sent: one user may have a subject for which the endpoint always fails, and this must
	// not keep the older profiles of other users in use.
	outage rest
}

// key names a user.
type key struct{ issuer, subject string }

// source is what profiles come from.
type source interface {
	// fetch returns the profile of a user. An error is a *refusal.
	fetch(ctx context.Context, of key) (map[string]any, error)
}

// flight is a request that is under way. profile and err are read after done is closed.
type flight struct {
	done    chan struct{}
	ended   time.Time // as entry.ended
	began   time.Time // of the machine's clock, which also limits the request
	profile map[string]any
	err     error
}

// New returns a Loader. If something in the configuration is missing or wrong, the error has
// [delegation.CodeConfigInvalid] and names every such field. New makes no network calls.
func New(c Config) (*Loader, error) {
	c = c.withDefaults()
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format, args...))
	}
	c.checkNumbers(problem)
	c.checkIssuers(problem)
	client := c.client(problem)
	var made source
	if c.Auth0 != nil {
		made = c.newAuth0(client, problem)
	} else {
		made = c.newEndpoint(client, problem)
	}
	if len(problems) > 0 {
		return nil, configError{errors.Join(problems...)}
	}
	return &Loader{
		config:  c,
		source:  made,
		cache:   newCache(c.CacheSize, c.CacheBytes),
		flights: map[key]*flight{},
	}, nil
}

// withDefaults returns a copy with the defaults filled in.
func (c Config) withDefaults() Config {
	c.Issuers = slices.Clone(c.Issuers)
	c.IssuersWithoutProfile = slices.Clone(c.IssuersWithoutProfile)
	if c.Auth0 != nil {
		own := *c.Auth0
		own.Fields = slices.Clone(own.Fields)
		c.Auth0 = &own
		if len(c.Issuers) == 0 {
			c.Issuers = []string{"https://" + own.Domain + "/"}
		}
	}
	c.CacheFor = max(cmp.Or(c.CacheFor, 5*time.Minute), 0)
	c.CacheSize = cmp.Or(c.CacheSize, 10_000)
	c.CacheBytes = cmp.Or(c.CacheBytes, 64<<20)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.MaxSize = cmp.Or(c.MaxSize, 256<<10)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c *Config) checkNumbers(problem func(string, ...any)) {
	if c.StaleFor < 0 {
		problem("StaleFor must not be negative")
	}
	if c.CacheSize < 0 {
		problem("CacheSize must not be negative: a negative CacheFor keeps nothing")
	}
	if c.CacheBytes < 0 {
		problem("CacheBytes must not be negative: a negative CacheFor keeps nothing")
	}
	if c.StaleFor > 0 && c.CacheFor == 0 {
		problem("StaleFor has no effect with a negative CacheFor")
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		problem("Timeout must be between 0 and %s", maxTimeout)
	}
	if c.MaxSize < 0 || c.MaxSize > maxSize {
		problem("MaxSize must be between 0 and %d bytes", maxSize)
	}
}

// checkIssuers checks texts that are compared with the iss of tokens. No iss is a template.
func (c *Config) checkIssuers(problem func(string, ...any)) {
	for _, list := range []struct {
		field   string
		issuers []string
	}{
		{"Issuers", c.Issuers},
		{"IssuersWithoutProfile", c.IssuersWithoutProfile},
	} {
		for i, issuer := range list.issuers {
			if issuer == "" {
				problem("%s[%d] is empty", list.field, i)
			}
			if strings.ContainsAny(issuer, "{}") {
				problem("%s[%d]: %.200q has a placeholder, and the iss of a token has none: "+
					"list the iss of each tenant", list.field, i, issuer)
			}
		}
	}
	for i, issuer := range c.IssuersWithoutProfile {
		if slices.Contains(c.Issuers, issuer) {
			problem("IssuersWithoutProfile[%d]: %.200q is one of profile.Config.Issuers too: "+
				"remove it from one of them", i, issuer)
		}
	}
}

// idleConnections are kept to one host. The default of net/http is 2, which many users at the same
// time exceed.
const idleConnections = 32

// client returns the HTTP client.
func (c *Config) client(problem func(string, ...any)) *http.Client {
	client := document.Client(c.HTTPClient)
	if base, usual := http.DefaultTransport.(*http.Transport); usual && c.HTTPClient == nil {
		own := base.Clone()
		own.MaxIdleConnsPerHost = idleConnections
		client.Transport = own
	}
	if c.CAFile == "" {
		return client
	}
	pool, _, err := document.ReadCAs(c.CAFile)
	if err != nil {
		problem("CAFile: %w", err)
		return client
	}
	transport, ok := document.Trusting(client.Transport, pool)
	if !ok {
		problem("CAFile: HTTPClient has a transport of its own: " +
			"give it one that trusts the CA, and leave CAFile empty")
		return client
	}
	client.Transport = transport
	return client
}

// Load returns the profile of a user, by the claims iss and sub. It is a [delegation.ProfileFunc].
// The map is shared and must not be changed; an exchange copies it. If the user has no profile and
// AllowMissing is set, or if the issuer is one of IssuersWithoutProfile, the map is empty. In an
// exchange, no answer from before the user's sessions were ended is used, also if another process
// ended them (see [delegation.Revocations]).
//
// An error has one of the codes of profiles, such as [delegation.CodeProfileUnavailable], as
// errors.Is finds it. It holds no token, no secret and nothing of an answer. If the context ends,
// the error is the context's, and the request goes on for others who wait for it.
func (l *Loader) Load(ctx context.Context, user *delegation.User) (map[string]any, error) {
	if l == nil || l.source == nil || ctx == nil || user == nil {
		return nil, errors.New("the context or the user is nil, or the Loader was not made by New")
	}
	of := key{user.Text("iss"), user.Text("user_id")}
	if of.subject == "" {
		of.subject = user.Text("sub")
	}
	if of.subject == "" {
		return nil, refuse(delegation.CodeProfileMissing, "the user has no sub")
	}
	if slices.Contains(l.config.IssuersWithoutProfile, of.issuer) {
		return map[string]any{}, nil
	}
	// Also with AllowMissing: an iss that nobody thought of, such as an alias, must not be a way
	// around the rules that read the profile.
	if len(l.config.Issuers) > 0 && !slices.Contains(l.config.Issuers, of.issuer) {
		return nil, refuse(delegation.CodeProfileMissing, "the iss %.200q is not listed: list it in "+
			"profile.Config.Issuers if its users have profiles, or in "+
			"profile.Config.IssuersWithoutProfile if they have none", of.issuer)
	}
	return l.load(ctx, of)
}

// missing is what a user without a profile gets.
func (l *Loader) missing(why error) (map[string]any, error) {
	if l.config.AllowMissing {
		return map[string]any{}, nil
	}
	return nil, &refusal{code: delegation.CodeProfileMissing, err: why}
}

var errMissing = errors.New(
	"this user has no profile: create one, or set profile.Config.AllowMissing")

func (l *Loader) load(ctx context.Context, of key) (map[string]any, error) {
	now := l.config.Now()
	ended := freshness.EndedOf(ctx)
	l.mu.Lock()
	held := l.cache.get(of)
	if held != nil && held.ended.Before(ended) {
		held = nil // not even as an older answer
	}
	if held != nil && held.isFresh(now, l.config.CacheFor) {
		l.mu.Unlock()
		return l.answer(held)
	}
	if err := l.rest.at(now); err != nil {
		l.mu.Unlock()
		return l.stale(held, of, now, err)
	}
	usable := l.isUsable(held, now)
	if usable {
		if err := held.failed.at(now); err != nil {
			l.mu.Unlock()
			return l.stale(held, of, now, err)
		}
	}
	f := l.flights[of]
	if f == nil || f.ended.Before(ended) {
		f = &flight{
			done:  make(chan struct{}),
			ended: ended,
			began: time.Now(),
			err:   errors.New("the request ended its goroutine"),
		}
		l.flights[of] = f
		go l.fly(context.WithoutCancel(ctx), of, f)
	}
	outage := l.outage.at(now)
	l.mu.Unlock()
	if outage != nil && usable {
		return l.stale(held, of, now, outage)
	}
	var tooLate <-chan time.Time // nil: wait for the answer, since nothing else can be used
	if usable {
		timer := time.NewTimer(patience(ctx, f))
		defer timer.Stop()
		tooLate = timer.C
	}
	select {
	case <-f.done:
	case <-tooLate:
		return l.stale(held, of, now, late(f))
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if f.err != nil {
		return l.stale(held, of, l.config.Now(), f.err)
	}
	return l.answer(&entry{profile: f.profile})
}

// mostPatience is how long a request may take if there is an older answer.
const mostPatience = time.Second

// late is the error of an answer that is not there yet. The request for it goes on.
func late(f *flight) error {
	return refuse(delegation.CodeProfileUnavailable, "no answer after %s",
		time.Since(f.began).Round(time.Millisecond))
}

// patience is how much longer a caller waits for a flight if there is an older answer. It ends well
// before the caller's time does, which may be shorter than Timeout.
func patience(ctx context.Context, f *flight) time.Duration {
	wait := mostPatience - time.Since(f.began)
	if deadline, limited := ctx.Deadline(); limited {
		wait = min(wait, time.Until(deadline)/2)
	}
	return wait
}

// isUsable tells whether an older answer may be used while the endpoint is away.
func (l *Loader) isUsable(held *entry, now time.Time) bool {
	return held != nil && held.isFresh(now, l.config.CacheFor+l.config.StaleFor)
}

// answer is what an entry comes to.
func (l *Loader) answer(e *entry) (map[string]any, error) {
	if e.profile == nil {
		return l.missing(errMissing)
	}
	return e.profile, nil
}

// stale is an older answer if one may be used instead of this error, or else the error.
func (l *Loader) stale(held *entry, of key, now time.Time, err error) (map[string]any, error) {
	if !isPassing(err) || !l.isUsable(held, now) {
		return nil, err
	}
	l.config.Logger.Warn("an older profile is used",
		slog.String("issuer", of.issuer),
		slog.String("subject", of.subject),
		slog.String("error", err.Error()))
	return l.answer(held)
}

// fly asks for one user, and hands the answer to all who wait.
func (l *Loader) fly(ctx context.Context, of key, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	defer func() { // also if the HTTP client ended the goroutine
		l.settle(of, f)
		close(f.done)
	}()
	f.profile, f.err = guard.Value(func() (map[string]any, error) {
		return l.source.fetch(ctx, of)
	})
	if errors.Is(f.err, delegation.CodeProfileMissing) {
		f.profile = nil
		f.err = nil
	}
}

// settle keeps what a flight came to.
func (l *Loader) settle(of key, f *flight) {
	now := l.config.Now()
	failed := secondAfter(f.err, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flights[of] == f {
		delete(l.flights, of)
		if held := l.cache.get(of); held != nil {
			held.failed = failed
		}
		if f.err == nil && l.config.CacheFor > 0 {
			l.cache.add(of, &entry{profile: f.profile, at: now, ended: f.ended})
		}
	}
	l.rest.note(f.err, now)
	// A quick failure, such as 500 or a refused connection, keeps nobody waiting.
	if time.Since(f.began) >= mostPatience {
		l.outage = failed
	}
}

// Forget drops the profile of a user in this process, so that the next exchange asks for it. With
// an empty subject it drops all.
func (l *Loader) Forget(issuer, subject string) {
	if l == nil || l.source == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if subject == "" {
		l.cache.clear()
		clear(l.flights)
		return
	}
	l.cache.remove(key{issuer, subject})
	delete(l.flights, key{issuer, subject})
}

// nobody is the subject that Check asks for. Auth0 takes it for the form of a user ID.
const nobody = "auth0|000000000000delegationcheck"

// Check asks for a user who does not exist. It returns nil if the endpoint says so with 404 or 410,
// or has a profile even for that user: the network, the address and the credentials are right. An
// endpoint that answers 400, because it wants subjects of another form, fails the check. The answer
// is not kept.
func (l *Loader) Check(ctx context.Context) error {
	if l == nil || l.source == nil || ctx == nil {
		return errors.New("the context is nil, or the Loader was not made by New")
	}
	of := key{"https://delegation-check.invalid/", nobody}
	if len(l.config.Issuers) > 0 {
		of.issuer = l.config.Issuers[0]
	}
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	_, err := guard.Value(func() (map[string]any, error) { return l.source.fetch(ctx, of) })
	var refused *refusal
	if errors.As(err, &refused) && (refused.answered || errors.Is(err, errSomebodyElse)) {
		return nil
	}
	return err
}

// String names where profiles come from, without anything secret.
func (l *Loader) String() string {
	if l == nil || l.source == nil {
		return "no profiles"
	}
	if l.config.Auth0 != nil {
		return "profiles of Auth0's " + l.config.Auth0.Domain
	}
	address, _, _ := strings.Cut(l.config.URL, "?")
	return "profiles of " + address
}
