package delegation

import (
	"context"
	"reflect"
)

// WithConfig returns a Delegator with another configuration that keeps the memory of this one. It
// is for programs that reload their configuration: use the returned Delegator for new exchanges,
// and let running exchanges finish on this one. It refuses what [New] refuses, with the same error.
// This Delegator does not change.
//
// It keeps:
//
//   - The issuers' keys, so a reload works while an issuer is down. The keys of an issuer are
//     fetched anew if one of these changed: URL, Aliases, JWKSURL, DiscoveryURL, DocumentOrigins,
//     InsecureHTTPHosts, AllowLoopbackHTTP, HTTPClient, BearerTokenFile, the content of CAFile, and
//     Config.HTTPClient. Failed refreshes of kept keys are logged by the Logger of the Delegator
//     that fetched them first.
//   - Credentials and refusals of AWS, unless STS, UnsafeSTSEmulator or DurationBackOff changed.
//     Their key is the whole decision and the signing certificate, so a changed decision or key
//     leads to a new call to AWS.
//   - Regions that do not answer, and durations that roles do not allow, unless STS, FIPS,
//     DualStack or STSTimeout changed.
//   - Signer calls that hang, unless the certificate has another signer now.
//   - Logout tokens that were received.
//
// Verified tokens are not kept: the next exchange of each verifies its signature.
//
// Keys of [Delegator.SetIdentityProvider] are not kept: IdentityProvider and Targets of the new
// configuration say which keys sign. Config.Replay remembers used tokens, and Config.Revocations
// ended sessions, so pass the same ones. With a nil STS, the client that this Delegator made is
// kept, and the environment is not read again. Now must be the same clock.
func (d *Delegator) WithConfig(ctx context.Context, c Config) (*Delegator, error) {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	own := c.STS == nil && d.ownSTS
	if own {
		c.STS = d.config.STS
	}
	next, err := newDelegator(ctx, c, d.tokens)
	if err != nil {
		return nil, err
	}
	next.ownSTS = next.ownSTS || own
	next.inherit(d)
	return next, nil
}

// inherit takes over what another Delegator remembers and that still counts.
func (d *Delegator) inherit(before *Delegator) {
	sameSTS := isSame(d.config.STS, before.config.STS)
	if d.keepsCredentials(before, sameSTS) {
		d.cache = before.cache.WithConfig(d.config.cacheConfig())
	}
	if sameSTS && d.config.DualStack == before.config.DualStack &&
		d.config.FIPS == before.config.FIPS && d.config.STSTimeout == before.config.STSTimeout {
		d.regions = before.regions
	}
	if sameSTS {
		d.durations = before.durations
	}
	d.signers = before.signers
	d.logouts = before.logouts
	known := before.identities()
	for _, p := range d.identities() {
		for _, key := range p.Keys {
			if !isSignerOf(known, key) {
				d.signers.Forget(string(key.Certificate.Raw)) // calls to the old signer may hang
			}
		}
	}
}

// keepsCredentials tells whether what another Delegator has cached is what this one would get: the
// key of the cache has the decision, and not these settings.
func (d *Delegator) keepsCredentials(before *Delegator, sameSTS bool) bool {
	return d.cache != nil && before.cache != nil && sameSTS &&
		d.config.UnsafeSTSEmulator == before.config.UnsafeSTSEmulator &&
		d.config.DurationBackOff == before.config.DurationBackOff
}

// isSame tells whether two clients are one. Those that cannot be compared count as different.
func isSame(a, b STS) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
