package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

const versionLong = `Print the version of this program, the commit it was built from, and the version
of Go. The flag --version prints the same.`

func versionCommand(s surroundings) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    versionLong,
		Example: "  delegation version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return s.print([]byte(ownVersion() + "\n"))
		},
	}
}

// addVersionFlag adds --version to the program, which prints what the command does.
func addVersionFlag(root *cobra.Command) {
	root.Version = ownVersion()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "print the version of this program")
}

func ownVersion() string {
	info, _ := debug.ReadBuildInfo() // nil only if it was not built in module mode
	return versionOf(info)
}

// versionOf says which program this is, in one line. `go install` at a version records that; a
// build in a checkout records the commit.
func versionOf(info *debug.BuildInfo) string {
	platform := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	if info == nil {
		return fmt.Sprintf("delegation, version unknown (%s)", platform)
	}
	details := []string{platform}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if commit := settings["vcs.revision"]; commit != "" {
		if settings["vcs.modified"] == "true" {
			commit += " with changes"
		}
		details = append([]string{"commit " + commit}, details...)
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	return fmt.Sprintf("delegation %s (%s)", version, strings.Join(details, ", "))
}
