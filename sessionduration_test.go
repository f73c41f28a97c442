package delegation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// TestWithSessionDuration: a caller gets a shorter session than is decided, never a longer one, and
// what it asked for is seen by rules and in the event.
func TestWithSessionDuration(t *testing.T) {
	const (
		tooLong = delegation.CodeDurationTooLong
		invalid = delegation.CodeDurationInvalid
	)
	public := map[delegation.Code]string{
		tooLong: "the requested session is longer than this application allows",
		invalid: "access denied",
	}
	for name, row := range map[string]struct {
		decided, asked, got time.Duration
		code                delegation.Code // empty: it is granted
	}{
		"nothing": {decided: 2 * time.Hour, got: 2 * time.Hour},
		"shorter": {
			decided: 2 * time.Hour,
			asked:   15 * time.Minute,
			got:     15 * time.Minute,
		},
		"as long":         {decided: 2 * time.Hour, asked: 2 * time.Hour, got: 2 * time.Hour},
		"as the default":  {asked: time.Hour, got: time.Hour},
		"longer":          {decided: 2 * time.Hour, asked: 2*time.Hour + time.Second, code: tooLong},
		"over default":    {asked: time.Hour + time.Second, code: tooLong},
		"too short":       {asked: 15*time.Minute - time.Second, code: invalid},
		"too long at all": {decided: 12 * time.Hour, asked: 13 * time.Hour, code: invalid},
		"no whole second": {asked: 20*time.Minute + 1, code: invalid},
		"negative":        {asked: -time.Hour, code: invalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var seen delegation.Request
			w.target(func(target *delegation.Target) { target.SessionDuration = row.decided })
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				seen = rc.Request
				return nil
			}}
			_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app,
				delegation.WithSessionDuration(row.asked),
				delegation.WithRequest(delegation.Request{ID: "1"}))
			event := w.events[0]
			if seen.SessionDuration != row.asked || event.RequestedDuration != row.asked {
				t.Errorf("rules see %s, the event %s", seen.SessionDuration,
					event.RequestedDuration)
			}
			if row.code == "" {
				if err != nil || time.Duration(*w.last().DurationSeconds)*time.Second != row.got ||
					event.Duration != row.got {
					t.Errorf("got %v, %d s", err, *w.last().DurationSeconds)
				}
				return
			}
			var e *delegation.Error
			if !errors.As(err, &e) || e.Code != row.code || e.Requested != (row.code == invalid) ||
				e.Public() != public[row.code] || event.Outcome != delegation.OutcomeDenied {
				t.Errorf("got %v, %+v", err, event.Outcome)
			}
		})
	}
}

// TestRequest_Adopted: a rule may adopt what the caller asks for, and what AWS does not take of it
// is the caller's mistake.
func TestRequest_Adopted(t *testing.T) {
	adopt := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		rc.AWS.SessionName = rc.Request.SessionName
		rc.AWS.SessionDuration = rc.Request.SessionDuration
		return nil
	}
	for name, row := range map[string]struct {
		request delegation.Request
		code    delegation.Code
	}{
		"good":       {delegation.Request{SessionName: "job-7", SessionDuration: 1800e9}, ""},
		"a bad name": {delegation.Request{SessionName: "a b"}, delegation.CodeSessionNameInvalid},
		"a bad duration": {
			delegation.Request{SessionName: "job-7", SessionDuration: time.Second},
			delegation.CodeDurationInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.StrictSessionNames = true
			w.config.Rules = []delegation.RuleFunc{adopt}
			got, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app,
				delegation.WithRequest(row.request))
			event := w.events[0]
			if event.RequestedSessionName != row.request.SessionName ||
				event.RequestedDuration != row.request.SessionDuration {
				t.Errorf("the event has %+v", event)
			}
			if row.code == "" {
				if err != nil || got == nil || event.SessionName != "job-7" ||
					event.Duration != 30*time.Minute {
					t.Errorf("got %v, %+v", err, event)
				}
				return
			}
			var e *delegation.Error
			if !errors.As(err, &e) || e.Code != row.code || !e.Requested {
				t.Errorf("got %v", err)
			}
		})
	}
}
