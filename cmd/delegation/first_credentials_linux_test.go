package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/oidctest"
)

// maxCommands lead from nothing to credentials.
const maxCommands = 4

// TestInit_FirstCredentials: for four providers, init and the commands that it prints lead to
// credentials, and no file is edited. Each command is a process in a shell, as a person would run
// it. The provider is an imitation at its real addresses, which a proxy leads to; AWS is in memory.
// A stranger's token and one of the wrong kind get nothing by the same command.
func TestInit_FirstCredentials(t *testing.T) {
	for section, want := range map[string]struct {
		right, wrong           string // kinds of tokens
		stranger, wrongRefusal string
	}{
		"Entra ID, one tenant": {right, access, "issuer_unknown", "token_kind_entra_v2_access"},
		"GitHub Actions":       {ci, "pull-request", "required_claim", "required_claim"},
		"Google Workspace":     {right, "service", "required_claim", "audience_not_allowed"},
		"Keycloak":             {right, access, "required_claim", "token_kind_access"},
	} {
		t.Run(section, func(t *testing.T) {
			p := newPerson(t, section)
			p.save(t, want.right)
			out := p.mustRun(t, p.initLine(t, section))
			commands := printedCommands(out)
			if len(commands) != maxCommands || !strings.HasPrefix(commands[0], "aws ") ||
				!strings.HasPrefix(commands[1], "delegation check ") ||
				!strings.HasPrefix(commands[2], "eval ") ||
				!strings.HasPrefix(commands[3], "delegation serve ") {
				t.Fatalf("init prints %q", commands)
			}
			p.deploy(t, commands[0])
			p.mustRun(t, commands[1])
			exchange := commands[2]
			key := p.mustRun(t, exchange+"\nprintf %s \"$AWS_ACCESS_KEY_ID\"")
			calls := p.world.aws.Calls()
			last := calls[len(calls)-1]
			if key == "" || key != last.AccessKeyID || last.Action != "AssumeRoleWithSAML" ||
				last.RoleARN != "arn:aws:iam::123456789012:role/delegation-user" {
				t.Errorf("the key is %q, and the last call %+v", key, last)
			}
			if p.commands > maxCommands {
				t.Errorf("%d commands, at most %d", p.commands, maxCommands)
			}
			t.Logf("%d commands", p.commands)

			p.save(t, oidctest.StrangerToken)
			p.wantRefused(t, exchange, want.stranger)
			p.save(t, want.wrong)
			p.wantRefused(t, exchange, want.wrongRefusal)
		})
	}
}

// person is somebody in a folder, with a shell.
type person struct {
	world       *world
	provider    *oidctest.Provider
	environment []string
	commands    int // that were run
}

// newPerson has an AWS in memory that knows nothing yet, and a network in which the provider of a
// section of docs/provider-NAME.md is the only one.
func newPerson(t *testing.T, section string) *person {
	t.Helper()
	p := &person{world: newBareWorld(t, t.TempDir())}
	r := recipes[slices.IndexFunc(recipes, func(r recipe) bool { return r.section == section })]
	profile := must(oidctest.LoadProfile(r.profile, r.parameters))
	p.provider = must(oidctest.New(oidctest.Config{Profile: profile}))
	network := must(oidctest.NewNetwork(p.provider))
	proxy := httptest.NewServer(network)
	t.Cleanup(proxy.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, network.CertificatePEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.environment = append(os.Environ(),
		"HTTPS_PROXY="+proxy.URL, "https_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=",
		"AWS_ACCESS_KEY_ID=", "SSL_CERT_FILE="+ca, "DELEGATION_STS_ENDPOINT="+p.world.awsURL,
		"PATH="+filepath.Dir(binary(t))+":"+os.Getenv("PATH"),
	)
	return p
}

// save has the provider sign a token, as after a sign-in, and saves it.
func (p *person) save(t *testing.T, kind string) {
	t.Helper()
	p.world.write(t, "token", must(p.provider.SignAs(kind, nil)))
}

// initLine is the command line of init for a section of docs/provider-NAME.md.
func (p *person) initLine(t *testing.T, section string) string {
	t.Helper()
	words := []string{
		"delegation", "init", "--client-id", clientOf(sectionsOf(t)[section]),
		"--account", "123456789012", "--bucket", "example-photos", "--region", "us-east-1",
	}
	for _, word := range initFlagsOf(t)[section] {
		words = append(words, term.ShellWord(word))
	}
	return strings.Join(words, " ")
}

// run runs a command line in a shell.
func (p *person) run(line string) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	command := exec.Command("sh", "-c", line)
	command.Dir = p.world.folder
	command.Env = p.environment
	command.Stdout = &out
	command.Stderr = &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// mustRun runs a command that counts, and has to end well.
func (p *person) mustRun(t *testing.T, line string) (stdout string) {
	t.Helper()
	p.commands++
	out, errs, err := p.run(line)
	if err != nil {
		t.Fatalf("%s: %v: %s%s", line, err, out, errs)
	}
	return out
}

// wantRefused runs the exchange again, which must print nothing and name a code.
func (p *person) wantRefused(t *testing.T, exchange, code string) {
	t.Helper()
	out, errs, _ := p.run(exchange + "\nprintf %s \"$AWS_ACCESS_KEY_ID\"")
	if out != "" || !strings.Contains(errs, "("+code+")") {
		t.Errorf("got %q, and not %s: %s", out, code, errs)
	}
}

// deploy does in the AWS in memory what the command of AWS's CLI would do.
func (p *person) deploy(t *testing.T, line string) {
	t.Helper()
	p.commands++
	in := newAccount("123456789012", "aws")
	in.mirrors = []mirror{strictSTS{p.world.aws, in.arn}}
	cloudFormation := newStacks(in)
	for _, command := range strings.Split(line, " && ") {
		words := strings.Fields(command)
		file := filepath.Join(p.world.folder, flagOf(t, words, "--template-file"))
		err := cloudFormation.deployFile(flagOf(t, words, "--stack-name"), file)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// printedCommands are the lines that init has printed for a shell of the person who ran it. Those
// for other users come after them.
func printedCommands(out string) (commands []string) {
	out, _, _ = strings.Cut(out, "\nOr deploy it: ")
	for line := range strings.Lines(out) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}
