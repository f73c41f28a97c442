package config

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns the logger of the settings, which writes to to. Its remedies name keys of the
// configuration.
func NewLogger(s LogSettings, to io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if s.Level != "" {
		if err := level.UnmarshalText([]byte(s.Level)); err != nil {
			return nil, fmt.Errorf("level is %.40q, not debug, info, warn or error", s.Level)
		}
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: byKeys}
	switch s.Format {
	case "", "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	}
	return nil, fmt.Errorf("format is %.40q, not json or text", s.Format)
}

// byKeys names the configuration's keys in errors, of exchanges and others.
func byKeys(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "error" || a.Key == "warning" {
		a.Value = slog.StringValue(ByKeys(a.Value.Resolve().String()))
	}
	return a
}
