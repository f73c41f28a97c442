package rediscache_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation/rediscache"
)

// wire is a Redis of one answer, in memory: what a real one would do is in the interop tests.
type wire struct {
	hello    string // the answer to the handshake; empty: of an old server, which knows none
	mu       sync.Mutex
	answer   string     // to all but the handshake, as RESP has it
	commands [][]string // that were answered so
}

// dial is for redis.Options.Dialer. The connection ends with the test.
func (w *wire) dial(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = theirs.Close() })
		go w.serve(theirs)
		return ours, nil
	}
}

func (w *wire) serve(connection net.Conn) {
	in := bufio.NewReader(connection)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		answer := cmp.Or(w.hello, "-ERR unknown command\r\n")
		if !strings.EqualFold(command[0], "hello") {
			w.mu.Lock()
			w.commands = append(w.commands, command)
			w.mu.Unlock()
			answer = w.answer
		}
		if _, err := io.WriteString(connection, answer); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	var count, size int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &count); err != nil {
		return nil, err
	}
	command := make([]string, count)
	for i := range command {
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		text := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:size])
	}
	return command, nil
}

// cache is a Cache of the wire.
func (w *wire) cache(t *testing.T) *rediscache.Cache {
	cfg := config("127.0.0.1:1", newKey("one"))
	cfg.Redis.Dialer = w.dial(t)
	c := must(rediscache.New(cfg))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestLock_CallerLeaves: who waits for a lock and goes away is held no longer, not even for a
// pause.
func TestLock_CallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: "$-1\r\n"} // another holds it
		c := w.cache(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := c.Lock(ctx, owner, other)
			ended <- err
		}()
		synctest.Wait() // it has asked, and pauses
		began := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if len(w.commands) != 1 {
			t.Errorf("it asked %q", w.commands)
		}
	})
}

// TestFirstUse_Ends: every mark has an end, also of a token that expires now: Redis would keep one
// without an end for ever.
func TestFirstUse_Ends(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		time.Hour: "3600", time.Minute: "60", 0: "1", -time.Hour: "1",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: "+OK\r\n"}
			first, err := w.cache(t).FirstUse(t.Context(), owner, now, now.Add(left))
			if err != nil || !first || len(w.commands) != 1 {
				t.Fatalf("%s: %t, %v; it asked %q", left, first, err, w.commands)
			}
			command := w.commands[0]
			i := slices.IndexFunc(command,
				func(word string) bool { return strings.EqualFold(word, "ex") })
			if i < 0 || command[i+1] != want {
				t.Errorf("%s: %q, want an end in %s s", left, command, want)
			}
			hasWord := func(word string) bool { return strings.EqualFold(word, "nx") }
			if !slices.ContainsFunc(command, hasWord) {
				t.Errorf("%s: %q takes the mark of another", left, command)
			}
		})
	}
}

// TestSentinel_NoSuchMaster: a Sentinel that does not know the master has not said that a token was
// used before, or that another holds a lock. It gives the same answer as Redis would for these.
func TestSentinel_NoSuchMaster(t *testing.T) {
	w := &wire{answer: "*-1\r\n"}
	cfg := config("127.0.0.1:1", newKey("one"))
	cfg.Redis.Dialer = w.dial(t)
	cfg.Timeout = time.Minute       // of a busy machine
	cfg.LockTime = time.Millisecond // who waits for a lock gets another error then
	var operations []rediscache.Operation
	cfg.OnOperation = func(_ context.Context, o rediscache.Operation) {
		o.Took = 0
		operations = append(operations, o)
	}
	c := must(rediscache.New(asSentinel(cfg)))
	defer c.Close()
	now := time.Now()
	for name, call := range map[string]func() error{
		"first_use": func() error {
			_, err := c.FirstUse(t.Context(), other, now, now.Add(time.Hour))
			return err
		},
		"lock": func() error {
			_, err := c.Lock(t.Context(), owner, other)
			return err
		},
	} {
		operations = nil
		if err := call(); err == nil || !strings.Contains(err.Error(), "all sentinels") {
			t.Errorf("%s: got %v, want the error of the Sentinels", name, err)
		}
		want := []rediscache.Operation{{Name: name, Problem: rediscache.ProblemMaster}}
		if !slices.Equal(operations, want) {
			t.Errorf("%s: reported %+v, want %+v", name, operations, want)
		}
	}
}

// TestCluster_ADecisionIsInOneSlot: value and lock of a decision have the user as their hash tag,
// which alone tells the slot. Without a cluster the keys are as they were.
func TestCluster_ADecisionIsInOneSlot(t *testing.T) {
	for want, as := range map[string]func(rediscache.Config) rediscache.Config{
		":{" + owner + "}:" + other: func(c rediscache.Config) rediscache.Config {
			c = asCluster(c)
			// As the nodes would tell it.
			c.Cluster.ClusterSlots = func(context.Context) ([]redis.ClusterSlot, error) {
				nodes := []redis.ClusterNode{{Addr: "127.0.0.1:1"}}
				return []redis.ClusterSlot{{End: 16383, Nodes: nodes}}, nil
			}
			return c
		},
		":" + owner + ":" + other: asServer,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: "+OK\r\n"}
			cfg := config("127.0.0.1:1", newKey("one"))
			cfg.Redis.Dialer = w.dial(t)
			c := must(rediscache.New(as(cfg)))
			// The client of a cluster looks at its nodes in a goroutine of its own, which pauses after
			// that, and which Close does not wait for. The pause takes no time here.
			defer time.Sleep(time.Second)
			defer c.Close()
			must(0, c.Put(t.Context(), owner, other, credentials()))
			must(c.Lock(t.Context(), owner, other))()
			_ = c.Delete(t.Context(), owner, other) // the answer is not a number
			var keys []string
			for _, command := range w.commands {
				i := 1
				if strings.HasPrefix(strings.ToLower(command[0]), "eval") {
					i = 3
				}
				keys = append(keys, command[i])
			}
			value, lock := "delegation:c"+want, "delegation:l"+want
			if !slices.Equal(keys, []string{value, lock, lock, value}) {
				t.Errorf("the keys are %q", keys)
			}
		})
	}
}

// TestCheckAccess_TellsApart: each answer that an operator can do something about has its own
// problem, and the error says which command got it.
func TestCheckAccess_TellsApart(t *testing.T) {
	const standalone = "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
	for name, row := range map[string]struct {
		hello, answer string
		as            func(rediscache.Config) rediscache.Config
		problem       rediscache.Problem
		command       string
	}{
		"no password": {"-NOAUTH HELLO must be called with the client already authenticated\r\n",
			"-NOAUTH Authentication required.\r\n", asServer, rediscache.ProblemPassword, "HELLO"},
		"an old server without a password": {"", "-NOAUTH Authentication required.\r\n", asServer,
			rediscache.ProblemPassword, "SET"},
		"ping alone": {standalone, "-NOPERM this user has no permissions to run the 'set' " +
			"command\r\n", asServer, rediscache.ProblemPermission, "SET"},
		"a replica": {
			"*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$7\r\nreplica\r\n",
			"+OK\r\n", asServer, rediscache.ProblemReplica, "HELLO"},
		"an old replica": {"", "-READONLY You can't write against a read only replica.\r\n",
			asServer, rediscache.ProblemReplica, "SET"},
		"a node": {
			"%2\r\n$4\r\nmode\r\n$7\r\ncluster\r\n$4\r\nrole\r\n$6\r\nmaster\r\n",
			"+OK\r\n", asServer, rediscache.ProblemCluster, "HELLO"},
		"an old node": {"", "-MOVED 1 127.0.0.1:2\r\n", asServer, rediscache.ProblemCluster, "SET"},
		"a Sentinel": {
			"*4\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n$4\r\nrole\r\n$6\r\nmaster\r\n",
			"+OK\r\n", asServer, rediscache.ProblemSentinel, "HELLO"},
		"no node": {standalone, "-ERR This instance has cluster support disabled\r\n", asCluster,
			rediscache.ProblemNoCluster, "SET"},
		"no Sentinel": {standalone, "-ERR unknown command 'sentinel'\r\n", asSentinel,
			rediscache.ProblemNoSentinel, "SET"},
		"no such master": {standalone, "*-1\r\n", asSentinel, rediscache.ProblemMaster, "SET"},
		"no password of the Sentinel": {standalone, "-NOAUTH Authentication required.\r\n",
			asSentinel, rediscache.ProblemSentinelPassword, "SET"},
		"full": {standalone, "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
			asServer, rediscache.ProblemMemory, "SET"},
		"another error": {standalone, "-ERR of another kind\r\n", asServer,
			rediscache.ProblemOther, "SET"},
		"it forgets": {standalone, "+OK\r\n", asServer, rediscache.ProblemOther, "GETRANGE"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{hello: row.hello, answer: row.answer}
			cfg := config("127.0.0.1:1", newKey("one"))
			cfg.Redis.Dialer = w.dial(t)
			cfg.Timeout = time.Minute // of a busy machine
			var last rediscache.Operation
			cfg.OnOperation = func(_ context.Context, o rediscache.Operation) { last = o }
			c := must(rediscache.New(row.as(cfg)))
			defer c.Close()
			got := new(rediscache.AccessError)
			if err := c.CheckAccess(t.Context()); !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if got.Problem != row.problem || got.Command != row.command {
				t.Errorf("got %q of %s (%v), want %q of %s", got.Problem, got.Command, got,
					row.problem, row.command)
			}
			if last.Name != "check" || last.Problem != row.problem {
				t.Errorf("reported %+v, want %q", last, row.problem)
			}
		})
	}
}

// TestCheckAccess_NoConnection: what keeps a connection from being made is told apart too.
func TestCheckAccess_NoConnection(t *testing.T) {
	for want, err := range map[rediscache.Problem]error{
		rediscache.ProblemUnreachable: &net.OpError{Op: "dial", Err: errors.New("refused")},
		rediscache.ProblemTimeout:     &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		rediscache.ProblemTLS: &tls.CertificateVerificationError{
			Err: x509.UnknownAuthorityError{},
		},
		rediscache.ProblemOther: errors.New("no file of a password"),
	} {
		for _, as := range []func(rediscache.Config) rediscache.Config{
			asServer, asCluster, asSentinel,
		} {
			cfg := config("127.0.0.1:1", newKey("one"))
			cfg.Redis.Dialer = func(context.Context, string, string) (net.Conn, error) {
				return nil, err
			}
			cfg.Timeout = time.Minute
			c := must(rediscache.New(as(cfg)))
			got := new(rediscache.AccessError)
			err := c.CheckAccess(t.Context())
			if !errors.As(err, &got) || got.Problem != want {
				t.Errorf("got %q (%v), want %q", got.Problem, err, want)
			}
			_ = c.Close()
		}
	}
}

// TestOnOperation: each operation is reported once with its name, and with why it failed. That a
// key was set before is an answer, and a caller that leaves is not Redis's fault.
func TestOnOperation(t *testing.T) {
	const oom = "-OOM command not allowed\r\n"
	get := func(ctx context.Context, c *rediscache.Cache) { _, _ = c.Get(ctx, owner, other) }
	put := func(ctx context.Context, c *rediscache.Cache) {
		_ = c.Put(ctx, owner, other, credentials())
	}
	remove := func(ctx context.Context, c *rediscache.Cache) { _ = c.Delete(ctx, owner, other) }
	use := func(ctx context.Context, c *rediscache.Cache) {
		_, _ = c.FirstUse(ctx, other, time.Now(), time.Now().Add(time.Hour))
	}
	lock := func(ctx context.Context, c *rediscache.Cache) {
		if unlock, err := c.Lock(ctx, owner, other); err == nil {
			unlock()
		}
	}
	check := func(ctx context.Context, c *rediscache.Cache) { _ = c.Check(ctx) }
	for name, test := range map[string]struct {
		answer string
		call   func(context.Context, *rediscache.Cache)
		left   bool // the caller has
		want   []rediscache.Operation
	}{
		"get": {answer: "$0\r\n\r\n", call: get, want: []rediscache.Operation{{Name: "get"}}},
		"put": {answer: "+OK\r\n", call: put, want: []rediscache.Operation{{Name: "put"}}},
		"put without memory": {
			answer: oom, call: put,
			want: []rediscache.Operation{{Name: "put", Problem: rediscache.ProblemMemory}},
		},
		"delete": {
			answer: ":1\r\n", call: remove,
			want: []rediscache.Operation{{Name: "delete"}},
		},
		"first use": {
			answer: "+OK\r\n", call: use,
			want: []rediscache.Operation{{Name: "first_use"}},
		},
		"second use": {
			answer: "$-1\r\n", call: use,
			want: []rediscache.Operation{{Name: "first_use"}},
		},
		"lock": {
			answer: "+OK\r\n", call: lock,
			want: []rediscache.Operation{{Name: "lock"}, {Name: "unlock"}},
		},
		"check": {answer: "+PONG\r\n", call: check, want: []rediscache.Operation{{Name: "check"}}},
		"check without a right": {
			answer: "-NOPERM no\r\n", call: check,
			want: []rediscache.Operation{{Name: "check", Problem: rediscache.ProblemPermission}},
		},
		"the caller has left": {
			answer: "$0\r\n\r\n", call: get, left: true,
			want: []rediscache.Operation{{Name: "get", Canceled: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: test.answer}
			var got []rediscache.Operation
			cfg := config("127.0.0.1:1", newKey("one"))
			cfg.Redis.Dialer = w.dial(t)
			cfg.OnOperation = func(_ context.Context, o rediscache.Operation) {
				if o.Took < 0 {
					t.Errorf("%s took %s", o.Name, o.Took)
				}
				o.Took = 0
				got = append(got, o)
			}
			c := must(rediscache.New(cfg))
			t.Cleanup(func() { _ = c.Close() })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.left {
				cancel()
			}
			test.call(ctx, c)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
