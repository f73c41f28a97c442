package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"slices"
	"strings"
	"testing"
)

// describe returns the lines of a package with such declarations.
func describe(t *testing.T, source string) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "p.go", "package p\n"+source, 0)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Importer: importer.Default()}
	p, err := config.Check("example.com/p", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(p)
}

// TestChanges: each of these breaks somebody or nobody.
func TestChanges(t *testing.T) {
	for name, row := range map[string]struct {
		before, after string
		broken        bool
	}{
		"nothing": {
			"func F() {}",
			"func F() {}",
			false,
		},
		"another function": {
			"func F() {}",
			"func F() {}\nfunc G() {}",
			false,
		},
		"another field": {
			"type T struct{ A []int }",
			"type T struct{ A, B []int }",
			false,
		},
		"another method": {
			"type T int",
			"type T int\nfunc (T) M() {}",
			false,
		},
		"an unexported name": {
			"func f() {}\ntype t int",
			"",
			false,
		},
		"the name of a parameter": {
			"func F(a int) {}",
			"func F(b int) {}",
			false,
		},
		"the name of a result": {
			"func F() (a int) { return 0 }",
			"func F() (b int) { return 0 }",
			false,
		},
		"no function": {
			"func F() {}",
			"",
			true,
		},
		"another parameter": {
			"func F() {}",
			"func F(int) {}",
			true,
		},
		"a variadic parameter": {
			"func F() {}",
			"func F(...int) {}",
			true,
		},
		"another result": {
			"func F() int { return 0 }",
			"func F() uint { return 0 }",
			true,
		},
		"another constraint": {
			"func F[T any](T) {}",
			"func F[T comparable](T) {}",
			true,
		},
		"no field": {
			"type T struct{ A, B int }",
			"type T struct{ A int }",
			true,
		},
		"another type of a field": {
			"type T struct{ A int }",
			"type T struct{ A uint }",
			true,
		},
		"another tag": {
			"type T struct { A int `json:\"a\"` }",
			"type T struct{ A int }",
			true,
		},
		"no longer comparable": {
			"type T struct{ A int }",
			"type T struct { A int; b []int }",
			true,
		},
		"no method": {
			"type T int\nfunc (T) M() {}",
			"type T int",
			true,
		},
		"a pointer method": {
			"type T int\nfunc (T) M() {}",
			"type T int\nfunc (*T) M() {}",
			true,
		},
		"another method of an interface": {
			"type T interface{ M() }",
			"type T interface { M(); N() }",
			true,
		},
		"another kind": {
			"type T int",
			"type T string",
			true,
		},
		"another constant": {
			"const C = \"a\"",
			"const C = \"b\"",
			true,
		},
		"another variable": {
			"var V int",
			"var V uint",
			true,
		},
		"no embedded type": {
			"type E struct{}\nfunc (E) M() {}\ntype T struct{ E }",
			"type E struct{}\nfunc (E) M() {}\ntype T struct{}",
			true,
		},
	} {
		err := compare(describe(t, row.before), describe(t, row.after), io.Discard)
		if (err != nil) != row.broken {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestCompare_Says: what is new, and what is gone with the remedy.
func TestCompare_Says(t *testing.T) {
	var said strings.Builder
	err := compare([]string{"a", "b"}, []string{"a", "c"}, &said)
	if err == nil || !strings.Contains(err.Error(), "\n  b\n") ||
		!strings.Contains(err.Error(), "go run ./.ci/api -update") {
		t.Errorf("got %v", err)
	}
	lines := strings.Split(said.String(), "\n")
	if !slices.Contains(lines, "new, not in the baseline: c") {
		t.Errorf("said %q", &said)
	}
}
