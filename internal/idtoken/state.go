package idtoken

import (
	"errors"
	"slices"
	"time"
)

// KeyState says how the keys of a source are, as far as they are known already.
type KeyState struct {
	// FailingSince is when the first fetch failed of those after the last good one. Zero: the last
	// fetch brought keys, or none has ended.
	FailingSince time.Time
	// Failure is why the last fetch failed: an [*Error], or nil.
	Failure error
	// FetchedAt is when the fetch began that brought the known keys. Zero: no known key may be
	// used, or the keys are not fetched.
	FetchedAt time.Time
	// UsableUntil is when the known keys may not be used any more, unless a fetch brings keys
	// before. Zero: there are none, or they have no end.
	UsableUntil time.Time

	// LeftOut says what is wrong with each key of the known set that somebody should correct.
	LeftOut []string
	// Fits says whether a known key fits an algorithm that the issuer may sign with. It is true if
	// no key is known.
	Fits bool
	// Algorithms are those that the known keys fit, whether the issuer may use them or not.
	Algorithms []string
	// Servers are the certificates of the hosts that the keys came from, and Keys those that the
	// keys have in the set. Nothing here checks the latter.
	Servers, Keys []Certificate
	// ClockAhead is how far the clock of the server that the keys came from is ahead; negative: it
	// is behind. Zero: the clocks agree, or the difference is not known.
	ClockAhead time.Duration
}

// Certificate says when a certificate is valid.
type Certificate struct {
	Of           string // a host, or a kid
	Begins, Ends time.Time
}

// KeyState returns the state of one of KeySources. It makes no network calls.
func (v *Verifier) KeyState(source string) KeyState {
	state := KeyState{Fits: true}
	of := v.sources[source]
	var set *KeySet
	switch keys := of.keyFinder.(type) {
	case *KeySet:
		set = keys
	case *remoteKeys:
		set = keys.describe(&state)
	}
	if set != nil {
		set.describe(&state, of.algorithms)
	}
	return state
}

// describe fills in what concerns fetches, and returns the known set. It is nil if there is none
// that may be used.
func (r *remoteKeys) describe(state *KeyState) *KeySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	state.FailingSince = r.failingSince
	state.Failure = r.failure
	if !r.usable() {
		return nil
	}
	state.FetchedAt = r.keptAt
	state.UsableUntil = r.staleAt
	state.ClockAhead = r.set.clockAhead
	return r.set
}

// describe fills in what concerns the keys. allowed are the algorithms that the issuer may use.
func (s *KeySet) describe(state *KeyState, allowed []string) {
	for _, o := range s.leftOut {
		if !errors.Is(o.why, errOtherUse) {
			state.LeftOut = append(state.LeftOut, o.String())
		}
	}
	for _, k := range s.keys {
		if k.refused != nil {
			state.LeftOut = append(state.LeftOut, k.refused.Err.Error())
			continue
		}
		if k.certificate != nil {
			state.Keys = append(state.Keys, Certificate{
				Of:     k.kid,
				Begins: k.certificate.NotBefore,
				Ends:   k.certificate.NotAfter,
			})
		}
	}
	for _, algorithm := range Algorithms() {
		if slices.ContainsFunc(s.keys, func(k key) bool {
			return k.refused == nil && k.fits(algorithm)
		}) {
			state.Algorithms = append(state.Algorithms, algorithm)
		}
	}
	state.Fits = slices.ContainsFunc(state.Algorithms, func(algorithm string) bool {
		return slices.Contains(allowed, algorithm)
	})
	state.Servers = s.servers
}
