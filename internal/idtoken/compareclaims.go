package idtoken

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// compareClaims compares the claims.
func (c *comparison) compareClaims() {
	if c.payloadErr != nil {
		c.add("payload", "not readable", "one JSON object").judge(c.payloadErr)
		return
	}
	if err := decidingClaims.refuseLookalikes(c.Claims, "claim"); err != nil {
		c.add("payload", "a name in the wrong case", "the registered names").judge(err)
	}
	c.compareIssuer()
	_, err := stringClaim(c.Claims, "sub")
	c.add("sub", presence(c.Claims, "sub"), "a text").judge(err)
	if c.AccessToken = c.by.access.isOne(c.token.typ, c.Claims); c.AccessToken {
		c.compareAccess()
		c.compareDates()
	} else {
		c.compareParties()
		c.compareDates()
		c.compareMarks()
	}
	c.noteOthers()
}

// noteOthers notes the names of the claims that decide nothing here.
func (c *comparison) noteOthers() {
	fields := slices.Concat(clientClaims, TokenMarks(),
		[]string{"iss", "sub", "aud", "exp", "iat", "nbf", "auth_time"})
	if c.AccessToken {
		fields = append(fields, c.by.access.profile.scopes)
		fields = append(fields, c.by.access.profile.required...)
	}
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
	if expErr == nil {
		field.judge(checkExpiry(exp, c.now, leeway))
	} else {
		field.judge(expErr)
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

// date shows a date and how far it is from the clock. It shows a claim that is no date as it is.
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
