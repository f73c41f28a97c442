package idtoken

import (
	"reflect"
	"slices"
)

// knownBefore returns the keys that Issuer.Before has for the same source. It returns nil if there
// are none, or if they are found in another way.
func (i Issuer) knownBefore(r *remoteKeys) *remoteKeys {
	if i.Before == nil {
		return nil
	}
	known, published := i.Before.sources[r.issuer].keyFinder.(*remoteKeys)
	if !published || !known.isFoundAs(r) {
		return nil
	}
	return known
}

// isFoundAs tells whether the keys of both are found at the same places and fetched in the same
// way.
func (r *remoteKeys) isFoundAs(other *remoteKeys) bool {
	return r.issuer == other.issuer &&
		slices.Equal(r.aliases, other.aliases) &&
		r.url == other.url &&
		r.discoveryURL == other.discoveryURL &&
		reflect.DeepEqual(r.allowed, other.allowed) &&
		r.access == other.access
}
