package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// keySetFile is the name of the key set if its own name does not fit, or is that of another file.
const keySetFile = "jwks.json"

// plainName matches names that a ConfigMap can have as a key (Kubernetes API, ConfigMap).
var plainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[\w-][\w.-]{0,252}\z`)
})

// setUpFile matches the names of Resources.FileName, in lower case.
var setUpFile = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:provider|role-.*)\.(?:yaml|tf)\z`)
})

// TakeKeySet reads the key set of JWKSFile, to write a copy next to the configuration, which then
// names it by its name alone. So the configuration still works where the folder is copied to: in a
// container, on another machine, or in Kubernetes. A file that is in the folder already stays as
// it is.
func (i *Answers) TakeKeySet() error {
	if i.JWKSFile == "" {
		return nil
	}
	text, err := config.ReadBounded(i.JWKSFile, config.MaxFile)
	if err != nil {
		return config.Usagef("--jwks-file: %w", err)
	}
	folder := i.Folder
	if i.AddTo != nil {
		folder = i.AddTo.Folder()
	}
	name := filepath.Base(i.JWKSFile)
	if sameFolder(filepath.Dir(i.JWKSFile), folder) {
		i.JWKSFile = name
		return nil
	}
	if !plainName().MatchString(name) || isMade(name) {
		name = keySetFile
	}
	path := filepath.Join(folder, name)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return config.Usagef("--jwks-file: the key set is copied to %s, which exists: rename one "+
			"of the two", path)
	}
	i.JWKSFile = name
	i.keySet = &File{Path: path, Text: string(text)}
	return nil
}

// isMade tells whether init makes a file of that name. Some file systems do not tell upper case
// from lower case.
func isMade(name string) bool {
	name = strings.ToLower(name)
	made := []string{ConfigurationFile, keyFile, certificateFile, MetadataFile}
	return slices.Contains(made, name) || setUpFile().MatchString(name)
}

// sameFolder tells whether two paths are of one folder.
func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	other, otherErr := os.Stat(b)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}
