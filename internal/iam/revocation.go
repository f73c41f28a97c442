package iam

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Sessions are the sessions of a role that a revocation denies.
type Sessions struct {
	// IssuedBefore is when the credentials of the oldest session that stays were issued. It is
	// rounded up to a whole second, because AWS may write the time of issue without a fraction.
	IssuedBefore time.Time
	// Subjects are values of ${saml:sub}: sessions with one of them are denied. Empty: sessions of
	// any subject.
	Subjects []string
	// NameQualifier is ${saml:namequalifier}. It is set if Subjects are, and only then.
	NameQualifier string
	// SourceIdentity is aws:SourceIdentity. Empty: sessions with any, and with none.
	SourceIdentity string
}

// RevocationPolicy returns the policy that denies everything to the sessions of a role that were
// issued before a time. It has the form of AWSRevokeOlderSessions, which IAM's console writes (IAM
// User Guide, "Revoke IAM role temporary security credentials").
func RevocationPolicy(s Sessions) (string, error) {
	if s.IssuedBefore.IsZero() {
		return "", errors.New("there is no time before which sessions are revoked")
	}
	if (len(s.Subjects) == 0) != (s.NameQualifier == "") {
		return "", errors.New("a subject and its name qualifier belong together: " +
			"a subject is unique for one SAML provider only")
	}
	before := s.IssuedBefore.UTC().Truncate(time.Second)
	if before.Before(s.IssuedBefore) {
		before = before.Add(time.Second)
	}
	conditions := map[string]condition{
		"DateLessThan": {"aws:TokenIssueTime": before.Format(time.RFC3339)},
	}
	if whose := s.whose(); len(whose) > 0 {
		conditions["StringEquals"] = whose
	}
	return policyText(statement{
		Effect:    "Deny",
		Action:    "*",
		Resource:  "*",
		Condition: conditions,
	})
}

// whose returns the condition on the users whose sessions are denied; empty: all users.
func (s Sessions) whose() condition {
	whose := condition{}
	switch len(s.Subjects) {
	case 0:
	case 1:
		whose["saml:sub"] = withoutVariables(s.Subjects[0])
	default:
		var subjects []string
		for _, subject := range s.Subjects {
			subjects = append(subjects, withoutVariables(subject))
		}
		whose["saml:sub"] = subjects
	}
	if s.NameQualifier != "" {
		whose["saml:namequalifier"] = withoutVariables(s.NameQualifier)
	}
	if s.SourceIdentity != "" {
		whose["aws:SourceIdentity"] = withoutVariables(s.SourceIdentity)
	}
	return whose
}

// withoutVariables writes a text so that IAM reads it as it is: ${$} is a dollar sign (IAM User
// Guide, "Policy elements: Variables and tags").
func withoutVariables(text string) string { return strings.ReplaceAll(text, "${", "${$}{") }

// NameQualifier returns ${saml:namequalifier} of all sessions of a SAML provider: the hash of
// entity ID, account and provider's name (STS API Reference, AssumeRoleWithSAML, NameQualifier).
func NameQualifier(entityID string, provider arn.ARN) string {
	name := strings.TrimPrefix(provider.Resource, Provider.prefix)
	sum := sha1.Sum([]byte(entityID + provider.AccountID + "/" + name))
	return base64.StdEncoding.EncodeToString(sum[:])
}
