package jsrules_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/jsrules"
)

// libraryCases are the files of testdata/libraries, with what a rule writes to get the library.
var libraryCases = map[string]string{
	"lodash":          "const _ = require('lodash');",
	"lodash2":         "",
	"moment":          "const moment = require('moment');",
	"moment-timezone": "const moment = require('moment-timezone');",
	"async":           "const async = require('async');",
	"async0":          "",
	"bluebird":        "const Bluebird = require('bluebird');",
}

// TestLibrariesAsInNode: every call of testdata/libraries gives what it gives in Node.
func TestLibrariesAsInNode(t *testing.T) {
	var node map[string]map[string]string
	golden := must(os.ReadFile("testdata/libraries/node.json"))
	if err := json.Unmarshal(golden, &node); err != nil {
		t.Fatal(err)
	}
	for name, prelude := range libraryCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := libraryLines(name)
			if least := map[bool]int{true: 40, false: 60}[name == "async0"]; len(lines) < least {
				t.Fatalf("only %d calls", len(lines))
			}
			for i, got := range runLibrary(t, prelude, lines) {
				if want := node[name][lines[i]]; got != want {
					t.Errorf("%s\n got %v\nwant %s", lines[i], got, want)
				}
			}
		})
	}
}

func libraryLines(name string) []string {
	content := must(os.ReadFile("testdata/libraries/" + name + ".txt"))
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// runLibrary evaluates calls in one rule, one after the other, and returns what each one gives.
func runLibrary(t *testing.T, prelude string, lines []string) []any {
	t.Helper()
	var source strings.Builder
	source.WriteString("async function (user, context, callback) {\n" + prelude + "\n")
	source.Write(must(os.ReadFile("testdata/libraries/show.js")))
	source.WriteString("const calls = [\n")
	for _, line := range lines {
		source.WriteString("() => (" + line + "),\n")
	}
	source.WriteString(`];
	user.got = [];
	for (const call of calls) {
		try {
			user.got.push(show(await call()));
		} catch (e) {
			user.got.push('throws ' + show(e));
		}
	}
	callback(null, user, context);
}`)
	rule := compile(t, source.String(), jsrules.Options{RuleTimeout: time.Minute})
	user := benchmarkUser()
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	return user.Properties["got"].([]any)
}
