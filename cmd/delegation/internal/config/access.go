package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// explainMissing extends the error for a file or folder that does not exist. Other errors stay as
// they are.
func explainMissing(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var of *fs.PathError
	if errors.As(err, &of) && isLink(of.Path) {
		return fmt.Errorf("%w: it is a link to a file that does not exist: restore that file, or "+
			"correct or remove the link", err)
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
