package delegation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// warningAuditFailed is the warning of an Event that Config.Audit could not record.
const warningAuditFailed = "audit_failed"

// audited has Config.Audit record how an exchange ended. It returns the event for all other
// receivers, without Took, and the exchange's error: another one if credentials may not leave
// without a record.
func (d *Delegator) audited(ctx context.Context, r *record, err error) (Event, error) {
	event := r.ended(err)
	if d.config.Audit == nil {
		return event, err
	}
	recorded := r.ended(err) // of its own: a call that was abandoned may still read it
	recorded.Took = r.took.byStage()
	failure := d.audit(ctx, recorded)
	r.lap(StageAudit)
	if failure == nil {
		return event, err
	}
	d.config.Logger.LogAttrs(ctx, slog.LevelError, "audit record lost",
		slog.String("error", failure.Error()),
		slog.String("http_request_id", event.HTTPRequestID))
	if err == nil && !d.config.AuditOptional {
		err = newError(CodeAuditFailed, "the exchange could not be recorded: %w", failure)
	}
	event = r.ended(err)
	event.Warnings = append(event.Warnings, warningAuditFailed)
	return event, err
}

// audit calls Config.Audit. A caller who leaves does not end it, because AWS may have issued
// credentials for them.
func (d *Delegator) audit(ctx context.Context, event Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.config.AuditTimeout)
	defer cancel()
	err := d.audits.CallWithin(ctx, "audit", func() error { return d.config.Audit(ctx, event) })
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the record was not stored within %s: %w", d.config.AuditTimeout, err)
	}
	return err
}
