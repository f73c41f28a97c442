package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// hostile is what a stranger may put into a claim to have a terminal obey: colours, a title, a line
// of their own, C1 controls, text turned round, a carriage return, a delete, a zero-width and a
// private-use character beyond the first plane.
const hostile = "a\x1b[2J\x1b]0;x\x07\n|- token: ok\u009b31m\u202eb\r\x7f\u200b\U000f0000"

func hostileExplanation() *delegation.Explanation {
	return &delegation.Explanation{
		Issuer: "https://tenant.example.com/", Subject: hostile, ClientID: hostile, Target: hostile,
		Rules: []delegation.RuleStep{{
			Name: hostile, Changed: []string{"Role", "Policy", "Tags", "PolicyARNs",
				"SessionDuration", "NameIDFromMapping", "FailoverRegions", "user." + hostile},
			AWS: delegation.AWS{
				Role:              hostile,
				Policy:            `{"a":"` + "\u009b\u202e" + `"}`,
				Tags:              map[string]string{hostile: hostile},
				PolicyARNs:        []string{hostile, hostile},
				SessionDuration:   time.Hour,
				NameIDFromMapping: true,
			},
		}},
		Principal: hostile, Role: hostile, Regions: []string{hostile, hostile},
		EntityID: hostile, Recipient: hostile, Audience: hostile, NameID: hostile,
		SessionName: hostile, SourceIdentity: hostile, Policy: "{" + hostile,
		PolicyARNs: []string{hostile}, Duration: time.Hour, SessionEnd: time.Unix(0, 0),
		Attributes: map[string][]string{hostile: {hostile}}, Warnings: []string{hostile},
	}
}

func hostileFields() []delegation.TokenField {
	return []delegation.TokenField{{
		Name:          hostile,
		Token:         hostile,
		Configuration: hostile,
		Verdict:       delegation.TokenFieldDiffers,
		Reason:        hostile,
	}}
}

// TestOutcome_ObeyedByNoTerminal: whatever strangers chose, what reaches a terminal is printable
// characters and our own line ends.
func TestOutcome_ObeyedByNoTerminal(t *testing.T) {
	for name, err := range map[string]error{
		"allowed": nil,
		"refused": &delegation.Error{
			Stage:  delegation.StageSAML,
			Code:   delegation.CodeTextInvalid,
			Err:    errors.New(hostile),
			Remedy: hostile,
		},
		"foreign": errors.New(hostile),
	} {
		o := newOutcome(hostileExplanation(), err)
		o.compare(hostileFields())
		asJSON := must(o.json())
		for _, text := range []string{o.tree(term.Unpainted) + o.table(term.Unpainted), asJSON} {
			if strings.Count(text, "\n") < 20 || !strings.Contains(text, "a\\") {
				t.Errorf("%s: too little is left:\n%s", name, text)
			}
			for _, r := range text {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%s: %U in\n%q", name, r, text)
				}
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "|- token: ok") &&
					!strings.HasPrefix(line, "|- token: ok (form") {
					t.Errorf("%s: a line of the stranger's: %q", name, line)
				}
			}
		}
		var back outcome
		err := json.Unmarshal([]byte(asJSON), &back)
		if err != nil || back.Token.Subject != hostile || back.Rules[0].ChangedUser[0] != hostile ||
			back.Decision.Attributes[hostile][0] != hostile ||
			back.TokenFields[0].Token != hostile {
			t.Errorf("%s: JSON does not say what was: %v %+v", name, err, back)
		}
	}
}

// TestOutcome_JSON: durations are seconds wherever they stand, and what HTML would escape is as it
// is.
func TestOutcome_JSON(t *testing.T) {
	e := &delegation.Explanation{
		Principal: "p",
		Duration:  90 * time.Minute,
		NameID:    "<&>",
		Rules: []delegation.RuleStep{{
			Name: "one", Changed: []string{"SessionDuration"},
			AWS: delegation.AWS{SessionDuration: 90 * time.Minute},
		}},
	}
	text := must(newOutcome(e, nil).json())
	for _, want := range []string{
		"\"session_duration\": 5400\n", "\"session_duration\": 5400,\n", `"name_id": "<&>"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestOutcome_Tree: what the golden trees lack.
func TestOutcome_Tree(t *testing.T) {
	e := &delegation.Explanation{
		Principal:  "p",
		SessionEnd: time.Unix(0, 0),
		PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Rules: []delegation.RuleStep{{
			Name: "one", Changed: []string{"Policy", "user.groups"},
			AWS: delegation.AWS{Policy: `{"Version":"2012-10-17"}`},
		}},
	}
	text := newOutcome(e, nil).tree(term.Unpainted)
	for _, want := range []string{
		"|     |- set policy:\n|     |     {\n|     |       \"Version\": \"2012-10-17\"\n|     | " +
			"    }\n|     `- changed the user's: groups\n",
		"|  |- session ends at the latest: 1970-01-01T00:00:00Z\n" +
			"|  |- session policy ARNs: arn:aws:iam::aws:policy/ReadOnlyAccess\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no\n%sin\n%s", want, text)
		}
	}
}

// TestOutcome_Colours: only words of ours have a colour, and the text is the same without.
func TestOutcome_Colours(t *testing.T) {
	refusal := &delegation.Error{
		Stage:  delegation.StageRules,
		Code:   delegation.CodeDenied,
		Err:    errors.New("denied"),
		Remedy: "see its reason",
	}
	e := hostileExplanation()
	for _, o := range []*outcome{newOutcome(e, nil), newOutcome(e, refusal)} {
		text := o.tree(func(c term.Colour, text string) string {
			return fmt.Sprintf("<%d>%s</>", c, text)
		})
		for _, word := range []string{"<32>ok</>", "<33>warning</>"} {
			if !strings.Contains(text, word) {
				t.Errorf("no %q in %q", word, text)
			}
		}
		if (o.Refusal != nil) != strings.Contains(text, "<31>refused</>") {
			t.Errorf("%q", text)
		}
		plain := strings.NewReplacer("<31>", "", "<32>", "", "<33>", "", "</>", "").Replace(text)
		if plain != o.tree(term.Unpainted) {
			t.Errorf("colours change the text:\n%s", plain)
		}
	}
}

// TestOutcome_Table: what is compared has one column each, and only the verdicts have a colour. A
// long cell moves what follows it and widens no column.
func TestOutcome_Table(t *testing.T) {
	o := newOutcome(&delegation.Explanation{}, nil)
	if text := o.table(term.Unpainted); text != "" {
		t.Errorf("without fields: %q", text)
	}
	long := strings.Repeat("x", 100)
	field := func(name, token, wanted string, verdict delegation.TokenVerdict, reason string) {
		o.compare([]delegation.TokenField{{
			Name:          name,
			Token:         token,
			Configuration: wanted,
			Verdict:       verdict,
			Reason:        reason,
		}})
	}
	field("iss", `"a"`, `"a"`, delegation.TokenFieldSame, "")
	field("aud", `"`+long+`"`, `"b"`, delegation.TokenFieldDiffers, "set Target.Audiences")
	field("sub", "absent", "a text", delegation.TokenFieldMissing, "the token has no sub")
	field("header kid", `"k"`, "Issuer.JWKS", delegation.TokenFieldNotChecked, "because")
	text := o.table(func(c term.Colour, text string) string {
		return fmt.Sprintf("<%d>%s</>", c, text)
	})
	_, rows, _ := strings.Cut(text, `unless its signature is "same".`+"\n\n")
	want := `FIELD       TOKEN SAYS  CONFIGURATION SAYS       VERDICT
iss         "a"         "a"                      <32>same</>
aud         "` + long + `"  "b"                      ` +
		`<31>differs</>: set audiences of the target
sub         absent      a text                   <31>missing</>: the token has no sub
header kid  "k"         jwks_file of the issuer  <33>not checked</>: because
`
	if rows != want {
		t.Errorf("got\n%s\nwant\n%s", rows, want)
	}
}

// TestOutcome_Reached: the tree ends with the step that refused, wherever that is.
func TestOutcome_Reached(t *testing.T) {
	refused := func(stage delegation.Stage, code delegation.Code) error {
		return &delegation.Error{Stage: stage, Code: code, Err: errors.New("because"), Remedy: "do"}
	}
	verified := delegation.Explanation{Target: "app", Issuer: "i", Subject: "s", ClientID: "c"}
	ran, decided := verified, verified
	ran.Rules = []delegation.RuleStep{{Name: "one"}}
	decided.Principal, decided.Role, decided.Attributes = "p", "r", map[string][]string{}
	for name, row := range map[string]struct {
		e    delegation.Explanation
		err  error
		want []string
	}{
		"token": {delegation.Explanation{Target: "app"},
			refused(delegation.StageToken, delegation.CodeTokenExpired),
			[]string{"token: refused"}},
		"argument": {delegation.Explanation{},
			refused(delegation.StageConfig, delegation.CodeArgumentInvalid),
			[]string{"token: refused"}},
		"target": {verified,
			refused(delegation.StageTarget, delegation.CodeDelegationDisabled),
			[]string{"token: ok", "target: refused"}},
		"profile": {verified,
			refused(delegation.StageRules, delegation.CodeProfileFailed),
			[]string{"token: ok", "target: ok", "rules: refused"}},
		"decision": {ran,
			refused(delegation.StageDecision, delegation.CodeRoleInvalid),
			[]string{"token: ok", "target: ok", "rules: ok", "decision: refused"}},
		"token that ended meanwhile": {decided,
			refused(delegation.StageToken, delegation.CodeTokenExpired),
			[]string{"token: ok", "target: ok", "rules: ok", "decision: refused"}},
		"response": {decided,
			refused(delegation.StageSAML, delegation.CodeTextInvalid),
			[]string{"token: ok", "target: ok", "rules: ok", "decision: ok", "saml: refused"}},
		"nothing": {decided, nil,
			[]string{"token: ok", "target: ok", "rules: ok", "decision: ok", "saml: ok"}},
	} {
		var got []string
		text := newOutcome(&row.e, row.err).tree(term.Unpainted)
		for line := range strings.Lines(text) {
			if step, ok := strings.CutPrefix(strings.Replace(line, "`- ", "|- ", 1), "|- "); ok {
				step, _, _ = strings.Cut(strings.TrimSpace(step), " (")
				got = append(got, step)
			}
		}
		if !reflect.DeepEqual(got, row.want) ||
			row.err != nil && !strings.Contains(text, "   |- wrong: because\n   `- remedy: do\n") {
			t.Errorf("%s: got %q in\n%s", name, got, text)
		}
	}
}

// TestOutcome_Documented: docs/explain.md has every name of the JSON.
func TestOutcome_Documented(t *testing.T) {
	_, section, _ := strings.Cut(string(must(os.ReadFile("../../docs/explain.md"))), "## In JSON\n")
	names := 0
	for _, part := range []reflect.Type{
		reflect.TypeFor[outcome](), reflect.TypeFor[tokenOutcome](), reflect.TypeFor[ruleOutcome](),
		reflect.TypeFor[decisionOutcome](), reflect.TypeFor[chainOutcome](),
		reflect.TypeFor[trustOutcome](), reflect.TypeFor[refusalOutcome](),
		reflect.TypeFor[fieldOutcome](),
	} {
		for _, field := range reflect.VisibleFields(part) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.IsExported() && !strings.Contains(section, "`"+name+"`") {
				t.Errorf("%s.%s: docs/explain.md lacks %q", part.Name(), field.Name, name)
			}
			names++
		}
	}
	if names < 30 {
		t.Errorf("only %d names", names)
	}
}

// TestAWSSettings: what rules set is named as in the configuration file.
func TestAWSSettings(t *testing.T) {
	named := reflect.TypeFor[config.TargetSettings]()
	both := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[awsSettings]()) {
		if setting, ok := named.FieldByName(field.Name); ok {
			both++
			if setting.Tag.Get("yaml") != field.Tag.Get("json") {
				t.Errorf("%s is %q, and %q in the configuration", field.Name, field.Tag.Get("json"),
					setting.Tag.Get("yaml"))
			}
		} else if field.Tag.Get("json") == "" {
			t.Errorf("%s has no name", field.Name)
		}
	}
	if both < 10 {
		t.Errorf("only %d fields are in both", both)
	}
}

// TestSeconds: people read a duration in Go's form.
func TestSeconds(t *testing.T) {
	if got := fmt.Sprint(seconds(90 * time.Minute)); got != "1h30m0s" {
		t.Error(got)
	}
}
