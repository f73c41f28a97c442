package timsort_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed055b7978/delegation/jsrules/internal/timsort"
)

type element struct{ key, at int }

// TestSort: a list is sorted, and equal elements keep their order, for lists with and without runs.
func TestSort(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for length := range 400 {
		for _, keys := range []int{1, 2, 10, 1000} {
			list := make([]element, length)
			for i := range list {
				list[i] = element{random.IntN(keys), i}
				if random.IntN(3) > 0 && i > 0 {
					list[i].key = list[i-1].key + random.IntN(3) - 1
				}
			}
			want := slices.Clone(list)
			slices.SortStableFunc(want, func(a, b element) int { return a.key - b.key })
			timsort.Sort(list, func(a, b element) float64 { return float64(a.key - b.key) })
			if !slices.Equal(list, want) {
				t.Fatalf("%d elements with %d keys: got %v", length, keys, list)
			}
		}
	}
}

// TestSort_Inconsistent: a comparison that contradicts itself ends, and no element is lost.
func TestSort_Inconsistent(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for length := range 400 {
		list := random.Perm(length)
		timsort.Sort(list, func(_, _ int) float64 { return float64(random.IntN(3) - 1) })
		slices.Sort(list)
		for i, element := range list {
			if i != element {
				t.Fatalf("%d elements: %d is lost", length, i)
			}
		}
	}
}
