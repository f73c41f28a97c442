package main

import "crypto/subtle"

// user is a person whom the provider knows.
type user struct {
	// name is the sub in the tokens, and the name of the user's folder.
	name     string
	fullName string
	// password is shown on the login page. Only this machine can reach the provider.
	password string
	about    string
	groups   []string
}

// groupPhotographers is the group that the rule photographers requires.
const groupPhotographers = "photographers"

// users are all users.
var users = []user{
	{
		name:     "alice",
		fullName: "Alice Archer",
		password: "alice-password",
		about:    "A photographer with a folder of her own.",
		groups:   []string{"staff", groupPhotographers},
	},
	{
		name:     "bob",
		fullName: "Bob Baker",
		password: "bob-password",
		about:    "A photographer with a folder of his own.",
		groups:   []string{"staff", groupPhotographers},
	},
	{
		name:     "carol",
		fullName: "Carol Cooper",
		password: "carol-password",
		about:    "Not a photographer. A rule refuses her until it is switched off.",
		groups:   []string{"staff"},
	},
}

// userNames lists the names of all users.
func userNames() []string {
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, u.name)
	}
	return names
}

// findUser returns the user of that name.
func findUser(name string) (user, bool) {
	for _, u := range users {
		if u.name == name {
			return u, true
		}
	}
	return user{}, false
}

// hasPassword tells whether the password is the user's.
func (u user) hasPassword(password string) bool {
	return subtle.ConstantTimeCompare([]byte(u.password), []byte(password)) == 1
}
