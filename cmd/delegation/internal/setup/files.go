package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// File is a file to write.
type File struct {
	// Path is where to write the file; Text is its whole content.
	Path, Text string
}

// RefuseExisting reports every file that already exists, in a config.UsageError.
func RefuseExisting(paths ...string) error {
	var there []error
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, cmp.Or(err, errExists(path)))
		}
	}
	if len(there) > 0 {
		return config.Usage(errors.Join(there...))
	}
	return nil
}

func errExists(path string) error {
	return fmt.Errorf("%s: exists and is not replaced: move it away, or choose another place "+
		"with --out", path)
}

// WriteNew writes a file that only its owner can read, and replaces none. If the write fails, it
// removes the file.
func WriteNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return config.Usage(errExists(path))
	case err != nil:
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Replace writes a file that only its owner can read, and replaces an existing one. A process that
// reads the path meanwhile sees either the old file or the new one. On an error, the old one stays.
func Replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// WriteFiles writes all the files, or none if the context ends meanwhile. It returns a function
// that removes them again.
func WriteFiles(ctx context.Context, files []File) (remove func() error, err error) {
	var written []string
	remove = func() error { return removeAll(written) }
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(fmt.Errorf("nothing is written: %w", err), remove())
		}
		if err := WriteNew(f.Path, []byte(f.Text)); err != nil {
			return nil, errors.Join(err, remove())
		}
		written = append(written, f.Path)
	}
	return remove, nil
}

// WriteAll writes all the files, and creates their folders. If a file or the last step, which needs
// the files, fails, it removes everything that it created. It replaces no file.
func WriteAll(ctx context.Context, files []File, last func() error) error {
	paths := make([]string, len(files))
	for n, f := range files {
		paths[n] = f.Path
	}
	if err := RefuseExisting(paths...); err != nil {
		return err
	}
	var folders []string
	for _, path := range paths {
		made, err := makeFolders(filepath.Dir(path))
		folders = append(folders, made...)
		if err != nil {
			return errors.Join(config.Usagef("--out: %w", err), removeAll(folders))
		}
	}
	remove, err := WriteFiles(ctx, files)
	if err != nil {
		return errors.Join(err, removeAll(folders))
	}
	if err := last(); err != nil {
		return errors.Join(err, remove(), removeAll(folders))
	}
	return nil
}

// removeAll removes files and empty folders, in reverse order.
func removeAll(paths []string) (err error) {
	for _, path := range slices.Backward(paths) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// makeFolders creates a folder and those above it, and returns the ones that it created, outermost
// first.
func makeFolders(folder string) (made []string, err error) {
	if _, err := os.Stat(folder); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if parent := filepath.Dir(folder); parent != folder {
		if made, err = makeFolders(parent); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return made, err
	}
	return append(made, folder), nil
}
