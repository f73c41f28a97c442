package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

//go:embed demo_page.html
var demoPageText string

// maxDemoToken is the size of the largest body that the page's own endpoint reads, in bytes.
const maxDemoToken = 64 << 10

// demoSite is what the demonstration serves in addition to the service's endpoints: the page, its
// data, and tokens.
type demoSite struct {
	places    demoPlaces
	origins   []string
	provider  *oidctest.Provider
	service   http.Handler
	delegator *delegation.Delegator
	explain   func(*delegation.Explanation, error) any
}

// handler routes requests for the page, and passes everything else to the service.
func (s *demoSite) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.service)
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /token", s.token)
	mux.HandleFunc("GET /demo/world", s.world)
	mux.HandleFunc("POST /demo/exchange", s.exchange)
	return mux
}

// page serves the page. The policy allows its one script and one style sheet by their hashes.
func (s *demoSite) page(w http.ResponseWriter, _ *http.Request) {
	style, script := inlineHashes(demoPageText)
	secure(w.Header(), "default-src 'none'; script-src "+script+"; style-src "+style+"; "+
		"img-src data:; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = io.WriteString(w, demoPageText) // the browser may have disconnected
}

// secure sets the headers of an HTML page with the content security policy.
func secure(header http.Header, policy string) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
}

// inlineHashes returns the sources of a content security policy that allow the style sheet and the
// script of a page, and nothing else (CSP Level 3 §2.3.1).
func inlineHashes(page string) (style, script string) {
	source := func(element *regexp.Regexp) string {
		content := element.FindStringSubmatch(page)
		if content == nil {
			return "'none'"
		}
		hash := sha256.Sum256([]byte(content[1]))
		return "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
	}
	return source(inlineStyle()), source(inlineScript())
}

var (
	inlineStyle = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	})
	inlineScript = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)<script type="module">(.*?)</script>`)
	})
)

// token issues an ID token to anyone who asks. Pages of the allowed origins may read it.
func (s *demoSite) token(w http.ResponseWriter, r *http.Request) {
	s.allowOrigin(w, r)
	w.Header().Set("Cache-Control", "no-store")
	user, known := findDemoUser(r.URL.Query().Get("user"))
	if !known {
		http.Error(w, "the users are "+demoUserNames(), http.StatusNotFound)
		return
	}
	token, err := user.token(s.provider, time.Now())
	if err != nil {
		http.Error(w, "no token", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, token)
}

// allowOrigin adds the CORS header to an answer that contains no secrets. The requests are simple
// ones, so there is no preflight.
func (s *demoSite) allowOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
	case slices.Contains(s.origins, origin):
		w.Header().Set("Access-Control-Allow-Origin", origin)
	case slices.Contains(s.origins, "*"):
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
}

// demoWorld is what the page shows before anybody signs in.
type demoWorld struct {
	Target   string        `json:"target"`
	Users    []demoUser    `json:"users"`
	Commands []demoCommand `json:"commands"`

	// Script is all the commands, to copy at once.
	Script string `json:"script"`
}

func (s *demoSite) world(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, demoWorld{
		Target:   DemoTarget,
		Users:    demoUsers,
		Commands: s.places.commands(),
		Script:   s.places.script(),
	})
}

// demoExchange shows an exchange as its caller sees it, and as the operator does.
type demoExchange struct {
	// Status and Answer are what the service answered to POST /delegation.
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
	// Record is the line of the log.
	Record json.RawMessage `json:"record"`
	// Explanation is as `delegation explain --json` prints it.
	Explanation any `json:"explanation"`
}

// exchange sends the token in the request's body to the service, and answers with what both sides
// see. Browsers report every status from 400 on as an error on the console. So this answer has
// status 200 even if the exchange was refused.
func (s *demoSite) exchange(w http.ResponseWriter, r *http.Request) {
	token, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDemoToken))
	if err != nil {
		http.Error(w, "the token is too long", http.StatusRequestEntityTooLarge)
		return
	}
	kept := &keptRecord{}
	ctx := context.WithValue(r.Context(), keptRecordKey{}, kept)
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"client_id":  {DemoTarget},
		"id_token":   {string(token)},
	}
	asked := r.Clone(ctx)
	asked.URL = &url.URL{Path: "/delegation"}
	asked.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	asked.Body = io.NopCloser(strings.NewReader(form.Encode()))
	asked.ContentLength = -1
	answer := &keptAnswer{header: http.Header{}}
	s.service.ServeHTTP(answer, asked)
	explanation := s.explain(s.delegator.Explain(r.Context(), string(token), DemoTarget,
		delegation.WithClientID(DemoTarget)))
	writeJSON(w, demoExchange{
		Status:      answer.status,
		Answer:      bytes.TrimSpace(answer.body.Bytes()),
		Record:      kept.line,
		Explanation: explanation,
	})
}

func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n')) // the browser may have disconnected
}

// keptAnswer records an answer of a handler.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *keptAnswer) Header() http.Header { return a.header }

func (a *keptAnswer) WriteHeader(status int) { a.status = status }

func (a *keptAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// keptRecord holds the audit record of an exchange, as a line of a JSON log.
type keptRecord struct{ line json.RawMessage }

type keptRecordKey struct{}

// exchangeMessages are the messages of audit records.
var exchangeMessages = []string{
	"exchange " + string(delegation.OutcomeAllowed),
	"exchange " + string(delegation.OutcomeDenied),
	"exchange " + string(delegation.OutcomeFailed),
}

// keepingHandler is a log handler that also stores the audit record in the keptRecord of its
// context.
type keepingHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h keepingHandler) Handle(ctx context.Context, record slog.Record) error {
	kept, wanted := ctx.Value(keptRecordKey{}).(*keptRecord)
	if wanted && slices.Contains(exchangeMessages, record.Message) {
		var line bytes.Buffer
		_ = slog.NewJSONHandler(&line, nil).Handle(ctx, record) // writing to memory does not fail
		kept.line = bytes.TrimSpace(line.Bytes())
	}
	return h.Handler.Handle(ctx, record)
}
