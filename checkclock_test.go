package delegation_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// TestCheck_Clock: a clock that is off by a minute is a warning of STS and of the issuer. It says
// how much and in which direction. Five minutes off, AWS takes no assertion, and that is an error.
func TestCheck_Clock(t *testing.T) {
	for name, row := range map[string]struct {
		off     time.Duration // of this machine
		warning string
		err     delegation.Code
	}{
		"right":                {0, "", ""},
		"within a minute":      {time.Minute - time.Second, "", ""},
		"slow":                 {-90 * time.Second, "this machine's clock is 1m30s behind", ""},
		"fast":                 {2 * time.Minute, "this machine's clock is 2m0s ahead of", ""},
		"too slow for any use": {-5 * time.Minute, "", delegation.CodeSTSExpired},
		"too fast for any use": {time.Hour, "", delegation.CodeSTSExpired},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := strictWorld(t)
			w.config.Now = func() time.Time { return w.clock.Now().Add(row.off) }
			results := w.delegator(t).Check(t.Context())
			sts := result(t, results, "sts eu-central-1")
			issuer := result(t, results, "issuer "+w.url)
			if codeOf(sts.Err) != row.err && (sts.Err != nil || row.err != "") {
				t.Errorf("got %v, want %q", sts.Err, row.err)
			}
			if row.err != "" && !strings.Contains(sts.Err.Error(), "(NTP)") {
				t.Errorf("got %v", sts.Err)
			}
			if row.warning == "" && sts.Warning != "" || row.warning != "" &&
				(!strings.HasPrefix(sts.Warning, row.warning+" that of STS in eu-central-1: ") ||
					sts.Warnings[0].Code != delegation.WarningSTSClock ||
					!strings.Contains(sts.Warning, "NTP")) {
				t.Errorf("got %q", sts.Warning)
			}
			off := row.off.Abs() >= time.Minute
			if off != (issuer.Warning != "") || issuer.Err != nil {
				t.Errorf("got %+v", issuer)
			}
			if off && (issuer.Warnings[0].Code != delegation.WarningIssuerClock ||
				!strings.Contains(issuer.Warning, "that of the issuer's server")) {
				t.Errorf("got %q", issuer.Warning)
			}
		})
	}
}

// TestCheck_ClockSet: after the clock is set right, the next call of STS finds it so.
func TestCheck_ClockSet(t *testing.T) {
	w, _ := strictWorld(t)
	off := -2 * time.Minute
	w.config.Now = func() time.Time { return w.clock.Now().Add(off) }
	d := w.delegator(t)
	if r := result(t, d.Check(t.Context()), "sts eu-central-1"); r.Warning == "" {
		t.Errorf("got %+v", r)
	}
	off = 0
	r := result(t, d.Check(t.Context()), "sts eu-central-1")
	if r.Warning != "" || r.Err != nil {
		t.Errorf("got %+v", r)
	}
}

// TestCheck_Endpoint: if a variable of the environment leads the calls of New's client elsewhere,
// the warning names it. An endpoint of the region itself, such as that of a VPC, is no warning, and
// neither is a program's own client.
func TestCheck_Endpoint(t *testing.T) {
	for name, row := range map[string]struct {
		variable, value string
		want            string // empty: no warning
	}{
		"none": {"AWS_ENDPOINT_URL_STS", "", ""},
		"for STS": {
			"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1",
			"STS is called at http://127.0.0.1:1 in all regions, because of the environment " +
				"variable AWS_ENDPOINT_URL_STS: " +
				"remove that, unless STS is meant to be called there",
		},
		"for all services": {
			"AWS_ENDPOINT_URL", "http://127.0.0.1:1",
			"STS is called at http://127.0.0.1:1 in all regions, because of the environment " +
				"variable AWS_ENDPOINT_URL: " +
				"remove that, unless STS is meant to be called there",
		},
		"with a password": {
			"AWS_ENDPOINT_URL_STS", "http://user:canary@127.0.0.1:1",
			"STS is called at http://user:xxxxx@127.0.0.1:1 in all regions, because of the " +
				"environment variable AWS_ENDPOINT_URL_STS: " +
				"remove that, unless STS is meant to be called there",
		},
		"of a VPC": {
			"AWS_ENDPOINT_URL_STS", "https://vpce-1-x.sts.eu-central-1.vpce.amazonaws.com", "",
		},
		"of another region": {
			"AWS_ENDPOINT_URL_STS", "https://sts.us-east-1.amazonaws.com",
			"STS is called at https://sts.us-east-1.amazonaws.com in all regions, because of the " +
				"environment variable AWS_ENDPOINT_URL_STS: " +
				"remove that, unless STS is meant to be called there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
			t.Setenv("AWS_ENDPOINT_URL", "")
			t.Setenv("AWS_ENDPOINT_URL_STS", "")
			t.Setenv(row.variable, row.value)
			w := newWorld(t)
			for _, own := range []bool{false, true} {
				if !own {
					w.config.STS = nil
				} else {
					w.config.STS = stsClient("http://127.0.0.1:1")
				}
				w.config.STSTimeout = time.Nanosecond // nobody need be asked
				got := ""
				for _, r := range w.delegator(t).Check(t.Context()) {
					if r.Name == "sts endpoint" {
						got = r.Warning
					}
				}
				if own && got != "" || !own && got != row.want {
					t.Errorf("own client %t: got %q, want %q", own, got, row.want)
				}
			}
		})
	}
}

// TestCheck_KeyFields: a result about a key has the first field of the configuration with it.
func TestCheck_KeyFields(t *testing.T) {
	const other = "https://other.example.com"
	own := withCertificate(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	w := newWorld(t)
	w.config.IdentityProvider.Keys = []delegation.SigningKey{signingKey()}
	w.target(func(target *delegation.Target) {
		target.Identity = &delegation.IdentityProvider{
			EntityID: other,
			Keys:     []delegation.SigningKey{own, signingKey()},
		}
	})
	results := w.delegator(t).Check(t.Context())
	for key, want := range map[string]string{
		keyName(signingKey(), entityID): "IdentityProvider: Keys[0]",
		keyName(own, other):             `Targets["photo-app"]: Identity: Keys[0]`,
		keyName(signingKey(), other):    "IdentityProvider: Keys[0]",
	} {
		r := result(t, results, key)
		if r.Field != want {
			t.Errorf("%s: got %q, want %q", key, r.Field, want)
		}
		for _, warning := range r.Warnings {
			if warning.Field != want {
				t.Errorf("%s: a warning has %q, want %q", key, warning.Field, want)
			}
		}
	}
}

// TestCheck_KeyWarnings: a certificate that is signed with SHA-1 is a warning, and so is one that
// the identity has twice. A second certificate of the same key is none.
func TestCheck_KeyWarnings(t *testing.T) {
	old := withCertificate(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	renewed := withCertificate(func(*x509.Certificate) {})
	w := newWorld(t)
	w.config.IdentityProvider.Keys = []delegation.SigningKey{
		signingKey(), old, renewed, signingKey(),
	}
	results := w.delegator(t).Check(t.Context())
	for key, want := range map[delegation.SigningKey]delegation.WarningCode{
		signingKey(): delegation.WarningKeyTwice,
		old:          delegation.WarningCertificateHash,
		renewed:      "",
	} {
		r := result(t, results, keyName(key, entityID))
		switch {
		case want == "" && r.Warning != "":
			t.Errorf("got %q", r.Warning)
		case want != "" && (len(r.Warnings) != 1 || r.Warnings[0].Code != want):
			t.Errorf("got %q, want %s", r.Warning, want)
		}
	}
}
