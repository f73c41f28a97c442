//go:build interop

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// needs skips the test, or fails it in CI, if a program is missing.
func needs(t testing.TB, name, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	}
	t.Skipf("%s is missing: apt-get install %s", name, debianPackage)
}

// program runs a program with more environment and returns its exit code and what it said.
func program(t testing.TB, environment []string, stdin string, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	ownAWS := func(entry string) bool { return strings.HasPrefix(entry, "AWS_") }
	command.Env = append(slices.DeleteFunc(os.Environ(), ownAWS), environment...)
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

// serveProcess runs the built program with a configuration until the test ends.
func serveProcess(t testing.TB, file string) *served {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, path, "serve", "--config", file)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	s := &served{logs: newOutput()}
	command.Stderr = s.logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait() // it reports the cancellation
		if code := command.ProcessState.ExitCode(); code != 0 {
			t.Errorf("delegation serve ended with exit code %d", code)
		}
	})
	s.url = s.address(t)
	return s
}

// TestInterop_Curl compares what curl gets with the golden table of TestAnswers.
func TestInterop_Curl(t *testing.T) {
	needs(t, "curl", "curl")
	w := newAnswersWorld(t)
	w.check(t, func(t *testing.T, r *row) (int, http.Header, []byte) {
		args := []string{"-sS", "-i", "-X", r.method, w.url + r.path}
		if r.body != "" {
			args = append(args, "--data-binary", "@-", "-H", "Content-Type: "+r.contentType, "-H", "Expect:")
		} else if r.contentType != "" {
			args = append(args, "-H", "Content-Type: "+r.contentType, "-d", "")
		}
		for _, line := range r.header {
			args = append(args, "-H", line)
		}
		_, out, said := program(t, nil, r.body, "curl", args...)
		head, body, ok := strings.Cut(out, "\r\n\r\n")
		lines := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		line, err := lines.ReadLine()
		words := strings.Fields(line)
		if !ok || err != nil || len(words) < 2 {
			t.Fatalf("%s: no answer: %s %s", r.name, out, said)
		}
		header := must(lines.ReadMIMEHeader())
		return must(strconv.Atoi(words[1])), http.Header(header), []byte(body)
	})
}

// TestInterop_Demo pastes every command that serve --demo prints.
func TestInterop_Demo(t *testing.T) {
	needs(t, "curl", "curl")
	needs(t, "aws", "awscli")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.CommandContext(ctx, path, "serve", "--demo", "--listen", "127.0.0.1:0")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	stdout, stderr := must(command.StdoutPipe()), newOutput()
	command.Stderr = stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = command.Wait() // it reports the cancellation
		if code := command.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}()
	var commands []string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if command, ok := strings.CutPrefix(lines.Text(), "$ "); ok {
			commands = append(commands, command)
		} else if command, ok := strings.CutPrefix(lines.Text(), "  AWS_"); ok {
			commands = append(commands, "AWS_"+command)
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	wants := []string{"", `"SessionToken":"`, `"SessionToken":"`, `"Token":"`, "assumed-role/photo-editor/alice@example.com", `"url":"`,
		`"error":"unauthorized","error_description":"no role is assigned to this user"`, "EntityDescriptor", `{"status":"ok"}`}
	if len(commands) != len(wants) {
		t.Fatalf("%d commands, want %d: %q", len(commands), len(wants), commands)
	}
	for i, command := range commands {
		if i == 0 {
			continue // it sets what the others use
		}
		environment := []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
		if code, out, said := program(t, environment, "", "bash", "-c", commands[0]+"\n"+command); code != 0 || !strings.Contains(out, wants[i]) {
			t.Errorf("%s\nexit code %d: %s%s\nwant %s", command, code, out, said, wants[i])
		}
	}
}

// TestInterop_AWSCLI: the AWS CLI becomes a client by two environment variables.
func TestInterop_AWSCLI(t *testing.T) {
	needs(t, "aws", "awscli")
	w := newWorld(t)
	s := serveProcess(t, w.config(t, ""))
	tokenFile := w.write(t, "token", w.token(nil))
	environment := w.containerEnvironment(t, s.url, tokenFile)
	whoAmI := func() (int, string, string) {
		return program(t, environment, "", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	}
	if code, out, said := whoAmI(); code != 0 || strings.TrimSpace(out) != "arn:aws:sts::123456789012:assumed-role/photo-editor/alice@example.com" {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	if code, out, said := whoAmI(); code != 0 || !strings.Contains(out, "/carol@example.com") {
		t.Errorf("after the token was rotated: exit code %d: %s%s", code, out, said)
	}
	w.write(t, "token", w.token(expired()))
	if code, _, said := whoAmI(); code == 0 || !strings.Contains(said, "jwt expired") {
		t.Errorf("an expired token: exit code %d: %s", code, said)
	}

	t.Run("credential_process", func(t *testing.T) {
		// What Credentials.ProcessJSON returns, through a real profile.
		status, body := get(t, client(nil), s.url+"/credentials?target=photo-app", "Authorization", w.token(nil))
		var c struct{ AccessKeyId, SecretAccessKey, Token, AccountId, Expiration string }
		if err := json.Unmarshal([]byte(body), &c); status != 200 || err != nil {
			t.Fatalf("%d %s", status, body)
		}
		credentials := delegation.Credentials{
			AccessKeyID: c.AccessKeyId, SecretAccessKey: delegation.NewSecret(c.SecretAccessKey), SessionToken: delegation.NewSecret(c.Token),
			AccountID: c.AccountId, Expiration: must(time.Parse(time.RFC3339, c.Expiration)),
		}
		output := w.write(t, "process.json", string(must(credentials.ProcessJSON())))
		profile := w.write(t, "aws-profile", fmt.Sprintf("[profile delegation]\ncredential_process = cat %s\nregion = %s\n", output, demoRegion))
		code, out, said := program(t, []string{"AWS_CONFIG_FILE=" + profile, "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(w.folder, "none"), "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_STS=" + w.awsURL},
			"", "aws", "--profile", "delegation", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
		if code != 0 || !strings.Contains(out, "assumed-role/photo-editor/alice@example.com") {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
	})
}

// TestInterop_Boto3: one Python process that keeps its session picks up a rotated token file when it refreshes. Sessions of 15 minutes are
// always within botocore's time for a refresh.
func TestInterop_Boto3(t *testing.T) {
	needs(t, "python3", "python3")
	if code, _, said := program(t, nil, "", "python3", "-c", "import boto3"); code != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("boto3 is missing: apt-get install python3-boto3: %s", said)
		}
		t.Skip("boto3 is missing: apt-get install python3-boto3")
	}
	w := newWorld(t)
	s := serveProcess(t, w.config(t, "", "session_duration: 15m"))
	tokenFile := w.write(t, "token", w.token(nil))
	next := w.write(t, "next", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	const script = `
import boto3, os, shutil, sys
client = boto3.Session().client("sts")
print(client.get_caller_identity()["Arn"])
shutil.copyfile(sys.argv[1], os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
print(client.get_caller_identity()["Arn"])
`
	code, out, said := program(t, w.containerEnvironment(t, s.url, tokenFile), script, "python3", "-", next)
	want := "arn:aws:sts::123456789012:assumed-role/photo-editor/alice@example.com\narn:aws:sts::123456789012:assumed-role/photo-editor/carol@example.com\n"
	if code != 0 || out != want {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}
