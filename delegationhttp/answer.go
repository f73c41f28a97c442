package delegationhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/seed055b7978/delegation"
)

// refusal is an answer other than success. It holds nothing that a caller may not see.
type refusal struct {
	status int
	// code is one of RFC 6749 §5.2 and §4.1.2.1, or one of Auth0's delegation endpoint.
	code        string
	description string
	// retryAfter is the value of the header Retry-After. Zero leaves the header out.
	retryAfter time.Duration
	// recorded says that an event or a log has the refusal already.
	recorded bool
}

// invalid is the refusal of a request that cannot be read.
func invalid(status int, format string, args ...any) *refusal {
	return &refusal{
		status:      status,
		code:        "invalid_request",
		description: fmt.Sprintf(format, args...),
	}
}

// retryPause is the Retry-After of an answer while AWS or an issuer is down or throttles. It is
// long enough to help, and short enough for a user who waits.
const retryPause = 2 * time.Second

// kind is the status and the code of a refusal.
type kind struct {
	status int
	code   string
}

// The kinds of failed exchanges. The error's code determines the kind, or else its stage. Every
// other error is failed. docs/http.md has the same table, and a test compares them.
var (
	unavailable = kind{http.StatusServiceUnavailable, "temporarily_unavailable"}
	failed      = kind{http.StatusInternalServerError, "server_error"}
	byStage     = map[delegation.Stage]kind{
		delegation.StageToken: {http.StatusBadRequest, "invalid_grant"},
		delegation.StageRules: {http.StatusForbidden, "access_denied"},
		delegation.StageSTS:   {http.StatusBadGateway, "server_error"},
	}
	byCode = map[delegation.Code]kind{
		delegation.CodeCanceled:           unavailable,
		delegation.CodeKeyPending:         unavailable,
		delegation.CodeKeySetInvalid:      unavailable,
		delegation.CodeKeySetDuplicateID:  unavailable,
		delegation.CodeKeySetSymmetric:    unavailable,
		delegation.CodeKeySetTooLarge:     unavailable,
		delegation.CodeKeySetRedirect:     unavailable,
		delegation.CodeKeySetURL:          unavailable,
		delegation.CodeKeySetUnavailable:  unavailable,
		delegation.CodeDiscoveryIssuer:    unavailable,
		delegation.CodeTokenSourceFailed:  unavailable,
		delegation.CodeReplayUnavailable:  unavailable,
		delegation.CodeTargetFailed:       unavailable,
		delegation.CodeSigningFailed:      unavailable,
		delegation.CodeSTSThrottled:       unavailable,
		delegation.CodeSTSUnavailable:     unavailable,
		delegation.CodeSTSTimeout:         unavailable,
		delegation.CodeClientMismatch:     {http.StatusUnauthorized, "invalid_client"},
		delegation.CodeAudienceNotAllowed: {http.StatusForbidden, "unauthorized_client"},
		delegation.CodeIssuerNotAllowed:   {http.StatusForbidden, "unauthorized_client"},
		delegation.CodeRequiredClaim:      {http.StatusForbidden, "access_denied"},
		delegation.CodeDelegationDisabled: {http.StatusNotFound, "endpoint_disabled"},
		delegation.CodeRoleNotAllowed:     {http.StatusForbidden, "access_denied"},
		delegation.CodeDenied:             {http.StatusUnauthorized, "unauthorized"},
	}
	consoleErrors = []struct {
		err  error
		kind kind
	}{
		{ErrDestination, kind{http.StatusBadRequest, "invalid_request"}},
		{ErrNoConsole, failed},
		{ErrSignInRefused, kind{http.StatusBadGateway, "server_error"}},
		{ErrSignInNoAnswer, unavailable},
	}
)

// refusalOf returns the answer to a failed exchange. Of the error it shows only the public text.
func (h *Handlers) refusalOf(r *http.Request, err error) *refusal {
	var limited *rateLimited
	if errors.As(err, &limited) {
		return &refusal{
			status:      http.StatusTooManyRequests,
			code:        "too_many_requests",
			description: limited.Error(),
			retryAfter:  limited.wait,
			recorded:    true,
		}
	}
	var e *delegation.Error
	if !errors.As(err, &e) || e == nil {
		return h.unreportedRefusal(r, err)
	}
	k := kindOf(e)
	if e.Code == delegation.CodeTokenExpired {
		return k.refusal("jwt expired") // the text that Auth0's clients look for
	}
	return k.refusal(e.Public())
}

// unreportedRefusal logs an error that the Delegator's event does not have, and returns the answer
// to it. Such an error occurs if the credentials cannot be written for the client, or if the
// Exchanger is not a Delegator.
func (h *Handlers) unreportedRefusal(r *http.Request, err error) *refusal {
	h.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "exchange without an answer",
		slog.String("path", r.URL.Path),
		slog.String("error", err.Error()),
	)
	for _, row := range consoleErrors {
		if errors.Is(err, row.err) {
			return row.kind.refusal(row.err.Error())
		}
	}
	return failed.refusal(new(delegation.Error).Public())
}

// kindOf returns the kind of an error of the Delegator.
func kindOf(e *delegation.Error) kind {
	if e.Requested {
		return byCode[delegation.CodeRoleNotAllowed]
	}
	if k, ok := byCode[e.Code]; ok {
		return k
	}
	if k, ok := byStage[e.Stage]; ok {
		return k
	}
	return failed
}

// refusal makes a refusal of this kind that an event or a log has already.
func (k kind) refusal(description string) *refusal {
	pause := time.Duration(0)
	if k == unavailable {
		pause = retryPause
	}
	return &refusal{
		status:      k.status,
		code:        k.code,
		description: description,
		retryAfter:  pause,
		recorded:    true,
	}
}

// shape returns the body of a refusal for one kind of client.
type shape func(r *refusal) any

// auth0Shape repeats the status in the body, because auth0-js 7 gives only the body to its caller.
func auth0Shape(r *refusal) any {
	return struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Status      int    `json:"status"`
	}{r.code, r.description, r.status}
}

// containerShape is the body that the AWS SDK for Go reads.
func containerShape(r *refusal) any {
	return struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{r.code, r.description}
}

// endpoint answers one request, with a JSON body or a refusal.
type endpoint func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal)

// serve makes the handler of an endpoint. Its answers may hold a secret, so they are never cached.
func (h *Handlers) serve(method string, as shape, answers endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != method {
			w.Header().Set("Allow", method)
			refused := invalid(http.StatusMethodNotAllowed, "the method must be %s", method)
			h.refuse(w, r, refused, as)
			return
		}
		body, refused := answers(w, r)
		if refused != nil {
			h.refuse(w, r, refused, as)
			return
		}
		answer(w, http.StatusOK, body)
	})
}

// refuse writes a refusal, and logs it unless it is recorded already.
func (h *Handlers) refuse(w http.ResponseWriter, r *http.Request, refused *refusal, as shape) {
	if !refused.recorded {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request refused",
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.String("ip", clientIP(r, h.config.TrustedProxies)),
			slog.Int("status", refused.status),
			slog.String("code", refused.code),
			slog.String("error", refused.description),
		)
	}
	if refused.retryAfter > 0 {
		// Rounded up: a client that retries too early is refused again.
		seconds := int(math.Ceil(refused.retryAfter.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // required by RFC 9110 §15.5.2
	}
	body, _ := json.Marshal(as(refused)) // texts and a number cannot fail
	answer(w, refused.status, body)
}

// answer writes JSON. The AWS SDK for Go reads errors only if the Content-Type has no charset.
func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
