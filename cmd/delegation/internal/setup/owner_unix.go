//go:build unix

package setup

import (
	"fmt"
	"os"
	"syscall"
)

// keepOwner gives a file the owner and the group of another one, so that the service can still read
// it.
func keepOwner(f *os.File, of os.FileInfo) error {
	wanted, ok := of.Sys().(*syscall.Stat_t)
	info, err := f.Stat()
	if err != nil || !ok {
		return err
	}
	has, ok := info.Sys().(*syscall.Stat_t)
	if ok && has.Uid == wanted.Uid && has.Gid == wanted.Gid {
		return nil
	}
	if err := f.Chown(int(wanted.Uid), int(wanted.Gid)); err != nil {
		return fmt.Errorf("the new file cannot have the owner %d and the group %d of the old one: "+
			"run the command as a user who may do that: %w", wanted.Uid, wanted.Gid, err)
	}
	return nil
}
