package config

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// NewLogger returns the logger of the settings, which writes to to. Its remedies name keys of the
// configuration.
func NewLogger(s LogSettings, to io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if s.Level != "" {
		if err := level.UnmarshalText([]byte(s.Level)); err != nil {
			return nil, fmt.Errorf("level is %.40q: use debug, info, warn or error", s.Level)
		}
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Format {
	case "", "json":
		return slog.New(keyNaming{slog.NewJSONHandler(to, options)}), nil
	case "text":
		return slog.New(keyNaming{slog.NewTextHandler(to, options)}), nil
	}
	return nil, fmt.Errorf("format is %.40q: use json or text", s.Format)
}

// keyNaming is a handler that names the configuration's keys in errors. Most records have no error,
// and are passed on unchanged. HandlerOptions.ReplaceAttr would be called for each attribute of
// these.
type keyNaming struct {
	slog.Handler
}

// Handle implements slog.Handler.
func (h keyNaming) Handle(ctx context.Context, r slog.Record) error {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = hasError(a)
		return !found
	})
	if !found {
		return h.Handler.Handle(ctx, r)
	}
	named := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		named.AddAttrs(withKeys(a))
		return true
	})
	return h.Handler.Handle(ctx, named)
}

// WithAttrs implements slog.Handler.
func (h keyNaming) WithAttrs(attrs []slog.Attr) slog.Handler {
	return keyNaming{h.Handler.WithAttrs(allWithKeys(attrs))}
}

// WithGroup implements slog.Handler.
func (h keyNaming) WithGroup(name string) slog.Handler {
	return keyNaming{h.Handler.WithGroup(name)}
}

// hasError tells whether an attribute is an error or contains one. A value that is made only when
// it is logged may contain one.
func hasError(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindLogValuer:
		return true
	case slog.KindGroup:
		return slices.ContainsFunc(a.Value.Group(), hasError)
	}
	return isError(a.Key)
}

// withKeys names the configuration's keys in the errors of an attribute.
func withKeys(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindGroup {
		a.Value = slog.GroupValue(allWithKeys(a.Value.Group())...)
		return a
	}
	return byKeys(nil, a)
}

func allWithKeys(attrs []slog.Attr) []slog.Attr {
	named := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		named = append(named, withKeys(a))
	}
	return named
}

// byKeys names the configuration's keys in the errors of exchanges and others. It is a
// slog.HandlerOptions.ReplaceAttr.
func byKeys(_ []string, a slog.Attr) slog.Attr {
	if isError(a.Key) {
		a.Value = slog.StringValue(ByKeys(a.Value.Resolve().String()))
	}
	return a
}

func isError(key string) bool { return key == "error" || key == "warning" }
