package delegationhttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// TestClientIP: what rules see of the caller's address, by how many proxies are trusted. What
// strangers write never counts.
func TestClientIP(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{})
	token := w.Token(nil)
	for _, row := range []struct {
		remote    string
		forwarded []string
		want      [3]string // with 0, 1 and 2 trusted proxies
	}{
		{"192.0.2.1:1234", nil, [3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{""}, [3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "198.51.100.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1, 198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		// the first is spoofed
		{"192.0.2.1:1234", []string{"6.6.6.6,203.0.113.1,198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		{"192.0.2.1:1234", []string{"6.6.6.6", "203.0.113.1", "198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		{"192.0.2.1:1234", []string{"6.6.6.6, 203.0.113.1", "198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		// the last proxy wrote nothing
		{"192.0.2.1:1234", []string{"203.0.113.1", ""},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1,"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1, unknown"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"junk, 198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "198.51.100.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1:80 ,\t198.51.100.1:65535"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1, 198.51.100.1:65536"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"203.0.113.1, 198.51.100.1:"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		// octal to some
		{"192.0.2.1:1234", []string{"203.0.113.01"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"3405803777"},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{`"[2001:db8::1]:80"`},
			[3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		{"192.0.2.1:1234", []string{"2001:DB8:0::1, [2001:db8::2]:443"},
			[3]string{"192.0.2.1", "2001:db8::2", "2001:db8::1"}},
		{"192.0.2.1:1234", []string{"[2001:db8::2]"},
			[3]string{"192.0.2.1", "2001:db8::2", "2001:db8::2"}},
		{"192.0.2.1:1234", []string{"fe80::1%eth0, [fe80::2%25eth1]:443"},
			[3]string{"192.0.2.1", "fe80::2", "fe80::1"}},
		{"192.0.2.1:1234", []string{"::ffff:203.0.113.1, [::ffff:198.51.100.1]:443"},
			[3]string{"192.0.2.1", "198.51.100.1", "203.0.113.1"}},
		{"192.0.2.1:1234", []string{strings.Repeat("6.6.6.6,", 10_000) + "198.51.100.1"},
			[3]string{"192.0.2.1", "198.51.100.1", "6.6.6.6"}},
		{"[2001:db8::7]:1234", []string{"x"},
			[3]string{"2001:db8::7", "2001:db8::7", "2001:db8::7"}},
		{"[::ffff:192.0.2.7]:1234", nil, [3]string{"192.0.2.7", "192.0.2.7", "192.0.2.7"}},
		{"[fe80::7%eth0]:1234", nil, [3]string{"fe80::7", "fe80::7", "fe80::7"}},
		{"192.0.2.8", nil, [3]string{"192.0.2.8", "192.0.2.8", "192.0.2.8"}},
		// a unix socket
		{"@", []string{"203.0.113.1"}, [3]string{"", "203.0.113.1", "203.0.113.1"}},
		{"", nil, [3]string{"", "", ""}},
		{"pipe", []string{"junk"}, [3]string{"", "", ""}},
	} {
		for proxies, want := range row.want {
			title := fmt.Sprintf("%s %.60q %d", row.remote, row.forwarded, proxies)
			t.Run(title, func(t *testing.T) {
				w.http.TrustedProxies = proxies
				for _, r := range []*http.Request{
					post(delegationPath, formType, form(values(token, nil))),
					get("?target="+app, token),
				} {
					r.RemoteAddr = row.remote
					r.Header["X-Forwarded-For"] = row.forwarded
					r.Header.Set("X-Real-Ip", "6.6.6.6")
					r.Header.Set("Forwarded", "for=6.6.6.6")
					if !passed(t, w.handler(t), r) {
						t.Fatal("refused")
					}
					if rc, _ := w.last(t); rc.Request.IP != want {
						t.Errorf("got %q, want %q", rc.Request.IP, want)
					}
				}
			})
		}
	}
	t.Run("in the log", func(t *testing.T) {
		var log buffer
		h := mount(t, delegationhttp.Config{
			Exchanger:      exchanger(agreeable),
			TrustedProxies: 1,
			Logger:         log.logger(),
		})
		r := post(delegationPath, formType, "")
		r.Header.Set("X-Forwarded-For", "6.6.6.6, 198.51.100.1")
		ask(t, h, r).refused(t, 400, "invalid_request", "missing client_id parameter")
		if !strings.Contains(log.String(), `"ip":"198.51.100.1"`) {
			t.Errorf("log %s", &log)
		}
	})
}

// TestClientIP_Proxies: the headers that proxies send as docs/proxies.md configures them, for a
// client that forges an address.
func TestClientIP_Proxies(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{})
	token := w.Token(nil)
	const client = "198.51.100.7"
	const client6 = "2001:db8:85a3::8a2e:370:7334"
	for name, row := range map[string]struct {
		forwarded []string
		proxies   int
		want      string
	}{
		"nginx appends":           {[]string{"6.6.6.6, " + client}, 1, client},
		"nginx, an IPv6 client":   {[]string{"6.6.6.6, " + client6}, 1, client6},
		"Caddy replaces":          {[]string{client}, 1, client},
		"Traefik replaces":        {[]string{client}, 1, client},
		"ALB appends":             {[]string{"6.6.6.6, " + client}, 1, client},
		"ALB appends to two":      {[]string{"6.6.6.6", "7.7.7.7, " + client}, 1, client},
		"ALB, with the port":      {[]string{"6.6.6.6, " + client + ":41234"}, 1, client},
		"ALB, IPv6":               {[]string{"6.6.6.6, " + client6}, 1, client6},
		"ALB, IPv6 with the port": {[]string{"6.6.6.6, [" + client6 + "]:41234"}, 1, client6},
		"CloudFront, then an ALB": {[]string{"6.6.6.6, " + client + ", 192.0.2.9"}, 2, client},
		"CloudFront, then an ALB with the port": {
			[]string{"6.6.6.6," + client + ",192.0.2.9:41234"}, 2, client,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.http.TrustedProxies = row.proxies
			r := post(delegationPath, formType, form(values(token, nil)))
			r.RemoteAddr = "10.0.0.1:1234" // of the proxy
			r.Header["X-Forwarded-For"] = row.forwarded
			if !passed(t, w.handler(t), r) {
				t.Fatal("refused")
			}
			if rc, _ := w.last(t); rc.Request.IP != row.want {
				t.Errorf("got %q, want %q", rc.Request.IP, row.want)
			}
		})
	}
}
