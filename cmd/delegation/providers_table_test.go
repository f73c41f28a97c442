package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// happened is what has become of a token; err is nil if it was accepted.
type happened struct {
	verdict
	err error
}

// otherPeople are the kinds of tokens that are of the right kind, but of somebody who must not come
// in.
var otherPeople = []string{
	stranger, "branch", "ci-branch", "ci-stranger", "fork", "neighbour", "other-audience",
	"other-client", "policy", "pull-request", "self-registered",
}

const (
	providersPage = "../../docs/providers.md"
	tableHead     = "" +
		"| Provider | accepted | strangers refused by | wrong kinds refused by | init | sources " +
		"| unverified |\n|---|---|---|---|---|---|---|\n"
)

// A providersTable is the table of docs/providers.md. Its rows are made from what happened in
// [TestProviders], and from the pages docs/provider-NAME.md.
type providersTable struct {
	page     string            // the whole of it
	text     string            // the table
	sections []string          // in the order of the rows
	bodies   map[string]string // of the sections, without YAML
	links    map[string]string // to the sections
	flags    map[string][]string
	made     map[string]string // rows by section, as far as they have run
}

// tableOf reads the pages.
func tableOf(t *testing.T) *providersTable {
	t.Helper()
	p := &providersTable{
		page:   string(must(os.ReadFile(providersPage))),
		bodies: map[string]string{},
		links:  map[string]string{},
		flags:  initFlagsOf(t),
		made:   map[string]string{},
	}
	p.text = regexp.MustCompile(`(?m)^\| Provider \| accepted .*\n(?:\|.*\n)*`).FindString(p.page)
	for _, section := range providerSections(t) {
		p.sections = append(p.sections, section.heading)
		p.bodies[section.heading] = section.body
		p.links[section.heading] = section.page
		if !section.wholePage {
			p.links[section.heading] += "#" + anchorOf(section.heading)
		}
	}
	return p
}

// anchorOf is the anchor that GitHub gives to a heading.
func anchorOf(heading string) string {
	name := strings.ToLower(regexp.MustCompile(`[^\w -]`).ReplaceAllString(heading, ""))
	return strings.ReplaceAll(name, " ", "-")
}

// row returns the page's row for a section; "" if it has none.
func (p *providersTable) row(section string) string {
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(line, "| ["+section+"](") {
			return line
		}
	}
	return ""
}

// want makes the row of a section, and compares it with that of the page.
func (p *providersTable) want(t *testing.T, section string, outcomes []happened) {
	t.Helper()
	cells := []string{
		fmt.Sprintf("[%s](%s)", section, p.links[section]),
		accepted(outcomes),
		strangersRefused(outcomes),
		wrongKindsRefused(outcomes),
		p.init(section),
		p.sources(section),
		p.unverified(section),
	}
	for i, cell := range cells {
		if cell == "" {
			t.Errorf("%s: column %d of its row in docs/providers.md would be empty", section, i+1)
		}
	}
	row := "| " + strings.Join(cells, " | ") + " |\n"
	if strings.Count(row, "|") != len(cells)+1 {
		t.Errorf("a cell has a bar in it: %s", row)
	}
	p.made[section] = row
	if !*update && row != p.row(section) {
		t.Errorf("docs/providers.md has the row\n%sand this happens:\n%s"+
			"To write the table: go test ./cmd/delegation -run 'TestProviders$' -update",
			p.row(section), row)
	}
}

// write writes the table, if that is asked for.
func (p *providersTable) write(t *testing.T) {
	t.Helper()
	if !*update {
		return
	}
	made := slices.Sorted(maps.Keys(p.made))
	if !slices.Equal(made, slices.Sorted(slices.Values(p.sections))) {
		t.Fatalf("only these have run: %q", made)
	}
	text := tableHead
	for _, section := range p.sections {
		text += p.made[section]
	}
	page := strings.Replace(p.page, p.text, text, 1)
	if p.text == "" || os.WriteFile(providersPage, []byte(page), 0o644) != nil {
		t.Fatal("the page has no table to replace, or cannot be written")
	}
}

// accepted are the kinds of tokens that pass, but for access tokens.
func accepted(outcomes []happened) string {
	var kinds []string
	for _, o := range outcomes {
		if o.err == nil && o.kind != access {
			kinds = append(kinds, "`"+o.kind+"`")
		}
	}
	return list(kinds, ", ")
}

// missingClaim finds the claim in the text of a refusal.
var missingClaim = regexp.MustCompile(`requires the claim "([^"]+)"`)

// strangersRefused are the codes that other people's tokens get. Of a required claim it is said
// which.
func strangersRefused(outcomes []happened) string {
	usual := outcomes[0].kind
	var codes []string
	for _, o := range outcomes {
		_, forAnother := o.claims["aud"]
		others := slices.Contains(otherPeople, o.kind) || o.kind == usual && !forAnother
		if o.err == nil || !others {
			continue
		}
		code := "`" + codeOf(o.err) + "`"
		var refused *delegation.Error
		if errors.As(o.err, &refused) {
			if claim := missingClaim.FindStringSubmatch(refused.Error()); claim != nil {
				code += " `" + claim[1] + "`"
			}
		}
		codes = append(codes, code)
	}
	return list(codes, ", ")
}

// wrongKindsRefused are the other kinds of tokens, with their codes.
func wrongKindsRefused(outcomes []happened) string {
	usual := outcomes[0].kind
	var codes []string
	for _, o := range outcomes {
		switch {
		case slices.Contains(otherPeople, o.kind) || o.kind == usual:
			continue
		case o.err != nil:
			codes = append(codes, fmt.Sprintf("`%s`: `%s`", o.kind, codeOf(o.err)))
		case o.kind == access:
			codes = append(codes, "`access` **is accepted**")
		}
	}
	return list(codes, "; ")
}

// init is the name that init has for the provider.
func (p *providersTable) init(section string) string {
	if section == withoutInit {
		return "`auth0`, and the secret by hand"
	}
	words := p.flags[section]
	if len(words) < 2 {
		return ""
	}
	return "`" + words[1] + "`"
}

var (
	markdownLink = regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
	notSeen      = regexp.MustCompile(`\(u\b[^)]*\)`)
)

// sources are the hosts of the documents that the section names.
func (p *providersTable) sources(section string) string {
	text := strings.Join(strings.Fields(p.bodies[section]), " ")
	_, text, found := strings.Cut(text, "ources:** ")
	if !found {
		return "none"
	}
	text, _, _ = strings.Cut(text, ". ")
	text, _, _ = strings.Cut(text, " - **")
	text = notSeen.ReplaceAllString(text, "")
	text = markdownLink.ReplaceAllStringFunc(text, func(link string) string {
		address := markdownLink.FindStringSubmatch(link)[2]
		address, outside := strings.CutPrefix(address, "https://")
		if !outside { // a page next to this one
			return link
		}
		host, _, _ := strings.Cut(address, "/")
		return host
	})
	var all []string
	for source := range strings.SplitSeq(text, ", ") {
		all = append(all, strings.TrimSpace(source))
	}
	return list(all, ", ")
}

// unverified are the statements of the section that no document was seen for, each from the start
// of its sentence.
func (p *providersTable) unverified(section string) string {
	var all []string
	for _, bullet := range strings.Split(p.bodies[section], "\n- ") {
		text := strings.Join(strings.Fields(bullet), " ")
		if _, after, found := strings.Cut(text, ":** "); found {
			text = after
		}
		text = markdownLink.ReplaceAllString(text, "$1")
		for _, at := range notSeen.FindAllStringIndex(text, -1) {
			before := strings.TrimSpace(notSeen.ReplaceAllString(text[:at[0]], ""))
			before = before[strings.LastIndex(before, ". ")+1:]
			before = before[strings.LastIndex(before, "; ")+1:]
			before = strings.TrimPrefix(strings.TrimSpace(before), ", ")
			all = append(all, before)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return list(all, "; ")
}

// list joins texts, each once, in the order in which they come first.
func list(texts []string, separator string) string {
	var once []string
	for _, text := range texts {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return strings.Join(once, separator)
}
