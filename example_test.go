package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/samlattr"
	"github.com/seed055b7978/delegation/ststest"
)

// One exchange from end to end. Delegationtest has the OpenID provider and an STS in memory. In
// production the provider is yours, and without Config.STS it is AWS that is asked.
func ExampleDelegator_Exchange() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()

	d, err := delegation.New(ctx, delegation.Config{
		Issuers: []delegation.Issuer{{URL: world.IssuerURL, AllowLoopbackHTTP: true}},
		IdentityProvider: delegation.IdentityProvider{
			EntityID: "urn:tenant.example.com",
			Keys:     []delegation.SigningKey{delegationtest.SigningKey()}, // or ParseSigningKey
		},
		Targets: delegation.Targets{"photo-app": {AWS: delegation.AWS{
			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
			Role:      "arn:aws:iam::123456789012:role/photo-user",
			Region:    "eu-central-1",
		}}},
		Rules: []delegation.RuleFunc{delegation.RequireVerifiedEmail()},
		STS:   delegationtest.NewSTSClient(world.STSURL), // in production, leave this out
		Now:   world.Clock.Now,                           // and this
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{
		"sub":            "auth0|alice",
		"aud":            "photo-app",
		"email":          "alice@example.com",
		"email_verified": true,
	})

	credentials, err := d.Exchange(ctx, idToken, "photo-app")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credentials.AssumedRoleARN)
	fmt.Println(credentials.Subject, credentials.SecretAccessKey)
	// Output:
	// arn:aws:sts::123456789012:assumed-role/photo-user/alice@example.com
	// auth0|alice [redacted]
}

// One client of the AWS SDK serves all users: each call has the credentials of the user whose token
// is in its context.
func ExampleDelegator_FromContext() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	world.Clock.Set(time.Now()) // the SDK signs by the real time
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	config := aws.Config{
		Region:      "eu-central-1",
		Credentials: d.FromContext("photo-app"),
	}
	config.BaseEndpoint = aws.String(world.STSURL) // for AWS, leave this out
	client := sts.NewFromConfig(config)            // or of another service
	for _, user := range []string{"alice", "bob"} {
		idToken := world.Token(map[string]any{"sub": user})
		ctx := delegation.WithIDToken(ctx, idToken)
		identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(aws.ToString(identity.Arn))
	}
	_, err = client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	fmt.Println(errors.Is(err, delegation.CodeContextWithoutToken))
	// Output:
	// arn:aws:sts::123456789012:assumed-role/photo-user/alice
	// arn:aws:sts::123456789012:assumed-role/photo-user/bob
	// true
}

// What a refused exchange says to the operator, to a program, and to the user.
func ExampleDelegator_Exchange_refused() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(nil)
	world.Clock.Advance(24 * time.Hour)

	_, err = d.Exchange(ctx, idToken, "photo-app")
	var refused *delegation.Error
	if errors.As(err, &refused) {
		fmt.Println("stage: ", refused.Stage)
		fmt.Println("code:  ", refused.Code)
		fmt.Println("remedy:", refused.Remedy)
		fmt.Println("public:", refused.Public())
	}
	fmt.Println(errors.Is(err, delegation.CodeTokenExpired), errors.Is(err, delegation.StageSTS))
	// Output:
	// stage:  token
	// code:   token_expired
	// remedy: have the user sign in again and send a fresh ID token
	// public: the ID token has expired
	// true false
}

// What an exchange would do, without signing or calling AWS: what each rule set, and what the
// role's trust policy must allow.
func ExampleDelegator_Explain() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	world.Config.Rules = []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		delegation.TagsFromClaims(map[string]string{"team": "team"}),
	}
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{
		"email": "alice@example.com", "email_verified": true, "team": "press",
	})

	explanation, err := d.Explain(ctx, idToken, "photo-app")
	for _, step := range explanation.Rules {
		fmt.Println(step.Name, step.Changed)
	}
	fmt.Println(explanation.NameID, explanation.SessionName, explanation.Duration)
	fmt.Println(explanation.Warnings, err)
	policy, err := explanation.TrustPolicy()
	fmt.Print(policy, err)
	// Output:
	// delegation.RequireVerifiedEmail []
	// delegation.TagsFromClaims [Tags]
	// auth0|alice alice@example.com 1h0m0s
	// [] <nil>
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Principal": {
	//         "Federated": "arn:aws:iam::123456789012:saml-provider/delegation"
	//       },
	//       "Action": [
	//         "sts:AssumeRoleWithSAML",
	//         "sts:TagSession"
	//       ],
	//       "Condition": {
	//         "StringEquals": {
	//           "SAML:aud": "https://eu-central-1.signin.aws.amazon.com/saml",
	//           "SAML:iss": "urn:tenant.example.com",
	//           "SAML:sub_type": "persistent"
	//         }
	//       }
	//     }
	//   ]
	// }
	// <nil>
}

// Why a token is refused: here it is another application's, and expired an hour ago. Only the fields
// that do not agree are printed.
func ExampleDelegator_CompareToken() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{
		"aud": "photo-app-test",
		"iat": world.Clock.Now().Add(-2 * time.Hour).Unix(),
		"exp": world.Clock.Now().Add(-1 * time.Hour).Unix(),
	})

	_, err = d.Explain(ctx, idToken, "photo-app")
	if !errors.Is(err, delegation.StageToken) {
		return
	}
	for _, field := range d.CompareToken(ctx, idToken, "photo-app") {
		if field.Verdict == delegation.TokenFieldDiffers {
			fmt.Println(field.Name, field.Token, "/", field.Configuration)
		}
	}
	// Output:
	// aud "photo-app-test" / "photo-app"
	// client absent: no azp, appid, cid, client_id / "photo-app"
	// exp 2026-11-23T08:00:00Z, 1h0m0s ago / after 2026-11-23T09:00:00Z; leeway 1m0s
}

// A program whose own ID token is in a file, such as a projected token of Kubernetes, and which
// uses the AWS SDK.
func ExampleDelegator_Provider() {
	ctx := context.Background()
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	world.Clock.Set(time.Now()) // the SDK signs by the real time
	d, err := world.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	folder, err := os.MkdirTemp("", "delegation")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "token")
	idToken := world.Token(map[string]any{"sub": "reports"})
	if err := os.WriteFile(file, []byte(idToken+"\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	cfg := aws.Config{Region: "eu-central-1"}
	cfg.Credentials = d.Provider(delegation.TokenFile(file), "photo-app")
	cfg.BaseEndpoint = aws.String(world.STSURL) // in production, leave this out
	client := sts.NewFromConfig(cfg)
	caller, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*caller.Arn)
	// Output: arn:aws:sts::123456789012:assumed-role/photo-user/reports
}

// A rule of one's own. It sees the user's claims, and decides what AWS is asked for.
func ExampleRuleFunc() {
	onlyStaff := func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		if !slices.Contains(user.List("app_metadata.groups"), "staff") {
			return delegation.Deny("only staff may do this")
		}
		rc.AWS.SessionDuration = 15 * time.Minute
		return nil
	}
	var rule delegation.RuleFunc = onlyStaff

	rc := &delegation.RuleContext{}
	staff := &delegation.User{Properties: map[string]any{
		"app_metadata": map[string]any{"groups": []any{"staff"}},
	}}
	fmt.Println(rule(context.Background(), staff, rc), rc.AWS.SessionDuration)
	fmt.Println(rule(context.Background(), &delegation.User{}, rc))
	// Output:
	// <nil> 15m0s
	// denied: only staff may do this
}

func ExampleDeny() {
	fmt.Println(delegation.Deny("only staff may do this"))
	// Output: denied: only staff may do this
}

func ExampleRoleByClaim() {
	rule, err := delegation.RoleByClaim("groups",
		delegation.RoleMatch{
			Pattern: "admins",
			Role:    "arn:aws:iam::123456789012:role/admin",
		},
		delegation.RoleMatch{
			Pattern: "team-(red|blue)",
			Role:    "arn:aws:iam::123456789012:role/member",
			Region:  "eu-west-1",
		},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	users := [][]any{{"team-blue", "admins"}, {"team-red"}, {"team-red-guests"}, nil}
	for _, groups := range users {
		user := &delegation.User{Properties: map[string]any{"groups": groups}}
		rc := &delegation.RuleContext{AWS: delegation.AWS{Region: "eu-central-1"}}
		if err := rule(context.Background(), user, rc); err != nil {
			fmt.Println(groups, err)
			continue
		}
		fmt.Println(groups, rc.AWS.Role, rc.AWS.Region)
	}
	// Output:
	// [team-blue admins] arn:aws:iam::123456789012:role/admin eu-central-1
	// [team-red] arn:aws:iam::123456789012:role/member eu-west-1
	// [team-red-guests] denied: no role is assigned to this user
	// [] denied: no role is assigned to this user
}

func ExampleRequireVerifiedEmail() {
	rule := delegation.RequireVerifiedEmail()
	for _, verified := range []any{true, false, "true"} {
		user := &delegation.User{Properties: map[string]any{
			"email": "alice@example.com", "email_verified": verified,
		}}
		err := rule(context.Background(), user, &delegation.RuleContext{})
		fmt.Printf("%#v: %v\n", verified, err)
	}
	// Output:
	// true: <nil>
	// false: denied: a verified email address is required
	// "true": denied: a verified email address is required
}

func ExampleAllowConnections() {
	rule := delegation.AllowConnections("corporate-saml", "google-oauth2")
	for _, connection := range []string{"google-oauth2", "github", ""} {
		rc := &delegation.RuleContext{Connection: connection}
		fmt.Printf("%q: %v\n", connection, rule(context.Background(), &delegation.User{}, rc))
	}
	// Output:
	// "google-oauth2": <nil>
	// "github": denied: this way of signing in is not allowed here
	// "": denied: this way of signing in is not allowed here
}

func ExampleAllowEmailDomains() {
	rule := delegation.AllowEmailDomains("example.com")
	for _, email := range []string{
		"alice@example.com",
		"alice@Example.COM",
		"alice@mail.example.com",
		"alice@example.com@evil.net",
	} {
		user := &delegation.User{Properties: map[string]any{"email": email, "email_verified": true}}
		fmt.Println(email, rule(context.Background(), user, &delegation.RuleContext{}))
	}
	// Output:
	// alice@example.com <nil>
	// alice@Example.COM <nil>
	// alice@mail.example.com denied: this email domain is not allowed here
	// alice@example.com@evil.net denied: this email domain is not allowed here
}

func ExampleTagsFromClaims() {
	rule := delegation.TagsFromClaims(map[string]string{"CostCenter": "app_metadata.cost_center"})
	rc := &delegation.RuleContext{}
	alice := &delegation.User{Properties: map[string]any{
		"app_metadata": map[string]any{"cost_center": json.Number("4711")},
	}}
	fmt.Println(rule(context.Background(), alice, rc), rc.AWS.Tags)
	bob := &delegation.User{}
	fmt.Println(rule(context.Background(), bob, &delegation.RuleContext{}))
	// Output:
	// <nil> map[CostCenter:4711]
	// denied: the profile lacks app_metadata.cost_center
}

func ExampleTagsFrom() {
	tags, err := delegation.TagsFrom(map[string]delegation.ClaimText{
		"user":  {From: "sub", Escape: true},
		"teams": {From: "groups", Join: "+", Optional: true},
		"site":  {From: "locale", Default: "elsewhere"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	user := &delegation.User{Properties: map[string]any{
		"sub": "auth0|alice", "groups": []any{"press", "staff"},
	}}
	rc := &delegation.RuleContext{}
	err = tags(context.Background(), user, rc)
	fmt.Println(rc.AWS.Tags, err)
	// Output: map[site:elsewhere teams:press+staff user:auth0_7calice] <nil>
}

func ExampleNamesFrom() {
	names, err := delegation.NamesFrom(delegation.NameTemplates{
		SourceIdentity: "{{preferred_username}}",
		SessionName:    "{{email}}",
		NameID:         "{{tid}}.{{oid}}",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	user := &delegation.User{Properties: map[string]any{
		"preferred_username": "alice|example", "email": "alice@example.com", "tid": "tenant",
		"oid": "1.2",
	}}
	rc := &delegation.RuleContext{}
	err = names(context.Background(), user, rc)
	fmt.Println(rc.AWS.SourceIdentity, rc.AWS.SessionName, rc.AWS.NameID, err)
	// Output: alice_7cexample alice@example.com tenant.1_2e2 <nil>
}

func ExampleRequireRecentLogin() {
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()

	rules := []delegation.RuleFunc{
		delegation.ForTargets(delegation.RequireRecentLogin(15*time.Minute), "admin"),
		delegation.ForTargets(delegation.RequireAMR("mfa"), "admin"),
	}
	photos := world.Config.Targets.(delegation.Targets)[delegationtest.Target]
	admin := photos
	admin.Audiences = []string{delegationtest.Target}
	world.Config.Targets = delegation.Targets{delegationtest.Target: photos, "admin": admin}
	world.Config.Rules = rules
	d, err := world.Start(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	hourAgo := world.Clock.Now().Add(-time.Hour).Unix()
	idToken := world.Token(map[string]any{"auth_time": hourAgo, "amr": []string{"pwd", "mfa"}})

	_, err = d.Exchange(context.Background(), idToken, delegationtest.Target)
	fmt.Println(err)
	_, err = d.Exchange(context.Background(), idToken, "admin")
	var refusal *delegation.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code, "-", refusal.Public())
	}
	// Output:
	// <nil>
	// login_too_old - sign in again: the last sign-in is too long ago
}

func ExampleSourceIdentityFromClaim() {
	rule := delegation.SourceIdentityFromClaim("nickname")
	rc := &delegation.RuleContext{}
	alice := &delegation.User{Properties: map[string]any{"nickname": "alice"}}
	fmt.Println(rule(context.Background(), alice, rc), rc.AWS.SourceIdentity)
	fmt.Println(rule(context.Background(), &delegation.User{}, &delegation.RuleContext{}))
	// Output:
	// <nil> alice
	// denied: the profile lacks nickname
}

func ExampleChainedRole() {
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	const reader = "arn:aws:iam::333333333333:role/reader"
	targets := world.Config.Targets.(delegation.Targets)
	target := targets[delegationtest.Target]
	target.Chain = []delegation.ChainedRole{{RoleARN: reader}}
	targets[delegationtest.Target] = target
	world.Config.Rules = []delegation.RuleFunc{delegation.SourceIdentityFromClaim("email")}
	d, err := world.Start(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	idToken := world.Token(map[string]any{"email": "alice@example.com"})

	// The policies that the two roles need. In AWS they are created once.
	e, err := d.Explain(context.Background(), idToken, delegationtest.Target)
	if err != nil {
		fmt.Println(err)
		return
	}
	trust, err1 := e.ChainTrustPolicies()
	permissions, err2 := e.ChainPermissionPolicies()
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}
	for _, role := range []ststest.Role{
		{
			ARN:         delegationtest.Role,
			TrustPolicy: delegationtest.TrustPolicy,
			Policies:    permissions,
		},
		{ARN: reader, TrustPolicy: trust[0]},
	} {
		if err := world.STS.PutRole(role); err != nil {
			fmt.Println(err)
			return
		}
	}

	credentials, err := d.Exchange(context.Background(), idToken, delegationtest.Target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("account", credentials.AccountID, "for", credentials.SourceIdentity)
	// Output:
	// account 333333333333 for alice@example.com
}

func ExampleSessionPolicyFromTemplate() {
	rule, err := delegation.SessionPolicyFromTemplate(`{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Action": "s3:GetObject",
			"Resource": "arn:aws:s3:::photos/{{nickname}}/*"
		}]
	}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, nickname := range []string{"alice", "*", "../bob"} {
		rc := &delegation.RuleContext{}
		user := &delegation.User{Properties: map[string]any{"nickname": nickname}}
		if err := rule(context.Background(), user, rc); err != nil {
			fmt.Println(nickname, err)
			continue
		}
		fmt.Println(nickname, rc.AWS.Policy)
	}
	// Output:
	// alice {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/alice/*"}]}
	// * denied: the profile lacks a usable nickname
	// ../bob denied: the profile lacks a usable nickname
}

func ExampleMust() {
	rules := []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		delegation.Must(delegation.RoleByClaim("groups",
			delegation.RoleMatch{Pattern: "admins", Role: "arn:aws:iam::123456789012:role/admin"},
		)),
	}
	fmt.Println(len(rules))
	// Output: 2
}

func ExampleUser_Value() {
	user := &delegation.User{Properties: map[string]any{
		"app_metadata":               map[string]any{"roles": []any{"editor", "reviewer"}},
		"https://example.com/groups": []any{"staff"},
	}}
	fmt.Println(user.Value("app_metadata.roles.0"))
	fmt.Println(user.Value("https://example.com/groups"))
	fmt.Println(user.Value("app_metadata.plan"))
	// Output:
	// editor true
	// [staff] true
	// <nil> false
}

func ExampleMappings() {
	target := delegation.Target{AWS: delegation.AWS{
		Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
		Role:      "arn:aws:iam::123456789012:role/photo-user",
		Region:    "eu-central-1",
		Mappings: delegation.Mappings{
			// A list gives several values.
			samlattr.EduPersonAffiliation:                   "app_metadata.groups",
			delegation.AttributePrincipalTag + "CostCenter": "app_metadata.cost_center",
		},
	}}
	fmt.Println(len(target.Mappings))
	// Output: 2
}

func ExampleParseRegion() {
	for _, name := range []string{"eu-central-1", "us-gov-east-1", "mars-north-1"} {
		region, err := delegation.ParseRegion(name)
		if err != nil {
			fmt.Println(errors.Unwrap(err))
			continue
		}
		host, _ := region.STSHost(false, false)
		fmt.Println(region.Partition(), host, region.SAMLRecipient())
	}
	// Output:
	// aws sts.eu-central-1.amazonaws.com https://eu-central-1.signin.aws.amazon.com/saml
	// aws-us-gov sts.us-gov-east-1.amazonaws.com https://us-gov-east-1.signin.amazonaws-us-gov.com/saml
	// "mars-north-1" is not the name of an AWS region
}

func ExampleSecret() {
	secret := delegation.NewSecret("wJalrXUtnFEMI")
	text, _ := json.Marshal(map[string]any{"secret": secret})
	fmt.Printf("%v %+v %q %x %s\n", secret, secret, secret, secret, text)
	fmt.Println(secret.Reveal())
	// Output:
	// [redacted] [redacted] [redacted] [redacted] {"secret":"[redacted]"}
	// wJalrXUtnFEMI
}

func ExampleError_Public() {
	denied := &delegation.Error{
		Stage: delegation.StageRules,
		Code:  delegation.CodeDenied,
		Err:   fmt.Errorf("rule 1: %w", delegation.Deny("a verified email address is required")),
	}
	refused := &delegation.Error{
		Stage: delegation.StageSTS,
		Code:  delegation.CodeSTSAccessDenied,
		Err:   errors.New("role/photo-user: not authorized to perform sts:AssumeRoleWithSAML"),
	}
	fmt.Println(denied.Public())
	fmt.Println(refused.Public())
	// Output:
	// a verified email address is required
	// AWS refused the request
}

func ExampleCredentials_ProcessJSON() {
	credentials := &delegation.Credentials{
		AccessKeyID:     "ASIAEXAMPLE",
		SecretAccessKey: delegation.NewSecret("secret"),
		SessionToken:    delegation.NewSecret("token"),
		Expiration:      time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		AccountID:       "123456789012",
	}
	text, err := credentials.ProcessJSON()
	fmt.Println(string(text), err)
	// Output: {"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret","SessionToken":"token","Expiration":"2026-11-23T10:00:00Z","AccountId":"123456789012"} <nil>
}

func ExampleIdentityProvider_Metadata() {
	identity := delegation.IdentityProvider{
		EntityID: "urn:tenant.example.com",
		Keys: []delegation.SigningKey{ // two, while a key is rolled over
			delegationtest.SigningKey(),
			delegationtest.NextSigningKey(),
		},
	}
	metadata, err := identity.Metadata() // for aws iam create-saml-provider, update-saml-provider
	text := string(metadata)
	named := strings.Contains(text, `entityID="urn:tenant.example.com"`)
	fmt.Println(strings.Count(text, "<KeyDescriptor"), named, err)
	// Output: 2 true <nil>
}
