package main

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	cores        = 2
	sliceTime    = 150 * time.Millisecond // for each contender in each round
	coldCallers  = 8
	localCallers = 4
)

// load is work that several callers do concurrently.
type load struct {
	name    string
	callers int
	run     func(i int) error
	rates   []float64 // per second, by round
}

// throughput compares how many cold exchanges and how many signatures two cores make in a second.
func (b *bench) throughput() error {
	w := b.world
	key, ok := w.key.Signer.(*rsa.PrivateKey)
	if !ok {
		return errors.New("the signing key is not RSA")
	}
	without := []delegation.ExchangeOption{delegation.WithoutCache()}
	config := w.config(b.net.keysURL())
	sdk := &exchanger{config: config, seen: w.real[0], options: without}
	local := &exchanger{config: config, seen: w.real[0], options: without}
	local.config.STS = inProcess{}
	if err := errors.Join(sdk.renew(), local.renew()); err != nil {
		return err
	}
	exchange := func(e *exchanger) func(int) error {
		return func(i int) error { return e.exchange(w.real[i%len(w.real)]) }
	}
	loads := []*load{
		{name: "crypto/rsa, Sign alone", callers: cores, run: once(bareSign(key))},
		{name: "delegation, loopback", callers: coldCallers, run: exchange(sdk)},
		{name: "delegation, STS in process", callers: localCallers, run: exchange(local)},
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(min(cores, runtime.NumCPU())))
	for round := range b.rounds {
		b.progress("throughput: round %d of %d", round+1, b.rounds)
		for turn := range loads {
			if err := loads[(turn+round)%len(loads)].turn(); err != nil {
				return err
			}
		}
	}
	b.compareRates("cold exchanges/s / bare signatures/s, loopback", loads[1], loads[0], 0.65)
	b.compareRates("the same, STS in process", loads[2], loads[0], 0.75)
	return nil
}

// turn lets the callers work for a slice of time.
func (l *load) turn() error {
	runtime.GC()
	var all sync.WaitGroup
	var done atomic.Int64
	failures := make([]error, l.callers)
	began := time.Now()
	for caller := range l.callers {
		all.Go(func() {
			for time.Since(began) < sliceTime && failures[caller] == nil {
				failures[caller] = l.run(int(done.Add(1)))
			}
		})
	}
	all.Wait()
	l.rates = append(l.rates, float64(done.Load())/time.Since(began).Seconds())
	return errors.Join(failures...)
}

// compareRates adds a row that compares two rates: the best of all rounds, and the median of the
// rounds' ratios.
func (b *bench) compareRates(what string, ours, base *load, least float64) {
	b.addRates(what, ours.rates, base.rates, least)
}

func (b *bench) addRates(what string, ours, base []float64, least float64) {
	ratios := make([]float64, len(ours))
	for i := range ratios {
		ratios[i] = ours[i] / base[i]
	}
	best := slices.Max(ours) / slices.Max(base)
	typical := median(ratios)
	b.add(row{
		what:   what,
		min:    fmt.Sprintf("%.2f", best),
		median: fmt.Sprintf("%.2f", typical),
		goal:   fmt.Sprintf("≥ %.2f", least),
		met:    best >= least && typical >= least,
	})
}
