package jsrules

import (
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// setting is a property of context.addonConfiguration.aws and the field that it sets.
type setting struct {
	name  string
	field func(*delegation.AWS) any // a pointer to it
}

// settings lists all settings. The first five are Auth0's, the others are this library's.
var settings = [...]setting{
	{"principal", func(a *delegation.AWS) any { return &a.Principal }},
	{"role", func(a *delegation.AWS) any { return &a.Role }},
	{"region", func(a *delegation.AWS) any { return &a.Region }},
	{"mappings", func(a *delegation.AWS) any { return (*map[string]string)(&a.Mappings) }},
	{"lifetime_in_seconds", func(a *delegation.AWS) any { return &a.SessionDuration }},
	{"policy", func(a *delegation.AWS) any { return &a.Policy }},
	{"policyArns", func(a *delegation.AWS) any { return &a.PolicyARNs }},
	{"tags", func(a *delegation.AWS) any { return &a.Tags }},
	{"transitiveTagKeys", func(a *delegation.AWS) any { return &a.TransitiveTagKeys }},
	{"droppableTags", func(a *delegation.AWS) any { return &a.DroppableTags }},
	{"sourceIdentity", func(a *delegation.AWS) any { return &a.SourceIdentity }},
	{"sessionName", func(a *delegation.AWS) any { return &a.SessionName }},
	{"failoverRegions", func(a *delegation.AWS) any { return &a.FailoverRegions }},
	{"nameID", func(a *delegation.AWS) any { return &a.NameID }},
	{"nameIDFromMapping", func(a *delegation.AWS) any { return &a.NameIDFromMapping }},
}

// show returns the value that a rule sees, or nil if the setting is not set.
func (s *setting) show(a *delegation.AWS) any {
	switch field := s.field(a).(type) {
	case *string:
		if *field != "" {
			return *field
		}
	case *bool:
		if *field {
			return true
		}
	case *time.Duration:
		if *field != 0 {
			return json.Number(strconv.FormatInt(int64(*field/time.Second), 10))
		}
	case *[]string:
		if len(*field) > 0 {
			return plain(*field, s.name)
		}
	case *map[string]string:
		if len(*field) > 0 {
			return plain(*field, s.name)
		}
	}
	return nil
}

// read sets the field. If the value is of the wrong kind, it returns what the value should be.
func (s *setting) read(a *delegation.AWS, value any) (want string) {
	ok := false
	switch field := s.field(a).(type) {
	case *string:
		*field, ok = value.(string)
		want = "a string"
	case *bool:
		*field, ok = value.(bool)
		want = "true or false"
	case *time.Duration:
		*field, ok = wholeSeconds(value)
		want = "a whole number of seconds above 0"
	case *[]string:
		*field, ok = listOfStrings(value)
		want = "a list of strings"
	case *map[string]string:
		*field, ok = objectOfStrings(value)
		want = "an object of strings"
	}
	if ok {
		return ""
	}
	return want
}

// wholeSeconds reads a duration. Zero is not one: as AWS.SessionDuration it would mean one hour.
func wholeSeconds(value any) (time.Duration, bool) {
	number, _ := value.(json.Number)
	seconds, err := strconv.ParseInt(number.String(), 10, 32)
	return time.Duration(seconds) * time.Second, err == nil && seconds > 0
}

func listOfStrings(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, element := range list {
		if texts[i], ok = element.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

func objectOfStrings(value any) (map[string]string, bool) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	texts := make(map[string]string, len(object))
	for name, member := range object {
		if texts[name], ok = member.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// addon makes context.addonConfiguration. It holds what earlier rules have left there, and the
// settings as they are now.
func (e *ofExchange) addon() goja.Value {
	r := e.run
	r.addon = &r.parts.addon
	r.make(r.addon, awsNow{e}, properties(r.shared.addon))
	return r.addon.js
}

// awsNow is the layer of context.addonConfiguration that has aws.
type awsNow struct{ of *ofExchange }

func (a awsNow) lookup(name string) (any, bool) { return later(a.of.settings), name == "aws" }

func (awsNow) names() iter.Seq[string] { return slices.Values([]string{"aws"}) }

// settings makes context.addonConfiguration.aws.
func (e *ofExchange) settings() goja.Value {
	r := e.run
	r.aws = r.rt.NewObject()
	r.ofObjects = r.aws.Prototype()
	for i := range settings {
		s := &settings[i]
		if value := s.show(&e.rc.AWS); value != nil {
			_ = r.aws.Set(s.name, r.in(value, s.name, 0))
		}
	}
	return r.aws
}

// noAddons is what changes have as addon if it has no other property than aws. It is never changed.
var noAddons = map[string]any{}

// collectAddon reads context.addonConfiguration: the settings for AWS, and what is kept for later
// rules.
func (o *outgoing) collectAddon(value goja.Value, c *changes) {
	addon := o.mustBeObject("addonConfiguration", value)
	o.path = append(o.path, "addonConfiguration")
	own := o.run.addon
	same := own != nil && addon.SameAs(own.js)
	if same && len(o.run.shared.addon) == 0 && own.touchedOnly("aws") {
		o.collectAWS(own, c)
		return
	}
	names := addon.GetOwnPropertyNames()
	o.checkAddons(names)
	c.addon = noAddons
	if others := without(names, "aws"); len(others) > 0 {
		c.addon = o.properties(addon, others, unknown)
	}
	given := addon.Get("aws")
	if given != nil {
		o.collectSettings(given, c)
		return
	}
	if same { // the rule has deleted aws
		c.aws = delegation.AWS{}
	}
}

// collectAWS reads context.addonConfiguration if it is the rule's own, and has nothing but aws. To
// list its properties would take a tenth of the time of a short rule.
func (o *outgoing) collectAWS(addon *object, c *changes) {
	c.addon = noAddons
	given, read := addon.values.get("aws")
	switch {
	case !read:
	case given == nil: // the rule has deleted it
		c.aws = delegation.AWS{}
	default:
		o.collectSettings(given, c)
	}
}

// collectSettings reads context.addonConfiguration.aws. It ignores nothing that a rule has set: a
// name that is no setting is an error that says which one was meant.
//
// If the rule has made the object, a setting that the object lacks stays as it was. To remove a
// setting a rule deletes it. Undefined and null are errors, because a role looked up for nobody
// must not become the target's role.
func (o *outgoing) collectSettings(given goja.Value, c *changes) {
	aws := o.mustBeObject("aws", given)
	o.path = append(o.path, "aws")
	present := o.ownAndInherited(aws)
	if aws.SameAs(o.run.aws) {
		c.aws = delegation.AWS{} // each field is a setting, and the rule may have deleted some
	}
	known := 0
	for i := range settings {
		s := &settings[i]
		if slices.Contains(present, s.name) {
			o.readSetting(s, &c.aws, aws.Get(s.name))
			known++
		}
	}
	if known < len(present) {
		o.checkSettings(present)
	}
}

// checkSettings refuses a name that is no setting.
func (o *outgoing) checkSettings(names []string) {
	for _, name := range names {
		known := func(s setting) bool { return s.name == name }
		if !slices.ContainsFunc(settings[:], known) {
			panic(o.wrong("has no setting %.100q%s", name, meant(name, settings[:])))
		}
	}
}

// readSetting sets a field, or fails the rule.
func (o *outgoing) readSetting(s *setting, a *delegation.AWS, value goja.Value) {
	if field, ok := s.field(a).(*string); ok && goja.IsString(value) {
		o.path = append(o.path, s.name)
		*field = o.textOf(value)
		o.path = o.path[:len(o.path)-1]
		return
	}
	converted := o.out(s.name, value, nil)
	object, isObject := value.(*goja.Object)
	if isObject && object.ClassName() != "Array" && notProperties(object) != "" {
		converted = absent{} // JSON would carry it as an empty object
	}
	if want := s.read(a, converted); want != "" {
		o.path = append(o.path, s.name)
		panic(o.wrong("is %s, not %s", kind(value), want))
	}
}

// ownAndInherited lists the properties of an object, including those that it inherits from a class
// of the rule's own: reading the object finds them too.
func (o *outgoing) ownAndInherited(object *goja.Object) []string {
	names := object.GetOwnPropertyNames()
	base := o.run.objectPrototype()
	proto := object.Prototype()
	for range maxNested {
		if proto == nil || proto.SameAs(base) {
			break
		}
		names = append(names, without(proto.GetOwnPropertyNames(), "constructor")...)
		proto = proto.Prototype()
	}
	return names
}

// objectPrototype returns Object.prototype. Looking it up by name would make goja build all of
// Object.
func (r *run) objectPrototype() *goja.Object {
	if r.ofObjects == nil {
		r.ofObjects = r.rt.NewObject().Prototype()
	}
	return r.ofObjects
}

func unknown(string) any { return nil }

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(other string) bool { return other == name })
}

// objectOrNil returns an object, or nil for undefined and null. Any other value fails the rule.
func (o *outgoing) objectOrNil(name string, value goja.Value) *goja.Object {
	if value == nil || goja.IsUndefined(value) || goja.IsNull(value) {
		return nil
	}
	return o.mustBeObject(name, value)
}

// mustBeObject returns an object. Any other value fails the rule, and so does a list, a function or
// a collection.
func (o *outgoing) mustBeObject(name string, value goja.Value) *goja.Object {
	object, ok := value.(*goja.Object)
	if !ok || notProperties(object) != "" {
		o.path = append(o.path, name)
		panic(o.wrong("is %s, not an object", kind(value)))
	}
	return object
}

// notProperties says what an object is if its properties do not hold its content, such as "a list".
// It returns "" for an ordinary object.
func notProperties(object *goja.Object) string {
	if _, callable := goja.AssertFunction(object); callable {
		return "a function"
	}
	if object.ClassName() == "Array" {
		return "a list"
	}
	class := object.ExportType()
	if class == reflect.TypeFor[*goja.Promise]() {
		return "a promise"
	}
	if class.Kind() == reflect.Slice {
		return "a collection" // a Map, a Set or a typed array
	}
	return ""
}

// kind names the type of a value. It never shows the value, which may be a secret.
func kind(value goja.Value) string {
	object, isObject := value.(*goja.Object)
	switch {
	case isObject && notProperties(object) != "":
		return notProperties(object)
	case isObject:
		return "an object"
	case goja.IsUndefined(value):
		return "undefined"
	case goja.IsNull(value):
		return "null"
	case goja.IsString(value):
		return "a string"
	case goja.IsNumber(value):
		return "a number"
	}
	return "a boolean or a symbol"
}
