// Command bench measures delegation next to other libraries, side by side in one process.
//
//	go run . -rounds 15
//
// It prints the goals and whether they are met, and writes RESULTS.md and chart.svg. README.md
// describes how it measures.
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
		// First, while the heap is small. After the other parts, the heap is large and garbage
		// collections are rare, so a short turn would contain too few of them.
		{"scripts", false, (*bench).scripts},
		{"responses", false, (*bench).responses},
		{"tokens", false, (*bench).tokens},
		{"exchanges", false, (*bench).exchanges},
		{"growth", false, (*bench).growth},
		{"connections", false, (*bench).connections},
		{"throughput", false, (*bench).throughput},
		{"instructions", false, (*bench).instructions},
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

// options are the flags.
type options struct {
	rounds int
	quick  bool
	only   string
	guards string
	folder string

	// Processes that a run starts from its own binary.
	peer  string
	sts   string
	stage string
	times int
	// profile is the file for the CPU profile of a stage.
	profile string
}

func parse(arguments []string) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 15, "rounds in which each contender has its turns")
	flags.BoolVar(&o.quick, "quick", false,
		"leave out what takes minutes or starts services; one turn in a round")
	flags.StringVar(&o.only, "only", "", "parts to run, with commas; all others are left out")
	flags.StringVar(&o.guards, "guards", "", "file of bounds to check")
	flags.StringVar(&o.folder, "folder", "", "folder of keys and tokens; empty: a new one")
	flags.StringVar(&o.peer, "peer", "", "only run the hand-written service at this address")
	flags.StringVar(&o.sts, "sts", "", "the STS of -peer; empty: it remembers credentials")
	flags.StringVar(&o.stage, "repeat", "", "only repeat this stage")
	flags.IntVar(&o.times, "times", 1, "repetitions of -repeat")
	flags.StringVar(&o.profile, "profile", "", "file for a CPU profile of -repeat")
	err := flags.Parse(arguments)
	if err == nil && (o.rounds < 1 || flags.NArg() > 0) {
		err = errors.New("-rounds must be positive, and there are no arguments")
	}
	return o, err
}

func run(arguments []string, out io.Writer) (err error) {
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	if o.folder == "" {
		o.folder, err = os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.folder)) }()
	}
	b := &bench{
		rounds: o.rounds,
		turns:  turnsPerRound,
		began:  time.Now(),
		load:   loadAverage(),
	}
	if o.quick {
		b.turns = 1
	}
	b.progress("keys and tokens")
	if b.world, err = openWorld(o.folder); err != nil {
		return err
	}
	if o.peer != "" {
		b.world.real = nil // nothing of ours may be in the peer's heap
		return servePeer(b.world, o.peer, o.sts)
	}
	if b.net, err = b.world.listen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.net.close()) }()
	if err := isolate(b.net.url); err != nil {
		return err
	}
	if o.stage != "" {
		return b.repeat(o.stage, o.times, o.profile)
	}
	return b.runParts(o, out)
}

// runParts runs the chosen parts, and reports the results.
func (b *bench) runParts(o *options, out io.Writer) error {
	for _, p := range parts() {
		chosen := o.only == "" || slices.Contains(strings.Split(o.only, ","), p.name)
		if !chosen || p.slow && o.quick {
			continue
		}
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	report := b.report()
	if _, err := io.WriteString(out, report); err != nil {
		return err
	}
	if o.only == "" && !o.quick {
		if err := b.save(report); err != nil {
			return err
		}
	}
	if o.guards == "" {
		return nil
	}
	guards, err := readGuards(o.guards)
	if err != nil {
		return err
	}
	return b.check(guards)
}
