package delegationhttp

import (
	"net/http"
	"time"
)

// AddressLimit limits how many requests one client address may send. A request is counted before
// any of it is read, so requests with forged tokens count too. All endpoints that take tokens share
// the limit; metadata, health and the preflights of browsers do not count.
//
// It is a token bucket like [RateLimit]: all Requests may come at once, and used ones become
// available again evenly over Per. For IPv6 it counts per /64 network. Config.TrustedProxies says
// which address counts. Clients without an address count as one.
//
// A refusal is 429 with Retry-After. Of several refusals in a row for one address, only the first
// is logged, so a flood does not fill the log.
type AddressLimit struct {
	// Requests is the limit. Zero is no limit: it suits a service behind a proxy that has one.
	Requests int
	// Per is the period of Requests, up to a day. Zero is a minute.
	Per time.Duration
	// MaxAddresses is how many addresses are remembered, those seen last. One that is forgotten has
	// all Requests again. Zero is 100,000, which take about 30 MB.
	MaxAddresses int
}

func (l AddressLimit) validate() error { return l.rateLimit().check("MaxAddresses") }

// rateLimit is the same limit with addresses in place of users.
func (l AddressLimit) rateLimit() RateLimit {
	return RateLimit{Requests: l.Requests, Per: l.Per, MaxUsers: l.MaxAddresses}
}

// Limit is what refuses a request before a token is read.
type Limit string

const (
	// LimitRate is Config.AddressLimit. The answer is 429.
	LimitRate Limit = "rate"

	// LimitSize is Config.MaxBody. The answer is 413, or 400 from BackchannelLogout. A server
	// around the handlers can also report requests with too large headers under it.
	LimitSize Limit = "size"

	// LimitConnections is for servers that close connections above a limit of their own. These
	// handlers never report it.
	LimitConnections Limit = "connections"
)

// admit refuses a request of an address that has sent too many.
func (h *Handlers) admit(r *http.Request) *refusal {
	if h.addresses == nil {
		return nil
	}
	c := h.addresses.take(keyOf(clientIP(r, h.config.TrustedProxies), "", ""))
	if c.allowed {
		return nil
	}
	refused := limitReached.refusal("too many requests from this address, try again later")
	refused.retryAfter = c.wait
	refused.limit = LimitRate
	refused.recorded = !c.first
	return refused
}
