package delegation_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// riddles are words that a reader has to guess at, with the plain ones. A word is here if it means
// nothing else in this project.
var riddles = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\bwho(m|so)?ever\b`), "the operator, the caller, anyone who"},
	{regexp.MustCompile(`(?i)\bpapers?\b`), "documents, credentials"},
	{regexp.MustCompile(`(?i)\bat hand\b`), "available, cached"},
	{regexp.MustCompile(`(?i)\b(go|goes|going|gone|went|come|comes|came) round\b`), "bypass"},
	{regexp.MustCompile(`(?i)\bstands? (beside|by)\b`), "is configured, is next to"},
	{regexp.MustCompile(`(?i)\bbeside\b`), "next to"},
	{regexp.MustCompile(`(?i)\bbehind (\w+ |\w+'s )*back\b`), "in the background"},
	{regexp.MustCompile(`(?i)\b(calls|asks|tells) nobody\b`), "makes no network calls"},
	{regexp.MustCompile(`(?i)\b(while|if|when) nobody asks\b`), "without requests"},
	{regexp.MustCompile(`(?i)\bin vain\b`), "without success"},
	{regexp.MustCompile(`(?i)\b(shut|open|close)s? the door\b`), "block, allow"},
	{regexp.MustCompile(`(?i)\bthe very \w+\b`), "exactly this"},
	{regexp.MustCompile(`(?i)\b(thereof|therein|whereof|hitherto|henceforth|whence|thence|lest)\b`),
		"plain words"},
}

// TestDocs_Words: pages, and the comments and texts of the code, have no riddle.
func TestDocs_Words(t *testing.T) {
	check := func(name string, line int, text string) {
		for _, riddle := range riddles {
			for _, words := range riddle.pattern.FindAllString(text, -1) {
				t.Errorf("%s:%d: %q: say %s", name, line, words, riddle.instead)
			}
		}
	}
	for _, name := range markdownPages(t) {
		number := 0
		text := blankCode(string(must(os.ReadFile(name))))
		for line := range strings.Lines(text) {
			number++
			check(name, number, line)
		}
	}
	files := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", "testdata"}, entry.Name()) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		for line, text := range wordsOfGo(must(os.ReadFile(name))) {
			check(name, line, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 200 {
		t.Errorf("only %d files of Go are found", files)
	}
}

// TestDocs_WordsFound: the check finds riddles in prose, comments and texts, and in no code.
func TestDocs_WordsFound(t *testing.T) {
	source := "// Run is for whoever\n// has it at\n// hand.\nvar papers = \"in vain\" // fine\n"
	lines := wordsOfGo([]byte("package p\n\n" + source))
	var got []string
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		for _, riddle := range riddles {
			got = append(got, riddle.pattern.FindAllString(lines[line], -1)...)
		}
	}
	if want := "whoever, at hand, in vain"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
	if text := blankCode("`papers`\n```sh\npapers\n```\nx\n"); strings.Contains(text, "papers") ||
		strings.Count(text, "\n") != 5 {
		t.Errorf("got %q", text)
	}
}

// blankCode takes code out of a Markdown text, and leaves the lines where they are.
func blankCode(text string) string {
	lineEnds := func(code string) string { return strings.Repeat("\n", strings.Count(code, "\n")) }
	return codeSpan.ReplaceAllString(fencedBlock.ReplaceAllStringFunc(text, lineEnds), "")
}

// wordsOfGo returns the comments and string literals of a Go file, by the line on which they begin.
// Line comments that follow each other are one text.
func wordsOfGo(source []byte) map[int]string {
	texts := map[int]string{}
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	begin, last := 0, 0
	for {
		position, kind, literal := s.Scan()
		if kind == token.EOF {
			return texts
		}
		line := file.Line(position)
		switch {
		case kind == token.STRING:
			texts[line] += " " + literal
		case kind == token.COMMENT && line == last+1 && strings.HasPrefix(literal, "//"):
			texts[begin] += strings.TrimPrefix(literal, "//")
			last = line
		case kind == token.COMMENT:
			texts[line] += " " + strings.TrimPrefix(literal, "//")
			begin, last = line, line
		}
	}
}
