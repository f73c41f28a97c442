package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
)

// ConfigurationFile is the name of the configuration that init writes.
const ConfigurationFile = "delegation.yaml"

// Names of the files with the key and its certificate that init writes.
const (
	keyFile         = "signing.key"
	certificateFile = "signing.crt"
)

// Answers are what init has found out. Each answer has been checked, by the method or function
// named after it, before Files is called.
type Answers struct {
	// Issuer, ClientID, Account, Region, Bucket, Role, SAMLProvider, Target and EntityID are the
	// answers to the questions of these names.
	Issuer, ClientID, Account, Region, Bucket, Role, SAMLProvider, Target, EntityID string

	// Provider is the name of the OpenID provider; "" if it was not said.
	Provider string

	// Tenant is the ID of a tenant of Entra, or several with commas between them.
	Tenant string

	// Gates say whose tokens are accepted.
	Gates

	// Required are further claims that tokens must have, each as CLAIM=VALUE.
	Required []string

	// Aliases are further iss claims of the issuer.
	Aliases []string

	// DiscoveryURL, JWKSURL and JWKSFile say where the issuer's documents are; "": at the
	// provider's usual place.
	DiscoveryURL, JWKSURL, JWKSFile string

	// Folder is where the files go.
	Folder string

	// AddTo is the configuration to which the target is added; nil: a new one is written.
	AddTo *Existing

	// AllowLoopbackHTTP accepts an issuer with http on loopback, for tests.
	AllowLoopbackHTTP bool

	// Terraform selects a set-up for Terraform instead of CloudFormation.
	Terraform bool

	algorithms []string // found by Look; nil: RS256, or the provider's
	keySet     *File    // the copy of JWKSFile that TakeKeySet makes; nil: there is none
}

// CheckIssuer accepts an https URL without the parts that an issuer cannot have.
func (i *Answers) CheckIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || CheckName(text) != nil || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%.200q is not a URL such as https://tenant.example.com/", text)
	}
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.Scheme == "https", u.Scheme == "http" && local && i.AllowLoopbackHTTP:
		return i.checkForm(u)
	case local:
		return fmt.Errorf("%.200q is not https: for tests, add --allow-loopback-http", text)
	}
	return fmt.Errorf("%.200q is not https: use https. With plain http anyone on the network "+
		"could replace the keys", text)
}

// CheckName checks names that others have given. Any text on one line is allowed.
func CheckName(text string) error {
	if len(text) > 1024 || text == "" || strings.TrimSpace(text) != text ||
		strings.ContainsFunc(text, endsLine) {
		return fmt.Errorf("%.80q does not have 1 to 1,024 characters on one line, without blanks "+
			"around them", text)
	}
	return nil
}

// endsLine finds control characters, and replacements for invalid UTF-8.
func endsLine(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }

var account = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[0-9]{12}\z`)
})

// CheckAccount accepts the 12 digits of an AWS account.
func CheckAccount(text string) error {
	if !account().MatchString(text) {
		return fmt.Errorf("%.80q does not have 12 digits", text)
	}
	return nil
}

// CheckRegion accepts the name of an AWS region.
func CheckRegion(text string) error {
	_, err := delegation.ParseRegion(text)
	return Plain(err)
}

// CheckBucket accepts a bucket that a permission policy can name, in the partition of Region.
func (i *Answers) CheckBucket(text string) error {
	region, err := delegation.ParseRegion(i.Region)
	if err != nil {
		region, _ = delegation.ParseRegion("us-east-1") // the region's own problem is named already
	}
	_, err = delegation.PermissionPolicy(region, text)
	return Plain(err)
}

// arn is the ARN of a resource of the account. It uses a default partition while the region is
// unknown.
func (i *Answers) arn(resource string) string {
	region, _ := delegation.ParseRegion(i.Region)
	partition := cmp.Or(region.Partition(), "aws")
	number := i.Account
	if CheckAccount(number) != nil {
		number = "000000000000"
	}
	return "arn:" + partition + ":iam::" + number + ":" + resource
}

// RoleARN is the ARN of the role to create.
func (i *Answers) RoleARN() string { return i.arn("role/" + i.Role) }

// PrincipalARN is the ARN of the SAML provider to create.
func (i *Answers) PrincipalARN() string { return i.arn("saml-provider/" + i.SAMLProvider) }

// CheckRole accepts the name of a role, optionally with its path.
func (i *Answers) CheckRole(text string) error {
	if _, err := iam.Role.Parse(i.arn("role/" + text)); err != nil {
		return fmt.Errorf("%.80q is not the name of a role: letters, digits and _+=,.@- (at most "+
			"64), after a path with slashes if it has one", text)
	}
	return nil
}

// CheckSAMLProvider accepts the name of a SAML provider.
func (i *Answers) CheckSAMLProvider(text string) error {
	if _, err := iam.Provider.Parse(i.arn("saml-provider/" + text)); err != nil {
		return fmt.Errorf("%.80q is not the name of a SAML provider: letters, digits and _.- (at "+
			"most 128)", text)
	}
	return i.checkShared()
}

// UsualEntityID is the default entity ID: urn: and the issuer's host, or "" if the issuer has none.
// All tenants of Entra have the same host, so the tenant follows: two tenants in one account are
// two SAML identities.
func (i *Answers) UsualEntityID() string {
	u, err := url.Parse(i.Issuer)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	usual := "urn:" + u.Hostname()
	if tenant := strings.ToLower(tenantOf(u)); isEntra(u) && guid().MatchString(tenant) {
		usual += ":" + tenant
	}
	return usual
}

// CheckEntityID accepts an entity ID that a trust policy can contain.
func (i *Answers) CheckEntityID(text string) error {
	if i.AddTo != nil {
		return errors.New("the target uses the configuration's entity ID: leave out --entity-id")
	}
	if err := CheckName(text); err != nil {
		return err
	}
	e := delegation.Explanation{
		Principal: i.arn("saml-provider/delegation"),
		Recipient: "https://signin.aws.amazon.com/saml",
		EntityID:  text,
	}
	_, err := e.TrustPolicy()
	return errors.Join(Plain(err), CheckCharacters(text))
}

// Files makes all the files, in memory, from the answers and a signing key.
func (i *Answers) Files(certificate, private []byte) ([]File, error) {
	signing, err := delegation.ParseSigningKey(certificate, private)
	if err != nil {
		return nil, err
	}
	identity := delegation.IdentityProvider{
		EntityID: i.EntityID,
		Keys:     []delegation.SigningKey{signing},
	}
	metadata, err := identity.Metadata()
	if err != nil {
		return nil, config.Usage(Plain(err))
	}
	made, err := i.resources(metadata)
	if err != nil {
		return nil, config.Usage(err)
	}
	inAWS, err := i.inAWS(made)
	if err != nil {
		return nil, config.Usage(err)
	}
	files := []File{
		{Path: keyFile, Text: string(private)},
		{Path: certificateFile, Text: string(certificate)},
		{Path: MetadataFile, Text: string(metadata)},
	}
	files = append(files, inAWS...)
	files = append(files, File{Path: ConfigurationFile, Text: i.configuration()})
	for n := range files {
		files[n].Path = filepath.Join(i.Folder, files[n].Path)
	}
	if i.keySet != nil {
		files = append(files, *i.keySet)
	}
	return files, nil
}

// inAWS returns the files that set up the SAML provider and the role.
func (i *Answers) inAWS(made *Resources) (files []File, err error) {
	write := made.CloudFormation
	if i.Terraform {
		write = made.Terraform
	}
	for _, part := range []Part{ProviderPart, RolePart} {
		text, err := write(part)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: made.FileName(part, i.extension()), Text: text})
	}
	return files, nil
}

// extension is the extension of the set-up files for AWS.
func (i *Answers) extension() string {
	if i.Terraform {
		return ".tf"
	}
	return ".yaml"
}

// resources returns what the answers need in AWS.
func (i *Answers) resources(metadata []byte) (*Resources, error) {
	made := &Resources{
		Target:     i.Target,
		MaxSession: minRoleSession,
		EntityID:   i.EntityID,
		Metadata:   string(metadata),
	}
	var err error
	if made.Region, err = delegation.ParseRegion(i.Region); err != nil {
		return nil, err
	}
	if made.Principal, err = iam.Provider.Parse(i.PrincipalARN()); err != nil {
		return nil, err
	}
	if made.Role, err = iam.Role.Parse(i.RoleARN()); err != nil {
		return nil, err
	}
	e := delegation.Explanation{
		Principal: i.PrincipalARN(),
		Recipient: made.Region.SAMLRecipient(),
		EntityID:  i.EntityID,
	}
	if made.Trust, err = e.TrustPolicy(); err != nil {
		return nil, Plain(err)
	}
	f := iam.Folder{
		Partition: made.Region.Partition(),
		Bucket:    i.Bucket,
		Account:   i.Account,
	}
	if made.Permissions, err = f.Policy(); err != nil {
		return nil, err
	}
	return made, nil
}

// Write writes all the files or none, and checks that the configuration is valid.
func (i *Answers) Write(ctx context.Context, files []File) error {
	if i.Terraform {
		module, err := readRootModule(i.Folder)
		if err = cmp.Or(err, module.checkFree()); err != nil {
			return config.Usage(err)
		}
	}
	return WriteAll(ctx, files, func() error {
		// Without the environment, so that only the file itself is checked.
		loaded, from, err := config.Load(filepath.Join(i.Folder, ConfigurationFile), nil)
		if err == nil {
			_, err = config.Build(ctx, loaded, from, slog.New(slog.DiscardHandler))
		}
		if err != nil {
			return fmt.Errorf(
				"the configuration is removed, because it does not work: %w", err)
		}
		return nil
	})
}

// Rest lists what is left to do.
func (i *Answers) Rest(files []File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s is written.\n", f.Path)
	}
	file := term.ShellWord(filepath.Join(i.Folder, ConfigurationFile))
	fmt.Fprintf(&b, "\nNext, set it up in AWS, check it, and exchange the ID token in the file "+
		"token:\n\n")
	if i.Terraform {
		folder := term.ShellWord("-chdir=" + i.Folder)
		fmt.Fprintf(&b, "  terraform %s init && terraform %s apply\n", folder, folder)
	} else {
		fmt.Fprintf(&b, "  %s && %s\n", i.deploy(ProviderPart), i.deploy(RolePart))
	}
	fmt.Fprintf(&b, "  delegation check --config %s\n", file)
	fmt.Fprintf(&b, "  eval \"$(delegation exchange --config %s --target %s --token-file token "+
		"--format env)\"\n", file, term.ShellWord(i.Target))
	fmt.Fprintf(&b, "\nThen serve it:\n\n  delegation serve --config %s\n", file)
	b.WriteString(i.ways())
	return b.String()
}

// deploy is the command of the AWS CLI that creates or updates the stack of a part.
func (i *Answers) deploy(part Part) string {
	made := &Resources{Target: i.Target}
	made.Principal, _ = iam.Provider.Parse(i.PrincipalARN()) // it has been checked
	return fmt.Sprintf("aws cloudformation deploy --stack-name %s --template-file %s "+
		"--capabilities CAPABILITY_NAMED_IAM --region %s", made.StackName(part),
		term.ShellWord(filepath.Join(i.Folder, made.FileName(part, i.extension()))), i.Region)
}

// Image is the image of the release to which these files belong.
const Image = "ghcr.io/seed055b7978/delegation:v0.1.0"

// servedFrom is where the image and the unit read the configuration.
const servedFrom = "/etc/delegation"

// ways are the commands for a service that runs as a separate user, which cannot read the files.
// docs/deploying.md has the same commands.
func (i *Answers) ways() string {
	var b strings.Builder
	b.WriteString("\nOr deploy it: docs/deploying.md has all steps. Only you can read the files. " +
		"The service gets copies that its group can read.\n")
	fmt.Fprintf(&b, "\nIn a container:\n\n%s"+
		"  docker run --publish 127.0.0.1:8080:8080 --volume %s:%s:ro %s\n",
		i.give("65532"), servedFrom, servedFrom, Image)
	fmt.Fprintf(&b, "\nWith systemd, once the unit and its user exist:\n\n%s"+
		"  sudo systemctl enable --now delegation\n", i.give("delegation"))
	fmt.Fprintf(&b, "\nOn Kubernetes, in a clone of the repository%s:\n\n"+
		"  mkdir -p deploy/kubernetes/files\n"+
		"  cp %s deploy/kubernetes/files\n"+
		"  kubectl apply -k deploy/kubernetes\n", i.listed(), i.served())
	return b.String()
}

// listed says which file the kustomization does not list yet.
func (i *Answers) listed() string {
	if i.JWKSFile == "" {
		return ""
	}
	return fmt.Sprintf(", after you have listed files/%s next to files/%s in "+
		"deploy/kubernetes/kustomization.yaml", i.JWKSFile, certificateFile)
}

// give returns the commands that let a group read what the service needs. install cannot copy a
// file onto itself, so files that are already in place get their group and mode instead.
func (i *Answers) give(group string) string {
	folder, err := filepath.Abs(i.Folder)
	if err == nil && folder == servedFrom {
		return fmt.Sprintf("  sudo chgrp -R %s %s\n  sudo chmod -R u=rwX,g=rX,o= %s\n",
			group, servedFrom, servedFrom)
	}
	return fmt.Sprintf("  sudo install -D -g %s -m 640 -t %s %s\n", group, servedFrom, i.served())
}

// served are the files that the service needs, as shell words.
func (i *Answers) served() string {
	var words []string
	names := []string{ConfigurationFile, certificateFile, keyFile}
	if i.JWKSFile != "" {
		names = append(names, i.JWKSFile)
	}
	for _, name := range names {
		words = append(words, term.ShellWord(filepath.Join(i.Folder, name)))
	}
	return strings.Join(words, " ")
}
