package config

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// byteOrderMark is what some editors put in front of UTF-8. YAML allows it (YAML 1.2.2 §5.2).
var byteOrderMark = []byte("\xef\xbb\xbf")

// checkText refuses bytes that YAML does not allow (YAML 1.2.2 §5.1) but the library accepts.
func checkText(text []byte) error {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return errors.New(": is UTF-16: save it as UTF-8")
	}
	line, column := 1, 1
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Errorf(":%d: column %d: this is not UTF-8: save the file as UTF-8",
				line, column)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == '\x7f':
			return fmt.Errorf(":%d: column %d: the control character U+%04X: remove it",
				line, column, r)
		case r == '\n':
			line++
			column = 0
		}
		column++
		i += size
	}
	return nil
}

// describe rewords the YAML library's errors, with line and key. It leaves out the lines around,
// which might contain a secret. text is the file's content.
func describe(err error, parsed *ast.File, text []byte) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return describeAlias(err, parsed)
	}
	at := e.GetToken()
	key := ""
	if k := keyOf(at, parsed); k != "" {
		key = string(k) + ": "
	}
	line := fmt.Sprintf(":%d: ", at.Position.Line)
	var wrongType *yaml.TypeError
	var tooLarge *yaml.OverflowError
	var unknown *yaml.UnknownFieldError
	var wrongNode *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &wrongType):
		return errors.New(line + key + "must be " + kindName(wrongType.DstType))
	case errors.As(err, &tooLarge):
		return errors.New(line + key + "must be " + kindName(tooLarge.DstType) + " of at most " +
			strconv.Itoa(math.MaxInt))
	case errors.As(err, &unknown):
		return errors.New(line + key + "unknown key")
	case errors.As(err, &wrongNode):
		return errors.New(line + key + "must be " + nodeName(wrongNode.Expected))
	case strings.Contains(e.GetMessage(), "already defined"):
		return fmt.Errorf(":%d: column %d: the key %q appears twice%s: remove one of them",
			at.Position.Line, at.Position.Column, at.Value, firstPlace(e.GetMessage()))
	}
	m := syntaxMistake(e.GetMessage(), at, text)
	return fmt.Errorf(":%d: column %d: %s%s", m.line, m.column, key, m.says)
}

// firstPlace says where a key occurred first, from the library's "[LINE:COLUMN]".
func firstPlace(message string) string {
	found := placeInBrackets().FindStringSubmatch(message)
	if found == nil {
		return ""
	}
	return ", first in line " + found[1]
}

var placeInBrackets = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\[(\d+):\d+\]`)
})

// describeAlias describes an error without a place: an alias whose anchor does not exist.
func describeAlias(err error, parsed *ast.File) error {
	anchors := map[string]bool{}
	var wrong *ast.AliasNode
	if parsed != nil {
		for _, document := range parsed.Docs {
			if document.Body == nil {
				continue
			}
			ast.Walk(visitor(func(node ast.Node) {
				switch n := node.(type) {
				case *ast.AnchorNode:
					anchors[n.Name.String()] = true
				case *ast.AliasNode:
					name := n.Value.String()
					if wrong == nil && (!anchors[name] || strings.Contains(err.Error(), name)) {
						wrong = n
					}
				}
			}), document.Body)
		}
	}
	if wrong == nil {
		return errors.New(": it cannot be read: check its indentation, colons and quotes")
	}
	at := wrong.GetToken().Position
	return fmt.Errorf(":%d: column %d: %s", at.Line, at.Column, noAnchor)
}

// Remedies that several mistakes have in common.
const (
	noAnchor = "no value above has the name that follows *: write & and that name in front of " +
		"the value, or quote a text that begins with *"
	anchorOfNothing = "& and a name stand in front of a value, which is missing: add it, or " +
		"quote a text that begins with &"
	oneIndent = "this line does not belong to the lines above it: align it with those that it " +
		"belongs to, and do not mix lines that begin with - and others"
	quoteColon  = "a value with a colon and a space: put it in quotes"
	keyAndColon = "expected a key, a colon and a space, and not text alone: add what is " +
		"missing, or align the line with what it belongs to"
	oneList   = "a list with [ and ] has values and commas: correct it here"
	oneObject = "keys with { and } have the form KEY: VALUE, with commas between: correct it here"
	percent   = "a line with % in front belongs above a line ---: remove it, or quote a text " +
		"that begins with %"
)

// syntaxWords translate the YAML library's messages for somebody who writes a file. The first entry
// whose part occurs in a message counts.
var syntaxWords = []struct{ part, says string }{
	{"character '\t'", "a tab in front of a key: indent with spaces"},
	{"tab character", "a tab in front of a key: indent with spaces"},
	{"double-quoted", `the quote " that begins here has no end: add "`},
	{"single-quoted", "the quote ' that begins here has no end: add '"},
	{"escape character",
		`\ and this character mean nothing within "": write \\ for one \, or use '`},
	{"is a reserved character", "a text cannot begin with this character: put it in quotes"},
	{"token ']' not found", "the [ that begins here has no end: add ]"},
	{"token '}'", "the { that begins here has no end: add }"},
	{"corresponding to ']'", "this ] ends nothing: remove it, or put the text in quotes"},
	{"corresponding to '}'", "this } ends nothing: remove it, or put the text in quotes"},
	{"']' must be specified",
		"the list goes on here without a comma, or lacks its end: add , or ]"},
	{"'}' must be specified",
		"the keys go on here without a comma, or lack their end: add , or }"},
	{"block sequence entries",
		"a list begins on a line of its own: write - in the next line, or [ ]"},
	{"but found ','", oneList},
	{"flow map", oneObject},
	{"could not find alias", noAnchor},
	{"alias", noAnchor},
	{"anchor", anchorOfNothing},
	{"invalid header option",
		"after | or > the text begins in the next line: begin a line, or put the text in quotes"},
	{"YAML version", "remove the line with %YAML: the version is 1.2"},
	{"directive", percent},
	{"document separator", "a line --- ends the text above it: remove it, or what follows it"},
	{"invalid key", "a key is a text: put it in quotes"},
	{"implicit line break", "a key is on one line: write it on one"},
	{"tag", "a value needs no ! and type in front: remove it, or put the text in quotes"},
	{"map key-value is pre-defined", "text follows the end of the quote: put all of it in quotes"},
	{"non-map value", keyAndColon},
	{"unexpected key name", keyAndColon},
	{"unexpected map key", keyAndColon},
	{"value is not allowed in this context", oneIndent},
}

// mistake is a syntax mistake of the file: where it is, and what to write instead.
type mistake struct {
	line, column int
	says         string
}

func syntaxMistake(message string, at *token.Token, text []byte) mistake {
	m := mistake{
		line:   at.Position.Line,
		column: at.Position.Column,
		says:   "this cannot be read: check indentation, colons and quotes here",
	}
	if strings.Contains(message, "mapping value is not allowed") {
		return colonMistake(m, text)
	}
	for _, words := range syntaxWords {
		if strings.Contains(message, words.part) {
			m.says = words.says
			break
		}
	}
	if m.says == oneIndent {
		m.column = indentOf(lineOf(text, m.line)) + 1
	}
	return m
}

// colonMistake distinguishes a value that contains a colon from a line that is indented too far.
// The library takes the latter for a continuation of the value above.
func colonMistake(m mistake, text []byte) mistake {
	m.says = quoteColon
	above := lineOf(text, m.line)
	if strings.Count(above+" ", ": ") > 1 {
		return m
	}
	next := m.line + 1
	for strings.TrimSpace(lineOf(text, next)) == "" && next < bytes.Count(text, []byte("\n"))+1 {
		next++
	}
	if indent := indentOf(lineOf(text, next)); indent > indentOf(above) {
		m.line = next
		m.column = indent + 1
		m.says = fmt.Sprintf("this line is indented further than the line above it, which has a "+
			"value: begin it in column %d, or remove that value", indentOf(above)+1)
	}
	return m
}

// lineOf returns a line of a text, counted from 1, without its end.
func lineOf(text []byte, number int) string {
	lines := bytes.Split(text, []byte("\n"))
	if number < 1 || number > len(lines) {
		return ""
	}
	return strings.TrimSuffix(string(lines[number-1]), "\r")
}

// indentOf is the number of spaces in front of a line.
func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// wrongKind reports a node whose kind differs from what a field of the type accepts. Where it is
// not sure, it leaves the error to the decoder.
func (a anchors) wrongKind(node ast.Node, t reflect.Type) error {
	is := kindOf(a.behind(node))
	if is == "" || t.Kind() == reflect.Interface {
		return nil
	}
	form := ""
	wants := kindName(t)
	if t == reflect.TypeFor[ClaimSettings]() {
		if is != aList {
			return nil
		}
		wants = "text or keys with values"
	}
	switch t.Kind() {
	case reflect.String:
		if is != aList && is != someKeys {
			return nil
		}
	case reflect.Bool:
		if is == aBool || is == aText {
			return nil
		}
	case reflect.Int:
		if is == aWhole || is == aText {
			return nil
		}
	case reflect.Slice:
		if is == aList {
			return nil
		}
		form = " ([ITEM, ITEM], or a line for each that begins with -)"
	default:
		if is == someKeys {
			return nil
		}
		form = " (KEY: VALUE, each on a line of its own)"
	}
	where := fmt.Sprintf(":%d: ", firstToken(node).Position.Line)
	if k := keyAt(node.GetPath()); k != "" {
		where += string(k) + ": "
	}
	return fmt.Errorf("%smust be %s%s, and not %s", where, wants, form, is)
}

// anchors are the values that have a name, for aliases.
type anchors map[string]ast.Node

// anchorsIn returns the values below a node that have a name.
func anchorsIn(node ast.Node) anchors {
	all := anchors{}
	ast.Walk(visitor(func(node ast.Node) {
		if named, ok := node.(*ast.AnchorNode); ok {
			all[named.Name.String()] = named.Value
		}
	}), node)
	return all
}

// behind returns the value to which an alias refers. It returns any other node as it is.
func (a anchors) behind(node ast.Node) ast.Node {
	alias, ok := node.(*ast.AliasNode)
	if !ok {
		return node
	}
	return a[alias.Value.String()]
}

// firstToken returns the token where a node begins. The token of a node of keys is its first colon.
func firstToken(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return node.GetToken()
}

// The kinds of values in a file.
const (
	aText     = "text"
	aBool     = "true or false"
	aWhole    = "a whole number"
	aFraction = "a number with a fraction"
	aList     = "a list"
	someKeys  = "keys with values"
)

// kindOf returns the kind of a node, or "" for an empty one and for aliases and the like.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return aText
	case *ast.BoolNode:
		return aBool
	case *ast.IntegerNode:
		return aWhole
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return aFraction
	case *ast.SequenceNode:
		return aList
	case *ast.MappingNode, *ast.MappingValueNode:
		return someKeys
	}
	return ""
}

// nodeName names the kind that the library expected, for the few kinds that it reports.
func nodeName(t ast.NodeType) string {
	switch t {
	case ast.SequenceType:
		return aList
	case ast.MappingType, ast.MappingValueType:
		return someKeys
	case ast.StringType, ast.LiteralType:
		return aText
	}
	return "another kind of value"
}

// rootText handles a file that is a single text. It says what the first line lacks, if that can be
// told.
func rootText(node ast.Node) error {
	text, ok := node.(*ast.StringNode)
	if !ok {
		return nil
	}
	at := text.GetToken().Position
	if name, _, found := strings.Cut(text.Value, ":"); found && keyForm().MatchString(name) {
		return fmt.Errorf(":%d: column %d: a space is missing after the colon of %s",
			at.Line, at.Column+len(name), name)
	}
	return fmt.Errorf(":%d: column %d: %s", at.Line, at.Column, keyAndColon)
}

var keyForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[a-z][a-z_]{0,40}\z`)
})
