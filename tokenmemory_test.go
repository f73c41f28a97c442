package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// memoryPair is two Delegators of one configuration, of which one remembers no tokens. Their last
// rule refuses, so what they accept is a token.
type memoryPair struct {
	on, off  *delegation.Delegator
	fetches  [2]int
	accepted int
	refused  map[delegation.Code]int
}

// newMemoryPair makes the Delegators. What they ask of issuers is answered by the transport; nil:
// nothing is.
func newMemoryPair(
	t *testing.T, config func() delegation.Config, transport http.RoundTripper,
) *memoryPair {
	t.Helper()
	p := &memoryPair{refused: map[delegation.Code]int{}}
	for i, memory := range []int{0, -1} {
		c := config()
		c.TokenMemory = memory
		c.Rules = append(slices.Clone(c.Rules), func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) error {
			return delegation.Deny("accepted so far") // and nothing has to be signed
		})
		if transport != nil {
			c.HTTPClient = &http.Client{Transport: transportFunc(
				func(r *http.Request) (*http.Response, error) {
					p.fetches[i]++
					return transport.RoundTrip(r)
				})}
		}
		c.OnEvent = func(ctx context.Context, e delegation.Event) {
			*ctx.Value(memoryEvent{}).(*delegation.Event) = e
		}
		d, err := delegation.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if memory == 0 {
			p.on = d
		} else {
			p.off = d
		}
	}
	return p
}

// memoryEvent is the key of the context under which OnEvent leaves the event.
type memoryEvent struct{}

// see exchanges the tokens in order with both, and fails unless errors and events are the same.
func (p *memoryPair) see(t *testing.T, tokens ...string) {
	t.Helper()
	for i, token := range tokens {
		got, err := seenBy(t, p.on, token)
		want, _ := seenBy(t, p.off, token)
		if got != want || p.fetches[0] != p.fetches[1] {
			t.Fatalf("token %d: %.2000s\nwith a memory, %d fetches: %s\nwithout, %d fetches: %s",
				i, token, p.fetches[0], got, p.fetches[1], want)
		}
		var refusal *delegation.Error
		if errors.As(err, &refusal) && refusal.Code != delegation.CodeDenied {
			p.refused[refusal.Code]++
			continue
		}
		p.accepted++
	}
}

// seenBy is all that callers and operators see of an exchange but what is new each time.
func seenBy(t *testing.T, d *delegation.Delegator, token string) (string, error) {
	var event delegation.Event
	_, err := d.Exchange(context.WithValue(t.Context(), memoryEvent{}, &event), token, app)
	event.Took = nil
	event.AssertionID = ""
	event.AccessKeyID = ""
	event.RequestID = ""
	return fmt.Sprintf("%s: %v, %+v", outcome(err), err, event), err
}

func (p *memoryPair) add(other *memoryPair) {
	p.accepted += other.accepted
	for code, n := range other.refused {
		p.refused[code] += n
	}
}

// report logs what the tokens came to, and wants so many that are accepted, and so many codes.
func (p *memoryPair) report(t *testing.T, accepted, codes int) {
	t.Helper()
	total := p.accepted
	for _, code := range slices.Sorted(maps.Keys(p.refused)) {
		t.Logf("%6d %s", p.refused[code], code)
		total += p.refused[code]
	}
	t.Logf("%6d accepted, %d exchanges with each", p.accepted, total)
	if p.accepted < accepted || len(p.refused) < codes {
		t.Errorf("%d accepted, %d codes", p.accepted, len(p.refused))
	}
}

// TestTokenMemory_Vectors: each vector comes out the same with a memory of tokens and without, also
// after a good token, and when it comes back.
func TestTokenMemory_Vectors(t *testing.T) {
	all := &memoryPair{refused: map[delegation.Code]int{}}
	for _, file := range must(filepath.Glob("testdata/vectors/*.json")) {
		var v vector
		if err := json.Unmarshal(must(os.ReadFile(file)), &v); err != nil {
			t.Fatal(err)
		}
		w := offline(t)
		kid := w.provider.KeyID()
		pair := newMemoryPair(t, func() delegation.Config { return w.config }, nil)
		bad, good := v.build(kid), (&vector{}).build(kid)
		pair.see(t, good, bad, bad, good, bad, good)
		w.clock.Advance(30 * time.Minute)
		pair.see(t, bad, good)
		w.clock.Advance(-2 * time.Hour)
		pair.see(t, good, bad)
		w.clock.Advance(24 * time.Hour)
		pair.see(t, bad, good)
		all.add(pair)
	}
	all.report(t, 800, 20)
}

// TestTokenMemory_Forgeries: whatever is changed in a good token that is remembered, of each
// algorithm, it comes out as without a memory.
func TestTokenMemory_Forgeries(t *testing.T) {
	all := &memoryPair{refused: map[delegation.Code]int{}}
	for i, s := range signers() {
		w := offline(t)
		w.config.Issuers = []delegation.Issuer{s.issuer}
		pair := newMemoryPair(t, func() delegation.Config { return w.config }, nil)
		header, body := s.header(), payload(map[string]any{"a": "b c"})
		good := s.sign(header, body)
		pair.see(t, good, good)
		signature := good[strings.LastIndexByte(good, '.'):]
		random := mathrand.New(mathrand.NewPCG(uint64(i), 15))
		for range sampling.Of(40) {
			h, p := altered(random, header), altered(random, body)
			pair.see(t, encoded([]byte(h))+"."+encoded([]byte(body))+signature,
				encoded([]byte(header))+"."+encoded([]byte(p))+signature,
				encoded([]byte(h))+"."+encoded([]byte(p))+signature,
				altered(random, good), s.sign(header, p), s.sign(header, p), good)
		}
		all.add(pair)
	}
	all.report(t, sampling.Of(440), 8)
}

// TestTokenMemory_IssuerCases: tokens and documents of real issuers come out the same with a memory
// of tokens and without, and are fetched as often; also a token that is changed after the good one
// was seen.
func TestTokenMemory_IssuerCases(t *testing.T) {
	all := &memoryPair{refused: map[delegation.Code]int{}}
	for _, file := range must(filepath.Glob("testdata/issuers/*.txt")) {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		text := must(os.ReadFile(file))
		if !publishedIssuer.Match(text) || !publishedDocument.Match(text) {
			continue
		}
		c := readPublishedCase(t, name)
		w := c.world(t)
		if _, err := delegation.New(t.Context(), w.config); err != nil {
			continue // refused by New
		}
		pair := newMemoryPair(t, func() delegation.Config { return w.config }, c)
		pair.see(t, c.token, c.token, c.forged(), c.token, c.forged(), c.token)
		w.clock.Advance(10 * time.Minute)
		pair.see(t, c.token, c.forged())
		clear(c.documents)
		w.clock.Advance(10 * time.Minute)
		pair.see(t, c.token, c.forged())
		all.add(pair)
	}
	all.report(t, 60, 6)
}

// TestTokenMemory_Matrix: rows of the token matrix come out the same with a memory of tokens and
// without, three times in turn.
func TestTokenMemory_Matrix(t *testing.T) {
	all := &memoryPair{refused: map[delegation.Code]int{}}
	for _, row := range fillRows(singleRows(), sampling.Of(800)) {
		token := row.describe()
		raw := token.build()
		if token.setup.client != "" {
			continue // an option of the exchange, which is checked later
		}
		config := token.config()
		if config.HTTPClient == nil {
			config.HTTPClient = noNetwork(t)
		}
		pair := newMemoryPair(t, token.config, config.HTTPClient.Transport)
		pair.see(t, raw, raw, raw)
		all.add(pair)
	}
	all.report(t, sampling.Of(500), 25)
}

// TestTokenMemory_Setting: Config.TokenMemory decides whether a token that was seen is decoded and
// its signature computed once more.
func TestTokenMemory_Setting(t *testing.T) {
	allocations := func(memory int) float64 {
		w := offline(t)
		w.config.TokenMemory = memory
		d := w.delegator(t)
		token := w.token(nil)
		return testing.AllocsPerRun(100, func() {
			if _, err := delegation.Verify(context.Background(), d, token); err != nil {
				t.Fatal(err)
			}
		})
	}
	on, off, tiny := allocations(0), allocations(-1), allocations(1)
	if on > off/2 || tiny < off {
		t.Errorf("%v allocations by default, %v with a memory of one byte, %v without",
			on, tiny, off)
	}
}

// TestTokenMemory_ChecksAfterIt: what comes after the token is checked for each exchange with a
// token that is remembered: one use, required claims, rules, and the target.
func TestTokenMemory_ChecksAfterIt(t *testing.T) {
	w := offline(t)
	w.config.Replay = delegation.ReplayMemory(10)
	d := w.delegator(t)
	token := w.token(nil)
	w.wantOutcome(t, d, token, accepted)
	w.wantOutcome(t, d, token, "token "+string(delegation.CodeTokenReplayed))

	w = offline(t)
	refuse := false
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, u *delegation.User, _ *delegation.RuleContext) error {
			if u.Properties["seen"] != nil {
				t.Error("a rule sees what another exchange's has changed")
			}
			u.Properties["seen"] = true
			if refuse {
				return delegation.Deny("refused")
			}
			return nil
		},
	}
	d = w.delegator(t)
	w.wantOutcome(t, d, token, accepted)
	w.wantOutcome(t, d, token, accepted)
	refuse = true
	w.wantOutcome(t, d, token, "rules "+string(delegation.CodeDenied))
	_, err := d.Exchange(t.Context(), token, "another target")
	if got := outcome(err); got != "target "+string(delegation.CodeDelegationDisabled) {
		t.Errorf("got %s", got)
	}

	// Another configuration of the issuer is another Delegator, and remembers nothing of this one.
	w.config.Issuers[0].RequiredClaims = map[string][]string{"sub": {"nobody"}}
	w.wantOutcome(t, w.delegator(t), token, "target "+string(delegation.CodeRequiredClaim))
	w.config.Issuers[0].RequiredClaims = nil
	w.config.Issuers[0].Algorithms = []string{"ES256"}
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeAlgorithmNotAllowed))
}
