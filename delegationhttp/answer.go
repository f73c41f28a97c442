package delegationhttp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/errortable"
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
	// challenge is the header WWW-Authenticate. Empty: "Bearer" with status 401.
	challenge string
	// limit is what refused the request, if it is one of Config.OnLimit.
	limit Limit
	// cause is the error of the exchange. It may hold what callers must not see, and no answer
	// shows it. Nil: there was no exchange.
	cause error
}

// invalid is the refusal of a request that cannot be read.
func invalid(status int, format string, args ...any) *refusal {
	return &refusal{
		status:      status,
		code:        "invalid_request",
		description: fmt.Sprintf(format, args...),
	}
}

// retryPause is the Retry-After of an answer while AWS or an issuer is down or throttles, unless
// the error knows how long that will be. It is long enough to help, and short enough for a user who
// waits.
const retryPause = 2 * time.Second

// kind is the status and the code of a refusal.
type kind struct {
	status int
	code   string
}

// Kinds of errors that are not of an exchange. Those of an exchange are in docs/errors.md.
var (
	limitReached = kind{http.StatusTooManyRequests, "too_many_requests"}
	unavailable  = kind{http.StatusServiceUnavailable, "temporarily_unavailable"}
	failed       = kind{http.StatusInternalServerError, "server_error"}
)

// consoleErrors are the failures of ConsoleSignIn after a successful exchange.
var consoleErrors = []struct {
	err  error
	kind kind
}{
	{ErrDestination, kind{http.StatusBadRequest, "invalid_request"}},
	{ErrNoConsole, failed},
	{ErrSignInRefused, kind{http.StatusBadGateway, "server_error"}},
	{ErrSignInNoAnswer, unavailable},
}

// StatusOf returns the HTTP status with which the handlers of this package answer an error. A
// service with handlers of its own uses it to answer as they do.
//
//   - nil is 200.
//   - A [delegation.Error] has the status that docs/errors.md lists for its code, or else for its
//     stage. [delegation.CodeCanceled] is 503 at every stage. With Error.Requested it is 403.
//   - A user who is over Config.RateLimit is 429.
//   - [ErrDestination] is 400, [ErrNoConsole] 500, [ErrSignInRefused] 502, and
//     [ErrSignInNoAnswer] 503.
//   - Every other error is 500. This includes context.Canceled, unless a [delegation.Error] wraps
//     it.
//
// Wrapped errors count as what they wrap.
func StatusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return kindOf(err).status
}

// kindOf returns the kind of the answer to an error.
func kindOf(err error) kind {
	var limited *rateLimited
	if errors.As(err, &limited) {
		return limitReached
	}
	if e := exchangeError(err); e != nil {
		return kindOfExchange(e)
	}
	for _, row := range consoleErrors {
		if errors.Is(err, row.err) {
			return row.kind
		}
	}
	return failed
}

// kindOfExchange returns the kind of a failed exchange. docs/errors.md lists it by code and, for
// codes of others, by stage. docs/http.md lists the codes by kind, and a test compares them.
func kindOfExchange(e *delegation.Error) kind {
	code := e.Code
	if e.Requested {
		code = delegation.CodeRoleNotAllowed // the caller asked for what it may not have
	}
	if row, known := errortable.Of(string(code)); known {
		return kind{row.Answer.Status, row.Answer.Word}
	}
	if answer, known := errortable.OfStage(string(e.Stage)); known {
		return kind{answer.Status, answer.Word}
	}
	return failed
}

// exchangeError returns the Delegator's error in a chain, or nil.
func exchangeError(err error) *delegation.Error {
	var e *delegation.Error
	if !errors.As(err, &e) {
		return nil
	}
	return e
}

// refusalOf returns the answer to a failed exchange. Of the error it shows only the public text.
func (h *Handlers) refusalOf(w http.ResponseWriter, r *http.Request, err error) *refusal {
	refused := h.publicRefusal(w, r, err)
	refused.cause = err
	return refused
}

func (h *Handlers) publicRefusal(w http.ResponseWriter, r *http.Request, err error) *refusal {
	k := kindOf(err)
	var limited *rateLimited
	if errors.As(err, &limited) {
		refused := k.refusal(limited.Error())
		refused.retryAfter = limited.wait
		return refused
	}
	e := exchangeError(err)
	if e == nil {
		h.logUnreported(w, r, err)
		return k.refusal(publicText(err))
	}
	if e.Code == delegation.CodeTokenExpired {
		return k.refusal("jwt expired") // the text that Auth0's clients look for
	}
	refused := k.refusal(e.Public())
	if refused.retryAfter > 0 && e.RetryAfter > 0 {
		refused.retryAfter = e.RetryAfter
	}
	return refused
}

// logUnreported logs an error that the Delegator's event does not have. Such an error occurs if the
// credentials cannot be written for the client, or if the Exchanger is not a Delegator.
func (h *Handlers) logUnreported(w http.ResponseWriter, r *http.Request, err error) {
	h.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "exchange without an answer",
		slog.String("path", loggedPath(r)),
		slog.String("error", err.Error()),
		slog.String("http_request_id", requestID(w)),
	)
}

// publicText returns what a caller may see of an error that is not the Delegator's.
func publicText(err error) string {
	for _, row := range consoleErrors {
		if errors.Is(err, row.err) {
			return row.err.Error()
		}
	}
	return new(delegation.Error).Public()
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

// containerShape is the body that the AWS SDKs read. The SDK for Go reads the lower-case names, and
// that for JavaScript (fromHttp) the capitalized ones, but only with a 4xx.
func containerShape(r *refusal) any {
	return struct {
		Code         string `json:"code"`
		Message      string `json:"message"`
		LargeCode    string `json:"Code"`
		LargeMessage string `json:"Message"`
	}{r.code, r.description, r.code, r.description}
}

// endpoint is how the requests for one path are answered.
type endpoint struct {
	// method is the only one that is answered.
	method string
	// headers are those that a page of another origin may send.
	headers []string
	// shape is that of its refusals.
	shape shape
	// contentType is that of its successes. Empty: that of JSON.
	contentType string
	// answer returns a body or a refusal.
	answer func(w http.ResponseWriter, r *http.Request) ([]byte, *refusal)
}

// serve makes the handler of an endpoint. Its answers may hold a secret, so they are never cached.
func (h *Handlers) serve(e endpoint) http.Handler {
	return h.identified(h.forPages(e, http.HandlerFunc(func(
		w http.ResponseWriter, r *http.Request,
	) {
		neverCached(w.Header())
		if refused := h.admit(r); refused != nil {
			h.refuse(w, r, refused, e.shape)
			return
		}
		if r.Method != e.method {
			w.Header().Set("Allow", e.method)
			refused := invalid(http.StatusMethodNotAllowed, "the method must be %s", e.method)
			h.refuse(w, r, refused, e.shape)
			return
		}
		body, refused := e.answer(w, r)
		if refused != nil {
			h.refuse(w, r, refused, e.shape)
			return
		}
		if e.contentType != "" {
			writeBody(w, http.StatusOK, e.contentType, body)
			return
		}
		answer(w, http.StatusOK, body)
	})))
}

// neverCached keeps an answer out of every cache, and from being taken for another type.
func neverCached(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	header.Set("X-Content-Type-Options", "nosniff")
}

// refuse writes a refusal, and logs it unless it is recorded already.
func (h *Handlers) refuse(w http.ResponseWriter, r *http.Request, refused *refusal, as shape) {
	if !refused.recorded {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request refused",
			slog.String("method", fmt.Sprintf("%.40s", r.Method)),
			slog.String("path", loggedPath(r)),
			slog.String("ip", clientIP(r, h.config.TrustedProxies)),
			slog.Int("status", refused.status),
			slog.String("code", refused.code),
			slog.String("error", refused.description),
			slog.String("http_request_id", requestID(w)),
		)
	}
	if refused.limit != "" && h.config.OnLimit != nil {
		h.config.OnLimit(r.Context(), refused.limit)
	}
	if refused.retryAfter > 0 {
		// Rounded up: a client that retries too early is refused again.
		seconds := int(math.Ceil(refused.retryAfter.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	challenge := refused.challenge
	if refused.status == http.StatusUnauthorized {
		challenge = cmp.Or(challenge, "Bearer") // required by RFC 9110 §15.5.2
	}
	if challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	said := as(refused)
	if document, isXML := said.(stsErrorResponse); isXML {
		answerXML(w, refused.status, document)
		return
	}
	body, _ := json.Marshal(said) // texts and a number cannot fail
	answer(w, refused.status, body)
}

// loggedPath returns the path for logs, cut to 200 characters: callers choose the end of an STS
// path, and a refused request must not fill a log.
func loggedPath(r *http.Request) string { return fmt.Sprintf("%.200s", r.URL.Path) }

var lineEnd = []byte("\n")

// answer writes JSON and ends its line, for people who call with curl. The AWS SDK for Go reads
// errors only if the Content-Type has no charset.
func answer(w http.ResponseWriter, status int, body []byte) {
	body = append(bytes.TrimSuffix(body, lineEnd), lineEnd...)
	writeBody(w, status, "application/json", body)
}
