package scope

import (
	"github.com/dop251/goja/ast"
)

// list walks statements in the current scope.
func (w *walker) list(statements []ast.Statement) {
	w.declareAll(statements)
	before := w.defined
	for _, statement := range statements {
		w.statement(statement)
		// After if (typeof X === 'undefined') return, X exists.
		if s, ok := statement.(*ast.IfStatement); ok && s.Alternate == nil && ends(s.Consequent) {
			_, no := definedIf(s.Test)
			w.defined = append(w.defined[:len(w.defined):len(w.defined)], no...)
		}
	}
	w.defined = before
}

// ends reports whether nothing runs after a statement.
func ends(statement ast.Statement) bool {
	switch s := statement.(type) {
	case *ast.ReturnStatement, *ast.ThrowStatement, *ast.BranchStatement:
		return true
	case *ast.BlockStatement:
		return len(s.List) > 0 && ends(s.List[len(s.List)-1])
	}
	return false
}

// block walks statements in a new scope.
func (w *walker) block(statements []ast.Statement) {
	w.enter()
	w.list(statements)
	w.leave()
}

func (w *walker) statement(statement ast.Statement) {
	switch s := statement.(type) {
	case *ast.BlockStatement:
		w.block(s.List)
	case *ast.ExpressionStatement:
		w.expression(s.Expression)
	case *ast.VariableStatement:
		w.bindings(s.List)
	case *ast.LexicalDeclaration:
		w.bindings(s.List)
	case *ast.FunctionDeclaration:
		w.declared(s.Function)
	case *ast.ClassDeclaration:
		w.class(s.Class)
	case *ast.IfStatement:
		w.ifStatement(s)
	case *ast.ForStatement:
		w.forStatement(s)
	case *ast.ForInStatement:
		w.forInto(s.Into, s.Source, s.Body)
	case *ast.ForOfStatement:
		w.forInto(s.Into, s.Source, s.Body)
	case *ast.WhileStatement:
		w.expression(s.Test)
		yes, _ := definedIf(s.Test)
		w.branch(yes, func() { w.statement(s.Body) })
	case *ast.DoWhileStatement:
		w.statement(s.Body)
		w.expression(s.Test)
	case *ast.LabelledStatement:
		w.statement(s.Statement)
	case *ast.ReturnStatement:
		w.expression(s.Argument)
	case *ast.ThrowStatement:
		w.expression(s.Argument)
	case *ast.SwitchStatement:
		w.switchStatement(s)
	case *ast.TryStatement:
		w.try(s)
	case *ast.WithStatement:
		w.with(s)
	}
}

// bindings walks the variables of one statement.
func (w *walker) bindings(list []*ast.Binding) {
	for _, b := range list {
		if b.Initializer == nil {
			continue
		}
		if name, ok := b.Target.(*ast.Identifier); ok {
			w.assigned(name, b.Initializer)
		} else {
			w.expression(b.Initializer)
		}
		w.pattern(b.Target, w.valueOf(b.Initializer), true)
	}
}

func (w *walker) ifStatement(s *ast.IfStatement) {
	w.expression(s.Test)
	yes, no := definedIf(s.Test)
	w.branch(yes, func() { w.statement(s.Consequent) })
	if s.Alternate != nil {
		w.branch(no, func() { w.statement(s.Alternate) })
	}
}

func (w *walker) forStatement(s *ast.ForStatement) {
	w.enter()
	defer w.leave()
	switch i := s.Initializer.(type) {
	case *ast.ForLoopInitializerExpression:
		w.expression(i.Expression)
	case *ast.ForLoopInitializerVarDeclList:
		w.bindings(i.List)
	case *ast.ForLoopInitializerLexicalDecl:
		for _, b := range i.LexicalDeclaration.List {
			w.declareTarget(b.Target)
		}
		w.bindings(i.LexicalDeclaration.List)
	}
	w.expression(s.Test)
	w.branch(nil, func() {
		w.statement(s.Body)
		w.expression(s.Update)
	})
}

// forInto walks for-in and for-of. The values of the variable are not followed.
func (w *walker) forInto(into ast.ForInto, source ast.Expression, body ast.Statement) {
	w.expression(source)
	w.enter()
	defer w.leave()
	w.branch(nil, func() {
		switch i := into.(type) {
		case *ast.ForIntoVar:
			w.pattern(i.Binding.Target, nil, true)
		case *ast.ForDeclaration:
			w.declareTarget(i.Target)
			w.pattern(i.Target, nil, true)
		case *ast.ForIntoExpression:
			w.pattern(i.Expression, nil, false)
		}
		w.statement(body)
	})
}

func (w *walker) switchStatement(s *ast.SwitchStatement) {
	w.expression(s.Discriminant)
	w.enter()
	defer w.leave()
	for _, c := range s.Body {
		w.declareAll(c.Consequent)
	}
	for _, c := range s.Body {
		w.branch(nil, func() {
			w.expression(c.Test)
			for _, statement := range c.Consequent {
				w.statement(statement)
			}
		})
	}
}

func (w *walker) try(s *ast.TryStatement) {
	w.branch(nil, func() { w.block(s.Body.List) })
	if s.Catch != nil {
		w.branch(nil, func() {
			w.enter()
			defer w.leave()
			w.declareTarget(s.Catch.Parameter)
			w.pattern(s.Catch.Parameter, nil, true)
			w.block(s.Catch.Body.List)
		})
	}
	if s.Finally != nil {
		w.block(s.Finally.List)
	}
}

// with walks a statement in which any name may be a property of the object. What is not declared
// within is not counted.
func (w *walker) with(s *ast.WithStatement) {
	w.expression(s.Object)
	from := len(w.seen)
	w.branch(nil, func() { w.statement(s.Body) })
	for _, s := range w.seen[from:] {
		s.Set = s.Set || s.value.free != ""
	}
}
