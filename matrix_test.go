package delegation_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// The token matrix: generated tokens, and an oracle that knows what must become of them.
//
//   - matrix_dimensions_test.go lists what can be chosen: algorithms, keys, kids, headers, claims,
//     encodings, signatures, and the configuration that the token meets.
//   - matrix_build_test.go makes a token and a Delegator of a description.
//   - matrix_oracle_test.go decides from the description alone, by RFC 7515, 7517, 7518, 7519,
//     8725 and OpenID Connect Core, and by the policies of this library where these leave a choice.
//     It reads no token and calls nothing of the library.
//
// TestMatrixSample runs a hundredth of it. With the tag "matrix", TestMatrix runs all of it.

// matrixSeed makes the matrix the same on every run, but for the keys, which decide nothing.
const matrixSeed = 11

// matrixSize is the number of tokens of the whole matrix. A hundredth is in every run.
const matrixSize = 120_000

// A hundredth of the matrix: each value of each dimension alone, and chance.
func TestMatrixSample(t *testing.T) {
	runMatrix(t, fillRows(singleRows(), matrixSize/100), 1)
}

// matrixRow is one token of the matrix as it is chosen: values of dimensions, by their index.
type matrixRow struct {
	number int
	chosen []matrixChoice
}

// matrixChoice is a value of a dimension.
type matrixChoice struct{ dimension, value int }

// matrixSingles are all values of all dimensions.
var matrixSingles = func() []matrixChoice {
	var all []matrixChoice
	for d, dimension := range matrixDimensions {
		for v := range dimension.values {
			all = append(all, matrixChoice{d, v})
		}
	}
	return all
}()

// singleRows has each value of each dimension in a token that is otherwise good.
func singleRows() []matrixRow {
	var rows []matrixRow
	for _, choice := range matrixSingles {
		rows = append(rows, matrixRow{chosen: []matrixChoice{choice}})
	}
	return rows
}

// pairRows has each pair of values of two dimensions of a group, and each value with each
// algorithm.
func pairRows() []matrixRow {
	var rows []matrixRow
	for i, first := range matrixSingles {
		a := matrixDimensions[first.dimension]
		for _, second := range matrixSingles[i+1:] {
			b := matrixDimensions[second.dimension]
			if a.name != b.name && (a.group == b.group || a.name == "algorithm") {
				rows = append(rows, matrixRow{chosen: []matrixChoice{first, second}})
			}
		}
	}
	return rows
}

// fillRows adds rows by chance until there are so many, and numbers them.
func fillRows(rows []matrixRow, size int) []matrixRow {
	for len(rows) < size {
		random := rand.New(rand.NewPCG(matrixSeed, uint64(len(rows))))
		rows = append(rows, matrixRow{chosen: chance(random)})
	}
	for i := range rows {
		rows[i].number = i
	}
	return rows
}

// chance chooses one to four values, one time in two all of one group. Half of them are chosen by
// dimension, so that a dimension of few values is not rare, and half among all values.
func chance(random *rand.Rand) []matrixChoice {
	group := ""
	if random.IntN(2) == 0 {
		group = matrixDimensions[random.IntN(len(matrixDimensions))].group
	}
	count := 1 + random.IntN(4)
	var chosen []matrixChoice
	for len(chosen) < count {
		d := random.IntN(len(matrixDimensions))
		choice := matrixChoice{d, random.IntN(len(matrixDimensions[d].values))}
		if random.IntN(2) == 0 {
			choice = matrixSingles[random.IntN(len(matrixSingles))]
		}
		if group == "" || matrixDimensions[choice.dimension].group == group {
			chosen = append(chosen, choice)
		}
	}
	return chosen
}

// describe makes the description of the row's token. A later value of a dimension replaces an
// earlier one; dimensions apply in their own order, because some look at what others have set.
func (row matrixRow) describe() *matrixToken {
	seed := uint64(row.number)
	token := row.describeWith(rand.New(rand.NewPCG(matrixSeed+1, seed)))
	for attempt := seed; len(row.chosen) == 1 && token.skipped; attempt++ { // of another algorithm
		token = row.describeWith(rand.New(rand.NewPCG(matrixSeed+2, attempt)))
	}
	return token
}

func (row matrixRow) describeWith(random *rand.Rand) *matrixToken {
	token := goodToken(random)
	values := map[int]int{}
	for _, choice := range row.chosen {
		values[choice.dimension] = choice.value
	}
	for _, d := range slices.Sorted(maps.Keys(values)) {
		dimension := matrixDimensions[d]
		value := dimension.values[values[d]]
		token.skipped = false
		value.set(token)
		if !token.skipped {
			token.choices = append(token.choices, dimension.name+": "+value.name)
		}
	}
	token.settle()
	return token
}

// matrixTally counts what became of the tokens of one worker.
type matrixTally struct {
	accepted int
	refused  map[delegation.Code]int
	values   map[string]int
	wrong    []string
}

// runMatrix runs every row on all processors, and wants each value at least so often.
func runMatrix(t *testing.T, rows []matrixRow, least int) {
	t.Helper()
	tallies := make([]matrixTally, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var workers sync.WaitGroup
	for i := range tallies {
		tally := &tallies[i]
		tally.refused = map[delegation.Code]int{}
		tally.values = map[string]int{}
		workers.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(rows) {
					return
				}
				tally.run(t, rows[n])
			}
		})
	}
	workers.Wait()

	total := matrixTally{refused: map[delegation.Code]int{}, values: map[string]int{}}
	for _, tally := range tallies {
		total.add(tally)
	}
	total.report(t, len(rows), least)
}

func (m *matrixTally) add(other matrixTally) {
	m.accepted += other.accepted
	for code, n := range other.refused {
		m.refused[code] += n
	}
	for value, n := range other.values {
		m.values[value] += n
	}
	m.wrong = append(m.wrong, other.wrong...)
}

// report fails for each token that was judged wrongly, and for a matrix that has become thin.
func (m *matrixTally) report(t *testing.T, rows, least int) {
	t.Helper()
	t.Logf("%d tokens: %d accepted, %d refused", rows, m.accepted, rows-m.accepted)
	byCount := func(a, b delegation.Code) int {
		return cmp.Or(m.refused[b]-m.refused[a], strings.Compare(string(a), string(b)))
	}
	for _, code := range slices.SortedFunc(maps.Keys(m.refused), byCount) {
		t.Logf("%8d %s", m.refused[code], code)
	}
	slices.Sort(m.wrong)
	for _, wrong := range m.wrong[:min(len(m.wrong), 40)] {
		t.Error(wrong)
	}
	if len(m.wrong) > 0 {
		t.Errorf("%d of %d tokens were judged wrongly", len(m.wrong), rows)
	}
	if m.accepted*10 < rows {
		t.Errorf("only %d of %d tokens are good: fewer than a tenth", m.accepted, rows)
	}
	for _, dimension := range matrixDimensions {
		for _, value := range dimension.values {
			if n := m.values[dimension.name+": "+value.name]; n < least {
				t.Errorf("%s: %s: only %d tokens", dimension.name, value.name, n)
			}
		}
	}
	for _, code := range matrixCodes {
		if m.refused[code] == 0 {
			t.Errorf("no token was refused with %s", code)
		}
	}
}

// run builds the row's token, has it judged by both doors, and compares with the oracle.
func (m *matrixTally) run(t *testing.T, row matrixRow) {
	token := row.describe()
	raw := token.build()
	want := token.judge(len(raw))
	for _, choice := range token.choices {
		m.values[choice]++
	}
	wrong := func(format string, args ...any) {
		m.wrong = append(m.wrong, fmt.Sprintf("row %06d, %s with %s, %s\n%s\nwant %s\n%.2000s",
			row.number, token.signature.algorithm, token.setup.material,
			strings.Join(token.choices, "; "), fmt.Sprintf(format, args...), want, raw))
	}

	d, err := delegation.New(t.Context(), token.config())
	if err != nil {
		wrong("New: %v", err)
		return
	}
	explanation, explained := d.Explain(t.Context(), raw, app, token.options()...)
	fields := d.CompareToken(t.Context(), raw, app)
	if problem := comparisonProblem(fields, raw, explained); problem != "" {
		wrong("Explain: %v, and CompareToken: %s", explained, problem)
	}
	if token.setup.source != "static" { // whose refreshes Explain has used up
		d = must(delegation.New(t.Context(), token.config()))
	}
	var seen string // by the rule
	ctx := context.WithValue(t.Context(), matrixClient{}, &seen)
	_, exchanged := d.Exchange(ctx, raw, app, token.options()...)
	if a, b := outcome(explained), outcome(exchanged); a != b && !want.replay {
		wrong("Explain: %s, and Exchange: %s", a, b)
		return
	}

	if exchanged == nil {
		m.accepted++
	}
	var refusal *delegation.Error
	if errors.As(exchanged, &refusal) {
		m.refused[refusal.Code]++
	}
	switch {
	case exchanged == nil && len(want.refusals) > 0:
		wrong("wrongly accepted")
	case exchanged != nil && len(want.refusals) == 0:
		wrong("wrongly refused: %v", exchanged)
	case exchanged != nil && (refusal == nil || !want.allows(refusal.Code)):
		wrong("refused with another code: %v", exchanged)
	case exchanged == nil && (seen != want.client || explanation.ClientID != want.client):
		wrong("the rule saw the client %q, Explain %q", seen, explanation.ClientID)
	case exchanged == nil && explanation.Subject != want.subject:
		wrong("the subject is %q, not %q", explanation.Subject, want.subject)
	case exchanged == nil && explanation.Issuer != want.issuer:
		wrong("the issuer is %q, not %q", explanation.Issuer, want.issuer)
	}
}

// matrixClient is the key of the context under which the rule leaves the client that it saw.
type matrixClient struct{}

// noteClient is a rule that notes the client and decides nothing.
func noteClient(ctx context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
	if seen, ok := ctx.Value(matrixClient{}).(*string); ok {
		*seen = rc.ClientID
	}
	return nil
}

// config is the configuration that the token meets.
func (token *matrixToken) config() delegation.Config {
	setup := token.setup
	own := delegation.Issuer{URL: issuerURL, Algorithms: setup.algorithms}
	var client *http.Client
	switch {
	case setup.material == "secret":
		own.SharedSecret = delegation.NewSecret(matrixSecret)
	case setup.source == "static":
		own.JWKS = setup.keySet()
	default:
		client = &http.Client{Transport: direct(setup.publish())}
		if setup.source == "URL" {
			own.JWKSURL = matrixKeysURL
		}
	}
	target := delegation.Target{
		Audiences: setup.audiences,
		AWS:       delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"},
	}
	target.ID, target.NameID = setup.targetID, setup.nameID
	config := delegation.Config{
		Issuers:          []delegation.Issuer{own},
		IdentityProvider: identity(),
		Rules:            []delegation.RuleFunc{noteClient},
		HTTPClient:       client,
		Leeway:           setup.leeway,
		Now:              func() time.Time { return start },
		STS:              agreeable(func() time.Time { return start }),
		CacheSize:        -1,
	}
	if setup.issuers != "" {
		other := matrixKey{material: "rsa other issuer", kid: "other-issuer", use: "sig"}
		config.Issuers = append(config.Issuers,
			delegation.Issuer{URL: matrixOtherIssuer, JWKS: keySet(other.jwk())})
		target.Issuers = []string{issuerURL}
	}
	if setup.issuers == "one name space" {
		target.Issuers = append(target.Issuers, matrixOtherIssuer)
	}
	setup.optIn(&config.Issuers[0], &target)
	if setup.replay {
		config.Replay = delegation.ReplayMemory(10)
	}
	config.Targets = delegation.Targets{app: target}
	return config
}

func (token *matrixToken) options() []delegation.ExchangeOption {
	if token.setup.client == "" {
		return nil
	}
	return []delegation.ExchangeOption{delegation.WithClientID(token.setup.client)}
}
