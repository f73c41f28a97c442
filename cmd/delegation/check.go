package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
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
  - each target has a role, a SAML provider and a region that fit together, or
    rules that set them;
  - each signing key signs, and its certificate verifies the signature;
  - the metadata has a size that IAM accepts;
  - STS answers in each region, and this machine's clock agrees with it;
  - Redis does all that is needed, if replicas share anything: a key with the
    prefix is set, read, used in a script and deleted;
  - only the service can read and write its secrets.

It needs no token and changes nothing. It reads the configuration, and writes a
table to standard output, or JSON with --json. To find out why a token is
refused, use "delegation explain --token-file FILE".

A warning is not a failure. A note names a setting whose meaning has changed;
see docs/upgrading.md.

Exit codes: 0 if nothing failed, 1 if anything failed, 2 if the configuration is
wrong.`,
		Example: "  delegation check --config /etc/delegation/delegation.yaml",
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	s.configFlag(command, &f.configFile, defaultConfig)
	command.Flags().BoolVar(&f.json, "json", false, "write JSON, see docs/checks.md")
	command.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of the "+
		"configuration, for editors, and check nothing")
	return command
}

// run checks everything and prints the results. Its error says how many checks failed.
func (f *checkFlags) run(c *cobra.Command, s surroundings) error {
	if f.schema {
		return s.print(configurationSchema)
	}
	loaded, from, err := config.Load(f.configFile, s.environment)
	if err != nil {
		return err
	}
	built, err := config.Build(c.Context(), loaded, from, s.logger(verbose(c)), s.clock()...)
	if err != nil {
		return err
	}
	defer built.Close()
	s.addChecks(built)
	done := s.progress(c, "Checking issuers, keys and STS")
	results := placed(built.Check(c.Context()), built.Place)
	done()
	changed := config.Notes(loaded)
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

// failures returns an error that wraps the errors of all failed checks; nil if there are none.
func failures(results []delegation.CheckResult) error {
	var failed checksFailed
	for _, r := range results {
		switch r.Kind {
		case delegation.CheckSettings, service.CheckEnvironment, service.CheckFile:
			continue // these can only warn, never fail
		}
		failed.of++
		if r.Err != nil {
			failed.errors = append(failed.errors, r.Err)
		}
	}
	if len(failed.errors) > 0 {
		return failed
	}
	return nil
}

// checksFailed says only how many checks failed, because the table has named them.
type checksFailed struct {
	errors []error
	of     int
}

func (e checksFailed) Error() string {
	return fmt.Sprintf("%d of %d checks failed", len(e.errors), e.of)
}

func (e checksFailed) Unwrap() []error { return e.errors }

// table has a row for each result, each of its warnings and each note: its name, its state and a
// description. A failed result that also has warnings has a row for the failure and for each
// warning.
func table(results []delegation.CheckResult, notes []config.Note, paint term.Painter) []byte {
	var rows []term.Row
	add := func(name, state, what string) {
		rows = append(rows, term.Row{Name: term.Escaped(name), State: state, What: what})
	}
	for _, r := range results {
		warnings := warningsOf(r)
		if r.Err != nil {
			add(r.Name, paint(term.Red, "FAIL"), withPlace(r, r.Field, oneLine(r.Err)))
		}
		for _, w := range warnings {
			text := term.OneLine(config.ByKeys(w.String()))
			add(r.Name, paint(term.Yellow, "WARN"), withPlace(r, w.Field, text))
		}
		if r.Err == nil && len(warnings) == 0 {
			add(r.Name, paint(term.Green, "ok  "), "")
		}
	}
	for _, n := range notes {
		add(n.At, paint(term.Yellow, "NOTE"), n.What)
	}
	return []byte(term.Table(rows))
}

// warningsOf returns the warnings of a result, whichever checker it comes from.
func warningsOf(r delegation.CheckResult) []delegation.CheckWarning {
	if len(r.Warnings) == 0 && r.Warning != "" {
		return []delegation.CheckWarning{{Text: r.Warning}}
	}
	return r.Warnings
}

// withPlace puts the place in the configuration in front of a text. A result about a file needs
// none: its name is the place.
func withPlace(r delegation.CheckResult, place, text string) string {
	if place == "" || r.Kind == service.CheckFile {
		return text
	}
	return term.OneLine(place) + ": " + text
}

// checkEntry is a result or a note in JSON. docs/checks.md describes it.
type checkEntry struct {
	Kind   delegation.CheckKind `json:"kind,omitempty"`
	Issuer string               `json:"issuer,omitempty"`
	Target string               `json:"target,omitempty"`
	Region string               `json:"region,omitempty"`
	Took   int64                `json:"took_ms,omitempty"`

	Name     string           `json:"name"`
	State    string           `json:"state"`
	What     string           `json:"what,omitempty"`
	Warning  string           `json:"warning,omitempty"` // next to a failure
	Stage    delegation.Stage `json:"stage,omitempty"`
	Code     string           `json:"code,omitempty"`
	Remedy   string           `json:"remedy,omitempty"`
	At       string           `json:"at,omitempty"`
	Warnings []warningEntry   `json:"warnings,omitempty"`
}

// warningEntry is one of several warnings.
type warningEntry struct {
	Code   delegation.WarningCode `json:"code"`
	What   string                 `json:"what"`
	Remedy string                 `json:"remedy,omitempty"`
	At     string                 `json:"at,omitempty"`
}

// checkJSON has an entry for each result and each note. A name never occurs twice, so the warning
// of a failed result is a member of that result's entry.
func checkJSON(results []delegation.CheckResult, notes []config.Note) ([]byte, error) {
	list := []checkEntry{}
	for _, r := range results {
		list = append(list, newCheckEntry(r))
	}
	for _, n := range notes {
		list = append(list, checkEntry{Kind: checkNote, Name: n.At, State: "note", What: n.What})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}

// checkNote is the kind of notes.
const checkNote delegation.CheckKind = "note"

func newCheckEntry(r delegation.CheckResult) checkEntry {
	e := checkEntry{
		Kind:   r.Kind,
		Issuer: r.Issuer,
		Target: r.Target,
		Region: r.Region,
		Took:   r.Took.Milliseconds(),
		Name:   r.Name,
		State:  "ok",
	}
	warning := config.ByKeys(r.Warning)
	for _, w := range r.Warnings {
		e.Warnings = append(e.Warnings, warningEntry{
			Code:   w.Code,
			What:   config.ByKeys(w.Text),
			Remedy: config.ByKeys(w.Remedy),
			At:     w.Field,
		})
	}
	switch {
	case r.Err != nil:
		e.State = "failed"
		e.What = oneLine(r.Err)
		e.Warning = warning
		e.At = r.Field
		e.setCause(r.Err)
	case warning != "":
		e.State = "warning"
		e.What = warning
		if len(e.Warnings) > 0 {
			e.Code = string(e.Warnings[0].Code)
			e.Remedy = e.Warnings[0].Remedy
			e.At = e.Warnings[0].At
		}
	}
	return e
}

// setCause sets the stage, code and remedy of a failure that has them.
func (e *checkEntry) setCause(err error) {
	var failed *delegation.Error
	var redis *service.RedisError
	switch {
	case errors.As(err, &redis):
		e.Stage = redis.Stage
		e.Code = string(redis.Code)
		e.Remedy = redis.Remedy
	case errors.As(err, &failed):
		e.Stage = failed.Stage
		e.Code = string(failed.Code)
		e.Remedy = config.ByKeys(failed.Remedy)
	}
}
