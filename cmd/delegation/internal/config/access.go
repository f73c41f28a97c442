package config

import (
	"errors"
	"fmt"
	"io/fs"
)

// explainAccess adds to the error of a file that this process may not read: whose the file is, as
// whom the process runs, and what to run so that it can read it. Other errors stay as they are.
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
