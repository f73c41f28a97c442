// Gateway is a proxy for Amazon Bedrock that calls it as the user of each request. The user's team
// and cost centre are session tags, so the bill and CloudTrail show users instead of the proxy.
//
//	go run .
//
// shows it with an issuer, an STS and a Bedrock in memory, on loopback. With -issuer it serves real
// users; see -help and README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation"
)

func main() {
	err := run(context.Background(), os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	issuer := flags.String("issuer", "", "`URL` of the OpenID issuer; without it, a demonstration")
	client := flags.String("client", "", "client `ID` that the users' ID tokens are issued to")
	role := flags.String("role", "", "`ARN` of the role")
	principal := flags.String("principal", "", "`ARN` of the SAML provider in IAM")
	region := flags.String("region", "us-east-1", "`region` of Bedrock and STS")
	entityID := flags.String("entity-id", "", "entity `ID` in the SAML provider's metadata")
	certificate := flags.String("cert", "", "PEM `file` with the signing certificate")
	key := flags.String("key", "", "PEM `file` with its private key")
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to serve on; put TLS in front")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *issuer == "" {
		return demonstrate(ctx, os.Stdout)
	}
	signingKey, err := readKey(*certificate, *key)
	if err != nil {
		return err
	}
	d, err := delegation.New(ctx, delegation.Config{
		Issuers: []delegation.Issuer{{URL: *issuer}},
		IdentityProvider: delegation.IdentityProvider{
			EntityID: *entityID,
			Keys:     []delegation.SigningKey{signingKey},
		},
		Targets: delegation.Targets{*client: {AWS: delegation.AWS{
			Principal: *principal,
			Role:      *role,
			Region:    *region,
		}}},
		Rules: rules(),
	})
	if err != nil {
		return err
	}
	handler, err := newGateway(d, *client, newBedrock(d, *client, aws.Config{Region: *region}))
	if err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func readKey(certificate, key string) (delegation.SigningKey, error) {
	certificatePEM, err := os.ReadFile(certificate)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	keyPEM, err := os.ReadFile(key)
	if err != nil {
		return delegation.SigningKey{}, err
	}
	return delegation.ParseSigningKey(certificatePEM, keyPEM)
}
