//go:build unix

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// reader is a process, as far as it matters for the modes of files.
type reader struct {
	user, group int
	more        []int // supplementary groups

	// contained tells that it is the first process of a container, so its files come from outside.
	contained bool
}

// thisReader is this process.
func thisReader() reader {
	more, _ := os.Getgroups() // without them the remedy only says more than is needed
	return reader{
		user:      os.Geteuid(),
		group:     os.Getegid(),
		more:      more,
		contained: os.Getpid() == 1,
	}
}

// Bits of a mode, at the position of those for other users.
const (
	mayRead  fs.FileMode = 0o4
	mayEnter fs.FileMode = 0o1
)

// refusal says which file or folder denies access, who owns it, and what to run.
func (r reader) refusal(path string) string {
	at, folder := r.obstacle(path)
	info, err := os.Stat(at)
	if err != nil {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	kind := "file"
	if info.IsDir() {
		kind = "folder"
	}
	return fmt.Sprintf("this process runs as user %s and group %s, and the %s %s belongs to user "+
		"%s and group %s, with mode %04o: %s",
		userName(r.user), groupName(r.group), kind, at, userName(int(owner.Uid)),
		groupName(int(owner.Gid)), info.Mode().Perm(), r.remedy(path, at, folder, info, owner))
}

// obstacle returns the first folder on the path that the reader may not enter, or else the file.
func (r reader) obstacle(path string) (at string, folder bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return path, false
	}
	real, err := filepath.EvalSymlinks(path)
	var stopped *fs.PathError
	switch {
	case err == nil:
		path = real
	case errors.As(err, &stopped): // where a folder cannot be entered
		path = stopped.Path
	}
	for _, above := range foldersOf(path) {
		if info, err := os.Stat(above); err != nil || !r.may(mayEnter, info) {
			return above, true
		}
	}
	return path, false
}

// foldersOf returns the folders of a path, outermost first.
func foldersOf(path string) (folders []string) {
	for above := filepath.Dir(path); ; above = filepath.Dir(above) {
		folders = append(folders, above)
		if above == filepath.Dir(above) {
			slices.Reverse(folders)
			return folders
		}
	}
}

// may tells whether the mode of a file allows the reader something. By the rule of POSIX, only the
// first class to which the reader belongs counts.
func (r reader) may(do fs.FileMode, info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || r.user == 0 {
		return true
	}
	bits := do << r.class(owner)
	return info.Mode().Perm()&bits == bits
}

// The classes of POSIX, as the positions of their bits in a mode.
const (
	ofOwner  = 6
	ofGroup  = 3
	ofOthers = 0
)

// class is the one to which the reader belongs.
func (r reader) class(owner *syscall.Stat_t) uint {
	switch {
	case r.user == int(owner.Uid):
		return ofOwner
	case r.isIn(int(owner.Gid)):
		return ofGroup
	}
	return ofOthers
}

func (r reader) isIn(group int) bool { return group == r.group || slices.Contains(r.more, group) }

// remedy says what lets the reader read the file at path.
func (r reader) remedy(
	path, at string, folder bool, info fs.FileInfo, owner *syscall.Stat_t,
) string {
	does := mayRead
	switch {
	case folder:
		does = mayEnter
	case info.IsDir():
		does = mayRead | mayEnter
	}
	switch {
	case r.may(does, info):
		return "the mode allows it, so an access control list or a security module such as " +
			"SELinux does not (with SELinux, mount a container's volume with :ro,Z)"
	case folder && !isFolderOf(path, info):
		return "move the configuration and its files to a folder that this user may enter, such " +
			"as /etc/delegation"
	}
	run := r.command(path, at, bitsOf(does), owner)
	if !r.contained {
		return "as root, run " + run
	}
	run = "as root, run this where the container's volume comes from, with the paths there: " + run
	if owner.Uid != 0 {
		run += fmt.Sprintf("; or start the container with --user %d:%d", owner.Uid, owner.Gid)
	}
	return run
}

// isFolderOf tells whether a folder directly contains a file.
func isFolderOf(path string, folder fs.FileInfo) bool {
	above, err := os.Stat(filepath.Dir(path))
	return err == nil && os.SameFile(above, folder)
}

// bitsOf returns chmod's letters for the bits.
func bitsOf(do fs.FileMode) string {
	switch do {
	case mayEnter:
		return "x"
	case mayRead:
		return "r"
	}
	return "rx"
}

// command returns the command that gives the reader the bits it lacks: as the owner, or else by its
// group. For a folder that cannot be entered, the command includes the file, which usually has the
// same owner.
func (r reader) command(path, at, bits string, owner *syscall.Stat_t) string {
	stops := term.ShellWord(at)
	file := term.ShellWord(path)
	group := shellName(r.group)
	switch class := r.class(owner); {
	case class == ofOwner:
		return fmt.Sprintf("chmod u+%s %s", bits, stops)
	case bits == "x":
		return fmt.Sprintf("chgrp %s %s %s && chmod g+x %s && chmod g+r %s",
			group, stops, file, stops, file)
	case class == ofGroup:
		return fmt.Sprintf("chmod g+%s %s", bits, stops)
	}
	return fmt.Sprintf("chgrp %s %s && chmod g+%s %s", group, stops, bits, stops)
}

// userName is a user's name and number. A container often has numbers only.
func userName(id int) string {
	if found, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return fmt.Sprintf("%s (%d)", found.Username, id)
	}
	return strconv.Itoa(id)
}

// groupName is a group's name and number.
func groupName(id int) string {
	if found, err := user.LookupGroupId(strconv.Itoa(id)); err == nil {
		return fmt.Sprintf("%s (%d)", found.Name, id)
	}
	return strconv.Itoa(id)
}

// shellName returns a group in the form that chgrp accepts.
func shellName(id int) string {
	if found, err := user.LookupGroupId(strconv.Itoa(id)); err == nil {
		return term.ShellWord(found.Name)
	}
	return strconv.Itoa(id)
}
