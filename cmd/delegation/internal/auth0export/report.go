package auth0export

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/jsrules"
)

// Report says what an import does with an export. docs/import-auth0.md describes its JSON. It
// contains no value of configuration.
type Report struct {
	// Form says in words how the export was written.
	Form string `json:"form"`

	// Summary counts the rules by state.
	Summary Summary `json:"summary"`

	// Rules are all rules, in the order in which they ran.
	Rules []RuleReport `json:"rules"`

	// Targets are the clients that get credentials.
	Targets []TargetReport `json:"targets"`

	// Issuers are the iss claims that are accepted.
	Issuers []string `json:"issuers"`

	// Configuration are the names that the rules read, and the names that have values.
	Configuration ConfigurationReport `json:"configuration"`

	// Missing are sentences about what prevents the import.
	Missing []string `json:"missing"`

	// Notes are sentences with further information.
	Notes []string `json:"notes"`
}

// Summary counts rules.
type Summary struct {
	Rules    int `json:"rules"`
	Ready    int `json:"ready"`
	Needs    int `json:"needs"`
	Disabled int `json:"disabled"`
	LeftOut  int `json:"left_out"`
	Refused  int `json:"refused"`
}

// RuleReport says what the import does with a rule.
type RuleReport struct {
	Name  string   `json:"name"`
	Order *float64 `json:"order"` // nil: the export has none
	State State    `json:"state"`
	Why   string   `json:"why,omitempty"`

	// File is the path of its script, within the folder of the import.
	File string `json:"file"`

	// Needs are what it takes from outside, whether or not that is available.
	Needs []NeedReport `json:"needs"`
}

// NeedReport is something that a rule needs.
type NeedReport struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Available bool   `json:"available"`

	// Idle tells that it is an effect that does nothing here, but does not make an exchange fail.
	Idle   bool   `json:"idle"`
	Remedy string `json:"remedy,omitempty"`
}

// TargetReport is a client that gets credentials.
type TargetReport struct {
	ClientID  string `json:"client_id"`
	Name      string `json:"name,omitempty"`
	Principal string `json:"principal,omitempty"`
	Role      string `json:"role,omitempty"`
	Region    string `json:"region,omitempty"`
	Lifetime  int    `json:"lifetime_in_seconds,omitempty"`
}

// ConfigurationReport has names only.
type ConfigurationReport struct {
	Given  []string `json:"given"`
	ToFill []string `json:"to_fill_in"`
}

// Report makes the report.
func (p *Plan) Report() *Report {
	r := &Report{
		Form:    p.export.Form,
		Rules:   []RuleReport{},
		Targets: []TargetReport{},
		Issuers: []string{},
		Configuration: ConfigurationReport{
			Given:  append([]string{}, slices.Sorted(maps.Keys(p.values))...),
			ToFill: append([]string{}, p.missing...),
		},
		Missing: []string{},
		Notes:   append([]string{}, p.notes...),
	}
	for _, rule := range p.rules {
		r.Rules = append(r.Rules, rule.report())
		r.Summary.count(rule.state)
	}
	for _, c := range p.targets {
		addOn := *cmp.Or(c.AWS, &AddOn{})
		r.Targets = append(r.Targets, TargetReport{
			ClientID:  c.ID,
			Name:      c.Name,
			Principal: addOn.Principal,
			Role:      addOn.Role,
			Region:    cmp.Or(addOn.Region, p.region),
			Lifetime:  int(addOn.Lifetime.Seconds()),
		})
	}
	if p.domain != "" {
		r.Issuers = append(r.Issuers, "https://"+p.domain+"/")
	}
	for _, domain := range p.customDomains {
		r.Issuers = append(r.Issuers, "https://"+domain+"/")
	}
	for _, lack := range p.lacks {
		r.Missing = append(r.Missing, lack.Error())
	}
	return r
}

func (s *Summary) count(state State) {
	s.Rules++
	switch state {
	case StateReady:
		s.Ready++
	case StateNeeds:
		s.Needs++
	case StateDisabled:
		s.Disabled++
	case StateLeftOut:
		s.LeftOut++
	case StateRefused:
		s.Refused++
	}
}

func (r *plannedRule) report() RuleReport {
	report := RuleReport{
		Name:  r.Name,
		State: r.state,
		Why:   r.why,
		File:  r.file,
		Needs: []NeedReport{},
	}
	if r.Ordered {
		report.Order = &r.Order
	}
	for _, need := range r.needs {
		report.Needs = append(report.Needs, NeedReport{
			Kind:      string(need.Kind),
			Name:      need.Name,
			Line:      need.Line,
			Column:    need.Column,
			Available: need.Available,
			Idle:      need.Idle(),
			Remedy:    remedyOf(need),
		})
	}
	return report
}

// remedyOf says what to do about a need, in the configuration's terms.
func remedyOf(need jsrules.Need) string {
	if need.Kind == jsrules.NeedConfiguration && !need.Available && need.Name != "" {
		return "give its value in the file of --secrets, or write it into " + valuesFile +
			" after the import"
	}
	return config.ByKeys(need.Remedy)
}

// JSON is the report for programs.
func (r *Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return []byte(term.Printable(string(text)) + "\n"), err
}

// Text is the report for people: a summary, a table, and details of the rules that need attention.
func (r *Report) Text(paint term.Painter) string {
	var b strings.Builder
	b.WriteString(r.Summary.String() + "\n")
	fmt.Fprintf(&b, "%s, %s, %s to fill in.\n\n", counted(len(r.Targets), "target"),
		counted(len(r.Issuers), "issuer"), counted(len(r.Configuration.ToFill), "value"))
	b.WriteString(r.table(paint))
	for _, rule := range r.Rules {
		if tree, says := rule.tree(); says {
			b.WriteString("\n" + tree.String())
		}
	}
	b.WriteString("\n" + r.targets().String())
	b.WriteString("\n" + term.Leaf("issuers", r.Issuers).String())
	if len(r.Configuration.ToFill)+len(r.Configuration.Given) > 0 {
		b.WriteString("\n" + term.Tree{
			Text: "configuration:",
			Leaves: []term.Tree{
				term.Leaf("has a value", r.Configuration.Given),
				term.Leaf("to fill in", r.Configuration.ToFill),
			},
		}.String())
	}
	b.WriteString(sentences("Notes", r.Notes))
	b.WriteString(sentences("The import is not done", r.Missing))
	return b.String()
}

// String is the summary as a sentence. Counts of zero are left out.
func (s Summary) String() string {
	var parts []string
	add := func(count int, one, many string) {
		switch {
		case count == 1:
			parts = append(parts, "1 "+one)
		case count > 1:
			parts = append(parts, fmt.Sprintf("%d %s", count, many))
		}
	}
	add(s.Ready, "runs as it is", "run as they are")
	add(s.Needs, "needs something", "need something")
	add(s.Refused, "cannot run", "cannot run")
	add(s.Disabled, "is disabled", "are disabled")
	add(s.LeftOut, "is left out", "are left out")
	return fmt.Sprintf("%s: %s.", counted(s.Rules, "rule"), strings.Join(parts, ", "))
}

// counted is a number and a word, in the plural if needed.
func counted(count int, word string) string {
	if count == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", count, word)
}

// The colours of states.
var colours = map[State]term.Colour{
	StateReady:   term.Green,
	StateNeeds:   term.Yellow,
	StateRefused: term.Red,
}

// table has a line for each rule.
func (r *Report) table(paint term.Painter) string {
	const widestName = 40
	rows := [][]string{{"ORDER", "STATE", "RULE", "WHAT"}}
	for _, rule := range r.Rules {
		order := "-"
		if rule.Order != nil {
			order = fmt.Sprint(*rule.Order)
		}
		name := term.Escaped(rule.Name)
		rows = append(rows, []string{order, string(rule.State), name, rule.what()})
	}
	text := term.Columns(rows, widestName)
	for state, colour := range colours {
		mark := "  " + string(state) + "  "
		text = strings.ReplaceAll(text, mark, "  "+paint(colour, string(state))+"  ")
	}
	return text
}

// what describes a rule's state in a few words.
func (r *RuleReport) what() string {
	if r.State != StateNeeds && r.State != StateReady {
		return term.OneLine(r.Why)
	}
	var lacks, idle []string
	for _, need := range r.Needs {
		switch {
		case need.Idle:
			idle = append(idle, need.title())
		case !need.Available:
			lacks = append(lacks, need.title())
		}
	}
	if len(idle) > 0 {
		lacks = append(lacks, "no effect: "+strings.Join(idle, ", "))
	}
	return strings.Join(lacks, ", ")
}

// title names a need as the rule's source writes it.
func (n *NeedReport) title() string {
	name := term.Escaped(n.Name)
	switch jsrules.NeedKind(n.Kind) {
	case jsrules.NeedGlobal, jsrules.NeedSAMLConfiguration, jsrules.NeedEffect:
		return name
	case jsrules.NeedModule:
		return "require('" + name + "')"
	}
	if n.Name == "" {
		return n.Kind + "[...]"
	}
	return n.Kind + "." + name
}

// verdict says how a need is not met; "" if it is met.
func (n *NeedReport) verdict() string {
	switch {
	case n.Idle:
		return " has no effect here"
	case n.Available:
		return ""
	case jsrules.NeedKind(n.Kind) == jsrules.NeedEffect:
		return " fails the exchange"
	case jsrules.NeedKind(n.Kind) == jsrules.NeedUser:
		return " is not in ID tokens by default"
	case jsrules.NeedKind(n.Kind) == jsrules.NeedConfiguration:
		return " has no value"
	}
	return " is not available"
}

// tree are the details of a rule that has any: what is missing, and what to do about it.
func (r *RuleReport) tree() (tree term.Tree, says bool) {
	tree.Text = term.Escaped(r.Name) + " (" + r.File + ")"
	if r.State == StateRefused {
		tree.Leaves = append(tree.Leaves, term.Tree{Text: "cannot run: " + term.OneLine(r.Why)})
	}
	for _, need := range r.Needs {
		if need.Available && need.Remedy == "" {
			continue
		}
		text := fmt.Sprintf("line %d, column %d: ", need.Line, need.Column)
		leaf := term.Tree{Text: text + need.title() + need.verdict()}
		if need.Remedy != "" {
			leaf.Leaves = []term.Tree{{Text: term.OneLine(need.Remedy)}}
		}
		tree.Leaves = append(tree.Leaves, leaf)
	}
	return tree, len(tree.Leaves) > 0
}

// targets is a tree with each target.
func (r *Report) targets() term.Tree {
	tree := term.Tree{Text: "targets:"}
	for _, t := range r.Targets {
		leaf := term.Leaf("client ID", t.ClientID)
		for _, setting := range []struct{ name, value string }{
			{"name", t.Name}, {"principal", t.Principal}, {"role", t.Role}, {"region", t.Region},
		} {
			if setting.value != "" {
				leaf.Leaves = append(leaf.Leaves, term.Leaf(setting.name, setting.value))
			}
		}
		if t.Lifetime > 0 {
			leaf.Leaves = append(leaf.Leaves, term.Leaf("lifetime_in_seconds", t.Lifetime))
		}
		tree.Leaves = append(tree.Leaves, leaf)
	}
	if len(tree.Leaves) == 0 {
		tree.Text += " (none)"
	}
	return tree
}

// sentences are a list under a title, "" if it is empty.
func sentences(title string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n" + title + ":\n")
	for _, one := range list {
		b.WriteString(term.WrapItem("- ", term.OneLine(one), term.UsualWidth))
		b.WriteString("\n")
	}
	return b.String()
}
