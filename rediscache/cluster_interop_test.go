//go:build interop

package rediscache_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

// patience ends a test that hangs. No test waits for it.
const patience = 3 * time.Minute

// await asks until what it asks for is so.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	ask := time.NewTicker(20 * time.Millisecond)
	defer ask.Stop()
	for !is() {
		select {
		case <-ask.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// cluster is three masters with a replica each.
type cluster struct{ nodes []*server }

// startCluster starts six servers, and makes them a cluster with redis-cli.
func startCluster(t testing.TB) *cluster {
	t.Helper()
	const nodes = 6
	addresses := freeAddresses(2 * nodes)
	c := &cluster{}
	create := []string{"--cluster", "create"}
	for i := range nodes {
		_, bus, _ := net.SplitHostPort(addresses[nodes+i])
		c.nodes = append(c.nodes, startServer(t, addresses[i],
			"--cluster-enabled", "yes",
			"--cluster-port", bus,
			"--cluster-node-timeout", "3000",
			"--repl-diskless-sync-delay", "0",
		))
		create = append(create, addresses[i])
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if text, err := exec.Command("redis-cli", create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, text)
	}
	await(t, "a cluster whose replicas follow", func() bool {
		replicas := 0
		for _, node := range c.nodes {
			if !node.info(t, "cluster", "cluster_state:ok") {
				return false
			}
			if node.info(t, "replication", "master_link_status:up") {
				replicas++
			}
		}
		return replicas == nodes/2
	})
	return c
}

// info tells whether a line is in what a node says of a section, or of its cluster.
func (s *server) info(t testing.TB, section, line string) bool {
	ask := s.client.Info(t.Context(), section).Result
	if section == "cluster" {
		ask = s.client.ClusterInfo(t.Context()).Result
	}
	text, err := ask()
	return err == nil && slices.Contains(strings.Fields(text), line)
}

// masters are the nodes that have slots, without those that were killed.
func (c *cluster) masters(t testing.TB) (masters []*server) {
	for _, node := range c.nodes {
		if node.process.ProcessState == nil && node.info(t, "replication", "role:master") {
			masters = append(masters, node)
		}
	}
	return masters
}

// config is the configuration of a Cache before the cluster, with time for a busy machine.
func (c *cluster) config(keys ...rediscache.Key) rediscache.Config {
	return rediscache.Config{
		Cluster: &redis.ClusterOptions{Addrs: []string{c.nodes[0].addr, c.nodes[1].addr}},
		Keys:    keys,
		Timeout: 10 * time.Second,
	}
}

func (c *cluster) cache(t testing.TB, keys ...rediscache.Key) *rediscache.Cache {
	t.Helper()
	cache := must(rediscache.New(c.config(keys...)))
	t.Cleanup(func() { _ = cache.Close() })
	return cache
}

// keys are the keys of each master.
func (c *cluster) keys(t testing.TB) (keys []string) {
	for _, master := range c.masters(t) {
		keys = append(keys, must(master.client.Keys(t.Context(), "*").Result())...)
	}
	return keys
}

// TestInterop_RedisCluster: values, locks and marks are spread over a cluster, each decision's in
// one slot, and all are found to be deleted.
func TestInterop_RedisCluster(t *testing.T) {
	cluster, key, ctx := startCluster(t), newKey("one"), t.Context()
	a, b := cluster.cache(t, key), cluster.cache(t, key)
	if err := a.Check(ctx); err != nil {
		t.Fatal(err)
	}
	want := credentials()
	for i := range 30 {
		user := fmt.Sprintf("%064d", i)
		if err := a.Put(ctx, user, other, want); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Get(ctx, user, other); err != nil || !same(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
		unlock := must(a.Lock(ctx, user, other))
		keys := cluster.keys(t)
		slots := map[int64]bool{}
		found := 0
		for _, key := range keys {
			if strings.Contains(key, ":{"+user+"}:") {
				slots[must(cluster.nodes[0].client.ClusterKeySlot(ctx, key).Result())] = true
				found++
			}
		}
		if found != 2 || len(slots) != 1 {
			t.Errorf("%d keys of a decision in %d slots: %q", found, len(slots), keys)
		}
		unlock()
		first := must(a.FirstUse(ctx, user, time.Now(), time.Now().Add(time.Hour)))
		if again := must(b.FirstUse(ctx, user, time.Now(), time.Now().Add(time.Hour))); !first ||
			again {
			t.Errorf("user %d: first %t, then %t", i, first, again)
		}
	}
	for _, master := range cluster.masters(t) {
		if n := must(master.client.DBSize(ctx).Result()); n == 0 {
			t.Errorf("%s has no keys", master.addr)
		}
	}
	for i := range 1500 { // more than one step of a scan
		must(0, a.Put(ctx, fmt.Sprintf("%064d", 0), fmt.Sprintf("%064d", i), want))
	}
	for i, row := range []struct {
		owner, key string
		left       int
	}{{fmt.Sprintf("%064d", 7), other, 1558}, {fmt.Sprintf("%064d", 0), "", 58}, {"", "", 30}} {
		if err := a.Delete(ctx, row.owner, row.key); err != nil {
			t.Fatal(err)
		}
		if left := len(cluster.keys(t)); left != row.left {
			t.Errorf("%d: %d left, want %d", i, left, row.left)
		}
	}
}

// sentinels are three Sentinels that watch a master with one replica.
type sentinels struct {
	master, replica *server
	addresses       []string
}

const (
	masterName       = "credentials"
	sentinelPassword = "canary-sentinel"
)

// startSentinels starts five servers, and returns when the Sentinels agree.
func startSentinels(t testing.TB) *sentinels {
	t.Helper()
	s := &sentinels{master: startRedis(t, "")}
	host, port, _ := net.SplitHostPort(s.master.addr)
	s.replica = startServer(t, freeAddresses(1)[0], "--replicaof", host+" "+port,
		"--repl-diskless-sync-delay", "0")
	var asked []*redis.SentinelClient
	for _, address := range freeAddresses(3) {
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		must(0, os.WriteFile(file, fmt.Appendf(nil, `requirepass %[1]s
sentinel sentinel-pass %[1]s
sentinel monitor %[2]s %[3]s %[4]s 2
sentinel down-after-milliseconds %[2]s 1000
sentinel failover-timeout %[2]s 5000
`, sentinelPassword, masterName, host, port), 0o600))
		launch(t, address, "+monitor master "+masterName, file, "--sentinel")
		s.addresses = append(s.addresses, address)
		client := redis.NewSentinelClient(&redis.Options{
			Addr:     address,
			Password: sentinelPassword,
		})
		t.Cleanup(func() { _ = client.Close() })
		asked = append(asked, client)
	}
	await(t, "Sentinels that know each other and the replica", func() bool {
		return !slices.ContainsFunc(asked, func(client *redis.SentinelClient) bool {
			master, err := client.Master(t.Context(), masterName).Result()
			return err != nil || master["num-other-sentinels"] != "2" ||
				master["num-slaves"] != "1"
		})
	})
	await(t, "a replica that follows", func() bool {
		return s.replica.info(t, "replication", "master_link_status:up")
	})
	return s
}

// TestInterop_RedisSentinelMasterKilled: exchanges use the master that the Sentinels name, and the
// next one after that has died.
func TestInterop_RedisSentinelMasterKilled(t *testing.T) {
	s := startSentinels(t)
	w, sts := newWorld(t, "", 3)
	var outcomes []string
	var cache rediscache.Config
	d := w.delegator(t, func(r *rediscache.Config, c *delegation.Config) {
		r.Redis = nil
		r.Sentinel = &redis.FailoverOptions{
			MasterName:       masterName,
			SentinelAddrs:    s.addresses[:1], // it tells of the others
			SentinelPassword: sentinelPassword,
		}
		cache = *r
		c.OnEvent = func(_ context.Context, e delegation.Event) {
			outcomes = append(outcomes, string(e.Cache))
		}
	})
	exchange := func(user int) {
		t.Helper()
		if _, err := d.Exchange(t.Context(), w.Tokens[user], app); err != nil {
			t.Error(err)
		}
	}
	check := must(rediscache.New(cache))
	defer check.Close()
	exchange(0)
	await(t, "a replica with the credentials", func() bool {
		return must(s.replica.client.DBSize(t.Context()).Result()) == 1
	})
	s.master.kill()
	exchange(1)
	await(t, "another master", func() bool { return check.Check(t.Context()) == nil })
	if !s.replica.info(t, "replication", "role:master") {
		t.Error("the replica is not the master")
	}
	await(t, "the Delegator finds it", func() bool {
		return d.InvalidateAll(t.Context()) == nil
	})
	exchange(2)
	got := strings.Join(outcomes, " ")
	if got != "miss shared_down miss" || len(sts.Calls()) != 3 {
		t.Errorf("outcomes %s, %d calls", got, len(sts.Calls()))
	}
	if n := must(s.replica.client.DBSize(t.Context()).Result()); n != 1 {
		t.Errorf("%d keys in the new master", n)
	}
}

// fleet is the replicas of one service, under load.
type fleet struct {
	world  *world
	all    []*delegation.Delegator
	ok     atomic.Int64
	failed atomic.Int64
	down   atomic.Int64 // exchanges without the shared cache
}

// exchange does one exchange. What it answers must be of its user.
func (f *fleet) exchange(t testing.TB, replica, user int) {
	c, err := f.all[replica].Exchange(context.Background(), f.world.Tokens[user], app)
	if err != nil || c.Subject != fmt.Sprint("user", user) {
		f.failed.Add(1)
		t.Errorf("user %d: %v", user, err)
		return
	}
	f.ok.Add(1)
}

// load exchanges until stop, on all replicas and for all users.
func (f *fleet) load(t testing.TB, callers int) (stop func()) {
	ended := make(chan struct{})
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := i; ; n += callers {
				select {
				case <-ended:
					return
				default:
					f.exchange(t, n%len(f.all), n%len(f.world.Tokens))
				}
			}
		})
	}
	return func() {
		close(ended)
		all.Wait()
	}
}

// TestInterop_RedisClusterMasterKilled: no exchange fails while a master dies under load and its
// replica takes over. Before and after that, the fleet calls STS once for each decision.
func TestInterop_RedisClusterMasterKilled(t *testing.T) {
	const users = 150
	cluster := startCluster(t)
	w, sts := newWorld(t, "", users)
	f := &fleet{world: w}
	for range 3 {
		f.all = append(f.all, w.delegator(t,
			func(r *rediscache.Config, c *delegation.Config) {
				*r = cluster.config(r.Keys...)
				// The client does not find the new master by asking every 10 seconds.
				r.Cluster.ClusterStateReloadInterval = time.Hour
				c.CacheSize = 1 // nearly every exchange asks Redis
				c.OnEvent = func(_ context.Context, e delegation.Event) {
					if e.Cache == delegation.CacheSharedDown {
						f.down.Add(1)
					}
				}
			}))
	}
	round := func() (calls int) {
		before := len(sts.Calls())
		for replica := range f.all {
			for user := range users {
				f.exchange(t, replica, user)
			}
		}
		return len(sts.Calls()) - before
	}
	if calls := round(); calls != users || f.down.Load() != 0 {
		t.Errorf("before: %d calls to STS, want %d; %d exchanges without the cache", calls, users,
			f.down.Load())
	}

	masters := cluster.masters(t)
	victim := masters[0]
	lost := must(victim.client.DBSize(t.Context()).Result())
	if len(masters) != 3 || lost == 0 {
		t.Fatalf("%d masters; the first has %d keys", len(masters), lost)
	}
	stop := f.load(t, 6)
	reached := f.ok.Load() + users
	await(t, "load", func() bool { return f.ok.Load() > reached })
	atKill, callsBefore := f.ok.Load(), len(sts.Calls())
	victim.kill()
	await(t, "the loss is noticed", func() bool { return f.down.Load() > 0 })
	await(t, "another master", func() bool {
		now := cluster.masters(t)
		return len(now) == 3 && !slices.ContainsFunc(now, func(node *server) bool {
			return !node.info(t, "cluster", "cluster_state:ok")
		})
	})
	// From now on each Delegator finds the new master after one call that fails.
	await(t, "exchanges with the shared cache again", func() bool {
		before, from := f.down.Load(), f.ok.Load()
		await(t, "exchanges", func() bool { return f.ok.Load() > from+users })
		return f.down.Load() == before
	})
	during := f.ok.Load() - atKill
	stop()
	t.Logf("after the kill, under load: %d exchanges ok, %d failed, %d of them without the shared "+
		"cache, %d calls to STS", during, f.failed.Load(), f.down.Load(),
		len(sts.Calls())-callsBefore)

	down := f.down.Load()
	round() // what the new master had not yet got from the old one is issued again
	if calls := round(); calls != 0 || f.down.Load() != down {
		t.Errorf("after: %d calls to STS, %d exchanges without the cache", calls,
			f.down.Load()-down)
	}
	if f.failed.Load() != 0 {
		t.Errorf("%d exchanges failed", f.failed.Load())
	}
}
