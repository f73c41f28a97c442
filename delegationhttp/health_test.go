package delegationhttp_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
)

// checker is a Checker that always finds the same.
type checker []delegation.CheckResult

func (c checker) Check(context.Context) []delegation.CheckResult { return c }

func TestLive(t *testing.T) {
	if w := fetch(t, delegationhttp.Live(), http.MethodGet); w.Code != 200 || w.Body.String() != `{"status":"ok"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
	}
}

// TestReady: details go to the log and not to the caller.
func TestReady(t *testing.T) {
	works := delegation.CheckResult{Name: "issuer https://a.example.com/"}
	fails := delegation.CheckResult{Name: "issuer https://b.example.com/", Err: errors.New("canary: connection refused")}
	for name, row := range map[string]struct {
		checker delegationhttp.Checker
		status  int
		body    string
		logged  int
	}{
		"all work":       {checker{works, works}, 200, `{"status":"ok"}`, 0},
		"one of two":     {checker{fails, works}, 200, `{"status":"degraded"}`, 1},
		"one of three":   {checker{fails, works, fails}, 200, `{"status":"degraded"}`, 2},
		"none":           {checker{fails, fails}, 503, `{"status":"unavailable"}`, 2},
		"the only one":   {checker{fails}, 503, `{"status":"unavailable"}`, 1},
		"no results":     {checker{}, 503, `{"status":"unavailable"}`, 0},
		"nil":            {nil, 503, `{"status":"unavailable"}`, 0},
		"nil Delegator":  {(*delegation.Delegator)(nil), 503, `{"status":"unavailable"}`, 1},
		"zero Delegator": {new(delegation.Delegator), 503, `{"status":"unavailable"}`, 1},
		"nil list":       {checker(nil), 503, `{"status":"unavailable"}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			for _, logger := range []*slog.Logger{log.logger(), nil} {
				w := fetch(t, delegationhttp.Ready(row.checker, logger), http.MethodGet)
				if w.Code != row.status || w.Body.String() != row.body || w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
				}
			}
			if strings.Count(log.String(), `"level":"WARN","msg":"not ready","check":"`) != row.logged || strings.Count(log.String(), `"error":"canary: `) != strings.Count(log.String(), "issuer https://b") {
				t.Errorf("log %s", &log)
			}
		})
	}
}

// TestReadyOfADelegator asks the issuers themselves.
func TestReadyOfADelegator(t *testing.T) {
	w := newWorld(t)
	h := delegationhttp.Ready(must(delegation.New(t.Context(), w.library)), nil)
	w.provider.SetFaults(oidctest.Faults{Status: 500})
	if got := fetch(t, h, http.MethodGet); got.Code != 503 {
		t.Errorf("the issuer is down: got %d", got.Code)
	}
	w.provider.SetFaults(oidctest.Faults{})
	w.clock.Advance(3600e9)
	if got := fetch(t, h, http.MethodGet); got.Code != 200 || got.Body.String() != `{"status":"ok"}` {
		t.Errorf("the issuer is up: got %d %s", got.Code, got.Body)
	}
}
