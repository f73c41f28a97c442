package delegationhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

const (
	principal = delegationtest.Principal
	role      = delegationtest.Role
	app       = delegationtest.Target
	alice     = delegationtest.Subject
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	formType  = "application/x-www-form-urlencoded"
	jsonType  = "application/json"
	caller    = "192.0.2.1" // whom httptest's requests come from
)

// The paths at which the tests mount the handlers.
const (
	delegationPath  = "/delegation"
	credentialsPath = "/credentials"
	consolePath     = "/console"
	rolesPath       = "/roles"
	stsPath         = "/sts/" + app
	tokenPath       = "/token"
)

// start is the fake clock's first moment.
var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// buffer is a log that is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is an issuer and a strict STS on loopback, the Delegator between them, and the handlers
// before it, all by one fake clock.
type world struct {
	*delegationtest.World                       // its Config: of the Delegator
	http                  delegationhttp.Config // without an Exchanger: that Delegator
	log                   *buffer               // of both

	mu     sync.Mutex
	events []delegation.Event
	seen   []delegation.RuleContext // of the rule that every exchange begins with
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: must(delegationtest.Open()), log: &buffer{}}
	t.Cleanup(w.Close)
	w.Config.Logger = w.log.logger()
	w.Config.OnEvent = func(_ context.Context, e delegation.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	w.rules(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, *rc)
		return nil
	})
	w.http = delegationhttp.Config{Now: w.Clock.Now, Logger: w.log.logger()}
	return w
}

// serve starts a server on loopback that ends with the test, and returns its URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// rules adds rules behind the one that looks.
func (w *world) rules(rules ...delegation.RuleFunc) {
	w.Config.Rules = append(w.Config.Rules, rules...)
}

// handler returns all handlers of the world as it is configured now.
func (w *world) handler(t testing.TB) http.Handler {
	t.Helper()
	if w.http.Exchanger == nil {
		w.http.Exchanger = must(delegation.New(t.Context(), w.Config))
	}
	return mount(t, w.http)
}

// mount makes the handlers of a configuration and mounts them at their paths.
func mount(t testing.TB, c delegationhttp.Config) http.Handler {
	t.Helper()
	handlers, err := delegationhttp.New(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(delegationPath, handlers.Delegation())
	mux.Handle(credentialsPath, handlers.ContainerCredentials())
	mux.Handle(logoutPath, handlers.BackchannelLogout())
	mux.Handle(consolePath, handlers.ConsoleSignIn())
	mux.Handle(rolesPath, handlers.Roles())
	for _, pattern := range []string{"/sts", "/sts/{$}", "/sts/{target}", "/sts/{target}/{$}"} {
		mux.Handle(pattern, handlers.STS())
	}
	mux.Handle(tokenPath, handlers.Token())
	return mux
}

// last returns what the looking rule saw last, and the last event.
func (w *world) last(t testing.TB) (delegation.RuleContext, delegation.Event) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 || len(w.events) == 0 {
		t.Fatalf("rules ran %d times, %d events", len(w.seen), len(w.events))
	}
	return w.seen[len(w.seen)-1], w.events[len(w.events)-1]
}

// lastEvent returns the last event, whether rules ran or not.
func (w *world) lastEvent(t testing.TB) delegation.Event {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		t.Fatal("no event")
	}
	return w.events[len(w.events)-1]
}

// exchanger is an Exchanger of one function.
type exchanger func(ctx context.Context, idToken, target string,
	options ...delegation.ExchangeOption) (*delegation.Credentials, error)

func (f exchanger) Exchange(
	ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
) (*delegation.Credentials, error) {
	return f(ctx, idToken, target, options...)
}

// issued are credentials of an Exchanger that is not a Delegator.
func issued() *delegation.Credentials {
	return &delegation.Credentials{
		AccessKeyID:     "ASIAEXAMPLE",
		SecretAccessKey: delegation.NewSecret("canary-secret-access-key"),
		SessionToken:    delegation.NewSecret("canary-session-token"),
		Expiration:      start.Add(time.Hour), Region: "eu-central-1", AccountID: "123456789012",
	}
}

// agreeable is an Exchanger that says yes to everything.
func agreeable(
	context.Context, string, string, ...delegation.ExchangeOption,
) (*delegation.Credentials, error) {
	return issued(), nil
}

// failing is an Exchanger that fails with the error.
func failing(err error) exchanger {
	return func(
		context.Context, string, string, ...delegation.ExchangeOption,
	) (*delegation.Credentials, error) {
		return nil, err
	}
}

// values are the parameters of a good request, with some changed or (nil) left out.
func values(idToken string, changes map[string]any) map[string]any {
	all := map[string]any{"client_id": app, "grant_type": jwtBearer, "id_token": idToken}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// form encodes parameters as Auth0's old clients do; they must be strings.
func form(parameters map[string]any) string {
	encoded := url.Values{}
	for name, value := range parameters {
		encoded.Set(name, value.(string))
	}
	return encoded.Encode()
}

// object encodes parameters as Auth0's newer clients do.
func object(parameters map[string]any) string { return string(must(json.Marshal(parameters))) }

// post is a request of such a client.
func post(path, contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// get is a request of an AWS SDK.
func get(query, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, credentialsPath+query, nil)
	r.Header.Set("Authorization", authorization)
	return r
}

// answer is what a handler answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// ask sends a request, and checks what holds for every answer of a handler that may hand out
// secrets, whatever happened.
func ask(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return asked(t, recorder)
}

// asked checks the answer that was recorded.
func asked(t testing.TB, recorder *httptest.ResponseRecorder) answer {
	t.Helper()
	a := answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.Bytes()}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Content-Type": "application/json", "Content-Length": strconv.Itoa(len(a.body)),
	} {
		if got := a.header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%d: %s is %q, want %q", a.status, name, got, want)
		}
	}
	for name, statuses := range map[string][]int{ // and only with these
		"WWW-Authenticate": {http.StatusUnauthorized}, "Allow": {http.StatusMethodNotAllowed},
		"Retry-After": {http.StatusTooManyRequests, http.StatusServiceUnavailable},
	} {
		if got := a.header.Get(name); (got != "") != slices.Contains(statuses, a.status) {
			t.Errorf("%d: %s is %q", a.status, name, got)
		}
	}
	if !bytes.HasSuffix(a.body, []byte("}\n")) {
		t.Errorf("%d: the body does not end its line once: %q", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &a.json); err != nil {
		t.Errorf("%d: the body is not JSON: %q", a.status, a.body)
	}
	if _, status := a.json["status"]; status && a.json["status"] != float64(a.status) {
		t.Errorf("the status is %d in the head and %v in the body", a.status, a.json["status"])
	}
	return a
}

// refused checks the status, code and description of a refusal, in the words of either kind of
// client.
func (a answer) refused(t testing.TB, status int, code, description string) {
	t.Helper()
	words := map[string]any{
		"error": code, "error_description": description, "status": float64(status),
	}
	if _, aws := a.json["message"]; aws {
		words = map[string]any{
			"code": code, "message": description, "Code": code, "Message": description,
		}
	}
	if a.status != status || object(a.json) != object(words) {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, object(words))
	}
}

// text returns the text at a path of the answer's JSON.
func (a answer) text(path ...string) string {
	var value any = a.json
	for _, name := range path {
		inner, _ := value.(map[string]any)
		value = inner[name]
	}
	s, _ := value.(string)
	return s
}

// granted checks that an answer holds credentials in Auth0's shape.
func (a answer) granted(t testing.TB) {
	t.Helper()
	if a.status != http.StatusOK || a.text("Credentials", "SecretAccessKey") == "" ||
		a.text("Credentials", "SessionToken") == "" {
		t.Errorf("got %d %s, want credentials", a.status, a.body)
	}
}

// broken is a body that ends before it should.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// flat returns a header as lines.
func flat(header http.Header) (lines []string) {
	for name, values := range header {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	slices.Sort(lines)
	return lines
}
