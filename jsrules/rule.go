package jsrules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
)

// Rule is a compiled rule that tells what it needs. It is made by [Parse] or [ParseFolder], and is
// safe for concurrent use.
type Rule struct{ rule *rule }

// Name is the rule's name, as events and errors have it.
func (r *Rule) Name() string {
	if r == nil || r.rule == nil {
		return ""
	}
	return r.rule.name
}

// Func is the rule for [delegation.Config].Rules. It tells [delegation.New] what the rule needs and
// lacks, see [delegation.WithNeeds], except for effects that are of no use here and do no harm. For
// a Rule that was not made by [Parse] it is nil, which [delegation.New] refuses.
func (r *Rule) Func() delegation.RuleFunc {
	if r == nil || r.rule == nil {
		return nil
	}
	rule := delegation.WithOwnTimeout(r.rule.run)
	return delegation.WithNeeds(r.rule.name, rule, r.rule.lacks()...)
}

// Needs lists what the rule takes from outside, in the order of the first places in its source.
// It is found in the source, without running it: a rule may not get to such a place, and what it
// reaches by names that are made at run time is not listed, except for modules.
func (r *Rule) Needs() []Need {
	if r == nil || r.rule == nil {
		return nil
	}
	return slices.Clone(r.rule.needs)
}

// Parse is [Compile], and also tells what the rule needs.
func Parse(name, source string, o Options) (*Rule, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	compiled, err := compileRule(name, source, &o)
	if err != nil {
		return nil, err
	}
	return &Rule{compiled}, nil
}

// ParseFolder is [CompileFolder], and also tells what the rules need.
func ParseFolder(folder fs.FS, o Options) ([]*Rule, error) {
	if folder == nil {
		return nil, errors.New("jsrules: the folder is nil")
	}
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	files, err := ruleFiles(folder)
	if err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	var rules []*Rule
	var wrong []error
	for _, file := range files {
		source, err := fs.ReadFile(folder, file)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("jsrules: %w", err))
			continue
		}
		compiled, err := compileRule(strings.TrimSuffix(file, ".js"), string(source), &o)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		rules = append(rules, &Rule{compiled})
	}
	if len(rules)+len(wrong) == 0 {
		return nil, errors.New("jsrules: the folder has no .js files")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return rules, nil
}
