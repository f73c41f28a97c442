//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// hanging is a server that answers nothing, and says when it was called.
func hanging(t testing.TB) (url string, called <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection shows
		calls <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

// TestSignals: both signals end what waits for somebody, with one line and exit code 1.
func TestSignals(t *testing.T) {
	path := binary(t)
	w := newWorld(t)
	slow, called := hanging(t)
	slowIssuer := w.write(t, "slow-issuer.yaml",
		strings.ReplaceAll(string(must(os.ReadFile(w.configFile(t, "")))), w.issuerURL, slow))
	slowSTS := []string{"DELEGATION_STS_ENDPOINT=" + slow}
	token := w.write(t, "token", w.token(nil))
	ofSlowIssuer := w.write(t, "token.slow", w.token(map[string]any{"iss": slow}))
	pipe := filepath.Join(w.folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(w.folder, "delegation.yaml")
	for name, row := range map[string]struct {
		args, environment []string
		wait              func()
		want              string
	}{
		"exchange at STS": {
			[]string{"exchange", "-c", config, "-t", service.DemoTarget, "-f", token},
			slowSTS, func() { <-called }, "delegation: sts: ",
		},
		"exchange at the issuer": {
			[]string{"exchange", "-c", slowIssuer, "-t", service.DemoTarget, "-f", ofSlowIssuer},
			nil, func() { <-called }, "delegation: token: ",
		},
		"exchange without token": {
			[]string{"exchange", "-c", config, "-t", service.DemoTarget, "-f", pipe}, nil, func() {
				// which the reader's opening lets through
				writer := must(os.OpenFile(pipe, os.O_WRONLY, 0))
				t.Cleanup(func() { _ = writer.Close() })
			}, "delegation: --token-file: a signal came before the token",
		},
		"check at STS": {[]string{"check", "-c", config}, slowSTS, func() { <-called },
			"delegation: "},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(fmt.Sprintf("%s %s", name, signal), func(t *testing.T) {
				for len(called) > 0 { // by a process that has ended
					<-called
				}
				stdout, stderr := newOutput(), newOutput()
				command := exec.Command(path, row.args...)
				command.Env = append(os.Environ(), row.environment...)
				command.Stdout, command.Stderr = stdout, stderr
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				row.wait()
				if err := command.Process.Signal(signal); err != nil {
					t.Error(err)
				}
				_ = command.Wait() // the exit code says it
				code := command.ProcessState.ExitCode()
				if code != exitFailed || !strings.HasPrefix(stderr.String(), row.want) ||
					strings.Count(stderr.String(), "\n") != 1 {
					t.Errorf("exit code %d: %s%s", code, stdout, stderr)
				}
				if row.args[0] == "check" && !strings.Contains(stdout.String(),
					"FAIL  sts: the exchange was abandoned: context canceled (canceled)") {
					t.Errorf("the table does not say why: %s", stdout)
				}
			})
		}
	}
}

// TestSignals_Hangup: SIGHUP, sent as the unit sends it, reloads the configuration of a process that
// goes on, also when the configuration is broken.
func TestSignals_Hangup(t *testing.T) {
	if _, err := exec.LookPath("kill"); err != nil {
		t.Skip("there is no kill: ", err)
	}
	w := newVersions(t)
	w.version(t, 0)
	s := start(t, nil, "serve", "--config", w.folder+"/delegation.yaml")
	hangup := func(want string) {
		t.Helper()
		words := commandLine(t, unitFile, "ExecReload=")
		for i, word := range words {
			words[i] = strings.ReplaceAll(word, "$MAINPID", fmt.Sprint(s.process))
		}
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v %s", words, err, out)
		}
		deadline := time.After(patience)
		for {
			select {
			case line := <-s.logs.lines:
				if strings.Contains(line, `"msg":"configuration `) {
					if !strings.Contains(line, want) {
						t.Errorf("got %s, want %s", line, want)
					}
					return
				}
			case <-deadline:
				t.Fatalf("no reload: %s", s.logs)
			}
		}
	}
	role := func(want int) {
		t.Helper()
		form := delegationForm(w.token(nil))
		got, err := roleOf(post(t, client(nil), s.url+"/delegation", form))
		if err != nil || got != want {
			t.Errorf("an answer of version %d, %v, want %d", got, err, want)
		}
	}
	role(0)
	w.version(t, 1)
	hangup("configuration reloaded")
	role(1)
	w.version(t, 3)
	hangup("configuration not reloaded")
	role(1)
	w.version(t, 4)
	hangup("configuration reloaded")
	role(4)
}
