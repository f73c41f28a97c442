//go:build interop

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer starts a redis-server with those settings, and returns its address when its log has
// the text.
func redisServer(t testing.TB, ready, settings string, arguments ...string) (address string) {
	t.Helper()
	needs(t, "redis-server", "redis-server")
	// PORT is that of the address. A node of a cluster has another one, BUS.
	var free []net.Listener // until both are chosen
	for _, name := range []string{"BUS", "PORT"} {
		listener := must(net.Listen("tcp", "127.0.0.1:0"))
		free = append(free, listener)
		address = listener.Addr().String()
		_, port, _ := net.SplitHostPort(address)
		settings = strings.ReplaceAll(settings, name, port)
	}
	for _, listener := range free {
		listener.Close()
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "redis.conf")
	must(0, os.WriteFile(file, []byte(settings+"\nbind 127.0.0.1\ndir "+folder+"\n"), 0o600))
	command := exec.Command("redis-server", append([]string{file}, arguments...)...)
	output := must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	var said []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), ready) {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return address
		}
		said = append(said, lines.Text())
	}
	t.Fatalf("redis-server did not start: %q", said)
	return ""
}

const (
	redisReady = "Ready to accept connections"
	inMemory   = "port PORT\nsave \"\"\nappendonly no\n"
)

// redisAdmin runs one command as Redis's default user.
func redisAdmin(t testing.TB, address, command string) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	var words []any
	for _, word := range strings.Fields(command) {
		words = append(words, word)
	}
	if err := client.Do(t.Context(), words...).Err(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// clusterOfOne starts a node that has all slots, and returns when it serves them.
func clusterOfOne(t testing.TB, settings string, c *tls.Config) (address string) {
	t.Helper()
	address = redisServer(t, redisReady, settings+"cluster-enabled yes\n"+
		"cluster-port BUS\ncluster-announce-ip 127.0.0.1\n") // which others would have told it
	client := redis.NewClient(&redis.Options{Addr: address, TLSConfig: c})
	defer client.Close()
	must(client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Result())
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ask := time.NewTicker(20 * time.Millisecond)
	defer ask.Stop()
	for {
		text, err := client.ClusterInfo(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "cluster_state:ok") {
			return address
		}
		<-ask.C
	}
}

// TestInterop_CheckTellsRedisApart: check says what is wrong with a real Redis, in keys of the
// configuration, and nothing is wrong after that was done.
func TestInterop_CheckTellsRedisApart(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	pool := w.writeTLS(t, 1)
	w.write(t, "other.txt", "canary other\n")
	plain := redisServer(t, redisReady, inMemory)
	users := redisServer(t, redisReady, inMemory+
		"user narrow on \">"+redisPassword+"\" ~team:* +ping\n"+
		"user ready on \">"+redisPassword+"\" ~team:* +@all\n"+
		"user blind on \">"+redisPassword+"\" ~other:* +@all\n")
	replica := redisServer(t, redisReady, inMemory+
		"replicaof "+strings.ReplaceAll(plain, ":", " ")+"\n")
	full := redisServer(t, redisReady, inMemory+"maxmemory 1\n")
	node := clusterOfOne(t, inMemory, nil)
	sentinel := redisServer(t, "+monitor master", "port PORT\nsentinel monitor credentials "+
		strings.ReplaceAll(plain, ":", " ")+" 1\n", "--sentinel")
	crt, key := filepath.Join(w.folder, "tls.crt"), filepath.Join(w.folder, "tls.key")
	withTLS := "port 0\ntls-port PORT\nsave \"\"\ntls-auth-clients no\ntls-cert-file " + crt +
		"\ntls-key-file " + key + "\ntls-ca-cert-file " + crt + "\n"
	secure := redisServer(t, redisReady, withTLS)
	secureNode := clusterOfOne(t, withTLS+"tls-cluster yes\n", &tls.Config{RootCAs: pool})

	const password = "username: narrow, password_file: password.txt, "
	for name, row := range map[string]struct {
		wrong, want, right string // settings, text, settings
		do                 func()
	}{
		"an ACL of ping alone": {
			wrong: "url: 'redis://" + users + "', " + password,
			want: "NOPERM.*; allow it in Redis: ACL SETUSER narrow ~team:\\* " +
				"\\+getrange \\+set \\+del \\+get \\+eval \\+evalsha \\+scan \\+ping$",
			do: func() {
				redisAdmin(t, users, "ACL SETUSER narrow ~team:* "+
					"+getrange +set +del +get +eval +evalsha +scan +ping")
			},
		},
		"an ACL of other keys": {
			wrong: "url: 'redis://" + users + "/2', username: blind, password_file: password.txt, ",
			want: "NOPERM.*; allow it in Redis: ACL SETUSER blind ~team:\\* " +
				"\\+getrange .* \\+ping \\+select$",
			do: func() {
				redisAdmin(t, users, "ACL SETUSER blind ~team:* "+
					"+getrange +set +del +get +eval +evalsha +scan +ping +select")
			},
		},
		"a wrong password": {
			wrong: "url: 'redis://" + users + "', username: ready, password_file: other.txt, ",
			want:  "WRONGPASS.*; correct redis.username, and what is in redis.password_file or ",
			right: "url: 'redis://" + users + "', username: ready, password_file: password.txt, ",
		},
		"a replica": {
			wrong: "url: 'redis://" + replica + "', ",
			want:  "the server is a replica; name its master in redis.url",
			right: "url: 'redis://" + plain + "', ",
		},
		"no room": {
			wrong: "url: 'redis://" + full + "', ",
			want:  "OOM.*; raise maxmemory in Redis$",
			do:    func() { redisAdmin(t, full, "CONFIG SET maxmemory 100mb") },
		},
		"a node of a cluster": {
			wrong: "url: 'redis://" + node + "', ",
			want:  "the server is a node of a cluster; set redis.cluster: true",
			right: "url: 'redis://" + node + "', cluster: true, ",
		},
		"a database of a node": {
			wrong: "url: 'redis://" + node + "/2', ",
			want:  "SELECT is not allowed in cluster mode; set redis.cluster: true, and no database",
			right: "url: 'redis://" + node + "', cluster: true, ",
		},
		"no cluster": {
			wrong: "url: 'redis://" + plain + "', cluster: true, ",
			want:  "cluster support disabled; remove redis.cluster$",
			right: "url: 'redis://" + plain + "', ",
		},
		"a Sentinel": {
			wrong: "url: 'redis://" + sentinel + "', ",
			want:  "the server is a Sentinel; set redis.sentinel.master to the name of the master",
			right: "url: 'redis://" + sentinel + "', sentinel: {master: credentials}, ",
		},
		"a database of a Sentinel": {
			wrong: "url: 'redis://" + sentinel + "/2', ",
			want:  "unknown command.*; set redis.sentinel.master to the name of the master",
			right: "url: 'redis://" + sentinel + "/2', sentinel: {master: credentials}, ",
		},
		"another master": {
			wrong: "url: 'redis://" + sentinel + "', sentinel: {master: none}, ",
			want:  "; correct redis.sentinel.master: SENTINEL MASTERS lists the names$",
			right: "url: 'redis://" + sentinel + "', sentinel: {master: credentials}, ",
		},
		"no Sentinel": {
			wrong: "url: 'redis://" + plain + "', sentinel: {master: credentials}, ",
			want:  "; name Sentinels in redis.url and redis.addresses, or remove redis.sentinel$",
			right: "url: 'redis://" + plain + "', ",
		},
		"no CA": {
			wrong: "url: 'rediss://" + secure + "', ",
			want:  "certificate.*redis.tls.ca_file must have the CA",
			right: "url: 'rediss://" + secure + "', tls: {ca_file: tls.crt}, ",
		},
		"no CA of a cluster": {
			wrong: "url: 'rediss://" + secureNode + "', cluster: true, ",
			want:  "certificate.*redis.tls.ca_file must have the CA",
			right: "url: 'rediss://" + secureNode + "', cluster: true, tls: {ca_file: tls.crt}, ",
		},
		"another name": {
			wrong: "url: 'rediss://" + secureNode + "', cluster: true, " +
				"tls: {ca_file: tls.crt, server_name: redis.example.com}, ",
			want:  "certificate.*redis.tls.server_name the name in it",
			right: "url: 'rediss://" + secureNode + "', cluster: true, tls: {ca_file: tls.crt}, ",
		},
		"TLS where there is none": {
			wrong: "url: 'rediss://" + plain + "', timeout: 500ms, ", // it waits for more
			want: "; correct redis.url, which begins with redis:// if Redis does not speak TLS, or " +
				"raise redis.timeout$",
			right: "url: 'redis://" + plain + "', ",
		},
		"no TLS where it is needed": {
			wrong: "url: 'redis://" + secure + "', ",
			want:  "; redis.url must begin with rediss:// if Redis speaks TLS",
			right: "url: 'rediss://" + secure + "', tls: {ca_file: tls.crt}, ",
		},
		"no server": {
			wrong: "url: 'redis://127.0.0.1:1', ",
			want:  "connection refused; start Redis, or correct the host and the port in redis.url$",
			right: "url: 'redis://" + plain + "', ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(settings string) (row string) {
				if !strings.Contains(settings, "timeout: ") {
					settings += "timeout: 20s, " // of a busy machine
				}
				file := w.configFile(t, "cache: {shared: true}\nredis: {"+settings+
					"prefix: 'team:', keys: [{id: one, secret_file: one.key}]}\n")
				stdout := newOutput()
				run(t.Context(), []string{"check", "--config", file},
					surroundings{stdout: stdout, stderr: newOutput()})
				for line := range strings.Lines(stdout.String()) {
					if strings.HasPrefix(line, "redis ") {
						return strings.TrimSpace(line)
					}
				}
				t.Fatalf("no row of redis in %s", stdout)
				return ""
			}
			got := check(row.wrong)
			want := regexp.MustCompile(`^redis +FAIL +redis: [A-Z]+: .*` + row.want)
			if !want.MatchString(got) || strings.Contains(got, "canary") {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if row.do != nil {
				row.do()
			}
			if row.right == "" {
				row.right = row.wrong
			}
			if got := check(row.right); !regexp.MustCompile(`^redis +ok$`).MatchString(got) {
				t.Errorf("it was followed, and then: %s", got)
			}
		})
	}
}

// TestInterop_RedisPasswordChanges: a service uses the next password for its next connection, from
// a file and from a command, without a restart.
func TestInterop_RedisPasswordChanges(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	address := redisServer(t, redisReady, inMemory)
	admin := redis.NewClient(&redis.Options{Addr: address})
	defer admin.Close()
	becomes := func(password string) {
		t.Helper()
		w.write(t, "password.txt", password+"\n")
		for _, words := range [][]any{
			{"ACL", "SETUSER", "delegation", "on", "resetpass", ">" + password, "~delegation:*",
				"+getrange", "+set", "+del", "+get", "+eval", "+evalsha", "+scan", "+ping"},
			{"CLIENT", "KILL", "USER", "delegation"}, // new connections, for every call
		} {
			if err := admin.Do(context.Background(), words...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	becomes("canary one")
	startWith := func(password string) *served {
		return serve(t, w.configFile(t, fmt.Sprintf("cache: {shared: true}\nreplay: {store: redis}\n"+
			"redis: {url: 'redis://%s', username: delegation, %s, timeout: 20s, "+
			"keys: [{id: one, secret_file: one.key}]}\n", address, password)))
	}
	file := startWith("password_file: password.txt")
	command := startWith(fmt.Sprintf("password_command: [cat, %q]",
		filepath.Join(w.folder, "password.txt")))
	tokens := 0
	exchange := func(s *served) int {
		t.Helper()
		tokens++
		token := w.token(map[string]any{"jti": fmt.Sprint(tokens)})
		status, _ := post(t, client(nil), s.url+"/delegation", delegationForm(token))
		return status
	}
	for _, s := range []*served{file, command} {
		if status := exchange(s); status != http.StatusOK {
			t.Errorf("at the start: %d", status)
		}
	}
	for _, next := range []string{"canary two", "canary three"} {
		becomes(next)
		if status := exchange(file); status != http.StatusOK {
			t.Errorf("after the change to %q: %d", next, status)
		}
	}
	// The output of the command counts for a minute, so it is the old password still.
	if status := exchange(command); status != http.StatusServiceUnavailable {
		t.Errorf("with the old password: %d", status)
	}
	late := startWith(fmt.Sprintf("password_command: [cat, %q]",
		filepath.Join(w.folder, "password.txt")))
	if status := exchange(late); status != http.StatusOK {
		t.Errorf("with the output of a command: %d", status)
	}
	for _, s := range []*served{file, command, late} {
		s.stop()
		if !strings.Contains(s.logs.String(), `"msg":"Redis answers"`) ||
			strings.Contains(s.logs.String(), "canary") {
			t.Errorf("the log: %s", s.logs)
		}
	}
}
