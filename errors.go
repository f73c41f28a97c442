package delegation

import (
	"context"
	"errors"
	"fmt"
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
	CodeTokenCritical        Code = "token_critical_header"   // a crit header
	CodeTokenB64             Code = "token_b64_header"        // a b64 header (RFC 7797)
	CodeTokenType            Code = "token_type"              // typ names another kind of token, such as at+jwt
	CodeTokenUnsigned        Code = "token_unsigned"          // algorithm none
	CodeAlgorithmCase        Code = "algorithm_case"          // an algorithm's name in the wrong case
	CodeAlgorithmNotAllowed  Code = "algorithm_not_allowed"   // not on the issuer's allowlist
	CodeIssuerUnknown        Code = "issuer_unknown"          // iss is not a configured issuer; no request was made
	CodeKeyUnknown           Code = "key_unknown"             // no published key has the token's kid
	CodeKeyWeak              Code = "key_weak"                // RSA under 2048 bits, over 8192, a bad exponent, or a ROCA key
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
	CodeClaimParty           Code = "claim_authorized_party"  // several audiences without an azp among them
	CodeTokenExpired         Code = "token_expired"           // exp has passed
	CodeTokenNotYetValid     Code = "token_not_yet_valid"     // nbf lies ahead
	CodeTokenFromFuture      Code = "token_issued_in_future"  // iat lies ahead
	CodeDelegationDisabled   Code = "delegation_disabled"     // no such target: delegation is off unless it is configured
	CodeTargetFailed         Code = "target_lookup_failed"    // the TargetSource returned an error
	CodeTargetInvalid        Code = "target_invalid"          // the TargetSource returned a target that New would refuse
	CodeAudienceNotAllowed   Code = "audience_not_allowed"    // the token was issued to an application the target does not list
	CodeIssuerNotAllowed     Code = "issuer_not_allowed"      // the target does not take tokens of this issuer
	CodeClientMismatch       Code = "client_mismatch"         // WithClientID differs from the token's audience and azp
	CodeProfileFailed        Code = "profile_failed"          // the profile loader returned an error or panicked
	CodeDenied               Code = "denied"                  // a rule refused with Deny
	CodeRuleFailed           Code = "rule_failed"             // a rule returned another error
	CodeRulePanicked         Code = "rule_panicked"           // a rule panicked
	CodeRoleInvalid          Code = "role_invalid"            // role or principal is missing or not an ARN of its kind
	CodeAccountMismatch      Code = "account_mismatch"        // role and principal are of two accounts or partitions
	CodeRoleNotAllowed       Code = "role_not_allowed"        // not among the target's AllowedRoles
	CodeRegionInvalid        Code = "region_invalid"          // an unknown region, one of another partition, or one without FIPS
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
	CodeSTSRefused          Code = "sts_refused"           // any other refusal
)

// Remedies that more than one code shares.
const (
	signingKeyFix = "publish the signing certificate in IAM: update the SAML provider with IdentityProvider.Metadata"
	keySetFix     = "ask the issuer's operator to correct the published key set"
	freshToken    = "have the user sign in again and send a fresh ID token"
	clockFix      = "check this machine's clock (NTP); an ID token and an assertion live for minutes"
	plainToken    = "send the ID token exactly as the issuer returned it: three base64url parts joined by dots"
)

// remedies gives each code its stage, its remedy in plain words, and whether the same call may succeed later.
var remedies = map[Code]struct {
	stage  Stage
	remedy string
	retry  bool
}{
	CodeConfigInvalid:        {StageConfig, "correct the named fields", false},
	CodeArgumentInvalid:      {StageConfig, "pass a non-nil context to a Delegator made by New", false},
	CodeCanceled:             {StageConfig, "give the exchange more time, or ignore this if the caller went away", true},
	CodeTokenMissing:         {StageToken, "send the user's ID token", false},
	CodeTokenTooLarge:        {StageToken, "ask the issuer for fewer claims, or raise Config.MaxTokenSize", false},
	CodeTokenMalformed:       {StageToken, plainToken, false},
	CodeTokenEncrypted:       {StageToken, "configure the issuer to sign ID tokens and not to encrypt them", false},
	CodeTokenEncoding:        {StageToken, plainToken, false},
	CodeTokenDuplicateMember: {StageToken, "ask the issuer's operator: a member may stand only once", false},
	CodeTokenFoldedName:      {StageToken, "rename the custom claim or header at the issuer", false},
	CodeTokenCritical:        {StageToken, "configure the issuer not to use critical headers", false},
	CodeTokenB64:             {StageToken, "configure the issuer not to use the b64 header", false},
	CodeTokenType:            {StageToken, "send the ID token, not an access token or a logout token", false},
	CodeTokenUnsigned:        {StageToken, "configure the issuer to sign ID tokens", false},
	CodeAlgorithmCase:        {StageToken, "algorithm names are case-sensitive (RFC 7515 §4.1.1)", false},
	CodeAlgorithmNotAllowed:  {StageToken, "if the issuer really signs so, list the algorithm in Issuer.Algorithms", false},
	CodeIssuerUnknown:        {StageToken, "add the issuer to Config.Issuers with exactly this URL, trailing slash included", false},
	CodeKeyUnknown:           {StageToken, "if the issuer has just rotated its keys, try again within the minute; otherwise the token is forged or of another issuer", true},
	CodeKeyWeak:              {StageToken, "have the issuer sign with an RSA key of 2048 to 8192 bits", false},
	CodeKeyUnsuitable:        {StageToken, keySetFix, false},
	CodeKeySetInvalid:        {StageToken, keySetFix, true},
	CodeKeySetDuplicateID:    {StageToken, keySetFix, false},
	CodeKeySetSymmetric:      {StageToken, "the issuer publishes a secret: have it withdrawn from the key set", false},
	CodeKeySetTooLarge:       {StageToken, keySetFix, false},
	CodeKeySetRedirect:       {StageToken, "set Issuer.JWKSURL to the address that answers directly", false},
	CodeKeySetURL:            {StageToken, "use https; for a test issuer on loopback set Issuer.AllowLoopbackHTTP", false},
	CodeKeySetUnavailable:    {StageToken, "check that the issuer can be reached from here; the next exchange tries again", true},
	CodeDiscoveryIssuer:      {StageToken, "set Issuer.URL to exactly the issuer that its discovery document names", false},
	CodeSignatureInvalid:     {StageToken, freshToken, false},
	CodeSignatureSaltLength:  {StageToken, "have the issuer use a salt as long as the hash", false},
	CodeClaimMissing:         {StageToken, "configure the issuer to include the claim; make sure this is an ID token", false},
	CodeClaimType:            {StageToken, "ask the issuer's operator: the claim has the wrong type", false},
	CodeClaimDate:            {StageToken, "ask the issuer's operator: dates are numbers of seconds (RFC 7519 §2)", false},
	CodeClaimParty:           {StageToken, "request the ID token for one client, or have the issuer set azp to one of the audiences", false},
	CodeTokenExpired:         {StageToken, freshToken, false},
	CodeTokenNotYetValid:     {StageToken, clockFix, true},
	CodeTokenFromFuture:      {StageToken, clockFix, true},
	CodeDelegationDisabled:   {StageTarget, "add the application to Config.Targets", false},
	CodeTargetFailed:         {StageTarget, "see the wrapped error of the TargetSource", true},
	CodeTargetInvalid:        {StageTarget, "correct the named fields of the stored target", false},
	CodeAudienceNotAllowed:   {StageTarget, "list the application's client ID in Target.Audiences", false},
	CodeIssuerNotAllowed:     {StageTarget, "list the issuer's URL in Target.Issuers", false},
	CodeClientMismatch:       {StageTarget, "send the client ID that the ID token was issued to", false},
	CodeProfileFailed:        {StageRules, "see the wrapped error of Config.Profile", true},
	CodeDenied:               {StageRules, "a rule refused this user: see its reason", false},
	CodeRuleFailed:           {StageRules, "correct the named rule", false},
	CodeRulePanicked:         {StageRules, "correct the named rule: it must return an error and not panic", false},
	CodeRoleInvalid:          {StageDecision, "set role arn:PARTITION:iam::ACCOUNT:role/NAME and principal arn:PARTITION:iam::ACCOUNT:saml-provider/NAME", false},
	CodeAccountMismatch:      {StageDecision, "take role and SAML provider from the same account and partition", false},
	CodeRoleNotAllowed:       {StageDecision, "add the role to Target.AllowedRoles, or correct the rule that chose it", false},
	CodeRegionInvalid:        {StageDecision, "name an AWS region of the role's partition, such as eu-central-1", false},
	CodeMappingInvalid:       {StageDecision, "correct the mapping, or have a rule or the profile loader set the property", false},
	CodeNameIDInvalid:        {StageDecision, "use 1 to 256 characters without * and ?", false},
	CodeDurationInvalid:      {StageDecision, "use whole seconds from 15m to 12h", false},
	CodeSessionNameInvalid:   {StageDecision, "use 2 to 64 characters of letters, digits and _+=,.@-", false},
	CodeTagsInvalid:          {StageDecision, "at most 50 tags, keys of 1 to 128 and values of up to 256 characters, letters, digits, spaces and _.:/=+-@", false},
	CodeSourceIDInvalid:      {StageDecision, "use 2 to 64 characters of letters, digits and _+=,.@-, not starting with aws:", false},
	CodePolicyInvalid:        {StageDecision, "shorten or correct the session policy: JSON of at most 2048 characters with its policy ARNs, at most 10 of these", false},
	CodeTextInvalid:          {StageSAML, "remove control characters and invalid text from the named value", false},
	CodeResponseTooLarge:     {StageSAML, "map fewer or shorter attributes", false},
	CodeSigningFailed:        {StageSAML, "check the signer (HSM, KMS) and that the certificate belongs to its key", true},
	CodeSTSExpired:           {StageSTS, clockFix, true},
	CodeSTSTooOld:            {StageSTS, clockFix, true},
	CodeSTSClaimRejected:     {StageSTS, "AWS rejected the identity provider's claim: compare the SAML provider in IAM with this entity ID", false},
	CodeSTSSignature:         {StageSTS, signingKeyFix, false},
	CodeSTSIssuer:            {StageSTS, "make IdentityProvider.EntityID equal the entityID of the metadata in IAM, byte for byte", false},
	CodeSTSProvider:          {StageSTS, "create the SAML provider in IAM from IdentityProvider.Metadata, or correct the principal ARN", false},
	CodeSTSUnreadable:        {StageSTS, "AWS could not parse the response: report this as a bug with the request ID", false},
	CodeSTSConfirmation:      {StageSTS, "AWS did not find recipient and expiry: check Target.Recipient", false},
	CodeSTSAudience:          {StageSTS, "check Target.SAMLAudience; by default it fits the region's partition", false},
	CodeSTSRolePair:          {StageSTS, "the role and principal asked for must be the pair in the assertion: check a mapping of Role", false},
	CodeSTSSessionName:       {StageSTS, "use 2 to 64 characters of letters, digits and _+=,.@-", false},
	CodeSTSSourceIdentity:    {StageSTS, "use 2 to 64 characters of letters, digits and _+=,.@-, not starting with aws:", false},
	CodeSTSIdentityToken:     {StageSTS, "compare the SAML provider in IAM with IdentityProvider.Metadata", false},
	CodeSTSPolicy:            {StageSTS, "correct the session policy: AWS's grammar refused it", false},
	CodeSTSPackedSize:        {StageSTS, "use fewer or shorter session tags and a shorter session policy: AWS packs them into a fixed space", false},
	CodeSTSRegionDisabled:    {StageSTS, "activate STS for the region in the account's IAM settings, or choose another region", false},
	CodeSTSAccessDenied: {StageSTS, "check the role's trust policy: the role exists, its Principal is the SAML provider, its conditions on SAML:aud and SAML:iss fit, " +
		"and it allows sts:TagSession if there are session tags and sts:SetSourceIdentity if there is a source identity", false},
	CodeSTSRoleARN:          {StageSTS, "correct the role ARN", false},
	CodeSTSPrincipalARN:     {StageSTS, "correct the principal ARN", false},
	CodeSTSOtherAccount:     {StageSTS, "take role and SAML provider from the same account", false},
	CodeSTSDuration:         {StageSTS, "lower SessionDuration, or raise the role's maximum session duration", false},
	CodeSTSValidation:       {StageSTS, "correct the parameter that AWS's message names", false},
	CodeSTSThrottled:        {StageSTS, "slow down and try again; ask AWS for a higher limit if this lasts", true},
	CodeSTSUnavailable:      {StageSTS, "try again; check the network path to the STS host and the region's name", true},
	CodeSTSTimeout:          {StageSTS, "try again; raise Config.STSTimeout if the network is slow", true},
	CodeSTSAnswerIncomplete: {StageSTS, "try again; if this lasts, check what stands between here and AWS (proxy, endpoint override) and this machine's clock", true},
	CodeSTSRefused:          {StageSTS, "see AWS's code and message", false},
}

// Error is the one error type of this package. It never holds a token, an assertion, a credential or a key, and what
// it quotes of a stranger's input is cut short and escaped.
type Error struct {
	Stage     Stage
	Code      Code
	Remedy    string // what to do, in plain words, for the operator
	RequestID string // AWS's request ID, if AWS answered
	Retryable bool   // whether the same call may succeed later without a change
	Err       error  // what happened, for the operator's log
}

// newError makes the Error of a code; its message takes %w.
func newError(code Code, format string, args ...any) *Error {
	r := remedies[code]
	return &Error{Stage: r.stage, Code: code, Remedy: r.remedy, Retryable: r.retry, Err: fmt.Errorf(format, args...)}
}

// canceledAt reports that the caller's context ended in a stage.
func canceledAt(stage Stage, ctx context.Context) *Error {
	e := newError(CodeCanceled, "the exchange was abandoned: %w", ctx.Err())
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
	switch {
	case e.Code == CodeDenied && errors.As(e.Err, &d):
		return d.reason
	case e.Code == CodeTokenExpired:
		return "the ID token has expired"
	case e.Code == CodeCanceled, e.Code == CodeSTSThrottled, e.Code == CodeSTSUnavailable, e.Code == CodeSTSTimeout, e.Code == CodeKeySetUnavailable:
		return "temporarily unavailable, try again"
	case e.Stage == StageToken:
		return "the ID token was not accepted"
	case e.Code == CodeDelegationDisabled:
		return "delegation is not enabled for this application"
	case e.Code == CodeAudienceNotAllowed, e.Code == CodeIssuerNotAllowed, e.Code == CodeClientMismatch:
		return "this application may not use the target"
	case e.Stage == StageRules:
		return "access denied"
	case e.Stage == StageSTS:
		return "AWS refused the request"
	}
	return "the request could not be completed"
}
