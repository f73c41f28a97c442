package explain_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/explain"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func TestWarnings(t *testing.T) {
	tags := func(n int) map[string][]string {
		all := map[string][]string{"other": {strings.Repeat("x", 300)}}
		for i := range n {
			all[fmt.Sprint("tag:", i)] = []string{"x"}
		}
		return all
	}
	inTag := func(n int) map[string][]string {
		return map[string][]string{"tag:a": {strings.Repeat("é", n)}}
	}
	const (
		endsSooner = "the session ends with the ID token at 2026-11-23T09:59:59Z, " +
			"before its duration is over"
		madeSafe = "the session name was changed: AWS does not accept the user's own"
		slash    = "the NameID has a slash: the folder ${saml:sub} may lie within another user's"
		notSub   = "the NameID, and so ${saml:sub}, is not the token's sub"
	)
	for name, row := range map[string]struct {
		change func(*explain.Plan)
		want   []string
	}{
		"nothing": {func(*explain.Plan) {}, nil},
		"a token that ends with it": {func(p *explain.Plan) { p.TokenEnd = now.Add(time.Hour) },
			nil},
		"a token that ends sooner": {
			func(p *explain.Plan) { p.TokenEnd = now.Add(time.Hour - 1) }, nil,
		},
		"the same, capped": {
			func(p *explain.Plan) { p.TokenEnd, p.Capped = now.Add(time.Hour-1), true },
			[]string{endsSooner},
		},
		"longer than roles allow": {
			func(p *explain.Plan) { p.Duration = time.Hour + time.Second },
			[]string{"the role's maximum session duration must have been raised to 1h0m1s"},
		},
		"name": {func(p *explain.Plan) { p.MadeSafe = true }, []string{madeSafe}},
		"slash": {
			func(p *explain.Plan) { p.Subject, p.NameID = "a/b", "a/b" },
			[]string{slash},
		},
		"another NameID": {func(p *explain.Plan) { p.NameID = "bob" }, []string{notSub}},
		"39 tags":        {func(p *explain.Plan) { p.Attributes = tags(39) }, nil},
		"40 tags": {
			func(p *explain.Plan) { p.Attributes = tags(40) },
			[]string{"40 of 50 session tags"},
		},
		"204 characters in a tag": {func(p *explain.Plan) { p.Attributes = inTag(204) }, nil},
		"205 characters in a tag": {
			func(p *explain.Plan) { p.Attributes = inTag(205) },
			[]string{`205 of 256 characters in the session tag "a"`},
		},
		"1638 characters of policy": {func(p *explain.Plan) {
			p.Policy, p.PolicyARNs = strings.Repeat("é", 1600), []string{strings.Repeat("a", 38)}
		}, nil},
		"1639 characters of policy": {func(p *explain.Plan) {
			p.Policy, p.PolicyARNs = strings.Repeat("é", 1600), []string{strings.Repeat("a", 39)}
		}, []string{"1639 of 2048 characters of session policy and policy ARNs"}},
		"8 ARNs": {
			func(p *explain.Plan) { p.PolicyARNs = make([]string, 8) },
			[]string{"8 of 10 session policy ARNs"},
		},
		"79 % of AWS's space": {func(p *explain.Plan) { p.Packed = 79 }, nil},
		"80 % of AWS's space": {
			func(p *explain.Plan) { p.Packed = 80 },
			[]string{"session tags and policies take about 80 % of the space that AWS has for " +
				"them, and AWS refuses what does not fit: use fewer or shorter session tags, " +
				"or a shorter session policy"},
		},
		"80,000 characters of response": {
			func(p *explain.Plan) { p.Response = 80_000 },
			[]string{"80000 of 100000 characters of SAML response"},
		},
		"a certificate that has expired": {
			func(p *explain.Plan) { p.Certificate.NotAfter = now.Add(-time.Second) },
			[]string{"the certificate expired on 2026-11-23T08:59:59Z; AWS ignores the dates"},
		},
		"two at once": {
			func(p *explain.Plan) { p.NameID, p.MadeSafe = "b/c", true },
			[]string{madeSafe, slash, notSub},
		},
	} {
		p := &explain.Plan{
			Now:         now,
			TokenEnd:    now.Add(2 * time.Hour),
			Duration:    time.Hour,
			Subject:     "alice",
			NameID:      "alice",
			TagPrefix:   "tag:",
			Response:    79_999,
			MaxResponse: 100_000,
			Certificate: &x509.Certificate{NotBefore: now, NotAfter: now.AddDate(1, 0, 0)},
		}
		row.change(p)
		if got := p.Warnings(); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestCertificateDates(t *testing.T) {
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	certificate := &x509.Certificate{NotBefore: from, NotAfter: to}
	for _, row := range []struct {
		now  time.Time
		want string
	}{
		{from.Add(-1), "the certificate is valid from 2026-01-01T00:00:00Z; AWS ignores the dates"},
		{from, ""},
		{to.Add(-30 * 24 * time.Hour), ""},
		{to.Add(-30*24*time.Hour + 1),
			"the certificate expires on 2027-01-01T00:00:00Z; AWS ignores the dates"},
		{to, "the certificate expires on 2027-01-01T00:00:00Z; AWS ignores the dates"},
		{to.Add(1), "the certificate expired on 2027-01-01T00:00:00Z; AWS ignores the dates"},
	} {
		if got := explain.CertificateDates(certificate, row.now); got != row.want {
			t.Errorf("%s: got %q, want %q", row.now, got, row.want)
		}
	}
}
