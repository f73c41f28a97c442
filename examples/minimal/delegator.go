package main

import (
	"context"

	"github.com/seed055b7978/delegation"
)

func newDelegator(ctx context.Context, key delegation.SigningKey) (*delegation.Delegator, error) {
	return delegation.New(ctx, delegation.Config{
		Issuers: []delegation.Issuer{{URL: "https://tenant.example.com/"}},
		IdentityProvider: delegation.IdentityProvider{
			EntityID: "urn:tenant.example.com",
			Keys:     []delegation.SigningKey{key},
		},
		Targets: delegation.Targets{"photo-app": {AWS: delegation.AWS{
			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
			Region:    "eu-central-1",
		}}},
		Rules: []delegation.RuleFunc{
			delegation.RequireVerifiedEmail(),
			delegation.Must(delegation.RoleByClaim("groups", delegation.RoleMatch{
				Pattern: "photo-users",
				Role:    "arn:aws:iam::123456789012:role/photo-user",
			})),
		},
	})
}
