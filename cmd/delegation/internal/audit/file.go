package audit

import (
	"bytes"
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
	reader *os.File // reads file; nil: it cannot be read, or has no end, such as a device
	end    int64    // the end of the last own line in file
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

// write writes a record on a line of its own, even if several processes write. If a full disk or a
// crash has cut off the last line, it ends that line first.
//
// Another writer can be cut off while the file is open. This is found after the write, and the
// record is then written a second time, on a line of its own. No lock between processes is needed,
// because all writers append: what is before an appended text does not change any more.
//
// Two cases remain in which a record can become part of another writer's half line: this process
// may not read the file, or the file is on a network file system that does not append in one step.
func (f *File) write(ctx context.Context, r record) error {
	if err := f.turn.take(ctx); err != nil {
		return err
	}
	defer f.turn.giveBack()
	if err := f.open(); err != nil {
		return err
	}
	isWhole, err := f.appendLine(r.line)
	if err != nil {
		return err
	}
	if !isWhole {
		f.torn = true
		if _, err := f.appendLine(r.line); err != nil {
			return err
		}
	}
	if f.Sync {
		return f.file.Sync()
	}
	return nil
}

// appendLine appends a line in one system call, so that no other writer's text comes into it. If
// the file is torn, the text begins with a line end. isWhole tells whether the line turned out to
// be a line of its own.
func (f *File) appendLine(line []byte) (isWhole bool, err error) {
	text := make([]byte, 0, len(line)+2)
	if f.torn {
		text = append(text, '\n')
	}
	text = append(append(text, line...), '\n')
	n, err := f.appendText(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err != nil {
		f.torn = n > 0 && text[n-1] != '\n' || n == 0 && f.torn
		return false, err
	}
	f.torn = false
	return f.isWhole(text), nil
}

// isWhole tells whether a text that was just appended is in the file in one piece, after the end of
// a line. The system may have appended it in two pieces if the disk was full for a moment. If that
// cannot be seen, the text is assumed to be whole.
func (f *File) isWhole(text []byte) bool {
	if f.reader == nil {
		return true
	}
	end, err := f.file.Seek(0, io.SeekCurrent) // appending moves the position to the text's end
	if err != nil {
		return true
	}
	last := f.end
	f.end = end
	begin := end - int64(len(text))
	if begin == last || begin < 0 {
		return true // nobody else has written since, or the system does not move the position
	}
	before := min(begin, 1)
	if text[0] == '\n' {
		before = 0
	}
	written := make([]byte, before+int64(len(text)))
	if _, err := f.reader.ReadAt(written, begin-before); err != nil {
		return true // truncated, as by logrotate's copytruncate
	}
	isAfterLine := before == 0 || written[0] == '\n'
	return isAfterLine && bytes.Equal(written[before:], text)
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
	reader, err := readerOf(file, f.Path)
	if err != nil {
		_ = file.Close()
		return err
	}
	_ = f.drop() // every record written to it has its result
	f.file = file
	f.reader = reader
	f.end, f.torn = ending(reader)
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
	if f.reader != nil {
		_ = f.reader.Close()
	}
	err := f.file.Close()
	f.file = nil
	f.reader = nil
	return err
}

// readerOf opens a file, which has a path, for reading. It returns nil if the file cannot be read,
// or is a device or a pipe.
func readerOf(file *os.File, path string) (*os.File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name a file", path)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	reader, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	if named, err := reader.Stat(); err != nil || !os.SameFile(named, info) {
		_ = reader.Close()
		return nil, nil // just renamed: the next record opens another file
	}
	return reader, nil
}

// ending returns the size of a file, and whether it ends in the middle of a line. Another process
// may be about to write the rest of that line. Then an empty line follows it, which does no harm. A
// file that cannot be read is assumed to be whole.
func ending(reader *os.File) (size int64, torn bool) {
	if reader == nil {
		return 0, false
	}
	info, err := reader.Stat()
	if err != nil || info.Size() == 0 {
		return 0, false
	}
	var last [1]byte
	if _, err := reader.ReadAt(last[:], info.Size()-1); err != nil {
		return info.Size(), false
	}
	return info.Size(), last[0] != '\n'
}
