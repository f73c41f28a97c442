package session_test

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/session"
)

// AWS's forms as regular expressions, which the loops of the package must agree with.
var (
	namePattern   = regexp.MustCompile(`\A[a-zA-Z_0-9+=,.@-]{2,64}\z`)
	hashPattern   = regexp.MustCompile(`-[0-9a-f]{24}\z`)
	oddPattern    = regexp.MustCompile(`[^a-zA-Z_0-9+=,.@-]+`)
	tagPattern    = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z`)
	policyPattern = regexp.MustCompile(`\A[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+\z`)
)

// isTag is the oracle of CheckTag.
func isTag(key, value string) bool {
	n := utf8.RuneCountInString(key)
	ofAWS := strings.HasPrefix(strings.ToLower(key), "aws:")
	return n >= 1 && n <= 128 && !ofAWS && tagPattern.MatchString(key) &&
		utf8.RuneCountInString(value) <= 256 && tagPattern.MatchString(value)
}

// checkName compares what is said of a name with the patterns.
func checkName(t *testing.T, name string) {
	t.Helper()
	valid := namePattern.MatchString(name)
	if session.ValidName(name) != valid {
		t.Errorf("%q is valid: %t", name, !valid)
	}
	safe := session.SafeName(name)
	if as := valid && !hashPattern.MatchString(name); (safe == name) != as {
		t.Errorf("%q gives %q", name, safe)
	}
	if safe == name {
		return
	}
	clean := oddPattern.ReplaceAllString(name, "_")
	if want := clean[:min(len(clean), 39)]; safe[:len(safe)-25] != want {
		t.Errorf("%q gives %q, which does not begin with %q", name, safe, want)
	}
}

// checkText compares what is said of a text as a tag's key, as its value and as a policy.
func checkText(t *testing.T, text string) {
	t.Helper()
	if err := session.CheckTag(text, ""); (err == nil) != isTag(text, "") {
		t.Errorf("key %q: %v", text, err)
	}
	if err := session.CheckTag("key", text); (err == nil) != isTag("key", text) {
		t.Errorf("value %q: %v", text, err)
	}
	if strings.ContainsAny(text, `"\`) || strings.ContainsFunc(text, isControl) ||
		!utf8.ValidString(text) || utf8.RuneCountInString(text) > 2000 {
		return // it would change the JSON, or be too long
	}
	policy := `{"Version":"` + text + `"}`
	err := session.CheckPolicies(policy, nil, arn.ARN{})
	if want := policyPattern.MatchString(policy); (err == nil) != want {
		t.Errorf("policy %q: %v", policy, err)
	}
}

func isControl(r rune) bool { return r < ' ' }

// texts are characters of each kind that the forms tell apart, and a few that are like others.
var texts = []string{
	"a", "z", "A", "Z", "k", "K", "s", "0", "9", "_", "+", "=", ",", ".", "@", "-", ":", "/", " ",
	"!", "~", "\t", "\n", "\x00", "\x7f", "\u0080", "\u00a0", "\u00aa", "\u00b2", "é", "ÿ", "Ā", "ſ",
	"\u212a", "Å", "\u212b", "İ", "ı", "σ", "ς", "Σ", "\u0660", "\u2028", "\u2003", "Ⅷ", "日", "🦊",
	"\ufffd", "\xff", "\xc3", "aws:", "AWS:", "-0123456789abcdef01234567",
}

func randomText(random *rand.Rand, most int) string {
	var text strings.Builder
	for range random.IntN(most) {
		i := random.IntN(len(texts))
		if random.IntN(3) > 0 {
			i = random.IntN(19) // those that are fine in most places
		}
		text.WriteString(texts[i])
	}
	return text.String()
}

// TestForms_AsThePatterns compares names, tags and policies with regular expressions, for every
// character of Unicode and for 20,000 texts.
func TestForms_AsThePatterns(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if r < 0x3000 || r%17 == 0 {
			checkText(t, string(r))
			checkName(t, "name"+string(r))
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		text := randomText(random, 12)
		checkName(t, text)
		checkText(t, text)
		checkText(t, strings.Repeat(text, 1+random.IntN(40)))
		checkName(t, strings.Repeat(text, 1+random.IntN(8)))
	}
	for _, n := range []int{1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257} {
		checkText(t, strings.Repeat("a", n))
		checkText(t, strings.Repeat("é", n))
		checkName(t, strings.Repeat("a", n))
	}
}

func FuzzForms(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkText(t, text)
		checkName(t, text)
	})
}

// alike is the oracle of keys that AWS takes for one: each is compared with each.
func alike(keys []string) bool {
	for i, key := range keys {
		for _, other := range keys[:i] {
			if strings.EqualFold(key, other) {
				return true
			}
		}
	}
	return false
}

// TestCheckTags_KeysThatAreAlike: two keys that differ only by case are found wherever they are, by
// the rules of Unicode.
func TestCheckTags_KeysThatAreAlike(t *testing.T) {
	letters := []string{
		"a", "A", "k", "K", "\u212a", "s", "S", "ſ", "å", "Å", "\u212b", "σ", "ς", "Σ", "i", "I", "İ",
		"ı", "é", "É", "x", "1",
	}
	random := rand.New(rand.NewPCG(5, 5))
	refused := 0
	const all = 20_000
	for range all {
		tags := map[string]string{}
		for range 1 + random.IntN(6) {
			var key strings.Builder
			for range 1 + random.IntN(2) {
				key.WriteString(letters[random.IntN(len(letters))])
			}
			tags[key.String()] = ""
		}
		keys := slices.Sorted(maps.Keys(tags))
		err := session.CheckTags(keys, tags, nil, nil)
		if (err != nil) != alike(keys) {
			t.Errorf("%q: %v", keys, err)
		}
		if err != nil {
			refused++
		}
	}
	if refused < all/20 || refused > all*19/20 {
		t.Errorf("%d of %d are refused", refused, all)
	}
}

// TestCheckTags_OtherKeys: transitive and droppable keys are those of tags, to the letter, and
// there are 50 tags at most.
func TestCheckTags_OtherKeys(t *testing.T) {
	tags := map[string]string{}
	for i := range session.MaxTags {
		tags[strings.Repeat("k", i+1)] = "v"
	}
	keys := slices.Sorted(maps.Keys(tags))
	for _, row := range []struct {
		transitive, droppable []string
		good                  bool
	}{
		{nil, nil, true},
		{[]string{"k"}, []string{"kk", "k"}, true},
		{[]string{"K"}, nil, false},
		{nil, []string{"k", "x"}, false},
		{[]string{""}, nil, false},
	} {
		err := session.CheckTags(keys, tags, row.transitive, row.droppable)
		if (err == nil) != row.good {
			t.Errorf("%q, %q: %v", row.transitive, row.droppable, err)
		}
	}
	tags["one"] = "more"
	if session.CheckTags(slices.Sorted(maps.Keys(tags)), tags, nil, nil) == nil {
		t.Error("51 tags")
	}
}
