// Command bench measures delegation next to other libraries, side by side in one process.
//
//	go run . -rounds 15
//
// It prints the goals and whether they are met, and writes RESULTS.md and chart.svg. See README.md
// for how it measures.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// part is a part of the measurements.
type part struct {
	name string
	slow bool // left out with -quick
	run  func(*bench) error
}

func parts() []part {
	return []part{
		{"responses", false, (*bench).responses},
		{"tokens", false, (*bench).tokens},
		{"exchanges", false, (*bench).exchanges},
		{"growth", false, (*bench).growth},
		{"scripts", false, (*bench).scripts},
		{"connections", false, (*bench).connections},
		{"throughput", false, (*bench).throughput},
		{"memory", false, (*bench).decisionSize},
		{"services", true, (*bench).services},
		{"startup", true, (*bench).startup},
		{"targets", true, (*bench).newTargets},
		{"cache", true, (*bench).fullCache},
	}
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 15, "rounds in which each contender has one turn")
	quick := flags.Bool("quick", false, "leave out what takes minutes or starts processes")
	only := flags.String("only", "", "parts to run, with commas; all others are left out")
	folder := flags.String("folder", "", "folder of keys and tokens; empty: a new one")
	peerAddress := flags.String("peer", "", "run the hand-written service at this address instead")
	stsURL := flags.String("sts", "", "the STS of -peer; empty: it remembers credentials")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *peerAddress != "" {
		w, err := openWorld(*folder)
		if err != nil {
			return err
		}
		w.real = nil
		return servePeer(w, *peerAddress, *stsURL)
	}
	if *folder == "" {
		*folder, err = os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*folder)) }()
	}
	b := &bench{rounds: *rounds, quick: *quick, began: time.Now()}
	b.progress("makes keys and tokens")
	if b.world, err = openWorld(*folder); err != nil {
		return err
	}
	if b.net, err = b.world.listen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.net.close()) }()
	if err := isolate(b.net.url); err != nil {
		return err
	}
	for _, p := range parts() {
		chosen := *only == "" || slices.Contains(strings.Split(*only, ","), p.name)
		if !chosen || p.slow && b.quick {
			continue
		}
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return b.report(out)
}
