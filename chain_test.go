package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
)

const (
	hubRole  = "arn:aws:iam::222222222222:role/team/hub"
	lastRole = "arn:aws:iam::333333333333:role/reader"
)

// hop is a call of AssumeRole as an STS gets it.
type hop struct {
	in     *sts.AssumeRoleInput
	region string
	with   aws.Credentials // that sign it
}

// chainSTS is the agreeable STS with AssumeRole. answer may change or replace what AssumeRole says.
type chainSTS struct {
	stsFunc
	now    func() time.Time
	answer func(h hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error)

	mu   sync.Mutex
	hops []hop
}

func (c *chainSTS) AssumeRole(
	ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options),
) (*sts.AssumeRoleOutput, error) {
	var o sts.Options
	for _, option := range options {
		option(&o)
	}
	with, err := o.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	h := hop{in, o.Region, with}
	c.mu.Lock()
	c.hops = append(c.hops, h)
	n := len(c.hops)
	c.mu.Unlock()
	asked := must(arn.Parse(*in.RoleArn))
	asked.Service = "sts"
	asked.Resource = "assumed-role/" + path.Base(asked.Resource) + "/" + *in.RoleSessionName
	out := &sts.AssumeRoleOutput{
		AssumedRoleUser: &types.AssumedRoleUser{
			Arn:           aws.String(asked.String()),
			AssumedRoleId: aws.String("AROACHAIN:" + *in.RoleSessionName),
		},
		Credentials: &types.Credentials{
			AccessKeyId:     aws.String(fmt.Sprintf("ASIACHAIN%d", n)),
			SecretAccessKey: aws.String(fmt.Sprintf("canary-secret-%d", n)),
			SessionToken:    aws.String(fmt.Sprintf("canary-token-%d", n)),
			Expiration: aws.Time(
				c.now().Add(time.Duration(*in.DurationSeconds) * time.Second)),
		},
		//lint:ignore SA1019 as in chain.go
		PackedPolicySize: aws.Int32(21),
		SourceIdentity:   in.SourceIdentity,
	}
	if c.answer != nil {
		return c.answer(h, out)
	}
	return out, nil
}

func (c *chainSTS) asked() []hop {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.hops)
}

// chainWorld is a world whose target leads over a hub to the last role, for users with an address
// as their source identity.
func chainWorld(t testing.TB) (*world, *chainSTS) {
	t.Helper()
	w := newWorld(t)
	fake := &chainSTS{stsFunc: w.config.STS.(stsFunc), now: w.clock.Now}
	w.config.STS = fake
	w.config.Rules = []delegation.RuleFunc{
		delegation.TagsFromClaims(map[string]string{"team": "team"}),
		delegation.SourceIdentityFromClaim("email"),
	}
	w.target(func(t *delegation.Target) {
		t.Chain = []delegation.ChainedRole{
			{RoleARN: hubRole},
			{RoleARN: lastRole, ExternalID: "photos-2026"},
		}
	})
	return w, fake
}

var aliceClaims = map[string]any{"email": "alice@example.com", "team": "press"}

// TestChain: each role is assumed with the credentials of the one before. What the user is known by
// goes through, session policies are for the last role, and only its credentials come back.
func TestChain(t *testing.T) {
	w, fake := chainWorld(t)
	const policy = `{"Version":"2012-10-17","Statement":[]}`
	w.target(func(t *delegation.Target) {
		t.Policy = policy
		t.PolicyARNs = []string{"arn:aws:iam::333333333333:policy/Narrow"}
	})
	credentials, err := w.exchange(t, aliceClaims)
	if err != nil {
		t.Fatal(err)
	}
	first := w.last()
	attributes := attributesOf(first)
	if first.Policy != nil || len(first.PolicyArns) > 0 || *first.DurationSeconds != 900 ||
		attributes[delegation.AttributeSessionDuration][0] != "900" ||
		*first.RoleArn != role {
		t.Errorf("the first role is asked for with %+v", first)
	}
	if got := attributes[delegation.AttributeTransitiveTagKeys]; !slices.Equal(got,
		[]string{"team"}) {
		t.Errorf("the transitive keys are %q", got)
	}
	hops := fake.asked()
	if len(hops) != 2 {
		t.Fatalf("AssumeRole was called %d times", len(hops))
	}
	middle := &sts.AssumeRoleInput{
		RoleArn:         aws.String(hubRole),
		RoleSessionName: aws.String(sessionNameOf(first)),
		SourceIdentity:  aws.String("alice@example.com"),
		DurationSeconds: aws.Int32(900),
	}
	last := &sts.AssumeRoleInput{
		RoleArn:         aws.String(lastRole),
		RoleSessionName: middle.RoleSessionName,
		SourceIdentity:  middle.SourceIdentity,
		DurationSeconds: aws.Int32(3600),
		ExternalId:      aws.String("photos-2026"),
		Policy:          aws.String(policy),
		PolicyArns: []types.PolicyDescriptorType{
			{Arn: aws.String("arn:aws:iam::333333333333:policy/Narrow")},
		},
	}
	for i, want := range []*sts.AssumeRoleInput{middle, last} {
		if !reflect.DeepEqual(hops[i].in, want) {
			t.Errorf("role %d is asked for with %+v", i+2, hops[i].in)
		}
	}
	signed := []string{hops[0].with.AccessKeyID, hops[0].with.SecretAccessKey,
		hops[1].with.SecretAccessKey, hops[1].with.SessionToken}
	if !slices.Equal(signed, []string{"ASIAEXAMPLE", "canary-secret-access-key",
		"canary-secret-1", "canary-token-1"}) {
		t.Errorf("the calls are signed with %q", signed)
	}
	if credentials.AccessKeyID != "ASIACHAIN2" ||
		credentials.SecretAccessKey.Reveal() != "canary-secret-2" ||
		credentials.SessionToken.Reveal() != "canary-token-2" ||
		credentials.AccountID != "333333333333" ||
		credentials.SourceIdentity != "alice@example.com" || credentials.Subject != alice ||
		credentials.PackedPolicySize != 21 ||
		!credentials.Expiration.Equal(start.Add(time.Hour)) ||
		!strings.HasPrefix(credentials.AssumedRoleARN,
			"arn:aws:sts::333333333333:assumed-role/reader/") {
		t.Errorf("got %+v", credentials)
	}
}

// sessionNameOf is the session's name in a request.
func sessionNameOf(in *sts.AssumeRoleWithSAMLInput) string {
	return attributesOf(in)[delegation.AttributeRoleSessionName][0]
}

// TestChain_Records: events, audit records and the log have the roles, and no secret of any role.
func TestChain_Records(t *testing.T) {
	w, fake := chainWorld(t)
	var audited []delegation.Event
	w.config.Audit = func(_ context.Context, e delegation.Event) error {
		audited = append(audited, e)
		return nil
	}
	var calls []delegation.STSCall
	w.config.OnSTSCall = func(_ context.Context, call delegation.STSCall) {
		calls = append(calls, call)
	}
	w.config.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Message: "no"}
	fake.answer = func(h hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
		if *h.in.RoleArn == lastRole {
			return nil, denied
		}
		return out, nil
	}
	if _, err := w.exchange(t, aliceClaims); err == nil {
		t.Fatal("nobody was refused")
	}
	if len(w.events) != 2 || len(audited) != 2 {
		t.Fatalf("%d events, %d records", len(w.events), len(audited))
	}
	for i, e := range append(w.events, audited...) {
		hop := 0
		requests := 3
		if i%2 == 1 {
			hop = 3
			requests = 2
		}
		if e.Role != role || !slices.Equal(e.Chain, []string{hubRole, lastRole}) ||
			e.Hop != hop || len(e.HopRequestIDs) != requests || e.Duration != time.Hour {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	var hops []int
	for _, call := range calls {
		hops = append(hops, call.Hop)
	}
	if !slices.Equal(hops, []int{1, 2, 3, 1, 2, 3}) || calls[4].Code != "" ||
		calls[5].Code != delegation.CodeSTSChainDenied {
		t.Errorf("the calls are %+v", calls)
	}
	text := w.logs.String() + fmt.Sprintf("%+v", w.events)
	if strings.Contains(text, "canary") || strings.Contains(text, "ASIAEXAMPLE") ||
		strings.Contains(text, "ASIACHAIN1") || !strings.Contains(text, "ASIACHAIN2") {
		t.Errorf("the records say %s", text)
	}
}

// TestChain_New: what can be seen in a configuration is refused by New, with the field.
func TestChain_New(t *testing.T) {
	chain := func(roles ...string) []delegation.ChainedRole {
		var list []delegation.ChainedRole
		for _, one := range roles {
			list = append(list, delegation.ChainedRole{RoleARN: one})
		}
		return list
	}
	for name, row := range map[string]struct {
		change func(*delegation.Config, *delegation.Target)
		words  string
	}{
		"an empty role": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain = chain(hubRole, "")
		}, `Chain[1]: RoleARN: the role is empty`},
		"a user": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain = chain("arn:aws:iam::222222222222:user/hub")
		}, `Chain[0]: RoleARN: "arn:aws:iam::222222222222:user/hub" is not the ARN of a role`},
		"another partition than the role's": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain = chain("arn:aws-cn:iam::222222222222:role/hub")
		}, `is in the partition aws-cn, the role before it in aws`},
		"another partition within the chain": {func(_ *delegation.Config, t *delegation.Target) {
			t.Role = ""
			t.Chain = chain("arn:aws-cn:iam::222222222222:role/hub", lastRole)
		}, `Chain[1]: RoleARN: ` + lastRole +
			` is in the partition aws, the role before it in aws-cn`},
		"too many": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain = chain(hubRole, hubRole, hubRole, hubRole, hubRole, lastRole)
		}, "Chain has 6 roles, and at most 5"},
		"a long session": {func(_ *delegation.Config, t *delegation.Target) {
			t.SessionDuration = time.Hour + time.Second
		}, "SessionDuration is 1h0m1s, and AWS allows a role at the end of a Chain at most 1h0m0s"},
		"a short external ID": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain[0].ExternalID = "x"
		}, `Chain[0]: ExternalID "x" does not have 2 to 1224`},
		"a long external ID": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain[0].ExternalID = strings.Repeat("x", 1225)
		}, `Chain[0]: ExternalID`},
		"an odd external ID": {func(_ *delegation.Config, t *delegation.Target) {
			t.Chain[1].ExternalID = "a b"
		}, `Chain[1]: ExternalID "a b"`},
		"no source identity": {func(c *delegation.Config, _ *delegation.Target) {
			c.Rules = nil
		}, "Chain needs a source identity, and nothing sets one"},
		"an STS without AssumeRole": {func(c *delegation.Config, _ *delegation.Target) {
			c.STS = stsFunc(nil)
		}, "Chain needs a Config.STS with AssumeRole"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := chainWorld(t)
			target := w.config.Targets.(delegation.Targets)[app]
			row.change(&w.config, &target)
			w.config.Targets = delegation.Targets{app: target}
			wantOfNew(t, w.config, []string{`Targets["photo-app"]: `, row.words})
		})
	}
	for name, change := range map[string]func(*delegation.Config, *delegation.Target){
		"longest external ID": func(_ *delegation.Config, t *delegation.Target) {
			t.Chain[0].ExternalID = strings.Repeat("x", 1224)
		},
		"every character": func(_ *delegation.Config, t *delegation.Target) {
			t.Chain[0].ExternalID = "azAZ09_+=,.@:/-"
		},
		"five roles": func(_ *delegation.Config, t *delegation.Target) {
			t.Chain = chain(hubRole, hubRole, hubRole, hubRole, lastRole)
		},
		"an hour": func(_ *delegation.Config, t *delegation.Target) {
			t.SessionDuration = time.Hour
		},
		"a source identity of the target": func(c *delegation.Config, t *delegation.Target) {
			c.Rules = nil
			t.SourceIdentity = "service"
		},
		"a mapped source identity": func(c *delegation.Config, t *delegation.Target) {
			c.Rules = nil
			t.Mappings = delegation.Mappings{delegation.AttributeSourceIdentity: "email"}
		},
		"the SDK's client": func(c *delegation.Config, _ *delegation.Target) { c.STS = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := chainWorld(t)
			target := w.config.Targets.(delegation.Targets)[app]
			change(&w.config, &target)
			w.config.Targets = delegation.Targets{app: target}
			wantOfNew(t, w.config, nil)
		})
	}
}

// TestChain_Check: a chain whose source identity no ready-made rule sets is an error of the target,
// before anybody asks for it.
func TestChain_Check(t *testing.T) {
	w, _ := chainWorld(t)
	w.config.Rules = w.config.Rules[:1]
	result := resultOf(t, w.delegator(t).Check(t.Context()), "target photo-app")
	wantError(t, result.Err, delegation.StageDecision, delegation.CodeChainSourceIdentity)
	if result.Field != `Targets["photo-app"]: SourceIdentity` {
		t.Errorf("the field is %q", result.Field)
	}
	w.target(func(t *delegation.Target) {
		t.Mappings = delegation.Mappings{delegation.AttributeSourceIdentity: "email"}
	})
	for _, result := range w.delegator(t).Check(t.Context()) {
		if result.Kind == delegation.CheckTarget {
			t.Errorf("got %+v", result)
		}
	}
}

// resultOf is the result of that name.
func resultOf(
	t *testing.T, results []delegation.CheckResult, name string,
) delegation.CheckResult {
	t.Helper()
	i := slices.IndexFunc(results, func(r delegation.CheckResult) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no %q in %+v", name, results)
	}
	return results[i]
}

// TestChain_Refused: what rules and mappings decide against a chain is refused before AWS is
// called, by Exchange and Explain alike.
func TestChain_Refused(t *testing.T) {
	rule := func(f func(*delegation.AWS)) delegation.RuleFunc {
		return func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			f(&rc.AWS)
			return nil
		}
	}
	for name, row := range map[string]struct {
		rule delegation.RuleFunc
		code delegation.Code
	}{
		"no source identity": {rule(func(a *delegation.AWS) { a.SourceIdentity = "" }),
			delegation.CodeChainSourceIdentity},
		"a long session": {rule(func(a *delegation.AWS) {
			a.SessionDuration = time.Hour + time.Second
		}), delegation.CodeChainDuration},
		"a role of another partition": {rule(func(a *delegation.AWS) {
			a.Role = "arn:aws-cn:iam::123456789012:role/photo-user"
			a.Principal = "arn:aws-cn:iam::123456789012:saml-provider/delegation"
			a.Region = "cn-north-1"
		}), delegation.CodeChainInvalid},
		"a policy of the first role's account": {rule(func(a *delegation.AWS) {
			a.PolicyARNs = []string{"arn:aws:iam::123456789012:policy/Narrow"}
		}), delegation.CodePolicyInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := chainWorld(t)
			w.config.Rules = append(w.config.Rules, row.rule)
			d := w.delegator(t)
			token := w.token(aliceClaims)
			_, err := d.Exchange(t.Context(), token, app)
			wantError(t, err, delegation.StageDecision, row.code)
			_, err = d.Explain(t.Context(), token, app)
			wantError(t, err, delegation.StageDecision, row.code)
			if len(w.sent)+len(fake.asked()) > 0 {
				t.Error("AWS was called")
			}
		})
	}
}

// TestChain_CallersMistake: a duration that a request asks for is the caller's mistake.
func TestChain_CallersMistake(t *testing.T) {
	w, _ := chainWorld(t)
	w.config.Rules = append(w.config.Rules,
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			seconds := rc.Request.Parameters["seconds"].(float64)
			rc.AWS.SessionDuration = time.Duration(seconds) * time.Second
			return nil
		})
	_, err := w.delegator(t).Exchange(t.Context(), w.token(aliceClaims), app,
		delegation.WithRequest(delegation.Request{Parameters: map[string]any{"seconds": 7200.0}}))
	e := wantError(t, err, delegation.StageDecision, delegation.CodeChainDuration)
	if !e.Requested {
		t.Error("it is not the caller's")
	}
}

// TestChain_OtherSources: a target of any other TargetSource is checked in each exchange.
func TestChain_OtherSources(t *testing.T) {
	w, _ := chainWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	w.config.Targets = sourceOf(func() *delegation.Target { return &target })
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	target.Chain = []delegation.ChainedRole{{RoleARN: "hub"}}
	_, err := w.exchange(t, aliceClaims)
	wantError(t, err, delegation.StageTarget, delegation.CodeTargetInvalid)
}

// sourceOf is a TargetSource with the one target.
type sourceOf func() *delegation.Target

func (f sourceOf) Target(context.Context, string) (*delegation.Target, error) { return f(), nil }

// TestChain_TransitiveTags: those that were chosen stay the only ones.
func TestChain_TransitiveTags(t *testing.T) {
	w, _ := chainWorld(t)
	w.target(func(t *delegation.Target) {
		t.Tags = map[string]string{"cost": "7", "site": "x"}
		t.TransitiveTagKeys = []string{"site"}
	})
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	attributes := attributesOf(w.last())
	if got := attributes[delegation.AttributeTransitiveTagKeys]; !slices.Equal(got,
		[]string{"site"}) {
		t.Errorf("the transitive keys are %q", got)
	}
	w.target(func(t *delegation.Target) { t.TransitiveTagKeys = nil })
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	attributes = attributesOf(w.last())
	if got := attributes[delegation.AttributeTransitiveTagKeys]; !slices.Equal(got,
		[]string{"cost", "site", "team"}) {
		t.Errorf("the transitive keys are %q", got)
	}
}

// TestChain_Errors: an error names the hop and the role, and a remedy the two policies of which one
// is missing.
func TestChain_Errors(t *testing.T) {
	denied := func(action string) error {
		return &smithy.GenericAPIError{
			Code: "AccessDenied",
			Message: "User: arn:aws:sts::123456789012:assumed-role/photo-user/alice is not " +
				"authorized to perform: " + action + " on resource: " + hubRole,
		}
	}
	api := func(code, message string) error {
		return &smithy.GenericAPIError{Code: code, Message: message}
	}
	for name, row := range map[string]struct {
		at     string
		err    error
		code   delegation.Code
		remedy string
	}{
		"assume": {hubRole, denied("sts:AssumeRole"), delegation.CodeSTSChainDenied,
			"allow sts:AssumeRole in two places: in a permission policy of the role " + role +
				", for the resource " + hubRole + ", and in the trust policy of that resource, " +
				"for the principal " + role + "; check that the role exists"},
		"tags": {hubRole, denied("sts:TagSession"), delegation.CodeSTSChainDenied,
			"allow sts:TagSession in two places"},
		"source identity": {lastRole, denied("sts:SetSourceIdentity"),
			delegation.CodeSTSChainDenied, "allow sts:SetSourceIdentity in two places: in a " +
				"permission policy of the role " + hubRole + ", for the resource " + lastRole},
		"token": {hubRole, api("InvalidClientTokenId", "x"), delegation.CodeSTSChainCredentials,
			"check what answers as STS"},
		"expired": {hubRole, api("ExpiredToken", "x"), delegation.CodeSTSChainCredentials, ""},
		"signature": {lastRole, api("SignatureDoesNotMatch", "x"),
			delegation.CodeSTSChainCredentials, ""},
		"packed": {lastRole, api("PackedPolicyTooLarge", "x"), delegation.CodeSTSPackedSize, ""},
		"policy": {lastRole, api("MalformedPolicyDocument", "x"), delegation.CodeSTSPolicy, ""},
		"throttled": {lastRole, api("Throttling", "Rate exceeded"), delegation.CodeSTSThrottled,
			""},
		"other": {lastRole, api("Strange", "x"), delegation.CodeSTSRefused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := chainWorld(t)
			fake.answer = func(h hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
				if *h.in.RoleArn == row.at {
					return nil, row.err
				}
				return out, nil
			}
			_, err := w.exchange(t, aliceClaims)
			e := wantError(t, err, delegation.StageSTS, row.code)
			n := 2 + slices.Index([]string{hubRole, lastRole}, row.at)
			words := fmt.Sprintf("role %d of 3 in the chain, %s: ", n, row.at)
			if e.Hop != n || e.HopRole != row.at || !strings.Contains(e.Error(), words) {
				t.Errorf("hop %d, role %s: %v", e.Hop, e.HopRole, e)
			}
			if !strings.HasPrefix(e.Remedy, row.remedy) {
				t.Errorf("the remedy is %q", e.Remedy)
			}
			if strings.Contains(e.Public(), "222222222222") {
				t.Errorf("strangers see %q", e.Public())
			}
			var refusal smithy.APIError
			if !errors.As(err, &refusal) || refusal.ErrorCode() == "" {
				t.Errorf("AWS's own error is lost: %v", err)
			}
		})
	}
}

// TestChain_FirstRole: what AssumeRoleWithSAML refuses is hop 1.
func TestChain_FirstRole(t *testing.T) {
	w, fake := chainWorld(t)
	fake.stsFunc = func(
		context.Context, *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		return nil, &smithy.GenericAPIError{Code: "AccessDenied", Message: "Not authorized"}
	}
	_, err := w.exchange(t, aliceClaims)
	e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAccessDenied)
	if e.Hop != 1 || e.HopRole != role || w.events[0].Hop != 1 {
		t.Errorf("got hop %d, role %s: %v", e.Hop, e.HopRole, e)
	}
	w.target(func(t *delegation.Target) { t.Chain = nil })
	_, err = w.exchange(t, aliceClaims)
	e = wantError(t, err, delegation.StageSTS, delegation.CodeSTSAccessDenied)
	if e.Hop != 0 || e.HopRole != "" || strings.Contains(e.Error(), "chain") {
		t.Errorf("without a chain: %v", e)
	}
}

// TestChain_Answers: an answer of AssumeRole must be whole, and of the session that was asked for.
func TestChain_Answers(t *testing.T) {
	type answer func(*sts.AssumeRoleOutput) *sts.AssumeRoleOutput
	change := func(f func(*sts.AssumeRoleOutput)) answer {
		return func(out *sts.AssumeRoleOutput) *sts.AssumeRoleOutput {
			f(out)
			return out
		}
	}
	for name, row := range map[string]struct {
		answer answer
		code   delegation.Code
	}{
		"nothing": {func(*sts.AssumeRoleOutput) *sts.AssumeRoleOutput { return nil },
			delegation.CodeSTSAnswerIncomplete},
		"no credentials": {change(func(o *sts.AssumeRoleOutput) { o.Credentials = nil }),
			delegation.CodeSTSAnswerIncomplete},
		"no token": {change(func(o *sts.AssumeRoleOutput) { o.Credentials.SessionToken = nil }),
			delegation.CodeSTSAnswerIncomplete},
		"expired": {change(func(o *sts.AssumeRoleOutput) {
			o.Credentials.Expiration = aws.Time(start)
		}), delegation.CodeSTSAnswerIncomplete},
		"no role": {change(func(o *sts.AssumeRoleOutput) { o.AssumedRoleUser = nil }),
			delegation.CodeSTSAnswerIncomplete},
		"another role": {change(func(o *sts.AssumeRoleOutput) {
			o.AssumedRoleUser.Arn = aws.String("arn:aws:sts::333333333333:assumed-role/admin/a")
		}), delegation.CodeSTSAnswerMismatch},
		"another identity": {change(func(o *sts.AssumeRoleOutput) {
			o.SourceIdentity = aws.String("mallory")
		}), delegation.CodeSTSAnswerMismatch},
		"no identity": {change(func(o *sts.AssumeRoleOutput) { o.SourceIdentity = nil }),
			delegation.CodeSTSAnswerMismatch},
	} {
		for i, at := range []string{hubRole, lastRole} {
			t.Run(name+" "+at, func(t *testing.T) {
				w, fake := chainWorld(t)
				fake.answer = func(
					h hop, out *sts.AssumeRoleOutput,
				) (*sts.AssumeRoleOutput, error) {
					if *h.in.RoleArn == at {
						return row.answer(out), nil
					}
					return out, nil
				}
				credentials, err := w.exchange(t, aliceClaims)
				e := wantError(t, err, delegation.StageSTS, row.code)
				if credentials != nil || e.Hop != i+2 || strings.Contains(e.Error(), "canary") {
					t.Errorf("got %v, %v", credentials, e)
				}
			})
		}
	}
}

// TestChain_Emulator: one that knows no source identity is taken, and one that names another is
// not.
func TestChain_Emulator(t *testing.T) {
	w, fake := chainWorld(t)
	w.config.UnsafeSTSEmulator = true
	identity := (*string)(nil)
	fake.answer = func(_ hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
		out.SourceIdentity = identity
		return out, nil
	}
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Error(err)
	}
	identity = aws.String("mallory")
	_, err := w.exchange(t, aliceClaims)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerMismatch)
}

// TestChain_Regions: a region that stops answering in the middle of a chain is left there, and the
// chain goes on in the next one without a new assertion.
func TestChain_Regions(t *testing.T) {
	w, fake := chainWorld(t)
	w.target(func(t *delegation.Target) { t.FailoverRegions = []string{dublin, paris} })
	down := map[string]string{frankfurt: lastRole, dublin: lastRole}
	fake.answer = func(h hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
		if down[h.region] == *h.in.RoleArn {
			return nil, &smithy.GenericAPIError{
				Code:    "RegionDisabledException",
				Message: "STS is not activated",
			}
		}
		return out, nil
	}
	credentials, err := w.exchange(t, aliceClaims)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, h := range fake.asked() {
		asked = append(asked, path.Base(*h.in.RoleArn)+" in "+h.region)
	}
	if !slices.Equal(asked, []string{"hub in eu-central-1", "reader in eu-central-1",
		"reader in eu-west-1", "reader in eu-west-3"}) || len(w.sent) != 1 {
		t.Errorf("asked %q, and %d times with an assertion", asked, len(w.sent))
	}
	e := w.events[0]
	if credentials.Region != paris || e.Region != paris || !slices.Equal(e.FailedRegions,
		[]string{"eu-central-1:sts_region_disabled", "eu-west-1:sts_region_disabled"}) {
		t.Errorf("region %s, event %+v", credentials.Region, e)
	}
	down[paris] = lastRole
	_, err = w.exchange(t, aliceClaims)
	last := wantError(t, err, delegation.StageSTS, delegation.CodeSTSRegionDisabled)
	if last.Hop != 3 {
		t.Errorf("got %v", last)
	}
}

// TestChain_Timeout: each call of a chain has Config.STSTimeout for itself, and a caller who leaves
// ends the chain.
func TestChain_Timeout(t *testing.T) {
	w, fake := chainWorld(t)
	w.config.STSTimeout = time.Minute
	var left []time.Duration
	slow := &deadlineSTS{chainSTS: fake, seen: func(ctx context.Context) {
		deadline, _ := ctx.Deadline()
		left = append(left, time.Until(deadline).Round(time.Minute))
	}}
	w.config.STS = slow
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(left, []time.Duration{time.Minute, time.Minute}) {
		t.Errorf("the calls have %v", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow.seen = func(context.Context) { cancel() }
	fake.answer = func(hop, *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
		return nil, ctx.Err()
	}
	_, err := w.delegator(t).Exchange(ctx, w.token(aliceClaims), app)
	wantError(t, err, delegation.StageSTS, delegation.CodeCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// deadlineSTS shows the context of AssumeRole.
type deadlineSTS struct {
	*chainSTS
	seen func(context.Context)
}

func (s *deadlineSTS) AssumeRole(
	ctx context.Context, in *sts.AssumeRoleInput, options ...func(*sts.Options),
) (*sts.AssumeRoleOutput, error) {
	s.seen(ctx)
	return s.chainSTS.AssumeRole(ctx, in, options...)
}

// TestChain_CapSessionToToken: AWS does not pass SessionNotOnOrAfter on to the next role, so the
// last session is asked for no longer than the token lasts after the call. If that is less than AWS
// gives, there is none, and no assertion is signed.
func TestChain_CapSessionToToken(t *testing.T) {
	for left, want := range map[time.Duration]int32{
		2 * time.Hour:                                   3600,
		time.Hour + 10*time.Second:                      3600,
		time.Hour + 9*time.Second:                       3599,
		15*time.Minute + 10*time.Second:                 900,
		15*time.Minute + 9*time.Second:                  0,
		time.Minute:                                     0,
		30*time.Minute + 10500*time.Millisecond:         1800,
		30*time.Minute + 10*time.Second + 1*time.Second: 1801,
	} {
		t.Run(left.String(), func(t *testing.T) {
			w, fake := chainWorld(t)
			w.config.CapSessionToToken = true
			claims := map[string]any{"exp": start.Add(left).Unix()}
			for name, value := range aliceClaims {
				claims[name] = value
			}
			d := w.delegator(t)
			token := w.token(claims)
			_, err := d.Exchange(t.Context(), token, app)
			_, explained := d.Explain(t.Context(), token, app)
			if want == 0 {
				wantError(t, err, delegation.StageDecision, delegation.CodeChainTokenEnds)
				wantError(t, explained, delegation.StageDecision, delegation.CodeChainTokenEnds)
				if len(w.sent) > 0 || w.events[0].AssertionID != "" {
					t.Error("an assertion was made")
				}
				return
			}
			if err != nil || explained != nil {
				t.Fatal(err, explained)
			}
			hops := fake.asked()
			if got := *hops[1].in.DurationSeconds; got != want {
				t.Errorf("the last session has %d seconds", got)
			}
		})
	}
}

// TestChain_Cached: credentials at the end of a chain are cached until they end, for this chain
// alone.
func TestChain_Cached(t *testing.T) {
	w, fake := chainWorld(t)
	w.config.CacheSize = 0
	d := w.delegator(t)
	token := w.token(aliceClaims)
	exchange := func(d *delegation.Delegator, want delegation.CacheOutcome, calls int) {
		t.Helper()
		credentials, err := d.Exchange(t.Context(), token, app)
		if err != nil {
			t.Fatal(err)
		}
		outcome := w.events[len(w.events)-1].Cache
		if outcome != want || len(fake.asked()) != calls || credentials.AccessKeyID !=
			fmt.Sprintf("ASIACHAIN%d", calls) {
			t.Errorf("%s after %d calls: %+v", outcome, len(fake.asked()), credentials)
		}
	}
	exchange(d, delegation.CacheMiss, 2)
	exchange(d, delegation.CacheHit, 2)
	for i, chain := range [][]delegation.ChainedRole{
		{{RoleARN: hubRole}, {RoleARN: lastRole, ExternalID: "photos-2027"}},
		{{RoleARN: hubRole + "2"}, {RoleARN: lastRole, ExternalID: "photos-2027"}},
		{{RoleARN: hubRole + "2", ExternalID: "photos-2027"}, {RoleARN: lastRole}},
		{{RoleARN: lastRole, ExternalID: "photos-2027"}, {RoleARN: hubRole + "2"}},
	} {
		w.target(func(t *delegation.Target) { t.Chain = chain })
		next := must(d.WithConfig(t.Context(), w.config))
		exchange(next, delegation.CacheMiss, 4+2*i)
		exchange(next, delegation.CacheHit, 4+2*i)
	}
}

// TestChain_DroppedTags: what AWS finds too large at the end is asked for anew with fewer tags,
// from the first role on.
func TestChain_DroppedTags(t *testing.T) {
	w, fake := chainWorld(t)
	w.target(func(t *delegation.Target) {
		t.Tags = map[string]string{"note": strings.Repeat("x", 200)}
		t.DroppableTags = []string{"note"}
	})
	refused := false
	fake.answer = func(h hop, out *sts.AssumeRoleOutput) (*sts.AssumeRoleOutput, error) {
		if *h.in.RoleArn == lastRole && !refused {
			refused = true
			return nil, &smithy.GenericAPIError{
				Code:    "PackedPolicyTooLarge",
				Message: "Packed size of session tags consumes 138% of allotted space.",
			}
		}
		return out, nil
	}
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	attributes := attributesOf(w.last())
	if got := attributes[delegation.AttributeTransitiveTagKeys]; !slices.Equal(got,
		[]string{"team"}) || len(w.sent) != 2 || len(w.events[0].HopRequestIDs) != 3 {
		t.Errorf("transitive %q, %d assertions, event %+v", got, len(w.sent), w.events[0])
	}
}

// TestChain_Explain: an explanation has the roles, and the policies that they need.
func TestChain_Explain(t *testing.T) {
	w, _ := chainWorld(t)
	e, err := w.delegator(t).Explain(t.Context(), w.token(aliceClaims), app)
	if err != nil {
		t.Fatal(err)
	}
	if e.Role != role || !slices.Equal(e.Chain, []delegation.ChainedRole{
		{RoleARN: hubRole}, {RoleARN: lastRole, ExternalID: "photos-2026"},
	}) || !slices.Equal(e.TagKeys, []string{"team"}) || e.Duration != time.Hour ||
		e.Attributes[delegation.AttributeSessionDuration][0] != "900" {
		t.Errorf("got %+v", e)
	}
	trust := must(e.ChainTrustPolicies())
	wanted := []string{
		`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"sts:AssumeRole",
				"Condition":{"StringLike":{"sts:SourceIdentity":"*"}}},
			{"Effect":"Allow","Principal":{"AWS":"` + role + `"},
				"Action":"sts:SetSourceIdentity"},
			{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"sts:TagSession",
				"Condition":{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"]}}}]}`,
		`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + hubRole + `"},"Action":"sts:AssumeRole",
				"Condition":{"StringLike":{"sts:SourceIdentity":"*"},
					"StringEquals":{"sts:ExternalId":"photos-2026"}}},
			{"Effect":"Allow","Principal":{"AWS":"` + hubRole + `"},
				"Action":"sts:SetSourceIdentity"},
			{"Effect":"Allow","Principal":{"AWS":"` + hubRole + `"},"Action":"sts:TagSession",
				"Condition":{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"]}}}]}`,
	}
	sameDocuments(t, trust, wanted)
	sameDocuments(t, must(e.ChainPermissionPolicies()), []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"],
			"Resource":"` + hubRole + `"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"],
			"Resource":"` + lastRole + `"}]}`,
	})
}

// TestChain_ExplainWarns: there is a warning of a session policy that names users as the first role
// knows them, because the last role knows them otherwise. There is none of the folder ${saml:sub}.
func TestChain_ExplainWarns(t *testing.T) {
	w, _ := chainWorld(t)
	w.target(func(t *delegation.Target) {
		t.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/${SAML:sub}/*"}]}`
	})
	claims := map[string]any{"sub": "a/b", "email": "alice@example.com", "team": "press"}
	e := must(w.delegator(t).Explain(t.Context(), w.token(claims), app))
	text := strings.Join(e.Warnings, "\n")
	if !strings.Contains(text, "the session policy has a key of SAML") ||
		strings.Contains(text, "folder") {
		t.Errorf("the warnings are %q", e.Warnings)
	}
	w.target(func(t *delegation.Target) {
		t.Policy = strings.ReplaceAll(t.Policy, "SAML:sub", "x")
	})
	e = must(w.delegator(t).Explain(t.Context(), w.token(claims), app))
	if text := strings.Join(e.Warnings, "\n"); strings.Contains(text, "SAML") {
		t.Errorf("the warnings are %q", e.Warnings)
	}
}

// TestChain_SharedRole: users of two issuers who reach one last role are warned of, though their
// first roles differ.
func TestChain_SharedRole(t *testing.T) {
	w, _ := chainWorld(t)
	w.config.Issuers = append(w.config.Issuers, delegation.Issuer{
		URL:               "http://127.0.0.1:1/",
		AllowLoopbackHTTP: true,
	})
	own := w.config.Targets.(delegation.Targets)[app]
	own.Issuers = []string{w.url}
	other := own
	other.Issuers = []string{"http://127.0.0.1:1/"}
	other.Role = role + "2"
	w.config.Targets = delegation.Targets{app: own, "other": other}
	results := w.delegator(t).Check(t.Context())
	result := resultOf(t, results, "subjects in "+lastRole)
	if len(result.Warnings) != 1 || !strings.Contains(result.Warning,
		"the source identity does not tell them apart") {
		t.Errorf("got %+v", result)
	}
}

// sameDocuments compares JSON documents as values.
func sameDocuments(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d documents, want %d", len(got), len(want))
	}
	for i := range got {
		var a, b any
		err := errors.Join(json.Unmarshal([]byte(got[i]), &a), json.Unmarshal([]byte(want[i]), &b))
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%v\ngot  %s\nwant %s", err, got[i], want[i])
		}
	}
}

// TestChainPolicies_WrittenDown: without a token, roles are enough. What cannot be in a policy is
// refused.
func TestChainPolicies_WrittenDown(t *testing.T) {
	e := &delegation.Explanation{
		Role:  role,
		Chain: []delegation.ChainedRole{{RoleARN: lastRole}},
	}
	sameDocuments(t, must(e.ChainTrustPolicies()), []string{
		`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"sts:AssumeRole",
				"Condition":{"StringLike":{"sts:SourceIdentity":"*"}}},
			{"Effect":"Allow","Principal":{"AWS":"` + role + `"},
				"Action":"sts:SetSourceIdentity"}]}`,
	})
	sameDocuments(t, must(e.ChainPermissionPolicies()), []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"` + lastRole + `"}]}`,
	})
	for name, wrong := range map[string]*delegation.Explanation{
		"no role":   {Chain: e.Chain},
		"a user":    {Role: role, Chain: []delegation.ChainedRole{{RoleARN: "user"}}},
		"variable":  {Role: role, Chain: []delegation.ChainedRole{{lastRole, "${aws:userid}"}}},
		"variable2": {Role: role, Chain: e.Chain, TagKeys: []string{"${x}"}},
	} {
		_, err := wrong.ChainTrustPolicies()
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if name == "no role" {
			_, err = wrong.ChainPermissionPolicies()
			wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		}
	}
	for _, none := range []*delegation.Explanation{nil, {}, {Role: role}} {
		if list, err := none.ChainTrustPolicies(); err != nil || list != nil {
			t.Errorf("got %q, %v", list, err)
		}
	}
}
