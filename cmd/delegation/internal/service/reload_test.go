package service_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/rediscache"
)

// patience is how long a test waits for another goroutine. Only a failure takes that long.
const patience = time.Minute

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// reloading is a service that runs, and reloads what the test builds.
type reloading struct {
	t       *testing.T
	world   *delegationtest.World
	url     string
	wanted  chan os.Signal
	done    chan error
	timeout chan time.Time // ends what the service waits for
	waited  atomic.Int64   // how long it waited for, nanoseconds
	stop    func()
	first   *service.Service
}

// log is safe for concurrent use.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs a service until the test ends. build makes each next version.
func start(
	t *testing.T, to io.Writer,
	build func(ctx context.Context, r *reloading) (*service.Service, error),
) *reloading {
	t.Helper()
	return startWith(t, to, func(*service.Service) {}, build)
}

// startWith is start with a change of the first version.
func startWith(
	t *testing.T, to io.Writer, change func(*service.Service),
	build func(ctx context.Context, r *reloading) (*service.Service, error),
) *reloading {
	t.Helper()
	r := &reloading{
		t:       t,
		world:   must(delegationtest.Open()),
		wanted:  make(chan os.Signal, 1),
		done:    make(chan error, 100),
		timeout: make(chan time.Time),
	}
	t.Cleanup(r.world.Close)
	t.Cleanup(func() { wantNoneLeft(t) })
	logger := slog.New(slog.NewJSONHandler(to, nil))
	r.first = r.version(nil, nil)
	r.first.Logger = logger
	r.first.After = func(d time.Duration) <-chan time.Time {
		r.waited.Add(int64(d))
		return r.timeout
	}
	r.first.Reload = &service.Reload{
		Wanted: r.wanted,
		Build: func(ctx context.Context, _ *service.Service) (*service.Service, error) {
			return build(ctx, r)
		},
		Done: func(err error) { r.done <- err },
	}
	change(r.first)
	address := make(chan string, 1)
	r.first.Started = func(a string) { address <- a }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.first.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		for {
			select {
			case r.timeout <- time.Time{}: // the shutdown delay, and others
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
	t.Cleanup(r.stop)
	select {
	case a := <-address:
		r.url = "http://" + a
	case <-time.After(patience):
		t.Fatal("it does not serve")
	}
	return r
}

// version is a service with a handler, which may be nil for the usual ones, and with Redis.
func (r *reloading) version(handler http.Handler, cache *rediscache.Cache) *service.Service {
	d := must(r.world.Start(context.Background()))
	h := must(service.NewHandler(d, r.world.Config, delegationhttp.Config{Exchanger: d}))
	if r.first != nil {
		h = must(r.first.Handler.Next(d, r.world.Config, delegationhttp.Config{Exchanger: d}))
	}
	if handler != nil {
		h.Handler = handler
	}
	s := &service.Service{Listen: "127.0.0.1:0", Delegator: d, Handler: h}
	if cache != nil {
		s.Redis = &service.Redis{Cache: cache}
	}
	return s
}

// wait waits for the end of a reload.
func (r *reloading) wait() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		r.t.Fatal("no reload has ended")
		return nil
	}
}

// get returns the body of an answer.
func (r *reloading) get(path string) string {
	r.t.Helper()
	response := must(http.Get(r.url + path))
	defer response.Body.Close()
	return string(must(io.ReadAll(response.Body)))
}

// saying answers everything with a text.
func saying(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
	})
}

// TestReload_OneAfterTheOther: signals that come while a reload is under way make one more after
// it, and never two at once.
func TestReload_OneAfterTheOther(t *testing.T) {
	began := make(chan struct{}, 10)
	goOn := make(chan struct{})
	builds := 0 // one goroutine at a time, which the race detector checks
	r := start(t, io.Discard, func(context.Context, *reloading) (*service.Service, error) {
		builds++
		began <- struct{}{}
		<-goOn
		return nil, errors.New("broken")
	})
	r.wanted <- syscall.SIGHUP
	<-began
	for range 5 { // as signal.Notify sends
		select {
		case r.wanted <- syscall.SIGHUP:
		default:
		}
	}
	goOn <- struct{}{}
	_ = r.wait()
	<-began
	goOn <- struct{}{}
	_ = r.wait()
	r.stop()
	if builds != 2 {
		t.Errorf("%d reloads of 6 signals, want 2", builds)
	}
}

// TestReload_Panics: a panic is a reload that failed, and the next one succeeds.
func TestReload_Panics(t *testing.T) {
	panics := true
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		if panics {
			panics = false
			panic("a rule that does not compile")
		}
		return r.version(saying("second"), nil), nil
	})
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), "it panicked") {
		t.Errorf("got %v, want the panic", err)
	}
	if body := r.get("/ready"); !strings.Contains(body, "degraded") {
		t.Errorf("/ready: %s", body)
	}
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if body := r.get("/"); body != "second" {
		t.Errorf("got %q", body)
	}
}

// logWriter is a log, line by line.
type logWriter func(line string)

func (w logWriter) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

// TestReload_MetricsBeforeLog: who reads in the log that a reload ended finds the metrics and
// /ready as they are after it.
func TestReload_MetricsBeforeLog(t *testing.T) {
	fails := true
	ended := make(chan int, 2) // for each line of the log, how many reloads were measured before it
	var r *reloading
	logged := logWriter(func(line string) {
		if strings.Contains(line, "reloaded") {
			ended <- len(r.done)
		}
	})
	r = start(t, logged, func(_ context.Context, r *reloading) (*service.Service, error) {
		if fails {
			fails = false
			return nil, errors.New("broken")
		}
		return r.version(saying("second"), nil), nil
	})
	for want := 1; want <= 2; want++ {
		r.wanted <- syscall.SIGHUP
		select {
		case got := <-ended:
			if got != want {
				t.Errorf("reload %d: the log says so after %d were measured", want, got)
			}
		case <-time.After(patience):
			t.Fatal("no reload has ended")
		}
	}
}

// TestReload_Hangs: a file that cannot be read for a minute is a reload that failed. The next one
// does not wait for it, and what it brings late is thrown away.
func TestReload_Hangs(t *testing.T) {
	began := make(chan struct{})
	goOn := make(chan struct{})
	late := make(chan struct{})
	absent := absentRedis(t)
	var builds atomic.Int64
	r := start(t, io.Discard, func(ctx context.Context, r *reloading) (*service.Service, error) {
		if builds.Add(1) > 1 {
			return r.version(saying("second"), nil), nil
		}
		close(began)
		<-ctx.Done() // which ends when nobody waits any more
		<-goOn
		defer close(late)
		return r.version(saying("late"), absent.Cache), nil
	})
	r.wanted <- syscall.SIGHUP
	<-began
	r.timeout <- time.Time{}
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), "longer than 1m0s") {
		t.Errorf("got %v, want the limit", err)
	}
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	goOn <- struct{}{}
	<-late
	absent.wantClosed()
	if body := r.get("/"); body != "second" {
		t.Errorf("got %q", body)
	}
}

// TestReload_RequestsEndOnTheOldVersion: a request finishes by the version with which it began, and
// what only that version used is closed after it.
func TestReload_RequestsEndOnTheOldVersion(t *testing.T) {
	entered := make(chan struct{})
	goOn := make(chan struct{})
	first := must(rediscache.New(rediscache.Config{
		Redis:   &redis.Options{Addr: answering(t)},
		Keys:    []rediscache.Key{{ID: "1", Secret: delegation.NewSecret(secret)}},
		Timeout: patience,
	}))
	old := saying("old")
	slow := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		entered <- struct{}{}
		<-goOn
		old.ServeHTTP(w, q)
	})
	next := []func(r *reloading) *service.Service{
		func(r *reloading) *service.Service { return r.version(slow, first) },
		func(r *reloading) *service.Service { return r.version(saying("new"), nil) },
	}
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		make := next[0]
		next = next[1:]
		return make(r), nil
	})
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		response, err := http.Get(r.url)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answered <- string(text)
	}()
	<-entered
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if body := r.get("/"); body != "new" {
		t.Errorf("a new request: %q", body)
	}
	// One minute is the limit of each of the two reloads.
	if waited := time.Duration(r.waited.Load()); waited != 2*time.Minute {
		t.Errorf("it waits for %s before the request has ended", waited-2*time.Minute)
	}
	close(goOn)
	if body := <-answered; body != "old" {
		t.Errorf("the request under way: %q", body)
	}
	r.timeout <- time.Time{}
	redisClient{t: t, Cache: first}.wantClosed()
}

// TestReload_RedisThatDoesNotAnswer: a reload does not exchange a Redis for one that does not
// answer, and closes the client of that.
func TestReload_RedisThatDoesNotAnswer(t *testing.T) {
	absent := absentRedis(t)
	var said log
	r := start(t, &said, func(_ context.Context, r *reloading) (*service.Service, error) {
		return r.version(saying("second"), absent.Cache), nil
	})
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err == nil || !strings.HasPrefix(err.Error(), "redis: ") {
		t.Errorf("got %v, want that of Redis", err)
	}
	absent.wantClosed()
	if body := r.get("/"); body == "second" {
		t.Error("it serves the new version")
	}
	// A reload is logged after Done is called, and before the next one begins.
	r.wanted <- syscall.SIGHUP
	if err := r.wait(); err == nil {
		t.Error("the second reload succeeded")
	}
	if !strings.Contains(said.String(), "the previous configuration stays in use") {
		t.Errorf("the log: %s", &said)
	}
}

// TestReload_AtTheEnd: a signal that comes while the service ends changes nothing, and no reload
// keeps it from ending.
func TestReload_AtTheEnd(t *testing.T) {
	began := make(chan struct{})
	goOn := make(chan struct{})
	absent := absentRedis(t)
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		close(began)
		<-goOn
		return r.version(saying("late"), absent.Cache), nil
	})
	r.wanted <- syscall.SIGHUP
	<-began
	r.stop()
	close(goOn)
	absent.wantClosed()
}

const secret = "0123456789abcdef0123456789abcdef" // 32 bytes

// redisClient is a client that the test looks at.
type redisClient struct {
	*rediscache.Cache
	t *testing.T
}

// absentRedis is a client of a Redis that does not answer.
func absentRedis(t *testing.T) redisClient {
	t.Helper()
	return redisClient{
		t: t,
		Cache: must(rediscache.New(rediscache.Config{
			Redis: &redis.Options{
				Addr: "redis.example.com:6379",
				Dialer: func(context.Context, string, string) (net.Conn, error) {
					return nil, errors.New("nobody listens")
				},
			},
			Keys: []rediscache.Key{{
				ID:     "1",
				Secret: delegation.NewSecret(secret),
			}},
			Timeout: time.Second,
		})),
	}
}

// wantClosed waits until the client is closed.
func (u redisClient) wantClosed() {
	u.t.Helper()
	deadline := time.After(patience)
	often := time.NewTicker(time.Millisecond)
	defer often.Stop()
	for {
		err := u.Check(context.Background())
		if err != nil && strings.Contains(err.Error(), "closed") {
			return
		}
		select {
		case <-often.C:
		case <-deadline:
			u.t.Fatalf("the client is open: %v", err)
		}
	}
}

// answering is a Redis that takes every command, and says nothing but that.
func answering(t *testing.T) (address string) {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(connection)
		}
	}()
	return listener.Addr().String()
}

// answer answers the commands of one connection, which are arrays of RESP. It keeps one value.
func answer(connection net.Conn) {
	defer connection.Close()
	value := ""
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		count := 0
		if _, err := fmt.Sscanf(lines.Text(), "*%d", &count); err != nil {
			return
		}
		var words []string
		for range count {
			lines.Scan() // the word's length
			if !lines.Scan() {
				return
			}
			words = append(words, lines.Text())
		}
		said := "+OK"
		switch strings.ToLower(words[0]) {
		case "ping":
			said = "+PONG"
		case "hello":
			said = "-ERR unknown command"
		case "set":
			value = words[2]
		case "getrange":
			said = fmt.Sprintf("$%d\r\n%s", len(value), value)
		case "del", "eval", "evalsha":
			said = ":1"
		case "scan":
			said = "*2\r\n$1\r\n0\r\n*0"
		}
		if _, err := io.WriteString(connection, said+"\r\n"); err != nil {
			return
		}
	}
}

// TestReload_ClosesTheOldRedis: the client that only the old version used is closed, some time
// after its last request; one that both use stays open.
func TestReload_ClosesTheOldRedis(t *testing.T) {
	address := answering(t)
	client := func() redisClient {
		return redisClient{t: t, Cache: must(rediscache.New(rediscache.Config{
			Redis:   &redis.Options{Addr: address},
			Keys:    []rediscache.Key{{ID: "1", Secret: delegation.NewSecret(secret)}},
			Timeout: patience,
		}))}
	}
	first := client()
	second := client()
	next := []*rediscache.Cache{first.Cache, first.Cache, second.Cache}
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		cache := next[0]
		next = next[1:]
		return r.version(nil, cache), nil
	})
	for range 3 {
		r.wanted <- syscall.SIGHUP
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if err := first.Check(t.Context()); err != nil {
			t.Fatalf("a call that goes on: %v", err)
		}
	}
	r.timeout <- time.Time{}
	first.wantClosed()
	if err := second.Check(t.Context()); err != nil {
		t.Error(err)
	}
	r.stop()
	second.wantClosed()
}

// openKey is a key that is open in a key service.
type openKey struct {
	crypto.Signer
	closed chan struct{} // closed by Close, which is called once
}

func newOpenKey() *openKey { return &openKey{closed: make(chan struct{})} }

func (k *openKey) Ended() bool { return false }

func (k *openKey) Close() error {
	close(k.closed)
	return nil
}

func (k *openKey) isOpen() bool {
	select {
	case <-k.closed:
		return false
	default:
		return true
	}
}

// TestReload_ClosesOldKeys: a key that only the old version used is closed, some time after its
// last request; one that both use stays open until the end.
func TestReload_ClosesOldKeys(t *testing.T) {
	first := newOpenKey()
	second := newOpenKey()
	third := newOpenKey()
	next := []map[string]service.Signer{
		{"first": first, "second": second},
		{"first": first, "second": second},
		{"second": second, "third": third},
	}
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		s := r.version(nil, nil)
		s.Parts.Signers = next[0]
		next = next[1:]
		return s, nil
	})
	for range 3 {
		r.wanted <- syscall.SIGHUP
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if !first.isOpen() {
			t.Fatal("a key is closed that a request may use")
		}
	}
	r.timeout <- time.Time{}
	<-first.closed
	if !second.isOpen() || !third.isOpen() {
		t.Error("a key is closed that is in use")
	}
	r.stop()
	<-second.closed
	<-third.closed
}

// TestRun_CannotListen: a service that cannot listen closes the keys that are open.
func TestRun_CannotListen(t *testing.T) {
	taken := must(net.Listen("tcp", "127.0.0.1:0"))
	defer taken.Close()
	key := newOpenKey()
	s := &service.Service{
		Listen: taken.Addr().String(),
		Parts:  service.Parts{Signers: map[string]service.Signer{"key": key}},
		Logger: slog.New(slog.DiscardHandler),
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("it listens where another does")
	}
	if key.isOpen() {
		t.Error("its key is open")
	}
}

// wantNoneLeft waits until no goroutine of a service that has ended is left.
func wantNoneLeft(t *testing.T) {
	t.Helper()
	deadline := time.After(patience)
	often := time.NewTicker(time.Millisecond)
	defer often.Stop()
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if !bytes.Contains(stacks, []byte("service.(*running)")) {
			return
		}
		select {
		case <-often.C:
		case <-deadline:
			t.Fatalf("goroutines are left:\n%s", stacks)
		}
	}
}
