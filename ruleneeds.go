package delegation

import "slices"

// RuleNeed is something that a rule needs and that is not available; see [WithNeeds].
type RuleNeed struct {
	// Text says what is missing, and where the rule needs it.
	Text string
	// Remedy is what to do, for the operator.
	Remedy string
	// UserPath is the path of a user property, as in [User.Value]. The need exists only if neither
	// the token nor the profile has the property, so only [Delegator.Explain] reports it. Empty:
	// the need does not depend on the user.
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

// WithNeeds tells [New] what a rule needs but does not have. It changes neither the rule nor its
// name in events. New logs what is missing, [Delegator.Check] returns a warning with
// [WarningRuleNeeds] for each need, and [Delegator.Explain] lists the needs for its target. Package
// jsrules does this for rules in JavaScript. The name is used in the results of Check. Without
// needs, and for a nil rule, it returns the rule.
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
