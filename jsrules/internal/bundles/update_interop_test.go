//go:build interop

package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"flag"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules/internal/bundles"
)

var update = flag.Bool("update", false, "write the files as npm has them")

// TestInterop_Published compares every bundle, and its licence, with the package on npm. With
// -update it writes the files; the hashes in manifest.go are changed by hand.
func TestInterop_Published(t *testing.T) {
	for _, bundle := range bundles.All() {
		content := publishedFiles(t, bundle)
		licence := content["LICENSE"]
		if licence == nil {
			licence = content["LICENSE.txt"]
		}
		published := content[bundle.File]
		if folder, ok := strings.CutSuffix(bundle.File, "/"); ok {
			published = archived(t, content, folder)
		}
		if len(licence) == 0 || len(published) == 0 {
			t.Fatalf("%s has no licence, or no %s", bundle.Package, bundle.File)
		}
		if *update {
			write(t, bundle, licence, published)
		}
		if sum := bundles.Sum(published); sum != bundle.SHA256 {
			t.Errorf("%s: npm's file has the SHA-256 %s, want %s", bundle.Name, sum, bundle.SHA256)
		}
		if ours, err := bundle.Licence(); !*update && (err != nil || ours != string(licence)) {
			t.Errorf("%s: the licence is not the published one: %v", bundle.Name, err)
		}
	}
}

// publishedFiles returns the files of a package, as npm's registry has it.
func publishedFiles(t *testing.T, bundle bundles.Bundle) map[string][]byte {
	t.Helper()
	folder := t.TempDir()
	pack := exec.CommandContext(t.Context(), "npm", "pack", "--silent",
		bundle.Package+"@"+bundle.Version)
	pack.Dir = folder
	if output, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	found, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	packed, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(packed)
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	if integrity != bundle.Integrity {
		t.Errorf("%s: the package is %s, want %s", bundle.Name, integrity, bundle.Integrity)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string][]byte{}
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return content
		}
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		if content[name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// archived returns the files of a folder as one archive, always the same for the same files.
func archived(t *testing.T, content map[string][]byte, folder string) []byte {
	t.Helper()
	var names []string
	for name := range content {
		if path.Dir(name) == folder {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var made bytes.Buffer
	archive := tar.NewWriter(&made)
	for _, name := range names {
		header := &tar.Header{
			Name: path.Base(name), Mode: 0o644, Size: int64(len(content[name])),
			Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return made.Bytes()
}

func write(t *testing.T, bundle bundles.Bundle, licence, published []byte) {
	t.Helper()
	if err := os.MkdirAll(bundle.Folder(), 0o755); err != nil {
		t.Fatal(err)
	}
	file := bundle.Folder() + "/" + path.Base(bundle.File)
	if strings.HasSuffix(bundle.File, "/") {
		file += ".tar"
	}
	var packed bytes.Buffer
	compressor, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compressor.Write(published); err != nil {
		t.Fatal(err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".gz", packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bundle.Folder()+"/LICENSE", licence, 0o644); err != nil {
		t.Fatal(err)
	}
}
