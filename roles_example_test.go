package delegation_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// A user sees which roles they may assume, and asks for one.
func ExampleDelegator_Roles() {
	world, err := delegationtest.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer world.Close()
	target := world.Config.Targets.(delegation.Targets)["photo-app"]
	target.Roles = []delegation.RoleChoice{
		{Role: target.Role, Label: "Photos", Account: "Production"},
		{
			Role:    "arn:aws:iam::123456789012:role/photo-admin",
			Label:   "Administrator",
			Account: "Production",
		},
	}
	world.Config.Targets = delegation.Targets{"photo-app": target}
	d, err := world.Start(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	credentials, err := firstRole(context.Background(), d, world.Token(nil))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(credentials.AccountID)
	// Output:
	// arn:aws:iam::123456789012:role/photo-user Photos Production
	// arn:aws:iam::123456789012:role/photo-admin Administrator Production
	// 123456789012
}

// firstRole prints the roles of a user, and returns credentials of the first.
func firstRole(
	ctx context.Context, d *delegation.Delegator, idToken string,
) (*delegation.Credentials, error) {
	options, err := d.Roles(ctx, idToken, "photo-app")
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		fmt.Println(o.Role, o.Label, o.Account)
	}
	return d.Exchange(ctx, idToken, "photo-app", delegation.WithRole(options[0].Role))
}
