package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// reloadable is a delegation serve in this process that reloads when the test says so.
type reloadable struct {
	*served
	hangup chan<- os.Signal
	ended  chan string // the line of the log that ends a reload
}

// Write is the program's standard error. Each call has one line. Who learns of the end of a reload
// finds it in the log.
func (r *reloadable) Write(line []byte) (int, error) {
	n, err := r.logs.Write(line)
	if bytes.Contains(line, []byte(`"msg":"configuration `)) {
		r.ended <- string(line)
	}
	return n, err
}

func serveReloadable(t testing.TB, file string, environment ...string) *reloadable {
	t.Helper()
	return serveReloadableAt(t, nil, file, environment...)
}

// serveReloadableAt is serveReloadable with a clock, which is time.Now if it is nil.
func serveReloadableAt(
	t testing.TB, now func() time.Time, file string, environment ...string,
) *reloadable {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &reloadable{
		served: &served{said: newOutput(), logs: newOutput()},
		ended:  make(chan string, 100),
	}
	notified := make(chan chan<- os.Signal, 1)
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--config", file}, surroundings{
			environment: environment,
			stdout:      r.said,
			stderr:      r,
			now:         now,
			notify: func(c chan<- os.Signal, signals ...os.Signal) {
				if len(signals) != 1 || signals[0] != syscall.SIGHUP {
					t.Errorf("it asks for %v", signals)
				}
				notified <- c
			},
		})
	}()
	r.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { r.stop() })
	r.hangup = <-notified
	r.url = r.address(t)
	return r
}

// reload sends the signal, and returns the line of the log that says what came of it.
func (r *reloadable) reload(t testing.TB) string {
	t.Helper()
	r.hangup <- syscall.SIGHUP
	select {
	case line := <-r.ended:
		return line
	case <-time.After(patience):
		t.Fatalf("no reload: %s", r.logs)
		return ""
	}
}

// mustReload reloads, and fails the test if that is refused.
func (r *reloadable) mustReload(t testing.TB) {
	t.Helper()
	if line := r.reload(t); !strings.Contains(line, `"msg":"configuration reloaded"`) {
		t.Fatalf("refused: %s", line)
	}
}

// roleOf returns the number of the role in an answer, which the versions of a configuration have.
func roleOf(status int, body string) (int, error) {
	var answer struct{ AssumedRoleUser struct{ Arn string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		return 0, fmt.Errorf("%d %s", status, body)
	}
	_, rest, _ := strings.Cut(answer.AssumedRoleUser.Arn, "assumed-role/version-")
	number, _, _ := strings.Cut(rest, "/")
	return strconv.Atoi(number)
}

// askRole is roleOf for an exchange, outside of the test's goroutine.
func askRole(c *http.Client, address string, form url.Values) (int, error) {
	response, err := c.PostForm(address, form)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return roleOf(response.StatusCode, string(body))
}

// keyPEM is a signing key as it is in files.
func keyPEM(key delegation.SigningKey) (certificate, private string) {
	der := must(x509.MarshalPKCS8PrivateKey(key.Signer))
	return pemBlock("CERTIFICATE", key.Certificate.Raw), pemBlock("PRIVATE KEY", der)
}

// versions are 50 changes of a configuration. Each has a role of its own, so an answer says which
// version it is of.
const versions = 50

// version writes the configuration of a version, with rules, targets, keys, an issuer or a limit
// that the versions around it do not have. It tells whether the configuration is broken.
func (w *world) version(t testing.TB, number int) (broken bool) {
	t.Helper()
	const account = "arn:aws:iam::123456789012:"
	role := fmt.Sprintf("%srole/version-%d", account, number)
	rules := fmt.Sprintf(`
  - role_by_claim: {claim: groups, roles: [{match: photo-editors, role: %q}]}`, role)
	keys := []string{
		"{certificate_file: signing.crt, key_file: signing.key}",
		"{certificate_file: next.crt, key_file: next.key}",
	}
	target := fmt.Sprintf("principal: %q, region: %s", service.DemoPrincipal, service.DemoRegion)
	issuers, more := "", ""
	switch number % 10 {
	case 1: // the role is the target's
		rules = " []"
		target += fmt.Sprintf(", role: %q", role)
	case 2:
		more = "cache: {size: 100}"
	case 3:
		broken = true
		more = "targts: {}"
	case 4: // the next key signs
		keys[0], keys[1] = keys[1], keys[0]
	case 5:
		broken = true
		keys[0] = "{certificate_file: signing.crt, key_file: next.key}"
	case 6:
		issuers = `
  - {url: "https://other.example.com/"}`
		target += fmt.Sprintf(", issuers: [%q]", w.issuerURL)
	case 7:
		broken = true
		rules += `
  - javascript: {folder: nowhere}`
	case 8:
		keys = keys[:1]
		target += ", session_duration: 30m"
	case 9:
		broken = true
		target += ", role: no-role"
	}
	w.write(t, "delegation.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
issuers:
  - {url: %q, allow_loopback_http: true}%s
identity_provider:
  entity_id: urn:tenant.example.com
  keys: [%s]
targets:
  photo-app: {%s}
rules:%s
sts: {endpoint: %q}
%s
`, w.issuerURL, issuers, strings.Join(keys, ", "), target, rules, w.awsURL, more))
	return broken
}

// newVersions is a world whose AWS knows the roles of all versions, and trusts both keys.
func newVersions(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	next := delegationtest.NextSigningKey()
	certificate, key := keyPEM(next)
	w.write(t, "next.crt", certificate)
	w.write(t, "next.key", key)
	both := delegation.IdentityProvider{
		EntityID: "urn:tenant.example.com",
		Keys:     []delegation.SigningKey{delegationtest.SigningKey(), next},
	}
	if err := w.aws.PutSAMLProvider(service.DemoPrincipal, must(both.Metadata())); err != nil {
		t.Fatal(err)
	}
	for i := range versions + 1 {
		role := fmt.Sprintf("arn:aws:iam::123456789012:role/version-%d", i)
		err := w.aws.PutRole(ststest.Role{ARN: role, TrustPolicy: service.DemoTrust})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestReload_UnderLoad changes the configuration 50 times while clients exchange tokens without a
// pause. None fails, and each gets what the configuration of then says: that before the exchange
// began, that after it ended, or one between them.
func TestReload_UnderLoad(t *testing.T) {
	w := newVersions(t)
	w.version(t, 0)
	s := serveReloadable(t, w.folder+"/delegation.yaml")

	// serves is the version that surely serves, and tried the newest that may.
	var serves, tried, exchanges, failed, wrong atomic.Int64
	const clients = 8
	stop := make(chan struct{})
	finished := make([]chan struct{}, clients)
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	asker := &http.Client{Transport: transport}
	var running sync.WaitGroup
	for i := range clients {
		finished[i] = make(chan struct{})
		user := fmt.Sprintf("user-%d@example.com", i)
		form := delegationForm(w.token(map[string]any{"sub": "auth0|" + user, "email": user}))
		running.Go(func() {
			for {
				least := serves.Load()
				got, err := askRole(asker, s.url+"/delegation", form)
				most := tried.Load()
				exchanges.Add(1)
				switch {
				case err != nil:
					failed.Add(1)
					t.Error(err)
				case int64(got) < least || int64(got) > most:
					wrong.Add(1)
					t.Errorf("an answer of version %d, between %d and %d", got, least, most)
				}
				select {
				case finished[i] <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	// wait lets every client finish the exchange that is under way, and another one.
	wait := func() {
		for range 2 {
			for _, f := range finished {
				<-f
			}
		}
	}
	wait()
	reloaded, refused := 0, 0
	for number := 1; number <= versions; number++ {
		broken := w.version(t, number)
		if !broken {
			tried.Store(int64(number))
		}
		line := s.reload(t)
		if strings.Contains(line, "configuration reloaded") == broken {
			t.Errorf("version %d, broken: %t: %s", number, broken, line)
		}
		if broken {
			refused++
		} else {
			reloaded++
			serves.Store(int64(number))
		}
		wait()
	}
	close(stop)
	running.Wait()
	t.Logf("%d reloads, %d refused ones, %d exchanges, %d failed, %d wrong",
		reloaded, refused, exchanges.Load(), failed.Load(), wrong.Load())
	if reloaded != 30 || refused != 20 || exchanges.Load() < versions*clients {
		t.Errorf("%d reloads, %d refused, %d exchanges", reloaded, refused, exchanges.Load())
	}
}

// TestReload_Broken: what is wrong is in the log with file and key, /ready is degraded, and the
// previous configuration stays in use, until everything is right again.
func TestReload_Broken(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"no file": {func(w *world) { _ = os.Remove(w.folder + "/delegation.yaml") },
			"delegation.yaml: no such file"},
		"no YAML":     {func(w *world) { w.write(t, "delegation.yaml", "a: [") }, "delegation.yaml:1: "},
		"unknown key": {func(w *world) { w.configFile(t, "isuers: []") }, "isuers: unknown key"},
		"no key":      {func(w *world) { _ = os.Remove(w.folder + "/signing.key") }, "keys[0].key_file"},
		"another key": {func(w *world) {
			_, key := keyPEM(delegationtest.NextSigningKey())
			w.write(t, "signing.key", key)
		}, "must be a pair"},
		"log": {func(w *world) { w.configFile(t, "log: {level: loud}") }, "level is"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := w.configFile(t, "")
			s := serveReloadable(t, file)
			c := client(nil)
			form := delegationForm(w.token(nil))
			if status, body := post(t, c, s.url+"/delegation", form); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
			certificate, key := delegationtest.SigningKeyPEM()
			row.spoil(w)
			line := s.reload(t)
			if !strings.Contains(line, `"level":"ERROR","msg":"configuration not reloaded"`) ||
				!strings.Contains(line, row.want) || strings.Contains(line, "PRIVATE") {
				t.Errorf("the log says %s, want %s", line, row.want)
			}
			if status, body := post(t, c, s.url+"/delegation", form); status != 200 {
				t.Errorf("the configuration before: %d %s", status, body)
			}
			if status, body := get(t, c, s.url+"/ready"); status != 200 ||
				body != "{\"status\":\"degraded\"}\n" {
				t.Errorf("/ready: %d %s", status, body)
			}
			if !strings.Contains(s.logs.String(), `"msg":"not ready","check":"reload","error":"`) {
				t.Errorf("the log does not say why it is not ready: %s", s.logs)
			}
			w.configFile(t, "")
			w.write(t, "signing.crt", string(certificate))
			w.write(t, "signing.key", string(key))
			s.mustReload(t)
			if _, body := get(t, c, s.url+"/ready"); body != "{\"status\":\"ok\"}\n" {
				t.Errorf("/ready after all is right again: %s", body)
			}
		})
	}
}

// TestReload_Remembers: credentials, the keys of an issuer that is down, used tokens and the rate
// limit survive a reload.
func TestReload_Remembers(t *testing.T) {
	w := newWorld(t)
	more := "\nhttp: {rate_limit: {requests: 4, per: 24h}}"
	s := serveReloadable(t, w.configFile(t, "replay: {store: memory}"+more))
	c := client(nil)
	ask := func(token string) (status int, left string) {
		t.Helper()
		request := must(http.NewRequest(http.MethodPost, s.url+"/delegation",
			strings.NewReader(delegationForm(token).Encode())))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response := must(c.Do(request))
		defer response.Body.Close()
		return response.StatusCode, response.Header.Get("X-RateLimit-Remaining")
	}
	used := w.token(nil)
	if status, left := ask(used); status != 200 || left != "3" {
		t.Fatalf("%d, %s left", status, left)
	}
	calls := len(w.aws.Calls())
	w.provider.SetFaults(oidctest.Faults{Status: http.StatusServiceUnavailable})
	w.configFile(t, "max_token_size: 10000\nreplay: {store: memory, size: 10}"+more)
	s.mustReload(t)
	if status, _ := ask(used); status != 400 {
		t.Errorf("a used token: %d", status)
	}
	if status, left := ask(w.token(map[string]any{"jti": "2"})); status != 200 || left != "2" {
		t.Errorf("another token of the user: %d, %s left", status, left)
	}
	if got := len(w.aws.Calls()); got != calls {
		t.Errorf("AWS was called %d times more", got-calls)
	}
}

// TestReload_Everything: certificates, keys, issuers, targets and origins are those of the new
// files.
func TestReload_Everything(t *testing.T) {
	w := newVersions(t)
	before := w.writeTLS(t, 1)
	tls := "tls: {certificate_file: tls.crt, key_file: tls.key}\n"
	file := w.configFile(t, tls)
	s := serveReloadable(t, file)
	form := delegationForm(w.token(nil))
	if status, body := post(t, client(before), s.url+"/delegation", form); status != 200 {
		t.Fatalf("%d %s", status, body)
	}

	after := w.writeTLS(t, 2)
	w.configFile(t, tls)
	text := string(must(os.ReadFile(file)))
	text = strings.ReplaceAll(text, "signing.crt", "next.crt")
	text = strings.ReplaceAll(text, "signing.key", "next.key")
	text = strings.ReplaceAll(text, "photo-app: {", "other-app: {audiences: [photo-app], ")
	w.write(t, "delegation.yaml", text)
	s.mustReload(t)
	c := client(after)
	if status, body := post(t, c, s.url+"/delegation", form); status != 404 {
		t.Errorf("the target that was removed: %d %s", status, body)
	}
	form.Set("target", "other-app")
	if status, body := post(t, c, s.url+"/delegation", form); status != 200 {
		t.Errorf("the new target: %d %s", status, body)
	}
	_, metadata := get(t, c, s.url+"/metadata")
	certificate, _ := keyPEM(delegationtest.NextSigningKey())
	first := strings.Split(certificate, "\n")[1]
	if !strings.Contains(metadata, first) {
		t.Errorf("the metadata is of another key: %s", metadata)
	}
	w.write(t, "delegation.yaml",
		strings.ReplaceAll(text, w.issuerURL, "https://other.example.com"))
	s.mustReload(t)
	if status, body := post(t, c, s.url+"/delegation", form); status == 200 {
		t.Errorf("the issuer that was removed: %d %s", status, body)
	}
}

// TestReload_NeedsRestart: what cannot change is named in the log, and stays as it was. All else
// changes.
func TestReload_NeedsRestart(t *testing.T) {
	w := newVersions(t)
	w.version(t, 0)
	file := w.folder + "/delegation.yaml"
	s := serveReloadable(t, file)
	w.version(t, 1)
	w.writeTLS(t, 1)
	text := string(must(os.ReadFile(file)))
	text = strings.ReplaceAll(text, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1")
	w.write(t, "delegation.yaml", text+`
debug_listen: 127.0.0.1:2
log: {format: text, level: debug}
tls: {certificate_file: tls.crt, key_file: tls.key}
`)
	for range 2 { // it is said each time, and compared with what is in use
		named := len(s.logs.String())
		s.mustReload(t)
		for _, want := range []string{
			`"key":"debug_listen","configured":"127.0.0.1:2","in_use":""`,
			`"key":"listen","configured":"127.0.0.1:1","in_use":"127.0.0.1:0"`,
			`"key":"log.format","configured":"text","in_use":""`,
			`"key":"log.level","configured":"debug","in_use":""`,
			`"key":"tls","configured":"on","in_use":"off"`,
		} {
			if !strings.Contains(s.logs.String()[named:], `"msg":"setting needs a restart",`+want) {
				t.Errorf("%s is not in the log: %s", want, s.logs)
			}
		}
		got, err := roleOf(post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil))))
		if err != nil || got != 1 {
			t.Errorf("role of version %d, %v", got, err)
		}
	}
	w.version(t, 2)
	named := len(s.logs.String())
	s.mustReload(t)
	if log := s.logs.String()[named:]; strings.Contains(log, "needs a restart") {
		t.Errorf("all is as it runs: %s", log)
	}
}

// TestReload_Rollover takes the steps of docs/key-rollover.md: AWS trusts {old}, {old, new}, {new},
// and no exchange is refused on the way.
func TestReload_Rollover(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "cache: {size: -1}") // so that each exchange signs
	s := serveReloadable(t, file)
	one := "{certificate_file: signing.crt, key_file: signing.key}"
	text := string(must(os.ReadFile(file)))
	if err := os.Mkdir(w.folder+"/next", 0o700); err != nil {
		t.Fatal(err)
	}
	said(t, "keygen", "--out", w.folder+"/next")
	next := "{certificate_file: next/signing.crt, key_file: next/signing.key}"
	exchange := func(step string) {
		t.Helper()
		form := delegationForm(w.token(nil))
		if status, body := post(t, client(nil), s.url+"/delegation", form); status != 200 {
			t.Errorf("%s: %d %s", step, status, body)
		}
	}
	configure := func(keys ...string) {
		t.Helper()
		w.write(t, "delegation.yaml",
			strings.Replace(text, "- "+one, "- "+strings.Join(keys, "\n    - "), 1))
		s.mustReload(t)
	}
	publish := func() {
		t.Helper()
		_, metadata := get(t, client(nil), s.url+"/metadata")
		err := w.aws.PutSAMLProvider(service.DemoPrincipal, []byte(metadata))
		if err != nil {
			t.Fatal(err)
		}
	}
	exchange("before")
	configure(one, next)
	exchange("the new key is listed")
	publish()
	exchange("AWS trusts both")
	configure(next, one)
	exchange("the new key signs")
	configure(next)
	exchange("the old key is retired")
	publish()
	exchange("AWS trusts the new key alone")
	configure(one)
	form := delegationForm(w.token(nil))
	if status, body := post(t, client(nil), s.url+"/delegation", form); status == 200 {
		t.Errorf("so the test can fail: the old key still signs: %d %s", status, body)
	}
}

// TestReload_KeepsTLS: TLS cannot be turned off while the service runs, and goes on with the
// certificate of before.
func TestReload_KeepsTLS(t *testing.T) {
	w := newWorld(t)
	pool := w.writeTLS(t, 1)
	s := serveReloadable(t, w.configFile(t,
		"tls: {certificate_file: tls.crt, key_file: tls.key}"))
	w.configFile(t, "")
	s.mustReload(t)
	if !strings.Contains(s.logs.String(), `"key":"tls","configured":"off","in_use":"on"`) {
		t.Errorf("the log: %s", s.logs)
	}
	form := delegationForm(w.token(nil))
	if status, body := post(t, client(pool), s.url+"/delegation", form); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestReload_AnotherSTS: what one STS has issued is not served after another was configured.
func TestReload_AnotherSTS(t *testing.T) {
	w := newWorld(t)
	s := serveReloadable(t, w.configFile(t, ""))
	form := delegationForm(w.token(nil))
	if status, body := post(t, client(nil), s.url+"/delegation", form); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		w.aws.ServeHTTP(a, q)
	}))
	t.Cleanup(other.Close)
	w.awsURL = other.URL
	w.configFile(t, "")
	s.mustReload(t)
	if status, body := post(t, client(nil), s.url+"/delegation", form); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if asked.Load() != 1 {
		t.Errorf("the new STS was asked %d times, want once", asked.Load())
	}
}
