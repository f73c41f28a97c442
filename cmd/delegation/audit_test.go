package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// auditRecord is what these tests read of a record.
type auditRecord struct {
	Time, Msg string
	Event     struct {
		Outcome, Subject, Code, Cache, Error string

		HTTPRequestID string `json:"http_request_id"`
		ClientIP      string `json:"client_ip"`
		AccessKeyID   string `json:"access_key_id"`
	}
}

// auditRecords reads all records of a file.
func auditRecords(t testing.TB, file string) (records []auditRecord) {
	t.Helper()
	for line := range bytes.Lines(must(os.ReadFile(file))) {
		var r auditRecord
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		records = append(records, r)
	}
	return records
}

// TestServe_Audit: each exchange is in the file, also one from the cache, and with the keys of the
// configuration in its remedy. The file has no secret. After a rename and a reload nothing is lost.
func TestServe_Audit(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.folder, "audit.jsonl")
	s := serveReloadable(t, w.configFile(t, `
http: {trusted_proxies: 1}
audit: {file: audit.jsonl, sync: true, on_failure: refuse}
`))
	c := client(nil)
	token := w.token(nil)
	if mode := must(os.Stat(file)).Mode().Perm(); mode != 0o600 {
		t.Errorf("the file has the mode %o before its first record", mode)
	}
	secrets := []string{token}
	ask := func(target, id string, status int) {
		t.Helper()
		got, body := get(t, c, s.url+"/credentials?target="+target, "Authorization", token,
			"X-Request-ID", id, "X-Forwarded-For", "203.0.113.7")
		var answer struct{ SecretAccessKey, Token string }
		_ = json.Unmarshal([]byte(body), &answer)
		secrets = append(secrets, answer.SecretAccessKey, answer.Token)
		if got != status {
			t.Fatalf("%s: %d %s", id, got, body)
		}
	}
	ask(service.DemoTarget, "first", 200)
	ask(service.DemoTarget, "second", 200)
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	ask("another", "third", 404)
	s.mustReload(t)
	ask(service.DemoTarget, "fourth", 200)
	records := slices.Concat(auditRecords(t, file+".1"), auditRecords(t, file))
	want := []struct{ id, msg, cache string }{
		{"first", "exchange allowed", "miss"}, {"second", "exchange allowed", "hit"},
		{"third", "exchange denied", ""}, {"fourth", "exchange allowed", "hit"},
	}
	if len(records) != len(want) {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		if r.Event.HTTPRequestID != want[i].id || r.Msg != want[i].msg ||
			r.Event.Cache != want[i].cache || r.Event.Subject != "auth0|alice" ||
			r.Event.ClientIP != "203.0.113.7" {
			t.Errorf("got %+v, want %+v", r, want[i])
		}
	}
	remedy := "add the application to targets"
	if !strings.HasSuffix(records[2].Event.Error, remedy) ||
		!strings.Contains(s.logs.String(), remedy) {
		t.Errorf("the remedy is %q", records[2].Event.Error)
	}
	text := string(must(os.ReadFile(file))) + string(must(os.ReadFile(file+".1")))
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("a secret is in the file: %.10s…", secret)
		}
	}
}

// TestServe_AuditFails: a place that cannot be written stops the start and a reload. If it breaks
// later there are no credentials, or with continue there are, and the log says so.
func TestServe_AuditFails(t *testing.T) {
	w := newWorld(t)
	missing := w.configFile(t, "audit: {file: missing/audit.jsonl, on_failure: continue}")
	if code, _, stderr := outcomeOf(t, "serve", "--config", missing); code != 1 ||
		!strings.Contains(stderr, "audit.file: records cannot be written: ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	folder := filepath.Join(w.folder, "records")
	for _, direction := range []string{"refuse", "continue"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		s := serveReloadable(t, w.configFile(t, "metrics_listen: 127.0.0.1:0\n"+
			"audit: {file: records/audit.jsonl, on_failure: "+direction+"}"))
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		status, body := get(t, client(nil), s.url+"/credentials?target="+service.DemoTarget,
			"Authorization", w.token(nil))
		if direction == "refuse" && (status != 503 ||
			!strings.Contains(body, `"code":"temporarily_unavailable"`)) {
			t.Errorf("refuse: %d %s", status, body)
		}
		if direction == "continue" && status != 200 {
			t.Errorf("continue: %d %s", status, body)
		}
		log := s.logs.String()
		if !strings.Contains(log, `"level":"ERROR","msg":"audit record lost"`) ||
			!strings.Contains(log, `"warnings":["audit_failed"]`) ||
			strings.Contains(log, `"code":"audit_failed"`) != (direction == "refuse") {
			t.Errorf("%s: log %s", direction, log)
		}
		_, metrics := get(t, client(nil), metricsOf(t, s.logs.String()))
		if !strings.Contains(metrics, `delegation_audit_failures_total{delegation_sink="file"} 1`) {
			t.Errorf("%s: the metrics lack the lost record: %s", direction, metrics)
		}
		if line := s.reload(t); !strings.Contains(line, "audit.file: records cannot be written") {
			t.Errorf("the reload says %s", line)
		}
		s.stop()
	}
}

// TestServe_AuditSyslog: the same records go to a syslog server.
func TestServe_AuditSyslog(t *testing.T) {
	w := newWorld(t)
	socket := filepath.Join(w.folder, "log")
	server := must(net.ListenPacket("unixgram", socket))
	defer server.Close()
	s := serve(t, w.configFile(t, "audit: {syslog: {address: unix://"+socket+
		", facility: local3}, on_failure: refuse}"))
	status, body := get(t, client(nil), s.url+"/credentials?target="+service.DemoTarget,
		"Authorization", w.token(nil))
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	text := make([]byte, 1<<16)
	n, _, err := server.ReadFrom(text)
	if got := string(text[:n]); err != nil || !strings.HasPrefix(got, "<158>1 ") ||
		!strings.Contains(got, ` exchange - {"time":"`) ||
		!strings.Contains(got, `"msg":"exchange allowed"`) {
		t.Errorf("%v, got %s", err, got)
	}
}

// TestExchange_Audit: the command records what it hands out, and hands out nothing without it. With
// --verbose its log names keys of the configuration, as its error does.
func TestExchange_Audit(t *testing.T) {
	w := newWorld(t)
	token := w.write(t, "token", w.token(nil))
	file := filepath.Join(w.folder, "audit.jsonl")
	for _, row := range []struct {
		audit string
		code  int
		says  string
	}{
		{"audit: {file: audit.jsonl, on_failure: refuse}", 0, ""},
		{"audit: {file: missing/audit.jsonl, on_failure: refuse}", 1,
			"(audit_failed): see the wrapped error of audit, and repair the audit sink"},
	} {
		code, stdout, stderr := outcomeOf(t, "exchange", "--config", w.configFile(t, row.audit),
			"--target", service.DemoTarget, "--token-file", token)
		if code != row.code || (code == 0) != strings.Contains(stdout, "SecretAccessKey") ||
			!strings.Contains(stderr, row.says) {
			t.Errorf("%s: %d, %s", row.audit, code, stderr)
		}
	}
	if records := auditRecords(t, file); len(records) != 1 ||
		records[0].Event.Outcome != "allowed" || records[0].Event.AccessKeyID == "" {
		t.Errorf("got %+v", records)
	}
	_, _, stderr := outcomeOf(t, "exchange", "--verbose", "--config", w.configFile(t, ""),
		"--target", "another", "--token-file", token)
	if strings.Count(stderr, "add the application to targets") < 2 ||
		strings.Contains(stderr, "Config.Targets\"") {
		t.Errorf("got %s", stderr)
	}
}

// outcomeOf runs the program, and returns its exit code and what it says.
func outcomeOf(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, surroundings{stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

// metricsOf returns the address of the metrics that a log names.
func metricsOf(t testing.TB, log string) string {
	t.Helper()
	found := regexp.MustCompile(`"msg":"serving metrics","address":"([^"]+)"`).
		FindStringSubmatch(log)
	if found == nil {
		t.Fatalf("no metrics: %s", log)
	}
	return "http://" + found[1] + "/metrics"
}
