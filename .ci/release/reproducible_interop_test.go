//go:build interop

package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInterop_Reproducible: the workflow's build step makes the same release from two clones in two
// folders, byte for byte, for this platform and those of RELEASE_PLATFORMS, such as
// windows/arm64,darwin/arm64, each of which takes a compilation of all. Its program names the tag
// and the commit.
func TestInterop_Reproducible(t *testing.T) {
	host := runtime.GOOS + "/" + runtime.GOARCH
	if runtime.GOOS != "linux" {
		t.Fatalf("%s has no image", host)
	}
	platforms := host
	if more := os.Getenv("RELEASE_PLATFORMS"); more != "" {
		platforms += "," + more
	}
	first := filepath.Join(t.TempDir(), "release")
	second := filepath.Join(t.TempDir(), "a", "deeper", "folder")
	clones := map[string]string{}
	for _, out := range []string{first, second} { // both before a build: a commit may come
		clones[out] = cloneAt(t, filepath.Join(out+"-source", "clone"), "v0.0.1-test")
	}
	for out, clone := range clones {
		build := exec.Command(clone+"/.ci/release/build", out, "v0.0.1-test", platforms)
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	}
	one := contents(t, first)
	two := contents(t, second)
	name := "delegation_0.0.1-test_" + runtime.GOOS + "_" + runtime.GOARCH
	files := []string{
		name + ".tar.gz",
		"delegation_0.0.1-test_image.tar",
		"SHA256SUMS",
		"image/index.json",
	}
	if strings.Contains(platforms, "windows/arm64") {
		files = append(files, "delegation_0.0.1-test_windows_arm64.zip")
	}
	for _, file := range files {
		if one[file] == "" {
			t.Errorf("there is no %s among %q", file, slices.Sorted(maps.Keys(one)))
		}
	}
	if !reflect.DeepEqual(one, two) {
		for file := range one {
			t.Logf("%s: same: %v", file, one[file] == two[file])
		}
		t.Error("two builds differ")
	}
	t.Log("\n" + one["SHA256SUMS"])
	checkPrograms(t, []byte(one[name+".tar.gz"]), name, first+"-source/clone")
}

// cloneAt clones this checkout's commit, and gives it a tag.
func cloneAt(t *testing.T, folder, tag string) string {
	t.Helper()
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-hardlinks", "../..", folder},
		{"-C", folder, "tag", tag},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return folder
}

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkPrograms runs the programs of an archive, and looks for the folder that they were built in.
func checkPrograms(t *testing.T, archive []byte, folder, builtIn string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	built, err := readSource(builtIn)
	if err != nil {
		t.Fatal(err)
	}
	files := untarAt(t, z, built.time)
	run := func(name string, args ...string) string {
		binary := files[folder+"/"+name]
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(binary), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(binary, builtIn) {
			t.Errorf("%s contains %s", name, builtIn)
		}
		said, err := exec.Command(file, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return string(said)
	}
	page := files[folder+"/man/man1/delegation-exchange.1"]
	title := `.TH "DELEGATION-EXCHANGE" 1 "` + built.time.UTC().Format(time.DateOnly) +
		`" "delegation v0.0.1-test" `
	if !strings.HasPrefix(page, title) {
		t.Errorf("the manual page begins with %.100s, want %s", page, title)
	}
	said := run("delegation", "version")
	want := "delegation v0.0.1-test (commit " + built.commit + ", " + runtime.Version() + " "
	if !strings.HasPrefix(said, want) {
		t.Errorf("got %s, want %s…", said, want)
	}
	// The clone has no tag of its module, so its version has the commit.
	said = run("delegation-signer", "--version")
	want = "-" + built.commit[:12] + " " + runtime.Version() + "\n"
	if !strings.HasPrefix(said, "delegation-signer v0.") || !strings.HasSuffix(said, want) {
		t.Errorf("got %s, want …%s", said, want)
	}
}
