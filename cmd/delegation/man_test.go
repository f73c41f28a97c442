package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// fixedManual has the same version and date on each machine.
var fixedManual = manual{version: "v1.2.3", date: "2026-11-23"}

// TestMan_Pages: each command has a page with all sections and all flags, without a request that a
// text would be taken for.
func TestMan_Pages(t *testing.T) {
	root := rootCommand(surroundings{})
	pages := documented(root)
	if len(pages) < 18 {
		t.Errorf("only %d pages", len(pages))
	}
	for _, c := range pages {
		page := string(fixedManual.page(c))
		if again := string(fixedManual.page(c)); again != page {
			t.Errorf("%s: two pages differ", c.Name())
		}
		for _, section := range []string{
			"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO",
		} {
			if strings.Count(page, "\n.SH "+section+"\n") != 1 {
				t.Errorf("%s: no section %s", c.Name(), section)
			}
		}
		for name := range flagsOf(c) {
			if !strings.Contains(page, `\fB\-\-`+strings.ReplaceAll(name, "-", `\-`)+`\fR`) {
				t.Errorf("%s: no flag %s", c.Name(), name)
			}
		}
		for line := range strings.Lines(page) {
			request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			known := " .TH .SH .TP .B .BR .br .PP .IP .RS .RE .nf .fi "
			if strings.HasPrefix(request, ".") && !strings.Contains(known, " "+request+" ") {
				t.Errorf("%s: a text became a request: %s", c.Name(), line)
			}
		}
		if strings.Count(page, "\n.nf\n") != strings.Count(page, "\n.fi\n") {
			t.Errorf("%s: the lines of an example do not end", c.Name())
		}
	}
}

// TestMan_Roff: texts that roff would take for something else.
func TestMan_Roff(t *testing.T) {
	for text, want := range map[string]string{
		"--out":         `\-\-out`,
		`a \`:           `a \e`,
		".hidden\n'lit": "\\&.hidden\n\\(aqlit",
		"a`b~c^d…":      `a\(gab\(tic\(had...`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := quoted(`2026-11-23 "go"`); got != `"2026-11-23 \(dqgo\(dq"` {
		t.Errorf("got %s", got)
	}
}

// flagsOf are the flags of a command, its own and those of the program.
func flagsOf(c *cobra.Command) map[string]string {
	c.InitDefaultHelpFlag()
	found := map[string]string{}
	for _, flags := range []string{c.LocalFlags().FlagUsages(), c.InheritedFlags().FlagUsages()} {
		for _, flag := range flagUsage.FindAllStringSubmatch(flags, -1) {
			found[flag[1]] = flag[2]
		}
	}
	return found
}
