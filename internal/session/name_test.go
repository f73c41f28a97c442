package session_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/session"
)

func TestSafeName(t *testing.T) {
	for name, want := range map[string]string{
		"alice@example.com":     "alice@example.com",
		"ab":                    "ab",
		strings.Repeat("a", 64): strings.Repeat("a", 64),
		"a":                     "a-ca978112ca1bbdcafac231b3",
		"auth0|alice":           "auth0_alice-4a761a4752f6b74491860f50",
		strings.Repeat("a", 65): strings.Repeat("a", 39) + "-635361c48bb9eab14198e76e",
	} {
		got := session.SafeName(name)
		if !session.ValidName(got) {
			t.Errorf("%q gives %q, which AWS does not take", name, got)
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"", "Zoë 🦊", "\xff", "x-0123456789abcdef01234567"} {
		// the last could be chosen to look like another's
		if got := session.SafeName(name); got == name || !session.ValidName(got) || len(got) < 25 {
			t.Errorf("%q gives %q, want a name with a hash", name, got)
		}
	}
}

// FuzzSafeName: two different names never share a session name.
func FuzzSafeName(f *testing.F) {
	f.Add("alice", "bob")
	f.Add("auth0|alice", "auth0_alice-4a761a4752f6b74491860f50")
	f.Add("a b", "a\tb")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := session.SafeName(a), session.SafeName(b)
		if !session.ValidName(x) || !session.ValidName(y) || (a != b) != (x != y) {
			t.Errorf("%q gives %q, %q gives %q", a, x, b, y)
		}
		if z := session.SafeName(x); x != a && z == x {
			t.Errorf("the name made of %q can be chosen: %q", a, x)
		}
	})
}
