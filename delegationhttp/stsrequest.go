package delegationhttp

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/session"
)

// The limits of AssumeRoleWithWebIdentity (STS API Reference).
const (
	minDurationSeconds = 900
	maxDurationSeconds = 43_200
	maxPolicyARNs      = 10
)

// webIdentityRequest is what AssumeRoleWithWebIdentity asks for. Its form is checked, and nothing
// in it is verified.
type webIdentityRequest struct {
	token       string
	roleARN     string
	sessionName string
	duration    time.Duration // zero: none is asked for
	policy      string
	policyARNs  []string
}

// readWebIdentity reads the parameters of AssumeRoleWithWebIdentity.
func readWebIdentity(call *stsCall) (*webIdentityRequest, *refusal) {
	asked := new(webIdentityRequest)
	for _, read := range []func(*stsCall) *refusal{
		asked.readToken, asked.readRole, asked.readSessionName, asked.readDuration,
		asked.readPolicies,
	} {
		if refused := read(call); refused != nil {
			return nil, refused
		}
	}
	if _, given := call.take("ProviderId"); given {
		return nil, invalid(http.StatusBadRequest, "ProviderId is not supported: it is for "+
			"OAuth access tokens, and here WebIdentityToken is an OpenID ID token")
	}
	if refused := call.requireAllRead(); refused != nil {
		return nil, refused
	}
	return asked, nil
}

func (q *webIdentityRequest) readToken(call *stsCall) *refusal {
	q.token, _ = call.take("WebIdentityToken")
	if q.token == "" {
		return invalid(http.StatusBadRequest, "missing WebIdentityToken parameter: "+
			"AWS's SDKs read it from the file that AWS_WEB_IDENTITY_TOKEN_FILE names")
	}
	return nil
}

func (q *webIdentityRequest) readRole(call *stsCall) *refusal {
	q.roleARN, _ = call.take("RoleArn")
	if q.roleARN == "" {
		return invalid(http.StatusBadRequest,
			"missing RoleArn parameter: AWS's SDKs take it from AWS_ROLE_ARN")
	}
	if _, err := iam.Role.Parse(q.roleARN); err != nil {
		return invalid(http.StatusBadRequest, "RoleArn is not the ARN of a role")
	}
	return nil
}

func (q *webIdentityRequest) readSessionName(call *stsCall) *refusal {
	q.sessionName, _ = call.take("RoleSessionName")
	if !session.ValidName(q.sessionName) {
		return invalid(http.StatusBadRequest, "RoleSessionName must be "+
			"2 to 64 characters of letters, digits and _+=,.@-")
	}
	return nil
}

func (q *webIdentityRequest) readDuration(call *stsCall) *refusal {
	text, given := call.take("DurationSeconds")
	if !given {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil || seconds < minDurationSeconds || seconds > maxDurationSeconds {
		return invalid(http.StatusBadRequest,
			"DurationSeconds must be a whole number from %d to %d",
			minDurationSeconds, maxDurationSeconds)
	}
	q.duration = time.Duration(seconds) * time.Second
	return nil
}

// readPolicies reads Policy and PolicyArns.member.N.arn, whose N count from 1 without a gap.
func (q *webIdentityRequest) readPolicies(call *stsCall) *refusal {
	policy, given := call.take("Policy")
	if given && policy == "" {
		return invalid(http.StatusBadRequest, "Policy is empty: leave it out, or send a policy")
	}
	q.policy = policy
	// An empty list, as botocore writes it.
	if text, given := call.take("PolicyArns"); given && text != "" {
		return invalid(http.StatusBadRequest, "PolicyArns is not a list")
	}
	for n := 1; n <= maxPolicyARNs; n++ {
		arn, given := call.take(fmt.Sprintf("PolicyArns.member.%d.arn", n))
		if !given {
			break
		}
		q.policyARNs = append(q.policyARNs, arn)
	}
	return nil
}

// options are those of the exchange.
func (q *webIdentityRequest) options() []delegation.ExchangeOption {
	options := []delegation.ExchangeOption{
		delegation.WithRole(q.roleARN),
		delegation.WithSessionDuration(q.duration),
	}
	if q.policy != "" || len(q.policyARNs) > 0 {
		options = append(options, delegation.WithSessionPolicy(q.policy, q.policyARNs...))
	}
	return options
}
