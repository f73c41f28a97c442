package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// usageWidth is the width in columns at which the descriptions of flags are wrapped.
const usageWidth = 80

// writeUsage writes how a command is called, in cobra's words. cobra's own usage does not wrap
// flags, and its templates cost more than all other work of --help together.
func writeUsage(c *cobra.Command) error {
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
		writeSubcommands(&text, c)
	}
	if c.HasAvailableLocalFlags() {
		writeFlags(&text, "Flags", c.LocalFlags().FlagUsagesWrapped(usageWidth))
	}
	if c.HasAvailableInheritedFlags() {
		writeFlags(&text, "Global Flags", inherited.FlagUsagesWrapped(usageWidth))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&text, "\n\nUse \"%s [command] --help\" for more information about a command.",
			c.CommandPath())
	}
	text.WriteByte('\n')
	_, err := fmt.Fprint(c.OutOrStderr(), text.String())
	return err
}

func writeSubcommands(text *strings.Builder, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			fmt.Fprintf(text, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
}

func writeFlags(text *strings.Builder, title, flags string) {
	fmt.Fprintf(text, "\n\n%s:\n%s", title, strings.TrimRight(flags, " \n"))
}
