package main_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	signer "github.com/seed055b7978/delegation/signer/cmd/delegation-signer"
)

// TestMain runs the program itself where a test starts this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv("DELEGATION_SIGNER_TEST_RUN") != "" {
		signer.RunMain()
		return
	}
	os.Exit(m.Run())
}

// program is a delegation-signer that runs.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	log *bytes.Buffer // to be read after end
}

func start(t *testing.T, environment []string, args ...string) *program {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(executable, args...), log: &bytes.Buffer{}}
	p.cmd.Env = append(append(os.Environ(), "DELEGATION_SIGNER_TEST_RUN=1"), environment...)
	p.cmd.Stderr = p.log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// answer is any line of the program.
type answer struct {
	Protocol  int
	PublicKey []byte `json:"public_key"`
	ID        uint64
	Signature []byte
	Error     *struct {
		Text, Remedy string
		Temporary    bool
	}
}

func (p *program) read() answer {
	p.t.Helper()
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		_ = p.cmd.Wait()
		p.t.Fatalf("no line: %v; log:\n%s", err, p.log)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return a
}

func (p *program) request(id int, digest []byte) {
	p.t.Helper()
	_, err := fmt.Fprintf(p.in, `{"id":%d,"digest":"%s","hash":"SHA-256"}`+"\n", id,
		base64.StdEncoding.EncodeToString(digest))
	if err != nil {
		p.t.Fatal(err)
	}
}

// end ends standard input, and returns the rest of the output, the log and the exit code.
func (p *program) end() (string, string, int) {
	p.t.Helper()
	_ = p.in.Close()
	rest, err := io.ReadAll(p.out)
	if err != nil {
		p.t.Error(err)
	}
	err = p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return string(rest), p.log.String(), p.cmd.ProcessState.ExitCode()
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args     []string
		out, log string
		code     int
	}{
		{[]string{"--help"}, "Usage: delegation-signer URI", "", 0},
		{[]string{"-h"}, "DELEGATION_SIGNER_PIN", "", 0},
		{[]string{"--version"}, "delegation-signer ", "", 0},
		{nil, "", "Usage: delegation-signer URI", 2},
		{[]string{"a", "b"}, "", "Usage: delegation-signer URI", 2},
	} {
		out, log, code := start(t, nil, test.args...).end()
		if !strings.Contains(out, test.out) || !strings.Contains(log, test.log) ||
			code != test.code {
			t.Errorf("%v: %d\n%s\n%s", test.args, code, out, log)
		}
		for line := range strings.Lines(out + log) {
			if len(strings.TrimRight(line, "\n")) > 100 {
				t.Errorf("a line of more than 100 columns: %s", line)
			}
		}
	}
}

// TestWrongURI: what is wrong is in the first line, for the service, and in the log.
func TestWrongURI(t *testing.T) {
	for uri, want := range map[string]string{
		"":                             "no kind of key",
		"file:///key.pem":              "no kind of key",
		"awskms:///alias/x":            "no kind of key",
		"GCPKMS://projects/p":          "no key version",
		"gcpkms://projects/p":          "no key version",
		"azurekms://x/y":               "no key of a Key Vault",
		"azurekeyvault://x/y":          "no key of a Key Vault",
		"pkcs11:pin-value=tell-nobody": "has a PIN",
		"PKCS11:x=123":                 "unknown attribute",
	} {
		p := start(t, nil, uri)
		a := p.read()
		if a.Protocol != 1 || a.Error == nil || !strings.Contains(a.Error.Text, want) ||
			a.Error.Remedy == "" || a.Error.Temporary {
			t.Errorf("%s: %+v", uri, a)
			continue
		}
		rest, log, code := p.end()
		if rest != "" || code != 1 || !strings.Contains(log, want) ||
			strings.Contains(log, "tell-nobody") {
			t.Errorf("%s: %d %q\n%s", uri, code, rest, log)
		}
	}
}
