package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// fileMode is the mode of a new file. Only the owner may read it, because audit records name
// people.
const fileMode = 0o600

// File appends records to a file, one line each. It looks up the file by name for each record. So
// logrotate can rename the file at any time, without copytruncate, postrotate or a signal: the next
// record begins a new file.
type File struct {
	// Path is the file's name. A missing file is created, with mode 0600.
	Path string
	// Sync waits until each record is on the disk (fsync). Without it, a record still survives the
	// end of this process, and the operating system writes it to the disk within seconds.
	Sync bool

	turn   turn
	file   *os.File // nil: not open
	torn   bool     // the file does not end with a line end
	closed bool

	// append replaces the write to the file in tests; nil: the file is written.
	append func(*os.File, []byte) (int, error)
}

// NewFile returns a sink that appends to a file. It opens nothing yet.
func NewFile(path string, sync bool) *File {
	return &File{Path: path, Sync: sync, turn: newTurn()}
}

// Name implements Sink.
func (f *File) Name() string { return "file" }

// Open opens the file, and creates it if it is missing.
func (f *File) Open() error {
	_ = f.turn.take(context.Background())
	defer f.turn.giveBack()
	return f.open()
}

// Close implements Sink.
func (f *File) Close() error {
	_ = f.turn.take(context.Background())
	defer f.turn.giveBack()
	f.closed = true
	return f.drop()
}

// write writes a record in one system call, so that records stay whole even if several processes
// write. If a full disk or a crash has cut off the last line, it ends that line first. So no record
// ever becomes part of another's line.
func (f *File) write(ctx context.Context, r record) error {
	if err := f.turn.take(ctx); err != nil {
		return err
	}
	defer f.turn.giveBack()
	if err := f.open(); err != nil {
		return err
	}
	text := make([]byte, 0, len(r.line)+2)
	if f.torn {
		text = append(text, '\n')
	}
	text = append(append(text, r.line...), '\n')
	n, err := f.appendText(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err != nil {
		f.torn = n > 0 && text[n-1] != '\n' || n == 0 && f.torn
		return err
	}
	f.torn = false
	if f.Sync {
		return f.file.Sync()
	}
	return nil
}

func (f *File) appendText(text []byte) (int, error) {
	if f.append != nil {
		return f.append(f.file, text)
	}
	return f.file.Write(text)
}

// open opens the file that has the name now, unless that file is open already.
func (f *File) open() error {
	if f.closed {
		return errors.New("the audit file is closed")
	}
	if f.isCurrent() {
		return nil
	}
	file, err := os.OpenFile(f.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	torn, err := isTorn(file, f.Path)
	if err != nil {
		_ = file.Close()
		return err
	}
	_ = f.drop() // every record written to it has its result
	f.file = file
	f.torn = torn
	return nil
}

// isCurrent tells whether the open file still has the name.
func (f *File) isCurrent() bool {
	if f.file == nil {
		return false
	}
	named, err := os.Stat(f.Path)
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && os.SameFile(named, open)
}

func (f *File) drop() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// isTorn tells whether a file ends in the middle of a line. A file that cannot be read, only
// appended to, is assumed to be whole.
func isTorn(file *os.File, path string) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, fmt.Errorf("%s is a folder: name a file", path)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false, nil
	}
	readable, err := os.Open(path)
	if err != nil {
		return false, nil
	}
	defer readable.Close()
	if named, err := readable.Stat(); err != nil || !os.SameFile(named, info) {
		return false, nil // just renamed: the next record opens another file
	}
	var last [1]byte
	if _, err := readable.ReadAt(last[:], info.Size()-1); err != nil {
		return false, nil
	}
	return last[0] != '\n', nil
}
