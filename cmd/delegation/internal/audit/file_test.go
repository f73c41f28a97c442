package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("", 3600))

func same(_ []string, a slog.Attr) slog.Attr { return a }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exchange is an event of a user.
func exchange(subject string) delegation.Event {
	return delegation.Event{Time: start, Outcome: delegation.OutcomeAllowed, Subject: subject}
}

// lineFor is the record of such an event.
func lineFor(subject string) string {
	return `{"time":"2026-11-23T08:00:00Z","msg":"exchange allowed","event":{"outcome":"allowed",` +
		`"subject":"` + subject + `","expiration":"0001-01-01T00:00:00Z","packed_policy_size":0}}` +
		"\n"
}

// newFile returns a sink that appends to a path until the test ends, with its Config.Audit.
func newFile(
	t *testing.T, path string,
) (*audit.File, func(context.Context, delegation.Event) error) {
	t.Helper()
	f := audit.NewFile(path, false)
	t.Cleanup(func() { _ = f.Close() })
	return f, audit.Record(f, same)
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFile: a record is a line, a new file is for its owner alone, and nothing that was there is
// lost.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, record := newFile(t, path)
	if err := f.Open(); err != nil || f.Name() != "file" {
		t.Fatal(err)
	}
	mode := must(os.Stat(path)).Mode().Perm()
	if mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the mode is %o", mode)
	}
	for _, subject := range []string{"alice", "bob"} {
		if err := record(t.Context(), exchange(subject)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := record(t.Context(), exchange("carol")); err == nil {
		t.Error("a record was written after the end")
	}
	_, record = newFile(t, path)
	if err := record(t.Context(), exchange("dave")); err != nil {
		t.Fatal(err)
	}
	want := lineFor("alice") + lineFor("bob") + lineFor("dave")
	if got := content(t, path); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestFile_Rotated: the record after a rename, a removal or a replacement goes to the file that has
// the name then.
func TestFile_Rotated(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.jsonl")
	old := filepath.Join(folder, "audit.jsonl.1")
	other := filepath.Join(folder, "other")
	_, record := newFile(t, path)
	for _, row := range []struct {
		subject string
		rotate  func() error
	}{
		{"alice", func() error { return nil }},
		{"bob", func() error { return os.Rename(path, old) }},
		{"carol", func() error { return os.Remove(path) }},
		{"dave", func() error {
			return errors.Join(os.WriteFile(other, nil, 0o600), os.Rename(other, path))
		}},
		{"erin", func() error { return os.Truncate(path, 0) }}, // logrotate's copytruncate
	} {
		if err := row.rotate(); err != nil {
			t.Fatal(err)
		}
		if err := record(t.Context(), exchange(row.subject)); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != lineFor(row.subject) {
			t.Errorf("%s: got %s", row.subject, got)
		}
	}
	if got := content(t, old); got != lineFor("alice") {
		t.Errorf("the old file has %s", got)
	}
}

// TestFile_CannotOpen: a place that cannot be written is an error each time, until it can be.
func TestFile_CannotOpen(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(folder, "audit.jsonl")
	f, record := newFile(t, path)
	for range 2 {
		if err := f.Open(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if err := record(t.Context(), exchange("alice")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	err := record(t.Context(), exchange("bob"))
	if err != nil || content(t, path) != lineFor("bob") {
		t.Errorf("got %v", err)
	}
	if f, _ := newFile(t, folder); f.Open() == nil {
		t.Error("a folder was opened")
	}
}

// TestFile_DiskFull: what a full disk cuts off is an error, and no part of the next record.
func TestFile_DiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, record := newFile(t, path)
	room := 0
	audit.SetAppend(f, func(file *os.File, text []byte) (int, error) {
		if room >= len(text) {
			return file.Write(text)
		}
		n, err := file.Write(text[:room])
		return n, errors.Join(err, syscall.ENOSPC)
	})
	torn := lineFor("alice")[:20]
	want := ""
	for _, step := range []struct {
		room  int
		gets  string
		fails bool
	}{
		{room: 20, gets: torn, fails: true},
		{room: 0, gets: "", fails: true},
		{room: 1, gets: "\n", fails: true}, // the end of the line before
		{room: 1000, gets: lineFor("alice")},
		{room: 20, gets: torn, fails: true},
		{room: 1000, gets: "\n" + lineFor("alice")},
		{room: len(lineFor("alice")) - 1, gets: strings.TrimSuffix(lineFor("alice"), "\n"),
			fails: true},
		{room: 1000, gets: "\n" + lineFor("alice")},
	} {
		room = step.room
		want += step.gets
		err := record(t.Context(), exchange("alice"))
		if errors.Is(err, syscall.ENOSPC) != step.fails || err != nil && !step.fails {
			t.Errorf("with room for %d bytes: %v", step.room, err)
		}
		if got := content(t, path); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// TestFile_AfterACrash: a line that a crash has cut off is ended, and stays.
func TestFile_AfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	before := lineFor("alice") + lineFor("bob")[:30]
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	_, record := newFile(t, path)
	for range 2 {
		if err := record(t.Context(), exchange("carol")); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, path); got != before+"\n"+lineFor("carol")+lineFor("carol") {
		t.Errorf("got %s", got)
	}
}

// TestFile_AnotherIsCutOff: a record has a line of its own even if another writer is cut off while
// the file is open, at any moment before the write.
func TestFile_AnotherIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	torn, recordTorn := newFile(t, path)
	f, record := newFile(t, path)
	cut := func(file *os.File, text []byte) (int, error) {
		n, err := file.Write(text[:len(text)-20])
		return n, errors.Join(err, syscall.ENOSPC)
	}
	cutOff := func() {
		audit.SetAppend(torn, cut)
		if err := recordTorn(t.Context(), exchange("bob")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v", err)
		}
		audit.SetAppend(torn, nil)
	}
	half := lineFor("bob")[:len(lineFor("bob"))-20]
	want := ""
	for _, step := range []struct {
		name string
		do   func() error
		gets string
	}{
		{"whole", func() error {
			return record(t.Context(), exchange("alice"))
		}, lineFor("alice")},
		{"cut off before", func() error {
			cutOff()
			return record(t.Context(), exchange("carol"))
		}, half + lineFor("carol") + "\n" + lineFor("carol")},
		{"the one that was cut off", func() error {
			return recordTorn(t.Context(), exchange("dave"))
		}, "\n" + lineFor("dave")},
		{"after another", func() error {
			return record(t.Context(), exchange("erin"))
		}, lineFor("erin")},
		{"cut off just before the write", func() error {
			audit.SetAppend(f, func(file *os.File, text []byte) (int, error) {
				audit.SetAppend(f, nil)
				cutOff()
				return file.Write(text)
			})
			return record(t.Context(), exchange("frank"))
		}, half + lineFor("frank") + "\n" + lineFor("frank")},
		{"truncated", func() error {
			audit.SetAppend(f, func(file *os.File, text []byte) (int, error) {
				audit.SetAppend(f, nil)
				n, err := file.Write(text)
				want = ""
				return n, errors.Join(err, os.Truncate(path, 0))
			})
			return errors.Join(recordTorn(t.Context(), exchange("grace")),
				record(t.Context(), exchange("heidi")))
		}, ""},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		want += step.gets
		if got := content(t, path); got != want {
			t.Fatalf("%s: got  %s\nwant %s", step.name, got, want)
		}
	}
}

// TestFile_TwoPieces: a record that the system has appended in two pieces, around another's, is
// written again.
func TestFile_TwoPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	other, recordOther := newFile(t, path)
	if err := other.Open(); err != nil {
		t.Fatal(err)
	}
	f, record := newFile(t, path)
	audit.SetAppend(f, func(file *os.File, text []byte) (int, error) {
		audit.SetAppend(f, nil)
		first, err := file.Write(text[:20])
		err = errors.Join(err, recordOther(t.Context(), exchange("bob")))
		second, err2 := file.Write(text[20:])
		return first + second, errors.Join(err, err2)
	})
	if err := record(t.Context(), exchange("alice")); err != nil {
		t.Fatal(err)
	}
	alice, bob := lineFor("alice"), lineFor("bob")
	want := alice[:20] + bob + "\n" + bob + alice[20:] + "\n" + alice
	if got := content(t, path); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestFile_AtOnce: records of several sinks and goroutines are whole lines, also while the file is
// renamed. An empty line is no failure: a sink may open the file while the other has written half
// of a record.
func TestFile_AtOnce(t *testing.T) {
	const sinks, writers, each = 2, 8, 25
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.jsonl")
	var all sync.WaitGroup
	for sink := range sinks {
		f, record := newFile(t, path)
		f.Sync = sink == 1
		for writer := range writers {
			all.Go(func() {
				for i := range each {
					subject := fmt.Sprintf("%d/%d/%d", sink, writer, i)
					if err := record(t.Context(), exchange(subject)); err != nil {
						t.Error(err)
					}
					if writer == 0 && i%10 == 0 {
						to := filepath.Join(folder, fmt.Sprintf("old.%d.%d", sink, i))
						_ = os.Rename(path, to) // the other sink may have done it
					}
				}
			})
		}
	}
	all.Wait()
	seen := map[string]bool{}
	for _, name := range must(filepath.Glob(filepath.Join(folder, "*"))) {
		for line := range strings.Lines(content(t, name)) {
			if line == "\n" {
				continue
			}
			var r struct{ Event struct{ Subject string } }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			if line != lineFor(r.Event.Subject) || seen[r.Event.Subject] {
				t.Errorf("twice, or another record: %s", line)
			}
			seen[r.Event.Subject] = true
		}
	}
	if len(seen) != sinks*writers*each {
		t.Errorf("%d records", len(seen))
	}
}

// TestFile_Slow: a caller that waits for a disk that hangs can leave.
func TestFile_Slow(t *testing.T) {
	f, record := newFile(t, filepath.Join(t.TempDir(), "audit.jsonl"))
	writing, release := make(chan struct{}), make(chan struct{})
	audit.SetAppend(f, func(file *os.File, text []byte) (int, error) {
		close(writing)
		<-release
		return file.Write(text)
	})
	first := make(chan error, 1)
	go func() { first <- record(context.Background(), exchange("alice")) }()
	<-writing
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := record(ctx, exchange("bob")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestRecord_Replaces: fields are changed as in the log.
func TestRecord_Replaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, _ := newFile(t, path)
	record := audit.Record(f, func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 1 && groups[0] == "event" && a.Key == "subject" {
			return slog.String("who", "somebody")
		}
		return a
	})
	if err := record(t.Context(), exchange("alice")); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(lineFor("alice"), `"subject":"alice"`, `"who":"somebody"`, 1)
	if got := content(t, path); got != want {
		t.Errorf("got %s", got)
	}
}
