package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// day is a service with everything that it depends on, all by one clock that stands still between
// the steps of a test. So every number of its metrics is known.
type day struct {
	*world
	*reloadable
	clock   *delegationtest.Clock
	metrics string // the URL of the metrics listener
	redis   *memoryRedis
	client  *http.Client
}

// morning is when a day begins.
var morning = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// newDay serves a configuration. more is added to it.
func newDay(t *testing.T, more string) *day {
	t.Helper()
	d := &day{clock: delegationtest.NewClock(morning), client: client(nil)}
	d.world = &world{
		provider: must(oidctest.New(oidctest.Config{
			Key: delegationtest.IssuerKey(),
			Now: d.clock.Now,
		})),
		aws:    ststest.New(ststest.Config{Region: service.DemoRegion, Now: d.clock.Now}),
		folder: t.TempDir(),
	}
	d.awsURL = serveURL(t, d.aws)
	d.issuerURL = serveURL(t, d.provider)
	d.provider.SetIssuer(d.issuerURL)
	d.trustSigningKey(t)
	d.redis = newMemoryRedis(t)
	d.writeRedis(t)
	d.writeConfig(t, more)
	d.start(t)
	return d
}

func serveURL(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func (d *day) trustSigningKey(t *testing.T) {
	t.Helper()
	metadata := must(delegationtest.Identity().Metadata())
	if err := d.aws.PutSAMLProvider(service.DemoPrincipal, metadata); err != nil {
		t.Fatal(err)
	}
	err := d.aws.PutRole(ststest.Role{ARN: service.DemoRole, TrustPolicy: service.DemoTrust})
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := delegationtest.SigningKeyPEM()
	d.write(t, "signing.crt", string(certificate))
	d.write(t, "signing.key", string(key))
}

// writeConfig writes the configuration, with more lines after it.
func (d *day) writeConfig(t *testing.T, more string) {
	t.Helper()
	d.write(t, "delegation.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:0
issuers:
  - {url: %q, allow_loopback_http: true}
identity_provider:
  entity_id: urn:tenant.example.com
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}
rules:
  - require_verified_email: true
  - role_by_claim: {claim: groups, roles: [{match: "photo-editors?", role: %q}]}
sts: {endpoint: %q}
cache: {shared: true}
redis:
  url: redis://%s
  keys: [{id: one, secret_file: one.key}]
%s`, d.issuerURL, service.DemoRole, d.awsURL, d.redis.address, more))
}

// start serves the configuration by the clock.
func (d *day) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d.reloadable = &reloadable{
		served: &served{said: newOutput(), logs: newOutput()},
		ended:  make(chan string, 100),
	}
	notified := make(chan chan<- os.Signal, 1)
	code := make(chan int, 1)
	go func() {
		code <- run(ctx,
			[]string{"serve", "--config", filepath.Join(d.folder, "delegation.yaml")},
			surroundings{
				stdout: d.said,
				stderr: d.reloadable,
				now:    d.clock.Now,
				notify: func(c chan<- os.Signal, _ ...os.Signal) { notified <- c },
			})
	}()
	d.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { d.stop() })
	d.hangup = <-notified
	d.url = d.address(t)
	d.metrics = "http://" + d.logged(t, "serving metrics")["address"].(string)
}

// logged waits for a line of the log with this message.
func (d *day) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		for line := range strings.Lines(d.logs.String()) {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
				return entry
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has no %q: %s", message, d.logs)
		}
		time.Sleep(time.Millisecond)
	}
}

// at moves the clock to a time of the day, such as 13:30.
func (d *day) at(clock string) {
	hours := must(time.Parse("15:04", clock))
	d.clock.Set(morning.Truncate(24 * time.Hour).
		Add(time.Duration(hours.Hour())*time.Hour + time.Duration(hours.Minute())*time.Minute))
}

// ask exchanges a token of a user, with claims changed, for a target. It wants this status.
func (d *day) ask(t *testing.T, status int, user, target string, claims map[string]any) {
	t.Helper()
	all := map[string]any{"sub": "auth0|" + user, "email": user + "@example.com"}
	maps.Copy(all, claims)
	form := delegationForm(d.token(all))
	form.Set("target", target)
	if got, body := post(t, d.client, d.url+"/delegation", form); got != status {
		t.Errorf("%s for %s: %d %s", user, target, got, body)
	}
}

// scrape returns all that Prometheus would read, a line each.
func (d *day) scrape(t *testing.T) []string {
	t.Helper()
	status, body := get(t, d.client, d.metrics+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return strings.Split(strings.TrimSpace(body), "\n")
}

// value returns what a series has, NaN if it is not there.
func (d *day) value(t *testing.T, series string) string {
	t.Helper()
	for _, line := range d.scrape(t) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return "none"
}

// memoryRedis is a Redis that keeps values in memory, and knows the commands of rediscache.
type memoryRedis struct {
	address string

	mu     sync.Mutex
	values map[string]string
	full   bool // it refuses to write
}

func newMemoryRedis(t *testing.T) *memoryRedis {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = listener.Close() })
	r := &memoryRedis{address: listener.Addr().String(), values: map[string]string{}}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(connection)
		}
	}()
	return r
}

func (r *memoryRedis) setFull(full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = full
}

// serve answers commands, which are arrays of bulk strings.
func (r *memoryRedis) serve(connection net.Conn) {
	defer connection.Close()
	in := bufio.NewReader(connection)
	for {
		var count, size int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &count); err != nil {
			return
		}
		words := make([]string, count)
		for i := range words {
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			text := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			words[i] = string(text[:size])
		}
		if _, err := io.WriteString(connection, r.answer(words)+"\r\n"); err != nil {
			return
		}
	}
}

func (r *memoryRedis) answer(words []string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch strings.ToLower(words[0]) {
	case "ping":
		return "+PONG"
	case "hello":
		return "-ERR unknown command"
	case "set":
		_, exists := r.values[words[1]]
		switch {
		case r.full:
			return "-OOM command not allowed when used memory > 'maxmemory'."
		case exists && slices.Contains(words, "NX"):
			return "$-1"
		}
		r.values[words[1]] = words[2]
	case "getrange":
		value := r.values[words[1]]
		return fmt.Sprintf("$%d\r\n%s", len(value), value)
	case "del":
		delete(r.values, words[1])
		return ":1"
	case "eval", "evalsha": // of a lock: EVAL script 1 name token
		delete(r.values, words[3])
		return ":1"
	case "scan":
		return "*2\r\n$1\r\n0\r\n*0"
	}
	return "+OK"
}

// TestServe_Metrics: the metrics listener has metrics and health, and nothing else has metrics.
func TestServe_Metrics(t *testing.T) {
	d := newDay(t, fmt.Sprintf("targets: {photo-app: {principal: %q, region: %s}}",
		service.DemoPrincipal, service.DemoRegion))
	d.ask(t, 200, "alice", "photo-app", nil)
	d.ask(t, 200, "alice", "photo-app", nil)
	for series, want := range map[string]string{
		`delegation_exchanges_total{delegation_cache="hit",delegation_outcome="allowed",` +
			`delegation_target="photo-app"}`: "1",
		`delegation_sts_calls_total{cloud_region="eu-central-1"}`:       "1",
		`delegation_redis_operations_total{delegation_operation="put"}`: "1",
		`delegation_reload_last_successful`:                             "1",
	} {
		if got := d.value(t, series); got != want {
			t.Errorf("%s: %s, want %s", series, got, want)
		}
	}
	for _, path := range []string{"/live", "/ready", "/ready?verbose"} {
		if status, body := get(t, d.client, d.metrics+path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, address := range []string{d.url + "/metrics", d.metrics + "/delegation"} {
		if status, _ := get(t, d.client, address); status != http.StatusNotFound {
			t.Errorf("%s: %d", address, status)
		}
	}
}
