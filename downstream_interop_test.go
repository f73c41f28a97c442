//go:build interop

package delegation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const s3Client = `package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/seed055b7978/delegation"
)

func main() {
	ctx := context.Background()
	d, err := delegation.New(ctx, delegation.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	provider := d.Provider(delegation.TokenFile("id-token"), "photo-app")
	c, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{}))
}
`

const s3ClientByHand = `package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	ctx := context.Background()
	issuer, err := oidc.NewProvider(ctx, "https://tenant.example.com/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(issuer.Verifier(&oidc.Config{ClientID: "photo-app"}).Verify(ctx, ""))
	provider := stscreds.NewWebIdentityRoleProvider(sts.New(sts.Options{}), "role",
		stscreds.IdentityTokenFile("id-token"))
	c, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s3.NewFromConfig(c).GetObject(ctx, &s3.GetObjectInput{}))
}
`

const (
	versionS3   = "github.com/aws/aws-sdk-go-v2/service/s3 v1.114.10"
	versionOIDC = "github.com/coreos/go-oidc/v3 v3.21.0"
)

// TestInterop_Downstream: the table of docs/dependencies.md, of what three programs download, list
// and link. The sizes are those of the last -update.
func TestInterop_Downstream(t *testing.T) {
	page := string(must(os.ReadFile("docs/dependencies.md")))
	for _, row := range []struct {
		name, program string
		requires      []string
	}{
		{"a program that imports the library", usesLibrary, nil},
		{"an S3 client with the library", s3Client, []string{versionS3}},
		{"the S3 client with go-oidc and stscreds", s3ClientByHand,
			append([]string{versionS3, versionOIDC}, libraryRequires(t, "aws-sdk-go-v2")...)},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDownstream(t, row.program, row.requires...)
			d.run(t, "mod", "tidy")
			counts := fmt.Sprintf("| %s | %d | %d | %d | %d | ", row.name,
				strings.Count(string(must(os.ReadFile(filepath.Join(d.folder, "go.sum")))), "\n"),
				len(d.listed(t)), len(d.linked(t)), d.packages(t))
			if *update {
				page = replaceRow(t, page, row.name, counts+d.size(t)+" |")
			}
			if !strings.Contains(page, "\n"+counts) {
				t.Errorf("docs/dependencies.md does not have the row\n%s… MB |", counts)
			}
			if strings.Contains(row.program, modulePath) {
				wantNone(t, "links", d.linked(t), neverLinked)
				wantNone(t, "lists", d.listed(t), neverListed)
			}
		})
	}
	if *update {
		if err := os.WriteFile("docs/dependencies.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// libraryRequires are the requirements of the library with a word in their paths, so that programs
// without the library have the same versions.
func libraryRequires(t *testing.T, word string) (list []string) {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile("go.mod")))) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && strings.Contains(fields[0], word) {
			list = append(list, fields[0]+" "+fields[1])
		}
	}
	if len(list) == 0 {
		t.Fatalf("go.mod requires no %s", word)
	}
	return list
}

// packages is how many packages are linked that are neither the standard library's nor the
// program's own.
func (d *downstream) packages(t *testing.T) int {
	t.Helper()
	const format = "{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}"
	return len(d.run(t, "list", "-deps", "-f", format, "."))
}

// size is that of the program without symbols.
func (d *downstream) size(t *testing.T) string {
	t.Helper()
	d.run(t, "build", "-trimpath", "-ldflags=-s -w", "-o", "program", ".")
	info := must(os.Stat(filepath.Join(d.folder, "program")))
	return fmt.Sprintf("%.1f MB", float64(info.Size())/1e6)
}

// replaceRow replaces the row of a table.
func replaceRow(t *testing.T, page, name, row string) string {
	t.Helper()
	lines := strings.Split(page, "\n")
	at := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "| "+name+" |")
	})
	if at < 0 {
		t.Fatalf("docs/dependencies.md has no row %s", name)
	}
	lines[at] = row
	return strings.Join(lines, "\n")
}
