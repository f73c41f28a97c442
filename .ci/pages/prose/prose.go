// Package prose measures the prose of a Markdown page: its words, its sentences and how easy they
// are to read. The program .ci/pages prints what it finds, and the tests of the documents hold the
// pages to its bounds.
//
// Prose is paragraphs, list items and quotations. Headings, code blocks, tables, pictures and HTML
// tags are not prose. In prose, a code span is one word of one syllable, as is a bare URL. Of a
// link, only the text counts. A list item is a separate sentence, even without a full stop.
package prose

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds that every page keeps.
const (
	// MaxSentence is the maximum number of words in a sentence.
	MaxSentence = 40
	// MaxCell is the maximum number of characters that a table cell shows.
	MaxCell = 240
)

// Page is what Measure finds in a page.
type Page struct {
	Lines       int // of the file
	LongestLine int // in characters, tables and code included
	Words       int // of prose
	CellWords   int // of tables
	Sentences   []Text
	Cells       []Text

	syllables int
}

// Text is a sentence or a table cell, as a reader sees it: without URLs and markup.
type Text struct {
	Line int // where it begins in the file; the first line is 1
	Text string
	Size int // words of a sentence, characters of a cell
}

// Longest returns the longest of texts, or a zero Text if there are none.
func Longest(texts []Text) Text {
	var longest Text
	for _, text := range texts {
		if text.Size > longest.Size {
			longest = text
		}
	}
	return longest
}

// Ease is the page's Flesch reading ease: 206.835 - 1.015 words/sentences - 84.6 syllables/words.
// Higher is easier. Plain English is at 60 to 70; below 30 a page is hard for graduates. It is zero
// for a page without prose.
func (p Page) Ease() float64 {
	if p.Words == 0 {
		return 0
	}
	words, syllables := p.means()
	return 206.835 - 1.015*words - 84.6*syllables
}

// Grade is the page's Flesch-Kincaid grade level, the years of school that a reader needs:
// 0.39 words/sentences + 11.8 syllables/words - 15.59. It is zero for a page without prose.
func (p Page) Grade() float64 {
	if p.Words == 0 {
		return 0
	}
	words, syllables := p.means()
	return 0.39*words + 11.8*syllables - 15.59
}

// means returns words per sentence and syllables per word.
func (p Page) means() (words, syllables float64) {
	return float64(p.Words) / float64(len(p.Sentences)), float64(p.syllables) / float64(p.Words)
}

// Measure reads a Markdown page.
func Measure(markdown string) Page {
	r := reader{blank: true}
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\r\n")
		r.number++
		r.page.LongestLine = max(r.page.LongestLine, utf8.RuneCountInString(line))
		r.read(line)
	}
	r.endBlock()
	r.page.Lines = r.number
	return r.page
}

// reader goes through a page line by line, and collects the lines of a paragraph or list item.
type reader struct {
	page    Page
	number  int // of the line
	fence   string
	comment bool
	list    bool // since the last list item, no line began at the left margin
	blank   bool // the line before was blank

	block []string
	begin int // number of the block's first line
}

var (
	fenceMark  = regexp.MustCompile("^\\s*(?:[-*+]\\s+)?(```+|~~~+)")
	itemMark   = regexp.MustCompile(`^\s*(?:[-*+]|\d+[.)])\s+`)
	definition = regexp.MustCompile(`^\[[^\]]+\]:\s+\S+`)
	ruler      = regexp.MustCompile(`^\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*$`)
)

func (r *reader) read(line string) {
	if r.skipsCode(line) || r.skipsComment(line) {
		return
	}
	trimmed := strings.TrimSpace(strings.TrimLeft(line, "> "))
	afterBlank := r.blank
	r.blank = trimmed == ""
	switch {
	case trimmed == "" || ruler.MatchString(line) || definition.MatchString(line):
		r.endBlock()
	case strings.HasPrefix(trimmed, "#"):
		r.endBlock()
		r.list = false
	case strings.HasPrefix(trimmed, "|"):
		r.endBlock()
		r.row(trimmed)
	case itemMark.MatchString(line):
		r.endBlock()
		r.list = true
		r.add(itemMark.ReplaceAllString(line, ""))
	case afterBlank && !r.list && strings.HasPrefix(line, "    "):
		r.blank = true // indented code: so is the next line that is indented
	default:
		if !strings.HasPrefix(line, " ") {
			r.list = r.list && len(r.block) > 0
		}
		r.add(trimmed)
	}
}

// skipsCode tells whether the line belongs to a fenced code block.
func (r *reader) skipsCode(line string) bool {
	mark := fenceMark.FindStringSubmatch(line)
	if r.fence != "" {
		if mark != nil && strings.HasPrefix(mark[1], r.fence) {
			r.fence = ""
		}
		return true
	}
	if mark == nil {
		return false
	}
	r.endBlock()
	r.fence = mark[1]
	return true
}

// skipsComment tells whether the line belongs to an HTML comment that begins a line.
func (r *reader) skipsComment(line string) bool {
	if !r.comment && !strings.HasPrefix(strings.TrimSpace(line), "<!--") {
		return false
	}
	r.endBlock()
	r.comment = !strings.Contains(line, "-->")
	return true
}

func (r *reader) add(line string) {
	if len(r.block) == 0 {
		r.begin = r.number
	}
	r.block = append(r.block, line)
}

// endBlock measures the block that ends here, if there is one.
func (r *reader) endBlock() {
	if len(r.block) == 0 {
		return
	}
	words := wordsOf(strings.Join(r.block, "\n"), r.begin)
	r.block = nil
	start := 0
	for i := range words {
		if i < len(words)-1 && !ends(words[i].text, words[i+1].text) {
			continue
		}
		r.sentence(words[start : i+1])
		start = i + 1
	}
}

func (r *reader) sentence(words []word) {
	sentence := Text{}
	var text []string
	for _, w := range words {
		text = append(text, w.shown())
		if !w.counts() {
			continue
		}
		if sentence.Line == 0 {
			sentence.Line = w.line
		}
		sentence.Size++
		r.page.syllables += Syllables(w.text)
	}
	if sentence.Size == 0 {
		return
	}
	sentence.Text = strings.Join(text, " ")
	r.page.Words += sentence.Size
	r.page.Sentences = append(r.page.Sentences, sentence)
}

// row measures the cells of a table's row. It skips the separator row under the table's head.
func (r *reader) row(line string) {
	if strings.Trim(line, "|-: ") == "" {
		return
	}
	line = strings.ReplaceAll(line, `\|`, "\x01")
	line = strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|")
	for _, cell := range strings.Split(line, "|") {
		words := wordsOf(strings.ReplaceAll(cell, "\x01", "|"), r.number)
		var shown []string
		for _, w := range words {
			shown = append(shown, w.shown())
			if w.counts() {
				r.page.CellWords++
			}
		}
		text := strings.Join(shown, " ")
		r.page.Cells = append(r.page.Cells,
			Text{Line: r.number, Text: text, Size: utf8.RuneCountInString(text)})
	}
}

// word is the text between two spaces. Any code span in it is in code, and is replaced by a mark in
// text.
type word struct {
	text string
	code []string
	line int
}

// codeMark stands for a code span while the text around it is split.
const codeMark = "\x00"

var (
	span     = regexp.MustCompile("(?s)``+.*?``+|`[^`]*`")
	picture  = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	link     = regexp.MustCompile(`\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])`)
	bareURL  = regexp.MustCompile(`<?\b[a-z]+://[^\s>)]*[^\s>).,;:!?]>?`)
	tag      = regexp.MustCompile(`</?[a-zA-Z][^>]*>`)
	emphasis = regexp.MustCompile(`^(["'(]*)[*_]+|[*_]+([.,;:!?)"']*)$`)
)

// wordsOf splits the text of a block, which begins on the given line.
func wordsOf(text string, line int) []word {
	var spans []string
	text = span.ReplaceAllStringFunc(text, func(code string) string {
		lines := strings.Count(code, "\n")
		spans = append(spans, strings.Join(strings.Fields(strings.Trim(code, "`")), " "))
		return codeMark + strings.Repeat("\n", lines)
	})
	for _, markup := range []struct {
		pattern     *regexp.Regexp
		replacement string
	}{{picture, ""}, {link, "$1"}, {bareURL, "URL"}, {tag, ""}} {
		text = keepLines(markup.pattern, text, markup.replacement)
	}
	var words []word
	for _, part := range strings.Split(text, "\n") {
		for _, field := range strings.Fields(part) {
			field = emphasis.ReplaceAllString(field, "$1$2")
			n := strings.Count(field, codeMark)
			words = append(words, word{text: field, code: spans[:n], line: line})
			spans = spans[n:]
		}
		line++
	}
	return words
}

// keepLines replaces what a pattern matches, and keeps the number of line ends.
func keepLines(pattern *regexp.Regexp, text, replacement string) string {
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		with := pattern.ReplaceAllString(found, replacement)
		lost := strings.Count(found, "\n") - strings.Count(with, "\n")
		return with + strings.Repeat("\n", max(lost, 0))
	})
}

// counts tells whether it is a word, and not just a dash.
func (w word) counts() bool {
	return strings.ContainsFunc(w.text, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == 0
	})
}

// shown is the word as a reader sees it.
func (w word) shown() string {
	shown := w.text
	for _, code := range w.code {
		shown = strings.Replace(shown, codeMark, code, 1)
	}
	return shown
}

// closing is what may follow the full stop of a sentence, and quotation marks may precede its
// first word.
const closing = `"')]“‘”’`

// ends tells whether a sentence ends with a word, given the next one. A sentence may begin with a
// small letter, as that of a command does.
func ends(this, next string) bool {
	this = strings.ToLower(strings.Trim(this, closing+"[("))
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(next, closing+"[("))
	switch this {
	case "e.g.", "i.e.", "vs.", "cf.", "no.", "p.", "pp.":
		return false
	case "etc.":
		return !unicode.IsLower(first)
	}
	return strings.HasSuffix(this, ".") || strings.HasSuffix(this, "!") ||
		strings.HasSuffix(this, "?")
}

// Syllables counts the syllables of an English word: its groups of vowels, y among them, without a
// silent e at the end (as in "role", not in "table"), without the e of "-ed" after other letters
// than t and d, and without that of "-es" after letters that need none ("rules", not "caches"). A
// word has at least one syllable. Characters other than letters separate groups, so "read-only" has
// three.
func Syllables(text string) int {
	count := 0
	for _, part := range strings.FieldsFunc(strings.ToLower(text), notLetter) {
		count += syllablesOf(part)
	}
	return max(count, 1)
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

func syllablesOf(letters string) int {
	const vowels = "aeiouy"
	count := 0
	inGroup := false
	for _, r := range letters {
		vowel := strings.ContainsRune(vowels, r)
		if vowel && !inGroup {
			count++
		}
		inGroup = vowel
	}
	if silentEnd.MatchString(letters) {
		count--
	}
	if count == 0 && len(letters) > 1 {
		count = 1
	}
	return count
}

// silentEnd matches words whose last e is silent.
var silentEnd = regexp.MustCompile(`[^aeiouyl]e$|[aeiouy]le$|` +
	`[^aeiouytd]ed$|` +
	`[^aeioulsxzcgh]es$|[aeiouy]les$|[^cst]hes$`)
