package freshness_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestRecent(t *testing.T) {
	var r freshness.Recent[int]
	if got := r.All(noon); len(got) != 0 {
		t.Errorf("of nothing: %d", got)
	}
	r.Note("b", 1, noon)
	r.Note("a", 2, noon.Add(time.Minute))
	r.Note("b", 3, noon.Add(2*time.Minute)) // the newest counts
	for after, want := range map[time.Duration][]int{
		2 * time.Minute:    {2, 3},
		61*time.Minute - 1: {2, 3},
	} {
		if got := r.All(noon.Add(after)); !slices.Equal(got, want) {
			t.Errorf("after %s: got %d, want %d", after, got, want)
		}
	}
	if got := r.All(noon.Add(61 * time.Minute)); !slices.Equal(got, []int{3}) {
		t.Errorf("an hour after a was noted: %d", got)
	}
	if got := r.All(noon.Add(62 * time.Minute)); len(got) != 0 {
		t.Errorf("an hour after b was noted: %d", got)
	}
}

// TestRecent_Bounded: of too many the one that was noted longest ago goes.
func TestRecent_Bounded(t *testing.T) {
	var r freshness.Recent[int]
	for i := range 100 {
		r.Note(fmt.Sprintf("%03d", i), i, noon.Add(time.Duration(i)*time.Second))
	}
	r.Note("000", 0, noon.Add(101*time.Second))
	r.Note("100", 100, noon.Add(102*time.Second)) // for 001
	got := r.All(noon.Add(102 * time.Second))
	if len(got) != 100 || got[0] != 0 || got[1] != 2 || got[99] != 100 {
		t.Errorf("got %d", got)
	}
}

func TestRecent_Concurrent(t *testing.T) {
	var r freshness.Recent[int]
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				r.Note(fmt.Sprint(i*200+j), j, noon)
				r.All(noon)
			}
		})
	}
	all.Wait()
	if got := r.All(noon); len(got) != 100 {
		t.Errorf("%d are remembered", len(got))
	}
}
