//go:build load

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	clients  = flag.Int("clients", 200, "concurrent clients")
	loadTime = flag.Duration("for", time.Minute, "how long they ask")
)

// TestLoad lets many clients ask a delegation serve of its own process, with an STS that checks
// everything and without a cache in front of it, and prints what it saw. Each client is a user of
// their own and looks at every answer: whose it is, whether it is whole, and whether it was ever
// given to someone else. Every tenth request is one that must be refused. Afterwards goroutines and
// connections must be back where they began.
//
//	go test -tags load -run Load -v ./cmd/delegation -clients 200 -for 60s
func TestLoad(t *testing.T) {
	w := newWorld(t)
	s := start(t, nil, "serve", "--config",
		w.configFile(t, "debug_listen: 127.0.0.1:0\ncache: {size: -1}"))
	debug := "http://" + s.debugAddress(t)

	type user struct {
		name           string
		token, expired string
	}
	users := make([]user, *clients)
	for i := range users {
		name := fmt.Sprintf("user-%d@example.com", i)
		claims := map[string]any{"sub": fmt.Sprintf("auth0|%d", i), "email": name}
		users[i] = user{name: name, token: w.token(claims)}
		claims["iat"] = time.Now().Add(-2 * time.Hour).Unix()
		claims["exp"] = time.Now().Add(-time.Hour).Unix()
		users[i].expired = w.token(claims)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: *clients}
	asker := &http.Client{Transport: transport, Timeout: time.Minute}
	ask := func(u user, i int) (refusal bool, err error) {
		refusal = i%10 == 9
		token := u.token
		if refusal {
			token = u.expired
		}
		request, err := http.NewRequest(http.MethodPost, s.url+"/delegation",
			strings.NewReader(delegationForm(token).Encode()))
		if err != nil {
			return refusal, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := asker.Do(request)
		if err != nil {
			return refusal, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return refusal, err
		}
		if refusal {
			if response.StatusCode != 400 || !strings.Contains(string(body), `"jwt expired"`) {
				return true, fmt.Errorf("%d %s", response.StatusCode, body)
			}
			return true, nil
		}
		return false, check(u.name, response.StatusCode, body)
	}

	idle := func() (goroutines, connections int) {
		transport.CloseIdleConnections()
		return goroutinesOf(t, debug), connectionsOf(t, s.url)
	}
	if _, err := ask(users[0], 0); err != nil { // it fetches the keys
		t.Fatal(err)
	}
	goroutinesBefore, connectionsBefore := idle()

	type sample struct {
		took time.Duration
		at   time.Duration
	}
	var all sync.WaitGroup
	samples, failures := make([][]sample, len(users)), make([][]error, len(users))
	began := time.Now()
	for c, u := range users {
		all.Go(func() {
			for i := 0; time.Since(began) < *loadTime; i++ {
				start := time.Now()
				if _, err := ask(u, i); err != nil {
					failures[c] = append(failures[c], err)
				}
				samples[c] = append(samples[c], sample{time.Since(start), start.Sub(began)})
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	var memory []int
	progress := time.NewTicker(max(*loadTime/12, time.Second))
	defer progress.Stop()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-progress.C:
			memory = append(memory, residentMB(s.process))
			t.Logf("%3.0f s: %d MB resident, %d goroutines", time.Since(began).Seconds(),
				memory[len(memory)-1], goroutinesOf(t, debug))
		}
	}
	elapsed := time.Since(began)

	var times []time.Duration
	wrong := 0
	for c := range users {
		for _, s := range samples[c] {
			times = append(times, s.took)
		}
		for _, err := range failures[c] {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %v", users[c].name, err)
			}
		}
	}
	slices.Sort(times)
	at := func(q float64) time.Duration {
		return times[int(q*float64(len(times)-1))].Round(100 * time.Microsecond)
	}
	t.Logf("%d clients, %.0f s: %d answers, %d wrong; %.0f requests/s; p50 %s, p99 %s, slowest %s",
		len(users), elapsed.Seconds(), len(times), wrong, float64(len(times))/elapsed.Seconds(),
		at(0.5), at(0.99), at(1))

	// The service keeps connections to AWS for 30 seconds.
	goroutines, connections := idle()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	end := time.After(time.Minute)
	for goroutines > goroutinesBefore+1 || connections > connectionsBefore {
		select {
		case <-ticks.C:
			goroutines, connections = idle()
			continue
		case <-end:
		}
		break
	}
	t.Logf("goroutines %d before, %d after; connections to the service %d before, %d after",
		goroutinesBefore, goroutines, connectionsBefore, connections)
	if goroutines > goroutinesBefore+1 || connections > connectionsBefore {
		t.Error("they are not back where they began")
	}
	if len(memory) >= 6 {
		early := slices.Max(memory[len(memory)/3 : 2*len(memory)/3])
		late := slices.Max(memory[2*len(memory)/3:])
		t.Logf("resident memory: at most %d MB in the second third, %d MB in the last", early, late)
		if late > early+early/4+8 {
			t.Error("memory grows")
		}
	}
}

var issued sync.Map // access key IDs

// check looks at one success.
func check(name string, status int, body []byte) error {
	var answered struct {
		Credentials     struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		AssumedRoleUser struct{ Arn string }
	}
	if err := json.Unmarshal(body, &answered); err != nil || status != 200 {
		return fmt.Errorf("%d %s", status, body)
	}
	c := answered.Credentials
	if c.AccessKeyId == "" || c.SecretAccessKey == "" || c.SessionToken == "" ||
		c.Expiration == "" {
		return fmt.Errorf("a part is missing")
	}
	if answered.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/photo-editor/"+name {
		return fmt.Errorf("credentials of %s", answered.AssumedRoleUser.Arn)
	}
	if _, twice := issued.LoadOrStore(c.AccessKeyId, true); twice {
		return fmt.Errorf("the same credentials twice")
	}
	return nil
}

// debugAddress is where the service's counters are.
func (s *served) debugAddress(t testing.TB) string {
	t.Helper()
	found := regexp.MustCompile(`"msg":"debugging","address":"([^"]+)"`).
		FindStringSubmatch(s.logs.String())
	if found == nil {
		t.Fatalf("no debugging: %s", s.logs)
	}
	return found[1]
}

func goroutinesOf(t testing.TB, debug string) int {
	_, body := get(t, client(nil), debug+"/debug/pprof/goroutine?debug=1")
	return must(strconv.Atoi(regexp.MustCompile(`goroutine profile: total (\d+)`).
		FindStringSubmatch(body)[1]))
}

func residentMB(process int) int {
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).
		FindStringSubmatch(string(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", process)))))
	return must(strconv.Atoi(found[1])) >> 10
}

// connectionsOf counts the established connections to the service, as this machine's kernel lists
// them.
func connectionsOf(t testing.TB, service string) (count int) {
	port := must(strconv.Atoi(service[strings.LastIndexByte(service, ':')+1:]))
	local := fmt.Sprintf("0100007F:%04X", port)
	for line := range strings.Lines(string(must(os.ReadFile("/proc/net/tcp")))) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[1] == local && fields[3] == "01" {
			count++
		}
	}
	return count
}
