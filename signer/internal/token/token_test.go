//go:build pkcs11

package token_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/seed055b7978/delegation/signer/internal/key"
)

var digest = sha256.Sum256([]byte("document"))

func mustSign(t *testing.T, k key.Key) {
	t.Helper()
	signature, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(k.Public(), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

// wantFailure checks an error, and that no PIN is in it.
func wantFailure(t *testing.T, err error, text, remedy string, temporary bool) {
	t.Helper()
	var failure *key.Failure
	if !errors.As(err, &failure) {
		t.Errorf("got %v, want a failure with %q", err, text)
		return
	}
	if !strings.Contains(failure.Text, text) || !strings.Contains(failure.Remedy, remedy) ||
		failure.Temporary != temporary {
		t.Errorf("got %+v\nwant %q, %q, temporary %v", failure, text, remedy, temporary)
	}
	if strings.Contains(failure.Text+failure.Remedy, pin) {
		t.Errorf("the PIN is told: %+v", failure)
	}
}

func TestSign(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	k := newWorld(t, m).mustOpen()
	if !k.Public().Equal(&private().PublicKey) {
		t.Error("another public key")
	}
	for hash, of := range map[crypto.Hash]func() []byte{
		crypto.SHA256: func() []byte { s := sha256.Sum256([]byte("x")); return s[:] },
		crypto.SHA384: func() []byte { s := sha512.Sum384([]byte("x")); return s[:] },
		crypto.SHA512: func() []byte { s := sha512.Sum512([]byte("x")); return s[:] },
	} {
		signature, err := k.Sign(t.Context(), hash, of())
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(&private().PublicKey, hash, of(), signature); err != nil {
			t.Errorf("%v: %v", hash, err)
		}
	}
	if m.loginCount() != 1 || m.counted("C_OpenSession") != 1 {
		t.Errorf("%d logins, %d sessions", m.loginCount(), m.counted("C_OpenSession"))
	}
	k.Close()
	if m.initialized || !m.destroyed {
		t.Error("the library was not given back")
	}
}

// TestSign_Sessions: as many signatures are under way as the token has sessions, and at most eight.
func TestSign_Sessions(t *testing.T) {
	for most, want := range map[uint]int{0: 8, ^uint(0): 8, 100: 8, 3: 3, 1: 1} {
		s := tokenSlot("saml", keyObject(private(), "signing", "1"))
		s.token.MaxSessionCount = most
		m := newModule(t, s)
		k := newWorld(t, m).mustOpen()
		entered, release := make(chan struct{}, 100), make(chan struct{})
		m.signs = func() error {
			entered <- struct{}{}
			<-release
			return nil
		}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() { mustSign(t, k) })
		}
		for range want {
			<-entered
		}
		close(release)
		all.Wait()
		if m.most != want || m.counted("C_OpenSession") != want {
			t.Errorf("%d sessions: %d under way, %d opened", most, m.most,
				m.counted("C_OpenSession"))
		}
		k.Close()
	}
}

// TestOpen_Selects: the URI has to select one token and one key.
func TestOpen_Selects(t *testing.T) {
	other := generate(2048)
	slots := func() []*slot {
		empty := tokenSlot("saml")
		empty.token.Flags = 0
		second := tokenSlot("second", keyObject(other, "signing", "1"))
		second.token.SerialNumber = "2"
		second.token.ManufacturerID = "Others"
		second.token.Model = "T2"
		second.info.SlotDescription = "another slot"
		second.info.ManufacturerID = "Others"
		second.token.Label = "second         "
		return []*slot{
			empty,
			tokenSlot("saml", keyObject(other, "other", "2"), keyObject(private(), "signing", "1")),
			second,
		}
	}
	const module = "?module-path=/lib/p11.so"
	for uri, want := range map[string]*rsa.PrivateKey{
		"pkcs11:token=saml;object=signing":                          private(),
		"pkcs11:token=saml;id=1":                                    private(),
		"pkcs11:token=saml;id=%31;object=signing;type=private":      private(),
		"pkcs11:serial=1;id=1":                                      private(),
		"pkcs11:slot-id=2;object=signing":                           private(),
		"pkcs11:token=saml;object=other":                            other,
		"pkcs11:token=second":                                       other,
		"pkcs11:serial=2":                                           other,
		"pkcs11:model=T2":                                           other,
		"pkcs11:manufacturer=Others":                                other,
		"pkcs11:slot-id=3":                                          other,
		"pkcs11:slot-description=another%20slot":                    other,
		"pkcs11:slot-manufacturer=Others":                           other,
		"pkcs11:token=second;library-manufacturer=Library%20makers": other,
		"pkcs11:token=second;library-description=A%20library":       other,
		"pkcs11:token=second;library-version=2":                     other,
		"pkcs11:token=second;library-version=2.6":                   other,
	} {
		k, err := newWorld(t, newModule(t, slots()...)).open(uri + module)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if !k.Public().Equal(&want.PublicKey) {
			t.Errorf("%s: another key", uri)
		}
		mustSign(t, k)
		k.Close()
	}
	for uri, want := range map[string][2]string{
		"pkcs11:token=sam":                     {`there are "saml", "second`, "--list-slots"},
		"pkcs11:serial=3":                      {"no token matches", "--list-slots"},
		"pkcs11:slot-id=1":                     {"no token matches", "--list-slots"},
		"pkcs11:slot-id=9":                     {"no token matches", "--list-slots"},
		"pkcs11:token=second;serial=1":         {"no token matches", "--list-slots"},
		"pkcs11:slot-description=another":      {"no token matches", "--list-slots"},
		"pkcs11:object=signing":                {"2 tokens match", "token, serial or slot-id"},
		"pkcs11:token=saml":                    {"more than one such private key", "id"},
		"pkcs11:token=saml;object=Signing":     {"no such private key", "--list-objects"},
		"pkcs11:token=saml;object=other;id=1":  {"no such private key", "--list-objects"},
		"pkcs11:token=saml;library-version=3":  {"version 2.6", "correct the URI"},
		"pkcs11:token=saml;library-version=26": {"version 2.6", "correct the URI"},
		"pkcs11:library-manufacturer=x":        {`of "Library makers"`, "correct the URI"},
		"pkcs11:library-description=x":         {`"A library"`, "correct the URI"},
	} {
		m := newModule(t, slots()...)
		_, err := newWorld(t, m).open(uri + module)
		wantFailure(t, err, want[0], want[1], false)
		if m.initialized {
			t.Errorf("%s: the library was not given back", uri)
		}
	}
	_, err := newWorld(t, newModule(t)).open("pkcs11:" + module)
	wantFailure(t, err, "shows no token", "--list-slots", false)
}

// TestOpen_WrongKey: keys that cannot sign assertions are refused at the start.
func TestOpen_WrongKey(t *testing.T) {
	good := func() *object { return keyObject(private(), "signing", "1") }
	for name, test := range map[string]struct {
		object       *object
		text, remedy string
	}{
		"not to sign": {good().set(pkcs11.CKA_SIGN, false), "CKA_SIGN is false", "--usage-sign"},
		"curve":       {good().set(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), "not an RSA key", "2048"},
		"weak":        {keyObject(generate(1024), "signing", "1"), "only 1024 bits", "2048"},
		"no exponent": {
			good().without(pkcs11.CKA_PUBLIC_EXPONENT), "does not provide the key's exponent",
			"store the public key",
		},
		"even exponent": {
			good().set(pkcs11.CKA_PUBLIC_EXPONENT, []byte{4}), "exponent 4", "2048",
		},
		"large exponent": {
			good().set(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 0, 0, 1}), "too large", "another",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t, newModule(t, tokenSlot("saml", test.object))).open(uri)
			wantFailure(t, err, test.text, test.remedy, false)
		})
	}
}

// TestOpen_Exponent: tokens that have no exponent with the private key have it with the public one.
func TestOpen_Exponent(t *testing.T) {
	for name, object := range map[string]*object{
		"absent": keyObject(private(), "signing", "1").without(pkcs11.CKA_PUBLIC_EXPONENT),
		"empty":  keyObject(private(), "signing", "1").set(pkcs11.CKA_PUBLIC_EXPONENT, []byte{}),
	} {
		t.Run(name, func(t *testing.T) {
			public := keyObject(private(), "signing", "1").
				set(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY)
			m := newModule(t, tokenSlot("saml", object, public))
			mustSign(t, newWorld(t, m).mustOpen())
		})
	}
}

// TestPIN_Wrong: a PIN that was refused is never given to the token a second time, not even by a
// program that is started anew.
func TestPIN_Wrong(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	w.env = "1234"
	_, err := w.open(uri)
	wantFailure(t, err, "CKR_PIN_INCORRECT from C_Login", "--token-label 'saml' --login", false)
	if m.loginCount() != 1 {
		t.Errorf("%d logins", m.loginCount())
	}
	for _, next := range []string{"1234", "5678", pin} {
		m.destroyed = false
		w.env = next
		_, err := w.open(uri)
		wantFailure(t, err, "last given a wrong PIN", "--token-label 'saml' --login", false)
	}
	if m.loginCount() != 1 {
		t.Errorf("%d logins", m.loginCount())
	}
}

// TestPIN_Flags: what the token says of its PIN is heeded before the PIN is used.
func TestPIN_Flags(t *testing.T) {
	for name, test := range map[string]struct {
		flags        uint
		text, remedy string
	}{
		"low":    {pkcs11.CKF_USER_PIN_COUNT_LOW, "a wrong PIN", "pkcs11-tool --module /lib"},
		"final":  {pkcs11.CKF_USER_PIN_FINAL_TRY, "a wrong PIN", "pkcs11-tool --module /lib"},
		"locked": {pkcs11.CKF_USER_PIN_LOCKED, "locked the PIN", "security officer"},
		"keypad": {pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH, "keypad", "takes its PIN"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
			m.slots[1].token.Flags |= test.flags
			_, err := newWorld(t, m).open(uri)
			wantFailure(t, err, test.text, test.remedy, false)
			if m.loginCount() != 0 {
				t.Error("the PIN was used")
			}
		})
	}
}

// TestPIN_Errors: errors of the login are told apart.
func TestPIN_Errors(t *testing.T) {
	for code, test := range map[uint]struct {
		text, remedy string
		temporary    bool
	}{
		pkcs11.CKR_PIN_LOCKED: {"locked the PIN",
			"new PIN, and configure it; then reload or restart the service", false},
		pkcs11.CKR_PIN_EXPIRED: {"has expired", "--token-label 'saml' --login --change-pin; " +
			"configure it; then reload or restart the service", false},
		pkcs11.CKR_PIN_LEN_RANGE: {"refused the PIN", "token's count: pkcs11-tool --module " +
			"/lib/p11.so --token-label 'saml' --login --list-objects; then reload or restart the service",
			false},
		pkcs11.CKR_PIN_INVALID:              {"refused the PIN", "correct the PIN", false},
		pkcs11.CKR_USER_PIN_NOT_INITIALIZED: {"no PIN for users", "--init-pin", false},
		pkcs11.CKR_DEVICE_ERROR:             {"CKR_DEVICE_ERROR from C_Login", "check the token", true},
		0x80000123:                          {"0x80000123 from C_Login", "manual", false},
	} {
		m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
		m.failNext("C_Login", 1, code)
		_, err := newWorld(t, m).open(uri)
		wantFailure(t, err, test.text, test.remedy, test.temporary)
		if m.counted("C_Login") != 1 {
			t.Errorf("%v: %d logins", code, m.counted("C_Login"))
		}
	}
}

func TestPIN_File(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	for content, want := range map[string]string{
		pin:                          "",
		pin + "\n":                   "",
		pin + "\r\n":                 "",
		"":                           "does not have one line",
		"\n":                         "does not have one line",
		pin + "\n\n":                 "does not have one line",
		pin + "\n" + pin:             "does not have one line",
		pin + "\x00":                 "does not have one line",
		strings.Repeat(pin+" ", 200): "is not a file of a PIN",
	} {
		if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
		w := newWorld(t, m)
		w.env = "of no use"
		k, err := w.open(uri + "&pin-source=file:" + file)
		switch {
		case want != "":
			wantFailure(t, err, want, "PIN alone", false)
		case err != nil:
			t.Errorf("%q: %v", content, err)
		default:
			mustSign(t, k)
		}
		if strings.Contains(w.log.String(), "everybody") {
			t.Errorf("%q: log: %s", content, w.log.String())
		}
	}
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	_, err := newWorld(t, m).open(uri + "&pin-source=file:" + file + "x")
	wantFailure(t, err, "no such file", "correct pin-source", false)
	_, err = newWorld(t, newModule(t, m.slots[1])).open(uri + "&pin-source=" + filepath.Dir(file))
	wantFailure(t, err, "is not a file of a PIN", "PIN alone", false)
	w := newWorld(t, newModule(t, m.slots[1]))
	w.env = ""
	_, err = w.open(uri)
	wantFailure(t, err, "none is configured", "DELEGATION_SIGNER_PIN", false)
}

// TestPIN_Mode: a file that everybody can read is mentioned, and used.
func TestPIN_Mode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(pin), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1"))))
	k, err := w.open(uri + "&pin-source=file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	mustSign(t, k)
	if !strings.Contains(w.log.String(), "chmod o-rwx "+file) {
		t.Errorf("log: %s", w.log.String())
	}
}

// TestPIN_NotNeeded: a token without login is given no PIN.
func TestPIN_NotNeeded(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	m.slots[1].token.Flags = pkcs11.CKF_TOKEN_INITIALIZED
	w := newWorld(t, m)
	w.env = ""
	mustSign(t, w.mustOpen())
	if m.loginCount() != 0 {
		t.Error("a PIN was used")
	}
}

// TestSign_Lost: after an error that says that session, login or token are gone, the token is found
// anew, once for each request.
func TestSign_Lost(t *testing.T) {
	for code, text := range map[uint]string{
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED: "the token failed",
		pkcs11.CKR_DEVICE_ERROR:             "the token failed",
		pkcs11.CKR_DEVICE_REMOVED:           "the token is gone",
		pkcs11.CKR_FUNCTION_FAILED:          "the token failed",
		pkcs11.CKR_GENERAL_ERROR:            "the token failed",
		pkcs11.CKR_KEY_HANDLE_INVALID:       "the token failed",
		pkcs11.CKR_OBJECT_HANDLE_INVALID:    "the token failed",
		pkcs11.CKR_SESSION_CLOSED:           "the token failed",
		pkcs11.CKR_SESSION_HANDLE_INVALID:   "the token failed",
		pkcs11.CKR_TOKEN_NOT_PRESENT:        "the token is gone",
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED:     "the token is gone",
		pkcs11.CKR_USER_NOT_LOGGED_IN:       "the token failed",
	} {
		for _, function := range []string{"C_SignInit", "C_Sign"} {
			m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
			k := newWorld(t, m).mustOpen()
			mustSign(t, k)
			m.failNext(function, 1, code)
			mustSign(t, k)
			if m.counted("C_Initialize") != 2 || m.counted("C_Finalize") != 1 ||
				m.loginCount() != 2 {
				t.Errorf("%s %s: %v, %d logins", function, text, m.calls, m.loginCount())
			}
			m.failNext(function, 2, code)
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, text+": "+name(code), "check the token", true)
			mustSign(t, k)
			k.Close()
		}
	}
}

func name(code uint) string {
	_, name, _ := strings.Cut(pkcs11.Error(code).Error(), "CKR_")
	return "CKR_" + name
}

// TestSign_Errors: other errors are told as they are, and cost one session.
func TestSign_Errors(t *testing.T) {
	for code, test := range map[uint]struct {
		text, remedy string
		temporary    bool
	}{
		pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED: {"not for signing", "--usage-sign", false},
		pkcs11.CKR_KEY_TYPE_INCONSISTENT:      {"not for signing", "--usage-sign", false},
		pkcs11.CKR_ACTION_PROHIBITED:          {"not for signing", "--usage-sign", false},
		pkcs11.CKR_MECHANISM_INVALID:          {"does not sign", "CKM_RSA_PKCS", false},
		pkcs11.CKR_MECHANISM_PARAM_INVALID:    {"does not sign", "CKM_RSA_PKCS", false},
		pkcs11.CKR_FUNCTION_NOT_SUPPORTED:     {"does not sign", "CKM_RSA_PKCS", false},
		pkcs11.CKR_HOST_MEMORY:                {"the token failed", "check the token", true},
		pkcs11.CKR_DEVICE_MEMORY:              {"the token failed", "check the token", true},
		pkcs11.CKR_FUNCTION_CANCELED:          {"the token failed", "check the token", true},
		pkcs11.CKR_OPERATION_ACTIVE:           {"the token failed", "check the token", true},
		pkcs11.CKR_SESSION_COUNT:              {"no free session", "end other programs", true},
		pkcs11.CKR_ARGUMENTS_BAD:              {"CKR_ARGUMENTS_BAD", "manual", false},
		0x80000123:                            {"0x80000123", "manual", false},
	} {
		m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
		k := newWorld(t, m).mustOpen()
		m.failNext("C_Sign", 1, code)
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		wantFailure(t, err, test.text, test.remedy, test.temporary)
		if m.counted("C_Initialize") != 1 || m.counted("C_CloseSession") != 1 {
			t.Errorf("%s: %v", test.text, m.calls)
		}
		k.Close()
	}
}

// TestSign_Removed: while the token is away, requests fail fast and may be retried. When it is
// back, so are the signatures, after one more login.
func TestSign_Removed(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	k := w.mustOpen()
	away := true
	m.mu.Lock()
	m.fail = func(function string) error {
		if away && function != "C_Initialize" && function != "C_Finalize" &&
			function != "C_GetInfo" && function != "C_GetSlotList" {
			return pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED)
		}
		return nil
	}
	m.mu.Unlock()
	for range 5 {
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		wantFailure(t, err, "the token is gone", "connect the token", true)
	}
	if m.counted("C_Initialize") != 2 {
		t.Errorf("%d connections within a second", m.counted("C_Initialize"))
	}
	w.now = w.now.Add(time.Second)
	_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
	wantFailure(t, err, "the token is gone", "connect the token", true)
	away = false
	w.now = w.now.Add(time.Second)
	mustSign(t, k)
	if m.counted("C_Initialize") != 4 || m.loginCount() != 2 {
		t.Errorf("%d connections, %d logins", m.counted("C_Initialize"), m.loginCount())
	}
}

// TestSign_LostByMany: requests that lose the same connection at the same time make one new one,
// and C_Finalize never runs during a signature.
func TestSign_LostByMany(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	k := newWorld(t, m).mustOpen()
	const sessions = 8
	var together sync.WaitGroup
	together.Add(sessions)
	first := make(chan struct{}, sessions)
	for range sessions {
		first <- struct{}{}
	}
	m.signs = func() error {
		select {
		case <-first:
			together.Done()
			together.Wait()
			return pkcs11.Error(pkcs11.CKR_DEVICE_ERROR)
		default:
			return nil
		}
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { mustSign(t, k) })
	}
	all.Wait()
	if m.counted("C_Initialize") != 2 || m.loginCount() != 2 {
		t.Errorf("%d connections, %d logins", m.counted("C_Initialize"), m.loginCount())
	}
}

// TestSign_OtherKey: a token that has another key when it comes back signs nothing.
func TestSign_OtherKey(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	k := w.mustOpen()
	m.slots[1].objects[0] = keyObject(generate(2048), "signing", "1")
	m.failNext("C_Sign", 1, pkcs11.CKR_SESSION_HANDLE_INVALID)
	_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
	wantFailure(t, err, "another key with this URI", "the certificate of the new key", false)
	w.now = w.now.Add(time.Hour)
	_, err = k.Sign(t.Context(), crypto.SHA256, digest[:])
	wantFailure(t, err, "another key with this URI", "the certificate of the new key", false)
}

// TestSign_PINChanged: a PIN that was changed while the token was away is tried once.
func TestSign_PINChanged(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	k := w.mustOpen()
	w.env = "1234"
	m.failNext("C_Sign", 1, pkcs11.CKR_SESSION_HANDLE_INVALID)
	for range 4 {
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		wantFailure(t, err, "CKR_PIN_INCORRECT", "restart the service", false)
		w.now = w.now.Add(time.Hour)
	}
	if fmt.Sprint(m.logins) != "["+pin+" 1234]" {
		t.Errorf("logins: %v", m.logins)
	}
}

// TestSign_ProvenPIN: another program's wrong PIN does not keep out the one that was right.
func TestSign_ProvenPIN(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	k := newWorld(t, m).mustOpen()
	m.slots[1].token.Flags |= pkcs11.CKF_USER_PIN_COUNT_LOW
	m.failNext("C_Sign", 1, pkcs11.CKR_SESSION_HANDLE_INVALID)
	mustSign(t, k)
}

// TestSign_AlwaysAuthenticate: keys that want a login for each signature get one. A PIN that is
// then refused is not retried.
func TestSign_AlwaysAuthenticate(t *testing.T) {
	m := newModule(t, tokenSlot("saml",
		keyObject(private(), "signing", "1").set(pkcs11.CKA_ALWAYS_AUTHENTICATE, true)))
	k := newWorld(t, m).mustOpen()
	mustSign(t, k)
	mustSign(t, k)
	if m.contexts != 2 || m.loginCount() != 1 {
		t.Errorf("%d logins for a signature, %d others", m.contexts, m.loginCount())
	}
	m.failNext("C_Login", 1, pkcs11.CKR_PIN_INCORRECT)
	for range 3 {
		_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
		wantFailure(t, err, "CKR_PIN_INCORRECT", "correct the PIN", false)
	}
	if m.counted("C_Login") != 4 {
		t.Errorf("%d logins", m.counted("C_Login"))
	}
}

// TestSign_AlwaysAuthenticateByMany: of signatures at the same time, one tries a PIN that the token
// does not accept any more.
func TestSign_AlwaysAuthenticateByMany(t *testing.T) {
	m := newModule(t, tokenSlot("saml",
		keyObject(private(), "signing", "1").set(pkcs11.CKA_ALWAYS_AUTHENTICATE, true)))
	k := newWorld(t, m).mustOpen()
	const sessions = 8
	var together sync.WaitGroup
	together.Add(sessions)
	m.begins = func() {
		together.Done()
		together.Wait()
	}
	m.failNext("C_Login", sessions, pkcs11.CKR_PIN_INCORRECT)
	var all sync.WaitGroup
	for range sessions {
		all.Go(func() {
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			wantFailure(t, err, "CKR_PIN_INCORRECT", "correct the PIN", false)
		})
	}
	all.Wait()
	if m.counted("C_Login") != 2 { // one of them at the start
		t.Errorf("%d logins", m.counted("C_Login"))
	}
}

// TestSign_Final: after a refused PIN no signature can succeed, and the service is told so. Other
// errors may end without another program.
func TestSign_Final(t *testing.T) {
	for code, want := range map[uint]bool{
		pkcs11.CKR_PIN_INCORRECT: true,
		pkcs11.CKR_PIN_LOCKED:    true,
		pkcs11.CKR_PIN_EXPIRED:   true,
		pkcs11.CKR_DEVICE_ERROR:  false,
	} {
		m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
		k := newWorld(t, m).mustOpen()
		lost := true
		m.mu.Lock()
		m.fail = func(function string) error {
			switch {
			case function == "C_Sign" && lost:
				lost = false
				return pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID)
			case function == "C_Login":
				return pkcs11.Error(code)
			}
			return nil
		}
		m.mu.Unlock()
		for range 2 {
			_, err := k.Sign(t.Context(), crypto.SHA256, digest[:])
			var failure *key.Failure
			if !errors.As(err, &failure) || failure.Final != want {
				t.Errorf("%s: got %+v", name(code), err)
			}
		}
		k.Close()
	}
}

// TestSign_Stuck: a library that does not return holds up no request for longer than its context,
// nor more than eight threads. After a minute the program ends.
func TestSign_Stuck(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	k := w.mustOpen()
	entered, release := make(chan struct{}, 100), make(chan struct{})
	m.signs = func() error {
		entered <- struct{}{}
		<-release
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 100)
	for range 20 {
		go func() {
			_, err := k.Sign(ctx, crypto.SHA256, digest[:])
			errs <- err
		}()
	}
	for range 8 {
		<-entered
	}
	cancel()
	for range 20 {
		wantFailure(t, <-errs, "no signature in time", "check the token", true)
	}
	if len(entered) != 0 || len(w.later) != 8 {
		t.Errorf("%d more calls, %d timers", len(entered), len(w.later))
	}
	(<-w.later)()
	if w.stuck != 1 {
		t.Error("the program does not end")
	}
	close(release)
	mustSign(t, k)
	k.Close()
}

// TestOpen_Errors: errors of the first calls say which call it was.
func TestOpen_Errors(t *testing.T) {
	for _, function := range []string{
		"C_Initialize", "C_GetInfo", "C_GetSlotList", "C_OpenSession", "C_FindObjectsInit",
		"C_FindObjects", "C_GetAttributeValue",
	} {
		m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
		m.failNext(function, 1, pkcs11.CKR_GENERAL_ERROR)
		_, err := newWorld(t, m).open(uri)
		wantFailure(t, err, "CKR_GENERAL_ERROR from "+function, "check the token", true)
	}
}

// TestLog: the log has no PIN.
func TestLog(t *testing.T) {
	m := newModule(t, tokenSlot("saml", keyObject(private(), "signing", "1")))
	w := newWorld(t, m)
	k := w.mustOpen()
	m.failNext("C_Sign", 1, pkcs11.CKR_SESSION_HANDLE_INVALID)
	mustSign(t, k)
	log := w.log.Bytes()
	if bytes.Contains(log, []byte(pin)) || !bytes.Contains(log, []byte("reconnecting")) {
		t.Errorf("log: %s", log)
	}
}
