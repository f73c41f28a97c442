package delegationhttp

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

// ContainerCredentials returns the handler of AWS's container credentials endpoint. Every AWS SDK
// and the AWS CLI fetch credentials from it without further code. Two environment variables
// configure the client:
//
//	AWS_CONTAINER_CREDENTIALS_FULL_URI=https://HOST/credentials?target=TARGET
//	AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=FILE
//
// The file holds the ID token without a line end. The client reads it for every fetch.
//
// The handler answers GET. The Authorization header holds the ID token, with or without "Bearer ".
// The target comes from the query, or else from Config.ContainerTarget. Success is the body of
// [delegation.Credentials.ContainerJSON]. A refusal is {"code", "message"} with the codes of
// Delegation, and the same as {"Code", "Message"}, which the SDK for JavaScript reads. SDKs use
// plain http only for loopback addresses. Pages of Config.AllowedOrigins may call it, too;
// docs/browser.md has the code.
func (h *Handlers) ContainerCredentials() http.Handler {
	return h.serve(endpoint{
		method:  http.MethodGet,
		headers: []string{"Authorization", "Content-Type"},
		shape:   containerShape,
		answer:  h.containerCredentials,
	})
}

func (h *Handlers) containerCredentials(
	w http.ResponseWriter, r *http.Request,
) ([]byte, *refusal) {
	q, refused := h.readContainerRequest(r)
	if refused != nil {
		return nil, refused
	}
	q.endpoint = "credentials"
	return h.exchange(w, r, q, (*delegation.Credentials).ContainerJSON)
}

func (h *Handlers) readContainerRequest(r *http.Request) (*delegationRequest, *refusal) {
	q, refused := h.readTokenRequest(r, tokenTexts{
		noToken: "missing ID token: " +
			"send it in the Authorization header; AWS's SDKs read it from the file that " +
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names",
		noTarget: "missing target: add ?target=NAME to the URL, which for AWS's SDKs is in " +
			"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	})
	if refused != nil {
		return nil, refused
	}
	q.role, refused = h.queryRole(r.URL.Query())
	if refused != nil {
		return nil, refused
	}
	return q, nil
}

// tokenTexts are what the caller is told of what is missing.
type tokenTexts struct {
	noToken  string
	noTarget string
}

// readTokenRequest reads a request with the token in the Authorization header, and the target in
// the query.
func (h *Handlers) readTokenRequest(
	r *http.Request, texts tokenTexts,
) (*delegationRequest, *refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // the default must not replace a target that cannot be read
		return nil, invalid(http.StatusBadRequest,
			"the query cannot be read: a bad percent-encoding, or a semicolon")
	}
	targets := query["target"]
	if len(r.Header.Values("Authorization")) > 1 || len(targets) > 1 {
		return nil, invalid(http.StatusBadRequest, "repeated Authorization header or target")
	}
	token := idTokenOf(r.Header.Get("Authorization"))
	if token == "" {
		return nil, invalid(http.StatusUnauthorized, "%s", texts.noToken)
	}
	target := cmp.Or(strings.Join(targets, ""), h.config.ContainerTarget)
	if target == "" {
		return nil, invalid(http.StatusBadRequest, "%s", texts.noTarget)
	}
	parameters, refused := h.containerParameters(query)
	if refused != nil {
		return nil, refused
	}
	return &delegationRequest{idToken: token, target: target, parameters: parameters}, nil
}

// maxContainerParameter is the longest value of one of Config.ContainerParameters, in bytes. Query
// strings are short, and rules and logs may repeat a value.
const maxContainerParameter = 1024

// containerOwn are the query parameters that ContainerCredentials reads itself.
var containerOwn = []string{"target", "role"}

// checkContainerParameters checks Config.ContainerParameters.
func checkContainerParameters(names []string) error {
	for i, name := range names {
		switch {
		case name == "" || len(name) > maxName:
			return fmt.Errorf("[%d] is empty, or has more than %d bytes", i, maxName)
		case slices.Contains(containerOwn, name):
			return fmt.Errorf("%q is a parameter of the endpoint itself: leave it out", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("%.80q is listed twice", name)
		}
	}
	return nil
}

// containerParameters are the parameters of the query that rules see.
func (h *Handlers) containerParameters(query url.Values) (map[string]any, *refusal) {
	var parameters map[string]any
	for _, name := range h.config.ContainerParameters {
		values := query[name]
		if len(values) == 0 {
			continue
		}
		if len(values) > 1 {
			return nil, invalid(http.StatusBadRequest, "repeated parameter %.80q", name)
		}
		if len(values[0]) > maxContainerParameter || !utf8.ValidString(values[0]) {
			return nil, invalid(http.StatusBadRequest,
				"the parameter %.80q has more than %d bytes, or is not UTF-8",
				name, maxContainerParameter)
		}
		if parameters == nil {
			parameters = map[string]any{}
		}
		parameters[name] = values[0]
	}
	return parameters, nil
}

// idTokenOf returns the ID token of an Authorization header, with or without the scheme Bearer.
func idTokenOf(authorization string) string {
	const bearer = "Bearer"
	token := strings.TrimSpace(authorization)
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, bearer) {
		token = strings.TrimSpace(rest)
	}
	if strings.EqualFold(token, bearer) {
		return ""
	}
	return token
}
