package main

import (
	"maps"
	"slices"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

// targetFlag adds --target, which shells complete from the configuration.
func (s surroundings) targetFlag(c *cobra.Command, target, file *string, usage string) {
	c.Flags().StringVarP(target, "target", "t", "", usage)
	targets := func(
		*cobra.Command, []string, string,
	) ([]cobra.Completion, cobra.ShellCompDirective) {
		loaded, _, err := config.Load(*file, s.environment)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return slices.Sorted(maps.Keys(loaded.Targets)), cobra.ShellCompDirectiveNoFileComp
	}
	_ = c.RegisterFlagCompletionFunc("target", targets) // cannot fail: the flag exists
}

// addUsualCommands adds cobra's completion command, and a help command that rejects unknown
// commands.
func addUsualCommands(root *cobra.Command) {
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Describe a command, with an example",
		Long: "Describe a command: what it does, what it reads and writes, and its exit codes,\n" +
			"with an example. It writes to standard output.",
		Example: "  delegation help exchange",
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return config.Usagef("help: %q is not a command: see delegation help", args)
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
		ValidArgsFunction: func(
			_ *cobra.Command, args []string, _ string,
		) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			if len(args) == 0 {
				for _, c := range root.Commands() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"}) // cannot fail: it was added just now
	completion.Short = "Print the completion script of a shell"
	completion.Long = `Print the script with which a shell completes commands, flags, and the targets
of the configuration. The help of each shell says how to load it.`
	completion.Args = noArguments
	completion.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	completion.Example = "  delegation completion bash > /etc/bash_completion.d/delegation"
	for _, shell := range completion.Commands() {
		shell.Short = "Print the completion script of " + shell.Name()
		shell.Args = noArguments
		shell.Example = "  delegation completion " + shell.Name()
	}
}
