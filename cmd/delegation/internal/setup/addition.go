package setup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
)

// Existing is a configuration that init adds a target to.
type Existing struct {
	file        string
	text        []byte
	settings    *config.Settings
	from        *config.Source
	environment []string
}

// ReadExisting reads a configuration that works. An error is a config.UsageError.
func ReadExisting(ctx context.Context, file string, environment []string) (*Existing, error) {
	real, err := filepath.EvalSymlinks(file) // the file is replaced, not a link to it
	if err != nil {
		return nil, config.Usage(err)
	}
	text, err := config.ReadBounded(real, config.MaxFile)
	if err != nil {
		return nil, config.Usage(err)
	}
	e := &Existing{file: real, text: text, environment: environment}
	e.settings, e.from, err = e.load(ctx, real)
	if err != nil {
		return nil, fmt.Errorf("the configuration must work before a target is added: %w", err)
	}
	return e, nil
}

// load reads a configuration and builds everything that it describes, to check that it works.
func (e *Existing) load(
	ctx context.Context, file string,
) (*config.Settings, *config.Source, error) {
	settings, from, err := config.Load(file, e.environment)
	if err != nil {
		return nil, nil, err
	}
	built, err := config.Build(ctx, settings, from, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	built.Close()
	return settings, from, nil
}

// at says where a setting is.
func (e *Existing) at(key config.KeyPath) string { return e.from.At(key) }

// issuer returns the index of an issuer; -1 if it is not configured.
func (e *Existing) issuer(url string) int {
	return slices.IndexFunc(e.settings.Issuers, func(s config.IssuerSettings) bool {
		return s.URL == url
	})
}

// shared returns the names of targets that use the configuration's SAML identity, in order.
func (e *Existing) shared() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(e.settings.Targets)) {
		if e.settings.Targets[name].Identity == nil {
			names = append(names, name)
		}
	}
	return names
}

// UsualSAMLProvider is the default name of the SAML provider: that of a target in the same account,
// or else delegation.
func (i *Answers) UsualSAMLProvider() string {
	if i.AddTo == nil {
		return "delegation"
	}
	for _, name := range i.AddTo.shared() {
		principal := i.AddTo.settings.Targets[name].Principal
		if found, ok := strings.CutPrefix(principal, i.arn("saml-provider/")); ok {
			return found
		}
	}
	return "delegation"
}

// UsualRole is the default name of the role: delegation-user, with a number if a target of the
// configuration has that role already.
func (i *Answers) UsualRole() string {
	usual := "delegation-user"
	if i.AddTo == nil {
		return usual
	}
	taken := func(name string) bool {
		for _, target := range i.AddTo.settings.Targets {
			if target.Role == i.arn("role/"+name) {
				return true
			}
		}
		return false
	}
	name := usual
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", usual, n)
	}
	return name
}

// CheckTargetName accepts the name of a target that does not exist yet.
func (i *Answers) CheckTargetName(text string) error {
	if err := CheckName(text); err != nil || i.AddTo == nil {
		return err
	}
	if _, ok := i.AddTo.settings.Targets[text]; ok {
		return fmt.Errorf("%s exists: choose another name",
			i.AddTo.at(config.KeyPath("targets").Child(text)))
	}
	return nil
}

// checkShared refuses a SAML provider that belongs to another SAML identity.
func (i *Answers) checkShared() error {
	if i.AddTo == nil {
		return nil
	}
	targets := i.AddTo.settings.Targets
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		target := targets[name]
		if target.Identity != nil && target.Principal == i.PrincipalARN() {
			return fmt.Errorf("it is that of %s, which has a SAML identity of its own: choose "+
				"another name", i.AddTo.at(config.KeyPath("targets").Child(name)))
		}
	}
	return nil
}

// insertions returns what to add to the configuration, and notes for the operator. An error says
// what to change by hand first.
func (i *Answers) insertions() (all []config.Insertion, notes []string, err error) {
	e := i.AddTo
	known := e.issuer(i.Issuer)
	if known >= 0 {
		if err := i.checkKnownIssuer(known); err != nil {
			return nil, nil, err
		}
	} else {
		all = i.newIssuer()
		notes = append(notes, fmt.Sprintf("users of two issuers can have the same subject, and "+
			"then the same folder: the bucket %s must be one for users of %s only",
			i.Bucket, i.Issuer))
	}
	all = append(all, config.Insertion{Under: []string{"targets"}, Entry: i.targetEntry(known)})
	rule, more, err := i.ruleEntry()
	if err != nil {
		return nil, nil, err
	}
	if rule != nil {
		all = append(all, config.Insertion{Under: []string{"rules"}, Entry: rule})
	}
	return all, append(notes, more...), nil
}

// newIssuer adds the issuer. Once there are several issuers, each target has to name its own. So it
// also adds the only issuer so far to the targets that name none.
func (i *Answers) newIssuer() []config.Insertion {
	e := i.AddTo
	entry := entryOf("  - url: " + inQuotes(i.Issuer) + i.issuerSettings())
	all := []config.Insertion{{Under: []string{"issuers"}, Entry: entry}}
	for _, name := range slices.Sorted(maps.Keys(e.settings.Targets)) {
		if len(e.settings.Targets[name].Issuers) > 0 {
			continue
		}
		all = append(all, config.Insertion{
			Under: []string{"targets", name},
			Entry: []string{"issuers: " + list([]string{e.settings.Issuers[0].URL})},
		})
	}
	return all
}

// checkKnownIssuer refuses answers that would change an issuer that is already configured.
func (i *Answers) checkKnownIssuer(n int) error {
	at := config.KeyPath("issuers").Index(n)
	issuer := i.AddTo.settings.Issuers[n]
	if len(i.Aliases) > 0 || i.DiscoveryURL != "" || i.JWKSURL != "" || i.JWKSFile != "" {
		return fmt.Errorf("%s: the issuer is configured: change it there, and leave out --alias, "+
			"--discovery-url, --jwks-url and --jwks-file", i.AddTo.at(at))
	}
	p := cmp.Or(i.known(), &provider{})
	if p.manyAudiences && !slices.Contains(issuer.ClientAudiences, i.ClientID) {
		return fmt.Errorf("%s: does not have %s: add it first, because tokens of this provider "+
			"can have several audiences", i.AddTo.at(at.Child("client_audiences")),
			inQuotes(i.ClientID))
	}
	if i.Issuer != severalTenants {
		return nil
	}
	for _, tenant := range i.tenants() {
		if !slices.Contains(issuer.Tenants, tenant) {
			return fmt.Errorf("%s: does not have %s: add it first, or name that tenant alone",
				i.AddTo.at(at.Child("tenants")), tenant)
		}
	}
	return nil
}

// targetEntry returns the lines of the target. If the issuer is already configured, the required
// claims are the target's, because other targets may accept other users.
func (i *Answers) targetEntry(knownIssuer int) []string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n    audiences: [%s]", inQuotes(i.Target), inQuotes(i.ClientID))
	issuers := len(i.AddTo.settings.Issuers)
	if knownIssuer < 0 {
		issuers++
	}
	if issuers > 1 {
		fmt.Fprintf(&b, "\n    issuers: %s", list([]string{i.Issuer}))
	}
	if knownIssuer >= 0 && len(i.required()) > 0 {
		b.WriteString(i.requiredClaims(cmp.Or(i.known(), &provider{})))
	}
	fmt.Fprintf(&b, "\n    principal: %s\n    role: %s\n    region: %s\n%s",
		inQuotes(i.PrincipalARN()), inQuotes(i.RoleARN()), inQuotes(i.Region), i.targetSettings())
	return entryOf(b.String())
}

// entryOf returns the lines of a text that is indented as in the file that init writes.
func entryOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "  "))
	}
	return lines
}

// ruleEntry is the rule that the target needs. It is nil if a rule for all targets exists, or if
// the provider's tokens could not pass the rule. Rules for all targets are noted.
func (i *Answers) ruleEntry() (entry, notes []string, err error) {
	p := i.known()
	wants := p == nil || p.verifiedEmail
	for n, rule := range i.AddTo.settings.Rules {
		if len(rule.Targets) > 0 {
			continue
		}
		at := i.AddTo.at(config.KeyPath("rules").Index(n))
		required := rule.RequireVerifiedEmail != nil && *rule.RequireVerifiedEmail
		if required && p != nil && !p.verifiedEmail {
			return nil, nil, fmt.Errorf("%s: require_verified_email is for all targets, and "+
				"tokens of this provider do not say that an address is verified, so every user "+
				"would be refused: add targets with the names of the other targets to the rule "+
				"first", at)
		}
		wants = wants && !required
		if !required {
			notes = append(notes, at+": the rule has no targets, so it is for the new one, too")
		}
	}
	if !wants {
		return nil, notes, nil
	}
	return []string{
		"- require_verified_email: true",
		"  targets: " + list([]string{i.Target}),
	}, notes, nil
}

// Add adds the target to the configuration, and writes the files that set it up in AWS. It writes
// everything or nothing. A process that reads the configuration meanwhile sees either the old one
// or the new one.
func (i *Answers) Add(ctx context.Context) (files []File, notes []string, err error) {
	e := i.AddTo
	insertions, notes, err := i.insertions()
	if err != nil {
		return nil, nil, config.Usage(err)
	}
	byARN, err := i.rolesByARN()
	if err != nil {
		return nil, nil, config.Usage(err)
	}
	text, err := config.Insert(e.text, insertions)
	if err != nil {
		return nil, nil, config.Usagef("%s: %w", e.file, err)
	}
	remove, err := i.writeKeySet(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	next, err := e.writeNext(text)
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(next)
	if _, _, err := e.load(ctx, next); err != nil {
		return nil, nil, e.rename(next, err)
	}
	files, more, err := i.addedInAWS(next, byARN)
	if err != nil {
		return nil, nil, e.rename(next, err)
	}
	if err := i.writeAdded(ctx, files, next); err != nil {
		return nil, nil, err
	}
	if i.keySet != nil {
		files = append(files, *i.keySet)
	}
	return files, append(notes, more...), nil
}

// writeKeySet writes the copy of the key set, because the new configuration is loaded before the
// other files are written. It returns a function that removes the copy again.
func (i *Answers) writeKeySet(ctx context.Context) (remove func() error, err error) {
	if i.keySet == nil {
		return func() error { return nil }, nil
	}
	return WriteFiles(ctx, []File{*i.keySet})
}

// rename makes an error about the next configuration name the file of the existing one.
func (e *Existing) rename(next string, err error) error {
	text := strings.ReplaceAll(err.Error(), next, e.file)
	return config.Usagef("%s is not changed, because it would not work with the new target: %s",
		e.file, text)
}

// writeNext writes the file that is to replace the configuration, next to it. The file gets the
// owner, the group and the mode of the configuration.
func (e *Existing) writeNext(text []byte) (next string, err error) {
	info, err := os.Stat(e.file)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(e.file), "."+filepath.Base(e.file)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	err = errors.Join(err, keepOwner(f, info), f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// addedInAWS returns the files for the target's role and, if no target uses it yet, for the SAML
// provider. byARN is as in rolesByARN.
func (i *Answers) addedInAWS(
	next string, byARN bool,
) (files []File, notes []string, err error) {
	for _, part := range i.addedParts() {
		o := Options{
			TrustOptions: TrustOptions{
				ConfigFile: next,
				Target:     i.Target,
				Said:       func(string) bool { return false },
			},
			PermissionOptions: PermissionOptions{Bucket: i.Bucket},
			Part:              part,
			ExistingProvider:  byARN,
			NeedsKeys:         part == ProviderPart,
		}
		made, err := o.Resources(i.AddTo.environment)
		if err != nil {
			return nil, nil, err
		}
		write := made.CloudFormation
		if i.Terraform {
			write = made.Terraform
		}
		text, err := write(part)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, File{Path: made.FileName(part, i.extension()), Text: text})
		if part == ProviderPart && i.Terraform {
			files = append(files, File{Path: MetadataFile, Text: made.Metadata})
		}
		if part == RolePart {
			notes = made.Notes
		}
	}
	for n := range files {
		files[n].Path = filepath.Join(i.Folder, files[n].Path)
	}
	return files, notes, nil
}

// rolesByARN tells whether the role's file names the SAML provider by its ARN. If the role alone is
// written, the provider may have been made in another region, in another folder, or by another
// tool. Only a Terraform folder that makes the provider is shared, because it has the rest of what
// the role needs.
func (i *Answers) rolesByARN() (bool, error) {
	roleAlone := len(i.addedParts()) == 1
	if !i.Terraform {
		return roleAlone, nil
	}
	module, err := readRootModule(i.Folder)
	if err != nil {
		return false, err
	}
	principal, err := iam.Provider.Parse(i.PrincipalARN())
	if err != nil {
		return false, err
	}
	if roleAlone && module.makes(principal) {
		return false, nil
	}
	return roleAlone, module.checkFree()
}

// addedParts returns the parts of the set-up that the new target does not share.
func (i *Answers) addedParts() []Part {
	for _, name := range i.AddTo.shared() {
		if i.AddTo.settings.Targets[name].Principal == i.PrincipalARN() {
			return []Part{RolePart}
		}
	}
	return []Part{ProviderPart, RolePart}
}

// writeAdded writes the files, and replaces the configuration.
func (i *Answers) writeAdded(ctx context.Context, files []File, next string) error {
	return WriteAll(ctx, files, func() error {
		now, err := os.ReadFile(i.AddTo.file)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, i.AddTo.text) {
			return config.Usagef("%s: has changed while the command ran: run it again",
				i.AddTo.file)
		}
		return os.Rename(next, i.AddTo.file)
	})
}

// RestOfAddition lists what is left to do.
func (i *Answers) RestOfAddition(files []File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s is written.\n", f.Path)
	}
	file := term.ShellWord(i.AddTo.file)
	fmt.Fprintf(&b, "%s has the target %s.\n\nNext, set it up in AWS, check it, and exchange the "+
		"ID token in the file token:\n\n", i.AddTo.file, inQuotes(i.Target))
	var deploy []string
	for _, part := range i.addedParts() {
		deploy = append(deploy, i.deploy(part))
	}
	if i.Terraform {
		folder := term.ShellWord("-chdir=" + i.Folder)
		deploy = []string{fmt.Sprintf("terraform %s init && terraform %s apply", folder, folder)}
	}
	fmt.Fprintf(&b, "  %s\n", strings.Join(deploy, " && "))
	fmt.Fprintf(&b, "  delegation check --config %s\n", file)
	fmt.Fprintf(&b, "  eval \"$(delegation exchange --config %s --target %s --token-file token "+
		"--format env)\"\n", file, term.ShellWord(i.Target))
	b.WriteString("\nA running service reads the configuration again on SIGHUP, or by itself " +
		"if reload.watch is set.\n")
	return b.String()
}

// Folder is the configuration's folder. New files go there unless another folder is named.
func (e *Existing) Folder() string { return filepath.Dir(e.file) }
