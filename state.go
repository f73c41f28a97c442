package delegation

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// STSCall is one call to AWS STS for an exchange, in Config.OnSTSCall.
type STSCall struct {
	// Region is where STS was called.
	Region string
	// Took is how long the call took, all tries of the client together, by Config.Now.
	Took time.Duration
	// Code is why it failed. Empty on success.
	Code Code
	// Hop counts the roles of a target with a Chain: 1 is AssumeRoleWithSAML, and those after it
	// are AssumeRole. 0: the target has none.
	Hop int
}

// RegionState is the state of a region of AWS STS.
type RegionState struct {
	// Region is its name, such as eu-central-1.
	Region string
	// Resting tells whether the region has not answered three times in a row, so that exchanges
	// pass it over. Now and then one exchange calls it, and it rests until it answers. A region
	// that is the only one of its targets never rests.
	Resting bool
}

// Regions returns the state of each region of the fixed targets, with those to fail over to, sorted
// by name. It makes no network calls. delegationotel makes metrics of it.
func (d *Delegator) Regions() []RegionState {
	if d == nil || d.config.Targets == nil {
		return nil
	}
	var list []RegionState
	for _, region := range d.targets.regions {
		name := region.String()
		list = append(list, RegionState{Region: name, Resting: d.regions.Resting(name)})
	}
	slices.SortFunc(list, func(a, b RegionState) int { return cmp.Compare(a.Region, b.Region) })
	return list
}

// CertificateKind is what a certificate is for.
type CertificateKind string

const (
	// CertificateSigning is the certificate of a signing key.
	CertificateSigning CertificateKind = "signing"
	// CertificateIssuer is the certificate of a server that an issuer's keys come from.
	CertificateIssuer CertificateKind = "issuer"
)

// CertificateState is a certificate that exchanges depend on.
type CertificateState struct {
	// Kind is what it is for.
	Kind CertificateKind
	// Name tells it from others of its kind: the first 16 hexadecimal digits of its SHA-256 for a
	// signing key, as [Delegator.Check] shows them, and the host for an issuer.
	Name string
	// NotAfter is when it ends.
	NotAfter time.Time
}

// Certificates returns the certificates of the identities of the configuration and of the fixed
// targets, and those of the issuers' servers as far as they are known already, sorted by kind and
// name. Of several for one name, it has the one that ends first. It makes no network calls.
// delegationotel makes metrics of it.
func (d *Delegator) Certificates() []CertificateState {
	if d == nil || d.config.Targets == nil {
		return nil
	}
	var list []CertificateState
	for _, p := range d.identities() {
		for _, key := range p.Keys {
			list = append(list, CertificateState{
				Kind:     CertificateSigning,
				Name:     fingerprint(key),
				NotAfter: key.Certificate.NotAfter,
			})
		}
	}
	for _, issuer := range d.config.Issuers {
		for _, source := range d.tokens.KeySources(issuer.URL) {
			for _, server := range d.tokens.KeyState(source).Servers {
				list = append(list, CertificateState{
					Kind:     CertificateIssuer,
					Name:     server.Of,
					NotAfter: server.Ends,
				})
			}
		}
	}
	slices.SortFunc(list, func(a, b CertificateState) int {
		return cmp.Or(
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Name, b.Name),
			a.NotAfter.Compare(b.NotAfter))
	})
	return slices.CompactFunc(list, func(a, b CertificateState) bool {
		return a.Kind == b.Kind && a.Name == b.Name
	})
}

// fingerprint is the beginning of the SHA-256 of a key's certificate.
func fingerprint(k SigningKey) string {
	sum := sha256.Sum256(k.Certificate.Raw)
	return fmt.Sprintf("%x", sum[:8])
}
