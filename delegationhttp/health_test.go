package delegationhttp_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// checker is a Checker that always finds the same.
type checker []delegation.CheckResult

func (c checker) Check(context.Context) []delegation.CheckResult { return c }

func TestLive(t *testing.T) {
	w := fetch(t, delegationhttp.Live(), http.MethodGet)
	if w.Code != 200 || w.Body.String() != `{"status":"ok"}`+"\n" ||
		w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

// TestReady: details go to the log and not to the caller.
func TestReady(t *testing.T) {
	works := delegation.CheckResult{Name: "issuer https://a.example.com/"}
	fails := delegation.CheckResult{
		Name: "issuer https://b.example.com/",
		Err:  errors.New("canary: connection refused"),
	}
	degrades := delegation.CheckResult{
		Name:     "sts eu-central-1",
		Err:      errors.New("canary: timed out"),
		Degrades: true,
	}
	for name, row := range map[string]struct {
		checker delegationhttp.Checker
		status  int
		body    string
		logged  int
	}{
		"all work":   {checker{works, works}, 200, `{"status":"ok"}` + "\n", 0},
		"one of two": {checker{fails, works}, 200, `{"status":"degraded"}` + "\n", 1},
		"one of three": {checker{fails, works, fails},
			200, `{"status":"degraded"}` + "\n", 2},
		"none":         {checker{fails, fails}, 503, `{"status":"unavailable"}` + "\n", 2},
		"the only one": {checker{fails}, 503, `{"status":"unavailable"}` + "\n", 1},
		"no results":   {checker{}, 503, `{"status":"unavailable"}` + "\n", 0},
		"nil":          {nil, 503, `{"status":"unavailable"}` + "\n", 0},
		"nil Delegator": {(*delegation.Delegator)(nil), 503,
			`{"status":"unavailable"}` + "\n", 1},
		"zero Delegator": {new(delegation.Delegator), 503,
			`{"status":"unavailable"}` + "\n", 1},
		"a signer fails": {checker{works, degrades}, 200, `{"status":"degraded"}` + "\n", 1},
		"only STS works": {checker{fails, {Name: "sts eu-central-1", Degrades: true}},
			503, `{"status":"unavailable"}` + "\n", 1},
		"nothing but a signer": {checker{{Name: "signing key", Degrades: true}},
			503, `{"status":"unavailable"}` + "\n", 0},
		"nil list": {checker(nil), 503, `{"status":"unavailable"}` + "\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			for _, logger := range []*slog.Logger{log.logger(), nil} {
				w := fetch(t, delegationhttp.Ready(row.checker, logger), http.MethodGet)
				if w.Code != row.status || w.Body.String() != row.body ||
					w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
				}
			}
			said := func(text string) int { return strings.Count(log.String(), text) }
			if said(`"level":"WARN","msg":"not ready","check":"`) != row.logged ||
				said(`"error":"canary: `) != said("issuer https://b")+said("sts ") {
				t.Errorf("log %s", &log)
			}
		})
	}
}

// TestReadyOfADelegator asks the issuers themselves.
func TestReadyOfADelegator(t *testing.T) {
	w := newWorld(t)
	h := delegationhttp.Ready(must(delegation.New(t.Context(), w.Config)), nil)
	w.Issuer.SetFaults(oidctest.Faults{Status: 500})
	if got := fetch(t, h, http.MethodGet); got.Code != 503 {
		t.Errorf("the issuer is down: got %d", got.Code)
	}
	w.Issuer.SetFaults(oidctest.Faults{})
	w.Clock.Advance(3600e9)
	got := fetch(t, h, http.MethodGet)
	if got.Code != 200 || got.Body.String() != `{"status":"ok"}`+"\n" {
		t.Errorf("the issuer is up: got %d %s", got.Code, got.Body)
	}
}

// TestReady_Warnings: a warning takes nothing down and is logged once, not at every probe, until it
// changes.
func TestReady_Warnings(t *testing.T) {
	results := checker{
		{Name: "issuer https://a.example.com/"},
		{Name: "signing key", Warning: "canary: expires", Degrades: true},
	}
	var log buffer
	h := delegationhttp.Ready(results, log.logger())
	probe := func(want int) {
		t.Helper()
		for range 3 {
			w := fetch(t, h, http.MethodGet)
			if w.Code != 200 || w.Body.String() != `{"status":"ok"}`+"\n" {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
		}
		got := strings.Count(log.String(),
			`"level":"WARN","msg":"check","check":"signing key","warning":"canary: `)
		if got != want || strings.Count(log.String(), "\n") != want {
			t.Errorf("got %d of %d lines: %s", got, want, &log)
		}
	}
	probe(1)
	results[1].Warning = "canary: has expired"
	probe(2)
	results[1].Warning = ""
	probe(2)
	results[1].Warning = "canary: has expired"
	probe(3)
	if w := fetch(t, delegationhttp.Ready(results, nil), http.MethodGet); w.Code != 200 {
		t.Errorf("without a logger: %d", w.Code)
	}
}

// checkerFunc is a Checker of one function.
type checkerFunc func(context.Context) []delegation.CheckResult

func (f checkerFunc) Check(ctx context.Context) []delegation.CheckResult { return f(ctx) }

// TestReady_Impatient: what hangs does not hold the answer for longer than a probe of Kubernetes
// waits, which is a second.
func TestReady_Impatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := delegationhttp.Ready(checkerFunc(func(ctx context.Context) []delegation.CheckResult {
			<-ctx.Done()
			return []delegation.CheckResult{
				{Name: "issuer https://a.example.com/"},
				{Name: "sts eu-central-1", Err: ctx.Err(), Degrades: true},
			}
		}), nil)
		began := time.Now()
		w := fetch(t, h, http.MethodGet)
		took := time.Since(began)
		if w.Code != 200 || w.Body.String() != `{"status":"degraded"}`+"\n" ||
			took != 800*time.Millisecond {
			t.Errorf("got %d %q after %s", w.Code, w.Body, took)
		}
	})
}

// hangingSTS answers nothing until its caller goes away.
type hangingSTS struct{}

func (hangingSTS) AssumeRoleWithSAML(
	ctx context.Context, _ *sts.AssumeRoleWithSAMLInput, _ ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestReady_HangingSTS: a Delegator whose STS hangs stays ready, degraded. All else of it is in
// memory, so that a slow machine does not keep it from answering in time.
func TestReady_HangingSTS(t *testing.T) {
	w := newWorld(t)
	w.Config.Issuers = []delegation.Issuer{{
		URL:  "https://tenant.example.com/",
		JWKS: w.Issuer.KeySet(),
	}}
	w.Config.STS = hangingSTS{}
	synctest.Test(t, func(t *testing.T) {
		h := delegationhttp.Ready(must(delegation.New(t.Context(), w.Config)), nil)
		began := time.Now()
		got := fetch(t, h, http.MethodGet)
		if got.Code != 200 || got.Body.String() != `{"status":"degraded"}`+"\n" {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
		if took := time.Since(began); took != 800*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		time.Sleep(10 * time.Second) // of the bubble: the call goes on to its own limit
	})
}

// TestMetadata_OfADelegator shows a key as soon as it is set.
func TestMetadata_OfADelegator(t *testing.T) {
	w := newWorld(t)
	d := must(delegation.New(t.Context(), w.Config))
	h := delegationhttp.Metadata(d)
	before := fetch(t, h, http.MethodGet).Body.String()
	next := w.Config.IdentityProvider
	next.Keys = []delegation.SigningKey{delegationtest.SigningKey(), delegationtest.SigningKey()}
	if err := d.SetIdentityProvider(next); err != nil {
		t.Fatal(err)
	}
	got := fetch(t, h, http.MethodGet).Body.String()
	if got == before || got != string(must(next.Metadata())) {
		t.Errorf("got %s", got)
	}
	a := fetch(t, delegationhttp.Metadata((*delegation.Delegator)(nil)), http.MethodGet)
	if a.Code != 500 {
		t.Errorf("a nil Delegator: %d", a.Code)
	}
}
