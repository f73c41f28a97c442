package delegationhttp

import (
	"net/http"
	"net/netip"
	"strings"
)

const maxProxies = 16

// clientIP returns the address that called the outermost trusted proxy, or the connection's if there is none. Entries before it
// are what strangers say. An entry that is no address is not looked behind: the proxy that wrote it is then the client.
func clientIP(r *http.Request, trustedProxies int) string {
	ip := parseIP(r.RemoteAddr)
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

// parseIP reads an address with or without a port and returns it in one form for every spelling; empty if it is none.
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
