package ststest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

// Alice may not read Bob's folder. The credentials come from an exchange, and the gate judges a
// request to S3 by the role's policy.
func ExampleServer_Gate() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	err = world.STS.PutRole(ststest.Role{
		ARN:         delegationtest.Role,
		TrustPolicy: delegationtest.TrustPolicy,
		Policies: []string{`{"Version": "2012-10-17", "Statement": {
			"Effect": "Allow",
			"Action": ["s3:GetObject", "s3:PutObject"],
			"Resource": "arn:aws:s3:::example-photos/${saml:sub}/*"
		}}`},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{"sub": "alice"})
	alice, err := d.Exchange(ctx, idToken, delegationtest.Target)
	if err != nil {
		fmt.Println(err)
		return
	}

	s3 := world.STS.Gate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "a photo")
	}), ststest.Gate{})
	for _, key := range []string{"alice/cat.jpg", "bob/cat.jpg"} {
		url := "https://example-photos.s3.eu-central-1.amazonaws.com/" + key
		r := httptest.NewRequest(http.MethodGet, url, nil)
		nothing := hex.EncodeToString(sha256.New().Sum(nil))
		r.Header.Set("X-Amz-Content-Sha256", nothing)
		signer := v4.NewSigner()
		err := signer.SignHTTP(
			ctx, alice.AWS(), r, nothing, "s3", delegationtest.Region, world.Clock.Now())
		if err != nil {
			fmt.Println(err)
			return
		}
		w := httptest.NewRecorder()
		s3.ServeHTTP(w, r)
		fmt.Println(key, w.Code)
	}
	calls := world.STS.Calls()
	fmt.Println(calls[len(calls)-1].Cause)
	// Output:
	// alice/cat.jpg 200
	// bob/cat.jpg 403
	// denied: no identity policy allows it
}
