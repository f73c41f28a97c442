package auth0export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/internal/document"
)

// readFolder reads the format that the Deploy CLI calls directory: one file for each object.
func readFolder(f *folder) (*Export, error) {
	c := newCollector("folder of the Deploy CLI")
	described := map[string]bool{} // scripts
	c.eachFile(f, "rules", func(o object) {
		base := strings.TrimSuffix(path.Base(o.at), ".json")
		if _, named := o.values["name"]; !named {
			o.values["name"] = base
		}
		if _, named := o.values["script"]; !named {
			o.values["script"] = "./" + base + ".js"
		}
		c.addRule(o, func(name string) ([]byte, error) {
			described[path.Join("rules", slashed(name))] = true
			return f.script("rules", name)
		})
	})
	c.noteScripts(f, described)
	c.eachFile(f, "rules-configs", func(o object) {
		if len(o.values) > 0 { // which the Deploy CLI leaves out
			c.addValue(o)
		}
	})
	c.eachFile(f, "clients", func(o object) {
		if len(o.values) > 0 {
			c.addClient(o)
		}
	})
	seen := map[string]bool{}
	c.eachFile(f, "grants", func(o object) { c.addGrant(o, seen) })
	const domains = "custom-domains/custom-domains.json"
	if f.has(domains) {
		list, err := f.jsonList(domains)
		c.note(err)
		for _, o := range list {
			c.addDomain(o)
		}
	}
	return c.finish()
}

// noteScripts notes the scripts that belong to no rule. The Deploy CLI ignores them too: it reads
// the .json files only.
func (c *collector) noteScripts(f *folder, described map[string]bool) {
	scripts, err := f.list("rules", ".js")
	c.note(err)
	for _, script := range scripts {
		if !described[script] {
			c.export.Notes = append(c.export.Notes, fmt.Sprintf("%s is left out: no .json file in "+
				"rules describes it", script))
		}
	}
}

// eachFile reads the .json files of a folder.
func (c *collector) eachFile(f *folder, name string, use func(object)) {
	files, err := f.list(name, ".json")
	c.note(err)
	for _, file := range files {
		text, err := f.read(file, maxFile)
		if err != nil {
			c.note(err)
			continue
		}
		values, err := jsonObject(text)
		if err != nil {
			c.note(fmt.Errorf("%s: %w", file, err))
			continue
		}
		use(object{file, values})
	}
}

// jsonObject decodes a JSON object. An error says where the syntax is wrong.
func jsonObject(text []byte) (map[string]any, error) {
	text = document.WithoutBOM(text)
	values, err := document.Object(text)
	if errors.Is(err, document.ErrSyntax) {
		return nil, document.SyntaxError(text)
	}
	return values, err
}

// jsonList reads a file with a list of objects.
func (f *folder) jsonList(name string) ([]object, error) {
	text, err := f.read(name, maxFile)
	if err != nil {
		return nil, err
	}
	list, err := listOf(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return objects(name, list)
}

// listOf decodes a list in JSON.
func listOf(text []byte) (any, error) {
	text = bytes.TrimSpace(document.WithoutBOM(text))
	if !bytes.HasPrefix(text, []byte("[")) {
		return nil, errors.New("is not a list")
	}
	values, err := jsonObject(append(append([]byte(`{"list":`), text...), '}'))
	return values["list"], err
}

// page is the usual page size of the Management API in rules: 50 or 100.
const page = 50

// readList reads rules as the Management API lists them: GET /api/v2/rules, with or without totals.
// The rules have their scripts in them.
func readList(f *folder, name string) (*Export, error) {
	text, err := f.read(name, maxDocument)
	if err != nil {
		return nil, err
	}
	list, whole, err := listedRules(bytes.TrimSpace(document.WithoutBOM(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rules, err := objects(name, list)
	if err != nil {
		return nil, err
	}
	c := newCollector("list of rules of the Management API")
	if count := len(rules); !whole && count > 0 && count%page == 0 {
		c.export.Notes = append(c.export.Notes, fmt.Sprintf("the list has exactly %d rules, so "+
			"it may be one page of several: check that it is complete, with include_totals=true",
			count))
	}
	for _, o := range rules {
		c.addRule(o, func(source string) ([]byte, error) { return []byte(source), nil })
	}
	return c.finish()
}

// listedRules returns the list of rules in an answer, and whether the answer says that the list is
// complete. One page of several is refused, because the rules of the other pages would be lost.
func listedRules(text []byte) (list any, whole bool, err error) {
	if bytes.HasPrefix(text, []byte("[")) {
		list, err = listOf(text)
		return list, false, err
	}
	values, err := jsonObject(text)
	if err != nil {
		return nil, false, err
	}
	rules, isList := values["rules"].([]any)
	if !isList {
		return nil, false, errors.New("has no list of rules, as GET /api/v2/rules answers it: to " +
			"read a folder of the Deploy CLI, name the folder")
	}
	total, has := values["total"].(json.Number)
	if has && total.String() != fmt.Sprint(len(rules)) {
		return nil, false, fmt.Errorf("has %d of %.20s rules: ask for all of them, with "+
			"per_page=100 and each page", len(rules), total)
	}
	return rules, has, nil
}

// readDocument reads the format that the Deploy CLI calls yaml: one file, and a folder with the
// scripts next to it.
func readDocument(f *folder, name string) (*Export, error) {
	text, err := f.read(name, maxDocument)
	if err != nil {
		return nil, err
	}
	values, err := yamlObject(text)
	if err != nil {
		return nil, fmt.Errorf("%s%w", name, err)
	}
	c := newCollector("tenant.yaml of the Deploy CLI")
	each := func(key string, use func(object)) {
		list, err := objects(name+": "+key, values[key])
		c.note(err)
		for _, o := range list {
			use(o)
		}
	}
	each("rules", func(o object) {
		c.addRule(o, func(name string) ([]byte, error) { return f.script("", name) })
	})
	each("rulesConfigs", c.addValue)
	each("clients", c.addClient)
	each("customDomains", c.addDomain)
	seen := map[string]bool{}
	each("clientGrants", func(o object) { c.addGrant(o, seen) })
	return c.finish()
}

// yamlObject decodes YAML into the same values as JSON. The text of its errors begins with a line
// number or a colon.
func yamlObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New(": is not UTF-8")
	}
	for n, line := range bytes.Split(text, []byte("\n")) {
		before, _, includes := bytes.Cut(line, []byte("!include "))
		if includes && !bytes.Contains(before, []byte("#")) {
			return nil, fmt.Errorf(":%d: !include is not supported: export the tenant into one "+
				"file, or as a folder", n+1)
		}
	}
	var decoded any
	if err := yaml.Unmarshal(document.WithoutBOM(text), &decoded); err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			// The library's error would quote some lines, which may contain a secret.
			return nil, fmt.Errorf(":%d: %s", syntax.GetToken().Position.Line, syntax.GetMessage())
		}
		return nil, errors.New(": is not YAML")
	}
	inJSON, err := json.Marshal(decoded)
	if err != nil {
		return nil, errors.New(": has a value that JSON cannot express")
	}
	values, err := document.Object(inJSON)
	if err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return values, nil
}
