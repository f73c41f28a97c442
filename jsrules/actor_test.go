package jsrules_test

import (
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestContext_ActorAndScopes: a rule sees who acts and the scopes of an access token, and cannot
// change them for later rules in Go. Otherwise these properties are undefined, and no enumeration
// of context has them.
func TestContext_ActorAndScopes(t *testing.T) {
	const source = `function (user, context, callback) {
		user.seen = JSON.stringify([context.tokenKind, context.scopes, context.actor]);
		user.names = Object.keys(context).filter(
			n => ['actor', 'scopes', 'tokenKind'].includes(n)).join();
		if (context.actor) {
			context.actor.subject = 'nobody';
			context.actor.claims.sub = 'nobody';
			context.scopes.push('everything');
		}
		callback(null, user, context);
	}`
	rule := must(jsrules.Compile("actor", source, jsrules.Options{}))
	actor := func() *delegation.Actor {
		return &delegation.Actor{
			Issuer: "https://agents.example.com", Subject: "bot", ClientID: "c",
			Claims: map[string]any{"sub": "bot"},
		}
	}
	for name, c := range map[string]struct {
		rc          delegation.RuleContext
		seen, names string
	}{
		"an ID token": {
			delegation.RuleContext{TokenKind: delegation.TokenKindID}, `[null,null,null]`, "",
		},
		"an access token": {
			delegation.RuleContext{
				TokenKind: delegation.TokenKindAccess, Scopes: []string{"read", "write"},
			},
			`["access_token",["read","write"],null]`, "scopes,tokenKind",
		},
		"an actor": {
			delegation.RuleContext{
				TokenKind: delegation.TokenKindAccess, Scopes: []string{}, Actor: actor(),
			},
			`["access_token",[],{"claims":{"sub":"bot"},"clientID":"c",` +
				`"issuer":"https://agents.example.com","subject":"bot"}]`,
			"actor,scopes,tokenKind",
		},
	} {
		user := &delegation.User{Properties: map[string]any{"user_id": "auth0|alice"}}
		rc := c.rc
		if err := rule(t.Context(), user, &rc); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if user.Properties["seen"] != c.seen || user.Properties["names"] != c.names {
			t.Errorf("%s: the rule saw %v, of the names %v", name, user.Properties["seen"],
				user.Properties["names"])
		}
		if rc.Actor != nil && (rc.Actor.Subject != "bot" || rc.Actor.Claims["sub"] != "bot") ||
			len(rc.Scopes) != len(c.rc.Scopes) {
			t.Errorf("%s: the rule has changed %+v", name, rc.Actor)
		}
	}
}
