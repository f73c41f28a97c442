package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestListen_Refused: an address on which serve could not listen is refused with its setting,
// before anything listens.
func TestListen_Refused(t *testing.T) {
	const mistyped = "has an incorrect IP address: write four numbers from 0 to 255"
	w := newAdmin(t)
	for _, key := range []string{"listen", "metrics_listen", "debug_listen", "admin.listen"} {
		for _, row := range []struct{ address, want string }{
			{"8080", `"8080" is not HOST:PORT: set an address such as 127.0.0.1:8080`},
			{"localhost", `"localhost" is not HOST:PORT`},
			{"::1", `"::1" is not HOST:PORT`},
			{"127.0.0.1:99999", `"127.0.0.1:99999" has the port "99999": set a number from 1 to 65535`},
			{"127.0.0.1:-1", `"127.0.0.1:-1" has the port "-1": set`},
			{"127.0.0.1:nonsense", `"127.0.0.1:nonsense" has the port "nonsense": set`},
			{"300.1.1.1:80", mistyped},
			{"127.0.0:80", mistyped},
			{"127.0.0.1.5:80", mistyped},
			{"127.0.0.1.:80", mistyped},
			{"127.0.0.01:80", mistyped},
			{"127001:80", mistyped},
			{" 127.0.0.1:80", `" 127.0.0.1:80" has a blank: remove it`},
			{"127.0.0.1: 80", `"127.0.0.1: 80" has a blank: remove it`},
			{"127.0.0.1:80\n", `"127.0.0.1:80\n" has a blank: remove it`},
		} {
			asksResolver := row.want == mistyped || strings.Contains(row.want, "blank")
			if !asksResolver {
				listener, err := net.Listen("tcp", row.address)
				if err == nil {
					_ = listener.Close()
					t.Errorf("serve could listen on %s", row.address)
				}
			}
			want := row.want
			if row.want != mistyped {
				want = key + ": " + want
			}
			host, _, err := net.SplitHostPort(row.address)
			if key == "debug_listen" && (err != nil || !net.ParseIP(host).IsLoopback()) {
				want = "debug_listen: is not a loopback address"
			}
			wantListen(t, w, map[string]string{key: row.address}, want)
		}
	}
}

// TestListen_SameAddress: two listeners cannot have one address, in whichever way it is written.
func TestListen_SameAddress(t *testing.T) {
	w := newAdmin(t)
	for _, row := range []struct {
		one, other map[string]string
		want       string
	}{
		{map[string]string{"listen": "127.0.0.1:9464"},
			map[string]string{"metrics_listen": "127.0.0.1:9464"},
			"metrics_listen: is the same address as listen: choose another port"},
		{map[string]string{"listen": ":80"}, map[string]string{"metrics_listen": "0.0.0.0:http"},
			"metrics_listen: is the same address as listen"},
		{map[string]string{"listen": "[::]:80"}, map[string]string{"admin.listen": ":080"},
			"admin.listen: is the same address as listen"},
		{map[string]string{"debug_listen": "[::1]:6060"},
			map[string]string{"admin.listen": "[0:0::1]:6060"},
			"admin.listen: is the same address as debug_listen"},
		{map[string]string{"listen": "Photos.example.com:80"},
			map[string]string{"metrics_listen": "photos.example.com:80"},
			"metrics_listen: is the same address as listen"},
		{map[string]string{"listen": ":8081"}, map[string]string{"admin.listen": "127.0.0.1:8081"},
			"admin.listen: has the same port as listen, which is for all addresses of this machine: " +
				"choose another port"},
		{map[string]string{"debug_listen": "localhost:8081"},
			map[string]string{"metrics_listen": "0.0.0.0:8081"},
			"metrics_listen: is for all addresses of this machine, and debug_listen has the same " +
				"port: choose another port"},
	} {
		settings := row.one
		for key, address := range row.other {
			settings[key] = address
		}
		wantListen(t, w, settings, row.want)
	}
}

// TestListen_Accepted: what serve may be able to open is not refused.
func TestListen_Accepted(t *testing.T) {
	w := newAdmin(t)
	for _, settings := range []map[string]string{
		{"listen": ":8080", "metrics_listen": ":9464", "debug_listen": "localhost:6060"},
		{"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0"},
		{"listen": "photos.internal:https", "metrics_listen": "[fe80::1%eth0]:80"},
		{"listen": ":", "metrics_listen": ":"},             // a free port, as port 0
		{"listen": "", "metrics_listen": "127.0.0.1:8080"}, // serve --listen can replace the default
		{"listen": "127.0.0.1:80", "metrics_listen": "127.0.0.2:80", "admin.listen": "[::1]:80"},
		{"listen": "127.0.0.1:8080", "metrics_listen": "127.0.0.1:9464",
			"admin.listen": "10.0.0.300.example.com:80"},
	} {
		wantListen(t, w, settings, "")
	}
}

// wantListen loads a configuration with listeners, by their keys, and checks the error. An empty
// text is no error.
func wantListen(t *testing.T, w *world, settings map[string]string, want string) {
	t.Helper()
	lines := "revocations: {store: memory}\n"
	for key, address := range settings {
		switch key {
		case "listen": // the configuration has one
		case "admin.listen":
			lines += fmt.Sprintf("admin: {listen: %q, token_file: admin.token}\n", address)
		default:
			lines += fmt.Sprintf("%s: %q\n", key, address)
		}
	}
	file := w.configFile(t, lines)
	if address, is := settings["listen"]; is {
		text := string(must(os.ReadFile(file)))
		w.write(t, "delegation.yaml", strings.Replace(text, "listen: 127.0.0.1:0",
			fmt.Sprintf("listen: %q", address), 1))
	}
	_, err := loadAndBuild(t, file)
	if want == "" {
		if err != nil {
			t.Errorf("%v: %v", settings, err)
		}
		return
	}
	var usage config.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) ||
		strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("%v: got %v, want a usage error with %s", settings, err, want)
	}
}
