// Album is a photo album in a browser. Its users sign in at an OpenID provider, and the page reads
// and writes their photos in Amazon S3 itself, with AWS's SDK for JavaScript and credentials
// for one user's folder.
//
//	go run .          # everything in memory, on loopback; open the address that it prints
//	go run . -once    # the same story in the terminal
//	go run . -help    # the flags for a real issuer, service and bucket
//
// README.md describes it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
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
three users, the service, AWS STS, S3, and the page. With -issuer only the page
is served, for a service and a bucket of yours. README.md says what they need.

Flags:
`

// flags are the values of the flags.
type flags struct {
	listen    string
	once      bool
	testClock bool
	verbose   bool
	real      settings // for -issuer
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	f, err := parse(args, out)
	if err != nil {
		return err
	}
	if f.real.Issuer != "" {
		return serveReal(ctx, f, out)
	}
	logger := slog.New(slog.DiscardHandler)
	if f.verbose {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	if f.once {
		f.listen = anyPort
	}
	a, err := openAlbum(ctx, f.listen, f.testClock, logger)
	if err != nil {
		return err
	}
	defer a.close()
	if f.once {
		return tell(ctx, a, out)
	}
	fmt.Fprintf(out, "The album is at %s\n", a.page)
	for _, u := range users {
		fmt.Fprintf(out, "  %-6s %-15s %s\n", u.name, u.password, u.about)
	}
	fmt.Fprintln(out, "Interrupt it to end it.")
	<-ctx.Done()
	return nil
}

// parse reads the flags. For -help it prints them and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("album", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", "127.0.0.1:8090", "`address` of the page")
	set.BoolVar(&f.once, "once", false, "tell the story in the terminal, and end")
	set.BoolVar(&f.testClock, "test-clock", false, "let POST /clock move the time, for tests")
	set.BoolVar(&f.verbose, "v", false, "log each exchange to standard error")
	set.StringVar(&f.real.Issuer, "issuer", "", "`URL` of a real OpenID provider")
	set.StringVar(&f.real.tokenEndpoint, "token-endpoint", "", "`URL` of the provider's token "+
		"endpoint, if it has another origin than the issuer, as Amazon Cognito's has")
	set.StringVar(&f.real.ClientID, "client", "", "`ID` of the page's client at the provider")
	set.StringVar(&f.real.Service, "service", "", "`URL` of the service, as \"delegation serve\" "+
		"has it")
	set.StringVar(&f.real.Target, "target", albumTarget, "`name` of the service's target")
	set.StringVar(&f.real.Bucket, "bucket", "", "`name` of the bucket in Amazon S3")
	set.StringVar(&f.real.Region, "region", "", "AWS `region` of the bucket")
	set.SetOutput(io.Discard) // main prints the error
	set.Usage = func() {}
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage)
		set.SetOutput(out)
		set.PrintDefaults()
		return flags{}, err
	}
	if err == nil && set.NArg() > 0 {
		err = fmt.Errorf("%.80q is not a flag", set.Arg(0))
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return flags{}, fmt.Errorf("%w (-help lists the flags)", err)
	}
	return f, nil
}

// check reports flags that cannot be combined, or that are missing.
func (f flags) check() error {
	needed := [][2]string{
		{"-issuer", f.real.Issuer}, {"-client", f.real.ClientID}, {"-service", f.real.Service},
		{"-bucket", f.real.Bucket}, {"-region", f.real.Region},
	}
	var missing []string
	for _, flag := range needed {
		if flag[1] == "" {
			missing = append(missing, flag[0])
		}
	}
	switch {
	case len(missing) == len(needed) && f.real.tokenEndpoint == "":
		return nil // everything in memory
	case len(missing) > 0:
		return fmt.Errorf("set %s, too", strings.Join(missing, ", "))
	case f.once || f.testClock:
		return errors.New("-once and -test-clock are for the album in memory: leave out -issuer")
	}
	for _, flag := range [][2]string{
		{"-issuer", f.real.Issuer},
		{"-service", f.real.Service},
		{"-token-endpoint", cmp.Or(f.real.tokenEndpoint, f.real.Issuer)},
	} {
		if !isPrivate(flag[1]) {
			return fmt.Errorf("%s: %.200q is not a URL such as https://service.example.com "+
				"(http is for this machine only)", flag[0], flag[1])
		}
	}
	return nil
}

// isPrivate tells whether an address is safe from eavesdroppers on the network: it uses https, or
// http on loopback.
func isPrivate(address string) bool {
	u, err := url.Parse(address)
	if err != nil || originOf(address) == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// serveReal serves only the page.
func serveReal(ctx context.Context, f flags, out io.Writer) error {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	f.real.Service = strings.TrimSuffix(f.real.Service, "/")
	f.real.Users = []string{}
	origin := "http://" + listener.Addr().String()
	fmt.Fprintf(out, "The page is at %s\nIt is the origin that service and bucket must allow, and "+
		"%s/ is the redirect URI.\nInterrupt it to end it.\n", origin, origin)
	server := &http.Server{
		Handler:           newSite(f.real, nil),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // it only serves files
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
