package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// terraformFolder is a root module of Terraform with its state. It reads the module with
// Terraform's own parser, and knows the blocks, types and functions that set-ups use: everything
// else is an error.
type terraformFolder struct {
	account *iamAccount
	folder  string
	// variables are the module's. supplied tells that there is no provider block, as in a module
	// that others call.
	variables map[string]cty.Value
	supplied  bool
	state     map[string]terraformInstance // by address
	outputs   map[string]string
}

// terraformInstance is what the state knows of a resource.
type terraformInstance struct {
	kind, name     string // for account.remove
	preventDestroy bool
}

// terraformRun is one plan or apply.
type terraformRun struct {
	*terraformFolder
	in       *iamAccount
	planning bool
	pending  map[string]*hclsyntax.Block
	locals   map[string]hcl.Expression
	values   map[string]cty.Value // by address, such as var.a, local.b, data.c.d and e.f
	next     map[string]terraformInstance
	outputs  map[string]string
}

// apply plans and applies. What is wrong with the plan changes nothing.
func (f *terraformFolder) apply() error {
	if _, err := f.run(f.account.plan(), true); err != nil {
		return err
	}
	done, err := f.run(f.account, false)
	if err != nil {
		return err
	}
	f.state = done.next
	f.outputs = done.outputs
	return nil
}

func (f *terraformFolder) run(in *iamAccount, planning bool) (*terraformRun, error) {
	r := &terraformRun{
		terraformFolder: f, in: in, planning: planning,
		pending: map[string]*hclsyntax.Block{}, locals: map[string]hcl.Expression{},
		values: map[string]cty.Value{}, next: map[string]terraformInstance{},
		outputs: map[string]string{},
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	if err := r.evaluateAll(); err != nil {
		return nil, err
	}
	return r, r.destroy()
}

// load reads all files of the folder.
func (r *terraformRun) load() error {
	files, err := filepath.Glob(filepath.Join(r.folder, "*.tf"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no files: %w", err)
	}
	once := map[string]int{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if string(hclwrite.Format(text)) != string(text) {
			return fmt.Errorf("%s is not formatted:\n%s", path, text)
		}
		file, problems := hclparse.NewParser().ParseHCL(text, filepath.Base(path))
		if problems.HasErrors() {
			return problems
		}
		body := file.Body.(*hclsyntax.Body)
		if len(body.Attributes) > 0 {
			return fmt.Errorf("%s has attributes outside of blocks", path)
		}
		for _, b := range body.Blocks {
			if err := r.declare(b, once); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if once["required_providers"] != 1 || once["required_version"] != 1 {
		return errors.New("there is not exactly one required_providers and required_version")
	}
	if !r.supplied && once["provider aws"] != 1 {
		return errors.New("there is not exactly one provider configuration")
	}
	return nil
}

// declare notes a block. Two of the same address are an error, as for Terraform.
func (r *terraformRun) declare(b *hclsyntax.Block, once map[string]int) error {
	switch b.Type {
	case "terraform":
		return r.checkVersions(b, once)
	case "locals":
		for name, a := range b.Body.Attributes {
			if r.locals["local."+name] != nil {
				return fmt.Errorf("Duplicate local value definition: %s", name)
			}
			r.locals["local."+name] = a.Expr
		}
		return nil
	}
	address := strings.Join(append([]string{b.Type}, b.Labels...), ".")
	switch b.Type {
	case "resource":
		address = strings.Join(b.Labels, ".")
	case "variable":
		address = "var." + b.Labels[0]
	case "provider":
		once["provider "+b.Labels[0]]++
	case "data", "output":
	default:
		return fmt.Errorf("a block of type %s", b.Type)
	}
	if r.pending[address] != nil {
		return fmt.Errorf("Duplicate %s: %s", b.Type, address)
	}
	r.pending[address] = b
	return nil
}

// checkVersions reads the versions that the module needs.
func (r *terraformRun) checkVersions(b *hclsyntax.Block, once map[string]int) error {
	if a := b.Body.Attributes["required_version"]; a != nil {
		once["required_version"]++
		if v, problems := a.Expr.Value(nil); problems.HasErrors() || v.AsString() != ">= 1.5.0" {
			return fmt.Errorf("required_version is %#v, %w", v, problems)
		}
	}
	for _, inner := range b.Body.Blocks {
		once[inner.Type]++
		v, problems := inner.Body.Attributes["aws"].Expr.Value(nil)
		if inner.Type != "required_providers" || problems.HasErrors() ||
			v.GetAttr("source").AsString() != "hashicorp/aws" ||
			// saml_provider_uuid is there from 6.28
			!strings.HasPrefix(v.GetAttr("version").AsString(), ">= 6.28.") {
			return fmt.Errorf("%s is %#v, %w", inner.Type, v, problems)
		}
	}
	return nil
}

// evaluateAll evaluates every block once all that it refers to is known.
func (r *terraformRun) evaluateAll() error {
	for len(r.pending)+len(r.locals) > 0 {
		progress := false
		for _, address := range slices.Sorted(maps.Keys(r.locals)) {
			if !r.known(hclsyntax.Variables(r.locals[address].(hclsyntax.Expression))) {
				continue
			}
			v, problems := r.locals[address].Value(r.context(nil))
			if problems.HasErrors() {
				return problems
			}
			r.values[address] = v
			delete(r.locals, address)
			progress = true
		}
		for _, address := range slices.Sorted(maps.Keys(r.pending)) {
			b := r.pending[address]
			// The conditions of a variable are about the variable itself.
			if b.Type != "variable" && !r.known(variablesIn(b.Body)) {
				continue
			}
			if err := r.evaluate(address, b); err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
			delete(r.pending, address)
			progress = true
		}
		if !progress {
			return fmt.Errorf("these refer to each other, or to nothing: %v, %v",
				slices.Collect(maps.Keys(r.pending)), slices.Collect(maps.Keys(r.locals)))
		}
	}
	return nil
}

func variablesIn(b *hclsyntax.Body) (all []hcl.Traversal) {
	for _, a := range b.Attributes {
		all = append(all, hclsyntax.Variables(a.Expr)...)
	}
	for _, inner := range b.Blocks {
		all = append(all, variablesIn(inner.Body)...)
	}
	return all
}

// known tells whether everything is known that the traversals lead to.
func (r *terraformRun) known(traversals []hcl.Traversal) bool {
	for _, t := range traversals {
		address := addressOf(t)
		if _, known := r.values[address]; address != "" && !known {
			return false
		}
	}
	return true
}

// addressOf is the address of what a traversal leads to; "" for path, each and self.
func addressOf(t hcl.Traversal) string {
	name := func(i int) string {
		if i < len(t) {
			if a, ok := t[i].(hcl.TraverseAttr); ok {
				return "." + a.Name
			}
		}
		return ".?"
	}
	switch root := t.RootName(); root {
	case "path", "each", "self", "count":
		return ""
	case "data":
		return root + name(1) + name(2)
	default:
		return root + name(1)
	}
}

// context is what expressions see.
func (r *terraformRun) context(each map[string]cty.Value) *hcl.EvalContext {
	tree := map[string]map[string]cty.Value{}
	data := map[string]map[string]cty.Value{}
	for address, value := range r.values {
		parts := strings.Split(address, ".")
		in := tree
		if parts[0] == "data" {
			in = data
			parts = parts[1:]
		}
		if in[parts[0]] == nil {
			in[parts[0]] = map[string]cty.Value{}
		}
		in[parts[0]][parts[1]] = value
	}
	variables := map[string]cty.Value{
		"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(r.folder)}),
	}
	for name, members := range tree {
		variables[name] = cty.ObjectVal(members)
	}
	kinds := map[string]cty.Value{}
	for name, members := range data {
		kinds[name] = cty.ObjectVal(members)
	}
	variables["data"] = cty.ObjectVal(kinds)
	if each != nil {
		variables["each"] = cty.ObjectVal(each)
	}
	return &hcl.EvalContext{Variables: variables, Functions: terraformFunctions}
}

// terraformFunctions are Terraform's functions that modules use.
var terraformFunctions = map[string]function.Function{
	"jsonencode": stdlib.JSONEncodeFunc,
	"join":       stdlib.JoinFunc,
	"merge":      stdlib.MergeFunc,
	"concat":     stdlib.ConcatFunc,
	"length":     stdlib.LengthFunc,
	"regexall":   stdlib.RegexAllFunc,
	"strcontains": function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String},
		},
		Type: function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(strings.Contains(args[0].AsString(), args[1].AsString())), nil
		},
	}),
	"one": function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch values := args[0].AsValueSlice(); len(values) {
			case 0:
				return cty.NullVal(cty.DynamicPseudoType), nil
			case 1:
				return values[0], nil
			}
			return cty.NilVal, errors.New("there are several")
		},
	}),
	"file": function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := os.ReadFile(args[0].AsString())
			return cty.StringVal(string(text)), err
		},
	}),
}

// evaluate evaluates a block, once for each key of for_each and for each of count.
func (r *terraformRun) evaluate(address string, b *hclsyntax.Block) error {
	switch b.Type {
	case "provider":
		return r.evaluateProvider(b)
	case "variable":
		return r.evaluateVariable(address, b)
	case "output":
		if _, described := b.Body.Attributes["description"]; !described {
			return errors.New("has no description")
		}
		v, problems := b.Body.Attributes["value"].Expr.Value(r.context(nil))
		if problems.HasErrors() {
			return problems
		}
		r.outputs[b.Labels[0]] = ""
		if v.Type() == cty.String && !v.IsNull() {
			r.outputs[b.Labels[0]] = v.AsString()
		}
		return nil
	}
	if a := b.Body.Attributes["for_each"]; a != nil {
		all, problems := a.Expr.Value(r.context(nil))
		if problems.HasErrors() {
			return problems
		}
		made := map[string]cty.Value{}
		for key, value := range all.AsValueMap() {
			each := map[string]cty.Value{"key": cty.StringVal(key), "value": value}
			one, err := r.instance(fmt.Sprintf("%s[%q]", address, key), b, each)
			if err != nil {
				return err
			}
			made[key] = one
		}
		r.values[address] = cty.ObjectVal(made)
		return nil
	}
	if a := b.Body.Attributes["count"]; a != nil {
		n, problems := a.Expr.Value(r.context(nil))
		if problems.HasErrors() {
			return problems
		}
		count, _ := n.AsBigFloat().Int64()
		made := []cty.Value{}
		for i := range count {
			one, err := r.instance(fmt.Sprintf("%s[%d]", address, i), b, nil)
			if err != nil {
				return err
			}
			made = append(made, one)
		}
		r.values[address] = cty.TupleVal(made)
		return nil
	}
	one, err := r.instance(address, b, nil)
	r.values[address] = one
	return err
}

// evaluateProvider applies the guard of the provider for AWS.
func (r *terraformRun) evaluateProvider(b *hclsyntax.Block) error {
	allowed, problems := b.Body.Attributes["allowed_account_ids"].Expr.Value(r.context(nil))
	if problems.HasErrors() {
		return problems
	}
	region, problems := b.Body.Attributes["region"].Expr.Value(r.context(nil))
	if problems.HasErrors() || region.AsString() == "" || allowed.LengthInt() != 1 {
		return fmt.Errorf("the provider is open: %w", problems)
	}
	if only := allowed.AsValueSlice()[0].AsString(); only != r.in.id {
		return fmt.Errorf("AWS account ID not allowed: %s", r.in.id)
	}
	return nil
}

// evaluateVariable takes the caller's value, or the default, as the type says.
func (r *terraformRun) evaluateVariable(address string, b *hclsyntax.Block) error {
	if b.Body.Attributes["description"] == nil || b.Body.Attributes["type"] == nil {
		return errors.New("has no description or no type")
	}
	want, defaults, problems := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
	if problems.HasErrors() {
		return problems
	}
	value, given := r.variables[b.Labels[0]]
	if !given {
		a := b.Body.Attributes["default"]
		if a == nil {
			return errors.New("is required")
		}
		if value, problems = a.Expr.Value(nil); problems.HasErrors() {
			return problems
		}
	}
	if defaults != nil && !value.IsNull() {
		value = defaults.Apply(value)
	}
	converted, err := convert.Convert(value, want)
	if err != nil {
		return err
	}
	r.values[address] = converted
	for _, inner := range b.Body.Blocks {
		if inner.Type != "validation" {
			return fmt.Errorf("has a block %s", inner.Type)
		}
		if err := r.assert(inner, nil); err != nil {
			delete(r.values, address)
			return err
		}
	}
	return nil
}

// assert evaluates a condition.
func (r *terraformRun) assert(b *hclsyntax.Block, each map[string]cty.Value) error {
	holds, problems := b.Body.Attributes["condition"].Expr.Value(r.context(each))
	if problems.HasErrors() {
		return problems
	}
	message, problems := b.Body.Attributes["error_message"].Expr.Value(r.context(each))
	if problems.HasErrors() || message.AsString() == "" {
		return fmt.Errorf("no message: %w", problems)
	}
	if holds.False() {
		return errors.New(message.AsString())
	}
	return nil
}

// instance makes one instance of a resource, or reads one of a data source.
func (r *terraformRun) instance(
	address string, b *hclsyntax.Block, each map[string]cty.Value,
) (cty.Value, error) {
	values := map[string]cty.Value{}
	for name, a := range b.Body.Attributes {
		if name == "for_each" || name == "count" {
			continue
		}
		v, problems := a.Expr.Value(r.context(each))
		if problems.HasErrors() {
			return cty.NilVal, problems
		}
		values[name] = v
	}
	prevent := false
	for _, inner := range b.Body.Blocks {
		if inner.Type != "lifecycle" {
			return cty.NilVal, fmt.Errorf("has a block %s", inner.Type)
		}
		for name, a := range inner.Body.Attributes {
			v, problems := a.Expr.Value(nil)
			if name != "prevent_destroy" || problems.HasErrors() {
				return cty.NilVal, fmt.Errorf("%s: %w", name, problems)
			}
			prevent = v.True()
		}
		for _, condition := range inner.Body.Blocks {
			if condition.Type != "precondition" {
				return cty.NilVal, fmt.Errorf("has a block %s", condition.Type)
			}
			if err := r.assert(condition, each); err != nil {
				return cty.NilVal, err
			}
		}
	}
	attributes := &terraformAttributes{values: values}
	made, err := r.realize(address, b, attributes)
	if err != nil {
		return cty.NilVal, err
	}
	if left := attributes.unread(); len(left) > 0 {
		return cty.NilVal, fmt.Errorf("attributes %v are unknown", left)
	}
	if b.Type == "resource" {
		made.preventDestroy = prevent
		r.next[address] = made
	}
	return cty.ObjectVal(values), nil
}

// realize does what the provider for AWS does with a resource or data source. It adds the
// attributes that are computed.
func (r *terraformRun) realize(
	address string, b *hclsyntax.Block, a *terraformAttributes,
) (made terraformInstance, err error) {
	old, exists := r.state[address]
	kind := b.Labels[0]
	if b.Type == "data" {
		kind = "data " + kind
	}
	switch kind {
	case "data aws_caller_identity":
		a.compute("account_id", r.in.id)
	case "data aws_partition":
		a.compute("partition", r.in.partition)
	case "data aws_iam_saml_provider":
		name := strings.TrimPrefix(a.text("arn"), r.in.arn("saml-provider/"))
		p, known := r.in.providers[name]
		if !known {
			return made, fmt.Errorf("couldn't find resource %s", name)
		}
		a.compute("saml_provider_uuid", p.uuid)
	case "aws_iam_saml_provider":
		made = terraformInstance{kind: "saml-provider/", name: a.text("name")}
		if exists && old.name != made.name {
			return made, r.replace(address, old)
		}
		p := samlProvider{metadata: a.text("saml_metadata_document"), tags: a.tags()}
		isNew := !exists
		if _, there := r.in.providers[made.name]; r.planning && isNew && there {
			isNew = false // which no plan finds out
		}
		if p, err = r.in.putSAMLProvider(made.name, p, isNew); err != nil {
			return made, err
		}
		a.compute("arn", p.arn)
		a.compute("saml_provider_uuid", p.uuid)
	case "aws_iam_role":
		made = terraformInstance{kind: "role/", name: a.text("name")}
		if exists && old.name != made.name {
			return made, r.replace(address, old)
		}
		role := iamRole{
			path: a.text("path"), trust: a.text("assume_role_policy"),
			maxSession: a.number("max_session_duration"), tags: a.tags(),
			permissions: r.in.roles[made.name].permissions,
		}
		if role, err = r.in.putRole(made.name, role, !exists); err != nil {
			return made, err
		}
		a.compute("arn", role.arn)
	case "aws_iam_role_policy":
		role := r.in.roles[a.text("role")]
		role.permissions = a.text("policy")
		if a.text("name") == "" {
			return made, errors.New("no name")
		}
		_, err = r.in.putRole(a.text("role"), role, false)
	default:
		err = fmt.Errorf("%s is unknown", kind)
	}
	return made, err
}

// replace is what a change of the name would do.
func (r *terraformRun) replace(address string, old terraformInstance) error {
	if old.preventDestroy {
		return fmt.Errorf("Instance cannot be destroyed: %s", address)
	}
	return fmt.Errorf("%s would be replaced", address)
}

// destroy destroys what is in the state and no longer in the module. The flag prevent_destroy is
// gone together with the block.
func (r *terraformRun) destroy() error {
	for _, address := range slices.Sorted(maps.Keys(r.state)) {
		old := r.state[address]
		if _, still := r.next[address]; still || old.kind == "" {
			continue
		}
		if err := r.in.remove(old.kind, old.name); err != nil {
			return err
		}
	}
	return nil
}

// terraformAttributes are those of an instance. The methods note which were read.
type terraformAttributes struct {
	values map[string]cty.Value
	read   []string
}

func (a *terraformAttributes) get(name string) cty.Value {
	a.read = append(a.read, name)
	v, set := a.values[name]
	if !set {
		return cty.NullVal(cty.String)
	}
	return v
}

// text is "" for what is not set.
func (a *terraformAttributes) text(name string) string {
	v := a.get(name)
	if v.IsNull() {
		return ""
	}
	return v.AsString()
}

func (a *terraformAttributes) number(name string) int {
	n, _ := a.get(name).AsBigFloat().Int64()
	return int(n)
}

func (a *terraformAttributes) tags() map[string]string {
	tags := map[string]string{}
	for name, value := range a.get("tags").AsValueMap() {
		tags[name] = value.AsString()
	}
	return tags
}

func (a *terraformAttributes) compute(name, value string) {
	a.read = append(a.read, name)
	a.values[name] = cty.StringVal(value)
}

// unread are the attributes that nothing reads, so they would have no effect.
func (a *terraformAttributes) unread() (left []string) {
	for name := range a.values {
		if !slices.Contains(a.read, name) {
			left = append(left, name)
		}
	}
	return left
}
