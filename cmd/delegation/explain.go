package main

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func explainCommand(s surroundings) *cobra.Command {
	var file, tokenFile, target string
	var asJSON bool
	command := &cobra.Command{
		Use:   "explain",
		Short: "Say what an exchange would decide for an ID token, step by step, and why",
		Long: "Say what an exchange of an ID token for a target would decide: what was checked, which rule set what, what AWS would see, what the role's\n" +
			"trust policy must allow, and what may surprise. If it would be refused: the steps up to the one that refuses, with the code, what is wrong\n" +
			"and how to fix it.\n\n" +
			"It reads the configuration, as serve does, and the token, from a file or from standard input. It asks the issuer for its keys, and rules ask\n" +
			"whom they always ask. Nothing is signed, AWS is not called, and whether the token was used before is not asked. The token is not\n" +
			"printed, but what it says of the user is: it is for the operator.\n\n" +
			"It prints a tree, or JSON for programs, to standard output. Exit code 0: the exchange would be allowed; 1: it would be refused; 2: the\n" +
			"command line or the configuration has to be changed.",
		Example: "  delegation explain --config delegation.yaml --target photo-app --token-file token.jwt",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if target == "" {
				return usageError{errors.New("--target: explain needs the name of a target of the configuration")}
			}
			return s.explain(c, file, tokenFile, target, asJSON)
		},
	}
	s.configFlag(command, &file, defaultConfig)
	command.Flags().StringVarP(&target, "target", "t", "", "`name` of the target, as clients ask for it")
	command.Flags().StringVarP(&tokenFile, "token-file", "f", "", "`file` with the ID token, or - for standard input")
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the names of docs/cli.md")
	return command
}

func (s surroundings) explain(c *cobra.Command, file, tokenFile, target string, asJSON bool) error {
	token, err := s.readToken(tokenFile)
	if err != nil {
		return err
	}
	verbose, err := c.Flags().GetBool(verboseFlag)
	if err != nil {
		return err
	}
	_, built, err := s.configured(c.Context(), file, verbose, nil)
	if err != nil {
		return err
	}
	done := s.progress(c, "asking the issuer and the rules")
	e, refusal := built.delegator.Explain(c.Context(), token, target)
	done()
	o := newOutcome(e, refusal)
	text := o.tree(palette(s.colours()))
	if asJSON {
		if text, err = o.json(); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(s.stdout, text); err != nil {
		return err
	}
	return refusal
}

// colours tells whether standard output may be coloured: on a terminal that can, unless its user has asked for none (https://no-color.org).
func (s surroundings) colours() bool {
	refused := func(entry string) bool {
		return strings.HasPrefix(entry, "NO_COLOR=") && entry != "NO_COLOR=" || entry == "TERM=dumb"
	}
	return s.isTerminal(s.stdout) && !slices.ContainsFunc(s.environment, refused)
}
