package ststest_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

// A fake STS behind the AWS SDK: the SAML response is refused in one call and accepted in the
// next. Here it is the library of this module that makes the response.
func Example() {
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	s := ststest.New(ststest.Config{Now: world.Clock.Now})
	server := httptest.NewServer(s)
	defer server.Close()

	metadata, err := world.Config.IdentityProvider.Metadata()
	if err != nil {
		fmt.Println(err)
		return
	}
	provider := "arn:aws:iam::123456789012:saml-provider/delegation"
	if err := s.PutSAMLProvider(provider, metadata); err != nil {
		fmt.Println(err)
		return
	}
	if err := s.PutRole(ststest.Role{
		ARN: "arn:aws:iam::123456789012:role/photo-user",
		TrustPolicy: `{
			"Version": "2012-10-17",
			"Statement": [{
				"Effect": "Allow",
				"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/delegation"},
				"Action": "sts:AssumeRoleWithSAML",
				"Condition": {"StringEquals": {
					"saml:aud": "https://eu-central-1.signin.aws.amazon.com/saml"
				}}
			}]
		}`,
	}); err != nil {
		fmt.Println(err)
		return
	}

	world.Config.STS = sts.New(sts.Options{BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{}})
	ctx := context.Background()
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{"sub": "jane"})
	s.Script(ststest.Throttle())
	for range 2 {
		credentials, err := d.Exchange(ctx, idToken, "photo-app")
		if err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println(credentials.AssumedRoleARN)
	}
	for _, call := range s.Calls() {
		fmt.Printf("%s: %d %q\n", call.Action, call.Status, call.Code)
	}
	// Output:
	// refused
	// arn:aws:sts::123456789012:assumed-role/photo-user/jane
	// AssumeRoleWithSAML: 400 "Throttling"
	// AssumeRoleWithSAML: 200 ""
}
