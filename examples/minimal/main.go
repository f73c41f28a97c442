// Minimal is the program of the README. It reads an ID token from standard input, exchanges it for
// AWS credentials, and prints which session they belong to.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/seed055b7978/delegation"
)

func main() {
	idToken, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := os.ReadFile("signing.crt")
	if err != nil {
		log.Fatal(err)
	}
	privateKey, err := os.ReadFile("signing.key")
	if err != nil {
		log.Fatal(err)
	}
	credentials, err := run(context.Background(), string(idToken), certificate, privateKey)
	if err != nil {
		// This text is for the operator. Show a user only Public() of the *delegation.Error.
		log.Fatal(err)
	}
	fmt.Println(credentials.AssumedRoleARN, "until", credentials.Expiration)
}

// run makes a Delegator for one exchange. A service makes one when it starts, and keeps it.
func run(
	ctx context.Context, idToken string, certificate, privateKey []byte,
) (*delegation.Credentials, error) {
	key, err := delegation.ParseSigningKey(certificate, privateKey)
	if err != nil {
		return nil, err
	}
	d, err := newDelegator(ctx, key)
	if err != nil {
		return nil, err
	}
	idToken = strings.TrimSpace(idToken) // most commands end their output with a line end
	return d.Exchange(ctx, idToken, "photo-app")
}
