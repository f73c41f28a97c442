package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// certificatesIn are the certificates of a metadata document, as base64.
func certificatesIn(metadata string) (found []string) {
	for _, m := range anX509.FindAllStringSubmatch(metadata, -1) {
		found = append(found, m[1])
	}
	return found
}

var anX509 = regexp.MustCompile(`<X509Certificate[^>]*>([^<]+)<`)

// serves starts the service, and has it compare with the file of the configuration what it
// publishes.
func (o *operation) serves() *reloadable {
	text := string(must(os.ReadFile("delegation.yaml")))
	o.write(o.t, "delegation.yaml", "listen: 127.0.0.1:0\n"+text)
	return serveReloadable(o.t, filepath.Join(o.folder, "delegation.yaml"))
}

// runWith runs a command of the documentation, also those that need the service or the AWS CLI.
func (o *operation) runWith(s *reloadable, line string) error {
	switch {
	case line == "curl -fsS https://HOST/metadata | cmp - metadata.xml":
		status, served := get(o.t, client(nil), s.url+"/metadata")
		if file := must(os.ReadFile("metadata.xml")); status != 200 ||
			!bytes.Equal(file, []byte(served)) {
			return fmt.Errorf("the service publishes another document than the file: %s", served)
		}
		return nil
	case strings.HasPrefix(line, "aws iam update-saml-provider "):
		words := strings.Fields(line)
		name := strings.TrimPrefix(flagOf(o.t, words, "--saml-provider-arn"),
			o.account.arn("saml-provider/"))
		p := o.account.providers[name]
		p.metadata = fileOf(o.t, words, "--saml-metadata-document")
		_, err := o.account.putSAMLProvider(name, p, false)
		return err
	}
	return o.run(line)
}

// change writes the configuration and reloads the service.
func (o *operation) change(s *reloadable, keys, also []string) {
	o.t.Helper()
	o.keys = keys
	o.also = also
	o.configure()
	text := string(must(os.ReadFile("delegation.yaml")))
	o.write(o.t, "delegation.yaml", "listen: 127.0.0.1:0\n"+text)
	s.mustReload(o.t)
}

// TestRollover_Documented replaces the key of two targets in the three documented ways, after a
// set-up in that way. At every step both targets exchange with every key that signs then. A change
// for another reason, after the rollover, does not put the old certificate back.
func TestRollover_Documented(t *testing.T) {
	for _, way := range rolloverWays {
		t.Run(way.name, func(t *testing.T) { newOperation(t).rollOver(way) })
	}
}

// rolloverWay is one of the ways in which AWS gets the metadata.
type rolloverWay struct{ name, section, setUp string }

var rolloverWays = []rolloverWay{
	{"AWS CLI", "### With the AWS CLI", "cloudformation"},
	{"Terraform", "### With Terraform", "terraform"},
	{"CloudFormation", "### With CloudFormation", "cloudformation"},
}

// rollOver sets up two targets, and replaces their key.
func (o *operation) rollOver(way rolloverWay) {
	const page = "docs/key-rollover.md"
	t := o.t
	t.Helper()
	for _, section := range []string{"## The first target", "## The second target"} {
		o.mustRun(setUpCommands(t, way.setUp, section)...)
	}
	s := o.serves()
	publish := func(step string, certificates int) {
		t.Helper()
		commands := slices.Concat(
			documentedCommandsIn(t, page, "## Give AWS the metadata")[:2],
			documentedCommandsIn(t, page, way.section))
		for _, line := range commands {
			if err := o.runWith(s, line); err != nil {
				t.Fatalf("%s: %s: %v", step, line, err)
			}
		}
		got := certificatesIn(o.account.providers["delegation"].metadata)
		if len(got) != certificates {
			t.Errorf("%s: AWS has %d certificates, want %d", step, len(got), certificates)
		}
	}
	o.works("before", operatedTargets...)
	if err := os.Mkdir("next", 0o700); err != nil {
		t.Fatal(err)
	}
	said(t, "keygen", "--bits", "2048", "--out", "next")
	old := o.account.providers["delegation"]

	o.change(s, []string{".", "next"}, nil)
	o.works("the new key is listed", operatedTargets...)
	publish("publish", 2)
	o.works("published", operatedTargets...)
	o.change(s, []string{"next", "."}, nil)
	o.works("the new key signs", operatedTargets...)
	publish("publish again, for another reason", 2)
	o.works("published again", operatedTargets...)
	o.change(s, []string{"next"}, nil)
	o.works("the old key is removed", operatedTargets...)
	publish("retire", 1)
	o.works("retired", operatedTargets...)

	// Something else changes: the first target's role.
	if way.name != "AWS CLI" {
		o.mustRun("delegation " + way.setUp + " --target photo-app --tags --out " +
			map[string]string{
				"terraform":      "role-photo-app.tf --replace",
				"cloudformation": "role-photo-app.yaml --replace",
			}[way.setUp])
		for _, line := range setUpCommands(t, way.setUp, "## The first target") {
			if !strings.HasPrefix(line, "delegation ") {
				o.mustRun(line)
			}
		}
	}
	o.works("another change", operatedTargets...)
	now := o.account.providers["delegation"]
	if now.arn != old.arn || now.uuid != old.uuid {
		t.Errorf("the provider was %v and is %v", old, now)
	}
	before := certificatesIn(old.metadata)
	if got := certificatesIn(now.metadata); slices.Contains(got, before[0]) {
		t.Error("the old certificate is back")
	}
	for _, call := range o.account.calls[3:] {
		if strings.Contains(call, "new=true") && !strings.HasPrefix(call, "PutRole") {
			t.Errorf("the rollover makes %s", call)
		}
	}

	o.change(s, []string{"."}, nil)
	for _, target := range operatedTargets {
		if err := o.exchange(target); err == nil {
			t.Errorf("%s: so the test can fail: the old key is still good", target)
		}
	}
}

// TestRollover_OtherVendor: during a cut-over AWS accepts the assertions of both keys, by the
// configuration and by the flag, and after it those of ours alone.
func TestRollover_OtherVendor(t *testing.T) {
	o := newOperation(t)
	if err := os.Mkdir("vendor", 0o700); err != nil {
		t.Fatal(err)
	}
	said(t, "keygen", "--bits", "2048", "--out", "vendor")
	o.write(t, "auth0.pem", string(must(os.ReadFile("vendor/signing.crt"))))
	for _, section := range []string{"## The first target", "## The second target"} {
		o.mustRun(setUpCommands(t, "terraform", section)...)
	}
	signs := func(step string, ours, theirs bool) {
		t.Helper()
		for _, row := range []struct {
			folder string
			want   bool
		}{{".", ours}, {"vendor", theirs}} {
			o.keys = []string{row.folder}
			also := o.also
			o.also = nil
			o.configure()
			for _, target := range operatedTargets {
				if err := o.exchange(target); (err == nil) != row.want {
					t.Errorf("%s: the key in %s: %s: %v", step, row.folder, target, err)
				}
			}
			o.also = also
		}
		o.keys = []string{"."}
		o.configure()
	}
	signs("before", true, false)

	commands := documentedCommandsIn(t, "docs/key-rollover.md",
		"## Keep the certificate of another vendor")
	o.mustRun(append(commands, "terraform apply")...)
	byFlag := o.account.providers["delegation"].metadata
	signs("by the flag", true, true)

	o.mustRun("delegation metadata --out metadata.xml --replace", "terraform apply")
	signs("without it", true, false)

	o.also = []string{"auth0.pem"}
	o.configure()
	s := o.serves()
	for _, line := range append(
		documentedCommandsIn(t, "docs/key-rollover.md", "## Give AWS the metadata")[:2],
		"terraform apply") {
		if err := o.runWith(s, line); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.account.providers["delegation"].metadata; got != byFlag {
		t.Error("the configuration and the flag make two documents")
	}
	signs("by the configuration", true, true)

	o.change(s, []string{"."}, nil)
	o.mustRun("delegation metadata --out metadata.xml --replace", "terraform apply")
	signs("after the cut-over", true, false)
}
