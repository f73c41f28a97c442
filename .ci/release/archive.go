package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file or, if its name ends with a slash, a folder of an archive.
type entry struct {
	name string
	mode int64
	data []byte
}

// enclosed are the files of the checkout that an archive contains in addition to the binaries.
var enclosed = []string{
	"LICENSE",
	"README.md",
	"CHANGELOG.md",
	"cmd/delegation/delegation.example.yaml",
}

// writeArchive writes the archive of one platform and returns its file. Windows has no man, so its
// archives have no manual pages.
func writeArchive(from source, p program, manual []entry, out string) (string, error) {
	binary, err := os.ReadFile(p.file)
	if err != nil {
		return "", err
	}
	signer, err := os.ReadFile(p.signer)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("delegation_%s_%s_%s", strings.TrimPrefix(p.version, "v"), p.os, p.arch)
	entries := []entry{
		{name + "/", 0o755, nil},
		{name + "/" + p.name, 0o755, binary},
		{name + "/" + p.signerName, 0o755, signer},
	}
	also := enclosed
	if p.os == "linux" {
		also = append(slices.Clone(also), "deploy/systemd/delegation.service")
	}
	for _, file := range also {
		text, err := os.ReadFile(filepath.Join(from.folder, filepath.FromSlash(file)))
		if err != nil {
			return "", err
		}
		entries = append(entries, entry{name + "/" + path.Base(file), 0o644, text})
	}
	if p.os != "windows" {
		for _, page := range manual {
			entries = append(entries, entry{name + "/" + page.name, page.mode, page.data})
		}
	}
	var b bytes.Buffer
	pack := packTarGzip
	file := filepath.Join(out, name+".tar.gz")
	if p.os == "windows" {
		pack = packZip
		file = filepath.Join(out, name+".zip")
	}
	if err := pack(&b, entries, from.time); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, b.Bytes(), 0o644)
}

// packTar writes no user names or numbers, and the same time for each entry.
func packTar(w io.Writer, entries []entry, modified time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		header := &tar.Header{
			Typeflag: tar.TypeReg,
			Name:     e.name,
			Mode:     e.mode,
			Size:     int64(len(e.data)),
			ModTime:  modified,
			Format:   tar.FormatUSTAR,
		}
		if strings.HasSuffix(e.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return t.Close()
}

// packTarGzip compresses with Go's own gzip, whose header has neither name nor time here.
func packTarGzip(w io.Writer, entries []entry, modified time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := packTar(z, entries, modified); err != nil {
		return err
	}
	return z.Close()
}

func packZip(w io.Writer, entries []entry, modified time.Time) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: modified}
		header.SetMode(os.FileMode(e.mode))
		if strings.HasSuffix(e.name, "/") {
			header.Method = zip.Store
			header.SetMode(os.ModeDir | os.FileMode(e.mode))
		}
		f, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := f.Write(e.data); err != nil {
			return err
		}
	}
	return z.Close()
}

// writeChecksums writes what sha256sum --check reads.
func writeChecksums(files []string, to string) error {
	var b strings.Builder
	slices.Sort(files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), filepath.Base(file))
	}
	return os.WriteFile(to, []byte(b.String()), 0o644)
}
