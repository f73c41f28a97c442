package delegation

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/seed055b7978/delegation/internal/stserror"
)

// STS is the one call that this package makes to AWS. *sts.Client has it; ststest serves a fake for it. An exchange passes
// the region as an option, so one client serves all regions.
type STS interface {
	AssumeRoleWithSAML(ctx context.Context, params *sts.AssumeRoleWithSAMLInput, optFns ...func(*sts.Options)) (*sts.AssumeRoleWithSAMLOutput, error)
}

// defaultSTS makes the SDK's client from its usual configuration (endpoint overrides, proxies, CA bundle). The call is not
// signed, so it is anonymous: otherwise the SDK might look for credentials in profiles and instance metadata. The SDK's
// retryer repeats throttling, 5xx and dial errors, at most three attempts in all, and never a definite refusal.
func defaultSTS(ctx context.Context) (STS, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(aws.AnonymousCredentials{}), config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 2 * time.Second }) // to fit into the time-out
	}))
	if err != nil {
		return nil, err
	}
	return sts.NewFromConfig(c), nil
}

// redeem exchanges the response for credentials.
func (d *Delegator) redeem(ctx context.Context, dec *decision, response *signedResponse) (*Credentials, error) {
	input := &sts.AssumeRoleWithSAMLInput{
		RoleArn: aws.String(dec.role.String()), PrincipalArn: aws.String(dec.principal.String()),
		SAMLAssertion: aws.String(response.encoded.Reveal()), DurationSeconds: aws.Int32(int32(dec.duration / time.Second)),
	}
	if dec.policy != "" {
		input.Policy = aws.String(dec.policy)
	}
	for _, p := range dec.policyARNs {
		input.PolicyArns = append(input.PolicyArns, types.PolicyDescriptorType{Arn: aws.String(p)})
	}
	limited, cancel := context.WithTimeout(ctx, d.config.STSTimeout)
	defer cancel()
	out, err := d.config.STS.AssumeRoleWithSAML(limited, input, func(o *sts.Options) {
		o.Region = dec.region.String()
		if d.config.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if d.config.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, canceledAt(StageSTS, ctx.Err())
		}
		return nil, stsError(err, dec.stsHost, limited.Err() != nil)
	}
	return d.credentials(out, dec)
}

// credentials believes nothing of a 200: every part must be there, and the expiry ahead.
func (d *Delegator) credentials(out *sts.AssumeRoleWithSAMLOutput, dec *decision) (*Credentials, error) {
	var requestID string
	incomplete := func(what string) error {
		e := newError(CodeSTSAnswerIncomplete, "AWS answered with success, but %s", what)
		e.RequestID = requestID
		return e
	}
	if out == nil {
		return nil, incomplete("with nothing in it")
	}
	requestID, _ = middleware.GetRequestIDMetadata(out.ResultMetadata)
	c, user := out.Credentials, out.AssumedRoleUser
	switch {
	case c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "":
		return nil, incomplete("the credentials have a part missing")
	case c.Expiration == nil || !c.Expiration.After(d.config.Now()):
		return nil, incomplete("the credentials' expiration is missing or past")
	case user == nil || aws.ToString(user.Arn) == "" || aws.ToString(user.AssumedRoleId) == "":
		return nil, incomplete("the assumed role is missing")
	case aws.ToString(out.Subject) != dec.nameID:
		return nil, incomplete("for another subject")
	}
	//lint:ignore SA1019 the SDK's successor, SessionTokenUtilization, is about the whole token; STS's limit is on this
	packed := int(aws.ToInt32(out.PackedPolicySize))
	return &Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: NewSecret(*c.SecretAccessKey), SessionToken: NewSecret(*c.SessionToken),
		Expiration: c.Expiration.UTC(), Region: dec.region.String(), AccountID: dec.role.AccountID,
		AssumedRoleARN: *user.Arn, AssumedRoleID: *user.AssumedRoleId,
		Subject: aws.ToString(out.Subject), SubjectType: aws.ToString(out.SubjectType), Issuer: aws.ToString(out.Issuer),
		Audience: aws.ToString(out.Audience), NameQualifier: aws.ToString(out.NameQualifier), SourceIdentity: aws.ToString(out.SourceIdentity),
		PackedPolicySize: packed, SessionTokenUtilization: int(aws.ToInt32(out.SessionTokenUtilization)), RequestID: requestID,
	}, nil
}

// stsError makes the Error of a failed call: the one place where the reader's codes become ours.
func stsError(err error, host string, timedOut bool) *Error {
	failure := stserror.From(err, timedOut)
	e := newError(Code(failure.Code), "%s: %w", host, failure.Err)
	e.RequestID = failure.RequestID
	return e
}
