package iam

import (
	"fmt"
	"strings"
)

// ChainTrust is what a role that another role assumes requires of it.
type ChainTrust struct {
	Before     string   // the ARN of the role that assumes this one
	ExternalID string   // empty: none is asked for
	Tags       bool     // sessions have tags
	TagKeys    []string // the only keys that may be passed on; empty: all
}

// ChainTrustPolicy returns the trust policy of a role that another role assumes for a user, with a
// source identity.
//
// Each action has the conditions that AWS lists for it (Service Authorization Reference, "Actions,
// resources, and condition keys for AWS Security Token Service"): a condition on a key that is not
// there denies. So sts:AssumeRole requires source identity and external ID, and sts:TagSession
// limits the keys.
func ChainTrustPolicy(t ChainTrust) (string, error) {
	for _, text := range append([]string{t.ExternalID}, t.TagKeys...) {
		if strings.Contains(text, "${") {
			return "", fmt.Errorf("%.200q has the beginning of a policy variable", text)
		}
	}
	before := map[string]string{"AWS": t.Before}
	required := conditions{"StringLike": {"sts:SourceIdentity": "*"}}
	if t.ExternalID != "" {
		required["StringEquals"] = map[string]any{"sts:ExternalId": t.ExternalID}
	}
	statements := []chainStatement{
		{Effect: "Allow", Principal: before, Action: "sts:AssumeRole", Condition: required},
		{Effect: "Allow", Principal: before, Action: "sts:SetSourceIdentity"},
	}
	if t.Tags {
		tagging := chainStatement{Effect: "Allow", Principal: before, Action: "sts:TagSession"}
		if len(t.TagKeys) > 0 {
			tagging.Condition = conditions{
				"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": t.TagKeys},
			}
		}
		statements = append(statements, tagging)
	}
	return chainPolicyText(statements)
}

// ChainPermissionPolicy returns the permission policy with which a role may assume the next one.
// AWS asks for it in addition to the trust policy if the roles are of two accounts, and for
// sts:SetSourceIdentity in any case (IAM User Guide, "Monitor and control actions taken with
// assumed roles").
func ChainPermissionPolicy(next string, tags bool) (string, error) {
	actions := []string{"sts:AssumeRole", "sts:SetSourceIdentity"}
	if tags {
		actions = append(actions, "sts:TagSession")
	}
	return chainPolicyText([]chainStatement{{Effect: "Allow", Action: actions, Resource: next}})
}

// conditions are keys and their values, by operator. A value is a text or a list of texts.
type conditions map[string]map[string]any

type chainStatement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    any
	Resource  string     `json:",omitempty"`
	Condition conditions `json:",omitempty"`
}

func chainPolicyText(statements []chainStatement) (string, error) {
	return encoded(struct {
		Version   string
		Statement []chainStatement
	}{"2012-10-17", statements})
}
