package samldoc_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"testing"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

// TestWrite_ContextHasEnded: no signer is called for a caller that has left.
func TestWrite_ContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, signer := range map[string]crypto.Signer{
		"a key in memory":         small().signer,
		"a signer that may hang":  struct{ crypto.Signer }{small().signer},
		"a blank for a signature": samldoc.BlankSigner{Key: small().signer.Public()},
	} {
		r := plainResponse(small(), 0)
		r.Signer = signer
		encoded, id, err := r.Write(ctx, start, rand.Reader)
		if err != context.Canceled || encoded != "" || id != "" {
			t.Errorf("%s: got %q, %q, %v", name, encoded, id, err)
		}
	}
}
