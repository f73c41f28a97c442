package delegationhttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/cors"
)

const (
	anyOrigin = "*"
	// preflightLife is how long a browser may remember a preflight's answer.
	preflightLife = 10 * time.Minute
	headerAllowed = "Access-Control-Allow-Origin"
)

// checkOrigin accepts an origin as browsers serialise it (Fetch Standard §3.2), because it is
// compared as a whole. of is the number of all origins.
func checkOrigin(origin string, of int) error {
	switch {
	case origin == anyOrigin && of > 1:
		return errors.New(`"*" makes the others meaningless: list it alone, or not at all`)
	case origin == anyOrigin:
	case !originForm().MatchString(origin) || usualPort().MatchString(origin):
		return fmt.Errorf("%.200q is not an origin such as https://app.example.com: "+
			"scheme and host in lower case, a port if it is not the usual one, and no path", origin)
	}
	return nil
}

var (
	originForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A[a-z][a-z0-9+.-]*://` +
			`(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])` +
			`(?::[1-9][0-9]{0,4})?\z`)
	})
	usualPort = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A(?:https://.*:443|http://.*:80)\z`)
	})
)

// pageMethods are the methods that a preflight may ask for at every endpoint. The answer to a wrong
// one of them, 405, has the headers of CORS, so that the page can read it.
var pageMethods = []string{http.MethodPost, http.MethodGet, http.MethodHead}

// forPages puts CORS in front of an endpoint: it answers preflights, and adds the headers of CORS
// to every other answer, also to refusals. Cookies and private networks play no part.
func (h *Handlers) forPages(e endpoint, next http.Handler) http.Handler {
	unlessPreflight := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !isPreflight(r):
			next.ServeHTTP(w, r)
		case w.Header().Get(headerAllowed) != "":
			w.WriteHeader(http.StatusNoContent)
		default:
			h.refusePreflight(w, r, e)
		}
	})
	origins := h.config.AllowedOrigins
	if len(origins) == 0 {
		return unlessPreflight // rs/cors would allow every origin
	}
	o := cors.Options{
		AllowedMethods: pageMethods,
		AllowedHeaders: e.headers,
		ExposedHeaders: []string{
			"Retry-After", headerLimit, headerRemaining, headerReset, headerRequestID,
		},
		MaxAge:             int(preflightLife.Seconds()),
		OptionsPassthrough: true,
	}
	if slices.Contains(origins, anyOrigin) {
		o.AllowedOrigins = origins
	} else {
		// The lists of rs/cors ignore case and accept patterns.
		o.AllowOriginFunc = h.isAllowed
	}
	return cors.New(o).Handler(unlessPreflight)
}

// isPreflight reports whether a browser asks what a page may send (Fetch Standard §3.3.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

func (h *Handlers) isAllowed(origin string) bool {
	origins := h.config.AllowedOrigins
	return slices.Contains(origins, origin) || slices.Contains(origins, anyOrigin)
}

// refusePreflight says what the preflight may not have, and logs how to allow it. A browser shows
// its page neither; its developer tools show the status.
func (h *Handlers) refusePreflight(w http.ResponseWriter, r *http.Request, e endpoint) {
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	headers := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ",")
	var said, remedy string
	switch {
	case origin == "":
		said = "the preflight has no Origin"
		remedy = "browsers send it: have proxies pass it on"
	case !h.isAllowed(origin):
		said = "pages of this origin may not call this service: its operator has not listed it"
		remedy = "if its pages may exchange tokens, add it to AllowedOrigins " +
			"(http.allowed_origins in delegation.yaml, --allow-origin of delegation serve)"
	case !slices.Contains(pageMethods, method):
		said = "the method must be " + e.method
		remedy = "correct the page"
	default:
		said = "the headers that a page may send here are " + strings.Join(e.headers, ", ")
		remedy = "correct the page"
	}
	h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "preflight refused",
		slog.String("path", loggedPath(r)),
		slog.String("ip", clientIP(r, h.config.TrustedProxies)),
		slog.String("origin", fmt.Sprintf("%.200s", origin)),
		slog.String("method", fmt.Sprintf("%.40s", method)),
		slog.String("headers", fmt.Sprintf("%.200s", headers)),
		slog.Int("status", http.StatusForbidden),
		slog.String("error", said),
		slog.String("remedy", remedy),
		slog.String("http_request_id", requestID(w)),
	)
	refused := invalid(http.StatusForbidden, "%s", said)
	refused.code = "access_denied"
	refused.recorded = true
	neverCached(w.Header())
	h.refuse(w, r, refused, e.shape)
}
