package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report writes the tables as Markdown.
func (b *bench) report() string {
	var text strings.Builder
	text.WriteString("| What | Minimum | Median | Allocations | Goal | Met |\n" +
		"|---|---|---|---|---|---|\n")
	for _, r := range b.rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n",
			r.what, r.min, r.median, r.allocs, r.goal, r.verdict())
	}
	for _, d := range b.details {
		d.write(&text)
	}
	b.writeRates(&text)
	b.writeGauges(&text)
	return text.String()
}

// save writes RESULTS.md and chart.svg.
func (b *bench) save(report string) error {
	head := "# Results\n\nWritten by `go run . -rounds " + fmt.Sprint(b.rounds) +
		"`. [README.md](README.md) says how it is measured.\n\n" + b.circumstances() + "\n"
	title := "CPU time of verifying, signing and serving, next to other libraries"
	return errors.Join(
		os.WriteFile("RESULTS.md", []byte(head+report), 0o644),
		os.WriteFile("chart.svg", []byte(chart(title, b.panels())), 0o644),
	)
}

// circumstances describes the machine and the versions.
func (b *bench) circumstances() string {
	var text strings.Builder
	line := func(name, value string) { fmt.Fprintf(&text, "| %s | %s |\n", name, value) }
	text.WriteString("| | |\n|---|---|\n")
	line("Date", b.began.UTC().Format(time.DateOnly))
	line("Commit", commit())
	line("Go", runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	line("Processor", fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU()))
	line("Load average, before and after", b.load+"; "+loadAverage())
	line("Rounds", fmt.Sprint(b.rounds))
	for _, version := range versions() {
		line("Version", version)
	}
	return text.String()
}

// commit is the library's commit; "" if git does not know it.
func commit() string {
	text, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// loadAverage is the average number of programs that wanted a processor in the last 1, 5 and 15
// minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], ", ")
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// compared are the modules whose versions are reported.
var compared = []string{
	"github.com/aws/aws-sdk-go-v2/service/sts",
	"github.com/coreos/go-oidc/v3",
	"github.com/crewjam/saml",
	"github.com/dop251/goja",
	"github.com/go-jose/go-jose/v4",
	"github.com/golang-jwt/jwt/v5",
	"github.com/hashicorp/cap",
	"github.com/lestrrat-go/jwx/v2",
	"github.com/lestrrat-go/jwx/v3",
	"github.com/russellhaering/goxmldsig",
	"github.com/zitadel/oidc/v3",
}

// versions are the compared modules, each with its version.
func versions() (list []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return []string{"unknown"}
	}
	for _, m := range info.Deps {
		if slices.Contains(compared, m.Path) {
			list = append(list, strings.TrimPrefix(m.Path, "github.com/")+" "+m.Version)
		}
	}
	return list
}

// write writes the table of one piece of work.
func (d *detail) write(text *strings.Builder) {
	fmt.Fprintf(text, "\n### %s\n\n", d.title)
	text.WriteString("| Contender | CPU µs, minimum | median | " +
		"Over the first, minimum | median | Allocations | Bytes |\n|---|---|---|---|---|---|---|\n")
	for _, f := range d.all {
		r := f.over(d.all[0])
		fmt.Fprintf(text, "| %s | %.1f | %.1f | %.2f | %.2f | %.0f | %.0f |\n",
			f.name, f.fastest(), f.typical(), r.min, r.median, f.allocs, f.bytes)
	}
}

// writeRates writes the table of the services.
func (b *bench) writeRates(text *strings.Builder) {
	if len(b.rates) == 0 {
		return
	}
	text.WriteString("\n### Services, with 8 connections\n\n" +
		"| Service | Requests/s, best | median | CPU µs for a request |\n|---|---|---|---|\n")
	for _, s := range b.rates {
		fmt.Fprintf(text, "| %s | %.0f | %.0f | %.0f |\n",
			s.name, slices.Max(s.rates), median(s.rates), s.cpu/s.done*1e6)
	}
}

// writeGauges writes the table of figures that do not depend on the machine's load.
func (b *bench) writeGauges(text *strings.Builder) {
	if len(b.gauges) == 0 {
		return
	}
	text.WriteString("\n### What does not depend on the machine's load\n\n" +
		"Each has a bound in guards.txt.\n\n| What | Measured |\n|---|---|\n")
	for _, g := range b.gauges {
		fmt.Fprintf(text, "| %s | %.0f |\n", g.name, g.value)
	}
	if count, counted := b.counts[golangStage]; counted {
		fmt.Fprintf(text, "| instructions, %s: no bound | %.0f |\n", golangStage, count)
	}
}

// verdict says whether the goal is met.
func (r row) verdict() string {
	if r.goal == "" {
		return ""
	}
	return yesNo(r.met)
}

func yesNo(met bool) string {
	if met {
		return "yes"
	}
	return "no"
}
