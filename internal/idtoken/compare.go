package idtoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// Field is one field of a token next to what is wanted of it. Its texts hold no key, no signature
// and no value but those that decide. What a token says is quoted in ASCII and cut.
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
	// Others are the names of the claims that no field is about.
	Others []string
}

const (
	maxListed      = 5   // entries of a list in one field
	maxShown       = 80  // characters of a value
	maxShownURL    = 200 // characters of an iss
	maxShownDigits = 40  // characters of a number
)

// Compare compares a token with the configuration. It judges each field with the checks of
// [Verifier.Verify], also those that Verify does not reach. It decides nothing, asks nobody and
// changes nothing: of published keys it knows those that are in memory.
func (v *Verifier) Compare(raw string) *Comparison {
	c := &comparison{verifier: v, now: v.config.Now()}
	form := c.add("form", formOf(raw),
		fmt.Sprintf("3 parts, at most %d bytes", v.config.MaxSize))
	token, header, err := decodeParts(raw, v.config.MaxSize)
	form.judge(err)
	if err != nil {
		return &c.Comparison
	}
	c.token = token
	c.readPayload()
	c.compareHeader(header)
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
	by       issuer // the zero issuer: none was found
	found    bool   // whether by was found

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

// escape escapes what is not printable ASCII. Errors quote strangers, and so escape only what is
// not printable.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= ' ' && r <= '~' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// readPayload reads the claims and finds the issuer, as far as that is possible.
func (c *comparison) readPayload() {
	c.Claims, c.payloadErr = decodeObject("payload", c.token.payload)
	if c.payloadErr != nil {
		return
	}
	c.by, c.issuerErr = c.verifier.findIssuer(c.token, c.Claims)
	c.found = c.issuerErr == nil
	c.Issuer = c.by.name
	c.Entry = c.by.entry
}

// compareHeader compares the header and the signature.
func (c *comparison) compareHeader(text []byte) {
	header, err := decodeObject("header", text)
	if err != nil {
		c.add("header", "not readable", "one JSON object").judge(err)
		return
	}
	if err := registeredHeaders.refuseLookalikes(header, "header"); err != nil {
		c.add("header", "a name of odd case", "names as they are registered").judge(err)
	}
	c.compareAlgorithm(header)
	c.compareKeyID(header)
	typ := c.add("header typ", shown(header, "typ"), `"JWT" or absent`)
	typ.judge(checkType(header))
	for _, name := range []string{"crit", "b64", "enc"} {
		if _, present := header[name]; present || name == "crit" {
			field := c.add("header "+name, presence(header, name), "absent")
			field.judge(refuseHeader(header, name))
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

// checkBound checks that the client's tokens are signed with the kind of key that this one is.
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

// compareClaims compares the claims.
func (c *comparison) compareClaims() {
	if c.payloadErr != nil {
		c.add("payload", "not readable", "one JSON object").judge(c.payloadErr)
		return
	}
	if err := decidingClaims.refuseLookalikes(c.Claims, "claim"); err != nil {
		c.add("payload", "a name of odd case", "names as they are registered").judge(err)
	}
	c.compareIssuer()
	_, err := stringClaim(c.Claims, "sub")
	c.add("sub", presence(c.Claims, "sub"), "a text").judge(err)
	c.compareParties()
	c.compareDates()
	c.compareMarks()
	c.noteOthers()
}

// noteOthers notes the names of the claims that decide nothing here.
func (c *comparison) noteOthers() {
	fields := slices.Concat(clientClaims, TokenMarks(),
		[]string{"iss", "sub", "aud", "exp", "iat", "nbf", "auth_time"})
	if c.by.tenant != "" {
		fields = append(fields, c.by.tenantClaim)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		if !slices.Contains(fields, name) {
			c.Others = append(c.Others, name)
		}
	}
}

// compareIssuer compares iss, and the tenant of an issuer that has some.
func (c *comparison) compareIssuer() {
	field := c.add("iss", shown(c.Claims, "iss"), c.verifier.listIssuers(c.token.iss))
	field.judge(c.issuerErr)
	if hasCode(c.issuerErr, issuerUnknown) {
		field.Why = "no configured issuer has this URL"
		if near := c.verifier.nearIssuer(c.token.iss); near != "" {
			field.Why += ": " + near
		}
	}
	if !c.found {
		return
	}
	field.Want = Quote(c.by.entry, maxShownURL)
	if c.token.iss != c.by.name {
		field.Want += ", by its alias " + Quote(c.token.iss, maxShownURL)
	}
	if c.by.tenant == "" {
		return
	}
	named := shown(c.Claims, c.by.tenantClaim)
	tenant := c.add(c.by.tenantClaim, named, Quote(c.by.tenant, maxShown))
	tenant.judge(c.by.checkTenant(c.Claims))
}

// listIssuers lists the accepted iss claims, those first that resemble iss.
func (v *Verifier) listIssuers(iss string) string {
	var near, others []string
	for _, name := range slices.Sorted(maps.Keys(v.issuers)) {
		if resemblance(name, iss) != "" {
			near = append(near, name)
			continue
		}
		others = append(others, name)
	}
	for _, by := range v.templates {
		others = append(others, by.entry)
	}
	return OneOf(append(near, others...), maxShownURL)
}

// nearIssuer says what is different if iss and an accepted one resemble each other.
func (v *Verifier) nearIssuer(iss string) string {
	for _, name := range slices.Sorted(maps.Keys(v.issuers)) {
		if what := resemblance(name, iss); what != "" {
			return fmt.Sprintf("it differs from %s %s", Quote(name, maxShownURL), what)
		}
	}
	return ""
}

// resemblance says in which detail alone two issuers differ. It is empty if they differ in more.
func resemblance(name, iss string) string {
	bare := func(s string) string { return strings.TrimSuffix(s, "/") }
	scheme := func(s string) string { return strings.TrimPrefix(s, "https://") }
	switch {
	case bare(name) == bare(iss):
		return "by the slash at the end alone"
	case scheme(name) == scheme(iss):
		return "by https:// alone"
	case strings.EqualFold(name, iss):
		return "by upper and lower case alone"
	}
	return ""
}

// compareParties compares aud, and the claims that name the client.
func (c *comparison) compareParties() {
	aud := c.add("aud", shown(c.Claims, "aud"), "at least one text")
	audience, err := audienceClaim(c.Claims["aud"])
	aud.judge(err)
	if err != nil {
		return
	}
	c.Audience = audience
	if _, err := c.token.keysFor(c.by); hasCode(err, claimSecretAudience) {
		aud.judge(err)
	}
	client := c.add("client", c.clientClaims(), "one application")
	if len(c.by.clients) > 0 {
		client.Want += ", or without these claims " + OneOf(c.by.clients, maxShown)
	}
	_, c.Client, err = c.parties()
	if hasCode(err, claimParty) && !c.found {
		client.skip("which audience is the client depends on the issuer")
		return
	}
	if err == nil && c.token.algorithm == hs256 {
		err = c.by.checkBound(hs256, &Claims{Audience: audience, Client: c.Client})
	}
	client.judge(err)
}

// clientClaims are the claims that name the client.
func (c *comparison) clientClaims() string {
	var texts []string
	for _, name := range clientClaims {
		if c.Claims[name] != nil {
			texts = append(texts, name+" "+shown(c.Claims, name))
		}
	}
	if len(texts) == 0 {
		return "absent: no " + strings.Join(clientClaims, ", ")
	}
	return strings.Join(texts, ", ")
}

// compareDates compares the dates with the clock.
func (c *comparison) compareDates() {
	leeway := c.verifier.config.Leeway
	clock := fmt.Sprintf("%s; leeway %s", stamp(c.now), leeway)
	exp, expErr := numericDate(c.Claims, "exp")
	field := c.add("exp", c.date("exp"), "after "+clock)
	if field.judge(expErr); expErr == nil {
		field.judge(checkExpiry(exp, c.now, leeway))
	}
	for _, name := range []string{"iat", "nbf"} {
		date, err := numericDate(c.Claims, name)
		if err == nil && expErr == nil {
			err = checkOrder(name, date, exp)
		}
		if err == nil {
			err = checkBegun(name, date, c.now, leeway)
		}
		c.add(name, c.date(name), "not after "+clock).judge(err)
	}
	if c.Claims["auth_time"] != nil {
		field := c.add("auth_time", c.date("auth_time"), "nothing")
		field.skip("nothing requires it")
	}
}

// date shows a date and how far it is from the clock, and a claim that is none as it is.
func (c *comparison) date(name string) string {
	date, err := numericDate(c.Claims, name)
	if err != nil || c.Claims[name] == nil {
		return shownNumber(c.Claims, name)
	}
	distance := c.now.Sub(date).Round(time.Second)
	const century = 100 * 365 * 24 * time.Hour
	switch {
	case distance.Abs() > century:
		return stamp(date)
	case distance < 0:
		return fmt.Sprintf("%s, %s ahead", stamp(date), -distance)
	}
	return fmt.Sprintf("%s, %s ago", stamp(date), distance)
}

// compareMarks compares the claims by which other kinds of tokens are told from ID tokens.
func (c *comparison) compareMarks() {
	seen := false
	for _, m := range marks {
		value := c.Claims[m.claim]
		if value == nil {
			continue
		}
		seen = true
		field := c.add(m.claim, presence(c.Claims, m.claim), "absent")
		switch m.claim {
		case "typ":
			field.Token = shown(c.Claims, m.claim)
			field.Want = `"ID" or absent`
		case "token_use":
			field.Token = shown(c.Claims, m.claim)
			field.Want = `"id" or absent`
		case "idtyp":
			field.Want = `a text other than "app", or absent`
		}
		field.judge(m.check(c.Claims))
		if slices.Contains(c.by.marks, m.claim) {
			field.Want = "anything: it is in Issuer.AllowTokenMarks"
			field.Verdict = Same
			field.Why = ""
		}
	}
	if !seen {
		c.add("kind", "no mark of another kind of token", "an ID token").judge(nil)
	}
}

// presence tells whether a member is there, and of what type, and nothing of its value.
func presence(object map[string]any, name string) string {
	value, ok := object[name]
	switch {
	case !ok:
		return "absent"
	case value == nil:
		return "null"
	case value == "":
		return "an empty text"
	}
	return kindOf(value) + ", not shown"
}

// kindOf names the type of a JSON value that is not null.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// shown is a member that is a text or a list of texts, quoted. Of any other it tells the type.
func shown(object map[string]any, name string) string {
	switch value := object[name].(type) {
	case string:
		if name == "iss" {
			return Quote(value, maxShownURL)
		}
		return Quote(value, maxShown)
	case []any:
		return shownList(value)
	}
	return presence(object, name)
}

func shownList(entries []any) string {
	texts := make([]string, len(entries))
	for i, entry := range entries {
		text, ok := entry.(string)
		if !ok {
			return "a list, and not of texts"
		}
		texts[i] = text
	}
	if len(texts) == 0 {
		return "an empty list"
	}
	return QuoteList(texts, maxShown)
}

// shownNumber is a member that is a number. Of any other it tells the type.
func shownNumber(object map[string]any, name string) string {
	if number, ok := object[name].(json.Number); ok {
		return cut(number.String(), maxShownDigits)
	}
	return presence(object, name)
}

// Quote quotes a text in ASCII and cuts it to a number of characters. No terminal obeys it, and a
// letter that only looks like another is seen.
func Quote(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return strconv.QuoteToASCII(text)
	}
	return fmt.Sprintf("%s... (%d characters)",
		strconv.QuoteToASCII(string(runes[:limit])), len(runes))
}

// QuoteList quotes the first of the texts, as [Quote] does, and counts the others.
func QuoteList(texts []string, limit int) string {
	var quoted []string
	for _, text := range texts[:min(len(texts), maxListed)] {
		quoted = append(quoted, Quote(text, limit))
	}
	if more := len(texts) - len(quoted); more > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", more))
	}
	return strings.Join(quoted, ", ")
}

// OneOf quotes what a value can be, as [QuoteList] does.
func OneOf(texts []string, limit int) string {
	if len(texts) == 1 {
		return Quote(texts[0], limit)
	}
	return "one of " + QuoteList(texts, limit)
}

// cut shortens a number.
func cut(digits string, limit int) string {
	if len(digits) <= limit {
		return digits
	}
	return fmt.Sprintf("%s... (%d characters)", digits[:limit], len(digits))
}
