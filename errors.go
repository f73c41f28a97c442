package delegation

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"

	"github.com/seed055b7978/delegation/internal/errortable"
)

// Stage is the step of an exchange that failed. It is an error itself, so that errors.Is(err, StageRules) works.
type Stage string

// The stages, in the order of an exchange.
const (
	StageConfig   Stage = "config"   // New, or a caller's argument
	StageToken    Stage = "token"    // the ID token and its issuer's keys
	StageTarget   Stage = "target"   // the target, and who may call it
	StageRules    Stage = "rules"    // the profile loader and the operator's rules
	StageDecision Stage = "decision" // the check of what target and rules asked for
	StageCache    Stage = "cache"    // the memory of credentials, the shared cache, and the wait for another exchange's call: no error of an exchange
	StageSAML     Stage = "saml"     // building and signing the assertion
	StageSTS      Stage = "sts"      // the call to AWS
)

// Error returns the stage's name.
func (s Stage) Error() string { return string(s) }

// Code says exactly what was wrong; each belongs to one [Stage] and has one remedy. It is an error itself, so that
// errors.Is(err, CodeTokenExpired) works. Codes are stable: programs may switch on them and dashboards may count them.
type Code string

// Error returns the code.
func (c Code) Error() string { return string(c) }

// Codes of every stage.
const (
	CodeConfigInvalid   Code = "config_invalid"   // New was given fields that are missing or wrong; all are named
	CodeArgumentInvalid Code = "argument_invalid" // a nil context, or a Delegator that New did not make
	CodeCanceled        Code = "canceled"         // the caller's context ended; its error is wrapped. The stage says where

	CodeTokenMissing         Code = "token_missing"           // the ID token is empty
	CodeTokenTooLarge        Code = "token_too_large"         // longer than Config.MaxTokenSize
	CodeTokenMalformed       Code = "token_malformed"         // not one compact JWS with JSON objects inside
	CodeTokenEncrypted       Code = "token_encrypted"         // a JWE
	CodeTokenEncoding        Code = "token_encoding"          // base64url with padding, stray bits or foreign characters
	CodeTokenDuplicateMember Code = "token_duplicate_member"  // a JSON member stands twice
	CodeTokenFoldedName      Code = "token_folded_name"       // a name that differs from a registered one only by case folding
	CodeTokenSurrogate       Code = "token_surrogate"         // a string has half a surrogate pair
	CodeTokenCritical        Code = "token_critical_header"   // a crit header
	CodeTokenB64             Code = "token_b64_header"        // a b64 header (RFC 7797)
	CodeTokenType            Code = "token_type"              // typ names another kind of token, such as at+jwt
	CodeTokenUnsigned        Code = "token_unsigned"          // algorithm none
	CodeAlgorithmCase        Code = "algorithm_case"          // an algorithm's name in the wrong case
	CodeAlgorithmNotAllowed  Code = "algorithm_not_allowed"   // not on the issuer's allowlist
	CodeIssuerUnknown        Code = "issuer_unknown"          // iss is not a configured issuer; no request was made
	CodeKeyUnknown           Code = "key_unknown"             // no published key has the token's kid
	CodeKeyPending           Code = "key_pending"             // no known key fits, no fetch now
	CodeKeyWeak              Code = "key_weak"                // RSA under 2048 bits, over 8192, a bad exponent or a ROCA key; a private key that is published
	CodeKeyUnsuitable        Code = "key_unsuitable"          // the key is for another algorithm, curve or use
	CodeKeySetInvalid        Code = "key_set_invalid"         // the key set or discovery document cannot be read
	CodeKeySetDuplicateID    Code = "key_set_duplicate_kid"   // two signing keys share a kid
	CodeKeySetSymmetric      Code = "key_set_symmetric"       // the published set holds a symmetric key
	CodeKeySetTooLarge       Code = "key_set_too_large"       // a document over 1 MiB
	CodeKeySetRedirect       Code = "key_set_redirect"        // the issuer answered with a redirect
	CodeKeySetURL            Code = "key_set_url"             // a key set URL that is not https, or leads to another host's address
	CodeKeySetUnavailable    Code = "key_set_unavailable"     // the issuer cannot be reached and no usable keys are left
	CodeDiscoveryIssuer      Code = "discovery_issuer"        // the discovery document names another issuer
	CodeSignatureInvalid     Code = "signature_invalid"       // the signature does not verify
	CodeSignatureSaltLength  Code = "signature_salt_length"   // RSA-PSS with a salt that is not as long as the hash (RFC 7518 §3.5)
	CodeClaimMissing         Code = "claim_missing"           // iss, sub, aud, exp or iat is absent or empty
	CodeClaimType            Code = "claim_type"              // a registered claim of the wrong JSON type
	CodeClaimDate            Code = "claim_date"              // exp, iat or nbf is not a number of seconds
	CodeClaimDateOrder       Code = "claim_date_order"        // iat or nbf is after exp
	CodeClaimParty           Code = "claim_authorized_party"  // several audiences, and nothing says which is the client
	CodeClaimClientConflict  Code = "claim_client_conflict"   // azp, appid, cid and client_id name different applications
	CodeTokenExpired         Code = "token_expired"           // exp has passed
	CodeTokenNotYetValid     Code = "token_not_yet_valid"     // nbf lies ahead
	CodeTokenFromFuture      Code = "token_issued_in_future"  // iat lies ahead
	CodeTokenSourceFailed    Code = "token_source_failed"     // the TokenSource of a Provider returned an error or no token
	CodeDelegationDisabled   Code = "delegation_disabled"     // no such target: delegation is off unless it is configured
	CodeTargetFailed         Code = "target_lookup_failed"    // the TargetSource returned an error
	CodeTargetInvalid        Code = "target_invalid"          // the TargetSource returned a target that New would refuse
	CodeAudienceNotAllowed   Code = "audience_not_allowed"    // the token was issued to, or for, an application the target does not list
	CodeIssuerNotAllowed     Code = "issuer_not_allowed"      // the target does not take tokens of this issuer
	CodeClientMismatch       Code = "client_mismatch"         // WithClientID is neither the token's client nor an audience
	CodeRequiredClaim        Code = "required_claim"          // the token lacks a claim that Issuer or Target requires
	CodeProfileFailed        Code = "profile_failed"          // the profile loader returned an error or panicked
	CodeDenied               Code = "denied"                  // a rule refused with Deny
	CodeRuleFailed           Code = "rule_failed"             // a rule returned another error
	CodeRulePanicked         Code = "rule_panicked"           // a rule panicked
	CodeRoleInvalid          Code = "role_invalid"            // role or principal is missing or not an ARN of its kind
	CodeAccountMismatch      Code = "account_mismatch"        // role and principal are of two accounts or partitions
	CodeRoleNotAllowed       Code = "role_not_allowed"        // not among the target's AllowedRoles
	CodeProviderMismatch     Code = "provider_mismatch"       // another SAML provider than the one that the target encrypts for
	CodeRegionInvalid        Code = "region_invalid"          // an unknown region, one of another partition, or one without FIPS; or too many for the time there is
	CodeMappingInvalid       Code = "mapping_invalid"         // a mapping gives no usable value
	CodeNameIDInvalid        Code = "name_id_invalid"         // an empty, overlong or wildcard NameID
	CodeDurationInvalid      Code = "duration_invalid"        // outside 900 to 43200 whole seconds
	CodeSessionNameInvalid   Code = "session_name_invalid"    // no session name, or an odd one in strict mode
	CodeTagsInvalid          Code = "tags_invalid"            // session tags against AWS's limits
	CodeSourceIDInvalid      Code = "source_identity_invalid" // not 2 to 64 of [\w+=,.@-], or starting with aws:
	CodePolicyInvalid        Code = "session_policy_invalid"  // not JSON, too long, or with characters AWS refuses
	CodeTextInvalid          Code = "text_invalid"            // a value XML cannot carry unaltered
	CodeResponseTooLarge     Code = "saml_response_too_large" // over AWS's 100,000 characters
	CodeSigningFailed        Code = "signing_failed"          // the signer failed, or its signature does not fit the certificate
	CodeEncryptionFailed     Code = "encryption_failed"       // the assertion could not be encrypted

	CodeTokenReplayed     Code = "token_replayed"           // Config.Replay knows the token: it was used for this target
	CodeReplayUnavailable Code = "replay_store_unavailable" // Config.Replay failed or is full, so nothing is granted
	CodeSharedCache       Code = "shared_cache_failed"      // Invalidate has not reached Config.SharedCache; exchanges go on without it

	// A JavaScript rule gave callback no user, which is how rules refuse without an error.
	CodeRuleUserMissing Code = "rule_user_missing"
	// A rule sent the user elsewhere by context.redirect.
	CodeRuleRedirect Code = "rule_redirect"
	// A rule asked for another factor by context.multifactor.
	CodeRuleMultifactor Code = "rule_multifactor"
	// A rule read a property of context that nobody supplies, so that a check of it decides nothing.
	CodeRuleContextMissing Code = "rule_context_missing"

	CodeSTSExpired          Code = "sts_response_expired"
	CodeSTSTooOld           Code = "sts_response_too_old"
	CodeSTSClaimRejected    Code = "sts_claim_rejected"
	CodeSTSSignature        Code = "sts_signature_invalid"
	CodeSTSIssuer           Code = "sts_issuer_not_in_provider"
	CodeSTSProvider         Code = "sts_provider_missing"
	CodeSTSUnreadable       Code = "sts_response_unreadable"
	CodeSTSConfirmation     Code = "sts_subject_confirmation"
	CodeSTSAudience         Code = "sts_audience"
	CodeSTSRolePair         Code = "sts_role_pair_missing"
	CodeSTSSessionName      Code = "sts_session_name"
	CodeSTSSourceIdentity   Code = "sts_source_identity"
	CodeSTSIdentityToken    Code = "sts_invalid_identity_token" // InvalidIdentityToken with a message not listed here
	CodeSTSPolicy           Code = "sts_policy_malformed"
	CodeSTSPackedSize       Code = "sts_packed_policy_too_large"
	CodeSTSRegionDisabled   Code = "sts_region_disabled"
	CodeSTSAccessDenied     Code = "sts_access_denied"
	CodeSTSRoleARN          Code = "sts_role_arn"
	CodeSTSPrincipalARN     Code = "sts_principal_arn"
	CodeSTSOtherAccount     Code = "sts_principal_other_account"
	CodeSTSDuration         Code = "sts_duration_exceeds_role"
	CodeSTSValidation       Code = "sts_validation" // ValidationError, MalformedInput or InvalidAction with another message
	CodeSTSThrottled        Code = "sts_throttled"
	CodeSTSUnavailable      Code = "sts_unavailable"       // 5xx, or no connection
	CodeSTSTimeout          Code = "sts_timeout"           // no answer within Config.STSTimeout
	CodeSTSAnswerIncomplete Code = "sts_answer_incomplete" // a 200 with a part missing, unreadable or expired
	CodeSTSAnswerMismatch   Code = "sts_answer_mismatch"   // a 200 for another session than was asked for
	CodeSTSRefused          Code = "sts_refused"           // any other refusal
)

// Codes of tokens that are well signed and no ID tokens. Each names the kind, and its remedy the
// token to send instead. Issuer.AllowTokenMarks lets a claim pass.
const (
	// A payload typ of access tokens: Bearer or DPoP, as Keycloak writes it.
	CodeTokenKindAccess Code = "token_kind_access"
	// A payload typ of refresh tokens: Refresh or Offline.
	CodeTokenKindRefresh Code = "token_kind_refresh"
	// A payload typ of logout tokens: Logout.
	CodeTokenKindLogout Code = "token_kind_logout"
	// Any other payload typ but ID.
	CodeTokenKindOther Code = "token_kind_other"
	// A token_use other than id: an access token of Amazon Cognito.
	CodeTokenKindUse Code = "token_kind_use"
	// idtyp is app: an Entra token of an application, without a user.
	CodeTokenKindAppOnly Code = "token_kind_app_only"
	// appidacr: an access token of Entra, version 1.
	CodeTokenKindEntraV1 Code = "token_kind_entra_v1_access"
	// azpacr: an access token of Entra, version 2.
	CodeTokenKindEntraV2 Code = "token_kind_entra_v2_access"
	// scp: an access token with scopes, such as Entra's and Okta's.
	CodeTokenKindScoped Code = "token_kind_scoped"
	// cnf: the token counts only with a proof of possession, which nothing here can check.
	CodeTokenKindBound Code = "token_kind_bound"
	// events: a logout token or a security event token.
	CodeTokenKindEvent Code = "token_kind_event"
)

//go:embed docs/errors.md
var errorTable string

// errorRows gives each code its stage, whether the same call may succeed later, its remedy, and what strangers see.
var errorRows = errortable.Parse(errorTable)

// Error is the one error type of this package. It never holds a token, an assertion, a credential or a key, and what
// it quotes of a stranger's input is cut short and escaped.
type Error struct {
	Stage     Stage  // the step that failed
	Code      Code   // exactly what was wrong
	Remedy    string // what to do, in plain words, for the operator
	RequestID string // AWS's request ID, if AWS answered
	Retryable bool   // whether the same call may succeed later without a change
	Err       error  // what happened, for the operator's log

	// Requested says that the value that was refused is one of the request's parameters, which a rule
	// or a mapping handed on: the caller chose it. Code then says what was wrong with it.
	Requested bool

	refused func() []any // which values were refused; nil: not known
}

// newError makes the Error of a code; its message takes %w.
func newError(code Code, format string, args ...any) *Error {
	row := errorRows[string(code)]
	return &Error{Stage: Stage(row.Stage), Code: code, Remedy: row.Remedy, Retryable: row.Retryable, Err: fmt.Errorf(format, args...)}
}

// canceledAt reports that the caller's context ended in a stage, with its error.
func canceledAt(stage Stage, err error) *Error {
	e := newError(CodeCanceled, "the exchange was abandoned: %w", err)
	e.Stage = stage
	return e
}

// Error says what was wrong, where, and how to fix it. It is for the operator; strangers get [Error.Public].
func (e *Error) Error() string {
	if e == nil {
		return "no error"
	}
	id := ""
	if e.RequestID != "" {
		id = " [AWS request ID " + e.RequestID + "]"
	}
	return fmt.Sprintf("%s: %v (%s)%s: %s", e.Stage, e.Err, e.Code, id, e.Remedy)
}

// Is makes errors.Is match the error's [Stage] and its [Code].
func (e *Error) Is(target error) bool {
	return e != nil && (target == e.Stage || target == e.Code)
}

// Unwrap returns what happened, such as context.Canceled, a rule's own error, or AWS's smithy.APIError.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Public returns the only text that a stranger may see. A rule's refusal shows the reason that the rule gave to
// [Deny]; everything else is said in general words, without names, ARNs or AWS's answer.
func (e *Error) Public() string {
	if e == nil {
		return ""
	}
	var d *denial
	if e.Code == CodeDenied && errors.As(e.Err, &d) && d.reason != "" {
		return d.reason
	}
	if e.Requested {
		return "access denied"
	}
	return cmp.Or(errorRows[string(e.Code)].Public, "the request could not be completed")
}

// problems collects what is wrong with a configuration, so that all of it is named at once.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }
