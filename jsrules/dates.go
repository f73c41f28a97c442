package jsrules

import (
	"math"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/ecmadate"
)

// The time zone of a run is UTC, as it was at Auth0, wherever the process runs. goja takes the
// process's, and its own way of reading texts. A rule that mentions Date gets one of our own: a
// proxy of goja's class, and methods for what depends on the zone or differs from Node.

// dateField is a field of a date, in the order of the arguments of Date.UTC.
type dateField int

const (
	fieldYear dateField = iota
	fieldMonth
	fieldDay
	fieldHour
	fieldMinute
	fieldSecond
	fieldMillisecond
	dateFields
)

// dateSetters are the methods that set fields: each sets as many as it gets arguments, from a first
// one on.
var dateSetters = []struct {
	name  string
	first dateField
	most  int
}{
	{"FullYear", fieldYear, 3},
	{"Month", fieldMonth, 2},
	{"Date", fieldDay, 1},
	{"Hours", fieldHour, 4},
	{"Minutes", fieldMinute, 3},
	{"Seconds", fieldSecond, 2},
	{"Milliseconds", fieldMillisecond, 1},
}

// dateGetters are the methods that read fields. In UTC they are those of UTC.
var dateGetters = []string{
	"FullYear", "Month", "Date", "Day", "Hours", "Minutes", "Seconds", "Milliseconds",
}

// dateClass has the functions of goja's own Date.
type dateClass struct {
	run       *run
	class     *goja.Object
	prototype *goja.Object
	construct func(newTarget *goja.Object, args ...goja.Value) (*goja.Object, error)
	setTime   goja.Callable
}

// installDate replaces the global Date.
func (r *run) installDate() {
	class := r.rt.GlobalObject().Get("Date").(*goja.Object)
	prototype := class.Get("prototype").(*goja.Object)
	d := &dateClass{run: r, class: class, prototype: prototype}
	r.dates = d
	d.construct, _ = goja.AssertConstructor(class)
	d.setTime, _ = goja.AssertFunction(prototype.Get("setTime"))
	r.replace(class, "parse", func(call goja.FunctionCall) goja.Value {
		return r.rt.ToValue(ecmadate.Parse(units(r.stringOf(call.Argument(0)))))
	})
	r.replace(class, "UTC", func(call goja.FunctionCall) goja.Value {
		return r.rt.ToValue(r.dateOf(call.Arguments))
	})
	value := r.rt.ToValue(d.proxy())
	_ = r.rt.Set("Date", value)
	_ = class.DefineDataPropertySymbol(goja.SymHasInstance, r.rt.ToValue(r.hasInstance),
		goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	_ = prototype.DefineDataProperty(
		"constructor", value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE,
	)
}

// proxy returns the class that rules see.
func (d *dateClass) proxy() goja.Proxy {
	r := d.run
	return r.rt.NewProxy(d.class, &goja.ProxyTrapConfig{
		Construct: func(
			_ *goja.Object, arguments []goja.Value, newTarget *goja.Object,
		) *goja.Object {
			made, err := d.construct(newTarget, d.arguments(arguments)...)
			if err != nil {
				panic(err)
			}
			return made
		},
		Apply: func(*goja.Object, goja.Value, []goja.Value) goja.Value {
			now := r.options.Now().Add(r.skipped)
			return r.rt.ToValue(ecmadate.Text(float64(now.UnixMilli())))
		},
	})
}

// arguments returns what goja's constructor gets: one number, unless there is nothing to compute.
func (d *dateClass) arguments(given []goja.Value) []goja.Value {
	r := d.run
	switch len(given) {
	case 0:
		return nil
	case 1:
		if _, isDate := timeOf(given[0]); isDate {
			return given
		}
		value := r.primitive(given[0])
		if text, isText := value.(goja.String); isText {
			return []goja.Value{r.rt.ToValue(ecmadate.Parse(units(text)))}
		}
		return []goja.Value{value}
	}
	return []goja.Value{r.rt.ToValue(r.dateOf(given))}
}

// dateOf returns the time value of year, month and so on, as Date.UTC does.
func (r *run) dateOf(arguments []goja.Value) float64 {
	fields := [dateFields]float64{fieldDay: 1}
	fields[fieldYear] = math.NaN()
	for i, argument := range arguments[:min(len(arguments), int(dateFields))] {
		fields[i] = r.numberOf(argument)
	}
	return ecmadate.Clip(ecmadate.Make(ecmadate.FullYear(fields[fieldYear]), fields[fieldMonth],
		fields[fieldDay], fields[fieldHour], fields[fieldMinute], fields[fieldSecond],
		fields[fieldMillisecond]))
}

// numberOf is ToNumber.
func (r *run) numberOf(value goja.Value) float64 {
	if object, ok := value.(*goja.Object); ok {
		return object.ToNumber().ToFloat()
	}
	return value.ToNumber().ToFloat()
}

// primitive is ToPrimitive with the hint default (ECMA-262 §7.1.1).
func (r *run) primitive(value goja.Value) goja.Value {
	object, ok := value.(*goja.Object)
	if !ok {
		return value
	}
	if convert, ok := goja.AssertFunction(symbolMember(object, goja.SymToPrimitive)); ok {
		result := r.must(convert(object, r.rt.ToValue("default")))
		if _, still := result.(*goja.Object); !still {
			return result
		}
		panic(r.rt.NewTypeError("Cannot convert object to primitive value"))
	}
	for _, name := range []string{"valueOf", "toString"} {
		if convert, ok := goja.AssertFunction(member(object, name)); ok {
			if result := r.must(convert(object)); !isObject(result) {
				return result
			}
		}
	}
	panic(r.rt.NewTypeError("Cannot convert object to primitive value"))
}

func isObject(value goja.Value) bool {
	_, ok := value.(*goja.Object)
	return ok
}

// symbolMember returns a property of an object or of its prototypes. Without one it is undefined.
func symbolMember(object *goja.Object, symbol *goja.Symbol) goja.Value {
	if value := object.GetSymbol(symbol); value != nil {
		return value
	}
	return goja.Undefined()
}

// units returns the code units of a text.
func units(text goja.String) []uint16 {
	units := make([]uint16, text.Length())
	for i := range units {
		units[i] = text.CharAt(i)
	}
	return units
}

// timeOf returns the time value of a date object, and whether a value is one.
func timeOf(value goja.Value) (ms float64, ok bool) {
	object, isObject := value.(*goja.Object)
	if !isObject || object.ClassName() != "Date" {
		return 0, false
	}
	if t, valid := object.Export().(time.Time); valid {
		return float64(t.UnixMilli()), true
	}
	return math.NaN(), true
}

// this returns the time value of the date that a method is called on.
func (d *dateClass) this(call goja.FunctionCall) float64 {
	ms, ok := timeOf(call.This)
	if !ok {
		panic(d.run.rt.NewTypeError("this is not a Date object."))
	}
	return ms
}

// defineMethods replaces the methods that the rule is the first to mention. toString and
// toISOString are called without being mentioned.
func (d *dateClass) defineMethods() {
	d.defineText()
	d.defineFields()
}

// mentions reports whether a method has to be replaced.
func (d *dateClass) mentions(name string) bool {
	implicit := name == "toString" || name == "toISOString"
	if !implicit && !d.run.uses.mentions(name) {
		return false
	}
	return d.run.once("Date."+name, true)
}

// defineText replaces the methods that write a date as text.
func (d *dateClass) defineText() {
	r := d.run
	prototype := d.prototype
	for name, write := range map[string]func(float64) string{
		"toString":     ecmadate.Text,
		"toDateString": ecmadate.Date,
		"toTimeString": ecmadate.Time,
		"toUTCString":  ecmadate.UTC,
		"toGMTString":  ecmadate.UTC,
	} {
		if !d.mentions(name) {
			continue
		}
		r.replace(prototype, name, func(call goja.FunctionCall) goja.Value {
			ms := d.this(call)
			if math.IsNaN(ms) {
				return r.rt.ToValue("Invalid Date")
			}
			return r.rt.ToValue(write(ms))
		})
	}
	if !d.mentions("toISOString") {
		return
	}
	r.replace(prototype, "toISOString", func(call goja.FunctionCall) goja.Value {
		ms := d.this(call)
		if math.IsNaN(ms) {
			panic(r.rangeError("Invalid time value"))
		}
		return r.rt.ToValue(ecmadate.ISO(ms))
	})
}

// defineFields replaces the methods that read and set fields.
func (d *dateClass) defineFields() {
	r := d.run
	prototype := d.prototype
	for _, name := range dateGetters {
		if d.mentions("get" + name) {
			_ = prototype.DefineDataProperty("get"+name, prototype.Get("getUTC"+name),
				goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		}
	}
	for _, setter := range dateSetters {
		set := func(call goja.FunctionCall) goja.Value {
			return d.set(call, setter.first, setter.most)
		}
		for _, name := range []string{"set" + setter.name, "setUTC" + setter.name} {
			if d.mentions(name) {
				r.replace(prototype, name, set)
			}
		}
	}
	if d.mentions("getTimezoneOffset") {
		r.replace(prototype, "getTimezoneOffset", func(call goja.FunctionCall) goja.Value {
			if ms := d.this(call); math.IsNaN(ms) {
				return r.rt.ToValue(ms)
			}
			return r.rt.ToValue(0)
		})
	}
	if d.mentions("getYear") {
		r.replace(prototype, "getYear", func(call goja.FunctionCall) goja.Value {
			ms := d.this(call)
			if math.IsNaN(ms) {
				return r.rt.ToValue(ms)
			}
			return r.rt.ToValue(ecmadate.Of(ms).Year() - 1900)
		})
	}
	if d.mentions("setYear") {
		r.replace(prototype, "setYear", func(call goja.FunctionCall) goja.Value {
			year := r.rt.ToValue(ecmadate.FullYear(r.numberOf(call.Argument(0))))
			return d.set(goja.FunctionCall{This: call.This, Arguments: []goja.Value{year}},
				fieldYear, 1)
		})
	}
}

// set sets fields of the date that a method is called on, and returns the new time value.
func (d *dateClass) set(call goja.FunctionCall, first dateField, most int) goja.Value {
	ms := d.this(call)
	given := []float64{math.NaN()}
	for i, argument := range call.Arguments[:min(len(call.Arguments), most)] {
		if i > 0 {
			given = append(given, 0)
		}
		given[i] = d.run.numberOf(argument)
	}
	if math.IsNaN(ms) {
		if first != fieldYear {
			return d.run.rt.ToValue(ms)
		}
		ms = 0
	}
	t := ecmadate.Of(ms)
	fields := [dateFields]float64{
		float64(t.Year()), float64(t.Month() - 1), float64(t.Day()), float64(t.Hour()),
		float64(t.Minute()), float64(t.Second()), float64(t.Nanosecond() / 1e6),
	}
	copy(fields[first:], given)
	made := ecmadate.Clip(ecmadate.Make(fields[fieldYear], fields[fieldMonth], fields[fieldDay],
		fields[fieldHour], fields[fieldMinute], fields[fieldSecond], fields[fieldMillisecond]))
	return d.run.must(d.setTime(call.This, d.run.rt.ToValue(made)))
}
