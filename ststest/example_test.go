package ststest_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/seed055b7978/delegation/ststest"
)

// A fake STS behind the AWS SDK: the response is refused in one call and
// accepted in the next.
func Example() {
	s := ststest.New(ststest.Config{})
	server := httptest.NewServer(s)
	defer server.Close()

	provider, role := "arn:aws:iam::123456789012:saml-provider/example", "arn:aws:iam::123456789012:role/photo-user"
	idp := newIdentityProvider("https://idp.example.com/saml")
	if err := s.PutSAMLProvider(provider, idp.Metadata()); err != nil {
		fmt.Println(err)
	}
	if err := s.PutRole(ststest.Role{ARN: role, TrustPolicy: `{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/example"},
			"Action": "sts:AssumeRoleWithSAML",
			"Condition": {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}
		}]
	}`}); err != nil {
		fmt.Println(err)
	}

	client := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{}})
	assume := func() {
		out, err := client.AssumeRoleWithSAML(context.Background(), &sts.AssumeRoleWithSAMLInput{
			RoleArn: &role, PrincipalArn: &provider, SAMLAssertion: aws.String(idp.Response(role, provider, "jane")),
		})
		if code, status := apiCode(err); err != nil {
			fmt.Println(status, code)
			return
		}
		fmt.Println(*out.AssumedRoleUser.Arn)
	}
	s.Script(ststest.Throttle())
	assume()
	assume()
	for _, call := range s.Calls() {
		fmt.Printf("%s: %d %q\n", call.Action, call.Status, call.Code)
	}
	// Output:
	// 400 Throttling
	// arn:aws:sts::123456789012:assumed-role/photo-user/jane
	// AssumeRoleWithSAML: 400 "Throttling"
	// AssumeRoleWithSAML: 200 ""
}
