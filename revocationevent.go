package delegation

import (
	"context"
	"log/slog"
	"time"
)

// RevocationCause says what ended the sessions.
type RevocationCause string

// The causes.
const (
	// RevocationInvalidate: [Delegator.Invalidate] or [Delegator.InvalidateAll]. Tokens are still
	// accepted.
	RevocationInvalidate RevocationCause = "invalidate"
	// RevocationRevoke: [Delegator.Revoke].
	RevocationRevoke RevocationCause = "revoke"
	// RevocationLogout: [Delegator.Logout], with a logout token of the issuer.
	RevocationLogout RevocationCause = "logout"
)

// RevocationEvent is the record of one call that ends sessions. It contains no token. For a logout
// token, Issuer, Subject, SessionID and ClientID are set only if the signature was verified.
type RevocationEvent struct {
	// Time is when the call began.
	Time time.Time
	// Cause says which call it was.
	Cause RevocationCause
	// Outcome is allowed if the sessions were ended, denied if the logout token or an argument was
	// refused, and failed if something did not work.
	Outcome Outcome
	// Everybody reports whether the call was for all users.
	Everybody bool
	// Issuer is the iss of the sessions. Empty: any issuer.
	Issuer string
	// Subject is the sub of the sessions. Empty: any subject.
	Subject string
	// SessionID is the sid of the session. Empty: any session.
	SessionID string
	// ClientID is the client whose secret signed the logout token. With Config.Revocations, only
	// sessions of this client were ended. Empty: any client.
	ClientID string
	// IssuedBefore is the time of issue up to which tokens are refused. Zero: none are refused.
	IssuedBefore time.Time
	// TokenSHA256 is the SHA-256 of the logout token as received, in hexadecimal.
	TokenSHA256 string
	// HTTPRequestID is Request.ID, as in [Event].
	HTTPRequestID string
	// ClientIP is Request.IP, as in [Event].
	ClientIP string
	// UserAgent is Request.UserAgent, as in [Event].
	UserAgent string
	// Stage is where the call failed. Empty on success.
	Stage Stage
	// Code is why it failed. Empty on success.
	Code Code
	// Err is the *[Error]. nil on success.
	Err error
}

func (d *Delegator) newRevocation(cause RevocationCause, r Revocation) RevocationEvent {
	return RevocationEvent{
		Time:          d.config.Now(),
		Cause:         cause,
		Everybody:     r.Everybody,
		Issuer:        cut(r.Issuer, maxEventRevocation),
		Subject:       cut(r.Subject, maxEventRevocation),
		SessionID:     cut(r.SessionID, maxEventRevocation),
		HTTPRequestID: printable(r.Request.ID, maxEventRequestID),
		ClientIP:      printable(r.Request.IP, maxEventClientIP),
		UserAgent:     printable(r.Request.UserAgent, maxEventUserAgent),
	}
}

// maxEventRevocation is how many characters of each name are in an event.
const maxEventRevocation = 256

// reportRevocation hands on the event of a call that ended with this error, and returns the error.
func (d *Delegator) reportRevocation(
	ctx context.Context, event RevocationEvent, err error,
) error {
	var failure *Error // nil on success
	if err != nil {
		failure = failureOf(err)
		event.Stage = failure.Stage
		event.Code = failure.Code
		event.Err = failure
	}
	event.Outcome = failure.outcome()
	if event.Code == CodeArgumentInvalid {
		event.Outcome = OutcomeDenied
	}
	message := "sessions ended"
	if err != nil {
		message = "sessions not ended"
	}
	d.config.Logger.LogAttrs(ctx, failure.level(), message, slog.Any("revocation", event))
	if d.config.OnRevocation != nil {
		d.observed(ctx, func() { d.config.OnRevocation(ctx, event) })
	}
	return err
}

// LogValue implements slog.LogValuer: a group of the fields that are set.
func (e RevocationEvent) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 16)
	for _, field := range []textField{
		{"outcome", string(e.Outcome)},
		{"cause", string(e.Cause)},
		{"issuer", e.Issuer},
		{"subject", e.Subject},
		{"session_id", e.SessionID},
		{"client_id", e.ClientID},
		{"token_sha256", e.TokenSHA256},
		{"http_request_id", e.HTTPRequestID},
		{"client_ip", e.ClientIP},
		{"user_agent", e.UserAgent},
		{"stage", string(e.Stage)},
		{"code", string(e.Code)},
	} {
		if field.text != "" {
			attrs = append(attrs, slog.String(field.name, field.text))
		}
	}
	if e.Everybody {
		attrs = append(attrs, slog.Bool("everybody", true))
	}
	if !e.IssuedBefore.IsZero() {
		attrs = append(attrs, slog.Time("issued_before", e.IssuedBefore))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}
