package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// KeyPath is the path of a setting as errors show it, such as targets.photo-app.role or
// issuers[0].url. It is a path of the YAML library.
type KeyPath string

// Child returns the path of a key below this one. Unusual names are quoted.
func (k KeyPath) Child(name string) KeyPath {
	return k.join(keyAt((&yaml.PathBuilder{}).Root().Child(name).Build().String()))
}

// Index returns the path of an element of a list, counted from 0.
func (k KeyPath) Index(i int) KeyPath {
	return k + KeyPath(fmt.Sprintf("[%d]", i))
}

// join returns the path of what has the inner path from here. An empty one leads to k itself.
func (k KeyPath) join(inner KeyPath) KeyPath {
	if k == "" || inner == "" || inner[0] == '[' {
		return k + inner
	}
	return k + "." + inner
}

// isWithin tells whether k is the other key or below it.
func (k KeyPath) isWithin(other KeyPath) bool {
	rest, ok := strings.CutPrefix(string(k), string(other))
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// keyAt removes the root from a path of the YAML library. The path of the root itself is "".
func keyAt(path string) KeyPath {
	return KeyPath(strings.TrimPrefix(strings.TrimPrefix(path, "$"), "."))
}

// parent returns the key one level up; "" at the top. A quoted name with dots or brackets is cut
// within the name, which does no harm when a line is looked up.
func (k KeyPath) parent() KeyPath {
	return k[:max(0, strings.LastIndexAny(string(k), ".["))]
}

// Source records where each setting came from.
type Source struct {
	file      string
	lines     map[KeyPath]int    // of the file
	overrides map[KeyPath]string // the environment variable that it is written in
	flags     map[KeyPath]string // the flag that sets it

	files service.Files // what was read, see Files

	// Unknown are the environment variables with our prefix that set nothing.
	Unknown []string
}

// At says where to correct a setting: file, line and key, the environment variable, or the flag.
func (s *Source) At(k KeyPath) string {
	if flag, ok := s.flags[k]; ok {
		return flag
	}
	for nearest := k; nearest != ""; nearest = nearest.parent() {
		if variable, ok := s.overrides[nearest]; ok {
			return fmt.Sprintf("environment variable %s: %s", variable, k)
		}
		if line, ok := s.lines[nearest]; ok {
			return fmt.Sprintf("%s:%d: %s", s.file, line, k)
		}
	}
	if k == "" {
		return s.file
	}
	return fmt.Sprintf("%s: %s", s.file, k)
}

// SetByFlag records that a flag of the command line sets a key, whatever file and environment have.
func (s *Source) SetByFlag(k KeyPath, flag string) {
	if s.flags == nil {
		s.flags = map[KeyPath]string{}
	}
	s.flags[k] = flag
}

// writtenAt says where file or environment have a key; empty if neither has it, or a flag sets it.
func (s *Source) writtenAt(k KeyPath) string {
	if _, byFlag := s.flags[k]; byFlag || !s.isWritten(k) {
		return ""
	}
	return s.At(k)
}

// isWritten tells whether the key is there, with a value or without.
func (s *Source) isWritten(k KeyPath) bool {
	_, inFile := s.lines[k]
	_, inVariable := s.overrides[k]
	return inFile || inVariable
}

// replace records that an environment variable replaces what the file has at a key and below.
func (s *Source) replace(k KeyPath, variable string) {
	maps.DeleteFunc(s.lines, func(at KeyPath, _ int) bool { return at.isWithin(k) })
	s.overrides[k] = variable
}

// addOverrides records the keys that a variable has below its own.
func (s *Source) addOverrides(k KeyPath, variable string, parsed *ast.File) {
	walk(parsed, func(node ast.Node) {
		s.overrides[k.join(keyAt(node.GetPath()))] = variable
	})
}

// Files are the configuration file and the files that it names, as far as they were read. They do
// not include files that are read anew at each use, because a reload would change nothing.
func (s *Source) Files() service.Files { return s.files }

// reads records that a file is about to be read.
func (s *Source) reads(path string) {
	if s.files == nil {
		s.files = service.Files{}
	}
	s.files[path] = service.ContentOf(path)
}

// resolve returns the path of a file that the configuration names.
func (s *Source) resolve(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(s.file), name)
}
