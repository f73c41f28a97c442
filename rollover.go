package delegation

import (
	"cmp"
	"crypto"
	"crypto/sha256"
	"reflect"
	"slices"
)

// SetIdentityProvider replaces the keys of an identity while exchanges run. It applies to
// Config.IdentityProvider and to each Identity in [Targets] that has the entity ID of p. A running
// exchange signs with either the old keys or the new ones.
//
// The entity ID cannot change, because AWS identifies the SAML provider by it. What [New] would
// refuse is an error with [CodeConfigInvalid], and nothing changes. A [TargetSource] other than
// Targets replaces the Identity of its targets itself. docs/key-rollover.md has the steps for a
// change without an outage.
func (d *Delegator) SetIdentityProvider(p IdentityProvider) error {
	if d == nil || d.config.Targets == nil {
		return newError(CodeArgumentInvalid, "the Delegator was not made by New")
	}
	p = p.clone()
	if err := p.validate(); err != nil {
		return newError(CodeConfigInvalid, "IdentityProvider: %w", err)
	}
	before := d.identities()
	same := func(known IdentityProvider) bool { return known.EntityID == p.EntityID }
	if !slices.ContainsFunc(before, same) {
		return newError(CodeConfigInvalid,
			"IdentityProvider: EntityID %.200q is not one of the configuration", p.EntityID)
	}
	d.replaced.Store(p.EntityID, p)
	d.hashCertificates()
	d.probes.Forget()
	for _, key := range p.Keys {
		if !isSignerOf(before, key) {
			d.signers.Forget(string(key.Certificate.Raw)) // calls to the old signer may hang
		}
	}
	return nil
}

// hashCertificates hashes the certificates of the configuration's identities with their present
// keys, for the cache.
func (d *Delegator) hashCertificates() {
	d.certificates.Clear()
	hash := func(p IdentityProvider) {
		for _, key := range p.Keys {
			if _, known := d.certificates.Load(key.Certificate); !known {
				d.certificates.Store(key.Certificate, sha256.Sum256(key.Certificate.Raw))
			}
		}
	}
	hash(d.current(nil))
	targets := d.config.fixedTargets()
	for _, name := range d.targets.withIdentity {
		hash(d.current(targets[name].Identity))
	}
}

// isSignerOf tells whether the key's signer is already one of the identities'. A signer that cannot
// be compared counts as the same: otherwise frequent replacements would lift its limits.
func isSignerOf(identities []IdentityProvider, key SigningKey) bool {
	for _, p := range identities {
		for _, known := range p.Keys {
			if known.Certificate.Equal(key.Certificate) && mayBeOne(known.Signer, key.Signer) {
				return true
			}
		}
	}
	return false
}

// mayBeOne tells whether two signers are the same, as far as they can be compared.
func mayBeOne(a, b crypto.Signer) bool {
	if !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() {
		return true
	}
	return a == b
}

// Metadata returns [IdentityProvider.Metadata] of Config.IdentityProvider with its current keys.
func (d *Delegator) Metadata() ([]byte, error) {
	if d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid, "the Delegator was not made by New")
	}
	return d.current(nil).Metadata()
}

// current is an identity of the configuration with its present keys. Nil is the main one.
func (d *Delegator) current(p *IdentityProvider) IdentityProvider {
	p = cmp.Or(p, &d.config.IdentityProvider)
	if replaced, ok := d.replaced.Load(p.EntityID); ok {
		return replaced.(IdentityProvider)
	}
	return *p
}

// identities are those of the configuration and of the fixed targets, with their present keys.
func (d *Delegator) identities() []IdentityProvider {
	all := []IdentityProvider{d.current(nil)}
	targets := d.config.fixedTargets()
	for _, name := range d.targets.withIdentity {
		all = append(all, d.current(targets[name].Identity))
	}
	return all
}

// identity is the SAML identity that signs for the target. What a TargetSource returns is newer
// than anything that SetIdentityProvider has set.
func (d *Delegator) identity(target *Target) IdentityProvider {
	if d.config.fixedTargets() == nil && target.Identity != nil {
		return *target.Identity
	}
	return d.current(target.Identity)
}
