package jsrules

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// setting is a property of context.addonConfiguration.aws that decides, and the field it is kept in.
type setting struct {
	name  string
	field any
}

// settings are all of them. The first five are Auth0's, the others are ours.
func settings(a *delegation.AWS) [11]setting {
	return [...]setting{
		{"principal", &a.Principal}, {"role", &a.Role}, {"region", &a.Region}, {"mappings", (*map[string]string)(&a.Mappings)},
		{"lifetime_in_seconds", &a.SessionDuration}, {"policy", &a.Policy}, {"policyArns", &a.PolicyARNs}, {"tags", &a.Tags},
		{"transitiveTagKeys", &a.TransitiveTagKeys}, {"sourceIdentity", &a.SourceIdentity}, {"sessionName", &a.SessionName},
	}
}

// show returns what a rule sees, or nil if there is nothing.
func (s setting) show() any {
	switch field := s.field.(type) {
	case *string:
		if *field != "" {
			return *field
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

func (s setting) clear() { reflect.ValueOf(s.field).Elem().SetZero() }

// read sets the field, or returns what the value should have been.
func (s setting) read(value any) (want string) {
	ok := false
	switch field := s.field.(type) {
	case *string:
		*field, ok = value.(string)
		want = "a string"
	case *time.Duration: // not 0, which to AWS.SessionDuration is one hour
		number, _ := value.(json.Number)
		seconds, err := strconv.ParseInt(number.String(), 10, 32)
		*field, ok = time.Duration(seconds)*time.Second, err == nil && seconds > 0
		want = "a whole number of seconds above 0"
	case *[]string:
		var list []any
		list, ok = value.([]any)
		*field = make([]string, len(list))
		for i, value := range list {
			text, isText := value.(string)
			(*field)[i], ok = text, ok && isText
		}
		want = "a list of strings"
	case *map[string]string:
		var object map[string]any
		object, ok = value.(map[string]any)
		*field = make(map[string]string, len(object))
		for name, value := range object {
			text, isText := value.(string)
			(*field)[name], ok = text, ok && isText
		}
		want = "an object of strings"
	}
	if ok {
		return ""
	}
	return want
}

// addon makes context.addonConfiguration: what earlier rules have left there, and the settings as they are now.
func (e *ofExchange) addon() goja.Value {
	r, object := e.run, e.run.rt.NewObject()
	for name, value := range sorted(r.exchange.addon) {
		if name != "aws" {
			r.define(object, name, r.in(value, name, 0))
		}
	}
	r.aws = r.rt.NewObject()
	left, _ := r.exchange.addon["aws"].(map[string]any)
	for name, value := range sorted(left) {
		r.define(r.aws, name, r.in(value, name, 0))
	}
	for _, s := range settings(&e.rc.AWS) {
		if value := s.show(); value != nil {
			_ = r.aws.Set(s.name, r.in(value, s.name, 0))
		}
	}
	_ = object.Set("aws", r.aws)
	return object
}

// collectAddon reads context.addonConfiguration: the settings for AWS, and what is kept for later rules. One that a rule has replaced by an
// object without a setting leaves that setting as it was; to take one away a rule deletes it. undefined is an error, because a role looked up
// for nobody must not become the target's role.
func (o *outgoing) collectAddon(value goja.Value, c *changes) {
	addon := o.objectOr("addonConfiguration", value)
	if addon == nil {
		return
	}
	o.path = append(o.path, "addonConfiguration")
	c.addon = o.properties(addon, without(addon.GetOwnPropertyNames(), "aws"), unknown)
	aws := o.objectOr("aws", addon.Get("aws"))
	if aws == nil {
		return
	}
	o.path = append(o.path, "aws")
	all, same := settings(&c.aws), o.run.aws != nil && aws.SameAs(o.run.aws)
	present := aws.GetOwnPropertyNames()
	for _, s := range all {
		if slices.Contains(present, s.name) {
			value := aws.Get(s.name)
			if want := s.read(o.out(s.name, value, nil)); want != "" {
				o.path = append(o.path, s.name)
				panic(o.wrong("is %s, not %s", kind(value), want))
			}
		} else if same {
			s.clear()
		}
	}
	present = slices.DeleteFunc(present, func(name string) bool {
		return slices.ContainsFunc(all[:], func(s setting) bool { return s.name == name })
	})
	if len(present) > 0 {
		c.addon["aws"] = o.properties(aws, present, unknown)
	}
}

func unknown(string) any { return nil }

func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(other string) bool { return other == name })
}

// objectOr returns a value that is an object, or nil if there is none.
func (o *outgoing) objectOr(name string, value goja.Value) *goja.Object {
	if value == nil || goja.IsUndefined(value) || goja.IsNull(value) {
		return nil
	}
	object, ok := value.(*goja.Object)
	if !ok || slices.Contains([]string{"Array", "Function"}, object.ClassName()) {
		o.path = append(o.path, name)
		panic(o.wrong("is %s, not an object", kind(value)))
	}
	return object
}

// kind says what a value is, and not which, because it may be a secret.
func kind(value goja.Value) string {
	object, isObject := value.(*goja.Object)
	switch {
	case isObject && object.ClassName() == "Array":
		return "a list"
	case isObject && object.ClassName() == "Function":
		return "a function"
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
