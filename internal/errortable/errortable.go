// Package errortable reads the tables of docs/errors.md, the one source of what is said of an error
// code. The errors of the root package and the answers of delegationhttp come from here, so what a
// program does and what an operator reads never differ. A test holds that every code has a row.
package errortable

import (
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/docs"
)

// Row is what the table says of one code.
type Row struct {
	Stage     string // the step that fails
	Retryable bool   // whether the same call may succeed later
	Remedy    string
	Public    string // what strangers see
	Answer    Answer
	Level     slog.Level // how loud a log is about it
	Outcome   string     // denied or failed
}

// Answer is how an error is told over HTTP.
type Answer struct {
	Status int    // 400 to 599
	Word   string // an error code of RFC 6749, or of Auth0's delegation endpoint
}

// The outcomes of exchanges that gave no credentials.
const (
	denied = "denied"
	failed = "failed"
)

// Outcome returns the outcome that goes with an answer: 4xx is denied, 5xx is failed.
func (a Answer) Outcome() string {
	if a.Status < 500 {
		return denied
	}
	return failed
}

// Of returns the row of a code. Without one it returns false.
func Of(code string) (Row, bool) {
	row, known := parsed().codes[code]
	return row, known
}

// OfStage returns the answer to an error of a stage whose code has no row. It returns false for a
// stage that has none either.
func OfStage(stage string) (Answer, bool) {
	answer, known := parsed().answers[stage]
	return answer, known
}

// parsed is read at its first use: most runs of a command have no error.
var parsed = sync.OnceValue(func() *tables { return parse(docs.Errors()) })

// tables are the tables of the document.
type tables struct {
	codes    map[string]Row
	answers  map[string]Answer     // by stage
	levels   map[string]slog.Level // by stage, and by those codes that differ from their stage
	outcomes map[string]string     // of those codes that differ from their answer
}

// parse reads the tables. Every other line is prose.
func parse(text string) *tables {
	t := &tables{
		codes:    map[string]Row{},
		answers:  map[string]Answer{},
		levels:   map[string]slog.Level{},
		outcomes: map[string]string{},
	}
	for _, cells := range tableRows(text) {
		t.readCode(cells)
		t.readStage(cells)
		t.readLevel(cells)
		t.readOutcome(cells)
	}
	for code, row := range t.codes {
		row.Level = t.level(code, row)
		row.Outcome = t.outcome(code, row)
		t.codes[code] = row
	}
	return t
}

// level returns a code's level: its own, or that of its stage, where only the operator can help.
func (t *tables) level(code string, row Row) slog.Level {
	if own, differs := t.levels[code]; differs {
		return own
	}
	if row.Retryable {
		return slog.LevelWarn
	}
	return t.levels[row.Stage]
}

// outcome returns a code's outcome: its own, or that of its answer.
func (t *tables) outcome(code string, row Row) string {
	if own, differs := t.outcomes[code]; differs {
		return own
	}
	return row.Answer.Outcome()
}

// tableRows returns the cells of each line that may be a row of a table.
func tableRows(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		all = append(all, strings.Split(strings.Trim(line, "| \r\n"), " | "))
	}
	return all
}

// readCode reads: | `code` | stage | again | remedy | public text | answer |
func (t *tables) readCode(cells []string) {
	if len(cells) != 6 {
		return
	}
	answer, ok := parseAnswer(cells[5])
	if !ok {
		return
	}
	t.codes[strings.Trim(cells[0], "`")] = Row{
		Stage:     cells[1],
		Retryable: cells[2] == "yes",
		Remedy:    cells[3],
		Public:    cells[4],
		Answer:    answer,
	}
}

// readStage reads: | stage | answer | level |
func (t *tables) readStage(cells []string) {
	if len(cells) != 3 {
		return
	}
	answer, ok := parseAnswer(cells[1])
	level, known := levelNames[cells[2]]
	if ok && known {
		t.answers[cells[0]] = answer
		t.levels[cells[0]] = level
	}
}

// readLevel reads: | level | `code` | why |
func (t *tables) readLevel(cells []string) {
	if len(cells) != 3 {
		return
	}
	if level, known := levelNames[cells[0]]; known {
		t.levels[strings.Trim(cells[1], "`")] = level
	}
}

// readOutcome reads: | outcome | `code` | why |
func (t *tables) readOutcome(cells []string) {
	if len(cells) != 3 {
		return
	}
	if outcome := cells[0]; outcome == denied || outcome == failed {
		t.outcomes[strings.Trim(cells[1], "`")] = outcome
	}
}

var levelNames = map[string]slog.Level{
	slog.LevelWarn.String():  slog.LevelWarn,
	slog.LevelError.String(): slog.LevelError,
}

// A cell such as: 400 `invalid_grant`
var answerForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\\A([45][0-9]{2}) `([a-z0-9_]+)`\\z")
})

func parseAnswer(cell string) (Answer, bool) {
	parts := answerForm().FindStringSubmatch(cell)
	if parts == nil {
		return Answer{}, false
	}
	status, err := strconv.Atoi(parts[1])
	return Answer{Status: status, Word: parts[2]}, err == nil
}
