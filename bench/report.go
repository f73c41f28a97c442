package main

import (
	"fmt"
	"io"
	"strings"
)

// report writes the tables as Markdown.
func (b *bench) report(out io.Writer) error {
	var text strings.Builder
	text.WriteString("| What | Minimum | Median | Allocations | Goal | Met |\n|---|---|---|---|---|---|\n")
	for _, r := range b.rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n",
			r.what, r.min, r.median, r.allocs, r.goal, r.verdict())
	}
	for _, d := range b.details {
		b.writeDetail(&text, d)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// writeDetail writes the table of one piece of work.
func (b *bench) writeDetail(text *strings.Builder, d detail) {
	fmt.Fprintf(text, "\n### %s\n\n", d.title)
	text.WriteString("| Contender | CPU µs, minimum | CPU µs, median | / first, minimum | median | " +
		"Allocations | Bytes |\n|---|---|---|---|---|---|---|\n")
	for _, f := range d.all {
		r := f.over(d.all[0])
		fmt.Fprintf(text, "| %s | %.1f | %.1f | %.2f | %.2f | %.0f | %.0f |\n",
			f.name, f.fastest(), f.typical(), r.min, r.median, f.allocs, f.bytes)
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
