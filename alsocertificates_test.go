package delegation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// ecdsaCertificate is the certificate of an ECDSA key, which AWS is not known to accept.
func ecdsaCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return must(x509.ParseCertificate(der))
}

// TestAlsoCertificates_Validated: what AWS would not take, or what makes no sense, is refused with
// its place.
func TestAlsoCertificates_Validated(t *testing.T) {
	identity := delegationtest.Identity()
	own := identity.Keys[0].Certificate
	other := goldenIdentity(t).Keys[0].Certificate
	many := make([]*x509.Certificate, 10)
	for i := range many {
		many[i] = other
	}
	for name, row := range map[string]struct {
		also []*x509.Certificate
		want string // "": accepted
	}{
		"none":        {nil, ""},
		"one":         {[]*x509.Certificate{other}, ""},
		"nil":         {[]*x509.Certificate{nil}, "AlsoCertificates[0]: it must be a parsed Cert"},
		"not parsed":  {[]*x509.Certificate{{}}, "AlsoCertificates[0]: it must be a parsed Cert"},
		"our own":     {[]*x509.Certificate{own}, "AlsoCertificates[0]: it appears twice"},
		"twice":       {[]*x509.Certificate{other, other}, "Certificates[1]: it appears twice"},
		"ECDSA":       {[]*x509.Certificate{ecdsaCertificate(t)}, "not RSA of at least 2048 bits"},
		"more than 9": {many, "must have at most 10 certificates, and has 11"},
	} {
		t.Run(name, func(t *testing.T) {
			p := identity
			p.AlsoCertificates = row.also
			_, err := p.Metadata()
			if row.want == "" && err != nil || row.want != "" &&
				(!errors.Is(err, delegation.CodeConfigInvalid) ||
					!strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestAlsoCertificates_InMetadata: the metadata has them after those of the keys.
func TestAlsoCertificates_InMetadata(t *testing.T) {
	p := delegationtest.Identity()
	other := goldenIdentity(t).Keys[0].Certificate
	p.AlsoCertificates = []*x509.Certificate{other}
	var document struct {
		Keys []struct{} `xml:"IDPSSODescriptor>KeyDescriptor"`
	}
	if err := xml.Unmarshal(must(p.Metadata()), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Keys) != 2 {
		t.Fatalf("%d keys", len(document.Keys))
	}
}

// TestAlsoCertificates_Copied: a caller who changes the slice later changes nothing.
func TestAlsoCertificates_Copied(t *testing.T) {
	other := goldenIdentity(t).Keys[0].Certificate
	also := []*x509.Certificate{other}
	h := delegationtest.New(t, func(c *delegation.Config) {
		c.IdentityProvider.AlsoCertificates = also
	})
	before := string(must(h.Metadata()))
	also[0] = nil
	if after, err := h.Metadata(); err != nil || string(after) != before {
		t.Errorf("got %v, and another document", err)
	}
}
