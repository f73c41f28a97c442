package delegationhttp_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// TestContainerSuccess is what AWS's SDKs read, whichever way the token file was written.
func TestContainerSuccess(t *testing.T) {
	w := newWorld(t)
	w.http.ContainerTarget = "elsewhere"
	h := w.handler(t)
	for _, prefix := range []string{"", "Bearer ", "bearer ", "BEARER  ", " \t", " Bearer \t"} {
		for _, suffix := range []string{"", " ", "\n", "\r\n"} {
			a := ask(t, h, get("?target="+app, prefix+w.Token(nil)+suffix))
			if a.status != http.StatusOK || len(a.json) != 5 {
				t.Fatalf("%q and %q: got %d %s", prefix, suffix, a.status, a.body)
			}
			for name, want := range map[string]string{
				"Expiration": "2026-11-23T10:00:00Z", "AccountId": "123456789012",
			} {
				if a.text(name) != want {
					t.Errorf("%s is %q, want %q", name, a.text(name), want)
				}
			}
			rc, event := w.last(t)
			if a.text("AccessKeyId") != event.AccessKeyID || a.text("SecretAccessKey") == "" ||
				a.text("Token") == "" || rc.ClientID != app || rc.Target != app ||
				rc.Request.IP != caller {
				t.Errorf("%s for %+v", a.text("AccessKeyId"), rc)
			}
		}
	}
}

// TestContainerRequest: what reaches the Exchanger, or why nothing does.
func TestContainerRequest(t *testing.T) {
	const (
		missingToken = "missing ID token: send it in the Authorization header; " +
			"AWS's SDKs read it from the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names"
		missingTarget = "missing target: add ?target=NAME to the URL, " +
			"which for AWS's SDKs is in AWS_CONTAINER_CREDENTIALS_FULL_URI"
		repeated   = "repeated Authorization header or target"
		unreadable = "the query cannot be read: a bad percent-encoding, or a semicolon"
	)
	for name, row := range map[string]struct {
		query         string
		authorization []string
		standard      string // Config.ContainerTarget
		status        int    // zero: it reaches the Exchanger
		description   string
		token, target string
	}{
		"target":                    {"?target=a", []string{"token"}, "", 0, "", "token", "a"},
		"target before the default": {"?target=a", []string{"token"}, "b", 0, "", "token", "a"},
		"default":                   {"", []string{"token"}, "b", 0, "", "token", "b"},
		"default for empty":         {"?target=", []string{"token"}, "b", 0, "", "token", "b"},
		"escaped target": {"?target=a%20%26+b", []string{"token"},
			"", 0, "", "token", "a & b"},
		"other parameters": {"?x=1&target=a&x=2", []string{"token"}, "", 0, "", "token", "a"},
		"bearer":           {"?target=a", []string{"bEaReR token"}, "", 0, "", "token", "a"},
		"bearer as token":  {"?target=a", []string{"Bearer Bearer"}, "", 401, missingToken, "", ""},
		"basic":            {"?target=a", []string{"Basic dTpw"}, "", 0, "", "Basic dTpw", "a"},
		"bearertoken":      {"?target=a", []string{"bearertoken"}, "", 0, "", "bearertoken", "a"},
		"no target":        {"", []string{"token"}, "", 400, missingTarget, "", ""},
		"empty target":     {"?target=", []string{"token"}, "", 400, missingTarget, "", ""},
		"target in another case": {"?Target=a", []string{"token"},
			"", 400, missingTarget, "", ""},
		"two targets":       {"?target=a&target=b", []string{"token"}, "c", 400, repeated, "", ""},
		"one target twice":  {"?target=a&target=a", []string{"token"}, "", 400, repeated, "", ""},
		"two empty targets": {"?target=&target=", []string{"token"}, "c", 400, repeated, "", ""},
		"badly escaped target": {"?target=%zz", []string{"token"},
			"b", 400, unreadable, "", ""},
		"target with a semicolon": {"?target=a;b", []string{"token"}, "b", 400, unreadable, "", ""},
		"overlong target": {"?target=" + strings.Repeat("x", 257), []string{"token"},
			"", 400, "client_id or target has more than 256 bytes", "", ""},
		"no header":         {"?target=a", nil, "", 401, missingToken, "", ""},
		"empty header":      {"?target=a", []string{""}, "", 401, missingToken, "", ""},
		"blank header":      {"?target=a", []string{" \t"}, "", 401, missingToken, "", ""},
		"bearer alone":      {"?target=a", []string{"Bearer"}, "", 401, missingToken, "", ""},
		"bearer and blanks": {"?target=a", []string{"bearer   "}, "", 401, missingToken, "", ""},
		"two headers":       {"?target=a", []string{"token", "other"}, "", 400, repeated, "", ""},
		"one header twice":  {"?target=a", []string{"token", "token"}, "", 400, repeated, "", ""},
		"an empty header first": {"?target=a", []string{"", "token"},
			"", 400, repeated, "", ""},
		"token in the query": {"?target=a&id_token=x&Authorization=x", nil, "", 401,
			missingToken, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			var seen spied
			h := mount(t, delegationhttp.Config{
				Exchanger:       newSpy(t, app, &seen),
				ContainerTarget: row.standard,
				Logger:          log.logger(),
			})
			r := get(row.query, "")
			if r.Header["Authorization"] = row.authorization; row.authorization == nil {
				r.Header.Del("Authorization")
			}
			a := ask(t, h, r)
			if row.status == 0 {
				a.refused(t, 401, "unauthorized", "seen")
				if seen.token != row.token || seen.target != row.target || seen.client != "" ||
					len(seen.parameters) != 0 {
					t.Errorf("the Exchanger saw %+v", seen)
				}
				return
			}
			a.refused(t, row.status, "invalid_request", row.description)
			if len(a.json) != 4 || a.text("code") == "" || a.text("message") == "" {
				t.Errorf("the SDK for Go reads code and message, not %s", a.body)
			}
			if a.text("Code") != a.text("code") || a.text("Message") != a.text("message") {
				t.Errorf("the SDK for JavaScript reads Code and Message, not %s", a.body)
			}
			refused := `"level":"INFO","msg":"request refused","method":"GET","path":"/credentials"`
			if seen.times != 0 || strings.Count(log.String(), refused) != 1 {
				t.Errorf("the Exchanger saw %+v; log %s", seen, &log)
			}
		})
	}
}

// TestContainerParameters: rules see the parameters that are listed, once each and short; others
// have no effect.
func TestContainerParameters(t *testing.T) {
	const unfit = `the parameter "env" has more than 1024 bytes, or is not UTF-8`
	long := strings.Repeat("x", 1024)
	for name, row := range map[string]struct {
		query   string
		want    map[string]any
		refused string
	}{
		"none":         {"", nil, ""},
		"listed":       {"&project=a%20b&env=", map[string]any{"project": "a b", "env": ""}, ""},
		"others":       {"&x=1&x=2&Project=a", nil, ""},
		"longest":      {"&project=" + long, map[string]any{"project": long}, ""},
		"repeated":     {"&env=1&env=1", nil, `repeated parameter "env"`},
		"too long":     {"&env=x" + long, nil, unfit},
		"not in UTF-8": {"&env=%ff", nil, unfit},
	} {
		t.Run(name, func(t *testing.T) {
			var seen spied
			h := mount(t, delegationhttp.Config{
				Exchanger:           newSpy(t, app, &seen),
				ContainerParameters: []string{"project", "env"},
			})
			a := ask(t, h, get("?target="+app+row.query, "token"))
			if row.refused != "" {
				a.refused(t, 400, "invalid_request", row.refused)
				if seen.times != 0 {
					t.Errorf("the Exchanger saw %+v", seen)
				}
				return
			}
			a.refused(t, 401, "unauthorized", "seen")
			if !maps.Equal(seen.parameters, row.want) {
				t.Errorf("rules see %v", seen.parameters)
			}
		})
	}
	for want, names := range map[string][]string{
		`"target" is a parameter of the endpoint itself`: {"project", "target"},
		`"role" is a parameter of the endpoint itself`:   {"role"},
		`"a" is listed twice`:                            {"a", "b", "a"},
		"[1] is empty":                                   {"a", ""},
		"has more than 256 bytes":                        {strings.Repeat("x", 257)},
	} {
		_, err := delegationhttp.New(delegationhttp.Config{
			Exchanger:           exchanger(agreeable),
			ContainerParameters: names,
		})
		if err == nil || !strings.Contains(err.Error(), "ContainerParameters: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", names, err)
		}
	}
}

// TestContainerCORS: a page of a listed origin reads credentials and refusals, and no other does.
func TestContainerCORS(t *testing.T) {
	h := mount(t, delegationhttp.Config{
		Exchanger:       exchanger(agreeable),
		AllowedOrigins:  []string{page},
		ContainerTarget: app,
	})
	for origin, allowed := range map[string]string{
		page: page, "https://evil.example.com": "", "": "",
	} {
		for status, r := range map[int]*http.Request{
			200: get("", "token"),
			400: get("?target=a&target=b", "token"),
			401: get("", ""),
			405: post(credentialsPath, formType, ""),
		} {
			a := ask(t, h, from(origin, r)) // it is for the browser to refuse
			got := a.header.Get("Access-Control-Allow-Origin")
			if a.status != status || got != allowed || a.header.Get("Vary") != "Origin" {
				t.Errorf("%q: got %d %q, want %d", origin, a.status, corsOf(a.header), status)
			}
			exposed := a.header.Get("Access-Control-Expose-Headers")
			if strings.Contains(exposed, "Retry-After") != (allowed != "") {
				t.Errorf("%q: it exposes %q", origin, exposed)
			}
		}
	}
}

// TestContainerExpired: in words that reach the user of a CLI.
func TestContainerExpired(t *testing.T) {
	w := newWorld(t)
	token := w.Token(nil)
	w.Clock.Advance(2 * 3600e9)
	ask(t, w.handler(t), get("?target="+app, token)).refused(t, 400, "invalid_grant", "jwt expired")
	if _, code := w.events[0].Stage, w.events[0].Code; code != delegation.CodeTokenExpired {
		t.Errorf("event %s", code)
	}
}
