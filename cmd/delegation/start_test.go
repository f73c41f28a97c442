package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestServe_StartLine: the log counts what the configuration has, at the start and after a reload.
func TestServe_StartLine(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "")
	s := serveReloadable(t, file)
	counts := func(targets, issuers, rules, keys int) string {
		return fmt.Sprintf(`"configuration":%q,"targets":%d,"issuers":%d,"rules":%d,`+
			`"signing_keys":%d}`, file, targets, issuers, rules, keys)
	}
	var line string
	for l := range strings.Lines(s.logs.String()) {
		if strings.Contains(l, `"msg":"serving"`) {
			line = l
		}
	}
	if !strings.Contains(line, `"tls":false,"version":"`) ||
		!strings.HasSuffix(line, counts(1, 1, 2, 1)+"\n") {
		t.Errorf("the start: %s, want %s", line, counts(1, 1, 2, 1))
	}
	text := string(must(os.ReadFile(file)))
	text = strings.NewReplacer(
		"targets:\n", `targets:
  other: {identity: {entity_id: "urn:other", keys: [{certificate_file: signing.crt,
    key_file: signing.key}]}, principal: "arn:aws:iam::123456789012:saml-provider/other",
    role: "arn:aws:iam::123456789012:role/other", region: eu-central-1,
    issuers: ["https://other.example.com/"]}
`,
		"photo-app: {", fmt.Sprintf("photo-app: {issuers: [%q], ", w.issuerURL),
		"issuers:\n", "issuers:\n  - {url: \"https://other.example.com/\"}\n",
		"rules:\n", "rules:\n  - source_identity_from_claim: sub\n",
	).Replace(text)
	w.write(t, "delegation.yaml", text)
	if line := s.reload(t); !strings.HasSuffix(line, counts(2, 2, 3, 2)+"\n") {
		t.Errorf("after a reload: %s, want %s", line, counts(2, 2, 3, 2))
	}
}
