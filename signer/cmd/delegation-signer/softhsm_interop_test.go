//go:build pkcs11 && interop

package main_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
)

const (
	library = "/usr/lib/softhsm/libsofthsm2.so"
	userPIN = "946711"
	soPIN   = "87654321"
)

// softHSM is a folder with tokens of SoftHSM.
type softHSM struct {
	t      *testing.T
	folder string
}

func newSoftHSM(t *testing.T) *softHSM {
	t.Helper()
	h := &softHSM{t: t, folder: t.TempDir()}
	settings := "directories.tokendir = " + h.folder + "\nlog.level = ERROR\n"
	h.write("softhsm2.conf", settings)
	h.write("pin", userPIN+"\n")
	h.write("wrong", "123456\n")
	t.Setenv("SOFTHSM2_CONF", filepath.Join(h.folder, "softhsm2.conf"))
	return h
}

func (h *softHSM) write(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.folder, name), []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *softHSM) token(label string) {
	h.t.Helper()
	h.run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", soPIN,
		"--pin", userPIN)
}

// key makes a key pair. pkcs11-tool makes it by itself what the arguments do not say.
func (h *softHSM) key(token, label, id string, args ...string) {
	h.t.Helper()
	h.run("pkcs11-tool", append([]string{
		"--module", library, "--token-label", token, "--login", "--pin", userPIN,
		"--keypairgen", "--label", label, "--id", id,
	}, args...)...)
}

func (h *softHSM) run(name string, args ...string) string {
	h.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// uri adds the library and the file of the PIN.
func (h *softHSM) uri(path, pin string) string {
	return path + "?module-path=" + library + "&pin-source=file:" + filepath.Join(h.folder, pin)
}

var digest = sha256.Sum256([]byte("document"))

func (h *softHSM) wantSignature(uri string) {
	h.t.Helper()
	p := start(h.t, nil, uri)
	public := publicOf(h.t, p.read())
	p.request(1, digest[:])
	a := p.read()
	if a.Error != nil {
		h.t.Errorf("%+v", *a.Error)
	} else if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], a.Signature) != nil {
		h.t.Error("the signature does not verify")
	}
	if rest, log, code := p.end(); rest != "" || log != "" || code != 0 {
		h.t.Errorf("%d %q\n%s", code, rest, log)
	}
}

func publicOf(t *testing.T, first answer) *rsa.PublicKey {
	t.Helper()
	if first.Error != nil {
		t.Fatalf("%+v", *first.Error)
	}
	parsed, err := x509.ParsePKIXPublicKey(first.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*rsa.PublicKey)
}

func (h *softHSM) wantRefusal(uri, text, remedy string) {
	h.t.Helper()
	p := start(h.t, nil, uri)
	a := p.read()
	if a.Error == nil {
		h.t.Errorf("%s: no error, want %q", uri, text)
		return
	}
	if !strings.Contains(a.Error.Text, text) || !strings.Contains(a.Error.Remedy, remedy) ||
		a.Error.Temporary {
		h.t.Errorf("%s: %+v\nwant %q, %q", uri, *a.Error, text, remedy)
	}
	if rest, log, code := p.end(); rest != "" || code != 1 || strings.Contains(log, userPIN) {
		h.t.Errorf("%d %q\n%s", code, rest, log)
	}
}

// TestInterop_SoftHSM: the URI selects a key of SoftHSM, which signs. What does not select one key
// is refused.
func TestInterop_SoftHSM(t *testing.T) {
	h := newSoftHSM(t)
	h.token("saml")
	h.token("other")
	h.key("saml", "signing", "01", "--key-type", "rsa:2048", "--usage-sign")
	h.key("saml", "next", "02", "--key-type", "rsa:3072", "--usage-sign")
	h.key("saml", "twice", "03", "--key-type", "rsa:2048", "--usage-sign")
	h.key("saml", "twice", "04", "--key-type", "rsa:2048", "--usage-sign")
	h.key("saml", "weak", "05", "--key-type", "rsa:1024", "--usage-sign")
	h.key("saml", "curve", "06", "--key-type", "EC:prime256v1", "--usage-sign")
	h.key("saml", "always", "07", "--key-type", "rsa:2048", "--usage-sign", "--always-auth")

	h.wantSignature(h.uri("pkcs11:token=saml;object=signing", "pin"))
	h.wantSignature(h.uri("pkcs11:token=saml;id=%02;type=private", "pin"))
	h.wantSignature(h.uri("pkcs11:token=saml;object=twice;id=%04", "pin"))
	h.wantSignature(h.uri("pkcs11:token=saml;object=always", "pin"))
	h.wantSignature(h.uri("pkcs11:token=saml;model=SoftHSM%20v2;manufacturer=SoftHSM%20project;"+
		"library-manufacturer=SoftHSM;library-version=2.6;object=next", "pin"))

	list := "pkcs11-tool --module " + library + " --token-label 'saml' --login --list-objects"
	h.wantRefusal(h.uri("pkcs11:token=saml;object=twice", "pin"), "more than one", list)
	h.wantRefusal(h.uri("pkcs11:token=saml;object=none", "pin"), "no such private key", list)
	h.wantRefusal(h.uri("pkcs11:token=saml;object=weak", "pin"), "only 1024 bits", "2048")
	h.wantRefusal(h.uri("pkcs11:token=saml;object=curve", "pin"), "not an RSA key", "RSA")
	h.wantRefusal(h.uri("pkcs11:token=none", "pin"), `there are "`, "--list-slots")
	h.wantRefusal(h.uri("pkcs11:object=signing", "pin"), "2 tokens match", "token")
	h.wantRefusal(h.uri("pkcs11:token=saml", "none"), "no such file", "pin-source")
	h.wantRefusal("pkcs11:token=saml?module-path="+library, "none is configured", "pin-source")
	h.wantRefusal("pkcs11:token=saml?module-path=/none.so", "no such file", "module-path")
	h.wantRefusal("pkcs11:token=saml?module-path="+filepath.Join(h.folder, "pin"),
		"no PKCS#11 library", "ldd")

	t.Setenv("DELEGATION_SIGNER_PIN", userPIN)
	h.wantSignature("pkcs11:token=saml;object=signing?module-path=" + library)
}

// TestInterop_SoftHSM_WrongPIN: a wrong PIN is given to the token once, however often the program
// is started. The remedy's command clears the token's count.
func TestInterop_SoftHSM_WrongPIN(t *testing.T) {
	h := newSoftHSM(t)
	h.token("saml")
	h.key("saml", "signing", "01", "--key-type", "rsa:2048", "--usage-sign")
	const path = "pkcs11:token=saml;object=signing"
	command := "pkcs11-tool --module " + library + " --token-label 'saml' --login --list-objects"
	h.wantRefusal(h.uri(path, "wrong"), "CKR_PIN_INCORRECT", command)
	h.wantRefusal(h.uri(path, "wrong"), "was last given a wrong PIN", command)
	h.wantRefusal(h.uri(path, "pin"), "was last given a wrong PIN", command)
	h.run("sh", "-c", command+" --pin "+userPIN)
	h.wantSignature(h.uri(path, "pin"))
}

// TestInterop_SoftHSM_ManyAtOnce: eight sessions sign at the same time, each its own digest.
func TestInterop_SoftHSM_ManyAtOnce(t *testing.T) {
	h := newSoftHSM(t)
	h.token("saml")
	h.key("saml", "signing", "01", "--key-type", "rsa:2048", "--usage-sign")
	p := start(t, nil, h.uri("pkcs11:token=saml;object=signing", "pin"))
	public := publicOf(t, p.read())
	const requests = 500
	digestOf := func(id uint64) []byte {
		sum := sha256.Sum256(fmt.Append(nil, id))
		return sum[:]
	}
	go func() {
		for id := range uint64(requests) {
			_, _ = fmt.Fprintf(p.in, `{"id":%d,"digest":"%s","hash":"SHA-256"}`+"\n", id,
				base64.StdEncoding.EncodeToString(digestOf(id)))
		}
		_ = p.in.Close()
	}()
	seen := map[uint64]bool{}
	for range requests {
		a := p.read()
		if a.Error != nil {
			t.Fatalf("%+v", *a.Error)
		}
		if rsa.VerifyPKCS1v15(public, crypto.SHA256, digestOf(a.ID), a.Signature) != nil {
			t.Errorf("request %d has another signature", a.ID)
		}
		seen[a.ID] = true
	}
	if rest, log, code := p.end(); rest != "" || log != "" || code != 0 || len(seen) != requests {
		t.Errorf("%d %q, %d answered\n%s", code, rest, len(seen), log)
	}
}

// TestInterop_SoftHSM_Removed: while the token is away, requests fail and may be retried. When it
// is back, the same program signs.
func TestInterop_SoftHSM_Removed(t *testing.T) {
	h := newSoftHSM(t)
	tokens := filepath.Join(h.folder, "tokens")
	h.write("softhsm2.conf", "directories.tokendir = "+tokens+"\nlog.level = ERROR\n")
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	create := func(folder string) {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	create(tokens)
	h.token("saml")
	h.key("saml", "signing", "01", "--key-type", "rsa:2048", "--usage-sign")
	p := start(t, nil, h.uri("pkcs11:token=saml;object=signing", "pin"))
	public := publicOf(t, p.read())
	id := 0
	sign := func() answer {
		id++
		p.request(id, digest[:])
		return p.read()
	}
	if a := sign(); a.Error != nil {
		t.Fatalf("%+v", *a.Error)
	}
	away := filepath.Join(h.folder, "away")
	move(tokens, away)
	create(tokens)
	a := sign()
	if a.Error == nil || a.Error.Text != "the token is gone" || !a.Error.Temporary {
		t.Fatalf("%+v", a)
	}
	move(tokens, filepath.Join(h.folder, "empty"))
	move(away, tokens)
	for deadline := time.Now().Add(time.Minute); a.Error != nil; a = sign() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come back: %+v", *a.Error)
		}
	}
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], a.Signature) != nil {
		t.Error("the signature does not verify")
	}
	rest, log, code := p.end()
	if rest != "" || code != 0 || !strings.Contains(log, "reconnecting") {
		t.Errorf("%d %q\n%s", code, rest, log)
	}
}

// TestInterop_SoftHSM_NotForSigning: a key whose CKA_SIGN is false is refused at the start.
func TestInterop_SoftHSM_NotForSigning(t *testing.T) {
	h := newSoftHSM(t)
	h.token("saml")
	h.decryptionKey()
	h.wantRefusal(h.uri("pkcs11:token=saml", "pin"), "CKA_SIGN is false", "--usage-sign")
}

// decryptionKey makes a key that must not sign, in the first slot. pkcs11-tool has no option for
// it.
func (h *softHSM) decryptionKey() {
	h.t.Helper()
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	module := pkcs11.New(library)
	defer module.Destroy()
	must(module.Initialize())
	defer func() { _ = module.Finalize() }()
	slots, err := module.GetSlotList(true)
	must(err)
	session, err := module.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(err)
	must(module.Login(session, pkcs11.CKU_USER, userPIN))
	_, _, err = module.GenerateKeyPair(session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, false),
		})
	must(err)
}
