//go:build soak

package soak

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server on loopback, without files. It can be restarted.
type server struct {
	t       testing.TB
	addr    string
	process *exec.Cmd
	client  *redis.Client
}

// startRedis starts a server. A machine without redis-server skips the test, and fails it in CI.
func startRedis(t testing.TB) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing: apt-get install redis-server")
		}
		t.Skip("redis-server is missing: apt-get install redis-server")
	}
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	s := &server{t: t, addr: free.Addr().String()}
	free.Close()
	s.start()
	s.client = redis.NewClient(&redis.Options{Addr: s.addr})
	t.Cleanup(func() {
		_ = s.client.Close()
		s.kill()
	})
	return s
}

// start returns when the server takes connections. It has no memory of before.
func (s *server) start() {
	_, port, _ := net.SplitHostPort(s.addr)
	s.process = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", os.TempDir())
	output := must(s.process.StdoutPipe())
	if err := s.process.Start(); err != nil {
		s.t.Error(err)
		return
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return
		}
	}
	s.t.Error("redis-server did not start")
}

func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// names are the places of sealed credentials; none if Redis does not answer.
func (s *server) names() []string {
	names, _ := s.client.Keys(context.Background(), "delegation:c:*").Result()
	return names
}

// swap puts two values in each other's places.
func (s *server) swap(one, other string) error {
	ctx := context.Background()
	first, err := s.client.Get(ctx, one).Result()
	if err != nil {
		return err
	}
	second, err := s.client.Get(ctx, other).Result()
	if err != nil {
		return err
	}
	keep := redis.SetArgs{KeepTTL: true}
	if err := s.client.SetArgs(ctx, one, second, keep).Err(); err != nil {
		return err
	}
	return s.client.SetArgs(ctx, other, first, keep).Err()
}

// shuffle puts sealed values in each other's places, as one could who can write to Redis: those of
// one user, whose credentials look most alike, or all.
func (s *server) shuffle(random *rand.Rand) {
	ctx := context.Background()
	names := s.names()
	if len(names) < 2 {
		return
	}
	if random.IntN(4) > 0 {
		name := choose(random, names)
		owner := name[:strings.LastIndexByte(name, ':')+1]
		names = slices.DeleteFunc(names, func(other string) bool {
			return !strings.HasPrefix(other, owner)
		})
	}
	values, err := s.client.MGet(ctx, names...).Result()
	if err != nil {
		return
	}
	random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	for i, name := range names {
		if values[i] != nil {
			s.client.SetArgs(ctx, name, values[i], redis.SetArgs{Mode: "XX", KeepTTL: true})
		}
	}
}
