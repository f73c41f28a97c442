package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/ststest"
)

// TestDocs_SetUpByHand takes the four steps of docs/aws-cli.md: the delegation commands run as they
// are written, and an STS in memory gets what the aws commands send to IAM. An exchange then goes
// through. The commands of docs/aws-console.md are the same, without those for aws.
func TestDocs_SetUpByHand(t *testing.T) {
	commands := documentedCommands(t, "docs/aws-cli.md", "## Steps")
	console := documentedCommands(t, "docs/aws-console.md", "## 1. Write the files")
	withoutAWS := slices.DeleteFunc(slices.Clone(commands), func(command string) bool {
		return strings.HasPrefix(command, "aws ")
	})
	if !slices.Equal(console, withoutAWS) {
		t.Errorf("docs/aws-console.md has\n%q\nand docs/aws-cli.md\n%q", console, withoutAWS)
	}
	w := newBareWorld(t, t.TempDir())
	t.Chdir(w.folder)
	const account = "arn:aws:iam::123456789012:"
	var took []string
	for _, command := range commands {
		words := strings.Fields(command)
		took = append(took, words[0]+" "+words[1])
		if words[0] == "delegation" {
			output := ""
			if n := len(words); n > 2 && words[n-2] == ">" {
				output = words[n-1]
				words = words[:n-2]
			}
			text, _ := said(t, words[1:]...)
			if output != "" {
				w.write(t, output, text)
			}
			continue
		}
		var err error
		switch words[2] {
		case "create-saml-provider":
			err = w.aws.PutSAMLProvider(account+"saml-provider/"+flagOf(t, words, "--name"),
				[]byte(fileOf(t, words, "--saml-metadata-document")))
		case "create-role":
			err = w.aws.PutRole(ststest.Role{
				ARN:         account + "role/" + flagOf(t, words, "--role-name"),
				TrustPolicy: fileOf(t, words, "--assume-role-policy-document"),
			})
		case "put-role-policy":
			policy := fileOf(t, words, "--policy-document")
			if !strings.Contains(policy, "${saml:sub}") {
				t.Errorf("the policy is %s", policy)
			}
		default:
			t.Errorf("nobody here knows what it does: %s", command)
		}
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	want := "delegation keygen, delegation metadata, aws iam, delegation trust-policy, aws iam, " +
		"delegation permission-policy, aws iam"
	if got := strings.Join(took, ", "); got != want {
		t.Errorf("the steps are %s, want %s", got, want)
	}
	config := w.configFile(t, "")
	config = w.write(t, "delegation.yaml", strings.ReplaceAll(
		string(must(os.ReadFile(config))), "role/photo-editor", "role/photo-user"))
	token := w.write(t, "token", w.token(nil))
	out, _ := said(t, "exchange", "--config", config, "--target", "photo-app",
		"--token-file", token)
	if !strings.Contains(out, `"AccessKeyId"`) {
		t.Errorf("the exchange prints %s", out)
	}
}

// documentedCommands are the commands of a section of a page, in order, each on one line and
// without its comment.
func documentedCommands(t *testing.T, page, section string) []string {
	t.Helper()
	level, _, _ := strings.Cut(section, " ")
	_, text, found := strings.Cut(string(must(os.ReadFile("../../"+page))), "\n"+section+"\n")
	for ; level != "#"; level = level[1:] { // the next heading of this level or above
		text, _, _ = strings.Cut(text, "\n"+level+" ")
	}
	var commands []string
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for _, block := range blocks.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n  ", "")) {
			command, _, _ := strings.Cut(line, " #")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if !found || len(commands) == 0 {
		t.Fatalf("%s has no commands under %s", page, section)
	}
	return commands
}

// flagOf is the value of a flag.
func flagOf(t *testing.T, words []string, name string) string {
	t.Helper()
	for i, word := range words[:len(words)-1] {
		if word == name {
			return words[i+1]
		}
	}
	t.Fatalf("%q has no %s", words, name)
	return ""
}

// fileOf is the content of the file that a flag names as the AWS CLI takes it, file://NAME.
func fileOf(t *testing.T, words []string, name string) string {
	t.Helper()
	return string(must(os.ReadFile(strings.TrimPrefix(flagOf(t, words, name), "file://"))))
}

// TestDocs_Diagnosis runs the commands of docs/refusals.md.
func TestDocs_Diagnosis(t *testing.T) {
	page := string(must(os.ReadFile("../../docs/refusals.md")))
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(page)
	if block == nil {
		t.Fatal("docs/refusals.md has no commands")
	}
	w := newWorld(t)
	w.configFile(t, "")
	w.write(t, "token", w.token(nil))
	t.Chdir(w.folder)
	want := map[string]string{"explain": "photo-app: allowed", "check": "signing key "}
	for line := range strings.Lines(block[1]) {
		words := strings.Fields(line)
		out, _ := said(t, words[1:]...)
		if want[words[1]] == "" || !strings.Contains(out, want[words[1]]) {
			t.Errorf("%s prints %s", line, out)
		}
		delete(want, words[1])
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

// TestDocs_BucketCORS: the CORS configuration that docs/browser.md sets by hand is what the command
// of docs/aws-cli.md prints.
func TestDocs_BucketCORS(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "http: {allowed_origins: [\"https://app.example.com\"]}\n",
		fmt.Sprintf("role: %q", service.DemoRole))
	page := strings.Join(strings.Fields(string(must(os.ReadFile("../../docs/aws-cli.md")))), " ")
	found := regexp.MustCompile("`delegation (cloudformation [^>`]*--cors)").FindStringSubmatch(page)
	if found == nil {
		t.Fatal("docs/aws-cli.md has no command")
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append(strings.Fields(found[1]), "--config", file),
		surroundings{stdout: &stdout, stderr: &stderr})
	printed := regexp.MustCompile(`\{"CORSRules".*\}`).FindString(stderr.String())
	if code != 0 || printed == "" {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	blocks := blocksBySection(t, "../../docs/browser.md")
	byHand := blocks["Let the page call the bucket"]["json"][0]
	var got, want any
	if err := errors.Join(json.Unmarshal([]byte(byHand), &got),
		json.Unmarshal([]byte(printed), &want)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("docs/browser.md has\n%v\nand the command prints\n%v", got, want)
	}
}
