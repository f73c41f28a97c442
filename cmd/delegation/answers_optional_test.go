package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/ststest"
)

// Names of services that rows ask. The first one, without a name, has no optional endpoint.
const (
	// full has every endpoint.
	full = "full"
	// busy has every endpoint, and each address has used up its requests.
	busy = "busy"
	// outage has no issuer whose keys can be had.
	outage = "outage"
	// healthy has no issuer that is down.
	healthy = "healthy"
)

// serveOptional starts the services with optional endpoints.
func (w *answersWorld) serveOptional(
	t testing.TB, d *delegation.Delegator, c delegation.Config, endpoints delegationhttp.Config,
) {
	t.Helper()
	endpoints.Console = &delegationhttp.Console{Endpoint: w.awsURL + "/federation"}
	endpoints.Roles = true
	handler := must(service.NewHandler(d, c, endpoints))
	handler.AcceptLogouts()
	handler.ServeSTS()
	handler.ExchangeTokens()
	w.serve(t, full, handler)

	limited := endpoints
	limited.AddressLimit = delegationhttp.AddressLimit{Requests: 1}
	handler = must(service.NewHandler(d, c, limited))
	handler.AcceptLogouts()
	handler.ServeSTS()
	handler.ExchangeTokens()
	w.serve(t, busy, handler)
	w.useUp(t, busy)

	c.Issuers = c.Issuers[:1]
	c.Targets = delegation.Targets{
		"photo-app": {AWS: c.Targets.(delegation.Targets)["photo-app"].AWS},
	}
	endpoints.Exchanger = must(delegation.New(t.Context(), c))
	w.serve(t, healthy, must(service.NewHandler(
		endpoints.Exchanger.(*delegation.Delegator), c, endpoints)))

	c.Issuers = []delegation.Issuer{{URL: w.down.Issuer(), AllowLoopbackHTTP: true}}
	endpoints.Exchanger = must(delegation.New(t.Context(), c))
	w.serve(t, outage, must(service.NewHandler(
		endpoints.Exchanger.(*delegation.Delegator), c, endpoints)))
}

// useUp sends the one request that a service allows this address.
func (w *answersWorld) useUp(t testing.TB, name string) {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet,
		w.urls[name]+"/credentials", nil))
	response, err := client(nil).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// logoutToken is one of this moment, as OpenID Connect Back-Channel Logout 1.0 §2.4 describes it.
func (w *answersWorld) logoutToken() string {
	claims := map[string]any{
		"iss": w.issuerURL, "aud": service.DemoTarget, "sub": "auth0|lea", "jti": "1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	return must(w.provider.Sign(
		map[string]any{"typ": "logout+jwt"}, must(json.Marshal(claims))))
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// optionalRows are the answers of optional endpoints, and those of the others that no caller of
// /delegation gets.
func (w *answersWorld) optionalRows() []row {
	get := http.MethodGet
	credentials := func(name, target, user string) row {
		return row{
			name:   "container credentials: " + name,
			method: get,
			path:   "/credentials?target=" + target,
			header: []string{"Authorization: Bearer {" + user + "}"},
		}
	}
	throttled := credentials("throttled by AWS", "photo-app", "eli")
	throttled.faults = []ststest.Fault{ststest.Throttle()}
	tooMany := credentials("too many requests", "photo-app", "flo")
	tooMany.times = 4
	rows := []row{
		credentials("denied by a rule", "photo-app", "denied"),
		credentials("a sign-in that is not strong enough", "photo-app", "weak"),
		credentials("a rule that fails", "photo-app", "failing"),
		credentials("a target that is not for this client", "other-app", "kim"),
		credentials("a decision without a role", "incomplete", "cid"),
		credentials("refused by AWS", "typo", "dan"),
		throttled,
		tooMany,
	}
	rows = append(rows, w.consoleRows()...)
	rows = append(rows, roleRows()...)
	rows = append(rows, w.stsRows()...)
	rows = append(rows, tokenRows()...)
	logout := func(name, body string) row {
		return row{name: name, path: "/backchannel-logout", body: body, service: full}
	}
	logoutPUT := logout("back-channel logout with another method", "")
	logoutPUT.method = http.MethodPut
	rows = append(rows,
		logout("back-channel logout", "logout_token={logout}"),
		logout("back-channel logout without a token", "state=x"),
		logout("back-channel logout with an ID token", "logout_token={ann}"),
		logout("back-channel logout of an issuer that is down", "logout_token={down}"),
		logoutPUT,
		row{name: "back-channel logout that is off", path: "/backchannel-logout",
			body: "logout_token={logout}"},
	)
	over := credentials("an address over its limit", "photo-app", "ann")
	over.service = busy
	delegationOver := row{
		name:    "an address over its limit",
		service: busy,
		body: "client_id=photo-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer" +
			"&id_token={ann}",
	}
	consoleOver := delegationOver
	consoleOver.name = "console sign-in: an address over its limit"
	consoleOver.path = "/console"
	logoutOver := logout("back-channel logout from an address over its limit",
		"logout_token={logout}")
	logoutOver.service = busy
	rows = append(rows,
		over,
		delegationOver,
		consoleOver,
		logoutOver,
		row{name: "an api_type that is null", contentType: "application/json",
			body: `{"client_id":"photo-app","id_token":"{ola}","api_type":null,` +
				`"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer"}`},
		row{name: "a session with tags and a source identity", body: delegationOver.body +
			"&api_type=&target=tagged"},
		row{name: "roles: an address over its limit", method: get, path: "/roles?target=team-app",
			header: []string{"Authorization: Bearer {rob}"}, service: busy},
		row{name: "metadata", method: get, path: "/metadata"},
		row{name: "metadata of a target", method: get, path: "/metadata/own-key"},
		row{name: "metadata of a target without any", method: get, path: "/metadata/photo-app"},
		row{name: "ready", method: get, path: "/ready", service: healthy},
		row{name: "ready, without an issuer", method: get, path: "/ready", service: outage},
	)
	for _, path := range []string{"/metadata", "/metadata/own-key", "/live", "/ready"} {
		rows = append(rows, row{name: "another method: " + path, path: path, body: "x"})
	}
	return rows
}

// offering is a target that offers two roles, of which AWS has the first.
func offering(of delegation.Target) delegation.Target {
	of.Audiences = []string{"photo-app"}
	of.Roles = []delegation.RoleChoice{
		{Role: of.Role, Label: "Photos", Account: "Production"},
		{Role: "arn:aws:iam::123456789012:role/team/admin"},
	}
	of.Role = ""
	return of
}

// roleRows are the answers of /roles, and those to a request for a role.
func roleRows() []row {
	const admin = "arn:aws:iam::123456789012:role/team/admin"
	get := http.MethodGet
	bearer := func(user string) []string { return []string{"Authorization: Bearer {" + user + "}"} }
	roles := func(name, query, user string) row {
		return row{
			name: "roles: " + name, method: get, path: "/roles" + query, header: bearer(user),
			service: full,
		}
	}
	role := func(name, query string) row {
		return row{
			name: "container credentials: " + name, method: get,
			path: "/credentials?target=team-app" + query, header: bearer("una"), service: full,
		}
	}
	noToken := roles("no token", "?target=team-app", "")
	noToken.header = nil
	page := roles("a page of an allowed origin", "?target=team-app", "rob")
	page.header = append(page.header, "Origin: https://app.example.com")
	preflight := roles("preflight", "?target=team-app", "")
	preflight.method = http.MethodOptions
	preflight.header = []string{
		"Origin: https://app.example.com", "Access-Control-Request-Method: GET",
		"Access-Control-Request-Headers: authorization",
	}
	refused := preflight
	refused.name = "roles: preflight of another origin"
	refused.header = []string{
		"Origin: https://evil.example.com", "Access-Control-Request-Method: GET",
	}
	tooMany := roles("too many requests", "?target=team-app", "sue")
	tooMany.times = 4
	anotherMethod := roles("another method", "?target=team-app", "rob")
	anotherMethod.method = http.MethodPost
	off := roles("off", "?target=team-app", "rob")
	off.service = ""
	roleOff := role("a role where none can be asked for", "&role="+admin)
	roleOff.service = ""
	ask := row{
		name: "a role of the target", service: full,
		body: "client_id=photo-app&target=team-app&id_token={tom}&role=" + service.DemoRole +
			"&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer",
	}
	refusedRole := ask
	refusedRole.name = "a role that the target does not offer"
	refusedRole.body = strings.Replace(ask.body, service.DemoRole, admin+"2", 1)
	otherRole := ask
	otherRole.name = "another role than the target's"
	otherRole.body = strings.Replace(ask.body, "target=team-app", "target=photo-app", 1)
	otherRole.body = strings.Replace(otherRole.body, service.DemoRole, admin, 1)
	noRole := ask
	noRole.name = "none of several roles"
	noRole.body = strings.Replace(ask.body, "&role="+service.DemoRole, "", 1)
	console := ask
	console.name = "console sign-in: a role of the target"
	console.path = "/console"
	console.body = strings.Replace(ask.body, "{tom}", "{uma}", 1)
	return []row{
		roles("success", "?target=team-app", "rob"),
		roles("success of a target with one role", "?target=photo-app", "rob"),
		page,
		noToken,
		roles("no target", "", "ron"),
		roles("no such target", "?target=none", "ron"),
		roles("an expired token", "?target=team-app", "expired"),
		roles("denied by a rule", "?target=team-app", "denied"),
		roles("a rule that fails", "?target=team-app", "failing"),
		anotherMethod,
		tooMany,
		preflight,
		refused,
		off,
		ask,
		refusedRole,
		otherRole,
		noRole,
		console,
		role("a role of the target", "&role="+service.DemoRole),
		role("none of several roles", ""),
		role("an empty role", "&role="),
		role("two roles", "&role="+admin+"&role="+service.DemoRole),
		roleOff,
	}
}

// consoleRows are the answers of /console.
func (w *answersWorld) consoleRows() []row {
	console := func(name, user string, more ...string) row {
		body := "client_id=photo-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer" +
			"&id_token={" + user + "}"
		return row{
			name:    "console sign-in: " + name,
			path:    "/console",
			body:    strings.Join(append([]string{body}, more...), "&"),
			service: full,
		}
	}
	asJSON := console("success of JSON", "mia")
	asJSON.contentType = "application/json"
	asJSON.body = `{"client_id":"photo-app","id_token":"{mia}","destination":null,` +
		`"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer"}`
	other := console("another grant_type", "mia")
	other.body = "client_id=photo-app&grant_type=password&id_token={mia}"
	foreign := console("another client's token", "mia")
	foreign.body = strings.Replace(foreign.body, "photo-app", "other-app", 1)
	throttled := console("throttled by AWS", "ned")
	throttled.faults = []ststest.Fault{ststest.Throttle()}
	tooMany := console("too many requests", "pia")
	tooMany.times = 4
	page := console("a page of an allowed origin", "leo")
	page.header = []string{"Origin: https://app.example.com"}
	anotherMethod := console("another method", "mia")
	anotherMethod.method = http.MethodPut
	plain := console("another content type", "mia")
	plain.contentType = "text/plain"
	preflight := row{
		name: "console sign-in: preflight", method: http.MethodOptions, path: "/console",
		header: []string{
			"Origin: https://app.example.com", "Access-Control-Request-Method: POST",
			"Access-Control-Request-Headers: content-type",
		},
		service: full,
	}
	refused := preflight
	refused.name = "console sign-in: preflight of another origin"
	refused.header = []string{
		"Origin: https://evil.example.com", "Access-Control-Request-Method: POST",
	}
	return []row{
		console("success", "mia"),
		console("success with a page", "moe",
			"destination=https://eu-central-1.console.aws.amazon.com/s3/home"),
		asJSON,
		page,
		console("a destination elsewhere", "max", "destination=https://evil.example.com/"),
		console("a destination without TLS", "max",
			"destination=http://eu-central-1.console.aws.amazon.com/"),
		console("an expired token", "expired"),
		foreign,
		console("a target that is not for this client", "mia", "target=other-app"),
		console("denied by a rule", "denied"),
		console("a sign-in that is not strong enough", "weak"),
		console("a rule that fails", "failing"),
		console("no such target", "ivy", "target=none"),
		console("a decision without a role", "cid", "target=incomplete"),
		console("refused by AWS", "dan", "target=typo"),
		other,
		throttled,
		tooMany,
		anotherMethod,
		plain,
		console("too large", "mia", "x="+strings.Repeat("x", 64<<10)),
		preflight,
		refused,
	}
}

// tagged is a target whose sessions have all that an answer can tell, and the role of it.
func (w *answersWorld) tagged(t testing.TB, of delegation.Target) delegation.Target {
	t.Helper()
	of.Audiences = []string{"photo-app"}
	of.AWS.Role = strings.Replace(of.AWS.Role, "photo-editor", "photo-owner", 1)
	trust := strings.Replace(service.DemoTrust, `"sts:TagSession"`,
		`"sts:TagSession", "sts:SetSourceIdentity"`, 1)
	if err := w.aws.PutRole(ststest.Role{ARN: of.AWS.Role, TrustPolicy: trust}); err != nil {
		t.Fatal(err)
	}
	of.AWS.Tags = map[string]string{"team": "photos"}
	of.AWS.SourceIdentity = "photos"
	return of
}

// ownIdentity is a target with metadata of its own.
func ownIdentity(of delegation.Target, identity delegation.IdentityProvider) delegation.Target {
	identity.EntityID = "urn:own-key.example.com"
	of.Identity = &identity
	return of
}

// requestShown is the request of a row, for the check of docs/openapi.yaml, which is in a module of
// its own. {user} is an ID token.
type requestShown struct {
	Name   string   `json:"name"`
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Header []string `json:"header,omitempty"`
	Body   string   `json:"body,omitempty"`
	// Bytes is the size of a body that is too long to show.
	Bytes int `json:"bytes,omitempty"`
}

func (r *row) shown() requestShown {
	const long = 2000
	shown := requestShown{Name: r.name, Method: r.method, Path: r.path, Body: r.body}
	if r.contentType != "" {
		shown.Header = append(shown.Header, "Content-Type: "+r.contentType)
	}
	shown.Header = append(shown.Header, r.header...)
	if len(r.body) > long {
		shown.Bytes = len(r.body)
		shown.Body = ""
	}
	return shown
}

// checkRequests compares the requests of all rows with their golden file.
func checkRequests(t *testing.T, requests []requestShown) {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	for _, r := range requests {
		if err := encoder.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "requests.jsonl")
	if *update {
		if err := os.WriteFile(golden, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if text.String() != string(must(os.ReadFile(golden))) {
		t.Errorf("%s does not have the requests of these rows: run the test with -update", golden)
	}
}
