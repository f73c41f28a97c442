package jsrules_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// vector is what the comment in front of a rule in testdata/vectors says: what the rule is given,
// and what comes out.
type vector struct {
	Claims, Context map[string]any
	Target          delegation.AWS
	Request         delegation.Request
	Configuration   map[string]string
	Globals         map[string]any
	Modules         map[string]string // their sources, by name
	Allow           []string          // hosts that the rule may call; nil: no HTTP
	Serves          hosts             // what they answer
	Outcome         string            // passed, denied, failed, or invalid: it does not compile
	Code            delegation.Code   // of what failed; empty: any code of a rule that fails
	Absent          []string          // properties of context that may be missing
	Text            string            // the denial's reason, or in the error
	At              string            // line:column of the error
	// all that is set, in the names of context.addonConfiguration.aws
	AWS  map[string]any
	User map[string]any // some properties; null: absent
	Log  []string       // what is said to console
	SAML string         // Options.SAMLConfiguration
	// it is an Action, with these secrets
	Action  bool
	Secrets map[string]string
	// what an exchange comes to in the end, if rules pass; nil: not asked
	Decided *decided
}

// set lists what of the settings is set, in the names that rules know.
func set(a delegation.AWS) map[string]any {
	all := map[string]any{
		"principal":           a.Principal,
		"role":                a.Role,
		"region":              a.Region,
		"mappings":            a.Mappings,
		"lifetime_in_seconds": int(a.SessionDuration / time.Second),
		"policy":              a.Policy,
		"policyArns":          a.PolicyARNs,
		"tags":                a.Tags,
		"transitiveTagKeys":   a.TransitiveTagKeys,
		"droppableTags":       a.DroppableTags,
		"sourceIdentity":      a.SourceIdentity,
		"sessionName":         a.SessionName,
		"failoverRegions":     a.FailoverRegions,
		"nameID":              a.NameID,
		"nameIDFromMapping":   a.NameIDFromMapping,
	}
	for name, value := range all {
		v := reflect.ValueOf(value)
		if v.IsZero() || v.Kind() == reflect.Map && v.Len() == 0 {
			delete(all, name)
		}
	}
	return all
}

// sameJSON compares two values as JSON.
func sameJSON(a, b any) bool {
	return reflect.DeepEqual(decoded(a), decoded(b))
}

func decoded(value any) (v any) {
	d := json.NewDecoder(bytes.NewReader(must(json.Marshal(value))))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// readVector reads a rule of testdata/vectors and the comment in front of it.
func readVector(t testing.TB, file string) (v vector, name, source string) {
	t.Helper()
	source = string(must(os.ReadFile(file)))
	header, _, found := strings.Cut(strings.TrimPrefix(source, "/*"), "*/")
	d := json.NewDecoder(strings.NewReader(header))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&v); err != nil || !found {
		t.Fatalf("%s: the comment: %v", file, err)
	}
	return v, strings.TrimSuffix(filepath.Base(file), ".js"), source
}

// options are the environment of the rule.
func (v *vector) options() jsrules.Options {
	return jsrules.Options{
		Configuration:     v.Configuration,
		Domain:            "tenant.auth0.com",
		Absent:            v.Absent,
		Globals:           v.Globals,
		Modules:           v.modules(),
		SAMLConfiguration: v.SAML,
		Secrets:           v.Secrets,
		HTTP:              v.http(),
		Context: func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) (map[string]any, error) {
			return v.Context, nil
		},
	}
}

// TestVectors runs rules as people write them. The files are rules as they are, for the comment is
// part of them.
func TestVectors(t *testing.T) {
	files := must(filepath.Glob("testdata/vectors/*.js"))
	if len(files) < 40 {
		t.Fatalf("only %d vectors", len(files))
	}
	outcomes := map[string]int{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".js")
		t.Run(name, func(t *testing.T) {
			v, name, source := readVector(t, file)
			outcomes[v.Outcome]++
			log := &lines{}
			options := v.options()
			options.Logger = log.logger()
			compile := jsrules.Compile
			if v.Action {
				compile = jsrules.CompileAction
			}
			rule, err := compile(name, source, options.WithClock(standing()))
			if v.Outcome == "invalid" {
				v.expectError(t, err, name)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := exchange(t, []delegation.RuleFunc{rule}, v.Claims, v.Target, v.Request)
			switch v.Outcome {
			case "passed":
				if !got.passed {
					t.Fatal(got.err)
				}
				if v.AWS == nil {
					v.AWS = map[string]any{}
				}
				if aws := set(got.rc.AWS); !sameJSON(aws, v.AWS) {
					t.Errorf("AWS: got %v, want %v", aws, v.AWS)
				}
				if v.Decided != nil {
					v.Decided.expect(t, []delegation.RuleFunc{rule}, &v)
				}
				for property, want := range v.User {
					value, has := got.user.Properties[property]
					if has != (want != nil) || !sameJSON(value, want) {
						t.Errorf("user.%s: got %v, want %v", property, value, want)
					}
				}
			case "denied":
				got.expect(t, delegation.CodeDenied, v.Text)
				if got.err.Public() != v.Text {
					t.Errorf("the user is told %q, want %q", got.err.Public(), v.Text)
				}
			case "failed":
				got.expect(t, cmp.Or(v.Code, got.failure()), v.Text)
				v.expectError(t, got.err, name)
				if got.err.Public() != "access denied" {
					t.Errorf("the user is told %q", got.err.Public())
				}
			default:
				t.Fatalf("unknown outcome %q", v.Outcome)
			}
			if !got.passed && got.event.Rule != name {
				t.Errorf("the event names the rule %q", got.event.Rule)
			}
			if !reflect.DeepEqual(log.lines, v.Log) {
				t.Errorf("log: got %q, want %q", log.lines, v.Log)
			}
		})
	}
	for _, outcome := range []string{"passed", "denied", "failed", "invalid"} {
		if outcomes[outcome] == 0 {
			t.Errorf("no vector is %s: %v", outcome, outcomes)
		}
	}
}

// modules are those that the vector has.
func (v *vector) modules() map[string]jsrules.Module {
	modules := map[string]jsrules.Module{}
	for name, source := range v.Modules {
		modules[name] = jsrules.Module{Source: source}
	}
	return modules
}

func (v *vector) expectError(t *testing.T, err error, name string) {
	t.Helper()
	var wrong *jsrules.Error
	if !errors.As(err, &wrong) || wrong.Rule != name || !strings.Contains(err.Error(), v.Text) {
		t.Fatalf("got %v, want an error with %q", err, v.Text)
	}
	if at := fmt.Sprintf("%d:%d", wrong.Line, wrong.Column); v.At != "" && at != v.At {
		t.Errorf("the error is at %s, want %s: %v", at, v.At, err)
	}
}
