package jsrules

import (
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// userDefaults are properties that users had at Auth0 in addition to their profile.
var userDefaults = properties{"persistent": map[string]any{}}

func (r *run) userObject(user *delegation.User) *object {
	r.make(&r.parts.user, properties(user.Properties), userDefaults)
	return &r.parts.user
}

// mergeMetadata copies the properties of app_metadata to the user, as Auth0 did before rules ran.
// It replaces no property of the user. It copies none that tells who the user is, and none that
// only the issuer can state, such as hd at Google.
func mergeMetadata(user *delegation.User, issuer string) {
	metadata, _ := user.Properties["app_metadata"].(map[string]any)
	for name, value := range metadata {
		if isIdentity(name) || sharedissuer.StatesAlone(issuer, name) ||
			sharedissuer.StatesAlone(user.Text("iss"), name) {
			continue
		}
		if _, has := user.Properties[name]; !has {
			user.Set(name, jsonvalue.Clone(value))
		}
	}
}

// isIdentity reports whether app_metadata must not supply a property of the user at any
// issuer.
func isIdentity(name string) bool {
	switch name {
	case "user_id", "email", "email_verified", "identities",
		"iss", "sub", "aud", "iat", "exp",
		"app_metadata", "user_metadata", "persistent":
		return true
	}
	return false
}
