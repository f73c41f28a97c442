package main

import (
	"errors"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	tokenFlags
	narrowingFlags
	role string
	json bool
}

func explainCommand(s surroundings) *cobra.Command {
	var f explainFlags
	command := &cobra.Command{
		Use:   "explain",
		Short: "Show what an exchange of an ID token would decide, and why",
		Long: `Show what an exchange of an ID token would decide, step by step: what was
checked, what each rule set, what AWS would see, what the role's trust policy
must allow, and warnings. If a step refuses the token, it shows the code and the
remedy. If the token itself is refused, a table shows its header and its claims
next to the configuration.

It reads the configuration, and the token from a file or from standard input. It
fetches the issuer's keys, and rules run as usual. It does not sign, does not
call AWS, and does not use up the token.

It prints a tree, or JSON with --json. The output never contains the token. If
the token is accepted, the output contains what it says of the user. Otherwise
it contains only what decides, and the names of the other claims.

Exit codes: 0 if the exchange would be allowed, 1 if it would be refused, 2 if
the command line or the configuration is wrong.`,
		Example: "  delegation explain --target photo-app --token-file token",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	f.tokenFlags.add(command, s, "`target` that the token would be exchanged for; required")
	f.narrowingFlags.add(command)
	roleFlag(command, &f.role)
	command.Flags().BoolVar(&f.json, "json", false, "write JSON, see docs/explain.md")
	return command
}

// run explains a token and prints the explanation. If the token is refused, it returns the refusal.
func (f *explainFlags) run(c *cobra.Command, s surroundings) error {
	if err := f.requireTarget(s, "explain"); err != nil {
		return err
	}
	if err := checkRole(c, f.role); err != nil {
		return err
	}
	if err := f.read(); err != nil {
		return err
	}
	built, token, err := f.open(c, s, func(l *config.Settings) {
		l.Replay = config.ReplaySettings{} // an explanation does not check for replay
		forgetful(l)
	})
	if err != nil {
		return err
	}
	defer built.Close()
	done := s.progress(c, "Asking the issuer and the rules")
	options := append(f.options(), delegation.WithRole(f.role))
	e, refusal := built.Delegator.Explain(c.Context(), token, f.target, options...)
	done()
	o := newOutcome(e, refusal)
	if errors.Is(refusal, delegation.StageToken) {
		o.compare(built.Delegator.CompareToken(c.Context(), token, f.target))
	}
	text := o.tree(s.painter()) + o.table(s.painter())
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
