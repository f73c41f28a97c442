package auth0export_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/auth0export"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestRead_SameExport: the forms of one tenant have the same rules, clients and domains.
func TestRead_SameExport(t *testing.T) {
	keywords, err := auth0export.ReadKeywords("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := auth0export.Read("testdata/directory", keywords)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(folder.CustomDomains, []string{"login.example.com"}) ||
		folder.Domain != "tenant.eu.auth0.com" || keywords.Domain != folder.Domain {
		t.Errorf("domains: %q, %q and %q", folder.CustomDomains, folder.Domain, keywords.Domain)
	}
	if len(folder.Notes) != 1 || !strings.Contains(folder.Notes[0], "new.example.com") {
		t.Errorf("notes: %q", folder.Notes)
	}
	if len(folder.Values) != 1 || folder.Values["AWS_ROLE"] == "" {
		t.Errorf("values: %q", folder.Values)
	}
	photo := folder.Clients[1]
	if photo.ID != "photo-app" || photo.Metadata["team"] != "press" || photo.AWS == nil ||
		photo.AWS.Lifetime.Hours() != 1 || folder.Clients[0].AWS != nil {
		t.Errorf("clients: %+v", folder.Clients)
	}
	for _, name := range []string{
		"testdata/tenant-yaml", "testdata/tenant-yaml/tenant.yaml", "testdata/rules.json",
	} {
		other, err := auth0export.Read(name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := slices.Clone(folder.Rules)
		for i := range want {
			want[i].At = other.Rules[i].At
		}
		if len(want) != 3 || !reflect.DeepEqual(other.Rules, want) {
			t.Errorf("%s: got %+v, want %+v", name, other.Rules, want)
		}
	}
}

// TestRead_Order: rules are in the order in which they ran, whatever their names and places.
func TestRead_Order(t *testing.T) {
	export, err := auth0export.Read(files{"tenant.yaml": `
rules:
  - {name: a, script: r.js, order: 10}
  - {name: b, script: r.js, order: 9, stage: login_success}
  - {name: off, script: r.js, order: 9, enabled: false}
  - {name: before, script: r.js, order: 9, stage: pre_authorize}
  - {name: c, script: r.js, order: -1.5}
`, "r.js": passing}.write(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range export.Rules {
		got = append(got, fmt.Sprintf("%s %v %s", r.Name, r.Enabled, r.Stage))
	}
	want := []string{
		"c true login_success", "b true login_success", "before true pre_authorize",
		"off false login_success", "a true login_success",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRead_Refused: what an import would have to guess is refused, with its place. The same holds
// for both forms.
func TestRead_Refused(t *testing.T) {
	rule := func(text string) files { return files{"rules/one.json": text} }
	aws := func(text string) files {
		return files{"clients/Photo.json": `{"name": "Photo", "client_id": "photo-app",
			"addons": {"aws": ` + text + `}}`}
	}
	for name, row := range map[string]struct {
		change files
		want   string
	}{
		"a missing script": {files{"rules/one.js": ""},
			`rules/one.json: rule "one": the script "./one.js" is missing`},
		"a script outside": {rule(`{"name": "one", "script": "../../one.js", "order": 1}`),
			`the script "../../one.js" is outside the export`},
		"an absolute script": {rule(`{"name": "one", "script": "/etc/passwd", "order": 1}`),
			`the script "/etc/passwd" is outside the export`},
		"a script outside, on Windows": {rule(`{"script": "..\\..\\one.js", "order": 1}`),
			`is outside the export`},
		"a script that is a folder": {rule(`{"script": "../clients", "order": 1}`),
			"clients: is not a regular file"},
		"a script that is too large": {files{"rules/one.js": strings.Repeat(" ", 1<<20+1)},
			"rules/one.js: is larger than 1048576 bytes"},
		"no JSON": {rule(`{"name": "one",`), "rules/one.json: its syntax is wrong"},
		"a list":  {rule(`[]`), "rules/one.json: it is not an object"},
		"a member twice": {rule(`{"enabled": false, "enabled": true, "order": 1}`),
			"rules/one.json: a member occurs twice"},
		"an unknown member": {rule(`{"order": 1, "disabled": true}`),
			`rules/one.json: "disabled" is unknown`},
		"enabled is text": {rule(`{"order": 1, "enabled": "false"}`),
			"rules/one.json: enabled: is neither true nor false"},
		"enabled is null": {rule(`{"order": 1, "enabled": null}`),
			"rules/one.json: enabled: is neither true nor false"},
		"order is text": {rule(`{"order": "1"}`), "rules/one.json: order: is not a number"},
		"order is huge": {rule(`{"order": 1e999}`), "rules/one.json: order: is too large a number"},
		"a stage":       {rule(`{"order": 1, "stage": "login"}`), `"login" is not an Auth0 stage`},
		"name is empty": {rule(`{"order": 1, "name": ""}`), "rules/one.json: name: is missing"},
		"script is empty": {rule(`{"order": 1, "script": ""}`),
			"rules/one.json: script: is missing"},
		"the same order": {rule(`{"order": 2}`),
			`the rules "one" and "two" have the same order`},
		"no order": {rule(`{"name": "one"}`),
			`does not say whether the rule "one" or "two" comes first`},
		"the same name": {rule(`{"order": 1, "name": "two"}`),
			`rules/two.json: the rule "two" is also in rules/one.json`},
		"a keyword in a script": {files{"rules/one.js": "function () { '##ROLE##' }"},
			`rule "one": has no value for ##ROLE##: name a file that has it with --keywords`},
		"a keyword in a setting": {aws(`{"role": "##ROLE##"}`),
			"clients/Photo.json: addons: aws: role: has no value for ##ROLE##"},
		"a list keyword in a setting": {aws(`{"lifetime_in_seconds": @@LIFETIME@@}`),
			"lifetime_in_seconds: is not a number"},
		"an unknown setting": {aws(`{"mappings": {}}`),
			`clients/Photo.json: addons: aws: "mappings" is unknown`},
		"a role that is none": {aws(`{"role": "reader"}`), "addons: aws: role: "},
		"a provider that is none": {aws(`{"principal": "arn:aws:iam::123456789012:role/r"}`),
			"addons: aws: principal: "},
		"a lifetime that is too short": {aws(`{"lifetime_in_seconds": 899}`),
			"lifetime_in_seconds: is not 900 to 43200"},
		"a lifetime that is too long": {aws(`{"lifetime_in_seconds": 43201}`),
			"lifetime_in_seconds: is not 900 to 43200"},
		"a lifetime that is not whole": {aws(`{"lifetime_in_seconds": 900.5}`),
			"lifetime_in_seconds: is not 900 to 43200"},
		"an add-on that is a text": {aws(`"on"`), "addons: aws: is not an object"},
		"two clients of one ID": {files{"clients/Z.json": `{"client_id": "photo-app"}`},
			"clients/Z.json: clients/Photo.json has the same client_id"},
		"two clients of one name": {files{
			"clients/Photo.json": `{"name": "Photo", "addons": {"aws": {}}}`,
			"clients/Z.json":     `{"name": "Photo", "addons": {"aws": {}}}`,
		}, "clients/Z.json: clients/Photo.json has the same name"},
		"a domain that is none": {files{
			"custom-domains/custom-domains.json": `[{"domain": "https://login.example.com"}]`,
		}, `domain: "https://login.example.com" is not a domain`},
		"domains that are no list": {files{"custom-domains/custom-domains.json": `{}`},
			"custom-domains/custom-domains.json: is not a list"},
		"a value twice": {files{
			"rules-configs/A.json": `{"key": "A", "value": "hush"}`,
			"rules-configs/B.json": `{"key": "A", "value": "hush"}`,
		}, "rules-configs/B.json: key: another entry has it, too"},
		"a value that is a number": {files{"rules-configs/A.json": `{"key": "A", "value": 98765}`},
			"rules-configs/A.json: value: is not text"},
	} {
		_, err := auth0export.Read(directory().with(row.change).write(t), nil)
		expectUsage(t, name, err, row.want)
	}
}

// expectUsage wants a config.UsageError with a text, and no value of a secret.
func expectUsage(t *testing.T, name string, err error, want string) {
	t.Helper()
	if !errors.As(err, new(config.UsageError)) || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%s: got %v, want %q", name, err, want)
	}
	if strings.Contains(fmt.Sprint(err), "hush") || strings.Contains(fmt.Sprint(err), "98765") {
		t.Errorf("%s: the error shows a value: %v", name, err)
	}
}

// TestRead_DocumentRefused: what only a tenant.yaml can have wrong.
func TestRead_DocumentRefused(t *testing.T) {
	for name, row := range map[string]struct {
		change files
		want   string
	}{
		"no YAML":     {files{"tenant.yaml": "rules:\n  - {\n"}, "tenant.yaml:"},
		"a list":      {files{"tenant.yaml": "- rules"}, "tenant.yaml: it is not an object"},
		"not UTF-8":   {files{"tenant.yaml": "rules: \xff"}, "tenant.yaml: is not UTF-8"},
		"a key twice": {files{"tenant.yaml": "rules: []\nrules: []\n"}, "tenant.yaml:2: "},
		"infinity":    {files{"tenant.yaml": "rules: [{order: .inf}]"}, "tenant.yaml: has a value"},
		"an include": {files{"tenant.yaml": "rules: !include rules.yaml\n"},
			"tenant.yaml:1: !include is not supported"},
		"rules are text": {files{"tenant.yaml": "rules: one"}, "tenant.yaml: rules: is not a list"},
		"a rule is text": {files{"tenant.yaml": "rules: [one]"},
			"tenant.yaml: rules[0]: is not an object"},
		"a missing script": {files{"rules/two.js": ""},
			`tenant.yaml: rules[1]: rule "two": the script "./rules/two.js" is missing`},
		"no script": {files{"tenant.yaml": "rules: [{name: one, order: 1}]"},
			"tenant.yaml: rules[0]: script: is missing"},
		"both forms that differ": {files{
			"rules/one.json": `{"name": "one", "order": 1, "enabled": false}`,
			"rules/two.json": `{"name": "two", "order": 2}`,
		}, "tenant.yaml and the folder rules have different rules"},
	} {
		_, err := auth0export.Read(document().with(row.change).write(t), nil)
		expectUsage(t, name, err, row.want)
	}
}

// TestRead_ListRefused: what only a list of the Management API can have wrong.
func TestRead_ListRefused(t *testing.T) {
	const rule = `{"name": "one", "order": 1, "script": "x"}`
	for text, want := range map[string]string{
		`{}`:              "has no list of rules",
		`{"rules": {}}`:   "has no list of rules",
		`x`:               "its syntax is wrong",
		`[1]`:             "rules.json[0]: is not an object",
		`[` + rule + `]]`: "its syntax is wrong",
		`{"rules": [` + rule + `], "total": 40, "start": 0, "limit": 1}`: "has 1 of 40 rules",
		`[{"name": "one"}]`: "rules.json[0]: script: is missing",
	} {
		_, err := auth0export.Read(
			filepath.Join(files{"rules.json": text}.write(t), "rules.json"), nil)
		expectUsage(t, text, err, want)
	}
	for _, text := range []string{
		"\ufeff[" + rule + "]\n", `{"rules": [` + rule + `], "total": 1}`,
		`{"rules": [` + rule + `]}`,
	} {
		export, err := auth0export.Read(
			filepath.Join(files{"rules.json": text}.write(t), "rules.json"), nil)
		if err != nil || len(export.Rules) != 1 || export.Rules[0].Source != "x" {
			t.Errorf("%s: %+v, %v", text, export, err)
		}
	}
}

// TestRead_Notes: what the import leaves out of a folder, and a list that may be one page of
// several, is noted.
func TestRead_Notes(t *testing.T) {
	folder := directory().with(files{
		"rules/one.js": "", "rules/sub/one.js": passing,
		"rules/one.json": `{"name": "one", "script": ".\\sub\\one.js", "order": 1}`,
		"rules/deny.js":  passing, "rules/README.md": "x",
	}).write(t)
	listOf := func(count int) string {
		var rules []string
		for i := range count {
			rules = append(rules, fmt.Sprintf(`{"name": "%d", "order": %d, "script": "x"}`, i, i))
		}
		list := "[" + strings.Join(rules, ",") + "]"
		return filepath.Join(files{"rules.json": list}.write(t), "rules.json")
	}
	for name, want := range map[string]string{
		folder:     "rules/deny.js is left out: no .json file in rules describes it",
		listOf(50): "the list has exactly 50 rules, so it may be one page of several: ",
		listOf(49): "",
	} {
		export, err := auth0export.Read(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(export.Notes, "\n")
		if !strings.HasPrefix(notes, want) || want == "" && notes != "" {
			t.Errorf("got %q, want %q", notes, want)
		}
	}
}

// TestRead_NoExport: what is no export is named as what it is.
func TestRead_NoExport(t *testing.T) {
	for name, path := range map[string]string{
		"is not an export":          files{"notes.txt": "x"}.write(t),
		"no such file or directory": filepath.Join(t.TempDir(), "nowhere"),
		"it is not an object":       filepath.Join(files{"a.txt": "text"}.write(t), "a.txt"),
	} {
		_, err := auth0export.Read(path, nil)
		expectUsage(t, name, err, name)
	}
	_, err := auth0export.Read(files{"tenant.json": "{}"}.write(t), &auth0export.Keywords{})
	if err != nil {
		t.Errorf("an export of nothing: %v", err)
	}
}

// TestRead_Keywords: keywords are replaced as the Deploy CLI does.
func TestRead_Keywords(t *testing.T) {
	folder := directory().with(files{
		"rules/one.js": `function () { return ['##NAME##', @@LIST@@, "@@LIST@@", '@@NAME@@', ` +
			`##ORDER##, ##ON##]; }`,
		"rules/one.json": `{"name": "##NAME##", "script": "one.js", "order": @@ORDER@@}`,
		"keywords.yaml": `
NAME: it's $1 <b>
LIST: [a, "b\"c"]
ORDER: 1
ON: true
`,
		"clients/Photo.json": `{"name": "Photo", "callbacks": @@UNKNOWN@@, "x": [ @@UNKNOWN@@,
			@@UNKNOWN@@ ], "y": "a @@UNKNOWN@@, b", "z": "##UNKNOWN##", "u":"@@UNKNOWN@@"}`,
	}).write(t)
	keywords, err := auth0export.ReadKeywords(filepath.Join(folder, "keywords.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	export, err := auth0export.Read(folder, keywords)
	if err != nil {
		t.Fatal(err)
	}
	const want = `function () { return ['it's $1 <b>', ["a","b\"c"], ["a","b\"c"], ` +
		`"it's $1 <b>", 1, true]; }`
	if got := export.Rules[0]; got.Name != "it's $1 <b>" || got.Source != want || got.Order != 1 {
		t.Errorf("got %+v", got)
	}
	folder = directory().with(files{
		"rules/one.js": `function () { return '##LIST##'; }`, "k.json": `{"LIST": ["a"]}`,
	}).write(t)
	if keywords, err = auth0export.ReadKeywords(filepath.Join(folder, "k.json")); err != nil {
		t.Fatal(err)
	}
	_, err = auth0export.Read(folder, keywords)
	expectUsage(t, "a list as a text", err, "has no value for ##LIST##")
	for name, text := range map[string]string{
		"list.yaml": "[hush]", "odd.yaml": "AUTH0_KEYWORD_REPLACE_MAPPINGS: hush",
		"syntax.yaml": "{hush",
	} {
		path := filepath.Join(files{name: text}.write(t), name)
		_, err := auth0export.ReadKeywords(path)
		expectUsage(t, name, err, "names to values")
	}
}

// TestReadSecrets: values are texts, and no error shows one.
func TestReadSecrets(t *testing.T) {
	path := filepath.Join(files{"s.json": `{"A": "x", "B": "", "C": null}`}.write(t), "s.json")
	got, err := auth0export.ReadSecrets(path)
	if err != nil || !reflect.DeepEqual(got, map[string]string{"A": "x", "B": ""}) {
		t.Errorf("got %q, %v", got, err)
	}
	for text, want := range map[string]string{
		"A: 98765":      `"A" is not text: write its value in quotes`,
		"A: [hush]":     `"A" is not text`,
		"hush":          "is not a map of names to values, in YAML or JSON",
		"A: hush\n\tB:": "is not a map of names to values, in YAML or JSON",
	} {
		path := filepath.Join(files{"s.yaml": text}.write(t), "s.yaml")
		_, err := auth0export.ReadSecrets(path)
		expectUsage(t, text, err, want)
	}
}

// FuzzRead: whatever a tenant.yaml says, it is an export or an error with its place, and never a
// rule that was off and is on.
func FuzzRead(f *testing.F) {
	f.Add(document()["tenant.yaml"], false)
	f.Add("rules: [{name: x, script: rules/one.js, enabled: false}]", true)
	f.Add("rules: [{name: &a x, script: *a, order: @@X@@}]", false)
	f.Add("rulesConfigs: [{key: '##A##', value: '@@B@@'}]", true)
	f.Fuzz(func(t *testing.T, text string, list bool) {
		name := "tenant.yaml"
		if list {
			name = "rules.json"
		}
		folder := files{name: text + " ", "rules/one.js": passing}.write(t)
		export, err := auth0export.Read(filepath.Join(folder, name), nil)
		if (export == nil) != (err != nil) {
			t.Fatalf("%v, %v", export, err)
		}
		if export == nil {
			return
		}
		for _, r := range export.Rules {
			if r.Name == "" || r.Source == "" || r.Stage == "" {
				t.Errorf("got %+v", r)
			}
		}
		if p, err := auth0export.NewPlan(export, flags()); err == nil {
			if _, err := p.Report().JSON(); err != nil {
				t.Error(err)
			}
		}
	})
}
