package idtoken

import "sync"

const (
	maxHeaders      = 100
	maxHeaderLength = 512 // bytes
)

// headers remembers what the headers of verified tokens say. An issuer writes the same header into
// every token that it signs with a key, so most are decoded once.
type headers struct {
	mu    sync.RWMutex
	known map[string]header // by the decoded text
	// types are those of access tokens that an issuer accepts, as in header. Empty: none.
	types []string
}

// header has the parts of a token's header that are used here.
type header struct {
	algorithm, kid string // kid: empty if the token names no key
	// typ is that of an access token, as [typeName] writes it. Empty: it is that of a JWT.
	typ string
}

func (h *headers) find(text string) (header, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found, ok := h.known[text]
	return found, ok
}

// add remembers the header of a token that was verified. If there are too many, it forgets all
// others.
func (h *headers) add(text string, says header) {
	if len(text) > maxHeaderLength {
		return
	}
	if _, known := h.find(text); known {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= maxHeaders {
		h.known = map[string]header{}
	}
	h.known[text] = says
}
