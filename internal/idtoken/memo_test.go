package idtoken_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// memoStart is when the tests of the memo begin.
var memoStart = time.Unix(1795424400, 0)

// memoKey is a signing key with its JWK.
type memoKey struct {
	signer    crypto.Signer // nil: the secret
	algorithm string
	jwk       map[string]any
}

var memoKeys = sync.OnceValue(func() (keys []memoKey) {
	big := func(n interface{ Bytes() []byte }) string { return encode(n.Bytes()) }
	for range 3 {
		public, private, _ := ed25519.GenerateKey(rand.Reader)
		keys = append(keys, memoKey{private, "EdDSA",
			map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(public)}})
	}
	for range 2 {
		private, _ := rsa.GenerateKey(rand.Reader, 2048)
		jwk := map[string]any{"kty": "RSA", "n": big(private.N), "e": "AQAB"}
		keys = append(keys, memoKey{private, "RS256", jwk}, memoKey{private, "PS256", jwk})
	}
	private, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	point, _ := private.PublicKey.Bytes()
	return append(keys, memoKey{private, "ES256", map[string]any{"kty": "EC", "crv": "P-256",
		"x": encode(point[1:33]), "y": encode(point[33:])}})
})

// sign makes a token. An empty kid is left out.
func (k memoKey) sign(kid string, claims map[string]any) string {
	header := map[string]any{"alg": k.algorithm, "typ": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	head, _ := json.Marshal(header)
	body, _ := json.Marshal(claims)
	input := encode(head) + "." + encode(body)
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	switch private := k.signer.(type) {
	case nil:
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(private, []byte(input))
	case *ecdsa.PrivateKey:
		r, s, _ := ecdsa.Sign(rand.Reader, private, digest[:])
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		var options crypto.SignerOpts = crypto.SHA256
		if k.algorithm == "PS256" {
			options = &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
		}
		signature, _ = private.Sign(rand.Reader, digest[:], options)
	}
	return input + "." + encode(signature)
}

// published is the JWK of the key under a kid.
func (k memoKey) published(kid string) map[string]any {
	jwk := map[string]any{}
	for name, value := range k.jwk {
		jwk[name] = value
	}
	if kid != "" {
		jwk["kid"] = kid
	}
	return jwk
}

func memoClaims(iss, sub string, changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": iss, "sub": sub, "aud": "app",
		"iat": memoStart.Unix(), "exp": memoStart.Add(time.Hour).Unix(),
		"groups": []any{"a", map[string]any{"b": []any{"c"}}}, "nested": map[string]any{"d": "e"},
	}
	for name, value := range changes {
		claims[name] = value
	}
	return claims
}

// memoWorld is a verifier with a published issuer, a static one and one with secrets.
type memoWorld struct {
	*idtoken.Verifier
	now     time.Time
	set     []map[string]any // published
	down    bool
	fetches int
	secret  string
	wait    chan struct{} // nil: answers come at once
}

func (w *memoWorld) RoundTrip(*http.Request) (*http.Response, error) {
	w.fetches++
	if w.wait != nil {
		<-w.wait
	}
	if w.down {
		return nil, errDown
	}
	text, _ := json.Marshal(map[string]any{"keys": w.set})
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(string(text))),
	}, nil
}

const fixed = "https://fixed.example.com"

func newMemoWorld(memory int) *memoWorld {
	w := &memoWorld{now: memoStart, secret: secret}
	algorithms := []string{"EdDSA", "RS256", "PS256", "ES256"}
	static, err := json.Marshal(map[string]any{"keys": []any{
		memoKeys()[0].published("fixed"), memoKeys()[1].published(""),
	}})
	if err != nil {
		panic(err)
	}
	set, err := idtoken.ParseKeySet(static)
	if err != nil {
		panic(err)
	}
	w.Verifier = idtoken.New(idtoken.Config{
		MaxSize:       4 << 10,
		Leeway:        time.Minute,
		Now:           func() time.Time { return w.now },
		Memory:        memory,
		Client:        &http.Client{Transport: w},
		RefreshFailed: func(string, error) {},
	}, []idtoken.Issuer{
		{URL: published, Algorithms: algorithms, KeySetURL: published + "/keys"},
		{URL: fixed, Algorithms: algorithms, KeySet: set},
		{URL: shared, Algorithms: []string{"HS256"},
			SharedSecret: func() string { return w.secret }},
	})
	return w
}

// outcome is all that a caller sees of a verification.
func (w *memoWorld) outcome(ctx context.Context, token string) string {
	claims, err := w.Verify(ctx, token)
	var refusal *idtoken.Error
	if errors.As(err, &refusal) {
		return fmt.Sprintf("%v, %+v, %v", err, refusal.Of, refusal.Refresh)
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", *claims)
}

// A token that was verified before is neither decoded nor its signature computed.
func TestMemo_Remembers(t *testing.T) {
	w := newMemoWorld(0)
	token := memoKeys()[0].sign("fixed", memoClaims(fixed, "alice", nil))
	first := w.outcome(t.Context(), token)
	if n, size := idtoken.Remembered(w.Verifier); n != 1 || size < len(token) {
		t.Fatalf("%d tokens of %d bytes: %s", n, size, first)
	}
	if second := w.outcome(t.Context(), token); second != first {
		t.Errorf("got %s, want %s", second, first)
	}
	off := newMemoWorld(-1)
	allocations := func(w *memoWorld, token string) float64 {
		return testing.AllocsPerRun(100, func() { _, _ = w.Verify(context.Background(), token) })
	}
	if on, off := allocations(w, token), allocations(off, token); on > off/2 {
		t.Errorf("%v allocations for a token that is remembered, %v without a memo", on, off)
	}
	// RSA takes more of them than EdDSA, if it is computed.
	w.set = []map[string]any{memoKeys()[0].published("a"), memoKeys()[3].published("b")}
	edwards := memoKeys()[0].sign("a", memoClaims(published, "alice", nil))
	rsa := memoKeys()[3].sign("b", memoClaims(published, "alice", nil))
	if with, without := allocations(w, rsa), allocations(w, edwards); with > without+2 {
		t.Errorf("%v allocations with an RSA key, %v with EdDSA", with, without)
	}
	if n, size := idtoken.Remembered(off.Verifier); n != 0 || size != 0 {
		t.Errorf("%d tokens are remembered although Memory is negative", n)
	}
}

// What one caller does to its claims is not seen by another, nor by the memo: after the first
// verification, and after those from memory.
func TestMemo_ClaimsAreTheCallers(t *testing.T) {
	w := newMemoWorld(0)
	token := memoKeys()[0].sign("fixed", memoClaims(fixed, "alice", nil))
	want := w.outcome(t.Context(), token)
	w = newMemoWorld(0)
	for i := range 4 {
		if got := newMemoWorld(-1).outcome(t.Context(), token); got != want {
			t.Fatalf("got %s", got)
		}
		claims, err := w.Verify(t.Context(), token)
		if err != nil || fmt.Sprintf("%+v", *claims) != want {
			t.Fatalf("verification %d: got %+v, %v, want %s", i, claims, err, want)
		}
		groups := claims.All["groups"].([]any)
		groups[1].(map[string]any)["b"].([]any)[0] = "changed"
		groups[1].(map[string]any)["new"] = "changed"
		groups[0] = "changed"
		claims.All["nested"].(map[string]any)["d"] = "changed"
		claims.All["sub"] = "changed"
		claims.Audience[0] = "changed"
		delete(claims.All, "iss")
	}
}

// Refused tokens are not remembered, however good their signatures are, and a token that is refused
// later is forgotten.
func TestMemo_KeepsNoFailures(t *testing.T) {
	w := newMemoWorld(0)
	key := memoKeys()[0]
	good := key.sign("fixed", memoClaims(fixed, "alice", nil))
	for name, token := range map[string]string{
		"expired": key.sign("fixed", memoClaims(fixed, "alice", map[string]any{"exp": 1})),
		"another kind": key.sign("fixed",
			memoClaims(fixed, "alice", map[string]any{"typ": "Bearer"})),
		"no subject":      key.sign("fixed", memoClaims(fixed, "", nil)),
		"another key":     memoKeys()[2].sign("fixed", memoClaims(fixed, "alice", nil)),
		"another issuer":  key.sign("fixed", memoClaims(published+"/", "alice", nil)),
		"cut short":       good[:len(good)-8],
		"other signature": good[:len(good)-8] + "AAAAAAAA",
	} {
		if got := w.outcome(t.Context(), token); strings.Contains(got, "AppOnly:") {
			t.Errorf("%s: accepted", name)
		}
		if n, _ := idtoken.Remembered(w.Verifier); n != 0 {
			t.Errorf("%s: %d tokens are remembered", name, n)
		}
	}
	w.outcome(t.Context(), good)
	if n, _ := idtoken.Remembered(w.Verifier); n != 1 {
		t.Fatalf("%d tokens are remembered", n)
	}
	w.now = memoStart.Add(time.Hour + time.Minute)
	if got := w.outcome(t.Context(), good); !strings.Contains(got, "token_expired") {
		t.Errorf("got %s", got)
	}
	if n, size := idtoken.Remembered(w.Verifier); n != 0 || size != 0 {
		t.Errorf("%d tokens of %d bytes are remembered", n, size)
	}
}

// A secret that changes verifies no token that the one before has verified, and verifies it once
// more when it is back.
func TestMemo_SecretChanges(t *testing.T) {
	w := newMemoWorld(0)
	token := memoKey{algorithm: "HS256"}.sign("", memoClaims(shared, "alice", nil))
	good := w.outcome(t.Context(), token)
	if n, _ := idtoken.Remembered(w.Verifier); n != 1 {
		t.Fatalf("not remembered: %s", good)
	}
	w.secret = strings.ToUpper(secret)
	if got := w.outcome(t.Context(), token); !strings.Contains(got, "signature_invalid") {
		t.Errorf("got %s", got)
	}
	w.secret = secret
	if got := w.outcome(t.Context(), token); got != good {
		t.Errorf("got %s", got)
	}
	w.secret = secret + "\x00" // with which HMAC is the same (RFC 2104 §2)
	for range 2 {
		if got := w.outcome(t.Context(), token); got != good {
			t.Errorf("got %s", got)
		}
	}
}

// A key that has no ID is asked each time, and verifies nothing by having none.
func TestMemo_KeyWithoutID(t *testing.T) {
	if err := idtoken.VerifyWithoutID(); codeOf(err) != "signature_invalid" {
		t.Errorf("got %v", err)
	}
}

// The memo keeps to its bytes, really: the heap does not grow by more. The least recently used go
// first, then those that have expired, and forged tokens push out none.
func TestMemo_Bounds(t *testing.T) {
	const limit = 1 << 20
	w := newMemoWorld(limit)
	key := memoKeys()[0]
	many := make([]any, 60)
	for i := range many {
		many[i] = fmt.Sprintf("group %d", i)
	}
	shapes := []map[string]any{
		nil, {"groups": many}, {"text": strings.Repeat("x,", 1000)},
		{"text": strings.Repeat("\u00e9\t", 300), "deep": map[string]any{"a": map[string]any{}}},
	}
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for _, shape := range shapes {
		w := newMemoWorld(limit)
		before := heap()
		most := 0
		for i := range 1200 {
			w.outcome(t.Context(), key.sign("fixed", memoClaims(fixed, fmt.Sprint(i), shape)))
			n, size := idtoken.Remembered(w.Verifier)
			most = max(most, n)
			if size > limit {
				t.Fatalf("%d bytes", size)
			}
		}
		n, size := idtoken.Remembered(w.Verifier)
		grown := heap() - before
		t.Logf("%d tokens, %d bytes by count, %d by the heap", n, size, grown)
		if n == 1200 || n < most/2 || grown > limit {
			t.Errorf("%d of at most %d tokens are remembered, the heap grew by %d", n, most, grown)
		}
		runtime.KeepAlive(w)
	}

	used := key.sign("fixed", memoClaims(fixed, "used", nil))
	idle := key.sign("fixed", memoClaims(fixed, "idle", nil))
	w.outcome(t.Context(), used)
	w.outcome(t.Context(), idle)
	for i := range 800 {
		w.outcome(t.Context(), used)
		w.outcome(t.Context(), key.sign("fixed", memoClaims(fixed, fmt.Sprint(i), nil)))
		if !idtoken.Remembers(w.Verifier, used) {
			t.Fatalf("a token that is used was forgotten after %d others", i)
		}
	}
	if idtoken.Remembers(w.Verifier, idle) {
		t.Error("it is not the least recently used that went")
	}
	for i := range 800 {
		forged := memoKeys()[2].sign("fixed", memoClaims(fixed, fmt.Sprint(i), nil))
		w.outcome(t.Context(), forged)
	}
	if !idtoken.Remembers(w.Verifier, used) {
		t.Error("forged tokens pushed out a good one")
	}
	w.now = memoStart.Add(2 * time.Hour)
	later := map[string]any{"exp": w.now.Add(time.Hour).Unix()}
	w.outcome(t.Context(), key.sign("fixed", memoClaims(fixed, "later", later)))
	if n, _ := idtoken.Remembered(w.Verifier); n != 1 {
		t.Errorf("%d tokens are remembered, of which one is valid", n)
	}
	quarter := newMemoWorld(10_000)
	quarter.outcome(t.Context(), key.sign("fixed", memoClaims(fixed, "large", shapes[1])))
	if n, size := idtoken.Remembered(quarter.Verifier); n != 0 {
		t.Errorf("a token is remembered that takes %d of 10,000 bytes", size)
	}
	if got := newMemoWorld(1000); got.outcome(t.Context(), used) != w.outcomeAt(memoStart, used) {
		t.Error("a memo without room for one token changes the outcome")
	} else if n, _ := idtoken.Remembered(got.Verifier); n != 0 {
		t.Error("a token is remembered that takes more than its part")
	}
}

func (w *memoWorld) outcomeAt(now time.Time, token string) string {
	w.now = now
	return w.outcome(context.Background(), token)
}

// Callers who verify the same token at once, and change what they get, do not meet.
func TestMemo_Concurrent(t *testing.T) {
	w := newMemoWorld(64 << 10)
	var tokens []string
	for i := range 40 { // more than there is room for
		tokens = append(tokens, memoKeys()[0].sign("fixed", memoClaims(fixed, fmt.Sprint(i), nil)))
	}
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 400 {
				n := (i*7 + caller) % len(tokens)
				claims, err := w.Verify(t.Context(), tokens[n])
				if err != nil || claims.All["sub"] != fmt.Sprint(n) || len(claims.All) != 7 {
					t.Errorf("got %+v, %v", claims, err)
					return
				}
				clear(claims.All["nested"].(map[string]any))
				claims.All["groups"].([]any)[0] = caller
				clear(claims.All)
			}
		})
	}
	callers.Wait()
}

// Two callers who verify a new token at once leave it in memory once.
func TestMemo_SameTokenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := memoKeys()[0].sign("a", memoClaims(published, "alice", nil))
		sizes := map[int]int{}
		for _, callers := range []int{1, 2} {
			w := newMemoWorld(0)
			w.set = []map[string]any{memoKeys()[0].published("a")}
			w.wait = make(chan struct{})
			var done sync.WaitGroup
			for range callers {
				done.Go(func() { w.outcome(t.Context(), token) })
			}
			synctest.Wait() // for the keys
			close(w.wait)
			done.Wait()
			n, size := idtoken.Remembered(w.Verifier)
			if n != 1 {
				t.Errorf("%d callers: %d tokens are remembered", callers, n)
			}
			sizes[callers] = size
		}
		if sizes[1] != sizes[2] || sizes[1] == 0 {
			t.Errorf("the token counts %d bytes after one caller, and %d after two",
				sizes[1], sizes[2])
		}
	})
}

// Headers of verified tokens are remembered in bounded number, and only theirs. A header that is
// written otherwise is decoded itself.
func TestHeaders(t *testing.T) {
	w := newMemoWorld(-1)
	key := memoKeys()[1] // of the static set, under no kid
	sign := func(header string) string {
		input := encode([]byte(header)) + "." +
			encode(fmt.Appendf(nil, `{"iss":%q,"sub":"alice","aud":"app","iat":%d,"exp":%d}`,
				fixed, memoStart.Unix(), memoStart.Add(time.Hour).Unix()))
		return input + "." + encode(ed25519.Sign(key.signer.(ed25519.PrivateKey), []byte(input)))
	}
	const good = `{"alg":"EdDSA"}`
	for range 3 {
		for header, want := range map[string]string{
			good: "accepted", `{"alg":"EdDSA","x":1}`: "accepted",
			`{"alg":"EdDSA" }`: "accepted",
			`{"alg":"EdDSA","x":"` + strings.Repeat("x", 600) + `"}`: "accepted",
			`{"alg":"EdDSA","crit":[]}`:                              "token_critical_header",
			`{"alg":"eddsa"}`:                                        "algorithm_case",
			`{"alg":"RS256"}`:                                        "key_unsuitable",
			`{"alg":"EdDSA","kid":"none"}`:                           "key_unknown",
		} {
			if got := short(w.outcome(t.Context(), sign(header))); got != want {
				t.Errorf("%.80s: got %s, want %s", header, got, want)
			}
			forged := sign(header)[:len(sign(header))-6] + "AAAAAA"
			if got := short(w.outcome(t.Context(), forged)); got == "accepted" {
				t.Errorf("%.80s: a forged token is accepted", header)
			}
		}
	}
	if n := idtoken.Headers(w.Verifier); n != 3 {
		t.Errorf("%d headers are remembered, want those of three tokens", n)
	}
	for i := range 150 {
		w.outcome(t.Context(), sign(fmt.Sprintf(`{"alg":"EdDSA","n":%d}`, i)))
		if n := idtoken.Headers(w.Verifier); n > 100 {
			t.Fatalf("%d headers are remembered", n)
		}
	}
}

// settled is the outcome of a verification, after which no refresh is under way. It needs a
// synctest bubble.
func (w *memoWorld) settled(ctx context.Context, token string) string {
	defer synctest.Wait()
	return w.outcome(ctx, token)
}

// settledAfterEnd is settled with a context that has ended. Answers come after the outcome: whether
// a fetch ends before its caller looks at the context would be chance, and what the caller learns
// from it is remembered.
func (w *memoWorld) settledAfterEnd(ctx context.Context, token string) string {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	w.wait = make(chan struct{})
	got := w.outcome(ctx, token)
	close(w.wait)
	synctest.Wait()
	w.wait = nil
	return got
}

// memoStep is one step of a schedule.
type memoStep struct {
	name string
	do   func(w *memoWorld)
}

// A verifier with a memo and one without are indistinguishable: after every step of random
// schedules they return the same claims and the same errors for the same token, and have made the
// same number of fetches. The schedules rotate, withdraw, restore and rename keys, move the clock
// forwards and back, take the issuer down, end contexts, and change a secret.
func TestMemo_SchedulesMakeNoDifference(t *testing.T) {
	tokens := memoTokens()
	verified, hits := 0, 0
	outcomes := map[string]int{}
	for schedule := range sampling.Of(400) {
		random := mathrand.New(mathrand.NewPCG(15, uint64(schedule)))
		synctest.Test(t, func(t *testing.T) {
			on, off := newMemoWorld(0), newMemoWorld(-1)
			if schedule%3 == 0 {
				on = newMemoWorld(20 << 10) // room for a few
			}
			var log []string
			// Tokens come in bursts, so that most are seen while they are remembered.
			favourites := []memoToken{tokens[random.IntN(len(tokens))], tokens[0], tokens[0]}
			for range 80 {
				step := randomStep(random)
				log = append(log, step.name)
				step.do(on)
				step.do(off)
				token := favourites[random.IntN(len(favourites))]
				if random.IntN(4) == 0 {
					token = tokens[random.IntN(len(tokens))]
					favourites[random.IntN(len(favourites))] = token
				}
				for range 1 + random.IntN(3) {
					known := idtoken.Remembers(on.Verifier, token.raw)
					verify := (*memoWorld).settled
					if random.IntN(20) == 0 {
						verify = (*memoWorld).settledAfterEnd
					}
					got := verify(on, t.Context(), token.raw)
					want := verify(off, t.Context(), token.raw)
					log = append(log, "  "+token.name)
					if got != want || on.fetches != off.fetches {
						t.Fatalf("schedule %d: %s\nwith a memo, %d fetches: %s\n"+
							"without, %d fetches: %s", schedule, strings.Join(log, "\n"),
							on.fetches, got, off.fetches, want)
					}
					verified++
					if known {
						hits++
						outcomes["known: "+short(want)]++
					}
					outcomes[short(want)]++
				}
			}
		})
	}
	t.Logf("%d verifications, %d of remembered tokens", verified, hits)
	for name, n := range outcomes {
		t.Logf("%6d %s", n, name)
	}
	for _, name := range []string{
		"accepted", "known: accepted", "known: token_expired", "known: signature_invalid",
		"known: key_unknown", "known: token_issued_in_future", "known: key_set_unavailable",
		"known: key_pending",
	} {
		if outcomes[name] < sampling.Of(5) {
			t.Errorf("only %d of %s", outcomes[name], name)
		}
	}
}

// short is the code of an outcome.
func short(outcome string) string {
	if strings.Contains(outcome, "AppOnly:") {
		return "accepted"
	}
	_, code, _ := strings.Cut(outcome, " (")
	code, _, _ = strings.Cut(code, ")")
	if !strings.Contains(code, "_") || strings.Contains(code, " ") {
		return "other"
	}
	return code
}

type memoToken struct{ name, raw string }

func memoTokens() (tokens []memoToken) {
	long := map[string]any{"exp": memoStart.Add(1000 * time.Hour).Unix()}
	for i, key := range memoKeys() {
		for _, kid := range []string{"", "a", "b"} {
			tokens = append(tokens, memoToken{
				fmt.Sprintf("key %d, %s, kid %q", i, key.algorithm, kid),
				key.sign(kid, memoClaims(published, "alice", long)),
			})
		}
		tokens = append(tokens, memoToken{
			fmt.Sprintf("key %d, %s, for an hour", i, key.algorithm),
			key.sign("a", memoClaims(published, "alice", nil)),
		})
	}
	for i, key := range memoKeys()[:3] {
		tokens = append(tokens, memoToken{
			fmt.Sprintf("key %d, static", i),
			key.sign("fixed", memoClaims(fixed, "bob", nil)),
		}, memoToken{
			fmt.Sprintf("key %d, static without kid", i),
			key.sign("", memoClaims(fixed, "bob", nil)),
		}, memoToken{
			"secret",
			memoKey{algorithm: "HS256"}.sign("", memoClaims(shared, "carol", nil)),
		})
	}
	return tokens
}

func randomStep(random *mathrand.Rand) memoStep {
	keys := memoKeys()
	kid := []string{"a", "b", "", "a"}[random.IntN(4)]
	jwk := keys[random.IntN(len(keys))].published(kid)
	switch n := random.IntN(20); {
	case n < 3:
		return memoStep{fmt.Sprintf("publish under %q: %v", kid, jwk["x"]), func(w *memoWorld) {
			w.set = append([]map[string]any{jwk}, w.set...)
			w.set = w.set[:min(len(w.set), 5)]
		}}
	case n == 3:
		return memoStep{fmt.Sprintf("replace all by %q", kid), func(w *memoWorld) {
			w.set = []map[string]any{jwk}
		}}
	case n == 6:
		return memoStep{"withdraw the newest", func(w *memoWorld) {
			w.set = w.set[min(len(w.set), 1):]
		}}
	case n == 7:
		at := random.IntN(5)
		return memoStep{"rename a key", func(w *memoWorld) {
			w.set = append([]map[string]any{}, w.set...)
			if at < len(w.set) {
				renamed := memoKey{jwk: w.set[at]}.published("b")
				w.set[at] = renamed
			}
		}}
	case n == 8:
		return memoStep{"down or up", func(w *memoWorld) { w.down = !w.down }}
	case n == 9:
		return memoStep{"another secret, or back", func(w *memoWorld) {
			if w.secret == secret {
				w.secret = strings.ToUpper(secret)
				return
			}
			w.secret = secret
		}}
	case n < 14:
		steps := []time.Duration{
			time.Second, 11 * time.Second, time.Minute, 31 * time.Minute, -2 * time.Minute,
			61 * time.Minute, 26 * time.Hour, 11 * time.Second, time.Second,
		}
		d := steps[random.IntN(len(steps))]
		return memoStep{"wait " + d.String(), func(w *memoWorld) { w.now = w.now.Add(d) }}
	case n == 14:
		return memoStep{"back to the start", func(w *memoWorld) { w.now = memoStart }}
	}
	return memoStep{"nothing", func(*memoWorld) {}}
}
