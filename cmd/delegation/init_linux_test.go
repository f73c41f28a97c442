package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestInit_ControlC: a person who has seen a question and types Control-C gets the shell back, and
// no file.
func TestInit_ControlC(t *testing.T) {
	tty, keys, _ := newTerminal(t)
	folder := filepath.Join(t.TempDir(), "a")
	command := exec.Command(binary(t), "init", "--offline", "--out", folder)
	command.Stdin = tty
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // of standard input
	said := must(command.StderrPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	text := bufio.NewReader(said)
	question, err := text.ReadString(':')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(keys, "https://tenant.example.com/\n\x03"); err != nil {
		t.Fatal(err)
	}
	rest, _ := text.ReadString(0) // to the end
	_ = command.Wait()            // the exit code says it
	_, err = os.Stat(folder)
	if command.ProcessState.ExitCode() != exitFailed || err == nil ||
		!strings.Contains(rest, "delegation: nothing is written: context canceled\n") {
		t.Errorf("%s: it ends with %s, and says %s", question, command.ProcessState, rest)
	}
}
