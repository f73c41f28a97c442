package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// stacks is CloudFormation of an account in one region, as far as templates of set-ups use it: it
// refuses every key, type and function that it does not know.
type stacks struct {
	account *iamAccount
	stacks  map[string]*stack
}

func newStacks(a *iamAccount) *stacks { return &stacks{account: a, stacks: map[string]*stack{}} }

type stack struct {
	resources map[string]stackResource // by logical ID
	exports   map[string]string
	imports   map[string]bool
	outputs   map[string]string
}

// stackResource is what a stack has made.
type stackResource struct {
	kind, name string
	retain     bool
}

// cfnTemplate is a template.
type cfnTemplate struct {
	Version     string `yaml:"AWSTemplateFormatVersion"`
	Description string `yaml:"Description"`
	Parameters  map[string]struct {
		Type           string `yaml:"Type"`
		Description    string `yaml:"Description"`
		Default        string `yaml:"Default"`
		AllowedPattern string `yaml:"AllowedPattern"`
	} `yaml:"Parameters"`
	Rules map[string]struct {
		Assertions []struct {
			Assert      any    `yaml:"Assert"`
			Description string `yaml:"AssertDescription"`
		} `yaml:"Assertions"`
	} `yaml:"Rules"`
	Resources map[string]cfnResource `yaml:"Resources"`
	Outputs   map[string]struct {
		Description string `yaml:"Description"`
		Value       any    `yaml:"Value"`
		Export      struct {
			Name any `yaml:"Name"`
		} `yaml:"Export"`
	} `yaml:"Outputs"`
}

type cfnResource struct {
	Type                string         `yaml:"Type"`
	DeletionPolicy      string         `yaml:"DeletionPolicy"`
	UpdateReplacePolicy string         `yaml:"UpdateReplacePolicy"`
	Properties          map[string]any `yaml:"Properties"`
}

// stackDeployment is one stack's creation or update.
type stackDeployment struct {
	*stacks
	name       string
	template   cfnTemplate
	parameters map[string]string
	attributes map[string]map[string]string // of the resources made so far
	next       *stack
}

// deploy creates or updates a stack. If it fails, nothing has changed, as after a rollback.
func (s *stacks) deploy(name, text string, parameters map[string]string) error {
	d := &stackDeployment{
		stacks: s, name: name, parameters: maps.Clone(parameters),
		attributes: map[string]map[string]string{},
		next: &stack{
			resources: map[string]stackResource{}, exports: map[string]string{},
			imports: map[string]bool{}, outputs: map[string]string{},
		},
	}
	decoder := yaml.NewDecoder(strings.NewReader(text), yaml.Strict())
	if err := decoder.Decode(&d.template); err != nil {
		return err
	}
	if d.template.Version != "2010-09-09" || len(text) > 51_200 {
		return errors.New("the template is no template")
	}
	if err := errors.Join(d.check(), d.make(s.account.plan())); err != nil {
		return err
	}
	old := s.stacks[name]
	if old == nil {
		old = &stack{}
	}
	for export := range old.exports {
		if d.next.exports[export] != old.exports[export] && s.isImported(export) {
			return fmt.Errorf("export %s is in use by another stack", export)
		}
	}
	if err := d.make(s.account); err != nil {
		return err
	}
	for logical, made := range old.resources {
		if _, still := d.next.resources[logical]; still || made.retain {
			continue
		}
		if err := s.account.remove(made.kind, made.name); err != nil {
			return err
		}
	}
	s.stacks[name] = d.next
	return nil
}

func (s *stacks) isImported(export string) bool {
	for _, other := range s.stacks {
		if other.imports[export] {
			return true
		}
	}
	return false
}

// check resolves the parameters, and applies their patterns and the rules.
func (d *stackDeployment) check() error {
	for name := range d.parameters {
		if _, known := d.template.Parameters[name]; !known {
			return fmt.Errorf("parameter %s is not in the template", name)
		}
	}
	for name, p := range d.template.Parameters {
		if _, given := d.parameters[name]; !given {
			if d.parameters == nil {
				d.parameters = map[string]string{}
			}
			d.parameters[name] = p.Default
		}
		value := d.parameters[name]
		if p.Type != "String" || value == "" || p.Description == "" {
			return fmt.Errorf("parameter %s: %+v", name, p)
		}
		pattern := `\A(?:` + p.AllowedPattern + `)\z`
		if p.AllowedPattern != "" && !regexp.MustCompile(pattern).MatchString(value) {
			return fmt.Errorf("parameter %s does not match %s", name, p.AllowedPattern)
		}
	}
	for _, rule := range d.template.Rules {
		for _, a := range rule.Assertions {
			values, err := d.resolve(a.Assert.(map[string]any)["Fn::Equals"])
			if err != nil {
				return err
			}
			if pair := values.([]any); len(pair) != 2 || pair[0] != pair[1] {
				return fmt.Errorf("rule: %s", a.Description)
			}
		}
	}
	return nil
}

// make makes all the resources in an account, and the outputs.
func (d *stackDeployment) make(in *iamAccount) error {
	old := d.stacks.stacks[d.name]
	for _, logical := range slices.Sorted(maps.Keys(d.template.Resources)) {
		resource := d.template.Resources[logical]
		resolved, err := d.resolve(resource.Properties)
		if err != nil {
			return err
		}
		made := stackResource{retain: resource.DeletionPolicy == "Retain"}
		var before stackResource
		if old != nil {
			before = old.resources[logical]
		}
		properties := resolved.(map[string]any)
		switch resource.Type {
		case "AWS::IAM::SAMLProvider":
			err = d.makeProvider(in, logical, properties, before, &made)
		case "AWS::IAM::Role":
			err = d.makeRole(in, logical, properties, before, &made)
		default:
			err = fmt.Errorf("the type is %s", resource.Type)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", logical, err)
		}
		if before.name != "" && (before.kind != made.kind || before.name != made.name) {
			return fmt.Errorf("%s would be replaced: %v by %v", logical, before, made)
		}
		d.next.resources[logical] = made
	}
	for name, o := range d.template.Outputs {
		value, err := d.resolve(o.Value)
		if err != nil {
			return err
		}
		if o.Description == "" {
			return fmt.Errorf("output %s has no description", name)
		}
		d.next.outputs[name] = value.(string)
		if o.Export.Name == nil {
			continue
		}
		export, err := d.resolve(o.Export.Name)
		if err != nil {
			return err
		}
		d.next.exports[export.(string)] = value.(string)
	}
	return nil
}

func (d *stackDeployment) makeProvider(
	in *iamAccount, logical string, properties map[string]any, before stackResource,
	made *stackResource,
) error {
	if err := onlyKeys(properties, "Name", "SamlMetadataDocument", "Tags"); err != nil {
		return err
	}
	name := properties["Name"].(string)
	p, err := in.putSAMLProvider(name, samlProvider{
		metadata: properties["SamlMetadataDocument"].(string),
		tags:     tagsOf(properties["Tags"]),
	}, before.name != name)
	made.kind = "saml-provider/"
	made.name = name
	d.attributes[logical] = map[string]string{"Arn": p.arn, "SamlProviderUUID": p.uuid}
	return err
}

func (d *stackDeployment) makeRole(
	in *iamAccount, logical string, properties map[string]any, before stackResource,
	made *stackResource,
) error {
	if err := onlyKeys(properties, "RoleName", "Path", "MaxSessionDuration",
		"AssumeRolePolicyDocument", "Policies", "Tags"); err != nil {
		return err
	}
	name := properties["RoleName"].(string)
	role := iamRole{
		path:       properties["Path"].(string),
		trust:      string(must(json.Marshal(properties["AssumeRolePolicyDocument"]))),
		maxSession: int(properties["MaxSessionDuration"].(uint64)),
		tags:       tagsOf(properties["Tags"]),
	}
	policies, _ := properties["Policies"].([]any)
	for _, policy := range policies {
		entry := policy.(map[string]any)
		if err := onlyKeys(entry, "PolicyName", "PolicyDocument"); err != nil {
			return err
		}
		role.permissions += string(must(json.Marshal(entry["PolicyDocument"])))
	}
	r, err := in.putRole(name, role, before.name != name)
	made.kind = "role/"
	made.name = name
	d.attributes[logical] = map[string]string{"Arn": r.arn}
	return err
}

func onlyKeys(properties map[string]any, known ...string) error {
	for name := range properties {
		if !slices.Contains(known, name) {
			return fmt.Errorf("property %s is unknown", name)
		}
	}
	return nil
}

func tagsOf(list any) map[string]string {
	tags := map[string]string{}
	for _, entry := range list.([]any) {
		tag := entry.(map[string]any)
		tags[tag["Key"].(string)] = tag["Value"].(string)
	}
	return tags
}

// resolve replaces the functions in a value.
func (d *stackDeployment) resolve(value any) (any, error) {
	switch v := value.(type) {
	case []any:
		resolved := make([]any, len(v))
		for i, element := range v {
			var err error
			if resolved[i], err = d.resolve(element); err != nil {
				return nil, err
			}
		}
		return resolved, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return d.call(name, argument)
				}
			}
		}
		resolved := map[string]any{}
		for name, member := range v {
			if name == "Ref" || strings.HasPrefix(name, "Fn::") {
				return nil, fmt.Errorf("%s is not alone", name)
			}
			var err error
			if resolved[name], err = d.resolve(member); err != nil {
				return nil, err
			}
		}
		return resolved, nil
	case string:
		if strings.Contains(v, "{{resolve:") {
			return nil, fmt.Errorf("%q is a dynamic reference", v)
		}
	}
	return value, nil
}

// call calls one of CloudFormation's functions.
func (d *stackDeployment) call(name string, argument any) (any, error) {
	resolved, err := d.resolve(argument)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Ref":
		parameter, known := d.parameters[resolved.(string)]
		pseudo := map[string]string{
			"AWS::AccountId": d.account.id, "AWS::Partition": d.account.partition,
			"AWS::StackName": d.name,
		}[resolved.(string)]
		if !known && pseudo == "" {
			return nil, fmt.Errorf("Ref %v is unknown", resolved)
		}
		return parameter + pseudo, nil
	case "Fn::GetAtt":
		path := resolved.([]any)
		value, known := d.attributes[path[0].(string)][path[1].(string)]
		if !known {
			return nil, fmt.Errorf("GetAtt %v is unknown", path)
		}
		return value, nil
	case "Fn::Join":
		arguments := resolved.([]any)
		var texts []string
		for _, text := range arguments[1].([]any) {
			texts = append(texts, text.(string))
		}
		return strings.Join(texts, arguments[0].(string)), nil
	case "Fn::ImportValue":
		for _, other := range d.stacks.stacks {
			if value, exported := other.exports[resolved.(string)]; exported {
				d.next.imports[resolved.(string)] = true
				return value, nil
			}
		}
		return nil, fmt.Errorf("No export named %v found", resolved)
	}
	return nil, fmt.Errorf("%s is unknown", name)
}

// deployFile is aws cloudformation deploy: --stack-name and --template-file of a command line.
func (s *stacks) deployFile(stackName, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return s.deploy(stackName, string(text), nil)
}

// sameResources tells whether two accounts have the same, policies by their meaning.
func sameResources(a, b *iamAccount) error {
	if !reflect.DeepEqual(a.providers, b.providers) {
		return fmt.Errorf("SAML providers: %v and %v", a.providers, b.providers)
	}
	if len(a.roles) != len(b.roles) {
		return fmt.Errorf("roles: %v and %v", a.roles, b.roles)
	}
	for name, one := range a.roles {
		other := b.roles[name]
		if !sameJSON(one.trust, other.trust) || one.permissions != other.permissions &&
			!sameJSON(one.permissions, other.permissions) {
			return fmt.Errorf("policies of %s: %+v and %+v", name, one, other)
		}
		one.trust = other.trust
		one.permissions = other.permissions
		if !reflect.DeepEqual(one, other) {
			return fmt.Errorf("role %s: %+v and %+v", name, one, other)
		}
	}
	return nil
}
