package ststest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
)

// xmlSpace is what XML 1.0, section 2.3, calls white space.
const xmlSpace = " \t\r\n"

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
	nsXML       = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS     = "http://www.w3.org/2000/xmlns/"

	// maxDepth bounds the recursion of everything that walks a tree. A SAML
	// response is about eight elements deep.
	maxDepth = 64
)

// A node is an element as Canonical XML sees it: namespaces resolved,
// comments gone, text on both sides of a comment joined.
type node struct {
	prefix, local, space string
	attrs                []attribute       // without namespace declarations
	scope                map[string]string // prefix to namespace; never changed once set
	children             []child
}

type attribute struct{ prefix, local, space, value string }

// A child is an element, or text when el is nil.
type child struct {
	el   *node
	text string
}

// is reports whether n is the element local of the namespace space.
func (n *node) is(space, local string) bool { return n.space == space && n.local == local }

// all returns the child elements with that name, in document order.
func (n *node) all(space, local string) []*node {
	var found []*node
	for _, c := range n.children {
		if c.el != nil && c.el.is(space, local) {
			found = append(found, c.el)
		}
	}
	return found
}

// only returns the one child element with that name, or nil if there are none
// or several. A reader that takes the first of several can be made to read
// another element than the signature covers.
func (n *node) only(space, local string) *node {
	if found := n.all(space, local); len(found) == 1 {
		return found[0]
	}
	return nil
}

// attr returns the attribute of no namespace called local.
func (n *node) attr(local string) (string, bool) {
	for _, a := range n.attrs {
		if a.space == "" && a.local == local {
			return a.value, true
		}
	}
	return "", false
}

// text returns the whole text of an element that holds nothing but text. A
// comment does not cut it short (CVE-2017-11427 and its relatives).
func (n *node) text() (string, bool) {
	var b strings.Builder
	for _, c := range n.children {
		if c.el != nil {
			return "", false
		}
		b.WriteString(c.text)
	}
	return b.String(), true
}

// fields splits s at white space of XML, of which Unicode has more.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(xmlSpace, c) })
}

// walk calls f for n and everything below it.
func (n *node) walk(f func(n, parent *node)) { n.walkFrom(nil, f) }

func (n *node) walkFrom(parent *node, f func(n, parent *node)) {
	f(n, parent)
	for _, c := range n.children {
		if c.el != nil {
			c.el.walkFrom(n, f)
		}
	}
}

// parseXML reads a whole document. It refuses what no SAML document needs and
// what parsers disagree about: document types and entities, processing
// instructions, undeclared prefixes, repeated attributes, other encodings.
func parseXML(doc []byte) (*node, error) { return parse(doc, false) }

// parseElement reads a text that is one element and nothing else: no XML
// declaration, no comment and no white space before or after it.
func parseElement(text []byte) (*node, error) { return parse(text, true) }

func parse(doc []byte, alone bool) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var t tree
	for {
		start := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		raw := doc[start:d.InputOffset()]
		_, starts := token.(xml.StartElement)
		if alone && len(t.open) == 0 && !starts {
			return nil, errors.New("something next to the element")
		}
		if err := t.add(token, raw, start == 0); err != nil {
			return nil, err
		}
	}
	if t.root == nil || len(t.open) > 0 {
		return nil, errors.New("the document ends early")
	}
	return t.root, nil
}

// A tree is a document of which a part is read.
type tree struct {
	root *node
	open []*node // the elements without an end tag yet, outermost first
}

// add adds a token. raw is its text in the document, and first tells whether the
// document begins with it.
func (t *tree) add(token xml.Token, raw []byte, first bool) error {
	switch token := token.(type) {
	case xml.StartElement:
		return t.start(token, raw)
	case xml.EndElement:
		return t.end(token)
	case xml.CharData:
		return t.text(token, raw)
	case xml.Comment:
		return nil
	case xml.ProcInst:
		if token.Target != "xml" || !first {
			return errors.New("a processing instruction")
		}
		return nil
	default: // xml.Directive
		return errors.New("a document type declaration")
	}
}

func (t *tree) start(tag xml.StartElement, raw []byte) error {
	if len(t.open) == 0 && t.root != nil {
		return errors.New("a second root element")
	}
	if len(t.open) == maxDepth {
		return fmt.Errorf("elements nested deeper than %d", maxDepth)
	}
	tag, err := normalizeAttributes(tag, raw)
	if err != nil {
		return err
	}
	scope := map[string]string{"": "", "xml": nsXML}
	if len(t.open) > 0 {
		scope = t.open[len(t.open)-1].scope
	}
	n, err := newNode(tag, scope)
	if err != nil {
		return err
	}
	if len(t.open) == 0 {
		t.root = n
	} else {
		parent := t.open[len(t.open)-1]
		parent.children = append(parent.children, child{el: n})
	}
	t.open = append(t.open, n)
	return nil
}

func (t *tree) end(tag xml.EndElement) error {
	if len(t.open) == 0 {
		return errors.New("an end tag without a start tag")
	}
	top := t.open[len(t.open)-1]
	if top.prefix != tag.Name.Space || top.local != tag.Name.Local {
		return fmt.Errorf("<%s> closed by </%s>", top.local, tag.Name.Local)
	}
	t.open = t.open[:len(t.open)-1]
	return nil
}

func (t *tree) text(text xml.CharData, raw []byte) error {
	if len(t.open) == 0 {
		if len(bytes.Trim(text, xmlSpace)) > 0 {
			return errors.New("text outside the root element")
		}
		return nil
	}
	if badReference(raw) {
		return errors.New("a reference to a character that XML does not have")
	}
	top := t.open[len(t.open)-1]
	if last := len(top.children) - 1; last >= 0 && top.children[last].el == nil {
		top.children[last].text += string(text)
	} else {
		top.children = append(top.children, child{text: string(text)})
	}
	return nil
}

// normalizeAttributes applies the attribute-value normalization of XML 1.0,
// section 3.3.3, which encoding/xml leaves out: white space written literally
// becomes a space, while a reference such as &#xA; keeps its character.
func normalizeAttributes(t xml.StartElement, raw []byte) (xml.StartElement, error) {
	if bytes.ContainsAny(raw, "\t\r\n") {
		fixed := bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		var quote byte
		for i, c := range fixed {
			switch {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote:
				quote = 0
			case quote != 0 && (c == '\t' || c == '\r' || c == '\n'):
				fixed[i] = ' '
			}
		}
		token, err := xml.NewDecoder(bytes.NewReader(fixed)).RawToken()
		if err != nil {
			return t, err
		}
		t = token.(xml.StartElement)
	}
	if badReference(raw) {
		return t, errors.New("a reference to a character that XML does not have")
	}
	return t, nil
}

// reference is a numeric character reference.
var reference = newPattern(`&#(x?)0*([0-9a-fA-F]+);`)

// badReference reports whether raw text refers to a surrogate. That is not
// well-formed, and encoding/xml reads it as U+FFFD.
func badReference(raw []byte) bool {
	if bytes.HasPrefix(raw, []byte("<![CDATA[")) {
		return false // no references in there
	}
	for _, m := range reference().FindAllSubmatch(raw, -1) {
		base := 10
		if len(m[1]) > 0 {
			base = 16
		}
		n, err := strconv.ParseInt(string(m[2]), base, 32)
		if err != nil || n >= 0xD800 && n <= 0xDFFF {
			return true
		}
	}
	return false
}

// newNode resolves the names of a start tag (Namespaces in XML 1.0).
func newNode(t xml.StartElement, scope map[string]string) (*node, error) {
	scope, plain, err := declare(t.Attr, scope)
	if err != nil {
		return nil, err
	}
	n := &node{prefix: t.Name.Space, local: t.Name.Local, scope: scope}
	var ok bool
	if n.space, ok = scope[n.prefix]; !ok || strings.Contains(n.local, ":") {
		return nil, fmt.Errorf("element %s:%s has no namespace", n.prefix, n.local)
	}
	for _, p := range plain {
		if err := n.addAttribute(p); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// declare returns the scope with the namespaces that attributes declare, and
// the attributes that declare none. The given scope stays as it is.
func declare(attrs []xml.Attr, scope map[string]string) (
	inner map[string]string, plain []xml.Attr, err error,
) {
	cloned := false
	for i, a := range attrs {
		for _, b := range attrs[:i] {
			if a.Name == b.Name {
				return nil, nil, fmt.Errorf("attribute %s repeated", a.Name.Local)
			}
		}
		var prefix string
		switch {
		case a.Name.Space == "xmlns":
			if prefix = a.Name.Local; a.Value == "" {
				return nil, nil, fmt.Errorf("prefix %s undeclared", prefix)
			}
		case a.Name.Space == "" && a.Name.Local == "xmlns":
		default:
			plain = append(plain, a)
			continue
		}
		if prefix == "xml" && a.Value == nsXML {
			continue // allowed, and says nothing new
		}
		if prefix == "xml" || prefix == "xmlns" || a.Value == nsXML || a.Value == nsXMLNS {
			return nil, nil, errors.New("a reserved namespace redeclared")
		}
		if !cloned {
			scope, cloned = maps.Clone(scope), true
		}
		scope[prefix] = a.Value
	}
	return scope, plain, nil
}

// addAttribute resolves the name of an attribute.
func (n *node) addAttribute(x xml.Attr) error {
	a := attribute{prefix: x.Name.Space, local: x.Name.Local, value: x.Value}
	if a.prefix != "" {
		var ok bool
		if a.space, ok = n.scope[a.prefix]; !ok {
			return fmt.Errorf("attribute %s:%s has no namespace", a.prefix, a.local)
		}
	}
	if strings.Contains(a.local, ":") {
		return fmt.Errorf("attribute name %q", a.local)
	}
	for _, b := range n.attrs {
		if a.space == b.space && a.local == b.local {
			return fmt.Errorf("attribute %s repeated", a.local)
		}
	}
	n.attrs = append(n.attrs, a)
	return nil
}
