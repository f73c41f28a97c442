//go:build pkcs11

package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/pkcs11uri"
)

// Module has the functions of a PKCS#11 library that this package calls. *pkcs11.Ctx implements it.
type Module interface {
	Initialize(...pkcs11.InitializeOption) error
	Finalize() error
	Destroy()
	GetInfo() (pkcs11.Info, error)
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetSlotInfo(slot uint) (pkcs11.SlotInfo, error)
	GetTokenInfo(slot uint) (pkcs11.TokenInfo, error)
	OpenSession(slot uint, flags uint) (pkcs11.SessionHandle, error)
	CloseSession(pkcs11.SessionHandle) error
	Login(s pkcs11.SessionHandle, userType uint, pin string) error
	FindObjectsInit(pkcs11.SessionHandle, []*pkcs11.Attribute) error
	FindObjects(s pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error)
	FindObjectsFinal(pkcs11.SessionHandle) error
	GetAttributeValue(
		pkcs11.SessionHandle, pkcs11.ObjectHandle, []*pkcs11.Attribute,
	) ([]*pkcs11.Attribute, error)
	SignInit(pkcs11.SessionHandle, []*pkcs11.Mechanism, pkcs11.ObjectHandle) error
	Sign(s pkcs11.SessionHandle, message []byte) ([]byte, error)
}

const (
	// maxSessions is how many signatures may be under way, unless the token allows fewer.
	maxSessions = 8
	// restAfterFailure is the minimum time between a failed connection and the next attempt.
	restAfterFailure = time.Second
	// stuckAfter is longer than any token needs. A call of C cannot be canceled, only abandoned.
	stuckAfter = time.Minute
)

// tokenKey is a key of a token. Its calls of C run in goroutines that occupy a place until C
// returns. So at most maxSessions of them can hang.
type tokenKey struct {
	uri    *pkcs11uri.URI
	module Module
	o      Options
	public *rsa.PublicKey
	places chan struct{}

	// calls is held for reading by calls that use the connection, and for writing by those that
	// replace it. After C_Finalize, the value of a session handle may be reused for another
	// session.
	calls sync.RWMutex
	now   *connection // nil: there is none

	failed    error // of the last attempt to connect
	failedAt  time.Time
	provenPIN string // the token has accepted it

	pinRefused atomic.Pointer[error] // the PIN is never tried after that
	// loggingIn is held for the login of one signature, so that of several signatures with a wrong
	// PIN only the first one tries it.
	loggingIn sync.Mutex
}

// connection is the state of the token after C_Initialize.
type connection struct {
	slot               uint
	key                pkcs11.ObjectHandle
	public             *rsa.PublicKey
	alwaysAuthenticate bool
	idle               chan pkcs11.SessionHandle
}

// Open loads the library, logs in, and finds the key.
func Open(ctx context.Context, uri string, o Options) (key.Key, error) {
	parsed, err := pkcs11uri.Parse(uri)
	if err != nil {
		return nil, err
	}
	path := parsed.ModulePath
	if _, err := os.Stat(path); err != nil {
		return nil, key.Permanent("install the token's PKCS#11 library, or correct module-path",
			"the library cannot be read: %s", key.Short(err.Error()))
	}
	module := pkcs11.New(path)
	if module == nil {
		return nil, key.Permanent("use the PKCS#11 library for this system; ldd "+path+
			" shows what it needs", "%s is no PKCS#11 library that can be loaded here", path)
	}
	return OpenModule(ctx, parsed, module, o)
}

// OpenModule is Open with a library that is already loaded.
func OpenModule(
	_ context.Context, uri *pkcs11uri.URI, module Module, o Options,
) (key.Key, error) {
	k := &tokenKey{uri: uri, module: module, o: o}
	c, err := k.connect()
	if err != nil {
		k.Close()
		return nil, k.failureOf(err)
	}
	k.now = c
	k.public = c.public
	k.places = make(chan struct{}, cap(c.idle))
	return k, nil
}

func (k *tokenKey) Public() *rsa.PublicKey { return k.public }

// Close unloads the library. It waits for calls that are under way.
func (k *tokenKey) Close() {
	k.calls.Lock()
	defer k.calls.Unlock()
	_ = k.module.Finalize()
	k.module.Destroy()
}

// Sign lets the token sign. If the connection was lost, it reconnects once.
func (k *tokenKey) Sign(ctx context.Context, hash crypto.Hash, digest []byte) ([]byte, error) {
	late := key.Temporary("check the token and its connection; delegation-signer is "+
		"restarted if it hangs for a minute", "the token gave no signature in time")
	select {
	case k.places <- struct{}{}:
	case <-ctx.Done():
		return nil, late
	}
	type result struct {
		signature []byte
		err       error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-k.places }()
		defer k.o.Later(stuckAfter, k.o.Stuck)()
		signature, err := k.signOrReconnect(hash, digest)
		done <- result{signature, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, k.failureOf(r.err)
		}
		return r.signature, nil
	case <-ctx.Done():
		return nil, late
	}
}

func (k *tokenKey) signOrReconnect(hash crypto.Hash, digest []byte) ([]byte, error) {
	if refused := k.pinRefused.Load(); refused != nil {
		return nil, *refused
	}
	signature, used, err := k.sign(hash, digest)
	if used != nil && !isLost(err) {
		return signature, err
	}
	if err := k.reconnect(used); err != nil {
		return nil, err
	}
	signature, used, err = k.sign(hash, digest)
	if used == nil {
		// Another call has lost the connection in the meantime.
		return nil, pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)
	}
	return signature, err
}

// sign also returns the connection that it used; nil if there is none.
func (k *tokenKey) sign(hash crypto.Hash, digest []byte) ([]byte, *connection, error) {
	k.calls.RLock()
	defer k.calls.RUnlock()
	c := k.now
	if c == nil {
		return nil, nil, nil
	}
	signature, err := k.signWith(c, hash, digest)
	return signature, c, err
}

func (k *tokenKey) signWith(c *connection, hash crypto.Hash, digest []byte) ([]byte, error) {
	session, err := k.session(c)
	if err != nil {
		return nil, err
	}
	signature, err := k.signIn(session, c, hash, digest)
	if err != nil {
		// An operation may still be active in the session.
		_ = k.module.CloseSession(session)
		return nil, err
	}
	select {
	case c.idle <- session:
	default: // after a reconnect the token allows fewer
		_ = k.module.CloseSession(session)
	}
	return signature, nil
}

func (k *tokenKey) session(c *connection) (pkcs11.SessionHandle, error) {
	select {
	case session := <-c.idle:
		return session, nil
	default:
		return k.module.OpenSession(c.slot, pkcs11.CKF_SERIAL_SESSION)
	}
}

// sha2 is the common prefix of the object identifiers of SHA-2, 2.16.840.1.101.3.4.2.
const sha2 = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"

// prefixes are the DigestInfo encodings of RFC 8017, section 9.2, notes, without the digest.
// CKM_RSA_PKCS adds only the padding.
var prefixes = map[crypto.Hash][]byte{
	crypto.SHA256: []byte("\x30\x31\x30\x0d" + sha2 + "\x01\x05\x00\x04\x20"),
	crypto.SHA384: []byte("\x30\x41\x30\x0d" + sha2 + "\x02\x05\x00\x04\x30"),
	crypto.SHA512: []byte("\x30\x51\x30\x0d" + sha2 + "\x03\x05\x00\x04\x40"),
}

func (k *tokenKey) signIn(
	session pkcs11.SessionHandle, c *connection, hash crypto.Hash, digest []byte,
) ([]byte, error) {
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)}
	if err := k.module.SignInit(session, mechanism, c.key); err != nil {
		return nil, err
	}
	if c.alwaysAuthenticate {
		if err := k.loginOnce(session); err != nil {
			return nil, err
		}
	}
	return k.module.Sign(session, slices.Concat(prefixes[hash], digest))
}

// loginOnce logs in for one signature (PKCS #11, CKA_ALWAYS_AUTHENTICATE).
func (k *tokenKey) loginOnce(session pkcs11.SessionHandle) error {
	k.loggingIn.Lock()
	defer k.loggingIn.Unlock()
	if refused := k.pinRefused.Load(); refused != nil {
		return *refused
	}
	if err := k.module.Login(session, pkcs11.CKU_CONTEXT_SPECIFIC, k.provenPIN); err != nil {
		return k.loginFailed(err)
	}
	return nil
}

// reconnect replaces the connection that was used, unless another call has already replaced it.
func (k *tokenKey) reconnect(used *connection) error {
	k.calls.Lock()
	defer k.calls.Unlock()
	switch {
	case k.now != used:
		return nil
	case k.pinRefused.Load() != nil:
		return *k.pinRefused.Load()
	case k.failed != nil && k.o.Now().Before(k.failedAt.Add(restAfterFailure)):
		return k.failed
	}
	k.now = nil
	k.o.Log.Info("the connection to the token was lost; reconnecting")
	// Network HSMs need both C_Finalize and C_Initialize. C_Finalize closes the sessions.
	_ = k.module.Finalize()
	c, err := k.connect()
	if err == nil && !c.public.Equal(k.public) {
		err = key.Permanent("select the key with token, object and id so that no other one "+
			"matches, or configure the certificate of the new key, and reload the service",
			"the token now has another key with this URI")
	}
	k.failed = err
	k.failedAt = k.o.Now()
	if err != nil {
		return err
	}
	k.now = c
	return nil
}

// connect initializes the library, finds the token, logs in, and finds the key. The caller holds
// calls for writing, or has the only reference.
func (k *tokenKey) connect() (*connection, error) {
	err := k.module.Initialize()
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return nil, fmt.Errorf("C_Initialize: %w", err)
	}
	slot, info, err := k.findToken()
	if err != nil {
		return nil, err
	}
	session, err := k.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("C_OpenSession: %w", err)
	}
	c := &connection{slot: slot, idle: make(chan pkcs11.SessionHandle, sessionsOf(info))}
	if err := k.login(session, info); err != nil {
		return nil, err
	}
	if err := k.findKey(session, c); err != nil {
		return nil, err
	}
	c.idle <- session
	return c, nil
}

func sessionsOf(info pkcs11.TokenInfo) int {
	most := info.MaxSessionCount
	if most == 0 || most > maxSessions { // 0 and the maximum mean that there is no bound
		return maxSessions
	}
	return int(most)
}

// findToken returns the only token that the URI matches.
func (k *tokenKey) findToken() (uint, pkcs11.TokenInfo, error) {
	if err := k.matchLibrary(); err != nil {
		return 0, pkcs11.TokenInfo{}, err
	}
	slots, err := k.module.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, fmt.Errorf("C_GetSlotList: %w", err)
	}
	var labels []string
	var matches []uint
	var match pkcs11.TokenInfo
	for _, slot := range slots {
		info, err := k.module.GetTokenInfo(slot)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue // empty or unusable
		}
		labels = append(labels, fmt.Sprintf("%q", info.Label))
		if k.matchToken(slot, info) {
			matches = append(matches, slot)
			match = info
		}
	}
	switch {
	case len(matches) == 1:
		return matches[0], match, nil
	case len(matches) > 1:
		return 0, match, key.Permanent("name one of them with token, serial or slot-id",
			"%d tokens match the URI", len(matches))
	case k.public != nil:
		return 0, match, key.Temporary("connect the token", "the token is gone")
	case len(labels) == 0:
		return 0, match, key.Permanent("initialize a token, or connect it; pkcs11-tool --module "+
			k.uri.ModulePath+" --list-slots shows the tokens", "the library shows no token")
	}
	return 0, match, key.Permanent("correct the URI; pkcs11-tool --module "+k.uri.ModulePath+
		" --list-slots shows the tokens", "no token matches the URI; there are %s",
		key.Short(strings.Join(labels, ", ")))
}

func (k *tokenKey) matchLibrary() error {
	info, err := k.module.GetInfo()
	if err != nil {
		return fmt.Errorf("C_GetInfo: %w", err)
	}
	u := k.uri
	major := fmt.Sprint(info.LibraryVersion.Major)
	minor := fmt.Sprintf("%s.%d", major, info.LibraryVersion.Minor)
	if matches(u.LibraryManufacturer, info.ManufacturerID) &&
		matches(u.LibraryDescription, info.LibraryDescription) &&
		(matches(u.LibraryVersion, major) || matches(u.LibraryVersion, minor)) {
		return nil
	}
	return key.Permanent("correct the URI, or remove the library attributes from it",
		"the library is %q of %q, version %s", key.Short(info.LibraryDescription),
		key.Short(info.ManufacturerID), minor)
}

func (k *tokenKey) matchToken(slot uint, info pkcs11.TokenInfo) bool {
	u := k.uri
	if u.Slot != nil && *u.Slot != slot {
		return false
	}
	if u.SlotDescription+u.SlotManufacturer != "" {
		s, err := k.module.GetSlotInfo(slot)
		if err != nil || !matches(u.SlotDescription, s.SlotDescription) ||
			!matches(u.SlotManufacturer, s.ManufacturerID) {
			return false
		}
	}
	return matches(u.Token, info.Label) && matches(u.Manufacturer, info.ManufacturerID) &&
		matches(u.Serial, info.SerialNumber) && matches(u.Model, info.Model)
}

// matches compares with a value that the library has padded with blanks.
func matches(want, got string) bool {
	return want == "" || want == strings.TrimRight(got, " \x00")
}

// login logs in. It tries a PIN that the token has not accepted before at most once, because tokens
// lock after some wrong PINs.
func (k *tokenKey) login(session pkcs11.SessionHandle, info pkcs11.TokenInfo) error {
	if info.Flags&pkcs11.CKF_LOGIN_REQUIRED == 0 {
		return nil
	}
	if info.Flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0 {
		return key.Permanent("use a token that takes its PIN from programs",
			"the token takes its PIN from a keypad of its own")
	}
	pin, err := k.pin()
	if err != nil {
		return err
	}
	const low = pkcs11.CKF_USER_PIN_COUNT_LOW | pkcs11.CKF_USER_PIN_FINAL_TRY
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return fmt.Errorf("C_Login: %w", pkcs11.Error(pkcs11.CKR_PIN_LOCKED))
	case info.Flags&low != 0 && pin != k.provenPIN:
		return key.Permanent("correct the PIN, and log in with it once, which clears the token's "+
			"count: "+k.loginCommand(), "the token was last given a wrong PIN, and is not given "+
			"another one that may be wrong")
	}
	err = k.module.Login(session, pkcs11.CKU_USER, pin)
	switch {
	case err == nil, errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)):
		k.provenPIN = pin
		return nil
	}
	return k.loginFailed(err)
}

// loginFailed remembers that a PIN was refused.
func (k *tokenKey) loginFailed(err error) error {
	err = fmt.Errorf("C_Login: %w", err)
	if isPIN(err) {
		k.pinRefused.Store(&err)
	}
	return err
}

func (k *tokenKey) loginCommand() string { return k.toolCommand() + " --login --list-objects" }

// toolCommand is the beginning of a command for the token.
func (k *tokenKey) toolCommand() string {
	command := "pkcs11-tool --module " + k.uri.ModulePath
	if k.uri.Token != "" {
		command += " --token-label '" + k.uri.Token + "'"
	}
	return command
}

// pin reads the PIN each time, so that a changed PIN is used from the next connection on.
func (k *tokenKey) pin() (string, error) {
	const variable = "DELEGATION_SIGNER_PIN"
	if k.uri.PINFile == "" {
		if pin := k.o.Getenv(variable); pin != "" {
			return pin, nil
		}
		return "", key.Permanent("name the PIN's file in the URI, pin-source=file:/PATH, or set "+
			variable, "the token needs a PIN, and none is configured")
	}
	return readPIN(k.uri.PINFile, k.o.Log)
}

func readPIN(file string, log *slog.Logger) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", key.Permanent("correct pin-source, or let the service's user read the file",
			"the PIN cannot be read: %s", key.Short(err.Error()))
	}
	const most = 1024
	if !info.Mode().IsRegular() || info.Size() > most {
		return "", key.Permanent("write the PIN alone into it", "%s is not a file of a PIN", file)
	}
	if info.Mode().Perm()&0o007 != 0 {
		log.Warn("everybody on this machine can read the PIN: chmod o-rwx "+file, "file", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", key.Permanent("let the service's user read the file",
			"the PIN cannot be read: %s", key.Short(err.Error()))
	}
	pin := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if pin == "" || strings.ContainsAny(pin, "\r\n\x00") {
		return "", key.Permanent("write the PIN alone into it, as one line",
			"%s does not have one line", file)
	}
	return pin, nil
}

// findKey finds the only private key that the URI matches.
func (k *tokenKey) findKey(session pkcs11.SessionHandle, c *connection) error {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}
	if k.uri.Object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.uri.Object))
	}
	if k.uri.ID != nil {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, k.uri.ID))
	}
	found, err := k.find(session, template)
	if err != nil {
		return err
	}
	switch len(found) {
	case 0:
		return key.Permanent("correct object and id of the URI; this shows the keys: "+
			k.loginCommand(), "the token has no such private key")
	case 1:
		c.key = found[0]
	default:
		return key.Permanent("name one of them with id; this shows the keys: "+k.loginCommand(),
			"the token has more than one such private key")
	}
	if err := k.checkUse(session, c); err != nil {
		return err
	}
	c.public, err = k.publicOf(session, c.key)
	if err != nil {
		return err
	}
	return key.CheckPublic(c.public)
}

// find returns at most two objects. Two are enough to know that there are too many.
func (k *tokenKey) find(
	session pkcs11.SessionHandle, template []*pkcs11.Attribute,
) ([]pkcs11.ObjectHandle, error) {
	if err := k.module.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("C_FindObjectsInit: %w", err)
	}
	found, _, err := k.module.FindObjects(session, 2)
	final := k.module.FindObjectsFinal(session)
	if err == nil {
		err = final
	}
	if err != nil {
		return nil, fmt.Errorf("C_FindObjects: %w", err)
	}
	return found, nil
}

// checkUse looks at what the key may be used for.
func (k *tokenKey) checkUse(session pkcs11.SessionHandle, c *connection) error {
	kind, err := k.attribute(session, c.key, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return err
	}
	rsaKind := pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA).Value
	if !bytes.Equal(kind, rsaKind) {
		return key.Permanent("use an RSA key of at least 2048 bits", "the key is not an RSA key")
	}
	use, err := k.attribute(session, c.key, pkcs11.CKA_SIGN)
	if err != nil {
		return err
	}
	if !isTrue(use) {
		return key.Permanent("make a key for signing: pkcs11-tool --keypairgen --usage-sign",
			"the key is not for signing: CKA_SIGN is false")
	}
	// Libraries older than PKCS#11 2.20 do not know it.
	always, err := k.attribute(session, c.key, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	c.alwaysAuthenticate = err == nil && isTrue(always)
	return nil
}

func isTrue(value []byte) bool { return len(value) == 1 && value[0] != 0 }

func (k *tokenKey) attribute(
	session pkcs11.SessionHandle, object pkcs11.ObjectHandle, kind uint,
) ([]byte, error) {
	values, err := k.module.GetAttributeValue(session, object,
		[]*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil {
		return nil, fmt.Errorf("C_GetAttributeValue: %w", err)
	}
	if len(values) != 1 {
		return nil, fmt.Errorf("C_GetAttributeValue: %w", pkcs11.Error(pkcs11.CKR_GENERAL_ERROR))
	}
	return values[0].Value, nil
}

// publicOf reads the public key from a private one, which has the modulus, and usually the
// exponent.
func (k *tokenKey) publicOf(
	session pkcs11.SessionHandle, private pkcs11.ObjectHandle,
) (*rsa.PublicKey, error) {
	modulus, err := k.attribute(session, private, pkcs11.CKA_MODULUS)
	if err != nil {
		return nil, err
	}
	exponent, err := k.attribute(session, private, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil || len(exponent) == 0 {
		exponent, err = k.exponentOf(session, modulus)
	}
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, key.Permanent("use another key", "the RSA key's exponent is too large")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}, nil
}

// exponentOf reads the exponent of the public key that has the same modulus.
func (k *tokenKey) exponentOf(session pkcs11.SessionHandle, modulus []byte) ([]byte, error) {
	found, err := k.find(session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, modulus),
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, key.Permanent("store the public key in the token too, next to the private one",
			"the token does not provide the key's exponent")
	}
	return k.attribute(session, found[0], pkcs11.CKA_PUBLIC_EXPONENT)
}
