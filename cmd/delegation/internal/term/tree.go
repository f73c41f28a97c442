package term

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Tree is a line and what belongs to it: a block of lines, or leaves. It has no columns, so neither
// long values nor wide characters can misalign anything. Values are not shortened, so that they can
// be copied. The guides are ASCII, which has the same width in every terminal and log.
type Tree struct {
	// Text is the line, and the block if it has more lines.
	Text string

	// Leaves are the trees below the line, in this order.
	Leaves []Tree
}

// String draws the tree, with a line end after each line.
func (t Tree) String() string {
	var b strings.Builder
	t.draw(&b, "", "")
	return b.String()
}

// draw writes the tree, with first in front of its line and rest in front of all lines below.
func (t Tree) draw(b *strings.Builder, first, rest string) {
	line, block, _ := strings.Cut(t.Text, "\n")
	b.WriteString(first + line + "\n")
	for line := range strings.Lines(block) {
		b.WriteString(rest + "   " + strings.TrimSuffix(line, "\n") + "\n")
	}
	for i, leaf := range t.Leaves {
		if i == len(t.Leaves)-1 {
			leaf.draw(b, rest+"`- ", rest+"   ")
		} else {
			leaf.draw(b, rest+"|- ", rest+"|  ")
		}
	}
}

// Leaf shows our name and a value that a stranger may have chosen. The value is a text, a list or a
// map of texts, or anything that can be printed, such as a number.
func Leaf(name string, value any) Tree {
	t := Tree{Text: name + ":"}
	switch v := value.(type) {
	case string:
		if v != "" {
			t.Text += " " + Shown(v)
		}
	case []string:
		if len(v) == 1 {
			return Leaf(name, v[0])
		}
		for _, one := range v {
			t.Leaves = append(t.Leaves, Tree{Text: Shown(one)})
		}
	case map[string][]string:
		t.Leaves = leaves(v)
	default:
		texts, ok := asTexts(value)
		if !ok {
			t.Text += fmt.Sprintf(" %v", value)
		}
		t.Leaves = leaves(texts)
	}
	if t.Text == name+":" && len(t.Leaves) == 0 {
		t.Text += " (none)"
	}
	return t
}

// asTexts converts a map of texts of any type.
func asTexts(value any) (texts map[string]string, ok bool) {
	v := reflect.ValueOf(value)
	wanted := reflect.TypeFor[map[string]string]()
	if v.Kind() != reflect.Map || !v.CanConvert(wanted) {
		return nil, false
	}
	return v.Convert(wanted).Interface().(map[string]string), true
}

func leaves[V any](m map[string]V) (list []Tree) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, Leaf(Shown(name), m[name]))
	}
	return list
}

// JSONLeaf shows a JSON text as a block, and any other text as Leaf does.
func JSONLeaf(name, text string) Tree {
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(text), "", "  ") != nil {
		return Leaf(name, text)
	}
	return Tree{Text: name + ":\n" + Printable(indented.String())}
}
