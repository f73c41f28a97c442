package delegationhttp_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// logoutPath is the path at which the tests mount the handler.
const logoutPath = "/backchannel-logout"

// receiving is an Exchanger that takes logout tokens.
type receiving struct {
	delegationhttp.Exchanger
	err     error
	token   string
	request delegation.Request
}

func (r *receiving) Logout(_ context.Context, token string, request delegation.Request) error {
	r.token = token
	r.request = request
	return r.err
}

func logoutForm(token string) string { return url.Values{"logout_token": {token}}.Encode() }

// TestBackchannelLogout_Request: what reaches the receiver, or why nothing does. Whatever is wrong
// is 400, as OpenID Connect Back-Channel Logout 1.0 §2.8 wants it.
func TestBackchannelLogout_Request(t *testing.T) {
	for name, row := range map[string]struct {
		contentType, body string
		description       string // empty: it reaches the receiver
	}{
		"a form":           {formType, logoutForm("a.b.c"), ""},
		"other parameters": {formType, logoutForm("a.b.c") + "&state=x", ""},
		"with a charset":   {formType + "; charset=UTF-8", logoutForm("a.b.c"), ""},
		"no token":         {formType, "state=x", "missing logout_token parameter: send a form"},
		"an empty token": {formType, "logout_token=",
			"missing logout_token parameter: send a form"},
		"two tokens": {formType, logoutForm("a") + "&" + logoutForm("b"),
			`repeated parameter "logout_token"`},
		"a bad escape": {formType, "logout_token=%zz",
			"the body is not a form: a bad percent-encoding, or a semicolon"},
		"too large": {formType, logoutForm(strings.Repeat("x", 70_000)),
			"the body has more than 65536 bytes"},
		"text": {"text/plain", logoutForm("a.b.c"),
			"Content-Type must be application/x-www-form-urlencoded or application/json"},
		"JSON": {jsonType, `{"logout_token":"a.b.c"}`,
			"missing logout_token parameter: send a form"},
	} {
		t.Run(name, func(t *testing.T) {
			to := &receiving{}
			h := must(delegationhttp.New(delegationhttp.Config{Exchanger: to})).BackchannelLogout()
			a := ask(t, h, post(logoutPath, row.contentType, row.body))
			if cache := a.header.Get("Cache-Control"); cache != "no-store" {
				t.Errorf("Cache-Control is %q", cache)
			}
			if row.description == "" {
				if a.status != http.StatusOK || to.token != "a.b.c" || to.request.IP != caller ||
					to.request.ID == "" || to.request.ID != a.header.Get("X-Request-ID") {
					t.Errorf("got %d %s; received %q, %+v", a.status, a.body, to.token, to.request)
				}
				return
			}
			if a.status != http.StatusBadRequest || to.token != "" ||
				a.text("error") != "invalid_request" ||
				a.text("error_description") != row.description {
				t.Errorf("got %d %s; received %q", a.status, a.body, to.token)
			}
		})
	}
}

// TestBackchannelLogout_Answers: a failure is 400, and says no more to strangers than that.
func TestBackchannelLogout_Answers(t *testing.T) {
	refused := func(code delegation.Code, retry bool) error {
		return &delegation.Error{
			Stage: delegation.StageToken, Code: code, Retryable: retry, Err: errors.New("canary"),
		}
	}
	for name, row := range map[string]struct {
		err         error
		code        string
		description string
	}{
		"forged": {refused(delegation.CodeSignatureInvalid, false), "invalid_grant",
			"the logout token was not accepted"},
		"expired": {refused(delegation.CodeTokenExpired, false), "invalid_grant",
			"the logout token was not accepted"},
		"replayed": {refused(delegation.CodeLogoutReplayed, false), "invalid_grant",
			"the logout token was not accepted"},
		"a store that is down": {refused(delegation.CodeRevocationsUnavailable, true),
			"temporarily_unavailable", "temporarily unavailable, try again"},
		"an issuer that is down": {refused(delegation.CodeKeySetUnavailable, true),
			"temporarily_unavailable", "temporarily unavailable, try again"},
		"another error": {errors.New("canary"), "server_error",
			"temporarily unavailable, try again"},
	} {
		t.Run(name, func(t *testing.T) {
			to := &receiving{err: row.err}
			h := must(delegationhttp.New(delegationhttp.Config{Exchanger: to})).BackchannelLogout()
			a := ask(t, h, post(logoutPath, formType, logoutForm("a.b.c")))
			if a.status != http.StatusBadRequest || len(a.json) != 2 ||
				a.text("error") != row.code || a.text("error_description") != row.description ||
				a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}

// TestBackchannelLogout_Exceptions: another method is 405, too many requests are 429, and an
// Exchanger that takes no logout tokens is 501.
func TestBackchannelLogout_Exceptions(t *testing.T) {
	to := &receiving{}
	h := must(delegationhttp.New(delegationhttp.Config{
		Exchanger:    to,
		AddressLimit: delegationhttp.AddressLimit{Requests: 2},
	})).BackchannelLogout()
	request := post(logoutPath, formType, logoutForm("a.b.c"))
	request.Method = http.MethodPut
	if a := ask(t, h, request); a.status != http.StatusMethodNotAllowed || to.token != "" {
		t.Errorf("PUT: got %d", a.status)
	}
	if a := ask(t, h, post(logoutPath, formType, logoutForm("a"))); a.status != http.StatusOK {
		t.Errorf("got %d", a.status)
	}
	a := ask(t, h, post(logoutPath, formType, logoutForm("b")))
	if a.status != http.StatusTooManyRequests || to.token != "a" {
		t.Errorf("above the limit: got %d", a.status)
	}
	without := must(delegationhttp.New(delegationhttp.Config{
		Exchanger: failing(errors.New("x")),
	})).BackchannelLogout()
	a = ask(t, without, post(logoutPath, formType, logoutForm("b")))
	if a.status != http.StatusNotImplemented {
		t.Errorf("without a receiver: got %d %s", a.status, a.body)
	}
}

// TestBackchannelLogout_OfADelegator: a logout token of the issuer ends the session, and the next
// exchange says so to the client.
func TestBackchannelLogout_OfADelegator(t *testing.T) {
	w := newWorld(t)
	w.Config.Revocations = delegation.NewRevocations(nil, 0)
	h := w.handler(t)
	token := w.Token(nil)
	exchange := func() answer {
		return ask(t, h, post(delegationPath, formType, form(values(token, nil))))
	}
	if a := exchange(); a.status != http.StatusOK {
		t.Fatalf("before: got %d %s", a.status, a.body)
	}
	logout := w.Token(map[string]any{"jti": "1", "events": map[string]any{
		"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
	}})
	a := ask(t, h, post(logoutPath, formType, logoutForm(logout)))
	if a.status != http.StatusOK {
		t.Fatalf("logout: got %d %s", a.status, a.body)
	}
	if a := exchange(); a.status != http.StatusBadRequest ||
		a.text("error_description") != "the session has ended, sign in again" {
		t.Errorf("after: got %d %s", a.status, a.body)
	}
}
