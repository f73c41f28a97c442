package service_test

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// TestTimeouts: no field of the server that limits a wait is left at "for ever".
func TestTimeouts(t *testing.T) {
	server := reflect.ValueOf(service.NewServer(nil, slog.New(slog.DiscardHandler))).Elem()
	limits := 0
	for i := range server.NumField() {
		field := server.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if d, ok := server.Field(i).Interface().(time.Duration); ok {
			limits++
			if d <= 0 || d > 5*time.Minute {
				t.Errorf("%s is %s", field.Name, d)
			}
		}
	}
	if limits < 4 {
		t.Errorf("only %d time-outs found", limits)
	}
}

// TestDemoURL: a service on every interface is opened at loopback, because browsers do not open
// 0.0.0.0; every other address is opened as it is.
func TestDemoURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"0.0.0.0:8080":   "http://127.0.0.1:8080",
		"[::]:8080":      "http://127.0.0.1:8080",
		"[::1]:8080":     "http://[::1]:8080",
		"192.0.2.7:80":   "http://192.0.2.7:80",
	} {
		if got := service.DemoURL(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestDemoToken: a user who forges a token uses it for minutes, because an issuer's keys are
// not fetched for every forgery. The provider issues a new one for each sign-in.
func TestDemoToken(t *testing.T) {
	provider, err := oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()})
	if err != nil {
		t.Fatal(err)
	}
	provider.SetIssuer("https://tenant.example.com/")
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, same := range map[string]bool{"alice": false, "dave": false, "eve": true} {
		var tokens []string
		for _, later := range []time.Duration{0, 10*time.Minute - time.Second, 10 * time.Minute} {
			token, err := service.DemoToken(provider, name, now.Add(later))
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		if got := tokens[0] == tokens[1]; got != same || tokens[1] == tokens[2] {
			t.Errorf("%s: the second token is the first: %t, want %t", name, got, same)
		}
	}
}
