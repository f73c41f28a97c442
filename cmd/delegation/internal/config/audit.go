package config

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

// AuditSettings say where audit records go apart from the log, and what happens without one.
type AuditSettings struct {
	File      string         `yaml:"file"`
	Sync      bool           `yaml:"sync"`
	Syslog    SyslogSettings `yaml:"syslog"`
	Timeout   string         `yaml:"timeout"`
	OnFailure string         `yaml:"on_failure"`
}

// SyslogSettings is a syslog server that takes RFC 5424.
type SyslogSettings struct {
	Address  string `yaml:"address"`
	Facility string `yaml:"facility"`
	CAFile   string `yaml:"ca_file"`
}

// Audit configures how exchanges are recorded, and returns the sink; nil: records go to the log
// only. It opens nothing.
func (b *Builder) Audit(s AuditSettings, c *delegation.Config) audit.Sink {
	if reflect.ValueOf(s).IsZero() {
		return nil
	}
	c.AuditTimeout = b.Duration("audit.timeout", s.Timeout)
	sink := b.auditSink(s, cmp.Or(c.AuditTimeout, defaultAuditTimeout))
	switch s.OnFailure {
	case "refuse":
		b.requireReceipt(sink)
	case "continue":
		c.AuditOptional = true
	case "":
		b.Wrong("audit.on_failure", errors.New("is missing: set refuse to send no "+
			"credentials without their record, or continue to send them"))
	default:
		b.Wrong("audit.on_failure", fmt.Errorf("is %.40q: set refuse or continue", s.OnFailure))
	}
	if sink != nil {
		c.Audit = audit.Record(sink, byKeys)
	}
	return sink
}

// countLostRecords counts each exchange whose record was lost.
func (b *Builder) countLostRecords(sink audit.Sink, c *delegation.Config) {
	count := b.hooks.OnAuditFailure
	if sink == nil || count == nil {
		return
	}
	onEvent := c.OnEvent
	c.OnEvent = func(ctx context.Context, e delegation.Event) {
		if slices.Contains(e.Warnings, "audit_failed") {
			count(ctx, sink.Name())
		}
		if onEvent != nil {
			onEvent(ctx, e)
		}
	}
}

// recordRevocations records each call that ends sessions. The call has already taken effect, even
// if its record is lost.
func (b *Builder) recordRevocations(sink audit.Sink, c *delegation.Config) {
	if sink == nil {
		return
	}
	record := audit.RecordRevocation(sink, byKeys)
	count := b.hooks.OnAuditFailure
	onRevocation := c.OnRevocation
	timeout := cmp.Or(c.AuditTimeout, defaultAuditTimeout)
	c.OnRevocation = func(ctx context.Context, e delegation.RevocationEvent) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		if err := record(limited, e); err != nil {
			b.logger.Error("audit record lost", slog.String("error", err.Error()),
				slog.String("http_request_id", e.HTTPRequestID))
			if count != nil {
				count(ctx, sink.Name())
			}
		}
		if onRevocation != nil {
			onRevocation(ctx, e)
		}
	}
}

// defaultAuditTimeout is the default of delegation.Config.AuditTimeout.
const defaultAuditTimeout = 5 * time.Second

// requireReceipt refuses a sink that can lose any record without an error, because no exchange
// could then be refused. docs/audit.md says what the others can lose.
func (b *Builder) requireReceipt(sink audit.Sink) {
	if syslog, ok := sink.(*audit.Syslog); ok && syslog.IsLossy() {
		b.Wrong("audit.on_failure", errors.New("cannot be refuse with udp://, which reports no "+
			"lost record: use tcp:// or tls:// in audit.syslog.address, or set continue"))
	}
}

func (b *Builder) auditSink(s AuditSettings, timeout time.Duration) audit.Sink {
	hasSyslog := s.Syslog != (SyslogSettings{})
	switch {
	case s.File != "" && hasSyslog:
		b.Wrong("audit", errors.New("has file and syslog: remove one of them"))
		return nil
	case s.File == "" && s.Sync:
		b.Wrong("audit.sync",
			errors.New("has no effect without audit.file: set that too, or remove sync"))
		return nil
	case s.File != "":
		return audit.NewFile(b.from.resolve(s.File), s.Sync)
	case hasSyslog:
		return b.syslog(s.Syslog, audit.SyslogOptions{
			Timeout:      timeout,
			Acknowledged: s.OnFailure == "refuse",
		})
	}
	b.Wrong("audit", errors.New("has neither file nor syslog.address: set one of them"))
	return nil
}

func (b *Builder) syslog(s SyslogSettings, o audit.SyslogOptions) audit.Sink {
	o.Facility = s.Facility
	if s.CAFile != "" {
		before := len(b.problems)
		o.Trusted = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		found := o.Trusted.RootCAs.AppendCertsFromPEM(b.file("audit.syslog.ca_file", s.CAFile))
		if !found && len(b.problems) == before {
			b.Wrong("audit.syslog.ca_file",
				errors.New("contains no certificate in PEM: name a file with the CA's certificate"))
		}
	}
	sink, err := audit.NewSyslog(s.Address, o)
	if err != nil {
		b.Wrong("audit.syslog", err)
		return nil
	}
	return sink
}
