package webclient

import (
	"net/netip"
)

// special are networks to which a name on the Internet never leads for a good reason. Loopback,
// link-local, multicast and unspecified addresses are refused in addition.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // this network (RFC 1122 §3.2.1.3)
	netip.MustParsePrefix("255.255.255.255/32"), // broadcast
	netip.MustParsePrefix("fd00:ec2::/32"),      // the metadata and DNS of Amazon EC2
	netip.MustParsePrefix("fd20:ce::254/128"),   // the metadata of Google Cloud
	netip.MustParsePrefix("100.100.100.200/32"), // the metadata of Alibaba Cloud
	netip.MustParsePrefix("192.0.0.192/32"),     // the metadata of Oracle Cloud, older
	netip.MustParsePrefix("168.63.129.16/32"),   // the host of a machine in Azure
}

// Networks of IPv6 whose addresses hold an address of IPv4, and the byte where it begins.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052 §2.1)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64 of a network (RFC 8215), used as /96
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056 §2)
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible (RFC 4291 §2.5.5.1)
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 2765 §2.1)
}

// dangerous reports whether an address belongs to this machine, its link or its cloud. A name that
// leads there would let the rule reach services that trust every caller on this machine.
func dangerous(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	if address.IsLoopback() || address.IsUnspecified() || address.IsLinkLocalUnicast() ||
		address.IsMulticast() {
		return true
	}
	for _, network := range special {
		if network.Contains(address) {
			return true
		}
	}
	for _, network := range embedding {
		if !network.prefix.Contains(address) {
			continue
		}
		bytes := address.As16()
		inner := netip.AddrFrom4([4]byte(bytes[network.at : network.at+4]))
		return dangerous(inner)
	}
	return false
}

// checkAddress refuses the address that a host's name has led to.
func (a *allowed) checkAddress(host string, address netip.AddrPort) error {
	address = netip.AddrPortFrom(address.Addr().Unmap().WithZone(""), address.Port())
	if !dangerous(address.Addr()) || a.addresses[address] {
		return nil
	}
	return &Error{Code: CodeAddress, Host: host,
		Text: "rules may not call " + host + ": it leads to " + address.Addr().String() +
			", an address of this machine, its link or its cloud. To permit it, list the " +
			"address in Options.HTTP.Allow, too"}
}
