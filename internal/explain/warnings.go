package explain

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const soon = 30 * 24 * time.Hour // so long before its end a certificate deserves a look

// AWS's limits of what one session carries, and a role's longest session unless it was raised: IAM
// User Guide "IAM and AWS STS quotas", STS API Reference.
const (
	maxTags     = 50
	maxTagValue = 256
	maxPolicies = 2048
	maxARNs     = 10
	maxResponse = 100_000
	roleSession = time.Hour
)

// Session is what is known of a session before AWS is asked for it.
type Session struct {
	Now, TokenEnd time.Time
	Capped        bool // the session ends with the token
	Duration      time.Duration
	MadeSafe      bool // the session name is not the one that was asked for
	Subject       string
	NameID        string
	Attributes    map[string][]string // of SAML, by name
	// of the names of those that are session tags, each of one value
	TagPrefix   string
	Policy      string
	PolicyARNs  []string
	Response    int // characters
	Certificate *x509.Certificate
}

// Warnings returns what is allowed and may surprise, always in the same order.
func (s *Session) Warnings() (warnings []string) {
	warn := func(when bool, format string, args ...any) {
		if when {
			warnings = append(warnings, fmt.Sprintf(format, args...))
		}
	}
	near := func(n, limit int, format string, args ...any) {
		warn(n*5 >= limit*4, "%d of %d %s", n, limit, fmt.Sprintf(format, args...))
	}
	// A session that is not capped and outlives its token is no surprise: most tokens live for no
	// longer than a session.
	warn(s.Capped && s.TokenEnd.Before(s.Now.Add(s.Duration)), "the session ends with the ID token at %s, before its duration is over", s.TokenEnd.UTC().Format(time.RFC3339))
	warn(s.Duration > roleSession, "the role's maximum session duration must have been raised to %s", s.Duration)
	warn(s.MadeSafe, "the session name was made safe: AWS does not take the user's own")
	warn(strings.Contains(s.NameID, "/"), "the NameID has a slash: the folder ${saml:sub} may lie within another user's")
	warn(s.NameID != s.Subject, "the NameID, and so ${saml:sub}, is not the token's sub")
	tags := 0
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		if key, ok := strings.CutPrefix(name, s.TagPrefix); ok {
			tags++
			near(utf8.RuneCountInString(strings.Join(s.Attributes[name], "")), maxTagValue, "characters in the session tag %q", key)
		}
	}
	near(tags, maxTags, "session tags")
	near(utf8.RuneCountInString(s.Policy)+len(strings.Join(s.PolicyARNs, "")), maxPolicies, "characters of session policy and policy ARNs")
	near(len(s.PolicyARNs), maxARNs, "session policy ARNs")
	near(s.Response, maxResponse, "characters of SAML response")
	dates := CertificateDates(s.Certificate, s.Now)
	warn(dates != "", "%s", dates)
	return warnings
}

// CertificateDates says what a reader of the certificate's dates would object to, now or soon;
// empty: nothing.
func CertificateDates(c *x509.Certificate, now time.Time) string {
	from, to := c.NotBefore.UTC(), c.NotAfter.UTC()
	switch {
	case now.Before(from):
		return "the certificate is valid from " + from.Format(time.RFC3339) + "; AWS does not mind"
	case now.After(to):
		return "the certificate has expired on " + to.Format(time.RFC3339) + "; AWS does not mind"
	case now.Add(soon).After(to):
		return "the certificate expires on " + to.Format(time.RFC3339) + "; AWS does not mind"
	}
	return ""
}
