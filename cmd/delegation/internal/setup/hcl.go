package setup

import (
	"fmt"
	"strings"
)

// expression is a piece of HCL that is written unchanged, such as a reference.
type expression string

// hclFile is a file of HCL, formatted as by "terraform fmt". Texts from outside are written only
// through quoteHCL.
type hclFile struct{ strings.Builder }

// body is the content of a block: attributes, blocks, and empty lines between them.
type body []bodyPart

// bodyPart is an attribute if value is set, a block if header is, and otherwise an empty line.
type bodyPart struct {
	name   string
	value  any
	header string
	body   body
}

// attribute is an attribute of a block. The value is an expression, or what parseObject returns.
func attribute(name string, value any) bodyPart { return bodyPart{name: name, value: value} }

// block is a nested block.
func block(header string, parts ...bodyPart) bodyPart {
	return bodyPart{header: header, body: parts}
}

// emptyLine is an empty line between parts of a block.
var emptyLine = bodyPart{}

// comment writes comment lines.
func (f *hclFile) comment(lines ...string) {
	for _, line := range lines {
		f.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// block writes a block at the top level of the file, after an empty line. Labels are written
// unchanged.
func (f *hclFile) block(kind string, labels []string, parts ...bodyPart) {
	header := kind
	for _, label := range labels {
		header += ` "` + label + `"`
	}
	f.WriteString("\n")
	f.write(0, []bodyPart{block(header, parts...)})
}

// write writes parts of a block. It aligns the equals signs of consecutive attributes, as
// "terraform fmt" does. An attribute of several lines ends such a group.
func (f *hclFile) write(depth int, parts body) {
	indent := strings.Repeat("  ", depth)
	var names, values []string
	flush := func() {
		f.WriteString(aligned(indent, names, values))
		names = nil
		values = nil
	}
	for _, part := range parts {
		if part.value != nil {
			names = append(names, part.name)
			values = append(values, hclValue(part.value, depth))
			continue
		}
		flush()
		switch {
		case part.header == "":
			f.WriteString("\n")
		case len(part.body) == 0:
			fmt.Fprintf(f, "%s%s {}\n", indent, part.header)
		default:
			fmt.Fprintf(f, "%s%s {\n", indent, part.header)
			f.write(depth+1, part.body)
			fmt.Fprintf(f, "%s}\n", indent)
		}
	}
	flush()
}

// aligned writes lines of names and values.
func aligned(indent string, names, values []string) string {
	var b strings.Builder
	for i := 0; i < len(names); {
		end := i
		width := 0
		for end < len(names) && !strings.Contains(values[end], "\n") {
			width = max(width, len(names[end]))
			end++
		}
		for ; i < end; i++ {
			fmt.Fprintf(&b, "%s%-*s = %s\n", indent, width, names[i], values[i])
		}
		if i < len(names) { // several lines
			fmt.Fprintf(&b, "%s%s = %s\n", indent, names[i], values[i])
			i++
		}
	}
	return b.String()
}

// jsonEncode is a call of Terraform's function jsonencode on a policy. The members keep their
// order.
func jsonEncode(policy any, depth int) expression {
	return expression("jsonencode(" + hclValue(policy, depth) + ")")
}

// hclValue writes a value that begins on a line of this depth.
func hclValue(value any, depth int) string {
	switch v := value.(type) {
	case expression:
		return string(v)
	case object:
		return hclObject(v, depth)
	case []any:
		return hclList(v, depth)
	case string:
		return quoteHCL(v)
	case nil:
		return "null"
	}
	return fmt.Sprint(value) // a number, true or false
}

func hclObject(o object, depth int) string {
	if len(o) == 0 {
		return "{}"
	}
	names := make([]string, len(o))
	values := make([]string, len(o))
	for i, m := range o {
		names[i] = hclName(m.name)
		values[i] = hclValue(m.value, depth+1)
	}
	indent := strings.Repeat("  ", depth)
	return "{\n" + aligned(indent+"  ", names, values) + indent + "}"
}

// hclList writes a list of texts and numbers on one line, and other lists with a line for each
// element.
func hclList(list []any, depth int) string {
	inOne := make([]string, len(list))
	inner := strings.Repeat("  ", depth+1)
	var lines strings.Builder
	nested := false
	for i, element := range list {
		inOne[i] = hclValue(element, depth+1)
		nested = nested || strings.Contains(inOne[i], "\n")
		fmt.Fprintf(&lines, "%s%s,\n", inner, inOne[i])
	}
	if !nested {
		return "[" + strings.Join(inOne, ", ") + "]"
	}
	return "[\n" + lines.String() + strings.Repeat("  ", depth) + "]"
}

// hclName writes the name of an object's member. A plain word gets no quotes. Words in capitals are
// not keywords.
func hclName(name string) string {
	letter := func(r rune) bool { return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' }
	other := func(r rune) bool { return !letter(r) }
	if name != "" && 'A' <= name[0] && name[0] <= 'Z' && !strings.ContainsFunc(name, other) {
		return name
	}
	return quoteHCL(name)
}

// quoteHCL writes a text of UTF-8 as a quoted template without interpolations, in ASCII (HCL Native
// Syntax Specification, "Template Literals"). "${" and "%{" begin an interpolation or a directive
// unless their first character is doubled.
func quoteHCL(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case (r == '$' || r == '%') && strings.HasPrefix(text[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case r < ' ' || r > '~':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// interpolated writes a text and then the value of a reference.
func interpolated(text string, reference expression) expression {
	quoted := strings.TrimSuffix(quoteHCL(text), `"`)
	return expression(quoted + "${" + string(reference) + `}"`)
}
