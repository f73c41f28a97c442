package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

// writeHelp writes what a command does and how it is called, wrapped to the width of the terminal.
// The texts are written for 80 columns.
func (s surroundings) writeHelp(c *cobra.Command, _ []string) {
	text := wrapped(strings.TrimSpace(cmp.Or(c.Long, c.Short)), s.helpWidth())
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", text, c.UsageString())
	if err != nil {
		c.PrintErrln(err)
	}
}

func (s surroundings) helpWidth() int { return term.Width(s.stdout, s.variable) }

// writeUsage writes how a command is called, in cobra's words. cobra's own usage does not wrap
// flags, and its templates take longer than the rest of --help.
func (s surroundings) writeUsage(c *cobra.Command) error {
	width := s.helpWidth()
	flagsWidth := max(width, 42)    // if narrower, pflag does not wrap at all
	inherited := c.InheritedFlags() // this adds them to the command, and UseLine reads those
	var text strings.Builder
	text.WriteString("Usage:")
	if c.Runnable() {
		fmt.Fprintf(&text, "\n  %s", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "\n  %s [command]", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&text, "\n\nExamples:\n%s", c.Example)
	}
	if c.HasAvailableSubCommands() {
		text.WriteString("\n\nAvailable Commands:")
		writeSubcommands(&text, c, width)
	}
	if c.HasAvailableLocalFlags() {
		writeFlags(&text, "Flags", c.LocalFlags().FlagUsagesWrapped(flagsWidth))
	}
	if c.HasAvailableInheritedFlags() {
		writeFlags(&text, "Global Flags", inherited.FlagUsagesWrapped(flagsWidth))
	}
	if c.HasAvailableSubCommands() {
		more := fmt.Sprintf("Use \"%s [command] --help\" for more information about a command.",
			c.CommandPath())
		text.WriteString("\n\n" + wrapped(more, width))
	}
	text.WriteByte('\n')
	_, err := fmt.Fprint(c.OutOrStderr(), text.String())
	return err
}

// wrapped wraps a text to a width. At the usual width it stays as it was written.
func wrapped(text string, width int) string {
	if width == term.UsualWidth {
		return text
	}
	return term.Wrap(text, width)
}

func writeSubcommands(text *strings.Builder, c *cobra.Command, width int) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			name := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
			text.WriteString("\n" + term.WrapItem(name, sub.Short, width))
		}
	}
}

func writeFlags(text *strings.Builder, title, flags string) {
	fmt.Fprintf(text, "\n\n%s:\n%s", title, strings.TrimRight(flags, " \n"))
}
