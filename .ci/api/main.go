// Command api compares what the packages of this module export with the baseline next to it:
//
//	go run ./.ci/api          # names what is gone or changed, and fails; lists what is new
//	go run ./.ci/api -update  # writes the baseline
//	go run ./.ci/api -apidiff golang.org/x/exp/cmd/apidiff@VERSION
//
// The baseline is one text file with a line for each exported thing, in Go syntax. A line that is
// gone breaks somebody's code. The comparison needs no network and no other version of the module.
//
// With -apidiff, apidiff judges: it compares the working tree with the commit that .ci/api/baseline
// names, fails on incompatible changes and lists compatible ones. It needs that commit in the
// clone.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

const baseline = ".ci/api/v0.1.0.txt"

func main() {
	update := flag.Bool("update", false, "write the baseline")
	tool := flag.String("apidiff", "", "compare with apidiff, as `PACKAGE@VERSION`")
	flag.Parse()
	var err error
	if *tool != "" {
		err = runAPIDiff(*tool, os.Stdout)
	} else {
		err = run(*update, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(update bool, out io.Writer) error {
	now, err := exported()
	if err != nil {
		return err
	}
	if update {
		text := strings.Join(now, "\n") + "\n"
		return os.WriteFile(baseline, []byte(text), 0o644)
	}
	text, err := os.ReadFile(baseline)
	if err != nil {
		return err
	}
	before := strings.Split(strings.TrimSpace(string(text)), "\n")
	return compare(before, now, out)
}

// compare lists additions, and fails if lines of the baseline are gone.
func compare(before, now []string, out io.Writer) error {
	gone := without(before, now)
	added := without(now, before)
	for _, line := range added {
		fmt.Fprintln(out, "new, not in the baseline:", line)
	}
	fmt.Fprintf(out, "%d exported things: %d new, %d gone or changed\n",
		len(now), len(added), len(gone))
	if len(gone) == 0 {
		return nil
	}
	return errors.New("the API lacks these lines of " + baseline + ":\n  " +
		strings.Join(gone, "\n  ") + "\nKeep them. If the break is meant: describe it in " +
		"docs/upgrading.md, and run go run ./.ci/api -update")
}

func without(lines, others []string) (rest []string) {
	known := map[string]bool{}
	for _, line := range others {
		known[line] = true
	}
	for _, line := range lines {
		if !known[line] {
			rest = append(rest, line)
		}
	}
	return rest
}

// listed is a package as go list prints it.
type listed struct {
	ImportPath, Name, Export string
	Module                   *struct{ Main bool }
}

// exported returns the sorted lines of all packages that others can import.
func exported() ([]string, error) {
	command := exec.Command("go", "list", "-export", "-deps",
		"-json=ImportPath,Name,Export,Module", "./...")
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	files := map[string]string{}
	var public []string
	decoder := json.NewDecoder(bytes.NewReader(output))
	for decoder.More() {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			return nil, err
		}
		files[p.ImportPath] = p.Export
		internal := slices.Contains(strings.Split(p.ImportPath, "/"), "internal")
		if p.Module != nil && p.Module.Main && p.Name != "main" && !internal {
			public = append(public, p.ImportPath)
		}
	}
	if len(public) < 10 {
		return nil, fmt.Errorf("go list found %d packages: run this at the top", len(public))
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
	from := importer.ForCompiler(token.NewFileSet(), "gc", open)
	var lines []string
	for _, name := range public {
		p, err := from.Import(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		lines = append(lines, linesOf(p)...)
	}
	slices.Sort(lines)
	return lines, nil
}

// linesOf describes what a package exports.
func linesOf(p *types.Package) (lines []string) {
	qualify := func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}
	say := func(format string, values ...any) {
		lines = append(lines, path.Base(p.Path())+": "+fmt.Sprintf(format, values...))
	}
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.TypeName:
			describeType(object, qualify, say)
		case *types.Const:
			say("%s = %s", types.ObjectString(object, qualify), object.Val().ExactString())
		case *types.Func:
			say("func %s%s", name, parameters(object.Signature(), qualify))
		default:
			say("%s", types.ObjectString(object, qualify))
		}
	}
	return lines
}

// parameters returns a function's parameters and results without their names, which callers do not
// use.
func parameters(signature *types.Signature, qualify types.Qualifier) string {
	bare := types.NewSignatureType(nil, nil, typeParameters(signature),
		unnamed(signature.Params()), unnamed(signature.Results()), signature.Variadic())
	return strings.TrimPrefix(types.TypeString(bare, qualify), "func")
}

func unnamed(tuple *types.Tuple) *types.Tuple {
	var all []*types.Var
	for i := range tuple.Len() {
		all = append(all, types.NewParam(token.NoPos, nil, "", tuple.At(i).Type()))
	}
	return types.NewTuple(all...)
}

// typeParameters returns copies, because a type parameter can belong to only one function.
func typeParameters(signature *types.Signature) (all []*types.TypeParam) {
	for parameter := range signature.TypeParams().TypeParams() {
		all = append(all, types.NewTypeParam(parameter.Obj(), parameter.Constraint()))
	}
	return all
}

// describeType describes a type. An interface is one line, because a new method in it breaks its
// implementations.
func describeType(
	object *types.TypeName, qualify types.Qualifier, say func(string, ...any),
) {
	name := object.Name()
	if object.IsAlias() {
		say("%s", types.ObjectString(object, qualify))
		return
	}
	structure, ok := object.Type().Underlying().(*types.Struct)
	if !ok {
		say("%s", types.ObjectString(object, qualify))
	} else {
		kind := "struct"
		if types.Comparable(structure) {
			kind = "comparable struct"
		}
		say("type %s %s", name, kind)
		for i := range structure.NumFields() {
			field := structure.Field(i)
			if !field.Exported() {
				continue
			}
			tag := structure.Tag(i)
			if tag != "" {
				tag = " `" + tag + "`"
			}
			embedded := ""
			if field.Embedded() {
				embedded = " (embedded)"
			}
			say("field %s.%s %s%s%s", name, field.Name(),
				types.TypeString(field.Type(), qualify), tag, embedded)
		}
	}
	if types.IsInterface(object.Type()) {
		return
	}
	describeMethods(object, qualify, say)
}

func describeMethods(
	object *types.TypeName, qualify types.Qualifier, say func(string, ...any),
) {
	byValue := types.NewMethodSet(object.Type())
	all := types.NewMethodSet(types.NewPointer(object.Type()))
	for i := range all.Len() {
		method := all.At(i).Obj()
		if !method.Exported() {
			continue
		}
		receiver := "*" + object.Name()
		if byValue.Lookup(method.Pkg(), method.Name()) != nil {
			receiver = object.Name()
		}
		signature := method.(*types.Func).Signature()
		say("method (%s) %s%s", receiver, method.Name(), parameters(signature, qualify))
	}
}
