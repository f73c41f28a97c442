package service

import (
	"time"

	"github.com/seed055b7978/delegation/oidctest"
)

// DemoURL is what tests see of the demonstration's addresses.
var DemoURL = demoURL

// DemoToken returns a token of a user of the demonstration.
func DemoToken(provider *oidctest.Provider, name string, now time.Time) (string, error) {
	user, _ := findDemoUser(name)
	return user.token(provider, now)
}
