package session

// The codes of failures. Each has a row in docs/errors.md.
const (
	expired          = "sts_response_expired"
	tooOld           = "sts_response_too_old"
	notYetValid      = "sts_response_not_yet_valid"
	claimRejected    = "sts_claim_rejected"
	signature        = "sts_signature_invalid"
	issuer           = "sts_issuer_not_in_provider"
	provider         = "sts_provider_missing"
	unreadable       = "sts_response_unreadable"
	confirmation     = "sts_subject_confirmation"
	audience         = "sts_audience"
	rolePair         = "sts_role_pair_missing"
	sessionName      = "sts_session_name"
	sourceIdentity   = "sts_source_identity"
	identityToken    = "sts_invalid_identity_token"
	policy           = "sts_policy_malformed"
	packedSize       = "sts_packed_policy_too_large"
	regionDisabled   = "sts_region_disabled"
	accessDenied     = "sts_access_denied"
	roleARN          = "sts_role_arn"
	principalARN     = "sts_principal_arn"
	otherAccount     = "sts_principal_other_account"
	duration         = "sts_duration_exceeds_role"
	tags             = "sts_tags_invalid"
	validation       = "sts_validation"
	throttled        = "sts_throttled"
	unavailable      = "sts_unavailable"
	timeout          = "sts_timeout"
	answerIncomplete = "sts_answer_incomplete"
	chainDenied      = "sts_chain_access_denied"
	chainCredentials = "sts_chain_credentials"
	refused          = "sts_refused"
)

// refusal is a row of a table of AWS's codes.
type refusal struct{ wire, words, code string }

// refusals lists AWS's codes as they are on the wire, with the words that tell causes apart; the
// first row that fits counts. Only two codes keep the suffix Exception there; for all others, a
// code with the suffix counts as the one without. The words are AWS's own, misspelling included.
var refusals = []refusal{
	{"ExpiredTokenException", "not yet valid", notYetValid},
	{"ExpiredTokenException", "within 5 minutes", tooOld},
	{"ExpiredTokenException", "", expired},
	{"IDPRejectedClaim", "", claimRejected},
	{"InvalidIdentityToken", "not yet valid", notYetValid},
	{"InvalidIdentityToken", "signature invalid", signature},
	{"InvalidIdentityToken", "Issuer not present", issuer},
	{"InvalidIdentityToken", "provider doesn't exist", provider},
	{"InvalidIdentityToken", "Invalid base64", unreadable},
	{"InvalidIdentityToken", "SubjectConfirmatonData", confirmation},
	{"InvalidIdentityToken", "required audience", audience},
	{"InvalidIdentityToken", "requested Role and Metadata", rolePair},
	{"InvalidIdentityToken", "RoleSessionName", sessionName},
	{"InvalidIdentityToken", "Source Identity", sourceIdentity},
	{"InvalidIdentityToken", "", identityToken},
	{"MalformedPolicyDocument", "", policy},
	{"PackedPolicyTooLarge", "", packedSize},
	{"RegionDisabledException", "", regionDisabled},
	{"AccessDenied", "", accessDenied},
	{"ValidationError", "Request ARN", roleARN},
	{"ValidationError", "Principal ARN", principalARN},
	{"ValidationError", "outside the account", otherAccount},
	{"ValidationError", "exceeds the MaxSessionDuration", duration},
	{"ValidationError", "validate tags", tags}, // "Unable to validate tags"
	{"ValidationError", "", validation},
	{"MalformedInput", "", validation},
	{"InvalidAction", "", validation},
}
