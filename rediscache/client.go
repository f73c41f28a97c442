package rediscache

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxRedirects is how often one command may follow the slots of a cluster, or be repeated while
// these move. All of it is within Config.Timeout.
const maxRedirects = 3

// checkServers returns an error unless the configuration names the servers in exactly one way.
func (c Config) checkServers() error {
	ways := 0
	for _, set := range []bool{c.Redis != nil, c.Cluster != nil, c.Sentinel != nil} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		return wrong("Redis", "set only one of Redis, Cluster and Sentinel")
	case c.Cluster != nil && len(c.Cluster.Addrs) == 0:
		return wrong("Cluster", "has no Addrs")
	case c.Sentinel != nil && len(c.Sentinel.SentinelAddrs) == 0:
		return wrong("Sentinel", "has no SentinelAddrs")
	case c.Sentinel != nil && c.Sentinel.MasterName == "":
		return wrong("Sentinel", "has no MasterName")
	case c.Cluster == nil && c.Sentinel == nil && (c.Redis == nil || c.Redis.Addr == ""):
		return wrong("Redis", "has no Addr")
	}
	return nil
}

// newClient returns the client of the servers that the configuration names. No connection is made.
func (c Config) newClient() redis.UniversalClient {
	switch {
	case c.Cluster != nil:
		return redis.NewClusterClient(c.clusterOptions())
	case c.Sentinel != nil:
		return redis.NewFailoverClient(c.sentinelOptions())
	}
	return redis.NewClient(c.redisOptions())
}

// redisOptions returns the options of the client, with the timeouts of this configuration.
func (c Config) redisOptions() *redis.Options {
	o := *c.Redis
	// One attempt within the timeout: an exchange should not wait for a cache.
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = c.Timeout
	o.ReadTimeout = c.Timeout
	o.WriteTimeout = c.Timeout
	o.PoolTimeout = c.Timeout
	// The client does not identify itself, and the server cannot change the timeouts.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = noMaintenance()
	return &o
}

// clusterOptions returns the same as redisOptions, for a cluster.
func (c Config) clusterOptions() *redis.ClusterOptions {
	o := *c.Cluster
	o.Addrs = append([]string(nil), o.Addrs...)
	o.ContextTimeoutEnabled = true
	o.MaxRedirects = maxRedirects
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = c.Timeout
	o.ReadTimeout = c.Timeout
	o.WriteTimeout = c.Timeout
	o.PoolTimeout = c.Timeout
	o.DisableIdentity = true
	o.MaintNotificationsConfig = noMaintenance()
	// A replica answers with what was true a moment ago: a lock that it has not seen yet is free.
	o.ReadOnly = false
	o.RouteByLatency = false
	o.RouteRandomly = false
	// Otherwise the client needs permission for COMMAND, to learn where the keys in a command are.
	o.DisableRoutingPolicies = true
	return &o
}

// sentinelOptions returns the same as redisOptions, for a master that Sentinels name.
func (c Config) sentinelOptions() *redis.FailoverOptions {
	o := *c.Sentinel
	o.SentinelAddrs = append([]string(nil), o.SentinelAddrs...)
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.DialTimeout = c.Timeout
	o.ReadTimeout = c.Timeout
	o.WriteTimeout = c.Timeout
	o.PoolTimeout = c.Timeout
	o.DisableIdentity = true
	o.ReplicaOnly = false
	o.RouteByLatency = false
	o.RouteRandomly = false
	return &o
}

// noMaintenance makes go-redis ask for no notifications. With a type of endpoint, go-redis does not
// look up hosts to find one, while it makes a client.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{
		Mode:         maintnotifications.ModeDisabled,
		EndpointType: maintnotifications.EndpointTypeNone,
	}
}

// servers returns the clients of all servers that have keys: the masters of a cluster, as it is
// now, or the one server.
func (c *Cache) servers(ctx context.Context) ([]redis.Cmdable, error) {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{c.client}, nil
	}
	var mu sync.Mutex
	var masters []redis.Cmdable
	err := c.do(ctx, "delete", func(ctx context.Context) error {
		return cluster.ForEachMaster(ctx, func(_ context.Context, master *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			masters = append(masters, master)
			return nil
		})
	})
	return masters, err
}

// lookAgain makes the client of a cluster ask where the slots are, after a node gave no answer.
// go-redis asks every 10 seconds, and when a node says that a slot has moved. A node that is dead
// does not say that.
func (c *Cache) lookAgain(ctx context.Context, err error) {
	cluster, ok := c.client.(*redis.ClusterClient)
	if ok && !isAnswer(err) {
		cluster.ReloadState(ctx) // in the background, and not twice at a time
	}
}

// unknownCommand is an answer of Redis to a command that it does not know, without its arguments.
type unknownCommand string

func (e unknownCommand) Error() string { return string(e) }

// RedisError implements redis.Error.
func (unknownCommand) RedisError() {}

// withoutArguments takes the arguments out of an error that repeats them. A server that does not
// know AUTH, such as one with renamed commands, answers with the password.
func withoutArguments(err error) error {
	text, _, repeats := strings.Cut(err.Error(), ", with args beginning with:")
	if !repeats {
		return err
	}
	return unknownCommand(text)
}

// isAnswer tells whether an error is an answer of Redis.
func isAnswer(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// saysNo tells whether Redis has answered that there is nothing, or that a key was set before. A
// Sentinel that does not know the master gives the same answer, and go-redis wraps it: it is an
// error, because Redis itself was not asked.
func (c *Cache) saysNo(err error) bool {
	return errors.Is(err, redis.Nil) && c.problem(err) != ProblemMaster
}
