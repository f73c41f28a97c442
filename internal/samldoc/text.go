package samldoc

import (
	"fmt"
	"unicode/utf8"
)

// CheckText accepts XML 1.0's Char (§2.2) without U+FFFD, which says that a decoder has already
// replaced something: two texts that were different may have become one.
func CheckText(text string) error {
	for i, r := range text {
		if r == utf8.RuneError {
			return fmt.Errorf("invalid UTF-8 or a replacement character at byte %d", i)
		}
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return fmt.Errorf("character %U at byte %d is not allowed in XML", r, i)
		}
	}
	return nil
}
