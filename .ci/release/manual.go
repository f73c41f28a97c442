package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// buildManual runs a program for this machine to write the manual pages, and returns them as
// archive entries. Their version and date are those that the build recorded, so they are the same
// on each machine.
func buildManual(from source, work string) ([]entry, error) {
	host := program{
		os:   runtime.GOOS,
		arch: runtime.GOARCH,
		file: filepath.Join(work, "manual", "delegation"),
	}
	if _, err := host.compile(from, "", "./cmd/delegation", host.file); err != nil {
		return nil, err
	}
	folder := filepath.Join(work, "manual", "man1")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if said, err := exec.Command(host.file, "man", "--out", folder).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("delegation man: %w\n%s", err, said)
	}
	pages, err := os.ReadDir(folder) // in the order of their names
	if err != nil {
		return nil, err
	}
	entries := []entry{{"man/", 0o755, nil}, {"man/man1/", 0o755, nil}}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(folder, page.Name()))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{"man/man1/" + page.Name(), 0o644, text})
	}
	return entries, nil
}
