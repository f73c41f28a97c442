package delegation_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fieldTerms are words that a reader of the pages has to know.
var fieldTerms = []string{
	"Access token", "Actor", "Assertion", "Audience", "Claim", "Client", "Credentials", "Decision",
	"Entity ID", "Exchange", "ID token", "Issuer", "Key set", "Mapping", "Metadata", "NameID",
	"Narrowing", "Partition", "Permission policy", "Principal", "Profile", "Role", "Rule",
	"SAML provider", "Scope", "Session", "Session name", "Session policy", "Session tag",
	"Signing key", "Source identity", "Stranger", "Subject", "Target", "Tenant", "Trust policy",
}

// TestDocs_Glossary: docs/glossary.md defines each of the field's terms once, in order, and its
// index leads to each. No entry is there for a word that no other page uses, and no page links to
// an entry under another word.
func TestDocs_Glossary(t *testing.T) {
	page := string(must(os.ReadFile("docs/glossary.md")))
	index, _, _ := strings.Cut(page, "\n## ")
	var entries, indexed []string
	for _, heading := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(page, -1) {
		entries = append(entries, heading[1])
	}
	for _, link := range regexp.MustCompile(`\[([^\]]+)\]\(#[^)]+\)`).
		FindAllStringSubmatch(index, -1) {
		indexed = append(indexed, strings.Join(strings.Fields(link[1]), " "))
	}
	if !slices.Equal(entries, indexed) {
		t.Errorf("the entries are\n%q\nand the index has\n%q", entries, indexed)
	}
	if !slices.IsSortedFunc(entries, func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	}) {
		t.Errorf("not in order: %q", entries)
	}
	for _, term := range fieldTerms {
		if !slices.Contains(entries, term) {
			t.Errorf("docs/glossary.md does not define %q", term)
		}
	}

	var others strings.Builder
	for _, name := range must(filepath.Glob("docs/*.md")) {
		if filepath.Base(name) != "glossary.md" {
			others.Write(must(os.ReadFile(name)))
		}
	}
	for _, entry := range entries {
		used := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(entry) + `s?\b`)
		if n := len(used.FindAllString(others.String(), 3)); n < 3 {
			t.Errorf("other pages use %q %d times", entry, n)
		}
	}
	links := regexp.MustCompile(`\[([^\]]+)\]\(glossary\.md#([^)]+)\)`).
		FindAllStringSubmatch(others.String(), -1)
	if len(links) < 10 {
		t.Errorf("%d links lead to an entry", len(links))
	}
	for _, link := range links {
		word := strings.ToLower(strings.Join(strings.Fields(link[1]), " "))
		term := strings.ReplaceAll(link[2], "-", " ")
		if !strings.HasPrefix(word, term) {
			t.Errorf("the word %q leads to the entry %q", word, term)
		}
	}
}
