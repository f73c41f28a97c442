package delegation_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
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

// contextSigner is a KMS that hangs until its caller's context ends.
type contextSigner struct {
	crypto.Signer
	calls atomic.Int32
	hangs atomic.Bool
}

func (s *contextSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("called without a context")
}

func (s *contextSigner) SignContext(
	ctx context.Context, random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	s.calls.Add(1)
	if s.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Signer.Sign(random, digest, opts)
}

// TestContextSigner_LeavesNothingBehind: a signer that is told when its caller leaves never counts
// as stuck, however many have left. Exchange and Check call it with a context.
func TestContextSigner_LeavesNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T, w *bubbleWorld) {
		s := &contextSigner{Signer: signingKey().Signer}
		w.config.CacheSize = -1
		w.config.IdentityProvider.Keys[0].Signer = s
		d := w.delegator(t)
		s.hangs.Store(true)
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				_, err := d.Exchange(t.Context(), w.day, app)
				wantCode(t, err, delegation.CodeSigningFailed)
			})
		}
		all.Wait()
		synctest.Wait()
		if got := s.calls.Load(); got != 40 {
			t.Errorf("the signer was called %d times", got)
		}
		r := result(t, d.Check(t.Context()), keyName(signingKey(), entityID))
		wantCode(t, r.Err, delegation.CodeSigningFailed)
		s.hangs.Store(false)
		if _, err := d.Exchange(t.Context(), w.day, app); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		r = result(t, d.Check(t.Context()), keyName(signingKey(), entityID))
		if r.Err != nil {
			t.Error(r.Err)
		}
	})
}

// TestSigner_SaysItsCode: a signer's error decides between the codes of a signer, in an exchange
// and in a check, and no other code gets through.
func TestSigner_SaysItsCode(t *testing.T) {
	for _, row := range []struct {
		says, want delegation.Code
		retryable  bool
	}{
		{delegation.CodeSignerThrottled, delegation.CodeSignerThrottled, true},
		{delegation.CodeSignerRefused, delegation.CodeSignerRefused, false},
		{delegation.CodeTokenExpired, delegation.CodeSigningFailed, true},
	} {
		t.Run(string(row.says), func(t *testing.T) {
			w := newWorld(t)
			w.signWith(signer(func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
				return nil, fmt.Errorf("the KMS says no: %w", row.says)
			}))
			d := w.delegator(t)
			_, err := d.Exchange(t.Context(), w.token(nil), app)
			e := wantError(t, err, delegation.StageSAML, row.want)
			if e.Retryable != row.retryable {
				t.Errorf("retryable: %t", e.Retryable)
			}
			r := result(t, d.Check(t.Context()), keyName(signingKey(), entityID))
			wantError(t, r.Err, delegation.StageSAML, row.want)
		})
	}
}

// wantCode is wantError for goroutines.
func wantCode(t *testing.T, err error, code delegation.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}
