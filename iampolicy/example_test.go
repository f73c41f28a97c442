package iampolicy_test

import (
	"fmt"

	"github.com/seed055b7978/delegation/iampolicy"
)

// Alice may read her own folder, and not Bob's.
func ExampleSet_Decide() {
	policy, err := iampolicy.Parse(`{
	  "Version": "2012-10-17",
	  "Statement": {
	    "Sid": "OwnFolder",
	    "Effect": "Allow",
	    "Action": ["s3:GetObject", "s3:PutObject"],
	    "Resource": "arn:aws:s3:::example-photos/${saml:sub}/*"
	  }
	}`)
	if err != nil {
		panic(err)
	}
	set := iampolicy.Set{Identity: []*iampolicy.Policy{policy}}
	for _, key := range []string{"alice/cat.jpg", "bob/cat.jpg"} {
		decision, err := set.Decide(iampolicy.Request{
			Principal: iampolicy.Principal{
				ARN:  "arn:aws:sts::123456789012:assumed-role/photo-user/alice",
				Role: "arn:aws:iam::123456789012:role/photo-user",
			},
			Action:   "s3:GetObject",
			Resource: "arn:aws:s3:::example-photos/" + key,
			Context:  iampolicy.Context{"saml:sub": {"alice"}},
		})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", key, decision)
	}
	// Output:
	// alice/cat.jpg: allowed by statement 1 (OwnFolder) of identity policy 1
	// bob/cat.jpg: denied: no identity policy allows it
}
