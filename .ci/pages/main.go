// Command pages prints how each Markdown page of the repository reads: words, lines, its longest
// line, sentence and table cell, and how easy its prose is. Run it in the repository's top folder:
//
//	go run .ci/pages/main.go                 every page
//	go run .ci/pages/main.go docs/cli.md     some pages
//	go run .ci/pages/main.go -base v0.1.0    before and after
//	go run .ci/pages/main.go -over           sentences and table cells that are too long
//
// The package prose defines what counts as prose, and how.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed055b7978/delegation/.ci/pages/prose"
)

func main() {
	log.SetFlags(0)
	at := flag.String("at", "", "measure this commit, not the files as they are now")
	base := flag.String("base", "", "compare with this commit: before > after")
	over := flag.Bool("over", false, fmt.Sprintf(
		"print the sentences over %d words and the table cells over %d characters, and fail if "+
			"there are any", prose.MaxSentence, prose.MaxCell))
	flag.Parse()
	if err := run(*at, *base, *over, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(at, base string, over bool, names []string) error {
	after, err := measure(at, names)
	if err != nil {
		return err
	}
	if over {
		return printLong(after)
	}
	if base == "" {
		return write(nil, after)
	}
	before, err := measure(base, names)
	if err != nil {
		return err
	}
	return write(before, after)
}

// measure reads the named pages, or all pages. It reads them from a commit, or from the folder if
// commit is empty.
func measure(commit string, names []string) (map[string]prose.Page, error) {
	all, err := list(commit)
	if err != nil {
		return nil, err
	}
	pages := map[string]prose.Page{}
	for _, name := range all {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		text, err := read(commit, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return nil, err
		}
		pages[name] = prose.Measure(text)
	}
	return pages, nil
}

// list returns the names of a commit's Markdown pages, except those in tests.
func list(commit string) ([]string, error) {
	arguments := []string{"ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"}
	if commit != "" {
		arguments = []string{"ls-tree", "-r", "--name-only", commit}
	}
	out, err := git(arguments...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range strings.Fields(out) {
		if path.Ext(name) == ".md" && !strings.Contains(name, "testdata/") {
			names = append(names, name)
		}
	}
	return names, nil
}

func read(commit, name string) (string, error) {
	if commit != "" {
		return git("show", commit+":"+name)
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

func git(arguments ...string) (string, error) {
	out, err := exec.Command("git", arguments...).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return "", fmt.Errorf("git %s: %s", strings.Join(arguments, " "), failed.Stderr)
	}
	return string(out), err
}

// figures are the columns of the table. A sum of -1 means that the column has no sum.
var figures = []struct {
	name   string
	format string
	of     func(prose.Page) float64
	sum    func(a, b float64) float64
}{
	{"words", "%.0f", func(p prose.Page) float64 { return float64(p.Words) }, add},
	{"in tables", "%.0f", func(p prose.Page) float64 { return float64(p.CellWords) }, add},
	{"lines", "%.0f", func(p prose.Page) float64 { return float64(p.Lines) }, add},
	{"longest line", "%.0f", func(p prose.Page) float64 { return float64(p.LongestLine) }, larger},
	{"longest sentence", "%.0f", func(p prose.Page) float64 {
		return float64(prose.Longest(p.Sentences).Size)
	}, larger},
	{"longest cell", "%.0f", func(p prose.Page) float64 {
		return float64(prose.Longest(p.Cells).Size)
	}, larger},
	{"ease", "%.1f", prose.Page.Ease, nil},
	{"grade", "%.1f", prose.Page.Grade, nil},
}

func add(a, b float64) float64    { return a + b }
func larger(a, b float64) float64 { return max(a, b) }

// write prints a row for each page. before is nil if there is nothing to compare with.
func write(before, after map[string]prose.Page) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(out, "page")
	for _, figure := range figures {
		fmt.Fprint(out, "\t", figure.name)
	}
	fmt.Fprintln(out)
	names := slices.Sorted(maps.Keys(after))
	for name := range before {
		if _, still := after[name]; !still {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		old, was := before[name]
		page, is := after[name]
		fmt.Fprint(out, name)
		for _, figure := range figures {
			fmt.Fprint(out, "\t", change(before != nil,
				shown(figure.format, figure.of(old), was), shown(figure.format, figure.of(page), is)))
		}
		fmt.Fprintln(out)
	}
	writeSums(out, before, after)
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Println("\nwords: of prose, without headings, code blocks and tables. Longest line and cell:",
		"characters; longest sentence: words.\nease: Flesch reading ease, higher is easier.",
		"grade: Flesch-Kincaid grade level.\nSyllables are counted by groups of vowels;",
		"a code span is one word of one syllable: see .ci/pages/prose.")
	return nil
}

func writeSums(out *tabwriter.Writer, before, after map[string]prose.Page) {
	fmt.Fprint(out, "all")
	for _, figure := range figures {
		if figure.sum == nil {
			fmt.Fprint(out, "\t", change(before != nil, mean(before, figure.format, figure.of),
				mean(after, figure.format, figure.of)))
			continue
		}
		total := func(pages map[string]prose.Page) string {
			sum := 0.0
			for _, page := range pages {
				sum = figure.sum(sum, figure.of(page))
			}
			return fmt.Sprintf(figure.format, sum)
		}
		fmt.Fprint(out, "\t", change(before != nil, total(before), total(after)))
	}
	fmt.Fprintln(out)
}

// mean is the mean of a figure over all pages, weighted by their words.
func mean(pages map[string]prose.Page, format string, of func(prose.Page) float64) string {
	words, sum := 0, 0.0
	for _, page := range pages {
		words += page.Words
		sum += of(page) * float64(page.Words)
	}
	return fmt.Sprintf(format, sum/float64(cmp.Or(words, 1)))
}

func shown(format string, figure float64, there bool) string {
	if !there {
		return "-"
	}
	return fmt.Sprintf(format, figure)
}

func change(compare bool, before, after string) string {
	if !compare || before == after {
		return after
	}
	return before + " > " + after
}

// printLong prints what exceeds the bounds, longest first.
func printLong(pages map[string]prose.Page) error {
	count := 0
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		page := pages[name]
		count += printOver(name, "words", page.Sentences, prose.MaxSentence)
		count += printOver(name, "characters in a cell", page.Cells, prose.MaxCell)
	}
	if count > 0 {
		return fmt.Errorf("%d sentences and cells are too long", count)
	}
	return nil
}

func printOver(name, unit string, texts []prose.Text, most int) int {
	count := 0
	for _, text := range texts {
		if text.Size > most {
			fmt.Printf("%s:%d: %d %s: %s\n", name, text.Line, text.Size, unit, text.Text)
			count++
		}
	}
	return count
}
