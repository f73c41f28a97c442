package service

import (
	"cmp"
	"log/slog"
	"net"
)

// About is what the log says about a service at the start and after a reload.
type About struct {
	// Configuration is the path of the configuration file.
	Configuration string

	// Targets, Issuers, Rules and Keys are their numbers. Each rule of a folder counts, as does
	// each signing key of a target's own identity.
	Targets, Issuers, Rules, Keys int
}

func (a About) attributes() []any {
	if a == (About{}) {
		return nil
	}
	return []any{
		slog.String("configuration", a.Configuration),
		slog.Int("targets", a.Targets),
		slog.Int("issuers", a.Issuers),
		slog.Int("rules", a.Rules),
		slog.Int("signing_keys", a.Keys),
	}
}

// sayStart logs what serves, at which address, and what is dangerous about that.
func (s *Service) sayStart(address string) {
	what := []any{
		slog.String("address", address),
		slog.Bool("tls", s.Certificate != nil),
	}
	if s.MetricsListen != "" {
		what = append(what, slog.String("metrics_address", s.MetricsListen))
	}
	if s.DebugListen != "" {
		what = append(what, slog.String("debug_address", s.DebugListen))
	}
	what = append(what, slog.String("version", cmp.Or(s.Version, "unknown")))
	s.Logger.Info("serving", append(what, s.About.attributes()...)...)
	if s.Proxies > 0 || isLocal(address) {
		return // the proxy is expected to have TLS and limits
	}
	if s.Certificate == nil {
		s.Logger.Warn("plain http on a public address",
			slog.String("address", address),
			slog.String("consequence", "others on the network can read tokens and credentials"),
			slog.String("remedy", "set tls, or listen on loopback; behind a proxy with TLS set "+
				"http.trusted_proxies"))
	}
	if !s.LimitsAddresses {
		s.Logger.Warn("no rate limit on a public address",
			slog.String("address", address),
			slog.String("consequence", "anyone can make the service verify forged tokens without limit"),
			slog.String("remedy", "set limits.requests_per_address; behind a proxy with a limit "+
				"set http.trusted_proxies"))
	}
}

// isLocal tells whether only this machine can reach the address that is listened on.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && net.ParseIP(host).IsLoopback()
}
