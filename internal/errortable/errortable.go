// Package errortable reads the tables of docs/errors.md, the one source of what is said of an error
// code. The errors of the root package and the answers of delegationhttp come from here, so what a
// program does and what an operator reads never differ. A test holds that every code has a row.
package errortable

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/seed055b7978/delegation/docs"
)

// Row is what the table says of one code.
type Row struct {
	Stage     string // the step that fails
	Retryable bool   // whether the same call may succeed later
	Remedy    string
	Public    string // what strangers see
	Answer    Answer
}

// Answer is how an error is told over HTTP.
type Answer struct {
	Status int    // 400 to 599
	Word   string // an error code of RFC 6749, or of Auth0's delegation endpoint
}

// Of returns the row of a code. Without one it returns false.
func Of(code string) (Row, bool) {
	row, known := ofCode[code]
	return row, known
}

// OfStage returns the answer to an error of a stage whose code has no row. It returns false for a
// stage that has none either.
func OfStage(stage string) (Answer, bool) {
	answer, known := ofStage[stage]
	return answer, known
}

var ofCode, ofStage = parse(docs.Errors())

// parse returns the rows by code, and the answers by stage. Every other line is prose.
func parse(text string) (map[string]Row, map[string]Answer) {
	byCode := map[string]Row{}
	byStage := map[string]Answer{}
	for _, cells := range rows(text) {
		if code, row, ok := codeRow(cells); ok {
			byCode[code] = row
		}
		if stage, answer, ok := stageRow(cells); ok {
			byStage[stage] = answer
		}
	}
	return byCode, byStage
}

// rows returns the cells of each line that may be a row of a table.
func rows(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		all = append(all, strings.Split(strings.Trim(line, "| \r\n"), " | "))
	}
	return all
}

// codeRow reads: | `code` | stage | again | remedy | public text | answer |
func codeRow(cells []string) (code string, row Row, ok bool) {
	if len(cells) != 6 {
		return "", Row{}, false
	}
	answer, ok := parseAnswer(cells[5])
	if !ok {
		return "", Row{}, false
	}
	return strings.Trim(cells[0], "`"), Row{
		Stage:     cells[1],
		Retryable: cells[2] == "yes",
		Remedy:    cells[3],
		Public:    cells[4],
		Answer:    answer,
	}, true
}

// stageRow reads: | stage | answer |
func stageRow(cells []string) (stage string, answer Answer, ok bool) {
	if len(cells) != 2 {
		return "", Answer{}, false
	}
	answer, ok = parseAnswer(cells[1])
	return cells[0], answer, ok
}

// A cell such as: 400 `invalid_grant`
var answerForm = regexp.MustCompile("\\A([45][0-9]{2}) `([a-z0-9_]+)`\\z")

func parseAnswer(cell string) (Answer, bool) {
	parts := answerForm.FindStringSubmatch(cell)
	if parts == nil {
		return Answer{}, false
	}
	status, err := strconv.Atoi(parts[1])
	return Answer{Status: status, Word: parts[2]}, err == nil
}
