//go:build interop

package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// needs skips the test, or fails it in CI, if a program is missing.
func needs(t testing.TB, name, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	}
	t.Skipf("%s is missing: apt-get install %s", name, debianPackage)
}

// program runs a program with more environment and returns its exit code and what it said.
func program(
	t testing.TB, environment []string, stdin string, name string, args ...string,
) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	ownAWS := func(entry string) bool { return strings.HasPrefix(entry, "AWS_") }
	command.Env = append(slices.DeleteFunc(os.Environ(), ownAWS), environment...)
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestInterop_Curl compares what curl gets with the golden table of TestAnswers.
func TestInterop_Curl(t *testing.T) {
	needs(t, "curl", "curl")
	w := newAnswersWorld(t)
	w.check(t, func(t *testing.T, r *row) (int, http.Header, []byte) {
		args := []string{"-sS", "-i", "-X", r.method, w.urls[r.service] + r.path}
		if r.body != "" {
			args = append(args, "--data-binary", "@-", "-H", "Content-Type: "+r.contentType,
				"-H", "Expect:")
		} else if r.contentType != "" {
			args = append(args, "-H", "Content-Type: "+r.contentType, "-d", "")
		}
		for _, line := range r.header {
			args = append(args, "-H", line)
		}
		_, out, said := program(t, nil, r.body, "curl", args...)
		head, body, ok := strings.Cut(out, "\r\n\r\n")
		lines := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		line, err := lines.ReadLine()
		words := strings.Fields(line)
		if !ok || err != nil || len(words) < 2 {
			t.Fatalf("%s: no answer: %s %s", r.name, out, said)
		}
		header := must(lines.ReadMIMEHeader())
		return must(strconv.Atoi(words[1])), http.Header(header), []byte(body)
	})
}

// demoWants is what the commands of the demo print, in order.
var demoWants = []string{
	"", `"SessionToken":"`, `"SessionToken":"`, `"Token":"`,
	"assumed-role/photo-editor/alice@example.com", `"url":"`,
	`"error":"unauthorized","error_description":"no role is assigned to this user"`,
	"EntityDescriptor", `{"status":"ok"}`,
}

// TestInterop_Demo runs every command of serve --demo by itself, and then pastes all of them into
// interactive shells without a configuration. IPv6 addresses have brackets, which are patterns.
func TestInterop_Demo(t *testing.T) {
	needs(t, "curl", "curl")
	needs(t, "aws", "awscli")
	needs(t, "zsh", "zsh")
	environment := []string{
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "HISTFILE=/dev/null", "NO_PROXY=*", "TERM=dumb",
	}
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		probe, err := net.Listen("tcp", listen)
		if err != nil {
			t.Logf("this machine has no IPv6: %v", err)
			continue
		}
		probe.Close()
		demo := start(t, nil, "serve", "--demo", "--listen", listen)
		for line := range demo.said.lines {
			if strings.HasPrefix(line, "echo 'To serve for real") {
				break
			}
		}
		script := demoScript(t, demo)
		for _, shell := range [][]string{
			{"bash", "--norc", "--noprofile", "-i"},
			{"zsh", "-f", "-i"},
		} {
			code, out, said := program(t, environment, script, shell[0], shell[1:]...)
			for _, want := range demoWants {
				if code != 0 || !strings.Contains(out, want) {
					t.Errorf("%q on %s: exit code %d: %s%s\nwant %s",
						shell, listen, code, out, said, want)
				}
			}
			for _, complaint := range []string{"not found", "no match", "parse error", "bad pat"} {
				if strings.Contains(said, complaint) {
					t.Errorf("%q on %s complains: %s", shell, listen, said)
				}
			}
		}
		if listen == "127.0.0.1:0" {
			checkDemoCommands(t, environment, script)
		}
	}
}

// checkDemoCommands runs each command of the demo by itself, after the one that gets a token.
func checkDemoCommands(t *testing.T, environment []string, script string) {
	t.Helper()
	var commands []string
	for line := range strings.Lines(script) {
		if line != "\n" && !strings.HasPrefix(line, "echo ") {
			commands = append(commands, line)
		}
	}
	if len(commands) != len(demoWants) {
		t.Fatalf("%d commands, want %d: %q", len(commands), len(demoWants), commands)
	}
	for i, command := range commands[1:] {
		code, out, said := program(t, environment, "", "bash", "-c", commands[0]+command)
		if code != 0 || !strings.Contains(out, demoWants[i+1]) {
			t.Errorf("%s\nexit code %d: %s%s\nwant %s", command, code, out, said, demoWants[i+1])
		}
	}
}

// TestInterop_AWSCLI: the AWS CLI becomes a client by two environment variables.
func TestInterop_AWSCLI(t *testing.T) {
	needs(t, "aws", "awscli")
	w := newWorld(t)
	s := start(t, nil, "serve", "--config", w.configFile(t, ""))
	tokenFile := w.write(t, "token", w.token(nil))
	environment := w.containerEnvironment(t, s.url, tokenFile)
	whoAmI := func() (int, string, string) {
		return program(t, environment, "", "aws", "sts", "get-caller-identity", "--query", "Arn",
			"--output", "text")
	}
	code, out, said := whoAmI()
	if code != 0 || strings.TrimSpace(out) != editorAlice {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	if code, out, said := whoAmI(); code != 0 || !strings.Contains(out, "/carol@example.com") {
		t.Errorf("after the token was rotated: exit code %d: %s%s", code, out, said)
	}
	w.write(t, "token", w.token(expired()))
	if code, _, said := whoAmI(); code == 0 || !strings.Contains(said, "jwt expired") {
		t.Errorf("an expired token: exit code %d: %s", code, said)
	}
}

// TestInterop_CredentialProcess: a real profile of the AWS CLI has delegation exchange for its
// credential_process, and shows its refusals.
func TestInterop_CredentialProcess(t *testing.T) {
	needs(t, "aws", "awscli")
	path := binary(t)
	w := newWorld(t)
	config, tokenFile := w.configFile(t, ""), w.write(t, "token", w.token(nil))
	profile := w.write(t, "aws-profile",
		fmt.Sprintf(
			"[profile delegation]\ncredential_process = %s exchange --config %s --target %s "+
				"--token-file %s --format process\nregion = %s\n",
			path, config, service.DemoTarget, tokenFile, service.DemoRegion))
	whoAmI := func() (int, string, string) {
		return program(t,
			[]string{"AWS_CONFIG_FILE=" + profile,
				"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(w.folder, "none"),
				"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_STS=" + w.awsURL},
			"", "aws", "--profile", "delegation", "sts", "get-caller-identity", "--query", "Arn",
			"--output", "text")
	}
	code, out, said := whoAmI()
	if code != 0 || strings.TrimSpace(out) != editorAlice {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	w.write(t, "token", w.token(expired()))
	code, out, said = whoAmI()
	if code == 0 || !strings.Contains(said, "delegation: token: ") ||
		!strings.Contains(said, "(token_expired)") {
		t.Errorf("an expired token: exit code %d: %s%s", code, out, said)
	}
}

// TestInterop_CredentialProcessCached: the AWS CLI runs a credential_process anew for each command,
// and --cache makes one call of three.
func TestInterop_CredentialProcessCached(t *testing.T) {
	needs(t, "aws", "awscli")
	for flags, want := range map[string]int{"": 3, " --cache --cache-dir %s": 1} {
		w := newWorld(t)
		if flags != "" {
			flags = fmt.Sprintf(flags, filepath.Join(w.folder, "cache"))
		}
		profile := w.write(t, "aws-profile", fmt.Sprintf(
			"[profile delegation]\ncredential_process = %s exchange --config %s --target %s "+
				"--token-file %s%s\nregion = %s\n", binary(t), w.configFile(t, ""),
			service.DemoTarget, w.write(t, "token", w.token(nil)), flags, service.DemoRegion))
		for range 3 {
			code, out, said := program(t, []string{
				"AWS_CONFIG_FILE=" + profile,
				"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(w.folder, "none"),
				"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_STS=" + w.awsURL,
			}, "", "aws", "--profile", "delegation", "sts", "get-caller-identity",
				"--query", "Arn", "--output", "text")
			if code != 0 || strings.TrimSpace(out) != editorAlice {
				t.Fatalf("%q: exit code %d: %s%s", flags, code, out, said)
			}
		}
		if got := w.assumed(); got != want {
			t.Errorf("%q: three commands made %d calls, want %d", flags, got, want)
		}
	}
}

// TestInterop_Boto3: one Python process that keeps its session picks up a rotated token file when
// it refreshes. Sessions of 15 minutes are always within botocore's time for a refresh.
func TestInterop_Boto3(t *testing.T) {
	needs(t, "python3", "python3")
	if code, _, said := program(t, nil, "", "python3", "-c", "import boto3"); code != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("boto3 is missing: apt-get install python3-boto3: %s", said)
		}
		t.Skip("boto3 is missing: apt-get install python3-boto3")
	}
	w := newWorld(t)
	s := start(t, nil, "serve", "--config", w.configFile(t, "", "session_duration: 15m"))
	tokenFile := w.write(t, "token", w.token(nil))
	next := w.write(t, "next",
		w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	const script = `
import boto3, os, shutil, sys
client = boto3.Session().client("sts")
print(client.get_caller_identity()["Arn"])
shutil.copyfile(sys.argv[1], os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
print(client.get_caller_identity()["Arn"])
`
	code, out, said := program(t, w.containerEnvironment(t, s.url, tokenFile), script,
		"python3", "-", next)
	want := editorAlice + "\n" + strings.Replace(editorAlice, "alice", "carol", 1) + "\n"
	if code != 0 || out != want {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}

// TestInterop_Auth0JS runs the real auth0-js 7 and 9 in Chromium, on a page of another origin,
// against the service over https.
func TestInterop_Auth0JS(t *testing.T) {
	needs(t, "node", "nodejs")
	needs(t, "chromium", "chromium")
	driver := filepath.Join("testdata", "auth0js")
	if _, err := os.Stat(filepath.Join(driver, "node_modules", "auth0-js")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix cmd/delegation/%s: %v", driver, err)
		}
		t.Skipf("run first: npm ci --prefix cmd/delegation/%s", driver)
	}
	const origin = "http://app.localhost"
	w := newWorld(t)
	w.writeTLS(t, 1)
	const encrypted = "tls: {certificate_file: tls.crt, key_file: tls.key}\n"
	s := start(t, nil, "serve", "--config",
		w.configFile(t, encrypted+"http: {allowed_origins: ["+origin+"]}"))
	foreign := start(t, nil, "serve", "--config",
		w.configFile(t, encrypted+"http: {allowed_origins: [http://other.localhost]}"))

	type object = map[string]any
	scenarios := []object{
		{"name": "success", "options": object{"id_token": w.token(nil), "api": "aws",
			"targetClientId": service.DemoTarget, "role": "arn:aws:iam::123456789012:role/admin"}},
		{"name": "expired", "options": object{"id_token": w.token(expired()), "api": "aws",
			"targetClientId": service.DemoTarget}},
		{"name": "denied",
			"options": object{
				"id_token": w.token(object{"groups": []string{"staff"}}), "api": "aws",
				"targetClientId": service.DemoTarget,
			}},
		{"name": "no target", "options": object{"id_token": w.token(nil), "api": "aws"}},
		{"name": "empty target",
			"options": object{"id_token": w.token(nil), "api": "aws", "target": ""}},
		{"name": "no api",
			"options": object{"id_token": w.token(nil), "targetClientId": service.DemoTarget}},
		{"name": "other target", "options": object{"id_token": w.token(nil), "api": "aws",
			"targetClientId": "other-app"}},
		{"name": "auth0-js 9", "version": 9, "options": object{"id_token": w.token(nil),
			"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "api_type": "aws"}},
		{"name": "auth0-js 9, denied", "version": 9,
			"options": object{
				"id_token":   w.token(object{"groups": []string{"staff"}}),
				"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "api_type": "aws",
			}},
		{"name": "page not allowed", "domain": strings.TrimPrefix(foreign.url, "https://"),
			"options": object{"id_token": w.token(nil), "api": "aws"}},
	}
	input := must(json.Marshal(object{
		"domain": strings.TrimPrefix(s.url, "https://"), "clientID": service.DemoTarget,
		"origin": origin, "scenarios": scenarios,
	}))
	code, out, said := program(t, []string{"TMPDIR=" + t.TempDir()},
		string(input), "node", filepath.Join(driver, "drive.mjs"))
	type request struct {
		Method, URL, PostData string
		Status                int
		RequestHeaders        map[string]string
	}
	var reports []struct {
		Name          string
		Error, Result object
		Requests      []request
	}
	err := json.Unmarshal([]byte(out), &reports)
	if code != 0 || err != nil || len(reports) != len(scenarios) {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	refusals := map[string]object{
		"expired": {"error": "invalid_grant", "error_description": "jwt expired", "status": 400.0},
		"denied": {"error": "unauthorized",
			"error_description": "no role is assigned to this user", "status": 401.0},
		"other target": {"error": "endpoint_disabled",
			"error_description": "delegation is not enabled for this application", "status": 404.0},
		"page not allowed": nil,
	}
	for _, report := range reports {
		if strings.HasPrefix(report.Name, "auth0-js 9") && len(report.Requests) == 2 {
			report.Requests = slices.DeleteFunc(report.Requests, func(r request) bool {
				return r.Method == http.MethodOptions
			})
		}
		if len(report.Requests) != 1 || report.Requests[0].Method != "POST" ||
			report.Requests[0].RequestHeaders["origin"] != origin {
			t.Errorf("%s: the requests are %+v", report.Name, report.Requests)
			continue
		}
		request := report.Requests[0]
		refusal, refused := refusals[report.Name]
		switch {
		case report.Name == "page not allowed": // answered, and kept from the page by the browser
			if report.Error["name"] != "connection_refused_timeout" || report.Result != nil ||
				request.Status != 200 {
				t.Errorf("%s: %v %v, status %d", report.Name, report.Error, report.Result,
					request.Status)
			}
		case report.Name == "auth0-js 9, denied": // in the form of that version
			if report.Error["code"] != "unauthorized" || report.Error["statusCode"] != 401.0 ||
				report.Error["description"] != "no role is assigned to this user" {
				t.Errorf("%s: %v", report.Name, report.Error)
			}
		case refused:
			if !reflect.DeepEqual(report.Error, refusal) || report.Result != nil ||
				float64(request.Status) != refusal["status"] {
				t.Errorf("%s: %v %v, status %d", report.Name, report.Error, report.Result,
					request.Status)
			}
		default:
			credentials, _ := report.Result["Credentials"].(object)
			user, _ := report.Result["AssumedRoleUser"].(object)
			expiration, err := time.Parse("2006-01-02T15:04:05.000Z",
				fmt.Sprint(credentials["Expiration"]))
			if report.Error != nil || err != nil || time.Until(expiration) < 50*time.Minute ||
				user["Arn"] != editorAlice {
				t.Errorf("%s: %v %v, %v", report.Name, report.Error, report.Result, err)
			}
		}
		wants := map[string]string{
			"no api": "&api_type=&", "no target": "&target=photo-app&", "empty target": "&target=&",
		}
		if !strings.Contains(request.PostData, wants[report.Name]) {
			t.Errorf("%s: it sent %s, want %s", report.Name, request.PostData, wants[report.Name])
		}
	}
}

// TestInterop_Dockerfile: the Dockerfile's command builds a program that needs nothing around it.
func TestInterop_Dockerfile(t *testing.T) {
	words := commandLine(t, dockerfile, "RUN CGO_ENABLED=0 ")
	file := filepath.Join(t.TempDir(), "delegation")
	words[slices.Index(words, "/delegation")] = file
	build := exec.Command(words[0], words[1:]...)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	help := exec.Command(file, "help")
	help.Env = []string{}
	said, err := help.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(said), rootLong) {
		t.Errorf("%v: %s", err, said)
	}
	program := must(elf.Open(file))
	defer program.Close()
	if libraries := must(program.ImportedLibraries()); len(libraries) > 0 {
		t.Errorf("it needs %q, and the image has nothing", libraries)
	}
}

// TestInterop_Systemd: systemd knows every line of the unit, and thinks well of what it shuts off.
func TestInterop_Systemd(t *testing.T) {
	needs(t, "systemd-analyze", "systemd")
	unit := strings.ReplaceAll(string(must(os.ReadFile(unitFile))),
		"/usr/local/bin/delegation", "/bin/true")
	file := filepath.Join(t.TempDir(), "delegation.service")
	verify := func(text string) string {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, said := program(t, nil, "", "systemd-analyze", "verify", file)
		if code != 0 {
			return fmt.Sprintf("exit code %d: %s%s", code, out, said)
		}
		return out + said
	}
	if said := verify(unit); said != "" {
		t.Error(said)
	}
	said := verify(strings.Replace(unit, "ProtectClock", "ProtectKlock", 1))
	if !strings.Contains(said, "ProtectKlock") {
		t.Errorf("a line that systemd does not know passes: %s", said)
	}
	// The exposure of 10 is none of the settings; the threshold counts tenths.
	security := func(text string) int {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, said := program(t, nil, "", "systemd-analyze", "security", "--offline=true",
			"--threshold=15", file)
		if !strings.Contains(out, "Overall exposure level for delegation.service") {
			t.Fatalf("exit code %d: %s%s", code, out, said)
		}
		return code
	}
	if code := security(unit); code != 0 {
		t.Errorf("an exposure above 1.5: exit code %d", code)
	}
	if security(strings.Replace(unit, "CapabilityBoundingSet=\n", "", 1)) == 0 {
		t.Error("a unit with all capabilities passes")
	}
}
