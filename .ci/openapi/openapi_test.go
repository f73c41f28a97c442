// Package openapi tests docs/openapi.yaml: it is a valid description, and it says the same as the
// golden requests and answers of the service and as docs/http.md.
package openapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

func TestMain(m *testing.M) {
	// Metadata has schemas of its own: a description of it is a text.
	openapi3filter.RegisterBodyDecoder("application/samlmetadata+xml",
		openapi3filter.RegisteredBodyDecoder("text/plain"))
	openapi3filter.RegisterBodyDecoder("text/xml",
		openapi3filter.RegisteredBodyDecoder("text/plain"))
	os.Exit(m.Run())
}

// reasons say why the description allows a golden request that the service refuses, by the name of
// the row, and why a response has no golden answer, by operation and status.
var reasons = map[string]string{
	"repeated parameter":                       "a schema sees one value of a parameter",
	"repeated member":                          "a schema sees one value of a member",
	"more than one JSON object":                "a schema is for one value",
	"container credentials without a target":   "the operator may have configured one",
	"console sign-in: a destination elsewhere": "the hosts of consoles depend on the partition",

	"roles: no target":      "the operator may have configured one",
	"none of several roles": "whether a role must be named depends on the target",
	"container credentials: none of several roles": "whether a role must be named depends on " +
		"the target",
	"container credentials: two roles":                               "a schema sees one value of a parameter",
	"container credentials: a role where none can be asked for":      "it depends on the configuration",
	"sts: a longer session than is decided":                          "it depends on the configuration",
	"sts: an unknown parameter":                                      "the names of parameters with numbers are not described",
	"sts: a repeated parameter":                                      "a schema sees one value of a parameter",
	"token exchange: an ID token that is said to be an access token": "a token is a text",
	"token exchange: an actor at a target that lets nobody act":      "it depends on the target",
	"token exchange: a repeated parameter":                           "a schema sees one value of a parameter",
	"token exchange: an expired token":                               "a token is a text",

	"POST /sts/{target} 500":                          "an error that is not of this library: TestSTS_Errors",
	"OPTIONS /sts/{target} 403":                       "the answer of other paths, as XML: TestSTS_CORS",
	"GET /roles 500":                                  "as of GET /credentials, which shows it",
	"GET /roles 503":                                  "as of GET /credentials, which shows it",
	"GET /roles 401 insufficient_user_authentication": "as of GET /credentials, which shows it",
	"GET /roles 403 unauthorized_client":              "as of GET /credentials, which shows it",
	"GET /metadata 500":                               "the metadata of a configuration that New has accepted can be written",
}

// optional are members that not every answer has.
var optional = map[string]bool{
	"AccountId":        true, // older emulators of STS do not say whose the role is
	"PackedPolicySize": true, // only with session tags or a session policy
	"SourceIdentity":   true, // only if one is set
	"account":          true, // only if the account has a name
	"scope":            true, // only if the session was narrowed
}

// documentation is what docs/http.md and docs/token-exchange.md say.
type documentation struct {
	kinds      map[string]bool // "400 invalid_request"
	tokenKinds map[string]bool // those of /token
	parameters map[string]table
}

// table is one of parameters.
type table struct{ all, required map[string]bool }

func readDocumentation(t *testing.T) documentation {
	t.Helper()
	text := string(read(t, filepath.Join(top, "docs", "http.md")))
	exchange := string(read(t, filepath.Join(top, "docs", "token-exchange.md")))
	d := documentation{
		kinds:      readKinds(t, text, "kinds"),
		tokenKinds: readKinds(t, exchange, "token kinds"),
		parameters: map[string]table{},
	}
	d.parameters["DelegationRequest"] = readTable(t, text, "## The delegation request")
	d.parameters["TokenRequest"] = readTable(t, exchange, "## Parameters")
	return d
}

// readKinds reads a table of kinds of refusals.
func readKinds(t *testing.T, text, name string) map[string]bool {
	t.Helper()
	_, rows, _ := strings.Cut(text, "<!-- "+name+" -->")
	rows, _, _ = strings.Cut(rows, "<!-- /"+name+" -->")
	kinds := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z_]+)` ")
	for _, found := range row.FindAllStringSubmatch(rows, -1) {
		kinds[found[1]+" "+found[2]] = true
	}
	if len(kinds) < 10 {
		t.Fatalf("%d %s are documented", len(kinds), name)
	}
	return kinds
}

// readTable reads the table of parameters after a heading.
func readTable(t *testing.T, text, heading string) table {
	t.Helper()
	_, section, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("no page has the heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	parameters := table{map[string]bool{}, map[string]bool{}}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (required)? *\\|")
	for _, found := range row.FindAllStringSubmatch(section, -1) {
		parameters.all[found[1]] = true
		if found[2] != "" {
			parameters.required[found[1]] = true
		}
	}
	if len(parameters.all) < 5 {
		t.Fatalf("%d parameters after %q", len(parameters.all), heading)
	}
	return parameters
}

func readDocument(t *testing.T) []byte {
	t.Helper()
	return read(t, filepath.Join(top, "docs", "openapi.yaml"))
}

// TestDescription: the description is valid, and it agrees with the golden table and docs/http.md.
func TestDescription(t *testing.T) {
	for _, problem := range compare(readDocument(t), readGolden(t), readDocumentation(t)) {
		t.Error(problem)
	}
}

// TestDescription_Text: every operation has a name, a group and a first sentence, and everything
// else a description. Lines are as narrow as those of the other pages.
func TestDescription_Text(t *testing.T) {
	text := readDocument(t)
	for line := range strings.Lines(string(text)) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{doc: doc}
	seen := map[string]bool{}
	for _, o := range c.operations() {
		if o.OperationID == "" || seen[o.OperationID] || len(o.Tags) != 1 ||
			!strings.HasSuffix(o.Summary, ".") {
			t.Errorf("%s: the ID %q, the tags %q, the summary %q", o, o.OperationID, o.Tags,
				o.Summary)
		}
		seen[o.OperationID] = true
		for _, tag := range o.Tags {
			if doc.Tags.Get(tag) == nil {
				t.Errorf("%s: the tag %s is not described", o, tag)
			}
		}
		for _, parameter := range o.Parameters {
			if parameter.Value.Description == "" {
				t.Errorf("%s: the parameter %s is not described", o, parameter.Value.Name)
			}
		}
	}
	for name, header := range doc.Components.Headers {
		if header.Value.Description == "" {
			t.Errorf("the header %s is not described", name)
		}
	}
}

// unnoticed are parts of the description that nothing shows, and why.
var unnoticed = map[string]string{
	"/paths//metadata/get/responses/500/headers/":           "no golden answer has this status",
	"/components/responses/STSFailure/headers/":             "no golden answer has this status",
	"/components/responses/STSPreflightRefused/headers/":    "no golden answer has this status",
	"/components/schemas/STSRequest/":                       "AWS's SDKs are the tests of it",
	"/components/schemas/TokenRequest/properties/requested": "an empty one is as none",
}

// TestDescription_Notices: whatever is taken out of the description, the comparison says so. It
// reads the description anew each time, some hundred times, which takes seconds.
func TestDescription_Notices(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(readDocument(t))
	if err != nil {
		t.Fatal(err)
	}
	all := readGolden(t)
	d := readDocumentation(t)
	whole := toJSON(t, doc)
	if found := compare(whole, all, d); len(found) > 0 {
		t.Fatalf("as JSON: %q", found)
	}
	relevant := byPlace(t, whole, all, d)
	var tree map[string]any
	if err := json.Unmarshal(whole, &tree); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	tried := 0
	removals(tree, "", func(at string) {
		tried++
		mutant := toJSON(t, tree)
		free <- struct{}{}
		work.Go(func() {
			defer func() { <-free }()
			if !isNoticed(mutant, all, relevant(at), d) && !isExpected(at) {
				t.Errorf("nothing notices that %s is missing", at)
			}
		})
	})
	work.Wait()
	t.Logf("%d removals", tried)
	if tried < 300 {
		t.Errorf("%d removals", tried)
	}
}

// isNoticed compares a changed description: first what needs no golden answer, then with the golden
// answers that the change is about, and then with all.
func isNoticed(mutant []byte, all, relevant []golden, d documentation) bool {
	var doc openapi3.T
	if json.Unmarshal(mutant, &doc) != nil ||
		openapi3.NewLoader().ResolveRefsIn(&doc, nil) != nil {
		return true
	}
	c := begin(&doc, d, openapi3.DisableExamplesValidation())
	if len(c.problems) > 0 {
		return true
	}
	c.answers(relevant)
	return len(c.problems) > 0 || len(c.golden(all)) > 0
}

func isExpected(at string) bool {
	for place := range unnoticed {
		if strings.HasPrefix(at, place) {
			return true
		}
	}
	return false
}

// byPlace returns the golden answers that a place of the description is about. It saves time only:
// what these do not notice is compared with all of them.
func byPlace(
	t *testing.T, document []byte, all []golden, d documentation,
) func(at string) []golden {
	t.Helper()
	c := open(document, d)
	places := map[string][]golden{}
	for _, g := range all {
		path, _, _ := strings.Cut(g.Path, "?")
		of, _ := c.find(path)
		for _, o := range of {
			places["/paths/"+o.path] = append(places["/paths/"+o.path], g)
			if response := o.Responses.Status(g.status); response != nil {
				place := strings.TrimPrefix(response.Ref, "#")
				places[place] = append(places[place], g)
			}
		}
	}
	return func(at string) (of []golden) {
		for place, answers := range places {
			if place != "" && strings.HasPrefix(at, place+"/") {
				of = append(of, answers...)
			}
		}
		return of
	}
}

func toJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
