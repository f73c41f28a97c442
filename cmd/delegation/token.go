package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxTokenFile is larger than every ID token, whose own limit is max_token_size.
const maxTokenFile = 1 << 20

// readToken reads an ID token from a file, or from standard input for "-". It is never an argument, because every user of a machine sees those, and
// no error quotes it. Blanks and line ends around it are taken off; whether it is one is for the exchange to say.
func (s surroundings) readToken(file string) (string, error) {
	name, from := "standard input", s.stdin
	switch {
	case file == "":
		return "", usageError{errors.New("there is no token: name its file with --token-file FILE, or - for standard input")}
	case strings.HasPrefix(file, "eyJ"): // how a JOSE header begins
		return "", usageError{errors.New("--token-file is the name of a file, or - for standard input, never the token itself: whoever sees this machine's processes could read it")}
	case file != "-":
		f, err := os.Open(file)
		if err != nil {
			return "", usageError{fmt.Errorf("--token-file: %w", err)}
		}
		defer f.Close()
		name, from = file, f
	case from == nil:
		return "", usageError{errors.New("--token-file -: there is no standard input")}
	case s.isTerminal(from):
		fmt.Fprintln(s.stderr, "Paste the ID token, then a new line and Control-D:")
	}
	text, err := io.ReadAll(io.LimitReader(from, maxTokenFile+1))
	if err != nil {
		return "", fmt.Errorf("--token-file: %s: %w", name, err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxTokenFile:
		return "", usageError{fmt.Errorf("--token-file: %s is larger than %d bytes, and no ID token is", name, maxTokenFile)}
	case token == "":
		return "", usageError{fmt.Errorf("--token-file: %s is empty: it has to hold an ID token", name)}
	}
	return token, nil
}
