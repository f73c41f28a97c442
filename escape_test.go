package delegation_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// escaped are the golden vectors of both escapes: what they gave once they give for ever, because
// policies and folders have been named so. docs/tags-and-abac.md shows some of them.
var escaped = []struct{ value, tag, identity string }{
	{"", "", ""},
	{"a", "a", "_61"},
	{"é", "_c3_a9", "_c3_a9"},
	{"alice", "alice", "alice"},
	{"Alice", "Alice", "Alice"},
	{"alice@example.com", "alice@example.com", "alice@example.com"},
	{"o'neil+aws@example.com", "o_27neil+aws@example.com", "o_27neil+aws@example.com"},
	{"auth0|5f7c8ec7c33c6c004bbafe82", "auth0_7c5f7c8ec7c33c6c004bbafe82",
		"auth0_7c5f7c8ec7c33c6c004bbafe82"},
	{"repo:octo/app:ref:refs/heads/main", "repo_3aocto_2fapp_3aref_3arefs_2fheads_2fmain",
		"repo_3aocto_2fapp_3aref_3arefs_2fheads_2fmain"},
	{"spiffe://td/ns/a", "spiffe_3a_2f_2ftd_2fns_2fa", "spiffe_3a_2f_2ftd_2fns_2fa"},
	{"a_b", "a_5fb", "a_5fb"},
	{"a_5fb", "a_5f5fb", "a_5f5fb"},
	{".", "_2e", "_2e"},
	{"..", "_2e_2e", "_2e_2e"},
	{".a.b.", "_2ea.b_2e", "_2ea.b_2e"},
	{"Jürgen Groß", "J_c3_bcrgen_20Gro_c3_9f", "J_c3_bcrgen_20Gro_c3_9f"},
	{"${saml:sub}*?", "_24_7bsaml_3asub_7d_2a_3f", "_24_7bsaml_3asub_7d_2a_3f"},
	{"a,b", "a_2cb", "a_2cb"},
	{"\x00\n\x7f\xff", "_00_0a_7f_ff", "_00_0a_7f_ff"},
	{strings.Repeat("x", 64), strings.Repeat("x", 64), strings.Repeat("x", 64)},
	{strings.Repeat("x", 65), strings.Repeat("x", 65),
		strings.Repeat("x", 30) + "_x9537c5fdf120482f7d58d25e9ed583f5"},
	// A byte that was escaped is cut as a whole.
	{strings.Repeat("x", 29) + "/" + strings.Repeat("y", 40),
		strings.Repeat("x", 29) + "_2f" + strings.Repeat("y", 40),
		strings.Repeat("x", 29) + "_x5224ad0b0dec415fb5e566b52d213c83"},
	{strings.Repeat("x", 28) + "/" + strings.Repeat("y", 40),
		strings.Repeat("x", 28) + "_2f" + strings.Repeat("y", 40),
		strings.Repeat("x", 28) + "_x14fcf4b1b725b140635c172a395c943f"},
	{strings.Repeat("x", 27) + "/" + strings.Repeat("y", 40),
		strings.Repeat("x", 27) + "_2f" + strings.Repeat("y", 40),
		strings.Repeat("x", 27) + "_2f_x26ed69abead52d11d2acf6ee2cdc09d3"},
	{strings.Repeat("é", 43), strings.Repeat("_c3_a9", 37) + "_xd034107ed46657dc87b9e260e78d1d5c",
		strings.Repeat("_c3_a9", 5) + "_xd034107ed46657dc87b9e260e78d1d5c"},
}

// TestEscape_Golden: the results of an algorithm that never changes.
func TestEscape_Golden(t *testing.T) {
	for _, row := range escaped {
		if got := delegation.EscapeTag(row.value); got != row.tag {
			t.Errorf("EscapeTag(%q) is %q, want %q", row.value, got, row.tag)
		}
		if got := delegation.EscapeSourceIdentity(row.value); got != row.identity {
			t.Errorf("EscapeSourceIdentity(%q) is %q, want %q", row.value, got, row.identity)
		}
	}
}

// TestEscape_Documented: the vectors of docs/tags-and-abac.md are those of the code.
func TestEscape_Documented(t *testing.T) {
	page := string(must(os.ReadFile("docs/tags-and-abac.md")))
	for _, row := range escaped {
		switch row.value {
		case "alice@example.com", "auth0|5f7c8ec7c33c6c004bbafe82", "a_b", "spiffe://td/ns/a":
			value := strings.ReplaceAll(row.value, "|", `\|`)
			line := fmt.Sprintf("| `%s` | `%s` |", value, row.tag)
			if !strings.Contains(page, line) {
				t.Errorf("docs/tags-and-abac.md lacks %s", line)
			}
		}
	}
}

// TestEscape_EveryByte: what comes out of each byte is taken by AWS, and is another one for each.
func TestEscape_EveryByte(t *testing.T) {
	seen := map[string]byte{}
	for c := range 256 {
		value := "a" + string([]byte{byte(c)}) + "a"
		got := delegation.EscapeTag(value)
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q are both %q", c, other, got)
		}
		seen[got] = byte(c)
		if delegation.EscapeSourceIdentity(value) != got {
			t.Errorf("%q is another source identity", value)
		}
		if strings.ContainsAny(got, "/*?${}|, ") || strings.Trim(got, "_0123456789abcdefghij"+
			"klmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-.=@") != "" {
			t.Errorf("%q is %q", value, got)
		}
	}
}

// FuzzEscape: an escaped text can be read back, so no two texts have one. One that was cut ends
// with the hash of the whole text, and is none that was not cut.
func FuzzEscape(f *testing.F) {
	for _, row := range escaped {
		f.Add(row.value)
	}
	f.Add("_x")
	f.Add("a_x0123456789abcdef0123456789abcdef")
	f.Fuzz(func(t *testing.T, value string) {
		for limit, got := range map[int]string{
			256: delegation.EscapeTag(value), 64: delegation.EscapeSourceIdentity(value),
		} {
			if len(got) > limit || value != "" && limit == 64 && len(got) < 2 {
				t.Fatalf("%q has %d bytes", got, len(got))
			}
			if _, hash, cut := strings.Cut(got, "_x"); cut {
				sum := sha256.Sum256([]byte(value))
				if hash != hex.EncodeToString(sum[:16]) || len(got) < limit-36 {
					t.Fatalf("%q was cut to %q", value, got)
				}
				continue
			}
			if back := unescaped(got); back != value {
				t.Fatalf("%q became %q, and that %q", value, got, back)
			}
		}
	})
}

// TestSafeSessionName: it is what becomes of AWS.SessionName.
func TestSafeSessionName(t *testing.T) {
	for _, name := range []string{"alice@example.com", "auth0|alice", "a", "",
		strings.Repeat("x", 65), "alice-0123456789abcdef01234567"} {
		got := delegation.SafeSessionName(name)
		if name == "alice@example.com" && got != name {
			t.Errorf("%q became %q", name, got)
		}
		again := delegation.SafeSessionName(name)
		if again != got || len(got) < 2 || len(got) > 64 {
			t.Errorf("%q became %q and %q", name, got, again)
		}
		if name == "" {
			continue // then the user's own name counts
		}
		w := newWorld(t)
		w.retarget(func(a *delegation.AWS) { a.SessionName = name })
		if _, err := w.exchange(t, nil); err != nil {
			t.Fatal(err)
		}
		if sent := w.lastEvent().SessionName; sent != got {
			t.Errorf("%q became %q, and the session is %q", name, got, sent)
		}
	}
}
