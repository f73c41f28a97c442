package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// turnTime is the CPU time of a turn. It is long enough for several garbage collections, and
	// short enough that all contenders run under the same load.
	turnTime = 40 * time.Millisecond
	// turnsPerRound is how many turns a contender has in each round; with -quick it has one. The
	// processor's speed changes within seconds, by more than the differences that matter. Many short
	// turns meet the same speeds.
	turnsPerRound = 8
	// trialTime is how long a contender runs to find out how often it runs in a turn.
	trialTime = 10 * time.Millisecond
)

// contender is one way to do a piece of work.
type contender struct {
	name string
	// most is the maximum number of runs in one turn, for work that is used up. The warm-up takes
	// half of it. Zero: any number.
	most int
	// lasts is the CPU time of a turn. Zero: turnTime.
	lasts time.Duration
	// before prepares a turn. It is not measured. nil: there is nothing to prepare.
	before func() error
	// run does the work once. i counts from zero in each turn, and the warm-up is in the count.
	run func(i int) error
}

// figures are the measurements of a contender. The slices have an entry for each round
// or turn, in order.
type figures struct {
	name string
	cpu  []float64 // microseconds of CPU per run, whole process with garbage collection
	wall []float64 // microseconds per run
	// allocs and bytes are those of one run, from the turn that had the fewest.
	allocs, bytes float64
}

// fastest is the lowest CPU time of a run.
func (f *figures) fastest() float64 { return slices.Min(f.cpu) }

// typical is the median CPU time of a run.
func (f *figures) typical() float64 { return median(f.cpu) }

// over compares CPU times: the ratio of the minima, and the median of the ratios of each round.
func (f *figures) over(base *figures) ratio {
	ratios := make([]float64, len(f.cpu))
	for i := range ratios {
		ratios[i] = f.cpu[i] / base.cpu[i]
	}
	return ratio{f.fastest() / base.fastest(), median(ratios)}
}

// ratio compares two contenders: the ratio of their minima, and the median of their ratios.
type ratio struct{ min, median float64 }

// measure runs the contenders in turn, in a different order in each round.
func (b *bench) measure(title string, contenders ...contender) ([]*figures, error) {
	return b.measureTurns(title, b.turns, contenders...)
}

// measureTurns is measure with so many turns in each round. A round's figure is the mean of its
// turns.
func (b *bench) measureTurns(
	title string, turns int, contenders ...contender,
) ([]*figures, error) {
	all := make([]*figures, len(contenders))
	repeats := make([]int, len(contenders))
	for i, c := range contenders {
		n, err := c.repeats()
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", title, c.name, err)
		}
		repeats[i] = n
		all[i] = &figures{name: c.name}
	}
	for round := range b.rounds {
		b.progress("%s: round %d of %d", title, round+1, b.rounds)
		ofRound := make([]figures, len(contenders))
		for turn := range turns * len(contenders) {
			i := (turn + round) % len(contenders)
			if err := contenders[i].turn(repeats[i], &ofRound[i]); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", title, contenders[i].name, err)
			}
		}
		for i := range all {
			all[i].addRound(&ofRound[i])
		}
	}
	b.details = append(b.details, detail{title, all})
	return all, nil
}

// addRound adds the mean of a round's turns.
func (f *figures) addRound(turns *figures) {
	f.addAllocations(turns.allocs, turns.bytes)
	f.cpu = append(f.cpu, mean(turns.cpu))
	f.wall = append(f.wall, mean(turns.wall))
}

// addAllocations keeps those of the turn that had the fewest.
func (f *figures) addAllocations(allocs, bytes float64) {
	if len(f.cpu) == 0 || allocs < f.allocs {
		f.allocs = allocs
		f.bytes = bytes
	}
}

// repeats runs the contender for a short time, and returns how often it can run in a turn.
func (c *contender) repeats() (int, error) {
	if err := c.prepare(); err != nil {
		return 0, err
	}
	began, err := cpuTime()
	if err != nil {
		return 0, err
	}
	n := 0
	spent := time.Duration(0)
	for spent < trialTime && (c.most == 0 || n < c.most) {
		if err := c.run(n); err != nil {
			return 0, err
		}
		n++
		now, err := cpuTime()
		if err != nil {
			return 0, err
		}
		spent = now - began
	}
	lasts := cmp.Or(c.lasts, turnTime)
	repeats := max(1, int(lasts*time.Duration(n)/max(spent, 1)))
	if c.most > 0 {
		repeats = min(repeats, c.most/2)
	}
	return repeats, nil
}

func (c *contender) prepare() error {
	if c.before == nil {
		return nil
	}
	return c.before()
}

// turn runs the contender n times to warm up, and then n times again, and adds the measurements of
// these.
func (c *contender) turn(n int, f *figures) error {
	if err := c.prepare(); err != nil {
		return err
	}
	runtime.GC() // collects the garbage of other contenders
	// A collection gives memory back to the operating system and leaves the processor's caches
	// empty. Without a warm-up, a turn would measure how this is undone.
	if _, _, err := c.timed(0, n); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, wall, err := c.timed(n, n)
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	runs := float64(n)
	f.addAllocations(
		float64(after.Mallocs-before.Mallocs)/runs,
		float64(after.TotalAlloc-before.TotalAlloc)/runs)
	f.cpu = append(f.cpu, microseconds(cpu)/runs)
	f.wall = append(f.wall, microseconds(wall)/runs)
	return nil
}

// timed runs the contender n times, and returns the CPU time of the process and the elapsed time.
// The first run is number i.
func (c *contender) timed(i, n int) (cpu, wall time.Duration, err error) {
	began := time.Now()
	first, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	for ; n > 0; n-- {
		if err := c.run(i); err != nil {
			return 0, 0, err
		}
		i++
	}
	last, err := cpuTime()
	return last - first, time.Since(began), err
}

// cpuTime is the CPU time that this process has used. Unlike the elapsed time, it does not grow
// while other programs use the processor.
func cpuTime() (time.Duration, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now)
	return time.Duration(now.Nano()), err
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// named finds the figures of a contender.
func named(all []*figures, name string) (*figures, error) {
	for _, f := range all {
		if f.name == name {
			return f, nil
		}
	}
	return nil, errors.New("there is no contender " + name)
}
