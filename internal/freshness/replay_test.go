package freshness_test

import (
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// TestReplayMemory_WithSize: memories of several sizes share what was used, and one that is too
// small refuses instead of forgetting.
func TestReplayMemory_WithSize(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	use := func(m *freshness.ReplayMemory, key string) (first, full bool) {
		first, err := m.FirstUse(t.Context(), key, now, now.Add(time.Hour))
		return first, err != nil
	}
	small := freshness.NewReplayMemory(2)
	large := small.WithSize(3)
	for i, row := range []struct {
		memory      *freshness.ReplayMemory
		key         string
		first, full bool
	}{
		{small, "a", true, false},
		{large, "a", false, false},
		{large, "b", true, false},
		{small, "b", false, false},
		{small, "c", false, true},
		{large, "c", true, false},
		{large, "d", false, true},
		{large.WithSize(1), "a", false, false},
		{large.WithSize(1), "d", false, true},
	} {
		first, full := use(row.memory, row.key)
		if first != row.first || full != row.full {
			t.Errorf("%d: %s: first %t, full %t", i, row.key, first, full)
		}
	}
	now = now.Add(time.Hour)
	if first, full := use(large.WithSize(1), "d"); !first || full {
		t.Error("what has ended takes room")
	}
}
