package auth0export

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/jsrules"
)

// Options are the settings of an import that are not in an export.
type Options struct {
	// Domain is the tenant's domain, such as tenant.eu.auth0.com; "": the export's.
	Domain string

	// Region is the AWS region whose STS is called; "": the rules set one.
	Region string

	// Clients name clients by ID, or as NAME=ID. Each becomes a target. NAME=ID also gives an ID to
	// a client of the export that has none.
	Clients []string

	// Disable are the names of rules that are left out.
	Disable []string

	// Secrets are values of configuration. They take precedence over those of the export.
	Secrets map[string]string
}

// Plan is what an import will write.
type Plan struct {
	export *Export
	domain string
	region string

	customDomains []string // apart from domain

	targets []Client
	rules   []*plannedRule
	values  map[string]string
	missing []string // names of configuration that lack a value
	lacks   []error  // what flags have to set first
	notes   []string
}

// plannedRule is a rule of the export, and what the import does with it.
type plannedRule struct {
	Rule
	file  string // in the folder that is written
	state State
	why   string
	needs []jsrules.Need
	names []string // of configuration, that it reads
}

// isKept tells whether the rule runs here, or would run if it were not refused.
func (r *plannedRule) isKept() bool { return r.state != StateDisabled && r.state != StateLeftOut }

// State is what the import does with a rule.
type State string

// The states of rules.
const (
	// StateReady is a rule that runs and has all that it needs.
	StateReady State = "ready"
	// StateNeeds is a rule that runs but lacks something that it needs.
	StateNeeds State = "needs"
	// StateDisabled is a rule that was disabled at Auth0, or whose stage did not run in a
	// delegation.
	StateDisabled State = "disabled"
	// StateLeftOut is a rule that the operator excludes.
	StateLeftOut State = "left out"
	// StateRefused is a rule that cannot run here. Nothing is imported while there is one.
	StateRefused State = "refused"
)

// NewPlan decides what an import will write. An error is a config.UsageError about the options or
// an export without rules. What else is missing is in the report, and in Plan.Err.
func NewPlan(export *Export, o Options) (*Plan, error) {
	p := &Plan{export: export, region: o.Region, values: map[string]string{}}
	p.notes = slices.Clone(export.Notes)
	if len(export.Rules) == 0 {
		return nil, config.Usage(errors.New("the export has no rules: exports that were made " +
			"after Rules ended (2026-11-18) may have none. Use an older export, or one from the " +
			"repository of the tenant"))
	}
	wrong := p.checkFlags(o)
	for _, values := range []map[string]string{export.Values, o.Secrets} {
		for name, value := range values {
			p.values[name] = value
		}
	}
	wrong = append(wrong, p.chooseTargets(o.Clients))
	wrong = append(wrong, p.leaveOut(o.Disable))
	if err := errors.Join(wrong...); err != nil {
		return nil, config.Usage(err)
	}
	p.lookAtRules()
	p.findLacks()
	return p, nil
}

// checkFlags checks the domain and the region.
func (p *Plan) checkFlags(o Options) (wrong []error) {
	p.domain = cmp.Or(o.Domain, p.export.Domain)
	for _, domain := range p.export.CustomDomains {
		if domain != p.domain {
			p.customDomains = append(p.customDomains, domain)
		}
	}
	if p.domain != "" {
		if err := checkDomain(p.domain); err != nil {
			wrong = append(wrong, fmt.Errorf("--domain: %w", err))
		}
	}
	if o.Region != "" {
		if _, err := delegation.ParseRegion(o.Region); err != nil {
			wrong = append(wrong, fmt.Errorf("--region: %w", errors.Unwrap(err)))
		}
	}
	return wrong
}

// chooseTargets makes a target of each client that has an AWS add-on or that a flag names.
func (p *Plan) chooseTargets(flags []string) error {
	clients := slices.Clone(p.export.Clients)
	wanted := map[int]bool{}
	for i, c := range clients {
		wanted[i] = c.AWS != nil
	}
	for _, flag := range flags {
		name, id := "", flag
		if at := strings.LastIndex(flag, "="); at >= 0 {
			name, id = flag[:at], flag[at+1:]
		}
		if id == "" {
			return fmt.Errorf("--client: %.100q has no client ID", flag)
		}
		i, err := findClient(clients, name, id)
		if err != nil {
			return err
		}
		if i < 0 {
			i = len(clients)
			clients = append(clients, Client{Name: name})
		}
		if name != "" && clients[i].Name != name {
			return fmt.Errorf("--client: the export calls the client %.100q %.100q", id,
				clients[i].Name)
		}
		clients[i].ID = id
		wanted[i] = true
	}
	for i, c := range clients {
		if wanted[i] {
			p.targets = append(p.targets, c)
		}
	}
	return nil
}

// findClient returns the index of the client that a flag names: the one with the ID, or else the
// one with the name that has no ID; -1 if there is none. Auth0 allows several clients of one name.
// Then the flag is for the one with an AWS add-on.
func findClient(clients []Client, name, id string) (int, error) {
	byID := slices.IndexFunc(clients, func(c Client) bool { return c.ID == id })
	if byID >= 0 || name == "" {
		return byID, nil
	}
	var plain, withAddOn []int
	for i, c := range clients {
		switch {
		case c.ID != "" || c.Name != name:
		case c.AWS != nil:
			withAddOn = append(withAddOn, i)
		default:
			plain = append(plain, i)
		}
	}
	if len(withAddOn) > 0 {
		return withAddOn[0], nil // checkClients refuses two
	}
	switch len(plain) {
	case 0:
		return -1, nil
	case 1:
		return plain[0], nil
	}
	return -1, fmt.Errorf("--client: the export has %d clients named %.100q, without their "+
		"client_id: export with AUTH0_EXPORT_IDENTIFIERS: true", len(plain), name)
}

// leaveOut lists the rules, and marks those that do not run. Their files are numbered by the place
// among all rules.
func (p *Plan) leaveOut(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(p.export.Rules, func(r Rule) bool { return r.Name == name }) {
			return fmt.Errorf("--disable: the export has no rule %.100q", name)
		}
	}
	width := max(2, len(fmt.Sprint(len(p.export.Rules))))
	for i, r := range p.export.Rules {
		rule := &plannedRule{Rule: r, state: StateReady}
		switch {
		case !r.Enabled:
			rule.state = StateDisabled
			rule.why = "it was disabled at Auth0"
		case r.Stage != stageOfLogin:
			rule.state = StateDisabled
			rule.why = "rules of the stage " + r.Stage + " did not run in a delegation"
		case slices.Contains(names, r.Name):
			rule.state = StateLeftOut
			rule.why = "--disable names it"
		}
		folder := rulesFolder
		if rule.state != StateReady {
			folder = disabledFolder
		}
		rule.file = fmt.Sprintf("%s/%0*d-%s.js", folder, width, i+1, fileName(r.Name))
		p.rules = append(p.rules, rule)
	}
	return nil
}

// fileName turns the name of a rule into a part of a file name. The number in front of it makes
// file names unique.
func fileName(name string) string {
	const longest = 60
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == longest {
			break
		}
	}
	return cmp.Or(strings.TrimSuffix(b.String(), "-"), "rule")
}

// lookAtRules compiles the rules that run, and finds out what they need.
func (p *Plan) lookAtRules() {
	for _, r := range p.rules {
		if r.state != StateReady {
			continue
		}
		parsed, err := jsrules.Parse(p.ruleName(r), r.Source, p.ruleOptions())
		if err != nil {
			r.state = StateRefused
			r.why = err.Error()
			continue
		}
		r.needs = p.needsOf(parsed.Needs())
		for _, need := range r.needs {
			if need.Kind == jsrules.NeedConfiguration && need.Name != "" {
				r.names = append(r.names, need.Name)
			}
			if !need.Available && !need.Idle() {
				r.state = StateNeeds
			}
		}
		for _, name := range r.names {
			if _, has := p.values[name]; !has {
				p.missing = append(p.missing, name)
			}
		}
	}
	slices.Sort(p.missing)
	p.missing = slices.Compact(p.missing)
}

// ruleName is the name of a rule when it runs, which is the name of its file.
func (p *Plan) ruleName(r *plannedRule) string {
	_, name, _ := strings.Cut(r.file, "/")
	return strings.TrimSuffix(name, ".js")
}

// ruleOptions are the options that the configuration will have.
func (p *Plan) ruleOptions() jsrules.Options {
	return jsrules.Options{Domain: p.domain, Configuration: p.values}
}

// needsOf tells which needs the configuration meets. It supplies clientName and clientMetadata for
// each target from the export.
func (p *Plan) needsOf(needs []jsrules.Need) []jsrules.Need {
	list := slices.Clone(needs)
	for i := range list {
		need := &list[i]
		if need.Kind != jsrules.NeedContext || need.Available {
			continue
		}
		name, _, _ := strings.Cut(need.Name, ".")
		supplied := name == "clientMetadata" || name == "clientName"
		if supplied && p.everyTarget(func(c Client) bool { return c.supplies(name) }) {
			need.Available = true
			need.Remedy = ""
		}
	}
	return list
}

func (p *Plan) everyTarget(is func(Client) bool) bool {
	return !slices.ContainsFunc(p.targets, func(c Client) bool { return !is(c) })
}

// findLacks finds what flags have to set before anything can be written.
func (p *Plan) findLacks() {
	lack := func(format string, args ...any) {
		p.lacks = append(p.lacks, fmt.Errorf(format, args...))
	}
	if p.domain == "" {
		lack("--domain is missing: the export does not have the tenant's domain, such as " +
			"tenant.eu.auth0.com")
	}
	if len(p.targets) == 0 {
		lack("--client is missing: no client of the export has an AWS add-on. Name the client ID " +
			"of each application that gets credentials")
	}
	for _, c := range p.targets {
		if c.ID == "" {
			lack("--client is missing: %s: the export has no client_id of %.100q. Use --client "+
				"'%s=CLIENT_ID', or export with AUTH0_EXPORT_IDENTIFIERS: true", c.At, c.Name,
				strings.ReplaceAll(c.Name, "'", `'\''`))
		}
	}
	if p.region == "" && !p.rulesSetRegion() && !p.everyTarget(func(c Client) bool {
		return c.AWS != nil && c.AWS.Region != ""
	}) {
		lack("--region is missing: neither the export nor a rule says which AWS region's STS is " +
			"called")
	}
	for _, r := range p.rules {
		if r.state == StateRefused {
			lack("the rule %.100q cannot run: %s. Correct it in the export. If it has nothing to "+
				"do with AWS, leave it out with --disable", r.Name, r.why)
		}
	}
	p.noteClients()
}

// rulesSetRegion tells whether any rule that is kept may set the region.
func (p *Plan) rulesSetRegion() bool {
	return slices.ContainsFunc(p.rules, func(r *plannedRule) bool {
		return r.isKept() && strings.Contains(r.Source, "region")
	})
}

// noteClients notes what targets need and no flag sets.
func (p *Plan) noteClients() {
	for _, c := range p.targets {
		if c.SharedSecret {
			form := ""
			if c.Base64URL {
				form = ", with base64url: true"
			}
			p.notes = append(p.notes, fmt.Sprintf("the ID tokens of %.100q are signed with its "+
				"client secret (HS256): have Auth0 sign them with RS256, or set client_secrets of "+
				"the issuer%s", cmp.Or(c.Name, c.ID), form))
		}
	}
	if p.running() == 0 {
		p.notes = append(p.notes, "no rule runs: every user of a target's client gets the role of "+
			"its add-on")
	}
}
