package delegation

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

// NameIDEncoding is how [Target.NameIDEncoding] writes a NameID for AWS. The zero value leaves it
// as it is.
//
// An encoding depends on the NameID's bytes alone, so a subject keeps its folder for ever: the
// algorithm of a name never changes. Neither the issuer nor the target is part of it. Two NameIDs
// have one encoding only if SHA-256 has a collision, even where a store does not tell capitals from
// small letters. Letters are neither folded nor normalised before: é in one code point and é in two
// are two NameIDs.
//
// What comes out is small letters, digits and "-", "_" and ".", does not begin or end with a full
// stop, and has at most 256 characters. So it is one segment of a path, and a policy reads it as
// plain text. S3 takes all of these characters without care (Amazon S3 User Guide, "Naming Amazon
// S3 objects"), and so do session tags and source identities, of which the latter end at 64
// characters. Neither encoding hides a subject: who can guess it can compute its NameID.
type NameIDEncoding string

const (
	// NameIDHashed is the SHA-256 of the NameID in UTF-8, as 64 hexadecimal digits in small
	// letters. The command printf %s NAMEID | sha256sum computes it.
	NameIDHashed NameIDEncoding = "hashed"
	// NameIDEscaped keeps what can be read. Small letters of ASCII, digits and "-" stay, and so
	// does "." unless it is the first or the last byte. Each other byte of the NameID in UTF-8
	// becomes "_" and two hexadecimal digits in small letters, "_" itself too: alice/x is
	// alice_2fx. If that has more than 256 characters, the NameID is "_x" and what NameIDHashed
	// gives.
	NameIDEscaped NameIDEncoding = "escaped"
)

// Encode returns what AWS gets as the NameID, which is ${saml:sub} in policies, for a NameID that
// is the token's sub or was chosen by a rule or a mapping. The zero encoding returns it unchecked.
// The others refuse, with [CodeNameIDInvalid], an empty NameID and one that is not UTF-8 or has
// U+FFFD, which stands for text that was lost: two such users could have one NameID. An encoding
// that does not exist is an error with [CodeConfigInvalid].
func (e NameIDEncoding) Encode(nameID string) (string, error) {
	if err := e.validate(); err != nil {
		return "", newError(CodeConfigInvalid, "NameIDEncoding: %w", err)
	}
	if e == "" {
		return nameID, nil
	}
	if nameID == "" || strings.ContainsRune(nameID, utf8.RuneError) {
		return "", newError(CodeNameIDInvalid,
			"the NameID %.80q is empty, not UTF-8, or has U+FFFD", nameID).
			overTexts(nameID)
	}
	if e == NameIDHashed {
		return hexSHA256(nameID), nil
	}
	return escapedNameID(nameID), nil
}

// validate refuses an encoding that does not exist.
func (e NameIDEncoding) validate() error {
	switch e {
	case "", NameIDHashed, NameIDEscaped:
		return nil
	}
	return fmt.Errorf("%.80q is neither %s nor %s", string(e), NameIDHashed, NameIDEscaped)
}

// looksEncoded tells whether a text has the characters of an encoded NameID alone.
func looksEncoded(text string) bool {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return strings.Trim(text, alphabet) == ""
}

func escapedNameID(nameID string) string {
	escaped := escape(nameID, plainInFolder)
	if len(escaped) > maxNameID {
		return cutMark + hexSHA256(nameID)
	}
	return escaped
}

// plainInFolder tells whether a byte is one that stores of files take and compare as it is.
func plainInFolder(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.'
}

// setNameID sets the NameID, which is the token's subject unless another was chosen, as the target
// encodes it.
func (d *decision) setNameID(chosen, subject string, target *Target) error {
	if chosen == "" && target.NameIDTellsIssuersApart {
		return newError(CodeNameIDInvalid,
			"the target's issuers are told apart by the NameID, and no rule or mapping has set one")
	}
	var err error
	d.nameID, err = target.NameIDEncoding.Encode(cmp.Or(chosen, subject))
	if err != nil {
		return err
	}
	n := utf8.RuneCountInString(d.nameID)
	blanks := strings.TrimSpace(d.nameID) != d.nameID
	if n > maxNameID || blanks || strings.ContainsAny(d.nameID, "*?") {
		return newError(CodeNameIDInvalid,
			"the NameID %.80q has %d characters, a wildcard, or blanks around it", d.nameID, n).
			overTexts(d.nameID)
	}
	if !target.SubjectAsFolder {
		return nil
	}
	if fault := notFolder(d.nameID); fault != "" {
		return newError(CodeNameIDNotFolder,
			"the NameID %.80q %s, so the folder ${saml:sub} may be another user's, or hold one",
			d.nameID, fault).
			overTexts(d.nameID)
	}
	return nil
}

// notFolder says why a NameID cannot be the name of a folder that is one user's alone; empty: it
// can. Wildcards and blanks around it are refused for every target.
//
// IAM does not document what it makes of a variable within a variable's value, nor how it compares
// the several spellings that Unicode has for one text. OpenID Connect Core §2 has sub in ASCII.
func notFolder(nameID string) string {
	printable := func(r rune) bool { return ' ' <= r && r <= '~' }
	switch {
	case strings.Contains(nameID, "/"):
		return "has a slash"
	case nameID == "." || nameID == "..":
		return "is a relative path"
	case strings.Contains(nameID, "${"):
		return "has the beginning of a policy variable"
	case strings.ContainsFunc(nameID, func(r rune) bool { return !printable(r) }):
		return "has a character that is not printable ASCII"
	}
	return ""
}

// slashMatters tells whether a NameID has a slash, so that its folder lies in another user's, or
// could hold one, if a policy names folders after ${saml:sub}. The target has not said whether one
// does.
func (t *Target) slashMatters(nameID string) bool {
	return !t.SubjectNamesNothing && strings.Contains(nameID, "/")
}
