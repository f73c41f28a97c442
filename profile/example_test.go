package profile_test

import (
	"fmt"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/profile"
)

func Example() {
	loader, err := profile.New(profile.Config{
		URL:             "https://profiles.example.com/users?id={subject}",
		BearerTokenFile: "testdata/profiles.token",
		Issuers:         []string{"https://tenant.example.com/"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := delegation.Config{Profile: loader.Load, CheckProfile: loader.Check}
	fmt.Println(loader, c.Profile != nil)
	// Output: profiles of https://profiles.example.com/users true
}
