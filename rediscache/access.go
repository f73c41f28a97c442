package rediscache

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Problem is why Redis does not do what a [Cache] needs. The comment of each says what to change.
type Problem string

const (
	// ProblemUnreachable is a server that accepts no connections: correct its address, or start it.
	ProblemUnreachable Problem = "unreachable"
	// ProblemTimeout is a server that has not answered within Config.Timeout.
	ProblemTimeout Problem = "timeout"
	// ProblemTLS is a failed handshake: one side speaks TLS and the other does not, or one does not
	// trust the other's certificate. Correct the TLSConfig.
	ProblemTLS Problem = "tls"
	// ProblemPassword is a user or a password that Redis does not accept.
	ProblemPassword Problem = "password"
	// ProblemPermission is an ACL that lacks a command or the keys that begin with Config.Prefix.
	ProblemPermission Problem = "permission"
	// ProblemReplica is a replica, which can only be read, or may lose what is written: use its
	// master.
	ProblemReplica Problem = "replica"
	// ProblemCluster is a node of a cluster in Config.Redis: set Config.Cluster instead.
	ProblemCluster Problem = "cluster"
	// ProblemNoCluster is a server in Config.Cluster that is no node of a cluster: set Config.Redis
	// instead.
	ProblemNoCluster Problem = "no_cluster"
	// ProblemClusterDown is a cluster that does not serve all slots.
	ProblemClusterDown Problem = "cluster_down"
	// ProblemSentinel is a Sentinel in Config.Redis: set Config.Sentinel instead.
	ProblemSentinel Problem = "sentinel"
	// ProblemNoSentinel is a server in Config.Sentinel that is not a Sentinel.
	ProblemNoSentinel Problem = "no_sentinel"
	// ProblemSentinelPassword is a user or a password that the Sentinels do not accept.
	ProblemSentinelPassword Problem = "sentinel_password"
	// ProblemMaster is a MasterName that the Sentinels do not know.
	ProblemMaster Problem = "master"
	// ProblemMemory is a server without memory for more keys.
	ProblemMemory Problem = "memory"
	// ProblemOther is anything else. The error has the answer of Redis.
	ProblemOther Problem = "other"
)

// AccessError is the error of [Cache.CheckAccess].
type AccessError struct {
	// Problem is the kind of problem.
	Problem Problem
	// Command is the command that failed, such as SET.
	Command string
	// Err is what go-redis returned, or says what Redis is.
	Err error
}

// Error names the command and what was wrong with it.
func (e *AccessError) Error() string { return fmt.Sprintf("redis: %s: %v", e.Command, e.Err) }

// Unwrap returns Err.
func (e *AccessError) Unwrap() error { return e.Err }

// Errors of CheckAccess that are not answers of Redis.
var (
	errCluster  = errors.New("the server is a node of a cluster")
	errSentinel = errors.New("the server is a Sentinel")
	errReplica  = errors.New("the server is a replica")
	errLost     = errors.New("the server does not have what was set a moment ago")
)

// accessTime is when a key of CheckAccess ends that could not be deleted.
const accessTime = 10 * time.Second

// CheckAccess does once what a Cache does: it sets, reads and deletes a key that begins with
// Config.Prefix and that nothing else uses, runs the script that releases a lock, and scans. Each
// command is limited by Config.Timeout. The error is an [*AccessError], whose Problem says which
// kind of mistake an operator has to correct. For a readiness probe, [Cache.Check] costs less.
func (c *Cache) CheckAccess(ctx context.Context) error {
	token := rand.Text()
	name := c.config.Prefix + "a:" + token
	steps := []accessStep{
		{"HELLO", c.checkRole},
		{"SET", func(ctx context.Context) error {
			return c.client.SetArgs(ctx, name, token, setOnce(accessTime)).Err()
		}},
		{"GETRANGE", func(ctx context.Context) error {
			got, err := c.client.GetRange(ctx, name, 0, maxSealed).Result()
			if err == nil && got != token {
				return errLost
			}
			return err
		}},
		{"EVAL", func(ctx context.Context) error {
			return release.Run(ctx, c.client, []string{name}, token).Err()
		}},
		{"DEL", func(ctx context.Context) error { return c.client.Del(ctx, name).Err() }},
		{"SCAN", func(ctx context.Context) error {
			servers, err := c.servers(ctx)
			for _, server := range servers {
				err = errors.Join(err, server.Scan(ctx, 0, name, 1).Err())
			}
			return err
		}},
	}
	if c.config.Revocations {
		steps = append(steps, c.stepsOfMarks(name)...)
	}
	for _, step := range steps {
		if err := c.do(ctx, "check", step.call); err != nil {
			err = errors.Unwrap(err) // without the prefix of do
			return &AccessError{Problem: c.problem(err), Command: step.command, Err: err}
		}
	}
	return nil
}

// accessStep is one thing that CheckAccess does.
type accessStep struct {
	command string
	call    func(context.Context) error
}

// stepsOfMarks do what ended sessions need, with a stream of this name.
func (c *Cache) stepsOfMarks(name string) []accessStep {
	return []accessStep{
		{"XADD", func(ctx context.Context) error {
			return c.client.XAdd(ctx, &redis.XAddArgs{
				Stream: name, MinID: "1", Approx: true, Values: []string{"0", "1"},
			}).Err()
		}},
		{"PEXPIRE", func(ctx context.Context) error {
			return c.client.PExpire(ctx, name, accessTime).Err()
		}},
		{"XRANGE", func(ctx context.Context) error {
			page, err := c.client.XRangeN(ctx, name, "-", "+", 1).Result()
			if err == nil && len(page) != 1 {
				return errLost
			}
			return err
		}},
		{"DEL", func(ctx context.Context) error { return c.client.Del(ctx, name).Err() }},
	}
}

// setOnce are the options for a key that ends after a time, and is not taken from another.
func setOnce(life time.Duration) redis.SetArgs { return redis.SetArgs{Mode: "NX", TTL: life} }

// checkRole asks the one server what it is. Everybody may ask that, once authenticated. A server
// before Redis 6 does not know the question, and shows what it is by its other answers.
func (c *Cache) checkRole(ctx context.Context) error {
	client, ok := c.client.(*redis.Client)
	if !ok || c.config.Sentinel != nil {
		return nil // clusters and Sentinels have told the client
	}
	reply, err := client.Do(ctx, "HELLO").Result()
	switch fields := helloFields(reply); {
	case err != nil && strings.Contains(err.Error(), "unknown command"):
		return nil
	case err != nil:
		return err
	case fields["mode"] == "cluster":
		return errCluster
	case fields["mode"] == "sentinel":
		return errSentinel
	case fields["role"] == "replica" || fields["role"] == "slave":
		return errReplica
	}
	return nil
}

// helloFields are the texts in an answer to HELLO: a map in RESP3, and a list in RESP2.
func helloFields(reply any) map[string]string {
	fields := map[string]string{}
	set := func(name, value any) {
		field, named := name.(string)
		text, isText := value.(string)
		if named && isText {
			fields[field] = text
		}
	}
	switch reply := reply.(type) {
	case map[any]any:
		for name, value := range reply {
			set(name, value)
		}
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			set(reply[i], reply[i+1])
		}
	}
	return fields
}

// problem tells what an error of CheckAccess means for the operator.
func (c *Cache) problem(err error) Problem {
	switch {
	case errors.Is(err, errCluster):
		return ProblemCluster
	case errors.Is(err, errSentinel):
		return ProblemSentinel
	case errors.Is(err, errReplica):
		return ProblemReplica
	}
	if fromSentinels := strings.Contains(err.Error(), "all sentinels"); fromSentinels {
		return sentinelProblem(err)
	}
	for _, answer := range answers {
		if redis.HasErrorPrefix(err, answer.prefix) {
			return answer.problem
		}
	}
	return connectionProblem(err)
}

// answers are the beginnings of Redis's errors. An ERR in front does not count.
var answers = []struct {
	prefix  string
	problem Problem
}{
	{"NOAUTH", ProblemPassword},
	{"WRONGPASS", ProblemPassword},
	{"AUTH <password> called without any password configured", ProblemPassword},
	{"invalid password", ProblemPassword}, // before Redis 6
	{"NOPERM", ProblemPermission},
	{"READONLY", ProblemReplica},
	{"MOVED", ProblemCluster},
	{"SELECT is not allowed in cluster mode", ProblemCluster},
	{"This instance has cluster support disabled", ProblemNoCluster},
	{"CLUSTERDOWN", ProblemClusterDown},
	{"unknown command 'select'", ProblemSentinel},
	{"unknown command 'SELECT'", ProblemSentinel},
	{"OOM", ProblemMemory},
}

// sentinelProblem tells what it means that no Sentinel has named a master.
func sentinelProblem(err error) Problem {
	text := err.Error()
	switch {
	case errors.Is(err, redis.Nil):
		return ProblemMaster
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "WRONGPASS"),
		strings.Contains(text, "NOPERM"):
		return ProblemSentinelPassword
	case strings.Contains(text, "unknown command"):
		return ProblemNoSentinel
	}
	return connectionProblem(err)
}

// connectionProblem tells apart what is not an answer of Redis.
func connectionProblem(err error) Problem {
	var (
		untrusted *tls.CertificateVerificationError
		plain     tls.RecordHeaderError
		alert     tls.AlertError
		network   net.Error
	)
	switch {
	case errors.As(err, &untrusted), errors.As(err, &plain), errors.As(err, &alert):
		return ProblemTLS
	case errors.Is(err, io.EOF): // what a server does with plain text that wants TLS
		return ProblemTLS
	case errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		return ProblemTimeout
	case errors.As(err, &network):
		return ProblemUnreachable
	}
	return ProblemOther
}
