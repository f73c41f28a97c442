// Server is a Go service that serves AWS credentials. Copy it and change the configuration. If you
// need no code of your own, run cmd/delegation instead.
//
//	go run ./examples/server -cert signing.crt -key signing.key
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	certificate := flag.String("cert", "signing.crt", "PEM `file` with the signing certificate")
	key := flag.String("key", "signing.key", "PEM `file` with the private key of the certificate")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(ctx, logger, *address, *certificate, *key); err != nil {
		logger.Error("the service failed", slog.String("error", err.Error()))
		os.Exit(1)
	}
}

func run(ctx context.Context, logger *slog.Logger, address, certificateFile, keyFile string) error {
	certificate, err := os.ReadFile(certificateFile)
	if err != nil {
		return err
	}
	privateKey, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	signingKey, err := delegation.ParseSigningKey(certificate, privateKey)
	if err != nil {
		return err
	}
	handler, err := newHandler(ctx, delegation.Config{
		Issuers: []delegation.Issuer{{URL: "https://tenant.example.com/"}},
		IdentityProvider: delegation.IdentityProvider{
			EntityID: "urn:tenant.example.com", Keys: []delegation.SigningKey{signingKey},
		},
		Targets: delegation.Targets{"photo-app": {AWS: delegation.AWS{
			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
			Role:      "arn:aws:iam::123456789012:role/photo-user",
			Region:    "eu-central-1",
		}}},
		Rules:  []delegation.RuleFunc{delegation.RequireVerifiedEmail()},
		Logger: logger,
	})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: handler, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	finished := make(chan error, 1) // Shutdown waits for the requests under way
	context.AfterFunc(ctx, func() { finished <- server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-finished
}

// newHandler mounts the handlers. Add your own to the mux.
func newHandler(ctx context.Context, c delegation.Config) (http.Handler, error) {
	delegator, err := delegation.New(ctx, c)
	if err != nil {
		return nil, err
	}
	handlers, err := delegationhttp.New(delegationhttp.Config{
		Exchanger:      delegator,
		AllowedOrigins: []string{"https://app.example.com"},
		RateLimit:      delegationhttp.RateLimit{Requests: 10},
		Logger:         c.Logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/delegation", handlers.Delegation())
	mux.Handle("/credentials", handlers.ContainerCredentials())
	mux.Handle("/metadata", delegationhttp.Metadata(delegator))
	mux.Handle("/live", delegationhttp.Live())
	mux.Handle("/ready", delegationhttp.Ready(delegator, c.Logger))
	return mux, nil
}
