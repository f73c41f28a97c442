package jsrules

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// minHidden is the length from which a value of Options.Configuration or Options.Secrets is hidden
// in texts, in bytes. Shorter values, such as true or a number, would be found in unrelated words.
// Backslashes do not count.
const minHidden = 6

// maxHiding limits the bytes of a text in which values are looked for, and of which [short] leaves
// less.
const maxHiding = 16 * maxError

// cutMark is how [short] marks a text that it has cut.
const cutMark = "…"

// minQuoted is the smallest precision with which this module quotes texts in errors, such as %.80q.
// A quoted text of as many bytes may have been cut.
const minQuoted = 80

// hiding hides the values of Options.Configuration and Options.Secrets in texts for errors, logs
// and events. The engine and its libraries repeat in a text what they were given, and rules pass
// secrets on.
type hiding struct {
	// written is for texts as they are, and decoded for texts whose %XX are decoded.
	written hiddenForms
	decoded hiddenForms
}

// hiddenForms are forms of values by their first byte, the longest first.
type hiddenForms map[byte][]hiddenValue

// hiddenValue is one form of a value, as in [searched], and the text that is shown in its place.
type hiddenValue struct {
	text []byte
	name string
}

// newHiding returns what hides these values.
func newHiding(configuration, secrets map[string]string) *hiding {
	h := &hiding{written: hiddenForms{}, decoded: hiddenForms{}}
	for _, name := range sortedKeys(configuration) {
		h.add("‹configuration."+name+"›", configuration[name])
	}
	for _, name := range sortedKeys(secrets) {
		h.add("‹event.secrets."+name+"›", secrets[name])
	}
	h.written.sort()
	h.decoded.sort()
	return h
}

// add adds a value in the forms in which texts have it.
func (h *hiding) add(name, value string) {
	for _, form := range formsOf(strings.ToValidUTF8(value, "\ufffd")) {
		h.written.add(name, newSearched(form, false).text)
		h.decoded.add(name, newSearched(form, true).text)
	}
}

func (f hiddenForms) add(name string, form []byte) {
	if len(form) >= minHidden {
		f[form[0]] = append(f[form[0]], hiddenValue{form, name})
	}
}

func (f hiddenForms) sort() {
	for _, values := range f {
		slices.SortStableFunc(values, func(a, b hiddenValue) int {
			return cmp.Compare(len(b.text), len(a.text))
		})
	}
}

// formsOf returns a value as it is, quoted by Go, and in JSON of Go and of JavaScript. [searched]
// makes one form of a value that is quoted several times, and of one in a URL.
func formsOf(value string) []string {
	inJSON, _ := json.Marshal(value)
	var likeJavaScript strings.Builder
	encoder := json.NewEncoder(&likeJavaScript)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return []string{
		value,
		strings.TrimSpace(value),
		unquoted(strconv.Quote(value)),
		unquoted(string(inJSON)),
		unquoted(strings.TrimSpace(likeJavaScript.String())),
	}
}

func unquoted(quoted string) string { return quoted[1 : len(quoted)-1] }

// searched is a text in which values are looked for. It has no backslashes, so a text has one form
// however often it was quoted, such as JSON within JSON. Letters of ASCII are in lower case.
type searched struct {
	text []byte
	// from and to say which bytes of the original each byte of text stands for.
	from []int
	to   []int
	// cuts are the places in text at which the original may have been cut, in order.
	cuts []int
}

// newSearched returns a text to search. Decoding is that of [byteInURL].
func newSearched(original string, decode bool) *searched {
	s := &searched{
		text: make([]byte, 0, len(original)),
		from: make([]int, 0, len(original)),
		to:   make([]int, 0, len(original)),
	}
	cuts := cutsOf(original)
	for at := 0; at < len(original); {
		for len(cuts) > 0 && at >= cuts[0] {
			s.cuts = append(s.cuts, len(s.text))
			cuts = cuts[1:]
		}
		c, length := original[at], 1
		if decode {
			c, length = byteInURL(original[at:])
		}
		switch {
		case c == '\\':
			at += length
			continue
		case decode && c == '%' && len(cuts) > 0 && cuts[0]-at-length < len("XX"):
			at = cuts[0] // the text was cut in the middle of %XX
			continue
		}
		s.text = append(s.text, lower(c))
		s.from = append(s.from, at)
		s.to = append(s.to, at+length)
		at += length
	}
	return s
}

// byteInURL returns the byte at the beginning of a text in a URL, and the length of its form there.
// A % that is encoded itself, as %25, is decoded, too. A plus is the blank that it may stand for.
func byteInURL(text string) (c byte, length int) {
	c, length = text[0], 1
	if c == '%' {
		for strings.HasPrefix(text[length:], "25") {
			length += len("25")
		}
		digits, err := hex.DecodeString(text[length:min(len(text), length+2)])
		if err == nil && len(digits) == 1 {
			c = digits[0]
			length += 2
		}
	}
	if c == '+' {
		c = ' '
	}
	return c, length
}

// lower returns a letter of ASCII in lower case, and any other byte as it is.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// cutsOf returns where a text may have been cut: in front of a [cutMark], and at the end of a long
// text in quotes.
func cutsOf(text string) (cuts []int) {
	opened := 0
	for at := range len(text) {
		switch {
		case strings.HasPrefix(text[at:], cutMark):
			cuts = append(cuts, at)
		case text[at] == '"':
			if at-opened >= minQuoted {
				cuts = append(cuts, at)
			}
			if at == 0 || text[at-1] != '\\' {
				opened = at + 1
			}
		}
	}
	return cuts
}

// hide replaces each value in a text by its name, in upper or lower case, and however often it was
// quoted or encoded for a URL. The beginning of a value is replaced, too, if the text was cut after
// it, unless it is shorter than [minHidden].
func (h *hiding) hide(text string) string {
	text = h.written.hide(text, false)
	if strings.ContainsAny(text, "%+") {
		text = h.decoded.hide(text, true)
	}
	return text
}

func (f hiddenForms) hide(text string, decode bool) string {
	if len(f) == 0 {
		return text
	}
	var out strings.Builder
	s := newSearched(text, decode)
	copied := 0
	for at := 0; at < len(s.text); at++ {
		name, length := f.at(s, at)
		if length == 0 {
			continue
		}
		out.WriteString(text[copied:s.from[at]])
		out.WriteString(name)
		end := at + length
		for at++; at < end; at++ { // another value may begin inside this one, and end after it
			_, length := f.at(s, at)
			end = max(end, at+length)
		}
		copied = s.to[end-1]
		at--
	}
	out.WriteString(text[copied:])
	return out.String()
}

// at returns the name and the length of the longest value that begins at a place in a text. The
// length is 0 if there is none.
func (f hiddenForms) at(s *searched, at int) (name string, length int) {
	text := s.text[at:]
	values := f[text[0]]
	if len(values) == 0 {
		return "", 0
	}
	cut := 0
	if i, _ := slices.BinarySearch(s.cuts, at); i < len(s.cuts) {
		cut = s.cuts[i] - at
	}
	for _, value := range values {
		switch {
		case bytes.HasPrefix(text, value.text):
			return value.name, len(value.text)
		case cut >= minHidden && bytes.HasPrefix(value.text, text[:cut]):
			return value.name, cut
		}
	}
	return "", 0
}

// hide hides the values of the options in a text.
func (o *Options) hide(text string) string { return o.hiding().hide(text) }

// hidden hides the values of the options in a text, and then cuts it to a length for a log.
func (o *Options) hidden(text string) string {
	if len(text) > maxHiding {
		text = strings.ToValidUTF8(text[:maxHiding], "") + cutMark
	}
	return short(o.hide(text))
}

// hiddenError hides the values of the options in the error of a rule.
func (o *Options) hiddenError(err error) error {
	failure, ours := err.(*Error)
	if !ours || failure.Err == nil {
		return err
	}
	text := failure.Err.Error()
	hidden := o.hide(text)
	if hidden == text {
		return err
	}
	made := *failure
	made.Err = &hiddenCause{hidden, failure.Err}
	return &made
}

// hiddenCause is the reason of an error, with a text in which values are hidden. errors.Is and
// errors.As see the reason. Unwrap would show its text.
type hiddenCause struct {
	text string
	err  error
}

func (h *hiddenCause) Error() string { return h.text }

func (h *hiddenCause) Is(target error) bool { return errors.Is(h.err, target) }

func (h *hiddenCause) As(target any) bool { return errors.As(h.err, target) }
