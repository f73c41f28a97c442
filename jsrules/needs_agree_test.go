package jsrules_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// parsedVectors are the rules and Actions of testdata/vectors that compile, by name.
func parsedVectors(t testing.TB) (names []string, vectors map[string]*parsedVector) {
	t.Helper()
	vectors = map[string]*parsedVector{}
	for _, file := range must(filepath.Glob("testdata/vectors/*.js")) {
		v, name, source := readVector(t, file)
		options := v.options()
		if v.Context == nil {
			options.Context = nil
		}
		parse := jsrules.Parse
		if v.Action {
			parse = jsrules.ParseAction
		}
		rule, err := parse(name, source, options.WithClock(standing()))
		if err == nil {
			names = append(names, name)
			vectors[name] = &parsedVector{v, options, rule}
		}
	}
	if len(names) < 100 {
		t.Fatalf("only %d rules compile", len(names))
	}
	return names, vectors
}

type parsedVector struct {
	vector
	options jsrules.Options
	rule    *jsrules.Rule
}

// lackOf returns the need of a kind and a name that is not available, or nil.
func lackOf(rule *jsrules.Rule, kind jsrules.NeedKind, name string) *jsrules.Need {
	for _, n := range rule.Needs() {
		if n.Kind == kind && n.Name == name && !n.Available {
			return &n
		}
	}
	return nil
}

// between returns what is in a text between two others.
func between(text, before, after string) (string, bool) {
	_, rest, found := strings.Cut(text, before)
	inner, _, ends := strings.Cut(rest, after)
	return inner, found && ends
}

// TestNeeds_AgreeWithFailures: what a rule of testdata fails for in a run, because it is not there,
// is one of its needs and not available, at the place that the error names.
func TestNeeds_AgreeWithFailures(t *testing.T) {
	names, vectors := parsedVectors(t)
	failures := map[jsrules.NeedKind]int{}
	for _, name := range names {
		v := vectors[name]
		rules := []delegation.RuleFunc{v.rule.Func()}
		got := exchange(t, rules, v.Claims, v.Target, v.Request)
		if got.passed {
			continue
		}
		text := got.err.Error()
		var kind jsrules.NeedKind
		lacks := ""
		if id, is := between(text, "ReferenceError: ", " is not defined: it is"); is {
			kind = jsrules.NeedGlobal
			lacks = id
		} else if member, is := between(text, "auth0.", " is not available here"); is {
			kind = jsrules.NeedAuth0
			lacks = member
		} else if path, is := between(text, "context.", " is read, and neither"); is {
			kind = jsrules.NeedContext
			lacks = path
		} else if strings.Contains(text, "ReferenceError") {
			t.Errorf("%s: a ReferenceError without a remedy: %s", name, text)
		}
		if kind == "" {
			continue
		}
		failures[kind]++
		n := lackOf(v.rule, kind, lacks)
		var wrong *jsrules.Error
		switch {
		case n == nil:
			t.Errorf("%s: %s %s is no need that is missing: %s", name, kind, lacks, text)
		case kind == jsrules.NeedAuth0: // goja places a call where its first object is
		case !errors.As(got.err, &wrong) || wrong.Line != n.Line:
			t.Errorf("%s: the need is at line %d: %s", name, n.Line, text)
		}
	}
	for _, kind := range []jsrules.NeedKind{
		jsrules.NeedGlobal, jsrules.NeedAuth0, jsrules.NeedContext,
	} {
		if failures[kind] == 0 {
			t.Errorf("no rule fails for a missing %s: %v", kind, failures)
		}
	}
}

// probe is a rule that uses one thing, and what it tells of it.
func probe(need jsrules.Need) (source, found string) {
	name := need.Name
	switch need.Kind {
	case jsrules.NeedGlobal:
		return body("var it = " + name + "; callback(null, user, context);"), "passed"
	case jsrules.NeedModule:
		return body(fmt.Sprintf("require(%q); callback(null, user, context);", name)), "passed"
	case jsrules.NeedAuth0:
		return body("auth0." + name + "; callback(null, user, context);"), "passed"
	case jsrules.NeedContext:
		return body("context." + name + "; callback(null, user, context);"), "passed"
	case jsrules.NeedConfiguration:
		return body(fmt.Sprintf("user.got = typeof configuration[%q]; "+
			"callback(null, user, context);", name)), "string"
	}
	return "", ""
}

// TestNeeds_AgreeWithProbes: each thing that a rule of testdata needs, and each of the names below,
// is found by a rule that uses nothing else exactly if it is said to be available.
func TestNeeds_AgreeWithProbes(t *testing.T) {
	names, vectors := parsedVectors(t)
	seen := map[jsrules.Need]bool{} // without places
	for _, name := range names {
		v := vectors[name]
		if v.Action {
			continue // which has no configuration and no auth0
		}
		for _, need := range v.rule.Needs() {
			need.Line = 0
			need.Column = 0
			if seen[need] {
				continue
			}
			seen[need] = true
			wantProbe(t, name, need, v.options, v)
		}
	}
	everything := jsrules.Options{
		Domain:        "tenant.auth0.com",
		Configuration: map[string]string{"KEY": "x"},
		Modules:       map[string]jsrules.Module{"ours": {Source: "exports.a = 1;"}},
		Globals:       map[string]any{"ours": 1},
		HTTP:          &jsrules.HTTP{Allow: []string{"example.com"}},
		Auth0: map[string]jsrules.Function{
			"users.getUser": func(context.Context, []any) (any, error) { return nil, nil },
		},
		Absent: []string{"clientName", "request.geoip", "clientMetadata"},
	}
	for kind, list := range map[jsrules.NeedKind]string{
		jsrules.NeedGlobal: "ours request fetch axios _ async lodash Buffer process crypto jwt " +
			"URL URLSearchParams console global globalThis setTimeout clearInterval module exports " +
			"__dirname window self document JSON Intl BigInt DataView WebAssembly Symbol Proxy " +
			"queueMicrotask structuredClone TextEncoder TextDecoder atob btoa AbortController " +
			"Headers performance auth0 configuration UnauthorizedError ValidationError require",
		jsrules.NeedModule: "ours ours@1.0.0 request request@2.88.0 axios node-fetch lodash " +
			"lodash@4.17.10 moment moment-timezone async bluebird uuid uuid@3 crypto buffer url " +
			"querystring util extend jsonwebtoken auth0 auth0@2.9.1 @auth0/rule-utilities fs " +
			"http https path os events stream mongodb pg xml2js superagent request-promise",
		jsrules.NeedAuth0: "domain accessToken baseUrl users.getUser users.updateAppMetadata " +
			"users.updateUserMetadata",
		jsrules.NeedContext: "clientName clientID protocol stats stats.loginsCount sso sessionID " +
			"organization request.geoip request.ip request.body request.query " +
			"clientMetadata.team tenant isDelegation riskAssessment authentication authorization " +
			"connectionOptions",
		jsrules.NeedConfiguration: "KEY NONE",
	} {
		for _, name := range strings.Fields(list) {
			for which, o := range map[string]jsrules.Options{"all": everything, "none": {}} {
				wantProbe(t, which, jsrules.Need{Kind: kind, Name: name}, o, &parsedVector{})
			}
		}
	}
}

// wantProbe checks that a rule that uses a thing finds it if and only if its need says so.
func wantProbe(
	t *testing.T, of string, need jsrules.Need, o jsrules.Options, v *parsedVector,
) {
	t.Helper()
	source, found := probe(need)
	if source == "" || need.Name == "" {
		return
	}
	rule, err := jsrules.Parse("probe", source, o.WithClock(standing()))
	if err != nil {
		t.Errorf("%s: %s: %v", of, source, err)
		return
	}
	lacks := slices.ContainsFunc(rule.Needs(), func(n jsrules.Need) bool {
		return n.Kind == need.Kind && !n.Available
	})
	request := v.Request
	request.IP = cmp.Or(request.IP, "192.0.2.1")
	request.Hostname = cmp.Or(request.Hostname, "example.com")
	got := exchange(t, []delegation.RuleFunc{rule.Func()}, v.Claims, v.Target, request)
	outcome := "failed"
	throws := need.Kind == jsrules.NeedModule && got.err != nil &&
		!strings.Contains(got.err.Error(), "Cannot find module") // it is there
	if got.passed || throws {
		outcome = "passed"
		if got.passed && need.Kind == jsrules.NeedConfiguration {
			outcome = fmt.Sprint(got.user.Properties["got"])
		}
	}
	if ofExchange := strings.HasPrefix(need.Name, "connection"); ofExchange {
		return // it depends on the user
	}
	if (outcome == found) == lacks {
		t.Errorf("%s: %s %s: missing: %t, and a run: %s %v", of, need.Kind, need.Name, lacks,
			outcome, got.err)
	}
}
