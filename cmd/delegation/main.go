// Command delegation serves, sets up and diagnoses the exchange of ID tokens for AWS credentials.
//
//	delegation serve --demo                          # everything in memory, on loopback
//	delegation serve --config delegation.yaml        # for real
//	delegation help                                  # and what else it does
//
// It exits with 0 on success, 1 if something failed or was refused, and 2 if the command line or
// the configuration is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"

	_ "time/tzdata" // rules in JavaScript write dates in any zone, also in an image without files
)

const (
	exitFailed = 1
	exitUsage  = 2
)

const verboseFlag = "verbose"

const rootLong = `Exchange OpenID Connect ID tokens for temporary AWS credentials. The commands
run the service, set it up in AWS, and show why a token is refused.

To see it work, run "delegation serve --demo". To set it up, run "delegation
init".

Exit codes:
  0  done
  1  failed or refused, or ended by a signal
  2  the command line or the configuration is wrong

Errors go to standard error: what is wrong, where, and how to fix it. --verbose
adds the underlying errors. No argument is a secret: tokens and keys come from
files or from standard input.`

// noArguments is for commands that have flags only.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasParent():
		return config.Usagef("%s takes no argument %q, see "+
			"%s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		return config.Usagef("%q is not a command: did you "+
			"mean %s?", args[0], strings.Join(similar, " or "))
	}
	return config.Usagef("%q is not a command: see delegation help", args[0])
}

func main() { runAs(ofThisProcess()) }

// runAs runs the command of this process's arguments, and ends the process.
func runAs(s surroundings) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], s))
}

// ofThisProcess returns what this process has around it.
func ofThisProcess() surroundings {
	return surroundings{
		environment: os.Environ(),
		stdin:       os.Stdin,
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		tuneMemory:  tuneMemory,
		notify:      signal.Notify,

		reportChecks: true,
	}
}

// tuneMemory sets this process's memory settings for a service.
func tuneMemory() service.Memory {
	m := service.MemoryOf(os.Getenv, os.DirFS("/"))
	m.Apply()
	return m
}

// surroundings is everything a command takes from outside the program.
type surroundings struct {
	environment    []string
	stdin          io.Reader
	stdout, stderr io.Writer
	after          func(time.Duration) <-chan time.Time // nil: time.After
	ended          <-chan struct{}                      // closed by a signal; run sets it
	// tuneMemory sets the memory settings of the process for a service. nil: they stay as they are.
	tuneMemory func() service.Memory
	// notify is signal.Notify. nil: no signal comes.
	notify func(chan<- os.Signal, ...os.Signal)
	// now is the clock of serve --config. nil: time.Now.
	now func() time.Time
	// reportChecks makes serve run the checks of check at the start, and log their findings.
	reportChecks bool
	// newKey makes a key. nil: setup.NewKey.
	newKey keyMaker
}

// keyMaker is the type of setup.NewKey.
type keyMaker func(
	name string, bits int, now time.Time, valid time.Duration,
) (certificatePEM, keyPEM []byte, err error)

// variable returns a variable of the environment, "" if it is not set.
func (s surroundings) variable(name string) (value string) {
	for _, entry := range s.environment {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			value = text
		}
	}
	return value
}

// clockFunc is the clock.
func (s surroundings) clockFunc() func() time.Time {
	if s.now == nil {
		return time.Now
	}
	return s.now
}

// clock is the option for the clock, none if it is time.Now.
func (s surroundings) clock() []config.Option {
	if s.now == nil {
		return nil
	}
	return []config.Option{config.WithClock(s.now)}
}

// hangups returns a channel that receives a value for each SIGHUP. While one waits to be received,
// at most one more is remembered. The signal no longer ends the process, until stop is called.
func (s surroundings) hangups() (came <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 1)
	if s.notify != nil {
		s.notify(signals, syscall.SIGHUP)
	}
	return signals, func() { signal.Stop(signals) }
}

// print writes a command's output and returns the error, so that a full disk is not reported as
// success.
func (s surroundings) print(text []byte) error {
	if _, err := s.stdout.Write(text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// painter returns the painter of what is written to standard output.
func (s surroundings) painter() term.Painter { return term.NewPainter(s.stdout, s.variable) }

// progress says on standard error what the command is waiting for, see term.Progress.
func (s surroundings) progress(c *cobra.Command, what string) (done func()) {
	return term.Progress(c.Context(), s.stderr, what, s.after)
}

// commands are all commands of the program, apart from completion and help.
func (s surroundings) commands() []*cobra.Command {
	return []*cobra.Command{
		initCommand(s),
		importAuth0Command(s),
		keygenCommand(s),
		metadataCommand(s),
		trustPolicyCommand(s),
		permissionPolicyCommand(s),
		cloudFormationCommand(s),
		terraformCommand(s),
		revokeCommand(s),
		serveCommand(s),
		checkCommand(s),
		explainCommand(s),
		exchangeCommand(s),
		rolesCommand(s),
		versionCommand(s),
		manCommand(s),
	}
}

// run runs the program with its surroundings.
func run(ctx context.Context, args []string, s surroundings) int {
	s.ended = ctx.Done()
	root := rootCommand(s)
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	s.complain(err, verbose(c))
	if errors.As(err, new(config.UsageError)) {
		return exitUsage
	}
	return exitFailed
}

// verbose tells whether --verbose was given.
func verbose(c *cobra.Command) bool {
	on, _ := c.Flags().GetBool(verboseFlag) // every command has it
	return on
}

// wrongFlag is the error for an unknown flag or a wrong value of one.
func wrongFlag(c *cobra.Command, err error) error {
	switch err.Error() {
	case "unknown flag: --token", "unknown flag: --id-token":
		return config.Usage(errors.New("no flag takes a token, because every user of a machine " +
			"can list arguments: name the token's file with --token-file FILE, or send the token " +
			"to standard input with --token-file -"))
	}
	return config.Usagef("%w: see %s --help", err, c.CommandPath())
}

func rootCommand(s surroundings) *cobra.Command {
	root := &cobra.Command{
		Use: "delegation", Short: "Exchange OpenID Connect ID tokens for temporary " +
			"AWS credentials", Long: rootLong,
		Example:       "  delegation serve --demo",
		SilenceErrors: true, SilenceUsage: true,
		Args: noArguments, SuggestionsMinimumDistance: 2,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolP(verboseFlag, "v", false, "print the underlying errors and "+
		"the log to standard error")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(s.commands()...)
	root.SetIn(s.stdin)
	root.SetOut(s.stdout)
	root.SetErr(s.stderr)
	addUsualCommands(root)
	addVersionFlag(root)
	root.SetHelpFunc(s.writeHelp)
	root.SetUsageFunc(s.writeUsage)
	return root
}
