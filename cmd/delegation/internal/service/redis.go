package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

// Redis is the Redis that the replicas of a service share.
type Redis struct {
	*rediscache.Cache

	// URL names the server, without secrets.
	URL string

	// Username is the user of Redis's ACL, empty for Redis's default user.
	Username string

	// Password returns the password for a new connection; nil: there is none.
	Password RedisPassword

	// Prefix is the beginning of all keys.
	Prefix string

	// Database is the number of the database. A cluster has 0.
	Database int

	// Cluster tells whether it is a Redis Cluster.
	Cluster bool

	// Replay tells whether it also stores the marks of used tokens.
	Replay bool

	// Revocations tells whether it also stores the marks of ended sessions.
	Revocations bool
}

// isSame tells whether both use the same client, or neither uses Redis.
func (r *Redis) isSame(other *Redis) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Cache == other.Cache
}

// checkRedis checks that Redis can be used, if its client has changed. At the start Redis may be
// down, but a reload must not replace a Redis that works by one that does not.
func (s *Service) checkRedis(ctx context.Context, before *Service) error {
	if s.Redis == nil || s.Redis.isSame(before.Redis) {
		return nil
	}
	if err := s.Redis.CheckAccess(ctx); err != nil {
		return fmt.Errorf("%w; correct its settings, or reload when it answers", err)
	}
	return nil
}

// RedisError says why Redis cannot be used.
type RedisError struct {
	// Stage is the stage at which exchanges notice the problem. It is the token stage if Redis has
	// the marks of used tokens or ended sessions. Otherwise it is the cache stage, at which no
	// exchange fails.
	Stage delegation.Stage

	// Code is redis_ followed by the problem, such as redis_password.
	Code delegation.Code

	// Remedy says which keys of the configuration to change, or what to change in Redis. Empty: not
	// known.
	Remedy string

	// Err is the cause.
	Err error
}

func (e *RedisError) Error() string {
	if e.Remedy == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "; " + e.Remedy
}

// Unwrap returns the cause.
func (e *RedisError) Unwrap() error { return e.Err }

// CheckAccess checks that Redis allows everything exchanges need. Its error is a *RedisError, or
// nil.
func (r *Redis) CheckAccess(ctx context.Context) error {
	if r.Password != nil {
		// Checked separately: a command may take longer than a call of Redis, and is not run for
		// each connection.
		if _, _, err := r.Password(ctx); err != nil {
			return r.failed(rediscache.ProblemPassword, "", err)
		}
	}
	err := r.Cache.CheckAccess(ctx)
	if err == nil {
		return nil
	}
	problem := rediscache.ProblemOther
	if failed := new(rediscache.AccessError); errors.As(err, &failed) {
		problem = failed.Problem
	}
	return r.failed(problem, r.remedy(problem), err)
}

func (r *Redis) failed(problem rediscache.Problem, remedy string, err error) *RedisError {
	e := &RedisError{
		Stage:  delegation.StageCache,
		Code:   delegation.Code("redis_" + string(problem)),
		Remedy: remedy,
		Err:    err,
	}
	if r.Replay || r.Revocations {
		e.Stage = delegation.StageToken
	}
	return e
}

// remedy says what to change, in the configuration's terms.
func (r *Redis) remedy(problem rediscache.Problem) string {
	if problem == rediscache.ProblemPermission {
		return "allow it in Redis: " + r.permissions()
	}
	return redisRemedies[problem]
}

// permissions returns the command that gives the user the required permissions, as in
// docs/redis.md.
func (r *Redis) permissions() string {
	user := r.Username
	if user == "" {
		user = "default"
	}
	text := fmt.Sprintf("ACL SETUSER %s ~%s* "+
		"+getrange +set +del +get +eval +evalsha +scan +ping", user, r.Prefix)
	if r.Database != 0 {
		text += " +select"
	}
	if r.Revocations {
		text += " +xadd +xrange +pexpire"
	}
	if r.Cluster {
		text += " +cluster|slots"
	}
	return text
}

var redisRemedies = map[rediscache.Problem]string{
	rediscache.ProblemUnreachable: "start Redis, or correct the host and the port in redis.url",
	rediscache.ProblemTimeout: "correct redis.url, which begins with redis:// if Redis does not " +
		"speak TLS, or raise redis.timeout",
	rediscache.ProblemTLS: "redis.url must begin with rediss:// if Redis speaks TLS, and with " +
		"redis:// if not; redis.tls.ca_file must have the CA of Redis's certificate, and " +
		"redis.tls.server_name the name in it",
	rediscache.ProblemPassword: "correct redis.username, and what is in redis.password_file or " +
		"comes from redis.password_command",
	rediscache.ProblemReplica: "name its master in redis.url, or set redis.sentinel.master and " +
		"name Sentinels there",
	rediscache.ProblemCluster:     "set redis.cluster: true, and no database in redis.url",
	rediscache.ProblemNoCluster:   "remove redis.cluster",
	rediscache.ProblemClusterDown: "redis-cli --cluster check tells which slots have no master",
	rediscache.ProblemSentinel:    "set redis.sentinel.master to the name of the master",
	rediscache.ProblemNoSentinel: "name Sentinels in redis.url and redis.addresses, or remove " +
		"redis.sentinel",
	rediscache.ProblemSentinelPassword: "correct redis.sentinel.username and what is in " +
		"redis.sentinel.password_file",
	rediscache.ProblemMaster: "correct redis.sentinel.master: SENTINEL MASTERS lists the names",
	rediscache.ProblemMemory: "raise maxmemory in Redis",
}

// report logs whether Redis can be used. This decides nothing: Redis may come up later, and fail at
// any time.
func (r *Redis) report(ctx context.Context, logger *slog.Logger) {
	err := r.CheckAccess(ctx)
	if err == nil {
		logger.Info("Redis answers", slog.String("url", r.URL))
		return
	}
	message := "Redis cannot be used"
	if unanswered(err) {
		message = "Redis does not answer"
	}
	consequence := "exchanges continue without the shared cache"
	if r.Replay || r.Revocations {
		consequence = "exchanges are refused until it does"
	}
	logger.Warn(message,
		slog.String("url", r.URL),
		slog.String("error", err.Error()),
		slog.String("consequence", consequence))
}

// unanswered tells whether Redis did not answer.
func unanswered(err error) bool {
	var failed *rediscache.AccessError
	return errors.As(err, &failed) && (failed.Problem == rediscache.ProblemUnreachable ||
		failed.Problem == rediscache.ProblemTimeout)
}
