package delegation_test

import (
	"context"
	"os"
	"slices"

	"github.com/seed055b7978/delegation"
)

// The functions below have the Go blocks of pages that are parts of a program, so that they are
// compiled. TestDocs_Blocks looks for them here. Nothing runs them.
var _ = []any{
	encryptsAssertions, failsOver, dropsTags, replacesKey, narrows,
	noWritingAgents, offersRoles, callersName,
}

// encryptsAssertions is in docs/encrypted-assertions.md.
func encryptsAssertions(target *delegation.Target) error {
	public, err := os.ReadFile("reader.pub")
	if err != nil {
		return err
	}
	target.EncryptionKey = string(public)
	target.SAMLProviderUUID = "SAMLSPEXAMPLE000000001" // from get-saml-provider
	return nil
}

// failsOver is in docs/fail-over.md.
func failsOver(principal, role string) delegation.AWS {
	return delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		FailoverRegions: []string{"eu-west-1", "eu-north-1"},
	}
}

// dropsTags is in docs/fail-over.md.
func dropsTags(team, project, note string) delegation.AWS {
	return delegation.AWS{
		Tags:          map[string]string{"team": team, "project": project, "note": note},
		DroppableTags: []string{"note", "project"},
	}
}

// replacesKey is in docs/key-rollover.md.
func replacesKey(delegator *delegation.Delegator, old, new delegation.SigningKey) error {
	next := delegation.IdentityProvider{
		EntityID: "urn:tenant.example.com",
		Keys:     []delegation.SigningKey{old, new},
	}
	// It is checked as New checks it. On an error nothing has changed.
	if err := delegator.SetIdentityProvider(next); err != nil {
		return err
	}
	return nil
}

// narrows is in docs/narrowing.md.
func narrows(
	ctx context.Context, d *delegation.Delegator, target *delegation.Target,
	idToken, readPolicy string,
) error {
	target.Scopes = map[string]delegation.Scope{"photos.read": {Policy: readPolicy}}
	credentials, err := d.Exchange(ctx, idToken, "photo-app", delegation.WithScope("photos.read"))

	_ = credentials
	return err
}

// noWritingAgents is in docs/narrowing.md.
func noWritingAgents(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
	if slices.Contains(rc.Request.Scopes, "photos.write") {
		return delegation.Deny("agents may not write")
	}
	return nil
}

// offersRoles is in docs/roles.md.
func offersRoles() delegation.Target {
	return delegation.Target{
		AWS: delegation.AWS{
			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
			Role:      "arn:aws:iam::123456789012:role/photo-reader", // the default
			Region:    "eu-central-1",
		},
		Roles: []delegation.RoleChoice{
			{Role: "arn:aws:iam::123456789012:role/photo-reader", Label: "Reader"},
			{Role: "arn:aws:iam::123456789012:role/photo-admin", Label: "Administrator"},
		},
	}
}

// callersName is in docs/unchanged-sdks.md.
func callersName(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
	if rc.Request.Endpoint == "sts" {
		rc.AWS.SessionName = rc.Request.SessionName
	}
	return nil
}
