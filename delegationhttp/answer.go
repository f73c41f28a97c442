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

// refusal is an answer other than success, as a stranger may see it.
type refusal struct {
	status      int
	code        string // one of RFC 6749 §5.2 and §4.1.2.1, or of Auth0's delegation endpoint
	description string
	retryAfter  time.Duration // zero: no Retry-After
	recorded    bool          // an event or a log has it already
}

// invalid is a request that cannot be read.
func invalid(status int, format string, args ...any) *refusal {
	return &refusal{status: status, code: "invalid_request", description: fmt.Sprintf(format, args...)}
}

// retryPause is what Retry-After says while AWS or an issuer is down, throttles or cannot be used:
// long enough to help, short for a user who waits.
const retryPause = 2 * time.Second

// kind is the status and the code of a refusal.
type kind struct {
	status int
	code   string
}

// What a failed exchange is to a caller: by the error's code, or else by its stage, or else failed. docs/http.md has the same table, which a
// test compares.
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

// refusalOf says what a failed exchange is to the caller. It shows nothing of the error but its public text.
func (h *Handlers) refusalOf(r *http.Request, err error) *refusal {
	var limited *rateLimited
	if errors.As(err, &limited) {
		return &refusal{http.StatusTooManyRequests, "too_many_requests", limited.Error(), limited.wait, true}
	}
	var e *delegation.Error
	if !errors.As(err, &e) || e == nil { // there were credentials and they could not be handed on, or the Exchanger is not a Delegator
		h.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "exchange without an answer", slog.String("path", r.URL.Path), slog.String("error", err.Error()))
		for _, row := range consoleErrors {
			if errors.Is(err, row.err) {
				return row.kind.refusal(row.err.Error())
			}
		}
		return failed.refusal(new(delegation.Error).Public())
	}
	k, ok := byCode[e.Code]
	if !ok {
		k, ok = byStage[e.Stage]
	}
	if !ok {
		k = failed
	}
	if e.Requested {
		k = byCode[delegation.CodeRoleNotAllowed]
	}
	if e.Code == delegation.CodeTokenExpired {
		return k.refusal("jwt expired") // the words that Auth0's clients look for
	}
	return k.refusal(e.Public())
}

// refusal makes the refusal of this kind, which an event or a log has recorded.
func (k kind) refusal(description string) *refusal {
	pause := time.Duration(0)
	if k == unavailable {
		pause = retryPause
	}
	return &refusal{k.status, k.code, description, pause, true}
}

// shape writes a refusal's body in the words of one kind of client.
type shape func(r *refusal) any

// auth0Shape repeats the status in the body: auth0-js 7 hands only the body to its caller.
func auth0Shape(r *refusal) any {
	return struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Status      int    `json:"status"`
	}{r.code, r.description, r.status}
}

// containerShape is what the AWS SDK for Go reads.
func containerShape(r *refusal) any {
	return struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{r.code, r.description}
}

// endpoint answers one request, with a body of JSON or a refusal.
type endpoint func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal)

// serve makes the handler of an endpoint whose answers may hold a secret.
func (h *Handlers) serve(method string, as shape, answers endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != method {
			w.Header().Set("Allow", method)
			h.refuse(w, r, invalid(http.StatusMethodNotAllowed, "the method must be %s", method), as)
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

func (h *Handlers) refuse(w http.ResponseWriter, r *http.Request, refused *refusal, as shape) {
	if !refused.recorded {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request refused", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.String("ip", clientIP(r, h.config.TrustedProxies)), slog.Int("status", refused.status), slog.String("code", refused.code), slog.String("error", refused.description))
	}
	if refused.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refused.retryAfter.Seconds())))) // who comes back too early is refused again
	}
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 §15.5.2 wants one
	}
	body, _ := json.Marshal(as(refused)) // of texts and a number
	answer(w, refused.status, body)
}

// answer writes JSON. The AWS SDK for Go reads errors only if the type has no charset behind it.
func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
