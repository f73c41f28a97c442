package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

const versionLong = `Print the version of this program, the commit it was built from, and the
version of Go. The flag --version prints the same.

With --json it is an object. commit, commit_time and modified are absent if the
build did not record them, as with "go install" at a version.`

func versionCommand(s surroundings) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    versionLong,
		Example: "  delegation version --json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo() // nil only in a build without module mode
			version := versionOf(info)
			if !asJSON {
				return s.print([]byte(version.String() + "\n"))
			}
			text, err := json.MarshalIndent(version, "", "  ")
			if err != nil {
				return err
			}
			return s.print(append(text, '\n'))
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// addVersionFlag adds --version to the program. It prints the same as the command.
func addVersionFlag(root *cobra.Command) {
	info, _ := debug.ReadBuildInfo()
	root.Version = versionOf(info).String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "print the version of this program")
}

// programVersion says which program this is. docs/cli.md has its JSON.
type programVersion struct {
	Module     string `json:"module,omitempty"`
	Version    string `json:"version"`
	Commit     string `json:"commit,omitempty"`
	CommitTime string `json:"commit_time,omitempty"`
	// Modified tells whether the checkout had changes; nil if the build did not record it.
	Modified *bool  `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionOf reads what the build recorded. `go install` records the module version. A build in a
// checkout records the commit.
func versionOf(info *debug.BuildInfo) programVersion {
	v := programVersion{
		Version:  "unknown",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info == nil {
		return v
	}
	v.Module = info.Main.Path
	v.Version = info.Main.Version
	if v.Version == "" {
		v.Version = "(devel)"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.time":
			v.CommitTime = setting.Value
		case "vcs.modified":
			modified := setting.Value == "true"
			v.Modified = &modified
		}
	}
	return v
}

// String returns one line for people.
func (v programVersion) String() string {
	var details []string
	if v.Commit != "" {
		commit := "commit " + v.Commit
		if v.Modified != nil && *v.Modified {
			commit += " with changes"
		}
		details = append(details, commit)
	}
	details = append(details, v.Go+" "+v.Platform)
	name := "delegation " + v.Version
	if v.Version == "unknown" {
		name = "delegation, version unknown"
	}
	return fmt.Sprintf("%s (%s)", name, strings.Join(details, ", "))
}
