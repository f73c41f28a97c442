package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/delegationtest"
)

// TestDemonstration holds what docs/agents.md promises: what each user sees, and three refusals.
func TestDemonstration(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		`"key":"alice/notes.txt"`, "Call the dentist.",
		"Bob's agent calls", `"key":"bob/recipes.txt"`, "The launch is on Friday.",
		"401 Unauthorized", "403 Forbidden", `error="insufficient_scope"`, `scope="files.read"`,
		"AccessDenied for s3:GetObject on arn:aws:s3:::example-files/bob/secret.txt",
		"denied: no identity policy allows it",
		"bob,by=agent-7",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, " is refused by "); n != 3 {
		t.Errorf("%d refusals, want 3", n)
	}
	for _, action := range []string{"s3:ListBucket", "s3:GetObject"} {
		if n := strings.Count(text, action+" for 15m0s\n"); n != 2 {
			t.Errorf("%d sessions of 15 minutes for %s, want 2:\n%s", n, action, text)
		}
	}
	if n := strings.Count(text, "The launch is on Friday."); n != 1 {
		t.Errorf("Bob's secret is there %d times, want once", n)
	}
	if strings.Contains(text, "everything") {
		t.Errorf("a session is not narrowed:\n%s", text)
	}
}

// TestServe: -serve leaves a server running to which the printed lines connect, and ends with its
// context.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-serve", "-listen", "127.0.0.1:0"}, writer, io.Discard)
		_ = writer.Close() // never fails
	}()
	text := readUntil(t, reader, "Interrupt it")
	resource := regexp.MustCompile(`The MCP server is at (\S+)`).FindStringSubmatch(text)
	issuer := regexp.MustCompile(`curl -fsS '(\S+)' >token`).FindStringSubmatch(text)
	if resource == nil || issuer == nil {
		t.Fatalf("the lines to connect with are not there:\n%s", text)
	}
	answer, err := http.Get(issuer[1])
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	token, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	session, err := connect(t.Context(), resource[1], string(token))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	got, err := callTool(t.Context(), session, toolRead, map[string]any{"key": "alice/notes.txt"})
	if err != nil || got != demoFiles["alice/notes.txt"] {
		t.Errorf("got %q, %v", got, err)
	}
	stop()
	go func() { _, _ = io.Copy(io.Discard, reader) }() // until run has ended
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// readUntil reads until a text has come.
func readUntil(t *testing.T, reader io.Reader, want string) string {
	t.Helper()
	var text strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(text.String(), want) {
		n, err := reader.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v, after:\n%s", err, text.String())
		}
	}
	return text.String()
}

// TestReal_Flags: the flags for AWS lead to the same server. AWS is an emulator here.
func TestReal_Flags(t *testing.T) {
	w := newWorld(t)
	certificate, key := delegationtest.SigningKeyPEM()
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	s := w.settings
	address := w.listener.Addr().String()
	w.listener.Close() // for the server that is tested
	args := []string{
		"-listen", address, "-resource", s.resource, "-issuer", s.issuer,
		"-profile", string(s.profile), "-client", "nobody", "-client", demoClient,
		"-bucket", s.bucket, "-region", s.region, "-role", s.role, "-principal", s.principal,
		"-entity-id", delegationtest.EntityID, "-sts", s.stsURL, "-s3", s.s3URL,
		"-cert", write("signing.crt", certificate), "-key", write("signing.key", key),
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, args, writer, io.Discard)
		_ = writer.Close() // never fails
	}()
	readUntil(t, reader, address+"\n")
	token := w.token("alice", bothScopes, nil)
	got, err := w.call(t, token, toolRead, map[string]any{"key": "alice/notes.txt"})
	if err != nil || got != demoFiles["alice/notes.txt"] {
		t.Errorf("got %q, %v", got, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestMistakes: what is wrong with the flags is named.
func TestMistakes(t *testing.T) {
	key := filepath.Join(t.TempDir(), "signing.key")
	block := pem.EncodeToMemory(&pem.Block{Type: "NOTHING"})
	if err := os.WriteFile(key, block, 0o600); err != nil {
		t.Fatal(err)
	}
	all := []string{
		"-resource", "https://files.example.com/mcp", "-issuer", "https://issuer.example.com/",
		"-client", "chat-app", "-bucket", "example-files", "-region", "eu-central-1",
		"-role", "r", "-principal", "p",
		"-entity-id", "e", "-cert", "missing.crt", "-key", key,
	}
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"only the resource": {all[:2], "-issuer"},
		"no such file":      {all, "missing.crt"},
		"no certificate":    {append(all[:len(all):len(all)], "-cert", key), "certificate"},
		"no such flag":      {[]string{"-nothing"}, "-help"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), row.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestHelp lists the flags within 100 columns.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, &out, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, want := range []string{"-serve", "-resource", "-entity-id", "docs/agents.md"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %s", want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestNewServer_Resource: the resource is where clients connect, so it has a host and a path.
func TestNewServer_Resource(t *testing.T) {
	for _, resource := range []string{
		"", "/mcp", "files.example.com/mcp", "https://files.example.com",
		"https://files.example.com/", "https://files.example.com:port/mcp",
	} {
		if _, err := newServer(t.Context(), settings{resource: resource}); err == nil {
			t.Errorf("%q is accepted", resource)
		}
	}
}

var bothScopes = []string{scopeList, scopeRead}

// testWorld is a world with a server that runs.
type testWorld struct {
	*world
	log *lockedBuffer
}

// newWorld opens a world without its server.
func newWorld(t *testing.T) *testWorld {
	t.Helper()
	log := new(lockedBuffer)
	w, err := openWorld("127.0.0.1:0", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	return &testWorld{w, log}
}

// started opens a world and starts its server.
func started(t *testing.T) *testWorld {
	t.Helper()
	w := newWorld(t)
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// call calls a tool with an MCP client of its own.
func (w *testWorld) call(
	t *testing.T, token, tool string, arguments map[string]any,
) (string, error) {
	t.Helper()
	session, err := connect(t.Context(), w.settings.resource, token)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	return callTool(t.Context(), session, tool, arguments)
}

// list returns the keys that list_files returns.
func (w *testWorld) list(t *testing.T, token string, arguments map[string]any) []string {
	t.Helper()
	text, err := w.call(t, token, toolList, arguments)
	if err != nil {
		t.Fatal(err)
	}
	var found listing
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, file := range found.Files {
		keys = append(keys, file.Key)
	}
	return keys
}

// post calls a tool below MCP.
func (w *testWorld) post(t *testing.T, token, tool, arguments string) httpAnswer {
	t.Helper()
	answer, err := post(t.Context(), w.settings.resource, token, tool, arguments)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// number is a key's end.
func number(i int) string { return fmt.Sprintf("%04d", i) }
