// Package packed estimates how much of AWS's space session policies and session tags take. STS
// packs both into a format that AWS does not publish, refuses what takes more than 100 percent of a
// space that it does not publish either, and says the percentage only after the call. The numbers
// here were fitted to percentages that people have published; docs/packed-size.md lists them, and
// says how far the estimate is off.
package packed

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// space is what there is, in bytes. Nine tags with values of 250 letters take 498 percent of
	// it, so tags are not compressed: aws-actions/configure-aws-credentials, issue 1898.
	space = 461

	lengthSize    = 1   // before each text
	policyText    = 1   // of each text in a policy, besides its length
	longText      = 128 // from here on a length takes two bytes
	versionSize   = 10
	statementSize = 3
	operatorSize  = 1 // of a condition

	// Texts of one policy that repeat others are written as references: a policy that names one
	// path of 500 characters three times takes the space of one.
	minRepeat     = 3
	referenceSize = 2
	// maxTries bounds the search for the longest repetition. A policy has 2,048 characters.
	maxTries = 64
)

// Warned is the lowest estimate, in percent, that deserves a warning. Published measurements are up
// to 1.23 times their estimates, so an estimate of 81 may be 100 in fact.
const Warned = 80

// Percent estimates what STS would answer as PackedPolicySize: the share of its space that the
// inline session policy, the ARNs of managed ones and the tags take together, rounded to the
// nearest whole number. It is 0 if there are none, and more than 100 where STS is expected to
// refuse. A policy that is not one counts as plain text.
func Percent(policy string, arns []string, tags map[string]string) int {
	size := PoliciesSize(policy, arns)
	for key, value := range tags {
		size += TagSize(key, value)
	}
	if size == 0 {
		return 0
	}
	return max(1, (size*100+space/2)/space)
}

// TagSize estimates what a session tag takes, in bytes.
func TagSize(key, value string) int { return textSize(key) + textSize(value) }

// PoliciesSize estimates what an inline session policy, or "", and the ARNs of managed ones take,
// in bytes.
func PoliciesSize(policy string, arns []string) int {
	size := 0
	if policy != "" {
		size = policySize(policy)
	}
	for _, arn := range arns {
		size += textSize(arn)
	}
	return size
}

func textSize(text string) int {
	size := lengthSize + len(text)
	if len(text) >= longText {
		size++
	}
	return size
}

// policySize estimates what a policy takes. The names of its elements, and the values of Effect,
// take no space.
func policySize(policy string) int {
	var document map[string]any
	if json.Unmarshal([]byte(policy), &document) != nil {
		return textSize(policy)
	}
	size := 0
	if document["Version"] != nil {
		size += versionSize
	}
	var p packer
	if id, ok := document["Id"].(string); ok {
		p.text(id)
	}
	for _, statement := range list(document["Statement"]) {
		size += statementSize
		p.statement(statement)
	}
	return size + p.operators*operatorSize + p.count*policyText + sizeOf(p.texts.String())
}

// packer collects the texts of a policy, each with its length before it.
type packer struct {
	texts     strings.Builder
	count     int // of the texts
	operators int
}

// elements are those of a statement whose texts are packed, in this order.
var elements = [...]string{
	"Sid", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
}

func (p *packer) statement(value any) {
	statement, _ := value.(map[string]any)
	for _, name := range elements {
		if content, ok := statement[name]; ok {
			p.all(content)
		}
	}
	condition, _ := statement["Condition"].(map[string]any)
	for _, operator := range slices.Sorted(maps.Keys(condition)) {
		p.operators++
		p.all(condition[operator])
	}
}

// all adds the texts of a value, with the names in its objects.
func (p *packer) all(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			p.text(name)
			p.all(v[name])
		}
	case []any:
		for _, entry := range v {
			p.all(entry)
		}
	case nil:
	default:
		p.text(fmt.Sprint(v))
	}
}

// text adds a text. The bytes for its length are not characters of a policy, so no repetition in a
// policy spans two texts by accident.
func (p *packer) text(text string) {
	p.count++
	p.texts.WriteString(strings.Repeat("\x00", textSize(text)-len(text)))
	p.texts.WriteString(text)
}

// list returns the entries of a list, or the value as the only one; none for nil.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}

// sizeOf returns the size of a text if each repetition of three or more bytes is a reference.
func sizeOf(text string) int {
	places := map[string][]int{} // of each three bytes, in order
	size := 0
	for i := 0; i < len(text); {
		length := repetition(text, i, places)
		step := 1
		if length >= minRepeat {
			step = length
			size += referenceSize
		} else {
			size++
		}
		for end := min(i+step, len(text)-minRepeat+1); i < end; i++ {
			start := text[i : i+minRepeat]
			places[start] = append(places[start], i)
			step--
		}
		i += step
	}
	return size
}

// repetition returns how many bytes from i on repeat bytes before i. It tries the latest places
// first.
func repetition(text string, i int, places map[string][]int) (longest int) {
	if i+minRepeat > len(text) {
		return 0
	}
	found := places[text[i:i+minRepeat]]
	for _, from := range slices.Backward(found[max(0, len(found)-maxTries):]) {
		length := 0
		for i+length < len(text) && from+length < i && text[from+length] == text[i+length] {
			length++
		}
		longest = max(longest, length)
	}
	return longest
}
