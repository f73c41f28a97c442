//go:build interop

package jsrules_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestInterop_HTTPInNode: what TestHTTP_Node expects is what Node gives, with the npm packages.
// With -update it is written.
func TestInterop_HTTPInNode(t *testing.T) {
	if _, err := os.Stat("testdata/http/node_modules/axios"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("run npm ci --prefix jsrules/testdata/http")
	}
	server, closed := nodeServer(t)
	generate := exec.CommandContext(t.Context(), "node", "generate.js",
		server.URL, "http://"+closed)
	generate.Dir = "testdata/http"
	generate.Stderr = os.Stderr
	answers, err := generate.Output()
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/http/node.json"
	if *updateDifferences {
		if err := os.WriteFile(file, answers, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if golden := must(os.ReadFile(file)); string(golden) != string(answers) {
		t.Errorf("%s is not what Node gives: run this test with -update", file)
	}
}
