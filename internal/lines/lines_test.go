package lines

import (
	"errors"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	type step struct {
		Name    string
		Changed []string
		Inner   struct{ Text string }
		Err     error
	}
	type whole struct {
		Subject, Empty string
		Steps          []step
		Map            map[string][]string
		Took           time.Duration
		At             time.Time
		List           []string
		Flag           bool
		hidden         string
	}
	got := Of(whole{
		Subject: "a\x1b[31m\n\"b", Took: 90 * time.Minute, At: time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("", 3600)), List: []string{"x", "y\r"}, Flag: true, hidden: "h",
		Steps: []step{{Name: "one", Changed: []string{"Role", "Tags"}, Inner: struct{ Text string }{"no"}}, {Name: "two", Err: errors.New("denied: \x00")}},
		Map:   map[string][]string{"b": {"2"}, "a": {"1", "\u202e"}},
	})
	const want = `Subject: "a\x1b[31m\n\"b"
Steps 1: Name: "one", Changed: ["Role" "Tags"]
Steps 2: Name: "two", Err: "denied: \x00"
Map: map["a":["1" "\u202e"] "b":["2"]]
Took: 1h30m0s
At: 2026-11-23T09:00:00Z
List: ["x" "y\r"]
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if got := Of(whole{}); got != "" {
		t.Errorf("nothing gives %q", got)
	}
}
