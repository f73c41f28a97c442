// Minimal is the program of the README: it reads an ID token from standard input and prints whose
// credentials it became.
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
	credentials, err := exchange(context.Background(), string(idToken), "signing.crt", "signing.key")
	if err != nil {
		log.Fatal(err) // for the operator; a stranger gets Public() of the *delegation.Error
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
