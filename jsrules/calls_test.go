package jsrules_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// slow is a host that answers after as many milliseconds as the path says, or never for /never.
type slow struct {
	began, ended, cancelled atomic.Int64
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.began.Add(1)
	var delay time.Duration
	if path := strings.TrimPrefix(r.URL.Path, "/"); path != "never" {
		var err error
		if delay, err = time.ParseDuration(path + "ms"); err != nil {
			return nil, err
		}
	} else {
		delay = 1000 * time.Hour
	}
	select {
	case <-time.After(delay):
		s.ended.Add(1)
	case <-r.Context().Done():
		s.cancelled.Add(1)
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(r.URL.Path))}, nil
}

// TestCalls_Time: while a call is under way timers wait in real time, and Date moves with it.
// Otherwise they do not wait.
func TestCalls_Time(t *testing.T) {
	const get = "const get = (ms) => fetch('https://api.example.com/' + ms)" +
		".then((r) => r.text());\n" +
		"const after = (ms, value) => new Promise((r) => setTimeout(r, ms, value));\n" +
		"const began = Date.now(); const at = () => Date.now() - began;\n"
	for name, row := range map[string]struct {
		statements string
		want       any
		took       time.Duration // in real time
	}{
		"a call": {"user.got = [await get(50), at()];", []any{"/50", 50}, 50 * time.Millisecond},
		"a call is faster than its limit": {
			"user.got = [await Promise.race([get(50), after(1000, 'late')]), at()];",
			[]any{"/50", 50}, 50 * time.Millisecond},
		"a call is slower than its limit": {
			"user.got = [await Promise.race([get(900), after(100, 'late')]), at()];",
			[]any{"late", 100}, 900 * time.Millisecond},
		"a limit that is a little longer": {
			"const call = get(50); " +
				"user.got = [await Promise.race([call, after(51, 'late')]), at()];",
			[]any{"/50", 50}, 50 * time.Millisecond},
		"timers before and after a call do not wait": {
			"await after(500); await get(50); await after(600); user.got = at();",
			1150, 50 * time.Millisecond},
		"a timer that was set during a call is due in its own time": {
			"const timer = after(400); await get(100); const first = at(); await timer;\n" +
				"user.got = [first, at()];", []any{100, 400}, 100 * time.Millisecond},
		"timers in their order during a call": {
			"const order = []; " +
				"for (const ms of [30, 10, 20]) after(ms, ms).then((v) => order.push(v));\n" +
				"order.push(await get(25)); await after(50); user.got = order;",
			[]any{10, 20, "/25", 30}, 25 * time.Millisecond},
		"an interval during a call": {
			"let n = 0; const id = setInterval(() => n++, 10);\n" +
				"await get(95); clearInterval(id);\n" +
				"user.got = [n, at()];", []any{9, 95}, 95 * time.Millisecond},
		"calls run at the same time": {
			"user.got = [await Promise.all([get(100), get(50), get(100)]), at()];",
			[]any{[]any{"/100", "/50", "/100"}, 100}, 100 * time.Millisecond},
		"results come in the order of their arrival": {
			"const order = []; await Promise.all([60, 20, 40].map((ms) => get(ms).then((t) =>\n" +
				"order.push(t)))); user.got = order;",
			[]any{"/20", "/40", "/60"}, 60 * time.Millisecond},
		"a call after a call": {"await get(30); user.got = [await get(40), at()];",
			[]any{"/40", 70}, 70 * time.Millisecond},
		"setImmediate during a call": {
			"let n = 0; const call = get(20); await new Promise((r) => setImmediate(r));\n" +
				"user.got = [at(), await call];", []any{0, "/20"}, 20 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			host := &slow{}
			user := benchmarkUser()
			rule := compileOn(t, time.Now, "async function (user, context, callback) {\n"+get+
				row.statements+"\ncallback(null, user, context);\n}", httpOptions(host))
			began := time.Now()
			if err := rule(t.Context(), user, benchmarkContext()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := user.Properties["got"]; !sameJSON(got, row.want) {
				t.Errorf("%s: got %v, want %v", name, got, row.want)
			}
			if took := time.Since(began); took != row.took {
				t.Errorf("%s: took %v, want %v", name, took, row.took)
			}
		})
	}
}

// httpOptions are the options for a host that any URL of api.example.com leads to.
func httpOptions(host http.RoundTripper) jsrules.Options {
	return jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"api.example.com"},
		Client: &http.Client{Transport: host}, MaxRequests: 1000}}
}

// TestCalls_Ends: the time of the rule, that of all rules and the end of the exchange end a rule
// that waits for a call, and cancel the call.
func TestCalls_Ends(t *testing.T) {
	const waits = `async function (user, context, callback) {
		await fetch('https://api.example.com/never');
		callback(null, user, context);
	}`
	ended := errors.New("the exchange has ended")
	for name, row := range map[string]struct {
		change func(*jsrules.Options)
		after  time.Duration // when the exchange ends
		want   error
		took   time.Duration
	}{
		"rule": {func(*jsrules.Options) {}, time.Hour, jsrules.ErrTimeout, 2 * time.Second},
		"rules": {func(o *jsrules.Options) { o.ChainTimeout = time.Second }, time.Hour,
			jsrules.ErrTimeout, time.Second},
		"exchange": {func(*jsrules.Options) {}, 300 * time.Millisecond, ended,
			300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			host := &slow{}
			options := httpOptions(host)
			row.change(&options)
			rule := compileOn(t, time.Now, waits, options)
			ctx, cancel := context.WithTimeoutCause(t.Context(), row.after, ended)
			defer cancel()
			began := time.Now()
			err := rule(ctx, benchmarkUser(), benchmarkContext())
			took := time.Since(began)
			if !errors.Is(err, row.want) || took < row.took || took > row.took+10*time.Millisecond {
				t.Errorf("%s: got %v after %v", name, err, took)
			}
			if host.began.Load() != 1 || host.cancelled.Load() != 1 {
				t.Errorf("%s: %d of %d calls are cancelled", name, host.cancelled.Load(),
					host.began.Load())
			}
		})
	}
}

// TestCalls_AfterCallback: calls that are under way when the rule has decided may end, within a
// second and within the time of the rule. What comes of them changes nothing.
func TestCalls_AfterCallback(t *testing.T) {
	for name, row := range map[string]struct {
		statements       string
		ended, cancelled int64
		took             time.Duration
		want             string // in the error
	}{
		"ends soon": {
			"send(300); callback(null, user, context);", 1, 0, 300 * time.Millisecond, "",
		},
		"ends late": {"send('never'); callback(null, user, context);", 0, 1, time.Second, ""},
		"several": {"send(300); send('never'); send(500); callback(null, user, context);", 2, 1,
			time.Second, ""},
		"little time is left": {"await send(1500); send(900); callback(null, user, context);", 1, 1,
			2 * time.Second, ""},
		"denied": {"send(300); callback(new UnauthorizedError('no'));", 1, 0,
			300 * time.Millisecond, "no"},
		"thrown": {"send(300); throw new Error('wrong');", 1, 0, 300 * time.Millisecond, "wrong"},
		"calls back once more": {
			"send(300).then(() => callback(null, user, context)); callback(null, user, context);",
			1, 0, 300 * time.Millisecond, ""},
		"throws in its result": {
			"send(300).then(() => { throw new Error('unseen'); }); callback(null, user, context);",
			1, 0, 300 * time.Millisecond, ""},
		"aborted": {"const c = new AbortController();" +
			"fetch('https://api.example.com/never', {signal: c.signal}).catch(() => {});" +
			"setTimeout(() => { c.abort(); callback(null, user, context); }, 100);", 0, 1,
			100 * time.Millisecond, ""},
		"never called": {"await send(300);", 1, 0, 300 * time.Millisecond,
			"callback was never called"},
	} {
		synctest.Test(t, func(t *testing.T) {
			host := &slow{}
			rule := compileOn(t, time.Now, "async function (user, context, callback) {\n"+
				"const send = (ms) => fetch('https://api.example.com/' + ms);\n"+row.statements+"\n}",
				httpOptions(host))
			began := time.Now()
			err := rule(t.Context(), benchmarkUser(), benchmarkContext())
			if took := time.Since(began); took != row.took {
				t.Errorf("%s: took %v, want %v", name, took, row.took)
			}
			if (err != nil) != (row.want != "") || !strings.Contains(fmt.Sprint(err), row.want) {
				t.Errorf("%s: got %v", name, err)
			}
			if host.ended.Load() != row.ended || host.cancelled.Load() != row.cancelled {
				t.Errorf("%s: %d calls ended and %d are cancelled", name, host.ended.Load(),
					host.cancelled.Load())
			}
		})
	}
}

// TestCalls_TimeCounts: what a rule waits for its calls is part of the time of all rules.
func TestCalls_TimeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := httpOptions(&slow{})
		options.ChainTimeout = time.Second
		options.Set = &jsrules.Set{}
		source := `async function (user, context, callback) {
			await fetch('https://api.example.com/400');
			callback(null, user, context);
		}`
		rc := benchmarkContext()
		user := benchmarkUser()
		for i, want := range []error{nil, nil, jsrules.ErrTimeout} {
			rule := compileOn(t, time.Now, source, options)
			if err := rule(t.Context(), user, rc); !errors.Is(err, want) {
				t.Errorf("rule %d: got %v", i, err)
			}
		}
	})
}

// TestCalls_Throw: an error that is thrown where a result arrives fails the rule.
func TestCalls_Throw(t *testing.T) {
	for name, statements := range map[string]string{
		"in a callback":      "request('https://api.example.com/', () => { throw new Error('wrong'); });",
		"without a callback": "request('https://elsewhere.example/');",
		"in a listener": "request('https://api.example.com/').on('response', () => " +
			"{ throw new Error('wrong'); });",
	} {
		got := run(t, body(statements), jsrules.Options{HTTP: &jsrules.HTTP{
			Allow: []string{"api.example.com"}, Client: answering("x")}})
		want := "wrong"
		if name == "without a callback" {
			want = "Options.HTTP.Allow"
		}
		got.expect(t, delegation.CodeRuleFailed, want)
	}
}

// TestCalls_KeptRuntime: a function that an earlier rule left in global calls within the budget and
// the time of the rule that uses it.
func TestCalls_KeptRuntime(t *testing.T) {
	options := httpOptions(&slow{})
	options.HTTP.MaxRequests = 2
	rules := folder(t, options, `async function (user, context, callback) {
			global.get = (ms) => fetch('https://api.example.com/' + ms).then((r) => r.text());
			user.got = [await global.get(0), await global.get(0)];
			callback(null, user, context);
		}`, `async function (user, context, callback) {
			user.got.push(await global.get(0), await global.get(0));
			user.got.push(await global.get(0).catch((e) => e.code));
			callback(null, user, context);
		}`)
	got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	want := []any{"/0", "/0", "/0", "/0", "ETOOMANYREQUESTS"}
	if !got.passed || !sameJSON(got.user.Properties["got"], want) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}

// TestCalls_Apart: in 64 exchanges at the same time, each rule sees its own answers, and nothing
// that another has changed in a module, a default, a prototype or a header.
func TestCalls_Apart(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "user", Value: r.URL.Query().Get("user")})
		fmt.Fprint(w, r.URL.Query().Get("user"), " ", r.Header.Get("X-User"), " ",
			r.Header.Get("Cookie"))
	}))
	defer server.Close()
	rule := compile(t, `async function (user, context, callback) {
		const axios = require('axios');
		const request = require('request');
		const dirty = [axios.defaults.headers.common['X-User'], axios.mine, request.mine,
			Headers.prototype.mine, Object.prototype.mine, axios.interceptors.request.handlers.length];
		axios.defaults.headers.common['X-User'] = user.name;
		axios.mine = request.mine = Headers.prototype.mine = Object.prototype.mine = user.name;
		axios.interceptors.request.use((c) => c);
		const url = configuration.URL + '/?user=' + user.name;
		const a = await axios.get(url);
		const b = await new Promise((y, n) => request({url, headers: {'X-User': user.name}},
			(e, r, body) => e ? n(e) : y(body)));
		const c = await fetch(url, {headers: {'X-User': user.name}}).then((r) => r.text());
		delete Object.prototype.mine;
		user.got = [dirty, a.data, b, c];
		callback(null, user, context);
	}`, jsrules.Options{
		Configuration: map[string]string{"URL": server.URL},
		HTTP: &jsrules.HTTP{Allow: []string{server.Listener.Addr().String()},
			PlainLoopback: true, Client: server.Client()},
	})
	var running sync.WaitGroup
	for i := range 64 {
		running.Go(func() {
			user := benchmarkUser()
			name := fmt.Sprint("user", i)
			user.Properties["name"] = name
			if err := rule(t.Context(), user, benchmarkContext()); err != nil {
				t.Error(err)
				return
			}
			text := name + " " + name + " "
			want := []any{[]any{nil, nil, nil, nil, nil, 0}, text, text, text}
			if got := user.Properties["got"]; !sameJSON(got, want) {
				t.Errorf("%s: got %v", name, got)
			}
		})
	}
	running.Wait()
}

// TestCalls_LeaveNothing: no goroutine outlives its rule, however the rule ends. Idle connections
// are closed on request.
func TestCalls_LeaveNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/never" {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	options := jsrules.Options{
		Configuration: map[string]string{"URL": server.URL},
		HTTP: &jsrules.HTTP{Allow: []string{server.Listener.Addr().String()},
			PlainLoopback: true, Client: server.Client()},
	}
	for _, statements := range []string{
		"await get('/'); callback(null, user, context);",
		"await Promise.all([get('/'), get('/'), get('/')]); callback(null, user, context);",
		"get('/'); callback(null, user, context);",
		"const c = new AbortController(); const p = get('/never', {signal: c.signal});" +
			"setImmediate(() => c.abort()); await p.catch(() => 0); callback(null, user, context);",
		"get('/'); throw new Error('x');",
		"get('/'); callback(new UnauthorizedError('x'));",
	} {
		rule := compile(t, "async function (user, context, callback) { const get = (path, o) => "+
			"fetch(configuration.URL + path, o);"+statements+"}", options)
		_ = rule(t.Context(), benchmarkUser(), benchmarkContext())
		if stacks := ofCalls(); stacks != "" {
			t.Errorf("%s leaves:\n%s", statements, stacks)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	rule := compile(t, `async function (user, context, callback) {
		require('cancel').now(); await fetch(configuration.URL + '/never');
	}`, withCancel(options, cancel))
	if err := rule(ctx, benchmarkUser(), benchmarkContext()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if stacks := ofCalls(); stacks != "" {
		t.Errorf("a cancelled exchange leaves:\n%s", stacks)
	}
}

// withCancel gives rules a function that ends the exchange.
func withCancel(o jsrules.Options, cancel context.CancelFunc) jsrules.Options {
	o.Modules = map[string]jsrules.Module{"cancel": {Functions: map[string]jsrules.Function{
		"now": func(context.Context, []any) (any, error) { cancel(); return nil, nil },
	}}}
	return o
}

// ofCalls returns the stacks of goroutines that make a call of a rule. Those that are returning may
// do so.
func ofCalls() (stacks string) {
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if stacks = callStacks(); stacks == "" {
			break
		}
	}
	return stacks
}

func callStacks() string {
	buffer := make([]byte, 1<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	var found []string
	for _, stack := range strings.Split(string(buffer), "\n\n") {
		if strings.Contains(stack, "startCall") || strings.Contains(stack, "webclient.") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
