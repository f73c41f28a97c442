//go:build interop

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// startMoto starts moto, an emulator of AWS, with its KMS, completed by testdata/moto/server.py. It
// sets the environment of the SDK to it.
func startMoto(t *testing.T) {
	t.Helper()
	python := filepath.Join("testdata", "moto", "venv", "bin", "python3")
	if _, err := os.Stat(python); err != nil {
		python = "python3"
		needs(t, python, python)
	}
	if err := exec.Command(python, "-c", "import moto.server, flask").Run(); err != nil {
		const install = "moto is missing: cd cmd/delegation/testdata/moto && " +
			"python3 -m venv venv && venv/bin/pip install -r requirements.txt"
		if os.Getenv("CI") == "true" {
			t.Fatal(install)
		}
		t.Skip(install)
	}
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	command := exec.Command(python, "testdata/moto/server.py", "-H", "127.0.0.1", "-p", port)
	said := must(command.StderrPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	runs := make(chan bool, 1)
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if strings.Contains(lines.Text(), "Running on") {
				runs <- true
			}
		}
	}()
	select {
	case <-runs:
	case <-time.After(patience):
		t.Fatal("moto does not start")
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":         "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":     "secret-of-aws",
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_DEFAULT_REGION":        "eu-central-1",
		"AWS_ENDPOINT_URL_KMS":      "http://" + address,
	} {
		t.Setenv(name, value)
	}
}

// awsKMS runs a command of the AWS CLI for KMS, and returns what it prints.
func awsKMS(t *testing.T, answer any, words ...string) {
	t.Helper()
	words = append([]string{"--endpoint-url", os.Getenv("AWS_ENDPOINT_URL_KMS"),
		"--output", "json", "kms"}, words...)
	out, err := exec.Command("aws", words...).Output()
	if err != nil {
		t.Fatalf("aws %q: %v", words, err)
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("aws %q: %v", words, err)
	}
}

// TestInterop_KMS: a key that moto's KMS has made signs its certificate and then exchanges, from
// YAML alone, through reloads and a rollover to another such key. STS verifies each signature. The
// commands are those of docs/signers.md.
func TestInterop_KMS(t *testing.T) {
	needs(t, "aws", "awscli")
	startMoto(t)
	w := newBareWorld(t, t.TempDir())
	make := func(alias, folder string) (keyID string) {
		t.Helper()
		var made struct{ KeyMetadata struct{ KeyId string } }
		awsKMS(t, &made, "create-key", "--key-usage", "SIGN_VERIFY", "--key-spec", "RSA_3072",
			"--description", "delegation")
		keyID = made.KeyMetadata.KeyId
		awsKMS(t, nil, "create-alias", "--alias-name", "alias/"+alias, "--target-key-id", keyID)
		said(t, "keygen", "--signer", "awskms:///alias/"+alias+"?region=eu-central-1",
			"--out", folder)
		return keyID
	}
	make("delegation", w.folder)
	entry := func(certificate, alias string) string {
		const form = `{certificate_file: %s, signer: "awskms:///alias/%s?region=eu-central-1"}`
		return fmt.Sprintf(form, certificate, alias)
	}
	old := entry("signing.crt", "delegation")
	configure := func(keys ...string) string {
		text := string(must(os.ReadFile(w.configFile(t, "cache: {size: -1}"))))
		return w.write(t, "delegation.yaml", strings.Replace(text,
			"- {certificate_file: signing.crt, key_file: signing.key}",
			"- "+strings.Join(keys, "\n    - "), 1))
	}
	file := configure(old)
	publish := func() {
		t.Helper()
		metadata, _ := said(t, "metadata", "--config", file)
		if err := w.aws.PutSAMLProvider(service.DemoPrincipal, []byte(metadata)); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	w.putDemoRole(t)
	s := serveReloadable(t, file)
	exchange := func(step string) {
		t.Helper()
		form := delegationForm(w.token(nil))
		status, body := post(t, client(nil), s.url+"/delegation", form)
		if status != http.StatusOK || !strings.Contains(body, editorAlice) {
			t.Errorf("%s: %d %s", step, status, body)
		}
	}
	exchange("at the start")
	s.mustReload(t)
	exchange("after a reload")
	if code, out, errs := cli(t, "check", "--config", file); code != 0 {
		t.Errorf("check: exit code %d: %s%s", code, out, errs)
	}

	w.folderOf(t, "next", nil)
	nextID := make("next", filepath.Join(w.folder, "next"))
	next := entry("next/signing.crt", "next")
	configure(old, next)
	publish()
	s.mustReload(t)
	exchange("the next key is listed")
	configure(next, old)
	s.mustReload(t)
	exchange("the next key signs")
	configure(next)
	publish()
	s.mustReload(t)
	exchange("the old key is retired")

	awsKMS(t, nil, "disable-key", "--key-id", nextID)
	form := delegationForm(w.token(nil))
	if status, body := post(t, client(nil), s.url+"/delegation", form); status != 500 {
		t.Errorf("with a disabled key: %d %s", status, body)
	}
	for _, want := range []string{"signer_refused", "aws kms enable-key --region eu-central-1"} {
		if !strings.Contains(s.logs.String(), want) {
			t.Errorf("the log has no %q: %s", want, s.logs)
		}
	}
	awsKMS(t, nil, "enable-key", "--key-id", nextID)
	exchange("the key is enabled")
	awsKMS(t, nil, "schedule-key-deletion", "--key-id", nextID)
	code, out, _ := cli(t, "check", "--config", file)
	if code != exitFailed || !strings.Contains(out, "cancel-key-deletion") {
		t.Errorf("check of a key that is to be deleted: exit code %d, %s", code, out)
	}
}

// TestInterop_KMSOtherKeys: a key that cannot sign is refused, with what to make instead.
func TestInterop_KMSOtherKeys(t *testing.T) {
	needs(t, "aws", "awscli")
	startMoto(t)
	for spec, usage := range map[string]string{
		"SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT",
		"RSA_2048":          "ENCRYPT_DECRYPT",
		"ECC_NIST_P256":     "SIGN_VERIFY",
	} {
		var made struct{ KeyMetadata struct{ KeyId string } }
		awsKMS(t, &made, "create-key", "--key-usage", usage, "--key-spec", spec)
		code, _, errs := cli(t, "keygen", "--out", t.TempDir(), "--signer",
			"awskms:///"+made.KeyMetadata.KeyId+"?region=eu-central-1")
		if code != exitUsage || !strings.Contains(errs, "SIGN_VERIFY") ||
			!strings.Contains(errs, "RSA_3072") {
			t.Errorf("%s of %s: exit code %d, %s", spec, usage, code, errs)
		}
	}
}
