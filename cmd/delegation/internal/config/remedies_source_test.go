package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// fieldNames are those of the structs that remedies name.
var fieldNames = fieldsOf(
	reflect.TypeFor[delegation.Config](),
	reflect.TypeFor[delegation.Issuer](),
	reflect.TypeFor[delegation.Target](),
	reflect.TypeFor[delegation.AWS](),
	reflect.TypeFor[delegation.IdentityProvider](),
	reflect.TypeFor[jsrules.Options](),
)

func fieldsOf(types ...reflect.Type) map[string]bool {
	names := map[string]bool{"ReplayMemory": false}
	for _, of := range types {
		for i := range of.NumField() {
			names[of.Field(i).Name] = true
		}
	}
	return names
}

// said is a text that a row has provoked, and the settings that it has followed.
type said struct {
	text     string
	settings []string
	onlyGo   bool
}

// A literal is a text in the source of the library that names a setting, or is a problem that New
// has with the configuration. The latter has no setting: it is followed by any that mends it.
type literal struct {
	text, setting string
	form          *regexp.Regexp
}

// isOnlyGo tells whether no configuration file can come to the text.
func (l literal) isOnlyGo(all []said) bool {
	return slices.ContainsFunc(all, func(s said) bool {
		return s.onlyGo && l.isFollowed([]said{s})
	})
}

// isFollowed tells whether a row has provoked the text and changed the setting.
func (l literal) isFollowed(all []said) bool {
	return slices.ContainsFunc(all, func(s said) bool {
		changed := l.setting == "" || slices.Contains(s.settings, l.setting)
		return changed && l.form.MatchString(s.text)
	})
}

// sources are the packages whose texts reach the errors of an exchange.
var sources = []string{"", "internal/document", "internal/idtoken"}

// literalSteps finds the texts in the source that name a setting.
func literalSteps(t *testing.T) (found []literal) {
	t.Helper()
	for _, folder := range sources {
		files := must(filepath.Glob(filepath.Join("../../../..", folder, "*.go")))
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed := must(parser.ParseFile(token.NewFileSet(), file, nil, 0))
			ast.Inspect(parsed, func(n ast.Node) bool {
				if isComparison(n) {
					return false
				}
				if problem := problemOf(n); problem != "" {
					found = append(found, literal{problem, "", formOf(problem)})
				}
				text, ok := constant(n)
				if !ok {
					return true
				}
				for _, setting := range slices.Compact(goName.FindAllString(text, -1)) {
					found = append(found, literal{text, setting, formOf(text)})
				}
				return false
			})
		}
	}
	if len(found) == 0 {
		t.Fatal("no text of the source names a setting")
	}
	return found
}

// isComparison tells whether a text is set that Explain shows next to a claim of a token, in a
// variable field. It says what is configured, and is no error.
func isComparison(n ast.Node) bool {
	set, ok := n.(*ast.AssignStmt)
	if !ok {
		return false
	}
	to, ok := set.Lhs[0].(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := to.X.(*ast.Ident)
	return ok && of.Name == "field"
}

// problemOf is the text of a problem that New has: in a call of problems.add, with more than a
// place and another's text.
func problemOf(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || method.Sel.Name != "add" {
		return ""
	}
	if of, ok := method.X.(*ast.Ident); !ok || of.Name != "problems" {
		return ""
	}
	text, ok := constant(call.Args[0])
	if !ok || !regexp.MustCompile(`[A-Za-z]{3}`).MatchString(verb.ReplaceAllString(text, "")) {
		return ""
	}
	return text
}

// constant is the text of a string literal, or of several that are added.
func constant(n ast.Node) (string, bool) {
	switch e := n.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, also := constant(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

var verb = regexp.MustCompile(`%(?:\\\.)?[0-9.\\]*[a-z]`)

// formOf matches what a format makes.
func formOf(format string) *regexp.Regexp {
	return regexp.MustCompile("(?s)" + verb.ReplaceAllString(regexp.QuoteMeta(format), ".*"))
}
