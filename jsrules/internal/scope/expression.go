package scope

import (
	"slices"
	"strconv"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// expression walks an expression whose value is read.
func (w *walker) expression(expression ast.Expression) {
	switch e := expression.(type) {
	case *ast.Identifier:
		w.use(w.refer(e), Read)
	case *ast.DotExpression, *ast.BracketExpression, *ast.Optional, *ast.OptionalChain:
		w.chain(e, Read)
	case *ast.PrivateDotExpression:
		w.expression(e.Left)
	case *ast.CallExpression:
		w.call(e.Callee, e.ArgumentList)
	case *ast.NewExpression:
		w.call(e.Callee, e.ArgumentList)
	case *ast.AssignExpression:
		w.assign(e)
	case *ast.UnaryExpression:
		w.unary(e)
	case *ast.BinaryExpression:
		w.binary(e)
	case *ast.ConditionalExpression:
		w.expression(e.Test)
		yes, no := definedIf(e.Test)
		w.branch(yes, func() { w.expression(e.Consequent) })
		w.branch(no, func() { w.expression(e.Alternate) })
	case *ast.FunctionLiteral:
		w.literal(e, newParameters(e.ParameterList))
	case *ast.ArrowFunctionLiteral:
		w.arrow(e, newParameters(e.ParameterList))
	case *ast.ClassLiteral:
		w.class(e)
	case *ast.ArrayLiteral:
		w.expressions(e.Value)
	case *ast.ObjectLiteral:
		for _, property := range e.Value {
			w.property(property)
		}
	case *ast.SequenceExpression:
		w.expressions(e.Sequence)
	case *ast.TemplateLiteral:
		w.expression(e.Tag)
		w.expressions(e.Expressions)
	case *ast.SpreadElement:
		w.expression(e.Expression)
	case *ast.AwaitExpression:
		w.expression(e.Argument)
	case *ast.YieldExpression:
		w.expression(e.Argument)
	}
}

func (w *walker) expressions(list []ast.Expression) {
	for _, e := range list {
		w.expression(e)
	}
}

// property walks one property of an object literal.
func (w *walker) property(property ast.Property) {
	switch p := property.(type) {
	case *ast.PropertyShort:
		w.expression(&p.Name)
	case *ast.PropertyKeyed:
		if p.Computed {
			w.expression(p.Key)
		}
		w.expression(p.Value)
	case *ast.SpreadElement:
		w.expression(p.Expression)
	}
}

// chain walks a property of a property, down to an identifier or another expression. It notes the
// use of the outermost property.
func (w *walker) chain(e ast.Expression, kind Kind) *seen {
	w.members(e)
	v := w.valueOf(e)
	if v == nil {
		return nil
	}
	if kind == Write || kind == Delete {
		if n := len(v.path); n > 1 {
			before := *v
			before.path = v.path[:n-1]
			w.use(&before, Read)
		} else if n == 1 && v.free != "" {
			w.use(&value{free: v.free, at: v.at}, Read)
		}
	}
	return w.use(v, kind)
}

// members walks what a chain needs in order to be read: names made at run time, and a first
// expression that is no identifier.
func (w *walker) members(expression ast.Expression) {
	switch e := expression.(type) {
	case *ast.DotExpression:
		w.members(e.Left)
	case *ast.BracketExpression:
		w.members(e.Left)
		w.expression(e.Member)
	case *ast.Optional:
		w.members(e.Expression)
	case *ast.OptionalChain:
		w.members(e.Expression)
	case *ast.Identifier:
	default:
		w.expression(e)
	}
}

// valueOf returns what an expression leads to, or nil.
func (w *walker) valueOf(expression ast.Expression) *value {
	switch e := expression.(type) {
	case *ast.Identifier:
		return w.refer(e)
	case *ast.DotExpression:
		return w.valueOf(e.Left).then(Step{e.Identifier.Name.String(), e.Identifier.Idx})
	case *ast.BracketExpression:
		name, _ := text(e.Member)
		return w.valueOf(e.Left).then(Step{name, e.Member.Idx0()})
	case *ast.Optional:
		return w.valueOf(e.Expression)
	case *ast.OptionalChain:
		return w.valueOf(e.Expression)
	case *ast.AssignExpression:
		if e.Operator == token.ASSIGN {
			return w.valueOf(e.Right)
		}
	case *ast.BinaryExpression: // a value or else a default
		if e.Operator == token.LOGICAL_OR || e.Operator == token.COALESCE {
			return w.valueOf(e.Left)
		}
	}
	return nil
}

// text returns the text of an expression that is always the same.
func text(expression ast.Expression) (string, bool) {
	switch e := expression.(type) {
	case *ast.StringLiteral:
		return e.Value.String(), true
	case *ast.NumberLiteral:
		if n, ok := e.Value.(int64); ok {
			return strconv.FormatInt(n, 10), true
		}
	case *ast.TemplateLiteral:
		if e.Tag == nil && len(e.Expressions) == 0 && len(e.Elements) == 1 {
			return e.Elements[0].Parsed.String(), true
		}
	case *ast.BinaryExpression:
		left, ok := text(e.Left)
		right, both := text(e.Right)
		return left + right, e.Operator == token.PLUS && ok && both
	}
	return "", false
}

// Text returns the text of an expression that is always the same, such as 'a' or 'a' + 'b'.
func Text(expression ast.Expression) (string, bool) { return text(expression) }

// call walks a call.
func (w *walker) call(callee ast.Expression, arguments []ast.Expression) {
	called := w.callee(callee, arguments)
	if called != nil {
		called.Arguments = arguments
		w.special(called.value, arguments)
		if b := called.value.base; b != nil && len(called.value.path) == 0 {
			w.pass(b, arguments)
		}
	}
	w.expressions(arguments)
}

// callee walks what is called.
func (w *walker) callee(callee ast.Expression, arguments []ast.Expression) *seen {
	switch f := callee.(type) {
	case *ast.Identifier:
		return w.use(w.refer(f), Call)
	case *ast.DotExpression, *ast.BracketExpression, *ast.Optional, *ast.OptionalChain:
		return w.chain(f, Call)
	case *ast.FunctionLiteral: // which is called at once
		called := &binding{parameters: newParameters(f.ParameterList)}
		w.pass(called, arguments)
		w.literal(f, called.parameters)
	case *ast.ArrowFunctionLiteral:
		called := &binding{parameters: newParameters(f.ParameterList)}
		w.pass(called, arguments)
		w.arrow(f, called.parameters)
	default:
		w.expression(callee)
	}
	return nil
}

// special notes calls of functions of the language that read or write a property.
func (w *walker) special(callee *value, arguments []ast.Expression) {
	n := len(callee.path)
	if n == 0 || len(arguments) == 0 {
		return
	}
	switch method := callee.path[n-1].Name; {
	case method == "hasOwnProperty":
		object := *callee
		object.path = callee.path[:n-1]
		if name, ok := text(arguments[0]); ok {
			w.use(object.then(Step{name, arguments[0].Idx0()}), Read)
		}
	case callee.free == "Object" && method == "assign":
		if v := w.valueOf(arguments[0]); v != nil {
			w.use(v.then(Step{At: arguments[0].Idx0()}), Write)
		}
	}
}

func (w *walker) assign(e *ast.AssignExpression) {
	if e.Operator != token.ASSIGN {
		w.expression(e.Left)
		w.branch(nil, func() { w.expression(e.Right) })
		w.write(e.Left, nil)
		return
	}
	if left, ok := e.Left.(*ast.Identifier); ok {
		w.assigned(left, e.Right)
	} else {
		w.expression(e.Right)
	}
	switch left := e.Left.(type) {
	case *ast.Identifier:
		w.bind(left.Name.String(), w.valueOf(e.Right))
		w.use(w.refer(left), Write).Value = e.Right
	case *ast.ArrayPattern, *ast.ObjectPattern:
		w.pattern(left, w.valueOf(e.Right), false)
	default:
		w.write(left, e.Right)
	}
}

// write notes that a target is assigned.
func (w *walker) write(target, assigned ast.Expression) {
	var written *seen
	if id, ok := target.(*ast.Identifier); ok {
		written = w.use(w.refer(id), Write)
	} else if written = w.chainOf(target, Write); written == nil {
		w.expression(target)
		return
	}
	written.Value = assigned
}

// chainOf is chain for targets that are properties.
func (w *walker) chainOf(target ast.Expression, kind Kind) *seen {
	switch target.(type) {
	case *ast.DotExpression, *ast.BracketExpression:
		if w.valueOf(target) != nil {
			return w.chain(target, kind)
		}
	}
	return nil
}

func (w *walker) unary(e *ast.UnaryExpression) {
	switch e.Operator {
	case token.TYPEOF:
		if id, ok := e.Operand.(*ast.Identifier); ok {
			w.use(w.refer(id), Typeof)
			return
		}
	case token.DELETE:
		if w.chainOf(e.Operand, Delete) != nil {
			return
		}
	case token.INCREMENT, token.DECREMENT:
		w.expression(e.Operand)
		w.write(e.Operand, nil)
		return
	}
	w.expression(e.Operand)
}

func (w *walker) binary(e *ast.BinaryExpression) {
	w.expression(e.Left)
	var defined []string
	switch e.Operator {
	case token.LOGICAL_AND:
		defined, _ = definedIf(e.Left)
	case token.LOGICAL_OR:
		_, defined = definedIf(e.Left)
	case token.COALESCE:
	case token.IN:
		w.expression(e.Right)
		if name, ok := text(e.Left); ok {
			if v := w.valueOf(e.Right); v != nil {
				w.use(v.then(Step{name, e.Left.Idx0()}), Read)
			}
		}
		return
	default:
		w.expression(e.Right)
		return
	}
	w.branch(defined, func() { w.expression(e.Right) })
}

// definedIf returns the identifiers that exist if a test holds, and those that exist if it does
// not, as typeof tells.
func definedIf(test ast.Expression) (yes, no []string) {
	switch e := test.(type) {
	case *ast.UnaryExpression:
		if e.Operator == token.NOT {
			no, yes = definedIf(e.Operand)
		}
	case *ast.BinaryExpression:
		return definedIfBoth(e)
	}
	return yes, no
}

func definedIfBoth(e *ast.BinaryExpression) (yes, no []string) {
	switch e.Operator {
	case token.LOGICAL_AND:
		left, _ := definedIf(e.Left)
		right, _ := definedIf(e.Right)
		return slices.Concat(left, right), nil
	case token.LOGICAL_OR:
		_, left := definedIf(e.Left)
		_, right := definedIf(e.Right)
		return nil, slices.Concat(left, right)
	}
	name, class := typeTest(e.Left, e.Right)
	if name == "" {
		name, class = typeTest(e.Right, e.Left)
	}
	if name == "" {
		return nil, nil
	}
	same := e.Operator == token.EQUAL || e.Operator == token.STRICT_EQUAL
	differs := e.Operator == token.NOT_EQUAL || e.Operator == token.STRICT_NOT_EQUAL
	switch {
	case class == "undefined" && same:
		return nil, []string{name}
	case class == "undefined" && differs:
		return []string{name}, nil
	case same:
		return []string{name}, nil
	case differs:
		return nil, []string{name}
	}
	return nil, nil
}

// typeTest returns the identifier of typeof X, and the text that it is compared with.
func typeTest(asked, with ast.Expression) (name, class string) {
	unary, ok := asked.(*ast.UnaryExpression)
	if !ok || unary.Operator != token.TYPEOF {
		return "", ""
	}
	id, ok := unary.Operand.(*ast.Identifier)
	class, isText := text(with)
	if !ok || !isText {
		return "", ""
	}
	return id.Name.String(), class
}
