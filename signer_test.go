package delegation_test

import (
	"context"
	"crypto"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
)

// hungSigner is an HSM that does not answer before it is released.
type hungSigner struct {
	crypto.Signer
	calls   atomic.Int32
	release chan struct{}
}

func newHungSigner() *hungSigner {
	return &hungSigner{Signer: signingKey().Signer, release: make(chan struct{})}
}

func (s *hungSigner) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.calls.Add(1)
	<-s.release
	return s.Signer.Sign(random, digest, o)
}

// hungWorld is a world whose signer hangs, and its Delegator.
func hungWorld(
	t *testing.T, test func(t *testing.T, w *bubbleWorld, s *hungSigner, d *delegation.Delegator),
) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		s := newHungSigner()
		w.config.CacheSize = -1
		w.config.IdentityProvider.Keys[0].Signer = s
		test(t, w, s, w.delegator(t))
	})
}

// wantFast wants an exchange to fail with signing_failed without any time passing.
func (w *bubbleWorld) wantFast(t *testing.T, d *delegation.Delegator) {
	t.Helper()
	began := time.Now()
	_, err := d.Exchange(t.Context(), w.day, app)
	e := wantError(t, err, delegation.StageSAML, delegation.CodeSigningFailed)
	if took := time.Since(began); took != 0 || !e.Retryable {
		t.Errorf("it took %s: %v", took, err)
	}
}

// TestSignerHangs_PilesUpNothing: a thousand exchanges at once leave 64 calls of a hanging signer
// behind, and those after them fail at once, until it answers again.
func TestSignerHangs_PilesUpNothing(t *testing.T) {
	hungWorld(t, func(t *testing.T, w *bubbleWorld, s *hungSigner, d *delegation.Delegator) {
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				_, err := d.Exchange(t.Context(), w.day, app)
				wantCode(t, err, delegation.CodeSigningFailed)
			})
		}
		all.Wait()
		if got := s.calls.Load(); got != 64 {
			t.Errorf("the signer was called %d times, want 64", got)
		}
		for range 100 {
			w.wantFast(t, d)
		}
		checks := d.Check(t.Context())
		r := result(t, checks, keyName(signingKey(), entityID))
		wantCode(t, r.Err, delegation.CodeSigningFailed)
		if got := s.calls.Load(); got != 64 {
			t.Errorf("the signer was called %d times, want no more", got)
		}
		close(s.release)
		synctest.Wait()
		if _, err := d.Exchange(t.Context(), w.day, app); err != nil {
			t.Errorf("the signer answers again: %v", err)
		}
	})
}

// TestSignerHangs_OneAfterAnother: sixteen exchanges wait for a hanging signer, and no more.
func TestSignerHangs_OneAfterAnother(t *testing.T) {
	hungWorld(t, func(t *testing.T, w *bubbleWorld, s *hungSigner, d *delegation.Delegator) {
		began := time.Now()
		for range 16 {
			_, err := d.Exchange(t.Context(), w.day, app)
			wantCode(t, err, delegation.CodeSigningFailed)
		}
		if took := time.Since(began); took != 16*30*time.Second {
			t.Errorf("they took %s", took)
		}
		w.wantFast(t, d)
		s.release <- struct{}{} // one comes back, so one may try
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := d.Exchange(ctx, w.day, app)
		wantCode(t, err, delegation.CodeCanceled)
		w.wantFast(t, d) // a caller who left counts too
		if got := s.calls.Load(); got != 17 {
			t.Errorf("the signer was called %d times", got)
		}
		close(s.release)
	})
}

// TestSignerHangs_IsReplaced: a new signer is not held up by what the old one left behind, not even
// for the same certificate. The same signer again is the same.
func TestSignerHangs_IsReplaced(t *testing.T) {
	hungWorld(t, func(t *testing.T, w *bubbleWorld, s *hungSigner, d *delegation.Delegator) {
		for range 16 {
			_, err := d.Exchange(t.Context(), w.day, app)
			wantCode(t, err, delegation.CodeSigningFailed)
		}
		if err := d.SetIdentityProvider(w.config.IdentityProvider); err != nil {
			t.Fatal(err)
		}
		w.wantFast(t, d)
		if err := d.SetIdentityProvider(identity()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exchange(t.Context(), w.day, app); err != nil {
			t.Error(err)
		}
		close(s.release)
	})
}

// wantCode is wantError for goroutines.
func wantCode(t *testing.T, err error, code delegation.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}
