package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

const manLong = `Print the manual page of a command, or write the pages of all commands to a
folder. man reads them:

  delegation man exchange | man -l -
  delegation man --out /usr/local/share/man/man1

With --out it replaces pages of these commands. Exit code 2 if there is no such
command.`

func manCommand(s surroundings) *cobra.Command {
	var out string
	command := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print the manual page of a command, or write all pages",
		Long:  manLong,
		Example: "  delegation man exchange | man -l -\n" +
			"  delegation man --out /usr/local/share/man/man1",
		RunE: func(c *cobra.Command, args []string) error {
			info, _ := debug.ReadBuildInfo()
			manual := manualOf(versionOf(info))
			if out != "" {
				if len(args) > 0 {
					return config.Usagef("--out writes all pages: leave out %q", args)
				}
				return manual.write(c.Root(), out)
			}
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return config.Usagef("man: %q is not a command: see delegation help", args)
			}
			return s.print(manual.page(found))
		},
	}
	command.Flags().StringVarP(&out, "out", "o", "",
		"existing `folder` for the pages of all commands")
	return command
}

// manual is what all pages have in common.
type manual struct {
	version string // of the program
	date    string // of the commit, as 2026-11-23; empty if the build did not record it
}

// manualOf takes version and date from the build, so that the same commit gives the same pages.
func manualOf(v programVersion) manual {
	date, _, _ := strings.Cut(v.CommitTime, "T")
	return manual{version: v.Version, date: date}
}

// documented are the commands that have a page: all but cobra's own below completion.
func documented(root *cobra.Command) (list []*cobra.Command) {
	list = []*cobra.Command{root}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			list = append(list, c)
		}
	}
	return list
}

// write makes the pages of all commands in a folder.
func (m manual) write(root *cobra.Command, folder string) error {
	for _, c := range documented(root) {
		file := filepath.Join(folder, manName(c)+".1")
		if err := os.WriteFile(file, m.page(c), 0o644); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	return nil
}

// manName is the name of a command's page: delegation-exchange.
func manName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-")
}

// page is a command's page, in the macros of man(7).
func (m manual) page(c *cobra.Command) []byte {
	c.InitDefaultHelpFlag()
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 %s %s %s\n", quoted(strings.ToUpper(manName(c))), quoted(m.date),
		quoted("delegation "+m.version), quoted("User Commands"))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(lowerFirst(c.Short)))
	b.WriteString(".SH SYNOPSIS\n")
	if c.Runnable() {
		fmt.Fprintf(&b, ".B %s\n", roff(c.UseLine()))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, ".br\n.B %s\n[command]\n", roff(c.CommandPath()))
	}
	b.WriteString(".SH DESCRIPTION\n")
	writeParagraphs(&b, c.Long)
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	b.WriteString(".SH OPTIONS\n")
	for _, f := range append(localFlags(c), inheritedFlags(c)...) {
		f.write(&b)
	}
	b.WriteString(".SH EXIT STATUS\n" +
		".TP\n.B 0\nDone.\n" +
		".TP\n.B 1\nFailed or refused, or ended by a signal.\n" +
		".TP\n.B 2\nThe command line or the configuration is wrong.\n")
	fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(withoutIndent(c.Example)))
	writeSeeAlso(&b, c)
	return b.Bytes()
}

// describedFlag is a flag of a command as pages show it.
type describedFlag struct {
	name, shorthand string
	takes           string // what its value is; empty for a switch
	usage           string
	otherwise       string // its value if it is not set; empty for none
}

func localFlags(c *cobra.Command) []describedFlag {
	return describedFlags(c, c.LocalFlags().FlagUsages())
}

func inheritedFlags(c *cobra.Command) []describedFlag {
	return describedFlags(c, c.InheritedFlags().FlagUsages())
}

// describedFlags are the flags in a text of a command's flag usages.
func describedFlags(c *cobra.Command, usages string) (list []describedFlag) {
	names := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([\w-]+)`)
	for _, found := range names.FindAllStringSubmatch(usages, -1) {
		f := c.Flag(found[1])
		described := describedFlag{name: f.Name, shorthand: f.Shorthand, usage: f.Usage}
		if parts := strings.SplitN(f.Usage, "`", 3); len(parts) == 3 {
			described.takes = parts[1]
			described.usage = strings.Join(parts, "")
		} else if f.NoOptDefVal == "" { // it is no switch
			described.takes = f.Value.Type()
		}
		switch f.DefValue {
		case "", "false", "0", "[]":
		default:
			described.otherwise = f.DefValue
		}
		list = append(list, described)
	}
	return list
}

// write writes the flag, what it takes and what it does.
func (f describedFlag) write(b *bytes.Buffer) {
	b.WriteString(".TP\n")
	if f.shorthand != "" {
		fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.shorthand)
	}
	fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(f.name))
	if f.takes != "" {
		fmt.Fprintf(b, " \\fI%s\\fR", roff(f.takes))
	}
	fmt.Fprintf(b, "\n%s", roff(f.usage))
	if f.otherwise != "" {
		fmt.Fprintf(b, " (default %s)", roff(f.otherwise))
	}
	b.WriteByte('\n')
}

// writeSeeAlso names the other pages.
func writeSeeAlso(b *bytes.Buffer, c *cobra.Command) {
	b.WriteString(".SH SEE ALSO\n")
	for _, other := range documented(c.Root()) {
		if other != c {
			fmt.Fprintf(b, ".BR %s (1),\n", roff(manName(other)))
		}
	}
	b.WriteString("https://github.com/seed055b7978/delegation/tree/main/docs\n")
}

// writeParagraphs writes a help text: paragraphs, lists with "- ", and indented lines that stay as
// they are.
func writeParagraphs(b *bytes.Buffer, text string) {
	first := true
	verbatim := false
	end := func() {
		if verbatim {
			b.WriteString(".fi\n.RE\n")
		}
		verbatim = false
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		words := strings.TrimSpace(line)
		indented := strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")
		item, isItem := strings.CutPrefix(words, "- ")
		switch {
		case words == "":
			end()
			first = true
		case isItem && indented:
			end()
			fmt.Fprintf(b, ".IP \\(bu 2\n%s\n", roff(item))
			first = false
		case indented && (first || verbatim):
			if !verbatim {
				b.WriteString(".PP\n.RS 4\n.nf\n")
			}
			verbatim = true
			fmt.Fprintf(b, "%s\n", roff(strings.TrimPrefix(line, "  ")))
		default:
			end()
			if first && !indented {
				b.WriteString(".PP\n")
			}
			first = false
			fmt.Fprintf(b, "%s\n", roff(words))
		}
	}
	end()
}

// roff escapes a text for groff and mandoc. No character of it is taken for a request, and hyphens
// can be copied.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "'", `\(aq`, "`", `\(ga`,
		"~", `\(ti`, "^", `\(ha`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// quoted is an argument of .TH, from which other programs read the date and the name.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\e`, `"`, `\(dq`).Replace(text) + `"`
}

func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// withoutIndent removes two spaces in front of each line.
func withoutIndent(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n  ", "\n"), "  ")
}
