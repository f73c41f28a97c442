package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

var sample = []entry{
	{"a/", 0o755, nil},
	{"a/program", 0o755, []byte("program")},
	{"a/text", 0o644, []byte("text")},
}

// TestArchives_Tar: an entry has the time of the commit, and no user.
func TestArchives_Tar(t *testing.T) {
	var b bytes.Buffer
	if err := packTarGzip(&b, sample, committed); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" || z.OS != 255 {
		t.Errorf("the header depends on time, name or system: %+v", z.Header)
	}
	files := untar(t, z)
	if len(files) != 3 || files["a/program"] != "program" || files["a/text"] != "text" {
		t.Errorf("%q", files)
	}
}

// TestArchives_Zip: an entry has the time of the commit, also in another time zone.
func TestArchives_Zip(t *testing.T) {
	var b bytes.Buffer
	if err := packZip(&b, sample, committed); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(sample) {
		t.Fatalf("%d entries", len(z.File))
	}
	for i, f := range z.File {
		want := sample[i]
		if f.Name != want.name || !f.Modified.Equal(committed) ||
			int64(f.Mode().Perm()) != want.mode || f.UncompressedSize64 != uint64(len(want.data)) {
			t.Errorf("%+v, want %+v", f.FileHeader, want)
		}
	}
}

// TestBuildInfo_Refused: a binary that nobody could build a second time is no release.
func TestBuildInfo_Refused(t *testing.T) {
	good := map[string]string{
		"-trimpath": "true", "CGO_ENABLED": "0", "vcs.revision": commit, "vcs.modified": "false",
	}
	check := func(version, key, value string) error {
		info := &debug.BuildInfo{Main: debug.Module{Version: version}}
		for k, v := range good {
			if k == key {
				v = value
			}
			info.Settings = append(info.Settings, debug.BuildSetting{Key: k, Value: v})
		}
		return checkBuildInfo(info, source{commit: commit})
	}
	if err := check("v1.2.3", "", ""); err != nil {
		t.Error(err)
	}
	for _, row := range [][4]string{
		{"(devel)", "", "", `the binary has the version "(devel)": build in a clone with tags`},
		{"v1.2.3", "vcs.revision", "another", `the binary has the commit "another", not ` + commit},
		{"v1.2.3", "vcs.modified", "true", "the checkout changed while the binary was built"},
		{"v1.2.3", "vcs.modified", "", "the checkout changed while the binary was built"},
		{"v1.2.3", "CGO_ENABLED", "1", "the binary was built with other flags"},
		{"v1.2.3", "-trimpath", "", "the binary was built with other flags"},
	} {
		if err := check(row[0], row[1], row[2]); err == nil || err.Error() != row[3] {
			t.Errorf("%q: got %v", row, err)
		}
	}
}

// TestVersion_Refused: a checkout of another commit than the tag's is not released as the tag.
func TestVersion_Refused(t *testing.T) {
	for built, accepted := range map[string]bool{
		"v1.2.3": true, "v1.2.4": false, "v1.2.3+dirty": false,
		"v1.2.4-0.20261129090001-0123456789ab": false,
	} {
		err := options{version: "v1.2.3"}.checkVersion(built)
		if (err == nil) != accepted || !accepted &&
			!strings.HasPrefix(err.Error(), "the binaries say version "+built+", not v1.2.3") {
			t.Errorf("%s: %v", built, err)
		}
		if err := (options{}).checkVersion(built); err != nil {
			t.Errorf("no version was asked for: %v", err)
		}
	}
}

// TestRelease_Refuses: neither changes nor old results get into a release.
func TestRelease_Refuses(t *testing.T) {
	folder := t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet",
			"--allow-empty", "--message", "first"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", folder}, args...)...).
			CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	old := filepath.Join(t.TempDir(), "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		t.Fatal(err)
	}
	err := release(options{source: folder, out: old, platforms: []string{"linux/amd64"}})
	if err == nil || !strings.Contains(err.Error(), "old exists: remove it") {
		t.Errorf("old results: %v", err)
	}
	clean, err := readSource(folder)
	if err != nil || len(clean.commit) != 40 || clean.time.IsZero() {
		t.Errorf("%+v, %v", clean, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = release(options{
		source: folder, out: filepath.Join(old, "new"), platforms: []string{"linux/amd64"},
	})
	if err == nil || !strings.Contains(err.Error(), "has changes: commit or remove them:\n?? new") {
		t.Errorf("changes: %v", err)
	}
}
