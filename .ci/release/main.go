// Command release builds the files of a release: binaries in archives, the image as an OCI layout,
// and a file of checksums. Each build of a commit gives the same bytes. It needs Go and git, and no
// container engine. It publishes nothing.
//
//	go -C .ci/release run . -out /tmp/release
//
// docs/releasing.md says how to make and verify a release.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// platforms are what a release is built for, as GOOS/GOARCH.
const platforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	var o options
	var list string
	flag.StringVar(&o.source, "source", "../..", "`folder` of the checkout, without changes")
	flag.StringVar(&o.out, "out", "", "`folder` for the results, which must not exist")
	flag.StringVar(&o.version, "version", "", "fail unless this is the `version` that git "+
		"gives the checkout, such as v0.1.0")
	flag.StringVar(&list, "platforms", platforms, "`list` of GOOS/GOARCH")
	flag.Parse()
	if flag.NArg() > 0 || o.out == "" {
		flag.Usage()
		os.Exit(2)
	}
	o.platforms = strings.Split(list, ",")
	if err := release(o); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

type options struct {
	source, out, version string
	platforms            []string
}

// release builds everything into o.out:
//
//	delegation_VERSION_OS_ARCH.tar.gz, .zip for Windows
//	delegation_VERSION_image.tar    the OCI layout in one file
//	image/                          the same OCI layout as a folder
//	SHA256SUMS                      of the archives and the file of the image
func release(o options) error {
	out, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists: remove it, or choose another folder with -out", out)
	}
	from, err := readSource(o.source)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	programs, err := buildAll(from, o.platforms, work)
	if err != nil {
		return err
	}
	version := programs[0].version
	if err := o.checkVersion(version); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	manual, err := buildManual(from, work)
	if err != nil {
		return err
	}
	var files []string
	for _, p := range programs {
		file, err := writeArchive(from, p, manual, out)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	image, err := writeImage(from, programs, out)
	if err != nil {
		return err
	}
	if image != "" {
		files = append(files, image)
	}
	return writeChecksums(files, filepath.Join(out, "SHA256SUMS"))
}

// checkVersion refuses binaries whose version differs from the requested one. Go takes the version
// from the checkout's tags.
func (o options) checkVersion(built string) error {
	if o.version == "" || built == o.version {
		return nil
	}
	return fmt.Errorf("the binaries say version %s, not %s: check out the tag %s, with all "+
		"tags fetched", built, o.version, o.version)
}
