package delegation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// downstream is a module outside of this one, with a program that imports the library.
type downstream struct {
	folder      string
	environment []string
}

// newDownstream makes a module with a program and with requirements, next to the library of this
// tree. It begins with the library's go.sum, so what that has is not asked for.
func newDownstream(t *testing.T, program string, requires ...string) *downstream {
	t.Helper()
	c := &downstream{
		folder: t.TempDir(),
		// The sums of the library's own modules are known, and others' are of no use to anybody.
		environment: append(os.Environ(), "GOFLAGS=-mod=mod", "GOSUMDB=off", "GOWORK=off"),
	}
	tree, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"module example.com/downstream", "go 1.25.0"}
	if strings.Contains(program, `"`+modulePath+`"`) {
		lines = append(lines, "require "+modulePath+" v0.0.0", "replace "+modulePath+" => "+tree)
	}
	for _, module := range requires {
		lines = append(lines, "require "+module)
	}
	c.write(t, "go.mod", strings.Join(lines, "\n")+"\n")
	c.write(t, "go.sum", string(must(os.ReadFile("go.sum"))))
	c.write(t, "main.go", program)
	return c
}

func (c *downstream) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the go command in the module, and returns the lines of its output.
func (c *downstream) run(t *testing.T, args ...string) (lines []string) {
	t.Helper()
	command := exec.Command("go", args...)
	command.Dir = c.folder
	command.Env = c.environment
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, &said)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// linked are the paths of the modules whose packages are in the program, besides the standard
// library and the program itself.
func (c *downstream) linked(t *testing.T) []string {
	t.Helper()
	const format = "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}"
	return set(c.run(t, "list", "-deps", "-f", format, "."))
}

// listed are the paths of the modules that the go command considers for the program. It reads the
// go.mod of each, and has nothing else of those that are not linked.
func (c *downstream) listed(t *testing.T) []string {
	t.Helper()
	return set(c.run(t, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all"))
}

func set(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

const usesLibrary = `package main

import (
	"context"
	"fmt"

	"github.com/seed055b7978/delegation"
)

func main() {
	_, err := delegation.New(context.Background(), delegation.Config{})
	fmt.Println(err)
}
`

// neverLinked are beginnings of the modules that the commands and the other packages need. A
// program that imports the library has none of them.
var neverLinked = []string{
	"github.com/prometheus/", "go.opentelemetry.io/", "google.golang.org/",
	"github.com/redis/", "github.com/spf13/", "github.com/hashicorp/hcl",
	"github.com/zclconf/", "github.com/goccy/go-yaml", "github.com/dop251/", "github.com/rs/",
	"github.com/aws/aws-sdk-go-v2/service/kms", "cloud.google.com/", "github.com/Azure/",
	"github.com/miekg/pkcs11", modulePath + "/signer",
}

// neverListed are beginnings of the modules that only the module signer needs.
var neverListed = []string{
	"github.com/aws/aws-sdk-go-v2/service/kms", "cloud.google.com/go/kms", "github.com/Azure/",
	"github.com/AzureAD/", "github.com/googleapis/", "github.com/miekg/", modulePath + "/signer",
}

// TestDownstream: what a program links and lists that imports the library, and no other package.
// Both lists are written down. One that grows makes downloads and reviews of everyone who uses the
// library longer, so it is a decision: go test -run TestDownstream -update .
func TestDownstream(t *testing.T) {
	c := newDownstream(t, usesLibrary)
	linked := c.linked(t)
	listed := c.listed(t)
	if len(linked) < 10 || len(listed) <= len(linked) {
		t.Fatalf("%d modules are linked and %d listed", len(linked), len(listed))
	}
	wantWritten(t, "testdata/downstream/linked.txt", linked)
	wantWritten(t, "testdata/downstream/listed.txt", listed)
	wantNone(t, "links", linked, neverLinked)
	wantNone(t, "lists", listed, neverListed)
}

// wantWritten wants the lines of a file.
func wantWritten(t *testing.T, file string, got []string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Fields(string(must(os.ReadFile(file))))
	for _, module := range got {
		if !slices.Contains(want, module) {
			t.Errorf("%s is new to those who use the library, and not in %s", module, file)
		}
	}
	for _, module := range want {
		if !slices.Contains(got, module) {
			t.Errorf("%s is in %s, and no longer needed", module, file)
		}
	}
}

// wantNone wants no module with one of the beginnings.
func wantNone(t *testing.T, does string, modules, beginnings []string) {
	t.Helper()
	for _, module := range modules {
		for _, beginning := range beginnings {
			if strings.HasPrefix(module, beginning) {
				t.Errorf("a program that imports the library %s %s", does, module)
			}
		}
	}
}
