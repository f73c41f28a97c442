package delegationtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// A program without a test. Config is changed before Start, and the clock is moved.
func ExampleOpen() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	world.Config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	idToken := world.Token(map[string]any{"email": "alice@example.com", "email_verified": true})
	credentials, err := d.Exchange(ctx, idToken, delegationtest.Target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credentials.AssumedRoleARN)
	fmt.Println(credentials.Expiration.Format(time.RFC3339))

	world.Clock.Advance(2 * time.Hour)
	_, err = d.Exchange(ctx, idToken, delegationtest.Target)
	fmt.Println(errors.Is(err, delegation.CodeTokenExpired))
	// Output:
	// arn:aws:sts::123456789012:assumed-role/photo-user/alice@example.com
	// 2026-11-23T10:00:00Z
	// true
}
