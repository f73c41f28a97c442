package delegationhttp

import (
	"context"
	"net/http"

	"github.com/seed055b7978/delegation"
)

// LogoutReceiver takes logout tokens. It is a [delegation.Delegator] or a wrapper of one.
type LogoutReceiver interface {
	Logout(ctx context.Context, logoutToken string, request delegation.Request) error
}

// BackchannelLogout returns the handler of POST /backchannel-logout, to which OpenID providers send
// logout tokens (OpenID Connect Back-Channel Logout 1.0). The body is a form of at most
// Config.MaxBody bytes with the parameter logout_token. Others are ignored.
//
// Success is 200, after Config.Exchanger has ended the sessions that the token names. Every failure
// is 400, as §2.8 requires, with the body {"error", "error_description"}. If the store of ended
// sessions is down, that too is 400, and the error is temporarily_unavailable. The exceptions are a
// request with another method (405), and one above Config.AddressLimit (429). If Config.Exchanger
// is not a [LogoutReceiver], every request is 501.
//
// The token proves who sends it, so the endpoint can be public. Most providers require an https
// URL.
func (h *Handlers) BackchannelLogout() http.Handler {
	return h.serve(endpoint{
		method: http.MethodPost,
		shape:  oauthShape, // §2.8 has that of RFC 6749
		answer: h.backchannelLogout,
	})
}

func (h *Handlers) backchannelLogout(
	w http.ResponseWriter, r *http.Request,
) ([]byte, *refusal) {
	receiver, ok := h.config.Exchanger.(LogoutReceiver)
	if !ok {
		return nil, &refusal{
			status:      http.StatusNotImplemented,
			code:        "server_error",
			description: "logout tokens are not received here",
		}
	}
	token, refused := h.readLogoutToken(w, r)
	if refused != nil {
		refused.status = http.StatusBadRequest
		return nil, refused
	}
	err := receiver.Logout(r.Context(), token, delegation.Request{
		ID:        requestID(w),
		IP:        clientIP(r, h.config.TrustedProxies),
		UserAgent: r.UserAgent(),
	})
	if err != nil {
		return nil, h.logoutRefusal(w, r, err)
	}
	return []byte("{}"), nil
}

// readLogoutToken reads the one parameter that counts.
func (h *Handlers) readLogoutToken(
	w http.ResponseWriter, r *http.Request,
) (token string, refused *refusal) {
	if _, refused := parserFor(r.Header); refused != nil {
		return "", refused
	}
	body, refused := h.readBody(w, r)
	if refused != nil {
		refused.status = http.StatusBadRequest // as for every failure (§2.8)
		return "", refused
	}
	values, refused := parseForm(body)
	if refused != nil {
		return "", refused
	}
	token, _ = values["logout_token"].(string)
	if token == "" {
		return "", invalid(http.StatusBadRequest, "missing logout_token parameter: send a form")
	}
	return token, nil
}

// logoutRefusal is the answer to a logout that failed.
func (h *Handlers) logoutRefusal(
	w http.ResponseWriter, r *http.Request, err error,
) *refusal {
	k := kindOf(err)
	refused := k.refusal("the logout token was not accepted")
	if exchangeError(err) == nil {
		h.logUnreported(w, r, err)
	}
	if k.status >= http.StatusInternalServerError {
		refused.description = "temporarily unavailable, try again"
	}
	refused.status = http.StatusBadRequest
	refused.retryAfter = 0
	return refused
}
