package delegation_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// layers are packages that import each other, in rows: what a row imports is in rows below it. An
// arrow that passes a row has a narrow place there.
type layers struct {
	house map[string]*housePackage
	rows  [][]string // the lowest first
	alone []string   // import none of the others, and none imports them
	down  map[string][]string
	shape map[string]*shape
	width int // of a box
}

const passage = 18 // the width of an arrow's place in a row

func isPassage(name string) bool { return strings.Contains(name, ">") }

func newLayers(house map[string]*housePackage, group []string, width int) *layers {
	l := &layers{house: house, width: width}
	l.down = map[string][]string{}
	l.shape = map[string]*shape{}
	level := levels(house, group)
	touched := map[string]bool{}
	for _, name := range group {
		for _, below := range house[name].imports {
			if slices.Contains(group, below) {
				touched[name] = true
				touched[below] = true
			}
		}
	}
	for _, name := range slices.Sorted(slices.Values(group)) {
		if !touched[name] {
			l.alone = append(l.alone, name)
			continue
		}
		l.put(level[name], name)
		for _, below := range house[name].imports {
			if slices.Contains(group, below) {
				l.connect(name, level[name], below, level[below])
			}
		}
	}
	l.untangle()
	return l
}

func (l *layers) put(row int, name string) {
	for len(l.rows) <= row {
		l.rows = append(l.rows, nil)
	}
	l.rows[row] = append(l.rows[row], name)
}

// connect notes an arrow, with a place in each row that it passes.
func (l *layers) connect(name string, row int, below string, last int) {
	from := name
	for r := row - 1; r > last; r-- {
		place := fmt.Sprintf("%s>%s>%d", name, below, r)
		l.put(r, place)
		l.down[from] = append(l.down[from], place)
		from = place
	}
	l.down[from] = append(l.down[from], below)
}

// untangle swaps neighbours as long as that leaves fewer crossings or shorter arrows.
func (l *layers) untangle() {
	best := l.tangle()
	for better := true; better; {
		better = false
		for _, row := range l.rows {
			for i := range row {
				for j := range i {
					row[i], row[j] = row[j], row[i]
					if now := l.tangle(); now < best {
						best = now
						better = true
						continue
					}
					row[i], row[j] = row[j], row[i]
				}
			}
		}
	}
}

// tangle weighs the crossings and lengths of the arrows.
func (l *layers) tangle() int {
	weight := 0
	for r := 1; r < len(l.rows); r++ {
		upper := l.rows[r]
		lower := l.rows[r-1]
		type line struct{ from, to int }
		var lines []line
		for i, name := range upper {
			for _, below := range l.down[name] {
				to := slices.Index(lower, below)
				lines = append(lines, line{i, to})
				// In thousandths of the row.
				apart := 1000*(2*i+1)/(2*len(upper)) - 1000*(2*to+1)/(2*len(lower))
				weight += max(apart, -apart)
			}
		}
		for i, a := range lines {
			for _, b := range lines[:i] {
				if (a.from-b.from)*(a.to-b.to) < 0 {
					weight += 10_000
				}
			}
		}
	}
	return weight
}

// minimum is the width of the widest row.
func (l *layers) minimum() int {
	widest := 0
	for _, row := range l.rows {
		sum := -gap
		for _, name := range row {
			sum += l.widthOf(name) + gap
		}
		widest = max(widest, sum)
	}
	return widest
}

func (l *layers) widthOf(name string) int {
	if isPassage(name) {
		return passage
	}
	return l.width
}

// draw places the rows below y and draws them. It returns where they end.
func (l *layers) draw(p *plan, x, y, width int) int {
	l.place(p, x, width)
	for r := len(l.rows) - 1; r >= 0; r-- {
		height := 0
		for _, name := range l.rows[r] {
			height = max(height, l.shape[name].h)
		}
		if r == 0 { // the first of those that stand alone fill it up
			height = max(height, l.fillUp(p, x, width))
		}
		for _, name := range l.rows[r] {
			l.shape[name].y = y
			l.shape[name].h = height
		}
		y += height + storey
	}
	if len(l.rows) > 0 {
		y -= storey
	}
	l.drawArrows(p)
	for _, row := range l.rows {
		for _, name := range row {
			if !isPassage(name) {
				p.box(l.shape[name])
			}
		}
	}
	return l.drawAlone(p, x, y, width)
}

// place finds the horizontal places: the lowest row from the left, the others over what they
// import.
func (l *layers) place(p *plan, x, width int) {
	for r, row := range l.rows {
		left := x
		for i, name := range row {
			s := l.newShape(p, name)
			if r > 0 {
				s.x = max(left, l.wanted(name)-s.w/2)
			} else {
				s.x = l.bottomPlace(i, x, width)
			}
			left = s.x + s.w + gap
		}
		right := x + width
		for _, name := range slices.Backward(row) {
			s := l.shape[name]
			s.x = min(s.x, right-s.w)
			right = s.x - gap
		}
	}
}

// bottomPlace spreads the lowest row over the width, with those that fill it up.
func (l *layers) bottomPlace(i, x, width int) int {
	fits := (width + gap) / (l.width + gap)
	count := min(fits, len(l.rows[0])+len(l.alone))
	if count < 2 {
		return x + (width-l.width)/2
	}
	return x + i*(width-l.width)/(count-1)
}

// wanted is the middle of what a package imports.
func (l *layers) wanted(name string) int {
	sum := 0
	for _, below := range l.down[name] {
		sum += l.shape[below].middle()
	}
	return sum / len(l.down[name])
}

func (l *layers) newShape(p *plan, name string) *shape {
	s := &shape{class: "room", name: baseOf(name), w: l.widthOf(name)}
	if !isPassage(name) {
		s.pills = p.modules([]string{name})
		s.fit(l.house[name].subject)
	}
	if name == "docs" {
		s.class = "apart"
	}
	l.shape[name] = s
	return s
}

// fillUp moves packages that stand alone into the lowest row, as many as find place, and returns
// the greatest of their heights.
func (l *layers) fillUp(p *plan, x, width int) int {
	height := 0
	first := len(l.rows[0])
	fits := (width + gap) / (l.width + gap)
	added := l.alone[:max(0, min(fits-first, len(l.alone)))]
	for i, name := range added {
		s := l.newShape(p, name)
		s.x = l.bottomPlace(first+i, x, width)
		height = max(height, s.h)
	}
	l.rows[0] = append(l.rows[0], added...)
	l.alone = l.alone[len(added):]
	return height
}

// drawAlone draws packages without arrows in rows of equal height.
func (l *layers) drawAlone(p *plan, x, y, width int) int {
	across := max(1, (width+gap)/(l.width+gap))
	if len(l.rows) > 0 && len(l.alone) > 0 {
		y += gap
	}
	for row := range slices.Chunk(l.alone, across) {
		height := 0
		for i, name := range row {
			s := l.newShape(p, name)
			s.x = x + i*(l.width+gap)
			s.y = y
			height = max(height, s.h)
		}
		for _, name := range row {
			l.shape[name].h = height
			p.box(l.shape[name])
		}
		y += height + gap
	}
	if len(l.alone) > 0 {
		y -= gap
	}
	return y
}

// drawArrows draws each import as one line, which starts and ends at a place of its own.
func (l *layers) drawArrows(p *plan) {
	up := map[string][]string{}
	for _, row := range l.rows {
		for _, name := range row {
			for _, below := range l.down[name] {
				up[below] = append(up[below], name)
			}
		}
	}
	byPlace := func(a, b string) int {
		return cmp.Compare(l.shape[a].middle(), l.shape[b].middle())
	}
	port := func(of string, others []string, other string) int {
		sorted := slices.SortedFunc(slices.Values(others), byPlace)
		s := l.shape[of]
		return s.x + s.w*(slices.Index(sorted, other)+1)/(len(sorted)+1)
	}
	for _, row := range l.rows {
		for _, name := range row {
			if isPassage(name) {
				continue
			}
			for _, below := range l.down[name] {
				points := []point{{port(name, l.down[name], below), l.shape[name].bottom()}}
				from := name
				for isPassage(below) {
					s := l.shape[below]
					points = append(points, point{s.middle(), s.y}, point{s.middle(), s.bottom()})
					from = below
					below = l.down[below][0]
				}
				end := point{port(below, up[below], from), l.shape[below].y}
				p.arrow("arrow", append(points, end)...)
			}
		}
	}
}
