// Command delegation serves and, in commands to come, sets up and diagnoses the exchange of ID tokens for AWS credentials.
//
//	delegation serve --demo                          # everything in memory, on loopback
//	delegation serve --config delegation.yaml        # for real
//
// It exits with 0 on success, 1 if something failed, and 2 if the command line or the configuration is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line or a configuration that has to be changed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// noArguments is for commands that have flags only.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %.80q, see %s --help", c.CommandPath(), args[0], c.CommandPath())}
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is the program, with all that it takes from its surroundings.
func run(ctx context.Context, args, environment []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "delegation", Short: "Turn OpenID Connect ID tokens into temporary AWS credentials",
		SilenceErrors: true, SilenceUsage: true,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(environment, stdout, stderr))
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "delegation: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "delegation: %v\n", err)
	return exitFailed
}
