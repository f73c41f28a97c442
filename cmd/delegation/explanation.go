package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// outcome is the result of explain, as --json prints it. The tree has the same content.
// docs/explain.md documents the names, which must not change. Steps that were not reached are null
// or empty.
type outcome struct {
	Allowed     bool             `json:"allowed"`
	Target      string           `json:"target"`
	Token       *tokenOutcome    `json:"token"`
	Claims      []claimOutcome   `json:"required_claims"`
	Profile     []string         `json:"profile,omitempty"` // properties from there
	Rules       []ruleOutcome    `json:"rules"`
	Decision    *decisionOutcome `json:"decision"`
	TrustPolicy *trustOutcome    `json:"trust_policy"`
	Warnings    []string         `json:"warnings"`
	Refusal     *refusalOutcome  `json:"refusal"`
	TokenFields []fieldOutcome   `json:"token_fields"`

	reached int // index of the step, see steps
}

type tokenOutcome struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	ClientID string `json:"client_id"`

	Kind   delegation.TokenKind `json:"kind"`
	Scopes []string             `json:"scopes,omitempty"`
	Actor  *actorOutcome        `json:"actor,omitempty"`
}

// actorOutcome is who acts for the user, and who acted before.
type actorOutcome struct {
	Issuer   string   `json:"issuer"`
	Subject  string   `json:"subject"`
	ClientID string   `json:"client_id"`
	Prior    []string `json:"prior,omitempty"`
}

// claimOutcome is a claim that the issuer or the target requires, and what the token has.
type claimOutcome struct {
	Claim    string   `json:"claim"`
	Of       string   `json:"of"`
	Patterns []string `json:"patterns"`
	Values   []string `json:"values"`
	Met      bool     `json:"met"`
}

type ruleOutcome struct {
	Name    string `json:"name"`
	Refused bool   `json:"refused"`
	// Set has the settings as the rule left them, by the names of awsSettings.
	Set         map[string]any `json:"set"`
	ChangedUser []string       `json:"changed_user"` // properties
}

type decisionOutcome struct {
	Role           string              `json:"role"`
	Principal      string              `json:"principal"`
	Chain          []chainOutcome      `json:"chain"`
	Regions        []string            `json:"regions"`
	SessionName    string              `json:"session_name"`
	NameID         string              `json:"name_id"`
	NameIDEncoding string              `json:"name_id_encoding,omitempty"`
	SourceIdentity string              `json:"source_identity"`
	EntityID       string              `json:"entity_id"`
	Recipient      string              `json:"saml_recipient"`
	Audience       string              `json:"saml_audience"`
	Duration       seconds             `json:"session_duration"`
	SessionEnd     *time.Time          `json:"session_end"`
	Policy         string              `json:"policy"`
	PolicyARNs     []string            `json:"policy_arns"`
	Scopes         []string            `json:"scopes,omitempty"`
	Narrowing      []narrowingOutcome  `json:"narrowing,omitempty"`
	PackedSize     int                 `json:"packed_policy_size"`
	Attributes     map[string][]string `json:"saml_attributes"`
}

// chainOutcome is a role that is assumed after the first one, and the policies that this requires.
type chainOutcome struct {
	Role       string `json:"role"`
	ExternalID string `json:"external_id"`
	// TrustPolicy is the policy of this role, and Permission that of the role before it. Each is
	// null if no policy can express it.
	TrustPolicy json.RawMessage `json:"trust_policy"`
	Permission  json.RawMessage `json:"permission_policy_of_role_before"`
}

type trustOutcome struct {
	Actions  []string        `json:"actions"`
	Document json.RawMessage `json:"document"`
}

type refusalOutcome struct {
	Stage     delegation.Stage `json:"stage"`
	Code      delegation.Code  `json:"code"`
	Message   string           `json:"message"`
	Remedy    string           `json:"remedy"`
	Retryable bool             `json:"retryable"`
}

// fieldOutcome compares a field of a token that was refused at the token stage with the
// configuration.
type fieldOutcome struct {
	Field         string                  `json:"field"`
	Token         string                  `json:"token"`
	Configuration string                  `json:"configuration"`
	Verdict       delegation.TokenVerdict `json:"verdict"`
	Reason        string                  `json:"reason"`
}

// awsSettings are the fields of delegation.AWS, under the names of the configuration file.
type awsSettings struct {
	Principal         string              `json:"principal"`
	Role              string              `json:"role"`
	Region            string              `json:"region"`
	FailoverRegions   []string            `json:"failover_regions"`
	Mappings          delegation.Mappings `json:"mappings"`
	NameID            string              `json:"name_id"`
	NameIDFromMapping bool                `json:"name_id_from_mapping"`
	SessionName       string              `json:"session_name"`
	SessionDuration   time.Duration       `json:"session_duration"`
	Policy            string              `json:"policy"`
	PolicyARNs        []string            `json:"policy_arns"`
	Tags              map[string]string   `json:"tags"`
	TransitiveTagKeys []string            `json:"transitive_tag_keys"`
	SourceIdentity    string              `json:"source_identity"`
	DroppableTags     []string            `json:"droppable_tags"`
}

// seconds is a duration that JSON shows as a number of seconds.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

func (s seconds) String() string { return time.Duration(s).String() }

// steps are the steps of a decision in order, with what has been checked after each.
var steps = []struct {
	stage   delegation.Stage
	checked string
}{
	{delegation.StageToken, "form, issuer, signature, audience and dates"},
	{delegation.StageTarget, "it exists, and takes tokens of this issuer and client"},
	{delegation.StageRules, "none refuses"},
	{delegation.StageDecision, "within AWS's limits; this is what AWS would see"},
	{delegation.StageSAML, "the response can be built; it was not signed"},
}

func stepOf(stage delegation.Stage) int {
	for i, step := range steps {
		if step.stage == stage {
			return i
		}
	}
	return 0 // the call was abandoned before its first step
}

// newTokenOutcome says whose token it is, and who acts for them.
func newTokenOutcome(e *delegation.Explanation) *tokenOutcome {
	o := &tokenOutcome{
		Issuer:   e.Issuer,
		Subject:  e.Subject,
		ClientID: e.ClientID,
		Kind:     e.TokenKind,
		Scopes:   e.TokenScopes,
	}
	if e.Actor != nil {
		o.Actor = &actorOutcome{
			Issuer:   e.Actor.Issuer,
			Subject:  e.Actor.Subject,
			ClientID: e.Actor.ClientID,
			Prior:    e.PriorActors,
		}
	}
	return o
}

// newOutcome combines an explanation and the refusal that it ended with, if any, for both formats.
func newOutcome(e *delegation.Explanation, err error) *outcome {
	o := &outcome{
		Allowed:  err == nil,
		Target:   e.Target,
		Claims:   []claimOutcome{},
		Rules:    []ruleOutcome{},
		Warnings: append([]string{}, e.Warnings...),

		TokenFields: []fieldOutcome{},
		reached:     len(steps),
	}
	if e.Issuer != "" {
		o.Token = newTokenOutcome(e)
	}
	for _, claim := range e.RequiredClaims {
		claim.Values = append([]string{}, claim.Values...)
		o.Claims = append(o.Claims, claimOutcome(claim))
	}
	for i, warning := range o.Warnings {
		o.Warnings[i] = config.ByKeys(warning)
	}
	o.Profile = e.Profile
	for _, rule := range e.Rules {
		o.Rules = append(o.Rules, newRuleOutcome(rule))
	}
	if e.Principal != "" {
		o.Decision = newDecisionOutcome(e)
		// There is no policy if the operator configured a recipient that no policy can name.
		if policy, err := e.TrustPolicy(); err == nil {
			o.TrustPolicy = &trustOutcome{e.Actions, json.RawMessage(policy)}
		}
	}
	if err != nil {
		o.refuse(err)
	}
	return o
}

// refuse records a refusal, and ends the outcome at the step that refused.
func (o *outcome) refuse(err error) {
	o.Refusal = &refusalOutcome{Message: err.Error()}
	var refusal *delegation.Error
	if errors.As(err, &refusal) {
		o.Refusal = &refusalOutcome{
			Stage:     refusal.Stage,
			Code:      refusal.Code,
			Message:   refusal.Err.Error(),
			Remedy:    refusal.Remedy,
			Retryable: refusal.Retryable,
		}
	}
	o.reached = stepOf(o.Refusal.Stage)
	if o.Decision != nil { // a token that expires during the decision is refused there
		o.reached = max(o.reached, stepOf(delegation.StageDecision))
	}
}

// compare records how a refused token compares with the configuration.
func (o *outcome) compare(fields []delegation.TokenField) {
	for _, field := range fields {
		o.TokenFields = append(o.TokenFields, fieldOutcome{
			Field:         field.Name,
			Token:         field.Token,
			Configuration: config.ByKeys(field.Configuration),
			Verdict:       field.Verdict,
			Reason:        config.ByKeys(field.Reason),
		})
	}
}

func newDecisionOutcome(e *delegation.Explanation) *decisionOutcome {
	o := &decisionOutcome{
		Role:           e.Role,
		Principal:      e.Principal,
		Chain:          newChainOutcome(e),
		Regions:        e.Regions,
		SessionName:    e.SessionName,
		NameID:         e.NameID,
		NameIDEncoding: string(e.NameIDEncoding),
		SourceIdentity: e.SourceIdentity,
		EntityID:       e.EntityID,
		Recipient:      e.Recipient,
		Audience:       e.Audience,
		Duration:       seconds(e.Duration),
		Policy:         e.Policy,
		PolicyARNs:     append([]string{}, e.PolicyARNs...),
		Scopes:         e.Scopes,
		PackedSize:     e.PackedPolicySize,
		Attributes:     e.Attributes,
	}
	for _, how := range e.Narrowing {
		o.Narrowing = append(o.Narrowing, newNarrowingOutcome(how))
	}
	if !e.SessionEnd.IsZero() {
		end := e.SessionEnd.UTC()
		o.SessionEnd = &end
	}
	return o
}

func newChainOutcome(e *delegation.Explanation) []chainOutcome {
	list := []chainOutcome{}
	trust, err1 := e.ChainTrustPolicies()
	permissions, err2 := e.ChainPermissionPolicies()
	for i, next := range e.Chain {
		o := chainOutcome{Role: next.RoleARN, ExternalID: next.ExternalID}
		if err1 == nil && err2 == nil {
			o.TrustPolicy = json.RawMessage(trust[i])
			o.Permission = json.RawMessage(permissions[i])
		}
		list = append(list, o)
	}
	return list
}

func newRuleOutcome(rule delegation.RuleStep) ruleOutcome {
	o := ruleOutcome{
		Name:        rule.Name,
		Refused:     rule.Err != nil,
		Set:         map[string]any{},
		ChangedUser: []string{},
	}
	left := reflect.ValueOf(awsSettings(rule.AWS))
	for _, name := range rule.Changed {
		if property, ok := strings.CutPrefix(name, "user."); ok {
			o.ChangedUser = append(o.ChangedUser, property)
			continue
		}
		field, _ := left.Type().FieldByName(name)
		value := left.FieldByName(name).Interface()
		if d, ok := value.(time.Duration); ok {
			value = seconds(d)
		}
		o.Set[field.Tag.Get("json")] = value
	}
	return o
}

// json returns the outcome for programs. It escapes what a terminal would interpret.
func (o *outcome) json() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(o)
	return term.Printable(b.String()), err
}
