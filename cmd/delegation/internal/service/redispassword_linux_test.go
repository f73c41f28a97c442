package service_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// runs is a command that writes the content of a file, and a line to another file for each run.
type runs struct {
	t       *testing.T
	secret  string
	log     string
	command []string
	now     time.Time
	mu      sync.Mutex
}

func newRuns(t *testing.T) *runs {
	folder := t.TempDir()
	r := &runs{
		t:      t,
		secret: filepath.Join(folder, "secret"),
		log:    filepath.Join(folder, "log"),
		now:    time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC),
	}
	// The line is written last: when it is there, the run has read the secret.
	r.command = []string{"/bin/sh", "-c", `cat "$1" && echo run >>"$2"`, "sh", r.secret, r.log}
	r.becomes("canary-1")
	return r
}

func (r *runs) becomes(secret string) {
	r.t.Helper()
	if err := os.WriteFile(r.secret, []byte(secret+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// count is how often the command was run.
func (r *runs) count() int {
	text, _ := os.ReadFile(r.log) // none before the first run
	return strings.Count(string(text), "run")
}

func (r *runs) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *runs) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// TestPasswordCommand_IsNotRunForEachConnection: its output counts for a minute, and for ten while
// the next run is under way.
func TestPasswordCommand_IsNotRunForEachConnection(t *testing.T) {
	r := newRuns(t)
	ask := service.PasswordCommand("alice", r.command, r.clock)
	wants := func(password string, count int) {
		t.Helper()
		username, got, err := ask(t.Context())
		if err != nil || username != "alice" || got != password || r.count() != count {
			t.Fatalf("%q, %q, %v after %d runs; want %q after %d", username, got, err, r.count(),
				password, count)
		}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, got, err := ask(t.Context()); got != "canary-1" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	wants("canary-1", 1)
	r.becomes("canary-2")
	r.pass(59 * time.Second)
	wants("canary-1", 1)
	r.pass(11 * time.Minute) // too old to be used
	wants("canary-2", 2)
	r.becomes("canary-3")
	r.pass(2 * time.Minute)
	if _, got, err := ask(t.Context()); got != "canary-2" || err != nil { // and the next run begins
		t.Errorf("%q, %v", got, err)
	}
	r.pass(8*time.Minute + time.Second) // now the last output is too old, and its answer is awaited
	if _, got, err := ask(t.Context()); got != "canary-3" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPasswordCommand_Fails: no error has what the command wrote, and the next connection runs it
// again.
func TestPasswordCommand_Fails(t *testing.T) {
	for name, row := range map[string]struct{ script, want string }{
		"it fails": {"echo canary; echo canary >&2; exit 3",
			"redis.password_command: exit status 3"},
		"nothing":     {"echo", "redis.password_command has written nothing"},
		"too much":    {"head -c 70000 /dev/zero", "redis.password_command has written more than 65536 bytes"},
		"no such one": {"", "redis.password_command: fork/exec"},
	} {
		command := []string{"/bin/sh", "-c", row.script}
		if row.script == "" {
			command = []string{"/none/canary-free"}
		}
		ask := service.PasswordCommand("alice", command, time.Now)
		username, got, err := ask(t.Context())
		if got != "" || err == nil || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "canary\n") {
			t.Errorf("%s: %q, %q, %v", name, username, got, err)
		}
	}
	r := newRuns(t)
	ask := service.PasswordCommand("alice", r.command, r.clock)
	if err := os.Remove(r.secret); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ask(t.Context()); got != "" || err == nil {
		t.Errorf("%q, %v", got, err)
	}
	r.becomes("canary-2")
	if _, got, err := ask(t.Context()); got != "canary-2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPasswordCommand_CallerLeaves: who leaves does not end the run for those who wait.
func TestPasswordCommand_CallerLeaves(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	// It ends when somebody has written to the pipe and closed it.
	ask := service.PasswordCommand("alice",
		[]string{"/bin/cat", gate}, time.Now)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, got, err := ask(gone); got != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", got, err)
	}
	answer := make(chan string)
	go func() {
		_, got, err := ask(t.Context())
		if err != nil {
			got = err.Error()
		}
		answer <- got
	}()
	to, err := os.OpenFile(gate, os.O_WRONLY, 0) // waits for the reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.WriteString("canary\n"); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	if got := <-answer; got != "canary" {
		t.Errorf("got %q", got)
	}
}
