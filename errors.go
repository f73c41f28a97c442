package delegation

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/errortable"
)

// Stage is the step of an exchange that failed. It is an error itself, so that
// errors.Is(err, StageRules) works.
type Stage string

// The stages, in the order of an exchange.
const (
	StageConfig   Stage = "config"   // New, or a caller's argument
	StageToken    Stage = "token"    // the ID token and its issuer's keys
	StageTarget   Stage = "target"   // the target, and who may call it
	StageRules    Stage = "rules"    // the profile loader and the operator's rules
	StageDecision Stage = "decision" // the check of what target and rules asked for
	// The cache of credentials, the shared cache, and the wait for another exchange's call. No
	// exchange fails in this stage.
	StageCache Stage = "cache"
	StageSAML  Stage = "saml" // building and signing the assertion
	StageSTS   Stage = "sts"  // the call to AWS
	// Config.Audit, which records an exchange before its credentials are handed out.
	StageAudit Stage = "audit"
)

// Error returns the stage's name.
func (s Stage) Error() string { return string(s) }

// Code says exactly what was wrong. Each code belongs to one [Stage] and has one remedy; the table
// in docs/errors.md lists them. A code is an error itself, so that errors.Is(err, CodeTokenExpired)
// works. Codes are stable: programs may switch on them and dashboards may count them.
type Code string

// Error returns the code.
func (c Code) Error() string { return string(c) }

// Known reports whether the code is one of this package's. Errors of your own rules, signers or STS
// can have other codes.
func (c Code) Known() bool {
	_, known := errortable.Of(string(c))
	return known
}

// Codes of the caller: how New and Exchange were called.
const (
	// New was given fields that are missing or wrong. The error names all of them.
	CodeConfigInvalid Code = "config_invalid"
	// A nil context, or a Delegator that New did not make.
	CodeArgumentInvalid Code = "argument_invalid"
	// The caller's context ended; its error is wrapped. The error's stage says where the exchange
	// was.
	CodeCanceled Code = "canceled"
	// An AWS client uses the credentials of FromContext, and its call has no ID token in its
	// context.
	CodeContextWithoutToken Code = "context_without_token"
	// The call's context has a token, but its Done is nil. It comes from context.WithoutCancel or
	// from an aws.CredentialsCache, which would give one user's credentials to all users.
	CodeContextWithoutEnd Code = "context_without_end"
)

// Codes of the token: its form, its header and its signature.
const (
	// The ID token is empty.
	CodeTokenMissing Code = "token_missing"
	// Longer than Config.MaxTokenSize.
	CodeTokenTooLarge Code = "token_too_large"
	// Not one compact JWS with JSON objects inside.
	CodeTokenMalformed Code = "token_malformed"
	// A JWE.
	CodeTokenEncrypted Code = "token_encrypted"
	// base64url with padding, stray bits or foreign characters.
	CodeTokenEncoding Code = "token_encoding"
	// A JSON member occurs twice.
	CodeTokenDuplicateMember Code = "token_duplicate_member"
	// A name that differs from a registered one only by case folding.
	CodeTokenFoldedName Code = "token_folded_name"
	// A string has half a surrogate pair.
	CodeTokenSurrogate Code = "token_surrogate"
	// A crit header.
	CodeTokenCritical Code = "token_critical_header"
	// A b64 header (RFC 7797).
	CodeTokenB64 Code = "token_b64_header"
	// typ names another kind of token, such as at+jwt.
	CodeTokenType Code = "token_type"
	// The algorithm is none.
	CodeTokenUnsigned Code = "token_unsigned"
	// An algorithm's name in the wrong case.
	CodeAlgorithmCase Code = "algorithm_case"
	// The algorithm is not in Issuer.Algorithms, but could be added there.
	CodeAlgorithmNotAllowed Code = "algorithm_not_allowed"
	// HS256, from an issuer that has no shared secret.
	CodeAlgorithmSharedSecret Code = "algorithm_shared_secret"
	// An algorithm of published keys, from an issuer with a shared secret.
	CodeAlgorithmPublishedKey Code = "algorithm_published_key"
	// An algorithm that cannot be allowed.
	CodeAlgorithmUnsupported Code = "algorithm_unsupported"
	// The signature does not verify.
	CodeSignatureInvalid Code = "signature_invalid"
	// RSA-PSS with a salt that is not as long as the hash (RFC 7518 §3.5).
	CodeSignatureSaltLength Code = "signature_salt_length"
)

// Codes of tokens that are correctly signed but are not ID tokens. Each code names the kind, and
// its remedy names the token to send instead. Issuer.AllowTokenMarks makes an exception for a
// claim.
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
	// cnf: the token is valid only with a proof of possession, which this package cannot check.
	CodeTokenKindBound Code = "token_kind_bound"
	// events: a logout token or a security event token.
	CodeTokenKindEvent Code = "token_kind_event"
)

// Codes of access tokens of an issuer with AccessTokens.
const (
	// One claim of the token marks it as another kind of token than the rest.
	CodeAccessTokenKind Code = "access_token_kind"
	// The token is not for any of AccessTokens.Audiences.
	CodeAccessTokenAudience Code = "access_token_audience"
	// The token lacks one of AccessTokens.Scopes.
	CodeAccessTokenScope Code = "access_token_scope"
	// An application got the token for itself, so there is no user.
	CodeAccessTokenUser Code = "access_token_user"
)

// Codes of actors, who act for users.
const (
	// The actor token is empty or has its own act claim, or act or may_act of the user's token does
	// not name anyone.
	CodeActorInvalid Code = "actor_invalid"
	// The target does not allow acting for its users, or does not allow this actor or this token.
	CodeActorNotAllowed Code = "actor_not_allowed"
	// act of the user's token and the actor token name different actors.
	CodeActorMismatch Code = "actor_mismatch"
	// The target, rules or mappings have set the field that shows the actor.
	CodeActorConflict Code = "actor_conflict"
	// A token is of another kind than WithTokenKinds says.
	CodeTokenKindDiffers Code = "token_kind_differs"
)

// Codes of the issuer and its keys.
const (
	// iss is not a configured issuer. No request was made.
	CodeIssuerUnknown Code = "issuer_unknown"
	// iss names one tenant, and the tenant claim names another.
	CodeIssuerTenant Code = "issuer_tenant"
	// No published key has the token's kid.
	CodeKeyUnknown Code = "key_unknown"
	// No known key fits, and it is too early to fetch the keys once more.
	CodeKeyPending Code = "key_pending"
	// An RSA key with fewer than 2048 or more than 8192 bits, with a bad exponent, or affected by
	// ROCA.
	CodeKeyWeak Code = "key_weak"
	// The key is for another algorithm, curve or use.
	CodeKeyUnsuitable Code = "key_unsuitable"
	// The key is published for tokens of another issuer or tenant.
	CodeKeyOtherIssuer Code = "key_other_issuer"
	// More than four keys fit the token, and the first four do not verify it.
	CodeKeyAmbiguous Code = "key_ambiguous"
	// The key set or discovery document cannot be read.
	CodeKeySetInvalid Code = "key_set_invalid"
	// The published set holds a symmetric key.
	CodeKeySetSymmetric Code = "key_set_symmetric"
	// The published set holds the private part of a key.
	CodeKeySetPrivate Code = "key_set_private"
	// A document over 1 MiB.
	CodeKeySetTooLarge Code = "key_set_too_large"
	// The issuer answered the request for its key set with a redirect.
	CodeKeySetRedirect Code = "key_set_redirect"
	// The key set's URL was not found (404 or 410).
	CodeKeySetMissing Code = "key_set_missing"
	// The key set's URL returns a discovery document.
	CodeKeySetDiscovery Code = "key_set_discovery"
	// The discovery document's key set URL is missing, is not https, or has another host's IP
	// address.
	CodeKeySetURL Code = "key_set_url"
	// The issuer's documents require authentication: 401, or 403 of a Kubernetes cluster or to the
	// bearer token. Or the bearer token cannot be read.
	CodeKeySetUnauthorized Code = "key_set_unauthorized"
	// The certificate of the issuer's server does not verify.
	CodeKeySetCertificate Code = "key_set_certificate"
	// The proxy to the issuer did not answer or refused.
	CodeKeySetProxy Code = "key_set_proxy"
	// The issuer cannot be reached, and no usable keys are in memory.
	CodeKeySetUnavailable Code = "key_set_unavailable"
	// The discovery document names another issuer.
	CodeDiscoveryIssuer Code = "discovery_issuer"
	// The issuer answered the request for its discovery document with a redirect.
	CodeDiscoveryRedirect Code = "discovery_redirect"
	// The discovery document's URL was not found (404 or 410).
	CodeDiscoveryMissing Code = "discovery_missing"
)

// Codes of the token's claims.
const (
	// iss, sub, aud, exp or iat is absent or empty.
	CodeClaimMissing Code = "claim_missing"
	// A registered claim of the wrong JSON type.
	CodeClaimType Code = "claim_type"
	// exp, iat or nbf is not a number of seconds.
	CodeClaimDate Code = "claim_date"
	// iat or nbf is after exp.
	CodeClaimDateOrder Code = "claim_date_order"
	// The token has several audiences, and nothing says which of them is the client.
	CodeClaimParty Code = "claim_authorized_party"
	// azp, appid, cid and client_id name different applications.
	CodeClaimClientConflict Code = "claim_client_conflict"
	// The token is signed with a client's secret but is not for that client alone.
	CodeClaimSecretAudience Code = "claim_secret_audience"
	// exp has passed.
	CodeTokenExpired Code = "token_expired"
	// nbf is in the future.
	CodeTokenNotYetValid Code = "token_not_yet_valid"
	// iat is in the future.
	CodeTokenFromFuture Code = "token_issued_in_future"
)

// Codes of the token's source and of its first use.
const (
	// The TokenSource of a Provider returned an error or no token.
	CodeTokenSourceFailed Code = "token_source_failed"
	// Config.Replay knows the token: it was already used for this target.
	CodeTokenReplayed Code = "token_replayed"
	// Config.Replay failed or is full, so nothing is granted.
	CodeReplayUnavailable Code = "replay_store_unavailable"
)

// Codes of sessions that have ended, see [Config.Revocations].
const (
	// The session of the token was ended by a logout or by Revoke.
	CodeSessionEnded Code = "session_ended"
	// The token was issued too long ago to know whether its session was ended.
	CodeTokenTooOld Code = "token_too_old"
	// The store of Config.Revocations failed: an exchange is refused, or a revocation was not
	// stored.
	CodeRevocationsUnavailable Code = "revocations_unavailable"
)

// Codes of logout tokens that [Delegator.Logout] refuses. Others are those of ID tokens.
const (
	// events has no back-channel logout event, so this is not a logout token.
	CodeLogoutEvent Code = "logout_event_missing"
	// A logout token must not have a nonce.
	CodeLogoutNonce Code = "logout_nonce"
	// Neither sub nor sid.
	CodeLogoutSession Code = "logout_session_missing"
	// A sid without a sub, and there is no Config.Revocations to look it up.
	CodeLogoutSessionUnknown Code = "logout_session_unknown"
	// aud does not name a client of a target.
	CodeLogoutAudience Code = "logout_audience"
	// The logout token was received before.
	CodeLogoutReplayed Code = "logout_replayed"
)

// Codes of the target, and of who may use it.
const (
	// There is no such target. Delegation is off unless it is configured.
	CodeDelegationDisabled Code = "delegation_disabled"
	// The TargetSource returned an error.
	CodeTargetFailed Code = "target_lookup_failed"
	// The TargetSource returned a target that New would refuse.
	CodeTargetInvalid Code = "target_invalid"
	// The token was issued to, or for, an application that the target does not list.
	CodeAudienceNotAllowed Code = "audience_not_allowed"
	// The target does not accept tokens of this issuer.
	CodeIssuerNotAllowed Code = "issuer_not_allowed"
	// WithClientID is neither the token's client nor an audience.
	CodeClientMismatch Code = "client_mismatch"
	// The token lacks a claim that Issuer or Target requires.
	CodeRequiredClaim Code = "required_claim"
	// The target does not offer the requested role to this user, or offers no roles.
	CodeRoleNotOffered Code = "role_not_offered"
	// The target offers this user several roles, and none was requested.
	CodeRoleRequired Code = "role_required"
	// The claim of RolesFromClaim gives the user more roles than can be offered.
	CodeRolesTooMany Code = "roles_too_many"
)

// Codes of the profile loader and the rules.
const (
	// The profile loader returned an error or panicked.
	CodeProfileFailed Code = "profile_failed"
	// This user has no profile, and one is required.
	CodeProfileMissing Code = "profile_missing"
	// The profile endpoint cannot be reached, did not answer in time, or answers 5xx.
	CodeProfileUnavailable Code = "profile_unavailable"
	// The profile endpoint throttles requests.
	CodeProfileThrottled Code = "profile_throttled"
	// The profile endpoint refuses this service's credentials.
	CodeProfileUnauthorized Code = "profile_unauthorized"
	// The profile endpoint's answer cannot be used: it is not a JSON object, is too large, is a
	// redirect, or is about another user.
	CodeProfileInvalid Code = "profile_invalid"
	// The profile loader took longer than Config.RuleTimeout.
	CodeProfileTimeout Code = "profile_timeout"
	// A rule refused with Deny.
	CodeDenied Code = "denied"
	// A rule returned another error.
	CodeRuleFailed Code = "rule_failed"
	// A rule panicked.
	CodeRulePanicked Code = "rule_panicked"
	// A rule in Go took longer than Config.RuleTimeout, or too many of its calls have not returned.
	// Or the rule returned, but a rule that it called was abandoned and still runs.
	CodeRuleTimeout Code = "rule_timeout"
	// A JavaScript rule called callback without a user, which is how rules refuse without an error.
	CodeRuleUserMissing Code = "rule_user_missing"
	// A rule sent the user elsewhere by context.redirect.
	CodeRuleRedirect Code = "rule_redirect"
	// A rule asked for another factor by context.multifactor.
	CodeRuleMultifactor Code = "rule_multifactor"
	// A rule read a property of context that is not supplied, so its check would decide nothing.
	CodeRuleContextMissing Code = "rule_context_missing"
	// An Action called a function that has no effect in an exchange.
	CodeRuleUnsupported Code = "rule_unsupported"
	// RequireRecentLogin: the ID token does not say when the user signed in.
	CodeLoginTimeMissing Code = "login_time_missing"
	// RequireRecentLogin: the user signed in too long ago.
	CodeLoginTooOld Code = "login_too_old"
	// RequireAMR: the user has not signed in with a method that is required.
	CodeAMRRequired Code = "amr_required"
	// RequireACR: the user has not signed in with a required authentication context.
	CodeACRRequired Code = "acr_required"
)

// Codes of the decision: what the target and the rules decided cannot be granted.
const (
	// The role or the principal is missing or is not an ARN of its kind.
	CodeRoleInvalid Code = "role_invalid"
	// The role and the principal are in different accounts or partitions.
	CodeAccountMismatch Code = "account_mismatch"
	// The role is not in the target's AllowedRoles, or its account is not in AllowedAccounts.
	CodeRoleNotAllowed Code = "role_not_allowed"
	// The decision is for another role than WithRole requested or, for a target that offers roles,
	// than its default.
	CodeRoleDiffers Code = "role_differs"
	// A SAML provider other than the one that the target encrypts for.
	CodeProviderMismatch Code = "provider_mismatch"
	// A rule chose a recipient that is not a URL, or changed the recipient of a target that must
	// use its SAML provider's own.
	CodeRecipientInvalid Code = "recipient_invalid"
	// The region is unknown, in another partition, or without FIPS; or there are too many regions
	// for the available time.
	CodeRegionInvalid Code = "region_invalid"
	// The value of a mapping cannot be used.
	CodeMappingInvalid Code = "mapping_invalid"
	// An empty, overlong or wildcard NameID.
	CodeNameIDInvalid Code = "name_id_invalid"
	// A NameID that cannot name one user's folder, for a target with SubjectAsFolder.
	CodeNameIDNotFolder Code = "name_id_not_folder"
	// Outside 900 to 43200 whole seconds.
	CodeDurationInvalid Code = "duration_invalid"
	// WithSessionDuration requests a longer session than was decided.
	CodeDurationTooLong Code = "duration_too_long"
	// The session name is missing, or is invalid and Config.StrictSessionNames is set.
	CodeSessionNameInvalid Code = "session_name_invalid"
	// Session tags exceed AWS's limits.
	CodeTagsInvalid Code = "tags_invalid"
	// Not 2 to 64 characters of [\w+=,.@-], or starting with aws:.
	CodeSourceIDInvalid Code = "source_identity_invalid"
	// Not JSON, too long, or with characters that AWS refuses.
	CodePolicyInvalid Code = "session_policy_invalid"
)

// Codes of WithScope and WithSessionPolicy: what narrows a session.
const (
	// The target has no scope of this name.
	CodeScopeUnknown Code = "scope_unknown"
	// A scope that cannot be combined exactly with the decided session policy, is too long together
	// with it, or is not accepted by AWS for the role.
	CodeScopeNotCombinable Code = "scope_not_combinable"
	// The caller's policy is not a valid session policy.
	CodeRequestedPolicyInvalid Code = "requested_policy_invalid"
	// The caller's policy cannot be combined exactly with the decided session policy, or is too
	// long together with it.
	CodeRequestedPolicyNotCombinable Code = "requested_policy_not_combinable"
)

// Codes of Target.Chain: the roles that are assumed after the first.
const (
	// A role of the chain is not a role ARN, or is in another partition than the role before it.
	CodeChainInvalid Code = "chain_invalid"
	// A session longer than one hour.
	CodeChainDuration Code = "chain_duration_invalid"
	// The source identity is missing. After the first role, nothing else identifies the user.
	CodeChainSourceIdentity Code = "chain_source_identity_missing"
	// With Config.CapSessionToToken, the ID token ends before AWS's shortest session would.
	CodeChainTokenEnds Code = "chain_token_ends"
)

// A code of the cache.
const (
	// Invalidate did not reach Config.SharedCache. Exchanges continue without it.
	CodeSharedCache Code = "shared_cache_failed"
)

// Codes of the SAML response.
const (
	// A value that XML cannot represent unchanged.
	CodeTextInvalid Code = "text_invalid"
	// The response is longer than AWS's limit of 100,000 characters.
	CodeResponseTooLarge Code = "saml_response_too_large"
	// The signer failed, or its signature does not match the certificate.
	CodeSigningFailed Code = "signing_failed"
	// The signer's service throttles calls. A signer reports this with an error that wraps this
	// code.
	CodeSignerThrottled Code = "signer_throttled"
	// The signer refuses until an operator changes something, such as a permission or the state of
	// the key. A signer reports this with an error that wraps this code.
	CodeSignerRefused Code = "signer_refused"
	// The assertion could not be encrypted.
	CodeEncryptionFailed Code = "encryption_failed"
)

// Codes of STS: refusals, distinguished by AWS's code and message, and answers that cannot be used.
const (
	// The SAML response has expired.
	CodeSTSExpired Code = "sts_response_expired"
	// The SAML response was issued more than five minutes ago.
	CodeSTSTooOld Code = "sts_response_too_old"
	// The SAML response is from the future, by AWS's clock.
	CodeSTSNotYetValid Code = "sts_response_not_yet_valid"
	// IDPRejectedClaim.
	CodeSTSClaimRejected Code = "sts_claim_rejected"
	// No key of AWS's metadata verifies the signature.
	CodeSTSSignature Code = "sts_signature_invalid"
	// The entityID in the metadata is different.
	CodeSTSIssuer Code = "sts_issuer_not_in_provider"
	// There is no such SAML provider.
	CodeSTSProvider Code = "sts_provider_missing"
	// AWS cannot parse the SAML response.
	CodeSTSUnreadable Code = "sts_response_unreadable"
	// Recipient or expiry is missing.
	CodeSTSConfirmation Code = "sts_subject_confirmation"
	// The audience is not AWS.
	CodeSTSAudience Code = "sts_audience"
	// The assertion does not have the requested pair of role and SAML provider.
	CodeSTSRolePair Code = "sts_role_pair_missing"
	// RoleSessionName is missing or invalid.
	CodeSTSSessionName Code = "sts_session_name"
	// The source identity is invalid.
	CodeSTSSourceIdentity Code = "sts_source_identity"
	// InvalidIdentityToken with a message that is not listed here.
	CodeSTSIdentityToken Code = "sts_invalid_identity_token"
	// MalformedPolicyDocument.
	CodeSTSPolicy Code = "sts_policy_malformed"
	// AWS does not accept the session tags.
	CodeSTSTags Code = "sts_tags_invalid"
	// PackedPolicyTooLarge.
	CodeSTSPackedSize Code = "sts_packed_policy_too_large"
	// STS is not active in the region.
	CodeSTSRegionDisabled Code = "sts_region_disabled"
	// The role does not exist, its trust policy does not allow the call, or a policy of the
	// organization or of a VPC endpoint denies it. The remedy says what was sent, and which policy
	// AWS names.
	CodeSTSAccessDenied Code = "sts_access_denied"
	// AWS cannot read the role ARN.
	CodeSTSRoleARN Code = "sts_role_arn"
	// AWS cannot read the SAML provider's ARN.
	CodeSTSPrincipalARN Code = "sts_principal_arn"
	// The role and the SAML provider are in different accounts.
	CodeSTSOtherAccount Code = "sts_principal_other_account"
	// The session is longer than the role's maximum session duration.
	CodeSTSDuration Code = "sts_duration_exceeds_role"
	// ValidationError, MalformedInput or InvalidAction with another message.
	CodeSTSValidation Code = "sts_validation"
	// AWS throttles calls.
	CodeSTSThrottled Code = "sts_throttled"
	// STS answered 5xx, or there is no connection.
	CodeSTSUnavailable Code = "sts_unavailable"
	// No answer within Config.STSTimeout.
	CodeSTSTimeout Code = "sts_timeout"
	// STS answered 200, but a part is missing, unreadable or expired.
	CodeSTSAnswerIncomplete Code = "sts_answer_incomplete"
	// STS answered 200, but for another session than was requested.
	CodeSTSAnswerMismatch Code = "sts_answer_mismatch"
	// AWS does not let a role of Target.Chain be assumed by the role before it.
	CodeSTSChainDenied Code = "sts_chain_access_denied"
	// AWS does not accept the credentials that it issued for the previous role.
	CodeSTSChainCredentials Code = "sts_chain_credentials"
	// Any other refusal.
	CodeSTSRefused Code = "sts_refused"
)

// A code of the audit record.
const (
	// Config.Audit failed or took longer than Config.AuditTimeout, so no credentials are returned.
	CodeAuditFailed Code = "audit_failed"
)

// Error is the error type of this package. It never contains a token, an assertion, a credential or
// a key. Quoted input of callers is shortened and escaped.
type Error struct {
	Stage     Stage  // the step that failed
	Code      Code   // exactly what was wrong
	Remedy    string // what to do, in plain words, for the operator
	RequestID string // AWS's request ID, if AWS answered
	Retryable bool   // whether the same call may succeed later without a change
	Err       error  // what happened, for the operator's log

	// RetryAfter is how long to wait before a retry, if that is known: 1 to 10 seconds for
	// [CodeKeyPending], until the issuer's keys may be fetched once more, and 1 to 60 for
	// [CodeProfileThrottled]. Zero: not known. Retryable says whether to retry at all.
	RetryAfter time.Duration

	// Issuer is the configured issuer that a refused token names. Like KeyID and Algorithm, it may
	// be forged. It is empty if it was not read or if no token was refused.
	Issuer string
	// KeyID is the kid in the header of a refused token, cut to 80 characters.
	KeyID string
	// Algorithm is the alg in the header of a refused token, cut to 80 characters.
	Algorithm string

	// PackedPolicySize is the share of AWS's space that session policies and tags would need, in
	// percent, as AWS reports it with [CodeSTSPackedSize]. It is above 100. Zero: AWS did not
	// report it, or the error is another one.
	PackedPolicySize int

	// Requested says that the refused value is a parameter of the request that a rule or a mapping
	// used, so the caller chose it. Code says what is wrong with it.
	Requested bool

	// Hop is the step at which a target's Chain failed: 1 is AssumeRoleWithSAML, 2 is the first
	// role of Target.Chain. 0: the target has no chain, or AWS was not called.
	Hop int
	// HopRole is the ARN of the role of that step. Empty if Hop is 0.
	HopRole string

	refused func() []any // which values were refused; nil: not known

	// mistaken is what was sent as a token, if that can be told. It continues "the token".
	mistaken string
}

// newError makes the Error of a code; its message takes %w.
func newError(code Code, format string, args ...any) *Error {
	row, _ := errortable.Of(string(code))
	return &Error{
		Stage:     Stage(row.Stage),
		Code:      code,
		Remedy:    row.Remedy,
		Retryable: row.Retryable,
		Err:       fmt.Errorf(format, args...),
	}
}

// canceledAt reports that the caller's context ended in a stage, with its error.
func canceledAt(stage Stage, err error) *Error {
	e := newError(CodeCanceled, "the exchange was abandoned: %w", err)
	e.Stage = stage
	return e
}

// Error says what was wrong, where, and how to fix it. It is for the operator. Show callers
// [Error.Public].
func (e *Error) Error() string {
	if e == nil {
		return "no error"
	}
	id := ""
	if e.RequestID != "" {
		id = " [AWS request ID " + e.RequestID + "]"
	}
	return fmt.Sprintf("%s: %v%s (%s)%s: %s", e.Stage, e.Err, e.token(), e.Code, id, e.Remedy)
}

// token names the refused token's issuer, key and algorithm, in brackets.
func (e *Error) token() string {
	var list []string
	if e.Issuer != "" {
		list = append(list, "issuer "+e.Issuer)
	}
	if e.KeyID != "" {
		list = append(list, fmt.Sprintf("kid %.40q", e.KeyID))
	}
	if e.Algorithm != "" {
		list = append(list, fmt.Sprintf("alg %.40q", e.Algorithm))
	}
	if len(list) == 0 {
		return ""
	}
	return " [" + strings.Join(list, ", ") + "]"
}

// Is makes errors.Is match the error's [Stage] and its [Code].
func (e *Error) Is(target error) bool {
	return e != nil && (target == e.Stage || target == e.Code)
}

// Unwrap returns what happened, such as context.Canceled, a rule's own error, or AWS's
// smithy.APIError.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Public returns the only text that callers may see. A rule's refusal shows the reason that the
// rule passed to [Deny]. If the text cannot be a token, Public says what it is, such as JSON, and
// does not quote it. Everything else is described in general words, without names, ARNs or AWS's
// answer.
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
	row, known := errortable.Of(string(e.Code))
	if !known {
		return "the request could not be completed"
	}
	if e.mistaken != "" {
		return row.Public + ": it " + e.mistaken
	}
	return row.Public
}

// problems collects what is wrong with a configuration, so that all of it is named at once.
type problems []error

func (p *problems) add(format string, args ...any) {
	*p = append(*p, fmt.Errorf(format, args...))
}
