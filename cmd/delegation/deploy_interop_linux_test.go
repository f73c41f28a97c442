//go:build interop

package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/ststest"
)

const deployingPage = "docs/deploying.md"

// TestInterop_Deploy: what init writes works in the image, with the unit and on Kubernetes, by the
// commands of docs/deploying.md and without an edit. Each way answers an exchange, with an issuer
// and an STS in memory. Of docker, systemctl and kubectl there are only their names: the test does
// what they would do, by what the Dockerfile, the unit and the manifests say.
func TestInterop_Deploy(t *testing.T) {
	program, inside := inNamespaces(t)
	if !inside {
		return
	}
	d := newDeployment(t, program)
	for _, command := range documentedCommands(t, deployingPage, "## The files") {
		if strings.HasPrefix(command, "delegation init ") {
			d.deploy(t, printedCommands(d.mustRun(t, command))[0])
		}
	}
	t.Run("image", d.image)
	t.Run("image, as one's own user", d.imageAsOwner)
	t.Run("image, by what the error says", d.imageByErrors)
	t.Run("unit", d.unit)
	t.Run("Kubernetes", d.kubernetes)
}

// deployment is a person with a program, and a machine to run it on.
type deployment struct {
	*person
	program string // what the Dockerfile builds
	calls   string // file with the calls of docker, systemctl and kubectl, an array each
}

func newDeployment(t *testing.T, program string) *deployment {
	t.Helper()
	d := &deployment{person: newPerson(t, "Keycloak"), program: program}
	openToAll(t, d.world.folder)
	d.save(t, right)
	folder := t.TempDir()
	d.calls = filepath.Join(folder, "calls")
	for _, name := range []string{"docker", "systemctl", "kubectl"} {
		// python3 is what other interop tests need too.
		script := "#!/usr/bin/env python3\nimport json, sys\n" +
			fmt.Sprintf("print(json.dumps(['%s', *sys.argv[1:]]), file=open(%q, 'a'))\n",
				name, d.calls)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, entry := range d.environment {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			d.environment[i] = "PATH=" + folder + ":" + value + ":/usr/sbin:/sbin"
		}
	}
	return d
}

// openToAll lets every user reach a folder of the test.
func openToAll(t *testing.T, folder string) {
	t.Helper()
	for _, path := range []string{filepath.Dir(folder), folder} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// called runs documented commands, and returns the calls of a program that is not there.
func (d *deployment) called(t *testing.T, name string, commands ...string) (calls [][]string) {
	t.Helper()
	_ = os.Remove(d.calls)
	for _, command := range commands {
		d.mustRun(t, command)
	}
	for line := range strings.Lines(string(must(os.ReadFile(d.calls)))) {
		var call []string
		if err := json.Unmarshal([]byte(line), &call); err != nil {
			t.Fatal(err)
		}
		if call[0] == name {
			calls = append(calls, call)
		}
	}
	return calls
}

// environmentOf is what a service needs to find the issuer and the STS of the test, as an operator
// behind a proxy sets it.
func (d *deployment) environmentOf(ca string) []string {
	var list []string
	for _, entry := range d.environment { // the last of a name counts
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "DELEGATION_STS_ENDPOINT":
			list = append(list, entry)
		}
	}
	return append(list, "SSL_CERT_FILE="+ca)
}

// caFile is the CA of the test's network.
func (d *deployment) caFile() (file string) {
	for _, entry := range d.environment {
		if value, ok := strings.CutPrefix(entry, "SSL_CERT_FILE="); ok {
			file = value // the last one counts
		}
	}
	return file
}

// begin starts a service that listens on port 8080 until the test ends.
func (d *deployment) begin(t *testing.T, command *exec.Cmd) *served {
	t.Helper()
	s := &served{logs: newOutput()}
	command.Stderr = s.logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = command.Process.Pid
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	s.address(t)
	s.url = "http://127.0.0.1:8080"
	return s
}

// wantExchange has the service exchange a token for credentials that STS has issued.
func (d *deployment) wantExchange(t *testing.T, s *served) {
	t.Helper()
	form := url.Values{
		"client_id": {"photo-app"}, "target": {"photo-app"}, "api_type": {"aws"},
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"id_token":   {must(d.provider.SignAs(right, nil))},
	}
	status, body := post(t, client(nil), s.url+"/delegation", form)
	isThis := func(c ststest.Call) bool {
		return c.AccessKeyID != "" && strings.Contains(body, c.AccessKeyID)
	}
	if status != http.StatusOK || !slices.ContainsFunc(d.world.aws.Calls(), isThis) {
		t.Errorf("%d %s\n%s", status, body, s.logs)
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200} {
		if status, body := get(t, client(nil), s.url+path); status != want {
			t.Errorf("%s: %d %s\n%s", path, status, body, s.logs)
		}
	}
}

// asCheck is a command line that checks instead of serving.
func asCheck(t *testing.T, words []string) []string {
	t.Helper()
	words = slices.Clone(words)
	i := slices.Index(words, "serve")
	if i < 0 {
		t.Fatalf("%q", words)
	}
	words[i] = "check"
	return words
}

// wantCheck runs delegation check as the service runs. It must not warn, not even of modes of
// files, but for the one thing that is unusual here: where STS is called.
func wantCheck(t *testing.T, command *exec.Cmd) {
	t.Helper()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		unusual := strings.HasPrefix(line, "sts endpoint ") &&
			strings.Contains(line, "DELEGATION_STS_ENDPOINT")
		if regexp.MustCompile(`WARN|FAIL`).MatchString(line) && !unusual {
			t.Errorf("check says: %s", line)
		}
	}
}

// container is what an engine needs to know of one.
type container struct {
	user        string // USER:GROUP; empty: the image's
	environment []string
	volume      string // of the host
	groups      []uint32
}

// containerOf reads the arguments of docker run.
func containerOf(t *testing.T, call []string) (c container) {
	t.Helper()
	volume := flagOf(t, call, "--volume")
	source, target, _ := strings.Cut(volume, ":")
	if target != "/etc/delegation:ro" || !filepath.IsAbs(source) {
		t.Fatalf("the volume %s is not where the image reads it, or may be written to", volume)
	}
	if flagOf(t, call, "--publish") != "127.0.0.1:8080:8080" {
		t.Errorf("%q", call)
	}
	c.volume = source
	if slices.Contains(call, "--user") {
		c.user = flagOf(t, call, "--user")
	}
	return c
}

// command is the first process of a container, whose root has only what the image has.
func (d *deployment) command(t *testing.T, c container) *exec.Cmd {
	t.Helper()
	root := t.TempDir()
	openToAll(t, root)
	copyFile(t, d.program, filepath.Join(root, "delegation"), 0o755)
	ca := "/etc/ssl/certs/ca-certificates.crt"
	copyFile(t, d.caFile(), filepath.Join(root, ca), 0o644)
	volume := filepath.Join(root, "etc", "delegation")
	if err := os.MkdirAll(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	mount(t, c.volume, volume, syscall.MS_BIND)
	mount(t, c.volume, volume, syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY)
	t.Cleanup(func() { _ = syscall.Unmount(volume, 0) })

	user := c.user
	if user == "" {
		user = commandLine(t, dockerfile, "USER ")[0]
	}
	var ids [2]uint32
	for i, text := range strings.Split(user, ":") {
		ids[i] = uint32(must(strconv.ParseUint(text, 10, 32)))
	}
	words := append(commandLine(t, dockerfile, "ENTRYPOINT "),
		commandLine(t, dockerfile, "CMD ")...)
	return &exec.Cmd{
		Path: words[0],
		Args: words,
		Dir:  "/",
		Env: slices.Concat(commandLine(t, dockerfile, "ENV "), d.environmentOf(ca),
			c.environment),
		SysProcAttr: &syscall.SysProcAttr{
			Chroot:     root,
			Cloneflags: syscall.CLONE_NEWPID,
			Credential: &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: c.groups},
		},
	}
}

func copyFile(t *testing.T, from, to string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, must(os.ReadFile(from)), mode); err != nil {
		t.Fatal(err)
	}
}

// image: the first block of the section.
func (d *deployment) image(t *testing.T) {
	commands := documentedCommands(t, deployingPage, "## Container")
	calls := d.called(t, "docker", commands[:2]...)
	c := containerOf(t, calls[0])
	d.wantExchange(t, d.begin(t, d.command(t, c)))
	if c.user != "" || c.volume != "/etc/delegation" {
		t.Errorf("%+v", c)
	}
}

// imageAsOwner: the second block, which needs no root.
func (d *deployment) imageAsOwner(t *testing.T) {
	commands := documentedCommands(t, deployingPage, "## Container")
	// Its owner is somebody with a home.
	photos := filepath.Join(d.world.folder, "photos")
	own := func(user, group string) {
		if out, err := exec.Command("chown", "-R", user+":"+group, photos).
			CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	own("1000", "1001")
	t.Cleanup(func() { own("0", "0") })
	asOwner := "setpriv --reuid 1000 --regid 1001 --clear-groups "
	command := strings.NewReplacer("$(id -u)", "$("+asOwner+"id -u)",
		"$(id -g)", "$("+asOwner+"id -g)").Replace(commands[2])
	c := containerOf(t, d.called(t, "docker", command)[0])
	if c.user != "1000:1001" || c.volume != photos {
		t.Errorf("%+v", c)
	}
	d.wantExchange(t, d.begin(t, d.command(t, c)))
}

// imageByErrors: the files as init wrote them, and no documentation. Each error names a command
// that works to the letter on the host, and two of them are enough.
func (d *deployment) imageByErrors(t *testing.T) {
	photos := filepath.Join(d.world.folder, "photos")
	private := filepath.Join(t.TempDir(), "photos")
	if out, err := exec.Command("cp", "-a", photos, private).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := container{volume: private}
	const maxRounds = 2
	for range maxRounds {
		command := d.command(t, c)
		said, err := command.CombinedOutput()
		if err == nil || command.ProcessState.ExitCode() != exitUsage {
			t.Fatalf("%v: %s", err, said)
		}
		remedies := regexp.MustCompile(`with the paths there: (chgrp .*)`).
			FindAllStringSubmatch(string(said), -1)
		if len(remedies) == 0 {
			t.Fatalf("no remedy: %s", said)
		}
		for _, remedy := range remedies {
			d.mustRun(t, strings.ReplaceAll(remedy[1], "/etc/delegation", private))
		}
	}
	d.wantExchange(t, d.begin(t, d.command(t, c)))
}

// unit: the section's commands, then what systemd does of the unit's lines. A reload reads the
// files as the unit's user.
func (d *deployment) unit(t *testing.T) {
	if err := os.RemoveAll("/etc/delegation"); err != nil {
		t.Fatal(err)
	}
	copyFile(t, d.program, filepath.Join(d.world.folder, "delegation"), 0o755)
	copyFile(t, unitFile, filepath.Join(d.world.folder, "delegation.service"), 0o644)
	calls := d.called(t, "systemctl", documentedCommands(t, deployingPage, "## systemd")...)
	want := [][]string{
		{"systemctl", "daemon-reload"},
		{"systemctl", "enable", "--now", "delegation"},
	}
	if !slices.EqualFunc(calls, want, slices.Equal) {
		t.Errorf("%q", calls)
	}
	const installed = "/etc/systemd/system/delegation.service"
	user := commandLine(t, installed, "User=")[0]
	group := commandLine(t, installed, "Group=")[0]
	words := slices.Concat([]string{
		"--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs",
		"--bounding-set", "-all", "--inh-caps", "-all", "--",
	}, commandLine(t, installed, "ExecStart="))
	environment := d.environmentOf(d.readableCA(t))
	command := exec.Command("setpriv", words...)
	command.Env = environment
	s := d.begin(t, command)
	check := exec.Command("setpriv", asCheck(t, words)...)
	check.Env = environment
	wantCheck(t, check)
	d.wantExchange(t, s)

	reload := func(want string) string {
		t.Helper()
		words := commandLine(t, installed, "ExecReload=")
		for i, word := range words {
			words[i] = strings.ReplaceAll(word, "$MAINPID", fmt.Sprint(s.process))
		}
		out, err := exec.Command("setpriv", append([]string{
			"--reuid", user, "--regid", group, "--clear-groups", "--",
		}, words...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v %s", words, err, out)
		}
		return waitFor(t, s, want)
	}
	reload(`"msg":"configuration reloaded"`)
	d.wantExchange(t, s)
	// A new key as keygen writes it: the error says what to run, and that is enough.
	key := "/etc/delegation/signing.key"
	if err := os.Chown(key, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	said := reload(`"msg":"configuration not reloaded"`)
	var entry struct{ Error string }
	if err := json.Unmarshal([]byte(said), &entry); err != nil {
		t.Fatal(err)
	}
	_, remedy, ok := strings.Cut(entry.Error, "as root, run ")
	if !ok || remedy != "chgrp delegation "+key+" && chmod g+r "+key {
		t.Fatalf("no remedy: %s", said)
	}
	d.wantExchange(t, s)
	d.mustRun(t, remedy)
	reload(`"msg":"configuration reloaded"`)
	d.wantExchange(t, s)
}

// readableCA is a copy of the CA of the test's network that every user can read.
func (d *deployment) readableCA(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	openToAll(t, folder)
	file := filepath.Join(folder, "ca.pem")
	copyFile(t, d.caFile(), file, 0o644)
	return file
}

// waitFor waits for a line of the log.
func waitFor(t *testing.T, s *served, want string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-s.logs.lines:
			if strings.Contains(line, want) {
				return line
			}
		case <-deadline:
			t.Fatalf("no %s: %s", want, s.logs)
		}
	}
}

// kubernetes: the section's commands, then what the kubelet does of the manifests: the files are in
// a projected volume, with links, for the group of the pod.
func (d *deployment) kubernetes(t *testing.T) {
	commands := documentedCommands(t, deployingPage, "## Kubernetes")
	calls := d.called(t, "kubectl", commands...)
	if !slices.Equal(calls[0], []string{"kubectl", "apply", "-k", "deploy/kubernetes"}) {
		t.Fatalf("%q", calls)
	}
	var made struct {
		ConfigMaps []struct{ Files []string } `yaml:"configMapGenerator"`
		Secrets    []struct{ Files []string } `yaml:"secretGenerator"`
	}
	readManifest(t, "kustomization.yaml", &made)
	var manifest struct {
		Spec struct{ Template struct{ Spec pod } }
	}
	readManifest(t, "deployment.yaml", &manifest)
	spec := manifest.Spec.Template.Spec
	var files []string
	for _, one := range append(made.ConfigMaps, made.Secrets...) {
		for _, name := range one.Files {
			files = append(files, filepath.Join(d.world.folder, calls[0][3], name))
		}
	}
	if spec.SecurityContext.FSGroup == 0 {
		t.Fatal("without fsGroup the files belong to root's group")
	}
	c := container{
		user:   fmt.Sprintf("%d:%d", spec.SecurityContext.User, spec.SecurityContext.Group),
		groups: []uint32{uint32(spec.SecurityContext.FSGroup)},
		volume: projected(t, files, spec.Volumes[0].Projected.DefaultMode,
			spec.SecurityContext.FSGroup),
	}
	for _, v := range spec.Containers[0].Env {
		c.environment = append(c.environment, v.Name+"="+v.Value)
	}
	if spec.Containers[0].VolumeMounts[0].MountPath != "/etc/delegation" {
		t.Errorf("%+v", spec.Containers[0])
	}
	s := d.begin(t, d.command(t, c))
	d.wantExchange(t, s)
	check := d.command(t, c)
	check.Args = asCheck(t, check.Args)
	wantCheck(t, check)
	if strings.Contains(s.logs.String(), "sets nothing") {
		t.Errorf("a variable of the Deployment is unknown: %s", s.logs)
	}
	status, body := get(t, client(nil), "http://127.0.0.1:9464/metrics")
	if status != http.StatusOK || !strings.Contains(body, "delegation_exchanges_total") {
		t.Errorf("what the ServiceMonitor scrapes: %d %s", status, body)
	}
}

// pod is what the kubelet reads of a Deployment, as far as this test goes.
type pod struct {
	SecurityContext struct {
		User    int `yaml:"runAsUser"`
		Group   int `yaml:"runAsGroup"`
		FSGroup int `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	Containers []struct {
		Env          []struct{ Name, Value string }
		VolumeMounts []struct {
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Projected struct {
			DefaultMode fs.FileMode `yaml:"defaultMode"`
		}
	}
}

func readManifest(t *testing.T, name string, into any) {
	t.Helper()
	text := must(os.ReadFile(filepath.Join("..", "..", "deploy", "kubernetes", name)))
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// projected makes a folder as the kubelet makes a projected volume
// (pkg/volume/util/atomic_writer.go of Kubernetes): the files are in a folder with a date,
// ..data leads there, and names lead to ..data. fsGroup is the group of all of it, and root is the
// owner.
func projected(t *testing.T, files []string, mode fs.FileMode, fsGroup int) (volume string) {
	t.Helper()
	volume = t.TempDir()
	const dated = "..2026_11_29_10_00_00.123456789"
	if err := os.Mkdir(filepath.Join(volume, dated), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dated, filepath.Join(volume, "..data")); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		copyFile(t, file, filepath.Join(volume, dated, name), mode)
		link := filepath.Join(volume, name)
		if err := os.Symlink(filepath.Join("..data", name), link); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(volume, dated, name), 0, fsGroup); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{volume, filepath.Join(volume, dated)} {
		if err := os.Chown(folder, 0, fsGroup); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, 0o750|fs.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	return volume
}
