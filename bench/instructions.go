package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/seed055b7978/delegation"
)

// Instructions are counted by cachegrind, which simulates a processor: 50 times slower, but with
// the same count each time. The difference between two runs with different numbers of repetitions
// gives the cost of one repetition.
const (
	fewRepetitions  = 20
	moreRepetitions = 220
)

// stage is work whose instructions are counted.
type stage struct {
	name string
	open func(*bench) (run func(i int) error, err error)
	// counted says that its instructions have a bound.
	counted bool
}

func stages() []stage {
	return []stage{
		{"response without signature", func(b *bench) (func(int) error, error) {
			key := b.world.key
			blank := blankSigner(key.Signer.Public())
			return once(response(blank, key.Certificate, responseTags)), nil
		}, true},
		{"unseen token", unseenStage, true},
		{"seen token", func(b *bench) (func(int) error, error) {
			verify, err := ours(b.net.keysURL(), b.world.real[0])
			return once(func() error { return verify(b.world.real[0]) }), err
		}, true},
		{"cached exchange", func(b *bench) (func(int) error, error) {
			e := &exchanger{config: b.world.config(b.net.keysURL()), seen: b.world.real[0]}
			e.config.STS = inProcess{}
			err := e.renew()
			return once(func() error { return e.exchange(b.world.real[0]) }), err
		}, true},
		{"cold exchange", func(b *bench) (func(int) error, error) {
			e := &exchanger{
				config:  b.world.config(b.net.keysURL()),
				seen:    b.world.real[0],
				options: []delegation.ExchangeOption{delegation.WithoutCache()},
			}
			err := e.renew()
			return func(i int) error { return e.exchange(b.world.real[i%realPool]) }, err
		}, false},
		{scriptStage, func(*bench) (func(int) error, error) {
			run, err := script()
			return once(run), err
		}, false},
		{golangStage, func(b *bench) (func(int) error, error) {
			return each(golangJWT(b.world), b.world.real[1:]), nil
		}, false},
	}
}

// unseenStage verifies the tokens one after the other. Once all tokens were used, it starts again
// with a new verifier, which has seen none of them.
func unseenStage(b *bench) (func(int) error, error) {
	tokens := b.world.real[1:]
	verify, err := ours(b.net.keysURL(), b.world.real[0])
	return func(i int) error {
		if i > 0 && i%len(tokens) == 0 {
			if verify, err = ours(b.net.keysURL(), b.world.real[0]); err != nil {
				return err
			}
		}
		return verify(tokens[i%len(tokens)])
	}, err
}

const (
	scriptStage = "rule in JavaScript"
	// golangStage is counted for comparison, and has no bound.
	golangStage = "unseen token, golang-jwt"
)

// instructions counts the instructions of each stage. Without valgrind, it skips this.
func (b *bench) instructions() error {
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		b.progress("instructions: left out, there is no valgrind")
		return nil
	}
	counts := map[string]float64{}
	for _, s := range stages() {
		if !s.counted && s.name != golangStage {
			continue
		}
		b.progress("instructions: %s", s.name)
		few, err := b.countOf(valgrind, s.name, fewRepetitions)
		if err != nil {
			return err
		}
		more, err := b.countOf(valgrind, s.name, moreRepetitions)
		if err != nil {
			return err
		}
		counts[s.name] = (more - few) / (moreRepetitions - fewRepetitions)
		if s.counted {
			b.gauge("instructions, "+s.name, counts[s.name])
		}
	}
	b.counts = counts
	return nil
}

var countLine = regexp.MustCompile(`I\s+refs:\s+([\d,]+)`)

// countOf counts the instructions of a process that repeats a stage n times.
func (b *bench) countOf(valgrind, name string, n int) (float64, error) {
	own, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := exec.Command(valgrind, "--tool=cachegrind", "--cache-sim=no",
		"--cachegrind-out-file="+os.DevNull,
		own, "-repeat", name, "-times", strconv.Itoa(n), "-folder", b.world.folder)
	// Garbage would be collected at different times in each run. cpu.all=off limits the code to the
	// features of every amd64 processor, so it is the same everywhere. valgrind does not support
	// RDTSCP.
	command.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1", "GODEBUG=cpu.all=off")
	said, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("valgrind: %w: %s", err, said)
	}
	found := countLine.FindSubmatch(said)
	if found == nil {
		return 0, fmt.Errorf("valgrind says no count: %.2000s", said)
	}
	return strconv.ParseFloat(strings.ReplaceAll(string(found[1]), ",", ""), 64)
}

// repeat runs a stage n times, in the process whose instructions are counted. If a file is named,
// it writes a CPU profile to it.
func (b *bench) repeat(name string, n int, profile string) error {
	for _, s := range stages() {
		if s.name != name {
			continue
		}
		run, err := s.open(b)
		if err != nil {
			return err
		}
		if profile != "" {
			stop, err := profileTo(profile)
			if err != nil {
				return err
			}
			defer stop()
		}
		for i := range n {
			if err := run(i); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("there is no stage " + name)
}

// profileTo starts a CPU profile.
func profileTo(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a gap would show in the profile
	}, nil
}
