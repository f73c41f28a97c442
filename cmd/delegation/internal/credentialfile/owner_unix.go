//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package credentialfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// supported tells whether files have owners and modes here.
const supported = true

// isOwn tells whether a file belongs to the user of this process, and has only one link unless it
// is a folder.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return false
	}
	return info.IsDir() || stat.Nlink <= 1 // 0 links if it was replaced after it was opened
}

// lockFile waits for the lock of a file. Closing the file releases the lock.
func lockFile(f *os.File) error {
	connection, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = connection.Control(func(fd uintptr) {
		for {
			locked = syscall.Flock(int(fd), syscall.LOCK_EX)
			if !errors.Is(locked, syscall.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, locked)
}
