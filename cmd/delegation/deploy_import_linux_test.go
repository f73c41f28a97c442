package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDeploy_Imported: the commands of docs/deploying.md install all files of an import. What is
// installed works without the folder of the import, for the group of the service.
func TestDeploy_Imported(t *testing.T) {
	w := newBareWorld(t, t.TempDir())
	secrets := w.write(t, "secrets.yaml", "AWS_ROLE: "+importedRole+"\n")
	photos := filepath.Join(w.folder, "photos")
	typed(t, nil, "delegation import-auth0 internal/auth0export/testdata/tenant-yaml --domain "+
		"tenant.auth0.com --region eu-central-1 --secrets "+secrets+" --out "+photos)
	w.write(t, "photos/directory.js", "module.exports = {};\n") // as the guide adds them
	w.write(t, "photos/auth0.pem", string(must(os.ReadFile(filepath.Join(photos, "signing.crt")))))

	installed := filepath.Join(w.folder, "etc")
	script := blocksBySection(t, "../../docs/deploying.md")["After import-auth0"]["sh"][0]
	for old, new := range map[string]string{
		"GROUP=delegation": "GROUP=" + strconv.Itoa(os.Getgid()),
		"/etc/delegation":  installed,
	} {
		script = strings.ReplaceAll(script, old, new)
	}
	command := exec.Command("sh", "-eu", "-c", script)
	command.Dir = w.folder
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	if err := os.RemoveAll(photos); err != nil {
		t.Fatal(err)
	}
	built, err := loadAndBuild(t, filepath.Join(installed, "delegation.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if built.About.Rules == 0 {
		t.Error("no rule runs")
	}
	for _, name := range []string{"configuration.yaml", "auth0.pem", "directory.js"} {
		info, err := os.Stat(filepath.Join(installed, name))
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
