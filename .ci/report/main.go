// Command report prints figures of each package: how wide its lines are, how long its functions and
// how many branches they have. The figures are for information and are not bounds, because code
// that is written for a bound gets worse. Run it in the module's top folder: go run
// .ci/report/main.go
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

const (
	columns = 100
	tab     = "    "
)

// figures are those of one package.
type figures struct {
	files, lines, wide int // without test files
	comments           int // lines with a comment
	tests, wideTests   int // lines of test files

	longest  function
	branches function
}

// function is the greatest of its kind in a package.
type function struct {
	name  string
	count int
}

func (f *function) offer(name string, count int) {
	if count > f.count {
		*f = function{name, count}
	}
}

func (f function) String() string { return fmt.Sprintf("%d %s", f.count, f.name) }

func main() {
	log.SetFlags(0)
	packages := map[string]*figures{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return filepath.SkipDir
		case filepath.Ext(name) != ".go":
			return nil
		}
		folder := filepath.ToSlash(filepath.Dir(name))
		if packages[folder] == nil {
			packages[folder] = &figures{}
		}
		return packages[folder].read(name)
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := write(packages); err != nil {
		log.Fatal(err)
	}
}

func skipped(folder string) bool {
	base := filepath.Base(folder)
	return base == "testdata" || base == "node_modules" ||
		strings.HasPrefix(base, ".") && folder != "."
}

// read adds a file to the figures.
func (f *figures) read(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	wide := 0
	for _, line := range lines {
		if utf8.RuneCountInString(strings.ReplaceAll(line, "\t", tab)) > columns {
			wide++
		}
	}
	if strings.HasSuffix(name, "_test.go") {
		f.tests += len(lines)
		f.wideTests += wide
		return nil
	}
	f.files++
	f.lines += len(lines)
	f.wide += wide
	return f.parse(name, text)
}

// parse adds the figures that need the syntax tree: comments and functions.
func (f *figures) parse(name string, text []byte) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	extent := func(n ast.Node) int {
		return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
	}
	for _, comment := range file.Comments {
		f.comments += extent(comment)
	}
	for _, declaration := range file.Decls {
		if d, ok := declaration.(*ast.FuncDecl); ok {
			f.longest.offer(d.Name.Name, extent(d))
			f.branches.offer(d.Name.Name, branches(d))
		}
	}
	return nil
}

// branches counts the ways through a function, as McCabe does: one, and one for each condition.
func branches(d *ast.FuncDecl) int {
	count := 1
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.CommClause:
			count++
		case *ast.CaseClause:
			if n.List != nil {
				count++
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				count++
			}
		}
		return true
	})
	return count
}

func write(packages map[string]*figures) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "package\tfiles\tlines\tover 100\tcomments\tlongest function\t"+
		"most branches\ttest lines\tover 100")
	var all figures
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		f := packages[name]
		fmt.Fprintf(out, "%s\t%s\n", name, f)
		all.files += f.files
		all.lines += f.lines
		all.wide += f.wide
		all.comments += f.comments
		all.tests += f.tests
		all.wideTests += f.wideTests
		all.longest.offer(f.longest.name, f.longest.count)
		all.branches.offer(f.branches.name, f.branches.count)
	}
	fmt.Fprintf(out, "all\t%s\n", &all)
	return out.Flush()
}

// String is the package's row without its name.
func (f *figures) String() string {
	return fmt.Sprintf("%d\t%d\t%s\t%s\t%s\t%s\t%d\t%s", f.files, f.lines,
		share(f.wide, f.lines), share(f.comments, f.lines), f.longest, f.branches,
		f.tests, share(f.wideTests, f.tests))
}

func share(part, whole int) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(cmp.Or(whole, 1)))
}
