//go:build interop

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startGoProvider builds and runs the program in a folder of testdata. It is a module of its own,
// whose dependencies Go fetches, as far as they are not in its cache.
func startGoProvider(t *testing.T, name string, arguments ...string) *realProvider {
	t.Helper()
	return startProvider(t, name, buildInTestdata(t, name), arguments...)
}

// buildInTestdata builds the program of a module of its own in testdata, and returns its file.
func buildInTestdata(t *testing.T, name string) string {
	t.Helper()
	folder := filepath.Join("testdata", name)
	file := filepath.Join(t.TempDir(), name)
	goCommand := func(arguments ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "go", arguments...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GOWORK=off")
		said, err := command.CombinedOutput()
		return string(said), err
	}
	if said, err := goCommand("list", "-deps", "."); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("go -C cmd/delegation/%s list -deps .: %v: %s", folder, err, said)
		}
		t.Skipf("the modules of cmd/delegation/%s cannot be fetched: %s", folder, said)
	}
	if said, err := goCommand("build", "-o", file, "."); err != nil {
		t.Fatalf("go -C cmd/delegation/%s build .: %v: %s", folder, err, said)
	}
	return file
}

// roleByEmail is a configuration for a provider that sends no groups: alice has her role by her
// verified address.
func roleByEmail(t *testing.T, w *world, issuer, settings, client string) string {
	t.Helper()
	file := realIssuer(t, w, issuer, settings, client)
	before := string(must(os.ReadFile(file)))
	after := strings.Replace(before, `claim: groups, roles: [{match: "photo-editors?"`,
		`claim: email, roles: [{match: "alice@example.com"`, 1)
	if after == before {
		t.Fatalf("the configuration has no rule for groups: %s", before)
	}
	return w.write(t, filepath.Base(file), after)
}

// TestInterop_Zitadel: the example server of zitadel's library signs a user in, and the ID token
// becomes credentials. Its access tokens do not, whether they are opaque or JWTs, nor do the ID
// tokens of another client and of a key that was replaced.
func TestInterop_Zitadel(t *testing.T) {
	p := startGoProvider(t, "zitadel", filepath.Join("testdata", "zitadel", "users.json"))
	user := map[string]string{"username": "alice", "password": "password"}
	w := newWorld(t)
	config := roleByEmail(t, w, p.issuer, "", "photo-app")
	s := serve(t, config)

	good := p.client("photo-app").signIn(t, user)
	header, claims := claimsOf(t, good.ID)
	t.Logf("%v %v", header, claims)
	if header["alg"] != "RS256" || claims["email"] != "alice@example.com" {
		t.Errorf("the ID token has %v %v", header, claims)
	}
	wantCredentials(t, "ID token", config, good.ID)
	status, answer := posted(t, s, good.ID)
	if status != http.StatusOK || !strings.Contains(answer, editorAlice) {
		t.Errorf("serve answers %d %s", status, answer)
	}

	wantRefusal(t, "opaque access token", config, good.Access, "(token_malformed)")
	foreign := p.client("other-app").signIn(t, user).ID
	wantRefusal(t, "another client", config, foreign, "(audience_not_allowed)")
	// An access token that is a JWT has all that an ID token must have, but no at_hash.
	strict := roleByEmail(t, w, p.issuer, `, required_claims: {at_hash: [".+"]}`, "photo-app-jwt")
	both := p.client("photo-app-jwt").signIn(t, user)
	header, claims = claimsOf(t, both.Access)
	t.Logf("access token: %v %v", header, claims)
	wantCredentials(t, "ID token with at_hash", strict, both.ID)
	wantRefusal(t, "access token without at_hash", strict, both.Access, "(required_claim)")

	p.do(t, "rotate")
	wantRefusal(t, "token of the old key", config, good.ID, "(key_unknown)")
	fresh := p.client("photo-app").signIn(t, user).ID
	wantCredentials(t, "token of the new key", config, fresh)
	if status, answer := posted(t, s, fresh); status != http.StatusOK {
		t.Errorf("serve answers the token of the new key with %d %s", status, answer)
	}
}

// TestInterop_Dex: Dex signs a user in, and the ID token becomes credentials. The ID tokens of
// another client, also one for both clients, of yesterday, and of a key that was replaced do not.
// An access token of Dex is told from an ID token by c_hash alone, so a configuration that requires
// it refuses the ID tokens of refresh tokens, too.
func TestInterop_Dex(t *testing.T) {
	p := startGoProvider(t, "dex")
	user := map[string]string{"login": "alice@example.com", "password": "password"}
	w := newWorld(t)
	config := roleByEmail(t, w, p.issuer, `, required_claims: {c_hash: [".+"]}`, "photo-app")
	s := serve(t, config)

	app := p.client("photo-app")
	app.scope += " offline_access"
	good := app.signIn(t, user)
	header, claims := claimsOf(t, good.ID)
	t.Logf("%v %v", header, claims)
	if header["alg"] != "RS256" || claims["email"] != "alice@example.com" {
		t.Errorf("the ID token has %v %v", header, claims)
	}
	wantCredentials(t, "ID token", config, good.ID)
	status, answer := posted(t, s, good.ID)
	if status != http.StatusOK || !strings.Contains(answer, editorAlice) {
		t.Errorf("serve answers %d %s", status, answer)
	}

	wantRefusal(t, "access token", config, good.Access, "(required_claim)")
	refreshed := app.refreshed(t, good.Refresh)
	wantRefusal(t, "refreshed ID token", config, refreshed.ID, "(required_claim)")
	loose := roleByEmail(t, w, p.issuer, "", "photo-app")
	wantCredentials(t, "refreshed ID token, if c_hash is not required", loose, refreshed.ID)
	wantCredentials(t, "access token, if c_hash is not required", loose, good.Access)

	other := p.client("other-app")
	foreign := other.signIn(t, user).ID
	wantRefusal(t, "another client", config, foreign, "(audience_not_allowed)")
	other.scope += " audience:server:client_id:photo-app"
	shared := other.signIn(t, user).ID
	header, claims = claimsOf(t, shared)
	t.Logf("for both: %v %v", header, claims)
	wantRefusal(t, "another client, for both", config, shared, "(audience_not_allowed)")

	p.do(t, "clock -172800")
	yesterday := app.signIn(t, user).ID
	p.do(t, "clock 0")
	wantRefusal(t, "token of yesterday", config, yesterday, "(token_expired)")

	p.do(t, "rotate")
	wantRefusal(t, "token of the old key", config, good.ID, "(key_unknown)")
	fresh := app.signIn(t, user).ID
	wantCredentials(t, "token of the new key", config, fresh)
	if status, answer := posted(t, s, fresh); status != http.StatusOK {
		t.Errorf("serve answers the token of the new key with %d %s", status, answer)
	}
}
