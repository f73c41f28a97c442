package idtoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
)

// answers are the codes for answers that are not a document.
type answers struct {
	redirect, missing string
}

var (
	discoveryAnswers = answers{discoveryRedirect, discoveryMissing}
	keySetAnswers    = answers{keySetRedirect, keySetMissing}
)

// get reads one document.
func (r *remoteKeys) get(
	ctx context.Context, from string, codes answers,
) (*document.Answer, error) {
	bearer, err := r.bearerFor(from)
	if err != nil {
		return nil, newError(keySetUnauthorized, "the bearer token for %.200q: %w", from, err)
	}
	answer, err := document.GetAuthorized(ctx, r.client, from, bearer)
	if err != nil {
		return nil, r.failed(from, codes, bearer != "", err)
	}
	return answer, nil
}

// bearerFor returns the bearer token for an address, or nothing if the token must not be sent
// there. An address that only a document names was not configured, so it does not get the token.
func (r *remoteKeys) bearerFor(address string) (string, error) {
	origin := document.Origin(address)
	if r.bearer == nil || !strings.HasPrefix(origin, "https://") {
		return "", nil
	}
	configured := slices.ContainsFunc([]string{r.issuer, r.discoveryURL, r.url},
		func(url string) bool { return document.Origin(url) == origin })
	if !configured && !slices.Contains(r.allowed.Origins, origin) {
		return "", nil
	}
	return r.bearer()
}

// failed says why a document could not be read.
func (r *remoteKeys) failed(from string, codes answers, authorized bool, err error) *Error {
	var status document.StatusError
	errors.As(err, &status)
	// RBAC of Kubernetes answers 403 to a request without a token, which is of system:anonymous
	// (kubernetes.io/docs/reference/access-authn-authz/authentication/#anonymous-requests), and to
	// a token without the role for these documents.
	forbidden := status == http.StatusForbidden &&
		(r.bearer != nil || errors.Is(err, document.ErrKubernetes))
	proxy := r.proxyOf(from)
	code := keySetUnavailable
	switch {
	case errors.Is(err, document.ErrRedirect):
		code = codes.redirect
	case errors.Is(err, document.ErrTooLarge):
		code = keySetTooLarge
	case status == http.StatusNotFound, status == http.StatusGone:
		code = codes.missing
	case status == http.StatusUnauthorized, forbidden:
		return newError(keySetUnauthorized, "%.200q: %w%s",
			from, err, r.bearerSent(from, authorized))
	case document.IsCertificate(err):
		return newError(keySetCertificate, "%.200q%s: %w", from, proxy, err)
	case proxy != "" && (status == 0 || status == http.StatusProxyAuthRequired):
		return newError(keySetProxy, "%.200q%s: %w", from, proxy, err)
	}
	return newError(code, "%.200q: %w", from, err)
}

// bearerSent says whether the bearer token was sent, if there is one.
func (r *remoteKeys) bearerSent(from string, authorized bool) string {
	switch {
	case r.bearer == nil:
		return ""
	case authorized:
		return " to the bearer token"
	}
	return fmt.Sprintf(", and was not sent the bearer token: "+
		"%q is not an https origin of the configuration", document.Origin(from))
}

// proxyOf names the proxy for requests to an address, as far as the client tells.
func (r *remoteKeys) proxyOf(address string) string {
	transport, _ := cmp.Or(r.client.Transport, http.DefaultTransport).(*http.Transport)
	if transport == nil || transport.Proxy == nil {
		return ""
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return ""
	}
	proxy, err := transport.Proxy(request)
	switch {
	case err != nil:
		return " through a proxy whose address is wrong"
	case proxy == nil:
		return ""
	}
	return fmt.Sprintf(" through the proxy %q", proxy.Host)
}
