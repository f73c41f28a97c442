package auth0export

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// stageOfLogin is the stage of rules that ran after a successful login, and so also in a
// delegation. Rules of the other stages never ran in one.
const stageOfLogin = "login_success"

var stages = []string{stageOfLogin, "login_failure", "pre_authorize"}

// Rule is a rule of the tenant.
type Rule struct {
	// Name is the rule's name at Auth0. It may contain any characters.
	Name string

	// Source is its JavaScript.
	Source string

	// Enabled tells whether the rule was enabled.
	Enabled bool

	// Stage is login_success, login_failure or pre_authorize.
	Stage string

	// Order is its place among the rules. Ordered tells whether it has one.
	Order   float64
	Ordered bool

	// At is its place in the export.
	At string
}

// runs tells whether the rule ran in a delegation.
func (r *Rule) runs() bool { return r.Enabled && r.Stage == stageOfLogin }

// addRule reads a rule. Missing members have Auth0's defaults: enabled, and login_success.
func (c *collector) addRule(o object, load func(script string) ([]byte, error)) {
	name, nameErr := o.text("name")
	enabled, enabledErr := o.truth("enabled", true)
	order, ordered, orderErr := o.number("order")
	stage, stageErr := o.text("stage")
	script, _ := o.values["script"].(string) // in a list, it is the source
	err := errors.Join(nameErr, enabledErr, orderErr, stageErr,
		o.onlyHas("name", "script", "enabled", "order", "stage", "id"))
	if name == "" && nameErr == nil {
		err = errors.Join(err, o.wrong("name", "is missing"))
	}
	stage = cmp.Or(stage, stageOfLogin)
	if !slices.Contains(stages, stage) {
		err = errors.Join(err, o.wrong("stage", "%.100q is not an Auth0 stage", stage))
	}
	if script == "" {
		err = errors.Join(err, o.wrong("script", "is missing: add the script to the export"))
	}
	if err != nil {
		c.note(err)
		return
	}
	source, err := load(script)
	if err == nil {
		err = checkReplaced(string(source))
	}
	if err != nil {
		c.note(fmt.Errorf("%s: rule %.100q: %w", o.at, name, err))
		return
	}
	c.export.Rules = append(c.export.Rules, Rule{
		Name:    name,
		Source:  string(source),
		Enabled: enabled,
		Stage:   stage,
		Order:   order,
		Ordered: ordered,
		At:      o.at,
	})
}

// sortRules sorts rules by their order. It refuses two rules with the same name, and rules that run
// and whose relative order the export does not give.
func sortRules(rules []Rule) error {
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
	var wrong []error
	names := map[string]string{}
	var before *Rule
	for i := range rules {
		r := &rules[i]
		if other, taken := names[r.Name]; taken {
			wrong = append(wrong, fmt.Errorf("%s: the rule %.100q is also in %s: remove one of "+
				"them",
				r.At, r.Name, other))
		}
		names[r.Name] = r.At
		if !r.runs() {
			continue
		}
		switch {
		case before == nil:
		case !before.Ordered || !r.Ordered:
			wrong = append(wrong, fmt.Errorf("%s: the export does not say whether the rule %.100q "+
				"or %.100q comes first: give both an order", r.At, before.Name, r.Name))
		case before.Order == r.Order:
			wrong = append(wrong, fmt.Errorf("%s: the rules %.100q and %.100q have the same order",
				r.At, before.Name, r.Name))
		}
		before = r
	}
	return errors.Join(wrong...)
}
