package samldoc

// Canonical XML 1.0 §2.3 says which characters of a document become references; Exclusive XML
// Canonicalization 1.0 §3 keeps these rules, and changes only where namespaces are declared. All
// other characters stand for themselves, in UTF-8.
var (
	// textEscapes are those of the rule "Text Nodes".
	textEscapes = escapes{
		'&':  "&amp;",
		'<':  "&lt;",
		'>':  "&gt;",
		'\r': "&#xD;",
	}
	// attributeEscapes are those of the rule "Attribute Nodes". The sign > stays as it is.
	attributeEscapes = escapes{
		'&':  "&amp;",
		'<':  "&lt;",
		'"':  "&quot;",
		'\t': "&#x9;",
		'\n': "&#xA;",
		'\r': "&#xD;",
	}
)

// escapes has the reference for a byte, empty if the byte stays. No byte of a longer UTF-8 sequence
// is below 0x80, so bytes can be looked at one by one.
type escapes [256]string

// append appends a text with its references.
func (e *escapes) append(to []byte, text string) []byte {
	written := 0 // the text's bytes that are in to
	for i := range len(text) {
		escape := e[text[i]]
		if escape == "" {
			continue
		}
		to = append(to, text[written:i]...)
		to = append(to, escape...)
		written = i + 1
	}
	return append(to, text[written:]...)
}
