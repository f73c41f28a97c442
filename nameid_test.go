package delegation_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// nameIDVector is a NameID with what each encoding makes of it, for ever.
type nameIDVector struct {
	NameID  string `json:"name_id"`
	Hashed  string `json:"hashed"`
	Escaped string `json:"escaped"`
}

// nameIDVectors were computed from the description of the encodings by a program in another
// language.
func nameIDVectors(t testing.TB) (vectors []nameIDVector) {
	t.Helper()
	text, err := os.ReadFile("testdata/nameid.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) < 50 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	return vectors
}

// TestNameIDEncoding_Golden: a change of an encoding takes every user's folder away, so none may
// change.
func TestNameIDEncoding_Golden(t *testing.T) {
	for _, v := range nameIDVectors(t) {
		hashed, err := delegation.NameIDHashed.Encode(v.NameID)
		if err != nil || hashed != v.Hashed {
			t.Errorf("%.80q hashed: got %q %v, want %q", v.NameID, hashed, err, v.Hashed)
		}
		escaped, err := delegation.NameIDEscaped.Encode(v.NameID)
		if err != nil || escaped != v.Escaped {
			t.Errorf("%.80q escaped: got %q %v, want %q", v.NameID, escaped, err, v.Escaped)
		}
		if same, err := delegation.NameIDEncoding("").Encode(v.NameID); same != v.NameID ||
			err != nil {
			t.Errorf("%.80q without an encoding: got %q %v", v.NameID, same, err)
		}
	}
}

// TestNameIDEncoding_TellsApart: no two vectors have one encoding, even where capitals do not
// count. Among them are NameIDs that look like encodings.
func TestNameIDEncoding_TellsApart(t *testing.T) {
	all := nameIDVectors(t)
	for _, v := range slices.Clone(all) {
		all = append(all, nameIDVector{NameID: v.Escaped}, nameIDVector{NameID: v.Hashed})
	}
	for _, encoding := range encodings {
		of := map[string]string{}
		for _, v := range all {
			encoded := must(encoding.Encode(v.NameID))
			other, seen := of[strings.ToLower(encoded)]
			if seen && other != v.NameID {
				t.Errorf("%s: %.80q and %.80q are both %q", encoding, other, v.NameID, encoded)
			}
			of[strings.ToLower(encoded)] = v.NameID
		}
	}
}

// TestNameIDEncoding_AsDocumented: the encodings of the page are what Encode returns, and the
// command of the page computes the hash.
func TestNameIDEncoding_AsDocumented(t *testing.T) {
	page := string(must(os.ReadFile("docs/subjects-with-slashes.md")))
	const subject = "repo:octo/app"
	hashed := must(delegation.NameIDHashed.Encode(subject))
	for _, want := range []string{
		"`" + must(delegation.NameIDEscaped.Encode(subject)) + "`",
		"`" + hashed[:8] + "…`, 64 characters",
		"for `" + subject + "`",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	const command = "printf %s " + subject + " | sha256sum"
	if !strings.Contains(page, "`"+command+"`") {
		t.Fatal("the page has another command")
	}
	if _, err := exec.LookPath("sha256sum"); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
	if sum, _, _ := strings.Cut(string(out), " "); err != nil || sum != hashed {
		t.Errorf("got %s %v, want %s", out, err, hashed)
	}
}

var encodings = []delegation.NameIDEncoding{delegation.NameIDHashed, delegation.NameIDEscaped}

func TestNameIDEncoding_Refuses(t *testing.T) {
	for _, encoding := range encodings {
		for _, nameID := range []string{"", "\xff", "a\xc3", "\ufffd", "a\ufffdb", "\xed\xa0\x80"} {
			got, err := encoding.Encode(nameID)
			wantError(t, err, delegation.StageDecision, delegation.CodeNameIDInvalid)
			if got != "" {
				t.Errorf("%s: %q is %q", encoding, nameID, got)
			}
		}
	}
	for _, encoding := range []delegation.NameIDEncoding{"Hashed", "plain", " ", "hashed "} {
		got, err := encoding.Encode("alice")
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if got != "" {
			t.Errorf("%q gives %q", encoding, got)
		}
	}
}

// FuzzNameIDEncoding: what an encoding returns can be one segment of a path and one value of a
// policy, and the escaped form leads back to the NameID.
func FuzzNameIDEncoding(f *testing.F) {
	for _, v := range nameIDVectors(f) {
		f.Add(v.NameID)
	}
	f.Add("\xff/..")
	f.Fuzz(func(t *testing.T, nameID string) {
		for _, encoding := range encodings {
			encoded, err := encoding.Encode(nameID)
			if err != nil {
				wantError(t, err, delegation.StageDecision, delegation.CodeNameIDInvalid)
				continue
			}
			if !isSegment(encoded) {
				t.Errorf("%s: %q is %q", encoding, nameID, encoded)
			}
			if again := must(encoding.Encode(nameID)); again != encoded {
				t.Errorf("%s: %q is %q, and then %q", encoding, nameID, encoded, again)
			}
			if encoding == delegation.NameIDEscaped && !strings.HasPrefix(encoded, "_x") &&
				unescaped(encoded) != nameID {
				t.Errorf("%q is %q, which is %q", nameID, encoded, unescaped(encoded))
			}
		}
	})
}

// isSegment tells whether a text has only what every encoding may return.
func isSegment(text string) bool {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return text != "" && len(text) <= 256 && strings.Trim(text, alphabet) == "" &&
		!strings.HasPrefix(text, ".") && !strings.HasSuffix(text, ".")
}

// unescaped is what an escaped NameID was made of.
func unescaped(escaped string) string {
	const digits = "0123456789abcdef"
	var b []byte
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '_' {
			b = append(b, escaped[i])
			continue
		}
		high := strings.IndexByte(digits, escaped[i+1])
		low := strings.IndexByte(digits, escaped[i+2])
		b = append(b, byte(high<<4|low))
		i += 2
	}
	return string(b)
}

// TestSubjectAsFolder: a target that names folders after ${saml:sub} refuses each NameID that could
// reach another's, wherever the NameID is from, and no other.
func TestSubjectAsFolder(t *testing.T) {
	for nameID, good := range map[string]bool{
		"alice": true, "Alice": true, "auth0|1": true, "alice@example.com": true, "a b": true,
		"repo:a": true, "..a": true, "a..": true, "...": true, "$": true, "a$b": true, "{": true,
		`a\b`: true, "~": true,
		"alice/": false, "/alice": false, "alice/x": false, "/": false, "spiffe://td/ns/a": false,
		".": false, "..": false, "${saml:sub}": false, "a${": false, "é": false, "e\u0301": false,
		"a\u00a0b": false, "a\tb": false, "a\nb": false, "a\x7fb": false, "日本": false,
	} {
		t.Run(nameID, func(t *testing.T) {
			folder := func(target *delegation.Target) { target.SubjectAsFolder = true }
			wantFolder(t, good, nameID, "", folder)
			wantFolder(t, good, "alice", nameID, folder)
			for _, encoding := range encodings {
				wantFolder(t, true, nameID, "", folder, func(target *delegation.Target) {
					target.NameIDEncoding = encoding
				})
			}
			wantFolder(t, true, nameID, "", func(*delegation.Target) {})
		})
	}
}

// wantFolder exchanges a token with a sub, for which a rule sets a NameID unless that is empty. It
// wants credentials, or that the NameID is refused.
func wantFolder(
	t *testing.T, good bool, sub, nameID string, changes ...func(*delegation.Target),
) {
	t.Helper()
	w := newWorld(t)
	for _, change := range changes {
		w.target(change)
	}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.NameID = nameID
		return nil
	}}
	_, err := w.exchange(t, map[string]any{"sub": sub})
	if good {
		if err != nil {
			t.Errorf("%q: %v", sub, err)
		}
		return
	}
	wantError(t, err, delegation.StageDecision, delegation.CodeNameIDNotFolder)
	if n := len(w.sent); n > 0 {
		t.Errorf("AWS was asked %d times", n)
	}
}

// TestNameIDEncoding_IsWhatAWSGets: every NameID is encoded, the token's sub and those of rules and
// mappings. Explain says so, and the cache does not serve one for the other.
func TestNameIDEncoding_IsWhatAWSGets(t *testing.T) {
	for _, encoding := range encodings {
		for _, by := range []string{"sub", "rule", "mapping"} {
			t.Run(string(encoding)+" "+by, func(t *testing.T) {
				w := newWorld(t)
				w.target(func(target *delegation.Target) {
					target.NameIDEncoding = encoding
					if by == "mapping" {
						target.NameIDFromMapping = true
						target.Mappings = delegation.Mappings{
							delegation.AttributeNameIdentifier: "path",
						}
					}
				})
				if by == "rule" {
					w.config.Rules = []delegation.RuleFunc{func(
						_ context.Context, user *delegation.User, rc *delegation.RuleContext,
					) error {
						rc.AWS.NameID = user.Text("path")
						return nil
					}}
				}
				claims := map[string]any{"sub": "team/a", "path": "team/b *"}
				decided := "team/b *"
				if by == "sub" {
					decided = "team/a"
				}
				want := must(encoding.Encode(decided))
				credentials, err := w.exchange(t, claims)
				if err != nil {
					t.Fatal(err)
				}
				got := responseOf(w.last()).FindElement("//saml:NameID").Text()
				if got != want || credentials.Subject != want {
					t.Errorf("AWS got %q and said %q, want %q", got, credentials.Subject, want)
				}
				e, err := w.delegator(t).Explain(t.Context(), w.token(claims), app)
				if err != nil {
					t.Fatal(err)
				}
				if e.NameID != want || e.NameIDEncoding != encoding {
					t.Errorf("explained as %q, %s", e.NameID, e.NameIDEncoding)
				}
				const another = "the NameID, and so ${saml:sub}, is not the token's sub"
				if slices.Contains(e.Warnings, another) != (by != "sub") ||
					strings.Contains(strings.Join(e.Warnings, " "), "slash") {
					t.Errorf("warnings %q", e.Warnings)
				}
			})
		}
	}
}

// TestNameIDEncoding_IsCachedApart: after a change of the encoding nobody gets credentials that are
// of the folder before.
func TestNameIDEncoding_IsCachedApart(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	token := w.token(map[string]any{"sub": "team/a"})
	if _, err := d.Exchange(t.Context(), token, app); err != nil {
		t.Fatal(err)
	}
	for _, encoding := range encodings {
		w.target(func(target *delegation.Target) { target.NameIDEncoding = encoding })
		next, err := d.WithConfig(t.Context(), w.config)
		if err != nil {
			t.Fatal(err)
		}
		credentials, err := next.Exchange(t.Context(), token, app)
		if want := must(encoding.Encode("team/a")); err != nil || credentials.Subject != want {
			t.Errorf("%s: %v %+v", encoding, err, credentials)
		}
		d = next
	}
}

// TestNameIDSlash_IsWarnedOf: the event of an exchange says that the NameID has a slash, unless the
// target says what that means.
func TestNameIDSlash_IsWarnedOf(t *testing.T) {
	for name, row := range map[string]struct {
		sub    string
		change func(*delegation.Target)
		want   []string
	}{
		"a slash":    {"a/b", func(*delegation.Target) {}, []string{"name_id_slash"}},
		"no slash":   {"ab", func(*delegation.Target) {}, nil},
		"no policy":  {"a/b", func(t *delegation.Target) { t.SubjectNamesNothing = true }, nil},
		"an encoded": {"a/b", func(t *delegation.Target) { t.NameIDEncoding = "escaped" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.target(row.change)
			var events []delegation.Event
			w.config.OnEvent = func(_ context.Context, e delegation.Event) {
				events = append(events, e)
			}
			d := w.delegator(t)
			for range 2 { // from AWS, and from the cache
				_, err := d.Exchange(t.Context(), w.token(map[string]any{"sub": row.sub}), app)
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range events {
				if !slices.Equal(e.Warnings, row.want) {
					t.Errorf("%s: got %q, want %q", e.Cache, e.Warnings, row.want)
				}
			}
			if len(events) != 2 {
				t.Errorf("%d events", len(events))
			}
		})
	}
}

// TestNew_NameIDSettings: what no target can mean is refused by New.
func TestNew_NameIDSettings(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) { target.NameIDEncoding = "base64" })
	wantOfNew(t, w.config, []string{`Targets["photo-app"]: NameIDEncoding: "base64" is neither`})
	w = newWorld(t)
	w.target(func(target *delegation.Target) {
		target.SubjectAsFolder = true
		target.SubjectNamesNothing = true
	})
	wantOfNew(t, w.config, []string{"SubjectAsFolder and SubjectNamesNothing are both set"})
}
