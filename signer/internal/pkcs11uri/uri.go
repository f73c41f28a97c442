// Package pkcs11uri reads the URIs of RFC 7512, which name a key of a PKCS#11 token, the module
// that has it, and the file of the PIN. It is stricter than the RFC: it refuses attributes that
// have no meaning for a signing key, so that a mistyped one does not select another key.
package pkcs11uri

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/signer/internal/key"
)

// URI names private keys. Empty fields match every value.
type URI struct {
	Token        string // label of the token
	Manufacturer string
	Serial       string
	Model        string

	Object string // label of the key
	ID     []byte // CKA_ID of the key

	Slot             *uint // number of the slot
	SlotDescription  string
	SlotManufacturer string

	LibraryManufacturer string
	LibraryDescription  string
	LibraryVersion      string // major.minor, or major alone

	// ModulePath is the absolute path of the PKCS#11 library. It is never empty.
	ModulePath string
	// PINFile is the absolute path of the file that has the PIN. Empty: there is none.
	PINFile string
}

const (
	form = "pkcs11:token=LABEL;object=LABEL?module-path=/PATH/LIBRARY.so" +
		"&pin-source=file:/PATH/PIN"
	formRemedy = "write the URI as " + form

	// The characters that stand for themselves, in addition to letters, digits and "-._~":
	// pk11-res-avail of RFC 7512, with those of the path and of the query.
	pathCharacters  = ":[]@!$'()*+,=&"
	queryCharacters = ":[]@!$'()*+,=/?|"
)

// Parse parses a URI. Errors are *key.Failure, and never contain the URI, because it may have a
// PIN.
func Parse(uri string) (*URI, error) {
	const scheme = "pkcs11:"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return nil, key.Permanent(formRemedy, "the URI does not begin with pkcs11:")
	}
	path, query, _ := strings.Cut(uri[len(scheme):], "?")
	u := &URI{}
	if err := u.readAll(path, ";", pathCharacters, u.pathAttributes()); err != nil {
		return nil, err
	}
	if err := u.readAll(query, "&", queryCharacters, u.queryAttributes()); err != nil {
		return nil, err
	}
	if u.ModulePath == "" {
		return nil, key.Permanent(formRemedy, "the URI has no module-path")
	}
	return u, nil
}

// attributes has a function for each name, which keeps the decoded value or refuses it.
type attributes map[string]func(value string) error

func (u *URI) pathAttributes() attributes {
	return attributes{
		"token":                textInto(&u.Token),
		"manufacturer":         textInto(&u.Manufacturer),
		"serial":               textInto(&u.Serial),
		"model":                textInto(&u.Model),
		"object":               textInto(&u.Object),
		"slot-description":     textInto(&u.SlotDescription),
		"slot-manufacturer":    textInto(&u.SlotManufacturer),
		"library-manufacturer": textInto(&u.LibraryManufacturer),
		"library-description":  textInto(&u.LibraryDescription),
		"library-version":      textInto(&u.LibraryVersion),
		"id": func(value string) error {
			u.ID = []byte(value)
			return nil
		},
		"slot-id": func(value string) error {
			number, err := strconv.ParseUint(value, 10, 0)
			if err != nil {
				return errors.New("is not a number")
			}
			slot := uint(number)
			u.Slot = &slot
			return nil
		},
		"type": func(value string) error {
			if value != "private" {
				return errors.New("is not private")
			}
			return nil
		},
	}
}

func (u *URI) queryAttributes() attributes {
	return attributes{
		"module-path": func(value string) error {
			// The system would search its library folders for a relative path.
			if !isAbsolute(value) {
				return errors.New("is not an absolute path")
			}
			u.ModulePath = value
			return nil
		},
		"pin-source": func(value string) error {
			path := strings.TrimPrefix(value, "file:")
			path = strings.TrimPrefix(path, "//") // file:///path
			if !isAbsolute(path) {
				return errors.New("is not a file with an absolute path")
			}
			u.PINFile = path
			return nil
		},
	}
}

// isAbsolute also refuses NUL, at which C's functions would end the path.
func isAbsolute(path string) bool {
	return filepath.IsAbs(path) && !strings.Contains(path, "\x00")
}

func textInto(field *string) func(string) error {
	return func(value string) error {
		if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
			return errors.New("is not text")
		}
		*field = value
		return nil
	}
}

func (u *URI) readAll(list, separator, characters string, known attributes) error {
	if list == "" {
		return nil
	}
	seen := map[string]bool{}
	for attribute := range strings.SplitSeq(list, separator) {
		name, raw, found := strings.Cut(attribute, "=")
		keep, ok := known[name]
		switch {
		case name == "pin-value":
			return key.Permanent("write the PIN into a file that only the service can read, and "+
				"name it with pin-source=file:/PATH", "the URI has a PIN, and URIs are not secret")
		case !ok:
			return key.Permanent(
				"remove it; here are allowed: "+strings.Join(slices.Sorted(maps.Keys(known)), ", "),
				"the URI has the unknown attribute %q", printable(name))
		case !found, raw == "":
			return key.Permanent("give it a value, or remove it",
				"the attribute %s of the URI has no value", name)
		case seen[name]:
			return key.Permanent("remove all but one of them",
				"the URI has the attribute %s more than once", name)
		}
		seen[name] = true
		value, err := decode(raw, characters)
		if err == nil {
			err = keep(value)
		}
		if err != nil {
			return key.Permanent("correct it; RFC 7512 has the form of such URIs",
				"the attribute %s of the URI %v", name, err)
		}
	}
	return nil
}

// printable returns the part of an attribute's name that can be shown. The rest may be a value,
// such as a PIN that contains a separator.
func printable(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	if end := strings.IndexFunc(name, func(r rune) bool {
		return !strings.ContainsRune(letters, r)
	}); end >= 0 {
		return name[:end] + "…"
	}
	return name
}

func decode(raw, characters string) (string, error) {
	for _, c := range []byte(raw) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-._~%", c) >= 0, strings.IndexByte(characters, c) >= 0:
		default:
			return "", fmt.Errorf("has a character that has to be written as %%%02X", c)
		}
	}
	value, err := url.PathUnescape(raw)
	if err != nil {
		return "", errors.New("has a percent sign without two hexadecimal digits")
	}
	return value, nil
}
