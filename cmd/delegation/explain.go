package main

import (
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	tokenFlags
	json bool
}

func explainCommand(s surroundings) *cobra.Command {
	var f explainFlags
	command := &cobra.Command{
		Use:   "explain",
		Short: "Say what an exchange would decide for an ID token, step by step, and why",
		Long: "Say what an exchange of an ID token for a target would decide: what was checked, " +
			"which rule set what, what AWS would see, what the role's\n" +
			"trust policy must allow, and what may surprise. If it would be refused: the steps " +
			"up to the one that refuses, with the code, what is wrong\n" +
			"and how to fix it.\n\n" +
			"It reads the configuration, as serve does, and the token, from a file or from " +
			"standard input. It asks the issuer for its keys, and rules ask\n" +
			"whom they always ask. Nothing is signed, AWS is not called, and whether the token " +
			"was used before is not asked. The token is not\n" +
			"printed, but what it says of the user is: it is for the operator.\n\n" +
			"It prints a tree, or JSON for programs, to standard output. Exit code 0: the " +
			"exchange would be allowed; 1: it would be refused; 2: the\n" +
			"command line or the configuration has to be changed.",
		Example: "  delegation explain --config delegation.yaml --target photo-app --token-file " +
			"token.jwt",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	f.add(command, s, "`target` that the token would be exchanged for; required")
	command.Flags().BoolVar(&f.json, "json", false, "write JSON, whose names docs/cli.md has")
	return command
}

// run explains a token and prints the explanation. Its error is the refusal, if there is one.
func (f *explainFlags) run(c *cobra.Command, s surroundings) error {
	if err := f.requireTarget("explain"); err != nil {
		return err
	}
	built, token, err := f.open(c, s, func(l *config.Settings) {
		l.Replay = config.ReplaySettings{} // which an explanation does not ask
		forgetful(l)
	})
	if err != nil {
		return err
	}
	done := s.progress(c, "Asking the issuer and the rules")
	e, refusal := built.Delegator.Explain(c.Context(), token, f.target)
	done()
	o := newOutcome(e, refusal)
	text := o.tree(s.painter())
	if f.json {
		if text, err = o.json(); err != nil {
			return err
		}
	}
	if err := s.print([]byte(text)); err != nil {
		return err
	}
	return refusal
}
