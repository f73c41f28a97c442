package jsrules

import (
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// maxMatch is how long one match may take in the engine that backtracks. Its clock ticks ten times in a second.
const maxMatch = 200 * time.Millisecond

// pattern is a regular expression of the rule.
type pattern struct {
	backtracks bool            // goja matches it with regexp2, because of a lookaround or a backreference
	later      *regexp2.Regexp // what goja matches with if so, or if a match does not begin at 0; nil: it cannot take long
	runes      []rune          // of text
	text       goja.String
}

// guardRegExp tries each match that can take long beforehand, with a time limit, which goja does not set. All functions that match come to exec
// or test, but split, which would come there once for each character.
func (r *run) guardRegExp() {
	prototype := r.prototype("RegExp")
	for _, name := range []string{"exec", "test"} {
		original, _ := goja.AssertFunction(prototype.Get(name))
		r.replace(prototype, name, func(call goja.FunctionCall) goja.Value {
			text := r.stringOf(call.Argument(0))
			if object, ok := call.This.(*goja.Object); ok && object.ClassName() == "RegExp" {
				r.tryMatch(object, text)
			}
			return r.must(original(call.This, text))
		})
	}
	r.replaceSymbol(prototype, goja.SymSplit, r.split)
}

func (r *run) tryMatch(object *goja.Object, text goja.String) {
	r.atMost(int64(text.Length()), maxText/16, "the text to match")
	flags := object.Get("flags").String()
	p := r.patternOf(object.Get("source").String(), flags)
	start := 0
	if strings.ContainsAny(flags, "gy") {
		start = int(min(max(object.Get("lastIndex").ToInteger(), 0), int64(text.Length())))
	}
	if p.later == nil || start == 0 && !p.backtracks {
		return
	}
	if p.text == nil || !p.text.SameAs(text) {
		p.text, p.runes = text, make([]rune, text.Length())
		for i := range p.runes {
			p.runes[i] = rune(text.CharAt(i))
		}
	}
	p.later.MatchTimeout = max(min(maxMatch, r.limit-r.spent()), time.Millisecond)
	if _, err := p.later.FindRunesMatchStartingAt(p.runes, start); err != nil {
		r.interrupt(ErrTimeout)
		r.halt()
	}
}

// patternOf finds out, once in a run, what goja does with a pattern.
func (r *run) patternOf(source, flags string) *pattern {
	key := [2]string{source, flags}
	if found := r.patterns[key]; found != nil {
		return found
	}
	p := &pattern{}
	re2, err := parser.TransformRegExp(source, strings.Contains(flags, "s"), strings.Contains(flags, "u"))
	if err == nil {
		_, err = regexp.Compile(re2)
	}
	p.backtracks = err != nil
	if strings.ContainsAny(source, "*+{") { // without repetition there is nothing to try again and again
		options := regexp2.RegexOptions(regexp2.ECMAScript)
		for flag, option := range map[string]regexp2.RegexOptions{"m": regexp2.Multiline, "s": regexp2.Singleline, "i": regexp2.IgnoreCase, "u": regexp2.Unicode} {
			if strings.Contains(flags, flag) {
				options |= option
			}
		}
		if p.later, err = regexp2.Compile(source, options); err != nil {
			panic(r.rangeError("the regular expression is not supported"))
		}
	}
	if r.patterns == nil {
		r.patterns = map[[2]string]*pattern{}
	}
	r.patterns[key] = p
	return p
}

// split does what the standard says of a pattern, by going from match to match.
func (r *run) split(call goja.FunctionCall) goja.Value {
	text := r.stringOf(call.Argument(0))
	limit := int64(1<<32 - 1)
	if argument := call.Argument(1); !goja.IsUndefined(argument) {
		limit = argument.ToInteger() & (1<<32 - 1)
	}
	given := call.This.ToObject(r.rt)
	flags := strings.NewReplacer("g", "", "y", "").Replace(given.Get("flags").String()) + "g"
	splitter, err := r.rt.New(r.rt.GlobalObject().Get("RegExp"), given.Get("source"), r.rt.ToValue(flags))
	if err != nil {
		panic(err)
	}
	exec, _ := goja.AssertFunction(splitter.Get("exec"))
	match := func(from int) (found *goja.Object, index, end int) {
		_ = splitter.Set("lastIndex", from)
		found, _ = r.must(exec(splitter, text)).(*goja.Object)
		if found != nil {
			index, end = int(found.Get("index").ToInteger()), int(splitter.Get("lastIndex").ToInteger())
		}
		return found, index, end
	}
	var pieces []any
	size, begin := text.Length(), 0
	if size == 0 {
		if found, _, _ := match(0); found != nil {
			return r.rt.NewArray()
		}
		return r.rt.NewArray(text)
	}
	for at := 0; at < size; {
		found, index, end := match(at)
		if found == nil || index >= size {
			break
		}
		if end == begin {
			at = index + 1
			continue
		}
		pieces = append(pieces, text.Substring(begin, index))
		for i := range lengthOf(found) - 1 {
			pieces = append(pieces, found.Get(r.rt.ToValue(i+1).String()))
		}
		if int64(len(pieces)) >= limit {
			return r.rt.NewArray(pieces[:limit]...)
		}
		begin, at = end, end
	}
	if limit == 0 {
		return r.rt.NewArray()
	}
	return r.rt.NewArray(append(pieces, text.Substring(begin, size))...)
}
