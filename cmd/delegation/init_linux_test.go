package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// pseudoTerminal returns its two ends: what a person has, and what a program has (pty(7)).
func pseudoTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	var unlocked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestInit_ControlC: a person who has seen a question and types Control-C gets the shell back, and no file.
func TestInit_ControlC(t *testing.T) {
	person, program := pseudoTerminal(t)
	folder := filepath.Join(t.TempDir(), "a")
	command := exec.Command(must(os.Executable()), "init", "--out", folder)
	command.Args[0] = "delegation" // as TestMain wants it
	command.Stdin = program
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
	if _, err := person.WriteString("https://tenant.example.com/\n\x03"); err != nil {
		t.Fatal(err)
	}
	rest, _ := text.ReadString(0)
	_ = command.Wait() // the exit code says it
	if _, err := os.Stat(folder); command.ProcessState.ExitCode() != exitFailed || err == nil || !strings.Contains(rest, "delegation: nothing is written: context canceled\n") {
		t.Errorf("%s: it ends with %s, and says %s", question, command.ProcessState, rest)
	}
}
