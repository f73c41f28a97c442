package delegation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// signIn is what the verified token says of how and when the user has signed in (OpenID Connect
// Core §2). It is read before a profile loader or a rule can change the user.
type signIn struct {
	authTime any
	amr      any
	acr      any

	now    time.Time
	leeway time.Duration
}

func newSignIn(claims map[string]any, now time.Time, leeway time.Duration) signIn {
	return signIn{
		authTime: claims["auth_time"],
		amr:      claims["amr"],
		acr:      claims["acr"],
		now:      now,
		leeway:   leeway,
	}
}

// RequireRecentLogin refuses users who have not signed in within the duration, as the claim
// auth_time of the ID token says (OpenID Connect Core §2): [CodeLoginTooOld]. A token without
// auth_time, or with one that is not a number of seconds or lies ahead, is refused with
// [CodeLoginTimeMissing]. Both take Config.Leeway into account. A profile loader or another rule
// cannot supply the time. A duration that is not positive refuses everyone.
//
// Many issuers send auth_time only if the application asks for it, with the parameter max_age or as
// an essential claim. A token that was refreshed keeps the time of the sign-in.
//
// The rule decides who gets credentials, also those in the cache: from auth_time plus the duration
// and the leeway on, the user gets none. It does not shorten a session that has begun. Set
// AWS.SessionDuration for that.
func RequireRecentLogin(within time.Duration) RuleFunc {
	r := &readyMade{name: "delegation.RequireRecentLogin", changes: nobodyIf(within <= 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		at, err := idtoken.Date(rc.signIn.authTime)
		if err != nil {
			return refuseSignIn(CodeLoginTimeMissing, "auth_time %v", err)
		}
		if at.After(rc.signIn.now.Add(rc.signIn.leeway)) {
			return refuseSignIn(CodeLoginTimeMissing, "auth_time is %s, which lies ahead",
				at.UTC().Format(time.RFC3339))
		}
		if within <= 0 || !rc.signIn.now.Before(at.Add(within).Add(rc.signIn.leeway)) {
			return refuseSignIn(CodeLoginTooOld,
				"the user signed in at %s, which is longer ago than %s",
				at.UTC().Format(time.RFC3339), within)
		}
		return nil
	}
	return r.ready()
}

// RequireAMR refuses users whose ID token does not list all of these authentication methods in its
// claim amr: [CodeAMRRequired]. RFC 8176 has the names that many issuers use, such as mfa, otp, hwk
// and pwd; each issuer has its own habits. To accept one of several, use RequiredClaims of the
// target. A profile loader or another rule cannot supply the claim. Without a method listed the
// rule refuses everyone.
func RequireAMR(methods ...string) RuleFunc {
	methods = slices.Clone(methods)
	r := &readyMade{name: "delegation.RequireAMR", changes: nobodyIf(len(methods) == 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		used := amrOf(rc.signIn.amr)
		for _, method := range methods {
			if method == "" || !slices.Contains(used, method) {
				return refuseSignIn(CodeAMRRequired, "amr lacks %.80q", method)
			}
		}
		if len(methods) == 0 {
			return refuseSignIn(CodeAMRRequired, "no method is listed")
		}
		return nil
	}
	return r.ready()
}

// RequireACR refuses users whose ID token does not have one of these values as its claim acr, the
// authentication context class: [CodeACRRequired]. A profile loader or another rule cannot supply
// the claim. Without a value listed the rule refuses everyone.
func RequireACR(values ...string) RuleFunc {
	values = slices.Clone(values)
	r := &readyMade{name: "delegation.RequireACR", changes: nobodyIf(len(values) == 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		acr, _ := rc.signIn.acr.(string)
		if acr == "" || !slices.Contains(values, acr) {
			return refuseSignIn(CodeACRRequired, "acr is %.80q, which is none of %s", acr,
				named(values))
		}
		return nil
	}
	return r.ready()
}

// signInRefusal is a refusal with a code of its own.
type signInRefusal struct {
	text string
	code Code
}

func refuseSignIn(code Code, format string, args ...any) error {
	return &signInRefusal{fmt.Sprintf(format, args...), code}
}

func (e *signInRefusal) Error() string { return e.text }

// Unwrap returns the code, which the exchange's error then has.
func (e *signInRefusal) Unwrap() error { return e.code }

// amrOf are the methods in amr: an array of strings, or one string, which some issuers send. A
// value with anything else in it has none.
func amrOf(value any) []string {
	if list, ok := value.([]any); ok {
		for _, entry := range list {
			if _, isText := entry.(string); !isText {
				return nil
			}
		}
		methods, _ := jsonvalue.Texts(list)
		return methods
	}
	if method, ok := value.(string); ok {
		return []string{method}
	}
	return nil
}
