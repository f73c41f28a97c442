package delegationhttp

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed055b7978/delegation"
)

// ContainerCredentials returns the handler of AWS's container credentials endpoint, from which every AWS SDK and the AWS CLI
// fetch credentials without code. The client is set up by two environment variables:
//
//	AWS_CONTAINER_CREDENTIALS_FULL_URI=https://HOST/credentials?target=TARGET
//	AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=FILE   (the ID token, without a line end; read anew on every fetch)
//
// It answers GET with an Authorization header that holds the ID token, with or without "Bearer ", and a target in the query or of
// Config.ContainerTarget. Success is the body of [delegation.Credentials.ContainerJSON], a refusal {"code", "message"} with the codes of
// Delegation. SDKs take plain http only to loopback.
func (h *Handlers) ContainerCredentials() http.Handler {
	return h.serve(http.MethodGet, containerShape, func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
		q, refused := h.readContainerRequest(r)
		if refused != nil {
			return nil, refused
		}
		return h.exchange(w, r, q, (*delegation.Credentials).ContainerJSON)
	})
}

func (h *Handlers) readContainerRequest(r *http.Request) (*delegationRequest, *refusal) {
	const bearer = "Bearer"
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // otherwise the default would stand in for a target that cannot be read
		return nil, invalid(http.StatusBadRequest, "the query cannot be read: a bad percent-encoding, or a semicolon")
	}
	authorization, targets := r.Header.Values("Authorization"), query["target"]
	if len(authorization) > 1 || len(targets) > 1 {
		return nil, invalid(http.StatusBadRequest, "repeated Authorization header or target")
	}
	token := strings.TrimSpace(r.Header.Get("Authorization"))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, bearer) {
		token = strings.TrimSpace(rest)
	}
	if token == "" || strings.EqualFold(token, bearer) {
		return nil, invalid(http.StatusUnauthorized, "missing ID token: put it into the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names")
	}
	target := cmp.Or(strings.Join(targets, ""), h.config.ContainerTarget)
	if target == "" {
		return nil, invalid(http.StatusBadRequest, "missing target: add ?target=NAME to AWS_CONTAINER_CREDENTIALS_FULL_URI")
	}
	return &delegationRequest{idToken: token, target: target}, nil
}
