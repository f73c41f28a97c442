//go:build pkcs11 && interop

package main_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInterop_Dockerfile: the Dockerfile's commands build the programs. Those of the image that has
// nothing else need no library. Each image has both, and the settings of the service's own image.
func TestInterop_Dockerfile(t *testing.T) {
	const top = "../../.."
	text, err := os.ReadFile(top + "/signer/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=[01]) (go .*build .*)$`).
		FindAllStringSubmatch(string(text), -1)
	if len(commands) != 3 {
		t.Fatalf("%d commands build programs", len(commands))
	}
	for i, command := range commands {
		folder := "signer" // its WORKDIR
		name := "delegation-signer"
		if i == 0 {
			folder = "."
			name = "delegation"
		}
		out := t.TempDir() + "/"
		words := strings.Fields(strings.Replace(command[2], "/out/", out, 1))
		build := exec.Command(words[0], words[1:]...)
		build.Dir = filepath.Join(top, folder)
		build.Env = append(os.Environ(), command[1])
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, said)
		}
		checkLibraries(t, filepath.Join(out, name), command[1] == "CGO_ENABLED=1")
	}
	_, stages, _ := strings.Cut(string(text), "FROM debian:")
	debian, scratch, _ := strings.Cut(stages, "FROM scratch AS cloud\n")
	own, err := os.ReadFile(top + "/deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, settings, found := strings.Cut(string(own), "USER ")
	if !found || !strings.HasSuffix(scratch, "USER "+settings) ||
		!strings.HasSuffix(strings.TrimSpace(debian), "USER "+strings.TrimSpace(settings)) {
		t.Errorf("the images have other settings than deploy/docker/Dockerfile:\n%s", settings)
	}
}

// checkLibraries looks at what a program needs: nothing, or C's library alone.
func checkLibraries(t *testing.T, file string, c bool) {
	t.Helper()
	program, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	libraries, err := program.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if c {
		want = []string{"libc.so.6"}
	}
	if !slices.Equal(libraries, want) {
		t.Errorf("%s needs %q, want %q", filepath.Base(file), libraries, want)
	}
}
