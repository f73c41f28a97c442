package setup

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/internal/iam"
)

// The minimum and the maximum of a role's maximum session duration (IAM API Reference, CreateRole).
const (
	minRoleSession = time.Hour
	maxRoleSession = 12 * time.Hour
)

// Resources are what one target needs in AWS: a role, and a SAML provider that other targets can
// share.
type Resources struct {
	// Target is the target's name, for people.
	Target string

	// Principal is the SAML provider, and Role the role, in one account.
	Principal, Role arn.ARN

	// Region is the region whose STS is called.
	Region delegation.Region

	// MaxSession is the role's maximum session duration.
	MaxSession time.Duration

	// EntityID is that of the SAML identity.
	EntityID string

	// Metadata is the metadata of the SAML provider; empty if it was not read, see NeedsKeys.
	Metadata string

	// Trust is the role's trust policy, JSON.
	Trust string

	// Permissions is the role's permission policy, JSON; empty: the role may do nothing.
	Permissions string

	// Bucket is the bucket that Origins may use.
	Bucket string

	// Origins are the origins of pages that use Bucket; empty: none do.
	Origins []any

	// BucketElsewhere tells that Bucket belongs to another account.
	BucketElsewhere bool

	// UUID is the SAML provider's UUID, if the target uses it.
	UUID string

	// ExistingProvider tells that the SAML provider is not created by this set-up.
	ExistingProvider bool

	// OtherRole tells that Role is not the target's own role.
	OtherRole bool

	// Notes are for the operator. CloudFormation adds to them.
	Notes []string
}

// ProviderName returns the name of the SAML provider.
func (s *Resources) ProviderName() string {
	return strings.TrimPrefix(s.Principal.Resource, "saml-provider/")
}

// RolePath returns the path and the name of the role.
func (s *Resources) RolePath() (folder, name string) {
	return path.Split(strings.TrimPrefix(s.Role.Resource, "role"))
}

// Options say what to set up.
type Options struct {
	TrustOptions
	PermissionOptions

	// Part is what to write.
	Part Part

	// ExistingProvider tells that the SAML provider is not created by this set-up.
	ExistingProvider bool

	// CORS lets the pages of http.allowed_origins use the bucket.
	CORS bool

	// NeedsKeys tells that the output contains the metadata, so the signing keys have to be read.
	NeedsKeys bool

	// Role is the role's ARN; empty: the target's.
	Role string
}

// Resources collects all that the target needs. An error is a config.UsageError.
func (o *Options) Resources(environment []string) (*Resources, error) {
	if o.Target == "" {
		return nil, config.Usage(errors.New("name a target of the configuration with --target"))
	}
	if o.ExistingProvider && o.Part == ProviderPart {
		return nil, config.Usage(errors.New("--existing-provider says that the SAML provider " +
			"exists: write the role alone, without --part provider"))
	}
	o.hasRole = true
	o.role = o.Role
	trust, err := o.Trust(environment)
	if err != nil {
		return nil, err
	}
	target := trust.Settings.Targets[o.Target]
	made := &Resources{
		Target: o.Target,
		Region: trust.Region,
		Trust:  trust.Policy,
		Notes:  trust.Notes,

		EntityID:         trust.Explanation.EntityID,
		UUID:             target.SAMLProviderUUID,
		ExistingProvider: o.ExistingProvider,
	}
	made.Principal, _ = iam.Provider.Parse(trust.Explanation.Principal) // it has been checked
	if err := o.complete(made, trust); err != nil {
		return nil, err
	}
	if err := o.pages(made, trust); err != nil {
		return nil, err
	}
	if o.Part == RolePart {
		policy, notes, err := o.rolePolicy(made, target, environment)
		if err != nil {
			return nil, err
		}
		made.Permissions = policy
		made.Notes = append(made.Notes, notes...)
		made.remark(target, trust.uses, o.sameTrustAs(made.Role.String(), trust, target))
	}
	made.remarkProvider(target)
	return made, nil
}

// complete fills in what the part needs: the role and its maximum session duration, or the
// metadata.
func (o *Options) complete(made *Resources, trust *Trust) error {
	b := config.NewBuilder(trust.From, slog.New(slog.DiscardHandler))
	if o.Part == RolePart {
		o.chooseRole(b, made, trust)
		o.chooseDuration(b, made, trust)
	}
	if made.Region.String() == "" {
		at := config.KeyPath("targets").Child(o.Target).Child("region")
		b.Problem(fmt.Errorf("%s: is missing: name one with --region", trust.From.At(at)))
	} else if made.Region.Partition() != made.Principal.Partition {
		b.Problem(fmt.Errorf("%s: is in the partition %s, and the region %s in %s",
			o.place("principal", trust.From), made.Principal.Partition,
			made.Region, made.Region.Partition()))
	}
	identityAt, own := trust.Settings.IdentityOf(o.Target)
	if o.NeedsKeys {
		identity := b.Identity(identityAt, own)
		if b.Err() == nil { // otherwise problems would be reported twice
			metadata, err := identity.Metadata()
			b.Add(identityAt, err)
			made.Metadata = string(metadata)
		}
	}
	return b.Err()
}

// chooseRole takes the role from the flag or the target, and checks that it fits the rest.
func (o *Options) chooseRole(b *config.Builder, made *Resources, trust *Trust) {
	place := trust.From.At(config.KeyPath("targets").Child(o.Target).Child("role"))
	if o.Role != "" {
		place = "--role"
	}
	own := trust.Settings.Targets[o.Target].Role
	roleARN := cmp.Or(o.Role, own)
	role, err := iam.Role.Parse(roleARN)
	made.Role = role
	made.OtherRole = roleARN != own
	switch {
	case roleARN == "":
		b.Problem(fmt.Errorf("%s: is missing: name the role's ARN with --role%s",
			place, choices(trust.uses.Roles)))
	case err != nil:
		b.Problem(fmt.Errorf("%s: %w", place, err))
	case role.AccountID != made.Principal.AccountID || role.Partition != made.Principal.Partition:
		b.Problem(fmt.Errorf("%s: the role and the SAML provider must be in the same account%s",
			place, o.otherAccount(made, trust)))
	}
}

// otherAccount says which flag to add if a flag has named a role or a SAML provider of another
// account than the target's.
func (o *Options) otherAccount(made *Resources, trust *Trust) string {
	switch {
	case o.Role != "":
		if known := providersOf(trust.uses.Choices, o.Role); len(known) > 0 {
			return ": set --principal to " + known[0]
		}
		return fmt.Sprintf(": set --principal to the ARN of the SAML provider in the account %s",
			made.Role.AccountID)
	case o.Principal != "":
		return fmt.Sprintf(": name a role of the account %s with --role",
			made.Principal.AccountID)
	}
	return ""
}

// chooseDuration takes the target's session duration, within the limits of a role.
func (o *Options) chooseDuration(b *config.Builder, made *Resources, trust *Trust) {
	at := config.KeyPath("targets").Child(o.Target).Child("session_duration")
	duration := b.Duration(at, trust.Settings.Targets[o.Target].SessionDuration)
	if duration > maxRoleSession {
		b.Wrong(at, fmt.Errorf("is longer than %s, the longest that a role can allow",
			maxRoleSession))
	}
	made.MaxSession = max(minRoleSession, duration.Truncate(time.Second))
}

func choices(roles []string) string {
	if len(roles) == 0 {
		return ""
	}
	return ", such as " + roles[0] + ", which a rule may choose"
}

// remark notes what the set-up cannot contain. The others are roles with the same trust policy.
func (s *Resources) remark(target config.TargetSettings, uses Use, others []string) {
	note := func(format string, args ...any) {
		s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
	}
	if s.Permissions == "" {
		note("the role may do nothing yet: add a permission policy with --bucket or --template")
	}
	if len(others) > 0 {
		note("this is the set-up of %s. Other roles that %s may choose need the same trust "+
			"policy: %s", s.Role, whoChooses(target), strings.Join(others, ", "))
	}
	if uses.Duration {
		note("a mapping chooses how long sessions are: raise the role's maximum session duration "+
			"from %s if it chooses more", s.MaxSession)
	}
}

// remarkProvider notes what the set-up of the SAML provider cannot contain.
func (s *Resources) remarkProvider(target config.TargetSettings) {
	note := func(format string, args ...any) {
		s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
	}
	if s.UUID != "" && !s.ExistingProvider {
		note("a new SAML provider has a new UUID: put it into saml_provider_uuid. The role's " +
			"file takes the UUID from the provider")
	}
	if target.EncryptionKeyFile != "" {
		note("the private key for encrypted assertions is not in this file: add it with aws iam "+
			"update-saml-provider --saml-provider-arn %s --add-private-key file://reader.key "+
			"--assertion-encryption-mode Allowed", s.Principal)
	}
}
