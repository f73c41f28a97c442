// Package delegationhttp serves a [delegation.Delegator] over HTTP to clients that exist already: Auth0's delegation clients
// (POST /delegation), every AWS SDK and the AWS CLI (container credentials), browsers (console sign-in), IAM (SAML metadata) and
// load balancers (health). The handlers share one configuration and one rate limit; mount each where you like:
//
//	handlers, err := delegationhttp.New(delegationhttp.Config{Exchanger: delegator})
//	mux.Handle("/delegation", handlers.Delegation())
//	mux.Handle("/credentials", handlers.ContainerCredentials())
//
// # What a caller learns
//
// A refusal says what [delegation.Error.Public] says and one of a few error codes; what AWS answered, ARNs and names are in
// the Delegator's event. Requests that are refused before an exchange go to Config.Logger. Answers are never cached, and no token, credential
// or key is in any log.
//
// # What is not done here
//
// TLS, time-outs and limits on connections are the http.Server's, see cmd/delegation. There is no JSONP: it puts tokens into
// URLs. Cookies play no part, so there is nothing for a foreign site to ride on.
package delegationhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/rs/cors"
	"github.com/seed055b7978/delegation"
)

// Exchanger turns an ID token into credentials. [delegation.Delegator] is the one; the interface leaves room for what stands around it.
type Exchanger interface {
	Exchange(ctx context.Context, idToken, target string, options ...delegation.ExchangeOption) (*delegation.Credentials, error)
}

// Config is what [New] takes. Everything but Exchanger may be left out.
type Config struct {
	Exchanger Exchanger // the *delegation.Delegator

	// AllowedOrigins are the web origins whose pages may call Delegation and ConsoleSignIn and read the answers (CORS), such as
	// https://app.example.com, exactly as browsers send them. Empty: none. ["*"] means every page of the web.
	AllowedOrigins []string

	// RateLimit limits the exchanges of one user from one IP address, over all handlers together. The zero value is no limit.
	RateLimit RateLimit

	// TrustedProxies is how many proxies stand before this service, each of which appends the address it was called from to
	// X-Forwarded-For. The client's IP address is taken from there, so many entries from the end; with zero, the default, it is the
	// connection's. Too large a number lets clients choose their address.
	TrustedProxies int

	// ContainerTarget is the target of ContainerCredentials for requests that name none. Empty: they must name one.
	ContainerTarget string

	// Console enables ConsoleSignIn. nil: it is off.
	Console *Console

	Now    func() time.Time // for the rate limit; nil: time.Now
	Logger *slog.Logger     // gets requests that are refused before an exchange, at level Info, and failures beside one at Warn. nil: silence
}

// Handlers make the handlers of one configuration. Only [New] makes one. They are safe for concurrent use.
type Handlers struct {
	config  Config
	limiter *limiter // nil: no limit
	cors    func(http.Handler) http.Handler
}

// New checks the configuration and names everything that is wrong with it in one error.
func New(c Config) (*Handlers, error) {
	var problems []error
	if c.Exchanger == nil {
		problems = append(problems, errors.New("Exchanger is nil"))
	}
	for i, origin := range c.AllowedOrigins {
		if err := checkOrigin(origin, len(c.AllowedOrigins)); err != nil {
			problems = append(problems, fmt.Errorf("AllowedOrigins[%d]: %w", i, err))
		}
	}
	if err := c.RateLimit.check(); err != nil {
		problems = append(problems, fmt.Errorf("RateLimit: %w", err))
	}
	if c.TrustedProxies < 0 || c.TrustedProxies > maxProxies {
		problems = append(problems, fmt.Errorf("TrustedProxies: %d is not between 0 and %d", c.TrustedProxies, maxProxies))
	}
	if c.Console != nil {
		if err := c.Console.check(); err != nil {
			problems = append(problems, fmt.Errorf("Console: %w", err))
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("delegationhttp: %w", errors.Join(problems...))
	}
	c.AllowedOrigins = slices.Clone(c.AllowedOrigins)
	if c.Console != nil {
		own := *c.Console
		c.Console = &own
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return &Handlers{config: c, limiter: newLimiter(c.RateLimit, c.Now), cors: allowOrigins(c.AllowedOrigins)}, nil
}

const anyOrigin = "*"

// checkOrigin wants an origin as browsers serialise it (Fetch Standard §3.2), because it is compared as a whole.
func checkOrigin(origin string, of int) error {
	switch {
	case origin == anyOrigin && of > 1:
		return errors.New(`"*" makes the others meaningless: list it alone, or not at all`)
	case origin != anyOrigin && (!originForm.MatchString(origin) || usualPort.MatchString(origin)):
		return fmt.Errorf("%.200q is not an origin such as https://app.example.com: scheme and host in lower case, a port if it is not the usual one, and no path", origin)
	}
	return nil
}

var (
	originForm = regexp.MustCompile(`\A[a-z][a-z0-9+.-]*://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?\z`)
	usualPort  = regexp.MustCompile(`\A(?:https://.*:443|http://.*:80)\z`)
)

// allowOrigins answers preflights and adds the headers of CORS, on refusals too. Without origins it does nothing, where rs/cors would allow all.
func allowOrigins(origins []string) func(http.Handler) http.Handler {
	if len(origins) == 0 {
		return func(h http.Handler) http.Handler { return h }
	}
	o := cors.Options{
		AllowedMethods: []string{http.MethodPost, http.MethodGet, http.MethodHead}, // GET gets its 405 with the headers
		AllowedHeaders: []string{"Content-Type", "Auth0-Client"},
		ExposedHeaders: []string{"Retry-After", headerLimit, headerRemaining, headerReset},
		MaxAge:         int((10 * time.Minute).Seconds()),
	}
	if slices.Contains(origins, anyOrigin) {
		o.AllowedOrigins = origins
	} else { // rs/cors itself ignores case and knows patterns
		o.AllowOriginFunc = func(origin string) bool { return slices.Contains(origins, origin) }
	}
	return cors.New(o).Handler
}
