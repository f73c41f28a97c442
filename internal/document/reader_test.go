package document_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// outcomes are what Object can come to, with the number of texts of a corpus that came to it.
type outcomes map[error]int

// compare fails unless Object and the oracle return the same value and the same error.
func (o outcomes) compare(t *testing.T, text []byte) {
	t.Helper()
	got, err := document.Object(text)
	want, wantErr := decode(text)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%.500q\ngot  %v, %v\nwant %v, %v", text, got, err, want, wantErr)
	}
	for _, kind := range []error{
		document.ErrDuplicate, document.ErrSyntax, document.ErrNotUTF8, document.ErrSurrogate,
		document.ErrNotObject, document.ErrDepth, nil,
	} {
		if errors.Is(err, kind) {
			o[kind]++
			return
		}
	}
	t.Fatalf("%v is none of this package", err)
}

// FuzzReader compares Object with the oracle, whatever the text.
func FuzzReader(f *testing.F) {
	for _, seed := range append(wholeTexts(), faultyTexts()...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		outcomes{}.compare(t, text)
	})
}

// wholeTexts are objects.
func wholeTexts() []string {
	return []string{
		`{}`, " \t\r\n{ } \n", `{"":{"":[]}}`, nested(32),
		`{"s":"x","n":-1.5e+3,"t":true,"f":false,"z":null,"o":{"a":{}},"l":[1,"a",null,[],{}]}`,
		`{"a":{"b":1},"b":{"a":1,"b":[{"a":1},{"a":2}]},"A":0,"l":[0,-0,0.0,1E9,1e-9,10]}`,
		`{"e":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00\u0000é😀","\u0061b":1e400,"c\\":"\\"}`,
		`{"iss":"https:\/\/issuer.example.com","aud":["a","b"],"exp":1795424400.25}`,
	}
}

// faultyTexts have one fault or several, in each order.
func faultyTexts() []string {
	texts := []string{
		``, ` `, `[]`, `null`, `"{}"`, `1`, `-`, `tru`, `{}{}`, `[{}]`, `{"a":1}x`, "{}\x00",
		"\x00",
		"\ufeff{}", "{\"a\":\"\n\"}", "{\"a\\u0062\n\":1}", `{"a":"\u12"}`, `{"a":"\u+123"}`,
		`{"a":"\ud800\u12"}`, `{"a":"\ud800\`, `{"a":"\x"}`, `{"a":01}`, `{"a":1.}`, `{"a":1e}`,
		`{"a":.1}`, `{"a":+1}`, `{"a":-}`, `{"a":nul}`, `{"a":[1,]}`, `{"a":[,1]}`, `{,}`,
		`{"a"}`, `{"a":}`, `{"a":1]`, `{"a":[1}}`,
		strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
		nested(10_000), nested(10_001), nested(1 << 20),
	}
	faults := []string{
		`"a":1,"a":2`,                           // twice
		`"deep":` + nested(32),                  // too deep
		`"half":"\udc00"`,                       // a surrogate
		`"bytes":"` + "\xff" + `"`,              // not UTF-8
		`"syntax":01`,                           // no number
		`"b":` + nested(32) + `,"b":1`,          // too deep, and then twice
		`"c":1,"c":` + nested(32),               // twice, and then too deep
		`"d":1,"d":{"e":1,"e":2}`,               // twice, outside and inside
		`"f":[` + nested(31) + `,{"g\ud800":1}`, // too deep, a surrogate, and an open array
		`"h":` + strings.Replace(nested(40), "1", `{"i":1,"i":"\udfff"}`, 1),
	}
	for _, first := range faults {
		texts = append(texts, "{"+first+"}", "["+"{"+first+"}"+"]")
		for _, second := range faults {
			texts = append(texts, "{"+first+","+second+"}")
		}
	}
	return texts
}

// Object returns what the oracle returns for each text of a corpus: the seeds with every byte in
// every place, tokens of the test data, every code unit as an escape, and texts by chance. Of each
// outcome there are many.
func TestReaderAgreesWithTheOracle(t *testing.T) {
	counts := outcomes{}
	seeds := append(wholeTexts(), faultyTexts()...)
	for _, seed := range seeds {
		counts.compare(t, []byte(seed))
	}
	mutateEveryByte(t, counts, wholeTexts())
	everyCodeUnit(t, counts)
	random := rand.New(rand.NewPCG(15, 15))
	for range sampling.Of(60_000) {
		counts.compare(t, corrupted(random, randomText(random)))
	}
	for _, file := range storedTexts(t) {
		counts.compare(t, file)
		for range sampling.Of(200) {
			counts.compare(t, corrupted(random, string(file)))
		}
	}

	total := 0
	for kind, n := range counts {
		t.Logf("%7d %v", n, kind)
		total += n
	}
	t.Logf("%7d texts", total)
	for _, kind := range []error{
		document.ErrDuplicate, document.ErrSyntax, document.ErrNotUTF8, document.ErrSurrogate,
		document.ErrNotObject, document.ErrDepth, nil,
	} {
		if counts[kind] < sampling.Of(100) {
			t.Errorf("only %d texts with the outcome %v", counts[kind], kind)
		}
	}
}

// mutateEveryByte replaces each byte of the texts by each other one, removes it, and doubles it.
func mutateEveryByte(t *testing.T, counts outcomes, texts []string) {
	t.Helper()
	for _, text := range texts {
		for i := range len(text) {
			counts.compare(t, []byte(text[:i]))
			counts.compare(t, []byte(text[:i]+text[i+1:]))
			counts.compare(t, []byte(text[:i+1]+text[i:]))
			changed := []byte(text)
			for b := range 256 {
				changed[i] = byte(b)
				counts.compare(t, changed)
			}
		}
	}
}

// everyCodeUnit escapes each code unit alone, and each half of a pair with both kinds of halves.
func everyCodeUnit(t *testing.T, counts outcomes) {
	t.Helper()
	for unit := range 0x10000 {
		counts.compare(t, fmt.Appendf(nil, `{"\u%04x":"\u%04X"}`, unit, unit))
	}
	for half := 0xd700; half < 0xe100; half++ {
		counts.compare(t, fmt.Appendf(nil, `{"a":"\u%04x\ud83d"}`, half))
		counts.compare(t, fmt.Appendf(nil, `{"a":"\u%04x\ude00"}`, half))
		counts.compare(t, fmt.Appendf(nil, `{"a":"\u%04x\\ude00"}`, half))
	}
}

// storedTexts are the documents and the cases of tokens in the test data of the module.
func storedTexts(t *testing.T) (texts [][]byte) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/vectors/*.json")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// randomText writes a value, mostly an object, whose names and values are often equal.
func randomText(random *rand.Rand) string {
	budget := 1 + random.IntN(40)
	if random.IntN(20) == 0 {
		return randomValue(random, &budget)
	}
	return randomObject(random, &budget)
}

var randomStrings = []string{
	`""`, `"a"`, `"b"`, `"\u0061"`, `"é"`, `"😀"`, `"\ud83d\ude00"`, `"\/"`, `"\\u0061"`,
	`"\n\t"`,
	`"a long text without an escape, as most claims are"`, `"sub"`, `"SUB"`, `"\u017fub"`,
}

func randomValue(random *rand.Rand, budget *int) string {
	*budget--
	scalars := []string{
		"0", "-0", "1", "12.50", "1e5", "-1.5E-10", "1e400", "12345678901234567890", "true",
		"false", "null",
	}
	switch n := random.IntN(20); {
	case n < 3 && *budget > 0:
		return randomObject(random, budget)
	case n < 6 && *budget > 0:
		return randomArray(random, budget)
	case n == 6 && random.IntN(10) == 0:
		return nested(28 + random.IntN(10))
	case n < 13:
		return randomStrings[random.IntN(len(randomStrings))]
	default:
		return scalars[random.IntN(len(scalars))]
	}
}

func randomObject(random *rand.Rand, budget *int) string {
	var members []string
	used := map[string]bool{}
	for range random.IntN(6) {
		name := randomStrings[random.IntN(len(randomStrings))]
		if used[name] && random.IntN(30) > 0 {
			continue
		}
		used[name] = true
		members = append(members, name+blank(random)+":"+blank(random)+
			randomValue(random, budget))
	}
	return "{" + blank(random) + strings.Join(members, ","+blank(random)) + "}" + blank(random)
}

func randomArray(random *rand.Rand, budget *int) string {
	var items []string
	for range random.IntN(6) {
		items = append(items, randomValue(random, budget))
	}
	return "[" + strings.Join(items, blank(random)+",") + blank(random) + "]"
}

func blank(random *rand.Rand) string {
	return []string{"", "", "", " ", "\n", "\t\r "}[random.IntN(6)]
}

// corrupted changes up to two places of a text, one time in two.
func corrupted(random *rand.Rand, text string) []byte {
	changed := []byte(text)
	if len(changed) == 0 || random.IntN(2) == 0 {
		return changed
	}
	pieces := []string{
		`"`, `\`, `{`, `}`, `[`, `]`, `,`, `:`, `0`, `-`, `.`, `e`, `\ud800`, `\u0061`, "\xff",
		"\x00",
		" ", "\n", "\u00a0", "true", "null", `"a":1,`,
	}
	for range 1 + random.IntN(2) {
		at := random.IntN(len(changed))
		end := min(len(changed), at+random.IntN(3))
		piece := pieces[random.IntN(len(pieces))]
		changed = append(append(append([]byte{}, changed[:at]...), piece...), changed[end:]...)
	}
	return changed
}
