// Album is a photo album in a browser. Its users sign in at an OpenID provider, and the page reads
// and writes their photos in Amazon S3 itself, with AWS's SDK for JavaScript and credentials that
// count for one user's folder.
//
//	go run .          # everything in memory, on loopback; open the address that it prints
//	go run . -once    # the same story in the terminal
//	go run . -help    # the flags for a real issuer, service and bucket
//
// README.md describes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "album:", err)
		os.Exit(1)
	}
}

const usage = `A photo album in a browser, whose users have folders of their own in Amazon S3.

Without flags everything is in memory and on loopback: an OpenID provider with
three users, the service, AWS STS, S3, and the page.

Flags:
`

// flags are the values of the flags.
type flags struct {
	listen    string
	once      bool
	testClock bool
	verbose   bool
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	f, err := parse(args, out)
	if err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	if f.verbose {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	a, err := openAlbum(ctx, f.listen, f.testClock, logger)
	if err != nil {
		return err
	}
	defer a.close()
	fmt.Fprintf(out, "The album is at %s\nInterrupt it to end it.\n", a.page)
	<-ctx.Done()
	return nil
}

// parse reads the flags. For -help it prints them and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("album", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", "127.0.0.1:8090", "`address` of the page")
	set.BoolVar(&f.testClock, "test-clock", false, "let POST /clock move the time, for tests")
	set.BoolVar(&f.verbose, "v", false, "log each exchange")
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
