package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// parents are where a block that is a part of a configuration may belong. A block that begins with
// spaces is below one of them.
var parents = []string{
	"",
	"targets:\n  photo-app:\n",
	"identity_provider:\n",
	"identity_provider:\n  keys:\n",
	"rules:\n  - javascript:\n",
	"issuers:\n",
	"issuers:\n  - url: https://tenant.example.com/\n",
	"http:\n",
}

// otherYAML are what blocks of YAML are for that are no configurations, by a line that each has.
var otherYAML = map[string]string{
	`(?m)^model_list:`:         "LiteLLM",
	`(?m)^scrape_configs:`:     "Prometheus",
	`(?m)^entryPoints:`:        "Traefik's static configuration",
	`(?m)^http:\n +routers:`:   "Traefik's dynamic configuration",
	`(?m)^(env|volumes):`:      "a part of a pod in Kubernetes",
	`(?m)^ +- configMap:`:      "a part of a pod in Kubernetes",
	`(?m)^configMapGenerator:`: "a kustomization of Kubernetes",
	`(?m)^(jobs|steps):`:       "a workflow of GitHub Actions",
	`(?m)^apiVersion:`:         "an object of Kubernetes",
	`(?m)^AWSTemplateFormat`:   "a template of CloudFormation",
	`(?m)^[A-Z_]+: "?[\w-]+"?`: "the values of rules, a configuration_file",
}

// TestDocs_YAML: the configuration loads each block of YAML of every page, without a key that it
// does not know. A block of something else is YAML.
func TestDocs_YAML(t *testing.T) {
	file := filepath.Join(t.TempDir(), "delegation.yaml")
	counts := map[string]int{}
	for page, blocks := range yamlBlocks(t) {
		for _, block := range blocks {
			counts["blocks"]++
			err := loadBelow(file, block)
			if err == nil {
				counts["load as configurations"]++
				continue
			}
			var value any
			if kindOfYAML(block) == "" {
				t.Errorf("%s: the configuration does not load: %v\n%s", page, err, block)
			} else if err := yaml.Unmarshal([]byte(block), &value); err != nil {
				t.Errorf("%s: no YAML: %v\n%s", page, err, block)
			} else {
				counts["are YAML for "+kindOfYAML(block)]++
			}
		}
	}
	t.Log(counts)
	if counts["blocks"] < 50 {
		t.Errorf("only %d blocks are found", counts["blocks"])
	}
}

// loadBelow loads a block below each of the parents, until one fits.
func loadBelow(file, block string) error {
	var errs []error
	for _, parent := range parents {
		if (parent == "") == strings.HasPrefix(block, " ") {
			continue
		}
		if err := os.WriteFile(file, []byte(parent+block), 0o600); err != nil {
			return err
		}
		_, _, err := config.Load(file, nil)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func kindOfYAML(block string) string {
	for line, kind := range otherYAML {
		if regexp.MustCompile(line).MatchString(block) {
			return kind
		}
	}
	return ""
}

// yamlBlocks returns the blocks of YAML of each page of the repository, without their indent.
func yamlBlocks(t *testing.T) map[string][]string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^([ \t]*)```yaml\n(.*?)^[ \t]*```$")
	blocks := map[string][]string{}
	top := filepath.Join("..", "..", "..", "..")
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", "testdata"}, entry.Name()) {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, found := range fence.FindAllStringSubmatch(string(text), -1) {
			block := regexp.MustCompile("(?m)^"+found[1]).ReplaceAllString(found[2], "")
			blocks[name] = append(blocks[name], block)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}
