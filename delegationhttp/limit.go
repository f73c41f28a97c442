package delegationhttp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/freshness"
	"golang.org/x/time/rate"
)

// The headers of Auth0's rate limit.
const (
	headerLimit     = "X-RateLimit-Limit"
	headerRemaining = "X-RateLimit-Remaining"
	headerReset     = "X-RateLimit-Reset"
)

const (
	// defaultMaxUsers users take about 30 MB.
	defaultMaxUsers = 100_000
	// maxPer is a day, because a restart forgets everything.
	maxPer = 24 * time.Hour
)

// RateLimit limits how often one user may exchange tokens from one IP address. For IPv6 it counts
// per /64 network. It is a token bucket: all Requests may come at once, and used ones become
// available again evenly over Per. Auth0's limit was 10 a minute.
//
// Only verified users count, so nobody can use up another user's requests with forged tokens. A
// forged token costs a signature check and no more.
//
// The limit counts a request before the rules, after the checks of token and target. From there on
// answers have the headers X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset, the Unix
// time in seconds at which all Requests are available again. A refusal is 429 with Retry-After.
type RateLimit struct {
	// Requests is the limit. Zero is no limit.
	Requests int
	// Per is the period of Requests, up to a day. Zero is a minute.
	Per time.Duration
	// MaxUsers is how many pairs of user and address are remembered, those seen last. One that is
	// forgotten has all Requests again. Zero is 100,000.
	MaxUsers int
}

func (l RateLimit) validate() error { return l.check("MaxUsers") }

// check is validate for a limit whose field for the size of its memory has another name.
func (l RateLimit) check(maxUsers string) error {
	outside := l.Requests > math.MaxInt32 || l.Per > maxPer
	if l.Requests < 0 || l.Per < 0 || l.MaxUsers < 0 || outside {
		return fmt.Errorf("none of Requests, Per and %s may be negative, "+
			"Requests not over %d and Per not over %s", maxUsers, math.MaxInt32, maxPer)
	}
	if l.Requests == 0 && (l.Per != 0 || l.MaxUsers != 0) {
		return errors.New("there is no limit while Requests is zero: set it, or leave out the rest")
	}
	return nil
}

type limiter struct {
	requests int
	refill   rate.Limit
	maxUsers int
	now      func() time.Time
	*counts
}

// counts are what users have left. Limiters of several limits can share them.
type counts struct {
	mu    sync.Mutex
	users *simplelru.LRU[freshness.Key, *bucket]
}

// bucket is what one user has left.
type bucket struct {
	*rate.Limiter
	refused bool // whether the last request was
}

// newLimiter returns nil for no limit.
func newLimiter(l RateLimit, now func() time.Time) *limiter {
	if l.Requests == 0 {
		return nil
	}
	if l.Per == 0 {
		l.Per = time.Minute
	}
	if l.MaxUsers == 0 {
		l.MaxUsers = defaultMaxUsers
	}
	users, err := simplelru.NewLRU[freshness.Key, *bucket](l.MaxUsers, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &limiter{
		requests: l.Requests,
		refill:   rate.Limit(float64(l.Requests) / l.Per.Seconds()),
		maxUsers: l.MaxUsers,
		now:      now,
		counts:   &counts{users: users},
	}
}

// countOn takes over what another limiter has counted.
func (l *limiter) countOn(before *limiter) {
	if l != nil && before != nil {
		l.counts = before.counts
	}
}

// bucketOf returns, under the lock, a user's bucket with this limit. A bucket that another limit
// has filled keeps what is left in it.
func (l *limiter) bucketOf(key freshness.Key, now time.Time) *bucket {
	l.users.Resize(l.maxUsers)
	b, ok := l.users.Get(key)
	if !ok {
		b = &bucket{Limiter: rate.NewLimiter(l.refill, l.requests)}
		l.users.Add(key, b)
	}
	if b.Limit() != l.refill {
		b.SetLimitAt(now, l.refill)
	}
	if b.Burst() != l.requests {
		b.SetBurstAt(now, l.requests)
	}
	return b
}

// rateLimited refuses a user who has called too often. To the Delegator it is a denial, so that the
// event has its reason.
type rateLimited struct {
	wait time.Duration
	deny error
}

func (*rateLimited) Error() string   { return "too many requests, try again later" }
func (e *rateLimited) Unwrap() error { return e.deny }

// rule returns the rule that counts one request and sets the headers of its answer. The Delegator
// runs it after the token was verified. It may run it several times, as for a list of roles: the
// request counts once.
//
// It runs on the goroutine of the exchange, regardless of delegation.Config.RuleTimeout. If it
// could be abandoned, it would set headers while they are sent. It needs no time limit: it waits
// only for other requests that are being counted.
func (l *limiter) rule(ip string, header http.Header) delegation.RuleFunc {
	var first sync.Once
	var c count
	return delegation.WithOwnTimeout(func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.Rule = "rate limit"
		first.Do(func() { c = l.take(keyOf(ip, user.Text("iss"), user.Text("user_id"))) })
		header.Set(headerLimit, strconv.Itoa(l.requests))
		header.Set(headerRemaining, strconv.Itoa(c.left))
		header.Set(headerReset, strconv.FormatInt(c.full.Unix(), 10))
		if c.allowed {
			return nil
		}
		e := &rateLimited{wait: c.wait}
		e.deny = delegation.Deny(e.Error())
		return e
	})
}

// count is the state of one user's limit after a request.
type count struct {
	allowed bool
	left    int           // requests that are available now
	full    time.Time     // when all requests are available again
	wait    time.Duration // until the next request, if this one is refused
	first   bool          // whether this one is refused and the one before was not
}

// take counts one request, unless it is over the limit.
func (l *limiter) take(key freshness.Key) count {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucketOf(key, now)
	c := count{allowed: b.AllowN(now, 1)}
	c.first = !c.allowed && !b.refused
	b.refused = !c.allowed
	tokens := b.TokensAt(now)
	c.left = int(tokens)
	untilFull := l.refillTime(float64(l.requests) - tokens)
	c.full = now.Add(untilFull).Add(time.Second - 1) // rounded up to a whole second
	if !c.allowed {
		c.wait = max(l.refillTime(1-tokens), 1) // above zero, regardless of rounding
	}
	return c
}

// refillTime is the time in which a number of requests become available. It is rounded down, as
// x/time/rate does.
func (l *limiter) refillTime(requests float64) time.Duration {
	return time.Duration(requests / float64(l.refill) * float64(time.Second))
}

// keyOf returns a key of fixed size. It is different for every user, issuer and network, whatever
// characters they contain.
func keyOf(ip, issuer, user string) freshness.Key {
	if a, err := netip.ParseAddr(ip); err == nil && a.Is6() {
		// One customer usually has all addresses of such a network (RFC 6177).
		network, _ := a.Prefix(64)
		ip = network.String()
	}
	return freshness.KeyOf([]string{ip, issuer, user})
}
