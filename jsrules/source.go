package jsrules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
)

// otherSource says what a source is that is not one function. For a source that is wrong in another
// way, with an error of the parser, it returns nil.
func otherSource(name, source string, parsed *ast.Program, wrong error) error {
	var s *shape
	if keyword, at := moduleSyntax(source, wrong); keyword != "" {
		s = &shape{at, "a module of ES2015: remove " + keyword + ", and leave the function"}
	} else if program := asProgram(name, source); program != nil {
		s = shapeOf(program)
	} else if wrong == nil {
		s = shapeOfExpression(parsed)
	}
	if s == nil {
		return nil
	}
	return place(name, s.at, fmt.Errorf("%w: this is %s", ErrSource, s.what))
}

// shape is what a source is instead of one function, and what to do.
type shape struct {
	at   file.Position
	what string
}

// moduleSyntax returns the keyword of an ES module with which the parser ended, or "".
func moduleSyntax(source string, wrong error) (keyword string, at file.Position) {
	var list parser.ErrorList
	if !errors.As(wrong, &list) || len(list) == 0 {
		return "", file.Position{}
	}
	at = list[0].Position
	if at.Line == 1 {
		at.Column -= len(before)
	}
	start := offset(source, at.Line, at.Column)
	if start < 0 {
		return "", file.Position{}
	}
	line := source[strings.LastIndexByte(source[:start], '\n')+1 : start]
	for _, keyword := range []string{"export default", "export", "import"} {
		after, is := strings.CutPrefix(source[start:], keyword)
		if is && strings.TrimSpace(line) == "" && !strings.HasPrefix(after, "(") {
			return keyword, list[0].Position
		}
	}
	return "", file.Position{}
}

// maxNamed is how many functions without a name get one, see [asProgram].
const maxNamed = 20

// asProgram reads a source as statements, or returns nil. A function without a name, which is no
// statement, gets one.
func asProgram(name, source string) *ast.Program {
	source = strings.Repeat(" ", len(before)) + source // so that places are those of a rule
	for range maxNamed {
		program, err := parse(name, source)
		if err == nil {
			return program
		}
		var list parser.ErrorList
		if !errors.As(err, &list) || len(list) == 0 {
			return nil
		}
		at := offset(source, list[0].Position.Line, list[0].Position.Column)
		if at < 0 || !strings.HasPrefix(source[at:], "(") {
			return nil
		}
		start := strings.TrimRight(source[:at], " \t\r\n")
		if !strings.HasSuffix(start, "function") {
			return nil
		}
		source = source[:at] + anonymousName + source[at:]
	}
	return nil
}

// anonymousName is the name that [asProgram] gives. The blank keeps it apart from the keyword.
const anonymousName = " $rule"

// shapeOf says what a program is.
func shapeOf(program *ast.Program) *shape {
	at := func(node ast.Node) file.Position {
		return program.File.Position(int(node.Idx0()) - program.File.Base())
	}
	body := slices.DeleteFunc(slices.Clone(program.Body), isEmpty)
	if len(body) == 0 {
		first := file.Position{Line: 1, Column: len(before) + 1}
		return &shape{first, "an empty file: put a rule into it, or remove it"}
	}
	for _, statement := range body {
		if what := exported(statement); what != "" {
			return &shape{at(statement), what}
		}
	}
	if len(body) == 1 {
		if what := ofOneStatement(body[0]); what != "" {
			return &shape{at(body[0]), what}
		}
	}
	return besideShape(body, at)
}

func isEmpty(statement ast.Statement) bool {
	_, empty := statement.(*ast.EmptyStatement)
	return empty
}

// besideShape describes a function with other statements next to it.
func besideShape(body []ast.Statement, at func(ast.Node) file.Position) *shape {
	rule := ruleAmong(body)
	for i, statement := range body {
		f, is := statement.(*ast.FunctionDeclaration)
		switch {
		case i == rule:
			continue
		case rule < 0:
			return &shape{at(statement), "a list of statements: put them into one function"}
		case is && nameOf(f) != "":
			return &shape{at(statement), fmt.Sprintf("a rule with the function %.100q next to it: "+
				"move it into the rule's body", nameOf(f))}
		case is:
			return &shape{at(statement), "more than one rule: put each into a file of its own"}
		}
		return &shape{at(statement), "a rule with a statement next to it: move it into the " +
			"rule's body"}
	}
	return nil
}

// ruleAmong returns the place of the function that is probably the rule: it has no name, or else
// three parameters, or else it is the last one. Without a function it is -1.
func ruleAmong(body []ast.Statement) int {
	rule := -1
	best := 0
	for i, statement := range body {
		f, is := statement.(*ast.FunctionDeclaration)
		if !is {
			continue
		}
		likely := 1
		switch {
		case nameOf(f) == "":
			likely = 3
		case len(f.Function.ParameterList.List) == 3:
			likely = 2
		}
		if likely >= best {
			rule = i
			best = likely
		}
	}
	return rule
}

// nameOf returns the name of a function in the source, or "".
func nameOf(f *ast.FunctionDeclaration) string {
	name := f.Function.Name.Name.String()
	if name == strings.TrimSpace(anonymousName) {
		return ""
	}
	return name
}

// ofOneStatement describes a source of one statement, or returns "".
func ofOneStatement(statement ast.Statement) string {
	switch s := statement.(type) {
	case *ast.FunctionDeclaration:
		if s.Function.Generator {
			return "a generator: remove the * after function"
		}
	case *ast.ClassDeclaration:
		return "a class: write a function"
	case *ast.VariableStatement:
		return ofVariable(s.List)
	case *ast.LexicalDeclaration:
		return ofVariable(s.List)
	case *ast.ExpressionStatement:
		return ofExpression(s.Expression)
	case *ast.BlockStatement:
		return "a block or an object: write the function alone"
	}
	return ""
}

// ofVariable describes the declaration of a variable, or returns "".
func ofVariable(list []*ast.Binding) string {
	if len(list) != 1 {
		return ""
	}
	switch list[0].Initializer.(type) {
	case *ast.FunctionLiteral, *ast.ArrowFunctionLiteral:
		return "a function that is given to a variable: remove all before the function"
	}
	return ""
}

// ofExpression describes an expression that is no function.
func ofExpression(expression ast.Expression) string {
	switch e := expression.(type) {
	case *ast.CallExpression:
		if isFunctionLiteral(e.Callee) || isFunctionLiteral(ofMethod(e.Callee)) {
			return "a function that is called at once: remove the call after the function"
		}
	case *ast.UnaryExpression:
		return ofExpression(e.Operand)
	case *ast.FunctionLiteral:
		if e.Generator {
			return "a generator: remove the * after function"
		}
	case *ast.AssignExpression:
		if isFunctionLiteral(e.Right) {
			return "a function that is given to a variable: remove all before the function"
		}
	case *ast.ClassLiteral:
		return "a class: write a function"
	case *ast.ObjectLiteral:
		return "an object: write the function alone"
	}
	return "no function, but another expression: write the function alone"
}

// ofMethod returns the object of a method, such as the function in function () {}.call(this).
func ofMethod(expression ast.Expression) ast.Expression {
	if method, ok := expression.(*ast.DotExpression); ok {
		return method.Left
	}
	return nil
}

func isFunctionLiteral(expression ast.Expression) bool {
	return parametersOf(expression) != nil
}

// parametersOf returns the parameters of a function, or nil.
func parametersOf(expression ast.Expression) *ast.ParameterList {
	switch f := expression.(type) {
	case *ast.FunctionLiteral:
		return f.ParameterList
	case *ast.ArrowFunctionLiteral:
		return f.ParameterList
	}
	return nil
}

// shapeOfExpression describes a source that is an expression, as [before] makes it one.
func shapeOfExpression(parsed *ast.Program) *shape {
	statement, _ := parsed.Body[0].(*ast.ExpressionStatement)
	if statement == nil {
		return nil
	}
	sequence, _ := statement.Expression.(*ast.SequenceExpression)
	if sequence == nil || len(sequence.Sequence) < 2 {
		return nil
	}
	e := sequence.Sequence[1]
	return &shape{parsed.File.Position(int(e.Idx0()) - parsed.File.Base()), ofExpression(e)}
}

// What to do about a source that no exchange runs.
const (
	leaveOut     = "leave it out: it did not run in a delegation"
	actionRemedy = "compile it with CompileAction"
	ofModule     = "a module: write the rule's function alone, or register the module in " +
		"Options.Modules"
)

// exported describes an assignment to exports or module.exports, or returns "".
func exported(statement ast.Statement) string {
	s, ok := statement.(*ast.ExpressionStatement)
	if !ok {
		return ""
	}
	assigned, ok := s.Expression.(*ast.AssignExpression)
	if !ok {
		return ""
	}
	name, exports := exportOf(assigned.Left)
	switch {
	case !exports:
		return ""
	case name == actionExport || name == "onContinuePostLogin":
		return "an Action: " + actionRemedy
	case strings.HasPrefix(name, "onExecute"):
		return fmt.Sprintf("an Action of another trigger (%.100s): %s", name, leaveOut)
	case name != "":
		return ofModule
	}
	return exportedFunctionShape(namesOf(parametersOf(assigned.Right)))
}

// exportOf returns the name under which a module exports something. The name of module.exports
// itself is empty.
func exportOf(target ast.Expression) (name string, exports bool) {
	if id, ok := target.(*ast.Identifier); ok {
		return "", id.Name == "exports"
	}
	property, ok := target.(*ast.DotExpression)
	if !ok {
		return "", false
	}
	if id, ok := property.Left.(*ast.Identifier); ok && id.Name == "module" {
		return "", property.Identifier.Name == "exports"
	}
	_, exports = exportOf(property.Left)
	return property.Identifier.Name.String(), exports
}

// exportedFunctionShape describes a module that is one function with these parameters.
func exportedFunctionShape(parameters []string) string {
	switch {
	case isHook(parameters):
		return "a Hook: " + leaveOut
	case len(parameters) == 3:
		return "a module that exports a function: if it is a rule, remove module.exports =. " +
			"If it is a Hook, " + leaveOut
	}
	return ofModule
}

// namesOf returns the names of parameters. One that is not a name is empty.
func namesOf(list *ast.ParameterList) (names []string) {
	if list == nil {
		return nil
	}
	for _, p := range list.List {
		id, _ := p.Target.(*ast.Identifier)
		if id == nil {
			names = append(names, "")
			continue
		}
		names = append(names, id.Name.String())
	}
	return names
}

// isHook reports whether a function is a Hook for the exchange of client credentials.
func isHook(parameters []string) bool {
	return len(parameters) == 5 && parameters[0] == "client" && parameters[1] == "scope"
}

// databaseScripts are the scripts of a custom database, by the names in Auth0's templates, with
// what their first parameters are called there.
var databaseScripts = map[string][]string{
	"login":          {"email", "username", "usernameOrEmail", "userNameOrEmail"},
	"getByEmail":     {"email", "username", "usernameOrEmail", "userNameOrEmail"},
	"getUser":        {"email", "username", "usernameOrEmail", "userNameOrEmail"},
	"verify":         {"email"},
	"changePassword": {"email"},
	"changeEmail":    {"email", "oldEmail"},
	"changeUsername": {"oldUsername", "username"},
	"remove":         {"id"},
	"deleteUser":     {"id"},
	"create":         {"user"},
}

// otherFunction says what a function is that is no rule, as far as its parameters tell. It returns
// nil for a rule.
func otherFunction(name string, parsed *ast.Program, f ast.Expression) error {
	parameters := namesOf(parametersOf(f))
	what := ""
	switch {
	case len(parameters) < 2:
		return nil
	case isHook(parameters):
		what = "a Hook: " + leaveOut
	case len(parameters) == 2 && parameters[0] == "event" && parameters[1] == "api":
		what = "the function of an Action: put it into exports." + actionExport + ", and " +
			actionRemedy
	case isDatabaseScript(f, parameters):
		what = "a script of a custom database: " + leaveOut
	case parameters[0] == "accessToken" || parameters[0] == "access_token":
		what = "a script that fetches the profile of a social connection: " + leaveOut
	default:
		return nil
	}
	at := parsed.File.Position(int(f.Idx0()) - parsed.File.Base())
	return place(name, at, fmt.Errorf("%w: this is %s", ErrSource, what))
}

// isDatabaseScript reports whether a function is a script of a custom database.
func isDatabaseScript(f ast.Expression, parameters []string) bool {
	if parameters[0] == "email" && parameters[1] == "password" {
		return true
	}
	literal, _ := f.(*ast.FunctionLiteral)
	if literal == nil || literal.Name == nil {
		return false
	}
	name := literal.Name.Name.String()
	if name == "create" && len(parameters) != 2 {
		return false
	}
	return slices.Contains(databaseScripts[name], parameters[0])
}
