package delegation

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

// NameIDEncoding is the encoding of NameIDs in [Target.NameIDEncoding]. The zero value does not
// change them.
//
// An encoding depends only on the bytes of the NameID, and its algorithm never changes, so a
// subject always keeps its folder. The issuer and the target are not part of it. Two NameIDs have
// the same encoding only if SHA-256 has a collision, even in a store that ignores case. Letters are
// not case-folded or normalised: é as one code point and é as two are different NameIDs.
//
// The result has lowercase letters, digits, "-", "_" and ".", at most 256 characters, and does not
// begin or end with a full stop. It is therefore one segment of a path, and has no special meaning
// in a policy. All of these characters are safe in S3 (Amazon S3 User Guide, "Naming Amazon S3
// objects"), in session tags and in source identities, which are limited to 64 characters. An
// encoding does not hide a subject: anyone who can guess the subject can compute its NameID.
type NameIDEncoding string

const (
	// NameIDHashed is the SHA-256 of the NameID in UTF-8, as 64 lowercase hexadecimal digits. The
	// command printf %s NAMEID | sha256sum computes it.
	NameIDHashed NameIDEncoding = "hashed"
	// NameIDEscaped keeps NameIDs readable. Lowercase ASCII letters, digits and "-" stay, and so
	// does "." unless it is the first or the last byte. Every other byte of the UTF-8 text becomes
	// "_" and two lowercase hexadecimal digits, also "_" itself: alice/x becomes alice_2fx. If the
	// result has more than 256 characters, it is "_x" followed by the result of NameIDHashed.
	NameIDEscaped NameIDEncoding = "escaped"
)

// Encode returns the encoded NameID, which is ${saml:sub} in policies. The argument is the token's
// sub, or the NameID that a rule or a mapping chose. The zero encoding returns it unchanged and
// unchecked. The others refuse, with [CodeNameIDInvalid], an empty NameID and one that is not UTF-8
// or contains U+FFFD, which stands for lost text: two such users could have the same NameID. An
// unknown encoding is an error with [CodeConfigInvalid].
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
			"the NameID %.80q %s, so the folder ${saml:sub} may be another user's, or contain one",
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
