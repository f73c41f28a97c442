package pkcs11uri_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/pkcs11uri"
)

func TestParse(t *testing.T) {
	slot := uint(7)
	for uri, want := range map[string]pkcs11uri.URI{
		"pkcs11:?module-path=/lib/p11.so":  {ModulePath: "/lib/p11.so"},
		"PKCS11:token=saml?module-path=/l": {Token: "saml", ModulePath: "/l"},
		"pkcs11:token=The%20token;object=signing%3b1;id=%00%ff!;type=private;slot-id=7" +
			"?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin": {
			Token: "The token", Object: "signing;1", ID: []byte("\x00\xff!"), Slot: &slot,
			ModulePath: "/usr/lib/softhsm/libsofthsm2.so", PINFile: "/run/pin",
		},
		"pkcs11:manufacturer=M&Co;serial=1;model=m;slot-description=d;slot-manufacturer=s;" +
			"library-manufacturer=lm;library-description=ld;library-version=2.6" +
			"?pin-source=/run/a%26b&module-path=/l": {
			Manufacturer: "M&Co", Serial: "1", Model: "m", SlotDescription: "d",
			SlotManufacturer: "s", LibraryManufacturer: "lm", LibraryDescription: "ld",
			LibraryVersion: "2.6", ModulePath: "/l", PINFile: "/run/a&b",
		},
		"pkcs11:object=a=b?module-path=/l&pin-source=file:///run/pin": {
			Object: "a=b", ModulePath: "/l", PINFile: "/run/pin",
		},
	} {
		got, err := pkcs11uri.Parse(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", uri, *got, want)
		}
	}
}

func TestParse_Refused(t *testing.T) {
	const module = "?module-path=/l"
	for uri, want := range map[string]string{
		"":                                         "does not begin with pkcs11:",
		"pkcs11":                                   "does not begin with pkcs11:",
		"pkcs12:token=a" + module:                  "does not begin with pkcs11:",
		"pkcs11:token=a":                           "has no module-path",
		"pkcs11:tokn=a" + module:                   `unknown attribute "tokn"`,
		"pkcs11:Token=a" + module:                  `unknown attribute "Token"`,
		"pkcs11:x-vendor=a" + module:               `unknown attribute "x-vendor"`,
		"pkcs11:;token=a" + module:                 `unknown attribute ""`,
		"pkcs11:token=a;" + module:                 `unknown attribute ""`,
		"pkcs11:module-path=/l":                    `unknown attribute "module-path"`,
		"pkcs11:?token=a&module-path=/":            `unknown attribute "token"`,
		"pkcs11:?module-name=p11-kit":              `unknown attribute "module-name"`,
		"pkcs11:token" + module:                    "token of the URI has no value",
		"pkcs11:id=" + module:                      "id of the URI has no value",
		"pkcs11:id=a;id=a" + module:                "id more than once",
		module[1:]:                                 "does not begin with pkcs11:",
		"pkcs11:" + module + "&" + module[1:]:      "module-path more than once",
		"pkcs11:token=a b" + module:                "written as %20",
		"pkcs11:token=a/b" + module:                "written as %2F",
		"pkcs11:token=ä" + module:                  "written as %C3",
		"pkcs11:token=a#b" + module:                "written as %23",
		"pkcs11:token=%4" + module:                 "percent sign without two",
		"pkcs11:token=%zz" + module:                "percent sign without two",
		"pkcs11:token=%ff" + module:                "token of the URI is not text",
		"pkcs11:token=a%00" + module:               "token of the URI is not text",
		"pkcs11:?module-path=/l%00.so":             "is not an absolute path",
		"pkcs11:type=cert" + module:                "type of the URI is not private",
		"pkcs11:slot-id=-1" + module:               "slot-id of the URI is not a number",
		"pkcs11:?module-path=libp11.so":            "is not an absolute path",
		"pkcs11:" + module + "&pin-source=pin":     "not a file with an absolute path",
		"pkcs11:" + module + "&pin-source=file:a":  "not a file with an absolute path",
		"pkcs11:" + module + "&pin-source=%7Cprog": "not a file with an absolute path",
		"pkcs11:" + module + "&pin-value=123456":   "has a PIN",
		"pkcs11:pin-value=123456" + module:         "has a PIN",
	} {
		_, err := pkcs11uri.Parse(uri)
		var failure *key.Failure
		if !errors.As(err, &failure) || !strings.Contains(failure.Text, want) {
			t.Errorf("%s: got %v, want %q", uri, err, want)
			continue
		}
		if failure.Remedy == "" || failure.Temporary {
			t.Errorf("%s: %+v", uri, failure)
		}
	}
}

// TestParse_TellsNoPIN: a PIN that was written where it does not belong is in no error.
func TestParse_TellsNoPIN(t *testing.T) {
	for _, uri := range []string{
		"pkcs11:pin-value=94711?module-path=/l",
		"pkcs11:?pin-value=94711&module-path=/l",
		"pkcs11:?pin-value=%&94711",
		"pkcs11:?pin:94711&module-path=/l",
		"pkcs11:?pin-source=94711&module-path=/l",
		"pkcs11:?pinvalue=94711&module-path=/l",
		"pkcs11:?module-path=/l&pin-source=94711%",
	} {
		_, err := pkcs11uri.Parse(uri)
		var failure *key.Failure
		if !errors.As(err, &failure) || strings.Contains(failure.Text+failure.Remedy, "9471") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// FuzzParse: what is accepted has paths that are absolute and whole, and no PIN.
func FuzzParse(f *testing.F) {
	f.Add("pkcs11:token=a;object=b;id=%01?module-path=/l&pin-source=file:/p")
	f.Add("pkcs11:token=pin-value?module-path=/%2500")
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := pkcs11uri.Parse(uri)
		if err != nil {
			return
		}
		for _, path := range []string{u.ModulePath, u.PINFile} {
			if path != "" && path[0] != '/' || strings.Contains(path, "\x00") {
				t.Errorf("%q: %+v", uri, u)
			}
		}
		if u.ModulePath == "" || strings.Contains(uri, "pin-value=") {
			t.Errorf("%q: %+v", uri, u)
		}
	})
}
