package delegation_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// sized sets session tags of 95 bytes and one more, so that all take a percentage of AWS's space.
func sized(a *delegation.AWS, percent int) {
	a.Tags = map[string]string{}
	bytes := percent * 461 / 100
	for key := 'a'; bytes > 130; key++ {
		a.Tags[string(key)] = strings.Repeat("x", 92)
		bytes -= 95
	}
	a.Tags["z"] = strings.Repeat("x", bytes-3)
}

// TestPackedSize_Estimated: an event has the estimate if AWS was called, and warns from 80 % on if
// AWS has not said how much it is.
func TestPackedSize_Estimated(t *testing.T) {
	for _, percent := range []int{79, 80, 100, 101} {
		for name, refuses := range map[string]bool{"AWS refuses": true, "AWS answers": false} {
			w, fake := strictWorld(t)
			w.retarget(func(a *delegation.AWS) { sized(a, percent) })
			if refuses {
				fake.Script(ststest.Refuse(403, "AccessDenied", "no"))
			}
			_, err := w.exchange(t, nil)
			e := w.lastEvent()
			if e.EstimatedPackedSize != percent {
				t.Errorf("%d %%, %s: the estimate is %d", percent, name, e.EstimatedPackedSize)
			}
			var want []string
			switch {
			case refuses && percent >= 80:
				want = []string{"packed_policy_estimate"}
			case percent >= 80 && percent <= 100:
				want = []string{"packed_policy_size"}
			}
			if !slices.Equal(e.Warnings, want) {
				t.Errorf("%d %%, %s: warnings %v, want %v; %v", percent, name, e.Warnings, want,
					err)
			}
		}
	}
}

// TestPackedSize_OncePerDecision: credentials from the cache cost no estimate, and have AWS's own
// figure.
func TestPackedSize_OncePerDecision(t *testing.T) {
	w, _ := strictWorld(t)
	w.config.CacheSize = 0 // the default
	w.retarget(func(a *delegation.AWS) { sized(a, 60) })
	d := w.delegator(t)
	for i, want := range []delegation.CacheOutcome{delegation.CacheMiss, delegation.CacheHit} {
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		e := w.lastEvent()
		estimate := 60 * (1 - i)
		if e.Cache != want || e.EstimatedPackedSize != estimate || e.PackedPolicySize != 60 {
			t.Errorf("%s: estimated %d, AWS says %d", e.Cache, e.EstimatedPackedSize,
				e.PackedPolicySize)
		}
	}
}

// TestPackedSize_OfARefusal: error, event and log have the percentage that AWS has refused.
func TestPackedSize_OfARefusal(t *testing.T) {
	for words, want := range map[string]int{
		"Packed size of session tags consumes 138% of allotted space.":                     138,
		"Packed policy consumes 103% of allotted space, please use smaller policy.":        103,
		"Serialized token too large for session":                                           0,
		"Packed size of session tags consumes 99999999999999999999% of allotted space.":    0,
		"Packed size of session tags consumes 100% of allotted space, 138% of another one": 100,
	} {
		w, fake := strictWorld(t)
		var log bytes.Buffer
		w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		fake.Script(ststest.Refuse(400, "PackedPolicyTooLarge", words))
		_, err := w.exchange(t, nil)
		refusal := wantError(t, err, delegation.StageSTS, delegation.CodeSTSPackedSize)
		e := w.lastEvent()
		if refusal.PackedPolicySize != want || e.PackedPolicySize != want || e.Warnings != nil {
			t.Errorf("%s: the error has %d, the event %d and %v", words,
				refusal.PackedPolicySize, e.PackedPolicySize, e.Warnings)
		}
		if logged := strings.Contains(log.String(), "packed_policy_size="); logged != (want > 0) {
			t.Errorf("%s: the log says %s", words, log.String())
		}
	}
}

// TestPackedSize_OfAnotherRefusal: a percentage in other words of AWS is none of this space.
func TestPackedSize_OfAnotherRefusal(t *testing.T) {
	w, fake := strictWorld(t)
	fake.Script(ststest.Refuse(400, "ValidationError", "it consumes 138% of allotted space"))
	_, err := w.exchange(t, nil)
	refusal := wantError(t, err, delegation.StageSTS, delegation.CodeSTSValidation)
	if refusal.PackedPolicySize != 0 || w.lastEvent().PackedPolicySize != 0 {
		t.Errorf("the error has %d", refusal.PackedPolicySize)
	}
}

// TestPackedSize_Explained: Explain estimates what STS answers, and warns from 80 % on.
func TestPackedSize_Explained(t *testing.T) {
	for percent, warns := range map[int]bool{12: false, 79: false, 80: true, 120: true} {
		w, _ := strictWorld(t)
		w.retarget(func(a *delegation.AWS) { sized(a, percent) })
		e, err := w.delegator(t).Explain(t.Context(), w.token(nil), app)
		if err != nil {
			t.Fatal(err)
		}
		warned := slices.ContainsFunc(e.Warnings, func(text string) bool {
			return strings.HasPrefix(text, "session tags and policies take about ") &&
				strings.HasSuffix(text, ": use fewer or shorter session tags, or a shorter "+
					"session policy")
		})
		if e.PackedPolicySize != percent || warned != warns {
			t.Errorf("%d %%: got %d, warnings %q", percent, e.PackedPolicySize, e.Warnings)
		}
	}
}

// TestPackedSize_Checked: Check warns of what a target has for everybody, at its place.
func TestPackedSize_Checked(t *testing.T) {
	tags := delegation.TagsFromClaims(map[string]string{"team": "team"})
	long := strings.Repeat("x", 60)
	for name, row := range map[string]struct {
		change func(*delegation.AWS)
		rules  []delegation.RuleFunc
		field  string // empty: no warning
	}{
		"79 %": {func(a *delegation.AWS) { sized(a, 79) }, nil, ""},
		"80 %": {func(a *delegation.AWS) { sized(a, 80) }, nil, `Targets["photo-app"]: Tags`},
		"79 % and a claim": {
			func(a *delegation.AWS) { sized(a, 79) },
			[]delegation.RuleFunc{tags},
			`Targets["photo-app"]: Tags`,
		},
		"79 % and a mapping": {
			func(a *delegation.AWS) {
				sized(a, 79)
				a.Mappings = delegation.Mappings{delegation.AttributePrincipalTag + long: "x"}
			},
			nil,
			`Targets["photo-app"]: Tags`,
		},
		"a policy": {
			func(a *delegation.AWS) {
				a.Policy = `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"` +
					"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + `"}]}`
				for _, c := range "abcde" {
					a.PolicyARNs = append(a.PolicyARNs,
						"arn:aws:iam::aws:policy/"+strings.Repeat(string(c), 40))
				}
			},
			nil,
			`Targets["photo-app"]: Policy`,
		},
		"a rule that may change anything": {
			func(a *delegation.AWS) { sized(a, 80) },
			[]delegation.RuleFunc{changeNothing},
			`Targets["photo-app"]: Tags`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.retarget(row.change)
			w.config.Rules = row.rules
			var found []delegation.CheckWarning
			for _, result := range w.delegator(t).Check(t.Context()) {
				for _, warning := range result.Warnings {
					if warning.Code == delegation.WarningPackedSize {
						found = append(found, warning)
					}
				}
			}
			switch {
			case row.field == "" && found == nil:
			case len(found) != 1 || found[0].Field != row.field || found[0].Remedy == "" ||
				!found[0].Configured:
				t.Errorf("got %+v", found)
			}
		})
	}
}
