//go:build interop

package jsrules_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestInterop_LibrariesInNode: what TestLibrariesAsInNode expects is what Node gives, with the same
// versions of the libraries from npm.
func TestInterop_LibrariesInNode(t *testing.T) {
	if _, err := os.Stat("testdata/libraries/node_modules/bluebird"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("run npm ci --prefix jsrules/testdata/libraries")
	}
	generate := exec.CommandContext(t.Context(), "node", "generate.js")
	generate.Dir = "testdata/libraries"
	generate.Stderr = os.Stderr
	answers, err := generate.Output()
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/libraries/node.json"
	if golden := must(os.ReadFile(file)); string(golden) != string(answers) {
		t.Errorf("%s is not what Node gives: run node generate.js > node.json in its folder", file)
	}
}
