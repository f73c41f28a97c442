package main

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestLimitSettings_Refused: what is wrong is named by key.
func TestLimitSettings_Refused(t *testing.T) {
	w := newWorld(t)
	perWithoutRequests := "per: has no effect without limits.requests_per_address"
	for settings, want := range map[string]string{
		"requests_per_address: -1": "requests_per_address: -1 is not between 0 and 2147483647",

		"requests_per_address: 2147483648": "requests_per_address: 2147483648 is not between",
		"per: 1m":                          perWithoutRequests,
		"max_addresses: 5":                 "max_addresses: has no effect without limits.requests_",
		"per: soon":                        `per: "soon" is not a duration`,
		"body: 1023":                       "body: 1023 is not between 1024 and 1048576 bytes",
		"body: 1048577":                    "body: 1048577 is not between 1024 and 1048576 bytes",
		"headers: -1":                      "headers: -1 is not between 1024 and 1048576 bytes",
		"header_timeout: 5m1s":             "header_timeout: is longer than 5m0s",
		"read_timeout: 1h":                 "read_timeout: is longer than 5m0s",
		"idle_timeout: -1s":                `idle_timeout: "-1s" is not a duration`,
		"connections: -2":                  "connections: must be a number of connections, or -1",
		"connections_per_address: -1":      "connections_per_address: -1 is not between",

		"requests_per_address: 1, per: 25h":          "per: is longer than 24h",
		"requests_per_address: 1, max_addresses: -1": "max_addresses: -1 is not between 0",
	} {
		t.Run(settings, func(t *testing.T) {
			_, err := loadAndBuild(t, w.configFile(t, "limits: {"+settings+"}"))
			var usage config.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), ": limits."+want) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want limits.%s, and no other", err, want)
			}
		})
	}
	all := "limits: {requests_per_address: 1, per: 24h, max_addresses: 2, body: 1024, " +
		"headers: 1048576, header_timeout: 5m, read_timeout: 5m, idle_timeout: 5m, " +
		"connections: -1, connections_per_address: 1}"
	built, err := loadAndBuild(t, w.configFile(t, all))
	if err != nil {
		t.Fatal(err)
	}
	l := built.Limits
	if l.Headers != 1<<20 || l.HeaderTimeout.Minutes() != 5 || l.ReadTimeout.Minutes() != 5 ||
		l.IdleTimeout.Minutes() != 5 || l.Connections != -1 || l.ConnectionsPerAddress != 1 {
		t.Errorf("got %+v", l)
	}
}

// TestServe_Limits: the limits of the configuration hold, and a request above the rate never
// reaches its token. A reload keeps what was counted, and says what needs a restart.
func TestServe_Limits(t *testing.T) {
	w := newWorld(t)
	const limits = "limits: {requests_per_address: 2, per: 24h, body: 2048, headers: "
	s := serveReloadable(t, w.configFile(t, limits+"4096}"))
	c := client(nil)
	wrong := delegationForm("no.token.here")
	if status, body := post(t, c, s.url+"/delegation", wrong); status != 400 {
		t.Fatalf("%d %s", status, body)
	}
	large := delegationForm(strings.Repeat("a", 2048))
	if status, body := post(t, c, s.url+"/delegation", large); status != 413 ||
		!strings.Contains(body, "more than 2048 bytes") {
		t.Errorf("a large body: %d %s", status, body)
	}
	request := must(http.NewRequest(http.MethodGet, s.url+"/credentials?target=photo-app", nil))
	request.Header.Set("Authorization", w.token(nil))
	refused := func() {
		t.Helper()
		response := must(c.Do(request))
		body := must(io.ReadAll(response.Body))
		_ = response.Body.Close()
		if response.StatusCode != 429 || response.Header.Get("Retry-After") == "" ||
			!strings.Contains(string(body), "too many requests from this address") {
			t.Errorf("a good token above the limit: %d %s", response.StatusCode, body)
		}
	}
	refused()
	if log := s.logs.String(); strings.Count(log, `"msg":"exchange `) != 1 {
		t.Errorf("it is not one token that was read: %s", log)
	}
	if status, _ := get(t, c, s.url+"/ready"); status != 200 {
		t.Errorf("/ready above the limit: %d", status)
	}

	w.configFile(t, limits+"8192}")
	s.mustReload(t)
	refused()
	if log := s.logs.String(); !strings.Contains(log, `"msg":"setting needs a restart",`+
		`"key":"limits.headers","configured":"8192","in_use":"4096"`) {
		t.Errorf("nothing says what needs a restart: %s", log)
	}
	request.Header.Set("X-Long", strings.Repeat("a", 10<<10))
	response := must(c.Do(request))
	_ = response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: %d", response.StatusCode)
	}
	w.configFile(t, "")
	s.mustReload(t)
	good := delegationForm(w.token(nil))
	if status, body := post(t, c, s.url+"/delegation", good); status != 200 {
		t.Errorf("without a limit: %d %s", status, body)
	}
}
