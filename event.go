package delegation

import (
	"log/slog"
	"time"
)

// packedSizeWarning is the percentage of AWS's space from which on an Event warns: the next longer value may not fit any more.
const packedSizeWarning = 80

// Event is the audit record of one exchange, made on every path. It holds no token, assertion, secret or key. Issuer,
// subject and client are set only from a token whose signature was verified. What a failed exchange did not reach is empty. Every assertion
// that was signed is in one Event; credentials from the cache have none, and their AccessKeyID leads to it.
type Event struct {
	Time             time.Time               // when the exchange began
	Issuer           string                  // iss
	Subject          string                  // sub
	TokenSHA256      string                  // of the ID token as it came, in hexadecimal, whether it was accepted or not; empty without one
	ClientID         string                  // the application that the verified token was issued to, see Target.Audiences
	Target           string                  // what was asked for, cut to 256 characters
	Rule             string                  // the rule that refused or failed, or else the last one that changed the role
	Principal        string                  // ARN of the SAML provider
	Role             string                  // ARN of the role
	Region           string                  // where STS was called, or last called
	FailedRegions    []string                // of several, those that did not answer, in order, as REGION:CODE, or REGION:skipped if it had failed before
	SessionName      string                  // as in CloudTrail
	SourceIdentity   string                  // as in CloudTrail
	Duration         time.Duration           // of the session, as asked for last
	ShortenedFrom    time.Duration           // the session as decided, if the role does not allow it
	DroppedTags      []string                // keys of session tags that were left out, as AWS's space was too small
	Cache            string                  // how the credentials came about, such as CacheHit; empty: not reached
	AssertionID      string                  // CloudTrail's sAMLAssertionID, if one was signed for this
	AccessKeyID      string                  // the credentials issued, or those from the cache
	Expiration       time.Time               // theirs
	RequestID        string                  // AWS's, if it was called for this, or of the refusal
	PackedPolicySize int                     // percent
	Unconfirmed      []string                // what AWS's answer left out, of Issuer and Audience, so that it could not be compared
	Stage            Stage                   // where it failed; empty on success
	Code             Code                    // why it failed; empty on success
	Err              error                   // the *Error; nil on success
	Took             map[Stage]time.Duration // how long each stage took, all its tries together, by Config.Now
	Warnings         []string                // what to look into, whether the exchange failed or not: names listed in docs/fail-over.md
}

// level is how loud a logger gets the exchange that ended so.
func (e *Error) level() slog.Level {
	switch {
	case e == nil:
		return slog.LevelInfo
	case e.unusableDocument():
		return slog.LevelError
	case e.Retryable, e.Code == CodeRoleNotAllowed, e.Requested: // it passes, or is the caller's
		return slog.LevelWarn
	case e.Stage == StageDecision || e.Stage == StageSAML || e.Stage == StageSTS,
		e.Code == CodeTargetInvalid || e.Code == CodeRuleFailed || e.Code == CodeRulePanicked,
		e.Code == CodeRuleContextMissing:
		return slog.LevelError
	}
	return slog.LevelWarn
}

// unusableDocument tells whether an issuer has answered with something that its operator, or
// ours, has to mend. The next answer may be better, so such an error is retryable as well.
func (e *Error) unusableDocument() bool {
	switch e.Code {
	case CodeKeySetInvalid, CodeKeySetDuplicateID, CodeKeySetSymmetric, CodeKeySetTooLarge,
		CodeKeySetRedirect, CodeKeySetURL, CodeDiscoveryIssuer:
		return true
	}
	return false
}

// LogValue implements slog.LogValuer: a group of the fields that are set.
func (e Event) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range [][2]string{
		{"issuer", e.Issuer}, {"subject", e.Subject}, {"token_sha256", e.TokenSHA256}, {"client_id", e.ClientID}, {"target", e.Target}, {"rule", e.Rule},
		{"principal", e.Principal}, {"role", e.Role}, {"region", e.Region}, {"session_name", e.SessionName},
		{"source_identity", e.SourceIdentity}, {"cache", e.Cache}, {"assertion_id", e.AssertionID}, {"access_key_id", e.AccessKeyID},
		{"request_id", e.RequestID}, {"stage", string(e.Stage)}, {"code", string(e.Code)},
	} {
		if f[1] != "" {
			attrs = append(attrs, slog.String(f[0], f[1]))
		}
	}
	for _, f := range []struct {
		name string
		list []string
	}{{"failed_regions", e.FailedRegions}, {"dropped_tags", e.DroppedTags}, {"unconfirmed", e.Unconfirmed}, {"warnings", e.Warnings}} {
		if len(f.list) > 0 {
			attrs = append(attrs, slog.Any(f.name, f.list))
		}
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Duration("duration", e.Duration))
	}
	if e.ShortenedFrom > 0 {
		attrs = append(attrs, slog.Duration("shortened_from", e.ShortenedFrom))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	} else {
		attrs = append(attrs, slog.Time("expiration", e.Expiration), slog.Int("packed_policy_size", e.PackedPolicySize))
	}
	for _, s := range []Stage{StageToken, StageTarget, StageRules, StageDecision, StageCache, StageSAML, StageSTS} {
		if d, ok := e.Took[s]; ok {
			attrs = append(attrs, slog.Duration("took_"+string(s), d))
		}
	}
	return slog.GroupValue(attrs...)
}

// warnings names what did not end the exchange and should be looked into.
func (e *Event) warnings() (names []string) {
	for _, w := range []struct {
		name string
		is   bool
	}{
		{"region_failed", len(e.FailedRegions) > 0}, {"session_shortened", e.ShortenedFrom > 0}, {"tags_dropped", len(e.DroppedTags) > 0},
		{"packed_policy_size", e.PackedPolicySize >= packedSizeWarning},
		{"answer_unconfirmed", len(e.Unconfirmed) > 0},
	} {
		if w.is {
			names = append(names, w.name)
		}
	}
	return names
}
