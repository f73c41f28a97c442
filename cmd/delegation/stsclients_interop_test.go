//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// stsClient is an unchanged SDK.
type stsClient struct {
	name string
	// ask says who it is in each environment, or what it shows of a refusal.
	ask func(t *testing.T, environments [][]string) []string
}

// stsClients are the four SDKs of TestInterop_STS and of the table in docs/unchanged-sdks.md.
func stsClients(t *testing.T) []stsClient {
	t.Helper()
	needs(t, "aws", "awscli")
	needs(t, "python3", "python3")
	needs(t, "node", "nodejs")
	require := func(there bool, missing string) {
		t.Helper()
		if there {
			return
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("run first: %s", missing)
		}
		t.Skipf("run first: %s", missing)
	}
	const reads = "import boto3, botocore, sys; " +
		"sys.exit(tuple(map(int, botocore.__version__.split('.')[:2])) < (1, 31))"
	code, _, _ := program(t, nil, "", "python3", "-c", reads)
	require(code == 0, "pip install boto3: AWS_ENDPOINT_URL_STS needs 1.31")
	_, err := os.Stat("testdata/s3clients/node_modules/@aws-sdk/client-sts")
	require(err == nil, "npm ci --prefix cmd/delegation/testdata/s3clients")
	return []stsClient{
		{"AWS CLI", askAWSCLI},
		{"boto3", askBoto3},
		{"Go", askGo},
		{"JavaScript", askJavaScript},
	}
}

// askAWSCLI runs the CLI once for each environment, with a home of its own: see
// TestInterop_STSOfTheCLI.
func askAWSCLI(t *testing.T, environments [][]string) (answers []string) {
	for _, environment := range environments {
		answers = append(answers, awsCLIAt(t, t.TempDir(), environment))
	}
	return answers
}

func awsCLIAt(t *testing.T, home string, environment []string) string {
	environment = append(slices.Clone(environment), "HOME="+home)
	_, out, said := program(t, environment, "", "aws", "sts", "get-caller-identity",
		"--query", "Arn", "--output", "text")
	return strings.TrimSpace(out + said)
}

func askGo(t *testing.T, environments [][]string) (answers []string) {
	for _, environment := range environments {
		setAll(t, environment)
		answers = append(answers, goIdentity(t))
	}
	return answers
}

// askBoto3 runs one process, with a new session for each environment.
func askBoto3(t *testing.T, environments [][]string) []string {
	const script = `
import boto3, json, os, sys
for line in open(sys.argv[1]):
    os.environ.update(json.loads(line))
    try:
        print(boto3.Session().client("sts").get_caller_identity()["Arn"])
    except Exception as e:
        print(e)
`
	lines := filepath.Join(t.TempDir(), "environments")
	if err := os.WriteFile(lines, []byte(asLines(t, environments)), 0o600); err != nil {
		t.Fatal(err)
	}
	return askOnce(t, environments[0], script, "python3", "-", lines)
}

// askJavaScript runs one process, with a new client for each environment.
func askJavaScript(t *testing.T, environments [][]string) []string {
	return askOnce(t, environments[0], asLines(t, environments), "node",
		filepath.Join("testdata", "s3clients", "identity.mjs"))
}

// askOnce runs a program that answers on lines.
func askOnce(t *testing.T, environment []string, stdin string, command ...string) []string {
	t.Helper()
	code, out, said := program(t, environment, stdin, command[0], command[1:]...)
	if code != 0 {
		t.Fatalf("%q: exit code %d: %s%s", command, code, out, said)
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// asLines are environments as JSON, one on a line.
func asLines(t *testing.T, environments [][]string) string {
	t.Helper()
	var lines strings.Builder
	for _, environment := range environments {
		variables := map[string]string{}
		for _, entry := range environment {
			name, value, _ := strings.Cut(entry, "=")
			variables[name] = value
		}
		if err := json.NewEncoder(&lines).Encode(variables); err != nil {
			t.Fatal(err)
		}
	}
	return lines.String()
}

// TestInterop_STS: four SDKs get credentials with a web identity token through AWS_ENDPOINT_URL_STS
// and ask whose they are, and each takes the new token once the file has another.
func TestInterop_STS(t *testing.T) {
	for _, client := range stsClients(t) {
		t.Run(client.name, func(t *testing.T) {
			w := newWorld(t)
			s := serve(t, w.configFile(t, "http: {sts: true}"))
			tokenFile := w.write(t, "token", w.token(nil))
			environment := w.stsEnvironment(t, s.url, tokenFile)
			got := client.ask(t, [][]string{environment})
			w.write(t, "token",
				w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
			got = append(got, client.ask(t, [][]string{environment})...)
			want := []string{editorAlice, strings.Replace(editorAlice, "alice", "carol", 1)}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q; %s", got, want, s.logs)
			}
		})
	}
}

// TestInterop_STSOfTheCLI: the AWS CLI keeps credentials in the user's home by role and session
// name, and not by the token. docs/unchanged-sdks.md says what to do about it.
func TestInterop_STSOfTheCLI(t *testing.T) {
	needs(t, "aws", "awscli")
	w := newWorld(t)
	s := serve(t, w.configFile(t, "http: {sts: true}"))
	tokenFile := w.write(t, "token", w.token(nil))
	environment := w.stsEnvironment(t, s.url, tokenFile)
	home := t.TempDir()
	carol := strings.Replace(editorAlice, "alice", "carol", 1)
	got := []string{awsCLIAt(t, home, environment)}
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	got = append(got, awsCLIAt(t, home, environment),
		awsCLIAt(t, home, append(environment, "AWS_ROLE_SESSION_NAME=carol")))
	if want := []string{editorAlice, editorAlice, carol}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestInterop_STSRefresh: a Python process that keeps its session takes the new token when it
// refreshes. Sessions of 15 minutes are always within botocore's time for a refresh.
func TestInterop_STSRefresh(t *testing.T) {
	stsClients(t)
	w := newWorld(t)
	s := serve(t, w.configFile(t, "http: {sts: true}", "session_duration: 15m"))
	tokenFile := w.write(t, "token", w.token(nil))
	next := w.write(t, "next",
		w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	const script = `
import boto3, os, shutil, sys
client = boto3.Session().client("sts")
print(client.get_caller_identity()["Arn"])
shutil.copyfile(sys.argv[1], os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
print(client.get_caller_identity()["Arn"])
`
	got := askOnce(t, w.stsEnvironment(t, s.url, tokenFile), script, "python3", "-", next)
	want := []string{editorAlice, strings.Replace(editorAlice, "alice", "carol", 1)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q; %s", got, want, s.logs)
	}
}

// refusalOfSTS is a refusal, and how to get it.
type refusalOfSTS struct {
	name        string
	claims      map[string]any
	environment []string
	limited     bool // by the rate limit, which the user has used up
}

// TestInterop_STSRefusals: what each SDK shows of a refusal, and how often it asks, is what the
// table in docs/unchanged-sdks.md says. With two attempts, it asks twice if that can help.
func TestInterop_STSRefusals(t *testing.T) {
	rows := []refusalOfSTS{
		{name: "an expired token", claims: expired()},
		{name: "a rule denies the user", claims: map[string]any{"groups": []string{"staff"}}},
		{name: "a token of another application", claims: map[string]any{"aud": "other-app"}},
		{name: "another role", environment: []string{"AWS_ROLE_ARN=" + service.DemoRole + "s"}},
		{name: "a session name that AWS does not take",
			environment: []string{"AWS_ROLE_SESSION_NAME=a b"}},
		{name: "too many requests", limited: true},
	}
	w := newWorld(t)
	plain := serve(t, w.configFile(t, "http: {sts: true}"))
	limited := serve(t, w.configFile(t, "http: {sts: true, rate_limit: {requests: 1, per: 1h}}"))
	clients := stsClients(t)
	shown := make([][]string, len(clients)) // by client and row
	for i, client := range clients {
		var environments [][]string
		var asked []*atomic.Int64
		for j, row := range rows {
			claims := map[string]any{"sub": fmt.Sprintf("auth0|%d", i)}
			for name, value := range row.claims {
				claims[name] = value
			}
			token := w.token(claims)
			to := plain.url
			if row.limited {
				to = limited.url
				if got := must(w.assumeByHand(t, to, token)); got != http.StatusOK {
					t.Fatalf("%s: got %d", row.name, got)
				}
			}
			address, requests := counter(t, to)
			asked = append(asked, requests)
			file := w.write(t, fmt.Sprintf("token-%d-%d", i, j), token)
			environment := append(w.stsEnvironment(t, address, file),
				"AWS_ROLE_SESSION_NAME=session-1")
			environments = append(environments, append(environment, row.environment...))
		}
		for j, text := range client.ask(t, environments) {
			text = requestIDs.ReplaceAllString(text, "RequestID: …")
			shown[i] = append(shown[i], strings.Join(strings.Fields(text), " "))
			want := int64(1)
			if rows[j].limited {
				want = 2
				if client.name == "Go" { // also asks anew for each attempt of the call itself
					want = 4
				}
			}
			if asked[j].Load() != want {
				t.Errorf("%s: %s asked %d times, want %d", rows[j].name, client.name,
					asked[j].Load(), want)
			}
		}
	}
	var table strings.Builder
	table.WriteString("| Refusal | Client | What it shows |\n|---|---|---|\n")
	for j, row := range rows {
		for i, client := range clients {
			fmt.Fprintf(&table, "| %s | %s | `%s` |\n", row.name, client.name, shown[i][j])
		}
	}
	compareRefusals(t, table.String())
}

// requestIDs are as Go shows them.
var requestIDs = regexp.MustCompile(`RequestID: [A-Z2-7]{26}`)

// compareRefusals compares a table with that of docs/unchanged-sdks.md.
func compareRefusals(t *testing.T, table string) {
	t.Helper()
	const begin, end = "<!-- refusals -->\n", "<!-- /refusals -->"
	file := filepath.Join("..", "..", "docs", "unchanged-sdks.md")
	before, rest, opened := strings.Cut(string(must(os.ReadFile(file))), begin)
	documented, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatal("docs/unchanged-sdks.md has no table of refusals")
	}
	if *update {
		page := before + begin + table + end + after
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if documented != table {
		t.Errorf("docs/unchanged-sdks.md has\n%s\nand they show\n%s\nTo write it: "+
			"go test -tags interop ./cmd/delegation -run 'TestInterop_STSRefusals$' -update",
			documented, table)
	}
}
