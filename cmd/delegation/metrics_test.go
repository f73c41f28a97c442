package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
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

// newDay serves a configuration with these targets.
func newDay(t *testing.T, targets string) *day {
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
	d.writeTLS(t, 1)
	d.writeConfig(t, targets, "")
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

// writeConfig writes a configuration with these targets, and more settings of sts.
func (d *day) writeConfig(t *testing.T, targets, sts string) {
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
sts: {endpoint: %q, %s}
cache: {shared: true}
redis:
  url: redis://%s
  timeout: 1m
  keys: [{id: one, secret_file: one.key}]
%s`, d.issuerURL, service.DemoRole, d.awsURL, sts, d.redis.address, targets))
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
	deadline := time.After(patience)
	for {
		for line := range strings.Lines(d.logs.String()) {
			var entry map[string]any
			if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
				return entry
			}
		}
		select {
		case <-d.logs.lines: // a new line
		case <-deadline:
			t.Fatalf("the log has no %q: %s", message, d.logs)
		}
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

// value returns what a series has, "none" if it is not there.
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

// goldenMetrics is what Prometheus reads after the scripted day. docs/service.md leads to it.
const goldenMetrics = "testdata/metrics.txt"

// TestServe_MetricsOfADay: what happens is counted, once, under the right name. By the end of the
// day credentials were handed out and refused, STS, an issuer and Redis were down, and the
// configuration was reloaded, well and badly. What the last reload removed has no gauge any more,
// and its counters stay.
func TestServe_MetricsOfADay(t *testing.T) {
	photos := fmt.Sprintf("principal: %q, region: %s, failover_regions: [eu-west-1]",
		service.DemoPrincipal, service.DemoRegion)
	billing := fmt.Sprintf("  billing: {principal: %q, region: %s, audiences: [photo-app]}\n",
		service.DemoPrincipal, service.DemoRegion)
	targets := fmt.Sprintf("targets:\n  photo-app: {%s}\n", photos)
	d := newDay(t, targets+billing)
	exchange := func(status int, user, target string, claims map[string]any) {
		t.Helper()
		d.ask(t, status, user, target, claims)
	}

	// Keys are refreshed each hour, in the background of an exchange.
	age := fmt.Sprintf("delegation_issuer_keys_age_seconds{delegation_issuer=%q}", d.issuerURL)
	failing := strings.Replace(age, "_age_", "_failing_", 1)

	// Credentials, and once more from the cache.
	exchange(200, "alice", "photo-app", nil)
	exchange(200, "alice", "photo-app", nil)
	exchange(200, "bob", "billing", nil)

	// Refusals. Nobody can make a series by what they ask for.
	d.at("10:00")
	exchange(401, "carol", "photo-app", map[string]any{"email_verified": false})
	d.waitFor(t, age, "0")
	exchange(401, "carol", "photo-app", map[string]any{"groups": []string{"guests"}})
	exchange(400, "carol", "photo-app", map[string]any{"exp": morning.Unix()})
	for i := range 3 {
		exchange(404, "mallory", fmt.Sprintf("canary-%d", i), nil)
	}
	if status, _ := get(t, d.client, d.url+"/canary-path"); status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", status)
	}
	large := url.Values{"id_token": {strings.Repeat("x", 100_000)}}
	status, _ := post(t, d.client, d.url+"/delegation", large)
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", status)
	}

	// STS answers nobody, in either region. That takes real time, so it is short.
	d.at("11:00")
	d.reconfigure(t, targets+billing, "timeout: 50ms")
	d.aws.Script(ststest.Repeat(100, ststest.Hang()))
	for _, user := range []string{"dave", "erin", "frank"} {
		exchange(503, user, "photo-app", nil)
	}
	d.waitFor(t, age, "0")
	d.wantValue(t, `delegation_sts_breaker_open{cloud_region="eu-central-1"}`, "1")
	d.wantValue(t, `delegation_sts_breaker_open{cloud_region="eu-west-1"}`, "1")
	d.aws.Script()
	d.reconfigure(t, targets+billing, "")
	exchange(200, "dave", "photo-app", nil)

	// The issuer's keys cannot be refreshed, and exchanges go on with those that are known.
	d.at("12:00")
	d.provider.SetFaults(oidctest.Faults{Status: 503})
	exchange(200, "grace", "photo-app", nil)
	d.logged(t, "issuer's keys not refreshed")
	d.at("12:30")
	d.wantValue(t, failing, "1800")
	d.provider.SetFaults(oidctest.Faults{})
	exchange(200, "grace", "photo-app", nil) // begins a refresh
	d.waitFor(t, failing, "0")

	// Redis has no memory for more.
	d.at("13:00")
	d.redis.setFull(true)
	exchange(200, "heidi", "photo-app", nil)
	d.redis.setFull(false)

	// A reload that is refused, and one that takes a target and a region away.
	d.at("14:00")
	d.writeConfig(t, "targts: {}", "")
	if line := d.reload(t); !strings.Contains(line, "configuration not reloaded") {
		t.Errorf("a broken configuration: %s", line)
	}
	d.wantValue(t, "delegation_reload_last_successful", "0")
	d.reconfigure(t, strings.Replace(targets, ", failover_regions: [eu-west-1]", "", 1), "")
	d.wantValue(t, `delegation_sts_breaker_open{cloud_region="eu-west-1"}`, "none")
	exchange(404, "bob", "billing", nil)
	d.waitFor(t, age, "0")

	d.at("15:00")
	got := d.excerpt(t)
	if *update {
		if err := os.WriteFile(goldenMetrics, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := string(must(os.ReadFile(goldenMetrics)))
	for line := range strings.Lines(got) {
		if !strings.Contains(want, line) {
			t.Errorf("unexpected: %s", line)
		}
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
}

// reconfigure reloads a configuration with these targets and settings of sts.
func (d *day) reconfigure(t *testing.T, targets, sts string) {
	t.Helper()
	d.writeConfig(t, targets, sts)
	d.mustReload(t)
}

// excerpt is what Prometheus reads, without the buckets of histograms and what is not ours, and
// with fixed names for what differs from run to run.
func (d *day) excerpt(t *testing.T) string {
	t.Helper()
	names := strings.NewReplacer(
		d.issuerURL, "https://tenant.example.com/",
		fingerprint(delegationtest.SigningKey()), "0123456789abcdef",
	)
	var lines []string
	for _, line := range d.scrape(t) {
		ours := strings.HasPrefix(line, "delegation_") || strings.HasPrefix(line, "http_")
		if ours && !strings.Contains(line, "_bucket{") && !strings.Contains(line, "build_info") {
			lines = append(lines, names.Replace(line))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// waitFor waits until a series has a value.
func (d *day) waitFor(t *testing.T, series, want string) {
	t.Helper()
	deadline := time.After(patience)
	often := time.NewTicker(time.Millisecond)
	defer often.Stop()
	for d.value(t, series) != want {
		select {
		case <-often.C:
		case <-deadline:
			t.Fatalf("%s is %s, want %s", series, d.value(t, series), want)
		}
	}
}

func (d *day) wantValue(t *testing.T, series, want string) {
	t.Helper()
	if got := d.value(t, series); got != want {
		t.Errorf("%s is %s, want %s", series, got, want)
	}
}

// TestServe_MetricsNameNobody: callers put canaries into all that they choose, again and again.
// None is in a metric, and after the first caller there is no new series.
func TestServe_MetricsNameNobody(t *testing.T) {
	d := newDay(t, fmt.Sprintf("targets: {photo-app: {principal: %q, region: %s}}",
		service.DemoPrincipal, service.DemoRegion))
	call := func(number int) {
		canary := fmt.Sprintf("canary-%d", number)
		header, claims := map[string]any{}, map[string]any{
			"sub": canary, "aud": canary, "email": canary + "@example.com", "name": canary,
			"groups": []string{canary}, "email_verified": true,
		}
		tokens := []string{
			canary,
			must(d.provider.SignIDToken(claims)),
			unsigned(map[string]any{"alg": canary}, claims),
			unsigned(map[string]any{"alg": "RS256", "kid": canary}, claims),
			unsigned(header, map[string]any{"iss": "https://" + canary + ".example.com/"}),
		}
		for _, token := range tokens {
			form := delegationForm(token)
			form.Set("target", canary)
			form.Set("client_id", canary)
			form.Set("scope", canary)
			request := must(http.NewRequestWithContext(t.Context(), http.MethodPost,
				d.url+"/delegation?"+canary, strings.NewReader(form.Encode())))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("User-Agent", canary)
			request.Header.Set("X-Request-Id", canary)
			request.Header.Set("Origin", "https://"+canary+".example.com")
			do(t, d.client, request)
		}
		for _, path := range []string{"/" + canary, "/metadata/" + canary} {
			do(t, d.client, must(http.NewRequestWithContext(t.Context(),
				strings.ToUpper(canary), d.url+path, nil)))
		}
	}
	series := func() (names []string) {
		for _, line := range d.scrape(t) {
			name, _, _ := strings.Cut(line, "} ")
			if strings.Contains(strings.ToLower(line), "canary") {
				t.Errorf("a caller chose what is in %s", line)
			}
			if strings.HasPrefix(line, "delegation_") || strings.HasPrefix(line, "http_") {
				names = append(names, name)
			}
		}
		return names
	}
	call(0)
	before := series()
	for i := range 50 {
		call(i + 1)
	}
	if after := series(); len(before) < 20 || len(after) != len(before) {
		t.Errorf("%d series after one caller, %d after 50 more", len(before), len(after))
	}
}

// unsigned is a token with a signature that fits nothing.
func unsigned(header, claims map[string]any) string {
	part := func(value any) string {
		return base64.RawURLEncoding.EncodeToString(must(json.Marshal(value)))
	}
	return part(header) + "." + part(claims) + "." + part("x")
}

// TestServe_MetricsOfCertificates: each signing key has its time, and so has the certificate of
// HTTPS. After a rollover the old key's is gone.
func TestServe_MetricsOfCertificates(t *testing.T) {
	d := newDay(t, fmt.Sprintf("targets: {photo-app: {principal: %q, region: %s}}\n",
		service.DemoPrincipal, service.DemoRegion)+
		"tls: {certificate_file: tls.crt, key_file: tls.key}")
	remaining := func(kind, name string) string {
		return d.value(t, fmt.Sprintf("delegation_certificate_remaining_seconds{"+
			"delegation_certificate=%q,delegation_name=%q}", kind, name))
	}
	old := fingerprint(delegationtest.SigningKey())
	next := fingerprint(delegationtest.NextSigningKey())
	if before, none := remaining("signing", old), remaining("signing", next); before == "none" ||
		none != "none" {
		t.Errorf("before: %s and %s", before, none)
	}
	if tls := must(strconv.ParseFloat(remaining("tls", "tls.crt"), 64)); tls < 0 {
		t.Errorf("TLS: %v", tls)
	}
	certificate, key := keyPEM(delegationtest.NextSigningKey())
	d.write(t, "signing.crt", certificate)
	d.write(t, "signing.key", key)
	d.mustReload(t)
	if none, after := remaining("signing", old), remaining("signing", next); none != "none" ||
		after == "none" {
		t.Errorf("after: %s and %s", none, after)
	}
}

// fingerprint is what metrics call a signing key.
func fingerprint(k delegation.SigningKey) string {
	return fmt.Sprintf("%x", sha256.Sum256(k.Certificate.Raw))[:16]
}

// otlpCollector keeps what OTLP sends, by path.
type otlpCollector struct {
	url string

	mu  sync.Mutex
	got map[string]string
}

func newOTLPCollector(t *testing.T) *otlpCollector {
	t.Helper()
	c := &otlpCollector{got: map[string]string{}}
	c.url = serveURL(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got[r.URL.Path] += string(body)
	}))
	return c
}

// exchangeAndStop runs the program in a process of its own, which sends to the collector, for one
// exchange.
func (c *otlpCollector) exchangeAndStop(
	t *testing.T, file, token, traceparent string,
) {
	t.Helper()
	s := start(t, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_SERVICE_NAME=photo-credentials",
	}, "serve", "--config", file)
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/delegation",
		strings.NewReader(delegationForm(token).Encode())))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Traceparent", traceparent)
	request.Header.Set("X-Forwarded-For", "192.0.2.1")
	if status, body := do(t, client(nil), request); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.logs)
	}
}

// TestServe_OTLP: with OpenTelemetry's variables alone, metrics and traces are at a collector when
// the program has ended. They name no user and no token.
func TestServe_OTLP(t *testing.T) {
	c := newOTLPCollector(t)
	w := newWorld(t)
	token := w.token(map[string]any{"sub": "canary", "name": "canary"})
	c.exchangeAndStop(t, w.configFile(t, ""), token, "")
	for path, wants := range map[string][]string{
		"/v1/traces":  {"POST /delegation", "delegation.exchange", "delegation.sts"},
		"/v1/metrics": {"delegation.exchanges", "delegation.sts.calls", "delegation.build.info"},
	} {
		for _, want := range append(wants, "photo-credentials") {
			if !strings.Contains(c.got[path], want) {
				t.Errorf("%s has no %s: %q", path, want, c.got[path])
			}
		}
		signature := token[strings.LastIndex(token, ".")+1:]
		for _, secret := range []string{"canary", "alice@example.com", signature} {
			if strings.Contains(c.got[path], secret) {
				t.Errorf("%s has %s", path, secret)
			}
		}
	}
}

// TestServe_OTLPCallersTrace: a caller decides whether a request is traced only behind a proxy of
// the operator's. This one wants it not to be.
func TestServe_OTLPCallersTrace(t *testing.T) {
	const unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	for more, traced := range map[string]bool{
		"":                           true,
		"http: {trusted_proxies: 1}": false,
	} {
		c := newOTLPCollector(t)
		w := newWorld(t)
		c.exchangeAndStop(t, w.configFile(t, more), w.token(nil), unsampled)
		if got := strings.Contains(c.got["/v1/traces"], "POST /delegation"); got != traced {
			t.Errorf("%q: traced %t", more, got)
		}
	}
}

// TestServe_OTLPWrongVariable: it does not start with a variable that would be ignored, and says
// what to set.
func TestServe_OTLPWrongVariable(t *testing.T) {
	w := newWorld(t)
	out := newOutput()
	code := run(t.Context(), []string{"serve", "--config", w.configFile(t, "")}, surroundings{
		environment: []string{
			"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		},
		stdout: out,
		stderr: out,
	})
	want := `delegation: environment variable OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not ` +
		"supported: set it to http/protobuf, and the endpoint to the collector's port for HTTP, " +
		"usually 4318"
	if code != exitUsage || !strings.Contains(out.String(), want) {
		t.Errorf("exit code %d: %s", code, out)
	}
}
