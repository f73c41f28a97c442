//go:build pkcs11

package token_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/pkcs11uri"
	"github.com/seed055b7978/delegation/signer/internal/token"
)

var private = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })

func generate(bits int) *rsa.PrivateKey {
	made, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return made
}

const pin = "946711"

// object is an object of a token, with the attributes that are asked for.
type object struct {
	attributes map[uint][]byte
	private    *rsa.PrivateKey
}

// keyObject is a private key that may sign.
func keyObject(k *rsa.PrivateKey, label, id string) *object {
	o := &object{private: k, attributes: map[uint][]byte{}}
	o.set(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)
	o.set(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA)
	o.set(pkcs11.CKA_LABEL, label)
	o.set(pkcs11.CKA_ID, []byte(id))
	o.set(pkcs11.CKA_SIGN, true)
	o.set(pkcs11.CKA_MODULUS, k.N.Bytes())
	o.set(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(k.E)).Bytes())
	return o
}

func (o *object) set(kind uint, value any) *object {
	o.attributes[kind] = pkcs11.NewAttribute(kind, value).Value
	return o
}

func (o *object) without(kind uint) *object {
	delete(o.attributes, kind)
	return o
}

type slot struct {
	info    pkcs11.SlotInfo
	token   pkcs11.TokenInfo
	objects []*object
}

func tokenSlot(label string, objects ...*object) *slot {
	return &slot{
		info: pkcs11.SlotInfo{SlotDescription: "a slot", ManufacturerID: "Slots"},
		token: pkcs11.TokenInfo{
			Label: label, ManufacturerID: "Tokens", SerialNumber: "1", Model: "T1",
			Flags: pkcs11.CKF_TOKEN_INITIALIZED | pkcs11.CKF_LOGIN_REQUIRED,
		},
		objects: objects,
	}
}

// module is a PKCS#11 library in memory, as strict as the specification.
type module struct {
	t *testing.T

	mu          sync.Mutex
	slots       map[uint]*slot
	initialized bool
	destroyed   bool
	next        pkcs11.SessionHandle
	sessions    map[pkcs11.SessionHandle]uint
	active      map[pkcs11.SessionHandle]*object
	found       map[pkcs11.SessionHandle][]pkcs11.ObjectHandle
	loggedIn    map[uint]bool
	again       map[pkcs11.SessionHandle]bool // has logged in for one signature

	logins   []string
	contexts int
	calls    map[string]int
	signing  int
	most     int
	fail     func(function string) error
	signs    func() error // runs in C_Sign
	begins   func()       // runs at the end of C_SignInit
}

func newModule(t *testing.T, slots ...*slot) *module {
	m := &module{t: t, slots: map[uint]*slot{}, calls: map[string]int{}, next: 100}
	for i, s := range slots {
		m.slots[uint(i+1)] = s
	}
	return m
}

// enter counts a call, and returns the error that the test wants.
func (m *module) enter(function string) error {
	m.calls[function]++
	if m.destroyed {
		m.t.Errorf("%s after Destroy", function)
	}
	if m.fail != nil {
		if err := m.fail(function); err != nil {
			return err
		}
	}
	if !m.initialized && function != "C_Initialize" {
		return pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	return nil
}

func (m *module) reset() {
	m.sessions = map[pkcs11.SessionHandle]uint{}
	m.active = map[pkcs11.SessionHandle]*object{}
	m.found = map[pkcs11.SessionHandle][]pkcs11.ObjectHandle{}
	m.loggedIn = map[uint]bool{}
	m.again = map[pkcs11.SessionHandle]bool{}
}

func (m *module) Initialize(...pkcs11.InitializeOption) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("C_Initialize"); err != nil {
		return err
	}
	if m.initialized {
		return pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	}
	m.initialized = true
	m.reset()
	return nil
}

func (m *module) Finalize() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signing > 0 {
		m.t.Error("C_Finalize during C_Sign")
	}
	if err := m.enter("C_Finalize"); err != nil {
		return err
	}
	m.initialized = false
	m.reset()
	return nil
}

func (m *module) Destroy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.destroyed = true
}

func (m *module) GetInfo() (pkcs11.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return pkcs11.Info{
		ManufacturerID: "Library makers", LibraryDescription: "A library   ",
		LibraryVersion: pkcs11.Version{Major: 2, Minor: 6},
	}, m.enter("C_GetInfo")
}

func (m *module) GetSlotList(present bool) ([]uint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !present {
		m.t.Error("slots without tokens were asked for")
	}
	var list []uint
	for id := uint(1); id <= uint(len(m.slots)); id++ {
		list = append(list, id)
	}
	return list, m.enter("C_GetSlotList")
}

func (m *module) GetSlotInfo(id uint) (pkcs11.SlotInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slots[id].info, m.enter("C_GetSlotInfo")
}

func (m *module) GetTokenInfo(id uint) (pkcs11.TokenInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slots[id].token, m.enter("C_GetTokenInfo")
}

func (m *module) OpenSession(id uint, flags uint) (pkcs11.SessionHandle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("C_OpenSession"); err != nil {
		return 0, err
	}
	if flags != pkcs11.CKF_SERIAL_SESSION {
		return 0, pkcs11.Error(pkcs11.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	}
	m.next++
	m.sessions[m.next] = id
	if most := m.slots[id].token.MaxSessionCount; most > 0 && uint(len(m.sessions)) > most {
		return 0, pkcs11.Error(pkcs11.CKR_SESSION_COUNT)
	}
	return m.next, nil
}

func (m *module) session(s pkcs11.SessionHandle, function string) (*slot, error) {
	if err := m.enter(function); err != nil {
		return nil, err
	}
	id, found := m.sessions[s]
	if !found {
		return nil, pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID)
	}
	return m.slots[id], nil
}

func (m *module) CloseSession(s pkcs11.SessionHandle) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.session(s, "C_CloseSession"); err != nil {
		return err
	}
	id := m.sessions[s]
	delete(m.sessions, s)
	for _, other := range m.sessions {
		if other == id {
			return nil
		}
	}
	m.loggedIn[id] = false
	return nil
}

func (m *module) Login(s pkcs11.SessionHandle, user uint, given string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.session(s, "C_Login")
	if err != nil {
		return err
	}
	if user == pkcs11.CKU_CONTEXT_SPECIFIC {
		m.contexts++
	} else {
		m.logins = append(m.logins, given)
	}
	if given != pin {
		t.token.Flags |= pkcs11.CKF_USER_PIN_COUNT_LOW
		return pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)
	}
	t.token.Flags &^= pkcs11.CKF_USER_PIN_COUNT_LOW
	if user == pkcs11.CKU_CONTEXT_SPECIFIC {
		if m.active[s] == nil {
			return pkcs11.Error(pkcs11.CKR_OPERATION_NOT_INITIALIZED)
		}
		m.again[s] = true
		return nil
	}
	if m.loggedIn[m.sessions[s]] {
		return pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)
	}
	m.loggedIn[m.sessions[s]] = true
	return nil
}

func (m *module) FindObjectsInit(s pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.session(s, "C_FindObjectsInit")
	if err != nil {
		return err
	}
	m.found[s] = []pkcs11.ObjectHandle{}
	for i, o := range t.objects {
		hidden := o.private != nil && t.token.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0 &&
			!m.loggedIn[m.sessions[s]]
		if !hidden && o.has(template) {
			m.found[s] = append(m.found[s], pkcs11.ObjectHandle(i+1))
		}
	}
	return nil
}

func (o *object) has(template []*pkcs11.Attribute) bool {
	for _, want := range template {
		if got, found := o.attributes[want.Type]; !found || !bytes.Equal(got, want.Value) {
			return false
		}
	}
	return true
}

func (m *module) FindObjects(
	s pkcs11.SessionHandle, most int,
) ([]pkcs11.ObjectHandle, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.session(s, "C_FindObjects"); err != nil {
		return nil, false, err
	}
	found := m.found[s]
	return found[:min(most, len(found))], false, nil
}

func (m *module) FindObjectsFinal(s pkcs11.SessionHandle) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.session(s, "C_FindObjectsFinal")
	delete(m.found, s)
	return err
}

func (m *module) GetAttributeValue(
	s pkcs11.SessionHandle, handle pkcs11.ObjectHandle, wanted []*pkcs11.Attribute,
) ([]*pkcs11.Attribute, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.session(s, "C_GetAttributeValue")
	if err != nil {
		return nil, err
	}
	var values []*pkcs11.Attribute
	for _, want := range wanted {
		value, found := t.objects[handle-1].attributes[want.Type]
		if !found {
			return nil, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)
		}
		values = append(values, &pkcs11.Attribute{Type: want.Type, Value: value})
	}
	return values, nil
}

func (m *module) SignInit(
	s pkcs11.SessionHandle, mechanism []*pkcs11.Mechanism, handle pkcs11.ObjectHandle,
) error {
	err := m.signInit(s, mechanism, handle)
	if m.begins != nil {
		m.begins()
	}
	return err
}

func (m *module) signInit(
	s pkcs11.SessionHandle, mechanism []*pkcs11.Mechanism, handle pkcs11.ObjectHandle,
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.session(s, "C_SignInit")
	if err != nil {
		return err
	}
	if len(mechanism) != 1 || mechanism[0].Mechanism != pkcs11.CKM_RSA_PKCS {
		return pkcs11.Error(pkcs11.CKR_MECHANISM_INVALID)
	}
	if m.active[s] != nil {
		return pkcs11.Error(pkcs11.CKR_OPERATION_ACTIVE)
	}
	if t.token.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0 && !m.loggedIn[m.sessions[s]] {
		return pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	m.active[s] = t.objects[handle-1]
	return nil
}

func (m *module) Sign(s pkcs11.SessionHandle, message []byte) ([]byte, error) {
	o, err := m.beginSign(s)
	if err != nil {
		return nil, err
	}
	if m.signs != nil {
		err = m.signs()
	}
	m.mu.Lock()
	m.signing--
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return rsa.SignPKCS1v15(nil, o.private, crypto.Hash(0), message)
}

func (m *module) beginSign(s pkcs11.SessionHandle) (*object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.session(s, "C_Sign"); err != nil {
		return nil, err
	}
	o := m.active[s]
	delete(m.active, s)
	if o == nil {
		return nil, pkcs11.Error(pkcs11.CKR_OPERATION_NOT_INITIALIZED)
	}
	always := o.attributes[pkcs11.CKA_ALWAYS_AUTHENTICATE]
	if len(always) == 1 && always[0] == 1 && !m.again[s] {
		return nil, pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	delete(m.again, s)
	m.signing++
	m.most = max(m.most, m.signing)
	return o, nil
}

func (m *module) counted(function string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[function]
}

func (m *module) loginCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.logins)
}

// failNext has the next call of a function fail, a number of times.
func (m *module) failNext(function string, times int, code uint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = func(called string) error {
		if called != function || times == 0 {
			return nil
		}
		times--
		return pkcs11.Error(code)
	}
}

// world is what surrounds a key.
type world struct {
	t      *testing.T
	module *module
	log    bytes.Buffer
	env    string
	now    time.Time
	later  chan func()
	stuck  int
}

func newWorld(t *testing.T, m *module) *world {
	return &world{
		t: t, module: m, env: pin, now: time.Unix(1e9, 0), later: make(chan func(), 100),
	}
}

func (w *world) open(uri string) (key.Key, error) {
	w.t.Helper()
	parsed, err := pkcs11uri.Parse(uri)
	if err != nil {
		w.t.Fatal(err)
	}
	return token.OpenModule(w.t.Context(), parsed, w.module, token.Options{
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Getenv: func(name string) string {
			if name != "DELEGATION_SIGNER_PIN" {
				w.t.Errorf("the variable %s", name)
			}
			return w.env
		},
		Now: func() time.Time { return w.now },
		Later: func(d time.Duration, f func()) func() {
			if d != time.Minute {
				w.t.Errorf("later: %s", d)
			}
			select {
			case w.later <- f:
			default:
			}
			return func() {}
		},
		Stuck: func() { w.stuck++ },
	})
}

const uri = "pkcs11:token=saml;object=signing?module-path=/lib/p11.so"

func (w *world) mustOpen() key.Key {
	w.t.Helper()
	k, err := w.open(uri)
	if err != nil {
		w.t.Fatal(fmt.Errorf("%w; log:\n%s", err, w.log.String()))
	}
	return k
}
