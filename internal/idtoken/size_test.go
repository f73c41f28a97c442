package idtoken_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
)

// TestVerify_TooLarge_IsNotHashed: a token above the limit is refused by its length. Digest copies
// a long text, so hashing it first would take as much memory as the sender likes.
func TestVerify_TooLarge_IsNotHashed(t *testing.T) {
	v := verifier(func(string, error) {})
	raw := strings.Repeat("A", 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := v.Verify(context.Background(), raw)
	runtime.ReadMemStats(&after)
	if code := codeOf(err); code != "token_too_large" {
		t.Errorf("code %s", code)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken >= uint64(len(raw)) {
		t.Errorf("it took %d bytes", taken)
	}
}

// An error counts the parts of a token.
func TestParts(t *testing.T) {
	w := newMemoWorld(0)
	for token, want := range map[string]string{
		"opaque":  "1 part instead of 3",
		"a.b":     "2 parts instead of 3",
		"a.b.c.d": "4 parts instead of 3",
	} {
		if got := w.outcome(t.Context(), token); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", token, got, want)
		}
	}
}
