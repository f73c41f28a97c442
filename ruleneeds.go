package delegation

import "slices"

// RuleNeed is something that a rule takes from outside and that is not there, as [WithNeeds] tells
// it to [New].
type RuleNeed struct {
	// Text says what is missing, and where the rule needs it.
	Text string
	// Remedy is what to do, for the operator.
	Remedy string
	// UserPath, if set, is the path of a user property, as in [User.Value]. It is missing only if
	// neither the token nor the profile has it, so only [Delegator.Explain] can tell.
	UserPath string

	// targets are those to which the rule is limited. Nil: it is for all.
	targets []string
}

// of reports whether the rule that has the need runs at a target.
func (n *RuleNeed) of(target string) bool {
	return n.targets == nil || slices.Contains(n.targets, target)
}

// limitedTo returns needs of a rule that is limited to targets.
func limitedTo(targets []string, needs []RuleNeed) []RuleNeed {
	limited := slices.Clone(needs)
	for i := range limited {
		both := []string{} // not nil, which would be all
		for _, target := range targets {
			if limited[i].of(target) {
				both = append(both, target)
			}
		}
		limited[i].targets = both
	}
	return limited
}

// WithNeeds tells [New] what a rule needs and lacks. The rule itself stays as it is, and so do its
// name in events and the exchanges that need nothing of this. New logs what is missing,
// [Delegator.Check] has a warning with [WarningRuleNeeds] for each, and [Delegator.Explain] lists
// what is missing at its target. Package jsrules does it for rules in JavaScript; name is what the
// result of Check calls the rule. Without needs, and for a nil rule, it returns the rule.
func WithNeeds(name string, rule RuleFunc, needs ...RuleNeed) RuleFunc {
	if rule == nil || len(needs) == 0 {
		return rule
	}
	inner := readyMadeOf(rule)
	named := newNamedRule(rule)
	r := &readyMade{
		name:    name,
		needs:   slices.Clone(needs),
		run:     named.call,
		foreign: inner == nil || inner.foreign,
	}
	if inner != nil {
		r.gates = inner.gates
		r.wantsEmail = inner.wantsEmail
		r.hidden = inner.hidden
		r.onlyFor = inner.onlyFor
		r.needs = slices.Concat(inner.needs, r.needs)
	}
	if !inner.leavesAll() {
		r.changes = inner.after
	}
	return r.ready()
}

// needWarnings are what the rule at a field lacks, whatever the user.
func (r *readyMade) needWarnings(at string) (warnings []CheckWarning) {
	for _, need := range r.needs {
		if need.UserPath != "" {
			continue
		}
		warnings = append(warnings, CheckWarning{
			Code:   WarningRuleNeeds,
			Text:   need.Text,
			Remedy: need.Remedy,
			Field:  at,
		})
	}
	return warnings
}

// lacked lists what a rule lacks at a target for a user, each as one text. The user is nil if the
// rule did not run.
func lacked(rule RuleFunc, target string, user *User) (texts []string) {
	r := readyMadeOf(rule)
	if r == nil {
		return nil
	}
	for _, need := range r.needs {
		if need.of(target) && (need.UserPath == "" || user.lacks(need.UserPath)) {
			texts = append(texts, need.Text+": "+need.Remedy)
		}
	}
	return texts
}

// lacks reports whether a user is known and has no such property.
func (u *User) lacks(path string) bool {
	if u == nil {
		return false
	}
	_, has := u.Value(path)
	return !has
}
