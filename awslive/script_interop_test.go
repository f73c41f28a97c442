//go:build interop

package awslive

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// emulator starts moto's server, and returns the environment with which the AWS CLI calls it.
func emulator(t *testing.T) []string {
	t.Helper()
	python := filepath.Join("..", "cmd", "delegation", "testdata", "moto", "venv", "bin", "python3")
	if _, err := os.Stat(python); err != nil {
		python = "python3"
	}
	for _, row := range [][]string{
		{"aws", "--version"}, {python, "-c", "import moto.server, flask"},
	} {
		if err := exec.Command(row[0], row[1:]...).Run(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: %v", row, err)
			}
			t.Skipf("%v: %v", row, err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := free.Addr().String()
	check(t, free.Close())
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port)
	said, err := server.StderrPipe()
	check(t, err)
	check(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	runs := make(chan bool, 1)
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if strings.Contains(lines.Text(), "Running on") {
				select {
				case runs <- true:
				default: // it was said before
				}
			}
		}
	}()
	select {
	case <-runs:
	case <-time.After(2 * time.Minute):
		t.Fatal("moto does not start")
	}
	return append(os.Environ(), "AWS_ENDPOINT_URL=http://"+address,
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-of-aws",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// TestInterop_AWSLiveScript: the script makes what the questions need, and leaves nothing in the
// account, whether they are answered or not. It makes nothing in an account that the operator has
// not named.
func TestInterop_AWSLiveScript(t *testing.T) {
	environment := emulator(t)
	folder := t.TempDir()
	program := filepath.Join(folder, "go")
	check(t, os.WriteFile(program, []byte(standIn), 0o700))
	aws := func(arguments ...string) string {
		t.Helper()
		command := exec.Command("aws", append(arguments, "--output", "text")...)
		command.Env = environment
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", arguments, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for name, row := range map[string]struct {
		account, ends string
		code          int
		says          string
	}{
		"answered": {account, "0", 0, "waiting for IAM"},
		"failed":   {account, "1", 1, "waiting for IAM"},
		"another account": {
			"999999999999", "0", 2, "the credentials are of the account " + account},
		"no account": {"", "0", 2, "set DELEGATION_AWS_ACCOUNT"},
	} {
		t.Run(name, func(t *testing.T) {
			notes := filepath.Join(t.TempDir(), "notes")
			answers := filepath.Join(t.TempDir(), "answers")
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, "./run")
			command.Env = append(environment, "DELEGATION_AWS_ACCOUNT="+row.account,
				"DELEGATION_AWS_GO="+program, "DELEGATION_AWS_WAIT=0",
				"DELEGATION_AWS_ANSWERS="+answers, "STAND_IN_NOTES="+notes,
				"STAND_IN_ENDS="+row.ends)
			out, _ := command.CombinedOutput()
			if code := command.ProcessState.ExitCode(); code != row.code ||
				!strings.Contains(string(out), row.says) {
				t.Fatalf("exit code %d: %s", code, out)
			}
			text, _ := os.ReadFile(notes)
			started := row.code < 2
			if started != (len(text) > 0) {
				t.Errorf("the questions were asked: %t", len(text) > 0)
			}
			for _, variable := range []string{
				"PROVIDER", "ROLE", "ECDSA_PROVIDER", "ECDSA_ROLE", "UID_ROLE", "SID_ROLE",
			} {
				want := "DELEGATION_AWS_" + variable + "=arn:aws:iam::" + account + ":"
				if started != strings.Contains(string(text), want) {
					t.Errorf("%s is not in %s", want, text)
				}
			}
			left := aws("iam", "list-roles", "--query", "Roles[].RoleName") +
				aws("iam", "list-saml-providers", "--query", "SAMLProviderList[].Arn")
			if strings.Contains(left, "awslive") {
				t.Errorf("left in the account: %s", left)
			}
		})
	}
}
