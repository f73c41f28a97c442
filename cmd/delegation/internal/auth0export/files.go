package auth0export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Limits of an export. Tenants have some hundreds of rules and clients, of a few kilobytes each.
const (
	// maxDocument is the size of tenant.yaml and of a list of rules, in bytes.
	maxDocument = 16 << 20
	// maxFile is the size of any other file, in bytes. A rule may have 100 kB.
	maxFile = 1 << 20
	// maxEntries is the number of files in one folder of an export.
	maxEntries = 10_000
)

// folder is the folder of an export. Nothing outside it is read, neither through a path with .. nor
// through a symbolic link.
type folder struct {
	root     *os.Root
	keywords *Keywords
}

// openFolder opens the folder of an export.
func openFolder(name string, keywords *Keywords) (*folder, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &folder{root, keywords}, nil
}

func (f *folder) close() { _ = f.root.Close() }

// has tells whether a file or folder of that name exists. It also reports names that it cannot look
// at, such as a link out of the export: reading those fails.
func (f *folder) has(name string) bool {
	_, err := f.root.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// read reads a regular file, up to a limit in bytes, and replaces the keywords in it.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, cleaned(name, err)
	}
	if !info.Mode().IsRegular() { // a read of anything else might block forever
		return nil, fmt.Errorf("%s: is not a regular file", name)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, cleaned(name, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return nil, cleaned(name, err)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("%s: is larger than %d bytes", name, limit)
	}
	return f.keywords.replace(text), nil
}

// list returns the names of the folder's files with a suffix, in order. A missing folder has none.
func (f *folder) list(name, end string) (files []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, cleaned(name, err)
	case len(entries) > maxEntries:
		return nil, fmt.Errorf("%s: has more than %d files", name, maxEntries)
	}
	for _, entry := range entries {
		if path.Ext(entry.Name()) == end {
			files = append(files, path.Join(name, entry.Name()))
		}
	}
	return files, nil
}

// slashed is a path with slashes. Windows writes backslashes.
func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

// script reads the script of a rule. Its path is relative to a folder of the export.
func (f *folder) script(base, name string) (text []byte, err error) {
	local := path.Join(base, slashed(name))
	if path.IsAbs(slashed(name)) || !filepath.IsLocal(local) {
		return nil, fmt.Errorf("the script %.200q is outside the export", name)
	}
	text, err = f.read(local, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the script %.200q is missing: add it to the export", name)
	}
	return text, err
}

// cleaned makes an error name the file once, by its path in the export.
func cleaned(name string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}
