package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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

  - delegation.yaml, the configuration of all commands;
  - signing.key and signing.crt;
  - metadata.xml, for IAM;
  - provider.yaml and role-TARGET.yaml, or the same with .tf: a SAML provider, a
    role, and policies that give each user a folder of an S3 bucket.

It recognises many providers by the issuer, or takes --provider. If anyone can
get tokens of the issuer, a flag must say whose are accepted, such as --owner.
init writes the answer as a required claim.

On a terminal it asks for each missing flag that has no default, fetches the
issuer's documents, and shows what it found. Without a terminal it asks for
nothing, and fetches nothing unless --online is set.

It writes all files or none, with file mode 0600, and replaces no file. Then it
prints the commands to run next: for a service of your own user, in a container,
with systemd and on Kubernetes.

--add-to adds a target to a configuration: the target, its issuer if that is
new, and a rule if it needs one. Nothing else in the file changes. It writes the
set-up of the role, and of the SAML provider if no target has it yet.

Exit code 2 if a flag is missing or wrong, if the issuer's documents name
another issuer, if a file exists, or if the configuration cannot be added to.`,
		Example: `  delegation init --provider google-workspace --domain example.com \
    --client-id photo-app --account 123456789012 --bucket example-photos \
    --region eu-central-1`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return i.run(c) },
	}
	f := command.Flags()
	for _, q := range i.questions() {
		f.StringVar(q.answer, q.flag, "", q.usage)
	}
	f.StringArrayVar(&i.Required, "require", nil, "`CLAIM=VALUE` that tokens must have; "+
		"a * at the end matches any characters; repeat it for more claims or values")
	f.StringArrayVar(&i.Aliases, "alias", nil, "another `iss` claim of the issuer; repeat it for "+
		"several")
	f.StringVar(&i.DiscoveryURL, "discovery-url", "", "`URL` of the discovery document, if it is "+
		"not below the issuer")
	f.StringVar(&i.JWKSURL, "jwks-url", "", "`URL` of the key set, instead of discovery")
	f.StringVar(&i.JWKSFile, "jwks-file", "", "`file` with the key set, instead of discovery")
	f.BoolVar(&i.AllowLoopbackHTTP, "allow-loopback-http", false,
		"allow an issuer with plain HTTP on loopback, for tests")
	f.BoolVar(&i.online, "online", false, "fetch the issuer's documents (default on a terminal)")
	f.BoolVar(&i.offline, "offline", false, "fetch nothing (default without a terminal)")
	f.BoolVar(&i.Terraform, "terraform", false, "write the set-up for Terraform")
	f.BoolVar(&i.cloudFormation, "cloudformation", false,
		"write the set-up for CloudFormation (default)")
	f.StringVarP(&i.Folder, "out", "o", ".", "`folder` for the files; it is created")
	f.StringVar(&i.addTo, "add-to", "", "configuration `file` to add a target to")
	return command
}

// initiation collects what init finds out.
type initiation struct {
	surroundings
	setup.Answers
	cloudFormation bool
	addTo          string

	online, offline bool
	looked          string // the issuer whose documents have been fetched
}

// question is one thing to find out, by a flag or by asking the person.
type question struct {
	flag  string
	usage string // help text of the flag

	// asks returns the question for the terminal, which may depend on earlier answers.
	asks func() string

	answer *string

	// otherwise returns the default, which may depend on earlier answers; "" is none.
	otherwise func() string

	check func(answer string) error

	// derived tells that the default follows from earlier answers.
	derived bool

	// applies tells whether earlier answers leave the question open; nil: always.
	applies func() bool

	// optional tells that there may be no answer; nil: there must be one.
	optional func() bool

	// names accepts another kind of answer that a person may give; nil: there is none.
	names func(answer string) (taken bool, err error)
}

// text returns a function that always returns the same text.
func text(s string) func() string { return func() string { return s } }

// isOpen tells whether the question has to be answered by a flag, a default or a person.
func (q question) isOpen() bool { return q.applies == nil || q.applies() }

// mayBeEmpty tells whether the answer can be left out.
func (q question) mayBeEmpty() bool { return q.optional != nil && q.optional() }

// questions come in the order in which they are asked; a check may use earlier answers.
func (i *initiation) questions() []question {
	return slices.Concat([]question{
		{
			flag: "issuer",
			usage: "`URL` of the OpenID provider, exactly as in the iss claim, trailing slash " +
				"included",
			asks: text("OpenID provider, such as entra or google-workspace, or the issuer URL,\n" +
				"exactly as in the iss claim"),
			answer:    &i.Issuer,
			otherwise: text(""),
			check:     i.CheckIssuer,
			applies:   i.IssuerIsOpen,
			names:     i.TakeProvider,
		},
	}, i.providerQuestions(), []question{
		{
			flag:      "client-id",
			usage:     "`ID` of the application that ID tokens are issued to, the aud claim",
			asks:      text("Client ID of the application, the aud claim"),
			answer:    &i.ClientID,
			otherwise: text(""),
			check:     setup.CheckName,
		},
		{
			flag:      "account",
			usage:     "AWS account `ID`, 12 digits",
			asks:      text("AWS account, 12 digits"),
			answer:    &i.Account,
			otherwise: text(""),
			check:     setup.CheckAccount,
		},
		{
			flag:      "region",
			usage:     "AWS `region` in which STS is called; by default AWS_REGION",
			asks:      text("AWS region"),
			answer:    &i.Region,
			otherwise: i.usualRegion,
			check:     setup.CheckRegion,
		},
		{
			flag:      "bucket",
			usage:     "`name` of the S3 bucket in which each user has the folder ${saml:sub}",
			asks:      text("S3 bucket in which each user has a folder"),
			answer:    &i.Bucket,
			otherwise: text(""),
			check:     i.CheckBucket,
		},
		{
			flag: "role",
			usage: "`name` of the role to make, with its path if it has one (default " +
				"delegation-user)",
			asks:      text("Name of the role to make"),
			answer:    &i.Role,
			otherwise: i.UsualRole,
			check:     i.CheckRole,
		},
		{
			flag:      "saml-provider",
			usage:     "`name` of the SAML provider to make (default delegation)",
			asks:      text("Name of the SAML provider to make"),
			answer:    &i.SAMLProvider,
			otherwise: i.UsualSAMLProvider,
			check:     i.CheckSAMLProvider,
		},
		{
			flag:      "target",
			usage:     "`name` of the target that clients ask for (default the client ID)",
			asks:      text("Name of the target that clients ask for"),
			answer:    &i.Target,
			otherwise: func() string { return i.ClientID },
			check:     i.CheckTargetName,
			derived:   true,
		},
		{
			flag:      "entity-id",
			usage:     "entity `ID` of the SAML identity (default urn: and the issuer's host)",
			asks:      text("Entity ID of the SAML identity"),
			answer:    &i.EntityID,
			otherwise: i.UsualEntityID,
			check:     i.CheckEntityID,
			applies:   func() bool { return i.AddTo == nil },
			derived:   true,
		},
	})
}

// providerQuestions are what the issuer leaves open: which provider it is, and which of its tokens
// are accepted.
func (i *initiation) providerQuestions() []question {
	list := []question{
		{
			flag: "provider",
			usage: "`name` of the OpenID provider, see docs/init.md; most are recognised by the " +
				"issuer",
			asks: func() string {
				return "Provider: " + strings.Join(i.Candidates(), " or ")
			},
			answer: &i.Provider,
			otherwise: func() string {
				names := i.Candidates()
				return strings.Join(names[:min(len(names), 1)], "")
			},
			check:   i.CheckProvider,
			applies: func() bool { return i.Provider == "" && len(i.Candidates()) > 0 },
		},
		{
			flag:      "tenant",
			usage:     "`ID` of the Entra tenant, instead of --issuer; separate several by commas",
			asks:      text("Tenant ID, or several with commas"),
			answer:    &i.Tenant,
			otherwise: text(""),
			check:     i.CheckTenant,
			applies:   i.TenantIsOpen,
		},
	}
	for _, gate := range gateFlags {
		list = append(list, question{
			flag:      gate.flag,
			usage:     gate.usage,
			asks:      func() string { return i.GateQuestion(gate.flag) },
			answer:    i.Answer(gate.flag),
			otherwise: text(""),
			check:     func(answer string) error { return i.CheckGate(gate.flag, answer) },
			applies:   func() bool { return i.GateQuestion(gate.flag) != "" },
			optional:  func() bool { return i.WhyGate() == "" },
		})
	}
	return list
}

// gateFlags are the flags that say whose tokens are accepted.
var gateFlags = []struct{ flag, usage string }{
	{"domain", "`domain` of the Google Workspace whose users are accepted"},
	{"owner", "`name` or ID of the organisation that is accepted, for GitHub and others"},
	{"group", "`group` that is accepted, of users or of GitLab projects"},
	{"subject", "`sub` claim that is accepted; a * at the end matches any characters"},
	{"project", "`ID` of the CircleCI project or Bitbucket repository that is accepted"},
	{"policy", "`policy` of Azure AD B2C that users sign in with"},
}

// usualRegion is the one that AWS's own programs would take from the environment.
func (s surroundings) usualRegion() (found string) {
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		if value := s.variable(name); setup.CheckRegion(value) == nil {
			found = value
		}
	}
	return found
}

func (i *initiation) run(c *cobra.Command) error {
	ctx := c.Context()
	i.Folder = filepath.Clean(i.Folder)
	if i.Terraform && i.cloudFormation {
		return config.Usage(errors.New("--terraform and --cloudformation cannot be combined: " +
			"choose one"))
	}
	if i.online && i.offline {
		return config.Usage(errors.New("--online and --offline cannot be combined: choose one"))
	}
	i.online = i.online || !i.offline && term.IsTerminal(i.stdin)
	if i.addTo != "" {
		var err error
		if i.AddTo, err = setup.ReadExisting(ctx, i.addTo, i.environment); err != nil {
			return err
		}
		if !c.Flags().Changed("out") {
			i.Folder = i.AddTo.Folder()
		}
	}
	if err := i.answerAll(ctx, c.Flags().Changed); err != nil {
		return err
	}
	if err := i.look(ctx); err != nil {
		return config.Usagef("--issuer: %w", err)
	}
	if err := i.TakeKeySet(); err != nil {
		return err
	}
	if i.AddTo != nil {
		return i.add(ctx)
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

// add adds the target to a configuration.
func (i *initiation) add(ctx context.Context) error {
	files, notes, err := i.Add(ctx)
	if err != nil {
		return err
	}
	i.say(notes)
	return i.print([]byte(i.RestOfAddition(files)))
}

// answerAll takes answers from the flags, and defaults for the rest. If that is not enough, it asks
// for all others on a terminal. Before the first question, it reports every flag that is wrong or
// missing.
func (i *initiation) answerAll(ctx context.Context, said func(flag string) bool) error {
	i.Settle()
	wrong := i.checkFlags(said)
	var open []question
	var missing []string
	for _, q := range i.questions() {
		if said(q.flag) || !q.isOpen() {
			continue
		}
		open = append(open, q)
		if !q.derived && !q.mayBeEmpty() && (q.otherwise() == "" || q.flag == "provider") {
			missing = append(missing, "--"+q.flag)
		}
	}
	terminal := term.IsTerminal(i.stdin)
	switch {
	case len(missing) > 0 && !terminal:
		wrong = append(wrong, i.lacks(missing))
	case len(wrong) > 0:
	case len(missing) > 0:
		if err := i.askAll(ctx, said); err != nil {
			return err
		}
	default:
		for _, q := range open {
			*q.answer = q.otherwise()
			if *q.answer == "" && q.mayBeEmpty() {
				continue
			}
			if err := q.check(*q.answer); err != nil {
				wrong = append(wrong, fmt.Errorf("--%s is needed, because its default does "+
					"not work: %w", q.flag, err))
			}
		}
	}
	if len(wrong) > 0 {
		return config.Usage(errors.Join(wrong...))
	}
	return nil
}

// checkFlags returns what is wrong with the answers that the flags give.
func (i *initiation) checkFlags(said func(flag string) bool) (wrong []error) {
	for _, claim := range i.Required {
		if err := setup.CheckRequired(claim); err != nil {
			wrong = append(wrong, fmt.Errorf("--require: %w", err))
		}
	}
	for _, q := range i.questions() {
		if !said(q.flag) {
			continue
		}
		if err := q.check(*q.answer); err != nil {
			wrong = append(wrong, fmt.Errorf("--%s: %w", q.flag, err))
		}
	}
	return wrong
}

// lacks says which flags are missing, and why a flag that limits who is accepted is required.
func (i *initiation) lacks(missing []string) error {
	text := fmt.Sprintf("init needs %s, or a terminal to ask on", strings.Join(missing, ", "))
	if names := i.Candidates(); len(names) > 0 {
		text += fmt.Sprintf(": the issuer is that of %s", strings.Join(names, " and of "))
	} else if why := i.WhyGate(); why != "" {
		text += ": " + why
	}
	return errors.New(text)
}

// askAll asks for everything that no flag answers.
func (i *initiation) askAll(ctx context.Context, said func(flag string) bool) error {
	in := bufio.NewScanner(i.stdin)
	for _, q := range i.questions() {
		if said(q.flag) {
			continue
		}
		if err := i.ask(ctx, in, q); err != nil {
			return err
		}
	}
	return nil
}

// ask repeats a question until the answer is valid. It asks nothing if earlier answers settle it.
func (i *initiation) ask(ctx context.Context, in *bufio.Scanner, q question) error {
	if !q.isOpen() {
		return nil
	}
	asks := q.asks()
	otherwise := q.otherwise()
	for {
		fmt.Fprint(i.stderr, asks)
		switch {
		case otherwise != "":
			fmt.Fprintf(i.stderr, " [%s]", otherwise)
		case q.mayBeEmpty():
			fmt.Fprint(i.stderr, " [everybody]")
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
		if answer == "" {
			if q.mayBeEmpty() {
				return nil
			}
			continue
		}
		if err = i.take(ctx, q, answer); err == nil {
			return nil
		}
		fmt.Fprintf(i.stderr, "  %v\n", err)
	}
}

// take stores a person's answer if it is valid.
func (i *initiation) take(ctx context.Context, q question, answer string) error {
	if q.names != nil {
		if taken, err := q.names(answer); taken {
			return err
		}
	}
	*q.answer = answer
	if err := q.check(answer); err != nil {
		return err
	}
	i.Settle()
	if q.names != nil && i.WhyGate() == "" { // else an answer may tell where to look
		return i.look(ctx)
	}
	return nil
}

// look fetches the issuer's documents once, if that is wanted, and prints what it found. Its error
// says that the issuer is wrong. A document that cannot be fetched now is reported, but is no
// error.
func (i *initiation) look(ctx context.Context) error {
	if !i.online || i.looked == i.Issuer {
		return nil
	}
	done := term.Progress(ctx, i.stderr, "Asking the issuer", i.after)
	found, err := i.Look(ctx)
	done()
	switch {
	case setup.IsWrongIssuer(err):
		return err
	case err != nil:
		found = fmt.Sprintf("Not found: %s. init continues without them; "+
			"delegation check tries again.\n", oneLine(err))
	}
	i.looked = i.Issuer
	fmt.Fprint(i.stderr, found)
	return nil
}

// nextLine reads a line, or gives up when the context ends. The read itself cannot be stopped, so
// nothing may read from the input after that.
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
