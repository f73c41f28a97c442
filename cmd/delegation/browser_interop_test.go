//go:build interop

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/ststest"
)

// browserPage are the blocks of docs/browser.md, by their language, one of each, and as "refusals"
// its section about those.
func browserPage(t *testing.T) map[string]string {
	t.Helper()
	page := string(must(os.ReadFile("../../docs/browser.md")))
	blocks := map[string]string{}
	fence := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	for _, block := range fence.FindAllStringSubmatch(page, -1) {
		if blocks[block[1]] != "" {
			t.Fatalf("docs/browser.md has two blocks of %s: run both", block[1])
		}
		blocks[block[1]] = block[2]
	}
	languages := []string{"yaml", "js", "json", "sh", "http"}
	for _, language := range languages {
		if blocks[language] == "" {
			t.Fatalf("docs/browser.md has no block of %s", language)
		}
	}
	_, rest, _ := strings.Cut(page, "\n## When it is refused\n")
	refusals, _, _ := strings.Cut(rest, "\n## ")
	if len(blocks) != len(languages) || strings.Count(page, "```") != 2*len(blocks) {
		t.Fatal("docs/browser.md has blocks that nothing runs")
	}
	blocks["refusals"] = refusals
	return blocks
}

// bundlePage makes one script of the page's JavaScript and the AWS SDK.
func bundlePage(t *testing.T, driver, snippet string) []byte {
	t.Helper()
	folder := t.TempDir()
	name, _, _ := strings.Cut(strings.TrimPrefix(snippet, "// "), "\n")
	for file, script := range map[string]string{
		name:         snippet,
		"sign-in.js": "export const idToken = async () => window.token;",
		"main.js": `import { list, save, signOut } from "./` + name + `";
			window.photos = {
				signOut: async () => signOut(),
				save: async (key, body) => (await save(key, body)).ETag,
				list: async (prefix) => ((await list(prefix)).Contents ?? []).map(({ Key }) => Key),
			};`,
	} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules := must(filepath.Abs(filepath.Join(driver, "node_modules")))
	installed := filepath.Join(folder, "node_modules", "delegation-credentials")
	if err := errors.Join(
		os.Mkdir(filepath.Dir(installed), 0o700),
		os.Symlink(must(filepath.Abs("../../js")), installed),
	); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(folder, "bundle.js")
	code, _, said := program(
		t, []string{"NODE_PATH=" + modules}, "", "node",
		filepath.Join(modules, "esbuild", "bin", "esbuild"), filepath.Join(folder, "main.js"),
		"--bundle", "--format=esm", "--platform=browser", "--outfile="+out,
	)
	if code != 0 {
		t.Fatalf("esbuild: exit code %d: %s", code, said)
	}
	return must(os.ReadFile(out))
}

// servePage serves the page for every host, with a header.
func servePage(t *testing.T, header string, script []byte) *httptest.Server {
	t.Helper()
	name, value, ok := strings.Cut(strings.TrimSpace(header), ": ")
	if !ok || name != "Content-Security-Policy" {
		t.Fatalf("the header is %q", header)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, `<!doctype html><script type="module" src="/bundle.js"></script>`)
		case "/bundle.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = w.Write(script)
		default:
			http.NotFound(w, r)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium tries once without trust
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// allow gives the role of alice a permission policy.
func (w *world) allow(t *testing.T, policy string) {
	t.Helper()
	err := w.aws.PutRole(ststest.Role{
		ARN:         service.DemoRole,
		TrustPolicy: service.DemoTrust,
		Policies:    []string{policy},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// operator is what a session of the role signs with.
func (w *world) operator(t *testing.T) (operator aws.Credentials) {
	t.Helper()
	code, out, said := outcomeOf(t, "exchange", "--config", w.configFile(t, ""), "--target",
		service.DemoTarget, "--token-file", w.write(t, "token", w.token(nil)))
	var issued struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(out), &issued); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, said)
	}
	return aws.Credentials{
		AccessKeyID:     issued.AccessKeyId,
		SecretAccessKey: issued.SecretAccessKey,
		SessionToken:    issued.SessionToken,
	}
}

// putCORS runs the AWS CLI with the bucket's CORS configuration, as the page says.
func putCORS(
	t *testing.T, operator aws.Credentials, photos *bucket, server *httptest.Server,
	document, command string,
) {
	t.Helper()
	folder := t.TempDir()
	for file, text := range map[string]string{
		"cors.json": document,
		"ca.pem":    pemBlock("CERTIFICATE", server.Certificate().Raw),
	} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, _, said := program(t, []string{
		"AWS_ACCESS_KEY_ID=" + operator.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + operator.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + operator.SessionToken,
		"AWS_REGION=" + photos.region,
		"AWS_DEFAULT_REGION=" + photos.region,
		"AWS_ENDPOINT_URL_S3=" + server.URL,
		"AWS_CA_BUNDLE=" + filepath.Join(folder, "ca.pem"),
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}, "", "bash", "-ec", "cd "+folder+"\n"+command)
	if code != 0 || len(photos.rules) != 1 {
		t.Fatalf("exit code %d, %d rules: %s", code, len(photos.rules), said)
	}
}

// browserCall is one call of a function of a page, and what came of it.
type browserCall struct {
	Page  string `json:"page"`
	Token string `json:"token"`
	Down  bool   `json:"down"` // the service cannot be reached
	Clock int64  `json:"clock"`
	Name  string `json:"name"`
	Args  []any  `json:"args"`
}

type browserOutcome struct {
	Result   any
	Error    *struct{ Code, Message string }
	Requests []struct{ Method, URL string }
}

// requests are the requests of a call, as METHOD host.
func (o browserOutcome) requests(t *testing.T) (all []string) {
	t.Helper()
	for _, request := range o.Requests {
		r := must(http.NewRequest(request.Method, request.URL, nil))
		all = append(all, r.Method+" "+strings.SplitN(r.URL.Hostname(), ".", 2)[0])
		if strings.Contains(request.URL, "eyJ") {
			t.Errorf("a token is in the URL %s", request.URL)
		}
	}
	return all
}

// TestInterop_Browser runs every block of docs/browser.md: the page's JavaScript with the real AWS
// SDK in Chromium, on a page with the content security policy, against the service with the
// setting, and a bucket whose CORS the AWS CLI has set.
func TestInterop_Browser(t *testing.T) {
	needs(t, "node", "nodejs")
	needs(t, "chromium", "chromium")
	needs(t, "aws", "awscli")
	driver := filepath.Join("testdata", "browser")
	sdk := filepath.Join(driver, "node_modules", "@aws-sdk", "client-s3")
	if _, err := os.Stat(sdk); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix cmd/delegation/%s: %v", driver, err)
		}
		t.Skipf("run first: npm ci --prefix cmd/delegation/%s", driver)
	}
	blocks := browserPage(t)

	w := newWorld(t)
	photos := newBucket("example-photos", "eu-central-1")
	s3 := httptest.NewUnstartedServer(photos.behind(w.aws))
	s3.Config.ErrorLog = log.New(io.Discard, "", 0) // as above
	s3.StartTLS()
	t.Cleanup(s3.Close)
	w.allow(t, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "s3:PutBucketCORS", "Resource": "arn:aws:s3:::example-photos"}}`)
	operator := w.operator(t)
	putCORS(t, operator, photos, s3, blocks["json"], blocks["sh"])
	code, policy, said := outcomeOf(t, "permission-policy", "--bucket", photos.name, "--region",
		photos.region)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	w.allow(t, policy)
	w.writeTLS(t, 1)
	// A session ends with its token, so that the first credentials end soon and the next do not.
	more := "tls: {certificate_file: tls.crt, key_file: tls.key}\ncap_session_to_token: true\n"
	s := serve(t, w.configFile(t, more+blocks["yaml"]))
	page := servePage(t, blocks["http"], bundlePage(t, driver, blocks["js"]))

	const (
		app    = "https://app.example.com/"
		other  = "https://other.example.com/"
		folder = "auth0|alice/"
	)
	now := time.Now()
	early := now.UnixMilli()
	late := now.Add(11 * time.Minute).UnixMilli()                 // less than five minutes before the first end
	later := now.Add(11*time.Minute + 10*time.Second).UnixMilli() // after the pause of the module
	first := w.token(map[string]any{"exp": now.Add(15 * time.Minute).Unix()})
	good := w.token(nil)
	calls := []browserCall{
		{app, first, false, early, "save", []any{folder + "cat.txt", "a cat"}},
		{app, "not asked for", false, early, "list", []any{folder}},
		{app, good, true, late, "list", []any{folder}},
		{app, "not asked for", false, late, "list", []any{folder}},
		{app, w.token(map[string]any{"aud": "other-app"}), false, later, "list", []any{folder}},
		{app, w.token(map[string]any{"groups": []string{"staff"}}), false, later, "list",
			[]any{folder}},
		{app, w.token(expired()), false, later, "list", []any{folder}},
		{app, "Bearer " + good, false, later, "list", []any{folder}},
		{app, good, false, later, "list", []any{folder}},
		{app, "not asked for", false, later, "list", []any{folder}},
		{app, "", false, later, "signOut", []any{}},
		{app, good, false, later, "list", []any{folder}},
		{other, good, false, early, "list", []any{folder}},
	}
	host := func(url string) string { return url[strings.LastIndex(url, "/")+1:] }
	input := must(json.Marshal(map[string]any{
		"hosts": map[string]string{
			"app.example.com":                              host(page.URL),
			"other.example.com":                            host(page.URL),
			"delegation.example.com":                       host(s.url),
			"example-photos.s3.eu-central-1.amazonaws.com": host(s3.URL),
		},
		"calls": calls,
	}))
	environment := []string{"TMPDIR=" + t.TempDir()}
	script := filepath.Join(driver, "drive.mjs")
	code, out, said := program(t, environment, string(input), "node", script)
	var outcomes []browserOutcome
	err := json.Unmarshal([]byte(out), &outcomes)
	if code != 0 || err != nil || len(outcomes) != len(calls) {
		t.Fatalf("exit code %d, %v: %s%s; S3 refused %v", code, err, out, said, photos.refused)
	}

	const (
		fetched = "GET delegation"
		get     = "GET example-photos"
		saved   = "PUT example-photos"
	)
	cat := []any{folder + "cat.txt"}
	for i, want := range []struct {
		result        any
		code, message string
		requests      []string
	}{
		{`"1"`, "", "", []string{fetched, saved}},
		{cat, "", "", []string{get}},
		{cat, "", "", []string{fetched, get}},
		{cat, "", "", []string{get}},
		{nil, "unauthorized_client", "this application may not use the target", []string{fetched}},
		{nil, "unauthorized", "no role is assigned to this user", []string{fetched}},
		{nil, "invalid_grant", "jwt expired", []string{fetched}},
		{nil, "invalid_grant", `the ID token was not accepted: it has "Bearer " in front of it: ` +
			"leave that out", []string{fetched}},
		{cat, "", "", []string{fetched, get}},
		{cat, "", "", []string{get}},
		{nil, "", "", nil},
		{cat, "", "", []string{fetched, get}},
		{nil, "network_error", "the service cannot be reached, or does not list the origin of " +
			"this page", []string{fetched}},
	} {
		got := outcomes[i]
		code, message := "", ""
		if got.Error != nil {
			code, message = got.Error.Code, got.Error.Message
		}
		if fmt.Sprint(got.Result) != fmt.Sprint(want.result) || code != want.code ||
			message != want.message || !slices.Equal(got.requests(t), want.requests) {
			t.Errorf("call %d: got %v, %q, %q, %q, want %v",
				i+1, got.Result, code, message, got.requests(t), want)
		}
	}

	messages := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|").
		FindAllStringSubmatch(blocks["refusals"], -1)
	rows := 0
	for _, message := range messages {
		if message[1] == "code" {
			continue
		}
		rows++
		if !slices.ContainsFunc(outcomes, func(o browserOutcome) bool {
			return o.Error != nil && o.Error.Code == message[1] && o.Error.Message == message[2]
		}) {
			t.Errorf("no call failed with %q of docs/browser.md", message[1:])
		}
	}
	if rows != 5 {
		t.Errorf("docs/browser.md has %d messages", rows)
	}

	wantCalls := []string{
		"PUT ", "PUT " + folder + "cat.txt", "GET ", "GET ", "GET ", "GET ", "GET ", "GET ",
	}
	if !slices.Equal(photos.calls, wantCalls) || len(photos.refused) > 0 {
		t.Fatalf("S3 saw %q, and refused %v", photos.calls, photos.refused)
	}
	var keys []string
	for _, call := range w.aws.Calls() {
		if strings.HasPrefix(call.Action, "s3:") && call.AccessKeyID != operator.AccessKeyID {
			keys = append(keys, call.AccessKeyID)
		}
		if call.Resource != "" && call.Code != "" {
			t.Errorf("S3 refused %s of %s: %s", call.Action, call.Resource, call.Cause)
		}
	}
	uses := []int{0} // of each access key, in order
	for i, key := range keys {
		if i > 0 && key != keys[i-1] {
			uses = append(uses, 0)
		}
		uses[len(uses)-1]++
	}
	// Before and during the outage, after the renewal, and after another sign-in. The service gives
	// the same user the same credentials while they are fresh.
	if !slices.Equal(uses, []int{4, 3}) {
		t.Errorf("the access keys are %q", keys)
	}
	if photos.objects[folder+"cat.txt"] != "a cat" {
		t.Errorf("the objects are %q", photos.objects)
	}
	logged := `"msg":"preflight refused","path":"/credentials","ip":"127.0.0.1",` +
		`"origin":"https://other.example.com","method":"GET","headers":"authorization"`
	if !strings.Contains(s.logs.String(), logged) {
		t.Errorf("the log lacks %s: %s", logged, s.logs)
	}
}
