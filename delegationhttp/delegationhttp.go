// Package delegationhttp serves a [delegation.Delegator] over HTTP to existing clients. These are
// Auth0's delegation clients (POST /delegation), every AWS SDK and the AWS CLI (container
// credentials), browsers (console sign-in), IAM (SAML metadata) and load balancers (health). The
// handlers share one configuration and one rate limit. Mount each of them at any path:
//
//	handlers, err := delegationhttp.New(delegationhttp.Config{Exchanger: delegator})
//	mux.Handle("/delegation", handlers.Delegation())
//	mux.Handle("/credentials", handlers.ContainerCredentials())
//
// [Handlers.Bearer] is for services of your own that call AWS as the user of each request.
//
// # What a caller learns
//
// A refusal holds the text of [delegation.Error.Public] and one of a few error codes. The answers
// of AWS, ARNs and names are in the Delegator's event only. Requests that are refused before an
// exchange are logged to Config.Logger. The header X-Request-ID of an answer leads to its event or
// log record. Answers are never cached. No log holds a token, a credential or a key.
//
// # What is not done here
//
// TLS, timeouts and limits on headers and connections belong to the http.Server; see
// cmd/delegation. There is no JSONP, because it puts tokens into URLs. The handlers do not use
// cookies, so a foreign site has no session that it could abuse.
package delegationhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
)

// Exchanger turns an ID token into credentials. It is a [delegation.Delegator] or a wrapper of one.
type Exchanger interface {
	Exchange(
		ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
	) (*delegation.Credentials, error)
}

// Config configures the handlers. Only Exchanger is required.
type Config struct {
	// Exchanger is the *delegation.Delegator.
	Exchanger Exchanger

	// AllowedOrigins are the web origins whose pages may call Delegation, ContainerCredentials,
	// STS, ConsoleSignIn, Roles and Token and read the answers (CORS). Write them as browsers send
	// them, such as https://app.example.com. Empty permits none. ["*"] permits every page of the
	// web. A preflight that asks for more is refused with 403, and logged.
	AllowedOrigins []string

	// RateLimit limits the exchanges of one user from one IP address, over all handlers together.
	// The zero value is no limit.
	RateLimit RateLimit

	// AddressLimit limits the requests of one client address, over all handlers together. It counts
	// them before it reads a token. The zero value is no limit.
	AddressLimit AddressLimit

	// MaxBody is the largest body of a request, in bytes: from 1,024 to 1,048,576. Zero is 65,536.
	// A larger one is refused with 413. It must have room for the longest ID token,
	// percent-encoded.
	MaxBody int

	// OnLimit is called for each request that AddressLimit or MaxBody refuses, before the answer:
	// for metrics. It is called from the goroutines of requests and must not block. Requests above
	// RateLimit are in the Delegator's events instead. Nil does nothing.
	OnLimit func(context.Context, Limit)

	// TrustedProxies is the number of proxies in front of this service. Each of them must append
	// the address of its caller to X-Forwarded-For. The client's IP address is the entry at this
	// position in X-Forwarded-For, counted from the end. Zero, the default: it is the address of
	// the connection. If the number is too large, clients can choose their address.
	//
	// With one proxy or more, the header X-Request-ID of a request is the ID of the request, if it
	// has 1 to 128 letters, digits and -._:/+=@~. Otherwise a new ID is made. The answer's header
	// X-Request-ID, logs and events have it.
	TrustedProxies int

	// ContainerTarget is the target of ContainerCredentials for requests that name none. If it is
	// empty, every request must name one.
	ContainerTarget string

	// Roles lets callers choose a role, at targets that offer several; see
	// [delegation.Delegator.Roles]. It turns on the handler Roles, and the parameter role, an ARN,
	// of Delegation, ConsoleSignIn, Token and ContainerCredentials. The last one reads it from the
	// query, the others from the body. Exchanger must be a [RoleLister]. False: Roles answers 404,
	// role in a body is one of the parameters for rules, and role in a query is refused.
	Roles bool

	// ContainerParameters are the query parameters of ContainerCredentials that rules see, in
	// Request.Parameters. Each may be there once, with a value of 1,024 bytes at most; otherwise
	// the request is refused. Others have no effect, and rules do not see them. Empty: rules see
	// none.
	ContainerParameters []string

	// STSMemory is how many bytes of sessions STS remembers, for GetCallerIdentity: the access key,
	// its secret, a hash of the session token, and whose they are. Expired sessions are forgotten,
	// and if there is no room, the least recently used ones. Sessions that other handlers hand out
	// are not remembered. Zero: 8 MiB, for some 10,000 sessions. Negative: none is remembered, and
	// GetCallerIdentity is always refused.
	STSMemory int

	// Console enables ConsoleSignIn. With nil it is off.
	Console *Console

	// Now is the time for the limits, for the signatures and sessions of STS, and for what answers
	// say of the time that is left. It must not block. Nil is time.Now.
	Now func() time.Time

	// Logger gets requests that are refused before an exchange, at level Info, and failures outside
	// of an exchange, at level Warn. Nil discards them.
	Logger *slog.Logger
}

// Handlers makes the handlers of one configuration. Only [New] and [Handlers.WithConfig] make one.
// It is safe for concurrent use.
type Handlers struct {
	config    Config
	limiter   *limiter // nil: no limit
	addresses *limiter // nil: no limit
	issued    *issuedSessions
}

// New makes the handlers of a configuration. The error names everything that is wrong with it.
func New(c Config) (*Handlers, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("delegationhttp: %w", err)
	}
	c = c.withDefaults()
	return &Handlers{
		config:    c,
		limiter:   newLimiter(c.RateLimit, c.Now),
		addresses: newLimiter(c.AddressLimit.rateLimit(), c.Now),
		issued:    newIssuedSessions(c.STSMemory, c.Now),
	}, nil
}

// WithConfig makes the handlers of another configuration, which share with these what is counted
// for their limits: users and addresses keep the requests that they have left, even if a limit
// changes. They also share the sessions that STS remembers, unless either has a negative
// Config.STSMemory. So the new handlers know the sessions of requests that these are still
// answering. Each keeps what is shared within its own limits, whenever it uses it.
//
// It is for programs that reload their configuration. Errors are those of New, and these handlers
// do not change.
func (h *Handlers) WithConfig(c Config) (*Handlers, error) {
	next, err := New(c)
	if err != nil {
		return nil, err
	}
	next.limiter.countOn(h.limiter)
	next.addresses.countOn(h.addresses)
	next.issued.shareWith(h.issued)
	return next, nil
}

func (c Config) validate() error {
	var problems []error
	if c.Exchanger == nil {
		problems = append(problems, errors.New("Exchanger is nil"))
	}
	if _, lists := c.Exchanger.(RoleLister); c.Roles && c.Exchanger != nil && !lists {
		problems = append(problems, errors.New("Roles needs an Exchanger with a method Roles, as "+
			"*delegation.Delegator has"))
	}
	for i, origin := range c.AllowedOrigins {
		if err := checkOrigin(origin, len(c.AllowedOrigins)); err != nil {
			problems = append(problems, fmt.Errorf("AllowedOrigins[%d]: %w", i, err))
		}
	}
	if err := c.RateLimit.validate(); err != nil {
		problems = append(problems, fmt.Errorf("RateLimit: %w", err))
	}
	if err := c.AddressLimit.validate(); err != nil {
		problems = append(problems, fmt.Errorf("AddressLimit: %w", err))
	}
	if c.MaxBody != 0 && (c.MaxBody < leastMaxBody || c.MaxBody > mostMaxBody) {
		const outside = "MaxBody: %d is not between %d and %d bytes"
		problems = append(problems, fmt.Errorf(outside, c.MaxBody, leastMaxBody, mostMaxBody))
	}
	if c.TrustedProxies < 0 || c.TrustedProxies > maxProxies {
		const outside = "TrustedProxies: %d is not between 0 and %d"
		problems = append(problems, fmt.Errorf(outside, c.TrustedProxies, maxProxies))
	}
	if err := checkContainerParameters(c.ContainerParameters); err != nil {
		problems = append(problems, fmt.Errorf("ContainerParameters: %w", err))
	}
	if c.Console != nil {
		if err := c.Console.validate(); err != nil {
			problems = append(problems, fmt.Errorf("Console: %w", err))
		}
	}
	return errors.Join(problems...)
}

// withDefaults returns a copy that shares nothing with the caller, with every default filled in.
func (c Config) withDefaults() Config {
	c.AllowedOrigins = slices.Clone(c.AllowedOrigins)
	if c.Console != nil {
		own := *c.Console
		c.Console = &own
	}
	c.ContainerParameters = slices.Clone(c.ContainerParameters)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	c.STSMemory = cmp.Or(c.STSMemory, defaultSTSMemory)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}
