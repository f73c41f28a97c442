package delegation

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/internal/explain"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/packed"
)

const (
	// anyValue stands for a value that a user has. AWS takes it everywhere.
	anyValue = "check"
	// maxPossible is how many sessions of a target are looked at. Beyond it nothing is known.
	maxPossible = 1000
)

// possible is what a session of a target may be.
type possible struct {
	aws  AWS
	rule int // the place in Config.Rules of the one that chose the role, counted from 1; 0: none
	row  int // of its table, counted from 0
	// choice is the place of the role among those that the target offers, counted from 1. 0: it
	// offers none.
	choice int
}

// after returns the sessions that the rule leaves, as its field changes does. A nil rule is one
// that is not of this package, and may decide anything.
func (r *readyMade) after(place int, target string, before []possible) ([]possible, bool) {
	switch {
	case r == nil:
		return nil, false
	case r.changes == nil:
		return before, true
	}
	return r.changes(place, target, before)
}

// toEach returns a readyMade.changes for a rule that makes the same change to each session.
func toEach(change func(*AWS)) func(int, string, []possible) ([]possible, bool) {
	return func(_ int, _ string, before []possible) ([]possible, bool) {
		after := slices.Clone(before)
		for i := range after {
			after[i].aws = after[i].aws.clone()
			change(&after[i].aws)
		}
		return after, true
	}
}

// nobodyIf returns a readyMade.changes for a rule that refuses everybody, if nobody is true.
// Otherwise it returns nil: the rule leaves all sessions as they are.
func nobodyIf(nobody bool) func(int, string, []possible) ([]possible, bool) {
	if !nobody {
		return nil
	}
	return func(int, string, []possible) ([]possible, bool) { return nil, true }
}

// chosenByRow are the sessions after the rows of a table, each once. It stops above maxPossible.
func chosenByRow(place int, table []RoleMatch, before []possible) (after []possible) {
	seen := map[string]bool{}
	for _, b := range before {
		for i := range table {
			if len(after) > maxPossible {
				return after
			}
			chosen := possible{aws: b.aws.clone(), rule: place, row: i}
			table[i].choose(&chosen.aws)
			key := fmt.Sprintf("%q %q %d", chosen.aws.Principal, chosen.aws.Region, i)
			if !seen[key] {
				seen[key] = true
				after = append(after, chosen)
			}
		}
	}
	return after
}

// hiddenRows are the rows that are never reached: one before has the same pattern, or matches
// anything.
func hiddenRows(table []RoleMatch, patterns []*regexp.Regexp) (hidden []int) {
	seen := map[string]bool{}
	all := false
	for i, row := range table {
		if all || seen[row.Pattern] {
			hidden = append(hidden, i)
		}
		seen[row.Pattern] = true
		all = all || matchesAnything(patterns[i])
	}
	return hidden
}

// checkSessions says of each target of a map, and of each rule, what in it cannot work, and of each
// issuer what its subjects may not name. The results come in the order of the targets' names, of
// the rules and of the issuers.
func (c *Config) checkSessions(known *knownTargets) (results []CheckResult) {
	rules := rulesOf(c.Rules)
	targets := c.fixedTargets()
	names := known.unusual
	if !rules.leaveAll {
		names = slices.Sorted(maps.Keys(targets))
	}
	for _, name := range names {
		target := targets[name]
		result := CheckResult{
			Name:     "target " + plainName(name),
			Kind:     CheckTarget,
			Target:   name,
			Degrades: true,
		}
		s := sessions{Config: c, rules: rules.list, target: target, result: &result}
		s.check(target.idFor(name))
		if result.Err != nil || len(result.Warnings) > 0 {
			result.Warnings = asConfigured(result.Warnings)
			results = append(results, result)
		}
	}
	results = append(results, rules.check(targets)...)
	results = append(results, c.checkSubjects(rules, known)...)
	return append(results, c.checkEncodings(known)...)
}

// knownRules are the rules of a configuration, as far as New can see what they do.
type knownRules struct {
	list     []knownRule
	leaveAll bool // all leave sessions as they are
}

// knownRule is a rule with its name. readyMade is nil if no function of this package made the rule.
type knownRule struct {
	*readyMade
	name string
}

func rulesOf(rules []RuleFunc) knownRules {
	known := knownRules{leaveAll: true}
	for _, rule := range rules {
		r := knownRule{readyMadeOf(rule), ruleName(rule)}
		known.list = append(known.list, r)
		known.leaveAll = known.leaveAll && r.leavesAll()
	}
	return known
}

// plainlyWorks tells, without an allocation, whether a target has role, principal and region that
// fit together, and none of the settings that have limits.
func (t Target) plainlyWorks() bool {
	a := &t.AWS
	switch {
	case len(t.AllowedRoles)+len(a.FailoverRegions)+len(a.Mappings)+len(t.Chain) > 0,
		len(t.AllowedAccounts) > 0, t.offersRoles(),
		t.EncryptionKey+t.SAMLRecipient+t.SAMLAudience != "",
		t.NameIDTellsIssuersApart,
		len(a.PolicyARNs)+len(a.Tags)+len(a.TransitiveTagKeys)+len(a.DroppableTags) > 0,
		a.NameID+a.SourceIdentity+a.Policy+a.SessionName != "",
		a.SessionDuration != 0:
		return false
	}
	region, err := ParseRegion(a.Region)
	partition, account := placeOf(a.Role)
	principalPartition, principalAccount := placeOf(a.Principal)
	return err == nil && partition == region.partition && partition == principalPartition &&
		account == principalAccount
}

// placeOf returns partition and account of an ARN that was parsed, or is empty.
func placeOf(arn string) (partition, account string) {
	_, rest, _ := strings.Cut(arn, ":")
	partition, rest, _ = strings.Cut(rest, ":")
	_, rest, _ = strings.Cut(rest, "::")
	account, _, _ = strings.Cut(rest, ":")
	return partition, account
}

// plainName is a name as it is, or quoted if it could be taken for more than a name.
func plainName(name string) string {
	quoted := strconv.Quote(name)
	if quoted == `"`+name+`"` && !strings.Contains(name, " ") {
		return name
	}
	return quoted
}

// sessions are those that a target may give.
type sessions struct {
	*Config
	rules  []knownRule
	target *Target
	result *CheckResult
}

// check looks at what the target, which rules know by the ID, can give.
func (s *sessions) check(id string) {
	s.checkAddressee()
	list, denying, known := s.possible(id)
	switch {
	case !known:
		s.checkOwn()
		s.checkPacked([]possible{{aws: s.target.AWS}})
		return
	case len(list) == 0:
		e := newError(CodeDenied, "the rule %s denies everybody", s.rules[denying-1].name)
		e.Remedy = "list in the rule who is allowed, or remove the rule"
		s.result.Err = e
		s.result.Field = s.ruleField(denying)
		return
	}
	s.checkEach(list)
	s.checkPacked(list)
}

// possible are the sessions that rules can leave. If there are none, denying is the place of the
// rule that denies everybody, counted from 1. They are not known if a rule or a mapping may decide
// anything.
func (s *sessions) possible(id string) (list []possible, denying int, known bool) {
	path, mapped := s.target.Mappings[AttributeRole]
	if mapped && attributeOfVirtual(path) == "" {
		return nil, 0, false
	}
	list = s.target.possible()
	if list == nil {
		return nil, 0, false
	}
	for i, rule := range s.rules {
		list, known = rule.after(i+1, id, list)
		if !known || len(list) > maxPossible {
			return nil, 0, false
		}
		if len(list) == 0 {
			return nil, i + 1, true
		}
	}
	return list, 0, true
}

// possible are the sessions that rules begin with: one for each role that is offered. Nil: they are
// in tokens.
func (t *Target) possible() (list []possible) {
	if !t.offersRoles() {
		return []possible{{aws: t.AWS.clone()}}
	}
	add := func(c *RoleChoice) {
		role, err := iam.Role.Parse(c.Role)
		if err != nil { // New refuses it
			return
		}
		chosen := possible{aws: t.AWS.clone(), choice: len(list) + 1}
		chosen.aws.Role = c.Role
		chosen.aws.Principal = t.principalOf(c, role)
		list = append(list, chosen)
	}
	for i := range t.Roles {
		add(&t.Roles[i])
	}
	if t.RolesFromClaim != nil {
		for i := range t.RolesFromClaim.Names {
			add(&t.RolesFromClaim.Names[i].RoleChoice)
		}
	}
	return list
}

// checkEach reports what no exchange can get.
func (s *sessions) checkEach(list []possible) {
	var refused []possible
	var refusals []*Error
	for _, p := range list {
		if e := s.refusal(p.aws); e != nil {
			refused = append(refused, p)
			refusals = append(refusals, e)
		}
	}
	if len(refused) == 0 {
		return
	}
	if len(refused) == len(list) {
		s.result.Err = refusals[0]
		s.result.Field = s.field(refused[0], refusals[0].Code)
		return
	}
	for i, p := range refused {
		if p.rule == 0 && p.choice > 0 {
			s.warn(CheckWarning{
				Code:   WarningRowRefused,
				Text:   fmt.Sprintf("the role %s fails: %v", p.aws.Role, refusals[i].Err),
				Remedy: refusals[i].Remedy,
				Field:  s.field(p, refusals[i].Code),
			})
			continue
		}
		if p.rule == 0 {
			continue // there is one session without a rule, so all are refused then
		}
		s.warn(CheckWarning{
			Code: WarningRowRefused,
			Text: fmt.Sprintf("row %d of %s fails: %v",
				p.row+1, s.rules[p.rule-1].name, refusals[i].Err),
			Remedy: refusals[i].Remedy,
			Field:  s.field(p, refusals[i].Code),
		})
	}
}

// checkOwn warns of settings that no exchange can get, unless a rule changes them. What is not set
// is for a rule to set.
func (s *sessions) checkOwn() {
	own := s.target.AWS
	if own.Role == "" || own.Principal == "" || own.Region == "" {
		return
	}
	e := s.refusal(own.clone())
	if e == nil || e.Code == CodeNameIDInvalid { // which a rule sets
		return
	}
	s.warn(CheckWarning{
		Code:   WarningTargetNeedsRule,
		Text:   fmt.Sprintf("every exchange fails unless a rule changes this: %v", e.Err),
		Remedy: e.Remedy,
		Field:  s.field(possible{}, e.Code),
	})
}

// checkPacked warns if tags and policies may be more than AWS has space for. A claim counts as a
// short one, so there may be more in a session.
func (s *sessions) checkPacked(list []possible) {
	most := 0
	var of possible
	for _, p := range list {
		a := p.aws.withoutUser()
		percent := packed.Percent(a.Policy, a.PolicyARNs, a.Tags)
		if percent > most {
			most = percent
			of = p
		}
	}
	text := explain.PackedSize(most)
	if text == "" {
		return
	}
	code := CodeTagsInvalid
	if len(of.aws.Tags) == 0 {
		code = CodePolicyInvalid
	}
	s.warn(CheckWarning{
		Code:   WarningPackedSize,
		Text:   text,
		Remedy: explain.PackedRemedy,
		Field:  s.field(of, code),
	})
}

func (s *sessions) warn(w CheckWarning) {
	s.result.Warnings = append(s.result.Warnings, w)
}

// refusal is the error that every exchange with these settings ends with, for any user; nil: there
// is none.
func (s *sessions) refusal(a AWS) *Error {
	if e := unset(&a); e != nil {
		return e
	}
	a = a.withoutUser()
	user := &User{Properties: map[string]any{}}
	if _, err := newDecision(user, anyValue, a, s.target, s.Config, nil); err != nil {
		return issueError(err)
	}
	return nil
}

// withoutUser returns a copy whose mappings have been filled in for a user whose properties are all
// anyValue, as far as AWS's own attributes go.
func (a AWS) withoutUser() AWS {
	a = a.clone()
	for name := range a.Mappings {
		if key, isTag := strings.CutPrefix(name, AttributePrincipalTag); isTag {
			a.setTag(key, cmp.Or(a.Tags[key], anyValue))
		}
	}
	if _, mapped := a.Mappings[AttributeNameIdentifier]; mapped && a.NameIDFromMapping {
		a.NameID = anyValue
	}
	if _, mapped := a.Mappings[AttributeSourceIdentity]; mapped {
		a.SourceIdentity = cmp.Or(a.SourceIdentity, anyValue)
	}
	a.Mappings = nil
	return a
}

// unset is the error of what is missing.
func unset(a *AWS) *Error {
	switch {
	case a.Role == "":
		return newError(CodeRoleInvalid, "AWS.Role is not set, and no rule sets a role")
	case a.Principal == "":
		return newError(CodeRoleInvalid,
			"AWS.Principal is not set, and no rule sets a SAML provider")
	case a.Region == "":
		return newError(CodeRegionInvalid, "AWS.Region is not set, and no rule sets a region")
	}
	return nil
}

// field is the field of Config that a refusal is about, as New names it.
func (s *sessions) field(p possible, code Code) string {
	if p.rule > 0 {
		return fmt.Sprintf("%s: row %d", s.ruleField(p.rule), p.row+1)
	}
	at := fmt.Sprintf("Targets[%q]", s.result.Target)
	if p.choice > 0 && isOfRole(code) {
		if s.target.RolesFromClaim != nil {
			return fmt.Sprintf("%s: RolesFromClaim: Names[%d]", at, p.choice-1)
		}
		return fmt.Sprintf("%s: Roles[%d]", at, p.choice-1)
	}
	switch code {
	case CodeRoleInvalid, CodeAccountMismatch, CodeRoleNotAllowed:
		if s.target.Role != "" && s.target.Principal == "" {
			return at + ": Principal"
		}
		return at + ": Role"
	case CodeProviderMismatch:
		return at + ": Principal"
	case CodeRegionInvalid:
		return at + ": Region"
	case CodeDurationInvalid, CodeChainDuration:
		return at + ": SessionDuration"
	case CodeChainInvalid:
		return at + ": Chain"
	case CodeChainSourceIdentity:
		return at + ": SourceIdentity"
	case CodeTagsInvalid:
		return at + ": Tags"
	case CodePolicyInvalid:
		return at + ": Policy"
	}
	return at
}

// isOfRole tells whether a refusal is about the role or its SAML provider, or can be: a region must
// be of the role's partition.
func isOfRole(code Code) bool {
	switch code {
	case CodeRoleInvalid, CodeAccountMismatch, CodeRoleNotAllowed, CodeProviderMismatch,
		CodeRegionInvalid, CodePolicyInvalid:
		return true
	}
	return false
}

// ruleField is the field of a rule by its place, counted from 1.
func (s *sessions) ruleField(place int) string {
	return fmt.Sprintf("Rules[%d]: %s", place-1, s.rules[place-1].name)
}

// checkAddressee warns of a recipient and an audience that are another partition's than the
// region.
func (s *sessions) checkAddressee() {
	region, err := ParseRegion(s.target.Region)
	if err != nil {
		return // a rule chooses it, or New refuses it
	}
	at := fmt.Sprintf("Targets[%q]", s.result.Target)
	recipient := s.target.SAMLRecipient
	if recipient != "" && !isSignIn(recipient, region) {
		s.warn(CheckWarning{
			Code: WarningRecipientMismatch,
			Text: fmt.Sprintf("the recipient %.200q is not a sign-in address of the partition %s, "+
				"in which %s is", recipient, region.Partition(), region),
			Remedy: fmt.Sprintf("remove Target.SAMLRecipient, or set it to %s",
				region.SAMLRecipient()),
			Field: at + ": SAMLRecipient",
		})
	}
	audience := s.target.SAMLAudience
	if owner, ok := iam.PartitionOfAudience(audience); ok && owner != region.Partition() {
		s.warn(CheckWarning{
			Code: WarningAudienceMismatch,
			Text: fmt.Sprintf("the audience %.200q is that of the partition %s, and %s is in %s",
				audience, owner, region, region.Partition()),
			Remedy: fmt.Sprintf("remove Target.SAMLAudience, or set it to %s",
				region.SAMLAudience()),
			Field: at + ": SAMLAudience",
		})
	}
}

// isSignIn tells whether an address is one of the sign-in page in the region's partition, of
// whichever region, or of one SAML provider there.
func isSignIn(address string, region Region) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return false
	}
	p, _ := iam.PartitionOf(region.name)
	isPath := u.Path == "/saml" || strings.HasPrefix(u.Path, "/saml/acs/")
	return isPath && p.HasSignInHost(u.Host)
}

// check warns of rules that are never used, and of what they lack. Targets that are not known are
// nil.
func (k knownRules) check(targets ownTargets) (results []CheckResult) {
	ids := sync.OnceValue(func() map[string]bool { // few rules are for some targets only
		ids := map[string]bool{}
		for name, target := range targets {
			ids[target.idFor(name)] = true
		}
		return ids
	})
	places := map[string]int{} // in the results, by name
	for i, rule := range k.list {
		if rule.readyMade == nil {
			continue
		}
		warnings := asConfigured(rule.warnings(fmt.Sprintf("Rules[%d]: %s", i, rule.name), ids))
		if len(warnings) == 0 {
			continue
		}
		name := "rule " + rule.name
		if at, has := places[name]; has { // the rules of a folder may have one name
			results[at].Warnings = append(results[at].Warnings, warnings...)
			continue
		}
		places[name] = len(results)
		results = append(results, CheckResult{
			Name:     name,
			Kind:     CheckRule,
			Degrades: true,
			Warnings: warnings,
		})
	}
	return results
}

// warnings say that the rule at a field, or a row of it, is never used, and what the rule lacks.
// Without IDs of targets none is known.
func (r *readyMade) warnings(at string, ids func() map[string]bool) (warnings []CheckWarning) {
	exists := func(target string) bool { return ids()[target] }
	if len(r.onlyFor) > 0 && len(ids()) > 0 && !slices.ContainsFunc(r.onlyFor, exists) {
		warnings = append(warnings, CheckWarning{
			Code: WarningRuleUnused,
			Text: fmt.Sprintf("it is only for the target %.80q, which does not exist",
				r.onlyFor[0]),
			Remedy: "correct the name, or remove the rule",
			Field:  at,
		})
	}
	for _, row := range r.hidden {
		warnings = append(warnings, CheckWarning{
			Code: WarningRowHidden,
			Text: fmt.Sprintf("row %d is never reached: a row before it matches all that it "+
				"matches", row+1),
			Remedy: "move it up, or remove it",
			Field:  fmt.Sprintf("%s: row %d", at, row+1),
		})
	}
	return append(warnings, r.needWarnings(at)...)
}
