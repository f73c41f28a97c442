package delegation_test

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// Sizes of the picture, in the units of its viewBox. On a page of 900 px they are pixels.
const (
	pageWidth = 1100
	margin    = 20
	gap       = 14 // between boxes
	storey    = 36 // between rows with arrows
	padding   = 10
	lineStep  = 14
	boxWidth  = 126
)

// shape is a box with its text.
type shape struct {
	class      string
	name       string
	lines      []string
	pills      []string // modules of others
	notes      []string // imports that no arrow shows
	x, y, w, h int
}

// fit wraps the text to the width and sets the height.
func (s *shape) fit(subject string, notes ...string) {
	s.lines = wrap(subject, s.w-2*padding)
	for _, note := range notes {
		s.notes = append(s.notes, wrap(note, s.w-2*padding)...)
	}
	s.h = 2*padding + 12 + lineStep*(len(s.lines)+len(s.notes))
	if rows := s.pillRows(); rows > 0 {
		s.h += 4 + 20*rows
	}
}

func (s *shape) pillRows() int {
	rows, x := 0, s.w
	for _, pill := range s.pills {
		if x+pillWidth(pill) > s.w-padding {
			rows++
			x = padding
		}
		x += pillWidth(pill) + 5
	}
	return rows
}

// widthOf is a text's width at 11.5 px in a wide font.
func widthOf(text string) int { return 67 * len(text) / 10 }

func pillWidth(text string) int { return widthOf(text) + 12 }

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && widthOf(line+" "+word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// drawing collects the elements of the picture: frames, arrows and boxes, one over the other.
type drawing struct {
	frames, arrows, boxes bytes.Buffer
}

func text(b *bytes.Buffer, class string, x, y int, words string) {
	fmt.Fprintf(b, "  <text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n",
		class, x, y, html.EscapeString(words))
}

func (d *drawing) box(s *shape) {
	b := &d.boxes
	fmt.Fprintf(b, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n",
		s.class, s.x, s.y, s.w, s.h)
	y := s.y + padding + 10
	if s.name != "" {
		text(b, "name", s.x+padding, y, s.name)
	}
	y += 2
	for _, line := range s.lines {
		y += lineStep
		text(b, "line", s.x+padding, y, line)
	}
	for _, line := range s.notes {
		y += lineStep
		text(b, "note", s.x+padding, y, line)
	}
	d.pills(s, y+8)
}

func (d *drawing) pills(s *shape, y int) {
	x := padding
	for _, pill := range s.pills {
		w := pillWidth(pill)
		if x > padding && x+w > s.w-padding {
			x = padding
			y += 20
		}
		fmt.Fprintf(&d.boxes, "  <rect class=\"pill\" x=\"%d\" y=\"%d\" width=\"%d\" "+
			"height=\"16\" rx=\"8\"/>\n", s.x+x, y, w)
		text(&d.boxes, "module", s.x+x+w/2, y+12, pill)
		x += w + 5
	}
}

// frame draws a box around others, with its name and first line on top.
func (d *drawing) frame(s *shape) {
	b := &d.frames
	fmt.Fprintf(b, "  <rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" "+
		"height=\"%d\" rx=\"9\"/>\n", s.x, s.y, s.w, s.h)
	text(b, "name", s.x+12, s.y+22, s.name)
	for i, line := range s.lines {
		text(b, "line", s.x+12, s.y+38+i*lineStep, line)
	}
}

// arrow draws a line down, through the points.
func (d *drawing) arrow(class string, points ...point) {
	b := &d.arrows
	fmt.Fprintf(b, "  <path class=\"%s\" d=\"M%d %d", class, points[0].x, points[0].y)
	for i, to := range points[1:] {
		from := points[i]
		bend := (to.y - from.y) / 2
		if from.x == to.x {
			fmt.Fprintf(b, " V%d", to.y)
			continue
		}
		fmt.Fprintf(b, " C%d %d %d %d %d %d",
			from.x, from.y+bend, to.x, to.y-bend, to.x, to.y)
	}
	fmt.Fprint(b, "\"/>\n")
}

// step draws a step of an exchange.
func (d *drawing) step(s *shape) {
	fmt.Fprintf(&d.boxes, "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "+
		"rx=\"6\"/>\n", s.class, s.x, s.y, s.w, s.h)
	text(&d.boxes, "step", s.middle(), s.y+s.h/2+4, s.name)
}

// next draws the arrow from one step to the next.
func (d *drawing) next(from, to *shape) {
	fmt.Fprintf(&d.boxes, "  <path class=\"next\" d=\"M%d %d H%d\"/>\n",
		from.x+from.w+1, from.y+from.h/2, to.x-1)
}

type point struct{ x, y int }

const houseStyle = `  <style>
    .page { fill: #ffffff; }
    .none { fill: none; }
    .frame { fill: #f4f6f9; stroke: #c3cad5; }
    .root { fill: #dbe9f9; stroke: #2f6db3; stroke-width: 1.75; }
    .room { fill: #ffffff; stroke: #9dbde0; stroke-width: 1.25; }
    .outer { fill: #eef4fb; stroke: #6d9fd6; stroke-width: 1.25; }
    .apart { fill: #f7f3ea; stroke: #c2a468; stroke-width: 1.25; }
    .pill { fill: #e9e5f5; stroke: none; }
    .arrow { stroke: #565e6c; stroke-width: 1.4; fill: none; marker-end: url(#head); }
    .next { stroke: #2f6db3; stroke-width: 1.4; fill: none; marker-end: url(#step); }
    .bundle { stroke: #2f6db3; stroke-width: 4; fill: none; marker-end: url(#bundle); }
    .head { fill: #565e6c; }
    .bundlehead { fill: #2f6db3; }
    text { font: 11.5px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif;
           fill: #1d2430; }
    .name { font-weight: 600; font-size: 13px; }
    .note { fill: #4a5261; font-style: italic; }
    .step { text-anchor: middle; font-weight: 600; font-size: 11.5px; }
    .module { fill: #4b3a86; text-anchor: middle; font-size: 11px; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f141b; }
      .frame { fill: #161d27; stroke: #3a4554; }
      .root { fill: #17345a; stroke: #5b9be0; }
      .room { fill: #0f1a2a; stroke: #3a5f8c; }
      .outer { fill: #14233a; stroke: #4479b5; }
      .apart { fill: #262116; stroke: #8f7740; }
      .pill { fill: #2d2650; }
      .arrow { stroke: #a9b2c0; }
      .next { stroke: #5b9be0; }
      .bundle { stroke: #5b9be0; }
      .head { fill: #a9b2c0; }
      .bundlehead { fill: #5b9be0; }
      text { fill: #e6eaf0; }
      .note { fill: #b3bcc9; }
      .module { fill: #c9bcf5; }
    }
  </style>
  <defs>
    <marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
            orient="auto">
      <path class="head" d="M0 1 L9 5 L0 9 Z"/>
    </marker>
    <marker id="step" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5"
            orient="auto">
      <path class="bundlehead" d="M0 1 L9 5 L0 9 Z"/>
    </marker>
    <marker id="bundle" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="3.4"
            markerHeight="3.4" orient="auto">
      <path class="bundlehead" d="M0 0 L9 5 L0 10 Z"/>
    </marker>
  </defs>
`

// plan is the picture while it grows from the top down.
type plan struct {
	drawing
	house map[string]*housePackage
	width int // of the page
	y     int // where the next floor starts
}

// drawHouse draws the packages and their imports. Equal houses make equal bytes.
func drawHouse(house map[string]*housePackage) []byte {
	p := &plan{house: house, width: pageWidth, y: margin}
	rooms := p.members("internal/")
	if house["docs"] != nil {
		rooms = append(rooms, "docs")
	}
	p.width = max(p.width, 2*margin+24+newLayers(house, rooms, boxWidth).minimum())
	programs := p.programs()
	around := p.around(programs)
	root := p.library(around)
	p.rooms(rooms, root)
	return p.page()
}

// members are the packages whose path starts so, less the one that is the prefix itself.
func (p *plan) members(prefix string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(p.house)) {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	return found
}

// block is a frame or box of a floor, and the packages that it stands for.
type block struct {
	*shape
	group []string
	drawn []string // imports that an arrow shows
}

// programs draws the top floor: the command with its rooms, and the examples.
func (p *plan) programs() []*block {
	inner := p.width - 2*margin - gap
	command := &block{shape: &shape{name: "cmd/delegation", x: margin}}
	command.group = append([]string{"cmd/delegation"}, p.members("cmd/delegation/")...)
	commandRooms := newLayers(p.house, command.group[1:], 175)
	command.w = max(inner*62/100, commandRooms.minimum()+24)
	examples := &block{shape: &shape{name: "examples, soak", w: inner - command.w}}
	examples.x = command.x + command.w + gap
	examples.group = append(p.members("examples/"), p.members("soak")...)

	blocks := []*block{command, examples}
	contents := []*layers{
		commandRooms,
		newLayers(p.house, examples.group, examples.w-24),
	}
	height := 0
	for i, b := range blocks {
		b.y = p.y
		end := contents[i].draw(p, b.x+12, p.y+50, b.w-24)
		b.h = end - p.y + 12
		height = max(height, b.h)
	}
	for _, b := range blocks {
		b.h = height
	}
	command.lines = []string{p.house["cmd/delegation"].subject}
	examples.lines = []string{"programs to copy, and a long test"}
	return blocks
}

// around draws the packages that see the library from outside, and closes the frames above them.
func (p *plan) around(programs []*block) []*block {
	var blocks []*block
	for _, name := range slices.Sorted(maps.Keys(p.house)) {
		if floorOf(name) == 4 && !strings.Contains(name, "/") {
			group := append([]string{name}, p.members(name+"/")...)
			blocks = append(blocks, &block{shape: &shape{class: "outer", name: name}, group: group})
		}
	}
	slices.SortStableFunc(blocks, func(a, b *block) int {
		return cmp.Compare(placeOf(a.name), placeOf(b.name))
	})
	spread(blocks, margin, p.width-2*margin)
	for _, above := range programs {
		for _, b := range blocks {
			if above.over(b.middle()) && p.imported(above.group, b.group[0]) {
				above.drawn = append(above.drawn, b.group[0])
			}
		}
	}
	p.closeFrames(programs)
	height := 0
	for _, b := range blocks {
		b.drawn = []string{".", "ststest", "oidctest"}
		notes := p.notes(b)
		for _, room := range b.group[1:] {
			notes = append(notes, "with "+strings.TrimPrefix(room, b.name+"/"))
		}
		b.pills = p.modules(b.group)
		b.fit(p.house[b.name].subject, notes...)
		height = max(height, b.h)
	}
	for _, b := range blocks {
		b.y = p.y
		b.h = height
		p.box(b.shape)
		for _, above := range programs {
			if slices.Contains(above.drawn, b.name) {
				p.arrow("arrow", point{b.middle(), above.bottom()}, point{b.middle(), b.y})
			}
		}
	}
	p.y += height + storey
	return blocks
}

// placeOf puts the packages that programs import under them.
func placeOf(name string) int {
	order := []string{"delegationhttp", "jsrules", "profile", "rediscache", "delegationotel"}
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

// closeFrames draws the frames of the top floor, each with its notes and modules at the foot.
func (p *plan) closeFrames(blocks []*block) {
	height := 0
	for _, b := range blocks {
		foot := &shape{class: "none", x: b.x + 2, w: b.w - 4, pills: p.modules(b.group[:1])}
		foot.fit("", p.notes(b)...)
		foot.y = b.y + b.h - 22
		height = max(height, b.h+foot.h-24)
		p.box(foot)
	}
	for _, b := range blocks {
		b.h = height
		p.frame(b.shape)
	}
	p.y += height + storey
}

// library draws the root package, and the packages that stand apart from it.
func (p *plan) library(around []*block) *block {
	const side = 250
	root := &block{
		shape: &shape{class: "root", name: "delegation", x: margin},
		group: []string{"."},
	}
	root.w = p.width - 2*margin - gap - side
	root.y = p.y
	root.pills = p.modules(root.group)
	root.fit(p.house["."].subject, p.rootNotes())
	steps := p.steps(root)
	root.h += steps[0].h + 22

	fakes := []*block{
		{shape: &shape{class: "apart", name: "oidctest"}, group: []string{"oidctest"}},
		{shape: &shape{class: "apart", name: "ststest"}, group: []string{"ststest"}},
	}
	spread(fakes, root.x+root.w+gap, side)
	end := 0
	for _, b := range fakes {
		b.y = p.y
		b.fit(p.house[b.name].subject)
		end = max(end, b.h)
	}
	for _, b := range fakes {
		b.h = end
		p.box(b.shape)
	}
	for _, name := range []string{"iampolicy", "samlattr"} {
		pkg := p.house[name]
		if pkg == nil {
			continue
		}
		b := &block{
			shape: &shape{class: "apart", name: name, x: fakes[0].x, y: p.y + end + gap, w: side},
			group: []string{name},
		}
		b.fit(pkg.subject, p.notes(b)...)
		p.box(b.shape)
		for _, fake := range fakes {
			if p.imported(fake.group, name) {
				x := fake.middle()
				p.arrow("arrow", point{x, fake.bottom()}, point{x, b.y})
			}
		}
		end += gap + b.h
	}
	root.h = max(root.h, end)
	p.box(root.shape)
	for i, step := range steps {
		step.y = root.bottom() - step.h - 20
		p.step(step)
		if i > 0 {
			p.next(steps[i-1], step)
		}
	}
	limit := root.x + root.w - 16
	for _, above := range slices.Backward(around) {
		limit = p.arrowsToLibrary(above, append([]*block{root}, fakes...), limit)
	}
	p.y += root.h + storey
	return root
}

// houseSteps are the files of the root package that hold the steps of an exchange, in their order.
var houseSteps = []string{
	"token", "target", "rules", "decision", "cache", "saml", "sts", "event",
}

// steps draws nothing yet: it places the steps in the root's box.
func (p *plan) steps(root *block) []*shape {
	width := (root.w - 2*padding - gap*(len(houseSteps)-1)) / len(houseSteps)
	var steps []*shape
	for i, name := range houseSteps {
		step := &shape{class: "room", name: name, w: width, h: 32}
		step.x = root.x + padding + i*(width+gap)
		steps = append(steps, step)
	}
	return steps
}

// arrowsToLibrary draws the arrows of one block to those of the library's floor that it imports.
// None ends further right on the first of these than the limit. It returns the limit for the
// block to the left.
func (p *plan) arrowsToLibrary(above *block, below []*block, limit int) int {
	var to []*block
	for _, b := range below {
		if p.imported(above.group, b.group[0]) {
			to = append(to, b)
		}
	}
	for i, b := range to {
		start := above.x + above.w*(i+1)/(len(to)+1)
		end := min(max(start, b.x+16), b.x+b.w-16)
		if b == below[0] {
			end = min(end, limit)
			limit = end - 28
		}
		p.arrow("arrow", point{start, above.bottom()}, point{end, b.y})
	}
	return limit
}

// rootNotes says in few words which rooms the root imports.
func (p *plan) rootNotes() string {
	var missing []string
	rooms := p.members("internal/")
	for _, name := range rooms {
		if !p.imported([]string{"."}, name) {
			missing = append(missing, baseOf(name))
		}
	}
	if len(missing) == 0 {
		return fmt.Sprintf("imports all %d rooms of internal", len(rooms))
	}
	return fmt.Sprintf("imports %d of the %d rooms of internal: all but %s",
		len(rooms)-len(missing), len(rooms), strings.Join(missing, ", "))
}

// rooms draws internal, with one arrow for all imports of the root.
func (p *plan) rooms(names []string, root *block) {
	frame := &shape{name: "internal", x: margin, y: p.y, w: p.width - 2*margin}
	frame.lines = []string{"rooms for the steps of an exchange, each with one subject"}
	if p.house["docs"] != nil {
		frame.name = "internal, docs"
	}
	end := newLayers(p.house, names, boxWidth).draw(p, frame.x+12, p.y+50, frame.w-24)
	frame.h = end + 12 - p.y
	p.frame(frame)
	p.arrow("bundle", point{root.middle(), root.bottom()}, point{root.middle(), p.y})
	p.y += frame.h
}

// page puts the parts together.
func (p *plan) page() []byte {
	var b bytes.Buffer
	count := fmt.Sprintf("%d packages and %d imports between them, all of which lead down.",
		len(p.house), arrows(p.house))
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "+
		"role=\"img\"\n     aria-labelledby=\"title description\">\n", p.width, p.y+44)
	fmt.Fprintf(&b, "  <title id=\"title\">The packages of delegation, floor by floor</title>\n"+
		"  <desc id=\"description\">Programs on top, then the packages around the library, "+
		"the library, and its rooms in internal. %s</desc>\n", count)
	b.WriteString(houseStyle)
	b.WriteString("  <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n")
	b.Write(p.frames.Bytes())
	b.Write(p.arrows.Bytes())
	b.Write(p.boxes.Bytes())
	text(&b, "note", margin, p.y+26, count+
		" Italics name imports that have no arrow. Pills are modules of others.")
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// modules are those of a group of packages.
func (p *plan) modules(group []string) []string {
	var all []string
	for _, name := range group {
		all = append(all, p.house[name].modules...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// notes name what a block imports outside itself, less what arrows show.
func (p *plan) notes(b *block) []string {
	var others, rooms []string
	for _, name := range b.group {
		for _, below := range p.house[name].imports {
			switch {
			case slices.Contains(b.group, below) || slices.Contains(b.drawn, below):
			case strings.HasPrefix(below, "internal/"):
				rooms = append(rooms, baseOf(below))
			default:
				others = append(others, baseOf(below))
			}
		}
	}
	var notes []string
	if len(others) > 0 {
		slices.Sort(others)
		notes = append(notes, "also "+strings.Join(slices.Compact(others), ", "))
	}
	if len(rooms) > 0 {
		slices.Sort(rooms)
		notes = append(notes, "internal: "+strings.Join(slices.Compact(rooms), ", "))
	}
	return notes
}

// imported tells whether a package of the group imports the other.
func (p *plan) imported(group []string, other string) bool {
	return slices.ContainsFunc(group, func(name string) bool {
		return slices.Contains(p.house[name].imports, other)
	})
}

// spread places blocks of equal width in a row.
func spread(blocks []*block, x, width int) {
	each := (width - gap*(len(blocks)-1)) / len(blocks)
	for i, b := range blocks {
		b.w = each
		b.x = x + i*(each+gap)
	}
}

func (s *shape) middle() int     { return s.x + s.w/2 }
func (s *shape) bottom() int     { return s.y + s.h }
func (s *shape) over(x int) bool { return s.x < x && x < s.x+s.w }
