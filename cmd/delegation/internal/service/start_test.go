package service_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// TestStart_Line: the line names version, configuration, listeners and counts.
func TestStart_Line(t *testing.T) {
	var said log
	s := &service.Service{
		DebugListen:   "127.0.0.1:6060",
		MetricsListen: "127.0.0.1:9464",
		Version:       "v1.2.3",
		Logger:        slog.New(slog.NewJSONHandler(&said, nil)),
		About: service.About{
			Configuration: "/etc/delegation/delegation.yaml",
			Targets:       1,
			Issuers:       2,
			Rules:         3,
			Keys:          4,
		},
	}
	service.SayStart(s, "127.0.0.1:8080")
	_, line, _ := strings.Cut(said.String(), `"msg":`)
	const want = `"serving","address":"127.0.0.1:8080","tls":false,` +
		`"metrics_address":"127.0.0.1:9464","debug_address":"127.0.0.1:6060","version":"v1.2.3",` +
		`"configuration":"/etc/delegation/delegation.yaml","targets":1,"issuers":2,"rules":3,` +
		`"signing_keys":4}` + "\n"
	if line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}

// TestStart_Warnings: what is dangerous about an address that others reach, unless a proxy is in
// front.
func TestStart_Warnings(t *testing.T) {
	const plain = "plain http on a public address"
	const unlimited = "no rate limit on a public address"
	certificate := &service.Certificate{}
	for name, row := range map[string]struct {
		address string
		service service.Service
		want    []string
	}{
		"loopback":      {"127.0.0.1:80", service.Service{}, nil},
		"IPv6 loopback": {"[::1]:80", service.Service{}, nil},
		"every address": {"[::]:80", service.Service{}, []string{plain, unlimited}},
		"IPv4":          {"0.0.0.0:80", service.Service{}, []string{plain, unlimited}},
		"one address":   {"192.0.2.1:80", service.Service{}, []string{plain, unlimited}},
		"no address":    {"", service.Service{}, []string{plain, unlimited}},
		"TLS": {"[::]:80", service.Service{Certificate: certificate},
			[]string{unlimited}},
		"a limit":        {"[::]:80", service.Service{LimitsAddresses: true}, []string{plain}},
		"behind a proxy": {"[::]:80", service.Service{Proxies: 1}, nil},
		"TLS and a limit": {"[::]:80",
			service.Service{Certificate: certificate, LimitsAddresses: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var said log
			s := &row.service
			s.Logger = slog.New(slog.NewJSONHandler(&said, nil))
			service.SayStart(s, row.address)
			if got := strings.Count(said.String(), `"level":"WARN"`); got != len(row.want) {
				t.Errorf("%d warnings, want %d: %s", got, len(row.want), said.String())
			}
			for _, want := range row.want {
				if !strings.Contains(said.String(), `"msg":"`+want+`"`) {
					t.Errorf("no %q: %s", want, said.String())
				}
			}
		})
	}
}
