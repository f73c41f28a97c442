package jsrules

import (
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// userDefaults are properties that Auth0's users had besides their profile.
var userDefaults = properties{"persistent": map[string]any{}}

func (r *run) userObject(user *delegation.User) *object {
	return r.object(properties(user.Properties), userDefaults)
}

// mergeMetadata copies what app_metadata holds to the user's root, as Auth0 did before rules ran. What says who a user is it cannot say.
func mergeMetadata(user *delegation.User) {
	metadata, _ := user.Properties["app_metadata"].(map[string]any)
	for name, value := range metadata {
		switch name {
		case "user_id", "email", "email_verified", "identities", "iss", "sub", "aud", "iat", "exp", "app_metadata", "user_metadata", "persistent":
			continue
		}
		if _, has := user.Properties[name]; !has {
			user.Set(name, jsonvalue.Clone(value))
		}
	}
}
