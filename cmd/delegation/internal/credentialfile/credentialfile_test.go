//go:build linux || darwin || freebsd || openbsd || netbsd || dragonfly

package credentialfile_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/credentialfile"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// clock is a clock that stands still.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// open opens a new folder.
func open(t *testing.T) (*credentialfile.Store, string, *clock) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "cache", "delegation")
	c := &clock{start}
	s, err := credentialfile.Open(folder, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, folder, c
}

func keep(t *testing.T, s *credentialfile.Store, key credentialfile.Key, ends time.Time) {
	t.Helper()
	err := s.Keep(key, credentialfile.Entry{
		Expiration:  ends,
		Credentials: json.RawMessage(`{"a":1}`),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fileOf is the path of a key's file.
func fileOf(folder string, key credentialfile.Key) string {
	return filepath.Join(folder, hex.EncodeToString(key[:])+".json")
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// TestStore_Keeps: an entry is found by its key until it expires, in files that only the user may
// read.
func TestStore_Keeps(t *testing.T) {
	s, folder, c := open(t)
	key := credentialfile.Key{1}
	keep(t, s, key, start.Add(time.Hour))
	got, found, err := s.Find(key)
	if err != nil || !found || string(got.Credentials) != `{"a":1}` ||
		!got.Expiration.Equal(start.Add(time.Hour)) {
		t.Errorf("got %+v, %t, %v", got, found, err)
	}
	if folderMode, file := modeOf(t, folder), modeOf(t, fileOf(folder, key)); folderMode != 0o700 ||
		file != 0o600 {
		t.Errorf("the modes are %o and %o", folderMode, file)
	}
	if _, found, err := s.Find(credentialfile.Key{2}); found || err != nil {
		t.Errorf("another key: %t, %v", found, err)
	}
	c.at = start.Add(time.Hour)
	if _, found, err := s.Find(key); found || err != nil {
		t.Errorf("after its end: %t, %v", found, err)
	}
}

// TestStore_Sweeps: what has expired is removed with the next entry, and so is what a process left
// that was ended while it wrote. Nothing else is: the folder may have the user's other files, too.
func TestStore_Sweeps(t *testing.T) {
	s, folder, c := open(t)
	old := credentialfile.Key{1}
	keep(t, s, old, start.Add(time.Minute))
	for name, written := range map[string]time.Time{
		"0000000000000001.new": start,
		"0000000000000002.new": start.Add(time.Hour),
		"notes.txt":            start,
		"settings.json":        start,
		"0001.json":            start,
		"0001.new":             start,
	} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	inside := fileOf(folder, credentialfile.Key{3})
	check(t, os.Mkdir(inside, 0o700))
	check(t, os.Chtimes(inside, start, start))
	c.at = start.Add(90 * time.Minute)
	young := credentialfile.Key{2}
	keep(t, s, young, start.Add(3*time.Hour))
	for file, want := range map[string]bool{
		fileOf(folder, old):   false,
		fileOf(folder, young): true,
		inside:                true,

		filepath.Join(folder, "0000000000000001.new"): false,
		filepath.Join(folder, "0000000000000002.new"): true,

		filepath.Join(folder, "notes.txt"):     true,
		filepath.Join(folder, "settings.json"): true,
		filepath.Join(folder, "0001.json"):     true,
		filepath.Join(folder, "0001.new"):      true,
	} {
		if _, err := os.Lstat(file); (err == nil) != want {
			t.Errorf("%s: %v, want it: %t", file, err, want)
		}
	}
}

// TestStore_RefusesOthers: a file or a lock that others may use, a link, or one with a second name
// is an error, and is never read.
func TestStore_RefusesOthers(t *testing.T) {
	key := credentialfile.Key{1}
	for name, row := range map[string]struct {
		spoil func(t *testing.T, file string)
		want  string
	}{
		"a group may read it": {func(t *testing.T, file string) { chmod(t, file, 0o640) },
			"has the mode 0640, so other users may read or change it: run chmod go= "},
		"others may write it": {func(t *testing.T, file string) { chmod(t, file, 0o602) },
			"has the mode 0602"},
		"a link": {func(t *testing.T, file string) {
			rename(t, file, file+".moved")
			check(t, os.Symlink(file+".moved", file))
		}, "is not a regular file: remove it"},
		"a second name": {func(t *testing.T, file string) {
			check(t, os.Link(file, file+".second"))
		}, "belongs to another user, or has a second name"},
		"a folder": {func(t *testing.T, file string) {
			check(t, os.Remove(file))
			check(t, os.Mkdir(file, 0o700))
		}, "is not a regular file: remove it"},
		"very long": {func(t *testing.T, file string) {
			check(t, os.WriteFile(file, make([]byte, 1<<20+1), 0o600))
		}, "is larger than 1048576 bytes: remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			s, folder, _ := open(t)
			keep(t, s, key, start.Add(time.Hour))
			row.spoil(t, fileOf(folder, key))
			_, found, err := s.Find(key)
			if found || err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %t, %v, want %q", found, err, row.want)
			}
		})
	}
	t.Run("a lock", func(t *testing.T) {
		s, folder, _ := open(t)
		file := filepath.Join(folder, "lock-1")
		check(t, os.WriteFile(file, nil, 0o600))
		chmod(t, file, 0o666)
		unlock, err := s.Lock(t.Context(), key)
		if err == nil {
			unlock()
		}
		if err == nil || !strings.Contains(err.Error(), "has the mode 0666") {
			t.Errorf("got %v", err)
		}
	})
}

// TestStore_PassesOverRubbish: a file that is no entry is as if it were not there, and the next
// entry replaces it.
func TestStore_PassesOverRubbish(t *testing.T) {
	s, folder, _ := open(t)
	key := credentialfile.Key{1}
	for _, text := range []string{"", "{", "null", `{"Expiration":"tomorrow"}`, `[1]`} {
		check(t, os.WriteFile(fileOf(folder, key), []byte(text), 0o600))
		if _, found, err := s.Find(key); found || err != nil {
			t.Errorf("%q: %t, %v", text, found, err)
		}
	}
	keep(t, s, key, start.Add(time.Hour))
	if _, found, err := s.Find(key); !found || err != nil {
		t.Errorf("after the next: %t, %v", found, err)
	}
}

// TestOpen_RefusesFolders: a folder that others may enter, a link, and what is no folder.
func TestOpen_RefusesFolders(t *testing.T) {
	parent := t.TempDir()
	wide := filepath.Join(parent, "wide")
	check(t, os.Mkdir(wide, 0o700))
	chmod(t, wide, 0o755)
	own := filepath.Join(parent, "own")
	check(t, os.Mkdir(own, 0o700))
	link := filepath.Join(parent, "link")
	check(t, os.Symlink(own, link))
	file := filepath.Join(parent, "file")
	check(t, os.WriteFile(file, nil, 0o600))
	for folder, want := range map[string]string{
		wide: "has the mode 0755, so other users may read or change it: " +
			"run chmod go=",
		link:                     "is a link: name the folder itself",
		file:                     "not a directory",
		filepath.Join(file, "a"): "not a directory",
		"":                       "no such file",
	} {
		s, err := credentialfile.Open(folder, nil)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", folder, err, want)
		}
	}
}

// TestStore_Lock: one at a time works for a key, in one process as in several. A caller that waits
// gives up when its context ends.
func TestStore_Lock(t *testing.T) {
	s, folder, c := open(t)
	other, err := credentialfile.Open(folder, c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	key := credentialfile.Key{1}
	var wait sync.WaitGroup
	inside, most, total := 0, 0, 0
	var mu sync.Mutex
	for i := range 20 {
		store := s
		if i%2 == 1 {
			store = other
		}
		wait.Go(func() {
			unlock, err := store.Lock(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			total++
			mu.Unlock()
			for range 100 { // the others would come in here
				runtime.Gosched()
			}
			mu.Lock()
			inside--
			mu.Unlock()
			unlock()
		})
	}
	wait.Wait()
	if most != 1 || total != 20 {
		t.Errorf("%d worked at once, %d in all", most, total)
	}
	unlock, err := s.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := other.Lock(ended, key); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	again, err := other.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// TestStore_Whole: a reader sees one entry or the other while writers replace it.
func TestStore_Whole(t *testing.T) {
	s, _, _ := open(t)
	key := credentialfile.Key{1}
	keep(t, s, key, start.Add(time.Hour))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				err := s.Keep(key, credentialfile.Entry{
					Expiration:  start.Add(time.Hour),
					Credentials: json.RawMessage(`{"a":1}`),
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		_, found, err := s.Find(key)
		if err != nil && strings.Contains(err.Error(), "was replaced") {
			continue // by a writer between the two looks
		}
		if err != nil || !found {
			t.Errorf("got %t, %v", found, err)
		}
	}
	wait.Wait()
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	check(t, os.Chmod(path, mode))
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	check(t, os.Rename(from, to))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
