package ecmaregexp

import (
	"fmt"
	"strings"
	"unicode"
)

// propertySet returns the characters of a Unicode property, by the names that ECMAScript takes: a
// General_Category, a Script, or one of the binary properties that Unicode derives from what Go
// has. The others are errors: Script_Extensions, Emoji and related properties, and what depends on
// normalisation.
func propertySet(text string) (*set, error) {
	name, value, hasValue := strings.Cut(text, "=")
	unsupported := fmt.Errorf("the property %.100q is not supported", text)
	if !hasValue {
		if made := category(name); made != nil {
			return made, nil
		}
		if made := binary(name); made != nil {
			return made, nil
		}
		return nil, unsupported
	}
	switch name {
	case "General_Category", "gc":
		if made := category(value); made != nil {
			return made, nil
		}
	case "Script", "sc":
		if made := script(value); made != nil {
			return made, nil
		}
	}
	return nil, unsupported
}

func category(name string) *set {
	return named(name, unicode.CategoryAliases, unicode.Categories)
}

func script(name string) *set {
	return named(name, scriptAliases, unicode.Scripts)
}

// named returns the characters of a table, by its name or an alias. It returns nil if there is no
// such table.
func named(
	name string, aliases map[string]string, tables map[string]*unicode.RangeTable,
) *set {
	if own, ok := aliases[name]; ok {
		name = own
	}
	if table := tables[name]; table != nil {
		return ofTables(table)
	}
	return nil
}

// binary returns the characters of a binary property. Derived properties are composed as
// DerivedCoreProperties.txt says.
func binary(name string) *set {
	if long, ok := binaryAliases[name]; ok {
		name = long
	}
	switch name {
	case "Any":
		return (&set{}).complement()
	case "ASCII":
		return &set{ranges: []span{{0, 0x7f}}}
	case "Assigned":
		return ofTables(unicode.Cn).complement()
	case "Alphabetic":
		return ofTables(unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	case "Lowercase":
		return ofTables(unicode.Ll, unicode.Other_Lowercase)
	case "Uppercase":
		return ofTables(unicode.Lu, unicode.Other_Uppercase)
	case "Cased":
		return ofTables(unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase,
			unicode.Other_Uppercase)
	case "Math":
		return ofTables(unicode.Sm, unicode.Other_Math)
	case "Grapheme_Extend":
		return ofTables(unicode.Me, unicode.Mn, unicode.Other_Grapheme_Extend)
	case "ID_Start":
		return ofTables(unicode.L, unicode.Nl, unicode.Other_ID_Start).without(
			unicode.Pattern_Syntax, unicode.Pattern_White_Space)
	case "ID_Continue":
		return ofTables(unicode.L, unicode.Nl, unicode.Other_ID_Start, unicode.Mn, unicode.Mc,
			unicode.Nd, unicode.Pc, unicode.Other_ID_Continue).without(
			unicode.Pattern_Syntax, unicode.Pattern_White_Space)
	}
	if table := unicode.Properties[name]; table != nil && plain[name] {
		return ofTables(table)
	}
	return nil
}

// ofTables returns the characters of all tables.
func ofTables(tables ...*unicode.RangeTable) *set {
	made := &set{}
	for _, table := range tables {
		for _, r := range table.R16 {
			made.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			made.stride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	made.ranges = normal(made.ranges)
	return made
}

func (s *set) stride(low, high, stride rune) {
	if stride == 1 {
		s.ranges = append(s.ranges, span{low, high})
		return
	}
	for c := low; c <= high; c += stride {
		s.ranges = append(s.ranges, span{c, c})
	}
}

// without returns the characters of s that are in no table.
func (s *set) without(tables ...*unicode.RangeTable) *set {
	others := s.complement()
	others.ranges = append(others.ranges, ofTables(tables...).ranges...)
	return others.complement()
}

// plain are the binary properties that ECMAScript knows and Go has as they are.
var plain = map[string]bool{
	"ASCII_Hex_Digit": true, "Bidi_Control": true, "Dash": true, "Deprecated": true,
	"Diacritic": true, "Extender": true, "Hex_Digit": true, "IDS_Binary_Operator": true,
	"IDS_Trinary_Operator": true, "Ideographic": true, "Join_Control": true,
	"Logical_Order_Exception": true, "Noncharacter_Code_Point": true, "Pattern_Syntax": true,
	"Pattern_White_Space": true, "Quotation_Mark": true, "Radical": true,
	"Regional_Indicator": true, "Sentence_Terminal": true, "Soft_Dotted": true,
	"Terminal_Punctuation": true, "Unified_Ideograph": true, "Variation_Selector": true,
	"White_Space": true,
}

var binaryAliases = map[string]string{
	"AHex": "ASCII_Hex_Digit", "Alpha": "Alphabetic", "Bidi_C": "Bidi_Control",
	"Dep": "Deprecated", "Dia": "Diacritic", "Ext": "Extender", "Gr_Ext": "Grapheme_Extend",
	"Hex": "Hex_Digit", "IDC": "ID_Continue", "IDS": "ID_Start", "IDSB": "IDS_Binary_Operator",
	"IDST": "IDS_Trinary_Operator", "Ideo": "Ideographic", "Join_C": "Join_Control",
	"LOE": "Logical_Order_Exception", "Lower": "Lowercase", "NChar": "Noncharacter_Code_Point",
	"Pat_Syn": "Pattern_Syntax", "Pat_WS": "Pattern_White_Space", "QMark": "Quotation_Mark",
	"RI": "Regional_Indicator", "SD": "Soft_Dotted", "STerm": "Sentence_Terminal",
	"Term": "Terminal_Punctuation", "UIdeo": "Unified_Ideograph", "Upper": "Uppercase",
	"VS": "Variation_Selector", "space": "White_Space",
}

// scriptAliases are the four-letter names of scripts (ISO 15924) that live languages use.
var scriptAliases = map[string]string{
	"Adlm": "Adlam", "Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Bopo": "Bopomofo",
	"Brai": "Braille", "Cans": "Canadian_Aboriginal", "Cher": "Cherokee", "Copt": "Coptic",
	"Cyrl": "Cyrillic", "Deva": "Devanagari", "Ethi": "Ethiopic", "Geor": "Georgian",
	"Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi", "Hang": "Hangul", "Hani": "Han",
	"Hebr": "Hebrew", "Hira": "Hiragana", "Kana": "Katakana", "Khmr": "Khmer", "Knda": "Kannada",
	"Laoo": "Lao", "Latn": "Latin", "Mlym": "Malayalam", "Mong": "Mongolian", "Mymr": "Myanmar",
	"Nkoo": "Nko", "Orya": "Oriya", "Qaac": "Coptic", "Qaai": "Inherited", "Sinh": "Sinhala",
	"Syrc": "Syriac", "Taml": "Tamil", "Telu": "Telugu", "Tfng": "Tifinagh", "Thaa": "Thaana",
	"Tibt": "Tibetan", "Yiii": "Yi", "Zinh": "Inherited", "Zyyy": "Common",
}
