package delegation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/session"
)

// ClaimText says which user property sets a session tag or the source identity, and how its text is
// converted. A property that cannot be used denies the user: one that is not a string, number or
// boolean; one with U+FFFD, which stands for lost text; and one that is absent or null if neither
// Optional nor Default is set.
type ClaimText struct {
	// From is the path of the user property, such as sub, email or app_metadata.team. It is
	// required.
	From string
	// Escape makes the text valid for AWS, with [EscapeTag] or [EscapeSourceIdentity]. Without it,
	// an exchange fails with [CodeTagsInvalid] or [CodeSourceIDInvalid] if AWS would refuse the
	// text.
	Escape bool
	// Join joins the entries of a list, in their order, with this separator: "+" gives press+staff.
	// The separator is one or more of the characters . + = @ - and, for tags only, : / and the
	// space. An empty entry denies the user, and so does an entry that contains one of these
	// characters unless Escape is set. A single text is a list of one. A result that is too long
	// denies the user, because a part of a list must not pass for the whole. Empty: a list denies
	// the user.
	Join string
	// Optional leaves out the tag or the source identity if the property is absent, null or an
	// empty list. Set it only if no policy grants something to users without the tag.
	Optional bool
	// Default is the text to use if the property is absent, null or an empty list. It is not
	// escaped. Empty: none.
	Default string
}

// TagsFrom sets session tags from user properties, from tag key to [ClaimText]. Use it in place of
// [TagsFromClaims] for values that AWS does not accept unchanged, for lists, and for properties
// that not every user has. An invalid tag key, a ClaimText without From, an invalid separator, and
// a default that AWS does not accept are errors with [CodeConfigInvalid].
func TagsFrom(tags map[string]ClaimText) (RuleFunc, error) {
	tags = maps.Clone(tags)
	keys := slices.Sorted(maps.Keys(tags))
	var wrong problems
	for _, key := range keys {
		if err := session.CheckTag(key, tags[key].Default); err != nil {
			wrong.add("tag %.140q: %w", key, err)
		}
		of := tags[key]
		if err := of.validate(tagText); err != nil {
			wrong.add("tag %.140q: %w", key, err)
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, newError(CodeConfigInvalid, "TagsFrom: %w", err)
	}
	r := &readyMade{name: "delegation.TagsFrom"}
	r.changes = toEach(func(a *AWS) {
		for _, key := range keys {
			a.setTag(key, anyValue)
		}
	})
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		for _, key := range keys {
			text, found, err := tags[key].of(user, tagText)
			if err != nil {
				return err
			}
			if found {
				rc.AWS.setTag(key, text)
			}
		}
		return nil
	}
	return r.ready(), nil
}

// SourceIdentityFrom sets the source identity from a user property, as described by the
// [ClaimText]. Use it in place of [SourceIdentityFromClaim] for values that AWS does not accept
// unchanged. An invalid ClaimText is an error with [CodeConfigInvalid], as in [TagsFrom].
func SourceIdentityFrom(c ClaimText) (RuleFunc, error) {
	err := c.validate(sourceIdentityText)
	if err == nil && c.Default != "" && !session.ValidName(c.Default) {
		//lint:ignore ST1005 it begins with the name of a field
		err = fmt.Errorf("Default: %.80q is not a source identity", c.Default)
	}
	if err != nil {
		return nil, newError(CodeConfigInvalid, "SourceIdentityFrom: %w", err)
	}
	r := &readyMade{name: "delegation.SourceIdentityFrom"}
	r.changes = toEach(func(a *AWS) { a.SourceIdentity = anyValue })
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		text, found, err := c.of(user, sourceIdentityText)
		if err != nil {
			return err
		}
		if found {
			rc.AWS.SourceIdentity = text
		}
		return nil
	}
	return r.ready(), nil
}

// textKind is what a text is for.
type textKind struct {
	separators string // the characters of Join
	limit      int    // bytes of an escaped text
	minimum    int    // bytes of any text
}

var (
	tagText            = textKind{separators: ".+=@-:/ ", limit: maxEscapedTag}
	sourceIdentityText = textKind{
		separators: ".+=@-",
		limit:      maxEscapedName,
		minimum:    minEscapedName,
	}
)

// validate refuses what can give no text.
func (c *ClaimText) validate(kind textKind) error {
	if c.From == "" {
		//lint:ignore ST1005 it begins with the name of a field
		return errors.New("From: is empty")
	}
	for _, r := range c.Join {
		if !strings.ContainsRune(kind.separators, r) {
			//lint:ignore ST1005 it begins with the name of a field
			return fmt.Errorf("Join: is %.20q, and may have the characters %s only", c.Join,
				kind.separators)
		}
	}
	return nil
}

// of returns the text for a user. It is not found if it may be left out.
func (c ClaimText) of(user *User, kind textKind) (text string, found bool, err error) {
	value, _ := user.Value(c.From)
	if isAbsent(value) {
		switch {
		case c.Default != "":
			return c.Default, true, nil
		case c.Optional:
			return "", false, nil
		}
		return "", false, lacks(c.From)
	}
	if c.Join == "" {
		text, ok := jsonvalue.Text(value)
		if !ok || isLost(text) || len(text) < min(1, kind.minimum) {
			return "", false, lacks(c.From)
		}
		if c.Escape {
			text = kind.atLeast(escapeWithin(text, plainInName, kind.limit))
		}
		return text, true, nil
	}
	text, err = c.joined(value, kind)
	return text, err == nil, err
}

// joined makes one text of a list.
func (c *ClaimText) joined(value any, kind textKind) (string, error) {
	entries, ok := jsonvalue.Texts(value)
	if !ok {
		return "", lacks(c.From)
	}
	plain := func(b byte) bool { return plainInName(b) && strings.IndexByte(c.Join, b) < 0 }
	for i, entry := range entries {
		switch {
		case entry == "" || isLost(entry):
			return "", lacks(c.From)
		case c.Escape:
			entries[i] = escape(entry, plain)
		case strings.ContainsAny(entry, c.Join):
			return "", denied("an entry of "+c.From+" has a character of the separator",
				"set Escape for the list, or choose a separator that no entry has")
		}
	}
	text := strings.Join(entries, c.Join)
	if n := utf8.RuneCountInString(text); n > kind.limit {
		return "", denied("the list "+c.From+" is too long",
			fmt.Sprintf("the joined list has %d characters, and AWS accepts %d: have the issuer "+
				"put fewer entries into the ID token, or let a rule set a tag for each entry "+
				"that matters",
				n, kind.limit))
	}
	if c.Escape {
		text = kind.atLeast(text)
	}
	return text, nil
}

// atLeast escapes a text that is shorter than its kind's minimum, although its bytes are plain.
func (k textKind) atLeast(text string) string {
	if len(text) >= k.minimum {
		return text
	}
	return atLeastTwo(text)
}

// isAbsent tells whether a property has no value: absent, null or an empty list.
func isAbsent(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case []string:
		return len(v) == 0
	}
	return false
}

// isLost tells whether a text is not UTF-8, or has the character that stands for text which was
// lost. Two such users could have one text.
func isLost(text string) bool { return strings.ContainsRune(text, utf8.RuneError) }

// lacks is the refusal of a user without a property that is needed.
func lacks(path string) error {
	return denied("the profile lacks a usable "+path,
		fmt.Sprintf("have the issuer put %.80q into the ID token as text, or have a "+
			"profile loader or an earlier rule set it", path))
}

// denied is Deny with a remedy for the operator.
func denied(reason, remedy string) error { return &denial{reason: reason, remedy: remedy} }
