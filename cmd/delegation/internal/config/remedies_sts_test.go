package config_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

const dublin = "eu-west-1"

// stsRemedies are of what AWS answers.
func stsRemedies() []remedy {
	return []remedy{
		{
			of:      "a key that IAM does not have",
			code:    delegation.CodeSTSSignature,
			scene:   hasAnotherKey,
			act:     publishesMetadata,
			follows: []string{"IdentityProvider.Metadata"},
		},
		{
			of:   "another entity ID",
			code: delegation.CodeSTSIssuer,
			with: settings{"IdentityProvider.EntityID": "urn:other.example.com"},
			do:   settings{"IdentityProvider.EntityID": delegationtest.EntityID},
		},
		{
			of:      "no such SAML provider",
			code:    delegation.CodeSTSProvider,
			with:    settings{"AWS.Principal": otherProvider},
			scene:   func(s *scene) { s.trusts(otherProvider) },
			act:     publishesMetadata,
			follows: []string{"IdentityProvider.Metadata"},
		},
		{
			of:    "a recipient that AWS is not",
			code:  delegation.CodeSTSConfirmation,
			with:  settings{"Target.SAMLRecipient": "https://example.com/saml"},
			scene: func(s *scene) { s.Config.STS = pedant{s.Config.STS} },
			do:    settings{"Target.SAMLRecipient": nil},
		},
		{
			of:   "an audience that AWS is not",
			code: delegation.CodeSTSAudience,
			with: settings{"Target.SAMLAudience": "urn:example.com"},
			do:   settings{"Target.SAMLAudience": nil},
		},
		{
			of:      "a message of tomorrow",
			code:    delegation.CodeSTSIdentityToken,
			scene:   refuses("InvalidIdentityToken", "Something new"),
			act:     publishesMetadata,
			follows: []string{"IdentityProvider.Metadata"},
		},
		{
			of:    "a region that is not activated",
			code:  delegation.CodeSTSRegionDisabled,
			scene: inRegions(ststest.RegionDisabled()),
			do:    settings{"AWS.FailoverRegions": []string{dublin}},
		},
		{
			of:   "a long session",
			code: delegation.CodeSTSDuration,
			with: settings{"AWS.SessionDuration": 2 * time.Hour},
			do:   settings{"AWS.SessionDuration": time.Hour},
		},
		{
			of:    "a region that is down",
			code:  delegation.CodeSTSUnavailable,
			scene: inRegions(ststest.Status(http.StatusServiceUnavailable)),
			do:    settings{"AWS.FailoverRegions": []string{dublin}},
		},
		{
			of:    "a slow network",
			code:  delegation.CodeSTSTimeout,
			with:  settings{"Config.STSTimeout": time.Millisecond},
			scene: func(s *scene) { s.Config.STS = slow{s.Config.STS} },
			do:    settings{"Config.STSTimeout": 2 * time.Minute},
		},
		{
			of:    "an emulator",
			code:  delegation.CodeSTSAnswerMismatch,
			scene: func(s *scene) { s.Config.STS = emulator{s.Config.STS} },
			do:    settings{"Config.UnsafeSTSEmulator": true},
		},
	}
}

// hasAnotherKey gives IAM the metadata of another signing key.
func hasAnotherKey(s *scene) {
	identity := delegationtest.Identity()
	identity.Keys = []delegation.SigningKey{delegationtest.NextSigningKey()}
	err := s.STS.PutSAMLProvider(delegationtest.Principal, must(identity.Metadata()))
	if err != nil {
		s.t.Fatal(err)
	}
}

// publishesMetadata makes the target's SAML provider of the configured identity.
func publishesMetadata(s *scene, c *delegation.Config) {
	principal := c.Targets.(delegation.Targets)[app].Principal
	err := s.STS.PutSAMLProvider(principal, must(c.IdentityProvider.Metadata()))
	if err != nil {
		s.t.Fatal(err)
	}
}

// refuses has AWS refuse one call.
func refuses(code, message string) func(s *scene) {
	return func(s *scene) { s.STS.Script(ststest.Refuse(http.StatusBadRequest, code, message)) }
}

// inRegions has STS at the hosts of all regions, and a fault in the target's.
func inRegions(fault ststest.Fault) func(s *scene) {
	return func(s *scene) {
		server := httptest.NewServer(s.STS)
		s.t.Cleanup(server.Close)
		s.Config.STS = sts.New(sts.Options{
			Credentials:      aws.AnonymousCredentials{},
			RetryMaxAttempts: 1,
			HTTPClient:       hosts{strings.TrimPrefix(server.URL, "http://")},
		})
		s.STS.Script(ststest.Repeat(5, fault.In(delegationtest.Region)))
	}
}

// hosts leads the SDK's requests to STS's own hosts to a fake.
type hosts struct{ server string }

func (h hosts) Do(r *http.Request) (*http.Response, error) {
	to := r.Clone(r.Context())
	to.Host = r.URL.Host
	to.URL.Scheme = "http"
	to.URL.Host = h.server
	return http.DefaultClient.Do(to)
}

// pedant is an STS that reads the recipient. AWS does, and its imitation leaves that to the trust
// policy.
type pedant struct{ next delegation.STS }

func (p pedant) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, set ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	response := must(base64.StdEncoding.DecodeString(*in.SAMLAssertion))
	if !bytes.Contains(response, []byte(`Recipient="https://eu-central-1.signin.aws.amazon.com`)) {
		return nil, &smithy.GenericAPIError{
			Code: "InvalidIdentityToken",
			Message: "Responses must contain SubjectConfirmatonData with a Recipient and " +
				"NotOnOrAfter",
		}
	}
	return p.next.AssumeRoleWithSAML(ctx, in, set...)
}

// slow is an STS that needs a second.
type slow struct{ next delegation.STS }

func (s slow) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, set ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	if end, limited := ctx.Deadline(); limited && time.Until(end) < time.Second {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.next.AssumeRoleWithSAML(ctx, in, set...)
}

// emulator is an STS that does not read the assertion.
type emulator struct{ next delegation.STS }

func (e emulator) AssumeRoleWithSAML(
	ctx context.Context, in *sts.AssumeRoleWithSAMLInput, set ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	out, err := e.next.AssumeRoleWithSAML(ctx, in, set...)
	if err != nil {
		return nil, err
	}
	out.Subject = aws.String("mock-subject")
	out.Issuer = aws.String("http://localhost/saml")
	return out, nil
}
