package delegationhttp

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

const (
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	// invalidTarget is the error of a target that is not served (RFC 8693 §2.2.2).
	invalidTarget = "invalid_target"
)

// tokenExchangeRequest is a well-formed request of RFC 8693 §2.1. Nothing in it is verified.
type tokenExchangeRequest struct {
	delegationRequest
	actorToken  string // empty: nobody acts
	subjectKind delegation.TokenKind
	actorKind   delegation.TokenKind
	scopes      []string // each once
}

// options are those of the exchange. The order of scopes means nothing: sorted, they are the same
// to the cache.
func (q *tokenExchangeRequest) options() []delegation.ExchangeOption {
	options := []delegation.ExchangeOption{
		delegation.WithTokenKinds(q.subjectKind, q.actorKind),
		delegation.WithScope(slices.Sorted(slices.Values(q.scopes))...),
	}
	if q.actorToken != "" {
		options = append(options, delegation.WithActorToken(q.actorToken))
	}
	return options
}

// readTokenExchange reads a request.
func (h *Handlers) readTokenExchange(
	w http.ResponseWriter, r *http.Request,
) (*tokenExchangeRequest, *refusal) {
	authorization := strings.Join(r.Header.Values("Authorization"), "")
	if authorization != "" {
		scheme, _, _ := strings.Cut(authorization, " ")
		refused := notAuthenticated("leave out the header Authorization")
		if strings.EqualFold(scheme, "Basic") {
			refused.challenge = `Basic realm="none"` // RFC 6749 §5.2: that of the request
		}
		return nil, refused
	}
	form, refused := h.readTokenForm(w, r)
	if refused != nil {
		return nil, refused
	}
	target, refused := targetOf(form)
	if refused != nil {
		return nil, refused
	}
	own := map[string]string{}
	for _, name := range tokenParameters {
		own[name] = form.Get(name)
		delete(form, name)
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		if own[name] != "" {
			return nil, notAuthenticated("leave out " + name)
		}
	}
	return newTokenExchange(own, target, form)
}

// tokenParameters are the parameters of the protocol, apart from audience and resource. All others
// are for the rules.
var tokenParameters = []string{
	"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
	"requested_token_type", "scope", "client_id", "client_secret", "client_assertion",
	"client_assertion_type",
}

// notAuthenticated refuses a client that wants to be authenticated: it must not believe that it
// was.
func notAuthenticated(remedy string) *refusal {
	return &refusal{
		status:      http.StatusUnauthorized,
		code:        "invalid_client",
		description: "clients are not authenticated here: " + remedy,
	}
}

// readTokenForm reads the form of a request. Only audience and resource may appear more than once.
// A parameter without a value is left out (RFC 6749 §3.2).
func (h *Handlers) readTokenForm(
	w http.ResponseWriter, r *http.Request,
) (url.Values, *refusal) {
	body, refused := h.readForm(w, r)
	if refused != nil {
		return nil, refused
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid(http.StatusBadRequest,
			"the body is not a form: a bad percent-encoding, or a semicolon")
	}
	for name, all := range form {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(all, "")) {
			return nil, invalid(http.StatusBadRequest, "the body is not UTF-8")
		}
		if len(all) > 1 && name != "audience" && name != "resource" {
			return nil, invalid(http.StatusBadRequest, "repeated parameter %.80q", name)
		}
		if strings.Join(all, "") == "" {
			delete(form, name)
		}
	}
	return form, nil
}

// targetOf takes the target out of a form. RFC 8693 §2.1 lets a client name several. A session is
// for one, so all must be the same.
func targetOf(form url.Values) (string, *refusal) {
	named := slices.Concat(form["audience"], form["resource"])
	delete(form, "audience")
	delete(form, "resource")
	target := ""
	for _, name := range named {
		if target != "" && name != "" && name != target {
			return "", &refusal{
				status:      http.StatusBadRequest,
				code:        invalidTarget,
				description: "credentials are for one target: send one audience or one resource",
			}
		}
		target = cmp.Or(target, name)
	}
	return target, nil
}

// newTokenExchange makes a request from the parameters of a form. others are those for the rules.
func newTokenExchange(
	own map[string]string, target string, others url.Values,
) (*tokenExchangeRequest, *refusal) {
	if refused := checkTokenParameters(own); refused != nil {
		return nil, refused
	}
	target = cmp.Or(target, own["client_id"])
	if target == "" {
		return nil, invalid(http.StatusBadRequest,
			"missing audience parameter: it names the target")
	}
	q := &tokenExchangeRequest{
		delegationRequest: delegationRequest{
			clientID:   own["client_id"],
			idToken:    own["subject_token"],
			target:     target,
			parameters: make(map[string]any, len(others)),
			endpoint:   "token",
		},
		actorToken: own["actor_token"],
	}
	for name := range others {
		q.parameters[name] = others.Get(name)
	}
	return q, cmp.Or(q.readKinds(own), q.readScopes(own["scope"]))
}

// readKinds reads what the tokens are.
func (q *tokenExchangeRequest) readKinds(own map[string]string) (refused *refusal) {
	q.subjectKind, refused = tokenKind(own, "subject_token_type")
	if refused != nil || q.actorToken == "" {
		return refused
	}
	q.actorKind, refused = tokenKind(own, "actor_token_type")
	return refused
}

// checkTokenParameters refuses a request whose parameters are missing or not supported.
func checkTokenParameters(own map[string]string) *refusal {
	switch {
	case own["grant_type"] == "":
		return invalid(http.StatusBadRequest, "missing grant_type parameter")
	case own["grant_type"] != tokenExchange:
		return &refusal{
			status:      http.StatusBadRequest,
			code:        "unsupported_grant_type",
			description: "grant_type must be " + tokenExchange,
		}
	case own["subject_token"] == "":
		return invalid(http.StatusBadRequest, "missing subject_token parameter")
	case own["actor_token"] == "" && own["actor_token_type"] != "":
		// RFC 8693 §2.1: it must not be sent then.
		return invalid(http.StatusBadRequest, "actor_token_type without actor_token")
	}
	if asked := own["requested_token_type"]; asked != "" && asked != TokenTypeAWSCredentials {
		return invalid(http.StatusBadRequest,
			"requested_token_type must be absent or %s", TokenTypeAWSCredentials)
	}
	return nil
}

// tokenKind reads the type of a token. Empty is any kind: the type jwt says only how it is written.
func tokenKind(own map[string]string, name string) (delegation.TokenKind, *refusal) {
	const prefix = "urn:ietf:params:oauth:token-type:"
	switch own[name] {
	case prefix + "id_token":
		return delegation.TokenKindID, nil
	case prefix + "access_token":
		return delegation.TokenKindAccess, nil
	case prefix + "jwt":
		return "", nil
	case "":
		return "", invalid(http.StatusBadRequest, "missing %s parameter", name)
	}
	return "", invalid(http.StatusBadRequest,
		"%s must be one of %sid_token, %saccess_token, %sjwt", name, prefix, prefix, prefix)
}

// readScopes reads the names in scope (RFC 6749 §3.3).
func (q *tokenExchangeRequest) readScopes(scope string) *refusal {
	if strings.ContainsFunc(scope, notInScopes) {
		return &refusal{
			status:      http.StatusBadRequest,
			code:        "invalid_scope",
			description: "scope has a character that scope names cannot have",
		}
	}
	seen := map[string]bool{"": true}
	for name := range strings.SplitSeq(scope, " ") {
		if !seen[name] {
			seen[name] = true
			q.scopes = append(q.scopes, name)
		}
	}
	return nil
}

// notInScopes reports a character that is not in a list of scopes (RFC 6749 appendix A.4).
func notInScopes(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }
