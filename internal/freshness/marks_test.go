package freshness_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// markLog is a source of marks that others add to.
type markLog struct {
	mu    sync.Mutex
	marks []freshness.Mark
	err   error
	reads int
}

func (l *markLog) since(
	_ context.Context, position string,
) ([]freshness.Mark, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.err != nil {
		return nil, "", l.err
	}
	from, _ := strconv.Atoi(position)
	return l.marks[from:], strconv.Itoa(len(l.marks)), nil
}

// fail makes readings fail with an error; nil: they succeed.
func (l *markLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *markLog) add(mark freshness.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks = append(l.marks, mark)
}

func (l *markLog) readings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// handClock is a clock that a test moves.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func keyOf(name string) freshness.Key { return freshness.KeyOf([]string{name}) }

// TestMarks_OfOthersWithinFiveSeconds: whatever the time between two uses, a use that comes 5
// seconds after a mark of another process knows of it.
func TestMarks_OfOthersWithinFiveSeconds(t *testing.T) {
	for _, pause := range []time.Duration{
		0, time.Millisecond, 1999 * time.Millisecond, 2 * time.Second, 3 * time.Second,
		4999 * time.Millisecond, 5 * time.Second, time.Hour, -time.Second, -time.Hour,
	} {
		clock := newHandClock()
		log := &markLog{}
		marks := freshness.NewMarks(10, log.since)
		if err := marks.Freshen(t.Context(), clock.Now); err != nil {
			t.Fatal(err)
		}
		clock.advance(pause)
		if err := marks.Freshen(t.Context(), clock.Now); err != nil {
			t.Fatal(err)
		}
		made := clock.Now()
		until := made.Add(24 * time.Hour)
		log.add(freshness.Mark{Key: keyOf("a"), Before: made, Made: made, Until: until})
		clock.advance(5 * time.Second)
		if err := marks.Freshen(t.Context(), clock.Now); err != nil {
			t.Fatal(err)
		}
		before, _ := marks.Of(clock.Now(), keyOf("a"))
		if !before.Equal(made) || marks.Empty() {
			t.Errorf("after a pause of %s the mark is not known: %s", pause, before)
		}
	}
}

// TestMarks_ReadOnlyWhenUsed: uses in short order read once, and without a use nothing is read.
func TestMarks_ReadOnlyWhenUsed(t *testing.T) {
	clock := newHandClock()
	log := &markLog{}
	marks := freshness.NewMarks(10, log.since)
	for range 1000 {
		if err := marks.Freshen(t.Context(), clock.Now); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(time.Hour)
	if n := log.readings(); n != 1 {
		t.Errorf("%d readings, want 1", n)
	}
	if err := marks.Freshen(t.Context(), clock.Now); err != nil || log.readings() != 2 {
		t.Errorf("%d readings, want 2; %v", log.readings(), err)
	}
}

// TestMarks_SourceFails: what was read counts for 5 seconds, and then uses fail until the source
// answers.
func TestMarks_SourceFails(t *testing.T) {
	clock := newHandClock()
	log := &markLog{}
	marks := freshness.NewMarks(10, log.since)
	if err := marks.Freshen(t.Context(), clock.Now); err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	log.fail(down)
	clock.advance(4999 * time.Millisecond)
	if err := marks.Freshen(t.Context(), clock.Now); err != nil {
		t.Errorf("before 5 seconds: %v", err)
	}
	clock.advance(time.Millisecond)
	for range 3 {
		if err := marks.Freshen(t.Context(), clock.Now); !errors.Is(err, down) {
			t.Errorf("after 5 seconds: %v", err)
		}
	}
	log.fail(nil)
	for err := error(nil); ; { // a reading that failed may still be under way
		if err = marks.Freshen(t.Context(), clock.Now); err == nil {
			break
		}
		if !errors.Is(err, down) {
			t.Fatal(err)
		}
	}
	panicking := freshness.NewMarks(10, func(
		context.Context, string,
	) ([]freshness.Mark, string, error) {
		panic("of the store")
	})
	if err := panicking.Freshen(t.Context(), clock.Now); err == nil {
		t.Error("a store that panics counts as read")
	}
}

// TestMarks_CallerLeaves: a caller whose context ends does not wait for a store that hangs, and
// others get what it returns in the end.
func TestMarks_CallerLeaves(t *testing.T) {
	clock := newHandClock()
	answer := make(chan struct{})
	marks := freshness.NewMarks(10, func(
		context.Context, string,
	) ([]freshness.Mark, string, error) {
		<-answer
		return []freshness.Mark{{Key: keyOf("a"), Until: clock.Now().Add(time.Hour)}}, "", nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := marks.Freshen(ctx, clock.Now); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(answer)
	if err := marks.Freshen(t.Context(), clock.Now); err != nil || marks.Empty() {
		t.Errorf("the reading of the one who left is lost: %v", err)
	}
}

// TestMarks_Bounded: marks end at their time and not before, the latest of a key counts, and there
// is no room for more than the size.
func TestMarks_Bounded(t *testing.T) {
	clock := newHandClock()
	begin := clock.Now()
	marks := freshness.NewMarks(2, nil)
	mark := func(name string, seconds, life int) freshness.Mark {
		return freshness.Mark{
			Key:    keyOf(name),
			Before: begin.Add(time.Duration(seconds) * time.Second),
			Made:   begin.Add(time.Duration(seconds) * time.Second),
			Until:  begin.Add(time.Duration(life) * time.Second),
		}
	}
	if !marks.Empty() {
		t.Error("it is not empty at first")
	}
	for _, m := range []freshness.Mark{
		mark("a", 1, 10), mark("a", 3, 20), mark("a", 2, 5), mark("b", 1, 10),
	} {
		if err := marks.Add(begin, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := marks.Add(begin, mark("c", 1, 10)); err == nil {
		t.Error("there is room for a third key")
	}
	before, made := marks.Of(begin, keyOf("b"), keyOf("a"))
	if before.Sub(begin) != 3*time.Second || !made.Equal(before) {
		t.Errorf("the latest mark does not count: %s, %s", before, made)
	}
	clock.advance(10 * time.Second)
	if before, _ := marks.Of(clock.Now(), keyOf("b")); !before.IsZero() {
		t.Error("a mark counts after its end")
	}
	if err := marks.Add(clock.Now(), mark("c", 11, 30)); err != nil {
		t.Errorf("a mark that has ended takes room: %v", err)
	}
	clock.advance(10*time.Second - 1)
	if before, _ := marks.Of(clock.Now(), keyOf("a")); before.IsZero() {
		t.Error("a mark was forgotten before its end")
	}
	clock.advance(20 * time.Second)
	if err := marks.Add(clock.Now(), mark("d", 1, 2)); err != nil || !marks.Empty() {
		t.Errorf("marks that have ended are kept: %v", err)
	}
}

// TestMarks_OfOneKey: many marks of one key take the room of one, and it ends when the last does.
func TestMarks_OfOneKey(t *testing.T) {
	clock := newHandClock()
	marks := freshness.NewMarks(2, nil)
	for range 100 {
		now := clock.Now()
		mark := freshness.Mark{Key: keyOf("a"), Made: now, Until: now.Add(10 * time.Second)}
		if err := marks.Add(now, mark); err != nil {
			t.Fatal(err)
		}
		if keys, waiting := marks.Sizes(); keys != 1 || waiting != 1 {
			t.Fatalf("%d keys, %d wait for their end", keys, waiting)
		}
		clock.advance(time.Second)
	}
	clock.advance(9*time.Second - 1)
	if err := marks.Add(clock.Now()); err != nil || marks.Empty() {
		t.Errorf("it was forgotten before its end: %v", err)
	}
	clock.advance(1)
	if err := marks.Add(clock.Now()); err != nil || !marks.Empty() {
		t.Errorf("it is kept after its end: %v", err)
	}
}

// TestReplayMemory_Used: to ask notes nothing.
func TestReplayMemory_Used(t *testing.T) {
	now := newHandClock().Now()
	memory := freshness.NewReplayMemory(1)
	for range 2 {
		if memory.Used("a", now) {
			t.Error("used before it was used")
		}
	}
	first, err := memory.FirstUse(t.Context(), "a", now, now.Add(time.Hour))
	if !first || err != nil {
		t.Fatal(first, err)
	}
	if !memory.Used("a", now) || memory.Used("b", now) || memory.Used("a", now.Add(time.Hour)) {
		t.Error("used, and not until its end")
	}
}
