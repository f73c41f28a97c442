package delegation

import (
	"errors"

	"github.com/seed055b7978/delegation/internal/guard"
)

// HideSecrets adds a function that replaces secrets in the text of an error. The text is that of an
// error about what the rules decided, such as [CodeTagsInvalid]: it quotes values, and a rule may
// have put a secret into one. A quoted value may be cut, so the function must also find the
// beginning of a secret at the end of a text in quotes. It is called only for such errors, and
// must be quick. Rules of package jsrules hide their configuration and secrets in this way.
func (rc *RuleContext) HideSecrets(hide func(text string) string) {
	left := rc.leaving()
	left.hides = append(left.hides, hide)
}

// notShown is in place of a text whose secrets could not be replaced.
const notShown = "the reason is not shown, because a function that a rule gave to " +
	"RuleContext.HideSecrets panicked: correct the function"

// withoutSecrets returns an error about what the rules decided, without the secrets that rules want
// to hide. The error is then a copy: another exchange may have the same one. Errors of other
// stages, such as AWS's answers, stay as they are.
func (x *exchange) withoutSecrets(err error) error {
	failure, ours := err.(*Error)
	if !ours || x.left == nil || failure.Stage != StageDecision && failure.Stage != StageSAML {
		return err
	}
	text := failure.Err.Error()
	shown := text
	for _, hide := range x.left.hides {
		hidden, err := guard.Value(func() (string, error) { return hide(shown), nil })
		if err != nil {
			hidden = notShown
		}
		shown = hidden
	}
	if shown == text {
		return err
	}
	made := *failure
	made.Err = errors.New(shown) // the reason itself has the secret
	return &made
}
