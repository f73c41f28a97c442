package delegation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pageBlock is a fenced block of a page, without its indent.
type pageBlock struct {
	page, language, text string
}

// first is the first line.
func (b pageBlock) first() string {
	first, _, _ := strings.Cut(b.text, "\n")
	return strings.TrimSpace(first)
}

// fencedText matches a fenced block: its indent, language and text.
var fencedText = regexp.MustCompile("(?ms)^([ \t]*)```([^`\n]*)\n(.*?)^[ \t]*```$")

// allBlocks returns the fenced blocks of every page.
func allBlocks(t *testing.T) []pageBlock {
	t.Helper()
	var blocks []pageBlock
	for _, page := range markdownPages(t) {
		text := string(must(os.ReadFile(page)))
		found := fencedText.FindAllStringSubmatch(text, -1)
		for _, m := range found {
			text := regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[3], "")
			blocks = append(blocks, pageBlock{page, strings.TrimSpace(m[2]), text})
		}
		if fences := strings.Count(text, "```"); fences != 2*len(found) {
			t.Errorf("%s has %d fences, and %d blocks are found", page, fences, len(found))
		}
	}
	return blocks
}

// otherBlocks says for blocks of other languages, by their first line or "*" for all of the
// language, which tests use them. A block that no test uses has a reason instead.
var otherBlocks = map[string]map[string]struct {
	tests  []string
	reason string
}{
	"caddyfile": {"*": {tests: []string{"TestInterop_Proxies"}}},
	"nginx":     {"*": {tests: []string{"TestInterop_Proxies"}}},
	"promql":    {"*": {tests: []string{"TestOperations_Alerts"}}},
	"http":      {"*": {tests: []string{"TestInterop_Browser"}}},
	"ini": {
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://delegation.example.com/credentials?target=bedrock": {
			tests: []string{"TestAgents_Variables"},
		},
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=https://HOST/credentials?target=photo-app": {
			tests:  []string{"TestAgents_Variables"},
			reason: "the same variables, with other values",
		},
		"[profile bedrock]":   {tests: []string{"TestAgents_Profile"}},
		"[profile photo-app]": {tests: []string{"TestInterop_STSOfTheCLI"}},
		"[Service]": {
			reason: "systemd would need the device; the unit that it changes is tested",
		},
	},
	"text": {"*": {tests: []string{"TestGuide_MigratingFromAuth0"}}},
	"swift": {"*": {
		reason: "a compiler of Swift needs Apple's SDK: the page says that it is not compiled",
	}},
	"kotlin": {"*": {
		reason: "a compiler of Kotlin needs Android's SDK: the page says that it is not compiled",
	}},
	"": {"*": {reason: "an answer or a message, as it is printed; it is not a program"}},
}

// TestDocs_Blocks: every block of every page is compiled, parsed or run by a test, or has a reason
// not to be. Shell is in TestReadme_Commands.
func TestDocs_Blocks(t *testing.T) {
	tests := allTests(t)
	sources := compiledSources(t)
	counted := map[string]int{}
	passed := map[string]int{}
	used := map[string]bool{}
	for _, b := range allBlocks(t) {
		counted[b.language]++
		var err error
		switch b.language {
		case "go":
			err = isCompiled(b, sources)
		case "json":
			err = isJSON(b.text)
		case "js", "javascript", "ts", "typescript":
			err = needsTest(tests, "TestDocs_JavaScript")
		case "hcl", "terraform":
			err = needsTest(tests, "TestDocs_HCL")
		case "yaml":
			err = needsTest(tests, "TestDocs_YAML")
		case "sh":
			err = needsTest(tests, "TestReadme_Commands")
			if first, _, _ := strings.Cut(b.text, "\n"); len(shell[first].tests) == 0 {
				passed[b.language]-- // it has a reason
			}
		default:
			key := b.first()
			if _, known := otherBlocks[b.language]["*"]; known {
				key = "*"
			}
			how, known := otherBlocks[b.language][key]
			used[b.language+": "+key] = true
			if !known || len(how.tests) == 0 && how.reason == "" {
				err = errors.New("nothing says which test uses it, or why none does")
			}
			for _, name := range how.tests {
				err = errors.Join(err, needsTest(tests, name))
			}
			if len(how.tests) == 0 {
				passed[b.language]--
			}
		}
		if err != nil {
			t.Errorf("%s: %s block: %v:\n%s", b.page, b.language, err, b.text)
			continue
		}
		passed[b.language]++
	}
	for _, language := range slices.Sorted(maps.Keys(counted)) {
		t.Logf("%-11q %3d blocks: %3d compiled, parsed, loaded or run, %d with a reason not to be",
			language, counted[language], passed[language], counted[language]-passed[language])
	}
	for language, rows := range otherBlocks {
		for key := range rows {
			if !used[language+": "+key] {
				t.Errorf("no page has the %q block %s", language, key)
			}
		}
	}
	if counted["go"] < 20 || counted["yaml"] < 50 || counted["sh"] < 50 {
		t.Errorf("too few blocks are found: %v", counted)
	}
}

func needsTest(tests, name string) error {
	if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T) {") {
		return fmt.Errorf("there is no %s", name)
	}
	return nil
}

// compiledSources are the Go files that go build, go vet and go test compile, without extra space.
func compiledSources(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", "testdata"}, entry.Name()) {
			return fs.SkipDir
		}
		if path.Ext(name) == ".go" {
			sources[name] = squeeze(string(must(os.ReadFile(name))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// leftOut is what stands in a block for code that the compiled file has there.
var leftOut = regexp.MustCompile(`(?://\s*)?…`)

// isCompiled tells whether a file has the block's code. … in the block, also as a comment, stands
// for any code of that file.
func isCompiled(b pageBlock, sources map[string]string) error {
	parts := leftOut.Split(b.text, -1)
	for _, source := range sources {
		if hasInOrder(source, parts) {
			return nil
		}
	}
	return errors.New("it is in no Go file, so nothing compiles it: put it into an example, for " +
		"instance in docs_examples_test.go")
}

func hasInOrder(source string, parts []string) bool {
	for _, part := range parts {
		_, after, found := strings.Cut(source, squeeze(part))
		if !found {
			return false
		}
		source = after
	}
	return true
}

// isJSON accepts one JSON text, or several after each other.
func isJSON(text string) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// TestDocs_BlocksFound: the checks of blocks tell right from wrong.
func TestDocs_BlocksFound(t *testing.T) {
	compiled := map[string]string{"a.go": squeeze("a := 1\n\tb := f(a)\n\tc(b)\n")}
	for text, want := range map[string]bool{
		"a := 1\nb := f(a)":   true,
		"a := 1\n// …\nc(b)":  true,
		"…\nb := f(a)":        true,
		"c(b)\n// …\na := 1":  false,
		"b := g(a)":           false,
		"a := 1\n// …\nd(b)":  false,
		"a := 1 …, f(a)":      false,
		"a := 1\nb := f(a)\n": true,
	} {
		if got := isCompiled(pageBlock{text: text}, compiled) == nil; got != want {
			t.Errorf("Go %q: got %t", text, got)
		}
	}
	for text, want := range map[string]bool{
		`{"a": 1}`: true, "{\"a\": 1}\n{\"b\": 2}": true, `{"a": 1`: false, `{a: 1}`: false,
	} {
		if got := isJSON(text) == nil; got != want {
			t.Errorf("JSON %q: got %t", text, got)
		}
	}
}

var (
	measuredCell = regexp.MustCompile(`^(about |exactly )?\d[\d.,]* ?(µs|ms|MB|kB|%)`)
	ratioCell    = regexp.MustCompile(`^\d+\.\d+$`)
	ratioTable   = regexp.MustCompile(`(?m)^\|.*compared with.*\|$`)
	figureSource = regexp.MustCompile("`[^`]*(go run|go test|Test[A-Z])[^`]*`|(?m)^go (run|test) |" +
		regexp.QuoteMeta("bench/RESULTS.md"))
)

// figuresIn counts the cells of a section's tables that are measurements, and not limits.
func figuresIn(section string) int {
	count := 0
	ratios := ratioTable.MatchString(section)
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for _, cell := range strings.Split(line, "|") {
			cell = strings.TrimSpace(cell)
			isRatio := ratios && ratioCell.MatchString(cell)
			if isRatio || measuredCell.MatchString(cell) {
				count++
			}
		}
	}
	return count
}

// TestDocs_Figures: a section whose table has measurements names the command or the test that
// measures, or bench/RESULTS.md, which a command writes.
func TestDocs_Figures(t *testing.T) {
	sections := 0
	for _, page := range markdownPages(t) {
		if page == "bench/RESULTS.md" {
			continue
		}
		text := string(must(os.ReadFile(page)))
		for _, section := range regexp.MustCompile(`(?m)^#{2,3} `).Split(text, -1) {
			if figuresIn(section) < 2 {
				continue
			}
			sections++
			if !figureSource.MatchString(section) {
				title, _, _ := strings.Cut(section, "\n")
				t.Errorf("%s: %s: no command that measures these figures", page, title)
			}
		}
	}
	if sections < 4 {
		t.Errorf("only %d sections have figures", sections)
	}
}
