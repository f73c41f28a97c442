package auth0export

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// Keywords are the values that the Deploy CLI substitutes for ##NAME## and @@NAME@@ in the files of
// an export (AUTH0_KEYWORD_REPLACE_MAPPINGS). The zero value knows none.
type Keywords struct {
	values map[string]any

	// Domain is the tenant's domain, if the file names it (AUTH0_DOMAIN).
	Domain string
}

// ReadKeywords reads the Deploy CLI's config.json, or a file of keywords alone, as JSON or YAML. No
// error quotes its content.
func ReadKeywords(file string) (*Keywords, error) {
	values, err := readNames(file)
	if err != nil {
		return nil, err
	}
	k := &Keywords{values: values}
	mappings, isConfig := values["AUTH0_KEYWORD_REPLACE_MAPPINGS"]
	if isConfig {
		k.values, _ = mappings.(map[string]any)
		if k.values == nil {
			return nil, config.Usagef("%s: AUTH0_KEYWORD_REPLACE_MAPPINGS is not a map of names "+
				"to values",
				file)
		}
	}
	k.Domain, _ = values["AUTH0_DOMAIN"].(string)
	return k, nil
}

// readNames reads a file of names and values, as JSON or YAML.
func readNames(file string) (values map[string]any, err error) {
	text, err := config.ReadBounded(file, maxFile)
	if err != nil {
		return nil, config.Usage(err)
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		// The library's error would quote some of it.
		return nil, config.Usagef("%s: is not a map of names to values, in YAML or JSON", file)
	}
	return values, nil
}

var (
	listMarker = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(['"]?)@@([A-Za-z0-9_.-]+)@@(['"]?)`)
	})
	textMarker = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`##([A-Za-z0-9_.-]+)##`)
	})
)

// replace substitutes the values for the keywords, as the Deploy CLI does. @@NAME@@, even in
// quotes, becomes JSON, and ##NAME## becomes the text as it is. A keyword without a value stays. If
// such a keyword is a whole value, it is put in quotes, so that the file can be parsed.
func (k *Keywords) replace(text []byte) []byte {
	var replaced []byte
	end := 0
	for _, at := range listMarker().FindAllSubmatchIndex(text, -1) {
		replaced = append(replaced, text[end:at[0]]...)
		end = at[1]
		found := text[at[0]:at[1]]
		value, known := k.values[string(text[at[4]:at[5]])]
		inJSON, err := jsonOf(value)
		quoted := at[2] < at[3] && at[6] < at[7] && text[at[2]] == text[at[6]]
		bare := at[2] == at[3] && at[6] == at[7]
		switch {
		case known && err == nil && (quoted || bare):
			replaced = append(replaced, inJSON...)
		case bare && isWholeValue(text[:at[0]], text[at[1]:]):
			replaced = append(append(append(replaced, '"'), found...), '"')
		default:
			replaced = append(replaced, found...)
		}
	}
	replaced = append(replaced, text[end:]...)
	return textMarker().ReplaceAllFunc(replaced, func(found []byte) []byte {
		value, known := k.values[string(textMarker().FindSubmatch(found)[1])]
		switch value := value.(type) {
		case string:
			return []byte(value)
		case []any, map[string]any: // which are no text
		default:
			if inJSON, err := jsonOf(value); known && err == nil {
				return inJSON
			}
		}
		return found
	})
}

// jsonOf is a value as JSON.stringify writes it.
func jsonOf(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// isWholeValue tells whether the text between two others is a whole value of JSON or YAML, and not
// a part of one.
func isWholeValue(before, after []byte) bool {
	before = bytes.TrimRight(before, " \t\r\n")
	after = bytes.TrimLeft(after, " \t")
	begins := len(before) == 0 || bytes.ContainsRune([]byte(":[,-"), rune(before[len(before)-1]))
	ends := len(after) == 0 || bytes.ContainsRune([]byte(",]}\r\n"), rune(after[0]))
	return begins && ends
}

// unreplaced returns the keywords of a text that have no value.
func unreplaced(text string) (names []string) {
	for _, marker := range []*regexp.Regexp{listMarker(), textMarker()} {
		for _, m := range marker.FindAllString(text, -1) {
			names = append(names, strings.Trim(m, `'"`))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkReplaced refuses a text with keywords that have no value.
func checkReplaced(texts ...string) error {
	names := unreplaced(strings.Join(texts, "\n"))
	if len(names) == 0 {
		return nil
	}
	return errors.New("has no value for " + strings.Join(names, ", ") +
		": name a file that has it with --keywords, such as the Deploy CLI's config.json")
}
