package main

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const top = "../.." // the checkout

type workflow struct {
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Steps []struct {
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// workflows returns all workflows by file.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(top + "/.github/workflows/*.y*ml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	all := map[string]workflow{}
	for _, file := range files {
		var w workflow
		read(t, file, &w)
		all[file] = w
	}
	return all
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// tracked returns the files in git.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", top, "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// TestWorkflows_Pinned: every action is pinned by the digest of a commit, and its version is next
// to it, where the dependency bot updates both.
func TestWorkflows_Pinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w-]+(/[\w-]+)+@[0-9a-f]{40}$`)
	commented := regexp.MustCompile(`(?m)uses: (\S+) # v\d+\.\d+\.\d+$`)
	for file, w := range workflows(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var versions []string
		for _, match := range commented.FindAllStringSubmatch(string(text), -1) {
			versions = append(versions, match[1])
		}
		actions := 0
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				if step.Uses == "" {
					continue
				}
				actions++
				if !pinned.MatchString(step.Uses) || !slices.Contains(versions, step.Uses) {
					t.Errorf("%s, job %s: %s has no digest and version", file, name, step.Uses)
				}
			}
		}
		if actions == 0 {
			t.Errorf("%s uses no action", file)
		}
	}
}

// TestWorkflows_Run: the scripts are there, and no text of others is put into a shell.
func TestWorkflows_Run(t *testing.T) {
	scripts := 0
	for file, w := range workflows(t) {
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s, job %s: %s: use a variable of the environment", file, name,
						step.Run)
				}
				script, _, _ := strings.Cut(step.Run, " ")
				if !strings.Contains(script, "/") {
					continue
				}
				scripts++
				info, err := os.Stat(filepath.Join(top, script))
				if err != nil || info.Mode()&0o111 == 0 {
					t.Errorf("%s, job %s: %s cannot be run: %v", file, name, script, err)
				}
			}
		}
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: jobs without permissions of their own have %v", file, w.Permissions)
		}
	}
	if scripts < 4 { // run, fuzz, build and push
		t.Errorf("%d scripts", scripts)
	}
}

// TestDependencyBot: it updates every module, package and Dockerfile, and the workflows.
func TestDependencyBot(t *testing.T) {
	var bot struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directory   string   `yaml:"directory"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	read(t, top+"/.github/dependabot.yml", &bot)
	var got []string
	for _, update := range bot.Updates {
		for _, folder := range append(update.Directories, update.Directory) {
			if folder != "" {
				got = append(got, update.Ecosystem+" "+folder)
			}
		}
	}
	ecosystems := map[string]string{
		"go.mod": "gomod", "package.json": "npm", "Dockerfile": "docker",
	}
	want := []string{"github-actions /"}
	for _, file := range tracked(t) {
		if ecosystem, ok := ecosystems[path.Base(file)]; ok {
			want = append(want, ecosystem+" "+path.Join("/", path.Dir(file)))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestDockerIgnore: no file in git is ignored. One that is missing would be a change of the source,
// and the program in the image would say so.
func TestDockerIgnore(t *testing.T) {
	text, err := os.ReadFile(top + "/.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns := 0
	for line := range strings.Lines(string(text)) {
		pattern := strings.TrimSpace(line)
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		patterns++
		for _, file := range tracked(t) {
			if ignores(t, pattern, file) {
				t.Errorf("%s ignores %s", pattern, file)
			}
		}
	}
	if patterns == 0 {
		t.Error("it ignores nothing")
	}
	for pattern, file := range map[string]string{
		"*.key": "signing.key", "**/*.test": "a/b.test", "/config": "config/delegation.yaml",
	} {
		if !ignores(t, pattern, file) {
			t.Errorf("%s does not ignore %s", pattern, file)
		}
	}
}

// ignores tells whether a pattern of .dockerignore, of the forms that are used here, matches a file
// or one of its folders. Patterns start at the top; "**/" stands for any number of folders.
func ignores(t *testing.T, pattern, file string) bool {
	t.Helper()
	pattern, anywhere := strings.CutPrefix(strings.TrimPrefix(pattern, "/"), "**/")
	if strings.ContainsAny(pattern, "/!") {
		t.Fatalf("this test does not know the pattern %q", pattern)
	}
	names := strings.Split(file, "/")
	if !anywhere {
		names = names[:1]
	}
	return slices.ContainsFunc(names, func(name string) bool {
		matched, err := path.Match(pattern, name)
		if err != nil {
			t.Fatal(err)
		}
		return matched
	})
}

// TestGoreleaser: every platform that is built has an SBOM of its archive, and every file that is
// built is released and has a checksum.
func TestGoreleaser(t *testing.T) {
	type files []struct {
		Glob string `yaml:"glob"`
	}
	var c struct {
		SBOMs []struct {
			ID        string   `yaml:"id"`
			Artifacts string   `yaml:"artifacts"`
			Args      []string `yaml:"args"`
			Env       []string `yaml:"env"`
			Documents []string `yaml:"documents"`
		} `yaml:"sboms"`
		Checksum struct {
			Files files `yaml:"extra_files"`
		} `yaml:"checksum"`
		Release struct {
			Draft bool  `yaml:"draft"`
			Files files `yaml:"extra_files"`
		} `yaml:"release"`
	}
	read(t, top+"/.goreleaser.yaml", &c)
	var scanned, built []string
	for _, sbom := range c.SBOMs {
		if sbom.Artifacts != "any" || len(sbom.Env) != 1 || len(sbom.Documents) != 1 ||
			!slices.Contains(sbom.Args, "file:$archive") {
			t.Fatalf("%+v", sbom)
		}
		name := strings.ReplaceAll(path.Base(sbom.Env[0]), "{{ .Version }}", "1.2.3")
		scanned = append(scanned, name)
		document := strings.ReplaceAll(sbom.Documents[0], "{{ .Version }}", "1.2.3")
		if !strings.HasPrefix(name, strings.TrimSuffix(document, ".spdx.json")+".") {
			t.Errorf("%s is the SBOM of %s", document, name)
		}
	}
	out := t.TempDir()
	for _, p := range programsOf(t, strings.Split(platforms, ",")...) {
		file, err := writeArchive(source{folder: top, time: committed}, p, nil, out)
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, filepath.Base(file))
	}
	if !slices.Equal(scanned, built) {
		t.Errorf("SBOMs of %q, built are %q", scanned, built)
	}
	for name, list := range map[string]files{
		"checksum": c.Checksum.Files, "release": c.Release.Files,
	} {
		for _, file := range append(built, "delegation_1.2.3_image.tar") {
			matched := 0
			for _, f := range list {
				if ok, err := path.Match(path.Base(f.Glob), file); ok && err == nil {
					matched++
				}
			}
			if matched != 1 {
				t.Errorf("%s: %s is matched by %d patterns", name, file, matched)
			}
		}
	}
	if !c.Release.Draft {
		t.Error("a release is published by a person")
	}
}
