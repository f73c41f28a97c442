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

// WatchInterval is how often a service looks at the files of its configuration.
const WatchInterval = 5 * time.Second

// Content tells what a file contains from what it contained before.
type Content [sha256.Size]byte

// ContentOf reads a file, or of a folder its names and its files. Links are followed, so the swap
// of Kubernetes' ..data is a change. A file that cannot be read has a content of its own. What is
// no file, such as a pipe, is not read: that would take it away from the next reader.
func ContentOf(path string) Content {
	sum := sha256.New()
	info, err := os.Stat(path)
	switch {
	case err != nil:
		io.WriteString(sum, "cannot be read")
	case info.IsDir():
		entries, _ := os.ReadDir(path) // a part of them is another content
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

// Files are what a configuration was read from: the content of each file, by its path, from before
// it was read. What changed while it was read is then different from it.
type Files map[string]Content

// Watch tells when the files of a configuration have changed.
type Watch struct {
	mu sync.Mutex
	// known is what the last reading found, whether that could be used or not.
	known Files
	// seen is what the last look found.
	seen Files
}

// NewWatch returns a watch of the files that a configuration was read from.
func NewWatch(files Files) *Watch { return &Watch{known: maps.Clone(files)} }

// Read notes what another reading found. If that could not be used, the files of the configuration
// that serves on are watched too: the mistake may be a path.
func (w *Watch) Read(files Files, used bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if used {
		w.known = Files{}
	}
	maps.Copy(w.known, files)
}

// Changed looks at all files, and tells whether any differs from what was read last. Several files
// are rarely written at once, so a change counts only if the next look finds the same. It counts
// once: a configuration that was refused is read anew after the next change.
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

// watch asks for a reload each time that the files have changed, until the context ends.
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
		default: // one is asked for already, and it reads what the files say then
		}
	}
}
