package jsrules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/ecmadate"
	"github.com/seed055b7978/delegation/jsrules/internal/enus"
)

// goja has no Intl: it writes numbers and dates in a form of its own, whatever the locale. A rule
// that mentions a function for locales gets one that writes en-US, and throws a RangeError for what
// it cannot write. Without a locale it is en-US, as at Auth0.

// installLocales replaces the functions for locales that the rule mentions.
func (r *run) installLocales() {
	if r.first("toLocaleString") {
		r.replace(r.prototype("Number"), "toLocaleString", r.localeNumber)
		r.replace(r.prototype("Array"), "toLocaleString", r.localeList)
	}
	for _, method := range localeDates {
		if r.first(method.name) {
			r.replace(r.prototype("Date"), method.name, func(call goja.FunctionCall) goja.Value {
				return r.localeDate(call, &method)
			})
		}
	}
	text := r.prototype("String")
	if r.first("localeCompare") {
		compare, _ := goja.AssertFunction(text.Get("localeCompare"))
		r.replace(text, "localeCompare", func(call goja.FunctionCall) goja.Value {
			return r.localeCompare(call, compare)
		})
	}
	for _, name := range []string{"toLocaleLowerCase", "toLocaleUpperCase"} {
		r.guard(text, name, func(call goja.FunctionCall) { r.localeCase(call.Argument(0)) })
	}
}

// notHere throws a RangeError for what is right in JavaScript and not available here.
func (r *run) notHere(what string, args ...any) {
	text := short(fmt.Sprintf(what, args...))
	panic(r.rangeError("not available here: " + text))
}

// languageTag is a locale that is well-formed (RFC 5646), without grandfathered ones.
var languageTag = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?i:[a-z]{2,3}|[a-z]{5,8})(-(?i:[a-z]{4}))?` +
		`(-(?i:[a-z]{2}|[0-9]{3}))?(-(?i:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*` +
		`(-(?i:[a-wyz0-9])(-(?i:[a-z0-9]{2,8}))+)*(-(?i:x)(-(?i:[a-z0-9]{1,8}))+)?$`)
})

// localesOf returns the locales of an argument (CanonicalizeLocaleList of ECMA-402).
func (r *run) localesOf(argument goja.Value) []string {
	if goja.IsUndefined(argument) {
		return nil
	}
	if _, isText := argument.(goja.String); isText {
		return []string{r.localeOf(argument)}
	}
	list := argument.ToObject(r.rt) // throws for null
	length := lengthOf(list)
	r.atMost(length, maxNested, "the list of locales")
	var locales []string
	for i := range length {
		if element := list.Get(fmt.Sprint(i)); element != nil {
			locales = append(locales, r.localeOf(element))
		}
	}
	return locales
}

func (r *run) localeOf(value goja.Value) string {
	if _, isText := value.(goja.String); !isText && !isObject(value) {
		panic(r.rt.NewTypeError("Language ID should be string or object."))
	}
	locale := r.stringOf(value).String()
	if !languageTag().MatchString(locale) {
		panic(r.rangeError("Incorrect locale information provided"))
	}
	return locale
}

// english refuses every locale but en-US. The first one of a list counts.
func (r *run) english(argument goja.Value) {
	locales := r.localesOf(argument)
	if len(locales) == 0 {
		return
	}
	if locale := strings.ToLower(locales[0]); locale != "en-us" && locale != "en" {
		r.notHere("the locale %s", locales[0])
	}
}

// localeOptions are the options of a function for locales.
type localeOptions struct {
	run    *run
	object *goja.Object // nil: there are none
}

func (r *run) localeOptions(argument goja.Value) *localeOptions {
	if goja.IsUndefined(argument) {
		return &localeOptions{r, nil}
	}
	return &localeOptions{r, argument.ToObject(r.rt)} // throws for null
}

// get returns an option, or undefined.
func (o *localeOptions) get(name string) goja.Value {
	if o.object == nil {
		return goja.Undefined()
	}
	return member(o.object, name)
}

// text returns an option that is one of some texts, or "" if it is undefined.
func (o *localeOptions) text(name string, known ...string) string {
	value := o.get(name)
	if goja.IsUndefined(value) {
		return ""
	}
	text := o.run.stringOf(value).String()
	if !slices.Contains(known, text) {
		panic(o.run.rangeError(
			fmt.Sprintf("Value %s out of range for options property %s", short(text), name)))
	}
	return text
}

// only refuses an option with another value than the default.
func (o *localeOptions) only(name, value string, others ...string) {
	if text := o.text(name, append(others, value)...); text != "" && text != value {
		o.run.notHere("%s: %s", name, text)
	}
}

// without refuses options that have a value.
func (o *localeOptions) without(names ...string) {
	for _, name := range names {
		if !goja.IsUndefined(o.get(name)) {
			o.run.notHere("the option %s", name)
		}
	}
}

// number returns an option that is a whole number in a range, and whether it has a value.
func (o *localeOptions) number(name string, least, most int) (int, bool) {
	value := o.get(name)
	if goja.IsUndefined(value) {
		return 0, false
	}
	number := o.run.numberOf(value)
	if !(number >= float64(least) && number <= float64(most)) {
		panic(o.run.rangeError(name + " value is out of range."))
	}
	return int(math.Floor(number)), true
}

// currencies are the currencies that are written, with their symbols and digits.
var currencies = map[string]struct {
	symbol string
	digits int
}{
	"USD": {"$", 2},
	"EUR": {"€", 2},
	"GBP": {"£", 2},
	"JPY": {"¥", 0},
}

var currencyCode = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z]{3}$`)
})

// localeNumber is Number.prototype.toLocaleString.
func (r *run) localeNumber(call goja.FunctionCall) goja.Value {
	object, isObject := call.This.(*goja.Object)
	if !goja.IsNumber(call.This) && (!isObject || object.ClassName() != "Number") {
		panic(r.rt.NewTypeError("Number.prototype.toLocaleString was called on no number"))
	}
	r.english(call.Argument(0))
	options := r.localeOptions(call.Argument(1))
	return r.rt.ToValue(enus.Number(r.numberOf(call.This), options.numbers()))
}

// numbers reads the options of a number.
func (o *localeOptions) numbers() enus.NumberOptions {
	o.without("numberingSystem")
	style := o.text("style", "decimal", "percent", "currency", "unit")
	numbers := enus.NumberOptions{Percent: style == "percent"}
	least := 0
	most := 3
	if numbers.Percent {
		most = 0
	}
	code := o.currency()
	o.only("currencyDisplay", "symbol", "code", "narrowSymbol", "name")
	o.only("currencySign", "standard", "accounting")
	switch style {
	case "unit":
		o.run.notHere("style: unit")
	case "currency":
		currency, known := currencies[strings.ToUpper(code)]
		if code == "" {
			panic(o.run.rt.NewTypeError("Currency code is required with currency style."))
		}
		if !known {
			o.run.notHere("the currency %s", code)
		}
		numbers.Symbol = currency.symbol
		least = currency.digits
		most = currency.digits
	}
	o.without("unit", "unitDisplay")
	o.only("notation", "standard", "scientific", "engineering", "compact")
	o.digits(&numbers, least, most)
	o.without("roundingIncrement", "roundingMode", "roundingPriority", "trailingZeroDisplay")
	o.without("compactDisplay")
	numbers.Ungrouped = o.ungrouped()
	o.only("signDisplay", "auto", "never", "always", "exceptZero", "negative")
	return numbers
}

// currency reads the code of a currency. It must be one, even where none is written.
func (o *localeOptions) currency() string {
	value := o.get("currency")
	if goja.IsUndefined(value) {
		return ""
	}
	code := o.run.stringOf(value).String()
	if !currencyCode().MatchString(code) {
		panic(o.run.rangeError("Invalid currency code : " + short(code)))
	}
	return code
}

// digits reads the options about digits (SetNumberFormatDigitOptions of ECMA-402).
func (o *localeOptions) digits(n *enus.NumberOptions, fraction, mostFraction int) {
	n.MinInteger, _ = o.number("minimumIntegerDigits", 1, 21)
	minimum, hasMinimum := o.number("minimumFractionDigits", 0, 20)
	maximum, hasMaximum := o.number("maximumFractionDigits", 0, 20)
	n.MinFraction = fraction
	n.MaxFraction = mostFraction
	switch {
	case hasMinimum && hasMaximum:
		n.MinFraction = minimum
		n.MaxFraction = maximum
	case hasMinimum:
		n.MinFraction = minimum
		n.MaxFraction = max(minimum, mostFraction)
	case hasMaximum:
		n.MinFraction = min(fraction, maximum)
		n.MaxFraction = maximum
	}
	least, hasLeast := o.number("minimumSignificantDigits", 1, 21)
	least = max(least, 1)
	most, hasMost := o.number("maximumSignificantDigits", least, 21)
	switch {
	case hasMost:
		n.MinSignificant = least
		n.MaxSignificant = most
	case hasLeast:
		n.MinSignificant = least
		n.MaxSignificant = 21
	case hasMinimum && hasMaximum && minimum > maximum:
		panic(o.run.rangeError("maximumFractionDigits value is out of range."))
	}
}

// ungrouped reports whether useGrouping is false.
func (o *localeOptions) ungrouped() bool {
	value := o.get("useGrouping")
	if goja.IsUndefined(value) {
		return false
	}
	if _, isText := value.(goja.String); !isText {
		return !value.ToBoolean()
	}
	switch text := value.String(); text {
	case "":
		return true
	case "true", "false", "auto", "always":
		return false
	default:
		o.run.notHere("useGrouping: %s", text)
		return false
	}
}

// localeList is Array.prototype.toLocaleString.
func (r *run) localeList(call goja.FunctionCall) goja.Value {
	list := call.This.ToObject(r.rt)
	for _, around := range r.joining {
		if around.SameAs(list) {
			return r.rt.ToValue("")
		}
	}
	r.joining = append(r.joining, list)
	defer func() { r.joining = r.joining[:len(r.joining)-1] }()
	length := lengthOf(list)
	r.atMost(length, maxList, "the list")
	var joined goja.StringBuilder
	size := int64(0)
	for i := range length {
		if i%1024 == 0 {
			r.halt()
		}
		if i > 0 {
			joined.WriteString(r.rt.ToValue(",").(goja.String))
		}
		element := list.Get(fmt.Sprint(i))
		if element == nil || goja.IsUndefined(element) || goja.IsNull(element) {
			continue
		}
		write, ok := goja.AssertFunction(member(element.ToObject(r.rt), "toLocaleString"))
		if !ok {
			panic(r.rt.NewTypeError("toLocaleString is not a function"))
		}
		text := r.stringOf(r.must(write(element, call.Arguments...)))
		size += int64(text.Length()) + 1
		r.atMost(size, maxText, "the text")
		joined.WriteString(text)
	}
	return joined.String()
}

// localeMethod is a method that writes a date.
type localeMethod struct {
	name string
	// date and clock say which fields it writes if the options name none of those that it knows.
	date, clock bool
}

var localeDates = []localeMethod{
	{"toLocaleString", true, true},
	{"toLocaleDateString", true, false},
	{"toLocaleTimeString", false, true},
}

func (r *run) localeDate(call goja.FunctionCall, method *localeMethod) goja.Value {
	ms, ok := timeOf(call.This)
	if !ok {
		panic(r.rt.NewTypeError("this is not a Date object."))
	}
	if math.IsNaN(ms) {
		return r.rt.ToValue("Invalid Date")
	}
	r.english(call.Argument(0))
	options := r.localeOptions(call.Argument(1)).dates(method)
	text, err := enus.Date(ecmadate.Of(ms), options)
	if errors.Is(err, enus.ErrCombination) {
		r.notHere("%s: %v of a date", method.name, err)
	}
	if err != nil {
		r.notHere("%s: %v", method.name, err)
	}
	return r.rt.ToValue(text)
}

// dates reads the options of a date.
func (o *localeOptions) dates(method *localeMethod) enus.DateOptions {
	o.without("calendar", "numberingSystem", "era", "dayPeriod", "fractionalSecondDigits")
	o.only("formatMatcher", "best fit", "basic")
	d := enus.DateOptions{HourCycle: o.hourCycle(), Location: o.timeZone()}
	d.Weekday = o.text("weekday", "narrow", "short", "long")
	d.Year = o.text("year", "2-digit", "numeric")
	d.Month = o.text("month", "2-digit", "numeric", "narrow", "short", "long")
	d.Day = o.text("day", "2-digit", "numeric")
	d.Hour = o.text("hour", "2-digit", "numeric")
	d.Minute = o.text("minute", "2-digit", "numeric")
	d.Second = o.text("second", "2-digit", "numeric")
	d.Zone = o.text("timeZoneName",
		"short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric")
	if d.Zone != "" && d.Zone != "short" && d.Zone != "long" {
		o.run.notHere("timeZoneName: %s", d.Zone)
	}
	styles := []string{"full", "long", "medium", "short"}
	dateStyle := o.text("dateStyle", styles...)
	timeStyle := o.text("timeStyle", styles...)
	hasDate := d.Weekday+d.Year+d.Month+d.Day != ""
	hasClock := d.Hour+d.Minute+d.Second != ""
	if dateStyle+timeStyle != "" {
		if hasDate || hasClock || d.Zone != "" ||
			timeStyle != "" && !method.clock || dateStyle != "" && !method.date {
			panic(o.run.rt.NewTypeError("a field, or this style, cannot be used with a style"))
		}
		d.Styles(dateStyle, timeStyle)
		return d
	}
	if hasDate && method.date || hasClock && method.clock {
		return d
	}
	if method.date {
		d.Year = "numeric"
		d.Month = "numeric"
		d.Day = "numeric"
	}
	if method.clock {
		d.Hour = "numeric"
		d.Minute = "numeric"
		d.Second = "numeric"
	}
	return d
}

// hourCycle reads hour12, and hourCycle if there is none. V8 takes h24 if hour12 is false.
func (o *localeOptions) hourCycle() string {
	value := o.get("hour12")
	cycle := o.text("hourCycle", "h11", "h12", "h23", "h24")
	if goja.IsUndefined(value) {
		return cycle
	}
	if value.ToBoolean() {
		return "h12"
	}
	return "h24"
}

var zoneName = sync.OnceValue(func() *regexp.Regexp {
	const word = `[A-Za-z0-9]+([_+-][A-Za-z0-9]+)*`
	return regexp.MustCompile(`^[A-Za-z]+([_+-][A-Za-z0-9]+)*(/` + word + `)*$`)
})

// timeZone reads the time zone. Other zones than UTC are those that the machine knows.
func (o *localeOptions) timeZone() *time.Location {
	value := o.get("timeZone")
	if goja.IsUndefined(value) {
		return time.UTC
	}
	name := o.run.stringOf(value).String()
	switch strings.ToUpper(name) {
	case "UTC", "GMT", "ETC/UTC", "ETC/GMT":
		return time.UTC
	case "LOCAL":
		o.run.notHere("the time zone %s", name)
	}
	if !zoneName().MatchString(name) {
		panic(o.run.rangeError("Invalid time zone specified: " + short(name)))
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		o.run.notHere("the time zone %s", name)
	}
	return location
}

// localeCompare compares texts in the order of Unicode's root collation, which English has too.
func (r *run) localeCompare(call goja.FunctionCall, compare goja.Callable) goja.Value {
	if argument := call.Argument(1); !goja.IsUndefined(argument) {
		r.english(argument)
	}
	o := r.localeOptions(call.Argument(2))
	o.only("usage", "sort", "search")
	o.only("sensitivity", "variant", "base", "accent", "case")
	o.only("caseFirst", "false", "upper", "lower")
	o.without("ignorePunctuation", "collation")
	if o.get("numeric").ToBoolean() {
		r.notHere("numeric: true")
	}
	for _, value := range []goja.Value{call.This, call.Argument(0)} {
		text := r.stringOf(value)
		for i := range text.Length() {
			c := text.CharAt(i)
			if !comparable(c) || isAccent(c) && i > 0 && makesLetter(text.CharAt(i-1), c) {
				r.notHere("the order of the character U+%04X", c)
			}
		}
	}
	return r.must(compare(call.This, call.Argument(0)))
}

// comparable reports whether goja orders a character as Node does. Its table is older: characters
// that Unicode has added or moved since then are in another order.
func comparable(c uint16) bool {
	switch {
	case c < 0x250, // Latin
		isAccent(c),
		c >= 0x388 && c <= 0x3ce && c != 0x38b && c != 0x38d && c != 0x3a2, // Greek
		c >= 0x410 && c <= 0x44f,                // Cyrillic
		c >= 0x5d0 && c <= 0x5ea,                // Hebrew
		c >= 0x620 && c <= 0x64a,                // Arabic
		c >= 0x1ea0 && c <= 0x1ef9, c == 0x20ac, // Vietnamese, euro
		c >= 0x3041 && c <= 0x3096, c >= 0x30a1 && c <= 0x30fa, // Kana
		c >= 0xac00 && c <= 0xd7a3: // Hangul
		return true
	}
	return false
}

// isAccent reports whether a character is one of the accents that combine with the letter before.
func isAccent(c uint16) bool { return c >= 0x300 && c < 0x310 }

// makesLetter reports whether the older table of goja makes another letter of a Cyrillic letter and
// an accent, which for Node stays the same letter. The short I is a letter of its own for both.
func makesLetter(letter, accent uint16) bool {
	shortI := accent == 0x306 && (letter == 'И' || letter == 'и')
	const changed = "АГЕЖЗИКОУЧЫЭагежзикоучыэ"
	return !shortI && strings.ContainsRune(changed, rune(letter))
}

// localeCase refuses the locales in which letters have other capitals.
func (r *run) localeCase(argument goja.Value) {
	locales := r.localesOf(argument)
	if len(locales) == 0 {
		return
	}
	language, _, _ := strings.Cut(strings.ToLower(locales[0]), "-")
	if slices.Contains([]string{"az", "el", "lt", "tr"}, language) {
		r.notHere("the locale %s", locales[0])
	}
}
