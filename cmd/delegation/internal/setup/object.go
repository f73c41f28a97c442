package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxNumber = 999_999_999_999_999

// object is a JSON object whose members keep their order, because people read policies. A value is
// an object, []any, string, int64, bool or nil.
type object []member

type member struct {
	name  string
	value any
}

// get returns the value of a member, or nil.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// parseObject parses a text that consists of one JSON object. A repeated name is an error, because
// parsers differ in which value they take.
func parseObject(text string) (object, error) {
	if !utf8.ValidString(text) { // the decoder would replace invalid bytes
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	value, err := parseValue(d)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more after its end")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	o, ok := value.(object)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	return o, nil
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if number, ok := token.(json.Number); ok {
		return parseNumber(number)
	}
	switch token {
	case json.Delim('{'):
		return parseMembers(d)
	case json.Delim('['):
		return parseList(d)
	}
	return token, nil
}

// parseNumber accepts whole numbers that are the same for parsers of JSON, YAML and HCL.
func parseNumber(number json.Number) (any, error) {
	whole, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || max(whole, -whole) > maxNumber || whole == math.MinInt64 {
		return nil, fmt.Errorf("%.40s is not a whole number of at most 15 digits: put it "+
			"in quotes", number)
	}
	return whole, nil
}

// parseMembers parses an object after its opening brace.
func parseMembers(d *json.Decoder) (any, error) {
	o := object{}
	for seen := map[string]bool{}; d.More(); {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string)} // the decoder has checked the type
		if seen[m.name] {
			return nil, fmt.Errorf("%.80q appears twice", m.name)
		}
		seen[m.name] = true
		if m.value, err = parseValue(d); err != nil {
			return nil, err
		}
		o = append(o, m)
	}
	_, err := d.Token() // the end
	return o, err
}

// parseList parses a list after its opening bracket.
func parseList(d *json.Decoder) (any, error) {
	list := []any{}
	for d.More() {
		value, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token() // the end
	return list, err
}

// walk calls visit for every name and text, in their order.
func walk(value any, visit func(text string, isName bool) error) error {
	switch v := value.(type) {
	case object:
		for _, m := range v {
			if err := errors.Join(visit(m.name, true), walk(m.value, visit)); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := walk(element, visit); err != nil {
				return err
			}
		}
	case string:
		return visit(v, false)
	}
	return nil
}
