// Mcp is an MCP server whose tools list and read the files of the user who asks, in Amazon S3. Each
// call is signed with credentials of that user, which can do only what the tool does. The server
// has no credentials of its own.
//
//	go run .          # two users, and three refusals; nothing leaves this machine
//	go run . -serve   # leaves the server of the demonstration running, for a client of yours
//	go run . -help    # the flags for a real issuer, role and bucket
//
// docs/agents.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed055b7978/delegation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mcp:", err)
		os.Exit(1)
	}
}

const usage = `An MCP server that reads its callers' files in Amazon S3.

Without flags it runs a demonstration, and with -serve leaves its server running. The issuer,
AWS STS and S3 are in memory, and nothing leaves this machine. With -resource it serves at
AWS, and needs the other flags too. docs/agents.md describes the set-up.

Flags:
`

// flags are the values of the flags.
type flags struct {
	settings
	serve       bool
	listen      string
	entityID    string
	certificate string
	key         string
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	f, err := parse(args, out)
	if err != nil {
		return err
	}
	f.logger = slog.New(slog.NewJSONHandler(log, nil))
	switch {
	case f.resource != "":
		return serveReal(ctx, f, out)
	case f.serve:
		return serveDemonstration(ctx, f, out)
	default:
		return demonstrate(ctx, out)
	}
}

// parse reads the flags. For -help it prints them and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("mcp", flag.ContinueOnError)
	set.BoolVar(&f.serve, "serve", false, "leave the demonstration's server running")
	set.StringVar(&f.listen, "listen", "127.0.0.1:8090", "`address` to listen on")
	set.StringVar(&f.resource, "resource", "", "`URL` of this MCP server for its clients, which "+
		"is the audience of their tokens")
	set.StringVar(&f.issuer, "issuer", "", "`URL` of the issuer of the access tokens")
	f.profile = delegation.AccessTokenRFC9068
	set.Func("profile", "`kind` of access tokens that the issuer has: rfc9068 (default), entra, "+
		"cognito, keycloak or okta", func(name string) error {
		f.profile = delegation.AccessTokenProfile(name)
		return nil
	})
	set.Func("client", "`ID` of a client that may call; repeat it", func(id string) error {
		f.clients = append(f.clients, id)
		return nil
	})
	set.StringVar(&f.bucket, "bucket", "", "`name` of the bucket with a folder for each user")
	set.StringVar(&f.region, "region", "", "AWS `region` of the bucket and of STS")
	set.StringVar(&f.role, "role", "", "`ARN` of the role")
	set.StringVar(&f.principal, "principal", "", "`ARN` of the SAML provider in IAM")
	set.StringVar(&f.entityID, "entity-id", "", "entity `ID` in the SAML provider's metadata")
	set.StringVar(&f.certificate, "cert", "", "PEM `file` with the signing certificate")
	set.StringVar(&f.key, "key", "", "PEM `file` with the private key of the certificate")
	set.StringVar(&f.stsURL, "sts", "", "`URL` of an STS to use instead of AWS's")
	set.StringVar(&f.s3URL, "s3", "", "`URL` of an S3 to use instead of AWS's")
	set.SetOutput(io.Discard) // main prints the error
	set.Usage = func() {}
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		set.SetOutput(out)
		set.PrintDefaults()
		return flags{}, err
	}
	if err != nil {
		return flags{}, fmt.Errorf("%w (-help lists the flags)", err)
	}
	return f, nil
}

// serveReal serves with AWS, or with emulators of it.
func serveReal(ctx context.Context, f flags, out io.Writer) error {
	for _, needed := range [][2]string{
		{"-issuer", f.issuer}, {"-client", strings.Join(f.clients, " ")}, {"-bucket", f.bucket},
		{"-region", f.region}, {"-role", f.role}, {"-principal", f.principal},
		{"-entity-id", f.entityID}, {"-cert", f.certificate}, {"-key", f.key},
	} {
		if needed[1] == "" {
			return fmt.Errorf("set the flag %s, too (-help describes it)", needed[0])
		}
	}
	certificate, err := os.ReadFile(f.certificate)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(f.key)
	if err != nil {
		return err
	}
	signingKey, err := delegation.ParseSigningKey(certificate, key)
	if err != nil {
		return err
	}
	f.identity = delegation.IdentityProvider{
		EntityID: f.entityID,
		Keys:     []delegation.SigningKey{signingKey},
	}
	handler, err := newServer(ctx, f.settings)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is served at %s\n", f.resource, listener.Addr())
	server := &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	finished := make(chan error, 1) // Shutdown waits for the requests under way
	context.AfterFunc(ctx, func() { finished <- server.Shutdown(context.Background()) })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-finished
}
