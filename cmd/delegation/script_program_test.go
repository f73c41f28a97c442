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

	"github.com/rogpeppe/go-internal/testscript"
)

// A script runs a hundred commands, and starting a process takes longer than most of them. So one
// process, the program of the script, runs them all, each in its folder and with its environment.
// What needs a process of its own, a terminal or standard input uses exec.

// programName is the name by which this test's binary knows that it is the program of a script.
const programName = "delegation-of-script"

// programRun is a command line for the program of a script, and its answer.
type (
	programRun struct {
		Args, Environment []string
		Folder            string
	}
	programAnswer struct {
		Code           int
		Stdout, Stderr []byte
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
	var stdout, stderr bytes.Buffer
	s := surroundingsOfScript(r.Args)
	s.stdin = strings.NewReader("")
	s.stdout = &stdout
	s.stderr = &stderr
	s.tuneMemory = nil
	code := run(context.Background(), r.Args, s)
	return programAnswer{Code: code, Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
}

// scriptProgram is the program of a script, as the script sees it.
type scriptProgram struct {
	in        *json.Encoder
	out       *json.Decoder
	variables []string // the names of those that the script sets at some time
	set       map[string]bool
}

// startProgram starts the program of a script, which ends with the script.
func startProgram(ts *testscript.TestScript, variables []string) *scriptProgram {
	path, err := exec.LookPath(programName)
	ts.Check(err)
	command := exec.Command(path)
	command.Stderr = os.Stderr // of a panic
	in, err := command.StdinPipe()
	ts.Check(err)
	out, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	ts.Defer(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	return &scriptProgram{
		in:        json.NewEncoder(in),
		out:       json.NewDecoder(out),
		variables: variables,
		set:       map[string]bool{},
	}
}

// run runs a command line as exec does, and returns its exit code.
func (p *scriptProgram) run(ts *testscript.TestScript, args []string) int {
	folder := ts.MkAbs(".")
	environment := []string{"PWD=" + folder}
	for _, name := range p.variables {
		value := ts.Getenv(name)
		if value != "" {
			p.set[name] = true
		}
		if p.set[name] { // else it has not been set yet: the script gives none "" before another value
			environment = append(environment, name+"="+value)
		}
	}
	ts.Check(p.in.Encode(programRun{Args: args, Environment: environment, Folder: folder}))
	var a programAnswer
	ts.Check(p.out.Decode(&a))
	_, _ = ts.Stdout().Write(a.Stdout)
	_, _ = ts.Stderr().Write(a.Stderr)
	return a.Code
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

// run runs a command line by the program of the script, and returns its exit code.
func (s *script) run(ts *testscript.TestScript, args []string) int {
	if s.program == nil {
		s.program = startProgram(ts, variablesOf(ts, s))
	}
	return s.program.run(ts, args)
}
