package explain

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/packed"
	"github.com/seed055b7978/delegation/internal/session"
)

const (
	soon        = 30 * 24 * time.Hour // how long before a certificate's end the warning begins
	roleSession = time.Hour           // a role's longest session, unless it was raised
)

// Plan is what is known of a session before AWS is asked for it.
type Plan struct {
	Now, TokenEnd time.Time
	Capped        bool // the session ends with the token
	Duration      time.Duration
	Chained       bool   // the session is of a role that knows nothing of SAML
	MadeSafe      bool   // the session name is not the one that was asked for
	Subject       string // as the NameID would have it
	NameID        string
	NamesNothing  bool                // no policy uses the NameID as a part of a name
	Attributes    map[string][]string // of SAML, by name
	// TagPrefix begins the names of the attributes that are session tags. Each of these has one
	// value.
	TagPrefix   string
	Policy      string
	PolicyARNs  []string
	Packed      int // how much of AWS's space policies and tags take, in percent, as estimated
	Response    int // characters of the SAML response
	MaxResponse int // how many AWS takes
	Certificate *x509.Certificate
}

// Warnings returns what is allowed and may surprise, always in the same order.
func (p *Plan) Warnings() []string {
	var w warnings
	p.warnOfTime(&w)
	p.warnOfNames(&w)
	p.warnOfLimits(&w)
	if dates := CertificateDates(p.Certificate, p.Now); dates != "" {
		w.add("%s", dates)
	}
	return w
}

type warnings []string

func (w *warnings) add(format string, args ...any) {
	*w = append(*w, fmt.Sprintf(format, args...))
}

// near warns if four fifths of a limit are used.
func (w *warnings) near(n, limit int, what string) {
	if n*5 >= limit*4 {
		w.add("%d of %d %s", n, limit, what)
	}
}

func (p *Plan) warnOfTime(w *warnings) {
	// A session that is not capped and outlives its token is no surprise: most tokens live for no
	// longer than a session.
	if p.Capped && p.TokenEnd.Before(p.Now.Add(p.Duration)) {
		w.add("the session ends with the ID token at %s, before its duration is over",
			p.TokenEnd.UTC().Format(time.RFC3339))
	}
	if p.Duration > roleSession {
		w.add("the role's maximum session duration must have been raised to %s", p.Duration)
	}
}

func (p *Plan) warnOfNames(w *warnings) {
	if p.MadeSafe {
		w.add("the session name was changed: AWS does not accept the user's own")
	}
	if strings.Contains(p.NameID, "/") && !p.NamesNothing && !p.Chained {
		w.add("the NameID has a slash: the folder ${saml:sub} may lie within another user's")
	}
	if p.Chained && strings.Contains(strings.ToLower(p.Policy), "saml:") {
		w.add("the session policy has a key of SAML, which no session at the end of a chain has: " +
			"use aws:SourceIdentity")
	}
	if p.NameID != p.Subject {
		w.add("the NameID, and so ${saml:sub}, is not the token's sub")
	}
}

func (p *Plan) warnOfLimits(w *warnings) {
	tags := 0
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		key, ok := strings.CutPrefix(name, p.TagPrefix)
		if !ok {
			continue
		}
		tags++
		value := strings.Join(p.Attributes[name], "")
		w.near(utf8.RuneCountInString(value), session.MaxTagValue,
			fmt.Sprintf("characters in the session tag %q", key))
	}
	w.near(tags, session.MaxTags, "session tags")
	policies := utf8.RuneCountInString(p.Policy) + len(strings.Join(p.PolicyARNs, ""))
	w.near(policies, session.MaxPolicyText, "characters of session policy and policy ARNs")
	w.near(len(p.PolicyARNs), session.MaxPolicyARNs, "session policy ARNs")
	if text := PackedSize(p.Packed); text != "" {
		w.add("%s: %s", text, PackedRemedy)
	}
	w.near(p.Response, p.MaxResponse, "characters of SAML response")
}

// PackedSize says that policies and tags take an estimated percentage of AWS's space, if that
// deserves a look; empty: it does not.
func PackedSize(percent int) string {
	if percent < packed.Warned {
		return ""
	}
	return fmt.Sprintf("session tags and policies take about %d %% of the space that AWS has for "+
		"them, and AWS refuses what does not fit", percent)
}

// PackedRemedy is what to do about PackedSize.
const PackedRemedy = "use fewer or shorter session tags, or a shorter session policy"

// ignored ends the texts of CertificateDates.
const ignored = "; AWS ignores the dates"

// CertificateDates says what a reader of the certificate's dates would object to, now or soon;
// empty: nothing.
func CertificateDates(c *x509.Certificate, now time.Time) string {
	from, to := c.NotBefore.UTC(), c.NotAfter.UTC()
	switch {
	case now.Before(from):
		return "the certificate is valid from " + from.Format(time.RFC3339) + ignored
	case now.After(to):
		return "the certificate expired on " + to.Format(time.RFC3339) + ignored
	case now.Add(soon).After(to):
		return "the certificate expires on " + to.Format(time.RFC3339) + ignored
	}
	return ""
}
