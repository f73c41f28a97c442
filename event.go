package delegation

import (
	"errors"
	"log/slog"
	"time"
)

// Event is the audit record of one exchange, made on every path. It holds no token, assertion, secret or key. Issuer,
// subject and client are set only from a token whose signature was verified. What a failed exchange did not reach is empty.
type Event struct {
	Time     time.Time // when the exchange began
	Issuer   string    // iss
	Subject  string    // sub
	ClientID string    // the application the token was issued to
	Target   string    // what was asked for
	Rule     string    // the rule that refused or failed, or else the last one that changed the role

	Principal        string        // ARN of the SAML provider
	Role             string        // ARN of the role
	Region           string        // where STS was called
	SessionName      string        // as in CloudTrail
	SourceIdentity   string        // as in CloudTrail
	Duration         time.Duration // of the session, as asked for
	AssertionID      string        // CloudTrail's sAMLAssertionID
	AccessKeyID      string        // the credentials issued
	Expiration       time.Time     // theirs
	RequestID        string        // AWS's
	PackedPolicySize int           // percent

	Stage Stage // where it failed; empty on success
	Code  Code  // why it failed; empty on success
	Err   error // the *Error; nil on success

	Took map[Stage]time.Duration // how long each stage took, by Config.Now
}

// LogValue implements slog.LogValuer: a group of the fields that are set.
func (e Event) LogValue() slog.Value {
	var attrs []slog.Attr
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("issuer", e.Issuer)
	text("subject", e.Subject)
	text("client_id", e.ClientID)
	text("target", e.Target)
	text("rule", e.Rule)
	text("principal", e.Principal)
	text("role", e.Role)
	text("region", e.Region)
	text("session_name", e.SessionName)
	text("source_identity", e.SourceIdentity)
	text("assertion_id", e.AssertionID)
	text("access_key_id", e.AccessKeyID)
	text("request_id", e.RequestID)
	text("stage", string(e.Stage))
	text("code", string(e.Code))
	if e.Err != nil {
		text("error", e.Err.Error())
	}
	if !e.Expiration.IsZero() {
		attrs = append(attrs, slog.Time("expiration", e.Expiration), slog.Int("packed_policy_size", e.PackedPolicySize))
	}
	for _, s := range []Stage{StageToken, StageTarget, StageRules, StageDecision, StageSAML, StageSTS} {
		if d, ok := e.Took[s]; ok {
			attrs = append(attrs, slog.Duration("took_"+string(s), d))
		}
	}
	return slog.GroupValue(attrs...)
}

// fail records how the exchange ended.
func (e *Event) fail(err error) {
	var de *Error
	if errors.As(err, &de) {
		e.Stage, e.Code, e.Err = de.Stage, de.Code, de
		e.RequestID = de.RequestID
	}
}
