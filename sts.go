package delegation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/seed055b7978/delegation/internal/session"
)

// STS is the one call that this package makes to AWS. *sts.Client has it; ststest serves a fake for
// it. An exchange passes the region as an option, so one client serves all regions. It must honour
// the context. A client of your own has limits of its own: the SDK's reads answers of any length and
// follows redirects.
type STS interface {
	AssumeRoleWithSAML(ctx context.Context, params *sts.AssumeRoleWithSAMLInput, optFns ...func(*sts.Options)) (*sts.AssumeRoleWithSAMLOutput, error)
}

// redeem exchanges the response for credentials in the first of the decision's regions that answers; a further response goes on where the
// last was answered. A region at rest is passed over, but never all of them: then the first is asked. A single region never rests.
func (x *exchange) redeem(ctx context.Context, response *signedResponse) (credentials *Credentials, err error) {
	regions := x.decision.regions
	if len(regions) == 1 {
		return x.redeemIn(ctx, regions[0], response)
	}
	for ; x.passed < len(regions); x.passed++ {
		region, why := regions[x.passed], "skipped"
		if x.regions.Allow(region.String()) {
			credentials, err = x.redeemIn(ctx, region, response)
			if why = x.noAnswer(region, err); why == "" {
				return credentials, err
			}
		}
		x.event.FailedRegions = append(x.event.FailedRegions, region.String()+":"+why)
	}
	if err == nil {
		credentials, err = x.redeemIn(ctx, regions[0], response)
		x.noAnswer(regions[0], err)
	}
	return credentials, err
}

// noAnswer returns the code for which another region may be asked, or nothing if this one has answered; it keeps the region's record.
func (x *exchange) noAnswer(region Region, err error) string {
	failure := new(Error)
	switch _ = errors.As(err, &failure); failure.Code {
	case CodeSTSUnavailable, CodeSTSTimeout:
		x.regions.Failed(region.String())
		return string(failure.Code)
	case CodeCanceled: // says nothing about the region
		return ""
	}
	x.regions.Succeeded(region.String())
	if failure.Code == CodeSTSRegionDisabled { // for this account; others may use the region
		return string(failure.Code)
	}
	return ""
}

// redeemIn exchanges the response for credentials in a region.
func (x *exchange) redeemIn(ctx context.Context, region Region, response *signedResponse) (*Credentials, error) {
	dec := x.decision
	x.event.Region = region.String()
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
	limited, cancel := context.WithTimeout(ctx, x.config.STSTimeout)
	defer cancel()
	out, err := x.config.STS.AssumeRoleWithSAML(limited, input, func(o *sts.Options) {
		o.Region = region.String()
		if x.config.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if x.config.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, canceledAt(StageSTS, ctx.Err())
		}
		host, _ := region.STSHost(x.config.FIPS, x.config.DualStack) // the decision has checked it
		return nil, stsError(err, host, limited.Err() != nil)
	}
	return x.credentials(out, region)
}

// credentials believes nothing of a 200: every part must be there, the expiry ahead, and the session
// the one that was asked for.
func (x *exchange) credentials(
	out *sts.AssumeRoleWithSAMLOutput, region Region,
) (*Credentials, error) {
	if out == nil {
		return nil, incompleteAnswer("", "with nothing in it")
	}
	requestID, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)
	if what := x.missing(out); what != "" {
		return nil, incompleteAnswer(requestID, what)
	}
	credentials := read(out)
	credentials.Region = region.String()
	credentials.AccountID = x.decision.role.AccountID
	credentials.RequestID = requestID
	if difference := x.difference(credentials); difference != "" {
		e := newError(CodeSTSAnswerMismatch, "AWS answered for another session: %s", difference)
		e.RequestID = requestID
		return nil, e
	}
	return credentials, nil
}

func incompleteAnswer(requestID, what string) error {
	e := newError(CodeSTSAnswerIncomplete, "AWS answered with success, but %s", what)
	e.RequestID = requestID
	return e
}

// missing says which part of an answer is not there or of no use; empty: none.
func (x *exchange) missing(out *sts.AssumeRoleWithSAMLOutput) string {
	c := out.Credentials
	user := out.AssumedRoleUser
	switch {
	case c == nil, aws.ToString(c.AccessKeyId) == "", aws.ToString(c.SecretAccessKey) == "",
		aws.ToString(c.SessionToken) == "":
		return "the credentials have a part missing"
	case c.Expiration == nil || !c.Expiration.After(x.config.Now()):
		return "the credentials' expiration is missing or past"
	case user == nil, aws.ToString(user.Arn) == "", aws.ToString(user.AssumedRoleId) == "":
		return "the assumed role is missing"
	case aws.ToString(out.Subject) == "":
		return "the subject is missing"
	}
	return ""
}

// read takes over what an answer with every part says.
func read(out *sts.AssumeRoleWithSAMLOutput) *Credentials {
	//lint:ignore SA1019 SessionTokenUtilization is about the whole token; STS's limit is on this
	packed := int(aws.ToInt32(out.PackedPolicySize))
	return &Credentials{
		AccessKeyID:             *out.Credentials.AccessKeyId,
		SecretAccessKey:         NewSecret(*out.Credentials.SecretAccessKey),
		SessionToken:            NewSecret(*out.Credentials.SessionToken),
		Expiration:              out.Credentials.Expiration.UTC(),
		AssumedRoleARN:          *out.AssumedRoleUser.Arn,
		AssumedRoleID:           *out.AssumedRoleUser.AssumedRoleId,
		Subject:                 *out.Subject,
		SubjectType:             aws.ToString(out.SubjectType),
		Issuer:                  aws.ToString(out.Issuer),
		Audience:                aws.ToString(out.Audience),
		NameQualifier:           aws.ToString(out.NameQualifier),
		SourceIdentity:          aws.ToString(out.SourceIdentity),
		PackedPolicySize:        packed,
		SessionTokenUtilization: int(aws.ToInt32(out.SessionTokenUtilization)),
	}
}

// difference says in what credentials are of another session than the decision asks for; empty: in
// nothing. It judges what AWS answers and what the shared cache returns. AWS documents Issuer and
// Audience in its answers, and nobody has tried a real account, so their absence is a warning only.
func (x *exchange) difference(c *Credentials) string {
	d := x.decision
	emulator := x.config.UnsafeSTSEmulator
	var differences []string
	compare := func(name, got, want string, tolerated bool) {
		if got != want && !tolerated {
			shown := withoutSecrets(got, c)
			differences = append(differences, fmt.Sprintf("%s is %.200q, not %.200q", name, shown, want))
		}
	}
	compare("AssumedRoleUser.Arn", c.AssumedRoleARN, d.sessionARN(), false)
	compare("the account", c.AccountID, d.role.AccountID, false)
	compare("Subject", c.Subject, d.nameID, emulator)
	compare("Issuer", c.Issuer, x.identity().EntityID, emulator || c.Issuer == "")
	compare("Audience", c.Audience, d.recipient, emulator || c.Audience == "")
	compare("SourceIdentity", c.SourceIdentity, d.sourceIdentity, emulator && c.SourceIdentity == "")
	return strings.Join(differences, "; ")
}

// longBase64 is what may be an assertion.
var longBase64 = regexp.MustCompile(`[A-Za-z0-9+/=]{64,}`)

// withoutSecrets makes a field of an answer fit for an error: an answer that has its values in the
// wrong fields must not bring its secrets into a log.
func withoutSecrets(text string, c *Credentials) string {
	for _, secret := range []string{c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return longBase64.ReplaceAllString(text, redacted)
}

// concede tells whether what AWS refused is worth another response that asks for less, and takes it from the decision. Each kind of
// refusal leads to one more response at most, because after that nothing is left to take.
func (x *exchange) concede(err error) bool {
	switch {
	case errors.Is(err, CodeSTSDuration) && x.config.DurationBackOff && x.decision.duration > minRoleMaximum:
		x.durations.Failed(x.decision.session())
		x.shorten()
	case errors.Is(err, CodeSTSPackedSize) && len(x.decision.droppable) > 0:
		x.event.DroppedTags = x.decision.dropTags(err.Error())
	default:
		return false
	}
	return true
}

// refusesDuration tells whether the role is known not to allow the decided duration. Once in a while it is asked anew.
func (x *exchange) refusesDuration() bool {
	return x.config.DurationBackOff && x.decision.duration > minRoleMaximum && !x.durations.Allow(x.decision.session())
}

// shorten asks for what every role allows. The response says the same: its SessionDuration is made from the decision.
func (x *exchange) shorten() {
	x.event.ShortenedFrom, x.decision.duration = x.decision.duration, minRoleMaximum
	x.event.Duration = minRoleMaximum
}

// stsError makes the Error of a failed call: the one place where the reader's codes become ours.
func stsError(err error, host string, timedOut bool) *Error {
	failure := session.ErrorOf(err, timedOut)
	e := newError(Code(failure.Code), "%s: %w", host, failure.Err)
	e.RequestID = failure.RequestID
	return e
}
