package config

import (
	"errors"
	"fmt"
	"io/fs"
)

// explainMissing extends the error for a file or folder that does not exist. Other errors stay as
// they are.
func explainMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: correct the path, which is relative to the configuration", err)
	}
	return err
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
