//go:build interop

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// inNamespaces runs the test that calls it once more, in namespaces of its own: it is root there,
// may change /etc and mount what it likes, and every port is free. Nothing of that is seen outside.
// It returns whether this is that run. program is what the Dockerfile builds.
func inNamespaces(t *testing.T) (program string, inside bool) {
	t.Helper()
	if program := os.Getenv("DELEGATION_TEST_PROGRAM"); program != "" {
		enterNamespaces(t)
		return program, true
	}
	needs(t, "unshare", "util-linux")
	needs(t, "setpriv", "util-linux")
	folder := t.TempDir()
	program = filepath.Join(folder, "delegation")
	buildAsImage(t, program)
	words := []string{
		"unshare", "--mount", "--net", "--", must(os.Executable()),
		"-test.run", "^" + t.Name() + "$", "-test.v", "-test.count=1",
	}
	if os.Geteuid() != 0 {
		needs(t, "sudo", "sudo")
		words = append([]string{"sudo", "-n", "--preserve-env"}, words...)
	}
	command := exec.Command(words[0], words[1:]...)
	command.Env = append(os.Environ(), "DELEGATION_TEST_PROGRAM="+program)
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return "", false
}

// buildAsImage builds the program with the Dockerfile's command.
func buildAsImage(t *testing.T, program string) {
	t.Helper()
	words := commandLine(t, dockerfile, "RUN CGO_ENABLED=0 ")
	for i, word := range words {
		if word == "/delegation" {
			words[i] = program
		}
	}
	build := exec.Command(words[0], words[1:]...)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// enterNamespaces starts the loopback interface, and lays copies over the folders of the machine
// that documented commands write to.
func enterNamespaces(t *testing.T) {
	t.Helper()
	startLoopback(t)
	etc := filepath.Join(t.TempDir(), "etc")
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mount(t, etc, "/etc", syscall.MS_BIND)
	for _, folder := range []string{"/usr/local/bin", "/var/log", "/run"} {
		mount(t, t.TempDir(), folder, syscall.MS_BIND)
	}
}

// mount mounts until the namespace ends, with the test.
func mount(t *testing.T, source, target string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount(source, target, "", flags, ""); err != nil {
		t.Fatalf("mount %s at %s: %v", source, target, err)
	}
}

// startLoopback does what "ip link set lo up" does.
func startLoopback(t *testing.T) {
	t.Helper()
	socket := must(syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0))
	defer syscall.Close(socket)
	var request struct { // struct ifreq of netdevice(7)
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "lo")
	request.flags = syscall.IFF_UP | syscall.IFF_RUNNING
	_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS,
		uintptr(unsafe.Pointer(&request)))
	if failed != 0 {
		t.Fatal(failed)
	}
}
