package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	rounds int
	turns  int // of each contender in a round
	began  time.Time
	load   string // load average at the beginning
	world  *world
	net    *loopback
	// rows is the table of goals, and details has all contenders.
	rows    []row
	details []detail
	gauges  []gauge
	rates   []*service
	counts  map[string]float64 // instructions by stage
}

// progress tells on standard error what is being done, because a run takes minutes.
func (b *bench) progress(format string, args ...any) {
	elapsed := time.Since(b.began).Round(time.Second)
	fmt.Fprintf(os.Stderr, "%6s  %s\n", elapsed, fmt.Sprintf(format, args...))
}

// detail has the measurements of one piece of work, by contender.
type detail struct {
	title string
	all   []*figures
}

// row is a row of the table of goals.
type row struct {
	what        string
	min, median string
	allocs      string
	goal        string
	met         bool
}

// add adds a row to the table.
func (b *bench) add(r row) { b.rows = append(b.rows, r) }

// addTimes adds a row of times in seconds.
func (b *bench) addTimes(what string, seconds []float64, most time.Duration) {
	fastest := slices.Min(seconds)
	typical := median(seconds)
	b.add(row{
		what:   what,
		min:    fmt.Sprintf("%.2f", fastest),
		median: fmt.Sprintf("%.2f", typical),
		goal:   fmt.Sprintf("≤ %g", most.Seconds()),
		met:    fastest <= most.Seconds() && typical <= most.Seconds(),
	})
}

// compare adds a row that compares two contenders. The goal applies to the minimum and to the
// median. If allocs is zero, there is no goal for allocations.
func (b *bench) compare(what string, ours, base *figures, most, allocs float64) {
	r := ours.over(base)
	goal := fmt.Sprintf("≤ %.2f", most)
	met := r.min <= most && r.median <= most
	if allocs > 0 {
		goal += fmt.Sprintf(", ≤ %.0f allocations", allocs)
		met = met && ours.allocs <= allocs
	}
	b.add(row{
		what:   what,
		min:    fmt.Sprintf("%.2f", r.min),
		median: fmt.Sprintf("%.2f", r.median),
		allocs: fmt.Sprintf("%.0f", ours.allocs),
		goal:   goal,
		met:    met,
	})
}
