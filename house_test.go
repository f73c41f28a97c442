package delegation_test

import (
	"bytes"
	"cmp"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// housePackage is one package of the module, as its files without tests show it.
type housePackage struct {
	path    string // "." for the root
	subject string // what its comment says first
	imports []string
	modules []string // of others, by short names
}

// readHouse reads every package's comment and imports.
func readHouse(t *testing.T) map[string]*housePackage {
	t.Helper()
	house := map[string]*housePackage{}
	for _, file := range moduleFiles(t) {
		if file.test {
			continue
		}
		pkg := house[file.pkg]
		if pkg == nil {
			pkg = &housePackage{path: file.pkg}
			house[file.pkg] = pkg
		}
		pkg.subject = cmp.Or(pkg.subject, subjectOf(file.path))
		for _, imported := range file.imports {
			pkg.add(imported)
		}
	}
	for _, pkg := range house {
		slices.Sort(pkg.imports)
		pkg.imports = slices.Compact(pkg.imports)
		slices.Sort(pkg.modules)
		pkg.modules = slices.Compact(pkg.modules)
	}
	return house
}

func (p *housePackage) add(imported string) {
	if inner, ours := strings.CutPrefix(imported, modulePath); ours {
		p.imports = append(p.imports, cmp.Or(strings.TrimPrefix(inner, "/"), "."))
		return
	}
	if host, _, _ := strings.Cut(imported, "/"); strings.Contains(host, ".") {
		p.modules = append(p.modules, moduleName(imported))
	}
}

// moduleName is how people call another party's module: goja, x/oauth2, otel.
func moduleName(imported string) string {
	parts := strings.Split(imported, "/")
	switch {
	case parts[0] == "github.com":
		return parts[2]
	case strings.HasPrefix(imported, "golang.org/x/"):
		return "x/" + parts[2]
	}
	return parts[1]
}

var docLink = regexp.MustCompile(`\[(?:\w+\.)?(\w+)\]`)

// firstClause has at least three words.
var firstClause = regexp.MustCompile(`^(?:\S+ ){2}[^,:;(]*[^,:;( ]`)

// subjectOf is the first clause of a package comment, after the package's name.
func subjectOf(file string) string {
	mode := parser.PackageClauseOnly | parser.ParseComments
	parsed := must(parser.ParseFile(token.NewFileSet(), file, nil, mode))
	sentence := new(doc.Package).Synopsis(parsed.Doc.Text())
	for _, kind := range []string{"Package ", "Command "} {
		sentence = strings.TrimPrefix(sentence, kind)
	}
	_, said, _ := strings.Cut(sentence, " ")
	said = docLink.ReplaceAllString(said, "$1")
	return strings.TrimSuffix(firstClause.FindString(said), ".")
}

// floorOf is the height of a package in the house. The floors are TestFloors' own.
func floorOf(pkg string) int {
	top, _, _ := strings.Cut(pkg, "/")
	switch top {
	case "cmd", "examples", "soak":
		return 5
	case ".", "iampolicy", "ststest", "oidctest", "samlattr":
		return 3
	case "internal":
		return 2
	case "docs":
		return 1
	}
	return 4
}

// levels counts, within a group of packages, how many arrows lie below each.
func levels(house map[string]*housePackage, group []string) map[string]int {
	level := map[string]int{}
	var of func(string) int
	of = func(name string) int {
		if known, ok := level[name]; ok {
			return known
		}
		height := 0
		for _, below := range house[name].imports {
			if slices.Contains(group, below) {
				height = max(height, 1+of(below))
			}
		}
		level[name] = height
		return height
	}
	for _, name := range group {
		of(name)
	}
	return level
}

// arrows counts the imports between packages of the module.
func arrows(house map[string]*housePackage) int {
	sum := 0
	for _, pkg := range house {
		sum += len(pkg.imports)
	}
	return sum
}

// TestFloors_House: no import leads up, and docs/house.svg is what the imports say.
func TestFloors_House(t *testing.T) {
	house := readHouse(t)
	for _, name := range slices.Sorted(maps.Keys(house)) {
		pkg := house[name]
		if pkg.subject == "" {
			t.Errorf("%s has no package comment", name)
		}
		for _, below := range pkg.imports {
			// Only the rooms of internal, and those of one program or package, build on each other.
			owner, _, _ := strings.Cut(below, "internal/")
			inside := strings.Contains(below, "internal/") && strings.HasPrefix(name+"/", owner)
			// The fake of STS judges policies by the evaluator, which tests use on its own, too.
			inside = inside || name == "ststest" && below == "iampolicy"
			level := floorOf(below) - floorOf(name)
			if level > 0 || level == 0 && !inside {
				t.Errorf("%s imports %s, which is not below it", name, below)
			}
		}
	}
	for _, step := range houseSteps {
		if _, err := os.Stat(step + ".go"); err != nil {
			t.Errorf("the picture has the step %s: %v", step, err)
		}
	}
	if len(house) < 20 || arrows(house) < 50 {
		t.Fatalf("the test has seen %d packages and %d imports", len(house), arrows(house))
	}
	const file = "docs/house.svg"
	picture := drawHouse(house)
	if *update {
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(picture, must(os.ReadFile(file))) {
		t.Errorf("%s is not what the imports and package comments say: "+
			"go test -run House -update .", file)
	}
}

// baseOf is a package's name as the picture has it.
func baseOf(pkg string) string {
	if pkg == "." {
		return "delegation"
	}
	return path.Base(pkg)
}
