package ecmaregexp

// op is what an instruction does.
type op uint8

const (
	opMatch     op = iota // the end
	opChar                // a is the character
	opAny                 // every character but the ends of lines
	opAll                 // every character
	opSet                 // one of set
	opSplit               // go to a, later to b
	opJump                // go to a
	opSave                // keep the place in register a
	opReset               // forget the captures from a up to b
	opLineStart           // ^
	opLineEnd             // $
	opWord                // \b
	opNoWord              // \B
	opBackref             // the text of capture a once more
	opLook                // the program up to a; b > 0: must not match
	opZero                // register a counts from 0
	opLoop                // begins the next repetition, or continues at loop.end
	opLoopEnd             // ends a repetition, and continues at a
	opRun                 // as many of one character as there are
)

type instruction struct {
	op       op
	a, b     int
	backward bool
	set      *set
	loop     *loop
}

// loop is a quantifier.
type loop struct {
	min, max       int // max < 0: no limit
	lazy           bool
	counter, place int // registers
	body, end      int // places in the program
}

type compiler struct {
	flags     flags
	program   []instruction
	registers int
}

func (c *compiler) emit(i instruction) int {
	c.program = append(c.program, i)
	return len(c.program) - 1
}

func (c *compiler) here() int { return len(c.program) }

func (c *compiler) register() int {
	c.registers++
	return c.registers - 1
}

// node compiles a part of the pattern. backward says that it is within a lookbehind, where
// everything is matched from its end.
func (c *compiler) node(n node, backward bool) {
	switch n := n.(type) {
	case char, dot, class:
		i := c.single(n)
		i.backward = backward
		c.emit(i)
	case sequence:
		for i := range n.nodes {
			if backward {
				i = len(n.nodes) - 1 - i
			}
			c.node(n.nodes[i], backward)
		}
	case choice:
		c.choice(n, backward)
	case group:
		begin, end := 2*n.index, 2*n.index+1
		if backward {
			begin, end = end, begin
		}
		c.emit(instruction{op: opSave, a: begin})
		c.node(n.node, backward)
		c.emit(instruction{op: opSave, a: end})
	case *backref:
		c.emit(instruction{op: opBackref, a: n.index, backward: backward})
	case assertion:
		c.emit(instruction{op: n.op})
	case look:
		at := c.emit(instruction{op: opLook})
		if n.negative {
			c.program[at].b = 1
		}
		c.node(n.node, n.behind)
		c.emit(instruction{op: opMatch})
		c.program[at].a = c.here()
	case repeat:
		c.repeat(n, backward)
	}
}

// single compiles what matches one character.
func (c *compiler) single(n node) instruction {
	switch n := n.(type) {
	case char:
		return instruction{op: opChar, a: int(c.canonical(n.c))}
	case dot:
		if c.flags.dotAll {
			return instruction{op: opAll}
		}
		return instruction{op: opAny}
	case class:
		return instruction{op: opSet, set: n.set.finish(c.flags)}
	}
	panic("not a single character")
}

func (c *compiler) canonical(ch rune) rune {
	switch {
	case !c.flags.ignoreCase:
		return ch
	case c.flags.unicode:
		return canonicalPoint(ch)
	}
	return canonicalUnit(ch)
}

func (c *compiler) choice(n choice, backward bool) {
	var ends []int
	for i, alternative := range n.nodes {
		if i == len(n.nodes)-1 {
			c.node(alternative, backward)
			break
		}
		split := c.emit(instruction{op: opSplit})
		c.program[split].a = c.here()
		c.node(alternative, backward)
		ends = append(ends, c.emit(instruction{op: opJump}))
		c.program[split].b = c.here()
	}
	for _, end := range ends {
		c.program[end].a = c.here()
	}
}

func (c *compiler) repeat(n repeat, backward bool) {
	l := &loop{min: n.min, max: n.max, lazy: n.lazy}
	switch n.node.(type) {
	case char, dot, class:
		if !n.lazy {
			i := c.single(n.node)
			at := c.emit(instruction{op: opRun, backward: backward, loop: l})
			i.backward = backward
			c.emit(i)
			c.program[at].a = c.here()
			return
		}
	}
	l.counter, l.place = c.register(), c.register()
	c.emit(instruction{op: opZero, a: l.counter})
	head := c.emit(instruction{op: opLoop, loop: l})
	l.body = c.here()
	if n.last > n.first {
		c.emit(instruction{op: opReset, a: 2 * n.first, b: 2 * n.last})
	}
	c.node(n.node, backward)
	c.emit(instruction{op: opLoopEnd, a: head, loop: l})
	l.end = c.here()
}
