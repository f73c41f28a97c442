package jsrules

import (
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/seed055b7978/delegation/jsrules/internal/scope"
)

// needsOfAction finds the needs of an Action.
func needsOfAction(name string, parsed *ast.Program, o *Options) []Need {
	f := &finder{
		options: o,
		uses:    scope.Of(parsed, exportedFunction(parsed.Body), "event", "api"),
		found:   map[Need]file.Idx{},
	}
	for i := range f.uses.List {
		f.lookInAction(&f.uses.List[i])
	}
	return f.sorted(name, parsed)
}

// lookInAction finds out what one use of an Action needs.
func (f *finder) lookInAction(u *scope.Use) {
	switch {
	case u.Free && (u.Root == "exports" || u.Root == "module"):
	case u.Free && slices.Contains(notInActions, u.Root):
		if u.Kind != scope.Typeof && !u.Set {
			f.add(u.RootAt, NeedGlobal, u.Root, false, "Actions do not have it: use event")
		}
	case u.Free:
		f.lookAtGlobal(u)
	case u.Root == "event":
		f.lookAtEvent(u)
	case u.Root == "api" && len(u.Path) > 1 && u.Kind == scope.Call:
		f.lookAtAPI(u)
	}
}

// lookAtAPI looks at a call of a function of api.
func (f *finder) lookAtAPI(u *scope.Use) {
	object := u.Path[0].Name
	function := u.Path[1].Name
	name := object + "." + function
	d := detourFunctions[name]
	switch {
	case !hasFunction(object, function) || hasEffect(object, function):
	case d != nil:
		f.add(u.At, NeedEffect, "api."+name, d.ignore(f.options), f.detourOfAction(d))
	default:
		f.add(u.At, NeedEffect, "api."+name, false, "an exchange fails if it is called: do so "+
			"only if event.transaction.protocol is not 'delegation'")
	}
}

// detourOfAction is what to do about an Action that asks for a detour.
func (f *finder) detourOfAction(d *detour) string {
	if d.ignore(f.options) {
		return "it has no effect here, as the options say"
	}
	return "call it only if event.transaction.protocol is not 'delegation', or set Options." +
		d.option
}

// lookAtEvent looks at a property of event.
func (f *finder) lookAtEvent(u *scope.Use) {
	if len(u.Path) == 0 || u.Kind == scope.Write || u.Kind == scope.Delete || u.Set {
		return
	}
	names := u.Names()
	switch {
	case names[0] == "user":
		inUser := *u
		inUser.Root = "user"
		inUser.Path = u.Path[1:]
		f.lookAtUser(&inUser)
		return
	case names[0] == "secrets" && len(names) > 1 && names[1] != "":
		_, has := f.options.Secrets[names[1]]
		remedy := ""
		if !has {
			remedy = "set it in Options.Secrets"
		}
		f.add(u.Path[1].At, NeedContext, "event.secrets."+names[1], has, remedy)
		return
	}
	for _, p := range parts {
		depth := strings.Count(p.path, ".")
		if len(names) <= depth || strings.Join(names[:depth], ".") != insideEvent(p.path) {
			continue
		}
		inContext, documented := p.of[names[depth]]
		if !documented {
			continue
		}
		path := p.path + "." + names[depth]
		f.addOfEvent(u.Path[depth].At, path, inContext)
	}
}

// insideEvent returns a path without event: "" for event itself.
func insideEvent(path string) string { return strings.TrimPrefix(path[len("event"):], ".") }

// addOfEvent notes a property of event that may be unknown. inContext is its name in context.
func (f *finder) addOfEvent(at file.Idx, path, inContext string) {
	if inContext == "" {
		inContext = path
	}
	available, remedy := f.options.supplies(inContext)
	if slices.Contains(f.options.Absent, path) {
		available, remedy = true, ""
	}
	f.add(at, NeedContext, path, available, remedy)
}

// exportedFunction returns the function that a module exports as onExecutePostLogin, or nil if that
// is not easy to see.
func exportedFunction(body []ast.Statement) ast.Expression {
	var exported ast.Expression
	for _, statement := range body {
		expression, _ := statement.(*ast.ExpressionStatement)
		if expression == nil {
			continue
		}
		assigned, _ := expression.Expression.(*ast.AssignExpression)
		if assigned == nil {
			continue
		}
		switch {
		case isExport(assigned.Left, actionExport):
			exported = assigned.Right
		case isExport(assigned.Left, ""):
			exported = memberOf(assigned.Right, actionExport)
		}
	}
	name, isName := exported.(*ast.Identifier)
	if !isName {
		return exported
	}
	return declared(body, name)
}

// isExport reports whether an expression is the export of a name, or all exports for "".
func isExport(left ast.Expression, name string) bool {
	if name != "" {
		property, isProperty := left.(*ast.DotExpression)
		if !isProperty || property.Identifier.Name.String() != name {
			return false
		}
		left = property.Left
		if exports, isName := left.(*ast.Identifier); isName {
			return exports.Name == "exports"
		}
	}
	exports, isProperty := left.(*ast.DotExpression)
	if !isProperty || exports.Identifier.Name != "exports" {
		return false
	}
	module, isName := exports.Left.(*ast.Identifier)
	return isName && module.Name == "module"
}

// memberOf returns what an object literal has under a name, or nil.
func memberOf(object ast.Expression, name string) ast.Expression {
	literal, isLiteral := object.(*ast.ObjectLiteral)
	if !isLiteral {
		return nil
	}
	for _, property := range literal.Value {
		switch p := property.(type) {
		case *ast.PropertyShort:
			if p.Name.Name.String() == name {
				return &p.Name
			}
		case *ast.PropertyKeyed:
			if key, isText := p.Key.(*ast.StringLiteral); isText && key.Value.String() == name {
				return p.Value
			}
		}
	}
	return nil
}

// declared returns the function that a name is declared as at the top of a module, or nil.
func declared(body []ast.Statement, name *ast.Identifier) ast.Expression {
	is := func(target ast.Node) bool {
		id, isName := target.(*ast.Identifier)
		return isName && id.Name == name.Name
	}
	for _, statement := range body {
		var list []*ast.Binding
		switch s := statement.(type) {
		case *ast.FunctionDeclaration:
			if is(s.Function.Name) {
				return s.Function
			}
		case *ast.VariableStatement:
			list = s.List
		case *ast.LexicalDeclaration:
			list = s.List
		}
		for _, binding := range list {
			if is(binding.Target) {
				return binding.Initializer
			}
		}
	}
	return nil
}
