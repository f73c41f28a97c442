package auth0export_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/auth0export"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestWrite_Configuration: the configuration has what the export says, whatever characters names
// and values have.
func TestWrite_Configuration(t *testing.T) {
	const odd = "Müller's \"photos\": {#}\n- \u2028\U0001f600"
	folder, _ := written(t, directory().with(files{
		"clients/Photo.json": `{"name": "M\u00fcller's \"photos\": {#}\n- \u2028\ud83d\ude00",
			"client_id": "photo app: {1}", "client_metadata": {"team": "a: b", "n": "012"},
			"addons": {"aws": {"principal": "arn:aws:iam::123456789012:saml-provider/Auth0",
			"region": "eu-west-1", "lifetime_in_seconds": 7200}}}`,
		"rules-configs/A.json": `{"key": "A: b", "value": "012"}`,
		"custom-domains/custom-domains.json": `[{"domain": "login.example.com"},
			{"domain": "tenant.eu.auth0.com"}]`,
		"rules/one.js": `function (user, context, callback) {
			context.addonConfiguration.aws.role = configuration['A: b'];
			callback(null, user, context);
		}`,
	}).write(t), flags())
	got, _, err := config.Load(filepath.Join(folder, "delegation.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	target := config.TargetSettings{
		Audiences:       []string{"photo app: {1}"},
		Principal:       "arn:aws:iam::123456789012:saml-provider/Auth0",
		Region:          "eu-west-1",
		SessionDuration: "7200s",
	}
	if !reflect.DeepEqual(got.Targets, map[string]config.TargetSettings{"photo app: {1}": target}) {
		t.Errorf("targets: %+v", got.Targets)
	}
	issuer := config.IssuerSettings{
		URL:     "https://tenant.eu.auth0.com/",
		Aliases: []string{"https://login.example.com/"},
	}
	if !reflect.DeepEqual(got.Issuers, []config.IssuerSettings{issuer}) ||
		got.Identity.EntityID != "urn:tenant.eu.auth0.com" {
		t.Errorf("issuers: %+v, entity ID %s", got.Issuers, got.Identity.EntityID)
	}
	rules := got.Rules[0].JavaScript
	want := map[string]map[string]any{"photo app: {1}": {
		"clientName":     odd,
		"clientMetadata": map[string]any{"team": "a: b", "n": "012"},
	}}
	if !reflect.DeepEqual(rules.Context, want) || rules.Folder != "rules" ||
		rules.Domain != "tenant.eu.auth0.com" {
		t.Errorf("rules: %+v", rules)
	}
	values, err := auth0export.ReadSecrets(filepath.Join(folder, rules.ConfigurationFile))
	if err != nil || values["A: b"] != "012" {
		t.Errorf("values: %q, %v", values, err)
	}
}

// TestWrite_Rules: each rule is a file with a number, byte for byte, and those that do not run are
// in another folder.
func TestWrite_Rules(t *testing.T) {
	source := "\ufeff// \r\n" + passing
	folder := files{"a.js": source, "client.json": "{}"}
	var list strings.Builder
	list.WriteString("clients: [{name: P, client_id: p, addons: {aws: {}}}]\nrules:\n")
	names := map[int]string{
		1: "../../etc/passwd", 2: "..", 3: "con.js", 4: "ünï", 5: strings.Repeat("x", 500),
		6: "a\\b\x00c", 7: "-rf *", 8: "same  name", 9: "same--name",
	}
	for n := 1; n <= 100; n++ {
		name := names[n]
		if name == "" {
			name = fmt.Sprint("rule ", n)
		}
		fmt.Fprintf(&list, "  - {name: %q, script: a.js, order: %d, enabled: %v}\n",
			name, 1000-n, n%10 != 0)
	}
	folder["tenant.yaml"] = strings.ReplaceAll(list.String(), `\x00`, `\0`)
	_, texts := written(t, folder.write(t), flags())
	for name, want := range map[string]bool{
		"rules/100-etc-passwd.js": true, "rules/099-rule.js": true, "rules/098-con-js.js": true,
		"rules/097-n.js": true, "rules/096-" + strings.Repeat("x", 60) + ".js": true,
		"rules/095-a-b-c.js": true, "rules/094-rf.js": true, "rules/093-same-name.js": true,
		"rules/092-same-name.js": true, "disabled/091-rule-10.js": true,
		"rules/091-rule-10.js": false, "disabled/001-rule-100.js": true,
		"rules/002-rule-99.js": true,
	} {
		if text, has := texts[name]; has != want || has && text != source {
			t.Errorf("%s: %v, %q", name, has, text)
		}
	}
	counts := map[string]int{}
	for name := range texts {
		counts[filepath.Dir(name)]++
	}
	if counts["rules"] != 90 || counts["disabled"] != 10 {
		t.Errorf("files: %v", counts)
	}
}

// TestWrite_AllOrNothing: what cannot be written whole leaves nothing, and nothing is replaced.
func TestWrite_AllOrNothing(t *testing.T) {
	certificate, key := delegationtest.SigningKeyPEM()
	export := directory().write(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tooLong := directory().with(files{"clients/Photo.json": `{"name": "Photo",
		"client_id": "photo-app", "addons": {"aws": {}},
		"client_metadata": {"x": "` + strings.Repeat("ü", 200_000) + `"}}`}).write(t)
	for name, row := range map[string]struct {
		ctx    context.Context
		export string
		there  files
		want   string
	}{
		"a context that has ended": {ended, export, files{}, "nothing is written"},
		"a configuration that would not do": {t.Context(), tooLong, files{},
			"the files are removed, because the configuration does not work"},
		"a file is there": {t.Context(), export, files{"signing.key": "old"},
			"signing.key: exists"},
		"a folder of rules is there": {t.Context(), export, files{"rules/other.js": "old"},
			"rules: exists"},
		"a folder of disabled rules is there": {t.Context(), export, files{"disabled/a.txt": "old"},
			"disabled: exists"},
		"a file where a folder has to be": {t.Context(), export, files{"../out": "old"}, ""},
	} {
		folder := filepath.Join(t.TempDir(), "out")
		for file, text := range row.there {
			path := filepath.Join(folder, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := everything(t, folder)
		_, err := plan(t, row.export, flags()).Write(row.ctx, folder, certificate, key)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		if after := everything(t, folder); !maps.Equal(before, after) {
			t.Errorf("%s: before %d files, after %d", name, len(before), len(after))
		}
	}
}

// everything is the text of each file in a folder and below, and "" for each folder.
func everything(t *testing.T, folder string) files {
	t.Helper()
	found := files{}
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil // there is no such folder
		}
		found[path] = ""
		if !entry.IsDir() {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = string(text)
		}
		return nil
	})
	return found
}

// TestPlan_Lacks: what flags have to say is named, all of it at once, and nothing is written before
// they say it.
func TestPlan_Lacks(t *testing.T) {
	export := directory().with(files{
		"clients/Photo.json": `{"name": "Bob's photos", "addons": {"aws": {}}}`,
		"rules/one.js":       "exports.onExecutePostLogin = 1",
	}).write(t)
	p := plan(t, export, auth0export.Options{})
	for _, want := range []string{
		"--domain is missing", "--region is missing",
		`clients/Photo.json: the export has no client_id of "Bob's photos". Use --client ` +
			`'Bob'\''s photos=CLIENT_ID', or export with AUTH0_EXPORT_IDENTIFIERS: true`,
		`the rule "one" cannot run: `,
	} {
		expectUsage(t, want, p.Err(), want)
		if text := p.Report().Text(term.Unpainted); !strings.Contains(
			strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("the report lacks %q: %s", want, text)
		}
	}
	certificate, key := delegationtest.SigningKeyPEM()
	folder := filepath.Join(t.TempDir(), "out")
	_, err := p.Write(t.Context(), folder, certificate, key)
	expectUsage(t, "Write", err, "--domain is missing")
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is written: %v", err)
	}
	// The flags that it asks for are enough.
	o := flags()
	o.Clients = []string{"Bob's photos=photo-app"}
	o.Disable = []string{"one"}
	_, texts := written(t, export, o)
	if !strings.Contains(texts["delegation.yaml"], `"photo-app": # "Bob's photos"`) {
		t.Errorf("got %s", texts["delegation.yaml"])
	}
}

// TestPlan_RegionOfLeftOut: a rule that is left out sets no region.
func TestPlan_RegionOfLeftOut(t *testing.T) {
	const region = "function (user, context, callback) {\n" +
		"context.addonConfiguration.aws.region = 'eu-west-1'; callback(null, user, context); }"
	export := directory().with(files{"rules/two.js": region}).write(t)
	o := flags()
	o.Region = ""
	if err := plan(t, export, o).Err(); err != nil {
		t.Errorf("a rule sets the region: %v", err)
	}
	o.Disable = []string{"two"}
	expectUsage(t, "left out", plan(t, export, o).Err(), "--region is missing")
}

// TestPlan_Flags: a flag that fits nothing is refused.
func TestPlan_Flags(t *testing.T) {
	for want, change := range map[string]auth0export.Options{
		`--domain: "https://x.auth0.com/" is not a domain`: {Domain: "https://x.auth0.com/"},
		"--region: ":                            {Region: "nowhere"},
		`--disable: the export has no rule "x"`: {Disable: []string{"x"}},
		`--client: "x=" has no client ID`:       {Clients: []string{"x="}},
		`--client: "" has no client ID`:         {Clients: []string{""}},
		`the export calls the client "photo-app" "Photo"`: {
			Clients: []string{"Other=photo-app"},
		},
	} {
		export, err := auth0export.Read(directory().write(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = auth0export.NewPlan(export, change)
		expectUsage(t, want, err, want)
	}
}

// TestPlan_Clients: each client with an add-on is a target, and so is each that a flag names.
func TestPlan_Clients(t *testing.T) {
	export := directory().with(files{
		"clients/All.json": `{"name": "All Applications", "global": true, "client_id": "all",
			"addons": {"aws": {}}}`,
		"clients/Maps.json":  `{"name": "Maps", "client_id": "maps-app", "addons": {"aws": null}}`,
		"clients/Empty.json": `{}`,
		"clients/Old.json": `{"name": "Old", "client_id": "old-app",
			"jwt_configuration": {"alg": "HS256", "secret_encoded": true},
			"addons": {"aws": {}}}`,
	}).write(t)
	o := flags()
	o.Clients = []string{"maps-app", "New=new-app", "other-app"}
	report := plan(t, export, o).Report()
	var got []string
	for _, target := range report.Targets {
		got = append(got, target.Name+"="+target.ClientID)
	}
	want := []string{"Maps=maps-app", "Old=old-app", "Photo=photo-app", "New=new-app", "=other-app"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const note = `the ID tokens of "Old" are signed with its client secret (HS256)`
	if len(report.Notes) != 1 || !strings.HasPrefix(report.Notes[0], note) ||
		!strings.HasSuffix(report.Notes[0], "client_secrets of the issuer, with base64url: true") {
		t.Errorf("notes: %q", report.Notes)
	}
}

// TestPlan_SameName: of several clients with one name and without IDs, a flag names the one with
// the AWS add-on. Without one, it is ambiguous. An ID is always right.
func TestPlan_SameName(t *testing.T) {
	const plain = `{"name": "Twin"}`
	const withAddOn = `{"name": "Twin", "addons": {"aws": {"region": "eu-central-1"}}}`
	for name, row := range map[string]struct {
		first, second string
		flags         []string
		want          string // the error; "": none
	}{
		"the second has the add-on":   {plain, withAddOn, []string{"Twin=a"}, ""},
		"the first has the add-on":    {withAddOn, plain, []string{"Twin=a"}, ""},
		"then the other gets its own": {plain, withAddOn, []string{"Twin=a", "Twin=b"}, ""},
		"neither has it": {plain, plain, []string{"Twin=a"}, `the export has 2 clients named ` +
			`"Twin", without their client_id: export with AUTH0_EXPORT_IDENTIFIERS: true`},
		"one has the ID": {
			`{"name": "Twin", "client_id": "a"}`, plain, []string{"Twin=a"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			export, err := auth0export.Read(directory().with(files{
				"clients/One.json": row.first,
				"clients/Two.json": row.second,
			}).write(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			o := flags()
			o.Clients = row.flags
			p, err := auth0export.NewPlan(export, o)
			if row.want != "" {
				expectUsage(t, name, err, row.want)
				return
			}
			if err != nil || p.Err() != nil {
				t.Fatalf("%v, %+v", err, p)
			}
			ids := map[string]int{}
			for _, target := range p.Report().Targets {
				ids[target.ClientID]++
			}
			if len(ids) != len(row.flags)+1 || ids["a"] != 1 { // and the client Photo
				t.Errorf("the targets are %v", ids)
			}
		})
	}
}

// TestWrite_List: a list of rules has no clients, so flags name them, with their names if rules ask
// for these.
func TestWrite_List(t *testing.T) {
	o := flags()
	o.Clients = []string{"Photo=photo-app", "maps-app"}
	_, texts := written(t, "testdata/rules.json", o)
	for _, want := range []string{
		"  \"photo-app\": # \"Photo\"\n", "  \"maps-app\":\n", "    # The rules set the role.\n",
		"        \"photo-app\": {\"clientName\": \"Photo\"}\n",
	} {
		if !strings.Contains(texts["delegation.yaml"], want) {
			t.Errorf("%q is missing in %s", want, texts["delegation.yaml"])
		}
	}
	if !strings.Contains(texts["configuration.yaml"], "\"AWS_ROLE\":\n") {
		t.Errorf("got %s", texts["configuration.yaml"])
	}
}

// TestRest: what is left to do are commands, and first what has to be filled in.
func TestRest(t *testing.T) {
	export := "testdata/tenant-yaml"
	for name, row := range map[string]struct {
		secrets map[string]string
		want    string
	}{
		"a value is missing": {nil, "\nNext, fill in 'my out/configuration.yaml': nothing runs " +
			"before that. Then have AWS trust the new key, check, serve"},
		"all values are there": {map[string]string{"AWS_ROLE": "hush"},
			"\nNext, have AWS trust the new key, check, serve"},
	} {
		o := flags()
		o.Secrets = row.secrets
		rest := plan(t, export, o).Rest("my out", nil)
		if !strings.Contains(rest, row.want) || strings.Contains(rest, "hush") ||
			strings.Count(rest, "\n  ") != 4 ||
			!strings.Contains(rest, " --config 'my out/delegation.yaml'\n") {
			t.Errorf("%s: %s", name, rest)
		}
	}
	o := flags()
	o.Clients = []string{"photo-app"}
	rest := plan(t, "testdata/rules.json", o).Rest("out", nil)
	if !strings.Contains(rest, "\nSAML-PROVIDER-ARN is the one that your rules set.\n") {
		t.Errorf("got %s", rest)
	}
}

// TestReport_States: each rule has the state that it will have, and what it needs is named with its
// place. What the import supplies is no need.
func TestReport_States(t *testing.T) {
	rule := func(body string) string {
		return "function (user, context, callback) {\n" + body +
			"\ncallback(null, user, context); }"
	}
	export := files{"tenant.yaml": `
rules:
  - {name: ready, script: ready.js, order: 1}
  - {name: needs, script: needs.js, order: 2}
  - {name: off, script: action.js, order: 3, enabled: false}
  - {name: early, script: action.js, order: 4, stage: pre_authorize}
  - {name: action, script: action.js, order: 5}
  - {name: mfa, script: mfa.js, order: 6}
  - {name: claims, script: claims.js, order: 7}
  - {name: redirect, script: redirect.js, order: 8}
clients: [{name: Photo, client_id: photo-app, addons: {aws: {}}}]
`,
		"ready.js": rule("user.a = context.clientName + context.clientMetadata.y;" +
			"user.b = configuration.GIVEN;"),
		"needs.js": rule("if (configuration.B) return unheardOf(user);\n" +
			"user.a = configuration.A;"),
		"mfa.js":      rule("context.multifactor = {provider: 'any'};"),
		"claims.js":   rule("context.idToken['https://example.com/a'] = 1;"),
		"redirect.js": rule("context.redirect = {url: 'https://example.com/'};"),
		"action.js":   "exports.onExecutePostLogin = async (event, api) => {}",
	}.write(t)
	o := flags()
	o.Secrets = map[string]string{"GIVEN": "hush"}
	o.Disable = []string{"mfa"} // which would fail each exchange
	p := plan(t, export, o)
	report := p.Report()
	var got []string
	for _, r := range report.Rules {
		line := r.Name + " " + string(r.State)
		for _, need := range r.Needs {
			if !need.Available {
				line += fmt.Sprintf(" %s.%s@%d", need.Kind, need.Name, need.Line)
			}
		}
		got = append(got, line)
	}
	want := []string{
		"ready ready", "needs needs configuration.B@2 global.unheardOf@2 configuration.A@3",
		"off disabled", "early disabled", "action refused", "mfa left out",
		"claims ready effect.idToken@2", "redirect needs effect.redirect@2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(report.Configuration.ToFill, []string{"A", "B"}) ||
		!slices.Equal(report.Configuration.Given, []string{"GIVEN"}) {
		t.Errorf("configuration: %+v", report.Configuration)
	}
	const summary = "8 rules: 2 run as they are, 2 need something, 1 cannot run, " +
		"2 are disabled, 1 is left out."
	if report.Summary.String() != summary {
		t.Errorf("summary: %s", report.Summary)
	}
	inJSON, err := report.JSON()
	text := report.Text(term.Unpainted)
	const counts = "\n1 target, 1 issuer, 2 values to fill in.\n"
	if err != nil || !strings.HasPrefix(text, summary+counts) {
		t.Errorf("%v: %s", err, text)
	}
	for _, line := range []string{
		"7      ready     claims    no effect: idToken\n", "8      needs     redirect  redirect\n",
		"line 2, column 9: idToken has no effect here\n",
		"line 2, column 9: redirect fails the exchange\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in %s", line, text)
		}
	}
	if strings.Contains(text+string(inJSON), "hush") {
		t.Errorf("the report shows a value: %s%s", text, inJSON)
	}
	if p.Refused() == nil || p.Refused().Error() != "1 rule cannot run" {
		t.Errorf("got %v", p.Refused())
	}
	o.Disable = []string{"mfa", "action"}
	if err := plan(t, export, o).Refused(); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestReport_NothingRuns: an export whose rules are all disabled grants what the add-ons say, and
// the report says so.
func TestReport_NothingRuns(t *testing.T) {
	export := directory().with(files{
		"rules/one.json": `{"order": 1, "enabled": false}`,
		"rules/two.json": `{"order": 2, "stage": "login_failure"}`,
	}).write(t)
	report := plan(t, export, flags()).Report()
	const want = "no rule runs: every user of a target's client gets the role of its add-on"
	if !slices.Contains(report.Notes, want) {
		t.Errorf("notes: %q", report.Notes)
	}
	_, texts := written(t, export, flags())
	if strings.Contains(texts["delegation.yaml"], "javascript") {
		t.Errorf("got %s", texts["delegation.yaml"])
	}
}

// TestReport_Text: a stranger's name cannot change what a terminal shows, and each rule has one
// line in the table.
func TestReport_Text(t *testing.T) {
	export := directory().with(files{
		"rules/one.json": `{"name": "a\u001b[31m\nready  b", "order": 1, "script": "one.js"}`,
	}).write(t)
	p := plan(t, export, flags())
	text := p.Report().Text(func(c term.Colour, text string) string {
		return fmt.Sprintf("<%d>%s</>", c, text)
	})
	if strings.ContainsAny(text, "\x1b") || !strings.Contains(text, `a\x1b[31m\nready  b`) {
		t.Errorf("got %s", text)
	}
	if strings.Count(text, "<32>ready</>") != 2 {
		t.Errorf("got %s", text)
	}
}

// TestPlan_NoRules: an export without rules grants what the add-ons say, which nobody may mean. It
// is refused.
func TestPlan_NoRules(t *testing.T) {
	export := directory().with(files{
		"rules/one.json": "", "rules/two.json": "", "rules/one.js": "", "rules/two.js": "",
	}).write(t)
	found, err := auth0export.Read(export, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = auth0export.NewPlan(found, flags())
	expectUsage(t, "no rules", err, "exports that were made after Rules ended (2026-11-18)")
}

// TestPlan_Values: a value whose keyword has none is to be filled in, and the file of secrets
// counts before the export.
func TestPlan_Values(t *testing.T) {
	export := directory().with(files{
		"rules/one.js": `function (user, context, callback) {
			user.a = configuration.A + configuration.B + configuration.C;
			callback(null, user, context);
		}`,
		"rules-configs/A.json": `{"key": "A", "value": "##A##"}`,
		"rules-configs/B.json": `{"key": "B", "value": "of the export"}`,
		"rules-configs/C.json": `{"key": "C", "value": "of the export"}`,
		"rules-configs/E.json": `{}`,
	}).write(t)
	o := flags()
	o.Secrets = map[string]string{"C": "of the file"}
	_, texts := written(t, export, o)
	const want = "\"B\": \"of the export\"\n\"C\": \"of the file\"\n\"A\":\n"
	if !strings.HasSuffix(texts["configuration.yaml"], want) {
		t.Errorf("got %s", texts["configuration.yaml"])
	}
}

// TestPlan_Domain: the tenant's domain comes from a client grant for Auth0's own API, if all that
// name one agree.
func TestPlan_Domain(t *testing.T) {
	grant := func(host string) string {
		return `{"client_id": "x", "audience": "https://` + host + `/api/v2/"}`
	}
	for want, grants := range map[string]files{
		"tenant.us.auth0.com": {"grants/a.json": grant("tenant.us.auth0.com"),
			"grants/b.json": grant("api.example.com"),
			"grants/c.json": grant("tenant.us.auth0.com")},
		"": {"grants/a.json": grant("tenant.us.auth0.com"),
			"grants/b.json": grant("tenant.eu.auth0.com"), "grants/c.json": `{"audience": 1}`},
	} {
		export, err := auth0export.Read(directory().with(grants).write(t), nil)
		if err != nil || export.Domain != want {
			t.Errorf("got %q, %v, want %q", export.Domain, err, want)
		}
	}
}

// TestReport_MadeAtRunTime: a rule that makes names of configuration at run time is ready, and the
// report says that it depends on what is there.
func TestReport_MadeAtRunTime(t *testing.T) {
	export := directory().with(files{
		"rules/one.js": `function (user, context, callback) {
			user.a = configuration[user.email];
			callback(null, user, context);
		}`,
	}).write(t)
	report := plan(t, export, flags()).Report()
	text := report.Text(term.Unpainted)
	if report.Summary.Ready != 2 || !strings.Contains(text, "configuration[...]\n") ||
		!strings.Contains(text, "the name is made at run time") {
		t.Errorf("got %s", text)
	}
}
