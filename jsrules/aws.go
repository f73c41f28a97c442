package jsrules

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// settings are the properties of context.addonConfiguration.aws that decide. The first five are Auth0's, the others are ours.
func settings(a *delegation.AWS) []setting {
	return []setting{
		textSetting("principal", &a.Principal), textSetting("role", &a.Role), textSetting("region", &a.Region),
		mapSetting("mappings", &a.Mappings), lifetimeSetting(&a.SessionDuration),
		textSetting("policy", &a.Policy), listSetting("policyArns", &a.PolicyARNs),
		mapSetting("tags", &a.Tags), listSetting("transitiveTagKeys", &a.TransitiveTagKeys),
		textSetting("sourceIdentity", &a.SourceIdentity), textSetting("sessionName", &a.SessionName),
	}
}

// setting is one property: how it is shown to a rule, and how what the rule has made of it is read.
type setting struct {
	name  string
	value any              // nil: there is none
	read  func(any) string // returns what the value should be instead, or ""
	clear func()
}

func textSetting(name string, field *string) setting {
	s := setting{name: name, clear: func() { *field = "" }, read: func(value any) string {
		text, ok := value.(string)
		*field = text
		return unless(ok, "a string")
	}}
	if *field != "" {
		s.value = *field
	}
	return s
}

func mapSetting[M ~map[string]string](name string, field *M) setting {
	s := setting{name: name, clear: func() { *field = nil }, read: func(value any) string {
		object, ok := value.(map[string]any)
		made := make(M, len(object))
		for name, value := range object {
			text, isText := value.(string)
			made[name], ok = text, ok && isText
		}
		*field = made
		return unless(ok, "an object of strings")
	}}
	if len(*field) > 0 {
		object := map[string]any{}
		for name, value := range *field {
			object[name] = value
		}
		s.value = object
	}
	return s
}

func listSetting(name string, field *[]string) setting {
	s := setting{name: name, clear: func() { *field = nil }, read: func(value any) string {
		list, ok := value.([]any)
		made := make([]string, len(list))
		for i, value := range list {
			text, isText := value.(string)
			made[i], ok = text, ok && isText
		}
		*field = made
		return unless(ok, "a list of strings")
	}}
	if len(*field) > 0 {
		list := make([]any, len(*field))
		for i, value := range *field {
			list[i] = value
		}
		s.value = list
	}
	return s
}

// lifetimeSetting is a session's seconds. Zero is refused, because to AWS.SessionDuration it means one hour.
func lifetimeSetting(field *time.Duration) setting {
	s := setting{name: "lifetime_in_seconds", clear: func() { *field = 0 }, read: func(value any) string {
		number, _ := value.(json.Number)
		seconds, err := strconv.ParseInt(number.String(), 10, 32)
		*field = time.Duration(seconds) * time.Second
		return unless(err == nil && seconds > 0, "a whole number of seconds above 0")
	}}
	if *field != 0 {
		s.value = json.Number(strconv.FormatInt(int64(*field/time.Second), 10))
	}
	return s
}

func unless(ok bool, want string) string {
	if ok {
		return ""
	}
	return want
}

// addonValue makes context.addonConfiguration: what earlier rules have left there, and the settings as they are now.
func (r *run) addonValue(a *delegation.AWS) goja.Value {
	addon, aws := r.exchange.addon, map[string]any{}
	if left, ok := addon["aws"].(map[string]any); ok {
		maps.Copy(aws, left)
	}
	for _, s := range settings(a) {
		if s.value != nil {
			aws[s.name] = s.value
		}
	}
	object := r.rt.NewObject()
	for name, value := range sorted(addon) {
		if name != "aws" {
			r.define(object, name, r.in(value, name, 0))
		}
	}
	r.aws = r.in(aws, "aws", 0).(*goja.Object)
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
	defer func() { o.path = o.path[:len(o.path)-1] }()
	unknown := func(string) any { return nil }
	left := o.members(addon, unknown, "aws")
	aws := o.objectOr("aws", member(addon, "aws"))
	if aws != nil {
		o.path = append(o.path, "aws")
		same := o.run.aws != nil && aws.SameAs(o.run.aws)
		var names []string
		for _, s := range settings(&c.aws) {
			names = append(names, s.name)
			value := aws.Get(s.name)
			if value == nil {
				if same {
					s.clear()
				}
				continue
			}
			if want := s.read(o.out(s.name, value, nil)); want != "" {
				o.path = append(o.path, s.name)
				panic(o.wrong("is %s, not %s", kind(value), want))
			}
		}
		left["aws"] = o.members(aws, unknown, names...)
		o.path = o.path[:len(o.path)-1]
	}
	c.addon = left
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
