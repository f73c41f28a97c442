package delegation_test

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/seed055b7978/delegation"

// rootFiles parses the root package's files without its tests.
func rootFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := filesOf(t, ".")
	if len(files) < 5 {
		t.Fatalf("only %d files: the test does not run in the root package", len(files))
	}
	return files
}

// filesOf parses a folder's Go files without its tests.
func filesOf(t *testing.T, folder string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, name := range must(filepath.Glob(filepath.Join(folder, "*.go"))) {
		if !strings.HasSuffix(name, "_test.go") {
			mode := parser.ParseComments
			files[name] = must(parser.ParseFile(token.NewFileSet(), name, nil, mode))
		}
	}
	if len(files) == 0 {
		t.Fatalf("%s has no files", folder)
	}
	return files
}

// export is one exported name and its documentation.
type export struct {
	kind, name, doc string
}

// exports lists the exported names of a package. A constant or variable may be documented by its
// group, and a struct's field by a comment above the line or after it.
func exports(files map[string]*ast.File) (list []export) {
	text := func(groups ...*ast.CommentGroup) string {
		for _, g := range groups {
			if s := strings.TrimSpace(g.Text()); s != "" {
				return s
			}
		}
		return ""
	}
	add := func(kind string, name *ast.Ident, qualifier, doc string) {
		if name.IsExported() {
			list = append(list, export{kind, qualifier + name.Name, doc})
		}
	}
	for _, file := range files {
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					add("function", d.Name, "", text(d.Doc))
					continue
				}
				receiver := d.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
					add("method", d.Name, name.Name+".", text(d.Doc))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						kind := map[token.Token]string{
							token.CONST: "constant", token.VAR: "variable",
						}[d.Tok]
						for _, name := range s.Names {
							add(kind, name, "", text(s.Doc, s.Comment, d.Doc))
						}
					case *ast.TypeSpec:
						add("type", s.Name, "", text(s.Doc, d.Doc))
						if !s.Name.IsExported() {
							continue
						}
						switch underlying := s.Type.(type) {
						case *ast.StructType:
							for _, field := range underlying.Fields.List {
								for _, name := range field.Names {
									add("field", name, s.Name.Name+".",
										text(field.Doc, field.Comment))
								}
							}
						case *ast.InterfaceType:
							for _, method := range underlying.Methods.List {
								for _, name := range method.Names {
									// One method is documented by its interface.
									add("interface method", name, s.Name.Name+".",
										text(method.Doc, method.Comment, s.Doc, d.Doc))
								}
							}
						}
					}
				}
			}
		}
	}
	return list
}

// exportedConstants returns the exported constants of the root package and their documentation.
func exportedConstants(t *testing.T) map[string]string {
	constants := map[string]string{}
	for _, e := range exports(rootFiles(t)) {
		if e.kind == "constant" {
			constants[e.name] = e.doc
		}
	}
	return constants
}

// TestSurface keeps every exported name documented. It counts neither lines nor names: a bound on
// them made lines wide and statements double.
func TestSurface(t *testing.T) {
	files := rootFiles(t)
	counted := map[string]int{}
	for _, e := range append(exports(files), exports(filesOf(t, "samlattr"))...) {
		counted[e.kind]++
		if e.doc == "" {
			t.Errorf("%s %s has no documentation", e.kind, e.name)
		}
	}
	if counted["type"] < 10 || counted["method"] < 10 || counted["constant"] < 50 ||
		counted["field"] < 50 {
		t.Fatalf("the count misses something: %v", counted)
	}
	var documented int
	for _, file := range files {
		if file.Doc != nil {
			documented++
		}
	}
	if documented != 1 {
		t.Errorf("%d files have the package's documentation, want 1", documented)
	}
}

// TestExamples_StandAlone: each example of a public package runs where a browser shows it. Its
// output is checked, and it uses nothing of another file, which the browser would not show.
func TestExamples_StandAlone(t *testing.T) {
	examples := map[string]int{}
	for _, file := range moduleFiles(t) {
		if !file.test || strings.HasPrefix(file.pkg, "internal/") || file.name == "main" {
			continue
		}
		parsed := must(parser.ParseFile(token.NewFileSet(), file.path, nil, parser.ParseComments))
		for _, example := range doc.Examples(parsed) {
			examples[file.pkg]++
			if example.Play == nil {
				t.Errorf("%s: Example%s uses what its file does not show", file.path, example.Name)
			}
			if example.Output == "" {
				t.Errorf("%s: Example%s has no output", file.path, example.Name)
			}
		}
	}
	if examples["."] < 15 || examples["delegationtest"] < 2 {
		t.Errorf("the test has seen %v", examples)
	}
}

// sourceFile is one Go file of the module.
type sourceFile struct {
	pkg, path string // pkg: the folder, "." for the root
	test      bool
	name      string // of the package
	imports   []string
}

// moduleFiles parses the imports of every Go file of the module, and of no module within.
func moduleFiles(t *testing.T) (files []sourceFile) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, inner := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." &&
				(inner == nil || entry.Name() == "testdata" ||
					strings.HasPrefix(entry.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		file := sourceFile{
			pkg:  path.Dir(filepath.ToSlash(name)),
			path: filepath.ToSlash(name),
			test: strings.HasSuffix(name, "_test.go"),
			name: parsed.Name.Name,
		}
		for _, i := range parsed.Imports {
			file.imports = append(file.imports, strings.Trim(i.Path.Value, `"`))
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// commandRooms are the rooms of cmd/delegation, each with those that it may see. The commands see
// all of them, and no arrow runs up.
var commandRooms = map[string][]string{
	"audit": nil,
	// It reads exports, and leaves the configuration itself to config.
	"auth0export": {"config", "setup", "term"},

	"config":  {"audit", "service", "signer", "term"},
	"setup":   {"config", "term"},
	"signer":  nil,
	"service": {"audit"},
	// The commands connect it to a service, so that neither needs the other.
	"telemetry": nil,
	"term":      nil, // and nothing else of ours

	"credentialfile": nil,
}

// TestFloors_Command reads who imports whom within cmd/delegation.
func TestFloors_Command(t *testing.T) {
	const folder = "cmd/delegation/internal/"
	seen := map[string]bool{}
	for _, file := range moduleFiles(t) {
		room, inside := strings.CutPrefix(file.pkg, folder)
		if !inside || file.test {
			continue
		}
		seen[room] = true
		for _, imported := range file.imports {
			other, ours := strings.CutPrefix(imported, modulePath+"/"+folder)
			if ours && !slices.Contains(commandRooms[room], other) {
				t.Errorf("%s imports %s, which is not below it", file.path, other)
			}
			if room == "term" && strings.HasPrefix(imported, modulePath) {
				t.Errorf("%s imports %s, and term knows nothing of ours", file.path, imported)
			}
		}
	}
	want := slices.Sorted(maps.Keys(commandRooms))
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("the rooms are %q, want %q", got, want)
	}
}

// TestFloors reads who imports whom. The library and its two fakes are rooms without a door between
// them, and each dependency has its own corner, so that moving away from one is the work of a file.
func TestFloors(t *testing.T) {
	corners := map[string][]string{
		"github.com/lestrrat-go/jwx/v2": {"internal/idtoken/jwx.go"},
		"github.com/crewjam/saml": {"internal/samldoc/response.go",
			"internal/samldoc/writer.go", "internal/samldoc/metadata.go"},
		"github.com/russellhaering/goxmldsig": {}, // for tests
		"github.com/beevik/etree":             {}, // for tests
		"golang.org/x/net":                    {"jsrules/internal/node/whatwg.go"},
		"golang.org/x/oauth2":                 {"tokensource.go"},
		"go.opentelemetry.io/otel": {
			"delegationotel/delegationotel.go", "delegationotel/gauges.go",
			"delegationotel/issuers.go", "delegationotel/state.go", "delegationotel/sts.go",
		},
		"go.opentelemetry.io/otel/sdk":        {}, // for the commands
		"go.opentelemetry.io/otel/exporters":  {},
		"github.com/prometheus/client_golang": {},
		"github.com/aws/aws-sdk-go-v2/config": {"internal/session/client.go"},
		"github.com/aws/aws-sdk-go-v2/service": {"sts.go", "chain.go",
			"internal/session/client.go", "delegationtest/delegationtest.go"},
		"github.com/aws/smithy-go": {"internal/session/error.go"},
		"github.com/rs/cors":       {"delegationhttp/cors.go"},
		"github.com/hashicorp/golang-lru/v2": {"delegationhttp/issued.go", "delegationhttp/limit.go",
			"internal/freshness/breakers.go"},
		"github.com/redis/go-redis": {"rediscache/access.go", "rediscache/client.go",
			"rediscache/rediscache.go", "rediscache/revocations.go"},
		"github.com/hashicorp/hcl":  {}, // for the commands
		"github.com/zclconf/go-cty": {},
		"golang.org/x/time":         {"delegationhttp/limit.go"},
	}
	// The rooms of internal that build on others. All the rest stand alone.
	rooms := map[string][]string{
		"internal/errortable": {"/docs"},
		"internal/explain":    {"/internal/packed", "/internal/session"},
		"internal/iam":        {"/internal/document", "/internal/jsonvalue"},
		"internal/idtoken":    {"/internal/document", "/internal/guard", "/internal/jsonvalue"},
		"internal/narrow":     {"/internal/document"},
		"internal/samldoc":    {"/internal/guard"},
		"internal/session":    {"/internal/document", "/internal/iam", "/internal/packed"},
	}
	within := func(imported, module string) bool {
		return imported == module || strings.HasPrefix(imported, module+"/")
	}
	// These see the root and what is internal.
	besideRoot := []string{"delegationhttp", "jsrules", "profile"}
	packages := map[string]bool{}
	for _, file := range moduleFiles(t) {
		packages[file.pkg] = true
		if file.test {
			continue
		}
		// The rooms of a program stand on top as it does.
		top := file.name == "main" || strings.HasPrefix(file.pkg, "cmd/")
		for _, imported := range file.imports {
			ours, isOurs := strings.CutPrefix(imported, modulePath)
			switch {
			case imported == "testing" || strings.HasPrefix(imported, "testing/") ||
				strings.HasPrefix(imported, "net/http/httptest"):
				t.Errorf("%s imports %s, which is for tests", file.path, imported)
			case file.pkg == "samlattr":
				t.Errorf("%s imports %s, and samlattr is names only", file.path, imported)
			case file.pkg == "ststest" && ours == "/internal/packed":
				// A model of what AWS keeps secret is no code that could be wrong in two places.
			case isOurs && (file.pkg == "ststest" || file.pkg == "oidctest") &&
				!(file.pkg == "ststest" && ours == "/iampolicy"):
				t.Errorf("%s imports %s, and the fakes import nothing of ours but ststest "+
					"the evaluator", file.path, imported)
			case isOurs && file.pkg == "iampolicy" && ours != "/internal/document":
				t.Errorf("%s imports %s, and iampolicy reads JSON and knows nothing else of ours",
					file.path, imported)
			case ours == "/iampolicy" && !top && file.pkg != "ststest":
				t.Errorf("%s imports %s, which is for tests", file.path, imported)
			case isOurs && file.pkg == "." && !strings.HasPrefix(ours, "/internal/"):
				t.Errorf("%s imports %s, and the root imports only what is internal",
					file.path, imported)
			case isOurs && (file.pkg == "delegationotel" || file.pkg == "rediscache") && ours != "":
				t.Errorf("%s imports %s, and %s sees the root only", file.path, imported, file.pkg)
			case isOurs && slices.Contains(besideRoot, file.pkg) && ours != "" &&
				!strings.HasPrefix(ours, "/internal/") &&
				!strings.HasPrefix(ours, "/"+file.pkg+"/internal/"):
				t.Errorf("%s imports %s, and %s sees the root and what is internal", file.path,
					imported, file.pkg)
			case (ours == "/internal/idtoken" || ours == "/internal/samldoc") && file.pkg != ".":
				t.Errorf("%s imports %s, which is a step of the root's", file.path, imported)
			case isOurs && strings.HasPrefix(file.pkg, "internal/") &&
				!slices.Contains(rooms[file.pkg], ours):
				t.Errorf("%s imports %s, and %s builds on %q only", file.path, imported, file.pkg,
					rooms[file.pkg])
			case file.pkg == "jsrules/internal/webclient" && ours == "/jsrules/internal/node":
				// It calls the URL that rules see with the class URL.
			case isOurs && (strings.HasPrefix(file.pkg, "jsrules/internal/") || file.pkg == "docs"):
				t.Errorf("%s imports %s, and it stands alone", file.path, imported)
			case isOurs && !top && file.pkg == "delegationtest" &&
				!slices.Contains([]string{"", "/ststest", "/oidctest"}, ours):
				t.Errorf("%s imports %s, and delegationtest sees the root and the fakes",
					file.path, imported)
			case isOurs && !top && file.pkg != "delegationtest" &&
				(ours == "/ststest" || ours == "/oidctest" || ours == "/delegationtest"):
				t.Errorf("%s imports %s, a fake", file.path, imported)
			}
			for module, corner := range corners {
				inside := func(place string) bool {
					return file.path == place ||
						strings.HasSuffix(place, "/") && strings.HasPrefix(file.path, place)
				}
				if within(imported, module) && !top && !slices.ContainsFunc(corner, inside) {
					t.Errorf("%s imports %s, which belongs into %v", file.path, imported, corner)
				}
			}
		}
	}
	for _, pkg := range []string{
		".", "ststest", "oidctest", "delegationhttp", "delegationotel", "delegationtest",
		"iampolicy", "jsrules", "profile", "samlattr",
	} {
		if !packages[pkg] {
			t.Errorf("the test has not seen the package %s", pkg)
		}
	}
}

// roomRow is a row of CONTRIBUTING's table of rooms: the name, what is in it, what it builds on.
var roomRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| [^|]+ \\| ([^|]*)\\|$")

// TestRooms holds CONTRIBUTING's table of rooms against the folders of internal and their imports,
// and that each room has one package comment.
func TestRooms(t *testing.T) {
	arrows := map[string]map[string]bool{}
	comments := map[string]int{}
	for _, file := range moduleFiles(t) {
		room, ok := strings.CutPrefix(file.pkg, "internal/")
		if !ok || file.test {
			continue
		}
		if arrows[room] == nil {
			arrows[room] = map[string]bool{}
		}
		for _, imported := range file.imports {
			if other, ok := strings.CutPrefix(imported, modulePath+"/internal/"); ok {
				arrows[room][other] = true
			}
		}
		mode := parser.PackageClauseOnly | parser.ParseComments
		parsed := must(parser.ParseFile(token.NewFileSet(), file.path, nil, mode))
		if strings.HasPrefix(parsed.Doc.Text(), "Package "+room+" ") {
			comments[room]++
		}
	}
	rows := map[string]string{}
	text := string(must(os.ReadFile("CONTRIBUTING.md")))
	_, table, _ := strings.Cut(text, "| Room | What is in it | Builds on |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, m := range roomRow.FindAllStringSubmatch(table+"\n", -1) {
		rows[m[1]] = strings.TrimSpace(strings.ReplaceAll(m[2], "`", ""))
	}
	for room, others := range arrows {
		want := strings.Join(slices.Sorted(maps.Keys(others)), ", ")
		if got, ok := rows[room]; !ok || got != want {
			t.Errorf("CONTRIBUTING: %s builds on %q, the table says %q", room, want, got)
		}
		if comments[room] != 1 {
			t.Errorf("%s has %d package comments", room, comments[room])
		}
	}
	for room := range rows {
		if arrows[room] == nil {
			t.Errorf("CONTRIBUTING: there is no internal/%s", room)
		}
	}
}

// TestRooms_Used: what one file uses is part of that file's package, and no package of its own.
func TestRooms_Used(t *testing.T) {
	reasons := map[string]string{
		"docs":                                "Go embeds a file from the file's own folder only",
		"cmd/delegation/internal/telemetry":   "OpenTelemetry's SDK and exporters have one corner",
		"cmd/delegation/internal/auth0export": "the formats of another vendor have one corner",
		"cmd/delegation/internal/credentialfile": "files of one user have a part for each " +
			"system",
		"jsrules/internal/enus":    "the patterns of CLDR have one corner",
		"jsrules/internal/timsort": "the algorithm of V8 has one corner, and tests of its own",
		"jsrules/internal/bundles": "published files are next to their licences and hashes",
	}
	importers := map[string]int{}
	for _, file := range moduleFiles(t) {
		if file.test || file.pkg == "internal/sampling" { // only tests import it
			continue
		}
		if _, counted := importers[file.pkg]; !counted && strings.Contains(file.pkg, "internal/") {
			importers[file.pkg] = 0
		}
		for _, imported := range file.imports {
			inner, ours := strings.CutPrefix(imported, modulePath+"/")
			if ours && (strings.Contains(inner, "internal/") || reasons[inner] != "") {
				importers[inner]++
			}
		}
	}
	if len(importers) < 15 {
		t.Errorf("the test has seen only %d packages", len(importers))
	}
	for pkg, count := range importers {
		if count < 2 && reasons[pkg] == "" || count != 1 && reasons[pkg] != "" {
			t.Errorf("%d files import %s", count, pkg)
		}
	}
}

// stopRow is a row of CONTRIBUTING's way of one ID token: a file and a function in it.
var stopRow = regexp.MustCompile("(?m)^\\| (\\d+) \\| `([\\w/]+\\.go)`: `(\\w+)` \\| [^|]+ \\|$")

// TestRooms_Way: each stop of an ID token's way, as CONTRIBUTING has it, is a function of the file
// that is named.
func TestRooms_Way(t *testing.T) {
	_, table, _ := strings.Cut(string(must(os.ReadFile("CONTRIBUTING.md"))), "\n### The way of one")
	table, _, _ = strings.Cut(table, "\n#")
	stops := stopRow.FindAllStringSubmatch(table, -1)
	if len(stops) < 8 || len(stops) > 12 || len(stops) != strings.Count(table, "\n| ")-1 {
		t.Fatalf("%d stops: the way has 8 to 12, each in a row of its own", len(stops))
	}
	for i, stop := range stops {
		if stop[1] != strconv.Itoa(i+1) {
			t.Errorf("stop %d has the number %s", i+1, stop[1])
		}
		mode := parser.SkipObjectResolution
		parsed, err := parser.ParseFile(token.NewFileSet(), stop[2], nil, mode)
		if err != nil {
			t.Errorf("stop %d: %v", i+1, err)
			continue
		}
		if !slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
			function, ok := d.(*ast.FuncDecl)
			return ok && function.Name.Name == stop[3]
		}) {
			t.Errorf("stop %d: %s has no function %s", i+1, stop[2], stop[3])
		}
	}
}

// namedFile and namedTest are what CONTRIBUTING names: files by the end of their path, and tests.
var (
	namedFile = regexp.MustCompile(`\x60([\w./-]+\.(?:go|md|yaml|svg|json|txt|js))\x60`)
	namedTest = regexp.MustCompile(`\b(Test[A-Z]\w+)`)
)

// TestRooms_Named: the files and tests that CONTRIBUTING names exist.
func TestRooms_Named(t *testing.T) {
	text := string(must(os.ReadFile("CONTRIBUTING.md")))
	var files strings.Builder
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			fmt.Fprintf(&files, "/%s\n", filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := namedFile.FindAllStringSubmatch(text, -1)
	for _, m := range named {
		if !strings.Contains(m[1], "NAME") && !strings.Contains(files.String(), "/"+m[1]+"\n") {
			t.Errorf("CONTRIBUTING: there is no %s", m[1])
		}
	}
	tests := allTests(t)
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(tests, "func "+m[1]+"(") {
			t.Errorf("CONTRIBUTING: there is no %s", m[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("CONTRIBUTING names only %d files", len(named))
	}
}

var requirement = regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) v\S+( // indirect)?$`)

// TestDependencies lists the direct dependencies, each with its reason. A new one has to be added
// here on purpose.
func TestDependencies(t *testing.T) {
	want := map[string]string{
		"github.com/aws/aws-sdk-go-v2":             "ARNs, credentials, retries",
		"github.com/aws/aws-sdk-go-v2/config":      "the SDK's usual configuration",
		"github.com/aws/aws-sdk-go-v2/service/sts": "the one call",
		"github.com/aws/aws-sdk-go-v2/credentials": "credentials for AWS KMS, from AWS's own STS",
		"github.com/aws/smithy-go":                 "AWS's errors",
		"github.com/beevik/etree":                  "canonical XML, for tests",
		"github.com/crewjam/saml":                  "the SAML types",
		"github.com/goccy/go-yaml":                 "the configuration file, with places in its errors",
		"github.com/hashicorp/golang-lru/v2":       "bounded memory of breakers and the rate limit",
		"github.com/dop251/goja":                   "JavaScript rules",
		"github.com/hashicorp/hcl/v2":              "Terraform files, for tests",
		"github.com/lestrrat-go/jwx/v2":            "signatures and key sets",
		"github.com/redis/go-redis/v9":             "the shared cache",
		"github.com/rogpeppe/go-internal":          "scripts of the command line, for tests",
		"github.com/rs/cors":                       "preflights and headers of CORS",
		"github.com/russellhaering/goxmldsig":      "the XML signature, for tests",
		"github.com/spf13/cobra":                   "the command line",
		"github.com/zclconf/go-cty":                "the values of Terraform files, for tests",
		"go.opentelemetry.io/otel": "attributes and status of spans, the " +
			"semantic conventions' names",
		"go.opentelemetry.io/otel/metric":     "metrics of events",
		"go.opentelemetry.io/otel/sdk":        "spans of the service",
		"go.opentelemetry.io/otel/sdk/metric": "metrics of the service",

		"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp": "metrics by OTLP",
		"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp":   "traces by OTLP",

		"go.opentelemetry.io/otel/exporters/prometheus": "metrics for Prometheus",
		"github.com/prometheus/client_golang": "Prometheus's registry, with the " +
			"metrics of Go and of the process",
		"go.opentelemetry.io/otel/trace": "spans of events",
		"golang.org/x/net":               "hosts in Punycode, for URLs of JavaScript rules",
		"golang.org/x/oauth2":            "ID tokens of its token sources",
		"golang.org/x/sys":               "what a syslog server has acknowledged, on Linux",
		"golang.org/x/text":              "Unicode NFC, which Terraform applies to texts",
		"golang.org/x/term":              "whether a person sees an output: no secrets there",
		"golang.org/x/time":              "the token buckets of the rate limit",
	}
	got := map[string]bool{}
	for _, m := range requirement.FindAllStringSubmatch(string(must(os.ReadFile("go.mod"))), -1) {
		if m[2] == "" {
			got[m[1]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == "" {
			t.Errorf("%s is a direct dependency without a reason", name)
		}
	}
	used := map[string]bool{}
	for _, file := range moduleFiles(t) {
		for _, imported := range file.imports {
			longest := ""
			for name := range want {
				if (imported == name || strings.HasPrefix(imported, name+"/")) &&
					len(name) > len(longest) {
					longest = name
				}
			}
			used[longest] = true
		}
	}
	for name := range want {
		if !got[name] || !used[name] {
			t.Errorf("%s: required %v, imported %v", name, got[name], used[name])
		}
	}
}

// TestSampling_ListedInFull: .ci/run runs in full what go test ./... samples.
func TestSampling_ListedInFull(t *testing.T) {
	text := string(must(os.ReadFile(".ci/run")))
	_, list, _ := strings.Cut(text, "\nsampled=\"")
	list, _, _ = strings.Cut(list, "\"\n")
	listed := strings.Fields(list)
	found := map[string]bool{}
	for _, file := range moduleFiles(t) {
		if !file.test || !slices.Contains(file.imports, modulePath+"/internal/sampling") {
			continue
		}
		for _, d := range must(parser.ParseFile(token.NewFileSet(), file.path, nil, 0)).Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if name, ok := n.(*ast.Ident); ok && name.Name == "sampling" {
					found[strings.TrimPrefix(function.Name.Name, "Test")] = true
				}
				return true
			})
		}
	}
	if want := slices.Sorted(maps.Keys(found)); len(want) < 10 || !slices.Equal(listed, want) {
		t.Errorf("the list sampled of .ci/run must be\n%s", strings.Join(want, "\n"))
	}
}
