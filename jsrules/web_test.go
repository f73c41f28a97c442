package jsrules_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// served is what a vector's host answers.
type served struct {
	Status int // 0: 200
	Header map[string]string
	Body   any // a text, or JSON
	// Echo answers with what was sent: method, url, headers and body.
	Echo bool
	// Refused closes the port.
	Refused bool
}

// hosts answer the requests of a vector, by method and URL.
type hosts map[string]served

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, ok := h[r.Method+" "+r.URL.String()]
	if !ok {
		return nil, fmt.Errorf("the vector serves no %s %s", r.Method, r.URL)
	}
	if answer.Refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if answer.Echo {
		answer.Body = echo(r)
	}
	body, isText := answer.Body.(string)
	if !isText && answer.Body != nil {
		body = string(must(json.Marshal(answer.Body)))
	}
	status := answer.Status
	if status == 0 {
		status = http.StatusOK
	}
	header := http.Header{}
	for name, value := range answer.Header {
		header.Set(name, value)
	}
	return &http.Response{
		StatusCode:    status,
		Status:        fmt.Sprint(status, " ", http.StatusText(status)),
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}, nil
}

// echo describes a request.
func echo(r *http.Request) map[string]any {
	headers := map[string]any{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	body, _ := io.ReadAll(r.Body)
	return map[string]any{
		"method": r.Method, "url": r.URL.RequestURI(), "headers": headers, "body": string(body),
	}
}

// http returns the options for the vector's hosts, or nil if it has none.
func (v *vector) http() *jsrules.HTTP {
	if v.Allow == nil {
		return nil
	}
	return &jsrules.HTTP{Allow: v.Allow, Client: &http.Client{Transport: v.Serves}}
}

// clients are the ways in which a rule gets a URL. Each makes result what came: the status and the
// text, or the name, the code and the message of an error.
var clients = map[string]string{
	"request": `
		const request = require('request');
		const get = (url, timeout) => new Promise((resolve) => request({url, timeout},
			(e, r, body) => resolve(e ? failed(e) : [r.statusCode, body])));`,
	"global request": `
		const get = (url, timeout) => new Promise((resolve) => request.get(url, {timeout}, (e, r) =>
			resolve(e ? failed(e) : [r.statusCode, r.body])));`,
	"request-promise": `
		const rp = require('request-promise@4.2.6');
		const get = (uri, timeout) => rp({uri, timeout, resolveWithFullResponse: true})
			.then((r) => [r.statusCode, r.body]).catch((e) => failed(e.error));`,
	"request-promise-native": `
		const rp = require('request-promise-native');
		const get = (uri, timeout) => rp.get({uri, timeout, resolveWithFullResponse: true})
			.then((r) => [r.statusCode, r.body], (e) => failed(e.error));`,
	"axios": `
		const axios = require('axios');
		const get = (url, timeout) => axios.get(url, {timeout}).then((r) => [r.status, r.data])
			.catch(failed);`,
	"node-fetch": `
		const fetch = require('node-fetch');
		const get = (url, timeout) => fetch(url, {timeout})
			.then(async (r) => [r.status, await r.text()])
			.catch((e) => failed(e.code ? e : {name: e.name, code: e.type, message: e.message}));`,
	"fetch": `
		const get = (url, timeout) => fetch(url, {signal: timeout && AbortSignal.timeout(timeout)})
			.then(async (r) => [r.status, await r.text()])
			.catch((e) => failed(e.cause || {code: e.name, message: e.message}));`,
}

// TestHTTP_Clients: each client of rules gets what an allowed host answers, and an error with a
// code from a host that is not allowed, a slow one, one that answers with 10 MB, and one that
// redirects out of the list.
func TestHTTP_Clients(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hello":
			fmt.Fprint(w, "hello")
		case "/slow":
			<-r.Context().Done()
		case "/large":
			_, _ = w.Write(make([]byte, 10<<20))
		case "/away":
			http.Redirect(w, r, "https://elsewhere.example/?token=secret", http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/hello", http.StatusFound)
		}
	}))
	defer server.Close()
	options := jsrules.Options{
		Configuration: map[string]string{"URL": server.URL},
		HTTP: &jsrules.HTTP{
			Allow:         []string{server.Listener.Addr().String()},
			PlainLoopback: true,
			Client:        server.Client(),
		},
	}
	const (
		notAllowed = "EHOSTNOTALLOWED rules may not call elsewhere.example: " +
			"Options.HTTP.Allow does not list it"
		large = "ETOOLARGE the answer of HOST is larger than Options.HTTP.MaxSize, 1048576 bytes"
	)
	// A busy machine may take so long to connect that the other code is right.
	timeouts := map[string]string{
		"request":                "ESOCKETTIMEDOUT ETIMEDOUT",
		"global request":         "ESOCKETTIMEDOUT ETIMEDOUT",
		"request-promise":        "ESOCKETTIMEDOUT ETIMEDOUT",
		"request-promise-native": "ESOCKETTIMEDOUT ETIMEDOUT",
		"axios":                  "ECONNABORTED",
		"node-fetch":             "request-timeout",
		"fetch":                  "TimeoutError",
	}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			got := run(t, `async function (user, context, callback) {
				const failed = (e) => e.code + ' ' + e.message;`+client+`
				const at = configuration.URL;
				user.allowed = await get(at + '/hello');
				user.redirected = await get(at + '/near');
				const elsewhere = 'https://user:secret@elsewhere.example/secret?token=secret';
				user.forbidden = await get(elsewhere);
				user.slow = await get(at + '/slow', 20);
				user.large = await get(at + '/large');
				user.away = await get(at + '/away');
				callback(null, user, context);
			}`, options)
			if !got.passed {
				t.Fatal(got.err)
			}
			host := strings.NewReplacer("HOST", server.Listener.Addr().String())
			for property, want := range map[string]any{
				"allowed":    []any{200, "hello"},
				"redirected": []any{200, "hello"},
				"forbidden":  notAllowed,
				"large":      host.Replace(large),
				"away":       notAllowed,
			} {
				have := got.user.Properties[property]
				text, isText := have.(string)
				if name == "node-fetch" && isText {
					// node-fetch says what it asked for. Here it names the host alone.
					_, text, _ = strings.Cut(text, " failed, reason: ")
					code, _, _ := strings.Cut(have.(string), " ")
					have = code + " " + text
				}
				if !sameJSON(have, want) {
					t.Errorf("%s: got %v, want %v", property, have, want)
				}
			}
			slow := got.user.Text("slow")
			code, _, _ := strings.Cut(slow, " ")
			if !strings.Contains(timeouts[name], code) || code == "" {
				t.Errorf("slow: got %s", slow)
			}
			all := fmt.Sprint(got.user.Properties)
			if strings.Contains(all, "secret") {
				t.Errorf("an error repeats what was in a URL: %s", all)
			}
		})
	}
}

// TestHTTP_Paths: each client sends the path that it sends in Node, and no client decodes an escape
// that the rule has made.
func TestHTTP_Paths(t *testing.T) {
	var sent string
	options := jsrules.Options{HTTP: &jsrules.HTTP{
		Allow: []string{"api.example.com"},
		Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			sent = r.URL.RequestURI()
			return answering("x").Transport.RoundTrip(r)
		})},
	}}
	escaped := "' + encodeURIComponent('../../admin/roles') + '"
	for name, client := range clients {
		for path, want := range map[string]string{
			"/users/auth0|1/groups/" + escaped: "/users/auth0%7C1/groups/..%2F..%2Fadmin%2Froles",
			"/a b/" + escaped:                  "/a%20b/..%2F..%2Fadmin%2Froles",
			"/é/" + escaped:                    "/%C3%A9/..%2F..%2Fadmin%2Froles",
			"/users/x/../../admin":             "/admin",
			"/users/%2e%2e/admin":              "/admin",
			`/a\\b`:                            "/a/b",
			"/100%/x":                          "/100%25/x",
		} {
			if strings.Contains(name, "request") && want == "/admin" {
				want = path // url.parse removes no dots
			}
			sent = ""
			got := run(t, `async function (user, context, callback) {
				const failed = (e) => e.code + ' ' + e.message;`+client+`
				user.got = await get('https://api.example.com`+path+`');
				callback(null, user, context);
			}`, options)
			if !got.passed || sent != want {
				t.Errorf("%s, %s: sent %q, want %q, got %v, %v", name, path, sent, want, got.user,
					got.err)
			}
		}
	}
}

// TestHTTP_Headers: each client sends a character of a header as one byte, and has an error for one
// that has no such byte.
func TestHTTP_Headers(t *testing.T) {
	var sent []string
	options := jsrules.Options{HTTP: &jsrules.HTTP{
		Allow: []string{"api.example.com"},
		Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("X-Name"))
			answer, err := answering("x").Transport.RoundTrip(r)
			answer.Header["X-Name"] = []string{"Jos\xe9"}
			return answer, err
		})},
	}}
	for send, code := range map[string]string{
		"fetch(at, {headers}).then((r) => r.headers.get('x-name'))": "TypeError ERR_INVALID_CHAR",
		"require('axios').get(at, {headers}).then((r) => r.headers['x-name'])": "AxiosError " +
			"ERR_INVALID_CHAR",
		"require('node-fetch')(at, {headers}).then((r) => r.headers.get('x-name'))": "FetchError " +
			"ERR_INVALID_CHAR",
		"new Promise((y, n) => request.get(at, {headers}, " +
			"(e, r) => e ? n(e) : y(r.headers['x-name'])))": "Error ERR_INVALID_CHAR",
	} {
		sent = nil
		got := run(t, `async function (user, context, callback) {
			const at = 'https://api.example.com';
			const send = (headers) => `+send+`;
			user.got = await send({'X-Name': 'Jos\u00e9'});
			user.wrong = await send({'X-Name': '5\u20ac'}).catch((e) => e.name + ' ' + e.code);
			callback(null, user, context);
		}`, options)
		if !got.passed || !sameJSON(sent, []string{"Jos\xe9"}) ||
			got.user.Text("got") != "Jos\u00e9" || got.user.Text("wrong") != code {
			t.Errorf("%s: sent %q, got %v, %v", send, sent, got.user, got.err)
		}
	}
}

// TestHTTP_NotThereByDefault: without Options.HTTP no client exists, and the error says what to
// set.
func TestHTTP_NotThereByDefault(t *testing.T) {
	for _, name := range []string{"request", "request-promise", "request-promise-native", "axios",
		"node-fetch"} {
		run(t, body("require('"+name+"');"+passes), jsrules.Options{}).
			expect(t, delegation.CodeRuleFailed, "Options.HTTP.Allow")
	}
	for _, name := range []string{"request", "fetch", "Headers", "Request", "Response",
		"AbortController"} {
		run(t, body("if (typeof "+name+" === 'undefined') "+name+"('x');"+passes),
			jsrules.Options{}).expect(t, delegation.CodeRuleFailed, name)
	}
	// With no host in the list they exist, and call nobody.
	run(t, `async function (user, context, callback) {
		await fetch('https://api.example.com');
		callback(null, user, context);
	}`, jsrules.Options{HTTP: &jsrules.HTTP{}}).
		expect(t, delegation.CodeRuleFailed, "Options.HTTP.Allow does not list it")
}

// TestHTTP_Settings: a wrong setting is an error of Compile that names it.
func TestHTTP_Settings(t *testing.T) {
	for want, settings := range map[string]jsrules.HTTP{
		"HTTP: Allow: \"https://x\"": {Allow: []string{"https://x"}},
		"must not be negative":       {Timeout: -1},
		"MaxRequests must not":       {MaxRequests: -1},
		"and MaxRequests":            {MaxSize: -1},
		"MaxSize must not be above":  {MaxSize: 1 << 30},
	} {
		_, err := jsrules.Compile("rule", body(passes), jsrules.Options{HTTP: &settings})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestHTTP_Given: a module or a global of the operator takes precedence over ours of its name, and
// a module of the operator can use the global fetch.
func TestHTTP_Given(t *testing.T) {
	options := jsrules.Options{
		HTTP:    &jsrules.HTTP{Allow: []string{"api.example.com"}, Client: answering("hello")},
		Globals: map[string]any{"request": "mine"},
		Modules: map[string]jsrules.Module{
			"axios":  {Source: "module.exports = 'mine';"},
			"lookup": {Source: "exports.get = (url) => fetch(url).then((r) => r.text());"},
		},
	}
	got := run(t, `async function (user, context, callback) {
		const answer = await require('lookup').get('https://api.example.com');
		user.got = [request, require('axios'), answer];
		callback(null, user, context);
	}`, options)
	if want := []any{"mine", "mine", "hello"}; !got.passed ||
		!sameJSON(got.user.Properties["got"], want) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}

// answering returns a client whose hosts answer everything with a text.
func answering(text string) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(text))}, nil
	})}
}

// transport is a function as a transport.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestHTTP_Budget: a rule, and all rules of an exchange together, send so many requests and no
// more. The next exchange begins anew.
func TestHTTP_Budget(t *testing.T) {
	set := &jsrules.Set{}
	options := jsrules.Options{Set: set, HTTP: &jsrules.HTTP{
		Allow: []string{"api.example.com"}, Client: answering("x"), MaxRequests: 2}}
	source := func(n int) string {
		return fmt.Sprintf(`async function (user, context, callback) {
			for (let i = 0; i < %d; i++) await fetch('https://api.example.com');
			user.ran = (user.ran || 0) + 1;
			callback(null, user, context);
		}`, n)
	}
	run(t, source(2), options)
	run(t, source(3), options).expect(t, delegation.CodeRuleFailed, "Options.HTTP.MaxRequests")
	for range 2 {
		sources := []string{source(2), source(2), source(2), source(2), source(2), source(1)}
		options.Set = &jsrules.Set{}
		got := exchange(t, folder(t, options, sources...), nil, delegation.AWS{},
			delegation.Request{})
		got.expect(t, delegation.CodeRuleFailed, "the exchange has sent too many requests")
		if got.event.Rule != "06-rule" {
			t.Errorf("the rule is %q", got.event.Rule)
		}
	}
}

// TestHTTP_LargeRequests: a body above the limit is refused, and so is a rule that sends more than
// the language can hold.
func TestHTTP_LargeRequests(t *testing.T) {
	options := jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"api.example.com"},
		Client: answering("x"), MaxSize: 1000}}
	for statement, want := range map[string]string{
		"await fetch(at, {method: 'POST', body: 'x'.repeat(1001)})":        "Options.HTTP.MaxSize",
		"await fetch(at, {method: 'POST', body: new Uint8Array(1001)})":    "Options.HTTP.MaxSize",
		"await Promise.all(new Array(1001).fill(at).map((u) => fetch(u)))": "too many calls",
		`let a = []; for (let i = 0; i < 3000; i++) a = [a];
			await new Promise((y, n) =>
				request({url: at, json: a}, (e) => e ? n(e) : y()))`: "JSON",
		"const all = Object.fromEntries(new Array(600).fill(0).map((_, i) => ['x' + i, '1']));" +
			"await fetch(at, {headers: all})": "the headers would be too large",
		`const a = {}; a.a = a;
			await new Promise((y, n) =>
				request({url: at, qs: a}, (e) => e ? n(e) : y()))`: "nested too deep",
	} {
		run(t, `async function (user, context, callback) {
			const at = 'https://api.example.com';
			`+statement+`;
			callback(null, user, context);
		}`, options).expect(t, delegation.CodeRuleFailed, want)
	}
}

// TestHTTP_HostileJSON: an answer that is nested too deep for a rule is no JSON to its client.
func TestHTTP_HostileJSON(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	options := jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"api.example.com"},
		Client: answering(deep)}}
	got := run(t, `async function (user, context, callback) {
		const at = 'https://api.example.com';
		user.request = await new Promise((y) =>
			request({url: at, json: true}, (e, r, b) => y(typeof b)));
		user.axios = typeof (await require('axios').get(at)).data;
		user.fetch = await fetch(at).then((r) => r.json()).catch((e) => e.name);
		callback(null, user, context);
	}`, options)
	if !got.passed || got.user.Text("request") != "string" || got.user.Text("axios") != "string" ||
		got.user.Text("fetch") != "RangeError" {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}

// TestHTTP_Action: an Action calls hosts as a rule does.
func TestHTTP_Action(t *testing.T) {
	action, err := jsrules.CompileAction("action", `const axios = require('axios');
exports.onExecutePostLogin = async (event, api) => {
	const all = [await (await fetch('https://api.example.com')).text(),
		(await axios.get('https://api.example.com')).data];
	if (all.join() === 'no,no') api.access.deny('the host says no');
};`, jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"api.example.com"},
		Client: answering("no")}}.WithClock(standing()))
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{}, delegation.Request{}).
		expect(t, delegation.CodeDenied, "the host says no")
}

// TestHTTP_Secrets: what is secret in a request is in no error of the exchange and in no log,
// however the rule passes the error on.
func TestHTTP_Secrets(t *testing.T) {
	const secret = "s3cr3t"
	refusing := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	})}
	unauthorized := &http.Client{Transport: transport(
		func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 401, Status: "401 Unauthorized", Request: r,
				Header: http.Header{}, Body: io.NopCloser(strings.NewReader(secret))}, nil
		})}
	const url = "'https://user:s3cr3t@api.example.com/s3cr3t?key=s3cr3t#s3cr3t'"
	const options = "{headers: {Authorization: 'Bearer s3cr3t'}, timeout: 1000}"
	for _, send := range []string{
		"require('axios').get(" + url + ", " + options + ")",
		"require('axios').post(" + url + ", {key: 's3cr3t'}, " + options + ")",
		"require('request-promise').post(" + url + ", " +
			"Object.assign({body: 's3cr3t'}, " + options + "))",
		"require('node-fetch')(" + url + ", " + options + ").then((r) => r.json())",
		"fetch(" + url + ", " + options + ")" +
			".then((r) => { if (!r.ok) throw new Error(r.status); })",
		"new Promise((y, n) => request.get(" + url + ", " + options +
			", (e, r) => n(e || new Error(r.statusCode))))",
	} {
		for _, client := range []*http.Client{refusing, unauthorized} {
			log := &lines{}
			got := run(t, `async function (user, context, callback) {
				try {
					await `+send+`;
				} catch (e) {
					console.log(e);
					console.log(JSON.stringify(e));
					throw e;
				}
				throw new Error('no error');
			}`, jsrules.Options{Logger: log.logger(), HTTP: &jsrules.HTTP{
				Allow: []string{"api.example.com"}, Client: client}})
			got.expect(t, delegation.CodeRuleFailed, "")
			all := fmt.Sprint(got.err, got.event, log.lines)
			if strings.Contains(all, secret) || strings.Contains(all, "no error") {
				t.Errorf("%s: %s", send, all)
			}
		}
	}
}

// TestHTTP_SecretsInInvalidURLs: the error of a URL that cannot be read repeats no part of it,
// because the part may be a path or a password.
func TestHTTP_SecretsInInvalidURLs(t *testing.T) {
	for _, url := range []string{
		"api.example.com/v1/s3cr3t", "s3cr3t", "//s3cr3t", "https:user:s3cr3t@",
		"https://user:s3cr3t/@api.example.com/", "ftp://user/s3cr3t",
	} {
		for _, send := range []string{
			"require('axios').get(URL)", "require('request-promise')(URL)",
			"require('node-fetch')(URL)", "fetch(URL)",
		} {
			got := run(t, `async function (user, context, callback) {
				await `+strings.ReplaceAll(send, "URL", "'"+url+"'")+`;
				callback(null, user, context);
			}`, jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"api.example.com"}}})
			got.expect(t, delegation.CodeRuleFailed, "nvalid UR")
			if all := fmt.Sprint(got.err, got.event); strings.Contains(all, "s3cr3t") {
				t.Errorf("%s, %s: %s", send, url, all)
			}
		}
	}
}
