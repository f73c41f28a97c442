package main

import (
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// tableIntroduction tells readers what they have to know before they read the table.
const tableIntroduction = `
The refused token and the configuration, field by field. What the token says is
not verified: anyone can have written it, unless its signature is "same".

`

// widestCell limits the width of a column, so that most tables fit a terminal.
const widestCell = 48

// table compares a refused token with the configuration, for people. It is empty if there is
// nothing to compare.
func (o *outcome) table(paint term.Painter) string {
	if len(o.TokenFields) == 0 {
		return ""
	}
	rows := [][]string{{"FIELD", "TOKEN SAYS", "CONFIGURATION SAYS", "VERDICT"}}
	for _, field := range o.TokenFields {
		rows = append(rows, []string{
			term.Escaped(field.Field),
			term.Escaped(field.Token),
			term.Escaped(field.Configuration),
			field.verdict(paint),
		})
	}
	return tableIntroduction + term.Columns(rows, widestCell)
}

// verdict is the last cell of a row: the verdict and the reason.
func (f fieldOutcome) verdict(paint term.Painter) string {
	colours := map[delegation.TokenVerdict]term.Colour{
		delegation.TokenFieldSame:       term.Green,
		delegation.TokenFieldNotChecked: term.Yellow,
	}
	colour, known := colours[f.Verdict]
	if !known {
		colour = term.Red
	}
	text := paint(colour, string(f.Verdict))
	if f.Reason != "" {
		text += ": " + term.Escaped(f.Reason)
	}
	return text
}
