package delegationhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

const photosPath = "/photos"

// photos is a request to a service of one's own, with these Authorization headers.
func photos(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, photosPath, strings.NewReader("a body"))
	if authorization != nil {
		r.Header["Authorization"] = authorization
	}
	return r
}

// asObject reads a JSON object.
func asObject(t testing.TB, body []byte) (object map[string]any) {
	t.Helper()
	if err := json.Unmarshal(body, &object); err != nil {
		t.Errorf("%q is not JSON", body)
	}
	return object
}

// behind serves one request by the middleware.
func behind(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

// service is a Delegator, the handlers before it, and a service of one's own that calls AWS as the
// user of each request.
type service struct {
	*world

	http.Handler
	delegator *delegation.Delegator
	handlers  *delegationhttp.Handlers
	client    *sts.Client
}

func newService(t *testing.T, w *world) *service {
	t.Helper()
	s := &service{world: w, delegator: must(delegation.New(t.Context(), w.Config))}
	w.http.Exchanger = s.delegator
	s.handlers = must(delegationhttp.New(w.http))
	s.client = sts.NewFromConfig(aws.Config{
		Region:       delegationtest.Region,
		BaseEndpoint: &w.STSURL,
		Credentials:  s.delegator.FromContext(app),
	})
	s.Handler = s.handlers.Bearer(app, http.HandlerFunc(s.whoAmI))
	return s
}

// whoAmI answers with whom AWS sees, after three calls.
func (s *service) whoAmI(w http.ResponseWriter, r *http.Request) {
	for range 3 {
		out, err := s.client.GetCallerIdentity(r.Context(), &sts.GetCallerIdentityInput{})
		if s.handlers.Refuse(w, r, err) {
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, aws.ToString(out.Arn))
	}
}

// TestBearer_CallsAsTheUser: AWS sees the user of each request, in all calls of the handler. Their
// events and that of the request belong together.
func TestBearer_CallsAsTheUser(t *testing.T) {
	w := newWorld(t)
	w.Clock.Set(time.Now()) // the SDK signs by the real time
	s := newService(t, w)
	for _, user := range []string{"alice", "bob", "alice"} {
		w.events = nil
		w.seen = nil
		r := photos("bearer  " + w.Token(map[string]any{"sub": user}))
		r.Header.Set("User-Agent", "an-agent")
		a := behind(s, r)
		arn := "arn:aws:sts::123456789012:assumed-role/photo-user/" + user + "\n"
		if a.Code != http.StatusOK || a.Body.String() != strings.Repeat(arn, 3) {
			t.Fatalf("%s: got %d %s", user, a.Code, a.Body)
		}
		id := a.Header().Get("X-Request-ID")
		for i, e := range w.events {
			if e.HTTPRequestID != id || e.ClientIP != caller || e.UserAgent != "an-agent" ||
				e.Endpoint != "bearer" || e.Subject != user || e.FromContext != (i > 0) ||
				i > 0 && e.Cache != delegation.CacheHit {
				t.Errorf("%s: event %d is %+v", user, i, e)
			}
		}
		if len(w.events) != 4 || w.seen[0].Request.Hostname != "example.com" {
			t.Errorf("%s: %d events, %+v", user, len(w.events), w.seen[0].Request)
		}
	}
	if a := behind(s, photos()); a.Code != http.StatusUnauthorized {
		t.Errorf("without a token: got %d %s", a.Code, a.Body)
	}
}

// TestBearer_Request: which headers are a token, and how others are refused.
func TestBearer_Request(t *testing.T) {
	const missing = "missing ID token: send it in the Authorization header, after Bearer"
	for name, row := range map[string]struct {
		authorization []string
		token         string // empty: it is refused
		status        int
		challenge     string
		description   string
	}{
		"bearer":          {[]string{"Bearer a.b.c"}, "a.b.c", 0, "", ""},
		"in another case": {[]string{"bEARER a.b.c"}, "a.b.c", 0, "", ""},
		"blanks":          {[]string{" Bearer  a.b.c\t"}, "a.b.c", 0, "", ""},
		// It is no token, as an exchange says.
		"two words":    {[]string{"Bearer a b"}, "a b", 0, "", ""},
		"none":         {nil, "", 401, "Bearer", missing},
		"empty":        {[]string{""}, "", 401, "Bearer", missing},
		"bearer alone": {[]string{"Bearer"}, "", 401, "Bearer", missing},
		"no scheme":    {[]string{"a.b.c"}, "", 401, "Bearer", missing},
		"basic":        {[]string{"Basic dTpw"}, "", 401, "Bearer", missing},
		"dpop":         {[]string{"DPoP a.b.c"}, "", 401, "Bearer", missing},
		"bearertoken":  {[]string{"Bearera.b.c"}, "", 401, "Bearer", missing},
		"two": {
			[]string{"Bearer a.b.c", "Bearer d.e.f"}, "", 400,
			`Bearer error="invalid_request", error_description="repeated Authorization header"`,
			"repeated Authorization header",
		},
		"one twice": {
			[]string{"Bearer a.b.c", "Bearer a.b.c"}, "", 400,
			`Bearer error="invalid_request", error_description="repeated Authorization header"`,
			"repeated Authorization header",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			var tokens []string
			handlers := must(delegationhttp.New(delegationhttp.Config{
				Exchanger: exchanger(func(_ context.Context, token, target string,
					_ ...delegation.ExchangeOption) (*delegation.Credentials, error) {
					tokens = append(tokens, token, target)
					return issued(), nil
				}),
				Logger: log.logger(),
			}))
			called := 0
			a := behind(handlers.Bearer(app, http.HandlerFunc(func(
				w http.ResponseWriter, r *http.Request,
			) {
				called++
				body := must(io.ReadAll(r.Body))
				if string(body) != "a body" || r.Context().Done() == nil {
					t.Errorf("the handler gets %s", body)
				}
				w.WriteHeader(http.StatusTeapot)
			})), photos(row.authorization...))
			if row.token != "" {
				if a.Code != http.StatusTeapot || called != 1 ||
					!slices.Equal(tokens, []string{row.token, app}) {
					t.Errorf("got %d %s, exchanged %q", a.Code, a.Body, tokens)
				}
				if a.Header().Get("Cache-Control") != "" || a.Header().Get("X-Request-ID") == "" {
					t.Errorf("the headers are %v", a.Header())
				}
				return
			}
			body := object(map[string]any{
				"error": "invalid_request", "error_description": row.description,
				"status": row.status,
			})
			if a.Code != row.status || called != 0 || tokens != nil ||
				a.Header().Get("WWW-Authenticate") != row.challenge ||
				a.Header().Get("Cache-Control") != "no-store" ||
				object(asObject(t, a.Body.Bytes())) != body {
				t.Errorf("got %d %v %s, want %s", a.Code, a.Header(), a.Body, body)
			}
			if strings.Count(log.String(), `"msg":"request refused"`) != 1 {
				t.Errorf("the log is %s", &log)
			}
		})
	}
}

// TestBearer_Refusals: what another token can change is 401, and what it cannot is not. The handler
// never runs, and [delegationhttp.Handlers.Refuse] answers an error of the SDK in the same way.
func TestBearer_Refusals(t *testing.T) {
	of := func(code delegation.Code, stage delegation.Stage) error {
		return &delegation.Error{Stage: stage, Code: code, Err: errors.New("canary: details")}
	}
	const notAccepted = "the ID token was not accepted"
	for name, row := range map[string]struct {
		err         error
		status      int
		code        string
		description string
		challenged  bool
		retry       string
	}{
		"expired": {
			of(delegation.CodeTokenExpired, delegation.StageToken),
			401, "invalid_token", "jwt expired", true, "",
		},
		"forged": {
			of(delegation.CodeSignatureInvalid, delegation.StageToken),
			401, "invalid_token", notAccepted, true, "",
		},
		"another client's": {
			of(delegation.CodeClientMismatch, delegation.StageTarget),
			401, "invalid_token", "", true, "",
		},
		"an old sign-in": {
			of(delegation.CodeLoginTooOld, delegation.StageRules),
			401, "insufficient_user_authentication", "", true, "",
		},
		"denied": {
			&delegation.Error{
				Stage: delegation.StageRules, Code: delegation.CodeDenied,
				Err: delegation.Deny("not \"you\""),
			},
			403, "access_denied", "not \"you\"", false, "",
		},
		"role not allowed": {
			of(delegation.CodeRoleNotAllowed, delegation.StageDecision),
			403, "access_denied", "", false, "",
		},
		"no target": {
			of(delegation.CodeDelegationDisabled, delegation.StageTarget),
			404, "endpoint_disabled", "", false, "",
		},
		"AWS refuses": {
			of(delegation.CodeSTSAccessDenied, delegation.StageSTS),
			502, "server_error", "", false, "",
		},
		"AWS is busy": {
			of(delegation.CodeSTSThrottled, delegation.StageSTS),
			503, "temporarily_unavailable", "", false, "2",
		},
		"no token in the context": {
			of(delegation.CodeContextWithoutToken, delegation.StageConfig),
			500, "server_error", "", false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			handlers := must(delegationhttp.New(delegationhttp.Config{Exchanger: failing(row.err)}))
			closed := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Error("the handler ran")
			})
			open := must(delegationhttp.New(delegationhttp.Config{
				Exchanger: exchanger(agreeable),
			}))
			wrapped := &smithy.OperationError{ServiceID: "S3", Err: fmt.Errorf("get: %w", row.err)}
			refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !open.Refuse(w, r, wrapped) {
					t.Error("it is not refused")
				}
			})
			for _, h := range []http.Handler{
				handlers.Bearer(app, closed),
				open.Bearer(app, refusing),
			} {
				a := behind(h, photos("Bearer token"))
				body := asObject(t, a.Body.Bytes())
				description, _ := body["error_description"].(string)
				challenge := ""
				if row.challenged {
					challenge = fmt.Sprintf(`Bearer error="%s", error_description="%s"`,
						row.code, description)
				}
				if a.Code != row.status || body["error"] != row.code ||
					body["status"] != float64(row.status) || description == "" ||
					row.description != "" && description != row.description ||
					a.Header().Get("WWW-Authenticate") != challenge ||
					a.Header().Get("Retry-After") != row.retry ||
					a.Header().Get("Cache-Control") != "no-store" ||
					strings.Contains(a.Body.String(), "canary") {
					t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
				}
			}
		})
	}
}

// TestBearer_ExchangerFails: an Exchanger that is no Delegator, and says neither yes nor no or
// something else, opens nothing.
func TestBearer_ExchangerFails(t *testing.T) {
	for name, err := range map[string]error{"neither": nil, "another error": errors.New("canary")} {
		var log buffer
		handlers := must(delegationhttp.New(delegationhttp.Config{
			Exchanger: failing(err), Logger: log.logger(),
		}))
		a := behind(handlers.Bearer(app, http.HandlerFunc(func(
			http.ResponseWriter, *http.Request,
		) {
			t.Error("the handler ran")
		})), photos("Bearer token"))
		if a.Code != http.StatusInternalServerError ||
			strings.Contains(a.Body.String(), "canary") ||
			!strings.Contains(log.String(), "exchange without an answer") {
			t.Errorf("%s: got %d %s, log %s", name, a.Code, a.Body, &log)
		}
	}
}

// TestRefuse_LeavesOthers: what is not from an exchange is the handler's to answer, and nothing is
// written.
func TestRefuse_LeavesOthers(t *testing.T) {
	handlers := must(delegationhttp.New(delegationhttp.Config{Exchanger: exchanger(agreeable)}))
	for name, err := range map[string]error{
		"nil":      nil,
		"AWS's":    &smithy.OperationError{Err: &smithy.GenericAPIError{Code: "AccessDenied"}},
		"the end":  context.Canceled,
		"any":      errors.New("no connection"),
		"no error": (*delegation.Error)(nil),
	} {
		recorder := httptest.NewRecorder()
		if handlers.Refuse(recorder, photos("Bearer token"), err) ||
			len(recorder.Header()) != 0 || recorder.Body.Len() != 0 {
			t.Errorf("%s: wrote %v %s", name, recorder.Header(), recorder.Body)
		}
	}
}

// TestBearer_RateLimit: a request counts once, however often its handler calls AWS, and the limit
// is that of the other handlers.
func TestBearer_RateLimit(t *testing.T) {
	w := newWorld(t)
	w.Clock.Set(time.Now())
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 2}
	s := newService(t, w)
	token := "Bearer " + w.Token(nil)
	for left := 1; left >= 0; left-- {
		a := behind(s, photos(token))
		if a.Code != http.StatusOK ||
			a.Header().Get("X-RateLimit-Remaining") != fmt.Sprint(left) {
			t.Errorf("got %d %v", a.Code, a.Header())
		}
	}
	a := behind(s, photos(token))
	if a.Code != http.StatusTooManyRequests || a.Header().Get("Retry-After") != "30" ||
		a.Header().Get("WWW-Authenticate") != "" ||
		asObject(t, a.Body.Bytes())["error"] != "too_many_requests" {
		t.Errorf("got %d %v %s", a.Code, a.Header(), a.Body)
	}
}

// TestBearer_AddressLimit: it counts before a token is read.
func TestBearer_AddressLimit(t *testing.T) {
	w := newWorld(t)
	w.http.AddressLimit = delegationhttp.AddressLimit{Requests: 1}
	s := newService(t, w)
	for i, status := range []int{http.StatusUnauthorized, http.StatusTooManyRequests} {
		a := behind(s, photos("Bearer forged"))
		if a.Code != status || len(w.events) != 1 {
			t.Errorf("request %d: got %d %s, %d events", i, a.Code, a.Body, len(w.events))
		}
	}
}

// TestBearer_Replay: with a replay store a request is one use of its token, whatever its handler
// calls, and the next request with the token is refused.
func TestBearer_Replay(t *testing.T) {
	w := newWorld(t)
	w.Clock.Set(time.Now())
	w.Config.Replay = delegation.ReplayMemory(10)
	s := newService(t, w)
	token := "Bearer " + w.Token(nil)
	if a := behind(s, photos(token)); a.Code != http.StatusOK || len(w.events) != 4 {
		t.Errorf("got %d %s, %d events", a.Code, a.Body, len(w.events))
	}
	a := behind(s, photos(token))
	if a.Code != http.StatusUnauthorized || w.lastEvent(t).Code != delegation.CodeTokenReplayed {
		t.Errorf("got %d %s, %s", a.Code, a.Body, w.lastEvent(t).Code)
	}
}

// TestBearer_Options hold for the exchange before the handler and for those in it.
func TestBearer_Options(t *testing.T) {
	w := newWorld(t)
	w.Clock.Set(time.Now())
	s := newService(t, w)
	tagged := delegation.WithRule(
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			rc.AWS.Tags["from"] = "the options"
			return nil
		})
	options := []delegation.ExchangeOption{tagged}
	h := s.handlers.Bearer(app, http.HandlerFunc(s.whoAmI), options...)
	options[0] = nil
	if a := behind(h, photos("Bearer "+w.Token(nil))); a.Code != http.StatusOK {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	for i, e := range w.events {
		if e.Tags["from"] != "the options" {
			t.Errorf("event %d has the tags %v", i, e.Tags)
		}
	}
	if len(w.events) != 4 {
		t.Errorf("%d events", len(w.events))
	}
}

// TestBearer_ChallengeIsWellFormed: the description of a refusal can have quotes, which a challenge
// cannot.
func TestBearer_ChallengeIsWellFormed(t *testing.T) {
	s := newService(t, newWorld(t))
	for _, token := range []string{"Bearer a.b.c", `"a.b.c"`, `{"id_token": "a.b.c"}`} {
		a := behind(s, photos("Bearer "+token))
		description, _ := asObject(t, a.Body.Bytes())["error_description"].(string)
		form := regexp.MustCompile(`\ABearer error="invalid_token", ` +
			`error_description="[\x20-\x21\x23-\x5B\x5D-\x7E]+"\z`) // RFC 6750 §3
		if challenge := a.Header().Get("WWW-Authenticate"); !form.MatchString(challenge) {
			t.Errorf("%q: the challenge is %s for %q", token, challenge, description)
		}
		if token == "Bearer a.b.c" && !strings.Contains(description, `"`) {
			t.Errorf("the description has no quotes: %s", description)
		}
	}
}

// TestBearer_NeedsAHandler: it panics where the program is put together.
func TestBearer_NeedsAHandler(t *testing.T) {
	handlers := must(delegationhttp.New(delegationhttp.Config{Exchanger: exchanger(agreeable)}))
	defer func() {
		if recover() == nil {
			t.Error("it does not panic")
		}
	}()
	handlers.Bearer(app, nil)
}

// FuzzBearer: any Authorization header is refused, or its token is exchanged as it is.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{
		"Bearer a.b.c", "", "Bearer", "bearer  \ta", "Basic dTpw", "a.b.c", "Bearer a\"b\\c\x00é",
		"Bearer Bearer a", "DPoP a", "Bearer\ta",
	} {
		f.Add(seed)
	}
	var token string
	refusal := &delegation.Error{
		Stage: delegation.StageToken,
		Code:  delegation.CodeTokenMalformed,
		Err:   errors.New("seen"),
	}
	handlers := must(delegationhttp.New(delegationhttp.Config{
		Exchanger: exchanger(func(_ context.Context, t, _ string, _ ...delegation.ExchangeOption) (
			*delegation.Credentials, error,
		) {
			token = t
			return nil, refusal
		}),
	}))
	f.Fuzz(func(t *testing.T, authorization string) {
		token = ""
		h := handlers.Bearer(app, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Error("the handler ran")
		}))
		a := behind(h, photos(authorization))
		challenge := a.Header().Get("WWW-Authenticate")
		if a.Code != http.StatusUnauthorized || (challenge == "Bearer") != (token == "") {
			t.Fatalf("%q: got %d, %s, exchanged %q", authorization, a.Code, challenge, token)
		}
		trimmed := strings.TrimSpace(authorization)
		isBearer := len(trimmed) > 7 && strings.EqualFold(trimmed[:7], "bearer ")
		if isBearer != (token != "") || token != "" && token != strings.TrimSpace(trimmed[7:]) {
			t.Fatalf("%q: exchanged %q", authorization, token)
		}
		for _, c := range challenge {
			if c < ' ' || c > '~' || c == '\\' {
				t.Fatalf("%q: the challenge is %q", authorization, challenge)
			}
		}
	})
}
