package delegation_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/samlattr"
	"github.com/seed055b7978/delegation/ststest"
)

// allowAll is a trust policy that trusts the provider for all that an exchange may need.
const allowAll = delegationtest.TrustPolicy

// strictWorld is a world whose STS is ststest behind the SDK's own client.
func strictWorld(t testing.TB) (*world, *ststest.Server) {
	t.Helper()
	w := newWorld(t)
	w.config.STS = w.strict
	return w, w.fake
}

func TestExchangeAgainstStrictSTS(t *testing.T) {
	w, fake := strictWorld(t)
	w.target(func(target *delegation.Target) {
		target.Tags = map[string]string{"team": "press", "cost-center": "42"}
		target.TransitiveTagKeys = []string{"team"}
		target.SourceIdentity = "alice"
		target.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
		target.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		target.Mappings = delegation.Mappings{samlattr.EduPersonAffiliation: "groups"}
		target.SessionDuration = 30 * time.Minute
	})
	credentials, err := w.exchange(t, map[string]any{"groups": []string{"staff", "press"},
		"email": "alice@example.com", "email_verified": true})
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(30 * time.Minute); !credentials.Expiration.Equal(want) {
		t.Errorf("expiration %s, want %s", credentials.Expiration, want)
	}
	if credentials.PackedPolicySize == 0 || credentials.RequestID == "" {
		t.Errorf("packed size %d and request ID %q must come back", credentials.PackedPolicySize,
			credentials.RequestID)
	}
	for what, pair := range map[string][2]string{
		"assumed role": {credentials.AssumedRoleARN,
			"arn:aws:sts::123456789012:assumed-role/photo-user/alice@example.com"},
		"account":      {credentials.AccountID, account},
		"subject":      {credentials.Subject, alice},
		"subject type": {credentials.SubjectType, "persistent"},
		"issuer":       {credentials.Issuer, entityID},
		"audience": {credentials.Audience,
			"https://eu-central-1.signin.aws.amazon.com/saml"},
		"source identity": {credentials.SourceIdentity, "alice"},
		"region":          {credentials.Region, "eu-central-1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	call := fake.Calls()[0]
	if call.Subject != alice || call.PrincipalTags["team"] != "press" ||
		call.TransitiveTagKeys[0] != "team" || call.Duration != 30*time.Minute {
		t.Errorf("STS saw %+v", call)
	}
	event := w.events[0]
	if event.AssertionID != call.AssertionID || event.AssertionID == "" ||
		event.RequestID != call.RequestID || event.AccessKeyID != call.AccessKeyID {
		t.Errorf("the event %+v does not name STS's call %+v", event, call)
	}
}

// TestCredentialsWork signs a request with the credentials: they are whole.
func TestCredentialsWork(t *testing.T) {
	w, _ := strictWorld(t)
	// the SDK signs with the machine's clock, so the fake one must agree with it
	w.clock.Advance(time.Since(start))
	credentials, err := w.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := w.config.STS.(*sts.Client)
	identity, err := client.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{},
		func(o *sts.Options) {
			o.Region = credentials.Region
			o.Credentials = aws.CredentialsProviderFunc(func(
				context.Context,
			) (aws.Credentials, error) {
				return credentials.AWS(), nil
			})
		})
	if err != nil {
		t.Fatal(err)
	}
	if *identity.Arn != credentials.AssumedRoleARN || *identity.Account != account {
		t.Errorf("AWS sees %s of %s", *identity.Arn, *identity.Account)
	}
}

// TestIncident_WireCodes: another tool's fix for packed sizes never worked, because it looked for a
// code with the suffix Exception, which only two codes have on the wire. Here every code and
// message that AWS is known to answer has its own code and remedy.
func TestIncident_WireCodes(t *testing.T) {
	const suffix = " (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: " +
		"AuthSamlInvalidSamlResponseException; Request ID: 1; Proxy: null)"
	for _, row := range []struct {
		status        int
		wire, message string
		code          delegation.Code
		attempts      int
		retryable     bool
		remedy        string // a word that the remedy must have
	}{
		{400, "ExpiredTokenException", "Response has expired", delegation.CodeSTSExpired,
			1, true, "clock"},
		{400, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance",
			delegation.CodeSTSTooOld, 1, true, "clock"},
		{400, "InvalidIdentityToken", "Response is not yet valid",
			delegation.CodeSTSNotYetValid, 1, true, "ahead"},
		{403, "IDPRejectedClaim", "rejected", delegation.CodeSTSClaimRejected, 1,
			false, "entity ID"},
		{400, "InvalidIdentityToken", "Response signature invalid", delegation.CodeSTSSignature, 1,
			false, "Metadata"},
		{400, "InvalidIdentityToken", "Response signature invalid" + suffix,
			delegation.CodeSTSSignature, 1, false, "Metadata"},
		{400, "InvalidIdentityToken", "Issuer not present in specified provider" + suffix,
			delegation.CodeSTSIssuer, 1, false, "EntityID"},
		{400, "InvalidIdentityToken", "Specified provider doesn't exist" + suffix,
			delegation.CodeSTSProvider, 1, false, "principal"},
		{400, "InvalidIdentityToken", "Invalid base64 SAMLResponse" + suffix,
			delegation.CodeSTSUnreadable, 1, false, "bug"},
		{400, "InvalidIdentityToken",
			"Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter",
			delegation.CodeSTSConfirmation, 1, false, "SAMLRecipient"},
		{400, "InvalidIdentityToken", "Response does not contain the required audience.",
			delegation.CodeSTSAudience, 1, false, "SAMLAudience"},
		{400, "InvalidIdentityToken",
			"SAML Assertion doesn't contain the requested Role and Metadata in the attributes",
			delegation.CodeSTSRolePair, 1, false, "mapping of Role"},
		{400, "InvalidIdentityToken", "RoleSessionName is required in AuthnResponse",
			delegation.CodeSTSSessionName, 1, false, "64"},
		{400, "InvalidIdentityToken",
			"RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
			delegation.CodeSTSSessionName, 1, false, "64"},
		{400, "InvalidIdentityToken",
			`Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"`,
			delegation.CodeSTSSourceIdentity, 1, false, "aws:"},
		{400, "InvalidIdentityToken", "something new", delegation.CodeSTSIdentityToken, 1,
			false, "Metadata"},
		{400, "MalformedPolicyDocument", "The policy is not in the valid JSON format.",
			delegation.CodeSTSPolicy, 1, false, "policy"},
		{400, "PackedPolicyTooLarge",
			"Packed size of session tags consumes 138% of allotted space.",
			delegation.CodeSTSPackedSize, 1, false, "tags"},
		{400, "PackedPolicyTooLarge", "Serialized token too large for session",
			delegation.CodeSTSPackedSize, 1, false, "tags"},
		{400, "PackedPolicyTooLargeException",
			"Packed size of session tags consumes 138% of allotted space.",
			delegation.CodeSTSPackedSize, 1, false, "tags"},
		{400, "ValidationError", "Unable to validate tags", delegation.CodeSTSTags, 1, false,
			"the session tags"},
		{403, "RegionDisabledException",
			"STS is not activated in this region for account:123456789012.",
			delegation.CodeSTSRegionDisabled, 1, false, "activate"},
		{403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML",
			delegation.CodeSTSAccessDenied, 1, false, "sts:TagSession"},
		{400, "ValidationError", "Request ARN is invalid", delegation.CodeSTSRoleARN, 1,
			false, "role ARN"},
		{400, "ValidationError", "Principal ARN is invalid", delegation.CodeSTSPrincipalARN, 1,
			false, "principal ARN"},
		{400, "ValidationError", "Principal exists outside the account of the Role being assumed",
			delegation.CodeSTSOtherAccount, 1, false, "same account"},
		{400, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
			delegation.CodeSTSDuration, 1, false, "maximum"},
		{400, "ValidationError",
			"1 validation error detected: Value '' at 'roleArn' failed to satisfy constraint: " +
				"Member must have length greater than or equal to 20", delegation.CodeSTSValidation,
			1, false, "parameter"},
		{400, "MalformedInput", "", delegation.CodeSTSValidation, 1, false, "parameter"},
		{400, "InvalidAction", "Could not find operation X for version Y",
			delegation.CodeSTSValidation, 1, false, "parameter"},
		{400, "Throttling", "Rate exceeded", delegation.CodeSTSThrottled, 3, true, "send fewer"},
		{429, "TooManyRequestsException", "slow", delegation.CodeSTSThrottled, 3,
			true, "send fewer"},
		{500, "InternalFailure", "oops", delegation.CodeSTSUnavailable, 3, true, "try again"},
		{503, "ServiceUnavailable", "oops", delegation.CodeSTSUnavailable, 3, true, "try again"},
		{400, "SomethingNew", "of tomorrow", delegation.CodeSTSRefused, 1, false, "message"},
	} {
		t.Run(string(row.code)+"/"+row.wire, func(t *testing.T) {
			w, fake := strictWorld(t)
			fake.Script(ststest.Repeat(3, ststest.Refuse(row.status, row.wire, row.message)))
			credentials, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, row.code)
			if credentials != nil {
				t.Error("credentials beside an error")
			}
			if got := len(fake.Calls()); got != row.attempts {
				t.Errorf("%d attempts, want %d", got, row.attempts)
			}
			if e.Retryable != row.retryable || !strings.Contains(e.Remedy, row.remedy) {
				t.Errorf("retryable %t, remedy %q", e.Retryable, e.Remedy)
			}
			var api smithy.APIError
			message := cmp.Or(row.message, "UnknownError") // the SDK's word for none
			if !errors.As(err, &api) || api.ErrorCode() != row.wire ||
				api.ErrorMessage() != message {
				t.Errorf("AWS's own code and message are lost: %v", err)
			}
			calls := fake.Calls()
			if last := calls[len(calls)-1]; e.RequestID == "" || e.RequestID != last.RequestID {
				t.Errorf("request ID %q, STS's was %q", e.RequestID, last.RequestID)
			}
			if strings.Contains(e.Public(), row.wire) ||
				row.message != "" && strings.Contains(e.Public(), row.message) {
				t.Errorf("strangers see AWS's words: %q", e.Public())
			}
		})
	}
}

// TestRefusalsByTheirCauses lets a strict STS find the mistakes of real set-ups.
func TestRefusalsByTheirCauses(t *testing.T) {
	other := delegation.IdentityProvider{
		EntityID: entityID,
		Keys:     []delegation.SigningKey{nextKey()},
	}
	elsewhere := delegation.IdentityProvider{
		EntityID: "urn:elsewhere",
		Keys:     []delegation.SigningKey{signingKey()},
	}
	noTags := strings.Replace(allowAll, `, "sts:TagSession"`, "", 1)
	noSource := strings.Replace(allowAll, `, "sts:SetSourceIdentity"`, "", 1)
	otherAudience := strings.Replace(allowAll, `"Action"`,
		`"Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}, "Action"`, 1)
	for name, row := range map[string]struct {
		set  func(*world, *ststest.Server) error
		code delegation.Code
	}{
		"stale metadata": {func(_ *world, s *ststest.Server) error {
			return s.PutSAMLProvider(principal, must(other.Metadata()))
		}, delegation.CodeSTSSignature},
		"other entity ID": {func(_ *world, s *ststest.Server) error {
			return s.PutSAMLProvider(principal, must(elsewhere.Metadata()))
		}, delegation.CodeSTSIssuer},
		"no provider": {func(w *world, s *ststest.Server) error {
			w.retarget(func(a *delegation.AWS) { a.Principal = principal + "2" })
			return nil
		}, delegation.CodeSTSProvider},
		"no role": {func(w *world, s *ststest.Server) error {
			w.retarget(func(a *delegation.AWS) { a.Role = role + "2" })
			return nil
		}, delegation.CodeSTSAccessDenied},
		"trust policy forgets sts:TagSession": {func(w *world, s *ststest.Server) error {
			w.retarget(func(a *delegation.AWS) { a.Tags = map[string]string{"team": "press"} })
			return s.PutRole(ststest.Role{ARN: role, TrustPolicy: noTags})
		}, delegation.CodeSTSAccessDenied},
		"trust policy forgets sts:SetSourceIdentity": {func(w *world, s *ststest.Server) error {
			w.retarget(func(a *delegation.AWS) { a.SourceIdentity = "alice" })
			return s.PutRole(ststest.Role{ARN: role, TrustPolicy: noSource})
		}, delegation.CodeSTSAccessDenied},
		"trust policy wants the global recipient": {func(_ *world, s *ststest.Server) error {
			return s.PutRole(ststest.Role{ARN: role, TrustPolicy: otherAudience})
		}, delegation.CodeSTSAccessDenied},
		"session longer than the role's maximum": {func(w *world, s *ststest.Server) error {
			w.retarget(func(a *delegation.AWS) { a.SessionDuration = 2 * time.Hour })
			return nil
		}, delegation.CodeSTSDuration},
		"wrong audience": {func(w *world, s *ststest.Server) error {
			w.target(func(t *delegation.Target) { t.SAMLAudience = "urn:elsewhere" })
			return nil
		}, delegation.CodeSTSAudience},
		"clock behind by six minutes": {func(w *world, s *ststest.Server) error {
			now := w.config.Now
			w.config.Now = func() time.Time { return now().Add(-6 * time.Minute) }
			w.config.Leeway = 5 * time.Minute
			return nil
		}, delegation.CodeSTSExpired},
		"region not activated": {func(_ *world, s *ststest.Server) error {
			s.Script(ststest.RegionDisabled())
			return nil
		}, delegation.CodeSTSRegionDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			if err := row.set(w, fake); err != nil {
				t.Fatal(err)
			}
			_, err := w.exchange(t, map[string]any{"iat": start.Add(-6 * time.Minute).Unix(),
				"exp": start.Add(time.Hour).Unix()})
			wantError(t, err, delegation.StageSTS, row.code)
		})
	}
}

// retarget changes the target's AWS settings.
func (w *world) retarget(change func(*delegation.AWS)) {
	w.target(func(t *delegation.Target) { change(&t.AWS) })
}

// TestIncident_AnswerWithoutCredentials: an SDK panicked on a success without credentials. Nothing
// in a 200 is believed.
func TestIncident_AnswerWithoutCredentials(t *testing.T) {
	for name, fault := range map[string]ststest.Fault{
		"nothing":          ststest.Missing("AssumeRoleWithSAMLResult"),
		"no credentials":   ststest.Missing("Credentials"),
		"no access key":    ststest.Missing("AccessKeyId"),
		"no secret":        ststest.Missing("SecretAccessKey"),
		"no session token": ststest.Missing("SessionToken"),
		"no expiration":    ststest.Missing("Expiration"),
		"expired":          ststest.Expired(),
		"no assumed role":  ststest.Missing("AssumedRoleUser"),
		"no role ARN":      ststest.Missing("Arn"),
		"no role ID":       ststest.Missing("AssumedRoleId"),
		"no subject":       ststest.Missing("Subject"),
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			fake.Script(fault)
			credentials, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
			if credentials != nil || !e.Retryable {
				t.Errorf("credentials %v, retryable %t", credentials, e.Retryable)
			}
		})
	}
	for name, field := range map[string]func(*sts.AssumeRoleWithSAMLOutput) **string{
		"access key": func(o *sts.AssumeRoleWithSAMLOutput) **string {
			return &o.Credentials.AccessKeyId
		},
		"secret": func(o *sts.AssumeRoleWithSAMLOutput) **string {
			return &o.Credentials.SecretAccessKey
		},
		"session token": func(o *sts.AssumeRoleWithSAMLOutput) **string {
			return &o.Credentials.SessionToken
		},
		"role ARN": func(o *sts.AssumeRoleWithSAMLOutput) **string {
			return &o.AssumedRoleUser.Arn
		},
		"role ID": func(o *sts.AssumeRoleWithSAMLOutput) **string {
			return &o.AssumedRoleUser.AssumedRoleId
		},
		"subject": func(o *sts.AssumeRoleWithSAMLOutput) **string { return &o.Subject },
	} {
		t.Run("an empty "+name, func(t *testing.T) {
			w := newWorld(t)
			w.config.STS = spoiled(w,
				func(o *sts.AssumeRoleWithSAMLOutput) { *field(o) = aws.String("") })
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
		})
	}
	t.Run("nil answer", func(t *testing.T) {
		w := newWorld(t)
		w.config.STS = stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			return nil, nil
		})
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
	})
	for name, body := range map[string]string{
		"empty": "", "not XML": "canary-garbage", "cut": "<AssumeRoleWithSAMLResponse><AssumeRole",
	} {
		t.Run("200 "+name, func(t *testing.T) {
			w := newWorld(t)
			server := httptest.NewServer(http.HandlerFunc(func(
				rw http.ResponseWriter, _ *http.Request,
			) {
				fmt.Fprint(rw, body)
			}))
			t.Cleanup(server.Close)
			w.config.STS = stsClient(server.URL)
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error repeats the body: %v", err)
			}
		})
	}
}

// spoiled is an agreeable STS whose answers are changed.
func spoiled(w *world, spoil func(*sts.AssumeRoleWithSAMLOutput)) stsFunc {
	yes := agreeable(w.clock.Now)
	return func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		out, err := yes(ctx, in)
		spoil(out)
		return out, err
	}
}

const askedSession = "arn:aws:sts::123456789012:assumed-role/photo-user/auth0_alice-4a761a4752f6b74491860f50"

// TestAnswer_IsTheOneAskedFor: a success for another session than was asked for gives no
// credentials, and the error names what differs.
func TestAnswer_IsTheOneAskedFor(t *testing.T) {
	role := func(arn string) func(*sts.AssumeRoleWithSAMLOutput) {
		return func(o *sts.AssumeRoleWithSAMLOutput) { o.AssumedRoleUser.Arn = &arn }
	}
	for name, row := range map[string]struct {
		spoil func(*sts.AssumeRoleWithSAMLOutput)
		want  []string // in the error
	}{
		"account": {
			role(strings.Replace(askedSession, "123456789012", "999999999999", 1)),
			[]string{"AssumedRoleUser.Arn", "999999999999", askedSession},
		},
		"role": {role(strings.Replace(askedSession, "photo-user", "other", 1)),
			[]string{"role/other/"}},
		"session": {
			role(strings.Replace(askedSession, "auth0_alice", "eve", 1)),
			[]string{"/photo-user/eve"},
		},
		"partition": {role(strings.Replace(askedSession, ":aws:", ":aws-cn:", 1)),
			[]string{"aws-cn"}},
		"service": {role(strings.Replace(askedSession, ":sts:", ":iam:", 1)), []string{":iam:"}},
		"region in the ARN": {role(strings.Replace(askedSession, "sts::", "sts:x:", 1)),
			[]string{"sts:x:"}},
		"case": {role(strings.Replace(askedSession, "photo", "Photo", 1)),
			[]string{"Photo"}},
		"more behind":  {role(askedSession + "/x"), []string{"/x"}},
		"blank behind": {role(askedSession + " "), []string{askedSession + ` "`}},
		"a prefix of it": {role(askedSession[:len(askedSession)-1]),
			[]string{"AssumedRoleUser.Arn"}},
		"the role, no session": {role("arn:aws:iam::123456789012:role/photo-user"),
			[]string{":role/"}},
		"subject": {
			func(o *sts.AssumeRoleWithSAMLOutput) { o.Subject = aws.String("auth0|mallory") },
			[]string{`Subject is "auth0|mallory", not "auth0|alice"`},
		},
		"subject, case": {
			func(o *sts.AssumeRoleWithSAMLOutput) { o.Subject = aws.String("auth0|Alice") },
			[]string{`"auth0|Alice"`},
		},
		"issuer": {
			func(o *sts.AssumeRoleWithSAMLOutput) { o.Issuer = aws.String("urn:eve") },
			[]string{`Issuer is "urn:eve"`, entityID},
		},
		"audience": {
			func(o *sts.AssumeRoleWithSAMLOutput) {
				o.Audience = aws.String("https://eve.example")
			},
			[]string{
				`Audience is "https://eve.example"`,
				"https://eu-central-1.signin.aws.amazon.com/saml",
			},
		},
		"source identity": {
			func(o *sts.AssumeRoleWithSAMLOutput) { o.SourceIdentity = aws.String("eve") },
			[]string{`SourceIdentity is "eve", not "alice"`},
		},
		"source identity, absent": {
			func(o *sts.AssumeRoleWithSAMLOutput) { o.SourceIdentity = nil },
			[]string{`SourceIdentity is "", not "alice"`},
		},
		"two at once": {
			func(o *sts.AssumeRoleWithSAMLOutput) {
				o.Subject = aws.String("eve")
				o.Issuer = aws.String("urn:eve")
			},
			[]string{`Subject is "eve"`, `Issuer is "urn:eve"`},
		},
		"a very long one": {
			func(o *sts.AssumeRoleWithSAMLOutput) {
				o.Subject = aws.String(strings.Repeat("x-", 500))
			},
			[]string{strings.Repeat("x-", 100) + `", not`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.retarget(func(a *delegation.AWS) { a.SourceIdentity = "alice" })
			w.config.STS = spoiled(w, row.spoil)
			credentials, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)
			if credentials != nil || e.Retryable ||
				!strings.Contains(e.Remedy, "UnsafeSTSEmulator") {
				t.Errorf("got %v, %+v", credentials, e)
			}
			for _, want := range row.want {
				if !strings.Contains(e.Error(), want) {
					t.Errorf("%q is not in %v", want, e)
				}
			}
			if len(e.Error()) > 1500 {
				t.Errorf("the error has %d bytes", len(e.Error()))
			}
		})
	}
	t.Run("a source identity that nobody sent", func(t *testing.T) {
		w := newWorld(t)
		w.config.STS = spoiled(w,
			func(o *sts.AssumeRoleWithSAMLOutput) { o.SourceIdentity = aws.String("eve") })
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)
	})
}

// TestAnswer_InTheWrongFields: an answer that has its secrets, or an assertion, where it should
// have something else does not bring them into an error.
func TestAnswer_InTheWrongFields(t *testing.T) {
	assertion := "canary" + strings.Repeat("PHNhbWw+", 20)
	for name, spoil := range map[string]func(*sts.AssumeRoleWithSAMLOutput){
		"the secret": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.Credentials.SecretAccessKey = aws.String("canary/secret")
			o.Subject = o.Credentials.SecretAccessKey
		},
		"the session token": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.Credentials.SessionToken = aws.String("canary/token")
			o.Audience = aws.String("in front, " + *o.Credentials.SessionToken)
		},
		"an assertion": func(o *sts.AssumeRoleWithSAMLOutput) { o.Issuer = &assertion },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.STS = spoiled(w, spoil)
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)
			if strings.Contains(e.Error(), "canary") || !strings.Contains(e.Error(), "[redacted]") {
				t.Errorf("got %v", e)
			}
		})
	}
}

// TestAnswer_OfARoleWithAPath: AWS leaves the path of a role out of its session's ARN.
func TestAnswer_OfARoleWithAPath(t *testing.T) {
	w := newWorld(t)
	w.retarget(func(a *delegation.AWS) { a.Role = "arn:aws:iam::123456789012:role/a/b/photo-user" })
	credentials, err := w.exchange(t, nil)
	if err != nil || credentials.AssumedRoleARN != askedSession {
		t.Errorf("got %v, %v", credentials, err)
	}
	w.config.STS = spoiled(w, func(o *sts.AssumeRoleWithSAMLOutput) {
		withPath := strings.Replace(askedSession, "/photo-user", "/a/b/photo-user", 1)
		o.AssumedRoleUser.Arn = &withPath
	})
	_, err = w.exchange(t, nil)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)
}

// TestAnswer_Unconfirmed: what AWS leaves out cannot be compared, so the event warns of it, also
// when the credentials come from the cache.
func TestAnswer_Unconfirmed(t *testing.T) {
	for name, want := range map[string][]string{
		"Issuer": {"Issuer"}, "Audience": {"Audience"}, "NameQualifier": nil, "SubjectType": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			w.config.CacheSize = 0
			fake.Script(ststest.Missing(name))
			d := w.delegator(t)
			for range 2 {
				if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
					t.Fatal(err)
				}
				event := w.newest()
				warned := slices.Contains(event.Warnings, "answer_unconfirmed")
				if !slices.Equal(event.Unconfirmed, want) || warned != (want != nil) {
					t.Errorf("%s: %q, warnings %q", event.Cache, event.Unconfirmed, event.Warnings)
				}
			}
		})
	}
}

// emulated is what moto 5 answers, and LocalStack with it.
func emulated(o *sts.AssumeRoleWithSAMLOutput) {
	o.Subject = o.AssumedRoleUser.AssumedRoleId
	o.Issuer = aws.String("http://localhost:3000/")
	o.Audience = aws.String("https://signin.aws.amazon.com/saml")
	o.SourceIdentity = nil
}

// TestUnsafeSTSEmulator: it tolerates what emulators answer, says so, and tolerates nothing else.
func TestUnsafeSTSEmulator(t *testing.T) {
	w := newWorld(t)
	w.retarget(func(a *delegation.AWS) { a.SourceIdentity = "alice" })
	w.config.STS = spoiled(w, emulated)
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)

	w.config.UnsafeSTSEmulator = true
	var log bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if credentials, err := w.exchange(t, nil); err != nil ||
		credentials.AssumedRoleARN != askedSession {
		t.Errorf("got %v, %v", credentials, err)
	}
	if !strings.Contains(log.String(), "level=WARN") ||
		!strings.Contains(log.String(), "UnsafeSTSEmulator") {
		t.Errorf("New does not warn: %s", &log)
	}
	checks := w.delegator(t).Check(t.Context())
	if checks[0].Name != "sts answers" ||
		!strings.Contains(checks[0].Warning, "sts.unsafe_emulator") {
		t.Errorf("Check does not warn: %v", checks)
	}
	for name, spoil := range map[string]func(*sts.AssumeRoleWithSAMLOutput){
		"role": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.AssumedRoleUser.Arn = aws.String(askedSession + "x")
		},
		"source identity": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.SourceIdentity = aws.String("eve")
		},
	} {
		w.config.STS = spoiled(w, func(o *sts.AssumeRoleWithSAMLOutput) {
			emulated(o)
			spoil(o)
		})
		if _, err := w.exchange(t, nil); !errors.Is(err, delegation.CodeSTSAnswerMismatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	w.config.STS = spoiled(w, func(o *sts.AssumeRoleWithSAMLOutput) { o.Subject = nil })
	_, err = w.exchange(t, nil)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
}

// TestRetries: what may pass is retried, and success after it is success.
func TestRetries(t *testing.T) {
	for name, faults := range map[string][]ststest.Fault{
		"throttled twice": {ststest.Throttle(), ststest.Throttle()},
		"5xx twice":       {ststest.Status(500), ststest.Status(503)},
		"cut once":        {ststest.Cut()},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			fake.Script(faults...)
			if _, err := w.exchange(t, nil); err != nil {
				t.Fatal(err)
			}
			if got := len(fake.Calls()); got != len(faults)+1 {
				t.Errorf("%d calls, want %d", got, len(faults)+1)
			}
		})
	}
}

// TestDefaultSTS_IsBounded: the client that New makes where Config has none reads no answer without
// end, and takes plain http on loopback only.
func TestDefaultSTS_IsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(rw)
		defer z.Close()
		text := strings.Repeat("x", 1<<16)
		for range 1 << 8 { // 16 MiB, which is 16 KiB on the wire
			if _, err := io.WriteString(z, text); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	w := newWorld(t)
	w.config.STS = nil
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
	if !strings.Contains(e.Error(), "larger than 1048576 bytes") {
		t.Errorf("got %v", e)
	}

	t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
	_, err = delegation.New(t.Context(), w.config)
	e = wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	if !strings.Contains(e.Error(), "plain http") ||
		!strings.Contains(e.Error(), "set STS to a client of your own") {
		t.Errorf("got %v", e)
	}
	w.config.STS = stsClient("http://sts.example.com")
	w.delegator(t)
}

func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	attempts := 0
	// A port that was closed could be another test's by now.
	w.config.STS = sts.New(stsClient("http://127.0.0.1:1").Options(),
		func(o *sts.Options) {
			o.HTTPClient = httpClientFunc(func(r *http.Request) (*http.Response, error) {
				attempts++
				return http.DefaultClient.Do(r)
			})
		})
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSUnavailable)
	if attempts != 3 {
		t.Errorf("%d attempts, want 3", attempts)
	}
	var dial *net.OpError
	if !e.Retryable || !errors.As(err, &dial) ||
		!strings.Contains(err.Error(), "sts.eu-central-1.amazonaws.com") {
		t.Errorf("got %v", err)
	}
}

// TestSTSTimeout_Exactly: a call has the time of the configuration, ten seconds by default, by the
// bubble's clock.
func TestSTSTimeout_Exactly(t *testing.T) {
	w := newWorld(t)
	w.config.Issuers[0].JWKS = w.provider.KeySet()
	w.config.STS = stsFunc(func(
		ctx context.Context, _ *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	token := w.token(nil)
	for limit, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, 7 * time.Second: 7 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			w.config.STSTimeout = limit
			d := w.delegator(t)
			began := time.Now()
			_, err := d.Exchange(t.Context(), token, app)
			wantError(t, err, delegation.StageSTS, delegation.CodeSTSTimeout)
			if took := time.Since(began); took != want {
				t.Errorf("it took %s, want %s", took, want)
			}
		})
	}
}

func TestSTSTimeout(t *testing.T) {
	w, fake := strictWorld(t)
	fake.Script(ststest.Repeat(3, ststest.Hang()))
	w.config.STSTimeout = 20 * time.Millisecond // of the real clock: the SDK has no other
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSTimeout)
	if !e.Retryable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestCallerLeavesDuringSTS: the caller's own context ends the call with its own error, not with a
// time-out of ours.
func TestCallerLeavesDuringSTS(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.config.STS = stsFunc(func(
		ctx context.Context, _ *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
	wantError(t, err, delegation.StageSTS, delegation.CodeCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("context.Canceled is not visible in %v", err)
	}
}

// TestSTSErrorsHoldNoAssertion: AWS's validation errors repeat the value they refuse, and a
// client's own errors lead to the request.
func TestSTSErrorsHoldNoAssertion(t *testing.T) {
	for name, answer := range map[string]func(assertion string) error{
		"AWS repeats it": func(a string) error {
			return &smithy.GenericAPIError{
				Code:    "ValidationError",
				Message: "Value '" + a + "' at 'sAMLAssertion' failed to satisfy constraint",
			}
		},
		"client repeats it": func(a string) error { return errors.New("cannot send " + a) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var assertion string
			w.config.STS = stsFunc(func(
				_ context.Context, in *sts.AssumeRoleWithSAMLInput,
			) (*sts.AssumeRoleWithSAMLOutput, error) {
				assertion = *in.SAMLAssertion
				return nil, answer(assertion)
			})
			_, err := w.exchange(t, nil)
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), assertion[:40]) ||
					strings.Contains(fmt.Sprintf("%#v", e), assertion[:40]) {
					t.Fatalf("%T holds the assertion", e)
				}
			}
		})
	}
}

// TestEndpointFollowsRegion: the call goes to the decision's region, with FIPS or dual stack if
// asked.
func TestEndpointFollowsRegion(t *testing.T) {
	for _, row := range []struct {
		region    string
		fips, ds  bool
		account   string
		partition string
		host      string
	}{
		{"eu-central-1", false, false, account, "aws", "sts.eu-central-1.amazonaws.com"},
		{"us-east-1", true, false, account, "aws", "sts-fips.us-east-1.amazonaws.com"},
		{"eu-west-1", false, true, account, "aws", "sts.eu-west-1.api.aws"},
		{"cn-north-1", false, false, account, "aws-cn", "sts.cn-north-1.amazonaws.com.cn"},
		{"us-gov-west-1", true, false, account, "aws-us-gov", "sts.us-gov-west-1.amazonaws.com"},
		{"eusc-de-east-1", false, false, account, "aws-eusc", "sts.eusc-de-east-1.amazonaws.eu"},
	} {
		t.Run(row.host, func(t *testing.T) {
			w := newWorld(t)
			w.retarget(func(a *delegation.AWS) {
				a.Region = row.region
				a.Role = strings.Replace(role, ":aws:", ":"+row.partition+":", 1)
				a.Principal = strings.Replace(principal, ":aws:", ":"+row.partition+":", 1)
			})
			w.config.FIPS, w.config.DualStack = row.fips, row.ds
			var asked string
			client := sts.New(sts.Options{
				Credentials: aws.AnonymousCredentials{},
				HTTPClient: httpClientFunc(func(r *http.Request) (*http.Response, error) {
					asked = r.URL.Host
					return nil, errors.New("no network in this test")
				}),
				RetryMaxAttempts: 1,
			})
			w.config.STS = client
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSUnavailable)
			if asked != row.host || !strings.Contains(e.Error(), row.host) {
				t.Errorf("asked %q, want %q; the error is %v", asked, row.host, e)
			}
		})
	}
}

type httpClientFunc func(*http.Request) (*http.Response, error)

func (f httpClientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestDefaultSTS: the default client is the SDK's, takes its endpoint overrides, retries, and asks
// for no credentials.
func TestDefaultSTS(t *testing.T) {
	w, fake := strictWorld(t)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	// whoever asks for credentials fails here
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	w.config.STS = nil
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
}
