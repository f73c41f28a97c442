package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// TestTokenFlags_Names: names that look like a token, of a target or of a file, are names. A token
// in their place is refused.
func TestTokenFlags_Names(t *testing.T) {
	const (
		target = "eyJ-application-production.eu-central-1-customers.v2"
		survey = "survey-application-production.eu-central-1-customers.v2"
		never  = ", never "
	)
	w := newWorld(t)
	file := w.configFile(t, "")
	text := strings.ReplaceAll(string(must(os.ReadFile(file))), "  photo-app:",
		"  "+target+": {principal: "+service.DemoPrincipal+", region: "+service.DemoRegion+",\n"+
			"    audiences: [photo-app]}\n"+
			"  photo-app:")
	file = w.write(t, "delegation.yaml", text)
	token := w.token(nil)
	tokenFile := w.write(t, target, token)
	for name, c := range map[string]struct {
		target, file string
		code         int
		want         string // in the error; empty: there is none
		never        bool
	}{
		"names":                 {target: target, file: tokenFile},
		"the name of no target": {survey, tokenFile, 1, `no target "` + survey, false},
		"the name of no file": {"photo-app", filepath.Join(w.folder, survey), 2,
			survey + ": no such file", false},
		"a token for a target":       {token, tokenFile, 2, "--target is the name", true},
		"a header for a target":      {"Bearer " + token, tokenFile, 2, "--target is", true},
		"a token for a file":         {"photo-app", token, 2, "--token-file is the name", true},
		"a token with a line's end":  {"photo-app", token + "\n", 2, "--token-file is", true},
		"a parameter with the token": {"photo-app", "token=" + token, 2, "--token-file is", true},
		"a header of two lines": {"photo-app",
			base64.RawURLEncoding.EncodeToString([]byte("{\n  \"alg\": \"RS256\"}")) +
				token[strings.IndexByte(token, '.'):], 2, "--token-file is", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"exchange", "explain", "roles"} {
				var errs bytes.Buffer
				code := run(t.Context(), []string{command, "-c", file, "-t", c.target, "-f", c.file},
					surroundings{stdout: io.Discard, stderr: &errs})
				if code != c.code || !strings.Contains(errs.String(), c.want) ||
					strings.Contains(errs.String(), never) != c.never {
					t.Errorf("%s: exit code %d: %s", command, code, &errs)
				}
			}
		})
	}
}
