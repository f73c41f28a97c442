package main

import (
	"errors"
	"reflect"
	"time"

	"github.com/seed055b7978/delegation"
)

// explanation is what an exchange would decide, and why, under the names that `delegation explain
// --json` uses (docs/explain.md). It has only the parts that the page shows.
type explanation struct {
	Allowed  bool              `json:"allowed"`
	Target   string            `json:"target"`
	Token    *explainedToken   `json:"token"`
	Rules    []explainedRule   `json:"rules"`
	Decision *explainedSession `json:"decision"`
	Warnings []string          `json:"warnings"`
	Refusal  *explainedRefusal `json:"refusal"`
}

type explainedToken struct {
	Issuer   string               `json:"issuer"`
	Subject  string               `json:"subject"`
	ClientID string               `json:"client_id"`
	Kind     delegation.TokenKind `json:"kind"`
}

// explainedRule is a rule that ran, and what it changed.
type explainedRule struct {
	Name    string         `json:"name"`
	Refused bool           `json:"refused"`
	Set     map[string]any `json:"set"`
}

type explainedSession struct {
	Role           string              `json:"role"`
	Principal      string              `json:"principal"`
	Regions        []string            `json:"regions"`
	SessionName    string              `json:"session_name"`
	NameID         string              `json:"name_id"`
	SourceIdentity string              `json:"source_identity"`
	EntityID       string              `json:"entity_id"`
	Recipient      string              `json:"saml_recipient"`
	Audience       string              `json:"saml_audience"`
	Duration       float64             `json:"session_duration"` // seconds
	Policy         string              `json:"policy"`
	PolicyARNs     []string            `json:"policy_arns"`
	PackedSize     int                 `json:"packed_policy_size"`
	Attributes     map[string][]string `json:"saml_attributes"`
}

type explainedRefusal struct {
	Stage     delegation.Stage `json:"stage"`
	Code      delegation.Code  `json:"code"`
	Message   string           `json:"message"`
	Remedy    string           `json:"remedy"`
	Retryable bool             `json:"retryable"`
}

// settingNames are the fields of [delegation.AWS] that the album's rules set, as the configuration
// file names them.
var settingNames = map[string]string{
	"SessionDuration": "session_duration",
	"SourceIdentity":  "source_identity",
	"Tags":            "tags",
	"Policy":          "policy",
}

// newExplanation converts an explanation, and the refusal that it ended with, to JSON's structure.
func newExplanation(e *delegation.Explanation, err error) explanation {
	x := explanation{
		Allowed:  err == nil,
		Target:   e.Target,
		Rules:    []explainedRule{},
		Warnings: append([]string{}, e.Warnings...),
	}
	if e.Issuer != "" {
		x.Token = &explainedToken{e.Issuer, e.Subject, e.ClientID, e.TokenKind}
	}
	for _, rule := range e.Rules {
		x.Rules = append(x.Rules, explainRule(rule))
	}
	if e.Principal != "" {
		x.Decision = explainSession(e)
	}
	var refusal *delegation.Error
	if errors.As(err, &refusal) {
		x.Refusal = &explainedRefusal{
			Stage:     refusal.Stage,
			Code:      refusal.Code,
			Message:   refusal.Err.Error(),
			Remedy:    refusal.Remedy,
			Retryable: refusal.Retryable,
		}
	}
	return x
}

func explainRule(rule delegation.RuleStep) explainedRule {
	x := explainedRule{Name: rule.Name, Refused: rule.Err != nil, Set: map[string]any{}}
	left := reflect.ValueOf(rule.AWS)
	for _, field := range rule.Changed {
		name, ok := settingNames[field]
		if !ok {
			continue
		}
		value := left.FieldByName(field).Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.Seconds()
		}
		x.Set[name] = value
	}
	return x
}

func explainSession(e *delegation.Explanation) *explainedSession {
	return &explainedSession{
		Role:           e.Role,
		Principal:      e.Principal,
		Regions:        e.Regions,
		SessionName:    e.SessionName,
		NameID:         e.NameID,
		SourceIdentity: e.SourceIdentity,
		EntityID:       e.EntityID,
		Recipient:      e.Recipient,
		Audience:       e.Audience,
		Duration:       e.Duration.Seconds(),
		Policy:         e.Policy,
		PolicyARNs:     append([]string{}, e.PolicyARNs...),
		PackedSize:     e.PackedPolicySize,
		Attributes:     e.Attributes,
	}
}
