package jsrules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules/internal/scope"
)

// Need is something that a rule takes from outside: a name that it uses, a property that it reads,
// or an effect that it has.
type Need struct {
	// Kind is the kind of thing.
	Kind NeedKind
	// Name names it within its kind, such as request, users.updateAppMetadata, request.geoip or
	// redirect. A name that the rule makes at run time is empty.
	Name string
	// Line and Column are the first place in the source that needs it, from 1.
	Line, Column int
	// Available says that a run finds it, or that the effect is as at Auth0. The options decide. A
	// property of context counts as available if Options.Context may supply it, see
	// Options.ContextNames.
	Available bool
	// Remedy says what to do if the need is not available. If it is available, Remedy is empty, or
	// says what the availability depends on.
	Remedy string
}

// NeedKind is the kind of thing that a rule needs.
type NeedKind string

// The kinds of needs.
const (
	// NeedGlobal is a free identifier, such as request or Buffer. The language's own, such as JSON,
	// are listed only if they are not available.
	NeedGlobal NeedKind = "global"
	// NeedModule is a module that the rule loads with require.
	NeedModule NeedKind = "module"
	// NeedAuth0 is a member of auth0, such as users.updateAppMetadata.
	NeedAuth0 NeedKind = "auth0"
	// NeedContext is a property of context that Auth0 supplied, such as clientName or
	// request.geoip.
	NeedContext NeedKind = "context"
	// NeedConfiguration is a name of configuration. A rule reads undefined for a name that is not
	// set.
	NeedConfiguration NeedKind = "configuration"
	// NeedUser is a property of the user that was in Auth0's profile and is in no ID token by
	// itself, such as app_metadata. It is never available by the options: Config.Profile or a claim
	// of the token supplies it.
	NeedUser NeedKind = "user"
	// NeedSAMLConfiguration is a setting of the SAML add-on that the rule writes:
	// context.samlConfiguration, or a property of the user for its mappings, such as awsRole.
	NeedSAMLConfiguration NeedKind = "samlConfiguration"
	// NeedEffect is something that the rule does and that means something in a sign-in only:
	// redirect, multifactor, idToken, accessToken, jwtConfiguration, "sign-up" for what it does at
	// a user's first sign-in, and api.X for a function of api in an Action.
	NeedEffect NeedKind = "effect"
)

// needsOf finds the needs of a rule.
func needsOf(name string, parsed *ast.Program, o *Options) []Need {
	f := &finder{
		options: o,
		uses:    scope.Of(parsed, function(parsed.Body), "user", "context"),
		found:   map[Need]file.Idx{},
	}
	for i := range f.uses.List {
		f.look(&f.uses.List[i])
	}
	return f.sorted(name, parsed)
}

// sorted returns what was found in the order of places.
func (f *finder) sorted(name string, parsed *ast.Program) []Need {
	needs := make([]Need, 0, len(f.found))
	for need, at := range f.found {
		where := place(name, parsed.File.Position(int(at)-parsed.File.Base()), nil)
		need.Line = where.Line
		need.Column = where.Column
		needs = append(needs, need)
	}
	slices.SortFunc(needs, func(a, b Need) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column,
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return needs
}

// finder finds needs.
type finder struct {
	options *Options
	uses    *scope.Uses
	found   map[Need]file.Idx // without places
}

// add notes a need. Its first place counts.
func (f *finder) add(at file.Idx, kind NeedKind, name string, available bool, remedy string) {
	need := Need{Kind: kind, Name: name, Available: available, Remedy: remedy}
	if before, has := f.found[need]; !has || at < before {
		f.found[need] = at
	}
}

// look finds out what one use needs.
func (f *finder) look(u *scope.Use) {
	switch {
	case u.Free:
		f.lookAtGlobal(u)
	case u.Root == "user":
		f.lookAtUser(u)
	case u.Root == "context":
		f.lookAtContext(u)
	}
}

// lookAtGlobal looks at a free identifier.
func (f *finder) lookAtGlobal(u *scope.Use) {
	name := u.Root
	if u.Kind == scope.Typeof || u.Set || f.uses.Assigned[name] {
		return
	}
	switch {
	case u.Kind == scope.Write && len(u.Path) == 0:
		if u.Strict && !f.options.hasGlobal(name) {
			f.add(u.RootAt, NeedGlobal, name, false, "declare it with var, let or const")
		}
	case !ofLanguage(name) || madeOfText[name] && u.Kind == scope.Call:
		f.add(u.RootAt, NeedGlobal, name, f.options.hasGlobal(name), f.globalRemedy(name))
	}
	switch name {
	case "require":
		f.lookAtModule(u)
	case "auth0":
		f.lookAtAuth0(u)
	case "configuration":
		if len(u.Path) > 0 && u.Kind != scope.Write {
			f.configuration(u.Path[0])
		}
	}
}

// madeOfText are names of the language that make code from text, which is refused.
var madeOfText = map[string]bool{"Function": true}

// ofLanguage reports whether a global is one of the language itself that a run finds.
func ofLanguage(name string) bool {
	return languageGlobals()[name] && !slices.Contains(deleted, name)
}

// hasGlobal reports whether a run finds a global.
func (o *Options) hasGlobal(name string) bool {
	if _, given := o.Globals[name]; given || slices.Contains(globalNames, name) {
		return true
	}
	if _, web := webGlobals[name]; web {
		return o.web != nil
	}
	return ofLanguage(name) && !madeOfText[name]
}

// globalRemedy is what to do about a global that may not be there.
func (f *finder) globalRemedy(name string) string {
	_, inBlock := f.uses.Blocks[name]
	_, web := webGlobals[name]
	switch {
	case f.options.hasGlobal(name):
		return ""
	case inBlock:
		return "declare the function at the beginning of the rule's body, not in a block"
	case web:
		return "list the hosts that rules may call in Options.HTTP.Allow"
	case madeOfText[name] || slices.Contains(deleted, name):
		return "write the rule without it"
	}
	return "give it in Options.Globals, or require a module of Options.Modules"
}

// lookAtModule looks at a call of require.
func (f *finder) lookAtModule(u *scope.Use) {
	if len(u.Path) > 0 || u.Kind == scope.Write {
		return
	}
	name, constant := "", false
	if u.Kind == scope.Call && len(u.Arguments) > 0 {
		name, constant = scope.Text(u.Arguments[0])
	}
	if !constant {
		f.add(u.RootAt, NeedModule, "", false,
			"the name is made at run time: write it as a string literal, so that it can be checked")
		return
	}
	remedy := ""
	base, available := f.options.moduleName(name)
	if !available {
		remedy = moduleRemedy(base)
	}
	f.add(u.RootAt, NeedModule, name, available, remedy)
}

// lookAtAuth0 looks at a member of auth0, or of auth0.users.
func (f *finder) lookAtAuth0(u *scope.Use) {
	if len(u.Path) == 0 || u.Kind == scope.Write || u.Kind == scope.Delete {
		return
	}
	member := u.Path[0]
	name := member.Name
	if name == "users" {
		if len(u.Path) == 1 {
			return // an object, whatever its members
		}
		member = u.Path[1]
		name = strings.TrimSuffix("users."+member.Name, ".")
	}
	switch {
	case name == "":
	case f.options.hasAuth0(name):
		f.add(member.At, NeedAuth0, name, true, "")
	case !ofEveryObject(member.Name) && !u.Set:
		f.add(member.At, NeedAuth0, name, false, auth0Remedy(name))
	}
}

// configuration looks at a name of configuration.
func (f *finder) configuration(step scope.Step) {
	if step.Name == "" {
		f.add(step.At, NeedConfiguration, "", true, "the name is made at run time: make sure "+
			"that Options.Configuration has every name that it can be")
		return
	}
	if _, has := f.options.Configuration[step.Name]; has {
		f.add(step.At, NeedConfiguration, step.Name, true, "")
		return
	}
	f.add(step.At, NeedConfiguration, step.Name, false, "set it in Options.Configuration")
}

// lacks are the needs that are not available, as [delegation.New] is told.
func (r *rule) lacks() (list []delegation.RuleNeed) {
	for _, n := range r.needs {
		if n.Available || n.Idle() {
			continue
		}
		need := delegation.RuleNeed{
			Text:   (&Error{r.name, n.Line, n.Column, errors.New(n.missing())}).Error(),
			Remedy: n.Remedy,
		}
		if n.Kind == NeedUser {
			need.UserPath = n.userPath()
		}
		list = append(list, need)
	}
	return list
}

// Idle reports whether a need is an effect that does nothing here and fails no exchange, such as a
// claim for a token. A rule that lacks nothing else runs as it is.
func (n Need) Idle() bool {
	switch n.Name {
	case "idToken", "accessToken", "jwtConfiguration", signUp:
		return n.Kind == NeedEffect
	}
	return false
}

// missing says that a need is not available.
func (n *Need) missing() string {
	switch n.Kind {
	case NeedGlobal:
		return n.Name + " is not available here"
	case NeedModule:
		if n.Name == "" {
			return "a module whose name is made at run time is required"
		}
		return fmt.Sprintf("the module %q is not available here", n.Name)
	case NeedAuth0:
		return "auth0." + n.Name + " is not available here"
	case NeedContext:
		name := n.Name
		if !strings.HasPrefix(name, "event.") {
			name = "context." + name
		}
		return name + " is read, and is not supplied"
	case NeedConfiguration:
		return "configuration." + n.Name + " is read, and has no value"
	case NeedUser:
		return "user." + n.Name + " is read, and the user does not have it"
	case NeedSAMLConfiguration:
		name := n.Name
		if !strings.HasPrefix(name, "user.") {
			name = "context." + name
		}
		return name + " is set, which belongs to the SAML add-on"
	}
	if strings.HasPrefix(n.Name, "api.") {
		return n.Name + " is called, and fails the exchange"
	}
	return "context." + n.Name + " is set, and fails the exchange"
}

// userPath is the path of a property of the user.
func (n *Need) userPath() string { return strings.Replace(n.Name, ".", ".0.", 1) }
