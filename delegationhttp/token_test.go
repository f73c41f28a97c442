package delegationhttp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
)

const (
	tokenGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	typePrefix = "urn:ietf:params:oauth:token-type:"
	photoAPI   = "https://photos.example.com"
	agentsURL  = "https://agents.example.com/"
	agent      = "spiffe://example.com/agent/summariser"
	readPhotos = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`
)

// tokenWorld is a world whose target has scopes and lets an agent act, and whose issuer has access
// tokens of RFC 9068.
type tokenWorld struct {
	*world
	agents *oidctest.Provider
}

func newTokenWorld(t testing.TB) *tokenWorld {
	t.Helper()
	w := &tokenWorld{newWorld(t), must(oidctest.New(oidctest.Config{
		Algorithm: "ES256",
		Now:       func() time.Time { return start },
	}))}
	w.agents.SetIssuer(agentsURL)
	w.Config.Issuers[0].AccessTokens = &delegation.AccessTokens{
		Profile:   delegation.AccessTokenRFC9068,
		Audiences: []string{photoAPI},
	}
	w.Config.Issuers = append(w.Config.Issuers, delegation.Issuer{
		URL: agentsURL, JWKS: w.agents.KeySet(), Algorithms: []string{"ES256"},
	})
	targets := maps.Clone(w.Config.Targets.(delegation.Targets))
	target := targets[app]
	target.Issuers = []string{w.Config.Issuers[0].URL}
	target.Scopes = map[string]delegation.Scope{
		"photos.read": {Policy: readPhotos}, "photos.list": {Policy: readPhotos},
	}
	target.Actors = &delegation.Actors{
		Listed:    []delegation.ListedActor{{Issuer: agentsURL, Subject: agent, Name: "agent"}},
		Audiences: []string{"delegation"},
	}
	targets[app] = target
	w.Config.Targets = targets
	return w
}

// accessToken is an access token of alice for the photo API.
func (w *tokenWorld) accessToken() string {
	now := w.Clock.Now()
	payload := must(json.Marshal(map[string]any{
		"iss": w.Config.Issuers[0].URL, "sub": alice, "aud": photoAPI, "client_id": app,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "1",
		"scope": "photos.read",
	}))
	return must(w.Issuer.Sign(map[string]any{"typ": "at+jwt"}, payload))
}

func (w *tokenWorld) agentToken() string {
	return must(w.agents.SignIDToken(map[string]any{"sub": agent, "aud": "delegation"}))
}

// exchangeForm is the form of a good request, with some parameters changed or (nil) left out.
func exchangeForm(subjectToken string, changes map[string]any) string {
	all := map[string]any{
		"grant_type":         tokenGrant,
		"subject_token":      subjectToken,
		"subject_token_type": typePrefix + "id_token",
		"audience":           app,
	}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return form(all)
}

func postToken(body string) *http.Request { return post(tokenPath, formType, body) }

// issuedBy returns the credentials in an answer, after a check of all else in it.
func issuedBy(t *testing.T, a answer, scope string) map[string]string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	encoded := a.text("access_token")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	credentials := map[string]string{}
	if err != nil || json.Unmarshal(decoded, &credentials) != nil {
		t.Fatalf("the token %q, %v", encoded, err)
	}
	delete(a.json, "access_token")
	want := map[string]any{
		"issued_token_type": delegationhttp.TokenTypeAWSCredentials,
		"token_type":        "N_A",
		"expires_in":        a.json["expires_in"],
	}
	if scope != "" {
		want["scope"] = scope
	}
	if seconds, _ := a.json["expires_in"].(float64); seconds < 1 || seconds > 43200 {
		t.Errorf("it expires in %v", a.json["expires_in"])
	}
	if !reflect.DeepEqual(a.json, want) {
		t.Errorf("got %v, want %v", a.json, want)
	}
	return credentials
}

// declined checks a refusal in the shape of RFC 6749 §5.2.
func (a answer) declined(t testing.TB, status int, code, description string) {
	t.Helper()
	want := object(map[string]any{"error": code, "error_description": description})
	if a.status != status || object(a.json) != want {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, want)
	}
}

// TestToken_Success: the answer of RFC 8693 has what the container endpoint answers, which AWS
// takes. The event says which endpoint was asked.
func TestToken_Success(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	a := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{
		"audience": nil, "client_id": app, "resource": "", "scope": "", "device": "phone",
		"requested_token_type": delegationhttp.TokenTypeAWSCredentials, "actor_token": "",
		"actor_token_type": "", "client_secret": "",
	})))
	if a.json["expires_in"] != float64(3600) {
		t.Errorf("it expires in %v", a.json["expires_in"])
	}
	credentials := issuedBy(t, a, "")
	container := ask(t, h, get("?target="+app, w.Token(nil)))
	got := map[string]any{}
	for name, value := range credentials {
		got[name] = value
	}
	if !reflect.DeepEqual(got, container.json) {
		t.Errorf("got %v, want %s", got, container.body)
	}
	w.mu.Lock()
	rc, e := w.seen[0], w.events[0]
	w.mu.Unlock()
	want := map[string]any{"device": "phone"}
	if !reflect.DeepEqual(rc.Request.Parameters, want) || rc.Target != app ||
		e.Endpoint != "token" || e.Outcome != delegation.OutcomeAllowed {
		t.Errorf("rules saw %+v, the event is %+v", rc.Request, e)
	}
}

// TestToken_KeepsSecrets: of a success and of a refusal, log and events have no token and no key.
func TestToken_KeepsSecrets(t *testing.T) {
	w := newTokenWorld(t)
	h := w.handler(t)
	user := w.accessToken()
	actor := w.agentToken()
	asked := exchangeForm(user, map[string]any{
		"subject_token_type": typePrefix + "access_token", "actor_token": actor,
		"actor_token_type": typePrefix + "jwt",
	})
	a := ask(t, h, postToken(asked))
	secrets := []string{user, actor, a.text("access_token")}
	for name, value := range issuedBy(t, a, "") {
		if name == "SecretAccessKey" || name == "Token" {
			secrets = append(secrets, value)
		}
	}
	ask(t, h, postToken(asked+"&role=x&scope=unknown"))
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.log.String() + fmt.Sprintf("%+v", w.events)
	if len(secrets) != 5 || len(w.events) != 2 {
		t.Errorf("%d secrets, %d events", len(secrets), len(w.events))
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(kept, secret) {
			t.Errorf("%.20q is in the log or the events: %s", secret, kept)
		}
	}
}

// TestToken_Target: audience, resource and client_id name the target, in this order, and must not
// name two.
func TestToken_Target(t *testing.T) {
	const (
		two    = "credentials are for one target: send one audience or one resource"
		encode = "&grant_type=" + tokenGrant + "&subject_token=t&subject_token_type=" +
			typePrefix + "id_token"
	)
	var seen spied
	h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, app, &seen)})
	for names, want := range map[string]string{
		"audience=a":                             "a",
		"resource=https://a.example.com/":        "https://a.example.com/",
		"audience=a&client_id=photo-app":         "a",
		"client_id=photo-app":                    "photo-app",
		"audience=&resource=&client_id=a":        "a",
		"audience=a&resource=a":                  "a",
		"audience=a&audience=a&resource=":        "a",
		"audience=a&audience=&resource=a":        "a",
		"audience=a&resource=b":                  "",
		"audience=a&audience=b":                  "",
		"resource=a&resource=b&client_id=a":      "",
		"audience=&audience=a&resource=&target=": "a",
	} {
		seen = spied{}
		a := ask(t, h, postToken(names+encode))
		if want == "" {
			a.declined(t, http.StatusBadRequest, "invalid_target", two)
		}
		if seen.target != want {
			t.Errorf("%s: the target is %q, want %q: %s", names, seen.target, want, a.body)
		}
	}
	a := ask(t, h, postToken(encode[1:]))
	a.declined(t, http.StatusBadRequest, "invalid_request",
		"missing audience parameter: it names the target")
}

// TestToken_Request: what is no request of RFC 8693 reaches nobody.
func TestToken_Request(t *testing.T) {
	const types = typePrefix + "id_token, " + typePrefix + "access_token, " + typePrefix + "jwt"
	var seen spied
	h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, app, &seen)})
	for name, row := range map[string]struct {
		change      map[string]any
		code        string // invalid_request by default
		description string
	}{
		"no grant_type": {map[string]any{"grant_type": nil}, "",
			"missing grant_type parameter"},
		"another grant_type": {map[string]any{"grant_type": jwtBearer}, "unsupported_grant_type",
			"grant_type must be " + tokenGrant},
		"no token": {map[string]any{"subject_token": ""}, "", "missing subject_token parameter"},
		"no type of the token": {map[string]any{"subject_token_type": nil}, "",
			"missing subject_token_type parameter"},
		"another type": {map[string]any{"subject_token_type": typePrefix + "saml2"}, "",
			"subject_token_type must be one of " + types},
		"a type in another case": {
			map[string]any{"subject_token_type": typePrefix + "ID_TOKEN"}, "",
			"subject_token_type must be one of " + types},
		"no type of the actor": {map[string]any{"actor_token": "a"}, "",
			"missing actor_token_type parameter"},
		"another type of the actor": {
			map[string]any{"actor_token": "a", "actor_token_type": "jwt"}, "",
			"actor_token_type must be one of " + types},
		"a type of no actor": {map[string]any{"actor_token_type": typePrefix + "jwt"}, "",
			"actor_token_type without actor_token"},
		"another token is asked for": {
			map[string]any{"requested_token_type": typePrefix + "access_token"}, "",
			"requested_token_type must be absent or " + delegationhttp.TokenTypeAWSCredentials},
		"a scope with a quote": {map[string]any{"scope": `photos.read "`}, "invalid_scope",
			"scope has a character that scope names cannot have"},
		"a scope with a line end": {map[string]any{"scope": "a\nb"}, "invalid_scope",
			"scope has a character that scope names cannot have"},
		"a scope with another letter": {map[string]any{"scope": "ä"}, "invalid_scope",
			"scope has a character that scope names cannot have"},
		"a long audience": {map[string]any{"audience": strings.Repeat("a", 257)}, "",
			"client_id or target has more than 256 bytes"},
	} {
		code := row.code
		if code == "" {
			code = "invalid_request"
		}
		a := ask(t, h, postToken(exchangeForm("t", row.change)))
		t.Run(name, func(t *testing.T) {
			a.declined(t, http.StatusBadRequest, code, row.description)
		})
	}
	good := exchangeForm("t", nil)
	for name, row := range map[string]struct {
		contentType, body string
		status            int
	}{
		"JSON":                 {jsonType, `{"grant_type":"` + tokenGrant + `"}`, 415},
		"text":                 {"text/plain", good, 415},
		"another charset":      {formType + "; charset=utf-16", good, 415},
		"too large":            {formType, good + "&x=" + strings.Repeat("x", maxBody), 413},
		"a bad escape":         {formType, good + "&x=%zz", 400},
		"no UTF-8":             {formType, good + "&x=%ff", 400},
		"a name without UTF-8": {formType, good + "&%ff=x", 400},
		"a repeated parameter": {formType, good + "&scope=a&scope=a", 400},
		"two tokens":           {formType, good + "&subject_token=", 400},
	} {
		a := ask(t, h, post(tokenPath, row.contentType, row.body))
		if a.status != row.status || a.text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	broken := postToken("")
	broken.Body = http.NoBody
	if a := ask(t, h, broken); a.status != http.StatusBadRequest {
		t.Errorf("an empty body: %d %s", a.status, a.body)
	}
	request := postToken(good)
	request.Method = http.MethodGet
	if a := ask(t, h, request); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	if seen.times != 0 {
		t.Errorf("the Exchanger was asked %d times", seen.times)
	}
}

// TestToken_Client: a client that sends a secret learns that it is not checked, and is not served.
// RFC 6749 §5.2 names the header.
func TestToken_Client(t *testing.T) {
	var seen spied
	h := mount(t, delegationhttp.Config{Exchanger: newSpy(t, app, &seen)})
	good := exchangeForm("t", map[string]any{"client_id": app})
	for name, row := range map[string]struct {
		authorization, parameter string
		remedy, challenge        string
	}{
		"Basic":     {"basic cGhvdG9zOng=", "", "the header Authorization", `Basic realm="none"`},
		"Bearer":    {"Bearer x", "", "the header Authorization", "Bearer"},
		"secret":    {"", "&client_secret=x", "client_secret", "Bearer"},
		"assertion": {"", "&client_assertion=x", "client_assertion", "Bearer"},
		"assertion's type": {
			"", "&client_assertion_type=x", "client_assertion_type", "Bearer"},
	} {
		request := postToken(good + row.parameter)
		if row.authorization != "" {
			request.Header.Set("Authorization", row.authorization)
		}
		a := ask(t, h, request)
		a.declined(t, http.StatusUnauthorized, "invalid_client",
			"clients are not authenticated here: leave out "+row.remedy)
		if got := a.header.Get("WWW-Authenticate"); got != row.challenge {
			t.Errorf("%s: the challenge is %q", name, got)
		}
	}
	request := postToken(good)
	request.Header["Authorization"] = []string{"", "Bearer x"}
	a := ask(t, h, request)
	a.declined(t, http.StatusUnauthorized, "invalid_client",
		"clients are not authenticated here: leave out the header Authorization")
	if seen.times != 0 {
		t.Errorf("the Exchanger was asked %d times", seen.times)
	}
}

// TestToken_Words: each refusal of an exchange has a word and a status of RFC 8693 and RFC 6749,
// and the public text alone.
func TestToken_Words(t *testing.T) {
	of := func(code delegation.Code, stage delegation.Stage) error {
		return &delegation.Error{Code: code, Stage: stage, Remedy: "canary", Err: code}
	}
	for _, row := range []struct {
		err         error
		status      int
		code        string
		description string
	}{
		{of(delegation.CodeTokenExpired, delegation.StageToken), 400, "invalid_request",
			"jwt expired"},
		{of(delegation.CodeSignatureInvalid, delegation.StageToken), 400, "invalid_request",
			"the ID token was not accepted"},
		{of(delegation.CodeTokenKindDiffers, delegation.StageTarget), 400, "invalid_request",
			"the token is not of the kind that the request names"},
		{of(delegation.CodeActorInvalid, delegation.StageTarget), 400, "invalid_request",
			"access denied"},
		{of(delegation.CodeActorNotAllowed, delegation.StageTarget), 400, "invalid_request",
			"access denied"},
		{of(delegation.CodeDelegationDisabled, delegation.StageTarget), 400, "invalid_target",
			"there is no such target"},
		{of(delegation.CodeAudienceNotAllowed, delegation.StageTarget), 400, "invalid_target",
			"this application may not use the target"},
		{of(delegation.CodeIssuerNotAllowed, delegation.StageTarget), 400, "invalid_target",
			"this application may not use the target"},
		{of(delegation.CodeClientMismatch, delegation.StageTarget), 401, "invalid_client",
			"this application may not use the target"},
		{of(delegation.CodeScopeUnknown, delegation.StageDecision), 400, "invalid_scope",
			"the requested scope is unknown"},
		{of(delegation.CodeRequiredClaim, delegation.StageTarget), 400, "invalid_request",
			"access denied"},
		{&delegation.Error{Code: delegation.CodeDenied, Stage: delegation.StageRules,
			Err: delegation.Deny("photo editors only")}, 400, "invalid_request",
			"photo editors only"},
		{of(delegation.CodeLoginTooOld, delegation.StageRules), 400, "invalid_request",
			"sign in again: the last sign-in is too long ago"},
		{of(delegation.CodeRuleFailed, delegation.StageRules), 400, "invalid_request",
			"access denied"},
		{of(delegation.CodeRoleInvalid, delegation.StageDecision), 500, "server_error",
			"the request could not be completed"},
		{of(delegation.CodeSTSAccessDenied, delegation.StageSTS), 502, "server_error",
			"AWS refused the request"},
		{of(delegation.CodeSTSThrottled, delegation.StageSTS), 503, "temporarily_unavailable",
			"temporarily unavailable, try again"},
		{context.Canceled, 500, "server_error", "the request could not be completed"},
	} {
		h := mount(t, delegationhttp.Config{Exchanger: failing(row.err)})
		a := ask(t, h, postToken(exchangeForm("t", nil)))
		a.declined(t, row.status, row.code, row.description)
	}
}

// TestToken_Kinds: a token must be of the kind that its type names, and jwt is either kind.
func TestToken_Kinds(t *testing.T) {
	w := newTokenWorld(t)
	h := w.handler(t)
	tokens := map[string]string{"id_token": w.Token(nil), "access_token": w.accessToken()}
	for sent, token := range tokens {
		for _, said := range []string{"id_token", "access_token", "jwt"} {
			a := ask(t, h, postToken(exchangeForm(token,
				map[string]any{"subject_token_type": typePrefix + said})))
			if said == sent || said == "jwt" {
				issuedBy(t, a, "")
				continue
			}
			a.declined(t, http.StatusBadRequest, "invalid_request",
				"the token is not of the kind that the request names")
		}
	}
	a := ask(t, h, postToken(exchangeForm(tokens["id_token"], map[string]any{
		"actor_token": w.agentToken(), "actor_token_type": typePrefix + "access_token",
	})))
	a.declined(t, http.StatusBadRequest, "invalid_request",
		"the token is not of the kind that the request names")
}

// TestToken_Actor: an agent that the target lists acts for the user, and another does not.
func TestToken_Actor(t *testing.T) {
	w := newTokenWorld(t)
	h := w.handler(t)
	a := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{
		"actor_token": w.agentToken(), "actor_token_type": typePrefix + "id_token",
	})))
	issuedBy(t, a, "")
	if rc, e := w.last(t); rc.Actor == nil || rc.Actor.Subject != agent ||
		e.ActorSubject != agent || e.Endpoint != "token" || e.Duration != 15*time.Minute {
		t.Errorf("rules saw %+v, the event is %+v", rc.Actor, e)
	}
	other := must(w.agents.SignIDToken(map[string]any{"sub": "other", "aud": "delegation"}))
	a = ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{
		"actor_token": other, "actor_token_type": typePrefix + "jwt",
	})))
	a.declined(t, http.StatusBadRequest, "invalid_request", "access denied")
}

// TestToken_Scope: scopes narrow the session, the answer says so, and one that the target does not
// have is refused.
func TestToken_Scope(t *testing.T) {
	w := newTokenWorld(t)
	h := w.handler(t)
	policies := func() (list []string) {
		for _, call := range w.STS.Calls() {
			list = append(list, call.Policy)
		}
		return list
	}
	const both = "photos.list photos.read"
	for _, scope := range []string{both, "photos.read photos.list", " photos.read  photos.list " +
		strings.Repeat("photos.read ", 3000)} {
		names := strings.Fields(scope)[:2]
		a := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{"scope": scope})))
		issuedBy(t, a, strings.Join(names, " "))
		_, e := w.last(t)
		if !slices.Equal(e.Scopes, []string{"photos.list", "photos.read"}) {
			t.Errorf("the event has the scopes %q", e.Scopes)
		}
	}
	if got := policies(); len(got) != 1 || !strings.Contains(got[0], "s3:GetObject") {
		t.Errorf("the policies are %q, want one call", got)
	}
	a := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{"scope": "other"})))
	a.declined(t, http.StatusBadRequest, "invalid_scope", "the requested scope is unknown")

	wide := mount(t, delegationhttp.Config{
		Exchanger: exchanger(agreeable),
		Now:       func() time.Time { return start },
	})
	a = ask(t, wide, postToken(exchangeForm("t", map[string]any{"scope": "photos.read"})))
	issuedBy(t, a, "") // an Exchanger that does not narrow
}

// TestToken_Role: the user's choice counts with Config.Roles. Without it, it is a parameter for the
// rules.
func TestToken_Role(t *testing.T) {
	const other = "arn:aws:iam::123456789012:role/other"
	for _, on := range []bool{true, false} {
		w := newWorld(t)
		w.http.Roles = on
		h := w.handler(t)
		mine := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{"role": role})))
		issuedBy(t, mine, "")
		rc, e := w.last(t)
		if (e.RequestedRole == role) != on || rc.Request.Parameters["role"] != role {
			t.Errorf("%t: the event is %+v, rules saw %v", on, e, rc.Request.Parameters)
		}
		a := ask(t, h, postToken(exchangeForm(w.Token(nil), map[string]any{"role": other})))
		if !on {
			issuedBy(t, a, "")
			continue
		}
		a.declined(t, http.StatusBadRequest, "invalid_request", "access denied")
	}
}

// TestToken_Limits: limits of users and addresses count here as everywhere, and pages of listed
// origins may call.
func TestToken_Limits(t *testing.T) {
	w := newWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 1}
	w.http.AllowedOrigins = []string{"https://app.example.com"}
	h := w.handler(t)
	request := func() *http.Request {
		r := postToken(exchangeForm(w.Token(nil), nil))
		r.Header.Set("Origin", "https://app.example.com")
		return r
	}
	a := ask(t, h, request())
	if a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Errorf("the header is %v", a.header)
	}
	issuedBy(t, a, "")
	ask(t, h, request()).declined(t, http.StatusTooManyRequests, "too_many_requests",
		"too many requests, try again later")

	preflight := request()
	preflight.Method = http.MethodOptions
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	preflight.Header.Set("Access-Control-Request-Headers", "authorization")
	ask(t, h, preflight).declined(t, http.StatusForbidden, "access_denied",
		"the headers that a page may send here are Content-Type")
}
