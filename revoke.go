package delegation

import (
	"context"
	"errors"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// Revocation says whose sessions [Delegator.Revoke] ends. Set at least one of Everybody, Issuer and
// Subject.
type Revocation struct {
	// Everybody ends the sessions of all users of all issuers. It excludes Issuer, Subject and
	// SessionID.
	Everybody bool
	// Issuer is the iss of the tokens, of a configured issuer. With an empty Subject and SessionID
	// it ends the sessions of all its users. An Issuer.URL with a placeholder stands for all its
	// tenants. Empty: any issuer.
	Issuer string
	// Subject is the sub of the tokens. Empty: any.
	Subject string
	// SessionID is the sid of the tokens. It requires Issuer. With a Subject, tokens of the subject
	// without a sid are refused too, because they may be of that session. Empty: all sessions.
	SessionID string
	// IssuedBefore is the time of issue up to which tokens are refused, by the issuer's clock, in
	// whole seconds. Zero: now plus Config.Leeway, because the issuer's clock may be ahead by that
	// much. A token that is issued within that time is refused too.
	IssuedBefore time.Time
	// Request is recorded in the [RevocationEvent].
	Request Request
}

// Revoke refuses the tokens of sessions from now on, and drops the cached credentials of their
// users. It applies to this process and, within 5 seconds, to all processes that share
// Config.Revocations. An exchange with such a token fails with [CodeSessionEnded].
//
// It does not end AWS sessions: credentials that were already returned work until they expire,
// unless AWS denies them (see [SessionRevocation]). It does not stop the user from signing in
// again.
//
// Without Config.Revocations the error is [CodeConfigInvalid]. An empty or contradictory Revocation
// is [CodeArgumentInvalid], and an Issuer that is not configured is [CodeIssuerUnknown].
// [CodeRevocationsUnavailable] means that it took effect in this process, but the store did not
// accept it: call Revoke once more.
func (d *Delegator) Revoke(ctx context.Context, r Revocation) error {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	event := d.newRevocation(RevocationRevoke, r)
	err := d.revoke(ctx, r, &event)
	return d.reportRevocation(ctx, event, err)
}

func (d *Delegator) revoke(ctx context.Context, r Revocation, event *RevocationEvent) error {
	if err := r.validate(); err != nil {
		return newError(CodeArgumentInvalid, "the revocation: %w", err)
	}
	if d.config.Revocations == nil {
		return newError(CodeConfigInvalid, "there is no memory of ended sessions, so no token "+
			"would be refused")
	}
	if r.Issuer != "" {
		name, known := d.tokens.Known(r.Issuer)
		if !known {
			return newError(CodeIssuerUnknown, "%.200q is not a configured issuer", r.Issuer)
		}
		r.Issuer = name
		event.Issuer = name
	}
	now := d.config.Now()
	if r.IssuedBefore.IsZero() {
		r.IssuedBefore = now.Add(d.config.Leeway)
	}
	if r.IssuedBefore.After(now.Add(maxLeeway)) {
		return newError(CodeArgumentInvalid,
			"the revocation: IssuedBefore is %s, which is in the future",
			r.IssuedBefore.UTC().Format(time.RFC3339))
	}
	event.IssuedBefore = r.IssuedBefore
	return d.mark(ctx, r.marks(now))
}

// maxLeeway is the largest Config.Leeway.
const maxLeeway = 5 * time.Minute

func (r *Revocation) validate() error {
	named := r.Issuer != "" || r.Subject != "" || r.SessionID != ""
	switch {
	case r.Everybody && named:
		//lint:ignore ST1005 it begins with the name of a field
		return errors.New("Everybody excludes Issuer, Subject and SessionID")
	case !r.Everybody && !named:
		return errors.New("it names no sessions: set Everybody, Issuer or Subject")
	case r.SessionID != "" && r.Issuer == "":
		return errors.New("SessionID needs Issuer: a sid is unique for one issuer only")
	}
	return nil
}

// marks are those of a revocation for all clients.
func (r *Revocation) marks(made time.Time) []freshness.Mark { return r.marksAt("", made) }

// marksAt are those of a revocation for one client of Issuer, or for all if client is empty. One
// client needs a Subject or a SessionID. With a SessionID, tokens whose sid is another one remain
// valid. The sessions of a user share cached credentials, so these are dropped too.
func (r *Revocation) marksAt(client string, made time.Time) []freshness.Mark {
	at := sessionsAt{issuer: r.Issuer, client: client}
	mark := func(key freshness.Key) freshness.Mark {
		return freshness.Mark{Key: key, Before: r.IssuedBefore, Made: made}
	}
	switch {
	case r.Everybody:
		return []freshness.Mark{mark(markOfAll())}
	case r.SessionID != "" && r.Subject != "":
		return []freshness.Mark{
			mark(at.markOfSession(r.SessionID)),
			mark(at.markOfSessionless(r.Subject)),
			{Key: at.markOfUser(r.Subject), Made: made},
		}
	case r.SessionID != "":
		return []freshness.Mark{mark(at.markOfSession(r.SessionID))}
	case r.Issuer != "" && r.Subject != "":
		return []freshness.Mark{mark(at.markOfUser(r.Subject))}
	case r.Issuer != "":
		return []freshness.Mark{mark(markOfIssuer(r.Issuer))}
	}
	return []freshness.Mark{mark(markOfSubject(r.Subject))}
}

// mark adds marks. Each is later than those of its key before, so that credentials that were cached
// in between are forgotten.
func (d *Delegator) mark(ctx context.Context, marks []freshness.Mark) error {
	r := d.config.Revocations
	now := d.config.Now()
	for i := range marks {
		_, made := r.marks.Of(now, marks[i].Key)
		if !marks[i].Made.After(made) {
			marks[i].Made = made.Add(1)
		}
	}
	err := r.add(ctx, now, marks)
	switch {
	case err != nil && ctx.Err() != nil:
		return canceledAt(StageToken, ctx.Err())
	case err != nil:
		return newError(CodeRevocationsUnavailable, "the store of ended sessions: %w", err)
	}
	return nil
}

// invalidate drops the cached credentials of a subject of any issuer, or of everybody. Tokens
// remain valid.
func (d *Delegator) invalidate(ctx context.Context, r Revocation) error {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	event := d.newRevocation(RevocationInvalidate, r)
	key := markOfAll()
	var owner *freshness.Key
	if !r.Everybody {
		of := ownerOf(r.Subject)
		owner = &of
		key = markOfSubject(r.Subject)
	}
	var err error
	if d.config.Revocations != nil {
		err = d.mark(ctx, []freshness.Mark{{Key: key, Made: event.Time}})
	}
	// Done even if there is no store that tells other processes, or if it failed.
	if failed := d.forget(ctx, owner); err == nil {
		err = failed
	}
	return d.reportRevocation(ctx, event, err)
}
