//go:build interop

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// watched is a service whose metrics are read each minute of its clock, as Prometheus would do. The
// clock is moved by the test, so an hour takes as long as its exchanges.
type watched struct {
	*world
	clock   *delegationtest.Clock
	service *reloadable
	client  *http.Client
	file    string   // the configuration
	text    string   // what is in it, before a test changes it
	more    string   // settings that a test adds
	edits   []string // pairs: what a test replaces in the configuration, and by what

	minutes int
	values  map[string][]string // of each series, one for each minute
	users   int                 // that came
	serial  int64               // of certificates

	killRedis  func()
	keyRefuses atomic.Bool // the key service

	// While an issuer or AWS answers, these may move the clock.
	onIssuer, onSTS func()
}

// newWatched is a world whose parts share a clock that begins now. Nothing runs yet.
func newWatched(t testing.TB) *watched {
	t.Helper()
	s := &watched{
		clock: delegationtest.NewClock(time.Now().Truncate(time.Second)),
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // tests change certificates
		}},
		values:   map[string][]string{},
		onIssuer: func() {},
		onSTS:    func() {},
	}
	s.world = &world{
		provider: must(oidctest.New(oidctest.Config{
			Key: delegationtest.IssuerKey(),
			Now: s.clock.Now,
		})),
		aws:    ststest.New(ststest.Config{Region: service.DemoRegion, Now: s.clock.Now}),
		folder: t.TempDir(),
	}
	s.issuerURL = serveHooked(t, s.provider, func() { s.onIssuer() })
	s.provider.SetIssuer(s.issuerURL)
	s.awsURL = serveHooked(t, s.aws, func() { s.onSTS() })
	s.setUp(t)
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// serveHooked serves a handler that calls hook before each answer.
func serveHooked(t testing.TB, h http.Handler, hook func()) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hook()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// start starts the service, with more lines of configuration and more settings of its target.
func (s *watched) start(t testing.TB, more string, target ...string) {
	t.Helper()
	s.file = s.configFile(t, "metrics_listen: 127.0.0.1:0\n"+more+s.more, target...)
	s.text = strings.NewReplacer(s.edits...).Replace(string(must(os.ReadFile(s.file))))
	s.write(t, "delegation.yaml", s.text)
	s.service = serveReloadableAt(t, s.clock.Now, s.file)
}

// ask exchanges a token, and returns the status and the answer.
func (s *watched) ask(t testing.TB, token string) (status int, body string) {
	t.Helper()
	return post(t, s.client, s.service.url+"/delegation", delegationForm(token))
}

// stranger is a token of a user who was not here before.
func (s *watched) stranger(claims map[string]any) string {
	s.users++
	all := map[string]any{
		"sub":   fmt.Sprintf("auth0|user-%d", s.users),
		"email": fmt.Sprintf("user-%d@example.com", s.users),
	}
	for name, value := range claims {
		all[name] = value
	}
	return s.token(all)
}

// usual is what comes in a minute: three users who were not here before, one who was, and now and
// then one with a token of yesterday.
func (s *watched) usual(t testing.TB) {
	t.Helper()
	for range 3 {
		s.ask(t, s.stranger(nil))
	}
	s.ask(t, s.token(nil))
	if s.minutes%7 == 0 {
		now := s.clock.Now()
		s.ask(t, s.stranger(map[string]any{
			"iat": now.Add(-25 * time.Hour).Unix(),
			"exp": now.Add(-24 * time.Hour).Unix(),
		}))
	}
}

// unknownKey is a token that names a key which nobody knows, so the issuer is asked for its keys.
func (s *watched) unknownKey(t testing.TB) string {
	t.Helper()
	payload := must(base64.RawURLEncoding.DecodeString(strings.Split(s.stranger(nil), ".")[1]))
	return must(s.provider.Sign(map[string]any{"kid": fmt.Sprint("unknown-", s.users)}, payload))
}

// reloadWith reloads after rules were added to the configuration's own.
func (s *watched) reloadWith(t testing.TB, rules string) {
	t.Helper()
	s.write(t, "delegation.yaml", strings.Replace(s.text, "\nsts: ", "\n"+rules+"\nsts: ", 1))
	s.service.mustReload(t)
}

// script is a JavaScript rule that does this before it goes on.
func (s *watched) script(t testing.TB, does string) (rule string) {
	t.Helper()
	s.folderOf(t, "rules", map[string]string{"rule.js": "function (user, context, callback) {\n" +
		does + "\ncallback(null, user, context);\n}\n"})
	return "  - javascript: {folder: rules, domain: tenant.example.com}"
}

// signingCertificate writes another certificate of the signing key, which AWS trusts.
func (s *watched) signingCertificate(t testing.TB, valid time.Duration) {
	t.Helper()
	key := delegationtest.SigningKey()
	der := s.certificate(t, key.Signer, valid)
	s.write(t, "signing.crt", pemBlock("CERTIFICATE", der))
	identity := delegationtest.Identity()
	identity.Keys = []delegation.SigningKey{
		{Signer: key.Signer, Certificate: must(x509.ParseCertificate(der))},
	}
	metadata := must(identity.Metadata())
	if err := s.aws.PutSAMLProvider(service.DemoPrincipal, metadata); err != nil {
		t.Fatal(err)
	}
}

// tlsCertificate writes another certificate of the service, which the next connection gets.
func (s *watched) tlsCertificate(t testing.TB, valid time.Duration) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	s.write(t, "tls.crt", pemBlock("CERTIFICATE", s.certificate(t, key, valid)))
	s.write(t, "tls.key", pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))))
	s.client.CloseIdleConnections()
}

// serveIssuerOverTLS serves the issuer with a certificate that is valid for so long.
func (s *watched) serveIssuerOverTLS(t testing.TB, valid time.Duration) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := s.certificate(t, key, valid)
	server := httptest.NewUnstartedServer(s.provider)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.write(t, "ca.pem", pemBlock("CERTIFICATE", der))
	s.edits = append(s.edits, "allow_loopback_http: true", "ca_file: ca.pem")
	s.issuerURL = server.URL
	s.provider.SetIssuer(server.URL)
}

// signInService has a key service on loopback sign in place of the key's file, as AWS KMS does.
func (s *watched) signInService(t testing.TB) {
	t.Helper()
	key := delegationtest.SigningKey().Signer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Message []byte }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		answer := map[string]any{
			"KeyId":             "arn:aws:kms:eu-central-1:123456789012:key/signing",
			"KeyUsage":          "SIGN_VERIFY",
			"KeySpec":           "RSA_2048",
			"SigningAlgorithm":  "RSASSA_PKCS1_V1_5_SHA_256",
			"SigningAlgorithms": []string{"RSASSA_PKCS1_V1_5_SHA_256"},
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch action := r.Header.Get("X-Amz-Target"); {
		case action == "TrentService.GetPublicKey":
			answer["PublicKey"] = must(x509.MarshalPKIXPublicKey(key.Public()))
		case s.keyRefuses.Load():
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]any{"__type": "AccessDeniedException", "message": "not allowed"}
		default:
			answer["Signature"] = must(key.Sign(rand.Reader, asked.Message, crypto.SHA256))
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	s.edits = append(s.edits, "key_file: signing.key", fmt.Sprintf(
		`signer: "awskms:///alias/signing?region=eu-central-1&endpoint=%s"`,
		url.QueryEscape(server.URL)))
}

// certificate makes a certificate for loopback that begins with the clock.
func (s *watched) certificate(t testing.TB, key crypto.Signer, valid time.Duration) (der []byte) {
	t.Helper()
	s.serial++
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(s.serial),
		Subject:               pkix.Name{CommonName: "watched"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             s.clock.Now().Add(-time.Hour),
		NotAfter:              s.clock.Now().Add(valid),
	}
	return must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
}

// restart starts the service as a process of its own, in place of the one before.
func (s *watched) restart(t testing.TB) {
	t.Helper()
	s.service.stop()
	s.service = &reloadable{served: start(t, nil, "serve", "--config", s.file)}
}

// pass lets minutes pass, in each of which something is done before the metrics are read.
func (s *watched) pass(t testing.TB, minutes int, do func()) {
	t.Helper()
	for range minutes {
		do()
		s.scrape(t)
		s.clock.Advance(time.Minute)
	}
}

// scrape reads the metrics, and adds what Prometheus adds.
func (s *watched) scrape(t testing.TB) {
	t.Helper()
	const added = `job="delegation",instance="10.0.0.1:9464"`
	present := map[string]string{}
	text, up := s.metrics(t)
	list, err := parseSeries(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		name, labels, _ := strings.Cut(one.text, "{")
		labels = strings.TrimSuffix(strings.TrimSuffix(labels, "}"), ",")
		if labels != "" {
			labels += ","
		}
		present[name+"{"+labels+added+"}"] = one.value
	}
	present["up{"+added+"}"] = "0"
	if up {
		present["up{"+added+"}"] = "1"
	}
	for name := range present {
		if s.values[name] == nil {
			s.values[name] = slices.Repeat([]string{"_"}, s.minutes)
		}
	}
	for name := range s.values {
		value, ok := present[name]
		switch last := len(s.values[name]) - 1; {
		case ok:
		case last >= 0 && s.values[name][last] != "_" && s.values[name][last] != "stale":
			value = "stale" // Prometheus marks the end of a series
		default:
			value = "_"
		}
		s.values[name] = append(s.values[name], value)
	}
	s.minutes++
}

// metrics is what the service answers at /metrics, and whether it does.
func (s *watched) metrics(t testing.TB) (text string, up bool) {
	t.Helper()
	address := s.service.metricsURL()
	response, err := http.Get(address + "/metrics")
	if err != nil {
		return "", false
	}
	defer response.Body.Close()
	body := must(io.ReadAll(response.Body))
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
	return string(body), true
}

// ruleTest is a file for promtool test rules.
type ruleTest struct {
	RuleFiles          []string        `json:"rule_files"`
	EvaluationInterval string          `json:"evaluation_interval"`
	Tests              []ruleTestGroup `json:"tests"`
}

type ruleTestGroup struct {
	Interval string        `json:"interval"`
	Series   []inputSeries `json:"input_series"`
	Checks   []promqlCheck `json:"promql_expr_test"`
}

type inputSeries struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

// promqlCheck says what an expression is at a time, completely.
type promqlCheck struct {
	Expr    string       `json:"expr"`
	At      string       `json:"eval_time"`
	Samples []promSample `json:"exp_samples"`
}

type promSample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

// firing says that these alerts fire in a minute, and no other.
func firing(minute int, alerts ...string) promqlCheck {
	return promqlCheck{
		Expr:    `max by (alertname) (ALERTS{alertstate="firing"})`,
		At:      fmt.Sprintf("%dm", minute),
		Samples: alertSamples(alerts),
	}
}

// silent says that nothing has fired in the minutes before a minute.
func silent(minute, minutes int) promqlCheck {
	return promqlCheck{
		Expr: fmt.Sprintf(
			`max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[%dm]))`, minutes),
		At:      fmt.Sprintf("%dm", minute),
		Samples: alertSamples(nil),
	}
}

// labelled says that an alert that fires in a minute has values for the labels that its text names.
func labelled(minute int, rule alertRule) promqlCheck {
	var having strings.Builder
	for _, text := range rule.Annotations {
		for _, label := range labelOfText.FindAllStringSubmatch(text, -1) {
			fmt.Fprintf(&having, `,%s!=""`, label[1])
		}
	}
	return promqlCheck{
		Expr: fmt.Sprintf(`max by (alertname) (ALERTS{alertstate="firing",alertname=%q%s})`,
			rule.Alert, having.String()),
		At:      fmt.Sprintf("%dm", minute),
		Samples: alertSamples([]string{rule.Alert}),
	}
}

var labelOfText = regexp.MustCompile(`\$labels\.(\w+)`)

func alertSamples(alerts []string) []promSample {
	samples := []promSample{}
	for _, name := range alerts {
		samples = append(samples, promSample{fmt.Sprintf("{alertname=%q}", name), 1})
	}
	return samples
}

// judge has promtool say whether the alerts fire as the checks say, on what was scraped.
func (s *watched) judge(t testing.TB, checks ...promqlCheck) {
	t.Helper()
	group := ruleTestGroup{Interval: "1m", Checks: checks}
	for name, values := range s.values {
		group.Series = append(group.Series, inputSeries{name, strings.Join(values, " ")})
	}
	slices.SortFunc(group.Series, func(a, b inputSeries) int {
		return strings.Compare(a.Series, b.Series)
	})
	rules := s.write(t, "alerts.yaml", string(must(os.ReadFile(alertsFile))))
	file := ruleTest{
		RuleFiles:          []string{rules},
		EvaluationInterval: "1m",
		Tests:              []ruleTestGroup{group},
	}
	promtool(t, "test", "rules", s.write(t, "test.yaml", string(must(json.Marshal(file)))))
}
