package jsrules_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// places are where code can leave a mark that later code of the same runtime finds. Each row is a
// group that one rule uses: what it loads, and expressions for objects that get a property mark.
var places = map[string]struct{ loads, objects string }{
	"prototypes": {"", `Object.prototype; Array.prototype; String.prototype; Number.prototype;
		Boolean.prototype; Function.prototype; RegExp.prototype; Date.prototype; Error.prototype;
		Promise.prototype; Map.prototype; Set.prototype; Symbol.prototype; Uint8Array.prototype;
		Object.getPrototypeOf(Uint8Array.prototype); Object.getPrototypeOf([][Symbol.iterator]());
		Object.getPrototypeOf(async function () {}); Object.getPrototypeOf(function* () {})`},
	"globals": {"", `globalThis; Object; Array; Math; JSON; Reflect; Date; RegExp; Promise; Error;
		console; UnauthorizedError; UnauthorizedError.prototype; require; callback;
		setTimeout; setImmediate; clearTimeout`},
	"lodash": {"var lodash = require('lodash');", `lodash; lodash.prototype;
		lodash.templateSettings;
		lodash.map; lodash.memoize.Cache; lodash.memoize.Cache.prototype`},
	"_": {"", "_; _.prototype; _.templateSettings; _.support; _.map; _.memoize"},
	"moment": {"var moment = require('moment');", "moment; moment.fn; moment.duration.fn; " +
		"moment.localeData('de'); moment.relativeTimeThreshold; moment.HTML5_FMT"},
	"moment-timezone": {"var moment = require('moment-timezone');", "moment.tz; " +
		"moment.tz.zone('Europe/Berlin'); moment.tz._zones; moment.tz._links; " +
		"moment.tz._countries; moment.momentProperties"},
	"async": {"var later = require('async');", "later; later.map; async; async.map"},
	"bluebird": {"var Bluebird = require('bluebird');", "Bluebird; Bluebird.prototype; " +
		"Bluebird.TimeoutError; Bluebird.TimeoutError.prototype; Bluebird.map"},
	"modules": {"var Buffer1 = require('buffer').Buffer, own = require('own');", `Buffer1;
		Buffer1.prototype; require('buffer'); require('crypto'); require('querystring');
		require('util'); own; own.list; own.process; own.process.env`},
}

// settings change libraries in their own ways. Each row is a group of places, what a rule changes,
// and an expression that is the same in every new runtime.
var settings = map[string][][2]string{
	"lodash": {
		{"lodash.mixin({mark: function () { return id; }})", "typeof lodash.mark + typeof " +
			"lodash().mark"},
		{"lodash.templateSettings.interpolate = /x/",
			"String(lodash.templateSettings.interpolate)"},
	},
	"_": {
		{"_.mixin({marked: function () { return id; }})", "typeof _.marked + typeof _([]).marked"},
		{"_.templateSettings.variable = id", "_.templateSettings.variable"},
		{"_.merge({}, JSON.parse('{\"__proto__\": {\"merged\": 1}}'))", "typeof ({}).merged"},
	},
	"moment": {
		{"moment.locale('de')", "moment.locale()"},
		{"moment.updateLocale('en', {months: Array(12).fill(id)})", "moment.months(0)"},
		{"moment.relativeTimeThreshold('m', 3)", "moment.relativeTimeThreshold('m')"},
		{"moment.now = function () { return 0; }", "moment.now() > 0"},
	},
	"moment-timezone": {
		{"moment.tz.setDefault('Asia/Tokyo')", "moment.tz.guess === undefined || " +
			"moment(0).tz() || 'none'"},
		{"moment.tz.add('X/' + id + '|A B|0 -10|01|1Q.0')", "moment.tz.names().length"},
		{"moment.tz.link('Asia/Tokyo|Europe/Paris')", "moment.tz('2026-01-01', " +
			"'Europe/Paris').format()"},
	},
	"bluebird": {
		{"Bluebird.config({longStackTraces: true, warnings: true, cancellation: true, " +
			"monitoring: true})",
			"Bluebird.hasLongStackTraces() + typeof Bluebird.prototype.isCancelled"},
		{"Bluebird.setScheduler(function (f) { f(); })", "Bluebird.resolve(1).isPending()"},
		{"Bluebird.onPossiblyUnhandledRejection(function () { throw id; })",
			"typeof Bluebird.prototype._mark"},
	},
	"async": {{"later.setImmediate = async.setImmediate = null", "typeof later.setImmediate " +
		"+ typeof async.setImmediate"}},
	"modules": {
		{"own.list.push(id)", "own.list.length"},
		{"own.process.env.MARK = id", "Object.keys(own.process.env).length"},
		{"Buffer1.from(id + id).fill(id)", "Buffer1.alloc(64).toString('hex')"},
	},
	"prototypes": {
		{"delete Array.prototype.map", "typeof [].map"},
		{"Object.prototype.toString = function () { return id; }", "({}).toString()"},
		{"Object.defineProperty(Object.prototype, 'role', {get: function () { return id; " +
			"}})", "typeof ({}).role"},
		{"Promise.prototype.then = null", "typeof Promise.prototype.then"},
	},
	"globals": {
		{"JSON.stringify = function () { return id; }", "JSON.stringify([1])"},
		{"Math.random = function () { return id; }", "typeof Math.random()"},
		{"Date.now = function () { return id; }", "typeof Date.now()"},
		{"Object.keys = function () { return [id]; }", "Object.keys({}).length"},
		{"leaked = id", "typeof leaked"},
		{"this.leakedToo = id", "typeof leakedToo"},
		{"console = configuration = auth0 = null", "typeof console.log + configuration.KEY " +
			"+ auth0.domain"},
		{"setTimeout(function () { globalThis.late = id; }, 1)", "typeof late"},
		{"setInterval(function () { globalThis.late = id; }, 1)", "typeof late"},
		{"Promise.resolve().then(function () { globalThis.late = id; })", "typeof late"},
		{"new Promise(function () {}).then(callback)", "typeof callback"},
	},
}

// isolationRule is a rule that notes what it finds, leaves its mark everywhere, meets the other
// exchanges, and notes what it finds then.
func isolationRule(group string) string {
	p := places[group]
	var source strings.Builder
	source.WriteString("function (user, context, callback) {\nvar id = user.user_id;\n" + p.loads)
	source.WriteString("\nvar objects = [")
	for _, object := range strings.Split(p.objects, ";") {
		object = strings.TrimSpace(object)
		fmt.Fprintf(&source, "function () { var o = %s; if (Object(o) !== o) throw %q; "+
			"return o; },\n",
			object, object)
	}
	source.WriteString("];\nuser.seen = objects.map(function (o) { return String(o().mark); });\n")
	for _, setting := range settings[group] {
		source.WriteString("user.seen.push(String(" + setting[1] + "));\n")
	}
	source.WriteString(`
		var define = Object.defineProperty, meet = require('meet').all, length = objects.length;
		var all = objects.map(function (o) { return o(); });
		all.forEach(function (o) { define(o, 'mark', {value: id, configurable: true}); });
`)
	for _, setting := range settings[group] {
		source.WriteString("try { " + setting[0] + "; } catch (e) {}\n")
	}
	source.WriteString(`
		meet();
		user.own = 0;
		for (var i = 0; i < length; i++) if (all[i].mark === id) user.own++;
		user.objects = length;
		callback(null, user, context);
	}`)
	return source.String()
}

// gathering lets the exchanges of a round wait for each other, so that all have left their marks
// before the first one ends.
type gathering struct {
	mu   sync.Mutex
	left int
	here chan struct{}
}

func (g *gathering) start(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = n
	g.here = make(chan struct{})
}

func (g *gathering) arrive() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left--
	if g.left == 0 {
		close(g.here)
	}
	return g.here
}

// giveUp lets the others go on without one that has failed.
func (g *gathering) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left > 0 {
		g.left = 0
		close(g.here)
	}
}

// TestIsolation: whatever the rule of one exchange changes in prototypes, globals, modules and
// libraries, and whatever timers and promises it leaves, no other exchange finds. 64 run at the
// same time, and all have left their marks before the first one ends; then 64 more find nothing.
// Only what a rule puts into global is kept, on purpose and as JSON: see TestGlobalFunctions.
func TestIsolation(t *testing.T) {
	const exchanges = 64
	meeting := &gathering{}
	options := jsrules.Options{
		Configuration: map[string]string{"KEY": "value"},
		Domain:        "tenant.auth0.com",
		RuleTimeout:   time.Hour,
		Modules: map[string]jsrules.Module{
			"meet": {Functions: map[string]jsrules.Function{
				"all": func(context.Context, []any) (any, error) {
					<-meeting.arrive()
					return nil, nil
				},
			}},
			"own": {Source: "exports.list = []; exports.process = process;"},
		},
	}
	var groups []string
	rules := map[string]delegation.RuleFunc{}
	fresh := map[string]string{}
	for group := range places {
		groups = append(groups, group)
		rules[group] = compile(t, isolationRule(group), options)
		meeting.start(1)
		got := runIsolated(t, rules[group], "first", meeting)
		fresh[group] = got.seen
		if strings.Contains(got.seen, "first") || got.own != got.objects {
			t.Errorf("%s: a rule finds %s, and %d of %d marks of its own",
				group, got.seen, got.own, got.objects)
		}
	}
	if t.Failed() {
		return
	}
	for round := range 2 {
		meeting.start(exchanges)
		var all sync.WaitGroup
		for i := range exchanges {
			all.Go(func() {
				group := groups[i%len(groups)]
				got := runIsolated(t, rules[group], fmt.Sprintf("user%d-%d", round, i), meeting)
				if got.seen != fresh[group] || got.own != got.objects {
					t.Errorf("%s: got %s, want %s; %d of %d marks of its own",
						group, got.seen, fresh[group], got.own, got.objects)
				}
			})
		}
		all.Wait()
	}
}

type isolated struct {
	seen         string
	own, objects int
}

func runIsolated(
	t *testing.T, rule delegation.RuleFunc, id string, meeting *gathering,
) isolated {
	user := &delegation.User{Properties: map[string]any{"user_id": id}}
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Errorf("%s: %v", id, err)
		meeting.giveUp()
	}
	number := func(name string) (n int) {
		_, _ = fmt.Sscan(fmt.Sprint(user.Properties[name]), &n)
		return n
	}
	return isolated{fmt.Sprint(user.Properties["seen"]), number("own"), number("objects")}
}

// TestManyRulesWithLibraries: rules that hold large libraries while they wait do not fail each
// other by the memory of the process.
func TestManyRulesWithLibraries(t *testing.T) {
	const exchanges = 24
	runtime.GC() // what earlier tests left would make room
	meeting := &gathering{}
	meeting.start(exchanges)
	rule := compile(t, body(`var kept = [require('moment-timezone'), 'x'.repeat(6 << 20)];
		require('meet').all();
		user.got = kept.length;`+passes), jsrules.Options{
		RuleTimeout: time.Hour,
		Modules: map[string]jsrules.Module{"meet": {Functions: map[string]jsrules.Function{
			"all": func(context.Context, []any) (any, error) {
				<-meeting.arrive()
				return nil, nil
			},
		}}},
	})
	var all sync.WaitGroup
	for range exchanges {
		all.Go(func() {
			user := benchmarkUser()
			if err := rule(t.Context(), user, benchmarkContext()); err != nil {
				t.Error(err)
				meeting.giveUp()
			}
		})
	}
	all.Wait()
}

// TestIsolation_HTTP: what one exchange sets in the modules that call hosts, and what a host gives
// it, the calls of no other exchange carry. 64 run at the same time.
func TestIsolation_HTTP(t *testing.T) {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := path.Base(r.URL.Path)
		for name, values := range r.Header {
			for _, value := range values {
				if name == "Cookie" || strings.HasPrefix(value, "user") && value != id {
					t.Errorf("the call of %s has %s: %s", id, name, value)
				}
			}
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/"})
		_, _ = fmt.Fprintf(w, `{"id": %q}`, id)
	}))
	defer host.Close()
	options := jsrules.Options{
		Configuration: map[string]string{"HOST": host.URL},
		RuleTimeout:   time.Hour,
		HTTP: &jsrules.HTTP{
			Allow:         []string{strings.TrimPrefix(host.URL, "http://")},
			PlainLoopback: true,
		},
	}
	rules := []delegation.RuleFunc{
		compile(t, `async function (user, context, callback) {
			const axios = require('axios'), url = configuration.HOST + '/' + user.user_id;
			user.seen = [axios.mark, axios.defaults.mark, axios.defaults.baseURL,
				(axios.defaults.headers.common || {})['X-User']].join();
			axios.mark = axios.defaults.mark = user.user_id;
			axios.defaults.headers.common = axios.defaults.headers.common || {};
			axios.defaults.headers.common['X-User'] = user.user_id;
			const one = await axios.get(url), two = await axios.get(url);
			user.got = one.data.id + ',' + two.data.id;
			axios.defaults.baseURL = url;
			callback(null, user, context);
		}`, options),
		compile(t, `function (user, context, callback) {
			var url = configuration.HOST + '/' + user.user_id, headers = {'X-User': user.user_id};
			user.seen = [request.mark, request.get.mark, require('request').mark, ''].join();
			request.mark = request.get.mark = user.user_id;
			request({url: url, json: true, headers: headers}, function (e, r, one) {
				if (e) return callback(e);
				request.get({url: url, json: true}, function (e, r, two) {
					user.got = one.id + ',' + two.id;
					callback(e, user, context);
				});
			});
		}`, options),
		compile(t, `async function (user, context, callback) {
			const url = configuration.HOST + '/' + user.user_id;
			user.seen = [fetch.mark, Headers.prototype.mark, Response.prototype.mark, ''].join();
			fetch.mark = Headers.prototype.mark = Response.prototype.mark = user.user_id;
			const one = await (await fetch(url, {headers: {'X-User': user.user_id}})).json();
			const two = await (await fetch(url)).json();
			user.got = one.id + ',' + two.id;
			callback(null, user, context);
		}`, options),
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			id := fmt.Sprint("user", i)
			user := &delegation.User{Properties: map[string]any{"user_id": id}}
			if err := rules[i%len(rules)](t.Context(), user, benchmarkContext()); err != nil {
				t.Errorf("%s: %v", id, err)
			}
			if user.Text("seen") != ",,," || user.Text("got") != id+","+id {
				t.Errorf("%s: saw %s, got %s", id, user.Text("seen"), user.Text("got"))
			}
		})
	}
	all.Wait()
}
