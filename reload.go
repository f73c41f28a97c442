package delegation

import (
	"context"
	"reflect"
)

// WithConfig returns a Delegator with another configuration that keeps what this one remembers. It
// is for programs that reload their configuration: give new exchanges to the Delegator that it
// returns, and let those under way finish on this one. What [New] would refuse is the same error,
// and this Delegator stays as it is in any case.
//
// These are kept:
//
//   - The issuers' keys, so that an issuer that is down does not matter. The keys of an issuer are
//     fetched anew if one of these changed: URL, Aliases, JWKSURL, DiscoveryURL, DocumentOrigins,
//     InsecureHTTPHosts, AllowLoopbackHTTP, HTTPClient, BearerTokenFile, the content of CAFile, and
//     Config.HTTPClient. Failed refreshes of kept keys go to the Logger that fetched them first.
//   - Credentials and refusals of AWS, unless STS, UnsafeSTSEmulator or DurationBackOff changed.
//     They are kept by the whole decision and the certificate that signs. What another rule, target
//     or key decides differently is therefore asked of AWS.
//   - Regions that do not answer and what roles do not allow, unless what they were learned with
//     changed: STS, FIPS, DualStack, STSTimeout.
//   - Calls of signers that hang, unless the certificate has another signer now.
//   - Logout tokens that were received.
//
// Verified tokens are not remembered: the first exchange of each verifies it anew.
//
// What [Delegator.SetIdentityProvider] has set is not kept: IdentityProvider and Targets say which
// keys sign. Used tokens are remembered by Config.Replay, and ended sessions by Config.Revocations,
// so pass the same ones. With a nil STS, a client that this Delegator has made itself is kept: the
// environment and the files of the AWS SDK are not read once more. Now has to be the same clock.
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
