package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// incident is a service with the settings of docs/incident.md, and what its commands have done.
type incident struct {
	*world
	*reloadable
	clock *delegationtest.Clock
	admin string // where operators are served
	file  string // the configuration
	// policies are those that were attached to roles, by the names of the roles.
	policies map[string][]*iampolicy.Policy
	sections map[string]map[string][]string // blocks of the page, by section and language
}

// newIncident serves, after the commands of "Before an incident" were run.
func newIncident(t *testing.T) *incident {
	t.Helper()
	clock := delegationtest.NewClock(morning)
	i := &incident{
		world:    newWorldAt(t, clock),
		clock:    clock,
		policies: map[string][]*iampolicy.Policy{},
		sections: blocksBySection(t, "../../docs/incident.md"),
	}
	i.writeStubs(t)
	i.run(t, "Before an incident", 0)
	settings := i.sections["Before an incident"]["yaml"][0]
	settings = strings.ReplaceAll(settings, "store: redis", "store: memory")
	settings = strings.ReplaceAll(settings, "127.0.0.1:9465", "127.0.0.1:0")
	i.file = i.configFile(t, settings, fmt.Sprintf("role: %q", service.DemoRole))
	i.serve(t)
	return i
}

// newWorldAt is a world whose issuer and AWS go by a clock.
func newWorldAt(t *testing.T, clock *delegationtest.Clock) *world {
	t.Helper()
	w := &world{
		provider: must(oidctest.New(oidctest.Config{
			Key: delegationtest.IssuerKey(),
			Now: clock.Now,
		})),
		aws:    ststest.New(ststest.Config{Region: service.DemoRegion, Now: clock.Now}),
		folder: t.TempDir(),
	}
	w.awsURL = serveURL(t, w.aws)
	w.issuerURL = serveURL(t, w.provider)
	w.provider.SetIssuer(w.issuerURL)
	(&day{world: w}).trustSigningKey(t)
	return w
}

// serve starts the service.
func (i *incident) serve(t *testing.T) {
	t.Helper()
	i.reloadable = serveReloadableAt(t, i.clock.Now, i.file)
	i.admin = adminURL(t, i.logs)
}

// blocksBySection are the blocks of a page, by the titles of its sections and by language.
func blocksBySection(t *testing.T, page string) map[string]map[string][]string {
	t.Helper()
	sections := map[string]map[string][]string{}
	block := regexp.MustCompile("(?ms)^ *```(\\w+)\n(.*?)^ *```$")
	for _, section := range strings.Split(string(must(os.ReadFile(page))), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = map[string][]string{}
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			sections[title][m[1]] = append(sections[title][m[1]], m[2])
		}
	}
	return sections
}

// writeStubs writes programs that note how they are called, in place of those that change other
// machines. Only openssl does what it is asked for.
func (i *incident) writeStubs(t *testing.T) {
	t.Helper()
	for _, name := range []string{"aws", "curl"} {
		i.stub(t, name, fmt.Sprintf(`{ printf '%%s\0' %s "$@"; printf '\n\0'; } >>calls`, name))
	}
	i.stub(t, "openssl", "echo "+adminToken)
}

// stub writes a program of the folder bin.
func (w *world) stub(t *testing.T, name, script string) {
	t.Helper()
	path := filepath.Join(w.folder, "bin", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// run runs a block of commands of a section with a shell, and does what its aws and curl would.
func (i *incident) run(t *testing.T, section string, n int) {
	t.Helper()
	blocks := i.sections[section]["sh"]
	if n >= len(blocks) {
		t.Fatalf("%q has %d blocks of commands, and not %d", section, len(blocks), n+1)
	}
	script := strings.ReplaceAll(blocks[n], "https://tenant.example.com/", i.issuerURL)
	calls := filepath.Join(i.folder, "calls")
	if err := os.WriteFile(calls, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-eu", "-c", script)
	command.Dir = i.folder
	path := filepath.Join(i.folder, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	command.Env = append(os.Environ(), "PATH="+path)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	for _, call := range strings.Split(string(must(os.ReadFile(calls))), "\n\x00") {
		if words := strings.Split(strings.TrimSuffix(call, "\x00"), "\x00"); len(words) > 1 {
			i.perform(t, words)
		}
	}
}

// perform does what a command would do.
func (i *incident) perform(t *testing.T, words []string) {
	t.Helper()
	flags := map[string]string{}
	for n, word := range words[:len(words)-1] {
		flags[word] = words[n+1]
	}
	switch {
	case words[0] == "curl":
		at := must(url.Parse(words[slices.Index(words, "-X")+2]))
		_, authorization, _ := strings.Cut(flags["-H"], ": ")
		if flags["-X"] != http.MethodPost || at.Host != "127.0.0.1:9465" {
			t.Errorf("curl %q", words)
		}
		status, answer := administer(t, i.admin+at.Path, authorization, flags["-d"])
		if status != http.StatusOK {
			t.Errorf("curl %q: %d %s", words, status, answer)
		}
	case words[2] == "put-role-policy":
		policy, err := iampolicy.Parse(flags["--policy-document"])
		if err != nil || flags["--policy-name"] == "" {
			t.Fatalf("aws %q: %v", words, err)
		}
		role := flags["--role-name"]
		i.policies[role] = append(i.policies[role], policy)
	case words[2] == "update-saml-provider":
		file := strings.TrimPrefix(flags["--saml-metadata-document"], "file://")
		metadata := must(os.ReadFile(filepath.Join(i.folder, file)))
		err := i.aws.PutSAMLProvider(flags["--saml-provider-arn"], metadata)
		if err != nil || flags["--saml-provider-arn"] != service.DemoPrincipal {
			t.Fatalf("aws %q: %v", words, err)
		}
	default:
		t.Fatalf("nobody knows %q", words)
	}
}

// mayRead tells whether AWS lets a session read, by the policies that were attached to its role.
func (i *incident) mayRead(t *testing.T, subject string, issued time.Time) bool {
	t.Helper()
	allow := must(iampolicy.Parse(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}`))
	name := service.DemoRole[strings.LastIndex(service.DemoRole, "/")+1:]
	set := iampolicy.Set{Identity: append([]*iampolicy.Policy{allow}, i.policies[name]...)}
	qualifier := must(delegation.NameQualifier("urn:tenant.example.com", service.DemoPrincipal))
	decision, err := set.Decide(iampolicy.Request{
		Principal: iampolicy.Principal{
			ARN:  "arn:aws:sts::123456789012:assumed-role/" + name + "/session",
			Role: service.DemoRole,
		},
		Action:   "s3:GetObject",
		Resource: "arn:aws:s3:::example-photos/a",
		Context: iampolicy.Context{
			"saml:sub":           {subject},
			"saml:namequalifier": {qualifier},
			"aws:TokenIssueTime": {issued.UTC().Format(time.RFC3339)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return decision.Effect == iampolicy.Allowed
}

// wantSessions checks whose sessions AWS denies: those from before the commands were run, of these
// subjects, and none that begins later.
func (i *incident) wantSessions(t *testing.T, denied ...string) {
	t.Helper()
	for _, subject := range []string{"auth0|alice", "auth0|bob"} {
		before := i.mayRead(t, subject, time.Now().Add(-time.Hour))
		if before == slices.Contains(denied, subject) {
			t.Errorf("%s: a session from before may read: %t", subject, before)
		}
		if !i.mayRead(t, subject, time.Now().Add(time.Minute)) {
			t.Errorf("%s: a session that begins later is denied", subject)
		}
	}
}

// want checks the status of an exchange.
func (i *incident) want(t *testing.T, what, token string, status int) {
	t.Helper()
	if got, body := i.exchanged(t, token); got != status {
		t.Errorf("%s: %d %s, want %d", what, got, body, status)
	}
}

// TestIncident runs the commands of docs/incident.md in their order.
func TestIncident(t *testing.T) {
	const alice, bob = "auth0|alice", "auth0|bob"
	t.Run("a user", func(t *testing.T) {
		const section = "A user must be cut off"
		i := newIncident(t)
		ofAlice := i.token(nil)
		ofBob := i.token(map[string]any{"sub": bob})
		i.want(t, "alice before", ofAlice, http.StatusOK)
		i.want(t, "bob before", ofBob, http.StatusOK)
		i.run(t, section, 0)
		i.want(t, "alice after", ofAlice, http.StatusBadRequest)
		i.want(t, "bob after", ofBob, http.StatusOK)
		i.run(t, section, 1)
		i.wantSessions(t, alice)
		i.clock.Advance(2 * time.Minute)
		i.want(t, "alice, who has signed in once more", i.token(nil), http.StatusOK)
	})
	t.Run("a key", func(t *testing.T) {
		const section = "A signing key was stolen"
		i := newIncident(t)
		token := i.token(nil)
		thief := serveReloadableAt(t, i.clock.Now, i.write(t, "thief.yaml",
			string(must(os.ReadFile(i.file)))))
		if status, body := thief.exchanged(t, token); status != http.StatusOK {
			t.Fatalf("the thief before: %d %s", status, body)
		}
		i.run(t, section, 0)
		configuration := must(os.ReadFile(i.file))
		keys := regexp.MustCompile(`(?m)^ *- \{certificate_file.*\n`)
		wanted := keys.FindString(i.sections[section]["yaml"][0])
		i.write(t, "delegation.yaml", string(bytes.Replace(configuration,
			keys.Find(configuration), []byte("    "+strings.TrimSpace(wanted)+"\n"), 1)))
		i.mustReload(t)
		i.run(t, section, 1)
		if status, _ := thief.exchanged(t, i.token(map[string]any{"sub": bob})); status == 200 {
			t.Error("the thief still gets credentials")
		}
		i.run(t, section, 2)
		i.wantSessions(t, alice, bob)
		i.run(t, section, 3)
		i.want(t, "alice after", token, http.StatusOK)
	})
	t.Run("an issuer", func(t *testing.T) {
		const section = "An issuer is compromised"
		i := newIncident(t)
		token := i.token(nil)
		i.want(t, "alice before", token, http.StatusOK)
		old := i.provider.KeyID()
		i.stop()
		i.run(t, section, 0)
		i.wantSessions(t, alice, bob)
		kept := i.token(map[string]any{"sub": bob}) // signed by the thief
		must(i.provider.Rotate())
		i.provider.Withdraw(old)
		i.serve(t)
		i.want(t, "the thief's token of the old key", kept, http.StatusBadRequest)
		fresh := i.token(nil)
		i.want(t, "a token of the new key", fresh, http.StatusOK)
		i.run(t, section, 1)
		i.want(t, "the same after the revocation", fresh, http.StatusBadRequest)
		i.clock.Advance(2 * time.Minute)
		i.want(t, "alice, who has signed in once more", i.token(nil), http.StatusOK)
	})
}
