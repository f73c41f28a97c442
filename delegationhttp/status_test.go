package delegationhttp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// TestStatusOf: an error has the status with which the handlers answer it.
func TestStatusOf(t *testing.T) {
	var none *delegation.Error
	of := func(stage delegation.Stage, code delegation.Code) *delegation.Error {
		return &delegation.Error{Stage: stage, Code: code, Err: errors.New("canary")}
	}
	requested := of(delegation.StageDecision, delegation.CodeRegionInvalid)
	requested.Requested = true
	expired := of(delegation.StageToken, delegation.CodeTokenExpired)
	noKeys := of(delegation.StageToken, delegation.CodeKeySetUnavailable)
	for name, row := range map[string]struct {
		err    error
		status int
	}{
		"a token":            {expired, 400},
		"wrapped":            {fmt.Errorf("canary: %w", expired), 400},
		"joined":             {errors.Join(errors.New("canary"), noKeys), 503},
		"a denial":           {of(delegation.StageRules, delegation.CodeDenied), 401},
		"a rule":             {of(delegation.StageRules, delegation.CodeRuleFailed), 403},
		"the caller's value": {requested, 403},
		"no target":          {of(delegation.StageTarget, delegation.CodeDelegationDisabled), 404},
		"the decision":       {of(delegation.StageDecision, delegation.CodeRegionInvalid), 500},
		"AWS":                {of(delegation.StageSTS, delegation.CodeSTSAccessDenied), 502},
		"canceled":           {of(delegation.StageRules, delegation.CodeCanceled), 503},
		"canceled elsewhere": {context.Canceled, 500},
		"no code":            {of(delegation.StageToken, ""), 400},
		"other code, rules":  {of(delegation.StageRules, "canary"), 403},
		"other code, AWS":    {of(delegation.StageSTS, "canary"), 502},
		"other code, cache":  {of(delegation.StageCache, "canary"), 500},
		"a foreign Error":    {of("canary", "canary"), 500},
		"no stage":           {of("", delegation.CodeSTSThrottled), 503},
		"an empty Error":     {&delegation.Error{}, 500},
		"a nil Error":        {none, 500},
		"another error":      {errors.New("canary"), 500},
		"a code alone":       {delegation.CodeTokenExpired, 500},
		"a destination":      {delegationhttp.ErrDestination, 400},
		"no console":         {delegationhttp.ErrNoConsole, 500},
		"sign-in refused":    {fmt.Errorf("%w: canary", delegationhttp.ErrSignInRefused), 502},
		"no sign-in":         {fmt.Errorf("%w: canary", delegationhttp.ErrSignInNoAnswer), 503},
	} {
		t.Run(name, func(t *testing.T) {
			if got := delegationhttp.StatusOf(row.err); got != row.status {
				t.Errorf("got %d, want %d", got, row.status)
			}
			h := mount(t, delegationhttp.Config{Exchanger: failing(row.err)})
			request := post(delegationPath, formType, form(values("token", nil)))
			if a := ask(t, h, request); a.status != row.status {
				t.Errorf("the handler answers %d, want %d", a.status, row.status)
			}
		})
	}
	if got := delegationhttp.StatusOf(nil); got != 200 {
		t.Errorf("no error is %d", got)
	}
}

// TestStatusOf_RateLimit: a wrapper of the Delegator sees a denial, whose status says what it is.
func TestStatusOf_RateLimit(t *testing.T) {
	w := newWorld(t)
	d := must(delegation.New(t.Context(), w.Config))
	var statuses []int
	w.http.Exchanger = exchanger(func(
		ctx context.Context, idToken, target string, options ...delegation.ExchangeOption,
	) (*delegation.Credentials, error) {
		credentials, err := d.Exchange(ctx, idToken, target, options...)
		statuses = append(statuses, delegationhttp.StatusOf(err))
		return credentials, err
	})
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 1}
	h := w.handler(t)
	request := form(values(w.Token(nil), nil))
	ask(t, h, post(delegationPath, formType, request)).granted(t)
	ask(t, h, post(delegationPath, formType, request)).refused(
		t, 429, "too_many_requests", "too many requests, try again later",
	)
	if len(statuses) != 2 || statuses[0] != 200 || statuses[1] != 429 {
		t.Errorf("the statuses are %d", statuses)
	}
}
