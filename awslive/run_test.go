package awslive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// caller is the one call that is made.
type caller interface {
	AssumeRoleWithSAML(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput, options ...func(*sts.Options),
	) (*sts.AssumeRoleWithSAMLOutput, error)
}

// answer is what AWS said to a probe.
type answer struct {
	probe probe
	text  string
}

// run asks the control first, and then each probe. Without an accepted control no answer means
// anything, so that is an error.
func run(
	ctx context.Context, client caller, s setUp, now func() time.Time,
) (answers []answer, err error) {
	accepted, text := s.ask(ctx, client, probe{name: "control"}, now())
	if !accepted {
		return nil, fmt.Errorf("the control was not accepted, so the set-up is wrong: %s", text)
	}
	for _, p := range s.probes() {
		_, text := s.ask(ctx, client, p, now())
		answers = append(answers, answer{p, text})
	}
	return answers, ctx.Err()
}

// ask makes the call of a probe, and says what AWS answered, without anything of the account.
func (s setUp) ask(
	ctx context.Context, client caller, p probe, now time.Time,
) (accepted bool, text string) {
	response := s.control(now)
	if p.change != nil {
		p.change(response)
	}
	encoded, err := response.encoded()
	if err != nil {
		return false, "not sent: " + err.Error()
	}
	out, err := client.AssumeRoleWithSAML(ctx, &sts.AssumeRoleWithSAMLInput{
		RoleArn:         aws.String(cmp.Or(p.role, s.role)),
		PrincipalArn:    aws.String(cmp.Or(p.provider, s.provider)),
		SAMLAssertion:   aws.String(encoded),
		DurationSeconds: aws.Int32(900), // the shortest: nobody uses these sessions
	})
	if err != nil {
		return false, s.refusal(err)
	}
	return true, fmt.Sprintf("accepted; SubjectType %q, Audience %q, a source identity of %d",
		aws.ToString(out.SubjectType), aws.ToString(out.Audience),
		len(aws.ToString(out.SourceIdentity)))
}

// refusal is AWS's code and message, less what names the account or the request.
func (s setUp) refusal(err error) string {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return "no answer: " + s.masked(err.Error())
	}
	return s.masked(refused.ErrorCode() + ": " + refused.ErrorMessage())
}

var requestID = regexp.MustCompile(`[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`)

func (s setUp) masked(text string) string {
	text = strings.ReplaceAll(text, s.account, "ACCOUNT")
	text = requestID.ReplaceAllString(text, "REQUEST")
	return strings.Join(strings.Fields(text), " ")
}

// report writes the answers as a page, in the order of the questions.
func (s setUp) report(answers []answer, now time.Time) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# What AWS answered\n\n"+
		"Written by `awslive/run` on %s, for the partition %s and the region %s.\n",
		now.UTC().Format(time.DateOnly), s.partition, s.region)
	for number, question := range questions {
		if number == 0 {
			continue
		}
		fmt.Fprintf(&page, "\n## %d. %s\n\n| Probe | AWS's answer |\n|---|---|\n", number, question)
		for _, a := range answers {
			if a.probe.question == number {
				fmt.Fprintf(&page, "| %s | %s |\n", cell(a.probe.name), cell(a.text))
			}
		}
	}
	return page.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// accountVariable names the account that the run is for. Without it nothing is sent.
const accountVariable = "DELEGATION_AWS_ACCOUNT"

// fromEnvironment reads what the script has made. It refuses to go on if the operator has not named
// the account, or if an ARN is of another one.
func fromEnvironment(variable func(string) string) (setUp, error) {
	s := setUp{
		account:       variable(accountVariable),
		region:        variable("AWS_REGION"),
		provider:      variable("DELEGATION_AWS_PROVIDER"),
		role:          variable("DELEGATION_AWS_ROLE"),
		ecdsaProvider: variable("DELEGATION_AWS_ECDSA_PROVIDER"),
		ecdsaRole:     variable("DELEGATION_AWS_ECDSA_ROLE"),
		entityID:      variable("DELEGATION_AWS_ENTITY_ID"),
		claimRoles: map[string]string{
			"saml:uid":             variable("DELEGATION_AWS_UID_ROLE"),
			"saml:primaryGroupSID": variable("DELEGATION_AWS_SID_ROLE"),
		},
	}
	if !regexp.MustCompile(`\A\d{12}\z`).MatchString(s.account) {
		return s, errors.New("set " + accountVariable + " to the 12 digits of the account that " +
			"this may use: it makes calls to AWS")
	}
	if s.region == "" || s.provider == "" || s.role == "" || s.entityID == "" {
		return s, errors.New("run awslive/run, which makes the provider and the roles")
	}
	for _, text := range []string{
		s.provider, s.role, s.ecdsaProvider, s.ecdsaRole,
		s.claimRoles["saml:uid"], s.claimRoles["saml:primaryGroupSID"],
	} {
		if text == "" {
			continue
		}
		parsed, err := arn.Parse(text)
		if err != nil || parsed.AccountID != s.account {
			return s, fmt.Errorf("%q is not of the account in %s", text, accountVariable)
		}
		s.partition = parsed.Partition
	}
	return s, nil
}
