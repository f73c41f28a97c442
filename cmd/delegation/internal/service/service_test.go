package service_test

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
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
