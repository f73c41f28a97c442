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

// said is what the verified token says of the sign-in.
func (rc *RuleContext) said() signIn {
	if rc.signIn == nil {
		return signIn{}
	}
	return *rc.signIn
}

// RequireRecentLogin refuses users, with [CodeLoginTooOld], who signed in longer ago than the
// duration, by the claim auth_time of the ID token (OpenID Connect Core §2). If auth_time is
// absent, not a number of seconds, or in the future, the user is refused with
// [CodeLoginTimeMissing]. Config.Leeway applies to the duration and to a time in the future. A
// profile loader or another rule cannot supply the time. A duration that is not positive refuses
// everyone.
//
// Many issuers send auth_time only if the application requests it, with the parameter max_age or as
// an essential claim. A refreshed token keeps the time of the sign-in.
//
// The rule decides who gets credentials, also from the cache: after auth_time plus the duration and
// the leeway, the user gets none. It does not shorten a session that has begun: set
// AWS.SessionDuration for that.
func RequireRecentLogin(within time.Duration) RuleFunc {
	r := &readyMade{name: "delegation.RequireRecentLogin", changes: nobodyIf(within <= 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		said := rc.said()
		at, err := idtoken.Date(said.authTime)
		if err != nil {
			return refuseSignIn(CodeLoginTimeMissing, "auth_time %v", err)
		}
		if at.After(said.now.Add(said.leeway)) {
			return refuseSignIn(CodeLoginTimeMissing, "auth_time is %s, which is in the future",
				at.UTC().Format(time.RFC3339))
		}
		if within <= 0 || !said.now.Before(at.Add(within).Add(said.leeway)) {
			return refuseSignIn(CodeLoginTooOld,
				"the user signed in at %s, which is longer ago than %s",
				at.UTC().Format(time.RFC3339), within)
		}
		return nil
	}
	return r.ready()
}

// RequireAMR refuses users, with [CodeAMRRequired], unless the claim amr of the ID token lists all
// of these authentication methods. RFC 8176 defines common names, such as mfa, otp, hwk and pwd,
// but issuers also use others. To accept one of several methods, use RequiredClaims of the target.
// A profile loader or another rule cannot supply the claim. Without methods the rule refuses
// everyone.
func RequireAMR(methods ...string) RuleFunc {
	methods = slices.Clone(methods)
	r := &readyMade{name: "delegation.RequireAMR", changes: nobodyIf(len(methods) == 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		used := amrOf(rc.said().amr)
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

// RequireACR refuses users, with [CodeACRRequired], unless the claim acr of the ID token, the
// authentication context class, is one of these values. A profile loader or another rule cannot
// supply the claim. Without values the rule refuses everyone.
func RequireACR(values ...string) RuleFunc {
	values = slices.Clone(values)
	r := &readyMade{name: "delegation.RequireACR", changes: nobodyIf(len(values) == 0)}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		acr, _ := rc.said().acr.(string)
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
