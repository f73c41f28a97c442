//go:build interop

package jsrules_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestInterop_ModulesInNode: what TestNodeModules expects is what Node and the packages of npm
// answer to the same cases, all in one process.
func TestInterop_ModulesInNode(t *testing.T) {
	if _, err := os.Stat(modulesFolder + "/node_modules/jsonwebtoken"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("run npm ci --prefix jsrules/testdata/modules")
	}
	answer := exec.CommandContext(t.Context(), "node", "--no-deprecation", "node.js")
	answer.Dir = modulesFolder
	answer.Stderr = os.Stderr
	answers, err := answer.Output()
	if err != nil {
		t.Fatal(err)
	}
	const file = modulesFolder + "/node.txt"
	if golden := must(os.ReadFile(file)); string(golden) != string(answers) {
		t.Errorf("%s is not what Node answers: "+
			"run node --no-deprecation node.js > node.txt in its folder", file)
	}
}
