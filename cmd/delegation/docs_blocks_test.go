package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/dop251/goja/parser"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// These parsers are not in the tests of the root package: they would be in the go.sum of every
// program that imports it.

// TestDocs_JavaScript: every block of JavaScript on a page can be parsed.
func TestDocs_JavaScript(t *testing.T) {
	checkBlocks(t, regexp.MustCompile(`^(js|javascript|ts|typescript)$`), isJavaScript)
}

// TestDocs_HCL: every block of HCL on a page can be parsed.
func TestDocs_HCL(t *testing.T) {
	checkBlocks(t, regexp.MustCompile(`^(hcl|terraform)$`), isHCL)
}

// checkBlocks checks the fenced blocks of a language on all pages of the repository.
func checkBlocks(t *testing.T, language *regexp.Regexp, check func(string) error) {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^([ \t]*)```([^`\n]*)\n(.*?)^[ \t]*```$")
	checked := 0
	skipped := []string{"node_modules", "testdata", ".git", "venv", "dist"}
	visit := func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(skipped, entry.Name()) {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		for _, found := range fence.FindAllStringSubmatch(string(must(os.ReadFile(name))), -1) {
			if !language.MatchString(found[2]) {
				continue
			}
			checked++
			text := regexp.MustCompile("(?m)^"+found[1]).ReplaceAllString(found[3], "")
			if err := check(text); err != nil {
				t.Errorf("%s: %v:\n%s", name, err, text)
			}
		}
		return nil
	}
	if err := filepath.WalkDir("../..", visit); err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Error("no block was found")
	}
}

var (
	importStatement = regexp.MustCompile(`(?ms)^import .*?;$`)
	exportKeyword   = regexp.MustCompile(`(?m)^export (default )?`)
)

// isJavaScript accepts what a module, a script or a file with one function may have. The parser
// knows no import and export, so these are taken out.
func isJavaScript(text string) error {
	text = exportKeyword.ReplaceAllString(importStatement.ReplaceAllString(text, ""), "")
	_, err := parser.ParseFile(nil, "", "(async function () {\n"+text+"\n})", 0)
	if err == nil {
		return nil
	}
	if _, asFunction := parser.ParseFile(nil, "", "("+text+")", 0); asFunction == nil {
		return nil
	}
	return err
}

func isHCL(text string) error {
	_, problems := hclsyntax.ParseConfig([]byte(text), "page", hcl.InitialPos)
	if problems.HasErrors() {
		return problems
	}
	return nil
}

// TestDocs_BlocksParsed: the checks of blocks tell right from wrong.
func TestDocs_BlocksParsed(t *testing.T) {
	for text, want := range map[string]bool{
		"import { a } from \"b\";\nexport const c = await a();": true,
		"function (user, context, callback) { callback(); }":    true,
		"import {\n  a,\n  b,\n} from \"c\";\na?.b()":           true,
		"const a = ;": false, "function (user {": false, "await (": false,
	} {
		if got := isJavaScript(text) == nil; got != want {
			t.Errorf("JavaScript %q: got %t", text, got)
		}
	}
	if isHCL("module \"a\" {\n") == nil {
		t.Error("HCL without its end is accepted")
	}
}
