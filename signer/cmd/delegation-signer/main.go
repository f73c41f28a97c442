// Command delegation-signer signs for the program delegation with a key that stays in Google Cloud
// KMS, Azure Key Vault or a PKCS#11 token. The service starts it. It is a separate program, as
// OpenSSH's ssh-pkcs11-helper is, so that the service needs neither the clouds' SDKs nor a C
// library.
//
//	delegation-signer URI
//
// docs/signers.md describes the URIs, and the protocol on standard input and output.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation/signer/internal/azure"
	"github.com/seed055b7978/delegation/signer/internal/google"
	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/protocol"
	"github.com/seed055b7978/delegation/signer/internal/token"
)

const usage = `Usage: delegation-signer URI

Signs for the program delegation, which starts it. It speaks JSON on standard input and output.

  gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V
  azurekms://VAULT.vault.azure.net/KEY/VERSION
  pkcs11:token=LABEL;object=LABEL?module-path=/PATH/LIBRARY.so&pin-source=file:/PATH/PIN

The URI has no secrets. Credentials for the clouds come from where their own programs take them,
and a PIN from the file of pin-source or from DELEGATION_SIGNER_PIN.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, in io.Reader, out, errOut io.Writer) int {
	log := slog.New(slog.NewTextHandler(errOut, nil))
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Fprint(out, usage)
		return 0
	case len(args) == 1 && args[0] == "--version":
		fmt.Fprintln(out, "delegation-signer", version())
		return 0
	case len(args) != 1:
		fmt.Fprint(errOut, usage)
		return 2
	}
	stop := noteSignals(log)
	defer stop()
	server := &protocol.Server{
		Out:   out,
		Log:   log,
		Open:  func(ctx context.Context) (key.Key, error) { return open(ctx, args[0], log) },
		After: time.After,
	}
	if err := server.Serve(in); err != nil {
		logEnd(log, err)
		return 1
	}
	return 0
}

func open(ctx context.Context, uri string, log *slog.Logger) (key.Key, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "gcpkms":
		return google.Open(ctx, uri, google.Options{})
	case "azurekms", "azurekeyvault":
		return azure.Open(ctx, uri, azure.Options{Log: log})
	case "pkcs11":
		return token.Open(ctx, uri, token.Options{
			Log:    log,
			Getenv: os.Getenv,
			Now:    time.Now,
			Later: func(d time.Duration, f func()) func() {
				timer := time.AfterFunc(d, f)
				return func() { timer.Stop() }
			},
			Stuck: func() {
				log.Error("the token's library has not returned for a minute; ending")
				os.Exit(1)
			},
		})
	}
	return nil, key.Permanent("use a URI that begins with gcpkms://, azurekms:// or pkcs11:",
		"the URI names no kind of key that delegation-signer knows")
}

func logEnd(log *slog.Logger, err error) {
	var failure *key.Failure
	if errors.As(err, &failure) {
		log.Error("ended", "error", failure.Text, "remedy", failure.Remedy)
		return
	}
	log.Error("ended", "error", err)
}

// noteSignals keeps the program running until the service no longer needs it. systemd sends SIGTERM
// to both at the same time, and a terminal sends an interrupt. The service then finishes the
// requests under way, and closes standard input. A second signal ends the program at once.
func noteSignals(log *slog.Logger) (stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		first, ok := <-signals
		if !ok {
			return
		}
		log.Info("signal; serving until standard input ends, or a second signal comes",
			"signal", first.String())
		if second, ok := <-signals; ok {
			log.Error("second signal; ending", "signal", second.String())
			os.Exit(1)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return cmp.Or(info.Main.Version, "(devel)") + " " + info.GoVersion
}
