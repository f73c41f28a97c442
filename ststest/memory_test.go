package ststest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/seed055b7978/delegation/ststest"
)

// textsOf calls f for every string in v.
func textsOf(v reflect.Value, f func(string)) {
	switch v.Kind() {
	case reflect.String:
		f(v.String())
	case reflect.Slice:
		for i := range v.Len() {
			textsOf(v.Index(i), f)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			textsOf(key, f)
			textsOf(v.MapIndex(key), f)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[ststest.Call]() {
			for i := range v.NumField() {
				textsOf(v.Field(i), f)
			}
		}
	}
}

// within reports whether the bytes of s are some of those of whole.
func within(s, whole string) bool {
	if s == "" {
		return false
	}
	at := uintptr(unsafe.Pointer(unsafe.StringData(s)))
	from := uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return at >= from && at < from+uintptr(len(whole))
}

// plainQuery writes parameters as they are but for the few characters that a
// query cannot have, so that net/url cuts the values out of it.
func plainQuery(params url.Values) string {
	var b strings.Builder
	for name, values := range params {
		value := strings.NewReplacer("%", "%25", "+", "%2B", "&", "%26").Replace(values[0])
		fmt.Fprintf(&b, "%s=%s&", name, value)
	}
	return b.String()
}

// TestCallsKeepNothingOfTheRequest looks for texts of a Call that are cut out of
// what the test sent, which would keep all of it alive.
func TestCallsKeepNothingOfTheRequest(t *testing.T) {
	r := good().set("PrincipalTag:Team", "blue").set("TransitiveTagKeys", "Team")
	r.set("SourceIdentity", "jane")
	f := form(r.encoded())
	f.Set("Policy", "{}")
	f.Set("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	query := plainQuery(f)
	host := strings.Clone("sts.us-east-1.amazonaws.com")
	authorization := strings.Clone("AWS4-HMAC-SHA256 Credential=ASIAX/20260102/eu-west-1/sts/" +
		"aws4_request, SignedHeaders=host, Signature=00")

	s := newServer(t, ststest.Config{})
	send := func(handler http.Handler, host, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", "20260102T030405Z")
		do(handler, r)
	}
	caller := strings.Clone("Action=GetCallerIdentity&Version=2011-06-15")
	login := strings.Clone("Action=login&SigninToken=x")
	send(s, host, query)
	send(s, host, caller)
	send(s, "127.0.0.1", caller) // the region of the signature
	send(s.Federation(), "signin.aws.amazon.com", login)

	calls := s.Calls()
	if calls[0].Status != 200 || calls[1].AccessKeyID != "ASIAX" ||
		calls[2].Region != "eu-west-1" ||
		calls[3].Action != "login" {
		t.Fatalf("the calls do not have what is looked for: %+v", calls)
	}
	texts := 0
	textsOf(reflect.ValueOf(calls), func(text string) {
		texts++
		for _, whole := range []string{query, host, authorization, caller, login} {
			if within(text, whole) {
				t.Errorf("%q is a part of what was sent", text)
			}
		}
	})
	if texts < 40 {
		t.Errorf("only %d texts looked at", texts)
	}
	runtime.KeepAlive(query)
}

// TestCallsKeepNoBodyAlive sends more in bodies than may be left of them.
func TestCallsKeepNoBodyAlive(t *testing.T) {
	const (
		size  = 8_000_000
		count = 8
	)
	s := newServer(t, ststest.Config{})
	encoded := good().set("PrincipalTag:Team", "blue").encoded()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	send := func(params url.Values) {
		body := plainQuery(params) + "x=" + strings.Repeat("x", size)
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		do(s, r)
	}
	send(form(encoded))
	before := heap()
	for i := range count {
		f := form(encoded)
		if i%2 == 1 {
			f = url.Values{"Action": {strings.Repeat("A", size/8)}, "Version": {"2011-06-15"}}
		}
		send(f)
	}
	after := heap()
	if after > before+size {
		t.Errorf("%d bytes are left of %d calls with bodies of %d", after-before, count, size)
	}
	calls := s.Calls()
	if calls[1].Status != 200 || calls[2].Status != 400 || len(calls[2].Action) != 2048 {
		t.Errorf("%d and %d, %d characters of the action",
			calls[1].Status, calls[2].Status, len(calls[2].Action))
	}
	runtime.KeepAlive(s)
}

// TestCallsKeepWhatTheModelAllows records the longest values whole, and of longer
// ones the beginning.
func TestCallsKeepWhatTheModelAllows(t *testing.T) {
	s := newServer(t, ststest.Config{})
	for _, n := range []int{2048, 2049} {
		f := form(good().encoded())
		f.Set("Policy", strings.Repeat("é", n))
		f.Set("RoleArn", strings.Repeat("r", n))
		for i := range n / 100 {
			f.Set(fmt.Sprintf("PolicyArns.member.%d.arn", i+1), "arn:aws:iam::aws:policy/p")
		}
		post(s, f)
	}
	for i, c := range s.Calls() {
		if c.Policy != strings.Repeat("é", 2048) || c.RoleARN != strings.Repeat("r", 2048) {
			t.Errorf("%d: %d bytes of policy, %d of ARN", i, len(c.Policy), len(c.RoleARN))
		}
		if len(c.PolicyARNs) != 11 {
			t.Errorf("%d: %d policy ARNs", i, len(c.PolicyARNs))
		}
	}
}
