package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
)

const startsInTurn = 3

// startup measures the cost of starting the command, compared with a program that does nothing.
func (b *bench) startup() error {
	binary, err := b.build("delegation", "cmd/delegation")
	if err != nil {
		return err
	}
	hello := b.world.path("hello")
	build := exec.Command("go", "build", "-o", hello, "./hello")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, said)
	}
	if binary, err = installed(binary); err != nil {
		return err
	}
	if hello, err = installed(hello); err != nil {
		return err
	}
	var base, ours []float64
	for round := range b.rounds {
		b.progress("start of the command: round %d of %d", round+1, b.rounds)
		first, err := startTime(hello)
		if err != nil {
			return err
		}
		second, err := startTime(binary, "--help")
		if err != nil {
			return err
		}
		base = append(base, first)
		ours = append(ours, second)
	}
	ratios := make([]float64, len(ours))
	for i := range ratios {
		ratios[i] = ours[i] / base[i]
	}
	best := slices.Min(ours) / slices.Min(base)
	typical := median(ratios)
	b.add(row{
		what: fmt.Sprintf("CPU of `delegation --help` (%.0f ms) / of a hello-world (%.0f ms)",
			slices.Min(ours), slices.Min(base)),
		min:    fmt.Sprintf("%.1f", best),
		median: fmt.Sprintf("%.1f", typical),
		goal:   "≤ 4",
		met:    best <= 4 && typical <= 4,
	})
	return nil
}

// startTime is the lowest CPU time of a few runs of a program, in milliseconds.
func startTime(program string, arguments ...string) (float64, error) {
	var spent []float64
	for range startsInTurn {
		command := exec.Command(program, arguments...)
		if err := command.Run(); err != nil {
			return 0, err
		}
		state := command.ProcessState
		spent = append(spent, microseconds(state.UserTime()+state.SystemTime())/1000)
	}
	return slices.Min(spent), nil
}

// installed copies a program, and returns the path of the copy. Linux keeps a file that the linker
// has just written in single pages, and one that was copied or read from disk in larger units. So a
// program of 40 MB starts about 1 ms faster after it is installed.
func installed(program string) (string, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	file := program + "-installed"
	return file, os.WriteFile(file, content, 0o755)
}
