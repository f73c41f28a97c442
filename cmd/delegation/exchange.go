package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

// exchangeFlags are the flags of exchange.
type exchangeFlags struct {
	tokenFlags
	narrowingFlags
	role        string
	format      string
	showSecrets bool
	cache       bool
	cacheDir    string
}

func exchangeCommand(s surroundings) *cobra.Command {
	var f exchangeFlags
	command := &cobra.Command{
		Use:   "exchange",
		Short: "Exchange an ID token for AWS credentials",
		Long: `Exchange an ID token for AWS credentials in this process. No service has to run.

It reads the configuration, and the token from a file or from standard input,
never from an argument. --format says what it writes to standard output:

  process      what an AWS credential_process prints
  env          exports for a shell: eval "$(delegation exchange --format env …)"
  json         the answer of Auth0's delegation endpoint
  console-url  a URL that signs a browser in to the AWS console, for 15 minutes;
               standard error has the end of the session

All of these are secrets. They go to a terminal only with --show-secrets.

The AWS CLI runs a credential_process for each command. --cache keeps the
credentials in a file that only you can read. Until they expire, it returns them
for the same token, target and configuration, without running rules.

--scope asks for a scope of the target, and --session-policy gives a session
policy. Both only narrow what the session may do.

If the exchange is refused, a line on standard error has the stage, the code and
the remedy, and the exit code is 1. --verbose adds the audit record.`,
		Example: `  delegation exchange --config /etc/delegation/delegation.yaml \
    --target photo-app --token-file token --format process`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	f.tokenFlags.add(command, s, "`target` of the configuration; required")
	f.narrowingFlags.add(command)
	roleFlag(command, &f.role)
	command.Flags().StringVar(&f.format, "format", "process", "`shape` of the output: process, "+
		"env, json or console-url")
	command.Flags().BoolVar(&f.showSecrets, "show-secrets", false,
		"write secrets to a terminal too")
	command.Flags().BoolVar(&f.cache, "cache", false,
		"keep credentials in a file until they expire")
	command.Flags().StringVar(&f.cacheDir, "cache-dir", "", "`folder` of --cache, by default "+
		"delegation in XDG_CACHE_HOME or ~/.cache")
	shapes := cobra.FixedCompletions(
		[]cobra.Completion{"process", "env", "json", "console-url"},
		cobra.ShellCompDirectiveNoFileComp)
	_ = command.RegisterFlagCompletionFunc("format", shapes) // cannot fail: the flag exists
	return command
}

// run exchanges a token and prints the credentials.
func (f *exchangeFlags) run(c *cobra.Command, s surroundings) error {
	if err := f.validate(s); err != nil {
		return err
	}
	if err := checkRole(c, f.role); err != nil {
		return err
	}
	if err := f.read(); err != nil {
		return err
	}
	if f.cache {
		return f.runCached(c, s)
	}
	built, token, err := f.open(c, s, f.change)
	if err != nil {
		return err
	}
	defer built.Close()
	done := s.progress(c, "Exchanging the token")
	defer done()
	credentials, err := f.exchange(c, built, token)
	if err != nil {
		return err
	}
	text, err := formats[f.format](c.Context(), built, credentials)
	if err != nil {
		return err
	}
	done()
	if f.format == "console-url" {
		s.say([]string{"the session in the console ends at " +
			credentials.Expiration.UTC().Format(time.RFC3339)})
	}
	return s.print(append(text, '\n'))
}

// exchange exchanges the token, for the requested role and narrowing.
func (f *exchangeFlags) exchange(
	c *cobra.Command, built *service.Service, token string,
) (*delegation.Credentials, error) {
	options := append(f.options(), delegation.WithRole(f.role))
	return built.Delegator.Exchange(c.Context(), token, f.target, options...)
}

// change prepares the settings for one exchange.
func (f *exchangeFlags) change(l *config.Settings) {
	forgetful(l)
	// Enabled even if the service does not offer the console, so that its settings are checked.
	l.HTTP.Console.Enabled = f.format == "console-url"
}

// runCached prints the cached credentials if there are any, and otherwise exchanges the token.
func (f *exchangeFlags) runCached(c *cobra.Command, s surroundings) error {
	loaded, from, err := config.Load(f.configFile, s.environment)
	if err != nil {
		return err
	}
	token, err := s.readToken(f.tokenFile)
	if err != nil {
		return err
	}
	cache, err := s.openCache(f, token, loaded, from)
	if err != nil {
		return err
	}
	defer cache.store.Close()
	done := s.progress(c, "Exchanging the token")
	defer done()
	credentials, err := cache.cached(c.Context(),
		func() (*delegation.Credentials, service.Files, error) {
			built, err := s.build(c.Context(), loaded, from, verbose(c), f.change)
			if err != nil {
				return nil, nil, err
			}
			defer built.Close()
			made, err := f.exchange(c, built, token)
			return made, from.Files(), err
		})
	if err != nil {
		return err
	}
	text, err := formats[f.format](c.Context(), nil, credentials)
	if err != nil {
		return err
	}
	done()
	return s.print(append(text, '\n'))
}

func (f *exchangeFlags) validate(s surroundings) error {
	if formats[f.format] == nil {
		return config.Usagef("--format is %.40q: use process, env, json or console-url", f.format)
	}
	if err := f.requireTarget(s, "exchange"); err != nil {
		return err
	}
	if f.cacheDir != "" && !f.cache {
		return config.Usage(errors.New("--cache-dir has no effect without --cache: add --cache"))
	}
	if f.cache && f.format == "console-url" {
		return config.Usage(errors.New("--cache cannot be used with --format console-url, which " +
			"needs new credentials: leave out --cache"))
	}
	if !f.showSecrets && term.IsTerminal(s.stdout) {
		return config.Usage(errors.New("the output is a secret, and standard output is a " +
			"terminal: send it to a file or a program with > or |, or add --show-secrets"))
	}
	return nil
}

// format writes credentials in one of the output formats. Only console-url uses the service.
type format func(context.Context, *service.Service, *delegation.Credentials) ([]byte, error)

// formats are the output formats, by the value of --format.
var formats = map[string]format{
	"process":     plainFormat((*delegation.Credentials).ProcessJSON),
	"json":        plainFormat((*delegation.Credentials).Auth0JSON),
	"env":         plainFormat(exports),
	"console-url": consoleURL,
}

// plainFormat makes a format from a function that needs only the credentials.
func plainFormat(write func(*delegation.Credentials) ([]byte, error)) format {
	return func(
		_ context.Context, _ *service.Service, c *delegation.Credentials,
	) ([]byte, error) {
		return write(c)
	}
}

func consoleURL(
	ctx context.Context, s *service.Service, c *delegation.Credentials,
) ([]byte, error) {
	url, err := s.Console.SignInURL(ctx, c, "")
	if err != nil {
		return nil, fmt.Errorf("console-url: %w", err)
	}
	return []byte(url), nil
}

// exports writes the same shell lines as the AWS CLI's export-credentials.
func exports(c *delegation.Credentials) ([]byte, error) {
	variables := [][2]string{
		{"AWS_ACCESS_KEY_ID", c.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey.Reveal()},
		{"AWS_SESSION_TOKEN", c.SessionToken.Reveal()},
		{"AWS_CREDENTIAL_EXPIRATION", c.Expiration.UTC().Format(time.RFC3339)},
	}
	var lines []string
	for _, v := range variables {
		lines = append(lines, "export "+v[0]+"="+term.QuoteForShell(v[1]))
	}
	return []byte(strings.Join(lines, "\n")), nil
}
