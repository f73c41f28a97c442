package jsrules

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/seed055b7978/delegation/jsrules/internal/webclient"
)

// HTTP permits rules to call hosts, by the modules request, request-promise,
// request-promise-native, axios, node-fetch and auth0, and by the globals request and fetch. All of
// them send by one client, within these limits. docs/javascript-libraries.md says what the modules
// support.
//
// A rule gets an error with a code if a call is refused or fails:
//
//   - EHOSTNOTALLOWED: the host is not in Allow
//   - EADDRESSNOTALLOWED: the name leads to this machine or to the metadata of its cloud
//   - ENOTHTTPS: the URL has no TLS
//   - ETOOLARGE: a body is larger than MaxSize
//   - ETOOMANYREQUESTS: the rule or the exchange has sent too many requests
//   - EREDIRECT: a redirect would send a body to another host
//
// Other codes are those of Node, such as ENOTFOUND, ECONNREFUSED and ETIMEDOUT.
//
// A call ends with the rule, its time limit and its exchange. No cookies are kept. After a redirect
// to another host, only the rule's headers Accept, Accept-Language and User-Agent are sent. Errors
// name the host of a URL and nothing else of it.
type HTTP struct {
	// Allow are the hosts that rules may call: names such as api.example.com, *.example.com for
	// all names below one, and IP addresses. Each may have a port; without one it is 443. Names in
	// Allow that lead to a loopback, link-local or metadata address are refused, unless Allow also
	// has that address. Empty permits no host.
	Allow []string
	// PlainLoopback permits http to loopback addresses in Allow, for tests. Everything else needs
	// https.
	PlainLoopback bool
	// Client sends the requests; only its Transport is used. The Transport must return when a
	// request's context ends. Addresses are not checked if the Transport is not an *http.Transport,
	// or has its own DialContext or Dial. Addresses of https are not checked either if it has its
	// own DialTLSContext or DialTLS. In these cases, only the names in Allow decide. Nil is a
	// client with Go's defaults, which observes HTTPS_PROXY and NO_PROXY. It keeps idle connections
	// for 30 seconds.
	Client *http.Client
	// Timeout is the limit for one call with its redirects. Options.RuleTimeout applies, too. Zero
	// is 10 seconds.
	Timeout time.Duration
	// MaxSize is the largest answer in bytes, after decompression, and the largest body of a
	// request. A rule may read four times as much, and all rules of an exchange twenty times as
	// much. Zero is 1 MiB, and 4 MiB is the largest value. JSON has at most 1 Mi characters.
	MaxSize int64
	// MaxRedirects is how many redirects one call follows at most. Zero is 10, and a negative
	// number none.
	MaxRedirects int
	// MaxRequests is how many requests one rule sends at most, redirects included. All rules of an
	// exchange may send five times as many. Zero is 10.
	MaxRequests int
}

// settings checks the settings and fills in the defaults.
func (h *HTTP) settings() (webclient.Settings, error) {
	s := webclient.Settings{
		Allow:         h.Allow,
		PlainLoopback: h.PlainLoopback,
		Timeout:       cmp.Or(h.Timeout, 10*time.Second),
		MaxSize:       cmp.Or(h.MaxSize, 1<<20),
		MaxRedirects:  max(cmp.Or(h.MaxRedirects, 10), 0),
	}
	if h.Client != nil {
		s.Transport = h.Client.Transport
	}
	if h.Timeout < 0 || h.MaxSize < 0 || h.MaxRequests < 0 {
		return s, errors.New("the limits Timeout, MaxSize and MaxRequests must not be negative")
	}
	if s.MaxSize > maxText/4 {
		return s, errors.New("MaxSize must not be above 4 MiB: rules hold answers in memory")
	}
	return s, nil
}

// webAccess is what rules call hosts with.
type webAccess struct {
	client   *webclient.Client
	requests int   // of one rule
	bytes    int64 // of one rule
}

// webAccess makes the client. Without settings it is nil.
func (h *HTTP) webAccess() (*webAccess, error) {
	if h == nil {
		return nil, nil
	}
	settings, err := h.settings()
	if err != nil {
		return nil, err
	}
	client, err := webclient.New(settings)
	if err != nil {
		return nil, err
	}
	webPrograms() // now, because a rule's time does not suffice for it on every machine
	return &webAccess{
		client:   client,
		requests: cmp.Or(h.MaxRequests, 10),
		bytes:    webclient.RuleShare * settings.MaxSize,
	}, nil
}

// exchangeBudget is what all rules of an exchange may use.
func (w *webAccess) exchangeBudget() *webclient.Budget {
	return webclient.NewBudget("the exchange", webclient.ExchangeShare*w.requests,
		webclient.ExchangeShare*w.bytes, nil)
}

// ruleBudget is what one rule may use.
func (w *webAccess) ruleBudget(exchange *webclient.Budget) *webclient.Budget {
	return webclient.NewBudget("the rule", w.requests, w.bytes, exchange)
}
