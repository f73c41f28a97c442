package jsrules

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
)

// goja reads some sources in another way than Node. Such a source does not compile here: a rule
// that is read in another way decides something else.

// dialect looks for what goja reads in another way.
type dialect struct {
	source string
	base   int
	// scopes are the functions around the current node, the innermost last.
	scopes []*functionScope
	// blocks are the blocks around the current node that are not the body of a function.
	blocks []span
	strict bool
	at     file.Idx
	wrong  error
}

// span is a part of the source.
type span struct{ from, to file.Idx }

func (s span) contains(at file.Idx) bool { return s.from <= at && at < s.to }

// functionScope is a function, with what decides which variables its names mean.
type functionScope struct {
	// bound are the names of parameters, variables and functions, in blocks, too.
	bound map[string]bool
	// inBlock are the blocks in which a function is declared, by the function's name.
	inBlock map[string][]span
	// uses are the names that are used, in this function and in those inside that do not bind them.
	uses []*ast.Identifier
}

// checkDialect returns an error for the first place that goja reads in another way than Node.
func checkDialect(name, source string, parsed *ast.Program) error {
	d := &dialect{source: source, base: parsed.File.Base()}
	d.function(reflect.ValueOf(parsed.Body), nil)
	if d.wrong == nil {
		return nil
	}
	return place(name, parsed.File.Position(int(d.at)-d.base), d.wrong)
}

// refuse notes what is wrong, if it is the first place in the source.
func (d *dialect) refuse(at file.Idx, why string) {
	if d.wrong == nil || at < d.at {
		d.at = at
		d.wrong = errors.New(why)
	}
}

// text returns the source from one place up to another one.
func (d *dialect) text(from, to file.Idx) string {
	begin := max(int(from)-d.base, 0)
	end := min(int(to)-d.base, len(d.source))
	if begin >= end {
		return ""
	}
	return d.source[begin:end]
}

// read visits a part of the syntax tree.
func (d *dialect) read(node reflect.Value) {
	switch node.Kind() {
	case reflect.Interface:
		d.read(node.Elem())
	case reflect.Pointer:
		if !node.IsNil() {
			d.visit(node)
		}
	case reflect.Slice:
		for i := range node.Len() {
			d.read(node.Index(i))
		}
	case reflect.Struct:
		if node.CanAddr() {
			if id, ok := node.Addr().Interface().(*ast.Identifier); ok {
				d.use(id)
				return
			}
		}
		d.fields(node)
	}
}

// fields visits the parts of a node.
func (d *dialect) fields(node reflect.Value) {
	for i := range node.NumField() {
		d.read(node.Field(i))
	}
}

// visit visits a node.
func (d *dialect) visit(node reflect.Value) {
	inside := node.Elem()
	switch n := node.Interface().(type) {
	case *ast.Identifier:
		d.use(n)
	case *ast.DotExpression: // the name after a dot is no variable
		d.read(reflect.ValueOf(n.Left))
	case *ast.PrivateDotExpression:
		d.read(reflect.ValueOf(n.Left))
	case *ast.MetaProperty, *ast.BranchStatement:
	case *ast.LabelledStatement:
		d.read(reflect.ValueOf(n.Statement))
	case *ast.BinaryExpression:
		d.comparison(n)
		d.fields(inside)
	case *ast.UnaryExpression:
		d.htmlComment(n)
		d.fields(inside)
	case *ast.FunctionDeclaration:
		d.declare(n.Function)
		d.visit(reflect.ValueOf(n.Function))
	case *ast.FunctionLiteral:
		d.literal(n)
	case *ast.ArrowFunctionLiteral:
		d.function(inside, n.ParameterList)
	case *ast.ClassStaticBlock:
		d.function(reflect.ValueOf(n.Block.List), nil)
	case *ast.ClassLiteral:
		d.class(n)
	case *ast.ClassDeclaration:
		d.bind(n.Class.Name)
		d.class(n.Class)
	case *ast.BlockStatement:
		d.block(span{n.LeftBrace, n.RightBrace + 1}, inside)
	case *ast.SwitchStatement:
		d.read(reflect.ValueOf(n.Discriminant))
		d.block(span{n.Discriminant.Idx1(), n.RightBrace + 1}, reflect.ValueOf(n.Body))
	case *ast.IfStatement:
		d.read(reflect.ValueOf(n.Test))
		d.branch(n.Consequent)
		d.branch(n.Alternate)
	case *ast.Binding:
		d.bindTarget(n.Target)
		d.fields(inside)
	case *ast.ForDeclaration:
		d.bindTarget(n.Target)
		d.fields(inside)
	case *ast.CatchStatement:
		d.bindTarget(n.Parameter)
		d.fields(inside)
	default:
		d.fields(inside)
	}
}

// branch visits one branch of an if. A function that is the whole branch is in a block of its own.
func (d *dialect) branch(statement ast.Statement) {
	if statement == nil {
		return
	}
	if f, ok := statement.(*ast.FunctionDeclaration); ok {
		d.block(span{f.Idx0(), f.Idx1()}, reflect.ValueOf(statement))
		return
	}
	d.read(reflect.ValueOf(statement))
}

func (d *dialect) block(where span, inside reflect.Value) {
	d.blocks = append(d.blocks, where)
	if inside.Kind() == reflect.Struct {
		d.fields(inside)
	} else {
		d.read(inside)
	}
	d.blocks = d.blocks[:len(d.blocks)-1]
}

func (d *dialect) class(n *ast.ClassLiteral) {
	strict := d.strict
	d.strict = true
	d.read(reflect.ValueOf(n.SuperClass))
	d.read(reflect.ValueOf(n.Body))
	d.strict = strict
}

// literal visits a function.
func (d *dialect) literal(f *ast.FunctionLiteral) {
	strict := d.strict
	d.strict = strict || isStrict(f.Body.List)
	d.function(reflect.ValueOf(f.Body.List), f.ParameterList, f.Name)
	d.strict = strict
}

// isStrict reports whether a function's statements begin with the directive 'use strict'.
func isStrict(body []ast.Statement) bool {
	for _, statement := range body {
		expression, _ := statement.(*ast.ExpressionStatement)
		if expression == nil {
			return false
		}
		directive, _ := expression.Expression.(*ast.StringLiteral)
		if directive == nil {
			return false
		}
		if directive.Value == "use strict" {
			return true
		}
	}
	return false
}

// function visits the body of a function, and then checks the names that are used in it.
func (d *dialect) function(
	body reflect.Value, parameters *ast.ParameterList, names ...*ast.Identifier,
) {
	s := &functionScope{bound: map[string]bool{}, inBlock: map[string][]span{}}
	blocks := d.blocks
	d.blocks = nil
	d.scopes = append(d.scopes, s)
	for _, name := range names {
		d.bind(name)
	}
	if parameters != nil {
		d.read(reflect.ValueOf(parameters))
		if parameters.Rest != nil {
			d.bindTarget(parameters.Rest)
		}
	}
	if body.Kind() == reflect.Struct { // an arrow function
		body = body.FieldByName("Body")
		if block, ok := body.Interface().(*ast.BlockStatement); ok {
			body = reflect.ValueOf(block.List)
		}
	}
	d.read(body)
	d.scopes = d.scopes[:len(d.scopes)-1]
	d.blocks = blocks
	d.checkUses(s)
}

// checkUses refuses the use of a function outside of the block in which it is declared. Node finds
// it there, too (ECMA-262 §B.3.2), and goja does not. Names that a function does not bind are those
// of the function around it.
func (d *dialect) checkUses(s *functionScope) {
	var outer *functionScope
	if len(d.scopes) > 0 {
		outer = d.scopes[len(d.scopes)-1]
	}
	for _, id := range s.uses {
		name := id.Name.String()
		blocks := s.inBlock[name]
		if len(blocks) == 0 {
			if outer != nil && !s.bound[name] {
				outer.uses = append(outer.uses, id)
			}
			continue
		}
		inside := false
		for _, block := range blocks {
			inside = inside || block.contains(id.Idx)
		}
		if !inside {
			d.refuse(id.Idx, "the function "+short(name)+" is declared in a block and used "+
				"outside of it: declare it before the block, as in var "+short(name)+
				" = function …")
		}
	}
}

// declare notes the declaration of a function.
func (d *dialect) declare(f *ast.FunctionLiteral) {
	s := d.scopes[len(d.scopes)-1]
	if len(d.blocks) == 0 || d.strict || f.Async || f.Generator {
		if len(d.blocks) == 0 {
			d.bind(f.Name)
		}
		return
	}
	name := f.Name.Name.String()
	s.inBlock[name] = append(s.inBlock[name], d.blocks[len(d.blocks)-1])
}

func (d *dialect) bind(name *ast.Identifier) {
	if name != nil {
		d.scopes[len(d.scopes)-1].bound[name.Name.String()] = true
	}
}

// bindTarget binds the names of a declaration, which can be a pattern.
func (d *dialect) bindTarget(target ast.Expression) {
	switch t := target.(type) {
	case *ast.Identifier:
		d.bind(t)
	case *ast.Binding:
		d.bindTarget(t.Target)
	case *ast.AssignExpression:
		d.bindTarget(t.Left)
	case *ast.ArrayPattern:
		for _, element := range t.Elements {
			d.bindTarget(element)
		}
		d.bindTarget(t.Rest)
	case *ast.ObjectPattern:
		for _, property := range t.Properties {
			switch p := property.(type) {
			case *ast.PropertyShort:
				d.bind(&p.Name)
			case *ast.PropertyKeyed:
				d.bindTarget(p.Value)
			}
		}
		d.bindTarget(t.Rest)
	}
}

func (d *dialect) use(id *ast.Identifier) {
	s := d.scopes[len(d.scopes)-1]
	s.uses = append(s.uses, id)
}

// relational are the operators that goja groups from the right.
var relational = map[token.Token]bool{
	token.LESS:             true,
	token.LESS_OR_EQUAL:    true,
	token.GREATER:          true,
	token.GREATER_OR_EQUAL: true,
	token.INSTANCEOF:       true,
	token.IN:               true,
}

// comparison refuses a < b < c, which is (a < b) < c in ECMAScript and a < (b < c) in goja.
func (d *dialect) comparison(n *ast.BinaryExpression) {
	right, ok := n.Right.(*ast.BinaryExpression)
	if !ok || !relational[n.Operator] || !relational[right.Operator] || d.inParentheses(right) {
		return
	}
	d.refuse(right.Idx0(), "a chain of comparisons, such as a < b < c: write (a < b) < c, or "+
		"a < b && b < c")
}

// inParentheses reports whether a comparison is in parentheses of its own. The syntax tree does not
// tell. If it is not sure, it is false.
func (d *dialect) inParentheses(n *ast.BinaryExpression) bool {
	begin := int(n.Idx0()) - d.base
	end := int(n.Right.Idx0()) - d.base
	if begin < 0 || end > len(d.source) || begin > end {
		return false
	}
	before := strings.TrimRight(d.source[:begin], " \t\r\n")
	opened := 0
	for strings.HasSuffix(before, "(") {
		opened++
		before = strings.TrimRight(strings.TrimSuffix(before, "("), " \t\r\n")
	}
	left := quoted().ReplaceAllString(d.source[begin:end], "''")
	left = strings.TrimRight(left, "( \t\r\n")
	if opened == 0 || strings.ContainsAny(left, "`/") {
		return false
	}
	return opened+strings.Count(left, "(")-strings.Count(left, ")") > 0
}

// quoted is a string literal.
var quoted = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)"([^"\\]|\\.)*"|'([^'\\]|\\.)*'`)
})

// htmlComment refuses a <!--b: for Node, <!-- begins a comment (ECMA-262 §B.1.1). For goja it is
// three operators.
func (d *dialect) htmlComment(n *ast.UnaryExpression) {
	inner, ok := n.Operand.(*ast.UnaryExpression)
	if !ok || n.Operator != token.NOT || inner.Operator != token.DECREMENT || inner.Postfix {
		return
	}
	if d.text(n.Idx-1, n.Idx+3) == "<!--" && d.text(n.Idx-2, n.Idx-1) != "<" {
		d.refuse(n.Idx-1, htmlComments)
	}
}

const htmlComments = "<!-- and --> are comments in Node, and not supported: write // instead"

// notSupported are parts of JavaScript that goja cannot read, and what to write instead. The first
// whose text is near the place of a syntax error is meant.
var notSupported = []struct {
	before string // what the source has before the place, with single blanks
	at     string // what it has from the place on
	remedy string
}{
	{"for ", "await", "for await is not supported: await each element inside a for loop"},
	{"", "async function*", asyncGenerators},
	{"", "async function *", asyncGenerators},
	{"async ", "function*", asyncGenerators},
	{"async ", "function *", asyncGenerators},
	{"", "async *", asyncGenerators},
	{"async *", "", asyncGenerators},
	{"async function", "*", asyncGenerators},
	{"async function ", "*", asyncGenerators},
	{"", "import(", "import is not supported: use require"},
	{"", "export ", "export is not supported: a rule is one function"},
	{"<", "!--", htmlComments},
	{"", "<!--", htmlComments},
	{"--", ">", htmlComments},
	{"", "-->", htmlComments},
}

const (
	// invalidFlags is how goja's error begins.
	invalidFlags = "SyntaxError: Invalid flags supplied to RegExp constructor "
	// invalidTarget is goja's error for {a: [b = 1] = []}, which is right.
	invalidTarget  = "SyntaxError: Invalid destructuring binding target"
	nestedDefaults = "a list with defaults inside of a pattern is not supported: take it apart " +
		"in a statement of its own"
	flagD = "the flag d of regular expressions is not supported: use index, and the lengths " +
		"of the match and its groups"
	asyncGenerators = "async generators are not supported: return a promise of a list"
)

// unsupported adds to a syntax error what to write instead, if goja is the reason and not the rule.
func unsupported(source string, e *Error) *Error {
	at := offset(source, e.Line, e.Column)
	if at < 0 {
		return e
	}
	flags, aboutFlags := strings.CutPrefix(e.Err.Error(), invalidFlags)
	switch {
	case aboutFlags && strings.Contains(flags, "d"):
		return &Error{e.Rule, e.Line, e.Column, errors.New("SyntaxError: " + flagD)}
	case e.Err.Error() == invalidTarget:
		return &Error{e.Rule, e.Line, e.Column, errors.New(invalidTarget + ": " + nestedDefaults)}
	}
	near := strings.Join(strings.Fields(source[max(at-40, 0):at]+"\x00"), " ")
	near = strings.TrimSuffix(near, "\x00")
	for _, known := range notSupported {
		if strings.HasPrefix(source[at:], known.at) && strings.HasSuffix(near, known.before) {
			return &Error{e.Rule, e.Line, e.Column, errors.New("SyntaxError: " + known.remedy)}
		}
	}
	return e
}

// offset returns where a line and a column are in a source, or -1.
func offset(source string, line, column int) int {
	at := 0
	for range line - 1 {
		end := strings.IndexByte(source[at:], '\n')
		if end < 0 {
			return -1
		}
		at += end + 1
	}
	at += column - 1
	if line < 1 || column < 1 || at > len(source) {
		return -1
	}
	return at
}
