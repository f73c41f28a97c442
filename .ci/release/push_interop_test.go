//go:build interop

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// TestInterop_Push: the workflow's push step gives a registry the index that the layout names, has
// that digest signed and no other, and reports it for the provenance.
func TestInterop_Push(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	folder := imageOf(t)
	image := strings.TrimPrefix(server.URL, "http://") + "/Example/Delegation"
	reported, signed, err := push(t, folder, image, "#!/bin/sh\necho \"$*\" >\"$SIGNED\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := layoutDigest(t, folder); reported != "digest="+want+"\n" {
		t.Errorf("got %q, want %s", reported, want)
	}
	lower := strings.ToLower(image)
	if want := "sign --yes --recursive " + lower + "@" + layoutDigest(t, folder); signed != want {
		t.Errorf("cosign got %q, want %q", signed, want)
	}
	_, repository, _ := strings.Cut(lower, "/")
	answer, err := http.Get(server.URL + "/v2/" + repository + "/manifests/v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	pushed, err := io.ReadAll(answer.Body)
	if err != nil || digest(pushed) != layoutDigest(t, folder) {
		t.Errorf("the registry has %s, %v", pushed, err)
	}
	reported, _, err = push(t, folder, image, "#!/bin/sh\nexit 1\n")
	if err == nil || reported != "" {
		t.Errorf("an image that is not signed gets provenance: %q, %v", reported, err)
	}
}

// push runs the step with a cosign of its own, and returns what the step and cosign wrote.
func push(t *testing.T, folder, image, cosign string) (output, signed string, err error) {
	t.Helper()
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "cosign"), []byte(cosign), 0o700); err != nil {
		t.Fatal(err)
	}
	step := exec.Command("./push", folder, image, "v1.2.3")
	step.Env = append(os.Environ(),
		"PATH="+work+":"+os.Getenv("PATH"),
		"GITHUB_OUTPUT="+filepath.Join(work, "output"),
		"SIGNED="+filepath.Join(work, "signed"),
		"REGISTRY_USER=user",
		"REGISTRY_PASSWORD=password",
	)
	said, err := step.CombinedOutput()
	if err != nil {
		t.Logf("%s", said)
	}
	text := func(file string) string {
		data, _ := os.ReadFile(filepath.Join(work, file)) // absent if the step failed
		return string(data)
	}
	return text("output"), strings.TrimSpace(text("signed")), err
}

func layoutDigest(t *testing.T, folder string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var top index
	if err := json.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	return top.Manifests[0].Digest
}
