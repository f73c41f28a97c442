package main

import (
	"encoding/json"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

// rolesFlags are the flags of roles.
type rolesFlags struct {
	tokenFlags
	json bool
}

func rolesCommand(s surroundings) *cobra.Command {
	var f rolesFlags
	command := &cobra.Command{
		Use:   "roles",
		Short: "List the roles that the user of an ID token may choose",
		Long: `List the roles that the user of an ID token may choose at a target, and what
offers each of them: the target's list, an entry of a claim, or a rule. These
are the roles that exchange --role accepts. A star marks the role of an exchange
without --role.

It reads the configuration, and the token from a file or from standard input. It
fetches the issuer's keys, and rules run as usual, once for each role. It does
not sign, does not call AWS, and does not use up the token. It cannot see
whether the trust policy of a role allows the user.

It prints a table, or JSON with --json. A role for which an exchange would fail
is left out. --verbose and explain --role show why.`,
		Example: "  delegation roles --target photo-app --token-file token",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	f.add(command, s, "`target` of the configuration; required")
	command.Flags().BoolVar(&f.json, "json", false, "write JSON, see docs/cli.md")
	return command
}

// run lists the roles and prints them.
func (f *rolesFlags) run(c *cobra.Command, s surroundings) error {
	if err := f.requireTarget(s, "roles"); err != nil {
		return err
	}
	built, token, err := f.open(c, s, func(l *config.Settings) {
		l.Replay = config.ReplaySettings{} // a list of roles does not check for replay
		forgetful(l)
	})
	if err != nil {
		return err
	}
	defer built.Close()
	done := s.progress(c, "Asking the issuer and the rules")
	listed, err := built.Delegator.Roles(c.Context(), token, f.target)
	done()
	if err != nil {
		return err
	}
	if f.json {
		return s.printRolesJSON(listed)
	}
	if len(listed) == 0 {
		s.say([]string{"the target offers this user no role"})
		return nil
	}
	return s.print([]byte(term.Columns(rolesTable(listed), widestRole)))
}

// widestRole is the maximum width of the role column. Most role ARNs fit.
const widestRole = 60

// rolesTable are the rows of the table, with its head.
func rolesTable(listed []delegation.RoleOption) [][]string {
	rows := [][]string{{"", "ROLE", "LABEL", "ACCOUNT", "OFFERED BY"}}
	for _, o := range listed {
		mark := ""
		if o.Default {
			mark = "*"
		}
		account := o.AccountID
		if o.Account != "" {
			account = term.Escaped(o.Account)
		}
		rows = append(rows, []string{
			mark, term.Escaped(o.Role), term.Escaped(o.Label), account, term.Escaped(o.Why),
		})
	}
	return rows
}

// roleListed is a role in the JSON of roles.
type roleListed struct {
	Role      string `json:"role"`
	Principal string `json:"principal"`
	Label     string `json:"label"`
	AccountID string `json:"account_id"`
	Account   string `json:"account"`
	Why       string `json:"why"`
	Default   bool   `json:"default"`
}

func (s surroundings) printRolesJSON(listed []delegation.RoleOption) error {
	list := make([]roleListed, 0, len(listed))
	for _, o := range listed {
		list = append(list, roleListed(o))
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return s.print(append(text, '\n'))
}

// roleFlag adds --role to a command.
func roleFlag(command *cobra.Command, role *string) {
	command.Flags().StringVar(role, "role", "",
		"`ARN` of a role that the command roles lists; by default the target's")
}

// checkRole refuses an empty --role. An unset shell variable would otherwise silently select
// another role than the one intended.
func checkRole(command *cobra.Command, role string) error {
	if role == "" && command.Flags().Changed("role") {
		return config.Usagef("--role is empty: name a role, or leave the flag out")
	}
	return nil
}
