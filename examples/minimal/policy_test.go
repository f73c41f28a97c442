package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// TestOwnFolderOnly is the test of docs/testing.md. The file is the output of
// delegation permission-policy --bucket example-photos --region eu-central-1.
func TestOwnFolderOnly(t *testing.T) {
	text, err := os.ReadFile("permissions.json")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := iampolicy.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	decision, err := iampolicy.Set{Identity: []*iampolicy.Policy{policy}}.Decide(iampolicy.Request{
		Principal: iampolicy.Principal{
			ARN: "arn:aws:sts::123456789012:assumed-role/photo-user/alice",
		},
		Action:   "s3:GetObject",
		Resource: "arn:aws:s3:::example-photos/bob/cat.jpg",
		Context:  iampolicy.Context{"saml:sub": {"alice"}},
	})
	if err != nil || decision.Allowed() {
		t.Errorf("alice reads bob's folder: %s, %v", decision, err)
	}
}

// TestPermissions_AreWhatIsWritten: the file is what the library writes today.
func TestPermissions_AreWhatIsWritten(t *testing.T) {
	text, err := os.ReadFile("permissions.json")
	if err != nil {
		t.Fatal(err)
	}
	region, err := delegation.ParseRegion("eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	want, err := delegation.PermissionPolicy(region, "example-photos")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(text)) != strings.TrimSpace(want) {
		t.Errorf("got %s, want %s", text, want)
	}
}

// TestGate has the gate of docs/testing.md. A request without a signature does not pass.
func TestGate(t *testing.T) {
	d := delegationtest.New(t)
	fakeS3 := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the gate was open")
	})
	s3 := d.STS.Gate(fakeS3, ststest.Gate{})
	w := httptest.NewRecorder()
	s3.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://b-1.s3.amazonaws.com/k", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("got %d", w.Code)
	}
}
