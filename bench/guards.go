package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// loose is the factor by which a bound may exceed the measurement before a run says that the bound
// can be lowered.
const loose = 1.15

// gauge is a figure that does not depend on the load of the machine.
type gauge struct {
	name  string
	value float64
}

func (b *bench) gauge(name string, value float64) {
	b.gauges = append(b.gauges, gauge{name, value})
}

// weigh makes gauges from a contender's allocations.
func (b *bench) weigh(name string, f *figures) {
	b.gauge("allocations, "+name, f.allocs)
	b.gauge("bytes, "+name, f.bytes)
}

// limit is a line of guards.txt.
type limit struct {
	name  string
	bound float64
}

// readGuards reads a file of guards.
func readGuards(file string) ([]limit, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []limit
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, fmt.Errorf("%s: no colon in %q", file, line)
		}
		bound, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, limit{name, bound})
	}
	return all, nil
}

// check compares the measurements with the guards. Each gauge needs a guard, and each guard a
// gauge.
func (b *bench) check(guards []limit) error {
	bounds := map[string]float64{}
	for _, g := range guards {
		bounds[g.name] = g.bound
	}
	var problems []error
	for _, g := range b.gauges {
		bound, guarded := bounds[g.name]
		delete(bounds, g.name)
		switch {
		case !guarded:
			problems = append(problems, fmt.Errorf("%s is %.5g, and has no guard", g.name, g.value))
		case g.value > bound:
			problems = append(problems,
				fmt.Errorf("%s is %.5g, more than the guard's %.5g", g.name, g.value, bound))
		case g.value*loose < bound:
			b.progress("%s is %.5g: the guard's %.5g can be lowered", g.name, g.value, bound)
		}
	}
	for name := range bounds {
		problems = append(problems, fmt.Errorf("%s was not measured", name))
	}
	return errors.Join(problems...)
}
