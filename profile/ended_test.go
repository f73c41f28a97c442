package profile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/profile"
)

// marks is a store of ended sessions that several processes share.
type marks struct {
	delegation.ReplayStore // not used without logout tokens

	mu  sync.Mutex
	all []delegation.RevocationMark
}

func (m *marks) AddRevocations(_ context.Context, marks []delegation.RevocationMark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, marks...)
	return nil
}

func (m *marks) RevocationsSince(
	_ context.Context, position string,
) ([]delegation.RevocationMark, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, _ := strconv.Atoi(position)
	return slices.Clone(m.all[from:]), strconv.Itoa(len(m.all)), nil
}

// TestLoad_EndedElsewhere: when a process ends the sessions of a user, no process that shares its
// marks decides by the profile that it loaded before. Profiles of others are kept.
func TestLoad_EndedElsewhere(t *testing.T) {
	store := &marks{}
	p := newPlace(t)
	replica := func() *delegationtest.Delegator {
		d := delegationtest.New(t, func(c *delegation.Config) {
			p.config.Issuers = []string{c.Issuers[0].URL}
			p.config.Now = c.Now
			c.Profile = p.loader(t).Load
			c.Revocations = delegation.NewRevocations(store, 0)
			c.Rules = append(c.Rules, func(
				_ context.Context, user *delegation.User, _ *delegation.RuleContext,
			) error {
				if user.Properties["blocked"] == true {
					return delegation.Deny("you are blocked")
				}
				return nil
			})
		})
		p.config.Now = nil
		return d
	}
	one := replica()
	two := replica()
	exchange := func(what, subject string, want delegation.Code, asked int32) {
		t.Helper()
		token := two.Token(map[string]any{"sub": subject})
		_, err := two.Exchange(t.Context(), token, delegationtest.Target)
		if want == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if want != "" {
			wantCode(t, what, err, want)
		}
		p.wantAsked(t, what, asked)
	}
	p.says(http.StatusOK, `{"blocked": false}`)
	exchange("alice before", "alice", "", 1)
	exchange("bob before", "bob", "", 1)
	p.says(http.StatusOK, `{"blocked": true}`)
	exchange("alice, whose profile is kept", "alice", "", 0)

	err := one.Revoke(t.Context(), delegation.Revocation{
		Subject:      "alice",
		IssuedBefore: one.Clock.Now().Add(-time.Hour), // her tokens remain valid
	})
	if err != nil {
		t.Fatal(err)
	}
	one.Clock.Advance(5 * time.Second)
	two.Clock.Advance(5 * time.Second)
	exchange("alice after", "alice", delegation.CodeDenied, 1)
	exchange("alice, whose new profile is kept", "alice", delegation.CodeDenied, 0)
	exchange("bob after", "bob", "", 0)
}

// TestLoad_EndedStale: an answer from before an end of sessions is not used while the endpoint is
// down either.
func TestLoad_EndedStale(t *testing.T) {
	p := newPlace(t)
	p.config.StaleFor = time.Hour
	l := p.loader(t)
	if _, err := l.Load(t.Context(), user("alice")); err != nil {
		t.Fatal(err)
	}
	p.says(http.StatusInternalServerError, "")
	ended := freshness.WithEnded(t.Context(), p.clock.Now())
	_, err := l.Load(ended, user("alice"))
	wantCode(t, "who knows of the end", err, delegation.CodeProfileUnavailable)
	if _, err := l.Load(t.Context(), user("alice")); err != nil {
		t.Errorf("who knows of no end: %v", err)
	}
}

// TestLoad_EndedMeanwhile: who knows of an end of sessions does not share a request from before it.
// The answer to the later request is kept, whichever comes first.
func TestLoad_EndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		l := must(profile.New(profile.Config{
			URL: "https://a.example.com/{subject}", Issuers: []string{issuer},
			HTTPClient: &http.Client{Transport: transport(func(
				r *http.Request,
			) (*http.Response, error) {
				n := asked.Add(1)
				<-release
				return &http.Response{
					StatusCode: http.StatusOK,
					Header:     http.Header{"Content-Type": {"application/json"}},
					Body:       io.NopCloser(strings.NewReader(fmt.Sprintf(`{"n": %d}`, n))),
					Request:    r,
				}, nil
			})},
		}))
		ended := freshness.WithEnded(t.Context(), time.Now())
		var all sync.WaitGroup
		for i, ctx := range []context.Context{t.Context(), ended, ended} {
			all.Go(func() {
				got, err := l.Load(ctx, user("carol"))
				want := json.Number(strconv.Itoa(min(i+1, 2)))
				if err != nil || got["n"] != want {
					t.Errorf("caller %d: %v, %v", i, got, err)
				}
			})
			synctest.Wait()
		}
		close(release)
		all.Wait()
		got, err := l.Load(ended, user("carol"))
		if err != nil || got["n"] != json.Number("2") || asked.Load() != 2 {
			t.Errorf("afterwards: %v, %v, and %d requests", got, err, asked.Load())
		}
	})
}
