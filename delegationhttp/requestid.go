package delegationhttp

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"sync"
)

// headerRequestID is the header in which proxies send the ID of a request, and in which every
// answer of an exchange repeats it.
const headerRequestID = "X-Request-ID"

// requestIDKey is the same in the form of the keys of an http.Header, where it is found at once.
const requestIDKey = "X-Request-Id"

// requestIDForm has room for the IDs of usual proxies, such as UUIDs, and for nothing that a log or
// a page could read as more than a name.
var requestIDForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z0-9._:/+=@~-]{1,128}\z`)
})

// identified gives each request an ID, in the header of its answer. An ID that the program around
// these handlers has put there is kept. Otherwise it is the one that the nearest trusted proxy
// sends, or else a new one.
func (h *Handlers) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := requestID(w); id == "" || !requestIDForm().MatchString(id) {
			w.Header().Set(requestIDKey, h.newRequestID(r))
		}
		next.ServeHTTP(w, r)
	})
}

// newRequestID returns the ID of a request that has none yet. Without a trusted proxy, or with two
// headers, the caller may have chosen what was sent, so it does not count.
func (h *Handlers) newRequestID(r *http.Request) string {
	sent := r.Header.Values(requestIDKey)
	if h.config.TrustedProxies > 0 && len(sent) == 1 && requestIDForm().MatchString(sent[0]) {
		return sent[0]
	}
	return rand.Text()
}

// requestID returns the ID of the request that is being answered.
func requestID(w http.ResponseWriter) string { return w.Header().Get(requestIDKey) }
