//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestInterop_EndToEnd runs the scripts of testdata/script/e2e: from nothing to credentials that
// the AWS CLI uses, with the commands that a user types. Besides the commands of TestScript there
// is
//
//	cloud      an OpenID provider, an STS and a CloudFormation on loopback, which know of nothing
//	           yet, at $ISSUER, $AWS and $CLOUDFORMATION, and a free port, $PORT
func TestInterop_EndToEnd(t *testing.T) {
	needs(t, "aws", "awscli")
	needs(t, "curl", "curl")
	p := scriptParams("testdata/script/e2e")
	p.Cmds["cloud"] = scriptCloud
	testscript.Run(t, p)
}

func scriptCloud(ts *testscript.TestScript, negated bool, args []string) {
	s := usage(ts, !negated && len(args) == 0)
	s.world = newBareWorld(s, ts.MkAbs("."))
	ts.Setenv("ISSUER", s.issuerURL)
	ts.Setenv("AWS", s.awsURL)
	ts.Setenv("CLOUDFORMATION", s.cloudFormation(s))
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	ts.Setenv("PORT", fmt.Sprint(free.Addr().(*net.TCPAddr).Port))
	ts.Check(free.Close())
}

// cloudFormation serves what aws cloudformation deploy calls, and deploys to this world's STS.
func (w *world) cloudFormation(t testing.TB) (url string) {
	var mu sync.Mutex
	var proposed string
	in := newAccount("123456789012", "aws")
	in.mirrors = []mirror{strictSTS{w.aws, in.arn}}
	deployed := newStacks(in)
	updated := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		result, code, message := "", "", ""
		action := r.FormValue("Action")
		name := r.FormValue("StackName")
		if _, after, isID := strings.Cut(name, ":stack/"); isID {
			name, _, _ = strings.Cut(after, "/")
		}
		switch {
		case action == "DescribeStacks" && deployed.stacks[name] == nil:
			code = "ValidationError"
			message = "Stack with id " + name + " does not exist"
		case action == "DescribeStacks":
			status := map[bool]string{
				false: "CREATE_COMPLETE", true: "UPDATE_COMPLETE",
			}[updated[name]]
			result = "<Stacks><member><StackName>" + name + "</StackName><StackStatus>" + status +
				"</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
		case action == "CreateChangeSet" &&
			r.FormValue("Capabilities.member.1") != "CAPABILITY_NAMED_IAM":
			code = "InsufficientCapabilitiesException"
			message = "Requires capabilities : [CAPABILITY_NAMED_IAM]"
		case action == "CreateChangeSet":
			proposed = r.FormValue("TemplateBody")
			result = "<Id>arn:aws:cloudformation:eu-central-1:123456789012:changeSet/one</Id>" +
				"<StackId>arn:aws:cloudformation:eu-central-1:123456789012:stack/" + name +
				"/one</StackId>"
		case action == "GetTemplateSummary": // before an update
			result = "<Parameters/>"
		case action == "DescribeChangeSet":
			result = "<Status>CREATE_COMPLETE</Status>"
		case action == "ExecuteChangeSet":
			updated[name] = deployed.stacks[name] != nil
			if err := deployed.deploy(name, proposed, nil); err != nil {
				code, message = "ValidationError", err.Error()
			}
		default:
			code, message = "InvalidAction", action
		}
		if code != "" {
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(rw,
				"<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
			return
		}
		fmt.Fprintf(rw, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>",
			action, result)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestInterop_Readme: three commands lead from a fresh clone to credentials, without an AWS account
// (README) and with one (docs/aws-setup.md).
func TestInterop_Readme(t *testing.T) {
	needs(t, "aws", "awscli")
	needs(t, "curl", "curl")
	t.Run("demo", func(t *testing.T) {
		commands := documentedCommands(t, "README.md", "## The service")
		if len(commands) != 3 {
			t.Fatalf("%d commands: %q", len(commands), commands)
		}
		served, ok := strings.CutPrefix(commands[0], "go run ./cmd/delegation ")
		if !ok {
			t.Fatalf("the first command is %q", commands[0])
		}
		demo := start(t, nil, append(strings.Fields(served), "--listen", "127.0.0.1:0")...)
		address := regexp.MustCompile(`^Serving on http://(127\.0\.0\.1:\d+),`).
			FindStringSubmatch(<-demo.said.lines)
		if address == nil {
			t.Fatalf("it does not say where it serves: %s", demo.said)
		}
		rest := strings.ReplaceAll(strings.Join(commands[1:], "\n"), "127.0.0.1:8080", address[1])
		code, out, said := program(t, nil, "", "bash", "-c", "set -e\ncd '"+t.TempDir()+"'\n"+rest)
		var credentials struct{ AccessKeyId, SecretAccessKey, Token, Expiration string }
		err := json.Unmarshal([]byte(out), &credentials)
		if code != 0 || err != nil || !strings.HasPrefix(credentials.AccessKeyId, "ASIA") ||
			credentials.Token == "" {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
	})
	t.Run("AWS", func(t *testing.T) {
		w := newBareWorld(t, filepath.Join(t.TempDir(), "photo-app"))
		environment := []string{
			"DELEGATION_STS_ENDPOINT=" + w.awsURL, "AWS_ENDPOINT_URL_STS=" + w.awsURL,
			"AWS_ENDPOINT_URL_CLOUDFORMATION=" + w.cloudFormation(t),
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
			"AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=operator",
			"TOKEN=" + w.token(nil),
		}
		// All as it stands, but for the issuer, which is on loopback here, and the folder. The
		// token comes once there is one.
		commands := documentedCommands(t, "docs/aws-setup.md", "## With three commands")
		if len(commands) != 3 {
			t.Fatalf("%d commands: %q", len(commands), commands)
		}
		all := strings.NewReplacer("https://tenant.example.com/",
			w.issuerURL+" --allow-loopback-http", "../photo-app", w.folder).
			Replace(commands[0] + "\necho $TOKEN >../photo-app/token\n" +
				strings.Join(commands[1:], "\n") + "\n. ../photo-app/env\n")
		code, out, said := program(t, environment, "", "bash", "-c",
			"set -e\ncd ../..\n"+all+
				"aws sts get-caller-identity --region eu-central-1 --query Arn --output text")
		if code != 0 || !strings.HasSuffix(out,
			"\narn:aws:sts::123456789012:assumed-role/delegation-user/alice@example.com\n") {
			t.Errorf("exit code %d: %s%s", code, out, said)
		}
	})
}
