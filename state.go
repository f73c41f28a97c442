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
	// Took is how long the call took, including the client's retries, by Config.Now.
	Took time.Duration
	// Code is why it failed. Empty on success.
	Code Code
	// Hop is the step of a target's Chain: 1 is AssumeRoleWithSAML, and later steps are AssumeRole.
	// 0: the target has no chain.
	Hop int
}

// RegionState is the state of a region of AWS STS.
type RegionState struct {
	// Region is its name, such as eu-central-1.
	Region string
	// Resting reports whether exchanges skip the region because it did not answer three times in a
	// row. From time to time one exchange calls it, and it rests until it answers. A region never
	// rests if it is the only one of its targets.
	Resting bool
}

// Regions returns the state of each region of the fixed targets, including FailoverRegions, sorted
// by name. It makes no network calls. delegationotel turns the result into metrics.
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
	// CertificateIssuer is the certificate of a server that publishes an issuer's keys.
	CertificateIssuer CertificateKind = "issuer"
)

// CertificateState is a certificate that exchanges depend on.
type CertificateState struct {
	// Kind says what the certificate is for.
	Kind CertificateKind
	// Name identifies it among those of its kind. For a signing key it is the first 16 hexadecimal
	// digits of the certificate's SHA-256, as [Delegator.Check] shows them; for an issuer it is the
	// host.
	Name string
	// NotAfter is when it expires.
	NotAfter time.Time
}

// Certificates returns the certificates of the signing keys of the configuration and of the fixed
// targets, without AlsoCertificates, sorted by kind and name. It also returns those of the issuers'
// servers that are already known. If a name has several certificates, it returns the one that
// expires first. It makes no network calls. delegationotel turns the result into metrics.
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
