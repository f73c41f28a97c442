package delegationhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	adminRole  = "arn:aws:iam::123456789012:role/admin"
	readerRole = "arn:aws:iam::123456789012:role/team/reader"
	denied     = "access denied"
)

// rolesWorld is a world whose target offers two roles besides its default.
func rolesWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	targets := w.Config.Targets.(delegation.Targets)
	target := targets[app]
	target.Roles = []delegation.RoleChoice{
		{Role: role, Label: "Photos"},
		{Role: readerRole, Account: "Production"},
		{Role: adminRole},
	}
	w.Config.Targets = delegation.Targets{app: target}
	for _, arn := range []string{readerRole, adminRole} {
		err := w.STS.PutRole(ststest.Role{ARN: arn, TrustPolicy: trustOf(principal)})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.http.Roles = true
	return w
}

// trustOf is the trust policy of a role for a SAML provider.
func trustOf(provider string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithSAML"}]}`, provider)
}

// getRoles is a request for a list.
func getRoles(query, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, rolesPath+query, nil)
	r.Header.Set("Authorization", authorization)
	return r
}

// TestRoles: the list has what a page shows, and each role on it can be asked for at each endpoint.
func TestRoles(t *testing.T) {
	w := rolesWorld(t)
	w.http.Console = &delegationhttp.Console{Endpoint: serve(t,
		federation(http.StatusOK, `{"SigninToken":"t"}`))}
	w.rules(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		if rc.AWS.Role == adminRole {
			return delegation.Deny("not today")
		}
		return nil
	})
	h := w.handler(t)
	token := w.Token(nil)
	a := ask(t, h, getRoles("?target="+app, "Bearer "+token))
	const want = `{"roles":[{"role":"` + role + `","label":"Photos","account_id":"123456789012",` +
		`"default":true},{"role":"` + readerRole + `","label":"reader","account_id":` +
		`"123456789012","account":"Production","default":false}]}` + "\n"
	if a.status != http.StatusOK || string(a.body) != want {
		t.Errorf("got %d %s", a.status, a.body)
	}
	e := w.lastEvent(t)
	if e.Outcome != delegation.OutcomeListed || e.Endpoint != "roles" || e.ClientIP != caller ||
		!slices.Equal(e.ListedRoles, []string{role, readerRole}) {
		t.Errorf("got %+v", e)
	}
	const unknown = "arn:aws:iam::123456789012:role/x"
	for _, asked := range []string{role, readerRole, adminRole, unknown} {
		parameters := values(token, map[string]any{"role": asked})
		for endpoint, r := range map[string]*http.Request{
			"delegation":  post(delegationPath, formType, form(parameters)),
			"console":     post(consolePath, jsonType, object(parameters)),
			"credentials": get("?target="+app+"&role="+url.QueryEscape(asked), token),
		} {
			a := ask(t, h, r)
			e := w.lastEvent(t)
			if e.RequestedRole != asked || e.Endpoint != endpoint {
				t.Errorf("%s: the event has %s of %s", endpoint, e.RequestedRole, e.Endpoint)
			}
			switch asked {
			case role, readerRole:
				if a.status != http.StatusOK || e.Role != asked {
					t.Errorf("%s: got %d for %s, %s", endpoint, a.status, asked, e.Role)
				}
			case adminRole:
				a.refused(t, http.StatusUnauthorized, "unauthorized", "not today")
			default:
				a.refused(t, http.StatusForbidden, "access_denied", denied)
			}
		}
	}
	rc, _ := w.last(t)
	if rc.Request.Role != adminRole || rc.Request.Parameters["role"] != nil &&
		rc.Request.Parameters["role"] != adminRole {
		t.Errorf("rules see %+v", rc.Request)
	}
}

// TestRoles_Refusals: what is no request for a list, and a user who may not have one.
func TestRoles_Refusals(t *testing.T) {
	w := rolesWorld(t)
	h := w.handler(t)
	token := w.Token(nil)
	const noToken = "missing ID token: send it in the Authorization header"
	for _, row := range []struct {
		query, authorization string
		status               int
		code, description    string
	}{
		{"?target=" + app, "", http.StatusUnauthorized, "invalid_request", noToken},
		{"?target=" + app, "Bearer", http.StatusUnauthorized, "invalid_request", noToken},
		{"", token, http.StatusBadRequest, "invalid_request",
			"missing target: add ?target=NAME to the URL"},
		{"?target=a&target=b", token, http.StatusBadRequest, "invalid_request",
			"repeated Authorization header or target"},
		{"?target=%zz", token, http.StatusBadRequest, "invalid_request",
			"the query cannot be read: a bad percent-encoding, or a semicolon"},
		{"?target=" + strings.Repeat("a", 257), token, http.StatusBadRequest, "invalid_request",
			"client_id or target has more than 256 bytes"},
		{"?target=elsewhere", token, http.StatusNotFound, "endpoint_disabled",
			"delegation is not enabled for this application"},
		{"?target=" + app, "x", http.StatusBadRequest, "invalid_grant",
			"the ID token was not accepted"},
		{"?target=" + app, w.Token(map[string]any{"aud": "elsewhere"}), http.StatusForbidden,
			"unauthorized_client", "this application may not use the target"},
	} {
		a := ask(t, h, getRoles(row.query, row.authorization))
		a.refused(t, row.status, row.code, row.description)
		if a.text("error") == "" {
			t.Errorf("%s: got %s", row.query, a.body)
		}
	}
	r := getRoles("?target="+app, token)
	r.Method = http.MethodPost
	ask(t, h, r).refused(t, http.StatusMethodNotAllowed, "invalid_request",
		"the method must be GET")
}

// TestRoles_ContainerTarget: the default target is that of container credentials.
func TestRoles_ContainerTarget(t *testing.T) {
	w := rolesWorld(t)
	w.http.ContainerTarget = app
	if a := ask(t, w.handler(t), getRoles("", w.Token(nil))); a.status != http.StatusOK {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestRoles_Empty: a user to whom nothing is offered has an empty list.
func TestRoles_Empty(t *testing.T) {
	w := rolesWorld(t)
	target := w.Config.Targets.(delegation.Targets)[app]
	target.Roles = nil
	target.RolesFromClaim = &delegation.RolesFromClaim{Claim: "groups"}
	target.AllowedAccounts = []string{"123456789012"}
	w.Config.Targets = delegation.Targets{app: target}
	a := ask(t, w.handler(t), getRoles("?target="+app, w.Token(nil)))
	if a.status != http.StatusOK || string(a.body) != `{"roles":[]}`+"\n" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestRoles_ParameterOfBody: what is no role in a body or a query.
func TestRoles_ParameterOfBody(t *testing.T) {
	w := rolesWorld(t)
	h := w.handler(t)
	token := w.Token(nil)
	long := strings.Repeat("r", 2049)
	for _, row := range []struct {
		role        any
		description string // empty: it counts as absent
	}{
		{"", ""},
		{1, "role is not a string"},
		{[]string{role}, "role is not a string"},
		{map[string]any{}, "role is not a string"},
		{false, "role is not a string"},
		{long, "role has more than 2048 bytes"},
	} {
		a := ask(t, h, post(delegationPath, jsonType,
			object(values(token, map[string]any{"role": row.role}))))
		if row.description != "" {
			a.refused(t, http.StatusBadRequest, "invalid_request", row.description)
			continue
		}
		a.granted(t)
	}
	a := ask(t, h, post(delegationPath, jsonType,
		strings.TrimSuffix(object(values(token, nil)), "}")+`,"role":null}`))
	a.granted(t)
	for query, description := range map[string]string{
		"&role=":                     "role is empty: name one, or leave it out",
		"&role":                      "role is empty: name one, or leave it out",
		"&role=" + role + "&role=x":  "repeated role",
		"&role=&role=":               "repeated role",
		"&role=" + long:              "role has more than 2048 bytes",
		"&role=" + role + "&target=": "repeated Authorization header or target",
	} {
		a := ask(t, h, get("?target="+app+query, token))
		a.refused(t, http.StatusBadRequest, "invalid_request", description)
	}
}

// TestRoles_Off: without Config.Roles there is no list, a body's role is a parameter as any other,
// and a client that asks for a role in a query does not get another one.
func TestRoles_Off(t *testing.T) {
	w := rolesWorld(t)
	w.http.Roles = false
	h := w.handler(t)
	token := w.Token(nil)
	ask(t, h, getRoles("?target="+app, token)).
		refused(t, http.StatusNotFound, "endpoint_disabled", "roles are not listed here")
	for _, value := range []any{adminRole, 1, "x"} {
		a := ask(t, h, post(delegationPath, jsonType,
			object(values(token, map[string]any{"role": value}))))
		a.granted(t)
		rc, e := w.last(t)
		if fmt.Sprint(rc.Request.Parameters["role"]) != fmt.Sprint(value) ||
			rc.Request.Role != "" || e.Role != role || e.RequestedRole != "" {
			t.Errorf("rules see %+v, and %s was given", rc.Request, e.Role)
		}
	}
	ask(t, h, get("?target="+app+"&role="+adminRole, token)).
		refused(t, http.StatusBadRequest, "invalid_request",
			"role: callers cannot choose a role here: leave it out")
}

// TestRoles_AddressLimit: it counts before a token is read.
func TestRoles_AddressLimit(t *testing.T) {
	w := rolesWorld(t)
	w.http.AddressLimit = delegationhttp.AddressLimit{Requests: 1}
	h := w.handler(t)
	ask(t, h, getRoles("?target="+app, "a.b.c"))
	ask(t, h, getRoles("?target="+app, w.Token(nil))).
		refused(t, http.StatusTooManyRequests, "too_many_requests", addressRefused)
}

// TestRoles_RateLimit: a list counts once, however many roles there are.
func TestRoles_RateLimit(t *testing.T) {
	w := rolesWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 2}
	h := w.handler(t)
	token := w.Token(nil)
	for _, left := range []string{"1", "0"} {
		a := ask(t, h, getRoles("?target="+app, token))
		roles, _ := a.json["roles"].([]any)
		if got := a.header.Get("X-RateLimit-Remaining"); len(roles) != 3 || got != left {
			t.Errorf("got %d, %d roles, %s left", a.status, len(roles), got)
		}
	}
	a := ask(t, h, getRoles("?target="+app, token))
	a.refused(t, http.StatusTooManyRequests, "too_many_requests",
		"too many requests, try again later")
	ask(t, h, get("?target="+app, token)).refused(t, http.StatusTooManyRequests,
		"too_many_requests", "too many requests, try again later")
	if e := w.lastEvent(t); e.Rule != "rate limit" {
		t.Errorf("the event names the rule %s", e.Rule)
	}
}

// TestRoles_CORS: a page of a listed origin reads the list, and no other does.
func TestRoles_CORS(t *testing.T) {
	w := rolesWorld(t)
	w.http.AllowedOrigins = []string{page}
	h := w.handler(t)
	for origin, allowed := range map[string]string{page: page, "https://evil.example.com": ""} {
		r := getRoles("?target="+app, w.Token(nil))
		r.Header.Set("Origin", origin)
		a := ask(t, h, r)
		if got := a.header.Get("Access-Control-Allow-Origin"); got != allowed {
			t.Errorf("%s: got %q", origin, got)
		}
	}
}

// TestRoles_Exchanger: what cannot list roles is refused before it serves.
func TestRoles_Exchanger(t *testing.T) {
	_, err := delegationhttp.New(delegationhttp.Config{
		Exchanger: exchanger(agreeable),
		Roles:     true,
	})
	const want = "Roles needs an Exchanger with a method Roles"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// rolesSpy lists nothing, and tells what it was asked for.
type rolesSpy struct {
	delegationhttp.Exchanger
}

func (s rolesSpy) Roles(
	ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
) ([]delegation.RoleOption, error) {
	_, err := s.Exchange(ctx, idToken, target, options...)
	return nil, err
}

// FuzzRoles: any query and header are refused or understood, and then as net/url understands them,
// for a list and for container credentials with a role.
func FuzzRoles(f *testing.F) {
	for _, seed := range [][2]string{
		{"target=" + app, "Bearer token"}, {"target=" + app + "&role=" + role, "token"},
		{"target=a&role=", "token"}, {"role=a&role=b", ""}, {"target=%zz", "Bearer"},
		{"target=a;role=b", "token"}, {"target=a&role=%00%ff", "Basic x"}, {"", ""},
		{"target=a&role=" + strings.Repeat("r", 2049), "token"}, {"role=a", "Bearer Bearer"},
	} {
		f.Add(seed[0], seed[1])
	}
	var seen spied
	spy := rolesSpy{newSpy(f, app, &seen)}
	h := mount(f, delegationhttp.Config{Exchanger: spy, Roles: true})
	f.Fuzz(func(t *testing.T, query, authorization string) {
		parsed, err := url.ParseQuery(query)
		for path, takesRole := range map[string]bool{rolesPath: false, credentialsPath: true} {
			seen = spied{}
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.URL.RawQuery = query
			r.Header.Set("Authorization", authorization)
			a := ask(t, h, r)
			if seen.times == 0 {
				if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized ||
					!utf8.Valid(a.body) {
					t.Fatalf("%s: got %d %s", path, a.status, a.body)
				}
				continue
			}
			roles := parsed["role"]
			if err != nil || seen.times != 1 || seen.token == "" ||
				seen.target != parsed.Get("target") || len(parsed["target"]) != 1 ||
				takesRole && (len(roles) > 1 || len(roles) == 1 && roles[0] == "") {
				t.Fatalf("%s: the Exchanger saw %+v of %q", path, seen, query)
			}
			// The spy's target offers no roles, so it refuses a role that is asked for.
			if takesRole && len(roles) == 1 && a.status == http.StatusOK {
				t.Fatalf("%s: %q was passed over", path, roles[0])
			}
		}
	})
}
