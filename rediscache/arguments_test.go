package rediscache_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

// TestErrors_NameNoPassword: a server that does not know AUTH repeats its arguments, as Redis does
// for each unknown command. No error has the password, in its text or in its chain.
func TestErrors_NameNoPassword(t *testing.T) {
	const password = "canary"
	address := knowingNoCommand(t)
	for name, c := range map[string]rediscache.Config{
		"one server":    {Redis: &redis.Options{Addr: address, Password: password}},
		"with its user": {Redis: &redis.Options{Addr: address, Username: "u", Password: password}},
		"a cluster": {Cluster: &redis.ClusterOptions{
			Addrs:    []string{address},
			Password: password,
		}},
		"Sentinels": {Sentinel: &redis.FailoverOptions{
			MasterName:       "m",
			SentinelAddrs:    []string{address},
			SentinelPassword: password,
		}},
	} {
		c.Keys = []rediscache.Key{{ID: "one", Secret: delegation.NewSecret(strings.Repeat("x", 32))}}
		cache, err := rediscache.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for call, err := range map[string]error{
			"Check":       cache.Check(t.Context()),
			"CheckAccess": cache.CheckAccess(t.Context()),
			"Delete":      cache.Delete(t.Context(), "owner", ""),
		} {
			if err == nil || !strings.Contains(err.Error(), "unknown command `auth`") {
				t.Errorf("%s, %s: it does not name the command: %v", name, call, err)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(err.Error(), password) {
					t.Errorf("%s, %s: %v", name, call, err)
				}
			}
		}
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
}

// knowingNoCommand is a server that answers each command as Redis does one that it does not know.
func knowingNoCommand(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go answerUnknown(connection)
		}
	}()
	return listener.Addr().String()
}

func answerUnknown(connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewReader(connection)
	for {
		var words int
		if _, err := fmt.Fscanf(lines, "*%d\r\n", &words); err != nil {
			return
		}
		var command []string
		for range words {
			var size int
			if _, err := fmt.Fscanf(lines, "$%d\r\n", &size); err != nil {
				return
			}
			word := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(lines, word); err != nil {
				return
			}
			command = append(command, "`"+string(word[:size])+"`")
		}
		fmt.Fprintf(connection, "-ERR unknown command %s, with args beginning with: %s\r\n",
			command[0], strings.Join(command[1:], ", "))
	}
}
