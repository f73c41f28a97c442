package delegation

import (
	"cmp"
	"crypto"
	"maps"
	"reflect"
	"slices"
)

// SetIdentityProvider replaces the keys of the identity of this entity ID while exchanges run: of Config.IdentityProvider and of each Identity in
// [Targets] that has it. An exchange signs with the keys before or with those after. The entity ID cannot change: AWS trusts the identity by it. What
// [New] would refuse is an error with [CodeConfigInvalid], and nothing has changed. Any other [TargetSource] replaces the Identity of its targets itself. See
// docs/key-rollover.md for an order without an outage.
func (d *Delegator) SetIdentityProvider(p IdentityProvider) error {
	if d == nil || d.config.Targets == nil {
		return newError(CodeArgumentInvalid, "the Delegator was not made by New")
	}
	p = p.clone()
	if err := p.check(); err != nil {
		return newError(CodeConfigInvalid, "IdentityProvider: %w", err)
	}
	if !slices.ContainsFunc(d.identities(), func(known IdentityProvider) bool { return known.EntityID == p.EntityID }) {
		return newError(CodeConfigInvalid, "IdentityProvider: EntityID %.200q is not one of the configuration", p.EntityID)
	}
	before := d.identities()
	d.replaced.Store(p.EntityID, p)
	d.probes.Forget()
	for _, key := range p.Keys {
		if !isSignerOf(before, key) {
			d.signers.Forget(string(key.Certificate.Raw)) // calls of the old one may hang
		}
	}
	return nil
}

// isSignerOf tells whether the key's signer is one of the identities already. One that cannot be
// compared counts as one: otherwise whoever replaces it often would lift its limits.
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

func mayBeOne(a, b crypto.Signer) bool {
	if !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() {
		return true
	}
	return a == b
}

// Metadata is [IdentityProvider.Metadata] of Config.IdentityProvider with the keys that it has now.
func (d *Delegator) Metadata() ([]byte, error) {
	if d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid, "the Delegator was not made by New")
	}
	return d.current(nil).Metadata()
}

// current is an identity of the configuration, nil for the main one, with the keys that it has now.
func (d *Delegator) current(p *IdentityProvider) IdentityProvider {
	p = cmp.Or(p, &d.config.IdentityProvider)
	if replaced, ok := d.replaced.Load(p.EntityID); ok {
		return replaced.(IdentityProvider)
	}
	return *p
}

// identities are those of the configuration and of the fixed targets, as they are now.
func (d *Delegator) identities() []IdentityProvider {
	all := []IdentityProvider{d.current(nil)}
	targets, _ := d.config.Targets.(Targets)
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if own := targets[name].Identity; own != nil {
			all = append(all, d.current(own))
		}
	}
	return all
}

// identity is the SAML identity that speaks for the target. What a TargetSource says is newer than
// all that is known here.
func (d *Delegator) identity(target *Target) IdentityProvider {
	if _, fixed := d.config.Targets.(Targets); !fixed && target.Identity != nil {
		return *target.Identity
	}
	return d.current(target.Identity)
}
