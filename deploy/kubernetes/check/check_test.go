// Package check tests the manifests of deploy/kubernetes: kustomize builds them with the files that
// delegation init writes, and Kubernetes' own types decode what comes of it.
package check

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	top       = "../../.."
	manifests = ".."
	monitor   = "servicemonitor.yaml" // no part of the kustomization
)

// files are those of init that the kustomization takes.
var files = []string{"delegation.yaml", "signing.crt", "signing.key"}

// initialised is a copy of the manifests with what init writes in the folder that the documentation
// names. No file is edited.
func initialised(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	entries, err := os.ReadDir(manifests)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(manifests, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, e.Name()), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	initialise(t, filepath.Join(folder, "files"))
	return folder
}

// initialise runs delegation init.
func initialise(t *testing.T, folder string) {
	t.Helper()
	init := exec.Command("go", "run", "./cmd/delegation", "init",
		"--issuer", "https://tenant.example.com/", "--client-id", "photo-app",
		"--account", "123456789012", "--bucket", "example-photos", "--region", "eu-central-1",
		"--out", folder)
	init.Dir = top
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// build is kustomize build of a folder.
func build(t *testing.T, folder string) []byte {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// cluster is what the manifests describe, of each kind one.
type cluster struct {
	namespace  *core.Namespace
	account    *core.ServiceAccount
	config     *core.ConfigMap
	rules      *core.ConfigMap // only after import-auth0
	secret     *core.Secret
	deployment *apps.Deployment
	service    *core.Service
	budget     *policy.PodDisruptionBudget
	network    *networking.NetworkPolicy
	monitor    *monitoring.ServiceMonitor
}

// decode decodes documents strictly: an unknown field or kind, or a field that is there twice, is
// an error, as is a second object of a kind.
func decode(text []byte) (*cluster, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
		monitoring.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	codecs := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	c := &cluster{}
	seen := map[schema.GroupVersionKind]bool{}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		object, kind, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		if config, is := object.(*core.ConfigMap); is && c.rules == nil &&
			strings.HasPrefix(config.Name, "delegation-rules-") {
			c.rules = config
			continue
		}
		if seen[*kind] {
			return nil, errors.New("a second " + kind.String())
		}
		seen[*kind] = true
		switch object := object.(type) {
		case *core.Namespace:
			c.namespace = object
		case *core.ServiceAccount:
			c.account = object
		case *core.ConfigMap:
			c.config = object
		case *core.Secret:
			c.secret = object
		case *apps.Deployment:
			c.deployment = object
		case *core.Service:
			c.service = object
		case *policy.PodDisruptionBudget:
			c.budget = object
		case *networking.NetworkPolicy:
			c.network = object
		case *monitoring.ServiceMonitor:
			c.monitor = object
		default:
			return nil, errors.New("not expected: " + kind.String())
		}
	}
	return c, nil
}

// described is what the manifests describe after init.
func described(t *testing.T) *cluster {
	t.Helper()
	folder := initialised(t)
	text := build(t, folder)
	of, err := os.ReadFile(filepath.Join(folder, monitor))
	if err != nil {
		t.Fatal(err)
	}
	c, err := decode(slices.Concat(text, []byte("\n---\n"), of))
	if err != nil {
		t.Fatal(err)
	}
	if c.namespace == nil || c.account == nil || c.config == nil || c.secret == nil ||
		c.deployment == nil || c.service == nil || c.budget == nil || c.network == nil {
		t.Fatalf("a kind is missing: %+v", c)
	}
	return c
}

// container is the only one.
func (c *cluster) container(t *testing.T) core.Container {
	t.Helper()
	if n := len(c.deployment.Spec.Template.Spec.Containers); n != 1 {
		t.Fatalf("%d containers", n)
	}
	return c.deployment.Spec.Template.Spec.Containers[0]
}

// TestManifests_Decode: a field that Kubernetes does not know is found.
func TestManifests_Decode(t *testing.T) {
	text := build(t, initialised(t))
	if _, err := decode(text); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"readinessProbe:", "readynessProbe:"},
		{"defaultMode: 288", "defaultModes: 288"},
		{"maxUnavailable: 0", "maxUnavailable: {}"},
		{"kind: NetworkPolicy", "kind: NetworkPolice"},
		{"automountServiceAccountToken: false", "automountServiceAccountToken: no way"},
	} {
		broken := strings.Replace(string(text), change[0], change[1], 1)
		if broken == string(text) {
			t.Errorf("there is no %s", change[0])
		}
		if _, err := decode([]byte(broken)); err == nil {
			t.Errorf("%s passes", change[1])
		}
	}
}

// TestManifests_Files: the pods have the files that init wrote, in the folder from which the image
// reads its configuration. Their mode lets the group of the pod read them, and nobody else.
func TestManifests_Files(t *testing.T) {
	c := described(t)
	pod := c.deployment.Spec.Template.Spec
	if len(pod.Volumes) != 1 || pod.Volumes[0].Projected == nil {
		t.Fatalf("%+v", pod.Volumes)
	}
	volume := pod.Volumes[0]
	if mode := volume.Projected.DefaultMode; mode == nil || *mode != 0o440 {
		t.Errorf("mode %v, want 0440", mode)
	}
	contents := c.files(t)
	if got := slices.Sorted(maps.Keys(contents)); !slices.Equal(got, files) {
		t.Errorf("the files are %q, want %q", got, files)
	}
	for name, data := range c.config.Data {
		if strings.Contains(data, "PRIVATE KEY") {
			t.Errorf("a private key is in the ConfigMap, in %s", name)
		}
	}
	if !strings.Contains(contents["signing.key"], "BEGIN PRIVATE KEY") ||
		!strings.Contains(contents["delegation.yaml"], "https://tenant.example.com/") {
		t.Errorf("they are not what init wrote: %.100q", contents)
	}
	mounts := c.container(t).VolumeMounts
	config := dockerfile(t, `CMD \["serve", "--config", "(.+)"\]`)
	if len(mounts) != 1 || mounts[0].Name != volume.Name || !mounts[0].ReadOnly ||
		mounts[0].MountPath != filepath.Dir(config) {
		t.Errorf("%+v, and the image reads %s", mounts, config)
	}
	for name := range contents {
		// The configuration names its files relative to itself.
		if name != "delegation.yaml" && !strings.Contains(contents["delegation.yaml"], name) {
			t.Errorf("the configuration does not name %s", name)
		}
	}
}

// TestManifests_Rules: with the changes that the documentation has for rules of Auth0, the pods
// have the rules in a folder, and configuration.yaml, which may have secrets, in the Secret.
func TestManifests_Rules(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(top, "docs", "deploying.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### Kubernetes, with rules\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of YAML, want 2", len(blocks))
	}
	folder := initialised(t)
	edit := func(name string, change func(string) string) {
		t.Helper()
		file := filepath.Join(folder, name)
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(change(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	edit("kustomization.yaml", func(text string) string {
		before, _, _ := strings.Cut(text, "configMapGenerator:")
		return before + blocks[0][1]
	})
	edit("deployment.yaml", func(text string) string { return text + blocks[1][1] })
	public := []string{
		"directory.js", "auth0.pem", "rules/01-settings.js", "rules/02-AWS-role.js",
	}
	if err := os.Mkdir(filepath.Join(folder, "files", "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(public, "configuration.yaml") {
		file := filepath.Join(folder, "files", name)
		if err := os.WriteFile(file, []byte("text of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := decode(build(t, folder))
	if err != nil {
		t.Fatal(err)
	}
	got := c.files(t)
	for _, name := range public {
		if got[name] != "text of "+name {
			t.Errorf("the pods do not have %s: %q", name, slices.Sorted(maps.Keys(got)))
		}
	}
	if len(got) != len(files)+len(public)+1 {
		t.Errorf("the files are %q", slices.Sorted(maps.Keys(got)))
	}
	if _, isSecret := c.secret.Data["configuration.yaml"]; !isSecret {
		t.Error("configuration.yaml is not in the Secret")
	}
}

// files are those of the pods' volume, by their paths in it.
func (c *cluster) files(t *testing.T) map[string]string {
	t.Helper()
	contents := map[string]string{}
	add := func(items []core.KeyToPath, data map[string]string) {
		for _, item := range items {
			text, has := data[item.Key]
			if !has {
				t.Errorf("there is no %s", item.Key)
			}
			contents[item.Path] = text
		}
		if items == nil {
			maps.Copy(contents, data)
		}
	}
	for _, source := range c.deployment.Spec.Template.Spec.Volumes[0].Projected.Sources {
		switch {
		case source.ConfigMap != nil && source.ConfigMap.Name == c.config.Name:
			add(source.ConfigMap.Items, c.config.Data)
		case source.ConfigMap != nil && c.rules != nil && source.ConfigMap.Name == c.rules.Name:
			add(source.ConfigMap.Items, c.rules.Data)
		case source.Secret != nil && source.Secret.Name == c.secret.Name:
			secrets := map[string]string{}
			for name, data := range c.secret.Data {
				secrets[name] = string(data)
			}
			add(source.Secret.Items, secrets)
		default:
			t.Errorf("%+v is no source that is known", source)
		}
	}
	return contents
}

// TestManifests_Rollout: a change of a file is a change of the pods, and there is no moment without
// a pod that is ready. A pod that ends may finish its requests.
func TestManifests_Rollout(t *testing.T) {
	folder := initialised(t)
	before := build(t, folder)
	for _, name := range files {
		file := filepath.Join(folder, "files", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		after := build(t, folder)
		if bytes.Equal(template(t, before), template(t, after)) {
			t.Errorf("the pods stay as they are when %s changes", name)
		}
		before = after
	}
	c := described(t)
	rolling := c.deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || *rolling.MaxUnavailable != intstr.FromInt32(0) ||
		*rolling.MaxSurge == intstr.FromInt32(0) || *c.deployment.Spec.Replicas < 2 {
		t.Errorf("%+v of %d replicas", rolling, *c.deployment.Spec.Replicas)
	}
	if c.budget.Spec.MaxUnavailable == nil || *c.budget.Spec.MaxUnavailable != intstr.FromInt32(1) {
		t.Errorf("%+v", c.budget.Spec)
	}
	delay, err := time.ParseDuration(c.variable(t, "DELEGATION_SHUTDOWN_DELAY"))
	if err != nil {
		t.Fatal(err)
	}
	ready := c.container(t).ReadinessProbe
	noticed := time.Duration(ready.PeriodSeconds*ready.FailureThreshold) * time.Second
	if delay < noticed {
		t.Errorf("the listener closes after %s, and probes notice after %s", delay, noticed)
	}
	const requests = 30 * time.Second // as docs/deploying.md says
	grace := time.Duration(*c.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) *
		time.Second
	if grace <= delay+requests {
		t.Errorf("killed after %s, and it takes %s", grace, delay+requests)
	}
}

func template(t *testing.T, text []byte) []byte {
	t.Helper()
	c, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	written, err := yaml.Marshal(c.deployment.Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// variable is the value of an environment variable of the container.
func (c *cluster) variable(t *testing.T, name string) string {
	t.Helper()
	for _, v := range c.container(t).Env {
		if v.Name == name {
			return v.Value
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

// TestManifests_Restricted: the pods run as the image's user, may do nothing else than the
// strictest Pod Security Standard allows, and have no token of the cluster.
func TestManifests_Restricted(t *testing.T) {
	c := described(t)
	pod := c.deployment.Spec.Template.Spec
	image := dockerfile(t, `USER (\d+:\d+)`)
	if want := "65532:65532"; image != want {
		t.Fatalf("the image runs as %s", image)
	}
	s := pod.SecurityContext
	for name, id := range map[string]*int64{
		"runAsUser": s.RunAsUser, "runAsGroup": s.RunAsGroup, "fsGroup": s.FSGroup,
	} {
		if id == nil || *id != 65532 {
			t.Errorf("%s is %v", name, id)
		}
	}
	if s.RunAsNonRoot == nil || !*s.RunAsNonRoot ||
		s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%+v", s)
	}
	own := c.container(t).SecurityContext
	if own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation ||
		own.ReadOnlyRootFilesystem == nil || !*own.ReadOnlyRootFilesystem ||
		!slices.Equal(own.Capabilities.Drop, []core.Capability{"ALL"}) ||
		len(own.Capabilities.Add) > 0 {
		t.Errorf("%+v", own)
	}
	for name, automount := range map[string]*bool{
		"the pod":             pod.AutomountServiceAccountToken,
		"the service account": c.account.AutomountServiceAccountToken,
	} {
		if automount == nil || *automount {
			t.Errorf("%s has the token of a service account", name)
		}
	}
	if pod.ServiceAccountName != c.account.Name || pod.EnableServiceLinks == nil ||
		*pod.EnableServiceLinks {
		t.Errorf("%s, %v", pod.ServiceAccountName, pod.EnableServiceLinks)
	}
	if c.namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("%+v", c.namespace.Labels)
	}
	need := c.container(t).Resources
	least := resource.MustParse("64Mi")
	if need.Limits.Memory().Cmp(least) <= 0 || need.Requests.Memory().Cmp(least) < 0 ||
		need.Requests.Cpu().IsZero() || !need.Limits.Cpu().IsZero() {
		t.Errorf("%+v", need)
	}
	released := regexp.MustCompile(`^ghcr\.io/seed055b7978/delegation:v\d+\.\d+\.\d+$`)
	if got := c.container(t).Image; !released.MatchString(got) {
		t.Errorf("the image is %s", got)
	}
}

// TestManifests_Meet: selectors find the pods, and ports lead to those of the container, which are
// those on which the image listens.
func TestManifests_Meet(t *testing.T) {
	c := described(t)
	pods := labels.Set(c.deployment.Spec.Template.Labels)
	ports := map[string]int32{}
	for _, p := range c.container(t).Ports {
		ports[p.Name] = p.ContainerPort
	}
	if image := dockerfile(t, `ENV DELEGATION_LISTEN=:(\d+)`); image != "8080" ||
		ports["http"] != 8080 {
		t.Errorf("the image listens on %s, and the ports are %v", image, ports)
	}
	if listen := c.variable(t, "DELEGATION_METRICS_LISTEN"); listen != ":9464" ||
		ports["metrics"] != 9464 {
		t.Errorf("metrics are on %s, and the ports are %v", listen, ports)
	}
	selectors := map[string]map[string]string{
		"Deployment":          c.deployment.Spec.Selector.MatchLabels,
		"Service":             c.service.Spec.Selector,
		"PodDisruptionBudget": c.budget.Spec.Selector.MatchLabels,
		"NetworkPolicy":       c.network.Spec.PodSelector.MatchLabels,
	}
	for _, spread := range c.deployment.Spec.Template.Spec.TopologySpreadConstraints {
		selectors["spread over "+spread.TopologyKey] = spread.LabelSelector.MatchLabels
	}
	for name, selector := range selectors {
		if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(pods) {
			t.Errorf("the %s selects %v, and pods have %v", name, selector, pods)
		}
	}
	if !labels.SelectorFromSet(c.monitor.Spec.Selector.MatchLabels).
		Matches(labels.Set(c.service.Labels)) || c.monitor.Namespace != c.service.Namespace {
		t.Errorf("the ServiceMonitor selects %v", c.monitor.Spec.Selector)
	}
	served := map[string]string{} // ports of the Service, and those of the container
	for _, p := range c.service.Spec.Ports {
		served[p.Name] = p.TargetPort.StrVal
		if ports[p.TargetPort.StrVal] == 0 {
			t.Errorf("port %s of the Service leads to %v", p.Name, p.TargetPort)
		}
	}
	if len(c.monitor.Spec.Endpoints) != 1 ||
		served[c.monitor.Spec.Endpoints[0].Port] != "metrics" ||
		c.monitor.Spec.Endpoints[0].Path != "/metrics" {
		t.Errorf("%+v", c.monitor.Spec.Endpoints)
	}
}

// TestManifests_Network: what may come in has ports of the container, and what may go out is names
// and https. The credentials of the node are out of reach.
func TestManifests_Network(t *testing.T) {
	c := described(t)
	if got := c.network.Spec.PolicyTypes; !slices.Equal(got, []networking.PolicyType{
		networking.PolicyTypeIngress, networking.PolicyTypeEgress,
	}) {
		t.Errorf("%v", got)
	}
	from := map[string][]string{} // the namespaces that reach a port
	for _, rule := range c.network.Spec.Ingress {
		if len(rule.From) != 1 || rule.From[0].NamespaceSelector == nil || len(rule.Ports) != 1 {
			t.Fatalf("%+v", rule)
		}
		for _, namespace := range []string{"ingress-nginx", "traefik", "monitoring", "default"} {
			selector, err := meta.LabelSelectorAsSelector(rule.From[0].NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			if selector.Matches(labels.Set{"kubernetes.io/metadata.name": namespace}) {
				port := rule.Ports[0].Port.StrVal
				from[port] = append(from[port], namespace)
			}
		}
	}
	want := map[string][]string{
		"http": {"ingress-nginx", "traefik"}, "metrics": {"monitoring"},
	}
	if !maps.EqualFunc(from, want, slices.Equal) {
		t.Errorf("got %v, want %v", from, want)
	}
	var out []int
	for _, rule := range c.network.Spec.Egress {
		for _, port := range rule.Ports {
			out = append(out, port.Port.IntValue())
		}
		for _, peer := range rule.To {
			if peer.IPBlock != nil && strings.HasSuffix(peer.IPBlock.CIDR, "/0") &&
				len(peer.IPBlock.Except) == 0 {
				t.Errorf("%s has the address of the node's credentials", peer.IPBlock.CIDR)
			}
		}
	}
	if !slices.Equal(out, []int{53, 53, 443}) {
		t.Errorf("ports %v", out)
	}
}

// TestManifests_Probes: the service that init describes answers each probe at its path.
func TestManifests_Probes(t *testing.T) {
	c := described(t)
	container := c.container(t)
	probes := map[string]*core.Probe{
		"startup":   container.StartupProbe,
		"liveness":  container.LivenessProbe,
		"readiness": container.ReadinessProbe,
	}
	base := serve(t)
	for name, want := range map[string]struct {
		path   string
		status int
	}{
		"startup":  {"/live", http.StatusOK},
		"liveness": {"/live", http.StatusOK},
		// It is served: 404 otherwise. The issuer has no keys, as it does not exist.
		"readiness": {"/ready", http.StatusServiceUnavailable},
	} {
		probe := probes[name]
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want.path ||
			probe.HTTPGet.Port.StrVal != "http" || probe.HTTPGet.Scheme == core.URISchemeHTTPS {
			t.Errorf("%s: %+v", name, probe)
			continue
		}
		answer, err := http.Get(base + probe.HTTPGet.Path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want.status {
			t.Errorf("%s: %s answers %d", name, probe.HTTPGet.Path, answer.StatusCode)
		}
	}
	if container.ReadinessProbe.TimeoutSeconds < 1 || container.Lifecycle != nil {
		t.Errorf("%+v, %+v", container.ReadinessProbe, container.Lifecycle)
	}
}

// serve serves what init writes and returns the address. The issuer is on a port of loopback where
// nothing listens.
func serve(t *testing.T) (base string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "files")
	initialise(t, folder)
	program := filepath.Join(t.TempDir(), "delegation")
	build := exec.Command("go", "build", "-o", program, "./cmd/delegation")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said, logs := io.Pipe()
	command := exec.Command(program, "serve", "--config", filepath.Join(folder, "delegation.yaml"))
	command.Env = append(os.Environ(), "DELEGATION_LISTEN=127.0.0.1:0",
		"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	command.Stderr = logs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
		_ = logs.Close()
	})
	address := make(chan string, 1)
	go func() {
		text := make([]byte, 64<<10)
		var all []byte
		serving := regexp.MustCompile(`"msg":"serving".*?"address":"([^"]+)"`)
		for {
			n, err := said.Read(text)
			all = append(all, text[:n]...)
			if found := serving.FindSubmatch(all); found != nil {
				select {
				case address <- string(found[1]):
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case at := <-address:
		return "http://" + at
	case <-time.After(3 * time.Minute): // only a failure takes that long
		t.Fatal("it does not serve")
		return ""
	}
}

// dockerfile is what the group of a pattern matches in a line of the Dockerfile.
func dockerfile(t *testing.T, line string) string {
	t.Helper()
	text, err := os.ReadFile(top + "/deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + line + `$`).FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("the Dockerfile has no line %s", line)
	}
	return found[1]
}
