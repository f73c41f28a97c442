package idtoken

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Error says why a token was refused, or why an issuer has no usable keys. It holds no token and no
// key, and what it quotes of a stranger's input is cut short and escaped.
type Error struct {
	Code string // one of the codes below
	Err  error  // what happened
	// Of is the token that was refused, as far as it was read.
	Of Origin
	// Refresh is why the last refresh of the issuer's keys failed, if that may be the cause of a
	// missing key: an *Error, or nil.
	Refresh error
	// RetryAfter is how long it takes until the issuer's keys may be fetched once more, at least
	// leastRetry and at most refreshEvery. Zero: the same token need not wait, or waiting does not
	// help. Only the error for a pending key sets it.
	RetryAfter time.Duration
	// Mistaken says what was sent instead of a token, or around one, if that can be told. It
	// continues the words "the token" and quotes nothing, so strangers may read it.
	Mistaken string
}

// The codes of an [Error].
const (
	tokenMissing         = "token_missing"
	tokenTooLarge        = "token_too_large"
	tokenMalformed       = "token_malformed"
	tokenEncrypted       = "token_encrypted"
	tokenEncoding        = "token_encoding"
	tokenDuplicateMember = "token_duplicate_member"
	tokenFoldedName      = "token_folded_name"
	tokenSurrogate       = "token_surrogate"
	tokenCritical        = "token_critical_header"
	tokenB64             = "token_b64_header"
	tokenType            = "token_type"
	tokenKindAccess      = "token_kind_access"
	tokenKindRefresh     = "token_kind_refresh"
	tokenKindLogout      = "token_kind_logout"
	tokenKindOther       = "token_kind_other"
	tokenKindUse         = "token_kind_use"
	tokenKindAppOnly     = "token_kind_app_only"
	tokenKindEntraV1     = "token_kind_entra_v1_access"
	tokenKindEntraV2     = "token_kind_entra_v2_access"
	tokenKindScoped      = "token_kind_scoped"
	tokenKindBound       = "token_kind_bound"
	tokenKindEvent       = "token_kind_event"
	accessKind           = "access_token_kind"
	accessAudience       = "access_token_audience"
	accessScope          = "access_token_scope"
	accessUser           = "access_token_user"
	tokenUnsigned        = "token_unsigned"
	algorithmCase        = "algorithm_case"
	algorithmNotAllowed  = "algorithm_not_allowed"
	algorithmSecret      = "algorithm_shared_secret"
	algorithmPublished   = "algorithm_published_key"
	algorithmUnsupported = "algorithm_unsupported"
	issuerUnknown        = "issuer_unknown"
	issuerTenant         = "issuer_tenant"
	keyUnknown           = "key_unknown"
	keyPending           = "key_pending"
	keyWeak              = "key_weak"
	keyUnsuitable        = "key_unsuitable"
	keyOtherIssuer       = "key_other_issuer"
	keyAmbiguous         = "key_ambiguous"
	keySetInvalid        = "key_set_invalid"
	keySetSymmetric      = "key_set_symmetric"
	keySetPrivate        = "key_set_private"
	keySetTooLarge       = "key_set_too_large"
	keySetRedirect       = "key_set_redirect"
	keySetURL            = "key_set_url"
	keySetUnauthorized   = "key_set_unauthorized"
	keySetCertificate    = "key_set_certificate"
	keySetProxy          = "key_set_proxy"
	keySetUnavailable    = "key_set_unavailable"
	keySetMissing        = "key_set_missing"
	keySetDiscovery      = "key_set_discovery"
	discoveryIssuer      = "discovery_issuer"
	discoveryRedirect    = "discovery_redirect"
	discoveryMissing     = "discovery_missing"
	signatureInvalid     = "signature_invalid"
	signatureSaltLength  = "signature_salt_length"
	claimMissing         = "claim_missing"
	claimType            = "claim_type"
	claimDate            = "claim_date"
	claimDateOrder       = "claim_date_order"
	claimParty           = "claim_authorized_party"
	claimClientConflict  = "claim_client_conflict"
	claimSecretAudience  = "claim_secret_audience"
	tokenExpired         = "token_expired"
	tokenNotYetValid     = "token_not_yet_valid"
	tokenFromFuture      = "token_issued_in_future"
	logoutEvent          = "logout_event_missing"
	logoutNonce          = "logout_nonce"
	logoutSession        = "logout_session_missing"
)

func (e *Error) Error() string {
	if e.Refresh != nil {
		return fmt.Sprintf("%v (%s), and its last refresh failed: %v", e.Err, e.Code, e.Refresh)
	}
	return fmt.Sprintf("%v (%s)", e.Err, e.Code)
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// Origin says who a token claims to be from: the configured issuer that it names, and the key and
// the algorithm in its header. Each is empty if it was not read, and cut to 80 characters.
type Origin struct {
	Issuer, KeyID, Algorithm string
}

// refused returns the error with the token's origin. The error may be one that others get too.
func (o Origin) refused(err error) error {
	e, ours := err.(*Error)
	if !ours {
		return err
	}
	told := *e
	told.Of = o
	return &told
}

// newError makes the Error of a code; its message takes %w.
func newError(code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// newMistake makes the Error of a text that is no token, which [mistaken] knows.
func newMistake(code, what string) *Error {
	e := newError(code, "the token %s", what)
	e.Mistaken = what
	return e
}

// hasCode tells whether an error is an Error with one of the codes.
func hasCode(err error, codes ...string) bool {
	if err == nil {
		return false
	}
	var e *Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}
