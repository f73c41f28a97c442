package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// RedisPassword returns a user and the password for a new connection to Redis.
type RedisPassword = func(context.Context) (username, password string, err error)

// PasswordFile returns the password that the file contains when a connection is made. An empty file
// is an error, because a connection without a password would belong to another user.
func PasswordFile(username, file string) RedisPassword {
	return func(context.Context) (string, string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", "", fmt.Errorf("redis.password_file: %w", err)
		}
		password := strings.TrimRight(string(text), "\r\n")
		if password == "" {
			return "", "", fmt.Errorf("redis.password_file: %s is empty", file)
		}
		return username, password, nil
	}
}

const (
	// passwordFresh is how long the output of a command is used before it is run again. Tokens for
	// IAM authentication of ElastiCache and MemoryDB live for 15 minutes.
	passwordFresh = time.Minute
	// passwordUsable is how long the output is used while the next run is under way.
	passwordUsable = 10 * time.Minute
	// passwordRun limits one run of the command.
	passwordRun = 30 * time.Second
	// maxPassword limits the command's output, in bytes.
	maxPassword = 64 << 10
)

// PasswordCommand returns the output of a command, without the end of its last line. The command is
// run without a shell, when a connection is made and the last output is older than a minute. While
// it runs, connections use the last output for up to 10 minutes, and wait after that. No error
// contains the command's output, because it may be a secret.
func PasswordCommand(username string, command []string, now func() time.Time) RedisPassword {
	p := &commandPassword{username: username, command: command, now: now}
	return p.get
}

// commandPassword is the output of a command.
type commandPassword struct {
	username string
	command  []string
	now      func() time.Time

	mu       sync.Mutex
	password string // empty before the first run
	made     time.Time
	running  *passwordAttempt // nil: none
}

// passwordAttempt is one run of the command. Its other fields are valid once done is closed.
type passwordAttempt struct {
	done     chan struct{}
	password string
	err      error
}

func (p *commandPassword) get(ctx context.Context) (username, password string, err error) {
	password, attempt := p.lastOrNext()
	if attempt == nil {
		return p.username, password, nil
	}
	select {
	case <-attempt.done:
		return p.username, attempt.password, attempt.err
	case <-ctx.Done():
		return "", "", fmt.Errorf("redis.password_command has not ended: %w", ctx.Err())
	}
}

// lastOrNext returns the last output, or the run to wait for. It starts a run if the last output is
// not fresh.
func (p *commandPassword) lastOrNext() (string, *passwordAttempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := p.now().Sub(p.made)
	if p.password != "" && age < passwordFresh {
		return p.password, nil
	}
	if p.running == nil {
		p.running = &passwordAttempt{done: make(chan struct{})}
		go p.run(p.running)
	}
	if p.password != "" && age < passwordUsable {
		return p.password, nil
	}
	return "", p.running
}

// run runs the command. It is not canceled with the call that started it, because others wait for
// it too.
func (p *commandPassword) run(attempt *passwordAttempt) {
	began := p.now()
	attempt.password, attempt.err = output(p.command)
	p.mu.Lock()
	defer p.mu.Unlock()
	if attempt.err == nil {
		p.password = attempt.password
		p.made = began
	}
	p.running = nil
	close(attempt.done)
}

// output runs a command, and returns what it writes to standard output.
func output(command []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), passwordRun)
	defer cancel()
	var written limitedBuffer
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdout = &written
	c.WaitDelay = time.Second // for children that keep standard output open
	err := c.Run()
	if written.full {
		const tooMuch = "redis.password_command has written more than %d bytes to standard output"
		return "", fmt.Errorf(tooMuch, maxPassword)
	}
	if err != nil {
		return "", fmt.Errorf("redis.password_command: %w (run it as the user of the service to "+
			"see what it says)", err)
	}
	password := strings.TrimRight(written.String(), "\r\n")
	if password == "" {
		return "", errors.New("redis.password_command has written nothing to standard output")
	}
	return password, nil
}

// limitedBuffer is a buffer that holds at most a password.
type limitedBuffer struct {
	strings.Builder
	full bool
}

func (b *limitedBuffer) Write(text []byte) (int, error) {
	if b.Len()+len(text) > maxPassword {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.Builder.Write(text)
}
