package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// policyDocument is an IAM policy, with the keys in the order in which AWS's own documents have
// them.
type policyDocument struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    any
	Resource  string `json:",omitempty"`

	// Condition is a map by operator of maps by condition key; nil is none.
	Condition any `json:",omitempty"`
}

// condition holds the values of one operator by condition key, each a text or a list of texts.
type condition map[string]any

// TrustActions returns what a role's trust policy must allow for an assertion with or without
// session tags and a source identity.
func TrustActions(tags, sourceIdentity bool) []string {
	actions := []string{"sts:AssumeRoleWithSAML"}
	if tags {
		actions = append(actions, "sts:TagSession")
	}
	if sourceIdentity {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

// subjectType is the kind of NameID that assertions have, as policies read it: the format without
// its prefix (IAM User Guide, "Available keys for SAML-based AWS STS federation").
const subjectType = "persistent"

// TrustPolicy returns the trust policy of a role: the SAML provider may do the actions (none:
// sts:AssumeRoleWithSAML) for assertions to this recipient and, unless it is empty, of this issuer.
//
// It also asks for a persistent NameID, as every assertion of this library has one. A permission
// policy with ${saml:sub} relies on it: a transient NameID could be anybody's at the next sign-in
// (IAM User Guide, "Uniquely identifying users in SAML-based federation").
func TrustPolicy(provider string, actions []string, recipient, issuer string) (string, error) {
	if recipient == "" {
		return "", errors.New("there is no recipient")
	}
	// StringEquals expands variables (IAM User Guide, "Policy elements: Variables and tags").
	if strings.Contains(recipient+" "+issuer, "${") {
		return "", fmt.Errorf(
			"%.200q or %.200q has the beginning of a policy variable", recipient, issuer)
	}
	conditions := condition{
		"SAML:aud":      recipient,
		"SAML:sub_type": subjectType,
	}
	if issuer != "" {
		conditions["SAML:iss"] = issuer
	}
	if len(actions) == 0 {
		actions = TrustActions(false, false)
	}
	var action any = actions
	if len(actions) == 1 {
		action = actions[0]
	}
	return policyText(statement{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": provider},
		Action:    action,
		Condition: map[string]condition{"StringEquals": conditions},
	})
}

func policyText(statements ...statement) (string, error) {
	return encoded(policyDocument{"2012-10-17", statements})
}

// encoded returns a policy as AWS's documents show them.
func encoded(policy any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(policy)
	return b.String(), err
}
