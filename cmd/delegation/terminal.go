package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const (
	verboseFlag   = "verbose"
	progressDelay = time.Second // what takes no longer needs no word
)

// descriptor is what an *os.File has.
type descriptor interface{ Fd() uintptr }

// isTerminal tells whether a person sees what is written to w, or types what is read from it.
func (s surroundings) isTerminal(w any) bool {
	f, ok := w.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// print writes what a command is asked for, and reports that it could not, which fmt.Fprint would not: a full disk is no success.
func (s surroundings) print(text []byte) error {
	if _, err := s.stdout.Write(text); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// colour is a colour of terminals (ECMA-48, SGR).
type colour int

const (
	red    colour = 31
	green  colour = 32
	yellow colour = 33
)

// painter returns what colours a text that is written to w: nothing does if that is no terminal or the environment wants none (NO_COLOR, TERM=dumb).
func (s surroundings) painter(w any) func(colour, string) string {
	plain := !s.isTerminal(w) || s.variable("NO_COLOR") != "" || s.variable("TERM") == "dumb"
	return func(c colour, text string) string {
		if plain {
			return text
		}
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
	}
}

// verbose tells whether --verbose was given.
func verbose(c *cobra.Command) bool {
	on, _ := c.Flags().GetBool(verboseFlag) // every command has it
	return on
}

// progress says on standard error what the command is waiting for, if it takes longer than a second and a person is there to read it. The line
// is gone after done, which may be called more than once. Nothing is said after the command's context has ended.
func (s surroundings) progress(c *cobra.Command, what string) (done func()) {
	if !s.isTerminal(s.stderr) {
		return func() {}
	}
	after := s.after
	if after == nil {
		after = time.After
	}
	return progressLine(c, s.stderr, what, after(progressDelay))
}

func progressLine(c *cobra.Command, to io.Writer, what string, late <-chan time.Time) (done func()) {
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ended:
			return
		case <-c.Context().Done():
			return
		case <-late:
		}
		fmt.Fprintf(to, "%s ...", what)
		<-ended
		fmt.Fprint(to, "\r\x1b[K") // to the start of the line, and erase it (ECMA-48)
	}()
	return sync.OnceFunc(func() { close(ended); <-gone })
}

// complain says what went wrong: a line for each problem, and behind it, if verbose, a line for each error that it wraps. A token that was
// given where none belongs, and so was taken for a name, is not repeated.
func (s surroundings) complain(err error, verbose bool) {
	text := oneLine(err)
	if errors.As(err, new(usageError)) {
		text = err.Error() // a configuration may have several problems, each on a line
	}
	var b strings.Builder
	fmt.Fprintf(&b, "delegation: %s\n", text)
	if verbose {
		chain(&b, err, "  ")
	}
	_, _ = io.WriteString(s.stderr, jwt.ReplaceAllString(b.String(), "[token]")) // if that fails, nobody can be told
}

// chain writes the errors behind an error, each with its type, deeper ones further to the right.
func chain(to io.Writer, err error, indent string) {
	var behind []error
	switch e := err.(type) {
	case usageError: // which only chooses the exit code
		chain(to, e.error, indent)
		return
	case interface{ Unwrap() []error }:
		behind = e.Unwrap()
	default:
		if inner := errors.Unwrap(err); inner != nil {
			behind = []error{inner}
		}
	}
	for _, e := range behind {
		fmt.Fprintf(to, "%s%T: %s\n", indent, e, oneLine(e))
		chain(to, e, indent+"  ")
	}
}

// oneLine is an error's text on one line that no terminal obeys: a rule's refusal may hold what a stranger chose.
func oneLine(err error) string { return escaped(strings.ReplaceAll(byKeys(err.Error()), "\n", "; ")) }

// byKeys names the configuration's keys where the library's remedies name fields of its own, for people who write no Go.
func byKeys(text string) string { return fieldsToKeys.Replace(text) }

var fieldsToKeys = strings.NewReplacer(
	"Config.UnsafeSTSEmulator (sts.unsafe_emulator)", "sts.unsafe_emulator",
	"Config.UnsafeSTSEmulator", "sts.unsafe_emulator",
	"Config.Issuers", "issuers", "Config.MaxTokenSize", "max_token_size", "Config.STSTimeout", "sts.timeout", "Config.Targets", "targets",
	"Issuer.Algorithms", "algorithms of the issuer",
	"Issuer.JWKSURL", "jwks_url of the issuer",
	"Issuer.JWKS", "jwks_file of the issuer",
	"Issuer.AllowLoopbackHTTP", "allow_loopback_http of the issuer",
	"Issuer.AllowTokenMarks", "allow_token_marks of the issuer",
	"Issuer.ClientAudiences", "client_audiences of the issuer",
	"Issuer.RequiredClaims", "required_claims of the issuer",
	"Issuer.GatedByRules", "gated_by_rules of the issuer",
	"Target.AuthorizedParties", "authorized_parties of the target",
	"Target.RequiredClaims", "required_claims of the target",
	"Target.SubjectsAreOne", "subjects_are_one of the target",
	"Target.NameIDTellsIssuersApart", "name_id_tells_issuers_apart of the target",
	"Issuer.URL", "url of the issuer", "Target.Audiences", "audiences of the target", "Target.Issuers", "issuers of the target",
	"Target.AllowedRoles", "allowed_roles of the target", "Target.EncryptionKey", "encryption_key_file", "Target.SAMLRecipient", "saml_recipient of the target",
	"Target.SAMLAudience", "saml_audience of the target", "AWS.FailoverRegions", "failover_regions of the target",
	"IdentityProvider.EntityID", "identity_provider.entity_id", "IdentityProvider.Metadata", "the output of delegation metadata",
)
