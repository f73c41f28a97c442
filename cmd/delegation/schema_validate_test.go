package main

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"unicode/utf8"
)

// validate checks a value of JSON by a schema, and returns what is wrong, "" if nothing is.
//
// It knows the keywords that the schema of the configuration uses, and panics at another one. An
// interop test compares it with python's jsonschema.
func validate(schema, value any, at string) string {
	if allowed, ok := schema.(bool); ok {
		if allowed {
			return ""
		}
		return at + " is not allowed"
	}
	s := schema.(object)
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if wrong := keywords(keyword)(s, s[keyword], value, at); wrong != "" {
			return wrong
		}
	}
	return ""
}

// keyword checks a value by one keyword of a schema.
type keyword func(schema object, argument, value any, at string) (wrong string)

func keywords(name string) keyword {
	switch name {
	case "$schema", "title", "description", "default":
		return func(object, any, any, string) string { return "" }
	case "type":
		return hasType
	case "enum":
		return isListed
	case "pattern", "minLength":
		return textFits(name)
	case "minimum", "maximum":
		return numberFits(name)
	case "items", "minItems":
		return listFits(name)
	case "required", "properties", "additionalProperties", "minProperties", "propertyNames":
		return objectFits(name)
	case "anyOf", "oneOf", "not":
		return oneFits(name)
	}
	panic("the keyword " + name + " is not known")
}

func hasType(_ object, argument, value any, at string) string {
	types, ok := argument.([]any)
	if !ok {
		types = []any{argument}
	}
	if slices.ContainsFunc(types, func(name any) bool { return isOfType(name.(string), value) }) {
		return ""
	}
	return fmt.Sprintf("%s: %T is not of %v", at, value, types)
}

func isOfType(name string, value any) bool {
	switch v := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	case []any:
		return name == "array"
	}
	return name == "object"
}

func isListed(_ object, argument, value any, at string) string {
	for _, one := range argument.([]any) {
		if reflect.DeepEqual(one, value) {
			return ""
		}
	}
	return fmt.Sprintf("%s: %v is not listed", at, value)
}

func textFits(name string) keyword {
	return func(_ object, argument, value any, at string) string {
		text, ok := value.(string)
		switch {
		case !ok:
		case name == "pattern" && !regexp.MustCompile(argument.(string)).MatchString(text),
			name == "minLength" && utf8.RuneCountInString(text) < int(argument.(float64)):
			return fmt.Sprintf("%s: %q: %s", at, text, name)
		}
		return ""
	}
}

func numberFits(name string) keyword {
	return func(_ object, argument, value any, at string) string {
		n, ok := value.(float64)
		bound := argument.(float64)
		if ok && (name == "minimum" && n < bound || name == "maximum" && n > bound) {
			return fmt.Sprintf("%s: %v: %s %v", at, n, name, bound)
		}
		return ""
	}
}

func listFits(name string) keyword {
	return func(_ object, argument, value any, at string) string {
		list, ok := value.([]any)
		if !ok {
			return ""
		}
		if name == "minItems" {
			if len(list) < int(argument.(float64)) {
				return at + ": too few"
			}
			return ""
		}
		for i, one := range list {
			if wrong := validate(argument, one, fmt.Sprintf("%s[%d]", at, i)); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func objectFits(name string) keyword {
	return func(schema object, argument, value any, at string) string {
		o, ok := value.(object)
		if !ok {
			return ""
		}
		switch name {
		case "minProperties":
			if len(o) < int(argument.(float64)) {
				return at + ": too few"
			}
		case "required":
			for _, key := range argument.([]any) {
				if _, has := o[key.(string)]; !has {
					return fmt.Sprintf("%s: no %s", at, key)
				}
			}
		case "propertyNames":
			for _, key := range slices.Sorted(maps.Keys(o)) {
				if wrong := validate(argument, key, at+"."+key); wrong != "" {
					return wrong
				}
			}
		case "properties":
			return membersFit(argument.(object), o, at)
		case "additionalProperties":
			named, _ := schema["properties"].(object)
			for _, key := range slices.Sorted(maps.Keys(o)) {
				if _, known := named[key]; known {
					continue
				}
				if wrong := validate(argument, o[key], at+"."+key); wrong != "" {
					return wrong
				}
			}
		}
		return ""
	}
}

func membersFit(properties, value object, at string) string {
	for _, key := range slices.Sorted(maps.Keys(value)) {
		schema, known := properties[key]
		if !known {
			continue
		}
		if wrong := validate(schema, value[key], at+"."+key); wrong != "" {
			return wrong
		}
	}
	return ""
}

func oneFits(name string) keyword {
	return func(_ object, argument, value any, at string) string {
		alternatives, ok := argument.([]any)
		if !ok {
			alternatives = []any{argument}
		}
		fitting := 0
		for _, one := range alternatives {
			if validate(one, value, at) == "" {
				fitting++
			}
		}
		if name == "anyOf" && fitting > 0 || name == "oneOf" && fitting == 1 ||
			name == "not" && fitting == 0 {
			return ""
		}
		return fmt.Sprintf("%s: %d of %s fit", at, fitting, name)
	}
}
