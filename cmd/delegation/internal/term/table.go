package term

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Row is a line of a table.
type Row struct {
	// Name is the first column; names are padded to one width.
	Name string

	// State and What follow it. The states of a table have one width.
	State, What string
}

// Table writes the rows, one per line.
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

// Columns writes the rows, one per line, with their cells in columns. A cell of more than widest
// characters shifts the rest of its row to the right. So one long value does not widen the whole
// table.
func Columns(rows [][]string, widest int) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if width := utf8.RuneCountInString(cell); width <= widest {
				widths[i] = max(widths[i], width)
			}
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("%-*s  ", widths[i], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
