package delegation

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

const redacted = "[redacted]"

// Secret holds a value that must not be shown by accident. It prints as [redacted] with every fmt
// verb, in slog and in JSON, also inside other values. [Secret.Reveal] is the only way to get the
// value. The zero Secret is empty.
type Secret struct {
	value *string // a pointer, because fmt prints unexported fields without calling their methods
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

// Format implements fmt.Formatter: [redacted] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer, for direct calls.
func (Secret) String() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which encoding/json and encoding/xml use.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Credentials are temporary AWS credentials of the assumed role, with the parts of the assertion
// that AWS reported. Printing, logging or marshalling the struct does not show the secrets. The
// methods return the formats that AWS's tools read.
type Credentials struct {
	// AccessKeyID begins with ASIA. It is not a secret.
	AccessKeyID string
	// SecretAccessKey signs requests.
	SecretAccessKey Secret
	// SessionToken goes with every request. AWS promises no maximum length.
	SessionToken Secret
	// Expiration is when the credentials expire, in whole seconds.
	Expiration time.Time

	// Region is where STS was called. The credentials work in all regions of its partition.
	Region string
	// AccountID is the account of the role.
	AccountID string
	// AssumedRoleARN is arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION.
	AssumedRoleARN string
	// AssumedRoleID is AROA…:SESSION.
	AssumedRoleID string

	// Subject is the NameID, ${saml:sub}.
	Subject string
	// SubjectType is ${saml:sub_type}: persistent.
	SubjectType string
	// Issuer is the SAML entity ID.
	Issuer string
	// Audience is the recipient, which trust policies read as SAML:aud.
	Audience string
	// NameQualifier is ${saml:namequalifier}.
	NameQualifier string
	// SourceIdentity is empty if none was set.
	SourceIdentity string

	// PackedPolicySize is the used share of AWS's space for session policies and tags, in percent.
	// It is 0 if there are none.
	PackedPolicySize int
	// RequestID is AWS's, as in CloudTrail.
	RequestID string
	// SessionTokenUtilization is the size of the session token in percent of the maximum. It is 0
	// if AWS does not report it.
	SessionTokenUtilization int

	// Narrowed says that this exchange narrowed the session by [WithScope] or [WithSessionPolicy].
	// It is not cached: each exchange sets it.
	Narrowed bool `json:",omitempty"`
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

// AWS returns the credentials in the type of the AWS SDK for Go v2.
func (c *Credentials) AWS() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey.Reveal(),
		SessionToken:    c.SessionToken.Reveal(),
		Source:          "AssumeRoleWithSAML",
		CanExpire:       true,
		Expires:         c.Expiration,
		AccountID:       c.AccountID,
	}
}

// ProcessJSON returns the JSON that an AWS credential_process prints. It contains the secrets.
func (c *Credentials) ProcessJSON() ([]byte, error) {
	return json.Marshal(struct {
		Version         int
		AccessKeyId     string
		SecretAccessKey string
		SessionToken    string
		Expiration      string
		AccountId       string `json:",omitempty"`
	}{
		Version:         1, // of the format
		AccessKeyId:     c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey.Reveal(),
		SessionToken:    c.SessionToken.Reveal(),
		Expiration:      c.Expiration.UTC().Format(time.RFC3339),
		AccountId:       c.AccountID,
	})
}

// ContainerJSON returns the JSON of the AWS container credentials endpoint, where the session token
// is called Token. It contains the secrets.
func (c *Credentials) ContainerJSON() ([]byte, error) {
	members := []struct{ name, text string }{
		{"AccessKeyId", c.AccessKeyID},
		{"SecretAccessKey", c.SecretAccessKey.Reveal()},
		{"Token", c.SessionToken.Reveal()},
		{"Expiration", c.Expiration.UTC().Format(time.RFC3339)},
		{"AccountId", c.AccountID},
	}
	if c.AccountID == "" {
		members = members[:len(members)-1]
	}
	answer := make([]byte, 0, 256+len(c.SessionToken.Reveal()))
	separator := byte('{')
	for _, m := range members {
		answer = append(answer, separator)
		answer = jsonvalue.AppendText(answer, m.name)
		answer = append(answer, ':')
		answer = jsonvalue.AppendText(answer, m.text)
		separator = ','
	}
	return append(answer, '}'), nil
}

// auth0Answer is what Auth0's delegation endpoint answered: the result of AssumeRoleWithSAML.
type auth0Answer struct {
	ResponseMetadata auth0Metadata
	Credentials      auth0Credentials
	AssumedRoleUser  auth0Role
	PackedPolicySize int `json:",omitempty"`
	Subject          string
	SubjectType      string
	Issuer           string
	Audience         string
	NameQualifier    string
	SourceIdentity   string `json:",omitempty"`
}

type auth0Metadata struct {
	RequestId string
}

type auth0Credentials struct {
	AccessKeyId     string
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type auth0Role struct {
	AssumedRoleId string
	Arn           string
}

// Auth0JSON returns the JSON that Auth0's delegation endpoint returned: the result of
// AssumeRoleWithSAML, with the expiration in ISO 8601 with milliseconds. It contains the secrets.
func (c *Credentials) Auth0JSON() ([]byte, error) {
	return json.Marshal(auth0Answer{
		ResponseMetadata: auth0Metadata{c.RequestID},
		Credentials: auth0Credentials{
			AccessKeyId:     c.AccessKeyID,
			SecretAccessKey: c.SecretAccessKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
			Expiration:      c.Expiration.UTC().Format("2006-01-02T15:04:05.000Z"),
		},
		AssumedRoleUser:  auth0Role{AssumedRoleId: c.AssumedRoleID, Arn: c.AssumedRoleARN},
		PackedPolicySize: c.PackedPolicySize,
		Subject:          c.Subject,
		SubjectType:      c.SubjectType,
		Issuer:           c.Issuer,
		Audience:         c.Audience,
		NameQualifier:    c.NameQualifier,
		SourceIdentity:   c.SourceIdentity,
	})
}
