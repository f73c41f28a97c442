//go:build interop

package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// folderBucket is the bucket of the folders.
const folderBucket = "photos"

// folderScene is a bucket with a folder of alice and one of bob, in moto's S3 behind a gate that
// evaluates the folder policy.
type folderScene struct {
	aws     *ststest.Server
	moto    string // its URL, where nobody asks who calls
	manager string // the program of testdata/s3manager
	policy  iampolicy.Set
	session []string // the environment with alice's credentials, for the gate

	mu      sync.Mutex
	pending map[*http.Request][]ststest.Access // what requests ask for that are at the gate
	allowed []ststest.Access
	before  int  // calls of other runs
	missing bool // an object was missing, and the answer was 403
}

// newFolderScene has alice's session of a role with the policy that the command prints.
func newFolderScene(t *testing.T) *folderScene {
	t.Helper()
	startMoto(t)
	w := newWorld(t)
	file := w.configFile(t, "")
	policy, _ := said(t, "permission-policy", "--config", file, "--target", service.DemoTarget,
		"--bucket", folderBucket)
	parsed := must(iampolicy.Parse(policy))
	s := &folderScene{
		aws:     w.aws,
		moto:    os.Getenv("AWS_ENDPOINT_URL_KMS"),
		policy:  iampolicy.Set{Identity: []*iampolicy.Policy{parsed}},
		pending: map[*http.Request][]ststest.Access{},
	}
	err := w.aws.PutRole(ststest.Role{
		ARN: service.DemoRole, TrustPolicy: service.DemoTrust, Policies: []string{policy},
	})
	if err != nil {
		t.Fatal(err)
	}
	gate := httptest.NewServer(w.aws.Gate(s.s3(), ststest.Gate{Access: s.access}))
	t.Cleanup(gate.Close)
	token := w.write(t, "token", w.token(map[string]any{"sub": "alice"}))
	out, _ := said(t, "exchange", "--config", file, "--target", service.DemoTarget,
		"--token-file", token)
	var got struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.session = []string{
		"AWS_ACCESS_KEY_ID=" + got.AccessKeyId,
		"AWS_SECRET_ACCESS_KEY=" + got.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + got.SessionToken,
		"AWS_ENDPOINT_URL=" + gate.URL,
		"AWS_REGION=" + service.DemoRegion,
		"AWS_DEFAULT_REGION=" + service.DemoRegion,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
	}
	return s
}

// access is what a request asks for, as the gate itself reads requests for S3.
func (s *folderScene) access(r *ststest.SignedRequest) ([]ststest.Access, error) {
	all, err := ststest.S3Access(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[r.Request] = all
	return all, err
}

// s3 is moto's S3 for requests that the gate lets pass. As S3 it says that an object is missing to
// those only who may list the bucket (Amazon S3 API Reference, GetObject and HeadObject).
func (s *folderScene) s3() http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(s.moto)))
	proxy.ModifyResponse = func(answer *http.Response) error {
		r := answer.Request
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		answer.Header.Del("X-Amz-Version-Id") // S3 sends none for a bucket without versions
		if answer.StatusCode == http.StatusNotFound && key != "" && reads && !s.mayList() {
			s.refuseMissing(answer)
		}
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.allowed = append(s.allowed, s.pending[r]...)
		delete(s.pending, r)
		s.mu.Unlock()
		if strings.HasPrefix(r.Host, folderBucket+".") { // moto gets the bucket in the path
			r.Host = ""
			r.URL.Path = strings.TrimSuffix("/"+folderBucket+r.URL.Path, "/")
			r.URL.RawPath = ""
		}
		proxy.ServeHTTP(w, r)
	})
}

// mayList tells whether alice may list the bucket, without a prefix: a request for one object has
// none.
func (s *folderScene) mayList() bool {
	decision, err := s.policy.Decide(iampolicy.Request{
		Principal: iampolicy.Principal{
			ARN: "arn:aws:sts::123456789012:assumed-role/photo-editor/alice",
		},
		Action:   "s3:ListBucket",
		Resource: "arn:aws:s3:::" + folderBucket,
		Context: iampolicy.Context{
			"saml:sub": {"alice"}, "aws:ResourceAccount": {"123456789012"},
		},
	})
	return err == nil && decision.Allowed()
}

func (s *folderScene) refuseMissing(answer *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = true
	text := "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
	if answer.Request.Method == http.MethodHead {
		text = ""
	}
	_ = answer.Body.Close()
	answer.StatusCode = http.StatusForbidden
	answer.ContentLength = int64(len(text))
	answer.Header = http.Header{
		"Content-Type":   {"application/xml"},
		"Content-Length": {fmt.Sprint(len(text))},
	}
	answer.Body = io.NopCloser(strings.NewReader(text))
}

// atMoto sends a request to moto past the gate.
func (s *folderScene) atMoto(t *testing.T, method, path, body string) string {
	t.Helper()
	r := must(http.NewRequest(method, s.moto+path, strings.NewReader(body)))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/"+
		service.DemoRegion+"/s3/aws4_request, SignedHeaders=host, Signature=0")
	answer := must(http.DefaultClient.Do(r))
	defer answer.Body.Close()
	text := string(must(io.ReadAll(answer.Body)))
	if answer.StatusCode/100 != 2 {
		t.Fatalf("moto: %s %s: %s %s", method, path, answer.Status, text)
	}
	return text
}

// largeSize is above the size from which each client uploads and copies in parts: 8 MiB for the
// AWS CLI and boto3, 5 MiB for the others.
const largeSize = 9 << 20

// objects are those of each folder. A large one is there if the row names it: moto takes a while
// for it.
func (r clientRow) objects(user string) map[string]string {
	all := map[string]string{
		"small.txt":     "small, of " + user,
		"dir/inner.txt": "inner, of " + user,
	}
	if strings.Contains(r.command+r.then, "large") {
		all["large.bin"] = strings.Repeat(user[:1], largeSize)
	}
	return all
}

// reset makes the bucket anew, with the row's objects and an unfinished upload in each folder. It
// returns the uploads' IDs.
func (s *folderScene) reset(t *testing.T, row clientRow) map[string]string {
	t.Helper()
	s.atMoto(t, http.MethodPost, "/moto-api/reset", "")
	s.atMoto(t, http.MethodPut, "/"+folderBucket, "<CreateBucketConfiguration>"+
		"<LocationConstraint>"+service.DemoRegion+"</LocationConstraint>"+
		"</CreateBucketConfiguration>")
	uploads := map[string]string{}
	for _, user := range []string{"alice", "bob"} {
		at := "/" + folderBucket + "/" + user + "/"
		for name, text := range row.objects(user) {
			s.atMoto(t, http.MethodPut, at+name, text)
		}
		var begun struct{ UploadId string }
		text := s.atMoto(t, http.MethodPost, at+"begun.bin?uploads", "")
		if err := xml.Unmarshal([]byte(text), &begun); err != nil || begun.UploadId == "" {
			t.Fatalf("%v: %s", err, text)
		}
		uploads[user] = begun.UploadId
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pending)
	s.allowed = nil
	s.missing = false
	s.before = len(s.aws.Calls())
	return uploads
}

// clientOutcome is what a command came to.
type clientOutcome struct {
	code    int
	said    string
	refused string   // the last permission that was refused; "" is none
	touched []string // what was allowed, on which resource, with which prefix
}

// run runs the commands of a row with alice's credentials on somebody's folder.
func (s *folderScene) run(t *testing.T, row clientRow, user string) clientOutcome {
	t.Helper()
	uploads := s.reset(t, row)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"small.txt":      "small, a new one",
		"large.bin":      strings.Repeat("n", largeSize),
		"tree/one.txt":   "one",
		"tree/a/two.txt": "two",
	} {
		file := filepath.Join(folder, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700),
			os.WriteFile(file, []byte(text), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	environment := append(slices.Clone(s.session),
		"FOLDER="+user, "UPLOAD="+uploads[user], "HOME="+folder, "S3MANAGER="+s.manager,
		"CLIENTS="+must(filepath.Abs("testdata/s3clients")))
	if row.needs != nil && row.client == awsCLI {
		first := filepath.Dir(awsOfVersion2())
		environment = append(environment, "PATH="+first+":"+os.Getenv("PATH"))
	}
	script := "set -e\ncd '" + folder + "'\n" + clientPrelude[row.client] + row.command + "\n" +
		row.then
	code, out, errs := program(t, environment, "", "sh", "-c", script)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := clientOutcome{code: code, said: out + errs}
	if s.missing {
		o.refused = missingObject
	}
	for _, call := range s.aws.Calls()[s.before:] {
		if call.Status != 0 {
			o.refused = call.Action
		}
	}
	for _, a := range s.allowed {
		o.touched = append(o.touched, fmt.Sprint(a.Action, " ", a.Resource, " ",
			a.Context["s3:prefix"]))
	}
	return o
}

// wantOthersUntouched reports what a command on bob's folder could do with alice's credentials.
func (s *folderScene) wantOthersUntouched(t *testing.T, row clientRow, o clientOutcome) {
	t.Helper()
	if o.code == 0 || strings.Contains(o.said, "of bob") {
		t.Errorf("%s on bob's folder: exit code %d, %s", row.command, o.code, o.said)
	}
	for _, what := range o.touched {
		if !strings.Contains(what, "arn:aws:s3:::"+folderBucket+"/alice/") &&
			!strings.HasSuffix(what, "[alice/]") {
			t.Errorf("%s on bob's folder was allowed %s", row.command, what)
		}
	}
	objects := row.objects("bob")
	for name, text := range objects {
		if s.atMoto(t, http.MethodGet, "/"+folderBucket+"/bob/"+name, "") != text {
			t.Errorf("%s has changed bob's %s", row.command, name)
		}
	}
	all := s.atMoto(t, http.MethodGet, "/"+folderBucket+"?list-type=2&prefix=bob/", "")
	if n := strings.Count(all, "<Key>"); n != len(objects) {
		t.Errorf("after %s, bob has %d objects", row.command, n)
	}
	open := s.atMoto(t, http.MethodGet, "/"+folderBucket+"?uploads&prefix=bob/", "")
	if n := strings.Count(open, "<UploadId>"); n != 1 {
		t.Errorf("after %s, bob has %d unfinished uploads", row.command, n)
	}
}

// awsOfVersion2 is the AWS CLI of version 2: the usual one, or that of the Debian package.
func awsOfVersion2() string {
	for _, name := range []string{"aws", "/usr/bin/aws"} {
		file, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(file, "--version").Output()
		if err == nil && strings.HasPrefix(string(out), "aws-cli/2.") {
			return file
		}
	}
	return ""
}

func awsVersion2() string {
	if awsOfVersion2() == "" {
		return "the AWS CLI of version 2"
	}
	return ""
}

// fuse tells whether this user can mount.
func fuse() string {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return "/dev/fuse"
	}
	_ = device.Close()
	return ""
}

// The table of docs/folder-policy.md.
const (
	folderPage      = "../../docs/folder-policy.md"
	clientTableHead = "| Client | Operation | In the own folder |\n|---|---|---|\n"
	updateClients   = "go test -tags interop -run 'Interop_FolderClients$' ./cmd/delegation -update"
)

// cells are the first two columns of a row.
func (r clientRow) cells() string {
	command := "`" + strings.ReplaceAll(r.command, "$FOLDER", "FOLDER") + "`"
	isProgram := r.client == awsCLI || r.client == rclone || r.client == s3fs
	what := r.operation
	switch {
	case what == "":
		what = command
	case isProgram:
		what += ": " + command
	}
	return "| " + r.client + " | " + strings.ReplaceAll(what, "|", "\\|") + " | "
}

// line is the row of the table.
func (r clientRow) line(o clientOutcome) string {
	if o.code == 0 {
		return r.cells() + "works |\n"
	}
	return r.cells() + "refused, lacks `" + o.refused + "`: " + r.advice + " |\n"
}

// TestInterop_FolderClients: the table of docs/folder-policy.md is what real clients can do with
// the policy that permission-policy prints, in moto's S3 behind a gate that evaluates it. On bob's
// folder, alice's credentials can do nothing with any of them.
func TestInterop_FolderClients(t *testing.T) {
	for command, debianPackage := range map[string]string{
		"aws": "awscli", "rclone": "rclone", "s3fs": "s3fs", "curl": "curl", "node": "nodejs",
		"fusermount": "fuse",
	} {
		needs(t, command, debianPackage)
	}
	needsModules(t)
	s := newFolderScene(t)
	s.manager = buildInTestdata(t, "s3manager")
	page := string(must(os.ReadFile(folderPage)))
	before, rest, found := strings.Cut(page, clientTableHead)
	old, after, ends := strings.Cut(rest, "\n\n")
	if !found || !ends {
		t.Fatalf("%s has no table of clients", folderPage)
	}
	old += "\n"
	var table strings.Builder
	for _, row := range clientRows {
		if row.needs != nil && row.needs() != "" {
			t.Logf("NOT TESTED, without %s: %s", row.needs(), row.command)
			table.WriteString(lineThatBegins(old, row.cells()))
			continue
		}
		own := s.run(t, row, "alice")
		if own.code != 0 && (own.refused == "" || row.advice == "") ||
			own.code == 0 && row.advice != "" {
			t.Errorf("%s: exit code %d, refused %q, %s", row.command, own.code, own.refused,
				own.said)
		}
		table.WriteString(row.line(own))
		if strings.Contains(row.command, "$FOLDER") {
			s.wantOthersUntouched(t, row, s.run(t, row, "bob"))
		}
	}
	if *update && !t.Failed() {
		page = before + clientTableHead + table.String() + "\n" + after
		if err := os.WriteFile(folderPage, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table.String() != old {
		t.Errorf("the table of %s is out of date: %s\n%s", folderPage, updateClients,
			table.String())
	}
}

// lineThatBegins is the line of a text with the beginning; "" if there is none.
func lineThatBegins(text, beginning string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, beginning) {
			return line
		}
	}
	return ""
}

// needsModules skips the test if npm's packages or boto3 are not installed.
func needsModules(t *testing.T) {
	t.Helper()
	_, err := os.Stat("testdata/s3clients/node_modules/@aws-sdk/lib-storage")
	missing := "npm ci --prefix cmd/delegation/testdata/s3clients"
	if err == nil {
		err = exec.Command("python3", "-c", "import boto3").Run()
		missing = "apt-get install python3-boto3"
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(missing)
	case err != nil:
		t.Skip(missing)
	}
}
