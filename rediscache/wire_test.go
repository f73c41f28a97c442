package rediscache_test

import (
	"bufio"
	"context"
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
		answer := "-ERR unknown command\r\n" // an old server, which knows no HELLO
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
