package service_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// files is a folder whose files a test writes.
type files struct {
	t      *testing.T
	folder string
}

func (f files) path(name string) string { return filepath.Join(f.folder, name) }

func (f files) write(name, text string) {
	f.t.Helper()
	f.done(os.MkdirAll(filepath.Dir(f.path(name)), 0o700))
	f.done(os.WriteFile(f.path(name), []byte(text), 0o600))
}

func (f files) done(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestContentOf: which changes of a file, of a folder and of links are changes.
func TestContentOf(t *testing.T) {
	for name, row := range map[string]struct {
		change  func(f files)
		changed bool
	}{
		"nothing":   {func(files) {}, false},
		"the same":  {func(f files) { f.write("of/a.js", "one") }, false},
		"same size": {func(f files) { f.write("of/a.js", "two") }, true},
		"a time": {func(f files) {
			f.done(os.Chtimes(f.path("of/a.js"), time.Time{}, time.Unix(1, 0)))
		}, false},
		"empty":    {func(f files) { f.write("of/a.js", "") }, true},
		"no file":  {func(f files) { f.done(os.Remove(f.path("of/a.js"))) }, true},
		"new file": {func(f files) { f.write("of/c.js", "") }, true},
		"a name": {func(f files) {
			f.done(os.Rename(f.path("of/a.js"), f.path("of/c.js")))
		}, true},
		"a name in the same place": {func(f files) {
			f.done(os.Rename(f.path("of/a.js"), f.path("of/aa.js")))
		}, true},
		"a file within another": {func(f files) {
			f.done(os.Remove(f.path("of/b.js")))
			f.write("of/a.js", `one"b.js" two`)
		}, true},
		"text moves": {func(f files) {
			f.write("of/a.js", "onet")
			f.write("of/b.js", "wo")
		}, true},
		"no folder": {func(f files) { f.done(os.RemoveAll(f.path("of"))) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := files{t, t.TempDir()}
			f.write("of/a.js", "one")
			f.write("of/b.js", "two")
			before := service.ContentOf(f.path("of"))
			row.change(f)
			if changed := service.ContentOf(f.path("of")) != before; changed != row.changed {
				t.Errorf("changed: %t, want %t", changed, row.changed)
			}
		})
	}
}

// TestContentOf_KubernetesLinks: a volume is updated by one link, and the files are links through
// it.
func TestContentOf_KubernetesLinks(t *testing.T) {
	f := files{t, t.TempDir()}
	f.write("..1/delegation.yaml", "one")
	f.write("..2/delegation.yaml", "two")
	f.done(os.Symlink("..1", f.path("..data")))
	f.done(os.Symlink("..data/delegation.yaml", f.path("delegation.yaml")))
	file := service.ContentOf(f.path("delegation.yaml"))
	folder := service.ContentOf(f.folder)
	f.done(os.Symlink("..2", f.path("..data_tmp")))
	f.done(os.Rename(f.path("..data_tmp"), f.path("..data")))
	if service.ContentOf(f.path("delegation.yaml")) == file {
		t.Error("the file has not changed")
	}
	if service.ContentOf(f.folder) == folder {
		t.Error("the folder has not changed")
	}
}

// TestWatch: a change counts once, when two looks have found the same. What is read in between is
// known.
func TestWatch(t *testing.T) {
	f := files{t, t.TempDir()}
	f.write("a", "1")
	f.write("b", "1")
	read := func(names ...string) service.Files {
		found := service.Files{}
		for _, name := range names {
			found[f.path(name)] = service.ContentOf(f.path(name))
		}
		return found
	}
	w := service.NewWatch(read("a", "b"))
	looks := func(what string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if got := w.Changed(); got != want {
				t.Errorf("%s: look %d: changed %t, want %t", what, i, got, want)
			}
		}
	}
	looks("no change", false, false, false)
	f.write("a", "2")
	looks("one change", false, true, false, false)
	f.write("a", "3")
	looks("the first of a set", false)
	f.write("b", "3")
	looks("the second of a set", false, true, false)
	f.write("a", "4")
	looks("a change", false)
	f.write("a", "3")
	looks("taken back", false, false, false)

	f.write("a", "5")
	w.Read(read("a", "b"), true) // by a signal
	looks("read by a signal", false, false, false)

	w.Read(read("a", "none"), false)
	looks("refused", false, false, false)
	f.write("b", "6")
	looks("a file of the configuration before", false, true, false)
	f.write("none", "6")
	looks("the file that was missing", false, true, false)

	w.Read(read("a"), true)
	f.write("b", "7")
	looks("a file that is not named any more", false, false, false)

	found := read("a")
	f.write("a", "8") // while it was read
	w.Read(found, true)
	looks("a change during the reading", false, true, false)
}
