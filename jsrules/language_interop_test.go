//go:build interop

package jsrules_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// goldenNode is the version of Node whose answers node.txt has.
const goldenNode = "v20."

// TestInterop_Language: Node gives the answers in node.txt, with which TestLanguage compares. One
// process runs all cases. Another version of Node may differ in one case of fifty: in functions
// that it has gained, and in ICU's patterns.
func TestInterop_Language(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is missing")
		}
		t.Skip("node is missing")
	}
	version := strings.TrimSpace(string(must(exec.Command(node, "--version").Output())))
	command := exec.CommandContext(t.Context(), node, "generate.js")
	command.Dir = languageFolder
	command.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=en_US.UTF-8")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	got := strings.Split(strings.TrimSuffix(string(output), "\n"), "\n")
	want := fileLines(t, "node.txt")
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	var different []string
	for i := range got {
		if got[i] != want[i] {
			different = append(different, "got "+got[i]+"\nwant "+want[i])
		}
	}
	t.Logf("Node %s: %d cases, %d answers differ from node.txt", version, len(got), len(different))
	if strings.HasPrefix(version, goldenNode) && len(different) > 0 ||
		len(different)*50 > len(got) {
		t.Errorf("%s", strings.Join(different, "\n"))
	}
}
