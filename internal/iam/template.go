package iam

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// A value that matches plain needs no escaping in JSON. Paths have no quotes, so a placeholder lies
// within one JSON string.
var (
	placeholder = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\{\{[^{}"\\]*\}\}`)
	})
	plain = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A[\p{L}\p{N} _.@|+=,:-]+\z`)
	})
)

// Template is a policy in whose strings {{path}} stands for a value.
type Template struct{ compact string }

// ParseTemplate reads a template, which must be a JSON object.
func ParseTemplate(text string) (Template, error) {
	var compact bytes.Buffer
	_, err := document.ObjectOf(text)
	if err == nil {
		err = json.Compact(&compact, []byte(text))
	}
	return Template{compact.String()}, err
}

// Fill returns the policy. If a value is absent, or has characters that a policy reads as more than
// a name, Fill returns no policy and the value's path.
func (t Template) Fill(value func(path string) (any, bool)) (policy, missing string) {
	policy = placeholder().ReplaceAllStringFunc(t.compact, func(found string) string {
		path := strings.TrimSpace(found[2 : len(found)-2])
		v, _ := value(path)
		text, ok := jsonvalue.Text(v)
		if !ok || !plain().MatchString(text) {
			missing = path
		}
		return text
	})
	if missing != "" {
		return "", missing
	}
	return policy, ""
}
