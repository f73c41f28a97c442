package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
	"github.com/spf13/cobra"
)

func initCommand(s surroundings) *cobra.Command {
	i := &initiation{surroundings: s}
	command := &cobra.Command{
		Use:   "init",
		Short: "Begin: write a configuration, a signing key and the set-up in AWS for them",
		Long: "Write all that a first target needs: delegation.yaml, which serve, exchange and " +
			"check take as it is, signing.key and signing.crt, metadata.xml\n" +
			"for IAM, and cloudformation.yaml or main.tf with SAML provider, role and policies, " +
			"in which each user has a folder of an S3 bucket. It ends with\n" +
			"the commands that finish the job, and calls nobody itself.\n\n" +
			"On a terminal it asks, with defaults in brackets, if a flag without a default is " +
			"missing. It writes all files, with the file mode 0600, or none,\n" +
			"and replaces none. Exit code 2 if a flag is missing or wrong, or a file is there.",
		Example: "  delegation init --issuer https://tenant.example.com/ --client-id photo-app " +
			"--account 123456789012 --bucket example-photos --region eu-central-1",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return i.run(c) },
	}
	f := command.Flags()
	for _, q := range i.questions() {
		f.StringVar(q.answer, q.flag, "", q.usage)
	}
	f.BoolVar(&i.loopback, "allow-loopback-http", false, "the issuer may be http on loopback, "+
		"for tests")
	f.BoolVar(&i.terraform, "terraform", false, "write the set-up for Terraform, main.tf")
	f.BoolVar(&i.cloudFormation, "cloudformation", false, "write the set-up for CloudFormation, "+
		"cloudformation.yaml (default)")
	f.StringVarP(&i.folder, "out", "o", ".", "`folder` for the files; it is made if need be")
	return command
}

// initiation is what init finds out.
type initiation struct {
	surroundings
	issuer, clientID, account, region, bucket, role, provider, target, entityID string

	folder                              string
	loopback, terraform, cloudFormation bool
}

// question is one thing to find out, by a flag or by asking.
type question struct {
	flag, usage, asks string
	answer            *string
	otherwise         func() string // the default, which may come of the answers before; "" is none
	check             func(answer string) error
	derived           bool // the default is there as soon as the answers before are
}

// questions come in the order in which they are asked; a check may use the answers before.
func (i *initiation) questions() []question {
	none := func() string { return "" }
	text := func(s string) func() string { return func() string { return s } }
	return []question{
		{"issuer", "`URL` of the OpenID provider, exactly as in the iss claim, trailing slash " +
			"included", "Issuer URL of the ID tokens, exactly as in their " +
			"iss claim", &i.issuer, none, i.checkIssuer, false},
		{"client-id", "`ID` of the application that ID tokens are issued to, the " +
			"aud claim", "Client ID of the application, their " +
			"aud claim", &i.clientID, none, checkName, false},
		{"account", "AWS account, `12 digits`", "AWS account, " +
			"12 digits", &i.account, none, checkAccount, false},
		{"region", "AWS `region` whose STS is called; by default " +
			"AWS_REGION", "AWS region", &i.region, i.usualRegion, checkRegion, false},
		{"bucket", "`name` of the S3 bucket in which each user has the folder " +
			"${saml:sub}", "S3 bucket in which each user has " +
			"a folder", &i.bucket, none, i.checkBucket, false},
		{"role", "`name` of the role to make, with its path if it has one (default " +
			"delegation-user)", "Name of the role " +
			"to make", &i.role, text("delegation-user"), i.checkRole, false},
		{"provider", "`name` of the SAML provider to make (default delegation)", "Name of the " +
			"SAML provider to make", &i.provider, text("delegation"), i.checkProvider, false},
		{"target", "`name` of the target, by which clients ask (default the " +
			"client ID)", "Name of the target, by which " +
			"clients ask", &i.target, func() string { return i.clientID }, checkName, true},
		{"entity-id", "entity `ID` of the SAML identity (default urn: and the " +
			"issuer's host)", "Entity ID of the SAML " +
			"identity", &i.entityID, i.usualEntityID, i.checkEntityID, true},
	}
}

func (i *initiation) run(c *cobra.Command) error {
	ctx := c.Context()
	i.folder = filepath.Clean(i.folder)
	if i.terraform && i.cloudFormation {
		return config.Usage(errors.New("--terraform and --cloudformation are two forms of the " +
			"set-up: choose one"))
	}
	if err := i.answerAll(ctx, c.Flags().Changed); err != nil {
		return err
	}
	certificate, private, err := i.makeKey(c, "delegation", defaultKeyBits, defaultValid)
	if err != nil {
		return err
	}
	files, err := i.files(certificate, private)
	if err != nil {
		return err
	}
	if err := i.write(ctx, files); err != nil {
		return err
	}
	return i.print([]byte(i.rest(files)))
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

func (i *initiation) checkIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || checkName(text) != nil {
		return fmt.Errorf("%.200q is not a URL such as https://tenant.example.com/", text)
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.Scheme == "https", u.Scheme == "http" && local && i.loopback:
		return nil
	case local:
		return fmt.Errorf("%.200q is not https: for tests there is --allow-loopback-http", text)
	}
	return fmt.Errorf("%.200q is not https, and nothing else proves whose keys are read", text)
}

// checkName is for names that others have given: any text on one line.
func checkName(text string) error {
	if len(text) > 1024 || text == "" || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
		return fmt.Errorf("%.80q does not have 1 to 1,024 characters on one line, without blanks "+
			"around them", text)
	}
	return nil
}

var account = regexp.MustCompile(`\A[0-9]{12}\z`)

func checkAccount(text string) error {
	if !account.MatchString(text) {
		return fmt.Errorf("%.80q does not have 12 digits", text)
	}
	return nil
}

func checkRegion(text string) error {
	_, err := delegation.ParseRegion(text)
	return plain(err)
}

// usualRegion is the one that AWS's own programs would take from the environment.
func (i *initiation) usualRegion() (found string) {
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		if value := i.variable(name); checkRegion(value) == nil {
			found = value
		}
	}
	return found
}

func (i *initiation) checkBucket(text string) error {
	region, err := delegation.ParseRegion(i.region)
	if err != nil {
		region, _ = delegation.ParseRegion("us-east-1") // the region's own problem is named already
	}
	_, err = delegation.PermissionPolicy(region, text)
	return plain(err)
}

// arn is the ARN of a resource of the account, of any partition while the region is not known.
func (i *initiation) arn(resource string) string {
	region, _ := delegation.ParseRegion(i.region)
	partition, number := region.Partition(), i.account
	if partition == "" {
		partition = "aws"
	}
	if checkAccount(number) != nil {
		number = "000000000000"
	}
	return "arn:" + partition + ":iam::" + number + ":" + resource
}

func (i *initiation) roleARN() string      { return i.arn("role/" + i.role) }
func (i *initiation) principalARN() string { return i.arn("saml-provider/" + i.provider) }

func (i *initiation) checkRole(text string) error {
	if _, err := iam.Role.Parse(i.arn("role/" + text)); err != nil {
		return fmt.Errorf("%.80q is not the name of a role: letters, digits and _+=,.@- (at most "+
			"64), behind a path with slashes if it has one", text)
	}
	return nil
}

func (i *initiation) checkProvider(text string) error {
	if _, err := iam.Provider.Parse(i.arn("saml-provider/" + text)); err != nil {
		return fmt.Errorf("%.80q is not the name of a SAML provider: letters, digits and _.- (at "+
			"most 128)", text)
	}
	return nil
}

func (i *initiation) usualEntityID() string {
	u, err := url.Parse(i.issuer)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return "urn:" + u.Hostname()
}

func (i *initiation) checkEntityID(text string) error {
	if err := checkName(text); err != nil {
		return err
	}
	e := delegation.Explanation{Principal: i.arn("saml-provider/delegation"), Recipient: "https://signin.aws.amazon.com/saml", EntityID: text}
	_, err := e.TrustPolicy()
	return errors.Join(plain(err), checkCharacters(text))
}

const configurationFile = "delegation.yaml"

// files makes all the files, in memory, of the answers and a signing key.
func (i *initiation) files(certificate, private []byte) ([]newFile, error) {
	signing, err := delegation.ParseSigningKey(certificate, private)
	if err != nil {
		return nil, err
	}
	metadata, err := delegation.IdentityProvider{EntityID: i.entityID, Keys: []delegation.SigningKey{signing}}.Metadata()
	if err != nil {
		return nil, config.Usage(plain(err))
	}
	made := &setup{target: i.target, maxSession: minRoleSession, metadata: string(metadata)}
	if made.region, err = delegation.ParseRegion(i.region); err != nil {
		return nil, config.Usage(err)
	}
	if made.principal, err = iam.Provider.Parse(i.principalARN()); err != nil {
		return nil, config.Usage(err)
	}
	if made.role, err = iam.Role.Parse(i.roleARN()); err != nil {
		return nil, config.Usage(err)
	}
	e := delegation.Explanation{Principal: i.principalARN(), Recipient: made.region.SAMLRecipient(), EntityID: i.entityID}
	if made.trust, err = e.TrustPolicy(); err != nil {
		return nil, config.Usage(plain(err))
	}
	if made.permissions, err = delegation.PermissionPolicy(made.region, i.bucket); err != nil {
		return nil, config.Usage(plain(err))
	}
	name, write := "cloudformation.yaml", (*setup).cloudFormation
	if i.terraform {
		name, write = "main.tf", (*setup).terraform
	}
	inAWS, err := write(made)
	if err != nil {
		return nil, config.Usage(err)
	}
	files := []newFile{{"signing.key", string(private)}, {"signing.crt", string(certificate)}, {"metadata.xml", string(metadata)}, {name, inAWS}, {configurationFile, i.configuration()}}
	for n := range files {
		files[n].path = filepath.Join(i.folder, files[n].path)
	}
	return files, nil
}

// configuration is delegation.yaml.
func (i *initiation) configuration() string {
	more := ""
	if strings.HasPrefix(i.issuer, "http:") {
		more = "\n    allow_loopback_http: true"
	}
	if shared, ok := sharedissuer.Find(i.issuer); ok {
		more += fmt.Sprintf("\n    # required_claims: {%s: [YOURS]} # strangers share this "+
			"issuer: %s can get a token of it",
			shared.Claim, shared.Who)
	}
	return fmt.Sprintf(`# Written by delegation init. Every key is explained in delegation.example.yaml, and docs/cli.md has the commands that read this file.
listen: 127.0.0.1:8080

issuers:
  - url: %s%s

identity_provider:
  entity_id: %s
  keys:
    - {certificate_file: signing.crt, key_file: signing.key}

targets:
  %s:
    audiences: [%s]
    principal: %s
    role: %s
    region: %s

rules: # whoever passes them all gets the role; without this one, everybody with an ID token of the client
  - require_verified_email: true
`, inQuotes(i.issuer), more, inQuotes(i.entityID), inQuotes(i.target), inQuotes(i.clientID), inQuotes(i.principalARN()), inQuotes(i.roleARN()), inQuotes(i.region))
}

// write writes all the files or none, and checks that the configuration is one.
func (i *initiation) write(ctx context.Context, files []newFile) error {
	paths := make([]string, len(files))
	for n, f := range files {
		paths[n] = f.path
	}
	if err := refuseExisting(paths...); err != nil {
		return err
	}
	folders, err := makeFolders(i.folder)
	if err != nil {
		return errors.Join(config.Usagef("--out: %w", err), removeAll(folders))
	}
	remove, err := writeFiles(ctx, files)
	if err != nil {
		return errors.Join(err, removeAll(folders))
	}
	// what the environment changes is not of this file
	loaded, from, err := config.Load(filepath.Join(i.folder, configurationFile), nil)
	if err == nil {
		_, err = config.Build(ctx, loaded, from, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		err = fmt.Errorf("the configuration is removed again, because it would not do: %w", err)
		return errors.Join(err, remove(), removeAll(folders))
	}
	return nil
}

// rest is what is left to do.
func (i *initiation) rest(files []newFile) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s is written.\n", f.path)
	}
	config := term.ShellWord(filepath.Join(i.folder, configurationFile))
	fmt.Fprintf(&b, "\nThree commands finish the job: set it up in AWS, check it, serve it.\n\n")
	if i.terraform {
		folder := term.ShellWord("-chdir=" + i.folder)
		fmt.Fprintf(&b, "  terraform %s init && terraform %s apply\n", folder, folder)
	} else {
		fmt.Fprintf(&b, "  aws cloudformation deploy --stack-name delegation --template-file %s "+
			"--capabilities CAPABILITY_NAMED_IAM --region %s\n",
			term.ShellWord(filepath.Join(i.folder, "cloudformation.yaml")), i.region)
	}
	fmt.Fprintf(&b, "  delegation check --config %s\n  delegation serve "+
		"--config %s\n", config, config)
	if shared, ok := sharedissuer.Find(i.issuer); ok {
		fmt.Fprintf(&b, "\nBefore you serve: %s can get a token of %s. Nothing in the "+
			"configuration keeps\n"+
			"strangers out yet. Fill in required_claims at the issuer, such as %s, or add a rule "+
			"that chooses\n"+
			"who may come in; delegation check warns until then. See docs/issuers.md.\n",
			shared.Who, i.issuer, shared.Claim)
	}
	return b.String()
}
