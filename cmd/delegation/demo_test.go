package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// serveDemo runs delegation serve --demo in this process until the test ends.
func serveDemo(t testing.TB, flags ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{said: newOutput(), logs: newOutput()}
	code := make(chan int, 1)
	go func() {
		args := append([]string{"serve", "--demo", "--listen", "127.0.0.1:0"}, flags...)
		code <- run(ctx, args, surroundings{stdout: s.said, stderr: s.logs})
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() {
		if code := s.stop(); code != 0 {
			t.Errorf("the demo ended with exit code %d: %s", code, s.logs)
		}
	})
	address := regexp.MustCompile(`^Serving on (http://127\.0\.0\.1:\d+),`)
	found := address.FindStringSubmatch(<-s.said.lines)
	if found == nil {
		t.Fatalf("the demo does not say where it serves: %s", s.said)
	}
	s.url = found[1]
	return s
}

// reply is an answer over HTTP.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request without following redirects. Header lines are "Name: value".
func call(t testing.TB, method, url, body string, header ...string) reply {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	c := client(nil)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return reply{response.StatusCode, response.Header, string(must(io.ReadAll(response.Body)))}
}

const formType = "Content-Type: application/x-www-form-urlencoded"

// shownWorld is what the page shows before anybody signs in.
type shownWorld struct {
	Target   string
	Users    []struct{ Name, Title, About string }
	Commands []struct{ About, Command string }
	Script   string
}

func demoWorld(t testing.TB, s *served) (world shownWorld) {
	t.Helper()
	got := call(t, http.MethodGet, s.url+"/demo/world", "")
	if err := json.Unmarshal([]byte(got.body), &world); got.status != 200 || err != nil {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	return world
}

// demoToken is a token of one of the demo's users.
func demoToken(t testing.TB, s *served, user string) string {
	t.Helper()
	got := call(t, http.MethodGet, s.url+"/token?user="+user, "")
	if got.status != 200 || strings.Count(got.body, ".") != 2 {
		t.Fatalf("token of %s: %d %s", user, got.status, got.body)
	}
	return got.body
}

// demoAnswer is what the page learns about an exchange.
type demoAnswer struct {
	Status int
	Answer map[string]any
	Record struct {
		Level, Msg string
		Event      map[string]any
	}
	Explanation struct {
		Rules []struct {
			Name    string
			Refused bool
		}
		Refusal *struct{ Stage, Code string }
	}
}

func demoExchange(t testing.TB, s *served, token string) demoAnswer {
	t.Helper()
	got := call(t, http.MethodPost, s.url+"/demo/exchange", token)
	var answer demoAnswer
	if err := json.Unmarshal([]byte(got.body), &answer); got.status != 200 || err != nil {
		t.Fatalf("exchange: %d %v %s", got.status, err, got.body)
	}
	if !strings.HasSuffix(got.body, "}\n") || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("exchange: Cache-Control %q, the body ends with %q",
			got.header.Get("Cache-Control"), got.body[len(got.body)-2:])
	}
	return answer
}

// TestDemo_Page: the page is one document that runs its own script and style sheet only, fetches
// from its own origin only, and is in no cache and no frame.
func TestDemo_Page(t *testing.T) {
	s := serveDemo(t)
	page := call(t, http.MethodGet, s.url+"/", "")
	for name, want := range map[string]string{
		"Content-Type":           "text/html; charset=utf-8",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
	} {
		if got := page.header.Get(name); page.status != 200 || got != want {
			t.Errorf("%d: %s is %q, want %q", page.status, name, got, want)
		}
	}
	hash := func(element string) string {
		inline := regexp.MustCompile(`(?s)<` + element + `>(.*?)</`)
		content := inline.FindAllStringSubmatch(page.body, -1)
		if len(content) != 1 {
			t.Fatalf("%d elements <%s>", len(content), element)
		}
		sum := sha256.Sum256([]byte(content[0][1]))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; script-src " + hash(`script type="module"`) +
		"; style-src " + hash("style") + "; img-src data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if got := page.header.Get("Content-Security-Policy"); got != want {
		t.Errorf("the policy is\n%s\nwant\n%s", got, want)
	}
	for _, forbidden := range []string{
		` src=`, ` style=`, ` onclick=`, ` onload=`, `@import`, `url(`, `innerHTML`, `eval(`,
		`https://`, `<link rel="stylesheet`,
	} {
		if strings.Contains(page.body, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	for _, path := range []string{"/index.html", "/demo", "/demo/", "/favicon.ico"} {
		if got := call(t, http.MethodGet, s.url+path, ""); got.status != 404 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestDemo_OnlyInTheDemo: a service for real has no page, no tokens and no explanations.
func TestDemo_OnlyInTheDemo(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""))
	for _, row := range []struct{ method, path string }{
		{http.MethodGet, "/"},
		{http.MethodGet, "/token?user=alice"},
		{http.MethodGet, "/demo/world"},
		{http.MethodPost, "/demo/exchange"},
	} {
		if got := call(t, row.method, s.url+row.path, w.token(nil)); got.status != 404 {
			t.Errorf("%s %s: %d %s", row.method, row.path, got.status, got.body)
		}
	}
}

// TestDemo_Users: every user of the page has the outcome that the page announces. The caller is
// told the public text, the log says the code, and neither holds the token.
func TestDemo_Users(t *testing.T) {
	s := serveDemo(t)
	rows := map[string]struct {
		status                    int
		description               string
		level, stage, code, rules string
	}{
		"alice":   {200, "", "INFO", "", "", "+++"},
		"bob":     {401, "no role is assigned to this user", "WARN", "rules", "denied", "++-"},
		"mallory": {401, "a verified email address is required", "WARN", "rules", "denied", "-"},
		"dave":    {400, "jwt expired", "WARN", "token", "token_expired", ""},
		"eve":     {400, "the ID token was not accepted", "WARN", "token", "signature_invalid", ""},
		"carol":   {502, "AWS refused the request", "ERROR", "sts", "sts_access_denied", "+++"},
	}
	world := demoWorld(t, s)
	manual := string(must(os.ReadFile("../../docs/demo.md")))
	if len(world.Users) != len(rows) || world.Target != service.DemoTarget {
		t.Errorf("the page shows %+v", world)
	}
	for _, user := range world.Users {
		t.Run(user.Name, func(t *testing.T) {
			row, known := rows[user.Name]
			if !known || user.Title == "" || user.About == "" {
				t.Fatalf("the page shows %+v", user)
			}
			token := demoToken(t, s, user.Name)
			got := demoExchange(t, s, token)
			description, _ := got.Answer["error_description"].(string)
			if got.Status != row.status || description != row.description {
				t.Errorf("the caller is told %d %q", got.Status, description)
			}
			if got.Status == 200 && got.Answer["Credentials"] == nil {
				t.Errorf("no credentials: %v", got.Answer)
			}
			stage, _ := got.Record.Event["stage"].(string)
			code, _ := got.Record.Event["code"].(string)
			outcome := []string{got.Record.Msg, got.Record.Level, stage, code}
			message := map[int]string{
				200: "exchange allowed",
				400: "exchange denied",
				401: "exchange denied",
				502: "exchange failed",
			}[row.status]
			if !slices.Equal(outcome, []string{message, row.level, row.stage, row.code}) {
				t.Errorf("the log says %+v", got.Record)
			}
			rules := ""
			for _, rule := range got.Explanation.Rules {
				rules += map[bool]string{false: "+", true: "-"}[rule.Refused]
			}
			if rules != row.rules {
				t.Errorf("the rules are %q, want %q", rules, row.rules)
			}
			// The service itself answers its clients so.
			form := delegationForm(token).Encode()
			direct := call(t, http.MethodPost, s.url+"/delegation", form, formType)
			if direct.status != row.status || !strings.Contains(direct.body, description) {
				t.Errorf("the service answers %d %s", direct.status, direct.body)
			}
			told := fmt.Sprintf("| %d `%s` | %s `%s` |", row.status, description, row.level, code)
			told = strings.ReplaceAll(told, " ``", "")
			documented := regexp.MustCompile(
				`(?mi)^\| ` + user.Name + ` \|.*` + regexp.QuoteMeta(told) + `$`)
			if !documented.MatchString(manual) {
				t.Errorf("docs/demo.md has no row of %s with %s", user.Name, told)
			}
			record := string(must(json.Marshal(got.Record.Event)))
			if strings.Contains(record+s.logs.String(), token) {
				t.Error("the record or the log holds the token")
			}
		})
	}
	unknown := call(t, http.MethodGet, s.url+"/token?user=zoe", "")
	if unknown.status != 404 ||
		unknown.body != "the users are alice, bob, mallory, dave, eve and carol\n" {
		t.Errorf("an unknown user: %d %s", unknown.status, unknown.body)
	}
	tooLong := strings.Repeat("x", 64<<10+1)
	if got := call(t, http.MethodPost, s.url+"/demo/exchange", tooLong); got.status != 413 {
		t.Errorf("a body that is too long: %d", got.status)
	}
}

// TestDemo_Log: a success is in the log with its audit record, and the log says of the second that
// its credentials came from the cache.
func TestDemo_Log(t *testing.T) {
	s := serveDemo(t)
	ask := func() string {
		got := call(t, http.MethodGet, s.url+"/credentials?target="+service.DemoTarget, "",
			"Authorization: "+demoToken(t, s, "alice"))
		if got.status != 200 || !strings.HasSuffix(got.body, "}\n") {
			t.Fatalf("%d %q", got.status, got.body)
		}
		return got.body
	}
	first, second := ask(), ask()
	if first != second {
		t.Error("the second answer is another")
	}
	success := regexp.MustCompile(
		`level=INFO msg="exchange allowed" .*event\.subject=auth0\|alice .*event\.cache=(\w+)`)
	var outcomes []string
	for _, found := range success.FindAllStringSubmatch(s.logs.String(), -1) {
		outcomes = append(outcomes, found[1])
	}
	if strings.Join(outcomes, " ") != "miss hit" {
		t.Errorf("the log says %q: %s", outcomes, s.logs)
	}
	var credentials struct{ SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(first), &credentials); err != nil || credentials.Token == "" {
		t.Fatal(err)
	}
	for _, secret := range []string{credentials.SecretAccessKey, credentials.Token} {
		if strings.Contains(s.logs.String(), secret) {
			t.Error("the log holds a secret")
		}
	}
}

// TestDemo_Console: a console link stays on this machine, where AWS would redirect to its console.
func TestDemo_Console(t *testing.T) {
	s := serveDemo(t)
	form := delegationForm(demoToken(t, s, "alice")).Encode()
	got := call(t, http.MethodPost, s.url+"/console", form, formType)
	var link struct{ URL string }
	onLoopback := regexp.MustCompile(`^http://127\.0\.0\.1:\d+/federation\?`)
	err := json.Unmarshal([]byte(got.body), &link)
	if err != nil || !onLoopback.MatchString(link.URL) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	stub := call(t, http.MethodGet, link.URL, "")
	if stub.status != 200 || stub.header.Get("Location") != "" ||
		!strings.Contains(stub.body, "https://eu-central-1.console.aws.amazon.com/") {
		t.Errorf("the stub: %d %v %s", stub.status, stub.header, stub.body)
	}
	policy := stub.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") ||
		stub.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the stub: %v", stub.header)
	}
	if forged := call(t, http.MethodGet, link.URL+"x", ""); forged.status != 400 {
		t.Errorf("a token that nobody issued: %d %s", forged.status, forged.body)
	}
}

// TestDemo_Commands: the page shows the commands that the terminal prints, all of them, with the
// service's address. Nothing in them leaves the machine.
func TestDemo_Commands(t *testing.T) {
	s := serveDemo(t)
	world := demoWorld(t, s)
	var want strings.Builder
	for _, c := range world.Commands {
		fmt.Fprintf(&want, "echo '%s'\n%s\n\n", c.About, c.Command)
	}
	if world.Script != want.String() || len(world.Commands) < 9 {
		t.Errorf("Copy all copies\n%s\nand the page shows\n%s", world.Script, &want)
	}
	if got := demoScript(t, s); !strings.HasPrefix(got, world.Script+"echo ") {
		t.Errorf("the page shows\n%s\nthe terminal\n%s", world.Script, got)
	}
	addresses := regexp.MustCompile(`https?://[^/\s'"?]+`)
	for _, found := range addresses.FindAllString(s.said.String(), -1) {
		if !strings.HasPrefix(found, "http://127.0.0.1:") {
			t.Errorf("a command names %s", found)
		}
	}
	if !strings.Contains(s.said.String(), "\nOpen the page in a browser:  "+s.url+"/\n") {
		t.Errorf("the terminal does not name the page: %s", s.said)
	}
}

// demoScript is what a newcomer pastes of the output: everything after the introduction.
func demoScript(t testing.TB, s *served) string {
	t.Helper()
	_, script, found := strings.Cut(s.said.String(), "Press Ctrl-C here to stop.\n\n")
	if !found {
		t.Fatalf("no commands: %s", s.said)
	}
	return script
}

// TestDemo_Pasted: an interactive shell takes each line as it is. There are no comments, which zsh
// does not have by default, and outside of quotes there is nothing that a shell expands to names of
// files, such as the brackets of an IPv6 address or the ? of a query.
func TestDemo_Pasted(t *testing.T) {
	s := serveDemo(t)
	quoted := regexp.MustCompile(`'[^']*'`)
	doubleQuoted := regexp.MustCompile(`"[^"]*"`)
	substitution := regexp.MustCompile(`\$\([^()]*\)`)
	plain := regexp.MustCompile(`\A[\w $=:.,/-]*\z`)
	for line := range strings.Lines(demoScript(t, s) + demoWorld(t, s).Script) {
		line = strings.TrimSuffix(line, "\n")
		rest := quoted.ReplaceAllString(line, "")
		rest = doubleQuoted.ReplaceAllString(rest, "")
		rest = substitution.ReplaceAllString(rest, "")
		if !plain.MatchString(rest) || strings.Contains(rest, "://") {
			t.Errorf("a shell would interpret %q in\n%s", rest, line)
		}
	}
}

// TestDemo_Origins: pages of the origins that --allow-origin names may call the demo and get tokens
// from it, no others, and without the flag none.
func TestDemo_Origins(t *testing.T) {
	const app, other = "http://app.localhost:3000", "http://other.localhost"
	listed := serveDemo(t, "--allow-origin", app, "--allow-origin", "https://app.example.com")
	all := serveDemo(t, "--allow-origin", "*")
	none := serveDemo(t)
	for _, row := range []struct {
		s            *served
		origin, want string
	}{
		{listed, app, app},
		{listed, "https://app.example.com", "https://app.example.com"},
		{listed, other, ""},
		{listed, "null", ""},
		{all, other, "*"},
		{none, app, ""},
	} {
		for _, request := range []struct{ method, path string }{
			{http.MethodGet, "/token?user=alice"},
			{http.MethodPost, "/delegation"},
			{http.MethodPost, "/console"},
		} {
			got := call(t, request.method, row.s.url+request.path, "", "Origin: "+row.origin)
			if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != row.want {
				t.Errorf("%s from %s: %q, want %q", request.path, row.origin, allowed, row.want)
			}
		}
		// What is for the page alone is for no other page.
		for _, request := range []struct{ method, path string }{
			{http.MethodGet, "/"},
			{http.MethodGet, "/demo/world"},
			{http.MethodPost, "/demo/exchange"},
		} {
			got := call(t, request.method, row.s.url+request.path, "", "Origin: "+row.origin)
			if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("%s from %s: %q", request.path, row.origin, allowed)
			}
		}
	}
	got := call(t, http.MethodGet, listed.url+"/token?user=alice", "")
	if vary := got.header.Get("Vary"); vary != "Origin" {
		t.Errorf("the answer varies by %q", vary)
	}
}

// TestServe_AllowOrigin: the flag replaces the origins of the configuration.
func TestServe_AllowOrigin(t *testing.T) {
	w := newWorld(t)
	config := w.configFile(t, "http: {allowed_origins: [http://configured.localhost]}")
	s := start(t, nil, "serve", "--config", config, "--allow-origin", "http://app.localhost")
	for origin, want := range map[string]string{
		"http://app.localhost":        "http://app.localhost",
		"http://configured.localhost": "",
	} {
		got := call(t, http.MethodPost, s.url+"/delegation", "", "Origin: "+origin)
		if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != want {
			t.Errorf("%s: %q, want %q", origin, allowed, want)
		}
	}
}
