//go:build !unix

package signer

import (
	"os"
	"os/exec"
)

// ownGroup does nothing where there are no process groups.
func ownGroup(*exec.Cmd) {}

// killGroup kills the program.
func killGroup(program *os.Process) { _ = program.Kill() }
