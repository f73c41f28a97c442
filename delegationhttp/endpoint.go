package delegationhttp

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/seed055b7978/delegation"
)

// Delegation returns the handler of POST /delegation, the endpoint of Auth0's clients. A form or a JSON object of at most 64 KiB has
// client_id (the token's client or an audience of it, which is compared and decides nothing), grant_type (urn:ietf:params:oauth:grant-type:jwt-bearer), id_token, and optionally
// target (by default the client_id) and api_type (aws). All else reaches rules as Request.Parameters and decides nothing by itself.
// Success is the body of [delegation.Credentials.Auth0JSON], a refusal {"error", "error_description", "status"}; docs/http.md lists them.
func (h *Handlers) Delegation() http.Handler {
	return h.cors(h.serve(http.MethodPost, auth0Shape, func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
		q, refused := readRequest(w, r)
		if refused != nil {
			return nil, refused
		}
		return h.exchange(w, r, q, (*delegation.Credentials).Auth0JSON)
	}))
}

// maxName is the longest client_id and target, in bytes. Events and logs name the target as it was asked for: a token in the wrong
// field, and 64 KiB of anything, do not belong there.
const maxName = 256

// exchange is the one way to the Exchanger. It returns the credentials as the client reads them.
func (h *Handlers) exchange(w http.ResponseWriter, r *http.Request, q *delegationRequest, write func(*delegation.Credentials) ([]byte, error)) ([]byte, *refusal) {
	if len(q.clientID) > maxName || len(q.target) > maxName {
		return nil, invalid(http.StatusBadRequest, "client_id or target has more than %d bytes", maxName)
	}
	ip := clientIP(r, h.config.TrustedProxies)
	hostname := (&url.URL{Host: r.Host}).Hostname()
	options := []delegation.ExchangeOption{
		delegation.WithClientID(q.clientID),
		delegation.WithRequest(delegation.Request{IP: ip, UserAgent: r.UserAgent(), Hostname: hostname, Parameters: q.parameters}),
	}
	if h.limiter != nil {
		options = append(options, delegation.WithRule(h.limiter.rule(ip, w.Header())))
	}
	credentials, err := h.config.Exchanger.Exchange(r.Context(), q.idToken, q.target, options...)
	if err == nil && credentials == nil {
		err = errors.New("the Exchanger returned neither credentials nor an error")
	}
	var body []byte
	if err == nil {
		body, err = write(credentials)
	}
	if err != nil {
		return nil, h.refusalOf(r, err)
	}
	return body, nil
}
