package delegation

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// certificateSoon is how long before its end a certificate of an issuer is warned of. One that
// lives shorter is warned of in the last quarter of its life.
const certificateSoon = 30 * 24 * time.Hour

// IssuerKeys is the state of the published keys of an issuer.
type IssuerKeys struct {
	// Issuer is Issuer.URL, or the URL of a tenant that has keys of its own.
	Issuer string
	// FailingSince is when the first refresh failed after the last successful one. Zero: the last
	// refresh succeeded, or there was none yet.
	FailingSince time.Time
	// Err is the *[Error] of the last refresh, if it failed.
	Err error
	// FetchedAt is when the fetch of the known keys began. Zero: no keys are known, or they are not
	// fetched.
	FetchedAt time.Time
	// UsableUntil is when exchanges begin to fail, unless a refresh succeeds before. Zero: no keys
	// are known, or they are not fetched.
	UsableUntil time.Time
}

// IssuerKeys returns the state of the keys of all issuers, in their order. It makes no network
// calls: keys are refreshed when they are used. delegationotel turns the result into metrics.
func (d *Delegator) IssuerKeys() []IssuerKeys {
	if d == nil || d.tokens == nil {
		return nil
	}
	var list []IssuerKeys
	for _, issuer := range d.config.Issuers {
		for _, source := range d.tokens.KeySources(issuer.URL) {
			state := d.tokens.KeyState(source)
			list = append(list, IssuerKeys{
				Issuer:       source,
				FailingSince: state.FailingSince,
				Err:          tokenError(state.Failure),
				FetchedAt:    state.FetchedAt,
				UsableUntil:  state.UsableUntil,
			})
		}
	}
	return list
}

// keyWarnings are what deserves a look in the keys of an issuer, though they can be used.
func (d *Delegator) keyWarnings(source string) (warnings []CheckWarning) {
	now := d.config.Now()
	state := d.tokens.KeyState(source)
	add := func(code WarningCode, remedy, format string, args ...any) {
		warnings = append(warnings, CheckWarning{
			Code:   code,
			Text:   fmt.Sprintf(format, args...),
			Remedy: remedy,
		})
	}
	if !state.UsableUntil.IsZero() && !state.FailingSince.IsZero() {
		add(WarningIssuerKeysStale, "",
			"refreshes of its keys have failed since %s, and exchanges fail from %s on "+
				"unless a refresh succeeds before then: %v",
			stamp(state.FailingSince), stamp(state.UsableUntil), tokenError(state.Failure))
	}
	if len(state.LeftOut) > 0 {
		add(WarningIssuerKeysLeftOut, "",
			"keys of its set cannot be used: %s", strings.Join(shortened(state.LeftOut), "; "))
	}
	switch {
	case !state.Fits && len(state.Algorithms) == 0:
		add(WarningIssuerKeysUnfit, "", "no key of its set fits any algorithm: "+
			"the alg of each key is unknown, or is for another kind of key")
	case !state.Fits:
		add(WarningIssuerKeysUnfit, "list what it signs with in Issuer.Algorithms",
			"no key of its set fits an algorithm that it may use: the keys are for %s",
			strings.Join(state.Algorithms, ", "))
		warnings[len(warnings)-1].between = "; "
	}
	for _, c := range state.Servers {
		if endsSoon(c, now) {
			add(WarningIssuerServerCertificate, "",
				"the certificate of the server %s expires at %s: its keys cannot be fetched "+
					"after that",
				c.Of, stamp(c.Ends))
		}
	}
	for _, c := range state.Keys {
		if endsSoon(c, now) && now.Before(c.Ends) {
			add(WarningIssuerKeyCertificate, "",
				"the certificate of the key %.80q expires at %s: the issuer may change its key",
				c.Of, stamp(c.Ends))
		}
	}
	if ahead := state.ClockAhead; ahead.Abs() >= clockWarned {
		add(WarningIssuerClock,
			clockRemedy+", or ask the issuer's operator if this one is right",
			"this machine's clock is %s that of the issuer's server", apart(ahead))
	}
	return warnings
}

// endsSoon tells whether a certificate has ended or is near its end.
func endsSoon(c idtoken.Certificate, now time.Time) bool {
	soon := min(certificateSoon, c.Ends.Sub(c.Begins)/4)
	return now.Add(soon).After(c.Ends)
}

// shortened is the list up to a number that people read.
func shortened(list []string) []string {
	const most = 5
	if len(list) <= most {
		return list
	}
	return append(list[:most:most], fmt.Sprintf("%d more", len(list)-most))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
