package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// stsCalls keeps what Config.OnSTSCall gets.
type stsCalls struct {
	mu   sync.Mutex
	list []string
}

func (s *stsCalls) add(_ context.Context, call delegation.STSCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf("%s:%s", call.Region, call.Code))
}

// taken returns what came since the last call.
func (s *stsCalls) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.list
	s.list = nil
	return list
}

// TestOnSTSCall_EveryCallOfAnExchange: each region that is asked is one call, also one that does
// not answer. A region at rest is not asked, and Check asks for itself.
func TestOnSTSCall_EveryCallOfAnExchange(t *testing.T) {
	w, _, way := regionalWorld(t)
	calls := new(stsCalls)
	w.config.OnSTSCall = calls.add
	w.config.CacheSize = -1
	d := w.delegator(t)
	exchange := func(want ...string) {
		t.Helper()
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		if got := calls.taken(); !slices.Equal(got, want) {
			t.Errorf("calls %q, want %q", got, want)
		}
	}
	resting := func(want ...bool) {
		t.Helper()
		var got []bool
		for i, region := range d.Regions() {
			if name := []string{frankfurt, dublin}[i]; region.Region != name {
				t.Errorf("region %d is %s, want %s", i, region.Region, name)
			}
			got = append(got, region.Resting)
		}
		if !slices.Equal(got, want) {
			t.Errorf("resting: %v, want %v", got, want)
		}
	}
	exchange(frankfurt + ":")
	resting(false, false)
	way.set(true, frankfurt)
	for range 3 {
		resting(false, false)
		exchange(frankfurt+":sts_unavailable", dublin+":")
	}
	resting(true, false)
	exchange(dublin + ":")
	w.clock.Advance(time.Minute) // a probe is due, and looking at the state does not spend it
	resting(true, false)
	way.set(false, frankfurt)
	exchange(frankfurt + ":")
	resting(false, false)

	d.Check(t.Context())
	if got := calls.taken(); len(got) != 0 {
		t.Errorf("Check reports its own calls: %q", got)
	}
}

// TestOnSTSCall_Panic: what counts calls does not spoil the exchange.
func TestOnSTSCall_Panic(t *testing.T) {
	w, _, _ := regionalWorld(t)
	w.config.OnSTSCall = func(context.Context, delegation.STSCall) { panic("no") }
	if _, err := w.exchange(t, nil); err != nil {
		t.Error(err)
	}
}

// TestOnSTSCall_Took: a call takes as long as the clock says.
func TestOnSTSCall_Took(t *testing.T) {
	w, _, _ := regionalWorld(t)
	var got delegation.STSCall
	w.config.OnSTSCall = func(_ context.Context, call delegation.STSCall) { got = call }
	w.config.STS = stsFunc(func(
		context.Context, *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.clock.Advance(3 * time.Second)
		return nil, nil
	})
	_, err := w.exchange(t, nil)
	want := delegation.STSCall{
		Region: frankfurt,
		Took:   3 * time.Second,
		Code:   delegation.CodeSTSAnswerIncomplete,
	}
	if got != want || !errors.Is(err, want.Code) {
		t.Errorf("got %+v, want %+v; %v", got, want, err)
	}
}

// TestCertificates: signing keys of every identity, and the servers of issuers once these were
// asked. What a rollover replaces is gone.
func TestCertificates(t *testing.T) {
	w := remote(t)
	ends := start.Add(50 * 24 * time.Hour)
	w.config.HTTPClient.Transport = withServerCertificate(direct(w.provider), start, ends)
	d := w.delegator(t)
	signing := func() delegation.CertificateState {
		t.Helper()
		list := d.Certificates()
		if len(list) == 0 || list[len(list)-1].Kind != delegation.CertificateSigning {
			t.Fatalf("got %+v", list)
		}
		return list[len(list)-1]
	}
	before := signing()
	want := w.config.IdentityProvider.Keys[0].Certificate.NotAfter
	if len(before.Name) != 16 || !before.NotAfter.Equal(want) || len(d.Certificates()) != 1 {
		t.Errorf("before the first use: %+v", d.Certificates())
	}
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatal(err)
	}
	server := delegation.CertificateState{
		Kind:     delegation.CertificateIssuer,
		Name:     "issuer.example.com",
		NotAfter: ends,
	}
	if got := d.Certificates(); len(got) != 2 || got[0] != server {
		t.Errorf("after the first use: %+v", got)
	}
	next := w.config.IdentityProvider
	next.Keys = []delegation.SigningKey{delegationtest.NextSigningKey()}
	if err := d.SetIdentityProvider(next); err != nil {
		t.Fatal(err)
	}
	if after := signing(); after.Name == before.Name || len(d.Certificates()) != 2 {
		t.Errorf("after a rollover: %+v", d.Certificates())
	}
}

// TestState_OfNobody: a Delegator that New did not make has no state.
func TestState_OfNobody(t *testing.T) {
	for _, d := range []*delegation.Delegator{nil, {}} {
		if d.Regions() != nil || d.Certificates() != nil {
			t.Errorf("got %v, %v", d.Regions(), d.Certificates())
		}
	}
}

// TestCode_Known: an error of a rule can have a code that is none of ours.
func TestCode_Known(t *testing.T) {
	for name, value := range codes(t, "Code") {
		if !delegation.Code(value).Known() {
			t.Errorf("%s is not known", name)
		}
	}
	if delegation.Code("my_code").Known() || delegation.Code("").Known() {
		t.Error("a foreign code is known")
	}
}
