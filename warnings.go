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
	// Strangers can get tokens of the issuer, and there is no gate.
	WarningIssuerStrangers WarningCode = "issuer_strangers"
	// The keys could not be refreshed. Exchanges will fail when the known keys are too old.
	WarningIssuerKeysStale WarningCode = "issuer_keys_stale"
	// Keys of the set cannot be used.
	WarningIssuerKeysLeftOut WarningCode = "issuer_keys_left_out"
	// No key of the set fits an algorithm that the issuer may use.
	WarningIssuerKeysUnfit WarningCode = "issuer_keys_unfit"
	// The TLS certificate of a server that has the issuer's documents expires soon.
	WarningIssuerServerCertificate WarningCode = "issuer_server_certificate"
	// A certificate in the issuer's key set expires soon.
	WarningIssuerKeyCertificate WarningCode = "issuer_key_certificate"
	// The clock of the issuer's server and that of this machine differ.
	WarningIssuerClock WarningCode = "issuer_clock"
)

// Warnings about targets and rules.
const (
	// Every exchange fails unless a rule changes the target's settings.
	WarningTargetNeedsRule WarningCode = "target_needs_rule"
	// The region's name has a valid form, but this version does not know the region.
	WarningRegionUnknown WarningCode = "region_unknown"
	// The assertion's recipient is of another partition than the region.
	WarningRecipientMismatch WarningCode = "recipient_mismatch"
	// The assertion's audience is of another partition than the region.
	WarningAudienceMismatch WarningCode = "audience_mismatch"
	// Session tags and policies may be too large for AWS.
	WarningPackedSize WarningCode = "packed_policy_size"
	// Several issuers' users share a role, in which ${saml:sub} does not tell them apart.
	WarningSubjectsShared WarningCode = "subjects_shared"
	// Subjects or NameIDs have slashes, and the target does not say whether folders are named after
	// them.
	WarningNameIDSlash WarningCode = "name_id_slash"
	// Targets of one role encode NameIDs differently.
	WarningNameIDsDiffer WarningCode = "name_ids_differ"
	// Every exchange fails with a role that a row of a rule's table chooses, or that the target
	// offers.
	WarningRowRefused WarningCode = "row_refused"
	// A row of a rule's table is never reached, because an earlier row matches everything that it
	// matches.
	WarningRowHidden WarningCode = "row_hidden"
	// A rule is limited to targets that do not exist.
	WarningRuleUnused WarningCode = "rule_unused"
	// A rule needs something that is not available, see [WithNeeds].
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
	// The identity has the key and its certificate twice.
	WarningKeyTwice WarningCode = "key_twice"
	// A key in memory signs more slowly than it could.
	WarningKeySlow WarningCode = "key_slow"
)

// Warnings about STS.
const (
	// Answers of STS are not compared with the request.
	WarningSTSEmulator WarningCode = "sts_emulator"
	// Calls to STS do not go to AWS.
	WarningSTSEndpoint WarningCode = "sts_endpoint"
	// The clocks of STS and of this machine differ.
	WarningSTSClock WarningCode = "sts_clock"
)

// CheckWarning is one thing that works but needs attention. It holds no secret.
type CheckWarning struct {
	// Code says what the warning is about.
	Code WarningCode
	// Text says what needs attention, for the operator.
	Text string
	// Remedy is what to do, for the operator.
	Remedy string
	// Field is the field of [Config] that the warning is about, as the errors of [New] name it,
	// such as Targets["photo-app"]: Role. Empty: none.
	Field string
	// Configured says that the warning depends only on the configuration. [New] has logged it, and
	// it stays until the configuration changes.
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
