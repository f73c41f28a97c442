// Package audit writes the audit records of exchanges to a place of their own: a file, or a syslog
// server. A record is one line of JSON with the fields of the log. Nothing is buffered: a write
// that has returned is with the operating system, and with [File.Sync] on the disk.
package audit

import (
	"bytes"
	"context"
	"log/slog"

	"github.com/seed055b7978/delegation"
)

// Sink is a destination of records. It is safe for concurrent use.
type Sink interface {
	// Name is the kind of the sink, for metrics and logs.
	Name() string
	// Open checks whether records can be written, as far as that can be known in advance.
	Open() error
	// write writes one record. It ends with the context where the system allows it.
	write(ctx context.Context, r record) error
	// Close closes the sink. It does not write later records.
	Close() error
}

// record is an audit record that is to be written.
type record struct {
	event delegation.Event // for a revocation, its time and outcome only
	line  []byte           // JSON, without a line end
}

// Record returns a Config.Audit that writes each event to a sink. replace changes its fields
// before, as slog.HandlerOptions.ReplaceAttr does.
func Record(
	to Sink, replace func(groups []string, a slog.Attr) slog.Attr,
) func(context.Context, delegation.Event) error {
	options := withoutLevel(replace)
	return func(ctx context.Context, e delegation.Event) error {
		entry := slog.NewRecord(e.Time.UTC(), slog.LevelInfo, "exchange "+string(e.Outcome), 0)
		entry.AddAttrs(slog.Any("event", e))
		line, err := lineOf(ctx, entry, options)
		if err != nil {
			return err
		}
		return to.write(ctx, record{event: e, line: line})
	}
}

// RecordRevocation returns a function that records each call that ends sessions, as Record does for
// exchanges.
func RecordRevocation(
	to Sink, replace func(groups []string, a slog.Attr) slog.Attr,
) func(context.Context, delegation.RevocationEvent) error {
	options := withoutLevel(replace)
	return func(ctx context.Context, e delegation.RevocationEvent) error {
		message := "sessions ended"
		if e.Outcome != delegation.OutcomeAllowed {
			message = "sessions not ended"
		}
		entry := slog.NewRecord(e.Time.UTC(), slog.LevelInfo, message, 0)
		entry.AddAttrs(slog.Any("revocation", e))
		line, err := lineOf(ctx, entry, options)
		if err != nil {
			return err
		}
		of := delegation.Event{Time: e.Time, Outcome: e.Outcome}
		return to.write(ctx, record{event: of, line: line})
	}
}

// withoutLevel returns the options of a record. It leaves out the level, because the outcome says
// more.
func withoutLevel(replace func(groups []string, a slog.Attr) slog.Attr) *slog.HandlerOptions {
	return &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return replace(groups, a)
		},
	}
}

// lineOf returns an entry as the log writes it, but without the level.
func lineOf(
	ctx context.Context, entry slog.Record, options *slog.HandlerOptions,
) ([]byte, error) {
	var line bytes.Buffer
	if err := slog.NewJSONHandler(&line, options).Handle(ctx, entry); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), nil
}

// turn admits one caller at a time. A caller that waits can give up.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the caller's turn.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) giveBack() { <-t }
