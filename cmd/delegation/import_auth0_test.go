package main

import (
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

// importedRole is what the rule AWS role of the example export takes from configuration.
const importedRole = "arn:aws:iam::123456789012:role/photo-editor"

// TestImportAuth0_FiveCommands leads from the example export to credentials, with the commands that
// import-auth0 prints: five in all. The aws CLI and curl are played by this test, with the
// arguments of the printed commands. The issuer is a TLS server on loopback.
func TestImportAuth0_FiveCommands(t *testing.T) {
	w := newBareWorld(t, t.TempDir())
	w.provider = must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()}))
	issuer := httptest.NewTLSServer(w.provider)
	t.Cleanup(issuer.Close)
	w.provider.SetIssuer(issuer.URL + "/")
	environment := []string{
		"SSL_CERT_FILE=" + w.write(t, "ca.pem", string(pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw}))),
		"DELEGATION_STS_ENDPOINT=" + w.awsURL, "DELEGATION_LISTEN=127.0.0.1:0",
	}
	secrets := w.write(t, "secrets.yaml", "AWS_ROLE: "+importedRole+"\n")
	out := filepath.Join(w.folder, "photos")

	commands := []string{"delegation import-auth0 internal/auth0export/testdata/tenant-yaml " +
		"--domain " + strings.TrimPrefix(issuer.URL, "https://") +
		" --region eu-central-1 --secrets " + secrets + " --out " + out}
	printed := typed(t, environment, commands[0])
	for line := range strings.Lines(printed) {
		if command, ok := strings.CutPrefix(line, "  "); ok && !strings.HasPrefix(command, " ") &&
			strings.ContainsAny(command, "/") {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if len(commands) != 5 {
		t.Fatalf("%d commands, want 5: %q", len(commands), commands)
	}
	exchanged := false
	for _, command := range commands[1:] {
		words := strings.Fields(command)
		switch words[0] + " " + words[1] {
		case "aws iam":
			w.updateSAMLProvider(t, words)
		case "delegation check":
			typed(t, environment, command)
		case "delegation serve":
			w.exchangeAsPrinted(t, start(t, environment, words[1:]...), commands[4])
			exchanged = true
		}
	}
	if !exchanged {
		t.Errorf("no command serves: %q", commands)
	}
}

// typed runs a command of the program in a process of its own, which must end well, and returns
// what it prints.
func typed(t *testing.T, environment []string, line string) string {
	t.Helper()
	command := exec.Command(binary(t), strings.Fields(line)[1:]...)
	command.Env = append(os.Environ(), environment...)
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, printed)
	}
	return string(printed)
}

// updateSAMLProvider is aws iam update-saml-provider, and makes the role that trusts the provider.
func (w *world) updateSAMLProvider(t *testing.T, words []string) {
	t.Helper()
	arguments := map[string]string{}
	for i := 3; i+1 < len(words); i += 2 {
		arguments[words[i]] = words[i+1]
	}
	principal := arguments["--saml-provider-arn"]
	file := strings.TrimPrefix(arguments["--saml-metadata-document"], "file://")
	if err := w.aws.PutSAMLProvider(principal, must(os.ReadFile(file))); err != nil {
		t.Fatal(err)
	}
	err := w.aws.PutRole(ststest.Role{ARN: importedRole, TrustPolicy: `{
		"Version": "2012-10-17",
		"Statement": [{
			"Effect": "Allow",
			"Principal": {"Federated": "` + principal + `"},
			"Action": "sts:AssumeRoleWithSAML"
		}]
	}`})
	if err != nil {
		t.Fatal(err)
	}
}

// exchangeAsPrinted sends what the printed command for curl sends, and wants credentials of the
// role that the second rule chose.
func (w *world) exchangeAsPrinted(t *testing.T, service *served, command string) {
	t.Helper()
	form := url.Values{}
	for _, part := range strings.Split(command, " -d ")[1:] {
		name, value, _ := strings.Cut(strings.Trim(part, `"`), "=")
		if value == "$(cat token)" {
			value = w.token(map[string]any{"aud": "photo-app"})
		}
		form.Set(name, value)
	}
	response := must(client(nil).PostForm(service.url+"/delegation", form))
	defer response.Body.Close()
	var answer struct {
		Credentials     struct{ AccessKeyId string }
		AssumedRoleUser struct{ Arn string }
	}
	err := json.NewDecoder(response.Body).Decode(&answer)
	if err != nil || response.StatusCode != 200 || answer.Credentials.AccessKeyId == "" {
		t.Fatalf("%s, %v: %s", response.Status, err, service.logs)
	}
	want := strings.Replace(importedRole, ":iam:", ":sts:", 1)
	want = strings.Replace(want, ":role/", ":assumed-role/", 1) + "/"
	if !strings.HasPrefix(answer.AssumedRoleUser.Arn, want) {
		t.Errorf("the session is %s, want %s", answer.AssumedRoleUser.Arn, want)
	}
}

// TestImportAuth0_Example: the rules of examples/auth0-rules are what the import writes of the
// export next to them. The example's own test runs them.
func TestImportAuth0_Example(t *testing.T) {
	const example = "../../examples/auth0-rules"
	out := filepath.Join(t.TempDir(), "out")
	stdout := newOutput()
	stderr := newOutput()
	code := run(t.Context(), []string{"import-auth0", example + "/export", "--out", out},
		surroundings{
			stdout: stdout,
			stderr: stderr,
			newKey: func(string, int, time.Time, time.Duration) ([]byte, []byte, error) {
				certificate, key := delegationtest.SigningKeyPEM()
				return certificate, key, nil
			},
		})
	const summary = "7 rules: 3 run as they are, 3 need something, 1 is disabled.\n"
	if code != 0 || !strings.HasPrefix(stdout.String(), summary) {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	want := readFolder(t, filepath.Join(example, "rules"))
	if got := readFolder(t, filepath.Join(out, "rules")); len(got) < 6 || !maps.Equal(got, want) {
		t.Errorf("the import writes %q, and the example has %q",
			slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if off := readFolder(t, filepath.Join(out, "disabled")); len(off) != 1 ||
		off["07-admin-for-all.js"] == "" {
		t.Errorf("disabled: %q", off)
	}
}

// readFolder is the text of each file of a folder, by name.
func readFolder(t *testing.T, folder string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, entry := range must(os.ReadDir(folder)) {
		texts[entry.Name()] = string(must(os.ReadFile(filepath.Join(folder, entry.Name()))))
	}
	return texts
}
