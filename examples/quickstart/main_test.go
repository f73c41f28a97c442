package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"
)

// TestDemonstration holds what the README promises: each step, three refusals, no secret.
func TestDemonstration(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, strings.NewReader(""), &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"issuer       http://127.0.0.1:",
		"user         auth0|alice",
		"decided by   delegation.RoleByClaim",
		"role         arn:aws:iam::123456789012:role/photo-editor",
		"region       eu-central-1",
		"session      alice@example.com, 1h0m0s",
		"secret [redacted], session token [redacted]",
		"expires      20",
		"AWS sees     arn:aws:sts::123456789012:assumed-role/photo-editor/alice@example.com",
		"token, token_expired", "rules, denied", "sts, sts_access_denied", "sts:TagSession",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if n := strings.Count(text, "is refused:"); n != 3 {
		t.Errorf("%d refusals, want 3", n)
	}
}

// TestMistakes: what a newcomer gets wrong first is named.
func TestMistakes(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"only the issuer": {
			[]string{"-issuer", "https://issuer.example.com/"},
			"-target, -role, -principal",
		},
		"no such file": {
			[]string{
				"-issuer", "https://issuer.example.com/", "-target", "a", "-role", "r",
				"-principal", "p", "-entity-id", "e",
				"-cert", "missing.crt", "-key", "missing.key",
			},
			"missing.crt",
		},
		"unknown flag": {[]string{"-isuer", "x"}, "-isuer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), row.args, strings.NewReader(""), &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want it to name %s", err, row.want)
			}
		})
	}
}

// TestHelp: -help says what the program does and describes every flag, and is no failure.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-help"}, strings.NewReader(""), &out)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"Without flags it runs a demonstration.", "docs/aws-setup.md", "-issuer URL", "-token file",
		"-target ID", "-role ARN", "-principal ARN", "-region region", "-entity-id ID",
		"-cert file", "-key file", "-sts URL",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, &out)
		}
	}
}
