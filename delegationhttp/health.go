package delegationhttp

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// Checker checks whether exchanges can succeed. It is a [delegation.Delegator].
type Checker interface {
	Check(ctx context.Context) []delegation.CheckResult
}

// The bodies of health answers.
const (
	bodyOK          = `{"status":"ok"}`
	bodyDegraded    = `{"status":"degraded"}`
	bodyUnavailable = `{"status":"unavailable"}`
)

// Live returns the handler of a liveness probe. It answers 200 as long as the process answers.
func Live() http.Handler {
	return readOnly(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, []byte(bodyOK))
	})
}

// patience is how long a readiness probe waits. It is less than one second, which is the default
// timeout of a probe in Kubernetes.
const patience = 800 * time.Millisecond

// Ready returns the handler of a readiness probe, from [delegation.Delegator.Check]. It answers 200
// "ok" if everything works, 200 "degraded" if a part works, and 503 "unavailable" if nothing works:
// an outage of one issuer must not make the service unavailable to the users of all others.
//
// A failure with [delegation.CheckResult.Degrades], of a signer or of STS, never makes the service
// unavailable. No other replica would do better, and cached credentials still work. A check without
// an answer after 0.8 seconds has failed.
//
// Failures are logged at level Warn and not told to the caller. A warning of a check is logged when
// it is new. With a nil checker, or one without results, the answer is "unavailable". A nil logger
// discards everything.
func Ready(checker Checker, logger *slog.Logger) http.Handler {
	p := &readiness{checker: checker, logger: logger}
	return readOnly(p.serve)
}

// readiness is a readiness probe.
type readiness struct {
	checker Checker
	logger  *slog.Logger
	// warned holds the last warning of each check. Probes come every few seconds, and a warning
	// about a certificate lasts for weeks.
	warned sync.Map
}

func (p *readiness) serve(w http.ResponseWriter, r *http.Request) {
	working := 0
	failing := 0
	for _, result := range p.results(r.Context()) {
		switch {
		case result.Err != nil:
			failing++
		case !result.Degrades:
			working++
		}
		p.report(r.Context(), result)
	}
	switch {
	case working == 0:
		answer(w, http.StatusServiceUnavailable, []byte(bodyUnavailable))
	case failing > 0:
		answer(w, http.StatusOK, []byte(bodyDegraded))
	default:
		answer(w, http.StatusOK, []byte(bodyOK))
	}
}

func (p *readiness) results(ctx context.Context) []delegation.CheckResult {
	if p.checker == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.checker.Check(ctx)
}

// report logs a failure, and a warning that is new.
func (p *readiness) report(ctx context.Context, result delegation.CheckResult) {
	before, _ := p.warned.Swap(result.Name, result.Warning)
	if p.logger == nil {
		return
	}
	check := slog.String("check", result.Name)
	if result.Err != nil {
		failure := slog.String("error", result.Err.Error())
		p.logger.LogAttrs(ctx, slog.LevelWarn, "not ready", check, failure)
	}
	if result.Warning != "" && before != result.Warning {
		warning := slog.String("warning", result.Warning)
		p.logger.LogAttrs(ctx, slog.LevelWarn, "check", check, warning)
	}
}
