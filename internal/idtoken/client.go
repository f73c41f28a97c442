package idtoken

import (
	"slices"
	"strings"
)

// clientClaims name the application that a token was issued to: azp in OpenID Connect, appid in
// Entra v1 and ADFS, cid in Okta, client_id in RFC 9068, Cognito and others.
var clientClaims = []string{"azp", "appid", "cid", "client_id"}

// clientOf finds the application that the token was issued to. It is the value of the clientClaims
// that are present, which must agree. Without these, it is the only audience, or the only one of
// several audiences that is among named.
//
// OpenID Connect Core (errata 2, §3.1.3.7) makes the check of azp optional. We insist on it: a
// token that another application asked for is not one that the user gave to ours.
func clientOf(all map[string]any, audience, named []string) (string, error) {
	var client, by string
	for _, name := range clientClaims {
		if all[name] == nil {
			continue
		}
		value, err := stringClaim(all, name)
		if err != nil {
			return "", err
		}
		if by != "" && value != client {
			return "", newError(claimClientConflict,
				"%s and %s name different applications, %.80q and %.80q", by, name, client, value)
		}
		client = value
		by = name
	}
	if by != "" {
		return client, nil
	}
	if len(audience) == 1 {
		return audience[0], nil
	}
	found := slices.DeleteFunc(slices.Clone(audience), func(a string) bool {
		return !slices.Contains(named, a)
	})
	if len(found) != 1 {
		return "", newError(claimParty,
			"the token has %d audiences, none of %s, "+
				"and %d of the audiences are named as its client",
			len(audience), strings.Join(clientClaims, ", "), len(found))
	}
	return found[0], nil
}
