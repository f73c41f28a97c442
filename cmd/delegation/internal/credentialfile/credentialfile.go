// Package credentialfile keeps the credentials of one user in files, for commands that run one
// after another. A file is found by a key, belongs to the user alone, and is replaced as a whole.
// Files that others could have written or read are refused, and never used.
package credentialfile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxFile is larger than any entry. AWS guarantees no maximum size for session tokens, but
	// those that it issues have a few thousand bytes.
	maxFile = 1 << 20
	// locks is the number of lock files. Keys that share one wait for each other.
	locks = 16

	folderMode = 0o700
	fileMode   = 0o600

	suffix    = ".json"
	newSuffix = ".new"
	// newBytes is the number of random bytes in the name of a new file.
	newBytes = 8
	// abandoned is the age from which no process can still be writing a file.
	abandoned = time.Hour
)

// Key identifies an entry. It is a hash, which reveals nothing about its input.
type Key [32]byte

// name is the file name of a key.
func (k Key) name() string { return hex.EncodeToString(k[:]) + suffix }

// lockName is the lock file of a key.
func (k Key) lockName() string { return fmt.Sprintf("lock-%x", k[0]%locks) }

// Entry is the content of a file.
type Entry struct {
	Expiration time.Time
	// Sources are files and folders that the credentials depend on, and Digest is the hash of their
	// content. The caller compares it.
	Sources []string
	Digest  []byte
	// Credentials are in the caller's format. They are secrets.
	Credentials json.RawMessage
}

// Store is a folder of entries.
type Store struct {
	folder string
	root   *os.Root
	now    func() time.Time
}

// Open opens a folder, and creates it if it is missing, for the user alone. It refuses a folder
// that is a link, that belongs to another user or that others may enter. On a system whose files
// have no owners it refuses every folder. now is the clock; nil: time.Now.
func Open(folder string, now func() time.Time) (*Store, error) {
	if !supported {
		return nil, errors.New("this system has no owners and modes of files to check: leave " +
			"out --cache")
	}
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, err
	}
	// OpenRoot keeps the folder that is checked here in use, even if the path is replaced later.
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	s := &Store{folder: folder, root: root, now: now}
	if err := s.checkFolder(); err != nil {
		_ = root.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the folder.
func (s *Store) Close() { _ = s.root.Close() }

func (s *Store) checkFolder() error {
	path, err := os.Lstat(s.folder)
	if err != nil {
		return err
	}
	if path.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a link: name the folder itself", s.folder)
	}
	opened, err := s.root.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(path, opened) {
		return fmt.Errorf("%s was replaced while it was opened", s.folder)
	}
	return checkOwn(s.folder, opened)
}

// checkOwn refuses what belongs to another user, or what others may use.
func checkOwn(path string, info fs.FileInfo) error {
	if !isOwn(info) {
		return fmt.Errorf("%s belongs to another user, or has a second name", path)
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return fmt.Errorf("%s has the mode %04o, so other users may read or change it: "+
			"run chmod go= %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// Find returns the entry of a key, unless it has expired. It returns false if there is none, or if
// it cannot be parsed. A file that is not the user's own, or that others may use, is an error.
func (s *Store) Find(key Key) (*Entry, bool, error) {
	text, err := s.read(key.name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	entry := new(Entry)
	if json.Unmarshal(text, entry) != nil || !entry.Expiration.After(s.now()) {
		return nil, false, nil
	}
	return entry, true, nil
}

// read reads a file of the folder. It refuses files that are not regular or not the user's own.
func (s *Store) read(name string) ([]byte, error) {
	path := filepath.Join(s.folder, name)
	before, err := s.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: remove it", path)
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before, opened) {
		return nil, fmt.Errorf("%s was replaced while it was opened", path)
	}
	if err := checkOwn(path, opened); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes: remove it", path, maxFile)
	}
	return text, nil
}

// Keep stores the entry of a key. Readers see the old file or the new one, never a part. Keep also
// removes expired entries.
func (s *Store) Keep(key Key, entry Entry) error {
	text, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	var random [newBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	name := hex.EncodeToString(random[:]) + newSuffix
	if err := s.write(name, text); err != nil {
		_ = s.root.Remove(name)
		return err
	}
	// The modification time tells sweep when the file can be removed.
	err = s.root.Chtimes(name, entry.Expiration, entry.Expiration)
	if err == nil {
		err = s.root.Rename(name, key.name())
	}
	if err != nil {
		_ = s.root.Remove(name)
		return err
	}
	s.sweep()
	return nil
}

func (s *Store) write(name string, text []byte) error {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// sweep removes expired entries, and files of processes that ended while they wrote. If a file
// cannot be removed now, a later call tries again.
func (s *Store) sweep() {
	folder, err := s.root.Open(".")
	if err != nil {
		return
	}
	defer folder.Close()
	entries, _ := folder.ReadDir(-1)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		gone := info.ModTime()
		switch {
		case isName(e.Name(), suffix, len(Key{})):
		case isName(e.Name(), newSuffix, newBytes):
			gone = gone.Add(abandoned)
		default:
			continue
		}
		if info.Mode().IsRegular() && gone.Before(s.now()) {
			_ = s.root.Remove(e.Name())
		}
	}
}

// isName tells whether a file is named by this package: hexadecimal bytes and the suffix. The user
// may have other files in the folder, which must stay.
func isName(name, suffix string, bytes int) bool {
	text, found := strings.CutSuffix(name, suffix)
	decoded, err := hex.DecodeString(text)
	return found && err == nil && len(decoded) == bytes
}

// Lock lets only one process at a time work on a key. It waits until the lock is free or the
// context ends. unlock releases the lock, as does the end of the process.
func (s *Store) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	name := key.lockName()
	path := filepath.Join(s.folder, name)
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: remove it", path)
	}
	if err == nil {
		err = checkOwn(path, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- lockFile(f) }()
	select {
	case err := <-locked:
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%s cannot be locked: %w", path, err)
		}
		return func() { _ = f.Close() }, nil
	case <-ctx.Done():
		go func() { // the lock may come later, and is then released
			<-locked
			_ = f.Close()
		}()
		return nil, ctx.Err()
	}
}
