package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

func serveCommand(s surroundings) *cobra.Command {
	var file, listen string
	var demo bool
	command := &cobra.Command{
		Use: "serve",
		Short: "Serve the delegation endpoint, container credentials, metadata and health " +
			"over HTTP",
		Long: "Serve the delegation endpoint of Auth0's clients, the container credentials " +
			"endpoint of AWS's SDKs, console sign-in, SAML metadata and\n" +
			"health over HTTP, as a YAML file says, with environment variables over it " +
			"(DELEGATION_STS_ENDPOINT is sts.endpoint).\n" +
			"It ends on SIGINT or SIGTERM, after the requests that are under way.",
		Example: "  delegation serve --demo\n  delegation serve --config delegation.yaml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case demo && file != "":
				return config.Usage(errors.New("--demo needs no --config: choose one"))
			case demo:
				return s.runDemo(c.Context(), listen)
			case file == "":
				return config.Usage(errors.New("serve needs --config FILE (or " +
					"DELEGATION_CONFIG), " +
					"or --demo to try it out"))
			}
			return runConfigured(c.Context(), file, listen, s.environment, s.stderr)
		},
	}
	s.configFlag(command, &file, "")
	command.Flags().StringVarP(&listen, "listen", "l", "", "`address` to listen on, instead of "+
		"the configured one; 127.0.0.1:8080")
	command.Flags().BoolVar(&demo, "demo", false, "serve with an OpenID provider and an AWS STS "+
		"in memory, on loopback")
	return command
}

func runConfigured(
	ctx context.Context, file, listen string, environment []string, stderr io.Writer,
) error {
	s, from, err := config.Load(file, environment)
	if err != nil {
		return err
	}
	logger, err := config.NewLogger(s.Log, stderr)
	if err != nil {
		return config.Usagef("%s: %w", from.At("log"), err)
	}
	if listen != "" {
		s.Listen = listen
	}
	built, err := config.Build(ctx, s, from, logger)
	if err != nil {
		return err
	}
	return built.Run(ctx)
}

// runDemo makes a key for the demonstration; a real one is kept in a file, an HSM or a KMS.
func (s surroundings) runDemo(ctx context.Context, listen string) error {
	key, err := newSigningKey()
	if err != nil {
		return err
	}
	return service.Demo(ctx, listen, key, s.stdout, s.stderr)
}

func newSigningKey() (delegation.SigningKey, error) {
	certificate, private, err := setup.NewKey(
		"delegation demo", setup.MinKeyBits, time.Now(), setup.DefaultValid)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	return delegation.ParseSigningKey(certificate, private)
}
