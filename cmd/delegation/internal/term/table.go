package term

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Row is a line of a table.
type Row struct {
	// Name stands first; names are padded to one width.
	Name string

	// State and What come after it. The states of a table have one width.
	State, What string
}

// Table writes the rows, a line each.
func Table(rows []Row) string {
	width := 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	var b strings.Builder
	for _, r := range rows {
		text := fmt.Sprintf("%-*s  %s  %s", width, r.Name, r.State, r.What)
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	return b.String()
}
