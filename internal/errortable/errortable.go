// Package errortable reads the documentation's table of error codes, so that what errors say and
// what an operator reads never differ.
package errortable

import "strings"

// Row is what the table says of one code.
type Row struct {
	Stage     string // the step that fails
	Retryable bool   // whether the same call may succeed later
	Remedy    string
	Public    string // what strangers see
}

// Parse returns the rows by code. Other lines of the text are not looked at.
func Parse(text string) map[string]Row {
	rows := map[string]Row{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(line, "| \r\n"), " | ")
		if len(cells) != 5 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		rows[strings.Trim(cells[0], "`")] = Row{
			Stage:     cells[1],
			Retryable: cells[2] == "yes",
			Remedy:    cells[3],
			Public:    cells[4],
		}
	}
	return rows
}
