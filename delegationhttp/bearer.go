package delegationhttp

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
)

// Bearer lets only requests with a user's ID token reach a handler of your own. It is for services
// that call AWS as the user of each request. The token comes in the header Authorization with the
// scheme Bearer (RFC 6750 §2.1). next gets the request with a context of [delegation.WithIDToken].
// With this context, an AWS SDK client that has the provider of
// [delegation.Delegator.FromContext] calls AWS with the user's credentials:
//
//	client := s3.NewFromConfig(aws.Config{Region: region, Credentials: d.FromContext("photo-app")})
//	mux.Handle("/photos", handlers.Bearer("photo-app", photos(client)))
//
// The token is exchanged for the target before next is called, so refusals are answered here, and
// next's first call of AWS for this target finds the credentials in the Delegator's cache. The
// address limit and the rate limit count the request once, however often next calls AWS. Events of
// next's calls have the ID, address and user agent of the request, and "bearer" as the endpoint.
// With Config.Replay of the Delegator, the request is one use of the token for each target.
//
// The options hold for this exchange and for all of next's.
//
// A request without a token is 401. A token that is not accepted is 401 with the error
// invalid_token, so that a client gets a new one. A user who may not have the credentials is 403.
// Other errors are answered as by the other handlers; docs/bearer.md lists them. The header
// WWW-Authenticate has the same error, as RFC 6750 §3 and RFC 9470 §3 require. Refusals are never
// cached. Answers of next are not changed, except that they have the header X-Request-ID and those
// of the rate limit.
//
// A handler answers an error of a call of AWS with [Handlers.Refuse]. The body of the request, its
// method and CORS are next's. A browser's preflight has no token, so what answers it must come
// before Bearer. Bearer panics if next is nil.
func (h *Handlers) Bearer(
	target string, next http.Handler, options ...delegation.ExchangeOption,
) http.Handler {
	if next == nil {
		panic("delegationhttp: Bearer needs a handler: next is nil")
	}
	b := &bearer{Handlers: h, target: target, options: slices.Clone(options)}
	return h.identified(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, refused := b.admit(w, r)
		if refused != nil {
			neverCached(w.Header())
			h.refuse(w, r, refused, auth0Shape)
			return
		}
		next.ServeHTTP(w, admitted)
	}))
}

// Refuse answers an error of a call of AWS that a handler made as the user, and returns true: if
// the call failed because the user's token or credentials were refused, the answer is that of
// [Handlers.Bearer]. An error that is not from an exchange is left to the handler: Refuse writes
// nothing and returns false. AWS's own refusal of the call, such as AccessDenied, is one of these,
// and so is nil.
//
//	out, err := client.GetObject(r.Context(), input)
//	if handlers.Refuse(w, r, err) {
//		return
//	}
//
// For directory buckets and Multi-Region Access Points of S3 the SDK keeps only the text of an
// error, so Refuse leaves it to the handler, too.
//
// It must be called before anything is written. The answer holds the text of
// [delegation.Error.Public] and no other part of the error.
func (h *Handlers) Refuse(w http.ResponseWriter, r *http.Request, err error) bool {
	var limited *rateLimited
	if exchangeError(err) == nil && !errors.As(err, &limited) {
		return false
	}
	neverCached(w.Header())
	h.refuse(w, r, h.bearerRefusal(w, r, err), auth0Shape)
	return true
}

// bearer admits requests to one handler.
type bearer struct {
	*Handlers
	target  string
	options []delegation.ExchangeOption
}

// admit returns the request as the handler gets it, or why it gets none.
func (b *bearer) admit(w http.ResponseWriter, r *http.Request) (*http.Request, *refusal) {
	if refused := b.Handlers.admit(r); refused != nil {
		return nil, refused
	}
	token, refused := bearerToken(r.Header)
	if refused != nil {
		return nil, refused
	}
	request := b.requestOf(w, r, &delegationRequest{endpoint: "bearer"})
	options := append([]delegation.ExchangeOption{delegation.WithRequest(request)}, b.options...)
	ctx := delegation.WithIDToken(r.Context(), token, options...)
	if b.limiter != nil { // this exchange alone counts
		options = append(options, delegation.WithRule(b.limiter.rule(request.IP, w.Header())))
	}
	credentials, err := b.config.Exchanger.Exchange(ctx, token, b.target, options...)
	if err == nil && credentials == nil {
		err = errors.New("the Exchanger returned neither credentials nor an error")
	}
	if err != nil {
		return nil, b.bearerRefusal(w, r, err)
	}
	return r.WithContext(ctx), nil
}

// bearerToken returns the token of the header Authorization (RFC 6750 §2.1). Tokens in a form or a
// URL (§2.2, §2.3) are not read.
func bearerToken(header http.Header) (string, *refusal) {
	values := header.Values("Authorization")
	if len(values) > 1 {
		refused := invalid(http.StatusBadRequest, "repeated Authorization header")
		refused.challenge = challenge(refused)
		return "", refused
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(strings.Join(values, "")), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		// Without an error in the challenge: nothing was tried (RFC 6750 §3.1).
		return "", invalid(http.StatusUnauthorized,
			"missing ID token: send it in the Authorization header, after Bearer")
	}
	return token, nil
}

// bearerRefusal returns the answer to a failed exchange as RFC 6750 §3.1 wants it: 401 makes a
// client get another token, so only what another token can change is 401.
func (h *Handlers) bearerRefusal(w http.ResponseWriter, r *http.Request, err error) *refusal {
	refused := h.refusalOf(w, r, err)
	switch refused.code {
	case "invalid_grant", "invalid_client":
		refused.status = http.StatusUnauthorized
		refused.code = "invalid_token"
	case "unauthorized":
		refused.status = http.StatusForbidden
		refused.code = "access_denied"
	}
	if refused.status == http.StatusUnauthorized {
		refused.challenge = challenge(refused)
	}
	return refused
}

// challenge says a refusal in the header WWW-Authenticate (RFC 6750 §3).
func challenge(refused *refusal) string {
	return `Bearer error="` + refused.code +
		`", error_description="` + strings.Map(challengeText, refused.description) + `"`
}

// challengeText replaces characters that error_description may not have (RFC 6750 §3).
func challengeText(c rune) rune {
	switch {
	case c == '"' || c == '\\':
		return '\''
	case c < ' ' || c > '~':
		return '?'
	}
	return c
}
