//go:build unix

package signer

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup starts the program in its own process group. An interrupt from the terminal then reaches
// only the service, which lets its requests finish first.
func ownGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the program and the processes that it has started.
func killGroup(program *os.Process) {
	if program.Signal(syscall.Signal(0)) == nil { // its ID is not reused yet
		_ = syscall.Kill(-program.Pid, syscall.SIGKILL)
	}
}
