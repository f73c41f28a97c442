package delegation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/session"
)

// NameTemplates are templates for the names of a user in AWS. In each, {{path}} stands for a user
// property, as in {{email}} or {{app_metadata.id}}, and everything else is text. A template without
// a placeholder gives all users the same text. An empty template has no effect.
//
// A property is escaped as in [EscapeTag], without its length limit, and so are the template's
// separators within a property. A separator is the first character of the text between two
// placeholders. So a value cannot act as a placeholder or as part of the next value, and two users
// have the same name only if all their values are the same. Between two placeholders there must be
// text that begins with one of . + = @ - : / , or a space, as far as AWS allows it in the name.
type NameTemplates struct {
	// SourceIdentity sets AWS.SourceIdentity. A result longer than 64 characters is shortened and
	// ends with a hash, as in [EscapeSourceIdentity].
	SourceIdentity string
	// SessionName sets AWS.SessionName, to which Config.StrictSessionNames applies.
	SessionName string
	// NameID sets AWS.NameID, which is ${saml:sub}. The role's policies treat all users with the
	// same NameID as one user, so use a claim that is unique for each user and that users cannot
	// choose. A result longer than 256 characters is shortened like a SourceIdentity.
	NameID string
}

// NamesFrom sets the source identity, the session name and the NameID from templates. A property
// that is absent, null, empty or not a string, number or boolean denies the user. So does one with
// U+FFFD, which stands for lost text. A template that cannot give a valid name is an error with
// [CodeConfigInvalid].
func NamesFrom(t NameTemplates) (RuleFunc, error) {
	var problems problems
	parse := func(field, text string, kind nameKind) nameTemplate {
		parsed, err := parseNameTemplate(text, kind)
		if err != nil {
			problems.add("%s: %w", field, err)
		}
		return parsed
	}
	sourceIdentity := parse("SourceIdentity", t.SourceIdentity, sourceIdentityName)
	sessionName := parse("SessionName", t.SessionName, sessionNameName)
	nameID := parse("NameID", t.NameID, nameIDName)
	if err := errors.Join(problems...); err != nil {
		return nil, newError(CodeConfigInvalid, "NamesFrom: %w", err)
	}
	fill := func(a *AWS, value func(path string) (any, bool)) error {
		if err := sourceIdentity.fill(&a.SourceIdentity, value); err != nil {
			return err
		}
		if err := sessionName.fill(&a.SessionName, value); err != nil {
			return err
		}
		return nameID.fill(&a.NameID, value)
	}
	r := &readyMade{name: "delegation.NamesFrom"}
	r.changes = toEach(func(a *AWS) {
		_ = fill(a, func(string) (any, bool) { return anyValue, true })
	})
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		return fill(&rc.AWS, user.Value)
	}
	return r.ready(), nil
}

// nameKind is what a name is for.
type nameKind struct {
	limit      int // characters; 0: none, because something else takes care
	minimum    int
	separators string // what can begin the text between two placeholders
	// text tells whether a character may be in a template's own text.
	text func(rune) bool
}

var (
	sourceIdentityName = nameKind{
		limit:      maxEscapedName,
		minimum:    minEscapedName,
		separators: ".+=@-,",
		text: func(r rune) bool {
			return r < utf8.RuneSelf && session.ValidName("aa"+string(r))
		},
	}
	sessionNameName = nameKind{separators: ".+=@-,:/ ", text: isPrintableASCII}
	nameIDName      = nameKind{
		limit:      maxNameID,
		minimum:    1,
		separators: ".+=@-,:/",
		text: func(r rune) bool {
			return isPrintableASCII(r) && !strings.ContainsRune("*?$ ", r)
		},
	}
)

func isPrintableASCII(r rune) bool { return ' ' <= r && r <= '~' }

// nameTemplate is a template: text, placeholder, text, placeholder, …, text.
type nameTemplate struct {
	kind  nameKind
	texts []string // one more than paths; none: the template is empty
	paths []string
	plain func(byte) bool // what of a value stays as it is
}

// parseNameTemplate checks a template.
func parseNameTemplate(template string, kind nameKind) (nameTemplate, error) {
	t := nameTemplate{kind: kind}
	if template == "" {
		return t, nil
	}
	rest := template
	for {
		text, after, opened := strings.Cut(rest, "{{")
		t.texts = append(t.texts, text)
		if strings.ContainsAny(text, "{}") {
			return t, fmt.Errorf("%.80q has a brace outside of {{ and }}", template)
		}
		if !opened {
			break
		}
		path, next, closed := strings.Cut(after, "}}")
		path = strings.TrimSpace(path)
		if !closed || path == "" || strings.ContainsAny(path, "{}") {
			return t, fmt.Errorf("%.80q has a {{ without a property and }} after it", template)
		}
		t.paths = append(t.paths, path)
		rest = next
	}
	return t, t.check(template)
}

// check looks at the template's own text.
func (t *nameTemplate) check(template string) error {
	for _, text := range t.texts {
		for _, r := range text {
			if !t.kind.text(r) {
				return fmt.Errorf("%.80q has the character %q, which the name cannot have",
					template, r)
			}
		}
	}
	if n := len(t.texts[0]); len(t.paths) == 0 && (n < t.kind.minimum || t.over(n)) {
		return fmt.Errorf("%.80q has %d characters", template, n)
	}
	var separators string
	if len(t.paths) > 1 {
		for _, between := range t.texts[1:len(t.paths)] {
			if between == "" || strings.IndexByte(t.kind.separators, between[0]) < 0 {
				return fmt.Errorf("%.80q needs a separator between two placeholders: one of %s",
					template, t.kind.separators)
			}
			separators += between[:1]
		}
	}
	t.plain = func(c byte) bool { return plainInName(c) && strings.IndexByte(separators, c) < 0 }
	return nil
}

func (t *nameTemplate) over(n int) bool { return t.kind.limit > 0 && n > t.kind.limit }

// fill sets a name. An empty template leaves it as it is.
func (t *nameTemplate) fill(name *string, value func(path string) (any, bool)) error {
	if len(t.texts) == 0 {
		return nil
	}
	var filled strings.Builder
	for i, path := range t.paths {
		v, _ := value(path)
		text, ok := jsonvalue.Text(v)
		if !ok || text == "" || isLost(text) {
			return lacks(path)
		}
		filled.WriteString(t.texts[i])
		filled.WriteString(escape(text, t.plain))
	}
	filled.WriteString(t.texts[len(t.paths)])
	made := filled.String()
	switch {
	case t.over(len(made)):
		made = cutWithHash(made, made, t.kind.limit)
	case len(made) < t.kind.minimum:
		made = atLeastTwo(made)
	}
	*name = made
	return nil
}
