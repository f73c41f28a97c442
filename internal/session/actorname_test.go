package session_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/session"
)

func TestNameOfTwo(t *testing.T) {
	long := strings.Repeat("a", 62)
	for _, c := range []struct {
		user, actor, want string
		exact             bool
	}{
		{"alice@example.com", "photo-agent", "alice@example.com,by=photo-agent", true},
		{"a", "b", "a,by=b", true},
		{"alice@example.com", "system:serviceaccount:agents:bot",
			"alice@example.com,by=system_serviceacco-", false},
		{long, "bot", strings.Repeat("a", 32) + ",by=bot-", false},
		{"al", long, "al,by=" + strings.Repeat("a", 33) + "-", false},
		{long, long, strings.Repeat("a", 18) + ",by=" + strings.Repeat("a", 17) + "-", false},
		{"alice,by=x", "bot", "alice_by_x,by=bot-", false},
		{"alice", "x,by=bot", "alice,by=x_by_bot-", false},
		{"", "bot", ",by=bot-", false},
		{"alice", "", "alice,by=-", false},
	} {
		got, exact := session.NameOfTwo(c.user, c.actor)
		if !session.ValidName(got) || exact != c.exact {
			t.Errorf("%q by %q is %q, exact %t", c.user, c.actor, got, exact)
		}
		if exact && got != c.want || !exact && (!strings.HasPrefix(got, c.want) ||
			len(got) != len(c.want)+24) {
			t.Errorf("%q by %q is %q, want %q", c.user, c.actor, got, c.want)
		}
	}
}

func TestNameOfOne(t *testing.T) {
	for name, want := range map[string]string{
		"alice@example.com": "alice@example.com",
		"alice,by=bot":      "alice_by_bot-",
	} {
		got := session.NameOfOne(name)
		if !strings.HasPrefix(got, want) || !session.ValidName(got) || session.ShowsTwo(got) ||
			session.ShowsTwo(name) == (got == name) {
			t.Errorf("%q is %q", name, got)
		}
	}
}

func TestValidPart(t *testing.T) {
	for text, want := range map[string]bool{
		"photo-agent": true, "ab": true, strings.Repeat("a", 32): true,
		"": false, "a": false, strings.Repeat("a", 33): false, "a,b": false, "a b": false,
	} {
		if session.ValidPart(text) != want {
			t.Errorf("%q: not %t", text, want)
		}
	}
}

// FuzzNameOfTwo: two pairs never share a name, and no user alone has the name of a pair.
func FuzzNameOfTwo(f *testing.F) {
	f.Add("alice", "bot", "alice,by=bot", "x")
	f.Add("a,by=b", "c", "a", "b,by=c")
	f.Add("alice", "bot-0123456789abcdef01234567", "alice", "bot")
	f.Add("", "", "a b", "a\tb")
	f.Fuzz(func(t *testing.T, user, actor, user2, actor2 string) {
		one, _ := session.NameOfTwo(user, actor)
		other, _ := session.NameOfTwo(user2, actor2)
		if !session.ValidName(one) || !strings.Contains(one, ",by=") {
			t.Errorf("%q by %q gives %q", user, actor, one)
		}
		if (user == user2 && actor == actor2) != (one == other) {
			t.Errorf("%q by %q and %q by %q: %q and %q", user, actor, user2, actor2, one, other)
		}
		for _, name := range []string{user, user2, one} {
			alone := session.NameOfOne(name)
			if !session.ValidName(alone) || strings.Contains(alone, ",by=") {
				t.Errorf("%q alone gives %q", name, alone)
			}
		}
	})
}
