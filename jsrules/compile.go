package jsrules

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/ecmaregexp"
)

// rule is a compiled rule.
type rule struct {
	name    string
	program *goja.Program // its value is the function
	uses    vocabulary
	globals []string // those of ours that it mentions
	options *Options
	// literals are its regular expressions, by [patternKey].
	literals map[string]*ecmaregexp.Regexp
}

// before makes an expression of whatever follows, so that a function needs no name, and a semicolon or comment may stand behind it.
const before = "0,"

func compileRule(name, source string, o *Options) (delegation.RuleFunc, error) {
	wrong := func(err error) (delegation.RuleFunc, error) { return nil, &Error{Rule: name, Err: err} }
	source = strings.TrimPrefix(source, "\ufeff")
	if name == "" || len(source) > maxSource || !utf8.ValidString(source) {
		return wrong(fmt.Errorf("%w, and has a name", ErrSource))
	}
	parsed, err := parse(name, before+source)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	if !isFunction(parsed.Body) {
		return wrong(ErrSource)
	}
	r := &rule{name: name, options: o, uses: vocabulary{names: map[string]bool{}}}
	r.uses.read(reflect.ValueOf(parsed.Body))
	r.uses.dynamic = r.uses.dynamic || r.uses.computed && r.uses.mentions("call", "apply", "bind")
	for _, name := range globalNames {
		if r.uses.mentionsGlobal(name) {
			r.globals = append(r.globals, name)
		}
	}
	if r.uses.bigInt > 0 {
		return nil, place(name, parsed.File.Position(int(r.uses.bigInt)-parsed.File.Base()), errors.New("BigInt is not supported"))
	}
	if r.literals, err = compileLiterals(name, parsed, r.uses.patterns); err != nil {
		return nil, err
	}
	if r.program, err = compileAST(parsed); err != nil {
		return nil, syntaxError(name, err)
	}
	o.Set.add()
	return r.run, nil
}

// compileLiterals compiles the regular expressions of a source. One that is none, or none that is
// supported, is an error with its place.
func compileLiterals(
	name string, parsed *ast.Program, literals []*ast.RegExpLiteral,
) (map[string]*ecmaregexp.Regexp, error) {
	compiled := map[string]*ecmaregexp.Regexp{}
	for _, literal := range literals {
		re, err := ecmaregexp.CompileText(literal.Pattern, literal.Flags)
		if err != nil {
			at := parsed.File.Position(int(literal.Idx) - parsed.File.Base())
			return nil, place(name, at, errors.New("SyntaxError: "+short(err.Error())))
		}
		source := goja.StringFromUTF16(utf16.Encode([]rune(literal.Pattern)))
		compiled[patternKey(source, literal.Flags)] = re
	}
	return compiled, nil
}

// parse reads a source, without source maps, which goja would read from disk.
func parse(name, source string) (parsed *ast.Program, err error) {
	defer failed(&err)
	return parser.ParseFile(nil, name, source, 0, parser.WithDisableSourceMaps)
}

func compileAST(parsed *ast.Program) (program *goja.Program, err error) {
	defer failed(&err)
	return goja.CompileAST(parsed, false)
}

// failed makes an error of a panic of goja, whose parser has one for some of what is no JavaScript.
func failed(err *error) {
	if thrown := recover(); thrown != nil {
		*err = fmt.Errorf("goja cannot read it: %v", thrown)
	}
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

// vocabulary is which names a source uses, so that a run prepares only what the rule can reach.
type vocabulary struct {
	callback  string          // the third parameter's name
	parameter *ast.Binding    // the third parameter
	names     map[string]bool // identifiers and strings
	computed  bool            // it reads properties by names made at run time
	dynamic   bool            // it calls functions by such names, and so perhaps all
	global    bool            // it can do that with the global object
	regexp    bool            // it has a regular expression
	busy      bool            // it can do more than its length: it loops, or calls more than callback and console
	bigInt    file.Idx        // where it has a BigInt; 0: nowhere
	patterns  []*ast.RegExpLiteral
}

// mentions reports whether the source can come by a property of one of the names.
func (v *vocabulary) mentions(names ...string) bool {
	return v.dynamic || slices.ContainsFunc(names, func(name string) bool { return v.names[name] })
}

// mentionsGlobal reports whether the source can come by one of the globals.
func (v *vocabulary) mentionsGlobal(names ...string) bool {
	return v.dynamic && v.global || slices.ContainsFunc(names, func(name string) bool { return v.names[name] })
}

// read goes through a syntax tree. There are some sixty kinds of nodes and the parser has no visitor, so it goes by reflection.
func (v *vocabulary) read(node reflect.Value) {
	switch node.Kind() {
	case reflect.Interface:
		v.read(node.Elem())
	case reflect.Pointer:
		if !node.IsNil() {
			v.note(node.Interface())
			v.read(node.Elem())
		}
	case reflect.Slice:
		for i := range node.Len() {
			v.read(node.Index(i))
		}
	case reflect.Struct:
		if id, ok := node.Interface().(ast.Identifier); ok {
			v.note(&id)
			return
		}
		for i := range node.NumField() {
			v.read(node.Field(i))
		}
	}
}

func (v *vocabulary) note(node any) {
	switch n := node.(type) {
	case *ast.Identifier:
		name := n.Name.String()
		v.names[name] = true
		v.dynamic = v.dynamic || name == "Reflect" || name == "require"
		v.global = v.global || name == "globalThis" || name == "require"
		v.busy = v.busy || name == "length" || natives()[name]
	case *ast.StringLiteral:
		v.names[n.Value.String()] = true
		v.busy = v.busy || n.Value == "length"
	case *ast.ThisExpression:
		v.global, v.busy = true, true
	case *ast.BracketExpression:
		_, text := n.Member.(*ast.StringLiteral)
		number, isNumber := n.Member.(*ast.NumberLiteral)
		v.computed = v.computed || computes(n)
		v.busy = v.busy || !text && (!isNumber || len(number.Literal) > 3) // an index makes a list as long
	case *ast.PropertyKeyed:
		v.computed = v.computed || n.Computed
		v.busy = v.busy || n.Computed || n.Kind != ast.PropertyKindValue
	case *ast.NumberLiteral:
		if _, big := n.Value.(*big.Int); big && v.bigInt == 0 {
			v.bigInt = n.Idx
		}
	case *ast.RegExpLiteral:
		v.regexp = true
		v.patterns = append(v.patterns, n)
	case *ast.CallExpression:
		v.busy = v.busy || !v.harmless(n.Callee)
		v.dynamic = v.dynamic || computes(n.Callee)
	case *ast.NewExpression:
		name, ok := n.Callee.(*ast.Identifier)
		v.busy = v.busy || !ok || name.Name != "UnauthorizedError" && name.Name != "Error"
	case *ast.AssignExpression:
		v.busy = v.busy || v.callable(n.Left)
	case *ast.Binding:
		v.busy = v.busy || v.callable(n.Target) && n != v.parameter
	case *ast.ForStatement, *ast.ForInStatement, *ast.ForOfStatement, *ast.WhileStatement, *ast.DoWhileStatement, *ast.FunctionDeclaration,
		*ast.ClassLiteral, *ast.SpreadElement, *ast.AwaitExpression, *ast.ArrayPattern, *ast.ObjectPattern,
		*ast.CatchStatement, *ast.WithStatement:
		v.busy = true
	case *ast.TemplateLiteral:
		v.busy, v.dynamic = true, v.dynamic || computes(n.Tag)
	case *ast.FunctionLiteral:
		v.function(n.ParameterList, n.Async)
	case *ast.ArrowFunctionLiteral:
		v.function(n.ParameterList, n.Async)
	}
}

// computes reports whether an expression is a property by a name made at run time.
func computes(expression ast.Expression) bool {
	switch e := expression.(type) {
	case *ast.Optional:
		return computes(e.Expression)
	case *ast.OptionalChain:
		return computes(e.Expression)
	case *ast.BracketExpression:
		_, text := e.Member.(*ast.StringLiteral)
		_, number := e.Member.(*ast.NumberLiteral)
		return !text && !number
	}
	return false
}

// function notes the rule itself, which comes first, and any other.
func (v *vocabulary) function(parameters *ast.ParameterList, async bool) {
	v.busy = v.busy || async || v.callback != ""
	v.callback = "callback"
	if len(parameters.List) == 3 {
		if name, ok := parameters.List[2].Target.(*ast.Identifier); ok {
			v.callback, v.parameter = name.Name.String(), parameters.List[2]
		}
	}
}

// callable reports whether something is callback, console or a function of it, which are called without a guard.
func (v *vocabulary) callable(target ast.Expression) bool {
	if method, ok := target.(*ast.DotExpression); ok {
		target = method.Left
	}
	name, ok := target.(*ast.Identifier)
	return ok && (name.Name == "console" || name.Name.String() == v.callback)
}

// harmless reports whether a call is of callback or of a function of console.
func (v *vocabulary) harmless(callee ast.Expression) bool {
	method, isMethod := callee.(*ast.DotExpression)
	if name, ok := callee.(*ast.Identifier); ok {
		return name.Name.String() == v.callback
	}
	return isMethod && v.callable(method) && method.Left.(*ast.Identifier).Name == "console"
}

// natives are the globals of the language itself, but for those that do nothing.
var natives = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range goja.New().GlobalObject().GetOwnPropertyNames() {
		names[name] = true
	}
	for _, name := range []string{"undefined", "NaN", "Infinity", "Error"} {
		delete(names, name)
	}
	return names
})
