package config

import "github.com/seed055b7978/delegation"

// accessTokens returns the setting in the library's form. nil: no access tokens.
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

// actors returns the setting in the library's form. nil: nobody may act for another.
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
