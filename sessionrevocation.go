package delegation

import (
	"errors"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/iam"
)

// SessionRevocation says which sessions of a role AWS is to deny everything: those whose
// credentials were issued before a time. Attach its Policy to the role as an inline policy. It
// never has to be removed, and can be once the last of these sessions has expired.
//
// AWS evaluates it at each request of a session, after the change has reached the service, which
// usually takes seconds. It ends no exchange: a user who is still let in gets a new session. To
// refuse the user's ID tokens too, see [Delegator.Revoke].
type SessionRevocation struct {
	// IssuedBefore is required. It is rounded up to a whole second, by AWS's clock.
	IssuedBefore time.Time
	// Subject is ${saml:sub} of the sessions: the NameID, which is the token's sub unless another
	// one is set. Empty: the sessions of everybody.
	Subject string
	// Encoding is that of the target, see Target.NameIDEncoding. With it, Subject is the NameID
	// before it is encoded. If Subject looks like an encoded one, as CloudTrail shows it, the
	// policy denies both: the sessions of its encoding, and those of the NameID itself.
	Encoding NameIDEncoding
	// NameQualifier is ${saml:namequalifier}, and required with Subject: see [NameQualifier], or
	// Credentials.NameQualifier.
	NameQualifier string
	// SourceIdentity narrows it to the sessions with this source identity. In a session that was
	// made from another by AssumeRole there is no saml:sub, and the source identity is kept. Empty:
	// sessions with any source identity, and with none.
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

// NameQualifier returns ${saml:namequalifier} of the sessions of a SAML provider. With the subject,
// it names one user in all of AWS. It depends on the entity ID and on the ARN of the provider. An
// empty entity ID, or an ARN that is not that of a SAML provider, is an error with
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
