package delegationhttp

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxProxies limits Config.TrustedProxies.
const maxProxies = 16

// clientIP returns the address that called the outermost trusted proxy. Without a proxy it is the
// connection's. Earlier entries of X-Forwarded-For come from untrusted callers and are ignored. If
// an entry is not an address, the proxy that wrote it is the client.
func clientIP(r *http.Request, trustedProxies int) string {
	ip := parseIP(r.RemoteAddr)
	if trustedProxies == 0 {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := range min(trustedProxies, len(hops)) {
		next := parseIP(hops[len(hops)-1-i])
		if next == "" {
			break
		}
		ip = next
	}
	return ip
}

// parseIP reads an address with or without a port. It returns one spelling for every form of an
// address, and "" for a text that is not an address.
func parseIP(s string) string {
	s = strings.TrimSpace(s)
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("").String()
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}
