package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/credentialfile"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// renewWithin is how long before credentials expire exchange --cache asks for new ones. If that
// fails for another reason than a refusal of the user, the old ones still serve.
const renewWithin = 5 * time.Minute

// credentialCache is the cache of exchange --cache, for one token and target.
type credentialCache struct {
	store *credentialfile.Store
	key   credentialfile.Key
	now   func() time.Time
}

// cacheFolder is the folder of --cache-dir, or else that of the XDG Base Directory Specification.
func (s surroundings) cacheFolder(chosen string) (string, error) {
	if chosen != "" {
		return chosen, nil
	}
	if folder := s.variable("XDG_CACHE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "delegation"), nil
	}
	if home := s.variable("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "delegation"), nil
	}
	return "", config.Usage(errors.New(
		"--cache needs --cache-dir FOLDER: XDG_CACHE_HOME and HOME are not set"))
}

// openCache opens the cache for a token and a target. The key holds all that an exchange depends
// on, other than files that the configuration names: an entry has those.
func (s surroundings) openCache(
	f *exchangeFlags, token string, loaded *config.Settings, from *config.Source,
) (*credentialCache, error) {
	folder, err := s.cacheFolder(f.cacheDir)
	if err != nil {
		return nil, err
	}
	now := s.clockFunc()
	store, err := credentialfile.Open(folder, now)
	if err != nil {
		return nil, config.Usagef("--cache: %w", err)
	}
	return &credentialCache{store, s.cacheKey(f, token, loaded, from), now}, nil
}

// cacheKey is the hash of the token, the target, its role, the one that was asked for, and the
// configuration.
func (s surroundings) cacheKey(
	f *exchangeFlags, token string, loaded *config.Settings, from *config.Source,
) credentialfile.Key {
	sum := sha256.New()
	tokenHash := sha256.Sum256([]byte(token))
	part(sum, tokenHash[:])
	part(sum, []byte(f.target))
	part(sum, []byte(loaded.Targets[f.target].Role))
	part(sum, []byte(f.role))
	file, err := filepath.Abs(f.configFile)
	if err != nil {
		file = f.configFile
	}
	part(sum, []byte(file))
	part(sum, contentOf(from.Files()))
	// What else the program and its environment say of an exchange.
	for _, variable := range slices.Sorted(slices.Values(s.environment)) {
		if strings.HasPrefix(variable, config.EnvironmentPrefix) || isOfSTS(variable) {
			part(sum, []byte(variable))
		}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		part(sum, []byte(build.Main.Version))
	}
	if key := f.narrowingFlags.key(); key != "" {
		part(sum, []byte(key))
	}
	return credentialfile.Key(sum.Sum(nil))
}

// isOfSTS tells whether a variable says where STS is called.
func isOfSTS(variable string) bool {
	return strings.HasPrefix(variable, "AWS_ENDPOINT_URL") ||
		strings.HasPrefix(variable, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=") ||
		strings.HasPrefix(variable, "AWS_USE_")
}

// part adds a text with its length, so that no two lists of texts give the same hash.
func part(sum hash.Hash, text []byte) {
	fmt.Fprintf(sum, "%d ", len(text)) // a hash takes everything
	sum.Write(text)
}

// contentOf is one hash of the content of files, which tells nothing of any of them.
func contentOf(files service.Files) []byte {
	sum := sha256.New()
	for _, path := range sortedPaths(files) {
		part(sum, []byte(path))
		content := files[path]
		part(sum, content[:])
	}
	return sum.Sum(nil)
}

func sortedPaths(files service.Files) []string {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// find returns what is kept, if it has not expired and the files of the configuration have not
// changed. fresh tells that it need not be renewed yet.
func (c *credentialCache) find() (kept *delegation.Credentials, fresh bool, err error) {
	entry, found, err := c.store.Find(c.key)
	if err != nil || !found {
		return nil, false, err
	}
	files := service.Files{}
	for _, path := range entry.Sources {
		files[path] = service.ContentOf(path)
	}
	if !slices.Equal(contentOf(files), entry.Digest) {
		return nil, false, nil
	}
	kept, err = readKept(entry.Credentials)
	if err != nil {
		return nil, false, nil // an older form
	}
	return kept, entry.Expiration.Sub(c.now()) > renewWithin, nil
}

// keep writes credentials that were made of the files.
func (c *credentialCache) keep(credentials *delegation.Credentials, files service.Files) error {
	text, err := writeKept(credentials)
	if err != nil {
		return err
	}
	return c.store.Keep(c.key, credentialfile.Entry{
		Expiration:  credentials.Expiration,
		Sources:     sortedPaths(files),
		Digest:      contentOf(files),
		Credentials: text,
	})
}

// cached returns the credentials of the cache, or those of obtain, which it keeps. One process at a
// time works for a token and target: the others wait, and find what it kept.
func (c *credentialCache) cached(
	ctx context.Context,
	obtain func() (*delegation.Credentials, service.Files, error),
) (*delegation.Credentials, error) {
	unlock, err := c.store.Lock(ctx, c.key)
	if err != nil {
		return nil, fmt.Errorf("--cache: %w", err)
	}
	defer unlock()
	kept, fresh, err := c.find()
	if err != nil {
		return nil, fmt.Errorf("--cache: %w", err)
	}
	if fresh {
		return kept, nil
	}
	made, files, err := obtain()
	if err != nil {
		if kept != nil && outlives(err) {
			return kept, nil
		}
		return nil, err
	}
	if err := c.keep(made, files); err != nil {
		return nil, fmt.Errorf("--cache: %w", err)
	}
	return made, nil
}

// outlives tells whether credentials that have not expired serve on after an error: after one of
// the token, which has perhaps expired, and where a service is away. After the refusal of a rule
// they do not.
func outlives(err error) bool {
	var e *delegation.Error
	return errors.As(err, &e) && (e.Retryable || e.Code == delegation.CodeTokenExpired)
}

// keptCredentials are credentials with their secrets, for a file that only the user may read.
type keptCredentials struct {
	delegation.Credentials
	SecretAccessKey string
	SessionToken    string
}

func writeKept(c *delegation.Credentials) ([]byte, error) {
	return json.Marshal(keptCredentials{*c, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal()})
}

func readKept(text []byte) (*delegation.Credentials, error) {
	var kept keptCredentials
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, err
	}
	c := kept.Credentials
	c.SecretAccessKey = delegation.NewSecret(kept.SecretAccessKey)
	c.SessionToken = delegation.NewSecret(kept.SessionToken)
	if c.AccessKeyID == "" || kept.SecretAccessKey == "" || kept.SessionToken == "" {
		return nil, errors.New("the credentials are incomplete")
	}
	return &c, nil
}
