package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// KeyPath is the place of a setting as errors show it, such as targets.photo-app.role or
// issuers[0].url. It is the YAML library's path.
type KeyPath string

// Child returns the key of that name below. Odd names are quoted.
func (k KeyPath) Child(name string) KeyPath {
	inner := keyAt((&yaml.PathBuilder{}).Root().Child(name).Build().String())
	if k == "" {
		return inner
	}
	return k + "." + inner
}

// Index returns the key of an element of a list, counted from 0.
func (k KeyPath) Index(i int) KeyPath {
	return k + KeyPath(fmt.Sprintf("[%d]", i))
}

// keyAt takes the root off a path of the YAML library; the root itself is "".
func keyAt(path string) KeyPath {
	return KeyPath(strings.TrimPrefix(strings.TrimPrefix(path, "$"), "."))
}

// parent returns the key one level up, "" at the top. Names with dots and brackets are quoted, and
// count as one level as far as lines go.
func (k KeyPath) parent() KeyPath {
	return k[:max(0, strings.LastIndexAny(string(k), ".["))]
}

// Source tells where each setting came from.
type Source struct {
	file      string
	lines     map[KeyPath]int    // of the file
	overrides map[KeyPath]string // the environment variable that set it

	files service.Files // what was read, see Files

	// Unknown are the environment variables of our prefix that set nothing.
	Unknown []string
}

// At says where to correct a setting: file, line and key, or the environment variable.
func (s *Source) At(k KeyPath) string {
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

// Files are the configuration file and the files that it names, as far as they were read. Those
// that are read anew whenever they are needed are not among them: a reload would find nothing new.
func (s *Source) Files() service.Files { return s.files }

// reads notes that a file is about to be read.
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
