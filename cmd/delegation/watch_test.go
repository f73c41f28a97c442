package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
)

// watching is a delegation serve that looks at its files when the test says so.
type watching struct {
	*reloadable
	t     *testing.T
	ticks chan time.Time
	waits chan struct{} // has a value each time that it waits for a tick
}

func serveWatching(t *testing.T, file string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{
		reloadable: &reloadable{
			served: &served{said: newOutput(), logs: newOutput()},
			ended:  make(chan string, 100),
		},
		t:     t,
		ticks: make(chan time.Time),
		waits: make(chan struct{}, 1000),
	}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--config", file}, surroundings{
			stdout: w.said,
			stderr: w.reloadable,
			after: func(d time.Duration) <-chan time.Time {
				if d == service.WatchInterval {
					w.waits <- struct{}{}
					return w.ticks
				}
				return time.After(d)
			},
		})
	}()
	w.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { w.stop() })
	w.url = w.address(t)
	<-w.waits
	return w
}

// look has it look at the files so often, and returns when the last look is over.
func (w *watching) look(times int) {
	w.t.Helper()
	for range times {
		w.ticks <- time.Time{}
		<-w.waits
	}
}

// wantReload wants that two looks have found a change, and what came of it.
func (w *watching) wantReload(what, want string) {
	w.t.Helper()
	w.look(2)
	select {
	case line := <-w.ended:
		if !strings.Contains(line, want) {
			w.t.Errorf("%s: %s, want %s", what, line, want)
		}
	case <-time.After(patience):
		w.t.Fatalf("%s: no reload: %s", what, w.logs)
	}
	w.wantNone(what + ", afterwards")
}

// wantNone wants that looks have found no change.
func (w *watching) wantNone(what string) {
	w.t.Helper()
	w.look(4)
	n := strings.Count(w.logs.String(), "files of the configuration have changed")
	if n != w.reloads() {
		w.t.Errorf("%s: %d changes were found: %s", what, n, w.logs)
	}
}

// reloads counts those in the log.
func (w *watching) reloads() int {
	return strings.Count(w.logs.String(), `"msg":"configuration `)
}

// TestWatch: files that change are read anew without a signal: the configuration, and a file that
// it names. One that is refused is retried after the next change.
func TestWatch(t *testing.T) {
	const reloaded, refused = `"msg":"configuration reloaded"`, `"msg":"configuration not reloaded"`
	w := newWorld(t)
	s := serveWatching(t, w.configFile(t, "reload: {watch: true}"))
	s.wantNone("no change")

	w.configFile(t, "reload: {watch: true}\nleeway: 2m")
	s.wantReload("the configuration", reloaded)

	certificate, key := keyPEM(delegationtest.NextSigningKey())
	w.write(t, "signing.crt", certificate)
	s.look(1)
	if s.reloads() != 1 {
		t.Errorf("half of a key was read: %s", s.logs)
	}
	w.write(t, "signing.key", key)
	s.wantReload("the key", reloaded)

	w.write(t, "signing.crt", "junk")
	s.wantReload("a broken certificate", refused)
	w.write(t, "signing.crt", certificate)
	s.wantReload("the certificate", reloaded)

	w.configFile(t, "reload: {watch: true}\nleeway: [")
	s.wantReload("no YAML", refused)
	w.configFile(t, "reload: {watch: true}\nrules_: []")
	s.wantReload("an unknown key", refused)
	w.configFile(t, "reload: {watch: true}\ntls: {certificate_file: a.crt, key_file: a.key}")
	s.wantReload("a missing file", refused)
	w.write(t, "a.crt", "junk")
	s.wantReload("a file that was missing", refused)
	w.configFile(t, "reload: {watch: false}")
	s.wantReload("no watch", reloaded)
	if !strings.Contains(s.logs.String(), `"key":"reload.watch","configured":"off","in_use":"on"`) {
		t.Errorf("nothing says that the watch needs a restart: %s", s.logs)
	}
}

// TestWatch_Kubernetes: a volume that is updated by one link.
func TestWatch_Kubernetes(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "reload: {watch: true}")
	text := string(must(os.ReadFile(file)))
	volume := func(name, text string) {
		t.Helper()
		w.folderOf(t, name, map[string]string{"delegation.yaml": text})
		for _, file := range []string{"signing.crt", "signing.key"} {
			content := string(must(os.ReadFile(filepath.Join(w.folder, file))))
			w.write(t, filepath.Join(name, file), content)
		}
	}
	link := func(from, to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(w.folder, from)); err != nil {
			t.Fatal(err)
		}
	}
	volume("..1", text)
	volume("..2", text+"\nleeway: 2m\n")
	link("..data", "..1")
	if err := os.Mkdir(filepath.Join(w.folder, "mounted"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"delegation.yaml", "signing.crt", "signing.key"} {
		link(filepath.Join("mounted", file), "../..data/"+file)
	}
	s := serveWatching(t, filepath.Join(w.folder, "mounted", "delegation.yaml"))
	s.wantNone("no change")
	link("..data_tmp", "..2")
	err := os.Rename(filepath.Join(w.folder, "..data_tmp"), filepath.Join(w.folder, "..data"))
	if err != nil {
		t.Fatal(err)
	}
	s.wantReload("the volume", `"msg":"configuration reloaded"`)
}

// TestSource_Files: every file that a configuration is made of is watched. A file that is read
// whenever it is needed is not: its change needs no reload.
func TestSource_Files(t *testing.T) {
	w := newWorld(t)
	w.writeTLS(t, 1)
	w.folderOf(t, "rules", map[string]string{
		"a.js": "function (user, context, callback) { callback(null, user, context); }",
	})
	keys := `{"keys": []}`
	for name, text := range map[string]string{
		"keys.json": keys, "secret.txt": strings.Repeat("s", 32), "token": "t",
		"client.txt": strings.Repeat("c", 32), "values.yaml": "a: b", "password": "p",
		"sentinel": "p", "seal.key": strings.Repeat("0", 64), "target.pub": "x",
	} {
		w.write(t, name, text)
	}
	file := w.write(t, "all.yaml", `
issuers:
  - {url: "https://a.example.com/", jwks_file: keys.json}
  - {url: "https://b.example.com/", ca_file: issuer.pem, bearer_token_file: token}
  - {url: "https://c.example.com/", shared_secret_file: secret.txt}
  - {url: "https://d.example.com/", client_secrets: {a: {file: client.txt}}}
identity_provider:
  entity_id: urn:a
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
targets:
  a:
    encryption_key_file: target.pub
    identity: {entity_id: "urn:b", keys: [{certificate_file: own.crt, key_file: own.key}]}
rules:
  - javascript: {folder: rules, configuration_file: values.yaml}
tls: {certificate_file: tls.crt, key_file: tls.key}
redis:
  url: rediss://127.0.0.1:6379/0
  password_file: password
  sentinel: {master: m, password_file: sentinel}
  tls: {ca_file: ca.pem, certificate_file: client.crt, key_file: client.key}
  keys: [{id: a, secret_file: seal.key}]
`)
	settings, from, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Some of the files are missing or wrong, and all are noted nevertheless.
	if _, err = config.Build(t.Context(), settings, from, nil); err == nil {
		t.Fatal("it is accepted")
	}
	var got []string
	for path := range from.Files() {
		got = append(got, must(filepath.Rel(w.folder, path)))
	}
	slices.Sort(got)
	want := []string{
		"all.yaml", "ca.pem", "client.crt", "client.key", "client.txt", "issuer.pem", "keys.json",
		"own.crt", "own.key", "rules", "seal.key", "secret.txt", "sentinel", "signing.crt",
		"signing.key", "target.pub", "tls.crt", "tls.key", "values.yaml",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", fmt.Sprint(got), fmt.Sprint(want))
	}
}
