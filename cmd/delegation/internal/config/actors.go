package config

import "github.com/seed055b7978/delegation"

// accessTokens returns the setting as the library takes it. nil: no access tokens.
func (s *AccessTokenSettings) accessTokens() *delegation.AccessTokens {
	if s == nil {
		return nil
	}
	return &delegation.AccessTokens{
		Profile:   delegation.AccessTokenProfile(s.Profile),
		Audiences: s.Audiences,
		Scopes:    s.Scopes,
	}
}

// actors returns the setting as the library takes it. nil: nobody may act.
func (b *Builder) actors(at KeyPath, s *ActorSettings) *delegation.Actors {
	if s == nil {
		return nil
	}
	actors := &delegation.Actors{
		OnlyListed:      s.OnlyListed,
		Audiences:       s.Audiences,
		Place:           delegation.ActorPlace(s.Place),
		TagKey:          s.TagKey,
		SessionDuration: b.Duration(at.Child("session_duration"), s.SessionDuration),
	}
	for _, entry := range s.Listed {
		actors.Listed = append(actors.Listed, delegation.ListedActor(entry))
	}
	return actors
}
