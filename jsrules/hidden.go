package jsrules

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// minHidden is the length from which a value of Options.Configuration or Options.Secrets is hidden
// in texts, in bytes. Shorter values, such as true or a number, would be found in unrelated words.
const minHidden = 6

// maxHiding limits the bytes of a text in which values are looked for, and of which [short] leaves
// less.
const maxHiding = 16 * maxError

// cutMark is how [short] marks a text that it has cut.
const cutMark = "…"

// hiding hides the values of Options.Configuration and Options.Secrets in texts for errors, logs
// and events. The engine and its libraries repeat in a text what they were given, and rules pass
// secrets on.
type hiding struct {
	// values are by their first byte, the longest first.
	values map[byte][]hiddenValue
}

// hiddenValue is one form of a value, in lower case, and the text that is shown in its place.
type hiddenValue struct{ text, name string }

// newHiding returns what hides these values.
func newHiding(configuration, secrets map[string]string) *hiding {
	h := &hiding{values: map[byte][]hiddenValue{}}
	for _, name := range sortedKeys(configuration) {
		h.add("‹configuration."+name+"›", configuration[name])
	}
	for _, name := range sortedKeys(secrets) {
		h.add("‹event.secrets."+name+"›", secrets[name])
	}
	for _, values := range h.values {
		slices.SortStableFunc(values, func(a, b hiddenValue) int {
			return cmp.Compare(len(b.text), len(a.text))
		})
	}
	return h
}

// quotedLengths are the precisions with which errors of this package quote what a rule has written.
var quotedLengths = []int{80, 100, 120, 200}

// add adds a value in the forms in which texts have it.
func (h *hiding) add(name, value string) {
	value = strings.ToValidUTF8(value, "\ufffd")
	for _, form := range formsOf(value) {
		if len(form) < minHidden {
			continue
		}
		form = lower(form)
		h.values[form[0]] = append(h.values[form[0]], hiddenValue{form, name})
	}
}

// formsOf returns a value as it is, quoted by Go, in JSON of Go and of JavaScript, and in a URL.
func formsOf(value string) []string {
	inJSON, _ := json.Marshal(value)
	var likeJavaScript strings.Builder
	encoder := json.NewEncoder(&likeJavaScript)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	forms := []string{
		value,
		strings.TrimSpace(value),
		unquoted(strconv.Quote(value)),
		unquoted(string(inJSON)),
		unquoted(strings.TrimSpace(likeJavaScript.String())),
		url.QueryEscape(value),
		strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
		url.PathEscape(value),
	}
	for _, length := range quotedLengths {
		forms = append(forms, unquoted(fmt.Sprintf("%.*q", length, value)))
	}
	return forms
}

func unquoted(quoted string) string { return quoted[1 : len(quoted)-1] }

// lower returns a text with the letters of ASCII in lower case. Its length stays.
func lower(text string) string {
	letters := []byte(text)
	for i, c := range letters {
		if c >= 'A' && c <= 'Z' {
			letters[i] = c + 'a' - 'A'
		}
	}
	return string(letters)
}

// hide replaces each value in a text by its name, in upper or lower case. The beginning of a value
// in which [short] has cut a text is replaced, too.
func (h *hiding) hide(text string) string {
	if len(h.values) == 0 {
		return text
	}
	var out strings.Builder
	folded := lower(text)
	copied := 0
	for at := 0; at < len(text); at++ {
		name, length := h.at(folded[at:])
		if length == 0 {
			continue
		}
		out.WriteString(text[copied:at])
		out.WriteString(name)
		copied = at + length
		for at++; at < copied; at++ { // another value may begin inside this one, and end after it
			_, length := h.at(folded[at:])
			copied = max(copied, at+length)
		}
		at--
	}
	out.WriteString(text[copied:])
	return out.String()
}

// at returns the name and the length of the longest value that a text begins with. The length is 0
// if there is none.
func (h *hiding) at(text string) (name string, length int) {
	values := h.values[text[0]]
	if len(values) == 0 {
		return "", 0
	}
	cut := strings.Index(text[:min(len(text), maxError+len(cutMark))], cutMark)
	for _, value := range values {
		switch {
		case strings.HasPrefix(text, value.text):
			return value.name, len(value.text)
		case cut >= minHidden && strings.HasPrefix(value.text, text[:cut]):
			return value.name, cut
		}
	}
	return "", 0
}

// hidden hides the values of the options in a text, and then cuts it to a length for a log.
func (o *Options) hidden(text string) string {
	if len(text) > maxHiding {
		text = strings.ToValidUTF8(text[:maxHiding], "") + cutMark
	}
	return short(o.hiding().hide(text))
}

// hiddenError hides the values of the options in the error of a rule.
func (o *Options) hiddenError(err error) error {
	failure, ours := err.(*Error)
	if !ours || failure.Err == nil {
		return err
	}
	text := failure.Err.Error()
	hidden := o.hiding().hide(text)
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
