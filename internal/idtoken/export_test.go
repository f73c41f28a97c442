package idtoken

import (
	"crypto/ed25519"
	"crypto/sha256"
)

// Lookalike returns the one of the names that a text becomes by case folding, and is not.
func Lookalike(text string, list ...string) (name string, ok bool) {
	return namesOf(list...).lookalike(text)
}

// Remembered returns how many tokens a verifier remembers, and the bytes that they are said to
// take.
func Remembered(v *Verifier) (tokens, size int) {
	v.memo.mu.Lock()
	defer v.memo.mu.Unlock()
	return len(v.memo.entries), v.memo.size
}

// Remembers tells whether a verifier remembers a token. It does not count as a use.
func Remembers(v *Verifier, raw string) bool {
	v.memo.mu.Lock()
	defer v.memo.mu.Unlock()
	_, ok := v.memo.entries[sha256.Sum256([]byte(raw))]
	return ok
}

// Headers returns how many headers a verifier remembers.
func Headers(v *Verifier) int {
	v.headers.mu.RLock()
	defer v.headers.mu.RUnlock()
	return len(v.headers.known)
}

// VerifyWithoutID verifies a forged token with a key that has no ID.
func VerifyWithoutID() error {
	t := &compactJWS{raw: "e30.e30.AAAA", signature: []byte{1}, content: content{
		header: header{algorithm: "EdDSA"},
	}}
	return t.verifyWith(key{material: make(ed25519.PublicKey, ed25519.PublicKeySize)})
}
