package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

const page = "../../docs/agents.md"

// TestDocs_Code: what docs/agents.md shows of this program is in it.
func TestDocs_Code(t *testing.T) {
	program := squeeze(read(t, "delegator.go"))
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(read(t, page), -1)
	if len(blocks) == 0 {
		t.Error("it shows nothing")
	}
	for _, block := range blocks {
		if !strings.Contains(program, squeeze(block[1])) {
			t.Errorf("this is not in the program:\n%s", block[1])
		}
	}
}

// TestDocs_Command: the command of docs/agents.md has every flag that it needs, and no other.
func TestDocs_Command(t *testing.T) {
	command := regexp.MustCompile(`(?ms)^mcp (.*?)^` + "```").FindStringSubmatch(read(t, page))
	if command == nil {
		t.Fatal("there is no command")
	}
	args := strings.Fields(strings.ReplaceAll(command[1], "\\\n", " "))
	f, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	// Only the files are missing.
	if err := serveReal(t.Context(), f, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "signing.crt") {
		t.Errorf("got %v", err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
