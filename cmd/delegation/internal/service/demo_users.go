package service

import (
	"maps"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/oidctest"
)

// demoUser is a person whom the demonstration's OpenID provider knows.
type demoUser struct {
	Name string `json:"name"`
	// Title is what the page shows below the name.
	Title string `json:"title"`
	// About says in one sentence what this person's exchange shows.
	About string `json:"about"`

	claims map[string]any
	// age is how long ago the token was issued. Tokens are valid for an hour.
	age time.Duration
	// forged are claims that the user changes in the token after it was signed.
	forged map[string]any
}

// demoUsers are all users, one for each possible outcome. The first is allowed.
var demoUsers = []demoUser{
	{
		Name:   "alice",
		Title:  "Photo editor",
		About:  "Her group gives her the role photo-editor, and AWS issues credentials for it.",
		claims: demoClaims("alice", "press", "staff", "photo-editors"),
	},
	{
		Name:   "bob",
		Title:  "Works in sales",
		About:  "His token is good, but no rule gives a role to his group.",
		claims: demoClaims("bob", "sales", "staff"),
	},
	{
		Name:  "mallory",
		Title: "Unverified email",
		About: "She registered Alice's email address and never confirmed it.",
		claims: with(demoClaims("mallory", "press", "photo-editors"), map[string]any{
			"email":          "alice@example.com",
			"email_verified": false,
		}),
	},
	{
		Name:   "dave",
		Title:  "Expired token",
		About:  "He is a photo editor too, but his token expired an hour ago.",
		claims: demoClaims("dave", "press", "staff", "photo-editors"),
		age:    2 * time.Hour,
	},
	{
		Name:   "eve",
		Title:  "Forged token",
		About:  "She wrote a group into her token. The signature no longer matches.",
		claims: demoClaims("eve", "sales", "staff"),
		forged: map[string]any{"groups": []string{"staff", "photo-editors"}},
	},
	{
		Name:   "carol",
		Title:  "Mistake in AWS",
		About:  "The trust policy of her role lacks sts:TagSession, so AWS refuses.",
		claims: demoClaims("carol", "audit", "staff", "auditors"),
	},
}

func demoClaims(name, team string, groups ...string) map[string]any {
	return map[string]any{
		"sub":            "auth0|" + name,
		"aud":            DemoTarget,
		"email":          name + "@example.com",
		"email_verified": true,
		"groups":         groups,
		"team":           team,
	}
}

// with returns a copy of the claims, overwritten with others.
func with(claims, others map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, others)
	return claims
}

// findDemoUser returns the user of that name.
func findDemoUser(name string) (user demoUser, found bool) {
	for _, u := range demoUsers {
		if u.Name == name {
			return u, true
		}
	}
	return demoUser{}, false
}

// demoUserNames lists the names for a message.
func demoUserNames() string {
	var names []string
	for _, u := range demoUsers {
		names = append(names, u.Name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// forgedLife is how long a user who forges tokens uses the same one. If a signature does not
// verify, the service fetches the issuer's keys again, but only once in ten seconds. A new forgery
// for each sign-in would soon be told to wait instead of being refused.
const forgedLife = 10 * time.Minute

// token returns an ID token of the user: as the provider issues it, or as the user has changed it.
func (u demoUser) token(provider *oidctest.Provider, now time.Time) (string, error) {
	issued := now.Add(-u.age)
	if u.forged != nil {
		issued = now.Truncate(forgedLife)
	}
	claims := with(u.claims, map[string]any{
		"iat": issued.Unix(),
		"exp": issued.Add(time.Hour).Unix(),
	})
	token, err := provider.SignIDToken(claims)
	if err != nil || u.forged == nil {
		return token, err
	}
	wanted, err := provider.SignIDToken(with(claims, u.forged))
	if err != nil {
		return "", err
	}
	return wanted[:strings.LastIndex(wanted, ".")] + token[strings.LastIndex(token, "."):], nil
}
