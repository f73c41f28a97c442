package jsrules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
)

// stageOfLogin is the stage of the rules that ran after a successful login, and so in a delegation.
const stageOfLogin = "login_success"

// otherStages are stages whose rules never ran in a delegation.
var otherStages = []string{"login_failure", "pre_authorize"}

// maxSidecar is the size of the largest file that describes a rule, in bytes.
const maxSidecar = 1 << 20

// sidecar is what a file such as role.json says about the rule in role.js. Auth0's Deploy CLI
// writes such a file for each rule.
type sidecar struct {
	file    string
	script  string // the .js file
	enabled bool
	runs    bool // in the stage of a delegation
	order   float64
	ordered bool
}

// ruleFiles returns the names of the .js files of a folder that are rules, in the order in which
// they run. Without sidecars that is each .js file, in the order of names. With sidecars it is the
// rules that they enable, in their order. It fails if the sidecars leave anything open, because a
// rule that was off must not run, and one that was on must not be left out.
func ruleFiles(folder fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var sources, others []string
	for _, entry := range entries { // in the order of names
		switch path.Ext(entry.Name()) {
		case ".js":
			if !entry.IsDir() {
				sources = append(sources, entry.Name())
			}
		case ".json":
			others = append(others, entry.Name())
		}
	}
	sidecars, err := readSidecars(folder, sources, others)
	if err != nil || len(sidecars) == 0 {
		return sources, err
	}
	return chosen(sources, sidecars)
}

// readSidecars reads the sidecars among the .json files of a folder. A file is one if a .js file
// has its name, or if it names a script. Others, such as package.json, are none.
func readSidecars(folder fs.FS, sources, files []string) (list []*sidecar, err error) {
	var wrong []error
	for _, file := range files {
		ofSource := strings.TrimSuffix(file, ".json") + ".js"
		named := slices.Contains(sources, ofSource)
		text, err := readSmall(folder, file)
		none := err == nil || errors.Is(err, errNoSidecar)
		if !named && none && !bytes.Contains(text, []byte(`"script"`)) {
			continue
		}
		var values map[string]any
		if err == nil {
			values, err = document.Object(document.WithoutBOM(text))
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", file, err))
			continue
		}
		if _, says := values["script"]; !says && !named {
			continue
		}
		s, err := newSidecar(file, ofSource, values)
		if err == nil && !slices.Contains(sources, s.script) {
			err = fmt.Errorf("the script %.200q is no .js file of this folder", s.script)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", file, err))
			continue
		}
		list = append(list, s)
	}
	return list, errors.Join(wrong...)
}

// errNoSidecar is about what can be no sidecar. A file that cannot be read may be one.
var errNoSidecar = fmt.Errorf("is not a regular file of at most %d bytes", maxSidecar)

// readSmall reads a file that is not larger than a sidecar can be.
func readSmall(folder fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(folder, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSidecar {
		return nil, errNoSidecar
	}
	return fs.ReadFile(folder, file)
}

// newSidecar checks the members of a sidecar. What is left out has Auth0's default: the script of
// the same name, enabled, and the stage login_success.
func newSidecar(file, script string, values map[string]any) (*sidecar, error) {
	s := &sidecar{file: file, script: script, enabled: true, runs: true}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		ok := true
		switch name {
		case "name", "id":
			_, ok = value.(string)
		case "script":
			s.script, ok = value.(string)
			s.script = strings.TrimPrefix(strings.ReplaceAll(s.script, `\`, "/"), "./")
		case "enabled":
			s.enabled, ok = value.(bool)
		case "order":
			ok = s.setOrder(value)
		case "stage":
			ok = s.setStage(value)
		default:
			return nil, fmt.Errorf("%.100q is unknown: a rule has name, script, enabled, order, "+
				"stage and id", name)
		}
		if !ok {
			return nil, fmt.Errorf("%s has an invalid value", name)
		}
	}
	return s, nil
}

// setOrder takes a number, or null for none.
func (s *sidecar) setOrder(value any) bool {
	if value == nil {
		return true
	}
	number, isNumber := value.(json.Number)
	order, err := number.Float64()
	s.order = order
	s.ordered = true
	return isNumber && err == nil && !math.IsInf(order, 0)
}

// setStage takes one of Auth0's stages.
func (s *sidecar) setStage(value any) bool {
	stage, _ := value.(string)
	s.runs = stage == stageOfLogin
	return s.runs || slices.Contains(otherStages, stage)
}

// chosen returns the scripts that the sidecars enable, in their order.
func chosen(sources []string, sidecars []*sidecar) ([]string, error) {
	var wrong []error
	of := map[string]*sidecar{}
	for _, s := range sidecars {
		if before := of[s.script]; before != nil {
			wrong = append(wrong, fmt.Errorf("%s and %s have the same script", before.file, s.file))
		}
		of[s.script] = s
	}
	var run []*sidecar
	for _, source := range sources {
		s := of[source]
		switch {
		case s == nil:
			wrong = append(wrong, fmt.Errorf("%s has no .json file that says whether it is "+
				"enabled, and other rules of this folder have one", source))
		case s.enabled && s.runs:
			run = append(run, s)
		}
	}
	wrong = append(wrong, sortSidecars(run)...)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if len(run) == 0 {
		return nil, errors.New("every rule of the folder is disabled")
	}
	var names []string
	for _, s := range run {
		names = append(names, s.script)
	}
	return names, nil
}

// sortSidecars brings rules into their order. Rules of which none has an order keep that of their
// names.
func sortSidecars(run []*sidecar) (wrong []error) {
	slices.SortStableFunc(run, func(a, b *sidecar) int {
		switch {
		case a.order < b.order:
			return -1
		case a.order > b.order:
			return 1
		}
		return 0
	})
	for i, s := range run {
		switch {
		case s.ordered != run[0].ordered:
			wrong = append(wrong, fmt.Errorf("%s and %s: one has an order and the other has none",
				run[0].file, s.file))
		case i > 0 && s.ordered && run[i-1].order == s.order:
			wrong = append(wrong, fmt.Errorf("%s and %s have the same order",
				run[i-1].file, s.file))
		}
	}
	return wrong
}
