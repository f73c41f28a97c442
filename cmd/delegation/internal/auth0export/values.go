package auth0export

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// object is a JSON object of an export, and its place there.
type object struct {
	at     string
	values map[string]any
}

// wrong is a problem of a member.
func (o object) wrong(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", o.at, name, fmt.Errorf(format, args...))
}

// text returns a member that is a text, "" if it is absent or null.
func (o object) text(name string) (string, error) {
	value, has := o.values[name]
	if !has || value == nil {
		return "", nil
	}
	text, isText := value.(string)
	if !isText {
		return "", o.wrong(name, "is not text")
	}
	if err := checkReplaced(text); err != nil {
		return "", o.wrong(name, "%w", err)
	}
	return text, nil
}

// truth returns a member that is true or false. An absent member has its default. null is refused,
// because it may be a mistake that enables a rule.
func (o object) truth(name string, usual bool) (bool, error) {
	value, has := o.values[name]
	if !has {
		return usual, nil
	}
	truth, isTruth := value.(bool)
	if !isTruth {
		return false, o.wrong(name, "is neither true nor false")
	}
	return truth, nil
}

// number returns a member that is a number, and whether there is one.
func (o object) number(name string) (number float64, has bool, err error) {
	value := o.values[name]
	if value == nil {
		return 0, false, nil
	}
	text, isNumber := value.(json.Number)
	if !isNumber {
		return 0, false, o.wrong(name, "is not a number")
	}
	number, err = text.Float64()
	if err != nil || math.IsInf(number, 0) {
		return 0, false, o.wrong(name, "is too large a number")
	}
	return number, true, nil
}

// object returns a member that is an object. If it is absent or null, the object has no values.
func (o object) object(name string) (object, error) {
	inner := object{at: o.at + ": " + name}
	value, has := o.values[name]
	if !has || value == nil {
		return inner, nil
	}
	values, isObject := value.(map[string]any)
	if !isObject {
		return inner, o.wrong(name, "is not an object")
	}
	inner.values = values
	return inner, nil
}

// onlyHas refuses members that are not known.
func (o object) onlyHas(names ...string) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		if !slices.Contains(names, name) {
			unknown = append(unknown, fmt.Sprintf("%.100q", name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s is unknown: the import knows %s", o.at, strings.Join(unknown, ", "),
		strings.Join(names, ", "))
}

// objects returns the objects of a list, each with its place. An absent or null list is empty.
func objects(at string, value any) (list []object, err error) {
	if value == nil {
		return nil, nil
	}
	values, isList := value.([]any)
	if !isList {
		return nil, fmt.Errorf("%s: is not a list", at)
	}
	var wrong []error
	for i, one := range values {
		inner, isObject := one.(map[string]any)
		if !isObject {
			wrong = append(wrong, fmt.Errorf("%s[%d]: is not an object", at, i))
			continue
		}
		list = append(list, object{fmt.Sprintf("%s[%d]", at, i), inner})
	}
	return list, errors.Join(wrong...)
}
