//go:build interop

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestInterop_SoftHSM runs the scripts of testdata/script/softhsm: credentials by a signature that
// SoftHSM makes, from the configuration alone. Besides the commands of TestInterop_EndToEnd there
// are
//
//	signer              builds delegation-signer with PKCS #11, and puts it in PATH
//	documented HEADING  writes the first commands under a heading of docs/signers.md to
//	                    documented.sh
func TestInterop_SoftHSM(t *testing.T) {
	needs(t, "aws", "awscli")
	needs(t, "softhsm2-util", "softhsm2")
	needs(t, "pkcs11-tool", "opensc")
	file := filepath.Join(t.TempDir(), "delegation-signer")
	build := exec.Command("go", "-C", "../../signer", "build", "-tags", "pkcs11", "-o", file,
		"./cmd/delegation-signer")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	p := scriptParams("testdata/script/softhsm")
	p.Cmds["cloud"] = scriptCloud
	p.Cmds["documented"] = scriptDocumented
	p.Cmds["signer"] = func(ts *testscript.TestScript, negated bool, args []string) {
		usage(ts, !negated && len(args) == 0)
		ts.Setenv("PATH", filepath.Dir(file)+string(filepath.ListSeparator)+ts.Getenv("PATH"))
	}
	testscript.Run(t, p)
}

func scriptDocumented(ts *testscript.TestScript, negated bool, args []string) {
	usage(ts, !negated && len(args) == 1)
	page := string(must(os.ReadFile("../../docs/signers.md")))
	_, section, found := strings.Cut(page, "\n### "+args[0]+"\n")
	if !found {
		ts.Fatalf("docs/signers.md has no %q", args[0])
	}
	commands := regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindStringSubmatch(section)
	if commands == nil {
		ts.Fatalf("%q has no commands", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("documented.sh"), []byte(commands[1]), 0o600))
}
