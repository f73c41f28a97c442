package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"golang.org/x/time/rate"
)

const (
	// adminRequests and adminBurst limit the requests of all operators together, with and without
	// the right token. A token of 32 characters cannot be guessed at this rate.
	adminRequests = 10 // per second
	adminBurst    = 20
	// maxAdminBody is in bytes.
	maxAdminBody = 16 << 10
	// maxLogged limits how much of a refused request's method and path is logged, in bytes.
	maxLogged = 200
)

// Admin is a listener for operators, separate from the endpoints and with its own token.
type Admin struct {
	// Listen is the address to listen on.
	Listen string

	// Token is what operators send: Authorization: Bearer TOKEN.
	Token delegation.Secret

	// Now is the clock of the limit.
	Now func() time.Time

	// ByKeys writes the library's fields in a text as settings; nil: it stays as it is.
	ByKeys func(text string) string
}

// serveAdmin serves the operators of the newest version, on the address of the first. The caller
// finishes the server; nil: there is none.
func (r *running) serveAdmin() (*http.Server, error) {
	s := r.first
	if s.Admin == nil {
		return nil, nil
	}
	listener, err := net.Listen("tcp", s.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for operators: %w "+
			"(choose another address in admin.listen)", err)
	}
	limiter := rate.NewLimiter(adminRequests, adminBurst)
	server := NewServer(r.adminHandler(limiter), s.Logger)
	go func() { _ = server.Serve(listener) }()
	address := listener.Addr().String()
	s.Logger.Info("serving operators", slog.String("address", address))
	if !isLocal(address) {
		s.Logger.Warn("plain http for operators on a public address",
			slog.String("address", address),
			slog.String("consequence", "others on the network can read the token"),
			slog.String("remedy", "listen on loopback in admin.listen, or have a proxy with TLS "+
				"in front"))
	}
	return server, nil
}

// adminHandler answers POST /invalidate and POST /revoke.
func (r *running) adminHandler(limiter *rate.Limiter) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/invalidate", func(w http.ResponseWriter, request *http.Request) {
		r.administer(w, request, invalidate)
	})
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, request *http.Request) {
		r.administer(w, request, revoke)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		v := r.enter()
		defer v.requests.Done()
		now := r.first.Admin.Now()
		switch {
		case !limiter.AllowN(now, 1):
			w.Header().Set("Retry-After", "1")
			r.refuseAdmin(w, request, http.StatusTooManyRequests, "too many requests")
		case !v.Admin.knows(request):
			w.Header().Set("WWW-Authenticate", "Bearer")
			r.refuseAdmin(w, request, http.StatusUnauthorized,
				"send Authorization: Bearer and the content of admin.token_file")
		default:
			mux.ServeHTTP(w, request)
		}
	})
}

// knows tells whether a request has the token. It takes the same time for every wrong token,
// because hashes have equal length. A nil Admin, as after a reload without the settings, accepts no
// request.
func (a *Admin) knows(request *http.Request) bool {
	values := request.Header.Values("Authorization")
	if a == nil || len(values) != 1 {
		return false
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	sent := sha256.Sum256([]byte(token))
	wanted := sha256.Sum256([]byte(a.Token.Reveal()))
	return subtle.ConstantTimeCompare(sent[:], wanted[:]) == 1
}

// adminCall is an operation that an operator can request.
type adminCall func(context.Context, *delegation.Delegator, delegation.Revocation) error

func invalidate(ctx context.Context, d *delegation.Delegator, r delegation.Revocation) error {
	switch {
	case r.Issuer != "" || r.SessionID != "" || !r.IssuedBefore.IsZero():
		return errAdmin("invalidate takes subject or everybody only")
	case r.Everybody == (r.Subject != ""):
		return errAdmin("say whose cached credentials to drop: set subject, or everybody: true")
	case r.Everybody:
		return d.InvalidateAll(ctx)
	}
	return d.Invalidate(ctx, r.Subject)
}

func revoke(ctx context.Context, d *delegation.Delegator, r delegation.Revocation) error {
	return d.Revoke(ctx, r)
}

// errAdmin says what is wrong with the request.
type errAdmin string

func (e errAdmin) Error() string { return string(e) }

// administer runs an operator's request, and answers with the result. An operator may see the full
// error.
func (r *running) administer(w http.ResponseWriter, request *http.Request, call adminCall) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		r.refuseAdmin(w, request, http.StatusMethodNotAllowed, "the method must be POST")
		return
	}
	asked, err := readRevocation(w, request)
	if err != nil {
		r.refuseAdmin(w, request, http.StatusBadRequest, err.Error())
		return
	}
	asked.Request = delegation.Request{
		ID:        "admin-" + rand.Text(),
		IP:        hostOf(request.RemoteAddr),
		UserAgent: request.UserAgent(),
	}
	// The version that knew the token may not be the newest any more, and what was ended there need
	// not count in the newest one. That is entered, too, so that a reload does not close its audit
	// file during the call.
	v := r.enter()
	defer v.requests.Done()
	err = call(request.Context(), v.Delegator, asked)
	if err == nil {
		answerAdmin(w, http.StatusOK, map[string]string{"status": "done"})
		return
	}
	text := v.Admin.textOf(err)
	answerAdmin(w, adminStatus(err), map[string]string{"error": text})
}

// textOf returns an error as operators read it: with the names of settings, and of the members of
// their request. A nil Admin is that of a reload without the settings.
func (a *Admin) textOf(err error) string {
	text := err.Error()
	if errors.Is(err, delegation.CodeArgumentInvalid) {
		text = fieldsToMembers.Replace(text)
	}
	if a == nil || a.ByKeys == nil {
		return text
	}
	return a.ByKeys(text)
}

// fieldsToMembers replaces the fields of delegation.Revocation by the members of a request.
var fieldsToMembers = strings.NewReplacer(
	"Everybody", "everybody",
	"IssuedBefore", "issued_before",
	"Issuer", "issuer",
	"SessionID", "session_id",
	"Subject", "subject",
)

// adminStatus returns the status for an error: 400 if the request must be changed, 503 if it can be
// retried.
func adminStatus(err error) int {
	var failed *delegation.Error
	if !errors.As(err, &failed) {
		return http.StatusBadRequest
	}
	switch {
	case failed.Retryable:
		return http.StatusServiceUnavailable
	case failed.Code == delegation.CodeArgumentInvalid,
		failed.Code == delegation.CodeIssuerUnknown,
		failed.Code == delegation.CodeConfigInvalid:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// readRevocation reads whose sessions to end: a JSON object with the names of Revocation's fields.
// It refuses unknown members, because such a member could be meant to narrow the selection.
func readRevocation(w http.ResponseWriter, request *http.Request) (delegation.Revocation, error) {
	var none, asked delegation.Revocation
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxAdminBody))
	if err != nil {
		return none, fmt.Errorf("the body has more than %d bytes, or is incomplete", maxAdminBody)
	}
	members, err := document.Object(body)
	if err != nil {
		return none, fmt.Errorf("the body is not a single JSON object: %w", err)
	}
	before := ""
	texts := map[string]*string{
		"issuer":        &asked.Issuer,
		"subject":       &asked.Subject,
		"session_id":    &asked.SessionID,
		"issued_before": &before,
	}
	for name, value := range members {
		if name == "everybody" {
			asked.Everybody, _ = value.(bool)
			if _, isBool := value.(bool); !isBool {
				return none, errors.New("everybody must be true or false")
			}
			continue
		}
		field, known := texts[name]
		if !known {
			return none, fmt.Errorf("%.40q is not one of everybody, issuer, subject, session_id "+
				"and issued_before", name)
		}
		text, isText := value.(string)
		if !isText || text == "" {
			return none, fmt.Errorf("%s is not text with at least one character", name)
		}
		*field = text
	}
	if before == "" {
		return asked, nil
	}
	asked.IssuedBefore, err = time.Parse(time.RFC3339, before)
	if err != nil {
		return none, errors.New("issued_before is not a time such as 2026-11-23T09:00:00Z")
	}
	return asked, nil
}

// refuseAdmin refuses a request, and logs it.
func (r *running) refuseAdmin(
	w http.ResponseWriter, request *http.Request, status int, text string,
) {
	r.first.Logger.Warn("request of an operator refused",
		slog.String("method", firstPart(request.Method)),
		slog.String("path", firstPart(request.URL.Path)),
		slog.String("ip", hostOf(request.RemoteAddr)),
		slog.Int("status", status),
		slog.String("error", text))
	answerAdmin(w, status, map[string]string{"error": text})
}

// firstPart returns the part of a text that is logged. Somebody without the token may have sent the
// text.
func firstPart(text string) string { return text[:min(len(text), maxLogged)] }

func answerAdmin(w http.ResponseWriter, status int, answer map[string]string) {
	body, _ := json.Marshal(answer) // texts always encode
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
