package profile

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation"
)

// refusal is why there is no profile. It holds no token, no secret and nothing of an answer.
type refusal struct {
	code delegation.Code
	err  error
	// wait is how long to wait before another request is worth it. Zero: not known.
	wait time.Duration
	// pause is how long nobody is asked, though nobody has said that waiting helps.
	pause time.Duration
	// answered says that the endpoint took the credentials, and has no profile.
	answered bool
}

func (r *refusal) Error() string { return r.err.Error() }

// Unwrap has errors.Is find the code.
func (r *refusal) Unwrap() []error { return []error{r.err, r.code} }

// RetryAfter is how long to wait before another request is worth it.
func (r *refusal) RetryAfter() time.Duration { return r.wait }

// configError is what is wrong with a [Config].
type configError struct{ problems error }

func (e configError) Error() string { return "profile: " + e.problems.Error() }

func (e configError) Unwrap() error { return e.problems }

// Is has errors.Is find the code.
func (e configError) Is(target error) bool { return target == delegation.CodeConfigInvalid }

func refuse(code delegation.Code, format string, args ...any) *refusal {
	return &refusal{code: code, err: fmt.Errorf(format, args...)}
}

// errSomebodyElse says that an answer is about another user.
var errSomebodyElse = errors.New("the answer is the profile of another user")

// isPassing tells whether an error says nothing of the user or the configuration, and may be over
// soon.
func isPassing(err error) bool {
	return errors.Is(err, delegation.CodeProfileUnavailable) ||
		errors.Is(err, delegation.CodeProfileThrottled)
}

// How long nobody is asked after an answer that says so, or after Auth0 has given no token that it
// takes.
const (
	leastRest  = time.Second
	mostRest   = time.Minute
	tokenPause = 5 * time.Second
)

// rest is a time in which nobody is asked.
type rest struct {
	since, until time.Time
	err          *refusal
}

// at returns the error of a rest that is not over. A clock that was set back ends it.
func (r *rest) at(now time.Time) error {
	if r.err == nil || now.Before(r.since) || !now.Before(r.until) {
		return nil
	}
	err := *r.err
	if err.wait > 0 {
		err.wait = max(r.until.Sub(now), leastRest)
	}
	return &err
}

// secondAfter returns a rest of one second after a failure of the endpoint, and no rest after any
// other error. During that second, users with an older answer do not wait for a request.
func secondAfter(err error, now time.Time) rest {
	var refused *refusal
	if !errors.As(err, &refused) || !errors.Is(err, delegation.CodeProfileUnavailable) {
		return rest{}
	}
	return rest{since: now, until: now.Add(leastRest), err: refused}
}

// note begins a rest after an error that asks for one.
func (r *rest) note(err error, now time.Time) {
	var refused *refusal
	if !errors.As(err, &refused) {
		return
	}
	pause := max(refused.wait, refused.pause)
	if pause > 0 {
		*r = rest{since: now, until: now.Add(pause), err: refused}
	}
}
