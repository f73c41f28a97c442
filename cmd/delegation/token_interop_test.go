//go:build interop

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestInterop_TokenInShell types the commands of docs/token-exchange.md up to the AWS CLI: curl's
// answer becomes credentials.
func TestInterop_TokenInShell(t *testing.T) {
	needs(t, "curl", "curl")
	needs(t, "jq", "jq")
	page := string(must(os.ReadFile("../../docs/token-exchange.md")))
	_, section, _ := strings.Cut(page, "\n## Call it from a shell\n")
	_, block, _ := strings.Cut(section, "```sh\n")
	script, _, found := strings.Cut(block, "aws sts get-caller-identity")
	if !found {
		t.Fatal("docs/token-exchange.md has no such commands")
	}
	w := newAnswersWorld(t)
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|zoe"}))
	script = strings.ReplaceAll(script, "https://delegation.example.com", w.urls[full])
	script += `jq -n '{id: env.AWS_ACCESS_KEY_ID, key: env.AWS_SECRET_ACCESS_KEY,
		token: env.AWS_SESSION_TOKEN}'`
	code, out, said := program(t, nil, "", "bash", "-ec", "cd "+w.folder+"\n"+script)
	var got struct{ ID, Key, Token string }
	if code != 0 || json.Unmarshal([]byte(out), &got) != nil ||
		!strings.HasPrefix(got.ID, "ASIA") || got.Key == "" || got.Token == "" {
		t.Errorf("exit code %d: %s", code, said)
	}
}
