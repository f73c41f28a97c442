package delegation

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// VerifySignature verifies a token's form, algorithm and signature and not its claims: vectors of others have payloads
// that are no claims.
func VerifySignature(raw string, issuer Issuer) error {
	checked, problems := issuer.checked()
	if problems != nil {
		return problems
	}
	c := &Config{MaxTokenSize: defaultMaxTokenSize, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	return tokenError(c.verifier([]idtoken.Issuer{checked}).VerifySignature(context.Background(), issuer.URL, raw))
}

// Verify runs the token side of an exchange alone and returns the token's claims.
func Verify(ctx context.Context, d *Delegator, raw string) (map[string]any, error) {
	c, err := d.tokens.Verify(ctx, raw)
	if err != nil {
		return nil, tokenError(err)
	}
	return c.All, nil
}

// Responder decides for a user of the target, and returns the function that builds and signs the response. The session ends
// at sessionEnd at the latest, unless that is zero.
func Responder(p IdentityProvider, target Target, subject string, sessionEnd time.Time) (func(context.Context, time.Time, io.Reader) (string, error), error) {
	d, err := decide(&User{}, subject, target.AWS, &target, &Config{})
	if err != nil {
		return nil, err
	}
	d.sessionNotOnOrAfter = sessionEnd
	return func(ctx context.Context, now time.Time, random io.Reader) (string, error) {
		response, err := p.respond(ctx, d, now, random)
		if err != nil {
			return "", err
		}
		return response.encoded.Reveal(), nil
	}, nil
}

// Level is how loud a logger gets the exchange that ended so.
func Level(e *Error) slog.Level { return e.level() }

// ErrorOf makes the Error of a code, as this package does.
func ErrorOf(code Code, cause error) *Error { return newError(code, "%w", cause) }
