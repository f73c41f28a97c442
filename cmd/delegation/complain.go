package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// complain says what went wrong: a line for each problem, and behind it, if verbose, a line for
// each error that it wraps. A token that was given where none belongs, and so was taken for a name,
// is not repeated.
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
	// if that fails, nobody can be told
	_, _ = io.WriteString(s.stderr, jwt.ReplaceAllString(b.String(), "[token]"))
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

// oneLine is an error's text on one line that no terminal obeys: a rule's refusal may hold what a
// stranger chose.
func oneLine(err error) string { return term.OneLine(byKeys(err.Error())) }

// byKeys names the configuration's keys where the library's remedies name fields of its own, for
// people who write no Go.
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
	"Issuer.URL", "url of the issuer", "Target.Audiences", "audiences of "+
		"the target", "Target.Issuers", "issuers of the target",
	"Target.AllowedRoles", "allowed_roles of "+
		"the target", "Target.EncryptionKey", "encryption_key_file", "Target.SAMLRecipient", "saml_recipient of the target",
	"Target.SAMLAudience", "saml_audience of "+
		"the target", "AWS.FailoverRegions", "failover_regions of the target",
	"IdentityProvider.EntityID", "identity_provider.entity_id", "IdentityProvider.Metadata", "the output of delegation metadata",
)
