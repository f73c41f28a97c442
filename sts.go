package delegation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/seed055b7978/delegation/internal/session"
)

// STS is the only call that this package makes to AWS, unless a target has a Chain; see
// [ChainingSTS]. *sts.Client implements it, and ststest has a fake server for it. An exchange
// passes the region as an option, so one client serves all regions. It must honour the context.
// With your own client you set the limits: the SDK's client reads answers of any length and follows
// redirects.
type STS interface {
	AssumeRoleWithSAML(
		ctx context.Context, params *sts.AssumeRoleWithSAMLInput, optFns ...func(*sts.Options),
	) (*sts.AssumeRoleWithSAMLOutput, error)
}

// redeem exchanges the response for credentials.
func (c *call) redeem(ctx context.Context, response *signedResponse) (*Credentials, error) {
	return c.inRegions(func(region Region) (*Credentials, error) {
		return c.callSTS(ctx, region, response)
	})
}

// inRegions calls ask for the decision's regions in order, until one answers. The next call of
// inRegions begins with the region that answered last. Resting regions are skipped; if all rest,
// the first region is asked anyway. A single region never rests.
func (c *call) inRegions(ask func(Region) (*Credentials, error)) (*Credentials, error) {
	regions := c.decision.regions
	if len(regions) == 1 {
		return ask(regions[0])
	}
	var failure error // of the last region that was asked
	for ; c.passed < len(regions); c.passed++ {
		region := regions[c.passed]
		why := "skipped"
		if c.regions.Allow(region.String()) {
			credentials, err := ask(region)
			why = c.noAnswer(region, err)
			if why == "" {
				return credentials, err
			}
			failure = err
		}
		noted := c.event.note()
		noted.FailedRegions = append(noted.FailedRegions, region.String()+":"+why)
	}
	if failure != nil {
		return nil, failure
	}
	credentials, err := ask(regions[0])
	c.noAnswer(regions[0], err)
	return credentials, err
}

// noAnswer keeps a region's record. It returns the code for which another region may be asked, or
// nothing if this one has answered.
func (c *call) noAnswer(region Region, err error) string {
	failure := new(Error)
	_ = errors.As(err, &failure)
	switch failure.Code {
	case CodeSTSUnavailable, CodeSTSTimeout:
		c.regions.Failed(region.String())
		return string(failure.Code)
	case CodeCanceled: // says nothing about the region
		return ""
	}
	c.regions.Succeeded(region.String())
	if failure.Code == CodeSTSRegionDisabled { // for this account; others may use the region
		return string(failure.Code)
	}
	return ""
}

// callSTS is redeemIn for an exchange.
func (c *call) callSTS(
	ctx context.Context, region Region, response *signedResponse,
) (*Credentials, error) {
	hop := 0
	if len(c.decision.chain) > 0 {
		hop = 1
	}
	return c.timed(ctx, region, hop, func() (*Credentials, error) {
		return c.redeemIn(ctx, region, response)
	})
}

// timed makes a call, which Config.OnSTSCall gets.
func (c *call) timed(
	ctx context.Context, region Region, hop int, ask func() (*Credentials, error),
) (*Credentials, error) {
	if c.config.OnSTSCall == nil {
		return ask()
	}
	began := c.config.Now()
	credentials, err := ask()
	done := STSCall{Region: region.String(), Took: c.config.Now().Sub(began), Hop: hop}
	if err != nil {
		done.Code = failureOf(err).Code
	}
	c.observed(ctx, func() { c.config.OnSTSCall(ctx, done) })
	return credentials, err
}

// redeemIn exchanges the response for credentials in a region, within Config.STSTimeout.
func (c *call) redeemIn(
	ctx context.Context, region Region, response *signedResponse,
) (*Credentials, error) {
	c.event.Region = region.String()
	input := c.decision.firstSession().stsInput(response)
	limited, cancel := context.WithTimeout(ctx, c.config.STSTimeout)
	defer cancel()
	out, err := c.config.STS.AssumeRoleWithSAML(limited, input, c.stsOptions(region))
	c.answered = session.DateOf(err)
	if err != nil && ctx.Err() != nil {
		return nil, canceledAt(StageSTS, ctx.Err())
	}
	if err != nil {
		// The decision has checked that there is a host.
		host, _ := region.STSHost(c.config.FIPS, c.config.DualStack)
		e := stsError(err, c.config.calledHost(err, host), limited.Err() != nil)
		c.explainRefusal(e)
		return nil, e
	}
	return c.credentials(out, region)
}

// stsOptions are those of every call in a region.
func (c *call) stsOptions(region Region) func(*sts.Options) {
	return func(o *sts.Options) {
		o.Region = region.String()
		if c.config.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if c.config.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	}
}

// stsInput is what AWS is asked for.
func (d *decision) stsInput(response *signedResponse) *sts.AssumeRoleWithSAMLInput {
	input := &sts.AssumeRoleWithSAMLInput{
		RoleArn:         aws.String(d.role.String()),
		PrincipalArn:    aws.String(d.principal.String()),
		SAMLAssertion:   aws.String(response.encoded.Reveal()),
		DurationSeconds: aws.Int32(int32(d.duration / time.Second)),
	}
	if d.policy != "" {
		input.Policy = aws.String(d.policy)
	}
	for _, p := range d.policyARNs {
		input.PolicyArns = append(input.PolicyArns, types.PolicyDescriptorType{Arn: aws.String(p)})
	}
	return input
}

// credentials checks a 200 answer completely: every part must be there, the expiry in the future,
// and the session the one that was requested.
func (c *call) credentials(
	out *sts.AssumeRoleWithSAMLOutput, region Region,
) (*Credentials, error) {
	if out == nil {
		return nil, incompleteAnswer("", "the answer is empty")
	}
	requestID, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)
	if what := missing(out, c.config.Now()); what != "" {
		return nil, incompleteAnswer(requestID, what)
	}
	credentials := read(out)
	credentials.Region = region.String()
	decided := c.decision.firstSession()
	credentials.AccountID = decided.role.AccountID
	credentials.RequestID = requestID
	entityID := c.identity(c.target).EntityID
	difference := decided.difference(credentials, entityID, c.config.UnsafeSTSEmulator)
	if difference != "" {
		return nil, mismatch(requestID, difference)
	}
	return credentials, nil
}

func mismatch(requestID, difference string) error {
	e := newError(CodeSTSAnswerMismatch, "AWS answered for another session: %s", difference)
	e.RequestID = requestID
	return e
}

func incompleteAnswer(requestID, what string) error {
	e := newError(CodeSTSAnswerIncomplete, "AWS answered with success, but %s", what)
	e.RequestID = requestID
	return e
}

// missing says which part of an answer is not there or of no use; empty: none.
func missing(out *sts.AssumeRoleWithSAMLOutput, now time.Time) string {
	if what := missingOf(out.Credentials, out.AssumedRoleUser, now); what != "" {
		return what
	}
	if aws.ToString(out.Subject) == "" {
		return "the subject is missing"
	}
	return ""
}

// missingOf is missing for the parts that every answer with credentials has.
func missingOf(c *types.Credentials, user *types.AssumedRoleUser, now time.Time) string {
	switch {
	case c == nil, aws.ToString(c.AccessKeyId) == "", aws.ToString(c.SecretAccessKey) == "",
		aws.ToString(c.SessionToken) == "":
		return "a part of the credentials is missing"
	case c.Expiration == nil || !c.Expiration.After(now):
		return "the credentials' expiration is missing or past"
	case user == nil, aws.ToString(user.Arn) == "", aws.ToString(user.AssumedRoleId) == "":
		return "the assumed role is missing"
	}
	return ""
}

// read takes over what an answer with every part says.
func read(out *sts.AssumeRoleWithSAMLOutput) *Credentials {
	//lint:ignore SA1019 SessionTokenUtilization is about the whole token; STS's limit is on this
	packed := int(aws.ToInt32(out.PackedPolicySize))
	credentials := &Credentials{
		Subject:                 *out.Subject,
		SubjectType:             aws.ToString(out.SubjectType),
		Issuer:                  aws.ToString(out.Issuer),
		Audience:                aws.ToString(out.Audience),
		NameQualifier:           aws.ToString(out.NameQualifier),
		SourceIdentity:          aws.ToString(out.SourceIdentity),
		PackedPolicySize:        packed,
		SessionTokenUtilization: int(aws.ToInt32(out.SessionTokenUtilization)),
	}
	credentials.take(out.Credentials, out.AssumedRoleUser)
	return credentials
}

// take takes over the credentials themselves, of an answer with every part.
func (c *Credentials) take(issued *types.Credentials, user *types.AssumedRoleUser) {
	c.AccessKeyID = *issued.AccessKeyId
	c.SecretAccessKey = NewSecret(*issued.SecretAccessKey)
	c.SessionToken = NewSecret(*issued.SessionToken)
	c.Expiration = issued.Expiration.UTC()
	c.AssumedRoleARN = *user.Arn
	c.AssumedRoleID = *user.AssumedRoleId
}

// difference says how the credentials' session differs from the one that the decision asks for;
// empty: not at all. entityID is that of the SAML identity. It checks what AWS answers and what the
// shared cache returns. AWS documents Issuer and Audience in its answers, but that was never tried
// with a real account, so their absence is only a warning. An emulator may leave out or make up
// what it does not know.
func (d *decision) difference(c *Credentials, entityID string, emulator bool) string {
	var differences []string
	compare := func(name, got, want string, tolerated bool) {
		if got != want && !tolerated {
			shown := withoutSecrets(got, c)
			text := fmt.Sprintf("%s is %.200q, not %.200q", name, shown, want)
			differences = append(differences, text)
		}
	}
	compare("AssumedRoleUser.Arn", c.AssumedRoleARN, d.sessionARN(), false)
	compare("the account", c.AccountID, d.lastRole().AccountID, false)
	compare("Subject", c.Subject, d.nameID, emulator)
	compare("Issuer", c.Issuer, entityID, emulator || c.Issuer == "")
	compare("Audience", c.Audience, d.recipient, emulator || c.Audience == "")
	compare("SourceIdentity", c.SourceIdentity, d.sourceIdentity,
		emulator && c.SourceIdentity == "")
	return strings.Join(differences, "; ")
}

// longBase64 is what may be an assertion.
var longBase64 = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[A-Za-z0-9+/=]{64,}`)
})

// withoutSecrets makes a field of an answer fit for an error: an answer that has its values in the
// wrong fields must not bring its secrets into a log.
func withoutSecrets(text string, c *Credentials) string {
	for _, secret := range []string{c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return longBase64().ReplaceAllString(text, redacted)
}

// stsError makes the Error of a failed call of AssumeRoleWithSAML.
func stsError(err error, host string, timedOut bool) *Error {
	return errorOf(session.ErrorOf(err, timedOut), host)
}

// errorOf is the one place where the reader's codes become ours.
func errorOf(failure *session.Error, host string) *Error {
	e := newError(Code(failure.Code), "%s: %w", host, failure.Err)
	e.RequestID = failure.RequestID
	if e.Code == CodeSTSPackedSize {
		e.PackedPolicySize = session.PackedPercent(failure.Err.Error())
	}
	return e
}
