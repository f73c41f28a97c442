package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/spf13/cobra"
)

// allCommands are the root and all below it.
func allCommands(s surroundings) (list []*cobra.Command) {
	list = []*cobra.Command{rootCommand(s)}
	for i := 0; i < len(list); i++ {
		list = append(list, list[i].Commands()...)
	}
	return list
}

// flagUsage matches a flag in help, and what it takes: nothing, if it is a switch.
var flagUsage = regexp.MustCompile(`--([\w-]+)(?: (\w+))? {2,}`)

// TestCommands: each has help with an example of its own, takes no argument that is not meant, and
// no secret in one.
func TestCommands(t *testing.T) {
	found, flags := map[string]bool{}, 0
	for _, c := range allCommands(surroundings{}) {
		found[c.Name()] = true
		if c.Short == "" || c.Long == "" ||
			!strings.HasPrefix(c.Example, "  "+c.CommandPath()) && c.HasParent() ||
			c.Example == "" {
			t.Errorf("%s: help lacks something: %q %q %q", c.CommandPath(), c.Short,
				c.Long, c.Example)
		}
		if c.Name() != "help" && c.Name() != "man" { // whose argument is a command
			stderr := newOutput()
			args := append(strings.Fields(c.CommandPath())[1:], "stray")
			code := run(t.Context(), args, surroundings{stdout: newOutput(), stderr: stderr})
			if code != exitUsage || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("%q: exit code %d: %s", args, code, stderr)
			}
		}
		for _, flag := range flagUsage.FindAllStringSubmatch(c.Flags().FlagUsages(), -1) {
			flags++
			for _, word := range []string{
				"token", "secret", "password", "key", "credential", "assertion", "certificate",
			} {
				name, takes := flag[1], flag[2]
				if strings.Contains(name, word) && takes != "" && takes != "file" {
					t.Errorf("%s --%s takes a %q, and the list of processes shows arguments",
						c.CommandPath(), name, takes)
				}
			}
		}
	}
	if flags < 15 {
		t.Errorf("only %d flags: the test misses some", flags)
	}
	for _, name := range []string{
		"keygen", "metadata", "trust-policy", "permission-policy", "cloudformation", "terraform",
		"init", "serve", "check", "explain", "exchange", "version", "revoke",
		"completion", "bash", "zsh", "fish", "help",
	} {
		if !found[name] {
			t.Errorf("there is no command %s", name)
		}
	}
	for _, c := range rootCommand(surroundings{}).Commands() {
		script := "testdata/script/" + strings.Replace(c.Name(), "completion", "help", 1) + ".txtar"
		text, err := os.ReadFile(script)
		if err != nil || !strings.Contains(string(text), "fails 2 delegation "+c.Name()) {
			t.Errorf("%s has no script that tries it in a wrong way, too: %v", c.Name(), err)
		}
	}
}

// TestHelp: what the program says of itself fits a terminal of 80 columns, in plain words.
func TestHelp(t *testing.T) {
	const maxColumns = 80
	riddles := regexp.MustCompile(`(?i)\b(whoever|at hand|behind|beside|papers|nobody)\b`)
	for _, c := range allCommands(surroundings{}) {
		if c.Parent() != nil && c.Parent().Name() == "completion" {
			continue // cobra's own words
		}
		stdout := newOutput()
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := run(t.Context(), args, surroundings{stdout: stdout}); code != 0 {
			t.Errorf("%q: exit code %d", args, code)
		}
		text := stdout.String()
		if !strings.HasPrefix(text, strings.TrimSpace(c.Long)+"\n\nUsage:\n") ||
			!strings.Contains(text, "\nFlags:\n") {
			t.Errorf("%q: got %s", args, text)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "Use \"delegation ") { // cobra's own
				continue
			}
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > maxColumns {
				t.Errorf("%q: %d columns, at most %d: %s", args, n, maxColumns, line)
			}
		}
		if found := riddles.FindString(text); found != "" {
			t.Errorf("%q: say %q in other words", args, found)
		}
	}
}

// TestUsageText: the usage of each command is what cobra's own template makes of it, with flags
// that are wrapped.
func TestUsageText(t *testing.T) {
	for _, c := range allCommands(surroundings{}) {
		got := c.UsageString()
		root := c.Root()
		root.SetUsageFunc(nil)
		root.SetUsageTemplate(strings.ReplaceAll(
			root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
		if want := c.UsageString(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.CommandPath(), got, want)
		}
		root.SetUsageFunc(surroundings{}.writeUsage)
		root.SetUsageTemplate("")
	}
}

// TestNoSecrets: commands that fail in many ways say nothing of the token, the keys and the
// credentials, however much they are asked to.
func TestNoSecrets(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "")
	key := string(must(os.ReadFile(filepath.Join(w.folder, "signing.key"))))
	tokens := map[string]string{
		"good": w.token(nil), "expired": w.token(expired()),
		"denied":  w.token(map[string]any{"groups": []string{"staff"}}),
		"forged":  w.token(nil)[:len(w.token(nil))-8] + "AAAAAAAA",
		"foreign": w.token(map[string]any{"iss": "https://canary.example.com/"}),
		// Encrypted tokens (RFC 7516 §3.1), the first with "alg": "dir" and so without a key.
		"encrypted": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXYtb2Ytb25l." +
			"Y2lwaGVydGV4dC1vZi1vbmU.dGFnLW9mLW9uZS10YWctMQ",
		"wrapped": "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.d3JhcHBlZC1rZXktb2YtdHdv." +
			"aXYtb2YtdHdv.Y2lwaGVydGV4dC1vZi10d28.dGFnLW9mLXR3by10YWctMg",
	}
	// These lines have the private exponent. Those before have the modulus, which the certificate
	// in the metadata has too. A token is as bad without its signature; its first part is the same
	// for all.
	secrets := strings.Split(strings.TrimSpace(key), "\n")[9:13]
	for _, token := range tokens {
		for _, part := range strings.Split(token, ".")[1:] {
			if part != "" {
				secrets = append(secrets, part)
			}
		}
	}
	mixed := w.write(t, "mixed.yaml",
		strings.ReplaceAll(string(must(os.ReadFile(file))), "signing.crt", "signing.key"))
	swapped := w.write(t, "swapped.yaml", strings.ReplaceAll(string(must(os.ReadFile(file))),
		"key_file: signing.key", "key_file: token.good"))
	keyAsConfig := filepath.Join(w.folder, "signing.key")
	var rows [][]string
	for name, token := range tokens {
		rows = append(rows,
			[]string{"exchange", "-c", file, "-t", service.DemoTarget, "-f",
				w.write(t, "token."+name, token)},
			[]string{"exchange", "-c", file, "-t", service.DemoTarget, "-f", token},
			[]string{"exchange", "-c", file, "-t", service.DemoTarget, token},
			[]string{"check", token}, []string{"help", token}, []string{"metadata", "-c", token},
			[]string{"keygen", "--bits", token},
			[]string{"exchange", "-" + token},
			[]string{"exchange", "-c", file, "-t", token, "-f", "-"},
			[]string{"metadata", "--out", token + "/none"}, []string{token},
			[]string{"explain", "-c", file, "-t", service.DemoTarget, "-f",
				filepath.Join(w.folder, "token."+name)},
			[]string{"explain", "-c", file, "-t", service.DemoTarget, "-f",
				filepath.Join(w.folder, "token."+name), "--json"},
			[]string{"explain", "-c", file, "-t", service.DemoTarget, "-f", token},
			[]string{"init", "--issuer", token, "--account", token, "--region", token},
			[]string{"trust-policy", "--principal", token},
			[]string{"permission-policy", "--bucket", token, "--region", "eu-central-1"},
			[]string{"terraform", "-c", file, "-t", token})
	}
	for _, config := range []string{
		mixed, swapped, keyAsConfig, filepath.Join(w.folder, "token.good"),
	} {
		rows = append(rows, []string{"exchange", "-c", config, "-t", service.DemoTarget, "-f", "-"},
			[]string{"check", "-c", config}, []string{"metadata", "-c", config},
			[]string{"serve", "-c", config},
			[]string{"explain", "-c", config, "-t", service.DemoTarget, "-f", "-"},
			[]string{"trust-policy", "-c", config, "-t", service.DemoTarget},
			[]string{"cloudformation", "-c", config, "-t", service.DemoTarget},
			[]string{"cloudformation", "-c", config, "-t", service.DemoTarget,
				"--part", "provider"},
			[]string{"permission-policy", "--template", config})
	}
	rows = append(rows, []string{"metadata", "--entity-id", "urn:a", "--certificate", keyAsConfig},
		[]string{"metadata", "--entity-id", "urn:a", "--certificate",
			filepath.Join(w.folder, "token.good")},
		[]string{"check", "-c", file}, []string{"keygen", "--out", w.folder},
		[]string{"cloudformation", "-c", file, "-t", service.DemoTarget},
		[]string{"cloudformation", "-c", file, "-t", service.DemoTarget, "--part", "provider"},
		[]string{"terraform", "-c", file, "-t", service.DemoTarget},
		[]string{"trust-policy", "-c", file, "-t", service.DemoTarget},
		[]string{"init", "--issuer", "https://tenant.example.com/", "--client-id", "a", "--account",
			"123456789012", "--bucket", "photos", "--region", "eu-central-1", "--out", w.folder})
	check := func(environment, args []string, plain bool) {
		stdout, stderr := newOutput(), newOutput()
		code := run(t.Context(), args, surroundings{
			environment: environment,
			stdin:       strings.NewReader(tokens["good"]),
			stdout:      stdout,
			stderr:      stderr,
			newKey:      testKey,
		})
		said := stderr.String()
		if code != 0 || args[0] != "exchange" {
			said += stdout.String()
		}
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Errorf("%.40q says a secret: %s", args, said)
			}
		}
		if code != 0 || args[0] != "exchange" || !plain {
			return
		}
		if said != "" || !strings.Contains(stdout.String(), "SecretAccessKey") {
			t.Errorf("%.40q: %q", args, said)
		}
	}
	// Where nobody listens the SDK waits before it tries again, so many run at once.
	var all sync.WaitGroup
	places := make(chan struct{}, 16)
	for _, environment := range [][]string{nil, {"DELEGATION_STS_ENDPOINT=http://127.0.0.1:1"}} {
		for _, args := range rows {
			for _, more := range [][]string{nil, {"--verbose"}, {"--help"}} {
				places <- struct{}{}
				all.Go(func() {
					defer func() { <-places }()
					check(environment, append(slices.Clone(args), more...), more == nil)
				})
			}
		}
	}
	all.Wait()
}

// TestChain: --verbose shows all that an error wraps, once each, a line each.
func TestChain(t *testing.T) {
	inner := errors.New("inner\nwith two lines")
	stderr := newOutput()
	surroundings{stderr: stderr}.complain(
		fmt.Errorf("outer: %w", errors.Join(fmt.Errorf("left: %w", inner), errors.New("right"))),
		true)
	want := `delegation: outer: left: inner; with two lines; right
  *errors.joinError: left: inner; with two lines; right
    *fmt.wrapError: left: inner; with two lines
      *errors.errorString: inner; with two lines
    *errors.errorString: right
`
	if stderr.String() != want {
		t.Errorf("got\n%s", stderr)
	}
}

// TestReadToken_Input: what a reader can do to it. Files are in the scripts.
func TestReadToken_Input(t *testing.T) {
	for name, row := range map[string]struct {
		stdin io.Reader
		code  int
		want  string
	}{
		"nothing to read": {nil, exitUsage, "there is no standard input"},
		"empty":           {strings.NewReader(" \n"), exitUsage, "standard input is empty"},
		"breaks": {io.MultiReader(strings.NewReader("canary"), failingReader{}), exitUsage,
			"the pipe broke"},
		"without end": {endless{}, exitUsage, "standard input is larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := surroundings{stdin: row.stdin}.readToken("-")
			if !errors.As(err, new(config.UsageError)) ||
				!strings.Contains(err.Error(), row.want) ||
				strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
	token, err := surroundings{stdin: strings.NewReader("\r\n a.b.c\r\n")}.readToken("-")
	if token != "a.b.c" || err != nil {
		t.Errorf("got %q, %v", token, err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("the pipe broke") }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestExchange_ContextEnded: nothing is begun after the end.
func TestExchange_ContextEnded(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stderr := newOutput()
	code := run(ctx,
		[]string{"exchange", "-c", w.configFile(t, ""), "-t", service.DemoTarget, "-f",
			w.write(t, "token", w.token(nil))},
		surroundings{stdout: newOutput(), stderr: stderr})
	if code != exitFailed || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestKeygen_ContextEnded: a signal ends the wait for a key, and nothing is written.
func TestKeygen_ContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folder, stderr := t.TempDir(), newOutput()
	code := run(ctx, []string{"keygen", "--out", folder},
		surroundings{stdout: newOutput(), stderr: stderr})
	left := must(os.ReadDir(folder))
	if code != exitFailed || len(left) > 0 ||
		stderr.String() != "delegation: nothing is written: context canceled\n" {
		t.Errorf("exit code %d, %d files: %s", code, len(left), stderr)
	}
}

// TestByKeys: who has a configuration and no Go reads of its keys only, in every remedy.
func TestByKeys(t *testing.T) {
	table := string(must(os.ReadFile("../../docs/errors.md")))
	names := regexp.MustCompile(`\b(Config|Issuer|IdentityProvider|Target|AWS|Options)\.[A-Z]\w+`).
		FindAllString(table, -1)
	if len(names) < 15 {
		t.Fatalf("%d names in the table", len(names))
	}
	example := string(must(os.ReadFile("delegation.example.yaml")))
	for _, name := range names {
		if name == "Config.Profile" || name == "Config.Rand" { // which a configuration cannot have
			continue
		}
		key, _, _ := strings.Cut(config.ByKeys(name), " of the ")
		last := key[strings.LastIndexByte(key, '.')+1:]
		if name != "IdentityProvider.Metadata" &&
			!regexp.MustCompile(`[ {#]`+last+`:|(?m)^`+last+`:`).MatchString(example) {
			t.Errorf("%s is %q, which the example does not have", name, key)
		}
	}
	for text, want := range map[string]string{
		"publish IdentityProvider.Metadata": "publish the output of delegation metadata",
		"Cannot find module 'x': register it in Options.Modules": "Cannot find module 'x': " +
			"give its source in javascript.modules",
	} {
		if got := config.ByKeys(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
