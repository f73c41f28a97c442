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

// renewWithin is how long before the expiry exchange --cache requests new credentials. If that
// request fails, the cached ones remain in use, unless the user was refused.
const renewWithin = 5 * time.Minute

// credentialCache is the cache of exchange --cache for one token and target.
type credentialCache struct {
	store *credentialfile.Store
	key   credentialfile.Key
	now   func() time.Time
}

// cacheFolder is the folder of --cache-dir. Without the flag it is the folder that the XDG Base
// Directory Specification defines.
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

// openCache opens the cache for a token and a target. The key covers all that an exchange depends
// on, except the files that the configuration names. An entry records those itself.
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

// cacheKey is the hash of all that identifies an exchange: the token, the target, its role, the
// requested role, the configuration, the environment and the version of the program.
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
	// The rest of what an exchange depends on: environment, version and narrowing.
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

// isOfSTS tells whether a variable affects where STS is called.
func isOfSTS(variable string) bool {
	return strings.HasPrefix(variable, "AWS_ENDPOINT_URL") ||
		strings.HasPrefix(variable, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=") ||
		strings.HasPrefix(variable, "AWS_USE_")
}

// part adds a text with its length, so that different lists of texts never give the same hash.
func part(sum hash.Hash, text []byte) {
	fmt.Fprintf(sum, "%d ", len(text)) // writing to a hash never fails
	sum.Write(text)
}

// contentOf returns one hash of the content of all files, from which no content can be derived.
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

// find returns the cached credentials if they have not expired and the configuration's files have
// not changed. fresh tells that they need no renewal yet.
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
		return nil, false, nil // written in an older format
	}
	return kept, entry.Expiration.Sub(c.now()) > renewWithin, nil
}

// keep caches credentials, with the files that they were made from.
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

// cached returns the cached credentials, or calls obtain and caches its result. Only one process at
// a time does this for a token and target. The others wait, and then find its result.
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

// outlives tells whether cached credentials remain in use after an error. They do if the error is
// retryable or the token has expired, but not if a rule refused.
func outlives(err error) bool {
	var e *delegation.Error
	return errors.As(err, &e) && (e.Retryable || e.Code == delegation.CodeTokenExpired)
}

// keptCredentials are credentials with their secrets in plain text, for a file that only the user
// may read.
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
