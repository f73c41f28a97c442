package delegation_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
)

// signedBy is the certificate in the response that was sent to STS.
func signedBy(in *sts.AssumeRoleWithSAMLInput) string {
	text := responseOf(in).FindElement("//ds:X509Certificate").Text()
	return strings.Join(strings.Fields(text), "")
}

// TestRollover_WithoutAnOutage follows docs/key-rollover.md with one Delegator, while exchanges
// run: AWS trusts {old}, {old, new}, {new}.
func TestRollover_WithoutAnOutage(t *testing.T) {
	t.Parallel()
	w, fake := strictWorld(t)
	before, after := signingKey(), nextKey()
	d, token := w.delegator(t), w.token(nil)
	set := func(keys ...delegation.SigningKey) {
		t.Helper()
		err := d.SetIdentityProvider(delegation.IdentityProvider{EntityID: entityID, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func() { // as an operator does: IAM gets what the service shows
		t.Helper()
		if err := fake.PutSAMLProvider(principal, must(d.Metadata())); err != nil {
			t.Fatal(err)
		}
	}

	const clients = 8
	var exchanges, failures atomic.Int64
	stop, finished := make(chan struct{}), make([]chan struct{}, clients)
	var running sync.WaitGroup
	for i := range clients {
		finished[i] = make(chan struct{})
		running.Go(func() {
			for {
				_, err := d.Exchange(t.Context(), token, app)
				if exchanges.Add(1); err != nil {
					failures.Add(1)
					t.Error(err)
				}
				select {
				case finished[i] <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	// wait lets every client finish the exchange that is under way, and some more: an operator
	// waits for the five minutes of an assertion.
	wait := func() {
		for range 6 {
			for _, f := range finished {
				<-f
			}
		}
	}
	wait()
	set(before, after)
	wait()
	publish()
	wait()
	set(after, before)
	wait()
	set(after)
	wait()
	publish()
	wait()
	close(stop)
	running.Wait()
	t.Logf("%d exchanges, %d failures", exchanges.Load(), failures.Load())
	if failures.Load() > 0 || exchanges.Load() < 6*6*clients {
		t.Errorf("%d of %d exchanges failed", failures.Load(), exchanges.Load())
	}

	// So the test can fail: the key that was retired is one that AWS refuses now.
	set(before, after)
	_, err := d.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSSignature)
}

// TestSetIdentityProvider: what is set counts from then on, for the configuration's identity and
// for targets that have it.
func TestSetIdentityProvider(t *testing.T) {
	w := newWorld(t)
	own := delegation.IdentityProvider{
		EntityID: "urn:own.example.com",
		Keys:     []delegation.SigningKey{signingKey()},
	}
	target := w.config.Targets.(delegation.Targets)[app]
	other := target
	other.Identity, other.Audiences = &own, []string{app}
	w.config.Targets = delegation.Targets{app: target, "other": other}
	d := w.delegator(t)
	key := func(target string) string {
		t.Helper()
		e, err := d.Explain(t.Context(), w.token(nil), target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exchange(t.Context(), w.token(nil), target); err != nil {
			t.Fatal(err)
		}
		issuer := responseOf(w.last()).FindElement("//saml:Assertion/saml:Issuer").Text()
		if issuer != e.EntityID {
			t.Errorf("%s: sent %s, explained %s", target, issuer, e.EntityID)
		}
		return e.EntityID + " " + signedBy(w.last())
	}
	initial := []string{key(app), key("other")}
	keys := []delegation.SigningKey{nextKey(), signingKey()}
	err := d.SetIdentityProvider(delegation.IdentityProvider{EntityID: own.EntityID, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	keys[0] = delegation.SigningKey{} // it was copied
	changed := key("other")
	got := key(app)
	if got != initial[0] || changed == initial[1] || !strings.HasPrefix(changed, own.EntityID) {
		t.Error("the keys of one identity are not those of the other")
	}
	result(t, d.Check(t.Context()), keyName(nextKey(), own.EntityID))
	metadata := func() []byte { return must(d.Metadata()) }
	if first := must(identity().Metadata()); !bytes.Equal(metadata(), first) {
		t.Errorf("got %s", metadata())
	}
	next := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{nextKey(), signingKey()},
	}
	if err := d.SetIdentityProvider(next); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(metadata(), must(next.Metadata())) || key(app) == initial[0] ||
		key("other") != changed {
		t.Error("the configuration's identity did not change, or another one did")
	}

	// A refusal changes nothing.
	for name, bad := range map[string]delegation.IdentityProvider{
		"zero":   {},
		"no key": {EntityID: entityID},
		"an unknown identity": {
			EntityID: entityID + "/",
			Keys:     []delegation.SigningKey{signingKey()},
		},
		"a key of another": {
			EntityID: entityID,
			Keys: []delegation.SigningKey{{
				Signer:      signingKey().Signer,
				Certificate: nextKey().Certificate,
			}},
		},
		"eleven keys": {EntityID: entityID, Keys: make([]delegation.SigningKey, 11)},
		"an empty key behind": {
			EntityID: entityID,
			Keys:     []delegation.SigningKey{signingKey(), {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, d.SetIdentityProvider(bad), delegation.StageConfig,
				delegation.CodeConfigInvalid)
			if !bytes.Equal(metadata(), must(next.Metadata())) || key("other") != changed {
				t.Error("it has changed nevertheless")
			}
		})
	}
}

// TestSetIdentityProvider_DatabaseTargets: their source says what they sign with, and is asked at
// every exchange.
func TestSetIdentityProvider_DatabaseTargets(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	own := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{signingKey()},
	}
	w.config.Targets = source(func(_ context.Context, name string) (*delegation.Target, error) {
		found := target
		found.Audiences = []string{app}
		if name == "own" {
			found.Identity = &own
		}
		return &found, nil
	})
	d := w.delegator(t)
	key := func(name string) string {
		t.Helper()
		if _, err := d.Exchange(t.Context(), w.token(nil), name); err != nil {
			t.Fatal(err)
		}
		return signedBy(w.last())
	}
	first := key("own")
	err := d.SetIdentityProvider(delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{nextKey()},
	})
	if err != nil {
		t.Fatal(err)
	}
	second := key(app)
	if key("own") != first || second == first {
		t.Error("the source's identity was replaced, or the configuration's was not")
	}
	own.Keys = []delegation.SigningKey{nextKey()}
	if key("own") != second {
		t.Error("the source's identity is an old one")
	}
	own.EntityID = "urn:elsewhere"
	wantError(t, d.SetIdentityProvider(own), delegation.StageConfig, delegation.CodeConfigInvalid)
}

func TestRollover_NilAndZero(t *testing.T) {
	for _, d := range []*delegation.Delegator{nil, new(delegation.Delegator)} {
		wantError(t, d.SetIdentityProvider(identity()), delegation.StageConfig,
			delegation.CodeArgumentInvalid)
		document, err := d.Metadata()
		if wantError(t, err, delegation.StageConfig,
			delegation.CodeArgumentInvalid); document != nil {
			t.Errorf("got %s", document)
		}
	}
}

// TestSetIdentityProvider_Concurrent: every response is signed by one of the two, whole.
func TestSetIdentityProvider_Concurrent(t *testing.T) {
	w, fake := strictWorld(t)
	both := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{signingKey(), nextKey()},
	}
	if err := fake.PutSAMLProvider(principal, must(both.Metadata())); err != nil {
		t.Fatal(err)
	}
	d, token := w.delegator(t), w.token(nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 10 {
				_, exchanged := d.Exchange(t.Context(), token, app)
				set := d.SetIdentityProvider(delegation.IdentityProvider{
					EntityID: entityID,
					Keys:     []delegation.SigningKey{both.Keys[(i+n)%2]},
				})
				_, explained := d.Explain(t.Context(), token, app)
				_, written := d.Metadata()
				if err := errors.Join(exchanged, set, explained, written); err != nil {
					t.Error(err)
				}
				d.Check(t.Context())
			}
		})
	}
	all.Wait()
}
