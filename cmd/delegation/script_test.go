package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test's binary the program delegation as well: it is in the PATH under that
// name, by which it knows what it is.
func TestMain(m *testing.M) {
	if strings.HasSuffix(os.Args[0], ".test") { // or it is the program
		_ = os.Unsetenv("AWS_CA_BUNDLE") // each client of AWS would read the machine's certificates
		debug.SetGCPercent(400)          // collecting took a fifth of the time
	}
	testscript.Main(m, map[string]func(){"delegation": scriptMain, programName: programMain})
}

// readyKey is the variable of the environment with a folder that has signing.crt and signing.key.
// The commands that set something up take these for the key that they would make, which takes
// longer than most scripts.
const readyKey = "TEST_READY_KEY"

// scriptMain is main, but for the key that is ready.
func scriptMain() { runAs(surroundingsOfScript(os.Args)) }

// surroundingsOfScript has a key that is ready for a command line that makes one, but for keygen.
func surroundingsOfScript(args []string) surroundings {
	s := ofThisProcess()
	if folder := os.Getenv(readyKey); folder != "" && !slices.Contains(args, "keygen") {
		s.newKey = func(string, int, time.Time, time.Duration) (certificate, key []byte, err error) {
			certificate, err = os.ReadFile(filepath.Join(folder, "signing.crt"))
			if err != nil {
				return nil, nil, err
			}
			key, err = os.ReadFile(filepath.Join(folder, "signing.key"))
			return certificate, key, err
		}
	}
	return s
}

// TestScript runs testdata/script/*.txtar, one or more for each command. Besides testscript's own
// commands there are
//
//	world [SETTING...]             an OpenID provider and an STS on loopback, at $ISSUER and $AWS;
//	                               in the current folder delegation.yaml for them, with more
//	                               settings of its target photo-app, signing.key, signing.crt, and
//	                               a good ID token in the file token. Once in a script
//	token FILE [CLAIM=JSON...]     an ID token of a photo editor of the target, with claims
//	                               changed; CLAIM= removes it
//	mode OCTAL FILE...             the files have the mode
//	exits N PROGRAM [ARG...]       is exec that wants an exit code
//	runs delegation [ARG...]       is exec in the script's one process, see programMain
//	fails N delegation [ARG...]    is exits in the script's one process
//	served PATH ARG...             serves with delegation ARG..., with whole paths of files, asks
//	                               for PATH with the ID token of the file token, keeps the answer
//	                               in the file answer and the log in the file log, and ends the
//	                               service with a signal, which must be a good end. Of the
//	                               script's environment the service sees GOGC
func TestScript(t *testing.T) {
	folder := t.TempDir()
	certificate, key := keyPair()
	for name, text := range map[string][]byte{"signing.crt": certificate, "signing.key": key} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := scriptParams("testdata/script")
	setup := p.Setup
	p.Setup = func(e *testscript.Env) error {
		e.Setenv(readyKey, folder)
		return setup(e)
	}
	testscript.Run(t, p)
}

// scriptParams are those of the scripts in a folder.
func scriptParams(folder string) testscript.Params {
	return testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[scriptKey{}] = &script{
				TB:        e.T().(testing.TB), // which Run says it is
				folder:    folder,
				variables: e.Vars,
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"world": scriptWorld, "token": scriptToken, "mode": scriptMode, "exits": scriptExits,
			"served": scriptServed, "runs": scriptRuns, "fails": scriptFails,
		},
	}
}

// script is what a script's commands share.
type script struct {
	testing.TB
	*world
	folder    string   // of the scripts
	variables []string // of the environment at the beginning
	runner    *runner  // nil: nothing has run yet
	names     []string // of variables that the script has at some time
	set       map[string]bool
}

type scriptKey struct{}

// usage ends the script if one of its commands is not called as TestScript says.
func usage(ts *testscript.TestScript, ok bool) *script {
	if !ok {
		ts.Fatalf("it is not called so: see TestScript")
	}
	return ts.Value(scriptKey{}).(*script)
}

func scriptWorld(ts *testscript.TestScript, negated bool, settings []string) {
	s := usage(ts, !negated)
	s.world = newWorldIn(s, ts.MkAbs("."))
	ts.Setenv("ISSUER", s.issuerURL)
	ts.Setenv("AWS", s.awsURL)
	console := fmt.Sprintf("http: {console: {endpoint: %q}}", s.awsURL+"/federation")
	s.configFile(s, console, settings...)
	s.write(s, "token", s.world.token(nil))
}

func scriptToken(ts *testscript.TestScript, negated bool, args []string) {
	s := usage(ts, !negated && len(args) > 0)
	claims := map[string]any{}
	for _, arg := range args[1:] {
		name, text, ok := strings.Cut(arg, "=")
		usage(ts, ok)
		var value any
		if text != "" {
			ts.Check(json.Unmarshal([]byte(text), &value))
		}
		claims[name] = value
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s.world.token(claims)), 0o600))
}

func scriptMode(ts *testscript.TestScript, negated bool, args []string) {
	usage(ts, !negated && len(args) > 1)
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has the mode %s", file, got)
		}
	}
}

func scriptServed(ts *testscript.TestScript, negated bool, args []string) {
	s := usage(ts, !negated && len(args) > 1)
	service := start(s.TB, []string{"GOGC=" + ts.Getenv("GOGC")}, args[1:]...)
	request, err := http.NewRequest(http.MethodGet, service.url+args[0], nil)
	ts.Check(err)
	request.Header.Set("Authorization", ts.ReadFile("token"))
	response, err := client(nil).Do(request)
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	if code := service.stop(); code != 0 {
		ts.Fatalf("exit code %d", code)
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"),
		append([]byte(response.Status+"\n"), answer...), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("log"), []byte(service.logs.String()), 0o600))
}

func scriptExits(ts *testscript.TestScript, negated bool, args []string) {
	usage(ts, !negated && len(args) > 1)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d", code)
	}
}
