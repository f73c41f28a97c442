package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is the checkout that is built.
type source struct {
	folder string
	commit string
	// time is the time of the commit. Every file of the release has it, so that the release does
	// not depend on the time of its build.
	time time.Time
}

func readSource(folder string) (source, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return source{}, err
	}
	changes, err := git(folder, "status", "--porcelain")
	if err != nil {
		return source{}, err
	}
	if changes != "" {
		return source{}, fmt.Errorf("%s has changes: commit or remove them:\n%s", folder, changes)
	}
	commit, err := git(folder, "rev-parse", "HEAD")
	if err != nil {
		return source{}, err
	}
	seconds, err := git(folder, "log", "-1", "--format=%ct")
	if err != nil {
		return source{}, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, err
	}
	return source{folder: folder, commit: commit, time: time.Unix(unix, 0).UTC()}, nil
}

func git(folder string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", folder}, args...)...).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
