//go:build interop

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed055b7978/delegation/ststest"
)

// TestInterop_EndToEnd runs the scripts of testdata/script/e2e: from nothing to credentials that the AWS CLI uses, with the commands that a user types.
// Besides the commands of TestScript there is
//
//	cloud      an OpenID provider, an STS and a CloudFormation on loopback, which know of nothing yet, at $ISSUER, $AWS and $CLOUDFORMATION, and a
//	           free port, $PORT
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

// template is what delegation cloudformation writes, as far as this CloudFormation reads it.
type template struct {
	Resources struct {
		Provider struct {
			Properties struct {
				Name     string `yaml:"Name"`
				Metadata string `yaml:"SamlMetadataDocument"`
			} `yaml:"Properties"`
		} `yaml:"Provider"`
		Role struct {
			Properties struct {
				Name       string `yaml:"RoleName"`
				Path       string `yaml:"Path"`
				MaxSession int    `yaml:"MaxSessionDuration"`
				Trust      any    `yaml:"AssumeRolePolicyDocument"`
			} `yaml:"Properties"`
		} `yaml:"Role"`
	} `yaml:"Resources"`
}

// deploy makes what the template says, in the account of the tests.
func (w *world) deploy(text string) error {
	var t template
	if err := yaml.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	provider, role := t.Resources.Provider.Properties, t.Resources.Role.Properties
	trust, err := json.Marshal(role.Trust)
	if err != nil {
		return err
	}
	const account = "arn:aws:iam::123456789012:"
	return errors.Join(
		w.aws.PutSAMLProvider(account+"saml-provider/"+provider.Name, []byte(provider.Metadata)),
		w.aws.PutRole(ststest.Role{ARN: account + "role" + role.Path + role.Name, TrustPolicy: string(trust), MaxSessionDuration: time.Duration(role.MaxSession) * time.Second}))
}

// cloudFormation serves what aws cloudformation deploy calls, and deploys to this world's STS.
func (w *world) cloudFormation(t testing.TB) (url string) {
	var mu sync.Mutex
	var proposed string
	deployed := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		result, code, message := "", "", ""
		action := r.FormValue("Action")
		switch {
		case action == "DescribeStacks" && deployed == 0:
			code, message = "ValidationError", "Stack with id "+r.FormValue("StackName")+" does not exist"
		case action == "DescribeStacks":
			status := map[bool]string{true: "CREATE_COMPLETE", false: "UPDATE_COMPLETE"}[deployed == 1]
			result = "<Stacks><member><StackName>delegation</StackName><StackStatus>" + status + "</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
		case action == "CreateChangeSet" && r.FormValue("Capabilities.member.1") != "CAPABILITY_NAMED_IAM":
			code, message = "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"
		case action == "CreateChangeSet":
			proposed = r.FormValue("TemplateBody")
			result = "<Id>arn:aws:cloudformation:eu-central-1:123456789012:changeSet/one</Id><StackId>arn:aws:cloudformation:eu-central-1:123456789012:stack/delegation/one</StackId>"
		case action == "GetTemplateSummary": // before an update; there are no parameters
		case action == "DescribeChangeSet":
			result = "<Status>CREATE_COMPLETE</Status>"
		case action == "ExecuteChangeSet":
			if err := w.deploy(proposed); err != nil {
				code, message = "ValidationError", err.Error()
			}
			deployed++
		default:
			code, message = "InvalidAction", action
		}
		if code != "" {
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(rw, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
			return
		}
		fmt.Fprintf(rw, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
