package service

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// WatchInterval is how often a service checks the files of its configuration.
const WatchInterval = 5 * time.Second

// Content is a hash of a file's content, by which a change is detected.
type Content [sha256.Size]byte

// ContentOf hashes a file, or the names and files of a folder. It follows links, so the swap of
// Kubernetes' ..data counts as a change. A file that cannot be read has its own hash. A pipe or the
// like is not read, because its next reader would miss the data.
func ContentOf(path string) Content {
	sum := sha256.New()
	info, err := os.Stat(path)
	switch {
	case err != nil:
		io.WriteString(sum, "cannot be read")
	case info.IsDir():
		entries, _ := os.ReadDir(path) // a partial list gives another hash
		for _, entry := range entries {
			hashFile(sum, filepath.Join(path, entry.Name()))
		}
	default:
		hashFile(sum, path)
	}
	return Content(sum.Sum(nil))
}

// hashFile adds a regular file. Its size separates it from the next one.
func hashFile(sum io.Writer, path string) {
	fmt.Fprintf(sum, "%q ", filepath.Base(path))
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		io.WriteString(sum, "cannot be read")
		return
	}
	defer f.Close()
	size, _ := io.Copy(sum, f) // a part of it is another content
	fmt.Fprintf(sum, " %d ", size)
}

// Files are the files from which a configuration was read, by path. Each is hashed before it is
// read, so that a change during the read is detected.
type Files map[string]Content

// Watch detects changes of a configuration's files.
type Watch struct {
	mu sync.Mutex
	// known are the files of the last reading, even if it could not be used.
	known Files
	// seen are the files at the last check.
	seen Files
}

// NewWatch returns a watch of the files from which a configuration was read.
func NewWatch(files Files) *Watch { return &Watch{known: maps.Clone(files)} }

// Read records the files of another reading. If that reading could not be used, the files of the
// previous configuration are still watched too: the mistake may be a path.
func (w *Watch) Read(files Files, used bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if used {
		w.known = Files{}
	}
	maps.Copy(w.known, files)
}

// Changed checks all files, and tells whether any differs from the last reading. Several files are
// rarely written at once, so a change counts only if the next check finds the same. Each change
// counts once: a refused configuration is read again only after another change.
func (w *Watch) Changed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := Files{}
	for path := range w.known {
		now[path] = ContentOf(path)
	}
	settled := maps.Equal(now, w.seen)
	w.seen = now
	if !settled || maps.Equal(now, w.known) {
		return false
	}
	w.known = maps.Clone(now)
	return true
}

// watch requests a reload each time the files have changed, until the context ends.
func (r *running) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.first.after(WatchInterval):
		}
		if !r.first.Reload.Watch.Changed() {
			continue
		}
		select {
		case r.changed <- struct{}{}:
		default: // a reload is already requested, and will read the current files
		}
	}
}
