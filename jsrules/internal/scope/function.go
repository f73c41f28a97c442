package scope

import (
	"github.com/dop251/goja/ast"
)

// passed is a call of a function of the source, whose parameters get these values.
type passed struct {
	function  *binding
	arguments []*value
}

// declared walks a function declaration. Its name was declared before.
func (w *walker) declared(f *ast.FunctionLiteral) {
	b := w.lookUp(f.Name.Name.String())
	b.parameters = newParameters(f.ParameterList)
	w.body(f, b.parameters)
}

// literal walks a function expression. Its name exists in it only.
func (w *walker) literal(f *ast.FunctionLiteral, parameters []*binding) {
	w.enter()
	defer w.leave()
	if f.Name != nil {
		w.declare(f.Name.Name.String()).parameters = parameters
	}
	w.body(f, parameters)
}

// body walks a function with its parameters.
func (w *walker) body(f *ast.FunctionLiteral, parameters []*binding) {
	if f == w.function {
		w.giveRoots(parameters)
	}
	w.enter()
	defer w.leave()
	w.declare("arguments")
	w.names.strict = w.names.strict || isStrict(f.Body.List)
	w.branch(nil, func() {
		w.bindParameters(f.ParameterList, parameters)
		w.functionBody(f.Body.List, f.DeclarationList)
	})
}

func (w *walker) arrow(f *ast.ArrowFunctionLiteral, parameters []*binding) {
	if f == w.function {
		w.giveRoots(parameters)
	}
	w.enter()
	defer w.leave()
	block, isBlock := f.Body.(*ast.BlockStatement)
	w.names.strict = w.names.strict || isBlock && isStrict(block.List)
	w.branch(nil, func() {
		w.bindParameters(f.ParameterList, parameters)
		switch b := f.Body.(type) {
		case *ast.BlockStatement:
			w.functionBody(b.List, f.DeclarationList)
		case *ast.ExpressionBody:
			w.expression(b.Expression)
		}
	})
}

// functionBody walks the statements of a function, in the scope of its variables.
func (w *walker) functionBody(list []ast.Statement, variables []*ast.VariableDeclaration) {
	w.enter()
	defer w.leave()
	w.names.function = true
	w.declareVars(variables)
	w.list(list)
}

// isStrict reports whether statements begin with 'use strict'.
func isStrict(list []ast.Statement) bool {
	for _, statement := range list {
		s, ok := statement.(*ast.ExpressionStatement)
		if !ok {
			return false
		}
		directive, ok := s.Expression.(*ast.StringLiteral)
		if !ok {
			return false
		}
		if directive.Value == "use strict" {
			return true
		}
	}
	return false
}

// newParameters makes a binding for each parameter, also for one that is destructured.
func newParameters(list *ast.ParameterList) []*binding {
	parameters := make([]*binding, len(list.List))
	for i := range parameters {
		parameters[i] = &binding{}
	}
	return parameters
}

// giveRoots sets the roots of the function's parameters: the names by which uses are reported.
func (w *walker) giveRoots(parameters []*binding) {
	for i, p := range parameters {
		if i < len(w.roots) {
			p.root = w.roots[i]
		}
	}
}

// bindParameters declares the names of parameters and walks their defaults.
func (w *walker) bindParameters(list *ast.ParameterList, parameters []*binding) {
	for i, p := range list.List {
		if id, ok := p.Target.(*ast.Identifier); ok {
			w.names.list[id.Name.String()] = parameters[i]
		} else {
			w.declareTarget(p.Target)
		}
	}
	w.declareTarget(list.Rest)
	for i, p := range list.List {
		if _, ok := p.Target.(*ast.Identifier); !ok {
			w.pattern(p.Target, &value{base: parameters[i], at: p.Target.Idx0()}, true)
		}
		w.otherwise(p.Initializer)
	}
	w.pattern(list.Rest, nil, true)
}

// assigned walks an expression that is assigned to a name. If it is a function, calls of the name
// are calls of that function.
func (w *walker) assigned(name *ast.Identifier, expression ast.Expression) {
	b := w.lookUp(name.Name.String())
	if b == nil {
		w.expression(expression)
		return
	}
	switch f := expression.(type) {
	case *ast.FunctionLiteral:
		b.parameters = newParameters(f.ParameterList)
		w.literal(f, b.parameters)
	case *ast.ArrowFunctionLiteral:
		b.parameters = newParameters(f.ParameterList)
		w.arrow(f, b.parameters)
	default:
		w.expression(expression)
	}
}

// pass notes the arguments of a call of a function of the source.
func (w *walker) pass(function *binding, arguments []ast.Expression) {
	values := make([]*value, len(arguments))
	for i, argument := range arguments {
		values[i] = w.valueOf(argument)
	}
	w.passed = append(w.passed, passed{function, values})
}

// passAll gives parameters the values of all calls.
func (w *walker) passAll() {
	for _, call := range w.passed {
		for i, p := range call.function.parameters {
			if i < len(call.arguments) && call.arguments[i] != nil && len(p.values) < maxValues {
				p.values = append(p.values, *call.arguments[i])
			}
		}
	}
}

// class walks a class, whose name also exists in it.
func (w *walker) class(c *ast.ClassLiteral) {
	w.enter()
	defer w.leave()
	w.names.strict = true
	if c.Name != nil {
		w.declare(c.Name.Name.String())
	}
	w.expression(c.SuperClass)
	for _, element := range c.Body {
		switch e := element.(type) {
		case *ast.FieldDefinition:
			w.computed(e.Key, e.Computed)
			w.field(e.Initializer)
		case *ast.MethodDefinition:
			w.computed(e.Key, e.Computed)
			w.literal(e.Body, newParameters(e.Body.ParameterList))
		case *ast.ClassStaticBlock:
			w.functionBody(e.Block.List, e.DeclarationList)
		}
	}
}

// computed walks the name of an element, if it is made at run time.
func (w *walker) computed(key ast.Expression, computed bool) {
	if computed {
		w.expression(key)
	}
}

// field walks the value of a field, which is evaluated for each object.
func (w *walker) field(initializer ast.Expression) {
	w.branch(nil, func() { w.expression(initializer) })
}
