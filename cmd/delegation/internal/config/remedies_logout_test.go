package config_test

import (
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// logoutRemedies are of sessions that have ended, and of logout tokens.
func logoutRemedies() []remedy {
	const logoutOn = "backchannel_logout" // a Go program mounts a handler
	return []remedy{
		{
			of:   "a token that is older than ended sessions are remembered",
			code: delegation.CodeTokenTooOld,
			with: remembered(12 * time.Hour),
			scene: func(s *scene) {
				now := s.Clock.Now()
				s.sign(map[string]any{
					"iat": now.Add(-13 * time.Hour).Unix(), "exp": now.Add(time.Hour).Unix(),
				})
			},
			do: remembered(24 * time.Hour),
		},
		{
			of:    "ended sessions that are forgotten at once",
			code:  delegation.CodeConfigInvalid,
			with:  remembered(time.Hour),
			do:    remembered(24 * time.Hour),
			scene: func(*scene) {},
		},
		{
			of:    "a logout of a session without a user",
			code:  delegation.CodeLogoutSessionUnknown,
			scene: func(s *scene) { s.signLogout(map[string]any{"sub": nil, "sid": "one"}) },
			do:    remembered(24 * time.Hour),
		},
		{
			of:    "a logout of another client",
			code:  delegation.CodeLogoutAudience,
			scene: func(s *scene) { s.signLogout(claims("aud", "other-app")) },
			do:    settings{"Target.Audiences": []string{"other-app"}},
		},
		{
			of:    "a logout of a client without a target",
			code:  delegation.CodeLogoutAudience,
			with:  settings{logoutOn: both{nil, true}},
			scene: func(s *scene) { s.signLogout(claims("aud", "other-app")) },
			do:    settings{"Config.LogoutAudiences": []string{"other-app"}},
		},
	}
}

// remembered are settings with which ended sessions are remembered for a time.
func remembered(kept time.Duration) settings {
	return settings{"Config.Revocations": both{
		delegation.NewRevocations(nil, kept),
		map[string]any{"store": "memory", "keep": kept.String()},
	}}
}

// signLogout signs a logout token of the issuer with claims changed.
func (s *scene) signLogout(claims map[string]any) {
	all := map[string]any{
		"sub": delegationtest.Subject, "aud": app, "jti": "logout-1",
		"events": map[string]any{
			"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
		},
	}
	for name, value := range claims {
		all[name] = value
	}
	s.logout = s.Token(all)
}
