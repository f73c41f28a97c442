//go:build unix

package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestAccess: an error says which file or folder stops the service, whose it is, and as whom the
// service runs. The commands that it names, and nothing else, let the service read the file.
func TestAccess(t *testing.T) {
	me := os.Geteuid()
	mine := os.Getegid()
	const stranger = 65532
	for name, row := range map[string]struct {
		folder, file os.FileMode
		user, group  int
		contained    bool

		// want is what it says, with FOLDER, FILE, ME and MINE for those of the test.
		want string
	}{
		"what init writes, and another user": {
			0o755, 0o600, stranger, stranger, false,
			"this process runs as user 65532 and group 65532, and the file FILE belongs to " +
				"user ME and group MINE, with mode 0600: as root, run " +
				"chgrp 65532 FILE && chmod g+r FILE",
		},
		"a folder for its owner alone": {
			0o700, 0o600, stranger, stranger, false,
			"the folder FOLDER belongs to user ME and group MINE, with mode 0700: as root, " +
				"run chgrp 65532 FOLDER FILE && chmod g+x FOLDER && chmod g+r FILE",
		},
		"a folder of the group": {
			0o710, 0o600, stranger, mine, false,
			"the file FILE belongs to user ME and group MINE, with mode 0600: as root, run " +
				"chmod g+r FILE",
		},
		"a folder for its owner alone, of the group": {
			0o700, 0o640, stranger, mine, false,
			"as root, run chgrp GROUP FOLDER FILE && chmod g+x FOLDER && chmod g+r FILE",
		},
		"all but the group": {
			0o755, 0o604, stranger, mine, false,
			"with mode 0604: as root, run chmod g+r FILE",
		},
		"all but the owner": {
			0o755, 0o077, me, stranger, false, "with mode 0077: as root, run chmod u+r FILE",
		},
		"a container": {
			0o755, 0o600, stranger, stranger, true,
			"as root, run this where the container's volume comes from, with the paths " +
				"there: chgrp 65532 FILE && chmod g+r FILE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := openFolder(t)
			file := filepath.Join(folder, "signing.key")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if row.user == 0 { // who may read every file
				row.user = 65531
				if err := os.Chown(file, row.user, mine); err != nil {
					t.Fatal(err)
				}
			}
			chmod(t, file, row.file)
			chmod(t, folder, row.folder)
			says := func() string {
				return config.Refusal(file, row.user, row.group, row.contained)
			}
			said := says()
			want := strings.NewReplacer("FOLDER", folder, "FILE", file, "GROUP", groupName(mine),
				"ME", fmt.Sprintf("%s (%d)", userName(me), me),
				"MINE", fmt.Sprintf("%s (%d)", groupName(mine), mine)).Replace(row.want)
			if !strings.Contains(said, want) {
				t.Errorf("got  %s\nwant %s", said, want)
			}
			if row.group == stranger && row.user == stranger && me != 0 {
				return // only root gives a file to a group of others
			}
			_, command, _ := strings.Cut(said, "run ")
			if _, inContainer, ok := strings.Cut(command, "paths there: "); ok {
				command, _, _ = strings.Cut(inContainer, ";")
			}
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", command, err, out)
			}
			if said := says(); !strings.Contains(said, "the mode allows it") {
				t.Errorf("after %s it says %s", command, said)
			}
		})
	}
}

// TestAccess_Ways: a link is followed to the folder that stops the service, and a folder above that
// of the configuration, such as somebody's home, is not opened to others.
func TestAccess_Ways(t *testing.T) {
	const stranger = 65532
	home := openFolder(t)
	folder := filepath.Join(home, "photos")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "signing.key")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(openFolder(t), "signing.key")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	move := "move the configuration and its files to a folder that this user may enter, such as " +
		"/etc/delegation"
	chmod(t, home, 0o700)
	for _, path := range []string{file, link} {
		said := config.Refusal(path, stranger, stranger, false)
		if !strings.Contains(said, "the folder "+home+" belongs") ||
			!strings.HasSuffix(said, move) {
			t.Errorf("%s: %s", path, said)
		}
	}
	chmod(t, home, 0o755)
	chmod(t, folder, 0o754) // to read, and not to enter
	if said := config.Refusal(folder, stranger, stranger, false); !strings.HasSuffix(said,
		fmt.Sprintf("run chgrp 65532 %s && chmod g+rx %s", folder, folder)) {
		t.Errorf("a folder of rules: %s", said)
	}
	chmod(t, folder, 0o755)
	if said := config.Refusal(file, stranger, stranger, false); !strings.Contains(said, "SELinux") {
		t.Errorf("a file that every mode allows to read: %s", said)
	}
	chmod(t, file, 0o640)
	said := config.Refusal(file, stranger, stranger, false, os.Getegid())
	if !strings.Contains(said, "SELinux") {
		t.Errorf("a file of a supplementary group: %s", said)
	}
	chmod(t, file, 0o600)
	owner := os.Geteuid()
	asOwner := fmt.Sprintf("; or start the container with --user %d:%d", owner, os.Getegid())
	said = config.Refusal(file, stranger, stranger, true)
	if strings.HasSuffix(said, asOwner) != (owner != 0) {
		t.Errorf("the owner of a volume, who is no root: %s", said)
	}
	if owner == 0 {
		if err := os.Chown(file, 1000, 1001); err != nil {
			t.Fatal(err)
		}
		said := config.Refusal(file, stranger, stranger, true)
		if !strings.HasSuffix(said, "; or start the container with --user 1000:1001") {
			t.Error(said)
		}
	}
	none := filepath.Join(folder, "none")
	if said := config.Refusal(none, stranger, stranger, false); said != "" {
		t.Errorf("a file that is not there: %s", said)
	}
}

// TestAccess_Errors: what the configuration names, and the configuration itself, is explained with
// file, line and key. Root may read everything, so other users run it.
func TestAccess_Errors(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	folder := openFolder(t)
	file := filepath.Join(folder, "delegation.yaml")
	for _, name := range []string{"ca.pem", "token", "a.crt", "a.key", "secret"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		chmod(t, filepath.Join(folder, name), 0)
	}
	if err := os.Mkdir(filepath.Join(folder, "rules"), 0); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(file, []byte(`issuers:
  - {url: "https://a.example.com/", ca_file: ca.pem, bearer_token_file: token,
     shared_secret_file: secret}
identity_provider: {entity_id: a, keys: [{certificate_file: a.crt, key_file: a.key}]}
targets: {}
rules: [{javascript: {folder: rules}}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	settings, from, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Build(t.Context(), settings, from, slog.New(slog.DiscardHandler))
	for at, want := range map[string]string{
		":2: issuers[0].ca_file: ":                         "chmod u+r " + folder + "/ca.pem",
		":2: issuers[0].bearer_token_file: ":               "chmod u+r " + folder + "/token",
		":3: issuers[0].shared_secret_file: ":              "chmod u+r " + folder + "/secret",
		":4: identity_provider.keys[0].certificate_file: ": "chmod u+r " + folder + "/a.crt",
		":4: identity_provider.keys[0].key_file: ":         "chmod u+r " + folder + "/a.key",
		":6: rules[0].javascript.folder: ":                 "chmod u+rx " + folder + "/rules",
	} {
		line := regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(at) + `.*$`).FindString(err.Error())
		if !strings.HasSuffix(line, want) || !strings.Contains(line, "this process runs as user ") {
			t.Errorf("%s: got %s\nof %v", at, line, err)
		}
	}
	chmod(t, filepath.Join(folder, "rules"), 0o700) // so that it can be removed
	chmod(t, file, 0)
	if _, _, err := config.Load(file, nil); err == nil ||
		!strings.HasSuffix(err.Error(), "as root, run chmod u+r "+file) {
		t.Error(err)
	}
}

// asNobody runs the test that calls it as a user who is not root.
func asNobody(t *testing.T) {
	t.Helper()
	folder := openFolder(t)
	chmod(t, folder, 0o777)
	program := filepath.Join(openFolder(t), "test")
	text, err := os.ReadFile(must(os.Executable()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	chmod(t, program, 0o755)
	command := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.v")
	command.Dir = folder
	command.Env = append(os.Environ(), "TMPDIR="+folder)
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 65532, Gid: 65532, Groups: []uint32{}},
	}
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func userName(id int) string { return must(user.LookupId(fmt.Sprint(id))).Username }

func groupName(id int) string { return must(user.LookupGroupId(fmt.Sprint(id))).Name }

// openFolder is a folder that every user may reach.
func openFolder(t *testing.T) string {
	t.Helper()
	folder := must(filepath.EvalSymlinks(t.TempDir()))
	chmod(t, filepath.Dir(folder), 0o755)
	chmod(t, folder, 0o755)
	return folder
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
