package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

// maxPolicyFile is larger than every session policy that AWS accepts: 2,048 characters of at most
// two bytes, and white space.
const maxPolicyFile = 64 << 10

// narrowingFlags are the flags that request a session with fewer permissions.
type narrowingFlags struct {
	scopes     []string
	policyFile string

	policy string // content of the file, after read
}

func (f *narrowingFlags) add(command *cobra.Command) {
	command.Flags().StringArrayVar(&f.scopes, "scope", nil, "`name` of a scope of the target, "+
		"which narrows the session; repeat it for several")
	command.Flags().StringVar(&f.policyFile, "session-policy", "",
		"`file` with a session policy, which narrows the session")
}

// read reads the file of --session-policy.
func (f *narrowingFlags) read() error {
	if f.policyFile == "" {
		return nil
	}
	file, err := os.Open(f.policyFile)
	if err != nil {
		return config.Usagef("--session-policy: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPolicyFile+1))
	if err != nil {
		return config.Usagef("--session-policy: %w", err)
	}
	if len(text) > maxPolicyFile {
		return config.Usagef("--session-policy: %s is larger than %d bytes, which no session "+
			"policy is", f.policyFile, maxPolicyFile)
	}
	f.policy = strings.TrimSpace(string(text))
	if f.policy == "" {
		return config.Usage(errors.New(
			"--session-policy: the file is empty: write a session policy in JSON into it"))
	}
	return nil
}

// options returns the options of the exchange. read has to be called first.
func (f *narrowingFlags) options() (options []delegation.ExchangeOption) {
	if len(f.scopes) > 0 {
		options = append(options, delegation.WithScope(f.scopes...))
	}
	if f.policy != "" {
		options = append(options, delegation.WithSessionPolicy(f.policy))
	}
	return options
}

// key identifies the narrowing on which cached credentials depend; empty if none is requested.
func (f *narrowingFlags) key() string {
	if len(f.scopes) == 0 && f.policy == "" {
		return ""
	}
	return fmt.Sprintf("narrowed %q %q", f.scopes, f.policy)
}

// narrowingOutcome tells how an explained session was narrowed, and why.
type narrowingOutcome struct {
	How delegation.Narrowing `json:"how"`
	Why string               `json:"why"`
}

func newNarrowingOutcome(how delegation.Narrowing) narrowingOutcome {
	why := map[delegation.Narrowing]string{
		delegation.NarrowedAlone: "target and rules set no session policy, so the requested " +
			"policy is the session policy",
		delegation.NarrowedSame: "the requested policy is the one that target and rules set",
		delegation.NarrowedCombined: "the scope is combined with the target's own policies, and " +
			"takes their place",
		delegation.NarrowedDecision: "the session policy that target and rules set denies what " +
			"was not requested",
		delegation.NarrowedRequest: "the requested policy is the session policy, and denies what " +
			"target and rules do not allow",
	}
	return narrowingOutcome{how, why[how]}
}
