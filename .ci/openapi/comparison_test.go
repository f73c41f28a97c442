package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// comparison is a description next to what the service was asked and answered.
type comparison struct {
	doc *openapi3.T
	// shown is what a golden answer shows: responses, words of refusals, and members of bodies.
	shown map[string]bool
	// excused are the reasons that were needed.
	excused  map[string]bool
	problems []string
}

func (c *comparison) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// compare returns everything in which a description, the golden table and the documentation differ.
func compare(document []byte, all []golden, d documentation) []string {
	c := open(document, d)
	if len(c.problems) > 0 {
		return c.problems
	}
	return c.golden(all)
}

// golden compares with all golden answers, and returns everything in which they differ.
func (c *comparison) golden(all []golden) []string {
	c.answers(all)
	c.everythingIsShown()
	for name := range maps.Keys(reasons) {
		if !c.excused[name] {
			c.problem("the reason for %q is not needed", name)
		}
	}
	return c.problems
}

// open reads a description, and checks all that needs no golden answer.
func open(document []byte, d documentation) *comparison {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return &comparison{problems: []string{"it cannot be read: " + err.Error()}}
	}
	return begin(doc, d)
}

// begin checks all of a description that needs no golden answer.
func begin(
	doc *openapi3.T, d documentation, options ...openapi3.ValidationOption,
) *comparison {
	c := &comparison{doc: doc, shown: map[string]bool{}, excused: map[string]bool{}}
	if err := doc.Validate(context.Background(), options...); err != nil {
		c.problem("it is not valid: %v", err)
		return c
	}
	c.refusals()
	c.everyMemberIsRequired()
	c.everyPageReads()
	c.documentation(d)
	return c
}

func (c *comparison) answers(all []golden) {
	for _, g := range all {
		c.answer(context.Background(), &g)
	}
}

// operation is one of the description.
type operation struct {
	path   string
	method string
	item   *openapi3.PathItem
	*openapi3.Operation
}

func (o operation) String() string { return o.method + " " + o.path }

// operations returns all of them, in order.
func (c *comparison) operations() (all []operation) {
	for path, item := range c.doc.Paths.Map() {
		for method, o := range item.Operations() {
			all = append(all, operation{path, method, item, o})
		}
	}
	slices.SortFunc(all, func(a, b operation) int {
		return strings.Compare(a.String(), b.String())
	})
	return all
}

// find returns the operations of a path, and the values in its name.
func (c *comparison) find(path string) (of []operation, values map[string]string) {
	for _, o := range c.operations() {
		wanted := strings.Split(o.path, "/")
		segments := strings.Split(path, "/")
		if len(segments) > len(wanted) {
			segments = strings.Split(strings.TrimSuffix(path, "/"), "/") // as /sts/TARGET/
		}
		found := map[string]string{}
		matches := func(want, got string) bool {
			name, isValue := strings.CutPrefix(want, "{")
			if isValue {
				found[strings.TrimSuffix(name, "}")] = got
			}
			return isValue || want == got
		}
		if slices.EqualFunc(wanted, segments, matches) {
			of = append(of, o)
			values = found
		}
	}
	return of, values
}

// answer compares one golden request and its answer.
func (c *comparison) answer(ctx context.Context, g *golden) {
	path, _, _ := strings.Cut(g.Path, "?")
	of, values := c.find(path)
	if len(of) == 0 {
		if g.status != http.StatusNotFound {
			c.problem("%s: %s is not described", g.Name, path)
		}
		return
	}
	at := slices.IndexFunc(of, func(o operation) bool { return o.method == g.Method })
	if at < 0 {
		// The description lists 405 with the method that the path has.
		if g.status != http.StatusMethodNotAllowed {
			c.problem("%s: %s %s is not described", g.Name, g.Method, path)
		}
		at = slices.IndexFunc(of, func(o operation) bool { return o.method != http.MethodOptions })
	}
	o := of[at]
	request := g.request(o.method)
	input := &openapi3filter.RequestValidationInput{
		Request:    request,
		PathParams: values,
		Route: &routers.Route{
			Spec: c.doc, Path: o.path, PathItem: o.item, Method: o.method, Operation: o.Operation,
		},
		Options: &openapi3filter.Options{AuthenticationFunc: hasToken},
	}
	if o.method == g.Method && g.Bytes == 0 {
		c.request(ctx, g, input)
	}
	c.response(ctx, g, o, input)
}

// hasToken accepts an Authorization header as the schemes describe it.
func hasToken(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	sent := input.RequestValidationInput.Request.Header.Get("Authorization")
	_, bearer := strings.CutPrefix(sent, "Bearer ")
	if sent == "" || bearer != (input.SecurityScheme.Type == "http") {
		return errors.New("the header is another one")
	}
	return nil
}

// request compares whether the service and the description take a request.
func (c *comparison) request(
	ctx context.Context, g *golden, input *openapi3filter.RequestValidationInput,
) {
	err := openapi3filter.ValidateRequest(ctx, input)
	word := g.word()
	refused := slices.Contains(ofRequests, word)
	switch {
	case err != nil && !refused && word != "invalid_client" && word != "invalid_scope":
		c.problem("%s: the service takes the request, and not the description: %v", g.Name, err)
	case err == nil && refused && reasons[g.Name] != "":
		c.excused[g.Name] = true
	case err == nil && refused:
		c.problem("%s: the description takes the request, and not the service", g.Name)
	}
}

// ofRequests are the words of refusals that are about the form of a request.
var ofRequests = []string{
	"invalid_request", "unsupported_grant_type", "ValidationError", "MissingAction",
	"InvalidAction",
}

var codeXML = regexp.MustCompile("<Code>([A-Za-z]+)</Code>")

// word is the kind of a refusal, and empty for other answers.
func (g *golden) word() string {
	if code := codeXML.FindStringSubmatch(g.body); code != nil {
		return code[1]
	}
	var body struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}
	_ = json.Unmarshal([]byte(g.body), &body)
	return body.Error + body.Code
}

// response compares the status, the header and the body of an answer.
func (c *comparison) response(
	ctx context.Context, g *golden, o operation, input *openapi3filter.RequestValidationInput,
) {
	response := g.response(input.Request)
	err := openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 g.status,
		Header:                 response.Header,
		Body:                   response.Body,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		c.problem("%s: %s %d: %v", g.Name, o, g.status, err)
	}
	described := o.Responses.Status(g.status)
	if described == nil {
		return
	}
	c.shown[fmt.Sprintf("%s %d", o, g.status)] = true
	c.shown[fmt.Sprintf("%s %d %s", o, g.status, g.word())] = true
	for name, values := range g.header {
		c.header(g, described.Value, name, values)
	}
	mediaType, _, _ := strings.Cut(g.header.Get("Content-Type"), ";")
	if len(described.Value.Content) == 0 {
		if strings.TrimSpace(g.body) != "" {
			c.problem("%s: %s %d has a body", g.Name, o, g.status)
		}
		return
	}
	content := described.Value.Content[mediaType]
	if content == nil {
		c.problem("%s: %s %d: the type %q is not described", g.Name, o, g.status, mediaType)
		return
	}
	var body any
	if json.Unmarshal([]byte(g.body), &body) == nil {
		c.members(content.Schema, body)
	}
}

// header compares one header of an answer, whose value is checked already. Content-Type is part of
// the content.
func (c *comparison) header(g *golden, r *openapi3.Response, name string, values []string) {
	if name == "Content-Type" {
		return
	}
	for listed, header := range r.Headers {
		if http.CanonicalHeaderKey(listed) != name {
			continue
		}
		c.shown[headerKey(header)] = true
		if len(values) != 1 {
			c.problem("%s: %s has %d values", g.Name, name, len(values))
		}
		return
	}
	c.problem("%s: the header %s is not described", g.Name, name)
}

func headerKey(h *openapi3.HeaderRef) string { return "header " + h.Ref }

// members notes which members of a schema a body shows.
func (c *comparison) members(s *openapi3.SchemaRef, body any) {
	if list, isList := body.([]any); isList && s.Value.Items != nil {
		for _, entry := range list {
			c.members(s.Value.Items, entry)
		}
	}
	object, isObject := body.(map[string]any)
	if !isObject {
		return
	}
	for _, part := range slices.Concat(s.Value.AllOf, s.Value.OneOf, s.Value.AnyOf) {
		c.members(part, body)
	}
	for name, member := range s.Value.Properties {
		if value, there := object[name]; there {
			c.shown[memberKey(member)] = true
			c.members(member, value)
		}
	}
}

// memberKey tells members apart by their place in memory: a schema that is used twice is one.
func memberKey(s *openapi3.SchemaRef) string { return fmt.Sprintf("member %p", s.Value) }

// everythingIsShown requires a golden answer, or a reason, for each response, each word of a
// refusal, each header and each member of an answer.
func (c *comparison) everythingIsShown() {
	headers := map[string]bool{}
	for _, o := range c.operations() {
		for status, response := range o.Responses.Map() {
			key := fmt.Sprintf("%s %s", o, status)
			c.mustBeShown(key)
			for _, header := range response.Value.Headers {
				headers[headerKey(header)] = true
			}
			for _, content := range response.Value.Content {
				for _, word := range words(content.Schema) {
					if reasons[key] == "" {
						c.mustBeShown(key + " " + word)
					}
				}
				c.everyMemberIsShown(key, content.Schema)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		c.mustBeShown(key)
	}
}

func (c *comparison) mustBeShown(key string) {
	switch reason := reasons[key]; {
	case c.shown[key] && reason != "":
		c.problem("%s has a golden answer, and a reason for having none", key)
	case c.shown[key]:
	case reason != "":
		c.excused[key] = true
	default:
		c.problem("%s has no golden answer", key)
	}
}

func (c *comparison) everyMemberIsShown(at string, s *openapi3.SchemaRef) {
	if reasons[at] != "" {
		return
	}
	for _, part := range parts(s) {
		c.everyMemberIsShown(at, part)
	}
	for name, member := range s.Value.Properties {
		if !c.shown[memberKey(member)] {
			c.problem("%s: no golden answer has the member %s", at, name)
		}
		c.everyMemberIsShown(at+": "+name, member)
	}
}

// parts are the schemas of which a schema consists.
func parts(s *openapi3.SchemaRef) openapi3.SchemaRefs {
	all := slices.Concat(s.Value.AllOf, s.Value.OneOf, s.Value.AnyOf)
	if s.Value.Items != nil {
		all = append(all, s.Value.Items)
	}
	return all
}

// words are the kinds of refusal that a schema lists.
func words(s *openapi3.SchemaRef) (list []string) {
	for _, part := range s.Value.AllOf {
		list = append(list, words(part)...)
	}
	for _, name := range []string{"error", "code"} {
		member := s.Value.Properties[name]
		if member == nil {
			continue
		}
		if text, isText := member.Value.Const.(string); isText {
			list = append(list, text)
		}
		for _, text := range member.Value.Enum {
			list = append(list, text.(string))
		}
	}
	return list
}

// refusals checks that each response with a refusal lists its words, and where the body repeats
// the status or the word, the same.
func (c *comparison) refusals() {
	for _, o := range c.operations() {
		for status, response := range o.Responses.Map() {
			for _, content := range response.Value.Content {
				c.refusal(fmt.Sprintf("%s %s", o, status), status, content.Schema)
			}
		}
	}
}

func (c *comparison) refusal(at, status string, s *openapi3.SchemaRef) {
	if len(s.Value.AllOf) != 2 {
		return
	}
	added := s.Value.AllOf[1].Value.Properties
	list := func(name string) string {
		if added[name] == nil {
			return ""
		}
		return fmt.Sprintf("%v %v", added[name].Value.Enum, added[name].Value.Const)
	}
	right := false
	switch _, shape, _ := strings.Cut(s.Value.AllOf[0].Ref, "/schemas/"); shape {
	case "Refusal":
		right = list("error") != "" && list("status") == "[] "+status
	case "ContainerRefusal":
		right = list("code") != "" && list("Code") == list("code")
	case "OAuthRefusal":
		right = list("error") != ""
	}
	if !right {
		c.problem("%s: the words or the status are not listed", at)
	}
}

// everyMemberIsRequired checks that an answer's member which is not required is one of optional,
// and that nothing else can be in an answer.
func (c *comparison) everyMemberIsRequired() {
	for _, o := range c.operations() {
		for status, response := range o.Responses.Map() {
			for _, content := range response.Value.Content {
				c.required(fmt.Sprintf("%s %s", o, status), content.Schema, false)
			}
		}
	}
}

// required checks one schema. inner says that it only adds to another one.
func (c *comparison) required(at string, s *openapi3.SchemaRef, inner bool) {
	for i, part := range s.Value.AllOf {
		c.required(at, part, i > 0)
	}
	if s.Value.Items != nil {
		c.required(at, s.Value.Items, false)
	}
	for name, member := range s.Value.Properties {
		c.required(at+": "+name, member, false)
		if !inner && !slices.Contains(s.Value.Required, name) != optional[name] {
			c.problem("%s: the member %s: required is not as it should be", at, name)
		}
	}
	for _, name := range s.Value.Required {
		if s.Value.Properties[name] == nil {
			c.problem("%s: the member %s is required and not described", at, name)
		}
	}
	additional := s.Value.AdditionalProperties
	if s.Value.Type.Is("object") && (additional.Has == nil || *additional.Has) {
		c.problem("%s: there can be members that are not described", at)
	}
}

// everyPageReads checks that all answers of a path that pages may call have the headers of CORS,
// and that the headers of the rate limit are together.
func (c *comparison) everyPageReads() {
	for _, o := range c.operations() {
		for status, response := range o.Responses.Map() {
			headers := response.Value.Headers
			counted := 0
			for _, name := range []string{"Limit", "Remaining", "Reset"} {
				if headers["X-RateLimit-"+name] != nil {
					counted++
				}
			}
			if counted%3 != 0 {
				c.problem("%s %s: a header of the rate limit is missing", o, status)
			}
			if o.method == http.MethodOptions || o.item.Options == nil ||
				response.Value.Content["text/plain"] != nil { // of an endpoint that is off
				continue
			}
			for _, name := range []string{
				"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary",
			} {
				if headers[name] == nil {
					c.problem("%s %s: no page may read it: %s is not described", o, status, name)
				}
			}
		}
	}
}

// documentation compares the description with the tables of docs/http.md.
func (c *comparison) documentation(d documentation) {
	described := map[string]bool{}
	token := map[string]bool{}
	for _, o := range c.operations() {
		for status, response := range o.Responses.Map() {
			for _, content := range response.Value.Content {
				for _, word := range words(content.Schema) {
					switch {
					case o.path == "/token":
						token[status+" "+word] = true
					case !isOAuth(content.Schema):
						described[status+" "+word] = true
					}
				}
			}
		}
	}
	described["400 invalid_scope"] = token["400 invalid_scope"] // only /token takes scopes
	sameSet(c, "kinds of refusals", described, d.kinds)
	sameSet(c, "kinds of refusals of /token", token, d.tokenKinds)
	for name, table := range d.parameters {
		s := c.doc.Components.Schemas[name]
		if s == nil {
			c.problem("there is no schema %s", name)
			continue
		}
		parameters := map[string]bool{}
		for parameter := range s.Value.Properties {
			parameters[parameter] = true
		}
		sameSet(c, "parameters of "+name, parameters, table.all)
		required := map[string]bool{}
		for _, parameter := range s.Value.Required {
			required[parameter] = true
		}
		sameSet(c, "required parameters of "+name, required, table.required)
	}
}

// isOAuth reports whether a refusal has the form of RFC 6749 §5.2.
func isOAuth(s *openapi3.SchemaRef) bool {
	return slices.ContainsFunc(s.Value.AllOf, func(part *openapi3.SchemaRef) bool {
		return strings.HasSuffix(part.Ref, "/OAuthRefusal")
	})
}

func sameSet(c *comparison, what string, described, documented map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(described)) {
		if !documented[name] {
			c.problem("%s: %s is described, and is not in docs/http.md", what, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if !described[name] {
			c.problem("%s: %s is in docs/http.md, and is not described", what, name)
		}
	}
}
