// Minimal is the program of the README. It reads an ID token from standard input, exchanges it for
// AWS credentials, and prints to which session they belong.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed055b7978/delegation"
)

func main() {
	idToken, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	credentials, err := exchange(ctx, string(idToken), "signing.crt", "signing.key")
	if err != nil {
		// The operator may see err. Show a user only Public() of the *delegation.Error.
		log.Fatal(err)
	}
	fmt.Println(credentials.AssumedRoleARN, "until", credentials.Expiration)
}

func exchange(
	ctx context.Context, idToken, certificateFile, keyFile string,
) (*delegation.Credentials, error) {
	certificate, err := os.ReadFile(certificateFile)
	if err != nil {
		return nil, err
	}
	privateKey, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	// README: start
	key, err := delegation.ParseSigningKey(certificate, privateKey)
	if err != nil {
		return nil, err
	}
	d, err := delegation.New(ctx, delegation.Config{
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
	if err != nil {
		return nil, err
	}
	return d.Exchange(ctx, idToken, "photo-app")
	// README: end
}
