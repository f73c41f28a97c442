package delegationhttp_test

import (
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// own are the parameters of the protocol, which rules must not see.
var own = []string{"client_id", "grant_type", "id_token", "refresh_token", "target", "api_type"}

// decoder is the handler before a spy.
type decoder struct {
	http.Handler
	seen *spied
}

func newDecoder(t testing.TB, client string) decoder {
	var seen spied
	return decoder{mount(t, delegationhttp.Config{Exchanger: newSpy(t, client, &seen)}), &seen}
}

// decode sends a body to the handler, checks what must hold whatever it is, and returns what
// reached the Exchanger and the status.
func (d decoder) decode(t *testing.T, contentType, body string) (spied, int) {
	t.Helper()
	*d.seen = spied{}
	a := ask(t, d, post(delegationPath, contentType, body))
	seen := *d.seen
	if seen.times == 0 {
		if !slices.Contains(
			[]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge,
				http.StatusUnsupportedMediaType, http.StatusNotImplemented},
			a.status) ||
			a.text("error") == "" || a.text("error_description") == "" {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		return seen, a.status
	}
	if a.refused(t, http.StatusUnauthorized, "unauthorized", "seen"); seen.times != 1 {
		t.Fatalf("the Exchanger was asked %d times", seen.times)
	}
	if seen.token == "" || seen.target == "" || seen.client == "nobody" || len(seen.target) > 256 ||
		seen.client != foreign && len(seen.client) > 256 {
		t.Fatalf("the Exchanger saw %+v", seen)
	}
	for _, name := range own {
		if value, there := seen.parameters[name]; there {
			t.Fatalf("rules see %s: %v", name, value)
		}
	}
	return seen, a.status
}

// FuzzForm: any form is refused or understood, and then as net/url understands it.
func FuzzForm(f *testing.F) {
	good := form(values("token",
		map[string]any{"target": app, "api_type": "aws", "scope": "openid"}))
	for _, seed := range []string{
		good, good + "&role=admin&principal=root&refresh_token=", good + "&target=" + app,
		good + "&scope=2", good + "&x=%", good + ";x=1", good + "&x=%ff", good + "&%00=%00",
		good + "&=1", "&&" + good, strings.ToUpper(good), "\ufeff" + good,
		object(values("token", nil)), "", "client_id", "client_id=&client_id=",
		"grant_type=password&client_id=1",
		"client_id=other&grant_type=" + url.QueryEscape(jwtBearer) + "&id_token=+",
		strings.Repeat("a&", 200),
	} {
		// No long ones: the engine would spend its time on making them short, and TestBody has
		// the limits.
		f.Add(seed)
	}
	d := newDecoder(f, app)
	f.Fuzz(func(t *testing.T, body string) {
		seen, status := d.decode(t, formType, body)
		if status != http.StatusUnauthorized {
			return
		}
		all, err := url.ParseQuery(body)
		if err != nil || all.Get("id_token") != seen.token || all.Get("grant_type") != jwtBearer ||
			all.Get("refresh_token") != "" || all.Get("client_id") == "" ||
			(seen.client != foreign) != (all.Get("client_id") == app) ||
			seen.target != all.Get("target") &&
				(all.Get("target") != "" || seen.target != all.Get("client_id")) {
			t.Fatalf("%q, %v became %+v", all, err, seen)
		}
		for name, list := range all {
			value, there := seen.parameters[name]
			if len(list) != 1 || there == slices.Contains(own, name) || there && value != list[0] {
				t.Fatalf("%q is %q, and rules see %v", name, list, value)
			}
		}
		if len(seen.parameters) > len(all) {
			t.Fatalf("rules see %v of %q", seen.parameters, all)
		}
	})
}

// FuzzJSON: any JSON is refused or understood. Of the same texts a JSON object and a form are the
// same request.
func FuzzJSON(f *testing.F) {
	good := object(values("token",
		map[string]any{"target": app, "api_type": "aws", "scope": "openid"}))
	inner := strings.TrimSuffix(good, "}")
	for _, seed := range []struct{ body, client, token, target, name, value string }{
		{good, app, "token", app, "scope", "openid"},
		{good + good, app, "token", "", "role", "admin"},
		{inner + `,"scope":1}`, "ünï ✋", "a.b.c", "", "", ""},
		{inner + `,"x":{"y":[1,null,true,{"y":1e400}]}}`, "a&b=c;d", "+ %", "\x00", "id_token\x00",
			`"\`},
		{inner + `,"x":{"y":1,"y":2}}`, app, "", "", "x", ""},
		{`{"client_id":1}`, "", "token", app, "client_id", "other"},
		{`{"id_token":null,"target":[]}`, "\xff", "\xff", "\xff", "\xff", "\xff"},
		{`{"\ud800":1,"\udfff":2}`, "\u2028", "<>", "&", "ſub", "İ"},
		{"\ufeff" + good, app, "token", app, "target", "other"},
		{"[]", "x", "y", "z", "api_type", "aws"},
		{strings.Repeat("[", 100), strings.Repeat("c", 256), "t", strings.Repeat("t", 257),
			"refresh_token", ""},
		{`{"a":` + strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 32), "c",
			"t", "", "n", "v"},
		{`{"client_id":""}`, "c", "t", "", "grant_type", jwtBearer},
		{"null", "c", "t", "", "refresh_token", "r"}, {"", "", "", "", "", ""},
	} {
		f.Add(seed.body, seed.client, seed.token, seed.target, seed.name, seed.value)
	}
	d := newDecoder(f, app)
	f.Fuzz(func(t *testing.T, body, client, token, target, name, value string) {
		d.decode(t, jsonType, body)

		texts := map[string]any{
			"client_id": client, "grant_type": jwtBearer, "id_token": token, "target": target,
		}
		if _, taken := texts[name]; !taken {
			texts[name] = value
		}
		asForm, asJSON := form(texts), object(texts)
		valid := true
		for name, text := range texts {
			valid = valid && utf8.ValidString(name) && utf8.ValidString(text.(string))
		}
		if !valid { // JSON cannot say it, and the form may not
			_, status := d.decode(t, formType, asForm)
			if status != http.StatusBadRequest && len(asForm) <= maxBody {
				t.Fatalf("%q: got %d", asForm, status)
			}
			return
		}
		d := d
		if client != "" && client != app { // no token can be of no client
			d = newDecoder(t, client)
		}
		fromForm, formStatus := d.decode(t, formType, asForm)
		fromJSON, jsonStatus := d.decode(t, jsonType, asJSON)
		if (formStatus != jsonStatus || !reflect.DeepEqual(fromForm, fromJSON)) &&
			len(asForm) <= maxBody && len(asJSON) <= maxBody {
			t.Fatalf("%d %+v from the form %q, %d %+v from the JSON %s", formStatus, fromForm,
				asForm, jsonStatus, fromJSON, asJSON)
		}
		if formStatus == http.StatusUnauthorized &&
			(fromForm.client != client || fromForm.token != token) {
			t.Fatalf("%+v from the form %q", fromForm, asForm)
		}
	})
}

// FuzzSTS: any form is refused in AWS's XML, or understood as net/url understands it. What narrows
// a session, or asks for another one, is never lost.
func FuzzSTS(f *testing.F) {
	good := form(stsParameters("token", map[string]any{"DurationSeconds": "900"}))
	for _, seed := range []string{
		good, good + "&ProviderId=", good + "&Policy={}", good + "&RoleArn=" + role,
		good + "&PolicyArns.member.1.arn=a&PolicyArns.member.2.arn=b", good + "&PolicyArns=",
		good + "&PolicyArns.member.01.arn=a", good + "&x=%", good + ";x=1", good + "&x=%ff",
		strings.Replace(good, "900", "+900", 1), strings.Replace(good, "With", "with", 1),
		whoAmI, whoAmI + "&x=1", "Action=AssumeRole&Version=2011-06-15", "", "\ufeff" + good,
		strings.ToLower(good), "&&" + good, good + "&=1",
	} {
		f.Add(seed)
	}
	var seen spied
	h := mount(f, delegationhttp.Config{Exchanger: newSpy(f, app, &seen)})
	f.Fuzz(func(t *testing.T, body string) {
		seen = spied{}
		a := sendSTS(t, h, post(stsPath, formType, body))
		all, err := url.ParseQuery(body)
		if seen.times == 0 {
			if a.status != http.StatusBadRequest && a.status != http.StatusForbidden &&
				a.status != http.StatusRequestEntityTooLarge || a.Code == "" || a.Message == "" {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			return
		}
		if err != nil || seen.times != 1 || seen.token != all.Get("WebIdentityToken") ||
			seen.target != app || all.Get("Action") != "AssumeRoleWithWebIdentity" ||
			all.Get("Version") != "2011-06-15" || all.Has("ProviderId") || seen.parameters != nil {
			t.Fatalf("%q became %+v", body, seen)
		}
		for name, list := range all {
			known := strings.HasPrefix(name, "PolicyArns") || slices.Contains([]string{
				"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken",
				"DurationSeconds", "Policy",
			}, name)
			if len(list) != 1 || !known {
				t.Fatalf("%q is %q, and was ignored", name, list)
			}
		}
	})
}

// FuzzSTSSignature: no Authorization header but the right one makes a caller known.
func FuzzSTSSignature(f *testing.F) {
	w := newWorld(f)
	h := w.handler(f)
	good := newSigning(w.issue(f, h)).request(f)
	right := good.Header.Get("Authorization")
	for _, seed := range []string{
		right, "", "Bearer x", right + ",", right + ", x=1", strings.ToLower(right),
		strings.ReplaceAll(right, ", ", ","), strings.Replace(right, "host;", "host;host;", 1),
		strings.Replace(right, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 1),
		"AWS4-HMAC-SHA256 Credential=////aws4_request, SignedHeaders=;, Signature=x",
	} {
		f.Add(seed)
	}
	// Blanks around the parts are AWS's to allow.
	parts := func(text string) string { return strings.Join(strings.Fields(text), "") }
	sorted := func(text string) string {
		list := strings.Split(strings.TrimPrefix(parts(text), "AWS4-HMAC-SHA256"), ",")
		slices.Sort(list)
		return strings.Join(list, ",")
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		r := good.Clone(t.Context())
		r.Body = io.NopCloser(strings.NewReader(whoAmI))
		r.Header.Set("Authorization", authorization)
		a := sendSTS(t, h, r)
		if (a.status == http.StatusOK) && sorted(authorization) != sorted(right) {
			t.Fatalf("%q counts", authorization)
		}
	})
}
