package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// pictureRecord says which page the pictures of the documentation show.
	pictureRecord = "testdata/pictures.txt"

	// maxPicture is the size of the largest picture, in bytes.
	maxPicture = 200_000
)

// picture is one of the page, in docs.
type picture struct {
	file   string
	width  int
	height int
	scheme string
}

var pictures = []picture{
	{"album.png", 1280, 960, "light"},
	{"album-dark.png", 375, 812, "dark"},
}

func (p picture) path() string { return filepath.Join("..", "..", "docs", p.file) }

// hashOfPage is of everything that the page shows: its own files, not those in vendor.
func hashOfPage(t *testing.T) string {
	t.Helper()
	hash := sha256.New()
	err := fs.WalkDir(pageFiles, "page", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "/vendor/") {
			return err
		}
		text, err := fs.ReadFile(pageFiles, path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// TestPictures_Current fails if the page has changed since the pictures of the documentation were
// taken.
func TestPictures_Current(t *testing.T) {
	const remedy = "take them again: go test -tags interop -run Interop_Pictures -update ."
	recorded, err := os.ReadFile(pictureRecord)
	if err != nil {
		t.Fatalf("%v: %s", err, remedy)
	}
	if strings.TrimSpace(string(recorded)) != hashOfPage(t) {
		t.Errorf("the pictures in docs are older than the page: %s", remedy)
	}
	for _, p := range pictures {
		data, err := os.ReadFile(p.path())
		if err != nil {
			t.Fatalf("%v: %s", err, remedy)
		}
		size, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", p.file, err)
		}
		if size.Width != p.width || size.Height != p.height || len(data) > maxPicture {
			t.Errorf("%s: %d by %d pixels, %d bytes", p.file, size.Width, size.Height, len(data))
		}
	}
}
