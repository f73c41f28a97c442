package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

// asked has the questions asked with these answers, one on a line.
func asked(t testing.TB, i *initiation, answers string) (prompts string, err error) {
	t.Helper()
	var out bytes.Buffer
	i.stderr = &out
	in := bufio.NewScanner(strings.NewReader(answers))
	for _, q := range i.questions() {
		if err = i.ask(t.Context(), in, q); err != nil {
			break
		}
	}
	return out.String(), err
}

func TestInit_Asks(t *testing.T) {
	i := &initiation{surroundings: surroundings{
		environment: []string{"AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=us-east-1"},
	}}
	prompts, err := asked(t, i,
		"https://tenant.example.com/\nphoto-app\n123456789012\n\nexample-photos\n\n\n\n\n")
	want := initiation{Answers: setup.Answers{
		Issuer: "https://tenant.example.com/", ClientID: "photo-app", Account: "123456789012",
		Region: "eu-central-1", Bucket: "example-photos", Role: "delegation-user",
		SAMLProvider: "delegation", Target: "photo-app", EntityID: "urn:tenant.example.com",
	}}
	want.surroundings = i.surroundings
	if err != nil || fmt.Sprintf("%+v", *i) != fmt.Sprintf("%+v", want) {
		t.Errorf("got %v, %+v, want %+v", err, *i, want)
	}
	for _, line := range []string{
		"iss claim: ", "[eu-central-1]: ", "[delegation-user]: ", "[delegation]: ", "[photo-app]: ",
		"[urn:tenant.example.com]: ",
	} {
		if strings.Count(prompts, line) != 1 {
			t.Errorf("it does not ask %s:\n%s", line, prompts)
		}
	}
}

// TestInit_AsksAgain until each answer is good, and says what is wrong.
func TestInit_AsksAgain(t *testing.T) {
	i := &initiation{}
	prompts, err := asked(t, i, strings.Join([]string{
		"", "tenant.example.com", "http://tenant.example.com/", "http://127.0.0.1/",
		"https://u:p@tenant.example.com/", "https://", "https://a/?b",
		"  https://tenant.example.com/  ",
		"", strings.Repeat("x", 1025), "photo-app",
		"", "12345678901", "1234567890123", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢", "123456789012",
		"", "mars-north-1", "aws-global", "cn-north-1",
		"", "Photos", "photos/*", "${saml:sub}", "example-photos",
		"a b", "a/", strings.Repeat("r", 65), "teams/press/photo-user",
		"a/b", "a b", "tenant",
		"a\tb", "photos",
		"urn:${aws:username}", "urn:日本", "urn:photos", "",
	}, "\n"))
	want := initiation{Answers: setup.Answers{
		Issuer: "https://tenant.example.com/", ClientID: "photo-app", Account: "123456789012",
		Region: "cn-north-1", Bucket: "example-photos", Role: "teams/press/photo-user",
		SAMLProvider: "tenant", Target: "photos", EntityID: "urn:photos",
	}}
	want.surroundings = i.surroundings
	if err != nil || fmt.Sprintf("%+v", *i) != fmt.Sprintf("%+v", want) {
		t.Fatalf("got %v, %+v, want %+v\n%s", err, *i, want, prompts)
	}
	const complaints = 6 + 1 + 4 + 2 + 3 + 3 + 2 + 1 + 2
	lines := strings.Count(prompts, "\n")
	if lines < complaints || strings.Count(prompts, ": ") < complaints {
		t.Errorf("%d lines: a wrong answer passes in silence:\n%s", lines, prompts)
	}
	if got := i.PrincipalARN(); got != "arn:aws-cn:iam::123456789012:saml-provider/tenant" {
		t.Errorf("principal %s", got)
	}
	if got := i.RoleARN(); got != "arn:aws-cn:iam::123456789012:role/teams/press/photo-user" {
		t.Errorf("role %s", got)
	}
}

func TestInit_NoAnswer(t *testing.T) {
	for _, answers := range []string{
		"", "https://tenant.example.com/\n", strings.Repeat("x", 1<<20),
	} {
		_, err := asked(t, &initiation{}, answers)
		if !errors.As(err, new(config.UsageError)) {
			t.Errorf("got %v", err)
		}
	}
}

// TestInit_Interrupted: a question that nobody answers ends with the context.
func TestInit_Interrupted(t *testing.T) {
	silent, typing := io.Pipe()
	defer typing.Close()
	ctx, cancel := context.WithCancel(t.Context())
	i := &initiation{surroundings: surroundings{stderr: promptWriter(cancel)}}
	err := i.ask(ctx, bufio.NewScanner(silent), i.questions()[0])
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	err = i.ask(ctx, bufio.NewScanner(silent), i.questions()[0])
	if !errors.Is(err, context.Canceled) {
		t.Errorf("once it has ended: got %v", err)
	}
}

// promptWriter is called at the first word.
type promptWriter func()

func (w promptWriter) Write(p []byte) (int, error) { w(); return len(p), nil }

// answered is a set of good answers.
func answered(folder string) *setup.Answers {
	return &setup.Answers{
		Issuer: "https://tenant.example.com/", ClientID: "photo-app", Account: "123456789012",
		Region: "eu-central-1", Bucket: "example-photos", Role: "delegation-user",
		SAMLProvider: "delegation", Target: "photo-app", EntityID: "urn:tenant.example.com",
		Folder: folder,
	}
}

// keyPair is the tests' signing key as PEM.
func keyPair() (certificate, private []byte) {
	key := delegationtest.SigningKey()
	return []byte(pemBlock("CERTIFICATE", key.Certificate.Raw)),
		[]byte(pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key.Signer))))
}

// TestInit_NothingHalfDone: whatever stops it, neither a file nor a folder is left, and what was
// there stays.
func TestInit_NothingHalfDone(t *testing.T) {
	files := must(answered("").Files(keyPair()))
	place := func(folder string) (list []setup.File) {
		for _, f := range files {
			list = append(list, setup.File{Path: filepath.Join(folder, f.Path), Text: f.Text})
		}
		return list
	}
	entries := func(folder string) (names []string) {
		list, _ := os.ReadDir(folder)
		for _, entry := range list {
			names = append(names, entry.Name())
		}
		return names
	}
	t.Run("nothing stops it", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "a", "b")
		err := answered(folder).Write(t.Context(), place(folder))
		if err != nil || len(entries(folder)) != len(files) {
			t.Errorf("got %v, %q", err, entries(folder))
		}
	})
	for n := range files {
		t.Run("there is "+files[n].Path, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, files[n].Path), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			err := answered(folder).Write(t.Context(), place(folder))
			got := entries(folder)
			if !errors.As(err, new(config.UsageError)) ||
				!strings.Contains(err.Error(), files[n].Path) || len(got) != 1 {
				t.Errorf("got %v, %q", err, got)
			}
		})
		t.Run("interrupted before "+files[n].Path, func(t *testing.T) {
			outer := t.TempDir()
			folder := filepath.Join(outer, "a", "b")
			ctx := &countdown{Context: t.Context(), left: n}
			err := answered(folder).Write(ctx, place(folder))
			if !errors.Is(err, context.Canceled) || len(entries(outer)) != 0 {
				t.Errorf("got %v, %q", err, entries(outer))
			}
		})
		t.Run("cannot write "+files[n].Path, func(t *testing.T) {
			outer := t.TempDir()
			folder := filepath.Join(outer, "a")
			list := place(folder)
			tooLong := strings.Repeat("n", 300) // for a file's name
			list[n].Path = filepath.Join(folder, "another folder", tooLong)
			err := answered(folder).Write(t.Context(), list)
			if err == nil || len(entries(outer)) != 0 {
				t.Errorf("got %v, %q", err, entries(outer))
			}
		})
	}
	t.Run("the configuration does not load", func(t *testing.T) {
		outer := t.TempDir()
		folder := filepath.Join(outer, "a")
		list := place(folder)
		last := &list[len(list)-1].Text
		good := *last
		for text, want := range map[string]string{
			good + "more: 1\n": "unknown key",
			strings.Replace(good, "eu-central-1", "mars-north-1", 1): "mars-north-1",
		} {
			*last = text
			err := answered(folder).Write(t.Context(), list)
			if err == nil || !strings.Contains(err.Error(), want) || len(entries(outer)) != 0 {
				t.Errorf("got %v, %q", err, entries(outer))
			}
		}
	})
	t.Run("the folder is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{file, filepath.Join(file, "b")} {
			if err := answered(folder).Write(t.Context(), place(folder)); err == nil {
				t.Error("it writes into a file")
			}
		}
		if got := string(must(os.ReadFile(file))); got != "mine" {
			t.Errorf("it has %q", got)
		}
	})
}

// countdown is a context that ends after some looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestInit_OddAnswers: what passes the checks makes a configuration that loads, and says what was
// answered.
func TestInit_OddAnswers(t *testing.T) {
	texts := slices.Concat(oddTexts, []string{
		"${a}", "a.b[0]", "targets", "😀\U0001F600", "<<",
		"{a: b}", "[a]", "@a", "`a", "%a", ",", "?", ":",
	})
	for _, text := range texts {
		folder := t.TempDir()
		i := answered(folder)
		if setup.CheckName(text) != nil {
			continue
		}
		i.ClientID = text
		i.Target = text
		if i.CheckEntityID(text) == nil {
			i.EntityID = text
		}
		files, err := i.Files(keyPair())
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if err := i.Write(t.Context(), files); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		loaded, _, err := config.Load(filepath.Join(folder, setup.ConfigurationFile), nil)
		target := loaded.Targets[text]
		if err != nil || loaded.Identity.EntityID != i.EntityID || len(target.Audiences) != 1 ||
			target.Audiences[0] != text || target.Principal != i.PrincipalARN() ||
			target.Role != i.RoleARN() {
			t.Errorf("%q: %v, %+v", text, err, loaded)
		}
	}
}

// TestInit_Exchange: once AWS has what the set-up says, the configuration exchanges tokens as it
// is, also for a target of another name.
func TestInit_Exchange(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct {
		name, target, extension string
		flags                   []string
	}{
		{"CloudFormation", "photo-app", ".yaml", nil},
		{"Terraform", "photos", ".tf",
			[]string{
				"--terraform", "--target", "photos", "--role", "teams/press/photo-user",
				"--saml-provider", "other", "--entity-id", `urn:"<&>é`,
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := t.TempDir()
			said(t,
				append(
					[]string{"init", "--issuer", w.issuerURL, "--allow-loopback-http",
						"--client-id", service.DemoTarget, "--account", "123456789012", "--bucket",
						"example-photos",
						"--region", service.DemoRegion, "--out", folder}, row.flags...)...)
			metadata := string(must(os.ReadFile(filepath.Join(folder, "metadata.xml"))))
			provider := string(must(os.ReadFile(filepath.Join(folder, "provider"+row.extension))))
			role := string(must(os.ReadFile(
				filepath.Join(folder, "role-"+row.target+row.extension))))
			var found inAWS
			if in := newAccount("123456789012", "aws"); row.extension == ".tf" {
				found = readTerraform(t, in, metadata, provider, role)
			} else {
				found = readCloudFormation(t, in, provider, role)
			}
			if found.metadata != metadata {
				t.Errorf("the set-up has the metadata\n%s\nand metadata.xml\n%s",
					found.metadata, metadata)
			}
			if err := errors.Join(
				w.aws.PutSAMLProvider("arn:aws:iam::123456789012:saml-provider/"+found.provider,
					[]byte(found.metadata)),
				w.aws.PutRole(ststest.Role{
					ARN:         "arn:aws:iam::123456789012:role" + found.path + found.role,
					TrustPolicy: found.trust,
				})); err != nil {
				t.Fatal(err)
			}
			built, err := surroundings{environment: []string{
				"DELEGATION_STS_ENDPOINT=" + w.awsURL,
			}}.configured(t.Context(), filepath.Join(folder, setup.ConfigurationFile), false, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = built.Delegator.Exchange(t.Context(), w.token(nil), row.target)
			if err != nil {
				t.Error(err)
			}
			_, err = built.Delegator.Exchange(t.Context(),
				w.token(map[string]any{"email_verified": false}), row.target)
			if !errors.Is(err, delegation.CodeDenied) {
				t.Errorf("a user whose address is not verified: %v", err)
			}
		})
	}
}
