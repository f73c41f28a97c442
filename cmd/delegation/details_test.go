package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/rediscache"
)

// TestDetails: /ready?verbose has the table of check, with places in the configuration, or the JSON
// of check --json for those who ask for it, by the query or the header.
func TestDetails(t *testing.T) {
	place := func(field string) string { return "delegation.yaml:9: " + field }
	write := detailsOf(place)
	results := []delegation.CheckResult{
		{Name: "issuer x", Kind: delegation.CheckIssuer, Issuer: "x"},
		{
			Name: "target a", Kind: delegation.CheckTarget, Target: "a", Field: "Role",
			Err: &delegation.Error{
				Stage: delegation.StageDecision, Code: delegation.CodeRoleInvalid,
				Remedy: "set AWS.Role", Err: config.Usagef("AWS.Role is not set"),
			},
		},
	}
	answered := func(path, accept string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept", accept)
		write(w, r, http.StatusOK, results)
		return w
	}
	const table = "issuer x  ok\n" +
		"target a  FAIL  delegation.yaml:9: Role: decision: role of the target is not set " +
		"(role_invalid): set role of the target\n"
	const list = `[
  {
    "kind": "issuer",
    "issuer": "x",
    "name": "issuer x",
    "state": "ok"
  },
  {
    "kind": "target",
    "target": "a",
    "name": "target a",
    "state": "failed",
    "what": "decision: role of the target is not set (role_invalid): set role of the target",
    "stage": "decision",
    "code": "role_invalid",
    "remedy": "set role of the target",
    "at": "delegation.yaml:9: Role"
  }
]
`
	for name, row := range map[string]struct{ path, accept, kind, want string }{
		"as it is": {"/ready?verbose", "*/*", "text/plain; charset=utf-8", table},
		"by query": {"/ready?verbose&format=json", "", "application/json", list},
		"by header": {
			"/ready?verbose", "text/html, application/json;q=0.9", "application/json", list,
		},
		"of no kind": {
			"/ready?verbose&format=xml", "application/xml", "text/plain; charset=utf-8", table,
		},
	} {
		w := answered(row.path, row.accept)
		if w.Body.String() != row.want || w.Header().Get("Content-Type") != row.kind {
			t.Errorf("%s: got %s %s", name, w.Header().Get("Content-Type"), w.Body)
		}
	}
	if results[1].Field != "Role" {
		t.Errorf("the results have changed: %+v", results[1])
	}
}

// TestDetails_Served: the metrics listener has what check has to say, and a reload that failed. The
// public listener says no more than before.
func TestDetails_Served(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "metrics_listen: 127.0.0.1:0\n")
	s := serveReloadable(t, file)
	metrics := metricsURL(t, s.logs.String())
	read := func() map[string]checkEntry {
		t.Helper()
		status, body := get(t, client(nil), metrics+"/ready?verbose&format=json")
		var list []checkEntry
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
			t.Fatalf("%d %v %s", status, err, body)
		}
		entries := map[string]checkEntry{}
		for _, e := range list {
			entries[e.Name] = e
		}
		return entries
	}
	before := read()
	if e := before["sts endpoint"]; e.Code != "sts_endpoint" || e.State != "warning" {
		t.Errorf("got %+v", before)
	}
	if _, there := before["reload"]; there {
		t.Errorf("there was no reload: %+v", before)
	}
	w.write(t, "delegation.yaml", "issuers: []\n")
	s.reload(t)
	if e := read()["reload"]; e.State != "failed" || !strings.Contains(e.What, "is missing") {
		t.Errorf("got %+v", e)
	}
	status, body := get(t, client(nil), s.url+"/ready?verbose&format=json")
	if status != 200 || body != `{"status":"degraded"}`+"\n" {
		t.Errorf("in public: %d %s", status, body)
	}
}

// metricsURL is that of the metrics listener, by the log of a service that serves.
func metricsURL(t *testing.T, log string) string {
	t.Helper()
	m := regexp.MustCompile(`"msg":"serving metrics","address":"([^"]+)"`).FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("there is no metrics listener: %s", log)
	}
	return "http://" + m[1]
}

// TestCheckJSON_Redis: a problem of Redis has a code, a remedy, and the stage where exchanges meet
// it.
func TestCheckJSON_Redis(t *testing.T) {
	err := &service.RedisError{
		Stage:  delegation.StageCache,
		Code:   delegation.Code("redis_" + rediscache.ProblemReplica),
		Remedy: "name its master in redis.url",
		Err:    config.Usagef("it is a replica"),
	}
	e := newCheckEntry(delegation.CheckResult{Name: "redis", Kind: service.CheckRedis, Err: err})
	if e.Code != "redis_replica" || e.Stage != "cache" || e.State != "failed" ||
		e.Remedy != "name its master in redis.url" ||
		e.What != "it is a replica; name its master in redis.url" {
		t.Errorf("got %+v", e)
	}
}

// TestCheckJSON_Documented: docs/checks.md describes each member of the JSON.
func TestCheckJSON_Documented(t *testing.T) {
	_, text, _ := strings.Cut(string(must(os.ReadFile(checksPage))), "\n### In JSON\n")
	text, _, _ = strings.Cut(text, "\n### ")
	everything, err := json.Marshal(checkEntry{
		Kind: "k", Issuer: "i", Target: "t", Region: "r", Took: 1, Name: "n", State: "s",
		What: "w", Warning: "w", Stage: "s", Code: "c", Remedy: "r", At: "a",
		Warnings: []warningEntry{{Code: "c", What: "w", Remedy: "r", At: "a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	members := regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(everything), -1)
	if len(members) != 18 {
		t.Errorf("%d members", len(members))
	}
	for _, m := range members {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("%s is not described", m[1])
		}
	}
}
