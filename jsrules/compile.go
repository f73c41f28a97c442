package jsrules

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/seed055b7978/delegation"
)

// rule is a compiled rule.
type rule struct {
	name    string
	program *goja.Program // its value is the function
	uses    vocabulary
	options *Options
}

// before makes an expression of whatever follows, so that a function needs no name, and a semicolon or comment may stand behind it.
const before = "0,"

func compileRule(name, source string, o *Options) (delegation.RuleFunc, error) {
	wrong := func(err error) (delegation.RuleFunc, error) { return nil, &Error{Rule: name, Err: err} }
	source = strings.TrimPrefix(source, "\ufeff")
	if name == "" || len(source) > maxSource || !utf8.ValidString(source) {
		return wrong(fmt.Errorf("%w, and has a name", ErrSource))
	}
	parsed, err := parser.ParseFile(nil, name, before+source, 0, parser.WithDisableSourceMaps) // which would be read from disk
	if err != nil {
		return nil, syntaxError(name, err)
	}
	if !isFunction(parsed.Body) {
		return wrong(ErrSource)
	}
	r := &rule{name: name, options: o, uses: vocabulary{names: map[string]bool{}}}
	r.uses.read(reflect.ValueOf(parsed.Body))
	if r.uses.bigInt > 0 {
		return nil, place(name, parsed.File.Position(int(r.uses.bigInt)-parsed.File.Base()), errors.New("BigInt is not supported"))
	}
	if r.program, err = goja.CompileAST(parsed, false); err != nil {
		return nil, syntaxError(name, err)
	}
	return r.run, nil
}

// isFunction reports whether a source is one function behind [before], and nothing else but semicolons.
func isFunction(body []ast.Statement) bool {
	for _, statement := range body[min(1, len(body)):] {
		if _, empty := statement.(*ast.EmptyStatement); !empty {
			return false
		}
	}
	statement, _ := body[0].(*ast.ExpressionStatement) // before alone is one
	if statement == nil {
		return false
	}
	sequence, _ := statement.Expression.(*ast.SequenceExpression)
	if sequence == nil || len(sequence.Sequence) != 2 {
		return false
	}
	switch f := sequence.Sequence[1].(type) {
	case *ast.FunctionLiteral:
		return !f.Generator
	case *ast.ArrowFunctionLiteral:
		return true
	}
	return false
}

func syntaxError(name string, err error) *Error {
	var list parser.ErrorList
	var compiler *goja.CompilerSyntaxError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		return place(name, list[0].Position, errors.New("SyntaxError: "+short(list[0].Message)))
	case errors.As(err, &compiler) && compiler.File != nil:
		return place(name, compiler.File.Position(compiler.Offset), errors.New("SyntaxError: "+short(compiler.Message)))
	}
	return &Error{Rule: name, Err: errors.New(short(err.Error()))}
}

// place makes an error of a position in what was compiled, which on the first line is behind the one in the source.
func place(name string, p file.Position, err error) *Error {
	if p.Line == 1 {
		p.Column = max(p.Column-len(before), 1)
	}
	return &Error{name, p.Line, p.Column, err}
}

// vocabulary is which names a source uses, so that a run prepares only what it can reach. Whoever reaches a property by a name that is made
// at run time may reach all.
type vocabulary struct {
	names   map[string]bool // identifiers and strings
	dynamic bool            // or any other
	regexp  bool            // it has a regular expression
	bigInt  file.Idx        // where it has a BigInt
}

// mentions reports whether the source can come by one of the names.
func (v *vocabulary) mentions(names ...string) bool {
	if v.dynamic {
		return true
	}
	for _, name := range names {
		if v.names[name] {
			return true
		}
	}
	return false
}

// read goes through a syntax tree. There are some sixty kinds of nodes and the parser has no visitor, so it goes by reflection.
func (v *vocabulary) read(node reflect.Value) {
	switch node.Kind() {
	case reflect.Interface, reflect.Pointer:
		if node.IsNil() {
			return
		}
		switch n := node.Interface().(type) {
		case *ast.BracketExpression:
			_, text := n.Member.(*ast.StringLiteral)
			_, number := n.Member.(*ast.NumberLiteral)
			v.dynamic = v.dynamic || !text && !number
		case *ast.PropertyKeyed:
			v.dynamic = v.dynamic || n.Computed
		case *ast.RegExpLiteral:
			v.regexp = true
		case *ast.NumberLiteral:
			if _, big := n.Value.(*big.Int); big && v.bigInt == 0 {
				v.bigInt = n.Idx
			}
		case *ast.StringLiteral:
			v.names[n.Value.String()] = true
		case *file.File:
			return
		}
		v.read(node.Elem())
	case reflect.Slice:
		for i := range node.Len() {
			v.read(node.Index(i))
		}
	case reflect.Struct:
		if id, ok := node.Interface().(ast.Identifier); ok {
			name := id.Name.String()
			v.names[name] = true
			v.dynamic = v.dynamic || name == "Reflect" || name == "require"
			return
		}
		for i := range node.NumField() {
			v.read(node.Field(i))
		}
	}
}
