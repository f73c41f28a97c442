package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// program is a build of delegation for one platform, and the delegation-signer for it.
type program struct {
	os, arch string
	file     string // path of the binary
	name     string // its name in archives
	version  string // what its build information says

	// signer is the file of delegation-signer for the same platform, and signerName its name.
	signer, signerName string
}

func buildAll(from source, platforms []string, work string) ([]program, error) {
	if len(platforms) == 0 {
		return nil, errors.New("no platform")
	}
	var programs []program
	for _, platform := range platforms {
		p, err := build(from, platform, work)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", platform, err)
		}
		programs = append(programs, p)
	}
	return programs, nil
}

func build(from source, platform, work string) (program, error) {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return program{}, errors.New("a platform is GOOS/GOARCH")
	}
	p := program{os: system, arch: arch, name: "delegation", signerName: "delegation-signer"}
	if p.os == "windows" {
		p.name += ".exe"
		p.signerName += ".exe"
	}
	p.file = filepath.Join(work, p.os+"_"+p.arch, p.name)
	p.signer = filepath.Join(work, p.os+"_"+p.arch, p.signerName)
	var err error
	if p.version, err = p.compile(from, "", "./cmd/delegation", p.file); err != nil {
		return program{}, err
	}
	// Its module has its own tags, such as signer/v0.1.0, and so another version.
	if _, err := p.compile(from, "signer", "./cmd/delegation-signer", p.signer); err != nil {
		return program{}, err
	}
	return p, nil
}

// compile builds a package of the module in a folder of the checkout, and returns its version.
func (p program) compile(from source, folder, name, to string) (string, error) {
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s",
		"-o", to, name)
	command.Dir = filepath.Join(from.folder, folder)
	command.Env = append(os.Environ(), buildEnvironment(p)...)
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", name, err, said)
	}
	info, err := buildinfo.ReadFile(to)
	if err != nil {
		return "", err
	}
	if err := checkBuildInfo(info, from); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return info.Main.Version, nil
}

// buildEnvironment sets all variables that change a binary, so that the builder's environment has
// no effect.
func buildEnvironment(p program) []string {
	return []string{
		"CGO_ENABLED=0",
		"GO111MODULE=on",
		"GOAMD64=v1",
		"GOARCH=" + p.arch,
		"GOARM64=v8.0",
		"GOENV=off", // settings of go env -w
		"GOEXPERIMENT=",
		"GOFIPS140=off",
		"GOFLAGS=-mod=readonly",
		"GOOS=" + p.os,
		"GOTOOLCHAIN=local",
		"GOWORK=off",
	}
}

// checkBuildInfo refuses a binary that does not say from which commit it was built, because nobody
// could reproduce it.
func checkBuildInfo(info *debug.BuildInfo, from source) error {
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	switch {
	case !strings.HasPrefix(info.Main.Version, "v"):
		return fmt.Errorf("the binary has the version %q: build in a clone with tags",
			info.Main.Version)
	case settings["vcs.revision"] != from.commit:
		return fmt.Errorf("the binary has the commit %q, not %s", settings["vcs.revision"],
			from.commit)
	case settings["vcs.modified"] != "false":
		return errors.New("the checkout changed while the binary was built")
	case settings["CGO_ENABLED"] != "0", settings["-trimpath"] != "true":
		return errors.New("the binary was built with other flags")
	}
	return nil
}
