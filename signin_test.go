package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestRequireRecentLogin: auth_time decides, to the second, with the verifier's leeway, and what is
// no time refuses.
func TestRequireRecentLogin(t *testing.T) {
	const within = 15 * time.Minute
	ago := func(d time.Duration) any { return start.Add(-d).Unix() }
	for name, row := range map[string]struct {
		authTime any // nil: absent
		leeway   time.Duration
		code     delegation.Code // empty: allowed
		text     string
	}{
		"now":        {ago(0), time.Second, "", ""},
		"within":     {ago(within - time.Second), time.Second, "", ""},
		"at the end": {ago(within), time.Second, "", ""},
		"at the end of the leeway": {ago(within + time.Second), time.Second,
			delegation.CodeLoginTooOld,
			"the user signed in at 2026-11-23T08:44:59Z, which is longer ago than 15m0s"},
		"the default leeway": {ago(within + 59*time.Second), 0, "", ""},
		"after it": {ago(within + time.Minute), 0, delegation.CodeLoginTooOld,
			"longer ago than 15m0s"},
		"years ago":    {0, 0, delegation.CodeLoginTooOld, "1970-01-01T00:00:00Z"},
		"a fraction":   {json.Number("1795423500.5"), time.Second, "", ""},
		"ahead within": {ago(-time.Second), time.Second, "", ""},
		"ahead": {ago(-2 * time.Second), time.Second, delegation.CodeLoginTimeMissing,
			"auth_time is 2026-11-23T09:00:02Z, which is in the future"},
		"absent": {nil, 0, delegation.CodeLoginTimeMissing, "auth_time is missing"},
		"null":   {json.RawMessage("null"), 0, delegation.CodeLoginTimeMissing, "is missing"},
		"text": {"1795424400", 0, delegation.CodeLoginTimeMissing,
			"is not a number of seconds"},
		"bool":     {true, 0, delegation.CodeLoginTimeMissing, "is not a number of seconds"},
		"list":     {[]any{1}, 0, delegation.CodeLoginTimeMissing, "is not a number of seconds"},
		"negative": {-1, 0, delegation.CodeLoginTimeMissing, "is not a number of seconds"},
		"huge": {json.Number("1e300"), 0, delegation.CodeLoginTimeMissing,
			"is not a number of seconds"},
		"in milliseconds": {start.UnixMilli(), 0, delegation.CodeLoginTimeMissing,
			"is not a number of seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Leeway = row.leeway
			w.config.Rules = []delegation.RuleFunc{delegation.RequireRecentLogin(within)}
			claims := map[string]any{}
			if row.authTime != nil {
				claims["auth_time"] = row.authTime
			}
			_, err := w.exchange(t, claims)
			if row.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantSignInRefusal(t, err, row.code, row.text)
		})
	}
}

// wantSignInRefusal checks a refusal that a client can answer by having the user sign in again.
func wantSignInRefusal(t *testing.T, err error, code delegation.Code, text string) {
	t.Helper()
	e := wantError(t, err, delegation.StageRules, code)
	if !strings.Contains(err.Error(), text) || strings.Count(err.Error(), string(code)) != 1 {
		t.Errorf("the error is %v, want %q", err, text)
	}
	if !strings.HasPrefix(e.Public(), "sign in again") || e.Remedy == "" || e.Retryable {
		t.Errorf("strangers see %q; %+v", e.Public(), e)
	}
}

// profileOf is a profile loader that supplies properties.
func profileOf(properties map[string]any) delegation.ProfileFunc {
	return func(context.Context, *delegation.User) (map[string]any, error) {
		return properties, nil
	}
}

// setsAll is a rule that sets properties.
func setsAll(properties map[string]any) delegation.RuleFunc {
	return func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
		maps.Copy(user.Properties, properties)
		return nil
	}
}

// TestRequireRecentLogin_NobodyElseSaysWhen: neither a profile loader nor an earlier rule can
// supply the time, the methods or the class.
func TestRequireRecentLogin_NobodyElseSaysWhen(t *testing.T) {
	properties := map[string]any{
		"auth_time": json.Number("1795424400"), "amr": []any{"mfa"}, "acr": "gold",
	}
	for name, row := range map[string]struct {
		rule delegation.RuleFunc
		code delegation.Code
	}{
		"time":    {delegation.RequireRecentLogin(time.Hour), delegation.CodeLoginTimeMissing},
		"methods": {delegation.RequireAMR("mfa"), delegation.CodeAMRRequired},
		"class":   {delegation.RequireACR("gold"), delegation.CodeACRRequired},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Profile = profileOf(properties)
			w.config.Rules = []delegation.RuleFunc{setsAll(properties), row.rule}
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageRules, row.code)
		})
	}
	t.Run("nor take it away", func(t *testing.T) {
		w := newWorld(t)
		w.config.Rules = []delegation.RuleFunc{
			setsAll(map[string]any{"auth_time": nil, "amr": nil, "acr": nil}),
			delegation.RequireRecentLogin(time.Hour),
			delegation.RequireAMR("mfa"),
			delegation.RequireACR("gold"),
		}
		claims := map[string]any{
			"auth_time": start.Unix(), "amr": []string{"pwd", "mfa"}, "acr": "gold",
		}
		if _, err := w.exchange(t, claims); err != nil {
			t.Error(err)
		}
	})
}

// TestRequireRecentLogin_EndsInTheCache: cached credentials are not handed out once the sign-in of
// the token is too old. A token of a later sign-in gets them.
func TestRequireRecentLogin_EndsInTheCache(t *testing.T) {
	const within = 15 * time.Minute
	w, fake := strictWorld(t)
	w.config.CacheSize = 0 // the default
	w.config.Leeway = time.Second
	w.config.Rules = []delegation.RuleFunc{delegation.RequireRecentLogin(within)}
	d := w.delegator(t)
	token := func(at time.Time) string {
		return w.token(map[string]any{"auth_time": at.Unix(), "exp": start.Add(time.Hour).Unix()})
	}
	old := token(start)
	exchange := func(token string, cache delegation.CacheOutcome, code delegation.Code) {
		t.Helper()
		_, err := d.Exchange(t.Context(), token, app)
		if code == "" && err != nil || code != "" && !errors.Is(err, code) {
			t.Errorf("after %s: %v", w.clock.Now().Sub(start), err)
		}
		if e := w.lastEvent(); e.Cache != cache {
			t.Errorf("after %s: the cache was %q", w.clock.Now().Sub(start), e.Cache)
		}
	}
	exchange(old, delegation.CacheMiss, "")
	w.clock.Advance(within)
	exchange(old, delegation.CacheHit, "")
	w.clock.Advance(time.Second)
	exchange(old, "", delegation.CodeLoginTooOld)
	exchange(token(start.Add(within)), delegation.CacheHit, "")
	exchange(old, "", delegation.CodeLoginTooOld)
	if calls := len(fake.Calls()); calls != 1 {
		t.Errorf("%d calls of STS", calls)
	}
}

// TestRequireAMR: all methods have to be in the token's amr, which is a list of texts or one text.
func TestRequireAMR(t *testing.T) {
	type list = []any
	for name, row := range map[string]struct {
		amr      any // nil: absent
		required []string
		lacks    string // empty: allowed
	}{
		"the only one":    {list{"mfa"}, []string{"mfa"}, ""},
		"one of several":  {list{"pwd", "mfa"}, []string{"mfa"}, ""},
		"all of several":  {list{"pwd", "otp", "mfa"}, []string{"mfa", "pwd"}, ""},
		"not all":         {list{"pwd", "otp"}, []string{"pwd", "mfa"}, `amr lacks "mfa"`},
		"a text":          {"mfa", []string{"mfa"}, ""},
		"another text":    {"pwd mfa", []string{"mfa"}, `amr lacks "mfa"`},
		"absent":          {nil, []string{"mfa"}, `amr lacks "mfa"`},
		"null":            {json.RawMessage("null"), []string{"mfa"}, `amr lacks "mfa"`},
		"empty":           {list{}, []string{"mfa"}, `amr lacks "mfa"`},
		"another case":    {list{"MFA"}, []string{"mfa"}, `amr lacks "mfa"`},
		"a number in it":  {list{"mfa", 1}, []string{"mfa"}, `amr lacks "mfa"`},
		"an object":       {map[string]any{"mfa": true}, []string{"mfa"}, `amr lacks "mfa"`},
		"nothing listed":  {list{"mfa"}, nil, "no method is listed"},
		"the empty text":  {list{""}, []string{""}, `amr lacks ""`},
		"a number listed": {list{1}, []string{"1"}, `amr lacks "1"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{delegation.RequireAMR(row.required...)}
			claims := map[string]any{}
			if row.amr != nil {
				claims["amr"] = row.amr
			}
			_, err := w.exchange(t, claims)
			if row.lacks == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantSignInRefusal(t, err, delegation.CodeAMRRequired, row.lacks)
		})
	}
}

// TestRequireACR: the token's acr has to be one of the values.
func TestRequireACR(t *testing.T) {
	const gold, silver = "urn:mace:incommon:iap:gold", "urn:mace:incommon:iap:silver"
	for name, row := range map[string]struct {
		acr      any // nil: absent
		required []string
		allowed  bool
	}{
		"the only one":   {gold, []string{gold}, true},
		"one of several": {silver, []string{gold, silver}, true},
		"another":        {"urn:mace:incommon:iap:bronze", []string{gold, silver}, false},
		"a part":         {gold + "er", []string{gold}, false},
		"absent":         {nil, []string{gold}, false},
		"empty":          {"", []string{""}, false},
		"a list":         {[]any{gold}, []string{gold}, false},
		"a number":       {1, []string{"1"}, false},
		"nothing listed": {gold, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{delegation.RequireACR(row.required...)}
			claims := map[string]any{}
			if row.acr != nil {
				claims["acr"] = row.acr
			}
			_, err := w.exchange(t, claims)
			if row.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantSignInRefusal(t, err, delegation.CodeACRRequired, "acr is ")
		})
	}
}

// TestRequireSignIn_Checked: New and Check see a rule that lets nobody pass, and that the others
// leave sessions as they are.
func TestRequireSignIn_Checked(t *testing.T) {
	for name, row := range map[string]struct {
		rule   delegation.RuleFunc
		denies bool
	}{
		"recent":       {delegation.RequireRecentLogin(time.Minute), false},
		"recent never": {delegation.RequireRecentLogin(0), true},
		"negative":     {delegation.RequireRecentLogin(-time.Minute), true},
		"amr":          {delegation.RequireAMR("mfa"), false},
		"no amr":       {delegation.RequireAMR(), true},
		"acr":          {delegation.RequireACR("gold"), false},
		"no acr":       {delegation.RequireACR(), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{row.rule}
			denies := false
			for _, result := range w.delegator(t).Check(t.Context()) {
				denies = denies || errors.Is(result.Err, delegation.CodeDenied)
			}
			if denies != row.denies {
				t.Errorf("denies everybody: %v", denies)
			}
			claims := map[string]any{"auth_time": start.Unix(), "amr": []any{"mfa"}, "acr": "gold"}
			if _, err := w.exchange(t, claims); (err != nil) != row.denies {
				t.Error(err)
			}
		})
	}
}

// TestRequireSignIn_OutsideOfAnExchange: a rule that is called by itself, as a test of one may do,
// refuses.
func TestRequireSignIn_OutsideOfAnExchange(t *testing.T) {
	user := &delegation.User{Properties: map[string]any{
		"auth_time": json.Number("1795424400"), "amr": []any{"mfa"}, "acr": "gold",
	}}
	for code, rule := range map[delegation.Code]delegation.RuleFunc{
		delegation.CodeLoginTimeMissing: delegation.RequireRecentLogin(time.Hour),
		delegation.CodeAMRRequired:      delegation.RequireAMR("mfa"),
		delegation.CodeACRRequired:      delegation.RequireACR("gold"),
	} {
		err := rule(t.Context(), user, &delegation.RuleContext{})
		if !errors.Is(err, code) {
			t.Errorf("got %v, want %s", err, code)
		}
	}
}

// TestRequireRecentLogin_WithTheFakes: a test of a user's own can have a sign-in of any age.
func TestRequireRecentLogin_WithTheFakes(t *testing.T) {
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{delegation.RequireRecentLogin(time.Minute)}
	})
	token := d.Token(map[string]any{"auth_time": d.Clock.Now().Unix()})
	if _, err := d.Exchange(t.Context(), token, delegationtest.Target); err != nil {
		t.Fatal(err)
	}
	d.Clock.Advance(2 * time.Minute)
	_, err := d.Exchange(t.Context(), token, delegationtest.Target)
	if !errors.Is(err, delegation.CodeLoginTooOld) {
		t.Errorf("got %v", err)
	}
}
