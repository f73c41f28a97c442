package delegation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// TestAccessDenied_SaysWhatWasSent: the remedy names what the trust policy compares, and first the
// actions that tags and a source identity need. The tags' values, which may be personal, are not
// in it.
func TestAccessDenied_SaysWhatWasSent(t *testing.T) {
	const values = `SAML:aud "https://eu-central-1.signin.aws.amazon.com/saml" and ` +
		`SAML:iss "` + entityID + `"`
	const also = "the role exists, and its Principal is the SAML provider " + principal +
		"; its conditions must match " + values
	many := map[string]string{}
	for i := range 12 {
		many[fmt.Sprintf("tag%02d", i)] = "canary"
	}
	for name, row := range map[string]struct {
		change func(*delegation.AWS)
		want   string
	}{
		"nothing": {
			func(*delegation.AWS) {},
			"check the role's trust policy: " + also + "; it needs neither sts:TagSession nor " +
				"sts:SetSourceIdentity, because no tags and no source identity were sent",
		},
		"tags": {
			func(a *delegation.AWS) {
				a.Tags = map[string]string{"user": "canary", "team": "canary"}
			},
			"check that the role's trust policy allows sts:TagSession, for the session tags " +
				`"team", "user"; check also that ` + also,
		},
		"many tags": {
			func(a *delegation.AWS) { a.Tags = many },
			`"tag09" and 2 more; check also`,
		},
		"a source identity": {
			func(a *delegation.AWS) { a.SourceIdentity = "canary" },
			"check that the role's trust policy allows sts:SetSourceIdentity, for the source " +
				"identity; check also that " + also,
		},
		"both": {
			func(a *delegation.AWS) {
				a.Tags = map[string]string{"team": "canary"}
				a.SourceIdentity = "canary"
			},
			`allows sts:TagSession, for the session tags "team", and sts:SetSourceIdentity, for ` +
				"the source identity; check also",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := refusedBySTS(t, row.change, 403, "AccessDenied",
				"Not authorized to perform sts:AssumeRoleWithSAML")
			if e.Code != delegation.CodeSTSAccessDenied || !strings.Contains(e.Remedy, row.want) {
				t.Errorf("got %s: %s, want %s", e.Code, e.Remedy, row.want)
			}
			if strings.Contains(e.Remedy, "canary") {
				t.Errorf("a value is in %s", e.Remedy)
			}
		})
	}
}

// refusedBySTS is the error of an exchange that AWS refuses.
func refusedBySTS(
	t *testing.T, change func(*delegation.AWS), status int, wire, message string,
) *delegation.Error {
	t.Helper()
	w, fake := strictWorld(t)
	w.retarget(change)
	fake.Script(ststest.Refuse(status, wire, message))
	_, err := w.exchange(t, nil)
	e, ok := err.(*delegation.Error)
	if !ok {
		t.Fatalf("got %v", err)
	}
	return e
}

// TestAccessDenied_NamesThePolicy: if AWS says which policy denies, the remedy is about that one.
// The messages are in the format of the IAM User Guide, "Troubleshoot access denied error
// messages".
func TestAccessDenied_NamesThePolicy(t *testing.T) {
	const begin = "User: anonymous is not authorized to perform: sts:AssumeRoleWithSAML on " +
		"resource: " + role
	tags := func(a *delegation.AWS) { a.Tags = map[string]string{"team": "photo"} }
	for message, want := range map[string]string{
		" with an explicit deny in a resource control policy": "a resource control policy of the " +
			"organization denies the call, and not the role's trust policy: have the " +
			"administrator of the organization's policies allow sts:AssumeRoleWithSAML and " +
			`sts:TagSession, for the session tags "team", for the role ` + role,
		" with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/" +
			"service_control_policy/p-1": "a service control policy of the organization denies",
		" due to an explicit deny in a Service Control Policy":       "a service control policy of",
		" because no service control policy allows the sts:x action": "a service control policy of",
		" because no VPC endpoint policy allows the sts:x action": "the policy of the VPC " +
			"endpoint that STS is called through denies the call: allow " +
			"sts:AssumeRoleWithSAML and sts:TagSession",
		" with an explicit deny in a resource-based policy": "a Deny statement of the role's " +
			"trust policy matches the call",
		" because no resource-based policy allows the sts:x action": "check that the role's " +
			"trust policy allows sts:TagSession",
	} {
		t.Run(message, func(t *testing.T) {
			e := refusedBySTS(t, tags, 403, "AccessDenied", begin+message)
			if e.Code != delegation.CodeSTSAccessDenied || !strings.HasPrefix(e.Remedy, want) {
				t.Errorf("got %s: %s, want %s", e.Code, e.Remedy, want)
			}
		})
	}
}

// TestTagsInvalid_NamesTheTags: AWS says that it cannot validate the tags, and not which.
func TestTagsInvalid_NamesTheTags(t *testing.T) {
	e := refusedBySTS(t, func(a *delegation.AWS) {
		a.Tags = map[string]string{"user": "canary", "team": "canary"}
	}, 400, "ValidationError", "Unable to validate tags")
	if e.Code != delegation.CodeSTSTags || strings.Contains(e.Error(), "canary") ||
		!strings.HasSuffix(e.Remedy, `; those that were sent are "team", "user"`) {
		t.Errorf("got %v", e)
	}
}

// TestClockAhead: a machine whose clock is ahead by a minute is served, by a strict AWS, too. One
// that is further ahead is told so, and not to look at the SAML provider.
func TestClockAhead(t *testing.T) {
	for ahead, want := range map[time.Duration]delegation.Code{
		0:                            "none",
		time.Minute:                  "none",
		time.Minute + time.Second:    delegation.CodeSTSNotYetValid,
		time.Hour:                    delegation.CodeSTSNotYetValid,
		-4 * time.Minute:             delegation.CodeSTSExpired,
		-4*time.Minute + time.Second: "none",
	} {
		t.Run(ahead.String(), func(t *testing.T) {
			w, _ := strictWorld(t)
			w.config.Issuers[0].JWKS = w.provider.KeySet()
			w.config.Now = func() time.Time { return w.clock.Now().Add(ahead) }
			token := w.token(map[string]any{
				"iat": w.config.Now().Unix(),
				"exp": w.config.Now().Add(time.Hour).Unix(),
			})
			_, err := w.delegator(t).Exchange(t.Context(), token, app)
			if codeOf(err) != want {
				t.Fatalf("got %v, want %s", err, want)
			}
			if want == delegation.CodeSTSNotYetValid &&
				(!strings.Contains(err.Error(), "clock (NTP): it is ahead") ||
					strings.Contains(err.Error(), "Metadata")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
