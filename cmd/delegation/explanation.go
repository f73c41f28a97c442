package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/seed055b7978/delegation"
)

// outcome is what explain says, as --json prints it; the tree has the same. docs/cli.md has the names, which stay as they are. What was not
// reached is null or empty.
type outcome struct {
	Allowed     bool             `json:"allowed"`
	Target      string           `json:"target"`
	Token       *tokenOutcome    `json:"token"`
	Rules       []ruleOutcome    `json:"rules"`
	Decision    *decisionOutcome `json:"decision"`
	TrustPolicy *trustOutcome    `json:"trust_policy"`
	Warnings    []string         `json:"warnings"`
	Refusal     *refusalOutcome  `json:"refusal"`

	reached int // index of the step, see steps
}

type tokenOutcome struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	ClientID string `json:"client_id"`
}

type ruleOutcome struct {
	Name        string         `json:"name"`
	Refused     bool           `json:"refused"`
	Set         map[string]any `json:"set"`          // as the rule left it, by the names of awsSettings
	ChangedUser []string       `json:"changed_user"` // properties
}

type decisionOutcome struct {
	Role           string              `json:"role"`
	Principal      string              `json:"principal"`
	Regions        []string            `json:"regions"`
	SessionName    string              `json:"session_name"`
	NameID         string              `json:"name_id"`
	SourceIdentity string              `json:"source_identity"`
	EntityID       string              `json:"entity_id"`
	Recipient      string              `json:"saml_recipient"`
	Audience       string              `json:"saml_audience"`
	Duration       seconds             `json:"session_duration"`
	SessionEnd     *time.Time          `json:"session_end"`
	Policy         string              `json:"policy"`
	PolicyARNs     []string            `json:"policy_arns"`
	Attributes     map[string][]string `json:"saml_attributes"`
}

type trustOutcome struct {
	Actions  []string        `json:"actions"`
	Document json.RawMessage `json:"document"`
}

type refusalOutcome struct {
	Stage     delegation.Stage `json:"stage"`
	Code      delegation.Code  `json:"code"`
	Message   string           `json:"message"`
	Remedy    string           `json:"remedy"`
	Retryable bool             `json:"retryable"`
}

// awsSettings are the fields of delegation.AWS, under the names of the configuration file.
type awsSettings struct {
	Principal         string              `json:"principal"`
	Role              string              `json:"role"`
	Region            string              `json:"region"`
	FailoverRegions   []string            `json:"failover_regions"`
	Mappings          delegation.Mappings `json:"mappings"`
	NameID            string              `json:"name_id"`
	NameIDFromMapping bool                `json:"name_id_from_mapping"`
	SessionName       string              `json:"session_name"`
	SessionDuration   time.Duration       `json:"session_duration"`
	Policy            string              `json:"policy"`
	PolicyARNs        []string            `json:"policy_arns"`
	Tags              map[string]string   `json:"tags"`
	TransitiveTagKeys []string            `json:"transitive_tag_keys"`
	SourceIdentity    string              `json:"source_identity"`
	DroppableTags     []string            `json:"droppable_tags"`
}

// seconds is a duration that JSON shows as a number of them.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

func (s seconds) String() string { return time.Duration(s).String() }

// steps are those of a decision, in order, and what has been checked after each.
var steps = []struct {
	stage   delegation.Stage
	checked string
}{
	{delegation.StageToken, "form, issuer, signature, audience and dates"},
	{delegation.StageTarget, "it exists, and takes tokens of this issuer and client"},
	{delegation.StageRules, "none refuses"},
	{delegation.StageDecision, "within AWS's limits; this is what AWS would see"},
	{delegation.StageSAML, "the response can be built; it was not signed"},
}

func stepOf(stage delegation.Stage) int {
	for i, step := range steps {
		if step.stage == stage {
			return i
		}
	}
	return 0 // a call that was abandoned before its first
}

// newOutcome puts an explanation, and the refusal that it ended with, into the shape of the two formats.
func newOutcome(e *delegation.Explanation, err error) *outcome {
	o := &outcome{Allowed: err == nil, Target: e.Target, Rules: []ruleOutcome{}, Warnings: append([]string{}, e.Warnings...), reached: len(steps)}
	if e.Issuer != "" {
		o.Token = &tokenOutcome{e.Issuer, e.Subject, e.ClientID}
	}
	for _, rule := range e.Rules {
		o.Rules = append(o.Rules, newRuleOutcome(rule))
	}
	if e.Principal != "" {
		o.Decision = &decisionOutcome{
			Role: e.Role, Principal: e.Principal, Regions: e.Regions, SessionName: e.SessionName, NameID: e.NameID, SourceIdentity: e.SourceIdentity,
			EntityID: e.EntityID, Recipient: e.Recipient, Audience: e.Audience, Duration: seconds(e.Duration),
			Policy: e.Policy, PolicyARNs: append([]string{}, e.PolicyARNs...), Attributes: e.Attributes,
		}
		if !e.SessionEnd.IsZero() {
			end := e.SessionEnd.UTC()
			o.Decision.SessionEnd = &end
		}
		if policy, err := e.TrustPolicy(); err == nil { // without one there is nothing to say: a recipient of the operator's own that no policy can name
			o.TrustPolicy = &trustOutcome{e.Actions, json.RawMessage(policy)}
		}
	}
	if err == nil {
		return o
	}
	o.Refusal = &refusalOutcome{Message: err.Error()}
	var refusal *delegation.Error
	if errors.As(err, &refusal) {
		o.Refusal = &refusalOutcome{refusal.Stage, refusal.Code, refusal.Err.Error(), refusal.Remedy, refusal.Retryable}
	}
	// A token can also end after its own step, while the rules run.
	o.reached = stepOf(o.Refusal.Stage)
	switch {
	case o.Decision != nil:
		o.reached = max(o.reached, stepOf(delegation.StageDecision))
	case len(o.Rules) > 0:
		o.reached = max(o.reached, stepOf(delegation.StageRules))
	case o.Token != nil:
		o.reached = max(o.reached, stepOf(delegation.StageTarget))
	}
	return o
}

func newRuleOutcome(rule delegation.RuleStep) ruleOutcome {
	o := ruleOutcome{Name: rule.Name, Refused: rule.Err != nil, Set: map[string]any{}, ChangedUser: []string{}}
	left := reflect.ValueOf(awsSettings(rule.AWS))
	for _, name := range rule.Changed {
		if property, ok := strings.CutPrefix(name, "user."); ok {
			o.ChangedUser = append(o.ChangedUser, property)
			continue
		}
		field, _ := left.Type().FieldByName(name)
		value := left.FieldByName(name).Interface()
		if d, ok := value.(time.Duration); ok {
			value = seconds(d)
		}
		o.Set[field.Tag.Get("json")] = value
	}
	return o
}

// json returns the outcome for programs. A terminal that it is printed to obeys none of it.
func (o *outcome) json() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(o)
	return printable(b.String()), err
}

// printable escapes what JSON may hold as it is and terminals may obey, such as the C1 controls and the marks that turn text round.
func printable(jsonText string) string {
	var b strings.Builder
	for _, r := range jsonText {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// tree is a line, or a block of lines, with what belongs to it. It has no columns, so that neither long values nor wide characters put
// anything out of place, and values are whole, so that they can be copied. Its guides are ASCII, which every terminal and log shows as wide as it is.
type tree struct {
	text   string
	leaves []tree
}

func (t tree) print(b *strings.Builder, first, rest string) {
	line, block, _ := strings.Cut(t.text, "\n")
	b.WriteString(first + line + "\n")
	guide := rest + "   "
	if len(t.leaves) > 0 {
		guide = rest + "|  "
	}
	for line := range strings.Lines(block) {
		b.WriteString(guide + strings.TrimSuffix(line, "\n") + "\n")
	}
	for i, leaf := range t.leaves {
		if i == len(t.leaves)-1 {
			leaf.print(b, rest+"`- ", rest+"   ")
		} else {
			leaf.print(b, rest+"|- ", rest+"|  ")
		}
	}
}

// painter colours words of ours, or does not, see surroundings.painter.
type painter func(colour, string) string

// tree returns the outcome for people.
func (o *outcome) tree(paint painter) string {
	root := tree{text: shown(o.Target) + ": " + paint(green, "allowed")}
	if o.Refusal != nil {
		root.text = shown(o.Target) + ": " + paint(red, "refused")
	}
	for i := range min(o.reached+1, len(steps)) {
		stage := steps[i].stage
		step := tree{text: string(stage) + ": " + paint(green, "ok") + " (" + steps[i].checked + ")", leaves: o.step(stage, paint)}
		if i == o.reached {
			step.text = string(stage) + ": " + paint(red, "refused")
			where := &step
			if n := len(o.Rules); n > 0 && o.Rules[n-1].Refused {
				where = &step.leaves[n-1]
			}
			where.leaves = append(where.leaves, o.Refusal.leaves()...)
		}
		root.leaves = append(root.leaves, step)
	}
	if o.TrustPolicy != nil {
		text := "the role's trust policy must allow " + strings.Join(o.TrustPolicy.Actions, ", ") + ", as in\n" + printable(string(o.TrustPolicy.Document))
		root.leaves = append(root.leaves, tree{text: text})
	}
	for _, warning := range o.Warnings {
		root.leaves = append(root.leaves, tree{text: paint(yellow, "warning") + ": " + escaped(warning)})
	}
	var b strings.Builder
	root.print(&b, "", "")
	return b.String()
}

// step returns what is to be said of one step that was reached.
func (o *outcome) step(stage delegation.Stage, paint painter) (leaves []tree) {
	add := func(name, value string) {
		if value != "" {
			leaves = append(leaves, leaf(name, value))
		}
	}
	switch {
	case stage == delegation.StageToken && o.Token != nil:
		add("issuer", o.Token.Issuer)
		add("subject", o.Token.Subject)
		add("client ID", o.Token.ClientID)
	case stage == delegation.StageRules:
		for _, rule := range o.Rules {
			leaves = append(leaves, rule.tree(paint))
		}
	case stage == delegation.StageDecision && o.Decision != nil:
		d := o.Decision
		add("role", d.Role)
		add("SAML provider", d.Principal)
		leaves = append(leaves, leaf("STS is called in", d.Regions))
		add("session name", d.SessionName)
		add("${saml:sub}", d.NameID)
		add("source identity", d.SourceIdentity)
		add("SAML:iss", d.EntityID)
		add("SAML:aud, the recipient", d.Recipient)
		add("audience", d.Audience)
		leaves = append(leaves, leaf("session duration", d.Duration))
		if d.SessionEnd != nil {
			add("session ends at the latest", d.SessionEnd.Format(time.RFC3339))
		}
		add("session policy", d.Policy)
		if len(d.PolicyARNs) > 0 {
			leaves = append(leaves, leaf("session policy ARNs", d.PolicyARNs))
		}
		leaves = append(leaves, leaf("SAML attributes", d.Attributes))
	}
	return leaves
}

func (r ruleOutcome) tree(paint painter) tree {
	t := tree{text: shown(r.Name) + ": " + paint(green, "ok")}
	if r.Refused {
		t.text = shown(r.Name) + ": " + paint(red, "refused")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		t.leaves = append(t.leaves, leaf("set "+name, r.Set[name]))
	}
	for _, name := range r.ChangedUser {
		t.leaves = append(t.leaves, leaf("changed the user's", name))
	}
	return t
}

func (r *refusalOutcome) leaves() []tree {
	return []tree{leaf("code", string(r.Code)), {text: "wrong: " + escaped(r.Message)}, {text: "remedy: " + escaped(r.Remedy)}}
}

// leaf is a name of ours and a value that a stranger may have chosen.
func leaf(name string, value any) tree {
	t := tree{text: name + ":"}
	v := reflect.ValueOf(value)
	switch {
	case v.IsZero() || v.Kind() != reflect.String && v.Kind() != reflect.Bool && v.Kind() != reflect.Int64 && v.Len() == 0:
		t.text += " (none)"
	case v.Kind() == reflect.String:
		t.text += " " + shown(v.String())
		if policy := new(bytes.Buffer); strings.HasPrefix(v.String(), "{") && json.Indent(policy, []byte(v.String()), "", "  ") == nil {
			t.text = name + ":\n" + printable(policy.String())
		}
	case v.Kind() == reflect.Slice && v.Len() == 1:
		return leaf(name, v.Index(0).Interface())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			t.leaves = append(t.leaves, tree{text: shown(v.Index(i).String())})
		}
	case v.Kind() == reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, key := range keys {
			t.leaves = append(t.leaves, leaf(shown(key.String()), v.MapIndex(key).Interface()))
		}
	default:
		t.text += fmt.Sprintf(" %v", value)
	}
	return t
}

// shown is a value as it is, if it is of the characters of ARNs, URLs and user names, and otherwise in quotes, with all that a terminal might
// obey escaped.
func shown(value string) string {
	if value != "" && strings.IndexFunc(value, odd) < 0 {
		return value
	}
	return fmt.Sprintf("%q", value)
}

func odd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/|@+=,-${}?&#~%*[]", r))
}

// escaped is a sentence on one line, with all that a terminal might obey escaped as in quotes, but without them.
func escaped(sentence string) string {
	var b strings.Builder
	for _, r := range sentence {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", r) // in single quotes
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
