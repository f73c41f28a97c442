package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	manyRules   = 100
	manyTags    = 50
	manyTargets = 100_000
)

// claimCost adds the row of one more claim.
func (b *bench) claimCost(ours, golang *figures, large []*figures) {
	more := float64(manyClaims - 16)
	perClaim := slope(ours, large[0], more)
	golangs := slope(golang, large[1], more)
	allocs := (large[0].allocs - ours.allocs) / more
	b.add(row{
		what:   "one more claim, in µs; golang-jwt's in brackets",
		min:    fmt.Sprintf("%.2f (%.2f)", perClaim.min, golangs.min),
		median: fmt.Sprintf("%.2f (%.2f)", perClaim.median, golangs.median),
		allocs: fmt.Sprintf("%.1f", allocs),
		goal:   "≤ golang-jwt's, ≤ 4 allocations",
		met: perClaim.min <= golangs.min && perClaim.median <= golangs.median &&
			allocs <= 4,
	})
}

// slope is the cost of one more of something, in microseconds: the difference between many and few,
// divided by the difference in their number.
func slope(few, many *figures, more float64) ratio {
	return ratio{
		min:    (many.fastest() - few.fastest()) / more,
		median: (many.typical() - few.typical()) / more,
	}
}

// growth measures what one more rule or tag costs.
func (b *bench) growth() error {
	if err := b.rules(); err != nil {
		return err
	}
	return b.tags()
}

// rules measures cached exchanges with few and with many rules, which do nothing.
func (b *bench) rules() error {
	w := b.world
	few := &exchanger{config: w.config(b.net.keysURL()), seen: w.real[0]}
	many := &exchanger{config: w.config(b.net.keysURL()), seen: w.real[0]}
	for range manyRules {
		many.config.Rules = append(many.config.Rules, idleRule)
	}
	exchange := func(e *exchanger) func(int) error {
		return once(func() error { return e.exchange(w.real[0]) })
	}
	all, err := b.measure("rules, in an exchange from the cache",
		contender{name: "2 rules", before: few.renew, run: exchange(few)},
		contender{name: "102 rules", before: many.renew, run: exchange(many)},
	)
	if err != nil {
		return err
	}
	b.addSlope("one more rule, in µs", all[0], all[1], manyRules, 0.05)
	return nil
}

func idleRule(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }

// tags measures responses and cached exchanges with few and with many session tags.
func (b *bench) tags() error {
	certificate := b.world.key.Certificate
	blank := blankSigner(b.world.key.Signer.Public())
	all, err := b.measure("session tags, in a response without the time of the signature",
		contender{name: "no tags", run: once(response(blank, certificate, 0))},
		contender{name: "50 tags", run: once(response(blank, certificate, manyTags))},
	)
	if err != nil {
		return err
	}
	b.addSlope("one more tag in a response, in µs", all[0], all[1], manyTags, 1)
	w := b.world
	plain := &exchanger{config: w.config(b.net.keysURL()), seen: w.real[0]}
	tagged := &exchanger{config: w.config(b.net.keysURL()), seen: w.real[0]}
	target := w.target()
	target.Tags = map[string]string{}
	for _, tag := range tagsOf(manyTags) {
		target.Tags[tag.name] = tag.value
	}
	tagged.config.Targets = delegation.Targets{clientID: target}
	exchange := func(e *exchanger) func(int) error {
		return once(func() error { return e.exchange(w.real[0]) })
	}
	all, err = b.measure("session tags, in an exchange from the cache",
		contender{name: "no tags", before: plain.renew, run: exchange(plain)},
		contender{name: "50 tags", before: tagged.renew, run: exchange(tagged)},
	)
	if err != nil {
		return err
	}
	b.addSlope("one more tag in a cached exchange, in µs", all[0], all[1], manyTags, 1)
	return nil
}

// addSlope adds the row of one more of something.
func (b *bench) addSlope(what string, few, many *figures, more, most float64) {
	each := slope(few, many, more)
	b.add(row{
		what:   what,
		min:    fmt.Sprintf("%.3f", each.min),
		median: fmt.Sprintf("%.3f", each.median),
		allocs: fmt.Sprintf("%.1f", (many.allocs-few.allocs)/more),
		goal:   fmt.Sprintf("≤ %g", most),
		met:    each.min <= most && each.median <= most,
	})
}

// newTargets measures New with many targets.
func (b *bench) newTargets() error {
	config := b.world.config(b.net.keysURL())
	targets := delegation.Targets{}
	for i := range manyTargets {
		target := b.world.target()
		target.Role = fmt.Sprintf("arn:aws:iam::123456789012:role/photo-user-%06d", i)
		targets[fmt.Sprintf("target-%06d", i)] = target
	}
	config.Targets = targets
	var spent []float64
	for round := range min(b.rounds, 3) {
		b.progress("New with %d targets: round %d", manyTargets, round+1)
		first, err := cpuTime()
		if err != nil {
			return err
		}
		if _, err := delegation.New(context.Background(), config); err != nil {
			return err
		}
		last, err := cpuTime()
		if err != nil {
			return err
		}
		spent = append(spent, (last - first).Seconds())
	}
	b.addTimes("New with 100,000 targets, in s of CPU", spent, 500*time.Millisecond)
	return nil
}
