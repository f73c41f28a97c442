package service_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

// limited is a service with limits that runs.
type limited struct {
	address string
	refused chan delegationhttp.Limit
	stop    func()
}

// within runs a service with limits. Its handler says how many bytes a request's header X-Long has.
func within(t *testing.T, limits service.Limits) *limited {
	t.Helper()
	l := &limited{refused: make(chan delegationhttp.Limit, 100)}
	r := &reloading{t: t, world: must(delegationtest.Open())}
	t.Cleanup(r.world.Close)
	t.Cleanup(func() { wantNoneLeft(t) })
	s := r.version(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, len(r.Header.Get("X-Long")))
	}), nil)
	s.Limits = limits
	s.Logger = slog.New(slog.DiscardHandler)
	s.OnLimit = func(_ context.Context, limit delegationhttp.Limit) { l.refused <- limit }
	address := make(chan string, 1)
	s.Started = func(a string) { address <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(l.stop)
	l.address = <-address
	return l
}

// counted wants that a refusal was counted.
func (l *limited) counted(t *testing.T, want delegationhttp.Limit) {
	t.Helper()
	select {
	case got := <-l.refused:
		if got != want {
			t.Errorf("counted %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("nothing is counted, want %q", want)
	}
}

// client is one connection.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func (l *limited) dial(t *testing.T) *client {
	t.Helper()
	c := must(net.Dial("tcp", l.address))
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, c, bufio.NewReader(c)}
}

// ask sends a request and returns the answer. Without an answer the status is 0.
func (c *client) ask(headers, body string) (status int, text string) {
	c.t.Helper()
	request := "POST / HTTP/1.1\r\nHost: example.com\r\n" + headers +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := io.WriteString(c, request); err != nil {
		return 0, ""
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// long is a header of so many bytes.
func long(size int) string { return "X-Long: " + strings.Repeat("a", size) + "\r\n" }

// TestLimits_Headers: headers above the limit are 431, and counted once. Many requests of one
// connection, and large bodies, count for nothing.
func TestLimits_Headers(t *testing.T) {
	l := within(t, service.Limits{Headers: 8 << 10})
	patient := l.dial(t)
	for i := range 10 {
		if status, text := patient.ask(long(4<<10), strings.Repeat("b", 20<<10)); text != "4096" {
			t.Fatalf("request %d: %d %s", i, status, text)
		}
	}
	_ = patient.Close()
	hasty := l.dial(t)
	must(io.WriteString(hasty, "GET / HTTP/1.1\r\n"))
	_ = hasty.Close()
	tooLarge := http.StatusRequestHeaderFieldsTooLarge
	if status, _ := l.dial(t).ask(long(16<<10), ""); status != tooLarge {
		t.Errorf("16 KiB of headers: %d", status)
	}
	l.counted(t, delegationhttp.LimitSize)
	again := l.dial(t)
	again.ask("", "")
	if status, _ := again.ask(long(16<<10), ""); status != tooLarge {
		t.Errorf("the second request of a connection: %d", status)
	}
	l.counted(t, delegationhttp.LimitSize)
	l.stop()
	if len(l.refused) != 0 {
		t.Errorf("counted %d more", len(l.refused))
	}
}

// TestLimits_Times: who sends nothing, or stops within the headers, the body or between requests,
// loses the connection.
func TestLimits_Times(t *testing.T) {
	soon := time.Millisecond
	for name, row := range map[string]struct {
		limits service.Limits
		sends  string
	}{
		"nothing":          {service.Limits{HeaderTimeout: soon}, ""},
		"half of a header": {service.Limits{HeaderTimeout: soon}, "GET / HTTP/1.1\r\nHost: exa"},
		"half of a body": {service.Limits{ReadTimeout: 20 * soon},
			"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\r\nhalf"},
		"one request": {service.Limits{IdleTimeout: soon},
			"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := within(t, row.limits).dial(t)
			_, _ = io.WriteString(c, row.sends) // it may be closed already
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
		})
	}
}

// TestLimits_OfTheServer: each setting is that of the server, and none is for ever by default.
func TestLimits_OfTheServer(t *testing.T) {
	for name, row := range map[string]struct{ limits, want service.Limits }{
		"defaults": {service.Limits{}, service.Limits{
			Headers:       64 << 10,
			HeaderTimeout: 5 * time.Second,
			ReadTimeout:   15 * time.Second,
			IdleTimeout:   2 * time.Minute,
		}},
		"others": {
			service.Limits{Headers: 1, HeaderTimeout: 2, ReadTimeout: 3, IdleTimeout: 4},
			service.Limits{Headers: 1, HeaderTimeout: 2, ReadTimeout: 3, IdleTimeout: 4},
		},
	} {
		var server http.Server
		service.LimitServer(row.limits, &server)
		got := service.Limits{
			Headers:       server.MaxHeaderBytes,
			HeaderTimeout: server.ReadHeaderTimeout,
			ReadTimeout:   server.ReadTimeout,
			IdleTimeout:   server.IdleTimeout,
		}
		if got != row.want {
			t.Errorf("%s: got %+v, want %+v", name, got, row.want)
		}
	}
}

// TestLimits_Connections: one above the limit is closed at once, and counted. One that ends makes
// room for another.
func TestLimits_Connections(t *testing.T) {
	l := within(t, service.Limits{Connections: 2})
	first := l.dial(t)
	second := l.dial(t)
	for _, c := range []*client{first, second} {
		if status, _ := c.ask("", ""); status != http.StatusOK {
			t.Fatalf("within the limit: %d", status)
		}
	}
	for range 3 {
		if status, _ := l.dial(t).ask("", ""); status != 0 {
			t.Errorf("above the limit: %d", status)
		}
		l.counted(t, delegationhttp.LimitConnections)
	}
	if status, _ := first.ask("Connection: close\r\n", ""); status != http.StatusOK {
		t.Errorf("a connection within the limit: %d", status)
	}
	must(io.Copy(io.Discard, first)) // until it is closed
	if status, _ := l.dial(t).ask("", ""); status != http.StatusOK {
		t.Errorf("after one has ended: %d", status)
	}
	if len(l.refused) != 0 {
		t.Errorf("counted %d more", len(l.refused))
	}
}

// TestLimits_NoConnectionLimit: -1 is none, and no address has a limit by default.
func TestLimits_NoConnectionLimit(t *testing.T) {
	l := within(t, service.Limits{Connections: -1})
	for i := range 20 {
		if status, _ := l.dial(t).ask("", ""); status != http.StatusOK {
			t.Fatalf("connection %d: %d", i, status)
		}
	}
}

// caller is a connection that comes from an address.
type caller struct {
	net.Conn
	from string
}

func (c caller) RemoteAddr() net.Addr { return address(c.from) }
func (c caller) Close() error         { return nil }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// callers is a listener to which some come.
type callers struct {
	net.Listener
	next []string
}

func (c *callers) Accept() (net.Conn, error) {
	if len(c.next) == 0 {
		return nil, io.EOF
	}
	from := c.next[0]
	c.next = c.next[1:]
	return caller{from: from}, nil
}

// TestLimits_ConnectionsPerAddress: who is refused, counted by IPv4 address and IPv6 /64, and that
// each address is logged once until all its connections have ended.
func TestLimits_ConnectionsPerAddress(t *testing.T) {
	var said log
	refused := 0
	from := &callers{}
	limits := service.Limits{ConnectionsPerAddress: 2}
	l := service.LimitedListener(from, func() service.Limits { return limits },
		func(limit delegationhttp.Limit) {
			if limit != delegationhttp.LimitConnections {
				t.Errorf("counted %q", limit)
			}
			refused++
		}, slog.New(slog.NewJSONHandler(&said, nil)))
	accept := func(addresses ...string) (accepted []net.Conn) {
		from.next = addresses
		for {
			c, err := l.Accept()
			if err != nil {
				return accepted
			}
			accepted = append(accepted, c)
		}
	}
	want := func(what string, got []net.Conn, accepted, refusals, lines int) {
		t.Helper()
		logged := strings.Count(said.String(), "\n")
		if len(got) != accepted || refused != refusals || logged != lines {
			t.Errorf("%s: %d accepted, %d refused, %d logged, want %d, %d, %d: %s", what,
				len(got), refused, logged, accepted, refusals, lines, said.String())
		}
		refused = 0
	}
	v4 := accept("192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "[::ffff:192.0.2.1]:4", "192.0.2.2:1")
	want("IPv4", v4, 3, 2, 1)
	v6 := accept("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "[2001:db8:0:1::1]:1")
	want("IPv6", v6, 3, 1, 2)
	want("none", accept("pipe", "pipe", "pipe"), 2, 1, 3)
	if !strings.Contains(said.String(), `"from":"192.0.2.1/32"`) ||
		!strings.Contains(said.String(), `"limit":"limits.connections_per_address"`) {
		t.Errorf("the log does not say who: %s", said.String())
	}

	_ = v4[0].Close()
	_ = v4[0].Close() // counts once
	want("one has ended", accept("192.0.2.1:5", "192.0.2.1:6"), 1, 1, 3)
	limits.ConnectionsPerAddress = 3 // as a reload sets it
	want("a larger limit", accept("192.0.2.1:7", "192.0.2.1:8"), 1, 1, 3)
	for _, c := range v6 {
		_ = c.Close()
	}
	v6 = accept("[2001:db8::1]:1", "[2001:db8::1]:2", "[2001:db8::1]:3", "[2001:db8::1]:4")
	want("all have ended", v6, 3, 1, 4)
}

// TestLimits_ConnectionsLogged: the log says once that all connections are taken, until a tenth of
// them is free.
func TestLimits_ConnectionsLogged(t *testing.T) {
	var said log
	from := &callers{}
	limits := func() service.Limits { return service.Limits{Connections: 20} }
	l := service.LimitedListener(from, limits, func(delegationhttp.Limit) {},
		slog.New(slog.NewJSONHandler(&said, nil)))
	var open []net.Conn
	fill := func() {
		for range 50 {
			from.next = []string{"192.0.2.1:1"}
			if c, err := l.Accept(); err == nil {
				open = append(open, c)
			}
		}
	}
	free := func(n int) {
		for _, c := range open[:n] {
			_ = c.Close()
		}
		open = open[n:]
	}
	for i, step := range []struct{ free, lines int }{{0, 1}, {1, 1}, {2, 2}, {20, 3}} {
		free(step.free)
		fill()
		if got := strings.Count(said.String(), `"limit":"limits.connections"`); got != step.lines {
			t.Errorf("step %d: %d lines, want %d", i, got, step.lines)
		}
		if len(open) != 20 {
			t.Errorf("step %d: %d are open", i, len(open))
		}
	}
}
