package delegationhttp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/seed055b7978/delegation"
)

// RoleLister lists the roles that a user may choose. It is a [delegation.Delegator] or a wrapper of
// one.
type RoleLister interface {
	Roles(
		ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
	) ([]delegation.RoleOption, error)
}

// maxRole is the longest role that is read, in bytes (STS API Reference, AssumeRoleWithSAML,
// RoleArn).
const maxRole = 2048

// Roles returns the handler of GET /roles, which lists the roles that the user of an ID token may
// choose. The Authorization header holds the token, with or without "Bearer ". The target comes
// from the query, or else from Config.ContainerTarget. Success is {"roles": [{"role", "label",
// "account_id", "account", "default"}]}: role is the ARN to ask for, label and account are for
// people, and default marks the role of a request without one. A refusal is that of Delegation. A
// list counts once for Config.RateLimit. Pages of Config.AllowedOrigins may call it. Without
// Config.Roles the handler is off and answers 404.
func (h *Handlers) Roles() http.Handler {
	return h.serve(endpoint{
		method:  http.MethodGet,
		headers: []string{"Authorization", "Content-Type"},
		shape:   auth0Shape,
		answer:  h.roles,
	})
}

func (h *Handlers) roles(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	lister, ok := h.config.Exchanger.(RoleLister)
	if !h.config.Roles || !ok {
		return nil, &refusal{
			status:      http.StatusNotFound,
			code:        "endpoint_disabled",
			description: "roles are not listed here",
		}
	}
	q, refused := h.readTokenRequest(r, tokenTexts{
		noToken:  "missing ID token: send it in the Authorization header",
		noTarget: "missing target: add ?target=NAME to the URL",
	})
	if refused != nil {
		return nil, refused
	}
	q.endpoint = "roles"
	options, refused := h.optionsOf(w, r, q)
	if refused != nil {
		return nil, refused
	}
	listed, err := lister.Roles(r.Context(), q.idToken, q.target, options...)
	if err != nil {
		return nil, h.refusalOf(w, r, err)
	}
	return rolesJSON(listed), nil
}

// listedRole is a role in the answer of Roles. What offers it is the operator's business.
type listedRole struct {
	Role      string `json:"role"`
	Label     string `json:"label"`
	AccountID string `json:"account_id"`
	Account   string `json:"account,omitempty"`
	Default   bool   `json:"default"`
}

func rolesJSON(options []delegation.RoleOption) []byte {
	list := make([]listedRole, 0, len(options))
	for _, o := range options {
		list = append(list, listedRole{
			Role:      o.Role,
			Label:     o.Label,
			AccountID: o.AccountID,
			Account:   o.Account,
			Default:   o.Default,
		})
	}
	body, _ := json.Marshal(map[string]any{"roles": list}) // texts cannot fail
	return body
}

// takeRole reads the role that a body asks for, if callers may choose one. Rules see it in the
// parameters, too.
func (h *Handlers) takeRole(q *delegationRequest) *refusal {
	if !h.config.Roles || q.parameters["role"] == nil {
		return nil
	}
	role, ok := q.parameters["role"].(string)
	if !ok {
		return invalid(http.StatusBadRequest, "role is not a string")
	}
	q.role = role
	return nil
}

// queryRole reads the role that a query asks for. A client that names one must not get another, so
// it is refused where callers may choose none, and if it is empty.
func (h *Handlers) queryRole(query url.Values) (string, *refusal) {
	roles, asked := query["role"]
	switch {
	case !asked:
		return "", nil
	case !h.config.Roles:
		return "", invalid(http.StatusBadRequest,
			"role: callers cannot choose a role here: leave it out")
	case len(roles) > 1:
		return "", invalid(http.StatusBadRequest, "repeated role")
	case roles[0] == "":
		return "", invalid(http.StatusBadRequest, "role is empty: name one, or leave it out")
	}
	return roles[0], nil
}
