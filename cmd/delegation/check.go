package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

// checkFlags are the flags of check.
type checkFlags struct {
	configFile string
	json       bool
	schema     bool
}

func checkCommand(s surroundings) *cobra.Command {
	var f checkFlags
	command := &cobra.Command{
		Use:   "check",
		Short: "Check the issuers, the signing keys, the metadata and STS",
		Long: `Check what exchanges depend on:

  - each issuer has keys that can be used;
  - each signing key signs, and its certificate verifies the signature;
  - the metadata has a size that IAM accepts;
  - STS answers in each region;
  - Redis does all that is needed, if replicas share anything: a key of the
    prefix is set, read, used in a script and deleted.

It needs no token and leaves everything as it was. It reads the configuration,
and writes a table to standard output, or JSON with --json. To find out why a
token is refused, use "delegation explain --token-file FILE".

A warning is not a failure. A note names a setting whose meaning has changed;
see docs/upgrading.md.

Exit codes: 0 if nothing failed, 1 if anything failed, 2 if the configuration is
wrong.`,
		Example: "  delegation check --config /etc/delegation/delegation.yaml",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	s.configFlag(command, &f.configFile, defaultConfig)
	command.Flags().BoolVar(&f.json, "json", false, "write JSON, see docs/cli.md")
	command.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of the "+
		"configuration, for editors, and check nothing")
	return command
}

// run checks everything and prints the results. Its error says how many have failed.
func (f *checkFlags) run(c *cobra.Command, s surroundings) error {
	if f.schema {
		return s.print(configurationSchema)
	}
	var changed []config.Note
	built, err := s.configured(c.Context(), f.configFile, verbose(c), func(l *config.Settings) {
		changed = config.Notes(l)
	})
	if err != nil {
		return err
	}
	defer built.Close()
	done := s.progress(c, "Checking issuers, keys and STS")
	results := built.Delegator.Check(c.Context())
	if built.Redis != nil {
		results = append(results, delegation.CheckResult{
			Name: "redis",
			Err:  built.Redis.CheckAccess(c.Context()),
		})
	}
	done()
	results = append(results, exposed(built.KeyFiles)...)
	text := table(results, changed, s.painter())
	if f.json {
		if text, err = checkJSON(results, changed); err != nil {
			return err
		}
	}
	if err := s.print(text); err != nil {
		return err
	}
	return failures(results)
}

// exposed warns of each file that every user of the machine can read. It is no failure, because
// container platforms mount secrets so, where nobody else is. Windows has no such modes.
func exposed(files []string) (results []delegation.CheckResult) {
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || runtime.GOOS == "windows" || info.Mode()&0o004 == 0 {
			continue
		}
		results = append(results, delegation.CheckResult{
			Name: "file " + file,
			Warning: fmt.Sprintf("every user of this machine can read this signing key "+
				"(mode %04o): chmod 600 %s", info.Mode().Perm(), term.QuoteForShell(file)),
		})
	}
	return results
}

// failures is an error that wraps those of all results; nil if there are none.
func failures(results []delegation.CheckResult) error {
	var failed checksFailed
	for _, r := range results {
		if r.Err != nil {
			failed.errors = append(failed.errors, r.Err)
		}
	}
	if failed.of = len(results); len(failed.errors) > 0 {
		return failed
	}
	return nil
}

// checksFailed says how many in one line, because the table has said which.
type checksFailed struct {
	errors []error
	of     int
}

func (e checksFailed) Error() string {
	return fmt.Sprintf("%d of %d checks failed", len(e.errors), e.of)
}

func (e checksFailed) Unwrap() []error { return e.errors }

// table has a row for each result and each note: its name, its state and what there is to say. A
// result that has failed and has a warning too has a row for each.
func table(results []delegation.CheckResult, notes []config.Note, paint term.Painter) []byte {
	var rows []term.Row
	add := func(name, state, what string) {
		rows = append(rows, term.Row{Name: name, State: state, What: what})
	}
	for _, r := range results {
		warning := config.ByKeys(r.Warning)
		if r.Err != nil {
			add(r.Name, paint(term.Red, "FAIL"), oneLine(r.Err))
		}
		if warning != "" {
			add(r.Name, paint(term.Yellow, "WARN"), warning)
		}
		if r.Err == nil && warning == "" {
			add(r.Name, paint(term.Green, "ok  "), "")
		}
	}
	for _, n := range notes {
		add(term.Escaped(n.At), paint(term.Yellow, "NOTE"), n.What)
	}
	return []byte(term.Table(rows))
}

// checkJSON has an entry for each result and each note. A name is never in it twice, so the
// warning of a result that has failed is a member of its entry.
func checkJSON(results []delegation.CheckResult, notes []config.Note) ([]byte, error) {
	type entry struct {
		Name    string           `json:"name"`
		State   string           `json:"state"`
		What    string           `json:"what,omitempty"`
		Warning string           `json:"warning,omitempty"` // next to a failure
		Stage   delegation.Stage `json:"stage,omitempty"`
		Code    delegation.Code  `json:"code,omitempty"`
	}
	list := []entry{}
	for _, r := range results {
		e := entry{Name: r.Name, State: "ok"}
		warning := config.ByKeys(r.Warning)
		switch {
		case r.Err != nil:
			e.State = "failed"
			e.What = oneLine(r.Err)
			e.Warning = warning
		case warning != "":
			e.State = "warning"
			e.What = warning
		}
		if failed := new(delegation.Error); errors.As(r.Err, &failed) { // Redis has no code
			e.Stage = failed.Stage
			e.Code = failed.Code
		}
		list = append(list, e)
	}
	for _, n := range notes {
		list = append(list, entry{Name: n.At, State: "note", What: n.What})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}
