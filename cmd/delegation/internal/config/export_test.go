package config

import "github.com/seed055b7978/delegation"

// Delegation returns all of the library's configuration but STS, as Build makes it.
func Delegation(b *Builder, s *Settings) delegation.Config {
	c := b.delegation(s)
	b.revocations(s, &c, b.Stores(s, &c))
	b.Audit(s.Audit, &c)
	return c
}
