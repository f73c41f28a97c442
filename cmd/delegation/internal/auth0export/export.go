package auth0export

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sync"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// Export has the parts of an export that an import uses. Everything else, such as pages and
// connections, is ignored.
type Export struct {
	// Form says in words how the export was written.
	Form string

	// Rules are all rules, in the order in which they ran and then by name.
	Rules []Rule

	// Clients are the applications, in the order of the export.
	Clients []Client

	// CustomDomains are the domains under which the tenant issues tokens, apart from its own.
	CustomDomains []string

	// Domain is the tenant's own domain, such as tenant.eu.auth0.com; "" if the export does not
	// have it. Few exports do.
	Domain string

	// Values are the values of configuration in the export. They may be secrets.
	Values map[string]string

	// Notes are sentences about what was left out.
	Notes []string
}

// Read reads an export: the folder that the Deploy CLI writes with --format directory, its
// tenant.yaml or the folder of that, or a list of rules as JSON from the Management API. The error
// names every problem, and is a config.UsageError.
func Read(name string, keywords *Keywords) (*Export, error) {
	export, err := read(name, cmp.Or(keywords, &Keywords{}))
	if err != nil {
		return nil, config.Usage(err)
	}
	return export, nil
}

func read(name string, keywords *Keywords) (*Export, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: name the folder or the file of the export", err)
	}
	base := filepath.Base(name)
	if !info.IsDir() {
		f, err := openFolder(filepath.Dir(name), keywords)
		if err != nil {
			return nil, err
		}
		defer f.close()
		if path.Ext(base) == ".json" {
			return readList(f, base)
		}
		return readDocument(f, base)
	}
	f, err := openFolder(name, keywords)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return readEither(f, name)
}

// readEither reads a folder in the form that it has. If it has both, their rules must be the same.
func readEither(f *folder, name string) (*Export, error) {
	document := ""
	for _, file := range []string{"tenant.yaml", "tenant.yml"} {
		if f.has(file) && document == "" {
			document = file
		}
	}
	described, err := f.list("rules", ".json")
	if err != nil {
		return nil, err
	}
	switch {
	case document == "" && len(described) == 0 && !f.has("tenant.json") && !f.has("clients"):
		return nil, fmt.Errorf("%s: is not an export: it has neither tenant.yaml nor a folder "+
			"rules or clients with .json files", name)
	case document == "":
		return readFolder(f)
	}
	export, err := readDocument(f, document)
	if err != nil || len(described) == 0 {
		return export, err
	}
	other, err := readFolder(f)
	if err != nil {
		return nil, err
	}
	if !sameRules(export.Rules, other.Rules) {
		return nil, fmt.Errorf("%s: %s and the folder rules have different rules: name %s, or a "+
			"folder without it", name, document, filepath.Join(name, document))
	}
	return export, nil
}

// sameRules compares rules, apart from their places.
func sameRules(a, b []Rule) bool {
	without := func(rules []Rule) []Rule {
		list := slices.Clone(rules)
		for i := range list {
			list[i].At = ""
		}
		return list
	}
	return reflect.DeepEqual(without(a), without(b))
}

// collector builds an export from its parts, and collects all problems.
type collector struct {
	export *Export
	wrong  []error
}

func newCollector(form string) *collector {
	return &collector{export: &Export{Form: form, Values: map[string]string{}}}
}

func (c *collector) note(err error) {
	if err != nil {
		c.wrong = append(c.wrong, err)
	}
}

// finish checks what can only be checked on the whole export.
func (c *collector) finish() (*Export, error) {
	c.note(sortRules(c.export.Rules))
	c.note(checkClients(c.export.Clients))
	slices.Sort(c.export.CustomDomains)
	c.export.CustomDomains = slices.Compact(c.export.CustomDomains)
	if err := errors.Join(c.wrong...); err != nil {
		return nil, err
	}
	return c.export, nil
}

// addDomain adds a custom domain. A domain that Auth0 has not verified is left out, because it
// issues no tokens.
func (c *collector) addDomain(o object) {
	domain, err := o.text("domain")
	c.note(err)
	status, err := o.text("status")
	c.note(err)
	switch {
	case domain == "":
		c.note(o.wrong("domain", "is missing"))
	case checkDomain(domain) != nil:
		c.note(o.wrong("domain", "%w", checkDomain(domain)))
	case status != "" && status != "ready":
		c.export.Notes = append(c.export.Notes, fmt.Sprintf("the custom domain %s is left out: "+
			"its status is %.40q, so it issues no tokens", domain, status))
	default:
		c.export.CustomDomains = append(c.export.CustomDomains, domain)
	}
}

// addValue adds a value of configuration. If a keyword in it has no value, the operator has to fill
// it in.
func (c *collector) addValue(o object) {
	name, err := o.text("key")
	c.note(err)
	if name == "" {
		c.note(o.wrong("key", "is missing"))
	}
	value, isText := o.values["value"].(string)
	if o.values["value"] != nil && !isText {
		c.note(o.wrong("value", "is not text"))
	}
	if _, twice := c.export.Values[name]; twice {
		c.note(o.wrong("key", "another entry has it, too"))
	}
	if isText && len(unreplaced(value)) == 0 {
		c.export.Values[name] = value
	}
}

// managementAPI matches the audience of a client grant for Auth0's own API. It contains the
// tenant's domain.
var managementAPI = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\Ahttps://([a-z0-9.-]+\.auth0\.com)/api/v2/\z`)
})

// addGrant takes the tenant's domain from a client grant. If two grants name different domains, it
// uses neither.
func (c *collector) addGrant(o object, seen map[string]bool) {
	audience, _ := o.values["audience"].(string)
	m := managementAPI().FindStringSubmatch(audience)
	if m == nil {
		return
	}
	seen[m[1]] = true
	c.export.Domain = m[1]
	if len(seen) > 1 {
		c.export.Domain = ""
	}
}

var hostname = sync.OnceValue(func() *regexp.Regexp {
	label := `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`
	return regexp.MustCompile(`\A` + label + `(?:\.` + label + `)+(?::[0-9]{1,5})?\z`)
})

// checkDomain accepts a host name, in lower case and without https://.
func checkDomain(text string) error {
	if len(text) > 253 || !hostname().MatchString(text) {
		return fmt.Errorf("%.100q is not a domain such as tenant.eu.auth0.com", text)
	}
	return nil
}
