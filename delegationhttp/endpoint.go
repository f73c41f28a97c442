package delegationhttp

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/seed055b7978/delegation"
)

// Delegation returns the handler of POST /delegation, the endpoint of Auth0's clients. The body is
// a form or a JSON object of at most Config.MaxBody bytes with these parameters:
//
//   - client_id: the token's client or an audience of the token. It only confirms the token.
//   - grant_type: urn:ietf:params:oauth:grant-type:jwt-bearer.
//   - id_token: the user's ID token.
//   - target: optional, by default the client_id.
//   - api_type: optional, aws.
//   - role: optional, the ARN of the role that the user chooses; only with Config.Roles.
//
// All other parameters reach rules as Request.Parameters and decide nothing by themselves. Success
// is the body of [delegation.Credentials.Auth0JSON]. A refusal is {"error", "error_description",
// "status"}; docs/http.md lists them.
func (h *Handlers) Delegation() http.Handler {
	return h.serve(endpoint{
		method:  http.MethodPost,
		headers: auth0Headers,
		shape:   auth0Shape,
		answer:  h.delegation,
	})
}

// auth0Headers are the headers of Auth0's clients that a browser asks about first.
var auth0Headers = []string{"Content-Type", "Auth0-Client"}

func (h *Handlers) delegation(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	q, refused := h.readRequest(w, r)
	if refused != nil {
		return nil, refused
	}
	if refused := h.takeRole(q); refused != nil {
		return nil, refused
	}
	q.endpoint = "delegation"
	return h.exchange(w, r, q, (*delegation.Credentials).Auth0JSON)
}

// maxName is the longest client_id and target, in bytes. Events and logs name the requested target.
// They must not hold 64 KiB of text, or a token that was sent in the wrong field.
const maxName = 256

// format writes credentials in the format of one kind of client.
type format func(*delegation.Credentials) ([]byte, error)

// exchange calls the Exchanger, for every endpoint. It returns the credentials in a format.
func (h *Handlers) exchange(
	w http.ResponseWriter, r *http.Request, q *delegationRequest, as format,
	more ...delegation.ExchangeOption,
) ([]byte, *refusal) {
	options, refused := h.optionsOf(w, r, q)
	if refused != nil {
		return nil, refused
	}
	options = append(options, more...)
	credentials, err := h.config.Exchanger.Exchange(r.Context(), q.idToken, q.target, options...)
	if err != nil {
		return nil, h.refusalOf(w, r, err)
	}
	if credentials == nil {
		neither := errors.New("the Exchanger returned neither credentials nor an error")
		return nil, h.refusalOf(w, r, neither)
	}
	body, err := as(credentials)
	if err != nil {
		return nil, h.refusalOf(w, r, err)
	}
	return body, nil
}

// optionsOf are the options of a request: what it says of itself, and the limit of its user.
func (h *Handlers) optionsOf(
	w http.ResponseWriter, r *http.Request, q *delegationRequest,
) (options []delegation.ExchangeOption, refused *refusal) {
	if len(q.clientID) > maxName || len(q.target) > maxName {
		return nil, invalid(http.StatusBadRequest,
			"client_id or target has more than %d bytes", maxName)
	}
	if len(q.role) > maxRole {
		return nil, invalid(http.StatusBadRequest, "role has more than %d bytes", maxRole)
	}
	request := h.requestOf(w, r, q)
	options = []delegation.ExchangeOption{
		delegation.WithClientID(q.clientID),
		delegation.WithRole(q.role),
		delegation.WithRequest(request),
	}
	if h.limiter != nil {
		options = append(options, delegation.WithRule(h.limiter.rule(request.IP, w.Header())))
	}
	return options, nil
}

// requestOf is what rules and events get of a request.
func (h *Handlers) requestOf(
	w http.ResponseWriter, r *http.Request, q *delegationRequest,
) delegation.Request {
	return delegation.Request{
		ID:          requestID(w),
		IP:          clientIP(r, h.config.TrustedProxies),
		UserAgent:   r.UserAgent(),
		Hostname:    (&url.URL{Host: r.Host}).Hostname(),
		Endpoint:    q.endpoint,
		SessionName: q.sessionName,
		Parameters:  q.parameters,
	}
}
