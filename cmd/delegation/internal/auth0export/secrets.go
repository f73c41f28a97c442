package auth0export

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// ReadSecrets reads a file of names and values of configuration, as JSON or YAML. No error quotes a
// value.
func ReadSecrets(file string) (map[string]string, error) {
	values, err := readNames(file)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, isText := values[name].(string)
		switch {
		case isText:
			texts[name] = text
		case values[name] != nil: // null is a value that is to be filled in
			return nil, config.Usagef("%s: %.100q is not text: write its value in quotes",
				file, name)
		}
	}
	return texts, nil
}

// configurationFile is the text of configuration.yaml: the known values, and the names of those
// that have to be filled in.
func configurationFile(values map[string]string, missing []string) string {
	var b strings.Builder
	b.WriteString("# What the rules find in configuration. Values may be secrets.\n")
	if len(missing) > 0 {
		b.WriteString("# A name without a value has to be filled in. An empty value is \"\".\n")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		b.WriteString(quoted(name) + ": " + quoted(values[name]) + "\n")
	}
	for _, name := range missing {
		b.WriteString(quoted(name) + ":\n")
	}
	return b.String()
}

// quoted writes any text as YAML in ASCII, in double quotes and on one line. Go's escapes of ASCII
// are a part of YAML's (YAML 1.2.2, §5.7).
func quoted(text string) string { return strconv.QuoteToASCII(strings.ToValidUTF8(text, "\ufffd")) }
