package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/image-spec/schema"
)

var committed = time.Date(2026, 11, 29, 9, 0, 1, 0, time.UTC) // odd, which zip has to keep

const commit = "0123456789abcdef0123456789abcdef01234567"

// programsOf has a file for each platform, with the platform as its content.
func programsOf(t *testing.T, platforms ...string) []program {
	t.Helper()
	var programs []program
	for _, name := range platforms {
		system, arch, _ := strings.Cut(name, "/")
		file := filepath.Join(t.TempDir(), "delegation")
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program{
			os: system, arch: arch, file: file, name: "delegation", version: "v1.2.3",
			signer: file, signerName: "delegation-signer",
		})
	}
	return programs
}

// imageOf writes an image for two platforms, and returns its folder.
func imageOf(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	from := source{commit: commit, time: committed}
	programs := programsOf(t, "linux/amd64", "windows/amd64", "linux/arm64")
	file, err := writeImage(from, programs, out)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(out, "delegation_1.2.3_image.tar"); file != want {
		t.Errorf("got %s, want %s", file, want)
	}
	checkTar(t, file, filepath.Join(out, "image"))
	return filepath.Join(out, "image")
}

// checkTar compares the layout in one file with the layout in a folder.
func checkTar(t *testing.T, file, folder string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for name, content := range untar(t, bytes.NewReader(data)) {
		if strings.HasSuffix(name, "/") {
			continue
		}
		files++
		same, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || string(same) != content {
			t.Errorf("%s differs: %v", name, err)
		}
	}
	if want := len(blobs(t, folder)) + 2; files != want {
		t.Errorf("the file has %d files, the folder %d", files, want)
	}
}

// untar is untarAt with the time of these tests.
func untar(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	return untarAt(t, r, committed)
}

// untarAt returns the content of each entry, and checks that none depends on time or user.
func untarAt(t *testing.T, r io.Reader, modified time.Time) map[string]string {
	t.Helper()
	entries := map[string]string{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(modified) || h.Uid != 0 || h.Gid != 0 || h.Uname+h.Gname != "" {
			t.Errorf("%s depends on time or user: %+v", h.Name, h)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		entries[h.Name] = string(content)
	}
}

func blobs(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestImage_IsValid: another implementation finds every digest, size and platform to be right.
func TestImage_IsValid(t *testing.T) {
	folder := imageOf(t)
	top, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(top); err != nil {
		t.Error(err)
	}
	for _, file := range blobs(t, folder) {
		data, err := os.ReadFile(file)
		if err != nil || digest(data) != "sha256:"+filepath.Base(file) {
			t.Errorf("%s has other content: %v", file, err)
		}
	}
	// Two platforms have a layer, a configuration and a manifest each, and one index.
	if got := len(blobs(t, folder)); got != 2*3+1 {
		t.Errorf("%d blobs", got)
	}
	if err := os.WriteFile(blobs(t, folder)[0], []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if validate.Index(top) == nil {
		t.Error("a blob that was changed passes")
	}
}

// TestImage_Schemas: each document is what the schema of the OCI image specification wants.
func TestImage_Schemas(t *testing.T) {
	folder := imageOf(t)
	check := func(file string, schema schema.Validator) {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	check(filepath.Join(folder, "oci-layout"), schema.ValidatorMediaTypeLayoutHeader)
	check(filepath.Join(folder, "index.json"), schema.ValidatorMediaTypeImageIndex)
	kinds := map[schema.Validator]int{}
	for _, file := range blobs(t, folder) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			MediaType schema.Validator `json:"mediaType"`
		}
		if json.Unmarshal(data, &document) != nil {
			continue // a layer
		}
		if document.MediaType == "" {
			document.MediaType = schema.ValidatorMediaTypeImageConfig
		}
		kinds[document.MediaType]++
		check(file, document.MediaType)
	}
	want := map[schema.Validator]int{
		schema.ValidatorMediaTypeImageIndex:  1,
		schema.ValidatorMediaTypeManifest:    2,
		schema.ValidatorMediaTypeImageConfig: 2,
	}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

// TestImage_Content: the image has the settings of the Dockerfile, labels, the program and CAs.
func TestImage_Content(t *testing.T) {
	top, err := layout.ImageIndexFromPath(imageOf(t))
	if err != nil {
		t.Fatal(err)
	}
	list, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Manifests) != 1 ||
		list.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Fatalf("%+v", list)
	}
	all, err := top.ImageIndex(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if list, err = all.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range list.Manifests {
		platforms = append(platforms, d.Platform.String())
		image, err := all.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		got := []string{
			"USER " + file.Config.User,
			"ENV " + strings.Join(file.Config.Env, " "),
			"ENTRYPOINT " + jsonList(file.Config.Entrypoint),
			"CMD " + jsonList(file.Config.Cmd),
		}
		for port := range file.Config.ExposedPorts {
			got = append(got, "EXPOSE "+strings.TrimSuffix(port, "/tcp"))
		}
		slices.Sort(got)
		if want := dockerfile(t); !slices.Equal(got, want) {
			t.Errorf("got %q, the Dockerfile has %q", got, want)
		}
		for label, want := range map[string]string{
			"revision": commit,
			"version":  "v1.2.3",
			"created":  "2026-11-29T09:00:01Z",
			"licenses": "MIT",
			"source":   "https://github.com/seed055b7978/delegation",
		} {
			if got := file.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("label %s: got %q, want %q", label, got, want)
			}
		}
		files := untar(t, mutate.Extract(image))
		if files["delegation"] != d.Platform.String() {
			t.Errorf("the image of %s has %q", d.Platform, files["delegation"])
		}
		bundle := files["etc/ssl/certs/ca-certificates.crt"]
		if !x509.NewCertPool().AppendCertsFromPEM([]byte(bundle)) ||
			strings.Count(bundle, "BEGIN CERTIFICATE") < 100 {
			t.Error("the public CAs are missing")
		}
	}
	if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms: %q", platforms)
	}
}

func jsonList(words []string) string {
	return `["` + strings.Join(words, `", "`) + `"]`
}

// dockerfile returns the lines of the Dockerfile that set what an image's configuration has.
func dockerfile(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	for line := range strings.Lines(last) {
		if word, _, _ := strings.Cut(line, " "); word != "COPY" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}

// TestImage_NoLinux: without a program for Linux there is no image.
func TestImage_NoLinux(t *testing.T) {
	out := t.TempDir()
	file, err := writeImage(source{time: committed}, programsOf(t, "darwin/arm64"), out)
	if file != "" || err != nil {
		t.Errorf("%q, %v", file, err)
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
