package signer

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

// ParseAWS returns what a URI of AWS KMS says, as text.
func ParseAWS(uri string) (id, region, profile, endpoint string, err error) {
	key, err := parseAWS(uri)
	return key.id, key.region, key.profile, key.endpoint, err
}

// Printable is printable.
func Printable(text string) string { return printable(text) }

// Clean returns a text of the program for a URI without the PINs.
func Clean(uri, text string) string { return newRedactor(uri).clean(text) }

// NotStarted is notStarted.
func NotStarted(err error) *Error { return notStarted(err) }

// Endpoint returns where an opened key of AWS KMS is asked.
func Endpoint(s Signer) string { return s.(*awsSigner).endpoint }

// FoundEndpoint returns where the environment and a URI have a key of AWS KMS asked.
func FoundEndpoint(ctx context.Context, uri string) (string, error) {
	key, err := parseAWS(uri)
	if err != nil {
		return "", err
	}
	found, err := config.LoadDefaultConfig(ctx, config.WithRegion(key.region))
	if err != nil {
		return "", err
	}
	return awsEndpoint(ctx, key, found)
}

// WithPause replaces the pauses between attempts.
func (k Key) WithPause(pause func(context.Context, time.Duration) error) Key {
	k.pause = pause
	return k
}

// WithLimit replaces what bounds an attempt.
func (k Key) WithLimit(limit func(context.Context) (context.Context, context.CancelFunc)) Key {
	k.limit = limit
	return k
}

// WithAfter replaces the clock of a program.
func (k Key) WithAfter(after func(time.Duration) <-chan time.Time) Key {
	k.after = after
	return k
}

// NewProgramLog returns what logs a program's standard error, at the time of a clock.
func NewProgramLog(logger *slog.Logger, now func() time.Time) *programLog {
	l := newProgramLog(logger, "/usr/bin/delegation-signer", redactor{})
	l.now = now
	return l
}

// KillsAfterAnswer tells whether a program is killed whose answer has come when its time is over.
func KillsAfterAnswer() bool {
	p := &process{command: &exec.Cmd{Process: &os.Process{}}, done: make(chan struct{})}
	answered := make(chan struct{})
	close(answered)
	late := make(chan time.Time)
	close(late)
	p.killIfSilent(answered, late)
	return p.cause != nil
}

// The durations of a program's life.
const (
	FirstPause  = firstPause
	LongestWait = longestWait
	Steady      = steady
	EndTimeout  = endTimeout
	LogLines    = logLines
	LogPeriod   = logPeriod
)

// STSAtAWS is stsAtAWS.
func STSAtAWS() []func(*config.LoadOptions) error { return stsAtAWS() }

// SDKCause is sdkCause.
func SDKCause(err error) string { return sdkCause(err) }
