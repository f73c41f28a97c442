package jsrules

import (
	"errors"
	"fmt"
	"maps"
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
	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
)

// rule is a compiled rule.
type rule struct {
	name    string
	program *goja.Program // its value is the function
	uses    vocabulary
	globals []string // the names of [globalNames] that it mentions
	given   []string // the names of [Options.Globals] that it mentions
	web     []string // the names of [webGlobals] that it mentions
	options *Options
	action  bool // it is an Action
	// literals are its regular expressions, by [patternKey].
	literals map[string]*ecmaregexp.Regexp
	needs    []Need
}

// before turns the source into an expression. So the function needs no name, and a semicolon or a
// comment may follow it.
const before = "0,"

// What begins the names of sources in goja's stacks. A rule and a module can have the same name,
// and a place in one is not a place in the other.
const (
	ruleSource   = "rule:"
	moduleSource = "module:"
)

func compileRule(name, source string, o *Options) (*rule, error) {
	source = strings.TrimPrefix(source, "\ufeff")
	if name == "" || len(source) > maxSource || !utf8.ValidString(source) {
		return nil, &Error{Rule: name, Err: fmt.Errorf("%w, and has a name", ErrSource)}
	}
	parsed, err := parse(ruleSource+name, before+source)
	if err != nil {
		if other := otherSource(name, source, nil, err); other != nil {
			return nil, other
		}
		return nil, unsupported(source, syntaxError(name, err))
	}
	f := function(parsed.Body)
	if f == nil {
		if other := otherSource(name, source, parsed, nil); other != nil {
			return nil, other
		}
		return nil, &Error{Rule: name, Err: ErrSource}
	}
	if other := otherFunction(name, parsed, f); other != nil {
		return nil, other
	}
	r := &rule{name: name, options: o, uses: vocabularyOf(parsed)}
	r.uses.limit(o)
	if err := r.compile(before+source, parsed); err != nil {
		return nil, err
	}
	r.needs = needsOf(name, parsed, o)
	return r, nil
}

// compile completes a rule or an Action whose source was parsed. source is what was parsed.
func (r *rule) compile(source string, parsed *ast.Program) error {
	for _, name := range globalNames {
		if r.uses.mentionsGlobal(name) && (!r.action || hasInActions(name)) {
			r.globals = append(r.globals, name)
		}
	}
	r.given = givenMentioned(r.options.Globals, &r.uses)
	r.web = webMentioned(r.options, &r.uses)
	if err := checkBigInt(r.name, parsed, &r.uses); err != nil {
		return err
	}
	if err := checkDialect(r.name, source, parsed); err != nil {
		return err
	}
	literals, err := compileLiterals(r.name, parsed, r.uses.patterns)
	if err != nil {
		return err
	}
	r.literals = literals
	if r.action {
		asModule(parsed)
	}
	exactBits(r.uses.bits)
	r.uses.bits = nil
	r.program, err = compileAST(parsed)
	if err != nil {
		return unsupported(source[len(before):], syntaxError(r.name, err))
	}
	if err := r.compileLibraries(); err != nil {
		return &Error{Rule: r.name, Err: err}
	}
	r.options.Set.add(r.action || r.options.SAMLConfiguration != "")
	return nil
}

// checkBigInt refuses a source with a BigInt. One operation on two large ones can take longer than
// any limit, and nothing interrupts it.
func checkBigInt(name string, parsed *ast.Program, uses *vocabulary) error {
	if uses.bigInt == 0 {
		return nil
	}
	at := parsed.File.Position(int(uses.bigInt) - parsed.File.Base())
	return place(name, at, errors.New("BigInt is not supported"))
}

// compileLiterals compiles the regular expressions of a source. For one that is wrong or not
// supported, the error names its place.
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

// parse reads a source. It turns source maps off, because goja would read them from disk.
func parse(name, source string) (parsed *ast.Program, err error) {
	defer failed(&err)
	return parser.ParseFile(nil, name, source, 0, parser.WithDisableSourceMaps)
}

func compileAST(parsed *ast.Program) (program *goja.Program, err error) {
	defer failed(&err)
	return goja.CompileAST(parsed, false)
}

// failed turns a panic of goja into an error. goja's parser panics on some sources that are not
// JavaScript.
func failed(err *error) {
	if thrown := recover(); thrown != nil {
		*err = fmt.Errorf("goja cannot read it: %v", thrown)
	}
}

// function returns the function of a source that is [before], one function and at most semicolons
// after it. For any other source it returns nil.
func function(body []ast.Statement) ast.Expression {
	for _, statement := range body[min(1, len(body)):] {
		if _, empty := statement.(*ast.EmptyStatement); !empty {
			return nil
		}
	}
	statement, _ := body[0].(*ast.ExpressionStatement) // [before] makes a first statement
	if statement == nil {
		return nil
	}
	sequence, _ := statement.Expression.(*ast.SequenceExpression)
	if sequence == nil || len(sequence.Sequence) != 2 {
		return nil
	}
	switch f := sequence.Sequence[1].(type) {
	case *ast.FunctionLiteral:
		if !f.Generator {
			return f
		}
	case *ast.ArrowFunctionLiteral:
		return f
	}
	return nil
}

func syntaxError(name string, err error) *Error {
	var list parser.ErrorList
	var compiler *goja.CompilerSyntaxError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		return place(name, list[0].Position, errors.New("SyntaxError: "+short(list[0].Message)))
	case errors.As(err, &compiler) && compiler.File != nil:
		at := compiler.File.Position(compiler.Offset)
		return place(name, at, errors.New("SyntaxError: "+short(compiler.Message)))
	}
	return &Error{Rule: name, Err: errors.New(short(err.Error()))}
}

// place makes an error with a place in the source. p is a position in the compiled text, whose
// first line begins with [before].
func place(name string, p file.Position, err error) *Error {
	if p.Line == 1 {
		p.Column = max(p.Column-len(before), 1)
	}
	return &Error{name, p.Line, p.Column, err}
}

// vocabulary tells which names a source uses, so that a run prepares only what the rule can reach.
type vocabulary struct {
	callback  string          // the third parameter's name
	parameter *ast.Binding    // the third parameter
	names     map[string]bool // identifiers and strings
	variables map[string]bool // identifiers that are not names of properties
	// computed says that the source reads properties by names made at run time.
	computed bool
	// dynamic says that the source calls functions by such names, and so may call any function.
	dynamic bool
	// global says that the source can reach the global object, and so any global by such a name.
	global bool
	// regexp says that the source has a regular expression.
	regexp bool
	// busy says that the work of the source is not bounded by its length: it loops, or calls more
	// than callback and console.
	busy bool
	// required are the texts that require is called with, and requires counts its mentions. reaches
	// says that the source can reach the global object in another way.
	required []string
	requires int
	reaches  bool
	// bigInt is the place of the first BigInt, or 0.
	bigInt   file.Idx
	patterns []*ast.RegExpLiteral
	// bits are the operations for [exactBits].
	bits []ast.Expression
	// reach tells how functions are called.
	reach reach
}

func newVocabulary() vocabulary {
	return vocabulary{
		names:     map[string]bool{},
		variables: map[string]bool{},
		reach:     newReach(),
	}
}

// vocabularyOf returns the vocabulary of a rule.
func vocabularyOf(parsed *ast.Program) vocabulary {
	v := newVocabulary()
	v.reach.callback = callbackOf(parsed)
	v.read(reflect.ValueOf(parsed.Body))
	v.library(v.global && (v.names["_"] || v.names["async"]))
	v.dynamic = v.dynamic || v.computed && v.mentions("call", "apply", "bind")
	if v.callsWhatItGot() {
		v.dynamic = true
		v.busy = true
	}
	v.reach = reach{}
	return v
}

// library notes that the source uses a global library, which may call anything.
func (v *vocabulary) library(uses bool) {
	v.dynamic = v.dynamic || uses
	v.global = v.global || uses
	v.busy = v.busy || uses
}

// mentions reports whether the source can reach a property with one of the names.
func (v *vocabulary) mentions(names ...string) bool {
	return v.dynamic || v.hasOneOf(names)
}

// mentionsGlobal reports whether the source can reach one of the globals.
func (v *vocabulary) mentionsGlobal(names ...string) bool {
	return v.dynamic && v.global || v.hasOneOf(names)
}

func (v *vocabulary) hasOneOf(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return v.names[name] })
}

// read visits a syntax tree. It uses reflection, because there are some sixty kinds of nodes and
// the parser has no visitor.
func (v *vocabulary) read(node reflect.Value) {
	switch node.Kind() {
	case reflect.Interface:
		v.read(node.Elem())
	case reflect.Pointer:
		if !node.IsNil() {
			v.noteVariable(node.Interface())
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

// noteVariable notes an identifier that stands for a variable. The parser has other nodes for the
// names of properties.
func (v *vocabulary) noteVariable(node any) {
	switch n := node.(type) {
	case *ast.Identifier:
		v.variables[n.Name.String()] = true
		v.library(globalLibraries[n.Name.String()] != "")
		if n.Name == "require" {
			v.requires++
		}
	case *ast.PropertyShort:
		v.variables[n.Name.Name.String()] = true
	}
}

// note adds what one node says.
func (v *vocabulary) note(node any) {
	v.noteWork(node)
	v.reach.note(node)
	if isBitOperation(node) {
		v.bits = append(v.bits, node.(ast.Expression))
	}
	switch n := node.(type) {
	case *ast.Identifier:
		name := n.Name.String()
		v.names[name] = true
		loads := name == "require"
		v.dynamic = v.dynamic || name == "Reflect" || loads
		v.reaches = v.reaches || name == "globalThis" || name == "global"
		v.global = v.global || v.reaches || loads
		v.busy = v.busy || loads
	case *ast.StringLiteral:
		v.names[n.Value.String()] = true
	case *ast.ThisExpression:
		v.global = true
		v.reaches = true
	case *ast.BracketExpression:
		v.computed = v.computed || computes(n)
	case *ast.PropertyKeyed:
		v.computed = v.computed || n.Computed
	case *ast.NumberLiteral:
		if _, big := n.Value.(*big.Int); big && v.bigInt == 0 {
			v.bigInt = n.Idx
		}
	case *ast.RegExpLiteral:
		v.regexp = true
		v.patterns = append(v.patterns, n)
	case *ast.CallExpression:
		v.dynamic = v.dynamic || computes(n.Callee)
		v.noteRequire(n)
	case *ast.TemplateLiteral:
		v.dynamic = v.dynamic || computes(n.Tag)
	case *ast.FunctionLiteral:
		v.function(n.ParameterList, n.Async)
	case *ast.ArrowFunctionLiteral:
		v.function(n.ParameterList, n.Async)
	}
}

// noteWork notes whether the work of a node is not bounded by its length: see vocabulary.busy.
func (v *vocabulary) noteWork(node any) {
	switch n := node.(type) {
	case *ast.Identifier:
		name := n.Name.String()
		v.busy = v.busy || name == "length" || natives()[name]
	case *ast.StringLiteral:
		v.busy = v.busy || n.Value == "length"
	case *ast.BracketExpression:
		_, text := n.Member.(*ast.StringLiteral)
		number, isNumber := n.Member.(*ast.NumberLiteral)
		// Setting an index makes the list that long.
		v.busy = v.busy || !text && (!isNumber || len(number.Literal) > 3)
	case *ast.PropertyKeyed:
		v.busy = v.busy || n.Computed || n.Kind != ast.PropertyKindValue
	case *ast.CallExpression:
		v.busy = v.busy || !v.harmless(n.Callee)
	case *ast.NewExpression:
		name, ok := n.Callee.(*ast.Identifier)
		v.busy = v.busy || !ok || name.Name != "UnauthorizedError" && name.Name != "Error"
	case *ast.AssignExpression:
		v.busy = v.busy || v.callable(n.Left)
	case *ast.Binding:
		v.busy = v.busy || v.callable(n.Target) && n != v.parameter
	case *ast.ThisExpression, *ast.TemplateLiteral,
		*ast.ForStatement, *ast.ForInStatement, *ast.ForOfStatement,
		*ast.WhileStatement, *ast.DoWhileStatement, *ast.WithStatement, *ast.CatchStatement,
		*ast.FunctionDeclaration, *ast.ClassLiteral, *ast.AwaitExpression,
		*ast.SpreadElement, *ast.ArrayPattern, *ast.ObjectPattern:
		v.busy = true
	}
}

// computes reports whether an expression is a property whose name is made at run time.
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

// function notes a function. The first one is the rule itself.
func (v *vocabulary) function(parameters *ast.ParameterList, async bool) {
	v.busy = v.busy || async || v.callback != ""
	v.callback = "callback"
	if len(parameters.List) != 3 {
		return
	}
	if name, ok := parameters.List[2].Target.(*ast.Identifier); ok {
		v.callback = name.Name.String()
		v.parameter = parameters.List[2]
	}
}

// callable reports whether an expression is callback, console or one of their functions, which are
// called without a guard.
func (v *vocabulary) callable(target ast.Expression) bool {
	if method, ok := target.(*ast.DotExpression); ok {
		target = method.Left
	}
	name, ok := target.(*ast.Identifier)
	return ok && (name.Name == "console" || name.Name.String() == v.callback)
}

// harmless reports whether a call is one of callback or of a function of console.
func (v *vocabulary) harmless(callee ast.Expression) bool {
	method, isMethod := callee.(*ast.DotExpression)
	if name, ok := callee.(*ast.Identifier); ok {
		return name.Name.String() == v.callback
	}
	return isMethod && v.callable(method) && method.Left.(*ast.Identifier).Name == "console"
}

// natives are the globals of the language itself, except for those that do nothing.
var natives = sync.OnceValue(func() map[string]bool {
	names := maps.Clone(languageGlobals())
	for _, name := range []string{"undefined", "NaN", "Infinity", "Error"} {
		delete(names, name)
	}
	return names
})
