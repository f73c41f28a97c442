package idtoken

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict says how a field of a token and the configuration agree.
type Verdict string

// The verdicts. Only Same is an agreement.
const (
	Same       Verdict = "same"
	Differs    Verdict = "differs"
	Missing    Verdict = "missing"
	NotChecked Verdict = "not checked"
)

// Field is one field of a token next to what is wanted of it. Its texts hold no key, no signature,
// and only values that decide. What a token says is quoted in ASCII and cut.
type Field struct {
	Name    string
	Token   string // what the token says
	Want    string // what the configuration says
	Verdict Verdict
	Why     string // empty if Verdict is Same
}

// Comparison is a token next to the configuration, field by field. Nobody has verified the token.
type Comparison struct {
	Fields []*Field
	// Claims are the token's. nil: they could not be read.
	Claims map[string]any
	// Issuer and Entry are as in [Claims]. Empty: iss is not that of a configured issuer.
	Issuer, Entry string
	// Audience and Client are empty if the token does not have them as they must be.
	Audience []string
	Client   string
	// AccessToken tells whether the token is taken for an access token.
	AccessToken bool
	// Others are the names of the claims that no field is about.
	Others []string
}

// Compare compares a token with the configuration. It judges each field with the checks of
// [Verifier.Verify], also those that Verify does not reach. It decides nothing, makes no network
// calls and changes nothing: it knows only those published keys that are in memory.
func (v *Verifier) Compare(raw string) *Comparison {
	c := &comparison{verifier: v, by: &issuer{}, now: v.config.Now()}
	form := c.add("form", formOf(raw),
		fmt.Sprintf("3 parts, at most %d bytes", v.config.MaxSize))
	c.token = new(compactJWS)
	err := c.token.decode(raw, v.config.MaxSize)
	form.judge(err)
	if err != nil {
		return &c.Comparison
	}
	c.readPayload()
	c.compareHeader()
	c.compareClaims()
	return &c.Comparison
}

// formOf describes a text by nothing but its size.
func formOf(raw string) string {
	if raw == "" {
		return "nothing"
	}
	parts := fmt.Sprintf("%d parts", strings.Count(raw, ".")+1)
	if !strings.Contains(raw, ".") {
		parts = "1 part"
	}
	return fmt.Sprintf("%s, %d bytes", parts, len(raw))
}

// comparison is a Comparison that is being made.
type comparison struct {
	Comparison
	verifier *Verifier
	now      time.Time
	token    *compactJWS
	by       *issuer // an empty one: none was found
	found    bool    // whether by was found

	payloadErr error // why Claims could not be read
	issuerErr  error // why the issuer was not found
	algorithm  error // why the algorithm cannot be used
	keyErr     error // why no key can be chosen
	keys       []key
}

func (c *comparison) add(name, token, want string) *Field {
	field := &Field{Name: name, Token: token, Want: want}
	c.Fields = append(c.Fields, field)
	return field
}

// judge sets the verdict by what a check of the verifier returned.
func (f *Field) judge(err error) {
	var refusal *Error
	switch {
	case err == nil:
		f.Verdict = Same
		return
	case errors.As(err, &refusal) && slices.Contains([]string{tokenMissing, claimMissing},
		refusal.Code):
		f.Verdict = Missing
	default:
		f.Verdict = Differs
	}
	f.Why = reason(err)
}

// skip says why there is no verdict.
func (f *Field) skip(format string, args ...any) {
	f.Verdict = NotChecked
	f.Why = fmt.Sprintf(format, args...)
}

// reason is the text of a refusal without its code, in ASCII.
func reason(err error) string {
	var refusal *Error
	if errors.As(err, &refusal) {
		err = refusal.Err
	}
	return escape(err.Error())
}

// readPayload reads the claims and finds the issuer, as far as that is possible.
func (c *comparison) readPayload() {
	c.Claims, c.payloadErr = decodeObject("payload", c.token.payload)
	if c.payloadErr != nil {
		return
	}
	c.token.claims = c.Claims
	by, err := c.verifier.findIssuer(c.token)
	c.issuerErr = err
	c.found = err == nil
	if c.found {
		c.by = by
	}
	c.Issuer = c.by.name
	c.Entry = c.by.entry
}

// compareHeader compares the header and the signature.
func (c *comparison) compareHeader() {
	header, err := decodeObject("header", c.token.headerText)
	if err != nil {
		c.add("header", "not readable", "one JSON object").judge(err)
		return
	}
	if err := registeredHeaders.refuseLookalikes(header, "header"); err != nil {
		c.add("header", "a name in the wrong case", "the registered names").judge(err)
	}
	c.compareAlgorithm(header)
	c.compareKeyID(header)
	c.compareType(header)
	for _, refused := range refusedHeaders {
		name := refused.name
		if _, present := header[name]; present || name == "crit" {
			c.add("header "+name, presence(header, name), "absent").judge(refused.check(header))
		}
	}
	c.compareSignature()
}

// compareAlgorithm compares alg, and notes whether it can be used.
func (c *comparison) compareAlgorithm(header map[string]any) {
	field := c.add("header alg", shown(header, "alg"), "an algorithm of the issuer")
	if c.found {
		field.Want = strings.Join(c.by.algorithms, ", ")
	}
	c.algorithm = c.token.readAlgorithm(header)
	if c.algorithm == nil {
		c.algorithm = checkAlgorithmName(c.token.algorithm)
	}
	if c.algorithm != nil {
		field.judge(c.algorithm)
		return
	}
	c.token.algorithm = CanonicalAlgorithm(c.token.algorithm)
	if !c.found {
		field.skip("which algorithms are allowed depends on the issuer")
		return
	}
	c.algorithm = c.by.checkAlgorithm(c.token.algorithm)
	if c.algorithm == nil {
		c.algorithm = c.checkBound()
	}
	field.judge(c.algorithm)
}

// checkBound checks that this token was signed with the kind of key that its client's tokens have.
func (c *comparison) checkBound() error {
	if _, err := c.token.keysFor(c.by); hasCode(err, algorithmSecret) {
		return err
	}
	audience, client, err := c.parties()
	if err != nil {
		return nil // aud or client say what is wrong
	}
	err = c.by.checkBound(c.token.algorithm, &Claims{Audience: audience, Client: client})
	if hasCode(err, algorithmPublished) {
		return err
	}
	return nil
}

// parties are the audience and the client of the token.
func (c *comparison) parties() (audience []string, client string, err error) {
	audience, err = audienceClaim(c.Claims["aud"])
	if err != nil {
		return nil, "", err
	}
	client, err = clientOf(c.Claims, audience, c.by.clients)
	return audience, client, err
}

// compareKeyID compares kid with the known keys of the issuer, and notes those to try.
func (c *comparison) compareKeyID(header map[string]any) {
	field := c.add("header kid", shown(header, "kid"), "the kid of a key of the issuer")
	if err := c.token.readKeyID(header); err != nil {
		c.keyErr = err
		field.judge(err)
		return
	}
	switch {
	case !c.found:
		field.skip("which keys count depends on the issuer")
		return
	case c.algorithm != nil:
		field.skip("no key of the issuer is for this algorithm")
		return
	}
	finder, err := c.token.keysFor(c.by)
	if err != nil {
		c.keyErr = err
		field.skip("%s", reason(err))
		return
	}
	if secret, ok := finder.(sharedSecret); ok {
		c.keys = []key{{material: []byte(secret())}}
		field.Want = "a shared secret, which has no kid"
		field.skip("the issuer signs with a shared secret")
		return
	}
	c.findKey(field, finder)
}

// findKey looks for the token's kid in the keys that are in memory.
func (c *comparison) findKey(field *Field, finder keyFinder) {
	set, failure := known(finder)
	if set == nil {
		if failure != nil {
			field.skip("the issuer's keys could not be fetched: %s", escape(failure.Error()))
			return
		}
		field.skip("the issuer's keys are not in memory: they are fetched for the first token " +
			"whose header and issuer are right")
		return
	}
	field.Want = set.kids()
	c.keys = set.lookUp(c.token.kid)
	c.keyErr = set.lacks(c.token.kid)
	if len(c.keys) > 0 {
		_, c.keyErr = choose(c.keys, c.token)
	}
	field.judge(c.keyErr)
	if c.keyErr != nil && failure != nil {
		field.Why += ", and its last refresh failed: " + escape(failure.Error())
	}
}

// known returns the key set that is in memory, and why the last fetch failed. Both can be nil.
func known(finder keyFinder) (*KeySet, error) {
	switch keys := finder.(type) {
	case *KeySet:
		return keys, nil
	case *remoteKeys:
		var state KeyState
		set := keys.describe(&state)
		return set, state.Failure
	}
	return nil, nil
}

// kids lists the kids of the set.
func (s *KeySet) kids() string {
	var names []string
	for _, k := range s.keys {
		if !slices.Contains(names, k.kid) {
			names = append(names, k.kid)
		}
	}
	return OneOf(names, maxShown)
}

// compareSignature tries the keys that fit the token.
func (c *comparison) compareSignature() {
	field := c.add("signature", "not shown", "made with a key of the issuer")
	switch {
	case !c.found:
		field.skip("the issuer is not known")
		return
	case c.algorithm != nil:
		field.skip("the algorithm cannot be used")
		return
	case c.keyErr != nil:
		field.skip("no key can be chosen")
		return
	case len(c.keys) == 0:
		field.skip("the issuer's keys are not known")
		return
	}
	field.judge(c.token.tryKeys(c.keys))
}
