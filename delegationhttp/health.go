package delegationhttp

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

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

// patience is how long a readiness probe waits: less than the second that Kubernetes gives a probe unless told otherwise.
const patience = 800 * time.Millisecond

// Ready returns the handler of a readiness probe, from [delegation.Delegator.Check]. If everything works it answers 200 "ok", if something does
// 200 "degraded", and if nothing does 503 "unavailable": one issuer's outage must not take the service from the users of all others. What only
// [delegation.CheckResult.Degrades], a signer or STS, never makes it unavailable: no other replica would do better, and credentials that are there already can
// still be had. What has not answered within 0.8 seconds counts as not working. That is logged at level Warn and not told to the caller, and so is each
// warning, when it is new. A nil checker, or one without results, is unavailable; a nil logger is silence.
func Ready(checker Checker, logger *slog.Logger) http.Handler {
	var warned sync.Map // by name of the check: probes come every few seconds, and a certificate's warning lasts for weeks
	return readOnly(func(w http.ResponseWriter, r *http.Request) {
		var results []delegation.CheckResult
		if checker != nil {
			ctx, cancel := context.WithTimeout(r.Context(), patience)
			defer cancel()
			results = checker.Check(ctx)
		}
		working, failing := 0, 0
		for _, result := range results {
			before, _ := warned.Swap(result.Name, result.Warning)
			switch {
			case result.Err != nil:
				failing++
				log(r, logger, "not ready", result.Name, "error", result.Err.Error())
			case !result.Degrades:
				working++
			}
			if result.Warning != "" && before != result.Warning {
				log(r, logger, "check", result.Name, "warning", result.Warning)
			}
		}
		switch {
		case working == 0:
			answer(w, http.StatusServiceUnavailable, []byte(`{"status":"unavailable"}`))
		case failing > 0:
			answer(w, http.StatusOK, []byte(`{"status":"degraded"}`))
		default:
			answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
		}
	})
}

func log(r *http.Request, logger *slog.Logger, message, check, key, value string) {
	if logger != nil {
		logger.LogAttrs(r.Context(), slog.LevelWarn, message, slog.String("check", check), slog.String(key, value))
	}
}
