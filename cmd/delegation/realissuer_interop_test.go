//go:build interop

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// publicClient is an application that signs users in at a provider, by authorization code and
// PKCE.
type publicClient struct {
	issuer   string
	id       string
	secret   string // most have none
	redirect string
	scope    string
	resource string // RFC 8707; most have none
	signedIn func() // if not nil, called before the code is redeemed
}

// tokens are what the token endpoint gives.
type tokens struct {
	ID      string `json:"id_token"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// signIn signs a user in as a browser would: it follows redirects with cookies, and fills in the
// provider's forms, until the provider redirects to the application.
func (c publicClient) signIn(t *testing.T, fields map[string]string) tokens {
	t.Helper()
	discovered := c.discover(t)
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	question := url.Values{
		"client_id":             {c.id},
		"redirect_uri":          {c.redirect},
		"response_type":         {"code"},
		"scope":                 {c.scope},
		"state":                 {rand.Text()},
		"nonce":                 {rand.Text()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	if c.resource != "" {
		question.Set("resource", c.resource)
	}
	answer := c.browse(t, discovered.Authorization+"?"+question.Encode(), fields)
	if answer.Get("state") != question.Get("state") || answer.Get("code") == "" {
		t.Fatalf("%s sends the user back with %v", c.issuer, answer)
	}
	if c.signedIn != nil {
		c.signedIn()
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {answer.Get("code")},
		"redirect_uri":  {c.redirect},
		"code_verifier": {verifier},
	}
	if c.resource != "" {
		form.Set("resource", c.resource)
	}
	var got tokens
	if err := json.Unmarshal(c.post(t, discovered.Token, form), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// refreshed are the tokens for a refresh token.
func (c publicClient) refreshed(t *testing.T, refresh string) tokens {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	var got tokens
	if err := json.Unmarshal(c.post(t, c.discover(t).Token, form), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// discovery is what a test needs of a provider's discovery document.
type discovery struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
}

func (c publicClient) discover(t *testing.T) (discovered discovery) {
	t.Helper()
	where := strings.TrimSuffix(c.issuer, "/") + "/.well-known/openid-configuration"
	body := send(t, must(http.NewRequest(http.MethodGet, where, nil)))
	if err := json.Unmarshal(body, &discovered); err != nil {
		t.Fatal(err)
	}
	return discovered
}

// post sends a form as the client.
func (c publicClient) post(t *testing.T, where string, form url.Values) []byte {
	t.Helper()
	if c.secret == "" {
		form.Set("client_id", c.id)
	}
	request := must(http.NewRequest(http.MethodPost, where, strings.NewReader(form.Encode())))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.secret != "" {
		request.SetBasicAuth(c.id, c.secret)
	}
	return send(t, request)
}

// send wants the answer 200, and returns its body.
func send(t *testing.T, request *http.Request) []byte {
	t.Helper()
	response, err := client(nil).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := must(io.ReadAll(response.Body))
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", request.URL, response.Status, body)
	}
	return body
}

// The parts of a page that a browser without scripts needs.
var (
	formTag   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	attribute = regexp.MustCompile(`(?is)\b(action|name|value)\s*=\s*"([^"]*)"`)
)

// attributes are those of a tag that a form needs.
func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, found := range attribute.FindAllStringSubmatch(tag, -1) {
		all[strings.ToLower(found[1])] = html.UnescapeString(found[2])
	}
	return all
}

// browse opens a page, and sends each form that it gets with these fields filled in. It returns
// the parameters with which the provider redirects to the application.
func (c publicClient) browse(t *testing.T, page string, fields map[string]string) url.Values {
	t.Helper()
	var back *url.URL
	browser := client(nil)
	browser.Jar = must(cookiejar.New(nil))
	browser.CheckRedirect = func(to *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(to.URL.String(), c.redirect+"?") {
			back = to.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	response, err := browser.Get(page)
	for range 5 { // a form for the name, one for consent, and some more
		if err != nil {
			t.Fatal(err)
		}
		body := string(must(io.ReadAll(response.Body)))
		response.Body.Close()
		if back != nil {
			return back.Query()
		}
		form := formTag.FindStringSubmatch(body)
		if response.StatusCode != http.StatusOK || form == nil {
			t.Fatalf("%s: %s, and no form: %s", response.Request.URL, response.Status, body)
		}
		filled := url.Values{}
		for _, input := range inputTag.FindAllStringSubmatch(form[2], -1) {
			found := attributes(input[1])
			value, ok := fields[found["name"]]
			if !ok {
				value = found["value"]
			}
			filled.Set(found["name"], value)
		}
		action := must(response.Request.URL.Parse(attributes(form[1])["action"]))
		response, err = browser.PostForm(action.String(), filled)
	}
	t.Fatalf("%s still shows forms: %s", c.issuer, response.Request.URL)
	return nil
}

// claimsOf are the header and the claims of a JWT, which nobody has verified.
func claimsOf(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %d parts", len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// exchanged runs delegation exchange with a token from standard input, in this process.
func exchanged(t *testing.T, file, token string) (code int, stdout, stderr string) {
	t.Helper()
	out := newOutput()
	errs := newOutput()
	arguments := []string{
		"exchange", "--config", file, "--target", "photo-app", "--token-file", "-",
	}
	code = run(t.Context(), arguments,
		surroundings{stdin: strings.NewReader(token), stdout: out, stderr: errs})
	return code, out.String(), errs.String()
}

// wantCredentials wants that exchange gives credentials for a token.
func wantCredentials(t *testing.T, what, file, token string) {
	t.Helper()
	code, out, said := exchanged(t, file, token)
	var credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	err := json.Unmarshal([]byte(out), &credentials)
	if code != 0 || err != nil || credentials.SessionToken == "" {
		t.Errorf("%s: exit code %d, %v: %s", what, code, err, said)
	}
}

// wantRefusal wants that exchange refuses a token with a code, and does not repeat the token.
func wantRefusal(t *testing.T, what, file, token, refusal string) {
	t.Helper()
	code, out, said := exchanged(t, file, token)
	t.Logf("%s: %s", what, said)
	if code != 1 || out != "" || !strings.Contains(said, refusal) || strings.Contains(said, token) {
		t.Errorf("%s: exit code %d, %s%s, want %s", what, code, out, said, refusal)
	}
}

// posted is the status and the answer of serve to the form of an Auth0 client.
func posted(t *testing.T, s *served, token string) (status int, answer string) {
	t.Helper()
	response, err := client(nil).PostForm(s.url+"/delegation", delegationForm(token))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

// realProvider is a provider that runs in a process of its own. It obeys lines of its input.
type realProvider struct {
	name   string
	issuer string
	scope  string // what its clients ask for
	stdin  io.Writer
	stdout *bufio.Scanner
}

// startProvider runs a provider until the test ends. It prints its issuer first.
func startProvider(t *testing.T, name, program string, arguments ...string) *realProvider {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	command := exec.CommandContext(ctx, program, arguments...)
	said := newOutput()
	command.Stderr = said
	stdin := must(command.StdinPipe())
	stdout := bufio.NewScanner(must(command.StdoutPipe()))
	p := &realProvider{name: name, scope: "openid email", stdin: stdin, stdout: stdout}
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		stdin.Close() // it ends with its input
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, said)
		}
	})
	if !p.stdout.Scan() {
		t.Fatalf("%s does not start: %s", name, said)
	}
	p.issuer = p.stdout.Text()
	return p
}

// do has the provider carry out a command.
func (p *realProvider) do(t *testing.T, command string) {
	t.Helper()
	fmt.Fprintln(p.stdin, command)
	if !p.stdout.Scan() || p.stdout.Text() != command {
		t.Fatalf("%s does not %s: %q", p.name, command, p.stdout.Text())
	}
}

// client is a client of the provider.
func (p *realProvider) client(id string) publicClient {
	return publicClient{
		issuer:   p.issuer,
		id:       id,
		redirect: "http://127.0.0.1/callback",
		scope:    p.scope,
	}
}

// startNodeProvider runs the npm package oidc-provider.
func startNodeProvider(t *testing.T) *realProvider {
	t.Helper()
	needs(t, "node", "nodejs")
	folder := filepath.Join("testdata", "oidcprovider")
	_, err := os.Stat(filepath.Join(folder, "node_modules", "oidc-provider"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix cmd/delegation/%s: %v", folder, err)
		}
		t.Skipf("run first: npm ci --prefix cmd/delegation/%s", folder)
	}
	p := startProvider(t, "oidc-provider", "node", filepath.Join(folder, "provider.mjs"))
	p.scope = "openid email groups photos"
	return p
}

// alice signs in at the login form of oidc-provider, which takes any password.
var alice = map[string]string{"login": "alice", "password": "any"}

// realIssuer is a configuration for a real provider's issuer, with more settings of the issuer.
func realIssuer(t *testing.T, w *world, issuer, settings, client string) string {
	t.Helper()
	w.issuerURL = issuer
	file := w.configFile(t, "", "audiences: ["+client+"]")
	text := string(must(os.ReadFile(file)))
	text = strings.Replace(text, "allow_loopback_http: true",
		"allow_loopback_http: true"+settings, 1)
	return w.write(t, rand.Text()+".yaml", text)
}

// TestInterop_OIDCProvider: the npm package oidc-provider signs a user in, and its ID tokens, with
// RS256 and with ES256, become credentials. Its other tokens do not: access tokens, also one that
// is a JWT for our audience, signed user information if a nonce is required, and the ID tokens of
// another client, of yesterday, and of a key that was replaced.
func TestInterop_OIDCProvider(t *testing.T) {
	p := startNodeProvider(t)
	w := newWorld(t)
	rs := realIssuer(t, w, p.issuer, "", "photo-app")
	es := realIssuer(t, w, p.issuer, ", algorithms: [ES256]", "photo-app-ec")
	s := serve(t, rs)

	good := p.client("photo-app").signIn(t, alice)
	curve := p.client("photo-app-ec").signIn(t, alice)
	for _, signed := range []struct{ token, algorithm string }{
		{good.ID, "RS256"}, {curve.ID, "ES256"},
	} {
		header, claims := claimsOf(t, signed.token)
		t.Logf("%v %v", header, claims)
		if header["alg"] != signed.algorithm || claims["email"] != "alice@example.com" {
			t.Errorf("the ID token has %v %v", header, claims)
		}
	}
	wantCredentials(t, "RS256", rs, good.ID)
	wantCredentials(t, "ES256", es, curve.ID)
	status, answer := posted(t, s, good.ID)
	if status != http.StatusOK || !strings.Contains(answer, editorAlice) {
		t.Errorf("serve answers %d %s", status, answer)
	}

	wantRefusal(t, "ES256, as it is not configured", rs, curve.ID, "(algorithm_not_allowed)")
	wantRefusal(t, "RS256, as it is not configured", es, good.ID, "(algorithm_not_allowed)")
	foreign := p.client("other-app").signIn(t, alice).ID
	wantRefusal(t, "another client", rs, foreign, "(audience_not_allowed)")
	wantRefusal(t, "opaque access token", rs, good.Access, "(token_malformed)")
	app := p.client("photo-app")
	app.resource = "urn:photos"
	access := app.signIn(t, alice).Access
	header, claims := claimsOf(t, access)
	t.Logf("%v %v", header, claims)
	if header["typ"] != "at+jwt" || claims["aud"] != "photo-app" {
		t.Errorf("the access token has %v %v", header, claims)
	}
	wantRefusal(t, "access token for our audience", rs, access, "(token_type)")
	// Signed user information has all that an ID token must have. The nonce tells them apart.
	strict := realIssuer(t, w, p.issuer, `, required_claims: {nonce: [".+"]}`, "photo-app")
	wantRefusal(t, "user information", strict, p.userInfo(t, good.Access), "(required_claim)")
	wantCredentials(t, "an ID token with a nonce", strict, good.ID)

	late := p.client("photo-app")
	late.signedIn = func() { p.do(t, "clock -86400") }
	yesterday := late.signIn(t, alice).ID
	p.do(t, "clock 0")
	wantRefusal(t, "token of yesterday", rs, yesterday, "(token_expired)")

	p.do(t, "rotate")
	wantRefusal(t, "token of the old key", rs, good.ID, "(key_unknown)")
	fresh := p.client("photo-app").signIn(t, alice).ID
	wantCredentials(t, "token of the new key", rs, fresh)
	if status, answer := posted(t, s, fresh); status != http.StatusOK {
		t.Errorf("serve answers the token of the new key with %d %s", status, answer)
	}
}

// TestInterop_OIDCProviderLogout: the npm package oidc-provider sends its own logout token for the
// session in which a user has signed in, and no ID token of that session counts any more.
func TestInterop_OIDCProviderLogout(t *testing.T) {
	p := startNodeProvider(t)
	w := newWorld(t)
	file := realIssuer(t, w, p.issuer, "", "photo-app")
	text := string(must(os.ReadFile(file)))
	file = w.write(t, "logout.yaml", text+
		"\nrevocations: {store: memory}\nbackchannel_logout: true\n")
	s := serve(t, file)
	first := p.client("photo-app").signIn(t, alice).ID
	second := p.client("photo-app").signIn(t, alice).ID
	_, claims := claimsOf(t, first)
	t.Logf("%v", claims)
	for _, token := range []string{first, second} {
		if status, answer := posted(t, s, token); status != http.StatusOK {
			t.Fatalf("before: %d %s", status, answer)
		}
	}
	p.do(t, fmt.Sprintf("logout %s/backchannel-logout %v %v", s.url, claims["sub"], claims["sid"]))
	status, answer := posted(t, s, first)
	if status != http.StatusBadRequest || !strings.Contains(answer, "the session has ended") {
		t.Errorf("the session that ended: %d %s", status, answer)
	}
	if status, answer := posted(t, s, second); status != http.StatusOK {
		t.Errorf("another session: %d %s", status, answer)
	}
	if !strings.Contains(s.logs.String(), `"cause":"logout"`) {
		t.Errorf("the log has no logout: %s", s.logs)
	}
}

// userInfo is the answer of the userinfo endpoint, a signed JWT.
func (p *realProvider) userInfo(t *testing.T, access string) string {
	t.Helper()
	where := publicClient{issuer: p.issuer}.discover(t).UserInfo
	request := must(http.NewRequest(http.MethodGet, where, nil))
	request.Header.Set("Authorization", "Bearer "+access)
	token := string(send(t, request))
	header, claims := claimsOf(t, token)
	t.Logf("%v %v", header, claims)
	return token
}
