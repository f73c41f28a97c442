package main

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Sizes of the chart, in the units of its viewBox. On a phone with a width of 375 px, the chart is
// as wide as the page, and its text has 12 px.
const (
	chartWidth  = 400
	labelWidth  = 168
	barStart    = 174
	longestBar  = 160
	barHeight   = 14
	barStep     = 21
	headingStep = 27
	chartMargin = 14
)

// bar is a bar of the chart.
type bar struct {
	label string
	value float64
	class string // ours, others or floor
}

// compare sorts our bar first, the floor last, and the others in between by value.
func (b bar) compare(other bar) int {
	place := map[string]int{"ours": 0, "others": 1, "floor": 2}
	return cmp.Or(
		cmp.Compare(place[b.class], place[other.class]),
		cmp.Compare(b.value, other.value),
	)
}

// panel is a part of the chart that has its own scale.
type panel struct {
	heading string
	bars    []bar
}

const chartStyle = `  <style>
    .page { fill: #ffffff; }
    .ours { fill: #2f6db3; }
    .others { fill: #aab4c2; }
    .floor { fill: none; stroke: #8a94a3; stroke-dasharray: 3 2; }
    text { font: 13px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif;
           fill: #1d2430; }
    .heading { font-weight: 600; }
    .label { text-anchor: end; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f141b; }
      .ours { fill: #5b9be0; }
      .others { fill: #4d5a6b; }
      .floor { stroke: #8a94a3; }
      text { fill: #e6eaf0; }
    }
  </style>
`

// chart draws the panels as SVG, in light and dark colours.
func chart(title string, panels []panel) string {
	var body strings.Builder
	y := chartMargin
	for _, p := range panels {
		y += headingStep - barStep + barHeight
		fmt.Fprintf(&body, "  <text class=\"heading\" x=\"%d\" y=\"%d\">%s</text>\n",
			chartMargin, y, html.EscapeString(p.heading))
		y += headingStep - barHeight
		y = p.draw(&body, y)
	}
	height := y + chartMargin
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "+
		"viewBox=\"0 0 %d %d\" role=\"img\">\n  <title>%s</title>\n%s"+
		"  <rect class=\"page\" width=\"%d\" height=\"%d\"/>\n%s</svg>\n",
		chartWidth, height, chartWidth, height, html.EscapeString(title), chartStyle,
		chartWidth, height, body.String())
}

// draw draws the bars one below the other, and returns where they end.
func (p *panel) draw(body *strings.Builder, y int) int {
	longest := slices.MaxFunc(p.bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	for _, b := range p.bars {
		width := max(2, b.value/longest.value*longestBar)
		baseline := y + barHeight - 2
		fmt.Fprintf(body, "  <text class=\"label\" x=\"%d\" y=\"%d\">%s</text>\n",
			labelWidth, baseline, html.EscapeString(b.label))
		fmt.Fprintf(body, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
			b.class, barStart, y, width, barHeight)
		fmt.Fprintf(body, "  <text x=\"%.1f\" y=\"%d\">%s</text>\n",
			barStart+width+6, baseline, figure(b.value))
		y += barStep
	}
	return y
}

// figure writes a value with two or three significant digits.
func figure(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// panels are those of the README's chart.
func (b *bench) panels() []panel {
	verify := panel{heading: "Verify a new ID token: µs, less is better"}
	again := panel{heading: "A token seen before: µs, less is better"}
	sign := panel{heading: "Build and sign a SAML response: µs"}
	serve := panel{heading: "Service, cached: requests/s, more is better"}
	for _, d := range b.details {
		switch d.title {
		case tokenTitle:
			for _, f := range d.all {
				if f.name == seenName {
					again.add(f.name, f.fastest())
					continue
				}
				verify.add(f.name, f.fastest())
			}
		case responseTitle:
			for _, f := range d.all {
				sign.add(f.name, f.fastest())
			}
		case cachedTitle:
			again.add(d.all[1].name, d.all[1].fastest())
			again.add(d.all[0].name, d.all[0].fastest())
		}
	}
	for _, s := range b.rates[:min(2, len(b.rates))] {
		serve.add(s.name, median(s.rates))
	}
	var all []panel
	for _, p := range []panel{verify, again, sign, serve} {
		if len(p.bars) > 0 {
			slices.SortStableFunc(p.bars, bar.compare)
			all = append(all, p)
		}
	}
	return all
}

// add adds a bar. The floor is what the bare cryptography takes.
func (p *panel) add(name string, value float64) {
	class := "others"
	switch {
	case strings.HasPrefix(name, "delegation"):
		class = "ours"
	case strings.HasSuffix(name, " alone"):
		class = "floor"
	}
	p.bars = append(p.bars, bar{shortNames(name), value, class})
}

// shortNames makes a contender's name fit in front of its bar.
func shortNames(name string) string {
	return strings.NewReplacer(
		"crypto/rsa, Verify alone", "the signature alone",
		"crypto/rsa, Sign alone", "the signature alone",
		"crewjam/saml, goxmldsig", "crewjam and goxmldsig",
		"golang-jwt/v5, unseen token", "golang-jwt, new token",
		"delegation, seen before", "delegation, verify",
		"delegation, cached", "delegation, Exchange",
		"delegation serve, cached", "delegation serve",
		"hand-written, remembers", "hand-written service",
		"/v5", "", "/v3", " v3", "/v4", "", "/v2", " v2",
	).Replace(name)
}
