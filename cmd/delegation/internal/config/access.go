package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// explainMissing extends the error for a file or folder that does not exist, and that the
// configuration calls by one of these names. Other errors stay as they are.
func explainMissing(err error, names ...string) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var of *fs.PathError
	if !errors.As(err, &of) {
		return err
	}
	isAbsolute := func(name string) bool {
		return filepath.IsAbs(name) && filepath.Clean(name) == filepath.Clean(of.Path)
	}
	switch {
	case isLink(of.Path):
		return fmt.Errorf("%w: it is a link to a file that does not exist: restore that file, or "+
			"correct or remove the link", err)
	case slices.ContainsFunc(names, isAbsolute):
		return fmt.Errorf("%w: correct the path", err)
	}
	return fmt.Errorf("%w: correct the path, which is relative to the configuration", err)
}

// isLink tells whether a path is that of a symbolic link.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// explainAccess extends the error for a file that this process may not read. It adds the owner of
// the file, the user of the process, and a command that gives access. Other errors stay as they
// are.
func explainAccess(err error) error {
	var of *fs.PathError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &of) {
		return err
	}
	if why := thisReader().refusal(of.Path); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}
