package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/sampling"
	"github.com/seed055b7978/delegation/ststest"
)

// inAWS is what a file sets up, as CloudFormation or Terraform reads it.
type inAWS struct {
	provider, metadata string
	path, role         string
	maxSession         int
	trust, permissions string // JSON; permissions is empty if there are none
}

// setUp is inAWS of a set-up.
func setUp(s *setup.Resources) inAWS {
	folder, name := s.RolePath()
	return inAWS{
		provider: s.ProviderName(), metadata: s.Metadata,
		path: folder, role: name, maxSession: int(s.MaxSession.Seconds()),
		trust: s.Trust, permissions: s.Permissions,
	}
}

// sameAs compares, policies by their meaning.
func (a inAWS) sameAs(b inAWS) bool {
	return sameJSON(a.trust, b.trust) &&
		(a.permissions == b.permissions || sameJSON(a.permissions, b.permissions)) &&
		a.provider == b.provider && a.metadata == b.metadata && a.path == b.path &&
		a.role == b.role && a.maxSession == b.maxSession
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil &&
		x != nil && reflect.DeepEqual(x, y)
}

// readCloudFormation deploys the templates of the SAML provider and of the role, each as the stack
// that it names, and returns what is made.
func readCloudFormation(t testing.TB, a *iamAccount, templates ...string) inAWS {
	t.Helper()
	cloudFormation := newStacks(a)
	for _, text := range templates {
		name := stackName.FindStringSubmatch(text)
		if name == nil {
			t.Fatalf("no command deploys it: %s", text)
		}
		if err := cloudFormation.deploy(name[1], text, nil); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return a.found(t)
}

var stackName = regexp.MustCompile(
	`(?m)^#   aws cloudformation deploy --stack-name ([A-Za-z][A-Za-z0-9-]{0,127}) `)

// readTerraform applies a folder of the files of the SAML provider and of the role, and returns
// what is made.
func readTerraform(t testing.TB, a *iamAccount, metadata string, files ...string) inAWS {
	t.Helper()
	folder := t.TempDir()
	for n, text := range append(files, metadata) {
		name := fmt.Sprintf("%d.tf", n)
		if n == len(files) {
			name = setup.MetadataFile
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	module := &terraformFolder{account: a, folder: folder}
	if err := module.apply(); err != nil {
		t.Fatalf("%v\n%s", err, files)
	}
	return a.found(t)
}

// said runs the program and returns what it says; it has to end well.
func said(t testing.TB, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, surroundings{stdout: &out, stderr: &errs}); code != 0 {
		t.Fatalf("delegation %q: exit code %d: %s", args, code, &errs)
	}
	return out.String(), errs.String()
}

// TestSetup_Exchange puts what both commands write into a strict STS of every partition: an
// exchange goes through, and the trust policy has no more actions than it needs.
func TestSetup_Exchange(t *testing.T) {
	regions := map[string]string{
		"us-east-1": "aws", "eu-central-1": "aws", "cn-north-1": "aws-cn",
		"us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
	}
	variants := []struct {
		name, target, rules string
		actions             string
		maxSession          int
		act                 bool // an agent acts for the user
	}{
		{name: "plain", actions: "sts:AssumeRoleWithSAML"},
		{name: "tags", target: ", tags: {team: press}",
			actions: "sts:AssumeRoleWithSAML sts:TagSession"},
		{name: "mapped tag",
			target:  `, mappings: {"https://aws.amazon.com/SAML/Attributes/PrincipalTag:mail": email}`,
			actions: "sts:AssumeRoleWithSAML sts:TagSession"},
		{name: "mapped source identity",
			target:  `, mappings: {"https://aws.amazon.com/SAML/Attributes/SourceIdentity": email}`,
			actions: "sts:AssumeRoleWithSAML sts:SetSourceIdentity"},
		{name: "rules",
			rules: "\n  - tags_from_claims: {mail: email}\n" +
				"  - {source_identity_from_claim: email, targets: [photo-app]}",
			actions: "sts:AssumeRoleWithSAML sts:TagSession sts:SetSourceIdentity"},
		{name: "the target's source identity", target: `, source_identity: "{{email}}"`,
			actions: "sts:AssumeRoleWithSAML sts:SetSourceIdentity"},
		{name: "a rule's source identity", rules: "\n  - source_identity: \"{{email}}\"",
			actions: "sts:AssumeRoleWithSAML sts:SetSourceIdentity"},
		{name: "an actor in a tag", target: ", actors: {place: tag}", act: true,
			actions: "sts:AssumeRoleWithSAML sts:TagSession"},
		{name: "an actor in the source identity", target: ", actors: {place: source_identity}",
			act: true, actions: "sts:AssumeRoleWithSAML sts:SetSourceIdentity"},
		{name: "an actor in the session's name", target: ", actors: {}", act: true,
			actions: "sts:AssumeRoleWithSAML"},
		{name: "rules for another target",
			rules: "\n  - {tags_from_claims: {mail: email}, targets: [other]}\n" +
				"  - {source_identity_from_claim: email, targets: [other]}",
			actions: "sts:AssumeRoleWithSAML"},
		{name: "a long session", target: ", session_duration: 10h",
			actions: "sts:AssumeRoleWithSAML", maxSession: 36_000},
		{name: "a short session", target: ", session_duration: 15m",
			actions: "sts:AssumeRoleWithSAML"},
		{name: "own recipient", target: `, saml_recipient: "https://example.com/saml?a=1&b=<2>"`,
			actions: "sts:AssumeRoleWithSAML"},
		{name: "a path", target: "", actions: "sts:AssumeRoleWithSAML"},
	}
	for region, partition := range regions {
		for _, v := range variants {
			if sampling.Divisor > 1 && region != "eu-central-1" && v.name != "plain" && v.name != "a path" {
				continue // the region changes nothing in it but the partition
			}
			t.Run(region+" "+v.name, func(t *testing.T) {
				w := newWorld(t)
				fake := ststest.New(ststest.Config{Region: region})
				server := httptest.NewServer(fake.Region(region))
				t.Cleanup(server.Close)
				account := "arn:" + partition + ":iam::123456789012:"
				principal := account + "saml-provider/delegation"
				role := account + "role/photo-user"
				if v.name == "a path" {
					role = "arn:" + partition + ":iam::123456789012:role/teams/press/photo-user"
				}
				file := w.write(t, "delegation.yaml", fmt.Sprintf(`
issuers: [{url: %q, allow_loopback_http: true}]
identity_provider: {entity_id: urn:tenant.example.com, keys: [{certificate_file: signing.crt, key_file: signing.key}]}
targets:
  photo-app: {principal: %q, role: %q, region: %s%s}
  other: {principal: %[2]q, role: %[3]q, region: %[4]s}
rules:
  - require_verified_email: true%[6]s
sts: {endpoint: %[7]q}
`, w.issuerURL, principal, role, region, v.target, v.rules, server.URL))
				trust, notes := said(t, "trust-policy", "-c", file, "-t", "photo-app")
				permissions, _ := said(t, "permission-policy", "-c", file, "-t", "photo-app",
					"--bucket", "example-photos")
				var written []string // provider and role of CloudFormation, then Terraform
				for _, command := range []string{"cloudformation", "terraform"} {
					provider, said1 := said(t, command, "-c", file, "-t", "photo-app",
						"--part", "provider")
					roleText, said2 := said(t, command, "-c", file, "-t", "photo-app",
						"--bucket", "example-photos")
					notes += said1 + said2
					written = append(written, provider, roleText)
				}
				if notes != "" {
					t.Errorf("it says %s", notes)
				}
				metadata := must(delegationtest.Identity().Metadata())
				parsed := must(iam.Role.Parse(role))
				folder, name := (&setup.Resources{Role: parsed}).RolePath()
				if got, want := "role"+folder+name, parsed.Resource; got != want {
					t.Errorf("path and name make %s", got)
				}
				want := inAWS{
					"delegation", string(metadata), folder, name, max(v.maxSession, 3600),
					trust, permissions,
				}
				in := func() *iamAccount { return newAccount("123456789012", partition) }
				for language, found := range map[string]inAWS{
					"CloudFormation": readCloudFormation(t, in(), written[:2]...),
					"Terraform": readTerraform(t, in(), string(metadata),
						written[2:]...),
				} {
					if !found.sameAs(want) {
						t.Fatalf("%s: got %+v, want %+v", language, found, want)
					}
					err := errors.Join(
						fake.PutSAMLProvider(account+"saml-provider/"+found.provider,
							[]byte(found.metadata)),
						fake.PutRole(ststest.Role{
							ARN:                account + "role" + found.path + found.role,
							TrustPolicy:        found.trust,
							MaxSessionDuration: time.Duration(found.maxSession) * time.Second,
						}))
					if err != nil {
						t.Fatal(err)
					}
					built, err := surroundings{stderr: os.Stderr}.configured(t.Context(),
						file, false, nil)
					if err != nil {
						t.Fatal(err)
					}
					token := w.token(nil)
					if v.act {
						token = w.token(map[string]any{"act": map[string]any{"sub": "agent"}})
					}
					_, err = built.Delegator.Exchange(t.Context(), token, "photo-app")
					if err != nil {
						t.Errorf("%s: %v", language, err)
					}
				}
				if got := actions(t, trust); got != v.actions {
					t.Errorf("it allows %s", got)
				}
			})
		}
	}
}

// actions are those of a policy with one statement.
func actions(t testing.TB, policy string) string {
	t.Helper()
	var document struct {
		Statement []struct{ Action any }
	}
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		t.Fatal(err)
	}
	if one, ok := document.Statement[0].Action.(string); ok {
		return one
	}
	return strings.Trim(fmt.Sprint(document.Statement[0].Action), "[]")
}

// TestSetup_SameText: what is written depends on the configuration alone, also where that has maps.
func TestSetup_SameText(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "", `tags: {a: "1", b: "2", c: "3"}`,
		`mappings: {"https://aws.amazon.com/SAML/Attributes/SourceIdentity": email, "urn:oid:2.5.4.3": name}`,
		"role: "+service.DemoRole)
	for _, command := range []string{"cloudformation", "terraform", "trust-policy"} {
		first, _ := said(t, command, "-c", file, "-t", "photo-app")
		for range 5 {
			if again, _ := said(t, command, "-c", file, "-t", "photo-app"); again != first {
				t.Fatalf("%s writes\n%s\nand then\n%s", command, first, again)
			}
		}
	}
}

// odd is a set-up of texts that were never meant for a template.
func odd(target, entityID, permissions string) *setup.Resources {
	s := &setup.Resources{
		Target:      target,
		EntityID:    entityID,
		MaxSession:  time.Hour,
		Region:      must(delegation.ParseRegion("eu-central-1")),
		Permissions: permissions,
		Principal: must(iam.Provider.Parse(
			"arn:aws:iam::012345678901:saml-provider/0755.1e3_no")),
		Role:     must(iam.Role.Parse("arn:aws:iam::012345678901:role/${a}/%{b}/'\"/yes")),
		Metadata: "<EntityDescriptor entityID=\"" + entityID + "\">\n</EntityDescriptor>\n",
	}
	encoded, _ := json.Marshal(entityID)
	s.Trust = `{"Version": "2012-10-17", "Statement": [{"Condition": {"StringEquals": {"SAML:iss": ` + string(encoded) + `}}}]}`
	return s
}

var oddTexts = []string{
	`urn:example.com`, `"`, `'`, `\`, `\\`, `\n`, "\n", "a\nb\n", "\n a", " a ", "\t", "\r\n",
	`${saml:sub}`, `$${a}`, `$$${a}`, `$`, `$$`, `%{if}`, `%%{if}`, `%%%{`, `%`, `{{a}}`, `#`,
	` # c`, `a: b`, `- a`,
	`!Ref a`, `&a`, `*a`, `|`, `>`, `---`, `...`, `2012-10-17`, `yes`, `no`, `null`, `~`, `0755`,
	`1e3`, `12:30:00`, `true`, `.inf`, "é", "\u0085", "\u2028", "\ufeff", "😀", "日本", "\x7f",
	"\u00ff", "XML\n", "\nXML\n", "</XML>\nXML",
	`<<EOT`, `<a & b>`, "Ref: x", strings.Repeat("x", 2000), "",
}

// bothParts writes the SAML provider and the role, or nothing.
func bothParts(write func(setup.Part) (string, error)) (texts []string, err error) {
	for _, part := range []setup.Part{setup.ProviderPart, setup.RolePart} {
		text, problem := write(part)
		if problem != nil && text != "" {
			return nil, errors.New("an error and a text")
		}
		texts = append(texts, text)
		err = errors.Join(err, problem)
	}
	return texts, err
}

// FuzzSetup: whatever the texts are, what is written says the same to who reads it, or nothing is
// written.
func FuzzSetup(f *testing.F) {
	for i, text := range oddTexts {
		policy := string(must(json.Marshal(map[string]any{text: []any{
			text, 1, -999999999999999, true, nil, map[string]string{text + "x": text},
		}})))
		f.Add(text, oddTexts[(i+1)%len(oddTexts)], policy)
		f.Add("photo-app", text, "")
	}
	f.Fuzz(func(t *testing.T, target, entityID, permissions string) {
		// as the commands refuse
		if !utf8.ValidString(target) || !utf8.ValidString(entityID) ||
			len(permissions) > setup.MaxRolePolicy {
			return
		}
		s := odd(target, entityID, permissions)
		in := func() *iamAccount { return newAccount("012345678901", "aws") }
		if texts, err := bothParts(s.CloudFormation); err == nil {
			if found := readCloudFormation(t, in(), texts...); !found.sameAs(setUp(s)) {
				t.Errorf("got %+v\nof %+v\nin %s", found, setUp(s), texts)
			}
		}
		if texts, err := bothParts(s.Terraform); err == nil {
			if found := readTerraform(t, in(), s.Metadata, texts...); !found.sameAs(setUp(s)) {
				t.Errorf("got %+v\nof %+v\nin %s", found, setUp(s), texts)
			}
		}
	})
}

// TestSetup_OddTexts: all but what CloudFormation and Terraform would change can be written.
func TestSetup_OddTexts(t *testing.T) {
	for _, text := range oddTexts {
		s := odd(text, text, string(must(json.Marshal(map[string]string{text: text}))))
		for name, write := range map[string]func(setup.Part) (string, error){
			"cloudformation": s.CloudFormation, "terraform": s.Terraform,
		} {
			texts, err := bothParts(write)
			written := strings.Join(texts, "")
			if err != nil {
				t.Errorf("%s: %q: %v", name, text, err)
			}
			notPlain := func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }
			if strings.ContainsFunc(written, notPlain) {
				t.Errorf("%s: %q is written as it is, and readers may differ: %s",
					name, text, written)
			}
		}
	}
	const fine = `{"a": "b"}`
	for _, row := range []struct {
		s                         *setup.Resources
		cloudFormation, terraform string // "": written
	}{
		{odd("a", "{{resolve:ssm:a}}", fine), "dynamic reference", ""},
		{odd("a", "a", `{"a": ["{{resolve:secretsmanager:a}}"]}`), "dynamic reference", ""},
		{odd("a", "a", `{"a": {"Ref": "Provider"}}`), "one of its functions", ""},
		{odd("a", "a", `{"a": [{"Fn::Sub": "a"}]}`), "one of its functions", ""},
		{odd("a", "e\u0301", fine), "", "Unicode NFC"},
		{odd("e\u0301", "a", fine), "", "Unicode NFC"},
		{odd("a", "a", "{\"e\u0301\": 1}"), "", "Unicode NFC"},
		{odd("a", "a", "{\"a\": [\"e\u0301\"]}"), "", "Unicode NFC"},
		{odd("a", "a", `{"a": 1, "a": 2}`), "twice", "twice"},
		{odd("a", "a", `{"a": `), "not JSON", "not JSON"},
	} {
		for name, write := range map[string]func(setup.Part) (string, error){
			row.cloudFormation + " ": row.s.CloudFormation, row.terraform: row.s.Terraform,
		} {
			texts, err := bothParts(write)
			want := strings.TrimSpace(name)
			if want == "" && err != nil ||
				want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%+v: got %q, %v, want %q", setUp(row.s), texts, err, want)
			}
		}
	}
}

// TestSetup_Sizes: what is over AWS's limits is said.
func TestSetup_Sizes(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for url, want := range map[string]string{
		"https://example.com/": "", "https://example.com/" + long: "ask AWS to raise the quota",
	} {
		_, notes := said(t, "trust-policy", "--principal", service.DemoPrincipal, "--recipient",
			url, "--entity-id", long)
		if (want == "") != (notes == "") || !strings.Contains(notes, want) {
			t.Errorf("%d characters: it says %q", len(url), notes)
		}
	}
	for n, want := range map[int]int{40: 0, 60: 1} {
		s := odd("a", "a", "")
		s.Metadata = strings.Repeat(long+"\n", n)
		_, err := s.CloudFormation(setup.ProviderPart)
		if err != nil || len(s.Notes) != want {
			t.Errorf("got %v, %q", err, s.Notes)
		}
	}
}

// TestSetup_Blocks: what is written as lines is read as it was.
func TestSetup_Blocks(t *testing.T) {
	lines := 0
	texts := slices.Concat(oddTexts, []string{
		"\n\n", "a", "a\n", "a\n\n", "a\n b\n", " a\n", "\na\n", "a\n\n\nb\n", "a \n\n",
		"a\r\n", "a\tb\n", "a\n\tb\n", "é\n", "${a}\n", "%{a}\n", "a\nXML\nb\n",
		"a\n  XML \nb\n", "# a\n",
	})
	for _, text := range texts {
		for _, text := range []string{text, text + "\n", "<a>\n" + text + "\n"} {
			var found struct{ A string }
			inYAML := setup.Literal(text, "  ")
			err := yaml.Unmarshal([]byte("a: "+inYAML+"\n"), &found)
			if err != nil || found.A != text {
				t.Errorf("%q is %q in YAML, %v: %s", text, found.A, err, inYAML)
			}
			if strings.HasPrefix(inYAML, "|") {
				lines++
			}
		}
	}
	if lines < 50 {
		t.Errorf("only %d texts are written as lines", lines)
	}
}
