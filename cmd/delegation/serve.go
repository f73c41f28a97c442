package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/spf13/cobra"
)

func serveCommand(s surroundings) *cobra.Command {
	var file, listen string
	var origins []string
	var demo bool
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the service over HTTP, or with --demo a demonstration",
		Long: `Serve over HTTP: the delegation endpoint of Auth0's clients, the container
credentials endpoint of the AWS SDKs, console sign-in, SAML metadata and health.

A YAML file configures it. Environment variables override the file, such as
DELEGATION_STS_ENDPOINT for sts.endpoint.

On SIGHUP it reloads the configuration and all files that it names. With
reload.watch it also does so when one of them changes. If anything is wrong, it
keeps the old configuration, and says so in the log and at /ready.

On SIGINT or SIGTERM it finishes its requests and stops.

--demo needs no configuration. An OpenID provider and an AWS STS run in memory,
and a web page shows each step of an exchange. Nothing leaves this machine.`,
		Example: "  delegation serve --demo\n  delegation serve --config delegation.yaml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOrigins(origins); err != nil {
				return err
			}
			named := c.Flags().Changed("config") || file != defaultConfig
			switch {
			case demo && named:
				return config.Usage(errors.New("--demo and --config cannot be combined: choose " +
					"one"))
			case demo:
				return s.runDemo(c.Context(), listen, origins)
			case !named && isMissing(file):
				return config.Usagef("there is no %s here: name the configuration with --config "+
					"FILE (or DELEGATION_CONFIG), write one with delegation init, or try it out "+
					"with --demo", file)
			}
			return s.runConfigured(c.Context(), file, listen, origins)
		},
	}
	s.configFlag(command, &file, defaultConfig)
	command.Flags().StringVarP(&listen, "listen", "l", "", "`address` to listen on; by default "+
		"the configured one, or 127.0.0.1:8080")
	command.Flags().StringArrayVar(&origins, allowOriginFlag, nil, "web `origin` whose pages may "+
		"call, such as https://app.example.com, instead of the configured ones; repeat it for "+
		"several")
	command.Flags().BoolVar(&demo, "demo", false, "serve a page that shows each step of an "+
		"exchange, with an OpenID provider and an AWS STS in memory")
	return command
}

// isMissing tells whether there is no such file.
func isMissing(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

const allowOriginFlag = "allow-origin"

// checkOrigins checks the origins of the command line as delegationhttp does. Its errors name the
// flag.
func checkOrigins(origins []string) error {
	_, err := delegationhttp.New(delegationhttp.Config{
		Exchanger:      new(delegation.Delegator),
		AllowedOrigins: origins,
	})
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "delegationhttp: ")
	return config.Usage(errors.New(originField().ReplaceAllString(text, "--"+allowOriginFlag+": ")))
}

var originField = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^AllowedOrigins\[\d+\]: `)
})

func (s surroundings) runConfigured(
	ctx context.Context, file, listen string, origins []string,
) error {
	load := func() (*config.Settings, *config.Source, error) {
		settings, from, err := config.Load(file, s.environment)
		if err != nil {
			return nil, from, err
		}
		if listen != "" {
			settings.Listen = listen
			from.SetByFlag("listen", "--listen")
		}
		if len(origins) > 0 {
			settings.HTTP.AllowedOrigins = origins
		}
		return settings, from, nil
	}
	wanted, stop := s.hangups()
	defer stop()
	settings, from, err := load()
	if err != nil {
		return err
	}
	logger, err := config.NewLogger(settings.Log, s.stderr)
	if err != nil {
		return config.Usagef("%s: %w", from.At("log"), err)
	}
	measured, err := s.startTelemetry(ctx, settings.MetricsListen != "", logger)
	if err != nil {
		return err
	}
	defer measured.stop()
	options := append(s.clock(), config.WithHooks(measured.hooks()))
	built, err := config.Build(ctx, settings, from, logger, options...)
	if err != nil {
		return err
	}
	built.OnLimit = measured.onLimit()
	s.addChecks(built)
	built.ReportChecks = s.reportChecks
	watch := service.NewWatch(from.Files())
	built.Reload = &service.Reload{
		Wanted: wanted,
		Build: func(ctx context.Context, before *service.Service) (*service.Service, error) {
			settings, from, err := load()
			if err != nil {
				watch.Read(from.Files(), false)
				return nil, err
			}
			next, err := s.rebuild(ctx, settings, from, logger, before)
			watch.Read(from.Files(), err == nil)
			return next, err
		},
		Done: measured.onReload(),
	}
	if settings.Reload.Watch {
		built.Reload.Watch = watch
	}
	built.After = s.after
	info, _ := debug.ReadBuildInfo()
	built.Version = versionOf(info).Version
	if s.tuneMemory != nil {
		logger.Info("garbage collection", slog.Any("set", s.tuneMemory()))
	}
	return built.Run(ctx)
}

// rebuild makes the next version of a service. It keeps the logger.
func (s surroundings) rebuild(
	ctx context.Context, settings *config.Settings, from *config.Source, logger *slog.Logger,
	before *service.Service,
) (*service.Service, error) {
	if _, err := config.NewLogger(settings.Log, s.stderr); err != nil {
		return nil, config.Usagef("%s: %w", from.At("log"), err)
	}
	next, err := config.Rebuild(ctx, settings, from, logger, before, s.clock()...)
	if err != nil {
		return nil, err
	}
	s.addChecks(next)
	return next, nil
}

// runDemo makes a key in memory for the demonstration. A real key is kept in a file, an HSM or a
// KMS.
func (s surroundings) runDemo(ctx context.Context, listen string, origins []string) error {
	key, err := newSigningKey()
	if err != nil {
		return err
	}
	demo := service.Demonstration{
		Listen:         listen,
		AllowedOrigins: origins,
		Key:            key,
		Stdout:         s.stdout,
		Stderr:         s.stderr,
	}
	demo.Explain = func(e *delegation.Explanation, err error) any { return newOutcome(e, err) }
	return demo.Run(ctx)
}

func newSigningKey() (delegation.SigningKey, error) {
	certificate, private, err := setup.NewKey(
		"delegation demo", setup.MinKeyBits, time.Now(), setup.DefaultValid)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	return delegation.ParseSigningKey(certificate, private)
}
