package jsrules

import (
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// reach notes how a source could call a function that it has got by a name made at run time. Such a
// source can keep the function in a variable or a property, and call it by a name that is none of
// the function's own. It then can call any function, see vocabulary.dynamic.
//
// It does not follow values. Each name counts that the source both gives a value and calls.
type reach struct {
	// given are the variables and properties with values that may be functions, except literals.
	given map[string]bool
	// called are those that the source calls, or passes to what calls them.
	called map[string]bool
	// any says that properties with names made at run time have such values, and methods that some
	// property is called.
	any, methods bool
	// unknown says that the source calls something without a name.
	unknown bool
	// reads counts the properties that are read by names made at run time.
	reads int
	// callback is the third parameter of a rule. Calling it is no call of a function that the rule
	// got.
	callback *ast.Binding
}

func newReach() reach {
	return reach{given: map[string]bool{}, called: map[string]bool{}}
}

// obtaining are functions that get properties by a name that is an argument, and storing are those
// that define properties so.
var (
	obtaining = []string{
		"getOwnPropertyDescriptor", "getOwnPropertyDescriptors", "__lookupGetter__",
		"__lookupSetter__",
	}
	storing = []string{
		"defineProperty", "defineProperties", "create", "fromEntries", "__defineGetter__",
		"__defineSetter__", "Proxy", "Symbol",
	}
)

// implicit are properties whose functions the language itself calls.
var implicit = []string{
	"toString", "valueOf", "toJSON", "then", "get", "set", "next", "return", "throw",
}

// callers are methods that call their arguments.
var callers = map[string]bool{
	"map": true, "forEach": true, "filter": true, "some": true, "every": true, "find": true,
	"findIndex": true, "findLast": true, "findLastIndex": true, "flatMap": true, "from": true,
	"reduce": true, "reduceRight": true, "sort": true, "toSorted": true, "replace": true,
	"replaceAll": true, "parse": true, "stringify": true, "then": true, "catch": true,
	"finally": true, "setTimeout": true, "setInterval": true, "setImmediate": true,
	"queueMicrotask": true, "nextTick": true, "Promise": true,
}

// callsWhatItGot reports whether the source can call a function that it got by a name made at run
// time.
func (v *vocabulary) callsWhatItGot() bool {
	r := &v.reach
	if r.reads == 0 && !v.hasOneOf(obtaining) {
		return false
	}
	if r.unknown || v.hasOneOf(storing) || r.any && r.methods {
		return true
	}
	if v.hasOneOf(obtaining) { // a descriptor has the function as its value
		r.given["value"] = true
	}
	for _, name := range implicit {
		r.called[name] = true
	}
	for name := range r.given {
		if r.called[name] {
			return true
		}
	}
	return false
}

// note adds what one node says.
func (r *reach) note(node any) {
	switch n := node.(type) {
	case *ast.CallExpression:
		r.call(n.Callee)
		r.pass(n)
	case *ast.NewExpression:
		r.call(n.Callee)
	case *ast.TemplateLiteral:
		if n.Tag != nil {
			r.call(n.Tag)
		}
	case *ast.BracketExpression:
		if computes(n) {
			r.reads++
		}
	case *ast.AssignExpression:
		if n.Operator == token.ASSIGN && computes(n.Left) {
			r.reads--
		}
		if isPattern(n.Left) || !harmlessValue(n.Right) {
			r.hold(n.Left)
		}
	case *ast.Binding:
		if n != r.callback && (isPattern(n.Target) || !harmlessValue(n.Initializer)) {
			r.hold(n.Target)
		}
	case *ast.ObjectPattern:
		for _, property := range n.Properties {
			if keyed, ok := property.(*ast.PropertyKeyed); ok && keyed.Computed {
				r.reads++
			}
		}
	case *ast.ForDeclaration:
		r.hold(n.Target)
	case *ast.ForIntoExpression:
		r.hold(n.Expression)
	case *ast.WithStatement: // its variables are properties
		r.unknown = true
	case *ast.CatchStatement:
		r.hold(n.Parameter)
	case *ast.PropertyShort:
		r.given[n.Name.Name.String()] = true
	case *ast.PropertyKeyed:
		if n.Kind == ast.PropertyKindGet || !harmlessValue(n.Value) {
			r.store(n.Key, n.Computed)
		}
	case *ast.FieldDefinition:
		if !harmlessValue(n.Initializer) {
			r.store(n.Key, n.Computed)
		}
	case *ast.MethodDefinition:
		if n.Kind == ast.PropertyKindGet {
			r.store(n.Key, n.Computed)
		}
	}
}

// callbackOf returns the third parameter of a rule, or nil.
func callbackOf(parsed *ast.Program) *ast.Binding {
	if len(parsed.Body) == 0 {
		return nil
	}
	var parameters *ast.ParameterList
	switch f := function(parsed.Body).(type) {
	case *ast.FunctionLiteral:
		parameters = f.ParameterList
	case *ast.ArrowFunctionLiteral:
		parameters = f.ParameterList
	}
	if parameters == nil || len(parameters.List) != 3 {
		return nil
	}
	return parameters.List[2]
}

// isPattern reports whether a target takes a value apart.
func isPattern(target ast.Node) bool {
	switch target.(type) {
	case *ast.ArrayPattern, *ast.ObjectPattern:
		return true
	}
	return false
}

// hold notes a variable or property that gets a value, or a pattern of them.
func (r *reach) hold(target ast.Node) {
	switch t := target.(type) {
	case nil:
	case *ast.Identifier:
		r.given[t.Name.String()] = true
	case *ast.DotExpression:
		r.given[t.Identifier.Name.String()] = true
	case *ast.BracketExpression:
		r.store(t.Member, computes(t))
	case *ast.AssignExpression: // a default value in a pattern
		r.hold(t.Left)
	case *ast.ArrayPattern:
		for _, element := range t.Elements {
			r.hold(element)
		}
		r.hold(t.Rest)
	case *ast.ObjectPattern:
		for _, property := range t.Properties {
			switch p := property.(type) {
			case *ast.PropertyShort:
				r.given[p.Name.Name.String()] = true
			case *ast.PropertyKeyed:
				r.hold(p.Value)
			}
		}
		r.hold(t.Rest)
	default:
		r.unknown = true
	}
}

// store notes the name of a property that gets a value. An element of a list has none: calling one
// is a call without a name.
func (r *reach) store(key ast.Expression, computed bool) {
	switch k := key.(type) {
	case *ast.StringLiteral:
		r.given[k.Value.String()] = true
	case *ast.Identifier:
		r.any = r.any || computed
		r.given[k.Name.String()] = true
	case *ast.NumberLiteral:
	default:
		r.any = true
	}
}

// call notes what is called.
func (r *reach) call(callee ast.Expression) {
	switch c := callee.(type) {
	case *ast.Optional:
		r.call(c.Expression)
	case *ast.OptionalChain:
		r.call(c.Expression)
	case *ast.Identifier:
		r.called[c.Name.String()] = true
	case *ast.DotExpression:
		r.methods = true
		r.called[c.Identifier.Name.String()] = true
	case *ast.BracketExpression:
		if name, ok := c.Member.(*ast.StringLiteral); ok {
			r.methods = true
			r.called[name.Value.String()] = true
			return
		}
		r.unknown = true
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassLiteral, *ast.SuperExpression:
	default:
		r.unknown = true
	}
}

// pass notes arguments of a function that calls them.
func (r *reach) pass(call *ast.CallExpression) {
	name := ""
	switch c := call.Callee.(type) {
	case *ast.DotExpression:
		name = c.Identifier.Name.String()
	case *ast.Identifier:
		name = c.Name.String()
	}
	if !callers[name] {
		return
	}
	for _, argument := range call.ArgumentList {
		if !harmlessValue(argument) {
			r.call(argument)
		}
	}
}

// harmlessValue reports whether the value of an expression is no function, or one that is written
// there.
func harmlessValue(expression ast.Expression) bool {
	switch e := expression.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral, *ast.ClassLiteral, *ast.StringLiteral,
		*ast.NumberLiteral, *ast.BooleanLiteral, *ast.NullLiteral, *ast.RegExpLiteral,
		*ast.ObjectLiteral, *ast.ArrayLiteral, *ast.UnaryExpression:
		return true
	case *ast.TemplateLiteral:
		return e.Tag == nil
	case *ast.BinaryExpression:
		switch e.Operator {
		case token.LOGICAL_AND, token.LOGICAL_OR, token.COALESCE:
			return harmlessValue(e.Left) && harmlessValue(e.Right)
		}
		return true
	case *ast.ConditionalExpression:
		return harmlessValue(e.Consequent) && harmlessValue(e.Alternate)
	}
	return false
}
