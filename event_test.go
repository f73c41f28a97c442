package delegation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
)

// full returns an Event with every field set, to values that differ.
func full() delegation.Event {
	return delegation.Event{
		Time: start, FromContext: true, Outcome: "an-outcome",
		Issuer: "an-issuer", Subject: "a-subject", TokenSHA256: "a-hash",
		ClaimedIssuer: "another-issuer", KeyID: "a-kid", Algorithm: "an-alg",
		RequestedRole: "c-role", ListedRoles: []string{"d-role"},
		ClientID: "a-client", Target: "a-target", Rule: "a-rule", Principal: "a-principal",
		Role:   "a-role",
		Region: "a-region", SessionName: "a-session", SourceIdentity: "a-source", Cache: "a-cache",
		Duration: 90 * time.Minute, AssertionID: "an-assertion", AccessKeyID: "a-key",
		Expiration: start.Add(time.Hour), RequestID: "a-request", PackedPolicySize: 17,
		EstimatedPackedSize: 19,
		Stage:               "a-stage", Code: "a-code", Err: errors.New("an-error"),
		HTTPRequestID: "an-id", ClientIP: "an-ip", UserAgent: "an-agent", Endpoint: "an-endpoint",
		RequestedSessionName: "a-name", RequestedDuration: 3 * time.Hour,
		Tags: map[string]string{"a-key": "a-value"}, SessionPolicySHA256: "a-policy",
		SessionPolicyARNs: []string{"an-arn"},
		Scopes:            []string{"a-scope"},
		Narrowing:         []delegation.Narrowing{delegation.NarrowedAlone},

		RequestedPolicySHA256: []string{"a-requested-hash"},
		FailedRegions:         []string{"b-region:a-code"}, ShortenedFrom: 2 * time.Hour,
		DroppedTags: []string{"a-tag"}, Unconfirmed: []string{"a-field"},
		Warnings:  []string{"a-warning"},
		TokenKind: "a-kind", TokenScopes: []string{"b-scope"}, ActorIssuer: "an-actor-issuer",
		ActorSubject: "an-actor", ActorClientID: "an-actor-client",
		ActorTokenSHA256: "an-actor-hash", PriorActors: []string{"a-prior"},
		Chain: []string{"b-role"}, Hop: 2, HopRequestIDs: []string{"b-request"},
		Took: map[delegation.Stage]time.Duration{
			delegation.StageToken: time.Microsecond, delegation.StageTarget: 2 * time.Millisecond,
			delegation.StageRules:    3 * time.Second,
			delegation.StageDecision: 4*time.Microsecond - 1,
			delegation.StageSAML:     5 * time.Minute, delegation.StageSTS: 6 * time.Hour,
			delegation.StageCache: 0, delegation.StageAudit: 7 * time.Millisecond,
		},
	}
}

// logged returns what an event says to slog: key to value.
func logged(e delegation.Event) map[string]string {
	attrs := map[string]string{}
	for _, a := range e.LogValue().Group() {
		attrs[a.Key] = a.Value.String()
	}
	return attrs
}

func TestEvent_LogValue(t *testing.T) {
	failed, succeeded := full(), full()
	failed.Expiration, failed.PackedPolicySize, failed.AccessKeyID = time.Time{}, 0, ""
	succeeded.Stage, succeeded.Code, succeeded.Err = "", "", nil
	both := map[string]string{
		"outcome": "an-outcome", "from_context": "true",
		"issuer": "an-issuer", "subject": "a-subject", "token_sha256": "a-hash",
		"claimed_issuer": "another-issuer", "key_id": "a-kid", "algorithm": "an-alg",
		"requested_role": "c-role", "listed_roles": "[d-role]",
		"client_id": "a-client", "target": "a-target", "rule": "a-rule", "principal": "a-principal",
		"role":   "a-role",
		"region": "a-region", "session_name": "a-session", "source_identity": "a-source",
		"duration_seconds": "5400", "cache": "a-cache", "assertion_id": "an-assertion",
		"request_id": "a-request", "estimated_packed_size": "19",
		"failed_regions": "[b-region:a-code]", "shortened_from_seconds": "7200",
		"dropped_tags": "[a-tag]", "unconfirmed": "[a-field]", "warnings": "[a-warning]",
		"http_request_id": "an-id", "client_ip": "an-ip", "user_agent": "an-agent",
		"endpoint": "an-endpoint", "requested_session_name": "a-name",
		"requested_duration_seconds": "10800",
		"tags":                       "map[a-key:a-value]", "session_policy_sha256": "a-policy",
		"session_policy_arns": "[an-arn]",
		"scopes":              "[a-scope]", "requested_policy_sha256": "[a-requested-hash]",
		"narrowing":     "[alone]",
		"took_token_ms": "0.001", "took_target_ms": "2", "took_rules_ms": "3000",
		"took_decision_ms": "0.003", "took_saml_ms": "300000", "took_sts_ms": "2.16e+07",
		"took_cache_ms": "0", "took_audit_ms": "7",
		"token_kind": "a-kind", "token_scopes": "[b-scope]", "actor_issuer": "an-actor-issuer",
		"actor_subject": "an-actor", "actor_client_id": "an-actor-client",
		"actor_token_sha256": "an-actor-hash", "prior_actors": "[a-prior]",
		"chain": "[b-role]", "hop": "2", "hop_request_ids": "[b-request]",
	}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(both)
		maps.Copy(all, more)
		return all
	}
	tests := []struct {
		name  string
		event delegation.Event
		want  map[string]string
	}{
		{"failed", failed,
			with(map[string]string{"stage": "a-stage", "code": "a-code", "error": "an-error"})},
		{"succeeded", succeeded, with(map[string]string{"access_key_id": "a-key",
			"expiration": start.Add(time.Hour).String(), "packed_policy_size": "17"})},
		{"stopped early",
			delegation.Event{
				Target: "a-target",
				Stage:  delegation.StageToken,
				Code:   "a-code",
				Err:    errors.New("an-error"),
			},
			map[string]string{
				"target": "a-target", "stage": "token", "code": "a-code", "error": "an-error",
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := logged(test.event); !maps.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

// TestEvent_LogValueHasEveryField holds that a field added to Event is logged too.
func TestEvent_LogValueHasEveryField(t *testing.T) {
	e, zero := reflect.ValueOf(full()), logged(delegation.Event{})
	for i := range e.NumField() {
		name := e.Type().Field(i).Name
		if name == "Time" {
			continue // slog has the record's own
		}
		one := delegation.Event{}
		reflect.ValueOf(&one).Elem().Field(i).Set(e.Field(i))
		if e.Field(i).IsZero() || maps.Equal(logged(one), zero) {
			t.Errorf("%s is not logged", name)
		}
	}
}

// TestEvent_Documented holds that docs/events.md has every field, with its key in the log.
func TestEvent_Documented(t *testing.T) {
	document := string(must(os.ReadFile("docs/events.md")))
	e, zero := reflect.ValueOf(full()), logged(delegation.Event{})
	for i := range e.NumField() {
		name := e.Type().Field(i).Name
		_, row, found := strings.Cut(document, "\n| `"+name+"` | ")
		cell, _, _ := strings.Cut(row, " |")
		one := delegation.Event{}
		reflect.ValueOf(&one).Elem().Field(i).Set(e.Field(i))
		for key, value := range logged(one) {
			if value != zero[key] && !strings.Contains(cell, "`"+key+"`") &&
				!strings.HasPrefix(key, "took_") {
				t.Errorf("%s: the document does not say that it is logged as %s", name, key)
			}
		}
		if !found {
			t.Errorf("%s is not documented", name)
		}
	}
}

func TestEvent_LogValueSetsOff(t *testing.T) {
	var out bytes.Buffer
	e := full()
	e.Target = "a\nlevel=ERROR msg=\"forged\""
	slog.New(slog.NewTextHandler(&out, nil)).Info("exchange", "event", e)
	if strings.Count(out.String(), "\n") != 1 ||
		!strings.Contains(out.String(), "event.role=a-role") {
		t.Errorf("a target's name broke the line: %s", out.String())
	}
}

// TestLevels lists what only the operator can help with. A stranger cannot fill a log with errors:
// who is refused is a warning.
func TestLevels(t *testing.T) {
	want := []delegation.Code{
		delegation.CodeTargetInvalid, delegation.CodeRuleFailed, delegation.CodeRulePanicked,
		delegation.CodeRuleContextMissing, delegation.CodeRoleInvalid,
		delegation.CodeAccountMismatch,
		delegation.CodeRegionInvalid, delegation.CodeMappingInvalid, delegation.CodeNameIDInvalid,
		delegation.CodeNameIDNotFolder,
		delegation.CodeDurationInvalid,
		delegation.CodeSessionNameInvalid, delegation.CodeTagsInvalid,
		delegation.CodeSourceIDInvalid, delegation.CodePolicyInvalid, delegation.CodeTextInvalid,
		delegation.CodeScopeNotCombinable,
		delegation.CodeResponseTooLarge, delegation.CodeSTSClaimRejected,
		delegation.CodeSTSSignature, delegation.CodeSTSIssuer, delegation.CodeSTSProvider,
		delegation.CodeSTSUnreadable, delegation.CodeSTSConfirmation, delegation.CodeSTSAudience,
		delegation.CodeSTSRolePair, delegation.CodeSTSSessionName,
		delegation.CodeSTSSourceIdentity, delegation.CodeSTSIdentityToken, delegation.CodeSTSPolicy,
		delegation.CodeSTSPackedSize, delegation.CodeSTSRegionDisabled,
		delegation.CodeSTSAccessDenied, delegation.CodeSTSRoleARN, delegation.CodeSTSPrincipalARN,
		delegation.CodeSTSOtherAccount, delegation.CodeSTSDuration, delegation.CodeSTSTags,
		delegation.CodeSTSValidation, delegation.CodeSTSRefused, delegation.CodeSTSAnswerMismatch,
		delegation.CodeProviderMismatch, delegation.CodeEncryptionFailed,
		delegation.CodeRecipientInvalid, delegation.CodeRuleUnsupported,
		delegation.CodeKeySetInvalid, delegation.CodeKeySetPrivate,
		delegation.CodeKeySetSymmetric, delegation.CodeKeySetTooLarge,
		delegation.CodeKeySetRedirect, delegation.CodeKeySetURL, delegation.CodeDiscoveryIssuer,
		delegation.CodeKeySetMissing, delegation.CodeKeySetDiscovery,
		delegation.CodeDiscoveryRedirect, delegation.CodeDiscoveryMissing,
		delegation.CodeKeySetUnauthorized, delegation.CodeKeySetCertificate,
		delegation.CodeAuditFailed,
		delegation.CodeSignerRefused,
		delegation.CodeActorConflict,
		delegation.CodeChainInvalid, delegation.CodeChainDuration,
		delegation.CodeChainSourceIdentity,
		delegation.CodeSTSChainDenied, delegation.CodeSTSChainCredentials,
		delegation.CodeProfileUnauthorized, delegation.CodeProfileInvalid,
	}
	var got []delegation.Code
	for _, value := range codes(t, "Code") {
		e := delegation.ErrorOf(delegation.Code(value), errors.New("x"))
		switch delegation.Level(e) {
		case slog.LevelError:
			got = append(got, e.Code)
		case slog.LevelWarn:
		default:
			t.Errorf("%s has the level %s", e.Code, delegation.Level(e))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if level := delegation.Level(nil); level != slog.LevelInfo {
		t.Errorf("a success has the level %s", level)
	}
}

// TestOutcomes lists what says nothing about the user: something did not work. With every other
// code the user was refused.
func TestOutcomes(t *testing.T) {
	failed := []delegation.Code{
		delegation.CodeConfigInvalid, delegation.CodeArgumentInvalid, delegation.CodeCanceled,
		delegation.CodeContextWithoutToken, delegation.CodeContextWithoutEnd,
		delegation.CodeKeyPending, delegation.CodeKeySetInvalid, delegation.CodeKeySetPrivate,
		delegation.CodeKeySetSymmetric, delegation.CodeKeySetTooLarge,
		delegation.CodeKeySetRedirect, delegation.CodeKeySetURL, delegation.CodeKeySetMissing,
		delegation.CodeKeySetDiscovery, delegation.CodeKeySetUnauthorized,
		delegation.CodeKeySetCertificate, delegation.CodeKeySetProxy,
		delegation.CodeKeySetUnavailable, delegation.CodeDiscoveryIssuer,
		delegation.CodeDiscoveryRedirect, delegation.CodeDiscoveryMissing,
		delegation.CodeTokenSourceFailed, delegation.CodeReplayUnavailable,
		delegation.CodeRevocationsUnavailable,
		delegation.CodeTargetFailed, delegation.CodeTargetInvalid,
		delegation.CodeProfileFailed, delegation.CodeRuleFailed, delegation.CodeRulePanicked,
		delegation.CodeRuleContextMissing, delegation.CodeRuleUnsupported,
		delegation.CodeProfileUnavailable, delegation.CodeProfileThrottled,
		delegation.CodeProfileUnauthorized, delegation.CodeProfileInvalid,
		delegation.CodeProfileTimeout, delegation.CodeRuleTimeout,
		delegation.CodeRuleContextMissing,
		delegation.CodeRoleInvalid, delegation.CodeAccountMismatch,
		delegation.CodeProviderMismatch, delegation.CodeRegionInvalid,
		delegation.CodeRecipientInvalid,
		delegation.CodeMappingInvalid, delegation.CodeNameIDInvalid,
		delegation.CodeNameIDNotFolder,
		delegation.CodeDurationInvalid, delegation.CodeSessionNameInvalid,
		delegation.CodeTagsInvalid, delegation.CodeSourceIDInvalid, delegation.CodePolicyInvalid,
		delegation.CodeScopeNotCombinable,
		delegation.CodeSharedCache, delegation.CodeAuditFailed, delegation.CodeActorConflict,
		delegation.CodeChainInvalid, delegation.CodeChainDuration,
		delegation.CodeChainSourceIdentity,
	}
	for _, value := range codes(t, "Code") {
		e := delegation.ErrorOf(delegation.Code(value), errors.New("x"))
		want := delegation.OutcomeDenied
		if slices.Contains(failed, e.Code) || e.Stage == delegation.StageSAML ||
			e.Stage == delegation.StageSTS {
			want = delegation.OutcomeFailed
		}
		if outcome := delegation.OutcomeOf(e); outcome != want {
			t.Errorf("%s has the outcome %q, want %q", e.Code, outcome, want)
		}
		e.Requested = true
		if outcome := delegation.OutcomeOf(e); outcome != delegation.OutcomeDenied {
			t.Errorf("%s, of a value that the caller chose, has the outcome %q", e.Code, outcome)
		}
	}
	if outcome := delegation.OutcomeOf(nil); outcome != delegation.OutcomeAllowed {
		t.Errorf("a success has the outcome %q", outcome)
	}
	for stage, want := range map[delegation.Stage]delegation.Outcome{
		delegation.StageToken: delegation.OutcomeDenied,
		delegation.StageRules: delegation.OutcomeDenied,
		delegation.StageSTS:   delegation.OutcomeFailed,
		"another":             delegation.OutcomeFailed,
	} {
		e := &delegation.Error{Stage: stage, Code: "another"}
		if outcome := delegation.OutcomeOf(e); outcome != want {
			t.Errorf("another code of the stage %s has the outcome %q", stage, outcome)
		}
	}
}

// TestEvent_Outcome: field, log and message have the same word.
func TestEvent_Outcome(t *testing.T) {
	for want, change := range map[delegation.Outcome]func(*world){
		delegation.OutcomeAllowed: func(*world) {},
		delegation.OutcomeDenied: func(w *world) {
			w.config.Rules = []delegation.RuleFunc{func(
				context.Context, *delegation.User, *delegation.RuleContext,
			) error {
				return delegation.Deny("no")
			}}
		},
		delegation.OutcomeFailed: func(w *world) {
			w.config.Rules = []delegation.RuleFunc{func(
				context.Context, *delegation.User, *delegation.RuleContext,
			) error {
				return errors.New("no")
			}}
		},
	} {
		w := newWorld(t)
		var log strings.Builder
		w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		change(w)
		_, _ = w.exchange(t, nil)
		line := fmt.Sprintf(" msg=\"exchange %s\" event.outcome=%s ", want, want)
		if w.events[0].Outcome != want || !strings.Contains(log.String(), line) {
			t.Errorf("want %s: the event has %q, the log is %s", want, w.events[0].Outcome, &log)
		}
	}
}

// TestEvent_TokenSHA256: the hash is there whatever became of the token, so that one that was
// stolen can be looked for.
func TestEvent_TokenSHA256(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	good, huge := w.token(nil), strings.Repeat("a", 1<<20)
	for _, row := range []struct {
		token, want string
		code        delegation.Code
	}{
		{good, fmt.Sprintf("%x", sha256.Sum256([]byte(good))), ""},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
			delegation.CodeTokenMalformed},
		{huge, "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360",
			delegation.CodeTokenTooLarge},
		{"", "", delegation.CodeTokenMissing},
	} {
		_, _ = d.Exchange(t.Context(), row.token, app)
		if e := w.events[len(w.events)-1]; e.TokenSHA256 != row.want || e.Code != row.code {
			t.Errorf("%.10q: hash %q, code %q; want %q, %q", row.token, e.TokenSHA256, e.Code,
				row.want, row.code)
		}
	}
}

// TestEvent_OfASuccess holds every field against what was decided and what AWS answered.
func TestEvent_OfASuccess(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.SessionDuration = 2 * time.Hour
		target.SourceIdentity = "alice"
		target.Region = "eu-west-1"
		target.Tags = map[string]string{"a": "b"}
	})
	w.config.Rules = []delegation.RuleFunc{delegation.Must(delegation.RoleByClaim("sub",
		delegation.RoleMatch{Pattern: ".*", Role: admin, Principal: otherProvider}))}
	token := w.token(map[string]any{"email": "alice@example.com", "email_verified": true})
	credentials, err := w.delegator(t).Exchange(t.Context(), token, app)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.events) != 1 {
		t.Fatalf("%d events", len(w.events))
	}
	want := delegation.Event{
		Time: start, Outcome: delegation.OutcomeAllowed,
		Issuer: w.url, Subject: alice, KeyID: w.provider.KeyID(), Algorithm: "RS256",
		TokenSHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(token))), ClientID: app, Target: app,
		Rule: "delegation.RoleByClaim", Principal: otherProvider, Role: admin,
		Region: "eu-west-1", SessionName: "alice@example.com", SourceIdentity: "alice",
		Cache: delegation.CacheOff, Duration: 2 * time.Hour, AccessKeyID: credentials.AccessKeyID,
		AssertionID: responseOf(w.last()).FindElement("//saml:Assertion").SelectAttrValue("ID", ""),
		Expiration:  start.Add(2 * time.Hour),
		Tags:        map[string]string{"a": "b"},
		RequestID:   credentials.RequestID, PackedPolicySize: credentials.PackedPolicySize,
		EstimatedPackedSize: 1,
		Took: map[delegation.Stage]time.Duration{
			delegation.StageToken: 0, delegation.StageTarget: 0, delegation.StageRules: 0,
			delegation.StageDecision: 0, delegation.StageSAML: 0, delegation.StageSTS: 0,
		},
	}
	if got := w.events[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if want.AssertionID == "" {
		t.Error("the assertion has no ID")
	}
}

// TestEvent_OfTheCall: what the service says of the call is in the event, cut short, and without
// characters that could lead a reader of the record astray.
func TestEvent_OfTheCall(t *testing.T) {
	long := strings.Repeat("é", 300)
	for name, row := range map[string]struct {
		request, want delegation.Request
	}{
		"nothing": {},
		"plain": {
			delegation.Request{ID: "an-id", IP: "2001:db8::1", UserAgent: `aws-cli/2 "x" \ é`},
			delegation.Request{ID: "an-id", IP: "2001:db8::1", UserAgent: `aws-cli/2 "x" \ é`},
		},
		"long": {
			delegation.Request{ID: long, IP: long, UserAgent: long},
			delegation.Request{ID: long[:2*128], IP: long[:2*64], UserAgent: long[:2*256]},
		},
		"odd": {
			delegation.Request{ID: "a\nb", IP: "\x00", UserAgent: "\x1b[31m\u202eevil\xff"},
			delegation.Request{ID: `a\nb`, IP: `\x00`, UserAgent: `\x1b[31m\u202eevil` + "\uFFFD"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.delegator(t)
			for _, token := range []string{w.token(nil), "no token"} {
				_, _ = d.Exchange(t.Context(), token, app, delegation.WithRequest(row.request))
				e := w.events[len(w.events)-1]
				if e.HTTPRequestID != row.want.ID || e.ClientIP != row.want.IP ||
					e.UserAgent != row.want.UserAgent {
					t.Errorf("got %q, %q, %q", e.HTTPRequestID, e.ClientIP, e.UserAgent)
				}
			}
		})
	}
}

// TestEvent_OfASessionPolicy: the hash is that of the policy as AWS gets it, and the event keeps
// what was decided, whatever its receivers do with their own.
func TestEvent_OfASessionPolicy(t *testing.T) {
	w := newWorld(t)
	const policy = `{"Version":"2012-10-17","Statement":[]}`
	readOnly := "arn:aws:iam::aws:policy/ReadOnlyAccess"
	w.config.CacheSize = 10
	w.target(func(target *delegation.Target) {
		target.Policy = policy
		target.PolicyARNs = []string{readOnly}
		target.Tags = map[string]string{"team": "press"}
	})
	w.config.Audit = func(_ context.Context, e delegation.Event) error {
		e.Tags["team"] = "changed"
		e.SessionPolicyARNs[0] = "changed"
		return nil
	}
	w.config.OnEvent = func(_ context.Context, e delegation.Event) {
		if e.Tags["team"] != "press" || e.SessionPolicyARNs[0] != readOnly {
			t.Errorf("the event is %+v", e)
		}
		w.events = append(w.events, e)
		e.Tags["team"] = "changed"
		e.SessionPolicyARNs[0] = "changed"
	}
	d := w.delegator(t)
	for range 2 {
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		sent := *w.last().Policy
		if sent != policy || *w.last().PolicyArns[0].Arn != readOnly {
			t.Errorf("AWS got %s", sent)
		}
	}
	want := fmt.Sprintf("%x", sha256.Sum256([]byte(policy)))
	if w.events[1].Cache != delegation.CacheHit {
		t.Errorf("the second exchange is %s", w.events[1].Cache)
	}
	for _, e := range w.events {
		if e.SessionPolicySHA256 != want || len(e.SessionPolicyARNs) != 1 || len(e.Tags) != 1 {
			t.Errorf("got %+v", e)
		}
	}
}

// TestEvent_TellsHowLongEachStageTook lets the clock go on inside of stages only.
func TestEvent_TellsHowLongEachStageTook(t *testing.T) {
	w := newWorld(t)
	yes, target := w.config.STS.(stsFunc), sharedTarget()
	w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
		w.clock.Advance(2 * time.Second)
		return target, nil
	})
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		w.clock.Advance(3 * time.Second)
		return nil, nil
	}
	w.config.Rules = []delegation.RuleFunc{func(
		context.Context, *delegation.User, *delegation.RuleContext,
	) error {
		w.clock.Advance(4 * time.Second)
		return nil
	}}
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.clock.Advance(5 * time.Second)
		return yes(ctx, in)
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	want := map[delegation.Stage]time.Duration{
		delegation.StageToken: 0, delegation.StageTarget: 2 * time.Second,
		delegation.StageRules:    7 * time.Second,
		delegation.StageDecision: 0, delegation.StageSAML: 0, delegation.StageSTS: 5 * time.Second,
	}
	if got := w.events[0].Took; !maps.Equal(got, want) || !w.events[0].Time.Equal(start) {
		t.Errorf("got %v from %s, want %v", got, w.events[0].Time, want)
	}
}

// TestEventNotes_AreAllInTheEvent: each field of an Event is what an exchange has noted under its
// name, except for those that only the end of the exchange tells.
func TestEventNotes_AreAllInTheEvent(t *testing.T) {
	atTheEnd := []string{"Outcome", "Hop", "Stage", "Code", "Err", "Took"}
	event := reflect.ValueOf(delegation.NotedEvent())
	for i := range event.NumField() {
		name := event.Type().Field(i).Name
		value := event.Field(i)
		if got := value.IsZero(); got != slices.Contains(atTheEnd, name) {
			t.Errorf("%s: zero is %t", name, got)
		}
		switch value.Kind() {
		case reflect.String:
			if text := value.String(); text != "" && text != name {
				t.Errorf("%s is %s", name, text)
			}
		case reflect.Slice:
			if text := value.Index(0).String(); text != name {
				t.Errorf("%s is %s", name, text)
			}
		case reflect.Int, reflect.Int64:
			if n := value.Int(); n != 0 && n != int64(len(name)) {
				t.Errorf("%s is %d", name, n)
			}
		}
	}
}

// TestEventNotes_AreApart: neither a call that goes on with an exchange's notes nor the receiver of
// an Event changes what the exchange has noted.
func TestEventNotes_AreApart(t *testing.T) {
	before, after := delegation.NotesApart()
	if !reflect.DeepEqual(before, after) {
		t.Errorf("got %+v\nwant %+v", after, before)
	}
}

// TestOptions_AreNotChanged: an option serves several exchanges, and none of them finds in it what
// another one has asked for.
func TestOptions_AreNotChanged(t *testing.T) {
	w := cachedWorld(t)
	w.config.Targets = delegation.Targets{app: {
		AWS: delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"},
		Scopes: map[string]delegation.Scope{"read": {
			PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		}},
	}}
	var seen []delegation.Request
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			seen = append(seen, rc.Request)
			return nil
		},
	}
	d := w.delegator(t)
	request := delegation.WithRequest(delegation.Request{ID: "one", SessionName: "alice"})
	for _, more := range [][]delegation.ExchangeOption{
		{
			delegation.WithRole(role),
			delegation.WithSessionDuration(15 * time.Minute),
			delegation.WithScope("read"),
		},
		{},
	} {
		options := append([]delegation.ExchangeOption{request}, more...)
		if _, err := d.Exchange(t.Context(), w.token(nil), app, options...); err != nil {
			t.Fatal(err)
		}
	}
	want := []delegation.Request{
		{
			ID: "one", SessionName: "alice", Role: role, SessionDuration: 15 * time.Minute,
			Scopes: []string{"read"},
		},
		{ID: "one", SessionName: "alice"},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got %+v", seen)
	}
	if events := w.events; len(events) != 2 || events[1].RequestedRole != "" ||
		events[1].RequestedDuration != 0 || events[1].Scopes != nil {
		t.Errorf("got %+v", events)
	}
}
