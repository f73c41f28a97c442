package samldoc_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

// isChar is the production Char of XML 1.0 §2.2, word for word.
func isChar(r rune) bool {
	return r == 0x9 || r == 0xA || r == 0xD || 0x20 <= r && r <= 0xD7FF ||
		0xE000 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0x10FFFF
}

func TestCheckText_EveryCodePoint(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if 0xD800 <= r && r <= 0xDFFF {
			continue // no rune: string(r) is U+FFFD
		}
		want := isChar(r) && r != utf8.RuneError
		if err := samldoc.CheckText("a" + string(r) + "b"); (err == nil) != want {
			t.Errorf("%U: got %v, want accepted: %v", r, err, want)
		}
	}
}

func TestCheckText_EverySurrogate(t *testing.T) {
	for r := 0xD800; r <= 0xDFFF; r++ {
		text := string([]byte{0xE0 | byte(r>>12), 0x80 | byte(r>>6)&0x3F, 0x80 | byte(r)&0x3F})
		if samldoc.CheckText(text) == nil {
			t.Errorf("%U, encoded as three bytes, was accepted", r)
		}
	}
}

func TestCheckText_EveryByteAlone(t *testing.T) {
	for b := range 256 {
		want := b < 0x80 && isChar(rune(b))
		if err := samldoc.CheckText(string([]byte{byte(b)})); (err == nil) != want {
			t.Errorf("byte %#x: got %v, want accepted: %v", b, err, want)
		}
	}
}

func TestCheckText_TellsWhere(t *testing.T) {
	tests := []struct{ text, want string }{
		{"ab\x00", "character U+0000 at byte 2 is not allowed in XML"},
		{"é\x1f", "character U+001F at byte 2 is not allowed in XML"},
		{"\uFFFE", "character U+FFFE at byte 0 is not allowed in XML"},
		{"😀\xff", "invalid UTF-8 or a replacement character at byte 4"},
		{"x\uFFFD", "invalid UTF-8 or a replacement character at byte 1"},
		// an overlong NUL
		{"\xC0\x80", "invalid UTF-8 or a replacement character at byte 0"},
		// above U+10FFFF
		{"\xF4\x90\x80\x80", "invalid UTF-8 or a replacement character at byte 0"},
		{"a\xE2\x82", "invalid UTF-8 or a replacement character at byte 1"}, // cut off
	}
	for _, tt := range tests {
		if err := samldoc.CheckText(tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
	if err := samldoc.CheckText(""); err != nil {
		t.Errorf("the empty text: %v", err)
	}
}

// FuzzCheckText: what is accepted comes out of an XML element exactly as it went in.
func FuzzCheckText(f *testing.F) {
	for _, text := range []string{"", "plain", "a\rb\r\nc", "\t \n", "]]>", "<!-- &amp; -->",
		"\u2028\u0085", "😀", "\x00", "\xff", "\uFFFD"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if samldoc.CheckText(text) != nil {
			return
		}
		var written strings.Builder
		if err := xml.EscapeText(&written, []byte(text)); err != nil {
			t.Fatal(err)
		}
		var read string
		if err := xml.Unmarshal(fmt.Appendf(nil, "<v>%s</v>", written.String()),
			&read); err != nil || read != text {
			t.Errorf("%q was read as %q, %v", text, read, err)
		}
	})
}
