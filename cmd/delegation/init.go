package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

func initCommand(s surroundings) *cobra.Command {
	i := &initiation{surroundings: s}
	command := &cobra.Command{
		Use:   "init",
		Short: "Start here: write configuration, key and set-up in AWS",
		Long: `Write all that a first target needs:

  - delegation.yaml, the configuration for serve, exchange and check;
  - signing.key and signing.crt;
  - metadata.xml, for IAM;
  - cloudformation.yaml or main.tf: a SAML provider, a role, and policies that
    give each user a folder of an S3 bucket.

It makes no network calls. It prints the commands to run next.

On a terminal it asks for each missing flag that has no default. It writes all
files or none, with file mode 0600, and replaces no file.

Exit code 2 if a flag is missing or wrong, or if a file exists.`,
		Example: `  delegation init --issuer https://tenant.example.com/ --client-id photo-app \
    --account 123456789012 --bucket example-photos --region eu-central-1`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return i.run(c) },
	}
	f := command.Flags()
	for _, q := range i.questions() {
		f.StringVar(q.answer, q.flag, "", q.usage)
	}
	f.BoolVar(&i.AllowLoopbackHTTP, "allow-loopback-http", false, "allow an issuer with plain http "+
		"on loopback, for tests")
	f.BoolVar(&i.Terraform, "terraform", false, "write the set-up for Terraform, main.tf")
	f.BoolVar(&i.cloudFormation, "cloudformation", false, "write the set-up for CloudFormation, "+
		"cloudformation.yaml (default)")
	f.StringVarP(&i.Folder, "out", "o", ".", "`folder` for the files; init creates it")
	return command
}

// initiation is what init finds out.
type initiation struct {
	surroundings
	setup.Answers
	cloudFormation bool
}

// question is one thing to find out, by a flag or by asking.
type question struct {
	flag  string
	usage string // of the flag
	asks  string // on a terminal

	answer *string

	// otherwise is the default, which may come of the answers before; "" is none.
	otherwise func() string

	check func(answer string) error

	// derived tells that the default is there as soon as the answers before are.
	derived bool
}

// questions come in the order in which they are asked; a check may use the answers before.
func (i *initiation) questions() []question {
	none := func() string { return "" }
	text := func(s string) func() string { return func() string { return s } }
	return []question{
		{
			flag: "issuer",
			usage: "`URL` of the OpenID provider, exactly as in the iss claim, trailing slash " +
				"included",
			asks:      "Issuer URL of the ID tokens, exactly as in their iss claim",
			answer:    &i.Issuer,
			otherwise: none,
			check:     i.CheckIssuer,
		},
		{
			flag:      "client-id",
			usage:     "`ID` of the application that ID tokens are issued to, the aud claim",
			asks:      "Client ID of the application, their aud claim",
			answer:    &i.ClientID,
			otherwise: none,
			check:     setup.CheckName,
		},
		{
			flag:      "account",
			usage:     "AWS account, `12 digits`",
			asks:      "AWS account, 12 digits",
			answer:    &i.Account,
			otherwise: none,
			check:     setup.CheckAccount,
		},
		{
			flag:      "region",
			usage:     "AWS `region` whose STS is called; by default AWS_REGION",
			asks:      "AWS region",
			answer:    &i.Region,
			otherwise: i.usualRegion,
			check:     setup.CheckRegion,
		},
		{
			flag:      "bucket",
			usage:     "`name` of the S3 bucket in which each user has the folder ${saml:sub}",
			asks:      "S3 bucket in which each user has a folder",
			answer:    &i.Bucket,
			otherwise: none,
			check:     i.CheckBucket,
		},
		{
			flag: "role",
			usage: "`name` of the role to make, with its path if it has one (default " +
				"delegation-user)",
			asks:      "Name of the role to make",
			answer:    &i.Role,
			otherwise: text("delegation-user"),
			check:     i.CheckRole,
		},
		{
			flag:      "provider",
			usage:     "`name` of the SAML provider to make (default delegation)",
			asks:      "Name of the SAML provider to make",
			answer:    &i.Provider,
			otherwise: text("delegation"),
			check:     i.CheckProvider,
		},
		{
			flag:      "target",
			usage:     "`name` of the target that clients ask for (default the client ID)",
			asks:      "Name of the target that clients ask for",
			answer:    &i.Target,
			otherwise: func() string { return i.ClientID },
			check:     setup.CheckName,
			derived:   true,
		},
		{
			flag:      "entity-id",
			usage:     "entity `ID` of the SAML identity (default urn: and the issuer's host)",
			asks:      "Entity ID of the SAML identity",
			answer:    &i.EntityID,
			otherwise: i.UsualEntityID,
			check:     i.CheckEntityID,
			derived:   true,
		},
	}
}

// usualRegion is the one that AWS's own programs would take from the environment.
func (i *initiation) usualRegion() (found string) {
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		if value := i.variable(name); setup.CheckRegion(value) == nil {
			found = value
		}
	}
	return found
}

func (i *initiation) run(c *cobra.Command) error {
	ctx := c.Context()
	i.Folder = filepath.Clean(i.Folder)
	if i.Terraform && i.cloudFormation {
		return config.Usage(errors.New("--terraform and --cloudformation are two forms of the " +
			"set-up: choose one"))
	}
	if err := i.answerAll(ctx, c.Flags().Changed); err != nil {
		return err
	}
	certificate, private, err := i.makeKey(
		c, "delegation", setup.DefaultKeyBits, setup.DefaultValid)
	if err != nil {
		return err
	}
	files, err := i.Files(certificate, private)
	if err != nil {
		return err
	}
	if err := i.Write(ctx, files); err != nil {
		return err
	}
	return i.print([]byte(i.Rest(files)))
}

// answerAll takes the flags' answers and the defaults for the others. If that is not enough it
// asks, on a terminal, for all that no flag says. Every flag that is wrong or missing is named,
// before anybody answers in vain.
func (i *initiation) answerAll(ctx context.Context, said func(flag string) bool) error {
	var open []question
	var wrong []error
	var missing []string
	for _, q := range i.questions() {
		if said(q.flag) {
			if err := q.check(*q.answer); err != nil {
				wrong = append(wrong, fmt.Errorf("--%s: %w", q.flag, err))
			}
			continue
		}
		open = append(open, q)
		if !q.derived && q.otherwise() == "" {
			missing = append(missing, "--"+q.flag)
		}
	}
	terminal := term.IsTerminal(i.stdin)
	switch {
	case len(missing) > 0 && !terminal:
		wrong = append(wrong, fmt.Errorf("init needs %s, or a terminal "+
			"to ask on", strings.Join(missing, ", ")))
	case len(wrong) > 0:
	case len(missing) > 0:
		in := bufio.NewScanner(i.stdin)
		for _, q := range open {
			if err := i.ask(ctx, in, q); err != nil {
				return err
			}
		}
	default:
		for _, q := range open {
			*q.answer = q.otherwise()
			if err := q.check(*q.answer); err != nil {
				wrong = append(wrong, fmt.Errorf("--%s is needed, because the usual one will "+
					"not do: %w", q.flag, err))
			}
		}
	}
	if len(wrong) > 0 {
		return config.Usage(errors.Join(wrong...))
	}
	return nil
}

// ask asks until the answer is good.
func (i *initiation) ask(ctx context.Context, in *bufio.Scanner, q question) error {
	otherwise := q.otherwise()
	for {
		fmt.Fprint(i.stderr, q.asks)
		if otherwise != "" {
			fmt.Fprintf(i.stderr, " [%s]", otherwise)
		}
		fmt.Fprint(i.stderr, ": ")
		answer, err := nextLine(ctx, in)
		if err != nil {
			fmt.Fprintln(i.stderr)
			if errors.Is(err, io.EOF) {
				return config.Usagef("there is no answer for --%s", q.flag)
			}
			return fmt.Errorf("nothing is written: %w", err)
		}
		if answer = strings.TrimSpace(answer); answer == "" {
			answer = otherwise
		}
		if *q.answer = answer; answer == "" {
			continue
		}
		if err = q.check(answer); err == nil {
			return nil
		}
		fmt.Fprintf(i.stderr, "  %v\n", err)
	}
}

// nextLine reads a line, or gives up when the context ends: the read itself cannot be stopped, so
// nobody may read after that.
func nextLine(ctx context.Context, in *bufio.Scanner) (string, error) {
	read := make(chan error, 1)
	go func() {
		if in.Scan() {
			read <- nil
			return
		}
		read <- errors.Join(in.Err(), io.EOF)
	}()
	select {
	case err := <-read:
		return in.Text(), err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
