//go:build interop

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// setupFiles writes what a command writes of targets with all that a target can have.
func setupFiles(t *testing.T, command, extension string) (files map[string]string) {
	files = map[string]string{}
	w := newWorld(t)
	more := "  - tags_from_claims: {mail: email}\n  - source_identity_from_claim: email\n"
	config := w.configFile(t, "", "session_duration: 4h",
		`role: "arn:aws:iam::123456789012:role/teams/photo-user"`, "tags: {team: press}")
	text := strings.Replace(string(must(os.ReadFile(config))), "rules:\n", "rules:\n"+more, 1)
	text += "http: {allowed_origins: [\"https://app.example.com\"]}\n"
	text = strings.Replace(text, "entity_id: urn:tenant.example.com",
		`entity_id: "urn:<a href=\"$x\">%{b} \u00e9"`, 1)
	config = w.write(t, "odd.yaml", text)
	template := w.write(t, "policy.json",
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": "*",
		"Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${saml:sub}", "a\nb", "%{c}"]}, "Bool": {"aws:SecureTransport": true}}}]}`)
	for name, flags := range map[string][]string{
		"nothing": nil, "bucket": {"--bucket", "example-photos"},
		"template": {"--template", template}, "provider": {"--part", "provider"},
		"existing": {"--existing-provider", "--bucket", "example-photos"},
		"pages":    {"--bucket", "example-photos", "--cors"},
	} {
		file := filepath.Join(w.folder, name+extension)
		said(t,
			append([]string{command, "-c", config, "-t", "photo-app", "--out", file}, flags...)...)
		files[name] = file
	}
	return files
}

// TestInterop_CfnLint: the linter with CloudFormation's own schemas finds nothing, not even to warn
// of. It is no Debian package: where it is missing, the tests that read templates back have to do.
func TestInterop_CfnLint(t *testing.T) {
	files := setupFiles(t, "cloudformation", ".yaml")
	if _, err := exec.LookPath("cfn-lint"); err != nil {
		t.Log("cfn-lint is missing (pip install cfn-lint): templates are only read back")
		readCloudFormation(t, newAccount("123456789012", "aws"),
			string(must(os.ReadFile(files["provider"]))),
			string(must(os.ReadFile(files["bucket"]))))
		return
	}
	for _, file := range files {
		code, out, said := program(t, nil, "", "cfn-lint", "--include-checks", "I", "--", file)
		if code != 0 || out != "" {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
	}
	broken := strings.Replace(string(must(os.ReadFile(files["bucket"]))), "RoleName", "RolName", 1)
	if err := os.WriteFile(files["bucket"], []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := program(t, nil, "", "cfn-lint", "--", files["bucket"])
	if code == 0 || !strings.Contains(out, "RolName") {
		t.Errorf("a property that CloudFormation does not know passes: exit code %d: %s", code, out)
	}
}

// TestInterop_Terraform: Terraform reads the files, and would not write them otherwise. It is no
// Debian package: where it is missing, the tests that read them with Terraform's parser have to do.
func TestInterop_Terraform(t *testing.T) {
	files := setupFiles(t, "terraform", ".tf")
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Log("terraform is missing: files are only read back")
		readTerraform(t, newAccount("123456789012", "aws"), "",
			string(must(os.ReadFile(files["provider"]))),
			string(must(os.ReadFile(files["bucket"]))))
		return
	}
	for n, file := range must(filepath.Glob(filepath.Join(theModule, "*.tf"))) {
		files[fmt.Sprintf("module %d", n)] = file
	}
	environment := []string{"CHECKPOINT_DISABLE=1"} // no call for news of versions
	for _, file := range files {
		text := string(must(os.ReadFile(file)))
		code, out, said := program(t, environment, text, "terraform", "fmt", "-check", "-diff", "-")
		if code != 0 || out != "" {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
		code, _, _ = program(t, environment, strings.Replace(text, "\n  ", "\n    ", 1),
			"terraform", "fmt", "-check", "-")
		if code == 0 {
			t.Error("a file that is not formatted passes")
		}
	}
}
