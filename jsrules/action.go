package jsrules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/unistring"
	"github.com/seed055b7978/delegation"
)

// Reasons why an Action is refused or has failed, for errors.Is.
var (
	// ErrAction is a source that is not an Action, or is too large.
	ErrAction = errors.New("an Action is a module that exports a function " +
		"onExecutePostLogin(event, api), at most 100 kB in UTF-8")
	// ErrUnsettled is an Action whose promise is never settled: nothing is left that could settle
	// it.
	ErrUnsettled = errors.New("the promise of the Action is never settled")
)

// errDenied is that an Action has called api.access.deny.
var errDenied = errors.New("denied")

// actionExport is the function of an Action that an exchange calls. Another one, such as
// onContinuePostLogin, is never called: an exchange sends nobody elsewhere.
const actionExport = "onExecutePostLogin"

// beforeAction is as long as [before], so that places in the source are found in the same way.
const beforeAction = "  "

// CompileAction makes a rule from the source of an Auth0 Action for the post-login trigger: a
// CommonJS module with exports.onExecutePostLogin = async (event, api) => {…}. Rules and Actions
// can be mixed in one chain.
//
// The Action ends when the promise that it returns is settled. The promise can be the language's
// own, or that of a library such as bluebird.
//
// api.access.deny is [delegation.Deny]. The functions of api.samlResponse choose role, session
// name, duration, tags and so on, as context.samlConfiguration does for rules;
// Options.SAMLConfiguration need not be set. Every other function of api fails the exchange: there
// is no token to add claims to and no sign-in to go on with. The error has the function's name,
// line and column, and the code [delegation.CodeRuleUnsupported], [delegation.CodeRuleRedirect] or
// [delegation.CodeRuleMultifactor].
//
// event.user is the user as earlier rules and Actions have left it. The other properties of event
// are those of context, under their names in Actions. What an Action writes to event is not kept. A
// property that nothing supplies fails the exchange with [delegation.CodeRuleContextMissing].
//
// If the source is wrong, the error is an [*Error] with line and column. Otherwise it says which
// option is wrong.
func CompileAction(name, source string, o Options) (delegation.RuleFunc, error) {
	action, err := ParseAction(name, source, o)
	if err != nil {
		return nil, err
	}
	return action.Func(), nil
}

// ParseAction is [CompileAction], and also tells what the Action needs.
func ParseAction(name, source string, o Options) (*Rule, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	compiled, err := compileAction(name, source, &o)
	if err != nil {
		return nil, err
	}
	return &Rule{compiled}, nil
}

// CompileActionFolder makes one rule from each .js file of a folder, in the order of the files'
// names, by [CompileAction]. A file's name without .js is the name of its Action. Subfolders and
// other files are not read. The error names every file that is wrong. A folder without Actions is
// an error.
//
// To share state with rules of [CompileFolder], give both the same Options.Set.
func CompileActionFolder(folder fs.FS, o Options) ([]delegation.RuleFunc, error) {
	actions, err := ParseActionFolder(folder, o)
	if err != nil {
		return nil, err
	}
	rules := make([]delegation.RuleFunc, len(actions))
	for i, action := range actions {
		rules[i] = action.Func()
	}
	return rules, nil
}

// ParseActionFolder is [CompileActionFolder], and also tells what the Actions need.
func ParseActionFolder(folder fs.FS, o Options) ([]*Rule, error) {
	if folder == nil {
		return nil, errors.New("jsrules: the folder is nil")
	}
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	var actions []*Rule
	var wrong []error
	for _, entry := range entries { // in the order of names
		if entry.IsDir() || path.Ext(entry.Name()) != ".js" {
			continue
		}
		source, err := fs.ReadFile(folder, entry.Name())
		if err != nil {
			wrong = append(wrong, fmt.Errorf("jsrules: %w", err))
			continue
		}
		name := strings.TrimSuffix(entry.Name(), ".js")
		compiled, err := compileAction(name, string(source), &o)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		actions = append(actions, &Rule{compiled})
	}
	if len(actions)+len(wrong) == 0 {
		return nil, errors.New("jsrules: the folder has no .js files")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return actions, nil
}

func compileAction(name, source string, o *Options) (*rule, error) {
	source = strings.TrimPrefix(source, "\ufeff")
	if name == "" || len(source) > maxSource || !utf8.ValidString(source) {
		return nil, &Error{Rule: name, Err: fmt.Errorf("%w, and has a name", ErrAction)}
	}
	parsed, err := parse(ruleSource+name, beforeAction+source)
	if err != nil {
		_, isRule := parse(name, before+source)
		if isRule == nil {
			return nil, &Error{Rule: name, Err: fmt.Errorf("%w: this is a rule", ErrAction)}
		}
		return nil, unsupported(source, syntaxError(name, err))
	}
	uses := vocabularyOf(parsed)
	if !uses.hasOneOf([]string{actionExport}) {
		return nil, &Error{Rule: name, Err: fmt.Errorf("%w: there is none", ErrAction)}
	}
	r := &rule{name: name, options: o, uses: uses, action: true}
	r.needs = needsOfAction(name, parsed, o)
	return r, r.compile(beforeAction+source, parsed)
}

// asModule turns a program into the expression of a function with the parameters of a module.
// The parser has read its statements as a script, so that their places are those of the source.
func asModule(parsed *ast.Program) {
	parameter := func(name string) *ast.Binding {
		return &ast.Binding{Target: &ast.Identifier{Name: unistring.NewFromString(name), Idx: 1}}
	}
	module := &ast.FunctionLiteral{
		Function: 1,
		ParameterList: &ast.ParameterList{
			Opening: 1,
			List:    []*ast.Binding{parameter("exports"), parameter("module")},
			Closing: 1,
		},
		Body:            &ast.BlockStatement{LeftBrace: 1, List: parsed.Body, RightBrace: 1},
		DeclarationList: parsed.DeclarationList,
	}
	parsed.Body = []ast.Statement{&ast.ExpressionStatement{Expression: module}}
	parsed.DeclarationList = nil
}

// action is what an Action has said in one run.
type action struct {
	// denied is the reason given to api.access.deny, or nil.
	denied *string
	// said is what the Actions have said of the SAML response. Nil: this one has said nothing.
	said *samlConfiguration
	// values are those of SAML attributes, by attribute.
	values map[string]any
	// result is what the function has returned.
	result goja.Value
}

// callAction loads the Action and calls its function, and then its timers until its promise is
// settled.
func (r *run) callAction() goja.Value {
	define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(r.program)))
	module := r.rt.NewObject()
	exports := r.rt.NewObject()
	_ = module.Set("exports", exports)
	r.must(define(exports, exports, module))
	var exported goja.Value
	if object, ok := module.Get("exports").(*goja.Object); ok {
		exported = object.Get(actionExport)
	}
	function, ok := goja.AssertFunction(exported)
	if !ok {
		panic(&callError{code: delegation.CodeRuleFailed, text: ErrAction.Error(), is: ErrAction})
	}
	r.said.result = r.awaited(r.must(function(goja.Undefined(), r.eventObject(), r.apiObject())))
	return r.said.result
}

// awaited returns what an Action has returned, as a promise of the language if it is an object. A
// promise of a library such as bluebird is not one: its Action would end before it has decided.
func (r *run) awaited(result goja.Value) goja.Value {
	if promiseOf(result) != nil || !isObject(result) {
		return result
	}
	await, _ := goja.AssertFunction(r.must(r.rt.RunProgram(awaitProgram())))
	return r.must(await(goja.Undefined(), result))
}

var awaitProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("await", "(async function (result) { return result; })", true)
})

// pending reports whether a value is a promise that is not settled.
func pending(result goja.Value) bool {
	promise := promiseOf(result)
	return promise != nil && promise.State() == goja.PromiseStatePending
}

// promiseOf returns a value as a promise, or nil if it is none.
func promiseOf(result goja.Value) *goja.Promise {
	if result == nil {
		return nil
	}
	object, isObject := result.(*goja.Object)
	if !isObject {
		return nil
	}
	promise, _ := object.Export().(*goja.Promise)
	return promise
}

// settleAction decides whether the Action permits the exchange.
func (r *run) settleAction() error {
	switch {
	case r.stopped() != nil:
		return r.stopped()
	case pending(r.said.result):
		return ErrUnsettled
	case r.said.denied != nil:
		return errDenied
	}
	return nil
}

// collectAction returns what an Action has decided.
func (r *run) collectAction(rc *delegation.RuleContext) *changes {
	return &changes{aws: rc.AWS, samlOfAction: r.said.said, values: r.said.values}
}

// callError is about a function of api that was called. The Action must not be able to catch it, so
// it leaves the Action as a Go panic.
type callError struct {
	code  delegation.Code
	text  string
	is    error // what it is for errors.Is, besides the code
	where []goja.StackFrame
}

func (e *callError) Error() string { return e.text }

// Unwrap returns the code, which the exchange's error takes over.
func (e *callError) Unwrap() error { return e.code }

func (e *callError) Is(target error) bool { return e.is != nil && target == e.is }

// refuse notes the first call that fails the exchange.
func (r *run) refuse(code delegation.Code, format string, args ...any) *callError {
	if r.refused == nil {
		r.refused = &callError{
			code:  code,
			text:  short(fmt.Sprintf(format, args...)),
			where: r.rt.CaptureCallStack(0, nil),
		}
	}
	return r.refused
}

// notInActions are globals of rules that Actions did not have.
var notInActions = []string{"configuration", "auth0", "global", "UnauthorizedError"}

// hasInActions reports whether an Action has a global of [globalNames].
func hasInActions(name string) bool { return !slices.Contains(notInActions, name) }

// located adds the place at which an error was made to the failure of an Action. For a rejected
// promise, only the error's own property stack has this place.
func (r *run) located(err error, thrown goja.Value) error {
	failure, ours := err.(*Error)
	object, isObject := thrown.(*goja.Object)
	if !r.action || !ours || !isObject {
		return err
	}
	source := regexp.QuoteMeta(ruleSource + r.name)
	frame := regexp.MustCompile(`\sat (?:.* \()?` + source + `:(\d+):(\d+)\(`)
	found := frame.FindStringSubmatch(r.text(object, "stack"))
	if found == nil {
		return err
	}
	line, _ := strconv.Atoi(found[1])
	column, _ := strconv.Atoi(found[2])
	at := place(r.name, file.Position{Line: line, Column: column}, nil)
	failure.Line = at.Line
	failure.Column = at.Column
	return failure
}
