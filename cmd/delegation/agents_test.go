package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/goccy/go-yaml"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/iampolicy"
)

const agentsPage = "../../docs/bedrock.md"

// agents is a machine on which the recipes of docs/bedrock.md are followed.
type agents struct {
	*world
	sections map[string]map[string][]string // blocks of the page, by section and language
	replace  *strings.Replacer              // from the addresses of the page to those of the test
}

func newAgents(t *testing.T) *agents {
	t.Helper()
	w := newWorld(t)
	config := w.configFile(t, "http: {sts: true}")
	text := string(must(os.ReadFile(config)))
	w.write(t, "delegation.yaml", strings.Replace(text,
		"  photo-app: {", "  bedrock: {audiences: [photo-app], ", 1))
	a := &agents{world: w, sections: blocksBySection(t, agentsPage)}
	a.replace = strings.NewReplacer(
		"https://delegation.example.com", serve(t, config).url,
		"/run/user/1000/id-token", w.write(t, "token", w.token(nil)),
		"/usr/local/bin/delegation", binary(t),
		"/etc/delegation/delegation.yaml", config,
		"eu-central-1", service.DemoRegion,
		"arn:aws:iam::123456789012:role/model-user", service.DemoRole,
	)
	// Nothing else that this machine knows of AWS counts.
	empty := w.write(t, "aws-empty", "")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE":             empty,
		"AWS_SHARED_CREDENTIALS_FILE": empty,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_ENDPOINT_URL_STS":        w.awsURL,
		"AWS_PROFILE":                 "",
		"XDG_CACHE_HOME":              filepath.Join(w.folder, "cache"),
	} {
		t.Setenv(name, value)
	}
	return a
}

// block is the n-th block of a language in a section, with the addresses of the test.
func (a *agents) block(t *testing.T, section, language string, n int) string {
	t.Helper()
	blocks := a.sections[section][language]
	if n >= len(blocks) {
		t.Fatalf("%q has %d blocks of %s, and not %d", section, len(blocks), language, n+1)
	}
	return a.replace.Replace(blocks[n])
}

// settings are those of Claude Code.
type settings struct {
	AWSCredentialExport string            `json:"awsCredentialExport"`
	Env                 map[string]string `json:"env"`
}

func (a *agents) settings(t *testing.T, n int) (s settings) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.block(t, "Coding tools", "json", n)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// want checks who a client of the AWS SDK is, as the environment has it.
func (a *agents) want(t *testing.T, environment map[string]string) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
	c := must(config.LoadDefaultConfig(t.Context()))
	if c.Region != service.DemoRegion {
		t.Errorf("the region is %q", c.Region)
	}
	out, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil)
	if err != nil || *out.Arn != editorAlice {
		t.Errorf("got %+v, %v", out, err)
	}
}

// TestAgents_Variables: the variables of docs/bedrock.md give a client of the AWS SDK credentials
// of its user, and so do the settings of Claude Code that set them.
func TestAgents_Variables(t *testing.T) {
	a := newAgents(t)
	variables := map[string]string{}
	for line := range strings.Lines(a.block(t, "Coding tools", "ini", 0)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		variables[name] = value
	}
	t.Run("variables", func(t *testing.T) { a.want(t, variables) })
	t.Run("settings", func(t *testing.T) { a.want(t, a.settings(t, 0).Env) })
	for name, value := range variables {
		if got := a.settings(t, 0).Env[name]; got != value {
			t.Errorf("%s is %q in the settings, and %q in the variables", name, got, value)
		}
	}
}

// TestAgents_CredentialExport: the command of docs/bedrock.md prints what Claude Code reads.
func TestAgents_CredentialExport(t *testing.T) {
	a := newAgents(t)
	out, err := exec.Command("sh", "-c", a.settings(t, 1).AWSCredentialExport).Output()
	if err != nil {
		t.Fatal(err)
	}
	var printed struct {
		Credentials struct {
			AccessKeyID     string `json:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		}
	}
	if err := json.Unmarshal(out, &printed); err != nil {
		t.Fatal(err)
	}
	got := printed.Credentials
	if got.AccessKeyID == "" || got.SecretAccessKey == "" || got.SessionToken == "" ||
		!got.Expiration.After(time.Now()) {
		t.Errorf("it prints %s", out)
	}
}

// TestAgents_Profile: the profile of docs/bedrock.md works for a client of the AWS SDK, and is the
// one that the configuration of LiteLLM names.
func TestAgents_Profile(t *testing.T) {
	a := newAgents(t)
	const section = "Gateways that act as themselves"
	profile := a.block(t, section, "ini", 0)
	if !strings.Contains(a.block(t, section, "yaml", 0), "aws_profile_name: bedrock\n") ||
		!strings.HasPrefix(profile, "[profile bedrock]\n") {
		t.Error("the profiles have different names")
	}
	a.want(t, map[string]string{
		"AWS_CONFIG_FILE": a.write(t, "aws-config", profile),
		"AWS_PROFILE":     "bedrock",
	})
}

// TestAgents_LiteLLM: the service answers what LiteLLM sends to the STS of docs/bedrock.md, and its
// session policy narrows the session. The name that it asks for decides nothing.
func TestAgents_LiteLLM(t *testing.T) {
	a := newAgents(t)
	var settings struct {
		Models []struct {
			Parameters struct {
				Region   string `yaml:"aws_region_name"`
				Endpoint string `yaml:"aws_sts_endpoint"`
				Role     string `yaml:"aws_role_name"`
				Session  string `yaml:"aws_session_name"`
				Token    string `yaml:"aws_web_identity_token"`
			} `yaml:"litellm_params"`
		} `yaml:"model_list"`
	}
	block := a.block(t, "Gateways that act as themselves", "yaml", 1)
	if err := yaml.Unmarshal([]byte(block), &settings); err != nil {
		t.Fatal(err)
	}
	p := settings.Models[0].Parameters
	if p.Token != "oidc/env_path/ID_TOKEN_FILE" {
		t.Errorf("the token is %s", p.Token)
	}
	client := sts.New(sts.Options{
		Region:       p.Region,
		BaseEndpoint: &p.Endpoint,
		Credentials:  aws.AnonymousCredentials{},
	})
	const policy = `{"Version":"2012-10-17","Statement":[{"Sid":"Models","Effect":"Allow",` +
		`"Action":["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"],` +
		`"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`
	out, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          &p.Role,
		RoleSessionName:  &p.Session,
		WebIdentityToken: aws.String(a.token(nil)),
		DurationSeconds:  aws.Int32(3600),
		Policy:           aws.String(policy),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != editorAlice {
		t.Errorf("the session is %s", *out.AssumedRoleUser.Arn)
	}
	calls := a.aws.Calls()
	if got := calls[len(calls)-1]; got.Policy != policy || got.Duration != time.Hour {
		t.Errorf("AWS was asked for %s with %s", got.Duration, got.Policy)
	}
}

// TestAgents_Target: the configuration of docs/bedrock.md works, and the role's policy allows
// models and nothing else.
func TestAgents_Target(t *testing.T) {
	a := newAgents(t)
	const section = "Bedrock for your users"
	text := string(must(os.ReadFile(filepath.Join(a.folder, "delegation.yaml"))))
	before, _, _ := strings.Cut(text, "targets:\n")
	a.write(t, "documented.yaml", before+a.block(t, section, "yaml", 0)+
		"sts: {endpoint: "+a.awsURL+"}\n")
	token := a.write(t, "developer", a.token(map[string]any{"aud": "dev-portal", "team": "press"}))
	out, _ := said(t, "explain", "--config", filepath.Join(a.folder, "documented.yaml"),
		"--target", "bedrock", "--token-file", token, "--json")
	for _, want := range []string{
		service.DemoRole, `"alice@example.com"`, `PrincipalTag:team`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("explain lacks %s:\n%s", want, out)
		}
	}
	policy := must(iampolicy.Parse(a.block(t, section, "json", 0)))
	for _, row := range []struct {
		action   string
		resource string
		allowed  bool
	}{
		{"bedrock:InvokeModel", "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-x",
			true},
		{"bedrock:InvokeModelWithResponseStream",
			"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-x", true},
		{"bedrock:InvokeModel", "arn:aws:bedrock:eu-central-1::foundation-model/meta.llama-x", false},
		{"bedrock:CreateProvisionedModelThroughput",
			"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-x", false},
	} {
		decision := must(iampolicy.Set{Identity: []*iampolicy.Policy{policy}}.Decide(
			iampolicy.Request{
				Principal: iampolicy.Principal{ARN: editorAlice},
				Action:    row.action,
				Resource:  row.resource,
			}))
		if decision.Allowed() != row.allowed {
			t.Errorf("%s on %s: %s", row.action, row.resource, decision)
		}
	}
}
