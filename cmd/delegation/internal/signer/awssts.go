package signer

import (
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// stsAtAWS makes the credentials for KMS come from AWS's own STS. It ignores an endpoint that the
// environment (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL) or a profile (endpoint_url) names. That
// endpoint may be this service, which cannot answer before it has its key.
func stsAtAWS() []func(*config.LoadOptions) error {
	return []func(*config.LoadOptions) error{
		config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) {
			if client, ok := o.Client.(*sts.Client); ok {
				o.Client = atAWS(client)
			}
		}),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			if client, ok := o.Client.(*sts.Client); ok {
				o.Client = atAWS(client)
			}
		}),
	}
}

// atAWS returns the client, with AWS's own endpoint.
func atAWS(client *sts.Client) *sts.Client {
	options := client.Options()
	options.BaseEndpoint = nil
	return sts.New(options)
}
