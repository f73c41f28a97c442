package delegation_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
	"unicode/utf8"
)

// blocksOf returns the fenced blocks of a language in a Markdown text. A block in a list is
// returned without its indent.
func blocksOf(text, language string) []string {
	var blocks []string
	fence := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$")
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, regexp.MustCompile("(?m)^"+found[1]).ReplaceAllString(found[2], ""))
	}
	return blocks
}

// maxColumns is how wide a line is at most, so that it fits on a page and in a diff.
const maxColumns = 100

// columns counts a line's columns; a tab is four.
func columns(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    "))
}

// TestReadme_Size: a newcomer reads all of the README, and no line of it in a scroll box.
func TestReadme_Size(t *testing.T) {
	const maxLines = 125
	text := string(must(os.ReadFile("README.md")))
	if n := strings.Count(text, "\n"); n > maxLines {
		t.Errorf("%d lines, at most %d", n, maxLines)
	}
	for line := range strings.Lines(text) {
		if n := columns(line); n > maxColumns {
			t.Errorf("%d columns, at most %d: %s", n, maxColumns, line)
		}
	}
}

// TestReadme_Columns: the text of every page is as narrow. Table rows, URLs and code may be wider.
func TestReadme_Columns(t *testing.T) {
	for _, page := range append(must(filepath.Glob("docs/*.md")), "SECURITY.md") {
		text := fencedBlock.ReplaceAllString(string(must(os.ReadFile(page))), "")
		for line := range strings.Lines(text) {
			wide := strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") ||
				strings.Contains(line, "https://")
			if n := columns(line); n > maxColumns && !wide {
				t.Errorf("%s: %d columns, at most %d: %s", page, n, maxColumns, line)
			}
		}
	}
}

// TestReadme_Picture: the picture of the exchange is well formed, narrow enough for GitHub's page
// with letters that can be read there, described in words, and drawn for light and dark. The narrow
// one, for telephones, says the same.
func TestReadme_Picture(t *testing.T) {
	var said []string
	for file, maxWidth := range map[string]int{
		"docs/exchange.svg":        900,
		"docs/exchange-narrow.svg": 375,
	} {
		text := string(must(os.ReadFile(file)))
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		width := regexp.MustCompile(`viewBox="0 0 (\d+) \d+"`).FindStringSubmatch(text)
		if width == nil || must(strconv.Atoi(width[1])) > maxWidth {
			t.Errorf("%s: the view box is %q", file, width)
		}
		sizes := regexp.MustCompile(`(?:font-size: |font: )(\d+)px`).FindAllStringSubmatch(text, -1)
		if len(sizes) == 0 {
			t.Errorf("%s: no size of letters", file)
		}
		for _, size := range sizes {
			if must(strconv.Atoi(size[1])) < 14 {
				t.Errorf("%s: letters of %s px", file, size[1])
			}
		}
		for _, want := range []string{
			"@media (prefers-color-scheme: dark)", `role="img"`, "<title id=", "<desc id=",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", file, want)
			}
		}
		var words []string
		texts := regexp.MustCompile(`<text[^>]*>([^<]*)<`)
		for _, found := range texts.FindAllStringSubmatch(text, -1) {
			words = append(words, strings.Fields(found[1])...)
		}
		slices.Sort(words)
		said = append(said, strings.Join(words, " "))
	}
	if said[0] != said[1] {
		t.Errorf("the pictures say\n%s\n%s", said[0], said[1])
	}
}

// shell says for each shell block of every page, by its first line, which tests run it. A block
// that no test runs has a reason instead.
var shell = map[string]struct {
	tests  []string
	reason string
}{
	"go get github.com/seed055b7978/delegation": {
		reason: "it asks the module proxy; the path is compared with go.mod's below",
	},
	"go mod edit -replace github.com/seed055b7978/delegation=../delegation": {
		reason: "go mod tidy asks the module proxy",
	},
	`go test -run "^($(grep -oE '(Test|Fuzz)\w+' docs/threat-model.md | paste -sd '|' -))$" ./...`: {
		reason: "go test ./... runs the same tests",
	},
	"go run ./examples/quickstart": {
		tests:  []string{"TestDemonstration"},
		reason: "go test ./... is what runs this test",
	},
	"go run ./cmd/delegation serve --demo": {
		tests: []string{"TestInterop_Readme"},
	},
	"curl -fsS 'http://127.0.0.1:8080/token?user=alice' >token": {
		tests: []string{"TestInterop_Readme"},
	},
	"go run ./cmd/delegation serve --config delegation.yaml": {
		tests: []string{"TestServe"},
	},
	"cd examples/mcp": {
		tests:  []string{"TestDemonstration"},
		reason: "the module examples/mcp has the test",
	},
	`mcp -listen 127.0.0.1:8090 -resource https://files.example.com/mcp \`: {
		tests:  []string{"TestReal_Flags"},
		reason: "the module examples/mcp has the test, with an STS and an S3 in memory",
	},
	"delegation exchange --target photo-app --token-file token --scope photos.read": {
		tests: []string{"TestScript"},
	},
	"delegation explain --config delegation.yaml --target photo-app --token-file token": {
		tests: []string{"TestDocs_Diagnosis"},
	},
	`go run ./cmd/delegation init --issuer https://tenant.example.com/ --client-id photo-app \`: {
		tests: []string{"TestInterop_Readme"},
	},
	`delegation init --provider keycloak --issuer https://sso.example.com/realms/photos \`: {
		tests: []string{"TestInterop_Deploy"},
	},
	"install -D -g 65532 -m 640 -t /etc/delegation \\": {
		tests:  []string{"TestInterop_Deploy"},
		reason: "chroot and setpriv do what the container engine would",
	},
	`docker run --user "$(id -u):$(id -g)" --publish 127.0.0.1:8080:8080 \`: {
		tests:  []string{"TestInterop_Deploy"},
		reason: "chroot and setpriv do what the container engine would",
	},
	"install -m 755 delegation /usr/local/bin/delegation": {
		tests:  []string{"TestInterop_Deploy"},
		reason: "setpriv does what systemd would, with the lines of the unit",
	},
	"install -D -m 644 -t /usr/local/share/man/man1 man/man1/*.1": {
		tests:  []string{"TestInterop_Man", "TestInterop_Reproducible"},
		reason: "the tests write the pages to a folder of their own, and read an archive",
	},
	"mkdir -p deploy/kubernetes/files": {
		tests:  []string{"TestInterop_Deploy"},
		reason: "there is no cluster; the module deploy/kubernetes/check decodes the manifests",
	},
	"GROUP=delegation": {
		tests:  []string{"TestDeploy_Imported"},
		reason: "the test installs into a folder of its own, for its own group",
	},
	"cp -r photos/rules deploy/kubernetes/files": {
		reason: "it copies files; the module deploy/kubernetes/check builds manifests with them",
	},
	"kubectl apply -f deploy/kubernetes/servicemonitor.yaml": {
		reason: "there is no cluster; the module deploy/kubernetes/check decodes it",
	},
	"delegation keygen": {
		tests: []string{"TestDocs_SetUpByHand"},
	},
	`delegation metadata --entity-id urn:tenant.example.com --certificate signing.crt \`: {
		tests: []string{"TestDocs_SetUpByHand"},
	},
	`delegation trust-policy \`: {
		tests: []string{"TestDocs_SetUpByHand"},
	},
	"delegation permission-policy --bucket example-photos --region eu-central-1 > folder.json": {
		tests: []string{"TestDocs_SetUpByHand"},
	},
	"delegation trust-policy --target photo-app > front-trust.json": {
		tests: []string{"TestDocs_RoleChaining"},
	},
	"delegation revoke --target photo-app --source-identity alice@example.com": {
		tests: []string{"TestDocs_RoleChaining"},
	},
	"mkdir next": {
		tests:  []string{"TestReload_Rollover"},
		reason: "the test makes the key, and is no root that may give it away",
	},
	`journalctl -u delegation -o cat | grep '"exchange failed"'`: {
		tests:  []string{"TestOperations_Commands"},
		reason: "the test has no journal, and reads the log itself",
	},
	"curl -s http://127.0.0.1:9464/metrics | grep ^delegation_": {
		tests: []string{"TestServe_MetricsOfADay"},
	},
	"kubectl -n delegation logs deployment/delegation": {
		tests:  []string{"TestOperations_Kubernetes"},
		reason: "it asks a cluster; the test compares the names with the manifests",
	},
	"delegation cloudformation --target photo-app --part provider --out provider.yaml": {
		tests: []string{"TestTwoTargets_Documented"},
	},
	"delegation metadata --out metadata.xml": {
		tests: []string{"TestTwoTargets_Documented"},
	},
	"delegation cloudformation --target docs-app --bucket example-docs --out role-docs-app.yaml": {
		tests: []string{"TestTwoTargets_Documented"},
	},
	"delegation terraform --target docs-app --bucket example-docs --out role-docs-app.tf": {
		tests: []string{"TestTwoTargets_Documented"},
	},
	`openssl rand -hex 32 >admin.token`: {
		tests: []string{"TestIncident"},
	},
	`curl -X POST http://127.0.0.1:9465/revoke \`: {
		tests: []string{"TestIncident"},
	},
	`delegation revoke --target photo-app --subject 'auth0|alice' --commands | sh`: {
		tests: []string{"TestIncident"},
	},
	`delegation metadata --config delegation.yaml >metadata.xml`: {
		tests: []string{"TestIncident"},
	},
	`delegation revoke --target photo-app --everybody --commands | sh`: {
		tests: []string{"TestIncident"},
	},
	`curl -X POST http://127.0.0.1:9465/invalidate \`: {
		tests: []string{"TestIncident"},
	},
	"delegation metadata --out metadata.xml --replace": {
		tests: []string{"TestRollover_Documented"},
	},
	"aws iam update-saml-provider --saml-metadata-document file://metadata.xml \\": {
		tests: []string{"TestRollover_Documented"},
	},
	`delegation init --terraform --issuer https://tenant.example.com/ --client-id CLIENT \`: {
		reason: "it reads the issuer's discovery document; TestInit_Providers runs init with providers",
	},
	`delegation terraform --target photo-album --bucket example-photos --cors \`: {
		reason: "terraform needs an AWS account; TestInterop_Terraform reads such a file",
	},
	"delegation serve --config delegation.yaml": {
		reason: "it needs the account that the commands before set up",
	},
	"terraform apply": {
		tests: []string{"TestRollover_Documented"},
	},
	"delegation cloudformation --part provider --target photo-app --out provider.yaml --replace": {
		tests: []string{"TestRollover_Documented"},
	},
	"delegation metadata --also-certificate auth0.pem --out metadata.xml --replace": {
		tests: []string{"TestRollover_OtherVendor"},
	},
	"timedatectl": {
		reason: "it asks the machine's clock",
	},
	"systemctl status delegation": {
		reason: "it asks systemd about an installed unit",
	},
	"systemctl reload delegation": {
		tests: []string{"TestReload_Rollover", "TestSignals_Hangup"},
	},
	"aws s3api put-bucket-cors --bucket example-photos --cors-configuration file://cors.json": {
		tests: []string{"TestInterop_Browser"},
	},
	"aws kms create-key --key-usage SIGN_VERIFY --key-spec RSA_3072 --description delegation": {
		tests: []string{"TestInterop_KMS"},
	},
	`delegation keygen --signer "awskms:///alias/delegation?region=eu-central-1"`: {
		tests: []string{"TestInterop_KMS"},
	},
	"go install github.com/seed055b7978/delegation/signer/cmd/delegation-signer@latest": {
		reason: "it asks the module proxy; TestProgram_IsFound has the error that says it",
	},
	"gcloud kms keyrings create delegation --location europe-west3": {
		reason: "it makes a key in a Google Cloud project",
	},
	"az keyvault key create --vault-name VAULT --name saml --kty RSA --size 3072 " +
		"--ops sign verify": {
		reason: "it makes a key in an Azure subscription",
	},
	`CGO_ENABLED=1 go install -tags pkcs11 \`: {
		reason: "it asks the module proxy; the module signer tests the error that says it",
	},
	`softhsm2-util --init-token --free --label saml --so-pin "$SO_PIN" --pin "$PIN"`: {
		tests: []string{"TestInterop_SoftHSM"},
	},
	"go run -tags openssl ./examples/openssl": {
		tests: []string{"TestOpenSSL_Run"},
	},
	`cosign verify-blob SHA256SUMS --bundle SHA256SUMS.sigstore.json \`: {
		reason: "nothing is released yet",
	},
	`cosign verify ghcr.io/seed055b7978/delegation:v0.1.0 \`: {
		reason: "nothing is released yet",
	},
	"gh attestation verify delegation_0.1.0_linux_amd64.tar.gz --repo seed055b7978/delegation": {
		reason: "nothing is released yet",
	},
	"git checkout v0.1.0": {
		tests: []string{"TestInterop_Reproducible"},
	},
	"go -C .ci/release test -count=1 -tags interop -run Interop -v .": {
		tests: []string{"TestInterop_Reproducible"},
	},
	"podman load --input delegation_0.1.0_image.tar": {
		reason: "it needs a container engine; TestImage_IsValid reads the layout",
	},
	"skopeo copy --all oci-archive:delegation_0.1.0_image.tar docker://registry.example.com/delegation": {
		reason: "it needs a registry; TestImage_IsValid reads the layout",
	},
	"git ls-remote https://github.com/actions/checkout refs/tags/v6.0.0": {
		reason: "it asks GitHub",
	},
	"aws iam update-saml-provider --saml-provider-arn $arn --assertion-encryption-mode Required": {
		reason: "it changes an AWS account",
	},
	"npm install --global auth0-deploy-cli": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation import-auth0 export --check --domain tenant.auth0.com": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation import-auth0 export --domain tenant.auth0.com " +
		"--secrets secrets.yaml --out photos": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation explain --config photos/delegation.yaml --target CLIENT_ID --token-file token": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"curl -fsS https://tenant.auth0.com/pem --output photos/auth0.pem": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation metadata --config photos/delegation.yaml --out photos/metadata.xml --replace": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation check --config photos/delegation.yaml": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"delegation serve --config photos/delegation.yaml": {
		tests: []string{"TestGuide_MigratingFromAuth0"},
	},
	"aws cognito-identity get-id --no-sign-request --region eu-central-1 \\": {
		reason: "it asks Amazon Cognito",
	},
	`aws s3 sync "s3://example-photos/$IDENTITY_ID/" "s3://example-photos/$SUB/"`: {
		reason: "it changes a bucket; TestInterop_FolderClients runs the same command on folders",
	},
	"AWS_ENDPOINT_URL_STS=https://delegation.example.com/sts/photo-app": {
		tests: []string{"TestSTSClient_SDKForGo", "TestInterop_STS"},
	},
	"umask 077": {
		tests:  []string{"TestInterop_TokenInShell"},
		reason: "the block of docs/encrypted-assertions.md changes an AWS account",
	},
	".ci/run": {
		reason: "it is what CI runs",
	},
	".ci/run quick": {
		reason: "it is a part of what CI runs",
	},
	"cd bench": {
		reason: "CI runs it with -quick, and its numbers are of one machine",
	},
	"cd examples/album": {
		reason: "CI runs the tests of examples/album, which start the same processes",
	},
	"cd examples/gateway": {
		reason: "CI runs it as it is, in its folder",
	},
	`go run . -issuer https://tenant.example.com/ -client YOUR-CLIENT-ID -region us-east-1 \`: {
		reason: "it asks an issuer and AWS",
	},
	`curl -fsS http://127.0.0.1:8080/converse -H "Authorization: Bearer $(cat id-token)" \`: {
		reason: "it asks an issuer and AWS",
	},
	`go run . -issuer https://tenant.example.com/ -client CLIENT -service http://127.0.0.1:8080 \`: {
		reason: "it needs the account that the commands before set up",
	},
	"aws iam update-saml-provider --saml-provider-arn $arn --add-private-key file://reader.key": {
		reason: "it changes an AWS account",
	},
	"aws iam get-saml-provider --saml-provider-arn $arn --query PrivateKeyList": {
		reason: "it changes an AWS account",
	},
}

// TestReadme_Pasted: no shell block has a comment. An interactive zsh, which is the default shell
// of macOS, takes the words of a comment for arguments (zshoptions(1), INTERACTIVE_COMMENTS).
func TestReadme_Pasted(t *testing.T) {
	quoted := regexp.MustCompile(`'[^']*'|"[^"]*"`)
	comment := regexp.MustCompile(`(?m)(^|\s)#.*$`)
	for _, page := range markdownPages(t) {
		for _, block := range blocksOf(string(must(os.ReadFile(page))), "sh") {
			text := quoted.ReplaceAllString(block, "")
			if found := comment.FindString(text); found != "" {
				t.Errorf("%s: a shell block has the comment %q: write it above", page, found)
			}
		}
	}
}

// TestReadme_Unpublished: a command that installs a program of this module says that it fails until
// the module is published. It goes with v0.1.0.
func TestReadme_Unpublished(t *testing.T) {
	installs := regexp.MustCompile(`seed055b7978/delegation/[a-z/-]+@latest`)
	commands := 0
	for _, page := range markdownPages(t) {
		text := string(must(os.ReadFile(page)))
		for _, at := range installs.FindAllStringIndex(text, -1) {
			commands++
			next := text[at[1]:min(at[1]+100, len(text))]
			if !strings.Contains(next, "The module is not published yet.") {
				t.Errorf("%s: after %s nothing says that it fails", page, text[at[0]:at[1]])
			}
		}
	}
	if commands < 3 {
		t.Errorf("only %d commands are found", commands)
	}
}

// TestReadme_Commands: every shell block of every page is run by a test, or has a reason not to be.
func TestReadme_Commands(t *testing.T) {
	tests := allTests(t)
	found := map[string]bool{}
	for _, page := range markdownPages(t) {
		for _, block := range blocksOf(string(must(os.ReadFile(page))), "sh") {
			if strings.HasPrefix(page, "docs/provider-") &&
				strings.HasPrefix(block, "delegation init --provider ") {
				continue // TestInit_Providers runs it
			}
			first, _, _ := strings.Cut(block, "\n")
			found[first] = true
			how, known := shell[first]
			if !known {
				t.Errorf("%s: no test runs this, and nothing says why not:\n%s", page, block)
			}
			if len(how.tests) == 0 && how.reason == "" {
				t.Errorf("%s: neither tests nor a reason: %s", page, first)
			}
			for _, name := range how.tests {
				if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T) {") {
					t.Errorf("%s: there is no %s, which would run %s", page, name, first)
				}
			}
		}
	}
	for _, first := range slices.Sorted(maps.Keys(shell)) {
		if !found[first] {
			t.Errorf("no page has %s", first)
		}
	}
	readme := string(must(os.ReadFile("README.md")))
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(must(os.ReadFile("go.mod")))
	for _, command := range []string{
		"go get " + string(module[1]), "go run ./examples/quickstart", "go test ./...",
	} {
		if !strings.Contains(readme, "\n"+command+"\n") &&
			!strings.Contains(readme, "`"+command+"`") {
			t.Errorf("the README lacks %q", command)
		}
	}
}

// TestReadme_OneTerminal: a shell block can be pasted into one terminal. A command that runs until
// it is stopped is the last of its block, and so is one that measures for minutes.
func TestReadme_OneTerminal(t *testing.T) {
	runsOn := regexp.MustCompile(`^(delegation|go run ./cmd/delegation) serve\b|^go run \.( |$)|` +
		`\bport-forward\b`)
	for _, page := range markdownPages(t) {
		for _, block := range blocksOf(string(must(os.ReadFile(page))), "sh") {
			block = strings.TrimSpace(strings.ReplaceAll(block, "\\\n", " "))
			commands := strings.Split(block, "\n")
			for _, command := range commands[:len(commands)-1] {
				if runsOn.MatchString(strings.TrimSpace(command)) {
					t.Errorf("%s: commands after %q would wait for its end: write another block",
						page, command)
				}
			}
		}
	}
}

// TestReadme_Links: every relative link in every Markdown file leads to a file, and every anchor to
// a heading. Whatever a comment or a configuration calls docs/NAME.md is there.
func TestReadme_Links(t *testing.T) {
	broken, links := brokenLinks(t, os.DirFS("."))
	for _, problem := range broken {
		t.Error(problem)
	}
	if links < 100 {
		t.Errorf("only %d links are found", links)
	}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{".go", ".yaml", ".js"}, path.Ext(name)) {
			return err
		}
		if strings.Contains(name, "node_modules/") || name == "docs_test.go" {
			return nil
		}
		mention := regexp.MustCompile(`\bdocs/([a-z0-9-]+\.md)`)
		text := must(os.ReadFile(name))
		for _, page := range mention.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("docs", string(page[1]))); err != nil {
				t.Errorf("%s names docs/%s, which is not there", name, page[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadme_BrokenLinks: the check of links finds what is broken, and accepts what GitHub accepts.
func TestReadme_BrokenLinks(t *testing.T) {
	good := "# A `b` & c_d\n## Twice\n## Twice\n```sh\n# no heading\n```\n<a id=\"here\"></a>\n"
	for text, want := range map[string]string{
		"[x](other.md)":                            "",
		"[x](docs)":                                "",
		"[x](other.md#a-b--c_d)":                   "",
		"[x](other.md#twice-1)":                    "",
		"[x](other.md#here)":                       "",
		"# Top\n[x](#top)":                         "",
		"[x](https://example.com/none.md#a)":       "",
		"`[x](none.md)` and\n```\n[x](no.md)\n```": "",
		"[x](other.md \"a title\")":                "",
		"[one\ntwo](none.md)":                      "none.md",
		"[x](other.md \"a title\") [y](no.md)":     "no.md",
		"![x](none.svg)":                           "none.svg",
		"<img src=\"none.png\">":                   "none.png",
		"<source srcset=\"none.png\">":             "none.png",
		"[x]\n\n[x]: none.md":                      "none.md",
		"[x](other.md#twice-2)":                    "other.md#twice-2",
		"[x](other.md#no-heading)":                 "other.md#no-heading",
		"[x](other.md#Twice)":                      "other.md#Twice",
		"[x](#nothing)":                            "#nothing",
		"[x](../outside.md)":                       "../outside.md",
		"[x](docs#index)":                          "docs#index",
	} {
		broken, _ := brokenLinks(t, fstest.MapFS{
			"page.md":   {Data: []byte(text + "\n")},
			"other.md":  {Data: []byte(good)},
			"docs/x.go": {},
		})
		if want == "" && len(broken) == 0 {
			continue
		}
		if want == "" || len(broken) != 1 || !strings.HasSuffix(broken[0], " "+want) {
			t.Errorf("%q: got %q, want %q", text, broken, want)
		}
	}
}

// brokenLinks returns a line for each link of a Markdown file that leads nowhere, and the number of
// all relative links.
func brokenLinks(t *testing.T, files fs.FS) (broken []string, links int) {
	t.Helper()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return fs.SkipDir
		}
		if path.Ext(name) != ".md" {
			return nil
		}
		for _, link := range linksOf(string(must(fs.ReadFile(files, name)))) {
			if regexp.MustCompile(`^[a-z]+:`).MatchString(link) {
				continue // another site's
			}
			links++
			if !leadsSomewhere(files, name, link) {
				broken = append(broken, fmt.Sprintf("%s: broken link: %s", name, link))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return broken, links
}

var (
	fencedBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan    = regexp.MustCompile("`[^`\n]*`")
	anyLink     = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)` + // [text](link) and ![text](link)
		`|\b(?:href|src|srcset)="([^"]+)"` +
		`|(?m:^\[[^\]]+\]:\s+(\S+))`) // [name]: link
)

// linksOf returns the links of a Markdown text, without those in code.
func linksOf(text string) []string {
	text = fencedBlock.ReplaceAllString(text, "")
	text = codeSpan.ReplaceAllString(text, "")
	var links []string
	for _, found := range anyLink.FindAllStringSubmatch(text, -1) {
		links = append(links, found[1]+found[2]+found[3])
	}
	return links
}

// leadsSomewhere says whether a file's link names a file or folder, and its anchor a heading.
func leadsSomewhere(files fs.FS, from, link string) bool {
	target, anchor, anchored := strings.Cut(link, "#")
	file := from
	if target != "" {
		file = path.Join(path.Dir(from), target)
	}
	if !fs.ValidPath(file) {
		return false // outside of the repository
	}
	if _, err := fs.Stat(files, file); err != nil {
		return false
	}
	if !anchored {
		return true
	}
	if path.Ext(file) != ".md" {
		return false
	}
	return slices.Contains(anchorsOf(string(must(fs.ReadFile(files, file)))), anchor)
}

// anchorsOf returns the anchors of a Markdown text as GitHub makes them: a heading in lower case,
// without punctuation, with hyphens for spaces, and numbered from the second of its kind.
func anchorsOf(text string) []string {
	text = fencedBlock.ReplaceAllString(text, "")
	var anchors []string
	times := map[string]int{}
	headings := regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	for _, heading := range headings.FindAllStringSubmatch(text, -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.In(r, unicode.L, unicode.M, unicode.N):
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(title)))
		times[anchor]++
		if n := times[anchor]; n > 1 {
			anchor = fmt.Sprintf("%s-%d", anchor, n-1)
		}
		anchors = append(anchors, anchor)
	}
	named := regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	for _, id := range named.FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, id[1])
	}
	return anchors
}

// TestReadme_Index: docs/README.md answers "I want to …" and leads to every page, and the README
// leads to it.
func TestReadme_Index(t *testing.T) {
	index := string(must(os.ReadFile("docs/README.md")))
	links := map[string]bool{}
	for _, link := range linksOf(index) {
		file, _, _ := strings.Cut(link, "#")
		links[file] = true
	}
	for _, page := range must(filepath.Glob("docs/*.md")) {
		if name := filepath.Base(page); name != "README.md" && !links[name] {
			t.Errorf("no line of docs/README.md leads to %s", name)
		}
	}
	rows := regexp.MustCompile(`(?m)^\| [a-z].* \| .*\]\(.*\) \|$`).FindAllString(index, -1)
	if len(rows) < 20 {
		t.Errorf("%d lines", len(rows))
	}
	if !slices.Contains(linksOf(string(must(os.ReadFile("README.md")))), "docs/README.md") {
		t.Error("the README does not lead to docs/README.md")
	}
}

// TestReadme_Dependencies: docs/dependencies.md has a reason for every direct dependency, and for
// nothing else.
func TestReadme_Dependencies(t *testing.T) {
	page := string(must(os.ReadFile("docs/dependencies.md")))
	library, signer, found := strings.Cut(page, "\n## The module signer\n")
	if !found {
		t.Fatal("docs/dependencies.md does not have the module signer")
	}
	checkDependencies(t, library, "go.mod")
	checkDependencies(t, signer, "signer/go.mod")
}

func checkDependencies(t *testing.T, page, module string) {
	t.Helper()
	documented := map[string]bool{}
	rows := regexp.MustCompile("(?m)^\\| (`[^|]*) \\| [^|]{5,} \\|$")
	for _, row := range rows.FindAllStringSubmatch(page, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = true
		}
	}
	for _, m := range requirement.FindAllStringSubmatch(string(must(os.ReadFile(module))), -1) {
		if m[2] != "" {
			continue // indirect
		}
		name := strings.TrimPrefix(m[1], "github.com/")
		if !documented[name] {
			t.Errorf("docs/dependencies.md has no reason for %s of %s", name, module)
		}
		delete(documented, name)
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		t.Errorf("%s of docs/dependencies.md is no direct dependency of %s", name, module)
	}
}
