package delegation

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

// Logout ends the sessions that a logout token of an issuer names (OpenID Connect Back-Channel
// Logout 1.0). The token is verified according to its §2.6: signature and issuer as for an ID
// token, and aud, iat, exp, jti, events, sub and sid. aud must name a client of a target that
// accepts the issuer's tokens, or one of Config.LogoutAudiences. Each logout token is accepted
// once.
//
// With Config.Revocations, ID tokens of these sessions are refused with [CodeSessionEnded] if their
// iat is not later than that of the logout token. The user's cached credentials are dropped. Other
// processes follow within 5 seconds. If the token has a sid, other sessions of the user continue,
// but the user's ID tokens without a sid are refused. Without Config.Revocations, only the
// credentials cached for the sub are dropped, and a token with only a sid is refused with
// [CodeLogoutSessionUnknown].
//
// A logout token that is signed with a client's secret, of Issuer.ClientSecrets, ends sessions of
// that client only: ID tokens of other clients remain valid, because anyone who has the secret
// could have signed it. Without Config.Revocations it drops the credentials cached for the sub,
// whichever client they were cached for.
//
// AWS sessions continue until they expire, see [SessionRevocation]. The request is recorded in the
// [RevocationEvent]. A nil context is refused with [CodeArgumentInvalid].
func (d *Delegator) Logout(ctx context.Context, logoutToken string, request Request) error {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	event := d.newRevocation(RevocationLogout, Revocation{Request: request})
	if logoutToken != "" {
		digest := idtoken.Digest(logoutToken)
		event.TokenSHA256 = hex.EncodeToString(digest[:])
	}
	err := d.logout(ctx, logoutToken, &event)
	return d.reportRevocation(ctx, event, err)
}

func (d *Delegator) logout(ctx context.Context, raw string, event *RevocationEvent) error {
	token, err := d.tokens.VerifyLogout(ctx, raw)
	if err != nil {
		return tokenError(err)
	}
	event.Issuer = cut(token.Issuer, maxEventRevocation)
	event.Subject = cut(token.Subject, maxEventRevocation)
	event.SessionID = cut(token.SessionID, maxEventRevocation)
	event.ClientID = cut(token.Client, maxEventRevocation)
	if !d.isLogoutAudience(token) {
		return newError(CodeLogoutAudience, "the logout token of the issuer %.200q is for %s, "+
			"none of which is a client of a target for this issuer",
			token.Issuer, named(token.Audience))
	}
	key := keyOfLogout(token)
	now := d.config.Now()
	if d.received().Used(key.String(), now) {
		return replayedLogout(token)
	}
	if err := d.endSessions(ctx, token, event); err != nil {
		return err
	}
	return d.receiveOnce(ctx, token, key)
}

// endSessions ends the sessions that a verified logout token names. It comes before the token is
// noted as received, so that the issuer can send it once more if the store failed.
func (d *Delegator) endSessions(
	ctx context.Context, token *idtoken.Logout, event *RevocationEvent,
) error {
	if d.config.Revocations == nil {
		if token.Subject == "" {
			return newError(CodeLogoutSessionUnknown,
				"the logout token has a sid and no sub, and ended sessions are not remembered")
		}
		owner := ownerOf(token.Subject)
		return d.forget(ctx, &owner)
	}
	r := Revocation{
		Issuer:       token.Issuer,
		Subject:      token.Subject,
		SessionID:    token.SessionID,
		IssuedBefore: token.IssuedAt,
	}
	event.IssuedBefore = token.IssuedAt
	// Made now, and not when the token was issued: that may be long ago, and a store keeps its
	// marks no longer than the last one is needed.
	return d.mark(ctx, r.marksAt(token.Client, d.config.Now()))
}

// keyOfLogout is what a received logout token is remembered by. IDs of tokens that a
// client's secret signed are apart from all others, so that anyone who has the secret cannot use up
// the IDs of other clients' logout tokens.
func keyOfLogout(token *idtoken.Logout) freshness.Key {
	names := []string{"logout", token.Issuer, token.ID}
	if token.Client != "" {
		names = append(names, token.Client)
	}
	return freshness.KeyOf(names)
}

// received are the logout tokens that this process has received.
func (d *Delegator) received() *freshness.ReplayMemory {
	if d.config.Revocations != nil {
		return d.config.Revocations.used
	}
	return d.logouts
}

// receiveOnce notes that a logout token was received, in the store and here, and refuses one that
// was received before.
func (d *Delegator) receiveOnce(
	ctx context.Context, token *idtoken.Logout, key freshness.Key,
) error {
	now := d.config.Now()
	until := token.Expiry.Add(d.config.Leeway)
	if most := now.Add(mostLogoutKept); until.After(most) {
		until = most
	}
	first := true
	var err error
	if r := d.config.Revocations; r != nil && r.store != nil {
		first, err = guard.Value(func() (bool, error) {
			return r.store.FirstUse(ctx, key.String(), now, until)
		})
	}
	if err == nil && first {
		first, err = d.received().FirstUse(ctx, key.String(), now, until)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return canceledAt(StageToken, ctx.Err())
	case err != nil:
		return newError(CodeRevocationsUnavailable, "the memory of logout tokens: %w", err)
	case !first:
		return replayedLogout(token)
	}
	return nil
}

// mostLogoutKept bounds how long a logout token is remembered. The specification recommends that
// logout tokens expire after two minutes (§2.4). A replay after this time ends no session that
// began after the token was issued.
const mostLogoutKept = 24 * time.Hour

func replayedLogout(token *idtoken.Logout) error {
	return newError(CodeLogoutReplayed,
		"the logout token of the issuer %.200q with the jti %.80q was received before",
		token.Issuer, token.ID)
}

// isLogoutAudience tells whether a logout token is for one of our clients: one of
// Config.LogoutAudiences, or one whose ID tokens of this issuer a target accepts.
func (d *Delegator) isLogoutAudience(token *idtoken.Logout) bool {
	among := func(clients []string) bool {
		return slices.ContainsFunc(token.Audience, func(audience string) bool {
			return slices.Contains(clients, audience)
		})
	}
	if among(d.config.LogoutAudiences) {
		return true
	}
	targets := d.config.fixedTargets()
	of := &idtoken.Claims{Issuer: token.Issuer, Entry: token.Entry}
	for name, target := range targets {
		if target.takesTokensOf(of, len(d.config.Issuers) == 1) &&
			(among(target.audiencesFor(name)) || among(target.AuthorizedParties)) {
			return true
		}
	}
	return false
}
