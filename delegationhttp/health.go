package delegationhttp

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/seed055b7978/delegation"
)

// Checker tells whether exchanges can succeed: [delegation.Delegator].
type Checker interface {
	Check(ctx context.Context) []delegation.CheckResult
}

// Live returns the handler of a liveness probe: the process answers.
func Live() http.Handler {
	return readOnly(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, []byte(`{"status":"ok"}`)) })
}

// Ready returns the handler of a readiness probe, from [delegation.Delegator.Check]. If everything works it answers 200 "ok", if something does
// 200 "degraded", and if nothing does 503 "unavailable": one issuer's outage must not take the service from the users of all others. What
// does not work goes to the logger at level Warn and not to the caller. A nil checker, or one without results, is unavailable; a nil logger is silence.
func Ready(checker Checker, logger *slog.Logger) http.Handler {
	return readOnly(func(w http.ResponseWriter, r *http.Request) {
		var results []delegation.CheckResult
		if checker != nil {
			results = checker.Check(r.Context())
		}
		working := 0
		for _, result := range results {
			if result.Err == nil {
				working++
			} else if logger != nil {
				logger.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.String("check", result.Name), slog.String("error", result.Err.Error()))
			}
		}
		switch {
		case working == 0:
			answer(w, http.StatusServiceUnavailable, []byte(`{"status":"unavailable"}`))
		case working < len(results):
			answer(w, http.StatusOK, []byte(`{"status":"degraded"}`))
		default:
			answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
		}
	})
}
