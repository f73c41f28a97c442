package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Starting a process takes longer than most commands do, and a script runs a hundred. So one
// process runs them all, each in its folder and with its environment. What needs a process of its
// own, a terminal or standard input does without it.

// programName is the name by which this test's binary knows that it is such a process.
const programName = "delegation-in-turn"

// A programRun is a command line for the process, and a programAnswer is what it did.
type (
	programRun struct {
		Args, Environment []string
		Folder            string
		// Until ends the command when a value of its log has this text. "": it ends by itself.
		Until string
	}
	programAnswer struct {
		Code           int
		Stdout, Stderr []byte
		Found          bool // Until
	}
)

// programMain runs the command lines of standard input until it ends.
func programMain() {
	in := json.NewDecoder(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		var r programRun
		if err := in.Decode(&r); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		if err := out.Encode(r.run()); err != nil {
			panic(err)
		}
	}
}

// run runs the command line in this process.
func (r programRun) run() programAnswer {
	if err := os.Chdir(r.Folder); err != nil {
		panic(err)
	}
	os.Clearenv()
	for _, variable := range r.Environment {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stdout bytes.Buffer
	stderr := &awaited{text: r.Until, found: cancel}
	s := surroundingsOfScript(r.Args)
	s.stdin = strings.NewReader("")
	s.stdout = &stdout
	s.stderr = stderr
	s.tuneMemory = nil
	a := programAnswer{Code: run(ctx, r.Args, s), Stdout: stdout.Bytes(), Found: ctx.Err() != nil}
	a.Stderr = stderr.all()
	return a
}

// awaited keeps what is written, and calls found when a line of a log has the text.
type awaited struct {
	text  string
	found func()

	mu   sync.Mutex
	kept bytes.Buffer
}

func (a *awaited) Write(line []byte) (int, error) {
	if a.text != "" && hasText(string(line), a.text) {
		a.found()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.Write(line)
}

func (a *awaited) all() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return bytes.Clone(a.kept.Bytes())
}

// runner is the process, as a test sees it.
type runner struct {
	in  *json.Encoder
	out *json.Decoder
}

// startRunner starts the process, which ends with the test. It has the environment from the
// beginning, because some of it is read once.
func startRunner(t testing.TB, environment []string) *runner {
	t.Helper()
	command := exec.Command(must(exec.LookPath(programName)))
	command.Env = environment
	command.Stderr = os.Stderr // of a panic
	in := must(command.StdinPipe())
	out := must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait() // what it did was in its answers
	})
	return &runner{in: json.NewEncoder(in), out: json.NewDecoder(out)}
}

// run has the process run a command line.
func (p *runner) run(t testing.TB, r programRun) programAnswer {
	t.Helper()
	if err := p.in.Encode(r); err != nil {
		t.Fatal(err)
	}
	var a programAnswer
	if err := p.out.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// setsVariable is a line of a script that sets a variable of the environment.
var setsVariable = regexp.MustCompile(`(?m)^env (\w+)=`)

// variablesOf returns the names of the variables that a script has from the beginning or sets.
func variablesOf(ts *testscript.TestScript, s *script) []string {
	text, err := os.ReadFile(filepath.Join(s.folder, ts.Name()+".txtar"))
	ts.Check(err)
	names := map[string]bool{"ISSUER": true, "AWS": true} // of world
	for _, variable := range s.variables {
		name, _, _ := strings.Cut(variable, "=")
		names[name] = true
	}
	for _, found := range setsVariable.FindAllStringSubmatch(string(text), -1) {
		names[found[1]] = true
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

func scriptRuns(ts *testscript.TestScript, negated bool, args []string) {
	s := usage(ts, !negated && len(args) > 0 && args[0] == "delegation")
	if code := s.run(ts, args[1:]); code != 0 {
		ts.Fatalf("exit code %d", code)
	}
}

func scriptFails(ts *testscript.TestScript, negated bool, args []string) {
	s := usage(ts, !negated && len(args) > 1 && args[1] == "delegation")
	if code := s.run(ts, args[2:]); fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d", code)
	}
}

// run runs a command line as exec does, but in the script's process, and returns its exit code.
func (s *script) run(ts *testscript.TestScript, args []string) int {
	if s.runner == nil {
		s.runner = startRunner(s, s.variables)
		s.names = variablesOf(ts, s)
		s.set = map[string]bool{}
	}
	folder := ts.MkAbs(".")
	environment := []string{"PWD=" + folder}
	for _, name := range s.names {
		value := ts.Getenv(name)
		if value != "" {
			s.set[name] = true
		}
		if s.set[name] { // else it has not been set yet: no script begins with ""
			environment = append(environment, name+"="+value)
		}
	}
	a := s.runner.run(s, programRun{Args: args, Environment: environment, Folder: folder})
	_, _ = ts.Stdout().Write(a.Stdout)
	_, _ = ts.Stderr().Write(a.Stderr)
	return a.Code
}
