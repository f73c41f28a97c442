package delegation

import (
	"errors"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/iam"
)

// SessionRevocation describes the sessions of a role to which AWS denies everything: those whose
// credentials were issued before a time. Attach its Policy to the role as an inline policy. You can
// remove the policy after the last of these sessions has expired, but need not.
//
// AWS evaluates the policy for each request of a session. A change usually takes effect within
// seconds. The policy does not refuse exchanges: a user who is still let in gets a new session. To
// refuse the user's ID tokens too, use [Delegator.Revoke].
type SessionRevocation struct {
	// IssuedBefore is the time before which the credentials were issued, by AWS's clock, rounded up
	// to a whole second. It is required.
	IssuedBefore time.Time
	// Subject is ${saml:sub} of the sessions: the NameID, which is the token's sub unless a rule or
	// a mapping sets another one. Empty: the sessions of all users.
	Subject string
	// Encoding is Target.NameIDEncoding of the target. Subject is then the NameID before it is
	// encoded. If Subject looks like an encoded NameID, as CloudTrail shows it, the policy denies
	// the sessions of both its encoding and the NameID itself.
	Encoding NameIDEncoding
	// NameQualifier is ${saml:namequalifier} of the sessions. It is required with Subject. The
	// function [NameQualifier] computes it, and Credentials.NameQualifier has it.
	NameQualifier string
	// SourceIdentity limits the revocation to sessions with this source identity. After role
	// chaining with AssumeRole, a session keeps its source identity but has no saml:sub. Empty:
	// sessions with any source identity or none.
	SourceIdentity string
}

// Policy returns the policy, as JSON. It has the form of AWSRevokeOlderSessions, the policy that
// IAM's console attaches. Without IssuedBefore, or with only one of Subject and NameQualifier, it
// is an error with [CodeConfigInvalid]. A Subject that Encoding refuses is one with
// [CodeNameIDInvalid].
func (r SessionRevocation) Policy() (string, error) {
	subjects, err := r.subjects()
	if err != nil {
		return "", err
	}
	policy, err := iam.RevocationPolicy(iam.Sessions{
		IssuedBefore:   r.IssuedBefore,
		Subjects:       subjects,
		NameQualifier:  r.NameQualifier,
		SourceIdentity: r.SourceIdentity,
	})
	if err != nil {
		return "", newError(CodeConfigInvalid, "the revocation: %w", err)
	}
	return policy, nil
}

// subjects are the NameIDs that are meant, each once.
func (r SessionRevocation) subjects() ([]string, error) {
	if r.Subject == "" {
		return nil, nil
	}
	encoded, err := r.Encoding.Encode(r.Subject)
	if err != nil {
		return nil, err
	}
	if r.Encoding != "" && !looksEncoded(r.Subject) {
		return []string{encoded}, nil
	}
	return slices.Compact([]string{r.Subject, encoded}), nil
}

// NameQualifier returns the ${saml:namequalifier} of a SAML provider's sessions. Together with the
// subject, it identifies one user in all of AWS. It depends on the entity ID and on the ARN of the
// provider. An empty entity ID, or an ARN that is not that of a SAML provider, is an error with
// [CodeConfigInvalid].
func NameQualifier(entityID, principal string) (string, error) {
	provider, err := iam.Provider.Parse(principal)
	if err == nil && entityID == "" {
		err = errors.New("the entity ID is empty")
	}
	if err != nil {
		return "", newError(CodeConfigInvalid, "the name qualifier: %w", err)
	}
	return iam.NameQualifier(entityID, provider), nil
}
