package config_test

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

const photosAPI = "https://photos.example.com"

// accessTokens is the setting in both languages.
func accessTokens(a delegation.AccessTokens) settings {
	return settings{"Issuer.AccessTokens": both{&a, map[string]any{
		"profile":   string(a.Profile),
		"audiences": a.Audiences,
		"scopes":    a.Scopes,
	}}}
}

// actorsOf is the setting in both languages, as far as rows need it.
func actorsOf(a delegation.Actors) settings {
	inYAML := map[string]any{
		"only_listed": a.OnlyListed,
		"audiences":   a.Audiences,
		"place":       string(a.Place),
		"tag_key":     a.TagKey,
	}
	if a.SessionDuration != 0 {
		inYAML["session_duration"] = a.SessionDuration.String()
	}
	var listed []any
	for _, entry := range a.Listed {
		listed = append(listed, map[string]any{
			"issuer":    entry.Issuer,
			"subject":   entry.Subject,
			"client_id": entry.ClientID,
			"name":      entry.Name,
		})
	}
	if listed != nil {
		inYAML["listed"] = listed
	}
	return settings{"Target.Actors": both{&a, inYAML}}
}

// ofProfile are access tokens of a profile for the API.
func ofProfile(name delegation.AccessTokenProfile, scopes ...string) settings {
	return accessTokens(delegation.AccessTokens{
		Profile:   name,
		Audiences: []string{photosAPI},
		Scopes:    scopes,
	})
}

// signAccess signs an access token of RFC 9068 with claims changed.
func (s *scene) signAccess(changes map[string]any) {
	now := s.Clock.Now()
	all := map[string]any{
		"iss": issuerURL, "sub": delegationtest.Subject, "aud": photosAPI, "client_id": app,
		"jti": "1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "scope": "photos.read",
	}
	maps.Copy(all, changes)
	s.token = must(s.Issuer.Sign(map[string]any{"typ": "at+jwt"}, must(json.Marshal(all))))
}

func signsAccess(changes map[string]any) func(*scene) {
	return func(s *scene) { s.signAccess(changes) }
}

// accessRemedies are of access tokens and of actors.
func accessRemedies() []remedy {
	acting := map[string]any{"act": map[string]any{"sub": "photo-agent"}}
	other := map[string]any{"aud": "https://albums.example.com"}
	two := accessTokens(delegation.AccessTokens{
		Profile:   delegation.AccessTokenRFC9068,
		Audiences: []string{photosAPI, "https://albums.example.com"},
	})
	return []remedy{
		{
			of:    "a token of another profile",
			code:  delegation.CodeAccessTokenKind,
			with:  ofProfile(delegation.AccessTokenKeycloak),
			scene: signsAccess(nil),
			do:    ofProfile(delegation.AccessTokenRFC9068),
		},
		{
			of:    "a token for another API",
			code:  delegation.CodeAccessTokenAudience,
			with:  ofProfile(delegation.AccessTokenRFC9068),
			scene: signsAccess(other),
			do: accessTokens(delegation.AccessTokens{
				Profile:   delegation.AccessTokenRFC9068,
				Audiences: []string{"https://albums.example.com"},
			}),
		},
		{
			of:    "a token without a scope",
			code:  delegation.CodeAccessTokenScope,
			with:  ofProfile(delegation.AccessTokenRFC9068, "photos.write"),
			scene: signsAccess(nil),
			do:    ofProfile(delegation.AccessTokenRFC9068),
		},
		{
			of:    "a token for another API of the issuer",
			code:  delegation.CodeAudienceNotAllowed,
			with:  two,
			scene: signsAccess(other),
			do:    settings{"Target.AccessAudiences": []string{"https://albums.example.com"}},
		},
		{
			of:    "an actor without the setting",
			code:  delegation.CodeActorNotAllowed,
			scene: func(s *scene) { s.sign(acting) },
			do:    actorsOf(delegation.Actors{}),
		},
		{
			of:   "an actor that is not listed",
			code: delegation.CodeActorNotAllowed,
			with: actorsOf(delegation.Actors{
				OnlyListed: true,
				Listed:     []delegation.ListedActor{{Issuer: issuerURL, Subject: "another"}},
			}),
			scene: func(s *scene) { s.sign(acting) },
			do: actorsOf(delegation.Actors{
				OnlyListed: true,
				Listed:     []delegation.ListedActor{{Issuer: issuerURL, Subject: "photo-agent"}},
			}),
		},
		{
			of:   "a tag of the target where the actor is shown",
			code: delegation.CodeActorConflict,
			with: overlaid(actorsOf(delegation.Actors{Place: delegation.ActorInTag}),
				settings{"AWS.Tags": map[string]string{"actor": "x"}}),
			scene: func(s *scene) { s.sign(acting) },
			do:    actorsOf(delegation.Actors{Place: delegation.ActorInSessionName}),
		},
		{
			of:   "a session of actors that a chain does not have",
			code: delegation.CodeConfigInvalid,
			with: overlaid(withChain(hubRole, lastRole),
				actorsOf(delegation.Actors{SessionDuration: 2 * time.Hour})),
			scene: (*scene).chains,
			do:    actorsOf(delegation.Actors{SessionDuration: time.Hour}),
		},
		{
			of:   "an actor where a chain has the user",
			code: delegation.CodeConfigInvalid,
			with: overlaid(withChain(hubRole, lastRole),
				actorsOf(delegation.Actors{Place: delegation.ActorInSourceIdentity})),
			scene: (*scene).chains,
			do:    actorsOf(delegation.Actors{Place: delegation.ActorInTag}),
		},
	}
}

// accessMistakes are of the settings for access tokens and actors.
var accessMistakes = []mistake{
	{
		"a profile that is none",
		ofProfile("saml"),
		ofProfile(delegation.AccessTokenRFC9068),
	},
	{
		"access tokens for no audience",
		accessTokens(delegation.AccessTokens{Profile: delegation.AccessTokenRFC9068}),
		ofProfile(delegation.AccessTokenRFC9068),
	},
	{
		"access tokens for an empty audience",
		accessTokens(delegation.AccessTokens{
			Profile:   delegation.AccessTokenRFC9068,
			Audiences: []string{""},
		}),
		ofProfile(delegation.AccessTokenRFC9068),
	},
	{
		"several scopes in one",
		ofProfile(delegation.AccessTokenRFC9068, "photos.read photos.write"),
		ofProfile(delegation.AccessTokenRFC9068, "photos.read", "photos.write"),
	},
	{
		"access tokens next to secrets",
		overlaid(ofProfile(delegation.AccessTokenRFC9068),
			settings{"Issuer.ClientSecrets": secretOf(aSecret)}),
		settings{"Issuer.ClientSecrets": nil},
	},
	{
		"a mark that tells access tokens",
		overlaid(ofProfile(delegation.AccessTokenKeycloak),
			settings{"Issuer.AllowTokenMarks": []string{"typ"}}),
		settings{"Issuer.AllowTokenMarks": nil},
	},
	{
		"an audience of the target that its issuer does not accept",
		overlaid(ofProfile(delegation.AccessTokenRFC9068),
			settings{"Target.AccessAudiences": []string{"x"}}),
		settings{"Target.AccessAudiences": nil},
	},
	{
		"an audience of the target that its issuer lacks",
		overlaid(ofProfile(delegation.AccessTokenRFC9068),
			settings{"Target.AccessAudiences": []string{"x"}}),
		accessTokens(delegation.AccessTokens{
			Profile:   delegation.AccessTokenRFC9068,
			Audiences: []string{photosAPI, "x"},
		}),
	},
	{
		"only listed actors, and none listed",
		actorsOf(delegation.Actors{OnlyListed: true}),
		actorsOf(delegation.Actors{
			OnlyListed: true,
			Listed:     []delegation.ListedActor{{Issuer: issuerURL, Subject: "agent"}},
		}),
	},
	{
		"a listed actor without a subject",
		actorsOf(delegation.Actors{Listed: []delegation.ListedActor{{Issuer: issuerURL}}}),
		actorsOf(delegation.Actors{
			Listed: []delegation.ListedActor{{Issuer: issuerURL, Subject: "agent"}},
		}),
	},
	{
		"actor tokens for an empty audience",
		actorsOf(delegation.Actors{Audiences: []string{""}}),
		actorsOf(delegation.Actors{Audiences: []string{"agents"}}),
	},
	{
		"a place that is none",
		actorsOf(delegation.Actors{Place: "nowhere"}),
		actorsOf(delegation.Actors{Place: delegation.ActorInSourceIdentity}),
	},
	{
		"the key of a tag that is not set",
		actorsOf(delegation.Actors{TagKey: "Agent"}),
		actorsOf(delegation.Actors{Place: delegation.ActorInTag, TagKey: "Agent"}),
	},
	{
		"a tag of the actor that may be dropped",
		overlaid(actorsOf(delegation.Actors{Place: delegation.ActorInTag, TagKey: "Agent"}),
			settings{"AWS.Tags": map[string]string{"Agent": "x"},
				"AWS.DroppableTags": []string{"Agent"}}),
		actorsOf(delegation.Actors{Place: delegation.ActorInTag, TagKey: "Actor"}),
	},
	{
		"a short session of actors",
		actorsOf(delegation.Actors{SessionDuration: time.Minute}),
		actorsOf(delegation.Actors{SessionDuration: time.Hour}),
	},
}
