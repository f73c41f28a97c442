package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/ststest"
)

// get returns status and body, and fails the test if there is no answer.
func get(t testing.TB, c *http.Client, address string, header ...string) (int, string) {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return do(t, c, request)
}

func post(t testing.TB, c *http.Client, address string, form url.Values) (int, string) {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, address,
		strings.NewReader(form.Encode())))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, c, request)
}

func do(t testing.TB, c *http.Client, request *http.Request) (int, string) {
	t.Helper()
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

// TestServe goes once round all that a configured service serves, over TLS, and looks for secrets
// in what it logs.
func TestServe(t *testing.T) {
	w := newWorld(t)
	pool := w.writeTLS(t, 1)
	s := serve(t, w.configFile(t, fmt.Sprintf(`
tls: {certificate_file: tls.crt, key_file: tls.key}
http: {container_target: photo-app, console: {enabled: true, endpoint: %q}, rate_limit: {requests: 100}}
`, w.awsURL+"/federation")), "DELEGATION_STRANGE=1")
	c := client(pool)
	token := w.token(nil)

	var answered struct {
		Credentials     struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		AssumedRoleUser struct{ Arn string }
		Subject         string
	}
	status, body := post(t, c, s.url+"/delegation", delegationForm(token))
	err := json.Unmarshal([]byte(body), &answered)
	if status != 200 || err != nil || answered.Subject != "auth0|alice" ||
		answered.AssumedRoleUser.Arn != editorAlice {
		t.Errorf("delegation: %d %s", status, body)
	}
	secrets := []string{
		token, answered.Credentials.SecretAccessKey, answered.Credentials.SessionToken,
	}
	status, body = get(t, c, s.url+"/credentials", "Authorization", token)
	if status != 200 || !strings.Contains(body, `"Token":"`) {
		t.Errorf("credentials: %d %s", status, body)
	}
	status, body = post(t, c, s.url+"/console", delegationForm(token))
	var console struct{ URL string }
	err = json.Unmarshal([]byte(body), &console)
	if status != 200 || err != nil ||
		!strings.HasPrefix(console.URL, w.awsURL+"/federation?Action=login&") ||
		!strings.Contains(body, console.URL) {
		t.Errorf("console: %d %s", status, body)
	}
	secrets = append(secrets, must(url.Parse(console.URL)).Query().Get("SigninToken"))
	noRedirect := client(nil)
	noRedirect.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	if status, body := get(t, noRedirect, console.URL); status != http.StatusFound {
		t.Errorf("AWS does not take the sign-in URL: %d %s", status, body)
	}
	status, body = get(t, c, s.url+"/metadata")
	if status != 200 || !strings.Contains(body, `entityID="urn:tenant.example.com"`) {
		t.Errorf("metadata: %d %s", status, body)
	}
	for path, want := range map[string]string{
		"/live": "{\"status\":\"ok\"}\n", "/ready": "{\"status\":\"ok\"}\n",
	} {
		if status, body := get(t, c, s.url+path); status != 200 || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{
		"/", "/delegation/", "/metadata/photo-app", "/debug/pprof/", "/token",
	} {
		if status, body := get(t, c, s.url+path); status != 404 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	status, body = post(t, c, s.url+"/delegation", delegationForm(w.token(expired())))
	if status != 400 || !strings.Contains(body, "jwt expired") {
		t.Errorf("expired: %d %s", status, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	logs := s.logs.String()
	for line := range strings.Lines(logs) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("no structured log: %s", line)
		}
	}
	for _, want := range []string{
		`"msg":"serving"`, `"msg":"exchange allowed"`, `"subject":"auth0|alice"`,
		`"rule":"rules[1].role_by_claim"`, `"msg":"exchange denied"`, `"code":"token_expired"`,
		`"msg":"ended"`, `"name":"DELEGATION_STRANGE"`,
	} {
		if !strings.Contains(logs, want) {
			t.Errorf("%s is not in the logs", want)
		}
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(logs, secret) {
			t.Errorf("a secret, or none: %.20q", secret)
		}
	}
}

// TestServe_JavaScript: a folder of Auth0 rules decides, between rules of the configuration, for
// the targets it is for.
func TestServe_JavaScript(t *testing.T) {
	w := newWorld(t)
	w.folderOf(t, "rules", map[string]string{
		"10-role.js": `function (user, context, callback) {
			if (user.groups.indexOf(configuration.GROUP) < 0) return callback(new UnauthorizedError('members of ' + configuration.GROUP + ' only'));
			context.addonConfiguration.aws.role = configuration.ROLE;
			console.log('role for', user.email);
			callback(null, user, context);
		}`,
		"20-fails.js": `function (user, context, callback) { callback(user.broken ? new Error('canary detail') : null, user, context); }`,
		"notes.txt":   "no rule",
	})
	w.write(t, "settings.yaml", "GROUP: photo-editors\n")
	other := strings.ReplaceAll(service.DemoRole, "photo-editor", "photo-user")
	s := serve(t, w.configFile(t, ""),
		fmt.Sprintf(
			`DELEGATION_RULES=[{require_verified_email: true}, {javascript: {folder: rules, configuration: {ROLE: %q}, configuration_file: settings.yaml}, targets: [photo-app]}]`, other))
	c := client(nil)
	status, body := post(t, c, s.url+"/delegation", delegationForm(w.token(nil)))
	if status != 200 || !strings.Contains(body, "assumed-role/photo-user/alice@example.com") {
		t.Errorf("%d %s", status, body)
	}
	status, body = post(t, c, s.url+"/delegation",
		delegationForm(w.token(map[string]any{"groups": []string{"staff"}})))
	if status != 401 || !strings.Contains(body, "members of ‹configuration.GROUP› only") {
		t.Errorf("denied: %d %s", status, body)
	}
	status, body = post(t, c, s.url+"/delegation",
		delegationForm(w.token(map[string]any{"broken": true})))
	if status != 403 || strings.Contains(body, "canary") {
		t.Errorf("failed: %d %s", status, body)
	}
	for _, want := range []string{
		`"rule":"10-role"`, `"msg":"role for alice@example.com"`, "canary detail",
	} {
		if !strings.Contains(s.logs.String(), want) {
			t.Errorf("%s is not in the logs: %s", want, s.logs)
		}
	}
}

// TestServe_JavaScriptContext: what a token does not tell comes from the configuration, for each
// target, and to read what is not there fails the exchange unless its absence is permitted. The
// three ways of rules to ask for more than yes or no are refusals unless they are ignored.
func TestServe_JavaScriptContext(t *testing.T) {
	const reads = `function (user, context, callback) {
		if (context.clientName !== 'Photos' || context.clientMetadata.team !== 'press') {
			return callback(new UnauthorizedError('not for ' + context.clientName));
		}
		context.addonConfiguration.aws.role = configuration.ROLE;
		if (user.reads) context[user.reads];
		if (user.asks) context[user.asks] = {url: 'https://example.com/'};
		callback(null, user.nobody ? null : user, context);
	}`
	const supplied = "context: {photo-app: {clientName: Photos, clientMetadata: {team: press}}}"
	for name, row := range map[string]struct {
		settings string
		claims   map[string]any
		status   int
		logged   string
	}{
		"supplied":      {supplied, nil, 200, ""},
		"not supplied":  {"", nil, 403, "context.clientName is read"},
		"another value": {"context: {photo-app: {clientName: Other}}", nil, 401, "not for Other"},
		"reads more": {supplied, map[string]any{"reads": "organization"},
			403, "rule_context_missing"},
		"reads what may lack": {supplied + ", absent: [organization]",
			map[string]any{"reads": "organization"}, 200, ""},
		"redirect": {supplied, map[string]any{"asks": "redirect"}, 403, "rule_redirect"},
		"redirect, ignored": {supplied + ", ignore_redirect: true",
			map[string]any{"asks": "redirect"}, 200, ""},
		"factor": {supplied, map[string]any{"asks": "multifactor"}, 403, "rule_multifactor"},
		"factor, ignored": {supplied + ", ignore_multifactor: true",
			map[string]any{"asks": "multifactor"}, 200, ""},
		"no user": {supplied, map[string]any{"nobody": true}, 403, "rule_user_missing"},
		"no user, ignored": {supplied + ", ignore_missing_user: true",
			map[string]any{"nobody": true}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.folderOf(t, "rules", map[string]string{"10-reads.js": reads})
			settings := "folder: rules, configuration: {ROLE: \"" + service.DemoRole + "\"}"
			if row.settings != "" {
				settings += ", " + row.settings
			}
			s := serve(t, w.configFile(t, ""), "DELEGATION_RULES=[{javascript: {"+settings+"}}]")
			status, body := post(t, client(nil), s.url+"/delegation",
				delegationForm(w.token(row.claims)))
			if status != row.status || !strings.Contains(s.logs.String(), row.logged) {
				t.Errorf("got %d %s, want %d and %q in the log %s", status, body, row.status,
					row.logged, s.logs)
			}
			if status == 403 && !strings.Contains(body, "access denied") {
				t.Errorf("the user is told %s", body)
			}
		})
	}
}

// TestServe_OwnIdentity: a target's own SAML identity has its own metadata.
func TestServe_OwnIdentity(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""),
		`DELEGATION_TARGETS={"odd/app": {principal: "`+service.DemoPrincipal+
			`", region: eu-central-1, identity: {entity_id: "urn:own", keys: [{certificate_file: signing.crt, key_file: signing.key}]}}, plain: {}}`)
	status, body := get(t, client(nil), s.url+"/metadata/odd%2Fapp")
	if status != 200 || !strings.Contains(body, `entityID="urn:own"`) {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/metadata/plain", "/metadata/none"} {
		if status, _ := get(t, client(nil), s.url+path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestServe_Shutdown: on a signal readiness fails, the request under way is answered, and then the
// listener is closed.
func TestServe_Shutdown(t *testing.T) {
	w := newWorld(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
		w.aws.ServeHTTP(rw, r)
	}))
	t.Cleanup(slow.Close)
	unblock := sync.OnceFunc(func() { close(release) })
	t.Cleanup(unblock)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	file := w.configFile(t, "")
	settings, from, err := config.Load(file,
		[]string{"DELEGATION_STS_ENDPOINT=" + slow.URL, "DELEGATION_SHUTDOWN_DELAY=10m"})
	if err != nil {
		t.Fatal(err)
	}
	logs := newOutput()
	built, err := config.Build(ctx, settings, from, slog.New(slog.NewJSONHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	delay := make(chan time.Time)
	built.After = func(d time.Duration) <-chan time.Time {
		if d != 10*time.Minute {
			t.Errorf("the delay is %s", d)
		}
		return delay
	}
	ended := make(chan error, 1)
	go func() { ended <- built.Run(ctx) }()
	s := &served{logs: logs}
	s.url = s.address(t)

	answer := make(chan int, 1)
	go func() {
		status, _ := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
		answer <- status
	}()
	<-arrived
	if status, _ := get(t, client(nil), s.url+"/ready"); status != 200 {
		t.Errorf("ready before the end: %d", status)
	}
	cancel()
	for line := range logs.lines {
		if strings.Contains(line, `"shutting down"`) {
			break
		}
	}
	status, body := get(t, client(nil), s.url+"/ready")
	if status != 503 || body != `{"status":"unavailable"}`+"\n" {
		t.Errorf("ready while it drains: %d %s", status, body)
	}
	if status, _ := get(t, client(nil), s.url+"/live"); status != 200 {
		t.Errorf("live while it drains: %d", status)
	}
	delay <- time.Time{}
	unblock()
	if status := <-answer; status != 200 {
		t.Errorf("the request under way: %d", status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client(nil).Get(s.url + "/live"); err == nil {
		t.Error("it still listens")
	}
}

// TestServe_AddressTaken and a wrong TLS file end it with an error that says what to do.
func TestServe_AddressTaken(t *testing.T) {
	w := newWorld(t)
	taken := serve(t, w.configFile(t, ""))
	out := newOutput()
	address := strings.TrimPrefix(taken.url, "http://")
	file := w.configFile(t, "")
	code := run(t.Context(), []string{"serve", "--config", file, "--listen", address},
		surroundings{stdout: out, stderr: out})
	if code != exitFailed || !strings.Contains(out.String(), "--listen") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out = newOutput()
	code = run(t.Context(), []string{"serve", "--config", file},
		surroundings{stdout: out, stderr: out, environment: []string{"DELEGATION_LISTEN=" + address}})
	want := "choose another address at environment variable DELEGATION_LISTEN: listen"
	if code != exitFailed || !strings.Contains(out.String(), want) {
		t.Errorf("exit code %d: %s", code, out)
	}
	text := string(must(os.ReadFile(file)))
	w.write(t, "delegation.yaml", strings.Replace(text, "listen: 127.0.0.1:0", "listen: "+address, 1))
	out = newOutput()
	code = run(t.Context(), []string{"serve", "--config", file},
		surroundings{stdout: out, stderr: out})
	want = "choose another address at " + file + ":2: listen"
	if code != exitFailed || !strings.Contains(out.String(), want) {
		t.Errorf("exit code %d: %s", code, out)
	}
	file = w.configFile(t, "debug_listen: "+address)
	out = newOutput()
	code = run(t.Context(), []string{"serve", "--config", file},
		surroundings{stdout: out, stderr: out})
	if code != exitFailed ||
		!strings.Contains(out.String(), "for debugging") ||
		!strings.Contains(out.String(), "choose another address in debug_listen") {
		t.Errorf("exit code %d: %s", code, out)
	}
	file = w.configFile(t, "metrics_listen: "+address)
	code = run(t.Context(), []string{"serve", "--config", file},
		surroundings{stdout: out, stderr: out})
	if code != exitFailed ||
		!strings.Contains(out.String(), "choose another address in metrics_listen") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestServe_Debug(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, "debug_listen: localhost:0"))
	address := regexp.MustCompile(`"msg":"debugging","address":"([^"]+)"`).
		FindStringSubmatch(s.logs.String())
	if address == nil {
		t.Fatal(s.logs)
	}
	for path, want := range map[string]string{
		"/debug/pprof/goroutine?debug=1": "goroutine profile: total ", "/debug/vars": "memstats",
	} {
		status, body := get(t, client(nil), "http://"+address[1]+path)
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.100s", path, status, body)
		}
		if status, _ := get(t, client(nil), s.url+path); status != 404 {
			t.Errorf("%s is public", path)
		}
	}
}

// TestUsage: exit codes and words for a wrong command line.
func TestUsage(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no configuration": {[]string{"serve"}, exitUsage, "--config"},
		"origin of a demo": {
			[]string{"serve", "--demo", "--allow-origin", "https://app.example.com/"},
			exitUsage, `--allow-origin: "https://app.example.com/" is not an origin`,
		},
		"origin": {
			[]string{"serve", "--config", "x", "--allow-origin", "app"},
			exitUsage, `--allow-origin: "app" is not an origin`,
		},
		"all origins and one": {
			[]string{"serve", "--demo", "--allow-origin", "*", "--allow-origin", "https://a.b"},
			exitUsage, `--allow-origin: "*" makes the others meaningless`,
		},
		"both":            {[]string{"serve", "--demo", "--config", "x"}, exitUsage, "choose one"},
		"no such file":    {[]string{"serve", "--config", "none.yaml"}, exitUsage, "none.yaml"},
		"unknown flag":    {[]string{"serve", "--foo"}, exitUsage, "--foo"},
		"argument":        {[]string{"serve", "delegation.yaml"}, exitUsage, "delegation.yaml"},
		"unknown command": {[]string{"server"}, exitUsage, "server"},
		"help":            {[]string{"serve", "--help"}, 0, "--demo"},
		"nothing":         {nil, 0, "serve"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr := newOutput(), newOutput()
			code := run(t.Context(), row.args, surroundings{stdout: stdout, stderr: stderr})
			said := stdout
			if row.code != 0 {
				said = stderr
			}
			if code != row.code || !strings.Contains(said.String(), row.want) {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
			if row.code != 0 && strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("more than a line: %s", stderr)
			}
		})
	}
	stderr := newOutput()
	code := run(t.Context(), []string{"serve"}, surroundings{
		environment: []string{"DELEGATION_CONFIG=of-the-environment.yaml"},
		stdout:      newOutput(),
		stderr:      stderr,
	})
	if code != exitUsage || !strings.Contains(stderr.String(), "of-the-environment.yaml") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestCertificateRenewal: a new certificate is served without a restart, and a broken one does no
// harm.
func TestCertificateRenewal(t *testing.T) {
	w := newWorld(t)
	w.writeTLS(t, 1)
	logs := newOutput()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	certificateFile := filepath.Join(w.folder, "tls.crt")
	keyFile := filepath.Join(w.folder, "tls.key")
	logger := slog.New(slog.NewTextHandler(logs, nil))
	clock := func() time.Time { return now }
	files, err := service.NewCertificate(certificateFile, keyFile, logger, clock)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		pair := must(files.Get(nil))
		return must(x509.ParseCertificate(pair.Certificate[0])).SerialNumber.Int64()
	}
	touch := func(d time.Duration) {
		if err := os.Chtimes(certificateFile, now.Add(d), now.Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	w.writeTLS(t, 2)
	touch(time.Hour)
	if got := serial(); got != 1 {
		t.Errorf("within the minute: %d", got)
	}
	now = now.Add(time.Minute)
	if got := serial(); got != 2 {
		t.Errorf("renewed: %d", got)
	}
	w.write(t, "tls.crt", "junk")
	touch(2 * time.Hour)
	now = now.Add(time.Minute)
	if got := serial(); got != 2 || !strings.Contains(logs.String(), "not renewed") {
		t.Errorf("broken: %d, %s", got, logs)
	}
	w.writeTLS(t, 3)
	touch(3 * time.Hour)
	now = now.Add(time.Minute)
	if got := serial(); got != 3 {
		t.Errorf("mended: %d", got)
	}
	if err := os.Remove(certificateFile); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if got := serial(); got != 3 {
		t.Errorf("gone: %d", got)
	}
}

// TestDeployment: what the Dockerfile builds runs with the command lines of the Dockerfile and the
// systemd unit.
func TestDeployment(t *testing.T) {
	container := append(commandLine(t, dockerfile, "ENTRYPOINT "),
		commandLine(t, dockerfile, "CMD ")...)
	unit := commandLine(t, unitFile, "ExecStart=")
	w := newWorld(t)
	file := w.configFile(t, "")
	for name, words := range map[string][]string{"Dockerfile": container, "systemd unit": unit} {
		if len(words) != 4 || filepath.Base(words[0]) != "delegation" ||
			words[3] != "/etc/delegation/delegation.yaml" {
			t.Fatalf("%s: %q", name, words)
		}
		words[3] = file
		s := start(t, []string{"DELEGATION_LISTEN=127.0.0.1:0"}, words[1:]...)
		status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
		if status != 200 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if !strings.Contains(string(must(os.ReadFile(dockerfile))), "ENV DELEGATION_LISTEN=:8080\n") {
		t.Error("in a container 127.0.0.1 is reached by nobody")
	}
}

// TestDeployment_Unit: systemd restarts the service without end, limits what it takes, waits for
// requests under way, and never runs it as root.
func TestDeployment_Unit(t *testing.T) {
	settings := map[string]string{}
	for line := range strings.Lines(string(must(os.ReadFile(unitFile)))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok &&
			!strings.HasPrefix(line, "#") {
			settings[name] = value
		}
	}
	for name, want := range map[string]string{
		"Restart":               "always",
		"StartLimitIntervalSec": "0", // no limit
		"User":                  "delegation",
		"Group":                 "delegation",
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
	const requests = 30 * time.Second // service.Run gives them that long
	for name, least := range map[string]time.Duration{
		"RestartSec": time.Second, "TimeoutStopSec": requests + time.Second,
	} {
		if d, err := time.ParseDuration(settings[name]); err != nil || d < least {
			t.Errorf("%s is %q, want %s at least", name, settings[name], least)
		}
	}
	for name, least := range map[string]int{"TasksMax": 64, "LimitNOFILE": 4096} {
		if n, err := strconv.Atoi(settings[name]); err != nil || n < least {
			t.Errorf("%s is %q, want %d at least", name, settings[name], least)
		}
	}
	memory, err := strconv.Atoi(strings.TrimSuffix(settings["MemoryMax"], "M"))
	if err != nil || memory < 256 {
		t.Errorf("MemoryMax is %q, want 256M at least", settings["MemoryMax"])
	}
}

// TestDeployment_Image: init, the documentation and the manifests name the same image.
func TestDeployment_Image(t *testing.T) {
	name, tag, _ := strings.Cut(setup.Image, ":")
	manifest := string(must(os.ReadFile("../../deploy/kubernetes/kustomization.yaml")))
	if !strings.Contains(manifest, "  - name: "+name+"\n    newTag: "+tag+"\n") {
		t.Errorf("kustomization.yaml does not have %s", setup.Image)
	}
	page := string(must(os.ReadFile("../../docs/deploying.md")))
	images := regexp.MustCompile(regexp.QuoteMeta(name)+`[^\s`+"`"+`]*`).FindAllString(page, -1)
	if len(images) < 2 {
		t.Fatalf("the page has %q", images)
	}
	for _, image := range images {
		if image != setup.Image {
			t.Errorf("docs/deploying.md has %s, and init prints %s", image, setup.Image)
		}
	}
}

// TestServe_STSHangs: that AWS does not answer in time is 503 to the caller, and named in the log.
func TestServe_STSHangs(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""), "DELEGATION_STS_TIMEOUT=200ms")
	w.aws.Script(ststest.Repeat(3, ststest.Hang()))
	status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
	if status != 503 || !strings.Contains(body, "temporarily_unavailable") {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(s.logs.String(), `"code":"sts_timeout"`) {
		t.Error(s.logs)
	}
}

// TestServe_STSDown: an outage of AWS is 503 to the caller, named in the log, and over when AWS is
// back.
func TestServe_STSDown(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""))
	w.aws.Script(ststest.Repeat(3, ststest.Status(503)))
	status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
	if status != 503 || !strings.Contains(body, "temporarily_unavailable") {
		t.Errorf("%d %s", status, body)
	}
	w.aws.Script()
	status, body = post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
	if status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(s.logs.String(), `"code":"sts_unavailable"`) {
		t.Error(s.logs)
	}
}
