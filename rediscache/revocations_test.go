package rediscache_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
)

// TestRevocations_Wire: the stream is trimmed by time and ends after its marks, so nothing stays in
// Redis for ever, and nothing goes before its time.
func TestRevocations_Wire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now() // of the bubble: 2000-01-01
		w := &wire{answer: "+OK\r\n"}
		c := w.cache(t)
		err := c.AddRevocations(t.Context(), []delegation.RevocationMark{
			{Key: owner, Before: now, Made: now, Until: now.Add(24 * time.Hour)},
			{Key: other, Made: now, Until: now.Add(12 * time.Hour)},
		})
		if err != nil || len(w.commands) != 2 {
			t.Fatalf("%v; it asked %q", err, w.commands)
		}
		const millis = "946684800000" // 2000-01-01 in milliseconds
		want := []string{
			"xadd delegation:ended minid ~ 946594800000 * " + // 25 hours before
				"0 " + owner + " " + millis + " " + millis + "000000 946771200000 " +
				"1 " + other + " 0 " + millis + "000000 946728000000",
			"pexpire delegation:ended 90000000",
		}
		var got []string
		for _, command := range w.commands {
			got = append(got, strings.ToLower(strings.Join(command, " ")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("it asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := c.AddRevocations(t.Context(), nil); err != nil || len(w.commands) != 2 {
			t.Errorf("no mark: %v; it asked %q", err, w.commands)
		}
	})
}

// TestRevocationsSince_NoMark: what a stranger has written may stand for a mark. It is an error,
// and its text is in none.
func TestRevocationsSince_NoMark(t *testing.T) {
	for _, text := range []string{
		"", "canary", owner, owner + " 1 2", owner + " 1 2 x", owner + " 1 2 99999999999999999999",
		strings.Repeat("9", 1000),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: entries([2]string{"1-0", text})}
			marks, next, err := w.cache(t).RevocationsSince(t.Context(), "")
			if err == nil || marks != nil || next != "" || strings.Contains(err.Error(), "canary") {
				t.Errorf("%.80q: %v, %q, %v", text, marks, next, err)
			}
		})
	}
}

// TestRevocationsSince_LostPosition: if the entry that was read last is gone, all are read anew,
// and a stream that changes all the time is an error.
func TestRevocationsSince_LostPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mark := owner + " 0 5000000 99000"
		w := &wire{answer: entries([2]string{"7-0", mark})}
		c := w.cache(t)
		for position, commands := range map[string]int{"": 1, "7-0": 1, "5-0": 2, "9-0": 2} {
			w.commands = nil
			marks, next, err := c.RevocationsSince(t.Context(), position)
			found := position == "7-0"
			if err != nil || next != "7-0" || (len(marks) == 0) != found ||
				len(w.commands) != commands {
				t.Errorf("%q: %v, %q, %v; it asked %q", position, marks, next, err, w.commands)
			}
			if !found && (!marks[0].Before.IsZero() || marks[0].Key != owner ||
				!marks[0].Until.Equal(time.UnixMilli(99000)) ||
				!marks[0].Made.Equal(time.Unix(0, 5000000))) {
				t.Errorf("%q: %+v", position, marks[0])
			}
		}
		full := make([][2]string, 1000)
		for i := range full {
			full[i] = [2]string{"7-" + strings.Repeat("1", i+1), mark}
		}
		w.answer = entries(full...) // whatever it is asked for
		if marks, _, err := c.RevocationsSince(t.Context(), ""); err == nil {
			t.Errorf("a stream that never is the same: %d marks", len(marks))
		}
		w.answer = "*0\r\n"
		if marks, next, err := c.RevocationsSince(t.Context(), "7-0"); err != nil || next != "" {
			t.Errorf("an empty stream: %v, %q, %v", marks, next, err)
		}
	})
}

// entries is a stream as RESP has it: IDs, each with one mark.
func entries(list ...[2]string) string {
	var text strings.Builder
	bulk := func(s string) { text.WriteString("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n") }
	text.WriteString("*" + strconv.Itoa(len(list)) + "\r\n")
	for _, entry := range list {
		text.WriteString("*2\r\n")
		bulk(entry[0])
		text.WriteString("*2\r\n")
		bulk("0")
		bulk(entry[1])
	}
	return text.String()
}
