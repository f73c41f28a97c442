package idtoken_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// A long text is hashed in pieces.
func TestDigest(t *testing.T) {
	for _, size := range []int{0, 1, 2047, 2048, 2049, 4096, 8192, 8193, 100_000} {
		text := strings.Repeat("0123456789a", size/11+1)[:size]
		if got := idtoken.Digest(text); got != sha256.Sum256([]byte(text)) {
			t.Errorf("%d bytes: got %x", size, got)
		}
	}
}

// What identifies a token has nothing of its signature.
func TestSignedDigest(t *testing.T) {
	const signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9"
	if got := idtoken.SignedDigest(signed + ".c2lnbmF0dXJl"); got != sha256.Sum256([]byte(signed)) {
		t.Errorf("got %x", got)
	}
}
