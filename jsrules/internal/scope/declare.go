package scope

import (
	"github.com/dop251/goja/ast"
)

// declareVars declares the names of var statements, which belong to the whole function. A parameter
// of that name is the same variable.
func (w *walker) declareVars(list []*ast.VariableDeclaration) {
	for _, declaration := range list {
		for _, b := range declaration.List {
			w.declareTarget(b.Target)
		}
	}
}

// declareTarget declares the names of a binding.
func (w *walker) declareTarget(target ast.Expression) {
	switch t := target.(type) {
	case *ast.Identifier:
		w.declareVar(t.Name.String())
	case *ast.Binding:
		w.declareTarget(t.Target)
	case *ast.AssignExpression: // a default
		w.declareTarget(t.Left)
	case *ast.ArrayPattern:
		for _, element := range t.Elements {
			w.declareTarget(element)
		}
		w.declareTarget(t.Rest)
	case *ast.ObjectPattern:
		for _, property := range t.Properties {
			switch p := property.(type) {
			case *ast.PropertyShort:
				w.declareVar(p.Name.Name.String())
			case *ast.PropertyKeyed:
				w.declareTarget(p.Value)
			}
		}
		w.declareTarget(t.Rest)
	}
}

// declareVar declares a name in the current scope. In the body of a function, a parameter of that
// name is the same variable.
func (w *walker) declareVar(name string) {
	if n := w.names; n.function && n.outer.list[name] != nil {
		n.list[name] = n.outer.list[name]
		return
	}
	w.declare(name)
}

// declareAll declares what the statements of a block declare in it.
func (w *walker) declareAll(list []ast.Statement) {
	for _, statement := range list {
		switch s := unlabelled(statement).(type) {
		case *ast.LexicalDeclaration:
			for _, b := range s.List {
				w.declareTarget(b.Target)
			}
		case *ast.ClassDeclaration:
			w.declareVar(s.Class.Name.Name.String())
		case *ast.FunctionDeclaration:
			w.declareFunction(s.Function)
		}
	}
}

// declareFunction declares a function. One in a block does not exist outside of it.
func (w *walker) declareFunction(f *ast.FunctionLiteral) {
	name := f.Name.Name.String()
	if !w.names.function && w.names.outer != nil {
		if _, has := w.uses.Blocks[name]; !has {
			w.uses.Blocks[name] = f.Name.Idx
		}
	}
	w.declareVar(name)
}

// unlabelled returns a statement without its labels.
func unlabelled(statement ast.Statement) ast.Statement {
	for {
		labelled, ok := statement.(*ast.LabelledStatement)
		if !ok {
			return statement
		}
		statement = labelled.Statement
	}
}

// bind gives a name that is declared the value of an expression.
func (w *walker) bind(name string, v *value) {
	b := w.lookUp(name)
	if b != nil && v != nil && len(b.values) < maxValues {
		b.values = append(b.values, *v)
	}
}

// pattern assigns the parts of a value to the names of a declaration, or to the targets of an
// assignment. The value is nil if it is unknown.
func (w *walker) pattern(target ast.Expression, v *value, declares bool) {
	switch t := target.(type) {
	case nil:
	case *ast.Identifier:
		w.bind(t.Name.String(), v)
		if !declares {
			w.use(w.refer(t), Write)
		}
	case *ast.Binding:
		w.pattern(t.Target, v, declares)
		w.otherwise(t.Initializer)
	case *ast.AssignExpression: // with a default
		w.pattern(t.Left, v, declares)
		w.otherwise(t.Right)
	case *ast.ArrayPattern:
		for _, element := range t.Elements {
			if element != nil {
				w.pattern(element, v.then(Step{At: element.Idx0()}), declares)
			}
		}
		w.pattern(t.Rest, nil, declares)
	case *ast.ObjectPattern:
		for _, property := range t.Properties {
			w.patternProperty(property, v, declares)
		}
		w.pattern(t.Rest, v, declares)
	default:
		w.write(target, nil)
	}
}

// patternProperty takes one property of a value apart.
func (w *walker) patternProperty(property ast.Property, v *value, declares bool) {
	switch p := property.(type) {
	case *ast.PropertyShort:
		part := v.then(Step{p.Name.Name.String(), p.Name.Idx})
		if part != nil {
			w.use(part, Read)
		}
		w.pattern(&p.Name, part, declares)
		w.otherwise(p.Initializer)
	case *ast.PropertyKeyed:
		if p.Computed {
			w.expression(p.Key)
		}
		name, _ := text(p.Key)
		part := v.then(Step{name, p.Key.Idx0()})
		if part != nil {
			w.use(part, Read)
		}
		w.pattern(p.Value, part, declares)
	}
}

// otherwise walks a default value, which may remain unused.
func (w *walker) otherwise(initializer ast.Expression) {
	if initializer != nil {
		w.branch(nil, func() { w.expression(initializer) })
	}
}
