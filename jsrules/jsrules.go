// Package jsrules runs Auth0's JavaScript rules, unchanged, as rules of package delegation.
//
//	rules, err := jsrules.CompileFolder(os.DirFS("rules"), jsrules.Options{Configuration: settings})
//	…
//	delegation.Config{Rules: rules, …}
//
// A rule is one function (user, context, callback), a classic one or an async one. What it writes to context.addonConfiguration.aws and
// to user decides as if a rule in Go had written it, and both kinds can stand in one chain in any order. docs/migrating-from-auth0.md says
// what is the same as at Auth0 and what differs.
//
// # Rules are trusted code
//
// This is not a sandbox. A rule is the operator's code, like a rule in Go: whoever can write one decides who gets which role. Nothing
// that a user or a caller sends is ever run. The limits below are there for mistakes, so that one rule's does not become everybody's.
//
// What is guarded: the time of a rule and of all rules of an exchange, also in loops, in promises and in timers; the depth of calls; the
// growth of the process's memory while a rule runs; the size of the source; and the built-in functions that work on in one go, where
// no time limit reaches them: repeat, padStart, padEnd, concat, replace, split and join by the size of their result, every method of
// arrays, typed arrays, apply and Array.from by length, sort by length, flat by depth, JSON by size and depth, regular expressions by
// size, time and the places to go back to. BigInt, eval and Function are not there. Rules have no network, no files and no
// process, but for what the operator gives them with Options.Modules.
//
// What is not guarded: one operation can double what is there before the next check, so memory is bounded by a multiple of the limit and
// not by the limit; a rule that wants to harm the process it runs in will find a way; and a source of 100 kB that is made for it keeps
// [Compile] busy for many seconds.
//
// # Regular expressions
//
// Rules match with an engine of this library that follows ECMAScript, and not with goja's, to which
// the sign of Kelvin is a k. It backtracks, as Node's does. Characters are those of Unicode 15.0. The
// flag v, Script_Extensions, the properties of emoji and those that depend on normalisation are not
// supported: a literal with one does not compile, and at run time it throws a SyntaxError.
//
// # What a run is
//
// A rule is compiled once. Each run has a JavaScript runtime of its own, so nothing goes from one
// user to the next but what the rule puts into global. A rule that leaves functions in global is
// followed in its runtime by the next rules of the exchange. A run stays on the caller's goroutine
// and leaves none behind. user and context are converted as far as the rule looks at
// them: what it does not touch stays as it is, to the last digit of a number. What it leaves comes back as JSON would carry it:
// dates as text, functions and undefined not at all.
//
// Timers do not wait. When nothing is left to do but a timer, its time has come: Date moves on by as much, and it counts against the limit. Once
// callback was called, and the promises that could be settled are, the run is over: what timers would still do is not done.
package jsrules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
)

// Options are what rules find around them. The zero value is ready for rules that need nothing.
// They are copied; later changes have no effect.
type Options struct {
	// Configuration is the global configuration, by name.
	Configuration map[string]string
	// Domain is auth0.domain, such as tenant.auth0.com. Its first label is context.tenant.
	Domain string
	// Modules are what require finds besides buffer, crypto, querystring and util, by name.
	Modules map[string]Module

	// Context gives properties of context that an ID token does not tell, such as clientName,
	// clientMetadata, stats or organization. RuleContext.Target says for which target. Each
	// property replaces what is there otherwise, but those of request are added to it. Its error
	// fails the rule. It is called for the first JavaScript rule of an exchange only. Nil gives
	// none.
	//
	// A rule that reads a property that neither token, request nor Context supplies fails the
	// exchange with [delegation.CodeRuleContextMissing]: undefined would let a check such as
	// context.clientName === 'X' pass.
	Context func(
		ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error)

	// Absent lists properties of context that rules may read although nobody supplies them, such
	// as clientName, organization or request.geoip. They are undefined, and clientMetadata is
	// empty. A name that is not one of those that can be missing is an error of [Compile].
	Absent []string

	// IgnoreMissingUser lets callback(null, null, context) go on with the user as it was. By
	// default it fails the exchange with [delegation.CodeRuleUserMissing]. callback(null) without
	// a second argument always keeps the user.
	IgnoreMissingUser bool
	// IgnoreRedirect lets an exchange go on although context.redirect is set after the last rule.
	// By default it fails with [delegation.CodeRuleRedirect].
	IgnoreRedirect bool
	// IgnoreMultifactor lets an exchange go on although context.multifactor is set after the last
	// rule. By default it fails with [delegation.CodeRuleMultifactor].
	IgnoreMultifactor bool

	// Set is what rules share: global, and within an exchange the context. Nil means that the
	// rules of one call of [Compile] or [CompileFolder] share one.
	Set *Set

	// RuleTimeout is the limit for one rule. Zero is 2 seconds.
	RuleTimeout time.Duration
	// ChainTimeout is the limit for all rules of the Set in one exchange together, without rules
	// in Go. Zero is 20 seconds.
	ChainTimeout time.Duration
	// Logger gets what rules say to console. Nil is silence.
	Logger *slog.Logger
	// Now is what Date starts from. Nil is time.Now. Limits are in real time.
	Now func() time.Time

	// clock is what the limits are measured with: time.Now, but in tests, whose outcome must not
	// depend on how fast the machine is.
	clock func() time.Time
}

// Limits that are not options. Real rules stay far below them.
const (
	maxSource = 100_000 // bytes of a rule; what Auth0 advised
	maxDepth  = 1_000   // of calls
	maxMemory = 64 << 20
	maxText   = 16 << 20 // characters that one built-in function returns, or takes as JSON or for a regular expression in all
	maxList   = 1 << 20  // elements that one built-in function goes through
	maxSorted = 100_000  // elements that are sorted
	maxNested = 200      // built-in functions within each other, and levels of lists and JSON
	maxValues = 100_000  // values that a rule leaves in user, context or global
	maxError  = 1_000    // bytes of a rule's message
)

func (o *Options) complete() error {
	if o.RuleTimeout < 0 || o.ChainTimeout < 0 {
		return errors.New("RuleTimeout and ChainTimeout must not be negative")
	}
	for _, name := range o.Absent {
		if !canBeAbsent(name) {
			return fmt.Errorf("%s: %q is no property of context that can be missing: %s",
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
	o.Modules = maps.Clone(o.Modules)
	o.Absent = slices.Clone(o.Absent)
	for name, module := range o.Modules {
		compiled, err := module.compile(name)
		if err != nil {
			return fmt.Errorf("module %q: %w", name, err)
		}
		o.Modules[name] = compiled
	}
	return nil
}

// Compile makes a rule of JavaScript source: one function expression, classic, async or an arrow, named or not, with or without a semicolon
// behind it. Events and errors of the exchange name the rule by name. An error is an [*Error] with line and column if the
// source is wrong, and says which option is wrong otherwise.
//
// A rule refuses with callback(new UnauthorizedError(reason)), which is [delegation.Deny], also if it is thrown; any other error given to
// callback or thrown fails the exchange, and so does a rule that does not call callback exactly once.
func Compile(name, source string, o Options) (delegation.RuleFunc, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("jsrules: %w", err)
	}
	return compileRule(name, source, &o)
}

// CompileFolder makes the rules of a folder's .js files, in the order of their names, which without .js name the rules; folders within are
// not read. Every file that is wrong is named in the error. A folder without rules is an error.
func CompileFolder(folder fs.FS, o Options) ([]delegation.RuleFunc, error) {
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
	var rules []delegation.RuleFunc
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
		rule, err := compileRule(strings.TrimSuffix(entry.Name(), ".js"), string(source), &o)
		if err != nil {
			wrong = append(wrong, err)
		}
		rules = append(rules, rule)
	}
	if len(rules)+len(wrong) == 0 {
		return nil, errors.New("jsrules: the folder has no .js files")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return rules, nil
}
