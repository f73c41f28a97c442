package jsrules_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// messageOf runs an expression in a rule and returns the text of the error that it throws.
func messageOf(t testing.TB, expression string, o jsrules.Options) (text string, thrown bool) {
	t.Helper()
	got := run(t, body("try { user.got = ["+expression+"].length; }"+
		" catch (e) { user.message = e.name + ': ' + e.message + ' ' + e.stack; }"+passes), o)
	if !got.passed {
		t.Fatalf("%s: %v", expression, got.err)
	}
	text, thrown = got.user.Properties["message"].(string)
	return text, thrown
}

// TestNodeModules_NotAvailable: what Node has and a module here has not throws an error that names
// it.
func TestNodeModules_NotAvailable(t *testing.T) {
	for expression, name := range map[string]string{
		"crypto.scryptSync('p', 's', 32)":                  "crypto.scryptSync",
		"crypto.scrypt('p', 's', 32, callback)":            "crypto.scrypt",
		"crypto.generateKeyPairSync('rsa', {})":            "crypto.generateKeyPairSync",
		"crypto.publicEncrypt('k', Buffer.alloc(1))":       "crypto.publicEncrypt",
		"crypto.privateDecrypt('k', Buffer.alloc(1))":      "crypto.privateDecrypt",
		"crypto.createECDH('prime256v1')":                  "crypto.createECDH",
		"crypto.subtle.digest('SHA-256', '')":              "crypto.subtle",
		"new crypto.X509Certificate('x')":                  "crypto.X509Certificate",
		"crypto.createHmac('sha256', 'k').copy()":          "a copy of an HMAC",
		"crypto.createPublicKey({key: {}, format: 'jwk'})": "a key as JWK",
		"crypto.createPrivateKey('-----BEGIN ENCRYPTED PRIVATE KEY-----\\nAAAA\\n" +
			"-----END ENCRYPTED PRIVATE KEY-----\\n')": "a key with a passphrase",
		"crypto.createPrivateKey({key: Buffer.alloc(9000), format: 'der'})": "a key of more than " +
			"8 KiB",
		"crypto.createPrivateKey('-----BEGIN RSA PRIVATE KEY-----\\n' + 'A'.repeat(12000) + " +
			"'\\n-----END RSA PRIVATE KEY-----\\n')": "a key of more than 8 KiB",
		"crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(16))": "GCM with an " +
			"initialization vector that does not have 12 bytes",
		"crypto.pbkdf2Sync('p', 's', 2e6, 32, 'sha256')": "pbkdf2 with more than 1000000 " +
			"iterations of all blocks together",
		"crypto.pbkdf2Sync('p', 's', 1e5, 1000, 'sha256')": "pbkdf2 with more than 1000000 " +
			"iterations of all blocks together",
		"jwt.sign({}, 'k', {algorithm: 'none'})":                    "the algorithm none",
		"jwt.sign({}, '', {algorithm: 'none'})":                     "the algorithm none",
		"jwt.sign({}, 'k', {header: {alg: 'none'}})":                "the algorithm none",
		"jwt.verify('e30.e30.', '', {algorithms: ['none']})":        "the algorithm none",
		"Buffer.alloc(8).readBigInt64LE()":                          "BigInt",
		"new (require('buffer').Blob)([])":                          "buffer.Blob",
		"require('buffer').transcode(Buffer.alloc(1), 'a')":         "buffer.transcode",
		"Buffer.alloc(2e6)":                                         "a Buffer of more than 1 MiB",
		"new TextDecoder('latin1')":                                 "this encoding",
		"new TextDecoder().decode(Buffer.alloc(1), {stream: true})": "TextDecoder of a stream",
		"require('url').fileURLToPath('file:///x')":                 "url.fileURLToPath",
		"new URL('https://b\\u00fccher.example')": "a URL whose host " +
			"is not ASCII",
		"new URL('https://x/' + 'a'.repeat(70000))": "a URL of more than " +
			"65536 characters",
		"require('url').domainToASCII('x')": "url.domainToASCII",
		"require('util').parseArgs()":       "util.parseArgs",
		"process.exit(1)":                   "process.exit",
		"process.version":                   "process.version",
		"process.argv":                      "process.argv",
		"process.cwd()":                     "process.cwd",
	} {
		text, _ := messageOf(t, expression, jsrules.Options{})
		message, _, _ := strings.Cut(text, "\n")
		if !strings.Contains(message, name) || !strings.Contains(message, "not available here") {
			t.Errorf("%s: got %q", expression, text)
		}
	}
}

// TestNodeModules_TokenOptions: options of jwt.verify that the npm package would not observe are
// refused. With these values it accepts an expired token, and a token from any issuer.
func TestNodeModules_TokenOptions(t *testing.T) {
	const token = "jwt.sign({exp: Math.floor(Date.now() / 1000) - 100, iss: 'other'}, 'k')"
	for options, want := range map[string]string{
		"{clockTolerance: '60'}": "JsonWebTokenError: clockTolerance must be a number",
		"{clockTolerance: [60]}": "JsonWebTokenError: clockTolerance must be a number",
		"{clockTolerance: 60}":   "TokenExpiredError: jwt expired",
		"{ignoreExpiration: true, issuer: /mine/}": "JsonWebTokenError: issuer must be a string " +
			"or an array",
		"{ignoreExpiration: true, issuer: new String('mine')}": "JsonWebTokenError: issuer must " +
			"be a string or an array",
		"{ignoreExpiration: true, issuer: 'mine'}": "JsonWebTokenError: jwt issuer invalid",
	} {
		text, _ := messageOf(t, "jwt.verify("+token+", 'k', "+options+")", jsrules.Options{})
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: got %q, want %q", options, text, want)
		}
	}
}

// TestNodeModules_DeepEqual: isDeepStrictEqual compares what values hold in no property, too.
// Node 20 finds any two URLSearchParams, promises, WeakMaps and WeakSets equal.
func TestNodeModules_DeepEqual(t *testing.T) {
	for pair, want := range map[string]bool{
		"new URL('https://a.example'), new URL('https://a.example')":             true,
		"new URL('https://a.example'), new URL('https://b.example')":             false,
		"new URLSearchParams('a=1'), new URLSearchParams('a=1')":                 true,
		"new URLSearchParams('a=1'), new URLSearchParams('a=2')":                 false,
		"crypto.createSecretKey('a'), crypto.createSecretKey('a')":               true,
		"crypto.createSecretKey('a'), crypto.createSecretKey('b')":               false,
		"new Uint8Array([1]).buffer, new Uint8Array([1]).buffer":                 true,
		"new Uint8Array([1]).buffer, new Uint8Array([2]).buffer":                 false,
		"new Headers({a: '1'}), new Headers({a: '1'})":                           true,
		"new Headers({a: '1'}), new Headers({a: '2'})":                           false,
		"Promise.resolve(1), Promise.resolve(2)":                                 false,
		"new WeakMap(), new WeakMap()":                                           false,
		"new WeakSet(), new WeakSet()":                                           false,
		"{[Symbol.iterator]: 1}, {[Symbol.iterator]: 1}":                         true,
		"{[Symbol.iterator]: 1}, {[Symbol.iterator]: 2}":                         false,
		"Object(Symbol('a')), Object(Symbol('a'))":                               false,
		"{key: crypto.createSecretKey('a')}, {key: crypto.createSecretKey('b')}": false,
		"Buffer.from('a'), Buffer.from('a')":                                     true,
		"Buffer.from('a'), Buffer.from('b')":                                     false,
	} {
		got := run(t, body("user.got = require('util').isDeepStrictEqual("+pair+");"+passes),
			jsrules.Options{HTTP: &jsrules.HTTP{}})
		if !got.passed || got.user.Properties["got"] != want {
			t.Errorf("%s: got %v, %v", pair, got.user, got.err)
		}
	}
}

// TestNodeModules_Secrets: no error of a module repeats what a rule gave it. A key in the place of
// another argument must not come into a log.
func TestNodeModules_Secrets(t *testing.T) {
	const secret = "swordfish-5f7c8ec7"
	o := jsrules.Options{Configuration: map[string]string{"S": secret}}
	thrown := 0
	for _, call := range []string{
		"crypto.createHash(S)",
		"crypto.createHmac(S, 'sha256')",
		"crypto.createHmac(S, S)",
		"crypto.createHash('md5').update('x').digest(S)",
		"crypto.createHash('md5').update('x', S)",
		"crypto.createHash('md5').update({S})",
		"crypto.createCipheriv(S, 'k', 'i')",
		"crypto.createCipheriv('aes-256-cbc', S, S)",
		"crypto.createCipher(S, 'x')",
		"crypto.createSign(S)",
		"crypto.createSign('sha256').update('x').sign(S)",
		"crypto.createSign('sha256').update('x').sign('-----BEGIN ' + S)",
		"crypto.createVerify('sha256').update('x').verify(S, 'x')",
		"crypto.createPrivateKey(S)",
		"crypto.createPublicKey({key: S, format: S})",
		"crypto.createSecretKey(Buffer.from(S)).export({format: 'jwk'})",
		"crypto.pbkdf2Sync(S, S, 1, 1, S)",
		"crypto.pbkdf2Sync(S, S, S, 1, 'sha256')",
		"crypto.hkdfSync(S, S, S, S, 1)",
		"crypto.randomBytes(S)",
		"crypto.timingSafeEqual(Buffer.from(S), Buffer.from('x'))",
		"crypto.timingSafeEqual(S, S)",
		"crypto.sign(S, Buffer.from(S), S)",
		"jwt.sign({a: 1}, S, {algorithm: S})",
		"jwt.sign({a: 1}, S, {expiresIn: S})",
		"jwt.sign({a: 1}, S, {algorithm: 'RS256'})",
		"jwt.sign({exp: S}, S)",
		"jwt.sign({a: 1}, {S})",
		"jwt.sign({a: 1}, S, {header: {alg: 'XX'}})",
		"jwt.verify(S, S)",
		"jwt.verify(jwt.sign({a: 1}, 'x'), S)",
		"jwt.verify(jwt.sign({a: 1}, S), S, {algorithms: ['RS256']})",
		"jwt.verify(jwt.sign({a: 1}, S), S + 'x')",
		"jwt.verify(jwt.sign({a: 1}, S), '-----BEGIN ' + S)",
		"jwt.verify('a.' + S + '.c', S)",
		"jwt.verify('eyJ0eXAiOiJKV1QifQ.' + Buffer.from(S).toString('base64url') + '.c', S)",
		"Buffer.from('x', S)",
		"Buffer.from('x').toString(S)",
		"Buffer.alloc(S)",
		"Buffer.concat(S)",
		"Buffer.from({S})",
		"Buffer.alloc(4).write('x', 0, S)",
		"Buffer.alloc(4).fill('x', S)",
		"Buffer.alloc(4).readUInt8(S)",
		"Buffer.alloc(4).copy(S)",
		"new TextDecoder(S)",
		"btoa(S + '\\u20ac')",
		"atob(S + '%')",
		"require('url').parse('http://' + S + '%00/')",
		"require('url').format(5, S)",
		"require('uuid/v5')('x', S)",
		"require('uuid').parse(S)",
		"require('util').promisify(S)",
		"require('util').inherits(S, S)",
		"require('querystring').stringify({a: S + '\\ud800'})",
		"new URLSearchParams([[S]])",
	} {
		expression := "(() => { const S = configuration.S; return " + call + "; })()"
		text, isError := messageOf(t, expression, o)
		if isError {
			thrown++
		}
		if strings.Contains(text, secret) {
			t.Errorf("%s: the error tells the secret: %s", call, text)
		}
	}
	if thrown < 50 {
		t.Errorf("only %d calls have thrown", thrown)
	}
}

// TestNodeModules_Limits: what a module can be asked to do ends as the rule's failure, by the size
// of the work or by looks at the clock that are counted.
func TestNodeModules_Limits(t *testing.T) {
	for name, row := range map[string]struct {
		statements string
		want       error
		text       string
	}{
		"alloc":            {"Buffer.alloc(4e9)", nil, "RangeError"},
		"allocUnsafe":      {"Buffer.allocUnsafe(2e6)", nil, "RangeError"},
		"new Buffer":       {"new Buffer(4e9)", nil, "RangeError"},
		"from a list":      {"Buffer.from({length: 4e9})", nil, "RangeError"},
		"from a text":      {"Buffer.from('x'.repeat(2e6))", nil, "RangeError"},
		"from hexadecimal": {"Buffer.from('00'.repeat(2e6), 'hex')", nil, "RangeError"},
		"concat of many": {
			"var b = Buffer.alloc(1e6); Buffer.concat([b, b, b])", nil, "RangeError",
		},
		"concat that doubles": {
			"var b = Buffer.from('x'); for (;;) b = Buffer.concat([b, b])", nil, "RangeError",
		},
		"a length that lies": {
			"Buffer.concat([Buffer.alloc(1)], 1e12)", nil, "RangeError",
		},
		"a class of typed arrays, by a Buffer": {
			"new (Object.getPrototypeOf(Buffer))(4e9)", nil, "RangeError",
		},
		"a constructor of a Buffer": {
			"new (crypto.randomBytes(1).constructor)(4e9)", nil, "RangeError",
		},
		"TextEncoder":  {"new TextEncoder().encode('x'.repeat(2e6))", nil, "RangeError"},
		"random bytes": {"crypto.randomBytes(1e9)", nil, "RangeError"},
		"pbkdf2":       {"crypto.pbkdf2Sync('p', 's', 1e9, 64, 'sha512')", nil, "RangeError"},
		"a long key":   {"crypto.pbkdf2Sync('p', 's', 1, 1e9, 'sha512')", nil, "RangeError"},
		"pbkdf2 in a loop": {"for (;;) crypto.pbkdf2Sync('p', 's', 1000, 32, 'sha256')",
			jsrules.ErrTimeout, ""},
		"a hash in a loop": {"var h = crypto.createHash('md5'); for (;;) h.update('x')",
			jsrules.ErrTimeout, ""},
		"one that catches": {
			"for (;;) try { for (;;) crypto.createHash('md5').digest() } catch (e) {}",
			jsrules.ErrTimeout, "",
		},
		"a cipher without end": {
			"var c = crypto.createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12)), " +
				"b = Buffer.alloc(1e6); for (;;) c.update(b)", nil, "not available here",
		},
		"data to sign without end": {
			"var s = crypto.createSign('sha256'), b = Buffer.alloc(1e6); " +
				"for (;;) s.update(b)", nil, "RangeError",
		},
		"a needle that is almost there": {
			"var b = Buffer.alloc(1e6, 'a\\0'); b[0] = 1; for (;;) b.indexOf(" +
				"Buffer.concat([Buffer.alloc(5e5, '\\0a'), Buffer.from('b')]), 0, 'ucs2')",
			jsrules.ErrTimeout, "",
		},
		"a query of many": {
			"new URLSearchParams('a&'.repeat(2e6))", nil, "RangeError",
		},
		"a value that is nested, inspected": {
			"var a = []; for (var i = 0; i < 1e5; i++) a = [a]; " +
				"require('util').inspect(a, {depth: null})", jsrules.ErrDepth, "",
		},
		"extend of itself": {
			"var a = {}; a.a = a; require('extend')(true, {}, a)", jsrules.ErrDepth, "",
		},
		"nextTick without end": {"(function again() { process.nextTick(again) })()",
			jsrules.ErrTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			clock := standing()
			if row.want == jsrules.ErrTimeout {
				clock = ticking(50 * time.Millisecond)
			}
			options := jsrules.Options{RuleTimeout: 300 * time.Millisecond}
			rule := compileOn(t, clock, body(row.statements), options)
			err := rule(t.Context(), benchmarkUser(), benchmarkContext())
			if err == nil || row.want != nil && !errors.Is(err, row.want) ||
				!strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, want %v with %q", err, row.want, row.text)
			}
		})
	}
}

// TestNodeModules_Isolated: what a rule changes in modules, globals and their prototypes does not
// reach another exchange, and two rules of one exchange that run in one runtime share them.
func TestNodeModules_Isolated(t *testing.T) {
	rule := compile(t, body(`
		const modules = ['buffer', 'crypto', 'jsonwebtoken', 'querystring', 'url', 'util', 'uuid',
			'extend', '@auth0/rule-utilities', 'process'].map((name) => require(name));
		modules.push(Buffer, Buffer.prototype, Uint8Array.prototype, URLSearchParams,
			URLSearchParams.prototype, TextEncoder, jwt.JsonWebTokenError.prototype, process.env,
			crypto.constructor, crypto.createHash('md5'), require('util').inspect);
		user.seen = modules.filter((module) => 'mark' in module).length +
			Number(typeof atob !== 'function');
		modules.forEach((module) => { module.mark = user.user_id; });
		crypto.createHash = () => user.user_id;
		Buffer.from = () => user.user_id;
		jwt.verify = () => ({sub: user.user_id});
		atob = user.user_id;
		user.changed = [crypto.createHash(), require('jsonwebtoken').verify().sub, atob];`+
		passes), jsrules.Options{})
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			id := fmt.Sprintf("auth0|%d", i)
			user := &delegation.User{Properties: map[string]any{"user_id": id}}
			err := rule(t.Context(), user, &delegation.RuleContext{})
			if err != nil || !sameJSON(user.Properties["seen"], 0) ||
				!sameJSON(user.Properties["changed"], []any{id, id, id}) {
				t.Errorf("got %v, %v", err, user.Properties)
			}
		})
	}
	group.Wait()

	// Functions in global keep the runtime for the next rule, and the Buffers in it.
	rules := folder(t, jsrules.Options{},
		body("global.make = () => 1; global.b = Buffer.from('ab');"+passes),
		body("user.saw = [global.b instanceof Buffer, global.b.toString('hex'),"+
			" crypto.createHash('md5').update(global.b).digest('hex')];"+passes))
	got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	want := []any{true, "6162", "187ef4436122d1cc2f40dc2b92f0eba0"}
	if !got.passed || !sameJSON(got.user.Properties["saw"], want) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}
