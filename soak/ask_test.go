//go:build soak

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation"
)

// ask is who asks which Delegator for what.
type ask struct {
	user      user
	target    *target
	client    string
	delegator *delegator
}

func (a ask) String() string {
	return fmt.Sprintf("%s of issuer %d, client %s, target %s, Delegator %s",
		a.user.subject(), a.user.issuer, a.client, a.target.name, a.delegator.name)
}

// retriever is a Provider for one user, as a long-lived AWS client has one.
type retriever struct {
	ask
	aws.CredentialsProvider
}

func (w *world) addRetrievers() {
	for i, d := range w.delegators {
		for j, t := range targets {
			r := &retriever{
				ask: ask{user{t.issuers[0], (i + j) % usersPerIssuer}, t, t.clients[0], d},
			}
			source := func(context.Context) (string, error) {
				return w.token(r.user, r.client, nil), nil
			}
			r.CredentialsProvider = d.Provider(source, t.name)
			w.retrievers = append(w.retrievers, r)
		}
	}
}

func choose[T any](random *rand.Rand, list []T) T { return list[random.IntN(len(list))] }

func (w *world) anyAsk(random *rand.Rand) ask {
	t := choose(random, targets)
	u := user{choose(random, t.issuers), random.IntN(usersPerIssuer)}
	return ask{u, t, choose(random, t.clients), choose(random, w.delegators)}
}

// one does one of the things that users do, and leaves what came of it.
func (s *soak) one(random *rand.Rand, f *fault) {
	a := s.world.anyAsk(random)
	switch n := random.IntN(100); {
	case n < 62:
		s.exchange(context.Background(), a, f.allowed)
	case n < 70:
		s.exchange(context.Background(), a, f.allowed, delegation.WithoutCache())
	case n < 78:
		s.explain(a, f.allowed)
	case n < 86:
		s.retrieve(choose(random, s.world.retrievers), f.allowed)
	case n < 91: // somebody who leaves
		patience := time.Duration(random.IntN(3000)) * time.Microsecond
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.exchange(ctx, a, append(codes(delegation.CodeCanceled), f.allowed...))
	case n < 93:
		s.twice(a, f.allowed)
	case n < 94: // a probe, in the middle of everything
		a.delegator.Check(context.Background())
	default:
		s.refused(a, choose(random, refusals), f.allowed)
	}
}

// exchange tells whether a new token of the user was exchanged.
func (s *soak) exchange(
	ctx context.Context, a ask, allowed []delegation.Code, options ...delegation.ExchangeOption,
) bool {
	return s.exchangeToken(ctx, a, s.world.token(a.user, a.client, nil), allowed, options...)
}

func (s *soak) exchangeToken(
	ctx context.Context, a ask, token string,
	allowed []delegation.Code, options ...delegation.ExchangeOption,
) bool {
	began := s.world.clock.Now()
	floor := s.world.floor(a.delegator, a.user.subject())
	c, err := a.delegator.Exchange(ctx, token, a.target.name, options...)
	if err != nil {
		s.fail(a, err, allowed)
		return false
	}
	s.succeed(&success{
		ask:         a,
		want:        a.target.legal(a.user, a.client),
		began:       began,
		floor:       floor,
		accessKey:   c.AccessKeyID,
		secret:      c.SecretAccessKey.Reveal(),
		token:       c.SessionToken.Reveal(),
		account:     c.AccountID,
		credentials: c,
	})
	return true
}

func (s *soak) retrieve(r *retriever, allowed []delegation.Code) {
	began := s.world.clock.Now()
	c, err := r.Retrieve(context.Background())
	if err != nil {
		s.fail(r.ask, err, allowed)
		return
	}
	s.succeed(&success{
		ask:       r.ask,
		want:      r.target.legal(r.user, r.client),
		began:     began,
		accessKey: c.AccessKeyID,
		secret:    c.SecretAccessKey,
		token:     c.SessionToken,
		account:   c.AccountID,
	})
}

func (s *soak) explain(a ask, allowed []delegation.Code) {
	token := s.world.token(a.user, a.client, nil)
	e, err := a.delegator.Explain(context.Background(), token, a.target.name)
	if err != nil {
		s.fail(a, err, allowed)
		return
	}
	w := a.target.legal(a.user, a.client)
	if found := w.explained(e); len(found) > 0 {
		s.cross("%v: explained: %s", a, strings.Join(found, "; "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.explained++
}

// twice sends one token two times at once to the Delegator that takes a token once.
func (s *soak) twice(a ask, allowed []delegation.Code) {
	for _, d := range s.world.delegators {
		if d.once {
			a.delegator = d
		}
	}
	token := s.world.token(a.user, a.client, nil)
	allowed = append(codes(delegation.CodeTokenReplayed), allowed...)
	var granted [2]bool
	var both sync.WaitGroup
	for i := range granted {
		both.Go(func() { granted[i] = s.exchangeToken(context.Background(), a, token, allowed) })
	}
	both.Wait()
	if granted[0] && granted[1] {
		s.cross("%v: one token was taken twice", a)
	}
}

// refusal is something that nobody must get anything for.
type refusal struct {
	name  string
	codes []delegation.Code
	make  func(w *world, a ask) (token, target string)
}

var refusals = []refusal{
	{
		"signed by a stranger", noKeys,
		func(w *world, a ask) (string, string) {
			return must(w.stranger.SignIDToken(user{east, 1}.claims(web))), "plain"
		},
	},
	{
		"signed by a stranger with a known kid",
		codes(delegation.CodeSignatureInvalid, delegation.CodeKeyPending),
		func(w *world, a ask) (string, string) {
			now := w.clock.Now()
			claims := user{east, 1}.claims(web)
			claims["iss"] = w.urls[east]
			claims["iat"] = now.Unix()
			claims["exp"] = now.Add(time.Hour).Unix()
			header := map[string]any{"kid": w.providers[east].KeyID()}
			return must(w.stranger.Sign(header, must(json.Marshal(claims)))), "plain"
		},
	},
	{
		"expired", codes(delegation.CodeTokenExpired),
		func(w *world, a ask) (string, string) {
			now := w.clock.Now()
			return w.token(a.user, a.client, map[string]any{
				"iat": now.Add(-2 * time.Hour).Unix(),
				"exp": now.Add(-time.Hour).Unix(),
			}), a.target.name
		},
	},
	{
		"of another client", codes(delegation.CodeAudienceNotAllowed),
		func(w *world, a ask) (string, string) {
			return w.token(a.user, nobody, nil), a.target.name
		},
	},
	{
		"of another issuer", codes(delegation.CodeIssuerNotAllowed),
		func(w *world, a ask) (string, string) {
			return w.token(user{west, a.user.number}, web, nil), "plain"
		},
	},
	{
		"of another tenant", codes(delegation.CodeRequiredClaim),
		func(w *world, a ask) (string, string) {
			return w.token(a.user, a.client, map[string]any{"tenant": "soaked"}), a.target.name
		},
	},
	{
		"of two clients", codes(delegation.CodeClaimParty),
		func(w *world, a ask) (string, string) {
			audiences := map[string]any{"aud": []string{a.client, nobody}}
			return w.token(a.user, a.client, audiences), a.target.name
		},
	},
	{
		"for another client", codes(delegation.CodeAudienceNotAllowed),
		func(w *world, a ask) (string, string) {
			return w.token(a.user, a.client, map[string]any{"azp": nobody}), a.target.name
		},
	},
	{
		"that grants access", codes(delegation.CodeTokenKindAccess),
		func(w *world, a ask) (string, string) {
			return w.token(a.user, a.client, map[string]any{"typ": "Bearer"}), a.target.name
		},
	},
	{
		"of a user in no team", codes(delegation.CodeDenied),
		func(w *world, a ask) (string, string) {
			return w.token(user{a.user.issuer, noTeam}, a.client, nil), a.target.name
		},
	},
	{
		"for no target", codes(delegation.CodeDelegationDisabled),
		func(w *world, a ask) (string, string) { return w.token(a.user, a.client, nil), "none" },
	},
}

func (s *soak) refused(a ask, r refusal, allowed []delegation.Code) {
	token, target := r.make(s.world, a)
	_, err := a.delegator.Exchange(context.Background(), token, target)
	if err == nil {
		s.cross("%v: a token %s was taken", a, r.name)
		return
	}
	s.mu.Lock()
	s.refusals++
	s.mu.Unlock()
	s.fail(a, err, append(slices.Clone(r.codes), allowed...))
}

// fail counts a failure, which must be of a code that can be now.
func (s *soak) fail(a ask, err error, allowed []delegation.Code) {
	var e *delegation.Error
	code := delegation.Code("none")
	if errors.As(err, &e) {
		code = e.Code
	}
	hasty := a.delegator.hasty &&
		(code == delegation.CodeSTSTimeout || code == delegation.CodeSigningFailed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[code]++
	if hasty || slices.Contains(allowed, code) {
		return
	}
	if s.unexpected++; s.unexpected <= 10 {
		s.t.Errorf("%s: %v: unexpected failure: %v", s.fault.name, a, err)
	}
}

func (s *soak) succeed(got *success) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.successes = append(s.successes, got)
}

// cross reports that somebody got what is not theirs.
func (s *soak) cross(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crossed++; s.crossed <= 10 {
		s.t.Errorf("crossed: "+s.fault.name+": "+format, args...)
	}
}
