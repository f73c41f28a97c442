package ststest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/iampolicy"
)

// The actions that AssumeRoleWithSAML asks a trust policy for, in lower case:
// IAM compares actions without regard to case.
const (
	actionAssume   = "sts:assumerolewithsaml"
	actionTag      = "sts:tagsession"
	actionIdentity = "sts:setsourceidentity"
)

// samlActions are the actions that a SAML sign-in can need.
var samlActions = []string{actionAssume, actionTag, actionIdentity}

// actionNames are the SAML actions as IAM writes them.
var actionNames = map[string]string{
	actionAssume:   "sts:AssumeRoleWithSAML",
	actionTag:      "sts:TagSession",
	actionIdentity: "sts:SetSourceIdentity",
}

// trustActions are the actions that a statement for a SAML provider may name.
var trustActions = slices.Concat(samlActions, []string{
	"sts:assumerole", "sts:assumerolewithwebidentity", "sts:setcontext",
})

// everyone is the principal that matches every principal.
const everyone = "*"

// attributeKeys maps SAML attributes to the condition keys they set, without
// the prefix "saml:" (IAM User Guide, IAM and AWS STS condition context keys,
// with its odd spellings).
var attributeKeys = map[string]string{
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.1":  "edupersonaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.2":  "edupersonnickname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.3":  "edupersonorgdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.4":  "edupersonorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.5":  "edupersonprimaryaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.6":  "edupersonprincipalname",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.7":  "edupersonentitlement",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.8":  "edupersonprimaryorgunitdn",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.9":  "edupersonscopedaffiliation",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.10": "edupersontargetedid",
	"urn:oid:1.3.6.1.4.1.5923.1.1.1.11": "edupersonassurance",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.2":  "eduorghomepageuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.3":  "eduorgidentityauthnpolicyuri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.4":  "eduorglegalname",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.5":  "eduorgsuperioruri",
	"urn:oid:1.3.6.1.4.1.5923.1.2.1.6":  "eduorgwhitepagesuri",
	"urn:oid:2.5.4.3":                   "cn",

	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":              "name",
	"http://schemas.xmlsoap.org/claims/CommonName":                            "commonname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname":         "givenname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname":           "surname",
	"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress":      "mail",
	"http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "uid",

	"2.5.4.3":                    "commonname",
	"2.5.4.4":                    "surname",
	"2.4.5.42":                   "givenname",
	"2.5.4.45":                   "x500uniqueidentifier",
	"0.9.2342.19200300100.1.1":   "uid",
	"0.9.2342.19200300100.1.3":   "mail",
	"0.9.2342.19200300.100.1.45": "organizationstatus",
}

// singleKeys are the condition keys with at most one value, in lower case.
var singleKeys = []string{
	"saml:aud", "saml:iss", "saml:doc", "saml:sub", "saml:sub_type", "saml:namequalifier",
	"saml:edupersonorgdn", "saml:edupersonprimaryaffiliation",
	"saml:edupersonprincipalname", "saml:edupersonprimaryorgunitdn",
	"sts:sourceidentity", "sts:rolesessionname",
	keySourceIP, keySecureTransport, "aws:requestedregion",
}

// Condition keys whose values are not texts.
const (
	keySourceIP        = "aws:sourceip"
	keySecureTransport = "aws:securetransport"
)

// keyKind reports whether there is a condition key, in lower case, and whether
// it can have several values.
func keyKind(key string) (known, multi bool) {
	if slices.Contains(singleKeys, key) {
		return true, false
	}
	if tag, ok := strings.CutPrefix(key, "aws:requesttag/"); ok {
		return tag != "", false
	}
	if key == "aws:tagkeys" || key == "sts:transitivetagkeys" {
		return true, true
	}
	name, ok := strings.CutPrefix(key, "saml:")
	if ok {
		for _, k := range attributeKeys {
			if k == name {
				return true, true
			}
		}
	}
	return false, false
}

// A requestContext holds the values of the condition keys, which are in lower
// case. A key that is not in the request is not in the map.
type requestContext map[string][]string

// A trustPolicy has the statements that concern a SAML sign-in.
// roles has those for principals of AWS.
type trustPolicy struct {
	version string            // of the document
	policy  *iampolicy.Policy // nil if there are none
	numbers []int             // of its statements in the document, from 1
	roles   roleTrust
}

// A statement is what the checks need of one. iampolicy evaluates it.
type statement struct {
	allow     bool
	federated []string
	aws       []string
	everyone  bool
	actions   []string // patterns in lower case
	condition any      // nil: none
}

// denies evaluates the policy for one action as IAM does: an action needs an
// Allow, and a Deny overrides every Allow. It returns the reason for a refusal,
// or "" if the action is allowed.
func (p *trustPolicy) denies(action, principal string, ctx requestContext) string {
	name := actionNames[action]
	why := fmt.Sprintf("no statement of the trust policy allows %s for the SAML provider", name)
	if p.policy == nil {
		return why
	}
	decision, err := iampolicy.Set{Resource: []*iampolicy.Policy{p.policy}}.Decide(
		iampolicy.Request{
			Principal: iampolicy.Principal{Federated: principal},
			Action:    name,
			Resource:  everything,
			Context:   iampolicy.Context(ctx),
		})
	switch {
	case err != nil:
		return fmt.Sprintf("the trust policy cannot be evaluated: %v", err)
	case decision.Allowed():
		return ""
	case decision.Effect == iampolicy.DeniedExplicitly:
		return fmt.Sprintf("statement %d of the trust policy denies %s",
			p.numbers[decision.By.Statement-1], name)
	}
	for _, u := range decision.Unmet {
		why = fmt.Sprintf("statement %d of the trust policy allows %s under a Condition "+
			"on %s that does not hold", p.numbers[u.Statement-1], name, strings.ToLower(u.Key))
	}
	return why
}

// everything is the resource of a request to a trust policy, which names none.
const everything = "*"

// covers reports whether one of the patterns matches the action.
func covers(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return iampolicy.Like(pattern, action)
	})
}

// A conditionKind is what an operator compares.
type conditionKind int

const (
	ofTexts conditionKind = iota
	ofAddresses
	ofBooleans
)

// operators are the condition operators of trust policies other than Null, in
// lower case.
var operators = map[string]conditionKind{
	"stringequals":              ofTexts,
	"stringnotequals":           ofTexts,
	"stringequalsignorecase":    ofTexts,
	"stringnotequalsignorecase": ofTexts,
	"stringlike":                ofTexts,
	"stringnotlike":             ofTexts,
	"ipaddress":                 ofAddresses,
	"notipaddress":              ofAddresses,
	"bool":                      ofBooleans,
}

func parseRange(text string) (netip.Prefix, bool) {
	if at, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(at, at.BitLen()), at.Zone() == ""
	}
	r, err := netip.ParsePrefix(text)
	return r, err == nil
}

// parseTrustPolicy reads a trust policy. It refuses what it cannot evaluate: a
// condition that is ignored protects no role.
func parseTrustPolicy(text string) (*trustPolicy, error) {
	if text == "" {
		return nil, errors.New("it is empty; without one nobody can assume the role")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	value, err := strictJSON(d, 0)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("not JSON: more than one value")
	}
	top, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	if err := onlyKeys(top, "Version", "Id", "Statement"); err != nil {
		return nil, err
	}
	if v, ok := top["Version"]; ok && v != "2012-10-17" && v != firstVersion {
		return nil, fmt.Errorf("the Version is %v; want 2012-10-17", v)
	}
	list, ok := top["Statement"].([]any)
	if !ok {
		list = []any{top["Statement"]}
	}
	if len(list) == 0 {
		return nil, errors.New("no Statement")
	}
	p := &trustPolicy{version: firstVersion}
	if version, ok := top["Version"].(string); ok {
		p.version = version
	}
	var statements []any
	for i, v := range list {
		st, err := parseStatement(v)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		p.roles.add(st, i+1)
		if st.concernsSAML() {
			statements = append(statements, st.document())
			p.numbers = append(p.numbers, i+1)
		}
	}
	if statements == nil {
		return p, nil
	}
	p.policy, err = p.policyOf(statements)
	return p, err
}

// firstVersion is the version of a policy that names none (IAM User Guide, IAM
// JSON policy elements: Version). It has no policy variables, so the policies that
// are made of the document's statements keep the document's version.
const firstVersion = "2008-10-17"

// policyOf makes a policy of statements of the document.
func (p *trustPolicy) policyOf(statements []any) (*iampolicy.Policy, error) {
	document, err := json.Marshal(map[string]any{
		"Version":   p.version,
		"Statement": statements,
	})
	if err != nil {
		return nil, err
	}
	return iampolicy.Parse(string(document))
}

// document returns the statement without what does not concern SAML.
func (st *statement) document() map[string]any {
	principal := map[string]any{}
	if len(st.federated) > 0 {
		principal["Federated"] = st.federated
	}
	if st.everyone {
		principal["AWS"] = everyone
	}
	effect := "Deny"
	if st.allow {
		effect = "Allow"
	}
	m := map[string]any{"Effect": effect, "Principal": principal, "Action": st.actions}
	if st.condition != nil {
		m["Condition"] = st.condition
	}
	return m
}

// parseStatement reads a statement. In one that does not concern SAML it checks
// only what IAM requires of every statement.
func parseStatement(v any) (*statement, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	if err := onlyKeys(m, "Sid", "Effect", "Principal", "Action", "Condition"); err != nil {
		return nil, err
	}
	st := &statement{}
	switch m["Effect"] {
	case "Allow":
		st.allow = true
	case "Deny":
	default:
		return nil, errors.New("the Effect must be Allow or Deny")
	}
	if err := st.parsePrincipal(m["Principal"]); err != nil {
		return nil, fmt.Errorf("the Principal: %w", err)
	}
	if err := st.parseActions(m["Action"]); err != nil {
		return nil, fmt.Errorf("the Action: %w", err)
	}
	block, conditional := m["Condition"]
	if _, ok := block.(map[string]any); conditional && !ok {
		return nil, errors.New("the Condition: not a JSON object")
	}
	if st.allow && st.everyone && covers(st.actions, actionAssume) {
		return nil, errors.New("an Allow of sts:AssumeRoleWithSAML for everyone: " +
			"AWS does not say whether it lets a SAML provider in; " +
			"name the provider under Federated")
	}
	if conditional {
		st.condition = block
	}
	if st.concernsSAML() && conditional {
		if err := checkConditions(block); err != nil {
			return nil, fmt.Errorf("the Condition: %w", err)
		}
	}
	return st, nil
}

// concernsSAML reports whether the statement can decide a sign-in of any SAML
// provider.
func (st *statement) concernsSAML() bool {
	if !st.namesSAML() && (st.allow || !st.everyone) {
		return false
	}
	return slices.ContainsFunc(samlActions, func(a string) bool { return covers(st.actions, a) })
}

// namesSAML reports whether a SAML provider is among the principals.
func (st *statement) namesSAML() bool { return slices.ContainsFunc(st.federated, isSAMLProvider) }

func isSAMLProvider(principal string) bool { return strings.Contains(principal, ":saml-provider/") }

// parsePrincipal reads the Principal (IAM User Guide, AWS JSON policy elements:
// Principal).
func (st *statement) parsePrincipal(v any) error {
	if v == everyone {
		st.everyone = true
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return errors.New(`want "*" or an object such as ` +
			`{"Federated": "arn:aws:iam::…:saml-provider/…"}`)
	}
	if err := onlyKeys(m, "Federated", "AWS", "Service", "CanonicalUser"); err != nil {
		return err
	}
	for kind, v := range m {
		names, err := stringsOf(v)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		for _, name := range names {
			switch {
			case name == "":
				return fmt.Errorf("%s: an empty name", kind)
			case kind == "Federated" && strings.ContainsAny(name, "*?"):
				return fmt.Errorf("%s %q: want a whole ARN; "+
					"IAM takes no wildcards here", kind, name)
			case kind != "Federated" && isSAMLProvider(name):
				return fmt.Errorf("%s %q: a SAML provider belongs under Federated", kind, name)
			case kind == "AWS" && name == everyone:
				st.everyone = true
			case kind == "AWS":
				st.aws = append(st.aws, name)
			case kind == "Federated":
				st.federated = append(st.federated, name)
			}
		}
	}
	return nil
}

// parseActions reads the Action. Trust policies have actions of STS alone; in a
// statement for a SAML provider one that is misspelled is refused.
func (st *statement) parseActions(v any) error {
	actions, err := stringsOf(v)
	if err != nil {
		return err
	}
	for _, a := range actions {
		pattern := strings.ToLower(a)
		if !strings.HasPrefix(pattern, "sts:") {
			return fmt.Errorf("%q: want an action of STS", a)
		}
		known := func(action string) bool { return iampolicy.Like(pattern, action) }
		if st.namesSAML() && !slices.ContainsFunc(trustActions, known) {
			return fmt.Errorf(
				"%q: want sts:AssumeRoleWithSAML, sts:TagSession or sts:SetSourceIdentity", a)
		}
		st.actions = append(st.actions, pattern)
	}
	return nil
}

// checkConditions checks that a sign-in can have every key, and that iampolicy
// evaluates it as AWS says.
func checkConditions(block any) error {
	m, ok := block.(map[string]any)
	if !ok {
		return errors.New("not a JSON object")
	}
	for _, operator := range slices.Sorted(maps.Keys(m)) {
		keys, ok := m[operator].(map[string]any)
		if !ok || len(keys) == 0 {
			return fmt.Errorf("%s: not a JSON object with condition keys", operator)
		}
		base, err := parseOperator(operator)
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if err := base.check(key, keys[key]); err != nil {
				return fmt.Errorf("%s: %w", operator, err)
			}
		}
	}
	return nil
}

// A condition is an operator with its set operator.
type condition struct {
	kind conditionKind
	set  bool // ForAnyValue or ForAllValues
	null bool // the operator is Null
}

// check checks a key and its values under the operator.
func (c condition) check(key string, v any) error {
	name := strings.ToLower(key)
	known, multi := keyKind(name)
	if !known {
		return fmt.Errorf("condition key %q is not one of a SAML sign-in", key)
	}
	// IAM User Guide, Single-valued vs. multivalued context keys. What
	// IAM does without a set operator is not documented.
	if multi && !c.set && !c.null {
		const several = "condition key %q has several values; " +
			"use ForAnyValue:… or ForAllValues:…"
		return fmt.Errorf(several, key)
	}
	values, err := stringsOf(v)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for _, value := range values {
		if strings.Contains(value, "${") {
			return fmt.Errorf("%s: policy variables such as %s are not supported", key, value)
		}
	}
	if err := c.checkKind(name, values); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if c.null && (len(values) != 1 || values[0] != "true" && values[0] != "false") {
		return fmt.Errorf("%s: want true or false", key)
	}
	return nil
}

// checkKind checks that operator, key and values are of one kind.
func (c condition) checkKind(key string, values []string) error {
	want := ofTexts
	switch key {
	case keySourceIP:
		want = ofAddresses
	case keySecureTransport:
		want = ofBooleans
	}
	if !c.null && c.kind != want {
		return errors.New("the key is for another operator: aws:SourceIp for IpAddress and " +
			"NotIpAddress, aws:SecureTransport for Bool, all others for those of strings")
	}
	for _, value := range values {
		switch _, isRange := parseRange(value); {
		case c.kind == ofAddresses && !isRange:
			return fmt.Errorf("%q: want an IP address or a range such as 203.0.113.0/24", value)
		case c.kind == ofBooleans && value != "true" && value != "false":
			return fmt.Errorf("%q: want true or false", value)
		}
	}
	return nil
}

func parseOperator(operator string) (condition, error) {
	var c condition
	name := strings.ToLower(operator)
	for _, s := range []string{"forallvalues", "foranyvalue"} {
		if rest, ok := strings.CutPrefix(name, s+":"); ok {
			name = rest
			c.set = true
		}
	}
	if name == "null" && !c.set {
		c.null = true
		return c, nil
	}
	kind, ok := operators[strings.TrimSuffix(name, "ifexists")]
	if !ok {
		return c, fmt.Errorf("operator %q is not supported; want StringEquals, StringLike, "+
			"IpAddress, their negations, Bool, or Null", operator)
	}
	c.kind = kind
	return c, nil
}

func onlyKeys(m map[string]any, names ...string) error {
	for key := range m {
		if !slices.Contains(names, key) {
			return fmt.Errorf("%q is not supported; want only %s", key, strings.Join(names, ", "))
		}
	}
	return nil
}

// stringsOf reads a string, a boolean, or a list of them with at least one.
func stringsOf(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var values []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case bool:
			values = append(values, fmt.Sprint(v))
		default:
			return nil, errors.New("want a string or a list of strings")
		}
	}
	if len(values) == 0 {
		return nil, errors.New("the list is empty")
	}
	return values, nil
}

// strictJSON reads one value. It refuses an object that has a key twice,
// because encoding/json drops one of the two.
func strictJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := key.(string) // the decoder allows nothing else here
			if _, ok := m[name]; ok {
				return nil, fmt.Errorf("key %q twice", name)
			}
			if m[name], err = strictJSON(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := strictJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}
