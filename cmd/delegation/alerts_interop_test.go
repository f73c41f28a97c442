//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// promtool runs Prometheus's checker, which has to be content.
func promtool(t testing.TB, args ...string) {
	t.Helper()
	needs(t, "promtool", "prometheus")
	if code, stdout, stderr := program(t, nil, "", "promtool", args...); code != 0 {
		t.Errorf("promtool %q: exit code %d\n%s%s", args, code, stdout, stderr)
	}
}

// TestInterop_Queries: Prometheus can read the alert rules, and each query of the dashboard and of
// docs/operations.md, which promtool gets as a rule.
func TestInterop_Queries(t *testing.T) {
	promtool(t, "check", "rules", alertsFile)
	all := dashboardQueries(t)
	documented := documentedQueries(t)
	if len(all) < 20 || len(documented) < 10 {
		t.Errorf("only %d and %d queries are found", len(all), len(documented))
	}
	maps.Copy(all, documented)
	type rule struct {
		Alert  string            `json:"alert"`
		Expr   string            `json:"expr"`
		Labels map[string]string `json:"labels"`
	}
	var queries []rule
	for _, where := range slices.Sorted(maps.Keys(all)) {
		queries = append(queries, rule{"Query", all[where], map[string]string{"where": where}})
	}
	file := map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": queries}}}
	w := &world{folder: t.TempDir()}
	promtool(t, "check", "rules", w.write(t, "queries.yaml", string(must(json.Marshal(file)))))
}

// fault is something that goes wrong in a service that runs well.
type fault struct {
	// what happens
	name string
	// before it, how the service is set up
	settings string
	target   []string
	prepare  func(*testing.T, *watched)
	// happens is the fault, and then is done in each minute after it; nil: what is usual.
	happens func(*testing.T, *watched)
	then    func(*testing.T, *watched)
	// fires has the alerts that fire so many minutes after it, and no others do.
	fires map[int][]string
	// repair ends it, and some minutes later nothing fires any more. nil: it is not tried.
	repair   func(*testing.T, *watched)
	repaired int
}

// Faults of STS that the AWS SDK does not retry, because it pauses by the real time before.
var (
	down      = ststest.Status(599)
	throttled = ststest.Refuse(http.StatusTooManyRequests, "TooMany", "Rate exceeded")
)

// normalMinutes is how long a service runs well before a fault.
const normalMinutes = 20

// faults has at least one for each alert of deploy/prometheus/alerts.yaml.
var faults = []fault{
	{
		name: "a reload brings a rule that does not work",
		happens: func(t *testing.T, s *watched) {
			s.reloadWith(t, s.script(t, "throw new Error('no');"))
		},
		fires: map[int][]string{
			4:  {},
			8:  {"DelegationNobodyGetsIn"},
			15: {"DelegationExchangesFail", "DelegationNobodyGetsIn"},
		},
		repair:   func(t *testing.T, s *watched) { s.reloadWith(t, "") },
		repaired: 15,
	},
	{
		name: "a rule does not work for one user in four",
		happens: func(t *testing.T, s *watched) {
			s.reloadWith(t, s.script(t,
				"if (user.email === 'alice@example.com') { throw new Error('no'); }"))
		},
		fires: map[int][]string{
			8:  {},
			15: {"DelegationExchangesFail"},
		},
	},
	{
		name: "the role's trust policy is changed, and one user comes",
		happens: func(t *testing.T, s *watched) {
			s.aws.Script(ststest.Refuse(http.StatusForbidden, "AccessDenied",
				"User is not authorized to perform: sts:AssumeRoleWithSAML"))
			s.ask(t, s.stranger(nil))
		},
		then:  func(*testing.T, *watched) {},
		fires: map[int][]string{1: {"DelegationAWSRefuses"}, 10: {"DelegationAWSRefuses"}, 20: {}},
	},
	{
		name: "the key service refuses to sign, and one user comes",
		prepare: func(t *testing.T, s *watched) {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
			s.signInService(t)
		},
		happens: func(t *testing.T, s *watched) {
			s.keyRefuses.Store(true)
			s.ask(t, s.stranger(nil))
		},
		then:  func(*testing.T, *watched) {},
		fires: map[int][]string{1: {"DelegationSigningFails"}, 20: {}},
	},
	{
		name: "no signature can be made in time, and one user comes",
		happens: func(t *testing.T, s *watched) {
			s.write(t, "delegation.yaml", s.text+"signing_timeout: 1ns\n")
			s.service.mustReload(t)
			s.ask(t, s.stranger(nil))
		},
		then:  func(*testing.T, *watched) {},
		fires: map[int][]string{1: {"DelegationSigningFails"}, 20: {}},
	},
	{
		name: "the clock of the issuer is 10 minutes ahead",
		then: func(t *testing.T, s *watched) {
			at := s.clock.Now().Add(10 * time.Minute)
			for range 2 {
				s.ask(t, s.stranger(map[string]any{
					"iat": at.Unix(), "exp": at.Add(time.Hour).Unix(),
				}))
			}
		},
		fires: map[int][]string{4: {}, 10: {"DelegationClockWrong"}},
	},
	{
		name: "somebody tries unsigned tokens",
		happens: func(t *testing.T, s *watched) {
			for range 25 {
				s.ask(t, s.unsigned())
			}
		},
		fires: map[int][]string{1: {"DelegationForgedTokens"}, 20: {}},
	},
	{
		name: "a reload brings a rule that lets nobody in",
		happens: func(t *testing.T, s *watched) {
			s.reloadWith(t, "  - allow_connections: [none]")
		},
		fires:    map[int][]string{15: {}, 32: {"DelegationManyDenied"}},
		repair:   func(t *testing.T, s *watched) { s.reloadWith(t, "") },
		repaired: 15,
	},
	{
		name: "the issuer is slow to answer with its keys",
		happens: func(_ *testing.T, s *watched) {
			s.onIssuer = func() { s.clock.Advance(2 * time.Second) }
		},
		then: func(t *testing.T, s *watched) {
			s.usual(t)
			s.ask(t, s.unknownKey(t))
		},
		fires: map[int][]string{5: {}, 16: {"DelegationStageSlow"}},
	},
	{
		name: "the issuer is down while it changes its key",
		happens: func(t *testing.T, s *watched) {
			s.provider.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
			s.ask(t, s.unknownKey(t))
		},
		fires: map[int][]string{9: {}, 12: {"DelegationIssuerKeysFail"}},
		repair: func(t *testing.T, s *watched) {
			s.provider.SetFaults(oidctest.Faults{})
			s.ask(t, s.unknownKey(t))
		},
		repaired: 1,
	},
	{
		name: "the issuer is down until its keys are about to end",
		happens: func(t *testing.T, s *watched) {
			s.provider.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
			s.ask(t, s.unknownKey(t))
			s.clock.Advance(20 * time.Hour)
		},
		fires: map[int][]string{1: {"DelegationIssuerKeysEnd", "DelegationIssuerKeysFail"}},
	},
	{
		name:    "nobody makes a new signing key",
		prepare: func(t *testing.T, s *watched) { s.signingCertificate(t, 60*24*time.Hour) },
		happens: func(_ *testing.T, s *watched) { s.clock.Advance(35 * 24 * time.Hour) },
		fires:   map[int][]string{1: {"DelegationSigningCertificateEnds"}},
	},
	{
		name:    "nobody makes a new signing key for longer",
		prepare: func(t *testing.T, s *watched) { s.signingCertificate(t, 60*24*time.Hour) },
		happens: func(_ *testing.T, s *watched) { s.clock.Advance(54 * 24 * time.Hour) },
		fires:   map[int][]string{1: {"DelegationSigningCertificateEndsSoon"}},
	},
	{
		name:     "the TLS certificate is not renewed",
		settings: "tls: {certificate_file: tls.crt, key_file: tls.key}",
		prepare:  func(t *testing.T, s *watched) { s.tlsCertificate(t, 60*24*time.Hour) },
		happens:  func(_ *testing.T, s *watched) { s.clock.Advance(50 * 24 * time.Hour) },
		fires:    map[int][]string{1: {"DelegationTLSCertificateEnds"}},
		repair:   func(t *testing.T, s *watched) { s.tlsCertificate(t, 120*24*time.Hour) },
		repaired: 2,
	},
	{
		name:     "the TLS certificate is not renewed for longer",
		settings: "tls: {certificate_file: tls.crt, key_file: tls.key}",
		prepare:  func(t *testing.T, s *watched) { s.tlsCertificate(t, 60*24*time.Hour) },
		happens:  func(_ *testing.T, s *watched) { s.clock.Advance(58 * 24 * time.Hour) },
		fires:    map[int][]string{1: {"DelegationTLSCertificateEndsSoon"}},
	},
	{
		name:    "the certificate of the issuer's server is not renewed",
		prepare: func(t *testing.T, s *watched) { s.serveIssuerOverTLS(t, 60*24*time.Hour) },
		happens: func(_ *testing.T, s *watched) { s.clock.Advance(1410 * time.Hour) },
		fires:   map[int][]string{1: {"DelegationIssuerCertificateEnds"}},
	},
	{
		name: "STS is down, and there is one region",
		happens: func(_ *testing.T, s *watched) {
			s.aws.Script(ststest.Repeat(10000, down))
		},
		fires: map[int][]string{
			4: {},
			9: {"DelegationNobodyGetsIn", "DelegationSTSDown"},
		},
		repair:   func(_ *testing.T, s *watched) { s.aws.Script() },
		repaired: 15,
	},
	{
		name:   "STS is down in both regions",
		target: []string{"failover_regions: [eu-west-1]"},
		happens: func(_ *testing.T, s *watched) {
			s.aws.Script(ststest.Repeat(10000, down))
		},
		fires: map[int][]string{
			4: {},
			9: {"DelegationNobodyGetsIn", "DelegationSTSDown"},
			15: {
				"DelegationExchangesFail", "DelegationNobodyGetsIn", "DelegationSTSDown",
				"DelegationSTSRegionDown",
			},
		},
	},
	{
		name:   "STS is down in the first of two regions",
		target: []string{"failover_regions: [eu-west-1]"},
		happens: func(t *testing.T, s *watched) {
			s.aws.Script(down, ststest.Fault{}, down, ststest.Fault{}, down)
			for range 3 {
				s.ask(t, s.stranger(nil))
			}
		},
		then: func(t *testing.T, s *watched) { // once in a minute the region is tried
			s.aws.Script(down)
			s.usual(t)
		},
		fires: map[int][]string{9: {}, 12: {"DelegationSTSRegionDown"}},
	},
	{
		name: "STS is slow",
		happens: func(_ *testing.T, s *watched) {
			s.onSTS = func() { s.clock.Advance(3 * time.Second) }
		},
		fires: map[int][]string{8: {}, 14: {"DelegationSTSSlow"}},
	},
	{
		name: "AWS throttles",
		then: func(t *testing.T, s *watched) {
			s.aws.Script(throttled)
			s.usual(t)
		},
		fires: map[int][]string{
			6:  {},
			12: {"DelegationExchangesFail", "DelegationSTSThrottled"},
		},
	},
	{
		name:    "the service ends",
		happens: func(_ *testing.T, s *watched) { s.service.stop() },
		then:    func(*testing.T, *watched) {},
		fires: map[int][]string{
			2: {},
			4: {"DelegationDown"},
			8: {"DelegationAbsent", "DelegationDown"},
		},
	},
	{
		name:    "the service starts again and again",
		happens: func(t *testing.T, s *watched) { s.restart(t) },
		then:    func(t *testing.T, s *watched) { s.restart(t) },
		fires:   map[int][]string{1: {}, 2: {"DelegationRestarts"}},
	},
	{
		name: "Redis is killed",
		prepare: func(t *testing.T, s *watched) {
			url, kill := s.startRedis(t)
			s.killRedis = kill
			s.more = fmt.Sprintf(`
cache: {shared: true}
redis:
  url: %q
  username: delegation
  password_file: password.txt
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}
  keys: [{id: one, secret_file: one.key}]
  prefix: "team:"
  timeout: 20s
`, url)
		},
		happens: func(_ *testing.T, s *watched) { s.killRedis() },
		fires:   map[int][]string{3: {}, 9: {"DelegationRedisDown"}},
	},
	{
		name:     "one address sends too many requests",
		settings: "limits: {requests_per_address: 20}",
		then: func(t *testing.T, s *watched) {
			for range 40 {
				s.ask(t, "no token")
			}
		},
		fires: map[int][]string{4: {}, 9: {"DelegationRequestsRefused"}},
	},
	{
		name:     "the disk of the audit file is full, and one user comes",
		settings: "audit: {file: audit.jsonl, on_failure: continue}",
		happens: func(t *testing.T, s *watched) {
			file := filepath.Join(s.folder, "audit.jsonl")
			if err := os.Rename(file, file+".1"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/dev/full", file); err != nil {
				t.Fatal(err)
			}
			if status, body := s.ask(t, s.stranger(nil)); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		},
		then:  func(*testing.T, *watched) {},
		fires: map[int][]string{1: {"DelegationAuditFails"}, 20: {}},
	},
	{
		name: "a reload finds a mistake",
		happens: func(t *testing.T, s *watched) {
			s.write(t, "delegation.yaml", "targts: {}")
			if line := s.service.reload(t); !strings.Contains(line, "configuration not reloaded") {
				t.Fatal(line)
			}
		},
		fires:    map[int][]string{0: {}, 2: {"DelegationReloadRefused"}},
		repair:   func(t *testing.T, s *watched) { s.reloadWith(t, "") },
		repaired: 1,
	},
}

// TestInterop_Alerts: each alert of deploy/prometheus/alerts.yaml fires after a fault, and nothing
// fires before it. A service runs well, and then something happens to it. What its metrics are in
// each minute goes to promtool, which evaluates the rules as Prometheus does.
func TestInterop_Alerts(t *testing.T) {
	needs(t, "promtool", "prometheus")
	alerts, _ := rules(t)
	fired := map[string]bool{}
	for _, f := range faults {
		for _, names := range f.fires {
			for _, name := range names {
				fired[name] = true
			}
		}
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) { f.try(t, alerts) })
	}
	for _, rule := range alerts {
		if !fired[rule.Alert] {
			t.Errorf("no fault fires %s", rule.Alert)
		}
		delete(fired, rule.Alert)
	}
	for name := range fired {
		t.Errorf("there is no alert %s", name)
	}
}

// try lets the fault happen, and has promtool judge what fires.
func (f fault) try(t *testing.T, alerts []alertRule) {
	s := newWatched(t)
	if f.prepare != nil {
		f.prepare(t, s)
	}
	s.start(t, f.settings, f.target...)
	s.pass(t, normalMinutes, func() { s.usual(t) })
	checks := []promqlCheck{silent(s.minutes-1, normalMinutes)}
	if f.happens != nil {
		f.happens(t, s)
	}
	begin := s.minutes
	s.pass(t, slices.Max(slices.Collect(maps.Keys(f.fires)))+1, func() {
		if f.then == nil {
			s.usual(t)
			return
		}
		f.then(t, s)
	})
	for minute, names := range f.fires {
		checks = append(checks, firing(begin+minute, names...))
		for _, rule := range alerts {
			if slices.Contains(names, rule.Alert) {
				checks = append(checks, labelled(begin+minute, rule))
			}
		}
	}
	if f.repair != nil {
		f.repair(t, s)
		s.pass(t, f.repaired+1, func() { s.usual(t) })
		checks = append(checks, firing(s.minutes-1))
	}
	s.judge(t, checks...)
}

// TestInterop_NormalDay: nothing fires in twelve hours with what any service meets: a night with
// some failures, a rush, tokens that are too old, a scanner, a change of the issuer's key, a
// reload, some calls of STS that fail, are throttled or slow, and a restart.
func TestInterop_NormalDay(t *testing.T) {
	needs(t, "promtool", "prometheus")
	s := newWatched(t)
	s.start(t, "")
	once := map[int]func(){
		30:  func() { s.ask(t, "no token") },
		45:  func() { s.failOnce(t, down) },
		48:  func() { s.failOnce(t, down) },
		51:  func() { s.failOnce(t, down) },
		200: func() { must(s.provider.Rotate()) },
		300: func() { s.reloadWith(t, "") },
		330: func() { s.failOnce(t, throttled) },
		331: func() { s.failOnce(t, throttled) },
		400: func() { s.failOnce(t, ststest.Missing("Credentials")) },
		450: func() {
			for range 8 {
				s.ask(t, s.unsigned())
			}
		},
		500: func() { s.onSTS = func() { s.clock.Advance(3 * time.Second) } },
		501: func() { s.onSTS = func() {} },
		600: func() {
			s.service.stop()
			s.service = serveReloadableAt(t, s.clock.Now, s.file)
		},
	}
	minute := 0
	s.pass(t, 12*60, func() {
		if do := once[minute]; do != nil {
			do()
		}
		switch {
		case minute < 60: // nobody is awake
		case minute < 120:
			s.usual(t)
			s.usual(t)
		default:
			s.usual(t)
		}
		minute++
	})
	s.judge(t, silent(s.minutes-1, s.minutes))
}

// failOnce has the next call of STS fail, and somebody make it.
func (s *watched) failOnce(t *testing.T, f ststest.Fault) {
	t.Helper()
	s.aws.Script(f)
	if status, body := s.ask(t, s.stranger(nil)); status == http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

// unsigned is a token that says that it needs no signature.
func (s *watched) unsigned() string {
	claims := strings.Split(s.stranger(nil), ".")[1]
	return "eyJhbGciOiJub25lIn0." + claims + "." // {"alg":"none"}
}
