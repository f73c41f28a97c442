//go:build interop

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// otherValidator reads a schema and then configurations, and prints for each whether it is valid.
const otherValidator = `
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for line in sys.stdin:
    print(validator.is_valid(json.loads(line)))
`

// TestInterop_JSONSchema: the schema is right by the meta-schema of its draft. Python's jsonschema
// judges every configuration of the other tests as they do.
func TestInterop_JSONSchema(t *testing.T) {
	if err := exec.Command("python3", "-c", "import jsonschema").Run(); err != nil {
		needs(t, "python3 with jsonschema", "python3-jsonschema") // which is not there
	}
	schema := readSchema(t)
	all := jsonOf(t, everything)
	nothing := mutation{what: "nothing", change: func(value any) any { return value }}
	list := append(mutations(all), nothing)
	configs := make([]any, len(list))
	var lines strings.Builder
	for i, m := range list {
		configs[i] = m.of(t, all)
		lines.Write(must(json.Marshal(configs[i])))
		lines.WriteByte('\n')
	}
	python := exec.Command("python3", "-c", otherValidator, schemaFile)
	python.Stdin = strings.NewReader(lines.String())
	python.Stderr = os.Stderr
	said := strings.Fields(string(must(python.Output())))
	if len(said) != len(list) {
		t.Fatalf("%d answers to %d configurations", len(said), len(list))
	}
	refused := 0
	for i, m := range list {
		wrong := validate(schema, configs[i], "")
		if wrong != "" {
			refused++
		}
		if other := strings.ToLower(said[i]); other != strconv.FormatBool(wrong == "") {
			t.Errorf("%v %s: python says %s, and the test %q", m.at, m.what, other, wrong)
		}
	}
	t.Logf("%d configurations, %d refused by both", len(list), refused)
}
