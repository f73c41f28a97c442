package delegationhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// TestDelegationSuccess sends what clients send, in both encodings.
func TestDelegationSuccess(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	for name, changes := range map[string]map[string]any{
		"as little as possible": nil,
		"target":                {"target": app},
		"empty target":          {"target": ""},
		"api_type":              {"api_type": "aws"},
		"empty api_type":        {"api_type": ""},
		"auth0-js 7, unset options": {"target": "", "api_type": "", "refresh_token": "",
			"scope": "", "device": ""},
		"role and principal in vain": {"role": "arn:aws:iam::123456789012:role/admin",
			"principal": "arn:aws:iam::999999999999:saml-provider/x", "region": "us-east-1"},
	} {
		for encoding, request := range map[string]*http.Request{
			"form": post(delegationPath, formType, form(values(w.Token(nil), changes))),
			"json": post(delegationPath, jsonType, object(values(w.Token(nil), changes))),
		} {
			t.Run(name+", "+encoding, func(t *testing.T) {
				a := ask(t, h, request)
				a.granted(t)
				for path, want := range map[string]string{
					"Credentials.Expiration": "2026-11-23T10:00:00.000Z", // with milliseconds
					"AssumedRoleUser.Arn":    "arn:aws:sts::123456789012:assumed-role/photo-user/auth0_alice-4a761a4752f6b74491860f50",
					"Subject":                alice, "SubjectType": "persistent",
					"Issuer":   "urn:tenant.example.com",
					"Audience": "https://eu-central-1.signin.aws.amazon.com/saml",
				} {
					if got := a.text(strings.Split(path, ".")...); got != want {
						t.Errorf("%s is %q, want %q", path, got, want)
					}
				}
				for _, path := range []string{
					"ResponseMetadata.RequestId", "Credentials.AccessKeyId",
					"AssumedRoleUser.AssumedRoleId", "NameQualifier",
				} {
					if a.text(strings.Split(path, ".")...) == "" {
						t.Errorf("%s is empty", path)
					}
				}
				rc, event := w.last(t)
				if rc.Target != app || rc.ClientID != app || event.Role != role ||
					event.Code != "" {
					t.Errorf(
						"rules saw the target %q and client %q, the event has role %q and code %q",
						rc.Target, rc.ClientID, event.Role, event.Code)
				}
			})
		}
	}
	t.Run("null is absent", func(t *testing.T) {
		ask(t, h, post(delegationPath, jsonType,
			strings.TrimSuffix(object(values(w.Token(nil), nil)), "}")+
				`,"target":null,"api_type":null,"refresh_token":null}`)).granted(t)
	})
	t.Run("another target", func(t *testing.T) {
		targets := w.Config.Targets.(delegation.Targets)
		archive := targets[app]
		archive.Audiences = []string{app}
		targets["archive"] = archive
		w.http.Exchanger = nil
		ask(t, w.handler(t),
			post(delegationPath, formType,
				form(values(w.Token(nil), map[string]any{"target": "archive"})))).granted(t)
		if rc, _ := w.last(t); rc.Target != "archive" || rc.ClientID != app {
			t.Errorf("rules saw the target %q and client %q", rc.Target, rc.ClientID)
		}
	})
	t.Run("the client is the azp", func(t *testing.T) {
		token := w.Token(map[string]any{"azp": "native-app"})
		request := form(values(token, map[string]any{"client_id": "native-app", "target": app}))
		ask(t, h, post(delegationPath, formType, request)).
			refused(t, 403, "unauthorized_client", "this application may not use the target")

		targets := w.Config.Targets.(delegation.Targets)
		mobile := targets[app]
		mobile.AuthorizedParties = []string{"native-app"}
		targets[app] = mobile
		w.http.Exchanger = nil
		h := w.handler(t)
		ask(t, h, post(delegationPath, formType, request)).granted(t)
		if rc, _ := w.last(t); rc.ClientID != "native-app" {
			t.Errorf("rules saw the client %q", rc.ClientID)
		}
		// The form's client_id is an audience of the token, and decides nothing.
		ask(t, h, post(delegationPath, formType, form(values(token, nil)))).granted(t)
		if rc, _ := w.last(t); rc.ClientID != "native-app" {
			t.Errorf("rules saw the client %q", rc.ClientID)
		}
	})
	if strings.Contains(w.log.String(), "request refused") {
		t.Errorf("a success is no refusal: %s", w.log)
	}
}

// TestRulesSeeTheRequest: all that is not of the protocol, and nothing that is.
func TestRulesSeeTheRequest(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	own := map[string]any{
		"client_id": app, "grant_type": jwtBearer, "id_token": w.Token(nil), "refresh_token": "",
		"target": app, "api_type": "aws",
	}
	texts := map[string]any{
		"role": "admin", "principal": "root", "scope": "passthrough", "device": "",
		"Client_ID": "x", "": "no name", "ünï": "cödé\x00",
	}
	all := map[string]any{}
	for _, some := range []map[string]any{own, texts} {
		for name, value := range some {
			all[name] = value
		}
	}
	nested := strings.TrimSuffix(object(all), "}") +
		`,"list":[1,{"a":null}],"big":12345678901234567890,"yes":true,"none":null}`
	for encoding, row := range map[string]struct {
		request *http.Request
		more    map[string]string // as text, because numbers are json.Number
	}{
		"form": {post(delegationPath+"?role=from-the-query&id_token=x", formType, form(all)), nil},
		"json": {post(delegationPath+"?role=from-the-query&id_token=x", jsonType, nested),
			map[string]string{
				"list": `[1,{"a":null}]`, "big": "12345678901234567890", "yes": "true",
				"none": "null"}},
	} {
		t.Run(encoding, func(t *testing.T) {
			row.request.Header.Set("User-Agent", "auth0.js/7.6.1")
			row.request.Host = "login.example.com:8443"
			ask(t, h, row.request).granted(t)
			rc, event := w.last(t)
			got := rc.Request.Parameters
			for name, want := range row.more {
				value, there := got[name]
				if text := string(must(json.Marshal(value))); !there || text != want {
					t.Errorf("%s is %s, want %s", name, text, want)
				}
				delete(got, name)
			}
			if !reflect.DeepEqual(got, texts) {
				t.Errorf("parameters %q, want %q", got, texts)
			}
			if rc.Request.IP != caller || rc.Request.UserAgent != "auth0.js/7.6.1" ||
				rc.Request.Hostname != "login.example.com" || rc.Protocol != "delegation" {
				t.Errorf("request %+v", rc.Request)
			}
			if event.Role != role || event.Principal != principal {
				t.Errorf("the body decided: role %s, principal %s", event.Role, event.Principal)
			}
		})
	}
	for host, want := range map[string]string{
		"login.example.com": "login.example.com", "[2001:db8::1]:443": "2001:db8::1",
		"[2001:db8::1]": "2001:db8::1", "": "",
	} {
		request := post(delegationPath, formType, form(values(w.Token(nil), nil)))
		request.Host = host
		ask(t, h, request).granted(t)
		if rc, _ := w.last(t); rc.Request.Hostname != want {
			t.Errorf("host %q: rules saw %q, want %q", host, rc.Request.Hostname, want)
		}
	}
}

// TestRequestRefused: what is wrong with a request before its token is looked at. Each row holds in
// both encodings.
func TestRequestRefused(t *testing.T) {
	for name, row := range map[string]struct {
		changes           map[string]any
		status            int
		code, description string
	}{
		"no client_id": {map[string]any{"client_id": nil},
			400, "invalid_request", "missing client_id parameter"},
		"empty client_id": {map[string]any{"client_id": ""},
			400, "invalid_request", "missing client_id parameter"},
		"no grant_type": {map[string]any{"grant_type": nil},
			400, "invalid_request", "missing grant_type parameter"},
		"no id_token": {map[string]any{"id_token": nil},
			400, "invalid_request", "missing id_token parameter"},
		"empty id_token": {map[string]any{"id_token": ""},
			400, "invalid_request", "missing id_token parameter"},
		"password grant": {map[string]any{"grant_type": "password"},
			501, "unsupported_grant_type", "grant_type must be " + jwtBearer},
		"grant in another case": {map[string]any{"grant_type": strings.ToUpper(jwtBearer)},
			501, "unsupported_grant_type", "grant_type must be " + jwtBearer},
		"grant with a blank": {map[string]any{"grant_type": jwtBearer + " "},
			501, "unsupported_grant_type", "grant_type must be " + jwtBearer},
		"refresh_token alone": {map[string]any{"id_token": nil, "refresh_token": "x"}, 400,
			"invalid_request",
			"refresh_token is not supported: send the user's ID token as id_token, alone"},
		"refresh_token as well": {map[string]any{"refresh_token": "x"}, 400, "invalid_request",
			"refresh_token is not supported: send the user's ID token as id_token, alone"},
		"api_type app": {map[string]any{"api_type": "app"},
			400, "invalid_request", "api_type must be aws"},
		"api_type in capitals": {map[string]any{"api_type": "AWS"},
			400, "invalid_request", "api_type must be aws"},
		"client_id in another case": {map[string]any{"client_id": nil, "Client_ID": app},
			400, "invalid_request", "missing client_id parameter"},
		"client_id of 257 bytes": {
			map[string]any{"client_id": strings.Repeat("x", 257), "target": "x"},
			400, "invalid_request", "client_id or target has more than 256 bytes",
		},
		"target of 257 bytes": {map[string]any{"target": strings.Repeat("x", 257)},
			400, "invalid_request", "client_id or target has more than 256 bytes"},
	} {
		h := mount(t, delegationhttp.Config{
			Exchanger: failing(errors.New("nobody may ask")),
			Console:   &delegationhttp.Console{},
		})
		for _, path := range []string{delegationPath, consolePath} {
			t.Run(name+" "+path, func(t *testing.T) {
				ask(t, h, post(path, formType, form(values("token", row.changes)))).
					refused(t, row.status, row.code, row.description)
				ask(t, h, post(path, jsonType, object(values("token", row.changes)))).
					refused(t, row.status, row.code, row.description)
			})
		}
	}
}

// TestExchangeRefused: what happens to a request that can be read, from the token to AWS.
func TestExchangeRefused(t *testing.T) {
	deny := func(reason string) func(*world) {
		return func(w *world) {
			w.rules(func(context.Context, *delegation.User, *delegation.RuleContext) error {
				return delegation.Deny(reason)
			})
		}
	}
	faults := func(f oidctest.Faults) func(*world) {
		return func(w *world) { w.Issuer.SetFaults(f) }
	}
	script := func(f ...ststest.Fault) func(*world) { return func(w *world) { w.STS.Script(f...) } }
	const odd = "no entry: <b>\"été\"</b> & ✋ \\ \n\x00 {{}}"
	for name, row := range map[string]struct {
		set               func(*world)
		claims            map[string]any
		changes           map[string]any
		status            int
		code, description string
		event             delegation.Code
	}{
		"not a token": {nil, nil, map[string]any{"id_token": "x"},
			400, "invalid_grant", "the ID token was not accepted", delegation.CodeTokenMalformed},
		"blank token": {nil, nil, map[string]any{"id_token": " "},
			400, "invalid_grant", "the ID token was not accepted", delegation.CodeTokenMalformed},
		"overlong token": {nil, nil, map[string]any{"id_token": strings.Repeat("x", 20_000)},
			400, "invalid_grant", "the ID token was not accepted", delegation.CodeTokenTooLarge},
		"expired token": {nil, map[string]any{"exp": start.Add(-2 * time.Minute).Unix()},
			nil, 400, "invalid_grant", "jwt expired", delegation.CodeTokenExpired},
		"token of the future": {nil, map[string]any{"iat": start.Add(time.Hour).Unix()}, nil, 400,
			"invalid_grant", "the ID token was not accepted", delegation.CodeTokenFromFuture},
		"foreign issuer": {nil, map[string]any{"iss": "https://evil.example.com/"}, nil, 400,
			"invalid_grant", "the ID token was not accepted", delegation.CodeIssuerUnknown},
		"no audience": {nil, map[string]any{"aud": nil}, nil, 400, "invalid_grant",
			"the ID token was not accepted", delegation.CodeClaimMissing},
		"unknown client": {nil, nil, map[string]any{"client_id": "other-app"}, 401,
			"invalid_client", "this application may not use the target",
			delegation.CodeClientMismatch},
		"client not allowed": {nil, map[string]any{"aud": "other-app"},
			map[string]any{"client_id": "other-app", "target": app}, 403, "unauthorized_client",
			"this application may not use the target", delegation.CodeAudienceNotAllowed},
		"delegation disabled": {nil, nil, map[string]any{"target": "elsewhere"}, 404,
			"endpoint_disabled", "delegation is not enabled for this application",
			delegation.CodeDelegationDisabled},
		"denied": {deny("only on weekdays"), nil, nil, 401, "unauthorized",
			"only on weekdays", delegation.CodeDenied},
		"denied oddly": {deny(odd), nil, nil, 401, "unauthorized", odd, delegation.CodeDenied},
		"denied in silence": {deny(""), nil, nil, 401, "unauthorized", "access denied",
			delegation.CodeDenied},
		"rule failed": {func(w *world) {
			w.rules(func(context.Context, *delegation.User, *delegation.RuleContext) error {
				return errors.New("canary: database")
			})
		}, nil, nil, 403, "access_denied", "access denied", delegation.CodeRuleFailed},
		"rule panicked": {func(w *world) {
			w.rules(func(context.Context, *delegation.User, *delegation.RuleContext) error {
				panic("canary")
			})
		}, nil, nil, 403, "access_denied", "access denied", delegation.CodeRulePanicked},
		"profile failed": {func(w *world) {
			w.Config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return nil, errors.New("canary")
			}
		}, nil, nil, 403, "access_denied", "access denied", delegation.CodeProfileFailed},
		"decision refused": {func(w *world) {
			w.rules(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
				rc.AWS.Role = "canary"
				return nil
			})
		}, nil, nil, 500, "server_error", "the request could not be completed",
			delegation.CodeRoleInvalid},
		"STS refused": {
			script(ststest.Refuse(403, "AccessDenied",
				"canary: Not authorized to perform sts:AssumeRoleWithSAML")),
			nil, nil,
			502, "server_error", "AWS refused the request", delegation.CodeSTSAccessDenied,
		},
		"STS throttled": {script(ststest.Repeat(3, ststest.Refuse(400, "Throttling", "canary"))),
			nil, nil,
			503, "temporarily_unavailable", "temporarily unavailable, try again",
			delegation.CodeSTSThrottled},
		"STS down": {script(ststest.Repeat(3, ststest.Status(502))), nil, nil,
			503, "temporarily_unavailable", "temporarily unavailable, try again",
			delegation.CodeSTSUnavailable},
		"STS silent": {func(w *world) {
			w.Config.STSTimeout = time.Millisecond
			w.STS.Script(ststest.Hang())
		}, nil, nil, 503, "temporarily_unavailable", "temporarily unavailable, try again",
			delegation.CodeSTSTimeout},
		"STS incomplete": {script(ststest.Missing("SessionToken")), nil, nil, 502, "server_error",
			"AWS refused the request", delegation.CodeSTSAnswerIncomplete},
		"key set down": {faults(oidctest.Faults{Status: 500}), nil, nil,
			503, "temporarily_unavailable", "temporarily unavailable, try again",
			delegation.CodeKeySetUnavailable},
		"key set redirects": {
			faults(oidctest.Faults{Redirect: "https://evil.example.com/"}), nil, nil, 503,
			"temporarily_unavailable", "temporarily unavailable, try again",
			delegation.CodeDiscoveryRedirect,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if row.set != nil {
				row.set(w)
			}
			a := ask(t, w.handler(t),
				post(delegationPath, formType, form(values(w.Token(row.claims), row.changes))))
			a.refused(t, row.status, row.code, row.description)
			if len(w.events) != 1 || w.events[0].Code != row.event {
				t.Errorf("events %+v, want one with %s", w.events, row.event)
			}
			if row.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "2" {
				t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
			}
			if row.status == http.StatusUnauthorized &&
				a.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
			}
			if strings.Contains(string(a.body), "canary") {
				t.Errorf("a stranger learns %s", a.body)
			}
			if strings.Contains(w.log.String(), "request refused") { // the event has it
				t.Errorf("logged twice: %s", w.log)
			}
		})
	}
}

// TestLongNames: 256 bytes are a name.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 256)
	var seen spied
	h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, long, &seen)})
	ask(t, h,
		post(delegationPath, formType, form(values("token", map[string]any{"client_id": long})))).
		refused(t, 401, "unauthorized", "seen")
	if seen.client != long || seen.target != long {
		t.Errorf("the Exchanger saw %+v", seen)
	}
}

// TestForeignErrors: an Exchanger may be something else than a Delegator, and err as it likes.
func TestForeignErrors(t *testing.T) {
	var none *delegation.Error
	for name, row := range map[string]struct {
		exchanger         exchanger
		status            int
		code, description string
		logged            string
	}{
		"neither credentials nor an error": {failing(nil), 500, "server_error",
			"the request could not be completed", "neither credentials nor an error"},
		"another error": {failing(errors.New("canary")), 500, "server_error",
			"the request could not be completed", "canary"},
		"a nil Error": {failing(none), 500, "server_error",
			"the request could not be completed", "no error"},
		"an empty Error": {failing(&delegation.Error{}), 500, "server_error",
			"the request could not be completed", ""},
		"an unknown stage": {
			failing(&delegation.Error{Stage: "canary", Code: "canary"}), 500, "server_error",
			"the request could not be completed", "",
		},
		"wrapped": {
			failing(errors.Join(errors.New("canary"), &delegation.Error{
				Stage: delegation.StageSTS,
				Code:  delegation.CodeSTSThrottled,
			})), 503, "temporarily_unavailable", "temporarily unavailable, try again", "",
		},
		"an error and credentials": {
			func(
				context.Context, string, string, ...delegation.ExchangeOption,
			) (*delegation.Credentials, error) {
				return issued(), errors.New("canary")
			}, 500, "server_error", "the request could not be completed", "canary",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			h := mount(t, delegationhttp.Config{
				Exchanger: row.exchanger,
				Logger:    log.logger(),
				Console:   &delegationhttp.Console{},
			})
			for _, request := range []*http.Request{
				post(delegationPath, formType, form(values("token", nil))),
				post(consolePath, formType, form(values("token", nil))),
				get("?target="+app, "token"),
			} {
				ask(t, h, request).refused(t, row.status, row.code, row.description)
			}
			got := strings.Count(log.String(), `"level":"WARN","msg":"exchange without an answer"`)
			if row.logged == "" && log.String() != "" ||
				row.logged != "" &&
					(got != 3 ||
						len(regexp.MustCompile(`"path":"/[a-z]+","error":"[^"]*`+row.logged).
							FindAllString(log.String(), -1)) != 3) {
				t.Errorf("log %s, want %q three times", &log, row.logged)
			}
		})
	}
	t.Run("nil Delegator", func(t *testing.T) {
		h := mount(t, delegationhttp.Config{Exchanger: (*delegation.Delegator)(nil)})
		ask(t, h, post(delegationPath, formType, form(values("token", nil)))).
			refused(t, 500, "server_error", "the request could not be completed")
	})
}

// TestCanceledRequest: whoever goes away ends the exchange, and is answered all the same.
func TestCanceledRequest(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for path, request := range map[string]*http.Request{
		delegationPath:  post(delegationPath, formType, form(values(w.Token(nil), nil))),
		credentialsPath: get("?target="+app, w.Token(nil)),
	} {
		a := ask(t, h, request.WithContext(ctx))
		a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
		if len(w.STS.Calls()) != 0 {
			t.Errorf("%s: STS was called", path)
		}
	}
	ask(t, h, post(delegationPath, formType, form(values(w.Token(nil), nil)))).granted(t)
}

// TestConcurrentUse runs under the race detector: every caller gets what is theirs.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 1000}
	h := w.handler(t)
	var all sync.WaitGroup
	for _, user := range strings.Split("abcdefgh", "") {
		token := w.Token(map[string]any{"sub": "auth0|" + user})
		all.Go(func() {
			for range 4 {
				a := ask(t, h, post(delegationPath, formType, form(values(token, nil))))
				if a.text("Subject") != "auth0|"+user {
					t.Errorf("%s got %d %s", user, a.status, a.body)
				}
				ask(t, h, post(delegationPath, jsonType, object(values("forged", nil)))).
					refused(t, 400, "invalid_grant", "the ID token was not accepted")
				if a := ask(t, h, get("?target="+app, token)); a.status != http.StatusOK {
					t.Errorf("%s got %d %s", user, a.status, a.body)
				}
			}
		})
	}
	all.Wait()
}

// TestNothingSecret searches logs, events and the answers of every path, headers too, for what
// belongs to the caller alone.
func TestNothingSecret(t *testing.T) {
	w := newWorld(t)
	w.http.Console = &delegationhttp.Console{
		Endpoint: serve(t, federation(http.StatusBadRequest, `canary-federation`)),
	}
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 8}
	h := w.handler(t)
	good, expired := w.Token(nil), w.Token(map[string]any{"exp": start.Add(-time.Hour).Unix()})
	forged := good[:len(good)-8] + "AAAAAAAA"
	secrets := []string{"canary-password", "canary-federation"}
	for _, token := range []string{good, expired, forged} {
		secrets = append(secrets, token, token[strings.LastIndexByte(token, '.')+1:])
	}
	body := form(values(good, map[string]any{"refresh_token": "canary-password"}))
	requests := map[string]*http.Request{
		"refresh token":        post(delegationPath, formType, body),
		"bad percent-encoding": post(delegationPath, formType, body+"%"),
		"semicolon":            post(delegationPath, formType, strings.ReplaceAll(body, "&", ";")),
		"form sent as JSON":    post(delegationPath, jsonType, body),
		"repeated":             post(delegationPath, formType, body+"&id_token="+good),
		"repeated JSON": post(delegationPath, jsonType,
			`{"id_token":"`+good+`","id_token":"`+good+`"}`),
		"wrong type": post(delegationPath, jsonType, `{"id_token":["`+good+`"]}`),
		"trailing JSON": post(delegationPath, jsonType,
			object(values(good, nil))+`"canary-password"`),
		"wrong content type": post(delegationPath, "text/plain", body),
		"grant": post(delegationPath, formType,
			form(values(good, map[string]any{"grant_type": "canary-password"}))),
		"api_type": post(delegationPath, formType,
			form(values(good, map[string]any{"api_type": "canary-password"}))),
		"in the URL": httptest.NewRequest(http.MethodGet, delegationPath+"?id_token="+good, nil),
		"token as target": post(delegationPath, formType,
			form(values(good, map[string]any{"target": good}))),
		"container, as target": get("?target="+good, good),
		"expired":              post(delegationPath, formType, form(values(expired, nil))),
		"forged":               post(delegationPath, formType, form(values(forged, nil))),
		"token as client": post(delegationPath, formType,
			form(values(good, map[string]any{"client_id": good}))),
		"destination": post(consolePath, formType,
			form(values(good, map[string]any{"destination": "https://canary-password/"}))),
		"destination, type": post(consolePath, jsonType,
			object(values(good, map[string]any{"destination": 1}))),
		"federation refuses":    post(consolePath, formType, form(values(good, nil))),
		"container":             get("?target=elsewhere", good),
		"container, no target":  get("", good),
		"container, forged":     get("?target="+app, "Bearer "+forged),
		"container, two tokens": get("?target="+app, good),
		"container, POST": httptest.NewRequest(http.MethodPost, credentialsPath,
			strings.NewReader(good)),
	}
	requests["container, two tokens"].Header.Add("Authorization", good)
	granted := []string{}
	for name, request := range requests {
		a := ask(t, h, request)
		if a.status < 400 {
			t.Errorf("%s: got %d", name, a.status)
		}
		for _, secret := range secrets {
			whole := string(a.body) + strings.Join(flat(a.header), "\n")
			if strings.Contains(whole, secret) {
				t.Errorf("%s: the answer holds %.40s: %s", name, secret, whole)
			}
		}
	}
	w.Clock.Advance(time.Minute)
	for _, request := range []*http.Request{
		post(delegationPath, formType, form(values(good, nil))), get("?target="+app, good),
	} {
		a := ask(t, h, request)
		granted = append(granted, a.text("Credentials", "SecretAccessKey"),
			a.text("Credentials", "SessionToken"), a.text("SecretAccessKey"), a.text("Token"))
		for _, line := range flat(a.header) {
			for _, secret := range append(granted, secrets...) {
				if secret != "" && strings.Contains(line, secret) {
					t.Errorf("a header holds a secret: %s", line)
				}
			}
		}
	}
	logged := w.log.String()
	for _, e := range w.events {
		logged += string(must(json.Marshal(e.LogValue().String())))
	}
	for _, secret := range append(granted, secrets...) {
		if secret != "" && strings.Contains(logged, secret) {
			t.Errorf("the log holds %.40s", secret)
		}
	}
	refused := regexp.MustCompile(`"msg":"request refused","method":"POST",` +
		`"path":"/delegation","ip":"192\.0\.2\.1","status":415,"code":"invalid_request",` +
		`"error":"Content-Type must be `)
	if !refused.MatchString(logged) {
		t.Errorf("the operator cannot see who was refused why: %s", logged)
	}
	if len(granted) != 8 || granted[0] == "" || granted[6] == "" {
		t.Errorf("no secrets to look for: %q", granted)
	}
}

// TestTokensNamed: whichever way a token comes in, what is too much around it is named, and it is
// not quoted. The log has the same.
func TestTokensNamed(t *testing.T) {
	const (
		refused = "the ID token was not accepted: it "
		bearer  = refused + `has "Bearer " in front of it: leave that out`
		json    = refused + "is JSON: send the value of its member id_token, without the quotes"
		quotes  = refused + "has quotes around it: leave them out"
		mark    = refused + "has a byte order mark in front of it: save it as UTF-8 without one"
		name    = refused + `has a name and "=" in front of it: leave them out`
		nothing = refused + "is a placeholder that was not replaced, such as undefined or " +
			"$TOKEN: the sender had no token"
		scheme = refused + "has the scheme of an Authorization header in front of it: " +
			"send the ID token alone"
	)
	w := newWorld(t)
	h := w.handler(t)
	token := w.Token(nil)
	for _, row := range []struct {
		r    *http.Request
		want string
	}{
		{get("?target="+app, "Bearer Bearer "+token), bearer},
		{get("?target="+app, "Basic dTpw"), scheme},
		{get("?target="+app, "Bearer undefined"), nothing},
		{get("?target="+app, "Bearer [object Promise]"), nothing},
		{get("?target="+app, "Bearer \""+token+"\""), quotes},
		{get("?target="+app, "Bearer token="+token), name},
		{post(delegationPath, formType, form(values("Bearer "+token, nil))), bearer},
		{post(delegationPath, jsonType, object(values("Bearer "+token, nil))), bearer},
		{post(delegationPath, formType, form(values(`{"id_token":"`+token+`"}`, nil))), json},
		{post(delegationPath, jsonType, object(values("\ufeff"+token, nil))), mark},
	} {
		a := ask(t, h, row.r)
		if a.status != http.StatusBadRequest || a.text("error")+a.text("code") != "invalid_grant" ||
			a.text("error_description")+a.text("message") != row.want {
			t.Errorf("got %d %s, want %s", a.status, a.body, row.want)
		}
		_, said, _ := strings.Cut(row.want, ": it ")
		inLog := strings.ReplaceAll("the token "+said, `"`, `\"`)
		if !strings.Contains(w.log.String(), inLog) {
			t.Errorf("the log lacks %s: %s", said, w.log)
		}
		if strings.Contains(string(a.body)+w.log.String(), token[:20]) {
			t.Errorf("the token is in %s or %s", a.body, w.log)
		}
	}
}
