package setup

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// rootModule is the text of the Terraform files of a folder. Terraform takes all of them as one
// module (Terraform language, "Files and configuration structure").
type rootModule struct{ folder, text string }

// readRootModule reads a folder, which need not exist.
func readRootModule(folder string) (m rootModule, err error) {
	m.folder = folder
	files, err := filepath.Glob(filepath.Join(escapeGlob(folder), "*.tf"))
	if err != nil {
		return m, err
	}
	for _, file := range files {
		text, err := config.ReadBounded(file, config.MaxFile)
		if err != nil {
			return m, err
		}
		m.text += string(text) + "\n"
	}
	return m, nil
}

// escapeGlob makes a path that matches only itself as a pattern of filepath.Glob.
func escapeGlob(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

// samlProvider matches what the role's file of a folder refers to.
var samlProvider = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?m)^resource\s+"aws_iam_saml_provider"\s+"delegation"`),
		regexp.MustCompile(`(?m)^data\s+"aws_caller_identity"\s+"delegation"`),
		regexp.MustCompile(`(?m)^data\s+"aws_partition"\s+"delegation"`),
	}
})

// makes tells whether the module makes a SAML provider, as the file provider.tf does.
func (m rootModule) makes(provider arn.ARN) bool {
	for _, block := range samlProvider() {
		if !block.MatchString(m.text) {
			return false
		}
	}
	name := strings.TrimPrefix(provider.Resource, "saml-provider/")
	named := regexp.MustCompile(`(?m)^\s*name\s*=\s*` + regexp.QuoteMeta(quoteHCL(name)) + `\s*$`)
	return named.MatchString(m.text) && strings.Contains(m.text, quoteHCL(provider.AccountID))
}

// settingsOfModule matches what a module has once, and what a file that is complete by itself has.
var settingsOfModule = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(provider\s+"aws"|\s*required_providers\b|` +
		`data\s+"aws_(caller_identity|partition|iam_saml_provider)"\s+"delegation")`)
})

// checkFree refuses a folder whose files have what a module has once.
func (m rootModule) checkFree() error {
	if found := settingsOfModule().FindString(m.text); found != "" {
		return fmt.Errorf("--terraform: %s has Terraform files with %s, which a folder has once: "+
			"choose another folder with --out", m.folder, strings.TrimSpace(found))
	}
	return nil
}
