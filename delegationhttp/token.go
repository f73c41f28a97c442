package delegationhttp

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
)

// TokenTypeAWSCredentials is the issued_token_type of what [Handlers.Token] answers: AWS
// credentials, as base64url without padding (RFC 4648 §5) of the JSON of
// [delegation.Credentials.ContainerJSON]. It is a name, and nothing is fetched from it.
const TokenTypeAWSCredentials = "https://github.com/seed055b7978/delegation/" +
	"token-type/aws-credentials"

// Token returns the handler of POST /token, a token endpoint for token exchange (RFC 8693). The
// body is a form of at most Config.MaxBody bytes with these parameters:
//
//   - grant_type: urn:ietf:params:oauth:grant-type:token-exchange.
//   - subject_token: the user's token. subject_token_type says what it is: id_token, access_token
//     or jwt, each after urn:ietf:params:oauth:token-type:. jwt is any of them. A token of another
//     kind is refused.
//   - actor_token and actor_token_type: optional, the same of who acts for the user, such as an
//     agent ([delegation.WithActorToken]).
//   - audience or resource: the target. Without them it is the client_id. If several are sent, they
//     must be the same.
//   - scope: optional, the names of scopes of the target, with spaces between them
//     ([delegation.WithScope]).
//   - role: optional, the ARN of the role that the user chooses; only with Config.Roles.
//   - requested_token_type: optional, [TokenTypeAWSCredentials].
//   - client_id: optional, as for Delegation. Clients are not authenticated: a request with a
//     client_secret, a client_assertion or an Authorization header is refused.
//
// A parameter without a value counts as absent (RFC 6749 §3.2). All others reach rules as
// Request.Parameters.
//
// Success is {"access_token", "issued_token_type", "token_type", "expires_in"}, and scope if the
// session was narrowed. access_token is described at [TokenTypeAWSCredentials], and token_type is
// N_A (RFC 8693 §2.2.1). A refusal is {"error", "error_description"} (RFC 6749 §5.2). A token that
// is not accepted, and a user whom a rule refuses, is invalid_request, as RFC 8693 §2.2.2 wants it;
// docs/token-exchange.md lists all. Pages of Config.AllowedOrigins may call it.
func (h *Handlers) Token() http.Handler {
	return h.serve(endpoint{
		method:  http.MethodPost,
		headers: []string{"Content-Type"},
		shape:   oauthShape,
		answer:  h.token,
	})
}

// oauthShape is that of RFC 6749 §5.2.
func oauthShape(r *refusal) any {
	return struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{r.code, r.description}
}

func (h *Handlers) token(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	q, refused := h.readTokenExchange(w, r)
	if refused != nil {
		return nil, refused
	}
	if refused := h.takeRole(&q.delegationRequest); refused != nil {
		return nil, refused
	}
	write := func(credentials *delegation.Credentials) ([]byte, error) {
		return tokenJSON(credentials, q.scopes, h.config.Now())
	}
	body, refused := h.exchange(w, r, &q.delegationRequest, write, q.options()...)
	if refused != nil {
		return nil, asTokenRefusal(refused)
	}
	return body, nil
}

// tokenJSON is the answer of RFC 8693 §2.2.1. It has the scopes only if the session was narrowed to
// them.
func tokenJSON(
	credentials *delegation.Credentials, scopes []string, now time.Time,
) ([]byte, error) {
	container, err := credentials.ContainerJSON()
	if err != nil {
		return nil, err
	}
	scope := ""
	if credentials.Narrowed {
		scope = strings.Join(scopes, " ")
	}
	return json.Marshal(struct {
		AccessToken string `json:"access_token"`
		IssuedType  string `json:"issued_token_type"`
		TokenType   string `json:"token_type"`
		Expires     int    `json:"expires_in"`
		Scope       string `json:"scope,omitempty"`
	}{
		AccessToken: base64.RawURLEncoding.EncodeToString(container),
		IssuedType:  TokenTypeAWSCredentials,
		TokenType:   "N_A",
		Expires:     int(max(0, credentials.Expiration.Sub(now)).Seconds()),
		Scope:       scope,
	})
}

// asTokenRefusal answers a failed exchange in the words of RFC 8693 §2.2.2 and RFC 6749 §5.2. What
// is wrong with a target is invalid_target. What is wrong with a token, or is refused by policy, is
// invalid_request. Both have the status 400. What clients can do nothing about stays as it is.
func asTokenRefusal(r *refusal) *refusal {
	switch {
	case r.status >= http.StatusInternalServerError,
		r.status == http.StatusTooManyRequests,
		r.code == "invalid_client",
		r.code == "invalid_scope":
		return r
	case r.code == "endpoint_disabled":
		r.code = invalidTarget
		r.description = "there is no such target"
	case r.code == "unauthorized_client":
		r.code = invalidTarget
	default:
		r.code = "invalid_request"
	}
	r.status = http.StatusBadRequest
	return r
}
