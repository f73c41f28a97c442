package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestRatio: the minimum is that of the minima, and the median that of the rounds.
func TestRatio(t *testing.T) {
	ours := &figures{cpu: []float64{10, 30, 12}}
	base := &figures{cpu: []float64{20, 10, 6}}
	got := ours.over(base)
	if got.min != 10.0/6 || got.median != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestMeasure_EachRoundBeginsWithAnother: no contender always runs after the same one.
func TestMeasure_EachRoundBeginsWithAnother(t *testing.T) {
	b := &bench{rounds: 3}
	var order []string
	turn := func(name string) contender {
		note := func() error { order = append(order, name); return nil }
		return contender{name: name, most: 2, before: note, run: func(int) error { return nil }}
	}
	all, err := b.measureTurns("turns", 2, turn("a"), turn("b"), turn("c"))
	if err != nil {
		t.Fatal(err)
	}
	// after a trial of each
	if got := strings.Join(order[3:], ""); got != "abcabc"+"bcabca"+"cabcab" {
		t.Errorf("the turns are %s", got)
	}
	for _, f := range all {
		if len(f.cpu) != b.rounds {
			t.Errorf("%s has figures of %d rounds", f.name, len(f.cpu))
		}
	}
}

// TestAddRound: a round counts as the mean of its turns.
func TestAddRound(t *testing.T) {
	f := &figures{cpu: []float64{9}, wall: []float64{9}, allocs: 3, bytes: 300}
	f.addRound(&figures{cpu: []float64{1, 2, 6}, wall: []float64{2, 4}, allocs: 2, bytes: 500})
	f.addRound(&figures{cpu: []float64{5}, wall: []float64{5}, allocs: 4, bytes: 100})
	want := &figures{cpu: []float64{9, 3, 5}, wall: []float64{9, 3, 5}, allocs: 2, bytes: 500}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v", f)
	}
}

// TestMeasure_Fails: work that fails is not measured.
func TestMeasure_Fails(t *testing.T) {
	b := &bench{rounds: 1, turns: 1}
	broken := errors.New("broken")
	_, err := b.measure("title", contender{name: "name", run: func(int) error { return broken }})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "title, name") {
		t.Errorf("got %v", err)
	}
}

// TestGuards: what exceeds its bound is named, what has none, and what was not measured.
func TestGuards(t *testing.T) {
	b := &bench{gauges: []gauge{{"kept", 10}, {"exceeded", 11}, {"new", 1}}}
	err := b.check([]limit{{"kept", 10}, {"exceeded", 10}, {"lost", 10}})
	if err == nil {
		t.Fatal("nothing is said")
	}
	for _, words := range []string{
		"exceeded is 11, more than the guard's 10",
		"new is 1, and has no guard",
		"lost was not measured",
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("no %q in: %v", words, err)
		}
	}
	if strings.Contains(err.Error(), "kept") {
		t.Errorf("a bound that is kept is named: %v", err)
	}
}

// TestGuards_File: every line of the file is a bound, and each has a reason above it.
func TestGuards_File(t *testing.T) {
	all, err := readGuards("guards.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 15 {
		t.Errorf("only %d bounds", len(all))
	}
	text, err := os.ReadFile("guards.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, paragraph := range strings.Split(string(text), "\n\n") {
		if !strings.HasPrefix(paragraph, "# ") {
			t.Errorf("no reason for:\n%s", paragraph)
		}
	}
	wrong := filepath.Join(t.TempDir(), "guards.txt")
	for _, line := range []string{"no colon", "allocations: many"} {
		if err := os.WriteFile(wrong, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readGuards(wrong); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// TestChart: the picture is well formed, in both colours, and shows each contender with its value.
func TestChart(t *testing.T) {
	b := &bench{
		details: []detail{
			{tokenTitle, []*figures{
				{name: "golang-jwt/v5", cpu: []float64{50}},
				{name: "crypto/rsa, Verify alone", cpu: []float64{30}},
				{name: "delegation", cpu: []float64{52}},
				{name: seenName, cpu: []float64{4.25}},
			}},
			{responseTitle, []*figures{{name: "crewjam/saml, goxmldsig", cpu: []float64{1100}}}},
		},
		rates: []*service{
			{name: "hand-written, remembers", rates: []float64{5000}},
			{name: "delegation serve, cached", rates: []float64{6000}},
		},
	}
	picture := chart("A & B", b.panels())
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, words := range []string{
		"A &amp; B", "prefers-color-scheme: dark",
		">golang-jwt<", ">50<", ">the signature alone<", ">delegation, verify<", ">4.2<",
		">crewjam and goxmldsig<", ">delegation serve<", ">6000<",
	} {
		if !strings.Contains(picture, words) {
			t.Errorf("no %q in the picture", words)
		}
	}
	if strings.Index(picture, ">delegation<") > strings.Index(picture, ">golang-jwt<") {
		t.Error("ours is not the first bar")
	}
}

// TestWorld: the real token is as long as it says, and a folder's world is the same when it is
// opened again.
func TestWorld(t *testing.T) {
	folder := t.TempDir()
	made, err := openWorld(folder)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openWorld(folder)
	if err != nil {
		t.Fatal(err)
	}
	if made.real[0] != again.real[0] || len(made.real[0]) != realLength ||
		len(realClaims(0)) != 16 || made.real[0] == made.real[1] {
		t.Error("the tokens are others")
	}
	large, err := made.large()
	if err != nil || len(large) != largePool {
		t.Errorf("%d large tokens: %v", len(large), err)
	}
}

// TestModules: the modules that the library requires have the same versions here, so that what is
// measured is what users get.
func TestModules(t *testing.T) {
	shipped := requirements(t, "../go.mod")
	measured := requirements(t, "go.mod")
	common := 0
	for module, version := range shipped {
		got, required := measured[module]
		if !required {
			continue
		}
		common++
		if got != version {
			t.Errorf("%s is %s here, and %s in the library: go get it, and tidy", module, got, version)
		}
	}
	if common < 5 {
		t.Errorf("only %d modules in common", common)
	}
}

// requirements are the direct ones of a go.mod, with their versions.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") {
			found[fields[0]] = fields[1]
		}
	}
	return found
}
