package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	module       = "github.com/seed055b7978/delegation"
	baselineFile = ".ci/api/baseline" // the commit that apidiff compares with
)

var wholeHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// runAPIDiff compares the working tree with the baseline commit. It fails if apidiff finds an
// incompatible change, and lists the compatible ones. tool is apidiff with a version, in the form
// that go install takes.
func runAPIDiff(tool string, out io.Writer) error {
	text, err := os.ReadFile(baselineFile)
	if err != nil {
		return err
	}
	commit := strings.TrimSpace(string(text))
	if err := findCommit(commit); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "apidiff")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	install := exec.Command("go", "install", tool)
	install.Env = append(os.Environ(), "GOBIN="+work)
	if _, err := output(install); err != nil {
		return err
	}
	apidiff := filepath.Join(work, "apidiff")
	before, err := exportOf(commit, tool, apidiff, work)
	if err != nil {
		return err
	}
	report, err := output(exec.Command(apidiff, "-m", before, module))
	if err != nil {
		return err
	}
	return judge(report, commit, out)
}

// findCommit looks for the baseline in this clone. A shallow clone lacks it.
func findCommit(commit string) error {
	if !wholeHash.MatchString(commit) {
		return fmt.Errorf("%s has %.60q: it takes the 40 hexadecimal digits of a commit",
			baselineFile, commit)
	}
	if _, err := output(exec.Command("git", "cat-file", "-e", commit+"^{commit}")); err != nil {
		return fmt.Errorf("this clone lacks the commit %s of %s: run "+
			"git fetch --depth 1 origin %s, or git fetch --unshallow", commit, baselineFile, commit)
	}
	return nil
}

// exportOf returns a file with what the commit exports. The file is kept in the user's cache,
// because the same commit, apidiff and Go always give the same content.
func exportOf(commit, tool, apidiff, work string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = work // without a home folder, nothing is cached
	}
	folder := filepath.Join(cache, "delegation-api")
	_, version, _ := strings.Cut(tool, "@")
	kept := filepath.Join(folder, strings.Join([]string{commit, version, runtime.Version()}, "_"))
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	source := filepath.Join(work, "source")
	if err := checkOut(commit, source); err != nil {
		return "", err
	}
	// The file is written whole or not at all, even if two processes write it.
	written := filepath.Join(source, "export")
	write := exec.Command(apidiff, "-m", "-w", written, module)
	write.Dir = source
	if _, err := output(write); err != nil {
		return "", err
	}
	data, err := os.ReadFile(written)
	if err != nil {
		return "", err
	}
	partial, err := os.CreateTemp(folder, "partial")
	if err != nil {
		return "", err
	}
	_, err = partial.Write(data)
	if err := errors.Join(err, partial.Close()); err != nil {
		return "", err
	}
	return kept, os.Rename(partial.Name(), kept)
}

// checkOut writes the files of a commit into a new folder.
func checkOut(commit, folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	archive, err := output(exec.Command("git", "archive", "--format=tar", commit))
	if err != nil {
		return err
	}
	extract := exec.Command("tar", "-x", "-C", folder)
	extract.Stdin = strings.NewReader(archive)
	_, err = output(extract)
	return err
}

// judge prints a report of apidiff, and fails if it has incompatible changes.
func judge(report, commit string, out io.Writer) error {
	report = strings.TrimSpace(report)
	if report == "" {
		fmt.Fprintf(out, "apidiff: no change since %.12s\n", commit)
		return nil
	}
	fmt.Fprintf(out, "apidiff, since %.12s:\n%s\n", commit, report)
	if !strings.Contains(report, "Incompatible changes:") {
		return nil
	}
	return errors.New("apidiff finds incompatible changes. Keep what callers use. If the break is " +
		"meant: describe it in docs/upgrading.md, commit it, and write that commit's hash to " +
		baselineFile)
}

// output runs a command. An error contains the command's output.
func output(command *exec.Cmd) (string, error) {
	var said bytes.Buffer
	command.Stderr = &said
	text, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, &said)
	}
	return string(text), nil
}
