package service_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestMetricsListener: it serves what hooks and the service have for it. The details of readiness
// are there, and not on the public listener.
func TestMetricsListener(t *testing.T) {
	world := must(delegationtest.Open())
	t.Cleanup(world.Close)
	d := must(world.Start(t.Context()))
	h := must(service.NewHandler(d, world.Config, delegationhttp.Config{Exchanger: d}))
	observed := 0
	said := &log{}
	started := make(chan string, 1)
	s := &service.Service{
		Listen:        "127.0.0.1:0",
		MetricsListen: "127.0.0.1:0",
		Delegator:     d,
		Handler:       h,
		Verbose:       saying("details"),
		Hooks: service.Hooks{
			Metrics: saying("numbers"),
			Observe: func(state service.State) error {
				observed = len(state.Certificates())
				return nil
			},
		},
		Logger:  slog.New(slog.NewJSONHandler(said, nil)),
		Started: func(address string) { started <- "http://" + address },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	public := <-started
	if observed != 1 {
		t.Errorf("%d certificates observed", observed)
	}
	var first struct{ Msg, Address string }
	line, _, _ := strings.Cut(said.String(), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Msg != "serving metrics" {
		t.Fatalf("%+v, %v", first, err)
	}
	own := "http://" + first.Address
	for address, want := range map[string]string{
		own + "/metrics":          "numbers",
		own + "/ready?verbose":    "details",
		own + "/ready?verbose=1":  "details",
		own + "/ready":            "{\"status\":\"ok\"}\n",
		public + "/ready?verbose": "{\"status\":\"ok\"}\n",
		public + "/metrics":       "404 page not found\n",
	} {
		response := must(http.Get(address))
		body := must(io.ReadAll(response.Body))
		_ = response.Body.Close()
		if string(body) != want {
			t.Errorf("%s: %q, want %q", address, body, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(own + "/metrics"); err == nil {
		t.Error("the metrics listener goes on after the end")
	}
}
