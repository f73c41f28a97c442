package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	fewDecisions   = 1_000
	manyDecisions  = 1_000_000
	sizedDecisions = 20_000
	users          = 500 // users whose decisions are used, spread over all that are cached
	invalidations  = 10  // per turn, half of them before it is measured

	// warmTurn is a turn in which what is used stays in the processor's caches for most of the
	// time: the collection before a turn goes through gigabytes and leaves nothing there. In a
	// service, such a collection comes after hundreds of thousands of exchanges. A longer turn would
	// allocate more than the tenth of the heap that the runtime keeps from the operating system, and
	// would then measure how the system gives pages back.
	warmTurn = 200 * time.Millisecond

	sharedSecret = "a secret that has thirty-two bytes"
)

// populated is a Delegator whose cache holds one decision for each of n users. The credentials come
// from a shared cache that has an entry for everybody. So no response is signed: a million
// signatures would take half an hour. The tokens are signed with HS256 for the same reason.
type populated struct {
	n         int
	delegator *delegation.Delegator
	shared    *everybody
	next      int // the user who is invalidated next
}

func (b *bench) newPopulated(n int) (*populated, error) {
	shared := new(everybody)
	config := b.world.config("")
	config.Issuers = []delegation.Issuer{{
		URL:          issuerURL,
		SharedSecret: delegation.NewSecret(sharedSecret),
	}}
	config.Rules = append(config.Rules, shared.note)
	config.CacheSize = n
	config.SharedCache = shared
	d, err := delegation.New(context.Background(), config)
	if err != nil {
		return nil, err
	}
	return &populated{n: n, delegator: d, shared: shared}, nil
}

// fill exchanges a token of each user.
func (p *populated) fill(b *bench) error {
	for i := range p.n {
		if i%100_000 == 0 && i > 0 {
			b.progress("%d of %d decisions", i, p.n)
		}
		if err := p.exchange(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *populated) exchange(user int) error {
	token := userToken(user)
	c, err := p.delegator.Exchange(context.Background(), token, clientID)
	if err != nil {
		return err
	}
	if c.Subject != userName(user) {
		return errOtherSession
	}
	return nil
}

// use returns exchanges of some users, whose decisions are of all ages. The users are drawn, always
// the same ones: at even steps, their decisions would be at even steps in memory as well, and share
// the few lines of the processor's caches that such addresses have.
func (p *populated) use() func(int) error {
	draw := rand.New(rand.NewPCG(1, 2))
	var tokens, names []string
	for _, user := range draw.Perm(p.n)[:users] {
		tokens = append(tokens, userToken(user))
		names = append(names, userName(user))
	}
	return func(i int) error {
		i %= len(tokens)
		c, err := p.delegator.Exchange(context.Background(), tokens[i], clientID)
		if err != nil {
			return err
		}
		if c.Subject != names[i] {
			return errOtherSession
		}
		return nil
	}
}

// invalidate forgets the next user.
func (p *populated) invalidate(int) error {
	user := p.next % p.n
	p.next++
	return p.delegator.Invalidate(context.Background(), userName(user))
}

// restore caches again the users who were forgotten in the last turn.
func (p *populated) restore() error {
	for user := max(0, p.next-invalidations); user < p.next; user++ {
		if err := p.exchange(user % p.n); err != nil {
			return err
		}
	}
	return nil
}

func userName(user int) string { return fmt.Sprintf("auth0|%024x", user) }

func userToken(user int) string {
	now := expiration.Add(-24 * time.Hour)
	payload := fmt.Sprintf(
		`{"iss":%q,"sub":%q,"aud":%q,"iat":%d,"exp":%d,"email":"user-%d@example.com",`+
			`"email_verified":true}`,
		issuerURL, userName(user), clientID, now.Unix(), expiration.Unix(), user)
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, []byte(sharedSecret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// everybody is a shared cache that has credentials for each caller. Its rule tells it who the
// caller is, provided that only one exchange runs at a time.
type everybody struct {
	mu             sync.Mutex
	subject, email string
	// closed makes the last rule refuse all exchanges.
	closed bool
	// own gives each user a separate copy of the session token; otherwise all share one.
	own bool
	// payload is the size of the texts in the last credentials, in bytes.
	payload int
}

var errClosed = errors.New("nobody gets access")

// note is the rule that records the caller.
func (e *everybody) note(
	_ context.Context, user *delegation.User, _ *delegation.RuleContext,
) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errClosed
	}
	e.subject = strings.Clone(user.Text("sub"))
	e.email = strings.Clone(user.Text("email"))
	return nil
}

// Get returns what STS would have answered, with every text in separate memory.
func (e *everybody) Get(context.Context, string, string) (*delegation.Credentials, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	token := sessionToken
	if e.own {
		token = strings.Clone(sessionToken)
	}
	c := &delegation.Credentials{
		AccessKeyID:     strings.Clone(accessKey),
		SecretAccessKey: delegation.NewSecret(strings.Clone(secretKey)),
		SessionToken:    delegation.NewSecret(token),
		Expiration:      expiration,
		Region:          region,
		AccountID:       "123456789012",
		AssumedRoleARN:  "arn:aws:sts::123456789012:assumed-role/photo-user/" + e.email,
		AssumedRoleID:   "AROAEXAMPLEEXAMPLE123:" + e.email,
		Subject:         e.subject,
		SubjectType:     strings.Clone("persistent"),
		Issuer:          strings.Clone(entityID),
		Audience:        strings.Clone(recipient),
		NameQualifier:   strings.Clone("SbdGOnUkh1i4+EXAMPLExL/jEvs="),
		RequestID:       strings.Clone("c6104cbe-af31-11e0-8154-cbc7ccf896c7"),
	}
	e.payload = textsOf(c)
	return c, nil
}

// Put stores nothing.
func (*everybody) Put(context.Context, string, string, *delegation.Credentials) error { return nil }

// Delete has nothing to delete.
func (*everybody) Delete(context.Context, string, string) error { return nil }

// Lock locks nothing: there is one process.
func (*everybody) Lock(context.Context, string, string) (func(), error) { return func() {}, nil }

// textsOf is how many bytes the texts of credentials have.
func textsOf(c *delegation.Credentials) int {
	return len(c.AccessKeyID) + len(c.SecretAccessKey.Reveal()) + len(c.SessionToken.Reveal()) +
		len(c.Region) + len(c.AccountID) + len(c.AssumedRoleARN) + len(c.AssumedRoleID) +
		len(c.Subject) + len(c.SubjectType) + len(c.Issuer) + len(c.Audience) +
		len(c.NameQualifier) + len(c.RequestID)
}

// decisionSize measures how much memory a cached decision takes. All else that is remembered of a
// token is in memory before: each token was seen in an exchange that the last rule refused.
func (b *bench) decisionSize() error {
	b.progress("memory of %d cached decisions", sizedDecisions)
	p, err := b.newPopulated(sizedDecisions)
	if err != nil {
		return err
	}
	p.shared.own = true
	p.shared.closed = true
	for user := range p.n {
		if err := p.exchange(user); !errors.Is(err, errClosed) {
			return fmt.Errorf("a closed door: %w", err)
		}
	}
	before := heap()
	p.shared.closed = false
	if err := p.fill(b); err != nil {
		return err
	}
	size := float64(heap()-before) / float64(p.n)
	runtime.KeepAlive(p)
	share := size / float64(p.shared.payload)
	b.add(row{
		what:   fmt.Sprintf("bytes per cached decision / its payload of %d", p.shared.payload),
		min:    fmt.Sprintf("%.2f", share),
		median: fmt.Sprintf("%.0f bytes", size),
		goal:   "≤ 1.6",
		met:    share <= 1.6,
	})
	b.gauge("bytes of a cached decision", size)
	return nil
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // frees what the first run found finalisable
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fullCache measures a cache of many decisions.
func (b *bench) fullCache() error {
	// Both caches are in fresh memory, as in a service, and not in gaps that other parts left.
	debug.FreeOSMemory()
	few, err := b.newPopulated(fewDecisions)
	if err != nil {
		return err
	}
	many, err := b.newPopulated(manyDecisions)
	if err != nil {
		return err
	}
	if err := errors.Join(few.fill(b), many.fill(b)); err != nil {
		return err
	}
	all, err := b.measureTurns("exchange from the cache, of 500 users", 1,
		contender{name: "1,000 decisions", lasts: warmTurn, run: few.use()},
		contender{name: "1,000,000 decisions", lasts: warmTurn, run: many.use()},
	)
	if err != nil {
		return err
	}
	b.compare("a cached exchange at 1,000,000 decisions / at 1,000", all[1], all[0], 1.2, 0)
	all, err = b.measureTurns("Invalidate, of a user with one decision", 1,
		contender{name: "1,000 decisions", most: invalidations, before: few.restore,
			run: few.invalidate},
		contender{name: "1,000,000 decisions", most: invalidations, before: many.restore,
			run: many.invalidate},
	)
	if err != nil {
		return err
	}
	b.compare("Invalidate at 1,000,000 decisions / at 1,000", all[1], all[0], 2, 0)
	return nil
}
