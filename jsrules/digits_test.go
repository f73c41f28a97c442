package jsrules_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// longNumbers are properties of a user with numbers that are one number in JavaScript: those that
// end in 789 and 790. The one that ends in 999 is the only such.
func longNumbers() map[string]any {
	group := func(id, name string) any {
		return map[string]any{"id": json.Number(id), "name": name}
	}
	return map[string]any{
		"ids":    []any{json.Number("1234567890123456789"), json.Number("1234567890123456790")},
		"groups": []any{group("1234567890123456789", "admins"), group("1234567890123456790", "users")},
		"a":      json.Number("1234567890123456789"),
		"b":      json.Number("1234567890123456790"),
		"only":   json.Number("8234567890123456999"),
		"mixed":  []any{json.Number("5"), json.Number("8234567890123456999"), json.Number("1.50")},
		"loaded": map[string]any{"signed": int64(-8234567890123456998), "unsigned": uint64(1<<63 + 1)},
		"exact":  json.Number("1234567890123456800"),
		"ratio":  json.Number("0.12345678901234567891"),
	}
}

// afterRule returns the user's properties that a rule of these statements leaves, or its error.
func afterRule(t *testing.T, statements string) (map[string]any, error) {
	t.Helper()
	user := &delegation.User{Properties: longNumbers()}
	rule := compile(t, body(statements), jsrules.Options{})
	err := rule(t.Context(), user, benchmarkContext())
	return user.Properties, err
}

// TestLongNumbersKeepTheirDigits: a number that JavaScript does not have keeps its digits where a
// rule has left it, and wherever the rule moves it if only one number can be meant.
func TestLongNumbersKeepTheirDigits(t *testing.T) {
	const admins = `{"id":1234567890123456789,"name":"admins"}`
	const users = `{"id":1234567890123456790,"name":"users"}`
	for statement, want := range map[string]map[string]string{
		"JSON.stringify(user); Object.values(user)":                                        {},
		"user.ids.forEach(String); user.groups.map(g => g.id); user.mixed[1] + user.ratio": {},
		"user.groups.forEach(g => { g.seen = true; delete g.seen; })":                      {},

		"user.groups = user.groups.filter(g => g.name !== 'admins')": {"groups": "[" + users + "]"},
		"user.groups.shift()":                      {"groups": "[" + users + "]"},
		"user.groups.reverse()":                    {"groups": "[" + users + "," + admins + "]"},
		"user.first = user.groups.find(g => g.id)": {"first": admins},
		"user.groups[0].id = '1'; delete user.groups[1].id": {
			"groups": `[{"id":"1","name":"admins"},{"name":"users"}]`,
		},
		"user.ids.push('x')": {"ids": `[1234567890123456789,1234567890123456790,"x"]`},
		"user.ids.pop()":     {"ids": "[1234567890123456789]"},

		"user.mixed.shift()":                                   {"mixed": "[8234567890123456999,1.5]"},
		"user.mixed.reverse()":                                 {"mixed": "[1.5,8234567890123456999,5]"},
		"user.mixed = user.mixed.filter(Number)":               {},
		"user.only = user.mixed[1]":                            {},
		"user.a = user.b":                                      {"a": "1234567890123456790"},
		"user.ids = user.ids.filter(id => id !== user.ids[1])": {"ids": "[]"},
		"console.log(user.ids[0], [user.ids[0]], user)":        {},
		"user.copy = user.only":                                {"copy": "8234567890123456999"},
		"user.only = user.only + 4096":                         {"only": "8234567890123461000"},
		"user.exact = user.exact":                              {},
		"user.ratio = user.ratio":                              {},
		"user.mixed = user.mixed.map(n => n * 2)":              {"mixed": "[10,16469135780246913000,3]"},
		"user.loaded = {...user.loaded}":                       {},
		"callback(null, Object.assign({}, user, {a: 1, b: 2, exact: 3}), context); return": {
			"a": "1", "b": "2", "exact": "3",
		},
	} {
		got, err := afterRule(t, statement+passes)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		expected := map[string]string{}
		for name, before := range longNumbers() {
			expected[name] = text(before)
		}
		maps.Copy(expected, want)
		for name, value := range expected {
			if text(got[name]) != value {
				t.Errorf("%s: %s is %s, want %s", statement, name, text(got[name]), value)
			}
		}
	}
}

// TestLongNumbersThatCannotBeTold: a number that may be one of several is refused with its place,
// if the rule has moved or set it. Otherwise what a rule removes could return.
func TestLongNumbersThatCannotBeTold(t *testing.T) {
	for _, test := range []struct{ place, statement string }{
		{"user.ids.0", "user.ids = user.ids.slice(1)"},
		{"user.ids.0", "user.ids.shift()"},
		{"user.ids.0", "user.ids.reverse()"},
		{"user.ids.0", "user.ids.splice(0, 1)"},
		{"user.ids.1", "user.ids.unshift('x')"},
		{"user.ids.0", "user.ids.sort()"},
		{"user.ids.0", "user.ids[0] = user.ids[1]"},
		{"user.ids.0", "Object.defineProperty(user.ids, 0, {value: user.ids[1]})"},
		{"user.ids.0", "user.ids = [...user.ids]"},
		{"user.ids.0", "var id = user.ids[1]; user.ids = [id]"},
		{"user.groups.0.id", "user.groups[0].id = user.groups[1].id"},
		{"user.groups.0.id", "user.groups = user.groups.map(g => Object.assign({}, g))"},
		{"user.groups.0.id", "user.groups = JSON.parse(JSON.stringify(user.groups))"},
		{"user.groups.0.id", `var id = user.groups[1].id;
			delete user.groups[0].id;
			user.groups[0].id = id`},
		{"user.groups.0.id", `user.groups[0] = Object.create(user.groups[1]);
			user.groups[0].id = user.groups[1].id`},
		{"user.a", "var a = user.a; user.a = user.b; user.b = a"},
		{"user.a", "callback(null, Object.assign({}, user), context); return"},
		{"user.c", "user.c = user.a; user.ids"},
		{"user.copy", "user.copy = user.exact; user.a"},
		{"addonConfiguration.aws.tags.id",
			"context.addonConfiguration.aws.tags = {id: user.a}; user.b"},
	} {
		got, err := afterRule(t, test.statement+passes)
		if !errors.Is(err, jsrules.ErrValue) ||
			!strings.Contains(err.Error(), test.place+" may be any of several numbers") ||
			!reflect.DeepEqual(got, longNumbers()) {
			t.Errorf("%s: got %v, %v, want a refusal of %s", test.statement, got, err, test.place)
		}
	}
}

// TestLongNumbersInGlobal: global is dropped, and the log says why, if a number in it may be one of
// several.
func TestLongNumbersInGlobal(t *testing.T) {
	log := &lines{}
	user := &delegation.User{Properties: longNumbers()}
	rule := compile(t, body("global.id = user.a; user.seen = [global.id > user.b];"+passes),
		jsrules.Options{Logger: log.logger()})
	err := rule(t.Context(), user, benchmarkContext())
	if err != nil || !reflect.DeepEqual(user.Properties["seen"], []any{false}) {
		t.Errorf("got %v, %v", err, user)
	}
	const reason = "global is dropped: global.id may be any of several numbers"
	if len(log.lines) != 1 || !strings.Contains(log.lines[0], reason) {
		t.Errorf("log: %q", log.lines)
	}
}

// text returns a value as JSON.
func text(value any) string { return string(must(json.Marshal(value))) }
