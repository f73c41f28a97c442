package delegation_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestStartup_Patterns: no package compiles a regular expression at its start. Each program that
// imports the package would wait for it, also one that never matches. sync.OnceValue makes it on
// first use.
func TestStartup_Patterns(t *testing.T) {
	read := 0
	for _, source := range moduleFiles(t) {
		if !isShipped(source) {
			continue
		}
		read++
		files := token.NewFileSet()
		file := must(parser.ParseFile(files, source.path, nil, parser.SkipObjectResolution))
		for _, at := range patternsAtStart(file) {
			t.Errorf("%s: regexp.MustCompile runs when the program starts: use sync.OnceValue",
				files.Position(at))
		}
	}
	if read < 300 {
		t.Fatalf("only %d files", read)
	}
}

// TestStartup_PatternsAreFound: the check sees a pattern in a variable, in a list and in the call
// of a function, and not one that a function makes later.
func TestStartup_PatternsAreFound(t *testing.T) {
	const source = `package p
var a = regexp.MustCompile("a")
var b, c = []*regexp.Regexp{regexp.MustCompile("b")}, 1
var d = func() *regexp.Regexp { return regexp.MustCompile("d") }()
var later = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("x") })
func f() { regexp.MustCompile("y") }
`
	file := must(parser.ParseFile(token.NewFileSet(), "p.go", source, 0))
	if found := patternsAtStart(file); len(found) != 3 {
		t.Errorf("found %d patterns", len(found))
	}
}

// isShipped tells whether a file is of a package that programs of users are made of.
func isShipped(file sourceFile) bool {
	first, _, _ := strings.Cut(file.pkg, "/")
	return !file.test && !slices.Contains([]string{"bench", "deploy", "examples", "soak"}, first)
}

// patternsAtStart are the places of regular expressions that the variables of a file need.
func patternsAtStart(file *ast.File) (found []token.Pos) {
	visit := func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.FuncLit:
			return false // runs when it is called
		case *ast.CallExpr:
			if literal, ok := n.Fun.(*ast.FuncLit); ok {
				ast.Inspect(literal.Body, func(inner ast.Node) bool {
					found = appendPattern(found, inner)
					return true
				})
			}
			found = appendPattern(found, n)
		}
		return true
	}
	for _, declared := range file.Decls {
		if variables, ok := declared.(*ast.GenDecl); ok && variables.Tok == token.VAR {
			ast.Inspect(variables, visit)
		}
	}
	return found
}

// appendPattern appends the place of a call that compiles a pattern.
func appendPattern(to []token.Pos, node ast.Node) []token.Pos {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return to
	}
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.Contains(function.Sel.Name, "Compile") {
		return to
	}
	if of, ok := function.X.(*ast.Ident); ok && of.Name == "regexp" {
		return append(to, function.Pos())
	}
	return to
}
