package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/session"
)

func TestDropTags(t *testing.T) {
	// 400 bytes
	tags := map[string]string{"a": strings.Repeat("x", 99), "b": strings.Repeat("x", 99),
		"c": strings.Repeat("x", 99), "keep": strings.Repeat("x", 96)}
	says := func(percent int) string {
		return fmt.Sprintf("host: api error PackedPolicyTooLarge: "+
			"Packed size of session tags consumes %d%% of allotted space.", percent)
	}
	ranked := []string{"b", "a", "c"}
	for name, row := range map[string]struct {
		message string
		ranked  []string
		rest    int
		want    int // how many
	}{
		"just too large":              {says(101), ranked, 0, 1}, // 356 bytes are allowed
		"exactly one":                 {says(120), ranked, 0, 1}, // 300
		"one byte more than one":      {says(121), ranked, 0, 2}, // 297
		"twice too large":             {says(200), ranked, 0, 3}, // 180
		"more than there is":          {says(1000), ranked, 0, 3},
		"policies take room too":      {says(120), ranked, 400, 2}, // 600 of 800
		"six digits":                  {says(999_999), ranked, 0, 3},
		"seven digits are no number":  {says(1_000_000), ranked, 0, 3},
		"a percentage that fits":      {says(99), ranked, 0, 3}, // and was refused all the same
		"no percentage":               {"Serialized token too large for session", ranked, 0, 3},
		"no message":                  {"", ranked, 0, 3},
		"nothing may go":              {says(138), nil, 0, 0},
		"a key twice counts once":     {says(121), []string{"b", "b", "a", "c"}, 0, 3},
		"a large rest does not crash": {says(138), ranked, 1 << 40, 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := session.DropTags(row.message, tags, row.ranked, row.rest); !slices.Equal(got,
				row.ranked[:row.want]) {
				t.Errorf("got %v, want the first %d of %v", got, row.want, row.ranked)
			}
		})
	}
}
