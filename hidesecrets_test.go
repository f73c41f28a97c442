package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestHideSecrets: no error about the decision has what a rule hides, wherever it is noticed. Other
// errors stay as they are.
func TestHideSecrets(t *testing.T) {
	const secret = "s3cret:value"
	hide := func(text string) string { return strings.ReplaceAll(text, secret, "‹KEY›") }
	for _, row := range []struct {
		name  string
		hide  func(string) string
		rule  func(*delegation.RuleContext) error
		stage delegation.Stage
		code  delegation.Code
		want  string
	}{
		{"source identity", hide, func(rc *delegation.RuleContext) error {
			rc.AWS.SourceIdentity = secret
			return nil
		}, delegation.StageDecision, delegation.CodeSourceIDInvalid, `is "‹KEY›"`},
		{"recipient", hide, func(rc *delegation.RuleContext) error {
			rc.SAMLRecipient = secret
			return nil
		}, delegation.StageDecision, delegation.CodeRecipientInvalid, `recipient "‹KEY›"`},
		{"text in XML", hide, func(rc *delegation.RuleContext) error {
			rc.AWS.Mappings["urn:"+secret+"\x01"] = "user_id"
			return nil
		}, delegation.StageSAML, delegation.CodeTextInvalid, `urn:‹KEY›`},
		{"a panic", func(string) string { panic(secret) }, func(rc *delegation.RuleContext) error {
			rc.AWS.SourceIdentity = secret
			return nil
		}, delegation.StageDecision, delegation.CodeSourceIDInvalid, "correct the function"},
		{"the rule's own error", hide, func(*delegation.RuleContext) error {
			return errors.New(secret)
		}, delegation.StageRules, delegation.CodeRuleFailed, secret},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{
				func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
					rc.HideSecrets(row.hide)
					return row.rule(rc)
				},
			}
			_, err := w.exchange(t, nil)
			_, explained := w.delegator(t).Explain(t.Context(), w.token(nil), app)
			for _, err := range []error{err, explained, w.events[0].Err} {
				failure := wantError(t, err, row.stage, row.code)
				all := fmt.Sprintf("%v %+v", failure, failure.Err)
				if !strings.Contains(all, row.want) {
					t.Errorf("got %s, want %q", all, row.want)
				}
				if row.stage != delegation.StageRules && strings.Contains(all, secret) {
					t.Errorf("%s has the secret", all)
				}
			}
		})
	}
}
