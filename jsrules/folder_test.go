package jsrules_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed055b7978/delegation/jsrules"
)

// trace is a rule that adds its name to user.ran.
func trace(name string) string {
	return body(fmt.Sprintf(
		`user.ran = (user.ran || []).concat(%q); callback(null, user, context)`, name))
}

// exported makes a folder of files. A value that begins with { or [ is JSON, and any other one is
// the name that the rule leaves in user.ran.
func exported(files map[string]string) fstest.MapFS {
	folder := fstest.MapFS{}
	for name, text := range files {
		if strings.HasSuffix(name, ".js") {
			text = trace(text)
		}
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return folder
}

// TestFolder_Sidecars: a folder that Auth0's Deploy CLI has written runs as it did at Auth0: the
// enabled rules, in their order.
func TestFolder_Sidecars(t *testing.T) {
	for name, row := range map[string]struct {
		files map[string]string
		want  []any
	}{
		"order and enabled": {map[string]string{
			"a.js": "a", "a.json": `{"enabled": true, "script": "./a.js", "name": "A", "order": 10,
				"stage": "login_success"}`,
			"b.js": "b", "b.json": `{"enabled": true, "script": "./b.js", "order": 9}`,
			"off.js": "off", "off.json": `{"enabled": false, "script": "./off.js", "order": 1}`,
		}, []any{"b", "a"}},
		"defaults": {map[string]string{
			"b.js": "b", "b.json": `{}`, "a.js": "a", "a.json": `{"order": null, "id": "rul_1"}`,
		}, []any{"a", "b"}},
		"another stage": {map[string]string{
			"a.js": "a", "a.json": `{"stage": "pre_authorize"}`,
			"b.js": "b", "b.json": `{"stage": "login_failure"}`,
			"c.js": "c", "c.json": "\ufeff" + `{"stage": "login_success"}`,
		}, []any{"c"}},
		"another name, and Windows": {map[string]string{
			"x y.js": "x", "first.json": `{"script": ".\\x y.js", "order": 1.5}`,
			"z.js": "z", "z.json": `{"script": "z.js", "order": -1}`,
		}, []any{"z", "x"}},
		"no sidecars": {map[string]string{
			"b.js": "b", "a.js": "a", "package.json": `{"scripts": {}}`, "tsconfig.json": `// no`,
			"list.json": `[]`,
		}, []any{"a", "b"}},
		"the same order of a rule that is off": {map[string]string{
			"a.js": "a", "a.json": `{"order": 1}`, "b.js": "b",
			"b.json": `{"order": 1, "enabled": false}`,
		}, []any{"a"}},
	} {
		rules, err := jsrules.CompileFolder(exported(row.files), jsrules.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		user, rc := benchmarkUser(), benchmarkContext()
		for _, rule := range rules {
			if err := rule(t.Context(), user, rc); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !sameJSON(user.Properties["ran"], row.want) {
			t.Errorf("%s: ran %v, want %v", name, user.Properties["ran"], row.want)
		}
	}
}

// TestFolder_SidecarsRefused: what a sidecar leaves open is refused, and every file is named.
func TestFolder_SidecarsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a rule without one": {map[string]string{
			"a.js": "a", "a.json": `{}`, "b.js": "b", "c.js": "c",
		}, []string{"b.js has no .json file", "c.js has no .json file"}},
		"enabled is text": {map[string]string{"a.js": "a", "a.json": `{"enabled": "false"}`},
			[]string{"a.json: enabled has an invalid value"}},
		"enabled is null": {map[string]string{"a.js": "a", "a.json": `{"enabled": null}`},
			[]string{"a.json: enabled has an invalid value"}},
		"order is text": {map[string]string{"a.js": "a", "a.json": `{"order": "1"}`},
			[]string{"a.json: order has an invalid value"}},
		"order is too large": {map[string]string{"a.js": "a", "a.json": `{"order": 1e999}`},
			[]string{"a.json: order has an invalid value"}},
		"an unknown stage": {map[string]string{"a.js": "a", "a.json": `{"stage": "login"}`},
			[]string{"a.json: stage has an invalid value"}},
		"an unknown member": {map[string]string{"a.js": "a", "a.json": `{"disabled": true}`},
			[]string{`a.json: "disabled" is unknown`}},
		"another spelling": {map[string]string{"a.js": "a", "a.json": `{"Enabled": false}`},
			[]string{`a.json: "Enabled" is unknown`}},
		"a member twice": {map[string]string{"a.js": "a",
			"a.json": `{"enabled": false, "enabled": true}`}, []string{"a.json: ", "twice"}},
		"no JSON": {map[string]string{"a.js": "a", "a.json": `{`, "b.js": "b", "b.json": `[]`},
			[]string{"a.json: its syntax is wrong", "b.json: it is not an object"}},
		"no JSON, of another name": {map[string]string{"a.js": "a", "x.json": `{"script": "a.js"`},
			[]string{"x.json: its syntax is wrong"}},
		"a script that is missing": {map[string]string{"a.json": `{"script": "./gone.js"}`},
			[]string{`a.json: the script "gone.js" is no .js file`}},
		"a script elsewhere": {map[string]string{"a.js": "a", "x.json": `{"script": "../a.js"}`},
			[]string{`x.json: the script "../a.js" is no .js file`}},
		"an absolute script": {map[string]string{"a.js": "a", "x.json": `{"script": "/a.js"}`},
			[]string{`x.json: the script "/a.js" is no .js file`}},
		"two of one script": {map[string]string{"a.js": "a", "a.json": `{"enabled": false}`,
			"b.json": `{"script": "a.js"}`}, []string{"a.json and b.json have the same script"}},
		"the same order": {map[string]string{"a.js": "a", "a.json": `{"order": 1}`,
			"b.js": "b", "b.json": `{"order": 1.0}`},
			[]string{"a.json and b.json have the same order"}},
		"an order and none": {map[string]string{"a.js": "a", "a.json": `{"order": 1}`,
			"b.js": "b", "b.json": `{}`}, []string{"one has an order and the other has none"}},
		"all disabled": {map[string]string{"a.js": "a", "a.json": `{"enabled": false}`},
			[]string{"every rule of the folder is disabled"}},
		"too large": {map[string]string{"a.js": "a",
			"a.json": `{"name": "` + strings.Repeat("x", 1<<20) + `"}`},
			[]string{"a.json: is not a regular file of at most"}},
	} {
		rules, err := jsrules.CompileFolder(exported(row.files), jsrules.Options{})
		if rules != nil || err == nil {
			t.Errorf("%s: %d rules, %v", name, len(rules), err)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}

// TestFolder_SidecarIsNoFile: a sidecar that is a folder is refused.
func TestFolder_SidecarIsNoFile(t *testing.T) {
	folder := t.TempDir()
	err := os.WriteFile(filepath.Join(folder, "a.js"), []byte(trace("a")), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "a.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = jsrules.CompileFolder(os.DirFS(folder), jsrules.Options{})
	if err == nil || !strings.Contains(err.Error(), "a.json: is not a regular file") {
		t.Errorf("got %v", err)
	}
}

// unreadable is a folder with a file that cannot be read.
type unreadable struct {
	fstest.MapFS
	file string
}

func (u unreadable) ReadFile(name string) ([]byte, error) {
	if name == u.file {
		return nil, fs.ErrPermission
	}
	return u.MapFS.ReadFile(name)
}

// TestFolder_SidecarUnreadable: a .json file of any name that cannot be read is an error, because
// it may say that a rule is off.
func TestFolder_SidecarUnreadable(t *testing.T) {
	for _, file := range []string{"a.json", "first.json"} {
		folder := exported(map[string]string{"a.js": "a", file: `{"script": "a.js"}`})
		_, err := jsrules.CompileFolder(unreadable{folder, file}, jsrules.Options{})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v", file, err)
		}
	}
}

// TestFolder_DisabledIsNotCompiled: a rule that is off may be no JavaScript at all, and an enabled
// one is named by its file.
func TestFolder_DisabledIsNotCompiled(t *testing.T) {
	folder := exported(map[string]string{
		"b.js": "b", "b.json": `{"order": 1}`, "off.json": `{"enabled": false, "order": 2}`,
	})
	folder["off.js"] = &fstest.MapFile{Data: []byte("exports.onExecute = 1")}
	rules, err := jsrules.CompileFolder(folder, jsrules.Options{})
	if err != nil || len(rules) != 1 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	rc := benchmarkContext()
	if err := rules[0](t.Context(), benchmarkUser(), rc); err != nil || rc.Rule != "b" {
		t.Errorf("rule %q, %v", rc.Rule, err)
	}
}
