package ststest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The characters that canonical XML escapes (Canonical XML 1.0, section 2.3).
var (
	escapeText = strings.NewReplacer(
		"&", "&amp;",
		"<", "&lt;",
		">", "&gt;",
		"\r", "&#xD;",
	)
	escapeAttribute = strings.NewReplacer(
		"&", "&amp;",
		"<", "&lt;",
		`"`, "&quot;",
		"\t", "&#x9;",
		"\n", "&#xA;",
		"\r", "&#xD;",
	)
)

// canonicalize returns the Exclusive XML Canonicalization 1.0 of apex, without
// comments. It leaves out the element skip (the enveloped-signature transform,
// XML Signature section 6.6.4) and treats the prefixes of inclusive as the
// InclusiveNamespaces PrefixList; "#default" stands for the default namespace.
func canonicalize(apex, skip *node, inclusive []string) []byte {
	var b bytes.Buffer
	writeCanonical(&b, apex, skip, inclusive, map[string]string{"": ""})
	return b.Bytes()
}

// writeCanonical writes n. rendered holds the namespaces that output ancestors
// have declared.
func writeCanonical(
	b *bytes.Buffer, n, skip *node, inclusive []string, rendered map[string]string,
) {
	name := qualified(n.prefix, n.local)
	b.WriteString("<" + name)
	cloned := false
	for _, prefix := range usedPrefixes(n, inclusive) {
		uri := n.scope[prefix]
		if old, ok := rendered[prefix]; ok && old == uri {
			continue
		}
		if !cloned {
			rendered = maps.Clone(rendered)
			cloned = true
		}
		rendered[prefix] = uri
		declaration := "xmlns"
		if prefix != "" {
			declaration += ":" + prefix
		}
		b.WriteString(" " + declaration + `="` + escapeAttribute.Replace(uri) + `"`)
	}
	sorted := slices.SortedFunc(slices.Values(n.attrs), func(x, y attribute) int {
		return cmp.Or(cmp.Compare(x.space, y.space), cmp.Compare(x.local, y.local))
	})
	for _, a := range sorted {
		value := escapeAttribute.Replace(a.value)
		b.WriteString(" " + qualified(a.prefix, a.local) + `="` + value + `"`)
	}
	b.WriteByte('>')
	for _, c := range n.children {
		switch {
		case c.el == nil:
			b.WriteString(escapeText.Replace(c.text))
		case c.el != skip:
			writeCanonical(b, c.el, skip, inclusive, rendered)
		}
	}
	b.WriteString("</" + name + ">")
}

// usedPrefixes returns the prefixes that an element declares in the output if no
// ancestor does, in order (Exclusive XML Canonicalization, section 3): those
// that it visibly uses, and those of the inclusive list.
func usedPrefixes(n *node, inclusive []string) []string {
	used := map[string]bool{n.prefix: true}
	for _, a := range n.attrs {
		if a.prefix != "" {
			used[a.prefix] = true
		}
	}
	for _, prefix := range inclusive {
		if prefix == "#default" {
			prefix = ""
		}
		if _, declared := n.scope[prefix]; declared {
			used[prefix] = true
		}
	}
	delete(used, "xml") // needs no declaration
	return slices.Sorted(maps.Keys(used))
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}
