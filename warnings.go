package delegation

import (
	"cmp"
	"strings"
)

// WarningCode says exactly what a [CheckWarning] is about. Codes are stable: programs may switch on
// them. The table in docs/checks.md lists them.
type WarningCode string

// Warnings about issuers.
const (
	// Strangers can get tokens of the issuer, and nothing keeps them out.
	WarningIssuerStrangers WarningCode = "issuer_strangers"
	// The keys could not be refreshed; exchanges fail once the known ones are too old.
	WarningIssuerKeysStale WarningCode = "issuer_keys_stale"
	// Keys of the set cannot be used.
	WarningIssuerKeysLeftOut WarningCode = "issuer_keys_left_out"
	// No key of the set fits an algorithm that the issuer may use.
	WarningIssuerKeysUnfit WarningCode = "issuer_keys_unfit"
	// The TLS certificate of a server that has the issuer's documents ends soon.
	WarningIssuerServerCertificate WarningCode = "issuer_server_certificate"
	// A certificate in the issuer's key set ends soon.
	WarningIssuerKeyCertificate WarningCode = "issuer_key_certificate"
	// The clock of the issuer's server and that of this machine differ.
	WarningIssuerClock WarningCode = "issuer_clock"
)

// Warnings about targets and rules.
const (
	// Every exchange fails unless a rule changes what the target has.
	WarningTargetNeedsRule WarningCode = "target_needs_rule"
	// A region's name has the right form, and is none of those that this version knows.
	WarningRegionUnknown WarningCode = "region_unknown"
	// The assertion's recipient is of another partition than the region.
	WarningRecipientMismatch WarningCode = "recipient_mismatch"
	// The assertion's audience is of another partition than the region.
	WarningAudienceMismatch WarningCode = "audience_mismatch"
	// Session tags and policies may be more than AWS has space for.
	WarningPackedSize WarningCode = "packed_policy_size"
	// Several issuers' users share a role, in which ${saml:sub} does not tell them apart.
	WarningSubjectsShared WarningCode = "subjects_shared"
	// Subjects, or NameIDs that were seen, have slashes, and the target does not say whether
	// folders are named after them.
	WarningNameIDSlash WarningCode = "name_id_slash"
	// Targets of one role encode NameIDs differently.
	WarningNameIDsDiffer WarningCode = "name_ids_differ"
	// A row of a rule's table chooses what no exchange can get.
	WarningRowRefused WarningCode = "row_refused"
	// A row of a rule's table is never reached: a row before it matches all that it matches.
	WarningRowHidden WarningCode = "row_hidden"
	// A rule is limited to targets that do not exist.
	WarningRuleUnused WarningCode = "rule_unused"
	// A rule needs something that is not there, see [WithNeeds].
	WarningRuleNeeds WarningCode = "rule_needs"
)

// Warnings about signing keys.
const (
	// The certificate's validity has ended.
	WarningCertificateExpired WarningCode = "certificate_expired"
	// The certificate's validity ends within 30 days.
	WarningCertificateExpires WarningCode = "certificate_expires"
	// The certificate's validity has not begun.
	WarningCertificateNotYetValid WarningCode = "certificate_not_yet_valid"
	// The certificate is signed with SHA-1 or MD5.
	WarningCertificateHash WarningCode = "certificate_hash"
	// An identity has the key and its certificate twice.
	WarningKeyTwice WarningCode = "key_twice"
	// A key in memory signs slower than it could.
	WarningKeySlow WarningCode = "key_slow"
)

// Warnings about STS.
const (
	// Answers of STS are not compared with what was asked for.
	WarningSTSEmulator WarningCode = "sts_emulator"
	// STS is called elsewhere than at AWS.
	WarningSTSEndpoint WarningCode = "sts_endpoint"
	// The clocks of STS and of this machine differ.
	WarningSTSClock WarningCode = "sts_clock"
)

// CheckWarning is one thing that works and deserves a look. It holds no secret.
type CheckWarning struct {
	// Code says what it is.
	Code WarningCode
	// Text is what deserves the look, for the operator.
	Text string
	// Remedy is what to do, for the operator.
	Remedy string
	// Field is the field of [Config] that it is about, as the errors of [New] name it, such as
	// Targets["photo-app"]: Role. Empty: it is about none.
	Field string
	// Configured says that it is about the configuration alone. [New] has logged it, and it stays
	// until the configuration changes.
	Configured bool

	// brief leaves the remedy out of CheckResult.Warning: the text says that nothing needs doing.
	brief bool
	// between is what is between text and remedy. Empty: a colon.
	between string
}

// String returns the text and the remedy.
func (w CheckWarning) String() string {
	if w.Remedy == "" {
		return w.Text
	}
	return w.Text + cmp.Or(w.between, ": ") + w.Remedy
}

// inOneLine is CheckResult.Warning.
func inOneLine(warnings []CheckWarning) string {
	var texts []string
	for _, w := range warnings {
		if w.brief {
			texts = append(texts, w.Text)
			continue
		}
		texts = append(texts, w.String())
	}
	return strings.Join(texts, "; ")
}

// asConfigured marks warnings as those of the configuration alone.
func asConfigured(warnings []CheckWarning) []CheckWarning {
	for i := range warnings {
		warnings[i].Configured = true
	}
	return warnings
}
