package signer

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

// minSecret is the minimum length of a PIN, in characters (SoftHSM2 and Cryptoki tokens require
// four).
const minSecret = 4

// redactor removes PINs from a program's output. The program itself must not write any, but C
// libraries that it loads may.
type redactor struct{ secrets []string }

// newRedactor collects the PIN in the file that the URI's pin-source names, and those in the
// environment.
func newRedactor(uri string) redactor {
	var r redactor
	for _, field := range strings.FieldsFunc(uri, func(c rune) bool {
		return strings.ContainsRune("?&;", c)
	}) {
		source, found := strings.CutPrefix(field, "pin-source=")
		path, err := url.PathUnescape(source)
		if !found || err != nil {
			continue
		}
		path = strings.TrimPrefix(strings.TrimPrefix(path, "file:"), "//")
		r.add(firstBytes(path))
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasSuffix(name, "PIN") {
			r.add(value)
		}
	}
	// Longest first. Otherwise, if one PIN is a prefix of another, the rest of the longer one would
	// remain.
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	return r
}

// firstBytes reads the beginning of a regular file. It leaves pipes to the program: opening one may
// block forever, and what is read from it is gone.
func firstBytes(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	var text bytes.Buffer
	_, _ = io.CopyN(&text, file, 1024)
	return text.String()
}

func (r *redactor) add(secret string) {
	if secret = strings.TrimSpace(secret); len(secret) >= minSecret {
		r.secrets = append(r.secrets, secret)
	}
}

// clean returns the text without the PINs.
func (r redactor) clean(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, "[PIN]")
	}
	return text
}
