// Package jsrules runs Auth0's JavaScript rules, unchanged, as rules of package delegation.
//
//	options := jsrules.Options{Configuration: settings}
//	rules, err := jsrules.CompileFolder(os.DirFS("rules"), options)
//	…
//	delegation.Config{Rules: rules, …}
//
// A rule is one function (user, context, callback), classic or async. What it writes to
// context.addonConfiguration.aws and to user has the same effect as in a rule written in Go. One
// chain can hold both kinds in any order. docs/javascript-rules.md says what is the same as at
// Auth0 and what differs.
//
// Actions are the modules that came after rules. [CompileAction] makes a rule of one, and a chain
// can hold both. Everything below about rules also applies to Actions.
//
// # Rules are trusted code
//
// This is not a sandbox. A rule is the operator's code, like a rule in Go: its author decides who
// gets which role. Nothing that a user or a caller sends is ever run. The limits below guard
// against mistakes, so that a mistake in one rule does not affect every exchange.
//
// What is guarded:
//
//   - the time of a rule and of all rules of an exchange, also in loops, promises and timers;
//   - the depth of calls, and the size of the source;
//   - the growth of the process's memory while a rule runs;
//   - built-in functions that a time limit cannot interrupt. repeat, padStart, padEnd, concat,
//     replace, split and join are limited by the size of their result. Every method of arrays,
//     typed arrays, apply and Array.from are limited by length, sort by length, flat by depth, and
//     JSON by size and depth. Regular expressions are limited by size, time and the number of
//     places to backtrack to.
//
// BigInt, eval and Function are not available. Functions of crypto are limited by the size of their
// result and the number of their rounds, and a Buffer has at most 1 MiB. Rules have no files and no
// process, and call no host but those of Options.HTTP, except for what the operator gives them in
// Options.Modules.
//
// What is not guarded:
//
//   - One operation can double the memory in use before the next check. Memory is bounded by a
//     multiple of the limit, not by the limit.
//   - A rule that is written to harm its process will find a way.
//   - A source of 100 kB can be written so that [Compile] takes many seconds.
//
// # What a rule needs
//
// A rule is read before it runs. [Rule.Needs] of [Parse] lists what the rule takes from outside:
// globals, modules, members of auth0, properties of context and user, and names of configuration.
// It also lists what the rule does that has a meaning only in a sign-in. Each entry has its place
// in the source, whether a run finds it, and what to do. [delegation.New] logs what is missing, and
// Check and Explain list it. If a run reaches an identifier, a module or a member of auth0 that is
// missing, the rule fails with an error that also says what to do.
//
// # Regular expressions
//
// Rules match with an engine of this library that follows ECMAScript. goja's own engine does not:
// it takes the Kelvin sign for a k. The engine backtracks, as Node's does. Its characters are those
// of Unicode 15.0. It does not support the flag v, Script_Extensions, the properties of emoji and
// the properties that depend on normalisation. A literal that uses one of them does not compile; a
// pattern made at run time throws a SyntaxError.
//
// # The language
//
// Rules run as in Node 20. A source that the interpreter would read differently does not compile:
// HTML comments, a chain such as a < b < c, and a function that is used outside of the block in
// which it is declared. Other parts of the language that do not compile are for await, async
// generators, import and BigInt. Too many nested calls end the rule, even inside try.
//
// Dates are in UTC. toLocaleString and its kind write en-US, and throw a RangeError for a locale or
// an option that is not here. There is no Intl. Other time zones than UTC are those that the
// machine knows; a program that imports time/tzdata knows all. The functions of Math may differ
// from Node in the last digits. An assignment to a property with a bit operator, such as a.b |= c,
// is exact only if the old value of the property is below 2^63.
//
// # What a run is
//
// A rule is compiled once. Each run has a JavaScript runtime of its own, so nothing passes from one
// user to the next except what the rule puts into global. If a rule leaves functions in global, the
// next rules of the exchange run in the same runtime. JavaScript runs on the caller's goroutine
// only. Each call over HTTP has a goroutine of its own, which ends before the run does.
//
// user and context are converted only where the rule reads or writes them. Everything else stays as
// it is, to the last digit of a number. What the rule leaves comes back as JSON would carry it:
// dates as text, functions and undefined not at all.
//
// Timers do not wait. When only timers are left to do, the earliest one is due at once: Date moves
// forward by its delay, and the delay counts against the time limit. The run is over when callback
// was called and every promise that can be settled is settled. Timers that remain then do not run.
//
// # Calls over HTTP
//
// The calls of a rule run at the same time. Their results come to the rule one after the other, in
// the order in which they arrive, whenever none of its functions is running. A result that has
// arrived comes before a timer that is due.
//
// While a call is under way, time is real and timers do wait: the run sleeps until the call has its
// result or the earliest timer is due. So setTimeout can limit the time of a call, for example in
// Promise.race. Date moves with the real time and with what timers have skipped before. When no
// call is under way, timers do not wait.
//
// When callback has been called, calls that are still under way have at most one second, within the
// time of the rule, to end. So a rule can report to a service without waiting for the answer. The
// results of these calls are discarded, and calls that do not end are cancelled. When the time of
// the rule or the exchange ends, all calls are cancelled at once.
package jsrules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// Options are the environment of rules. The zero value is ready for rules that need nothing.
// They are copied; later changes have no effect.
type Options struct {
	// Configuration is the global configuration, by name. In texts for errors, logs, events and
	// users, a value of six bytes or more is replaced by its name, such as
	// ‹configuration.API_KEY›. A value that users are to see belongs in Globals.
	Configuration map[string]string
	// Secrets are event.secrets of Actions, by name. An Action that reads another name fails the
	// exchange with [delegation.CodeRuleContextMissing]. Rules do not see them. In texts for
	// errors, logs and events they are replaced as those of Configuration are.
	Secrets map[string]string
	// Domain is auth0.domain, such as tenant.auth0.com. Its first label is context.tenant.
	Domain string
	// Modules are what require finds, by name, in addition to the built-in modules, to lodash,
	// moment, moment-timezone, async and bluebird, and to the modules of [HTTP]. A module here
	// replaces the one of its name.
	Modules map[string]Module

	// Globals are further globals of rules and modules, by name. Values are what JSON can carry,
	// 100,000 in all at most. Each run of a rule has copies of its own, so that nothing that a rule
	// writes into them is seen elsewhere. A value that a rule does not use costs nothing. [Compile]
	// returns an error for a name that is a word of JavaScript, or a global that rules have
	// already: it would change what a rule was written for.
	Globals map[string]any

	// HTTP permits rules to call the hosts that it lists. Nil permits none, and the modules and
	// globals for HTTP do not exist.
	HTTP *HTTP

	// Auth0 are the members of auth0 that the operator gives, by name, such as
	// users.updateAppMetadata. In a rule, each returns a promise, or calls its last argument if it
	// is a function. The Function gets the other arguments. accessToken and baseUrl are values:
	// their Functions get no arguments, and are called when a run first reads them. Without a
	// Function, baseUrl is that of the Domain. All other members that rules knew throw an error
	// that says what to give.
	Auth0 map[string]Function

	// Context supplies properties of context that an ID token does not hold, such as clientName,
	// clientMetadata, stats or organization. RuleContext.Target names the target. Each property
	// replaces the one that is there otherwise, except that those of request are added to it. An
	// error fails the rule. Context is called once in an exchange, for its first JavaScript rule.
	// Nil supplies nothing.
	//
	// A rule that reads a property that neither token, request nor Context supplies fails the
	// exchange with [delegation.CodeRuleContextMissing]: undefined would let a check such as
	// context.clientName === 'X' pass.
	Context func(
		ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error)

	// ContextNames lists the properties that Context supplies in every exchange, such as
	// clientName, clientMetadata or request.geoip. Only [Rule.Needs] uses them. If ContextNames is
	// nil, [Rule.Needs] assumes that Context may supply any property.
	ContextNames []string

	// Absent lists properties of context that rules may read although nothing supplies them, such
	// as clientName, organization or request.geoip. They are undefined, and clientMetadata is
	// empty. [Compile] returns an error for a name that is not one of those that can be missing.
	Absent []string

	// IgnoreMissingUser lets callback(null, null, context) continue with the user as it was. By
	// default it fails the exchange with [delegation.CodeRuleUserMissing]. callback(null) without
	// a second argument always keeps the user.
	IgnoreMissingUser bool
	// IgnoreRedirect lets an exchange continue if context.redirect is set after the last rule. By
	// default it fails with [delegation.CodeRuleRedirect].
	IgnoreRedirect bool
	// IgnoreMultifactor lets an exchange continue if context.multifactor is set after the last
	// rule. By default it fails with [delegation.CodeRuleMultifactor].
	IgnoreMultifactor bool

	// SAMLConfiguration gives context.samlConfiguration an effect. SAMLConfigurationAWS is for
	// rules that were written for Auth0's SAML add-on, with AWS as the application: the property
	// chooses role, session name, duration, tags and so on. It takes effect after the last rule.
	// Settings that AWS does not read, or that this library handles differently, are refused.
	// Empty: the property decides nothing, and the event warns of saml_configuration_unused if a
	// rule sets it. Any other value is an error.
	SAMLConfiguration string

	// Set is the state that rules share: global, and within an exchange the context. With nil, the
	// rules of one call of [Compile] or [CompileFolder] share one.
	Set *Set

	// RuleTimeout is the limit for one rule. Zero is 2 seconds.
	RuleTimeout time.Duration
	// ChainTimeout is the limit for all rules of the Set in one exchange together. Rules in Go do
	// not count. Zero is 20 seconds.
	ChainTimeout time.Duration
	// Logger gets what rules write to console. Nil discards it.
	Logger *slog.Logger
	// Now is the time that Date starts from. Nil is time.Now. Limits are in real time.
	Now func() time.Time

	// clock measures the limits. It is time.Now, except in tests, whose outcome must not depend on
	// the speed of the machine.
	clock func() time.Time
	// hiding hides the values of Configuration and Secrets in texts.
	hiding func() *hiding
	// web is made from HTTP. It is nil without.
	web *webAccess
}

// Limits that are not options. Real rules stay far below them.
const (
	// maxSource is the size of a rule in bytes, as Auth0 advised.
	maxSource = 100_000
	// maxDepth limits nested calls, and pending timers.
	maxDepth = 1_000
	// maxMemory is how many bytes the process may grow by while a rule runs, without what other
	// rules may hold: see [memoryOfOthers].
	maxMemory = 64 << 20
	// maxText limits the characters that one built-in function returns. One sixteenth of it limits
	// the text that is parsed as JSON or matched by a regular expression.
	maxText = 16 << 20
	// maxList limits the elements that one built-in function visits.
	maxList = 1 << 20
	// maxSorted limits the elements that are sorted.
	maxSorted = 100_000
	// maxNested limits nested calls of built-in functions, and levels of lists and JSON.
	maxNested = 200
	// maxValues limits the values that a rule leaves in user, context or global.
	maxValues = 100_000
	// maxError limits the bytes of a rule's message.
	maxError = 1_000
)

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	if o.RuleTimeout < 0 || o.ChainTimeout < 0 {
		return errors.New("RuleTimeout and ChainTimeout must not be negative")
	}
	if o.SAMLConfiguration != "" && o.SAMLConfiguration != SAMLConfigurationAWS {
		return fmt.Errorf("SAMLConfiguration %.100q is not %q",
			o.SAMLConfiguration, SAMLConfigurationAWS)
	}
	for _, name := range o.Absent {
		if !canBeAbsent(name) {
			return fmt.Errorf("%s: %q is not a property of context that can be missing: %s",
				"Absent", name, strings.Join(missable(), ", "))
		}
	}
	o.RuleTimeout = cmp.Or(o.RuleTimeout, 2*time.Second)
	o.ChainTimeout = cmp.Or(o.ChainTimeout, 20*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Set = cmp.Or(o.Set, &Set{})
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.clock == nil {
		o.clock = time.Now
	}
	o.Configuration = maps.Clone(o.Configuration)
	globals, err := givenGlobals(o.Globals)
	if err != nil {
		return err
	}
	o.Globals = globals
	o.Secrets = maps.Clone(o.Secrets)
	configuration := o.Configuration
	secrets := o.Secrets
	o.hiding = sync.OnceValue(func() *hiding { return newHiding(configuration, secrets) })
	o.Modules = maps.Clone(o.Modules)
	o.Absent = slices.Clone(o.Absent)
	if err := checkAuth0(o.Auth0); err != nil {
		return err
	}
	o.Auth0 = maps.Clone(o.Auth0)
	o.ContextNames = slices.Clone(o.ContextNames)
	web, err := o.HTTP.webAccess()
	if err != nil {
		return fmt.Errorf("HTTP: %w", err)
	}
	o.web = web
	for name, module := range o.Modules {
		compiled, err := module.compile(name)
		if err != nil {
			return fmt.Errorf("module %q: %w", name, err)
		}
		o.Modules[name] = compiled
	}
	return nil
}

// Compile makes a rule from JavaScript source. The source is one function expression: classic,
// async or an arrow, with or without a name, with or without a semicolon after it. Events and
// errors of the exchange call the rule by name. If the source is wrong, the error is an [*Error]
// with line and column. For a source that is something else, such as an Action, a module or a rule
// with functions next to it, it wraps [ErrSource] and says what the source is and what to do.
// Otherwise the error says which option is wrong.
//
// A rule refuses with callback(new UnauthorizedError(reason)), or by throwing that error; both are
// [delegation.Deny]. Any other error that is thrown or given to callback fails the exchange, and so
// does a rule that does not call callback exactly once.
func Compile(name, source string, o Options) (delegation.RuleFunc, error) {
	rule, err := Parse(name, source, o)
	if err != nil {
		return nil, err
	}
	return rule.Func(), nil
}

// CompileFolder makes one rule from each .js file of a folder, in the order of the files' names.
// A file's name without .js is the name of its rule. Subfolders are not read. The error names every
// file that is wrong. A folder without rules is an error.
//
// A file such as role.json describes the rule in role.js, with the members that Auth0's Deploy CLI
// writes: script, enabled, order, stage, name and id. If a folder has such files, each rule must
// have one. Rules with enabled: false and those of another stage than login_success are left out,
// and the others run in their order. It is an error if a member is unknown or has the wrong type,
// if a script or a description is missing, if two files name the same script, or if two rules have
// the same order or only some have one. A folder in which no rule is enabled is also an error.
func CompileFolder(folder fs.FS, o Options) ([]delegation.RuleFunc, error) {
	parsed, err := ParseFolder(folder, o)
	if err != nil {
		return nil, err
	}
	rules := make([]delegation.RuleFunc, len(parsed))
	for i, rule := range parsed {
		rules[i] = rule.Func()
	}
	return rules, nil
}
