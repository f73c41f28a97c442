package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const cliPage = "../../docs/cli.md"

// TestCLI_Page: docs/cli.md has each command, with the flags that the program has, its exit codes
// and an example. With -update the list of commands and the flags are written.
func TestCLI_Page(t *testing.T) {
	page := string(must(os.ReadFile(cliPage)))
	want := page
	put := func(mark, text string) {
		block := regexp.MustCompile(`(?s)(<!-- ` + mark + ` -->\n).*?(<!-- end -->\n)`)
		if len(block.FindAllString(want, -1)) != 1 {
			t.Errorf("%s has no place, or several, marked %q", cliPage, mark)
		}
		want = block.ReplaceAllStringFunc(want, func(old string) string {
			parts := block.FindStringSubmatch(old)
			if text == "" {
				return parts[1] + parts[2]
			}
			return parts[1] + "\n" + text + "\n" + parts[2]
		})
	}
	root := rootCommand(surroundings{})
	list := "| Command | What it does |\n|---|---|\n"
	for _, c := range documented(root)[1:] {
		if c.Name() == "help" {
			continue
		}
		list += fmt.Sprintf("| [`%s`](#%s) | %s |\n", c.Name(), c.Name(), c.Short)
		put("flags: "+c.Name(), flagTable(c))
		_, section, found := strings.Cut(page, "\n## "+c.Name()+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, "\n    delegation "+c.Name()) {
			t.Errorf("%s has no section of %s with an example", cliPage, c.Name())
		}
		fails := c.Name() != "version" && c.Name() != "completion"
		if fails && !strings.Contains(section, "xit code") {
			t.Errorf("%s does not say when %s fails", cliPage, c.Name())
		}
	}
	put("commands", list)
	if *update {
		if err := os.WriteFile(cliPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != want {
		t.Errorf("%s is old: go test ./cmd/delegation -run 'TestCLI_Page$' -update", cliPage)
	}
}

// flagTable has the flags of a command but --help; empty if there are none.
func flagTable(c *cobra.Command) string {
	var rows strings.Builder
	for _, f := range localFlags(c) {
		if f.name == "help" {
			continue
		}
		flag := "`--" + f.name + "`"
		if f.takes != "" {
			flag = "`--" + f.name + " " + strings.ToUpper(f.takes) + "`"
		}
		if f.shorthand != "" {
			flag = "`-" + f.shorthand + "`, " + flag
		}
		otherwise := ""
		if f.otherwise != "" {
			otherwise = "`" + f.otherwise + "`"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s |\n", flag, otherwise,
			strings.ReplaceAll(f.usage, "|", `\|`))
	}
	if rows.Len() == 0 {
		return ""
	}
	return "| Flag | Default | What it does |\n|---|---|---|\n" + rows.String()
}
