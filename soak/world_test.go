//go:build soak

package soak

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/rediscache"
	"github.com/seed055b7978/delegation/ststest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// owner is the user for whom credentials were issued, as the events say.
type owner struct {
	issuer  int
	subject string
	target  string
}

// issue is what is known of one access key.
type issue struct {
	call     ststest.Call
	sequence int64 // of the call to STS
	owner    owner
	secret   string
	token    string
	until    time.Time
}

// delegator is one Delegator with what the soak knows of it.
type delegator struct {
	*delegation.Delegator
	name   string
	shared bool // with another, through Redis
	hasty  bool // gives signer and STS so little time that they may fail on a busy machine
	once   bool // takes each token once
	small  bool // remembers fewer than there are decisions, so that some are forgotten
	cache  *rediscache.Cache
}

// world is everything that the Delegators talk to, and the Delegators.
type world struct {
	// stands still, so that how fast the machine is decides nothing
	clock      *delegationtest.Clock
	providers  [issuers]*oidctest.Provider
	urls       [issuers]string
	stranger   *oidctest.Provider // signs with a key that no issuer has published
	kids       [issuers][]string  // published, oldest first
	keys       []delegation.SigningKey
	current    int // of keys: the one that signs for the main entity
	mood       mood
	reader     *rsa.PrivateKey // of the own provider: its assertions are encrypted
	bank       *bank
	redis      *server
	delegators []*delegator
	retrievers []*retriever
	tokens     atomic.Int64 // a jti for each
	transports []*http.Transport

	mu       sync.Mutex
	owners   map[string]owner                // of access keys issued since the last judgement
	outcomes map[delegation.CacheOutcome]int // of exchanges, by Event.Cache
	floors   map[floorKey]int64
}

// floorKey names whose credentials of before an Invalidate must not come back, and where.
type floorKey struct {
	delegator *delegator
	subject   string
}

// mood is what all signers do.
type mood struct {
	gate    atomic.Pointer[gate] // nil: open
	refuses atomic.Bool          // two of three signatures
	asked   atomic.Int64
}

// signer is a key in a device that fails now and then.
type signer struct {
	crypto.Signer
	mood *mood
}

func (s signer) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if g := s.mood.gate.Load(); g != nil {
		<-g.open
	}
	if s.mood.asked.Add(1)%3 > 0 && s.mood.refuses.Load() {
		return nil, errors.New("the device refuses")
	}
	return s.Signer.Sign(random, digest, o)
}

func newWorld(t testing.TB) *world {
	w := &world{
		clock:    delegationtest.NewClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)),
		owners:   map[string]owner{},
		outcomes: map[delegation.CacheOutcome]int{},
		floors:   map[floorKey]int64{},
	}
	for i, algorithm := range [issuers]string{east: "RS256", west: "ES256"} {
		provider := must(oidctest.New(oidctest.Config{Algorithm: algorithm, Now: w.clock.Now}))
		served := httptest.NewServer(provider)
		t.Cleanup(served.Close)
		provider.SetIssuer(served.URL)
		w.providers[i] = provider
		w.urls[i] = served.URL
		w.kids[i] = []string{provider.KeyID()}
	}
	w.stranger = must(oidctest.New(oidctest.Config{Now: w.clock.Now}))
	w.stranger.SetIssuer(w.urls[east])
	for range 3 {
		key := delegationtest.NewSigningKey()
		key.Signer = signer{key.Signer, &w.mood}
		w.keys = append(w.keys, key)
	}
	w.reader = must(rsa.GenerateKey(rand.Reader, 2048))
	w.bank = &bank{world: w, issues: map[string]*issue{}, published: w.keys[:2]}
	w.bank.renew()
	served := httptest.NewServer(w.bank)
	t.Cleanup(served.Close)
	w.bank.host = strings.TrimPrefix(served.URL, "http://")
	redis.SetLogger(silence{})
	w.redis = startRedis(t)
	w.addDelegators(t)
	w.addRetrievers()
	return w
}

// silence keeps go-redis from writing of each restart.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func (w *world) addDelegators(t testing.TB) {
	secret := delegation.NewSecret(strings.Repeat("k", 32))
	for _, d := range []*delegator{
		{name: "first", shared: true},
		{name: "second", shared: true, small: true},
		{name: "alone", once: true, small: true},
		{name: "hasty", hasty: true},
	} {
		config := w.config()
		config.OnEvent = w.note
		switch {
		case d.shared:
			d.cache = must(rediscache.New(rediscache.Config{
				Redis:   &redis.Options{Addr: w.redis.addr},
				Keys:    []rediscache.Key{{ID: "soak", Secret: secret}},
				Timeout: 500 * time.Millisecond,
				Now:     w.clock.Now,
			}))
			t.Cleanup(func() { _ = d.cache.Close() })
			config.SharedCache = d.cache
		case d.once:
			config.Replay = delegation.ReplayMemory(1_000_000)
		case d.hasty:
			config.STSTimeout = 50 * time.Millisecond
			config.SigningTimeout = 50 * time.Millisecond
		}
		if d.small {
			config.CacheSize = 10
		}
		d.Delegator = must(delegation.New(context.Background(), config))
		w.delegators = append(w.delegators, d)
	}
}

// config is what all Delegators have in common.
func (w *world) config() delegation.Config {
	c := delegation.Config{
		IdentityProvider: w.identity(),
		Targets:          delegation.Targets{},
		Rules:            []delegation.RuleFunc{w.assign},
		STS:              w.stsClient(),
		STSTimeout:       time.Minute,
		HTTPClient:       &http.Client{Transport: w.transport()},
		Now:              w.clock.Now,
	}
	for i, url := range w.urls {
		c.Issuers = append(c.Issuers, delegation.Issuer{
			URL:               url,
			AllowLoopbackHTTP: true,
			Algorithms:        []string{[issuers]string{east: "RS256", west: "ES256"}[i]},
		})
	}
	settings := c.Targets.(delegation.Targets)
	for _, t := range targets {
		settings[t.name] = t.settings(w.urls, w.own(), &w.reader.PublicKey)
	}
	return c
}

func (w *world) transport() *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	w.transports = append(w.transports, transport)
	return transport
}

// identity is the main SAML identity, as it signs now.
func (w *world) identity() delegation.IdentityProvider {
	return delegation.IdentityProvider{
		EntityID: mainEntity,
		Keys:     []delegation.SigningKey{w.keys[w.current]},
	}
}

// own is the other SAML identity, whose key never changes.
func (w *world) own() delegation.IdentityProvider {
	return delegation.IdentityProvider{
		EntityID: ownEntity,
		Keys:     []delegation.SigningKey{w.keys[2]},
	}
}

// stsClient is the SDK's own client. Its requests to all regions' hosts go to the bank.
func (w *world) stsClient() *sts.Client {
	return sts.New(sts.Options{
		Credentials: aws.AnonymousCredentials{},
		HTTPClient:  &way{transport: w.transport(), bank: w.bank},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 2
			o.RateLimiter = ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(noPause)
		}),
	})
}

func noPause(int, error) (time.Duration, error) { return 0, nil }

// way leads to the bank, and keeps the host that the SDK has chosen.
type way struct {
	transport *http.Transport
	bank      *bank
}

func (v *way) Do(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	r.URL.Host = v.bank.host
	r.Host = host
	return v.transport.RoundTrip(r)
}

// note counts an event, and remembers for whom credentials were issued.
func (w *world) note(_ context.Context, e delegation.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Err != nil {
		return
	}
	w.outcomes[e.Cache]++
	switch e.Cache {
	case delegation.CacheMiss, delegation.CacheSharedDown, delegation.CacheOff,
		delegation.CacheRefresh:
		w.owners[e.AccessKeyID] = owner{w.issuerOf(e.Issuer), e.Subject, e.Target}
	}
}

// takeOwners returns the owners since the last time.
func (w *world) takeOwners() map[string]owner {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.owners
	w.owners = map[string]owner{}
	return taken
}

// outcome counts exchanges by Event.Cache.
func (w *world) outcome(name delegation.CacheOutcome) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outcomes[name]
}

// setFloor says that a Delegator may not hand out what earlier calls to STS have issued for a
// subject.
func (w *world) setFloor(d *delegator, subject string, sequence int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := floorKey{d, subject}
	w.floors[key] = max(w.floors[key], sequence)
}

func (w *world) floor(d *delegator, subject string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.floors[floorKey{d, subject}]
}

func (w *world) issuerOf(url string) int {
	for i, known := range w.urls {
		if known == url {
			return i
		}
	}
	return -1
}

// token signs an ID token that no other equals.
func (w *world) token(u user, client string, changes map[string]any) string {
	claims := u.claims(client)
	claims["jti"] = fmt.Sprint(w.tokens.Add(1))
	for name, value := range changes {
		claims[name] = value
	}
	return must(w.providers[u.issuer].SignIDToken(claims))
}

// bank is the STS, in whose place a new one comes at each judgement, so that its records stay few.
type bank struct {
	world *world
	host  string
	fake  atomic.Pointer[ststest.Server]
	calls atomic.Int64
	gate  atomic.Pointer[gate] // nil: open

	mu        sync.Mutex
	issues    map[string]*issue       // by access key ID, since the last judgement
	published []delegation.SigningKey // for the main entity
}

// gate holds calls until it opens.
type gate struct {
	open chan struct{}
	held atomic.Int64
	cut  bool // whether the held calls then get no answer
}

var issued = regexp.MustCompile(`(?s)<AccessKeyId>(.+)</AccessKeyId>.*` +
	`<SecretAccessKey>(.+)</SecretAccessKey>.*<SessionToken>(.+)</SessionToken>`)

// ServeHTTP notes which call issued what.
func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sequence := b.calls.Add(1)
	if g := b.gate.Load(); g != nil {
		g.held.Add(1)
		<-g.open
		if g.cut {
			panic(http.ErrAbortHandler)
		}
	}
	copied := &copying{ResponseWriter: w}
	b.fake.Load().ServeHTTP(copied, r)
	if found := issued.FindStringSubmatch(copied.body.String()); found != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.issues[found[1]] = &issue{sequence: sequence, secret: found[2], token: found[3]}
	}
}

// copying keeps a copy of an answer.
type copying struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copying) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

// take returns what was issued since the last time.
func (b *bank) take() map[string]*issue {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.issues
	b.issues = map[string]*issue{}
	return taken
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
	"Principal":{"Federated":"%s"},
	"Action":["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]}]}`

// renew puts a new STS in the place of the old one, with the same providers and roles.
func (b *bank) renew() (old *ststest.Server) {
	fake := ststest.New(ststest.Config{Now: b.world.clock.Now})
	var failures []error
	for _, t := range targets {
		for number := range len(teams) {
			w := t.legal(user{t.issuers[0], number}, web)
			failures = append(failures, fake.PutRole(ststest.Role{
				ARN:                w.role,
				TrustPolicy:        fmt.Sprintf(trust, w.principal),
				MaxSessionDuration: 2 * time.Hour,
			}))
		}
	}
	encryption := ststest.SAMLEncryption{
		PrivateKeys: [][]byte{pem.EncodeToMemory(&pem.Block{
			Type:  "RSA PRIVATE KEY",
			Bytes: x509.MarshalPKCS1PrivateKey(b.world.reader),
		})},
		Required: true,
		UUID:     ownUUID,
	}
	failures = append(failures,
		fake.PutSAMLProvider(ownPrincipal, must(b.world.own().Metadata())),
		fake.PutSAMLEncryption(ownPrincipal, encryption),
		b.put(fake, b.published))
	if err := errors.Join(failures...); err != nil {
		panic(err)
	}
	return b.fake.Swap(fake)
}

// publish changes the keys that IAM knows of the main entity.
func (b *bank) publish(keys ...delegation.SigningKey) {
	b.published = keys
	must(0, b.put(b.fake.Load(), keys))
}

func (b *bank) put(fake *ststest.Server, keys []delegation.SigningKey) error {
	p := delegation.IdentityProvider{EntityID: mainEntity, Keys: keys}
	return fake.PutSAMLProvider(mainPrincipal, must(p.Metadata()))
}

// inside matches a function of the library or of one of the fakes in a goroutine's stack.
var inside = regexp.MustCompile(
	`seed055b7978/delegation(\.|/internal/|/rediscache|/ststest|/oidctest)`)

// settle waits until nothing runs in the library any more: no renewal and no call to STS whose
// caller has left. What then is found to be wrong is of the phase that ends here.
func settle(t testing.TB) {
	t.Helper()
	var stacks bytes.Buffer
	end := time.Now().Add(2 * time.Minute)
	for ; time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		stacks.Reset()
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		if !inside.Match(stacks.Bytes()) {
			return
		}
	}
	t.Fatalf("the library has goroutines that do not end:\n%s", &stacks)
}
