package idtoken_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// A text is a look-alike of a name if strings.EqualFold says so and it is not the name: with each
// rune that folds into another in place of each letter, and each of the Latin scripts, in names
// with and without capitals, and in names that an operator may choose.
func TestLookalikes(t *testing.T) {
	all := []string{"sub", "x5t#S256", "kid", "TenantID", "client_id", "ſtraße", "ΣΊΣΥΦΟΣ"}
	check := func(text string) (found bool) {
		want := ""
		for _, name := range all {
			if name != text && strings.EqualFold(text, name) {
				want = name
			}
		}
		got, found := idtoken.Lookalike(text, all...)
		if found != (want != "") || found && got != want {
			t.Errorf("%q: got %q, %t, want %q", text, got, found, want)
		}
		return found
	}
	var runes []rune
	for r := range unicode.MaxRune + 1 {
		if r < 0x250 || unicode.SimpleFold(r) != r {
			runes = append(runes, r)
		}
	}
	found := 0
	for _, name := range all {
		letters := []rune(name)
		for i, letter := range letters {
			for _, r := range runes {
				letters[i] = r
				if check(string(letters)) {
					found++
				}
			}
			letters[i] = letter
		}
	}
	t.Logf("%d look-alikes, by %d runes", found, len(runes))
	if found < 40 {
		t.Errorf("only %d look-alikes", found)
	}
}

// Of several look-alikes the error always has the same one, whatever their order in the token.
func TestLookalikes_FirstByName(t *testing.T) {
	v := verifier(func(string, error) {})
	for _, header := range []string{
		`{"alg":"RS256","TYP":"a","Kid":"b","CTY":"c","ſ":"d","Enc":"e"}`,
		`{"Enc":"e","ſ":"d","CTY":"c","Kid":"b","TYP":"a","alg":"RS256"}`,
	} {
		for range 20 {
			_, err := v.Verify(t.Context(), encode([]byte(header))+".e30.AAAA")
			if err == nil || !strings.Contains(err.Error(), `"CTY"`) {
				t.Fatalf("got %v", err)
			}
		}
	}
}
