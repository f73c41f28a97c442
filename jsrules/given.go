package jsrules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// identifier is a name that a source can have without quotes, as far as ASCII goes.
var identifier = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z_$][A-Za-z0-9_$]{0,99}\z`)
})

// globalsOption is what errors call [Options].Globals.
const globalsOption = "Globals"

// givenGlobals checks the globals that the operator gives, and returns copies in the form of
// decoded JSON. An error names the global and never its value.
func givenGlobals(given map[string]any) (map[string]any, error) {
	if len(given) == 0 {
		return nil, nil
	}
	copies := make(map[string]any, len(given))
	values := 0
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := checkGlobalName(name); err != nil {
			return nil, fmt.Errorf("%s: %w", globalsOption, err)
		}
		decoded, err := copyOfJSON(given[name], &values)
		if err != nil {
			return nil, fmt.Errorf("%s: %q %w", globalsOption, name, err)
		}
		copies[name] = decoded
	}
	return copies, nil
}

// noGlobals are names that parse as one, and mean something else.
var noGlobals = []string{"undefined", "arguments", "eval", "__proto__", "let", "yield", "await"}

// checkGlobalName refuses names that no rule can use, and those that mean something already. A rule
// that reads Date or configuration must get what it was written for.
func checkGlobalName(name string) error {
	if !identifier().MatchString(name) {
		return fmt.Errorf("%.80q is not a name of up to 100 letters, digits, _ and $", name)
	}
	_, err := parse("globals", before+"function () { return ("+name+"); }")
	if err != nil || slices.Contains(noGlobals, name) {
		return fmt.Errorf("%q is a word of JavaScript: choose another name", name)
	}
	if slices.Contains(globalNames, name) || languageGlobals()[name] {
		return fmt.Errorf("%q is a global that rules have already: choose another name", name)
	}
	return nil
}

// languageGlobals are all globals of the language itself.
var languageGlobals = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range goja.New().GlobalObject().GetOwnPropertyNames() {
		names[name] = true
	}
	return names
})

// copyOfJSON returns a value as decoded JSON, which shares nothing with it. values counts the
// values of all globals, which have the limit of those that a rule leaves.
func copyOfJSON(value any, values *int) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, errors.New("has a value that JSON cannot carry")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, errors.New("has a value that JSON cannot carry")
	}
	if err := countValues(decoded, values, 0); err != nil {
		return nil, err
	}
	return decoded, nil
}

// countValues refuses what no run could convert.
func countValues(value any, values *int, depth int) error {
	*values++
	if *values > maxValues {
		return fmt.Errorf("has too many values: all globals together may have %d", maxValues)
	}
	if depth > maxNested {
		return fmt.Errorf("is nested deeper than %d", maxNested)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			if err := countValues(member, values, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, member := range v {
			if err := countValues(member, values, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// givenMentioned returns which of the given globals a rule's run has to have, in the order of their
// names. A source that has the global object and reads properties by names made at run time can
// mean any of them.
func givenMentioned(given map[string]any, uses *vocabulary) (mentioned []string) {
	anyName := uses.global && (uses.computed || uses.dynamic)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if anyName || uses.names[name] {
			mentioned = append(mentioned, name)
		}
	}
	return mentioned
}

// installGiven gives the runtime the given globals that the rule can reach. A name that the rule
// itself has is converted at once. Another one, which only a module or a name made at run time can
// mean, is converted when it is first read.
func (r *run) installGiven() {
	for _, name := range r.given {
		value := r.options.Globals[name]
		if r.uses.names[name] {
			_ = r.rt.Set(name, r.in(value, name, 0))
			continue
		}
		r.installLater(name, func() goja.Value { return r.in(value, name, 0) })
	}
}

// installLater defines a global whose value is made when it is first read. To assign to it replaces
// it, as with any other global.
func (r *run) installLater(name string, value func() goja.Value) {
	global := r.rt.GlobalObject()
	keep := func(value goja.Value) {
		_ = global.DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
	}
	get := func(goja.FunctionCall) goja.Value {
		// When a published library starts, it looks for Buffer, and for a global of its own name.
		if r.starting > 0 {
			return goja.Undefined()
		}
		made := value()
		keep(made)
		return made
	}
	set := func(call goja.FunctionCall) goja.Value {
		keep(call.Argument(0))
		return goja.Undefined()
	}
	_ = global.DefineAccessorProperty(name, r.rt.ToValue(get), r.rt.ToValue(set),
		goja.FLAG_TRUE, goja.FLAG_TRUE)
}
