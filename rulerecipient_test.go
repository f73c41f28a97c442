package delegation_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// leave makes a rule that only changes the context.
func leave(change func(*delegation.RuleContext)) []delegation.RuleFunc {
	return []delegation.RuleFunc{
		func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
			change(rc)
			return nil
		},
	}
}

// TestRules_ChooseTheRecipient: recipient and audience are at first the target's, and then what
// rules make of them.
func TestRules_ChooseTheRecipient(t *testing.T) {
	const chosen = "https://signin.aws.amazon.com/saml"
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.SAMLRecipient = "https://eu-west-1.signin.aws.amazon.com/saml"
		target.SAMLAudience = "urn:amazon:webservices"
	})
	var first []string
	w.config.Rules = leave(func(rc *delegation.RuleContext) {
		first = []string{rc.SAMLRecipient, rc.SAMLAudience}
		rc.SAMLRecipient = chosen
		rc.SAMLAudience = chosen + "/static"
	})
	e, err := w.delegator(t).Explain(t.Context(), w.token(nil), app)
	if err != nil || e.Recipient != chosen || e.Audience != chosen+"/static" {
		t.Errorf("got %q and %q: %v", e.Recipient, e.Audience, err)
	}
	want := []string{"https://eu-west-1.signin.aws.amazon.com/saml", "urn:amazon:webservices"}
	if !slices.Equal(first, want) {
		t.Errorf("at first %q, want %q", first, want)
	}
	w.config.Rules = leave(func(rc *delegation.RuleContext) {
		rc.SAMLRecipient = ""
		rc.SAMLAudience = ""
	})
	e, err = w.delegator(t).Explain(t.Context(), w.token(nil), app)
	if err != nil || e.Recipient == want[0] || !strings.HasSuffix(e.Recipient, "/saml") {
		t.Errorf("empty: got %q: %v", e.Recipient, err)
	}
}

// TestRules_RecipientRefused: a recipient that is no URL is refused, and any other than the
// target's where it is that of the SAML provider.
func TestRules_RecipientRefused(t *testing.T) {
	choose := func(recipient string) []delegation.RuleFunc {
		return leave(func(rc *delegation.RuleContext) { rc.SAMLRecipient = recipient })
	}
	for _, recipient := range []string{
		"x", "/saml", "ftp://example.com/saml", "https://", "urn:amazon:webservices",
		" https://a/b", "https://a b/saml", "%",
	} {
		w := newWorld(t)
		w.config.Rules = choose(recipient)
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageDecision, delegation.CodeRecipientInvalid)
		w.wantNothingSent(t)
	}
	for name, change := range map[string]func(*world){
		"of a UUID": func(w *world) {
			w.target(func(target *delegation.Target) {
				target.SAMLProviderUUID = "SAMLSPD9IMTW2LM46J042K"
			})
		},
		"of a target that encrypts": func(w *world) {
			w.encryptFor(readerKey())
			w.target(func(target *delegation.Target) {
				target.SAMLRecipient = "https://signin.aws.amazon.com/saml/acs/" + providerUUID
				target.SAMLProviderUUID = ""
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			w.config.Rules = choose("https://signin.aws.amazon.com/saml")
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageDecision, delegation.CodeRecipientInvalid)
			w.wantNothingSent(t)
		})
	}
}

// TestRules_Warn: what a rule warns of refuses nothing. The event has its name once and is logged
// at level Warn, and Explain has its text.
func TestRules_Warn(t *testing.T) {
	w := newWorld(t)
	w.config.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
	w.config.Rules = leave(func(rc *delegation.RuleContext) {
		rc.Warn("odd", "an odd thing")
		rc.Warn("odd", "another odd thing")
		for i := range 100 {
			rc.Warn(strings.Repeat("x", i+1), "many things")
		}
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	warnings := w.events[0].Warnings
	if len(warnings) != 20 || warnings[0] != "odd" || warnings[1] != "x" {
		t.Errorf("the event warns of %q", warnings)
	}
	if !strings.Contains(w.logs.String(), slog.LevelWarn.String()) {
		t.Errorf("the log is %s", w.logs.String())
	}
	e, err := w.delegator(t).Explain(t.Context(), w.token(nil), app)
	if err != nil || !slices.Contains(e.Warnings, "an odd thing") ||
		slices.Contains(e.Warnings, "another odd thing") {
		t.Errorf("Explain warns of %q: %v", e.Warnings, err)
	}
	// A failure after the rules keeps the warnings.
	w.config.Rules = append(w.config.Rules, leave(func(rc *delegation.RuleContext) {
		rc.AWS.Role = "x"
	})...)
	_, err = w.exchange(t, nil)
	wantError(t, err, delegation.StageDecision, delegation.CodeRoleInvalid)
	if got := w.events[1].Warnings; !slices.Equal(got, warnings) {
		t.Errorf("the event of a failure warns of %q", got)
	}
}
