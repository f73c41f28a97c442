//go:build soak

package soak

import (
	"context"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// fault is one thing that goes wrong while users ask.
type fault struct {
	name    string
	allowed []delegation.Code // of exchanges, while it lasts
	blocks  bool              // whether some users wait until it is over

	// inject makes the fault and takes it back before it returns, which is when stop is closed.
	inject func(w *world, random *rand.Rand, stop <-chan struct{})
}

// Codes of exchanges whose issuer has trouble.
var noKeys = []delegation.Code{
	delegation.CodeKeyUnknown,
	delegation.CodeKeyPending,
	delegation.CodeKeySetUnavailable,
	delegation.CodeKeySetInvalid,
	delegation.CodeKeySetRedirect,
	delegation.CodeKeySetTooLarge,
}

// calm is the phase between two faults: everybody gets what is theirs.
var calm = fault{
	name:   "none",
	inject: func(_ *world, _ *rand.Rand, stop <-chan struct{}) { <-stop },
}

var faults = []fault{
	{"issuer rotates", noKeys, false, rotate},
	{"issuer rotates and is down", noKeys, false, rotateWhileDown},
	{"issuer rotates and hangs", noKeys, true, rotateWhileHanging},
	{"STS throttles", codes(delegation.CodeSTSThrottled), false, script(ststest.Throttle())},
	{"STS answers 503", codes(delegation.CodeSTSUnavailable), false, script(ststest.Status(503))},
	{"STS of one region is down", codes(delegation.CodeSTSUnavailable), false, oneRegion},
	{"STS not activated", codes(delegation.CodeSTSRegionDisabled), false,
		script(ststest.RegionDisabled())},
	{"STS refuses", codes(delegation.CodeSTSAccessDenied), false,
		script(ststest.Refuse(403, "AccessDenied",
			"Not authorized to perform sts:AssumeRoleWithSAML"))},
	{"STS is slow", nil, false, slow(false)},
	{"STS is slow and cut", codes(delegation.CodeSTSUnavailable), false, slow(true)},
	{"STS is cut", codes(delegation.CodeSTSUnavailable), false, script(ststest.Cut())},
	{"STS answers in part", codes(delegation.CodeSTSAnswerIncomplete), false,
		script(ststest.Missing("SessionToken"))},
	{"STS answers nothing", codes(delegation.CodeSTSAnswerIncomplete), false,
		script(ststest.Missing())},
	{"STS answers what has expired", codes(delegation.CodeSTSAnswerIncomplete), false,
		script(ststest.Expired())},
	{"signer fails", codes(delegation.CodeSigningFailed), false, failSigner},
	{"signer hangs", nil, true, hangSigner},
	{"signing key rolls over", nil, false, rollOver},
	{"signing key is not published", codes(delegation.CodeSTSSignature), false, rollOverTooEarly},
	{"credentials are invalidated", nil, false, invalidate},
	{"Redis restarts", nil, false, restartRedis},
	{"Redis hangs", nil, true, hangRedis},
	{"Redis is tampered with", nil, false, tamper},
	{"time passes", codes(
		delegation.CodeSTSExpired, delegation.CodeSTSTooOld, delegation.CodeSTSAnswerIncomplete,
		delegation.CodeTokenExpired), false, passTime},
}

func codes(list ...delegation.Code) []delegation.Code { return list }

// every calls a function now and then until stop is closed.
func every(pause time.Duration, stop <-chan struct{}, call func()) {
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		select {
		case <-stop:
			return
		default:
			call()
		}
		select {
		case <-stop:
			return
		case <-ticks.C:
		}
	}
}

// rotateKeys has an issuer sign with a new key. The one before it stays published.
func (w *world) rotateKeys(issuer int) {
	provider := w.providers[issuer]
	w.kids[issuer] = append(w.kids[issuer], must(provider.Rotate()))
	if n := len(w.kids[issuer]); n > 2 {
		provider.Withdraw(w.kids[issuer][0])
		w.kids[issuer] = w.kids[issuer][1:]
	}
}

func rotate(w *world, random *rand.Rand, stop <-chan struct{}) {
	every(200*time.Millisecond, stop, func() { w.rotateKeys(random.IntN(issuers)) })
}

func rotateWhileDown(w *world, random *rand.Rand, stop <-chan struct{}) {
	all := []oidctest.Faults{
		{Status: http.StatusBadGateway},
		{Malformed: true},
		{Redirect: "https://elsewhere.example.com/"},
		{Oversize: true},
	}
	issuer := random.IntN(issuers)
	w.providers[issuer].SetFaults(all[random.IntN(len(all))])
	w.rotateKeys(issuer)
	<-stop
	w.providers[issuer].SetFaults(oidctest.Faults{})
}

func rotateWhileHanging(w *world, random *rand.Rand, stop <-chan struct{}) {
	issuer := random.IntN(issuers)
	w.providers[issuer].SetFaults(oidctest.Faults{Hang: true})
	w.rotateKeys(issuer)
	<-stop
	w.providers[issuer].SetFaults(oidctest.Faults{})
}

// script has STS do something with two calls of three.
func script(f ststest.Fault) func(*world, *rand.Rand, <-chan struct{}) {
	return func(w *world, random *rand.Rand, stop <-chan struct{}) {
		var list []ststest.Fault
		for range 1000 {
			if random.IntN(3) == 0 {
				list = append(list, ststest.Fault{})
			} else {
				list = append(list, f)
			}
		}
		fake := w.bank.fake.Load()
		fake.Script(list...)
		<-stop
		fake.Script()
	}
}

func oneRegion(w *world, _ *rand.Rand, stop <-chan struct{}) {
	fake := w.bank.fake.Load()
	fake.Script(ststest.Repeat(100_000, ststest.Status(500).In("eu-central-1")))
	<-stop
	fake.Script()
}

// slow holds calls back until some wait together. Then they are answered, or cut.
func slow(cut bool) func(*world, *rand.Rand, <-chan struct{}) {
	return func(w *world, _ *rand.Rand, stop <-chan struct{}) {
		closed := func() *gate {
			g := &gate{open: make(chan struct{}), cut: cut}
			w.bank.gate.Store(g)
			return g
		}
		g := closed()
		every(20*time.Millisecond, stop, func() {
			if g.held.Load() < 3 {
				return
			}
			full := g
			g = closed()
			close(full.open)
		})
		w.bank.gate.Store(nil)
		close(g.open)
	}
}

func failSigner(w *world, _ *rand.Rand, stop <-chan struct{}) {
	w.mood.refuses.Store(true)
	<-stop
	w.mood.refuses.Store(false)
}

// hangSigner holds all signatures back. Who has no time leaves; the signatures go on without them.
func hangSigner(w *world, _ *rand.Rand, stop <-chan struct{}) {
	g := &gate{open: make(chan struct{})}
	w.mood.gate.Store(g)
	<-stop
	w.mood.gate.Store(nil)
	close(g.open)
}

// rollOver changes the key that signs, to and fro; IAM knows both.
func rollOver(w *world, _ *rand.Rand, stop <-chan struct{}) {
	every(20*time.Millisecond, stop, w.nextKey)
}

// rollOverTooEarly has a key sign that IAM does not know yet.
func rollOverTooEarly(w *world, _ *rand.Rand, stop <-chan struct{}) {
	w.bank.publish(w.keys[w.current])
	w.nextKey()
	<-stop
	w.bank.publish(w.keys[0], w.keys[1])
}

// nextKey has the other of the main identity's two keys sign.
func (w *world) nextKey() {
	w.current = 1 - w.current
	for _, d := range w.delegators {
		must(0, d.SetIdentityProvider(w.identity()))
	}
}

// invalidate forgets users here and there. Where there is no shared cache, nothing that was issued
// before may come back; with one, what another replica remembers may.
func invalidate(w *world, random *rand.Rand, stop <-chan struct{}) {
	every(2*time.Millisecond, stop, func() {
		d := w.delegators[random.IntN(len(w.delegators))]
		number := random.IntN(usersPerIssuer)
		before := w.bank.calls.Load()
		if number == 0 {
			must(0, d.InvalidateAll(context.Background()))
		} else {
			must(0, d.Invalidate(context.Background(), user{number: number}.subject()))
		}
		if d.shared {
			return
		}
		for other := range usersPerIssuer {
			if number == 0 || number == other {
				w.setFloor(d, user{number: other}.subject(), before+1)
			}
		}
	})
}

// restartRedis has Redis stay away until an exchange has missed it, and then come back empty.
func restartRedis(w *world, _ *rand.Rand, stop <-chan struct{}) {
	missed, away := 0, false
	every(20*time.Millisecond, stop, func() {
		switch {
		case !away:
			missed = w.outcome(delegation.CacheSharedDown)
			away = true
			w.redis.kill()
		case w.outcome(delegation.CacheSharedDown) > missed:
			away = false
			w.redis.start()
		}
	})
	if away {
		w.redis.start()
	}
}

func hangRedis(w *world, _ *rand.Rand, stop <-chan struct{}) {
	must(0, w.redis.process.Process.Signal(syscall.SIGSTOP))
	<-stop
	must(0, w.redis.process.Process.Signal(syscall.SIGCONT))
}

func tamper(w *world, random *rand.Rand, stop <-chan struct{}) {
	every(10*time.Millisecond, stop, func() { w.redis.shuffle(random) })
}

// passTime moves the clock in steps, while tokens, assertions and credentials are on their way.
func passTime(w *world, random *rand.Rand, stop <-chan struct{}) {
	left := 50 * time.Minute // tokens live for an hour
	every(10*time.Millisecond, stop, func() {
		step := time.Duration(5+random.IntN(200)) * time.Second
		if left -= step; left > 0 {
			w.clock.Advance(step)
		}
	})
}
