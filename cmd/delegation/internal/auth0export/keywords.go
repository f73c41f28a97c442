package auth0export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// Keywords are what the Deploy CLI puts in place of ##NAME## and @@NAME@@ in the files of an export
// (AUTH0_KEYWORD_REPLACE_MAPPINGS). The zero value knows none.
type Keywords struct {
	values map[string]any

	// Domain is the tenant's domain, if the file names it (AUTH0_DOMAIN).
	Domain string
}

// ReadKeywords reads the Deploy CLI's config.json, or a file of keywords alone, as JSON or YAML. No
// error shows what is in it.
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
			return nil, config.Usagef("%s: AUTH0_KEYWORD_REPLACE_MAPPINGS is not names and values",
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
		// The library's error would show some of it.
		return nil, config.Usagef("%s: is not YAML or JSON of names and values", file)
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

// replace puts the values in place of the keywords, as the Deploy CLI does: @@NAME@@, also in
// quotes, becomes JSON, and ##NAME## the text as it is. A keyword without a value stays, within
// quotes so that the file can be read.
func (k *Keywords) replace(text []byte) []byte {
	text = listMarker().ReplaceAllFunc(text, func(found []byte) []byte {
		m := listMarker().FindSubmatch(found)
		value, known := k.values[string(m[2])]
		inJSON, err := json.Marshal(value)
		switch {
		case known && err == nil && bytes.Equal(m[1], m[3]):
			return inJSON
		case len(m[1]) == 0 && len(m[3]) == 0:
			return []byte(`"@@` + string(m[2]) + `@@"`)
		}
		return found
	})
	return textMarker().ReplaceAllFunc(text, func(found []byte) []byte {
		value, known := k.values[string(textMarker().FindSubmatch(found)[1])]
		if !known {
			return found
		}
		if text, isText := value.(string); isText {
			return []byte(text)
		}
		return fmt.Append(nil, value)
	})
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
