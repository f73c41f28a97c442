package webclient

import "net/netip"

// Dangerous is dangerous, for tests.
func Dangerous(address netip.Addr) bool { return dangerous(address) }
