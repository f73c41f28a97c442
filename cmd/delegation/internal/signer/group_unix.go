//go:build unix

package signer

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup starts the program in a process group of its own: an interrupt from the terminal ends
// the service, which lets its requests finish first.
func ownGroup(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the program and what it has started.
func killGroup(program *os.Process) {
	if program.Signal(syscall.Signal(0)) == nil { // its ID is not another's by now
		_ = syscall.Kill(-program.Pid, syscall.SIGKILL)
	}
}
