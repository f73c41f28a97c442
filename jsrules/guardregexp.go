package jsrules

import (
	"errors"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
)

// goja translates regular expressions for two engines of Go that do not match as ECMAScript says.
// They take the Kelvin sign for a k, and a property such as \p{L} for the letters p{L}. A check by
// a regular expression would then admit a user whom Node refuses. So rules match with an engine of
// this library, and goja only keeps the patterns.

// guardRegExp replaces the functions that match. All of them call exec, except split, which would
// call it once for each character.
func (r *run) guardRegExp() {
	prototype := r.prototype("RegExp")
	original := builtinOf(prototype.Get("exec"))
	exec := func(call goja.FunctionCall) goja.Value {
		object, ok := call.This.(*goja.Object)
		if !ok || object.ClassName() != "RegExp" {
			return original(call) // it throws
		}
		return r.exec(object, r.stringOf(call.Argument(0)))
	}
	r.replace(prototype, "exec", exec)
	ours := prototype.Get("exec")
	r.replace(prototype, "test", func(call goja.FunctionCall) goja.Value {
		text := r.stringOf(call.Argument(0))
		if object := hasExec(call.This, ours); object != nil {
			_, found := r.match(object, text)
			return r.rt.ToValue(found != nil)
		}
		found := r.execOf(call.This, text, exec)
		return r.rt.ToValue(!goja.IsNull(found))
	})
	r.replaceSymbol(prototype, goja.SymSplit, r.split)
}

// hasExec returns the regular expression that a value is if its function exec is the given one.
// Otherwise it returns nil.
func hasExec(value, exec goja.Value) *goja.Object {
	object, isObject := value.(*goja.Object)
	if !isObject || object.ClassName() != "RegExp" || !member(object, "exec").SameAs(exec) {
		return nil
	}
	return object
}

// execOf calls an object's exec, which may be a rule's own.
func (r *run) execOf(
	this goja.Value, text goja.String, ours func(goja.FunctionCall) goja.Value,
) goja.Value {
	object, isObject := this.(*goja.Object)
	if !isObject {
		panic(r.rt.NewTypeError("RegExp.prototype.test was called on no object"))
	}
	own, callable := goja.AssertFunction(member(object, "exec"))
	if !callable {
		return ours(goja.FunctionCall{This: this, Arguments: []goja.Value{text}})
	}
	found := r.must(own(this, text))
	if _, isObject := found.(*goja.Object); !isObject && !goja.IsNull(found) {
		panic(r.rt.NewTypeError("exec returned something other than an object or null"))
	}
	return found
}

// exec is RegExpBuiltinExec (ECMA-262 §22.2.7.2).
func (r *run) exec(object *goja.Object, text goja.String) goja.Value {
	re, found := r.match(object, text)
	if found == nil {
		return goja.Null()
	}
	return r.matchOf(re, text, found)
}

// match is exec, but returns the places of the match, or nil.
func (r *run) match(object *goja.Object, text goja.String) (*ecmaregexp.Regexp, []int) {
	r.atMost(int64(text.Length()), maxText/16, "the text to match")
	if r.recent.object != object {
		r.recent = r.newRecentPattern(object)
	}
	re, sticky, keeps := r.recent.compiled, r.recent.sticky, r.recent.keeps
	from := int64(0)
	if keeps {
		from = max(member(object, "lastIndex").ToInteger(), 0)
	}
	var found []int
	if from <= int64(text.Length()) {
		found = r.find(re, text, int(from), sticky)
	}
	if found == nil {
		if keeps {
			r.setLastIndex(object, 0)
		}
		return re, nil
	}
	if keeps {
		r.setLastIndex(object, found[1])
	}
	r.matching = lastMatch{text, found}
	return re, found
}

// recentPattern is a regular expression as it matches. Libraries test one value after the other
// against the same, and it takes longer to read its flags and its source than to match. Only its
// function compile changes them.
type recentPattern struct {
	object   *goja.Object
	compiled *ecmaregexp.Regexp
	sticky   bool
	keeps    bool // lastIndex, from match to match
}

func (r *run) newRecentPattern(object *goja.Object) recentPattern {
	flags := object.Get("flags").String()
	sticky := strings.Contains(flags, "y")
	return recentPattern{
		object:   object,
		compiled: r.patternOf(object, flags),
		sticky:   sticky,
		keeps:    sticky || strings.Contains(flags, "g"),
	}
}

func (r *run) setLastIndex(object *goja.Object, index int) {
	if err := object.Set("lastIndex", index); err != nil {
		panic(err)
	}
}

// find matches, and ends the run if its time is up. It returns nil if there is no match.
func (r *run) find(re *ecmaregexp.Regexp, text goja.String, from int, sticky bool) []int {
	if r.finder.Halt == nil {
		r.finder.Halt = func() error { return r.stopped() } // each rule has a watch of its own
	}
	found, err := r.finder.Find(re, r.unitsOf(text), from, sticky)
	if errors.Is(err, ecmaregexp.ErrTooLarge) {
		panic(r.rangeError(err.Error()))
	}
	if err != nil {
		r.halt()
	}
	return found
}

// unitsOf returns a text's code units. It keeps those of the last text, because a pattern with the
// flag g matches the same text many times.
func (r *run) unitsOf(text goja.String) []uint16 {
	if r.matched == nil || !r.matched.SameAs(text) {
		r.matched = text
		r.units = slices.Grow(r.units[:0], text.Length())[:text.Length()]
		for i := range r.units {
			r.units[i] = text.CharAt(i)
		}
	}
	return r.units
}

// matchOf makes the list that exec returns.
func (r *run) matchOf(re *ecmaregexp.Regexp, text goja.String, found []int) goja.Value {
	captures := make([]any, len(found)/2)
	groups := goja.Undefined()
	for i, name := range re.Groups() {
		captures[i] = goja.Undefined()
		if found[2*i] >= 0 {
			captures[i] = text.Substring(found[2*i], found[2*i+1])
		}
		if name == "" {
			continue
		}
		if goja.IsUndefined(groups) {
			groups = r.rt.CreateObject(nil)
		}
		r.define(groups.(*goja.Object), name, captures[i].(goja.Value))
	}
	made := r.rt.NewArray(captures...)
	_ = made.Set("index", found[0])
	_ = made.Set("input", text)
	_ = made.Set("groups", groups)
	return made
}

// patternOf compiles a pattern, once in a run. An unsupported one throws a SyntaxError.
func (r *run) patternOf(object *goja.Object, flags string) *ecmaregexp.Regexp {
	source := r.stringOf(object.Get("source"))
	var space [256]byte
	key := appendPatternKey(space[:0], source, flags)
	if found := r.literals[string(key)]; found != nil {
		return found
	}
	if found := r.patterns[string(key)]; found != nil {
		return found
	}
	for _, literals := range r.literalsOfModules {
		if found := literals[string(key)]; found != nil {
			return found
		}
	}
	units := make([]uint16, source.Length())
	for i := range units {
		units[i] = source.CharAt(i)
	}
	made, err := ecmaregexp.Compile(units, flags)
	if err != nil {
		panic(r.newError("SyntaxError", err.Error()))
	}
	if r.patterns == nil {
		r.patterns = map[string]*ecmaregexp.Regexp{}
	}
	r.patterns[string(key)] = made
	return made
}

// patternKey is different for every pattern, including patterns that contain lone surrogates.
func patternKey(source goja.String, flags string) string {
	return string(appendPatternKey(nil, source, flags))
}

func appendPatternKey(key []byte, source goja.String, flags string) []byte {
	key = append(key, flags...)
	for i := range source.Length() {
		unit := source.CharAt(i)
		key = append(key, byte(unit>>8), byte(unit))
	}
	return key
}

// split is RegExp.prototype[Symbol.split] (ECMA-262 §22.2.6.14), except that it goes from match to
// match and not from character to character.
func (r *run) split(call goja.FunctionCall) goja.Value {
	text := r.stringOf(call.Argument(0))
	limit := int64(1<<32 - 1)
	if argument := call.Argument(1); !goja.IsUndefined(argument) {
		limit = argument.ToInteger() & (1<<32 - 1)
	}
	s := r.newSplitter(call.This.ToObject(r.rt), text)
	if limit == 0 {
		return r.rt.NewArray()
	}
	size := text.Length()
	if size == 0 {
		if found, _, _ := s.match(0); found != nil {
			return r.rt.NewArray()
		}
		return r.rt.NewArray(text)
	}
	var pieces []any
	begin := 0
	for at := 0; at < size; {
		found, index, end := s.match(at)
		if found == nil || index >= size {
			break
		}
		if end == begin {
			at = after(text, index, s.unicode)
			continue
		}
		pieces = append(pieces, text.Substring(begin, index))
		for i := range lengthOf(found) - 1 {
			pieces = append(pieces, found.Get(r.rt.ToValue(i+1).String()))
		}
		if int64(len(pieces)) >= limit {
			return r.rt.NewArray(pieces[:limit]...)
		}
		begin = end
		at = end
	}
	return r.rt.NewArray(append(pieces, text.Substring(begin, size))...)
}

// splitter finds the separators of a text.
type splitter struct {
	run     *run
	pattern *goja.Object // a copy of the rule's, with the flag g and without y
	exec    goja.Callable
	text    goja.String
	unicode bool
}

func (r *run) newSplitter(given *goja.Object, text goja.String) *splitter {
	flags := strings.NewReplacer("g", "", "y", "").Replace(given.Get("flags").String()) + "g"
	class := r.rt.GlobalObject().Get("RegExp")
	pattern, err := r.rt.New(class, given.Get("source"), r.rt.ToValue(flags))
	if err != nil {
		panic(err)
	}
	exec, _ := goja.AssertFunction(pattern.Get("exec"))
	return &splitter{
		run:     r,
		pattern: pattern,
		exec:    exec,
		text:    text,
		unicode: strings.Contains(flags, "u"),
	}
}

// match returns the first match at a place or after it, its beginning and its end. found is nil if
// there is none.
func (s *splitter) match(from int) (found *goja.Object, index, end int) {
	s.run.setLastIndex(s.pattern, from)
	found, _ = s.run.must(s.exec(s.pattern, s.text)).(*goja.Object)
	if found == nil {
		return nil, 0, 0
	}
	index = int(found.Get("index").ToInteger())
	end = int(s.pattern.Get("lastIndex").ToInteger())
	return found, index, end
}

// after returns the index after the character at an index (ECMA-262 §22.2.7.3).
func after(text goja.String, at int, unicode bool) int {
	if unicode && at+1 < text.Length() && text.CharAt(at)>>10 == 0xd800>>10 &&
		text.CharAt(at+1)>>10 == 0xdc00>>10 {
		return at + 2
	}
	return at + 1
}
