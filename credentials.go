package delegation

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const redacted = "[redacted]"

// Secret holds a value that must not be shown by accident: under every fmt verb, in slog and in JSON it reads
// [redacted], also deep inside other values. [Secret.Reveal] is the only way to it. The zero value is empty.
type Secret struct {
	value *string // behind a pointer, because fmt prints unexported fields without asking for a method
}

// NewSecret returns a Secret of the value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value itself. Keep it out of logs and errors.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format implements fmt.Formatter: [redacted] under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer, for those who call it directly.
func (Secret) String() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which encoding/json and encoding/xml use.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Credentials are what AWS returned: temporary credentials of the assumed role, and how AWS saw the assertion.
// Printing, logging or marshalling the struct shows neither secret; use one of the methods for a wire shape.
type Credentials struct {
	AccessKeyID             string    // ASIA…; no secret
	SecretAccessKey         Secret    // signs requests
	SessionToken            Secret    // goes with every request; AWS promises no length
	Expiration              time.Time // AWS's own, in whole seconds
	Region                  string    // where STS was called; the credentials work in all regions of its partition
	AccountID               string    // of the role
	AssumedRoleARN          string    // arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION
	AssumedRoleID           string    // AROA…:SESSION
	Subject                 string    // the NameID: ${saml:sub}
	SubjectType             string    // persistent: ${saml:sub_type}
	Issuer                  string    // the SAML entity ID
	Audience                string    // the recipient: SAML:aud in trust policies
	NameQualifier           string    // ${saml:namequalifier}
	SourceIdentity          string    // if one was set
	PackedPolicySize        int       // percent of the space for session policy and tags that is used; 0 if there are none
	RequestID               string    // AWS's, as in CloudTrail
	SessionTokenUtilization int       // percent of the largest session token; 0 if AWS does not say
}

// unconfirmed names what AWS left out of its answer, so that it could not be compared.
func (c *Credentials) unconfirmed() (names []string) {
	if c.Issuer == "" {
		names = append(names, "Issuer")
	}
	if c.Audience == "" {
		names = append(names, "Audience")
	}
	return names
}

// AWS returns the credentials as the AWS SDK for Go v2 takes them.
func (c *Credentials) AWS() aws.Credentials {
	return aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal(),
		Source: "AssumeRoleWithSAML", CanExpire: true, Expires: c.Expiration, AccountID: c.AccountID,
	}
}

// ProcessJSON returns the JSON that an AWS credential_process prints. It holds the secrets.
func (c *Credentials) ProcessJSON() ([]byte, error) {
	return json.Marshal(struct {
		Version                                                int // the number 1: the format's version
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
		AccountId                                              string `json:",omitempty"`
	}{1, c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expiration.UTC().Format(time.RFC3339), c.AccountID})
}

// ContainerJSON returns the JSON of the AWS container credentials endpoint, where the session token is called Token.
// It holds the secrets.
func (c *Credentials) ContainerJSON() ([]byte, error) {
	return json.Marshal(struct {
		AccessKeyId, SecretAccessKey, Token, Expiration string
		AccountId                                       string `json:",omitempty"`
	}{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expiration.UTC().Format(time.RFC3339), c.AccountID})
}

// Auth0JSON returns the JSON that Auth0's delegation endpoint answered: the result of AssumeRoleWithSAML, with the
// expiry in ISO 8601 with milliseconds. It holds the secrets.
func (c *Credentials) Auth0JSON() ([]byte, error) {
	type credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	type role struct{ AssumedRoleId, Arn string }
	type metadata struct{ RequestId string }
	return json.Marshal(struct {
		ResponseMetadata                                      metadata
		Credentials                                           credentials
		AssumedRoleUser                                       role
		PackedPolicySize                                      int `json:",omitempty"`
		Subject, SubjectType, Issuer, Audience, NameQualifier string
		SourceIdentity                                        string `json:",omitempty"`
	}{
		metadata{c.RequestID},
		credentials{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expiration.UTC().Format("2006-01-02T15:04:05.000Z")},
		role{c.AssumedRoleID, c.AssumedRoleARN}, c.PackedPolicySize,
		c.Subject, c.SubjectType, c.Issuer, c.Audience, c.NameQualifier, c.SourceIdentity,
	})
}
