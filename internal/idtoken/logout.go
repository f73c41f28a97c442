package idtoken

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// logoutEventName is the member of events that makes a token a logout token (OpenID Connect
// Back-Channel Logout 1.0 §2.4).
const logoutEventName = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims decide about a logout token; see decidingClaims.
var logoutClaims = namesOf(
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "events", "sid", "nonce", "typ", "tid",
)

// Logout is what a logout token says that passed every check but that of its audience.
type Logout struct {
	// Issuer and Entry are as in [Claims].
	Issuer, Entry string
	// Audience has at least one entry.
	Audience []string
	// Client is the client whose secret signed the token, which then counts for that client alone.
	// It is the only audience. Empty: a key of the issuer signed it, and it counts for all clients.
	Client string
	// Subject is sub, and SessionID is sid. One of them may be empty.
	Subject, SessionID string
	// ID is jti.
	ID       string
	IssuedAt time.Time
	Expiry   time.Time
	Of       Origin
}

// VerifyLogout checks a logout token as OpenID Connect Back-Channel Logout 1.0 §2.6 says: form,
// issuer and signature as of an ID token, and the claims of §2.4. It does not know the clients of
// the caller, and remembers nothing: the caller must check audience and jti. If Client is set, the
// caller must end sessions of that client only. Errors are those of [Verifier.Verify].
func (v *Verifier) VerifyLogout(ctx context.Context, raw string) (*Logout, error) {
	token, err := v.readLogout(raw)
	if err != nil {
		return nil, err
	}
	by, err := v.findIssuer(token)
	if err != nil {
		return nil, token.origin("").refused(err)
	}
	logout, err := v.verifyLogout(ctx, token, by)
	if err != nil {
		return nil, token.origin(by.listed).refused(err)
	}
	logout.Of = token.origin(by.name)
	return logout, nil
}

// readLogout reads a token apart from what is remembered of ID tokens: a header with the type of
// logout tokens must not be taken for one of theirs.
func (v *Verifier) readLogout(raw string) (*compactJWS, error) {
	token := new(compactJWS)
	if err := token.decode(raw, v.config.MaxSize); err != nil {
		return nil, err
	}
	if err := token.readHeader(checkLogoutType); err != nil {
		return nil, err
	}
	token.digest = Digest(raw)
	var err error
	token.claims, err = parseObject("payload", token.payload, "claim", logoutClaims)
	if err != nil {
		return nil, token.origin("").refused(err)
	}
	return token, nil
}

// checkLogoutType checks that the header names a logout token or a JWT: §2.4 recommends the type
// logout+jwt, and many providers leave it out.
func checkLogoutType(header map[string]any) error {
	text, _ := header["typ"].(string)
	kind := strings.TrimPrefix(strings.ToLower(text), "application/")
	if header["typ"] == nil || kind == "jwt" || kind == "logout+jwt" {
		return nil
	}
	return newError(tokenType, "the header's typ is %.80q", fmt.Sprint(header["typ"]))
}

// verifyLogout checks a token whose issuer was found.
func (v *Verifier) verifyLogout(
	ctx context.Context, token *compactJWS, by *issuer,
) (*Logout, error) {
	all := token.claims
	if err := token.verifySignature(ctx, by); err != nil {
		return nil, err
	}
	if err := by.checkTenant(all); err != nil {
		return nil, err
	}
	if err := checkLogoutKind(all); err != nil {
		return nil, err
	}
	logout := &Logout{Issuer: by.name, Entry: by.entry}
	if err := logout.readClaims(all); err != nil {
		return nil, err
	}
	if err := logout.checkDates(all, v.config.Now(), v.config.Leeway); err != nil {
		return nil, err
	}
	client := &Claims{Audience: logout.Audience, Client: logout.Audience[0]}
	if err := by.checkBound(token.algorithm, client); err != nil {
		return nil, err
	}
	if by.secrets != nil && token.algorithm == hs256 {
		logout.Client = client.Client
	}
	return logout, nil
}

// checkLogoutKind refuses every token that was not made to end a session. An ID token has no such
// event, and a logout token has no nonce, so that neither passes as the other.
func checkLogoutKind(all map[string]any) error {
	events, _ := all["events"].(map[string]any)
	if _, logout := events[logoutEventName].(map[string]any); !logout {
		return newError(logoutEvent, "events is not an object whose member %s is an object",
			logoutEventName)
	}
	if _, given := all["nonce"]; given {
		return newError(logoutNonce, "the token has a nonce")
	}
	if kind := all["typ"]; kind != nil && kind != "Logout" { // as Keycloak writes it
		return newError(tokenKindOther, "the payload's typ marks another kind of token")
	}
	return nil
}

// readClaims reads which session has ended, and the audience and ID of the token.
func (l *Logout) readClaims(all map[string]any) (err error) {
	if l.Subject, err = optionalClaim(all, "sub"); err != nil {
		return err
	}
	if l.SessionID, err = optionalClaim(all, "sid"); err != nil {
		return err
	}
	if l.Subject == "" && l.SessionID == "" {
		return newError(logoutSession, "the token has neither sub nor sid")
	}
	if l.Audience, err = audienceClaim(all["aud"]); err != nil {
		return err
	}
	l.ID, err = stringClaim(all, "jti")
	return err
}

// optionalClaim returns a claim that may be absent, but not of another type or empty: then it would
// be unclear what is to end.
func optionalClaim(all map[string]any, name string) (string, error) {
	if value, given := all[name]; !given || value == nil {
		return "", nil
	}
	return stringClaim(all, name)
}

// checkDates checks the dates as those of an ID token.
func (l *Logout) checkDates(all map[string]any, now time.Time, leeway time.Duration) error {
	exp, err := numericDate(all, "exp")
	if err != nil {
		return err
	}
	iat, err := numericDate(all, "iat")
	if err != nil {
		return err
	}
	nbf, err := numericDate(all, "nbf")
	if err != nil {
		return err
	}
	if err := checkExpiry(exp, now, leeway); err != nil {
		return err
	}
	if err := checkOrder("iat", iat, exp); err != nil {
		return err
	}
	if err := checkBegun("iat", iat, now, leeway); err != nil {
		return err
	}
	if err := checkBegun("nbf", nbf, now, leeway); err != nil {
		return err
	}
	l.Expiry = exp
	l.IssuedAt = iat
	return nil
}

// Known returns the name of a configured issuer, or of one of its tenants, that has this iss. For
// the text of a template it returns the text.
func (v *Verifier) Known(iss string) (name string, known bool) {
	if by, err := v.issuer(iss); err == nil {
		return by.name, true
	}
	_, known = v.names[iss]
	return iss, known
}

// Entry returns the URL of the configured issuer that has this iss, as in [Claims]. Empty: none
// has.
func (v *Verifier) Entry(iss string) string {
	by, err := v.issuer(iss)
	if err != nil {
		return ""
	}
	return by.entry
}
