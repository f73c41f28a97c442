package session_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation/internal/errortable"
	"github.com/seed055b7978/delegation/internal/session"
)

// TestRefusals: each of AWS's refusals leads to the code of its own row, which no row above takes
// away, and the code is one of the documented codes of STS.
func TestRefusals(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	var refusals []*ast.CompositeLit
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		switch value := spec.Values[0].(type) {
		case *ast.BasicLit:
			constants[spec.Names[0].Name] = text(t, value)
		case *ast.CompositeLit:
			for _, row := range value.Elts {
				refusals = append(refusals, row.(*ast.CompositeLit))
			}
		}
		return false
	})
	if len(refusals) < 20 || len(constants) < 20 {
		t.Fatalf("%d refusals, %d codes", len(refusals), len(constants))
	}
	for _, row := range refusals {
		wire := text(t, row.Elts[0])
		words := text(t, row.Elts[1])
		name, ok := row.Elts[2].(*ast.Ident)
		if !ok {
			t.Errorf("%s %q: the code is no constant", wire, words)
			continue
		}
		got := session.ErrorOf(&smithy.GenericAPIError{Code: wire, Message: words}, false)
		if got.Code != constants[name.Name] {
			t.Errorf("%s %q: got %s, want %s", wire, words, got.Code, constants[name.Name])
		}
		long := strings.TrimSuffix(wire, "Exception") + "Exception" // the name of the SDK's type
		got = session.ErrorOf(&smithy.GenericAPIError{Code: long, Message: words}, false)
		if got.Code != constants[name.Name] {
			t.Errorf("%s %q: got %s, want %s", long, words, got.Code, constants[name.Name])
		}
	}
	for name, code := range constants {
		if row, known := errortable.Of(code); !known || row.Stage != "sts" {
			t.Errorf("%s = %q: %v, of the stage %q", name, code, known, row.Stage)
		}
	}
}

// text returns the value of a string literal.
func text(t *testing.T, expression ast.Expr) string {
	t.Helper()
	literal, ok := expression.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%T is no literal", expression)
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
