// Package bundles holds JavaScript libraries that rules use, as their projects publish them. Each
// one is compressed, and its licence is next to it. Nothing is unpacked before its first use.
package bundles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
)

//go:embed files
var files embed.FS

// Bundle is one published file of a package on npm, or one folder of it.
type Bundle struct {
	// Name is the name by which this library finds the bundle.
	Name string
	// Package and Version name what was published.
	Package, Version string
	// Integrity is npm's hash of the whole package.
	Integrity string
	// File is the path inside the package. If it ends with a slash, it is a folder.
	File string
	// SHA256 is the hash of the file. That of a folder is the hash of all its files.
	SHA256 string
}

// Folder is where the files of a bundle are, next to its licence.
func (b Bundle) Folder() string { return "files/" + b.Package + "-" + b.Version }

// IsFolder reports whether the bundle is a folder.
func (b Bundle) IsFolder() bool { return strings.HasSuffix(b.File, "/") }

// packed is the file that holds the bundle.
func (b Bundle) packed() string {
	if folder, ok := strings.CutSuffix(b.File, "/"); ok {
		return b.Folder() + "/" + path.Base(folder) + ".tar.gz"
	}
	return b.Folder() + "/" + path.Base(b.File) + ".gz"
}

// Licence returns the text of the bundle's licence.
func (b Bundle) Licence() (string, error) {
	text, err := files.ReadFile(b.Folder() + "/LICENSE")
	return string(text), err
}

// Source returns the JavaScript of a bundle that is one file.
func (b Bundle) Source() (string, error) {
	content, err := b.unpack()
	if err != nil {
		return "", err
	}
	if err := b.check(Sum(content)); err != nil {
		return "", err
	}
	return string(content), nil
}

// Sources returns the JavaScript of each file of a bundle that is a folder, by the name of the file
// without .js.
func (b Bundle) Sources() (map[string]string, error) {
	content, err := b.unpack()
	if err != nil {
		return nil, err
	}
	if err := b.check(Sum(content)); err != nil {
		return nil, err
	}
	sources := map[string]string{}
	for archive := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return sources, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.packed(), err)
		}
		source, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.packed(), err)
		}
		sources[strings.TrimSuffix(header.Name, ".js")] = string(source)
	}
}

func (b Bundle) unpack() ([]byte, error) {
	compressed, err := files.ReadFile(b.packed())
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.packed(), err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.packed(), err)
	}
	return content, nil
}

// check compares a hash with that of the manifest.
func (b Bundle) check(sum string) error {
	if sum != b.SHA256 {
		return fmt.Errorf("%s has the SHA-256 %s, and the manifest has %s",
			b.packed(), sum, b.SHA256)
	}
	return nil
}

// Sum returns the SHA-256 of a content as the manifest writes it.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Find returns the bundle of a name.
func Find(name string) (Bundle, bool) {
	for _, bundle := range All() {
		if bundle.Name == name {
			return bundle, true
		}
	}
	return Bundle{}, false
}

// Locales returns the languages of moment, by name. They are unpacked once in a process.
var Locales = sync.OnceValues(func() (map[string]string, error) {
	bundle, _ := Find("moment/locale")
	return bundle.Sources()
})
