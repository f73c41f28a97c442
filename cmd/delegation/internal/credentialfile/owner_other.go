//go:build !(linux || darwin || freebsd || openbsd || netbsd || dragonfly)

package credentialfile

import (
	"errors"
	"io/fs"
	"os"
)

const supported = false

func isOwn(fs.FileInfo) bool { return false }

func lockFile(*os.File) error { return errors.ErrUnsupported }
