package delegation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// backOffWorld is a strict world with a role of the given maximum, for whose target sessions of two
// hours are decided.
func backOffWorld(t *testing.T, maximum time.Duration) (*world, *ststest.Server, *captured) {
	t.Helper()
	w, fake := strictWorld(t)
	err := fake.PutRole(ststest.Role{ARN: role, TrustPolicy: allowAll, MaxSessionDuration: maximum})
	if err != nil {
		t.Fatal(err)
	}
	w.config.DurationBackOff = true
	w.retarget(func(a *delegation.AWS) { a.SessionDuration = 2 * time.Hour })
	return w, fake, capture(w)
}

// TestDurationBackOff_OneHourInstead: with a response of its own, which says the same as the
// request.
func TestDurationBackOff_OneHourInstead(t *testing.T) {
	w, fake, sent := backOffWorld(t, 90*time.Minute)
	credentials, err := w.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add(time.Hour); !credentials.Expiration.Equal(want) {
		t.Errorf("expiration %s, want %s", credentials.Expiration, want)
	}
	for i, seconds := range []int32{7200, 3600} {
		in := sent.sent[i]
		if *in.DurationSeconds != seconds ||
			attributesOf(in)[delegation.AttributeSessionDuration][0] != fmt.Sprint(seconds) {
			t.Errorf("call %d asks for %d s, its response says %v", i, *in.DurationSeconds,
				attributesOf(in)[delegation.AttributeSessionDuration])
		}
	}
	calls, e := fake.Calls(), w.lastEvent()
	if len(calls) != 2 || calls[0].AssertionID == calls[1].AssertionID ||
		e.AssertionID != calls[1].AssertionID {
		t.Errorf("the event names the assertion %s, the calls are %+v", e.AssertionID, calls)
	}
	if e.Duration != time.Hour || e.ShortenedFrom != 2*time.Hour ||
		!slices.Equal(e.Warnings, []string{"session_shortened"}) || e.Code != "" {
		t.Errorf("the event says %+v", e)
	}
}

// TestDurationBackOff_IsRemembered for an hour and this duration; then the role is asked anew,
// because its maximum may have been raised.
func TestDurationBackOff_IsRemembered(t *testing.T) {
	w, fake, sent := backOffWorld(t, 90*time.Minute)
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.SessionDuration = must(time.ParseDuration(user.Text("length")))
		return nil
	}}
	d := w.delegator(t)
	exchange := func(length string, asked ...time.Duration) {
		t.Helper()
		_, err := d.Exchange(t.Context(), w.token(map[string]any{"length": length}), app)
		if err != nil {
			t.Fatal(err)
		}
		var got []time.Duration
		for _, in := range sent.sent {
			got = append(got, time.Duration(*in.DurationSeconds)*time.Second)
		}
		if sent.sent = nil; !slices.Equal(got, asked) {
			t.Errorf("asked for %v, want %v", got, asked)
		}
		e := w.lastEvent()
		if e.Duration != asked[len(asked)-1] ||
			(e.ShortenedFrom == 0) != (e.Duration.Hours() != 1 || length == "1h") {
			t.Errorf("the event says %s, shortened from %s", e.Duration, e.ShortenedFrom)
		}
	}
	exchange("2h", 2*time.Hour, time.Hour)
	exchange("2h", time.Hour)
	exchange("90m", 90*time.Minute) // what a role allows it goes on allowing
	exchange("90m", 90*time.Minute)
	exchange("3h", 3*time.Hour, time.Hour)
	exchange("30m", 30*time.Minute)
	exchange("1h", time.Hour)
	w.clock.Advance(time.Hour - 1)
	exchange("2h", time.Hour)
	w.clock.Advance(1)
	exchange("2h", 2*time.Hour, time.Hour)
	exchange("2h", time.Hour)
	err := fake.PutRole(ststest.Role{
		ARN:                role,
		TrustPolicy:        allowAll,
		MaxSessionDuration: 12 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	exchange("2h", 2*time.Hour)
	exchange("2h", 2*time.Hour)
}

// TestDurationBackOff_OfOneRole: what one role does not allow another may.
func TestDurationBackOff_OfOneRole(t *testing.T) {
	w, fake, _ := backOffWorld(t, time.Hour)
	err := fake.PutRole(ststest.Role{
		ARN:                role + "-2",
		TrustPolicy:        allowAll,
		MaxSessionDuration: 2 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Role += user.Text("suffix")
		return nil
	}}
	d := w.delegator(t)
	for suffix, want := range map[string]time.Duration{"": time.Hour, "-2": 2 * time.Hour} {
		for range 2 {
			_, err := d.Exchange(t.Context(), w.token(map[string]any{"suffix": suffix}), app)
			if err != nil || w.lastEvent().Duration != want {
				t.Errorf("%q: %s, %v", suffix, w.lastEvent().Duration, err)
			}
		}
	}
	if n := len(fake.Calls()); n != 5 {
		t.Errorf("%d calls, want 3 for the one role and 2 for the other", n)
	}
}

// TestDurationBackOff_HasItsLimits: it is opt-in, once, and not for what every role allows.
func TestDurationBackOff_HasItsLimits(t *testing.T) {
	for name, row := range map[string]struct {
		on       bool
		duration time.Duration
		calls    int
	}{
		"off":               {false, 2 * time.Hour, 1},
		"refused twice":     {true, 2 * time.Hour, 2},
		"one hour":          {true, time.Hour, 1},
		"less than an hour": {true, 30 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake, _ := backOffWorld(t, time.Hour)
			w.config.DurationBackOff = row.on
			w.retarget(func(a *delegation.AWS) { a.SessionDuration = row.duration })
			fake.Script(ststest.Repeat(3, ststest.Refuse(400, "ValidationError",
				"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")))
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSDuration)
			calls := fake.Calls()
			if len(calls) != row.calls || e.RequestID != calls[len(calls)-1].RequestID {
				t.Errorf("%d calls, want %d", len(calls), row.calls)
			}
		})
	}
}

// tagged sets tags of 28 bytes each as the fake packs them, besides one of 18.
func tagged(a *delegation.AWS, keys ...string) {
	a.Tags = map[string]string{"team": "press-office"}
	for _, key := range keys {
		a.Tags[key] = strings.Repeat("x", 25)
	}
}

// with team 466 bytes, more than 100 % of the fake's space
var sixteen = strings.Fields("a b c d e f g h i j k l m n o p")

// TestDroppableTags_GoByRank: as many as AWS's percentage asks for, once, with a response of its
// own; the others stay.
func TestDroppableTags_GoByRank(t *testing.T) {
	for name, row := range map[string]struct {
		droppable []string
		answer    string // AWS's words, if not the fake's own
		dropped   []string
		code      delegation.Code
	}{
		// 101 %, and the aim is 90 %
		"as many as needed": {[]string{"p", "a", "b", "c"}, "", []string{"p", "a"}, ""},
		"all there are":     {[]string{"p"}, "", []string{"p"}, ""},
		"all if AWS does not say": {[]string{"p", "a", "b", "c"},
			"Serialized token too large for session", []string{"p", "a", "b", "c"}, ""},
		"all if AWS says nonsense": {[]string{"p", "a"},
			"consumes 99999999999999999999% of allotted space", []string{"p", "a"}, ""},
		"too few":     {[]string{"team"}, "", []string{"team"}, delegation.CodeSTSPackedSize},
		"none marked": {nil, "", nil, delegation.CodeSTSPackedSize},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			w.retarget(func(a *delegation.AWS) {
				tagged(a, sixteen...)
				a.DroppableTags = row.droppable
				a.TransitiveTagKeys = []string{"p", "team", "c", "o"}
			})
			if row.answer != "" {
				fake.Script(ststest.Refuse(400, "PackedPolicyTooLarge", row.answer))
			}
			if row.code != "" {
				w.retarget(func(a *delegation.AWS) { a.Tags["q"] = strings.Repeat("x", 256) })
			}
			_, err := w.exchange(t, nil)
			e := w.lastEvent()
			if !slices.Equal(e.DroppedTags, row.dropped) ||
				(len(row.dropped) > 0) != slices.Contains(e.Warnings, "tags_dropped") {
				t.Errorf("dropped %v, want %v; warnings %v", e.DroppedTags, row.dropped, e.Warnings)
			}
			calls, want := fake.Calls(), 2
			if row.dropped == nil {
				want = 1
			}
			if len(calls) != want {
				t.Fatalf("%d calls, want %d", len(calls), want)
			}
			if row.code != "" {
				wantError(t, err, delegation.StageSTS, row.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := calls[1]
			for _, key := range append([]string{"team"}, sixteen...) {
				if _, kept := got.PrincipalTags[key]; kept == slices.Contains(row.dropped, key) {
					t.Errorf("%s: kept %v", key, kept)
				}
			}
			left := slices.DeleteFunc([]string{"p", "team", "c", "o"},
				func(key string) bool { return slices.Contains(row.dropped, key) })
			if !slices.Equal(got.TransitiveTagKeys, left) {
				t.Errorf("transitive are %v, want %v", got.TransitiveTagKeys, left)
			}
			if e.AssertionID != got.AssertionID || e.AssertionID == "" {
				t.Errorf("the event names the assertion %s", e.AssertionID)
			}
		})
	}
}

// TestDroppableTags_Once: if what is left is too large as well, the exchange fails, and does not go
// on taking tags away.
func TestDroppableTags_Once(t *testing.T) {
	w, fake := strictWorld(t)
	w.retarget(func(a *delegation.AWS) {
		tagged(a, sixteen...)
		a.DroppableTags = []string{"p", "a", "b", "c"}
	})
	const words = "Packed size of session tags consumes 101% of allotted space."
	fake.Script(ststest.Repeat(3, ststest.Refuse(400, "PackedPolicyTooLarge", words)))
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSPackedSize)
	e := w.lastEvent()
	if len(fake.Calls()) != 2 || !slices.Equal(e.DroppedTags, []string{"p", "a"}) {
		t.Errorf("%d calls, dropped %v", len(fake.Calls()), e.DroppedTags)
	}
}

// TestDroppableTags_ForTheSessionPolicysSake: what policies take of the space counts too; by the
// tags, or with one kind of policy, two would seem enough.
func TestDroppableTags_ForTheSessionPolicysSake(t *testing.T) {
	w, fake := strictWorld(t)
	w.retarget(func(a *delegation.AWS) {
		tagged(a, sixteen[:9]...)
		const folder = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		a.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Action":"s3:GetObject","Resource":"arn:aws:s3:::` + folder + `"}]}`
		for i := range 2 {
			a.PolicyARNs = append(a.PolicyARNs,
				fmt.Sprintf("arn:aws:iam::aws:policy/%d%s", i, strings.Repeat("x", 26)))
		}
		a.DroppableTags = sixteen[:9]
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.lastEvent().DroppedTags; !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("dropped %v", got)
	}
	if calls := fake.Calls(); len(calls) != 2 || calls[1].Policy == "" {
		t.Errorf("calls %+v", calls)
	}
}

// TestDroppableTags_LastTransitive: without a transitive key left, the attribute goes.
func TestDroppableTags_LastTransitive(t *testing.T) {
	w, fake := strictWorld(t)
	w.retarget(func(a *delegation.AWS) {
		tagged(a, sixteen...)
		a.DroppableTags, a.TransitiveTagKeys = []string{"p"}, []string{"p"}
	})
	sent := capture(w)
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	got, ok := attributesOf(sent.sent[1])[delegation.AttributeTransitiveTagKeys]
	if ok || len(fake.Calls()) != 2 {
		t.Errorf("transitive are %v", got)
	}
}

// TestDroppableTags_DoNotTouchTheRules: a rule's own map, which others may share, keeps its tags.
func TestDroppableTags_DoNotTouchTheRules(t *testing.T) {
	w, _ := strictWorld(t)
	var shared delegation.AWS
	tagged(&shared, sixteen...)
	shared.DroppableTags, shared.TransitiveTagKeys = []string{"p", "o"}, []string{"p", "o"}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Tags = shared.Tags
		rc.AWS.DroppableTags = shared.DroppableTags
		rc.AWS.TransitiveTagKeys = shared.TransitiveTagKeys
		return nil
	}}
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if len(shared.Tags) != 17 || !slices.Equal(shared.DroppableTags, []string{"p", "o"}) ||
		!slices.Equal(shared.TransitiveTagKeys, []string{"p", "o"}) {
		t.Errorf("the rule's own values became %v, %v, %v", shared.Tags, shared.DroppableTags,
			shared.TransitiveTagKeys)
	}
}

// TestConcede_LeavesTheExchangesDecision: a call may go on for other exchanges, which are reading
// the decision that it was made for. What it gives up, it gives up in a copy.
func TestConcede_LeavesTheExchangesDecision(t *testing.T) {
	tags := map[string]string{"a": "1", "b": "2"}
	packed := errors.New("Packed size of session tags consumes 138% of allotted space.")
	refusal := delegation.ErrorOf(delegation.CodeSTSPackedSize, packed)
	got := delegation.Concede(maps.Clone(tags), refusal)
	if !got.Conceded || len(got.CallTags) != 1 || len(got.CallTransitive) != 1 {
		t.Fatalf("the call dropped nothing: %+v", got)
	}
	if !maps.Equal(got.Tags, tags) || !slices.Equal(got.Transitive, []string{"a", "b"}) {
		t.Errorf("the exchange's decision has %v, transitive %v", got.Tags, got.Transitive)
	}

	long := errors.New("the requested DurationSeconds exceeds the MaxSessionDuration")
	refusal = delegation.ErrorOf(delegation.CodeSTSDuration, long)
	got = delegation.Concede(maps.Clone(tags), refusal)
	if !got.Conceded || got.CallDuration != time.Hour {
		t.Fatalf("the call asks for %s", got.CallDuration)
	}
	if got.Duration != 12*time.Hour {
		t.Errorf("the exchange's decision is for %s", got.Duration)
	}
}

func TestDroppableTags_AreKeysOfTags(t *testing.T) {
	w := newWorld(t)
	w.retarget(func(a *delegation.AWS) {
		a.Tags, a.DroppableTags = map[string]string{"team": "press"}, []string{"team", "Team"}
	})
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageDecision, delegation.CodeTagsInvalid)
	if !strings.Contains(e.Error(), `"Team"`) {
		t.Errorf("got %v", e)
	}
}

// TestConcede_Both: an exchange that is refused for its duration, for its tags, and by a dead
// region, still succeeds.
func TestConcede_Both(t *testing.T) {
	w, fake, way := regionalWorld(t)
	w.config.DurationBackOff = true
	w.retarget(func(a *delegation.AWS) {
		tagged(a, sixteen...)
		a.DroppableTags, a.SessionDuration = []string{"p"}, 12*time.Hour
	})
	way.set(true, frankfurt)
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	e := w.lastEvent()
	if !slices.Equal(e.Warnings,
		[]string{"region_failed", "session_shortened", "tags_dropped", "packed_policy_size"}) {
		t.Errorf("warnings %v", e.Warnings)
	}
	if dead, calls := way.attempts(frankfurt), fake.Calls(); dead != 1 || len(calls) != 3 {
		t.Errorf("%d attempts of the dead region, which one response finds dead once; %d calls",
			dead, len(calls))
	}
}

// TestTook_OfAllTries: the stages' times are those of all responses and calls together.
func TestTook_OfAllTries(t *testing.T) {
	w := newWorld(t)
	w.config.DurationBackOff = true
	w.retarget(func(a *delegation.AWS) { a.SessionDuration = 2 * time.Hour })
	yes := agreeable(w.clock.Now)
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.clock.Advance(5 * time.Second)
		if *in.DurationSeconds > 3600 {
			return nil,
				&smithy.GenericAPIError{
					Code: "ValidationError",
					Message: "The requested DurationSeconds exceeds the MaxSessionDuration set " +
						"for this role.",
				}
		}
		return yes(ctx, in)
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.lastEvent().Took[delegation.StageSTS]; got != 10*time.Second {
		t.Errorf("took %s", got)
	}
}

// TestPackedSize_WarnsFrom80: in the event, and in the log, whose level it raises.
func TestPackedSize_WarnsFrom80(t *testing.T) {
	for size, warns := range map[int32]bool{0: false, 79: false, 80: true, 100: true} {
		w := newWorld(t)
		yes := agreeable(w.clock.Now)
		w.config.STS = stsFunc(func(
			ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			out, err := yes(ctx, in)
			out.PackedPolicySize = aws.Int32(size) //lint:ignore SA1019 STS's limit is on this
			return out, err
		})
		var log bytes.Buffer
		w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := w.exchange(t, nil); err != nil {
			t.Fatal(err)
		}
		e := w.lastEvent()
		if slices.Equal(e.Warnings, []string{"packed_policy_size"}) != warns ||
			e.PackedPolicySize != int(size) {
			t.Errorf("%d %%: warnings %v", size, e.Warnings)
		}
		line := log.String()
		if strings.Contains(line, "level=WARN") != warns ||
			strings.Contains(line, "event.warnings=[packed_policy_size]") != warns ||
			strings.Count(line, "\n") != 1 {
			t.Errorf("%d %%: the log says %s", size, line)
		}
	}
}
