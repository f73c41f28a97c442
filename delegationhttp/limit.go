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
	defaultMaxUsers = 100_000        // about 30 MB
	maxPer          = 24 * time.Hour // nothing is remembered over a restart
)

// RateLimit limits how often one user may exchange tokens from one IP address (for IPv6: from one /64 network). It is a token bucket: all
// Requests may come at once, and what was used comes back evenly over Per. Auth0's limit was 10 a minute. Only verified users
// count, so nobody can use up another's requests with forged tokens; these cost a signature check and no more.
//
// It counts where rules begin, behind the checks of token and target: answers from there on carry X-RateLimit-Limit, X-RateLimit-Remaining
// and X-RateLimit-Reset, the second since 1970 at which all Requests are there again; a refused one is 429 with Retry-After.
type RateLimit struct {
	Requests int           // zero: no limit
	Per      time.Duration // up to a day; zero: a minute
	MaxUsers int           // users and addresses that are remembered, those seen last; zero: 100,000. Whoever is forgotten starts anew
}

func (l RateLimit) check() error {
	if l.Requests < 0 || l.Requests > math.MaxInt32 || l.Per < 0 || l.Per > maxPer || l.MaxUsers < 0 {
		return fmt.Errorf("none of Requests, Per and MaxUsers may be negative, Requests not over %d and Per not over %s", math.MaxInt32, maxPer)
	}
	if l.Requests == 0 && (l.Per != 0 || l.MaxUsers != 0) {
		return errors.New("there is no limit while Requests is zero: set it, or leave out the rest")
	}
	return nil
}

type limiter struct {
	requests int
	refill   rate.Limit
	now      func() time.Time

	mu    sync.Mutex
	users *simplelru.LRU[freshness.Key, *rate.Limiter]
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
	users, err := simplelru.NewLRU[freshness.Key, *rate.Limiter](l.MaxUsers, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &limiter{requests: l.Requests, refill: rate.Limit(float64(l.Requests) / l.Per.Seconds()), now: now, users: users}
}

// rateLimited refuses a user who has called too often. For the Delegator it is a denial, so that the event has its reason.
type rateLimited struct {
	wait time.Duration
	deny error
}

func (*rateLimited) Error() string   { return "too many requests, try again later" }
func (e *rateLimited) Unwrap() error { return e.deny }

// rule returns the rule that counts one exchange. The Delegator runs it after the token was verified, on the goroutine of the request.
func (l *limiter) rule(ip string, header http.Header) delegation.RuleFunc {
	return func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		rc.Rule = "rate limit"
		allowed, left, full, wait := l.take(keyOf(ip, user.Text("iss"), user.Text("user_id")))
		header.Set(headerLimit, strconv.Itoa(l.requests))
		header.Set(headerRemaining, strconv.Itoa(left))
		header.Set(headerReset, strconv.FormatInt(full.Unix(), 10))
		if !allowed {
			e := &rateLimited{wait: wait}
			e.deny = delegation.Deny(e.Error())
			return e
		}
		return nil
	}
}

// take counts one request, unless it is one too many. It returns how many are left, when all are there again, and how long to wait for the next.
func (l *limiter) take(key freshness.Key) (allowed bool, left int, full time.Time, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.users.Get(key)
	if !ok {
		bucket = rate.NewLimiter(l.refill, l.requests)
		l.users.Add(key, bucket)
	}
	now := l.now()
	allowed = bucket.AllowN(now, 1)
	tokens := bucket.TokensAt(now)
	after := func(n float64) time.Duration {
		return time.Duration(n / float64(l.refill) * float64(time.Second)) // cut, as x/time/rate does
	}
	if !allowed {
		wait = max(after(1-tokens), 1) // never "now", whatever the rounding
	}
	full = now.Add(after(float64(l.requests) - tokens)).Add(time.Second - 1) // rounded up to a whole second
	return allowed, int(tokens), full, wait
}

// keyOf keeps users, issuers and networks apart in a key of fixed size, whatever characters they have.
func keyOf(ip, issuer, user string) freshness.Key {
	if a, err := netip.ParseAddr(ip); err == nil && a.Is6() {
		network, _ := a.Prefix(64) // one customer has as many addresses as they like in it (RFC 6177)
		ip = network.String()
	}
	return freshness.KeyOf([]string{ip, issuer, user})
}
