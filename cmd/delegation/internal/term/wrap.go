package term

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// UsualWidth is the width in columns for files, pipes and terminals of unknown width.
const UsualWidth = 80

// Narrower text is unreadable, and longer lines are hard to follow.
const (
	leastWidth = 40
	mostWidth  = 120
)

// Width returns how many columns a text for stream should have. For a terminal it is COLUMNS or
// else the terminal's width, between 40 and 120. For anything else it is 80. variable returns an
// environment variable, "" if it is not set.
func Width(stream any, variable func(name string) string) int {
	f, ok := stream.(descriptor)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return UsualWidth
	}
	width, err := strconv.Atoi(variable("COLUMNS"))
	if err != nil || width <= 0 {
		width, _, err = term.GetSize(int(f.Fd()))
	}
	if err != nil || width <= 0 {
		return UsualWidth
	}
	return min(max(width, leastWidth), mostWidth)
}

// Wrap wraps a text to another width. Consecutive lines form one paragraph. An item is a separate
// paragraph, whose lines align under its text. It begins with a hyphen, or with a name and two
// spaces. Other indented lines stay as they are. A word that is too long gets its own line.
func Wrap(text string, width int) string {
	w := wrapper{width: width}
	for line := range strings.SplitSeq(text, "\n") {
		w.line(line)
	}
	w.flush()
	return strings.TrimSuffix(w.text.String(), "\n")
}

// WrapItem writes a name and a text, and aligns the lines of the text.
func WrapItem(name, text string, width int) string {
	w := wrapper{width: width, mark: name, indent: utf8.RuneCountInString(name)}
	w.words = strings.Fields(text)
	w.flush()
	return strings.TrimSuffix(w.text.String(), "\n")
}

// wrapper collects the words of a paragraph.
type wrapper struct {
	width  int
	text   strings.Builder
	mark   string // prefix of the first line
	indent int    // of the other lines
	words  []string
}

func (w *wrapper) line(line string) {
	words := strings.TrimLeft(line, " ")
	indent := len(line) - len(words)
	mark := itemMark(line)
	switch {
	case words == "":
		w.flush()
		w.text.WriteByte('\n')
	case mark != "":
		w.flush()
		w.mark = mark
		w.indent = utf8.RuneCountInString(mark)
		w.words = strings.Fields(line[len(mark):])
	case indent == w.indent && len(w.words) > 0:
		w.words = append(w.words, strings.Fields(words)...)
	case indent == 0:
		w.flush()
		w.words = strings.Fields(words)
	default:
		w.flush()
		w.text.WriteString(line + "\n")
	}
}

// itemMark returns the mark of an item, with the spaces after it; "" if the line is not an item.
func itemMark(line string) string {
	indented := len(line) - len(strings.TrimLeft(line, " "))
	if indented == 0 {
		return ""
	}
	name, text, found := strings.Cut(line[indented:], " ")
	text = strings.TrimLeft(text, " ")
	gap := len(line) - indented - len(name) - len(text)
	if !found || text == "" || gap < 2 && name != "-" {
		return ""
	}
	return line[:len(line)-len(text)]
}

// flush writes the paragraph.
func (w *wrapper) flush() {
	if len(w.words) == 0 {
		return
	}
	line := w.mark + w.words[0]
	for _, word := range w.words[1:] {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > w.width {
			w.text.WriteString(line + "\n")
			line = strings.Repeat(" ", w.indent) + word
			continue
		}
		line += " " + word
	}
	w.text.WriteString(line + "\n")
	w.mark = ""
	w.indent = 0
	w.words = nil
}
