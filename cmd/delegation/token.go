package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

// maxTokenFile is larger than every ID token, whose own limit is max_token_size.
const maxTokenFile = 1 << 20

// tokenFlags are the flags of a command that takes an ID token for a target.
type tokenFlags struct {
	configFile string
	target     string
	tokenFile  string
}

// add adds the flags to a command. usage is that of --target.
func (f *tokenFlags) add(command *cobra.Command, s surroundings, usage string) {
	s.configFlag(command, &f.configFile, defaultConfig)
	s.targetFlag(command, &f.target, &f.configFile, usage)
	command.Flags().StringVarP(&f.tokenFile, "token-file", "f", "", "`file` with the ID token, "+
		"or - for standard input; required")
}

// requireTarget refuses a command without a target, and a token in place of its name, which the log
// would have. A target may have a name that looks like a token.
func (f *tokenFlags) requireTarget(s surroundings, command string) error {
	if f.target == "" {
		return config.Usagef(
			"%s needs --target NAME: a key under targets of the configuration", command)
	}
	if !jwt().MatchString(f.target) {
		return nil
	}
	loaded, _, err := config.Load(f.configFile, s.environment)
	if err != nil {
		return err
	}
	if _, ok := loaded.Targets[f.target]; ok {
		return nil
	}
	return config.Usage(errors.New("--target is the name of a target, never a token: every " +
		"user of a machine can list arguments"))
}

// open builds what the configuration describes, as surroundings.configured does, and reads the
// token.
func (f *tokenFlags) open(
	c *cobra.Command, s surroundings, change func(*config.Settings),
) (built *service.Service, token string, err error) {
	built, err = s.configured(c.Context(), f.configFile, verbose(c), change)
	if err != nil {
		return nil, "", err
	}
	if token, err = s.readToken(f.tokenFile); err != nil {
		built.Close()
		return nil, "", err
	}
	return built, token, nil
}

// readToken reads an ID token from a file, or from standard input for "-". A token is never an
// argument, because every user of a machine can see those. No error quotes it. White space around
// it is removed. The exchange decides whether it is valid. A signal ends the wait for input.
func (s surroundings) readToken(file string) (string, error) {
	if err := s.checkTokenFile(file); err != nil {
		return "", err
	}
	if file == "-" && term.IsTerminal(s.stdin) {
		fmt.Fprintln(s.stderr, "ID token (it is not shown), then Enter:")
		defer term.KeepState(s.stdin)() // if a signal ended the wait
	}
	text, err := s.awaitInput(file)
	if err != nil {
		return "", err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	if len(text) > maxTokenFile {
		return "", config.Usagef(
			"--token-file: %s is larger than %d bytes, which no ID token is", name, maxTokenFile)
	}
	token := string(bytes.TrimSpace(text))
	if token == "" {
		return "", config.Usagef(
			"--token-file: %s is empty: write an ID token into it", name)
	}
	return token, nil
}

// checkTokenFile refuses a file that cannot be read, and a token in place of its file.
func (s surroundings) checkTokenFile(file string) error {
	switch {
	case file == "":
		return config.Usage(errors.New("there is no token: name its file with --token-file FILE, " +
			"or - for standard input"))
	case jwt().MatchString(file) && !exists(file):
		return config.Usage(errors.New("--token-file is the name of a file, or - for standard " +
			"input, never the token itself: every user of a machine can list arguments"))
	case file == "-" && s.stdin == nil:
		return config.Usage(errors.New("--token-file: there is no standard input"))
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// awaitInput reads in a separate goroutine, because no signal ends the read of a pipe or a
// terminal.
func (s surroundings) awaitInput(file string) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := s.readInput(file)
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return nil, config.Usagef("--token-file: %w", r.err)
		}
		return r.text, nil
	case <-s.ended:
		return nil, errors.New("--token-file: a signal came before the token")
	}
}

func (s surroundings) readInput(file string) ([]byte, error) {
	if file == "-" && term.IsTerminal(s.stdin) {
		return term.ReadHidden(s.stdin)
	}
	from := s.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	return io.ReadAll(io.LimitReader(from, maxTokenFile+1))
}

// jwt matches texts that can only be tokens: a JOSE header is a JSON object, and base64url of one
// begins like this, with a quotation mark or white space after its brace. So a name that has "ey",
// such as survey-application, does not match. There are no anchors, because a token can follow any
// text in an error. The second part is empty in an encrypted token whose key is agreed on directly
// (RFC 7518 §4.5), and in a signed one with detached content (RFC 7515, appendix F). An encrypted
// token has five parts (RFC 7516 §3.1).
var jwt = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`e(?:y[A-DI-L]|w[k-r0-3])[\w-]{13,}\.(?:[\w-]{16,})?(?:\.[\w-]*){1,3}`)
})
