//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/credentialfile"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/ststest"
)

// cachedExchange runs delegation exchange --cache as a process of its own.
func (w *world) cachedExchange(
	t testing.TB, more []string, args ...string,
) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.Command(binary(t), append([]string{
		"exchange", "--cache", "--cache-dir", filepath.Join(w.folder, "cache"),
		"--config", filepath.Join(w.folder, "delegation.yaml"),
		"--target", service.DemoTarget,
	}, args...)...)
	command.Env = append(os.Environ(), more...)
	var out, said bytes.Buffer
	command.Stdout = &out
	command.Stderr = &said
	err = command.Run()
	return out.String(), said.String(), err
}

// assumed is how many sessions STS was asked for.
func (w *world) assumed() (n int) {
	for _, call := range w.aws.Calls() {
		if call.Action == "AssumeRoleWithSAML" {
			n++
		}
	}
	return n
}

// TestExchange_Cache: the second call for the same token, target and configuration has the
// credentials of the first, in every format, also when issuer and STS are gone. Any other is an
// exchange of its own.
func TestExchange_Cache(t *testing.T) {
	w := newWorld(t)
	config := w.configFile(t, "")
	token := w.write(t, "token", w.token(nil))
	exchange := func(more []string, args ...string) string {
		t.Helper()
		out, said, err := w.cachedExchange(t, more, args...)
		if err != nil || said != "" {
			t.Fatalf("%v: %s", err, said)
		}
		return out
	}
	first := exchange(nil, "--token-file", token)
	if again := exchange(nil, "--token-file", token); again != first || w.assumed() != 1 {
		t.Errorf("got %s after %s, with %d calls", again, first, w.assumed())
	}
	var process struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(first), &process); err != nil || process.SessionToken == "" {
		t.Fatalf("got %s, %v", first, err)
	}
	exports := exchange(nil, "--token-file", token, "--format", "env")
	auth0 := exchange(nil, "--token-file", token, "--format", "json")
	for _, text := range []string{exports, auth0} {
		if !strings.Contains(text, process.SecretAccessKey) ||
			!strings.Contains(text, process.SessionToken) {
			t.Errorf("other credentials: %s", text)
		}
	}
	if !strings.Contains(auth0, "assumed-role/photo-editor/alice@example.com") ||
		w.assumed() != 1 {
		t.Errorf("got %s with %d calls", auth0, w.assumed())
	}

	other := w.write(t, "other", w.token(map[string]any{"jti": "another"}))
	exchange(nil, "--token-file", other)
	if w.assumed() != 2 {
		t.Errorf("another token: %d calls", w.assumed())
	}
	exchange([]string{"DELEGATION_LEEWAY=30s"}, "--token-file", token)
	if w.assumed() != 3 {
		t.Errorf("another setting: %d calls", w.assumed())
	}
	text := string(must(os.ReadFile(config)))
	w.write(t, "delegation.yaml", text+"\n# changed\n")
	exchange(nil, "--token-file", token)
	if w.assumed() != 4 {
		t.Errorf("another configuration: %d calls", w.assumed())
	}

	// Without the issuer and STS, and after a file of the configuration has changed.
	w.aws.Script(ststest.Repeat(100, ststest.Status(503)))
	w.provider.SetIssuer("https://gone.example.com")
	exchange(nil, "--token-file", token)
	certificate := string(must(os.ReadFile(filepath.Join(w.folder, "signing.crt"))))
	w.write(t, "signing.crt", certificate+"\n")
	if _, said, err := w.cachedExchange(t, nil, "--token-file", token); err == nil {
		t.Error("a changed file of the configuration is not noticed")
	} else if !strings.Contains(said, "delegation: token: ") {
		t.Errorf("got %s", said)
	}
}

// TestExchange_CacheAtOnce: commands that begin at the same time make one call, and all have its
// credentials.
func TestExchange_CacheAtOnce(t *testing.T) {
	w := newWorld(t)
	w.configFile(t, "")
	token := w.write(t, "token", w.token(nil))
	var mu sync.Mutex
	var wait sync.WaitGroup
	outputs := map[string]int{}
	for range 6 {
		wait.Go(func() {
			out, said, err := w.cachedExchange(t, nil, "--token-file", token)
			if err != nil {
				t.Errorf("%v: %s", err, said)
			}
			mu.Lock()
			defer mu.Unlock()
			outputs[out]++
		})
	}
	wait.Wait()
	if len(outputs) != 1 || w.assumed() != 1 {
		t.Errorf("%d different credentials of %d calls", len(outputs), w.assumed())
	}
}

// TestExchange_CacheRefusals: a refusal is not kept, a folder that others may enter is refused, and
// the flags that have no effect are named.
func TestExchange_CacheRefusals(t *testing.T) {
	w := newWorld(t)
	w.configFile(t, "")
	token := w.write(t, "token", w.token(nil))
	staff := w.write(t, "staff", w.token(map[string]any{"groups": []string{"staff"}}))
	for range 2 {
		_, said, err := w.cachedExchange(t, nil, "--token-file", staff)
		if err == nil || !strings.Contains(said, "(denied)") {
			t.Errorf("%v: %s", err, said)
		}
	}
	if w.assumed() != 0 {
		t.Errorf("%d calls", w.assumed())
	}
	wide := filepath.Join(w.folder, "wide")
	if err := os.Mkdir(wide, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(wide, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--cache-dir", wide},
			"delegation: --cache: " + wide + " has the mode 0755, so other users may read"},
		{[]string{"--format", "console-url"}, "--cache cannot be used with --format console-url"},
		{[]string{"--cache=false"}, "--cache-dir has no effect without --cache"},
	} {
		_, said, err := w.cachedExchange(t, nil, append(row.args, "--token-file", token)...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitUsage ||
			!strings.Contains(said, row.want) {
			t.Errorf("%v: got %v: %s", row.args, err, said)
		}
	}
}

// TestExchange_CacheFolder: the folder is that of the XDG Base Directory Specification.
func TestExchange_CacheFolder(t *testing.T) {
	for _, row := range []struct {
		environment []string
		chosen      string
		want        string
	}{
		{[]string{"HOME=/home/alice"}, "", "/home/alice/.cache/delegation"},
		{[]string{"HOME=/home/alice", "XDG_CACHE_HOME=/var/x"}, "", "/var/x/delegation"},
		{[]string{"HOME=/home/alice", "XDG_CACHE_HOME=relative"}, "",
			"/home/alice/.cache/delegation"},
		{[]string{"HOME=/home/alice"}, "here", "here"},
		{nil, "", ""},
	} {
		s := surroundings{environment: row.environment}
		got, err := s.cacheFolder(row.chosen)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%v: got %q, %v", row.environment, got, err)
		}
	}
}

// TestCredentialCache_NearTheEnd: in the last five minutes new credentials are asked for. If the
// token has expired, or a service is away, the old ones serve until they end. A refusal of the user
// counts.
func TestCredentialCache_NearTheEnd(t *testing.T) {
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	made := func(id string) *delegation.Credentials {
		return &delegation.Credentials{
			AccessKeyID:     id,
			SecretAccessKey: delegation.NewSecret("secret"),
			SessionToken:    delegation.NewSecret("session"),
			Expiration:      start.Add(time.Hour),
		}
	}
	failure := func(code delegation.Code, retryable bool) error {
		return &delegation.Error{Code: code, Retryable: retryable, Err: code}
	}
	denied := failure(delegation.CodeDenied, false)
	expired := failure(delegation.CodeTokenExpired, false)
	away := failure(delegation.CodeSTSUnavailable, true)
	for name, row := range map[string]struct {
		at   time.Duration
		err  error
		want string // the ID of the key; "": an error
	}{
		"early":                   {54 * time.Minute, denied, "old"},
		"near, and renewed":       {55 * time.Minute, nil, "new"},
		"near, the token expired": {55 * time.Minute, expired, "old"},
		"near, STS is away":       {59 * time.Minute, away, "old"},
		"near, denied":            {55 * time.Minute, denied, ""},
		"near, something else":    {55 * time.Minute, errors.New("broken"), ""},
		"ended":                   {time.Hour, expired, ""},
		"ended, and new":          {time.Hour, nil, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			at := start
			now := func() time.Time { return at }
			store := must(credentialfile.Open(filepath.Join(t.TempDir(), "cache"), now))
			defer store.Close()
			c := &credentialCache{store: store, now: now}
			if err := c.keep(made("old"), service.Files{}); err != nil {
				t.Fatal(err)
			}
			at = start.Add(row.at)
			got, err := c.cached(t.Context(),
				func() (*delegation.Credentials, service.Files, error) {
					if row.err != nil {
						return nil, nil, row.err
					}
					return made("new"), service.Files{}, nil
				})
			if (err == nil) != (row.want != "") || err == nil && got.AccessKeyID != row.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if err == nil && (got.SecretAccessKey.Reveal() != "secret" ||
				got.SessionToken.Reveal() != "session") {
				t.Error("the secrets are others")
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	store := must(credentialfile.Open(filepath.Join(t.TempDir(), "cache"), nil))
	defer store.Close()
	unlock := must(store.Lock(t.Context(), credentialfile.Key{}))
	defer unlock()
	c := &credentialCache{store: store, now: time.Now}
	if _, err := c.cached(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
